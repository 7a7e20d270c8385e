/* Books that follow a numbered stream: each update must continue the last, and bookTicker is the second opinion.
 *
 * Between feed.c, which hands over the decoded messages, and feed_fetch.c, whose snapshots these books start from.
 *
 * Always true: a book here is live only while every update since its snapshot was applied in sequence, it is neither
 * crossed nor locked, and its touch lies within what the snapshot knew. */
#include "feed/feed_state.h"

/* ---- levels into a book ---- */

/* No room for a new level: drop the worst eighth of the side. */
static COLD void
trim(struct emitter *e, struct line *l, struct book *b, enum side side, uint64_t id, bool publish)
{
    struct book_side *s = &b->side[side];
    uint32_t n = MAX(b->levels_max / 8, 1u);

    e->f->counters.trims++;
    book_compact(b, side);
    for (uint32_t i = 0; i < n && publish; i++)
        emit_level(e, l, side, s->level[i].px, 0, id, 0);
    book_trim(b, side, n);
}

static inline void
apply_side(struct emitter *e, struct line *l, struct book *b, enum side side, const struct level *level, uint32_t count,
           uint64_t id, int64_t time_ns, bool publish)
{
    uint32_t hint = UINT32_MAX;

    for (uint32_t i = 0; i < count; i++) {
        enum book_change c = book_set(b, side, level[i].px, level[i].qty, &hint);
        if (unlikely(c == BOOK_FULL)) {
            trim(e, l, b, side, id, publish);
            hint = UINT32_MAX;
            c = book_set(b, side, level[i].px, level[i].qty, &hint);
        }
        if (c == BOOK_CHANGED && publish)
            emit_level(e, l, side, level[i].px, level[i].qty, id, time_ns);
    }
}

/* What the levels say of a book: BOOK_LIVE when it can be traded on. */
static inline enum book_state
judge(const struct book *b)
{
    enum book_state spread = book_spread_state(b);
    if (unlikely(spread != BOOK_LIVE))
        return spread;
    for (unsigned s = 0; s < 2; s++) {
        if (unlikely(b->side[s].count == 0 && b->side[s].edged))
            return b->side[s].trimmed ? BOOK_OVERFLOW : BOOK_SHALLOW;
    }
    return BOOK_LIVE;
}

static COLD void
judged(struct emitter *e, struct line *l, enum book_state state)
{
    if (state == BOOK_CROSSED)
        e->f->counters.crossed++;
    else if (state == BOOK_LOCKED)
        e->f->counters.locked++;
    else
        e->f->counters.shallow++;
    feed_distrust(e, l, state);
}

/* A touch within a quarter of the seeded levels from the edge: time to seed again, before it gets there. */
static inline bool
near_edge(const struct feed *f, const struct book *b)
{
    uint32_t few = f->cfg.snapshot_limit / 4;
    return (b->side[0].edged && b->side[0].count < few) || (b->side[1].edged && b->side[1].count < few);
}

/* ---- bookTicker against depth ---- */

static COLD void
contradicted(struct emitter *e, struct line *l)
{
    e->f->counters.compare_unequal++;
    l->compare_open = false;
    if (++l->unequal_run < UNEQUAL_MAX)
        return;
    l->ticker_count = 0; /* if bookTicker is the one that went silent, it does not speak again of the next book */
    feed_distrust(e, l, BOOK_GAP);
}

static inline void
agreed(struct emitter *e, struct line *l)
{
    e->f->counters.compare_equal++;
    l->compare_open = false;
    l->unequal_run = 0;
}

/* Depth moved the touch, and bookTicker has not said so yet. */
static inline void
ticker_owes(const struct emitter *e, struct line *l)
{
    if (l->ticker_due_ns == 0)
        l->ticker_due_ns = e->recv_ns;
}

