/* A strategy's own limits where the account's position lets an order pass, and inputs that are missing elsewhere than
 * at the order's own instrument. */
#include "execgw/admission.h"
#include "tests/risk_fixture.h"

#define OTHER  (CLIENT + 1)
#define ONE    1000 /* quantity */
#define USD(x) ((value_t)(x)*VALUE_ONE)

/* A fill of another strategy's. */
static void
fill_of(struct fixture *f, uint32_t client, enum side side, qty_t qty)
{
    struct order_delta d = { .account = ACCOUNT,
                             .instrument = INSTR,
                             .client = client,
                             .side = (uint8_t)side,
                             .fill_qty = qty,
                             .fill_px = ASK,
                             .fee_ccy = 2 };
    risk_apply(f->r, &d);
}

/* OTHER holds 10, bought (or sold) by itself; the order is CLIENT's, on the side that reduces them. */
static void
anothers_position(struct fixture *f, enum side reducing)
{
    fixture_money(f);
    f->lim.instrument_default.position_short_max = 0; /* nothing but a reduction passes */
    f->lim.instrument_default.position_long_max = 0;
    apply_limits(f);
    risk_set_reconciled(f->r, ACCOUNT, INSTR, true);
    fill_of(f, OTHER, reducing == SIDE_SELL ? SIDE_BUY : SIDE_SELL, 10 * ONE);
    f->o.side = (uint8_t)reducing;
    f->o.px = reducing == SIDE_SELL ? BID : ASK;
    f->o.qty = ONE;
}

TEST(a_strategy_under_restriction_may_reduce_what_it_holds_and_not_what_another_holds)
{
    for (int side = 0; side < 2; side++) {
        struct fixture f;
        anothers_position(&f, (enum side)side);
        CHECK_EQ(check(&f), DENY_NONE); /* unrestricted: it reduces the account's position */
        CHECK(kill_set_state(risk_kill(f.r), LEVEL_CLIENT, CLIENT, TRADING_REDUCING));
        CHECK_EQ(check(&f), DENY_REDUCE_ONLY_STATE);
        f.o.client = OTHER;
        CHECK(kill_set_state(risk_kill(f.r), LEVEL_CLIENT, OTHER, TRADING_REDUCING));
        AT_LIMIT_AND_PAST(&f, f.o.qty = 10 * ONE, f.o.qty = 10 * ONE + 5, DENY_REDUCE_ONLY_STATE);
        f.o.qty = ONE;
        f.o.client = CLIENT_OPERATOR; /* an operator flattens whatever is there */
        CHECK(kill_set_state(risk_kill(f.r), LEVEL_CLIENT, CLIENT_OPERATOR, TRADING_REDUCING));
        CHECK_EQ(check(&f), DENY_NONE);
        f.o.client = CLIENT; /* everybody reduces: a level above says so */
        CHECK(kill_set_state(risk_kill(f.r), LEVEL_CLIENT, CLIENT, TRADING_ACTIVE));
        CHECK(kill_set_state(risk_kill(f.r), LEVEL_ACCOUNT, ACCOUNT, TRADING_REDUCING));
        CHECK_EQ(check(&f), DENY_NONE);
    }
}

TEST(what_nobody_holds_may_be_reduced_by_everybody_but_not_more_of_it)
{
    for (int side = 0; side < 2; side++) {
        struct fixture f;
        anothers_position(&f, (enum side)side);
        qty_t sign = side == SIDE_SELL ? 1 : -1;
        risk_set_position(f.r, ACCOUNT, INSTR, sign * 13 * ONE, true); /* the venue says three more */
        CHECK(kill_set_state(risk_kill(f.r), LEVEL_CLIENT, CLIENT, TRADING_REDUCING));
        AT_LIMIT_AND_PAST(&f, f.o.qty = 3 * ONE, f.o.qty = 3 * ONE + 5, DENY_REDUCE_ONLY_STATE);
        /* What it has in flight counts. */
        reserve(&f, (enum side)side, ONE, 1);
        AT_LIMIT_AND_PAST(&f, f.o.qty = 2 * ONE, f.o.qty = 2 * ONE + 5, DENY_REDUCE_ONLY_STATE);
        f.o.replace = f.o.amend = true;
        f.o.replaced_side = (uint8_t)side;
        f.o.replaced_leaves = ONE;
        AT_LIMIT_AND_PAST(&f, f.o.qty = 3 * ONE, f.o.qty = 3 * ONE + 5, DENY_REDUCE_ONLY_STATE);
    }
}

