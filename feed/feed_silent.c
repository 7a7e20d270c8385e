/* Depth streams that fell silent while the other channels of their instrument went on, bookTickers that say nothing of
 * a touch that depth moved, and connections that answer nothing: what is done about them.
 *
 * Called by feed_sequenced.c, which notices the silence, by feed_links.c, which asks for what is due here, and by the
 * feed's timer. A silent stream is unsubscribed and subscribed again, each connection that carries it; when it stays
 * silent for ANSWER_NS after that, those connections are given up (the gateway moves to others, or connects again), for
 * one instrument at most once in a pause that doubles, so that a dead instrument does not take the others along. The
 * same for one connection that says nothing of a book which another one carries on (feed_merge.c notices that), and for
 * a bookTicker alone: its book stays live, for its updates are in sequence, but counts as unchecked until it speaks.
 *
 * Always true: a book is joined only to a stream that has spoken since it was silent. */
#include "feed/feed_state.h"

#define GIVE_UP_MIN_NS (60 * NS_PER_S)
#define GIVE_UP_MAX_NS (3600 * NS_PER_S)
#define MISSED_MAX     2 /* subscriptions of a checked book without a snapshot */
#define UNANSWERED_MAX 3 /* requests without an answer, one after the other */

/* What is to be unsubscribed: everything, or bookTicker alone. */
static void
set_off(struct feed *f, struct line *l, uint8_t off, uint8_t ticker_off)
{
    f->off_count -= (l->off | l->ticker_off) != 0;
    l->off = off;
    l->ticker_off = ticker_off;
    f->off_count += (off | ticker_off) != 0;
}

void
silent_clear(struct feed *f, struct line *l, uint8_t bits)
{
    l->silent &= (uint8_t)~bits;
    set_off(f, l, l->off & (uint8_t)~bits, l->ticker_off);
}

void
silent_gone(struct feed *f, struct line *l, uint8_t bits)
{
    l->silent &= (uint8_t)~bits;
    set_off(f, l, l->off & (uint8_t)~bits, l->ticker_off & (uint8_t)~bits);
}

static void
off_and_on(struct feed *f, struct line *l, int64_t now_ns)
{
    set_off(f, l, l->silent, l->ticker_off);
    l->silent_at_ns = now_ns + ANSWER_NS + l->silent_ns;
    l->silent_ns = MIN(2 * l->silent_ns + NS_PER_S, f->cfg.retry_max_ns);
}

COLD void
silent_begin(struct feed *f, struct line *l, int64_t now_ns)
{
    silent_clear(f, l, UINT8_MAX);
    l->silent = links_up(f, (uint32_t)(l - f->line));
    l->streaming = 0; /* no snapshot helps meanwhile */
    l->silent_ns = 0;
    if (l->silent != 0)
        off_and_on(f, l, now_ns);
}

/* A connection was not given up for this instrument for a while. */
static bool
may_give_up(struct line *l, int64_t now_ns)
{
    int64_t pause = l->give_up_ns;

    if (l->given_up_ns != 0 && now_ns - l->given_up_ns < pause)
        return false;
    bool long_ago = l->given_up_ns == 0 || now_ns - l->given_up_ns >= 2 * GIVE_UP_MAX_NS;
    l->give_up_ns = long_ago ? GIVE_UP_MIN_NS : MIN(2 * pause, GIVE_UP_MAX_NS);
    l->given_up_ns = now_ns;
    return true;
}

COLD void
silent_beside(struct feed *f, uint32_t slot, struct link *k, int64_t now_ns)
{
    struct line *l = &f->line[slot];

    if ((l->silent & k->bit) != 0) {
        k->stuck |= may_give_up(l, now_ns);
        return;
    }
    l->streaming &= (uint8_t)~k->bit;
    l->silent |= k->bit;
    l->silent_at_ns = now_ns + ANSWER_NS;
    set_off(f, l, l->off | k->bit, l->ticker_off);
}

