/* Every check at its limit and one past it, what is missing denies, reductions pass and disguised increases do not, and
 * a random search for exposure past a limit. */
#include "tests/risk_fixture.h"

TEST(risk_accepts_a_plain_order)
{
    struct fixture f;
    fixture_init(&f);
    CHECK_EQ(check(&f), DENY_NONE);
    CHECK_EQ(risk_totals(f.r)->accepted, 1);
}

TEST(risk_denies_everything_before_it_is_set_up)
{
    struct arena a = { .base = memory, .size = sizeof(memory) };
    struct risk_counts counts = { .accounts = 1, .instruments = 16 };
    struct fixture f;
    fixture_init(&f);
    f.r = risk_init(&counts, &a);
    CHECK_EQ(check(&f), DENY_NOT_ARMED);
    risk_arm(f.r, true);
    CHECK_EQ(check(&f), DENY_NOT_ARMED); /* no limits */
    apply_limits(&f);
    CHECK_EQ(check(&f), DENY_RECONCILING);
    struct risk_venue v = venue_up();
    risk_set_venue(f.r, 0, &v);
    CHECK_EQ(check(&f), DENY_UNKNOWN_INSTRUMENT); /* no definition */
    CHECK(risk_set_instrument(f.r, &f.ins, f.now, &f.fault));
    CHECK_EQ(check(&f), DENY_NONE);
    risk_arm(f.r, false);
    CHECK_EQ(check(&f), DENY_NOT_ARMED);
}

TEST(risk_kill_switch_comes_before_everything_and_is_a_latch)
{
    struct fixture f;
    fixture_init(&f);
    risk_arm(f.r, false);
    kill_trip(risk_kill(f.r));
    kill_trip(risk_kill(f.r));
    CHECK_EQ(check(&f), DENY_KILLED);
    risk_arm(f.r, true);
    CHECK_EQ(check(&f), DENY_KILLED);
    CHECK_EQ(risk_check_cancel(f.r, CLIENT, f.now, &f.v), DENY_NONE);
    kill_release(risk_kill(f.r));
    CHECK_EQ(check(&f), DENY_NONE);
}

TEST(risk_trading_states_hold_at_every_level)
{
    static const struct {
        enum trading_level level;
        uint32_t id;
    } levels[] = {
        { LEVEL_GLOBAL, 0 },      { LEVEL_ACCOUNT, ACCOUNT }, { LEVEL_INSTRUMENT, INSTR },
        { LEVEL_CLIENT, CLIENT }, { LEVEL_VENUE, 0 },
    };

    for (unsigned i = 0; i < ARRAY_LEN(levels); i++) {
        struct fixture f;
        fixture_init(&f);
        CHECK(kill_set_state(risk_kill(f.r), levels[i].level, levels[i].id, TRADING_HALTED));
        CHECK_EQ(check(&f), DENY_HALTED);
        CHECK(kill_set_state(risk_kill(f.r), levels[i].level, levels[i].id, TRADING_REDUCING));
        CHECK_EQ(check(&f), DENY_REDUCE_ONLY_STATE);
        risk_set_position(f.r, ACCOUNT, INSTR, -1000, true);
        CHECK_EQ(check(&f), DENY_NONE); /* the buy reduces */
        CHECK(kill_set_state(risk_kill(f.r), levels[i].level, levels[i].id, TRADING_HALTED));
        CHECK_EQ(check(&f), DENY_HALTED);
        CHECK(kill_set_state(risk_kill(f.r), levels[i].level, levels[i].id, TRADING_ACTIVE));
        CHECK_EQ(check(&f), DENY_NONE);
    }
    struct kill k;
    kill_init(&k);
    CHECK(!kill_set_state(&k, LEVEL_ACCOUNT, ACCOUNT_MAX, TRADING_HALTED));
    CHECK(!kill_set_state(&k, LEVEL_CLIENT, CLIENT_MAX, TRADING_HALTED));
    CHECK(!kill_set_state(&k, LEVEL_INSTRUMENT, INSTRUMENT_MAX, TRADING_HALTED));
    CHECK(!kill_set_state(&k, LEVEL_VENUE, VENUE_MAX, TRADING_HALTED));
    CHECK(!kill_set_state(&k, LEVEL_GLOBAL, 0, TRADING_STATE_COUNT));
    CHECK_EQ(kill_state(&k, 0, 0, INSTRUMENT_MAX, 0), TRADING_HALTED);
}

TEST(risk_denies_ids_that_it_does_not_know)
{
    struct fixture f;
    fixture_init(&f);
    f.o.account = 2;
    CHECK_EQ(check(&f), DENY_NOT_PERMITTED);
    f.o.account = ACCOUNT;
    f.o.client = CLIENT_MAX;
    CHECK_EQ(check(&f), DENY_NOT_PERMITTED);
    f.o.client = CLIENT;
    f.o.instrument = 16;
    CHECK_EQ(check(&f), DENY_UNKNOWN_INSTRUMENT);
    f.o.instrument = INSTR;
    f.o.ins = NULL;
    CHECK_EQ(check(&f), DENY_UNKNOWN_INSTRUMENT);
    f.o.ins = &f.ins;
    f.o.instrument_version = 2;
    CHECK_EQ(check(&f), DENY_UNKNOWN_INSTRUMENT);
    f.ins.version = 2; /* the table moved on, risk was not told */
    CHECK_EQ(check(&f), DENY_UNKNOWN_INSTRUMENT);
}

TEST(risk_denies_a_closed_or_restricted_instrument)
{
    struct fixture f;
    fixture_init(&f);
    f.ins.status = INSTRUMENT_CLOSED;
    CHECK_EQ(check(&f), DENY_INSTRUMENT_CLOSED);
    f.ins.status = INSTRUMENT_CANCEL_ONLY;
    CHECK_EQ(check(&f), DENY_INSTRUMENT_CLOSED);
    f.ins.status = INSTRUMENT_TRADING;
    f.lim.instrument_default.restricted = true;
    apply_limits(&f);
    CHECK_EQ(check(&f), DENY_RESTRICTED);
}

