/* Several venues: what one of them cannot take holds up nothing of the others. On the rig of test_gateway. */
#include "tests/gateway_rig.h"

#define ORDER_CONN(venue) GATEWAY_CONN(venue, CONN_ROLE_ORDER)

static struct rig rig;

/* A working order at a venue. */
static void
working_at(uint16_t venue, char id[CLORDID_BYTES])
{
    rig.at = venue;
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    struct rig_request *rq = rig_take(&rig, VENUE_RQ_NEW);
    CHECK(rq != NULL);
    memcpy(id, rq->clordid, CLORDID_BYTES);
    rig_say_kind(&rig, VENUE_NEW_ACK, id);
}

static void
start(char hung[CLORDID_BYTES], char well[CLORDID_BYTES])
{
    rig.two_venues = true;
    rig_ready(&rig);
    working_at(0, hung);
    working_at(1, well);
    rig.no_room_on = 1u << ORDER_CONN(0);
}

static bool
canceled(const char id[CLORDID_BYTES])
{
    for (uint32_t i = 0; i < rig.request_count; i++)
        if (rig.request[i].kind == VENUE_RQ_CANCEL && memcmp(rig.request[i].clordid, id, CLORDID_BYTES) == 0)
            return true;
    return false;
}

static void
new_orders_of_the_other_venue_pass_meanwhile(const char hung[CLORDID_BYTES], const char well[CLORDID_BYTES])
{
    char more[CLORDID_BYTES];

    CHECK(canceled(well));
    CHECK(!canceled(hung));
    working_at(1, more); /* not denied for what waits at the first */
    rig.at = 0;
    rig.no_room_on = 0;
    rig_work(&rig);
    CHECK(canceled(hung));
    rig_end(&rig);
    memset(&rig, 0, sizeof(rig));
}

TEST(a_cancel_all_reaches_the_other_venues_while_one_takes_nothing)
{
    char hung[CLORDID_BYTES];
    char well[CLORDID_BYTES];

    start(hung, well);
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL_ALL, .instrument = INSTRUMENT_NONE });
    new_orders_of_the_other_venue_pass_meanwhile(hung, well);
}

TEST(a_client_that_disconnects_has_its_orders_canceled_at_the_other_venues_while_one_takes_nothing)
{
    char hung[CLORDID_BYTES];
    char well[CLORDID_BYTES];

    start(hung, well);
    gateway_on_client_gone(rig.g, RIG_CLIENT, ON_DISCONNECT_CANCEL, rig.now);
    rig_work(&rig);
    new_orders_of_the_other_venue_pass_meanwhile(hung, well);
}

TEST(new_orders_of_the_venue_itself_wait_for_its_cancels)
{
    char hung[CLORDID_BYTES];
    char well[CLORDID_BYTES];

    start(hung, well);
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL_ALL, .instrument = INSTRUMENT_NONE });
    rig.at = 0;
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_ORDER_RATE);
    rig_end(&rig);
    memset(&rig, 0, sizeof(rig));
}

TEST(a_stop_cancels_at_the_other_venues_while_one_takes_nothing)
{
    char hung[CLORDID_BYTES];
    char well[CLORDID_BYTES];

    start(hung, well);
    gateway_stop(rig.g, true, rig.now);
    rig_work(&rig);
    CHECK(canceled(well));
    CHECK(!canceled(hung));
    rig.no_room_on = 0;
    rig_work(&rig);
    CHECK(canceled(hung));
    rig_end(&rig);
    memset(&rig, 0, sizeof(rig));
}

TEST_MAIN()
