/* feed: a random venue over a bad network; the live book is the venue's. */
#include "tests/feed_fixture.h"

/* A venue whose book wanders, and a network that drops, repeats, swaps and delays. */
#define STEPS  300
#define PRICES 120

struct venue {
    uint64_t seed;
    int64_t mid; /* bids at or below, asks above */
    qty_t qty[PRICES];
    uint64_t id;
    /* By step: the whole book and the update that led to it. */
    qty_t book[STEPS][PRICES];
    int64_t book_mid[STEPS];
    uint64_t first[STEPS];
    uint64_t last[STEPS];
    char text[STEPS][2048];
};

static uint64_t
draw(struct venue *v, uint64_t below)
{
    v->seed ^= v->seed << 13;
    v->seed ^= v->seed >> 7;
    v->seed ^= v->seed << 17;
    return v->seed % below;
}

static void
venue_put(struct venue *v, char sides[2][900], int64_t px, qty_t qty)
{
    char *to = sides[px > v->mid];
    v->qty[px] = qty;
    (void)snprintf(to + strlen(to), 900 - strlen(to), "%s[\"%d.%02d\",\"%d.00000000\"]", *to != '\0' ? "," : "",
                   (int)(px / 100), (int)(px % 100), (int)qty);
}

static void
venue_step(struct venue *v, unsigned step)
{
    char sides[2][900] = { "", "" };
    int64_t move = (int64_t)draw(v, 5) - 2;
    int64_t to = v->mid + move;

    if (to < 10 || to > PRICES - 10)
        to = v->mid;
    while (v->mid != to) { /* what would cross is traded away */
        int64_t px = to > v->mid ? v->mid + 1 : v->mid;
        if (v->qty[px] != 0)
            venue_put(v, sides, px, 0);
        v->mid += to > v->mid ? 1 : -1;
    }
    for (uint64_t n = draw(v, 12); n > 0; n--) {
        int64_t px = v->mid - 9 + (int64_t)draw(v, 20);
        venue_put(v, sides, px < 1 ? 1 : px >= PRICES ? PRICES - 1 : px, (qty_t)draw(v, 3));
    }
    v->first[step] = v->id + 1;
    v->id += 1 + draw(v, 5);
    v->last[step] = v->id;
    memcpy(v->book[step], v->qty, sizeof(v->qty));
    v->book_mid[step] = v->mid;
    (void)snprintf(
        v->text[step], sizeof(v->text[step]),
        "{\"e\":\"depthUpdate\",\"E\":1723161255208,\"s\":\"BTCUSDT\",\"U\":%lu,\"u\":%lu,\"b\":[%s],\"a\":[%s]}",
        (unsigned long)v->first[step], (unsigned long)v->last[step], sides[0], sides[1]);
}

/* A snapshot as of a step, in slices; now and then one fails half way. */
static void
venue_snapshot(struct venue *v, unsigned step, struct fixture *f)
{
    static struct level level[2][PRICES];
    const struct level *side[2] = { level[0], level[1] };
    uint32_t count[2] = { 0, 0 };
    struct snapshot_slice failed = { .instrument = 5, .failed = true };

    for (int64_t px = v->book_mid[step]; px >= 1 && count[0] < f->cfg.snapshot_limit; px--) {
        if (v->book[step][px] != 0)
            level[0][count[0]++] = (struct level){ px, v->book[step][px] * 100000 };
    }
    for (int64_t px = v->book_mid[step] + 1; px < PRICES && count[1] < f->cfg.snapshot_limit; px++) {
        if (v->book[step][px] != 0)
            level[1][count[1]++] = (struct level){ px, v->book[step][px] * 100000 };
    }
    if (count[0] == 0 || count[1] == 0 || draw(v, 8) == 0)
        feed_on_snapshot_slice(f->feed, &failed, f->now, &f->out);
    else
        slices(f, 5, v->last[step], side, count);
}

