/* The kill switch and its proof, on the rig of test_gateway. */
#include "tests/gateway_rig.h"

#define ORDER_CONN GATEWAY_CONN(0, CONN_ROLE_ORDER)

static struct rig rig;

/* A buy that works at the venue; its ClOrdID into id. */
static void
working(char id[CLORDID_BYTES], uint64_t venue_order_id)
{
    (void)rig_new(&rig, SIDE_BUY, 99900, 100000);
    memcpy(id, rig_take(&rig, VENUE_RQ_NEW)->clordid, CLORDID_BYTES);
    struct venue_report ack = rig_report(VENUE_NEW_ACK, id);
    ack.venue_order_id = venue_order_id;
    rig_say(&rig, &ack);
}

static void
halt(void)
{
    rig_command(&rig, RIG_OPERATOR, (struct command){ .verb = COMMAND_HALT });
    (void)rig_next(&rig, RIG_OPERATOR, REPORT_DONE);
}

/* What the operator is told of the venue now. */
static struct report
status(void)
{
    rig_command(&rig, RIG_OPERATOR, (struct command){ .verb = COMMAND_KILL_STATUS });
    struct report last = { .kind = REPORT_NONE };
    for (;;) {
        struct report r;
        CHECK(ring_get(&rig.report[RIG_OPERATOR], &r));
        if (r.kind == REPORT_END)
            return last;
        if (r.kind == REPORT_KILL)
            last = r;
    }
}

static void
list(const struct venue_report *open)
{
    CHECK(rig_take(&rig, VENUE_RQ_OPEN_ORDERS) != NULL);
    if (open != NULL)
        rig_say(&rig, open);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
}

static struct venue_report
listed(const char *clordid, uint64_t venue_order_id)
{
    struct venue_report r = rig_report(VENUE_OPEN_ORDER, NULL);
    (void)snprintf(r.clordid, sizeof(r.clordid), "%s", clordid);
    r.request = VENUE_RQ_OPEN_ORDERS;
    r.state = ORDER_NEW;
    r.side = SIDE_BUY;
    r.px = 99900;
    r.qty = 100000;
    r.venue_order_id = venue_order_id;
    return r;
}

TEST(nothing_is_proven_until_a_list_that_was_asked_for_after_the_last_order_was_over)
{
    char a[CLORDID_BYTES];
    char b[CLORDID_BYTES];

    rig_ready(&rig);
    working(a, 1);
    working(b, 2);
    halt();
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 2);
    CHECK_EQ(status().order_state, KILL_CANCELING);
    CHECK_EQ(status().qty, 2);
    rig_say_kind(&rig, VENUE_CANCELED, a);
    CHECK(rig_take(&rig, VENUE_RQ_OPEN_ORDERS) == NULL);
    CHECK_EQ(status().qty, 1);
    rig_say_kind(&rig, VENUE_CANCELED, b);
    CHECK_EQ(status().order_state, KILL_LISTING);
    list(NULL);
    struct report r = rig_next(&rig, RIG_OPERATOR, REPORT_KILL);
    CHECK_EQ(r.order_state, KILL_PROVEN);
    CHECK_EQ(r.cum_qty, 2);
    CHECK_EQ(r.qty, 0);
    CHECK_EQ(r.venue_time_ns, rig.now.wall.ns);
    CHECK_EQ(status().order_state, KILL_PROVEN);
    rig_end(&rig);
}

TEST(with_nothing_open_the_list_alone_is_the_proof)
{
    rig_ready(&rig);
    halt();
    CHECK_EQ(status().order_state, KILL_LISTING);
    list(NULL);
    CHECK_EQ(status().order_state, KILL_PROVEN);
    rig_end(&rig);
}

TEST(an_order_in_flight_holds_the_proof_up_until_it_is_proven_never_to_have_been_placed)
{
    rig_ready(&rig);
    (void)rig_new(&rig, SIDE_BUY, 99900, 100000);
    char id[CLORDID_BYTES];
    memcpy(id, rig_take(&rig, VENUE_RQ_NEW)->clordid, CLORDID_BYTES);
    halt();
    for (int i = 0; i < 40 && status().qty != 0; i++) {
        CHECK(rig_take(&rig, VENUE_RQ_OPEN_ORDERS) == NULL);
        CHECK(status().order_state == KILL_CANCELING || status().order_state == KILL_UNREACHABLE);
        rig_pass(&rig, 500 * NS_PER_MS);
        if (rig_take(&rig, VENUE_RQ_QUERY) != NULL)
            rig_say_kind(&rig, VENUE_NOT_FOUND, id);
        struct venue_report end = rig_report(VENUE_TRADES_END, id);
        if (rig_take(&rig, VENUE_RQ_TRADES) != NULL)
            rig_say(&rig, &end);
    }
    CHECK_EQ(status().qty, 0);
    rig_pass(&rig, 10 * NS_PER_S);
    list(NULL);
    CHECK_EQ(status().order_state, KILL_PROVEN);
    rig_end(&rig);
}

