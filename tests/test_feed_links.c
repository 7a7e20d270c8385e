/* feed over several connections: numbered streams. */
#include "tests/feed_links_rig.h"

static struct feed_config
config(uint32_t groups, uint32_t copies, bool spare)
{
    struct feed_config cfg = feed_config_default(8);
    cfg.snapshot_limit = 8;
    cfg.levels_max = 64;
    cfg.message_levels_max = 100;
    cfg.pending_levels_max = 400;
    cfg.pending_events_max = 16;
    cfg.groups = groups;
    cfg.copies = copies;
    cfg.spare = spare;
    return cfg;
}

static const char *const one[] = { "BTCUSDT" };
static const char *const five[] = { "AAAUSDT", "BBBUSDT", "CCCUSDT", "DDDUSDT", "EEEUSDT" };

/* One instrument, live at update 100, over as many links as `copies` says. */
static struct links_rig *
live(uint32_t copies, bool spare)
{
    struct links_rig *r = rig_open(config(1, copies, spare), one, 1);
    rig_up(r, 0);
    if (copies > 1)
        rig_up(r, spare ? 2 : 1);
    rig_snapshot(r, 100);
    r->invalid = 0;
    return r;
}

/* ---- many symbols over several connections ---- */

TEST(symbols_are_spread_over_connections_and_each_sits_on_one)
{
    struct feed_config cfg = config(3, 1, false);
    cfg.streams_max = 7; /* two instruments of three streams; one more stream is no instrument */
    struct links_rig *r = rig_open(cfg, five, 5);

    CHECK_EQ(feed_links(&cfg), 3);
    for (uint32_t i = 0; i < 3; i++)
        feed_link_up(r->feed, i, r->now, &r->out);
    CHECK(strstr(rig_request(r, 0), "aaausdt@depth") != NULL && strstr(r->sent, "bbbusdt@depth") != NULL);
    CHECK(strstr(r->sent, "cccusdt") == NULL);
    CHECK(strstr(rig_request(r, 1), "cccusdt@trade") != NULL && strstr(r->sent, "dddusdt@trade") != NULL);
    CHECK(strstr(r->sent, "eeeusdt") == NULL && strstr(r->sent, "bbbusdt") == NULL);
    CHECK(strstr(rig_request(r, 2), "eeeusdt@bookTicker") != NULL && strstr(r->sent, "dddusdt") == NULL);
    for (uint32_t i = 0; i < 3; i++)
        CHECK_STR(rig_request(r, i), "");
    rig_close(r);
}

TEST(an_instrument_beyond_what_the_connections_may_carry_is_refused)
{
    struct feed_config cfg = config(2, 1, false);
    cfg.streams_max = 6;
    struct links_rig *r = rig_open(cfg, five, 4);
    struct instrument fifth = r->ins[3];

    fifth.id = 7;
    (void)snprintf(fifth.symbol, sizeof(fifth.symbol), "EEEUSDT");
    CHECK(!feed_add_instrument(r->feed, &fifth, r->now, &r->out));
    CHECK(feed_link_used(r->feed, 1));
    rig_close(r);
}

TEST(a_connection_that_ends_takes_only_its_own_books_down)
{
    struct feed_config cfg = config(2, 1, false);
    cfg.streams_max = 3;
    struct links_rig *r = rig_open(cfg, five, 2);

    rig_up(r, 0);
    rig_up(r, 1);
    rig_snapshot(r, 100);
    rig_snapshot(r, 100);
    feed_link_down(r->feed, 0, r->now, &r->out);
    CHECK_EQ(feed_state(r->feed, 0), BOOK_DOWN);
    CHECK_EQ(feed_state(r->feed, 1), BOOK_LIVE);
    (void)rig_depth(r, 1, 1, 101, 101);
    CHECK_EQ(rig_level(r, 1, 101), 101);
    rig_up(r, 0);
    CHECK_EQ(feed_state(r->feed, 0), BOOK_SYNCING);
    CHECK_EQ(feed_state(r->feed, 1), BOOK_LIVE);
    rig_pass(r, 1);
    rig_snapshot(r, 200);
    rig_close(r);
}

