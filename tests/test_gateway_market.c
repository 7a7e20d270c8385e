/* What becomes of a book in the whole core: each way in which it stops being worth anything has a state and a count of
 * its own, is in the shared table, and denies orders; on the rig of test_gateway. */
#include "tests/gateway_rig.h"

static struct rig rig;

/* Numbered updates of the rig's book, whose last one is 102; levels as the venue writes them. */
static void
update(unsigned first, unsigned last, const char *bids, const char *asks)
{
    static char text[4096];
    int n = snprintf(text, sizeof(text),
                     "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"BTCUSDT\",\"U\":%u,\"u\":%u,\"b\":[%s],\"a\":[%s]}", first,
                     last, bids, asks);

    ASSERT(n > 0 && (size_t)n < sizeof(text));
    rig_bytes(&rig, GATEWAY_CONN(0, CONN_ROLE_MARKET), text, (size_t)n, WS_OP_TEXT);
}

static void
crossed(void)
{
    update(103, 103, "[\"1000.01\",\"1\"]", "");
}

static void
locked(void)
{
    update(103, 103, "[\"1000.00\",\"1\"]", "");
}

static void
gap(void)
{
    update(104, 104, "", "");
}

/* Its other channel goes on, this one does not. */
static void
silent(void)
{
    static const char ticker[] =
        "{\"u\":200,\"s\":\"BTCUSDT\",\"b\":\"999.00\",\"B\":\"4\",\"a\":\"1000.00\",\"A\":\"5\"}";

    rig_bytes(&rig, GATEWAY_CONN(0, CONN_ROLE_MARKET), ticker, sizeof(ticker) - 1, WS_OP_TEXT);
    CHECK_EQ(feed_state(rig.feed, 0), BOOK_LIVE);
    rig_pass(&rig, 6 * NS_PER_S);
}

static void
side_of_snapshot(enum side side, uint64_t id)
{
    struct snapshot_slice s = { .instrument = 0, .side = (uint8_t)side, .last_update_id = id };

    for (uint32_t at = 0; at < 1000; at += s.count) {
        s.is_first = side == SIDE_BUY && at == 0;
        s.count = MIN(1000 - at, (uint32_t)SNAPSHOT_SLICE_LEVELS);
        s.is_last = side == SIDE_SELL && at + s.count == 1000;
        for (uint32_t i = 0; i < s.count; i++)
            s.level[i] = (struct level){ side == SIDE_BUY ? 99900 - at - i : 100000 + at + i, 100000 };
        gateway_on_snapshot(rig.g, 0, &s, rig.now);
    }
    rig_work(&rig);
}

/* A snapshot that hit its limit, and every bid of it goes. */
static void
shallow(void)
{
    static char bids[4000];
    unsigned id = 105;

    gap();
    rig_pass(&rig, 2 * NS_PER_S);
    side_of_snapshot(SIDE_BUY, 104);
    side_of_snapshot(SIDE_SELL, 104);
    CHECK_EQ(feed_state(rig.feed, 0), BOOK_LIVE);
    CHECK_EQ(feed_book(rig.feed, 0)->side[SIDE_BUY].count, 1000);
    for (unsigned at = 0; at < 1000; at += 100, id++) {
        int n = 0;
        CHECK_EQ(feed_state(rig.feed, 0), BOOK_LIVE);
        for (unsigned i = 0; i < 100; i++) {
            unsigned px = 99900 - at - i;
            n += snprintf(bids + n, sizeof(bids) - (size_t)n, "%s[\"%u.%02u\",\"0\"]", i == 0 ? "" : ",", px / 100,
                          px % 100);
        }
        update(id, id, bids, "");
    }
}

TEST(each_way_a_book_becomes_worthless_is_a_state_and_a_count_and_denies_orders)
{
    static const struct {
        void (*make)(void);
        enum book_state state;
        enum metric count;
    } at[] = {
        { gap, BOOK_GAP, METRIC_FEED_GAPS },
        { crossed, BOOK_CROSSED, METRIC_BOOK_CROSSED },
        { locked, BOOK_LOCKED, METRIC_BOOK_LOCKED },
        { silent, BOOK_SILENT, METRIC_BOOK_SILENT },
        { shallow, BOOK_SHALLOW, METRIC_BOOK_SHALLOW },
    };

    for (unsigned i = 0; i < ARRAY_LEN(at); i++) {
        struct md_reader reader;
        struct top_of_book top;
        rig_ready(&rig);
        CHECK(md_reader_init(&reader, rig.market, md_shm_footprint(1024, 8)));
        int64_t before = metric_get(rig.metrics, at[i].count, 0);
        at[i].make();
        CHECK_EQ(feed_state(rig.feed, 0), at[i].state);
        CHECK_EQ(metric_get(rig.metrics, METRIC_BOOK_STATE, 0), at[i].state);
        CHECK_EQ(metric_get(rig.metrics, at[i].count, 0) - before, 1);
        CHECK(md_read_top(&reader, 0, &top));
        CHECK_EQ(top.state, at[i].state);
        (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
        CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_BOOK_INVALID);
        CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 0);
        rig_end(&rig);
    }
}

/* The connection answers pings and speaks of other things; nobody's order entry is touched. */
TEST(a_channel_that_stays_silent_costs_its_connection_and_nothing_else)
{
    uint32_t conn = GATEWAY_CONN(0, CONN_ROLE_MARKET);
    rig_ready(&rig);
    uint32_t opened = rig.opened[conn];
    uint32_t orders = rig.opened[GATEWAY_CONN(0, CONN_ROLE_ORDER)];

    silent();
    CHECK_EQ(feed_state(rig.feed, 0), BOOK_SILENT);
    CHECK(rig.wanted[conn]);
    for (unsigned s = 0; s < 30 && rig.wanted[conn]; s++) {
        rig_bytes(&rig, conn, "", 0, WS_OP_PING);
        rig_pass(&rig, NS_PER_S);
    }
    CHECK(!rig.wanted[conn]);
    CHECK_EQ(rig.opened[conn], opened);
    rig_disconnect(&rig, conn);
    CHECK_EQ(feed_state(rig.feed, 0), BOOK_DOWN);
    rig_pass(&rig, 2 * NS_PER_S);
    CHECK_EQ(rig.opened[conn], opened + 1);
    rig_connect(&rig, conn);
    rig_book(&rig);
    CHECK_EQ(feed_state(rig.feed, 0), BOOK_LIVE);
    CHECK_EQ(rig.opened[GATEWAY_CONN(0, CONN_ROLE_ORDER)], orders);
    rig_end(&rig);
}

TEST_MAIN()
