/* Killed and started again: what the journal says lives on, the venue is asked about all of it before anything new. */
#include "tests/gateway_rig.h"

#define ORDER_CONN GATEWAY_CONN(0, CONN_ROLE_ORDER)

static struct rig rig;

static const struct order *
order_of(uint64_t key)
{
    uint32_t slot = order_find_key(rig.orders, RIG_CLIENT, key);
    CHECK(slot != ORDER_NONE);
    return order_at(rig.orders, slot);
}

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
    CHECK_EQ(order_of(key)->state, ORDER_NEW);
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
    CHECK_EQ(order_of(key)->state, ORDER_PARTIALLY_FILLED);
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
    CHECK_EQ(order_of(key)->state, ORDER_FILLED);
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
    CHECK(order_unknown(order_of(key)));
    CHECK_EQ(gateway_orders_unknown(rig.g), 1);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 100000);
    rig_up(&rig);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    CHECK(!risk_venue_of(rig.risk, 0)->reconciled);
    CHECK(rig_take(&rig, VENUE_RQ_QUERY)->venue_at_ns < proof);
    rig_say_kind(&rig, VENUE_NOT_FOUND, clordid);
    CHECK(order_unknown(order_of(key)));
    CHECK(risk_venue_of(rig.risk, 0)->reconciled); /* new orders go on beside it: it keeps its reservation */
    rig_pass(&rig, 4 * NS_PER_S);
    CHECK(rig_take(&rig, VENUE_RQ_QUERY)->venue_at_ns >= proof);
    rig_say_kind(&rig, VENUE_NOT_FOUND, clordid);
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
    rig_say_kind(&rig, VENUE_TRADES_END, clordid);
    CHECK_EQ(order_of(key)->state, ORDER_NOT_PLACED);
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
    CHECK_EQ(order_of(key)->state, ORDER_CANCELED);
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

TEST_MAIN()
