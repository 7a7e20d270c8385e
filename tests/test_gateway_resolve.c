/* An operator's word on unknown orders: two steps, forced while the venue can be asked, and undone by the venue's. */
#include "tests/gateway_rig.h"

#define ORDER_CONN GATEWAY_CONN(0, CONN_ROLE_ORDER)

static struct rig rig;

/* A buy of 1000 whose request got no answer. */
static uint64_t
unknown_buy(void)
{
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 1000);
    rig_pass(&rig, 2 * NS_PER_S + NS_PER_MS);
    CHECK(order_unknown(rig_order(&rig, key)));
    return key;
}

static struct command
claim(uint64_t key, enum resolve_claim what)
{
    struct command c = {
        .verb = COMMAND_RESOLVE, .target_key = key, .target_client = RIG_CLIENT, .state = (uint8_t)what
    };
    (void)snprintf(c.text, sizeof(c.text), "venue support, ticket 4711");
    return c;
}

static void
confirm(const char *token, bool forced)
{
    struct command c = { .verb = COMMAND_CONFIRM, .state = forced };
    (void)snprintf(c.text, sizeof(c.text), "%s", token);
    rig_command(&rig, RIG_OPERATOR, c);
}

static qty_t
reserved(void)
{
    return rig_position(&rig)->reserved[SIDE_BUY];
}

TEST(an_unknown_order_keeps_its_reservation_until_the_second_step)
{
    rig_ready(&rig);
    uint64_t key = unknown_buy();
    rig_disconnect(&rig, ORDER_CONN); /* the venue cannot be asked */
    rig_command(&rig, RIG_OPERATOR, claim(key, RESOLVE_NOT_PLACED));
    struct report asked = rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM);
    CHECK_EQ(asked.kind, REPORT_CONFIRM);
    CHECK_EQ(reserved(), 1000);
    CHECK(order_unknown(rig_order(&rig, key)));
    confirm("wrong", false);
    CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_DENIED).deny, DENY_NOT_CONFIRMED);
    CHECK_EQ(reserved(), 1000);
    confirm(asked.text, false);
    CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_DONE).kind, REPORT_DONE);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_NOT_PLACED);
    CHECK_EQ(reserved(), 0);
    struct report r = rig_next(&rig, RIG_STRATEGY, REPORT_NOT_PLACED);
    CHECK_EQ(r.key, key);
    CHECK_STR(r.text, "venue support, ticket 4711");
    rig_end(&rig);
}

TEST(while_the_venue_can_be_asked_the_second_step_must_be_forced)
{
    rig_ready(&rig);
    uint64_t key = unknown_buy();
    rig_command(&rig, RIG_OPERATOR, claim(key, RESOLVE_CANCELED));
    confirm(rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM).text, false);
    CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_DENIED).deny, DENY_NOT_CONFIRMED);
    CHECK(order_unknown(rig_order(&rig, key)));
    CHECK_EQ(reserved(), 1000);
    rig_command(&rig, RIG_OPERATOR, claim(key, RESOLVE_CANCELED));
    confirm(rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM).text, true);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_CANCELED);
    CHECK_EQ(reserved(), 0);
    rig_end(&rig);
}

TEST(a_claimed_fill_moves_the_position_once_even_when_the_venue_tells_it_later)
{
    rig_ready(&rig);
    uint64_t key = unknown_buy();
    struct command c = claim(key, RESOLVE_FILLED);
    c.instrument_version = rig_order(&rig, key)->instrument_version;
    c.qty = 400;
    c.px = 99900;
    c.parent_key = 5;
    rig_command(&rig, RIG_OPERATOR, c);
    confirm(rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM).text, true);
    CHECK_EQ(rig_position(&rig)->qty, 400);
    CHECK_EQ(reserved(), 600);
    struct venue_report f = rig_report(VENUE_FILL, rig_order(&rig, key)->clordid);
    f.trade_id = 5;
    f.last_px = 99900;
    f.last_qty = 400;
    f.cum_qty = 400;
    rig_say(&rig, &f);
    CHECK_EQ(rig_position(&rig)->qty, 400);
    rig_end(&rig);
}

