/* feed over several connections: books that prove themselves by a checksum. */
#include "tests/feed_links_rig.h"

static struct feed_config
config(uint32_t copies, bool spare)
{
    struct feed_config cfg = feed_config_checked(&feed_kraken, 8, 10);
    cfg.copies = copies;
    cfg.spare = spare;
    return cfg;
}

static const char *const two[] = { "BTC/USD", "ETH/USD" };

static int64_t said_ms = 376; /* of the venue's second */

/* A book message of one level a side: bid 99.0, ask 101.0, the quantities tell them apart. */
static enum feed_result
book(struct links_rig *r, uint32_t link, uint32_t ins, const char *type, unsigned qty, bool right)
{
    char text[512];
    char sum[64];
    int n = snprintf(sum, sizeof(sum), "1010%u990%u", qty, qty);
    (void)snprintf(
        text, sizeof(text),
        "{\"channel\":\"book\",\"type\":\"%s\",\"data\":[{\"symbol\":\"%s\",\"bids\":[{\"price\":99.0,\"qty\":"
        "0.%04u}],\"asks\":[{\"price\":101.0,\"qty\":0.%04u}],\"checksum\":%u,\"timestamp\":"
        "\"2026-08-16T23:37:%02d.%03d419Z\"}]}",
        type, r->ins[ins].symbol, qty, qty, crc32_of(&r->crc, sum, (size_t)n) ^ !right, (int)(5 + said_ms / 1000),
        (int)(said_ms % 1000));
    return rig_say(r, link, text);
}

static unsigned
served(const struct links_rig *r, uint32_t ins)
{
    return (unsigned)(feed_md_ref(r->feed, ins)->tob.bid_qty / 10);
}

/* Both instruments live over the first link; `link` is up beside it, live as well. */
static struct links_rig *
live(uint32_t copies, bool spare, uint32_t link)
{
    struct links_rig *r = rig_open(config(copies, spare), two, 2);

    rig_up(r, 0);
    for (uint32_t i = 0; i < 2; i++)
        (void)book(r, 0, i, "snapshot", 5, true);
    if (link != 0) {
        rig_up(r, link);
        for (uint32_t i = 0; i < 2; i++)
            (void)book(r, link, i, "snapshot", 5, true);
    }
    CHECK_EQ(feed_state(r->feed, 0), BOOK_LIVE);
    CHECK_EQ(feed_state(r->feed, 1), BOOK_LIVE);
    r->invalid = 0;
    r->event_count = 0;
    return r;
}

TEST(one_connections_book_is_served_and_the_others_say_nothing)
{
    struct links_rig *r = live(2, false, 1);
    uint64_t events = feed_counters(r->feed)->events;

    (void)book(r, 1, 0, "update", 6, true);
    CHECK_EQ(served(r, 0), 5);
    CHECK_EQ(r->event_count, 0);
    CHECK_EQ(feed_counters(r->feed)->events, events);
    (void)book(r, 0, 0, "update", 6, true);
    CHECK_EQ(served(r, 0), 6);
    CHECK(r->event_count > 0);
    rig_close(r);
}

TEST(the_other_connections_book_takes_over_when_one_ends)
{
    struct links_rig *r = live(2, false, 1);

    (void)book(r, 1, 0, "update", 7, true);
    feed_link_down(r->feed, 0, r->now, &r->out);
    CHECK_EQ(served(r, 0), 7);
    CHECK_EQ(served(r, 1), 5);
    CHECK_EQ(feed_state(r->feed, 0), BOOK_LIVE);
    CHECK_EQ(r->event[0].kind, MD_CLEAR);
    (void)book(r, 1, 0, "update", 8, true);
    CHECK_EQ(served(r, 0), 8);
    rig_up(r, 0);
    (void)book(r, 0, 0, "snapshot", 9, true);
    CHECK_EQ(served(r, 0), 8); /* no need to move back */
    feed_link_down(r->feed, 1, r->now, &r->out);
    CHECK_EQ(served(r, 0), 9);
    CHECK_EQ(feed_state(r->feed, 1), BOOK_SYNCING); /* its other book had not come yet */
    (void)book(r, 0, 1, "snapshot", 4, true);
    CHECK_EQ(served(r, 1), 4);
    CHECK_EQ(feed_state(r->feed, 1), BOOK_LIVE);
    feed_link_down(r->feed, 0, r->now, &r->out);
    CHECK_EQ(feed_state(r->feed, 0), BOOK_DOWN);
    CHECK_EQ(feed_state(r->feed, 1), BOOK_DOWN);
    CHECK_EQ(feed_counters(r->feed)->moved, 3);
    rig_close(r);
}

