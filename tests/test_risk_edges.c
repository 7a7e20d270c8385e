/* Edges of single checks that the matrix does not reach: exactly at a limit where another one is past, the numbers that
 * a verdict carries, prices and books that are not there at all. */
#include "risk/breaker.h"
#include "tests/risk_fixture.h"

#define OTHER  (CLIENT + 1)
#define ONE    1000
#define STEP   5
#define MID    9995
#define USD(x) ((value_t)(x)*VALUE_ONE)
#define UNIT   (MID * VALUE_ONE / 100) /* what one is worth at the mark */
#define USD_ID 2

/* OTHER holds 10; CLIENT's order is on the side that reduces them. */
static void
anothers_position(struct fixture *f, enum side reducing)
{
    struct order_delta d = { .account = ACCOUNT,
                             .instrument = INSTR,
                             .client = OTHER,
                             .side = (uint8_t)(1 - reducing),
                             .fill_qty = 10 * ONE,
                             .fill_px = MID,
                             .fee_ccy = USD_ID };

    fixture_money(f);
    risk_set_reconciled(f->r, ACCOUNT, INSTR, true);
    risk_apply(f->r, &d);
    f->o.side = (uint8_t)reducing;
    f->o.px = reducing == SIDE_SELL ? BID : ASK;
}

static void
redefine(struct fixture *f)
{
    f->ins.version++;
    f->o.instrument_version = f->md.tob.instrument_version = f->md.good.instrument_version = f->ins.version;
    CHECK(risk_set_instrument(f->r, &f->ins, f->now, &f->fault));
}

/* ---- prices, books ----------------------------------------------------------------------------------------------- */

TEST(a_price_at_each_end_of_the_venues_range_passes_and_one_tick_past_it_does_not)
{
    struct fixture f;
    fixture_init(&f);
    f.ins.px_min = 9920;
    f.ins.px_max = 10080;
    redefine(&f);
    AT_LIMIT_AND_PAST(&f, f.o.px = 10080, f.o.px = 10090, DENY_INCREMENT);
    f.o.side = SIDE_SELL;
    AT_LIMIT_AND_PAST(&f, f.o.px = 9920, f.o.px = 9910, DENY_INCREMENT);
}

TEST(no_price_is_no_increment_also_where_the_venue_states_no_least)
{
    struct fixture f;
    fixture_init(&f);
    f.ins.px_min = 0;
    redefine(&f);
    for (f.o.side = SIDE_BUY; f.o.side <= SIDE_SELL; f.o.side++) {
        f.o.px = 0;
        CHECK_EQ(check(&f), DENY_INCREMENT);
        f.o.px = -10;
        CHECK_EQ(check(&f), DENY_INCREMENT);
    }
}

TEST(post_only_is_of_orders_that_rest_until_canceled)
{
    struct fixture f;
    fixture_init(&f);
    f.ins.tifs |= 1u << TIF_GTD;
    f.o.flags = COMMAND_POST_ONLY;
    CHECK_EQ(check(&f), DENY_NONE);
    f.o.tif = TIF_IOC;
    CHECK_EQ(check(&f), DENY_INVALID_ORDER);
    f.o.tif = TIF_GTD;
    f.o.expire_wall_ns = NOW_NS + 1;
    CHECK_EQ(check(&f), DENY_INVALID_ORDER);
    f.o.flags = 0;
    CHECK_EQ(check(&f), DENY_NONE);
    f.o = (struct risk_order){ .client = CLIENT,
                               .instrument = INSTR,
                               .instrument_version = 1,
                               .ins = &f.ins,
                               .type = ORDER_MARKET,
                               .tif = TIF_GTC,
                               .qty = ONE,
                               .sweep_px = ASK,
                               .sweep_qty = ONE };
    CHECK_EQ(check(&f), DENY_NONE);
    f.o.flags = COMMAND_POST_ONLY;
    CHECK_EQ(check(&f), DENY_INVALID_ORDER);
}