TEST(an_order_whose_trades_never_came_is_ended_by_the_operators_word)
{
    rig_ready(&rig);
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 1000);
    struct venue_report v = rig_report(VENUE_CANCELED, rig_order(&rig, key)->clordid);
    v.cum_qty = 300;
    rig_say(&rig, &v);
    CHECK(order_live(rig_order(&rig, key)));
    CHECK_EQ(reserved(), 300);
    rig_command(&rig, RIG_OPERATOR, claim(key, RESOLVE_CANCELED));
    confirm(rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM).text, true);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_CANCELED);
    CHECK_EQ(reserved(), 0);
    rig_end(&rig);
}

TEST(what_is_not_unknown_not_there_or_contradicted_takes_no_word)
{
    rig_ready(&rig);
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 1000);
    rig_say_kind(&rig, VENUE_NEW_ACK, rig_order(&rig, key)->clordid);
    rig_command(&rig, RIG_OPERATOR, claim(key, RESOLVE_CANCELED));
    CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_DENIED).deny, DENY_NOT_POSSIBLE);
    rig_command(&rig, RIG_OPERATOR, claim(key + 1, RESOLVE_CANCELED));
    CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_DENIED).deny, DENY_UNKNOWN_ORDER);
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key });
    rig_pass(&rig, 2 * NS_PER_S + NS_PER_MS);
    CHECK(order_unknown(rig_order(&rig, key)));
    rig_command(&rig, RIG_OPERATOR, claim(key, RESOLVE_NOT_PLACED)); /* it was acknowledged */
    CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_DENIED).deny, DENY_NOT_POSSIBLE);
    struct command bare = claim(key, RESOLVE_CANCELED);
    memset(bare.text, 0, sizeof(bare.text));
    rig_command(&rig, RIG_OPERATOR, bare);
    CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_DENIED).deny, DENY_INVALID_ORDER);
    rig_command(&rig, RIG_STRATEGY, claim(key, RESOLVE_CANCELED));
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_NOT_PERMITTED);
    CHECK_EQ(reserved(), 1000);
    rig_end(&rig);
}

TEST(an_order_that_works_after_the_operators_word_is_canceled)
{
    rig_ready(&rig);
    uint64_t key = unknown_buy();
    rig_command(&rig, RIG_OPERATOR, claim(key, RESOLVE_CANCELED));
    confirm(rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM).text, true);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 0);
    rig_say_kind(&rig, VENUE_NEW_ACK, rig_order(&rig, key)->clordid);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_CANCELED); /* it does not reopen */
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 1);
    rig_end(&rig);
}

TEST(an_operators_word_lives_over_a_restart)
{
    rig_ready(&rig);
    uint64_t key = unknown_buy();
    rig_command(&rig, RIG_OPERATOR, claim(key, RESOLVE_CANCELED));
    confirm(rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM).text, true);
    rig_restart(&rig);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_CANCELED);
    CHECK((rig_order(&rig, key)->marks & ORDER_MARK_OPERATOR) != 0);
    CHECK_EQ(reserved(), 0);
    rig_end(&rig);
}

/* The operator's claim of a fill, both steps, forced. */
static void
say_filled(uint64_t key, int64_t trade, px_t px, qty_t qty)
{
    struct command c = claim(key, RESOLVE_FILLED);
    c.instrument_version = rig_order(&rig, key)->instrument_version;
    c.qty = qty;
    c.px = px;
    c.parent_key = (uint64_t)trade;
    rig_command(&rig, RIG_OPERATOR, c);
    struct report asked = rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM);
    if (asked.kind == REPORT_CONFIRM)
        confirm(asked.text, true);
}

static void
say_canceled(uint64_t key)
{
    rig_command(&rig, RIG_OPERATOR, claim(key, RESOLVE_CANCELED));
    struct report asked = rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM);
    if (asked.kind == REPORT_CONFIRM)
        confirm(asked.text, true);
}

