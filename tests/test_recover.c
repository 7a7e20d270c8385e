/* Killed and started again: what the journal says lives on, the venue is asked about all of it before anything new. */
#include "execgw/admission.h"
#include "tests/gateway_rig.h"

#define ORDER_CONN GATEWAY_CONN(0, CONN_ROLE_ORDER)

static struct rig rig;

static struct venue_report
fill_report(const char *clordid, uint64_t order, int64_t trade, qty_t qty, qty_t cum)
{
    struct venue_report v = rig_report(VENUE_FILL, clordid);
    v.trade_id = trade;
    v.last_px = 99900;
    v.last_qty = qty;
    v.cum_qty = cum;
    v.venue_order_id = order;
    v.side = SIDE_BUY;
    return v;
}

static struct venue_report
open_order(const char *clordid, uint64_t order, qty_t qty, qty_t cum)
{
    struct venue_report v = rig_report(VENUE_OPEN_ORDER, clordid);
    v.request = VENUE_RQ_OPEN_ORDERS;
    v.state = cum > 0 ? ORDER_PARTIALLY_FILLED : ORDER_NEW;
    v.venue_order_id = order;
    v.px = 99900;
    v.qty = qty;
    v.cum_qty = cum;
    v.side = SIDE_BUY;
    return v;
}

/* A resting buy of 1.00000 at 999.00 under venue order id `order`; its ClOrdID in clordid. */
static uint64_t
working_buy(uint64_t order, char clordid[CLORDID_BYTES])
{
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 100000);
    memcpy(clordid, rig_take(&rig, VENUE_RQ_NEW)->clordid, CLORDID_BYTES);
    struct venue_report ack = rig_report(VENUE_NEW_ACK, clordid);
    ack.venue_order_id = order;
    rig_say(&rig, &ack);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_NEW);
    return key;
}

TEST(a_working_order_lives_on_with_its_reservation_and_the_venues_list_settles_it)
{
    char clordid[CLORDID_BYTES];
    rig_ready(&rig);
    uint64_t key = working_buy(77, clordid);
    struct venue_report f = fill_report(clordid, 77, 5, 40000, 40000);
    rig_say(&rig, &f);

    rig_restart(&rig);
    CHECK_EQ(rig.replayed.live, 1);
    CHECK_EQ(rig_position(&rig)->qty, 40000);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 60000);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_PARTIALLY_FILLED);
    rig_up(&rig);
    rig_command(&rig, RIG_STRATEGY, rig_limit(&rig, SIDE_BUY, 99900, 1000));
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_RECONCILING);
    struct venue_report o = open_order(clordid, 77, 100000, 40000);
    rig_say(&rig, &o);
    CHECK(!risk_venue_of(rig.risk, 0)->reconciled);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    CHECK(risk_venue_of(rig.risk, 0)->reconciled);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_QUERY), 0);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 0);

    rig_say(&rig, &f); /* the old trade again: it was counted before the crash */
    CHECK_EQ(rig_position(&rig)->qty, 40000);
    f = fill_report(clordid, 77, 6, 60000, 100000);
    rig_say(&rig, &f);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_FILLED);
    CHECK_EQ(rig_position(&rig)->qty, 100000);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 0);
    rig_end(&rig);
}

TEST(an_order_whose_intent_is_the_last_record_is_unknown_and_not_placed_only_by_proof)
{
    rig_ready(&rig);
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 100000);
    char clordid[CLORDID_BYTES];
    struct rig_request *sent = rig_take(&rig, VENUE_RQ_NEW);
    memcpy(clordid, sent->clordid, CLORDID_BYTES);
    int64_t proof = sent->venue_at_ns + 3 * NS_PER_S;

    rig_restart(&rig);
    CHECK_EQ(rig.replayed.live, 1);
    CHECK(order_unknown(rig_order(&rig, key)));
    CHECK_EQ(gateway_orders_unknown(rig.g), 1);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 100000);
    rig_up(&rig);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    CHECK(!risk_venue_of(rig.risk, 0)->reconciled);
    CHECK(rig_take(&rig, VENUE_RQ_QUERY)->venue_at_ns < proof);
    rig_say_kind(&rig, VENUE_NOT_FOUND, clordid);
    CHECK(order_unknown(rig_order(&rig, key)));
    CHECK(risk_venue_of(rig.risk, 0)->reconciled); /* new orders go on beside it: it keeps its reservation */
    rig_pass(&rig, 4 * NS_PER_S);
    CHECK(rig_take(&rig, VENUE_RQ_QUERY)->venue_at_ns >= proof);
    rig_not_found(&rig, clordid);
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
    rig_say_kind(&rig, VENUE_TRADES_END, clordid);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_NOT_PLACED);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 0);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 0);
    rig_end(&rig);
}

