#include "engine/oms/balances.h"

struct balance {
    value_t amount;     /* expected */
    value_t difference; /* of the last answer that differed */
    uint32_t changes;   /* deltas since the beginning */
    uint32_t doubted_at;
    bool known;
    bool doubted;
};

struct balances {
    struct balance at[VENUE_MAX][CURRENCY_MAX];
    uint32_t rest[INSTRUMENT_MAX];
};

size_t
balances_footprint(void)
{
    return arena_cost(sizeof(struct balances));
}

struct balances *
balances_init(struct arena *arena)
{
    return (struct balances *)arena_take(arena, sizeof(struct balances));
}

static void
move(struct balances *b, uint32_t venue, uint32_t ccy, wide_t by)
{
    if (ccy == 0 || ccy >= CURRENCY_MAX)
        return;
    struct balance *x = &b->at[venue][ccy];
    wide_t sum = x->amount + by;

    x->changes++;
    if (unlikely(sum > INT64_MAX || sum < -(wide_t)INT64_MAX)) {
        x->known = false;
        sum = 0;
    }
    x->amount = (value_t)sum;
}

/* A count of 10^-decimals at 10^-8, toward zero. */
static wide_t
at_value(wide_t count, unsigned decimals)
{
    for (; decimals > VALUE_DECIMALS; decimals--)
        count /= 10;
    return count * pow10_i64[VALUE_DECIMALS - decimals];
}

void
balances_apply(struct balances *b, const struct instrument *ins, const struct order_delta *d)
{
    ASSERT(ins->venue < VENUE_MAX);
    if (d->fill_qty == 0 || ins->kind != INSTRUMENT_SPOT)
        return;
    wide_t base = at_value(d->fill_qty, ins->qty_decimals);
    wide_t quote = at_value((wide_t)d->fill_qty * d->fill_px, (unsigned)ins->qty_decimals + ins->px_decimals);

    move(b, ins->venue, ins->base_ccy, d->side == SIDE_BUY ? base : -base);
    move(b, ins->venue, ins->quote_ccy, d->side == SIDE_BUY ? -quote : quote);
    move(b, ins->venue, d->fee_ccy, -(wide_t)d->fee);
}

void
balances_set(struct balances *b, uint32_t venue, uint32_t ccy, value_t amount)
{
    ASSERT(venue < VENUE_MAX && ccy < CURRENCY_MAX);
    b->at[venue][ccy].amount = amount != BALANCE_UNSAID ? amount : 0;
    b->at[venue][ccy].known = amount != BALANCE_UNSAID;
    b->at[venue][ccy].doubted = false;
}

value_t
balances_rest(const struct balances *b, uint32_t instrument)
{
    ASSERT(instrument < INSTRUMENT_MAX);
    return b->rest[instrument];
}

void
balances_rest_set(struct balances *b, uint32_t instrument, uint32_t rest)
{
    ASSERT(instrument < INSTRUMENT_MAX);
    b->rest[instrument] = rest;
}

enum balance_verdict
balances_compare(struct balances *b, uint32_t venue, uint32_t ccy, value_t amount, value_t *difference)
{
    ASSERT(venue < VENUE_MAX && ccy < CURRENCY_MAX);
    struct balance *x = &b->at[venue][ccy];

    *difference = 0;
    if (!x->known)
        return BALANCE_FIRST;
    if (__builtin_sub_overflow(amount, x->amount, difference))
        *difference = amount > 0 ? INT64_MAX : -INT64_MAX;
    if (*difference <= BALANCE_TOLERANCE && *difference >= -BALANCE_TOLERANCE) {
        x->doubted = false;
        return BALANCE_EQUAL;
    }
    bool again = x->doubted && x->difference == *difference && x->doubted_at == x->changes;
    x->doubted = true;
    x->difference = *difference;
    x->doubted_at = x->changes;
    return again ? BALANCE_DIFFERS : BALANCE_DOUBTED;
}

bool
balances_expected(const struct balances *b, uint32_t venue, uint32_t ccy, value_t *amount)
{
    ASSERT(venue < VENUE_MAX && ccy < CURRENCY_MAX);
    *amount = b->at[venue][ccy].amount;
    return b->at[venue][ccy].known;
}
