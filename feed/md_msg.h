/* One decoded market-data item, whatever the venue, and what a dialect must be able to do.
 *
 * Between the decoders (feed/<venue>_md), which fill a struct md_msg from a whole text message, and feed, which knows
 * no venue: it works through one `const struct feed_dialect`. Adding a venue is a decoder and a row of feed_dialects.
 *
 * Two kinds of venue are known. A sequenced one numbers its updates: a snapshot is fetched beside the stream and joined
 * to it by number. A checked one sends the snapshot in the stream and a checksum with every message: the book is what
 * was subscribed, cut to its depth, and a wrong checksum means that it is subscribed again.
 *
 * Always true: values are exact or refused; level counts never exceed levels_max; a decoder keeps no state but its
 * symbol table, so that the same bytes always decode to the same message. */
#ifndef EXECGW_FEED_MD_MSG_H
#define EXECGW_FEED_MD_MSG_H

#include "execgw/arena.h"
#include "execgw/market.h"

enum md_msg_kind {
    MD_MSG_TICKER, /* last_id, bid, ask */
    MD_MSG_DEPTH,  /* first_id, last_id (sequenced) or checksum (checked), bids, asks */
    MD_MSG_TRADE,  /* trade_id, px, qty, aggressor */
    MD_MSG_REPLY,  /* request_id: a request was accepted; slot and depth_stream where it says for whom */
    MD_MSG_ERROR,  /* request_id, code, text: a request was refused; slot where it says for whom */
    MD_MSG_SHUTDOWN,
    MD_MSG_OTHER,    /* well formed, nothing for us */
    MD_MSG_SNAPSHOT, /* as DEPTH, the whole book; checked venues only */
    MD_MSG_STATUS    /* text: what the venue says of itself; online: trading as usual */
};

#define MD_TEXT_BYTES 96
#define MD_NO_SLOT    UINT32_MAX

struct md_msg {
    uint8_t kind;          /* enum md_msg_kind */
    uint8_t aggressor;     /* TRADE: enum side */
    bool depth_stream;     /* REPLY, ERROR: it was about the depth stream */
    bool off;              /* REPLY, ERROR: of an unsubscription */
    uint32_t slot;         /* what add() gave the symbol; MD_NO_SLOT unknown */
    uint64_t first_id;     /* DEPTH: U */
    uint64_t last_id;      /* DEPTH, TICKER: u */
    int64_t venue_time_ns; /* since the Unix epoch; 0 when the message has none */
    struct level bid;      /* TICKER */
    struct level ask;
    int64_t trade_id; /* TRADE */
    px_t px;
    qty_t qty;
    uint32_t bid_count; /* DEPTH, SNAPSHOT */
    uint32_t ask_count;
    struct level *bids; /* room for levels_max each; set by md_msg_init */
    struct level *asks;
    uint32_t levels_max;
    uint32_t checksum; /* DEPTH, SNAPSHOT of a checked venue */
    uint8_t px_digits; /* and the digits behind the point that its text has: the checksum is made of them */
    uint8_t qty_digits;
    bool online;        /* STATUS */
    uint32_t next;      /* in and out: where in the message the next item starts; 0 = the message's first / none left */
    int64_t request_id; /* REPLY, ERROR; -1 none */
    int32_t code;
    char text[MD_TEXT_BYTES]; /* ERROR, STATUS: the venue's words, printable, NUL-terminated */
};

size_t md_msg_footprint(uint32_t levels_max);
void md_msg_init(struct md_msg *m, uint32_t levels_max, struct arena *arena);

/* Which streams of a symbol to subscribe. */
enum { MD_STREAM_DEPTH = 1, MD_STREAM_TICKER = 2, MD_STREAM_TRADE = 4 };

/* A subscription request to write. */
struct md_request {
    int64_t id;
    const char *const *symbols;
    size_t count;
    unsigned streams; /* MD_STREAM_* bits; exactly one where the dialect is one_stream */
    uint32_t depth;   /* levels a side, of a checked book */
    bool off;         /* unsubscribe */
};

struct feed_dialect {
    const char *name;
    bool checked;         /* as above; else sequenced */
    bool one_stream;      /* a request names one stream */
    unsigned streams;     /* MD_STREAM_* that it has */
    uint32_t streams_max; /* on one connection */
    size_t (*footprint)(uint32_t instruments_max);
    void *(*init)(uint32_t instruments_max, struct arena *arena);
    /* Add a symbol, or change a known one's slot and decimals. False when there is no room or it cannot be used. Cold.
     */
    bool (*add)(void *decoder, const struct instrument *ins, uint32_t slot);
    /* Decode the item of a whole text message that starts at out->next (0: the first). Hot.
     *
     * buf, len  not NUL-terminated, not kept; may be hostile. The same for every item of a message.
     * out       complete on DECODE_OK (the fields named beside its kind) and on DECODE_IGNORED (kind only). Otherwise
     *           only kind and slot mean anything: what it was and whom it concerned, as far as that could be read (kind
     *           MD_MSG_OTHER, slot MD_NO_SLOT where not), so that the book concerned can be distrusted; next is 0. */
    enum decode_result (*decode)(const void *decoder, const uint8_t *buf, size_t len, struct md_msg *out);
    /* One request for as many symbols as fit; *used says how many. Returns the bytes written, 0 when none fits. */
    size_t (*request)(const struct md_request *rq, char *buf, size_t room, size_t *used);
    /* Checked: the checksum of a book's best levels, each side best first, at most checksum_levels of it. The units are
     * what one of the last digit in the venue's text counts, in the instrument's decimals; negative: so many zeros
     * stand in the text behind the instrument's last digit. Hot. */
    uint32_t (*checksum)(const void *decoder, int64_t px_unit, int64_t qty_unit, const struct level *asks,
                         uint32_t ask_count, const struct level *bids, uint32_t bid_count);
    uint32_t checksum_levels;
    uint16_t depth[8]; /* Checked: levels a side that can be subscribed; 0 ends the list */
};

extern const struct feed_dialect feed_binance;
extern const struct feed_dialect feed_kraken;

#endif
