/* What must hold of the served books, whatever the network does. See feedsim.h.
 *
 *   1. A live book is the venue's, level by level as far as it is known, as of the newest depth message that came (or
 *      of a snapshot newer than that); so nothing lost, repeated, late or damaged is in it.
 *   2. The touch that is served live is the venue's as of its update id.
 *   3. What is not live says so everywhere: risk's view, the table, the last event; the last good values stay as they
 *      were and are marked by the time they were good.
 *   4. A client that follows the events has the same levels.
 *   5. A live book is not kept from a stream that fell silent: bookTicker ahead (Binance), nothing for long (Kraken).
 *   6. When the faults are over, every book comes back (feedsim_main.c). */
#include "tests/feedsim/feedsim.h"

static uint32_t
reference_qty(const struct moment *m, enum side side, int32_t at)
{
    return (side == SIDE_BUY ? at <= m->mid : at > m->mid) ? m->qty[at] : 0;
}

/* The feed's side is the moment's. On Kraken cut to the depth, on Binance to where the snapshot ended. */
static bool
side_is(const struct world *w, const struct book *b, const struct moment *m, enum side side)
{
    const struct book_side *s = &b->side[side];
    const struct level *l = book_touch(b, side);
    uint32_t n = 0;

    for (int32_t k = 0; k < PRICES; k++) {
        int32_t at = side == SIDE_BUY ? m->mid - k : m->mid + 1 + k;
        if (at < 0 || at >= PRICES)
            break;
        uint32_t qty = reference_qty(m, side, at);
        px_t px = LOWEST + at;
        if (w->kraken ? n == w->depth : s->edged && (side == SIDE_BUY ? px < s->edge : px > s->edge))
            break;
        if (qty == 0)
            continue;
        if (l == NULL || l->px != px || l->qty != (qty_t)qty * 1234)
            return false;
        l = book_worse(b, side, l);
        n++;
    }
    return l == NULL;
}

static bool
book_is(const struct world *w, uint32_t k, uint64_t id)
{
    const struct moment *m = id != 0 ? venue_past(&w->book[k], id) : NULL;
    const struct book *b = feed_book(w->feed, w->ins[k].id);

    return m != NULL && side_is(w, b, m, SIDE_BUY) && side_is(w, b, m, SIDE_SELL);
}

static bool
touch_is(const struct top_of_book *t, const struct venue_touch *v)
{
    return t->bid_px == (v->bid >= 0 ? LOWEST + v->bid : 0) && t->ask_px == (v->ask >= 0 ? LOWEST + v->ask : 0) &&
           t->bid_qty == (qty_t)v->bid_qty * 1234 && t->ask_qty == (qty_t)v->ask_qty * 1234;
}

/* 2. */
static void
check_touch(struct world *w, uint32_t k, const struct top_of_book *t)
{
    const struct venue_book *b = &w->book[k];

    if (w->kraken) {
        struct level none = { 0, 0 };
        const struct book *book = feed_book(w->feed, w->ins[k].id);
        const struct level *bid = book_touch(book, SIDE_BUY) != NULL ? book_touch(book, SIDE_BUY) : &none;
        const struct level *ask = book_touch(book, SIDE_SELL) != NULL ? book_touch(book, SIDE_SELL) : &none;
        if (t->bid_px != bid->px || t->ask_px != ask->px || t->bid_qty != bid->qty || t->ask_qty != ask->qty)
            broken(w, "%s: the touch served is not the book's", b->symbol);
        return;
    }
    uint64_t newest = MAX(w->watch[k].newest, w->watch[k].live_ticker);
    if (t->venue_seq > b->now.id || !touch_is(t, &b->touch[t->venue_seq]))
        broken(w, "%s: the touch served, %lld x %lld, is not the venue's of update %llu", b->symbol,
               (long long)t->bid_px, (long long)t->ask_px, (unsigned long long)t->venue_seq);
    else if (t->venue_seq < newest)
        broken(w, "%s: the touch served is of update %llu, but %llu came", b->symbol, (unsigned long long)t->venue_seq,
               (unsigned long long)newest);
}

/* 4. */
static void
check_follower(struct world *w, uint32_t k)
{
    const struct book *b = feed_book(w->feed, w->ins[k].id);

    if (w->watch[k].outside != 0)
        broken(w, "%s: a client that follows the events has a level at %lld", w->book[k].symbol,
               (long long)w->watch[k].outside);
    for (unsigned s = 0; s < 2; s++) {
        uint32_t held = 0;
        for (int32_t i = 0; i < PRICES; i++)
            held += w->watch[k].level[i][s] != 0;
        for (const struct level *l = book_touch(b, (enum side)s); l != NULL; l = book_worse(b, (enum side)s, l)) {
            if (w->watch[k].level[l->px - LOWEST][s] != (uint32_t)l->qty)
                broken(w, "%s: a client that follows the events has %u at %lld, the book %lld", w->book[k].symbol,
                       w->watch[k].level[l->px - LOWEST][s], (long long)l->px, (long long)l->qty);
            held--;
        }
        if (held != 0)
            broken(w, "%s: a client that follows the events has %u levels more than the book", w->book[k].symbol, held);
    }
}