TEST(risk_denies_each_missing_fact_about_the_venue)
{
    struct fixture f;
    struct risk_venue v;
    fixture_init(&f);

    v = venue_up();
    v.reconciled = false;
    risk_set_venue(f.r, 0, &v);
    CHECK_EQ(check(&f), DENY_RECONCILING);
    v = venue_up();
    v.logged_on = false;
    risk_set_venue(f.r, 0, &v);
    CHECK_EQ(check(&f), DENY_VENUE_DOWN);
    v = venue_up();
    v.stream_in_step = false;
    risk_set_venue(f.r, 0, &v);
    CHECK_EQ(check(&f), DENY_VENUE_DOWN);
    v = venue_up();
    v.clock_known = false;
    risk_set_venue(f.r, 0, &v);
    CHECK_EQ(check(&f), DENY_CLOCK);
    for (int sign = -1; sign <= 1; sign += 2) {
        v = venue_up();
        v.clock_offset_ns = sign * f.lim.venue_default.clock_offset_max_ns;
        risk_set_venue(f.r, 0, &v);
        CHECK_EQ(check(&f), DENY_NONE);
        v.clock_offset_ns += sign;
        risk_set_venue(f.r, 0, &v);
        CHECK_EQ(check(&f), DENY_CLOCK);
    }
}

TEST(risk_denies_stale_and_invalid_books)
{
    struct fixture f;
    fixture_init(&f);
    int64_t max = f.lim.instrument_default.tob_age_max_ns;

    CHECK_EQ(risk_check(f.r, &f.o, NULL, f.now, &f.v), DENY_STALE_MARKET);
    AT_LIMIT_AND_PAST(&f, f.md.tob.recv_ns = NOW_NS - max, f.md.tob.recv_ns = NOW_NS - max - 1, DENY_STALE_MARKET);
    f.md.tob.recv_ns = 0;
    CHECK_EQ(check(&f), DENY_STALE_MARKET);
    f.now.mono.ns = 1; /* just booted: never received is not young */
    CHECK_EQ(check(&f), DENY_STALE_MARKET);
    f.now.mono.ns = NOW_NS;
    f.md.tob.recv_ns = NOW_NS + max + 1;
    CHECK_EQ(check(&f), DENY_STALE_MARKET);
    f.md.tob.recv_ns = NOW_NS;
    for (unsigned s = 0; s < BOOK_STATE_COUNT; s++) {
        f.md.tob.state = (uint8_t)s;
        CHECK_EQ(check(&f), s == BOOK_LIVE ? DENY_NONE : DENY_BOOK_INVALID);
    }
    f.md.tob.state = BOOK_LIVE;
    f.md.tob.instrument_version = 2;
    CHECK_EQ(check(&f), DENY_BOOK_INVALID);
    f.md.tob.instrument_version = 1;
    AT_LIMIT_AND_PAST(&f, f.md.tob.bid_px = ASK - 1, f.md.tob.bid_px = ASK, DENY_BOOK_INVALID);
    f.md.tob.bid_px = 0; /* one-sided */
    CHECK_EQ(check(&f), DENY_BOOK_INVALID);
    f.md.tob.bid_px = BID;
    f.md.tob.ask_px = 0;
    CHECK_EQ(check(&f), DENY_BOOK_INVALID);
}

TEST(risk_denies_a_touch_that_is_too_wide_to_be_a_reference)
{
    struct fixture f;
    fixture_init(&f);
    f.lim.instrument_default.spread_max_ppm = 50000;
    apply_limits(&f);
    f.md.tob.bid_px = 10000;
    f.o.px = 10000;
    AT_LIMIT_AND_PAST(&f, f.md.tob.ask_px = 10500, f.md.tob.ask_px = 10501, DENY_BOOK_INVALID);
}

TEST(risk_denies_an_expired_command)
{
    struct fixture f;
    fixture_init(&f);
    AT_LIMIT_AND_PAST(&f, f.o.deadline_wall_ns = NOW_NS, f.o.deadline_wall_ns = NOW_NS - 1, DENY_EXPIRED_COMMAND);
}

TEST(risk_accepts_limit_orders_only_and_only_what_the_venue_takes)
{
    struct fixture f;
    fixture_init(&f);
    const struct risk_order good = f.o;

#define INVALID(change)                          \
    do {                                         \
        f.o = good;                              \
        change;                                  \
        CHECK_EQ(check(&f), DENY_INVALID_ORDER); \
    } while (0)
    INVALID(f.o.type = ORDER_MARKET);
    INVALID(f.o.type = ORDER_STOP_LIMIT);
    INVALID(f.o.type = 200);
    INVALID(f.o.side = 2);
    INVALID(f.o.tif = TIF_GTD);
    INVALID(f.o.tif = TIF_COUNT);
    INVALID(f.o.flags = 4);
    INVALID(f.o.flags = COMMAND_POST_ONLY; f.o.tif = TIF_IOC);
    INVALID(f.o.trigger_px = 1);
    INVALID(f.o.quote_qty = 1);
    INVALID(f.o.expire_wall_ns = 1);
    INVALID(f.o.position_side = POSITION_LONG);
    INVALID(f.o.margin_mode = MARGIN_CROSS);
    INVALID(f.ins.tifs = 1u << TIF_GTC; f.o.tif = TIF_IOC);
    f.o = good;
    f.o.flags = COMMAND_POST_ONLY;
    CHECK_EQ(check(&f), DENY_NONE);
    f.ins.tifs = 7;
    f.o.flags = 0;
    f.o.tif = TIF_FOK;
    CHECK_EQ(check(&f), DENY_NONE);
    f.ins.order_types = 0;
    CHECK_EQ(check(&f), DENY_INVALID_ORDER);
}

