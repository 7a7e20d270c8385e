/* The order table: amends (one order, two totals until it is proven), the keys of amends and cancels, and prices when
 * their instrument gets other decimals. */
#include "tests/oms_fixture.h"

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
    ev.request_id = OMS_AMEND(o, s)->key;
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
    CHECK_EQ(OMS_REQUEST(&o, s), REQUEST_REPLACE_IN_FLIGHT);
    CHECK_EQ(order_at(o.t, s)->qty, 100);
    CHECK_EQ(oms_amended(&o, s, 9000, 150), ORDER_APPLIED);
    CHECK_EQ(order_at(o.t, s)->qty, 150);
    CHECK_EQ(order_at(o.t, s)->px, 9000);
    CHECK_EQ(OMS_REQUEST(&o, s), REQUEST_NONE);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 150);
    CHECK_EQ(oms_amend(&o, s, 9000, 30), s);
    CHECK_EQ(o.d.reserved_change, 0); /* smaller: the old total stays held */
    CHECK_EQ(oms_amended(&o, s, 9000, 30), ORDER_APPLIED);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 30);
    CHECK_EQ(oms_amended(&o, s, 9000, 30), ORDER_DUPLICATE); /* the answer and the stream both say it */
    oms_sums_match(&o);
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
    CHECK_EQ(OMS_REQUEST(&o, s), REQUEST_NONE);
    CHECK_EQ(oms_refuse(&o, s), ORDER_DUPLICATE);
    oms_free(&o);
}

TEST(a_refusal_settles_only_the_amend_that_it_names)
{
    struct oms o;
    uint32_t s = working(&o, 100);
    oms_amend(&o, s, 9000, 150);
    struct order_event late = oms_event(&o, s, ORDER_EV_AMEND_REJECTED);
    late.request_id = OMS_AMEND(&o, s)->key;
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
    CHECK_EQ(OMS_REQUEST(&o, s), REQUEST_REPLACE_UNKNOWN);
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
    CHECK_EQ(OMS_REQUEST(&o, s), REQUEST_NONE);
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
    CHECK_EQ(OMS_STATE(&o, s), ORDER_PARTIALLY_FILLED); /* 50 more may work */
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 50);
    CHECK_EQ(oms_refuse(&o, s), ORDER_APPLIED); /* too late: it was all filled */
    CHECK_EQ(OMS_STATE(&o, s), ORDER_FILLED);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 0);
    CHECK_EQ(order_totals(o.t)->overfills, 0);
    oms_free(&o);
}

TEST(race_fill_past_the_old_total_proves_the_amend)
{
    struct oms o;
    uint32_t s = working(&o, 100);
    oms_amend(&o, s, 9000, 150);
    uint64_t key = OMS_AMEND(&o, s)->key;
    CHECK_EQ(oms_fill(&o, s, 1, 100), ORDER_APPLIED);
    CHECK_EQ(OMS_REQUEST(&o, s), REQUEST_REPLACE_IN_FLIGHT);
    CHECK_EQ(oms_fill(&o, s, 2, 1), ORDER_APPLIED);
    CHECK_EQ(OMS_REQUEST(&o, s), REQUEST_NONE);
    CHECK_EQ(order_at(o.t, s)->qty, 150);
    CHECK_EQ(order_at(o.t, s)->px, 9000);
    CHECK_EQ(order_at(o.t, s)->key, key);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 49);
    struct report r;
    order_report_fill(order_at(o.t, s), &r);
    CHECK(r.qty == 150 && r.cum_qty == 101 && r.leaves_qty == 49);
    CHECK_EQ(oms_amended(&o, s, 9000, 150), ORDER_DUPLICATE); /* its answer has nothing more to say */
    struct order_event no = oms_event(&o, s, ORDER_EV_AMEND_REJECTED);
    no.request_id = key;
    CHECK(oms_apply(&o, s, &no) != ORDER_APPLIED);
    CHECK_EQ(order_at(o.t, s)->qty, 150);
    oms_sums_match(&o);
    oms_free(&o);
}

TEST(race_fill_past_the_old_total_keeps_a_cancel_that_went_after_the_amend)
{
    struct oms o;
    uint32_t s = working(&o, 100);
    oms_amend(&o, s, 9000, 150);
    oms_on(&o, s, ORDER_EV_CANCEL_SENT);
    CHECK_EQ(oms_fill(&o, s, 1, 120), ORDER_APPLIED);
    CHECK_EQ(OMS_REQUEST(&o, s), REQUEST_CANCEL_IN_FLIGHT);
    CHECK_EQ(order_at(o.t, s)->qty, 150);
    oms_on(&o, s, ORDER_EV_CANCELED);
    CHECK_EQ(OMS_STATE(&o, s), ORDER_CANCELED);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 0);
    oms_free(&o);
}

