/* Subscriptions of one connection: see feed.h.
 *
 * Two machines: one per instrument (struct line: is its book good?) and one per feed (struct fetch: the snapshot in
 * flight). A snapshot is loaded and joined in a book of its own, which changes places with the instrument's when it has
 * caught up; so a live book that is only re-seeded stays live meanwhile.
 *
 *   fetch stage   leaves it when                                          goes to
 *   IDLE          an instrument wants a snapshot and its back-off is over ASKED
 *   ASKED         the first slice comes                                   LOADING
 *   LOADING       the last slice comes: it joins the buffered updates     JOINING
 *                 it is older than the first buffered update              AGAIN
 *   AGAIN         its pause is over (the buffer stays)                    ASKED
 *   JOINING       every buffered update is applied: books change places   IDLE
 *   any           failed slice, silence, a gap behind the snapshot        IDLE, the instrument backs off */
#include "feed/feed_state.h"

COLD void
feed_emit_bare(struct emitter *e, const struct line *l, enum md_kind kind, uint64_t seq)
{
    struct md_event *ev = emit(e, l, kind, 0, seq);
    ev->level.px = 0;
    ev->level.qty = 0;
    ev->level.trade_id = 0;
    ev->level.venue_time_ns = 0;
}

COLD void
feed_distrust(struct emitter *e, struct line *l, enum book_state state)
{
    ASSERT(state != BOOK_LIVE);
    want(e->f, l, state != BOOK_DOWN && state != BOOK_EMPTY);
    l->compare_open = false;
    l->unequal_run = 0;
    l->ahead_ns = 0;
    if (l->state == state)
        return;
    l->state = (uint8_t)state;
    l->ref.tob.state = (uint8_t)state;
    publish_table(e, l);
    feed_emit_bare(e, l, MD_STATE, l->id);
}

/* ---- the snapshot in flight ---- */

static void
pending_clear(struct fetch *t)
{
    t->event_count = 0;
    t->event_at = 0;
    t->level_count = 0;
}

static void
fetch_idle(struct feed *f)
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
    fetch_idle(f);
}

/* Buffer an update of the instrument in flight. */
static COLD void
pending_add(struct feed *f, const struct md_msg *m, int64_t now_ns)
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
    if (unlikely(book_crossed(b)))
        return BOOK_CROSSED;
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

/* Compare the book's touch with the newest bookTicker that is not newer than it. When that may still be on its way, the
 * question stays open until the next bookTicker or the next update. */
static inline void
compare(struct emitter *e, struct line *l, const struct touch *t)
{
    uint32_t n = MIN(l->ticker_count, TICKERS);

    if (unlikely(l->compare_open))
        contradicted(e, l);
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

    l->ahead_ns = ahead ? e->recv_ns : 0;
    serve(e, l, ahead ? ticker : book);
}

