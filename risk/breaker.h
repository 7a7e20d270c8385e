/* Windows that breakers look at: how many samples, how many of them beyond a bound; and the best result lately.
 *
 * Always true: a window is decided by what it has counted and the time handed in alone; one that is over starts anew
 * with the next sample. */
#ifndef EXECGW_RISK_BREAKER_H
#define EXECGW_RISK_BREAKER_H

#include "execgw/clock.h"
#include "execgw/fixed.h"

struct breaker {
    int64_t since_ns;
    uint32_t samples;
    uint32_t beyond;
};

/* One sample. */
static inline void
breaker_note(struct breaker *b, bool beyond, int64_t window_ns, mono_ns_t now)
{
    if (b->samples == 0 || now.ns - b->since_ns >= window_ns || now.ns < b->since_ns)
        *b = (struct breaker){ .since_ns = now.ns };
    b->samples++;
    b->beyond += beyond;
}

/* More than one of `one_of` samples lies beyond; of fewer than `least`, as many as would be too many of `least`. */
static inline bool
breaker_past(const struct breaker *b, uint32_t one_of, uint32_t least)
{
    return (uint64_t)b->beyond * one_of > MAX(b->samples, least);
}

/* The best of the running and the last window: a fall from it within one window is never missed. */
struct breaker_best {
    int64_t since_ns; /* 0 = none yet */
    value_t best;
    value_t before;
};

static inline value_t
breaker_best_note(struct breaker_best *b, value_t result, int64_t window_ns, mono_ns_t now)
{
    if (b->since_ns == 0 || now.ns < b->since_ns || now.ns - b->since_ns >= 2 * window_ns) {
        *b = (struct breaker_best){ .since_ns = now.ns, .best = result, .before = result };
    } else if (now.ns - b->since_ns >= window_ns) {
        b->before = b->best;
        b->best = result;
        b->since_ns += window_ns;
    }
    b->best = MAX(b->best, result);
    return MAX(b->best, b->before);
}

#endif
