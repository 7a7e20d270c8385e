/* What proves that an order was never placed, and what does not: trades that may be its, lists that were cut, answers
 * to questions that were given up, pages of trades that belong to another question. */
#include "tests/gateway_rig.h"

static struct rig rig;

/* One trade of an answer, as a venue tells it that names orders by its own id alone. */
static struct venue_report
trade(uint64_t order, int64_t id, enum side side, qty_t qty)
{
    struct venue_report v = rig_report(VENUE_FILL, NULL);
    v.request = VENUE_RQ_TRADES;
    v.venue_order_id = order;
    v.trade_id = id;
    v.side = (uint8_t)side;
    v.last_px = 99900;
    v.last_qty = qty;
    v.venue_time_ns = rig.now.wall.ns - 10 * NS_PER_S;
    return v;
}

static void
say_trade(uint64_t order, int64_t id, enum side side, qty_t qty)
{
    struct venue_report v = trade(order, id, side, qty);
    rig_say(&rig, &v);
}

/* The end of an answer about an order, or (clordid NULL) of the sweep's. */
static void
trades_end(const char *clordid)
{
    struct venue_report v = rig_report(VENUE_TRADES_END, clordid);
    v.request = VENUE_RQ_TRADES;
    rig_say(&rig, &v);
}

static void
trades_cut(const char *clordid, int64_t last_trade, int64_t last_ns)
{
    struct venue_report v = rig_report(VENUE_TRADES_END, clordid);
    v.request = VENUE_RQ_TRADES;
    v.code = 1;
    v.trade_id = last_trade;
    v.venue_time_ns = last_ns;
    rig_say(&rig, &v);
}

static void
balances(void)
{
    struct venue_report b = rig_report(VENUE_BALANCE, NULL);
    b.request = VENUE_RQ_BALANCES;
    b.last_qty = 100000 * VALUE_ONE;
    (void)snprintf(b.fee_ccy, sizeof(b.fee_ccy), "USDT");
    rig_say(&rig, &b);
    struct venue_report v = rig_report(VENUE_BALANCES_END, NULL);
    v.request = VENUE_RQ_BALANCES;
    rig_say(&rig, &v);
}

static void
sweeping_ready(void)
{
    rig_start_sweeping(&rig, FOREIGN_REPORT, false);
    rig_up(&rig);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
    trades_end(NULL);
    balances();
    CHECK(risk_venue_of(rig.risk, 0)->reconciled);
    CHECK_EQ(order_trade_cursor(rig.orders, 0), 0);
    rig_pass(&rig, 20 * NS_PER_S); /* trades from here on are younger than that */
}

/* A buy of 1.00000 at 999.00 that got no answer; asked about after its deadline, it is not found, and its trades are
 * the next question. */
static uint64_t
not_found_buy(char clordid[CLORDID_BYTES])
{
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 100000);
    memcpy(clordid, rig_take(&rig, VENUE_RQ_NEW)->clordid, CLORDID_BYTES);
    for (int i = 0; i < 6 && rig_take(&rig, VENUE_RQ_TRADES) == NULL; i++) {
        rig_pass(&rig, 2 * NS_PER_S);
        if (rig_take(&rig, VENUE_RQ_QUERY) != NULL)
            rig_say_kind(&rig, VENUE_NOT_FOUND, clordid);
        if (rig.request[rig.request_count - 1].kind == VENUE_RQ_TRADES)
            break;
    }
    CHECK(order_unknown(rig_order(&rig, key)));
    return key;
}

static qty_t
reserved(void)
{
    return rig_position(&rig)->reserved[SIDE_BUY];
}

/* The audit comes round: to its question for trades of the account. */
static void
audit_to_trades(void)
{
    while (rig_take(&rig, VENUE_RQ_TRADES) != NULL || rig_take(&rig, VENUE_RQ_OPEN_ORDERS) != NULL) {
    }
    for (int i = 0; i < 8 && rig_take(&rig, VENUE_RQ_OPEN_ORDERS) == NULL; i++)
        rig_pass(&rig, 30 * NS_PER_S);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
}

