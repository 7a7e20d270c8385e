/* feed: books from invented streams, the connection, what is published. */
#include "tests/feed_fixture.h"

/* ---- joining ---- */

TEST(book_goes_live_when_the_snapshot_is_newer_than_everything_buffered)
{
    struct fixture *f = fixture_live();
    const struct md_ref *r = feed_md_ref(f->feed, 5);

    CHECK_EQ(r->tob.bid_px, 10000);
    CHECK_EQ(r->tob.ask_px, 10001);
    CHECK_EQ(r->tob.venue_seq, 100);
    CHECK_EQ(r->good.bid_px, 10000);
    CHECK_EQ(depth(f, "BTCUSDT", 96, 102, "[\"100.00\",\"0.00000000\"]", ""), FEED_OK);
    CHECK_EQ(r->tob.bid_px, 9999);
    fixture_close(f);
}

TEST(buffered_updates_are_joined_to_the_snapshot)
{
    struct fixture *f = fixture_open();
    CHECK(!wanted(f, 5)); /* no stream yet */
    (void)depth(f, "BTCUSDT", 90, 95, "", "");
    CHECK(wanted(f, 5));
    CHECK(!wanted(f, 5)); /* one in flight */
    (void)depth(f, "BTCUSDT", 96, 99, "[\"99.98\",\"7.00000000\"]", "");
    (void)depth(f, "BTCUSDT", 100, 101, "[\"99.99\",\"8.00000000\"]", "");
    (void)depth(f, "BTCUSDT", 102, 102, "", "[\"100.01\",\"0.00000000\"]");
    snapshot(f, 5, 100, 6);
    CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
    const struct book *b = feed_book(f->feed, 5);
    CHECK_EQ(book_at(b, SIDE_BUY, 1)->qty, 800000);
    CHECK_EQ(book_at(b, SIDE_BUY, 2)->qty, 100000); /* the update at 99 is older than the snapshot */
    CHECK_EQ(book_at(b, SIDE_SELL, 0)->px, 10002);
    CHECK_EQ(feed_md_ref(f->feed, 5)->tob.venue_seq, 102);
    fixture_close(f);
}

TEST(snapshot_that_touches_the_first_buffered_update_joins_and_one_older_is_asked_again)
{
    for (unsigned older = 0; older < 2; older++) {
        struct fixture *f = fixture_open();
        (void)depth(f, "BTCUSDT", 90, 95, "", "");
        CHECK(wanted(f, 5));
        (void)depth(f, "BTCUSDT", 101, 105, "", "");
        snapshot(f, 5, 100 - older, 6);
        CHECK_EQ(feed_state(f->feed, 5), older ? BOOK_SYNCING : BOOK_LIVE);
        if (older) {
            CHECK(!wanted(f, 5));
            f->now.mono.ns += NS_PER_S;
            CHECK(wanted(f, 5));
            snapshot(f, 5, 103, 6); /* the buffer was kept */
            CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
            CHECK_EQ(feed_md_ref(f->feed, 5)->tob.venue_seq, 105);
        }
        fixture_close(f);
    }
}

TEST(snapshot_older_than_updates_seen_before_it_was_asked_for_is_asked_again)
{
    struct fixture *f = fixture_open();
    (void)depth(f, "BTCUSDT", 90, 95, "", "");
    CHECK(wanted(f, 5));
    snapshot(f, 5, 94, 6);
    CHECK_EQ(feed_state(f->feed, 5), BOOK_SYNCING);
    f->now.mono.ns += NS_PER_S;
    CHECK(wanted(f, 5));
    snapshot(f, 5, 95, 6);
    CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
    fixture_close(f);
}

TEST(gap_inside_the_buffer_needs_a_snapshot_newer_than_the_gap)
{
    struct fixture *f = fixture_open();
    (void)depth(f, "BTCUSDT", 90, 95, "", "");
    CHECK(wanted(f, 5));
    (void)depth(f, "BTCUSDT", 96, 99, "", "");
    (void)depth(f, "BTCUSDT", 105, 110, "", "");
    snapshot(f, 5, 97, 6);
    CHECK_EQ(feed_state(f->feed, 5), BOOK_SYNCING);
    f->now.mono.ns += NS_PER_S;
    CHECK(wanted(f, 5));
    snapshot(f, 5, 104, 6);
    CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
    fixture_close(f);
}

TEST(buffer_overflow_is_counted_and_a_newer_snapshot_still_joins)
{
    struct fixture *f = fixture_open();
    (void)depth(f, "BTCUSDT", 1, 1, "", "");
    CHECK(wanted(f, 5));
    for (unsigned i = 2; i < 40; i++)
        (void)depth(f, "BTCUSDT", i, i, "[\"99.99\",\"8.00000000\"]", "");
    CHECK_EQ(feed_counters(f->feed)->pending_overflows, 2);
    snapshot(f, 5, 36, 6);
    CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
    fixture_close(f);
}

