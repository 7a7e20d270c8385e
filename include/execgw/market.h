/* Market data as everybody past the decoders sees it: events, top of book, and what risk may see of both.
 *
 * Written by feed, published in shared memory (broadcast.h), read by clients, the paper matcher and (as md_ref) by
 * risk. Prices and quantities are in the decimals of the instrument's current version.
 *
 * Always true: a book that is not BOOK_LIVE says nothing about prices; every event names the instrument by our id. */
#ifndef EXECGW_MARKET_H
#define EXECGW_MARKET_H

#include "execgw/clock.h"
#include "execgw/instrument.h"

enum side { SIDE_BUY, SIDE_SELL };

enum md_kind {
    MD_TOP,   /* best bid and offer changed */
    MD_LEVEL, /* one price level's absolute quantity; 0 deletes */
    MD_TRADE,
    MD_STATE, /* the book's state changed: see book_state */
    MD_CLEAR  /* every level is gone; a new snapshot follows */
};

/* What a book is worth. Only BOOK_LIVE may be traded on. X(name, metric label, text) */
#define BOOK_STATES(X)                                                                             \
    X(BOOK_EMPTY, "empty", "nothing received yet")                                                 \
    X(BOOK_SYNCING, "syncing", "waiting for the snapshot that joins the stream")                   \
    X(BOOK_LIVE, "live", "in sequence, not crossed")                                               \
    X(BOOK_GAP, "gap", "an update was missed; resync under way")                                   \
    X(BOOK_CROSSED, "crossed", "best bid above best offer; resync under way")                      \
    X(BOOK_SHALLOW, "shallow", "the touch reached the edge of what the snapshot seeded")           \
    X(BOOK_OVERFLOW, "overflow", "more levels than the book has room for")                         \
    X(BOOK_DOWN, "down", "the feed's connection is down")                                          \
    X(BOOK_CHECKSUM, "checksum", "not the book that the venue's checksum is of; resync under way") \
    X(BOOK_REFUSED, "refused", "the venue refuses its subscription; asked for again")              \
    X(BOOK_LOCKED, "locked", "best bid at best offer; resync under way")                           \
    X(BOOK_SILENT, "silent", "its channel says nothing or falls behind while others go on")

enum book_state {
#define X(name, label, text) name,
    BOOK_STATES(X)
#undef X
        BOOK_STATE_COUNT
};

struct md_event {
    uint32_t instrument;
    uint8_t kind;       /* enum md_kind */
    uint8_t side;       /* MD_LEVEL: of the level; MD_TRADE: of the aggressor */
    uint8_t state;      /* enum book_state when this was published */
    uint8_t flags;      /* MD_LAST_OF_MESSAGE: nothing more from this venue message */
    int64_t recv_ns;    /* mono_ns_t.ns of the bytes' receipt */
    uint64_t venue_seq; /* Binance u; 0 where the venue has none */
    union {
        struct {
            px_t bid_px;
            qty_t bid_qty;
            px_t ask_px;
            qty_t ask_qty;
        } top; /* px and qty 0 on an empty side */
        struct {
            px_t px;
            qty_t qty;
            int64_t trade_id;      /* MD_TRADE */
            int64_t venue_time_ns; /* since the Unix epoch; 0 unknown */
        } level;
    };
};
_Static_assert(sizeof(struct md_event) == 56, "with its sequence number one cache line of the broadcast ring");

#define MD_LAST_OF_MESSAGE 1u

/* One seqlocked line of the top-of-book table (broadcast.h holds the lock word). */
struct top_of_book {
    px_t bid_px;
    qty_t bid_qty;
    px_t ask_px;
    qty_t ask_qty;
    int64_t recv_ns; /* mono_ns_t.ns of the last message that confirmed this book, changed or not */
    uint64_t venue_seq;
    uint32_t instrument_version;
    uint8_t state; /* enum book_state */
    uint8_t pad[3];
};
_Static_assert(sizeof(struct top_of_book) == 56, "with its lock word one cache line");

/* One depth level: absolute quantity at a price. */
struct level {
    px_t px;
    qty_t qty;
};

/* The best levels of one book, best first, as one seqlocked record: written some ten times a second when the book has
 * moved, whatever came in between (conflated). With it a reader that joins late or was overtaken knows the levels
 * again: every event up to event_seq is in them, none after. In shared memory there may be more levels behind the head
 * (memory.ladder_levels); struct ladder has the best ones. */
#define LADDER_LEVELS     50
#define LADDER_LEVELS_MAX 2000
struct ladder_head {
    uint64_t event_seq; /* as below */
    uint64_t venue_seq;
    int64_t recv_ns;
    uint32_t instrument_version;
    uint8_t state;
    uint8_t pad[3];
    uint32_t count[2]; /* by enum side */
};

struct ladder {
    uint64_t event_seq; /* of the broadcast ring */
    uint64_t venue_seq; /* Binance u of the last update in it; 0 where the venue has none */
    int64_t recv_ns;    /* as in the top of book that went with it */
    uint32_t instrument_version;
    uint8_t state; /* enum book_state; but BOOK_LIVE: what was there before it went bad */
    uint8_t pad[3];
    uint32_t count[2]; /* by enum side; LADDER_LEVELS: there may be more */
    struct level level[2][LADDER_LEVELS];
};
_Static_assert(sizeof(struct ladder_head) % 8 == 0 && sizeof(struct level) == 16, "whole words");
_Static_assert(offsetof(struct ladder, level) == sizeof(struct ladder_head) &&
                   offsetof(struct ladder, count) == offsetof(struct ladder_head, count),
               "begins with the head");

/* What risk may see of the market for one instrument. Passed by value of pointer; risk never includes feed. */
struct md_ref {
    struct top_of_book tob;  /* now, whatever its state */
    struct top_of_book good; /* as last seen in BOOK_LIVE; recv_ns 0 = never */
    px_t last_px;            /* last trade; 0 = none */
    int64_t last_ns;         /* mono_ns_t.ns of it */
};

#endif
