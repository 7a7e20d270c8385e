/* feed over a checked dialect: subscriptions, checksums, starting again, silence. */
#include "tests/kraken_feed_fixture.h"

/* ---- the machine ---- */

TEST(a_snapshot_with_the_right_checksum_makes_a_book_live_and_updates_follow)
{
    struct fixture *f = fixture_open();
    CHECK_EQ(feed_state(f->feed, 0), BOOK_SYNCING);
    CHECK_EQ(book(f, "BTC/USD", "update", 5, 7, true), FEED_OK); /* before its snapshot: nothing to apply it to */
    CHECK_EQ(feed_state(f->feed, 0), BOOK_SYNCING);
    CHECK_EQ(book(f, "BTC/USD", "snapshot", 5, 7, true), FEED_OK);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
    CHECK_EQ(feed_state(f->feed, 1), BOOK_SYNCING);
    const struct md_ref *r = feed_md_ref(f->feed, 0);
    CHECK_EQ(r->tob.bid_px, 990);
    CHECK_EQ(r->tob.ask_qty, 7);
    f->now.mono.ns += 5;
    CHECK_EQ(book(f, "BTC/USD", "update", 6, 8, true), FEED_OK);
    CHECK_EQ(r->tob.bid_qty, 6);
    CHECK_EQ(r->tob.recv_ns, f->now.mono.ns);
    CHECK_EQ(r->good.ask_qty, 8);
    CHECK_STR(request(f), "");
    fixture_close(f);
}

TEST(a_wrong_checksum_makes_the_book_worthless_until_it_is_subscribed_again)
{
    struct fixture *f = fixture_live();
    char buf[256];
    unsigned before = f->events;

    CHECK_EQ(book(f, "BTC/USD", "update", 6, 8, false), FEED_OK);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_CHECKSUM);
    CHECK_EQ(feed_counters(f->feed)->checksums, 1);
    CHECK_EQ(f->events, before + 1); /* its state; none of its levels */
    CHECK_EQ(f->event[before].kind, MD_STATE);
    CHECK_EQ(feed_md_ref(f->feed, 0)->good.bid_qty, 5);
    BEGINS(request(f),
           "{\"method\":\"unsubscribe\",\"params\":{\"channel\":\"book\",\"symbol\":[\"BTC/USD\"],\"depth\":10}");
    CHECK_STR(request(f), "");
    CHECK_EQ(book(f, "BTC/USD", "update", 6, 9, true), FEED_OK); /* still of the old subscription */
    CHECK_EQ(feed_state(f->feed, 0), BOOK_CHECKSUM);
    CHECK_EQ(say(f, answer(true, "BTC/USD", true, buf)), FEED_SUBSCRIBED);
    BEGINS(request(f),
           "{\"method\":\"subscribe\",\"params\":{\"channel\":\"book\",\"symbol\":[\"BTC/USD\"],\"depth\":10");
    CHECK_EQ(say(f, answer(false, "BTC/USD", true, buf)), FEED_SUBSCRIBED);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_CHECKSUM);
    CHECK_EQ(book(f, "BTC/USD", "snapshot", 3, 4, true), FEED_OK);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
    CHECK_EQ(feed_md_ref(f->feed, 0)->tob.ask_qty, 4);
    CHECK_EQ(feed_state(f->feed, 1), BOOK_LIVE); /* nobody else was disturbed */
    CHECK_STR(request(f), "");
    fixture_close(f);
}

TEST(an_old_message_with_the_right_checksum_of_an_old_book_is_a_gap)
{
    struct fixture *f = fixture_live();

    CHECK_EQ(book_at_second(f, "BTC/USD", "update", 6, 8, true, 10), FEED_OK);
    CHECK_EQ(book_at_second(f, "BTC/USD", "update", 6, 9, true, 10), FEED_OK); /* the same time says nothing */
    CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
    CHECK_EQ(book_at_second(f, "BTC/USD", "update", 5, 7, true, 9), FEED_OK);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_GAP);
    CHECK_EQ(feed_counters(f->feed)->gaps, 1);
    CHECK_EQ(feed_md_ref(f->feed, 0)->good.ask_qty, 9);
    CHECK_EQ(feed_state(f->feed, 1), BOOK_LIVE);
    fixture_close(f);
}

