/* Binance Spot market data: one WebSocket text message -> integers, and the subscription requests.
 *
 * Between ws_frame and feed. Predicts the exact text that the venue sends; any other key order, spacing or new field
 * takes the general scan, which gives the same result more slowly.
 *
 * Source: Binance Spot API docs, web-socket-streams.md: depthUpdate (e E s U u b a), bookTicker (u s b B a A), trade
 * (e E s t p q T m M), combined wrapper (stream data). Prices and quantities arrive as strings. Seen 2026-07.
 *
 * Always true: values are exact or refused; level counts never exceed levels_max; no state but the symbol table. */
#ifndef EXECGW_FEED_BINANCE_MD_H
#define EXECGW_FEED_BINANCE_MD_H

#include "execgw/arena.h"
#include "execgw/market.h"

enum binance_md_kind {
    BINANCE_MD_TICKER, /* last_id, bid, ask */
    BINANCE_MD_DEPTH,  /* first_id, last_id, bids, asks */
    BINANCE_MD_TRADE,  /* trade_id, px, qty, aggressor */
    BINANCE_MD_REPLY,  /* request_id: a request was accepted */
    BINANCE_MD_ERROR,  /* request_id, code, text: a request was refused */
    BINANCE_MD_SHUTDOWN,
    BINANCE_MD_OTHER /* well formed, nothing for us */
};

#define BINANCE_TEXT_BYTES 96

struct binance_md_msg {
    uint8_t kind;          /* enum binance_md_kind */
    uint8_t aggressor;     /* TRADE: enum side */
    uint32_t slot;         /* what binance_md_add gave the symbol; UINT32_MAX unknown */
    uint64_t first_id;     /* DEPTH: U */
    uint64_t last_id;      /* DEPTH, TICKER: u */
    int64_t venue_time_ns; /* since the Unix epoch; 0 when the message has none */
    struct level bid;      /* TICKER */
    struct level ask;
    int64_t trade_id; /* TRADE */
    px_t px;
    qty_t qty;
    uint32_t bid_count; /* DEPTH */
    uint32_t ask_count;
    struct level *bids; /* room for levels_max each; set by binance_md_msg_init */
    struct level *asks;
    uint32_t levels_max;
    int64_t request_id; /* REPLY, ERROR; -1 none */
    int32_t code;
    char text[BINANCE_TEXT_BYTES]; /* ERROR: the venue's words, printable, NUL-terminated */
};

/* How a decimal with eight digits after the point becomes a count of 10^-decimals. */
struct binance_scale {
    uint64_t inverse; /* 2^63 / divisor, rounded up: value * inverse >> 63 is value / divisor for value < 10^8 */
    uint32_t divisor; /* 10^(8 - decimals); 0 when decimals > 8 */
    uint8_t decimals;
};

/* One symbol, laid out for the look-up: a cache line with what a decode needs. */
struct binance_symbol {
    _Alignas(64) char symbol[SYMBOL_BYTES]; /* zero padded */
    uint32_t slot;
    uint8_t symbol_len; /* 0 = empty */
    bool narrow;        /* both decimals <= 8: the fast reader applies */
    struct binance_scale px;
    struct binance_scale qty;
};
_Static_assert(sizeof(struct binance_symbol) == 64, "one cache line");

struct binance_md {
    struct binance_symbol *table; /* open hash, a power of two, at most half full */
    uint32_t mask;
    uint32_t count;
    uint32_t count_max;
};

size_t binance_md_footprint(uint32_t instruments_max);
void binance_md_init(struct binance_md *d, uint32_t instruments_max, struct arena *arena);

/* Add a symbol, or change a known one's slot and decimals. False when the table is full or the symbol is empty or too
 * long. Cold. */
bool binance_md_add(struct binance_md *d, const struct instrument *ins, uint32_t slot);

size_t binance_md_msg_footprint(uint32_t levels_max);
void binance_md_msg_init(struct binance_md_msg *m, uint32_t levels_max, struct arena *arena);

/* Decode one whole text message.
 *
 * buf, len  not NUL-terminated, not kept; may be hostile.
 * out       complete on DECODE_OK (the fields named beside its kind) and on DECODE_IGNORED (kind only). Otherwise only
 *           kind and slot mean anything: what it was and whom it concerned, as far as that could be read (kind
 *           BINANCE_MD_OTHER, slot UINT32_MAX where not), so that the book concerned can be distrusted.
 * Returns   DECODE_OK; DECODE_IGNORED; DECODE_MALFORMED; DECODE_UNKNOWN_SYMBOL; DECODE_PRECISION; DECODE_RANGE. */
enum decode_result binance_md_decode(const struct binance_md *d, const uint8_t *buf, size_t len,
                                     struct binance_md_msg *out);

/* Which streams of a symbol to subscribe. */
enum { BINANCE_STREAM_DEPTH = 1, BINANCE_STREAM_TICKER = 2, BINANCE_STREAM_TRADE = 4 };

/* One SUBSCRIBE message for as many of `symbols` (upper case, as in instruments) as fit.
 *
 * used      how many of the symbols it covers; call again with the rest.
 * Returns   bytes written to buf, 0 when not even one fits. */
size_t binance_md_subscribe(char *buf, size_t room, int64_t request_id, const char *const *symbols, size_t count,
                            unsigned streams, size_t *used);

#endif
