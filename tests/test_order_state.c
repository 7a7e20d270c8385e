/* Every (order state, request state, event): the table against rules written a second time and differently. */
#include "engine/oms/order_state.h"
#include "tests/test.h"

#define CELL(s, q, e) order_step((enum order_state)(s), (enum request_state)(q), (enum order_event_kind)(e))

static bool
lives(int s)
{
    return s == ORDER_SENT || s == ORDER_NEW || s == ORDER_PARTIALLY_FILLED;
}

static bool
of_new(int q)
{
    return q == REQUEST_NEW_IN_FLIGHT || q == REQUEST_NEW_UNKNOWN;
}

static bool
of_cancel(int q)
{
    return q == REQUEST_CANCEL_IN_FLIGHT || q == REQUEST_CANCEL_UNKNOWN;
}

static bool
of_replace(int q)
{
    return q == REQUEST_REPLACE_IN_FLIGHT || q == REQUEST_REPLACE_UNKNOWN;
}

/* The pairs that an order can be in: SENT has a request, NEW_* goes with it alone, the end has none. */
static bool
pair(int s, int q)
{
    if (s == ORDER_FREE)
        return false;
    if (!lives(s))
        return q == REQUEST_NONE;
    return s == ORDER_SENT ? q != REQUEST_NONE : !of_new(q);
}

static bool
never_there(int s)
{
    return s == ORDER_REJECTED || s == ORDER_DENIED || s == ORDER_NOT_PLACED;
}

#define EACH_TRIPLE                                   \
    for (int s = 0; s < ORDER_STATE_COUNT; s++)       \
        for (int q = 0; q < REQUEST_STATE_COUNT; q++) \
            for (int e = 0; e < ORDER_EV_COUNT; e++)

TEST(every_triple_has_a_rule_exactly_when_an_order_can_be_in_its_pair)
{
    unsigned cells = 0;
    EACH_TRIPLE
    {
        struct order_step c = CELL(s, q, e);
        CHECK_EQ(c.rule != RULE_NONE, pair(s, q));
        if (pair(s, q)) {
            cells++;
            continue;
        }
        CHECK_EQ(c.outcome, ORDER_INVALID);
        CHECK_EQ(c.state, s);
        CHECK_EQ(c.request, q);
    }
    CHECK_EQ(cells, (16 + 6) * ORDER_EV_COUNT); /* 16 live pairs, 6 ends */
}

TEST(every_step_leads_to_a_pair_that_an_order_can_be_in)
{
    EACH_TRIPLE
    {
        struct order_step c = CELL(s, q, e);
        if (pair(s, q))
            CHECK(pair(c.state, c.request));
    }
}

TEST(only_an_applied_event_changes_a_state_or_a_request)
{
    EACH_TRIPLE
    {
        struct order_step c = CELL(s, q, e);
        if (c.outcome == ORDER_APPLIED)
            continue;
        CHECK_EQ(c.state, s);
        CHECK_EQ(c.request, q);
    }
}

TEST(terminal_never_reopens_and_fills_of_it_are_late)
{
    for (int s = ORDER_FILLED; s < ORDER_STATE_COUNT; s++)
        for (int e = 0; e < ORDER_EV_COUNT; e++) {
            struct order_step c = CELL(s, REQUEST_NONE, e);
            CHECK_EQ(c.state, s);
            CHECK_EQ(c.request, REQUEST_NONE);
            CHECK(c.outcome != ORDER_APPLIED && c.outcome != ORDER_INVALID);
            CHECK_EQ(c.outcome == ORDER_LATE, e == ORDER_EV_FILL || e == ORDER_EV_FILL_ALL);
        }
}

TEST(live_orders_never_go_back_and_end_exactly_by_the_events_that_end)
{
    static const int end_of[ORDER_EV_COUNT] = {
        [ORDER_EV_FILL_ALL] = ORDER_FILLED,       [ORDER_EV_CANCELED] = ORDER_CANCELED,
        [ORDER_EV_EXPIRED] = ORDER_EXPIRED,       [ORDER_EV_REJECTED] = ORDER_REJECTED,
        [ORDER_EV_NOT_PLACED] = ORDER_NOT_PLACED,
    };
    EACH_TRIPLE
    {
        if (!pair(s, q) || !lives(s))
            continue;
        struct order_step c = CELL(s, q, e);
        bool denies_birth = e == ORDER_EV_REJECTED || e == ORDER_EV_NOT_PLACED;
        if (denies_birth && s != ORDER_SENT) {
            CHECK_EQ(c.outcome, ORDER_CONFLICT); /* the venue had it */
            continue;
        }
        if (end_of[e] != 0)
            CHECK_EQ(c.state, end_of[e]);
        else
            CHECK(lives(c.state) && c.state >= s);
        CHECK(c.outcome != ORDER_LATE && c.outcome != ORDER_HELD);
    }
}

