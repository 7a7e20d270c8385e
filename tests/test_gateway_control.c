/* What an operator does to the gateway, on the rig of test_gateway. */
#include "tests/gateway_rig.h"

static struct rig rig;

static struct command
state_command(enum trading_level level, uint64_t id, enum trading_state state)
{
    return (
        struct command){ .verb = COMMAND_STATE, .level = (uint8_t)level, .target_key = id, .state = (uint8_t)state };
}

TEST(a_stricter_state_holds_at_once_at_every_level_and_a_looser_one_after_its_second_step)
{
    static const struct {
        enum trading_level level;
        uint64_t id;
        uint64_t past;
    } at[] = {
        { LEVEL_GLOBAL, 0, 0 },     { LEVEL_ACCOUNT, 0, 2 },
        { LEVEL_INSTRUMENT, 0, 1 }, { LEVEL_CLIENT, RIG_CLIENT, CLIENT_MAX },
        { LEVEL_VENUE, 0, 1 },
    };
    rig_ready(&rig);
    for (size_t i = 0; i < ARRAY_LEN(at); i++) {
        rig_command(&rig, RIG_OPERATOR, state_command(at[i].level, at[i].id, TRADING_HALTED));
        CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_DONE).kind, REPORT_DONE);
        (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
        CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_HALTED);
        rig_command(&rig, RIG_OPERATOR, state_command(at[i].level, at[i].id, TRADING_ACTIVE));
        struct report asked = rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM);
        (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
        CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_HALTED);
        rig_confirm(&rig, asked);
        CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_DONE).kind, REPORT_DONE);
        (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
        CHECK(rig_take(&rig, VENUE_RQ_NEW) != NULL);
        if (at[i].past == 0)
            continue;
        rig_command(&rig, RIG_OPERATOR, state_command(at[i].level, at[i].past, TRADING_HALTED));
        CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_DENIED).deny, DENY_NOT_POSSIBLE);
    }
    rig_end(&rig);
}

TEST(a_confirmation_in_the_last_moment_counts_and_one_too_late_does_not)
{
    rig_ready(&rig);
    rig_command(&rig, RIG_OPERATOR, (struct command){ .verb = COMMAND_HALT });
    rig_command(&rig, RIG_OPERATOR, (struct command){ .verb = COMMAND_RESUME });
    struct report asked = rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM);
    CHECK_EQ(asked.qty, 30 * NS_PER_S);
    rig_pass(&rig, asked.qty);
    rig_confirm(&rig, asked);
    CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_DENIED).deny, DENY_NOT_CONFIRMED);
    CHECK(risk_kill(rig.risk)->killed);
    rig_command(&rig, RIG_OPERATOR, (struct command){ .verb = COMMAND_RESUME });
    asked = rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM);
    rig_pass(&rig, asked.qty - 1);
    rig_confirm(&rig, asked);
    CHECK(!risk_kill(rig.risk)->killed);
    rig_end(&rig);
}

/* A resume is asked, something becomes stricter, the resume is confirmed. */
TEST(what_was_asked_before_a_kill_a_latch_or_a_stricter_state_does_not_undo_it)
{
    for (int how = 0; how < 4; how++) {
        rig_ready(&rig);
        rig_command(&rig, RIG_OPERATOR, state_command(LEVEL_GLOBAL, 0, TRADING_REDUCING));
        if (how == 1)
            gateway_halt(rig.g, "the first", rig.now);
        rig_command(&rig, RIG_OPERATOR, (struct command){ .verb = COMMAND_RESUME });
        struct report asked = rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM);
        if (how < 2)
            gateway_halt(rig.g, "another", rig.now);
        if (how == 2)
            rig_command(&rig, RIG_OPERATOR, state_command(LEVEL_CLIENT, RIG_CLIENT, TRADING_HALTED));
        if (how == 3) {
            static struct risk_limits l;
            struct fault fault;
            l = *risk_limits_in_force(rig.risk);
            l.version++;
            l.stall_max_ns = 1;
            CHECK(risk_set_limits(rig.risk, &l, rig.now, &fault));
            risk_note_turn(rig.risk, 2, rig.now);
            rig_work(&rig);
            CHECK(risk_tripped(rig.risk, LEVEL_GLOBAL, 0) != 0);
        }
        rig_confirm(&rig, asked);
        CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_DENIED).deny, DENY_NOT_CONFIRMED);
        CHECK_EQ(risk_kill(rig.risk)->killed, how < 2);
        CHECK_EQ(risk_kill(rig.risk)->global, TRADING_REDUCING);
        rig_end(&rig);
    }
}

