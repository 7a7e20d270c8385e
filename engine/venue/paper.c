#include "engine/venue/paper.h"

#define NONE          UINT32_MAX
#define AHEAD_UNKNOWN INT64_MAX /* rests behind the touch: what stands before it shows when the touch gets there */

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
    qty_t ahead; /* displayed at its price before it; AHEAD_UNKNOWN */
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
struct turn {
    struct paper *p;
    const struct venue_sink *sink;
    int64_t venue_time_ns;
    enum venue_request_kind request; /* VENUE_RQ_COUNT: the market did it */
};

/* ---- memory ---- */

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
 * meanwhile; requests that find less than REQUEST_REPORTS free are refused. */
#define REQUEST_REPORTS 8u

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
        p->market[i].best[SIDE_BUY] = p->market[i].best[SIDE_SELL] = NONE;
    memset(p->bucket, 0xff, (p->bucket_mask + 1) * sizeof(uint32_t));
    for (uint32_t i = 0; i < p->order_slots; i++) {
        p->order[i].prev = i == 0 ? NONE : i - 1;
        p->order[i].next = i + 1 == p->order_slots ? NONE : i + 1;
    }
    p->done_oldest = 0;
    p->done_newest = p->order_slots - 1;
    p->order_id_base = id_base(cfg->seed);
    p->trade_id_base = (int64_t)id_base(cfg->seed ^ UINT64_C(0x7472616465)); /* "trade" */
    return (struct venue_adapter *)(void *)p;
}

/* ---- slots: by ClOrdID, open in their book, or finished ---- */

static uint32_t *
bucket_of(struct paper *p, const char *clordid)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < CLORDID_BYTES && clordid[i] != '\0'; i++)
        h = (h ^ (uint8_t)clordid[i]) * 16777619u;
    return &p->bucket[(h ^ (h >> 15)) & p->bucket_mask];
}

static struct paper_order *
order_find(struct paper *p, const char *clordid)
{
    for (uint32_t i = *bucket_of(p, clordid); i != NONE; i = p->order[i].hash_next) {
        if (strncmp(p->order[i].clordid, clordid, CLORDID_BYTES) == 0)
            return &p->order[i];
    }
    return NULL;
}

static bool
order_open(const struct paper_order *o)
{
    return o->state == ORDER_NEW || o->state == ORDER_PARTIALLY_FILLED;
}

static void
hash_remove(struct paper *p, uint32_t slot)
{
    uint32_t *at = bucket_of(p, p->order[slot].clordid);

    for (uint32_t n = 0; *at != slot; at = &p->order[*at].hash_next)
        ASSERT(n++ < p->order_slots && *at != NONE);
    *at = p->order[slot].hash_next;
}

/* The slot that has been finished for longest; its order is forgotten. */
static struct paper_order *
slot_take(struct paper *p)
{
    uint32_t slot = p->done_oldest;
    struct paper_order *o = &p->order[slot];

    ASSERT(slot != NONE && !order_open(o));
    p->done_oldest = o->next;
    if (o->next == NONE)
        p->done_newest = NONE;
    else
        p->order[o->next].prev = NONE;
    if (o->state != ORDER_FREE)
        hash_remove(p, slot);
    *o = (struct paper_order){ .prev = NONE, .next = NONE };
    return o;
}

static void
slot_done(struct paper *p, struct paper_order *o)
{
    uint32_t slot = (uint32_t)(o - p->order);

    o->next = NONE;
    o->prev = p->done_newest;
    if (p->done_newest == NONE)
        p->done_oldest = slot;
    else
        p->order[p->done_newest].next = slot;
    p->done_newest = slot;
}

static bool
px_better(uint8_t side, px_t a, px_t b)
{
    return side == SIDE_BUY ? a > b : a < b;
}