TEST(an_unconfirmed_order_is_confirmed_exactly_by_signs_of_life)
{
    EACH_TRIPLE
    {
        if (s != ORDER_SENT || !pair(s, q))
            continue;
        struct order_step c = CELL(s, q, e);
        bool sign = e == ORDER_EV_ACK || e == ORDER_EV_STATUS || e == ORDER_EV_STATUS_PROVEN || e == ORDER_EV_AMENDED ||
                    e == ORDER_EV_AMENDED_BY_OTHER;
        CHECK_EQ(c.state == ORDER_NEW, sign);
        CHECK_EQ(c.state == ORDER_PARTIALLY_FILLED, e == ORDER_EV_FILL);
        if (c.state == ORDER_SENT) /* whatever else was refused: whether it was placed stays open */
            CHECK(c.request != REQUEST_NONE);
    }
}

TEST(an_unknown_request_ends_only_by_evidence_about_it_or_a_newer_request)
{
    EACH_TRIPLE
    {
        if (!pair(s, q) || !request_state_unknown((enum request_state)q))
            continue;
        struct order_step c = CELL(s, q, e);
        if (order_state_terminal((enum order_state)c.state))
            continue;
        bool sign = e == ORDER_EV_ACK || e == ORDER_EV_FILL || e == ORDER_EV_STATUS || e == ORDER_EV_AMENDED ||
                    e == ORDER_EV_AMENDED_BY_OTHER;
        bool settled = e == ORDER_EV_STATUS_PROVEN || (of_new(q) && sign) ||
                       (!of_new(q) && e == ORDER_EV_CANCEL_REJECTED) ||
                       (of_replace(q) && (e == ORDER_EV_AMENDED || e == ORDER_EV_AMEND_REJECTED));
        if (e == ORDER_EV_CANCEL_SENT)
            CHECK_EQ(c.request, REQUEST_CANCEL_IN_FLIGHT);
        else if (e == ORDER_EV_REPLACE_SENT)
            CHECK_EQ(c.request, REQUEST_REPLACE_IN_FLIGHT);
        else if (settled)
            CHECK_EQ(c.request, c.state == ORDER_SENT ? REQUEST_NEW_UNKNOWN : REQUEST_NONE);
        else
            CHECK_EQ(c.request, q);
    }
}

TEST(in_flight_becomes_unknown_of_its_own_kind_and_by_nothing_else)
{
    EACH_TRIPLE
    {
        if (!pair(s, q) || !lives(s) || request_state_unknown((enum request_state)q))
            continue;
        struct order_step c = CELL(s, q, e);
        if (e == ORDER_EV_UNKNOWN) {
            CHECK_EQ(request_state_unknown((enum request_state)c.request), q != REQUEST_NONE);
            CHECK(of_new(q) == of_new(c.request) && of_cancel(q) == of_cancel(c.request) &&
                  of_replace(q) == of_replace(c.request));
            CHECK_EQ(c.state, s);
        } else if (request_state_unknown((enum request_state)c.request)) {
            CHECK_EQ(c.request, REQUEST_NEW_UNKNOWN); /* a refused cancel of an order that was never confirmed */
            CHECK(s == ORDER_SENT && (e == ORDER_EV_CANCEL_REJECTED || e == ORDER_EV_AMEND_REJECTED));
        }
    }
}

TEST(proof_of_life_of_what_was_proven_never_placed_is_a_conflict)
{
    static const int life[] = { ORDER_EV_ACK,           ORDER_EV_CANCELED, ORDER_EV_EXPIRED,         ORDER_EV_STATUS,
                                ORDER_EV_STATUS_PROVEN, ORDER_EV_AMENDED,  ORDER_EV_AMENDED_BY_OTHER };
    for (int s = ORDER_FILLED; s < ORDER_STATE_COUNT; s++)
        for (unsigned k = 0; never_there(s) && k < ARRAY_LEN(life); k++)
            CHECK_EQ(CELL(s, REQUEST_NONE, life[k]).outcome, ORDER_CONFLICT);
}