TEST(a_cancel_in_flight_at_the_crash_is_sent_again_until_the_order_is_over)
{
    char clordid[CLORDID_BYTES];
    rig_ready(&rig);
    uint64_t key = working_buy(77, clordid);
    struct command c = { .verb = COMMAND_CANCEL, .target_key = key, .key = ++rig.key };
    rig_command(&rig, RIG_STRATEGY, c);
    CHECK(rig_take(&rig, VENUE_RQ_CANCEL) != NULL);

    rig_restart(&rig);
    rig_up(&rig);
    struct venue_report o = open_order(clordid, 77, 100000, 0);
    rig_say(&rig, &o);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    rig_pass(&rig, 4 * NS_PER_S);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_QUERY);
    CHECK(q != NULL);
    struct venue_report s = open_order(clordid, 77, 100000, 0);
    s.kind = VENUE_STATUS;
    s.request = VENUE_RQ_QUERY;
    rig_say(&rig, &s);
    rig_pass(&rig, 4 * NS_PER_S);
    rig_say(&rig, &s);
    rig_pass(&rig, 4 * NS_PER_S);
    CHECK(rig_take(&rig, VENUE_RQ_CANCEL) != NULL);
    rig_say_kind(&rig, VENUE_CANCELED, clordid);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_CANCELED);
    rig_end(&rig);
}

TEST(ids_of_a_later_start_are_above_those_of_an_earlier_one)
{
    char first[CLORDID_BYTES];
    rig_ready(&rig);
    (void)working_buy(77, first);
    for (int i = 0; i < 5; i++) {
        rig_restart(&rig);
        rig_up(&rig);
        struct venue_report o = open_order(first, 77, 100000, 0);
        rig_say(&rig, &o);
        rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
        rig_pass(&rig, 10 * NS_PER_S);
        (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
        struct rig_request *q = rig_take(&rig, VENUE_RQ_NEW);
        CHECK(q != NULL && strcmp(q->clordid, first) > 0);
        rig_say_kind(&rig, VENUE_REJECTED, q->clordid);
    }
    CHECK_EQ(gateway_orders_live(rig.g), 1);
    rig_end(&rig);
}

/* ---- the account: trades from the cursor on, foreign orders, balances -------------------------------------------- */

/* A trade of an answer: by the venue's order id only, old enough for the cursor. */
static struct venue_report
account_trade_report(uint64_t order, int64_t trade, enum side side, qty_t qty)
{
    struct venue_report v = fill_report(NULL, order, trade, qty, 0);
    v.request = VENUE_RQ_TRADES;
    v.side = (uint8_t)side;
    v.venue_time_ns = rig.now.wall.ns - 10 * NS_PER_S;
    return v;
}

static void
trades_end(void)
{
    struct venue_report v = rig_report(VENUE_TRADES_END, NULL);
    v.request = VENUE_RQ_TRADES;
    rig_say(&rig, &v);
}

static void
balance(const char *ccy, value_t amount)
{
    struct venue_report v = rig_report(VENUE_BALANCE, NULL);
    v.request = VENUE_RQ_BALANCES;
    v.last_qty = amount;
    (void)snprintf(v.fee_ccy, sizeof(v.fee_ccy), "%s", ccy);
    rig_say(&rig, &v);
}

static void
balances_end(void)
{
    struct venue_report v = rig_report(VENUE_BALANCES_END, NULL);
    v.request = VENUE_RQ_BALANCES;
    rig_say(&rig, &v);
}

#define BTC_HELD (10 * VALUE_ONE)

/* The rest of the log-on after the list of open orders: no trade, balances that agree with a position of `qty`. */
static void
account_answers(qty_t qty)
{
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
    trades_end();
    CHECK(rig_take(&rig, VENUE_RQ_BALANCES) != NULL);
    balance("BTC", BTC_HELD + qty * 1000);
    balance("USDT", 100000 * VALUE_ONE - qty * 999 * 1000);
    balances_end();
    CHECK(risk_venue_of(rig.risk, 0)->reconciled);
}

static void
sweeping_ready(enum foreign_policy foreign, bool balance_moves_position)
{
    rig_start_sweeping(&rig, foreign, balance_moves_position);
    rig_up(&rig);
    account_answers(0);
    rig_pass(&rig, 20 * NS_PER_S); /* what trades from here on is younger than that */
}

/* Once more from the list of open orders to the balances, as the audit does; the trades are the caller's. */
static void
audit_to_trades(void)
{
    rig_pass(&rig, 61 * NS_PER_S);
    if (rig_take(&rig, VENUE_RQ_TIME) != NULL) {
        struct venue_report t = rig_report(VENUE_TIME, NULL);
        t.venue_time_ns = rig.now.wall.ns;
        rig_say(&rig, &t);
    }
    CHECK(rig_take(&rig, VENUE_RQ_OPEN_ORDERS) != NULL);
}

TEST(the_first_start_takes_trades_and_balances_as_the_past_and_orders_wait_for_that)
{
    rig.new_journal = true;
    rig_start_sweeping(&rig, FOREIGN_REPORT, false);
    rig_up(&rig);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    CHECK(!risk_venue_of(rig.risk, 0)->reconciled);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_TRADES);
    CHECK(q != NULL && q->since_trade == -1 && q->clordid[0] == '\0');
    struct venue_report old = account_trade_report(900, 41, SIDE_BUY, 70000);
    rig_say(&rig, &old);
    trades_end();
    CHECK_EQ(order_trade_cursor(rig.orders, 0), 42);
    CHECK(!risk_venue_of(rig.risk, 0)->reconciled);
    CHECK(rig_take(&rig, VENUE_RQ_BALANCES) != NULL);
    balance("BTC", 5 * VALUE_ONE);
    balances_end();
    CHECK(risk_venue_of(rig.risk, 0)->reconciled);
    CHECK_EQ(rig_position(&rig)->qty, 0);

    rig_restart(&rig);
    CHECK_EQ(order_trade_cursor(rig.orders, 0), 42);
    rig_up(&rig);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    q = rig_take(&rig, VENUE_RQ_TRADES);
    CHECK(q != NULL && q->since_trade == 42);
    rig_end(&rig);
    rig.new_journal = false;
}

