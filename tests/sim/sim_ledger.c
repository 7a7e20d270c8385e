/* The venue's matching and ledger: orders, trades and the account's position, in counts of 10^-8. Orders of the account
 * trade with a market that the seed moves; the ledger is the judge of what the gateway believes. */
#include "tests/sim/sim.h"

#define SHOWS_LATE_MAX_NS (1500 * NS_PER_MS)
#define QTY_UNIT          INT64_C(1000) /* 10^-5 */

void
ledger_init(struct sim *s)
{
    struct ledger *l = &s->venue;

    budget_init_truth(s);
    l->orders = l->trades = l->opens = 0;
    l->next_execution = 1;
    l->banned_until_ns = 0;
    for (uint32_t i = 0; i < SIM_SYMBOLS; i++) {
        /* Ids count per symbol, so that two symbols share them. */
        l->next_id[i] = 1 + (int64_t)sim_any(s, 3);
        l->next_trade[i] = (int64_t)sim_any(s, 3);
        l->position[i] = 0;
    }
}

struct vorder *
ledger_find(struct sim *s, uint32_t symbol, int64_t id, const char *clordid)
{
    struct ledger *l = &s->venue;

    for (uint32_t i = l->orders; i-- > 0;) {
        struct vorder *o = &l->order[i];
        if (o->symbol != symbol)
            continue;
        if (id != 0 ? o->id == id : strcmp(o->clordid, clordid) == 0)
            return o;
    }
    return NULL;
}

static void
open_remove(struct ledger *l, uint32_t index)
{
    for (uint32_t i = 0; i < l->opens; i++) {
        if (l->open[i] == index) {
            memmove(&l->open[i], &l->open[i + 1], (l->opens - i - 1) * sizeof(l->open[0]));
            l->opens--;
            return;
        }
    }
}

static void
tell(struct sim *s, const struct vorder *o, const char *type, uint32_t trade, const char *by)
{
    if (s->kraken)
        kraken_execution(s, o, type, trade);
    else
        binance_execution(s, o, type, trade, by);
}

struct vorder *
ledger_place(struct sim *s, const struct vrequest *rq)
{
    struct ledger *l = &s->venue;

    if (l->orders == SIM_VORDERS)
        sim_fail(s, "the simulated venue is full: %u orders", SIM_VORDERS);
    uint32_t index = l->orders++;
    struct vorder *o = &l->order[index];
    *o = (struct vorder){
        .id = l->next_id[rq->symbol],
        .symbol = rq->symbol,
        .side = rq->side,
        .ours = rq->ours,
        .market = rq->market,
        .post_only = rq->post_only,
        .px = rq->px,
        .qty = rq->qty,
        .qty_most = rq->qty,
        .made_ns = venue_clock(s),
        .changed_ns = venue_clock(s),
        .shown_ns = venue_clock(s),
        .first_trade = SIM_NONE,
        .last_trade = SIM_NONE,
        .mine = SIM_NONE,
    };
    l->next_id[rq->symbol] += 1 + (int64_t)sim_any(s, 3);
    (void)snprintf(o->clordid, sizeof(o->clordid), "%s", rq->clordid);
    memcpy(o->tif, rq->tif, sizeof(o->tif));
    o->dark = rq->ours ? ledger_dark(s, rq->clordid) : rq->dark;
    if (sim_fate(s, FATE_shows_late))
        o->shown_ns += (int64_t)sim_any(s, SHOWS_LATE_MAX_NS);
    l->open[l->opens++] = index;
    s->placed += rq->ours;
    sim_trace(s, "venue: %s order %lld %s %s qty %.5f px %.3f", rq->ours ? "our" : "foreign", (long long)o->id,
              o->clordid, o->side == SIDE_BUY ? "buys" : "sells", (double)o->qty / 1e8, (double)o->px / 1e8);
    if (rq->ours)
        check_placed(s, o);
    tell(s, o, "NEW", SIM_NONE, "");
    return o;
}