static void
answer(enum venue_report_kind kind, enum venue_request_kind request)
{
    struct venue_report v = rig_report(kind, NULL);
    v.request = (uint8_t)request;
    rig_say(&rig, &v);
}

/* One trade of a sweep, by the venue's order id alone. */
static void
swept_trade(uint64_t order, int64_t trade, enum side side, qty_t qty)
{
    struct venue_report v = rig_report(VENUE_FILL, NULL);
    v.request = VENUE_RQ_TRADES;
    v.venue_order_id = order;
    v.trade_id = trade;
    v.last_px = 99900;
    v.last_qty = qty;
    v.side = (uint8_t)side;
    v.venue_time_ns = rig.now.wall.ns - 60 * NS_PER_S;
    rig_say(&rig, &v);
}

static void
sweeping_ready(void)
{
    rig_start_sweeping(&rig, FOREIGN_REPORT, false);
    rig_up(&rig);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    answer(VENUE_TRADES_END, VENUE_RQ_TRADES);
    struct venue_report b = rig_report(VENUE_BALANCE, NULL);
    b.request = VENUE_RQ_BALANCES;
    b.last_qty = 100000 * VALUE_ONE;
    (void)snprintf(b.fee_ccy, sizeof(b.fee_ccy), "USDT");
    rig_say(&rig, &b);
    answer(VENUE_BALANCES_END, VENUE_RQ_BALANCES);
    CHECK(risk_venue_of(rig.risk, 0)->reconciled);
}

/* To the question of the audit's sweep for trades. */
static void
audit_to_trades(void)
{
    while (rig_take(&rig, VENUE_RQ_TRADES) != NULL) {
    }
    for (int i = 0; i < 8 && rig_take(&rig, VENUE_RQ_OPEN_ORDERS) == NULL; i++)
        rig_pass(&rig, 30 * NS_PER_S);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
}

TEST(a_trade_that_a_sweep_has_counted_as_nobodys_moves_the_position_no_second_time)
{
    sweeping_ready();
    (void)rig_take(&rig, VENUE_RQ_OPEN_ORDERS);
    uint64_t key = unknown_buy();
    audit_to_trades();
    swept_trade(77, 4711, SIDE_BUY, 400);
    answer(VENUE_TRADES_END, VENUE_RQ_TRADES);
    CHECK_EQ(rig_position(&rig)->qty, 400); /* whose it is nobody knows: the order's venue id never came */
    say_filled(key, 4711, 99900, 400);
    CHECK_EQ(rig_order(&rig, key)->cum_qty, 400);
    CHECK_EQ(rig_position(&rig)->qty, 400);
    CHECK_EQ(reserved(), 600);
    rig_restart(&rig);
    CHECK_EQ(rig_position(&rig)->qty, 400);
    CHECK_EQ(reserved(), 600);
    rig_end(&rig);
}

TEST(a_trade_counted_as_nobodys_is_its_clients_own_once_its_order_is_known)
{
    sweeping_ready();
    (void)rig_take(&rig, VENUE_RQ_OPEN_ORDERS);
    struct command c = rig_limit(&rig, SIDE_BUY, 99900, 1000);
    c.parent_key = 9;
    c.parent_qty = 1500;
    rig_command(&rig, RIG_STRATEGY, c);
    uint64_t key = rig.key;
    rig_pass(&rig, 2 * NS_PER_S + NS_PER_MS);
    audit_to_trades();
    swept_trade(77, 4711, SIDE_BUY, 400);
    answer(VENUE_TRADES_END, VENUE_RQ_TRADES);
    say_filled(key, 4711, 99900, 400);
    say_canceled(key);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_CANCELED);
    CHECK_EQ(rig_position(&rig)->qty, 400);
    c = rig_limit(&rig, SIDE_BUY, 99900, 1101); /* 400 of the parent's 1500 are bought */
    c.parent_key = 9;
    c.parent_qty = 1500;
    rig_command(&rig, RIG_STRATEGY, c);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_PARENT);
    c = rig_limit(&rig, SIDE_BUY, 99900, 1100);
    c.parent_key = 9;
    c.parent_qty = 1500;
    rig_command(&rig, RIG_STRATEGY, c);
    CHECK_EQ(reserved(), 1100);
    rig_end(&rig);
}