TEST(a_market_order_is_held_to_the_venues_own_maximum_for_those)
{
    struct fixture f;
    struct risk_verdict binding;
    fixture_init(&f);
    f.o.type = ORDER_MARKET;
    f.o.tif = TIF_IOC;
    f.o.px = 0;
    f.o.sweep_px = ASK;
    f.o.sweep_qty = INT64_MAX;
    f.ins.market_qty_max = 2 * ONE;
    AT_LIMIT_AND_PAST(&f, f.o.qty = 2 * ONE, f.o.qty = 2 * ONE + 5, DENY_ORDER_QTY);
    CHECK_EQ(f.v.limit, 2 * ONE);
    CHECK_EQ(risk_whatif(f.r, &f.o, &f.md, f.now, &binding), 2 * ONE);
    CHECK_EQ(binding.reason, DENY_ORDER_QTY);
    f.o.type = ORDER_LIMIT;
    f.o.px = ASK;
    CHECK_EQ(check(&f), DENY_NONE); /* any other may be larger */
    f.o.type = ORDER_MARKET;
    f.o.px = 0;
    f.ins.market_qty_max = 0; /* not stated */
    CHECK_EQ(check(&f), DENY_NONE);
}

TEST(a_market_order_without_a_price_is_a_sweep_whatever_it_would_be_worth)
{
    struct fixture f;
    fixture_init(&f);
    f.lim.instrument_default.order_notional_min = VALUE_ONE;
    apply_limits(&f);
    f.o.type = ORDER_MARKET;
    f.o.tif = TIF_IOC;
    f.o.px = 0;
    for (f.o.side = SIDE_BUY; f.o.side <= SIDE_SELL; f.o.side++) {
        f.o.sweep_qty = 0;
        CHECK_EQ(check(&f), DENY_SWEEP);
        f.o.sweep_qty = f.o.qty; /* at no price */
        CHECK_EQ(check(&f), DENY_SWEEP);
    }
}

TEST(a_reduction_past_the_collar_needs_a_last_good_price_though_the_book_is_live)
{
    for (int side = 0; side < 2; side++) {
        struct fixture f;
        fixture_init(&f);
        f.o.side = (uint8_t)side;
        f.o.px = side == SIDE_BUY ? 10300 : 9700; /* within the reductions' collar alone */
        risk_set_position(f.r, ACCOUNT, INSTR, side == SIDE_BUY ? -ONE : ONE, true);
        CHECK_EQ(check(&f), DENY_NONE);
        f.md.good.recv_ns = 0;
        CHECK_EQ(check(&f), DENY_PRICE_COLLAR);
    }
}

TEST(a_book_from_the_future_is_as_wrong_as_an_old_one)
{
    struct fixture f;
    fixture_init(&f);
    int64_t max = f.lim.instrument_default.tob_age_max_ns;
    AT_LIMIT_AND_PAST(&f, f.md.tob.recv_ns = NOW_NS + max, f.md.tob.recv_ns = NOW_NS + max + 1, DENY_STALE_MARKET);
}

/* ---- money, exactly at its limit --------------------------------------------------------------------------------- */

TEST(exposure_at_its_limit_leaves_the_denial_to_the_limit_that_is_past)
{
    struct fixture f;
    fixture_money(&f);
    for (int net = 0; net < 2; net++)
        for (f.o.side = SIDE_BUY; f.o.side <= SIDE_SELL; f.o.side++) {
            f.lim.global.gross_max = net ? LIMIT_NONE : UNIT;
            f.lim.global.net_max = net ? UNIT : LIMIT_NONE;
            f.lim.client_default.group.day_value_max = UNIT - 1;
            apply_limits(&f);
            CHECK_EQ(check(&f), DENY_DAILY_VALUE);
            CHECK_EQ(f.v.value, UNIT);
            f.lim.global.gross_max -= !net;
            f.lim.global.net_max -= net;
            apply_limits(&f);
            CHECK_EQ(check(&f), DENY_EXPOSURE);
        }
}

