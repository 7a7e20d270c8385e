/* Orders that wait for the disk, and everything that must not: on the rig of test_gateway. */
#include "tests/gateway_rig.h"

#define ORDER_CONN GATEWAY_CONN(0, CONN_ROLE_ORDER)

static struct rig rig;

static void
start(void)
{
    rig.durable_first = true;
    rig_ready(&rig);
}

static void
end(void)
{
    rig_end(&rig);
    memset(&rig, 0, sizeof(rig));
}

/* An order that works at the venue, its record on disk. */
static void
working(char id[CLORDID_BYTES])
{
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    memcpy(id, rig_take(&rig, VENUE_RQ_NEW)->clordid, CLORDID_BYTES);
    gateway_on_durable(rig.g, rig.journal.seq);
    gateway_on_sent(rig.g, rig.now.mono, rig.now);
    rig.held_count = 0;
    rig_say_kind(&rig, VENUE_NEW_ACK, id);
}

/* One whose record is not on disk. */
static const struct order *
waiting(px_t px)
{
    (void)rig_new(&rig, SIDE_BUY, px, 1000);
    return order_at(rig.orders, order_find(rig.orders, rig_take(&rig, VENUE_RQ_NEW)->clordid));
}

TEST(orders_wait_for_their_records_and_cancels_do_not)
{
    start();
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    struct rig_request *rq = rig_take(&rig, VENUE_RQ_NEW);
    CHECK(rq != NULL);
    CHECK_EQ(rig.cover_seq, rq->journal_seq); /* of its own intent */
    uint64_t intent = rq->journal_seq;
    gateway_on_sent(rig.g, rig.now.mono, rig.now);
    CHECK_EQ(metric_get(rig.metrics, METRIC_ORDER_SENT, 0), 0); /* given to the loop, not to the kernel */
    gateway_on_durable(rig.g, intent - 1);
    gateway_on_sent(rig.g, rig.now.mono, rig.now);
    CHECK_EQ(metric_get(rig.metrics, METRIC_ORDER_SENT, 0), 0);
    gateway_on_durable(rig.g, intent);
    gateway_on_sent(rig.g, rig.now.mono, rig.now);
    CHECK_EQ(metric_get(rig.metrics, METRIC_ORDER_SENT, 0), 1);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_SENT).kind, REPORT_SENT);
    rig_say_kind(&rig, VENUE_NEW_ACK, rq->clordid);
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = rig.key });
    CHECK(rig_take(&rig, VENUE_RQ_CANCEL) != NULL);
    CHECK_EQ(rig.cover_seq, 0);
    end();
}

TEST(a_cancel_of_an_order_that_waits_for_the_disk_takes_it_back_and_tells_the_venue_nothing)
{
    start();
    const struct order *o = waiting(99900);
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = rig.key, .key = 90 });
    CHECK(rig_take(&rig, VENUE_RQ_CANCEL) == NULL);
    CHECK_EQ(rig.held_count, 0);
    CHECK_EQ(o->state, ORDER_NOT_PLACED);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 0);
    struct report r = rig_next(&rig, RIG_STRATEGY, REPORT_NOT_PLACED);
    CHECK(strstr(r.text, "before it left") != NULL);
    gateway_on_durable(rig.g, rig.journal.seq);
    gateway_on_sent(rig.g, rig.now.mono, rig.now);
    CHECK_EQ(metric_get(rig.metrics, METRIC_ORDER_SENT, 0), 0);
    CHECK_EQ(order_last_key(rig.orders, RIG_CLIENT), 90); /* the cancel's key is taken: a repeat is one */
    end();
}

TEST(the_kill_switch_takes_back_what_waits_for_the_disk_and_cancels_the_rest_at_once)
{
    char id[CLORDID_BYTES];

    start();
    working(id);
    const struct order *a = waiting(99800);
    const struct order *b = waiting(99700);
    rig_command(&rig, RIG_OPERATOR, (struct command){ .verb = COMMAND_HALT });
    CHECK_EQ(a->state, ORDER_NOT_PLACED);
    CHECK_EQ(b->state, ORDER_NOT_PLACED);
    CHECK_EQ(rig.held_count, 0);
    rig_work(&rig);
    struct rig_request *rq = rig_take(&rig, VENUE_RQ_CANCEL);
    CHECK(rq != NULL && memcmp(rq->clordid, id, CLORDID_BYTES) == 0);
    CHECK_EQ(rig.cover_seq, 0);
    CHECK(rig_take(&rig, VENUE_RQ_CANCEL) == NULL);
    end();
}

TEST(an_order_that_a_slow_disk_held_back_for_too_long_never_leaves)
{
    start();
    const struct order *o = waiting(99900);
    rig_pass(&rig, 3 * NS_PER_S); /* past the request's time-out */
    CHECK_EQ(o->state, ORDER_NOT_PLACED);
    CHECK_EQ(rig.held_count, 0);
    CHECK_EQ(gateway_orders_unknown(rig.g), 0);
    CHECK(rig.wanted[ORDER_CONN]);
    end();
}

