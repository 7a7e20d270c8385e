/* The deterministic core against a scripted venue: log-on, orders, unknown outcomes and the evidence that ends them. */
#include "tests/gateway_rig.h"

#define ORDER_CONN  GATEWAY_CONN(0, CONN_ROLE_ORDER)
#define MARKET_CONN GATEWAY_CONN(0, CONN_ROLE_MARKET)

static struct rig rig;

static struct venue_report
fill_report(const char *clordid, int64_t trade, px_t px, qty_t qty, qty_t cum)
{
    struct venue_report v = rig_report(VENUE_FILL, clordid);
    v.trade_id = trade;
    v.last_px = px;
    v.last_qty = qty;
    v.cum_qty = cum;
    v.venue_order_id = 77;
    return v;
}

/* Send a resting buy of 1.00000 at 999.00 that the venue acknowledges. */
static uint64_t
working_buy(void)
{
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 100000);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_NEW);
    struct venue_report ack = rig_report(VENUE_NEW_ACK, q->clordid);
    ack.venue_order_id = 77;
    rig_say(&rig, &ack);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_NEW);
    return key;
}

TEST(an_order_is_in_the_journal_before_it_is_encoded_and_its_whole_life_is_reported)
{
    rig_ready(&rig);
    uint64_t before = rig.journal.seq;
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 100000);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_NEW);
    CHECK(q != NULL && q->journal_seq == before + 1 && q->px == 99900 && q->qty == 100000);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_SENT).key, key);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 100000);

    rig_say_kind(&rig, VENUE_NEW_ACK, q->clordid);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_NEW).key, key);
    struct venue_report f = fill_report(q->clordid, 1, 99900, 40000, 40000);
    rig_say(&rig, &f);
    rig_say(&rig, &f); /* the same trade again */
    struct report rep = rig_next(&rig, RIG_STRATEGY, REPORT_FILL);
    CHECK(rep.last_qty == 40000 && rep.cum_qty == 40000 && rep.leaves_qty == 60000);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_FILL).kind, REPORT_NONE);
    CHECK_EQ(rig_position(&rig)->qty, 40000);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 60000);
    f = fill_report(q->clordid, 2, 99900, 60000, 100000);
    rig_say(&rig, &f);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_FILL).order_state, ORDER_FILLED);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 0);
    CHECK_EQ(gateway_orders_live(rig.g), 0);
    rig_end(&rig);
}

TEST(without_an_answer_an_order_is_unknown_keeps_its_reservation_and_is_never_sent_again)
{
    rig_ready(&rig);
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 100000);
    rig_pass(&rig, 2 * NS_PER_S - 1);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_UNKNOWN).kind, REPORT_NONE);
    rig_pass(&rig, 1);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_UNKNOWN).key, key);
    rig_pass(&rig, 60 * NS_PER_S);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 100000);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 1);
    CHECK(rig_requests(&rig, VENUE_RQ_QUERY) >= 3);
    CHECK_EQ(gateway_orders_unknown(rig.g), 1);
    rig_end(&rig);
}

TEST(not_found_proves_nothing_before_the_deadline_and_the_margin_and_only_together_with_the_trades)
{
    rig_ready(&rig);
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 100000);
    char clordid[CLORDID_BYTES];
    struct rig_request *sent = rig_take(&rig, VENUE_RQ_NEW);
    int64_t proof = sent->venue_at_ns + NS_PER_S + 2 * NS_PER_S;
    memcpy(clordid, sent->clordid, CLORDID_BYTES);
    rig_pass(&rig, 2 * NS_PER_S + 500 * NS_PER_MS);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_QUERY);
    CHECK(q != NULL && q->venue_at_ns < proof);
    rig_say_kind(&rig, VENUE_NOT_FOUND, clordid);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_TRADES), 0);
    CHECK(order_unknown(rig_order(&rig, key)));

    rig_pass(&rig, 2 * NS_PER_S);
    q = rig_take(&rig, VENUE_RQ_QUERY);
    CHECK(q != NULL && q->venue_at_ns >= proof);
    int64_t told = rig.now.wall.ns;
    rig_say_kind(&rig, VENUE_NOT_FOUND, clordid);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_TRADES), 0); /* it may just have been filled, and not show yet */
    rig_say_kind(&rig, VENUE_CANCEL_REJECTED, clordid);
    rig_pass(&rig, RIG_MARGIN_NS - 10 * NS_PER_MS);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_TRADES), 0);
    rig_pass(&rig, 10 * NS_PER_MS);
    CHECK(order_unknown(rig_order(&rig, key)));
    q = rig_take(&rig, VENUE_RQ_TRADES);
    CHECK(q != NULL && q->venue_at_ns >= told + RIG_MARGIN_NS);
    rig_say_kind(&rig, VENUE_TRADES_END, clordid);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_NOT_PLACED);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_NOT_PLACED).key, key);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 0);
    rig_end(&rig);
}

TEST(a_trade_found_by_asking_is_counted_and_the_order_is_not_declared_dead)
{
    rig_ready(&rig);
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 100000);
    char clordid[CLORDID_BYTES];
    memcpy(clordid, rig_take(&rig, VENUE_RQ_NEW)->clordid, CLORDID_BYTES);
    rig_pass(&rig, 3 * NS_PER_S);
    CHECK(rig_take(&rig, VENUE_RQ_QUERY) != NULL);
    struct venue_report s = rig_report(VENUE_STATUS, clordid);
    s.request = VENUE_RQ_QUERY;
    s.state = ORDER_FILLED;
    s.cum_qty = 100000;
    s.venue_order_id = 77;
    rig_say(&rig, &s);
    CHECK(order_live(rig_order(&rig, key))); /* the venue says filled, but not one trade was seen */
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 100000);
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
    struct venue_report f = fill_report(clordid, 5, 99900, 100000, 100000);
    f.request = VENUE_RQ_TRADES;
    rig_say(&rig, &f);
    rig_say_kind(&rig, VENUE_TRADES_END, clordid);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_FILLED);
    CHECK_EQ(rig_position(&rig)->qty, 100000);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 0);
    rig_end(&rig);
}

