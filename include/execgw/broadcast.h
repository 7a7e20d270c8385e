/* Broadcast ring, top-of-book table and ladders: one writer, any number of readers, the writer never waits.
 *
 * Market data for clients, in memory they map read-only. A slot carries its sequence number, so a slow reader knows
 * what it lost and re-reads the top-of-book table (one seqlocked cache line per instrument) and the ladders.
 *
 * Always true: payload words are relaxed atomics (a torn read is detected, never undefined); sequence numbers start at
 * 1; a lock word is odd while its line is being written. */
#ifndef EXECGW_BROADCAST_H
#define EXECGW_BROADCAST_H

#include "execgw/market.h"
#include <stdatomic.h>

#define BROADCAST_WORDS 7 /* of 8 bytes: struct md_event, struct top_of_book */

struct broadcast_line {
    _Alignas(64) _Atomic uint64_t seq;
    _Atomic uint64_t word[BROADCAST_WORDS];
};
_Static_assert(sizeof(struct broadcast_line) == 64, "one cache line");
_Static_assert(sizeof(struct md_event) == sizeof(uint64_t) * BROADCAST_WORDS, "fills a line");
_Static_assert(sizeof(struct top_of_book) == sizeof(uint64_t) * BROADCAST_WORDS, "fills a line");

/* Head of the market-data memfd; what follows it: top-of-book lines, instruments, ring lines, ladders. Written at
 * start, then only the counters move. Sizes and offsets in bytes from the start of the mapping. */
#define MD_SHM_MAGIC   UINT64_C(0x646d5f7767636578) /* "xecgw_md" */
#define MD_SHM_VERSION 3
struct md_shm {
    uint64_t magic;
    uint32_t version; /* MD_SHM_VERSION */
    uint32_t instrument_max;
    uint64_t ring_capacity; /* power of two */
    uint64_t tob_offset;
    uint64_t instrument_offset; /* struct instrument_line [instrument_max] */
    uint64_t ring_offset;
    uint64_t ladder_offset; /* instrument_max times ladder_bytes(ladder_levels) */
    uint64_t ladder_levels; /* a side */
    uint64_t total_bytes;
    _Alignas(64) _Atomic uint64_t tail; /* sequence number of the newest event; 0 = none */
    _Atomic uint32_t instrument_count;
};

/* A seqlocked instrument definition; rewritten only when the venue changes it. */
struct instrument_line {
    _Alignas(64) _Atomic uint64_t seq;
    _Atomic uint64_t word[sizeof(struct instrument) / 8];
};

/* A seqlocked ladder: struct ladder_head, then ladder_levels bids, as many asks. */
struct ladder_line {
    _Alignas(64) _Atomic uint64_t seq;
    _Atomic uint64_t word[7]; /* and more */
};
#define LADDER_HEAD_WORDS  (sizeof(struct ladder_head) / 8)
#define LADDER_LEVEL_WORDS (sizeof(struct level) / 8)

static inline size_t
ladder_bytes(uint64_t levels)
{
    return (8 + sizeof(struct ladder_head) + 2 * (size_t)levels * sizeof(struct level) + 63) & ~(size_t)63;
}

static inline size_t
md_shm_footprint_deep(uint64_t ring_capacity, uint32_t instrument_max, uint64_t ladder_levels)
{
    return sizeof(struct md_shm) +
           (size_t)instrument_max *
               (sizeof(struct broadcast_line) + sizeof(struct instrument_line) + ladder_bytes(ladder_levels)) +
           (size_t)ring_capacity * sizeof(struct broadcast_line);
}

static inline size_t
md_shm_footprint(uint64_t ring_capacity, uint32_t instrument_max)
{
    return md_shm_footprint_deep(ring_capacity, instrument_max, LADDER_LEVELS);
}

/* The writer's private view. */
struct md_writer {
    struct md_shm *shm;
    struct broadcast_line *tob;
    struct instrument_line *instrument;
    struct broadcast_line *line;
    uint8_t *ladder;
    uint32_t ladder_levels;
    uint64_t mask;
    uint64_t tail; /* sequence number of the newest event */
    uint32_t instrument_max;
};