TEST(risk_names_what_the_caller_found_at_its_place)
{
    struct fixture f;
    fixture_init(&f);
    static const enum deny_reason found[] = { DENY_REPLAYED_COMMAND, DENY_UNKNOWN_ORDER, DENY_ORDER_DONE,
                                              DENY_DUPLICATE_KEY };
    for (unsigned i = 0; i < ARRAY_LEN(found); i++) {
        f.o.found = (uint8_t)found[i];
        CHECK_EQ(check(&f), found[i]);
    }
    f.o.found = DENY_DUPLICATE_KEY;
    f.o.qty = 7; /* off the step: comes first */
    CHECK_EQ(check(&f), DENY_INCREMENT);
    f.o.found = DENY_REPLAYED_COMMAND;
    CHECK_EQ(check(&f), DENY_REPLAYED_COMMAND);
}

TEST(risk_denies_off_tick_off_step_and_not_positive)
{
    struct fixture f;
    fixture_init(&f);
    for (int side = 0; side < 2; side++) {
        f.o.side = (uint8_t)side;
        f.o.px = side == SIDE_BUY ? ASK : BID;
        AT_LIMIT_AND_PAST(&f, , f.o.px++, DENY_INCREMENT);
        f.o.px = 0;
        CHECK_EQ(check(&f), DENY_INCREMENT);
        f.o.px = -10;
        CHECK_EQ(check(&f), DENY_INCREMENT);
        f.o.px = ASK;
        f.o.qty = 1001;
        CHECK_EQ(check(&f), DENY_INCREMENT);
        f.o.qty = 0;
        CHECK_EQ(check(&f), DENY_INCREMENT);
        f.o.qty = -1000;
        CHECK_EQ(check(&f), DENY_INCREMENT);
        f.o.qty = 1000;
    }
    f.o.side = SIDE_BUY;
    AT_LIMIT_AND_PAST(&f, f.o.px = 10, f.ins.px_min = 20; f.ins.version = 2; f.o.instrument_version = 2;
                      f.md.tob.instrument_version = 2; f.md.good.instrument_version = 2;
                      CHECK(risk_set_instrument(f.r, &f.ins, f.now, &f.fault)), DENY_INCREMENT);
}

TEST(risk_order_quantity_holds_at_both_ends)
{
    struct fixture f;
    fixture_init(&f);
    f.lim.instrument_default.order_qty_max = 2 * VALUE_ONE;  /* 2.000 */
    f.lim.instrument_default.order_qty_min = VALUE_ONE / 10; /* 0.100 */
    apply_limits(&f);
    AT_LIMIT_AND_PAST(&f, f.o.qty = 2000, f.o.qty = 2005, DENY_ORDER_QTY);
    CHECK_EQ(f.v.value, 2005);
    CHECK_EQ(f.v.limit, 2000);
    AT_LIMIT_AND_PAST(&f, f.o.qty = 100, f.o.qty = 95, DENY_ORDER_QTY);
    f.lim.instrument_default.order_qty_max = 2 * VALUE_ONE + 999999; /* 2.00999999: rounded down to 2.009 */
    apply_limits(&f);
    AT_LIMIT_AND_PAST(&f, f.o.qty = 2005, f.o.qty = 2010, DENY_ORDER_QTY);
}

TEST(risk_order_notional_holds_at_both_ends)
{
    struct fixture f;
    fixture_init(&f);
    f.lim.instrument_default.order_notional_max = 200 * VALUE_ONE; /* 100.00 * 2.000 */
    f.lim.instrument_default.order_notional_min = 10 * VALUE_ONE;
    apply_limits(&f);
    AT_LIMIT_AND_PAST(&f, f.o.qty = 2000, f.o.qty = 2005, DENY_ORDER_NOTIONAL);
    CHECK_EQ(f.v.value, 20050000000);
    CHECK_EQ(f.v.limit, 200 * VALUE_ONE);
    AT_LIMIT_AND_PAST(&f, f.o.qty = 100, f.o.qty = 95, DENY_ORDER_NOTIONAL);
}

TEST(risk_accepts_each_side_at_the_collar_and_denies_one_tick_beyond)
{
    struct fixture f;
    fixture_init(&f); /* collar 1 % */
    AT_LIMIT_AND_PAST(&f, f.o.px = 10100, f.o.px = 10110, DENY_PRICE_COLLAR);
    CHECK_EQ(f.v.value, 10110);
    CHECK_EQ(f.v.limit, 10100);
    f.o.side = SIDE_SELL; /* 9990 * 0.99 = 9890.1: 9890 is past it, rounded against us */
    AT_LIMIT_AND_PAST(&f, f.o.px = 9900, f.o.px = 9890, DENY_PRICE_COLLAR);
    CHECK_EQ(f.v.limit, 9891);
    f.o.px = 20000; /* passive: far away on its own side */
    CHECK_EQ(check(&f), DENY_NONE);
}

TEST(risk_open_orders_hold_per_instrument_client_account_and_in_total)
{
    for (int level = 0; level < 4; level++) {
        struct fixture f;
        fixture_init(&f);
        uint32_t *max[] = { &f.lim.instrument_default.open_orders_max, &f.lim.client_default.open_orders_max,
                            &f.lim.account_default.open_orders_max, &f.lim.open_orders_max };
        *max[level] = 2;
        apply_limits(&f);
        reserve(&f, SIDE_BUY, 5, 1);
        AT_LIMIT_AND_PAST(&f, , reserve(&f, SIDE_BUY, 5, 1), DENY_OPEN_ORDERS);
        CHECK_EQ(f.v.value, 3);
        CHECK_EQ(f.v.limit, 2);
        reserve(&f, SIDE_BUY, -5, -1);
        CHECK_EQ(check(&f), DENY_NONE);
    }
}

TEST(risk_open_orders_take_the_venues_limit_where_it_is_tighter)
{
    struct fixture f;
    fixture_init(&f);
    f.ins.orders_max = 1;
    f.ins.version = f.o.instrument_version = 2;
    f.md.tob.instrument_version = f.md.good.instrument_version = 2;
    CHECK(risk_set_instrument(f.r, &f.ins, f.now, &f.fault));
    AT_LIMIT_AND_PAST(&f, , reserve(&f, SIDE_SELL, 5, 1), DENY_OPEN_ORDERS);
}

