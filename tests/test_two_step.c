/* two_step: tokens that are given, taken once, expire, and cannot be guessed by trying. */
#include "engine/two_step.h"
#include "tests/test.h"

static struct now
at(int64_t ns)
{
    return (struct now){ { ns }, { ns } };
}

static struct command
asked(uint64_t what)
{
    return (struct command){ .verb = COMMAND_RESUME, .target_key = what };
}

TEST(a_token_confirms_what_was_asked_once)
{
    struct two_step t = { 0 };
    struct command c = asked(7);
    struct command got;
    char token[TWO_STEP_TOKEN_BYTES];

    two_step_ask(&t, 1, &c, 12345, at(0), token);
    CHECK_EQ(strlen(token), 8);
    CHECK(two_step_confirm(&t, token, at(1), &got));
    CHECK_EQ(got.target_key, 7);
    CHECK(!two_step_confirm(&t, token, at(2), &got));
}

TEST(the_last_nanosecond_of_thirty_seconds_is_in_time_and_the_next_is_not)
{
    struct two_step t = { 0 };
    struct command c = asked(7);
    struct command got;
    char token[TWO_STEP_TOKEN_BYTES];

    two_step_ask(&t, 1, &c, 1, at(5), token);
    CHECK(two_step_confirm(&t, token, at(5 + TWO_STEP_NS - 1), &got));
    two_step_ask(&t, 1, &c, 2, at(5), token);
    CHECK(!two_step_confirm(&t, token, at(5 + TWO_STEP_NS), &got));
}

TEST(a_session_that_asks_again_gives_up_what_it_asked_before)
{
    struct two_step t = { 0 };
    struct command first = asked(1);
    struct command second = asked(2);
    struct command got;
    char old[TWO_STEP_TOKEN_BYTES];
    char token[TWO_STEP_TOKEN_BYTES];

    two_step_ask(&t, 1, &first, 1, at(0), old);
    two_step_ask(&t, 1, &second, 2, at(0), token);
    CHECK(!two_step_confirm(&t, old, at(1), &got));
    CHECK(two_step_confirm(&t, token, at(1), &got));
    CHECK_EQ(got.target_key, 2);
}

TEST(what_was_asked_before_something_became_stricter_is_not_confirmed_and_the_rest_is)
{
    struct two_step t = { 0 };
    struct command resume = asked(1);
    struct command limits = { .verb = COMMAND_LIMITS_SET };
    struct command got;
    char old[TWO_STEP_TOKEN_BYTES];
    char token[TWO_STEP_TOKEN_BYTES];

    two_step_ask(&t, 1, &resume, 1, at(0), old);
    two_step_ask(&t, 2, &limits, 2, at(0), token);
    two_step_void(&t, UINT64_C(1) << COMMAND_RESUME | UINT64_C(1) << COMMAND_STATE);
    CHECK(!two_step_confirm(&t, old, at(1), &got));
    CHECK(two_step_confirm(&t, token, at(1), &got));
    CHECK_EQ(got.verb, COMMAND_LIMITS_SET);
}

TEST(what_a_session_asked_outlives_it_and_the_next_tenant_of_its_slot_does_not_end_it)
{
    struct two_step t = { 0 };
    struct command c = asked(1);
    struct command other = asked(2);
    struct command got;
    char token[TWO_STEP_TOKEN_BYTES];
    char unused[TWO_STEP_TOKEN_BYTES];

    two_step_ask(&t, 4, &c, 1, at(0), token);
    two_step_end(&t, 4);
    two_step_ask(&t, 4, &other, 2, at(0), unused);
    CHECK(two_step_confirm(&t, token, at(1), &got));
    CHECK_EQ(got.target_key, 1);
}

TEST(the_third_wrong_token_ends_everything_that_waits)
{
    struct two_step t = { 0 };
    struct command c = asked(1);
    struct command got;
    char token[TWO_STEP_TOKEN_BYTES];

    two_step_ask(&t, 1, &c, 1, at(0), token);
    CHECK(!two_step_confirm(&t, "", at(1), &got));
    CHECK(!two_step_confirm(&t, "AAAAAAAA", at(1), &got));
    CHECK(two_step_confirm(&t, token, at(1), &got)); /* and the count starts again */
    two_step_ask(&t, 1, &c, 2, at(0), token);
    for (unsigned i = 0; i < TWO_STEP_WRONG_MAX; i++)
        CHECK(!two_step_confirm(&t, "AAAAAAAA", at(1), &got));
    CHECK(!two_step_confirm(&t, token, at(1), &got));
}

TEST(the_oldest_operation_gives_way_when_all_places_are_taken)
{
    struct two_step t = { 0 };
    struct command c = asked(1);
    struct command got;
    char token[TWO_STEP_MAX + 1][TWO_STEP_TOKEN_BYTES];

    for (uint32_t i = 0; i <= TWO_STEP_MAX; i++)
        two_step_ask(&t, i, &c, i + 1, at(i), token[i]);
    CHECK(!two_step_confirm(&t, token[0], at(100), &got));
    for (uint32_t i = 1; i <= TWO_STEP_MAX; i++)
        CHECK(two_step_confirm(&t, token[i], at(100), &got));
}

TEST_MAIN()
