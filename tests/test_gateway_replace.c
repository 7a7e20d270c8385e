/* Replaces through the whole core: in place, together, in turn; their races, repeats, and what a restart makes of them.
 */
#include "tests/gateway_rig.h"

static struct rig rig;

static void
start(bool amends)
{
    rig.amends = amends;
    rig_ready(&rig);
}

static uint64_t
working(enum side side, qty_t qty)
{
    uint64_t key = rig_new(&rig, side, side == SIDE_BUY ? 99900 : 100300, qty);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_NEW);
    CHECK(q != NULL);
    struct venue_report ack = rig_report(VENUE_NEW_ACK, q->clordid);
    ack.venue_order_id = 77;
    rig_say(&rig, &ack);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_SENT).key, key);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_NEW).key, key);
    return key;
}

static struct command
replace_command(uint64_t target, px_t px, qty_t qty)
{
    struct command c = rig_limit(&rig, SIDE_BUY, px, qty); /* whatever side it says: the order's counts */
    c.verb = COMMAND_REPLACE;
    c.target_key = target;
    return c;
}

static uint64_t
replace(uint64_t target, px_t px, qty_t qty)
{
    struct command c = replace_command(target, px, qty);
    rig_command(&rig, RIG_STRATEGY, c);
    return c.key;
}

static void
fill(const char *clordid, int64_t trade, qty_t qty, qty_t cum)
{
    struct venue_report v = rig_report(VENUE_FILL, clordid);
    v.trade_id = trade;
    v.last_px = 99900;
    v.last_qty = qty;
    v.cum_qty = cum;
    rig_say(&rig, &v);
}

static struct venue_report
terms(enum venue_report_kind kind, enum venue_request_kind request, const char *clordid, px_t px, qty_t qty)
{
    struct venue_report v = rig_report(kind, clordid);
    v.request = (uint8_t)request;
    v.px = px;
    v.qty = qty;
    v.state = ORDER_NEW;
    v.tag = request == VENUE_RQ_AMEND ? rig.key : 0;
    return v;
}

static void
amended(const char *clordid, px_t px, qty_t qty)
{
    struct venue_report v = terms(VENUE_AMENDED, VENUE_RQ_COUNT, clordid, px, qty);
    rig_say(&rig, &v);
}

static qty_t
reserved(enum side side)
{
    return rig_position(&rig)->reserved[side];
}

/* ---- in place ---- */

TEST(an_amend_keeps_the_order_and_both_keys_name_it)
{
    start(true);
    uint64_t first = working(SIDE_BUY, 1000);
    const struct order *o = rig_order(&rig, first);
    uint64_t second = replace(first, 99800, 1500);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_AMEND);
    CHECK(q != NULL && q->px == 99800 && q->qty == 1500 && memcmp(q->clordid, o->clordid, CLORDID_BYTES) == 0);
    CHECK_EQ(q->journal_seq, rig.journal.seq); /* its intent was journaled before it was encoded */
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_REPLACE) + rig_requests(&rig, VENUE_RQ_CANCEL), 0);
    struct report sent = rig_next(&rig, RIG_STRATEGY, REPORT_SENT);
    CHECK(sent.key == second && sent.px == 99800 && sent.qty == 1500);
    CHECK_EQ(reserved(SIDE_BUY), 1500);
    CHECK_EQ(gateway_orders_live(rig.g), 1);
    amended(o->clordid, 99800, 1500);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_REPLACED).key, first);
    struct report now = rig_next(&rig, RIG_STRATEGY, REPORT_NEW);
    CHECK(now.key == second && now.px == 99800 && now.leaves_qty == 1500);
    CHECK(rig_order(&rig, first) == o && rig_order(&rig, second) == o);
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = first });
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 1);
    rig_end(&rig);
}

TEST(an_amend_of_a_sale_needs_no_side_in_its_command)
{
    start(true);
    risk_set_position(rig.risk, 0, 0, 1000, true);
    uint64_t first = working(SIDE_SELL, 1000);
    (void)replace(first, 100400, 900);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_AMEND), 1);
    CHECK_EQ(reserved(SIDE_SELL), 1000);
    CHECK_EQ(reserved(SIDE_BUY), 0);
    rig_end(&rig);
}