/* Position, working and new order add up to the limit, on each side; the other side never nets. */
TEST(risk_position_counts_the_worst_case_of_each_side_alone)
{
    for (int side = 0; side < 2; side++) {
        struct fixture f;
        qty_t sign = side == SIDE_BUY ? 1 : -1;
        fixture_init(&f);
        f.lim.instrument_default.position_long_max = 10 * VALUE_ONE;
        f.lim.instrument_default.position_short_max = 10 * VALUE_ONE;
        apply_limits(&f);
        f.o.side = (uint8_t)side;
        f.o.px = side == SIDE_BUY ? ASK : BID;
        risk_set_position(f.r, ACCOUNT, INSTR, sign * 2000, true);
        reserve(&f, (enum side)side, 5000, 1);
        reserve(&f, (enum side) !side, 9000, 1); /* the other side does not help */
        AT_LIMIT_AND_PAST(&f, f.o.qty = 3000, f.o.qty = 3005, DENY_POSITION);
        CHECK_EQ(f.v.value, sign * 10005);
        CHECK_EQ(f.v.limit, sign * 10000);
        fill(&f, (enum side)side, 5000); /* a fill moves it from reserved to held: the worst case is the same */
        reserve(&f, (enum side)side, -5000, -1);
        AT_LIMIT_AND_PAST(&f, f.o.qty = 3000, f.o.qty = 3005, DENY_POSITION);
    }
}

TEST(risk_replace_counts_old_and_new_until_the_old_one_is_dead)
{
    for (int side = 0; side < 2; side++) {
        struct fixture f;
        fixture_init(&f);
        f.lim.instrument_default.position_long_max = 10 * VALUE_ONE;
        f.lim.instrument_default.position_short_max = 10 * VALUE_ONE;
        apply_limits(&f);
        f.o.side = (uint8_t)side;
        f.o.px = side == SIDE_BUY ? ASK : BID;
        reserve(&f, (enum side)side, 6000, 1);
        f.o.replace = true;
        f.o.replaced_side = (uint8_t)side;
        f.o.replaced_px = f.o.px;
        f.o.replaced_leaves = 6000;
        AT_LIMIT_AND_PAST(&f, f.o.qty = 4000, f.o.qty = 4005, DENY_POSITION);
        f.o.amend = true; /* a native amend holds the worse of the two */
        AT_LIMIT_AND_PAST(&f, f.o.qty = 10000, f.o.qty = 10005, DENY_POSITION);
        f.o.qty = 1000;
        CHECK_EQ(check(&f), DENY_NONE);
        f.o.replaced_side = (uint8_t)!side;
        CHECK_EQ(check(&f), DENY_INVALID_ORDER);
    }
}

TEST(risk_replace_meets_every_check_of_a_new_order)
{
    struct fixture f;
    fixture_init(&f);
    f.o.replace = true;
    f.o.replaced_leaves = 1000;
    f.o.replaced_px = BID;
    CHECK_EQ(check(&f), DENY_NONE);
    f.o.px = 10110;
    CHECK_EQ(check(&f), DENY_PRICE_COLLAR);
    f.o.px = ASK;
    f.o.qty = 1001;
    CHECK_EQ(check(&f), DENY_INCREMENT);
    f.o.qty = 1000;
    f.md.tob.state = BOOK_GAP;
    CHECK_EQ(check(&f), DENY_BOOK_INVALID);
}

TEST(risk_position_past_its_limit_still_lets_the_other_side_through)
{
    struct fixture f;
    fixture_init(&f);
    risk_set_position(f.r, ACCOUNT, INSTR, 5000000, false); /* five times the limit, not even reconciled */
    CHECK_EQ(check(&f), DENY_POSITION);
    f.o.side = SIDE_SELL;
    f.o.px = BID;
    CHECK_EQ(check(&f), DENY_NONE);
}

/* ---- proven reduction ------------------------------------------------------------------------------------------ */

/* Long 10.000, order sells. Everything that a reduction may pass is broken at once. */
static void
reduction_init(struct fixture *f, int side)
{
    fixture_init(f);
    f->lim.instrument_default.position_long_max = 0;
    f->lim.instrument_default.position_short_max = 0;
    f->lim.instrument_default.open_orders_max = 1;
    f->lim.instrument_default.reduce_orders_extra = 1;
    apply_limits(f);
    risk_set_position(f->r, ACCOUNT, INSTR, side == SIDE_SELL ? 10000 : -10000, true);
    f->o.side = (uint8_t)side;
    f->o.px = side == SIDE_SELL ? 9800 : 10200; /* through the ordinary collar, not through the reduction's */
    f->o.qty = 10000;
    f->md.tob.state = BOOK_DOWN;
    f->md.tob.recv_ns = NOW_NS - 60 * NS_PER_S;
    f->md.good.recv_ns = f->md.tob.recv_ns;
    reserve(f, (enum side) !side, 5000, 1); /* in flight the other way: only makes it more of a reduction */
}

TEST(risk_reduction_passes_a_dead_book_and_full_limits_up_to_the_position)
{
    for (int side = 0; side < 2; side++) {
        struct fixture f;
        reduction_init(&f, side);
        AT_LIMIT_AND_PAST(&f, f.o.qty = 10000, f.o.qty = 10005, DENY_STALE_MARKET);
        f.o.qty = 10000;
        CHECK_EQ(check(&f), DENY_NONE);
        CHECK(f.v.reducing);
    }
}

TEST(risk_reduction_counts_what_is_in_flight_on_its_side)
{
    for (int side = 0; side < 2; side++) {
        struct fixture f;
        reduction_init(&f, side);
        reserve(&f, (enum side)side, 4000, 0);
        AT_LIMIT_AND_PAST(&f, f.o.qty = 6000, f.o.qty = 6005, DENY_STALE_MARKET);
        /* on a good book the same disguised increase meets the position limit */
        f.md.tob = f.md.good;
        f.md.tob.recv_ns = NOW_NS;
        f.o.px = side == SIDE_SELL ? BID : ASK;
        reserve(&f, (enum side) !side, -5000, -1);
        CHECK_EQ(check(&f), DENY_POSITION);
    }
}