TEST(reducing_anothers_position_meets_the_strategys_own_exposure_loss_and_breakers)
{
    for (int side = 0; side < 2; side++) {
        struct fixture f;
        anothers_position(&f, (enum side)side);
        f.lim.client_set = UINT64_C(1) << CLIENT;
        f.lim.client[CLIENT] = f.lim.client_default;
        f.lim.client[CLIENT].group.gross_max = USD(200);
        apply_limits(&f);
        /* At 99.95: two are worth 199.90. */
        AT_LIMIT_AND_PAST(&f, f.o.qty = 2 * ONE, f.o.qty = 2 * ONE + 5, DENY_EXPOSURE);
        f.lim.client[CLIENT].group.gross_max = LIMIT_NONE;
        f.lim.client[CLIENT].group.day_value_max = USD(200);
        apply_limits(&f);
        AT_LIMIT_AND_PAST(&f, f.o.qty = 2 * ONE, f.o.qty = 2 * ONE + 5, DENY_DAILY_VALUE);
        f.lim.client[CLIENT].group.day_value_max = LIMIT_NONE;
        apply_limits(&f);
        f.o.qty = ONE;
        CHECK(risk_restore_trip(f.r, LEVEL_ACCOUNT, ACCOUNT, TRIP_REJECTS));
        CHECK(risk_restore_trip(f.r, LEVEL_ACCOUNT, ACCOUNT, TRIP_DAY_LOSS));
        CHECK_EQ(check(&f), DENY_NONE); /* the account's latches let its position be reduced */
        CHECK(risk_restore_trip(f.r, LEVEL_CLIENT, CLIENT, TRIP_REJECTS));
        CHECK_EQ(check(&f), DENY_BREAKER);
        CHECK(risk_restore_trip(f.r, LEVEL_CLIENT, CLIENT, TRIP_DAY_LOSS));
        CHECK_EQ(check(&f), DENY_DAILY_LOSS);
        CHECK(risk_restore_trip(f.r, LEVEL_CLIENT, OTHER, TRIP_DAY_LOSS));
        f.o.client = OTHER;
        CHECK_EQ(check(&f), DENY_NONE); /* its own */
    }
}

TEST(reducing_anothers_position_is_counted_like_any_order)
{
    struct fixture f;
    anothers_position(&f, SIDE_SELL);
    f.lim.duplicate_max = 2;
    apply_limits(&f);
    CHECK_EQ(check(&f), DENY_NONE);
    AT_LIMIT_AND_PAST(&f, , , DENY_DUPLICATE_CONTENT);
    f.o.client = OTHER;
    for (int i = 0; i < 5; i++)
        CHECK_EQ(check(&f), DENY_NONE);
}

/* ---- missing inputs ---------------------------------------------------------------------------------------------- */

TEST(a_position_elsewhere_that_cannot_be_valued_denies_under_a_limit_of_the_days_value_too)
{
    struct fixture f;
    fixture_money(&f);
    f.lim.global.day_value_max = USD(1000000);
    f.lim.mark_age_max_ns = 10 * NS_PER_S;
    f.lim.instrument_default.tob_age_max_ns = 3600 * NS_PER_S;
    apply_limits(&f);
    struct instrument other = f.ins;
    other.id = INSTR + 1;
    memcpy(other.symbol, "XYZUSD", 7);
    CHECK(risk_set_instrument(f.r, &other, f.now, &f.fault));
    struct order_delta d = {
        .account = ACCOUNT, .instrument = other.id, .client = CLIENT, .open_change = 1, .reserved_change = ONE
    };
    risk_mark(f.r, other.id, &f.md, f.now);
    risk_apply(f.r, &d);
    CHECK_EQ(check(&f), DENY_NONE);
    f.now.mono.ns += 10 * NS_PER_S + 1;
    f.md.tob.recv_ns = f.md.good.recv_ns = f.now.mono.ns; /* this book goes on, the other one does not */
    risk_mark(f.r, other.id, NULL, f.now);
    CHECK_EQ(check(&f), DENY_DAILY_VALUE);
}

