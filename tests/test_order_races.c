/* The order table: an order's life, and named races of reports with requests. */
#include "tests/oms_fixture.h"

TEST(order_lives_from_sent_to_filled_and_releases_as_it_fills)
{
    struct oms o;
    oms_init(&o, 8, 8);
    uint32_t s = oms_new(&o, SIDE_BUY, 100);
    CHECK_EQ(OMS_STATE(&o, s), ORDER_SENT);
    CHECK_EQ(o.d.reserved_change, 100);
    CHECK_EQ(o.d.open_change, 1);
    CHECK_EQ(oms_on(&o, s, ORDER_EV_ACK), ORDER_APPLIED);
    CHECK_EQ(OMS_STATE(&o, s), ORDER_NEW);
    CHECK_EQ(OMS_REQUEST(&o, s), REQUEST_NONE);
    CHECK_EQ(oms_fill(&o, s, 1, 40), ORDER_APPLIED);
    CHECK_EQ(OMS_STATE(&o, s), ORDER_PARTIALLY_FILLED);
    CHECK_EQ(o.d.reserved_change, -40);
    CHECK_EQ(o.d.fill_qty, 40);
    CHECK_EQ(oms_fill(&o, s, 2, 60), ORDER_APPLIED);
    CHECK_EQ(OMS_STATE(&o, s), ORDER_FILLED);
    CHECK_EQ(o.d.open_change, -1);
    CHECK_EQ(o.sums.position[0], 100);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 0);
    oms_free(&o);
}

TEST(race_fill_before_ack)
{
    struct oms o;
    oms_init(&o, 8, 8);
    uint32_t s = oms_new(&o, SIDE_SELL, 100);
    CHECK_EQ(oms_fill(&o, s, 1, 40), ORDER_APPLIED);
    CHECK_EQ(OMS_STATE(&o, s), ORDER_PARTIALLY_FILLED);
    CHECK_EQ(OMS_REQUEST(&o, s), REQUEST_NONE);
    CHECK_EQ(oms_on(&o, s, ORDER_EV_ACK), ORDER_APPLIED); /* brings its stamp */
    CHECK_EQ(OMS_STATE(&o, s), ORDER_PARTIALLY_FILLED);
    CHECK_EQ(oms_on(&o, s, ORDER_EV_ACK), ORDER_DUPLICATE);
    CHECK_EQ(o.sums.position[0], -40);
    oms_free(&o);
}

TEST(race_fill_beats_cancel)
{
    struct oms o;
    oms_init(&o, 8, 8);
    uint32_t s = oms_new(&o, SIDE_BUY, 100);
    oms_on(&o, s, ORDER_EV_ACK);
    CHECK_EQ(oms_on(&o, s, ORDER_EV_CANCEL_SENT), ORDER_APPLIED);
    CHECK_EQ(OMS_REQUEST(&o, s), REQUEST_CANCEL_IN_FLIGHT);
    CHECK_EQ(oms_fill(&o, s, 1, 30), ORDER_APPLIED);
    CHECK_EQ(OMS_REQUEST(&o, s), REQUEST_CANCEL_IN_FLIGHT);
    CHECK_EQ(oms_fill(&o, s, 2, 70), ORDER_APPLIED);
    CHECK_EQ(OMS_STATE(&o, s), ORDER_FILLED);
    CHECK_EQ(oms_on(&o, s, ORDER_EV_CANCEL_REJECTED), ORDER_DUPLICATE); /* too late to cancel: we know */
    CHECK_EQ(oms_on(&o, s, ORDER_EV_CANCELED), ORDER_DUPLICATE);        /* a stale one is not published over it */
    CHECK_EQ(OMS_STATE(&o, s), ORDER_FILLED);
    oms_free(&o);
}

