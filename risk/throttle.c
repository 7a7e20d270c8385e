/* Token bucket, the cold half. See throttle.h. */
#include "risk/throttle.h"

void
throttle_set(struct throttle *t, struct rate_limit rate, mono_ns_t now)
{
    throttle_refill(t, now);
    t->rate = rate;
    t->level = MIN(t->level, (int64_t)rate.burst * NS_PER_S);
}