TEST(an_amend_refused_leaves_the_order_and_answers_both_keys)
{
    start(true);
    uint64_t first = working(SIDE_BUY, 1000);
    struct command c = replace_command(first, 99800, 1500);
    rig_command(&rig, RIG_STRATEGY, c);
    struct venue_report no = terms(VENUE_CANCEL_REJECTED, VENUE_RQ_AMEND, rig_order(&rig, first)->clordid, 0, 0);
    (void)snprintf(no.text, sizeof(no.text), "EOrder:Insufficient funds");
    rig_say(&rig, &no);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_CANCEL_REJECTED).key, first);
    struct report rejected = rig_next(&rig, RIG_STRATEGY, REPORT_REJECTED);
    CHECK(rejected.key == c.key && rejected.order_state == ORDER_REJECTED);
    CHECK_EQ(reserved(SIDE_BUY), 1000);
    rig_command(&rig, RIG_STRATEGY, c); /* again: the stored result, and nothing is sent */
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_AMEND), 1);
    rejected = rig_next(&rig, RIG_STRATEGY, REPORT_REJECTED);
    CHECK_EQ(rejected.key, c.key);
    rig_end(&rig);
}

TEST(an_amend_without_an_answer_is_unknown_with_the_worse_reserved_until_a_query_after_its_deadline)
{
    start(true);
    uint64_t first = working(SIDE_BUY, 1000);
    uint64_t second = replace(first, 99800, 1500);
    char clordid[CLORDID_BYTES];
    memcpy(clordid, rig_order(&rig, first)->clordid, CLORDID_BYTES);
    rig_pass(&rig, 2 * NS_PER_S + NS_PER_MS);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_UNKNOWN).key, first);
    CHECK_EQ(reserved(SIDE_BUY), 1500);
    struct venue_report old = terms(VENUE_STATUS, VENUE_RQ_QUERY, clordid, 99900, 1000);
    for (int i = 0; i < 40 && order_unknown(rig_order(&rig, first)); i++) {
        CHECK_EQ(reserved(SIDE_BUY), 1500);
        rig_pass(&rig, 200 * NS_PER_MS);
        while (rig_take(&rig, VENUE_RQ_QUERY) != NULL)
            rig_say(&rig, &old);
    }
    CHECK(!order_unknown(rig_order(&rig, first)));
    CHECK(rig.now.mono.ns > 3 * NS_PER_S); /* deadline 1 s and margin 2 s after it was sent */
    CHECK_EQ(reserved(SIDE_BUY), 1000);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_NOT_PLACED).key, second);
    rig_end(&rig);
}

TEST(an_unknown_amend_is_done_when_the_query_shows_its_terms)
{
    start(true);
    uint64_t first = working(SIDE_BUY, 1000);
    uint64_t second = replace(first, 99800, 400);
    rig_pass(&rig, 2 * NS_PER_S + NS_PER_MS);
    CHECK_EQ(reserved(SIDE_BUY), 1000);
    rig_pass(&rig, 300 * NS_PER_MS);
    CHECK(rig_take(&rig, VENUE_RQ_QUERY) != NULL);
    struct venue_report v = terms(VENUE_STATUS, VENUE_RQ_QUERY, rig_order(&rig, first)->clordid, 99800, 400);
    rig_say(&rig, &v);
    CHECK_EQ(reserved(SIDE_BUY), 400);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_REPLACED).key, first);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_NEW).key, second);
    CHECK(!order_unknown(rig_order(&rig, second)));
    rig_end(&rig);
}

TEST(a_fill_during_an_amend_counts_and_the_total_includes_it)
{
    start(true);
    uint64_t first = working(SIDE_BUY, 1000);
    (void)replace(first, 99800, 1500);
    fill(rig_order(&rig, first)->clordid, 1, 1000, 1000);
    CHECK_EQ(rig_order(&rig, first)->state, ORDER_PARTIALLY_FILLED); /* 500 may be working */
    CHECK_EQ(reserved(SIDE_BUY), 500);
    amended(rig_order(&rig, first)->clordid, 99800, 1500);
    CHECK_EQ(reserved(SIDE_BUY), 500);
    fill(rig_order(&rig, first)->clordid, 2, 500, 1500);
    CHECK_EQ(rig_order(&rig, first)->state, ORDER_FILLED);
    CHECK_EQ(reserved(SIDE_BUY), 0);
    CHECK_EQ(rig_position(&rig)->qty, 1500);
    rig_end(&rig);
}

