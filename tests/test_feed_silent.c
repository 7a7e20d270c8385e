/* feed: bookTicker beside depth, and channels that fall silent. */
#include "tests/feed_fixture.h"

TEST(newer_book_ticker_is_the_top_until_depth_catches_up)
{
    struct fixture *f = fixture_live();
    const struct md_ref *r = feed_md_ref(f->feed, 5);

    f->now.mono.ns += 5;
    (void)ticker(f, 103, "100.00000000", "3.00000000", "100.01000000", "1.00000000");
    CHECK_EQ(r->tob.bid_qty, 300000);
    CHECK_EQ(r->tob.venue_seq, 103);
    CHECK_EQ(r->tob.recv_ns, f->now.mono.ns);
    (void)depth(f, "BTCUSDT", 101, 102, "[\"100.00\",\"2.0\"]", "");
    CHECK_EQ(r->tob.bid_qty, 300000);
    (void)depth(f, "BTCUSDT", 103, 104, "[\"100.00\",\"4.0\"]", "");
    CHECK_EQ(r->tob.bid_qty, 400000);
    CHECK_EQ(r->tob.venue_seq, 104);
    fixture_close(f);
}

TEST(book_ticker_of_a_book_that_is_not_live_is_not_served)
{
    struct fixture *f = fixture_open();
    (void)ticker(f, 103, "100.00", "3.0", "100.01", "1.0");
    CHECK_EQ(feed_md_ref(f->feed, 5)->tob.bid_px, 0);
    CHECK_EQ(feed_md_ref(f->feed, 5)->good.recv_ns, 0);
    fixture_close(f);
}

TEST(crossed_or_old_book_ticker_changes_nothing)
{
    struct fixture *f = fixture_live();
    (void)ticker(f, 103, "100.02", "3.0", "100.02", "1.0");
    CHECK_EQ(feed_counters(f->feed)->ticker_crossed, 1);
    (void)ticker(f, 105, "100.00", "3.0", "100.01", "1.0");
    (void)ticker(f, 104, "100.00", "9.0", "100.01", "1.0");
    CHECK_EQ(feed_md_ref(f->feed, 5)->tob.bid_qty, 300000);
    fixture_close(f);
}

TEST(three_contradictions_in_a_row_distrust_the_book)
{
    struct fixture *f = fixture_live();
    for (unsigned i = 0; i < 3; i++) {
        CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
        (void)ticker(f, 101 + 10 * i, "100.00", "7.0", "100.01", "1.0");
        (void)depth(f, "BTCUSDT", 101 + 10 * i, 110 + 10 * i, i == 0 ? "[\"100.00\",\"2.0\"]" : "[\"100.00\",\"3.0\"]",
                    "");
        /* Open until the next ticker shows that none is missing. */
        CHECK_EQ(feed_counters(f->feed)->compare_unequal, i);
    }
    (void)ticker(f, 131, "100.00", "7.0", "100.01", "1.0");
    CHECK_EQ(feed_counters(f->feed)->compare_unequal, 3);
    CHECK_EQ(feed_state(f->feed, 5), BOOK_GAP);
    fixture_close(f);
}

TEST(book_ticker_that_comes_after_its_depth_update_still_agrees)
{
    struct fixture *f = fixture_live();
    (void)ticker(f, 101, "100.00", "7.0", "100.01", "1.0");
    (void)depth(f, "BTCUSDT", 101, 110, "[\"100.00\",\"2.0\"]", "");
    (void)ticker(f, 109, "100.00", "2.0", "100.01", "1.0");
    CHECK_EQ(feed_counters(f->feed)->compare_equal, 1);
    CHECK_EQ(feed_counters(f->feed)->compare_unequal, 0);
    CHECK_EQ(feed_md_ref(f->feed, 5)->tob.venue_seq, 110);
    fixture_close(f);
}

