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
        { LEVEL_GLOBAL, 0, 0 },     { LEVEL_ACCOUNT, 0, 1 },
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

TEST_MAIN()