TEST(orders_in_flight_when_the_session_ends_are_unknown_until_the_venue_is_asked_again)
{
    rig_ready(&rig);
    uint64_t working = working_buy();
    uint64_t in_flight = rig_new(&rig, SIDE_SELL, 100100, 50000);
    char clordid[CLORDID_BYTES];
    memcpy(clordid, rig_take(&rig, VENUE_RQ_NEW)->clordid, CLORDID_BYTES);
    rig_disconnect(&rig, ORDER_CONN);
    CHECK(order_unknown(rig_order(&rig, in_flight)) && !order_unknown(rig_order(&rig, working)));
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_SELL], 50000);

    rig_command(&rig, RIG_STRATEGY, rig_limit(&rig, SIDE_BUY, 99900, 1000));
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_VENUE_DOWN);
    rig_pass(&rig, NS_PER_S);
    CHECK_EQ(rig.opened[ORDER_CONN], 2);
    rig_connect(&rig, ORDER_CONN);
    rig_logon(&rig);
    rig_command(&rig, RIG_STRATEGY, rig_limit(&rig, SIDE_BUY, 99900, 1000));
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_RECONCILING);
    struct venue_report open = rig_report(VENUE_OPEN_ORDER, rig_order(&rig, working)->clordid);
    open.state = ORDER_NEW;
    rig_say(&rig, &open);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    CHECK(!risk_venue_of(rig.risk, 0)->reconciled); /* one order is still to be asked about */
    struct rig_request *q = rig_take(&rig, VENUE_RQ_QUERY);
    CHECK(q != NULL && memcmp(q->clordid, clordid, CLORDID_BYTES) == 0);
    CHECK(rig_take(&rig, VENUE_RQ_QUERY) == NULL);
    struct venue_report s = rig_report(VENUE_STATUS, clordid);
    s.state = ORDER_NEW;
    rig_say(&rig, &s);
    CHECK(risk_venue_of(rig.risk, 0)->reconciled);
    CHECK_EQ(rig_order(&rig, in_flight)->state, ORDER_NEW);
    CHECK_EQ(gateway_orders_unknown(rig.g), 0);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 2);
    rig_end(&rig);
}

TEST(a_fill_before_the_acknowledgement_and_a_fill_after_the_cancel_both_count)
{
    rig_ready(&rig);
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 100000);
    char clordid[CLORDID_BYTES];
    memcpy(clordid, rig_take(&rig, VENUE_RQ_NEW)->clordid, CLORDID_BYTES);
    struct venue_report f = fill_report(clordid, 1, 99900, 30000, 30000);
    rig_say(&rig, &f);
    rig_say_kind(&rig, VENUE_NEW_ACK, clordid);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_PARTIALLY_FILLED);
    struct command c = { .verb = COMMAND_CANCEL, .target_key = key };
    rig_command(&rig, RIG_STRATEGY, c);
    CHECK(rig_take(&rig, VENUE_RQ_CANCEL) != NULL);
    rig_say_kind(&rig, VENUE_CANCELED, clordid);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_CANCELED);
    f = fill_report(clordid, 2, 99900, 20000, 50000);
    rig_say(&rig, &f);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_CANCELED);
    CHECK_EQ(rig_position(&rig)->qty, 50000);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 0);
    (void)rig_next(&rig, RIG_STRATEGY, REPORT_FILL);
    CHECK((rig_next(&rig, RIG_STRATEGY, REPORT_FILL).flags & REPORT_LATE) != 0);
    rig_end(&rig);
}

TEST(halt_kills_new_orders_and_cancels_what_works_until_resume_is_confirmed)
{
    rig_ready(&rig);
    (void)working_buy();
    rig_command(&rig, RIG_OPERATOR, (struct command){ .verb = COMMAND_HALT });
    CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_DONE).kind, REPORT_DONE);
    CHECK(rig_take(&rig, VENUE_RQ_CANCEL) != NULL);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_KILLED);
    rig_resume(&rig);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK(rig_take(&rig, VENUE_RQ_NEW) != NULL);
    rig_end(&rig);
}

TEST(a_strategy_may_not_halt)
{
    rig_ready(&rig);
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_HALT });
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_NOT_PERMITTED);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK(rig_take(&rig, VENUE_RQ_NEW) != NULL);
    rig_end(&rig);
}

TEST(a_journal_that_cannot_be_written_stops_new_orders_and_lets_cancels_pass)
{
    rig_ready(&rig);
    uint64_t key = working_buy();
    journal_fail(&rig.journal);
    gateway_on_journal_failed(rig.g, rig.now);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_JOURNAL);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 1);
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key });
    CHECK(rig_take(&rig, VENUE_RQ_CANCEL) != NULL);
    rig_end(&rig);
}

TEST(a_full_journal_denies_the_order_that_does_not_fit_and_nothing_of_it_leaves)
{
    rig_ready(&rig);
    rig.journal.bytes = rig.journal.used + 8; /* no room for a record, and no next segment */
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_JOURNAL);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 0);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 0);
    rig_end(&rig);
}

