/* feed from a reader's side: a client that joins at any moment, by the steps that execgw/client.h names, has the
 * gateway's book. Random updates, gaps, ends, versions; snapshots in slices with all of that between them. */
#include "feed/binance_md.h"
#include "feed/feed.h"
#include "tests/test.h"

#define RING     256
#define LEVELS   64 /* of a ladder: more than a book here ever has */
#define PRICES   24 /* a side; a bid's price is 10000 - i, an ask's 10001 + i */
#define FOLLOWED 5  /* instrument */
#define OTHER    2

/* ---- the client: ladder, then the events after it ---- */

struct follower {
    struct md_reader md;
    bool joined;
    uint64_t seq; /* the last event in the book */
    uint8_t state;
    qty_t qty[2][PRICES];
    unsigned joins, compared, overwritten;
};

static unsigned
index_of(unsigned side, px_t px)
{
    return (unsigned)(side == SIDE_BUY ? 10000 - px : px - 10001);
}

/* As execgw_levels has it. */
static bool
levels_read(struct follower *c, struct ladder_head *head, struct level level[2][LEVELS])
{
    struct top_of_book tob;

    if (!md_read_levels(&c->md, FOLLOWED, head, level[0], level[1], LEVELS) || !md_read_top(&c->md, FOLLOWED, &tob))
        return false;
    if (tob.state != BOOK_LIVE || tob.instrument_version != head->instrument_version)
        head->state = tob.state != BOOK_LIVE ? tob.state : BOOK_SYNCING;
    return true;
}

static bool
follower_join(struct follower *c)
{
    struct ladder_head head;
    struct level level[2][LEVELS];

    if (!levels_read(c, &head, level))
        return false;
    if (!md_seek(&c->md, head.event_seq + 1)) {
        c->overwritten++;
        return false;
    }
    memset(c->qty, 0, sizeof(c->qty));
    for (unsigned s = 0; s < 2; s++)
        for (uint32_t i = 0; i < head.count[s]; i++)
            c->qty[s][index_of(s, level[s][i].px)] = level[s][i].qty;
    c->seq = head.event_seq;
    c->state = head.state;
    c->joined = true;
    c->joins++;
    return true;
}

static void
follower_event(struct follower *c, const struct md_event *ev)
{
    uint64_t seq = c->md.next - 1;

    if (seq <= c->seq || ev->instrument != FOLLOWED)
        return;
    c->seq = seq;
    c->state = ev->state;
    if (ev->kind == MD_CLEAR)
        memset(c->qty, 0, sizeof(c->qty));
    else if (ev->kind == MD_LEVEL)
        c->qty[ev->side][index_of(ev->side, ev->level.px)] = ev->level.qty;
}

/* All that is new; after a loss from a ladder again. True: the book is as of the newest event. */
static bool
follower_read(struct follower *c)
{
    struct md_event ev;

    if (!c->joined && !follower_join(c))
        return false;
    for (enum md_read got; (got = md_read(&c->md, &ev)) != MD_READ_NONE;) {
        if (got == MD_READ_LOST) {
            c->joined = false;
            if (!follower_join(c))
                return false;
            continue;
        }
        follower_event(c, &ev);
    }
    return true;
}

/* ---- the venue and the gateway's feed ---- */

struct world {
    struct feed *feed;
    void *memory;
    void *shm;
    size_t shm_bytes;
    struct md_writer writer;
    struct md_out out;
    struct instrument ins[2];
    struct now now;
    uint64_t rng;
    unsigned id; /* the venue's last update of the followed instrument */
    qty_t truth[2][PRICES];
    bool up;
    bool fetching; /* a snapshot is on its way: its levels, and how many have been handed over */
    uint64_t snap_id;
    struct level snap[2 * PRICES];
    uint32_t snap_bids, snap_count, snap_at;
    unsigned other_id;
};

static unsigned
draw(struct world *w, unsigned n)
{
    w->rng ^= w->rng << 13;
    w->rng ^= w->rng >> 7;
    w->rng ^= w->rng << 17;
    return (unsigned)((w->rng >> 33) % n);
}

