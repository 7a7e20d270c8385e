/* The order table: named races, duplicates, keys, recycling, walks, and random reports in any order. */
#include "tests/oms_fixture.h"

#define STATE(o, slot)   order_at((o)->t, slot)->state
#define REQUEST(o, slot) order_at((o)->t, slot)->request
#define CUM(o, slot)     order_at((o)->t, slot)->cum_qty

/* What each order says must be what the deltas have added up to. */
static void
sums_match(struct oms *o)
{
    struct oms_sums is = { 0 };
    int walk = order_walk_open(o->t, CLIENT_NONE);
    uint32_t slot;

    while ((slot = order_walk_next(o->t, walk)) != ORDER_NONE) {
        const struct order * or = order_at(o->t, slot);
        CHECK(order_live(or));
        is.reserved[or->instrument][or->side] += or->reserved;
        is.open++;
        is.unknown += order_unknown(or);
    }
    CHECK_MEM(is.reserved, o->sums.reserved, sizeof(is.reserved));
    CHECK_EQ(is.open, o->sums.open);
    CHECK_EQ(is.unknown, o->sums.unknown);
    CHECK_EQ(order_totals(o->t)->live, o->sums.open);
    CHECK_EQ(order_totals(o->t)->unknown, o->sums.unknown);
}

TEST(order_lives_from_sent_to_filled_and_releases_as_it_fills)
{
    struct oms o;
    oms_init(&o, 8, 8);
    uint32_t s = oms_new(&o, SIDE_BUY, 100);
    CHECK_EQ(STATE(&o, s), ORDER_SENT);
    CHECK_EQ(o.d.reserved_change, 100);
    CHECK_EQ(o.d.open_change, 1);
    CHECK_EQ(oms_on(&o, s, ORDER_EV_ACK), ORDER_APPLIED);
    CHECK_EQ(STATE(&o, s), ORDER_NEW);
    CHECK_EQ(REQUEST(&o, s), REQUEST_NONE);
    CHECK_EQ(oms_fill(&o, s, 1, 40), ORDER_APPLIED);
    CHECK_EQ(STATE(&o, s), ORDER_PARTIALLY_FILLED);
    CHECK_EQ(o.d.reserved_change, -40);
    CHECK_EQ(o.d.fill_qty, 40);
    CHECK_EQ(oms_fill(&o, s, 2, 60), ORDER_APPLIED);
    CHECK_EQ(STATE(&o, s), ORDER_FILLED);
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
    CHECK_EQ(STATE(&o, s), ORDER_PARTIALLY_FILLED);
    CHECK_EQ(REQUEST(&o, s), REQUEST_NONE);
    CHECK_EQ(oms_on(&o, s, ORDER_EV_ACK), ORDER_APPLIED); /* brings its stamp */
    CHECK_EQ(STATE(&o, s), ORDER_PARTIALLY_FILLED);
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
    CHECK_EQ(REQUEST(&o, s), REQUEST_CANCEL_IN_FLIGHT);
    CHECK_EQ(oms_fill(&o, s, 1, 30), ORDER_APPLIED);
    CHECK_EQ(REQUEST(&o, s), REQUEST_CANCEL_IN_FLIGHT);
    CHECK_EQ(oms_fill(&o, s, 2, 70), ORDER_APPLIED);
    CHECK_EQ(STATE(&o, s), ORDER_FILLED);
    CHECK_EQ(oms_on(&o, s, ORDER_EV_CANCEL_REJECTED), ORDER_DUPLICATE); /* too late to cancel: we know */
    CHECK_EQ(oms_on(&o, s, ORDER_EV_CANCELED), ORDER_DUPLICATE);        /* a stale one is not published over it */
    CHECK_EQ(STATE(&o, s), ORDER_FILLED);
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
    CHECK_EQ(STATE(&o, s), ORDER_CANCELED);
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
    CHECK_EQ(STATE(&o, s), ORDER_CANCELED);
    CHECK_EQ(CUM(&o, s), 30);
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
    CHECK_EQ(STATE(&o, s), ORDER_NOT_PLACED);
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
    CHECK_EQ(REQUEST(&o, s), REQUEST_NONE);
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
    CHECK_EQ(STATE(&o, s), ORDER_NEW);
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
    CHECK_EQ(REQUEST(&o, s), REQUEST_NEW_UNKNOWN);
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
    CHECK_EQ(REQUEST(&o, s), REQUEST_CANCEL_UNKNOWN);
    CHECK_EQ(oms_status(&o, s, ORDER_NEW, 0, false), ORDER_DUPLICATE); /* the cancel may still arrive */
    CHECK_EQ(REQUEST(&o, s), REQUEST_CANCEL_UNKNOWN);
    CHECK_EQ(oms_status(&o, s, ORDER_NEW, 0, true), ORDER_APPLIED);
    CHECK_EQ(REQUEST(&o, s), REQUEST_NONE);
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
    CHECK_EQ(STATE(&o, s), ORDER_FILLED);
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
    CHECK_EQ(REQUEST(&o, s), REQUEST_NONE);
    CHECK_EQ(oms_fill(&o, s, 1, 20), ORDER_APPLIED);
    CHECK_EQ(STATE(&o, s), ORDER_CANCELED);
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
    CHECK_EQ(CUM(&o, s), 10); /* never by guess */
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
    CHECK_EQ(STATE(&o, s), ORDER_SENT);
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
    CHECK_EQ(STATE(&o, s), ORDER_FILLED);
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
    CHECK_EQ(REQUEST(&o, old), REQUEST_REPLACE_IN_FLIGHT);
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
    CHECK_EQ(STATE(&o, old), ORDER_NEW);
    CHECK_EQ(REQUEST(&o, old), REQUEST_NONE);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 100);
    uint32_t again = oms_replace(&o, old, 70);
    CHECK_EQ(order_at(o.t, old)->replaced_by, again);
    CHECK_EQ(order_at(o.t, new)->replaces, ORDER_NONE);
    sums_match(&o);
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
    CHECK_EQ(REQUEST(&o, old), REQUEST_REPLACE_UNKNOWN);
    CHECK_EQ(o.sums.unknown, 2);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 180);
    sums_match(&o);
    oms_free(&o);
}

