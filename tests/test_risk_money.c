/* Limits of money: exposure, balances, the day's value, loss and drawdown, at every level; at the limit and one past
 * it, on new orders and replaces, buys and sells; what is missing denies; reductions pass, disguised increases do not.
 */
#include "tests/risk_fixture.h"

#define USD(x)  ((value_t)(x)*VALUE_ONE)
#define MID     10000 /* 100.00 USD */
#define ONE     1000  /* one unit: 100 USD */
#define STEP    5
#define USD_ID  2
#define BASE_ID 1

/* Bid 99.90, offer 100.10, so that one unit is worth 100 USD; buys and sells are priced there. */
static void
money_init(struct fixture *f)
{
    fixture_money(f);
    f->md.tob.ask_px = f->md.good.ask_px = 10010;
    f->o.px = MID;
    f->o.qty = ONE;
    f->now.mono.ns += 2 * NS_PER_S;
    f->md.tob.recv_ns = f->md.good.recv_ns = f->now.mono.ns;
    risk_mark(f->r, INSTR, &f->md, f->now);
}

static const enum trading_level levels[] = { LEVEL_CLIENT, LEVEL_ACCOUNT, LEVEL_VENUE, LEVEL_GLOBAL };

static struct group_limits *
limits_at(struct fixture *f, enum trading_level level)
{
    switch (level) {
    case LEVEL_CLIENT: return &f->lim.client_default.group;
    case LEVEL_ACCOUNT: return &f->lim.account_default.group;
    case LEVEL_VENUE: return &f->lim.venue_default.group;
    default: return &f->lim.global;
    }
}

static uint32_t
id_at(enum trading_level level)
{
    return level == LEVEL_CLIENT ? CLIENT : 0;
}

/* ---- exposure ---------------------------------------------------------------------------------------------------- */

TEST(gross_exposure_holds_at_every_level_for_buys_and_sells)
{
    for (unsigned i = 0; i < ARRAY_LEN(levels); i++) {
        for (unsigned side = 0; side < 2; side++) {
            struct fixture f;
            money_init(&f);
            limits_at(&f, levels[i])->gross_max = USD(300);
            apply_limits(&f);
            f.o.side = (uint8_t)side;
            fill_at(&f, (enum side)side, MID, ONE);
            reserve(&f, (enum side)side, ONE, 1);
            reserve(&f, (enum side)(1 - side), ONE, 1); /* the other side does not make it less */
            CHECK_EQ(group_of(&f, levels[i], id_at(levels[i])).gross, USD(200));
            AT_LIMIT_AND_PAST(&f, f.o.qty = ONE, f.o.qty = ONE + STEP, DENY_EXPOSURE);
            CHECK_EQ(f.v.limit, USD(300));
            CHECK_EQ(f.v.value, USD(300) + VALUE_ONE / 2);
        }
    }
}

TEST(net_exposure_adds_up_over_instruments_and_is_worst_case)
{
    for (unsigned side = 0; side < 2; side++) {
        struct fixture f;
        money_init(&f);
        f.lim.global.net_max = USD(500);
        apply_limits(&f);
        struct instrument other = f.ins;
        other.id = INSTR + 1;
        memcpy(other.symbol, "XYZUSD", 7);
        CHECK(risk_set_instrument(f.r, &other, f.now, &f.fault));
        risk_mark(f.r, other.id, &f.md, f.now);
        struct order_delta d = { .account = ACCOUNT,
                                 .instrument = INSTR + 1,
                                 .client = CLIENT,
                                 .side = (uint8_t)side,
                                 .open_change = 1,
                                 .reserved_change = 4 * ONE };
        risk_apply(f.r, &d);
        f.o.side = (uint8_t)side;
        AT_LIMIT_AND_PAST(&f, f.o.qty = ONE, f.o.qty = ONE + STEP, DENY_EXPOSURE);
        /* An order of the other side nets nothing away, and has a limit of its own. */
        f.o.side = (uint8_t)(1 - side);
        AT_LIMIT_AND_PAST(&f, f.o.qty = 5 * ONE, f.o.qty = 5 * ONE + STEP, DENY_EXPOSURE);
    }
}