TEST(an_instrument_added_later_is_subscribed_on_its_own_connection)
{
    struct feed_config cfg = config(2, 1, false);
    cfg.streams_max = 3;
    struct links_rig *r = rig_open(cfg, five, 1);

    CHECK(!feed_link_used(r->feed, 1));
    rig_up(r, 0);
    r->ins[1] = r->ins[0];
    r->ins[1].id = 1;
    (void)snprintf(r->ins[1].symbol, sizeof(r->ins[1].symbol), "BBBUSDT");
    CHECK(feed_add_instrument(r->feed, &r->ins[1], r->now, &r->out));
    CHECK_STR(rig_request(r, 0), "");
    CHECK(feed_link_used(r->feed, 1));
    feed_link_up(r->feed, 1, r->now, &r->out);
    CHECK(strstr(rig_request(r, 1), "bbbusdt@depth") != NULL);
    rig_close(r);
}

/* ---- refused subscriptions ---- */

TEST(a_refused_request_is_asked_again_one_by_one_and_only_the_bad_name_stays_refused)
{
    struct links_rig *r = rig_open(config(1, 1, false), five, 3);

    feed_link_up(r->feed, 0, r->now, &r->out);
    rig_answer(r, 0, rig_id(rig_request(r, 0)), false);
    for (unsigned i = 0; i < 3; i++) {
        CHECK(rig_request(r, 0)[0] != '\0');
        rig_answer(r, 0, rig_id(r->sent), strstr(r->sent, "bbbusdt") == NULL);
    }
    CHECK_STR(rig_request(r, 0), "");
    CHECK_EQ(feed_state(r->feed, 0), BOOK_SYNCING);
    CHECK_EQ(feed_state(r->feed, 1), BOOK_REFUSED);
    CHECK_EQ(feed_counters(r->feed)->refused, 2);
    rig_snapshot(r, 100);
    rig_snapshot(r, 100);
    uint32_t id;
    CHECK(!feed_snapshot_wanted(r->feed, r->now, &id)); /* no snapshot for what is not subscribed */
    rig_close(r);
}

TEST(a_refused_name_is_asked_for_again_with_a_growing_pause)
{
    struct links_rig *r = rig_open(config(1, 1, false), one, 1);
    int64_t pause = r->cfg.retry_min_ns;

    feed_link_up(r->feed, 0, r->now, &r->out);
    rig_answer(r, 0, rig_id(rig_request(r, 0)), false);
    CHECK_EQ(feed_state(r->feed, 0), BOOK_REFUSED);
    for (unsigned i = 0; i < 10; i++) {
        rig_pass(r, pause - 1);
        CHECK_STR(rig_request(r, 0), "");
        rig_pass(r, 1);
        CHECK(rig_request(r, 0)[0] != '\0');
        rig_answer(r, 0, rig_id(r->sent), i == 9);
        pause = MIN(2 * pause, r->cfg.retry_max_ns);
    }
    CHECK_EQ(feed_state(r->feed, 0), BOOK_SYNCING);
    rig_pass(r, 1);
    rig_snapshot(r, 100);
    rig_close(r);
}

TEST(a_subscription_without_an_answer_is_noticed_and_asked_again)
{
    struct links_rig *r = rig_open(config(1, 1, false), five, 2);

    feed_link_up(r->feed, 0, r->now, &r->out);
    CHECK(rig_request(r, 0)[0] != '\0');
    rig_pass(r, 5 * NS_PER_S - 1);
    CHECK_STR(rig_request(r, 0), "");
    CHECK_EQ(feed_counters(r->feed)->unanswered, 0);
    rig_pass(r, 1);
    CHECK_EQ(feed_counters(r->feed)->unanswered, 1);
    CHECK(strstr(rig_request(r, 0), "aaausdt") != NULL);
    CHECK(strstr(rig_request(r, 0), "bbbusdt") != NULL);
    rig_close(r);
}

/* ---- two connections for one stream ---- */

TEST(the_first_copy_counts_and_no_event_comes_twice)
{
    struct links_rig *r = live(2, false);

    for (unsigned id = 101; id < 140; id++) {
        (void)rig_depth(r, id % 2, 0, id, id);
        (void)rig_trade(r, id % 2, 0, id);
        r->now.mono.ns += 3000;
        (void)rig_depth(r, 1 - id % 2, 0, id, id);
        (void)rig_trade(r, 1 - id % 2, 0, id);
        CHECK_EQ(rig_level(r, 0, id), id);
        CHECK_EQ(rig_published(r, id), 1);
        CHECK_EQ(rig_trades(r, id), 1);
        CHECK_EQ(r->lead_ns, 3000);
    }
    CHECK_EQ(r->invalid, 0);
    CHECK_EQ(r->leads[0], 2 * 19);
    CHECK_EQ(r->leads[1], 2 * 20);
    CHECK_EQ(feed_counters(r->feed)->duplicates, 2 * 39);
    rig_close(r);
}