static struct world *
world_open(uint64_t seed)
{
    struct world *w = calloc(1, sizeof(*w));
    struct feed_config cfg = feed_config_default(2);
    struct fault fault;

    cfg.snapshot_limit = 8;
    cfg.levels_max = 16;
    cfg.message_levels_max = 100;
    cfg.pending_levels_max = 400;
    cfg.pending_events_max = 64;
    cfg.retry_min_ns = NS_PER_MS;
    cfg.retry_max_ns = 20 * NS_PER_MS;
    size_t bytes = feed_footprint(&cfg);
    w->memory = aligned_alloc(64, bytes);
    struct arena arena = { .base = w->memory, .size = bytes };
    w->feed = feed_init(&cfg, &arena, &fault);
    CHECK(w->feed != NULL);
    w->shm_bytes = md_shm_footprint_deep(RING, 8, LEVELS);
    w->shm = aligned_alloc(64, (w->shm_bytes + 63) & ~(size_t)63);
    memset(w->shm, 0, w->shm_bytes);
    md_writer_init_deep(&w->writer, w->shm, RING, 8, LEVELS);
    w->out = (struct md_out){ .writer = &w->writer };
    w->now = (struct now){ { NS_PER_S }, { NS_PER_S } };
    w->rng = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    w->id = w->other_id = 100;
    static const char *const symbol[2] = { "BTCUSDT", "ETHUSDT" };
    static const uint32_t id[2] = { FOLLOWED, OTHER };
    for (unsigned i = 0; i < 2; i++) {
        w->ins[i] =
            (struct instrument){ .id = id[i], .version = 1, .px_decimals = 2, .qty_decimals = 5, .tick = 1, .step = 1 };
        (void)snprintf(w->ins[i].symbol, sizeof(w->ins[i].symbol), "%s", symbol[i]);
        CHECK(feed_add_instrument(w->feed, &w->ins[i], w->now, &w->out));
    }
    for (unsigned s = 0; s < 2; s++)
        for (unsigned i = 0; i < PRICES; i++)
            w->truth[s][i] = draw(w, 3) == 0 ? 0 : 1 + draw(w, 9);
    feed_on_up(w->feed, w->now, &w->out);
    w->up = true;
    return w;
}

static void
world_close(struct world *w)
{
    free(w->memory);
    free(w->shm);
    free(w);
}

static struct follower
follower_open(const struct world *w)
{
    struct follower c = { 0 };
    CHECK(md_reader_init(&c.md, w->shm, w->shm_bytes));
    return c;
}

static void
say(struct world *w, const char *text)
{
    (void)feed_on_message(w->feed, (const uint8_t *)text, strlen(text), w->now, &w->out);
}

/* The venue's book moves in up to three levels; lost: the gateway is not told. */
static void
update(struct world *w, bool lost)
{
    char side[2][256] = { "", "" };
    char text[1024];

    for (unsigned n = 1 + draw(w, 3); n > 0; n--) {
        unsigned s = draw(w, 2);
        unsigned i = draw(w, 3) != 0 ? draw(w, 6) : draw(w, PRICES);
        w->truth[s][i] = draw(w, 2) == 0 ? 0 : 1 + draw(w, 9);
        unsigned px = s == SIDE_BUY ? 10000 - i : 10001 + i;
        size_t at = strlen(side[s]);
        (void)snprintf(side[s] + at, sizeof(side[s]) - at, "%s[\"%u.%02u\",\"0.0000%u\"]", at > 0 ? "," : "", px / 100,
                       px % 100, (unsigned)w->truth[s][i]);
    }
    w->id++;
    if (lost || !w->up)
        return;
    (void)snprintf(text, sizeof(text),
                   "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"BTCUSDT\",\"U\":%u,\"u\":%u,\"b\":[%s],\"a\":[%s]}", w->id,
                   w->id, side[0], side[1]);
    say(w, text);
}