TEST(an_order_that_may_have_traded_is_not_called_never_placed_while_nobody_says_whose_the_trade_is)
{
    char clordid[CLORDID_BYTES];
    sweeping_ready();
    uint64_t key = not_found_buy(clordid);
    for (int round = 0; round < 3; round++) { /* the venue has its trade and finds neither name nor number */
        (void)rig_take(&rig, VENUE_RQ_TRADES);
        say_trade(991, 7, SIDE_BUY, 1000);
        trades_end(clordid);
        struct rig_request *q = rig_take(&rig, VENUE_RQ_QUERY);
        CHECK(q != NULL && q->venue_order_id == 991);
        rig_say_kind(&rig, VENUE_NOT_FOUND, clordid);
        CHECK(order_unknown(rig_order(&rig, key)));
        CHECK_EQ(reserved(), 100000);
        for (int i = 0; i < 4; i++) {
            rig_pass(&rig, 5 * NS_PER_S);
            if ((q = rig_take(&rig, VENUE_RQ_QUERY)) != NULL) {
                CHECK_EQ(q->venue_order_id, 0); /* it is asked about by its own name again, from the beginning */
                rig_not_found(&rig, clordid);
                break;
            }
        }
    }
    (void)rig_take(&rig, VENUE_RQ_TRADES);
    say_trade(991, 7, SIDE_BUY, 1000);
    trades_end(clordid);
    CHECK_EQ(rig_take(&rig, VENUE_RQ_QUERY)->venue_order_id, 991);
    struct venue_report s = rig_report(VENUE_STATUS, clordid);
    s.state = ORDER_PARTIALLY_FILLED;
    s.venue_order_id = 991;
    s.cum_qty = 1000;
    (void)snprintf(s.text, sizeof(s.text), "%s", clordid);
    rig_say(&rig, &s);
    CHECK(rig_order(&rig, key)->state == ORDER_NEW && rig_order(&rig, key)->venue_order_id == 991);
    rig_end(&rig);
}

TEST(a_reconciliation_does_not_wait_for_an_order_whose_trade_nobody_can_name)
{
    char clordid[CLORDID_BYTES];
    sweeping_ready();
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 100000);
    memcpy(clordid, rig_take(&rig, VENUE_RQ_NEW)->clordid, CLORDID_BYTES);
    rig_restart(&rig);
    rig_pass(&rig, 10 * NS_PER_S); /* its deadline is long past when it is asked about */
    rig_up(&rig);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
    trades_end(NULL);
    balances();
    CHECK(rig_take(&rig, VENUE_RQ_QUERY) != NULL);
    rig_not_found(&rig, clordid);
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
    say_trade(991, 7, SIDE_BUY, 1000);
    trades_end(clordid);
    CHECK(rig_take(&rig, VENUE_RQ_QUERY) != NULL);
    CHECK(!risk_venue_of(rig.risk, 0)->reconciled);
    rig_say_kind(&rig, VENUE_NOT_FOUND, clordid);
    CHECK(risk_venue_of(rig.risk, 0)->reconciled);
    CHECK(order_unknown(rig_order(&rig, key)));
    CHECK_EQ(reserved(), 100000);
    rig_end(&rig);
}

TEST(what_one_sessions_answers_have_begun_the_next_one_begins_with_a_query)
{
    char clordid[CLORDID_BYTES];
    sweeping_ready();
    uint64_t key = not_found_buy(clordid);
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
    trades_cut(clordid, 5, rig.now.wall.ns - 3 * NS_PER_S);
    rig_disconnect(&rig, CONN_ROLE_ORDER);
    rig_pass(&rig, NS_PER_S);
    while (rig_take(&rig, VENUE_RQ_TRADES) != NULL) {
    }
    rig_connect(&rig, CONN_ROLE_ORDER);
    rig_logon(&rig);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    (void)rig_take(&rig, VENUE_RQ_TRADES);
    trades_end(NULL);
    balances();
    CHECK(rig_take(&rig, VENUE_RQ_QUERY) != NULL);
    CHECK(!risk_venue_of(rig.risk, 0)->reconciled);
    rig_not_found(&rig, clordid);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_TRADES);
    CHECK(q != NULL && q->since_trade == 0);
    trades_end(clordid);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_NOT_PLACED);
    CHECK(risk_venue_of(rig.risk, 0)->reconciled);
    rig_end(&rig);
}

