/* Parents. See parent.h. */
#include "risk/parent.h"

static uint32_t
row_of(const struct parent_child *c)
{
    uint64_t h = (c->key ^ (uint64_t)c->client << 56) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(h >> 40) % PARENT_ROWS;
}

static const struct parent *
find(const struct parents *p, const struct parent_child *c)
{
    const struct parent *row = p->row[row_of(c)];
    for (unsigned i = 0; i < PARENT_WAYS; i++)
        if (row[i].key == c->key && row[i].client == c->client)
            return &row[i];
    return NULL;
}

/* The way a new parent takes: an empty one, else the oldest without live children; NULL when all have some. */
static struct parent *
way_for(struct parent *row)
{
    struct parent *best = NULL;
    for (unsigned i = 0; i < PARENT_WAYS; i++) {
        if (row[i].key == 0)
            return &row[i];
        if (row[i].live == 0 && (best == NULL || row[i].seq < best->seq))
            best = &row[i];
    }
    return best;
}

qty_t
parent_room(const struct parents *p, const struct parent_child *c)
{
    const struct parent *at = find(p, c);

    if (at != NULL)
        return at->account == c->account && at->instrument == c->instrument && at->side == c->side &&
                       at->qty == c->total
                   ? at->qty - MIN(at->used, at->qty)
                   : -1;
    if (c->total <= 0 || c->key <= p->forgotten[c->client])
        return -1;
    struct parent *row = (struct parent *)(uintptr_t)p->row[row_of(c)]; /* way_for() only looks */
    return way_for(row) != NULL ? c->total : -1;
}

void
parent_apply(struct parents *p, const struct parent_child *c, qty_t used_change, int live_change)
{
    struct parent *at = (struct parent *)(uintptr_t)find(p, c);

    if (at == NULL) {
        if (live_change <= 0)
            return; /* forgotten: a late trade changes nothing any more */
        at = way_for(p->row[row_of(c)]);
        if (at == NULL)
            return;
        if (at->key != 0)
            p->forgotten[at->client] = MAX(p->forgotten[at->client], at->key);
        *at = (struct parent){ .key = c->key,
                               .client = c->client,
                               .account = c->account,
                               .instrument = c->instrument,
                               .side = c->side,
                               .qty = c->total,
                               .seq = ++p->seq };
    }
    at->used = MAX(at->used + used_change, 0);
    at->live = (uint32_t)MAX((int64_t)at->live + live_change, 0);
}