TEST(risk_reduction_by_cancel_replace_counts_the_old_order_too)
{
    struct fixture f;
    reduction_init(&f, SIDE_SELL);
    reserve(&f, SIDE_SELL, 4000, 0);
    f.o.replace = true;
    f.o.replaced_side = SIDE_SELL;
    f.o.replaced_leaves = 4000;
    AT_LIMIT_AND_PAST(&f, f.o.qty = 6000, f.o.qty = 6005, DENY_STALE_MARKET);
    f.o.amend = true; /* takes the old order's place */
    AT_LIMIT_AND_PAST(&f, f.o.qty = 10000, f.o.qty = 10005, DENY_STALE_MARKET);
}

TEST(risk_reduction_needs_a_reconciled_position)
{
    struct fixture f;
    reduction_init(&f, SIDE_SELL);
    risk_set_position(f.r, ACCOUNT, INSTR, 10000, false);
    CHECK_EQ(check(&f), DENY_STALE_MARKET);
    risk_set_reconciled(f.r, ACCOUNT, INSTR, true);
    CHECK_EQ(check(&f), DENY_NONE);
}

TEST(risk_reduction_has_its_own_collar_against_the_last_good_price)
{
    for (int side = 0; side < 2; side++) {
        struct fixture f;
        reduction_init(&f, side);                      /* 5 % of 9990 and 10000 */
        px_t limit = side == SIDE_SELL ? 9500 : 10500; /* 9490.5 rounded against us and to the tick */
        px_t beyond = side == SIDE_SELL ? 9490 : 10510;
        AT_LIMIT_AND_PAST(&f, f.o.px = limit, f.o.px = beyond, DENY_PRICE_COLLAR);
    }
}

TEST(risk_reduction_needs_a_last_good_price_that_is_young_enough)
{
    struct fixture f;
    reduction_init(&f, SIDE_SELL);
    int64_t max = f.lim.instrument_default.good_age_max_ns;
    AT_LIMIT_AND_PAST(&f, f.md.good.recv_ns = NOW_NS - max, f.md.good.recv_ns = NOW_NS - max - 1, DENY_STALE_MARKET);
    f.md.good.recv_ns = 0;
    CHECK_EQ(check(&f), DENY_STALE_MARKET);
    f.md.good.recv_ns = NOW_NS;
    f.md.good.bid_px = 0;
    CHECK_EQ(check(&f), DENY_STALE_MARKET);
    CHECK_EQ(risk_check(f.r, &f.o, NULL, f.now, &f.v), DENY_STALE_MARKET);
}

TEST(risk_reduction_may_go_past_open_orders_by_its_extra_only)
{
    struct fixture f;
    reduction_init(&f, SIDE_SELL); /* one is open, the limit is one, the extra is one */
    AT_LIMIT_AND_PAST(&f, , reserve(&f, SIDE_BUY, 0, 1), DENY_OPEN_ORDERS);
}

TEST(risk_reduction_does_not_pass_kill_halt_session_and_increments)
{
    struct fixture f;
    reduction_init(&f, SIDE_SELL);
    kill_trip(risk_kill(f.r));
    CHECK_EQ(check(&f), DENY_KILLED);
    kill_release(risk_kill(f.r));
    kill_set_state(risk_kill(f.r), LEVEL_GLOBAL, 0, TRADING_HALTED);
    CHECK_EQ(check(&f), DENY_HALTED);
    kill_set_state(risk_kill(f.r), LEVEL_GLOBAL, 0, TRADING_REDUCING);
    CHECK_EQ(check(&f), DENY_NONE);
    f.o.px++;
    CHECK_EQ(check(&f), DENY_INCREMENT);
    f.o.px--;
    struct risk_venue v = venue_up();
    v.stream_in_step = false;
    risk_set_venue(f.r, 0, &v);
    CHECK_EQ(check(&f), DENY_VENUE_DOWN);
}

TEST(risk_reduction_uses_the_ordinary_bucket_first_and_then_its_own)
{
    struct fixture f;
    fixture_init(&f);
    f.lim.instrument_default.order_rate = (struct rate_limit){ .per_s = 1, .burst = 2 };
    f.lim.account_default.reduce_rate = (struct rate_limit){ .per_s = 1, .burst = 3 };
    apply_limits(&f);
    risk_set_position(f.r, ACCOUNT, INSTR, -10000, true);
    for (int i = 0; i < 2 + 3; i++)
        CHECK_EQ(check(&f), DENY_NONE);
    CHECK_EQ(check(&f), DENY_ORDER_RATE);
    f.o.side = SIDE_SELL; /* an increase never had the second bucket */
    f.o.px = BID;
    CHECK_EQ(check(&f), DENY_ORDER_RATE);
}

TEST(risk_reduce_only_flag_never_increases_or_flips)
{
    struct fixture f;
    fixture_init(&f);
    f.o.flags = COMMAND_REDUCE_ONLY;
    CHECK_EQ(check(&f), DENY_REDUCE_ONLY); /* flat */
    risk_set_position(f.r, ACCOUNT, INSTR, -1000, true);
    AT_LIMIT_AND_PAST(&f, f.o.qty = 1000, f.o.qty = 1005, DENY_REDUCE_ONLY);
    CHECK_EQ(f.v.limit, 1000);
    risk_set_position(f.r, ACCOUNT, INSTR, 1000, true);
    CHECK_EQ(check(&f), DENY_REDUCE_ONLY);
}

/* ---- counting checks ------------------------------------------------------------------------------------------- */

TEST(risk_order_rate_holds_per_instrument_client_account_and_venue)
{
    for (int level = 0; level < 4; level++) {
        struct fixture f;
        fixture_init(&f);
        struct rate_limit *rate[] = { &f.lim.instrument_default.order_rate, &f.lim.client_default.order_rate,
                                      &f.lim.account_default.order_rate, &f.lim.venue_default.order_rate };
        *rate[level] = (struct rate_limit){ .per_s = 10, .burst = 2 };
        apply_limits(&f);
        CHECK_EQ(check(&f), DENY_NONE);
        CHECK_EQ(check(&f), DENY_NONE);
        CHECK_EQ(check(&f), DENY_ORDER_RATE);
        f.now.mono.ns += NS_PER_S / 10 - 1;
        CHECK_EQ(check(&f), DENY_ORDER_RATE);
        f.now.mono.ns += 1;
        CHECK_EQ(check(&f), DENY_NONE);
        CHECK_EQ(check(&f), DENY_ORDER_RATE);
    }
}

