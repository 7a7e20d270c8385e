/* Prices at which our own orders of one side rest in one instrument: the best in O(1), others bounded.
 *
 * Fed by order deltas; read before the wire, so that no strategy trades against another one of ours. The best
 * OWN_LEVELS prices are kept exactly; what is worse is counted, and of it only the best price ever seen is remembered.
 *
 * Always true: best() is never worse than the true best: when only counted orders are left it may be better, so an
 * order may be denied that would not have met one, never the other way round; 0 = nothing rests. */
#ifndef EXECGW_RISK_OWN_SIDE_H
#define EXECGW_RISK_OWN_SIDE_H

#include "execgw/order.h"

#define OWN_LEVELS 15

struct own_level {
    px_t px;
    uint32_t count;
    uint32_t pad;
};

struct own_side {
    uint32_t levels;
    uint32_t beyond;                    /* orders at prices not kept */
    px_t beyond_best;                   /* bound of their prices, while beyond > 0 */
    struct own_level level[OWN_LEVELS]; /* best first */
};
_Static_assert(sizeof(struct own_side) == 256, "four cache lines");

static inline px_t
own_side_best(const struct own_side *s)
{
    if (s->levels > 0)
        return s->level[0].px;
    return s->beyond > 0 ? s->beyond_best : 0;
}

/* One order more, one less, at px > 0. An order that is taken away was put there: else it is our bug. */
void own_side_add(struct own_side *s, enum side side, px_t px);
void own_side_remove(struct own_side *s, enum side side, px_t px);

/* Cold. The prices are in other decimals from here on: as those of the orders, rounded towards zero where they shrink.
 */
void own_side_reprice(struct own_side *s, unsigned from, unsigned to);

#endif
