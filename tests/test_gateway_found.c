/* What the simulator (tests/sim) found in the deterministic core, each as the smallest story that shows it. */
#include "tests/gateway_rig.h"

static struct rig rig;

/* Whatever is asked about this order: the venue knows nothing of it. */
static void
venue_knows_nothing(const char *clordid)
{
    while (rig_take(&rig, VENUE_RQ_QUERY) != NULL)
        rig_say_kind(&rig, VENUE_NOT_FOUND, clordid);
    while (rig_take(&rig, VENUE_RQ_TRADES) != NULL)
        rig_say_kind(&rig, VENUE_TRADES_END, clordid);
}

TEST(cancels_one_after_the_other_do_not_put_off_the_proof_that_an_order_was_never_placed)
{
    rig_ready(&rig);
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 100000);
    char clordid[CLORDID_BYTES];
    memcpy(clordid, rig_take(&rig, VENUE_RQ_NEW)->clordid, CLORDID_BYTES);
    for (unsigned i = 0; i < 8 && order_live(rig_order(&rig, key)); i++) {
        rig_pass(&rig, 2 * NS_PER_S);
        rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key });
        if (rig_take(&rig, VENUE_RQ_CANCEL) != NULL)
            rig_say_kind(&rig, VENUE_CANCEL_REJECTED, clordid);
        rig_pass(&rig, 500 * NS_PER_MS);
        venue_knows_nothing(clordid);
    }
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_NOT_PLACED);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 0);
    rig_end(&rig);
}

static void
any_clock(struct risk_limits *l)
{
    l->venue_default.clock_offset_max_ns = 10 * NS_PER_S;
}

TEST(a_ban_lasts_as_long_as_the_venue_said_by_its_own_clock_whatever_ours_does)
{
    rig_limits = any_clock;
    rig_ready(&rig);
    rig_limits = NULL;
    rig.now.wall.ns += 2 * NS_PER_S; /* a step since the offset was measured */
    struct venue_report v = rig_report(VENUE_RATE_LIMITED, NULL);
    v.venue_time_ns = INT64_C(1700000100) * NS_PER_S;
    v.retry_after_ns = v.venue_time_ns + 3 * NS_PER_S;
    rig_say(&rig, &v);
    rig_pass(&rig, 3 * NS_PER_S - 1);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 0);
    rig_pass(&rig, 1);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 1);
    rig_end(&rig);
}

TEST(a_shorter_ban_that_is_told_later_does_not_end_a_longer_one)
{
    rig_ready(&rig);
    struct venue_report v = rig_report(VENUE_RATE_LIMITED, NULL);
    v.venue_time_ns = rig.now.wall.ns;
    v.retry_after_ns = v.venue_time_ns + 10 * NS_PER_S;
    rig_say(&rig, &v);
    v.retry_after_ns = v.venue_time_ns + NS_PER_S;
    rig_say(&rig, &v);
    rig_pass(&rig, 5 * NS_PER_S);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 0);
    rig_end(&rig);
}

TEST(a_ban_that_is_told_during_the_log_on_stops_its_next_step_until_it_is_over)
{
    rig_start(&rig);
    struct instrument ins = rig_instrument();
    gateway_on_definition(rig.g, &ins, rig.now);
    gateway_on_definitions_end(rig.g, 0, true, rig.now);
    uint32_t conn = GATEWAY_CONN(0, CONN_ROLE_ORDER);
    rig_connect(&rig, conn);
    struct venue_report v = rig_report(VENUE_RATE_LIMITED, NULL);
    v.venue_time_ns = rig.now.wall.ns;
    v.retry_after_ns = v.venue_time_ns + 20 * NS_PER_S;
    rig_say(&rig, &v);
    v = rig_report(VENUE_TIME, NULL);
    v.venue_time_ns = rig.now.wall.ns;
    rig_say(&rig, &v);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_LOGON), 0);
    rig_pass(&rig, 6 * NS_PER_S);
    CHECK(!rig.wanted[conn]);
    rig_disconnect(&rig, conn);
    rig_pass(&rig, 14 * NS_PER_S - 1);
    CHECK(!rig.wanted[conn]);
    rig_pass(&rig, 1);
    CHECK(rig.wanted[conn]);
    rig_end(&rig);
}