TEST(exposure_of_a_replace_counts_both_orders_and_of_an_amend_the_larger)
{
    for (unsigned side = 0; side < 2; side++) {
        struct fixture f;
        money_init(&f);
        f.lim.account_default.group.gross_max = USD(300);
        apply_limits(&f);
        f.o.side = (uint8_t)side;
        reserve(&f, (enum side)side, 2 * ONE, 1);
        f.o.replace = true;
        f.o.replaced_side = (uint8_t)side;
        f.o.replaced_px = MID;
        f.o.replaced_leaves = 2 * ONE;
        AT_LIMIT_AND_PAST(&f, f.o.qty = ONE, f.o.qty = ONE + STEP, DENY_EXPOSURE);
        f.o.amend = true;
        AT_LIMIT_AND_PAST(&f, f.o.qty = 3 * ONE, f.o.qty = 3 * ONE + STEP, DENY_EXPOSURE);
        f.o.qty = STEP; /* less than before adds nothing */
        CHECK_EQ(check(&f), DENY_NONE);
    }
}

TEST(exposure_denies_without_a_mark_or_a_rate)
{
    struct fixture f;
    money_init(&f);
    f.lim.global.gross_max = USD(1000000);
    apply_limits(&f);
    CHECK_EQ(check(&f), DENY_NONE);
    /* Quoted in a currency that nothing converts. */
    struct instrument odd = f.ins;
    odd.version = 2;
    odd.quote_ccy = 9;
    memcpy(odd.quote, "ODD", 4);
    f.ins = odd;
    f.md.tob.instrument_version = f.md.good.instrument_version = 2;
    f.o.instrument_version = 2;
    CHECK(risk_set_instrument(f.r, &odd, f.now, &f.fault));
    CHECK_EQ(check(&f), DENY_EXPOSURE);
    /* The operator states a rate. */
    f.lim.fixed_count = 1;
    memcpy(f.lim.fixed[0].currency, "ODD", 4);
    f.lim.fixed[0].rate = 2 * pow10_i64[RATE_DECIMALS];
    apply_limits(&f);
    risk_mark(f.r, INSTR, &f.md, f.now);
    CHECK_EQ(check(&f), DENY_NONE);
    reserve(&f, SIDE_BUY, ONE, 1);
    CHECK_EQ(group_of(&f, LEVEL_GLOBAL, 0).gross, USD(200));
}

TEST(a_rate_from_a_book_is_as_old_as_that_book)
{
    struct fixture f;
    money_init(&f);
    f.lim.rate_age_max_ns = 10 * NS_PER_S;
    f.lim.mark_age_max_ns = 3600 * NS_PER_S;
    f.lim.instrument_default.tob_age_max_ns = 3600 * NS_PER_S;
    apply_limits(&f);
    /* ABC is worth 100 USD by its own book; an instrument quoted in ABC is valued through it. */
    struct instrument x = f.ins;
    x.id = INSTR + 1;
    x.base_ccy = 5;
    x.quote_ccy = BASE_ID;
    memcpy(x.base, "XYZ", 4);
    memcpy(x.quote, "ABC", 4);
    memcpy(x.symbol, "XYZABC", 7);
    CHECK(risk_set_instrument(f.r, &x, f.now, &f.fault));
    f.o.ins = &x;
    f.o.instrument = x.id;
    f.lim.global.gross_max = USD(10000);
    apply_limits(&f);
    AT_LIMIT_AND_PAST(&f, f.o.qty = ONE, f.o.qty = ONE + STEP, DENY_EXPOSURE);
    f.o.qty = ONE;
    f.now.mono.ns += 10 * NS_PER_S;
    CHECK_EQ(check(&f), DENY_NONE);
    f.now.mono.ns += 1 + NS_PER_S;
    CHECK_EQ(check(&f), DENY_EXPOSURE);
}