TEST(a_gap_on_one_connection_is_filled_from_the_other)
{
    struct links_rig *r = live(2, false);

    (void)rig_depth(r, 0, 0, 101, 101);
    (void)rig_depth(r, 1, 0, 101, 101);
    (void)rig_depth(r, 0, 0, 103, 103); /* 102 is missing */
    (void)rig_depth(r, 0, 0, 104, 104);
    CHECK_EQ(feed_state(r->feed, 0), BOOK_LIVE);
    CHECK_EQ(rig_level(r, 0, 103), 0); /* not before 102 */
    (void)rig_depth(r, 1, 0, 102, 102);
    for (unsigned id = 102; id <= 104; id++) {
        CHECK_EQ(rig_level(r, 0, id), id);
        CHECK_EQ(rig_published(r, id), 1);
    }
    (void)rig_depth(r, 1, 0, 103, 103);
    (void)rig_depth(r, 1, 0, 104, 104);
    (void)rig_depth(r, 1, 0, 105, 105);
    CHECK_EQ(r->invalid, 0);
    CHECK_EQ(feed_counters(r->feed)->gaps, 0);
    CHECK_EQ(feed_counters(r->feed)->filled, 1);
    CHECK_EQ(feed_counters(r->feed)->held, 2);
    rig_close(r);
}

TEST(a_gap_on_both_connections_is_a_gap_at_once)
{
    struct links_rig *r = live(2, false);

    (void)rig_depth(r, 0, 0, 101, 101);
    (void)rig_depth(r, 1, 0, 101, 101);
    (void)rig_depth(r, 0, 0, 103, 103);
    CHECK_EQ(feed_state(r->feed, 0), BOOK_LIVE);
    (void)rig_depth(r, 1, 0, 104, 104);
    CHECK_EQ(feed_state(r->feed, 0), BOOK_GAP);
    CHECK_EQ(feed_counters(r->feed)->gaps, 1);
    rig_close(r);
}

TEST(a_missing_update_is_waited_for_no_longer_than_configured)
{
    struct links_rig *r = live(2, false);

    (void)rig_depth(r, 0, 0, 101, 101);
    (void)rig_depth(r, 1, 0, 101, 101);
    (void)rig_depth(r, 0, 0, 103, 103);
    rig_pass(r, r->cfg.gap_wait_ns - 1);
    CHECK_EQ(feed_state(r->feed, 0), BOOK_LIVE);
    rig_pass(r, 1);
    CHECK_EQ(feed_state(r->feed, 0), BOOK_GAP);
    CHECK_EQ(feed_counters(r->feed)->gaps, 1);
    rig_close(r);
}

TEST(a_connection_that_could_fill_the_gap_ends_and_it_is_a_gap)
{
    struct links_rig *r = live(2, false);

    (void)rig_depth(r, 0, 0, 101, 101);
    (void)rig_depth(r, 1, 0, 101, 101);
    (void)rig_depth(r, 0, 0, 103, 103);
    feed_link_down(r->feed, 1, r->now, &r->out);
    CHECK_EQ(feed_state(r->feed, 0), BOOK_GAP);
    rig_close(r);
}

TEST(one_of_two_connections_may_end_and_come_back_and_the_book_stays_live)
{
    struct links_rig *r = live(2, false);

    (void)rig_depth(r, 0, 0, 101, 101);
    (void)rig_depth(r, 1, 0, 101, 101);
    feed_link_down(r->feed, 0, r->now, &r->out);
    CHECK_EQ(feed_state(r->feed, 0), BOOK_LIVE);
    (void)rig_depth(r, 1, 0, 102, 102);
    rig_up(r, 0);
    (void)rig_depth(r, 1, 0, 103, 103);
    (void)rig_depth(r, 0, 0, 103, 103);
    feed_link_down(r->feed, 1, r->now, &r->out);
    (void)rig_depth(r, 0, 0, 104, 104);
    CHECK_EQ(rig_level(r, 0, 104), 104);
    CHECK_EQ(r->invalid, 0);
    feed_link_down(r->feed, 0, r->now, &r->out); /* both dead: invalid */
    CHECK_EQ(feed_state(r->feed, 0), BOOK_DOWN);
    rig_close(r);
}