static inline void
follow(struct emitter *e, struct line *l, const struct md_msg *m)
{
    struct feed *f = e->f;

    if (unlikely(m->last_id <= l->id)) {
        f->counters.duplicates++;
        return;
    }
    if (unlikely(m->first_id > l->id + 1)) {
        f->counters.gaps++;
        feed_distrust(e, l, BOOK_GAP);
        return;
    }
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

static inline void
on_depth(struct feed *f, struct now now, const struct md_out *out)
{
    const struct md_msg *m = &f->msg;
    struct line *l = &f->line[m->slot];
    struct emitter e = emitter_begin(f, out, now);

    f->counters.depth++;
    l->streaming = true;
    l->seen_id = m->last_id;
    if (unlikely(f->fetch.slot == m->slot))
        pending_add(f, m, now.mono.ns);
    if (likely(l->state == BOOK_LIVE))
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
    l->streaming = false; /* no snapshot helps while the stream is silent */
    feed_distrust(e, l, BOOK_GAP);
}

static inline void
on_ticker(struct feed *f, struct now now, const struct md_out *out)
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
        return;
    }
    struct emitter e = emitter_begin(f, out, now);
    struct touch *t = &l->ticker[l->ticker_count % TICKERS];
    l->ticker_count++;
    t->id = m->last_id;
    t->bid = (struct level){ field(&m->bid.px), field(&m->bid.qty) };
    t->ask = (struct level){ field(&m->ask.px), field(&m->ask.qty) };
    if (likely(l->state == BOOK_LIVE)) {
        if (unlikely(l->compare_open))
            compare_again(&e, l, t);
        if (l->ahead_ns == 0)
            l->ahead_ns = t->id > l->id ? now.mono.ns : 0;
        else if (unlikely(f->cfg.depth_lag_max_ns != 0 && now.mono.ns - l->ahead_ns > f->cfg.depth_lag_max_ns))
            lag(&e, l);
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

static inline void
on_trade(struct feed *f, struct now now, const struct md_out *out)
{
    const struct md_msg *m = &f->msg;
    struct line *l = &f->line[m->slot];

    f->counters.trade++;
    if (unlikely(l->last_trade_id != 0 && m->trade_id != l->last_trade_id + 1)) {
        if (m->trade_id <= l->last_trade_id) {
            f->counters.duplicates++;
            return;
        }
        f->counters.trade_gaps++;
    }
    l->last_trade_id = m->trade_id;
    if (f->dialect->checked)
        checked_traded(l, now.mono.ns, f->cfg.depth_lag_max_ns);
    l->ref.last_px = m->px;
    l->ref.last_ns = now.mono.ns;
    struct emitter e = emitter_begin(f, out, now);
    struct md_event *ev = emit(&e, l, MD_TRADE, m->aggressor, 0);
    ev->level.px = m->px;
    ev->level.qty = m->qty;
    ev->level.trade_id = m->trade_id;
    ev->level.venue_time_ns = m->venue_time_ns;
    emitter_end(&e);
}

static COLD enum feed_result
on_other(struct feed *f, struct now now)
{
    const struct md_msg *m = &f->msg;

    f->counters.other++;
    if (f->dialect->checked && (m->kind == MD_MSG_REPLY || m->kind == MD_MSG_ERROR))
        checked_answer(f, m->kind == MD_MSG_REPLY, now);
    switch (m->kind) {
    case MD_MSG_REPLY:
        for (uint32_t i = 0; i < f->line_count; i++) {
            if (f->line[i].subscribe_id == m->request_id && m->request_id > 0)
                f->line[i].streaming = true;
        }
        return FEED_SUBSCRIBED;
    case MD_MSG_ERROR:
        f->refusal_code = m->code;
        memcpy(f->refusal, m->text, sizeof(f->refusal));
        return FEED_REFUSED;
    case MD_MSG_SHUTDOWN: return FEED_SHUTDOWN;
    case MD_MSG_STATUS:
        f->online = m->online;
        memcpy(f->refusal, m->text, sizeof(f->refusal));
        return FEED_STATUS;
    default: return FEED_OK;
    }
}

static COLD enum feed_result
on_unreadable(struct feed *f, enum decode_result res, struct now now, const struct md_out *out)
{
    const struct md_msg *m = &f->msg;

    if (res == DECODE_IGNORED) {
        f->counters.other++;
        return FEED_OK;
    }
    if (f->dialect->checked && res == DECODE_MALFORMED && m->slot == MD_NO_SLOT)
        checked_unreadable(f, now, out);
    if ((m->kind == MD_MSG_DEPTH || m->kind == MD_MSG_SNAPSHOT) && m->slot < f->line_count) {
        struct line *l = &f->line[m->slot];
        struct emitter e = emitter_begin(f, out, now);
        if (l->state == BOOK_LIVE)
            feed_distrust(&e, l, BOOK_GAP);
        emitter_end(&e);
    }
    return FEED_BAD_MESSAGE;
}

static inline enum feed_result
on_item(struct feed *f, struct now now, const struct md_out *out)
{
    switch (f->msg.kind) {
    case MD_MSG_TICKER: on_ticker(f, now, out); return FEED_OK;
    case MD_MSG_DEPTH:
        if (f->dialect->checked)
            checked_depth(f, now, out);
        else
            on_depth(f, now, out);
        return FEED_OK;
    case MD_MSG_SNAPSHOT: checked_snapshot(f, now, out); return FEED_OK;
    case MD_MSG_TRADE: on_trade(f, now, out); return FEED_OK;
    default: return on_other(f, now);
    }
}

enum feed_result
feed_on_message(struct feed *f, const uint8_t *payload, size_t len, struct now now, const struct md_out *out)
{
    enum feed_result result = FEED_OK;
    uint32_t at = 0;

    f->counters.bytes += len;
    f->msg.next = 0;
    for (;;) {
        enum decode_result res = f->dialect->decode(f->decoder, payload, len, &f->msg);
        f->counters.decode[res]++;
        if (unlikely(res != DECODE_OK)) {
            enum feed_result bad = on_unreadable(f, res, now, out);
            result = bad != FEED_OK ? bad : result;
        } else {
            enum feed_result r = on_item(f, now, out);
            result = r != FEED_OK ? r : result;
        }
        if (likely(f->msg.next == 0))
            return result;
        ASSERT(f->msg.next > at); /* a message has an end */
        at = f->msg.next;
    }
}

/* ---- snapshots ---- */

/* The instrument that is worst off: not live before merely shallow, in turn. */
static uint32_t
fetch_choose(const struct feed *f, int64_t now_ns)
{
    uint32_t second = NONE;

    for (uint32_t n = 0; n < f->line_count; n++) {
        uint32_t i = (f->fetch_at + n) % f->line_count;
        const struct line *l = &f->line[i];
        if (!l->wanted || !l->streaming || l->retry_at_ns > now_ns)
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

/* Every level of a side from the touch, those worse than `beyond` only (0 = all). */
static void
emit_side(struct emitter *e, const struct line *l, const struct book *b, enum side side, px_t beyond, uint64_t id)
{
    for (const struct level *v = book_touch(b, side); v != NULL; v = book_worse(b, side, v)) {
        if (beyond == 0 || (side == SIDE_BUY ? v->px < beyond : v->px > beyond))
            emit_level(e, l, side, v->px, v->qty, id, 0);
    }
}

/* The levels of a re-seeded book that clients have not seen. */
static COLD void
publish_reseeded(struct emitter *e, const struct line *l, const struct fetch *t)
{
    struct touch old = touch_of(&l->book, l->id);
    struct touch new = touch_of(&t->book, t->id);
    bool same = l->state == BOOK_LIVE && l->id == t->id && touch_equal(&old, &new);

    if (!same)
        feed_emit_bare(e, l, MD_CLEAR, t->id);
    for (unsigned s = 0; s < 2; s++) {
        const struct book_side *was = &l->book.side[s];
        if (!same || was->edged)
            emit_side(e, l, &t->book, (enum side)s, same ? was->edge : 0, t->id);
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
    want(f, l, false);
    l->compare_open = false;
    l->unequal_run = 0;
    fetch_idle(f);
    enum book_state state = judge(&l->book);
    if (state != BOOK_LIVE) {
        l->state = BOOK_SYNCING; /* so that the verdict is published even when it repeats the last one */
        judged(e, l, state);
        return;
    }
    f->counters.resyncs++;
    if (l->state != BOOK_LIVE) {
        l->state = BOOK_LIVE;
        feed_emit_bare(e, l, MD_STATE, l->id);
    }
    struct touch top = touch_of(&l->book, l->id);
    serve_newest(e, l, &top);
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
        if (p->first_id > t->id + 1) { /* pending_add keeps the buffer in sequence */
            fetch_fail(f, e->recv_ns);
            return false;
        }
        apply_side(e, l, &t->book, SIDE_BUY, t->level + p->at, p->bid_count, p->last_id, 0, !t->quiet);
        apply_side(e, l, &t->book, SIDE_SELL, t->level + p->at + p->bid_count, p->ask_count, p->last_id, 0, !t->quiet);
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

/* The last slice is in: can the buffered updates continue it? */
static void
loaded(struct feed *f, int64_t now_ns)
{
    struct fetch *t = &f->fetch;

    book_load_end(&t->book);
    for (unsigned s = 0; s < 2; s++) {
        if (t->book.side[s].count >= f->cfg.snapshot_limit)
            book_set_edge(&t->book, (enum side)s);
    }
    while (t->event_at < t->event_count && t->event[t->event_at].last_id <= t->id)
        t->event_at++;
    bool joins =
        t->event_at < t->event_count ? t->event[t->event_at].first_id <= t->id + 1 : t->id >= f->line[t->slot].seen_id;
    if (joins) {
        t->stage = STAGE_JOINING;
        return;
    }
    if (++t->again_count > AGAIN_MAX) {
        fetch_fail(f, now_ns);
        return;
    }
    f->counters.snapshot_failures++;
    t->event_at = 0;
    t->stage = STAGE_AGAIN;
    t->deadline_ns = now_ns + AGAIN_PAUSE_NS;
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
        fetch_idle(f);
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
        loaded(f, now.mono.ns);
    if (t->stage == STAGE_JOINING)
        (void)join(&e);
    emitter_end(&e);
}

/* ---- life ---- */

struct feed_config
feed_config_default(uint32_t instruments_max)
{
    return (struct feed_config){
        .dialect = &feed_binance,
        .instruments_max = instruments_max,
        .levels_max = 4096,
        .snapshot_limit = 1000,
        .message_levels_max = 5000,
        .pending_levels_max = 65536,
        .pending_events_max = 4096,
        .snapshot_timeout_ns = 10 * NS_PER_S,
        .retry_min_ns = NS_PER_S,
        .retry_max_ns = 60 * NS_PER_S,
        .depth_lag_max_ns = 5 * NS_PER_S,
        .streams = MD_STREAM_DEPTH | MD_STREAM_TICKER | MD_STREAM_TRADE,
    };
}

struct feed_config
feed_config_checked(const struct feed_dialect *dialect, uint32_t instruments_max, uint32_t depth)
{
    struct feed_config c = feed_config_default(instruments_max);

    ASSERT(dialect->checked);
    c.dialect = dialect;
    c.snapshot_limit = depth;
    c.levels_max = 2 * depth + 64; /* a side grows past its depth within one message only */
    c.message_levels_max = 2 * depth + 64;
    c.pending_events_max = 1; /* nothing waits: the snapshot comes with the stream */
    c.pending_levels_max = 2 * c.message_levels_max;
    c.quiet_max_ns = 60 * NS_PER_S;
    c.streams = dialect->streams;
    return c;
}

size_t
feed_footprint(const struct feed_config *cfg)
{
    return arena_cost(sizeof(struct feed)) + cfg->dialect->footprint(cfg->instruments_max) +
           md_msg_footprint(cfg->message_levels_max) + arena_cost((size_t)cfg->instruments_max * sizeof(struct line)) +
           ((size_t)cfg->instruments_max + 1) * book_footprint(cfg->levels_max) +
           arena_cost((size_t)cfg->pending_events_max * sizeof(struct pending)) +
           arena_cost((size_t)cfg->pending_levels_max * sizeof(struct level)) +
           arena_cost((size_t)cfg->instruments_max * sizeof(char *));
}

static bool
depth_offered(const struct feed_dialect *d, uint32_t depth)
{
    for (unsigned i = 0; i < ARRAY_LEN(d->depth) && d->depth[i] != 0; i++)
        if (d->depth[i] == depth)
            return true;
    return false;
}

static bool
config_check(const struct feed_config *cfg, struct fault *fault)
{
    const struct feed_dialect *d = cfg->dialect;
    unsigned streams = (unsigned)__builtin_popcount(cfg->streams);

    if ((cfg->streams & ~d->streams) != 0)
        return FAULT(fault, "feed: %s has no such stream (0x%x)", d->name, cfg->streams & ~d->streams);
    if (cfg->instruments_max == 0 || cfg->instruments_max > INSTRUMENT_MAX)
        return FAULT(fault, "feed: %u instruments, expected 1 to %d", cfg->instruments_max, INSTRUMENT_MAX);
    if ((cfg->streams & MD_STREAM_DEPTH) == 0)
        return FAULT(fault, "feed: the depth stream is not among the streams, but books are kept from it");
    if ((size_t)cfg->instruments_max * streams > d->streams_max)
        return FAULT(fault, "feed: %u instruments x %u streams, but the venue takes %u streams on a connection",
                     cfg->instruments_max, streams, d->streams_max);
    if (d->checked && !depth_offered(d, cfg->snapshot_limit))
        return FAULT(fault, "feed: a depth of %u levels, which %s does not have", cfg->snapshot_limit, d->name);
    if (cfg->snapshot_limit < 8 || cfg->levels_max < cfg->snapshot_limit || cfg->levels_max > 1u << 20)
        return FAULT(fault, "feed: %u levels a side with a snapshot of %u, expected 8 <= snapshot <= levels <= 1048576",
                     cfg->levels_max, cfg->snapshot_limit);
    if (cfg->message_levels_max == 0 || cfg->message_levels_max > 1u << 20 || cfg->pending_events_max == 0 ||
        cfg->pending_levels_max < 2 * cfg->message_levels_max)
        return FAULT(fault, "feed: room for %u waiting levels, expected at least one update's 2 x %u",
                     cfg->pending_levels_max, cfg->message_levels_max);
    if (cfg->snapshot_timeout_ns <= 0 || cfg->retry_min_ns <= 0 || cfg->retry_max_ns < cfg->retry_min_ns ||
        cfg->retry_max_ns > 3600 * NS_PER_S || cfg->depth_lag_max_ns < 0 || cfg->quiet_max_ns < 0)
        return FAULT(fault, "feed: time-outs and back-off must be positive, retry_min <= retry_max <= 1 h");
    return true;
}

struct feed *
feed_init(const struct feed_config *cfg, struct arena *arena, struct fault *fault)
{
    if (!config_check(cfg, fault))
        return NULL;
    struct feed *f = arena_take(arena, sizeof(*f));
    f->cfg = *cfg;
    f->dialect = cfg->dialect;
    f->decoder = f->dialect->init(cfg->instruments_max, arena);
    md_msg_init(&f->msg, cfg->message_levels_max, arena);
    f->line = arena_take(arena, (size_t)cfg->instruments_max * sizeof(struct line));
    for (uint32_t i = 0; i < cfg->instruments_max; i++)
        book_init(&f->line[i].book, cfg->levels_max, arena);
    book_init(&f->fetch.book, cfg->levels_max, arena);
    f->fetch.event = arena_take(arena, (size_t)cfg->pending_events_max * sizeof(struct pending));
    f->fetch.level = arena_take(arena, (size_t)cfg->pending_levels_max * sizeof(struct level));
    f->symbols = arena_take(arena, (size_t)cfg->instruments_max * sizeof(char *));
    memset(f->slot_of, 0xFF, sizeof(f->slot_of));
    f->online = true;
    fetch_idle(f);
    checked_reset(f);
    return f;
}

/* Forget everything but who it is. */
static void
line_reset(struct feed *f, struct line *l)
{
    book_clear(&l->book);
    l->id = 0;
    l->seen_id = 0;
    want(f, l, false);
    l->streaming = false;
    l->compare_open = false;
    l->unequal_run = 0;
    l->ahead_ns = 0;
    l->ticker_count = 0;
    l->last_trade_id = 0;
    l->subscribe_id = 0;
    l->fetched_ns = 0;
    l->retry_at_ns = 0;
    l->asked_ns = 0;
    l->depth_ns = 0;
}

static uint32_t
slot_find(const struct feed *f, uint32_t instrument)
{
    return instrument < INSTRUMENT_MAX && f->slot_of[instrument] != UINT16_MAX ? f->slot_of[instrument] : NONE;
}

/* A new version of a known instrument: its integers mean something else now. */
static void
line_renew(struct feed *f, struct line *l, const struct instrument *ins, struct emitter *e)
{
    int32_t subscribe_id = l->subscribe_id;
    bool streaming = l->streaming;

    if (f->fetch.slot == (uint32_t)(l - f->line))
        fetch_idle(f);
    if (f->again.slot == (uint32_t)(l - f->line))
        checked_reset(f);
    line_reset(f, l);
    l->subscribe_id = subscribe_id;
    l->streaming = streaming;
    l->ins = ins;
    l->state = f->up ? BOOK_EMPTY : l->state;
    l->ref = (struct md_ref){ .tob = { .instrument_version = ins->version, .state = l->state } };
    if (f->up)
        feed_distrust(e, l, BOOK_SYNCING);
    else
        publish_table(e, l);
}

bool
feed_add_instrument(struct feed *f, const struct instrument *ins, struct now now, const struct md_out *out)
{
    uint32_t slot = slot_find(f, ins->id);
    bool known = slot != NONE;

    if (ins->id >= INSTRUMENT_MAX || (!known && f->line_count == f->cfg.instruments_max))
        return false;
    if (known && strncmp(f->line[slot].ins->symbol, ins->symbol, SYMBOL_BYTES) != 0)
        return false;
    slot = known ? slot : f->line_count;
    if (!f->dialect->add(f->decoder, ins, slot))
        return false;
    struct line *l = &f->line[slot];
    struct emitter e = emitter_begin(f, out, now);
    if (!known) {
        f->line_count++;
        f->slot_of[ins->id] = (uint16_t)slot;
        l->instrument = ins->id;
    }
    line_renew(f, l, ins, &e);
    emitter_end(&e);
    return true;
}

void
feed_on_up(struct feed *f, struct now now, const struct md_out *out)
{
    struct emitter e = emitter_begin(f, out, now);

    f->up = true;
    f->subscribe_at = 0;
    f->subscribe_streams = f->cfg.streams;
    fetch_idle(f);
    checked_reset(f);
    for (uint32_t i = 0; i < f->line_count; i++) {
        line_reset(f, &f->line[i]);
        feed_distrust(&e, &f->line[i], BOOK_SYNCING);
    }
    emitter_end(&e);
}

void
feed_on_down(struct feed *f, struct now now, const struct md_out *out)
{
    struct emitter e = emitter_begin(f, out, now);

    f->up = false;
    fetch_idle(f);
    checked_reset(f);
    for (uint32_t i = 0; i < f->line_count; i++) {
        line_reset(f, &f->line[i]);
        feed_distrust(&e, &f->line[i], BOOK_DOWN);
    }
    emitter_end(&e);
}

/* Streams of the lines from subscribe_at on: all at once, or one by one where a request names one stream. */
static size_t
subscribe_first(struct feed *f, struct now now, char *buf, size_t room)
{
    uint32_t count = f->line_count - f->subscribe_at;
    unsigned streams = f->dialect->one_stream ? f->subscribe_streams & (0u - f->subscribe_streams) : f->cfg.streams;
    size_t used;

    for (uint32_t i = 0; i < count; i++)
        f->symbols[i] = f->line[f->subscribe_at + i].ins->symbol;
    f->request_id = f->request_id == INT32_MAX ? 1 : f->request_id + 1;
    const struct md_request rq = {
        .id = f->request_id,
        .symbols = f->symbols,
        .count = count,
        .streams = streams,
        .depth = f->cfg.snapshot_limit,
    };
    size_t n = f->dialect->request(&rq, buf, room, &used);
    for (size_t i = 0; i < used && (streams & MD_STREAM_DEPTH) != 0; i++) {
        f->line[f->subscribe_at + i].subscribe_id = f->request_id;
        f->line[f->subscribe_at + i].asked_ns = now.mono.ns;
    }
    f->subscribe_at += (uint32_t)used;
    if (f->dialect->one_stream && f->subscribe_at == f->line_count && (f->subscribe_streams & ~streams) != 0) {
        f->subscribe_streams &= ~streams;
        f->subscribe_at = 0;
    }
    return n;
}

bool
feed_subscribe_due(const struct feed *f, struct now now)
{
    return f->up && (f->subscribe_at < f->line_count || (f->dialect->checked && checked_due(f, now)));
}

size_t
feed_subscribe_next(struct feed *f, struct now now, const struct md_out *out, char *buf, size_t room)
{
    if (!f->up)
        return 0;
    if (f->subscribe_at < f->line_count)
        return subscribe_first(f, now, buf, room);
    return f->dialect->checked ? checked_request(f, now, out, buf, room) : 0;
}

mono_ns_t
feed_on_timer(struct feed *f, struct now now, const struct md_out *out)
{
    struct fetch *t = &f->fetch;
    int64_t now_ns = now.mono.ns;
    if (f->dialect->checked)
        checked_timer(f, now, out);
    struct emitter e = emitter_begin(f, out, now);
    bool busy = t->stage != STAGE_IDLE;

    if ((t->stage == STAGE_ASKED || t->stage == STAGE_LOADING) && now_ns >= t->deadline_ns)
        fetch_fail(f, now_ns);
    for (uint32_t i = 0; i < f->line_count; i++) {
        struct line *l = &f->line[i];
        if (l->state == BOOK_LIVE && l->ahead_ns != 0 && f->cfg.depth_lag_max_ns != 0 &&
            now_ns - l->ahead_ns > f->cfg.depth_lag_max_ns)
            lag(&e, l);
        busy |= l->wanted;
    }
    emitter_end(&e);
    return mono_after(now.mono, busy ? TIMER_SHORT_NS : TIMER_LONG_NS);
}

const struct md_ref *
feed_md_ref(const struct feed *f, uint32_t instrument)
{
    uint32_t slot = slot_find(f, instrument);
    return slot != NONE ? &f->line[slot].ref : NULL;
}

enum book_state
feed_state(const struct feed *f, uint32_t instrument)
{
    uint32_t slot = slot_find(f, instrument);
    return slot != NONE ? (enum book_state)f->line[slot].state : BOOK_EMPTY;
}

const struct book *
feed_book(const struct feed *f, uint32_t instrument)
{
    uint32_t slot = slot_find(f, instrument);
    return slot != NONE ? &f->line[slot].book : NULL;
}

const struct feed_counters *
feed_counters(const struct feed *f)
{
    return &f->counters;
}

const char *
feed_refusal(const struct feed *f, int32_t *code)
{
    *code = f->refusal_code;
    return f->refusal;
}

bool
feed_online(const struct feed *f)
{
    return f->online;
}
