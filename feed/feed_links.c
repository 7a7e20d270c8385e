/* The connections of a feed: which instruments sit on which, what each was asked for, and what its coming and going
 * does to the books.
 *
 * Between the gateway, which opens and closes them, and the books (feed_sequenced.c, feed_checked.c), which a link's
 * messages keep. A request is remembered until it is answered: refused, or not answered in time, its instruments are
 * asked for again, each alone, so that one bad name does not take the others along. A checked venue answers for each
 * instrument and stream; there a book is asked for again by feed_checked.c.
 *
 * Always true: a link's bit is in a line's masks only while it is up; a book stays live over the end of a link only
 * when another one is known to continue it. */
#include "feed/feed_state.h"

static uint32_t
copies_of(const struct feed_config *cfg)
{
    return cfg->copies != 0 ? cfg->copies : 1;
}

uint32_t
feed_links_of_group(const struct feed_config *cfg)
{
    return copies_of(cfg) * (cfg->spare ? 2 : 1);
}

uint32_t
feed_links(const struct feed_config *cfg)
{
    return (cfg->groups != 0 ? cfg->groups : 1) * feed_links_of_group(cfg);
}

static uint32_t
views_of(const struct feed_config *cfg)
{
    return cfg->dialect->checked ? feed_links_of_group(cfg) - 1 : 0;
}

static uint32_t
held_levels_of(const struct feed_config *cfg)
{
    return feed_links_of_group(cfg) > 1 && !cfg->dialect->checked ? 4 * cfg->message_levels_max : 0;
}

size_t
feed_links_footprint(const struct feed_config *cfg)
{
    size_t views = (size_t)cfg->instruments_max * views_of(cfg);
    size_t n = arena_cost(feed_links(cfg) * sizeof(struct link));

    if (views > 0)
        n += arena_cost(views * sizeof(struct line)) + views * book_footprint(cfg->levels_max);
    if (held_levels_of(cfg) > 0)
        n += arena_cost(HELD_MAX * sizeof(struct held)) + arena_cost(held_levels_of(cfg) * sizeof(struct level));
    if (copies_of(cfg) > 1)
        n += arena_cost((size_t)cfg->instruments_max * sizeof(struct arrivals));
    return n;
}

void
feed_links_init(struct feed *f, struct arena *arena)
{
    const struct feed_config *cfg = &f->cfg;
    uint32_t views = cfg->instruments_max * views_of(cfg);
    uint32_t streams_max = cfg->streams_max != 0 ? cfg->streams_max : f->dialect->streams_max;

    f->link_count = feed_links(cfg);
    f->group_links = feed_links_of_group(cfg);
    f->group_lines = streams_max / (uint32_t)__builtin_popcount(cfg->streams);
    f->link = arena_take(arena, f->link_count * sizeof(struct link));
    for (uint32_t i = 0; i < f->link_count; i++) {
        struct link *k = &f->link[i];
        k->index = (uint8_t)(i % f->group_links);
        k->bit = (uint8_t)(1u << k->index);
        k->copy = (uint8_t)(k->index / (cfg->spare ? 2 : 1));
        k->group = i / f->group_links;
        checked_reset(k);
    }
    if (views > 0) {
        f->view = arena_take(arena, views * sizeof(struct line));
        for (uint32_t i = 0; i < views; i++) {
            book_init(&f->view[i].book, cfg->levels_max, arena);
            f->view[i].state = BOOK_DOWN;
        }
    }
    f->merge.levels_max = held_levels_of(cfg);
    if (f->merge.levels_max > 0) {
        f->merge.held = arena_take(arena, HELD_MAX * sizeof(struct held));
        f->merge.level = arena_take(arena, f->merge.levels_max * sizeof(struct level));
    }
    if (copies_of(cfg) > 1)
        f->merge.arrivals = arena_take(arena, cfg->instruments_max * sizeof(struct arrivals));
}

