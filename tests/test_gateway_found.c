/* What the simulator (tests/sim) found in the deterministic core, each as the smallest story that shows it. */
#include "tests/gateway_rig.h"

static struct rig rig;

static const struct order *
order_of(uint64_t key)
{
    uint32_t slot = order_find_key(rig.orders, RIG_CLIENT, key);
    CHECK(slot != ORDER_NONE);
    return order_at(rig.orders, slot);
}

/* Whatever is asked about this order: the venue knows nothing of it. */
static void
venue_knows_nothing(const char *clordid)
{
    while (rig_take(&rig, VENUE_RQ_QUERY) != NULL)
        rig_say_kind(&rig, VENUE_NOT_FOUND, clordid);
    while (rig_take(&rig, VENUE_RQ_TRADES) != NULL)
        rig_say_kind(&rig, VENUE_TRADES_END, clordid);
}

TEST(cancels_one_after_the_other_do_not_put_off_the_proof_that_an_order_was_never_placed)
{
    rig_ready(&rig);
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 100000);
    char clordid[CLORDID_BYTES];
    memcpy(clordid, rig_take(&rig, VENUE_RQ_NEW)->clordid, CLORDID_BYTES);
    for (unsigned i = 0; i < 8 && order_live(order_of(key)); i++) {
        rig_pass(&rig, 2 * NS_PER_S);
        rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key });
        if (rig_take(&rig, VENUE_RQ_CANCEL) != NULL)
            rig_say_kind(&rig, VENUE_CANCEL_REJECTED, clordid);
        rig_pass(&rig, 500 * NS_PER_MS);
        venue_knows_nothing(clordid);
    }
    CHECK_EQ(order_of(key)->state, ORDER_NOT_PLACED);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 0);
    rig_end(&rig);
}

TEST(a_ban_lasts_as_long_as_the_venue_said_by_its_own_clock_whatever_ours_does)
{
    rig_ready(&rig);
    rig.now.wall.ns += 2 * NS_PER_S; /* a step since the offset was measured */
    struct venue_report v = rig_report(VENUE_RATE_LIMITED, NULL);
    v.venue_time_ns = INT64_C(1700000100) * NS_PER_S;
    v.retry_after_ns = v.venue_time_ns + 3 * NS_PER_S;
    rig_say(&rig, &v);
    rig_pass(&rig, 3 * NS_PER_S - 1);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 0);
    rig_pass(&rig, 1);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 1);
    rig_end(&rig);
}

TEST(a_shorter_ban_that_is_told_later_does_not_end_a_longer_one)
{
    rig_ready(&rig);
    struct venue_report v = rig_report(VENUE_RATE_LIMITED, NULL);
    v.venue_time_ns = rig.now.wall.ns;
    v.retry_after_ns = v.venue_time_ns + 10 * NS_PER_S;
    rig_say(&rig, &v);
    v.retry_after_ns = v.venue_time_ns + NS_PER_S;
    rig_say(&rig, &v);
    rig_pass(&rig, 5 * NS_PER_S);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 0);
    rig_end(&rig);
}

TEST_MAIN()
