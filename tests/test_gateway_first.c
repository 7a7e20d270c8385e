/* A journal that begins after the account's trades do: nothing is guessed about positions. On the rig of test_gateway.
 */
#include "tests/gateway_rig.h"

static struct rig rig;

/* The answer to the question for trades: the last `count` of ids up to `last`. */
static void
trades(int64_t last, unsigned count)
{
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
    for (unsigned i = 0; i < count; i++) {
        struct venue_report v = rig_report(VENUE_FILL, NULL);
        v.request = VENUE_RQ_TRADES;
        v.trade_id = last - count + 1 + i;
        v.venue_order_id = 900 + i;
        v.last_px = 99900;
        v.last_qty = 70000;
        v.side = SIDE_BUY;
        v.venue_time_ns = rig.now.wall.ns - 60 * NS_PER_S;
        rig_say(&rig, &v);
    }
    struct venue_report end = rig_report(VENUE_TRADES_END, NULL);
    end.request = VENUE_RQ_TRADES;
    rig_say(&rig, &end);
}

static void
held(value_t btc)
{
    CHECK(rig_take(&rig, VENUE_RQ_BALANCES) != NULL);
    struct venue_report v = rig_report(VENUE_BALANCE, NULL);
    v.request = VENUE_RQ_BALANCES;
    v.last_qty = btc;
    (void)snprintf(v.fee_ccy, sizeof(v.fee_ccy), "BTC");
    rig_say(&rig, &v);
    (void)snprintf(v.fee_ccy, sizeof(v.fee_ccy), "USDT");
    v.last_qty = 1000000 * VALUE_ONE;
    rig_say(&rig, &v);
    struct venue_report end = rig_report(VENUE_BALANCES_END, NULL);
    end.request = VENUE_RQ_BALANCES;
    rig_say(&rig, &end);
}

static void
start(bool new_journal, bool first_held)
{
    memset(&rig, 0, sizeof(rig));
    rig.new_journal = new_journal;
    rig.first_held = first_held;
    rig_start_sweeping(&rig, FOREIGN_REPORT, false);
    rig_up(&rig);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
}

static bool
takes_orders(void)
{
    uint32_t before = rig_requests(&rig, VENUE_RQ_NEW);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    if (rig_requests(&rig, VENUE_RQ_NEW) > before)
        return true;
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_RECONCILING);
    return false;
}

TEST(an_instrument_that_the_account_never_traded_begins_at_zero)
{
    start(false, false);
    trades(0, 0);
    held(10 * VALUE_ONE); /* a deposit is no position */
    CHECK(takes_orders());
    CHECK_EQ(rig_position(&rig)->qty, 0);
    rig_end(&rig);
}

TEST(one_that_it_traded_before_takes_no_orders_and_asks_again_at_every_start)
{
    start(false, false);
    trades(41, 1);
    held(10 * VALUE_ONE);
    CHECK(risk_venue_of(rig.risk, 0)->reconciled); /* the venue is, the others trade */
    CHECK(!takes_orders());
    CHECK(!rig_position(&rig)->reconciled);
    CHECK_EQ(metric_get(rig.metrics, METRIC_POSITION_UNKNOWN, 0), 1);
    CHECK(order_trade_cursor(rig.orders, 0) < 0); /* the decision is still to be made */

    rig_restart(&rig);
    rig_up(&rig);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    trades(41, 1);
    held(10 * VALUE_ONE);
    CHECK(!takes_orders());

    rig.new_journal = true;
    rig_restart(&rig);
    rig_up(&rig);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    trades(41, 1);
    held(10 * VALUE_ONE);
    CHECK(takes_orders());
    CHECK_EQ(rig_position(&rig)->qty, 0);
    CHECK_EQ(order_trade_cursor(rig.orders, 0), 42);
    CHECK_EQ(metric_get(rig.metrics, METRIC_POSITION_UNKNOWN, 0), 0);

    rig.new_journal = false; /* decided, and in the journal */
    rig_restart(&rig);
    CHECK_EQ(order_trade_cursor(rig.orders, 0), 42);
    rig_end(&rig);
}

TEST(held_takes_the_balance_for_the_position_and_the_journal_keeps_it)
{
    start(false, true);
    trades(41, 1);
    held(7 * VALUE_ONE);
    CHECK(!takes_orders());
    rig_pass(&rig, NS_PER_S);
    trades(41, 1); /* no trade came between */
    CHECK_EQ(rig_position(&rig)->qty, 700000);
    CHECK_EQ(order_trade_cursor(rig.orders, 0), 42);
    held(7 * VALUE_ONE);
    CHECK(takes_orders());
    CHECK(rig_position(&rig)->reconciled);

    rig_restart(&rig);
    CHECK_EQ(rig_position(&rig)->qty, 700000);
    rig_end(&rig);
}

TEST(a_trade_between_the_two_looks_makes_it_look_again)
{
    start(false, true);
    trades(41, 1);
    held(7 * VALUE_ONE);
    rig_pass(&rig, NS_PER_S);
    trades(42, 2); /* before or after the balance was told? */
    CHECK_EQ(rig_position(&rig)->qty, 0);
    CHECK(order_trade_cursor(rig.orders, 0) < 0);
    held(8 * VALUE_ONE); /* which no trade explains either: doubted first */
    CHECK(!takes_orders());
    rig_pass(&rig, 3 * NS_PER_S);
    trades(42, 2);
    CHECK_EQ(rig_position(&rig)->qty, 800000);
    held(8 * VALUE_ONE);
    CHECK(takes_orders());
    rig_end(&rig);
}

TEST(an_account_that_never_rests_holds_up_its_own_instrument_alone)
{
    start(false, true);
    for (unsigned i = 0; i < 6; i++) {
        trades(41 + i, 1);
        held(7 * VALUE_ONE);
        rig_pass(&rig, NS_PER_S);
    }
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) == NULL); /* not before the next audit */
    CHECK(risk_venue_of(rig.risk, 0)->reconciled);
    CHECK(!takes_orders());
    rig_end(&rig);
}

TEST(a_fraction_below_the_instruments_unit_counts_as_one)
{
    start(false, true);
    trades(41, 1);
    held(7 * VALUE_ONE + 1);
    rig_pass(&rig, NS_PER_S);
    trades(41, 1);
    CHECK_EQ(rig_position(&rig)->qty, 700001);
    rig_end(&rig);
}

TEST_MAIN()