TEST(an_amend_to_no_more_than_is_filled_is_denied_and_one_that_a_fill_overtakes_is_asked_about)
{
    start(true);
    uint64_t first = working(SIDE_BUY, 1000);
    fill(rig_order(&rig, first)->clordid, 1, 400, 400);
    (void)replace(first, 99800, 400);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_INCREMENT);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_AMEND), 0);
    (void)replace(first, 99900, 600);
    fill(rig_order(&rig, first)->clordid, 2, 300, 700); /* before it arrived */
    amended(rig_order(&rig, first)->clordid, 99900, 600);
    CHECK_EQ(reserved(SIDE_BUY), 0);
    CHECK(order_live(rig_order(&rig, first)));
    rig_pass(&rig, NS_PER_S);
    CHECK(rig_take(&rig, VENUE_RQ_QUERY) != NULL);
    struct venue_report v = terms(VENUE_STATUS, VENUE_RQ_QUERY, rig_order(&rig, first)->clordid, 99900, 600);
    v.state = ORDER_CANCELED;
    v.cum_qty = 700;
    rig_say(&rig, &v);
    CHECK_EQ(rig_order(&rig, first)->state, ORDER_CANCELED);
    rig_end(&rig);
}

/* The venue calls the order filled, with more than it was for; its trades were lost on the way. */
TEST(an_order_called_over_while_its_amend_is_unknown_is_held_with_the_larger_total_at_the_worse_price)
{
    start(true);
    uint64_t first = working(SIDE_BUY, 1000);
    char clordid[CLORDID_BYTES];
    memcpy(clordid, rig_order(&rig, first)->clordid, CLORDID_BYTES);
    uint64_t second = replace(first, 100000, 1500);
    rig_pass(&rig, 2 * NS_PER_S + NS_PER_MS);
    CHECK(order_unknown(rig_order(&rig, first)));
    struct venue_report s = rig_report(VENUE_STATUS, clordid);
    s.request = VENUE_RQ_COUNT;
    s.state = ORDER_FILLED;
    s.cum_qty = 1500;
    rig_say(&rig, &s);
    CHECK_EQ(rig_order(&rig, first)->end_state, ORDER_FILLED);
    CHECK_EQ(reserved(SIDE_BUY), 1500);
    CHECK_EQ((int64_t)rig_order(&rig, first)->reserved_cost, INT64_C(1500) * 100000);
    fill(clordid, 1, 1200, 1500);
    CHECK_EQ(reserved(SIDE_BUY), 300);
    fill(clordid, 2, 300, 1500);
    CHECK_EQ(rig_order(&rig, second)->state, ORDER_FILLED);
    CHECK_EQ(reserved(SIDE_BUY), 0);
    CHECK_EQ(rig_position(&rig)->qty, 1500);
    rig_end(&rig);
}

TEST(an_amend_that_only_can_have_allowed_what_was_filled_is_told_as_done)
{
    start(true);
    uint64_t first = working(SIDE_BUY, 1000);
    char clordid[CLORDID_BYTES];
    memcpy(clordid, rig_order(&rig, first)->clordid, CLORDID_BYTES);
    uint64_t second = replace(first, 99900, 1500);
    fill(clordid, 1, 1500, 1500); /* its answer comes later, or never */
    struct report r = rig_next(&rig, RIG_STRATEGY, REPORT_REPLACED);
    CHECK_EQ(r.key, first);
    r = rig_next(&rig, RIG_STRATEGY, REPORT_FILL);
    CHECK_EQ(r.key, second);
    CHECK_EQ(r.cum_qty, 1500);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_NOT_PLACED).kind, REPORT_NONE);
    CHECK_EQ(rig_order(&rig, second)->qty, 1500);
    rig_end(&rig);
}

TEST(somebody_elses_amend_on_the_stream_is_taken_over_reserved_and_reported)
{
    start(true);
    uint64_t first = working(SIDE_BUY, 1000);
    amended(rig_order(&rig, first)->clordid, 99700, 1300);
    CHECK_EQ(reserved(SIDE_BUY), 1300);
    struct report r = rig_next(&rig, RIG_STRATEGY, REPORT_ORDER);
    CHECK(r.key == first && r.px == 99700 && r.qty == 1300);
    rig_end(&rig);
}

