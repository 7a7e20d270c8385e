/* Key ledger. See key_ledger.h. */
#include "engine/oms/key_ledger.h"

size_t
key_ledger_footprint(uint32_t kept)
{
    return CLIENT_MAX * arena_cost(sizeof(struct key_entry) * kept);
}

void
key_ledger_init(struct key_ledger *l, uint32_t kept, struct arena *arena)
{
    ASSERT(kept >= 1 && kept <= 1u << 16);
    l->kept = kept;
    for (uint32_t i = 0; i < CLIENT_MAX; i++)
        l->client[i] = (struct key_ring){ .entry = arena_take(arena, sizeof(struct key_entry) * kept) };
}

bool
key_ledger_add(struct key_ledger *l, uint32_t client, const struct key_entry *e)
{
    ASSERT(client < CLIENT_MAX);
    struct key_ring *r = &l->client[client];

    if (e->key <= r->last_key)
        return false;
    r->last_key = e->key;
    r->entry[r->count % l->kept] = *e;
    r->count++;
    return true;
}

/* Binary search: keys rise along the ring. */
struct key_entry *
key_ledger_find(const struct key_ledger *l, uint32_t client, uint64_t key)
{
    const struct key_ring *r = &l->client[client];
    uint64_t hi = r->count;
    uint64_t lo = hi > l->kept ? hi - l->kept : 0;

    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;
        if (r->entry[mid % l->kept].key < key)
            lo = mid + 1;
        else
            hi = mid;
    }
    struct key_entry *e = &r->entry[lo % l->kept];
    return lo < r->count && e->key == key ? e : NULL;
}
