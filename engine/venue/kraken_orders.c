/* Which order a venue id means: updates of the executions channel may carry nothing else.
 *
 * Always true: every order that was added is found, until it was told to be over, or a whole list of open orders, asked
 * for after it was last heard of, did not name it; the hash of an id stands for it, here and outside. */
#include "engine/venue/kraken_oe.h"

uint64_t
kraken_order_hash(const char *order_id, size_t n)
{
    uint64_t h = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < n; i++)
        h = (h ^ (uint8_t)order_id[i]) * UINT64_C(1099511628211); /* FNV-1a, then mixed */
    h ^= h >> 32;
    h *= UINT64_C(0xD6E8FEB86659FD93);
    h ^= h >> 32;
    h &= INT64_MAX; /* an int64_t in messages of other languages */
    return h != 0 ? h : 1;
}

static uint32_t
orders_max_of(uint32_t live_max)
{
    return 2 * live_max + 64;
}

static uint32_t
buckets_of(uint32_t max)
{
    uint32_t n = 16;
    while (n < 2 * max)
        n *= 2;
    return n;
}

size_t
kraken_orders_footprint(uint32_t orders_max)
{
    uint32_t max = orders_max_of(orders_max);

    return arena_cost(max * sizeof(struct kraken_order)) + arena_cost(max * sizeof(uint32_t)) +
           arena_cost(buckets_of(max) * sizeof(uint32_t));
}

void
kraken_orders_init(struct kraken_orders *t, uint32_t orders_max, struct arena *arena)
{
    uint32_t max = orders_max_of(orders_max);
    uint32_t buckets = buckets_of(max);

    *t = (struct kraken_orders){
        .order = (struct kraken_order *)arena_take(arena, max * sizeof(struct kraken_order)),
        .done = (uint32_t *)arena_take(arena, max * sizeof(uint32_t)),
        .bucket = (uint32_t *)arena_take(arena, buckets * sizeof(uint32_t)),
        .max = max,
        .mask = buckets - 1,
    };
}

/* The bucket that holds the id, or the empty one where it belongs. */
static uint32_t
bucket_of(const struct kraken_orders *t, uint64_t id)
{
    uint32_t b = (uint32_t)id & t->mask;

    while (t->bucket[b] != 0 && t->order[t->bucket[b] - 1].id != id)
        b = (b + 1) & t->mask; /* at most half full: there is an empty one */
    return b;
}

struct kraken_order *
kraken_orders_find(const struct kraken_orders *t, uint64_t id)
{
    uint32_t b = bucket_of(t, id);

    return t->bucket[b] != 0 ? &t->order[t->bucket[b] - 1] : NULL;
}

/* Out of the hash; those behind it move up. */
static void
forget(struct kraken_orders *t, uint32_t index)
{
    uint32_t hole = bucket_of(t, t->order[index].id);

    for (uint32_t b = (hole + 1) & t->mask; t->bucket[b] != 0; b = (b + 1) & t->mask) {
        uint32_t home = (uint32_t)t->order[t->bucket[b] - 1].id & t->mask;
        if (((b - home) & t->mask) >= ((b - hole) & t->mask)) {
            t->bucket[hole] = t->bucket[b];
            hole = b;
        }
    }
    t->bucket[hole] = 0;
    t->order[index].id = 0;
}

/* One that the last whole list did not name and that was not heard of since: its end was told while nobody listened.
 * False: there is none. */
static bool
unlisted(struct kraken_orders *t, uint32_t *index)
{
    if (t->fruitless == t->whole)
        return false;
    for (uint32_t i = 0; i < t->max; i++) {
        uint32_t at = t->hand;
        t->hand = (t->hand + 1) % t->max;
        if (!t->order[at].done && t->order[at].seen < t->whole) {
            *index = at;
            return true;
        }
    }
    t->fruitless = t->whole;
    return false;
}

struct kraken_order *
kraken_orders_add(struct kraken_orders *t, const char *order_id, size_t n)
{
    uint64_t id = kraken_order_hash(order_id, n);
    struct kraken_order *known = kraken_orders_find(t, id);
    uint32_t index;

    if (known != NULL) {
        known->seen = t->list;
        return known;
    }
    if (n >= KRAKEN_ORDER_ID_BYTES)
        return NULL;
    if (t->used < t->max) {
        index = t->used++;
    } else if (t->done_count > 0) {
        index = t->done[t->done_head];
        t->done_head = (t->done_head + 1) % t->max;
        t->done_count--;
        forget(t, index);
    } else if (unlisted(t, &index)) {
        forget(t, index);
    } else {
        return NULL;
    }
    struct kraken_order *o = &t->order[index];
    *o = (struct kraken_order){ .id = id, .instrument = INSTRUMENT_NONE, .seen = t->list };
    memcpy(o->order_id, order_id, n);
    t->bucket[bucket_of(t, id)] = index + 1;
    return o;
}

void
kraken_orders_done(struct kraken_orders *t, struct kraken_order *o)
{
    if (o->done)
        return;
    o->done = true;
    t->done[(t->done_head + t->done_count) % t->max] = (uint32_t)(o - t->order);
    t->done_count++;
}

void
kraken_orders_list(struct kraken_orders *t)
{
    t->list++;
}

void
kraken_orders_listed(struct kraken_orders *t)
{
    t->whole = t->list;
}