TEST(a_rate_from_before_this_machines_clock_began_is_none)
{
    struct fixture f;
    fixture_money(&f);
    risk_set_rate(f.r, 9, pow10_i64[RATE_DECIMALS], (mono_ns_t){ NOW_NS });
    struct instrument odd = f.ins;
    odd.id = INSTR + 1;
    odd.quote_ccy = 9;
    memcpy(odd.quote, "ODD", 4);
    memcpy(odd.symbol, "ABCODD", 7);
    CHECK(risk_set_instrument(f.r, &odd, f.now, &f.fault));
    risk_set_rate(f.r, 9, pow10_i64[RATE_DECIMALS], (mono_ns_t){ NOW_NS });
    f.o.ins = &odd;
    f.o.instrument = odd.id;
    f.lim.global.gross_max = USD(1000000);
    apply_limits(&f);
    CHECK_EQ(check(&f), DENY_NONE);
    f.now.mono.ns = NS_PER_S; /* a boot later */
    f.md.tob.recv_ns = f.md.good.recv_ns = NS_PER_S;
    risk_mark(f.r, odd.id, &f.md, f.now);
    CHECK_EQ(check(&f), DENY_EXPOSURE);
}

/* ---- a change of limits that does not fit ---- */

static struct instrument
euro_spot(const struct fixture *f)
{
    struct instrument ins = f->ins;

    ins.id = INSTR + 1;
    ins.quote_ccy = 9;
    memcpy(ins.quote, "EUR", 4);
    memcpy(ins.symbol, "ABCEUR", 7);
    return ins;
}

static void
rate_stated(struct fixture *f, const char *currency, int64_t hundredths)
{
    memcpy(f->lim.fixed[0].currency, currency, strlen(currency) + 1);
    f->lim.fixed[0].rate = hundredths * pow10_i64[RATE_DECIMALS] / 100;
    f->lim.fixed_count = 1;
}

/* Nothing of the refused set is in force. */
static void
refused(struct fixture *f, const char *text)
{
    uint32_t version = risk_limits_in_force(f->r)->version;

    f->lim.version = version + 1;
    f->fault.text[0] = '\0';
    CHECK(!risk_set_limits(f->r, &f->lim, f->now, &f->fault));
    CHECK_STR(f->fault.text, text);
    CHECK_EQ(risk_limits_in_force(f->r)->version, version);
    f->lim = *risk_limits_in_force(f->r);
}

TEST(limits_that_no_order_of_an_instrument_could_meet_are_refused_whole)
{
    struct fixture f;
    fixture_money(&f);
    f.lim.instrument_default.order_qty_max = VALUE_ONE / 200; /* 0.005, the step and the venue's minimum */
    apply_limits(&f);
    f.o.qty = 5;
    CHECK_EQ(check(&f), DENY_NONE);
    f.lim.instrument_default.order_qty_max = VALUE_ONE / 250;
    f.lim.duplicate_max = 1;
    refused(&f, "instrument ABCUSD: order quantity minimum 5 is above its maximum 4 (in 10^-3)");
    CHECK(risk_limits_in_force(f.r)->duplicate_max > 1);
    CHECK_EQ(check(&f), DENY_NONE);
    f.lim.instrument_default.order_qty_max = VALUE_ONE;
    f.lim.instrument_default.restricted = true; /* said in so many words */
    apply_limits(&f);
    CHECK_EQ(check(&f), DENY_RESTRICTED);
}