uint32_t
link_begin(const struct feed *f, const struct link *k)
{
    return MIN(k->group * f->group_lines, f->line_count);
}

uint32_t
link_end(const struct feed *f, const struct link *k)
{
    return MIN((k->group + 1) * f->group_lines, f->line_count);
}

bool
feed_link_used(const struct feed *f, uint32_t link)
{
    ASSERT(link < f->link_count);
    return link_begin(f, &f->link[link]) < link_end(f, &f->link[link]);
}

uint8_t
links_up(const struct feed *f, uint32_t slot)
{
    const struct link *k = &f->link[slot / f->group_lines * f->group_links];
    uint8_t mask = 0;

    for (uint32_t i = 0; i < f->group_links; i++)
        if (k[i].up)
            mask |= k[i].bit;
    return mask;
}

static uint8_t
others_up(const struct feed *f, const struct link *k)
{
    const struct link *first = k - k->index;
    uint8_t mask = 0;

    for (uint32_t i = 0; i < f->group_links; i++)
        if (first[i].up && first[i].bit != k->bit)
            mask |= first[i].bit;
    return mask;
}

static void
look_around(struct feed *f)
{
    f->up = false;
    f->merging = false;
    for (uint32_t i = 0; i < f->link_count; i++) {
        f->up |= f->link[i].up;
        f->merging |= f->link[i].up && others_up(f, &f->link[i]) != 0;
    }
}

/* ---- coming and going -------------------------------------------------------------------------------------------- */

static void
masks_clear(struct feed *f, struct line *l, uint8_t bit)
{
    silent_gone(f, l, bit);
    l->streaming &= (uint8_t)~bit;
    l->joined &= (uint8_t)~bit;
    l->refused &= (uint8_t)~bit;
    l->book_owed &= (uint8_t)~bit;
    l->trade_owed &= (uint8_t)~bit;
    memset(l->last, 0, sizeof(l->last));
    for (unsigned i = 0; i < GROUP_LINKS; i++)
        l->mark[i] = l->id;
}

void
feed_link_up(struct feed *f, uint32_t link, struct now now, const struct md_out *out)
{
    ASSERT(link < f->link_count);
    struct link *k = &f->link[link];
    struct emitter e = emitter_begin(f, out, now);
    uint8_t others = others_up(f, k);

    k->up = true;
    k->base = k->at = k->to = link_begin(f, k);
    k->streams = f->cfg.streams;
    k->acked_ns = k->ready_ns = k->message_ns = 0;
    k->trade_from = k->trade_to = 0;
    k->unanswered = 0;
    k->stuck = false;
    memset(k->asked, 0, sizeof(k->asked));
    checked_reset(k);
    look_around(f);
    if (f->dialect->checked)
        checked_link_up(f, k, others != 0);
    for (uint32_t i = link_begin(f, k); i < link_end(f, k); i++) {
        struct line *l = &f->line[i];
        masks_clear(f, l, k->bit);
        l->trades = UINT64_MAX; /* what came before there were two is not missed */
        if (others != 0)
            continue;
        if (f->fetch.slot == i)
            feed_fetch_idle(f);
        feed_line_reset(f, l);
        feed_distrust(&e, l, BOOK_SYNCING);
    }
    emitter_end(&e);
}

/* Links but `gone` whose updates are known to continue the book, and come. */
static uint8_t
carrying(struct feed *f, uint32_t slot, const struct link *gone, int64_t now_ns)
{
    const struct link *first = gone - gone->index;
    uint8_t mask = f->line[slot].joined & (uint8_t)~gone->bit;

    for (uint32_t i = 0; i < f->group_links; i++)
        if ((mask & first[i].bit) != 0 && merge_lags(f, slot, &first[i], now_ns))
            mask &= (uint8_t)~first[i].bit;
    return mask;
}

