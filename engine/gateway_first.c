/* An instrument that this journal has no trade cursor of, on an account that has traded it before: what the position is
 * cannot be known from trades. That is the first start on an account with a past, and a journal that was lost.
 *
 * Nothing is guessed. Orders in it are denied as RECONCILING until somebody decides: first_position = "held" takes what
 * the venue holds of the base currency for the position, where one spot instrument alone has that base; --new-journal
 * lets it begin at zero, for this start.
 *
 * Always true: the cursor is written only with the decision, so that the next start asks again; a position is taken
 * from the balance only when no trade came between two looks at the trades around it. */
#include "engine/gateway_state.h"

#define ROUNDS_MAX 5u

/* The one spot instrument of this venue with its base currency. */
static bool
alone(const struct gateway_venue *v, const struct instrument *ins)
{
    const struct route *route = v->g->p.route;

    for (uint32_t i = 0; i < route->count; i++) {
        const struct instrument *other = &route->table[i];
        if (other != ins && other->venue == v->id && other->base_ccy == ins->base_ccy)
            return false;
    }
    return ins->kind == INSTRUMENT_SPOT;
}

/* What is held, in units of quantity, rounded up: a limit on what may be bought is never shown too much room. */
static bool
units_held(const struct instrument *ins, value_t held, qty_t *out)
{
    int64_t unit = ins->qty_decimals >= VALUE_DECIMALS ? 1 : pow10_i64[VALUE_DECIMALS - ins->qty_decimals];
    int64_t finer = ins->qty_decimals > VALUE_DECIMALS ? pow10_i64[ins->qty_decimals - VALUE_DECIMALS] : 1;

    return held >= 0 && held < INT64_MAX && !__builtin_mul_overflow(held / unit + (held % unit != 0), finer, out);
}

static void
cursor_set(struct gateway *g, uint32_t instrument, int64_t trade_id, int64_t venue_ns, struct now now)
{
    struct journal_cursor c = { .instrument = instrument, .trade_id = trade_id, .venue_ns = venue_ns };

    (void)gateway_journal(g, JOURNAL_CURSOR, &c, sizeof(c), now);
    order_trade_cursor_set(g->p.orders, instrument, trade_id, venue_ns);
}

static void
unknown_set(struct gateway_venue *v, uint32_t instrument, bool unknown)
{
    struct first_sight *f = &v->g->first[instrument];

    if (f->unknown == unknown)
        return;
    f->unknown = unknown;
    v->positions_unknown = unknown ? v->positions_unknown + 1 : v->positions_unknown - 1;
    metric_set(v->g->p.metrics, METRIC_POSITION_UNKNOWN, v->id, v->positions_unknown);
    risk_set_reconciled(v->g->p.risk, v->cfg->account, instrument, !unknown && v->reconciled);
}

static void
position_taken(struct gateway_venue *v, const struct instrument *ins, qty_t qty)
{
    struct gateway *g = v->g;
    struct journal_position p = {
        .account = v->cfg->account, .instrument = ins->id, .instrument_version = ins->version, .qty = qty
    };

    (void)gateway_journal(g, JOURNAL_POSITION, &p, sizeof(p), v->now);
    if (g->p.balances != NULL)
        balances_rest_set(g->p.balances, ins->id, 0); /* rounded up */
    risk_set_position(g->p.risk, p.account, ins->id, p.qty, v->reconciled);
    metric_set(g->p.metrics, METRIC_POSITION, ins->id, p.qty);
    log_write(g->p.log, LOG_POSITION_TAKEN, ins->symbol, v->id, qty);
}

/* Trades and balance agree: nothing was traded between the two looks. */
static bool
held_known(struct gateway_venue *v, const struct instrument *ins, int64_t next)
{
    struct first_sight *f = &v->g->first[ins->id];
    qty_t qty;

    bool known = f->balance_seen && f->next == next;
    f->next = next;
    f->balance_seen = false;
    if (!known) {
        f->listed = true;
        return false;
    }
    f->listed = false;
    if (!units_held(ins, f->held, &qty))
        return false;
    position_taken(v, ins, qty);
    return true;
}

void
first_trades(struct gateway_venue *v, uint32_t instrument, int64_t next, int64_t asked_ns)
{
    struct gateway *g = v->g;
    const struct instrument *ins = &g->p.route->table[instrument];

    if (next == 0 || g->cfg.new_journal) { /* never traded; or what is past does not count */
        cursor_set(g, instrument, next, asked_ns, v->now);
        return;
    }
    bool held = v->cfg->first_held && alone(v, ins);
    if (held && held_known(v, ins, next)) {
        unknown_set(v, instrument, false);
        cursor_set(g, instrument, next, asked_ns, v->now);
        return;
    }
    if (!g->first[instrument].unknown)
        log_write(g->p.log, held ? LOG_POSITION_ASKED : LOG_POSITION_UNKNOWN, ins->symbol, v->id);
    unknown_set(v, instrument, true);
}

bool
first_balances(struct gateway_venue *v)
{
    struct gateway *g = v->g;
    bool again = false;

    for (uint32_t i = 0; i < g->p.route->count; i++) {
        struct first_sight *f = &g->first[i];
        if (g->p.route->table[i].venue != v->id || !f->listed)
            continue;
        uint16_t ccy = g->p.route->table[i].base_ccy;
        f->held = v->vague[ccy] ? -1 : v->held[ccy]; /* how much was not said: not known */
        f->balance_seen = true;
        again = true;
    }
    v->first_rounds = again ? v->first_rounds + 1 : 0;
    return again && v->first_rounds <= ROUNDS_MAX; /* else the next audit goes on */
}
