/* Several connections that carry the same numbered streams: the first copy of each item counts.
 *
 * Between the books of feed_sequenced.c, which ask while more than one link of a group is up, and nobody. Updates have
 * numbers that do not depend on the connection, so a copy is known by its number, and an update ahead of the book says
 * what its connection has missed: it is held until another link brought that, or cannot any more.
 *
 * Always true: an item is published once; a book never skips a number; what is held is bounded in number and in time.
 */
#include "feed/feed_state.h"

/* ---- updates that wait ------------------------------------------------------------------------------------------- */

static void
held_remove(struct feed *f, uint32_t i)
{
    struct merge *g = &f->merge;

    f->line[g->held[i].slot].held--;
    g->held[i] = g->held[--g->held_count];
    if (g->held_count == 0)
        g->level_count = 0;
}

void
merge_drop(struct feed *f, uint32_t slot)
{
    struct merge *g = &f->merge;

    for (uint32_t i = g->held_count; i > 0 && f->line[slot].held > 0; i--)
        if (g->held[i - 1].slot == slot)
            held_remove(f, i - 1);
}

/* Links that have gone past what the book lacks: none of them brings it any more. */
static uint8_t
past(const struct feed *f, uint32_t slot)
{
    uint8_t mask = 0;

    for (uint32_t i = 0; i < f->merge.held_count; i++)
        if (f->merge.held[i].slot == slot)
            mask |= f->merge.held[i].bit;
    return mask;
}

/* No room: it is as if its connection had missed this one too. */
static void
hold(struct feed *f, const struct md_msg *m, bool hole, int64_t now_ns)
{
    struct merge *g = &f->merge;
    uint32_t levels = m->bid_count + m->ask_count;

    if (g->held_count == HELD_MAX || levels > g->levels_max - g->level_count)
        return;
    g->held[g->held_count++] = (struct held){
        .slot = m->slot,
        .bit = f->bit,
        .missed = hole,
        .first_id = m->first_id,
        .last_id = m->last_id,
        .since_ns = now_ns,
        .venue_time_ns = m->venue_time_ns,
        .at = g->level_count,
        .bid_count = m->bid_count,
        .ask_count = m->ask_count,
    };
    memcpy(g->level + g->level_count, m->bids, m->bid_count * sizeof(struct level));
    memcpy(g->level + g->level_count + m->bid_count, m->asks, m->ask_count * sizeof(struct level));
    g->level_count += levels;
    f->line[m->slot].held++;
    f->counters.held++;
}

/* Has its connection missed what is before it? */
static bool
missed(const struct feed *f, struct line *l, const struct md_msg *m)
{
    uint64_t *last = &l->last[f->link[f->speaker].index];
    bool yes = *last != 0 && m->first_id > *last + 1;

    *last = MAX(*last, m->last_id);
    return yes;
}

static void
apply_held(struct emitter *e, struct line *l, const struct held *h)
{
    struct merge *g = &e->f->merge;

    g->msg.kind = MD_MSG_DEPTH;
    g->msg.slot = h->slot;
    g->msg.first_id = h->first_id;
    g->msg.last_id = h->last_id;
    g->msg.venue_time_ns = h->venue_time_ns;
    g->msg.bids = g->level + h->at;
    g->msg.bid_count = h->bid_count;
    g->msg.asks = g->level + h->at + h->bid_count;
    g->msg.ask_count = h->ask_count;
    l->joined |= h->bit;
    e->f->counters.filled += h->missed;
    sequenced_follow(e, l, &g->msg);
}

/* The book moved on: what waited for that. */
static void
release(struct emitter *e, struct line *l)
{
    struct feed *f = e->f;
    struct merge *g = &f->merge;
    uint32_t slot = (uint32_t)(l - f->line);
    bool moved = true;

    for (unsigned pass = 0; pass < HELD_MAX && moved && l->held > 0; pass++) {
        moved = false;
        for (uint32_t i = g->held_count; i > 0 && l->state == BOOK_LIVE; i--) {
            const struct held h = g->held[i - 1];
            if (h.slot != slot || h.first_id > l->id + 1)
                continue;
            if (h.last_id > l->id)
                apply_held(e, l, &h);
            else
                l->joined |= h.bit;
            held_remove(f, i - 1);
            moved = true;
        }
    }
    if (l->state != BOOK_LIVE)
        merge_drop(f, slot);
}