TEST(trades_made_while_we_were_down_count_once_whoever_tells_them)
{
    char clordid[CLORDID_BYTES];
    sweeping_ready(FOREIGN_REPORT, false);
    uint64_t key = working_buy(77, clordid);
    rig_restart(&rig);
    rig_up(&rig);
    struct venue_report o = open_order(clordid, 77, 100000, 30000);
    rig_say(&rig, &o);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
    CHECK(rig_take(&rig, VENUE_RQ_QUERY) != NULL || rig_requests(&rig, VENUE_RQ_TRADES) > 0);
    struct venue_report f = account_trade_report(77, 5, SIDE_BUY, 30000);
    struct venue_report foreign = account_trade_report(990, 6, SIDE_SELL, 1000);
    rig_say(&rig, &f);
    rig_say(&rig, &foreign);
    trades_end();
    CHECK_EQ(rig_order(&rig, key)->cum_qty, 30000);
    CHECK_EQ(rig_position(&rig)->qty, 29000);
    CHECK_EQ(order_trade_cursor(rig.orders, 0), 7);
    f = fill_report(clordid, 77, 5, 30000, 30000);
    rig_say(&rig, &f); /* and by the stream */
    foreign.request = VENUE_RQ_COUNT;
    rig_say(&rig, &foreign);
    CHECK_EQ(rig_position(&rig)->qty, 29000);
    CHECK_EQ(metric_get(rig.metrics, METRIC_FOREIGN_FILLS, 0), 1);

    rig_restart(&rig);
    CHECK_EQ(rig_position(&rig)->qty, 29000);
    CHECK_EQ(order_trade_cursor(rig.orders, 0), 7);
    rig_end(&rig);
}

/* The last cursor of the journal. */
static int64_t
audited(void)
{
    audit_to_trades();
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_TRADES);
    CHECK(q != NULL);
    int64_t since_ns = q->since_ns;
    trades_end();
    balance("BTC", BTC_HELD);
    balance("USDT", 100000 * VALUE_ONE);
    balances_end();
    return since_ns;
}

TEST(a_quiet_instruments_trades_are_asked_for_from_the_last_sweep_on_over_a_restart_too)
{
    sweeping_ready(FOREIGN_REPORT, false);
    int64_t first_ns = order_trade_cursor_ns(rig.orders, 0);
    CHECK(first_ns != 0 && first_ns < rig.now.wall.ns);
    CHECK_EQ(audited(), first_ns);
    int64_t second_ns = order_trade_cursor_ns(rig.orders, 0);
    CHECK(second_ns > first_ns);
    CHECK_EQ(order_trade_cursor(rig.orders, 0), 0); /* it has never traded */
    rig_restart(&rig);
    CHECK_EQ(order_trade_cursor_ns(rig.orders, 0), second_ns);
    rig_up(&rig);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_TRADES);
    CHECK(q != NULL && q->since_trade == 0);
    CHECK_EQ(q->since_ns, second_ns);
    rig_end(&rig);
}

TEST(what_was_traded_before_the_first_sight_of_an_instrument_is_the_past_though_it_was_not_in_that_answer)
{
    sweeping_ready(FOREIGN_REPORT, false);
    audit_to_trades();
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
    struct venue_report old = account_trade_report(990, 8, SIDE_BUY, 1000);
    struct venue_report young = account_trade_report(991, 9, SIDE_BUY, 300);
    old.venue_time_ns = order_trade_cursor_ns(rig.orders, 0) - 1;
    rig_say(&rig, &old);
    rig_say(&rig, &young);
    CHECK_EQ(rig_position(&rig)->qty, 300);
    rig_end(&rig);
}

TEST(a_trade_with_ourselves_that_two_answers_share_counts_on_both_sides)
{
    sweeping_ready(FOREIGN_REPORT, false);
    audit_to_trades();
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
    struct venue_report t = account_trade_report(900, 7, SIDE_BUY, 1000);
    rig_say(&rig, &t);
    t = account_trade_report(901, 8, SIDE_BUY, 5000);
    rig_say(&rig, &t);
    struct venue_report cut = rig_report(VENUE_TRADES_END, NULL);
    cut.request = VENUE_RQ_TRADES;
    cut.code = 1; /* the other side of 8 did not fit */
    rig_say(&rig, &cut);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_TRADES);
    CHECK(q != NULL && q->since_trade == 8);
    CHECK_EQ(order_trade_cursor(rig.orders, 0), 8); /* a crash now leaves the other side to the next start */
    t = account_trade_report(901, 8, SIDE_BUY, 5000);
    rig_say(&rig, &t);
    t = account_trade_report(902, 8, SIDE_SELL, 5000);
    rig_say(&rig, &t);
    trades_end();
    CHECK_EQ(rig_position(&rig)->qty, 1000);
    rig_end(&rig);
}