TEST(a_late_snapshot_of_a_subscription_that_is_being_ended_is_not_taken)
{
    struct fixture *f = fixture_live();
    char buf[256];

    CHECK_EQ(book_at_second(f, "BTC/USD", "update", 6, 8, true, 10), FEED_OK);
    CHECK_EQ(book(f, "BTC/USD", "update", 6, 9, false), FEED_OK);
    CHECK(feed_state(f->feed, 0) != BOOK_LIVE);
    (void)book_at_second(f, "BTC/USD", "snapshot", 9, 9, true, 11); /* nobody asked for it */
    CHECK(strstr(request(f), "unsubscribe") != NULL);
    (void)book_at_second(f, "BTC/USD", "snapshot", 9, 9, true, 11);
    CHECK(feed_state(f->feed, 0) != BOOK_LIVE);
    (void)say(f, answer(true, "BTC/USD", true, buf));
    CHECK(strstr(request(f), "\"subscribe\"") != NULL);
    (void)book_at_second(f, "BTC/USD", "snapshot", 3, 4, true, 9); /* older than what came before */
    CHECK_EQ(feed_state(f->feed, 0), BOOK_GAP);
    pass(f, f->cfg.retry_min_ns);
    CHECK(strstr(request(f), "unsubscribe") != NULL);
    (void)say(f, answer(true, "BTC/USD", true, buf));
    CHECK(strstr(request(f), "\"subscribe\"") != NULL);
    (void)book_at_second(f, "BTC/USD", "snapshot", 3, 4, true, 10); /* as of the last change: the same time */
    CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
    fixture_close(f);
}

TEST(a_snapshot_newer_than_the_book_that_nobody_asked_for_says_that_the_book_was_made_of_a_late_one)
{
    for (unsigned second = 9; second <= 11; second++) {
        struct fixture *f = fixture_live();
        char buf[256];

        CHECK_EQ(book_at_second(f, "BTC/USD", "update", 6, 8, true, 10), FEED_OK);
        CHECK_EQ(book(f, "BTC/USD", "update", 6, 9, false), FEED_OK);
        CHECK(strstr(request(f), "unsubscribe") != NULL);
        (void)say(f, answer(true, "BTC/USD", true, buf));
        CHECK(strstr(request(f), "\"subscribe\"") != NULL);
        (void)book_at_second(f, "BTC/USD", "snapshot", 6, 8, true, 10); /* repeated, of the subscription before */
        CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
        (void)book_at_second(f, "BTC/USD", "snapshot", 3, 4, true, second); /* this one's */
        CHECK_EQ(feed_state(f->feed, 0), second > 10 ? BOOK_GAP : BOOK_LIVE);
        CHECK_EQ(feed_md_ref(f->feed, 0)->good.ask_qty, 8);
        CHECK_EQ(feed_state(f->feed, 1), BOOK_LIVE);
        fixture_close(f);
    }
}

TEST(a_venue_time_far_ahead_of_ours_is_not_remembered)
{
    struct fixture *f = fixture_live();

    CHECK_EQ(book_at_second(f, "BTC/USD", "update", 6, 8, true, 16), FEED_OK); /* more than 5 s ahead */
    CHECK_EQ(book_at_second(f, "BTC/USD", "update", 6, 9, true, 10), FEED_OK);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
    CHECK_EQ(book_at_second(f, "BTC/USD", "update", 6, 8, true, 15), FEED_OK); /* less */
    CHECK_EQ(book_at_second(f, "BTC/USD", "update", 6, 9, true, 14), FEED_OK);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_GAP);
    fixture_close(f);
}

TEST(books_start_again_one_at_a_time_and_back_off)
{
    struct fixture *f = fixture_live();
    char buf[256];
    int64_t wait = f->cfg.retry_min_ns;

    (void)book(f, "BTC/USD", "update", 6, 8, false);
    (void)book(f, "ETH/USD", "update", 6, 8, false);
    CHECK(strstr(request(f), "BTC/USD") != NULL);
    CHECK_STR(request(f), "");
    (void)say(f, answer(true, "BTC/USD", true, buf));
    CHECK(strstr(request(f), "BTC/USD") != NULL);
    (void)book(f, "BTC/USD", "snapshot", 6, 8, false); /* and again it does not fit */
    CHECK_EQ(feed_state(f->feed, 0), BOOK_CHECKSUM);
    CHECK(strstr(request(f), "ETH/USD") != NULL);      /* the other one's turn */
    (void)say(f, answer(true, "ETH/USD", false, buf)); /* it was not subscribed: just as well */
    CHECK(strstr(request(f), "\"subscribe\"") != NULL);
    (void)book(f, "ETH/USD", "snapshot", 6, 8, true);
    CHECK_EQ(feed_state(f->feed, 1), BOOK_LIVE);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_STR(request(f), "");
        pass(f, wait - 1);
        CHECK_STR(request(f), "");
        pass(f, 1);
        CHECK(strstr(request(f), "unsubscribe") != NULL);
        (void)say(f, answer(true, "BTC/USD", true, buf));
        CHECK(strstr(request(f), "\"subscribe\"") != NULL);
        (void)book(f, "BTC/USD", "snapshot", 6, 8, false);
        wait *= 2;
    }
    fixture_close(f);
}