/* True when it continues the book, or nobody can bring what is missing: then it is to be followed. */
static bool
in_turn(struct emitter *e, struct line *l, const struct md_msg *m)
{
    struct feed *f = e->f;

    bool hole = missed(f, l, m);
    f->counters.filled += hole && m->first_id <= l->id + 1; /* and another one has brought it */
    if (m->last_id <= l->id) {
        f->counters.duplicates++;
        l->joined |= f->bit;
        merge_second(f, MERGE_DEPTH, m->last_id, e->recv_ns, e->out);
        sequenced_repeated(e, l, m);
        return false;
    }
    if (m->first_id <= l->id + 1) {
        l->joined |= f->bit;
        merge_first(f, MERGE_DEPTH, m->last_id, e->recv_ns);
        return true;
    }
    uint8_t others = l->joined & links_up(f, m->slot) & (uint8_t)~f->bit;
    if ((others & ~past(f, m->slot)) == 0)
        return true; /* nobody to wait for: a gap */
    hold(f, m, hole, e->recv_ns);
    return false;
}

void
merge_depth(struct emitter *e, struct line *l, const struct md_msg *m)
{
    if (l->state == BOOK_LIVE && in_turn(e, l, m))
        sequenced_follow(e, l, m);
    if (l->held != 0)
        release(e, l);
}

void
merge_timer(struct emitter *e, int64_t now_ns)
{
    struct feed *f = e->f;

    for (uint32_t i = f->merge.held_count; i > 0; i = MIN(i - 1, f->merge.held_count)) {
        const struct held *h = &f->merge.held[i - 1];
        uint32_t slot = h->slot;
        if (now_ns - h->since_ns < f->cfg.gap_wait_ns && f->line[slot].state == BOOK_LIVE)
            continue;
        merge_drop(f, slot);
        if (f->line[slot].state != BOOK_LIVE)
            continue;
        f->counters.gaps++;
        feed_distrust(e, &f->line[slot], BOOK_GAP);
    }
}

/* ---- connections that fell silent -------------------------------------------------------------------------------- */

#define LAG_NS NS_PER_S /* between two mirrors of one stream it is milliseconds */

/* How far the furthest book of the line is, and how far the link's messages reach: update numbers, or the venue's own
 * times. */
static uint64_t
reached(struct feed *f, uint32_t slot)
{
    const struct link *k = &f->link[slot / f->group_lines * f->group_links];
    int64_t most = 0;

    if (!f->dialect->checked)
        return f->line[slot].id;
    for (uint32_t i = 0; i < f->group_links; i++) {
        const struct line *own = checked_line(f, slot, &k[i]);
        if (own->state == BOOK_LIVE)
            most = MAX(most, own->venue_ns);
    }
    return (uint64_t)most;
}

static uint64_t
brought(struct feed *f, uint32_t slot, const struct link *k)
{
    return f->dialect->checked ? (uint64_t)checked_line(f, slot, k)->venue_ns : f->line[slot].last[k->index];
}

void
merge_mark(struct feed *f, uint32_t slot, const struct link *k, int64_t now_ns)
{
    f->line[slot].mark[k->index] = reached(f, slot);
    f->line[slot].mark_ns[k->index] = now_ns;
}

static bool
owes(struct feed *f, uint32_t slot, const struct link *k)
{
    uint64_t mark = f->line[slot].mark[k->index];

    return reached(f, slot) > mark && brought(f, slot, k) <= mark;
}

bool
merge_lags(struct feed *f, uint32_t slot, const struct link *k, int64_t now_ns)
{
    return owes(f, slot, k) && now_ns - f->line[slot].mark_ns[k->index] >= LAG_NS;
}

