/* Messages and instruments: see feed.h.
 *
 * Messages are decoded and handed to whoever keeps that kind of book (feed_sequenced.c with feed_fetch.c, or
 * feed_checked.c); here stand the states that all share, trades and the venue's own words. */
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
    if (!l->ticker_silent)
        l->ticker_due_ns = 0; /* which of the two was wrong is not known */
    if (l->state == state)
        return;
    l->state = (uint8_t)state;
    l->ref.tob.state = (uint8_t)state;
    publish_table(e, l);
    feed_emit_bare(e, l, MD_STATE, l->id);
}

/* ---- messages ---- */

/* The next trade is published; so is an older one that only the other connection brought: late, by its id. */
static bool
trade_counts(struct feed *f, struct line *l, struct now now, const struct md_out *out)
{
    const struct md_msg *m = &f->msg;

    if (unlikely(l->last_trade_id != 0 && m->trade_id <= l->last_trade_id)) {
        if (f->merging && !merge_trade_seen(f, l, m->trade_id))
            return true;
        if (f->merging)
            merge_second(f, MERGE_TRADE, (uint64_t)m->trade_id, now.mono.ns, out);
        f->counters.duplicates++;
        return false;
    }
    if (unlikely(f->merging)) {
        merge_trade(l, m->trade_id);
        merge_first(f, MERGE_TRADE, (uint64_t)m->trade_id, now.mono.ns);
    }
    f->counters.trade_gaps += l->last_trade_id != 0 && m->trade_id != l->last_trade_id + 1;
    l->last_trade_id = m->trade_id;
    l->ref.last_px = m->px;
    l->ref.last_ns = now.mono.ns;
    return true;
}

static void
on_trade(struct feed *f, struct now now, const struct md_out *out)
{
    const struct md_msg *m = &f->msg;
    struct line *l = &f->line[m->slot];

    f->counters.trade++;
    if (unlikely((l->trade_owed & f->bit) != 0))
        links_heard(f, &f->link[f->speaker], m->slot, MD_STREAM_TRADE, now.mono.ns);
    if (unlikely(!trade_counts(f, l, now, out)))
        return;
    if (f->dialect->checked)
        checked_traded(l, now.mono.ns, f->cfg.depth_lag_max_ns);
    else
        sequenced_traded(f, l, now.mono.ns);
    struct emitter e = emitter_begin(f, out, now);
    struct md_event *ev = emit(&e, l, MD_TRADE, m->aggressor, 0);
    ev->level.px = m->px;
    ev->level.qty = m->qty;
    ev->level.trade_id = m->trade_id;
    ev->level.venue_time_ns = m->venue_time_ns;
    emitter_end(&e);
}

static COLD enum feed_result
on_other(struct feed *f, struct now now, const struct md_out *out)
{
    const struct md_msg *m = &f->msg;

    f->counters.other++;
    switch (m->kind) {
    case MD_MSG_REPLY: links_answer(f, true, now, out); return FEED_SUBSCRIBED;
    case MD_MSG_ERROR:
        links_answer(f, false, now, out);
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
        if (f->dialect->checked)
            checked_distrust(&e, m->slot, &f->link[f->speaker], BOOK_GAP);
        else if (l->state == BOOK_LIVE && (l->joined & links_up(f, m->slot) & ~f->bit) == 0)
            feed_distrust(&e, l, BOOK_GAP); /* else another connection brings it, or the next update is ahead */
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
    default: return on_other(f, now, out);
    }
}

enum feed_result
feed_link_message(struct feed *f, uint32_t link, const uint8_t *payload, size_t len, struct now now,
                  const struct md_out *out)
{
    ASSERT(link < f->link_count);
    enum feed_result result = FEED_OK;
    uint32_t at = 0;

    f->counters.bytes += len;
    f->speaker = link;
    f->bit = f->link[link].bit;
    if (unlikely(f->merging))
        f->link[link].message_ns = now.mono.ns;
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
    feed_links_init(f, arena);
    return f;
}

void
feed_line_reset(struct feed *f, struct line *l)
{
    book_clear(&l->book);
    l->id = 0;
    l->seen_id = 0;
    want(f, l, false);
    l->streaming = 0;
    l->joined = 0;
    l->refused = 0;
    silent_gone(f, l, UINT8_MAX);
    silent_ticker_clear(f, l);
    l->missed = 0;
    l->alone_ns = 0;
    l->alone_at_ns = 0;
    l->compare_open = false;
    l->unequal_run = 0;
    l->ahead_ns = 0;
    l->ticker_count = 0;
    l->ticker_repeated = 0;
    l->last_trade_id = 0;
    l->subscribe_id = 0;
    l->fetched_ns = 0;
    l->retry_at_ns = 0;
    l->asked_ns = 0;
    l->awaits = false;
    l->depth_ns = 0;
    l->venue_ns = 0;
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
    uint32_t slot = (uint32_t)(l - f->line);
    int32_t subscribe_id = l->subscribe_id;
    uint8_t streaming = l->streaming;
    uint8_t refused = l->refused;
    bool silent = l->silent != 0;
    bool up = links_up(f, slot) != 0;

    if (f->fetch.slot == slot)
        feed_fetch_idle(f);
    merge_drop(f, slot);
    feed_line_reset(f, l);
    l->refused = refused;
    l->subscribe_id = subscribe_id;
    l->streaming = streaming;
    if (silent)
        silent_begin(f, l, e->recv_ns);
    l->ins = ins;
    if (f->dialect->checked)
        checked_renew(f, slot);
    l->state = up ? BOOK_EMPTY : l->state;
    l->ref = (struct md_ref){ .tob = { .instrument_version = ins->version, .state = l->state } };
    if (up)
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
    if (slot / f->group_lines >= f->link_count / f->group_links) /* more than the connections may carry */
        return false;
    if (!f->dialect->add(f->decoder, ins, slot))
        return false;
    struct line *l = &f->line[slot];
    struct emitter e = emitter_begin(f, out, now);
    if (!known) {
        f->line_count++;
        f->slot_of[ins->id] = (uint16_t)slot;
        l->instrument = ins->id;
        for (uint32_t i = 0; i < f->group_links; i++)
            l->at[i] = (uint8_t)i;
    }
    line_renew(f, l, ins, &e);
    emitter_end(&e);
    return true;
}

mono_ns_t
feed_on_timer(struct feed *f, struct now now, const struct md_out *out)
{
    if (f->dialect->checked)
        checked_timer(f, now, out);
    links_timer(f, now, out);
    feed_fetch_timer(f, now.mono.ns);
    sequenced_timer(f, now, out);
    silent_timer(f, now.mono.ns);
    bool busy = f->fetch.stage != STAGE_IDLE || f->wanted_count > 0 || f->merge.held_count > 0;
    if (feed_ladders(f, out))
        return mono_after(now.mono, TIMER_LADDER_NS);
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

uint32_t
feed_unchecked(const struct feed *f)
{
    return f->unchecked;
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
