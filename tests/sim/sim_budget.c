/* What the venue lets its user ask: weight per minute and new orders per ten seconds, counted here as requests arrive.
 *
 * A gateway that alone uses its account never has to be told that it asked too much: it knows the limits and counts
 * what it sends. What it sent just before a window ends may count in the next one, as may what it sends while its idea
 * of the venue's clock is off: that much is forgiven. */
#include "tests/sim/sim.h"

#define EDGE_NS (3 * NS_PER_S)
/* What a start sends before the first answer tells it where it stands: the question for the time, a few times. */
#define START_COST 5

void
budget_init_truth(struct sim *s)
{
    static const int64_t length[BUDGETS] = { 60 * NS_PER_S, 10 * NS_PER_S };

    for (unsigned i = 0; i < BUDGETS; i++)
        s->budget[i] = (struct budget_truth){ .window_ns = length[i] };
    s->budget[BUDGET_OF_WEIGHT].limit = sim_any(s, 2) == 0 ? 6000 : sim_between(s, 1200, 6000);
    s->budget[BUDGET_OF_ORDERS].limit = sim_any(s, 2) == 0 ? 1000 : sim_between(s, 10, 100);
    s->says_limits = sim_any(s, 4) != 0;
    s->reserve_percent = sim_any(s, 2) == 0 ? 0 : 10 * (uint32_t)sim_any(s, 6);
    s->http = (struct http_truth){ .max = sim_any(s, 2) == 0 ? 0 : sim_between(s, 15, 40) };
    s->http.per_ns = sim_between(s, 500, 1000) * NS_PER_MS;
}

static void
roll(struct sim *s, struct budget_truth *b)
{
    int64_t window = venue_clock(s) / b->window_ns;

    if (window != b->window) {
        b->back = window == b->window + 1 ? b->back_now : 0;
        b->used = b->edge = b->back_now = 0;
        b->window = window;
    }
}

bool
budget_take(struct sim *s, enum budget_kind which, unsigned cost)
{
    struct budget_truth *b = &s->budget[which];

    if (cost == 0)
        return true;
    roll(s, b);
    int64_t into = venue_clock(s) % b->window_ns;
    b->used += cost;
    if (into < EDGE_NS || into > b->window_ns - EDGE_NS)
        b->edge += cost;
    if (b->used <= b->limit)
        return true;
    if (b->used - b->edge > b->limit + START_COST + b->back + b->back_now)
        sim_fail(s, "%s: %lld in one window of the venue, whose limit is %lld",
                 which == BUDGET_OF_WEIGHT ? "weight of requests" : "new orders", (long long)b->used,
                 (long long)b->limit);
    return false;
}

void
budget_return(struct sim *s)
{
    struct budget_truth *b = &s->budget[BUDGET_OF_ORDERS];

    roll(s, b);
    b->back_now += b->used > 0;
    b->used = MAX(b->used - 1, 0);
}

void
budget_leaves(struct sim *s)
{
    const struct budget_truth *b = &s->budget[BUDGET_OF_WEIGHT];
    int64_t kept = b->limit * s->reserve_percent / 100;

    if (b->used - b->edge > b->limit - kept + START_COST)
        sim_fail(s, "weight of requests: %lld of %lld are spent by what is no cancel, and %lld are kept for cancels",
                 (long long)b->used, (long long)b->limit, (long long)kept);
}

bool
budget_http(struct sim *s, unsigned cost)
{
    struct http_truth *h = &s->http;
    int64_t passed = s->t - h->at;

    if (h->max == 0)
        return true;
    h->at = s->t;
    h->used_ns = MAX(h->used_ns - passed, 0) + cost * h->per_ns;
    h->mine_ns = MAX(h->mine_ns - passed, 0) + cost * h->per_ns;
    if (h->mine_ns > (h->max + 1) * h->per_ns)
        sim_fail(s, "requests over HTTP: the counter is at %lld, the venue's limit is %lld",
                 (long long)(h->mine_ns / h->per_ns), (long long)h->max);
    return h->used_ns <= h->max * h->per_ns;
}

void
budget_core_starts(struct sim *s)
{
    for (unsigned i = 0; i < BUDGETS; i++) {
        roll(s, &s->budget[i]);
        s->budget[i].edge = s->budget[i].used;
    }
    s->http.mine_ns = 0;
}

int64_t
budget_used_truth(struct sim *s, enum budget_kind which)
{
    roll(s, &s->budget[which]);
    return s->budget[which].used;
}