TEST(key_repeats_return_their_order_and_older_ones_are_stale)
{
    struct oms o;
    oms_init(&o, 2, 1);
    CHECK_EQ(order_key_check(o.t, 1, 0).kind, ORDER_KEY_STALE);
    CHECK_EQ(order_key_check(o.t, CLIENT_MAX, 1).kind, ORDER_KEY_STALE);
    CHECK_EQ(order_key_check(o.t, 1, 1).kind, ORDER_KEY_NEW);
    uint32_t s = oms_new(&o, SIDE_BUY, 10); /* key 1 */
    CHECK_EQ(order_last_key(o.t, 1), 1);
    CHECK_EQ(order_key_check(o.t, 1, 1).kind, ORDER_KEY_REPEAT);
    CHECK_EQ(order_key_check(o.t, 1, 1).slot, s);
    CHECK_EQ(order_key_check(o.t, 2, 1).kind, ORDER_KEY_NEW);    /* another client's */
    struct order_intent in = oms_intent(&o, 1, 0, SIDE_BUY, 10); /* key 2, denied */
    in.deny = DENY_POSITION;
    CHECK_EQ(oms_apply_intent(&o, &in), ORDER_NONE);
    CHECK_EQ(order_key_check(o.t, 1, 2).kind, ORDER_KEY_REPEAT_DENIED);
    CHECK_EQ(order_key_check(o.t, 1, 2).deny, DENY_POSITION);
    o.next_key = 9;
    uint32_t last = oms_new(&o, SIDE_BUY, 10); /* key 10: keys may skip */
    CHECK_EQ(order_key_check(o.t, 1, 5).kind, ORDER_KEY_STALE);
    CHECK_EQ(order_key_check(o.t, 1, 10).slot, last);
    CHECK_EQ(order_key_check(o.t, 1, 11).kind, ORDER_KEY_NEW);
    oms_on(&o, s, ORDER_EV_REJECTED);
    CHECK_EQ(order_key_check(o.t, 1, 1).kind, ORDER_KEY_REPEAT); /* terminal is findable */
    oms_free(&o);
}

TEST(key_denied_as_stale_changes_nothing)
{
    struct oms o;
    oms_init(&o, 2, 1);
    o.next_key = 9;
    oms_new(&o, SIDE_BUY, 10); /* key 10 */
    struct order_intent in = oms_intent(&o, 1, 0, SIDE_BUY, 10);
    in.command.key = 4;
    in.deny = DENY_DUPLICATE_KEY;
    oms_apply_intent(&o, &in);
    CHECK_EQ(order_last_key(o.t, 1), 10);
    CHECK_EQ(order_key_check(o.t, 1, 4).kind, ORDER_KEY_STALE);
    oms_free(&o);
}

TEST(key_denials_are_remembered_in_bounds)
{
    struct oms o;
    oms_init(&o, 2, 1); /* 8 denials per client */
    for (int i = 0; i < 20; i++) {
        struct order_intent in = oms_intent(&o, 1, 0, SIDE_BUY, 10);
        in.deny = DENY_ORDER_RATE;
        oms_apply_intent(&o, &in);
    }
    for (uint64_t key = 1; key <= 12; key++)
        CHECK_EQ(order_key_check(o.t, 1, key).kind, ORDER_KEY_STALE);
    for (uint64_t key = 13; key <= 20; key++)
        CHECK_EQ(order_key_check(o.t, 1, key).kind, ORDER_KEY_REPEAT_DENIED);
    oms_free(&o);
}

TEST(terminal_orders_stay_findable_for_the_last_n_and_the_oldest_goes_first)
{
    struct oms o;
    char id[64][CLORDID_BYTES];
    oms_init(&o, 4, 3);
    for (int i = 0; i < 64; i++) {
        uint32_t s = oms_new(&o, SIDE_BUY, 10);
        memcpy(id[i], order_at(o.t, s)->clordid, CLORDID_BYTES);
        CHECK_EQ(order_find(o.t, id[i]), s);
        CHECK_EQ(oms_on(&o, s, ORDER_EV_REJECTED), ORDER_APPLIED);
        for (int k = MAX(0, i - 2); k <= i; k++) /* the last three for certain */
            CHECK(order_find(o.t, id[k]) != ORDER_NONE);
        for (int k = 0; k < i - 6; k++) /* never more than the pool */
            CHECK_EQ(order_find(o.t, id[k]), ORDER_NONE);
    }
    oms_free(&o);
}