TEST(what_a_venue_claims_past_the_orders_quantity_is_held_but_not_reserved)
{
    struct oms o;
    oms_init(&o, 8, 8);
    uint32_t s = oms_new(&o, SIDE_BUY, 100);
    oms_on(&o, s, ORDER_EV_ACK);
    CHECK_EQ(oms_end(&o, s, ORDER_EV_CANCELED, INT64_C(1) << 61), ORDER_HELD);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 100);
    CHECK_EQ(oms_fill(&o, s, 1, 100), ORDER_APPLIED);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 0);
    oms_free(&o);
}

TEST(race_cancel_ack_before_the_fill_it_counts)
{
    struct oms o;
    oms_init(&o, 8, 8);
    uint32_t s = oms_new(&o, SIDE_BUY, 100);
    oms_on(&o, s, ORDER_EV_ACK);
    oms_on(&o, s, ORDER_EV_CANCEL_SENT);
    CHECK_EQ(oms_end(&o, s, ORDER_EV_CANCELED, 30), ORDER_HELD);
    CHECK(order_live(order_at(o.t, s)));
    CHECK_EQ(order_missing_fill_qty(order_at(o.t, s)), 30);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 30); /* the rest is free, what must still come is not */
    CHECK_EQ(oms_end(&o, s, ORDER_EV_CANCELED, 30), ORDER_DUPLICATE);
    CHECK_EQ(oms_fill(&o, s, 1, 10), ORDER_APPLIED);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 20);
    CHECK_EQ(oms_fill(&o, s, 2, 20), ORDER_APPLIED);
    CHECK_EQ(OMS_STATE(&o, s), ORDER_CANCELED);
    CHECK_EQ(o.sums.position[0], 30);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 0);
    CHECK((order_at(o.t, s)->marks & ORDER_MARK_LATE) == 0);
    oms_free(&o);
}

TEST(race_late_fill_after_cancel_moves_the_position_and_not_the_state)
{
    struct oms o;
    oms_init(&o, 8, 8);
    uint32_t s = oms_new(&o, SIDE_BUY, 100);
    oms_on(&o, s, ORDER_EV_ACK);
    CHECK_EQ(oms_on(&o, s, ORDER_EV_CANCELED), ORDER_APPLIED); /* the venue did not say how much */
    CHECK_EQ(oms_fill(&o, s, 1, 30), ORDER_LATE);
    CHECK(o.d.fill_late);
    CHECK_EQ(o.d.reserved_change, 0);
    CHECK_EQ(OMS_STATE(&o, s), ORDER_CANCELED);
    CHECK_EQ(OMS_CUM(&o, s), 30);
    CHECK_EQ(o.sums.position[0], 30);
    struct report r;
    order_report_fill(order_at(o.t, s), &r);
    CHECK_EQ(r.flags, REPORT_LATE);
    CHECK_EQ(r.leaves_qty, 0);
    CHECK_EQ(oms_fill(&o, s, 1, 30), ORDER_DUPLICATE);
    CHECK_EQ(o.sums.position[0], 30);
    oms_free(&o);
}

TEST(race_fill_of_an_order_proven_not_placed_still_counts)
{
    struct oms o;
    oms_init(&o, 8, 8);
    uint32_t s = oms_new(&o, SIDE_BUY, 100);
    oms_on(&o, s, ORDER_EV_UNKNOWN);
    CHECK_EQ(oms_on(&o, s, ORDER_EV_NOT_PLACED), ORDER_APPLIED);
    CHECK_EQ(oms_fill(&o, s, 1, 100), ORDER_LATE);
    CHECK_EQ(OMS_STATE(&o, s), ORDER_NOT_PLACED);
    CHECK_EQ(o.sums.position[0], 100);
    oms_free(&o);
}

TEST(race_accept_on_the_stream_after_the_request_timed_out)
{
    struct oms o;
    oms_init(&o, 8, 8);
    uint32_t s = oms_new(&o, SIDE_BUY, 100);
    CHECK_EQ(oms_on(&o, s, ORDER_EV_UNKNOWN), ORDER_APPLIED);
    CHECK_EQ(o.d.unknown_change, 1);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 100); /* keeps it all */
    CHECK_EQ(oms_on(&o, s, ORDER_EV_UNKNOWN), ORDER_DUPLICATE);
    CHECK_EQ(oms_on(&o, s, ORDER_EV_ACK), ORDER_APPLIED);
    CHECK_EQ(o.d.unknown_change, -1);
    CHECK_EQ(OMS_REQUEST(&o, s), REQUEST_NONE);
    oms_free(&o);
}