TEST(a_refused_subscription_is_noticed_and_tried_again)
{
    struct fixture *f = fixture_open();
    char buf[256];
    int32_t code;

    CHECK_EQ(
        say(f,
            "{\"error\":\"Subscription depth not supported\",\"method\":\"subscribe\",\"req_id\":1,\"success\":false,"
            "\"symbol\":\"ETH/USD\"}"),
        FEED_REFUSED);
    CHECK_STR(feed_refusal(f->feed, &code), "Subscription depth not supported");
    (void)book(f, "BTC/USD", "snapshot", 5, 7, true);
    pass(f, 1);
    CHECK_EQ(feed_state(f->feed, 1), BOOK_REFUSED);
    CHECK(strstr(request(f), "ETH/USD") != NULL);
    (void)say(f, answer(true, "ETH/USD", false, buf));
    CHECK(strstr(request(f), "\"subscribe\"") != NULL);
    (void)say(f, answer(false, "ETH/USD", false, buf));
    CHECK_STR(request(f), "");
    pass(f, 2 * f->cfg.retry_min_ns); /* its turn failed: the pause doubled */
    CHECK(strstr(request(f), "ETH/USD") != NULL);
    fixture_close(f);
}

TEST(no_snapshot_after_a_subscription_starts_it_again)
{
    struct fixture *f = fixture_open();
    (void)book(f, "BTC/USD", "snapshot", 5, 7, true);
    pass(f, f->cfg.snapshot_timeout_ns - 1);
    CHECK_STR(request(f), "");
    pass(f, 1);
    CHECK(strstr(request(f), "ETH/USD") != NULL);
    pass(f, 5 * NS_PER_S); /* no answer to that either */
    CHECK(strstr(request(f), "\"subscribe\"") != NULL);
    pass(f, f->cfg.snapshot_timeout_ns);
    pass(f, 2 * f->cfg.retry_min_ns);
    CHECK(strstr(request(f), "unsubscribe") != NULL);
    fixture_close(f);
}

#define TRADES "{\"method\":\"subscribe\",\"params\":{\"channel\":\"trade\",\"symbol\":[\"%s\"]"

TEST(a_trade_subscription_without_an_answer_is_noticed_after_five_seconds_and_asked_again_alone)
{
    for (unsigned heard = 0; heard < 3; heard++) { /* of BTC/USD: nothing, its answer, a trade */
        struct fixture *f = fixture_asked();
        char want[128];
        accept_both(f, "book", 1);
        (void)book(f, "BTC/USD", "snapshot", 5, 7, true);
        (void)book(f, "ETH/USD", "snapshot", 5, 7, true);
        if (heard == 1)
            (void)say(f, "{\"method\":\"subscribe\",\"result\":{\"channel\":\"trade\",\"symbol\":\"BTC/USD\"},"
                         "\"success\":true,\"req_id\":2}");
        if (heard == 2)
            (void)say(f,
                      "{\"channel\":\"trade\",\"type\":\"update\",\"data\":[{\"symbol\":\"BTC/USD\",\"side\":\"buy\","
                      "\"price\":99.0,\"qty\":0.5,\"ord_type\":\"limit\",\"trade_id\":7,\"timestamp\":"
                      "\"2026-08-16T23:37:06.376419Z\"}]}");
        pass(f, 5 * NS_PER_S - 1);
        CHECK_STR(request(f), "");
        CHECK_EQ(feed_counters(f->feed)->unanswered, 0);
        pass(f, 1);
        CHECK_EQ(feed_counters(f->feed)->unanswered, 1);
        CHECK_EQ(feed_counters(f->feed)->refused, 0);
        if (heard == 0) {
            (void)snprintf(want, sizeof(want), TRADES, "BTC/USD");
            BEGINS(request(f), want);
        }
        (void)snprintf(want, sizeof(want), TRADES, "ETH/USD");
        BEGINS(request(f), want);
        CHECK_STR(request(f), "");
        CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
        CHECK_EQ(feed_state(f->feed, 1), BOOK_LIVE);
        pass(f, 5 * NS_PER_S); /* alone, and no answer either: with a pause */
        CHECK_STR(request(f), "");
        pass(f, f->cfg.retry_min_ns);
        BEGINS(request(f), "{\"method\":\"subscribe\",\"params\":{\"channel\":\"trade\"");
        fixture_close(f);
    }
}