TEST(a_silent_depth_stream_is_noticed_after_the_limit_and_needs_depth_to_come_back)
{
    struct fixture *f = fixture_live();
    (void)ticker(f, 101, "100.00", "7.0", "100.01", "1.0");
    f->now.mono.ns += f->cfg.depth_lag_max_ns;
    (void)feed_on_timer(f->feed, f->now, &f->out);
    CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
    f->now.mono.ns += 1;
    (void)feed_on_timer(f->feed, f->now, &f->out);
    CHECK_EQ(feed_state(f->feed, 5), BOOK_SILENT);
    CHECK_EQ(feed_counters(f->feed)->lags, 1);
    f->now.mono.ns += f->cfg.retry_max_ns;
    CHECK(!wanted(f, 5));
    (void)depth(f, "BTCUSDT", 101, 110, "", "");
    CHECK(wanted(f, 5));
    fixture_close(f);
}

/* Live, every subscription answered, and then depth falls silent while bookTicker goes on. */
static struct fixture *
fixture_silent(void)
{
    struct fixture *f = fixture_live();

    answer_to(f, request(f));
    CHECK(wanted(f, 2)); /* the other instrument */
    snapshot(f, 2, 100, 6);
    CHECK_STR(request(f), "");
    (void)ticker(f, 101, "100.00", "7.0", "100.01", "1.0");
    pass(f, f->cfg.depth_lag_max_ns + 1);
    CHECK_EQ(feed_state(f->feed, 5), BOOK_SILENT);
    return f;
}

#define OFF "{\"method\":\"UNSUBSCRIBE\",\"params\":[\"btcusdt@depth@100ms\",\"btcusdt@bookTicker\",\"btcusdt@trade\"]"
#define ON  "{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusdt@depth@100ms\",\"btcusdt@bookTicker\",\"btcusdt@trade\"]"

TEST(a_stream_that_fell_silent_is_subscribed_again_and_trusted_when_it_speaks)
{
    struct fixture *f = fixture_silent();

    CHECK(strncmp(request(f), OFF, strlen(OFF)) == 0);
    const char *on = request(f);
    CHECK(strncmp(on, ON, strlen(ON)) == 0);
    answer_to(f, on);
    CHECK_STR(request(f), "");
    CHECK(!wanted(f, 5)); /* an answer is no depth */
    (void)ticker(f, 102, "100.00", "7.0", "100.01", "1.0");
    CHECK(!wanted(f, 5));
    (void)depth(f, "BTCUSDT", 101, 110, "", "");
    CHECK(wanted(f, 5));
    snapshot(f, 5, 110, 6);
    CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
    pass(f, 20 * NS_PER_S);
    CHECK(!feed_link_stuck(f->feed, 0));
    CHECK_STR(request(f), "");
    fixture_close(f);
}

TEST(a_stream_that_stays_silent_gives_its_connection_up_once_in_a_growing_pause)
{
    struct fixture *f = fixture_silent();
    unsigned given_up = 0;
    int64_t at[4] = { 0 };

    for (unsigned s = 0; s < 900 && given_up < 4; s++) {
        const char *rq = request(f);
        if (*rq != '\0')
            answer_to(f, rq);
        pass(f, NS_PER_S);
        if (feed_link_stuck(f->feed, 0)) {
            at[given_up++] = f->now.mono.ns;
            CHECK(!feed_link_stuck(f->feed, 0)); /* said once */
            feed_on_down(f->feed, f->now, &f->out);
            feed_on_up(f->feed, f->now, &f->out);
            (void)request(f); /* nothing helps: this instrument's depth is dead */
            (void)depth(f, "BTCUSDT", 90, 95, "", "");
            f->now.mono.ns += f->cfg.retry_max_ns;
            CHECK(wanted(f, 5));
            snapshot(f, 5, 100, 6);
            (void)ticker(f, 101, "100.00", "7.0", "100.01", "1.0");
        }
    }
    CHECK_EQ(given_up, 4);
    CHECK(at[1] - at[0] >= 60 * NS_PER_S);
    CHECK(at[2] - at[1] >= 120 * NS_PER_S);
    CHECK(at[3] - at[2] >= 240 * NS_PER_S);
    fixture_close(f);
}