TEST(failed_or_silent_snapshots_back_off_and_double)
{
    struct fixture *f = fixture_open();
    struct snapshot_slice failed = { .instrument = 5, .failed = true };
    int64_t pause = f->cfg.retry_min_ns;

    (void)depth(f, "BTCUSDT", 90, 95, "", "");
    for (unsigned i = 0; i < 4; i++) {
        CHECK(wanted(f, 5));
        if (i == 2) {
            f->now.mono.ns += f->cfg.snapshot_timeout_ns - 1;
            (void)feed_on_timer(f->feed, f->now, &f->out);
            CHECK_EQ(feed_counters(f->feed)->snapshot_failures, i);
            f->now.mono.ns += 1;
            (void)feed_on_timer(f->feed, f->now, &f->out);
        } else {
            feed_on_snapshot_slice(f->feed, &failed, f->now, &f->out);
        }
        CHECK_EQ(feed_counters(f->feed)->snapshot_failures, i + 1);
        pause *= 2; /* counted from the failure */
        f->now.mono.ns += pause - 1;
        CHECK(!wanted(f, 5));
        f->now.mono.ns += 1;
    }
    CHECK(wanted(f, 5));
    fixture_close(f);
}

TEST(a_snapshot_that_a_ban_forbids_is_fetched_when_the_ban_ends_whatever_the_back_off_was)
{
    struct fixture *f = fixture_open();
    struct snapshot_slice failed = { .instrument = 5, .failed = true };
    int64_t pause = f->cfg.retry_min_ns;

    (void)depth(f, "BTCUSDT", 90, 95, "", "");
    for (unsigned i = 0; i < 5; i++) {
        CHECK(wanted(f, 5));
        failed.count = i == 4 ? 700 : 0; /* ms */
        feed_on_snapshot_slice(f->feed, &failed, f->now, &f->out);
        pause *= 2;
        f->now.mono.ns += i == 4 ? 0 : pause;
    }
    f->now.mono.ns += 700 * NS_PER_MS - 1;
    CHECK(!wanted(f, 5));
    f->now.mono.ns += 1;
    CHECK(wanted(f, 5));
    failed.count = 0;
    feed_on_snapshot_slice(f->feed, &failed, f->now, &f->out);
    f->now.mono.ns += 2 * f->cfg.retry_min_ns; /* the doubling has begun anew */
    CHECK(wanted(f, 5));
    fixture_close(f);
}

TEST(snapshot_with_levels_out_of_order_is_refused)
{
    struct fixture *f = fixture_open();
    struct snapshot_slice s = { .instrument = 5, .last_update_id = 100, .is_first = true, .is_last = true, .count = 2 };
    s.level[0] = (struct level){ 100, 1 };
    s.level[1] = (struct level){ 100, 1 };
    (void)depth(f, "BTCUSDT", 90, 95, "", "");
    CHECK(wanted(f, 5));
    feed_on_snapshot_slice(f->feed, &s, f->now, &f->out);
    CHECK_EQ(feed_state(f->feed, 5), BOOK_SYNCING);
    CHECK_EQ(feed_counters(f->feed)->snapshot_failures, 1);
    fixture_close(f);
}

TEST(slice_of_a_snapshot_nobody_asked_for_changes_nothing)
{
    struct fixture *f = fixture_live();
    snapshot(f, 5, 50, 3);
    snapshot(f, 2, 50, 3);
    CHECK_EQ(feed_md_ref(f->feed, 5)->tob.venue_seq, 100);
    CHECK_EQ(feed_state(f->feed, 2), BOOK_SYNCING);
    fixture_close(f);
}

TEST(snapshots_are_fetched_one_instrument_after_the_other)
{
    struct fixture *f = fixture_open();
    (void)depth(f, "BTCUSDT", 90, 95, "", "");
    (void)depth(f, "ETHUSDT", 90, 95, "", "");
    CHECK(wanted(f, 5));
    CHECK(!wanted(f, 2));
    snapshot(f, 5, 100, 6);
    CHECK(wanted(f, 2));
    snapshot(f, 2, 100, 6);
    CHECK_EQ(feed_state(f->feed, 2), BOOK_LIVE);
    CHECK(!wanted(f, 2));
    fixture_close(f);
}

/* ---- following ---- */

