/* Results. See pnl.h. */
#include "risk/pnl.h"

static wide_t
floor_div(wide_t a, wide_t b)
{
    return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}

static wide_t
add_saturated(wide_t a, wide_t b)
{
    const wide_t most = (wide_t)1 << 126;
    wide_t sum = a / 2 + b / 2; /* neither half overflows */

    if (unlikely(sum > most / 2 || sum < -most / 2))
        return sum > 0 ? most : -most;
    return a + b;
}

/* Raw money of |qty| at px. up: rounded up (inverse only; else exact). */
static wide_t
raw_of(const struct contract *c, px_t px, qty_t qty, bool up)
{
    if (c->kind != INSTRUMENT_INVERSE)
        return (wide_t)px * qty;
    wide_t x = (wide_t)qty * pow10_i64[PNL_INVERSE_DECIMALS];
    return x / px + (up && x % px != 0 ? 1 : 0);
}

/* What a purchase does to cash: a long in an inverse contract receives its entry value and pays its exit value. */
static wide_t
buy_cash(const struct contract *c, px_t px, qty_t qty)
{
    return c->kind == INSTRUMENT_INVERSE ? raw_of(c, px, qty, false) : -raw_of(c, px, qty, true);
}

static wide_t
sell_cash(const struct contract *c, px_t px, qty_t qty)
{
    return c->kind == INSTRUMENT_INVERSE ? -raw_of(c, px, qty, true) : raw_of(c, px, qty, false);
}

static qty_t
magnitude(qty_t q)
{
    return q < 0 ? -q : q;
}

/* `part` of what is held leaves with its share of the cost, rounded to the side that leaves no profit behind. */
static void
cost_release(struct pnl *p, qty_t part)
{
    qty_t all = magnitude(p->held);

    if (part >= all || all == 0) {
        p->cost = 0;
        return;
    }
    /* cost * part may pass 128 bits: whole units of cost per unit held first, then the rest. */
    wide_t each = p->cost / all;
    wide_t rest = p->cost % all;
    p->cost -= each * part + rest * part / all;
}

void
pnl_held(struct pnl *p, qty_t held)
{
    if (held == 0 || (held < 0) != (p->held < 0))
        p->cost = 0;
    p->held = held;
}

void
pnl_seed(struct pnl *p, qty_t held)
{
    p->unbased += held - p->held;
    p->held = held;
}

static void
trade(struct pnl *p, const struct contract *c, enum side side, px_t px, qty_t qty)
{
    bool adds = p->held == 0 || (p->held > 0) == (side == SIDE_BUY);
    qty_t next;

    if (__builtin_add_overflow(p->held, side == SIDE_BUY ? qty : -qty, &next))
        next = side == SIDE_BUY ? INT64_MAX : -INT64_MAX;
    p->cash = add_saturated(p->cash, side == SIDE_BUY ? buy_cash(c, px, qty) : sell_cash(c, px, qty));
    if (adds) {
        p->cost = add_saturated(p->cost, raw_of(c, px, qty, false));
    } else {
        qty_t closed = MIN(qty, magnitude(p->held));
        cost_release(p, closed);
        if (qty > closed)
            p->cost = raw_of(c, px, qty - closed, false);
    }
    p->held = next;
}

void
pnl_basis(struct pnl *p, const struct contract *c, px_t mark)
{
    qty_t q = p->unbased;

    if (likely(q == 0) || mark <= 0)
        return;
    p->unbased = 0;
    p->held -= q;
    trade(p, c, q > 0 ? SIDE_BUY : SIDE_SELL, mark, magnitude(q));
}

void
pnl_fill(struct pnl *p, const struct contract *c, enum side side, px_t px, qty_t qty)
{
    if (px <= 0 || qty <= 0)
        return;
    pnl_basis(p, c, px); /* never marked before its first fill: that fill's price is the mark */
    trade(p, c, side, px, qty);
}