TEST(a_late_segment_denies_orders_until_it_is_there_and_records_what_is_reported_meanwhile)
{
    rig_ready(&rig);
    uint64_t key = working_buy();
    rig.journal.reserve = 8192;
    rig.journal.bytes = rig.journal.used + 8192;
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_JOURNAL);
    uint64_t seq = rig.journal.seq;
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key });
    CHECK(rig_take(&rig, VENUE_RQ_CANCEL) != NULL);
    CHECK_EQ(rig.journal.seq, seq + 1); /* in the reserve */
    rig.spare = (uint8_t *)aligned_alloc(4096, RIG_SEGMENT);
    memset(rig.spare, 0, RIG_SEGMENT);
    uint8_t *spare = rig.spare;
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK(rig_take(&rig, VENUE_RQ_NEW) != NULL); /* no restart, no operator */
    rig_end(&rig);
    free(spare);
}

TEST(a_full_disk_stops_new_orders_until_it_has_room_again)
{
    rig_ready(&rig);
    gateway_on_journal_full(rig.g, true, rig.now);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_JOURNAL);
    gateway_on_journal_full(rig.g, false, rig.now);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK(rig_take(&rig, VENUE_RQ_NEW) != NULL);
    rig_end(&rig);
}

TEST(no_room_to_send_denies_and_the_order_does_not_exist)
{
    rig_ready(&rig);
    rig.no_room = true;
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_CAPACITY);
    CHECK_EQ(gateway_orders_live(rig.g), 0);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 0);
    rig_end(&rig);
}

TEST(a_repeated_key_gets_the_stored_result_and_sends_nothing)
{
    rig_ready(&rig);
    struct command c = rig_limit(&rig, SIDE_BUY, 99900, 1000);
    rig_command(&rig, RIG_STRATEGY, c);
    CHECK(rig_take(&rig, VENUE_RQ_NEW) != NULL);
    rig_command(&rig, RIG_STRATEGY, c);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 1);
    struct report rep = rig_next(&rig, RIG_STRATEGY, REPORT_ORDER);
    CHECK(rep.key == c.key && rep.order_state == ORDER_SENT);
    rig_end(&rig);
}

TEST(a_client_that_goes_away_has_its_orders_canceled_even_when_the_venue_is_down_just_then)
{
    rig_ready(&rig);
    uint64_t key = working_buy();
    rig_disconnect(&rig, ORDER_CONN);
    (void)client_port_detach(rig.clients, RIG_STRATEGY);
    gateway_on_session_end(rig.g, RIG_STRATEGY);
    gateway_on_client_gone(rig.g, RIG_CLIENT, ON_DISCONNECT_CANCEL, rig.now);
    rig_work(&rig);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 0);
    rig_pass(&rig, NS_PER_S);
    rig_connect(&rig, ORDER_CONN);
    rig_logon(&rig);
    struct venue_report open = rig_report(VENUE_OPEN_ORDER, rig_order(&rig, key)->clordid);
    open.state = ORDER_NEW;
    rig_say(&rig, &open);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    CHECK(rig_take(&rig, VENUE_RQ_CANCEL) != NULL);
    rig_end(&rig);
}

TEST(a_cancel_replace_holds_both_reservations_until_the_old_order_is_dead)
{
    rig_ready(&rig);
    uint64_t key = working_buy();
    struct command c = rig_limit(&rig, SIDE_BUY, 99800, 150000);
    c.verb = COMMAND_REPLACE;
    c.target_key = key;
    rig_command(&rig, RIG_STRATEGY, c);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_REPLACE);
    CHECK(q != NULL && q->qty == 150000);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 250000);
    rig_say_kind(&rig, VENUE_CANCELED, q->target);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 150000);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_REPLACED).key, key);
    rig_say_kind(&rig, VENUE_NEW_ACK, q->clordid);
    CHECK_EQ(rig_order(&rig, c.key)->state, ORDER_NEW);
    rig_end(&rig);
}

TEST(the_pair_of_a_replace_whose_answer_names_only_the_new_order_is_put_together)
{
    rig_ready(&rig);
    uint64_t key = working_buy();
    struct command c = rig_limit(&rig, SIDE_BUY, 99800, 150000);
    c.verb = COMMAND_REPLACE;
    c.target_key = key;
    rig_command(&rig, RIG_STRATEGY, c);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_REPLACE);
    struct venue_report v = rig_report(VENUE_CANCEL_REJECTED, NULL);
    v.request = VENUE_RQ_REPLACE;
    rig_say(&rig, &v);
    v = rig_report(VENUE_REJECTED, q->clordid);
    v.request = VENUE_RQ_REPLACE;
    rig_say(&rig, &v);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_CANCEL_REJECTED).key, key);
    CHECK_EQ(rig_order(&rig, c.key)->state, ORDER_REJECTED);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_NEW);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 100000);
    rig_end(&rig);
}

TEST(nothing_is_sent_while_the_venue_told_us_to_wait)
{
    rig_ready(&rig);
    struct venue_report v = rig_report(VENUE_RATE_LIMITED, NULL);
    v.retry_after_ns = rig.now.wall.ns + 3 * NS_PER_S;
    rig_say(&rig, &v);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_ORDER_RATE);
    rig_pass(&rig, 3 * NS_PER_S - 1);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 0);
    rig_pass(&rig, 1);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 1);
    rig_end(&rig);
}

TEST(a_cancel_asked_for_while_the_venue_told_us_to_wait_goes_out_when_the_wait_is_over)
{
    rig_ready(&rig);
    uint64_t key = working_buy();
    struct venue_report v = rig_report(VENUE_RATE_LIMITED, NULL);
    v.retry_after_ns = rig.now.wall.ns + 3 * NS_PER_S;
    rig_say(&rig, &v);
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key });
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_CANCEL_RATE);
    rig_pass(&rig, 2 * NS_PER_S);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 0);
    rig_pass(&rig, 2 * NS_PER_S);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 1);
    rig_end(&rig);
}