TEST(next_update_in_sequence_is_followed_and_one_beyond_is_a_gap)
{
    for (unsigned skip = 0; skip < 2; skip++) {
        struct fixture *f = fixture_live();
        (void)depth(f, "BTCUSDT", 101 + skip, 105, "[\"100.00\",\"5.00000000\"]", "");
        const struct md_ref *r = feed_md_ref(f->feed, 5);
        CHECK_EQ(feed_state(f->feed, 5), skip ? BOOK_GAP : BOOK_LIVE);
        CHECK_EQ(r->tob.state, skip ? BOOK_GAP : BOOK_LIVE);
        CHECK_EQ(r->tob.bid_qty, skip ? 100000 : 500000);
        CHECK_EQ(r->good.bid_qty, skip ? 100000 : 500000);
        CHECK_EQ(r->good.state, BOOK_LIVE);
        CHECK_EQ(feed_counters(f->feed)->gaps, skip);
        if (skip) {
            CHECK(!wanted(f, 5)); /* the last fetch was just now */
            f->now.mono.ns += NS_PER_S;
            CHECK(wanted(f, 5));
        }
        fixture_close(f);
    }
}

/* The venue counts from somewhere else: updates ten a second, a snapshot whenever one is wanted. Seconds until the book
 * of instrument 5 is live and its touch moves with the stream; 0 when it is not within a minute. */
static unsigned
seconds_to_live(struct fixture *f, unsigned id)
{
    for (unsigned k = 0; k < 600; k++) {
        char level[64];
        uint32_t got;
        (void)snprintf(level, sizeof(level), "[\"100.00\",\"%u\"]", 1 + k % 7);
        f->now.mono.ns += NS_PER_S / 10;
        (void)feed_on_timer(f->feed, f->now, &f->out);
        (void)depth(f, "BTCUSDT", id + k, id + k, level, "");
        (void)ticker(f, id + k, "100.00", level + 10, "100.01", "1");
        if (feed_snapshot_wanted(f->feed, f->now, &got) && got == 5)
            snapshot(f, 5, id + k, 6);
        const struct md_ref *r = feed_md_ref(f->feed, 5);
        if (k > 0 && r->tob.state == BOOK_LIVE && r->tob.recv_ns == f->now.mono.ns && r->tob.ask_px == 10001)
            return 1 + k / 10;
    }
    return 0;
}

TEST(a_stream_that_counts_from_below_is_a_gap_after_the_limit_and_followed_again)
{
    struct fixture *f = fixture_live();
    (void)depth(f, "BTCUSDT", 101, 5000000, "", "");
    (void)ticker(f, 5000000, "100.00", "7.0", "100.01", "1.0");
    for (unsigned k = 0; k < 2; k++) { /* at the limit, and past it */
        (void)depth(f, "BTCUSDT", 10 + k, 10 + k, "", "");
        CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
        f->now.mono.ns += f->cfg.depth_lag_max_ns;
    }
    (void)depth(f, "BTCUSDT", 12, 12, "", "");
    CHECK_EQ(feed_state(f->feed, 5), BOOK_GAP);
    CHECK_EQ(feed_counters(f->feed)->gaps, 1);
    unsigned s = seconds_to_live(f, 13);
    CHECK(s > 0 && s <= 10);
    fixture_close(f);
}

TEST(a_book_ticker_that_counts_from_below_is_a_gap_after_the_limit_though_depth_says_nothing)
{
    for (unsigned way = 0; way < 4; way++) {
        bool again = way == 1 || way == 3; /* one that follows comes between, or depth */
        struct fixture *f = fixture_live();
        if (way < 2)
            (void)ticker(f, 100, "100.00", "1.0", "100.01", "1.0");
        (void)ticker(f, 10, "100.00", "1.0", "100.01", "1.0");
        f->now.mono.ns += f->cfg.depth_lag_max_ns;
        if (way == 1)
            (void)ticker(f, 101, "100.00", "1.0", "100.01", "1.0");
        if (way == 3)
            (void)depth(f, "BTCUSDT", 101, 101, "", "");
        (void)ticker(f, 11, "100.00", "1.0", "100.01", "1.0");
        CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
        f->now.mono.ns += 1;
        (void)ticker(f, 12, "100.00", "1.0", "100.01", "1.0");
        CHECK_EQ(feed_state(f->feed, 5), again ? BOOK_LIVE : BOOK_GAP);
        if (!again) {
            f->now.mono.ns += f->cfg.retry_max_ns;
            CHECK(wanted(f, 5));
            snapshot(f, 5, 12, 6); /* the new numbers are the ones that count */
            CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
        }
        fixture_close(f);
    }
}

/* The newest of the new numbers is what a snapshot must have: neither a repeat that comes late nor an old bookTicker
 * makes an older one good enough. */