static void
book_insert(struct paper *p, struct paper_order *o)
{
    struct paper_market *m = &p->market[o->instrument];
    uint32_t slot = (uint32_t)(o - p->order);
    uint32_t before = NONE;
    uint32_t at = m->best[o->side];

    while (at != NONE && !px_better(o->side, o->px, p->order[at].px)) {
        before = at;
        at = p->order[at].next;
    }
    o->prev = before;
    o->next = at;
    if (before == NONE)
        m->best[o->side] = slot;
    else
        p->order[before].next = slot;
    if (at != NONE)
        p->order[at].prev = slot;
    p->open_count++;
}

static void
book_remove(struct paper *p, struct paper_order *o)
{
    if (o->prev == NONE)
        p->market[o->instrument].best[o->side] = o->next;
    else
        p->order[o->prev].next = o->next;
    if (o->next != NONE)
        p->order[o->next].prev = o->prev;
    p->open_count--;
}

/* ---- reports ---- */

static struct venue_report
report_on(const struct turn *t, enum venue_report_kind kind, const struct paper_order *o)
{
    struct venue_report r = { .kind = (uint8_t)kind,
                              .request = (uint8_t)t->request,
                              .state = o->state,
                              .side = o->side,
                              .instrument = o->instrument,
                              .venue_order_id = o->venue_order_id,
                              .trade_id = -1,
                              .px = o->px,
                              .qty = o->qty,
                              .cum_qty = o->cum_qty,
                              .venue_time_ns = o->venue_time_ns };

    memcpy(r.clordid, o->clordid, CLORDID_BYTES);
    return r;
}

/* Queued: the callee may submit, so it is called only when every list is in order. */
static void
report(const struct turn *t, const struct venue_report *r)
{
    struct paper *p = t->p;

    ASSERT(p->queue_count < p->queue_slots);
    p->queue[(p->queue_head + p->queue_count++) % p->queue_slots] = *r;
}

/* Hands out what is queued, and what that leads to. Called at the end of every entry; not while it runs already. */
static void
deliver(const struct turn *t)
{
    struct paper *p = t->p;

    if (p->delivering)
        return;
    p->delivering = true;
    while (p->queue_count > 0) {
        struct venue_report r = p->queue[p->queue_head];
        p->queue_head = (p->queue_head + 1) % p->queue_slots;
        p->queue_count--;
        t->sink->report(t->sink->ctx, &r);
    }
    p->delivering = false;
}

/* For lists of any length: makes room by delivering first. Inside a delivery the list must fit what is left. */
static bool
report_listed(const struct turn *t, const struct venue_report *r)
{
    if (t->p->queue_count + REQUEST_REPORTS >= t->p->queue_slots)
        deliver(t);
    if (t->p->queue_count + REQUEST_REPORTS >= t->p->queue_slots)
        return false;
    report(t, r);
    return true;
}

/* About an order that is not in the table, or about the session. */
static void
report_plain(const struct turn *t, enum venue_report_kind kind, const struct venue_order *o, int32_t code,
             const char *text)
{
    struct venue_report r = { .kind = (uint8_t)kind,
                              .request = (uint8_t)t->request,
                              .instrument = INSTRUMENT_NONE,
                              .code = code,
                              .trade_id = -1,
                              .venue_time_ns = t->venue_time_ns };

    if (o != NULL) {
        memcpy(r.clordid, o->clordid, CLORDID_BYTES);
        r.instrument = o->instrument->id;
    }
    (void)snprintf(r.text, sizeof(r.text), "%s", text);
    report(t, &r);
}

/* ---- matching ---- */

static value_t
fee_of(const struct paper *p, const struct instrument *ins, px_t px, qty_t qty, bool maker)
{
    unsigned __int128 notional =
        (unsigned __int128)notional_ceil(px, qty, ins->px_decimals, ins->qty_decimals, ins->multiplier);
    unsigned __int128 fee = (notional * (maker ? p->cfg.maker_fee_ppm : p->cfg.taker_fee_ppm) + 999999) / 1000000;

    return fee > INT64_MAX ? INT64_MAX : (value_t)fee;
}

