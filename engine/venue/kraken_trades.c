/* Kraken Spot trades over REST: those of one order as they come, or an instrument's since a trade, oldest first.
 *
 * TradesHistory lists the newest first, 50 a page, all pairs together, and begins at a time: what a sweep of the
 * account asks about one instrument after the other is read once, from the time before which everything was counted,
 * and each instrument is told its part. More than there is room for is read window after window, the oldest first, each
 * told as an answer that was cut. What breaks off goes on where it was when the same is asked again.
 *
 * Always true: a window is told when all of it was read; a trade that cannot be read fails its instrument's answer. */
#include "engine/venue/kraken_value.h"

#define EARLIER_S    60 /* read so far back behind the time asked for: the venue lists a trade a little late */
#define WINDOW_MIN_S 2

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

/* The trade as a report, of an instrument of ours. False: it cannot be read. */
static bool
trade_report(const struct kraken_oe *k, const struct trade *t, uint32_t instrument, struct venue_report *r)
{
    const struct instrument *ins = &k->cfg.instruments.table[instrument];

    *r = kraken_report(VENUE_FILL, k->rest.kind);
    r->venue_order_id = kraken_order_hash(t->ordertxid.s, t->ordertxid.n);
    r->instrument = instrument;
    r->side = JSON_IS(t->type, "sell") ? SIDE_SELL : SIDE_BUY;
    if (!t->has_id || t->id > INT64_MAX ||
        !kraken_fill_px(&t->price, ins->px_decimals, (enum side)r->side, &r->last_px) ||
        !kraken_decimal(&t->vol, ins->qty_decimals, &r->last_qty) || r->last_qty == 0)
        return false;
    r->trade_id = (int64_t)t->id;
    r->maker = t->maker;
    r->venue_time_ns = kraken_seconds(&t->time);
    if (kraken_decimal(&t->fee, VALUE_DECIMALS, &r->fee)) /* spot: in the quote currency unless asked otherwise */
        memcpy(r->fee_ccy, ins->quote, CURRENCY_BYTES);
    return true;
}

/* Whose it is, as far as the venue's id of the order says. */
static void
name_order(const struct kraken_oe *k, struct venue_report *r)
{
    const struct kraken_order *o = kraken_orders_find(&k->orders, r->venue_order_id);

    if (o != NULL)
        memcpy(r->clordid, o->clordid, CLORDID_BYTES);
}

/* ---- sweeps ---- */

static void
window_begin(struct kraken_oe *k, int64_t from_s, int64_t until_s)
{
    struct kraken_sweep *s = &k->sweep;

    s->whole = false;
    s->told = 0;
    s->offset = 0;
    s->count = 0;
    s->from_s = from_s;
    s->until_s = until_s;
    s->last = until_s >= s->begun_ns / NS_PER_S + EARLIER_S;
    memset(k->unreadable, 0, k->cfg.instruments.count * sizeof(*k->unreadable));
}

static int64_t
first_s(const struct kraken_sweep *s)
{
    return MAX(s->since_ns / NS_PER_S - EARLIER_S, 0);
}

static void
window_first(struct kraken_oe *k)
{
    window_begin(k, first_s(&k->sweep), k->sweep.begun_ns / NS_PER_S + EARLIER_S);
}

static void
window_next(struct kraken_oe *k)
{
    /* The venue's lists begin behind `start`, in whole seconds: one is read twice rather than none. */
    window_begin(k, k->sweep.until_s - 1, k->sweep.begun_ns / NS_PER_S + EARLIER_S);
}

static bool
before(const struct kraken_trade *t, uint32_t instrument, int64_t trade_id)
{
    return t->instrument != instrument ? t->instrument < instrument : t->trade_id < trade_id;
}

/* False: there is no room. */
static bool
keep(struct kraken_oe *k, const struct venue_report *r)
{
    struct kraken_sweep *s = &k->sweep;
    const struct instrument *ins = &k->cfg.instruments.table[r->instrument];
    uint32_t at = s->count;

    if (s->count == KRAKEN_SWEEP_TRADES)
        return false;
    while (at > 0 && !before(&k->trade[at - 1], r->instrument, r->trade_id))
        at--;
    /* Both sides of a trade with oneself have its id. */
    for (uint32_t i = at;
         i < s->count && k->trade[i].instrument == r->instrument && k->trade[i].trade_id == r->trade_id; i++)
        if (k->trade[i].order == r->venue_order_id)
            return true; /* a page that shifted under us */
    memmove(&k->trade[at + 1], &k->trade[at], (s->count - at) * sizeof(*k->trade));
    k->trade[at] = (struct kraken_trade){ .instrument = r->instrument,
                                          .trade_id = r->trade_id,
                                          .order = r->venue_order_id,
                                          .px = r->last_px,
                                          .qty = r->last_qty,
                                          .fee = r->fee_ccy[0] != '\0' ? r->fee : -1,
                                          .time_ns = r->venue_time_ns,
                                          .side = r->side,
                                          .maker = r->maker,
                                          .px_decimals = ins->px_decimals,
                                          .qty_decimals = ins->qty_decimals };
    s->count++;
    return true;
}

static void
tell(struct kraken_oe *k, const struct kraken_trade *t, const struct venue_sink *sink)
{
    const struct instrument *ins = &k->cfg.instruments.table[t->instrument];
    struct venue_report r = kraken_report(VENUE_FILL, VENUE_RQ_TRADES);

    r.instrument = t->instrument;
    r.venue_order_id = t->order;
    name_order(k, &r);
    r.trade_id = t->trade_id;
    /* Decimals only grow while the process runs: nothing is lost. */
    r.last_px = decimal_rescale(t->px, t->px_decimals, ins->px_decimals);
    r.last_qty = decimal_rescale(t->qty, t->qty_decimals, ins->qty_decimals);
    r.side = t->side;
    r.maker = t->maker;
    r.venue_time_ns = t->time_ns;
    if (t->fee >= 0) {
        r.fee = t->fee;
        memcpy(r.fee_ccy, ins->quote, CURRENCY_BYTES);
    }
    sink->report(sink->ctx, &r);
}