/* The other instrument's trades fill the ring. */
static void
trade(struct world *w)
{
    char text[256];

    if (!w->up)
        return;
    (void)snprintf(
        text, sizeof(text),
        "{\"e\":\"trade\",\"E\":1,\"s\":\"ETHUSDT\",\"t\":%u,\"p\":\"1.00\",\"q\":\"1.0\",\"T\":1,\"m\":true}",
        ++w->other_id);
    say(w, text);
}

static void
snapshot_take(struct world *w)
{
    w->fetching = true;
    w->snap_id = w->id;
    w->snap_count = w->snap_at = 0;
    for (unsigned s = 0; s < 2; s++) {
        uint32_t n = 0;
        for (unsigned i = 0; i < PRICES && n < 8; i++)
            if (w->truth[s][i] != 0) {
                px_t px = s == SIDE_BUY ? 10000 - (px_t)i : 10001 + (px_t)i;
                w->snap[w->snap_count++] = (struct level){ px, w->truth[s][i] };
                n++;
            }
        if (s == SIDE_BUY)
            w->snap_bids = w->snap_count;
    }
}

/* The next one to three levels of the snapshot; now and then it fails. */
static void
slice(struct world *w)
{
    struct snapshot_slice s = { .instrument = FOLLOWED, .last_update_id = w->snap_id, .is_first = w->snap_at == 0 };
    uint32_t most = 1 + draw(w, 3);

    s.failed = draw(w, 40) == 0;
    s.side = w->snap_at < w->snap_bids ? SIDE_BUY : SIDE_SELL;
    uint32_t end = s.side == SIDE_BUY ? w->snap_bids : w->snap_count;
    while (!s.failed && w->snap_at < end && s.count < most)
        s.level[s.count++] = w->snap[w->snap_at++];
    s.is_last = w->snap_at == w->snap_count;
    w->fetching = !s.failed && !s.is_last;
    feed_on_snapshot_slice(w->feed, &s, w->now, &w->out);
}

static void
fetch(struct world *w)
{
    uint32_t instrument;

    if (w->fetching)
        slice(w);
    else if (feed_snapshot_wanted(w->feed, w->now, &instrument)) {
        if (instrument == FOLLOWED) {
            snapshot_take(w);
            return;
        }
        struct snapshot_slice none = { .instrument = instrument, .failed = true };
        feed_on_snapshot_slice(w->feed, &none, w->now, &w->out);
    }
}

static void
step(struct world *w)
{
    w->now.mono.ns += (int64_t)draw(w, 4) * NS_PER_MS;
    unsigned what = draw(w, 100);
    if (what < 35)
        update(w, draw(w, 60) == 0);
    else if (what < 60)
        fetch(w);
    else if (what < 75)
        trade(w);
    else if (what < 97)
        (void)feed_on_timer(w->feed, w->now, &w->out);
    else if (draw(w, 8) != 0)
        (void)feed_work(w->feed, w->now, &w->out);
    else if (draw(w, 2) == 0) {
        w->fetching = false;
        w->up = !w->up;
        if (w->up)
            feed_on_up(w->feed, w->now, &w->out);
        else
            feed_on_down(w->feed, w->now, &w->out);
    } else {
        w->ins[0].version++;
        CHECK(feed_add_instrument(w->feed, &w->ins[0], w->now, &w->out));
    }
}

/* ---- what must hold ---- */

static bool
same_book(const struct world *w, const struct follower *c)
{
    const struct book *b = feed_book(w->feed, FOLLOWED);

    for (unsigned s = 0; s < 2; s++) {
        qty_t want[PRICES] = { 0 };
        for (const struct level *l = book_touch(b, (enum side)s); l != NULL; l = book_worse(b, (enum side)s, l))
            want[index_of(s, l->px)] = l->qty;
        if (memcmp(want, c->qty[s], sizeof(want)) != 0)
            return false;
    }
    return true;
}

