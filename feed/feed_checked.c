/* Books that come whole with their stream and prove themselves by a checksum.
 *
 * Every message is applied, checked against the venue's checksum, and only then published and cut to the depth that was
 * subscribed: the venue sends no delete for what fell out of it, and sends a level again that comes back. A book whose
 * checksum is not the venue's is worth nothing from that message on; it is unsubscribed and subscribed again, one book
 * at a time, with a back-off.
 *
 * A message that is older, by the venue's own time, than one before it is not applied: it proves only an old book. The
 * checksum covers the best levels only, and a silent stream has none: trades without depth, or no depth for long,
 * make a book start again too. Heartbeats prove the connection, never a subscription. */
#include "feed/feed_state.h"

#define AHEAD_MAX_NS (5 * NS_PER_S) /* a venue's time further ahead of ours is a mistake, and not remembered */
#define CHECKED_BEST 16             /* room for checksum_levels of a side */

void
checked_reset(struct link *k)
{
    k->again = (struct resubscribe){ .slot = NONE };
}

static inline bool
is_view(const struct feed *f, const struct line *l, uint32_t slot)
{
    return l != &f->line[slot];
}

struct line *
checked_line(struct feed *f, uint32_t slot, const struct link *k)
{
    uint32_t at = f->line[slot].at[k->index];

    return likely(at == 0) ? &f->line[slot] : &f->view[slot * (f->group_links - 1) + at - 1];
}