static struct venue_report
trade_report(const struct turn *t, const struct paper_trade *tr, const struct paper_order *o)
{
    const struct instrument *ins = &t->p->cfg.instruments.table[tr->instrument];
    struct venue_report r = { .kind = VENUE_FILL,
                              .request = (uint8_t)t->request,
                              .side = tr->side,
                              .maker = tr->maker,
                              .instrument = tr->instrument,
                              .venue_order_id = tr->venue_order_id,
                              .trade_id = tr->trade_id,
                              .last_px = tr->px,
                              .last_qty = tr->qty,
                              .fee = tr->fee,
                              .venue_time_ns = tr->venue_time_ns };

    memcpy(r.clordid, tr->clordid, CLORDID_BYTES);
    memcpy(r.fee_ccy, ins->kind == INSTRUMENT_SPOT ? ins->quote : ins->settle, CURRENCY_BYTES);
    if (o != NULL) {
        r.state = o->state;
        r.px = o->px;
        r.qty = o->qty;
        r.cum_qty = o->cum_qty;
    }
    return r;
}

/* One fill of an order that may or may not rest yet. */
static void
fill(const struct turn *t, struct paper_order *o, px_t px, qty_t qty, bool maker)
{
    struct paper *p = t->p;
    struct paper_trade *tr = &p->trade[p->trade_count % p->trade_slots];

    ASSERT(qty > 0 && qty <= o->qty - o->cum_qty);
    o->cum_qty += qty;
    o->state = o->cum_qty == o->qty ? ORDER_FILLED : ORDER_PARTIALLY_FILLED;
    o->venue_time_ns = t->venue_time_ns;
    *tr = (struct paper_trade){ .instrument = o->instrument,
                                .side = o->side,
                                .maker = maker,
                                .venue_order_id = o->venue_order_id,
                                .trade_id = p->trade_id_base + (int64_t)++p->trade_count,
                                .px = px,
                                .qty = qty,
                                .fee = fee_of(p, &p->cfg.instruments.table[o->instrument], px, qty, maker),
                                .venue_time_ns = t->venue_time_ns };
    memcpy(tr->clordid, o->clordid, CLORDID_BYTES);
    struct venue_report r = trade_report(t, tr, o);
    report(t, &r);
}

/* A fill of a resting order; takes it off the book when it is done. */
static void
fill_resting(const struct turn *t, struct paper_order *o, qty_t qty)
{
    fill(t, o, o->px, qty, true);
    if (o->state == ORDER_FILLED) {
        book_remove(t->p, o);
        slot_done(t->p, o);
    }
}

static qty_t
quote_left(const struct paper_quote *q)
{
    return q->px == 0 || q->taken >= q->qty ? 0 : q->qty - q->taken;
}

static uint8_t
opposite(uint8_t side)
{
    return side == SIDE_BUY ? SIDE_SELL : SIDE_BUY;
}

/* Would trade at once with the touch: at its price or through it. */
static bool
crosses(const struct paper_market *m, uint8_t side, px_t px)
{
    const struct paper_quote *q = &m->quote[opposite(side)];

    return m->live && q->px != 0 && !px_better(side, q->px, px);
}

/* What stands before a new resting order, as far as the touch tells. */
static qty_t
queue_ahead(const struct paper_market *m, uint8_t side, px_t px)
{
    const struct paper_quote *q = &m->quote[side];

    if (!m->live)
        return AHEAD_UNKNOWN;
    if (q->px == 0 || px_better(side, px, q->px))
        return 0;
    return px == q->px ? q->qty : AHEAD_UNKNOWN;
}

static void
expire(const struct turn *t, struct paper_order *o, const char *text)
{
    o->state = ORDER_EXPIRED;
    o->venue_time_ns = t->venue_time_ns;
    struct venue_report r = report_on(t, VENUE_EXPIRED, o);
    (void)snprintf(r.text, sizeof(r.text), "%s", text);
    report(t, &r);
}