/* The window is whole: the instrument's part of it, oldest first. False: it has none, and there is another window. */
static bool
window_tell(struct kraken_oe *k, const struct venue_sink *sink)
{
    struct kraken_sweep *s = &k->sweep;
    const struct kraken_rest q = k->rest;
    bool any = false;

    if (k->unreadable[q.instrument]) {
        s->begun_ns = 0; /* to be read anew */
        kraken_rest_fail(k, "a trade's numbers cannot be read", 0, false, sink);
        return true;
    }
    for (uint32_t i = 0; i < s->count; i++) {
        const struct kraken_trade *t = &k->trade[i];
        if (t->instrument != q.instrument || t->trade_id < q.since_trade)
            continue;
        any = true;
        tell(k, t, sink);
    }
    if (!any && !s->last)
        return false;
    s->told = 1;
    s->instrument = q.instrument;
    struct venue_report r = kraken_report(VENUE_TRADES_END, VENUE_RQ_TRADES);
    r.instrument = q.instrument;
    r.tag = q.tag;
    r.code = s->last ? 0 : 1;
    k->rest.stage = KRAKEN_REST_IDLE;
    sink->report(sink->ctx, &r);
    return true;
}

bool
kraken_sweep_begin(struct kraken_oe *k, const struct venue_request *rq, struct now now, const struct venue_sink *sink)
{
    struct kraken_sweep *s = &k->sweep;
    struct kraken_rest *q = &k->rest;
    bool newest = rq->since_ns == 0 && rq->since_trade < 0;

    q->sweep = true;
    q->since_trade = rq->since_trade;
    if (s->begun_ns == 0 || s->begun_ns < rq->fresh_ns || s->since_ns != rq->since_ns || s->newest != newest) {
        *s = (struct kraken_sweep){ .begun_ns = now.wall.ns + k->clock_offset_ns,
                                    .since_ns = rq->since_ns,
                                    .newest = newest };
        window_first(k);
    } else if (s->whole && s->told != 0 && s->instrument == q->instrument && !s->last) {
        window_next(k);
    } else if (s->whole && s->told != 0 && s->instrument != q->instrument && s->from_s != first_s(s)) {
        window_first(k); /* what windows before this one have of it was not kept */
    }
    if (s->whole && window_tell(k, sink))
        return true;
    if (s->whole)
        window_next(k);
    q->offset = s->offset;
    q->since_ns = s->from_s * NS_PER_S;
    q->until_s = s->until_s;
    return false;
}

/* ---- an answer ---- */

struct page {
    uint32_t seen;
    uint64_t count; /* as the venue says, all pages */
    bool good;
    bool full;
};

static void
on_trade(struct kraken_oe *k, const struct trade *t, struct page *p, const struct venue_sink *sink)
{
    struct venue_report r;
    uint32_t instrument = kraken_pair_instrument(k, &t->pair);

    if (instrument == INSTRUMENT_NONE || t->ordertxid.s == NULL || (!k->rest.sweep && instrument != k->rest.instrument))
        return;
    bool read = trade_report(k, t, instrument, &r);
    if (k->rest.sweep && !read) {
        k->unreadable[instrument] = true;
    } else if (k->rest.sweep) {
        p->full |= !keep(k, &r);
    } else if (read) {
        name_order(k, &r);
        if (r.venue_order_id == k->rest.venue_order_id)
            memcpy(r.clordid, k->rest.clordid, CLORDID_BYTES);
        sink->report(sink->ctx, &r);
    } else {
        p->good = false;
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

/* A page of the window. */
static void
on_window_page(struct kraken_oe *k, const struct page *p, const struct venue_sink *sink)
{
    struct kraken_sweep *s = &k->sweep;
    int64_t wide_s = s->until_s - s->from_s;

    if (s->offset == 0 && !s->newest && p->count > KRAKEN_SWEEP_TRADES && wide_s > WINDOW_MIN_S) {
        window_begin(k, s->from_s, s->from_s + wide_s / 2);
        return;
    }
    s->offset += p->seen;
    if (p->full) {
        s->begun_ns = 0;
        kraken_rest_fail(k, "more trades than can be looked through", 0, true, sink);
        return;
    }
    s->whole = p->seen == 0 || s->newest || (p->count != 0 && p->count <= s->offset);
    if (s->whole)
        s->last |= s->newest;
    if (s->whole && !window_tell(k, sink))
        window_next(k);
}

/* {"trades":{TXID:{...}},"count":n} */
void
kraken_on_trades(struct kraken_oe *k, struct json_scan *j, const struct venue_sink *sink)
{
    struct kraken_rest *q = &k->rest;
    struct page p = { .good = true };

    read_page(k, j, &p, sink);
    if (q->sweep) {
        on_window_page(k, &p, sink);
        return;
    }
    q->offset += p.seen;
    bool more = p.seen > 0 && p.count > q->offset;
    if (!p.good) {
        kraken_rest_fail(k, "a trade's numbers cannot be read", 0, false, sink);
    } else if (more && q->pages >= KRAKEN_PAGES_MAX) {
        kraken_rest_fail(k, "more trades than can be looked through", 0, true, sink);
    } else if (more) {
        q->more = true;
    } else {
        kraken_rest_end(k, VENUE_TRADES_END, sink);
    }
}