TEST(a_cancel_that_is_lost_is_sent_again_and_again)
{
    char id[CLORDID_BYTES];

    rig_ready(&rig);
    working(id, 1);
    halt();
    uint32_t before = rig_requests(&rig, VENUE_RQ_CANCEL);
    CHECK_EQ(before, 1);
    rig_pass(&rig, 20 * NS_PER_S);
    CHECK(rig_requests(&rig, VENUE_RQ_CANCEL) > before + 1);
    CHECK_EQ(status().order_state, KILL_UNREACHABLE); /* it looks alive and says nothing */
    rig_say_kind(&rig, VENUE_CANCELED, id);
    list(NULL);
    CHECK_EQ(status().order_state, KILL_PROVEN);
    rig_end(&rig);
}

TEST(an_order_of_ours_that_only_the_venue_knows_is_canceled_and_is_no_proof)
{

    rig_ready(&rig);
    halt();
    struct venue_report r = listed("", 9);
    struct clordid_mint m;
    CHECK(clordid_mint_init(&m, "01", 1600000000, 0));
    (void)clordid_mint_next(&m, r.clordid);
    list(&r);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_CANCEL);
    CHECK(q != NULL);
    CHECK_MEM(q->clordid, r.clordid, CLORDID_BYTES);
    CHECK_EQ(status().order_state, KILL_CANCELING);
    CHECK(status().qty >= 1);
    rig_say_kind(&rig, VENUE_CANCELED, r.clordid); /* it was taken over: its end is told like that of any of ours */
    rig_pass(&rig, 10 * NS_PER_S);
    list(NULL);
    CHECK_EQ(status().order_state, KILL_PROVEN);
    rig_end(&rig);
}

TEST(orders_of_others_are_counted_and_left_alone)
{
    rig_ready(&rig);
    halt();
    struct venue_report r = listed("web_12345", 9);
    list(&r);
    CHECK(rig_take(&rig, VENUE_RQ_CANCEL) == NULL);
    CHECK_EQ(status().order_state, KILL_PROVEN);
    CHECK_EQ(status().leaves_qty, 1);
    rig_end(&rig);
}

TEST(a_venue_that_is_gone_is_unreachable_until_it_is_back_and_has_said_it)
{
    char id[CLORDID_BYTES];

    rig_ready(&rig);
    working(id, 1);
    rig_disconnect(&rig, ORDER_CONN);
    halt();
    CHECK_EQ(status().order_state, KILL_UNREACHABLE);
    rig_pass(&rig, NS_PER_S);
    CHECK_EQ(status().order_state, KILL_UNREACHABLE);
    rig_connect(&rig, ORDER_CONN);
    rig_logon(&rig);
    struct venue_report r = listed(id, 1);
    rig_say(&rig, &r);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    CHECK(rig_take(&rig, VENUE_RQ_CANCEL) != NULL);
    rig_say_kind(&rig, VENUE_CANCELED, id);
    rig_pass(&rig, 10 * NS_PER_S);
    list(NULL);
    CHECK_EQ(status().order_state, KILL_PROVEN);
    rig_end(&rig);
}

TEST(a_list_without_an_answer_is_no_proof_and_is_asked_for_again)
{
    rig_ready(&rig);
    halt();
    CHECK(rig_take(&rig, VENUE_RQ_OPEN_ORDERS) != NULL);
    rig_pass(&rig, 6 * NS_PER_S);
    CHECK(status().order_state != KILL_PROVEN);
    rig_pass(&rig, 10 * NS_PER_S);
    list(NULL);
    CHECK_EQ(status().order_state, KILL_PROVEN);
    rig_end(&rig);
}

TEST(an_order_that_turns_up_after_the_proof_takes_it_back)
{
    rig_ready(&rig);
    halt();
    list(NULL);
    CHECK_EQ(status().order_state, KILL_PROVEN);
    rig_pass(&rig, 61 * NS_PER_S); /* the regular audit */
    struct venue_report r = listed("", 9);
    struct clordid_mint m;
    CHECK(clordid_mint_init(&m, "01", 1600000000, 0));
    (void)clordid_mint_next(&m, r.clordid);
    list(&r);
    CHECK(status().order_state != KILL_PROVEN);
    CHECK(rig_take(&rig, VENUE_RQ_CANCEL) != NULL);
    rig_end(&rig);
}

TEST(no_order_passes_while_it_is_on_and_it_stays_on_over_restarts_until_a_confirmed_resume)
{
    char id[CLORDID_BYTES];

    rig_ready(&rig);
    working(id, 1);
    uint64_t before = rig.journal.seq;
    halt();
    CHECK(rig.journal.urgent_seq > before); /* on the medium at once */
    rig_restart(&rig);
    CHECK(risk_kill(rig.risk)->killed);
    rig_up(&rig);
    struct venue_report r = listed(id, 1);
    rig_say(&rig, &r);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_KILLED);
    CHECK(rig_take(&rig, VENUE_RQ_CANCEL) != NULL);
    rig_say_kind(&rig, VENUE_CANCELED, id);
    rig_pass(&rig, 10 * NS_PER_S);
    list(NULL);
    CHECK_EQ(status().order_state, KILL_PROVEN);
    rig_restart(&rig);
    CHECK(risk_kill(rig.risk)->killed);
    before = rig.journal.seq;
    rig_resume(&rig);
    CHECK(!risk_kill(rig.risk)->killed);
    CHECK(rig.journal.urgent_seq > before);
    CHECK_EQ(rig.replayed.released_ns, 0);
    rig_restart(&rig);
    CHECK(rig.replayed.released_ns > 0);
    CHECK(!risk_kill(rig.risk)->killed);
    rig_end(&rig);
}