TEST(a_connection_that_answers_nothing_is_given_up)
{
    struct fixture *f = fixture_open();
    unsigned s = 0;

    for (; s < 60 && !feed_link_stuck(f->feed, 0); s++) {
        (void)request(f);
        pass(f, NS_PER_S);
    }
    CHECK(s >= 10 && s < 60);
    fixture_close(f);
}

TEST(trades_while_depth_and_book_ticker_are_silent_make_a_book_silent)
{
    for (unsigned comes = 0; comes < 2; comes++) {
        struct fixture *f = fixture_live();
        pass(f, 60 * NS_PER_S); /* a quiet market */
        CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
        (void)say(f, "{\"e\":\"trade\",\"E\":1,\"s\":\"BTCUSDT\",\"t\":7,\"p\":\"100.00\",\"q\":\"1\",\"T\":1,"
                     "\"m\":true,\"M\":true}");
        pass(f, f->cfg.depth_lag_max_ns);
        CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
        if (comes)
            (void)depth(f, "BTCUSDT", 101, 110, "", "");
        pass(f, 1);
        CHECK_EQ(feed_state(f->feed, 5), comes ? BOOK_LIVE : BOOK_SILENT);
        fixture_close(f);
    }
}

TEST(depth_that_moves_but_stays_behind_book_ticker_is_silent_too)
{
    for (unsigned behind = 0; behind < 2; behind++) {
        struct fixture *f = fixture_live();
        for (unsigned s = 1; s < 12;
             s++) { /* a second each; depth is as old as it ever was, or catches up now and then */
            f->now.mono.ns += NS_PER_S;
            (void)ticker(f, 200 + 10 * s, "100.00", "1.0", "100.01", "1.0");
            unsigned id = behind != 0 ? 100 + s : 200 + 10 * s - 5;
            unsigned from = s == 1 ? 101 : behind != 0 ? id : 200 + 10 * s - 14;
            (void)depth(f, "BTCUSDT", from, id, "", "");
            (void)feed_on_timer(f->feed, f->now, &f->out);
            if (feed_state(f->feed, 5) != BOOK_LIVE)
                break;
        }
        CHECK_EQ(feed_state(f->feed, 5), behind != 0 ? BOOK_SILENT : BOOK_LIVE);
        CHECK_EQ(feed_counters(f->feed)->lags, behind);
        fixture_close(f);
    }
}

/* A number from far ahead, and then nothing: no snapshot joins, and nothing says that the stream has ended but the
 * snapshots that move on. */
TEST(a_stream_that_says_nothing_while_the_snapshots_move_on_is_subscribed_again)
{
    for (unsigned moves = 0; moves < 2; moves++) {
        struct fixture *f = fixture_live();
        answer_to(f, request(f));
        CHECK(wanted(f, 2));
        snapshot(f, 2, 100, 6);
        (void)depth(f, "BTCUSDT", 1000000, 1000000, "", "");
        CHECK_EQ(feed_state(f->feed, 5), BOOK_GAP);
        f->now.mono.ns += f->cfg.retry_max_ns;
        for (unsigned n = 0; n < 4; n++) { /* three times again, soon */
            CHECK_STR(request(f), "");
            CHECK(wanted(f, 5));
            snapshot(f, 5, 200 + (moves ? 10 * n : 0), 6);
            pass(f, 200 * NS_PER_MS);
        }
        CHECK_EQ(feed_state(f->feed, 5), moves ? BOOK_SILENT : BOOK_GAP);
        CHECK_EQ(strncmp(request(f), OFF, strlen(OFF)) == 0, moves);
        if (moves) {
            answer_to(f, request(f));
            f->now.mono.ns += f->cfg.retry_max_ns;
            CHECK(!wanted(f, 5));
            for (unsigned n = 0; n < 4; n++) { /* it speaks again: what was seen before is forgotten */
                (void)depth(f, "BTCUSDT", 300 + n, 300 + n, "", "");
                CHECK(wanted(f, 5));
                snapshot(f, 5, 300 + n, 6);
                pass(f, 200 * NS_PER_MS);
            }
            CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
        }
        fixture_close(f);
    }
}