TEST(replace_links_never_point_at_a_recycled_order)
{
    struct oms o;
    oms_init(&o, 3, 1); /* four slots */
    uint32_t old = oms_new(&o, SIDE_BUY, 100);
    uint32_t failed = oms_replace(&o, old, 90);
    oms_on(&o, failed, ORDER_EV_REJECTED);
    CHECK_EQ(order_at(o.t, old)->replaced_by, failed);
    for (int i = 0; i < 8; i++) { /* until the refused one is forgotten */
        uint32_t s = oms_new(&o, SIDE_BUY, 10);
        oms_on(&o, s, ORDER_EV_REJECTED);
    }
    CHECK_EQ(order_at(o.t, old)->replaced_by, ORDER_NONE);
    oms_on(&o, old, ORDER_EV_ACK);
    uint32_t next = oms_replace(&o, old, 80);
    oms_on(&o, old, ORDER_EV_CANCELED);
    for (int i = 0; i < 8; i++) { /* until the replaced one is forgotten */
        uint32_t s = oms_new(&o, SIDE_BUY, 10);
        oms_on(&o, s, ORDER_EV_REJECTED);
    }
    CHECK_EQ(order_at(o.t, next)->replaces, ORDER_NONE);
    oms_free(&o);
}

TEST(table_room_is_exactly_live_max)
{
    struct oms o;
    oms_init(&o, 3, 2);
    uint32_t s = 0;
    for (int i = 0; i < 3; i++) {
        CHECK(order_table_room(o.t));
        s = oms_new(&o, SIDE_BUY, 10);
    }
    CHECK(!order_table_room(o.t));
    struct order_intent in = oms_intent(&o, 1, 0, SIDE_BUY, 10);
    CHECK_STR(order_intent_fault(o.t, &in), "more live orders than the table holds");
    oms_on(&o, s, ORDER_EV_CANCELED);
    CHECK(order_table_room(o.t));
    oms_free(&o);
}

TEST(trade_ids_are_remembered_in_bounds_and_the_oldest_goes_first)
{
    struct oms o;
    memset(&o, 0, sizeof(o));
    oms_init(&o, 2, 1);
    uint32_t s = oms_new(&o, SIDE_BUY, 1000000);
    for (int64_t i = 0; i < 10000; i++)
        CHECK_EQ(oms_fill(&o, s, i, 1), ORDER_APPLIED);
    for (int64_t i = 10000 - 4096; i < 10000; i++)
        CHECK_EQ(oms_fill(&o, s, i, 1), ORDER_DUPLICATE);
    CHECK_EQ(CUM(&o, s), 10000);
    oms_free(&o);
}

TEST(foreign_and_other_instances_orders_are_not_found)
{
    struct oms o;
    oms_init(&o, 2, 1);
    uint32_t s = oms_new(&o, SIDE_BUY, 10);
    char id[CLORDID_BYTES];
    memcpy(id, order_at(o.t, s)->clordid, sizeof(id));
    id[1] = '2';
    CHECK_EQ(order_find(o.t, id), ORDER_NONE);
    CHECK_EQ(order_find(o.t, (char[CLORDID_BYTES]){ "web_123" }), ORDER_NONE);
    oms_free(&o);
}

TEST(walk_visits_live_orders_once_while_they_end_and_appear)
{
    struct oms o;
    uint32_t slot[6];
    oms_init(&o, 16, 4);
    for (int i = 0; i < 6; i++)
        slot[i] = oms_new(&o, SIDE_BUY, 10);
    struct order_intent other = oms_intent(&o, 2, 0, SIDE_BUY, 10);
    uint32_t foreign = oms_apply_intent(&o, &other);
    int walk = order_walk_open(o.t, 1);
    int all = order_walk_open(o.t, CLIENT_NONE);
    CHECK_EQ(order_walk_next(o.t, walk), slot[0]);
    oms_on(&o, slot[1], ORDER_EV_CANCELED); /* the next one goes */
    oms_on(&o, slot[2], ORDER_EV_CANCELED); /* and the one after it */
    oms_on(&o, slot[0], ORDER_EV_CANCELED); /* and the last one returned */
    CHECK_EQ(order_walk_next(o.t, walk), slot[3]);
    uint32_t more = oms_new(&o, SIDE_BUY, 10);
    CHECK_EQ(order_walk_next(o.t, walk), slot[4]);
    CHECK_EQ(order_walk_next(o.t, walk), slot[5]);
    CHECK_EQ(order_walk_next(o.t, walk), more);
    CHECK_EQ(order_walk_next(o.t, walk), ORDER_NONE);
    CHECK_EQ(order_walk_next(o.t, all), slot[3]);
    CHECK_EQ(order_walk_next(o.t, all), slot[4]);
    CHECK_EQ(order_walk_next(o.t, all), slot[5]);
    CHECK_EQ(order_walk_next(o.t, all), foreign);
    CHECK_EQ(order_walk_next(o.t, all), more);
    order_walk_close(o.t, all);
    for (int i = 0; i < ORDER_WALKS_MAX; i++)
        CHECK(order_walk_open(o.t, 3) >= 0);
    CHECK_EQ(order_walk_open(o.t, 3), -1);
    oms_free(&o);
}

TEST(report_shows_every_stamp_and_the_unknown)
{
    struct oms o;
    struct report r;
    oms_init(&o, 2, 1);
    uint32_t s = oms_new(&o, SIDE_BUY, 10);
    order_stamp_wire(o.t, s, (mono_ns_t){ 77 });
    oms_on(&o, s, ORDER_EV_UNKNOWN);
    oms_on(&o, s, ORDER_EV_CANCEL_SENT);
    order_report_fill(order_at(o.t, s), &r);
    CHECK_EQ(r.wire_mono_ns, 77);
    CHECK_EQ(r.request_state, REQUEST_NEW_UNKNOWN);
    CHECK_EQ(r.leaves_qty, 10);
    CHECK_EQ(r.trade_id, -1);
    CHECK_STR(r.clordid, order_at(o.t, s)->clordid);
    oms_free(&o);
}

