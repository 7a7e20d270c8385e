/* The snapshot in flight: fetched beside the stream, loaded in slices, joined to the updates that waited for it.
 *
 * A snapshot is loaded and joined in a book of its own, which changes places with the instrument's when it has caught
 * up; so a live book that is only re-seeded stays live meanwhile.
 *
 *   stage         leaves it when                                          goes to
 *   IDLE          an instrument wants a snapshot and its back-off is over ASKED
 *   ASKED         the first slice comes                                   LOADING
 *   LOADING       the last slice comes: it joins the buffered updates     JOINING
 *                 it is older than the first buffered update              AGAIN
 *   AGAIN         its pause is over (the buffer stays)                    ASKED
 *   JOINING       every buffered update is applied: books change places   IDLE
 *   any           failed slice, silence, a gap behind the snapshot        IDLE, the instrument backs off
 *
 * Always true: one at a time; the buffer is in sequence; a piece of work is bounded. */
#include "feed/feed_state.h"

/* ---- the snapshot in flight ---- */

static void
pending_clear(struct fetch *t)
{
    t->event_count = 0;
    t->event_at = 0;
    t->level_count = 0;
}

void
feed_fetch_idle(struct feed *f)
{
    f->fetch.stage = STAGE_IDLE;
    f->fetch.slot = NONE;
    pending_clear(&f->fetch);
}

/* No ban is longer. */
#define BAN_MAX_NS (INT64_C(72) * 3600 * NS_PER_S)

static COLD void
fetch_fail(struct feed *f, int64_t now_ns)
{
    struct line *l = &f->line[f->fetch.slot];

    f->counters.snapshot_failures++;
    l->retry_at_ns = MAX(l->retry_at_ns, now_ns + l->retry_ns);
    feed_fetch_idle(f);
}

/* Buffer an update of the instrument in flight. */
COLD void
feed_fetch_buffer(struct feed *f, const struct md_msg *m, int64_t now_ns)
{
    struct fetch *t = &f->fetch;
    uint64_t last_id = t->event_count > 0 ? t->event[t->event_count - 1].last_id : 0; /* 0: nothing is buffered */
    uint32_t levels = m->bid_count + m->ask_count;
    bool full = t->event_count == f->cfg.pending_events_max || levels > f->cfg.pending_levels_max - t->level_count;

    if (m->last_id <= last_id)
        return;
    if (unlikely(full))
        f->counters.pending_overflows++;
    if (unlikely(full || (last_id != 0 && m->first_id > last_id + 1))) {
        /* What was buffered is worth nothing: only a snapshot newer than it can still join. */
        if (t->stage == STAGE_JOINING) {
            fetch_fail(f, now_ns);
            return;
        }
        pending_clear(t);
    }
    t->event[t->event_count++] = (struct pending){
        .first_id = m->first_id,
        .last_id = m->last_id,
        .at = t->level_count,
        .bid_count = m->bid_count,
        .ask_count = m->ask_count,
    };
    memcpy(t->level + t->level_count, m->bids, m->bid_count * sizeof(struct level));
    memcpy(t->level + t->level_count + m->bid_count, m->asks, m->ask_count * sizeof(struct level));
    t->level_count += levels;
}
/* The instrument that is worst off: not live before merely shallow, in turn. */
static uint32_t
fetch_choose(const struct feed *f, int64_t now_ns)
{
    uint32_t second = NONE;

    for (uint32_t n = 0; n < f->line_count; n++) {
        uint32_t i = (f->fetch_at + n) % f->line_count;
        const struct line *l = &f->line[i];
        if (!l->wanted || l->streaming == 0 || l->retry_at_ns > now_ns)
            continue;
        if (l->state != BOOK_LIVE)
            return i;
        if (second == NONE)
            second = i;
    }
    return second;
}

