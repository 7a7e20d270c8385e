/* Integer token bucket: exact over any interval, saturating, never rounds a token away.
 *
 * The level is kept in billionths of a token, so that one nanosecond adds exactly `per_s` of them.
 *
 * Always true: 0 <= level <= burst tokens; a clock that steps back adds nothing; rate 0 or burst 0 never yields. */
#ifndef EXECGW_RISK_THROTTLE_H
#define EXECGW_RISK_THROTTLE_H

#include "execgw/clock.h"

#define RATE_PER_S_MAX 1000000u
#define RATE_BURST_MAX 1000000u

/* Tokens per second and how many may be saved up; both in [1, their maximum] when validated. */
struct rate_limit {
    uint32_t per_s;
    uint32_t burst;
};

struct throttle {
    int64_t level;   /* token * 10^-9 */
    int64_t last_ns; /* mono_ns_t.ns of the last refill */
    struct rate_limit rate;
};

/* A full bucket. */
static inline void
throttle_init(struct throttle *t, struct rate_limit rate, mono_ns_t now)
{
    *t = (struct throttle){ .level = (int64_t)rate.burst * NS_PER_S, .last_ns = now.ns, .rate = rate };
}

static inline void
throttle_refill(struct throttle *t, mono_ns_t now)
{
    int64_t full = (int64_t)t->rate.burst * NS_PER_S;
    int64_t dt = now.ns - t->last_ns;
    int64_t add;

    if (unlikely(dt <= 0))
        return;
    t->last_ns = now.ns;
    if (unlikely(__builtin_mul_overflow(dt, (int64_t)t->rate.per_s, &add)) || add >= full - t->level)
        t->level = full;
    else
        t->level += add;
}

/* True when a whole token is there; takes nothing. */
static inline bool
throttle_ready(struct throttle *t, mono_ns_t now)
{
    throttle_refill(t, now);
    return t->level >= NS_PER_S;
}

/* Take the token that throttle_ready() has just shown. */
static inline void
throttle_spend(struct throttle *t)
{
    ASSERT(t->level >= NS_PER_S);
    t->level -= NS_PER_S;
}

static inline bool
throttle_take(struct throttle *t, mono_ns_t now)
{
    if (!throttle_ready(t, now))
        return false;
    throttle_spend(t);
    return true;
}

/* Whole tokens left at the last refill. */
static inline int64_t
throttle_tokens(const struct throttle *t)
{
    return t->level / NS_PER_S;
}

/* New rate: what was saved up is kept up to the new burst, so tightening is instant and loosening grants nothing. */
void throttle_set(struct throttle *t, struct rate_limit rate, mono_ns_t now);

#endif
