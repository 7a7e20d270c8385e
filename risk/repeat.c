/* Repeated content. See repeat.h. */
#include "risk/repeat.h"

static inline uint64_t
mix(uint64_t h, uint64_t v)
{
    h ^= v;
    h *= UINT64_C(0x9e3779b97f4a7c15);
    return h ^ (h >> 29);
}

uint64_t
repeat_hash(const struct repeat_content *c)
{
    uint64_t h = mix(UINT64_C(0x243f6a8885a308d3), (uint64_t)c->client << 32 | c->account);
    h = mix(h, (uint64_t)c->instrument << 1 | c->side);
    h = mix(h, (uint64_t)c->px);
    return mix(h, (uint64_t)c->qty);
}

static inline uint32_t
tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32) | 1u;
}

static inline bool
is_open(const struct repeat_entry *e, int64_t window_ns, mono_ns_t now)
{
    return now.ns - e->since_ns < window_ns;
}

uint32_t
repeat_count(const struct repeat *t, uint64_t hash, int64_t window_ns, mono_ns_t now)
{
    const struct repeat_row *r = repeat_row(t, hash);
    uint32_t tag = tag_of(hash);

    for (unsigned i = 0; i < REPEAT_WAYS; i++)
        if (r->way[i].tag == tag)
            return is_open(&r->way[i], window_ns, now) ? r->way[i].count : 0;
    return 0;
}

void
repeat_add(struct repeat *t, uint64_t hash, int64_t window_ns, mono_ns_t now)
{
    struct repeat_row *r = &t->row[hash % REPEAT_ROWS];
    uint32_t tag = tag_of(hash);
    struct repeat_entry *e = &r->way[0];

    for (unsigned i = 0; i < REPEAT_WAYS; i++) {
        if (r->way[i].tag == tag) {
            e = &r->way[i];
            break;
        }
        if (r->way[i].since_ns < e->since_ns || r->way[i].tag == 0)
            e = &r->way[i];
    }
    if (e->tag != tag || !is_open(e, window_ns, now))
        *e = (struct repeat_entry){ .tag = tag, .since_ns = now.ns };
    e->count++;
}
