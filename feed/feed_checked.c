/* Books that come whole with their stream and prove themselves by a checksum.
 *
 * Every message is applied, checked against the venue's checksum, and only then published and cut to the depth that was
 * subscribed: the venue sends no delete for what fell out of it, and sends a level again that comes back. A book whose
 * checksum is not the venue's is worth nothing from that message on; it is unsubscribed and subscribed again, one book
 * at a time, with a back-off.
 *
 * The checksum covers the best levels only, and a silent stream has none: trades without depth, or no depth for long,
 * make a book start again too. Heartbeats prove the connection, never a subscription. */
#include "feed/feed_state.h"

#define ANSWER_NS    (5 * NS_PER_S) /* to an unsubscription; most come within a round trip */
#define CHECKED_BEST 16             /* room for checksum_levels of a side */

void
checked_reset(struct feed *f)
{
    f->again = (struct resubscribe){ .slot = NONE };
}

/* ---- one message into a book ---- */

/* The best levels of a side, best first. */
static inline uint32_t
best_levels(const struct book *b, enum side side, uint32_t max, struct level *to)
{
    uint32_t n = 0;

    for (const struct level *l = book_touch(b, side); l != NULL && n < max; l = book_worse(b, side, l))
        to[n++] = *l;
    return n;
}

/* What the last digit of the venue's text counts; negative: it has so many zeros more than the instrument. */
static inline int64_t
unit_of(unsigned decimals, unsigned digits)
{
    return likely(digits <= decimals) ? pow10_i64[decimals - digits] : (int64_t)decimals - (int64_t)digits;
}

static bool
proven(const struct feed *f, const struct line *l)
{
    struct level ask[CHECKED_BEST];
    struct level bid[CHECKED_BEST];
    uint32_t asks = best_levels(&l->book, SIDE_SELL, f->dialect->checksum_levels, ask);
    uint32_t bids = best_levels(&l->book, SIDE_BUY, f->dialect->checksum_levels, bid);

    return f->dialect->checksum(f->decoder, unit_of(l->ins->px_decimals, l->px_digits),
                                unit_of(l->ins->qty_decimals, l->qty_digits), ask, asks, bid, bids) == f->msg.checksum;
}

/* Not published: the checksum comes first. False: no room, which a book twice as deep as subscribed always has. */
static inline bool
apply(struct book *b, enum side side, const struct level *level, uint32_t count)
{
    uint32_t hint = UINT32_MAX;

    for (uint32_t i = 0; i < count; i++) {
        if (unlikely(book_set(b, side, level[i].px, level[i].qty, &hint) == BOOK_FULL))
            return false;
        hint = UINT32_MAX; /* levels come in no order */
    }
    return true;
}

static inline void
publish(struct emitter *e, const struct line *l, enum side side, const struct level *level, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        emit_level(e, l, side, level[i].px, level[i].qty, 0, e->f->msg.venue_time_ns);
}

/* Cut to the subscribed depth; those who follow the levels are told which went. */
static inline void
cut(struct emitter *e, struct line *l, enum side side)
{
    struct book_side *s = &l->book.side[side];
    uint32_t depth = e->f->cfg.snapshot_limit;

    if (likely(s->count <= depth))
        return;
    book_compact(&l->book, side);
    for (uint32_t i = 0; i < s->count - depth; i++)
        emit_level(e, l, side, s->level[i].px, 0, 0, e->f->msg.venue_time_ns);
    book_truncate(&l->book, side, depth);
}

static COLD void
failed(struct emitter *e, struct line *l, enum book_state state)
{
    if (state == BOOK_CHECKSUM)
        e->f->counters.checksums++;
    else if (state == BOOK_CROSSED)
        e->f->counters.crossed++;
    feed_distrust(e, l, state);
}

static inline struct touch
top_of(const struct book *b)
{
    const struct level *bid = book_touch(b, SIDE_BUY);
    const struct level *ask = book_touch(b, SIDE_SELL);

    return (struct touch){ .bid = bid != NULL ? *bid : (struct level){ 0, 0 },
                           .ask = ask != NULL ? *ask : (struct level){ 0, 0 } };
}

