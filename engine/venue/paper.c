/* The paper venue: its memory and its requests. See paper.h, paper_state.h. */
#include "engine/venue/paper_state.h"

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static uint32_t
order_slots(const struct venue_config *cfg)
{
    return 2 * MAX(cfg->orders_max, 1u);
}

static uint32_t
bucket_count(const struct venue_config *cfg)
{
    uint32_t n = 16;

    while (n < order_slots(cfg))
        n *= 2;
    return n;
}

static uint32_t
trade_slots(const struct venue_config *cfg)
{
    return 1024 + 4 * cfg->orders_max;
}

/* The most that one market event causes (every open order is filled, or expires), and what the callee submits
 * meanwhile; requests that find less than PAPER_REQUEST_REPORTS free are refused. */
static uint32_t
queue_slots(const struct venue_config *cfg)
{
    return 4 * cfg->orders_max + 64;
}

static size_t
paper_footprint(const struct venue_config *cfg)
{
    return arena_cost(sizeof(struct paper)) + arena_cost(cfg->instruments.count * sizeof(struct paper_market)) +
           arena_cost(order_slots(cfg) * sizeof(struct paper_order)) +
           arena_cost(bucket_count(cfg) * sizeof(uint32_t)) +
           arena_cost(trade_slots(cfg) * sizeof(struct paper_trade)) +
           arena_cost(queue_slots(cfg) * sizeof(struct venue_report));
}

/* splitmix64: one seed gives unrelated bases. */
static uint64_t
mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

#define ID_COUNTER_BITS 40 /* of 63: a run has 10^12 ids, a seed 8 million places to start */

static uint64_t
id_base(uint64_t seed)
{
    return (mix(seed) >> (64 - (63 - ID_COUNTER_BITS))) << ID_COUNTER_BITS;
}