TEST(races_have_the_rule_that_names_them)
{
    static const struct {
        int s, q, e, rule;
    } race[] = {
        { ORDER_SENT, REQUEST_NEW_IN_FLIGHT, ORDER_EV_FILL, RULE_FILL_BEATS_ACK },
        { ORDER_SENT, REQUEST_NEW_IN_FLIGHT, ORDER_EV_CANCELED, RULE_CANCEL_BEATS_ACK },
        { ORDER_PARTIALLY_FILLED, REQUEST_NONE, ORDER_EV_ACK, RULE_FILL_BEAT_ACK },
        { ORDER_NEW, REQUEST_NONE, ORDER_EV_ACK, RULE_ACK_TWICE },
        { ORDER_NEW, REQUEST_CANCEL_IN_FLIGHT, ORDER_EV_FILL, RULE_FILL_BEATS_CANCEL },
        { ORDER_NEW, REQUEST_CANCEL_IN_FLIGHT, ORDER_EV_FILL_ALL, RULE_FILL_BEATS_CANCEL },
        { ORDER_CANCELED, REQUEST_NONE, ORDER_EV_FILL, RULE_FILL_LATE },
        { ORDER_CANCELED, REQUEST_NONE, ORDER_EV_CANCELED, RULE_END_TWICE },
        { ORDER_FILLED, REQUEST_NONE, ORDER_EV_CANCEL_REJECTED, RULE_TOO_LATE },
        { ORDER_NEW, REQUEST_NONE, ORDER_EV_CANCEL_REJECTED, RULE_REFUSAL_OF_ANOTHER },
        { ORDER_FILLED, REQUEST_NONE, ORDER_EV_AMENDED, RULE_AMEND_AFTER_END },
        { ORDER_NEW, REQUEST_REPLACE_IN_FLIGHT, ORDER_EV_CANCELED, RULE_REPLACED },
        { ORDER_NEW, REQUEST_REPLACE_IN_FLIGHT, ORDER_EV_FILL, RULE_FILL_BEATS_REPLACE },
        { ORDER_NEW, REQUEST_CANCEL_IN_FLIGHT, ORDER_EV_AMENDED, RULE_AMEND_BEATS_CANCEL },
        { ORDER_NOT_PLACED, REQUEST_NONE, ORDER_EV_FILL, RULE_FILL_OF_NEVER },
        { ORDER_CANCELED, REQUEST_NONE, ORDER_EV_STATUS_PROVEN, RULE_WORKS_AFTER_END },
    };
    for (unsigned i = 0; i < ARRAY_LEN(race); i++)
        CHECK_EQ(CELL(race[i].s, race[i].q, race[i].e).rule, race[i].rule);
}

TEST(every_rule_is_used_and_has_a_sentence)
{
    bool used[ORDER_RULE_COUNT] = { [RULE_NONE] = true };
    EACH_TRIPLE
    used[CELL(s, q, e).rule] = true;
    for (int e = 0; e < ORDER_EV_COUNT; e++)
        used[order_step_held((enum order_event_kind)e).rule] = true;
    for (int r = 0; r < ORDER_RULE_COUNT; r++) {
        if (!used[r])
            fail_msg("rule %d (%s) stands in no cell", r, order_rule_text((enum order_rule)r));
        CHECK(strlen(order_rule_text((enum order_rule)r)) > 3);
    }
    CHECK_STR(order_rule_text(ORDER_RULE_COUNT), "?");
}

TEST(a_held_order_takes_nothing_but_its_trades)
{
    for (int e = 0; e < ORDER_EV_COUNT; e++) {
        struct order_step c = order_step_held((enum order_event_kind)e);
        bool fill = e == ORDER_EV_FILL || e == ORDER_EV_FILL_ALL;
        bool denies = e == ORDER_EV_REJECTED || e == ORDER_EV_NOT_PLACED;
        CHECK_EQ(c.outcome, fill ? ORDER_APPLIED : denies ? ORDER_CONFLICT : ORDER_DUPLICATE);
        CHECK(c.rule != RULE_NONE);
    }
}

TEST_MAIN()