TEST(what_latches_in_risk_trips_it_only_where_that_is_configured)
{
    static const struct {
        uint32_t trips;
        bool killed;
    } at[] = { { 0, false }, { 1u << TRIP_DAY_LOSS, false }, { 1u << TRIP_STALL, true }, { UINT32_MAX, true } };

    for (size_t i = 0; i < ARRAY_LEN(at); i++) {
        static struct risk_limits limits;
        struct fault fault;
        rig_kill_trips = at[i].trips;
        rig_ready(&rig);
        limits = *risk_limits_in_force(rig.risk);
        limits.version++;
        limits.stall_max_ns = NS_PER_MS;
        CHECK(risk_set_limits(rig.risk, &limits, rig.now, &fault));
        risk_note_turn(rig.risk, NS_PER_MS + 1, rig.now);
        rig_work(&rig);
        CHECK_EQ(risk_kill(rig.risk)->killed, at[i].killed);
        rig_end(&rig);
    }
    rig_kill_trips = 0;
}

/* An audit's list, asked for before the switch: what it does not have proves nothing. */
TEST(a_list_that_was_asked_for_before_the_last_order_was_over_is_no_proof)
{
    char a[CLORDID_BYTES];

    rig_ready(&rig);
    working(a, 1);
    rig_pass(&rig, 61 * NS_PER_S);
    CHECK(rig_take(&rig, VENUE_RQ_OPEN_ORDERS) != NULL); /* the audit's */
    halt();
    rig_say_kind(&rig, VENUE_CANCELED, a);
    CHECK(status().order_state != KILL_PROVEN);
    CHECK(rig_take(&rig, VENUE_RQ_OPEN_ORDERS) == NULL); /* its answer would be taken for ours */
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    CHECK(status().order_state != KILL_PROVEN);
    rig_pass(&rig, 10 * NS_PER_S);
    list(NULL);
    CHECK_EQ(status().order_state, KILL_PROVEN);
    rig_end(&rig);
}

/* Ours by the venue's word never to have been placed; killed, and proven. */
static void
proven_without(char id[CLORDID_BYTES])
{
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 100000);
    struct venue_report end;

    memcpy(id, rig_take(&rig, VENUE_RQ_NEW)->clordid, CLORDID_BYTES);
    end = rig_report(VENUE_TRADES_END, id);
    for (int i = 0; i < 40 && rig_order(&rig, key)->state != ORDER_NOT_PLACED; i++) {
        rig_pass(&rig, 500 * NS_PER_MS);
        if (rig_take(&rig, VENUE_RQ_QUERY) != NULL)
            rig_say_kind(&rig, VENUE_NOT_FOUND, id);
        if (rig_take(&rig, VENUE_RQ_TRADES) != NULL)
            rig_say(&rig, &end);
    }
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_NOT_PLACED);
    halt();
    list(NULL);
    CHECK_EQ(status().order_state, KILL_PROVEN);
}

/* What the venue said takes the proof back; a list asked for after it gives it again. */
static void
proof_is_taken_back(const struct venue_report *said)
{
    rig_say(&rig, said);
    CHECK(status().order_state != KILL_PROVEN);
    CHECK_EQ(metric_get(rig.metrics, METRIC_KILL_PROVEN, 0), 0);
    rig_pass(&rig, 2 * NS_PER_S);
    list(NULL);
    CHECK_EQ(status().order_state, KILL_PROVEN);
}

TEST(an_order_of_ours_that_turns_up_on_the_stream_takes_the_proof_back)
{
    char id[CLORDID_BYTES];
    struct venue_report r;

    for (int how = 0; how < 4; how++) {
        rig_ready(&rig);
        proven_without(id);
        r = rig_report(how % 2 == 0 ? VENUE_NEW_ACK : VENUE_FILL, id);
        r.venue_order_id = 9;
        r.side = SIDE_BUY;
        r.last_px = 99900;
        r.last_qty = r.cum_qty = how % 2 == 0 ? 0 : 1000;
        r.trade_id = how % 2 == 0 ? -1 : 5;
        if (how >= 2) { /* in our name, and in no table */
            struct clordid_mint other;
            clordid_mint_init(&other, "01", 1, 900);
            (void)clordid_mint_next(&other, r.clordid);
        }
        proof_is_taken_back(&r);
        rig_end(&rig);
    }
}

TEST_MAIN()