/* ---- trades ------------------------------------------------------------------------------------------------------ */

static void
fee_of(struct sim *s, const struct vorder *o, struct vtrade *t)
{
    const char *base = s->price[o->symbol].symbol;

    switch (s->kraken ? 2 : s->seed % 4) {
    case 0: /* of what is received, as real venues take it: no whole unit of quantity */
        if (o->side == SIDE_BUY && t->qty >= 1000) {
            t->fee = t->qty / 1000;
            (void)snprintf(t->fee_ccy, sizeof(t->fee_ccy), "%.3s", base);
            return;
        }
        break;
    case 1:
        t->fee = 1 + (int64_t)sim_any(s, 1000);
        (void)snprintf(t->fee_ccy, sizeof(t->fee_ccy), "BNB");
        return;
    default: break;
    }
    t->fee = (int64_t)((__int128)t->px * t->qty / SIM_VENUE_ONE / 1000);
    (void)snprintf(t->fee_ccy, sizeof(t->fee_ccy), "%s", s->kraken ? "USD" : "USDT");
}

/* At its own price, or as a taker at the touch where that is better: never beyond its limit. */
static int64_t
trade_price(const struct price *p, const struct vorder *o, bool maker)
{
    int64_t touch = o->side == SIDE_BUY ? p->ask : p->bid;

    if (o->px <= 0)
        return touch;
    if (maker)
        return o->px;
    return o->side == SIDE_BUY ? MIN(touch, o->px) : MAX(touch, o->px);
}

void
ledger_trade(struct sim *s, struct vorder *o, int64_t qty, bool maker)
{
    struct ledger *l = &s->venue;

    if (l->trades == SIM_VTRADES)
        sim_fail(s, "the simulated venue is full: %u trades", SIM_VTRADES);
    ASSERT(vorder_open(o) && qty > 0 && qty <= o->qty - o->cum);
    const struct price *p = &s->price[o->symbol];
    uint32_t index = l->trades++;
    struct vtrade *t = &l->trade[index];
    *t = (struct vtrade){
        .id = l->next_trade[o->symbol],
        .order = (uint32_t)(o - l->order),
        .next = SIM_NONE,
        .px = trade_price(p, o, maker),
        .qty = qty,
        .at_ns = venue_clock(s),
        .shown_ns = venue_clock(s),
        .maker = maker,
    };
    l->next_trade[o->symbol] += 1 + (int64_t)sim_any(s, 2);
    fee_of(s, o, t);
    if (sim_fate(s, FATE_shows_late) || (o->dark && !s->quiet && sim_any(s, 2) == 0))
        t->shown_ns += (int64_t)sim_any(s, SHOWS_LATE_MAX_NS);
    *(o->last_trade != SIM_NONE ? &l->trade[o->last_trade].next : &o->first_trade) = index;
    o->last_trade = index;
    o->cum += qty;
    o->quote += (int64_t)((__int128)t->px * qty / SIM_VENUE_ONE);
    o->changed_ns = venue_clock(s);
    o->status = o->cum == o->qty ? V_FILLED : V_PARTIAL;
    if (o->ours) {
        l->position[o->symbol] += o->side == SIDE_BUY ? qty : -qty;
        if (strncmp(t->fee_ccy, p->symbol, 3) == 0)
            l->position[o->symbol] -= t->fee;
        s->trades_made++;
        if (o->cum == qty)
            budget_return(s);
    }
    if (!vorder_open(o))
        open_remove(l, (uint32_t)(o - l->order));
    sim_trace(s, "venue: order %lld %s trades %.5f, %.5f of %.5f (trade %lld)", (long long)o->id, o->clordid,
              (double)qty / 1e8, (double)o->cum / 1e8, (double)o->qty / 1e8, (long long)t->id);
    tell(s, o, "TRADE", index, "");
}

