/* All pairs of state and event, against rules written a second time and differently from the tables. */
#include "engine/oms/order_state.h"
#include "tests/test.h"

static bool
ends(enum order_event_kind e)
{
    return e == ORDER_EV_CANCELED || e == ORDER_EV_EXPIRED || e == ORDER_EV_REJECTED || e == ORDER_EV_NOT_PLACED ||
           e == ORDER_EV_FILL_ALL;
}

static bool
lives(enum order_state s)
{
    return s == ORDER_SENT || s == ORDER_NEW || s == ORDER_PARTIALLY_FILLED;
}

static bool
was_at_the_venue(enum order_state s)
{
    return s != ORDER_SENT && s != ORDER_REJECTED && s != ORDER_DENIED && s != ORDER_NOT_PLACED;
}

TEST(order_state_terminal_never_changes_and_fills_of_it_are_late)
{
    for (int s = ORDER_FILLED; s < ORDER_STATE_COUNT; s++)
        for (int e = 0; e < ORDER_EV_COUNT; e++) {
            struct order_step step = order_state_step((enum order_state)s, (enum order_event_kind)e);
            CHECK_EQ(step.state, s);
            CHECK(step.outcome != ORDER_APPLIED);
            CHECK_EQ(step.outcome == ORDER_LATE, e == ORDER_EV_FILL || e == ORDER_EV_FILL_ALL);
        }
}

TEST(order_state_free_takes_no_event)
{
    for (int e = 0; e < ORDER_EV_COUNT; e++)
        CHECK_EQ(order_state_step(ORDER_FREE, (enum order_event_kind)e).outcome, ORDER_INVALID);
}

TEST(order_state_live_orders_end_exactly_by_the_events_that_end)
{
    for (int s = 0; s < ORDER_STATE_COUNT; s++) {
        if (!lives((enum order_state)s))
            continue;
        for (int e = 0; e < ORDER_EV_COUNT; e++) {
            struct order_step step = order_state_step((enum order_state)s, (enum order_event_kind)e);
            bool refuses_birth = e == ORDER_EV_REJECTED || e == ORDER_EV_NOT_PLACED;
            if (refuses_birth && was_at_the_venue((enum order_state)s)) {
                CHECK_EQ(step.outcome, ORDER_CONFLICT);
                CHECK_EQ(step.state, s);
                continue;
            }
            CHECK_EQ(order_state_terminal((enum order_state)step.state), ends((enum order_event_kind)e));
            CHECK(step.state >= s); /* never backwards: sent, new, partially filled */
        }
    }
}

TEST(order_state_proof_of_life_after_never_placed_is_a_conflict)
{
    static const enum order_state never[] = { ORDER_REJECTED, ORDER_DENIED, ORDER_NOT_PLACED };
    static const enum order_event_kind life[] = { ORDER_EV_ACK, ORDER_EV_CANCELED, ORDER_EV_EXPIRED, ORDER_EV_STATUS,
                                                  ORDER_EV_STATUS_PROVEN };
    for (unsigned i = 0; i < ARRAY_LEN(never); i++)
        for (unsigned k = 0; k < ARRAY_LEN(life); k++)
            CHECK_EQ(order_state_step(never[i], life[k]).outcome, ORDER_CONFLICT);
}

TEST(request_state_of_a_terminal_order_is_none)
{
    for (int q = 0; q < REQUEST_STATE_COUNT; q++)
        for (int e = 0; e < ORDER_EV_COUNT; e++)
            for (int s = ORDER_FILLED; s < ORDER_STATE_COUNT; s++)
                CHECK_EQ(request_state_step((enum request_state)q, (enum order_event_kind)e, (enum order_state)s),
                         REQUEST_NONE);
}

TEST(request_state_unknown_ends_only_by_evidence_or_a_new_request)
{
    for (int q = 0; q < REQUEST_STATE_COUNT; q++) {
        if (!request_state_unknown((enum request_state)q))
            continue;
        for (int e = 0; e < ORDER_EV_COUNT; e++) {
            if (ends((enum order_event_kind)e))
                continue;
            enum request_state next =
                request_state_step((enum request_state)q, (enum order_event_kind)e, ORDER_PARTIALLY_FILLED);
            bool of_the_new =
                q == REQUEST_NEW_UNKNOWN && (e == ORDER_EV_ACK || e == ORDER_EV_FILL || e == ORDER_EV_STATUS);
            bool of_the_cancel = q != REQUEST_NEW_UNKNOWN && e == ORDER_EV_CANCEL_REJECTED;
            if (of_the_new || of_the_cancel || e == ORDER_EV_STATUS_PROVEN)
                CHECK_EQ(next, REQUEST_NONE);
            else if (e == ORDER_EV_CANCEL_SENT)
                CHECK_EQ(next, REQUEST_CANCEL_IN_FLIGHT);
            else if (e == ORDER_EV_REPLACE_SENT)
                CHECK_EQ(next, REQUEST_REPLACE_IN_FLIGHT);
            else
                CHECK_EQ(next, q);
        }
    }
}

TEST(request_state_in_flight_becomes_unknown_of_its_own_kind)
{
    CHECK_EQ(request_state_step(REQUEST_NEW_IN_FLIGHT, ORDER_EV_UNKNOWN, ORDER_SENT), REQUEST_NEW_UNKNOWN);
    CHECK_EQ(request_state_step(REQUEST_CANCEL_IN_FLIGHT, ORDER_EV_UNKNOWN, ORDER_NEW), REQUEST_CANCEL_UNKNOWN);
    CHECK_EQ(request_state_step(REQUEST_REPLACE_IN_FLIGHT, ORDER_EV_UNKNOWN, ORDER_NEW), REQUEST_REPLACE_UNKNOWN);
    CHECK_EQ(request_state_step(REQUEST_NONE, ORDER_EV_UNKNOWN, ORDER_NEW), REQUEST_NONE);
}

TEST(request_state_refused_cancel_of_an_unconfirmed_order_leaves_the_order_unknown)
{
    CHECK_EQ(request_state_step(REQUEST_CANCEL_IN_FLIGHT, ORDER_EV_CANCEL_REJECTED, ORDER_SENT), REQUEST_NEW_UNKNOWN);
    CHECK_EQ(request_state_step(REQUEST_CANCEL_UNKNOWN, ORDER_EV_CANCEL_REJECTED, ORDER_SENT), REQUEST_NEW_UNKNOWN);
    CHECK_EQ(request_state_step(REQUEST_CANCEL_IN_FLIGHT, ORDER_EV_CANCEL_REJECTED, ORDER_NEW), REQUEST_NONE);
}

TEST(order_shown_state_puts_unknown_before_everything_but_the_end)
{
    CHECK_STR(order_shown_state(ORDER_SENT, REQUEST_NEW_IN_FLIGHT, false), "PENDING_NEW");
    CHECK_STR(order_shown_state(ORDER_NEW, REQUEST_CANCEL_IN_FLIGHT, false), "PENDING_CANCEL");
    CHECK_STR(order_shown_state(ORDER_NEW, REQUEST_REPLACE_IN_FLIGHT, false), "PENDING_REPLACE");
    CHECK_STR(order_shown_state(ORDER_NEW, REQUEST_CANCEL_UNKNOWN, false), "UNKNOWN");
    CHECK_STR(order_shown_state(ORDER_SENT, REQUEST_CANCEL_IN_FLIGHT, true), "UNKNOWN");
    CHECK_STR(order_shown_state(ORDER_FILLED, REQUEST_CANCEL_UNKNOWN, true), "FILLED");
}

TEST_MAIN()