TEST(an_answer_to_a_question_older_than_the_amend_does_not_bring_its_old_terms_back)
{
    start(true);
    uint64_t first = working(SIDE_BUY, 1000);
    char clordid[CLORDID_BYTES];
    memcpy(clordid, rig_order(&rig, first)->clordid, CLORDID_BYTES);
    uint64_t second = replace(first, 99800, 1500);
    rig_pass(&rig, 2500 * NS_PER_MS);
    CHECK(rig_take(&rig, VENUE_RQ_QUERY) != NULL); /* answered before the amend arrived, but slow */
    amended(clordid, 99800, 1500);
    struct venue_report v = terms(VENUE_STATUS, VENUE_RQ_QUERY, clordid, 99900, 1000);
    rig_say(&rig, &v);
    CHECK_EQ(rig_order(&rig, second)->qty, 1500);
    CHECK_EQ(reserved(SIDE_BUY), 1500);
    rig_end(&rig);
}

TEST(a_cancel_goes_out_while_an_amend_is_in_flight)
{
    start(true);
    uint64_t first = working(SIDE_BUY, 1000);
    uint64_t second = replace(first, 99800, 1500);
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = second });
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 1);
    CHECK_EQ(reserved(SIDE_BUY), 1500);
    amended(rig_order(&rig, first)->clordid, 99800, 1500);
    CHECK_EQ(rig_order(&rig, second)->request, REQUEST_CANCEL_IN_FLIGHT);
    rig_say_kind(&rig, VENUE_CANCELED, rig_order(&rig, second)->clordid);
    CHECK_EQ(reserved(SIDE_BUY), 0);
    rig_end(&rig);
}

TEST(an_amend_asks_for_no_flag_that_the_order_does_not_have)
{
    start(true);
    uint64_t first = working(SIDE_BUY, 1000);
    struct command c = replace_command(first, 99800, 1500);
    c.flags = COMMAND_POST_ONLY;
    rig_command(&rig, RIG_STRATEGY, c);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_INVALID_ORDER);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_AMEND), 0);
    rig_end(&rig);
}

/* Of 2000 in all; said by the replace or not. */
TEST(a_replace_stays_a_child_of_its_orders_parent_and_within_its_total)
{
    for (int way = 0; way < 4; way++) {
        bool amends = (way & 1) != 0;
        start(amends);
        struct command c = rig_limit(&rig, SIDE_BUY, 99900, 1000);
        c.parent_key = 7;
        c.parent_qty = 2000;
        rig_command(&rig, RIG_STRATEGY, c);
        struct rig_request *q = rig_take(&rig, VENUE_RQ_NEW);
        CHECK(q != NULL);
        struct venue_report ack = rig_report(VENUE_NEW_ACK, q->clordid);
        rig_say(&rig, &ack);
        struct command more = replace_command(c.key, 99800, 2001);
        more.parent_key = way < 2 ? 0 : 7;
        more.parent_qty = way < 2 ? 0 : 2000;
        rig_command(&rig, RIG_STRATEGY, more);
        CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_PARENT);
        more = replace_command(c.key, 99800, 900);
        more.parent_key = 8;
        more.parent_qty = 2000;
        rig_command(&rig, RIG_STRATEGY, more);
        CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_PARENT);
        (void)replace(c.key, 99800, 900);
        CHECK_EQ(rig_requests(&rig, amends ? VENUE_RQ_AMEND : VENUE_RQ_REPLACE), 1);
        rig_end(&rig);
    }
}

TEST(an_amend_in_flight_at_a_crash_is_unknown_after_it_with_the_worse_reserved_and_its_key_taken)
{
    start(true);
    uint64_t first = working(SIDE_BUY, 1000);
    struct command c = replace_command(first, 99800, 1500);
    rig_command(&rig, RIG_STRATEGY, c);
    rig_restart(&rig);
    CHECK_EQ(reserved(SIDE_BUY), 1500);
    CHECK(order_unknown(rig_order(&rig, first)));
    CHECK(rig_order(&rig, c.key) == rig_order(&rig, first));
    rig_up(&rig);
    struct venue_report open =
        terms(VENUE_OPEN_ORDER, VENUE_RQ_OPEN_ORDERS, rig_order(&rig, first)->clordid, 99800, 1500);
    rig_say(&rig, &open);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    CHECK(!order_unknown(rig_order(&rig, c.key)));
    CHECK_EQ(rig_order(&rig, c.key)->qty, 1500);
    CHECK(risk_venue_of(rig.risk, 0)->reconciled);
    rig_command(&rig, RIG_STRATEGY, c);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_AMEND), 0);
    struct report r = rig_next(&rig, RIG_STRATEGY, REPORT_ORDER);
    CHECK(r.key == c.key && r.qty == 1500 && r.order_state == ORDER_NEW);
    rig_end(&rig);
}