TEST(a_list_of_trades_that_was_cut_proves_nothing_until_its_rest_was_told)
{
    char clordid[CLORDID_BYTES];
    sweeping_ready();
    uint64_t key = not_found_buy(clordid);
    int64_t last_ns = rig.now.wall.ns - 3 * NS_PER_S;
    (void)rig_take(&rig, VENUE_RQ_TRADES);
    say_trade(900, 5, SIDE_SELL, 1000);
    trades_cut(clordid, 5, last_ns);
    CHECK(order_unknown(rig_order(&rig, key)));
    struct rig_request *q = rig_take(&rig, VENUE_RQ_TRADES);
    CHECK(q != NULL && q->since_trade == 6 && q->venue_order_id == 0);
    say_trade(991, 6, SIDE_BUY, 1000); /* on the second page: it may be its */
    trades_cut(clordid, 6, last_ns + 1);
    CHECK(order_unknown(rig_order(&rig, key)));
    q = rig_take(&rig, VENUE_RQ_QUERY);
    CHECK(q != NULL && q->venue_order_id == 991);
    struct venue_report s = rig_report(VENUE_STATUS, clordid);
    s.state = ORDER_FILLED;
    s.venue_order_id = 991;
    (void)snprintf(s.text, sizeof(s.text), "web_1");
    rig_say(&rig, &s);
    q = rig_take(&rig, VENUE_RQ_TRADES); /* somebody else's: that page again, and on */
    CHECK(q != NULL && q->since_trade == 6);
    say_trade(991, 6, SIDE_BUY, 1000);
    trades_cut(clordid, 6, last_ns + 1);
    q = rig_take(&rig, VENUE_RQ_TRADES);
    CHECK(q != NULL && q->since_trade == 7);
    CHECK_EQ(reserved(), 100000);
    trades_end(clordid);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_NOT_PLACED);
    CHECK_EQ(reserved(), 0);
    rig_end(&rig);
}

TEST(a_cut_list_that_does_not_get_on_proves_nothing)
{
    char clordid[CLORDID_BYTES];
    sweeping_ready();
    uint64_t key = not_found_buy(clordid);
    int64_t last_ns = rig.now.wall.ns - 3 * NS_PER_S;
    (void)rig_take(&rig, VENUE_RQ_TRADES);
    trades_cut(clordid, 5, last_ns);
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
    trades_cut(clordid, 5, last_ns); /* what was asked for is from trade 6 on */
    CHECK(order_unknown(rig_order(&rig, key)));
    CHECK_EQ(reserved(), 100000);
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) == NULL);
    rig_pass(&rig, 10 * NS_PER_S);
    CHECK(rig_take(&rig, VENUE_RQ_QUERY) != NULL); /* later, from the beginning */
    rig_end(&rig);
}

TEST(more_trades_of_one_moment_than_an_answer_holds_are_told_to_the_last)
{
    char clordid[CLORDID_BYTES];
    sweeping_ready();
    uint64_t key = not_found_buy(clordid);
    int64_t last_ns = rig.now.wall.ns - 3 * NS_PER_S;
    for (int64_t last = 5; last <= 7; last++) {
        struct rig_request *q = rig_take(&rig, VENUE_RQ_TRADES);
        CHECK(q != NULL && q->since_trade == (last == 5 ? 0 : last));
        say_trade(900, last, SIDE_SELL, 1000);
        trades_cut(clordid, last, last_ns);
    }
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
    trades_end(clordid);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_NOT_PLACED);
    rig_end(&rig);
}