TEST(a_position_whose_mark_is_too_old_denies_orders_everywhere_but_reductions)
{
    struct fixture f;
    money_init(&f);
    f.lim.global.gross_max = USD(1000000);
    f.lim.mark_age_max_ns = 60 * NS_PER_S;
    apply_limits(&f);
    struct instrument other = f.ins;
    other.id = INSTR + 1;
    memcpy(other.symbol, "XYZUSD", 7);
    CHECK(risk_set_instrument(f.r, &other, f.now, &f.fault));
    struct md_ref old = f.md;
    risk_mark(f.r, other.id, &old, f.now);
    risk_set_position(f.r, ACCOUNT, other.id, ONE, true);
    risk_set_position(f.r, ACCOUNT, INSTR, -ONE, true);
    risk_mark(f.r, other.id, &old, f.now);
    f.now.mono.ns += 60 * NS_PER_S;
    f.md.tob.recv_ns = f.md.good.recv_ns = f.now.mono.ns;
    risk_mark(f.r, other.id, &old, f.now);
    f.o.side = SIDE_SELL;
    CHECK_EQ(check(&f), DENY_NONE);
    f.now.mono.ns++;
    risk_mark(f.r, other.id, &old, f.now);
    CHECK_EQ(check(&f), DENY_EXPOSURE);
    CHECK_EQ(group_of(&f, LEVEL_GLOBAL, 0).unmarked, 1);
    f.o.side = SIDE_BUY; /* toward zero */
    CHECK_EQ(check(&f), DENY_NONE);
    f.o.qty = ONE + STEP; /* and past it */
    CHECK_EQ(check(&f), DENY_EXPOSURE);
}

TEST(exposure_lets_a_proven_reduction_pass_and_no_disguised_increase)
{
    struct fixture f;
    money_init(&f);
    fill_at(&f, SIDE_BUY, MID, 10 * ONE);
    risk_set_reconciled(f.r, ACCOUNT, INSTR, true);
    f.lim.global.gross_max = USD(100); /* far below what is held */
    f.lim.global.net_max = USD(100);
    apply_limits(&f);
    CHECK_EQ(check(&f), DENY_EXPOSURE);
    f.o.side = SIDE_SELL;
    f.o.qty = 10 * ONE;
    CHECK_EQ(check(&f), DENY_NONE);
    f.o.qty = 20 * ONE; /* flips: as large as what is held, but not a reduction */
    f.lim.global.net_max = USD(100);
    apply_limits(&f);
    CHECK_EQ(check(&f), DENY_EXPOSURE);
    reserve(&f, SIDE_SELL, 10 * ONE, 1); /* the position is on its way out already */
    f.o.qty = STEP;
    CHECK_EQ(check(&f), DENY_EXPOSURE);
}

TEST(leverage_is_gross_exposure_by_what_the_account_owns)
{
    struct fixture f;
    money_init(&f);
    f.lim.account_default.leverage_max_ppm = 2000000; /* twice */
    apply_limits(&f);
    CHECK_EQ(check(&f), DENY_EXPOSURE); /* no balance is known */
    risk_set_balance(f.r, ACCOUNT, USD_ID, USD(50), 0);
    AT_LIMIT_AND_PAST(&f, f.o.qty = ONE, f.o.qty = ONE + STEP, DENY_EXPOSURE);
}

/* ---- balances ---------------------------------------------------------------------------------------------------- */

static void
balances_on(struct fixture *f)
{
    struct risk_venue v = venue_up();
    v.has_balances = true;
    risk_set_venue(f->r, 0, &v);
}

/* An order in flight, as oms tells of it. */
static void
in_flight(struct fixture *f, enum side side, px_t px, qty_t qty, int open)
{
    struct order_delta d = { .account = ACCOUNT,
                             .instrument = INSTR,
                             .client = CLIENT,
                             .side = (uint8_t)side,
                             .open_change = (int8_t)open,
                             .reserved_change = qty,
                             .cost_change = (wide_t)px * qty };
    risk_apply(f->r, &d);
}