TEST(risk_a_denied_order_spends_no_token_of_any_bucket)
{
    struct fixture f;
    fixture_init(&f);
    f.lim.instrument_default.order_rate = (struct rate_limit){ .per_s = 1, .burst = 1 };
    f.lim.client_default.order_rate = (struct rate_limit){ .per_s = 1, .burst = 2 };
    apply_limits(&f);
    for (int i = 0; i < 20; i++) {
        f.o.px = 10110;
        CHECK_EQ(check(&f), DENY_PRICE_COLLAR);
    }
    f.o.px = ASK;
    CHECK_EQ(check(&f), DENY_NONE);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(check(&f), DENY_ORDER_RATE); /* the instrument's: the client's second token must survive this */
    f.now.mono.ns += NS_PER_S;
    f.md.tob.recv_ns = f.now.mono.ns;
    CHECK_EQ(check(&f), DENY_NONE);
}

TEST(risk_denied_commands_have_a_bucket_of_their_own)
{
    struct fixture f;
    fixture_init(&f);
    f.lim.client_default.denied_rate = (struct rate_limit){ .per_s = 1, .burst = 3 };
    apply_limits(&f);
    f.o.px = 1;
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(check(&f), DENY_INCREMENT);
        CHECK(!f.v.flood);
    }
    CHECK_EQ(check(&f), DENY_INCREMENT);
    CHECK(f.v.flood);
    CHECK(risk_denied(f.r, CLIENT, f.now));
    CHECK(!risk_denied(f.r, CLIENT + 1, f.now));
    CHECK_EQ(risk_totals(f.r)->denied[DENY_INCREMENT], 4);
    f.o.px = ASK;
    CHECK_EQ(check(&f), DENY_NONE); /* good orders are not its business */
}

TEST(risk_cancels_meet_their_ceiling_and_nothing_else)
{
    struct fixture f;
    fixture_init(&f);
    f.lim.client_default.cancel_rate = (struct rate_limit){ .per_s = 1, .burst = 2 };
    apply_limits(&f);
    kill_trip(risk_kill(f.r));
    risk_arm(f.r, false);
    CHECK_EQ(risk_check_cancel(f.r, CLIENT, f.now, &f.v), DENY_NONE);
    CHECK_EQ(risk_check_cancel(f.r, CLIENT, f.now, &f.v), DENY_NONE);
    CHECK_EQ(risk_check_cancel(f.r, CLIENT, f.now, &f.v), DENY_CANCEL_RATE);
    CHECK_EQ(risk_check_cancel(f.r, CLIENT + 1, f.now, &f.v), DENY_NONE);
}

/* ---- limits ------------------------------------------------------------------------------------------------------ */

TEST(limits_must_be_loaded_with_a_rising_version_or_the_old_set_stays)
{
    struct fixture f;
    fixture_init(&f);
    uint32_t in_force = f.lim.version;
    CHECK(!risk_set_limits(f.r, &f.lim, f.now, &f.fault));
    f.lim.version++;
    f.lim.instrument_default.collar_ppm = 0;
    CHECK(!risk_set_limits(f.r, &f.lim, f.now, &f.fault));
    CHECK_STR(f.fault.text, "instrument_default.collar_ppm: is 0, expected 1 to 500000");
    CHECK_EQ(risk_limits_in_force(f.r)->version, in_force);
    CHECK_EQ(check(&f), DENY_NONE);
}

TEST(limits_name_every_number_that_is_out_of_range)
{
    struct risk_limits l;
    struct fault fault;
#define WRONG(change, text_part)                            \
    do {                                                    \
        limits_default(&l);                                 \
        l.version = 1;                                      \
        CHECK(limits_validate(&l, &fault));                 \
        change;                                             \
        CHECK(!limits_validate(&l, &fault));                \
        CHECK(strstr(fault.text, text_part) == fault.text); \
    } while (0)
    WRONG(l.version = 0, "limits.version");
    WRONG(l.open_orders_max = 0, "limits.open_orders_max");
    WRONG(l.instrument_default.order_qty_max = 0, "instrument_default.order_qty_max");
    WRONG(l.instrument_default.order_qty_max = RISK_QTY_MAX + 1, "instrument_default.order_qty_max");
    WRONG(l.instrument_default.order_qty_min = -1, "instrument_default.order_qty_min");
    WRONG(l.instrument_default.order_qty_min = l.instrument_default.order_qty_max + 1,
          "instrument_default.order_qty_min");
    WRONG(l.instrument_default.order_notional_max = 0, "instrument_default.order_notional_max");
    WRONG(l.instrument_default.position_long_max = -1, "instrument_default.position_long_max");
    WRONG(l.instrument_default.position_short_max = INT64_MAX, "instrument_default.position_short_max");
    WRONG(l.instrument_default.tob_age_max_ns = 0, "instrument_default.tob_age_max_ns");
    WRONG(l.instrument_default.reduce_collar_ppm = l.instrument_default.collar_ppm - 1,
          "instrument_default.reduce_collar_ppm");
    WRONG(l.instrument_default.collar_ppm = COLLAR_PPM_MAX + 1, "instrument_default.collar_ppm");
    WRONG(l.instrument_default.order_rate.per_s = 0, "instrument_default.order_rate.per_s");
    WRONG(l.client_default.cancel_rate.burst = 0, "client_default.cancel_rate.burst");
    WRONG(l.account_default.reduce_rate.per_s = RATE_PER_S_MAX + 1, "account_default.reduce_rate.per_s");
    WRONG(l.venue_default.clock_offset_max_ns = 0, "venue_default.clock_offset_max_ns");
    WRONG(l.client_set = UINT64_C(1) << 63, "client[63].open_orders_max");
    WRONG(l.account_set = 2, "account[1].open_orders_max");
    WRONG(l.venue_set = 1, "venue[0].order_rate.per_s");
    WRONG(l.override_count = INSTRUMENT_MAX + 1, "limits.override_count");
    WRONG(l.override_count = 1, "override[0].symbol");
    WRONG(l.override_count = 1; memcpy(l.override[0].symbol, "X", 2), "override[X].order_qty_max");
    WRONG(l.override_count = 2; l.override[0].limits = l.instrument_default; memcpy(l.override[0].symbol, "X", 2);
          l.override[1] = l.override[0], "override[X]: stated twice");
}

