/* Rate budgets: limits at the limit and one past, windows of the venue's clock, the reserve, what is told. */
#include "engine/budget.h"
#include "tests/test.h"

#define S NS_PER_S
#define T (INT64_C(1700000000) * S) /* at the start of a window of 10 s */

static const struct venue_cost order = { .orders = 1, .weight = 1, .decay = 1 };
static const struct venue_cost cancel = { .weight = 1, .decay = 8 };
static const struct venue_cost query = { .weight = 4 };

static bool
send(struct budget *b, const struct venue_cost *c, bool is_cancel, int64_t at)
{
    if (!budget_ready(b, c, is_cancel, at))
        return false;
    budget_spend(b, c, at);
    return true;
}

TEST(what_was_never_told_is_never_in_the_way)
{
    struct budget b;
    budget_init(&b, 20);
    for (int i = 0; i < 100000; i++)
        CHECK(send(&b, &order, false, T + i));
}

TEST(orders_stop_at_the_limit_and_go_on_in_the_venues_next_window)
{
    struct budget b;
    budget_init(&b, 20);
    budget_told(&b, VENUE_BUDGET_ORDERS, 50, -1, 10 * S, T);
    for (int i = 0; i < 50; i++)
        CHECK(send(&b, &order, false, T + S));
    CHECK(!send(&b, &order, false, T + S));
    CHECK(send(&b, &cancel, true, T + S));       /* costs no order */
    CHECK(!send(&b, &order, false, T + 10 * S)); /* its clock may be a little behind our idea of it */
    CHECK(send(&b, &order, false, T + 10 * S + BUDGET_LATE_NS));
    CHECK_EQ(budget_used(&b, VENUE_BUDGET_ORDERS, T + 11 * S), 1);
}

TEST(a_reserve_of_weight_is_left_for_cancels_alone)
{
    struct budget b;
    budget_init(&b, 20);
    budget_told(&b, VENUE_BUDGET_WEIGHT, 100, 76, 60 * S, T);
    CHECK(send(&b, &query, false, T));
    CHECK_EQ(budget_used(&b, VENUE_BUDGET_WEIGHT, T), 80);
    CHECK(!send(&b, &query, false, T));
    CHECK(!send(&b, &order, false, T));
    for (int i = 0; i < 20; i++)
        CHECK(send(&b, &cancel, true, T));
    CHECK(!send(&b, &cancel, true, T)); /* then not even they */
}

TEST(what_the_venue_counts_counts_when_it_is_more_than_we_do)
{
    struct budget b;
    budget_init(&b, 0);
    budget_told(&b, VENUE_BUDGET_ORDERS, 50, 10, 10 * S, T); /* somebody else trades on the account */
    CHECK_EQ(budget_used(&b, VENUE_BUDGET_ORDERS, T), 10);
    for (int i = 0; i < 5; i++)
        CHECK(send(&b, &order, false, T));
    budget_told(&b, VENUE_BUDGET_ORDERS, 50, 12, 10 * S, T); /* an answer to the second of the five */
    CHECK_EQ(budget_used(&b, VENUE_BUDGET_ORDERS, T), 15);
    budget_give_back(&b, T);
    CHECK_EQ(budget_used(&b, VENUE_BUDGET_ORDERS, T), 14);
    budget_told(&b, VENUE_BUDGET_ORDERS, 50, 50, 10 * S, T);
    CHECK(!send(&b, &order, false, T));
}

TEST(a_counter_that_decays_is_paid_back_evenly)
{
    struct budget b;
    budget_init(&b, 50);
    budget_told(&b, VENUE_BUDGET_DECAY, 60, 60, 60 * S, T);
    CHECK(!send(&b, &cancel, true, T));
    CHECK(!send(&b, &cancel, true, T + 7 * S));
    CHECK(send(&b, &cancel, true, T + 8 * S));
    CHECK_EQ(budget_used(&b, VENUE_BUDGET_DECAY, T + 8 * S), 60);
    CHECK(!send(&b, &order, false, T + 38 * S)); /* 30 of it is kept for cancels */
    CHECK(send(&b, &order, false, T + 39 * S));
    budget_told(&b, VENUE_BUDGET_DECAY, 60, 3, 60 * S, T + 39 * S); /* the venue knows better */
    CHECK_EQ(budget_used(&b, VENUE_BUDGET_DECAY, T + 39 * S), 3);
    CHECK_EQ(budget_used(&b, VENUE_BUDGET_DECAY, T + 500 * S), 0);
}

TEST(a_limit_that_is_none_changes_nothing)
{
    struct budget b;
    budget_init(&b, 0);
    budget_told(&b, VENUE_BUDGET_ORDERS, 50, 7, 10 * S, T);
    budget_told(&b, VENUE_BUDGET_ORDERS, -1, 9, 10 * S, T);
    budget_told(&b, VENUE_BUDGET_ORDERS, INT64_MAX, 9, 10 * S, T);
    budget_told(&b, VENUE_BUDGET_ORDERS, 50, INT64_MAX, 10 * S, T);
    budget_told(&b, VENUE_BUDGET_ORDERS, 50, 9, INT64_MAX, T);
    CHECK_EQ(budget_used(&b, VENUE_BUDGET_ORDERS, T), 7);
}

TEST_MAIN()