/* A strategy's own limits where it reduces what another one holds. */
TEST(reducing_anothers_position_meets_each_of_its_own_limits_of_money_exactly)
{
    for (int side = 0; side < 2; side++) {
        struct fixture f;
        anothers_position(&f, (enum side)side);
        f.lim.client_set = UINT64_C(1) << CLIENT;
        f.lim.client[CLIENT] = f.lim.client_default;
        value_t *const max[] = { &f.lim.client[CLIENT].group.gross_max, &f.lim.client[CLIENT].group.net_max,
                                 &f.lim.client[CLIENT].group.day_value_max };
        const enum deny_reason why[] = { DENY_EXPOSURE, DENY_EXPOSURE, DENY_DAILY_VALUE };
        for (unsigned i = 0; i < ARRAY_LEN(max); i++) {
            AT_LIMIT_AND_PAST(&f, (*max[i] = UNIT, apply_limits(&f)), (*max[i] = UNIT - 1, apply_limits(&f)), why[i]);
            *max[i] = LIMIT_NONE;
        }
        /* It has lost 3 of its own. */
        struct order_delta d = {
            .account = ACCOUNT, .instrument = INSTR, .client = CLIENT, .fill_qty = ONE, .fee_ccy = USD_ID
        };
        d.fill_px = MID + 300;
        risk_apply(f.r, &d);
        d.side = SIDE_SELL;
        d.fill_px = MID;
        risk_apply(f.r, &d);
        AT_LIMIT_AND_PAST(&f, (f.lim.client[CLIENT].group.day_loss_max = USD(3), apply_limits(&f)),
                          (f.lim.client[CLIENT].group.day_loss_max = USD(3) - 1, apply_limits(&f)), DENY_DAILY_LOSS);
        f.lim.client[CLIENT].group.day_loss_max = LIMIT_NONE;
        AT_LIMIT_AND_PAST(&f, (f.lim.client[CLIENT].group.drawdown_max = USD(3), apply_limits(&f)),
                          (f.lim.client[CLIENT].group.drawdown_max = USD(3) - 1, apply_limits(&f)), DENY_DRAWDOWN);
    }
}

TEST(reducing_anothers_position_needs_a_mark_for_its_own_limits)
{
    for (int net = 0; net < 2; net++) {
        struct fixture f;
        anothers_position(&f, SIDE_SELL);
        f.lim.client_set = UINT64_C(1) << CLIENT;
        f.lim.client[CLIENT] = f.lim.client_default;
        *(net ? &f.lim.client[CLIENT].group.net_max : &f.lim.client[CLIENT].group.gross_max) = USD(1000000);
        f.lim.instrument_default.tob_age_max_ns = f.lim.instrument_default.good_age_max_ns = 3600 * NS_PER_S;
        f.lim.mark_age_max_ns = 10 * NS_PER_S;
        apply_limits(&f);
        f.now.mono.ns += 10 * NS_PER_S;
        CHECK_EQ(check(&f), DENY_NONE);
        f.now.mono.ns++;
        CHECK_EQ(check(&f), DENY_EXPOSURE);
    }
}

TEST(leverage_counts_what_has_a_rate_and_denies_for_what_has_none)
{
    struct fixture f;
    fixture_money(&f);
    f.lim.account_default.leverage_max_ppm = 2000000;
    apply_limits(&f);
    risk_set_balance(f.r, ACCOUNT, USD_ID, UNIT / 2, 0);
    AT_LIMIT_AND_PAST(&f, f.o.qty = ONE, f.o.qty = ONE + STEP, DENY_EXPOSURE);
    f.o.qty = ONE;
    risk_set_balance(f.r, ACCOUNT, 9, 0, 0); /* nothing of a currency without a rate */
    CHECK_EQ(check(&f), DENY_NONE);
    risk_set_balance(f.r, ACCOUNT, 9, 1, 0);
    CHECK_EQ(check(&f), DENY_EXPOSURE);
}

TEST(margin_is_rounded_against_us)
{
    struct fixture f;
    fixture_money(&f);
    struct risk_venue v = venue_up();
    v.has_balances = true;
    risk_set_venue(f.r, 0, &v);
    f.ins.kind = INSTRUMENT_LINEAR;
    f.ins.settle_ccy = USD_ID;
    memcpy(f.ins.settle, "USD", 4);
    redefine(&f);
    f.lim.instrument_default.margin_ppm = 100000;
    apply_limits(&f);
    for (f.o.side = SIDE_BUY; f.o.side <= SIDE_SELL; f.o.side++)
        AT_LIMIT_AND_PAST(&f, risk_set_balance(f.r, ACCOUNT, USD_ID, UNIT / 10 + 1, 0),
                          risk_set_balance(f.r, ACCOUNT, USD_ID, UNIT / 10, 0), DENY_BALANCE);
}

TEST(what_a_fill_brings_is_no_balance_that_the_venue_has_told)
{
    struct fixture f;
    fixture_money(&f);
    struct risk_venue v = venue_up();
    v.has_balances = true;
    risk_set_venue(f.r, 0, &v);
    fill_at(&f, SIDE_SELL, MID, 100 * ONE);
    CHECK_EQ(check(&f), DENY_BALANCE);
    risk_set_balance(f.r, ACCOUNT, USD_ID, USD(1000), 0);
    CHECK_EQ(check(&f), DENY_NONE);
}

/* ---- marks ------------------------------------------------------------------------------------------------------- */