TEST(a_snapshot_older_than_the_new_numbers_is_asked_again)
{
    for (unsigned way = 0; way < 2; way++) {
        struct fixture *f = fixture_live();
        (void)ticker(f, 100, "100.00", "1.0", "100.01", "1.0");
        (void)ticker(f, 10, "100.00", "1.0", "100.01", "1.0");
        (void)depth(f, "BTCUSDT", 11, 20, "[\"100.00\",\"5.0\"]", "");
        f->now.mono.ns += f->cfg.depth_lag_max_ns + 1;
        if (way == 0)
            (void)depth(f, "BTCUSDT", 11, 12, "", "");
        (void)ticker(f, 12, "100.00", "1.0", "100.01", "1.0");
        CHECK_EQ(feed_state(f->feed, 5), BOOK_GAP);
        f->now.mono.ns += f->cfg.retry_max_ns;
        (void)ticker(f, 11, "100.00", "1.0", "100.01", "1.0");
        CHECK(wanted(f, 5));
        snapshot(f, 5, 15, 6);
        CHECK_EQ(feed_state(f->feed, 5), BOOK_GAP);
        pass(f, 200 * NS_PER_MS);
        CHECK(wanted(f, 5));
        snapshot(f, 5, 20, 6);
        CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
        fixture_close(f);
    }
}

TEST(repeats_of_a_stream_that_moves_again_are_no_gap)
{
    struct fixture *f = fixture_live();
    (void)depth(f, "BTCUSDT", 96, 100, "", ""); /* a snapshot may be newer than the stream */
    f->now.mono.ns += f->cfg.depth_lag_max_ns;
    (void)depth(f, "BTCUSDT", 101, 102, "", "");
    (void)depth(f, "BTCUSDT", 101, 102, "", "");
    f->now.mono.ns += f->cfg.depth_lag_max_ns;
    (void)depth(f, "BTCUSDT", 101, 102, "", "");
    (void)feed_on_timer(f->feed, f->now, &f->out);
    CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
    f->now.mono.ns += NS_PER_S;
    (void)feed_on_timer(f->feed, f->now, &f->out); /* silence after a repeat proves nothing */
    CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
    fixture_close(f);
}

TEST(one_update_from_far_ahead_does_not_keep_a_book_from_coming_back)
{
    for (unsigned when = 0; when < 2; when++) { /* while it is live, and while its snapshot is on the way */
        struct fixture *f = when == 0 ? fixture_live() : fixture_open();
        if (when == 1) {
            (void)depth(f, "BTCUSDT", 90, 95, "", "");
            CHECK(wanted(f, 5));
        }
        (void)depth(f, "BTCUSDT", 4000000000, 4000000000, "", "");
        CHECK(feed_state(f->feed, 5) != BOOK_LIVE);
        unsigned s = seconds_to_live(f, 101);
        CHECK(s > 0 && s <= 20);
        fixture_close(f);
    }
}

TEST(one_book_ticker_from_far_ahead_does_not_keep_a_book_from_coming_back)
{
    struct fixture *f = fixture_live();
    (void)ticker(f, 4000000000, "99.00", "7.0", "99.50", "1.0");
    unsigned s = seconds_to_live(f, 101);
    CHECK(s > 0 && s <= 10);
    fixture_close(f);
}

TEST(repeated_update_is_ignored)
{
    struct fixture *f = fixture_live();
    (void)depth(f, "BTCUSDT", 101, 102, "[\"100.00\",\"5.00000000\"]", "");
    (void)depth(f, "BTCUSDT", 101, 102, "[\"100.00\",\"9.00000000\"]", "");
    CHECK_EQ(feed_md_ref(f->feed, 5)->tob.bid_qty, 500000);
    CHECK_EQ(feed_counters(f->feed)->duplicates, 1);
    fixture_close(f);
}

TEST(crossed_or_locked_book_is_never_live)
{
    for (unsigned beyond = 0; beyond < 2; beyond++) {
        struct fixture *f = fixture_live();
        (void)depth(f, "BTCUSDT", 101, 102, beyond ? "[\"100.02\",\"5.00000000\"]" : "[\"100.01\",\"5.00000000\"]", "");
        CHECK_EQ(feed_state(f->feed, 5), beyond ? BOOK_CROSSED : BOOK_LOCKED);
        CHECK_EQ(feed_md_ref(f->feed, 5)->good.bid_px, 10000);
        CHECK_EQ(feed_counters(f->feed)->crossed, beyond);
        CHECK_EQ(feed_counters(f->feed)->locked, !beyond);
        f->now.mono.ns += NS_PER_S;
        CHECK(wanted(f, 5));
        fixture_close(f);
    }
}