TEST(a_balance_that_is_missing_denies)
{
    struct fixture f;
    money_init(&f);
    balances_on(&f);
    CHECK_EQ(check(&f), DENY_BALANCE);
    risk_set_balance(f.r, ACCOUNT, USD_ID, USD(100), 0);
    CHECK_EQ(check(&f), DENY_NONE);
    f.o.side = SIDE_SELL;
    CHECK_EQ(check(&f), DENY_BALANCE); /* the base currency's is another one */
    risk_set_balance(f.r, ACCOUNT, BASE_ID, USD(1), 0);
    CHECK_EQ(check(&f), DENY_NONE);
}

TEST(balances_hold_over_everything_in_flight)
{
    for (unsigned side = 0; side < 2; side++) {
        struct fixture f;
        money_init(&f);
        balances_on(&f);
        f.o.side = (uint8_t)side;
        risk_set_balance(f.r, ACCOUNT, USD_ID, USD(300), 0);
        risk_set_balance(f.r, ACCOUNT, BASE_ID, USD(3), 0);
        in_flight(&f, (enum side)side, MID, 2 * ONE, 1);
        AT_LIMIT_AND_PAST(&f, f.o.qty = ONE, f.o.qty = ONE + STEP, DENY_BALANCE);
        /* What the venue locks for that order it no longer calls free: counted once. */
        risk_set_balance(f.r, ACCOUNT, USD_ID, side == SIDE_BUY ? USD(100) : USD(300), side == SIDE_BUY ? USD(200) : 0);
        risk_set_balance(f.r, ACCOUNT, BASE_ID, side == SIDE_SELL ? USD(1) : USD(3), side == SIDE_SELL ? USD(2) : 0);
        AT_LIMIT_AND_PAST(&f, f.o.qty = ONE, f.o.qty = ONE + STEP, DENY_BALANCE);
        /* What it locks beyond that is for orders of somebody else. */
        risk_set_balance(f.r, ACCOUNT, USD_ID, USD(100), USD(900));
        risk_set_balance(f.r, ACCOUNT, BASE_ID, USD(1), USD(9));
        AT_LIMIT_AND_PAST(&f, f.o.qty = ONE, f.o.qty = ONE + STEP, DENY_BALANCE);
        in_flight(&f, (enum side)side, MID, -2 * ONE, -1);
        value_t free;
        CHECK(risk_free_balance(f.r, ACCOUNT, USD_ID, &free));
        CHECK_EQ(free, side == SIDE_BUY ? USD(300) : USD(100));
    }
}

TEST(balances_of_a_replace_count_both_orders_and_of_an_amend_the_difference)
{
    for (unsigned side = 0; side < 2; side++) {
        struct fixture f;
        money_init(&f);
        balances_on(&f);
        risk_set_balance(f.r, ACCOUNT, USD_ID, USD(300), 0);
        risk_set_balance(f.r, ACCOUNT, BASE_ID, USD(3), 0);
        in_flight(&f, (enum side)side, MID, 2 * ONE, 1);
        f.o.side = (uint8_t)side;
        f.o.replace = true;
        f.o.replaced_side = (uint8_t)side;
        f.o.replaced_px = MID;
        f.o.replaced_leaves = 2 * ONE;
        AT_LIMIT_AND_PAST(&f, f.o.qty = ONE, f.o.qty = ONE + STEP, DENY_BALANCE);
        f.o.amend = true;
        AT_LIMIT_AND_PAST(&f, f.o.qty = 3 * ONE, f.o.qty = 3 * ONE + STEP, DENY_BALANCE);
    }
}

TEST(a_buy_needs_its_price_not_the_market)
{
    struct fixture f;
    money_init(&f);
    balances_on(&f);
    risk_set_balance(f.r, ACCOUNT, USD_ID, USD(99), 0);
    f.o.px = 9900;
    AT_LIMIT_AND_PAST(&f, f.o.qty = ONE, f.o.px = 9910, DENY_BALANCE);
}