/* 5. */
static void
check_fresh(struct world *w, uint32_t k)
{
    const struct watch *a = &w->watch[k];
    int64_t slack = 2 * NS_PER_S;

    if (!w->kraken && a->ahead_ns != 0 && w->now_ns - a->ahead_ns > w->cfg.depth_lag_max_ns + slack)
        broken(w, "%s: live though depth has been behind bookTicker for %lld ms", w->book[k].symbol,
               (long long)((w->now_ns - a->ahead_ns) / NS_PER_MS));
    if (w->kraken && !w->book[k].subscribed && w->now_ns - w->book[k].ended_ns > 2 * slack)
        broken(w, "%s: live though the venue has ended its subscription %lld ms ago", w->book[k].symbol,
               (long long)((w->now_ns - w->book[k].ended_ns) / NS_PER_MS));
    int64_t again = 2 * w->cfg.snapshot_timeout_ns * w->books; /* one at a time */
    if (w->kraken && w->now_ns - a->depth_ns > w->cfg.quiet_max_ns + again + slack)
        broken(w, "%s: live without a depth message for %lld ms", w->book[k].symbol,
               (long long)((w->now_ns - a->depth_ns) / NS_PER_MS));
}

static void
check_live(struct world *w, uint32_t k, const struct md_ref *ref)
{
    const struct watch *a = &w->watch[k];

    w->tally.live++;
    if (!book_is(w, k, a->newest) && !(a->snapshot_id >= a->newest && book_is(w, k, a->snapshot_id)) &&
        !(a->damaged > a->newest && book_is(w, k, a->damaged)))
        broken(w, "%s: the live book is not the venue's of %llu (snapshot %llu)", w->book[k].symbol,
               (unsigned long long)a->newest, (unsigned long long)a->snapshot_id);
    if (memcmp(&ref->tob, &ref->good, sizeof(ref->tob)) != 0)
        broken(w, "%s: live, but the last good values are not today's", w->book[k].symbol);
    check_touch(w, k, &ref->tob);
    check_follower(w, k);
    check_fresh(w, k);
}

void
check_books(struct world *w)
{
    for (uint32_t k = 0; k < w->books && w->failure[0] == '\0'; k++) {
        enum book_state state = feed_state(w->feed, w->ins[k].id);
        const struct md_ref *ref = feed_md_ref(w->feed, w->ins[k].id);
        struct top_of_book table = { 0 };

        /* 3. */
        if (!md_read_top(&w->table, w->ins[k].id, &table) || memcmp(&table, &ref->tob, sizeof(table)) != 0)
            broken(w, "%s: the table is not what risk sees", w->book[k].symbol);
        if (ref->tob.state != state || w->watch[k].event_state != state)
            broken(w, "%s: the book is %u, risk sees %u, the last event says %u", w->book[k].symbol, state,
                   ref->tob.state, w->watch[k].event_state);
        if (state == BOOK_LIVE) {
            check_live(w, k, ref);
            w->watch[k].good = ref->good;
        } else {
            w->tally.invalid++;
            if (memcmp(&w->watch[k].good, &ref->good, sizeof(ref->good)) != 0)
                broken(w, "%s: the last good values changed while the book was not live", w->book[k].symbol);
        }
    }
}

void
check_event(void *ctx, const struct md_event *ev)
{
    struct world *w = (struct world *)ctx;
    uint32_t k = ev->instrument - 1;
    struct watch *a = &w->watch[k];

    ASSERT(k < w->books);
    switch (ev->kind) {
    case MD_CLEAR:
        memset(a->level, 0, sizeof(a->level));
        a->outside = 0;
        break;
    case MD_LEVEL:
        if (ev->level.px >= LOWEST && ev->level.px < LOWEST + PRICES)
            a->level[ev->level.px - LOWEST][ev->side] = (uint32_t)ev->level.qty;
        else if (ev->level.qty != 0) /* a damaged price, behind the depth that is proven: cut at once */
            a->outside = ev->level.px;
        else if (ev->level.px == a->outside)
            a->outside = 0;
        break;
    case MD_STATE:
        trace(w, "%s is %u", w->book[k].symbol, ev->state);
        a->live_ticker = 0; /* bookTicker may have been what was wrong: it is not asked about the next book */
        break;
    default: break;
    }
    a->event_state = ev->state;
}

void
check_connection(struct world *w, bool up)
{
    for (uint32_t k = 0; k < w->books; k++) {
        struct watch *a = &w->watch[k];
        a->newest = 0;
        a->snapshot_id = 0;
        a->damaged = 0;
        a->ticker = 0;
        a->live_ticker = 0;
        a->ahead_ns = 0;
        a->depth_ns = w->now_ns;
        if (!up && feed_state(w->feed, w->ins[k].id) != BOOK_DOWN)
            broken(w, "%s: not down though the connection is", w->book[k].symbol);
    }
}

/* Since when what came of depth is behind a bookTicker that came. */
static void
check_ahead(const struct world *w, struct watch *a)
{
    uint64_t have = MAX(a->newest, a->snapshot_id);

    if (a->ticker <= have) {
        a->ahead_ns = 0;
    } else if (a->ahead_ns == 0 || have >= a->ahead_id) {
        a->ahead_ns = w->now_ns;
        a->ahead_id = a->ticker;
    }
}

void
check_arrives(struct world *w, const struct item *item)
{
    struct watch *a = &w->watch[item->book];

    switch (item->kind) {
    case ITEM_DEPTH:
        a->newest = MAX(a->newest, item->id);
        a->depth_ns = w->now_ns;
        break;
    case ITEM_SNAPSHOT:
        a->newest = MAX(a->newest, item->id);
        a->depth_ns = w->now_ns;
        break;
    case ITEM_TICKER:
        a->ticker = MAX(a->ticker, item->id);
        a->live_ticker = MAX(a->live_ticker, item->id);
        break;
    case ITEM_OTHER: return;
    }
    check_ahead(w, a);
}

void
check_snapshot(struct world *w, uint32_t book, uint64_t id)
{
    struct watch *a = &w->watch[book];

    a->snapshot_id = id;
    a->ahead_ns = 0; /* a book that goes live with it may be live for as long again */
    check_ahead(w, a);
}
