/* What must hold of the served books, whatever the network does. See feedsim.h.
 *
 *   1. A live book is the venue's, level by level as far as it is known, as of the newest depth message that came (or
 *      of a snapshot newer than that); so nothing lost, repeated, late or damaged is in it.
 *   2. The touch that is served live is the venue's as of its update id.
 *   3. What is not live says so everywhere: risk's view, the table, the last event; the last good values stay as they
 *      were and are marked by the time they were good.
 *   4. A client that follows the events has the same levels.
 *   5. A live book is not kept from a stream that fell silent: bookTicker ahead (Binance), nothing for long (Kraken).
 *   6. When the faults are over, every book comes back (feedsim_main.c).
 *   7. A reader that joins at any moment, by a ladder and the events after it, has the feed's book.
 *
 * Over two connections one of them may be behind, or may have lost what the other is waited for to bring: there a live
 * book is the venue's of any moment that is not older than that wait. Where the venue begins to count anew, what has
 * the old numbers may be live until the new ones have come for as long as depth may lag. */
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

/* What came at least so long ago and was the newest then. */
static uint64_t
settled(const struct world *w, const struct watch *a)
{
    int64_t wait_ns = w->kraken ? w->cfg.quiet_max_ns + 2 * w->cfg.snapshot_timeout_ns * w->books + 2 * NS_PER_S
                                : w->cfg.gap_wait_ns + w->pace * NS_PER_S;
    uint64_t id = 0;

    for (uint32_t i = 0; i < MIN(a->came_count, (uint32_t)ARRAY_LEN(a->came)); i++)
        if (a->came_ns[i] <= w->now_ns - wait_ns)
            id = MAX(id, a->came[i]);
    return id;
}

static bool
book_is_since(const struct world *w, uint32_t k, uint64_t id)
{
    const struct venue_book *v = &w->book[k];
    const struct book *b = feed_book(w->feed, w->ins[k].id);

    for (uint32_t i = v->past_count; i-- > 0 && v->past[i].id >= id;)
        if (side_is(w, b, &v->past[i], SIDE_BUY) && side_is(w, b, &v->past[i], SIDE_SELL))
            return true;
    return false;
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
    unsigned restarts;
    uint64_t id = venue_id_of(t->venue_seq, &restarts);
    uint64_t newest = w->links > 1 ? settled(w, &w->watch[k]) : MAX(w->watch[k].newest, w->watch[k].live_ticker);
    if (id > b->now.id || !touch_is(t, &b->touch[id]))
        broken(w, "%s: the touch served, %lld x %lld, is not the venue's of update %llu", b->symbol,
               (long long)t->bid_px, (long long)t->ask_px, (unsigned long long)t->venue_seq);
    else if (id < newest)
        broken(w, "%s: the touch served is of update %llu, but %llu came", b->symbol, (unsigned long long)id,
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
    bool subscribed = false;
    int64_t ended_ns = 0;
    for (uint32_t i = 0; i < w->links; i++) {
        subscribed |= w->conn[i].stream[k].subscribed;
        ended_ns = MAX(ended_ns, w->conn[i].stream[k].ended_ns);
    }
    if (w->kraken && !subscribed && w->now_ns - ended_ns > 2 * slack)
        broken(w, "%s: live though the venue has ended its subscription %lld ms ago", w->book[k].symbol,
               (long long)((w->now_ns - ended_ns) / NS_PER_MS));
    int64_t again = 2 * w->cfg.snapshot_timeout_ns * w->books; /* one at a time */
    if (w->kraken && w->now_ns - a->depth_ns > w->cfg.quiet_max_ns + again + slack)
        broken(w, "%s: live without a depth message for %lld ms", w->book[k].symbol,
               (long long)((w->now_ns - a->depth_ns) / NS_PER_MS));
}

/* What is served has numbers from before the restart, or from far ahead: not for long once depth says so. */
static bool
check_old(struct world *w, uint32_t k, uint64_t number)
{
    struct watch *a = &w->watch[k];
    int64_t most_ns = w->cfg.depth_lag_max_ns + (2 + w->pace) * NS_PER_S;
    unsigned restarts;

    (void)venue_id_of(number, &restarts);
    if (w->kraken || restarts == w->book[k].restarts) {
        a->old_ns = 0;
        return false;
    }
    if (a->old_ns == 0)
        a->old_ns = -1;
    else if (a->old_ns > 0 && w->now_ns - a->old_ns > most_ns)
        broken(w, "%s: live with a number that the venue no longer counts by for %lld ms", w->book[k].symbol,
               (long long)((w->now_ns - a->old_ns) / NS_PER_MS));
    return true;
}

static bool
right_book(const struct world *w, uint32_t k)
{
    const struct watch *a = &w->watch[k];

    if (w->links > 1)
        return book_is_since(w, k, settled(w, a));
    return book_is(w, k, a->newest) || (a->snapshot_id >= a->newest && book_is(w, k, a->snapshot_id)) ||
           (a->damaged > a->newest && book_is(w, k, a->damaged));
}

static void
check_live(struct world *w, uint32_t k, const struct md_ref *ref)
{
    const struct watch *a = &w->watch[k];

    w->tally.live++;
    if (memcmp(&ref->tob, &ref->good, sizeof(ref->tob)) != 0)
        broken(w, "%s: live, but the last good values are not today's", w->book[k].symbol);
    check_follower(w, k);
    if (check_old(w, k, ref->tob.venue_seq))
        return;
    if (!right_book(w, k))
        broken(w, "%s: the live book is not the venue's of %llu (snapshot %llu)", w->book[k].symbol,
               (unsigned long long)a->newest, (unsigned long long)a->snapshot_id);
    check_touch(w, k, &ref->tob);
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
            w->watch[k].old_ns = 0;
            if (!w->watch[k].was_live && memcmp(&w->watch[k].good, &ref->good, sizeof(ref->good)) != 0)
                broken(w, "%s: the last good values changed while the book was not live", w->book[k].symbol);
            w->watch[k].good = ref->good;
        }
        w->watch[k].was_live = false;
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
    a->was_live |= ev->state == BOOK_LIVE;
}

