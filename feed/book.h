/* One instrument's price levels, both sides, in fixed memory, exact integers.
 *
 * Filled by feed from a snapshot and the updates that follow it. A side is an array sorted from its worst known level
 * to the touch, so that the busy end is the cheap end. A level that is deleted inside keeps its slot with quantity 0:
 * most come back, or their slot serves a neighbour, and nothing moves.
 *
 * Always true: prices of a side strictly improve along its slots; the last slot is the touch and its quantity is > 0;
 * count <= slots <= levels_max; no level is worse than the side's edge. */
#ifndef EXECGW_FEED_BOOK_H
#define EXECGW_FEED_BOOK_H

#include "execgw/arena.h"
#include "execgw/market.h"

struct book_side {
    struct level *level; /* [levels_max]; the touch is level[slots - 1] */
    uint32_t slots;      /* in use, empty ones included */
    uint32_t count;      /* levels: slots with a quantity */
    bool edged;          /* levels worse than `edge` are not known: the snapshot ended there, or room did */
    bool trimmed;        /* the edge came from lack of room */
    px_t edge;
};

struct book {
    struct book_side side[2]; /* by enum side: bids, asks */
    uint32_t levels_max;      /* a side */
};

enum book_change {
    BOOK_SAME,    /* nothing changed: same quantity, or a delete of an unknown level */
    BOOK_CHANGED, /* set, added or deleted */
    BOOK_BEYOND,  /* worse than the edge: not kept */
    BOOK_FULL     /* a new level and no room: nothing changed; book_trim() makes room */
};

size_t book_footprint(uint32_t levels_max);
void book_init(struct book *b, uint32_t levels_max, struct arena *arena);
void book_clear(struct book *b);

/* Set one level's absolute quantity; 0 deletes. Hot. `hint` (in, out) speeds up a run of levels of one side that goes
 * outward from the touch; start it at UINT32_MAX. px > 0, qty >= 0. */
enum book_change book_set(struct book *b, enum side side, px_t px, qty_t qty, uint32_t *hint);

/* The touch; NULL when the side is empty. */
static inline const struct level *
book_touch(const struct book *b, enum side side)
{
    const struct book_side *s = &b->side[side];
    return s->slots > 0 ? &s->level[s->slots - 1] : NULL;
}

/* The next worse level, NULL behind the last one: for (l = book_touch(b, s); l != NULL; l = book_worse(b, s, l)). */
static inline const struct level *
book_worse(const struct book *b, enum side side, const struct level *l)
{
    const struct level *first = b->side[side].level;
    while (l > first) {
        if ((--l)->qty != 0)
            return l;
    }
    return NULL;
}

/* The n-th level from the touch (0 = touch); NULL when there are not that many. Walks: for a few levels, and tests. */
static inline const struct level *
book_at(const struct book *b, enum side side, uint32_t n)
{
    const struct level *l = book_touch(b, side);
    for (; n > 0 && l != NULL; n--)
        l = book_worse(b, side, l);
    return l;
}

/* Neither crossed nor locked: BOOK_LIVE; else which of them. */
static inline enum book_state
book_spread_state(const struct book *b)
{
    const struct level *bid = book_touch(b, SIDE_BUY);
    const struct level *ask = book_touch(b, SIDE_SELL);

    if (likely(bid == NULL || ask == NULL || bid->px < ask->px))
        return BOOK_LIVE;
    return bid->px == ask->px ? BOOK_LOCKED : BOOK_CROSSED;
}

/* Fill an empty book from a snapshot: levels of a side best first, then book_load_end(); nothing else in between.
 * False when the level is not worse than the one before it, not positive, or there is no room. */
bool book_load(struct book *b, enum side side, px_t px, qty_t qty);
void book_load_end(struct book *b);

/* Declare the worst level held to be the last one known (after a snapshot that hit its limit). No-op on an empty side.
 */
void book_set_edge(struct book *b, enum side side);

/* Close the gaps that deleted levels left: afterwards slots == count. */
void book_compact(struct book *b, enum side side);

/* Keep the `depth` best levels of a side. Unlike a trim it leaves no edge: levels worse than these may come back. */
void book_truncate(struct book *b, enum side side, uint32_t depth);

/* Drop the `n` worst levels; the worst left becomes the edge. n < count. */
void book_trim(struct book *b, enum side side, uint32_t n);

#endif