/* mem: zeroed, page aligned, md_shm_footprint_deep() bytes; ring_capacity a power of two. */
static inline void
md_writer_init_deep(struct md_writer *w, void *mem, uint64_t ring_capacity, uint32_t instrument_max,
                    uint32_t ladder_levels)
{
    struct md_shm *s = (struct md_shm *)mem;
    ASSERT(ring_capacity != 0 && (ring_capacity & (ring_capacity - 1)) == 0);
    ASSERT(ladder_levels >= 1 && ladder_levels <= LADDER_LEVELS_MAX);
    s->version = MD_SHM_VERSION;
    s->instrument_max = instrument_max;
    s->ring_capacity = ring_capacity;
    s->tob_offset = sizeof(*s);
    s->instrument_offset = s->tob_offset + (uint64_t)instrument_max * sizeof(struct broadcast_line);
    s->ring_offset = s->instrument_offset + (uint64_t)instrument_max * sizeof(struct instrument_line);
    s->ladder_offset = s->ring_offset + ring_capacity * sizeof(struct broadcast_line);
    s->ladder_levels = ladder_levels;
    s->total_bytes = md_shm_footprint_deep(ring_capacity, instrument_max, ladder_levels);
    s->magic = MD_SHM_MAGIC;
    *w = (struct md_writer){
        .shm = s,
        .tob = (struct broadcast_line *)(void *)((uint8_t *)mem + s->tob_offset),
        .instrument = (struct instrument_line *)(void *)((uint8_t *)mem + s->instrument_offset),
        .line = (struct broadcast_line *)(void *)((uint8_t *)mem + s->ring_offset),
        .ladder = (uint8_t *)mem + s->ladder_offset,
        .ladder_levels = ladder_levels,
        .mask = ring_capacity - 1,
        .instrument_max = instrument_max,
    };
}

static inline void
md_writer_init(struct md_writer *w, void *mem, uint64_t ring_capacity, uint32_t instrument_max)
{
    md_writer_init_deep(w, mem, ring_capacity, instrument_max, LADDER_LEVELS);
}

/* Copy n words into relaxed atomics / out of them. */
static inline void
words_store(_Atomic uint64_t *to, const void *from, size_t n)
{
    UNROLL
    for (size_t i = 0; i < n; i++) {
        uint64_t v;
        memcpy(&v, (const uint8_t *)from + i * 8, 8);
        atomic_store_explicit(&to[i], v, memory_order_relaxed);
    }
}

static inline void
words_load(void *to, const _Atomic uint64_t *from, size_t n)
{
    UNROLL
    for (size_t i = 0; i < n; i++) {
        uint64_t v = atomic_load_explicit(&from[i], memory_order_relaxed);
        memcpy((uint8_t *)to + i * 8, &v, 8);
    }
}

/* Seqlock write: odd, payload, even. Single writer. */
static inline void
seqlock_store(_Atomic uint64_t *seq, _Atomic uint64_t *to, const void *from, size_t n)
{
    uint64_t s = atomic_load_explicit(seq, memory_order_relaxed);
    atomic_store_explicit(seq, s + 1, memory_order_relaxed);
    /* Release fence: a reader that sees any new word also sees the odd lock word. */
    atomic_thread_fence(memory_order_release);
    words_store(to, from, n);
    /* Release: a reader that sees the even word sees the whole payload. */
    atomic_store_explicit(seq, s + 2, memory_order_release);
}

/* Seqlock read. False when the line was never written or `tries` attempts all met the writer. */
static inline bool
seqlock_load(const _Atomic uint64_t *seq, const _Atomic uint64_t *from, void *to, size_t n, unsigned tries)
{
    while (tries-- > 0) {
        uint64_t s = atomic_load_explicit(seq, memory_order_acquire);
        if (s == 0)
            return false;
        if ((s & 1) != 0)
            continue;
        words_load(to, from, n);
        /* Acquire fence: the payload loads come before the second look at the lock word. */
        atomic_thread_fence(memory_order_acquire);
        if (atomic_load_explicit(seq, memory_order_relaxed) == s)
            return true;
    }
    return false;
}

/* Publish one event; overwrites the oldest. Writer only. */
static inline void
md_publish(struct md_writer *w, const struct md_event *ev)
{
    uint64_t n = ++w->tail;
    struct broadcast_line *l = &w->line[n & w->mask];

    atomic_store_explicit(&l->seq, 0, memory_order_relaxed); /* being written */
    /* Release fence: as in seqlock_store. */
    atomic_thread_fence(memory_order_release);
    words_store(l->word, ev, BROADCAST_WORDS);
    /* Release: the payload before its number, the number before the tail that announces it. */
    atomic_store_explicit(&l->seq, n, memory_order_release);
    atomic_store_explicit(&w->shm->tail, n, memory_order_release);
}