/* ---- together, in turn ---- */

TEST(a_replace_of_an_unfilled_order_goes_out_in_one_request)
{
    start(false);
    uint64_t first = working(SIDE_BUY, 1000);
    (void)replace(first, 99800, 1500);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_REPLACE), 1);
    CHECK_EQ(reserved(SIDE_BUY), 2500);
    rig_end(&rig);
}

TEST(a_replace_of_a_partly_filled_order_cancels_first_and_places_what_is_left_of_the_total_then)
{
    start(false);
    uint64_t first = working(SIDE_BUY, 1000);
    fill(rig_order(&rig, first)->clordid, 1, 300, 300);
    uint64_t second = replace(first, 99800, 1200);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_REPLACE), 0);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 1);
    CHECK_EQ(reserved(SIDE_BUY), 700);
    fill(rig_order(&rig, first)->clordid, 2, 200, 500); /* beats the cancel */
    struct venue_report v = rig_report(VENUE_CANCELED, rig_order(&rig, first)->clordid);
    v.cum_qty = 500;
    rig_say(&rig, &v);
    rig_work(&rig);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 2);
    CHECK_EQ(rig_order(&rig, second)->qty, 700); /* 1200 - 500 */
    CHECK_EQ(reserved(SIDE_BUY), 700);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_CANCELED).key, first);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_SENT).key, second);
    rig_end(&rig);
}

TEST(a_replace_in_turn_waits_for_trades_that_the_cancel_counted)
{
    start(false);
    uint64_t first = working(SIDE_BUY, 1000);
    fill(rig_order(&rig, first)->clordid, 1, 300, 300);
    uint64_t second = replace(first, 99800, 1200);
    struct venue_report v = rig_report(VENUE_CANCELED, rig_order(&rig, first)->clordid);
    v.cum_qty = 450;
    rig_say(&rig, &v);
    rig_work(&rig);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 1); /* 150 are not told yet */
    fill(rig_order(&rig, first)->clordid, 2, 150, 450);
    rig_work(&rig);
    CHECK_EQ(rig_order(&rig, second)->qty, 750);
    rig_end(&rig);
}

TEST(a_replace_in_turn_places_nothing_when_the_old_order_filled_or_still_works)
{
    start(false);
    uint64_t first = working(SIDE_BUY, 1000);
    fill(rig_order(&rig, first)->clordid, 1, 300, 300);
    struct command c = replace_command(first, 99800, 900);
    rig_command(&rig, RIG_STRATEGY, c);
    fill(rig_order(&rig, first)->clordid, 2, 700, 1000);
    rig_say_kind(&rig, VENUE_CANCEL_REJECTED, rig_order(&rig, first)->clordid);
    rig_work(&rig);
    struct report r = rig_next(&rig, RIG_STRATEGY, REPORT_DENIED);
    CHECK(r.key == c.key && r.deny == DENY_ORDER_DONE);
    rig_command(&rig, RIG_STRATEGY, c);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_ORDER_DONE);

    uint64_t other = working(SIDE_BUY, 1000);
    fill(rig_order(&rig, other)->clordid, 3, 300, 300);
    uint64_t second = replace(other, 99800, 1200);
    rig_say_kind(&rig, VENUE_CANCEL_REJECTED, rig_order(&rig, other)->clordid);
    rig_work(&rig);
    r = rig_next(&rig, RIG_STRATEGY, REPORT_DENIED);
    CHECK(r.key == second && r.deny == DENY_NOT_POSSIBLE);
    CHECK_EQ(rig_order(&rig, other)->request, REQUEST_NONE);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 2);
    rig_end(&rig);
}

TEST(a_sale_of_all_that_is_held_can_be_replaced_where_going_short_is_not_allowed)
{
    start(false);
    risk_set_position(rig.risk, 0, 0, 1000, true);
    static struct risk_limits l;
    struct fault fault;
    l = *risk_limits_in_force(rig.risk);
    l.version++;
    l.instrument_default.position_short_max = 0;
    CHECK(risk_set_limits(rig.risk, &l, rig.now, &fault));
    uint64_t first = working(SIDE_SELL, 1000);
    uint64_t second = replace(first, 100400, 1000);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_REPLACE), 0); /* both at once would be 1000 short at worst */
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 1);
    rig_say_kind(&rig, VENUE_CANCELED, rig_order(&rig, first)->clordid);
    rig_work(&rig);
    CHECK_EQ(rig_order(&rig, second)->qty, 1000);
    CHECK_EQ(rig_order(&rig, second)->px, 100400);
    CHECK_EQ(reserved(SIDE_SELL), 1000);
    rig_end(&rig);
}

