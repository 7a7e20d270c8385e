/* The venue says to be quiet: whoever hears it, and whatever is started again meanwhile. On the rig of test_gateway. */
#include "tests/gateway_rig.h"

#define ORDER_CONN  GATEWAY_CONN(0, CONN_ROLE_ORDER)
#define MARKET_CONN GATEWAY_CONN(0, CONN_ROLE_MARKET)

static struct rig rig;

static void
start(void)
{
    memset(&rig, 0, sizeof(rig));
    rig_ready(&rig);
}

TEST(a_ban_outlives_the_process_that_was_told_of_it)
{
    start();
    struct venue_report r = rig_report(VENUE_RATE_LIMITED, NULL);
    r.retry_after_ns = rig.now.wall.ns + 600 * NS_PER_S;
    rig_say(&rig, &r);
    for (unsigned i = 0; i < 3; i++) { /* two seconds each */
        rig_restart(&rig);
        CHECK_EQ(rig.definitions_asked, 0);
        CHECK(!rig.wanted[ORDER_CONN]);
    }
    rig_pass(&rig, 593 * NS_PER_S);
    CHECK_EQ(rig.definitions_asked, 0);
    CHECK_EQ(rig.opened[ORDER_CONN], 0);
    rig_pass(&rig, 5 * NS_PER_S); /* with a margin for a clock that was set */
    CHECK_EQ(rig.definitions_asked, 1);
    rig_up(&rig);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    CHECK(risk_venue_of(rig.risk, 0)->reconciled);
    rig_restart(&rig); /* it is over */
    CHECK_EQ(rig.definitions_asked, 1);
    rig_end(&rig);
}

TEST(a_refused_upgrade_to_order_entry_is_a_ban)
{
    start();
    rig_disconnect(&rig, ORDER_CONN);
    uint32_t opened = rig.opened[ORDER_CONN];
    rig_pass(&rig, NS_PER_S);
    CHECK_EQ(rig.opened[ORDER_CONN], opened + 1);
    gateway_on_quiet(rig.g, ORDER_CONN, 100 * NS_PER_S, rig.now);
    gateway_on_down(rig.g, ORDER_CONN, "the venue answered HTTP/1.1 429", rig.now);
    rig_pass(&rig, 99 * NS_PER_S);
    CHECK_EQ(rig.opened[ORDER_CONN], opened + 1);
    rig_pass(&rig, 2 * NS_PER_S);
    CHECK_EQ(rig.opened[ORDER_CONN], opened + 2);
    rig_end(&rig);
}

TEST(what_reference_data_hears_holds_for_order_entry_cancels_included)
{
    start();
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 1000);
    rig_say_kind(&rig, VENUE_NEW_ACK, rig_take(&rig, VENUE_RQ_NEW)->clordid);
    gateway_on_quiet(rig.g, ORDER_CONN, 10 * NS_PER_S, rig.now);
    uint32_t before = rig.request_count;
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_ORDER_RATE);
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key });
    rig_pass(&rig, 9 * NS_PER_S);
    CHECK_EQ(rig.request_count, before);
    rig_pass(&rig, 2 * NS_PER_S);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 1);
    rig_end(&rig);
}

TEST(a_wait_of_market_data_delays_its_own_connection_and_nothing_else)
{
    start();
    rig_disconnect(&rig, MARKET_CONN);
    gateway_on_quiet(rig.g, MARKET_CONN, 100 * NS_PER_S, rig.now);
    uint32_t opened = rig.opened[MARKET_CONN];
    rig_pass(&rig, 99 * NS_PER_S);
    CHECK_EQ(rig.opened[MARKET_CONN], opened);
    CHECK(rig.connected[ORDER_CONN] && rig.wanted[ORDER_CONN]);
    rig_pass(&rig, 2 * NS_PER_S);
    CHECK_EQ(rig.opened[MARKET_CONN], opened + 1);
    rig_end(&rig);
}

TEST(a_wait_of_years_ends_after_a_week)
{
    start();
    gateway_on_quiet(rig.g, ORDER_CONN, INT64_MAX, rig.now);
    rig_disconnect(&rig, ORDER_CONN);
    CHECK_EQ(rig.timer[GATEWAY_TIMER_SESSION(ORDER_CONN)].ns, rig.now.mono.ns + INT64_C(7) * 86400 * NS_PER_S);
    rig_end(&rig);
}

TEST_MAIN()