TEST(an_order_whose_fill_was_lost_is_found_by_the_regular_audit_and_one_that_is_listed_is_left_alone)
{
    rig_ready(&rig);
    uint64_t lost = working_buy();
    uint64_t listed = working_buy();
    rig_pass(&rig, 60 * NS_PER_S);
    CHECK(rig_take(&rig, VENUE_RQ_OPEN_ORDERS) != NULL);
    uint64_t young = working_buy(); /* after the list was asked for: its absence says nothing */
    struct venue_report open = rig_report(VENUE_OPEN_ORDER, rig_order(&rig, listed)->clordid);
    open.state = ORDER_NEW;
    open.venue_order_id = 77;
    rig_say(&rig, &open);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_QUERY);
    CHECK(q != NULL && memcmp(q->clordid, rig_order(&rig, lost)->clordid, CLORDID_BYTES) == 0);
    CHECK(rig_take(&rig, VENUE_RQ_QUERY) == NULL);
    struct venue_report s = rig_report(VENUE_STATUS, rig_order(&rig, lost)->clordid);
    s.state = ORDER_FILLED;
    s.cum_qty = 100000;
    s.venue_order_id = 77;
    rig_say(&rig, &s);
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
    struct venue_report f = fill_report(rig_order(&rig, lost)->clordid, 5, 99900, 100000, 100000);
    f.request = VENUE_RQ_TRADES;
    rig_say(&rig, &f);
    rig_say_kind(&rig, VENUE_TRADES_END, rig_order(&rig, lost)->clordid);
    CHECK_EQ(rig_order(&rig, lost)->state, ORDER_FILLED);
    CHECK_EQ(rig_order(&rig, listed)->state, ORDER_NEW);
    CHECK_EQ(rig_order(&rig, young)->state, ORDER_NEW);
    rig_end(&rig);
}

TEST(an_audit_that_the_venue_refuses_or_does_not_answer_harms_nothing)
{
    rig_ready(&rig);
    uint64_t key = working_buy();
    rig_pass(&rig, 60 * NS_PER_S);
    CHECK(rig_take(&rig, VENUE_RQ_OPEN_ORDERS) != NULL);
    struct venue_report v = rig_report(VENUE_QUERY_FAILED, NULL);
    v.request = VENUE_RQ_OPEN_ORDERS;
    rig_say(&rig, &v);
    CHECK(rig.wanted[ORDER_CONN]);
    rig_pass(&rig, 60 * NS_PER_S); /* not answered at all */
    CHECK(rig_take(&rig, VENUE_RQ_OPEN_ORDERS) != NULL);
    rig_pass(&rig, 60 * NS_PER_S);
    CHECK(rig_take(&rig, VENUE_RQ_OPEN_ORDERS) != NULL);
    CHECK(rig.wanted[ORDER_CONN] && rig_order(&rig, key)->state == ORDER_NEW);
    rig_end(&rig);
}

TEST(cancel_all_cancels_every_order_and_says_how_many)
{
    rig_ready(&rig);
    for (int i = 0; i < 5; i++)
        (void)working_buy();
    rig_command(&rig, RIG_OPERATOR, (struct command){ .verb = COMMAND_CANCEL_ALL, .instrument = INSTRUMENT_NONE });
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 5);
    CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_DONE).qty, 5);
    rig_end(&rig);
}

TEST(cancel_all_says_how_many_wait_for_their_venue)
{
    rig_ready(&rig);
    for (int i = 0; i < 3; i++)
        (void)working_buy();
    rig_disconnect(&rig, ORDER_CONN);
    rig_command(&rig, RIG_OPERATOR, (struct command){ .verb = COMMAND_CANCEL_ALL, .instrument = INSTRUMENT_NONE });
    struct report r = rig_next(&rig, RIG_OPERATOR, REPORT_DONE);
    CHECK(r.qty == 0 && r.leaves_qty == 3);
    CHECK_STR(r.text, "0 sent, 3 wait for the venue");
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 0);
    rig_end(&rig);
}

TEST(orders_and_positions_are_answered_in_parts_and_ended)
{
    rig_ready(&rig);
    for (int i = 0; i < 7; i++)
        (void)working_buy();
    rig_command(&rig, RIG_OPERATOR, (struct command){ .verb = COMMAND_QUERY_ORDERS });
    for (int i = 0; i < 7; i++)
        CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_ORDER).kind, REPORT_ORDER);
    CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_END).qty, 7);
    rig_command(&rig, RIG_OPERATOR, (struct command){ .verb = COMMAND_QUERY_POSITIONS });
    struct report p = rig_next(&rig, RIG_OPERATOR, REPORT_POSITION);
    CHECK(p.qty == 0 && p.cum_qty == 700000);
    CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_END).qty, 1);
    rig_end(&rig);
}

/* The end of a long answer: it goes on as its reports are read. */
static struct report
answer_end(void)
{
    struct report r = { .kind = REPORT_NONE };

    for (unsigned i = 0; i < 100 && r.kind != REPORT_END; i++) {
        rig_work(&rig);
        r = rig_next(&rig, RIG_STRATEGY, REPORT_END);
    }
    CHECK_EQ(r.kind, REPORT_END);
    return r;
}