TEST(after_a_fill_by_an_operators_word_the_rest_is_unknown_and_takes_another_word)
{
    rig_ready(&rig);
    uint64_t key = unknown_buy();
    say_filled(key, 5, 99900, 400);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_PARTIALLY_FILLED);
    CHECK(order_unknown(rig_order(&rig, key)));
    CHECK_EQ(gateway_orders_unknown(rig.g), 1);
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key });
    rig_say_kind(&rig, VENUE_CANCEL_REJECTED, rig_order(&rig, key)->clordid);
    CHECK(order_unknown(rig_order(&rig, key)));
    rig_restart(&rig); /* nor does the journal take it for settled */
    CHECK(order_unknown(rig_order(&rig, key)));
    CHECK_EQ(reserved(), 600);
    say_canceled(key);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_CANCELED);
    CHECK_EQ(rig_position(&rig)->qty, 400);
    CHECK_EQ(reserved(), 0);
    CHECK_EQ(gateway_orders_unknown(rig.g), 0);
    rig_end(&rig);
}

TEST(what_is_left_after_an_operators_fill_is_not_replaced_while_nobody_knows_that_it_works)
{
    rig_ready(&rig);
    uint64_t key = unknown_buy();
    say_filled(key, 5, 99900, 400);
    struct command c = rig_limit(&rig, SIDE_BUY, 99800, 1500);
    c.verb = COMMAND_REPLACE;
    c.target_key = key;
    rig_command(&rig, RIG_STRATEGY, c);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_ORDER_DONE);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL) + rig_requests(&rig, VENUE_RQ_REPLACE), 0);
    CHECK_EQ(reserved(), 600);
    rig_end(&rig);
}

TEST(the_venues_word_that_the_rest_works_settles_what_an_operators_fill_left_open)
{
    rig_ready(&rig);
    uint64_t key = unknown_buy();
    say_filled(key, 5, 99900, 400);
    struct venue_report v = rig_report(VENUE_NEW_ACK, rig_order(&rig, key)->clordid);
    v.venue_order_id = 77;
    rig_say(&rig, &v);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_PARTIALLY_FILLED);
    CHECK(!order_unknown(rig_order(&rig, key)));
    CHECK_EQ(gateway_orders_unknown(rig.g), 0);
    say_canceled(key);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_PARTIALLY_FILLED);
    CHECK_EQ(reserved(), 600);
    rig_end(&rig);
}

TEST(an_order_that_was_there_and_is_not_found_any_more_keeps_its_reservation_until_an_operators_word)
{
    rig_ready(&rig);
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 1000);
    struct venue_report ack = rig_report(VENUE_NEW_ACK, rig_order(&rig, key)->clordid);
    ack.venue_order_id = 77;
    rig_say(&rig, &ack);
    for (int i = 0; i < 30; i++) { /* the audits do not list it, and each query finds nothing */
        rig_pass(&rig, 10 * NS_PER_S);
        if (rig_take(&rig, VENUE_RQ_TIME) != NULL) {
            struct venue_report t = rig_report(VENUE_TIME, NULL);
            t.venue_time_ns = rig.now.wall.ns;
            rig_say(&rig, &t);
        }
        if (rig_take(&rig, VENUE_RQ_OPEN_ORDERS) != NULL)
            rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
        while (rig_take(&rig, VENUE_RQ_QUERY) != NULL)
            rig_say_kind(&rig, VENUE_NOT_FOUND, rig_order(&rig, key)->clordid);
        while (rig_take(&rig, VENUE_RQ_TRADES) != NULL)
            rig_say_kind(&rig, VENUE_TRADES_END, rig_order(&rig, key)->clordid);
    }
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_NEW); /* nothing proves what became of it */
    CHECK_EQ(reserved(), 1000);
    CHECK_EQ(metric_get(rig.metrics, METRIC_ORDER_STUCK, 0), 1);
    say_canceled(key);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_CANCELED);
    CHECK_EQ(reserved(), 0);
    CHECK_EQ(metric_get(rig.metrics, METRIC_ORDER_STUCK, 0), 0);
    rig_end(&rig);
}

