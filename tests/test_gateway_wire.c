/* When an order's bytes leave, and what idle turns may do: on the rig of test_gateway. */
#include "tests/gateway_rig.h"

static struct rig rig;

static void
end(void)
{
    rig_end(&rig);
    memset(&rig, 0, sizeof(rig));
}

static void
put(px_t px)
{
    struct command c = rig_limit(&rig, SIDE_BUY, px, 1000);

    c.version = MESSAGE_VERSION;
    c.client_seq = ++rig.client_seq[RIG_STRATEGY];
    CHECK(ring_put(&rig.command[RIG_STRATEGY], &c));
}

TEST(an_orders_bytes_leave_behind_its_record_and_before_its_books_are_made)
{
    rig_ready(&rig);
    put(99900);
    CHECK_EQ(gateway_poll_commands(rig.g, 8, rig.now), 1);
    CHECK_EQ(rig.flushes, 1);
    CHECK_EQ(rig.live_at_flush, 0);
    CHECK_EQ(rig_take(&rig, VENUE_RQ_NEW)->journal_seq, rig.journal.seq); /* the intent was the last record then */
    CHECK_EQ(order_totals(rig.orders)->live, 1);                          /* and all is in its books afterwards */
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 1000);
    CHECK_EQ(risk_totals(rig.risk)->accepted, 1);
    end();
}

TEST(orders_that_come_together_leave_together)
{
    rig_ready(&rig);
    put(99900);
    put(99800);
    put(99700);
    CHECK_EQ(gateway_poll_commands(rig.g, 8, rig.now), 3);
    CHECK_EQ(rig.flushes, 1);
    CHECK_EQ(rig.live_at_flush, 2); /* the last one's books alone are behind */
    CHECK_EQ(order_totals(rig.orders)->live, 3);
    CHECK_EQ(risk_totals(rig.risk)->accepted, 3);
    put(99600);
    CHECK_EQ(gateway_poll_commands(rig.g, 8, rig.now), 1);
    CHECK_EQ(rig.flushes, 2);
    end();
}

TEST(each_order_of_a_batch_is_judged_with_all_before_it)
{
    rig_ready(&rig);
    int64_t room = risk_resolved(rig.risk, 0, rig.at)->long_max;
    for (int i = 0; i < 3; i++) {
        struct command c = rig_limit(&rig, SIDE_BUY, 99900 - 100 * i, room / 2);
        c.version = MESSAGE_VERSION;
        c.client_seq = ++rig.client_seq[RIG_STRATEGY];
        CHECK(ring_put(&rig.command[RIG_STRATEGY], &c));
    }
    CHECK_EQ(gateway_poll_commands(rig.g, 8, rig.now), 3);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_POSITION);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], room / 2 * 2);
    end();
}

TEST(orders_that_wait_for_the_disk_are_not_flushed)
{
    rig.durable_first = true;
    rig_ready(&rig);
    put(99900);
    CHECK_EQ(gateway_poll_commands(rig.g, 8, rig.now), 1);
    CHECK_EQ(rig.flushes, 0);
    CHECK_EQ(order_totals(rig.orders)->live, 1);
    end();
}

TEST(an_order_that_cannot_be_encoded_flushes_nothing_that_names_it_and_ends)
{
    rig_ready(&rig);
    rig.unencodable = true;
    put(99900);
    CHECK_EQ(gateway_poll_commands(rig.g, 8, rig.now), 1);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_NOT_PLACED).order_state, ORDER_NOT_PLACED);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 0);
    CHECK_EQ(order_totals(rig.orders)->live, 0);
    end();
}

/* Two orders with `rehearsals` idle turns between them: what left, and what was journaled. */
static uint64_t
two_orders(unsigned idle, uint8_t out[64])
{
    uint64_t seq;

    rig_ready(&rig);
    put(99900);
    (void)gateway_poll_commands(rig.g, 8, rig.now);
    gateway_on_sent(rig.g, rig.now.mono, rig.now);
    struct risk_totals before = *risk_totals(rig.risk);
    seq = rig.journal.seq;
    for (unsigned i = 0; i < idle; i++) {
        rig.now.mono.ns += REHEARSAL_NS;
        rig.now.wall.ns += REHEARSAL_NS;
        gateway_rehearse(rig.g, rig.now);
        gateway_rehearse(rig.g, rig.now); /* too soon */
    }
    if (idle == 0) {
        rig.now.mono.ns += 3 * REHEARSAL_NS;
        rig.now.wall.ns += 3 * REHEARSAL_NS;
    }
    CHECK_EQ(rig.rehearsals, idle);
    CHECK_EQ(rig.journal.seq, seq);
    CHECK_EQ(memcmp(&before, risk_totals(rig.risk), sizeof(before)), 0);
    put(99800);
    (void)gateway_poll_commands(rig.g, 8, rig.now);
    memcpy(out, rig.out, 64);
    seq = rig.journal.seq;
    end();
    return seq;
}

TEST(rehearsals_change_nothing_that_leaves_is_journaled_or_counted)
{
    uint8_t with[64];
    uint8_t without[64];

    CHECK_EQ(two_orders(3, with), two_orders(0, without));
    CHECK_EQ(memcmp(with, without, sizeof(with)), 0);
}

TEST(nothing_is_rehearsed_before_the_first_order)
{
    rig_ready(&rig);
    rig_pass(&rig, REHEARSAL_NS);
    gateway_rehearse(rig.g, rig.now);
    CHECK_EQ(rig.rehearsals, 0);
    end();
}

TEST_MAIN()