TEST(race_reject_after_the_order_was_seen_working_is_a_conflict)
{
    struct oms o;
    oms_init(&o, 8, 8);
    uint32_t s = oms_new(&o, SIDE_BUY, 100);
    oms_on(&o, s, ORDER_EV_ACK);
    CHECK_EQ(oms_on(&o, s, ORDER_EV_REJECTED), ORDER_CONFLICT);
    CHECK_EQ(oms_on(&o, s, ORDER_EV_NOT_PLACED), ORDER_CONFLICT);
    CHECK_EQ(OMS_STATE(&o, s), ORDER_NEW);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 100);
    oms_free(&o);
}

TEST(race_cancel_of_an_unconfirmed_order_keeps_the_order_unknown)
{
    struct oms o;
    oms_init(&o, 8, 8);
    uint32_t s = oms_new(&o, SIDE_BUY, 100);
    oms_on(&o, s, ORDER_EV_UNKNOWN);
    CHECK_EQ(oms_on(&o, s, ORDER_EV_CANCEL_SENT), ORDER_APPLIED);
    CHECK_EQ(o.d.unknown_change, 0); /* a cancel in flight does not answer whether it was placed */
    CHECK(order_unknown(order_at(o.t, s)));
    CHECK_EQ(oms_on(&o, s, ORDER_EV_CANCEL_REJECTED), ORDER_APPLIED); /* "unknown order" proves nothing yet */
    CHECK_EQ(OMS_REQUEST(&o, s), REQUEST_NEW_UNKNOWN);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 100);
    CHECK_EQ(oms_on(&o, s, ORDER_EV_NOT_PLACED), ORDER_APPLIED);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 0);
    CHECK_EQ(o.sums.unknown, 0);
    oms_free(&o);
}

TEST(unknown_cancel_is_resolved_by_a_proven_status_only)
{
    struct oms o;
    oms_init(&o, 8, 8);
    uint32_t s = oms_new(&o, SIDE_BUY, 100);
    oms_on(&o, s, ORDER_EV_ACK);
    oms_on(&o, s, ORDER_EV_CANCEL_SENT);
    oms_on(&o, s, ORDER_EV_UNKNOWN);
    CHECK_EQ(OMS_REQUEST(&o, s), REQUEST_CANCEL_UNKNOWN);
    CHECK_EQ(oms_status(&o, s, ORDER_NEW, 0, false), ORDER_DUPLICATE); /* the cancel may still arrive */
    CHECK_EQ(OMS_REQUEST(&o, s), REQUEST_CANCEL_UNKNOWN);
    CHECK_EQ(oms_status(&o, s, ORDER_NEW, 0, true), ORDER_APPLIED);
    CHECK_EQ(OMS_REQUEST(&o, s), REQUEST_NONE);
    CHECK_EQ(o.sums.unknown, 0);
    oms_free(&o);
}

TEST(status_of_filled_holds_until_the_trades_are_here)
{
    struct oms o;
    oms_init(&o, 8, 8);
    uint32_t s = oms_new(&o, SIDE_SELL, 100);
    oms_on(&o, s, ORDER_EV_UNKNOWN);
    CHECK_EQ(oms_status(&o, s, ORDER_FILLED, 100, true), ORDER_HELD);
    CHECK_EQ(order_missing_fill_qty(order_at(o.t, s)), 100);
    CHECK_EQ(o.sums.reserved[0][SIDE_SELL], 100);
    CHECK_EQ(order_leaves(order_at(o.t, s)), 0);
    CHECK_EQ(oms_fill(&o, s, 9, 60), ORDER_APPLIED);
    CHECK(order_live(order_at(o.t, s)));
    CHECK_EQ(oms_fill(&o, s, 10, 40), ORDER_APPLIED);
    CHECK_EQ(OMS_STATE(&o, s), ORDER_FILLED);
    CHECK_EQ(oms_status(&o, s, ORDER_FILLED, 100, true), ORDER_DUPLICATE);
    CHECK_EQ(oms_status(&o, s, ORDER_NEW, 0, false), ORDER_DUPLICATE); /* older answer */
    CHECK_EQ(oms_status(&o, s, ORDER_NEW, 0, true), ORDER_CONFLICT);
    oms_free(&o);
}