TEST(an_order_that_is_found_again_takes_no_word)
{
    rig_ready(&rig);
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 1000);
    struct venue_report v = rig_report(VENUE_NEW_ACK, rig_order(&rig, key)->clordid);
    v.venue_order_id = 77;
    rig_say(&rig, &v);
    while (rig_take(&rig, VENUE_RQ_OPEN_ORDERS) != NULL) {
    }
    for (int i = 0; i < 8 && rig_take(&rig, VENUE_RQ_OPEN_ORDERS) == NULL; i++)
        rig_pass(&rig, 30 * NS_PER_S);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    CHECK(rig_take(&rig, VENUE_RQ_QUERY) != NULL);
    rig_say_kind(&rig, VENUE_NOT_FOUND, rig_order(&rig, key)->clordid);
    v = rig_report(VENUE_OPEN_ORDER, rig_order(&rig, key)->clordid); /* the next list has it again */
    v.request = VENUE_RQ_OPEN_ORDERS;
    v.state = ORDER_NEW;
    v.venue_order_id = 77;
    rig_say(&rig, &v);
    say_canceled(key);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_NEW);
    CHECK_EQ(reserved(), 1000);
    rig_end(&rig);
}

TEST(a_claimed_trade_of_more_than_is_open_beyond_the_price_or_of_another_order_is_refused)
{
    rig_ready(&rig);
    uint64_t other = rig_new(&rig, SIDE_BUY, 99900, 1000);
    struct venue_report f = rig_report(VENUE_FILL, rig_order(&rig, other)->clordid);
    f.trade_id = 9;
    f.last_px = 99900;
    f.last_qty = f.cum_qty = 100;
    rig_say(&rig, &f);
    uint64_t key = unknown_buy();
    say_filled(key, 5, 99900, 1001);
    say_filled(key, 5, 99901, 400);
    say_filled(key, 9, 99900, 100);
    CHECK_EQ(rig_order(&rig, key)->cum_qty, 0);
    CHECK_EQ(rig_position(&rig)->qty, 100);
    say_filled(key, 5, 99900, 1000);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_FILLED);
    CHECK_EQ(rig_position(&rig)->qty, 1100);
    rig_end(&rig);
}

TEST(a_claimed_price_in_decimals_that_have_changed_since_is_refused)
{
    for (int how = 0; how < 2; how++) {
        rig_ready(&rig);
        uint64_t key = unknown_buy();
        struct command c = claim(key, RESOLVE_FILLED);
        c.instrument_version = rig_order(&rig, key)->instrument_version;
        c.qty = 400;
        c.px = 99900;
        c.parent_key = 5;
        if (how == 0)
            rig_command(&rig, RIG_OPERATOR, c);
        struct instrument ins = rig_instrument();
        ins.px_decimals++;
        ins.tick *= 10;
        ins.px_min *= 10;
        ins.px_max *= 10;
        gateway_on_definition(rig.g, &ins, rig.now);
        gateway_on_definitions_end(rig.g, 0, true, rig.now);
        CHECK_EQ(rig_order(&rig, key)->px, 999000);
        if (how == 0)
            confirm(rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM).text, true);
        else
            rig_command(&rig, RIG_OPERATOR, c);
        CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_DENIED).deny, DENY_UNKNOWN_INSTRUMENT);
        CHECK_EQ(rig_position(&rig)->qty, 0);
        CHECK_EQ(reserved(), 1000);
        rig_end(&rig);
    }
}

TEST_MAIN()
