/* The gateway and a venue that answers over HTTP: log-on, questions one at a time, further pages, answers that come too
 * late or never. */
#include "tests/gateway_rig.h"

static struct rig rig;

static void
http_report(unsigned status, enum venue_report_kind kind, unsigned request, const char *clordid)
{
    struct venue_report v = rig_report(kind, clordid);

    v.request = (uint8_t)request;
    v.state = ORDER_CANCELED;
    rig_rest(&rig, status, &v, status != 0);
}

/* Connected, and the clock known. */
static void
to_logon_of(bool sweeps)
{
    struct instrument ins = rig_instrument();
    struct venue_report t = rig_report(VENUE_TIME, NULL);

    rig.over_http = true;
    rig.http_sweeps = sweeps;
    rig_start(&rig);
    gateway_on_definition(rig.g, &ins, rig.now);
    gateway_on_definitions_end(rig.g, 0, true, rig.now);
    rig_connect(&rig, GATEWAY_CONN(0, CONN_ROLE_MARKET));
    rig_book(&rig);
    rig_connect(&rig, GATEWAY_CONN(0, CONN_ROLE_ORDER));
    CHECK(rig_take(&rig, VENUE_RQ_TIME) != NULL);
    t.venue_time_ns = rig.now.wall.ns;
    rig_say(&rig, &t);
}

static void
to_logon(void)
{
    to_logon_of(false);
}

static void
to_ready(void)
{
    to_logon();
    CHECK(rig_take(&rig, VENUE_RQ_LOGON) != NULL);
    http_report(200, VENUE_LOGGED_ON, VENUE_RQ_LOGON, NULL);
    CHECK(rig_take(&rig, VENUE_RQ_STREAM) != NULL);
    rig_say_kind(&rig, VENUE_STREAM_UP, NULL);
    CHECK(rig_take(&rig, VENUE_RQ_OPEN_ORDERS) != NULL);
    http_report(200, VENUE_OPEN_ORDERS_END, VENUE_RQ_OPEN_ORDERS, NULL);
    CHECK(risk_venue_of(rig.risk, 0)->reconciled);
    CHECK(!rig.rest_busy);
}

static const struct order *
order_of(uint64_t key)
{
    return order_at(rig.orders, order_find_key(rig.orders, RIG_CLIENT, key));
}

TEST(steps_of_the_logon_go_by_the_way_that_the_venue_has_for_them)
{
    to_ready();
    CHECK_EQ(rig.rest_sent, 2); /* token and list; time and stream went over the session */
    rig_end(&rig);
}

TEST(questions_go_one_at_a_time_and_each_is_answered)
{
    to_ready();
    uint64_t a = rig_new(&rig, SIDE_BUY, 99000, 100);
    uint64_t b = rig_new(&rig, SIDE_BUY, 99000, 100);
    rig_pass(&rig, 3 * NS_PER_S); /* no answer to either: unknown, and asked about */
    CHECK(order_unknown(order_of(a)) && order_unknown(order_of(b)));
    uint32_t sent = rig.rest_sent;
    CHECK(rig.rest_busy);
    rig_pass(&rig, NS_PER_S);
    CHECK_EQ(rig.rest_sent, sent);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_QUERY);
    CHECK(q != NULL);
    http_report(200, VENUE_STATUS, VENUE_RQ_QUERY, q->clordid);
    CHECK(rig.rest_busy); /* the other's turn */
    q = rig_take(&rig, VENUE_RQ_QUERY);
    CHECK(q != NULL);
    http_report(200, VENUE_STATUS, VENUE_RQ_QUERY, q->clordid);
    CHECK_EQ(order_of(a)->state, ORDER_CANCELED);
    CHECK_EQ(order_of(b)->state, ORDER_CANCELED);
    rig_end(&rig);
}

TEST(a_question_of_several_pages_keeps_the_line_until_its_end)
{
    to_ready();
    uint64_t a = rig_new(&rig, SIDE_BUY, 99000, 100);
    rig_pass(&rig, 3 * NS_PER_S);
    CHECK(rig.rest_busy);
    uint32_t sent = rig.rest_sent;
    rig.rest_pages = 2;
    rig_rest(&rig, 200, NULL, 0);
    CHECK(rig.rest_busy);
    rig_rest(&rig, 200, NULL, 0);
    CHECK(rig.rest_busy);
    CHECK_EQ(rig.rest_sent, sent + 2);
    http_report(200, VENUE_STATUS, VENUE_RQ_QUERY, order_of(a)->clordid);
    CHECK_EQ(order_of(a)->state, ORDER_CANCELED);
    CHECK(!rig.rest_busy);
    rig_end(&rig);
}

