/* Timer wheel. See timer.h. */
#include "engine/io/timer.h"

#define DIGIT_BITS 6
#define DIGIT_MASK 63u
#define TICK_NS    NS_PER_MS
#define TICK_MAX   ((UINT64_C(1) << (TIMER_LEVELS * DIGIT_BITS)) - 1)
_Static_assert(TIMER_SLOTS == 1 << DIGIT_BITS, "a slot per value of a digit");

static unsigned
digit(uint64_t tick, unsigned level)
{
    return (unsigned)(tick >> (level * DIGIT_BITS)) & DIGIT_MASK;
}

/* Rounded up, so that no timer fires early. */
static uint64_t
tick_due(mono_ns_t at)
{
    if (at.ns <= 0)
        return 0;
    uint64_t t = (uint64_t)at.ns / TICK_NS + ((uint64_t)at.ns % TICK_NS != 0);
    return MIN(t, TICK_MAX);
}

static uint64_t
tick_now(mono_ns_t now)
{
    return now.ns <= 0 ? 0 : MIN((uint64_t)now.ns / TICK_NS, TICK_MAX);
}

static void
list_put(struct timer_wheel *w, uint32_t id)
{
    struct timer_node *n = &w->node[id];
    uint64_t differs = n->tick ^ w->tick;
    unsigned level = differs == 0 ? 0 : (unsigned)(63 - __builtin_clzll(differs)) / DIGIT_BITS;
    unsigned slot = digit(n->tick, level);
    uint32_t *head = &w->head[level * TIMER_SLOTS + slot];

    n->slot = (int16_t)(level * TIMER_SLOTS + slot);
    n->prev = TIMER_NONE;
    n->next = *head;
    if (*head != TIMER_NONE)
        w->node[*head].prev = id;
    *head = id;
    w->used[level] |= UINT64_C(1) << slot;
}

static void
list_drop(struct timer_wheel *w, uint32_t id)
{
    struct timer_node *n = &w->node[id];
    unsigned slot = (unsigned)n->slot;

    if (n->prev != TIMER_NONE)
        w->node[n->prev].next = n->next;
    else
        w->head[slot] = n->next;
    if (n->next != TIMER_NONE)
        w->node[n->next].prev = n->prev;
    if (w->head[slot] == TIMER_NONE)
        w->used[slot / TIMER_SLOTS] &= ~(UINT64_C(1) << (slot % TIMER_SLOTS));
    n->slot = -1;
}

/* Level whose slot at the current digit still holds timers to be dealt out (level 0: to be fired), -1 for none. */
static int
level_open(const struct timer_wheel *w)
{
    for (unsigned level = TIMER_LEVELS; level-- > 0;)
        if ((w->used[level] >> digit(w->tick, level) & 1) != 0)
            return (int)level;
    return -1;
}

/* First tick after the current one with something to do; every slot behind the current digit of the lowest used level
 * comes before any slot of a higher level. */
static bool
tick_next(const struct timer_wheel *w, uint64_t *tick)
{
    for (unsigned level = 0; level < TIMER_LEVELS; level++) {
        if (w->used[level] == 0)
            continue;
        unsigned slot = (unsigned)__builtin_ctzll(w->used[level]);
        uint64_t above = w->tick >> ((level + 1) * DIGIT_BITS) << ((level + 1) * DIGIT_BITS);
        *tick = above | (uint64_t)slot << (level * DIGIT_BITS);
        return true;
    }
    return false;
}

size_t
timer_footprint(uint32_t timer_max)
{
    return arena_cost((size_t)timer_max * sizeof(struct timer_node));
}

void
timer_init(struct timer_wheel *w, uint32_t timer_max, struct arena *arena, mono_ns_t now)
{
    ASSERT(timer_max > 0 && timer_max <= UINT32_C(1) << 31);
    memset(w, 0, sizeof(*w));
    w->node = (struct timer_node *)arena_take(arena, (size_t)timer_max * sizeof(struct timer_node));
    w->timer_max = timer_max;
    w->tick = tick_now(now);
    for (size_t i = 0; i < ARRAY_LEN(w->head); i++)
        w->head[i] = TIMER_NONE;
    for (uint32_t i = 0; i < timer_max; i++)
        w->node[i].slot = -1;
}

void
timer_arm(struct timer_wheel *w, uint32_t id, mono_ns_t at)
{
    ASSERT(id < w->timer_max);
    timer_cancel(w, id);
    if (at.ns == MONO_NEVER.ns)
        return;
    w->node[id].tick = MAX(tick_due(at), w->tick);
    list_put(w, id);
    w->armed_count++;
}

void
timer_cancel(struct timer_wheel *w, uint32_t id)
{
    ASSERT(id < w->timer_max);
    if (w->node[id].slot < 0)
        return;
    list_drop(w, id);
    w->armed_count--;
}

bool
timer_armed(const struct timer_wheel *w, uint32_t id)
{
    ASSERT(id < w->timer_max);
    return w->node[id].slot >= 0;
}

bool
timer_expire(struct timer_wheel *w, mono_ns_t now, uint32_t max, timer_fn *fire, void *ctx)
{
    uint64_t until = tick_now(now);

    for (uint32_t done = 0;;) {
        int level = level_open(w);
        if (level < 0) {
            uint64_t next;
            if (!tick_next(w, &next) || next > until) {
                w->tick = MAX(w->tick, until);
                return false;
            }
            w->tick = next;
            continue;
        }
        if (done++ == max)
            return true;
        uint32_t id = w->head[(unsigned)level * TIMER_SLOTS + digit(w->tick, (unsigned)level)];
        list_drop(w, id);
        if (level > 0) {
            list_put(w, id); /* shares this digit with the wheel now: lands at a lower level */
            continue;
        }
        w->armed_count--;
        fire(ctx, id);
    }
}

mono_ns_t
timer_next(const struct timer_wheel *w)
{
    uint64_t tick = w->tick;

    if (level_open(w) < 0 && !tick_next(w, &tick))
        return MONO_NEVER;
    return (mono_ns_t){ (int64_t)tick * TICK_NS };
}