TEST(an_order_that_ends_with_an_amend_open_answers_the_amends_key_with_not_placed)
{
    for (qty_t filled = 100; filled <= 150; filled += 50) {
        struct oms o;
        uint32_t s = working(&o, 100);
        oms_amend(&o, s, 9000, 150);
        uint64_t key = OMS_AMEND(&o, s)->key;
        CHECK_EQ(oms_fill(&o, s, 1, filled), ORDER_APPLIED);
        if (filled == 100)
            oms_on(&o, s, ORDER_EV_CANCELED);
        CHECK_EQ(OMS_STATE(&o, s), filled == 100 ? ORDER_CANCELED : ORDER_FILLED);
        CHECK_EQ(order_at(o.t, s)->qty, filled);
        CHECK_EQ(order_key_check(o.t, order_at(o.t, s)->client, key).asked.state,
                 filled == 100 ? ORDER_NOT_PLACED : ORDER_NEW);
        oms_free(&o);
    }
}

/* The venue's end said no count, and the trades were slower than it. */
TEST(race_late_trades_past_the_old_total_prove_the_amend_that_was_given_up_at_the_end)
{
    struct oms o;
    uint32_t s = working(&o, 100);
    uint64_t first = order_at(o.t, s)->key;
    oms_amend(&o, s, 9000, 150);
    uint64_t key = OMS_AMEND(&o, s)->key;
    CHECK_EQ(oms_on(&o, s, ORDER_EV_CANCELED), ORDER_APPLIED);
    CHECK_EQ(oms_fill(&o, s, 1, 100), ORDER_LATE);
    CHECK_EQ(order_at(o.t, s)->key, first); /* it may have been that */
    CHECK_EQ(oms_fill(&o, s, 2, 1), ORDER_LATE);
    CHECK_EQ(order_at(o.t, s)->qty, 150);
    CHECK_EQ(order_at(o.t, s)->px, 9000);
    CHECK_EQ(order_at(o.t, s)->key, key);
    CHECK_EQ(OMS_STATE(&o, s), ORDER_CANCELED);
    CHECK_EQ(order_key_check(o.t, 1, key).asked.state, ORDER_NEW);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 0);
    CHECK_EQ(oms_fill(&o, s, 3, 49), ORDER_LATE);
    CHECK_EQ(order_totals(o.t)->overfills, 0);
    CHECK_EQ(oms_fill(&o, s, 4, 1), ORDER_LATE);
    CHECK_EQ(order_totals(o.t)->overfills, 1);
    CHECK_EQ(order_at(o.t, s)->qty, 150);
    oms_sums_match(&o);
    oms_free(&o);
}

TEST(a_late_trade_past_the_total_proves_no_amend_that_was_refused_or_could_not_allow_it)
{
    for (int refused = 0; refused < 2; refused++) {
        struct oms o;
        uint32_t s = working(&o, 100);
        oms_amend(&o, s, 9000, refused ? 150 : 110);
        if (refused)
            oms_refuse(&o, s);
        CHECK_EQ(oms_on(&o, s, ORDER_EV_CANCELED), ORDER_APPLIED);
        CHECK_EQ(oms_fill(&o, s, 1, 111), ORDER_LATE);
        CHECK_EQ(order_at(o.t, s)->qty, 100);
        CHECK_EQ(order_totals(o.t)->overfills, 1);
        oms_free(&o);
    }
}

TEST(a_trade_past_the_total_while_an_end_is_held_proves_the_amend)
{
    struct oms o;
    uint32_t s = working(&o, 100);
    oms_amend(&o, s, 9000, 150);
    CHECK_EQ(oms_end(&o, s, ORDER_EV_CANCELED, 90), ORDER_HELD);
    struct order_event ev = oms_event(&o, s, ORDER_EV_FILL);
    ev.trade_id = 1;
    ev.last_px = 9000;
    ev.last_qty = 120;
    ev.cum_qty = 130; /* the end's count was an older one */
    CHECK_EQ(oms_apply(&o, s, &ev), ORDER_APPLIED);
    CHECK_EQ(OMS_STATE(&o, s), ORDER_PARTIALLY_FILLED);
    CHECK_EQ(order_at(o.t, s)->qty, 150);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 10);
    CHECK_EQ(oms_fill(&o, s, 2, 10), ORDER_APPLIED);
    CHECK_EQ(OMS_STATE(&o, s), ORDER_CANCELED);
    CHECK_EQ(order_totals(o.t)->overfills, 0);
    oms_free(&o);
}