/* Hot. */
void
checked_depth(struct feed *f, struct now now, const struct md_out *out)
{
    const struct md_msg *m = &f->msg;
    struct line *l = &f->line[m->slot];
    struct emitter e = emitter_begin(f, out, now);

    f->counters.depth++;
    if (unlikely(l->state != BOOK_LIVE))
        return; /* it waits for its snapshot */
    l->depth_ns = now.mono.ns;
    l->ahead_ns = 0;
    if (unlikely(l->wanted))
        want(f, l, false); /* it was only too quiet */
    enum book_state bad = BOOK_LIVE;
    if (unlikely(!apply(&l->book, SIDE_BUY, m->bids, m->bid_count) ||
                 !apply(&l->book, SIDE_SELL, m->asks, m->ask_count)))
        bad = BOOK_OVERFLOW;
    else if (unlikely(m->px_digits > l->px_digits || m->qty_digits > l->qty_digits || !proven(f, l)))
        bad = BOOK_CHECKSUM;
    else if (unlikely(book_crossed(&l->book)))
        bad = BOOK_CROSSED;
    if (unlikely(bad != BOOK_LIVE)) {
        failed(&e, l, bad);
    } else {
        publish(&e, l, SIDE_BUY, m->bids, m->bid_count);
        publish(&e, l, SIDE_SELL, m->asks, m->ask_count);
        cut(&e, l, SIDE_BUY);
        cut(&e, l, SIDE_SELL);
        struct touch t = top_of(&l->book);
        serve(&e, l, &t);
    }
    emitter_end(&e);
}

/* Both sides of the message into an empty book, whatever their order. */
static bool
load(struct feed *f, struct line *l)
{
    const struct md_msg *m = &f->msg;

    book_clear(&l->book);
    l->px_digits = m->px_digits;
    l->qty_digits = m->qty_digits;
    if (!apply(&l->book, SIDE_BUY, m->bids, m->bid_count) || !apply(&l->book, SIDE_SELL, m->asks, m->ask_count))
        return false;
    book_truncate(&l->book, SIDE_BUY, f->cfg.snapshot_limit);
    book_truncate(&l->book, SIDE_SELL, f->cfg.snapshot_limit);
    return true;
}

static void
backs_off(struct feed *f, struct line *l, int64_t now_ns)
{
    if (l->fetched_ns == 0 || now_ns - l->fetched_ns > f->cfg.retry_max_ns)
        l->retry_ns = f->cfg.retry_min_ns;
    l->fetched_ns = now_ns;
    l->retry_at_ns = now_ns + l->retry_ns;
    l->retry_ns = MIN(l->retry_ns * 2, f->cfg.retry_max_ns);
}

COLD void
checked_snapshot(struct feed *f, struct now now, const struct md_out *out)
{
    struct line *l = &f->line[f->msg.slot];
    struct emitter e = emitter_begin(f, out, now);

    f->counters.depth++;
    l->asked_ns = 0;
    l->depth_ns = now.mono.ns;
    l->ahead_ns = 0;
    if (f->again.slot == f->msg.slot)
        checked_reset(f);
    enum book_state state = !load(f, l)              ? BOOK_OVERFLOW
                            : !proven(f, l)          ? BOOK_CHECKSUM
                            : book_crossed(&l->book) ? BOOK_CROSSED
                                                     : BOOK_LIVE;
    if (state != BOOK_LIVE) {
        f->counters.snapshot_failures++;
        failed(&e, l, state);
        emitter_end(&e);
        return;
    }
    want(f, l, false);
    f->counters.resyncs++;
    feed_emit_bare(&e, l, MD_CLEAR, 0);
    bool was_live = l->state == BOOK_LIVE;
    l->state = BOOK_LIVE;
    for (unsigned s = 0; s < 2; s++)
        for (const struct level *v = book_touch(&l->book, (enum side)s); v != NULL;
             v = book_worse(&l->book, (enum side)s, v))
            emit_level(&e, l, (enum side)s, v->px, v->qty, 0, f->msg.venue_time_ns);
    if (!was_live)
        feed_emit_bare(&e, l, MD_STATE, 0);
    struct touch t = top_of(&l->book);
    serve(&e, l, &t);
    emitter_end(&e);
}

/* A trade changes the book: one that comes in a long silence of depth starts a clock. */
void
checked_traded(struct line *l, int64_t now_ns, int64_t lag_max_ns)
{
    if (l->state == BOOK_LIVE && l->ahead_ns == 0 && now_ns - l->depth_ns > lag_max_ns)
        l->ahead_ns = now_ns;
}

/* A message of which nothing could be read may have been anybody's update. */
COLD void
checked_unreadable(struct feed *f, struct now now, const struct md_out *out)
{
    struct emitter e = emitter_begin(f, out, now);

    for (uint32_t i = 0; i < f->line_count; i++)
        if (f->line[i].state == BOOK_LIVE)
            feed_distrust(&e, &f->line[i], BOOK_GAP);
    emitter_end(&e);
}

/* ---- subscribing again ---- */

static void
give_up(struct feed *f, int64_t now_ns)
{
    f->counters.snapshot_failures++;
    backs_off(f, &f->line[f->again.slot], now_ns);
    checked_reset(f);
}