/* It may begin behind a hole: whatever the other had not delivered when it died. */
TEST(a_book_is_not_left_to_a_connection_that_has_proved_nothing)
{
    struct links_rig *r = live(2, false);

    (void)rig_depth(r, 0, 0, 101, 101);
    feed_link_down(r->feed, 1, r->now, &r->out);
    rig_up(r, 1); /* subscribed, and nothing came yet */
    feed_link_down(r->feed, 0, r->now, &r->out);
    CHECK_EQ(feed_state(r->feed, 0), BOOK_GAP);
    rig_pass(r, NS_PER_S);
    rig_snapshot(r, 105);
    rig_close(r);
}

TEST(trades_that_one_connection_missed_come_late_and_once)
{
    struct links_rig *r = live(2, false);

    (void)rig_trade(r, 0, 0, 10);
    (void)rig_trade(r, 0, 0, 12);
    (void)rig_trade(r, 1, 0, 10);
    (void)rig_trade(r, 1, 0, 11);
    (void)rig_trade(r, 1, 0, 12);
    (void)rig_trade(r, 0, 0, 11);
    for (unsigned id = 10; id <= 12; id++)
        CHECK_EQ(rig_trades(r, id), 1);
    CHECK_EQ(feed_counters(r->feed)->filled, 1);
    (void)rig_trade(r, 0, 0, 200);
    (void)rig_trade(r, 1, 0, 137); /* 63 behind: the last that is remembered */
    (void)rig_trade(r, 1, 0, 136);
    CHECK_EQ(rig_trades(r, 137), 1);
    CHECK_EQ(rig_trades(r, 136), 0);
    rig_close(r);
}

TEST(an_unreadable_update_on_one_connection_is_the_other_ones_to_bring)
{
    struct links_rig *r = live(2, false);

    (void)rig_depth(r, 0, 0, 101, 101);
    (void)rig_depth(r, 1, 0, 101, 101);
    CHECK_EQ(rig_say(r, 0,
                     "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"BTCUSDT\",\"U\":102,\"u\":102,\"b\":[[\"x\",\"1\"]],"
                     "\"a\":[]}"),
             FEED_BAD_MESSAGE);
    CHECK_EQ(feed_state(r->feed, 0), BOOK_LIVE);
    (void)rig_depth(r, 0, 0, 103, 103);
    (void)rig_depth(r, 1, 0, 102, 102);
    CHECK_EQ(rig_level(r, 0, 103), 103);
    CHECK_EQ(r->invalid, 0);
    rig_close(r);
}

/* Over link, in steps of a tenth of a second. */
static unsigned
updates(struct links_rig *r, uint32_t link, unsigned id, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        rig_pass(r, 100 * NS_PER_MS);
        (void)rig_depth(r, link, 0, id + i, id + i);
    }
    return id + count;
}

TEST(a_connection_that_falls_silent_beside_another_is_noticed_and_asked_again)
{
    struct links_rig *r = live(2, false);

    (void)rig_depth(r, 0, 0, 101, 101);
    (void)rig_depth(r, 1, 0, 101, 101);
    unsigned id = updates(r, 0, 102, 50); /* five seconds */
    CHECK_EQ(feed_counters(r->feed)->silent, 0);
    id = updates(r, 0, id, 3);
    CHECK_EQ(feed_counters(r->feed)->silent, 1);
    CHECK_EQ(feed_state(r->feed, 0), BOOK_LIVE);
    CHECK_EQ(rig_request(r, 0)[0], 0);
    CHECK(strstr(rig_request(r, 1), "UNSUBSCRIBE") != NULL);
    CHECK(strstr(rig_request(r, 1), "\"SUBSCRIBE") != NULL && strstr(r->sent, "btcusdt@depth") != NULL);
    rig_answer(r, 1, rig_id(r->sent), true);
    CHECK(!feed_link_stuck(r->feed, 1));
    id = updates(r, 0, id, 80); /* it stays silent: not asked again and again, but given up */
    CHECK_EQ(feed_counters(r->feed)->silent, 2);
    CHECK_EQ(rig_request(r, 1)[0], 0);
    CHECK(feed_link_stuck(r->feed, 1) && !feed_link_stuck(r->feed, 0));
    (void)rig_depth(r, 0, 0, id + 1, id + 1); /* `id` is missing, and nobody is there to bring it */
    CHECK_EQ(feed_state(r->feed, 0), BOOK_GAP);
    rig_pass(r, NS_PER_S);
    rig_snapshot(r, id + 1);
    (void)rig_depth(r, 1, 0, id + 1, id + 1); /* it speaks again, and is worth something again */
    (void)rig_depth(r, 1, 0, id + 2, id + 2);
    feed_link_down(r->feed, 0, r->now, &r->out);
    CHECK_EQ(feed_state(r->feed, 0), BOOK_LIVE);
    rig_close(r);
}

