/* Kraken Spot trades over REST: those of one order as they come, or an instrument's since a trade, oldest first.
 *
 * TradesHistory lists the newest first, 50 a page, all pairs together, and cannot begin at a trade: a sweep reads back
 * from now to the trade asked for, keeps what it finds, and reports it once it is whole. One that was cut short (the
 * venue's counter of calls is small) goes on from where it was when the same is asked again soon. `anchor` remembers,
 * per instrument, an old trade and its time, so that the next sweep need not read further back than that.
 *
 * Always true: a sweep reports all trades from the one asked for on, or none; a trade that cannot be read fails it. */
#include "engine/venue/kraken_value.h"

#define RESUME_NS     (60 * NS_PER_S) /* a sweep that was cut short is worth going on with for so long */
#define ANCHOR_AGE_NS (60 * NS_PER_S) /* the venue lists nothing older than a listed trade after so long */

struct trade {
    struct json_text ordertxid;
    struct json_text pair;
    struct json_text type;
    struct json_text time;
    struct json_text price;
    struct json_text vol;
    struct json_text fee;
    bool has_id;
    uint64_t id;
    bool maker;
};

static void
read_trade(struct json_scan *j, struct trade *t)
{
    struct json_text key;

    *t = (struct trade){ .has_id = false };
    (void)json_object(j);
    while (json_key(j, &key)) {
        if (JSON_IS(key, "ordertxid"))
            kraken_text(j, &t->ordertxid);
        else if (JSON_IS(key, "pair"))
            kraken_text(j, &t->pair);
        else if (JSON_IS(key, "type"))
            kraken_text(j, &t->type);
        else if (JSON_IS(key, "time"))
            kraken_number(j, &t->time);
        else if (JSON_IS(key, "price"))
            kraken_number(j, &t->price);
        else if (JSON_IS(key, "vol"))
            kraken_number(j, &t->vol);
        else if (JSON_IS(key, "fee"))
            kraken_number(j, &t->fee);
        else if (JSON_IS(key, "trade_id") && json_peek(j) == JSON_NUMBER)
            t->has_id = json_u64(j, &t->id);
        else if (JSON_IS(key, "maker") && json_peek(j) == JSON_TRUE)
            (void)json_bool(j, &t->maker);
        else
            (void)json_skip(j);
    }
}

/* The trade as a report. False: it cannot be read. *mine: it is of the instrument asked about. */
static bool
trade_report(struct kraken_oe *k, const struct trade *t, struct venue_report *r, bool *mine)
{
    const struct kraken_rest *q = &k->rest;

    *mine = kraken_pair_instrument(k, &t->pair) == q->instrument && t->ordertxid.s != NULL;
    if (!*mine)
        return true;
    const struct instrument *ins = &k->cfg.instruments.table[q->instrument];
    *r = kraken_report(VENUE_FILL, q->kind);
    r->venue_order_id = kraken_order_hash(t->ordertxid.s, t->ordertxid.n);
    const struct kraken_order *o = kraken_orders_find(&k->orders, r->venue_order_id);
    if (r->venue_order_id == q->venue_order_id)
        memcpy(r->clordid, q->clordid, CLORDID_BYTES);
    else if (o != NULL)
        memcpy(r->clordid, o->clordid, CLORDID_BYTES);
    r->instrument = q->instrument;
    if (!t->has_id || t->id > INT64_MAX || !kraken_decimal(&t->price, ins->px_decimals, &r->last_px) ||
        !kraken_decimal(&t->vol, ins->qty_decimals, &r->last_qty) || r->last_qty == 0)
        return false;
    r->trade_id = (int64_t)t->id;
    r->side = JSON_IS(t->type, "sell") ? SIDE_SELL : SIDE_BUY;
    r->maker = t->maker;
    r->venue_time_ns = kraken_seconds(&t->time);
    if (kraken_decimal(&t->fee, VALUE_DECIMALS, &r->fee)) /* spot: in the quote currency unless asked otherwise */
        memcpy(r->fee_ccy, ins->quote, CURRENCY_BYTES);
    return true;
}

/* ---- sweeps ---- */

void
kraken_sweep_begin(struct kraken_oe *k, const struct venue_request *rq, struct now now)
{
    struct kraken_sweep *s = &k->sweep;
    struct kraken_rest *q = &k->rest;
    int64_t venue_ns = now.wall.ns + k->clock_offset_ns;
    const struct kraken_anchor *a = &k->anchor[q->instrument];

    q->sweep = true;
    if (s->cut && s->instrument == q->instrument && s->since_trade == rq->since_trade &&
        venue_ns - s->begun_ns < RESUME_NS) {
        q->offset = s->offset;
    } else {
        *s = (struct kraken_sweep){ .instrument = q->instrument,
                                    .since_trade = rq->since_trade,
                                    .begun_ns = venue_ns,
                                    .since_ns = a->trade_id > 0 && a->trade_id < rq->since_trade
                                                    ? a->time_ns - ANCHOR_AGE_NS
                                                    : 0 };
    }
    s->cut = true; /* until it is whole */
    q->since_ns = MAX(s->since_ns, 0);
    q->until_s = s->begun_ns / NS_PER_S + 60;
}