/* Which book an answer is about: its symbol, else the request that it repeats. */
static uint32_t
answered(const struct feed *f)
{
    const struct md_msg *m = &f->msg;

    if (m->slot < f->line_count)
        return m->slot;
    return f->again.stage != AGAIN_IDLE && m->request_id == f->again.request_id ? f->again.slot : NONE;
}

COLD void
checked_answer(struct feed *f, bool ok, struct now now)
{
    const struct md_msg *m = &f->msg;
    struct resubscribe *a = &f->again;
    uint32_t slot = answered(f);

    if (!m->depth_stream && ok)
        return;
    if (slot == NONE) { /* refused without a symbol: of one request's instruments, those without a book yet */
        for (uint32_t i = 0; i < f->line_count && !ok; i++) {
            struct line *l = &f->line[i];
            if (l->subscribe_id == m->request_id && l->asked_ns != 0)
                l->asked_ns = MIN(l->asked_ns, now.mono.ns - f->cfg.snapshot_timeout_ns);
        }
        return;
    }
    if (a->stage == AGAIN_OFF && a->slot == slot && (m->off || !ok)) {
        a->stage = AGAIN_DUE; /* refused: it was not subscribed, which is what was wanted */
        return;
    }
    if (ok)
        return;
    if (a->stage == AGAIN_ON && a->slot == slot)
        give_up(f, now.mono.ns);
    else if (f->line[slot].asked_ns != 0 && !m->off &&
             (m->request_id < 0 || m->request_id == f->line[slot].subscribe_id))
        f->line[slot].asked_ns = MIN(f->line[slot].asked_ns, now.mono.ns - f->cfg.snapshot_timeout_ns);
}

static uint32_t
choose(const struct feed *f, int64_t now_ns)
{
    for (uint32_t n = 0; n < f->line_count; n++) {
        uint32_t i = (f->fetch_at + n) % f->line_count;
        const struct line *l = &f->line[i];
        if (l->wanted && l->asked_ns == 0 && l->retry_at_ns <= now_ns)
            return i;
    }
    return NONE;
}

bool
checked_due(const struct feed *f, struct now now)
{
    switch (f->again.stage) {
    case AGAIN_IDLE: return f->wanted_count > 0 && choose(f, now.mono.ns) != NONE;
    case AGAIN_DUE: return true;
    case AGAIN_OFF:
    case AGAIN_ON: break;
    }
    return false;
}

size_t
checked_request(struct feed *f, struct now now, const struct md_out *out, char *buf, size_t room)
{
    struct resubscribe *a = &f->again;
    size_t used;

    if (!checked_due(f, now))
        return 0;
    bool off = a->stage == AGAIN_IDLE;
    if (off) {
        a->slot = choose(f, now.mono.ns);
        f->fetch_at = a->slot + 1;
        f->counters.snapshots++;
    }
    struct line *l = &f->line[a->slot];
    f->request_id = f->request_id == INT32_MAX ? 1 : f->request_id + 1;
    a->request_id = f->request_id;
    const struct md_request rq = {
        .id = f->request_id,
        .symbols = (const char *[]){ l->ins->symbol },
        .count = 1,
        .streams = MD_STREAM_DEPTH,
        .depth = f->cfg.snapshot_limit,
        .off = off,
    };
    size_t n = f->dialect->request(&rq, buf, room, &used);
    a->stage = off ? AGAIN_OFF : AGAIN_ON;
    a->deadline_ns = now.mono.ns + (off ? ANSWER_NS : f->cfg.snapshot_timeout_ns);
    if (off)
        backs_off(f, l, now.mono.ns);
    if (off && l->state == BOOK_LIVE) { /* it was only too quiet; nothing keeps it from here on */
        struct emitter e = emitter_begin(f, out, now);
        feed_distrust(&e, l, BOOK_SYNCING);
        emitter_end(&e);
    }
    return n;
}

void
checked_timer(struct feed *f, struct now now, const struct md_out *out)
{
    struct resubscribe *a = &f->again;
    int64_t now_ns = now.mono.ns;

    (void)out;
    if (a->stage == AGAIN_OFF && now_ns >= a->deadline_ns)
        a->stage = AGAIN_DUE;
    else if (a->stage == AGAIN_ON && now_ns >= a->deadline_ns)
        give_up(f, now_ns);
    for (uint32_t i = 0; i < f->line_count; i++) {
        struct line *l = &f->line[i];
        if (l->asked_ns != 0 && now_ns - l->asked_ns >= f->cfg.snapshot_timeout_ns) {
            l->asked_ns = 0; /* subscribed with the others, and nothing came: again, by itself */
            f->counters.snapshot_failures++;
        }
        if (l->state == BOOK_LIVE && !l->wanted && f->cfg.quiet_max_ns != 0 &&
            now_ns - l->depth_ns >= f->cfg.quiet_max_ns) {
            f->counters.quiet++;
            want(f, l, true);
        }
    }
}
