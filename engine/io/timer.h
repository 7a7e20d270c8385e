/* Timer wheel: a fixed number of timers, each armed for a moment of the monotonic clock, found again in O(1).
 *
 * Seven levels of 64 slots, one millisecond the finest; a slot of a higher level is dealt out to the lower ones when
 * its time comes. A pure data structure: time is an argument.
 *
 * Always true: an armed timer is in exactly one list, at the level of the highest digit in which its tick differs from
 * the wheel's; a timer never fires early, and less than a tick late if timer_expire is called on time. */
#ifndef EXECGW_ENGINE_IO_TIMER_H
#define EXECGW_ENGINE_IO_TIMER_H

#include "execgw/arena.h"
#include "execgw/clock.h"

#define TIMER_LEVELS 7
#define TIMER_SLOTS  64
#define TIMER_NONE   UINT32_MAX

struct timer_node {
    uint64_t tick; /* due */
    uint32_t next;
    uint32_t prev;
    int16_t slot; /* level * TIMER_SLOTS + slot; -1 = not armed */
};

struct timer_wheel {
    struct timer_node *node;
    uint32_t timer_max;
    uint32_t armed_count;
    uint64_t tick; /* every slot before it is empty */
    uint64_t used[TIMER_LEVELS];
    uint32_t head[TIMER_LEVELS * TIMER_SLOTS];
};

typedef void timer_fn(void *ctx, uint32_t id);

/* timer_max in [1, 2^31]. */
size_t timer_footprint(uint32_t timer_max);
void timer_init(struct timer_wheel *w, uint32_t timer_max, struct arena *arena, mono_ns_t now);
/* Arm or re-arm timer `id`. A moment that has passed fires with the next timer_expire. MONO_NEVER disarms. */
void timer_arm(struct timer_wheel *w, uint32_t id, mono_ns_t at);
/* Nothing happens when it is not armed. */
void timer_cancel(struct timer_wheel *w, uint32_t id);
bool timer_armed(const struct timer_wheel *w, uint32_t id);
/* Fire what is due, each disarmed before its call (which may arm and cancel any timer). At most `max` timers are
 * touched; true when more is left to do now. */
bool timer_expire(struct timer_wheel *w, mono_ns_t now, uint32_t max, timer_fn *fire, void *ctx);
/* When timer_expire should be called next: never later than the first timer, MONO_NEVER when none is armed. */
mono_ns_t timer_next(const struct timer_wheel *w);

#endif
