/* The paper venue's state, and what its files share.
 *
 *     paper.c         the interface (venue.h): memory, requests
 *     paper_book.c    orders: slots by ClOrdID, in their side of the book while open
 *     paper_match.c   the market: what fills them; the queue of reports
 *
 * Always true: a slot is open and in its book, or in the list of the others, oldest first; taken <= what a touch has
 * shown since it has its price; reports wait in the queue until every list is in order, because the callee may submit.
 * Private to engine/venue/paper*.c. */
#ifndef EXECGW_ENGINE_VENUE_PAPER_STATE_H
#define EXECGW_ENGINE_VENUE_PAPER_STATE_H

#include "engine/venue/paper.h"

#define PAPER_NONE UINT32_MAX
#define PAPER_AHEAD_UNKNOWN \
    INT64_MAX /* rests behind the touch: what stands before it shows when the touch gets there */

struct paper_order {
    char clordid[CLORDID_BYTES];
    uint8_t state; /* enum order_state */
    uint8_t side;
    uint8_t px_decimals;
    uint8_t qty_decimals;
    uint32_t instrument;
    uint32_t hash_next;
    uint32_t prev; /* in its side of the book while open, else in the list of finished or free slots */
    uint32_t next;
    uint64_t venue_order_id;
    px_t px;
    qty_t qty;
    qty_t cum_qty;
    qty_t ahead; /* displayed at its price before it; PAPER_AHEAD_UNKNOWN */
    int64_t venue_time_ns;
};

struct paper_trade {
    char clordid[CLORDID_BYTES];
    uint32_t instrument;
    uint8_t side;
    uint8_t maker;
    uint64_t venue_order_id;
    int64_t trade_id;
    px_t px;
    qty_t qty;
    value_t fee;
    int64_t venue_time_ns;
};

/* One side of the touch, and how much of it our orders have taken since it has this price. */
struct paper_quote {
    px_t px; /* 0 = empty */
    qty_t qty;
    qty_t taken;
};

struct paper_market {
    struct paper_quote quote[2]; /* by enum side: bid, ask */
    uint32_t best[2];            /* our open orders, best price first, then oldest first */
    bool live;
    bool redefined; /* a new version came: orders in other decimals must go */
};

struct paper {
    struct venue_config cfg;
    struct paper_market *market; /* by instrument id */
    struct paper_order *order;
    uint32_t *bucket;
    struct paper_trade *trade; /* ring */
    uint32_t order_slots;
    uint32_t bucket_mask;
    uint32_t trade_slots;
    uint32_t open_count;
    uint32_t done_oldest; /* list of slots that are not open, oldest first */
    uint32_t done_newest;
    struct venue_report *queue; /* ring: reports wait here until the books are consistent */
    uint32_t queue_slots;
    uint32_t queue_head;
    uint32_t queue_count;
    bool delivering;
    uint64_t trade_count;
    uint64_t order_id_base;
    uint64_t order_count;
    int64_t trade_id_base;
};

/* The arguments that every step passes on. */
struct paper_turn {
    struct paper *p;
    const struct venue_sink *sink;
    int64_t venue_time_ns;
    enum venue_request_kind request; /* VENUE_RQ_COUNT: the market did it */
};

/* What a request's own reports need at most. */
#define PAPER_REQUEST_REPORTS 8u

/* ---- paper_book.c ------------------------------------------------------------------------------------------------ */

/* NULL when there is none of that name. */
struct paper_order *paper_order_find(struct paper *p, const char *clordid);

/* A free slot under that name: the one that has been finished for longest; its order is forgotten. */
struct paper_order *paper_slot_take(struct paper *p, const char *clordid);

/* It is over, and kept for questions. It is in no book. */
void paper_slot_done(struct paper *p, struct paper_order *o);

void paper_book_insert(struct paper *p, struct paper_order *o);
void paper_book_remove(struct paper *p, struct paper_order *o);

static inline bool
paper_order_open(const struct paper_order *o)
{
    return o->state == ORDER_NEW || o->state == ORDER_PARTIALLY_FILLED;
}

static inline bool
paper_px_better(uint8_t side, px_t a, px_t b)
{
    return side == SIDE_BUY ? a > b : a < b;
}

static inline uint8_t
paper_opposite(uint8_t side)
{
    return side == SIDE_BUY ? SIDE_SELL : SIDE_BUY;
}

/* ---- paper_match.c ----------------------------------------------------------------------------------------------- */

/* A report about an order, to be filled up and queued. */
struct venue_report paper_report_on(const struct paper_turn *t, enum venue_report_kind kind,
                                    const struct paper_order *o);

/* Of a fill; o NULL: the order is not at hand. */
struct venue_report paper_trade_report(const struct paper_turn *t, const struct paper_trade *tr,
                                       const struct paper_order *o);

/* Queue a report; there is room. */
void paper_report(const struct paper_turn *t, const struct venue_report *r);

/* Hands out what is queued, and what that leads to. Called at the end of every entry; not while it runs already. */
void paper_deliver(const struct paper_turn *t);

/* For lists of any length: makes room by delivering first. Inside a delivery the list must fit what is left. */
bool paper_report_listed(const struct paper_turn *t, const struct venue_report *r);

/* About an order that is not in the table, or about the session (o NULL). */
void paper_report_plain(const struct paper_turn *t, enum venue_report_kind kind, const struct venue_order *o,
                        int32_t code, const char *text);

/* One fill of an order that may or may not rest yet. */
void paper_fill(const struct paper_turn *t, struct paper_order *o, px_t px, qty_t qty, bool maker);
void paper_expire(const struct paper_turn *t, struct paper_order *o, const char *text);

/* Would trade at once with the touch: at its price or through it. */
bool paper_crosses(const struct paper_market *m, uint8_t side, px_t px);

/* What stands before a new resting order, as far as the touch tells. */
qty_t paper_queue_ahead(const struct paper_market *m, uint8_t side, px_t px);

/* Of the displayed quantity, what our orders have not taken. */
static inline qty_t
paper_quote_left(const struct paper_quote *q)
{
    return q->px == 0 || q->taken >= q->qty ? 0 : q->qty - q->taken;
}

/* After a new version with other decimals: counts of the old ones mean nothing against the new book. */
void paper_market_redefine(const struct paper_turn *t, uint32_t instrument);

void paper_on_market(struct venue_adapter *a, const struct md_event *ev, struct now now, const struct venue_sink *sink);

#endif