TEST(one_that_cannot_be_taken_back_is_unknown_as_any_other)
{
    start();
    const struct order *o = waiting(99900);
    rig.held_gone = true;
    rig_pass(&rig, 3 * NS_PER_S);
    CHECK(order_unknown(o));
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 1000);
    end();
}

TEST(a_failed_journal_takes_back_what_waits_for_it_and_the_session_stays_for_cancels)
{
    char id[CLORDID_BYTES];

    start();
    working(id);
    uint64_t key = rig.key;
    const struct order *o = waiting(99900);
    journal_fail(&rig.journal);
    gateway_on_journal_failed(rig.g, rig.now);
    CHECK_EQ(o->state, ORDER_NOT_PLACED);
    CHECK_EQ(rig.held_count, 0);
    CHECK(rig.wanted[ORDER_CONN]);
    CHECK_EQ(metric_get(rig.metrics, METRIC_ORDER_SENT, 0), 1);
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key });
    CHECK(rig_take(&rig, VENUE_RQ_CANCEL) != NULL);
    end();
}

TEST(a_failed_journal_closes_the_connection_that_holds_an_order_it_cannot_take_back)
{
    start();
    (void)waiting(99900);
    rig.held_gone = true;
    journal_fail(&rig.journal);
    gateway_on_journal_failed(rig.g, rig.now);
    CHECK(!rig.wanted[ORDER_CONN]);
    CHECK_EQ(metric_get(rig.metrics, METRIC_ORDER_SENT, 0), 0);
    end();
}

TEST(what_waited_when_its_connection_ended_never_left)
{
    char id[CLORDID_BYTES];

    start();
    working(id);
    const struct order *o = waiting(99900);
    rig_disconnect(&rig, ORDER_CONN);
    rig_work(&rig);
    CHECK_EQ(o->state, ORDER_NOT_PLACED);
    end();
}

TEST(a_ban_takes_back_what_waits_for_the_disk)
{
    start();
    const struct order *o = waiting(99900);
    struct venue_report r = rig_report(VENUE_RATE_LIMITED, NULL);
    r.retry_after_ns = rig.now.wall.ns + 10 * NS_PER_S;
    rig_say(&rig, &r);
    CHECK_EQ(o->state, ORDER_NOT_PLACED);
    CHECK_EQ(rig.held_count, 0);
    end();
}

TEST(an_amend_that_waits_is_taken_back_by_a_cancel_which_then_leaves)
{
    char id[CLORDID_BYTES];

    rig.amends = true;
    start();
    working(id);
    const struct order *o = order_at(rig.orders, order_find(rig.orders, id));
    uint64_t key = rig.key;
    struct command c = rig_limit(&rig, SIDE_BUY, 99800, 2000);
    c.verb = COMMAND_REPLACE;
    c.target_key = key;
    rig_command(&rig, RIG_STRATEGY, c);
    CHECK(rig_take(&rig, VENUE_RQ_AMEND) != NULL);
    CHECK_EQ(rig.held_count, 1);
    CHECK(order_amending(o));
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key });
    CHECK_EQ(rig.held_count, 0);
    CHECK(!order_amending(o));
    CHECK(rig_take(&rig, VENUE_RQ_CANCEL) != NULL);
    CHECK_EQ(rig.cover_seq, 0);
    CHECK_EQ(o->request, REQUEST_CANCEL_IN_FLIGHT);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 1000); /* of the order as it was */
    end();
}

TEST(a_replacement_that_waits_is_taken_back_and_the_order_it_was_to_replace_can_be_canceled)
{
    char id[CLORDID_BYTES];

    start();
    working(id);
    const struct order *old = order_at(rig.orders, order_find(rig.orders, id));
    struct command c = rig_limit(&rig, SIDE_BUY, 99800, 2000);
    c.verb = COMMAND_REPLACE;
    c.target_key = rig.key - 1;
    uint64_t key = c.key;
    rig_command(&rig, RIG_STRATEGY, c);
    CHECK(rig_take(&rig, VENUE_RQ_REPLACE) != NULL);
    CHECK_EQ(rig.held_count, 1);
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key });
    CHECK_EQ(rig.held_count, 0);
    CHECK(order_live(old));
    CHECK_EQ(old->request, REQUEST_NONE);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 1000);
    end();
}

TEST(commands_are_taken_from_the_rings_however_many_orders_wait)
{
    start();
    unsigned room = gateway_poll_room(rig.g);
    (void)waiting(99900);
    (void)waiting(99800);
    CHECK_EQ(gateway_poll_room(rig.g), room);
    end();
}

TEST_MAIN()