/* ---- amends: one order, two totals until it is settled -------------------------------------------------------------
 */

#define AMEND(o, slot) order_amend_at((o)->t, slot)

static struct order_event
amended(struct oms *o, uint32_t s, px_t px, qty_t qty)
{
    struct order_event ev = oms_event(o, s, ORDER_EV_AMENDED);
    ev.px = px;
    ev.qty = qty;
    return ev;
}

static enum order_outcome
oms_amended(struct oms *o, uint32_t s, px_t px, qty_t qty)
{
    struct order_event ev = amended(o, s, px, qty);
    return oms_apply(o, s, &ev);
}

/* Of the last amend. */
static enum order_outcome
oms_refuse(struct oms *o, uint32_t s)
{
    struct order_event ev = oms_event(o, s, ORDER_EV_AMEND_REJECTED);
    ev.request_id = AMEND(o, s)->key;
    return oms_apply(o, s, &ev);
}

static uint32_t
working(struct oms *o, qty_t qty)
{
    oms_init(o, 8, 8);
    uint32_t s = oms_new(o, SIDE_BUY, qty);
    oms_on(o, s, ORDER_EV_ACK);
    return s;
}

TEST(amend_holds_the_larger_total_until_it_is_done)
{
    struct oms o;
    uint32_t s = working(&o, 100);
    CHECK_EQ(oms_amend(&o, s, 9000, 150), s);
    CHECK_EQ(o.d.reserved_change, 50);
    CHECK_EQ(o.d.open_change, 0);
    CHECK_EQ(REQUEST(&o, s), REQUEST_REPLACE_IN_FLIGHT);
    CHECK_EQ(order_at(o.t, s)->qty, 100);
    CHECK_EQ(oms_amended(&o, s, 9000, 150), ORDER_APPLIED);
    CHECK_EQ(order_at(o.t, s)->qty, 150);
    CHECK_EQ(order_at(o.t, s)->px, 9000);
    CHECK_EQ(REQUEST(&o, s), REQUEST_NONE);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 150);
    CHECK_EQ(oms_amend(&o, s, 9000, 30), s);
    CHECK_EQ(o.d.reserved_change, 0); /* smaller: the old total stays held */
    CHECK_EQ(oms_amended(&o, s, 9000, 30), ORDER_APPLIED);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 30);
    CHECK_EQ(oms_amended(&o, s, 9000, 30), ORDER_DUPLICATE); /* the answer and the stream both say it */
    sums_match(&o);
    oms_free(&o);
}

TEST(amend_refused_leaves_the_order_as_it_was)
{
    struct oms o;
    uint32_t s = working(&o, 100);
    oms_amend(&o, s, 9000, 150);
    CHECK_EQ(oms_refuse(&o, s), ORDER_APPLIED);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 100);
    CHECK_EQ(order_at(o.t, s)->px, 10000);
    CHECK_EQ(REQUEST(&o, s), REQUEST_NONE);
    CHECK_EQ(oms_refuse(&o, s), ORDER_DUPLICATE);
    oms_free(&o);
}

TEST(a_refusal_settles_only_the_amend_that_it_names)
{
    struct oms o;
    uint32_t s = working(&o, 100);
    oms_amend(&o, s, 9000, 150);
    struct order_event late = oms_event(&o, s, ORDER_EV_AMEND_REJECTED);
    late.request_id = AMEND(&o, s)->key;
    oms_status(&o, s, ORDER_NEW, 0, true); /* its answer never came; proven: it never arrived */
    oms_amend(&o, s, 9000, 150);
    CHECK_EQ(oms_apply(&o, s, &late), ORDER_DUPLICATE); /* it was on its way after all */
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 150);
    late.request_id = 0;
    CHECK_EQ(oms_apply(&o, s, &late), ORDER_CONFLICT); /* whose? the caller asks */
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 150);
    CHECK_EQ(oms_refuse(&o, s), ORDER_APPLIED);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 100);
    oms_free(&o);
}

TEST(amend_unknown_keeps_the_worse_until_proven)
{
    struct oms o;
    uint32_t s = working(&o, 100);
    oms_amend(&o, s, 9000, 150);
    CHECK_EQ(oms_on(&o, s, ORDER_EV_UNKNOWN), ORDER_APPLIED);
    CHECK_EQ(REQUEST(&o, s), REQUEST_REPLACE_UNKNOWN);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 150);
    oms_status(&o, s, ORDER_NEW, 0, false); /* it may still arrive */
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 150);
    oms_status(&o, s, ORDER_NEW, 0, true); /* it can not */
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 100);
    CHECK_EQ(order_at(o.t, s)->qty, 100);
    CHECK_EQ(o.sums.unknown, 0);
    struct order_key_result k = order_key_check(o.t, 1, o.next_key);
    CHECK_EQ(k.kind, ORDER_KEY_REPEAT_ASKED);
    CHECK_EQ(k.asked.state, ORDER_NOT_PLACED);
    oms_free(&o);
}