TEST(orders_that_are_over_are_told_from_a_key_on_and_what_is_forgotten_is_said)
{
    uint64_t key[RIG_ORDERS + 3];

    rig_ready(&rig);
    for (unsigned i = 0; i < 3; i++)
        key[i] = working_buy();
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key[1] });
    rig_say_kind(&rig, VENUE_CANCELED, rig_order(&rig, key[1])->clordid);
    for (unsigned from = 0; from < 3; from++) {
        rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_QUERY_ORDERS, .target_key = key[from] });
        for (unsigned i = from; i < 3; i += i == 0 ? 2 : 1) /* live ones first */
            if (i != 1)
                CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_ORDER).key, key[i]);
        if (from < 2) {
            struct report r = rig_next(&rig, RIG_STRATEGY, REPORT_ORDER);
            CHECK_EQ(r.key, key[1]);
            CHECK_EQ(r.order_state, ORDER_CANCELED);
        }
        struct report end = rig_next(&rig, RIG_STRATEGY, REPORT_END);
        CHECK_EQ(end.qty, 3 - from);
        CHECK_EQ(end.flags, 0);
    }
    for (unsigned i = 3; i < RIG_ORDERS + 3; i++) { /* more than the table has slots */
        key[i] = working_buy();
        rig_say_kind(&rig, VENUE_CANCELED, rig_order(&rig, key[i])->clordid);
        rig_pass(&rig, NS_PER_S);
    }
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_QUERY_ORDERS, .target_key = key[1] });
    CHECK_EQ(answer_end().flags, REPORT_CUT);
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_QUERY_ORDERS, .target_key = key[RIG_ORDERS] });
    CHECK_EQ(answer_end().flags, 0);
    rig_end(&rig);
}

TEST(a_log_on_step_without_an_answer_reconnects_and_nothing_is_sent_meanwhile)
{
    rig_ready(&rig);
    rig_disconnect(&rig, ORDER_CONN);
    rig_pass(&rig, NS_PER_S);
    rig_connect(&rig, ORDER_CONN);
    rig_pass(&rig, 5 * NS_PER_S);
    CHECK(!rig.wanted[ORDER_CONN]);
    rig_disconnect(&rig, ORDER_CONN);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 0);
    rig_pass(&rig, NS_PER_S);
    CHECK_EQ(rig.opened[ORDER_CONN], 3);
    rig_end(&rig);
}

TEST(a_market_that_goes_down_makes_new_orders_denied)
{
    rig_ready(&rig);
    rig_disconnect(&rig, MARKET_CONN);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_BOOK_INVALID);
    rig_end(&rig);
}

/* The venue says FILLED of an order whose trades were not told: they are being asked for. Its key. */
static uint64_t
filled_without_trades(char clordid[CLORDID_BYTES])
{
    uint64_t key = working_buy();

    memcpy(clordid, rig_order(&rig, key)->clordid, CLORDID_BYTES);
    struct venue_report s = rig_report(VENUE_STATUS, clordid);
    s.state = ORDER_FILLED;
    s.cum_qty = 100000;
    s.venue_order_id = 77;
    rig_say(&rig, &s);
    rig_pass(&rig, NS_PER_S);
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
    return key;
}

TEST(a_trade_of_another_instrument_under_the_same_venue_order_id_is_not_this_orders)
{
    char clordid[CLORDID_BYTES];

    rig_ready(&rig);
    uint64_t key = filled_without_trades(clordid);
    struct venue_report f = fill_report(NULL, 5, 1, 100000, 0);
    f.request = VENUE_RQ_TRADES;
    f.instrument = 1;
    rig_say(&rig, &f);
    CHECK_EQ(rig_order(&rig, key)->cum_qty, 0);
    CHECK_EQ(rig_position(&rig)->qty, 0);
    f.instrument = 0;
    rig_say(&rig, &f);
    CHECK_EQ(rig_order(&rig, key)->cum_qty, 100000);
    rig_end(&rig);
}

TEST(a_report_that_names_our_order_and_another_instrument_or_venue_order_id_changes_nothing)
{
    rig_ready(&rig);
    uint64_t key = working_buy();
    struct venue_report f = fill_report(rig_order(&rig, key)->clordid, 5, 99900, 1000, 1000);
    f.instrument = 1;
    rig_say(&rig, &f);
    f.instrument = 0;
    f.venue_order_id = 78;
    rig_say(&rig, &f);
    CHECK_EQ(rig_order(&rig, key)->cum_qty, 0);
    rig_pass(&rig, NS_PER_S);
    CHECK(rig_take(&rig, VENUE_RQ_QUERY) != NULL); /* but the venue is asked */
    f.venue_order_id = 77;
    rig_say(&rig, &f);
    CHECK_EQ(rig_order(&rig, key)->cum_qty, 1000);
    rig_end(&rig);
}

TEST(a_step_of_the_wall_clock_does_not_make_not_found_a_proof)
{
    rig_ready(&rig);
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 100000);
    char clordid[CLORDID_BYTES];
    memcpy(clordid, rig_take(&rig, VENUE_RQ_NEW)->clordid, CLORDID_BYTES);
    rig.now.wall.ns += 60 * NS_PER_S;
    rig_pass(&rig, 2 * NS_PER_S + 500 * NS_PER_MS);
    CHECK(rig_take(&rig, VENUE_RQ_QUERY) != NULL);
    rig_say_kind(&rig, VENUE_NOT_FOUND, clordid);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_TRADES), 0);
    CHECK(order_unknown(rig_order(&rig, key)));
    rig_pass(&rig, 2 * NS_PER_S);
    CHECK(rig_take(&rig, VENUE_RQ_QUERY) != NULL);
    rig_not_found(&rig, clordid);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_TRADES), 1);
    rig_end(&rig);
}