const struct link *
checked_server(const struct feed *f, uint32_t slot)
{
    const struct link *k = &f->link[slot / f->group_lines * f->group_links];

    for (uint32_t i = 0; i < f->group_links; i++)
        if (f->line[slot].at[i] == 0)
            return &k[i];
    ASSERT(false); /* one of them is served */
    return k;
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

static inline struct touch
top_of(const struct book *b)
{
    const struct level *bid = book_touch(b, SIDE_BUY);
    const struct level *ask = book_touch(b, SIDE_SELL);

    return (struct touch){ .bid = bid != NULL ? *bid : (struct level){ 0, 0 },
                           .ask = ask != NULL ? *ask : (struct level){ 0, 0 } };
}

/* ---- the book that is served, and those of the other links ------------------------------------------------------- */

/* A book that comes whole: its levels for those who follow them. */
static COLD void
publish_whole(struct emitter *e, struct line *l)
{
    feed_emit_bare(e, l, MD_CLEAR, 0);
    l->state = BOOK_LIVE;
    for (unsigned s = 0; s < 2; s++)
        for (const struct level *v = book_touch(&l->book, (enum side)s); v != NULL;
             v = book_worse(&l->book, (enum side)s, v))
            emit_level(e, l, (enum side)s, v->px, v->qty, 0, e->f->msg.venue_time_ns);
    if (l->ref.tob.state != BOOK_LIVE)
        feed_emit_bare(e, l, MD_STATE, 0);
    struct touch t = top_of(&l->book);
    serve(e, l, &t);
}

/* What belongs to a link changes places; who the line is, and what risk looks at, stays. */
static void
exchange(struct line *l, struct line *v)
{
#define SWAP(field)                          \
    do {                                     \
        __typeof__(l->field) was = l->field; \
        l->field = v->field;                 \
        v->field = was;                      \
    } while (0)
    SWAP(state);
    SWAP(wanted);
    SWAP(book);
    SWAP(ahead_ns);
    SWAP(subscribe_id);
    SWAP(retry_at_ns);
    SWAP(retry_ns);
    SWAP(fetched_ns);
    SWAP(px_digits);
    SWAP(qty_digits);
    SWAP(asked_ns);
    SWAP(awaits);
    SWAP(depth_ns);
    SWAP(venue_ns);
    SWAP(missed);
#undef SWAP
}

/* From here on the link's book of the line is the one that is served. */
static void
move_to(struct feed *f, uint32_t slot, const struct link *k)
{
    struct line *l = &f->line[slot];
    const struct link *from = checked_server(f, slot);

    exchange(l, checked_line(f, slot, k));
    l->at[from->index] = l->at[k->index];
    l->at[k->index] = 0;
}

static const struct link *
other_live(struct feed *f, uint32_t slot, int64_t now_ns)
{
    const struct link *k = &f->link[slot / f->group_lines * f->group_links];

    for (uint32_t i = 0; i < f->group_links; i++) {
        const struct line *v = checked_line(f, slot, &k[i]);
        if (k[i].up && is_view(f, v, slot) && v->state == BOOK_LIVE && !merge_lags(f, slot, &k[i], now_ns))
            return &k[i];
    }
    return NULL;
}

static COLD void
take_over(struct emitter *e, uint32_t slot, const struct link *k)
{
    struct line *l = &e->f->line[slot];

    move_to(e->f, slot, k);
    e->f->counters.moved++;
    publish_whole(e, l);
}

static void
view_state(struct feed *f, struct line *v, enum book_state state)
{
    want(f, v, state != BOOK_DOWN && state != BOOK_EMPTY);
    v->ahead_ns = 0;
    v->state = (uint8_t)state;
}

COLD void
checked_distrust(struct emitter *e, uint32_t slot, const struct link *k, enum book_state state)
{
    struct feed *f = e->f;
    struct line *l = checked_line(f, slot, k);

    if (l->state != BOOK_LIVE && state == BOOK_GAP)
        return; /* it knows */
    const struct link *other = is_view(f, l, slot) ? NULL : other_live(f, slot, e->recv_ns);
    if (other != NULL) {
        take_over(e, slot, other);
        l = checked_line(f, slot, k);
    }
    if (is_view(f, l, slot))
        view_state(f, l, state);
    else
        feed_distrust(e, l, state);
}

static COLD void
failed(struct emitter *e, uint32_t slot, const struct link *k, enum book_state state)
{
    if (state == BOOK_CHECKSUM)
        e->f->counters.checksums++;
    else if (state == BOOK_CROSSED)
        e->f->counters.crossed++;
    else if (state == BOOK_LOCKED)
        e->f->counters.locked++;
    else if (state == BOOK_GAP)
        e->f->counters.gaps++;
    checked_distrust(e, slot, k, state);
}

void
checked_link_up(struct feed *f, const struct link *k, bool others)
{
    for (uint32_t i = link_begin(f, k); i < link_end(f, k); i++) {
        if (!others && f->line[i].at[k->index] != 0)
            move_to(f, i, k);
        struct line *v = checked_line(f, i, k);
        if (!is_view(f, v, i))
            continue;
        feed_line_reset(f, v);
        view_state(f, v, BOOK_SYNCING);
    }
}

void
checked_link_down(struct feed *f, const struct link *k, struct emitter *e)
{
    for (uint32_t i = link_begin(f, k); i < link_end(f, k); i++) {
        struct line *l = checked_line(f, i, k);
        const struct link *other = is_view(f, l, i) ? NULL : other_live(f, i, e->recv_ns);
        if (other != NULL) {
            take_over(e, i, other);
        } else if (!is_view(f, l, i)) { /* the book of one that is still waiting for it takes its place */
            const struct link *first = k - k->index;
            while (!first->up)
                first++; /* one of them is */
            struct line *own = checked_line(f, i, first);
            if (own->state == BOOK_LIVE) /* it stood still while the served one moved */
                view_state(f, own, BOOK_SILENT);
            feed_distrust(e, l, (enum book_state)own->state);
            move_to(f, i, first);
        }
        struct line *v = checked_line(f, i, k);
        feed_line_reset(f, v);
        view_state(f, v, BOOK_DOWN);
    }
}

/* A new version of the instrument: every link's book of it starts again. */
void
checked_renew(struct feed *f, uint32_t slot)
{
    struct link *k = &f->link[slot / f->group_lines * f->group_links];

    for (uint32_t i = 0; i < f->group_links; i++) {
        struct line *v = checked_line(f, slot, &k[i]);
        if (k[i].again.slot == slot)
            checked_reset(&k[i]);
        if (!is_view(f, v, slot))
            continue;
        v->ins = f->line[slot].ins;
        int32_t subscribe_id = v->subscribe_id;
        feed_line_reset(f, v);
        v->subscribe_id = subscribe_id;
        view_state(f, v, k[i].up ? BOOK_SYNCING : BOOK_DOWN);
    }
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

/* The message is older than one that came before it: late or repeated. Its checksum would be that of an old book. The
 * same time twice is nothing to go by. */
static inline bool
is_old(const struct line *l, const struct md_msg *m)
{
    return m->venue_time_ns < l->venue_ns && m->venue_time_ns != 0;
}

static inline void
remember_time(struct line *l, const struct md_msg *m, struct now now)
{
    if (likely(m->venue_time_ns > l->venue_ns && m->venue_time_ns <= now.wall.ns + AHEAD_MAX_NS))
        l->venue_ns = m->venue_time_ns;
}

/* An empty book has no text yet: the digits are those of its first levels. */
static COLD void
first_digits(struct line *l, const struct md_msg *m)
{
    if (l->book.side[SIDE_BUY].count + l->book.side[SIDE_SELL].count != 0)
        return;
    l->px_digits = m->px_digits;
    l->qty_digits = m->qty_digits;
}

/* Applied, proven, published: BOOK_LIVE; else what is wrong. */
static inline enum book_state
take_update(struct feed *f, struct line *l, bool old)
{
    const struct md_msg *m = &f->msg;

    if (unlikely(old))
        return BOOK_GAP;
    if (unlikely((l->px_digits | l->qty_digits) == 0))
        first_digits(l, m);
    if (unlikely(!apply(&l->book, SIDE_BUY, m->bids, m->bid_count) ||
                 !apply(&l->book, SIDE_SELL, m->asks, m->ask_count)))
        return BOOK_OVERFLOW;
    if (unlikely(m->px_digits > l->px_digits || m->qty_digits > l->qty_digits || !proven(f, l)))
        return BOOK_CHECKSUM;
    return book_spread_state(&l->book);
}

/* Nobody follows the levels of a book that is not served. */
static COLD void
cut_view(struct feed *f, struct line *v)
{
    book_truncate(&v->book, SIDE_BUY, f->cfg.snapshot_limit);
    book_truncate(&v->book, SIDE_SELL, f->cfg.snapshot_limit);
}

/* Hot. */
void
checked_depth(struct feed *f, struct now now, const struct md_out *out)
{
    const struct md_msg *m = &f->msg;
    const struct link *k = &f->link[f->speaker];
    struct line *l = checked_line(f, m->slot, k);
    struct emitter e = emitter_begin(f, out, now);

    f->counters.depth++;
    bool old = is_old(l, m);
    remember_time(l, m, now);
    if (unlikely(l->state != BOOK_LIVE))
        return; /* it waits for its snapshot */
    l->depth_ns = now.mono.ns;
    l->ahead_ns = 0;
    if (unlikely(l->wanted))
        want(f, l, false); /* it was only too quiet */
    enum book_state state = take_update(f, l, old);
    if (unlikely(state != BOOK_LIVE)) {
        failed(&e, m->slot, k, state);
    } else if (unlikely(is_view(f, l, m->slot))) {
        cut_view(f, l);
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

/* A snapshot that nobody asked for is late or repeated, and changes nothing. But if it is newer than the book, then
 * what that was made of came late: which of the two is whole, only another subscription can say. */
static COLD void
unasked(struct feed *f, struct line *l, uint32_t slot, const struct link *k, struct now now, const struct md_out *out)
{
    if (l->state != BOOK_LIVE || f->msg.venue_time_ns <= l->venue_ns)
        return;
    struct emitter e = emitter_begin(f, out, now);
    remember_time(l, &f->msg, now);
    failed(&e, slot, k, BOOK_GAP);
    emitter_end(&e);
}

COLD void
checked_snapshot(struct feed *f, struct now now, const struct md_out *out)
{
    uint32_t slot = f->msg.slot;
    struct link *k = &f->link[f->speaker];
    struct line *l = checked_line(f, slot, k);
    bool again = k->again.slot == slot;

    f->counters.depth++;
    if (!l->awaits) {
        unasked(f, l, slot, k, now, out);
        return;
    }
    struct emitter e = emitter_begin(f, out, now);
    bool old = is_old(l, &f->msg);
    links_heard(f, k, slot, MD_STREAM_DEPTH, now.mono.ns);
    remember_time(l, &f->msg, now);
    l->asked_ns = 0;
    l->awaits = false;
    l->missed = 0;
    l->depth_ns = now.mono.ns;
    l->ahead_ns = 0;
    if (again)
        checked_reset(k);
    enum book_state state = old             ? BOOK_GAP
                            : !load(f, l)   ? BOOK_OVERFLOW
                            : !proven(f, l) ? BOOK_CHECKSUM
                                            : book_spread_state(&l->book);
    if (state != BOOK_LIVE) {
        f->counters.snapshot_failures++;
        failed(&e, slot, k, state);
        emitter_end(&e);
        return;
    }
    want(f, l, false);
    f->counters.resyncs++;
    if (!is_view(f, l, slot))
        publish_whole(&e, l);
    else
        l->state = BOOK_LIVE;
    if (f->line[slot].state != BOOK_LIVE)
        take_over(&e, slot, k);
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
    const struct link *k = &f->link[f->speaker];
    struct emitter e = emitter_begin(f, out, now);

    for (uint32_t i = link_begin(f, k); i < link_end(f, k); i++)
        checked_distrust(&e, i, k, BOOK_GAP);
    emitter_end(&e);
}

/* ---- subscribing again ---- */

static void
give_up(struct feed *f, struct link *k, int64_t now_ns)
{
    f->counters.snapshot_failures++;
    backs_off(f, checked_line(f, k->again.slot, k), now_ns);
    checked_reset(k);
}

/* Which book an answer is about: its symbol, else the request that it repeats. */
static uint32_t
answered(const struct feed *f, const struct link *k)
{
    const struct md_msg *m = &f->msg;

    if (m->slot < f->line_count)
        return m->slot;
    return k->again.stage != AGAIN_IDLE && m->request_id == k->again.request_id ? k->again.slot : NONE;
}

/* Subscribed with the others, and refused: it is not waited for. */
static void
not_coming(struct feed *f, uint32_t slot, const struct link *k, struct emitter *e)
{
    struct line *l = checked_line(f, slot, k);

    l->asked_ns = MIN(l->asked_ns, e->recv_ns - f->cfg.snapshot_timeout_ns);
    l->awaits = false;
    if (l->state != BOOK_LIVE)
        checked_distrust(e, slot, k, BOOK_REFUSED);
}

COLD void
checked_answer(struct feed *f, bool ok, struct now now, struct emitter *e)
{
    const struct md_msg *m = &f->msg;
    struct link *k = &f->link[f->speaker];
    struct resubscribe *a = &k->again;
    uint32_t slot = answered(f, k);

    if (!m->depth_stream && ok)
        return;
    if (slot == NONE) { /* refused without a symbol: of one request's instruments, those without a book yet */
        for (uint32_t i = link_begin(f, k); i < link_end(f, k) && !ok; i++) {
            const struct line *l = checked_line(f, i, k);
            if (l->subscribe_id == m->request_id && l->asked_ns != 0)
                not_coming(f, i, k, e);
        }
        return;
    }
    if (a->stage == AGAIN_OFF && a->slot == slot && (m->off || !ok)) {
        a->stage = AGAIN_DUE; /* refused: it was not subscribed, which is what was wanted */
        return;
    }
    if (ok)
        return;
    struct line *l = checked_line(f, slot, k);
    if (a->stage == AGAIN_ON && a->slot == slot) {
        give_up(f, k, now.mono.ns);
        l->awaits = false;
        if (l->state != BOOK_LIVE)
            checked_distrust(e, slot, k, BOOK_REFUSED);
    } else if (l->asked_ns != 0 && !m->off && (m->request_id < 0 || m->request_id == l->subscribe_id)) {
        not_coming(f, slot, k, e);
    }
}

COLD void
checked_unanswered(struct feed *f, uint32_t slot, struct link *k, int64_t now_ns)
{
    struct line *l = checked_line(f, slot, k);

    if (k->again.stage == AGAIN_ON && k->again.slot == slot) {
        k->again.deadline_ns = now_ns;
    } else if (l->asked_ns != 0) {
        l->asked_ns = 0;
        f->counters.snapshot_failures++;
    }
}

static uint32_t
choose(struct feed *f, const struct link *k, int64_t now_ns)
{
    uint32_t begin = link_begin(f, k);
    uint32_t count = link_end(f, k) - begin;

    for (uint32_t n = 0; n < count; n++) {
        uint32_t i = begin + (f->fetch_at + n) % count;
        const struct line *l = checked_line(f, i, k);
        if (l->wanted && l->asked_ns == 0 && l->retry_at_ns <= now_ns)
            return i;
    }
    return NONE;
}

bool
checked_due(struct feed *f, const struct link *k, struct now now)
{
    switch (k->again.stage) {
    case AGAIN_IDLE: return f->wanted_count > 0 && choose(f, k, now.mono.ns) != NONE;
    case AGAIN_DUE: return true;
    case AGAIN_OFF:
    case AGAIN_ON: break;
    }
    return false;
}

size_t
checked_request(struct feed *f, struct link *k, struct now now, const struct md_out *out, char *buf, size_t room)
{
    struct resubscribe *a = &k->again;
    size_t used;

    if (!checked_due(f, k, now))
        return 0;
    bool off = a->stage == AGAIN_IDLE;
    if (off) {
        a->slot = choose(f, k, now.mono.ns);
        f->fetch_at = a->slot - link_begin(f, k) + 1;
        f->counters.snapshots++;
    }
    struct line *l = checked_line(f, a->slot, k);
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
    l->awaits = !off;
    if (!off) {
        f->line[a->slot].book_owed |= k->bit;
        (void)links_asked(
            k,
            (struct asked){
                .id = a->request_id, .streams = MD_STREAM_DEPTH, .at = a->slot, .count = 1, .sent_ns = now.mono.ns });
    }
    a->deadline_ns = now.mono.ns + (off ? ANSWER_NS : f->cfg.snapshot_timeout_ns);
    if (off)
        backs_off(f, l, now.mono.ns);
    if (off && l->state == BOOK_LIVE) { /* it was only too quiet; nothing keeps it from here on */
        struct emitter e = emitter_begin(f, out, now);
        checked_distrust(&e, a->slot, k, BOOK_SYNCING);
        emitter_end(&e);
    }
    return n;
}

static void
link_timer(struct feed *f, struct link *k, int64_t now_ns)
{
    struct resubscribe *a = &k->again;

    if (a->stage == AGAIN_OFF && now_ns >= a->deadline_ns) {
        a->stage = AGAIN_DUE;
        f->counters.unanswered++;
        silent_unanswered(k);
    } else if (a->stage == AGAIN_ON && now_ns >= a->deadline_ns) {
        silent_missed(f, a->slot, checked_line(f, a->slot, k), k, now_ns);
        give_up(f, k, now_ns);
    }
    for (uint32_t i = link_begin(f, k); i < link_end(f, k); i++) {
        struct line *l = checked_line(f, i, k);
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

void
checked_timer(struct feed *f, struct now now, const struct md_out *out)
{
    (void)out;
    for (uint32_t i = 0; i < f->link_count; i++)
        if (f->link[i].up)
            link_timer(f, &f->link[i], now.mono.ns);
}