TEST(amend_unknown_is_found_done_by_a_query_that_shows_its_terms)
{
    struct oms o;
    uint32_t s = working(&o, 100);
    oms_amend(&o, s, 9000, 40);
    oms_on(&o, s, ORDER_EV_UNKNOWN);
    struct order_event ev = oms_event(&o, s, ORDER_EV_STATUS);
    ev.state = ORDER_NEW;
    ev.px = 9000;
    ev.qty = 40;
    CHECK_EQ(oms_apply(&o, s, &ev), ORDER_APPLIED);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 40);
    CHECK_EQ(REQUEST(&o, s), REQUEST_NONE);
    CHECK_EQ(order_at(o.t, s)->key, o.next_key);
    CHECK_EQ(o.sums.unknown, 0);
    oms_free(&o);
}

TEST(race_fill_during_an_amend_up_does_not_end_the_order)
{
    struct oms o;
    uint32_t s = working(&o, 100);
    oms_amend(&o, s, 9000, 150);
    CHECK_EQ(oms_fill(&o, s, 1, 100), ORDER_APPLIED);
    CHECK_EQ(STATE(&o, s), ORDER_PARTIALLY_FILLED); /* 50 more may work */
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 50);
    CHECK_EQ(oms_refuse(&o, s), ORDER_APPLIED); /* too late: it was all filled */
    CHECK_EQ(STATE(&o, s), ORDER_FILLED);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 0);
    CHECK_EQ(order_totals(o.t)->overfills, 0);
    oms_free(&o);
}

TEST(race_fill_during_an_amend_down_ends_the_order_by_its_new_total)
{
    struct oms o;
    uint32_t s = working(&o, 100);
    oms_amend(&o, s, 10000, 60);
    CHECK_EQ(oms_fill(&o, s, 1, 50), ORDER_APPLIED);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 50);
    CHECK_EQ(oms_amended(&o, s, 10000, 60), ORDER_APPLIED);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 10);
    CHECK_EQ(oms_fill(&o, s, 2, 10), ORDER_APPLIED);
    CHECK_EQ(STATE(&o, s), ORDER_FILLED);
    oms_free(&o);
}

TEST(race_amend_ack_after_fill_changes_nothing)
{
    struct oms o;
    uint32_t s = working(&o, 100);
    oms_amend(&o, s, 9000, 80);
    CHECK_EQ(oms_fill(&o, s, 1, 100), ORDER_APPLIED);
    CHECK_EQ(STATE(&o, s), ORDER_FILLED);
    CHECK_EQ(oms_amended(&o, s, 9000, 80), ORDER_DUPLICATE);
    CHECK_EQ(order_at(o.t, s)->qty, 100);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 0);
    oms_free(&o);
}

TEST(amend_below_what_is_filled_holds_nothing_and_waits_for_the_venues_end)
{
    struct oms o;
    uint32_t s = working(&o, 100);
    oms_amend(&o, s, 10000, 30);
    oms_fill(&o, s, 1, 40); /* on its way, 40 were filled */
    CHECK_EQ(oms_amended(&o, s, 10000, 30), ORDER_APPLIED);
    CHECK_EQ(STATE(&o, s), ORDER_PARTIALLY_FILLED);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 0);
    CHECK_EQ(oms_end(&o, s, ORDER_EV_CANCELED, 40), ORDER_APPLIED);
    CHECK_EQ(STATE(&o, s), ORDER_CANCELED);
    oms_free(&o);
}

TEST(somebody_elses_amend_is_taken_over_and_ours_stays_open)
{
    struct oms o;
    uint32_t s = working(&o, 100);
    CHECK_EQ(oms_amended(&o, s, 9500, 70), ORDER_APPLIED);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 70);
    CHECK_EQ(order_at(o.t, s)->px, 9500);
    oms_amend(&o, s, 9000, 120);
    CHECK_EQ(oms_amended(&o, s, 9400, 200), ORDER_APPLIED); /* not what we asked for */
    CHECK_EQ(REQUEST(&o, s), REQUEST_REPLACE_IN_FLIGHT);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 200);
    CHECK_EQ(oms_amended(&o, s, 9000, 120), ORDER_APPLIED);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 120);
    CHECK_EQ(REQUEST(&o, s), REQUEST_NONE);
    oms_free(&o);
}

TEST(an_older_report_of_an_amend_does_not_bring_back_what_was)
{
    struct oms o;
    uint32_t s = working(&o, 100);
    oms_amend(&o, s, 9000, 50);
    struct order_event first = amended(&o, s, 9000, 50);
    first.venue_time_ns = 1000;
    CHECK_EQ(oms_apply(&o, s, &first), ORDER_APPLIED);
    oms_amend(&o, s, 9000, 80);
    struct order_event second = amended(&o, s, 9000, 80);
    second.venue_time_ns = 1001;
    CHECK_EQ(oms_apply(&o, s, &second), ORDER_APPLIED);
    CHECK_EQ(oms_apply(&o, s, &first), ORDER_DUPLICATE); /* the stream was slower than the answer */
    CHECK_EQ(order_at(o.t, s)->qty, 80);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 80);
    oms_free(&o);
}

TEST(cancel_over_an_amend_keeps_the_amends_reservation_and_shows_it_again_when_refused)
{
    struct oms o;
    uint32_t s = working(&o, 100);
    oms_amend(&o, s, 9000, 150);
    CHECK_EQ(oms_on(&o, s, ORDER_EV_CANCEL_SENT), ORDER_APPLIED);
    CHECK_EQ(REQUEST(&o, s), REQUEST_CANCEL_IN_FLIGHT);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 150);
    CHECK_EQ(oms_on(&o, s, ORDER_EV_CANCEL_REJECTED), ORDER_APPLIED);
    CHECK_EQ(REQUEST(&o, s), REQUEST_REPLACE_UNKNOWN);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 150);
    CHECK_EQ(oms_refuse(&o, s), ORDER_APPLIED);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 100);
    CHECK_EQ(oms_on(&o, s, ORDER_EV_CANCELED), ORDER_APPLIED);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 0);
    sums_match(&o);
    oms_free(&o);
}

