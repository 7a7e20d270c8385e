/* The order table: keys, room, what is remembered and what is forgotten, and how an order is found. */
#include "tests/oms_fixture.h"

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
    CHECK_EQ(OMS_CUM(&o, s), 10000);
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

/* live_max 16, four kept once the slots are used up. */
TEST(walk_over_all_orders_goes_on_to_those_that_ended_while_they_make_room)
{
    struct oms o;
    uint32_t slot[24];
    oms_init(&o, 16, 4);
    for (int i = 0; i < 4; i++) {
        slot[i] = oms_new(&o, SIDE_BUY, 10);
        oms_on(&o, slot[i], ORDER_EV_CANCELED);
    }
    slot[4] = oms_new(&o, SIDE_BUY, 10);
    slot[5] = oms_new(&o, SIDE_BUY, 10);
    CHECK_EQ(order_forgotten_key(o.t, 1), 0);
    int walk = order_walk_open_all(o.t, 1);
    CHECK_EQ(order_walk_next(o.t, walk), slot[4]);
    oms_on(&o, slot[4], ORDER_EV_CANCELED); /* comes again, as it is now */
    CHECK_EQ(order_walk_next(o.t, walk), slot[5]);
    CHECK_EQ(order_walk_next(o.t, walk), slot[0]);
    for (int i = 6; i < 21; i++) /* 20 slots: the first one makes room */
        slot[i] = oms_new(&o, SIDE_BUY, 10);
    CHECK_EQ(slot[20], slot[0]);
    CHECK_EQ(order_forgotten_key(o.t, 1), 1);
    CHECK_EQ(order_walk_next(o.t, walk), slot[1]);
    oms_on(&o, slot[6], ORDER_EV_CANCELED);
    (void)oms_new(&o, SIDE_BUY, 10); /* the second, which was returned; and the third, which is the next */
    oms_on(&o, slot[7], ORDER_EV_CANCELED);
    (void)oms_new(&o, SIDE_BUY, 10);
    CHECK_EQ(order_forgotten_key(o.t, 1), 3);
    CHECK_EQ(order_walk_next(o.t, walk), slot[3]);
    CHECK_EQ(order_walk_next(o.t, walk), slot[4]);
    CHECK_EQ(order_walk_next(o.t, walk), slot[6]);
    CHECK_EQ(order_walk_next(o.t, walk), slot[7]);
    CHECK_EQ(order_walk_next(o.t, walk), ORDER_NONE);
    CHECK_EQ(order_forgotten_key(o.t, 2), 0);
    CHECK_EQ(order_forgotten_key(o.t, CLIENT_NONE), 3);
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
    (void)clordid_mint_init(&o.mint, "g1", 1790000000, 0);
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
    order_trade_cursor_set(o.t, 3, 0, 50);
    CHECK_EQ(order_trade_cursor(o.t, 3), 0);
    order_trade_cursor_set(o.t, 3, 9, 40);
    order_trade_cursor_set(o.t, 3, 8, 60);
    CHECK_EQ(order_trade_cursor(o.t, 3), 9);
    CHECK_EQ(order_trade_cursor_ns(o.t, 3), 60);
    CHECK_EQ(order_trade_cursor(o.t, INSTRUMENT_MAX), -1);
    CHECK_EQ(order_trade_cursor_ns(o.t, INSTRUMENT_MAX), 0);
    oms_free(&o);
}

TEST(a_trade_is_of_the_past_by_its_id_or_by_its_time_where_no_id_was_known)
{
    struct oms o;
    oms_init(&o, 4, 2);
    CHECK(!order_trade_past(o.t, 3, 0, 1));
    order_trade_cursor_set(o.t, 3, 0, 50);
    CHECK(order_trade_past(o.t, 3, 7, 49));
    CHECK(!order_trade_past(o.t, 3, 7, 50));
    CHECK(!order_trade_past(o.t, 3, 7, 0)); /* its time is not said: counted rather than lost */
    order_trade_cursor_set(o.t, 3, 9, 60);
    CHECK(order_trade_past(o.t, 3, 8, 70));
    CHECK(!order_trade_past(o.t, 3, 9, 59)); /* ids are known: they decide */
    oms_free(&o);
}

TEST_MAIN()