TEST(fills_and_fees_move_balances)
{
    struct fixture f;
    value_t free;
    money_init(&f);
    balances_on(&f);
    risk_set_balance(f.r, ACCOUNT, USD_ID, USD(300), 0);
    risk_set_balance(f.r, ACCOUNT, BASE_ID, 0, 0);
    in_flight(&f, SIDE_BUY, MID, ONE, 1);
    struct order_delta d = { .account = ACCOUNT,
                             .instrument = INSTR,
                             .client = CLIENT,
                             .side = SIDE_BUY,
                             .open_change = -1,
                             .reserved_change = -ONE,
                             .cost_change = -(wide_t)MID * ONE,
                             .fill_qty = ONE,
                             .fill_px = 9990,
                             .fee = VALUE_ONE / 100,
                             .fee_ccy = BASE_ID };
    risk_apply(f.r, &d);
    CHECK(risk_free_balance(f.r, ACCOUNT, USD_ID, &free));
    CHECK_EQ(free, USD(300) - 9990 * VALUE_ONE / 100);
    CHECK(risk_free_balance(f.r, ACCOUNT, BASE_ID, &free));
    CHECK_EQ(free, VALUE_ONE - VALUE_ONE / 100);
    CHECK_EQ(risk_fees(f.r, ACCOUNT, BASE_ID), VALUE_ONE / 100);
    CHECK(!risk_free_balance(f.r, ACCOUNT, 77, &free));
}

TEST(a_derivative_needs_margin_for_its_worst_case)
{
    struct fixture f;
    money_init(&f);
    balances_on(&f);
    f.ins.kind = INSTRUMENT_LINEAR;
    f.ins.version = 2;
    f.ins.settle_ccy = USD_ID;
    memcpy(f.ins.settle, "USD", 4);
    f.o.instrument_version = f.md.tob.instrument_version = f.md.good.instrument_version = 2;
    CHECK(risk_set_instrument(f.r, &f.ins, f.now, &f.fault));
    risk_set_balance(f.r, ACCOUNT, USD_ID, USD(30), 0);
    CHECK_EQ(check(&f), DENY_BALANCE); /* no margin is stated */
    f.lim.instrument_default.margin_ppm = 100000;
    apply_limits(&f);
    reserve(&f, SIDE_BUY, ONE, 1);
    AT_LIMIT_AND_PAST(&f, f.o.qty = 2 * ONE - STEP, f.o.qty = 2 * ONE + STEP, DENY_BALANCE);
}

/* ---- the day ----------------------------------------------------------------------------------------------------- */

TEST(value_traded_in_a_day_and_open_holds_at_every_level)
{
    for (unsigned i = 0; i < ARRAY_LEN(levels); i++) {
        for (unsigned side = 0; side < 2; side++) {
            struct fixture f;
            money_init(&f);
            limits_at(&f, levels[i])->day_value_max = USD(400);
            apply_limits(&f);
            f.o.side = (uint8_t)side;
            fill_at(&f, SIDE_BUY, MID, ONE);
            fill_at(&f, SIDE_SELL, MID, ONE);
            reserve(&f, (enum side)side, ONE, 1);
            AT_LIMIT_AND_PAST(&f, f.o.qty = ONE, f.o.qty = ONE + STEP, DENY_DAILY_VALUE);
        }
    }
}

/* Holds 10 units bought at the mark; the market then moves so that `loss` is lost. */
static void
lose(struct fixture *f, px_t points)
{
    f->md.good.bid_px = f->md.tob.bid_px -= points;
    f->md.good.ask_px = f->md.tob.ask_px -= points;
    f->o.px -= points;
    risk_mark(f->r, INSTR, &f->md, f->now);
}