TEST(a_wrong_checksum_on_one_connection_leaves_the_book_to_the_other)
{
    struct links_rig *r = live(2, false, 1);

    (void)book(r, 1, 0, "update", 6, true);
    (void)book(r, 0, 0, "update", 6, false);
    CHECK_EQ(feed_counters(r->feed)->checksums, 1);
    CHECK_EQ(feed_state(r->feed, 0), BOOK_LIVE);
    CHECK_EQ(served(r, 0), 6);
    CHECK_EQ(r->invalid, 0);
    CHECK(strstr(rig_request(r, 0), "unsubscribe") != NULL); /* where it was wrong, and nowhere else */
    CHECK_STR(rig_request(r, 1), "");
    (void)book(r, 1, 0, "update", 7, false); /* both wrong */
    CHECK_EQ(feed_state(r->feed, 0), BOOK_CHECKSUM);
    CHECK_EQ(r->invalid, 1);
    rig_pass(r, 5 * NS_PER_S);
    CHECK(strstr(rig_request(r, 0), "\"subscribe\"") != NULL);
    (void)book(r, 0, 0, "snapshot", 8, true); /* the first that is whole again is served */
    CHECK_EQ(feed_state(r->feed, 0), BOOK_LIVE);
    CHECK_EQ(served(r, 0), 8);
    rig_close(r);
}

TEST(a_book_that_fell_silent_leaves_to_the_other_before_it_is_subscribed_again)
{
    struct links_rig *r = live(2, false, 1);

    rig_pass(r, r->cfg.quiet_max_ns - NS_PER_S);
    (void)book(r, 1, 0, "update", 6, true);
    (void)book(r, 1, 1, "update", 6, true);
    (void)book(r, 0, 1, "update", 6, true);
    rig_pass(r, NS_PER_S);
    CHECK(strstr(rig_request(r, 0), "unsubscribe") != NULL);
    CHECK_EQ(feed_state(r->feed, 0), BOOK_LIVE);
    CHECK_EQ(served(r, 0), 6);
    CHECK_EQ(r->invalid, 0);
    rig_close(r);
}

/* An update of the first book, a tenth of a second after the last one. */
static void
update_on(struct links_rig *r, uint32_t link, unsigned qty)
{
    rig_pass(r, 100 * NS_PER_MS);
    said_ms += 100;
    (void)book(r, link, 0, "update", qty, true);
}

static struct links_rig *
live_by_the_clock(void)
{
    struct links_rig *r;

    said_ms = 376;
    r = live(2, false, 1);
    r->now.wall.ns = INT64_C(1786923425) * NS_PER_S; /* 2026-08-16T23:37:05 */
    for (uint32_t link = 0; link < 2; link++)
        for (uint32_t i = 0; i < 2; i++)
            (void)book(r, link, i, "update", 6, true);
    rig_pass(r, 100 * NS_PER_MS);
    return r;
}

TEST(the_book_of_a_connection_that_fell_silent_leaves_to_the_one_that_moves_on)
{
    struct links_rig *r = live_by_the_clock();

    for (unsigned i = 0; i < 9; i++)
        update_on(r, 1, 10 + i);
    CHECK_EQ(served(r, 0), 6); /* the other one's may be on its way */
    update_on(r, 1, 20);
    update_on(r, 1, 21);
    update_on(r, 1, 22);
    CHECK_EQ(served(r, 0), 22);
    CHECK_EQ(r->invalid, 0);
    CHECK_EQ(feed_counters(r->feed)->silent, 1);
    CHECK(strstr(rig_request(r, 0), "unsubscribe") != NULL); /* and is asked again */
    CHECK_EQ(feed_state(r->feed, 1), BOOK_LIVE);             /* the silent market beside it: nobody's fault */
    rig_close(r);
}

TEST(a_book_that_stood_still_while_the_served_one_moved_is_not_served_when_that_ends)
{
    for (unsigned late = 0; late < 2; late++) {
        struct links_rig *r = live_by_the_clock();
        for (unsigned i = 0; i < (late != 0 ? 12u : 5u); i++)
            update_on(r, 0, 10 + i);
        feed_link_down(r->feed, 0, r->now, &r->out);
        CHECK_EQ(feed_state(r->feed, 0) == BOOK_LIVE, late == 0);
        CHECK_EQ(feed_state(r->feed, 1), BOOK_LIVE);
        rig_close(r);
    }
}

