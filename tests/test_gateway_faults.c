/* Faults of docs/faults.md that have no home elsewhere, each as a story of the whole core. */
#include "tests/gateway_rig.h"

static struct rig rig;

static uint64_t
sent_buy(char clordid[CLORDID_BYTES])
{
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 1000);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_NEW);
    CHECK(q != NULL);
    memcpy(clordid, q->clordid, CLORDID_BYTES);
    return key;
}

static void
say_fill(const char *clordid, int64_t trade, qty_t qty, qty_t cum)
{
    struct venue_report v = rig_report(VENUE_FILL, clordid);
    v.request = VENUE_RQ_COUNT;
    v.trade_id = trade;
    v.last_px = 99900;
    v.last_qty = qty;
    v.cum_qty = cum;
    v.venue_order_id = 77;
    rig_say(&rig, &v);
}

TEST(an_accept_on_the_stream_ends_the_time_out_of_the_answer_that_was_lost_and_nothing_is_sent_twice)
{
    char clordid[CLORDID_BYTES];
    rig_ready(&rig);
    uint64_t key = sent_buy(clordid);
    rig_pass(&rig, 500 * NS_PER_MS); /* the answer is lost, its time-out runs */
    struct venue_report v = rig_report(VENUE_NEW_ACK, clordid);
    v.request = VENUE_RQ_COUNT;
    v.venue_order_id = 77;
    rig_say(&rig, &v);
    rig_pass(&rig, 20 * NS_PER_S);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_NEW);
    CHECK(!order_unknown(rig_order(&rig, key)));
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 1);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_QUERY), 0);
    CHECK_EQ(metric_get(rig.metrics, METRIC_ORDER_BECAME_UNKNOWN, 0), 0);
    rig_end(&rig);
}

TEST(an_answer_of_unknown_outcome_is_found_on_the_stream_and_the_order_is_there_once)
{
    char clordid[CLORDID_BYTES];
    rig_ready(&rig);
    uint64_t key = sent_buy(clordid);
    struct venue_report v = rig_report(VENUE_UNKNOWN, clordid); /* -1007, 5xx */
    v.request = VENUE_RQ_NEW;
    rig_say(&rig, &v);
    CHECK(order_unknown(rig_order(&rig, key)));
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 1000);
    say_fill(clordid, 5, 400, 400);
    CHECK(!order_unknown(rig_order(&rig, key)));
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_PARTIALLY_FILLED);
    CHECK_EQ(rig_position(&rig)->qty, 400);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 600);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 1);
    rig_end(&rig);
}

TEST(the_key_of_a_filled_order_is_answered_with_its_result_and_places_nothing)
{
    char clordid[CLORDID_BYTES];
    rig_ready(&rig);
    uint64_t key = sent_buy(clordid);
    rig_say_kind(&rig, VENUE_NEW_ACK, clordid);
    say_fill(clordid, 5, 1000, 1000);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_FILLED);
    struct command again = rig_limit(&rig, SIDE_BUY, 99900, 1000);
    again.key = key;
    (void)rig_next(&rig, RIG_STRATEGY, REPORT_FILL);
    rig_command(&rig, RIG_STRATEGY, again);
    struct report r = rig_next(&rig, RIG_STRATEGY, REPORT_ORDER);
    CHECK_EQ(r.key, key);
    CHECK_EQ(r.cum_qty, 1000);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 1);
    CHECK_EQ(rig_position(&rig)->qty, 1000);
    rig_end(&rig);
}

TEST(a_fill_that_is_told_again_and_again_moves_the_position_once)
{
    char clordid[CLORDID_BYTES];
    rig_ready(&rig);
    uint64_t key = sent_buy(clordid);
    rig_say_kind(&rig, VENUE_NEW_ACK, clordid);
    for (unsigned i = 0; i < 5; i++)
        say_fill(clordid, 5, 300, 300);
    say_fill(clordid, 6, 700, 1000);
    say_fill(clordid, 5, 300, 300); /* and after its end */
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_FILLED);
    CHECK_EQ(rig_order(&rig, key)->cum_qty, 1000);
    CHECK_EQ(rig_position(&rig)->qty, 1000);
    CHECK_EQ(metric_get(rig.metrics, METRIC_FILL_DUPLICATES, 0), 5);
    rig_end(&rig);
}

TEST(a_cancel_of_an_order_that_the_venue_calls_unknown_is_not_flat_before_its_trades_were_looked_at)
{
    char clordid[CLORDID_BYTES];
    rig_ready(&rig);
    uint64_t key = sent_buy(clordid);
    rig_say_kind(&rig, VENUE_NEW_ACK, clordid);
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key });
    rig_say_kind(&rig, VENUE_CANCEL_REJECTED, clordid); /* "unknown order" */
    CHECK(order_live(rig_order(&rig, key)));
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 1000);
    rig_pass(&rig, NS_PER_S);
    CHECK(rig_take(&rig, VENUE_RQ_QUERY) != NULL);
    struct venue_report s = rig_report(VENUE_STATUS, clordid);
    s.request = VENUE_RQ_QUERY;
    s.state = ORDER_CANCELED;
    s.venue_order_id = 77;
    s.cum_qty = 600; /* which no report has told */
    rig_say(&rig, &s);
    CHECK_EQ(rig_position(&rig)->qty, 0);
    rig_pass(&rig, NS_PER_S);
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 600);
    say_fill(clordid, 5, 600, 600);
    CHECK_EQ(rig_position(&rig)->qty, 600);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 0);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_CANCELED);
    rig_end(&rig);
}