bool
feed_snapshot_wanted(struct feed *f, struct now now, uint32_t *instrument)
{
    struct fetch *t = &f->fetch;
    int64_t now_ns = now.mono.ns;

    if (!f->up || f->dialect->checked ||
        (t->stage != STAGE_IDLE && !(t->stage == STAGE_AGAIN && now_ns >= t->deadline_ns)))
        return false;
    if (t->stage == STAGE_IDLE) {
        uint32_t slot = f->wanted_count > 0 ? fetch_choose(f, now_ns) : NONE; /* asked after every span of bytes */
        if (slot == NONE)
            return false;
        t->slot = slot;
        t->again_count = 0;
        f->fetch_at = slot + 1;
    }
    struct line *l = &f->line[t->slot];
    t->carriers = l->streaming;
    if (l->fetched_ns == 0 || now_ns - l->fetched_ns > f->cfg.retry_max_ns)
        l->retry_ns = f->cfg.retry_min_ns;
    l->fetched_ns = now_ns;
    l->retry_at_ns = now_ns + l->retry_ns;
    l->retry_ns = MIN(l->retry_ns * 2, f->cfg.retry_max_ns);
    t->stage = STAGE_ASKED;
    t->deadline_ns = now_ns + f->cfg.snapshot_timeout_ns;
    f->counters.snapshots++;
    *instrument = l->instrument;
    return true;
}

/* `a` is nearer to the touch than `b`; NULL is behind every level. */
static bool
nearer(enum side side, const struct level *a, const struct level *b)
{
    if (a == NULL || b == NULL)
        return a != NULL;
    return side == SIDE_BUY ? a->px > b->px : a->px < b->px;
}

/* What a re-seeded book has that clients have not seen, and has not that they have: each side of both from the touch.
 */
static COLD void
publish_reseeded(struct emitter *e, const struct line *l, const struct fetch *t)
{
    for (unsigned s = 0; s < 2; s++) {
        enum side side = (enum side)s;
        const struct level *old = book_touch(&l->book, side);
        const struct level *new = book_touch(&t->book, side);
        while (old != NULL || new != NULL) {
            if (nearer(side, old, new)) {
                emit_level(e, l, side, old->px, 0, t->id, 0);
                old = book_worse(&l->book, side, old);
            } else if (nearer(side, new, old)) {
                emit_level(e, l, side, new->px, new->qty, t->id, 0);
                new = book_worse(&t->book, side, new);
            } else {
                if (old->qty != new->qty)
                    emit_level(e, l, side, new->px, new->qty, t->id, 0);
                old = book_worse(&l->book, side, old);
                new = book_worse(&t->book, side, new);
            }
        }
    }
}

/* The joined book takes its place. */
static COLD void
go_live(struct emitter *e)
{
    struct feed *f = e->f;
    struct fetch *t = &f->fetch;
    struct line *l = &f->line[t->slot];

    if (t->quiet)
        publish_reseeded(e, l, t);
    struct book old = l->book;
    l->book = t->book;
    t->book = old;
    l->id = t->id;
    l->joined |= t->carriers & l->streaming; /* whatever is behind the snapshot comes over them */
    want(f, l, false);
    l->compare_open = false;
    l->unequal_run = 0;
    feed_fetch_idle(f);
    sequenced_start(e, l);
}

/* Buffered updates into the loaded book, a bounded number of levels. True when more are left. */
static bool
join(struct emitter *e)
{
    struct feed *f = e->f;
    struct fetch *t = &f->fetch;
    struct line *l = &f->line[t->slot];
    uint32_t done = 0;

    while (t->event_at < t->event_count) {
        const struct pending *p = &t->event[t->event_at];
        if (done >= WORK_LEVELS)
            return true;
        t->event_at++;
        done++;
        if (p->last_id <= t->id)
            continue;
        if (p->first_id > t->id + 1) { /* feed_fetch_buffer() keeps the buffer in sequence */
            fetch_fail(f, e->recv_ns);
            return false;
        }
        const struct level *bid = t->level + p->at;
        sequenced_apply(e, l, &t->book, SIDE_BUY, bid, p->bid_count, p->last_id, !t->quiet);
        sequenced_apply(e, l, &t->book, SIDE_SELL, bid + p->bid_count, p->ask_count, p->last_id, !t->quiet);
        t->id = p->last_id;
        done += p->bid_count + p->ask_count;
    }
    go_live(e);
    return false;
}

bool
feed_work(struct feed *f, struct now now, const struct md_out *out)
{
    if (f->fetch.stage != STAGE_JOINING)
        return false;
    struct emitter e = emitter_begin(f, out, now);
    bool more = join(&e);
    emitter_end(&e);
    return more;
}

/* Nothing joined. When the snapshots moved on and the stream said nothing meanwhile, it is silent; what was seen of it
 * before may have been a mistake. */
