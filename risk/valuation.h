/* What one unit of an instrument is worth in the reporting currency, as a product that needs no division.
 *
 * Made from a mark (the middle of a live book), the contract's multiplier and the rate of its quote or settle currency
 * when the mark changes; used on every order. Rounded up throughout: exposure is never shown too low.
 *
 * Always true: unit < 2^62 and shift <= 62, so that a quantity up to RISK_QTY_MAX times unit fits 128 bits; unit 0 =
 * cannot be valued, which the checks take as a missing input. */
#ifndef EXECGW_RISK_VALUATION_H
#define EXECGW_RISK_VALUATION_H

#include "risk/limits.h"

struct valuation {
    uint64_t unit; /* value_t of one count of quantity, times 2^shift; 0 = none */
    px_t mark;     /* 0 = never marked */
    int64_t mark_ns;
    uint8_t shift;
    bool fresh; /* as of the last risk_mark(): mark and rate were young enough */
};

/* How an instrument's price and quantity become money. */
struct contract {
    int64_t multiplier;
    uint8_t px_decimals;
    uint8_t qty_decimals;
    uint8_t kind; /* enum instrument_kind */
};

/* Cold. Of one count of quantity at px, in the currency that `rate` (10^-RATE_DECIMALS) converts from: quote (spot,
 * linear) or settle (inverse). px and rate > 0. */
void valuation_set(struct valuation *v, const struct contract *c, px_t px, int64_t rate);

/* Hot. qty >= 0; rounded up; saturates at RISK_QTY_MAX. */
static inline value_t
valuation_of(const struct valuation *v, qty_t qty)
{
    unsigned __int128 raw = (unsigned __int128)v->unit * (uint64_t)qty;
    unsigned __int128 out = (raw + (((unsigned __int128)1 << v->shift) - 1)) >> v->shift;
    return unlikely(out > (unsigned __int128)RISK_QTY_MAX) ? RISK_QTY_MAX : (value_t)out;
}

/* Signed: the magnitude is rounded up. */
static inline value_t
valuation_signed(const struct valuation *v, qty_t qty)
{
    return qty < 0 ? -valuation_of(v, qty == INT64_MIN ? INT64_MAX : -qty) : valuation_of(v, qty);
}

/* Money of one currency in the reporting currency, rounded down (towards less): rate 10^-RATE_DECIMALS. Saturates. */
value_t rate_convert_floor(value_t v, int64_t rate);

#endif