TEST(after_a_pause_of_thirty_seconds_what_was_in_flight_is_unknown_reserved_and_asked_about)
{
    char clordid[CLORDID_BYTES];
    rig_ready(&rig);
    uint64_t key = sent_buy(clordid);
    rig.now.mono.ns += 30 * NS_PER_S; /* the machine stood still: nothing ran, nothing was heard */
    rig.now.wall.ns += 30 * NS_PER_S;
    rig_pass(&rig, NS_PER_S);
    CHECK(order_unknown(rig_order(&rig, key)));
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 1000);
    uint32_t sent = rig_requests(&rig, VENUE_RQ_NEW);
    CHECK(rig_take(&rig, VENUE_RQ_QUERY) != NULL);
    struct venue_report s = rig_report(VENUE_STATUS, clordid);
    s.request = VENUE_RQ_QUERY;
    s.state = ORDER_NEW;
    s.venue_order_id = 77;
    rig_say(&rig, &s);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_NEW);
    CHECK(!order_unknown(rig_order(&rig, key)));
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), sent);
    rig_end(&rig);
}

TEST(a_step_of_the_wall_clock_moves_no_time_out_and_its_offset_is_measured_again)
{
    static const int64_t step_s[] = { 2, -2 };

    for (unsigned i = 0; i < ARRAY_LEN(step_s); i++) {
        char clordid[CLORDID_BYTES];
        rig_ready(&rig);
        uint64_t key = sent_buy(clordid);
        int64_t venue_ns = rig.now.wall.ns;
        int64_t at_ns = rig.now.mono.ns;
        rig.now.wall.ns += step_s[i] * NS_PER_S;
        rig_pass(&rig, 1900 * NS_PER_MS);
        CHECK(!order_unknown(rig_order(&rig, key))); /* its time-out is of the steady clock: two seconds */
        rig_pass(&rig, 200 * NS_PER_MS);
        CHECK(order_unknown(rig_order(&rig, key)));
        for (unsigned s = 0; s < 60 && rig_take(&rig, VENUE_RQ_TIME) == NULL; s++)
            rig_pass(&rig, NS_PER_S);
        struct venue_report t = rig_report(VENUE_TIME, NULL);
        t.venue_time_ns = venue_ns + (rig.now.mono.ns - at_ns); /* the venue's clock did not step */
        rig_say(&rig, &t);
        int64_t off_ns = risk_venue_of(rig.risk, 0)->clock_offset_ns + step_s[i] * NS_PER_S;
        CHECK(off_ns <= NS_PER_S && off_ns >= -NS_PER_S); /* half of what its answer took */
        rig_end(&rig);
    }
}

/* Far ahead, a venue would take an order long after its deadline; behind, none at all; and trades asked from too late
 * do not hold the one that is looked for. */
TEST(a_step_of_the_wall_clock_changes_neither_the_time_a_request_names_nor_the_trades_that_are_asked_for)
{
    static const int64_t step_s[] = { 0, 6, -6 };

    for (unsigned i = 0; i < ARRAY_LEN(step_s); i++) {
        char clordid[CLORDID_BYTES];
        rig_ready(&rig);
        int64_t venue_ns = rig.now.wall.ns - rig.now.mono.ns; /* they agreed */
        rig.now.wall.ns += step_s[i] * NS_PER_S;
        uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 1000);
        struct rig_request *sent = rig_take(&rig, VENUE_RQ_NEW);
        CHECK(sent != NULL);
        int64_t sent_ns = venue_ns + sent->at_ns;
        CHECK_EQ(sent->venue_at_ns, sent_ns);
        CHECK_EQ(rig_order(&rig, key)->venue_deadline_ns, sent_ns + NS_PER_S);
        memcpy(clordid, sent->clordid, CLORDID_BYTES);
        rig_pass(&rig, 3 * NS_PER_S);
        struct venue_report s = rig_report(VENUE_STATUS, clordid);
        s.request = VENUE_RQ_QUERY;
        s.state = ORDER_FILLED;
        s.venue_order_id = 77;
        s.cum_qty = 1000; /* which no report has told */
        rig_say(&rig, &s);
        rig_pass(&rig, NS_PER_S);
        struct rig_request *trades = rig_take(&rig, VENUE_RQ_TRADES);
        CHECK(trades != NULL);
        CHECK(trades->since_ns < sent_ns && trades->since_ns > sent_ns - 2 * NS_PER_S);
        rig_end(&rig);
    }
}

TEST_MAIN()