TEST(a_cursor_passes_no_trade_that_is_younger_than_its_margin)
{
    sweeping_ready(FOREIGN_REPORT, false);
    audit_to_trades();
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
    struct venue_report a = account_trade_report(990, 8, SIDE_BUY, 1000);
    struct venue_report b = account_trade_report(991, 9, SIDE_BUY, 1000);
    b.venue_time_ns = rig.now.wall.ns - 4 * NS_PER_S;
    rig_say(&rig, &a);
    rig_say(&rig, &b);
    trades_end();
    CHECK_EQ(order_trade_cursor(rig.orders, 0), 9);
    CHECK_EQ(rig_position(&rig)->qty, 2000);
    rig_end(&rig);
}

TEST(a_fill_that_the_stream_did_not_tell_is_found_by_the_audit)
{
    char clordid[CLORDID_BYTES];
    sweeping_ready(FOREIGN_REPORT, false);
    uint64_t key = working_buy(77, clordid);
    audit_to_trades();
    struct venue_report o = open_order(clordid, 77, 100000, 0);
    rig_say(&rig, &o);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
    struct venue_report f = account_trade_report(77, 5, SIDE_BUY, 30000);
    rig_say(&rig, &f);
    trades_end();
    CHECK_EQ(rig_order(&rig, key)->cum_qty, 30000);
    CHECK_EQ(metric_get(rig.metrics, METRIC_FILL_LOST, 0), 1);
    CHECK_EQ(rig_position(&rig)->qty, 30000);
    rig_end(&rig);
}

TEST(an_order_under_our_id_that_the_journal_has_lost_is_taken_over_with_its_trades)
{
    char clordid[CLORDID_BYTES];
    struct clordid_mint mint;
    sweeping_ready(FOREIGN_REPORT, false);
    CHECK(clordid_mint_init(&mint, "01", rig.term - 5, 0));
    (void)clordid_mint_next(&mint, clordid);
    rig_restart(&rig);
    rig_up(&rig);
    struct venue_report o = open_order(clordid, 77, 100000, 20000);
    rig_say(&rig, &o);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    uint32_t slot = order_find(rig.orders, clordid);
    CHECK(slot != ORDER_NONE);
    CHECK_EQ(order_at(rig.orders, slot)->client, CLIENT_ADOPTED);
    CHECK_EQ(order_at(rig.orders, slot)->state, ORDER_NEW);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 100000); /* its trades are not seen yet */
    struct venue_report f = account_trade_report(77, 5, SIDE_BUY, 20000);
    rig_say(&rig, &f);
    trades_end();
    CHECK_EQ(rig_position(&rig)->qty, 20000);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 80000);
    CHECK_EQ(metric_get(rig.metrics, METRIC_ORDER_FOREIGN, 0), 0);

    rig_restart(&rig); /* it is in the journal now */
    CHECK(order_find(rig.orders, clordid) != ORDER_NONE);
    CHECK_EQ(rig_position(&rig)->qty, 20000);
    rig_end(&rig);
}

TEST(an_order_under_our_id_that_cannot_be_held_keeps_new_orders_away_until_it_is_gone)
{
    char clordid[CLORDID_BYTES];
    struct clordid_mint mint;
    sweeping_ready(FOREIGN_REPORT, false);
    CHECK(clordid_mint_init(&mint, "01", rig.term - 5, 0));
    (void)clordid_mint_next(&mint, clordid);
    audit_to_trades();
    struct venue_report o = open_order(clordid, 77, RISK_QTY_MAX + 1, 0); /* there is no room for so much */
    rig_say(&rig, &o);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    CHECK(order_find(rig.orders, clordid) == ORDER_NONE);
    CHECK_EQ(metric_get(rig.metrics, METRIC_ORDER_FOREIGN, 0), 1);
    CHECK_EQ(metric_get(rig.metrics, METRIC_ORDER_ENTRY_READY, 0), 0);
    trades_end();
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_RECONCILING);
    audit_to_trades();
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    trades_end();
    CHECK_EQ(metric_get(rig.metrics, METRIC_ORDER_ENTRY_READY, 0), 1);
    CHECK(risk_venue_of(rig.risk, 0)->reconciled);
    rig_end(&rig);
}

TEST(a_foreign_order_is_reported_and_its_trades_count)
{
    sweeping_ready(FOREIGN_REPORT, false);
    audit_to_trades();
    struct venue_report o = open_order("web_1234567890", 990, 100000, 0);
    rig_say(&rig, &o);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    CHECK_EQ(metric_get(rig.metrics, METRIC_ORDER_FOREIGN, 0), 1);
    CHECK_EQ(gateway_orders_live(rig.g), 0);
    struct venue_report f = fill_report("web_1234567890", 990, 15, 1000, 1000);
    rig_say(&rig, &f);
    rig_say(&rig, &f);
    CHECK_EQ(rig_position(&rig)->qty, 1000);
    rig_end(&rig);
}