/* A venue that says filled, and no terms: at the amend's total it can only be that. */
TEST(an_order_found_filled_at_the_total_of_its_open_amend_was_amended)
{
    for (qty_t filled = 60; filled <= 100; filled += 40) {
        struct oms o;
        uint32_t s = working(&o, 100);
        oms_amend(&o, s, 9000, 60);
        uint64_t key = OMS_AMEND(&o, s)->key;
        oms_fill(&o, s, 1, filled);
        struct order_event ev = oms_event(&o, s, ORDER_EV_STATUS);
        ev.state = ORDER_FILLED;
        ev.cum_qty = filled;
        oms_apply(&o, s, &ev);
        CHECK_EQ(OMS_STATE(&o, s), ORDER_FILLED);
        CHECK_EQ(order_at(o.t, s)->qty, filled);
        CHECK_EQ(order_key_check(o.t, 1, key).asked.state, filled == 60 ? ORDER_NEW : ORDER_NOT_PLACED);
        oms_free(&o);
    }
}

TEST(an_order_called_filled_without_a_word_of_how_much_keeps_the_worse_total_of_its_open_amend)
{
    static const struct {
        qty_t asked, filled, said; /* the order is for 100 */
        enum order_state state;
        qty_t reserved;
    } row[] = {
        { 60, 60, 0, ORDER_PARTIALLY_FILLED, 40 },    { 60, 60, 60, ORDER_FILLED, 0 },
        { 60, 60, 100, ORDER_PARTIALLY_FILLED, 40 },  { 150, 90, 0, ORDER_PARTIALLY_FILLED, 60 },
        { 150, 90, 150, ORDER_PARTIALLY_FILLED, 60 }, { 150, 90, 100, ORDER_PARTIALLY_FILLED, 10 },
    };

    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        struct oms o;
        uint32_t s = working(&o, 100);
        oms_amend(&o, s, 9000, row[i].asked);
        oms_fill(&o, s, 1, row[i].filled);
        struct order_event ev = oms_event(&o, s, ORDER_EV_STATUS);
        ev.state = ORDER_FILLED;
        ev.cum_qty = row[i].said;
        oms_apply(&o, s, &ev);
        CHECK_EQ(OMS_STATE(&o, s), row[i].state);
        CHECK_EQ(o.sums.reserved[0][SIDE_BUY], row[i].reserved);
        oms_free(&o);
    }
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
    CHECK_EQ(OMS_STATE(&o, s), ORDER_FILLED);
    oms_free(&o);
}

TEST(race_amend_ack_after_fill_changes_nothing)
{
    struct oms o;
    uint32_t s = working(&o, 100);
    oms_amend(&o, s, 9000, 80);
    CHECK_EQ(oms_fill(&o, s, 1, 100), ORDER_APPLIED);
    CHECK_EQ(OMS_STATE(&o, s), ORDER_FILLED);
    CHECK_EQ(oms_amended(&o, s, 9000, 80), ORDER_DUPLICATE);
    CHECK_EQ(order_at(o.t, s)->qty, 100);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 0);
    oms_free(&o);
}