TEST(a_days_loss_stops_new_orders_at_every_level_and_only_reductions_pass)
{
    for (unsigned i = 0; i < ARRAY_LEN(levels); i++) {
        struct fixture f;
        money_init(&f);
        limits_at(&f, levels[i])->day_loss_max = USD(10);
        apply_limits(&f);
        fill_at(&f, SIDE_BUY, MID, 10 * ONE);
        risk_set_reconciled(f.r, ACCOUNT, INSTR, true);
        lose(&f, 10); /* 0.10 * 10 = 1 USD a tick */
        CHECK_EQ(group_of(&f, levels[i], id_at(levels[i])).day_result, -USD(1));
        lose(&f, 90);
        CHECK_EQ(check(&f), DENY_NONE); /* exactly at the limit */
        lose(&f, 10);
        CHECK_EQ(check(&f), DENY_DAILY_LOSS);
        f.o.side = SIDE_SELL;
        f.o.qty = 10 * ONE;
        CHECK_EQ(check(&f), DENY_NONE);
        f.o.qty = 10 * ONE + STEP;
        CHECK_EQ(check(&f), DENY_DAILY_LOSS);
        lose(&f, -100); /* the market comes back: it stays latched */
        f.o.qty = ONE;
        f.o.side = SIDE_BUY;
        CHECK_EQ(check(&f), DENY_DAILY_LOSS);
        struct risk_trip t;
        CHECK(risk_take_trip(f.r, &t));
        CHECK_EQ(t.kind, TRIP_DAY_LOSS);
        CHECK_EQ(t.level, levels[i]);
        CHECK_EQ(t.value, USD(11));
        CHECK(!risk_take_trip(f.r, &t));
        CHECK(risk_untrip(f.r, levels[i], id_at(levels[i]), f.now));
        CHECK_EQ(check(&f), DENY_NONE);
    }
}

TEST(a_fall_from_the_days_best_latches_too)
{
    struct fixture f;
    money_init(&f);
    f.lim.account_default.group.drawdown_max = USD(5);
    f.lim.account_default.group.day_loss_max = USD(1000);
    apply_limits(&f);
    fill_at(&f, SIDE_SELL, MID, 10 * ONE); /* a short gains as the market falls */
    lose(&f, 100);
    CHECK_EQ(group_of(&f, LEVEL_ACCOUNT, ACCOUNT).day_best, USD(10));
    lose(&f, -50);
    CHECK_EQ(check(&f), DENY_NONE);
    lose(&f, -10);
    CHECK_EQ(check(&f), DENY_DRAWDOWN);
    CHECK(group_of(&f, LEVEL_ACCOUNT, ACCOUNT).day_result > 0); /* though the day is in profit */
}

TEST(realised_losses_and_fees_count)
{
    struct fixture f;
    money_init(&f);
    f.lim.global.day_loss_max = USD(11);
    apply_limits(&f);
    fill_at(&f, SIDE_BUY, MID, ONE);
    fill_at(&f, SIDE_SELL, 9000, ONE);
    CHECK_EQ(group_of(&f, LEVEL_GLOBAL, 0).day_result, -USD(10));
    CHECK_EQ(check(&f), DENY_NONE);
    struct order_delta fee = { .account = ACCOUNT,
                               .instrument = INSTR,
                               .client = CLIENT,
                               .fill_qty = STEP,
                               .fill_px = MID,
                               .fee = USD(1) + 1,
                               .fee_ccy = USD_ID };
    risk_apply(f.r, &fee);
    CHECK_EQ(group_of(&f, LEVEL_GLOBAL, 0).fees, USD(1) + 1);
    CHECK_EQ(check(&f), DENY_DAILY_LOSS);
}

TEST(the_day_rolls_at_its_hour_and_carries_no_loss_over)
{
    struct fixture f;
    money_init(&f);
    f.lim.global.day_loss_max = USD(5);
    f.lim.global.day_value_max = USD(2000);
    f.lim.roll_s = 3600;
    apply_limits(&f);
    f.now.wall.ns = (INT64_C(20000) * 86400 + 3599) * NS_PER_S;
    risk_clock(f.r, f.now);
    fill_at(&f, SIDE_BUY, MID, 10 * ONE);
    lose(&f, 60);
    CHECK_EQ(check(&f), DENY_DAILY_LOSS);
    f.now.wall.ns -= 10 * 86400 * NS_PER_S; /* a clock that steps back opens no day */
    risk_clock(f.r, f.now);
    CHECK_EQ(check(&f), DENY_DAILY_LOSS);
    f.now.wall.ns = (INT64_C(20000) * 86400 + 3600) * NS_PER_S;
    risk_clock(f.r, f.now);
    struct risk_group g = group_of(&f, LEVEL_GLOBAL, 0);
    CHECK_EQ(g.day_result, 0);
    CHECK_EQ(g.day_value, 0);
    CHECK_EQ(check(&f), DENY_NONE);
    lose(&f, 60);
    CHECK_EQ(group_of(&f, LEVEL_GLOBAL, 0).day_result, -USD(6)); /* today's alone */
}

