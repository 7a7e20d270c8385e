/* The obvious book: an unsorted list per side, searched from end to end. What feed/book is compared with. */
#ifndef EXECGW_TESTS_NAIVE_BOOK_H
#define EXECGW_TESTS_NAIVE_BOOK_H

#include "execgw/market.h"

#define NAIVE_LEVELS 16384

struct naive_book {
    struct level level[2][NAIVE_LEVELS];
    uint32_t count[2];
};

static inline void
naive_set(struct naive_book *b, enum side side, px_t px, qty_t qty)
{
    struct level *l = b->level[side];
    uint32_t i = 0;

    while (i < b->count[side] && l[i].px != px)
        i++;
    if (qty == 0) {
        if (i < b->count[side])
            l[i] = l[--b->count[side]];
        return;
    }
    ASSERT(i < NAIVE_LEVELS);
    l[i] = (struct level){ px, qty };
    if (i == b->count[side])
        b->count[side]++;
}

static inline int
naive_bid_order(const void *a, const void *b)
{
    const struct level *x = (const struct level *)a;
    const struct level *y = (const struct level *)b;
    return x->px > y->px ? -1 : x->px < y->px;
}

static inline int
naive_ask_order(const void *a, const void *b)
{
    return naive_bid_order(b, a);
}

/* Best first. */
static inline void
naive_sort(struct naive_book *b)
{
    qsort(b->level[SIDE_BUY], b->count[SIDE_BUY], sizeof(struct level), naive_bid_order);
    qsort(b->level[SIDE_SELL], b->count[SIDE_SELL], sizeof(struct level), naive_ask_order);
}

#endif