TEST(a_mark_of_a_journal_gives_way_to_the_first_live_book_at_once)
{
    struct fixture f;
    fixture_money(&f);
    f.lim.global.gross_max = USD(1000);
    apply_limits(&f);
    CHECK(risk_restore_mark(f.r, "USD", INSTR, 1, MID + 50, pow10_i64[RATE_DECIMALS]));
    risk_mark(f.r, INSTR, NULL, f.now); /* a second's round, before the book is there */
    f.now.mono.ns += NS_PER_MS;
    CHECK_EQ(check(&f), DENY_NONE);
}

/* Bought, and sold 3 lower. */
static void
lose_three(struct fixture *f)
{
    fill_at(f, SIDE_BUY, MID + 300, ONE);
    fill_at(f, SIDE_SELL, MID, ONE);
}

TEST(a_limit_of_results_holds_from_the_moment_that_it_is_set)
{
    for (int level = 0; level < 4; level++) {
        struct fixture f;
        fixture_money(&f);
        lose_three(&f);
        struct group_limits *g = level == 0   ? &f.lim.client_default.group
                                 : level == 1 ? &f.lim.account_default.group
                                 : level == 2 ? &f.lim.venue_default.group
                                              : &f.lim.global;
        AT_LIMIT_AND_PAST(&f, (g->day_loss_max = USD(3), apply_limits(&f)), (g->day_loss_max--, apply_limits(&f)),
                          DENY_DAILY_LOSS);
        g->day_loss_max = LIMIT_NONE;
        AT_LIMIT_AND_PAST(&f, (g->drawdown_max = USD(3), apply_limits(&f)), (g->drawdown_max--, apply_limits(&f)),
                          DENY_DRAWDOWN);
        g->drawdown_max = LIMIT_NONE;
        apply_limits(&f);
        CHECK_EQ(check(&f), DENY_NONE); /* nothing has latched by it */
    }
}

TEST(a_fall_that_has_latched_stays_so_though_the_result_comes_back)
{
    struct fixture f;
    fixture_money(&f);
    f.lim.client_default.group.drawdown_max = USD(3) - 1;
    apply_limits(&f);
    lose_three(&f);
    CHECK_EQ(risk_tripped(f.r, LEVEL_CLIENT, CLIENT), 1u << TRIP_DRAWDOWN);
    fill_at(&f, SIDE_BUY, MID - 600, ONE);
    fill_at(&f, SIDE_SELL, MID, ONE);
    CHECK_EQ(group_of(&f, LEVEL_CLIENT, CLIENT).day_result, USD(3));
    CHECK_EQ(check(&f), DENY_DRAWDOWN);
    CHECK(risk_untrip(f.r, LEVEL_CLIENT, CLIENT, f.now));
    CHECK_EQ(check(&f), DENY_NONE);
}

static px_t
marked(struct fixture *f)
{
    struct risk_pnl p;
    risk_mark(f->r, INSTR, &f->md, f->now);
    risk_pnl(f->r, CLIENT_NONE, ACCOUNT, INSTR, &p);
    return p.mark_px;
}

TEST(a_mark_is_of_a_whole_book_of_this_version_that_is_not_too_wide)
{
    for (int i = 0; i < 6; i++) {
        struct fixture f;
        fixture_init(&f);
        memcpy(f.lim.reporting, "USD", 4);
        f.lim.instrument_default.spread_max_ppm = 1002; /* 10 of 9990: 1001.001 */
        apply_limits(&f);
        struct md_ref whole = f.md;
        if (i == 0)
            f.md.good.recv_ns = 0;
        else if (i == 1)
            f.md.good.instrument_version = 2;
        else if (i == 2)
            f.md.good.bid_px = 0;
        else if (i == 3)
            f.md.good.ask_px = 0;
        else if (i == 4)
            f.md.good.bid_px = ASK;
        else
            f.md.good.ask_px = ASK + 1;
        CHECK_EQ(marked(&f), 0);
        f.md = whole;
        CHECK_EQ(marked(&f), MID);
    }
}

/* ---- sums -------------------------------------------------------------------------------------------------------- */

static void
stands_at(struct fixture *f, int64_t net_long, int64_t net_short, int64_t open)
{
    static const struct {
        enum trading_level level;
        uint32_t id;
    } all[] = { { LEVEL_GLOBAL, 0 }, { LEVEL_VENUE, 0 }, { LEVEL_ACCOUNT, ACCOUNT }, { LEVEL_CLIENT, CLIENT } };

    for (unsigned i = 0; i < ARRAY_LEN(all); i++) {
        struct risk_group g = group_of(f, all[i].level, all[i].id);
        CHECK_EQ(g.net_long, net_long * UNIT);
        CHECK_EQ(g.net_short, net_short * UNIT);
        CHECK_EQ(g.gross, MAX(net_long, -net_short) * UNIT);
        CHECK_EQ(g.open_value, open * UNIT);
    }
}