TEST(pages_that_come_slowly_are_one_answer)
{
    to_ready();
    uint64_t a = rig_new(&rig, SIDE_BUY, 99000, 100);
    rig_pass(&rig, 3 * NS_PER_S);
    CHECK(rig.rest_busy);
    rig.rest_pages = 5;
    for (int i = 0; i < 5; i++) {
        rig_pass(&rig, 4 * NS_PER_S);
        rig_rest(&rig, 200, NULL, 0);
    }
    rig_pass(&rig, 4 * NS_PER_S);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_QUERY);
    CHECK(q != NULL);
    struct venue_report v = rig_report(VENUE_NOT_FOUND, order_of(a)->clordid);
    v.request = VENUE_RQ_QUERY;
    v.tag = q->tag;
    rig_rest(&rig, 200, &v, 1);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_QUERY), 1);
    rig_pass(&rig, NS_PER_S); /* it was heard; of then it proved nothing yet, now it does */
    q = rig_take(&rig, VENUE_RQ_QUERY);
    CHECK(q != NULL);
    v.tag = q->tag;
    rig_rest(&rig, 200, &v, 1);
    rig_pass(&rig, RIG_MARGIN_NS);
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
    rig_end(&rig);
}

/* A page of a sweep that does not end it, or its end. */
static void
sweep_page(bool end)
{
    struct venue_report v = rig_report(VENUE_TRADES_END, NULL);

    v.request = VENUE_RQ_TRADES;
    rig_rest(&rig, 200, &v, end ? 1 : 0);
}

TEST(pages_of_a_sweep_and_questions_about_orders_take_turns)
{
    to_logon_of(true);
    http_report(200, VENUE_LOGGED_ON, VENUE_RQ_LOGON, NULL);
    rig_say_kind(&rig, VENUE_STREAM_UP, NULL);
    CHECK(rig_take(&rig, VENUE_RQ_OPEN_ORDERS) != NULL);
    http_report(200, VENUE_OPEN_ORDERS_END, VENUE_RQ_OPEN_ORDERS, NULL);
    struct rig_request *first = rig_take(&rig, VENUE_RQ_TRADES);
    CHECK(first != NULL);
    CHECK(!risk_venue_of(rig.risk, 0)->reconciled);
    sweep_page(false);
    struct rig_request *next = rig_take(&rig, VENUE_RQ_TRADES); /* nobody else asks: on it goes */
    CHECK(next != NULL && next->since_trade == first->since_trade && next->fresh_ns == first->fresh_ns);
    rig_pass(&rig, 20 * NS_PER_S); /* slow: an answer over HTTP, or none, will come, and it is not asked twice */
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) == NULL);
    sweep_page(true);
    CHECK(rig_take(&rig, VENUE_RQ_BALANCES) != NULL);
    struct venue_report held[2] = { rig_report(VENUE_BALANCE, NULL), rig_report(VENUE_BALANCES_END, NULL) };
    held[0].request = held[1].request = VENUE_RQ_BALANCES;
    held[0].last_qty = 1000000 * VALUE_ONE;
    (void)snprintf(held[0].fee_ccy, sizeof(held[0].fee_ccy), "USDT");
    rig_rest(&rig, 200, held, 2);
    CHECK(risk_venue_of(rig.risk, 0)->reconciled);

    rig_book(&rig);
    uint64_t a = rig_new(&rig, SIDE_BUY, 99000, 100);
    rig_pass(&rig, 41 * NS_PER_S); /* no answer: unknown; the audit's list, and then its sweep */
    while (rig_take(&rig, VENUE_RQ_TRADES) == NULL) {
        struct rig_request *q = rig_take(&rig, VENUE_RQ_QUERY);
        if (q != NULL)
            http_report(200, VENUE_QUERY_FAILED, VENUE_RQ_QUERY, q->clordid);
        else if (rig_take(&rig, VENUE_RQ_OPEN_ORDERS) != NULL)
            http_report(200, VENUE_OPEN_ORDERS_END, VENUE_RQ_OPEN_ORDERS, NULL);
        else
            rig_pass(&rig, NS_PER_S);
    }
    struct venue_report t = rig_report(VENUE_TIME, NULL);
    t.venue_time_ns = rig.now.wall.ns;
    rig_say(&rig, &t);
    for (unsigned i = 0; i < 3; i++) {
        rig_pass(&rig, 15 * NS_PER_S); /* its question waits */
        sweep_page(false);
        struct rig_request *q = rig_take(&rig, VENUE_RQ_QUERY);
        CHECK(q != NULL && rig_take(&rig, VENUE_RQ_TRADES) == NULL);
        http_report(200, VENUE_QUERY_FAILED, VENUE_RQ_QUERY, q->clordid);
        CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
    }
    CHECK(order_unknown(order_of(a)));
    sweep_page(true);
    rig_end(&rig);
}