TEST(a_foreign_order_that_is_taken_over_goes_by_the_venues_id_and_its_past_trades_count_once)
{
    sweeping_ready(FOREIGN_ADOPT, false);
    struct venue_report f = fill_report("web_1234567890", 990, 15, 1000, 1000);
    rig_say(&rig, &f); /* traded before it was seen as an order */
    CHECK_EQ(rig_position(&rig)->qty, 1000);
    audit_to_trades();
    struct venue_report o = open_order("web_1234567890", 990, 100000, 1000);
    rig_say(&rig, &o);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    uint32_t slot = order_find_venue(rig.orders, 0, 990);
    CHECK(slot != ORDER_NONE);
    const struct order *a = order_at(rig.orders, slot);
    CHECK(a->client == CLIENT_ADOPTED && (a->flags & COMMAND_ADOPTED) != 0 && a->qty == 100000);
    CHECK_EQ(metric_get(rig.metrics, METRIC_ORDER_ADOPTED, 0), 1);
    struct venue_report t = account_trade_report(990, 15, SIDE_BUY, 1000);
    rig_say(&rig, &t);
    trades_end();
    CHECK_EQ(a->cum_qty, 1000);
    CHECK_EQ(rig_position(&rig)->qty, 1000);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 99000);
    f = fill_report("web_1234567890", 990, 16, 2000, 3000);
    rig_say(&rig, &f);
    CHECK_EQ(rig_position(&rig)->qty, 3000);

    /* The operator sees it and cancels it. */
    struct command c = {
        .verb = COMMAND_CANCEL, .target_key = a->key, .target_client = CLIENT_ADOPTED, .key = ++rig.key
    };
    rig_command(&rig, RIG_OPERATOR, c);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_CANCEL);
    CHECK(q != NULL && q->venue_order_id == 990 && (q->flags & COMMAND_ADOPTED) != 0);
    struct venue_report end = rig_report(VENUE_CANCELED, "web_1234567890");
    end.venue_order_id = 990;
    rig_say(&rig, &end);
    CHECK_EQ(gateway_orders_live(rig.g), 0);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 0);

    rig_restart(&rig);
    CHECK_EQ(rig.replayed.live, 0);
    CHECK_EQ(rig_position(&rig)->qty, 3000);
    rig_end(&rig);
}

TEST(the_trades_of_an_order_that_was_taken_over_are_asked_for_from_when_it_was_opened)
{
    sweeping_ready(FOREIGN_ADOPT, false);
    audit_to_trades();
    struct venue_report o = open_order("web_1234567890", 990, 1000, 400);
    o.venue_time_ns = rig.now.wall.ns - 600 * NS_PER_S;
    rig_say(&rig, &o);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    struct venue_report s = rig_report(VENUE_STATUS, "web_1234567890");
    s.request = VENUE_RQ_COUNT;
    s.venue_order_id = 990;
    s.state = ORDER_FILLED;
    s.cum_qty = 1000;
    rig_say(&rig, &s);
    struct rig_request *q = NULL;
    for (unsigned i = 0; i < 60 && q == NULL; i++) {
        rig_pass(&rig, NS_PER_S / 2);
        q = rig_take(&rig, VENUE_RQ_TRADES);
        if (q != NULL && q->venue_order_id != 990)
            q = NULL;
    }
    CHECK(q != NULL && q->since_ns > 0 && q->since_ns < o.venue_time_ns);
    rig_end(&rig);
}

TEST(orders_that_add_up_to_more_than_a_position_can_be_are_not_taken_over)
{
    static const qty_t huge = INT64_C(1) << 60;
    char name[24];

    sweeping_ready(FOREIGN_ADOPT, false);
    audit_to_trades();
    for (int i = 0; i < 6; i++) {
        (void)snprintf(name, sizeof(name), "web_%d", i);
        struct venue_report o = open_order(name, 990 + (uint64_t)i, huge, 0);
        rig_say(&rig, &o);
    }
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    CHECK_EQ(gateway_orders_live(rig.g), 2); /* to the limit */
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 2 * huge);
    CHECK_EQ(metric_get(rig.metrics, METRIC_ORDER_FOREIGN, 0), 4);
    for (int i = 0; i < 6; i++) {
        (void)snprintf(name, sizeof(name), "web_%d", i);
        struct venue_report end = rig_report(VENUE_CANCELED, name);
        end.venue_order_id = 990 + (uint64_t)i;
        rig_say(&rig, &end);
    }
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 0);
    rig_end(&rig);
}

static uint32_t
adopted(uint64_t order, enum side side, uint8_t type, px_t px, px_t trigger, const char *word)
{
    struct venue_report o = open_order("web_1234567890", order, 50000, 0);

    o.side = (uint8_t)side;
    o.type = type;
    o.px = px;
    o.trigger_px = trigger;
    (void)snprintf(o.text, sizeof(o.text), "%s", word);
    rig_say(&rig, &o);
    uint32_t slot = order_find_venue(rig.orders, 0, order);
    CHECK(slot != ORDER_NONE);
    CHECK_EQ(order_at(rig.orders, slot)->type, type);
    CHECK_STR(order_at(rig.orders, slot)->text, word);
    return slot;
}