static bool
agrees(const struct world *w, struct follower *c)
{
    bool live = feed_state(w->feed, FOLLOWED) == BOOK_LIVE;

    if (!follower_read(c))
        return true; /* it has no book yet, and knows */
    c->compared += live;
    return (c->state == BOOK_LIVE) == live && (!live || same_book(w, c));
}

TEST(a_client_that_joins_at_any_moment_has_the_gateways_book)
{
    unsigned joins = 0;
    unsigned compared = 0;

    for (uint64_t seed = 1; seed <= 3000; seed++) {
        struct world *w = world_open(seed);
        struct follower early = follower_open(w); /* reads at every step */
        struct follower slow = follower_open(w);  /* seldom: it is overtaken */
        bool good = true;
        for (unsigned n = 0; n < 300 && good; n++) {
            step(w);
            good = agrees(w, &early);
            if (n % 97 == 96)
                good &= agrees(w, &slow);
            struct follower late = follower_open(w); /* after whatever was published */
            if (n % 3 == 0)
                good &= agrees(w, &late);
            joins += late.joins;
            if (!good)
                print_error("seed %llu, step %u\n", (unsigned long long)seed, n);
        }
        compared += early.compared + slow.compared;
        CHECK(good);
        world_close(w);
    }
    CHECK(joins > 100000);
    CHECK(compared > 100000);
}

/* A live book, at least one timer after it. */
static struct world *
world_live(void)
{
    struct world *w = world_open(7);

    for (unsigned n = 0; n < 1000 && feed_state(w->feed, FOLLOWED) != BOOK_LIVE; n++) {
        if (n % 40 == 0)
            update(w, false);
        fetch(w);
        w->now.mono.ns += NS_PER_MS;
    }
    CHECK_EQ(feed_state(w->feed, FOLLOWED), BOOK_LIVE);
    (void)feed_on_timer(w->feed, w->now, &w->out);
    return w;
}

TEST(events_between_the_ladder_and_a_late_reader_are_read_by_going_back)
{
    struct world *w = world_live();
    for (unsigned n = 0; n < 5; n++)
        update(w, false);
    struct follower c = follower_open(w);
    CHECK(follower_read(&c));
    CHECK_EQ(c.joins, 1);
    CHECK_EQ(c.state, BOOK_LIVE);
    CHECK(same_book(w, &c));
    world_close(w);
}

TEST(the_ladder_of_a_quiet_book_is_written_again_before_the_events_after_it_are_overwritten)
{
    struct world *w = world_live();
    for (unsigned n = 0; n < 5 * RING; n++) {
        trade(w);
        if (n % (RING / 4) == 0)
            (void)feed_on_timer(w->feed, w->now, &w->out);
        struct follower c = follower_open(w);
        CHECK(follower_read(&c));
        CHECK_EQ(c.overwritten, 0);
        CHECK(same_book(w, &c));
    }
    world_close(w);
}

TEST(between_two_slices_of_a_snapshot_no_ladder_tells_the_old_book)
{
    struct world *w = world_live();
    update(w, true);
    while (feed_state(w->feed, FOLLOWED) == BOOK_LIVE)
        update(w, false); /* the gap is seen */
    while (!w->fetching) {
        w->now.mono.ns += NS_PER_MS;
        fetch(w);
    }
    for (unsigned n = 0; n < 3; n++)
        fetch(w);
    CHECK(w->fetching);
    update(w, false);
    (void)feed_on_timer(w->feed, w->now, &w->out);
    struct follower c = follower_open(w);
    CHECK(follower_read(&c));
    CHECK(c.state != BOOK_LIVE);
    for (unsigned n = 0; n < 1000 && feed_state(w->feed, FOLLOWED) != BOOK_LIVE; n++) {
        fetch(w);
        w->now.mono.ns += NS_PER_MS;
    }
    CHECK_EQ(feed_state(w->feed, FOLLOWED), BOOK_LIVE);
    CHECK(follower_read(&c));
    CHECK_EQ(c.joins, 1);
    CHECK_EQ(c.state, BOOK_LIVE);
    CHECK(same_book(w, &c));
    world_close(w);
}

TEST_MAIN()