TEST(an_order_whose_venue_id_becomes_known_between_two_answers_is_told_all_of_its_trades)
{
    char clordid[CLORDID_BYTES];
    sweeping_ready();
    uint64_t key = not_found_buy(clordid);
    (void)rig_take(&rig, VENUE_RQ_TRADES);
    struct venue_report v = rig_report(VENUE_CANCELED, clordid);
    v.venue_order_id = 77;
    v.cum_qty = 30000;
    rig_say(&rig, &v);
    trades_cut(clordid, 5, rig.now.wall.ns - 3 * NS_PER_S);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_TRADES);
    CHECK(q != NULL && q->venue_order_id == 77 && q->since_trade == 0);
    struct venue_report f = trade(77, 4, SIDE_BUY, 30000);
    (void)snprintf(f.clordid, sizeof(f.clordid), "%s", clordid);
    rig_say(&rig, &f);
    trades_end(clordid);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_CANCELED);
    rig_end(&rig);
}

TEST(trades_of_an_order_that_has_the_venues_id_go_on_from_the_last_trade)
{
    sweeping_ready();
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 100000);
    const char *clordid = rig_order(&rig, key)->clordid;
    struct venue_report v = rig_report(VENUE_CANCELED, clordid);
    v.venue_order_id = 77;
    v.cum_qty = 30000;
    rig_say(&rig, &v);
    rig_pass(&rig, NS_PER_S);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_TRADES);
    CHECK(q != NULL && q->venue_order_id == 77 && q->since_trade == 0);
    struct venue_report f = trade(77, 5, SIDE_BUY, 10000);
    (void)snprintf(f.clordid, sizeof(f.clordid), "%s", clordid);
    rig_say(&rig, &f);
    trades_cut(clordid, 5, f.venue_time_ns);
    q = rig_take(&rig, VENUE_RQ_TRADES);
    CHECK(q != NULL && q->venue_order_id == 77 && q->since_trade == 6);
    f.trade_id = 6;
    f.last_qty = 20000;
    rig_say(&rig, &f);
    trades_end(clordid);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_CANCELED);
    CHECK_EQ(rig_position(&rig)->qty, 30000);
    rig_end(&rig);
}

TEST(trades_of_others_that_cannot_be_its_do_not_stand_in_the_way_of_the_proof)
{
    char clordid[CLORDID_BYTES];
    sweeping_ready();
    uint64_t key = not_found_buy(clordid);
    (void)rig_take(&rig, VENUE_RQ_TRADES);
    for (unsigned i = 0; i < 40; i++)
        say_trade(2000 + i, 100 + (int64_t)i, SIDE_SELL, 1);
    for (unsigned i = 0; i < 40; i++) {
        struct venue_report f = trade(3000 + i, 200 + (int64_t)i, SIDE_BUY, 1);
        f.last_px = 99901; /* above its limit */
        rig_say(&rig, &f);
    }
    trades_end(clordid);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_NOT_PLACED);
    rig_end(&rig);
}

TEST(an_answer_to_a_question_that_was_given_up_is_not_taken_for_the_next_ones)
{
    char clordid[CLORDID_BYTES];
    sweeping_ready();
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 100000);
    memcpy(clordid, rig_take(&rig, VENUE_RQ_NEW)->clordid, CLORDID_BYTES);
    rig_pass(&rig, 2200 * NS_PER_MS);
    struct rig_request *early = rig_take(&rig, VENUE_RQ_QUERY);
    CHECK(early != NULL && early->tag != 0);
    uint64_t first = early->tag;
    rig_pass(&rig, 6 * NS_PER_S); /* given up, and asked again after the deadline */
    struct rig_request *later = rig_take(&rig, VENUE_RQ_QUERY);
    CHECK(later != NULL && later->tag != first);
    struct venue_report v = rig_report(VENUE_NOT_FOUND, clordid);
    v.request = VENUE_RQ_QUERY;
    v.tag = first;
    rig_say(&rig, &v);
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) == NULL); /* of then, when it might still arrive */
    v.tag = later->tag;
    rig_say(&rig, &v);
    rig_pass(&rig, RIG_MARGIN_NS);
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
    CHECK(order_unknown(rig_order(&rig, key)));
    rig_end(&rig);
}