/* After a new version with other decimals: counts of the old ones mean nothing against the new book. */
static COLD void
market_redefine(const struct turn *t, uint32_t instrument)
{
    struct paper_market *m = &t->p->market[instrument];
    const struct instrument *ins = &t->p->cfg.instruments.table[instrument];

    m->redefined = false;
    for (unsigned side = SIDE_BUY; side <= SIDE_SELL; side++) {
        m->quote[side] = (struct paper_quote){ 0 };
        for (uint32_t i = m->best[side]; i != NONE;) {
            struct paper_order *o = &t->p->order[i];
            i = o->next;
            if (o->px_decimals == ins->px_decimals && o->qty_decimals == ins->qty_decimals)
                continue;
            book_remove(t->p, o);
            expire(t, o, "the instrument's decimals changed");
            slot_done(t->p, o);
        }
    }
    m->live = false;
}

/* The queue before our orders is never longer than what is displayed at their price, and nothing is before those that
 * are better than the touch. */
static void
queue_shrink(struct paper *p, const struct paper_market *m, uint8_t side)
{
    const struct paper_quote *q = &m->quote[side];

    for (uint32_t i = m->best[side]; i != NONE; i = p->order[i].next) {
        struct paper_order *o = &p->order[i];
        if (q->px == 0 || px_better(side, o->px, q->px))
            o->ahead = 0;
        else if (o->px == q->px)
            o->ahead = MIN(o->ahead, q->qty);
        else
            break;
    }
}

static void
quote_set(struct paper_quote *q, px_t px, qty_t qty)
{
    if (q->px != px)
        q->taken = 0;
    q->px = px;
    q->qty = qty;
}

static void
on_top(const struct turn *t, struct paper_market *m, const struct md_event *ev)
{
    struct paper *p = t->p;

    quote_set(&m->quote[SIDE_BUY], ev->top.bid_px, ev->top.bid_qty);
    quote_set(&m->quote[SIDE_SELL], ev->top.ask_px, ev->top.ask_qty);
    m->live = true;
    for (unsigned n = SIDE_BUY; n <= SIDE_SELL; n++) {
        uint8_t side = (uint8_t)n;
        struct paper_quote *q = &m->quote[opposite(side)];
        queue_shrink(p, m, side);
        for (uint32_t i = m->best[side]; i != NONE && quote_left(q) > 0;) {
            struct paper_order *o = &p->order[i];
            i = o->next;
            if (!crosses(m, side, o->px))
                break;
            qty_t qty = MIN(o->qty - o->cum_qty, quote_left(q));
            q->taken += qty;
            fill_resting(t, o, qty);
        }
    }
}

/* A trade of `traded` at ev's price: our better orders would have met it first, those at its price after the queue
 * that was there before them. Together they get no more than was traded. */
static void
on_trade(const struct turn *t, struct paper_market *m, const struct md_event *ev)
{
    struct paper *p = t->p;
    uint8_t side = opposite(ev->side);
    qty_t traded = ev->level.qty;
    qty_t used = 0;

    for (uint32_t i = m->best[side]; i != NONE;) {
        struct paper_order *o = &p->order[i];
        i = o->next;
        qty_t left = traded - used;
        if (o->px == ev->level.px) {
            if (o->ahead == AHEAD_UNKNOWN && m->quote[side].px == o->px)
                o->ahead = m->quote[side].qty;
            if (o->ahead == AHEAD_UNKNOWN)
                break; /* nor is it known for those behind it at this price */
            left -= MIN(o->ahead, left);
            o->ahead -= MIN(o->ahead, traded);
        } else if (!px_better(side, o->px, ev->level.px)) {
            break;
        }
        qty_t qty = MIN(o->qty - o->cum_qty, left);
        if (qty <= 0)
            continue;
        used += qty;
        fill_resting(t, o, qty);
    }
}

static void
paper_on_market(struct venue_adapter *a, const struct md_event *ev, struct now now, const struct venue_sink *sink)
{
    struct paper *p = (struct paper *)(void *)a;
    struct turn t = { p, sink, now.wall.ns, VENUE_RQ_COUNT };

    ASSERT(!p->delivering);
    if (unlikely(ev->instrument >= p->cfg.instruments.count))
        return;
    struct paper_market *m = &p->market[ev->instrument];
    if (unlikely(m->redefined))
        market_redefine(&t, ev->instrument);
    if (unlikely(ev->state != BOOK_LIVE))
        m->live = false;
    else if (ev->kind == MD_TOP)
        on_top(&t, m, ev);
    else if (ev->kind == MD_TRADE && ev->level.qty > 0)
        on_trade(&t, m, ev);
    deliver(&t);
}

