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
#include "feed/feed.h"

#define NONE           UINT32_MAX
#define TICKERS        64  /* bookTicker messages remembered per instrument, to compare with the depth that lags them */
#define WORK_LEVELS    256 /* levels applied in one piece of work */
#define UNEQUAL_MAX    3   /* contradictions in a row that make a book distrusted */
#define AGAIN_MAX      3   /* snapshots older than the buffer before the instrument waits its turn again */
#define AGAIN_PAUSE_NS (200 * NS_PER_MS)
#define TIMER_SHORT_NS (50 * NS_PER_MS)
#define TIMER_LONG_NS  (500 * NS_PER_MS)

/* Best bid and offer as of an update id. */
struct touch {
    uint64_t id;
    struct level bid; /* 0, 0 on an empty side */
    struct level ask;
};

/* One instrument. */
struct line {
    struct md_ref ref;
    uint32_t instrument; /* its id */
    uint8_t state;       /* enum book_state */
    bool wanted;         /* a snapshot is needed: the book is not live, or nears its edge */
    bool streaming;      /* its depth stream is known to be on */
    bool compare_open;   /* `compare` waits for the next bookTicker */
    uint32_t unequal_run;
    uint64_t id;      /* of the last update in the book */
    uint64_t seen_id; /* of the last update received */
    struct book book;
    int64_t ahead_ns;      /* mono: since when bookTicker is ahead of a silent depth stream; 0 = it is not */
    int64_t last_trade_id; /* 0 = none */
    uint32_t ticker_count; /* runs free; the newest is ticker[(ticker_count - 1) % TICKERS] */
    int32_t subscribe_id;  /* request that subscribes it; 0 = not sent */
    int64_t retry_at_ns;   /* mono: no fetch before this */
    int64_t retry_ns;      /* the next pause */
    int64_t fetched_ns;    /* mono: the last fetch; 0 = none */
    struct touch compare;
    const struct instrument *ins;
    struct touch ticker[TICKERS];
};

enum stage { STAGE_IDLE, STAGE_ASKED, STAGE_LOADING, STAGE_AGAIN, STAGE_JOINING };

/* A depth update that waits for the snapshot. Its levels: bids, then asks, from `at`. */
struct pending {
    uint64_t first_id;
    uint64_t last_id;
    uint32_t at;
    uint32_t bid_count;
    uint32_t ask_count;
};

struct fetch {
    enum stage stage;
    uint32_t slot;
    bool quiet;  /* the book was live when this began: levels are published at the end, not as they come */
    bool broken; /* the snapshot's levels make no sense */
    unsigned again_count;
    int64_t deadline_ns; /* ASKED, LOADING: time-out; AGAIN: when to ask */
    uint64_t id;         /* of the last update in `book` */
    struct book book;
    struct pending *event;
    struct level *level;
    uint32_t event_count;
    uint32_t event_at; /* the next to join */
    uint32_t level_count;
};

struct feed {
    struct feed_config cfg;
    struct binance_md md;
    struct binance_md_msg msg;
    struct line *line;
    uint32_t line_count;
    uint32_t wanted_count; /* lines that want a snapshot */
    uint32_t subscribe_at; /* the next line to subscribe */
    uint32_t fetch_at;     /* where the search for the next fetch starts */
    int32_t request_id;
    bool up;
    struct fetch fetch;
    struct feed_counters counters;
    const char **symbols; /* for one subscribe message */
    int32_t refusal_code;
    char refusal[BINANCE_TEXT_BYTES];
    uint16_t slot_of[INSTRUMENT_MAX]; /* by instrument id; UINT16_MAX none */
};

/* ---- events ---- */

/* Holds one event back, so that the last of a message can be marked. The event's first eight bytes are kept as one word
 * and stored as one: the ring copies words, and a word that was just written in pieces stalls the load. */
struct emitter {
    struct feed *f;
    const struct md_out *out;
    int64_t recv_ns;
    bool has;
    uint64_t head; /* of held: instrument, kind, side, state, flags */
    struct md_event held;
};
_Static_assert(offsetof(struct md_event, kind) == 4 && offsetof(struct md_event, side) == 5 &&
                   offsetof(struct md_event, state) == 6 && offsetof(struct md_event, flags) == 7,
               "what emit() and emitter_end() put together; little-endian, as the ring is");

static inline void
emitter_send(struct emitter *e)
{
    memcpy(&e->held, &e->head, sizeof(e->head));
    e->f->counters.events++;
    if (e->out->writer != NULL)
        md_publish(e->out->writer, &e->held);
    if (e->out->on_event != NULL)
        e->out->on_event(e->out->ctx, &e->held);
}