/* Keep one, newest first. False: there is no room. */
static bool
keep(struct kraken_oe *k, const struct venue_report *r)
{
    struct kraken_sweep *s = &k->sweep;
    uint32_t at = s->count;

    if (at == KRAKEN_SWEEP_TRADES)
        return false;
    while (at > 0 && k->trade[at - 1].trade_id < r->trade_id)
        at--;
    if (at < s->count && k->trade[at].trade_id == r->trade_id && k->trade[at].order == r->venue_order_id)
        return true; /* a page that shifted under us */
    memmove(&k->trade[at + 1], &k->trade[at], (s->count - at) * sizeof(*k->trade));
    k->trade[at] = (struct kraken_trade){ .trade_id = r->trade_id,
                                          .order = r->venue_order_id,
                                          .px = r->last_px,
                                          .qty = r->last_qty,
                                          .fee = r->fee_ccy[0] != '\0' ? r->fee : -1,
                                          .time_ns = r->venue_time_ns,
                                          .side = r->side,
                                          .maker = r->maker };
    s->count++;
    return true;
}

/* All of them, oldest first. */
static void
sweep_end(struct kraken_oe *k, const struct venue_sink *sink)
{
    struct kraken_sweep *s = &k->sweep;
    struct kraken_anchor *a = &k->anchor[s->instrument];
    const struct instrument *ins = &k->cfg.instruments.table[s->instrument];

    for (uint32_t i = s->count; i > 0; i--) {
        const struct kraken_trade *t = &k->trade[i - 1];
        struct venue_report r = kraken_report(VENUE_FILL, VENUE_RQ_TRADES);
        const struct kraken_order *o = kraken_orders_find(&k->orders, t->order);
        if (o != NULL)
            memcpy(r.clordid, o->clordid, CLORDID_BYTES);
        r.instrument = s->instrument;
        r.venue_order_id = t->order;
        r.trade_id = t->trade_id;
        r.last_px = t->px;
        r.last_qty = t->qty;
        r.side = t->side;
        r.maker = t->maker;
        r.venue_time_ns = t->time_ns;
        if (t->fee >= 0) {
            r.fee = t->fee;
            memcpy(r.fee_ccy, ins->quote, CURRENCY_BYTES);
        }
        if (t->time_ns < s->begun_ns - ANCHOR_AGE_NS && t->trade_id > a->trade_id)
            *a = (struct kraken_anchor){ .trade_id = t->trade_id, .time_ns = t->time_ns };
        sink->report(sink->ctx, &r);
    }
    s->cut = false;
    kraken_rest_end(k, VENUE_TRADES_END, sink);
}

/* ---- an answer ---- */

struct page {
    uint32_t seen;
    uint64_t count; /* as the venue says, all pages */
    bool good;
    bool full;
    bool reached; /* a trade older than the one asked for */
};

static void
on_trade(struct kraken_oe *k, const struct trade *t, struct page *p, const struct venue_sink *sink)
{
    struct venue_report r;
    bool mine;

    if (!trade_report(k, t, &r, &mine)) {
        p->good = false;
    } else if (mine && !k->rest.sweep) {
        sink->report(sink->ctx, &r);
    } else if (mine) {
        p->reached |= r.trade_id < k->sweep.since_trade;
        if (r.trade_id >= k->sweep.since_trade && !keep(k, &r))
            p->full = true;
    }
}

static void
read_page(struct kraken_oe *k, struct json_scan *j, struct page *p, const struct venue_sink *sink)
{
    struct json_text key;
    struct json_text txid;
    struct trade t;

    (void)json_object(j);
    while (json_key(j, &key)) {
        if (JSON_IS(key, "count") && json_peek(j) == JSON_NUMBER) {
            (void)json_u64(j, &p->count);
        } else if (JSON_IS(key, "trades") && json_peek(j) == JSON_OBJECT) {
            (void)json_object(j);
            while (json_key(j, &txid)) {
                p->seen++;
                read_trade(j, &t);
                if (!j->bad)
                    on_trade(k, &t, p, sink);
            }
        } else {
            (void)json_skip(j);
        }
    }
}

/* {"trades":{TXID:{...}},"count":n} */
void
kraken_on_trades(struct kraken_oe *k, struct json_scan *j, const struct venue_sink *sink)
{
    struct kraken_rest *q = &k->rest;
    struct page p = { .good = true };

    read_page(k, j, &p, sink);
    q->offset += p.seen;
    bool more = p.seen > 0 && p.count > q->offset && !p.reached && (!q->sweep || k->sweep.since_trade >= 0);
    if (!p.good) {
        k->sweep.cut = false;
        kraken_rest_fail(k, "a trade's numbers cannot be read", 0, false, sink);
    } else if (p.full || (more && !q->sweep && q->pages >= KRAKEN_PAGES_MAX)) {
        k->sweep.cut = false;
        kraken_rest_fail(k, "more trades than can be looked through", 0, true, sink);
    } else if (more) {
        q->more = true;
        k->sweep.offset = q->offset;
    } else if (q->sweep) {
        sweep_end(k, sink);
    } else {
        kraken_rest_end(k, VENUE_TRADES_END, sink);
    }
}