TEST(an_answered_subscription_is_not_asked_for_again)
{
    struct fixture *f = fixture_live();

    for (unsigned s = 0; s < 50; s++) {
        pass(f, NS_PER_S);
        CHECK_STR(request(f), "");
    }
    CHECK_EQ(feed_counters(f->feed)->unanswered, 0);
    fixture_close(f);
}

TEST(a_book_subscription_without_an_answer_is_noticed_after_five_seconds_and_started_again)
{
    struct fixture *f = fixture_asked();

    accept_both(f, "trade", 2);
    (void)book(f, "BTC/USD", "snapshot", 5, 7, true); /* that is an answer */
    pass(f, 5 * NS_PER_S - 1);
    CHECK_STR(request(f), "");
    pass(f, 1);
    CHECK_EQ(feed_counters(f->feed)->unanswered, 1);
    BEGINS(request(f), "{\"method\":\"unsubscribe\",\"params\":{\"channel\":\"book\",\"symbol\":[\"ETH/USD\"]");
    pass(f, 5 * NS_PER_S); /* nor of that */
    CHECK_EQ(feed_counters(f->feed)->unanswered, 2);
    CHECK(!feed_link_stuck(f->feed, 0));
    BEGINS(request(f), "{\"method\":\"subscribe\",\"params\":{\"channel\":\"book\",\"symbol\":[\"ETH/USD\"]");
    pass(f, 5 * NS_PER_S);
    CHECK_EQ(feed_counters(f->feed)->unanswered, 3);
    CHECK(feed_link_stuck(f->feed, 0)); /* three in a row */
    pass(f, 0);
    pass(f, 2 * f->cfg.retry_min_ns);
    BEGINS(request(f), "{\"method\":\"unsubscribe\"");
    fixture_close(f);
}

TEST(the_answer_about_a_book_is_not_taken_for_that_of_a_trade_request_between)
{
    struct fixture *f = fixture_asked();
    char buf[256];

    accept_both(f, "book", 1);
    (void)book(f, "BTC/USD", "snapshot", 5, 7, true);
    (void)book(f, "ETH/USD", "snapshot", 5, 7, true);
    CHECK_EQ(book(f, "BTC/USD", "update", 6, 8, false), FEED_OK);
    CHECK(strstr(request(f), "unsubscribe") != NULL); /* 3 */
    pass(f, 5 * NS_PER_S);
    while (strstr(request(f), "\"trade\"") != NULL) /* 4 and 5: requests for trades stand on both sides of 3 */
        ;
    CHECK(strstr(f->sent, "\"book\"") != NULL); /* and before the next of the book */
    (void)snprintf(buf, sizeof(buf),
                   "{\"error\":\"no\",\"method\":\"subscribe\",\"success\":false,\"symbol\":\"BTC/USD\",%s",
                   strstr(f->sent, "\"req_id\""));
    CHECK_EQ(say(f, buf), FEED_REFUSED);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_REFUSED);
    fixture_close(f);
}

TEST(a_connection_whose_subscriptions_bring_no_book_is_given_up)
{
    struct fixture *f = fixture_live();
    char buf[256];
    unsigned s = 0;

    CHECK_EQ(book(f, "BTC/USD", "update", 6, 8, false), FEED_OK);
    for (; s < 300 && !feed_link_stuck(f->feed, 0); s++) {
        const char *rq = request(f);
        if (*rq != '\0')
            (void)say(f, answer(strstr(rq, "unsubscribe") != NULL, "BTC/USD", true, buf)); /* yes, and no snapshot */
        f->now.mono.ns += NS_PER_S;
        pass(f, 0);
    }
    CHECK(s >= 20 && s < 300);
    CHECK(!feed_link_stuck(f->feed, 0));
    fixture_close(f);
}

