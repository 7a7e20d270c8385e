/* The order table: every event in every reachable state, and a venue that reports in any order, twice, late. */
#include "tests/oms_fixture.h"

static uint32_t
order_in(struct oms *o, enum order_state state, enum request_state request)
{
    uint32_t s = oms_new(o, SIDE_BUY, 100);
    if (state != ORDER_SENT && state != ORDER_REJECTED && state != ORDER_NOT_PLACED)
        oms_on(o, s, ORDER_EV_ACK);
    if (request >= REQUEST_CANCEL_IN_FLIGHT && request <= REQUEST_CANCEL_UNKNOWN)
        oms_on(o, s, ORDER_EV_CANCEL_SENT);
    if (request >= REQUEST_REPLACE_IN_FLIGHT)
        oms_replace(o, s, 50);
    if (request_state_unknown(request))
        oms_on(o, s, ORDER_EV_UNKNOWN);
    if (state == ORDER_PARTIALLY_FILLED)
        oms_fill(o, s, 1, 10);
    if (state == ORDER_FILLED)
        oms_fill(o, s, 1, 100);
    static const int end[ORDER_STATE_COUNT] = { [ORDER_CANCELED] = ORDER_EV_CANCELED,
                                                [ORDER_EXPIRED] = ORDER_EV_EXPIRED,
                                                [ORDER_REJECTED] = ORDER_EV_REJECTED,
                                                [ORDER_NOT_PLACED] = ORDER_EV_NOT_PLACED };
    if (end[state] != 0)
        oms_on(o, s, (enum order_event_kind)end[state]);
    CHECK_EQ(OMS_STATE(o, s), state);
    return s;
}

TEST(all_pairs_of_state_request_and_event_keep_the_invariants)
{
    static const enum order_event_kind events[] = {
        ORDER_EV_ACK,      ORDER_EV_FILL,       ORDER_EV_CANCELED,    ORDER_EV_EXPIRED,
        ORDER_EV_REJECTED, ORDER_EV_NOT_PLACED, ORDER_EV_CANCEL_SENT, ORDER_EV_CANCEL_REJECTED,
        ORDER_EV_UNKNOWN,  ORDER_EV_STATUS,     ORDER_EV_AMENDED,     ORDER_EV_AMEND_REJECTED
    };
    unsigned pairs = 0;
    for (int st = ORDER_SENT; st < ORDER_STATE_COUNT; st++) {
        for (int rq = 0; rq < REQUEST_STATE_COUNT; rq++) {
            for (unsigned e = 0; e < ARRAY_LEN(events); e++) {
                for (int variant = 0; variant < 12; variant++) {
                    struct oms o;
                    if (st == ORDER_DENIED)
                        continue;
                    oms_init(&o, 8, 8);
                    uint32_t s = order_in(&o, (enum order_state)st, (enum request_state)rq);
                    struct order before = *order_at(o.t, s);
                    struct order_event ev = oms_event(&o, s, events[e]);
                    ev.trade_id = 2;
                    ev.last_px = 5;
                    ev.last_qty = (variant & 1) != 0 ? 100 : 5;
                    ev.cum_qty = (variant & 2) != 0 ? 60 : 0;
                    ev.flags = (variant & 4) != 0 ? ORDER_EVENT_PROVEN : 0;
                    ev.state = (uint8_t)(variant < ORDER_STATE_COUNT ? variant : 0);
                    enum order_outcome out = oms_apply(&o, s, &ev);
                    const struct order *after = order_at(o.t, s);
                    if (order_state_terminal((enum order_state)before.state))
                        CHECK_EQ(after->state, before.state);
                    if (out == ORDER_CONFLICT || out == ORDER_INVALID) {
                        CHECK_EQ(after->state, before.state);
                        CHECK_EQ(after->request, before.request);
                        CHECK_EQ(after->cum_qty, before.cum_qty);
                    }
                    if (events[e] == ORDER_EV_FILL)
                        CHECK_EQ(after->cum_qty, before.cum_qty + ev.last_qty);
                    else
                        CHECK_EQ(after->cum_qty, before.cum_qty);
                    if (order_live(after))
                        CHECK(after->reserved >= order_leaves(after));
                    else
                        CHECK_EQ(after->reserved, 0);
                    oms_sums_match(&o);
                    oms_free(&o);
                    pairs++;
                }
            }
        }
    }
    CHECK(pairs > 7500);
}