static inline struct emitter
emitter_begin(struct feed *f, const struct md_out *out, struct now now)
{
    struct emitter e;
    e.f = f;
    e.out = out;
    e.recv_ns = now.mono.ns;
    e.has = false;
    return e;
}

static inline void
emitter_end(struct emitter *e)
{
    if (e->has) {
        e->head |= (uint64_t)MD_LAST_OF_MESSAGE << 56;
        emitter_send(e);
    }
}

/* The next event to fill; what was held goes out. */
static inline struct md_event *
emit(struct emitter *e, const struct line *l, enum md_kind kind, uint8_t side, uint64_t seq)
{
    if (e->has)
        emitter_send(e);
    e->has = true;
    e->head = l->instrument | (uint64_t)kind << 32 | (uint64_t)side << 40 | (uint64_t)l->state << 48;
    e->held.recv_ns = e->recv_ns;
    e->held.venue_seq = seq;
    return &e->held;
}

static inline void
emit_level(struct emitter *e, const struct line *l, enum side side, px_t px, qty_t qty, uint64_t seq, int64_t time_ns)
{
    struct md_event *ev = emit(e, l, MD_LEVEL, (uint8_t)side, seq);
    ev->level.px = px;
    ev->level.qty = qty;
    ev->level.trade_id = 0;
    ev->level.venue_time_ns = time_ns;
}

static COLD void
emit_bare(struct emitter *e, const struct line *l, enum md_kind kind, uint64_t seq)
{
    struct md_event *ev = emit(e, l, kind, 0, seq);
    ev->level.px = 0;
    ev->level.qty = 0;
    ev->level.trade_id = 0;
    ev->level.venue_time_ns = 0;
}

static inline void
publish_table(struct emitter *e, const struct line *l)
{
    if (e->out->writer != NULL)
        md_publish_top(e->out->writer, l->instrument, &l->ref.tob);
}

/* ---- state of a line ---- */

static inline struct touch
touch_of(const struct book *b, uint64_t id)
{
    const struct level *bid = book_touch(b, SIDE_BUY);
    const struct level *ask = book_touch(b, SIDE_SELL);
    struct touch t = { .id = id };

    if (likely(bid != NULL))
        t.bid = *bid;
    if (likely(ask != NULL))
        t.ask = *ask;
    return t;
}

static inline bool
touch_equal(const struct touch *a, const struct touch *b)
{
    return a->bid.px == b->bid.px && a->bid.qty == b->bid.qty && a->ask.px == b->ask.px && a->ask.qty == b->ask.qty;
}

static inline const struct touch *
newest_ticker(const struct line *l)
{
    return l->ticker_count > 0 ? &l->ticker[(l->ticker_count - 1) % TICKERS] : NULL;
}

/* A field that was stored a moment ago, by itself: together with its neighbour, in one load that is wider than the
 * stores were, it would stall. */
static inline int64_t
field(const int64_t *from)
{
    int64_t v = *from;
    __asm__("" : "+r"(v));
    return v;
}

/* Serve a touch of a live book: risk's view, the table, and an event when it moved. */
static inline void
serve(struct emitter *e, struct line *l, const struct touch *t)
{
    struct top_of_book *tob = &l->ref.tob;
    struct top_of_book *good = &l->ref.good;
    const struct level bid = { field(&t->bid.px), field(&t->bid.qty) };
    const struct level ask = { field(&t->ask.px), field(&t->ask.qty) };
    bool moved = tob->bid_px != bid.px || tob->bid_qty != bid.qty || tob->ask_px != ask.px || tob->ask_qty != ask.qty ||
                 tob->state != l->state;

    tob->bid_px = good->bid_px = bid.px;
    tob->bid_qty = good->bid_qty = bid.qty;
    tob->ask_px = good->ask_px = ask.px;
    tob->ask_qty = good->ask_qty = ask.qty;
    tob->recv_ns = good->recv_ns = e->recv_ns;
    tob->venue_seq = good->venue_seq = t->id;
    if (unlikely(tob->state != l->state))
        tob->state = l->state;
    if (unlikely(good->state != l->state)) {
        good->state = l->state;
        good->instrument_version = tob->instrument_version;
    }
    publish_table(e, l);
    if (moved) {
        struct md_event *ev = emit(e, l, MD_TOP, 0, t->id);
        ev->top.bid_px = bid.px;
        ev->top.bid_qty = bid.qty;
        ev->top.ask_px = ask.px;
        ev->top.ask_qty = ask.qty;
    }
}