void
check_connection(struct world *w)
{
    bool up = net_any_up(w);

    for (uint32_t k = 0; k < w->books; k++) {
        struct watch *a = &w->watch[k];
        if (!up && feed_state(w->feed, w->ins[k].id) != BOOK_DOWN)
            broken(w, "%s: not down though the connections are", w->book[k].symbol);
        if (w->links > 1 && up && a->newest != 0)
            continue; /* the other one goes on */
        a->newest = 0;
        a->came_count = 0;
        a->snapshot_id = 0;
        a->damaged = 0;
        a->ticker = 0;
        a->live_ticker = 0;
        a->ahead_ns = 0;
        a->depth_ns = w->now_ns;
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
    case ITEM_SNAPSHOT:
        if (item->id > a->newest) {
            a->newest = item->id;
            a->came[a->came_count % ARRAY_LEN(a->came)] = item->id;
            a->came_ns[a->came_count++ % ARRAY_LEN(a->came)] = w->now_ns;
        }
        a->depth_ns = w->now_ns;
        if (a->old_ns != 0)
            a->old_ns = item->restarts != w->book[item->book].restarts ? -1 : a->old_ns == -1 ? w->now_ns : a->old_ns;
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

/* ---- a reader that joins ------------------------------------------------------------------------------------------
 */

struct joined {
    uint8_t state;
    uint64_t seq;
    qty_t qty[2][PRICES];
};

static void
joined_level(struct joined *j, unsigned side, px_t px, qty_t qty)
{
    if (px >= LOWEST && px < LOWEST + PRICES)
        j->qty[side][px - LOWEST] = qty;
}

/* The ladder and the events after it. False: there is none, or they were overwritten. */
static bool
join(const struct world *w, uint32_t k, struct joined *j)
{
    static struct level level[2][LADDER];
    struct md_reader r;
    struct ladder_head head;
    struct top_of_book tob;
    struct md_event ev;

    if (!md_reader_init(&r, w->shm, w->shm_bytes) ||
        !md_read_levels(&r, w->ins[k].id, &head, level[0], level[1], LADDER) || !md_read_top(&r, w->ins[k].id, &tob) ||
        !md_seek(&r, head.event_seq + 1))
        return false;
    memset(j, 0, sizeof(*j));
    j->state = tob.state != BOOK_LIVE ? tob.state : head.state;
    for (unsigned s = 0; s < 2; s++)
        for (uint32_t i = 0; i < head.count[s]; i++)
            joined_level(j, s, level[s][i].px, level[s][i].qty);
    for (enum md_read got; (got = md_read(&r, &ev)) != MD_READ_NONE;) {
        if (got == MD_READ_LOST)
            return false;
        if (ev.instrument != w->ins[k].id)
            continue;
        j->state = ev.state;
        if (ev.kind == MD_CLEAR)
            memset(j->qty, 0, sizeof(j->qty));
        else if (ev.kind == MD_LEVEL)
            joined_level(j, ev.side, ev.level.px, ev.level.qty);
    }
    return true;
}

/* 7. */
void
check_reader(struct world *w)
{
    static struct joined j;

    for (uint32_t k = 0; k < w->books && w->failure[0] == '\0'; k++) {
        const struct book *b = feed_book(w->feed, w->ins[k].id);
        bool live = feed_state(w->feed, w->ins[k].id) == BOOK_LIVE;
        if (!join(w, k, &j))
            continue;
        w->tally.readers++;
        if ((j.state == BOOK_LIVE) != live) {
            broken(w, "%s: a reader that joins has a book that is %u, the feed's is %u", w->book[k].symbol, j.state,
                   feed_state(w->feed, w->ins[k].id));
            return;
        }
        for (unsigned s = 0; s < 2 && live; s++) {
            for (const struct level *l = book_touch(b, (enum side)s); l != NULL; l = book_worse(b, (enum side)s, l)) {
                if (l->px < LOWEST || l->px >= LOWEST + PRICES)
                    continue;
                if (j.qty[s][l->px - LOWEST] != l->qty)
                    broken(w, "%s: a reader that joins has %lld at %lld, the book %lld", w->book[k].symbol,
                           (long long)j.qty[s][l->px - LOWEST], (long long)l->px, (long long)l->qty);
                j.qty[s][l->px - LOWEST] = 0;
            }
            for (int32_t i = 0; i < PRICES; i++)
                if (j.qty[s][i] != 0)
                    broken(w, "%s: a reader that joins has a level at %d that the book has not", w->book[k].symbol,
                           LOWEST + i);
        }
    }
}