TEST(losing_fast_trips_a_breaker_before_the_days_limit)
{
    struct fixture f;
    money_init(&f);
    f.lim.client_default.loss_window_max = USD(3);
    f.lim.breaker_window_ns = 60 * NS_PER_S;
    apply_limits(&f);
    fill_at(&f, SIDE_BUY, MID, 10 * ONE);
    risk_set_reconciled(f.r, ACCOUNT, INSTR, true);
    lose(&f, 30);
    CHECK_EQ(check(&f), DENY_NONE);
    lose(&f, 10);
    CHECK_EQ(check(&f), DENY_BREAKER);
    f.o.side = SIDE_SELL;
    CHECK_EQ(check(&f), DENY_NONE); /* a reduction */
    CHECK_EQ(risk_tripped(f.r, LEVEL_CLIENT, CLIENT), 1u << TRIP_LOSS_RATE);
}

/* A second instrument, of which the strategy holds a unit and whose mark gets too old. */
static void
unmark_another(struct fixture *f)
{
    struct instrument other = f->ins;
    struct md_ref old = f->md;

    other.id = INSTR + 1;
    memcpy(other.symbol, "XYZUSD", 7);
    CHECK(risk_set_instrument(f->r, &other, f->now, &f->fault));
    risk_mark(f->r, other.id, &old, f->now);
    struct order_delta d = { .account = ACCOUNT,
                             .instrument = other.id,
                             .client = CLIENT,
                             .side = SIDE_BUY,
                             .fill_qty = ONE,
                             .fill_px = MID,
                             .fee_ccy = 2 };
    risk_apply(f->r, &d);
    CHECK_EQ(check(f), DENY_NONE);
    f->now.mono.ns += f->lim.mark_age_max_ns + 1;
    f->md.tob.recv_ns = f->md.good.recv_ns = f->now.mono.ns;
    risk_mark(f->r, other.id, &old, f->now);
}

TEST(a_loss_that_nobody_can_value_counts_as_too_fast)
{
    struct fixture f;
    money_init(&f);
    f.lim.client_default.loss_window_max = USD(3);
    apply_limits(&f);
    unmark_another(&f);
    CHECK_EQ(check(&f), DENY_BREAKER);
    risk_set_position(f.r, ACCOUNT, INSTR, ONE, true);
    f.o.side = SIDE_SELL; /* toward zero */
    CHECK_EQ(check(&f), DENY_NONE);
    f.o.qty = ONE + STEP; /* and past it */
    CHECK_EQ(check(&f), DENY_BREAKER);
    CHECK_EQ(risk_tripped(f.r, LEVEL_CLIENT, CLIENT), 0); /* until it is marked again */
}

TEST(leverage_of_what_nobody_can_value_denies)
{
    struct fixture f;
    money_init(&f);
    f.lim.account_default.leverage_max_ppm = 100000000;
    apply_limits(&f);
    risk_set_balance(f.r, ACCOUNT, 2, USD(1000000), 0);
    unmark_another(&f);
    CHECK_EQ(check(&f), DENY_EXPOSURE);
}

TEST(a_slow_loss_trips_no_breaker)
{
    struct fixture f;
    money_init(&f);
    f.lim.client_default.loss_window_max = USD(3);
    f.lim.breaker_window_ns = 10 * NS_PER_S;
    f.lim.mark_age_max_ns = 86400 * NS_PER_S;
    f.lim.instrument_default.tob_age_max_ns = 86400 * NS_PER_S;
    f.lim.instrument_default.collar_ppm = 400000;
    f.lim.instrument_default.reduce_collar_ppm = 400000;
    apply_limits(&f);
    fill_at(&f, SIDE_BUY, MID, 10 * ONE);
    for (int i = 0; i < 20; i++) {
        f.now.mono.ns += 10 * NS_PER_S;
        lose(&f, 10);
        CHECK_EQ(check(&f), DENY_NONE);
    }
}