TEST(a_change_that_takes_a_currencys_only_rate_away_is_refused_whole)
{
    struct fixture f;
    fixture_money(&f);
    rate_stated(&f, "EUR", 110);
    apply_limits(&f);
    struct instrument euro = euro_spot(&f);
    CHECK(risk_set_instrument(f.r, &euro, f.now, &f.fault));
    risk_mark(f.r, euro.id, &f.md, f.now);
    f.o.ins = &euro;
    f.o.instrument = euro.id;
    CHECK_EQ(check(&f), DENY_NONE);
    f.lim.fixed_count = 0;
    refused(&f, "instrument ABCEUR: nobody could say what its currency EUR is worth in USD, expected a rate of it or a "
                "spot instrument of both");
    CHECK_EQ(check(&f), DENY_NONE);
    struct instrument pair = f.ins; /* a book of both is a rate as well */
    pair.id = INSTR + 2;
    pair.base_ccy = 9;
    memcpy(pair.base, "EUR", 4);
    memcpy(pair.symbol, "EURUSD", 7);
    CHECK(risk_set_instrument(f.r, &pair, f.now, &f.fault));
    f.lim.fixed_count = 0;
    apply_limits(&f);
    CHECK_EQ(check(&f), DENY_EXPOSURE); /* until the book is there */
    risk_mark(f.r, pair.id, &f.md, f.now);
    risk_mark(f.r, euro.id, &f.md, f.now);
    CHECK_EQ(check(&f), DENY_NONE);
}

TEST(a_rate_that_is_stated_anew_counts_at_once_for_all_that_is_held)
{
    struct fixture f;
    struct risk_group g;
    fixture_money(&f);
    rate_stated(&f, "EUR", 100);
    apply_limits(&f);
    struct instrument euro = euro_spot(&f);
    CHECK(risk_set_instrument(f.r, &euro, f.now, &f.fault));
    f.md.good.ask_px = f.md.tob.ask_px = 10010;
    risk_mark(f.r, euro.id, &f.md, f.now);
    struct order_delta d = { .account = ACCOUNT,
                             .instrument = euro.id,
                             .client = CLIENT,
                             .side = SIDE_BUY,
                             .fill_qty = 10 * ONE,
                             .fill_px = 11000,
                             .fee_ccy = 9 };
    risk_apply(f.r, &d);
    CHECK(risk_group(f.r, LEVEL_GLOBAL, 0, &g));
    CHECK_EQ(g.gross, USD(1000));
    CHECK_EQ(g.day_result, -USD(100));
    f.lim.global.day_loss_max = USD(150);
    rate_stated(&f, "EUR", 150);
    apply_limits(&f); /* no book has come in between */
    CHECK(risk_group(f.r, LEVEL_GLOBAL, 0, &g));
    CHECK_EQ(g.gross, USD(1500));
    CHECK_EQ(g.day_result, -USD(150));
    CHECK_EQ(risk_tripped(f.r, LEVEL_GLOBAL, 0), 0);
    rate_stated(&f, "EUR", 151);
    apply_limits(&f);
    CHECK_EQ(risk_tripped(f.r, LEVEL_GLOBAL, 0), 1u << TRIP_DAY_LOSS);
}

static void
bought_at_110(struct fixture *f, uint32_t instrument, qty_t qty)
{
    struct order_delta d = { .account = ACCOUNT,
                             .instrument = instrument,
                             .client = CLIENT,
                             .side = SIDE_BUY,
                             .fill_qty = qty,
                             .fill_px = 11000,
                             .fee_ccy = 9 };
    risk_apply(f->r, &d);
}

