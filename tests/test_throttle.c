/* Token buckets: exact over any interval, never more than the burst. */
#include "risk/throttle.h"
#include "tests/test.h"

static mono_ns_t
at(int64_t ns)
{
    return (mono_ns_t){ ns };
}

TEST(throttle_starts_full_and_gives_exactly_its_burst)
{
    struct throttle t;
    throttle_init(&t, (struct rate_limit){ .per_s = 10, .burst = 3 }, at(1000));
    for (int i = 0; i < 3; i++)
        CHECK(throttle_take(&t, at(1000)));
    CHECK(!throttle_take(&t, at(1000)));
    for (int i = 0; i < 3; i++) /* however long it waits */
        CHECK(throttle_take(&t, at(1000 * NS_PER_S)));
    CHECK(!throttle_take(&t, at(1000 * NS_PER_S)));
}

TEST(throttle_gives_the_next_token_at_its_nanosecond_and_not_one_before)
{
    struct throttle t;
    throttle_init(&t, (struct rate_limit){ .per_s = 3, .burst = 2 }, at(0));
    CHECK(throttle_take(&t, at(0)) && throttle_take(&t, at(0)));
    CHECK(!throttle_take(&t, at(333333333)));
    CHECK(throttle_take(&t, at(333333334)));  /* ceil(10^9 / 3) */
    CHECK(!throttle_take(&t, at(666666666))); /* 2 billionths of a token were kept, not rounded away */
    CHECK(throttle_take(&t, at(666666667)));
}

TEST(throttle_loses_nothing_over_a_thousand_thousand_steps)
{
    struct throttle t;
    unsigned taken = 0;
    throttle_init(&t, (struct rate_limit){ .per_s = 7, .burst = 2 }, at(0));
    CHECK(throttle_take(&t, at(0)) && throttle_take(&t, at(0)));
    for (int64_t ns = 1000; ns <= NS_PER_S; ns += 1000) /* one second in steps that are no divisor of 1/7 s */
        taken += throttle_take(&t, at(ns));
    CHECK_EQ(taken, 7);
}

TEST(throttle_saturates_over_any_interval)
{
    struct throttle t;
    throttle_init(&t, (struct rate_limit){ .per_s = RATE_PER_S_MAX, .burst = RATE_BURST_MAX }, at(-INT64_MAX / 2));
    while (throttle_take(&t, at(-INT64_MAX / 2)))
        ;
    CHECK(throttle_ready(&t, at(INT64_MAX / 2)));
    CHECK_EQ(throttle_tokens(&t), RATE_BURST_MAX);
}

TEST(throttle_ignores_a_clock_that_steps_back)
{
    struct throttle t;
    throttle_init(&t, (struct rate_limit){ .per_s = 1, .burst = 1 }, at(10 * NS_PER_S));
    CHECK(throttle_take(&t, at(10 * NS_PER_S)));
    CHECK(!throttle_take(&t, at(0)));
    CHECK_EQ(t.level, 0);
    CHECK(!throttle_take(&t, at(11 * NS_PER_S - 1)));
    CHECK(throttle_take(&t, at(11 * NS_PER_S)));
}

TEST(throttle_of_rate_zero_never_yields)
{
    struct throttle t = { 0 };
    CHECK(!throttle_take(&t, at(INT64_MAX)));
}

TEST(throttle_tightening_is_instant_and_loosening_grants_nothing)
{
    struct throttle t;
    throttle_init(&t, (struct rate_limit){ .per_s = 10, .burst = 10 }, at(0));
    throttle_set(&t, (struct rate_limit){ .per_s = 10, .burst = 2 }, at(0));
    CHECK_EQ(throttle_tokens(&t), 2);
    throttle_set(&t, (struct rate_limit){ .per_s = 10, .burst = 100 }, at(0));
    CHECK_EQ(throttle_tokens(&t), 2);
}

TEST_MAIN()
