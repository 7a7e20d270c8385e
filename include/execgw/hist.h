/* Latency histogram: counts of nanoseconds in log-linear buckets, HDR style, in fixed memory.
 *
 * Recorded by one thread with relaxed atomics; any thread or process that maps the memory may read it while it moves.
 * Zeroed memory is an empty histogram.
 *
 * Always true: every int64_t has a bucket (negative values count as 0); values below 64 are exact, above that a
 * bucket is at most 1/32 (3.2 %) of its value wide; the sum of the buckets is the count. */
#ifndef EXECGW_HIST_H
#define EXECGW_HIST_H

#include "execgw/base.h"
#include <stdatomic.h>

#define HIST_SUB_BITS 5u
#define HIST_SUB      (1u << HIST_SUB_BITS)
#define HIST_BUCKETS  ((63u - HIST_SUB_BITS) * HIST_SUB + HIST_SUB)

struct hist {
    _Atomic uint64_t sum; /* of all values; wraps after 584 years of latency */
    _Atomic int64_t max;
    _Atomic uint64_t bucket[HIST_BUCKETS];
};

/* The bucket of a value, in [0, HIST_BUCKETS). */
static inline uint32_t
hist_index(int64_t ns)
{
    uint64_t v = ns < 0 ? 0 : (uint64_t)ns;
    if (v < 2 * HIST_SUB)
        return (uint32_t)v;
    uint32_t shift = 63u - (uint32_t)__builtin_clzll(v) - HIST_SUB_BITS;
    return shift * HIST_SUB + (uint32_t)(v >> shift);
}

/* The lowest and the highest value that fall into a bucket. */
static inline int64_t
hist_lowest(uint32_t index)
{
    if (index < 2 * HIST_SUB)
        return index;
    uint32_t shift = index / HIST_SUB - 1;
    return (int64_t)((uint64_t)(index % HIST_SUB + HIST_SUB) << shift);
}

static inline int64_t
hist_highest(uint32_t index)
{
    return index + 1 < HIST_BUCKETS ? hist_lowest(index + 1) - 1 : INT64_MAX;
}

/* Hot. One value, n times. Writer only. */
static inline void
hist_record_n(struct hist *h, int64_t ns, uint64_t n)
{
    int64_t v = ns < 0 ? 0 : ns;
    _Atomic uint64_t *b = &h->bucket[hist_index(v)];

    /* Relaxed load and store: one writer, and a reader needs no order between buckets. */
    atomic_store_explicit(b, atomic_load_explicit(b, memory_order_relaxed) + n, memory_order_relaxed);
    atomic_store_explicit(&h->sum, atomic_load_explicit(&h->sum, memory_order_relaxed) + (uint64_t)v * n,
                          memory_order_relaxed);
    if (v > atomic_load_explicit(&h->max, memory_order_relaxed))
        atomic_store_explicit(&h->max, v, memory_order_relaxed);
}

static inline void
hist_record(struct hist *h, int64_t ns)
{
    hist_record_n(h, ns, 1);
}

static inline uint64_t
hist_count(const struct hist *h)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < HIST_BUCKETS; i++)
        n += atomic_load_explicit(&h->bucket[i], memory_order_relaxed);
    return n;
}

static inline uint64_t
hist_sum(const struct hist *h)
{
    return atomic_load_explicit(&h->sum, memory_order_relaxed);
}

static inline int64_t
hist_max(const struct hist *h)
{
    return atomic_load_explicit(&h->max, memory_order_relaxed);
}

/* Values at most `ns`, as whole buckets: a bucket that `ns` cuts counts when its highest value is within. */
static inline uint64_t
hist_count_within(const struct hist *h, int64_t ns)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < HIST_BUCKETS && hist_highest(i) <= ns; i++)
        n += atomic_load_explicit(&h->bucket[i], memory_order_relaxed);
    return n;
}

/* The value that `ppm` of 1,000,000 values do not exceed (p50 = 500000, p99.9 = 999000): the highest value of its
 * bucket, never more than the maximum seen. 0 when empty. */
static inline int64_t
hist_quantile(const struct hist *h, uint32_t ppm)
{
    uint64_t total = hist_count(h);
    uint64_t rank = (uint64_t)(((unsigned __int128)total * MIN(ppm, 1000000u) + 999999u) / 1000000u);
    uint64_t seen = 0;

    if (total == 0)
        return 0;
    if (rank == 0)
        rank = 1;
    for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
        seen += atomic_load_explicit(&h->bucket[i], memory_order_relaxed);
        if (seen >= rank)
            return MIN(hist_highest(i), hist_max(h));
    }
    return hist_max(h);
}

/* Add everything of `from` to `to`. The caller is the only writer of `to`. */
static inline void
hist_merge(struct hist *to, const struct hist *from)
{
    for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
        uint64_t n = atomic_load_explicit(&from->bucket[i], memory_order_relaxed);
        if (n != 0)
            atomic_store_explicit(&to->bucket[i], atomic_load_explicit(&to->bucket[i], memory_order_relaxed) + n,
                                  memory_order_relaxed);
    }
    atomic_store_explicit(&to->sum, hist_sum(to) + hist_sum(from), memory_order_relaxed);
    atomic_store_explicit(&to->max, MAX(hist_max(to), hist_max(from)), memory_order_relaxed);
}

/* Forget everything. Writer only. */
static inline void
hist_reset(struct hist *h)
{
    for (uint32_t i = 0; i < HIST_BUCKETS; i++)
        atomic_store_explicit(&h->bucket[i], 0, memory_order_relaxed);
    atomic_store_explicit(&h->sum, 0, memory_order_relaxed);
    atomic_store_explicit(&h->max, 0, memory_order_relaxed);
}

#endif
