/* Rate budgets of one venue: what it lets us ask, what we have spent, and what is kept back for cancels.
 *
 * Limits and counts are the venue's own: told with its reference data and with its answers. Between two answers our own
 * requests are added up. Windows are aligned to the venue's clock; a counter that decays falls evenly. Pure: time is
 * the venue's, as the gateway knows it.
 *
 * Always true: a budget whose limit was never told is never in the way; what only cancels may spend is left by
 * everything else; within one window the count falls only by what the venue gives back (an order's first fill) or tells
 * of a counter that decays. */
#ifndef EXECGW_ENGINE_BUDGET_H
#define EXECGW_ENGINE_BUDGET_H

#include "engine/venue/venue.h"

/* A window counts as over only this much after its end by our idea of the venue's clock. */
#define BUDGET_LATE_NS (50 * NS_PER_MS)

struct budget_window {
    int64_t limit;     /* 0 = not told */
    int64_t kept;      /* of it for cancels */
    int64_t used;      /* DECAY: at `at_ns` */
    int64_t window_ns; /* DECAY: the time in which `limit` is paid back */
    int64_t ends_ns;   /* venue clock: from here on `used` counts from 0 */
    int64_t at_ns;     /* DECAY: when `used` was so */
};

struct budget {
    struct budget_window window[VENUE_BUDGET_COUNT];
    uint32_t reserve_percent;
};

/* reserve_percent in [0, 90]: of what cancels spend too, this much is left for them. */
void budget_init(struct budget *b, uint32_t reserve_percent);

/* The venue tells a limit (0: as before), what is used (< 0: not said) and its window. */
void budget_told(struct budget *b, enum venue_budget which, int64_t limit, int64_t used, int64_t window_ns,
                 int64_t venue_ns);

/* Hot. May a request of this cost be sent now? A cancel may spend what is kept back. */
bool budget_ready(const struct budget *b, const struct venue_cost *cost, bool cancel, int64_t venue_ns);

/* Hot. It was sent. */
void budget_spend(struct budget *b, const struct venue_cost *cost, int64_t venue_ns);

/* An order was filled for the first time: venues that count unfilled orders give it back. */
void budget_give_back(struct budget *b, int64_t venue_ns);

/* One counter that decays, by itself: `limit` is paid back in window_ns; limit 0 = not counted. */
void budget_counter_init(struct budget_window *w, int64_t limit, int64_t window_ns, uint32_t reserve_percent);
/* The venue tells what is used. */
void budget_counter_told(struct budget_window *w, int64_t used, int64_t venue_ns);
void budget_counter_spend(struct budget_window *w, int64_t cost, int64_t venue_ns);
/* May something other than a cancel be sent? */
bool budget_counter_ready(const struct budget_window *w, int64_t cost, int64_t venue_ns);
int64_t budget_counter_used(const struct budget_window *w, int64_t venue_ns);

/* What is used of a budget now. */
int64_t budget_used(const struct budget *b, enum venue_budget which, int64_t venue_ns);

#endif