TEST(a_cancel_of_a_sweep_that_got_lost_is_repeated_until_the_order_is_proven_over)
{
    rig_ready(&rig);
    uint64_t key = working_buy();
    rig_command(&rig, RIG_OPERATOR, (struct command){ .verb = COMMAND_CANCEL_ALL, .instrument = INSTRUMENT_NONE });
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 1);
    rig_pass(&rig, 4 * NS_PER_S); /* past the cancel's deadline at the venue and the margin */
    CHECK(order_unknown(rig_order(&rig, key)));
    struct venue_report s = rig_report(VENUE_STATUS, rig_order(&rig, key)->clordid);
    s.state = ORDER_NEW;
    for (int i = 0; i < 5 && rig_requests(&rig, VENUE_RQ_CANCEL) == 1; i++) {
        rig_say(&rig, &s);
        rig_pass(&rig, NS_PER_S);
    }
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 2);
    /* Refused: the venue is asked before the next one, and less and less often. */
    rig_say_kind(&rig, VENUE_CANCEL_REJECTED, rig_order(&rig, key)->clordid);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 2);
    rig_pass(&rig, NS_PER_S);
    rig_say(&rig, &s);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 3);
    rig_say_kind(&rig, VENUE_CANCELED, rig_order(&rig, key)->clordid);
    rig_pass(&rig, 60 * NS_PER_S);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 3);
    CHECK_EQ(gateway_orders_live(rig.g), 0);
    rig_end(&rig);
}

/* A cancel that got no answer, and the order found open after its deadline: how many were sent then. */
static uint32_t
cancels_of_one_that_was_lost(void)
{
    rig_ready(&rig);
    uint64_t key = working_buy();
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key });
    rig_pass(&rig, 4 * NS_PER_S);
    CHECK(order_unknown(rig_order(&rig, key)));
    struct venue_report s = rig_report(VENUE_STATUS, rig_order(&rig, key)->clordid);
    s.state = ORDER_NEW;
    for (int i = 0; i < 5; i++) {
        rig_say(&rig, &s);
        rig_pass(&rig, 500 * NS_PER_MS);
    }
    uint32_t sent = rig_requests(&rig, VENUE_RQ_CANCEL);
    CHECK_EQ(rig_order(&rig, key)->request == REQUEST_NONE, sent == 1);
    rig_end(&rig);
    return sent;
}

TEST(a_cancel_that_the_venue_may_carry_out_however_late_is_repeated_instead_of_being_called_lost)
{
    CHECK_EQ(cancels_of_one_that_was_lost(),
             1); /* past its deadline it never will: the strategy asks again if it likes */
    rig_cancels_linger = true;
    CHECK_EQ(cancels_of_one_that_was_lost(), 2);
    rig_cancels_linger = false;
}

TEST(cancel_all_means_the_orders_before_it_and_not_those_sent_after)
{
    rig_ready(&rig);
    (void)working_buy();
    struct command all = {
        .version = MESSAGE_VERSION, .verb = COMMAND_CANCEL_ALL, .instrument = INSTRUMENT_NONE, .client_seq = 2
    };
    struct command next = rig_limit(&rig, SIDE_BUY, 99800, 1000);
    next.version = MESSAGE_VERSION;
    next.client_seq = 3;
    CHECK(ring_put(&rig.command[RIG_STRATEGY], &all));
    CHECK(ring_put(&rig.command[RIG_STRATEGY], &next));
    CHECK_EQ(gateway_poll_commands(rig.g, 64, rig.now), 2);
    rig_work(&rig);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 2);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 1);
    CHECK_EQ(rig_order(&rig, rig.key)->request, REQUEST_NEW_IN_FLIGHT);
    rig_end(&rig);
}

TEST(a_trade_that_the_venue_counts_and_did_not_tell_is_asked_for_unless_it_comes_by_itself)
{
    rig_ready(&rig);
    uint64_t key = working_buy();
    struct venue_report late = fill_report(rig_order(&rig, key)->clordid, 1, 99900, 1000, 1000);
    struct venue_report f = fill_report(rig_order(&rig, key)->clordid, 2, 99900, 1000, 2000);
    rig_say(&rig, &f);
    rig_say(&rig, &late);
    rig_pass(&rig, NS_PER_S);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_TRADES), 0);
    f = fill_report(rig_order(&rig, key)->clordid, 4, 99900, 1000, 4000); /* trade 3 is missing */
    rig_say(&rig, &f);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 97000);
    rig_pass(&rig, NS_PER_S);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_TRADES), 1);
    struct venue_report found = fill_report(rig_order(&rig, key)->clordid, 3, 99900, 1000, 0);
    found.request = VENUE_RQ_TRADES;
    rig_say(&rig, &found);
    rig_say_kind(&rig, VENUE_TRADES_END, rig_order(&rig, key)->clordid);
    CHECK_EQ(rig_order(&rig, key)->cum_qty, 4000);
    CHECK_EQ(rig_position(&rig)->qty, 4000);
    rig_pass(&rig, 60 * NS_PER_S);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_TRADES), 1);
    rig_end(&rig);
}

TEST(an_order_whose_replacement_was_refused_is_reported_as_canceled)
{
    rig_ready(&rig);
    uint64_t key = working_buy();
    struct command c = rig_limit(&rig, SIDE_BUY, 99800, 150000);
    c.verb = COMMAND_REPLACE;
    c.target_key = key;
    rig_command(&rig, RIG_STRATEGY, c);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_REPLACE);
    rig_say_kind(&rig, VENUE_CANCEL_REJECTED, q->target);
    rig_say_kind(&rig, VENUE_REJECTED, q->clordid);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_NEW);
    rig_say_kind(&rig, VENUE_CANCELED, q->target);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_CANCELED).key, key);
    rig_end(&rig);
}

