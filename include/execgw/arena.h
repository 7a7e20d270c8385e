/* Start-up memory: one mapping, handed out in order, sealed before the loop runs.
 *
 * Every module states its X_footprint(counts); main adds them up, maps and touches that much, X_init()s them from the
 * arena and seals it. Nobody frees.
 *
 * Always true: used <= size; after arena_seal() a take is an assertion failure. */
#ifndef EXECGW_ARENA_H
#define EXECGW_ARENA_H

#include "execgw/base.h"

struct arena {
    uint8_t *base; /* aligned to CACHE_LINE or better; the caller's mapping */
    size_t size;
    size_t used;
    bool sealed;
};

#define ARENA_ALIGN 64u

/* What one arena_take of `bytes` costs at most: sum these for a footprint. */
static inline size_t
arena_cost(size_t bytes)
{
    return (bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
}

/* `bytes` of zeroed memory aligned to ARENA_ALIGN. Never NULL: running out means that a footprint lies. */
static inline void *
arena_take(struct arena *a, size_t bytes)
{
    ASSERT(!a->sealed);
    size_t cost = arena_cost(bytes);
    ASSERT(cost >= bytes && cost <= a->size - a->used);
    uint8_t *p = a->base + a->used;
    a->used += cost;
    memset(p, 0, cost);
    return p;
}

static inline void
arena_seal(struct arena *a)
{
    a->sealed = true;
}

#endif
