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

/* Index of the first level that is not worse than `key`, in [0, end]; levels at `end` and above are known to be not
 * worse. Gallops down from `end`, then halves. */
static inline uint32_t
lower_bound(const struct level *level, enum side side, int64_t key, uint32_t end)
{
    uint32_t low = end;
    uint32_t step = 1;
    uint32_t high = end;

    while (low > 0) {
        uint32_t at = low > step ? low - step : 0;
        if (key_of(side, level[at].px) < key) {
            low = at + 1;
            break;
        }
        low = at;
        high = at;
        step *= 2;
    }
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (key_of(side, level[mid].px) < key)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static inline enum book_change
side_set(struct book_side *s, enum side side, uint32_t levels_max, px_t px, qty_t qty, uint32_t *hint)
{
    struct level *level = s->level;
    int64_t key = key_of(side, px);
    uint32_t count = s->count;
    uint32_t end = *hint < count ? *hint : count;

    /* The hint holds only while the run goes outward. */
    if (end < count && key_of(side, level[end].px) < key)
        end = count;
    uint32_t i = lower_bound(level, side, key, end);
    *hint = i;
    if (i < count && level[i].px == px) {
        if (qty != 0) {
            if (level[i].qty == qty)
                return BOOK_SAME;
            level[i].qty = qty;
            return BOOK_CHANGED;
        }
        memmove(level + i, level + i + 1, (count - i - 1) * sizeof(*level));
        s->count = count - 1;
        return BOOK_CHANGED;
    }
    if (s->edged && key < key_of(side, s->edge))
        return BOOK_BEYOND;
    if (qty == 0)
        return BOOK_SAME;
    if (unlikely(count == levels_max))
        return BOOK_FULL;
    memmove(level + i + 1, level + i, (count - i) * sizeof(*level));
    level[i] = (struct level){ .px = px, .qty = qty };
    s->count = count + 1;
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

    if (px <= 0 || qty <= 0 || s->count == b->levels_max)
        return false;
    if (s->count > 0 && key_of(side, px) >= key_of(side, s->level[s->count - 1].px))
        return false;
    s->level[s->count++] = (struct level){ .px = px, .qty = qty };
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
book_set_edge(struct book *b, enum side side)
{
    struct book_side *s = &b->side[side];

    if (s->count > 0) {
        s->edged = true;
        s->edge = s->level[0].px;
    }
}

void
book_trim(struct book *b, enum side side, uint32_t n)
{
    struct book_side *s = &b->side[side];

    ASSERT(n > 0 && n < s->count);
    memmove(s->level, s->level + n, (s->count - n) * sizeof(*s->level));
    s->count -= n;
    s->trimmed = true;
    book_set_edge(b, side);
}