TEST(twenty_five_seconds_of_silence_are_normal_and_heartbeats_are_no_freshness)
{
    struct fixture *f = fixture_live();
    int64_t fresh = feed_md_ref(f->feed, 0)->tob.recv_ns;
    char buf[256];

    for (unsigned s = 0; s < 26; s++) {
        pass(f, NS_PER_S);
        CHECK_EQ(say(f, "{\"channel\":\"heartbeat\"}"), FEED_OK);
        CHECK_STR(request(f), "");
    }
    CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
    CHECK_EQ(feed_md_ref(f->feed, 0)->tob.recv_ns, fresh); /* its age is what risk looks at */
    (void)book(f, "ETH/USD", "update", 5, 8, true);
    pass(f, f->cfg.quiet_max_ns - 26 * NS_PER_S - 1);
    CHECK_STR(request(f), "");
    pass(f, 1);
    BEGINS(request(f), "{\"method\":\"unsubscribe\",\"params\":{\"channel\":\"book\",\"symbol\":[\"BTC/USD\"]");
    CHECK_EQ(feed_state(f->feed, 0), BOOK_SYNCING);
    CHECK_EQ(feed_counters(f->feed)->quiet, 1);
    (void)say(f, answer(true, "BTC/USD", true, buf));
    (void)request(f);
    (void)book(f, "BTC/USD", "snapshot", 5, 7, true);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
    CHECK_EQ(feed_state(f->feed, 1), BOOK_LIVE);
    fixture_close(f);
}

static enum feed_result
trade(struct fixture *f, unsigned id)
{
    char text[256];
    (void)snprintf(
        text, sizeof(text),
        "{\"channel\":\"trade\",\"type\":\"update\",\"data\":[{\"symbol\":\"BTC/USD\",\"side\":\"buy\",\"price\":"
        "101.0,\"qty\":0.0001,\"ord_type\":\"limit\",\"trade_id\":%u,\"timestamp\":"
        "\"2026-08-16T23:37:05.376419Z\"}]}",
        id);
    return say(f, text);
}

TEST(trades_while_depth_is_silent_make_a_book_start_again)
{
    for (unsigned depth_comes = 0; depth_comes < 2; depth_comes++) {
        struct fixture *f = fixture_live();
        CHECK_EQ(trade(f, 1), FEED_OK); /* its depth came just before it */
        pass(f, f->cfg.depth_lag_max_ns + 1);
        CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
        CHECK_EQ(trade(f, 2), FEED_OK);
        if (depth_comes)
            (void)book(f, "BTC/USD", "update", 5, 6, true);
        pass(f, f->cfg.depth_lag_max_ns);
        CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
        pass(f, 1);
        CHECK_EQ(feed_state(f->feed, 0), depth_comes ? BOOK_LIVE : BOOK_SILENT);
        CHECK_EQ(feed_counters(f->feed)->lags, !depth_comes);
        CHECK_EQ(request(f)[0] != '\0', !depth_comes);
        fixture_close(f);
    }
}