TEST(side_that_runs_out_is_shallow_only_when_the_snapshot_ended_there)
{
    for (unsigned deep = 0; deep < 2; deep++) {
        struct fixture *f = fixture_open();
        char text[512] = "";
        (void)depth(f, "BTCUSDT", 90, 95, "", "");
        CHECK(wanted(f, 5));
        snapshot(f, 5, 100, deep ? 7 : 8); /* the limit is 8 */
        for (unsigned i = 0; i < 8; i++)
            (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s[\"%u.%02u\",\"0.00000000\"]",
                           i > 0 ? "," : "", (10000 - i) / 100, (10000 - i) % 100);
        (void)depth(f, "BTCUSDT", 101, 102, text, "");
        CHECK_EQ(feed_state(f->feed, 5), deep ? BOOK_LIVE : BOOK_SHALLOW);
        if (deep)
            CHECK_EQ(feed_md_ref(f->feed, 5)->tob.bid_px, 0);
        fixture_close(f);
    }
}

TEST(book_near_its_edge_is_seeded_again_while_it_stays_live)
{
    struct fixture *f = fixture_open();
    struct snapshot_slice s = { .instrument = 5, .last_update_id = 102, .is_first = true };
    (void)depth(f, "BTCUSDT", 90, 95, "", "");
    CHECK(wanted(f, 5));
    snapshot(f, 5, 100, 8);
    f->now.mono.ns += NS_PER_S;
    CHECK(!wanted(f, 5));
    /* Seven of eight bids go: one is left, fewer than a quarter of the limit. */
    (void)depth(f, "BTCUSDT", 101, 102,
                "[\"100.00\",\"0\"],[\"99.99\",\"0\"],[\"99.98\",\"0\"],[\"99.97\",\"0\"],[\"99.96\",\"0\"],"
                "[\"99.95\",\"0\"],[\"99.94\",\"0\"]",
                "");
    CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
    CHECK(wanted(f, 5));
    uint32_t before = f->event_count;
    for (unsigned i = 0; i < 8; i++)
        s.level[s.count++] = (struct level){ 9993 - i, 100000 };
    feed_on_snapshot_slice(f->feed, &s, f->now, &f->out);
    s.is_first = false;
    s.is_last = true;
    s.side = SIDE_SELL;
    for (unsigned i = 0; i < 8; i++)
        s.level[i] = (struct level){ 10001 + i, 100000 };
    CHECK_EQ(f->event_count, before);
    feed_on_snapshot_slice(f->feed, &s, f->now, &f->out);
    CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
    CHECK_EQ(f->event_count - before, 7); /* the bids below the old edge, nothing else */
    CHECK_EQ(f->event[before].kind, MD_LEVEL);
    CHECK_EQ(f->event[before].level.px, 9992);
    CHECK_EQ(feed_book(f->feed, 5)->side[SIDE_BUY].count, 8);
    fixture_close(f);
}

TEST(a_book_seeded_again_with_fewer_levels_says_which_ones_it_forgot)
{
    struct fixture *f = fixture_open();
    (void)depth(f, "BTCUSDT", 90, 95, "", "");
    CHECK(wanted(f, 5));
    snapshot(f, 5, 100, 8);
    f->now.mono.ns += NS_PER_S;
    /* The bids run out; the asks are eleven, and the next snapshot has eight of them. */
    (void)depth(f, "BTCUSDT", 101, 102,
                "[\"99.99\",\"0\"],[\"99.98\",\"0\"],[\"99.97\",\"0\"],[\"99.96\",\"0\"],[\"99.95\",\"0\"],"
                "[\"99.94\",\"0\"],[\"99.93\",\"0\"]",
                "[\"100.01\",\"0\"]");
    (void)depth(f, "BTCUSDT", 103, 104, "", "[\"100.01\",\"1\"]");
    CHECK(wanted(f, 5));
    uint32_t before = f->event_count;
    snapshot(f, 5, 104, 6); /* bids 100.00 to 99.95, asks 100.01 to 100.06 */
    CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
    unsigned gone = 0;
    unsigned come = 0;
    for (uint32_t i = before; i < f->event_count; i++) {
        CHECK(f->event[i].kind == MD_LEVEL && f->event[i].state == BOOK_LIVE);
        gone += f->event[i].side == SIDE_SELL && f->event[i].level.qty == 0;
        come += f->event[i].side == SIDE_BUY && f->event[i].level.qty != 0;
    }
    CHECK_EQ(gone, 2); /* 100.07 and 100.08 */
    CHECK_EQ(come, 5);
    CHECK_EQ(feed_book(f->feed, 5)->side[SIDE_SELL].count, 6);
    fixture_close(f);
}

TEST(a_late_update_while_syncing_does_not_hide_a_newer_one_that_was_lost)
{
    struct fixture *f = fixture_live();
    (void)depth(f, "BTCUSDT", 106, 110, "", "");
    CHECK_EQ(feed_state(f->feed, 5), BOOK_GAP);
    f->now.mono.ns += NS_PER_S;
    CHECK(wanted(f, 5));
    (void)depth(f, "BTCUSDT", 101, 105, "", "");
    snapshot(f, 5, 100, 6); /* joins 101 to 105, but 110 was seen */
    CHECK_EQ(feed_state(f->feed, 5), BOOK_GAP);
    f->now.mono.ns += NS_PER_S;
    CHECK(wanted(f, 5));
    snapshot(f, 5, 110, 6);
    CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
    fixture_close(f);
}

TEST(level_worse_than_the_edge_is_not_kept)
{
    struct fixture *f = fixture_open();
    (void)depth(f, "BTCUSDT", 90, 95, "", "");
    CHECK(wanted(f, 5));
    snapshot(f, 5, 100, 8);
    (void)depth(f, "BTCUSDT", 101, 101, "[\"99.93\",\"2.0\"],[\"99.92\",\"2.0\"]", "");
    CHECK_EQ(feed_book(f->feed, 5)->side[SIDE_BUY].count, 8);
    CHECK_EQ(book_at(feed_book(f->feed, 5), SIDE_BUY, 7)->qty, 200000);
    fixture_close(f);
}

TEST(lack_of_room_drops_the_worst_levels_and_says_so)
{
    struct fixture *f = fixture_live();
    char text[64];
    /* 6 levels are there and 32 fit: the 27th new one finds no room. */
    for (unsigned i = 1; i <= 27; i++) {
        (void)snprintf(text, sizeof(text), "[\"%u.%02u\",\"1.0\"]", (9000 - i) / 100, (9000 - i) % 100);
        (void)depth(f, "BTCUSDT", 100 + i, 100 + i, text, "");
        CHECK_EQ(feed_counters(f->feed)->trims, i == 27);
    }
    const struct book_side *s = &feed_book(f->feed, 5)->side[SIDE_BUY];
    CHECK_EQ(s->count, 28); /* 32 - 32/8; the new one was worse than the edge that this made */
    CHECK(s->edged && s->trimmed);
    CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
    fixture_close(f);
}

TEST(unreadable_depth_message_makes_that_book_invalid_and_no_other)
{
    struct fixture *f = fixture_live();
    (void)depth(f, "ETHUSDT", 90, 95, "", "");
    CHECK(wanted(f, 2));
    snapshot(f, 2, 100, 6);
    CHECK_EQ(depth(f, "BTCUSDT", 101, 102, "[\"100.001\",\"1\"]", ""), FEED_BAD_MESSAGE);
    CHECK_EQ(feed_state(f->feed, 5), BOOK_GAP);
    CHECK_EQ(feed_state(f->feed, 2), BOOK_LIVE);
    CHECK_EQ(feed_counters(f->feed)->decode[DECODE_PRECISION], 1);
    CHECK_EQ(say(f, "{\"stream\":\"ethusdt@depth@100ms\",\"data\":{\"e\":\"dep"), FEED_BAD_MESSAGE);
    CHECK_EQ(feed_state(f->feed, 2), BOOK_GAP);
    CHECK_EQ(say(f, "nonsense"), FEED_BAD_MESSAGE);
    CHECK_EQ(feed_counters(f->feed)->decode[DECODE_MALFORMED], 2);
    CHECK_EQ(depth(f, "XRPUSDT", 1, 2, "", ""), FEED_BAD_MESSAGE);
    CHECK_EQ(feed_counters(f->feed)->decode[DECODE_UNKNOWN_SYMBOL], 1);
    fixture_close(f);
}

/* ---- connection, subscriptions, other messages ---- */

TEST(connection_down_marks_every_book_and_up_starts_again)
{
    struct fixture *f = fixture_live();
    feed_on_down(f->feed, f->now, &f->out);
    CHECK_EQ(feed_state(f->feed, 5), BOOK_DOWN);
    CHECK_EQ(feed_md_ref(f->feed, 5)->tob.state, BOOK_DOWN);
    CHECK_EQ(feed_md_ref(f->feed, 5)->good.bid_px, 10000);
    CHECK(!wanted(f, 5));
    feed_on_up(f->feed, f->now, &f->out);
    CHECK_EQ(feed_state(f->feed, 5), BOOK_SYNCING);
    (void)depth(f, "BTCUSDT", 1, 2, "", "");
    CHECK(wanted(f, 5)); /* at once: a new connection owes no pause */
    fixture_close(f);
}

TEST(every_instrument_is_subscribed_once_a_connection_in_as_few_messages_as_fit)
{
    struct fixture *f = fixture_open();
    char buf[256];
    size_t n = feed_subscribe_next(f->feed, f->now, &f->out, buf, sizeof(buf));
    buf[n] = '\0';
    CHECK_STR(buf, "{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusdt@depth@100ms\",\"btcusdt@bookTicker\","
                   "\"btcusdt@trade\",\"ethusdt@depth@100ms\",\"ethusdt@bookTicker\",\"ethusdt@trade\"],\"id\":1}");
    CHECK_EQ(feed_subscribe_next(f->feed, f->now, &f->out, buf, sizeof(buf)), 0);
    CHECK_EQ(say(f, "{\"result\":null,\"id\":1}"), FEED_SUBSCRIBED);
    CHECK(wanted(f, 5)); /* confirmed: no need to wait for a first update */
    feed_on_up(f->feed, f->now, &f->out);
    CHECK(feed_subscribe_next(f->feed, f->now, &f->out, buf, 120) > 0);
    CHECK(feed_subscribe_next(f->feed, f->now, &f->out, buf, 120) > 0);
    CHECK_EQ(feed_subscribe_next(f->feed, f->now, &f->out, buf, 120), 0);
    fixture_close(f);
}

TEST(refusal_and_shutdown_are_named)
{
    struct fixture *f = fixture_open();
    int32_t code;
    CHECK_EQ(say(f, "{\"code\":2,\"msg\":\"Invalid request: too many\",\"id\":1}"), FEED_REFUSED);
    CHECK_STR(feed_refusal(f->feed, &code), "Invalid request: too many");
    CHECK_EQ(code, 2);
    CHECK_EQ(say(f, "{\"e\":\"serverShutdown\",\"E\":1770123456789}"), FEED_SHUTDOWN);
    CHECK_EQ(say(f, "{\"stream\":\"!serverShutdown\",\"data\":{\"e\":\"serverShutdown\",\"E\":1770123456789}}"),
             FEED_SHUTDOWN);
    CHECK_EQ(say(f, "{\"e\":\"something\",\"E\":1}"), FEED_OK);
    fixture_close(f);
}

TEST(trade_updates_the_last_price_and_a_repeat_does_not_count_twice)
{
    struct fixture *f = fixture_open();
    const char *text = "{\"e\":\"trade\",\"E\":1723161255343,\"s\":\"BTCUSDT\",\"t\":77,\"p\":\"61837.63000000\","
                       "\"q\":\"0.02000000\",\"T\":1723161255342,\"m\":true,\"M\":true}";
    uint32_t before = f->event_count;
    CHECK_EQ(say(f, text), FEED_OK);
    CHECK_EQ(say(f, text), FEED_OK);
    CHECK_EQ(f->event_count, before + 1);
    const struct md_event *ev = &f->event[before];
    CHECK_EQ(ev->kind, MD_TRADE);
    CHECK_EQ(ev->side, SIDE_SELL);
    CHECK_EQ(ev->flags, MD_LAST_OF_MESSAGE);
    CHECK_EQ(ev->level.px, 6183763);
    CHECK_EQ(ev->level.trade_id, 77);
    CHECK_EQ(ev->level.venue_time_ns, INT64_C(1723161255342000000));
    CHECK_EQ(feed_md_ref(f->feed, 5)->last_px, 6183763);
    fixture_close(f);
}

TEST(new_instrument_version_starts_its_book_again)
{
    struct fixture *f = fixture_live();
    struct instrument v2 = f->ins[0];
    v2.version = 2;
    v2.px_decimals = 3;
    CHECK(feed_add_instrument(f->feed, &v2, f->now, &f->out));
    CHECK_EQ(feed_state(f->feed, 5), BOOK_SYNCING);
    CHECK_EQ(feed_md_ref(f->feed, 5)->good.recv_ns, 0);
    CHECK_EQ(feed_md_ref(f->feed, 5)->tob.instrument_version, 2);
    struct instrument third = instrument_of(7, "XRPUSDT");
    CHECK(!feed_add_instrument(f->feed, &third, f->now, &f->out)); /* room for two */
    struct instrument renamed = instrument_of(5, "BTCUSDC");
    CHECK(!feed_add_instrument(f->feed, &renamed, f->now, &f->out));
    fixture_close(f);
}

TEST(configuration_that_cannot_be_is_refused_with_a_sentence)
{
    struct fault fault;
    struct arena none = { 0 };
    struct feed_config cfg = feed_config_default(1);
    cfg.streams_max = 1025;
    CHECK(feed_init(&cfg, &none, &fault) == NULL);
    CHECK(strstr(fault.text, "1024") != NULL);
    cfg.streams_max = 2; /* one instrument has three */
    CHECK(feed_init(&cfg, &none, &fault) == NULL);
    cfg = feed_config_default(1);
    cfg.groups = FEED_LINKS_MAX;
    cfg.spare = true;
    CHECK(feed_init(&cfg, &none, &fault) == NULL);
    cfg = feed_config_default(1);
    cfg.copies = FEED_COPIES_MAX + 1;
    CHECK(feed_init(&cfg, &none, &fault) == NULL);
    cfg = feed_config_default(1);
    cfg.levels_max = cfg.snapshot_limit - 1;
    CHECK(feed_init(&cfg, &none, &fault) == NULL);
    cfg = feed_config_default(1);
    cfg.streams = MD_STREAM_TICKER;
    CHECK(feed_init(&cfg, &none, &fault) == NULL);
}

/* What a client that follows the broadcast ring sees is the book. */
TEST(published_levels_rebuild_the_book)
{
    struct fixture *f = fixture_live();
    px_t px[2][64];
    qty_t qty[2][64];
    size_t n[2] = { 0, 0 };

    (void)depth(f, "BTCUSDT", 101, 102, "[\"100.00\",\"0.0\"],[\"99.00\",\"2.0\"]", "[\"100.02\",\"4.0\"]");
    for (uint32_t i = 0; i < f->event_count; i++) {
        const struct md_event *ev = &f->event[i];
        if (ev->instrument != 5)
            continue;
        if (ev->kind == MD_CLEAR)
            n[0] = n[1] = 0;
        if (ev->kind != MD_LEVEL)
            continue;
        size_t k = 0;
        while (k < n[ev->side] && px[ev->side][k] != ev->level.px)
            k++;
        px[ev->side][k] = ev->level.px;
        qty[ev->side][k] = ev->level.qty;
        n[ev->side] = MAX(n[ev->side], k + 1);
    }
    for (unsigned s = 0; s < 2; s++) {
        size_t held = 0;
        for (size_t k = 0; k < n[s]; k++)
            held += qty[s][k] != 0;
        CHECK_EQ(held, feed_book(f->feed, 5)->side[s].count);
        const struct level *l;
        for (uint32_t i = 0; (l = book_at(feed_book(f->feed, 5), (enum side)s, i)) != NULL; i++) {
            size_t k = 0;
            while (k < n[s] && px[s][k] != l->px)
                k++;
            CHECK(k < n[s] && qty[s][k] == l->qty);
        }
    }
    const struct md_event *last = &f->event[f->event_count - 1];
    CHECK_EQ(last->kind, MD_TOP);
    CHECK_EQ(last->flags, MD_LAST_OF_MESSAGE);
    struct md_reader r = { 0 };
    struct top_of_book tob = { 0 };
    CHECK(md_reader_init(&r, f->shm, md_shm_footprint(65536, 8)));
    CHECK(md_read_top(&r, 5, &tob));
    CHECK_EQ(tob.bid_px, 9999);
    CHECK_EQ(tob.state, BOOK_LIVE);
    fixture_close(f);
}

TEST(a_ladder_tells_late_readers_the_levels_and_which_events_are_in_them)
{
    struct fixture *f = fixture_live();
    struct md_reader r = { 0 };
    struct ladder book;
    struct md_event ev;

    CHECK(md_reader_init(&r, f->shm, md_shm_footprint(65536, 8)));
    CHECK(!md_read_ladder(&r, 5, &book)); /* the timer writes them */
    (void)depth(f, "BTCUSDT", 101, 102, "", "[\"100.01\",\"3.0\"]");
    (void)feed_on_timer(f->feed, f->now, &f->out);
    CHECK(md_read_ladder(&r, 5, &book));
    CHECK_EQ(book.state, BOOK_LIVE);
    CHECK_EQ(book.venue_seq, 102);
    CHECK_EQ(book.count[SIDE_BUY], 6);
    CHECK_EQ(book.count[SIDE_SELL], 6);
    CHECK_EQ(book.level[SIDE_BUY][0].px, 10000);
    CHECK_EQ(book.level[SIDE_BUY][5].px, 9995);
    CHECK_EQ(book.level[SIDE_SELL][0].qty, 300000);
    CHECK_EQ(book.event_seq, f->writer.tail);
    (void)depth(f, "BTCUSDT", 103, 103, "[\"100.00\",\"0\"]", "");
    while (md_read(&r, &ev) == MD_READ_OK) {
        if (r.next - 1 <= book.event_seq || ev.kind != MD_LEVEL)
            continue;
        CHECK_EQ(ev.level.px, 10000); /* the one thing that the ladder has not */
        CHECK_EQ(ev.level.qty, 0);
        CHECK_EQ(ev.venue_seq, 103);
    }
    CHECK_EQ(r.next - 1, f->writer.tail);
    (void)depth(f, "BTCUSDT", 105, 105, "", ""); /* a gap: the next ladder is not to be traded on */
    (void)feed_on_timer(f->feed, f->now, &f->out);
    CHECK(md_read_ladder(&r, 5, &book));
    CHECK_EQ(book.state, BOOK_GAP);
    CHECK_EQ(book.level[SIDE_BUY][0].px, 9999);
    fixture_close(f);
}

TEST_MAIN()