TEST(sums_follow_every_change_and_are_nothing_again_when_everything_is_over)
{
    struct fixture f;
    fixture_money(&f);
    for (int round = 0; round < 2; round++) {
        stands_at(&f, 0, 0, 0);
        reserve(&f, SIDE_BUY, ONE, 1);
        stands_at(&f, 1, 0, 1);
        reserve(&f, SIDE_BUY, 2 * ONE, 1);
        stands_at(&f, 3, 0, 3);
        reserve(&f, SIDE_SELL, 4 * ONE, 1);
        stands_at(&f, 3, -4, 7);
        reserve(&f, SIDE_BUY, -2 * ONE, -1);
        stands_at(&f, 1, -4, 5);
        reserve(&f, SIDE_SELL, -4 * ONE, -1);
        reserve(&f, SIDE_BUY, -ONE, -1);
    }
    stands_at(&f, 0, 0, 0);
}

TEST(what_has_no_mark_is_counted_once_and_no_more_when_it_has_one)
{
    struct fixture f;
    fixture_money(&f);
    f.lim.mark_age_max_ns = 10 * NS_PER_S;
    apply_limits(&f);
    for (int round = 0; round < 2; round++) {
        reserve(&f, SIDE_BUY, ONE, 1);
        struct md_ref old = f.md;
        f.now.mono.ns += 10 * NS_PER_S;
        risk_mark(f.r, INSTR, &old, f.now);
        CHECK_EQ(group_of(&f, LEVEL_GLOBAL, 0).unmarked, 0);
        f.now.mono.ns++;
        risk_mark(f.r, INSTR, &old, f.now);
        risk_mark(f.r, INSTR, NULL, f.now);
        CHECK_EQ(group_of(&f, LEVEL_GLOBAL, 0).unmarked, 1);
        CHECK_EQ(group_of(&f, LEVEL_CLIENT, CLIENT).unmarked, 1);
        f.md.tob.recv_ns = f.md.good.recv_ns = f.now.mono.ns;
        risk_mark(f.r, INSTR, &f.md, f.now);
        CHECK_EQ(group_of(&f, LEVEL_GLOBAL, 0).unmarked, 0);
        reserve(&f, SIDE_BUY, -ONE, -1);
    }
}

TEST(margin_follows_the_worst_case_and_comes_back_whole)
{
    struct fixture f;
    value_t free;
    fixture_money(&f);
    f.ins.kind = INSTRUMENT_LINEAR;
    f.ins.settle_ccy = USD_ID;
    memcpy(f.ins.settle, "USD", 4);
    redefine(&f);
    f.lim.instrument_default.margin_ppm = 100000;
    apply_limits(&f);
    risk_mark(f.r, INSTR, &f.md, f.now);
    risk_set_balance(f.r, ACCOUNT, USD_ID, UNIT, 0);
    for (int round = 0; round < 2; round++) {
        reserve(&f, SIDE_BUY, ONE, 1);
        reserve(&f, SIDE_BUY, ONE, 1);
        reserve(&f, SIDE_SELL, ONE, 1);
        CHECK(risk_free_balance(f.r, ACCOUNT, USD_ID, &free));
        CHECK_EQ(free, UNIT - 2 * UNIT / 10);
        reserve(&f, SIDE_BUY, -2 * ONE, -1);
        CHECK(risk_free_balance(f.r, ACCOUNT, USD_ID, &free));
        CHECK_EQ(free, UNIT - UNIT / 10);
        reserve(&f, SIDE_SELL, -ONE, -1);
        reserve(&f, SIDE_BUY, 0, -1);
        CHECK(risk_free_balance(f.r, ACCOUNT, USD_ID, &free));
        CHECK_EQ(free, UNIT);
    }
}

/* ---- what a verdict says ----------------------------------------------------------------------------------------- */

static void
says(struct fixture *f, enum deny_reason why, int64_t value, int64_t limit)
{
    CHECK_EQ(check(f), why);
    CHECK_EQ(f->v.value, value);
    CHECK_EQ(f->v.limit, limit);
}