TEST(no_answer_is_no_evidence_and_the_question_is_asked_again)
{
    to_ready();
    uint64_t a = rig_new(&rig, SIDE_BUY, 99000, 100);
    rig_pass(&rig, 3 * NS_PER_S);
    for (unsigned i = 0; i < 3; i++) {
        CHECK(rig.rest_busy);
        http_report(i == 0 ? 0 : 200, VENUE_QUERY_FAILED, VENUE_RQ_QUERY, order_of(a)->clordid);
        CHECK(order_unknown(order_of(a)));
        rig_pass(&rig, 20 * NS_PER_S);
    }
    rig.rest_refused = true; /* nor one that could not even be queued */
    http_report(200, VENUE_QUERY_FAILED, VENUE_RQ_QUERY, order_of(a)->clordid);
    rig_pass(&rig, 20 * NS_PER_S);
    CHECK(order_unknown(order_of(a)));
    rig.rest_refused = false;
    rig_pass(&rig, 20 * NS_PER_S);
    CHECK(rig.rest_busy);
    rig_end(&rig);
}

TEST(an_answer_to_a_session_that_ended_is_dropped_and_the_next_logon_waits_for_the_line)
{
    to_ready();
    uint64_t a = rig_new(&rig, SIDE_BUY, 99000, 100);
    rig_pass(&rig, 3 * NS_PER_S);
    CHECK(rig.rest_busy);
    rig_disconnect(&rig, GATEWAY_CONN(0, CONN_ROLE_ORDER));
    rig_pass(&rig, 5 * NS_PER_S);
    rig_connect(&rig, GATEWAY_CONN(0, CONN_ROLE_ORDER));
    struct venue_report t = rig_report(VENUE_TIME, NULL);
    t.venue_time_ns = rig.now.wall.ns;
    uint32_t logons = rig_requests(&rig, VENUE_RQ_LOGON);
    rig_say(&rig, &t);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_LOGON), logons); /* the line is not free */
    http_report(200, VENUE_STATUS, VENUE_RQ_QUERY, order_of(a)->clordid);
    CHECK(order_unknown(order_of(a))); /* what it said belongs to the session before */
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_LOGON), logons + 1);
    CHECK(rig.rest_busy);
    rig_end(&rig);
}

/* Told over HTTP: nothing more there for so long. */
static void
http_quiet(unsigned request, int64_t wait_ns, enum venue_report_kind then, const char *clordid)
{
    struct venue_report r[2] = { rig_report(VENUE_RATE_LIMITED, NULL), rig_report(then, clordid) };

    r[0].request = r[1].request = (uint8_t)request;
    r[0].venue_time_ns = rig.now.wall.ns;
    r[0].retry_after_ns = rig.now.wall.ns + wait_ns;
    rig_rest(&rig, 200, r, 2);
}

TEST(quiet_that_is_wanted_over_http_stops_questions_and_neither_orders_nor_cancels)
{
    to_ready();
    uint64_t a = rig_new(&rig, SIDE_BUY, 99000, 100);
    rig_pass(&rig, 3 * NS_PER_S);
    CHECK(rig.rest_busy);
    uint32_t sent = rig.rest_sent;
    http_quiet(VENUE_RQ_QUERY, 30 * NS_PER_S, VENUE_QUERY_FAILED, order_of(a)->clordid);
    CHECK_EQ(metric_get(rig.metrics, METRIC_RATE_LIMITED, 0), 1);
    rig_book(&rig);
    uint32_t before = rig_requests(&rig, VENUE_RQ_NEW);
    uint64_t b = rig_new(&rig, SIDE_BUY, 99000, 100);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), before + 1);
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = b });
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 1);
    rig_pass(&rig, 29 * NS_PER_S);
    CHECK_EQ(rig.rest_sent, sent);
    rig_pass(&rig, 12 * NS_PER_S);
    CHECK_EQ(rig.rest_sent, sent + 1);
    rig_end(&rig);
}