TEST(limits_of_one_instrument_client_or_account_replace_the_default)
{
    struct fixture f;
    fixture_init(&f);
    f.lim.override_count = 1;
    f.lim.override[0] = (struct instrument_override){ .symbol = "ABCUSD", .limits = f.lim.instrument_default };
    f.lim.override[0].limits.order_qty_max = VALUE_ONE;
    apply_limits(&f);
    AT_LIMIT_AND_PAST(&f, f.o.qty = 1000, f.o.qty = 1005, DENY_ORDER_QTY);
    f.o.qty = 1000;
    f.lim.client_set = 1u << CLIENT;
    f.lim.client[CLIENT] = f.lim.client_default;
    f.lim.client[CLIENT].open_orders_max = 1;
    apply_limits(&f);
    AT_LIMIT_AND_PAST(&f, , reserve(&f, SIDE_BUY, 5, 1), DENY_OPEN_ORDERS);
    f.o.client = CLIENT + 1;
    CHECK_EQ(check(&f), DENY_NONE);
}

TEST(limits_that_nothing_can_pass_or_insane_rules_are_refused)
{
    struct fixture f;
    struct instrument bad;
    fixture_init(&f);
#define INSANE(change)                                           \
    do {                                                         \
        bad = f.ins;                                             \
        bad.version++;                                           \
        change;                                                  \
        CHECK(!risk_set_instrument(f.r, &bad, f.now, &f.fault)); \
    } while (0)
    INSANE(bad.tick = 0);
    INSANE(bad.step = 0);
    INSANE(bad.step = -5);
    INSANE(bad.multiplier = 0);
    INSANE(bad.px_decimals = DECIMALS_MAX + 1);
    INSANE(bad.qty_min = 10; bad.qty_max = 5);
    INSANE(bad.px_min = 10; bad.px_max = 5);
    INSANE(bad.qty_min = INT64_MAX; bad.qty_max = INT64_MAX); /* above the configured maximum */
    INSANE(bad.notional_min = f.lim.instrument_default.order_notional_max + 1);
    f.ins = bad;
    f.o.instrument_version = bad.version;
    CHECK_EQ(check(&f), DENY_INSTRUMENT_CLOSED);
}

TEST(limits_tightening_takes_hold_at_once)
{
    struct fixture f;
    fixture_init(&f);
    CHECK_EQ(check(&f), DENY_NONE);
    f.lim.instrument_default.order_qty_max = VALUE_ONE - 1;
    apply_limits(&f);
    CHECK_EQ(check(&f), DENY_ORDER_QTY);
}

TEST(instrument_may_not_change_quantity_decimals_under_a_position)
{
    struct fixture f;
    fixture_init(&f);
    f.ins.version = 2;
    f.ins.qty_decimals = 4;
    fill(&f, SIDE_BUY, 10);
    CHECK(!risk_set_instrument(f.r, &f.ins, f.now, &f.fault));
    fill(&f, SIDE_SELL, 10);
    CHECK(risk_set_instrument(f.r, &f.ins, f.now, &f.fault));
}

/* ---- position ---------------------------------------------------------------------------------------------------- */

TEST(position_subtracts_fees_paid_in_the_base_currency_exactly)
{
    struct fixture f;
    fixture_init(&f);
    struct order_delta d = { .account = ACCOUNT, .instrument = INSTR, .client = CLIENT, .side = SIDE_BUY };
    const struct position *p = risk_position(f.r, ACCOUNT, INSTR);

    d.fill_qty = 1000; /* 1.000, fee 0.0005 of the base */
    d.fee = VALUE_ONE / 2000;
    d.fee_ccy = 1;
    risk_apply(f.r, &d);
    CHECK_EQ(p->qty, 999); /* rounded down to a unit */
    risk_apply(f.r, &d);
    CHECK_EQ(p->qty, 1999); /* but 0.001 in all, not twice rounded */
    d.fee_ccy = 2;          /* quote: no change of inventory */
    risk_apply(f.r, &d);
    CHECK_EQ(p->qty, 2999);
    CHECK_EQ(p->filled, 3000);
}

TEST(position_saturates_instead_of_wrapping)
{
    struct fixture f;
    fixture_init(&f);
    risk_set_position(f.r, ACCOUNT, INSTR, INT64_MAX - 1, true);
    CHECK_EQ(check(&f), DENY_POSITION);
    fill(&f, SIDE_BUY, 1000);
    CHECK_EQ(risk_position(f.r, ACCOUNT, INSTR)->qty, INT64_MAX);
    CHECK_EQ(check(&f), DENY_POSITION);
}

/* ---- what-if ----------------------------------------------------------------------------------------------------- */

TEST(risk_whatif_finds_the_largest_quantity_and_what_binds)
{
    struct fixture f;
    struct risk_verdict binding;
    fixture_init(&f);
    f.lim.instrument_default.position_long_max = 10 * VALUE_ONE;
    f.lim.instrument_default.order_notional_min = 10 * VALUE_ONE;
    apply_limits(&f);
    risk_set_position(f.r, ACCOUNT, INSTR, 4000, true);
    uint64_t checked = risk_totals(f.r)->checked;
    CHECK_EQ(risk_whatif(f.r, &f.o, &f.md, f.now, &binding), 6000);
    CHECK_EQ(binding.reason, DENY_POSITION);
    CHECK_EQ(risk_totals(f.r)->checked, checked);
    f.o.qty = 6000;
    CHECK_EQ(check(&f), DENY_NONE);
    f.md.tob.state = BOOK_GAP;
    CHECK_EQ(risk_whatif(f.r, &f.o, &f.md, f.now, &binding), 0);
    CHECK_EQ(binding.reason, DENY_BOOK_INVALID);
}