/* ---- results ----------------------------------------------------------------------------------------------------- */

TEST(a_strategys_part_and_the_accounts_whole_are_told_apart)
{
    struct fixture f;
    struct risk_pnl p;
    money_init(&f);
    fill_at(&f, SIDE_BUY, MID, ONE);
    struct order_delta other = { .account = ACCOUNT,
                                 .instrument = INSTR,
                                 .client = CLIENT + 1,
                                 .side = SIDE_SELL,
                                 .fill_qty = 3 * ONE,
                                 .fill_px = 11000 };
    risk_apply(f.r, &other);
    risk_pnl(f.r, CLIENT, ACCOUNT, INSTR, &p);
    CHECK_EQ(p.qty, ONE);
    CHECK_EQ(p.average_px, MID);
    risk_pnl(f.r, CLIENT + 1, ACCOUNT, INSTR, &p);
    CHECK_EQ(p.qty, -3 * ONE);
    CHECK_EQ(p.unrealised, USD(30));
    CHECK_EQ(p.realised, 0);
    risk_pnl(f.r, CLIENT_NONE, ACCOUNT, INSTR, &p);
    CHECK_EQ(p.qty, -2 * ONE);
    CHECK_EQ(p.realised, USD(10));
    CHECK_EQ(p.unrealised, USD(20));
    CHECK_EQ(p.mark_px, MID);
    CHECK_EQ(group_of(&f, LEVEL_CLIENT, CLIENT + 1).day_result, USD(30));
    CHECK_EQ(group_of(&f, LEVEL_ACCOUNT, ACCOUNT).day_result, USD(30));
}

TEST(a_position_that_the_venue_told_makes_no_result_by_itself)
{
    struct fixture f;
    money_init(&f);
    risk_set_position(f.r, ACCOUNT, INSTR, 5 * ONE, true);
    CHECK_EQ(group_of(&f, LEVEL_ACCOUNT, ACCOUNT).day_result, 0);
    CHECK_EQ(group_of(&f, LEVEL_ACCOUNT, ACCOUNT).gross, USD(500));
    lose(&f, 100);
    CHECK_EQ(group_of(&f, LEVEL_ACCOUNT, ACCOUNT).day_result, -USD(5));
    risk_set_position(f.r, ACCOUNT, INSTR, 2 * ONE,
                      true); /* somebody sold 3 elsewhere: at the mark, as far as we know */
    CHECK_EQ(group_of(&f, LEVEL_ACCOUNT, ACCOUNT).day_result, -USD(5));
}

TEST(whatif_and_gauges_agree_with_the_checks)
{
    struct fixture f;
    struct risk_verdict binding;
    struct risk_gauge g[RISK_GAUGES_MAX];
    bool seen = false;
    money_init(&f);
    f.lim.account_default.group.gross_max = USD(300);
    apply_limits(&f);
    reserve(&f, SIDE_BUY, ONE, 1);
    uint64_t accepted = risk_totals(f.r)->accepted;
    CHECK_EQ(risk_whatif(f.r, &f.o, &f.md, f.now, &binding), 2 * ONE);
    CHECK_EQ(binding.reason, DENY_EXPOSURE);
    CHECK_EQ(risk_totals(f.r)->accepted, accepted);
    uint32_t n = risk_gauges(f.r, CLIENT, ACCOUNT, INSTR, &f.md, f.now, g);
    CHECK(n > 20 && n <= RISK_GAUGES_MAX);
    for (uint32_t i = 0; i < n; i++) {
        CHECK(g[i].headroom >= 0);
        if (strcmp(g[i].name, "gross_exposure") != 0)
            continue;
        seen = true;
        CHECK_EQ(g[i].level, LEVEL_ACCOUNT);
        CHECK_EQ(g[i].used, USD(100));
        CHECK_EQ(g[i].limit, USD(300));
        CHECK_EQ(g[i].headroom, USD(200));
    }
    CHECK(seen);
}

TEST_MAIN()
