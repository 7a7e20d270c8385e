/* Subscriptions of one connection: see feed.h.
 *
 * Messages are decoded and handed to whoever keeps that kind of book (feed_sequenced.c with feed_fetch.c, or
 * feed_checked.c); here stand the states that all share, trades, the venue's own words, subscribing, and what a
 * connection's coming and going does. */
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

/* ---- messages ---- */

static void
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
    case MD_MSG_TICKER: sequenced_ticker(f, now, out); return FEED_OK;
    case MD_MSG_DEPTH:
        if (f->dialect->checked)
            checked_depth(f, now, out);
        else
            sequenced_depth(f, now, out);
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
/* ---- life ---- */

struct feed *
feed_init(const struct feed_config *cfg, struct arena *arena, struct fault *fault)
{
    if (!feed_config_check(cfg, fault))
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
    feed_fetch_idle(f);
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
        feed_fetch_idle(f);
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
    feed_fetch_idle(f);
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
    feed_fetch_idle(f);
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
    if (f->dialect->checked)
        checked_timer(f, now, out);
    feed_fetch_timer(f, now.mono.ns);
    sequenced_timer(f, now, out);
    bool busy = f->fetch.stage != STAGE_IDLE || f->wanted_count > 0;
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