TEST(a_verdict_carries_the_two_numbers_that_decided)
{
    struct fixture f;
    fixture_init(&f);
    f.md.tob.recv_ns -= f.lim.instrument_default.tob_age_max_ns + 7;
    says(&f, DENY_STALE_MARKET, f.lim.instrument_default.tob_age_max_ns + 7, f.lim.instrument_default.tob_age_max_ns);
    f.md.tob.recv_ns = NOW_NS;
    f.lim.instrument_default.spread_max_ppm = 1000;
    apply_limits(&f);
    says(&f, DENY_BOOK_INVALID, ASK - BID, 1000);
    f.lim.instrument_default.spread_max_ppm = 50000;
    apply_limits(&f);
    f.o.px = 10110;
    says(&f, DENY_PRICE_COLLAR, 10110, 10100);
    f.o.side = SIDE_SELL;
    f.o.px = 9890;
    says(&f, DENY_PRICE_COLLAR, 9890, 9891); /* 9890.1, against us */
    f.o.px = BID;
    f.lim.client_default.repeat_executions_max = 1;
    apply_limits(&f);
    reserve(&f, SIDE_SELL, STEP, 1);
    says(&f, DENY_REPEAT_EXECUTIONS, 2, 1);
    f.lim.client_default.messages_free = 1;
    f.lim.client_default.messages_per_fill_max = 1;
    apply_limits(&f);
    says(&f, DENY_CANCEL_RATE, 2, 1);
    f.lim.instrument_default.open_orders_max = 1;
    f.lim.instrument_default.reduce_orders_extra = 2;
    apply_limits(&f);
    says(&f, DENY_OPEN_ORDERS, 2, 1);
    reserve(&f, SIDE_SELL, STEP, 1);
    reserve(&f, SIDE_SELL, STEP, 1);
    risk_set_position(f.r, ACCOUNT, INSTR, 10 * ONE, true);
    says(&f, DENY_OPEN_ORDERS, 4, 3); /* a reduction, past its extra */
}

TEST(a_verdict_about_a_balance_says_what_is_needed_and_what_is_free)
{
    struct fixture f;
    fixture_init(&f);
    struct risk_venue v = venue_up();
    v.has_balances = true;
    risk_set_venue(f.r, 0, &v);
    risk_set_balance(f.r, ACCOUNT, USD_ID, USD(99), 0);
    says(&f, DENY_BALANCE, USD(100) + 1, USD(99));
}

/* ---- ids --------------------------------------------------------------------------------------------------------- */

TEST(an_id_past_the_last_one_is_halted_at_every_level)
{
    struct fixture f;
    fixture_init(&f);
    const struct kill *k = risk_kill(f.r);
    CHECK_EQ(kill_state(k, ACCOUNT_MAX - 1, VENUE_MAX - 1, INSTRUMENT_MAX - 1, CLIENT_MAX - 1), TRADING_ACTIVE);
    CHECK_EQ(kill_state(k, ACCOUNT_MAX, 0, 0, 0), TRADING_HALTED);
    CHECK_EQ(kill_state(k, 0, VENUE_MAX, 0, 0), TRADING_HALTED);
    CHECK_EQ(kill_state(k, 0, 0, INSTRUMENT_MAX, 0), TRADING_HALTED);
    CHECK_EQ(kill_state(k, 0, 0, 0, CLIENT_MAX), TRADING_HALTED);
}

/* ---- the second half of a replace in turn ------------------------------------------------------------------------ */

TEST(the_rest_of_a_replace_meets_what_may_be_sent_now_and_no_count)
{
    struct fixture f;
    fixture_init(&f);
    f.lim.duplicate_max = 1;
    f.lim.client_default.order_rate = (struct rate_limit){ 1, 1 };
    apply_limits(&f);
    CHECK_EQ(check(&f), DENY_NONE);
    CHECK_EQ(check(&f), DENY_DUPLICATE_CONTENT);
    CHECK_EQ(risk_judge_rest(f.r, &f.o, &f.md, f.now, &f.v), DENY_NONE);
    f.o.room = DENY_CAPACITY;
    CHECK_EQ(risk_judge_rest(f.r, &f.o, &f.md, f.now, &f.v), DENY_CAPACITY);
    CHECK(f.v.no_room);
    uint64_t denied = risk_totals(f.r)->denied[DENY_CAPACITY];
    CHECK_EQ(denied, 1);
    kill_trip(risk_kill(f.r));
    CHECK_EQ(risk_judge_rest(f.r, &f.o, &f.md, f.now, &f.v), DENY_KILLED);
}

