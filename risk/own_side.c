/* Own resting prices. See own_side.h. */
#include "risk/own_side.h"

static bool
better(enum side side, px_t a, px_t b)
{
    return side == SIDE_BUY ? a > b : a < b;
}

/* Prices that are not kept are no better than beyond_best; prices that are kept are better than it. */
static bool
is_beyond(const struct own_side *s, enum side side, px_t px)
{
    return s->beyond > 0 && !better(side, px, s->beyond_best);
}

/* Where px is or belongs. */
static uint32_t
place_of(const struct own_side *s, enum side side, px_t px)
{
    uint32_t i = 0;
    while (i < s->levels && better(side, s->level[i].px, px))
        i++;
    return i;
}

static void
worst_leaves(struct own_side *s)
{
    const struct own_level *l = &s->level[--s->levels];

    /* Its prices are better than all that were not kept before. */
    s->beyond_best = l->px;
    s->beyond += l->count;
}

void
own_side_add(struct own_side *s, enum side side, px_t px)
{
    if (is_beyond(s, side, px)) {
        s->beyond++;
        return;
    }
    uint32_t i = place_of(s, side, px);
    if (i < s->levels && s->level[i].px == px) {
        s->level[i].count++;
        return;
    }
    if (s->levels == OWN_LEVELS) {
        if (i == OWN_LEVELS) {
            s->beyond_best = px;
            s->beyond++;
            return;
        }
        worst_leaves(s);
    }
    memmove(&s->level[i + 1], &s->level[i], (s->levels - i) * sizeof(s->level[0]));
    s->level[i] = (struct own_level){ .px = px, .count = 1 };
    s->levels++;
}

void
own_side_remove(struct own_side *s, enum side side, px_t px)
{
    if (is_beyond(s, side, px)) {
        s->beyond--;
        return;
    }
    uint32_t i = place_of(s, side, px);
    ASSERT(i < s->levels && s->level[i].px == px);
    if (--s->level[i].count > 0)
        return;
    s->levels--;
    memmove(&s->level[i], &s->level[i + 1], (s->levels - i) * sizeof(s->level[0]));
}

void
own_side_reprice(struct own_side *s, unsigned from, unsigned to)
{
    for (uint32_t i = 0; i < s->levels; i++)
        s->level[i].px = decimal_rescale(s->level[i].px, from, to);
    s->beyond_best = decimal_rescale(s->beyond_best, from, to);
}
