/* Price levels in sorted arrays: see book.h.
 *
 * Most updates stand near the touch, which is the end of the array: little moves. A run of levels that goes outward
 * from the touch, as venues send them, starts each search where the last one ended. */
#include "feed/book.h"

size_t
book_footprint(uint32_t levels_max)
{
    return 2 * arena_cost((size_t)levels_max * sizeof(struct level));
}

void
book_init(struct book *b, uint32_t levels_max, struct arena *arena)
{
    ASSERT(levels_max > 1);
    *b = (struct book){ .levels_max = levels_max };
    for (unsigned s = 0; s < 2; s++)
        b->side[s].level = arena_take(arena, (size_t)levels_max * sizeof(struct level));
}

void
book_clear(struct book *b)
{
    for (unsigned s = 0; s < 2; s++)
        b->side[s] = (struct book_side){ .level = b->side[s].level };
}

/* Prices as keys that grow towards the touch, so that one search serves both sides. */
static inline int64_t
key_of(enum side side, px_t px)
{
    return side == SIDE_BUY ? px : -px;
}

/* Index of the first slot that is not worse than `key`, in [0, end]; slots at `end` and above are known to be not
 * worse. Gallops down from `end`, then halves without a branch to mispredict. */
static inline uint32_t
lower_bound(const struct level *level, enum side side, int64_t key, uint32_t end)
{
    uint32_t step = 1;

    while (end > 0) {
        uint32_t at = end > step ? end - step : 0;
        if (key_of(side, level[at].px) < key) {
            /* Between at (worse) and end. */
            const struct level *base = level + at;
            for (uint32_t n = end - at; n > 1;) {
                uint32_t half = n / 2;
                base += key_of(side, base[half].px) < key ? half : 0;
                n -= half;
            }
            return (uint32_t)(base - level) + 1;
        }
        end = at;
        step *= 4;
    }
    return 0;
}

/* The touch went: so do the empty slots below it. */
static inline void
drop_empty(struct book_side *s)
{
    while (s->slots > 0 && s->level[s->slots - 1].qty == 0)
        s->slots--;
}

static COLD void
side_compact(struct book_side *s)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < s->slots; i++) {
        if (s->level[i].qty != 0)
            s->level[n++] = s->level[i];
    }
    s->slots = n;
}

/* How far to look towards the touch for an empty slot before everything is moved. */
#define LOOK 8

/* A new level before slot i: in an empty slot beside it, or by moving what is nearer to the touch. There is room. */
static inline void
side_insert(struct book_side *s, uint32_t i, struct level new)
{
    struct level *level = s->level;
    uint32_t stop = s->slots - i > LOOK ? i + LOOK : s->slots;
    uint32_t empty = i;

    s->count++;
    if (i > 0 && level[i - 1].qty == 0) {
        level[i - 1] = new;
        return;
    }
    while (empty < stop && level[empty].qty != 0)
        empty++;
    if (empty == stop) {
        empty = s->slots;
        s->slots++;
    }
    memmove(level + i + 1, level + i, (empty - i) * sizeof(*level));
    level[i] = new;
}

static inline enum book_change
side_set(struct book_side *s, enum side side, uint32_t levels_max, px_t px, qty_t qty, uint32_t *hint)
{
    struct level *level = s->level;
    int64_t key = key_of(side, px);
    uint32_t end = *hint < s->slots ? *hint : s->slots;

    /* The hint holds only while the run goes outward. */
    if (end < s->slots && key_of(side, level[end].px) < key)
        end = s->slots;
    uint32_t i = lower_bound(level, side, key, end);
    *hint = i;
    if (i < s->slots && level[i].px == px) {
        qty_t was = level[i].qty;
        if (was == qty)
            return BOOK_SAME;
        level[i].qty = qty;
        s->count = s->count + (was == 0) - (qty == 0);
        if (qty == 0 && i + 1 == s->slots)
            drop_empty(s);
        return BOOK_CHANGED;
    }
    if (s->edged && key < key_of(side, s->edge))
        return BOOK_BEYOND;
    if (qty == 0)
        return BOOK_SAME;
    if (unlikely(s->slots == levels_max)) {
        if (s->count == levels_max)
            return BOOK_FULL;
        side_compact(s);
        i = lower_bound(level, side, key, s->slots);
    }
    side_insert(s, i, (struct level){ .px = px, .qty = qty });
    return BOOK_CHANGED;
}

enum book_change
book_set(struct book *b, enum side side, px_t px, qty_t qty, uint32_t *hint)
{
    ASSERT(px > 0 && qty >= 0);
    if (side == SIDE_BUY)
        return side_set(&b->side[SIDE_BUY], SIDE_BUY, b->levels_max, px, qty, hint);
    return side_set(&b->side[SIDE_SELL], SIDE_SELL, b->levels_max, px, qty, hint);
}

bool
book_load(struct book *b, enum side side, px_t px, qty_t qty)
{
    struct book_side *s = &b->side[side];

    if (px <= 0 || qty <= 0 || s->slots == b->levels_max)
        return false;
    if (s->slots > 0 && key_of(side, px) >= key_of(side, s->level[s->slots - 1].px))
        return false;
    s->level[s->slots++] = (struct level){ .px = px, .qty = qty };
    s->count = s->slots;
    return true;
}

void
book_load_end(struct book *b)
{
    for (unsigned i = 0; i < 2; i++) {
        struct book_side *s = &b->side[i];
        for (uint32_t low = 0; low < s->count / 2; low++) {
            struct level l = s->level[low];
            s->level[low] = s->level[s->count - 1 - low];
            s->level[s->count - 1 - low] = l;
        }
    }
}

void
book_compact(struct book *b, enum side side)
{
    side_compact(&b->side[side]);
}

void
book_set_edge(struct book *b, enum side side)
{
    struct book_side *s = &b->side[side];

    if (s->count > 0) {
        side_compact(s);
        s->edged = true;
        s->edge = s->level[0].px;
    }
}

void
book_trim(struct book *b, enum side side, uint32_t n)
{
    struct book_side *s = &b->side[side];

    ASSERT(n > 0 && n < s->count);
    side_compact(s);
    memmove(s->level, s->level + n, (s->slots - n) * sizeof(*s->level));
    s->slots -= n;
    s->count = s->slots;
    s->trimmed = true;
    book_set_edge(b, side);
}

void
book_truncate(struct book *b, enum side side, uint32_t depth)
{
    struct book_side *s = &b->side[side];

    if (likely(s->count <= depth))
        return;
    side_compact(s);
    memmove(s->level, s->level + (s->count - depth), depth * sizeof(*s->level));
    s->slots = depth;
    s->count = depth;
}