/* bookTicker has said nothing yet: it must when the touch is not the one that was served before. */
static COLD void
unspoken(const struct emitter *e, struct line *l, const struct touch *t)
{
    const struct top_of_book *was = &l->ref.tob;

    if ((e->f->cfg.streams & MD_STREAM_TICKER) != 0 && (was->bid_px != t->bid.px || was->bid_qty != t->bid.qty ||
                                                        was->ask_px != t->ask.px || was->ask_qty != t->ask.qty))
        ticker_owes(e, l);
}

/* Compare the book's touch with the newest bookTicker that is not newer than it. When that may still be on its way, the
 * question stays open until the next bookTicker or the next update. */
static inline void
compare(struct emitter *e, struct line *l, const struct touch *t)
{
    uint32_t n = MIN(l->ticker_count, TICKERS);

    if (unlikely(l->compare_open)) {
        contradicted(e, l);
        if (l->state != BOOK_LIVE)
            return;
    }
    if (unlikely(n == 0))
        unspoken(e, l, t);
    for (uint32_t i = 0; i < n; i++) {
        const struct touch *seen = &l->ticker[(l->ticker_count - 1 - i) % TICKERS];
        if (seen->id > t->id)
            continue;
        if (likely(touch_equal(seen, t))) {
            agreed(e, l);
        } else if (i > 0) {
            contradicted(e, l); /* a newer one was seen: none can be missing between */
        } else {
            l->compare_open = true;
            l->compare = *t;
            ticker_owes(e, l);
        }
        return;
    }
}

/* ---- messages ---- */

static inline void
serve_newest(struct emitter *e, struct line *l, const struct touch *book)
{
    const struct touch *ticker = newest_ticker(l);
    bool ahead = ticker != NULL && ticker->id > l->id;

    if (!ahead) {
        l->ahead_ns = 0;
    } else if (l->ahead_ns == 0 || l->id >= l->ahead_id) { /* a stream that moves and stays behind is late too */
        l->ahead_ns = e->recv_ns;
        l->ahead_id = ticker->id;
    }
    serve(e, l, ahead ? ticker : book);
}

COLD void
sequenced_renumber(struct line *l, uint64_t id)
{
    l->seen_id = id;
    l->ticker_count = 0;
    l->last_trade_id = 0;
    l->trades = 0;
    memset(l->last, 0, sizeof(l->last));
}

/* If these are new numbers, a snapshot that is older than the newest of them lacks what they told. */
static void
note_repeat(struct line *l, uint64_t id)
{
    if (l->repeated == 0 && l->ticker_repeated == 0)
        l->repeated_id = 0;
    l->repeated_id = MAX(l->repeated_id, id);
}

COLD void
sequenced_repeated(struct emitter *e, struct line *l, const struct md_msg *m)
{
    struct feed *f = e->f;

    note_repeat(l, m->last_id);
    if (l->repeated == 0)
        l->repeated_ns = e->recv_ns;
    l->repeated |= f->bit;
    if ((l->streaming & ~l->repeated) != 0 || f->cfg.depth_lag_max_ns == 0 ||
        e->recv_ns - l->repeated_ns <= f->cfg.depth_lag_max_ns)
        return;
    sequenced_renumber(l, l->repeated_id);
    f->counters.gaps++;
    feed_distrust(e, l, BOOK_GAP);
}

static inline void
follow(struct emitter *e, struct line *l, const struct md_msg *m)
{
    struct feed *f = e->f;

    if (unlikely(m->last_id <= l->id)) {
        f->counters.duplicates++;
        sequenced_repeated(e, l, m);
        return;
    }
    if (unlikely(m->first_id > l->id + 1)) {
        f->counters.gaps++;
        feed_distrust(e, l, BOOK_GAP);
        return;
    }
    l->repeated = 0;
    l->ticker_repeated = 0;
    apply_side(e, l, &l->book, SIDE_BUY, m->bids, m->bid_count, m->last_id, m->venue_time_ns, true);
    apply_side(e, l, &l->book, SIDE_SELL, m->asks, m->ask_count, m->last_id, m->venue_time_ns, true);
    l->id = m->last_id;
    struct touch t = touch_of(&l->book, l->id);
    compare(e, l, &t);
    if (unlikely(l->state != BOOK_LIVE))
        return;
    enum book_state state = judge(&l->book);
    if (unlikely(state != BOOK_LIVE)) {
        judged(e, l, state);
        return;
    }
    if (unlikely(near_edge(f, &l->book)))
        want(f, l, true);
    serve_newest(e, l, &t);
}

