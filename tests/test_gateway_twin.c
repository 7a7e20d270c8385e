/* Two hosts with one journal on one account: each notices the other. On the rig of test_gateway. */
#include "tests/gateway_rig.h"

static struct rig rig;

static void
start(void)
{
    memset(&rig, 0, sizeof(rig));
    rig_ready(&rig);
}

/* An id of the other host, minted at `draw` of this term. */
static void
other_id(uint32_t term, uint64_t draw, char id[CLORDID_BYTES])
{
    struct clordid_mint mint;

    CHECK(clordid_mint_init(&mint, "01", term, draw));
    (void)clordid_mint_next(&mint, id);
}

static bool
noticed(void)
{
    bool yes = metric_get(rig.metrics, METRIC_ANOTHER_HOST, 0) == 1;

    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    bool sent = rig_take(&rig, VENUE_RQ_NEW) != NULL;
    CHECK(sent != yes);
    return yes;
}

static void
acked_at(const char *id, uint64_t order, int64_t venue_time_ns)
{
    struct venue_report ack = rig_report(VENUE_NEW_ACK, id);

    ack.venue_order_id = order;
    ack.venue_time_ns = venue_time_ns;
    rig_say(&rig, &ack);
}

TEST(two_that_start_in_one_second_mint_different_ids_and_know_each_others)
{
    char id[CLORDID_BYTES];

    start();
    for (uint64_t draw = 0; draw < 3; draw++) {
        other_id(rig.term, draw, id);
        CHECK(order_find(rig.orders, id) == ORDER_NONE);
    }
    other_id(rig.term, 0, id); /* below where this one began: not one of those that it has given out */
    acked_at(id, 700, rig.now.wall.ns);
    CHECK(noticed());
    rig_end(&rig);
}

TEST(an_order_of_an_earlier_term_that_is_placed_now_says_that_its_host_lives)
{
    char id[CLORDID_BYTES];

    start();
    other_id(rig.term - 5, 1, id);
    rig_pass(&rig, NS_PER_S);
    acked_at(id, 700, rig.now.wall.ns); /* what was on its way when that run ended may arrive so late */
    CHECK(!noticed());
    rig_pass(&rig, 10 * NS_PER_S);
    acked_at(id, 700, rig.now.wall.ns - 9500 * NS_PER_MS); /* told late, placed early */
    CHECK(!noticed());
    acked_at(id, 700, rig.now.wall.ns);
    CHECK(noticed());
    rig_end(&rig);
}

TEST(an_order_of_this_run_that_the_table_has_forgotten_is_no_twin)
{
    char id[CLORDID_BYTES];

    start();
    for (unsigned i = 0; i < RIG_ORDERS + 2; i++) {
        (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
        struct rig_request *rq = rig_take(&rig, VENUE_RQ_NEW);
        CHECK(rq != NULL);
        if (i == 0)
            memcpy(id, rq->clordid, CLORDID_BYTES);
        rig_say_kind(&rig, VENUE_CANCELED, rq->clordid);
        rig_pass(&rig, NS_PER_S);
    }
    CHECK(order_find(rig.orders, id) == ORDER_NONE);
    acked_at(id, 700, rig.now.wall.ns); /* said twice */
    CHECK(!noticed());
    rig_end(&rig);
}

TEST(one_id_of_ours_on_two_orders_of_the_venue_is_another_host_whatever_kind_of_report_says_it)
{
    static const enum venue_report_kind kind[] = { VENUE_NEW_ACK, VENUE_FILL, VENUE_CANCELED, VENUE_STATUS,
                                                   VENUE_OPEN_ORDER };

    for (unsigned i = 0; i < ARRAY_LEN(kind); i++) {
        start();
        uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 100000);
        struct rig_request *rq = rig_take(&rig, VENUE_RQ_NEW);
        acked_at(rq->clordid, 700, rig.now.wall.ns);
        struct venue_report r = rig_report(kind[i], rq->clordid);
        r.venue_order_id = 701;
        r.state = ORDER_NEW;
        r.px = 99800;
        r.qty = 200000;
        r.trade_id = kind[i] == VENUE_FILL ? 5 : -1;
        r.last_px = 99900;
        r.last_qty = 200000;
        rig_say(&rig, &r);
        const struct order *o = order_at(rig.orders, order_find_key(rig.orders, RIG_CLIENT, key));
        CHECK_EQ(o->state, ORDER_NEW);
        CHECK_EQ(o->px, 99900);
        CHECK_EQ(o->qty, 100000);
        CHECK_EQ(o->cum_qty, 0);
        CHECK(noticed());
        rig_end(&rig);
    }
}

TEST_MAIN()