TEST(an_early_status_that_comes_late_does_not_prove_that_a_cancel_never_arrived)
{
    char clordid[CLORDID_BYTES];
    sweeping_ready();
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 100000);
    memcpy(clordid, rig_take(&rig, VENUE_RQ_NEW)->clordid, CLORDID_BYTES);
    struct venue_report v = rig_report(VENUE_NEW_ACK, clordid);
    v.venue_order_id = 77;
    rig_say(&rig, &v);
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key });
    rig_pass(&rig, 2200 * NS_PER_MS);
    uint64_t first = rig_take(&rig, VENUE_RQ_QUERY)->tag;
    rig_pass(&rig, 6 * NS_PER_S);
    uint64_t second = rig_take(&rig, VENUE_RQ_QUERY)->tag;
    struct venue_report s = rig_report(VENUE_STATUS, clordid);
    s.state = ORDER_NEW;
    s.venue_order_id = 77;
    s.tag = first;
    rig_say(&rig, &s);
    CHECK_EQ(rig_order(&rig, key)->request, REQUEST_CANCEL_UNKNOWN);
    s.tag = second;
    rig_say(&rig, &s);
    CHECK_EQ(rig_order(&rig, key)->request, REQUEST_NONE);
    rig_end(&rig);
}

TEST(a_late_answer_about_another_order_is_not_this_ones_whatever_name_it_has)
{
    char clordid[CLORDID_BYTES];
    sweeping_ready();
    uint64_t key = not_found_buy(clordid);
    (void)rig_take(&rig, VENUE_RQ_TRADES);
    say_trade(991, 7, SIDE_BUY, 1000);
    trades_end(clordid);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_QUERY);
    CHECK(q != NULL && q->venue_order_id == 991);
    struct venue_report s = rig_report(VENUE_STATUS, clordid);
    s.state = ORDER_FILLED;
    s.venue_order_id = 991;
    s.cum_qty = 1000;
    s.tag = q->tag;
    for (int i = 0; i < 12 && (q = rig_take(&rig, VENUE_RQ_QUERY)) == NULL; i++)
        rig_pass(&rig, 5 * NS_PER_S); /* given up; it is asked about by its own name */
    CHECK(q != NULL && q->venue_order_id == 0 && q->tag != s.tag);
    rig_say(&rig, &s); /* somebody's who gives his orders no names */
    CHECK(order_unknown(rig_order(&rig, key)));
    CHECK_EQ(rig_order(&rig, key)->venue_order_id, 0);
    CHECK_EQ(rig_order(&rig, key)->end_state, 0);
    rig_end(&rig);
}

TEST(an_order_that_is_over_and_stays_in_the_venues_lists_is_canceled)
{
    sweeping_ready();
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 100000);
    struct venue_report v = rig_report(VENUE_CANCELED, rig_order(&rig, key)->clordid);
    v.venue_order_id = 77;
    rig_say(&rig, &v);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_CANCELED);
    v = rig_report(VENUE_OPEN_ORDER, rig_order(&rig, key)->clordid);
    v.request = VENUE_RQ_OPEN_ORDERS;
    v.state = ORDER_NEW;
    v.venue_order_id = 77;
    v.px = 99900;
    v.qty = 100000;
    while (rig_take(&rig, VENUE_RQ_OPEN_ORDERS) != NULL) {
    }
    for (unsigned list = 1; list <= 3; list++) {
        for (int i = 0; i < 8 && rig_take(&rig, VENUE_RQ_OPEN_ORDERS) == NULL; i++)
            rig_pass(&rig, 30 * NS_PER_S);
        rig_say(&rig, &v);
        rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
        CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), list - 1); /* the first may be older than its end */
        CHECK_EQ(metric_get(rig.metrics, METRIC_ORDER_FOREIGN, 0), list > 1);
        trades_end(NULL);
        balances();
    }
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_CANCELED);
    rig_end(&rig);
}