/* ---- bookTicker that falls silent ---- */

#define TICKER_OFF "{\"method\":\"UNSUBSCRIBE\",\"params\":[\"btcusdt@bookTicker\"]"

/* Live, every subscription answered. */
static struct fixture *
fixture_settled(void)
{
    struct fixture *f = fixture_live();

    answer_to(f, request(f));
    CHECK(wanted(f, 2));
    snapshot(f, 2, 100, 6);
    CHECK_STR(request(f), "");
    return f;
}

TEST(a_book_ticker_that_says_nothing_of_a_touch_that_moved_is_noticed_and_subscribed_again)
{
    for (unsigned spoke = 0; spoke < 2; spoke++) {
        struct fixture *f = fixture_settled();
        if (spoke)
            (void)ticker(f, 100, "100.00", "1.0", "100.01", "1.0");
        (void)depth(f, "BTCUSDT", 101, 101, "[\"100.00\",\"2.0\"]", "");
        pass(f, f->cfg.depth_lag_max_ns);
        CHECK_STR(request(f), "");
        CHECK_EQ(feed_counters(f->feed)->ticker_silent, 0);
        CHECK_EQ(feed_unchecked(f->feed), 0);
        pass(f, 1);
        CHECK_EQ(feed_counters(f->feed)->ticker_silent, 1);
        CHECK_EQ(feed_unchecked(f->feed), 1);
        CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE); /* its updates are in sequence */
        CHECK(strncmp(request(f), TICKER_OFF, strlen(TICKER_OFF)) == 0);
        const char *on = request(f);
        CHECK(strncmp(on, ON, strlen(ON)) == 0); /* what is on stays on */
        answer_to(f, on);
        CHECK_STR(request(f), "");
        (void)depth(f, "BTCUSDT", 102, 102, "[\"100.00\",\"3.0\"]", "");
        CHECK_EQ(feed_unchecked(f->feed), 1); /* depth is no bookTicker */
        (void)ticker(f, 102, "100.00", "3.0", "100.01", "1.0");
        CHECK_EQ(feed_unchecked(f->feed), 0);
        (void)depth(f, "BTCUSDT", 103, 103, "", "");
        CHECK_EQ(feed_counters(f->feed)->compare_equal, 1);
        pass(f, 60 * NS_PER_S);
        CHECK(!feed_link_stuck(f->feed, 0));
        CHECK_STR(request(f), "");
        CHECK_EQ(feed_counters(f->feed)->ticker_silent, 1);
        fixture_close(f);
    }
}

TEST(a_book_ticker_of_a_touch_that_stands_owes_nothing)
{
    struct fixture *f = fixture_settled();

    for (unsigned i = 0; i < 60; i++) { /* levels move behind the touch */
        (void)depth(f, "BTCUSDT", 101 + i, 101 + i, i % 2 ? "[\"99.99\",\"2.0\"]" : "[\"99.99\",\"3.0\"]", "");
        pass(f, NS_PER_S);
    }
    CHECK_EQ(feed_counters(f->feed)->ticker_silent, 0);
    (void)ticker(f, 170, "100.00", "1.0", "100.01", "1.0");
    (void)depth(f, "BTCUSDT", 161, 170, "", "");
    for (unsigned i = 0; i < 60; i++) {
        (void)depth(f, "BTCUSDT", 171 + i, 171 + i, i % 2 ? "[\"99.99\",\"2.0\"]" : "[\"99.99\",\"3.0\"]", "");
        pass(f, NS_PER_S);
    }
    CHECK_EQ(feed_counters(f->feed)->ticker_silent, 0);
    CHECK_EQ(feed_counters(f->feed)->compare_equal, 61);
    CHECK_STR(request(f), "");
    fixture_close(f);
}