TEST(a_looser_state_asked_before_a_stricter_one_is_asked_again_and_a_looser_one_ends_nothing)
{
    rig_ready(&rig);
    rig_command(&rig, RIG_OPERATOR, state_command(LEVEL_CLIENT, RIG_CLIENT, TRADING_REDUCING));
    rig_command(&rig, RIG_OPERATOR, state_command(LEVEL_CLIENT, RIG_CLIENT, TRADING_ACTIVE));
    struct report asked = rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM);
    rig_command(&rig, RIG_OPERATOR, state_command(LEVEL_CLIENT, RIG_CLIENT, TRADING_HALTED));
    rig_confirm(&rig, asked);
    CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_DENIED).deny, DENY_NOT_CONFIRMED);
    CHECK_EQ(kill_level_state(risk_kill(rig.risk), LEVEL_CLIENT, RIG_CLIENT), TRADING_HALTED);
    rig_command(&rig, RIG_OPERATOR, state_command(LEVEL_CLIENT, RIG_CLIENT, TRADING_ACTIVE));
    asked = rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM);
    rig_command(&rig, RIG_OPERATOR, state_command(LEVEL_CLIENT, RIG_CLIENT, TRADING_HALTED)); /* as it is */
    rig_confirm(&rig, asked);
    CHECK_EQ(kill_level_state(risk_kill(rig.risk), LEVEL_CLIENT, RIG_CLIENT), TRADING_ACTIVE);
    rig_end(&rig);
}

TEST(what_latched_is_released_by_its_second_step_alone)
{
    rig_ready(&rig);
    CHECK(risk_restore_trip(rig.risk, LEVEL_CLIENT, RIG_CLIENT, TRIP_REPEAT));
    rig_command(&rig, RIG_OPERATOR, state_command(LEVEL_CLIENT, RIG_CLIENT, TRADING_ACTIVE));
    struct report asked = rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM);
    CHECK(risk_tripped(rig.risk, LEVEL_CLIENT, RIG_CLIENT) != 0);
    rig_confirm(&rig, asked);
    CHECK_EQ(risk_tripped(rig.risk, LEVEL_CLIENT, RIG_CLIENT), 0);
    rig_end(&rig);
}

TEST(a_silent_strategy_that_is_halted_stays_so)
{
    rig_heartbeat_ns = NS_PER_S;
    rig_on_silence = ON_DISCONNECT_REDUCE;
    rig_ready(&rig);
    rig_heartbeat_ns = 0;
    rig_command(&rig, RIG_OPERATOR, state_command(LEVEL_CLIENT, RIG_CLIENT, TRADING_HALTED));
    rig_pass(&rig, 3 * NS_PER_S);
    CHECK(metric_get(rig.metrics, METRIC_CLIENT_SILENT, RIG_CLIENT) > 0);
    CHECK_EQ(kill_level_state(risk_kill(rig.risk), LEVEL_CLIENT, RIG_CLIENT), TRADING_HALTED);
    rig_end(&rig);
}

/* A fill of everything that the newest order asked for. */
static void
filled(enum side side, px_t px, qty_t qty, int64_t trade)
{
    struct rig_request *q = rig_take(&rig, VENUE_RQ_NEW);
    CHECK(q != NULL);
    struct venue_report ack = rig_report(VENUE_NEW_ACK, q->clordid);
    ack.venue_order_id = (uint64_t)trade + 100;
    rig_say(&rig, &ack);
    struct venue_report f = rig_report(VENUE_FILL, q->clordid);
    f.venue_order_id = ack.venue_order_id;
    f.side = (uint8_t)side;
    f.last_px = px;
    f.last_qty = qty;
    f.cum_qty = qty;
    f.trade_id = trade;
    rig_say(&rig, &f);
}

TEST(flatten_cancels_first_then_reduces_within_its_collar_and_never_without_its_second_step)
{
    rig_ready(&rig);
    (void)rig_new(&rig, SIDE_BUY, 100000, 100000);
    filled(SIDE_BUY, 100000, 100000, 1);
    CHECK_EQ(rig_position(&rig)->qty, 100000);
    (void)rig_new(&rig, SIDE_SELL, 100100, 40000);
    char id[CLORDID_BYTES];
    memcpy(id, rig_take(&rig, VENUE_RQ_NEW)->clordid, CLORDID_BYTES);
    struct venue_report ack = rig_report(VENUE_NEW_ACK, id);
    ack.venue_order_id = 5;
    rig_say(&rig, &ack);
    rig_command(&rig, RIG_OPERATOR, (struct command){ .verb = COMMAND_FLATTEN, .instrument = 0 });
    struct report asked = rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM);
    rig_pass(&rig, NS_PER_S);
    CHECK(rig_take(&rig, VENUE_RQ_CANCEL) == NULL);
    rig_confirm(&rig, asked);
    CHECK(rig_take(&rig, VENUE_RQ_CANCEL) != NULL);
    rig_pass(&rig, NS_PER_S);
    CHECK(rig_take(&rig, VENUE_RQ_NEW) == NULL); /* the other order may still fill */
    rig_say_kind(&rig, VENUE_CANCELED, id);
    rig_pass(&rig, NS_PER_S);
    const struct rig_request *q = &rig.request[rig.request_count - 1];
    CHECK_EQ(q->kind, VENUE_RQ_NEW);
    CHECK_EQ(q->qty, 100000);
    CHECK_EQ(q->px, 94905); /* 5 % under the last good bid of 999.00, on the tick, not beyond */
    filled(SIDE_SELL, 99900, 100000, 2);
    CHECK_EQ(rig_position(&rig)->qty, 0);
    rig_pass(&rig, NS_PER_S);
    CHECK(rig_take(&rig, VENUE_RQ_NEW) == NULL);
    rig_end(&rig);
}

