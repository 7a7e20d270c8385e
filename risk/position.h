/* Position and reservations of one (account, instrument), in one cache line.
 *
 * Fed by order deltas alone (include/execgw/order.h): oms computes what one change of an order does, this adds it up.
 * `qty` is what is held: fills, minus fees that were paid in the base currency of a spot instrument (rounded down to a
 * unit; the rest stays in `fee_base`).
 *
 * Always true: reserved[side] >= 0, open_count and unknown_count never wrap: a delta that would break this is our bug
 * and asserts; worst-case long is qty + reserved[BUY], worst-case short is qty - reserved[SELL], never netted. */
#ifndef EXECGW_RISK_POSITION_H
#define EXECGW_RISK_POSITION_H

#include "execgw/order.h"

struct position {
    qty_t qty;         /* signed; fills and base-currency fees */
    qty_t reserved[2]; /* by enum side: working, in flight and unknown orders; >= 0 */
    qty_t filled;      /* signed; fills alone, since the last position_set */
    value_t fee_base;  /* fees paid in the base currency since then, at 10^-8; negative is a rebate */
    uint32_t open_count;
    uint32_t unknown_count;
    qty_t start;     /* qty at the last position_set */
    bool reconciled; /* the venue has confirmed `qty`: reductions may be proven from it */
    uint8_t qty_decimals;
    uint16_t fee_ccy_base; /* base currency of a spot instrument; UINT16_MAX: fees never change the inventory */
};
_Static_assert(sizeof(struct position) == 64, "one cache line");

/* A position with nothing in it, for this instrument. */
void position_init(struct position *p, const struct instrument *ins);

/* What the venue (or replay) says is held. Reservations stay. */
void position_set(struct position *p, qty_t qty, bool reconciled);

/* Warm. Add one delta up. */
void position_apply(struct position *p, const struct order_delta *d);

/* A fee at 10^-8 as quantity, rounded up: what is held is never shown too high. */
qty_t position_fee_qty(value_t fee, unsigned qty_decimals);

/* Sums saturate at +-INT64_MAX. */
static inline qty_t
qty_add(qty_t a, qty_t b)
{
    qty_t sum;
    if (unlikely(__builtin_add_overflow(a, b, &sum)))
        return b > 0 ? INT64_MAX : -INT64_MAX;
    return sum;
}

/* Held position if every order on that side filled: signed; saturates at +-INT64_MAX, which is past any limit. */
static inline qty_t
position_worst(const struct position *p, enum side side, qty_t more)
{
    qty_t w;
    bool over;
    if (side == SIDE_BUY)
        over = __builtin_add_overflow(p->qty, p->reserved[SIDE_BUY], &w) || __builtin_add_overflow(w, more, &w);
    else
        over = __builtin_sub_overflow(p->qty, p->reserved[SIDE_SELL], &w) || __builtin_sub_overflow(w, more, &w);
    if (unlikely(over))
        return side == SIDE_BUY ? INT64_MAX : -INT64_MAX;
    return w;
}

/* How much of `side` can still be sent and only bring a reconciled position toward zero, even if everything else in
 * flight on that side fills. `taken_over` of the reservation belongs to an order that the new one amends (else 0). 0
 * when not reconciled. */
static inline qty_t
position_reducible(const struct position *p, enum side side, qty_t taken_over)
{
    qty_t room = side == SIDE_SELL ? p->qty : -p->qty;
    qty_t busy = p->reserved[side] - MIN(taken_over, p->reserved[side]);

    return p->reconciled && room > busy ? room - busy : 0;
}

#endif