static inline void
want(struct feed *f, struct line *l, bool wanted)
{
    f->wanted_count += (uint32_t)wanted - (uint32_t)l->wanted;
    l->wanted = wanted;
}

/* Enter a state that is not live. The last values stay beside it for whoever wants to show them. */
static COLD void
distrust(struct emitter *e, struct line *l, enum book_state state)
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
    emit_bare(e, l, MD_STATE, l->id);
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
pending_add(struct feed *f, const struct binance_md_msg *m, int64_t now_ns)
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
    distrust(e, l, state);
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
    distrust(e, l, BOOK_GAP);
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
follow(struct emitter *e, struct line *l, const struct binance_md_msg *m)
{
    struct feed *f = e->f;

    if (unlikely(m->last_id <= l->id)) {
        f->counters.duplicates++;
        return;
    }
    if (unlikely(m->first_id > l->id + 1)) {
        f->counters.gaps++;
        distrust(e, l, BOOK_GAP);
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
    const struct binance_md_msg *m = &f->msg;
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
    distrust(e, l, BOOK_GAP);
}

static inline void
on_ticker(struct feed *f, struct now now, const struct md_out *out)
{
    const struct binance_md_msg *m = &f->msg;
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
    const struct binance_md_msg *m = &f->msg;
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
on_other(struct feed *f)
{
    const struct binance_md_msg *m = &f->msg;

    f->counters.other++;
    switch (m->kind) {
    case BINANCE_MD_REPLY:
        for (uint32_t i = 0; i < f->line_count; i++) {
            if (f->line[i].subscribe_id == m->request_id && m->request_id > 0)
                f->line[i].streaming = true;
        }
        return FEED_SUBSCRIBED;
    case BINANCE_MD_ERROR:
        f->refusal_code = m->code;
        memcpy(f->refusal, m->text, sizeof(f->refusal));
        return FEED_REFUSED;
    case BINANCE_MD_SHUTDOWN: return FEED_SHUTDOWN;
    default: return FEED_OK;
    }
}

static COLD enum feed_result
on_unreadable(struct feed *f, enum decode_result res, struct now now, const struct md_out *out)
{
    const struct binance_md_msg *m = &f->msg;

    if (res == DECODE_IGNORED) {
        f->counters.other++;
        return FEED_OK;
    }
    if (m->kind == BINANCE_MD_DEPTH && m->slot < f->line_count) {
        struct line *l = &f->line[m->slot];
        struct emitter e = emitter_begin(f, out, now);
        if (l->state == BOOK_LIVE)
            distrust(&e, l, BOOK_GAP);
        emitter_end(&e);
    }
    return FEED_BAD_MESSAGE;
}

enum feed_result
feed_on_message(struct feed *f, const uint8_t *payload, size_t len, struct now now, const struct md_out *out)
{
    enum decode_result res = binance_md_decode(&f->md, payload, len, &f->msg);

    f->counters.bytes += len;
    f->counters.decode[res]++;
    if (unlikely(res != DECODE_OK))
        return on_unreadable(f, res, now, out);
    switch (f->msg.kind) {
    case BINANCE_MD_TICKER: on_ticker(f, now, out); return FEED_OK;
    case BINANCE_MD_DEPTH: on_depth(f, now, out); return FEED_OK;
    case BINANCE_MD_TRADE: on_trade(f, now, out); return FEED_OK;
    default: return on_other(f);
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

    if (!f->up || (t->stage != STAGE_IDLE && !(t->stage == STAGE_AGAIN && now_ns >= t->deadline_ns)))
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
        emit_bare(e, l, MD_CLEAR, t->id);
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
        emit_bare(e, l, MD_STATE, l->id);
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
            emit_bare(&e, l, MD_CLEAR, t->id);
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
        .streams = BINANCE_STREAM_DEPTH | BINANCE_STREAM_TICKER | BINANCE_STREAM_TRADE,
    };
}

size_t
feed_footprint(const struct feed_config *cfg)
{
    return arena_cost(sizeof(struct feed)) + binance_md_footprint(cfg->instruments_max) +
           binance_md_msg_footprint(cfg->message_levels_max) +
           arena_cost((size_t)cfg->instruments_max * sizeof(struct line)) +
           ((size_t)cfg->instruments_max + 1) * book_footprint(cfg->levels_max) +
           arena_cost((size_t)cfg->pending_events_max * sizeof(struct pending)) +
           arena_cost((size_t)cfg->pending_levels_max * sizeof(struct level)) +
           arena_cost((size_t)cfg->instruments_max * sizeof(char *));
}

static bool
config_check(const struct feed_config *cfg, struct fault *fault)
{
    unsigned streams = (unsigned)__builtin_popcount(cfg->streams);

    if (cfg->instruments_max == 0 || cfg->instruments_max > INSTRUMENT_MAX)
        return FAULT(fault, "feed: %u instruments, expected 1 to %d", cfg->instruments_max, INSTRUMENT_MAX);
    if ((cfg->streams & BINANCE_STREAM_DEPTH) == 0)
        return FAULT(fault, "feed: the depth stream is not among the streams, but books are kept from it");
    if ((size_t)cfg->instruments_max * streams > 1024)
        return FAULT(fault, "feed: %u instruments x %u streams, but the venue takes 1024 streams on a connection",
                     cfg->instruments_max, streams);
    if (cfg->snapshot_limit < 8 || cfg->levels_max < cfg->snapshot_limit || cfg->levels_max > 1u << 20)
        return FAULT(fault, "feed: %u levels a side with a snapshot of %u, expected 8 <= snapshot <= levels <= 1048576",
                     cfg->levels_max, cfg->snapshot_limit);
    if (cfg->message_levels_max == 0 || cfg->message_levels_max > 1u << 20 || cfg->pending_events_max == 0 ||
        cfg->pending_levels_max < 2 * cfg->message_levels_max)
        return FAULT(fault, "feed: room for %u waiting levels, expected at least one update's 2 x %u",
                     cfg->pending_levels_max, cfg->message_levels_max);
    if (cfg->snapshot_timeout_ns <= 0 || cfg->retry_min_ns <= 0 || cfg->retry_max_ns < cfg->retry_min_ns ||
        cfg->retry_max_ns > 3600 * NS_PER_S || cfg->depth_lag_max_ns < 0)
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
    binance_md_init(&f->md, cfg->instruments_max, arena);
    binance_md_msg_init(&f->msg, cfg->message_levels_max, arena);
    f->line = arena_take(arena, (size_t)cfg->instruments_max * sizeof(struct line));
    for (uint32_t i = 0; i < cfg->instruments_max; i++)
        book_init(&f->line[i].book, cfg->levels_max, arena);
    book_init(&f->fetch.book, cfg->levels_max, arena);
    f->fetch.event = arena_take(arena, (size_t)cfg->pending_events_max * sizeof(struct pending));
    f->fetch.level = arena_take(arena, (size_t)cfg->pending_levels_max * sizeof(struct level));
    f->symbols = arena_take(arena, (size_t)cfg->instruments_max * sizeof(char *));
    memset(f->slot_of, 0xFF, sizeof(f->slot_of));
    fetch_idle(f);
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
    line_reset(f, l);
    l->subscribe_id = subscribe_id;
    l->streaming = streaming;
    l->ins = ins;
    l->state = f->up ? BOOK_EMPTY : l->state;
    l->ref = (struct md_ref){ .tob = { .instrument_version = ins->version, .state = l->state } };
    if (f->up)
        distrust(e, l, BOOK_SYNCING);
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
    if (!binance_md_add(&f->md, ins, slot))
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
    fetch_idle(f);
    for (uint32_t i = 0; i < f->line_count; i++) {
        line_reset(f, &f->line[i]);
        distrust(&e, &f->line[i], BOOK_SYNCING);
    }
    emitter_end(&e);
}

void
feed_on_down(struct feed *f, struct now now, const struct md_out *out)
{
    struct emitter e = emitter_begin(f, out, now);

    f->up = false;
    fetch_idle(f);
    for (uint32_t i = 0; i < f->line_count; i++) {
        line_reset(f, &f->line[i]);
        distrust(&e, &f->line[i], BOOK_DOWN);
    }
    emitter_end(&e);
}

size_t
feed_subscribe_next(struct feed *f, char *buf, size_t room)
{
    uint32_t count = f->line_count - f->subscribe_at;
    size_t used;

    if (!f->up || count == 0)
        return 0;
    for (uint32_t i = 0; i < count; i++)
        f->symbols[i] = f->line[f->subscribe_at + i].ins->symbol;
    f->request_id = f->request_id == INT32_MAX ? 1 : f->request_id + 1;
    size_t n = binance_md_subscribe(buf, room, f->request_id, f->symbols, count, f->cfg.streams, &used);
    for (size_t i = 0; i < used; i++)
        f->line[f->subscribe_at + i].subscribe_id = f->request_id;
    f->subscribe_at += (uint32_t)used;
    return n;
}

mono_ns_t
feed_on_timer(struct feed *f, struct now now, const struct md_out *out)
{
    struct fetch *t = &f->fetch;
    int64_t now_ns = now.mono.ns;
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
