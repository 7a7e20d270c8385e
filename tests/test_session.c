/* Session life cycle and back-off, on a clock of the test's own. */
#include "engine/session.h"
#include "test.h"

static const struct session_config cfg = {
    .backoff_min_ns = 100 * NS_PER_MS,
    .backoff_max_ns = 1500 * NS_PER_MS, /* no power of two of the least: the cap itself is what ends the doubling */
    .connect_max_ns = 10 * NS_PER_S,
    .step_max_ns = 5 * NS_PER_S,
    .silence_max_ns = 30 * NS_PER_S,
    .answer_max_ns = 3 * NS_PER_S,
    .stable_ns = 60 * NS_PER_S,
    .step_count = 2,
};

static struct now
at(int64_t ns)
{
    return (struct now){ .mono = { ns }, .wall = { ns } };
}

static struct session
ready_at(int64_t ns)
{
    struct session s;

    session_init(&s, &cfg);
    CHECK_EQ(session_start(&s, at(ns)), SESSION_DO_OPEN);
    CHECK_EQ(session_on_up(&s, at(ns)), SESSION_DO_STEP);
    CHECK_EQ(session_on_step_done(&s, 0, at(ns)), SESSION_DO_STEP);
    CHECK_EQ(session_on_step_done(&s, 1, at(ns)), SESSION_DO_READY);
    return s;
}

TEST(a_session_connects_runs_its_steps_in_order_and_is_ready)
{
    struct session s = ready_at(0);

    CHECK_EQ(s.state, SESSION_READY);
    CHECK_EQ(session_on_step_done(&s, 1, at(1)), SESSION_DO_NOTHING);
}

TEST(an_answer_of_another_step_does_not_move_it)
{
    struct session s;

    session_init(&s, &cfg);
    (void)session_start(&s, at(0));
    (void)session_on_up(&s, at(0));
    CHECK_EQ(session_on_step_done(&s, 1, at(0)), SESSION_DO_NOTHING);
    CHECK_EQ(s.step, 0);
}

TEST(a_session_without_steps_is_ready_when_connected)
{
    struct session_config c = cfg;
    struct session s;

    c.step_count = 0;
    session_init(&s, &c);
    (void)session_start(&s, at(0));
    CHECK_EQ(session_on_up(&s, at(5)), SESSION_DO_READY);
}

TEST(a_step_without_an_answer_closes_the_connection_at_its_deadline_and_not_before)
{
    struct session s;

    session_init(&s, &cfg);
    (void)session_start(&s, at(0));
    (void)session_on_up(&s, at(0));
    CHECK_EQ(session_on_timer(&s, at(cfg.step_max_ns - 1)), SESSION_DO_NOTHING);
    CHECK_EQ(session_on_timer(&s, at(cfg.step_max_ns)), SESSION_DO_CLOSE);
    CHECK_EQ(session_on_timer(&s, at(cfg.step_max_ns + 1)), SESSION_DO_NOTHING);
}

TEST(silence_closes_a_ready_session_and_a_byte_puts_that_off)
{
    struct session s = ready_at(0);

    CHECK_EQ(session_on_timer(&s, at(cfg.silence_max_ns - 1)), SESSION_DO_NOTHING);
    session_on_bytes(&s, at(NS_PER_S));
    CHECK_EQ(session_on_timer(&s, at(cfg.silence_max_ns)), SESSION_DO_NOTHING);
    CHECK_EQ(s.deadline.ns, cfg.silence_max_ns + NS_PER_S);
    CHECK_EQ(session_on_timer(&s, at(cfg.silence_max_ns + NS_PER_S)), SESSION_DO_CLOSE);
}