TEST(a_replace_in_turn_whose_key_was_forgotten_meanwhile_is_denied)
{
    rig_ready(&rig);
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 100000);
    char clordid[CLORDID_BYTES];
    memcpy(clordid, rig_take(&rig, VENUE_RQ_NEW)->clordid, CLORDID_BYTES);
    struct venue_report v = rig_report(VENUE_FILL, clordid); /* filled in part: the cancel goes first */
    v.trade_id = 1;
    v.last_px = 99900;
    v.last_qty = v.cum_qty = 40000;
    rig_say(&rig, &v);
    struct command c = rig_limit(&rig, SIDE_BUY, 99800, 150000);
    c.verb = COMMAND_REPLACE;
    c.target_key = key;
    rig_command(&rig, RIG_STRATEGY, c);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 1);
    for (unsigned i = 0; i < 40; i++) /* more than are kept of keys that made no order */
        (void)rig_new(&rig, SIDE_BUY, 0, 1000);
    while (rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).kind == REPORT_DENIED) {
    }
    v = rig_report(VENUE_CANCELED, clordid);
    v.cum_qty = 40000;
    rig_say(&rig, &v);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_CANCELED);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_DUPLICATE_KEY);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 1);
    rig_end(&rig);
}

/* A client that hears of any other reason would take an order that was accepted for one that was not. */
TEST(a_key_that_was_used_and_forgotten_is_a_duplicate_whatever_else_speaks_against_the_command)
{
    rig_ready(&rig);
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 1000);
    struct command c = rig_limit(&rig, SIDE_BUY, 99900, 1000);
    rig_say_kind(&rig, VENUE_CANCELED, rig_take(&rig, VENUE_RQ_NEW)->clordid);
    for (unsigned i = 0; order_find_key(rig.orders, RIG_CLIENT, key) != ORDER_NONE; i++) {
        CHECK(i < 1000);
        (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
        rig_say_kind(&rig, VENUE_CANCELED, rig_take(&rig, VENUE_RQ_NEW)->clordid);
        rig_pass(&rig, NS_PER_S);
    }
    unsigned sent = rig_requests(&rig, VENUE_RQ_NEW);
    uint64_t seq = rig.journal.seq;
    c.key = key;
    c.px = 0; /* no price at all */
    rig_command(&rig, RIG_STRATEGY, c);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_DUPLICATE_KEY);
    CHECK_EQ(rig.journal.seq, seq + 1);
    c.verb = COMMAND_REPLACE; /* of nothing */
    c.target_key = 0;
    rig_command(&rig, RIG_STRATEGY, c);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_DUPLICATE_KEY);
    kill_trip(risk_kill(rig.risk));
    c.verb = COMMAND_NEW;
    rig_command(&rig, RIG_STRATEGY, c);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_DUPLICATE_KEY);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), sent);
    rig_end(&rig);
}

TEST(a_cancel_over_an_order_of_unknown_fate_is_lost_with_its_connection)
{
    rig_ready(&rig);
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 100000);
    char clordid[CLORDID_BYTES];
    memcpy(clordid, rig_take(&rig, VENUE_RQ_NEW)->clordid, CLORDID_BYTES);
    rig_pass(&rig, 2 * NS_PER_S);
    CHECK(order_unknown(rig_order(&rig, key)));
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key });
    CHECK_EQ(rig_order(&rig, key)->request, REQUEST_CANCEL_IN_FLIGHT);
    rig_disconnect(&rig, GATEWAY_CONN(0, CONN_ROLE_ORDER));
    CHECK_EQ(rig_order(&rig, key)->request, REQUEST_CANCEL_UNKNOWN);
    rig_end(&rig);
}

TEST_MAIN()