TEST(held_order_with_an_amend_open_releases_all_but_its_missing_trades)
{
    struct oms o;
    uint32_t s = working(&o, 100);
    oms_amend(&o, s, 9000, 150);
    CHECK_EQ(oms_end(&o, s, ORDER_EV_CANCELED, 30), ORDER_HELD);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 30);
    CHECK_EQ(oms_fill(&o, s, 1, 30), ORDER_APPLIED);
    CHECK_EQ(STATE(&o, s), ORDER_CANCELED);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 0);
    oms_free(&o);
}

/* More filled than the old total: the amend was carried out, and what is missing is reserved by its total. */
TEST(order_that_ended_with_more_than_its_total_while_an_amend_is_open_reserves_what_is_missing)
{
    struct oms o;
    uint32_t s = working(&o, 100);
    oms_amend(&o, s, 9000, 150);
    CHECK_EQ(oms_end(&o, s, ORDER_EV_CANCELED, 130), ORDER_HELD);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 130);
    CHECK_EQ(oms_fill(&o, s, 1, 120), ORDER_APPLIED);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 10);
    CHECK_EQ(oms_fill(&o, s, 2, 10), ORDER_APPLIED);
    CHECK_EQ(STATE(&o, s), ORDER_CANCELED);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 0);
    sums_match(&o);
    oms_free(&o);
}

/* ---- keys of amends and cancels ---- */

TEST(both_keys_find_an_amended_order_and_the_later_one_is_shown_once_done)
{
    struct oms o;
    uint32_t s = working(&o, 100);
    uint64_t first = o.next_key;
    oms_amend(&o, s, 9000, 150);
    uint64_t second = o.next_key;
    CHECK_EQ(order_at(o.t, s)->key, first);
    CHECK_EQ(order_find_key(o.t, 1, first), s);
    CHECK_EQ(order_find_key(o.t, 1, second), s);
    oms_amended(&o, s, 9000, 150);
    CHECK_EQ(order_at(o.t, s)->key, second);
    oms_amend(&o, s, 9000, 160);
    uint64_t third = o.next_key;
    oms_refuse(&o, s);
    CHECK_EQ(order_at(o.t, s)->key, second);
    oms_amend(&o, s, 9000, 170);
    oms_amended(&o, s, 9000, 170);
    CHECK_EQ(order_find_key(o.t, 1, first), s);
    CHECK_EQ(order_find_key(o.t, 1, second), s);
    CHECK_EQ(order_find_key(o.t, 1, third), s);
    CHECK_EQ(order_find_key(o.t, 1, o.next_key), s);
    CHECK_EQ(order_key_check(o.t, 1, first).kind, ORDER_KEY_REPEAT);
    CHECK_EQ(order_key_check(o.t, 1, second).asked.state, ORDER_NEW);
    CHECK_EQ(order_key_check(o.t, 1, third).asked.state, ORDER_REJECTED);
    CHECK_EQ(order_key_check(o.t, 1, third).slot, s);
    CHECK_EQ(order_key_check(o.t, 1, o.next_key + 1).kind, ORDER_KEY_NEW);
    oms_free(&o);
}

TEST(an_amended_orders_keys_leave_with_its_slot)
{
    struct oms o;
    oms_init(&o, 1, 1);
    uint64_t old[3] = { 0 };
    for (unsigned n = 0; n < 200; n++) {
        uint32_t s = oms_new(&o, SIDE_BUY, 100);
        uint64_t keys[3] = { o.next_key };
        oms_on(&o, s, ORDER_EV_ACK);
        oms_amend(&o, s, 9000, 150);
        keys[1] = o.next_key;
        if (n % 2 == 0)
            oms_amended(&o, s, 9000, 150);
        else
            oms_refuse(&o, s);
        oms_amend(&o, s, 9100, 160);
        keys[2] = o.next_key;
        if (n % 3 == 0)
            oms_amended(&o, s, 9100, 160);
        for (unsigned k = 0; k < 3; k++)
            CHECK_EQ(order_find_key(o.t, 1, keys[k]), s);
        oms_on(&o, s, ORDER_EV_CANCELED);
        memcpy(old, keys, sizeof(old));
    }
    (void)oms_new(&o, SIDE_BUY, 1);
    (void)oms_on(&o, order_find_key(o.t, 1, o.next_key), ORDER_EV_CANCELED);
    (void)oms_new(&o, SIDE_BUY, 1);
    for (unsigned k = 0; k < 3; k++)
        CHECK_EQ(order_find_key(o.t, 1, old[k]), ORDER_NONE);
    CHECK_EQ(order_key_check(o.t, 1, old[1]).kind, ORDER_KEY_REPEAT_ASKED); /* what became of it, without its order */
    CHECK_EQ(order_key_check(o.t, 1, old[1]).slot, ORDER_NONE);
    oms_free(&o);
}