/* ---- windows ----------------------------------------------------------------------------------------------------- */

TEST(a_window_counts_up_to_its_end_and_begins_anew_at_it)
{
    struct breaker b = { 0 };
    breaker_note(&b, true, 10, (mono_ns_t){ 100 });
    breaker_note(&b, false, 10, (mono_ns_t){ 109 });
    CHECK_EQ(b.samples, 2);
    CHECK_EQ(b.beyond, 1);
    breaker_note(&b, true, 10, (mono_ns_t){ 110 });
    CHECK_EQ(b.samples, 1);
    CHECK_EQ(b.since_ns, 110);
    breaker_note(&b, true, 10, (mono_ns_t){ 109 }); /* a clock that steps back */
    CHECK_EQ(b.samples, 1);
}

TEST(the_best_of_a_window_is_known_to_the_end_of_the_next_one_and_no_longer)
{
    struct breaker_best b = { 0 };
    CHECK_EQ(breaker_best_note(&b, 5, 10, (mono_ns_t){ 100 }), 5);
    CHECK_EQ(breaker_best_note(&b, 9, 10, (mono_ns_t){ 101 }), 9);
    CHECK_EQ(breaker_best_note(&b, 3, 10, (mono_ns_t){ 109 }), 9);
    CHECK_EQ(breaker_best_note(&b, 2, 10, (mono_ns_t){ 110 }), 9); /* the next window */
    CHECK_EQ(breaker_best_note(&b, 4, 10, (mono_ns_t){ 119 }), 9);
    CHECK_EQ(breaker_best_note(&b, 1, 10, (mono_ns_t){ 120 }), 4);   /* the one after it */
    CHECK_EQ(breaker_best_note(&b, 0, 10, (mono_ns_t){ 139 }), 1);   /* the one after that */
    CHECK_EQ(breaker_best_note(&b, -1, 10, (mono_ns_t){ 159 }), -1); /* nothing for two */
    CHECK_EQ(breaker_best_note(&b, -2, 10, (mono_ns_t){ 100 }), -2); /* a clock that steps back */
}

TEST(more_latches_than_wait_to_be_told_hold_all_the_same)
{
    struct fixture f;
    struct risk_trip t;
    unsigned told = 0;

    fixture_init(&f);
    f.lim.client_default.rejects_max = 1;
    f.lim.venue_default.rejects_max = 1;
    f.lim.stall_max_ns = 1;
    apply_limits(&f);
    for (uint32_t c = 0; c < CLIENT_MAX; c++)
        for (int i = 0; i < 2; i++)
            risk_note_reject(f.r, VENUE_MAX, c, f.now);
    risk_note_turn(f.r, 2, f.now);
    CHECK_EQ(risk_tripped(f.r, LEVEL_GLOBAL, 0), 1u << TRIP_STALL);
    while (risk_take_trip(f.r, &t))
        told++;
    CHECK_EQ(told, 64);
}

TEST(what_a_human_releases_counts_anew_at_its_level)
{
    struct fixture f;
    fixture_init(&f);
    f.lim.client_default.rejects_max = 1;
    f.lim.venue_default.rejects_max = 1;
    f.lim.venue_default.ack_p99_max_ns = 1;
    f.lim.latency_p999_max_ns = 1;
    f.lim.latency_samples_min = 150;
    apply_limits(&f);
    for (int round = 0; round < 2; round++) {
        risk_note_reject(f.r, 0, CLIENT, f.now);
        CHECK_EQ(risk_tripped(f.r, LEVEL_CLIENT, CLIENT) | risk_tripped(f.r, LEVEL_VENUE, 0), 0);
        risk_note_reject(f.r, 0, CLIENT, f.now);
        CHECK_EQ(risk_tripped(f.r, LEVEL_CLIENT, CLIENT), 1u << TRIP_REJECTS);
        CHECK_EQ(risk_tripped(f.r, LEVEL_VENUE, 0), 1u << TRIP_REJECTS);
        risk_note_ack(f.r, 0, 2, f.now);
        CHECK_EQ(risk_tripped(f.r, LEVEL_VENUE, 0), 1u << TRIP_REJECTS);
        CHECK_EQ(risk_tripped(f.r, LEVEL_GLOBAL, 0), 0);
        risk_note_ack(f.r, 0, 2, f.now);
        risk_note_wire(f.r, 2, f.now);
        CHECK_EQ(risk_tripped(f.r, LEVEL_VENUE, 0), 1u << TRIP_REJECTS | 1u << TRIP_ACK);
        CHECK_EQ(risk_tripped(f.r, LEVEL_GLOBAL, 0), 1u << TRIP_LATENCY);
        CHECK(risk_untrip(f.r, LEVEL_CLIENT, CLIENT, f.now));
        CHECK_EQ(risk_tripped(f.r, LEVEL_VENUE, 0), 1u << TRIP_REJECTS | 1u << TRIP_ACK);
        CHECK(risk_untrip(f.r, LEVEL_VENUE, 0, f.now));
        CHECK(risk_untrip(f.r, LEVEL_GLOBAL, 0, f.now));
    }
}