TEST(what_was_told_over_http_outlives_the_process_and_shortens_no_ban)
{
    to_ready();
    struct venue_report ban = rig_report(VENUE_RATE_LIMITED, NULL);
    ban.request = VENUE_RQ_CANCEL;
    ban.retry_after_ns = rig.now.wall.ns + 600 * NS_PER_S;
    (void)rig_new(&rig, SIDE_BUY, 99000, 100);
    rig_pass(&rig, 3 * NS_PER_S);
    CHECK(rig.rest_busy);
    rig_say(&rig, &ban);
    int64_t until_ns = ban.retry_after_ns;
    http_quiet(VENUE_RQ_QUERY, 5 * NS_PER_S, VENUE_QUERY_FAILED, NULL);
    rig_restart(&rig);
    CHECK_EQ(rig.replayed.quiet_until_ns[0], until_ns);
    CHECK_EQ(rig.definitions_asked, 0);
    rig_end(&rig);
    to_logon();
    until_ns = rig.now.wall.ns + 900 * NS_PER_S;
    http_quiet(VENUE_RQ_LOGON, 900 * NS_PER_S, VENUE_LOGON_REFUSED, NULL);
    rig_restart(&rig);
    CHECK_EQ(rig.replayed.quiet_until_ns[0], until_ns);
    rig_end(&rig);
}

TEST(a_logon_that_is_told_to_wait_does_not_come_back_before)
{
    to_logon();
    uint32_t opened = rig.opened[GATEWAY_CONN(0, CONN_ROLE_ORDER)];
    http_quiet(VENUE_RQ_LOGON, 900 * NS_PER_S, VENUE_LOGON_REFUSED, NULL);
    rig_disconnect(&rig, GATEWAY_CONN(0, CONN_ROLE_ORDER));
    rig_pass(&rig, 899 * NS_PER_S);
    CHECK_EQ(rig.opened[GATEWAY_CONN(0, CONN_ROLE_ORDER)], opened);
    rig_pass(&rig, 2 * NS_PER_S);
    CHECK_EQ(rig.opened[GATEWAY_CONN(0, CONN_ROLE_ORDER)], opened + 1);
    rig_end(&rig);
}

TEST(questions_over_http_wait_when_their_counter_is_full)
{
    rig_http_calls = 4; /* the log-on and the list leave room for one query of two points */
    to_ready();
    uint64_t a = rig_new(&rig, SIDE_BUY, 99000, 100);
    rig_pass(&rig, 3 * NS_PER_S);
    CHECK(rig.rest_busy);
    uint32_t sent = rig.rest_sent;
    http_report(200, VENUE_QUERY_FAILED, VENUE_RQ_QUERY, order_of(a)->clordid);
    rig_pass(&rig, 5 * NS_PER_S);
    CHECK_EQ(rig.rest_sent, sent); /* four points a minute */
    rig_pass(&rig, 50 * NS_PER_S);
    CHECK_EQ(rig.rest_sent, sent + 1);
    rig_http_calls = 0;
    rig_end(&rig);
}

TEST(further_pages_wait_when_the_counter_over_http_is_full_and_the_question_waits_with_them)
{
    rig_http_calls = 7; /* five are free for questions, seven for what is begun */
    to_ready();
    uint64_t a = rig_new(&rig, SIDE_BUY, 99000, 100);
    rig_pass(&rig, 3 * NS_PER_S);
    CHECK(rig.rest_busy);
    rig.rest_pages = 6;
    uint32_t sent = rig.rest_sent;
    for (unsigned i = 0; i < 5; i++)
        rig_rest(&rig, 200, NULL, 0);
    CHECK_EQ(rig.rest_sent, sent + 4); /* log-on, list, query and four pages */
    CHECK(!rig.rest_busy);
    rig_pass(&rig, 7 * NS_PER_S); /* one in 60 / 7 s */
    CHECK_EQ(rig.rest_sent, sent + 4);
    rig_pass(&rig, 3 * NS_PER_S);
    CHECK_EQ(rig.rest_sent, sent + 5);
    http_report(200, VENUE_STATUS, VENUE_RQ_QUERY, order_of(a)->clordid);
    CHECK(!order_live(order_of(a))); /* it was not given up meanwhile */
    rig_http_calls = 0;
    rig_end(&rig);
}

TEST(a_logon_without_an_answer_ends_the_session_in_time)
{
    to_logon();
    CHECK(rig.rest_busy);
    CHECK(rig.wanted[GATEWAY_CONN(0, CONN_ROLE_ORDER)]);
    http_report(200, VENUE_LOGON_REFUSED, VENUE_RQ_LOGON, NULL);
    CHECK(!rig.wanted[GATEWAY_CONN(0, CONN_ROLE_ORDER)]);
    rig_end(&rig);
    to_logon();
    rig_pass(&rig, 60 * NS_PER_S); /* the step's own time-out */
    CHECK(!rig.wanted[GATEWAY_CONN(0, CONN_ROLE_ORDER)]);
    rig_end(&rig);
}

TEST_MAIN()