TEST(risk_whatif_passes_over_a_quantity_that_is_a_repeat)
{
    struct fixture f;
    struct risk_verdict binding;
    fixture_init(&f);
    f.lim.duplicate_max = 1;
    f.lim.duplicate_window_ns = 60 * NS_PER_S;
    f.lim.instrument_default.position_long_max = 1 * VALUE_ONE; /* 200 steps */
    apply_limits(&f);
    f.o.qty = 5;
    CHECK_EQ(check(&f), DENY_NONE); /* the smallest; nothing of it is reserved */
    CHECK_EQ(risk_whatif(f.r, &f.o, &f.md, f.now, &binding), 1000);
    CHECK_EQ(binding.reason, DENY_POSITION);
    for (qty_t q = 1000; q > 990; q -= 5) {
        f.o.qty = q;
        CHECK_EQ(check(&f), DENY_NONE);
    }
    CHECK_EQ(risk_whatif(f.r, &f.o, &f.md, f.now, &binding), 990); /* below the two that are */
    CHECK_EQ(binding.reason, DENY_DUPLICATE_CONTENT);
    f.lim.instrument_default.position_long_max = VALUE_ONE / 200; /* the repeat alone */
    apply_limits(&f);
    CHECK_EQ(risk_whatif(f.r, &f.o, &f.md, f.now, &binding), 0);
    CHECK_EQ(binding.reason, DENY_DUPLICATE_CONTENT);
}

/* ---- property: no sequence of accepted orders, fills and cancels gets past a limit ------------------------------- */

static uint64_t rng_state;

static uint64_t
rng(uint64_t below)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state % below;
}

TEST(risk_worst_case_never_passes_a_limit_over_random_sequences)
{
    enum { LIVE = 24 };
    struct {
        uint8_t side;
        qty_t leaves;
    } live[LIVE];

    for (uint64_t seed = 1; seed <= 1000; seed++) {
        struct fixture f;
        qty_t pos = 0;
        unsigned count = 0;
        rng_state = seed * 0x9e3779b97f4a7c15u;
        fixture_init(&f);
        f.lim.instrument_default.position_long_max = 20 * VALUE_ONE;
        f.lim.instrument_default.position_short_max = 15 * VALUE_ONE;
        f.lim.instrument_default.open_orders_max = LIVE;
        f.lim.instrument_default.reduce_orders_extra = 0;
        f.lim.instrument_default.order_rate = f.lim.client_default.order_rate = f.lim.account_default.order_rate =
            f.lim.venue_default.order_rate = (struct rate_limit){ .per_s = 1000000, .burst = 1000000 };
        apply_limits(&f);
        risk_set_position(f.r, ACCOUNT, INSTR, 0, true);
        for (int step = 0; step < 1000; step++) {
            if (rng(2) == 0) {
                f.o.side = (uint8_t)rng(2);
                f.o.px = f.o.side == SIDE_BUY ? ASK : BID;
                f.o.qty = (qty_t)(rng(2000) + 1) * 5;
                if (check(&f) == DENY_NONE) {
                    CHECK(count < LIVE);
                    live[count].side = f.o.side;
                    live[count++].leaves = f.o.qty;
                    reserve(&f, (enum side)f.o.side, f.o.qty, 1);
                }
            } else if (count > 0) {
                unsigned i = (unsigned)rng(count);
                qty_t part = rng(3) == 0 ? live[i].leaves : (qty_t)rng((uint64_t)live[i].leaves) + 1;
                if (rng(3) != 0) {
                    fill(&f, (enum side)live[i].side, part);
                    pos += live[i].side == SIDE_BUY ? part : -part;
                } else
                    part = live[i].leaves; /* canceled */
                live[i].leaves -= part;
                reserve(&f, (enum side)live[i].side, -part, live[i].leaves == 0 ? -1 : 0);
                if (live[i].leaves == 0)
                    live[i] = live[--count];
            }
            qty_t up = pos;
            qty_t down = pos;
            for (unsigned i = 0; i < count; i++)
                *(live[i].side == SIDE_BUY ? &up : &down) +=
                    live[i].side == SIDE_BUY ? live[i].leaves : -live[i].leaves;
            if (up > 20000 || down < -15000)
                fail_msg("seed %llu step %d: worst case %lld / %lld", (unsigned long long)seed, step, (long long)up,
                         (long long)down);
            const struct position *p = risk_position(f.r, ACCOUNT, INSTR);
            CHECK_EQ(p->qty, pos);
            CHECK_EQ(position_worst(p, SIDE_BUY, 0), up);
            CHECK_EQ(position_worst(p, SIDE_SELL, 0), down);
        }
        while (count > 0) {
            count--;
            reserve(&f, (enum side)live[count].side, -live[count].leaves, -1);
        }
        const struct position *p = risk_position(f.r, ACCOUNT, INSTR);
        CHECK_EQ(p->reserved[0], 0);
        CHECK_EQ(p->reserved[1], 0);
        CHECK_EQ(p->open_count, 0);
        CHECK_EQ(risk_totals(f.r)->open_total, 0);
    }
}

TEST(risk_prefetch_takes_any_ids_and_changes_nothing)
{
    static const uint32_t ids[] = { 0, 1, 2, 15, 16, CLIENT_MAX - 1, CLIENT_MAX, UINT32_MAX };
    static uint8_t before[sizeof(memory)];
    struct fixture f;

    fixture_init(&f);
    memcpy(before, memory, sizeof(memory));
    for (unsigned a = 0; a < ARRAY_LEN(ids); a++)
        for (unsigned i = 0; i < ARRAY_LEN(ids); i++)
            for (unsigned c = 0; c < ARRAY_LEN(ids); c++)
                risk_prefetch(f.r,
                              &(struct repeat_content){ .client = ids[c], .account = ids[a], .instrument = ids[i] });
    CHECK_MEM(before, memory, sizeof(memory));
}

TEST_MAIN()