/* ---- what there is room for ------------------------------------------------------------------------------------- */

#define PARTS 8191u /* of strategies in instruments of accounts: PARTS_MAX less the one that stands for none */

/* The n-th strategy, account and instrument orders. */
static void
order_of(struct fixture *f, const struct instrument ins[16], uint32_t n)
{
    struct risk_venue v = venue_up();

    f->o.client = n % CLIENT_MAX;
    f->o.account = n / CLIENT_MAX % ACCOUNT_MAX;
    f->o.instrument = n / CLIENT_MAX / ACCOUNT_MAX;
    f->o.ins = &ins[f->o.instrument];
    v.account = (uint8_t)f->o.account;
    risk_set_venue(f->r, 0, &v);
}

TEST(strategies_have_so_many_parts_of_positions_and_one_more_is_denied_but_not_those_that_have_one)
{
    static _Alignas(64) uint8_t room[32 << 20];
    static struct instrument ins[16];
    struct arena a = { .base = room, .size = sizeof(room) };
    struct risk_counts counts = { .accounts = ACCOUNT_MAX, .instruments = 16 };
    struct fixture f;

    fixture_init(&f);
    f.r = risk_init(&counts, &a);
    CHECK(a.used <= risk_footprint(&counts));
    memcpy(f.lim.reporting, "USD", 4);
    f.lim.open_orders_max = LIMIT_OPEN_MAX;
    apply_limits(&f);
    for (uint32_t i = 0; i < 16; i++) {
        ins[i] = f.ins;
        ins[i].id = i;
        CHECK(risk_set_instrument(f.r, &ins[i], f.now, &f.fault));
        risk_mark(f.r, i, &f.md, f.now);
    }
    risk_arm(f.r, true);
    for (uint32_t n = 0; n < PARTS; n++) {
        if (n == PARTS - 1) { /* the last */
            order_of(&f, ins, n);
            f.o.qty = 5;
            CHECK_EQ(check(&f), DENY_NONE);
        }
        struct order_delta d = { .client = n % CLIENT_MAX,
                                 .account = n / CLIENT_MAX % ACCOUNT_MAX,
                                 .instrument = n / CLIENT_MAX / ACCOUNT_MAX,
                                 .side = SIDE_BUY,
                                 .reserved_change = 5 };
        risk_apply(f.r, &d);
    }
    order_of(&f, ins, PARTS);
    CHECK_EQ(check(&f), DENY_EXPOSURE);
    CHECK_EQ(f.v.value, PARTS + 1);
    CHECK_EQ(f.v.limit, PARTS);
    f.o.replace = true;
    CHECK_EQ(check(&f), DENY_EXPOSURE);
    f.o.replace = false;
    order_of(&f, ins, 0);
    CHECK_EQ(check(&f), DENY_NONE);
    /* A fill that finds no part all the same (the journal's, the venue's) is the account's. */
    struct order_delta d = { .client = PARTS % CLIENT_MAX,
                             .account = PARTS / CLIENT_MAX % ACCOUNT_MAX,
                             .instrument = PARTS / CLIENT_MAX / ACCOUNT_MAX,
                             .side = SIDE_BUY,
                             .fill_qty = 5,
                             .fill_px = 9995 };
    risk_apply(f.r, &d);
    CHECK_EQ(risk_position(f.r, d.account, d.instrument)->qty, 5);
    struct risk_pnl p;
    risk_pnl(f.r, d.client, d.account, d.instrument, &p);
    CHECK_EQ(p.qty, 0);
    CHECK(group_of(&f, LEVEL_CLIENT, d.client).unmarked != 0); /* what it holds is not known */
    risk_pnl(f.r, CLIENT_NONE, d.account, d.instrument, &p);
    CHECK_EQ(p.qty, 5);
}

TEST_MAIN()