TEST(flatten_is_denied_under_the_kill_switch_and_passes_while_reducing)
{
    rig_ready(&rig);
    (void)rig_new(&rig, SIDE_BUY, 100000, 100000);
    filled(SIDE_BUY, 100000, 100000, 1);
    rig_command(&rig, RIG_OPERATOR, state_command(LEVEL_GLOBAL, 0, TRADING_REDUCING));
    rig_command(&rig, RIG_OPERATOR, (struct command){ .verb = COMMAND_FLATTEN, .instrument = INSTRUMENT_NONE });
    rig_confirm(&rig, rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM));
    filled(SIDE_SELL, 99900, 100000, 2);
    CHECK_EQ(rig_position(&rig)->qty, 0);
    rig_pass(&rig, NS_PER_S);
    rig_command(&rig, RIG_OPERATOR, (struct command){ .verb = COMMAND_HALT });
    rig_command(&rig, RIG_OPERATOR, (struct command){ .verb = COMMAND_FLATTEN, .instrument = INSTRUMENT_NONE });
    CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_DENIED).deny, DENY_KILLED);
    rig_end(&rig);
}

TEST(a_silent_strategy_is_treated_as_its_policy_says_once_per_silence)
{
    static const struct {
        enum on_disconnect policy;
        bool cancels;
        enum deny_reason then;
    } at[] = { { ON_DISCONNECT_NOTHING, false, DENY_NONE },
               { ON_DISCONNECT_CANCEL, true, DENY_NONE },
               { ON_DISCONNECT_REDUCE, true, DENY_REDUCE_ONLY_STATE },
               { ON_DISCONNECT_KILL, true, DENY_KILLED } };

    for (size_t i = 0; i < ARRAY_LEN(at); i++) {
        rig_heartbeat_ns = 3 * NS_PER_S;
        rig_on_silence = at[i].policy;
        rig_ready(&rig);
        (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
        struct venue_report ack = rig_report(VENUE_NEW_ACK, rig_take(&rig, VENUE_RQ_NEW)->clordid);
        ack.venue_order_id = 9;
        rig_say(&rig, &ack);
        for (int s = 0; s < 6; s++) {
            rig_pass(&rig, 2 * NS_PER_S);
            rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_HEARTBEAT });
        }
        CHECK(rig_take(&rig, VENUE_RQ_CANCEL) == NULL);
        rig_pass(&rig, 3 * NS_PER_S);
        rig_pass(&rig, NS_PER_S);
        CHECK_EQ(rig_take(&rig, VENUE_RQ_CANCEL) != NULL, at[i].cancels);
        (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
        CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, at[i].then);
        rig_end(&rig);
    }
    rig_heartbeat_ns = 0;
}

TEST(the_venues_countdown_is_refreshed_at_a_third_of_it_over_a_reconciled_session_only)
{
    rig_deadman_ns = 30 * NS_PER_S;
    rig_ready(&rig);
    rig_pass(&rig, NS_PER_S);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_DEADMAN), 1);
    struct venue_report r = rig_report(VENUE_DEADMAN, NULL);
    r.venue_time_ns = rig.now.wall.ns + 30 * NS_PER_S;
    rig_say(&rig, &r);
    CHECK_EQ(metric_get(rig.metrics, METRIC_DEADMAN, 0), 1);
    rig_pass(&rig, 9 * NS_PER_S);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_DEADMAN), 1);
    rig_pass(&rig, NS_PER_S);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_DEADMAN), 2);
    rig_disconnect(&rig, GATEWAY_CONN(0, CONN_ROLE_ORDER));
    rig_pass(&rig, 19 * NS_PER_S);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_DEADMAN), 2);
    CHECK_EQ(metric_get(rig.metrics, METRIC_DEADMAN, 0), 1);
    rig_deadman_ns = 0;
    rig_end(&rig);
}

TEST_MAIN()