TEST(a_replace_in_turn_is_given_up_when_its_time_is_over_its_client_gone_or_the_gateway_killed)
{
    for (int how = 0; how < 3; how++) {
        start(false);
        uint64_t first = working(SIDE_BUY, 1000);
        fill(rig_order(&rig, first)->clordid, 1, 300, 300);
        struct command c = replace_command(first, 99800, 1200);
        rig_command(&rig, RIG_STRATEGY, c);
        char clordid[CLORDID_BYTES];
        memcpy(clordid, rig_order(&rig, first)->clordid, CLORDID_BYTES);
        if (how == 0)
            rig_pass(&rig, 5 * NS_PER_S);
        if (how == 1)
            gateway_on_session_end(rig.g, RIG_STRATEGY);
        if (how == 2)
            gateway_halt(rig.g, "test", rig.now);
        rig_say_kind(&rig, VENUE_CANCELED, clordid);
        rig_work(&rig);
        CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 1);
        CHECK_EQ(order_find_key(rig.orders, RIG_CLIENT, c.key), ORDER_NONE);
        CHECK_EQ(order_key_check(rig.orders, RIG_CLIENT, c.key).kind, ORDER_KEY_REPEAT_DENIED);
        rig_end(&rig);
    }
}

TEST(a_cancel_of_everything_or_of_the_new_order_takes_a_replace_in_turn_back)
{
    for (int how = 0; how < 5; how++) {
        start(false);
        uint64_t first = working(SIDE_BUY, 1000);
        fill(rig_order(&rig, first)->clordid, 1, 300, 300);
        struct command c = replace_command(first, 99800, 1200);
        rig_command(&rig, RIG_STRATEGY, c);
        struct command cancel = { .verb = COMMAND_CANCEL_ALL, .instrument = how == 3 ? 1 : INSTRUMENT_NONE };
        if (how == 2) /* by its own key; no other is */
            cancel = (struct command){ .verb = COMMAND_CANCEL, .target_key = c.key };
        if (how == 4)
            cancel = (struct command){ .verb = COMMAND_CANCEL, .target_key = c.key + 1 };
        rig_command(&rig, how == 1 ? RIG_OPERATOR : RIG_STRATEGY, cancel);
        rig_work(&rig);
        if (how == 2)
            CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_ORDER_DONE);
        if (how == 4)
            CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_UNKNOWN_ORDER);
        rig_say_kind(&rig, VENUE_CANCELED, rig_order(&rig, first)->clordid);
        rig_work(&rig);
        bool stays = how >= 3;
        CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), stays ? 2 : 1);
        if (!stays) {
            struct report r = rig_next(&rig, RIG_STRATEGY, REPORT_DENIED);
            CHECK(r.key == c.key && r.deny == DENY_NOT_POSSIBLE);
        }
        rig_end(&rig);
    }
}

TEST(a_silent_or_dead_client_and_flatten_take_its_replaces_in_turn_back_and_anothers_end_does_not)
{
    for (int how = 0; how < 4; how++) {
        rig_heartbeat_ns = how == 0 ? NS_PER_S : 0;
        rig_on_silence = ON_DISCONNECT_CANCEL;
        start(false);
        rig_heartbeat_ns = 0;
        uint64_t first = working(SIDE_BUY, 1000);
        char clordid[CLORDID_BYTES];
        memcpy(clordid, rig_order(&rig, first)->clordid, CLORDID_BYTES);
        fill(clordid, 1, 300, 300);
        (void)replace(first, 99800, 1200);
        if (how == 0)
            rig_pass(&rig, 2500 * NS_PER_MS);
        if (how == 1)
            gateway_on_client_gone(rig.g, RIG_CLIENT, ON_DISCONNECT_REDUCE, rig.now);
        if (how == 2) {
            rig_command(&rig, RIG_OPERATOR, (struct command){ .verb = COMMAND_FLATTEN, .instrument = 0 });
            rig_confirm(&rig, rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM));
            rig_pass(&rig, 300 * NS_PER_MS);
        }
        if (how == 3)
            gateway_on_client_gone(rig.g, RIG_CLIENT + 1, ON_DISCONNECT_CANCEL, rig.now);
        rig_work(&rig);
        struct venue_report v = rig_report(VENUE_CANCELED, clordid);
        v.cum_qty = 300;
        rig_say(&rig, &v);
        rig_work(&rig);
        CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), how == 3 ? 2 : 1);
        rig_end(&rig);
    }
}