static void
ticker_off_and_on(struct feed *f, struct line *l, int64_t now_ns)
{
    set_off(f, l, l->off, links_up(f, (uint32_t)(l - f->line)));
    l->ticker_at_ns = now_ns + ANSWER_NS + l->ticker_ns;
    l->ticker_ns = MIN(2 * l->ticker_ns + NS_PER_S, f->cfg.retry_max_ns);
}

COLD void
silent_ticker_begin(struct feed *f, struct line *l, int64_t now_ns)
{
    f->counters.ticker_silent++;
    f->unchecked++;
    l->ticker_silent = true;
    l->ticker_count = 0; /* what it said last says nothing of the book any more */
    l->compare_open = false;
    l->unequal_run = 0;
    l->ticker_ns = 0;
    ticker_off_and_on(f, l, now_ns);
}

COLD void
silent_ticker_clear(struct feed *f, struct line *l)
{
    f->unchecked -= l->ticker_silent;
    l->ticker_silent = false;
    l->ticker_due_ns = 0;
    set_off(f, l, l->off, 0);
}

bool
silent_due(const struct feed *f, const struct link *k)
{
    return f->off_count > 0 && silent_next(f, k) != NONE;
}

uint32_t
silent_next(const struct feed *f, const struct link *k)
{
    for (uint32_t i = link_begin(f, k); i < MIN(k->base, link_end(f, k)); i++)
        if (((f->line[i].off | f->line[i].ticker_off) & k->bit) != 0)
            return i;
    return NONE;
}

size_t
silent_request(struct feed *f, struct link *k, int32_t id, struct now now, char *buf, size_t room)
{
    struct line *l = &f->line[silent_next(f, k)];
    const struct md_request rq = {
        .id = id,
        .symbols = (const char *[]){ l->ins->symbol },
        .count = 1,
        .streams = (l->off & k->bit) != 0 ? f->cfg.streams : MD_STREAM_TICKER,
        .off = true,
    };
    size_t used;
    size_t n = f->dialect->request(&rq, buf, room, &used);

    set_off(f, l, l->off & (uint8_t)~k->bit, l->ticker_off & (uint8_t)~k->bit);
    l->refused |= k->bit; /* asked for alone, as after a refusal; what is on already stays so */
    l->alone_at_ns = now.mono.ns;
    f->some_refused = true;
    return n;
}

static void
give_up_links(struct feed *f, uint32_t slot, uint8_t bits)
{
    struct link *k = &f->link[slot / f->group_lines * f->group_links];

    for (uint32_t i = 0; i < f->group_links; i++)
        k[i].stuck |= k[i].up && (k[i].bit & bits) != 0;
}

static void
ticker_timer(struct feed *f, uint32_t slot, int64_t now_ns)
{
    struct line *l = &f->line[slot];
    uint8_t up = links_up(f, slot);

    if (now_ns < l->ticker_at_ns || (l->refused & up) != 0)
        return;
    if (may_give_up(l, now_ns))
        give_up_links(f, slot, up);
    ticker_off_and_on(f, l, now_ns);
}

void
silent_timer(struct feed *f, int64_t now_ns)
{
    for (uint32_t i = 0; i < f->line_count; i++) {
        struct line *l = &f->line[i];
        if (l->ticker_silent)
            ticker_timer(f, i, now_ns);
        if (l->silent == 0 || l->state == BOOK_LIVE || now_ns < l->silent_at_ns || (l->refused & l->silent) != 0)
            continue;
        if (may_give_up(l, now_ns))
            give_up_links(f, i, l->silent);
        off_and_on(f, l, now_ns);
    }
}

COLD void
silent_missed(struct feed *f, uint32_t slot, struct line *l, struct link *k, int64_t now_ns)
{
    if (++l->missed < MISSED_MAX || !may_give_up(&f->line[slot], now_ns))
        return;
    l->missed = 0;
    k->stuck = true;
}

COLD void
silent_unanswered(struct link *k)
{
    if (++k->unanswered < UNANSWERED_MAX)
        return;
    k->unanswered = 0;
    k->stuck = true;
}

bool
feed_link_stuck(struct feed *f, uint32_t link)
{
    ASSERT(link < f->link_count);
    bool stuck = f->link[link].stuck;

    f->link[link].stuck = false;
    return stuck;
}