void
sequenced_follow(struct emitter *e, struct line *l, const struct md_msg *m)
{
    follow(e, l, m);
}

void
sequenced_depth(struct feed *f, struct now now, const struct md_out *out)
{
    const struct md_msg *m = &f->msg;
    struct line *l = &f->line[m->slot];
    struct emitter e = emitter_begin(f, out, now);

    f->counters.depth++;
    l->streaming |= f->bit;
    if (unlikely(l->silent != 0))
        silent_clear(f, l, f->bit);
    l->seen_id = MAX(l->seen_id, m->last_id);
    if (unlikely(f->fetch.slot == m->slot))
        feed_fetch_buffer(f, m, now.mono.ns);
    if (unlikely(f->merging))
        merge_depth(&e, l, m);
    else if (likely(l->state == BOOK_LIVE))
        follow(&e, l, m);
    emitter_end(&e);
    if (unlikely(f->fetch.stage == STAGE_JOINING))
        (void)feed_work(f, now, out);
}

/* The question that a bookTicker answers: `t` is the one that just came. */
static COLD void
compare_again(struct emitter *e, struct line *l, const struct touch *t)
{
    if (t->id > l->compare.id)
        contradicted(e, l);
    else if (touch_equal(t, &l->compare))
        agreed(e, l);
}

static COLD void
lag(struct emitter *e, struct line *l)
{
    e->f->counters.lags++;
    l->ticker_count = 0; /* if bookTicker is the one that is wrong, it starts anew too */
    silent_begin(e->f, l, e->recv_ns);
    feed_distrust(e, l, BOOK_SILENT);
}

/* bookTicker counts by the book's own numbers. When all links have brought nothing but older ones for longer than depth
 * may lag, and the book stands, then those count from elsewhere, and so does depth, which may say nothing any more:
 * true, and a live book is a gap. */
static COLD bool
ticker_repeated(struct feed *f, struct line *l, struct now now, const struct md_out *out)
{
    note_repeat(l, f->msg.last_id);
    if (l->ticker_repeated == 0)
        l->ticker_repeated_ns = now.mono.ns;
    l->ticker_repeated |= f->bit;
    if ((links_up(f, f->msg.slot) & ~l->ticker_repeated) != 0 || f->cfg.depth_lag_max_ns == 0 ||
        now.mono.ns - l->ticker_repeated_ns <= f->cfg.depth_lag_max_ns)
        return false;
    l->ticker_repeated = 0;
    if (l->state != BOOK_LIVE) { /* what the next snapshot must have is for depth to say */
        l->ticker_count = 0;
        return true;
    }
    sequenced_renumber(l, l->repeated_id);
    struct emitter e = emitter_begin(f, out, now);
    f->counters.gaps++;
    feed_distrust(&e, l, BOOK_GAP);
    emitter_end(&e);
    return true;
}