TEST(a_replace_to_a_quantity_below_what_is_filled_is_denied_down_to_the_smallest_integer)
{
    static const qty_t wrong[] = { 40000, 39999, 0, INT64_MIN };

    rig_ready(&rig);
    uint64_t key = working_buy();
    struct venue_report f = fill_report(rig_order(&rig, key)->clordid, 1, 99900, 40000, 40000);
    rig_say(&rig, &f);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct command c = rig_limit(&rig, SIDE_BUY, 99800, wrong[i]);
        c.verb = COMMAND_REPLACE;
        c.target_key = key;
        rig_command(&rig, RIG_STRATEGY, c);
        CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_INCREMENT);
    }
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_REPLACE), 0);
    rig_end(&rig);
}

TEST(the_reconciliation_waits_for_an_order_that_was_being_asked_about_already)
{
    rig_ready(&rig);
    uint64_t key = working_buy();
    uint32_t slot = order_find_key(rig.orders, RIG_CLIENT, key);
    rig_disconnect(&rig, ORDER_CONN);
    rig_pass(&rig, NS_PER_S);
    rig_connect(&rig, ORDER_CONN);
    rig_logon(&rig);
    rig_say_kind(&rig, VENUE_CANCEL_REJECTED, rig_order(&rig, key)->clordid); /* to be asked about in a moment */
    uint8_t buf[WS_HEADER_ROOM + sizeof(struct venue_report)];
    struct venue_report end = rig_report(VENUE_OPEN_ORDERS_END, NULL);
    memcpy(buf + WS_HEADER_ROOM, &end, sizeof(end));
    struct ws_frame f = ws_encode(buf, WS_HEADER_ROOM, sizeof(end), WS_OP_BINARY, NULL);
    gateway_on_bytes(rig.g, ORDER_CONN, f.data, f.len, rig.now);
    rig.now.mono.ns += NS_PER_S;
    rig.now.wall.ns += NS_PER_S;
    gateway_on_timer(rig.g, GATEWAY_TIMER_ORDER(slot), rig.now);
    rig_work(&rig);
    CHECK(!risk_venue_of(rig.risk, 0)->reconciled); /* the venue's list did not have it: nobody knows yet */
    struct venue_report s = rig_report(VENUE_STATUS, rig_order(&rig, key)->clordid);
    s.state = ORDER_CANCELED;
    rig_say(&rig, &s);
    CHECK(risk_venue_of(rig.risk, 0)->reconciled);
    rig_end(&rig);
}

TEST(during_a_ban_nobody_logs_on_again)
{
    rig_ready(&rig);
    struct venue_report v = rig_report(VENUE_RATE_LIMITED, NULL);
    v.retry_after_ns = rig.now.wall.ns + 120 * NS_PER_S;
    rig_say(&rig, &v);
    rig_disconnect(&rig, ORDER_CONN);
    rig_pass(&rig, 120 * NS_PER_S - 1);
    CHECK_EQ(rig.opened[ORDER_CONN], 1);
    rig_pass(&rig, 1);
    CHECK_EQ(rig.opened[ORDER_CONN], 2);
    rig_end(&rig);
}

TEST(an_order_that_works_after_it_was_rejected_is_canceled_and_does_not_reopen)
{
    rig_ready(&rig);
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 100000);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_NEW);
    rig_say_kind(&rig, VENUE_REJECTED, q->clordid);
    rig_say_kind(&rig, VENUE_NEW_ACK, q->clordid);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_REJECTED);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 1);
    rig_say_kind(&rig, VENUE_CANCELED, q->clordid);
    rig_say_kind(&rig, VENUE_CANCEL_REJECTED, q->clordid);
    rig_pass(&rig, 60 * NS_PER_S);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 1);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 0);
    rig_end(&rig);
}

TEST(an_id_of_this_instance_that_this_run_has_not_given_out_stops_new_orders)
{
    struct clordid_mint mint;
    char clordid[CLORDID_BYTES];

    for (uint32_t later = 0; later < 3; later++) { /* an earlier term, ours, a later one */
        rig_ready(&rig);
        rig_disconnect(&rig, ORDER_CONN);
        rig_pass(&rig, NS_PER_S);
        rig_connect(&rig, ORDER_CONN);
        rig_logon(&rig);
        CHECK(clordid_mint_init(&mint, "01", 1699999999 + later, 0));
        for (int i = 0; i < 9; i++)
            (void)clordid_mint_next(&mint, clordid);
        rig_say_kind(&rig, VENUE_OPEN_ORDER, clordid);
        rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
        (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
        CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), later == 0 ? 1 : 0);
        if (later != 0)
            CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_NOT_ARMED);
        rig_end(&rig);
    }
}

TEST(a_second_end_that_counts_more_trades_keeps_the_reservation_in_step)
{
    rig_ready(&rig);
    uint64_t key = working_buy();
    struct venue_report c = rig_report(VENUE_CANCELED, rig_order(&rig, key)->clordid);
    c.cum_qty = 30000;
    rig_say(&rig, &c);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 30000);
    c.cum_qty = 50000;
    rig_say(&rig, &c);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 50000);
    struct venue_report f = fill_report(rig_order(&rig, key)->clordid, 1, 99900, 50000, 50000);
    rig_say(&rig, &f);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 0);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_CANCELED);
    rig_end(&rig);
}

