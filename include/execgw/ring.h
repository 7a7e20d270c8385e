/* Single-producer single-consumer ring of fixed-size slots: lossless, bounded; full is an outcome.
 *
 * Between two threads, or two processes over a sealed memfd. `struct ring_mem` is what both see; each side holds its
 * own `struct ring_writer` or `struct ring_reader` in private memory with the geometry and its own index. The peer's
 * index is the only thing read from shared memory, and it is checked before use: a peer that writes nonsense sets
 * `broken`, and from then on the ring looks full (to the writer) or empty (to the reader).
 *
 * Always true: indexes run free and are compared by unsigned difference only; 0 <= tail - head <= capacity unless
 * broken; a slot belongs to the writer between claim and commit, to the reader between peek and release. Waking a
 * sleeping peer: ring_reader_sleep / ring_wake_needed, both with a seq_cst fence, so no wake-up is lost. */
#ifndef EXECGW_RING_H
#define EXECGW_RING_H

#include "execgw/base.h"
#include <stdatomic.h>

struct ring_mem {
    _Alignas(64) _Atomic uint64_t tail; /* written by the writer: slots published */
    _Alignas(64) _Atomic uint64_t head; /* written by the reader: slots consumed */
    _Atomic uint32_t sleeping;          /* written by the reader: wake me through my doorbell */
    _Alignas(64) uint8_t slot[];
};

struct ring_writer {
    struct ring_mem *mem;
    uint64_t tail;
    uint64_t head_seen;
    uint64_t capacity; /* power of two */
    uint32_t slot_bytes;
    bool broken;
};

struct ring_reader {
    struct ring_mem *mem;
    uint64_t head;
    uint64_t tail_seen;
    uint64_t capacity;
    uint32_t slot_bytes;
    bool broken;
};

/* Bytes of a ring_mem with `capacity` (a power of two) slots of `slot_bytes` (a multiple of 8). */
static inline size_t
ring_footprint(uint64_t capacity, uint32_t slot_bytes)
{
    return sizeof(struct ring_mem) + (size_t)capacity * slot_bytes;
}

/* mem is zeroed memory of ring_footprint() bytes. `start` is where both indexes begin: 0, or near wrap in tests. */
static inline void
ring_init(struct ring_mem *mem, uint64_t start)
{
    atomic_store_explicit(&mem->tail, start, memory_order_relaxed);
    atomic_store_explicit(&mem->head, start, memory_order_relaxed);
    atomic_store_explicit(&mem->sleeping, 0, memory_order_relaxed);
}

static inline void
ring_writer_init(struct ring_writer *w, struct ring_mem *mem, uint64_t start, uint64_t capacity, uint32_t slot_bytes)
{
    ASSERT(capacity != 0 && (capacity & (capacity - 1)) == 0 && slot_bytes % 8 == 0);
    *w = (struct ring_writer){
        .mem = mem, .tail = start, .head_seen = start, .capacity = capacity, .slot_bytes = slot_bytes
    };
}

static inline void
ring_reader_init(struct ring_reader *r, struct ring_mem *mem, uint64_t start, uint64_t capacity, uint32_t slot_bytes)
{
    ASSERT(capacity != 0 && (capacity & (capacity - 1)) == 0 && slot_bytes % 8 == 0);
    *r = (struct ring_reader){
        .mem = mem, .head = start, .tail_seen = start, .capacity = capacity, .slot_bytes = slot_bytes
    };
}

/* A slot to fill, or NULL when the reader is a full ring behind (or broken). Writer only; call ring_commit after. */
static inline void *
ring_claim(struct ring_writer *w)
{
    if (unlikely(w->tail - w->head_seen >= w->capacity)) { /* looks full: ask the reader again */
        /* Acquire: the reader's loads from a slot come before our overwriting it. */
        uint64_t head = atomic_load_explicit(&w->mem->head, memory_order_acquire);
        if (unlikely(w->broken || w->tail - head > w->capacity || head - w->head_seen > w->capacity)) {
            w->broken = true;
            return NULL;
        }
        w->head_seen = head;
        if (w->tail - head >= w->capacity)
            return NULL;
    }
    return w->mem->slot + (w->tail & (w->capacity - 1)) * w->slot_bytes;
}

/* Slots that may be claimed one after the other now; 0 when broken. Writer only. */
static inline uint64_t
ring_room(const struct ring_writer *w)
{
    /* Relaxed: only counted; ring_claim looks again before a slot is overwritten. */
    uint64_t used = w->tail - atomic_load_explicit(&w->mem->head, memory_order_relaxed);

    return w->broken || used > w->capacity ? 0 : w->capacity - used;
}

static inline void
ring_commit(struct ring_writer *w)
{
    w->tail++;
    /* Release: the reader must see the slot before the index that announces it. */
    atomic_store_explicit(&w->mem->tail, w->tail, memory_order_release);
}

/* Copy one slot in. False when full: nothing is written. */
static inline bool
ring_put(struct ring_writer *w, const void *slot)
{
    void *to = ring_claim(w);
    if (unlikely(to == NULL))
        return false;
    memcpy(to, slot, w->slot_bytes);
    ring_commit(w);
    return true;
}

/* The oldest slot, or NULL when empty (or broken). Reader only; call ring_release after. A slot that another process
 * wrote may change under the reader: copy it out once, then look at the copy. */
static inline const void *
ring_peek(struct ring_reader *r)
{
    if (r->tail_seen == r->head) {
        /* Acquire: pairs with ring_commit. */
        uint64_t tail = atomic_load_explicit(&r->mem->tail, memory_order_acquire);
        if (unlikely(r->broken || tail - r->head > r->capacity)) {
            r->broken = true;
            return NULL;
        }
        r->tail_seen = tail;
        if (tail == r->head)
            return NULL;
    }
    return r->mem->slot + (r->head & (r->capacity - 1)) * r->slot_bytes;
}

static inline void
ring_release(struct ring_reader *r)
{
    r->head++;
    /* Release: our loads from the slot come before the writer may reuse it. */
    atomic_store_explicit(&r->mem->head, r->head, memory_order_release);
}

static inline bool
ring_get(struct ring_reader *r, void *slot)
{
    const void *from = ring_peek(r);
    if (from == NULL)
        return false;
    memcpy(slot, from, r->slot_bytes);
    ring_release(r);
    return true;
}

/* Reader, before it sleeps: true when the ring is still empty and the writer will ring the doorbell. */
static inline bool
ring_reader_sleep(struct ring_reader *r)
{
    atomic_store_explicit(&r->mem->sleeping, 1, memory_order_relaxed);
    /* The flag must be visible before we look once more: pairs with the fence in ring_wake_needed. */
    atomic_thread_fence(memory_order_seq_cst);
    if (ring_peek(r) == NULL)
        return true;
    atomic_store_explicit(&r->mem->sleeping, 0, memory_order_relaxed);
    return false;
}

static inline void
ring_reader_awake(struct ring_reader *r)
{
    atomic_store_explicit(&r->mem->sleeping, 0, memory_order_relaxed);
}

/* Writer, after a commit: true when the reader sleeps and its doorbell must be rung. */
static inline bool
ring_wake_needed(struct ring_writer *w)
{
    /* The commit must be visible before we read the flag: pairs with the fence in ring_reader_sleep. */
    atomic_thread_fence(memory_order_seq_cst);
    return atomic_load_explicit(&w->mem->sleeping, memory_order_relaxed) != 0;
}

#endif