static inline void
md_publish_top(struct md_writer *w, uint32_t instrument, const struct top_of_book *tob)
{
    ASSERT(instrument < w->instrument_max);
    seqlock_store(&w->tob[instrument].seq, w->tob[instrument].word, tob, BROADCAST_WORDS);
}

/* A ladder is written level by level between these two, as of the newest event: head->count levels of each side, at
 * most ladder_levels. */
static inline struct ladder_line *
md_ladder_begin(struct md_writer *w, uint32_t instrument)
{
    ASSERT(instrument < w->instrument_max);
    struct ladder_line *l = (struct ladder_line *)(void *)(w->ladder + instrument * ladder_bytes(w->ladder_levels));
    uint64_t s = atomic_load_explicit(&l->seq, memory_order_relaxed);

    atomic_store_explicit(&l->seq, s + 1, memory_order_relaxed);
    /* Release fence: as in seqlock_store. */
    atomic_thread_fence(memory_order_release);
    return l;
}

static inline void
md_ladder_level(struct md_writer *w, struct ladder_line *l, enum side side, uint32_t i, const struct level *v)
{
    ASSERT(i < w->ladder_levels);
    words_store(&l->word[LADDER_HEAD_WORDS + (side * (size_t)w->ladder_levels + i) * LADDER_LEVEL_WORDS], v,
                LADDER_LEVEL_WORDS);
}

static inline void
md_ladder_end(struct md_writer *w, struct ladder_line *l, struct ladder_head *head)
{
    head->event_seq = w->tail;
    words_store(l->word, head, LADDER_HEAD_WORDS);
    /* Release: as in seqlock_store. */
    atomic_store_explicit(&l->seq, atomic_load_explicit(&l->seq, memory_order_relaxed) + 1, memory_order_release);
}

static inline void
md_publish_instrument(struct md_writer *w, const struct instrument *ins)
{
    ASSERT(ins->id < w->instrument_max);
    seqlock_store(&w->instrument[ins->id].seq, w->instrument[ins->id].word, ins, sizeof(*ins) / 8);
    if (ins->id >= atomic_load_explicit(&w->shm->instrument_count, memory_order_relaxed))
        atomic_store_explicit(&w->shm->instrument_count, ins->id + 1, memory_order_release);
}

/* A reader's private view. */
struct md_reader {
    const struct md_shm *shm;
    const struct broadcast_line *tob;
    const struct instrument_line *instrument;
    const struct broadcast_line *line;
    const uint8_t *ladder;
    uint32_t ladder_levels;
    uint64_t mask;
    uint64_t next; /* sequence number wanted next */
    uint64_t lost; /* events overwritten before we read them */
    uint32_t instrument_max;
};

/* Check the head of a mapping of `bytes` and start at the newest event. False when it is not what it says. */
static inline bool
md_reader_init(struct md_reader *r, const void *mem, size_t bytes)
{
    const struct md_shm *s = (const struct md_shm *)mem;

    if (bytes < sizeof(*s) || s->magic != MD_SHM_MAGIC || s->version != MD_SHM_VERSION || s->total_bytes > bytes ||
        s->instrument_max > INSTRUMENT_MAX || s->ring_capacity == 0 || s->ring_capacity > (UINT64_C(1) << 32) ||
        (s->ring_capacity & (s->ring_capacity - 1)) != 0 || s->ladder_levels == 0 ||
        s->ladder_levels > LADDER_LEVELS_MAX ||
        s->total_bytes != md_shm_footprint_deep(s->ring_capacity, s->instrument_max, s->ladder_levels))
        return false;
    const uint8_t *b = (const uint8_t *)mem;
    size_t tob = sizeof(*s);
    size_t ins = tob + s->instrument_max * sizeof(struct broadcast_line);
    size_t ring = ins + s->instrument_max * sizeof(struct instrument_line);
    size_t ladder = ring + s->ring_capacity * sizeof(struct broadcast_line);
    *r = (struct md_reader){
        .shm = s,
        .tob = (const struct broadcast_line *)(const void *)(b + tob),
        .instrument = (const struct instrument_line *)(const void *)(b + ins),
        .line = (const struct broadcast_line *)(const void *)(b + ring),
        .ladder = b + ladder,
        .ladder_levels = (uint32_t)s->ladder_levels,
        .mask = s->ring_capacity - 1,
        .next = atomic_load_explicit(&s->tail, memory_order_acquire) + 1,
        .instrument_max = s->instrument_max,
    };
    return true;
}