TEST(trades_told_to_a_question_whose_order_is_gone_do_not_move_the_next_ones_cursor)
{
    sweeping_ready();
    audit_to_trades();
    say_trade(900, 5000000000, SIDE_SELL, 1000); /* of a question about an order that is in no table any more */
    trades_end("01aaaaaaaaaaaaaa");
    say_trade(901, 40, SIDE_SELL, 1000);
    trades_end(NULL);
    balances();
    CHECK_EQ(order_trade_cursor(rig.orders, 0), 41);
    say_trade(902, 5000000001, SIDE_SELL, 1000);
    struct venue_report v = rig_report(VENUE_QUERY_FAILED, "01aaaaaaaaaaaaaa");
    v.request = VENUE_RQ_TRADES;
    rig_say(&rig, &v);
    audit_to_trades();
    trades_end(NULL);
    CHECK_EQ(order_trade_cursor(rig.orders, 0), 41);
    rig_end(&rig);
}

TEST(a_cursor_stops_at_a_trade_that_could_not_be_counted)
{
    sweeping_ready();
    audit_to_trades();
    say_trade(900, 40, SIDE_BUY, 1000);
    struct venue_report bad = trade(901, 41, SIDE_BUY, INT64_MAX);
    rig_say(&rig, &bad);
    say_trade(902, 42, SIDE_BUY, 1000);
    trades_end(NULL);
    CHECK_EQ(rig_position(&rig)->qty, 2000);
    CHECK_EQ(order_trade_cursor(rig.orders, 0), 41);
    CHECK_EQ(metric_get(rig.metrics, METRIC_TRADES_UNCOUNTED, 0), 1);
    balances();
    audit_to_trades(); /* told again, as it should be; what was counted is counted once */
    say_trade(901, 41, SIDE_BUY, 500);
    say_trade(902, 42, SIDE_BUY, 1000);
    trades_end(NULL);
    CHECK_EQ(rig_position(&rig)->qty, 2500);
    CHECK_EQ(order_trade_cursor(rig.orders, 0), 43);
    rig_end(&rig);
}

TEST(a_trade_of_the_account_under_a_name_of_ours_and_another_orders_number_counts_as_nobodys)
{
    sweeping_ready();
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 100000);
    struct venue_report v = rig_report(VENUE_NEW_ACK, rig_order(&rig, key)->clordid);
    v.venue_order_id = 77;
    rig_say(&rig, &v);
    audit_to_trades();
    struct venue_report f = trade(78, 40, SIDE_BUY, 1000);
    memcpy(f.clordid, rig_order(&rig, key)->clordid, CLORDID_BYTES);
    rig_say(&rig, &f);
    trades_end(NULL);
    CHECK_EQ(rig_order(&rig, key)->cum_qty, 0);
    CHECK_EQ(rig_position(&rig)->qty, 1000);
    CHECK_EQ(order_trade_cursor(rig.orders, 0), 41);
    rig_end(&rig);
}

TEST(an_answer_to_a_question_of_the_sweep_that_was_given_up_moves_no_cursor)
{
    sweeping_ready();
    audit_to_trades();
    uint64_t first = rig.request[rig.request_count - 1].tag;
    rig_pass(&rig, 7 * NS_PER_S);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_TRADES);
    CHECK(q != NULL && q->tag != first);
    struct venue_report end = rig_report(VENUE_TRADES_END, NULL);
    end.request = VENUE_RQ_TRADES;
    end.tag = first;
    say_trade(900, 40, SIDE_BUY, 1000);
    rig_say(&rig, &end);
    CHECK_EQ(rig_position(&rig)->qty, 1000); /* it counts, whenever it was asked for */
    CHECK_EQ(order_trade_cursor(rig.orders, 0), 0);
    end.tag = q->tag;
    say_trade(900, 40, SIDE_BUY, 1000);
    rig_say(&rig, &end);
    CHECK_EQ(rig_position(&rig)->qty, 1000);
    CHECK_EQ(order_trade_cursor(rig.orders, 0), 41);
    rig_end(&rig);
}