/* Bid 999.00, ask 1000.00: stops of a sell below the bid, of a buy above the ask. */
TEST(orders_taken_over_that_are_not_in_the_book_deny_none_of_ours_and_cost_what_they_may)
{
    rig_start_sweeping(&rig, FOREIGN_ADOPT, false);
    rig_up(&rig);
    (void)adopted(990, SIDE_SELL, ORDER_CONDITIONAL, 98900, 99000, "STOP_LOSS_LIMIT");
    (void)adopted(991, SIDE_SELL, ORDER_CONDITIONAL, 0, 99000, "STOP_LOSS");
    const struct order *stop = order_at(rig.orders, adopted(992, SIDE_BUY, ORDER_CONDITIONAL, 0, 101000, "STOP_LOSS"));
    CHECK_EQ(stop->px, 101000);
    CHECK_EQ(stop->trigger_px, 101000);
    CHECK(stop->reserved_cost == (wide_t)101000 * 50000);
    const struct order *trail = order_at(rig.orders, adopted(993, SIDE_BUY, ORDER_CONDITIONAL, 0, 0, "TAKE_PROFIT"));
    CHECK_EQ(trail->px, 100000); /* today's ask */
    const struct order *berg = order_at(rig.orders, adopted(994, SIDE_SELL, ORDER_ICEBERG, 100500, 0, "ICEBERG"));
    CHECK_EQ(berg->rest_px, 100500);
    account_answers(0);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 100000);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_SELL], 150000);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000); /* above both stops of the sell side */
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_SENT).kind, REPORT_SENT);

    /* One that rests in the book is met, as a plain one is. */
    (void)rig_new(&rig, SIDE_BUY, 100500, 1000);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_SELF_MATCH);

    /* A replace would make a plain limit order of it. */
    unsigned sent = rig_requests(&rig, VENUE_RQ_CANCEL) + rig_requests(&rig, VENUE_RQ_REPLACE);
    struct command c = rig_limit(&rig, SIDE_BUY, 99000, 40000);
    c.verb = COMMAND_REPLACE;
    c.target_key = stop->key;
    c.target_client = CLIENT_ADOPTED;
    rig_command(&rig, RIG_OPERATOR, c);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL) + rig_requests(&rig, VENUE_RQ_REPLACE), sent);

    /* The list says no price of it, which is none. */
    CHECK_EQ(stop->px, 101000);
    rig_restart(&rig);
    stop = order_at(rig.orders, order_find_venue(rig.orders, 0, 992));
    CHECK_EQ(stop->type, ORDER_CONDITIONAL);
    CHECK_EQ(stop->rest_px, 0);
    CHECK_STR(stop->text, "STOP_LOSS");
    CHECK(stop->reserved_cost == (wide_t)101000 * 50000);
    rig_end(&rig);
}

TEST(foreign_orders_are_canceled_where_that_is_the_policy)
{
    sweeping_ready(FOREIGN_CANCEL, false);
    audit_to_trades();
    struct venue_report o = open_order("web_1234567890", 990, 100000, 0);
    rig_say(&rig, &o);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_CANCEL);
    CHECK(q != NULL && q->venue_order_id == 990);
    rig_end(&rig);
}

TEST(an_order_of_which_only_the_name_can_be_read_is_reported_and_the_list_goes_on)
{
    sweeping_ready(FOREIGN_ADOPT, false);
    audit_to_trades();
    struct venue_report o = open_order("web_1234567890", 990, 0, 0);
    o.state = ORDER_FREE;
    rig_say(&rig, &o);
    o = open_order("web_2", 991, 100000, 0);
    rig_say(&rig, &o);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    CHECK_EQ(metric_get(rig.metrics, METRIC_ORDER_FOREIGN, 0), 1);
    CHECK_EQ(metric_get(rig.metrics, METRIC_ORDER_ADOPTED, 0), 1);
    rig_end(&rig);
}

TEST(an_id_of_ours_on_the_stream_that_we_have_not_given_out_is_another_host)
{
    char clordid[CLORDID_BYTES];
    struct clordid_mint mint;
    sweeping_ready(FOREIGN_REPORT, false);
    CHECK(clordid_mint_init(&mint, "01", rig.term + 1, 0));
    (void)clordid_mint_next(&mint, clordid);
    rig_say_kind(&rig, VENUE_NEW_ACK, clordid);
    CHECK_EQ(metric_get(rig.metrics, METRIC_ANOTHER_HOST, 0), 1);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_NOT_ARMED);
    rig_end(&rig);
}