static uint64_t rng_state;

static uint64_t
rng(uint64_t below)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state % below;
}

/* The truth at the venue about one order, and the reports it still has to deliver (each once or twice, shuffled). */
enum { SEQ_REPORTS = 24 };

static unsigned
venue_script(struct oms *o, uint32_t s, struct order_event *ev, qty_t *filled, int64_t *trade_id)
{
    unsigned n = 0;
    qty_t left = order_at(o->t, s)->qty;

    ev[n++] = oms_event(o, s, ORDER_EV_ACK);
    for (unsigned fills = (unsigned)rng(4); fills > 0 && left > 0; fills--) {
        qty_t q = (qty_t)rng((uint64_t)left) + 1;
        ev[n] = oms_event(o, s, ORDER_EV_FILL);
        ev[n].trade_id = ++*trade_id;
        ev[n].last_qty = q;
        ev[n++].last_px = 10;
        left -= q;
        *filled += q;
    }
    if (left > 0) {
        ev[n] = oms_event(o, s, rng(2) == 0 ? ORDER_EV_CANCELED : ORDER_EV_EXPIRED);
        ev[n++].cum_qty = *filled;
    }
    for (unsigned twice = 0, once = n; twice < once && n < SEQ_REPORTS - 3; twice++)
        if (rng(3) == 0)
            ev[n++] = ev[twice];
    if (rng(2) == 0)
        ev[n++] = oms_event(o, s, ORDER_EV_CANCEL_SENT);
    if (rng(3) == 0)
        ev[n++] = oms_event(o, s, ORDER_EV_CANCEL_REJECTED);
    if (rng(2) == 0)
        ev[n++] = oms_event(o, s, ORDER_EV_UNKNOWN);
    for (unsigned i = n - 1; i > 0; i--) {
        unsigned k = (unsigned)rng(i + 1);
        struct order_event tmp = ev[i];
        ev[i] = ev[k];
        ev[k] = tmp;
    }
    return n;
}

TEST(reports_in_any_order_end_in_the_same_place_over_random_sequences)
{
    struct oms o;
    int64_t trade_id = 0;
    qty_t position = 0;

    rng_state = 88172645463325252u;
    oms_init(&o, 16, 16);
    for (unsigned sequence = 0; sequence < 120000; sequence++) {
        struct order_event ev[SEQ_REPORTS];
        qty_t filled = 0;
        enum side side = (enum side)rng(2);
        uint32_t s = oms_new(&o, side, (qty_t)rng(1000) + 1);
        unsigned n = venue_script(&o, s, ev, &filled, &trade_id);
        qty_t cum = 0;
        for (unsigned i = 0; i < n; i++) {
            (void)oms_apply(&o, s, &ev[i]);
            CHECK(OMS_CUM(&o, s) >= cum); /* monotonic */
            cum = OMS_CUM(&o, s);
            CHECK(o.sums.reserved[0][side] >= order_leaves(order_at(o.t, s)));
        }
        position += side == SIDE_BUY ? filled : -filled;
        if (OMS_CUM(&o, s) != filled || order_live(order_at(o.t, s)))
            fail_msg("sequence %u: filled %lld of %lld, state %s", sequence, (long long)OMS_CUM(&o, s),
                     (long long)filled, order_state_text((enum order_state)OMS_STATE(&o, s)));
        CHECK_EQ(o.sums.position[0], position);
        CHECK_EQ(o.sums.reserved[0][0] + o.sums.reserved[0][1], 0); /* all terminal: nothing is held */
        CHECK_EQ(o.sums.open, 0);
        CHECK_EQ(o.sums.unknown, 0);
    }
    oms_free(&o);
}

TEST_MAIN()