void
pnl_reprice(struct pnl *p, const struct contract *c, unsigned from, unsigned to)
{
    /* Raw money of an inverse contract has 10^px_decimals below the line. */
    bool up = (to > from) == (c->kind != INSTRUMENT_INVERSE);
    wide_t by = pow10_i64[to > from ? to - from : from - to];

    if (!up) {
        p->cash = floor_div(p->cash, by);
        p->cost = floor_div(p->cost, by);
        return;
    }
    const wide_t most = (wide_t)1 << 126;
    wide_t cash;
    wide_t cost;
    p->cash = __builtin_mul_overflow(p->cash, by, &cash) ? (p->cash < 0 ? -most : most) : cash;
    p->cost = __builtin_mul_overflow(p->cost, by, &cost) ? most : cost;
}

/* raw -> value_t of quote or settle currency, rounded down. */
static value_t
raw_value(const struct contract *c, wide_t raw)
{
    wide_t v = raw;
    /* Inverse: raw * 10^px_decimals * multiplier / 10^(PNL_INVERSE_DECIMALS + qty_decimals). */
    unsigned down = c->kind == INSTRUMENT_INVERSE ? PNL_INVERSE_DECIMALS - c->px_decimals + c->qty_decimals
                                                  : (unsigned)c->px_decimals + c->qty_decimals;

    if (c->multiplier == VALUE_ONE && down >= VALUE_DECIMALS) {
        down -= VALUE_DECIMALS;
    } else if (__builtin_mul_overflow(v, (wide_t)c->multiplier, &v)) {
        return raw < 0 ? -RISK_QTY_MAX : RISK_QTY_MAX;
    }
    unsigned first = MIN(down, (unsigned)DECIMALS_MAX);
    v = floor_div(v, pow10_i64[first]);
    v = floor_div(v, pow10_i64[down - first]);
    return v > RISK_QTY_MAX ? RISK_QTY_MAX : v < -RISK_QTY_MAX ? -RISK_QTY_MAX : (value_t)v;
}

/* What closing everything at the mark would pay. */
static wide_t
close_cash(const struct pnl *p, const struct contract *c, px_t mark)
{
    if (p->held == 0)
        return 0;
    qty_t all = magnitude(p->held);
    return p->held > 0 ? sell_cash(c, mark, all) : buy_cash(c, mark, all);
}

/* Profit of giving the cost back: what what is held counts as at its cost. */
static wide_t
at_cost(const struct pnl *p, const struct contract *c)
{
    bool plus = (p->held > 0) == (c->kind != INSTRUMENT_INVERSE);
    return plus ? p->cost : -p->cost;
}

value_t
pnl_total(const struct pnl *p, const struct contract *c, px_t mark)
{
    if (p->unbased != 0)
        return raw_value(c, p->cash); /* nothing was marked yet, and nothing traded since */
    return raw_value(c, add_saturated(p->cash, mark > 0 ? close_cash(p, c, mark) : at_cost(p, c)));
}

value_t
pnl_unrealised(const struct pnl *p, const struct contract *c, px_t mark)
{
    if (p->unbased != 0 || p->held == 0 || mark <= 0)
        return 0;
    return raw_value(c, add_saturated(close_cash(p, c, mark), -at_cost(p, c)));
}

px_t
pnl_average_px(const struct pnl *p, const struct contract *c)
{
    qty_t all = magnitude(p->held);

    if (all == 0 || p->cost == 0)
        return 0;
    bool up = p->held > 0;
    wide_t px;
    if (c->kind == INSTRUMENT_INVERSE) {
        wide_t x = (wide_t)all * pow10_i64[PNL_INVERSE_DECIMALS];
        px = x / p->cost + (up && x % p->cost != 0 ? 1 : 0);
    } else {
        px = p->cost / all + (up && p->cost % all != 0 ? 1 : 0);
    }
    return px > INT64_MAX ? INT64_MAX : (px_t)px;
}