/* 100 each: one spot in USD, one in EUR at 2 USD, an inverse contract of 100 USD paid in ABC at 100 USD. */
TEST(results_and_exposure_in_three_currencies_inverse_too_add_up_in_the_reporting_one)
{
    struct fixture f;
    struct risk_group g;
    fixture_money(&f);
    rate_stated(&f, "EUR", 200);
    f.lim.global.day_loss_max = USD(120);
    apply_limits(&f);
    struct instrument euro = euro_spot(&f);
    CHECK(risk_set_instrument(f.r, &euro, f.now, &f.fault));
    struct instrument inverse = f.ins;
    inverse.id = INSTR + 2;
    inverse.kind = INSTRUMENT_INVERSE;
    inverse.multiplier = 100 * VALUE_ONE;
    inverse.settle_ccy = inverse.base_ccy;
    memcpy(inverse.settle, "ABC", 4);
    memcpy(inverse.symbol, "ABCPERP", 8);
    CHECK(risk_set_instrument(f.r, &inverse, f.now, &f.fault));
    f.md.good.ask_px = f.md.tob.ask_px = 10010; /* a mark of 100.00 */
    f.now.mono.ns += 2 * NS_PER_S;
    f.md.tob.recv_ns = f.md.good.recv_ns = f.now.mono.ns;
    const uint32_t all[] = { INSTR, euro.id, inverse.id };
    for (unsigned i = 0; i < ARRAY_LEN(all); i++)
        risk_mark(f.r, all[i], &f.md, f.now);
    f.o.px = 10010;
    CHECK_EQ(check(&f), DENY_NONE);
    bought_at_110(&f, INSTR, ONE);
    bought_at_110(&f, euro.id, ONE);
    CHECK(risk_group(f.r, LEVEL_GLOBAL, 0, &g));
    CHECK_EQ(g.day_result, -USD(30)); /* 10 USD and 10 EUR */
    CHECK_EQ(g.gross, USD(300));
    CHECK_EQ(check(&f), DENY_NONE);
    bought_at_110(&f, inverse.id, 10 * ONE);
    CHECK(risk_group(f.r, LEVEL_GLOBAL, 0, &g));
    /* 1000 / 110 - 1000 / 100 = -0.90909091 ABC, rounded down */
    CHECK_EQ(g.day_result, -USD(30) - INT64_C(9090909100));
    CHECK(g.gross >= USD(1300) && g.gross <= USD(1300) + 100); /* rounded up */
    CHECK_EQ(check(&f), DENY_DAILY_LOSS);
    CHECK(risk_group(f.r, LEVEL_CLIENT, CLIENT, &g));
    CHECK_EQ(g.day_result, -USD(30) - INT64_C(9090909100));
    struct risk_pnl p;
    risk_pnl(f.r, CLIENT, ACCOUNT, inverse.id, &p);
    CHECK_EQ(p.unrealised, -90909091);
    CHECK_EQ(p.average_px, 11001); /* rounded against us */
}

TEST(the_reporting_currency_stays_once_the_day_has_begun)
{
    struct fixture f;
    fixture_money(&f);
    risk_clock(f.r, f.now);
    memcpy(f.lim.reporting, "EUR", 4);
    refused(&f, "limits.reporting: is \"EUR\", expected \"USD\", which the day is counted in");
}

TEST(what_if_of_an_inverse_contract_counts_its_face_value)
{
    struct fixture f;
    struct risk_verdict binding;
    fixture_init(&f);
    f.ins.kind = INSTRUMENT_INVERSE;
    f.ins.version = 2;
    f.ins.multiplier = 100 * VALUE_ONE; /* a contract is worth 100 */
    f.ins.notional_min = 1000 * VALUE_ONE;
    f.o.instrument_version = f.md.tob.instrument_version = f.md.good.instrument_version = 2;
    CHECK(risk_set_instrument(f.r, &f.ins, f.now, &f.fault));
    f.lim.instrument_default.order_notional_max = 5000 * VALUE_ONE;
    apply_limits(&f);
    AT_LIMIT_AND_PAST(&f, f.o.qty = 10 * ONE, f.o.qty = 10 * ONE - 5, DENY_ORDER_NOTIONAL);
    AT_LIMIT_AND_PAST(&f, f.o.qty = 50 * ONE, f.o.qty = 50 * ONE + 5, DENY_ORDER_NOTIONAL);
    CHECK_EQ(risk_whatif(f.r, &f.o, &f.md, f.now, &binding), 50 * ONE);
    CHECK_EQ(binding.reason, DENY_ORDER_NOTIONAL);
}

TEST_MAIN()
