/* The paper venue's orders: slots by ClOrdID, open in their book, or finished. See paper_state.h. */
#include "engine/venue/paper_state.h"

static uint32_t *
bucket_of(struct paper *p, const char *clordid)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < CLORDID_BYTES && clordid[i] != '\0'; i++)
        h = (h ^ (uint8_t)clordid[i]) * 16777619u;
    return &p->bucket[(h ^ (h >> 15)) & p->bucket_mask];
}

struct paper_order *
paper_order_find(struct paper *p, const char *clordid)
{
    for (uint32_t i = *bucket_of(p, clordid); i != PAPER_NONE; i = p->order[i].hash_next) {
        if (strncmp(p->order[i].clordid, clordid, CLORDID_BYTES) == 0)
            return &p->order[i];
    }
    return NULL;
}

static void
hash_remove(struct paper *p, uint32_t slot)
{
    uint32_t *at = bucket_of(p, p->order[slot].clordid);

    for (uint32_t n = 0; *at != slot; at = &p->order[*at].hash_next)
        ASSERT(n++ < p->order_slots && *at != PAPER_NONE);
    *at = p->order[slot].hash_next;
}

struct paper_order *
paper_slot_take(struct paper *p, const char *clordid)
{
    uint32_t slot = p->done_oldest;
    struct paper_order *o = &p->order[slot];

    ASSERT(slot != PAPER_NONE && !paper_order_open(o));
    p->done_oldest = o->next;
    if (o->next == PAPER_NONE)
        p->done_newest = PAPER_NONE;
    else
        p->order[o->next].prev = PAPER_NONE;
    if (o->state != ORDER_FREE)
        hash_remove(p, slot);
    *o = (struct paper_order){ .prev = PAPER_NONE, .next = PAPER_NONE };
    memcpy(o->clordid, clordid, CLORDID_BYTES);
    uint32_t *bucket = bucket_of(p, clordid);
    o->hash_next = *bucket;
    *bucket = slot;
    return o;
}

void
paper_slot_done(struct paper *p, struct paper_order *o)
{
    uint32_t slot = (uint32_t)(o - p->order);

    o->next = PAPER_NONE;
    o->prev = p->done_newest;
    if (p->done_newest == PAPER_NONE)
        p->done_oldest = slot;
    else
        p->order[p->done_newest].next = slot;
    p->done_newest = slot;
}

void
paper_book_insert(struct paper *p, struct paper_order *o)
{
    struct paper_market *m = &p->market[o->instrument];
    uint32_t slot = (uint32_t)(o - p->order);
    uint32_t before = PAPER_NONE;
    uint32_t at = m->best[o->side];

    while (at != PAPER_NONE && !paper_px_better(o->side, o->px, p->order[at].px)) {
        before = at;
        at = p->order[at].next;
    }
    o->prev = before;
    o->next = at;
    if (before == PAPER_NONE)
        m->best[o->side] = slot;
    else
        p->order[before].next = slot;
    if (at != PAPER_NONE)
        p->order[at].prev = slot;
    p->open_count++;
}

void
paper_book_remove(struct paper *p, struct paper_order *o)
{
    if (o->prev == PAPER_NONE)
        p->market[o->instrument].best[o->side] = o->next;
    else
        p->order[o->prev].next = o->next;
    if (o->next != PAPER_NONE)
        p->order[o->next].prev = o->prev;
    p->open_count--;
}