TEST(a_cancels_key_is_taken_and_a_replace_that_cancels_first_may_use_its_own_once)
{
    struct oms o;
    uint32_t s = working(&o, 100);
    struct order_event ev = oms_event(&o, s, ORDER_EV_CANCEL_SENT);
    ev.request_client = 1;
    ev.request_id = ++o.next_key;
    uint64_t cancel = o.next_key;
    oms_apply(&o, s, &ev);
    CHECK_EQ(order_key_check(o.t, 1, cancel).kind, ORDER_KEY_REPEAT_ASKED);
    CHECK_EQ(order_key_check(o.t, 1, cancel).asked.kind, KEY_CANCEL);
    CHECK_EQ(order_find_key(o.t, 1, cancel), ORDER_NONE); /* names no order */
    ev.request_id = ++o.next_key;
    ev.flags = ORDER_EVENT_REPLACE;
    oms_apply(&o, s, &ev);
    CHECK_EQ(order_key_check(o.t, 1, ev.request_id).asked.kind, KEY_REPLACE);
    oms_on(&o, s, ORDER_EV_CANCELED);
    struct order_intent in = oms_intent(&o, 1, 0, SIDE_BUY, 90);
    in.command.key = ev.request_id;
    CHECK(order_intent_fault(o.t, &in) != NULL);
    in.flags = ORDER_INTENT_AFTER_CANCEL;
    uint32_t fresh = oms_apply_intent(&o, &in);
    CHECK_EQ(order_key_check(o.t, 1, ev.request_id).kind, ORDER_KEY_REPEAT);
    CHECK_EQ(order_find_key(o.t, 1, ev.request_id), fresh);
    (void)clordid_mint_next(&o.mint, in.clordid);
    CHECK(order_intent_fault(o.t, &in) != NULL); /* once */
    oms_free(&o);
}

TEST(amend_of_an_order_that_does_not_work_is_no_intent)
{
    struct oms o;
    oms_init(&o, 8, 8);
    uint32_t s = oms_new(&o, SIDE_BUY, 100);
    struct order_intent in = oms_amend_intent(&o, s, 9000, 50);
    CHECK(order_intent_fault(o.t, &in) != NULL); /* not acknowledged */
    oms_on(&o, s, ORDER_EV_ACK);
    CHECK(order_intent_fault(o.t, &in) == NULL);
    struct order_intent other = in;
    other.command.side = SIDE_SELL;
    CHECK(order_intent_fault(o.t, &other) != NULL);
    oms_apply_intent(&o, &in);
    struct order_intent again = oms_amend_intent(&o, s, 9000, 60);
    CHECK(order_intent_fault(o.t, &again) != NULL); /* one at a time */
    oms_free(&o);
}

/* ---- all pairs: every event in every reachable state keeps the sums and never reopens ------------------------------
 */

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
    CHECK_EQ(STATE(o, s), state);
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
                    sums_match(&o);
                    oms_free(&o);
                    pairs++;
                }
            }
        }
    }
    CHECK(pairs > 7500);
}

/* ---- a venue that reports in any order, twice, and late ------------------------------------------------------------
 */

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
            CHECK(CUM(&o, s) >= cum); /* monotonic */
            cum = CUM(&o, s);
            CHECK(o.sums.reserved[0][side] >= order_leaves(order_at(o.t, s)));
        }
        position += side == SIDE_BUY ? filled : -filled;
        if (CUM(&o, s) != filled || order_live(order_at(o.t, s)))
            fail_msg("sequence %u: filled %lld of %lld, state %s", sequence, (long long)CUM(&o, s), (long long)filled,
                     order_state_text((enum order_state)STATE(&o, s)));
        CHECK_EQ(o.sums.position[0], position);
        CHECK_EQ(o.sums.reserved[0][0] + o.sums.reserved[0][1], 0); /* all terminal: nothing is held */
        CHECK_EQ(o.sums.open, 0);
        CHECK_EQ(o.sums.unknown, 0);
    }
    oms_free(&o);
}

TEST(prefetch_takes_any_key_in_an_empty_and_in_a_full_table_and_changes_nothing)
{
    struct oms o;
    void *before;

    oms_init(&o, 2, 1);
    before = malloc(o.memory_bytes);
    ASSERT(before != NULL);
    for (unsigned n = 0; n <= 2; n++) {
        memcpy(before, o.memory, o.memory_bytes);
        order_table_prefetch(o.t, UINT32_MAX, UINT64_MAX, UINT32_MAX, UINT64_MAX);
        order_table_prefetch(o.t, 0, 0, 0, 0);
        CHECK_MEM(before, o.memory, o.memory_bytes);
        if (n < 2) {
            struct order_intent in = oms_intent(&o, 0, 0, SIDE_BUY, 10);
            CHECK(order_table_intent(o.t, &in, &o.d) != ORDER_NONE);
        }
    }
    free(before);
    oms_free(&o);
}

TEST(an_order_is_found_by_the_venues_order_id_within_its_instrument)
{
    struct oms o;
    oms_init(&o, 4, 2);
    uint32_t a = oms_new(&o, SIDE_BUY, 10);
    CHECK_EQ(order_find_venue(o.t, 0, 0), ORDER_NONE);
    struct order_event ev = oms_event(&o, a, ORDER_EV_ACK);
    ev.venue_order_id = 500;
    (void)order_table_event(o.t, a, &ev, &o.d);
    CHECK_EQ(order_find_venue(o.t, 0, 500), a);
    CHECK_EQ(order_find_venue(o.t, 1, 500), ORDER_NONE);
    ev.venue_order_id = 501; /* the venue gave it another one */
    (void)order_table_event(o.t, a, &ev, &o.d);
    CHECK_EQ(order_find_venue(o.t, 0, 500), ORDER_NONE);
    CHECK_EQ(order_find_venue(o.t, 0, 501), a);
    ev.kind = ORDER_EV_CANCELED;
    (void)order_table_event(o.t, a, &ev, &o.d);
    CHECK_EQ(order_find_venue(o.t, 0, 501), a); /* late trades find it */
    for (int i = 0; i < 8; i++) {
        uint32_t slot = oms_new(&o, SIDE_BUY, 10);
        ev = oms_event(&o, slot, ORDER_EV_REJECTED);
        (void)order_table_event(o.t, slot, &ev, &o.d);
    }
    CHECK_EQ(order_find_venue(o.t, 0, 501), ORDER_NONE); /* recycled */
    oms_free(&o);
}

