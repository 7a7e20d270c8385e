/* The paper venue's market: what fills an order, and the reports of it. See paper.h for the rules. */
#include "engine/venue/paper_state.h"

/* ---- reports ----------------------------------------------------------------------------------------------------- */

struct venue_report
paper_report_on(const struct paper_turn *t, enum venue_report_kind kind, const struct paper_order *o)
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

struct venue_report
paper_trade_report(const struct paper_turn *t, const struct paper_trade *tr, const struct paper_order *o)
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

void
paper_report(const struct paper_turn *t, const struct venue_report *r)
{
    struct paper *p = t->p;

    ASSERT(p->queue_count < p->queue_slots);
    p->queue[(p->queue_head + p->queue_count++) % p->queue_slots] = *r;
}

void
paper_deliver(const struct paper_turn *t)
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

bool
paper_report_listed(const struct paper_turn *t, const struct venue_report *r)
{
    if (t->p->queue_count + PAPER_REQUEST_REPORTS >= t->p->queue_slots)
        paper_deliver(t);
    if (t->p->queue_count + PAPER_REQUEST_REPORTS >= t->p->queue_slots)
        return false;
    paper_report(t, r);
    return true;
}

void
paper_report_plain(const struct paper_turn *t, enum venue_report_kind kind, const struct venue_order *o, int32_t code,
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
    paper_report(t, &r);
}

/* ---- matching ---------------------------------------------------------------------------------------------------- */

static value_t
fee_of(const struct paper *p, const struct instrument *ins, px_t px, qty_t qty, bool maker)
{
    unsigned __int128 notional =
        (unsigned __int128)notional_ceil(px, qty, ins->px_decimals, ins->qty_decimals, ins->multiplier);
    unsigned __int128 fee = (notional * (maker ? p->cfg.maker_fee_ppm : p->cfg.taker_fee_ppm) + 999999) / 1000000;

    return fee > INT64_MAX ? INT64_MAX : (value_t)fee;
}

void
paper_fill(const struct paper_turn *t, struct paper_order *o, px_t px, qty_t qty, bool maker)
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
    struct venue_report r = paper_trade_report(t, tr, o);
    paper_report(t, &r);
}

/* A fill of a resting order; takes it off the book when it is done. */
static void
fill_resting(const struct paper_turn *t, struct paper_order *o, qty_t qty)
{
    paper_fill(t, o, o->px, qty, true);
    if (o->state == ORDER_FILLED) {
        paper_book_remove(t->p, o);
        paper_slot_done(t->p, o);
    }
}

bool
paper_crosses(const struct paper_market *m, uint8_t side, px_t px)
{
    const struct paper_quote *q = &m->quote[paper_opposite(side)];

    return m->live && q->px != 0 && !paper_px_better(side, q->px, px);
}

qty_t
paper_queue_ahead(const struct paper_market *m, uint8_t side, px_t px)
{
    const struct paper_quote *q = &m->quote[side];

    if (!m->live)
        return PAPER_AHEAD_UNKNOWN;
    if (q->px == 0 || paper_px_better(side, px, q->px))
        return 0;
    return px == q->px ? q->qty : PAPER_AHEAD_UNKNOWN;
}

void
paper_expire(const struct paper_turn *t, struct paper_order *o, const char *text)
{
    o->state = ORDER_EXPIRED;
    o->venue_time_ns = t->venue_time_ns;
    struct venue_report r = paper_report_on(t, VENUE_EXPIRED, o);
    (void)snprintf(r.text, sizeof(r.text), "%s", text);
    paper_report(t, &r);
}

COLD void
paper_market_redefine(const struct paper_turn *t, uint32_t instrument)
{
    struct paper_market *m = &t->p->market[instrument];
    const struct instrument *ins = &t->p->cfg.instruments.table[instrument];

    m->redefined = false;
    for (unsigned side = SIDE_BUY; side <= SIDE_SELL; side++) {
        m->quote[side] = (struct paper_quote){ 0 };
        for (uint32_t i = m->best[side]; i != PAPER_NONE;) {
            struct paper_order *o = &t->p->order[i];
            i = o->next;
            if (o->px_decimals == ins->px_decimals && o->qty_decimals == ins->qty_decimals)
                continue;
            paper_book_remove(t->p, o);
            paper_expire(t, o, "the instrument's decimals changed");
            paper_slot_done(t->p, o);
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

    for (uint32_t i = m->best[side]; i != PAPER_NONE; i = p->order[i].next) {
        struct paper_order *o = &p->order[i];
        if (q->px == 0 || paper_px_better(side, o->px, q->px))
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
on_top(const struct paper_turn *t, struct paper_market *m, const struct md_event *ev)
{
    struct paper *p = t->p;

    quote_set(&m->quote[SIDE_BUY], ev->top.bid_px, ev->top.bid_qty);
    quote_set(&m->quote[SIDE_SELL], ev->top.ask_px, ev->top.ask_qty);
    m->live = true;
    for (unsigned n = SIDE_BUY; n <= SIDE_SELL; n++) {
        uint8_t side = (uint8_t)n;
        struct paper_quote *q = &m->quote[paper_opposite(side)];
        queue_shrink(p, m, side);
        for (uint32_t i = m->best[side]; i != PAPER_NONE && paper_quote_left(q) > 0;) {
            struct paper_order *o = &p->order[i];
            i = o->next;
            if (!paper_crosses(m, side, o->px))
                break;
            qty_t qty = MIN(o->qty - o->cum_qty, paper_quote_left(q));
            q->taken += qty;
            fill_resting(t, o, qty);
        }
    }
}

/* A trade of `traded` at ev's price: our better orders would have met it first, those at its price after the queue
 * that was there before them. Together they get no more than was traded. */
static void
on_trade(const struct paper_turn *t, struct paper_market *m, const struct md_event *ev)
{
    struct paper *p = t->p;
    uint8_t side = paper_opposite(ev->side);
    qty_t traded = ev->level.qty;
    qty_t used = 0;

    for (uint32_t i = m->best[side]; i != PAPER_NONE;) {
        struct paper_order *o = &p->order[i];
        i = o->next;
        qty_t left = traded - used;
        if (o->px == ev->level.px) {
            if (o->ahead == PAPER_AHEAD_UNKNOWN && m->quote[side].px == o->px)
                o->ahead = m->quote[side].qty;
            if (o->ahead == PAPER_AHEAD_UNKNOWN)
                break; /* nor is it known for those behind it at this price */
            left -= MIN(o->ahead, left);
            o->ahead -= MIN(o->ahead, traded);
        } else if (!paper_px_better(side, o->px, ev->level.px)) {
            break;
        }
        qty_t qty = MIN(o->qty - o->cum_qty, left);
        if (qty <= 0)
            continue;
        used += qty;
        fill_resting(t, o, qty);
    }
}

void
paper_on_market(struct venue_adapter *a, const struct md_event *ev, struct now now, const struct venue_sink *sink)
{
    struct paper *p = (struct paper *)(void *)a;
    struct paper_turn t = { p, sink, now.wall.ns, VENUE_RQ_COUNT };

    ASSERT(!p->delivering);
    if (unlikely(ev->instrument >= p->cfg.instruments.count))
        return;
    struct paper_market *m = &p->market[ev->instrument];
    if (unlikely(m->redefined))
        paper_market_redefine(&t, ev->instrument);
    if (unlikely(ev->state != BOOK_LIVE))
        m->live = false;
    else if (ev->kind == MD_TOP)
        on_top(&t, m, ev);
    else if (ev->kind == MD_TRADE && ev->level.qty > 0)
        on_trade(&t, m, ev);
    paper_deliver(&t);
}
