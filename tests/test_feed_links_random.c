/* feed over several connections: random loss, delay, ends and moves on each, against the obvious book. */
#include "tests/feed_links_rig.h"

#define LINKS   4 /* two copies, each with a spare */
#define UPDATES 400

/* One connection of the venue: what it has on its way, in order. */
struct pipe {
    bool up;
    unsigned from; /* first update it sends */
    unsigned next; /* the next it delivers */
    int request;   /* waits for its answer; 0 none */
};

struct world {
    struct links_rig *r;
    uint64_t rng;
    unsigned made; /* the venue's last update */
    struct pipe pipe[LINKS];
    unsigned lossy; /* one update in so many is lost on a pipe; 0 none */
    unsigned lives; /* times that the book was live when it was looked at */
    unsigned last_live;
};

static unsigned
draw(struct world *w, unsigned n)
{
    w->rng ^= w->rng << 13;
    w->rng ^= w->rng >> 7;
    w->rng ^= w->rng << 17;
    return (unsigned)(w->rng % n);
}

static const char *const one[] = { "BTCUSDT" };

static void
answer_requests(struct world *w, uint32_t link)
{
    struct pipe *p = &w->pipe[link];

    if (p->request == 0 && rig_request(w->r, link)[0] != '\0')
        p->request = rig_id(w->r->sent);
    if (p->request == 0 || draw(w, 2) == 0)
        return;
    bool ok = draw(w, 8) != 0;
    rig_answer(w->r, link, p->request, ok);
    p->request = 0;
    if (ok)
        p->from = p->next = w->made + 1; /* streams from here on */
}

static void
deliver(struct world *w, uint32_t link)
{
    struct pipe *p = &w->pipe[link];

    if (p->from == 0 || p->next > w->made)
        return;
    unsigned count = 1 + draw(w, 3); /* what one message covers differs from link to link */
    unsigned last = MIN(w->made, p->next + count - 1);
    if (w->lossy == 0 || draw(w, w->lossy) != 0)
        (void)rig_depth(w->r, link, 0, p->next, last);
    p->next = last + 1;
}

static void
snapshot(struct world *w)
{
    uint32_t ins = 0;
    unsigned id = w->made;

    if (!feed_snapshot_wanted(w->r->feed, w->r->now, &ins))
        return;
    struct snapshot_slice s = { .last_update_id = id, .is_first = true };
    s.level[s.count++] = (struct level){ 10000, 100000 };
    for (unsigned cents = 8; cents-- > 0;) /* best first */
        for (unsigned back = 0; back < 8 && back < id; back++)
            if ((id - back) % 8 == cents)
                s.level[s.count++] = (struct level){ 9000 + (px_t)cents, (qty_t)(id - back) * 100000 };
    feed_on_snapshot_slice(w->r->feed, &s, w->r->now, &w->r->out);
    struct snapshot_slice asks = { .side = SIDE_SELL, .last_update_id = id, .is_last = true, .count = 1 };
    asks.level[0] = (struct level){ 10001, 100000 };
    feed_on_snapshot_slice(w->r->feed, &asks, w->r->now, &w->r->out);
    while (feed_work(w->r->feed, w->r->now, &w->r->out)) {
    }
}

/* A live book is the venue's as of its last update, and never goes back. */
static void
look(struct world *w)
{
    const struct md_ref *ref = feed_md_ref(w->r->feed, 0);

    if (feed_state(w->r->feed, 0) != BOOK_LIVE) {
        w->last_live = 0;
        return;
    }
    unsigned id = (unsigned)ref->tob.venue_seq;
    CHECK(id <= w->made && id >= w->last_live);
    w->last_live = id;
    w->lives++;
    for (unsigned back = 0; back < 8 && back < id; back++)
        CHECK_EQ(rig_level(w->r, 0, id - back), id - back);
}

static void
move(struct world *w, uint32_t leg)
{
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t link = 2 * leg + i;
        if (w->pipe[link].up && w->pipe[link ^ 1u].up && feed_link_covers(w->r->feed, link, w->r->now)) {
            bool live = feed_state(w->r->feed, 0) == BOOK_LIVE;
            feed_link_down(w->r->feed, link ^ 1u, w->r->now, &w->r->out);
            CHECK_EQ(live, feed_state(w->r->feed, 0) == BOOK_LIVE); /* never invalid for a move */
            w->pipe[link ^ 1u] = (struct pipe){ .up = false };
        }
    }
}

static unsigned
run(uint64_t seed, unsigned lossy)
{
    struct feed_config cfg = feed_config_default(1);
    cfg.snapshot_limit = 32;
    cfg.levels_max = 64;
    cfg.message_levels_max = 100;
    cfg.pending_levels_max = 400;
    cfg.pending_events_max = 64;
    cfg.copies = 2;
    cfg.spare = true;
    struct world w = { .r = rig_open(cfg, one, 1), .rng = seed * UINT64_C(0x9E3779B97F4A7C15) + 1, .lossy = lossy };

    for (unsigned step = 0; w.made < UPDATES; step++) {
        uint32_t link = draw(&w, LINKS);
        struct pipe *p = &w.pipe[link];
        w.made += draw(&w, 3) == 0;
        rig_pass(w.r, (int64_t)draw(&w, 60) * NS_PER_MS);
        if (!p->up && draw(&w, 4) == 0) {
            *p = (struct pipe){ .up = true };
            feed_link_up(w.r->feed, link, w.r->now, &w.r->out);
        } else if (p->up && draw(&w, 150) == 0) {
            *p = (struct pipe){ .up = false };
            feed_link_down(w.r->feed, link, w.r->now, &w.r->out);
        } else if (p->up) {
            answer_requests(&w, link);
            deliver(&w, link);
        }
        if (draw(&w, 3) == 0)
            snapshot(&w);
        move(&w, draw(&w, 2));
        look(&w);
    }
    CHECK_EQ(w.r->event_count <= RIG_EVENTS, true);
    unsigned lives = w.lives;
    rig_close(w.r);
    return lives;
}

TEST(a_live_book_is_the_venues_whatever_its_connections_do)
{
    const char *more = getenv("EXECGW_SEEDS");
    uint64_t seeds = more != NULL ? strtoull(more, NULL, 10) : 300;
    unsigned lives = 0;

    for (uint64_t seed = 1; seed <= seeds; seed++)
        lives += run(seed, seed % 3 == 0 ? 0 : seed % 3 == 1 ? 30 : 6);
    CHECK(lives > seeds * 100); /* and it is live most of the time */
}

TEST_MAIN()
