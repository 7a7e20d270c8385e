/* What the gateway does for risk beyond asking it: how deep a market order would reach, our own orders out of a new
 * one's way, marks once a second, what latched into the journal, balances.
 *
 * Always true: every walk is bounded; what latched in risk is in the journal within the turn's work that follows. */
#include "engine/gateway_state.h"

#define SWEEP_LEVELS_MAX  64u /* what a market order may reach; deeper is not visible for it */
#define MARKS_PER_WORK    16u
#define CROSSING_MAX      16u /* own orders canceled for one new order; more deny it */
#define CROSSING_WALK_MAX 65536u

/* ---- market orders
 * --------------------------------------------------------------------------------------------------- */

void
guard_sweep(const struct gateway *g, const struct instrument *ins, struct risk_order *o)
{
    const struct book *b = feed_book(g->p.feed[ins->venue], ins->id);
    enum side other = o->side == SIDE_BUY ? SIDE_SELL : SIDE_BUY;

    if (b == NULL || o->qty <= 0)
        return;
    const struct level *l = book_touch(b, other);
    for (unsigned i = 0; i < SWEEP_LEVELS_MAX && l != NULL && o->sweep_qty < o->qty; i++) {
        o->sweep_qty += MIN(l->qty, o->qty - o->sweep_qty);
        o->sweep_px = l->px;
        l = book_worse(b, other, l);
    }
}

/* ---- our own orders in the way ----------------------------------------------------------------------------------- */

static bool
in_the_way(const struct order *o, uint32_t instrument, enum side side, px_t px)
{
    return o->instrument == instrument && o->side != side && o->end_state == 0 && o->rest_px > 0 &&
           risk_crosses(side, px, o->rest_px);
}

bool
guard_clear_way(struct gateway *g, uint32_t instrument, enum side side, px_t px, struct now now)
{
    uint32_t found[CROSSING_MAX];
    uint32_t count = 0;
    int walk = order_walk_open(g->p.orders, CLIENT_NONE);
    uint32_t slot = ORDER_NONE;

    if (walk < 0)
        return false;
    for (uint32_t i = 0; i < CROSSING_WALK_MAX && (slot = order_walk_next(g->p.orders, walk)) != ORDER_NONE; i++) {
        if (!in_the_way(order_at(g->p.orders, slot), instrument, side, px))
            continue;
        if (count == CROSSING_MAX) {
            order_walk_close(g->p.orders, walk);
            return false;
        }
        found[count++] = slot;
    }
    if (slot != ORDER_NONE) {
        order_walk_close(g->p.orders, walk);
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct order *o = order_at(g->p.orders, found[i]);
        if (order_live(o) && !cancel_under_way(o) && !order_cancel_now(g, found[i], now))
            return false;
    }
    return true;
}

/* ---- balances
 * -------------------------------------------------------------------------------------------------------- */

void
guard_balance(struct gateway_venue *v, const struct venue_report *r, uint16_t currency)
{
    risk_set_balance(v->g->p.risk, v->cfg->account, currency, r->last_qty, r->qty);
}

/* ---- what latched
 * ---------------------------------------------------------------------------------------------------- */

static void
trip_record(struct gateway *g, const struct risk_trip *t, struct now now)
{
    struct journal_control c = {
        .kind = CONTROL_TRIP, .level = t->level, .id = t->id, .client = CLIENT_NONE, .value = t->kind
    };

    (void)snprintf(c.text, sizeof(c.text), "%lld past %lld", (long long)t->value, (long long)t->limit);
    (void)gateway_journal(g, JOURNAL_CONTROL, &c, sizeof(c), now);
    log_write(g->p.log, LOG_WARNING, risk_trip_text((enum risk_trip_kind)t->kind));
    metric_add(g->p.metrics, METRIC_RISK_TRIPS, 0, 1);
}

static void
metrics_second(struct gateway *g)
{
    struct risk_group all;

    (void)risk_group(g->p.risk, LEVEL_GLOBAL, 0, &all);
    metric_set(g->p.metrics, METRIC_RISK_GROSS, 0, all.gross);
    metric_set(g->p.metrics, METRIC_RISK_NET, 0, MAX(all.net_long, -all.net_short));
    metric_set(g->p.metrics, METRIC_RISK_DAY_RESULT, 0, all.day_result);
    metric_set(g->p.metrics, METRIC_RISK_DAY_VALUE, 0, all.day_value);
    metric_set(g->p.metrics, METRIC_RISK_UNMARKED, 0, all.unmarked);
}

void
guard_second(struct gateway *g, struct now now)
{
    risk_clock(g->p.risk, now);
    g->mark_next = 0;
    metrics_second(g);
}

bool
guard_work(struct gateway *g, struct now now)
{
    struct risk_trip t;

    while (unlikely(risk_take_trip(g->p.risk, &t))) { /* as many as risk keeps at most */
        trip_record(g, &t, now);
        kill_on_trip(g, &t, now);
    }
    for (unsigned i = 0; i < MARKS_PER_WORK && g->mark_next < g->p.route->count; i++) {
        uint32_t id = g->mark_next++;
        const struct instrument *ins = route_instrument(g->p.route, id, 0);
        if (ins != NULL)
            risk_mark(g->p.risk, id, feed_md_ref(g->p.feed[ins->venue], id), now);
    }
    return g->mark_next < g->p.route->count;
}