TEST(before_an_order_is_called_never_placed_every_trade_that_could_be_its_is_asked_about)
{
    sweeping_ready(FOREIGN_REPORT, false);
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 100000);
    char clordid[CLORDID_BYTES];
    memcpy(clordid, rig_take(&rig, VENUE_RQ_NEW)->clordid, CLORDID_BYTES);
    rig_pass(&rig, 5 * NS_PER_S);
    CHECK(rig_take(&rig, VENUE_RQ_QUERY) != NULL);
    rig_say_kind(&rig, VENUE_NOT_FOUND, clordid);
    rig_pass(&rig, 5 * NS_PER_S);
    (void)rig_take(&rig, VENUE_RQ_QUERY);
    rig_not_found(&rig, clordid);
    for (int i = 0; i < 2; i++) { /* somebody else's, then ours */
        CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
        struct venue_report f = account_trade_report(990, 5, SIDE_BUY, 1000);
        rig_say(&rig, &f);
        f = account_trade_report(992, 6, SIDE_SELL, 1000); /* the other side: never ours */
        rig_say(&rig, &f);
        f = account_trade_report(991, 7, SIDE_BUY, 1000);
        rig_say(&rig, &f);
        rig_say_kind(&rig, VENUE_TRADES_END, clordid);
        CHECK(order_unknown(rig_order(&rig, key)));
        struct rig_request *q = rig_take(&rig, VENUE_RQ_QUERY);
        CHECK(q != NULL && (q->flags & COMMAND_ADOPTED) != 0 && q->venue_order_id == (i == 0 ? 990 : 991));
        struct venue_report s = open_order(clordid, q->venue_order_id, 100000, 1000);
        s.kind = VENUE_STATUS;
        s.request = VENUE_RQ_QUERY;
        (void)snprintf(s.text, sizeof(s.text), "%s", i == 0 ? "web_1" : clordid);
        rig_say(&rig, &s);
    }
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_NEW);
    CHECK_EQ(rig_order(&rig, key)->venue_order_id, 991);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 1);
    struct venue_report f = account_trade_report(991, 7, SIDE_BUY, 1000);
    memcpy(f.clordid, clordid, CLORDID_BYTES);
    rig_say(&rig, &f);
    CHECK_EQ(rig_order(&rig, key)->cum_qty, 1000);
    CHECK_EQ(rig_position(&rig)->qty, 1000 - 1000 + 1000); /* each of the three trades once */
    rig_end(&rig);
}

TEST(an_order_whose_questions_are_refused_for_good_holds_nothing_up_and_stays_reserved)
{
    char clordid[CLORDID_BYTES];
    rig_ready(&rig);
    (void)working_buy(77, clordid);
    rig_restart(&rig);
    rig_up(&rig);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    for (int i = 0; i < 5; i++) {
        CHECK(!risk_venue_of(rig.risk, 0)->reconciled);
        CHECK(rig_take(&rig, VENUE_RQ_QUERY) != NULL);
        struct venue_report no = rig_report(VENUE_QUERY_FAILED, clordid);
        no.request = VENUE_RQ_QUERY;
        no.definite = 1;
        no.code = -1121;
        rig_say(&rig, &no);
        rig_pass(&rig, 4 * NS_PER_S);
    }
    CHECK(risk_venue_of(rig.risk, 0)->reconciled);
    CHECK_EQ(metric_get(rig.metrics, METRIC_ORDER_STUCK, 0), 1);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 100000);
    rig_pass(&rig, 20 * NS_PER_S);
    CHECK(rig_take(&rig, VENUE_RQ_QUERY) != NULL); /* it is still asked about, slowly */
    rig_say_kind(&rig, VENUE_CANCELED, clordid);
    CHECK_EQ(metric_get(rig.metrics, METRIC_ORDER_STUCK, 0), 0);
    rig_end(&rig);
}

TEST(a_change_of_balance_that_no_trade_explains_is_said_once_and_moves_the_position_only_by_policy)
{
    for (int moves = 0; moves < 2; moves++) {
        sweeping_ready(FOREIGN_REPORT, moves == 1);
        audit_to_trades();
        rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
        for (int look = 0; look < 2; look++) { /* the second answer that says the same decides */
            CHECK_EQ(metric_get(rig.metrics, METRIC_BALANCE_DIFFERENCES, 0), 0);
            CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
            trades_end();
            CHECK(rig_take(&rig, VENUE_RQ_BALANCES) != NULL);
            balance("BTC", BTC_HELD - VALUE_ONE / 2);
            balance("USDT", 100000 * VALUE_ONE);
            balances_end();
            rig_pass(&rig, 2 * NS_PER_S);
        }
        CHECK_EQ(metric_get(rig.metrics, METRIC_BALANCE_DIFFERENCES, 0), 1);
        CHECK_EQ(rig_position(&rig)->qty, moves == 1 ? -50000 : 0);
        CHECK_EQ(metric_get(rig.metrics, METRIC_POSITION_REPAIRED, 0), moves);
        rig_restart(&rig);
        CHECK_EQ(rig_position(&rig)->qty, moves == 1 ? -50000 : 0);
        rig_end(&rig);
    }
}

/* From the list of open orders on: twice the same answer. */
static void
held_now(value_t btc)
{
    audit_to_trades();
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    for (int look = 0; look < 2; look++) {
        CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
        trades_end();
        CHECK(rig_take(&rig, VENUE_RQ_BALANCES) != NULL);
        balance("BTC", btc);
        balance("USDT", 100000 * VALUE_ONE);
        balances_end();
        rig_pass(&rig, 2 * NS_PER_S);
    }
}

/* A unit of quantity is 1000 at 10^-8. */
TEST(what_is_below_a_unit_is_not_lost_at_each_repair_of_a_position)
{
    static const struct {
        value_t moved;
        qty_t qty;
    } step[] = { { -400, -1 }, { -800, -1 }, { -1200, -2 }, { -800, -1 }, { 400, 0 }, { 1000, 1 }, { 1999, 1 } };

    sweeping_ready(FOREIGN_REPORT, true);
    for (unsigned i = 0; i < ARRAY_LEN(step); i++) {
        held_now(BTC_HELD + step[i].moved);
        CHECK_EQ(rig_position(&rig)->qty, step[i].qty);
        if (i % 2 == 0) { /* over a restart too */
            rig_restart(&rig);
            CHECK_EQ(rig_position(&rig)->qty, step[i].qty);
            rig_up(&rig);
            rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
            CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
            trades_end();
            CHECK(rig_take(&rig, VENUE_RQ_BALANCES) != NULL);
            balance("BTC", BTC_HELD + step[i].moved);
            balance("USDT", 100000 * VALUE_ONE);
            balances_end();
        }
    }
    rig_end(&rig);
}