/* The link is gone; `others` of its group are there. */
static void
sequenced_link_down(struct feed *f, const struct link *k, uint8_t others, struct emitter *e)
{
    for (uint32_t i = link_begin(f, k); i < link_end(f, k); i++) {
        struct line *l = &f->line[i];
        bool waits = l->held != 0;
        bool carried = (carrying(f, i, k, e->recv_ns) & others) != 0;
        masks_clear(f, l, k->bit);
        merge_drop(f, i);
        if (f->fetch.slot == i && (f->fetch.carriers & l->streaming) == 0)
            feed_fetch_idle(f);
        if (l->state != BOOK_LIVE)
            continue;
        if (waits || !carried) { /* what the others carry may begin behind a hole, or they are silent */
            f->counters.gaps++;
            feed_distrust(e, l, BOOK_GAP);
        } else {
            f->counters.moved++;
        }
    }
}

void
feed_link_down(struct feed *f, uint32_t link, struct now now, const struct md_out *out)
{
    ASSERT(link < f->link_count);
    struct link *k = &f->link[link];
    struct emitter e = emitter_begin(f, out, now);
    uint8_t others = others_up(f, k);

    if (!k->up && others != 0)
        return; /* the others carry on as before */
    k->up = false;
    checked_reset(k);
    look_around(f);
    if (others != 0 && f->dialect->checked) {
        checked_link_down(f, k, &e);
    } else if (others != 0) {
        sequenced_link_down(f, k, others, &e);
    } else {
        for (uint32_t i = link_begin(f, k); i < link_end(f, k); i++) {
            if (f->fetch.slot == i)
                feed_fetch_idle(f);
            merge_drop(f, i);
            feed_line_reset(f, &f->line[i]);
            feed_distrust(&e, &f->line[i], BOOK_DOWN);
        }
    }
    emitter_end(&e);
}

/* ---- may the others go? ------------------------------------------------------------------------------------------ */

static bool
waits_for_answers(const struct feed *f, const struct link *k)
{
    for (uint32_t i = 0; i < ASKED_MAX; i++)
        if (k->asked[i].id != 0)
            return true;
    return k->at < (k->at > k->base ? k->to : link_end(f, k));
}

void
feed_link_heard(struct feed *f, uint32_t link, struct now now)
{
    ASSERT(link < f->link_count);
    f->link[link].message_ns = now.mono.ns;
}

/* Something came over another link of the group since this one's requests were answered: it was not dead by then. */
static bool
other_spoke(const struct feed *f, const struct link *k)
{
    const struct link *first = k - k->index;

    for (uint32_t i = 0; i < f->group_links; i++)
        if (first[i].up && first[i].bit != k->bit && k->acked_ns != 0 && first[i].message_ns > k->acked_ns)
            return true;
    return false;
}

static bool
covers_line(struct feed *f, uint32_t slot, const struct link *k, bool spoke, int64_t now_ns)
{
    const struct line *l = &f->line[slot];

    if (f->dialect->checked)
        return l->state != BOOK_LIVE ||
               (checked_line(f, slot, k)->state == BOOK_LIVE && !merge_lags(f, slot, k, now_ns));
    if ((l->streaming & k->bit) == 0) /* a refused one is nobody's loss when nobody has it */
        return (l->streaming & others_up(f, k)) == 0 && (l->refused & k->bit) != 0;
    if (l->state != BOOK_LIVE)
        return true;
    if (l->held != 0 || merge_lags(f, slot, k, now_ns))
        return false;
    return (l->joined & k->bit) != 0 || (spoke && l->id == l->mark[k->index]);
}