TEST(held_order_ignores_what_concerns_requests)
{
    struct oms o;
    oms_init(&o, 8, 8);
    uint32_t s = oms_new(&o, SIDE_SELL, 100);
    CHECK_EQ(oms_end(&o, s, ORDER_EV_CANCELED, 20), ORDER_HELD);
    static const enum order_event_kind kinds[] = { ORDER_EV_ACK, ORDER_EV_CANCEL_SENT, ORDER_EV_CANCEL_REJECTED,
                                                   ORDER_EV_UNKNOWN };
    for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
        CHECK_EQ(oms_on(&o, s, kinds[i]), ORDER_DUPLICATE);
    CHECK_EQ(o.sums.unknown, 0);
    CHECK_EQ(OMS_REQUEST(&o, s), REQUEST_NONE);
    CHECK_EQ(oms_fill(&o, s, 1, 20), ORDER_APPLIED);
    CHECK_EQ(OMS_STATE(&o, s), ORDER_CANCELED);
    oms_free(&o);
}

TEST(fill_proves_that_an_unknown_order_was_placed)
{
    struct oms o;
    oms_init(&o, 8, 8);
    uint32_t s = oms_new(&o, SIDE_SELL, 100);
    oms_on(&o, s, ORDER_EV_UNKNOWN);
    CHECK_EQ(o.sums.unknown, 1);
    CHECK_EQ(oms_fill(&o, s, 1, 20), ORDER_APPLIED);
    CHECK_EQ(o.sums.unknown, 0);
    CHECK(!order_unknown(order_at(o.t, s)));
    oms_free(&o);
}

TEST(status_with_more_than_the_trades_names_what_is_missing)
{
    struct oms o;
    oms_init(&o, 8, 8);
    uint32_t s = oms_new(&o, SIDE_BUY, 100);
    oms_on(&o, s, ORDER_EV_ACK);
    oms_fill(&o, s, 1, 10);
    CHECK_EQ(oms_status(&o, s, ORDER_PARTIALLY_FILLED, 35, false), ORDER_DUPLICATE);
    CHECK_EQ(order_missing_fill_qty(order_at(o.t, s)), 25);
    CHECK_EQ(OMS_CUM(&o, s), 10); /* never by guess */
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 90);
    oms_free(&o);
}

TEST(fill_without_trade_id_or_with_a_bad_quantity_is_not_applied)
{
    struct oms o;
    oms_init(&o, 8, 8);
    uint32_t s = oms_new(&o, SIDE_BUY, 100);
    CHECK_EQ(oms_fill(&o, s, -1, 10), ORDER_INVALID);
    CHECK_EQ(oms_fill(&o, s, 1, 0), ORDER_INVALID);
    CHECK_EQ(oms_fill(&o, s, 1, -10), ORDER_INVALID);
    CHECK_EQ(oms_fill(&o, s, 1, INT64_MAX), ORDER_INVALID);
    CHECK_EQ(o.sums.position[0], 0);
    CHECK_EQ(OMS_STATE(&o, s), ORDER_SENT);
    struct order_event none = { .kind = ORDER_EV_ACK };
    CHECK_EQ(oms_apply(&o, 7, &none), ORDER_INVALID); /* no such slot */
    CHECK_EQ(oms_apply(&o, ORDER_NONE, &none), ORDER_INVALID);
    none.kind = ORDER_EV_COUNT;
    CHECK_EQ(oms_apply(&o, s, &none), ORDER_INVALID);
    oms_free(&o);
}