/* Three contradictions make the book start again before the limit: then it is bookTicker's turn to speak. */
TEST(a_book_ticker_that_fell_silent_in_a_fast_market_is_noticed_after_the_book_started_again)
{
    struct fixture *f = fixture_settled();

    (void)ticker(f, 100, "100.00", "1.0", "100.01", "1.0");
    for (unsigned i = 0; i < 4; i++)
        (void)depth(f, "BTCUSDT", 101 + i, 101 + i, i % 2 ? "[\"100.00\",\"2.0\"]" : "[\"100.00\",\"3.0\"]", "");
    CHECK_EQ(feed_state(f->feed, 5), BOOK_GAP);
    f->now.mono.ns += f->cfg.retry_max_ns;
    (void)depth(f, "BTCUSDT", 105, 105, "", "");
    CHECK(wanted(f, 5));
    snapshot(f, 5, 105, 6);
    CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
    pass(f, 20 * NS_PER_S);
    CHECK_EQ(feed_unchecked(f->feed), 0); /* the touch stands */
    (void)depth(f, "BTCUSDT", 106, 106, "[\"100.00\",\"2.0\"]", "");
    pass(f, f->cfg.depth_lag_max_ns);
    CHECK_EQ(feed_unchecked(f->feed), 0);
    pass(f, 1);
    CHECK_EQ(feed_unchecked(f->feed), 1);
    CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
    fixture_close(f);
}

TEST(a_book_ticker_that_stays_silent_gives_its_connection_up_once_in_a_growing_pause)
{
    struct fixture *f = fixture_settled();
    int64_t at[3] = { 0 };
    unsigned given_up = 0;
    unsigned asked = 0;

    (void)depth(f, "BTCUSDT", 101, 101, "[\"100.00\",\"2.0\"]", "");
    int64_t begin = f->now.mono.ns;
    for (unsigned s = 0; s < 400 && given_up < 3; s++) {
        const char *rq = request(f);
        asked += strncmp(rq, TICKER_OFF, strlen(TICKER_OFF)) == 0;
        if (*rq != '\0')
            answer_to(f, rq);
        pass(f, NS_PER_S);
        if (feed_link_stuck(f->feed, 0))
            at[given_up++] = f->now.mono.ns;
    }
    CHECK_EQ(given_up, 3);
    CHECK(at[0] - begin <= 12 * NS_PER_S); /* 5 s until it is noticed, 5 s for what was asked for again */
    CHECK(at[1] - at[0] >= 60 * NS_PER_S);
    CHECK(at[2] - at[1] >= 120 * NS_PER_S);
    CHECK(asked >= 4);
    CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
    feed_on_down(f->feed, f->now, &f->out);
    CHECK_EQ(feed_unchecked(f->feed), 0); /* the next connection starts anew */
    fixture_close(f);
}

TEST(without_a_book_ticker_stream_nothing_is_owed)
{
    struct feed_config cfg = feed_config_default(2);
    cfg.streams = MD_STREAM_DEPTH | MD_STREAM_TRADE;
    struct fixture *f = fixture_with(cfg);
    (void)depth(f, "BTCUSDT", 90, 95, "", "");
    CHECK(wanted(f, 5));
    snapshot(f, 5, 100, 6);
    (void)depth(f, "BTCUSDT", 101, 101, "[\"100.00\",\"2.0\"]", "");
    pass(f, 60 * NS_PER_S);
    CHECK_EQ(feed_counters(f->feed)->ticker_silent, 0);
    fixture_close(f);
}

TEST_MAIN()