TEST(a_book_is_not_left_to_a_connection_that_has_been_silent_while_it_moved)
{
    for (unsigned late = 0; late < 2; late++) {
        struct links_rig *r = live(2, false);
        (void)rig_depth(r, 0, 0, 101, 101);
        (void)rig_depth(r, 1, 0, 101, 101);
        rig_pass(r, 0);
        (void)rig_depth(r, 0, 0, 102, 102);
        rig_pass(r, late != 0 ? NS_PER_S : NS_PER_S - 1); /* up to then it may be on its way */
        feed_link_down(r->feed, 0, r->now, &r->out);
        CHECK_EQ(feed_state(r->feed, 0), late != 0 ? BOOK_GAP : BOOK_LIVE);
        rig_close(r);
    }
}

TEST(a_silent_market_silences_no_connection)
{
    struct links_rig *r = live(2, false);

    (void)rig_depth(r, 0, 0, 101, 101);
    (void)rig_depth(r, 1, 0, 101, 101);
    for (unsigned i = 0; i < 600; i++)
        rig_pass(r, 100 * NS_PER_MS);
    feed_link_down(r->feed, 1, r->now, &r->out); /* comes and goes without a word */
    rig_up(r, 1);
    for (unsigned i = 0; i < 600; i++)
        rig_pass(r, 100 * NS_PER_MS);
    CHECK_EQ(feed_counters(r->feed)->silent, 0);
    CHECK_EQ(r->invalid, 0);
    (void)rig_depth(r, 1, 0, 102, 102);
    for (unsigned i = 0; i < 600; i++) /* both have spoken since, and are late by a second */
        (void)rig_depth(r, (i / 10) % 2, 0, 103 + i - 10 * (i / 10 % 2), 103 + i - 10 * (i / 10 % 2)),
            rig_pass(r, 100 * NS_PER_MS);
    CHECK_EQ(feed_counters(r->feed)->silent, 0);
    rig_close(r);
}

/* ---- make before break ---- */

TEST(the_new_connection_takes_over_without_a_gap_a_repeat_or_an_invalid_book)
{
    struct links_rig *r = live(1, true);

    for (unsigned id = 101; id < 110; id++)
        (void)rig_depth(r, 0, 0, id, id);
    rig_up(r, 1);
    CHECK(!feed_link_covers(r->feed, 1, r->now));
    (void)rig_depth(r, 1, 0, 112, 112); /* it is ahead of the old one */
    CHECK(!feed_link_covers(r->feed, 1, r->now));
    for (unsigned id = 110; id < 113; id++)
        (void)rig_depth(r, 0, 0, id, id);
    CHECK(!feed_link_covers(r->feed, 1, r->now));
    rig_pass(r, 2 * NS_PER_S - 1);
    CHECK(!feed_link_covers(r->feed, 1, r->now));
    rig_pass(r, 1);
    CHECK(feed_link_covers(r->feed, 1, r->now));
    feed_link_down(r->feed, 0, r->now, &r->out);
    for (unsigned id = 113; id < 120; id++)
        (void)rig_depth(r, 1, 0, id, id);
    for (unsigned id = 101; id < 120; id++)
        CHECK_EQ(rig_published(r, id), 1);
    CHECK_EQ(r->invalid, 0);
    CHECK_EQ(feed_counters(r->feed)->snapshots, 1);
    rig_up(r, 0); /* and back, a day later */
    (void)rig_depth(r, 0, 0, 120, 120);
    (void)rig_depth(r, 1, 0, 120, 120);
    (void)feed_link_covers(r->feed, 0, r->now);
    rig_pass(r, 2 * NS_PER_S);
    CHECK(feed_link_covers(r->feed, 0, r->now));
    feed_link_down(r->feed, 1, r->now, &r->out);
    (void)rig_depth(r, 0, 0, 121, 121);
    CHECK_EQ(r->invalid, 0);
    CHECK_EQ(rig_published(r, 120), 1);
    rig_close(r);
}