TEST(levels_beyond_the_subscribed_depth_are_dropped_and_may_come_back)
{
    struct fixture *f = fixture_with(10);
    char text[1024];
    char sum[256];
    (void)add_instrument(f, "BTC/USD", 0, 0);
    feed_on_up(f->feed, f->now, &f->out);
    (void)request(f);
    (void)request(f);
    for (unsigned step = 0; step < 3; step++) {
        /* Ten asks from 20 up; then 19 comes; then 19 goes and the venue sends 29 again. */
        unsigned first = step == 1 ? 19 : 20;
        int n = 0;
        for (unsigned i = 0; i < 10; i++)
            n += snprintf(sum + n, sizeof(sum) - (size_t)n, "%u7", first + i);
        int t =
            snprintf(text, sizeof(text),
                     "{\"channel\":\"book\",\"type\":\"%s\",\"data\":[{\"symbol\":\"BTC/USD\",\"bids\":[],\"asks\":[",
                     step == 0 ? "snapshot" : "update");
        for (unsigned i = 0; i < 10 && step == 0; i++)
            t += snprintf(text + t, sizeof(text) - (size_t)t, "%s{\"price\":%u,\"qty\":7}", i > 0 ? "," : "", 20 + i);
        if (step > 0)
            t += snprintf(text + t, sizeof(text) - (size_t)t, "%s{\"price\":19,\"qty\":%u}",
                          step == 2 ? "{\"price\":29,\"qty\":7}," : "", step == 1 ? 7 : 0);
        (void)snprintf(text + t, sizeof(text) - (size_t)t,
                       "],\"checksum\":%u,\"timestamp\":\"2026-08-16T23:37:05Z\"}]}",
                       crc32_of(&f->crc, sum, (size_t)n));
        unsigned before = f->events;
        CHECK_EQ(say(f, text), FEED_OK);
        CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
        CHECK_EQ(feed_book(f->feed, 0)->side[SIDE_SELL].count, 10);
        CHECK_EQ(book_at(feed_book(f->feed, 0), SIDE_SELL, 9)->px, first + 9);
        if (step == 1) { /* readers are told that 29 went */
            CHECK_EQ(f->event[before].level.px, 19);
            CHECK(f->event[before + 1].level.px == 29 && f->event[before + 1].level.qty == 0);
        }
    }
    fixture_close(f);
}

TEST(a_crossed_book_is_not_live_even_with_a_right_checksum)
{
    struct fixture *f = fixture_live();
    char text[512];
    (void)snprintf(
        text, sizeof(text),
        "{\"channel\":\"book\",\"type\":\"update\",\"data\":[{\"symbol\":\"BTC/USD\",\"bids\":[{\"price\":102.0,"
        "\"qty\":0.0005}],\"asks\":[],\"checksum\":%u,\"timestamp\":\"2026-08-16T23:37:06Z\"}]}",
        crc32_of(&f->crc, "10107102059905", 14));
    CHECK_EQ(say(f, text), FEED_OK);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_CROSSED);
    CHECK_EQ(feed_counters(f->feed)->crossed, 1);
    CHECK(request(f)[0] != '\0');
    fixture_close(f);
}

TEST(a_message_that_cannot_be_read_may_have_been_anybodys_update)
{
    struct fixture *f = fixture_live();
    CHECK_EQ(
        say(f, "{\"channel\":\"book\",\"type\":\"update\",\"data\":[{\"symbol\":\"ETH/USD\",\"bids\":[{\"price\":1.25,"
               "\"qty\":1}],\"asks\":[],\"checksum\":1,\"timestamp\":\"2026-08-16T23:37:05Z\"}]}"),
        FEED_BAD_MESSAGE); /* more digits than the instrument: its own book alone */
    CHECK_EQ(feed_state(f->feed, 1), BOOK_GAP);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
    CHECK_EQ(say(f, "{\"channel\":\"book\",\"type\":\"upd"), FEED_BAD_MESSAGE);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_GAP);
    fixture_close(f);
}

TEST(the_connection_down_and_up_starts_everything_again)
{
    struct fixture *f = fixture_live();
    (void)book(f, "BTC/USD", "update", 6, 8, false);
    (void)request(f);
    feed_on_down(f->feed, f->now, &f->out);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_DOWN);
    CHECK_STR(request(f), "");
    feed_on_up(f->feed, f->now, &f->out);
    BEGINS(request(f),
           "{\"method\":\"subscribe\",\"params\":{\"channel\":\"book\",\"symbol\":[\"BTC/USD\",\"ETH/USD\"]");
    BEGINS(request(f), "{\"method\":\"subscribe\",\"params\":{\"channel\":\"trade\"");
    (void)book(f, "BTC/USD", "snapshot", 6, 8, true);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
    fixture_close(f);
}

TEST(status_is_said_and_depths_that_the_venue_has_not_are_refused)
{
    struct fixture *f = fixture_live();
    struct fault fault;
    struct feed_config cfg = feed_config_checked(&feed_kraken, 2, 20);
    int32_t code;

    CHECK_EQ(say(f, "{\"channel\":\"status\",\"type\":\"update\",\"data\":[{\"system\":\"post_only\"}]}"), FEED_STATUS);
    CHECK(!feed_online(f->feed));
    CHECK_STR(feed_refusal(f->feed, &code), "post_only");
    CHECK(feed_init(&cfg, NULL, &fault) == NULL);
    CHECK(strstr(fault.text, "20 levels") != NULL);
    fixture_close(f);
}

TEST_MAIN()