TEST(an_amend_down_to_what_is_filled_ends_the_order_and_frees_its_reservation)
{
    struct oms o;
    uint32_t s = working(&o, 100);
    oms_amend(&o, s, 10000, 40);
    oms_fill(&o, s, 1, 40); /* on its way, 40 were filled */
    CHECK_EQ(OMS_STATE(&o, s), ORDER_PARTIALLY_FILLED);
    CHECK_EQ(oms_amended(&o, s, 10000, 40), ORDER_APPLIED);
    CHECK_EQ(OMS_STATE(&o, s), ORDER_FILLED);
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
    CHECK_EQ(OMS_STATE(&o, s), ORDER_PARTIALLY_FILLED);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 0);
    CHECK_EQ(oms_end(&o, s, ORDER_EV_CANCELED, 40), ORDER_APPLIED);
    CHECK_EQ(OMS_STATE(&o, s), ORDER_CANCELED);
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
    CHECK_EQ(OMS_REQUEST(&o, s), REQUEST_REPLACE_IN_FLIGHT);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 200);
    CHECK_EQ(oms_amended(&o, s, 9000, 120), ORDER_APPLIED);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 120);
    CHECK_EQ(OMS_REQUEST(&o, s), REQUEST_NONE);
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
    CHECK_EQ(OMS_REQUEST(&o, s), REQUEST_CANCEL_IN_FLIGHT);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 150);
    CHECK_EQ(oms_on(&o, s, ORDER_EV_CANCEL_REJECTED), ORDER_APPLIED);
    CHECK_EQ(OMS_REQUEST(&o, s), REQUEST_REPLACE_UNKNOWN);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 150);
    CHECK_EQ(oms_refuse(&o, s), ORDER_APPLIED);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 100);
    CHECK_EQ(oms_on(&o, s, ORDER_EV_CANCELED), ORDER_APPLIED);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 0);
    oms_sums_match(&o);
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
    CHECK_EQ(OMS_STATE(&o, s), ORDER_CANCELED);
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
    CHECK_EQ(OMS_STATE(&o, s), ORDER_CANCELED);
    CHECK_EQ(o.sums.reserved[0][SIDE_BUY], 0);
    oms_sums_match(&o);
    oms_free(&o);
}

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

static struct instrument
of_decimals(uint32_t version, unsigned px, unsigned qty)
{
    return (struct instrument){ .id = 0, .version = version, .px_decimals = (uint8_t)px, .qty_decimals = (uint8_t)qty };
}

TEST(orders_follow_their_instrument_to_other_decimals_and_what_they_cost_stays)
{
    struct oms o;
    struct report r;
    struct instrument ins = of_decimals(1, 2, 5);

    oms_init(&o, 8, 8);
    order_table_define(o.t, &ins);
    uint32_t over = oms_new(&o, SIDE_BUY, 10);
    oms_fill(&o, over, 1, 10);
    uint32_t s = oms_new(&o, SIDE_BUY, 100);
    oms_on(&o, s, ORDER_EV_ACK);
    oms_fill(&o, s, 2, 40);
    oms_amend(&o, s, 9000, 150);
    ins = of_decimals(2, 3, 5);
    order_table_define(o.t, &ins);
    CHECK_EQ(order_at(o.t, over)->px, 100000);
    CHECK_EQ(order_at(o.t, over)->last_px, 100000);
    CHECK_EQ(order_at(o.t, s)->px, 100000);
    CHECK_EQ(OMS_AMEND(&o, s)->px, 90000);
    CHECK(order_at(o.t, s)->cum_px_qty == 40 * 100000);
    struct order_event ev = oms_event(&o, s, ORDER_EV_FILL);
    ev.trade_id = 3;
    ev.last_px = 99995;
    ev.last_qty = 60;
    CHECK_EQ(oms_apply(&o, s, &ev), ORDER_APPLIED);
    CHECK(o.d.cost_change == -60 * INT64_C(100000)); /* what risk holds is in these decimals too */
    order_report_fill(order_at(o.t, s), &r);
    CHECK_EQ(r.instrument_version, 2);
    CHECK_EQ(r.last_px, 99995);
    CHECK(order_at(o.t, s)->cum_px_qty == 40 * INT64_C(100000) + 60 * INT64_C(99995));
    CHECK_EQ(oms_amended(&o, s, 90000, 150), ORDER_APPLIED);
    oms_on(&o, s, ORDER_EV_CANCELED);
    CHECK(o.d.gone_px == 90000);
    oms_free(&o);
}

TEST(orders_that_are_open_when_quantities_change_are_left_as_they_are)
{
    struct oms o;
    struct instrument ins = of_decimals(1, 2, 5);

    oms_init(&o, 8, 8);
    order_table_define(o.t, &ins);
    uint32_t s = oms_new(&o, SIDE_BUY, 10);
    ins = of_decimals(2, 3, 6);
    order_table_define(o.t, &ins);
    CHECK_EQ(order_at(o.t, s)->px, 10000);
    CHECK_EQ(order_at(o.t, s)->instrument_version, 1);
    ins = of_decimals(3, 3, 5);
    order_table_define(o.t, &ins);
    CHECK_EQ(order_at(o.t, s)->px, 100000);
    CHECK_EQ(order_at(o.t, s)->instrument_version, 3);
    oms_free(&o);
}

TEST_MAIN()