/* ---- requests ---- */

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
take_touch(const struct turn *t, struct paper_order *o, bool whole_only)
{
    struct paper_quote *q = &t->p->market[o->instrument].quote[opposite(o->side)];
    qty_t qty = MIN(o->qty, quote_left(q));

    if (qty == 0 || (whole_only && qty < o->qty))
        return;
    q->taken += qty;
    fill(t, o, q->px, qty, false);
}

static void
place(const struct turn *t, const struct venue_order *rq)
{
    struct paper *p = t->p;
    struct paper_market *m = &p->market[rq->instrument->id];
    bool market_order = rq->type == ORDER_MARKET;
    bool crossing = market_order ? m->live : crosses(m, rq->side, rq->px);

    if (order_find(p, rq->clordid) != NULL) { /* an id is never used twice: this is the first order's */
        report_plain(t, VENUE_UNKNOWN, rq, PAPER_REJECTED, "Duplicate order sent.");
        return;
    }
    if (p->open_count >= p->cfg.orders_max) {
        report_plain(t, VENUE_REJECTED, rq, PAPER_TOO_MANY_ORDERS, "the paper venue holds no more open orders");
        return;
    }
    if (crossing && (rq->flags & COMMAND_POST_ONLY) != 0) {
        report_plain(t, VENUE_REJECTED, rq, PAPER_REJECTED, "Order would immediately match and take.");
        return;
    }
    struct paper_order *o = slot_take(p);
    *o = (struct paper_order){ .state = ORDER_NEW,
                               .side = rq->side,
                               .px_decimals = rq->instrument->px_decimals,
                               .qty_decimals = rq->instrument->qty_decimals,
                               .instrument = rq->instrument->id,
                               .prev = NONE,
                               .next = NONE,
                               .venue_order_id = p->order_id_base + ++p->order_count,
                               .px = market_order ? 0 : rq->px,
                               .qty = rq->qty,
                               .venue_time_ns = t->venue_time_ns };
    memcpy(o->clordid, rq->clordid, CLORDID_BYTES);
    uint32_t *bucket = bucket_of(p, o->clordid);
    o->hash_next = *bucket;
    *bucket = (uint32_t)(o - p->order);
    struct venue_report ack = report_on(t, VENUE_NEW_ACK, o);
    report(t, &ack);
    if (crossing)
        take_touch(t, o, !market_order && rq->tif == TIF_FOK);
    if (o->state == ORDER_FILLED) {
        slot_done(p, o);
    } else if (market_order || rq->tif != TIF_GTC) {
        expire(t, o, "");
        slot_done(p, o);
    } else {
        o->ahead = queue_ahead(m, o->side, o->px);
        book_insert(p, o);
    }
}

static bool
cancel(const struct turn *t, const struct venue_order *rq)
{
    struct paper_order *o = order_find(t->p, rq->clordid);

    if (o == NULL || !order_open(o)) {
        report_plain(t, VENUE_CANCEL_REJECTED, rq, PAPER_CANCEL_REJECTED, "Unknown order sent.");
        return false;
    }
    book_remove(t->p, o);
    o->state = ORDER_CANCELED;
    o->venue_time_ns = t->venue_time_ns;
    struct venue_report r = report_on(t, VENUE_CANCELED, o);
    report(t, &r);
    slot_done(t->p, o);
    return true;
}

/* Both or none: a target with a fill stays, and nothing is placed on top of it. */
static void
replace(const struct turn *t, const struct venue_order *target, const struct venue_order *rq)
{
    const struct paper_order *o = order_find(t->p, target->clordid);
    bool touched = o != NULL && order_open(o) && o->cum_qty > 0;

    if (touched)
        report_plain(t, VENUE_CANCEL_REJECTED, target, PAPER_CANCEL_REJECTED, "not canceled: it has a fill");
    if (!touched && cancel(t, target))
        place(t, rq);
    else
        report_plain(t, VENUE_REJECTED, rq, PAPER_NOT_ATTEMPTED, "the cancel failed: not attempted");
}