TEST(a_quiet_book_is_taken_over_when_the_old_connection_was_heard_since)
{
    struct links_rig *r = rig_open(config(1, 1, true), five, 2);

    rig_up(r, 0);
    rig_snapshot(r, 100);
    rig_snapshot(r, 100);
    r->invalid = 0;
    rig_up(r, 1);
    r->now.mono.ns += NS_PER_S;
    (void)rig_depth(r, 1, 0, 101, 101);
    CHECK(!feed_link_covers(r->feed, 1, r->now));
    rig_pass(r, 10 * NS_PER_S);
    CHECK(!feed_link_covers(r->feed, 1, r->now)); /* the second book's last updates may be lost with the old one */
    (void)rig_depth(r, 0, 0, 101, 101);           /* which lives */
    CHECK(!feed_link_covers(r->feed, 1, r->now));
    rig_pass(r, 2 * NS_PER_S);
    CHECK(feed_link_covers(r->feed, 1, r->now));
    feed_link_down(r->feed, 0, r->now, &r->out);
    CHECK_EQ(feed_state(r->feed, 1), BOOK_LIVE);
    (void)rig_depth(r, 1, 1, 101, 101);
    CHECK_EQ(r->invalid, 0);
    rig_close(r);
}

TEST(a_new_connection_that_brings_nothing_of_a_moving_book_does_not_take_over)
{
    struct links_rig *r = live(1, true);

    rig_up(r, 1);
    rig_pass(r, 100 * NS_PER_MS);
    (void)rig_depth(r, 0, 0, 101, 101); /* was on its way when the new one was subscribed */
    unsigned id = 102;
    for (unsigned i = 0; i < 40; i++) {
        id = updates(r, 0, id, 1);
        CHECK(!feed_link_covers(r->feed, 1, r->now));
    }
    (void)rig_depth(r, 1, 0, id - 1, id - 1);
    (void)feed_link_covers(r->feed, 1, r->now);
    id = updates(r, 0, id, 10);
    (void)rig_depth(r, 1, 0, id - 1, id - 1);
    id = updates(r, 0, id, 10);
    CHECK(feed_link_covers(r->feed, 1, r->now));
    rig_close(r);
}

TEST(the_old_connection_stays_while_the_new_one_was_refused_something)
{
    struct links_rig *r = live(1, true);

    feed_link_up(r->feed, 1, r->now, &r->out);
    rig_answer(r, 1, rig_id(rig_request(r, 1)), false);
    (void)rig_depth(r, 0, 0, 101, 101);
    rig_pass(r, NS_PER_S / 2);
    (void)feed_link_covers(r->feed, 1, r->now);
    rig_pass(r, 3 * NS_PER_S);
    CHECK(!feed_link_covers(r->feed, 1, r->now));
    CHECK_EQ(feed_state(r->feed, 0), BOOK_LIVE);
    rig_answer(r, 1, rig_id(rig_request(r, 1)), true);
    (void)rig_depth(r, 1, 0, 101, 101);
    CHECK(!feed_link_covers(r->feed, 1, r->now));
    rig_pass(r, 2 * NS_PER_S);
    CHECK(feed_link_covers(r->feed, 1, r->now));
    rig_close(r);
}

TEST(a_snapshot_under_way_survives_the_end_of_one_of_two_connections)
{
    struct links_rig *r = rig_open(config(1, 2, false), one, 1);
    uint32_t id;

    rig_up(r, 0);
    rig_up(r, 1);
    CHECK(feed_snapshot_wanted(r->feed, r->now, &id));
    (void)rig_depth(r, 0, 0, 99, 101);
    (void)rig_depth(r, 1, 0, 99, 101);
    feed_link_down(r->feed, 0, r->now, &r->out);
    (void)rig_depth(r, 1, 0, 102, 102);
    struct snapshot_slice s = { .instrument = 0, .last_update_id = 100, .is_first = true, .is_last = true, .count = 1 };
    s.level[0] = (struct level){ 10000, 1 };
    feed_on_snapshot_slice(r->feed, &s, r->now, &r->out);
    CHECK_EQ(feed_state(r->feed, 0), BOOK_LIVE);
    CHECK_EQ(rig_level(r, 0, 102), 102);
    rig_close(r);
}

TEST_MAIN()