/* Nothing is left to it and nothing is awaited from it until it speaks. */
static COLD void
silenced(struct emitter *e, uint32_t slot, struct link *k)
{
    struct feed *f = e->f;
    struct line *l = &f->line[slot];

    f->counters.silent++;
    if (f->dialect->checked) {
        checked_distrust(e, slot, k, BOOK_SILENT);
        return;
    }
    l->joined &= (uint8_t)~k->bit;
    silent_beside(f, slot, k, e->recv_ns);
}

static void
look_at(struct emitter *e, uint32_t slot, struct link *k, int64_t now_ns)
{
    struct feed *f = e->f;
    const struct line *l = &f->line[slot];
    const struct line *own = f->dialect->checked ? checked_line(f, slot, k) : l;
    /* One whose book is served leaves it to another's as soon as that is known to be ahead: nothing is lost by that. */
    int64_t max_ns = f->dialect->checked && own == l ? LAG_NS : f->cfg.depth_lag_max_ns;
    bool carries = f->dialect->checked || ((l->streaming | l->silent) & k->bit) != 0;
    /* What it was subscribed too late for is not owed. */
    bool settles =
        !f->dialect->checked && (l->joined & k->bit) == 0 && (k->acked_ns == 0 || now_ns - k->acked_ns < SETTLE_NS);

    if (l->state != BOOK_LIVE || own->state != BOOK_LIVE || !carries || settles || !owes(f, slot, k)) {
        merge_mark(f, slot, k, now_ns);
    } else if (now_ns - l->mark_ns[k->index] >= max_ns) {
        merge_mark(f, slot, k, now_ns);
        silenced(e, slot, k);
    }
}

void
merge_look(struct emitter *e, int64_t now_ns)
{
    struct feed *f = e->f;

    for (uint32_t n = 0; n < f->link_count; n++) {
        struct link *k = &f->link[n];
        for (uint32_t i = link_begin(f, k); k->up && i < link_end(f, k); i++)
            look_at(e, i, k, now_ns);
    }
}

/* ---- trades ------------------------------------------------------------------------------------------------------ */

void
merge_trade(struct line *l, int64_t id)
{
    uint64_t ahead = (uint64_t)(id - l->last_trade_id);

    l->trades = l->last_trade_id == 0 ? UINT64_MAX : (ahead < 64 ? l->trades << ahead : 0) | 1;
}

bool
merge_trade_seen(struct feed *f, struct line *l, int64_t id)
{
    uint64_t behind = (uint64_t)(l->last_trade_id - id);

    if (behind >= 64 || (l->trades >> behind & 1) != 0)
        return true;
    l->trades |= UINT64_C(1) << behind;
    f->counters.filled++;
    return false;
}

/* ---- who was first ----------------------------------------------------------------------------------------------- */

void
merge_first(struct feed *f, enum merge_stream stream, uint64_t id, int64_t now_ns)
{
    if (f->merge.arrivals == NULL)
        return;
    struct arrivals *a = &f->merge.arrivals[f->msg.slot];
    struct arrival *first = &a->first[stream][a->count[stream]++ % ARRIVALS];
    *first = (struct arrival){ .id = id, .ns = now_ns, .copy = f->link[f->speaker].copy };
}

void
merge_second(struct feed *f, enum merge_stream stream, uint64_t id, int64_t now_ns, const struct md_out *out)
{
    if (f->merge.arrivals == NULL || out->on_lead == NULL)
        return;
    struct arrivals *a = &f->merge.arrivals[f->msg.slot];
    for (unsigned i = 0; i < ARRIVALS; i++) {
        struct arrival *first = &a->first[stream][i];
        if (first->id != id || first->ns == 0 || first->copy == f->link[f->speaker].copy)
            continue;
        out->on_lead(out->ctx, first->copy, now_ns - first->ns);
        first->ns = 0; /* told once */
        return;
    }
}