static struct venue_adapter *
paper_init(const struct venue_config *cfg, struct arena *arena, struct fault *fault)
{
    if (cfg->orders_max < 1 || cfg->orders_max > 1u << 20) {
        (void)FAULT(fault, "venue paper: orders_max = %u, expected 1 to %u", cfg->orders_max, 1u << 20);
        return NULL;
    }
    struct paper *p = arena_take(arena, sizeof(*p));
    p->cfg = *cfg;
    p->market = arena_take(arena, cfg->instruments.count * sizeof(struct paper_market));
    p->order_slots = order_slots(cfg);
    p->order = arena_take(arena, p->order_slots * sizeof(struct paper_order));
    p->bucket_mask = bucket_count(cfg) - 1;
    p->bucket = arena_take(arena, (p->bucket_mask + 1) * sizeof(uint32_t));
    p->trade_slots = trade_slots(cfg);
    p->trade = arena_take(arena, p->trade_slots * sizeof(struct paper_trade));
    p->queue_slots = queue_slots(cfg);
    p->queue = arena_take(arena, p->queue_slots * sizeof(struct venue_report));
    for (uint32_t i = 0; i < cfg->instruments.count; i++)
        p->market[i].best[SIDE_BUY] = p->market[i].best[SIDE_SELL] = PAPER_NONE;
    memset(p->bucket, 0xff, (p->bucket_mask + 1) * sizeof(uint32_t));
    for (uint32_t i = 0; i < p->order_slots; i++) {
        p->order[i].prev = i == 0 ? PAPER_NONE : i - 1;
        p->order[i].next = i + 1 == p->order_slots ? PAPER_NONE : i + 1;
    }
    p->done_oldest = 0;
    p->done_newest = p->order_slots - 1;
    p->order_id_base = id_base(cfg->seed);
    p->trade_id_base = (int64_t)id_base(cfg->seed ^ UINT64_C(0x7472616465)); /* "trade" */
    return (struct venue_adapter *)(void *)p;
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

static bool
supported(const struct venue_order *o)
{
    bool post_only = (o->flags & COMMAND_POST_ONLY) != 0;

    if (o->qty <= 0 || o->side > SIDE_SELL || o->instrument->kind == INSTRUMENT_INVERSE || o->clordid[0] == '\0')
        return false;
    if (o->type == ORDER_MARKET)
        return !post_only;
    if (o->type != ORDER_LIMIT || o->px <= 0 || o->tif > TIF_FOK)
        return false;
    return !post_only || o->tif == TIF_GTC;
}

/* Take what the touch still has. Returns with the order's fills reported. */
static void
take_touch(const struct paper_turn *t, struct paper_order *o, bool whole_only)
{
    struct paper_quote *q = &t->p->market[o->instrument].quote[paper_opposite(o->side)];
    qty_t qty = MIN(o->qty, paper_quote_left(q));

    if (qty == 0 || (whole_only && qty < o->qty))
        return;
    q->taken += qty;
    paper_fill(t, o, q->px, qty, false);
}

static void
place(const struct paper_turn *t, const struct venue_order *rq)
{
    struct paper *p = t->p;
    struct paper_market *m = &p->market[rq->instrument->id];
    bool market_order = rq->type == ORDER_MARKET;
    bool crossing = market_order ? m->live : paper_crosses(m, rq->side, rq->px);

    if (paper_order_find(p, rq->clordid) != NULL) { /* an id is never used twice: this is the first order's */
        paper_report_plain(t, VENUE_UNKNOWN, rq, PAPER_REJECTED, "Duplicate order sent.");
        return;
    }
    if (p->open_count >= p->cfg.orders_max) {
        paper_report_plain(t, VENUE_REJECTED, rq, PAPER_TOO_MANY_ORDERS, "the paper venue holds no more open orders");
        return;
    }
    if (crossing && (rq->flags & COMMAND_POST_ONLY) != 0) {
        paper_report_plain(t, VENUE_REJECTED, rq, PAPER_REJECTED, "Order would immediately match and take.");
        return;
    }
    struct paper_order *o = paper_slot_take(p, rq->clordid);
    o->state = ORDER_NEW;
    o->side = rq->side;
    o->px_decimals = rq->instrument->px_decimals;
    o->qty_decimals = rq->instrument->qty_decimals;
    o->instrument = rq->instrument->id;
    o->venue_order_id = p->order_id_base + ++p->order_count;
    o->px = market_order ? 0 : rq->px;
    o->qty = rq->qty;
    o->venue_time_ns = t->venue_time_ns;
    struct venue_report ack = paper_report_on(t, VENUE_NEW_ACK, o);
    paper_report(t, &ack);
    if (crossing)
        take_touch(t, o, !market_order && rq->tif == TIF_FOK);
    if (o->state == ORDER_FILLED) {
        paper_slot_done(p, o);
    } else if (market_order || rq->tif != TIF_GTC) {
        paper_expire(t, o, "");
        paper_slot_done(p, o);
    } else {
        o->ahead = paper_queue_ahead(m, o->side, o->px);
        paper_book_insert(p, o);
    }
}

static bool
cancel(const struct paper_turn *t, const struct venue_order *rq)
{
    struct paper_order *o = paper_order_find(t->p, rq->clordid);

    if (o == NULL || !paper_order_open(o)) {
        paper_report_plain(t, VENUE_CANCEL_REJECTED, rq, PAPER_CANCEL_REJECTED, "Unknown order sent.");
        return false;
    }
    paper_book_remove(t->p, o);
    o->state = ORDER_CANCELED;
    o->venue_time_ns = t->venue_time_ns;
    struct venue_report r = paper_report_on(t, VENUE_CANCELED, o);
    paper_report(t, &r);
    paper_slot_done(t->p, o);
    return true;
}

/* Both or none: a target with a fill stays, and nothing is placed on top of it. */
static void
replace(const struct paper_turn *t, const struct venue_order *target, const struct venue_order *rq)
{
    const struct paper_order *o = paper_order_find(t->p, target->clordid);
    bool touched = o != NULL && paper_order_open(o) && o->cum_qty > 0;

    if (touched)
        paper_report_plain(t, VENUE_CANCEL_REJECTED, target, PAPER_CANCEL_REJECTED, "not canceled: it has a fill");
    if (!touched && cancel(t, target))
        place(t, rq);
    else
        paper_report_plain(t, VENUE_REJECTED, rq, PAPER_NOT_ATTEMPTED, "the cancel failed: not attempted");
}

static void
query(const struct paper_turn *t, const struct venue_order *rq)
{
    struct paper_order *o = paper_order_find(t->p, rq->clordid);

    if (o == NULL && rq->venue_order_id != 0) { /* it lived in the memory of a process that is gone */
        struct venue_report r = { .kind = VENUE_STATUS,
                                  .request = VENUE_RQ_QUERY,
                                  .state = ORDER_EXPIRED,
                                  .side = rq->side,
                                  .instrument = rq->instrument->id,
                                  .venue_order_id = rq->venue_order_id,
                                  .trade_id = -1,
                                  .px = rq->px,
                                  .qty = rq->qty,
                                  .venue_time_ns = t->venue_time_ns };
        memcpy(r.clordid, rq->clordid, CLORDID_BYTES);
        (void)snprintf(r.text, sizeof(r.text), "the paper market was started again");
        paper_report(t, &r);
        return;
    }
    if (o == NULL) {
        paper_report_plain(t, VENUE_NOT_FOUND, rq, PAPER_NO_SUCH_ORDER, "Order does not exist.");
        return;
    }
    struct venue_report r = paper_report_on(t, VENUE_STATUS, o);
    paper_report(t, &r);
}

static void
trades(const struct paper_turn *t, const struct venue_order *rq, int64_t since_ns)
{
    const struct paper *p = t->p;
    uint64_t first = p->trade_count > p->trade_slots ? p->trade_count - p->trade_slots : 0;
    uint64_t by_order = rq->venue_order_id;

    for (uint64_t i = first, last = p->trade_count; i < last; i++) {
        const struct paper_trade *tr = &p->trade[i % p->trade_slots];
        if (by_order != 0 ? tr->venue_order_id != by_order
                          : tr->instrument != rq->instrument->id || tr->venue_time_ns < since_ns)
            continue;
        struct venue_report r = paper_trade_report(t, tr, NULL);
        if (!paper_report_listed(t, &r)) {
            paper_report_plain(t, VENUE_QUERY_FAILED, rq, 0, "too many trades to list now");
            return;
        }
    }
    paper_report_plain(t, VENUE_TRADES_END, rq, 0, "");
}

static void
open_orders(const struct paper_turn *t)
{
    for (uint32_t i = 0; i < t->p->order_slots; i++) {
        if (!paper_order_open(&t->p->order[i]))
            continue;
        struct venue_report r = paper_report_on(t, VENUE_OPEN_ORDER, &t->p->order[i]);
        if (!paper_report_listed(t, &r)) {
            paper_report_plain(t, VENUE_QUERY_FAILED, NULL, 0, "too many open orders to list now");
            return;
        }
    }
    paper_report_plain(t, VENUE_OPEN_ORDERS_END, NULL, 0, "");
}

/* False: not of an instrument that this venue knows, or not an order it takes. */
static bool
order_valid(const struct paper *p, const struct venue_order *o, bool is_new)
{
    uint32_t id = o->instrument->id;

    if (id >= p->cfg.instruments.count || p->cfg.instruments.table[id].version == 0)
        return false;
    return !is_new || supported(o);
}

/* The order of a request that must name one. */
static const struct venue_order *
named(const struct venue_order *o)
{
    ASSERT(o != NULL);
    return o;
}

static int
paper_submit(struct venue_adapter *a, const struct venue_request *rq, struct now now, int64_t clock_offset_ns,
             uint8_t *buf, size_t room, const struct venue_sink *sink)
{
    struct paper *p = (struct paper *)(void *)a;
    struct paper_turn t = { p, sink, now.wall.ns + clock_offset_ns, rq->kind };

    (void)buf;
    (void)room;
    if (unlikely(p->queue_slots - p->queue_count < PAPER_REQUEST_REPORTS + p->cfg.orders_max))
        return -1; /* a request's own reports, and the orders that a new instrument version ends */
    if (rq->order != NULL) {
        bool is_new = rq->kind == VENUE_RQ_NEW || rq->kind == VENUE_RQ_REPLACE;
        if (!order_valid(p, rq->order, is_new) ||
            (rq->kind == VENUE_RQ_REPLACE && rq->target->instrument->id != rq->order->instrument->id))
            return -1;
        if (unlikely(p->market[rq->order->instrument->id].redefined))
            paper_market_redefine(&t, rq->order->instrument->id);
    }
    switch (rq->kind) {
    case VENUE_RQ_TIME: paper_report_plain(&t, VENUE_TIME, NULL, 0, ""); break;
    case VENUE_RQ_LOGON: paper_report_plain(&t, VENUE_LOGGED_ON, NULL, 0, ""); break;
    case VENUE_RQ_STREAM: paper_report_plain(&t, VENUE_STREAM_UP, NULL, 0, ""); break;
    case VENUE_RQ_NEW: place(&t, named(rq->order)); break;
    case VENUE_RQ_CANCEL: (void)cancel(&t, named(rq->order)); break;
    case VENUE_RQ_REPLACE: replace(&t, named(rq->target), named(rq->order)); break;
    case VENUE_RQ_QUERY: query(&t, named(rq->order)); break;
    case VENUE_RQ_TRADES: trades(&t, named(rq->order), rq->since_ns); break;
    case VENUE_RQ_OPEN_ORDERS: open_orders(&t); break;
    default: break;
    }
    paper_deliver(&t);
    return 0;
}

static void
paper_on_disconnected(struct venue_adapter *a)
{
    (void)a;
}

static void
paper_on_instrument(struct venue_adapter *a, const struct instrument *ins)
{
    struct paper *p = (struct paper *)(void *)a;

    ASSERT(ins->id < p->cfg.instruments.count);
    p->market[ins->id].redefined = true;
}

static enum decode_result
paper_decode(struct venue_adapter *a, const uint8_t *msg, size_t len, struct now now, const struct venue_sink *sink)
{
    (void)a;
    (void)msg;
    (void)len;
    (void)now;
    (void)sink;
    return DECODE_IGNORED;
}

const struct venue_ops venue_paper = {
    .dialect = "paper",
    .needs_connection = false,
    .footprint = paper_footprint,
    .init = paper_init,
    .on_disconnected = paper_on_disconnected,
    .on_instrument = paper_on_instrument,
    .submit = paper_submit,
    .decode = paper_decode,
    .on_market = paper_on_market,
};