static COLD void
gives_up(struct emitter *e, struct line *l)
{
    struct fetch *t = &e->f->fetch;
    bool silent = t->event_count == 0 && t->id > t->again_id && e->f->cfg.depth_lag_max_ns != 0;

    fetch_fail(e->f, e->recv_ns);
    if (!silent)
        return;
    e->f->counters.lags++;
    silent_begin(e->f, l, e->recv_ns);
    feed_distrust(e, l, BOOK_SILENT);
}

/* The last slice is in: can the buffered updates continue it? */
static void
loaded(struct emitter *e)
{
    struct feed *f = e->f;
    struct fetch *t = &f->fetch;

    book_load_end(&t->book);
    for (unsigned s = 0; s < 2; s++) {
        if (t->book.side[s].count >= f->cfg.snapshot_limit)
            book_set_edge(&t->book, (enum side)s);
    }
    while (t->event_at < t->event_count && t->event[t->event_at].last_id <= t->id)
        t->event_at++;
    struct line *l = &f->line[t->slot];
    bool continues = t->event_at == t->event_count || t->event[t->event_at].first_id <= t->id + 1;
    uint64_t last_id = t->event_count > 0 ? MAX(t->event[t->event_count - 1].last_id, t->id) : t->id;
    if (continues && last_id >= l->seen_id) { /* what was seen and not buffered is in it */
        t->stage = STAGE_JOINING;
        return;
    }
    if (t->again_count == 0)
        t->again_id = t->id;
    if (++t->again_count > AGAIN_MAX) {
        if (!continues || t->event_count == 0) {
            gives_up(e, l);
            return;
        }
        sequenced_renumber(l, last_id); /* snapshots and stream agree: what was seen before counts from elsewhere */
        t->stage = STAGE_JOINING;
        return;
    }
    f->counters.snapshot_failures++;
    t->event_at = 0;
    t->stage = STAGE_AGAIN;
    t->deadline_ns = e->recv_ns + AGAIN_PAUSE_NS;
}

static bool
load_levels(struct emitter *e, const struct line *l, const struct snapshot_slice *s)
{
    struct fetch *t = &e->f->fetch;

    if (s->count > SNAPSHOT_SLICE_LEVELS || s->side > SIDE_SELL || s->last_update_id != t->id)
        return false;
    for (uint32_t i = 0; i < s->count; i++) {
        if (!book_load(&t->book, (enum side)s->side, s->level[i].px, s->level[i].qty))
            return false;
        if (!t->quiet)
            emit_level(e, l, (enum side)s->side, s->level[i].px, s->level[i].qty, t->id, 0);
    }
    return true;
}

void
feed_on_snapshot_slice(struct feed *f, const struct snapshot_slice *s, struct now now, const struct md_out *out)
{
    struct fetch *t = &f->fetch;

    if ((t->stage != STAGE_ASKED && t->stage != STAGE_LOADING) || f->line[t->slot].instrument != s->instrument)
        return;
    if (s->failed && s->count > 0) { /* the venue named the time: doubling on top of it would only be late */
        struct line *banned = &f->line[t->slot];
        banned->retry_ns = f->cfg.retry_min_ns;
        banned->retry_at_ns = now.mono.ns + MIN((int64_t)s->count * NS_PER_MS, BAN_MAX_NS);
        f->counters.snapshot_failures++;
        feed_fetch_idle(f);
        return;
    }
    if (s->failed || (t->stage == STAGE_ASKED && !s->is_first)) {
        fetch_fail(f, now.mono.ns);
        return;
    }
    struct line *l = &f->line[t->slot];
    struct emitter e = emitter_begin(f, out, now);
    t->deadline_ns = now.mono.ns + f->cfg.snapshot_timeout_ns;
    if (s->is_first) {
        t->stage = STAGE_LOADING;
        t->quiet = l->state == BOOK_LIVE;
        t->id = s->last_update_id;
        book_clear(&t->book);
        if (!t->quiet)
            feed_emit_bare(&e, l, MD_CLEAR, t->id);
    }
    if (!load_levels(&e, l, s))
        fetch_fail(f, now.mono.ns);
    else if (s->is_last)
        loaded(&e);
    if (t->stage == STAGE_JOINING)
        (void)join(&e);
    emitter_end(&e);
}

void
feed_fetch_timer(struct feed *f, int64_t now_ns)
{
    struct fetch *t = &f->fetch;

    if ((t->stage == STAGE_ASKED || t->stage == STAGE_LOADING) && now_ns >= t->deadline_ns)
        fetch_fail(f, now_ns);
}