/* A live book is the venue's as of its id, level by level within its edges, and the touch served is that book's. */
static void
check_live(const struct venue *v, const struct fixture *f, unsigned step)
{
    const struct book *b = feed_book(f->feed, 5);
    const struct top_of_book *tob = &feed_md_ref(f->feed, 5)->tob;
    unsigned at = step;

    while (at > 0 && v->last[at] != tob->venue_seq)
        at--;
    CHECK_EQ(v->last[at], tob->venue_seq);
    for (unsigned s = 0; s < 2; s++) {
        const struct book_side *side = &b->side[s];
        uint32_t n = 0;
        for (int64_t k = 0; k < PRICES; k++) {
            int64_t px = s == SIDE_BUY ? v->book_mid[at] - k : v->book_mid[at] + 1 + k;
            if (px < 1 || px >= PRICES || v->book[at][px] == 0)
                continue;
            if (side->edged && (s == SIDE_BUY ? px < side->edge : px > side->edge))
                break;
            const struct level *l = book_at(b, (enum side)s, n++);
            CHECK(l != NULL && l->px == px && l->qty == v->book[at][px] * 100000);
        }
        CHECK_EQ(side->count, n);
        const struct level *touch = book_at(b, (enum side)s, 0);
        CHECK_EQ(s == SIDE_BUY ? tob->bid_px : tob->ask_px, touch != NULL ? touch->px : 0);
    }
}

TEST(book_over_a_bad_network_is_the_venues_or_is_flagged)
{
    static struct venue v;
    unsigned live = 0;
    unsigned snapshots = 0;
    unsigned gaps = 0;

    for (unsigned round = 1; round <= 150; round++) {
        struct fixture *f = fixture_open();
        memset(&v, 0, sizeof(v));
        v.seed = round * UINT64_C(0x9E3779B97F4A7C15);
        v.mid = PRICES / 2;
        for (int64_t px = 1; px < PRICES; px++)
            v.qty[px] = (qty_t)draw(&v, 3);
        unsigned asked_at = 0; /* 0 = no snapshot under way */
        unsigned answer_at = 0;
        uint64_t trouble = draw(&v, 3) * 4; /* percent of each kind */
        for (unsigned step = 0; step < STEPS; step++) {
            uint32_t id;
            venue_step(&v, step);
            f->now.mono.ns += 300 * NS_PER_MS;
            uint64_t luck = draw(&v, 100);
            bool swap = luck < trouble && step > 0;
            if (luck >= 2 * trouble || swap) /* else dropped */
                (void)say(f, v.text[swap ? step - 1 : step]);
            if (swap || luck >= 100 - trouble)
                (void)say(f, v.text[step]);
            (void)feed_on_timer(f->feed, f->now, &f->out);
            if (asked_at != 0 && step >= answer_at) {
                /* As of some moment since it was asked, or a little before. */
                unsigned as_of = asked_at - 1 + (unsigned)draw(&v, step - asked_at + 2);
                asked_at = 0;
                venue_snapshot(&v, as_of, f);
            }
            if (asked_at == 0 && feed_snapshot_wanted(f->feed, f->now, &id)) {
                asked_at = step > 0 ? step : 1;
                answer_at = step + (unsigned)draw(&v, 6);
                snapshots++;
            }
            if (feed_state(f->feed, 5) == BOOK_LIVE) {
                check_live(&v, f, step);
                live++;
            } else {
                CHECK(feed_md_ref(f->feed, 5)->tob.state != BOOK_LIVE);
            }
        }
        gaps += (unsigned)feed_counters(f->feed)->gaps;
        CHECK_EQ(feed_counters(f->feed)->crossed, 0);
        fixture_close(f);
    }
    CHECK(live > 150 * STEPS / 3); /* and it comes back */
    CHECK(gaps > 100 && snapshots > 500);
}

/* Any bytes in any order: nothing but counters and states may come of it. */
TEST(damaged_messages_never_make_a_wrong_book_live)
{
    static struct venue v;
    char text[2048];

    for (unsigned round = 1; round <= 60; round++) {
        struct fixture *f = fixture_open();
        memset(&v, 0, sizeof(v));
        v.seed = round * UINT64_C(0xD6E8FEB86659FD93);
        v.mid = PRICES / 2;
        for (int64_t px = 1; px < PRICES; px++)
            v.qty[px] = (qty_t)draw(&v, 3);
        for (unsigned step = 0; step < STEPS; step++) {
            uint32_t id;
            venue_step(&v, step);
            f->now.mono.ns += 300 * NS_PER_MS;
            size_t n = (size_t)snprintf(text, sizeof(text), "%s", v.text[step]);
            if (draw(&v, 10) == 0)
                n = draw(&v, n); /* cut off: never valid */
            (void)feed_on_message(f->feed, (const uint8_t *)text, n, f->now, &f->out);
            if (feed_snapshot_wanted(f->feed, f->now, &id))
                venue_snapshot(&v, step, f);
            if (feed_state(f->feed, 5) == BOOK_LIVE)
                check_live(&v, f, step);
        }
        CHECK(feed_counters(f->feed)->decode[DECODE_MALFORMED] > 0);
        fixture_close(f);
    }
}

TEST_MAIN()