TEST(a_replace_in_turn_that_a_crash_interrupted_placed_nothing_and_its_key_says_so)
{
    start(false);
    uint64_t first = working(SIDE_BUY, 1000);
    fill(rig_order(&rig, first)->clordid, 1, 300, 300);
    struct command c = replace_command(first, 99800, 1200);
    rig_command(&rig, RIG_STRATEGY, c);
    rig_restart(&rig);
    rig_up(&rig);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    rig_command(&rig, RIG_STRATEGY, c);
    struct report r = rig_next(&rig, RIG_STRATEGY, REPORT_NOT_PLACED);
    CHECK_EQ(r.key, c.key);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 0);
    rig_end(&rig);
}

TEST(every_kind_of_key_is_answered_the_same_after_a_restart)
{
    start(false);
    uint64_t first = working(SIDE_BUY, 1000);
    struct command good = rig_limit(&rig, SIDE_BUY, 99800, 500);
    rig_command(&rig, RIG_STRATEGY, good);
    struct command bad = rig_limit(&rig, SIDE_BUY, 99800, INT64_C(1) << 50);
    rig_command(&rig, RIG_STRATEGY, bad);
    enum deny_reason why = (enum deny_reason)rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny;
    struct command cancel = { .verb = COMMAND_CANCEL, .key = ++rig.key, .target_key = first };
    rig_command(&rig, RIG_STRATEGY, cancel);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 1);
    rig_restart(&rig);
    rig_up(&rig);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    uint32_t sent = rig_requests(&rig, VENUE_RQ_NEW) + rig_requests(&rig, VENUE_RQ_CANCEL);
    rig_command(&rig, RIG_STRATEGY, good);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_ORDER).key, good.key);
    rig_command(&rig, RIG_STRATEGY, bad);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, why);
    CHECK_EQ(order_key_check(rig.orders, RIG_CLIENT, cancel.key).asked.kind, KEY_CANCEL);
    CHECK_EQ(order_last_key(rig.orders, RIG_CLIENT), cancel.key);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW) + rig_requests(&rig, VENUE_RQ_CANCEL), sent);
    rig_end(&rig);
}

TEST(an_operator_who_cancels_anothers_order_is_told_of_its_end)
{
    start(false);
    uint64_t first = working(SIDE_BUY, 1000);
    rig_command(&rig, RIG_OPERATOR,
                (struct command){ .verb = COMMAND_CANCEL, .target_key = first, .target_client = RIG_CLIENT });
    rig_say_kind(&rig, VENUE_CANCELED, rig_order(&rig, first)->clordid);
    struct report r = rig_next(&rig, RIG_OPERATOR, REPORT_CANCELED);
    CHECK(r.key == first && r.client == RIG_CLIENT);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_CANCELED).key, first);
    rig_end(&rig);
}

TEST(a_cancels_key_is_answered_again_and_the_cancel_sent_again_only_when_it_was_refused)
{
    start(false);
    uint64_t first = working(SIDE_BUY, 1000);
    struct command c = { .verb = COMMAND_CANCEL, .key = ++rig.key, .target_key = first };
    rig_command(&rig, RIG_STRATEGY, c);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 1);
    rig_command(&rig, RIG_STRATEGY, c);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 1);
    struct report r = rig_next(&rig, RIG_STRATEGY, REPORT_ORDER);
    CHECK(r.key == first && r.request_state == REQUEST_CANCEL_IN_FLIGHT);
    rig_say_kind(&rig, VENUE_CANCEL_REJECTED, rig_order(&rig, first)->clordid);
    rig_command(&rig, RIG_STRATEGY, c);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 2);
    rig_say_kind(&rig, VENUE_CANCELED, rig_order(&rig, first)->clordid);
    rig_command(&rig, RIG_STRATEGY, c);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 2);
    r = rig_next(&rig, RIG_STRATEGY, REPORT_ORDER);
    CHECK_EQ(r.order_state, ORDER_CANCELED);
    rig_end(&rig);
}

TEST_MAIN()