TEST(an_order_that_ends_while_its_question_waits_to_be_repeated_does_not_hold_the_reconciliation_up)
{
    rig_ready(&rig);
    uint64_t key = working_buy();
    rig_disconnect(&rig, ORDER_CONN);
    rig_pass(&rig, NS_PER_S);
    rig_connect(&rig, ORDER_CONN);
    rig_logon(&rig);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    CHECK(rig_take(&rig, VENUE_RQ_QUERY) != NULL);
    struct venue_report failed = rig_report(VENUE_QUERY_FAILED, rig_order(&rig, key)->clordid);
    failed.request = VENUE_RQ_QUERY;
    rig_say(&rig, &failed);
    CHECK(!risk_venue_of(rig.risk, 0)->reconciled);
    rig_say_kind(&rig, VENUE_CANCELED, rig_order(&rig, key)->clordid);
    CHECK(risk_venue_of(rig.risk, 0)->reconciled);
    rig_end(&rig);
}

TEST(a_venue_clock_that_is_off_by_years_is_not_believed)
{
    static const int64_t wrong[] = { INT64_MAX, INT64_MIN, 0 };

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        rig_ready(&rig);
        rig_disconnect(&rig, ORDER_CONN);
        rig_pass(&rig, NS_PER_S);
        rig_connect(&rig, ORDER_CONN);
        CHECK(rig_take(&rig, VENUE_RQ_TIME) != NULL);
        struct venue_report t = rig_report(VENUE_TIME, NULL);
        t.venue_time_ns = wrong[i];
        rig_say(&rig, &t);
        CHECK(!risk_venue_of(rig.risk, 0)->clock_known);
        CHECK_EQ(rig_requests(&rig, VENUE_RQ_LOGON), 1); /* the first session's */
        rig_end(&rig);
    }
}

TEST(replaying_the_journal_gives_the_same_orders)
{
    rig_ready(&rig);
    uint64_t a = working_buy();
    struct venue_report f = fill_report(rig_order(&rig, a)->clordid, 9, 99900, 70000, 70000);
    rig_say(&rig, &f);
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = a });
    uint64_t b = rig_new(&rig, SIDE_SELL, 100100, 50000);
    rig_disconnect(&rig, ORDER_CONN);

    struct order_counts oc = {
        .live_max = RIG_ORDERS / 2, .done_kept = RIG_ORDERS / 2, .trades_kept = 256, .keys_kept = 16
    };
    struct arena arena = { .size = order_table_footprint(&oc) };
    arena.base = (uint8_t *)aligned_alloc(64, (arena.size + 63) & ~(size_t)63);
    struct order_table *t = order_table_init(&oc, "01", &arena);
    struct journal_segment segment = { rig.segment[0], RIG_SEGMENT, "test" };
    struct journal_replayed out;
    struct fault fault;
    CHECK(journal_replay(&segment, 1, NULL, t, NULL, &out, &fault));
    CHECK_EQ(out.live, gateway_orders_live(rig.g));
    CHECK_EQ(out.unknown, gateway_orders_unknown(rig.g));
    const uint64_t keys[] = { a, b };
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const struct order *live = rig_order(&rig, keys[i]);
        const struct order *back = order_at(t, order_find_key(t, RIG_CLIENT, keys[i]));
        CHECK_STR(back->clordid, live->clordid);
        CHECK_EQ(back->state, live->state);
        CHECK_EQ(back->request, live->request);
        CHECK_EQ(back->cum_qty, live->cum_qty);
        CHECK_EQ(back->reserved, live->reserved);
    }
    free(arena.base);
    rig_end(&rig);
}

TEST(a_message_that_cannot_be_read_may_have_been_a_fill_and_closes_order_entry)
{
    rig_ready(&rig);
    (void)working_buy();
    uint32_t conn = GATEWAY_CONN(0, CONN_ROLE_ORDER);
    struct venue_report v = rig_report(VENUE_UNKNOWN, NULL);
    v.code = -1121; /* the venue's answer to something that no request of ours is */
    rig_say(&rig, &v);
    CHECK(rig.wanted[conn]);
    v.code = 0;
    rig_say(&rig, &v);
    CHECK(!rig.wanted[conn]);
    rig_pass(&rig, 2 * NS_PER_S);
    CHECK_EQ(metric_get(rig.metrics, METRIC_FEED_DECODED, metric_pair(METRIC_FEED_DECODED, 0, DECODE_MALFORMED)), 2);
    CHECK_EQ(gateway_orders_live(rig.g), 1);
    rig_end(&rig);
}

TEST(a_client_that_asks_for_sweeps_without_end_leaves_some_to_others)
{
    rig_ready(&rig);
    uint64_t key = working_buy();
    rig.no_room = true;
    for (uint64_t i = 0; i < 12; i++) { /* all in one turn */
        struct command c = { .version = MESSAGE_VERSION,
                             .verb = COMMAND_CANCEL_ALL,
                             .instrument = INSTRUMENT_NONE,
                             .client_seq = ++rig.client_seq[RIG_STRATEGY] };
        CHECK(ring_put(&rig.command[RIG_STRATEGY], &c));
    }
    (void)gateway_poll_commands(rig.g, 64, rig.now);
    unsigned denied = 0;
    while (rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).kind == REPORT_DENIED)
        denied++;
    CHECK_EQ(denied, 4); /* it has had eight */
    rig_command(&rig, RIG_OPERATOR, (struct command){ .verb = COMMAND_CANCEL_ALL, .instrument = INSTRUMENT_NONE });
    CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_DENIED).kind, REPORT_NONE);
    rig.no_room = false;
    rig_pass(&rig, NS_PER_S);
    CHECK(rig_order(&rig, key)->request == REQUEST_CANCEL_IN_FLIGHT);
    rig_end(&rig);
}

TEST_MAIN()