static void
query(const struct turn *t, const struct venue_order *rq)
{
    struct paper_order *o = order_find(t->p, rq->clordid);

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
        report(t, &r);
        return;
    }
    if (o == NULL) {
        report_plain(t, VENUE_NOT_FOUND, rq, PAPER_NO_SUCH_ORDER, "Order does not exist.");
        return;
    }
    struct venue_report r = report_on(t, VENUE_STATUS, o);
    report(t, &r);
}

static void
trades(const struct turn *t, const struct venue_order *rq, int64_t since_ns)
{
    const struct paper *p = t->p;
    uint64_t first = p->trade_count > p->trade_slots ? p->trade_count - p->trade_slots : 0;
    uint64_t by_order = rq->venue_order_id;

    for (uint64_t i = first, last = p->trade_count; i < last; i++) {
        const struct paper_trade *tr = &p->trade[i % p->trade_slots];
        if (by_order != 0 ? tr->venue_order_id != by_order
                          : tr->instrument != rq->instrument->id || tr->venue_time_ns < since_ns)
            continue;
        struct venue_report r = trade_report(t, tr, NULL);
        if (!report_listed(t, &r)) {
            report_plain(t, VENUE_QUERY_FAILED, rq, 0, "too many trades to list now");
            return;
        }
    }
    report_plain(t, VENUE_TRADES_END, rq, 0, "");
}

static void
open_orders(const struct turn *t)
{
    for (uint32_t i = 0; i < t->p->order_slots; i++) {
        if (!order_open(&t->p->order[i]))
            continue;
        struct venue_report r = report_on(t, VENUE_OPEN_ORDER, &t->p->order[i]);
        if (!report_listed(t, &r)) {
            report_plain(t, VENUE_QUERY_FAILED, NULL, 0, "too many open orders to list now");
            return;
        }
    }
    report_plain(t, VENUE_OPEN_ORDERS_END, NULL, 0, "");
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
    struct turn t = { p, sink, now.wall.ns + clock_offset_ns, rq->kind };

    (void)buf;
    (void)room;
    if (unlikely(p->queue_slots - p->queue_count < REQUEST_REPORTS + p->cfg.orders_max))
        return -1; /* a request's own reports, and the orders that a new instrument version ends */
    if (rq->order != NULL) {
        bool is_new = rq->kind == VENUE_RQ_NEW || rq->kind == VENUE_RQ_REPLACE;
        if (!order_valid(p, rq->order, is_new) ||
            (rq->kind == VENUE_RQ_REPLACE && rq->target->instrument->id != rq->order->instrument->id))
            return -1;
        if (unlikely(p->market[rq->order->instrument->id].redefined))
            market_redefine(&t, rq->order->instrument->id);
    }
    switch (rq->kind) {
    case VENUE_RQ_TIME: report_plain(&t, VENUE_TIME, NULL, 0, ""); break;
    case VENUE_RQ_LOGON: report_plain(&t, VENUE_LOGGED_ON, NULL, 0, ""); break;
    case VENUE_RQ_STREAM: report_plain(&t, VENUE_STREAM_UP, NULL, 0, ""); break;
    case VENUE_RQ_NEW: place(&t, named(rq->order)); break;
    case VENUE_RQ_CANCEL: (void)cancel(&t, named(rq->order)); break;
    case VENUE_RQ_REPLACE: replace(&t, named(rq->target), named(rq->order)); break;
    case VENUE_RQ_QUERY: query(&t, named(rq->order)); break;
    case VENUE_RQ_TRADES: trades(&t, named(rq->order), rq->since_ns); break;
    case VENUE_RQ_OPEN_ORDERS: open_orders(&t); break;
    default: break;
    }
    deliver(&t);
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