TEST(self_trade_counts_one_trade_id_on_both_orders)
{
    struct oms o;
    oms_init(&o, 8, 8);
    uint32_t b = oms_new(&o, SIDE_BUY, 100);
    uint32_t s = oms_new(&o, SIDE_SELL, 100);
    CHECK_EQ(oms_fill(&o, b, 5, 100), ORDER_APPLIED);
    CHECK_EQ(oms_fill(&o, s, 5, 100), ORDER_APPLIED);
    CHECK_EQ(o.sums.position[0], 0);
    oms_free(&o);
}

TEST(overfill_counts_in_full_and_is_marked)
{
    struct oms o;
    oms_init(&o, 8, 8);
    uint32_t s = oms_new(&o, SIDE_BUY, 100);
    CHECK_EQ(oms_fill(&o, s, 1, 130), ORDER_APPLIED);
    CHECK_EQ(OMS_STATE(&o, s), ORDER_FILLED);
    CHECK_EQ(o.sums.position[0], 130);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 0);
    CHECK((order_at(o.t, s)->marks & ORDER_MARK_OVERFILLED) != 0);
    CHECK_EQ(order_totals(o.t)->overfills, 1);
    oms_free(&o);
}

TEST(replace_holds_both_orders_until_the_old_one_is_dead)
{
    struct oms o;
    oms_init(&o, 8, 8);
    uint32_t old = oms_new(&o, SIDE_BUY, 100);
    oms_on(&o, old, ORDER_EV_ACK);
    uint32_t new = oms_replace(&o, old, 80);
    CHECK_EQ(OMS_REQUEST(&o, old), REQUEST_REPLACE_IN_FLIGHT);
    CHECK_EQ(order_at(o.t, new)->replaces, old);
    CHECK_EQ(order_at(o.t, old)->replaced_by, new);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 180);
    CHECK_EQ(oms_on(&o, new, ORDER_EV_ACK), ORDER_APPLIED); /* the new one first */
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 180);
    CHECK_EQ(oms_end(&o, old, ORDER_EV_CANCELED, 0), ORDER_APPLIED);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 80);
    oms_free(&o);
}

TEST(replace_refused_leaves_the_old_order_working)
{
    struct oms o;
    oms_init(&o, 8, 8);
    uint32_t old = oms_new(&o, SIDE_BUY, 100);
    oms_on(&o, old, ORDER_EV_ACK);
    uint32_t new = oms_replace(&o, old, 80);
    CHECK_EQ(oms_on(&o, old, ORDER_EV_CANCEL_REJECTED), ORDER_APPLIED);
    CHECK_EQ(oms_on(&o, new, ORDER_EV_REJECTED), ORDER_APPLIED);
    CHECK_EQ(OMS_STATE(&o, old), ORDER_NEW);
    CHECK_EQ(OMS_REQUEST(&o, old), REQUEST_NONE);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 100);
    uint32_t again = oms_replace(&o, old, 70);
    CHECK_EQ(order_at(o.t, old)->replaced_by, again);
    CHECK_EQ(order_at(o.t, new)->replaces, ORDER_NONE);
    oms_sums_match(&o);
    oms_free(&o);
}

TEST(replace_with_unknown_outcome_keeps_both)
{
    struct oms o;
    oms_init(&o, 8, 8);
    uint32_t old = oms_new(&o, SIDE_BUY, 100);
    oms_on(&o, old, ORDER_EV_ACK);
    uint32_t new = oms_replace(&o, old, 80);
    oms_on(&o, old, ORDER_EV_UNKNOWN);
    oms_on(&o, new, ORDER_EV_UNKNOWN);
    CHECK_EQ(OMS_REQUEST(&o, old), REQUEST_REPLACE_UNKNOWN);
    CHECK_EQ(o.sums.unknown, 2);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 180);
    oms_sums_match(&o);
    oms_free(&o);
}

TEST_MAIN()