/* Somebody else's trades, as the stream tells them. */
static void
stream_trades(int64_t from, unsigned count, bool both_sides)
{
    for (unsigned i = 0; i < count; i++) {
        struct venue_report v = trade(7000, from + i, both_sides && (from + i) % 2 == 0 ? SIDE_SELL : SIDE_BUY, 1);
        v.request = VENUE_RQ_COUNT;
        (void)snprintf(v.clordid, sizeof(v.clordid), "web_1");
        rig_say(&rig, &v);
    }
}

TEST(a_sweep_begins_before_trade_ids_above_the_cursor_make_room)
{
    sweeping_ready();
    stream_trades(1, 127, true); /* of 256 that are remembered */
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) == NULL);
    stream_trades(128, 1, true);
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_OPEN_ORDERS), 1); /* it is no audit */
    for (int64_t id = 1; id <= 128; id++)
        say_trade(7000, id, id % 2 == 0 ? SIDE_SELL : SIDE_BUY, 1);
    trades_end(NULL);
    balances();
    CHECK_EQ(order_trade_cursor(rig.orders, 0), 129);
    CHECK_EQ(rig_position(&rig)->qty, 0);
    stream_trades(129, 127, true);
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) == NULL);
    stream_trades(256, 1, true);
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
    rig_end(&rig);
}

TEST(a_trade_whose_id_made_room_before_the_cursor_passed_it_is_not_counted_again)
{
    sweeping_ready();
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 100000);
    struct venue_report f = trade(77, 1, SIDE_BUY, 1000);
    memcpy(f.clordid, rig_order(&rig, key)->clordid, CLORDID_BYTES);
    f.request = VENUE_RQ_COUNT;
    f.cum_qty = 1000;
    rig_say(&rig, &f);
    stream_trades(2, 300, false); /* the sweep that this begins gets no answer */
    CHECK((rig_order(&rig, key)->marks & ORDER_MARK_FORGOTTEN) != 0);
    CHECK_EQ(rig_position(&rig)->qty, 1300);
    CHECK_EQ(order_trade_cursor(rig.orders, 0), 0);
    for (int64_t id = 1; id <= 301; id++) {
        f = trade(id == 1 ? 77 : 7000, id, SIDE_BUY, id == 1 ? 1000 : 1);
        rig_say(&rig, &f);
    }
    trades_end(NULL);
    CHECK_EQ(rig_position(&rig)->qty, 1300);
    CHECK_EQ(rig_order(&rig, key)->cum_qty, 1000);
    CHECK_EQ(order_trade_cursor(rig.orders, 0), 302);
    stream_trades(302, 1, false); /* what is new counts */
    CHECK_EQ(rig_position(&rig)->qty, 1301);
    rig_end(&rig);
}

TEST(a_trade_counted_as_nobodys_and_forgotten_since_moves_no_position_for_its_order)
{
    char clordid[CLORDID_BYTES];
    sweeping_ready();
    uint64_t key = not_found_buy(clordid);
    struct venue_report f = trade(77, 1, SIDE_BUY, 1000); /* nobody knows yet that it is this order's */
    f.request = VENUE_RQ_COUNT;
    (void)snprintf(f.clordid, sizeof(f.clordid), "?");
    rig_say(&rig, &f);
    stream_trades(2, 300, false);
    CHECK_EQ(rig_position(&rig)->qty, 1300);
    f = trade(77, 1, SIDE_BUY, 1000);
    memcpy(f.clordid, clordid, CLORDID_BYTES);
    rig_say(&rig, &f);
    CHECK_EQ(rig_order(&rig, key)->cum_qty, 1000);
    CHECK_EQ(rig_position(&rig)->qty, 1300);
    rig_end(&rig);
}

TEST_MAIN()