void
ledger_end(struct sim *s, struct vorder *o, enum vstatus how, const char *by)
{
    ASSERT(vorder_open(o));
    o->status = (uint8_t)how;
    o->changed_ns = venue_clock(s);
    open_remove(&s->venue, (uint32_t)(o - s->venue.order));
    sim_trace(s, "venue: order %lld %s is over: %s", (long long)o->id, o->clordid,
              how == V_CANCELED ? "canceled" : "expired");
    tell(s, o, how == V_CANCELED ? "CANCELED" : "EXPIRED", SIM_NONE, by);
}

/* ---- what happens by itself -------------------------------------------------------------------------------------- */

int64_t
ledger_some(struct sim *s, int64_t left)
{
    int64_t units = left / QTY_UNIT;

    if (units <= 1 || sim_any(s, 3) == 0)
        return left;
    return (1 + (int64_t)sim_any(s, (uint64_t)units - 1)) * QTY_UNIT;
}

struct vorder *
ledger_place_all(struct sim *s, const struct vrequest *rq)
{
    struct vorder *o = ledger_place(s, rq);
    bool ioc = strcmp(rq->tif, "IOC") == 0;
    bool fok = strcmp(rq->tif, "FOK") == 0;
    bool trades = sim_fate(s, FATE_fill_on_arrival);

    if (rq->market || (fok && trades)) {
        ledger_trade(s, o, o->qty, false);
    } else if (trades && !rq->post_only) {
        for (unsigned n = 1 + (unsigned)sim_any(s, 3); n > 0 && vorder_open(o); n--)
            ledger_trade(s, o, ledger_some(s, o->qty - o->cum), false);
    }
    if (vorder_open(o) && (ioc || fok))
        ledger_end(s, o, V_EXPIRED, "");
    return o;
}

void
ledger_meanwhile(struct sim *s, struct vorder *o)
{
    if (o != NULL && vorder_open(o) && sim_fate(s, FATE_fill_on_cancel))
        ledger_trade(s, o, ledger_some(s, o->qty - o->cum), true);
}

bool
ledger_dark(struct sim *s, const char *clordid)
{
    struct mine *m = check_find(s, clordid);

    if (m != NULL && !m->dark_drawn) {
        m->dark_drawn = true;
        m->dark = sim_fate(s, FATE_dark);
    }
    return m != NULL && m->dark;
}

void
ledger_asked(struct sim *s, struct vorder *o)
{
    if (o != NULL && vorder_open(o) &&
        (sim_fate(s, FATE_fill_on_query) || (o->dark && !s->quiet && sim_any(s, 3) == 0)))
        ledger_trade(s, o, o->qty - o->cum, true);
}

void
ledger_refused(struct sim *s, const char *clordid)
{
    struct mine *m = check_find(s, clordid);

    if (m != NULL && m->vorder == SIM_NONE)
        m->refused = true;
}

void
ledger_event_trade(struct sim *s)
{
    struct ledger *l = &s->venue;

    sim_at(s, s->t + s->trade_ns / 2 + (int64_t)sim_any(s, (uint64_t)s->trade_ns), EV_TRADE, 0, 0, NULL, 0);
    if (l->opens == 0)
        return;
    struct vorder *o = &l->order[l->open[sim_any(s, l->opens)]];
    const struct mine *m = o->mine != SIM_NONE ? &s->oracle.mine[o->mine] : NULL;
    if (s->quiet && (m == NULL || m->belied || m->due == s->core.starts))
        return; /* what becomes of it is for the core to do */
    if (sim_fate(s, FATE_expired_by_venue))
        ledger_end(s, o, V_EXPIRED, "");
    else
        ledger_trade(s, o, ledger_some(s, o->qty - o->cum), true);
}

void
ledger_second(struct sim *s)
{
    struct ledger *l = &s->venue;

    foreign_second(s);
    if (l->opens > 0 && sim_fate(s, FATE_foreign_cancel))
        ledger_end(s, &l->order[l->open[sim_any(s, l->opens)]], V_CANCELED, "web_cancel");
}
