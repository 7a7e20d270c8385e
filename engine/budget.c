/* Rate budgets. See budget.h. */
#include "engine/budget.h"

#define LIMIT_MAX (INT64_C(1) << 31) /* of anything told: products with a percentage and with time stay in range */

/* Orders are spent by nothing but orders: there is nothing to keep for cancels. */
static bool
cancels_spend(enum venue_budget which)
{
    return which == VENUE_BUDGET_WEIGHT || which == VENUE_BUDGET_DECAY;
}

void
budget_init(struct budget *b, uint32_t reserve_percent)
{
    ASSERT(reserve_percent <= 90);
    *b = (struct budget){ .reserve_percent = reserve_percent };
}

static inline int64_t
used_now(const struct budget_window *w, enum venue_budget which, int64_t venue_ns)
{
    if (which != VENUE_BUDGET_DECAY)
        return venue_ns >= w->ends_ns ? 0 : w->used;
    int64_t since = MAX(venue_ns - w->at_ns, 0);
    if (w->window_ns <= 0 || since >= w->window_ns)
        return w->window_ns <= 0 ? w->used : MAX(w->used - w->limit, 0);
    return MAX(w->used - (int64_t)((wide_t)w->limit * since / w->window_ns), 0);
}

/* Into the window that now is in. */
static inline void
roll(struct budget_window *w, enum venue_budget which, int64_t venue_ns)
{
    if (which == VENUE_BUDGET_DECAY) {
        w->used = used_now(w, which, venue_ns);
        w->at_ns = venue_ns;
    } else if (venue_ns >= w->ends_ns) {
        w->used = 0;
        if (w->window_ns > 0)
            w->ends_ns = (venue_ns - BUDGET_LATE_NS) / w->window_ns * w->window_ns + w->window_ns + BUDGET_LATE_NS;
    }
}

void
budget_told(struct budget *b, enum venue_budget which, int64_t limit, int64_t used, int64_t window_ns, int64_t venue_ns)
{
    ASSERT((unsigned)which < VENUE_BUDGET_COUNT);
    struct budget_window *w = &b->window[which];

    if (limit < 0 || limit > LIMIT_MAX || used > LIMIT_MAX || window_ns < 0 ||
        window_ns > INT64_C(7) * 86400 * NS_PER_S)
        return; /* not a budget: what is known stays */
    if (limit != 0) {
        w->limit = limit;
        w->kept = cancels_spend(which) ? limit * b->reserve_percent / 100 : 0;
    }
    if (window_ns != 0 && window_ns != w->window_ns) {
        w->window_ns = window_ns;
        w->ends_ns = 0;
    }
    roll(w, which, venue_ns);
    if (used >= 0)
        w->used = which == VENUE_BUDGET_DECAY ? used : MAX(w->used, used);
}

static inline int64_t
cost_of(const struct venue_cost *c, enum venue_budget which)
{
    return which == VENUE_BUDGET_WEIGHT ? c->weight : which == VENUE_BUDGET_DECAY ? c->decay : c->orders;
}

bool
budget_ready(const struct budget *b, const struct venue_cost *cost, bool cancel, int64_t venue_ns)
{
    for (unsigned i = 0; i < VENUE_BUDGET_COUNT; i++) {
        const struct budget_window *w = &b->window[i];
        int64_t c = cost_of(cost, (enum venue_budget)i);
        if (c == 0 || w->limit == 0)
            continue;
        if (used_now(w, (enum venue_budget)i, venue_ns) + c > w->limit - (cancel ? 0 : w->kept))
            return false;
    }
    return true;
}

void
budget_spend(struct budget *b, const struct venue_cost *cost, int64_t venue_ns)
{
    for (unsigned i = 0; i < VENUE_BUDGET_COUNT; i++) {
        struct budget_window *w = &b->window[i];
        int64_t c = cost_of(cost, (enum venue_budget)i);
        if (c == 0)
            continue;
        roll(w, (enum venue_budget)i, venue_ns);
        w->used = MIN(w->used + c, LIMIT_MAX);
    }
}

void
budget_give_back(struct budget *b, int64_t venue_ns)
{
    for (unsigned i = VENUE_BUDGET_ORDERS; i <= VENUE_BUDGET_ORDERS_DAY; i++) {
        struct budget_window *w = &b->window[i];
        roll(w, (enum venue_budget)i, venue_ns);
        w->used = MAX(w->used - 1, 0);
    }
}

int64_t
budget_used(const struct budget *b, enum venue_budget which, int64_t venue_ns)
{
    ASSERT((unsigned)which < VENUE_BUDGET_COUNT);
    return used_now(&b->window[which], which, venue_ns);
}

/* ---- one counter ---- */

void
budget_counter_init(struct budget_window *w, int64_t limit, int64_t window_ns, uint32_t reserve_percent)
{
    ASSERT(limit >= 0 && limit <= LIMIT_MAX && reserve_percent <= 90);
    *w = (struct budget_window){ .limit = limit, .window_ns = window_ns, .kept = limit * reserve_percent / 100 };
}

void
budget_counter_told(struct budget_window *w, int64_t used, int64_t venue_ns)
{
    if (used < 0 || used > LIMIT_MAX)
        return;
    w->used = used;
    w->at_ns = venue_ns;
}

void
budget_counter_spend(struct budget_window *w, int64_t cost, int64_t venue_ns)
{
    roll(w, VENUE_BUDGET_DECAY, venue_ns);
    w->used = MIN(w->used + cost, LIMIT_MAX);
}

bool
budget_counter_ready(const struct budget_window *w, int64_t cost, int64_t venue_ns)
{
    return w->limit == 0 || used_now(w, VENUE_BUDGET_DECAY, venue_ns) + cost <= w->limit - w->kept;
}

int64_t
budget_counter_used(const struct budget_window *w, int64_t venue_ns)
{
    return used_now(w, VENUE_BUDGET_DECAY, venue_ns);
}
