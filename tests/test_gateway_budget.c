/* Rate budgets through the whole core: denied before the venue refuses, a reserve for cancels, silence in a ban. */
#include "tests/gateway_rig.h"

static struct rig rig;

static void
budget(enum venue_budget which, int64_t limit, int64_t used, int64_t window_ns)
{
    struct venue_report r = rig_report(VENUE_RATE_BUDGET, NULL);
    r.code = which;
    r.qty = limit;
    r.cum_qty = used;
    r.retry_after_ns = window_ns;
    rig_say(&rig, &r);
}

static uint64_t
working_buy(void)
{
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 1000);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_NEW);
    CHECK(q != NULL);
    rig_say_kind(&rig, VENUE_NEW_ACK, q->clordid);
    return key;
}

static void
quiet_for(int64_t ns, enum venue_request_kind what)
{
    struct venue_report r = rig_report(VENUE_RATE_LIMITED, NULL);
    r.request = (uint8_t)what;
    r.retry_after_ns = rig.now.wall.ns + ns;
    rig_say(&rig, &r);
}

static enum deny_reason
denied(void)
{
    return (enum deny_reason)rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny;
}

static void
count_of(uint32_t instrument, int64_t used)
{
    struct venue_report r = rig_report(VENUE_RATE_BUDGET, NULL);
    r.code = VENUE_BUDGET_DECAY;
    r.instrument = instrument;
    r.cum_qty = used;
    rig_say(&rig, &r);
}

static void
count_ready(void)
{
    rig_order_count = 60; /* a fifth of it for cancels: 48 for orders */
    rig_ready(&rig);
}

static void
count_end(void)
{
    rig_end(&rig);
    rig_order_count = 0;
}

TEST(each_pair_has_a_counter_of_its_own_and_another_ones_says_nothing_of_it)
{
    count_ready();
    count_of(1, 60);
    count_of(INSTRUMENT_NONE, 60);
    uint64_t key = working_buy();
    count_of(0, 47);
    (void)working_buy();
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(denied(), DENY_ORDER_RATE);
    count_of(1, 0);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(denied(), DENY_ORDER_RATE);
    rig_pass(&rig, NS_PER_S); /* it falls by one a second */
    CHECK_EQ(metric_get(rig.metrics, METRIC_BUDGET_LIMIT, metric_pair(METRIC_BUDGET_LIMIT, 0, BUDGET_DECAY)), 60);
    (void)working_buy();
    count_of(0, 60);
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key });
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 1);
    count_end();
}

TEST(a_pair_whose_counter_is_full_takes_nothing_new_for_a_while_and_others_and_cancels_go_on)
{
    count_ready();
    uint64_t key = working_buy();
    struct venue_report r = rig_report(VENUE_RATE_LIMITED, NULL);
    r.request = VENUE_RQ_NEW;
    r.venue_time_ns = rig.now.wall.ns;
    r.retry_after_ns = rig.now.wall.ns + NS_PER_S;
    r.instrument = 1;
    rig_say(&rig, &r);
    (void)working_buy();
    r.instrument = 0;
    rig_say(&rig, &r);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(denied(), DENY_ORDER_RATE);
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key });
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 1);
    CHECK_EQ(metric_get(rig.metrics, METRIC_RATE_LIMITED, 0), 2);
    rig_pass(&rig, NS_PER_S);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000); /* it was full: a second pays back one of it */
    CHECK_EQ(denied(), DENY_ORDER_RATE);
    count_of(0, 40);
    (void)working_buy();
    count_end();
}

TEST(orders_are_denied_at_the_limit_that_the_venue_tells_and_cancels_pass)
{
    rig_ready(&rig);
    budget(VENUE_BUDGET_ORDERS, 5, 3, 10 * NS_PER_S);
    uint64_t key = working_buy();
    (void)working_buy();
    uint32_t sent = rig_requests(&rig, VENUE_RQ_NEW);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(denied(), DENY_ORDER_RATE);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), sent);
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key });
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 1);
    rig_pass(&rig, 11 * NS_PER_S); /* the venue's next window */
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), sent + 1);
    CHECK_EQ(metric_get(rig.metrics, METRIC_BUDGET_LIMIT, metric_pair(METRIC_BUDGET_LIMIT, 0, BUDGET_ORDERS)), 5);
    rig_end(&rig);
}

TEST(cancels_spend_what_they_cost_before_the_venue_says_so)
{
    uint64_t key[4];
    rig_ready(&rig);
    for (unsigned i = 0; i < 4; i++)
        key[i] = working_buy();
    budget(VENUE_BUDGET_WEIGHT, 100, 98, 60 * NS_PER_S);
    for (unsigned i = 0; i < 4; i++)
        rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key[i] });
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 2); /* the others wait for the next window and are not forgotten */
    rig_pass(&rig, 61 * NS_PER_S);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 4);
    rig_end(&rig);
}