void
sequenced_ticker(struct feed *f, struct now now, const struct md_out *out)
{
    const struct md_msg *m = &f->msg;
    struct line *l = &f->line[m->slot];
    const struct touch *last = newest_ticker(l);

    f->counters.ticker++;
    if (unlikely(m->bid.px >= m->ask.px && m->bid.px != 0 && m->ask.px != 0)) {
        f->counters.ticker_crossed++;
        return;
    }
    if (unlikely(last != NULL && m->last_id <= last->id)) {
        f->counters.duplicates++;
        if (f->merging)
            merge_second(f, MERGE_TICKER, m->last_id, now.mono.ns, out);
        if (m->last_id < last->id)
            (void)ticker_repeated(f, l, now, out);
        return;
    }
    if (unlikely(f->merging))
        merge_first(f, MERGE_TICKER, m->last_id, now.mono.ns);
    struct emitter e = emitter_begin(f, out, now);
    struct touch *t = &l->ticker[l->ticker_count % TICKERS];
    l->ticker_count++;
    t->id = m->last_id;
    t->bid = (struct level){ field(&m->bid.px), field(&m->bid.qty) };
    t->ask = (struct level){ field(&m->ask.px), field(&m->ask.qty) };
    if (likely(t->id >= l->id))
        l->ticker_repeated = 0;
    else if (ticker_repeated(f, l, now, out))
        return;
    if (unlikely(l->ticker_due_ns != 0))
        silent_ticker_clear(f, l);
    if (likely(l->state == BOOK_LIVE)) {
        if (unlikely(l->compare_open))
            compare_again(&e, l, t);
        if (l->ahead_ns == 0 && t->id > l->id) {
            l->ahead_ns = now.mono.ns;
            l->ahead_id = t->id;
        } else if (unlikely(l->ahead_ns != 0 && f->cfg.depth_lag_max_ns != 0 &&
                            now.mono.ns - l->ahead_ns > f->cfg.depth_lag_max_ns)) {
            lag(&e, l);
        }
    }
    if (likely(l->state == BOOK_LIVE)) {
        if (likely(t->id > l->id)) {
            serve(&e, l, t);
        } else {
            l->ref.tob.recv_ns = now.mono.ns;
            l->ref.good.recv_ns = now.mono.ns;
            publish_table(&e, l);
        }
    }
    emitter_end(&e);
}

void
sequenced_traded(const struct feed *f, struct line *l, int64_t now_ns)
{
    if (likely(now_ns - l->ref.tob.recv_ns <= f->cfg.depth_lag_max_ns))
        return;
    if (l->state != BOOK_LIVE || l->ahead_ns != 0)
        return;
    l->ahead_ns = now_ns;
    l->ahead_id = l->id + 1;
}

/* ---- what feed_fetch.c needs ---- */

COLD void
sequenced_apply(struct emitter *e, struct line *l, struct book *b, enum side side, const struct level *level,
                uint32_t count, uint64_t id, bool publish)
{
    apply_side(e, l, b, side, level, count, id, 0, publish);
}

COLD void
sequenced_start(struct emitter *e, struct line *l)
{
    enum book_state state = judge(&l->book);
    if (state != BOOK_LIVE) {
        l->state = BOOK_SYNCING; /* so that the verdict is published even when it repeats the last one */
        judged(e, l, state);
        return;
    }
    e->f->counters.resyncs++;
    l->repeated = 0;
    for (unsigned i = 0; i < GROUP_LINKS; i++)
        l->mark[i] = l->id; /* nobody owes what the snapshot brought */
    if (l->state != BOOK_LIVE) {
        l->state = BOOK_LIVE;
        feed_emit_bare(e, l, MD_STATE, l->id);
    }
    struct touch top = touch_of(&l->book, l->id);
    serve_newest(e, l, &top);
}

void
sequenced_timer(struct feed *f, struct now now, const struct md_out *out)
{
    struct emitter e = emitter_begin(f, out, now);

    for (uint32_t i = 0; i < f->line_count; i++) {
        struct line *l = &f->line[i];
        if (l->state == BOOK_LIVE && l->ahead_ns != 0 && f->cfg.depth_lag_max_ns != 0 &&
            now.mono.ns - l->ahead_ns > f->cfg.depth_lag_max_ns) {
            if (f->dialect->checked) {
                f->counters.lags++;
                checked_distrust(&e, i, checked_server(f, i), BOOK_SILENT);
            } else {
                lag(&e, l);
            }
        }
        if (l->ticker_due_ns != 0 && !l->ticker_silent && f->cfg.depth_lag_max_ns != 0 &&
            now.mono.ns - l->ticker_due_ns > f->cfg.depth_lag_max_ns)
            silent_ticker_begin(f, l, now.mono.ns);
    }
    emitter_end(&e);
}