TEST(a_doubted_session_is_closed_when_no_byte_comes_in_time_and_a_byte_ends_the_doubt)
{
    struct session s = ready_at(0);

    session_on_bytes(&s, at(NS_PER_S));
    CHECK(!session_doubt(&s, at(NS_PER_S - 1).mono, at(5 * NS_PER_S))); /* something was read since it left */
    CHECK(session_doubt(&s, at(NS_PER_S).mono, at(5 * NS_PER_S)));
    CHECK(!session_doubt(&s, at(2 * NS_PER_S).mono, at(6 * NS_PER_S))); /* it is in doubt already, since then */
    CHECK_EQ(s.deadline.ns, 5 * NS_PER_S + cfg.answer_max_ns);
    CHECK_EQ(session_on_timer(&s, at(5 * NS_PER_S + cfg.answer_max_ns - 1)), SESSION_DO_NOTHING);
    CHECK(session_on_bytes(&s, at(5 * NS_PER_S + cfg.answer_max_ns - 1)));
    CHECK(!session_on_bytes(&s, at(5 * NS_PER_S + cfg.answer_max_ns - 1)));
    CHECK_EQ(session_on_timer(&s, at(5 * NS_PER_S + cfg.answer_max_ns)), SESSION_DO_NOTHING);
    CHECK_EQ(s.deadline.ns, 5 * NS_PER_S + cfg.answer_max_ns - 1 + cfg.silence_max_ns);
    CHECK(session_doubt(&s, at(9 * NS_PER_S).mono, at(10 * NS_PER_S)));
    CHECK_EQ(session_on_timer(&s, at(10 * NS_PER_S + cfg.answer_max_ns)), SESSION_DO_CLOSE);
    CHECK(!session_doubt(&s, at(20 * NS_PER_S).mono, at(20 * NS_PER_S))); /* it is being closed */
    s = ready_at(0);
    s.cfg.answer_max_ns = 0;
    CHECK(!session_doubt(&s, at(NS_PER_S).mono, at(NS_PER_S)));
}

TEST(back_off_doubles_to_its_cap_and_every_wait_is_in_the_upper_half)
{
    static const int64_t full_ms[] = { 100, 200, 400, 800, 1500, 1500, 1500 };
    static const uint64_t draws[] = { 0, UINT64_MAX, 750 * NS_PER_MS }; /* the last: all of the cap */

    for (size_t d = 0; d < ARRAY_LEN(draws); d++) {
        struct session s;
        int64_t t = 0;
        session_init(&s, &cfg);
        (void)session_start(&s, at(t));
        for (size_t i = 0; i < ARRAY_LEN(full_ms); i++) {
            (void)session_on_down(&s, at(t), draws[d]);
            int64_t wait = s.deadline.ns - t;
            CHECK(wait >= full_ms[i] * NS_PER_MS / 2 && wait <= full_ms[i] * NS_PER_MS);
            CHECK_EQ(session_on_timer(&s, at(s.deadline.ns - 1)), SESSION_DO_NOTHING);
            t = s.deadline.ns;
            CHECK_EQ(session_on_timer(&s, at(t)), SESSION_DO_OPEN);
        }
    }
}

TEST(back_off_is_forgiven_after_a_stable_while_and_not_before)
{
    struct session s = ready_at(0);

    s.attempt = 4;
    (void)session_on_down(&s, at(cfg.stable_ns - 1), 0);
    CHECK_EQ(s.attempt, 5);
    s = ready_at(0);
    s.attempt = 4;
    session_on_bytes(&s, at(cfg.stable_ns));
    (void)session_on_down(&s, at(cfg.stable_ns), 0);
    CHECK_EQ(s.attempt, 1);
}

TEST(a_connection_that_may_not_be_opened_yet_is_opened_when_it_may)
{
    struct session s;

    session_init(&s, &cfg);
    CHECK_EQ(session_start(&s, at(0)), SESSION_DO_OPEN);
    session_defer(&s, at(7 * NS_PER_S).mono);
    CHECK_EQ(s.state, SESSION_WAITING);
    CHECK_EQ(session_on_timer(&s, at(7 * NS_PER_S - 1)), SESSION_DO_NOTHING);
    CHECK_EQ(session_on_timer(&s, at(7 * NS_PER_S)), SESSION_DO_OPEN);
    CHECK_EQ(s.attempt, 0); /* it is no failure */
}

TEST(a_stopped_session_wants_no_connection_and_refuses_one_that_comes_late)
{
    struct session s = ready_at(0);

    session_stop(&s);
    CHECK_EQ(session_on_down(&s, at(1), 0), SESSION_DO_NOTHING);
    CHECK_EQ(session_on_timer(&s, at(INT64_MAX - 1)), SESSION_DO_NOTHING);
    CHECK_EQ(session_on_up(&s, at(2)), SESSION_DO_CLOSE);
}

TEST_MAIN()