TEST(a_new_connection_takes_over_when_all_its_books_are_proven)
{
    struct links_rig *r = live(1, true, 0);

    rig_up(r, 1);
    (void)book(r, 1, 0, "snapshot", 6, true);
    rig_pass(r, 10 * NS_PER_S);
    CHECK(!feed_link_covers(r->feed, 1, r->now));
    (void)book(r, 1, 1, "snapshot", 6, true);
    CHECK(!feed_link_covers(r->feed, 1, r->now)); /* what the old one had on its way may be a trade */
    rig_pass(r, 2 * NS_PER_S);
    CHECK(feed_link_covers(r->feed, 1, r->now));
    feed_link_down(r->feed, 0, r->now, &r->out);
    CHECK_EQ(served(r, 0), 6);
    CHECK_EQ(served(r, 1), 6);
    (void)book(r, 1, 1, "update", 7, true);
    CHECK_EQ(served(r, 1), 7);
    CHECK_EQ(r->invalid, 0);
    CHECK_EQ(feed_counters(r->feed)->gaps, 0);
    rig_close(r);
}

TEST(a_new_version_of_an_instrument_starts_its_book_again_on_every_connection)
{
    struct links_rig *r = live(2, false, 1);
    struct instrument changed = r->ins[0];

    changed.version = 2;
    CHECK(feed_add_instrument(r->feed, &changed, r->now, &r->out));
    CHECK_EQ(feed_state(r->feed, 0), BOOK_SYNCING);
    (void)book(r, 1, 0, "update", 6, true);
    CHECK_EQ(feed_state(r->feed, 0), BOOK_SYNCING);
    CHECK(strstr(rig_request(r, 0), "unsubscribe") != NULL);
    CHECK(strstr(rig_request(r, 1), "unsubscribe") != NULL);
    (void)book(r, 1, 0, "snapshot", 6, true); /* of the subscription that is being ended */
    CHECK_EQ(feed_state(r->feed, 0), BOOK_SYNCING);
    rig_pass(r, 5 * NS_PER_S);
    CHECK(strstr(rig_request(r, 1), "\"subscribe\"") != NULL);
    (void)book(r, 1, 0, "snapshot", 7, true);
    CHECK_EQ(served(r, 0), 7);
    rig_close(r);
}

TEST(a_refused_trade_stream_is_asked_for_again_and_the_book_is_not_blamed)
{
    struct links_rig *r = live(1, false, 0);

    CHECK_EQ(
        rig_say(r, 0,
                "{\"error\":\"Currency pair not supported\",\"method\":\"subscribe\",\"req_id\":2,\"success\":false,"
                "\"symbol\":\"ETH/USD\"}"),
        FEED_REFUSED);
    CHECK_EQ(feed_state(r->feed, 1), BOOK_LIVE);
    CHECK_EQ(feed_counters(r->feed)->refused, 1);
    CHECK_STR(rig_request(r, 0), "");
    rig_pass(r, r->cfg.retry_min_ns);
    CHECK(strstr(rig_request(r, 0), "\"trade\",\"symbol\":[\"ETH/USD\"]") != NULL);
    rig_close(r);
}

TEST(a_new_connection_does_not_take_over_before_its_trades_are_answered)
{
    struct links_rig *r = live(1, true, 0);

    feed_link_up(r->feed, 1, r->now, &r->out);
    CHECK(strstr(rig_request(r, 1), "\"book\"") != NULL);
    rig_answer_each(r, 1);
    CHECK(strstr(rig_request(r, 1), "\"trade\"") != NULL);
    char trades[sizeof(r->sent)];
    memcpy(trades, r->sent, sizeof(trades));
    for (uint32_t i = 0; i < 2; i++)
        (void)book(r, 1, i, "snapshot", 5, true);
    CHECK(!feed_link_covers(r->feed, 1, r->now));
    rig_pass(r, 2 * NS_PER_S);
    CHECK(!feed_link_covers(r->feed, 1, r->now));
    memcpy(r->sent, trades, sizeof(trades));
    rig_answer_each(r, 1);
    CHECK(!feed_link_covers(r->feed, 1, r->now));
    rig_pass(r, 2 * NS_PER_S);
    CHECK(feed_link_covers(r->feed, 1, r->now));
    rig_close(r);
}

TEST(an_instrument_added_later_gets_every_stream)
{
    struct links_rig *r = live(1, false, 0);

    r->ins[2] = r->ins[1];
    r->ins[2].id = 2;
    (void)snprintf(r->ins[2].symbol, sizeof(r->ins[2].symbol), "XRP/USD");
    CHECK(feed_add_instrument(r->feed, &r->ins[2], r->now, &r->out));
    CHECK(strstr(rig_request(r, 0), "\"book\",\"symbol\":[\"XRP/USD\"]") != NULL);
    CHECK(strstr(rig_request(r, 0), "\"trade\",\"symbol\":[\"XRP/USD\"]") != NULL);
    CHECK_STR(rig_request(r, 0), "");
    rig_close(r);
}

TEST_MAIN()