TEST(limits_that_stand_beside_the_definitions_hold_before_any_answer)
{
    rig_ready(&rig);
    gateway_on_budget(rig.g, 0, VENUE_BUDGET_ORDERS, 1, 10 * NS_PER_S, rig.now);
    (void)working_buy();
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(denied(), DENY_ORDER_RATE);
    rig_end(&rig);
}

TEST(an_orders_first_fill_gives_its_count_back)
{
    rig_ready(&rig);
    budget(VENUE_BUDGET_ORDERS, 1, 0, 10 * NS_PER_S);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    char clordid[CLORDID_BYTES];
    memcpy(clordid, rig_take(&rig, VENUE_RQ_NEW)->clordid, CLORDID_BYTES);
    struct venue_report f = rig_report(VENUE_FILL, clordid);
    f.trade_id = 1;
    f.last_px = 99900;
    f.last_qty = 400;
    rig_say(&rig, &f);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 2);
    rig_end(&rig);
}

TEST(what_is_kept_for_cancels_is_spent_by_nothing_else)
{
    rig_ready(&rig); /* 20 percent */
    uint64_t key = working_buy();
    budget(VENUE_BUDGET_WEIGHT, 100, 80, 60 * NS_PER_S);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(denied(), DENY_ORDER_RATE);
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key });
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 1);
    rig_pass(&rig, 3 * NS_PER_S); /* its answer is late: but questions wait for the next window */
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_QUERY), 0);
    rig_pass(&rig, 60 * NS_PER_S);
    CHECK(rig_requests(&rig, VENUE_RQ_QUERY) > 0);
    rig_end(&rig);
}

TEST(nothing_is_sent_during_a_ban_and_cancels_go_first_after_it)
{
    rig_ready(&rig);
    uint64_t key = working_buy();
    uint32_t definitions = rig.definitions_asked;
    quiet_for(90 * NS_PER_S, VENUE_RQ_COUNT);
    uint32_t before = rig.request_count;
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key });
    CHECK_EQ(denied(), DENY_CANCEL_RATE);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(denied(), DENY_ORDER_RATE);
    rig_pass(&rig, 89 * NS_PER_S); /* clock, audit and refresh come due in it */
    CHECK_EQ(rig.request_count, before);
    CHECK_EQ(rig.definitions_asked, definitions);
    rig.now.wall.ns += 2 * NS_PER_S;
    rig.now.mono.ns += 2 * NS_PER_S; /* over, and nothing has run yet */
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(denied(), DENY_ORDER_RATE);
    rig_pass(&rig, NS_PER_MS);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 1);
    for (uint32_t i = before; rig.request[i].kind != VENUE_RQ_CANCEL; i++)
        CHECK(rig.request[i].kind != VENUE_RQ_NEW);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(denied(), DENY_CLOCK); /* the venue could not be asked for so long */
    rig_tell_time(&rig);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 2);
    rig_end(&rig);
}

TEST(too_many_orders_stops_new_orders_alone)
{
    rig_ready(&rig);
    uint64_t key = working_buy();
    quiet_for(5 * NS_PER_S, VENUE_RQ_NEW);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(denied(), DENY_ORDER_RATE);
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key });
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 1);
    rig_pass(&rig, 6 * NS_PER_S);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 2);
    rig_end(&rig);
}

TEST(a_cancel_above_the_clients_own_rate_is_denied_and_goes_out_all_the_same)
{
    static struct risk_limits limits;
    struct fault fault;

    rig_ready(&rig);
    limits = *risk_limits_in_force(rig.risk);
    limits.version++;
    limits.client_default.cancel_rate.per_s = 1;
    limits.client_default.cancel_rate.burst = 1;
    CHECK(risk_set_limits(rig.risk, &limits, rig.now, &fault));
    uint64_t first = working_buy();
    uint64_t second = working_buy();
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = first });
    CHECK(rig_take(&rig, VENUE_RQ_CANCEL) != NULL);
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = second });
    CHECK_EQ(denied(), DENY_CANCEL_RATE);
    rig_pass(&rig, NS_PER_MS);
    struct rig_request *rq = rig_take(&rig, VENUE_RQ_CANCEL);
    CHECK(rq != NULL);
    CHECK_EQ(order_find(rig.orders, rq->clordid), order_find_key(rig.orders, RIG_CLIENT, second));
    rig_end(&rig);
}

TEST_MAIN()