bool
feed_link_covers(struct feed *f, uint32_t link, struct now now)
{
    ASSERT(link < f->link_count);
    struct link *k = &f->link[link];
    bool spoke = other_spoke(f, k);
    bool ready = k->up && !waits_for_answers(f, k);

    for (uint32_t i = link_begin(f, k); ready && i < link_end(f, k); i++)
        ready = covers_line(f, i, k, spoke, now.mono.ns);
    if (!ready) {
        k->ready_ns = 0;
        return false;
    }
    if (k->ready_ns == 0)
        k->ready_ns = now.mono.ns;
    if (now.mono.ns - k->ready_ns < SETTLE_NS)
        return false;
    for (uint32_t i = link_begin(f, k); i < link_end(f, k); i++)
        f->line[i].joined |= f->line[i].streaming & k->bit; /* a quiet one: nothing was on its way any more */
    return true;
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

static struct asked *
asked_free(struct link *k)
{
    for (uint32_t i = 0; i < ASKED_MAX; i++)
        if (k->asked[i].id == 0)
            return &k->asked[i];
    return NULL;
}

/* The next line that was refused and may be asked for again; NONE. */
static uint32_t
alone_next(const struct feed *f, const struct link *k, int64_t now_ns)
{
    for (uint32_t i = link_begin(f, k); i < MIN(k->base, link_end(f, k)); i++)
        if ((f->line[i].refused & k->bit) != 0 && f->line[i].alone_at_ns <= now_ns)
            return i;
    return NONE;
}

static bool
lines_wait(const struct feed *f, const struct link *k)
{
    return k->at < (k->at > k->base || k->streams != f->cfg.streams ? k->to : link_end(f, k));
}

static int32_t
next_request_id(struct feed *f)
{
    f->request_id = f->request_id == INT32_MAX ? 1 : f->request_id + 1;
    return f->request_id;
}

bool
links_asked(struct link *k, struct asked asked)
{
    struct asked *a = asked_free(k);

    if (a == NULL)
        return false;
    *a = asked;
    k->acked_ns = 0;
    return true;
}

/* One request for `count` lines from `at` on, as many as fit; how many is in *used. */
static size_t
ask(struct feed *f, struct link *k, uint32_t at, uint32_t count, unsigned streams, struct now now, char *buf,
    size_t room, size_t *used)
{
    for (uint32_t i = 0; i < count; i++)
        f->symbols[i] = f->line[at + i].ins->symbol;
    const struct md_request rq = {
        .id = next_request_id(f),
        .symbols = f->symbols,
        .count = count,
        .streams = streams,
        .depth = f->cfg.snapshot_limit,
    };
    size_t n = f->dialect->request(&rq, buf, room, used);
    if (f->dialect->checked) {
        for (uint32_t i = 0; i < *used && (streams & MD_STREAM_DEPTH) != 0; i++) {
            struct line *l = checked_line(f, at + i, k);
            l->subscribe_id = f->request_id;
            l->asked_ns = now.mono.ns;
            l->awaits = true;
            f->line[at + i].book_owed |= k->bit;
        }
        for (uint32_t i = 0; i < *used && (streams & MD_STREAM_TRADE) != 0; i++)
            f->line[at + i].trade_owed |= k->bit;
        if ((streams & MD_STREAM_TRADE) != 0) {
            k->trade_from = k->trade_from == 0 ? f->request_id : k->trade_from;
            k->trade_to = f->request_id;
        }
    }
    if (*used > 0) {
        bool room_left = links_asked(
            k,
            (struct asked){
                .id = f->request_id, .streams = streams, .at = at, .count = (uint32_t)*used, .sent_ns = now.mono.ns });
        ASSERT(room_left);
    }
    return n;
}

/* Streams of the lines from `base` on: all at once, or one by one where a request names one stream. */
static size_t
ask_lines(struct feed *f, struct link *k, struct now now, char *buf, size_t room)
{
    bool one = f->dialect->one_stream;
    unsigned streams = one ? k->streams & (0u - k->streams) : f->cfg.streams;
    size_t used;

    if (k->at == k->base && k->streams == f->cfg.streams)
        k->to = link_end(f, k); /* who is added later has a round of its own */
    size_t n = ask(f, k, k->at, k->to - k->at, streams, now, buf, room, &used);
    k->at += (uint32_t)used;
    if (!one) {
        k->base = k->at;
    } else if (k->at == k->to) {
        k->streams &= ~streams;
        if (k->streams == 0) {
            k->streams = f->cfg.streams;
            k->base = k->to;
        }
        k->at = k->base;
    }
    return n;
}

bool
feed_link_due(struct feed *f, uint32_t link, struct now now)
{
    ASSERT(link < f->link_count);
    struct link *k = &f->link[link];

    if (!k->up)
        return false;
    if (f->dialect->checked && checked_due(f, k, now))
        return true;
    return asked_free(k) != NULL &&
           (lines_wait(f, k) || silent_due(f, k) || (f->some_refused && alone_next(f, k, now.mono.ns) != NONE));
}

size_t
feed_link_request(struct feed *f, uint32_t link, struct now now, const struct md_out *out, char *buf, size_t room)
{
    size_t used;

    if (!feed_link_due(f, link, now))
        return 0;
    struct link *k = &f->link[link];
    bool more = asked_free(k) != NULL;
    if (more && lines_wait(f, k))
        return ask_lines(f, k, now, buf, room);
    if (more && silent_due(f, k))
        return silent_request(f, k, next_request_id(f), now, buf, room);
    uint32_t slot = more && f->some_refused ? alone_next(f, k, now.mono.ns) : NONE;
    if (slot == NONE)
        return checked_request(f, k, now, out, buf, room);
    f->line[slot].refused &= (uint8_t)~k->bit;
    return ask(f, k, slot, 1, f->dialect->checked ? MD_STREAM_TRADE : f->cfg.streams, now, buf, room, &used);
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

/* Asked for alone, and refused: later again. With others: which of them it was is found by asking for each. */
static void
refused_line(struct feed *f, struct link *k, struct line *l, bool alone, struct emitter *e)
{
    l->refused |= k->bit;
    f->some_refused = true;
    if (!alone) {
        l->alone_at_ns = e->recv_ns;
        return;
    }
    l->alone_ns = l->alone_ns == 0 ? f->cfg.retry_min_ns : MIN(2 * l->alone_ns, f->cfg.retry_max_ns);
    l->alone_at_ns = e->recv_ns + l->alone_ns;
    if (l->state != BOOK_LIVE && l->streaming == 0 && !f->dialect->checked)
        feed_distrust(e, l, BOOK_REFUSED);
}

static void
refused(struct feed *f, struct link *k, struct asked *a, struct emitter *e)
{
    for (uint32_t i = 0; i < a->count; i++)
        refused_line(f, k, &f->line[a->at + i], a->count == 1, e);
    a->id = 0;
}

static void
accepted(struct feed *f, struct link *k, struct asked *a, struct emitter *e)
{
    for (uint32_t i = 0; i < a->count; i++) {
        struct line *l = &f->line[a->at + i];
        l->streaming |= k->bit & (uint8_t)~l->silent; /* a silent one has to speak first */
        l->alone_ns = 0;
        merge_mark(f, a->at + i, k, e->recv_ns);
        if (l->state == BOOK_REFUSED)
            feed_distrust(e, l, BOOK_SYNCING);
    }
    a->id = 0;
    if (!waits_for_answers(f, k))
        k->acked_ns = e->recv_ns;
}

static bool
still_owed(const struct feed *f, const struct link *k, const struct asked *a, uint32_t slot)
{
    const struct line *l = &f->line[slot];

    return (((a->streams & MD_STREAM_TRADE) != 0 ? l->trade_owed : l->book_owed) & k->bit) != 0;
}

COLD void
links_heard(struct feed *f, struct link *k, uint32_t slot, unsigned stream, int64_t now_ns)
{
    struct line *l = &f->line[slot];
    uint8_t *owed = stream == MD_STREAM_TRADE ? &l->trade_owed : &l->book_owed;

    *owed &= (uint8_t)~k->bit;
    k->unanswered = 0;
    for (uint32_t i = 0; i < ASKED_MAX; i++) {
        struct asked *a = &k->asked[i];
        bool owes = a->id == 0 || a->streams != stream;
        for (uint32_t n = a->at; n < a->at + a->count && !owes; n++)
            owes = still_owed(f, k, a, n);
        if (!owes)
            a->id = 0;
    }
    if (k->acked_ns == 0 && !waits_for_answers(f, k))
        k->acked_ns = now_ns;
}

/* Of trades, by the request that it repeats; an unsubscription is a book's. */
static void
checked_links_answer(struct feed *f, struct link *k, struct asked *a, bool ok, struct now now, struct emitter *e)
{
    const struct md_msg *m = &f->msg;
    bool trade = m->request_id >= k->trade_from && m->request_id <= k->trade_to && m->request_id > 0;

    if (a != NULL)
        trade = a->streams == MD_STREAM_TRADE;
    trade = trade && !m->off && !m->depth_stream;
    if (!trade)
        checked_answer(f, ok, now, e);
    if (m->slot < f->line_count) {
        struct line *l = &f->line[m->slot];
        if (!m->off)
            links_heard(f, k, m->slot, trade ? MD_STREAM_TRADE : MD_STREAM_DEPTH, e->recv_ns);
        if (trade && !ok)
            refused_line(f, k, l, true, e);
        else if (trade)
            l->alone_ns = 0;
        return;
    }
    for (uint32_t i = 0; a != NULL && a->id != 0 && !ok && i < a->count; i++) { /* it does not say of whom */
        if (!still_owed(f, k, a, a->at + i))
            continue;
        if (trade)
            refused_line(f, k, &f->line[a->at + i], a->count == 1, e);
        links_heard(f, k, a->at + i, a->streams, e->recv_ns);
    }
}

void
links_answer(struct feed *f, bool ok, struct now now, const struct md_out *out)
{
    const struct md_msg *m = &f->msg;
    struct link *k = &f->link[f->speaker];
    struct emitter e = emitter_begin(f, out, now);
    struct asked *a = NULL;

    k->unanswered = 0;
    f->counters.refused += !ok;
    for (uint32_t i = 0; i < ASKED_MAX && a == NULL; i++)
        if (k->asked[i].id != 0 && k->asked[i].id == m->request_id)
            a = &k->asked[i];
    if (f->dialect->checked)
        checked_links_answer(f, k, a, ok, now, &e);
    else if (a != NULL && ok)
        accepted(f, k, a, &e);
    else if (a != NULL)
        refused(f, k, a, &e);
    emitter_end(&e);
}

/* What a checked venue did not answer for. */
static void
checked_links_unanswered(struct feed *f, struct link *k, struct asked *a, struct emitter *e)
{
    a->id = 0;
    for (uint32_t i = a->at; i < a->at + a->count; i++) {
        struct line *l = &f->line[i];
        if (!still_owed(f, k, a, i))
            continue;
        if ((a->streams & MD_STREAM_TRADE) != 0) {
            l->trade_owed &= (uint8_t)~k->bit;
            refused_line(f, k, l, a->count == 1, e);
        } else {
            l->book_owed &= (uint8_t)~k->bit;
            checked_unanswered(f, i, k, e->recv_ns);
        }
    }
}

void
links_timer(struct feed *f, struct now now, const struct md_out *out)
{
    struct emitter e = emitter_begin(f, out, now);

    for (uint32_t n = 0; n < f->link_count; n++) {
        struct link *k = &f->link[n];
        for (uint32_t i = 0; i < ASKED_MAX; i++) {
            struct asked *a = &k->asked[i];
            if (!k->up || a->id == 0 || now.mono.ns - a->sent_ns < ANSWER_NS)
                continue;
            f->counters.unanswered++;
            silent_unanswered(k);
            if (f->dialect->checked)
                checked_links_unanswered(f, k, a, &e);
            else
                refused(f, k, a, &e);
        }
    }
    if (f->merge.held_count > 0)
        merge_timer(&e, now.mono.ns);
    if (f->merging && f->cfg.depth_lag_max_ns > 0)
        merge_look(&e, now.mono.ns);
    emitter_end(&e);
}