enum md_read {
    MD_READ_NONE, /* nothing new */
    MD_READ_OK,
    MD_READ_LOST /* fell a ring behind: `lost` grew, events follow from the oldest left; re-read the table */
};

static inline enum md_read
md_read(struct md_reader *r, struct md_event *ev)
{
    uint64_t tail = atomic_load_explicit(&r->shm->tail, memory_order_acquire);

    if (tail + 1 == r->next)
        return MD_READ_NONE;
    const struct broadcast_line *l = &r->line[r->next & r->mask];
    uint64_t s = atomic_load_explicit(&l->seq, memory_order_acquire);
    if (likely(s == r->next)) {
        words_load(ev, l->word, BROADCAST_WORDS);
        /* Acquire fence: payload before the second look. */
        atomic_thread_fence(memory_order_acquire);
        if (likely(atomic_load_explicit(&l->seq, memory_order_relaxed) == s)) {
            r->next++;
            return MD_READ_OK;
        }
    }
    /* Overwritten: resume half a ring behind the writer, so that we are not caught again at once. */
    uint64_t resume = tail - r->mask / 2;
    if (tail > r->mask / 2 && resume > r->next) {
        r->lost += resume - r->next;
        r->next = resume;
    } else {
        r->lost++;
        r->next++;
    }
    return MD_READ_LOST;
}

/* Read on from event `seq`, back or ahead. False, and nothing changes, when it is overwritten already, or further ahead
 * than the next one. */
static inline bool
md_seek(struct md_reader *r, uint64_t seq)
{
    uint64_t tail = atomic_load_explicit(&r->shm->tail, memory_order_acquire);

    if (seq == 0 || seq > tail + 1)
        return false;
    if (seq <= tail && atomic_load_explicit(&r->line[seq & r->mask].seq, memory_order_acquire) != seq)
        return false;
    r->next = seq;
    return true;
}

static inline bool
md_read_top(const struct md_reader *r, uint32_t instrument, struct top_of_book *out)
{
    return instrument < r->instrument_max &&
           seqlock_load(&r->tob[instrument].seq, r->tob[instrument].word, out, BROADCAST_WORDS, 1000);
}

/* The best levels of each side, at most `room`; head->count is how many are there. False when it was never written or
 * the writer was always in it. What it is worth says the table, which is newer. */
static inline bool
md_read_levels(const struct md_reader *r, uint32_t instrument, struct ladder_head *head, struct level *bids,
               struct level *asks, uint32_t room)
{
    if (instrument >= r->instrument_max)
        return false;
    const struct ladder_line *l =
        (const struct ladder_line *)(const void *)(r->ladder + instrument * ladder_bytes(r->ladder_levels));
    const _Atomic uint64_t *bid = &l->word[LADDER_HEAD_WORDS];
    const _Atomic uint64_t *ask = bid + r->ladder_levels * LADDER_LEVEL_WORDS;
    struct level *side[2] = { bids, asks };
    for (unsigned tries = 0; tries < 1000; tries++) {
        uint64_t s = atomic_load_explicit(&l->seq, memory_order_acquire);
        if (s == 0)
            return false;
        if ((s & 1) != 0)
            continue;
        words_load(head, l->word, LADDER_HEAD_WORDS);
        for (unsigned i = 0; i < 2; i++) {
            uint32_t most = room < r->ladder_levels ? room : r->ladder_levels; /* a torn head may say anything */
            head->count[i] = head->count[i] < most ? head->count[i] : most;
            words_load(side[i], i == 0 ? bid : ask, head->count[i] * LADDER_LEVEL_WORDS);
        }
        /* Acquire fence: as in seqlock_load. */
        atomic_thread_fence(memory_order_acquire);
        if (atomic_load_explicit(&l->seq, memory_order_relaxed) == s)
            return true;
    }
    return false;
}

static inline bool
md_read_ladder(const struct md_reader *r, uint32_t instrument, struct ladder *out)
{
    struct ladder_head head;

    memset(out->level, 0, sizeof(out->level));
    if (!md_read_levels(r, instrument, &head, out->level[SIDE_BUY], out->level[SIDE_SELL], LADDER_LEVELS))
        return false;
    memcpy(out, &head, sizeof(head));
    return true;
}

static inline bool
md_read_instrument(const struct md_reader *r, uint32_t instrument, struct instrument *out)
{
    return instrument < r->instrument_max &&
           seqlock_load(&r->instrument[instrument].seq, r->instrument[instrument].word, out, sizeof(*out) / 8, 1000);
}

#endif
