/* The venue's clock: what of it is believed, for how long, and when it is asked again; and when nobody is there. */
#include "tests/gateway_rig.h"

static struct rig rig;

#define ASKED_NS   (30 * NS_PER_S) /* between two regular questions */
#define TIMEOUT_NS (2 * NS_PER_S)  /* of a request */
#define ORDER_CONN GATEWAY_CONN(0, CONN_ROLE_ORDER)

/* Until the next question about the time has left; its answer takes `rtt_ns` and says what it was then. */
static void
time_told(int64_t venue_less_mono_ns, int64_t rtt_ns)
{
    struct rig_request *asked;

    while ((asked = rig_take(&rig, VENUE_RQ_TIME)) == NULL)
        rig_pass(&rig, NS_PER_S / 10);
    struct venue_report t = rig_report(VENUE_TIME, NULL);
    t.venue_time_ns = venue_less_mono_ns + (rtt_ns > 0 ? asked->at_ns : rig.now.mono.ns);
    rig_pass(&rig, MAX(asked->at_ns + rtt_ns - rig.now.mono.ns, 0));
    rig_say(&rig, &t);
}

static bool
believed(void)
{
    const struct risk_venue *v = risk_venue_of(rig.risk, 0);
    return v->clock_known;
}

/* What a new order says of its time, less this machine's steady clock. */
static int64_t
stamped(void)
{
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 1000);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_NEW);
    CHECK(q != NULL);
    rig_say_kind(&rig, VENUE_REJECTED, rig_order(&rig, key)->clordid);
    return q->venue_at_ns - q->at_ns;
}

TEST(an_answer_slower_than_half_of_the_receive_window_does_not_set_the_venues_clock_back)
{
    static const struct {
        int64_t rtt_ns;
        bool believed;
    } row[] = { { NS_PER_S / 2, true }, { NS_PER_S / 2 + 1, false }, { 7 * NS_PER_S, false } };

    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        rig_ready(&rig);
        int64_t venue_ns = rig.now.wall.ns - rig.now.mono.ns;
        rig_pass(&rig, ASKED_NS - NS_PER_S / 20);
        time_told(venue_ns, row[i].rtt_ns);
        CHECK_EQ(stamped(), row[i].believed ? venue_ns - row[i].rtt_ns : venue_ns);
        rig_pass(&rig, NS_PER_S);
        CHECK_EQ(rig_take(&rig, VENUE_RQ_TIME) == NULL, row[i].believed); /* asked again at once */
        rig_end(&rig);
    }
}

TEST(a_slow_answer_that_says_later_than_what_is_known_is_believed)
{
    rig_ready(&rig);
    int64_t venue_ns = rig.now.wall.ns - rig.now.mono.ns + 9 * NS_PER_S;
    time_told(venue_ns, 2 * NS_PER_S);
    CHECK_EQ(risk_venue_of(rig.risk, 0)->clock_offset_ns, 8 * NS_PER_S);
    rig_end(&rig);
}

TEST(an_offset_that_nothing_confirms_for_three_questions_time_is_none_and_one_answer_brings_it_back)
{
    rig_ready(&rig);
    int64_t venue_ns = rig.now.wall.ns - rig.now.mono.ns;
    time_told(venue_ns, 0);
    rig_pass(&rig, 3 * ASKED_NS);
    CHECK(believed());
    (void)stamped();
    rig_pass(&rig, NS_PER_S);
    CHECK(!believed());
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK(rig_take(&rig, VENUE_RQ_NEW) == NULL);
    time_told(venue_ns, 0);
    CHECK(believed());
    (void)stamped();
    rig_end(&rig);
}

TEST(a_step_of_the_wall_clock_is_seen_within_a_second_limited_as_an_offset_and_the_venue_is_asked)
{
    static const int64_t step_ns[] = { 100 * NS_PER_MS, 100 * NS_PER_MS + 1, -100 * NS_PER_MS, -100 * NS_PER_MS - 1 };

    for (unsigned i = 0; i < ARRAY_LEN(step_ns); i++) {
        rig_ready(&rig);
        time_told(rig.now.wall.ns - rig.now.mono.ns, 0);
        rig_pass(&rig, 2 * NS_PER_S);
        rig.now.wall.ns += step_ns[i];
        rig_pass(&rig, NS_PER_S);
        CHECK_EQ(risk_venue_of(rig.risk, 0)->clock_offset_ns, -step_ns[i]);
        CHECK_EQ(rig_take(&rig, VENUE_RQ_TIME) != NULL, i % 2 != 0);
        rig_end(&rig);
    }
}