TEST(a_trade_of_nobodys_order_counts_once_and_its_order_when_it_is_found_moves_no_position)
{
    struct oms o;
    oms_init(&o, 4, 2);
    struct account_trade tr = {
        .side = SIDE_SELL, .trade_id = 7, .px = 100, .qty = 3, .fee = 5, .venue_order_id = 500
    };
    CHECK(order_table_trade(o.t, &tr, &o.d));
    CHECK(o.d.fill_qty == 3 && o.d.side == SIDE_SELL && o.d.fee == 5);
    CHECK(!order_table_trade(o.t, &tr, &o.d));
    CHECK_EQ(o.d.fill_qty, 0);
    CHECK(order_trade_counted(o.t, 0, SIDE_SELL, 7) && !order_trade_counted(o.t, 1, SIDE_SELL, 7));
    CHECK(!order_trade_counted(o.t, 0, SIDE_SELL, 8) && !order_trade_counted(o.t, 0, SIDE_BUY, 7));
    uint32_t a = oms_new(&o, SIDE_SELL, 10);
    struct order_event ev = oms_event(&o, a, ORDER_EV_FILL);
    ev.trade_id = 7;
    ev.last_px = 100;
    ev.last_qty = 3;
    ev.flags = ORDER_EVENT_COUNTED;
    CHECK_EQ(order_table_event(o.t, a, &ev, &o.d), ORDER_APPLIED);
    CHECK_EQ(o.d.fill_qty, 0);
    CHECK_EQ(o.d.reserved_change, -3);
    CHECK_EQ(order_at(o.t, a)->cum_qty, 3);
    CHECK_EQ(order_table_event(o.t, a, &ev, &o.d), ORDER_DUPLICATE);
    tr.trade_id = -1;
    CHECK(account_trade_fault(&tr) != NULL);
    oms_free(&o);
}

TEST(a_trade_of_an_order_that_was_forgotten_does_not_count_again_as_nobodys)
{
    struct oms o;
    oms_init(&o, 4, 2);
    uint32_t a = oms_new(&o, SIDE_BUY, 10);
    struct order_event ev = oms_event(&o, a, ORDER_EV_FILL);
    ev.trade_id = 7;
    ev.last_px = 100;
    ev.last_qty = 10;
    CHECK_EQ(order_table_event(o.t, a, &ev, &o.d), ORDER_APPLIED);
    for (int i = 0; i < 8; i++) {
        uint32_t slot = oms_new(&o, SIDE_BUY, 10);
        ev = oms_event(&o, slot, ORDER_EV_REJECTED);
        (void)order_table_event(o.t, slot, &ev, &o.d);
    }
    struct account_trade tr = { .side = SIDE_BUY, .trade_id = 7, .px = 100, .qty = 10 };
    CHECK(order_trade_known(o.t, 0, SIDE_BUY, 7));
    CHECK(!order_table_trade(o.t, &tr, &o.d));
    tr.side = SIDE_SELL; /* the other side of a trade with ourselves */
    CHECK(order_table_trade(o.t, &tr, &o.d));
    oms_free(&o);
}

TEST(an_order_whose_trade_ids_were_forgotten_is_marked)
{
    struct oms o;
    memset(&o, 0, sizeof(o));
    o.counts = (struct order_counts){ .live_max = 4, .done_kept = 2, .trades_kept = 2, .keys_kept = 8 };
    o.t = oms_table(&o.counts, &o.memory, &o.memory_bytes);
    (void)clordid_mint_init(&o.mint, "g1", 1790000000);
    uint32_t a = oms_new(&o, SIDE_BUY, 10);
    for (int64_t id = 1; id <= 3; id++) {
        CHECK_EQ(order_at(o.t, a)->marks & ORDER_MARK_FORGOTTEN, 0);
        struct order_event ev = oms_event(&o, a, ORDER_EV_FILL);
        ev.trade_id = id;
        ev.last_px = 100;
        ev.last_qty = 1;
        CHECK_EQ(order_table_event(o.t, a, &ev, &o.d), ORDER_APPLIED);
    }
    CHECK(order_at(o.t, a)->marks & ORDER_MARK_FORGOTTEN);
    oms_free(&o);
}

TEST(the_trade_cursor_only_rises)
{
    struct oms o;
    oms_init(&o, 4, 2);
    CHECK_EQ(order_trade_cursor(o.t, 3), -1);
    order_trade_cursor_set(o.t, 3, 0);
    CHECK_EQ(order_trade_cursor(o.t, 3), 0);
    order_trade_cursor_set(o.t, 3, 9);
    order_trade_cursor_set(o.t, 3, 8);
    CHECK_EQ(order_trade_cursor(o.t, 3), 9);
    CHECK_EQ(order_trade_cursor(o.t, INSTRUMENT_MAX), -1);
    oms_free(&o);
}

TEST_MAIN()