static void
vague_balance(const char *ccy, value_t at_least)
{
    struct venue_report v = rig_report(VENUE_BALANCE, NULL);
    v.request = VENUE_RQ_BALANCES;
    v.code = 1;
    v.last_qty = at_least;
    (void)snprintf(v.fee_ccy, sizeof(v.fee_ccy), "%s", ccy);
    rig_say(&rig, &v);
}

/* From the audit's question for trades on: none, and then balances up to the caller. */
static void
no_trades(void)
{
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
    trades_end();
    CHECK(rig_take(&rig, VENUE_RQ_BALANCES) != NULL);
}

TEST(a_balance_that_does_not_fit_is_not_none_and_moves_no_position)
{
    char clordid[CLORDID_BYTES];
    rig_start_sweeping(&rig, FOREIGN_REPORT, true);
    rig_up(&rig);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    no_trades();
    vague_balance("BTC", INT64_MAX); /* first sight: nothing to compare with later */
    balance("USDT", 100000 * VALUE_ONE);
    balances_end();
    CHECK(risk_venue_of(rig.risk, 0)->reconciled);
    (void)working_buy(77, clordid);
    struct venue_report f = fill_report(clordid, 77, 5, 100000, 100000);
    rig_say(&rig, &f);
    CHECK_EQ(rig_position(&rig)->qty, 100000);
    audit_to_trades();
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    for (int i = 0; i < 3; i++) {
        no_trades();
        vague_balance("BTC", i == 1 ? 0 : INT64_MAX);
        balance("USDT", 100000 * VALUE_ONE - INT64_C(100000) * 99900 * 10);
        balances_end();
        CHECK_EQ(rig_position(&rig)->qty, 100000);
        CHECK_EQ(metric_get(rig.metrics, METRIC_BALANCE_DIFFERENCES, 0), 0);
        audit_to_trades();
        rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    }
    rig_end(&rig);
}

TEST(a_balance_that_fitted_before_is_taken_anew_when_it_fits_again_over_a_restart_too)
{
    for (int restart = 0; restart < 2; restart++) {
        sweeping_ready(FOREIGN_REPORT, true);
        audit_to_trades();
        rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
        no_trades();
        vague_balance("BTC", INT64_MAX);
        balance("USDT", 100000 * VALUE_ONE);
        balances_end();
        if (restart == 1) {
            rig_restart(&rig);
            rig_up(&rig);
        } else {
            audit_to_trades();
        }
        rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
        for (int i = 0; i < 2; i++) {
            no_trades();
            balance("BTC", 50 * VALUE_ONE); /* not what was held before */
            balance("USDT", 100000 * VALUE_ONE);
            balances_end();
            audit_to_trades();
            rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
        }
        CHECK_EQ(metric_get(rig.metrics, METRIC_BALANCE_DIFFERENCES, 0), 0);
        CHECK_EQ(rig_position(&rig)->qty, 0);
        rig_end(&rig);
    }
}

TEST(what_is_expected_past_the_range_of_a_number_is_not_known)
{
    uint8_t *mem = (uint8_t *)aligned_alloc(4096, (balances_footprint() + 4095) & ~(size_t)4095);
    struct arena arena = { .base = mem, .size = (balances_footprint() + 4095) & ~(size_t)4095 };
    struct balances *b = balances_init(&arena);
    struct instrument ins = { .kind = INSTRUMENT_SPOT, .qty_decimals = 8, .base_ccy = 1, .quote_ccy = 2 };
    struct order_delta d = { .side = SIDE_BUY, .fill_qty = 1, .fill_px = 1 };
    value_t v;

    balances_set(b, 0, 1, INT64_MAX - 1);
    balances_apply(b, &ins, &d);
    CHECK(balances_expected(b, 0, 1, &v) && v == INT64_MAX);
    balances_apply(b, &ins, &d);
    CHECK(!balances_expected(b, 0, 1, &v));
    CHECK_EQ(balances_compare(b, 0, 1, 5, &v), BALANCE_FIRST);
    balances_set(b, 0, 1, 5);
    CHECK(balances_expected(b, 0, 1, &v) && v == 5);
    free(mem);
}

TEST(balances_that_trades_explain_are_no_difference_over_a_restart)
{
    char clordid[CLORDID_BYTES];
    sweeping_ready(FOREIGN_REPORT, false);
    (void)working_buy(77, clordid);
    struct venue_report f = fill_report(clordid, 77, 5, 100000, 100000);
    rig_say(&rig, &f);
    rig_restart(&rig);
    rig_up(&rig);
    account_answers(100000);
    CHECK_EQ(metric_get(rig.metrics, METRIC_BALANCE_DIFFERENCES, 0), 0);
    rig_end(&rig);
}

TEST_MAIN()