TEST(a_request_refused_for_its_time_has_the_time_asked_at_once_and_at_most_once_a_second)
{
    rig_ready(&rig);
    time_told(rig.now.wall.ns - rig.now.mono.ns, 0);
    rig_pass(&rig, NS_PER_S);
    for (unsigned i = 0; i < 5; i++) {
        uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 1000);
        struct venue_report r = rig_report(VENUE_REJECTED, rig_order(&rig, key)->clordid);
        r.code = i == 0 ? -1020 : -1021;
        rig_say(&rig, &r);
        rig_pass(&rig, 100 * NS_PER_MS);
        CHECK_EQ(rig_take(&rig, VENUE_RQ_TIME) != NULL, i == 1);
    }
    rig_end(&rig);
}

TEST(a_request_without_an_answer_and_not_a_byte_since_stops_new_orders_asks_the_time_and_ends_the_connection)
{
    rig_answer_max_ns = 3 * NS_PER_S;
    rig_ready(&rig);
    time_told(rig.now.wall.ns - rig.now.mono.ns, 0);
    rig_pass(&rig, 2 * NS_PER_S);
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 1000);
    rig_pass(&rig, TIMEOUT_NS - 1);
    CHECK(risk_venue_of(rig.risk, 0)->logged_on);
    rig_pass(&rig, 1);
    CHECK(order_unknown(rig_order(&rig, key)));
    CHECK(!risk_venue_of(rig.risk, 0)->logged_on);
    uint32_t sent = rig_requests(&rig, VENUE_RQ_NEW);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), sent);
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key });
    CHECK(rig_take(&rig, VENUE_RQ_CANCEL) != NULL); /* cancels leave: it may be a slow venue, not a dead wire */
    CHECK(rig_take(&rig, VENUE_RQ_TIME) != NULL);
    CHECK(rig.wanted[ORDER_CONN]);
    rig_pass(&rig, 3 * NS_PER_S - 1);
    CHECK(rig.wanted[ORDER_CONN]);
    rig_pass(&rig, 1);
    CHECK(!rig.wanted[ORDER_CONN]);
    rig_end(&rig);
    rig_answer_max_ns = 0;
}

TEST(any_byte_since_a_request_left_keeps_the_connection_and_a_late_one_ends_the_doubt)
{
    rig_answer_max_ns = 3 * NS_PER_S;
    for (unsigned late = 0; late < 2; late++) {
        rig_ready(&rig);
        time_told(rig.now.wall.ns - rig.now.mono.ns, 0);
        rig_pass(&rig, 2 * NS_PER_S);
        (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
        CHECK(rig.wanted[ORDER_CONN]);
        rig_pass(&rig, late ? TIMEOUT_NS + NS_PER_S : TIMEOUT_NS / 2);
        CHECK_EQ(risk_venue_of(rig.risk, 0)->logged_on, !late);
        rig_say_kind(&rig, VENUE_DEADMAN, NULL); /* any word */
        CHECK(risk_venue_of(rig.risk, 0)->logged_on);
        rig_pass(&rig, TIMEOUT_NS / 2);
        CHECK(risk_venue_of(rig.risk, 0)->logged_on);
        rig_pass(&rig, 3 * NS_PER_S);
        CHECK(rig.wanted[ORDER_CONN]);
        rig_end(&rig);
    }
    rig_answer_max_ns = 0;
}

TEST(a_question_about_the_time_without_an_answer_finds_a_dead_wire_when_nothing_else_is_asked)
{
    rig_answer_max_ns = 3 * NS_PER_S;
    rig_ready(&rig);
    while (rig_take(&rig, VENUE_RQ_TIME) == NULL)
        rig_pass(&rig, NS_PER_S / 10);
    CHECK(rig.wanted[ORDER_CONN]);
    rig_pass(&rig, 4 * NS_PER_S);
    CHECK(risk_venue_of(rig.risk, 0)->logged_on);
    rig_pass(&rig, 2 * NS_PER_S);
    CHECK(!risk_venue_of(rig.risk, 0)->logged_on);
    rig_pass(&rig, 3 * NS_PER_S);
    CHECK(!rig.wanted[ORDER_CONN]);
    rig_end(&rig);
    rig_answer_max_ns = 0;
}

TEST_MAIN()
