/* What each limit stands at: every gauge by its level, unit, limit, used and headroom, in a state in which no two are
 * alike; and what is missing. */
#include "tests/risk_fixture.h"

#define USD(n) ((value_t)(n)*VALUE_ONE)
#define OTHER  (CLIENT + 1)

static struct fixture f;
static struct risk_gauge gauge[RISK_GAUGES_MAX];
static uint32_t gauges;

static void
look(void)
{
    gauges = risk_gauges(f.r, CLIENT, ACCOUNT, INSTR, &f.md, f.now, gauge);
}

static const struct risk_gauge *
find(enum trading_level level, const char *name)
{
    for (uint32_t i = 0; i < gauges; i++)
        if (gauge[i].level == level && strcmp(gauge[i].name, name) == 0)
            return &gauge[i];
    return NULL;
}

static void
shows(enum trading_level level, const char *name, enum deny_reason check, enum gauge_unit unit, int64_t used,
      int64_t limit)
{
    static const uint32_t id[] = { [LEVEL_GLOBAL] = 0,
                                   [LEVEL_VENUE] = 0,
                                   [LEVEL_ACCOUNT] = ACCOUNT,
                                   [LEVEL_INSTRUMENT] = INSTR,
                                   [LEVEL_CLIENT] = CLIENT };
    const struct risk_gauge *g = find(level, name);

    if (g == NULL)
        fail_msg("no gauge %s at level %d", name, level);
    if (g->used != used || g->limit != limit)
        fail_msg("%s at level %d: %lld of %lld, expected %lld of %lld", name, level, (long long)g->used,
                 (long long)g->limit, (long long)used, (long long)limit);
    CHECK_EQ(g->headroom, MAX(limit - used, 0));
    CHECK_EQ(g->check, check);
    CHECK_EQ(g->unit, unit);
    CHECK_EQ(g->id, id[level]);
}

static struct group_limits
group(int n)
{
    return (struct group_limits){ .gross_max = USD(1000 + n),
                                  .net_max = USD(2000 + n),
                                  .day_value_max = USD(3000 + n),
                                  .day_loss_max = USD(4000 + n),
                                  .drawdown_max = USD(5000 + n) };
}

static struct rate_limit
rate(uint32_t burst)
{
    return (struct rate_limit){ .per_s = 1, .burst = burst };
}

static void
stated(void)
{
    struct instrument_limits *i = &f.lim.instrument_default;
    struct client_limits *c = &f.lim.client_default;
    struct account_limits *a = &f.lim.account_default;

    i->order_qty_max = 500 * VALUE_ONE;
    i->order_notional_max = USD(600);
    i->collar_ppm = 7000;
    i->open_orders_max = 8;
    i->position_long_max = 9 * VALUE_ONE;
    i->position_short_max = 10 * VALUE_ONE;
    i->tob_age_max_ns = 11 * NS_PER_S;
    i->order_rate = rate(12);
    c->open_orders_max = 13;
    c->rejects_max = 14;
    c->order_rate = rate(15);
    c->replace_rate = rate(16);
    c->cancel_rate = rate(17);
    c->denied_rate = rate(18);
    c->messages_free = 19;
    c->messages_per_fill_max = 20;
    c->repeat_executions_max = 21;
    c->group = group(1);
    a->open_orders_max = 22;
    a->order_rate = rate(23);
    a->reduce_rate = rate(24);
    a->group = group(2);
    f.lim.venue_default.clock_offset_max_ns = 25;
    f.lim.venue_default.rejects_max = 26;
    f.lim.venue_default.order_rate = rate(27);
    f.lim.venue_default.group = group(3);
    f.lim.open_orders_max = 28;
    f.lim.global = group(4);
    apply_limits(&f);
}

/* A buy and a sell rest, and each bucket has given a number of tokens of its own. */
TEST(each_limit_is_shown_with_what_is_used_of_it)
{
    struct risk_verdict v;
    struct risk_venue up = venue_up();

    fixture_money(&f);
    stated();
    f.now.mono.ns += 20 * NS_PER_S; /* buckets are full */
    f.now.wall.ns += 20 * NS_PER_S;
    f.md.tob.recv_ns = f.md.good.recv_ns = f.now.mono.ns - 3;
    risk_mark(f.r, INSTR, &f.md, f.now);
    up.clock_offset_ns = -5;
    risk_set_venue(f.r, 0, &up);
    f.o.qty = 1000;
    CHECK_EQ(check(&f), DENY_NONE); /* a token of each */
    reserve(&f, SIDE_BUY, 1000, 1);
    f.o.replace = true;
    f.o.px = 9990;
    CHECK_EQ(check(&f), DENY_NONE);
    reserve(&f, SIDE_SELL, 2000, 1);
    CHECK_EQ(risk_check_cancel(f.r, CLIENT, f.now, &v), DENY_NONE);
    for (int n = 0; n < 4; n++)
        CHECK(!risk_denied(f.r, CLIENT, f.now));
    for (int n = 0; n < 3; n++)
        risk_note_reject(f.r, n == 0 ? VENUE_MAX : 0, n == 0 ? CLIENT : OTHER, f.now);
    look();

    shows(LEVEL_INSTRUMENT, "market_age", DENY_STALE_MARKET, GAUGE_NS, 3, 11 * NS_PER_S);
    shows(LEVEL_INSTRUMENT, "order_qty", DENY_ORDER_QTY, GAUGE_QTY, 0, 500000);
    shows(LEVEL_INSTRUMENT, "order_notional", DENY_ORDER_NOTIONAL, GAUGE_VALUE, 0, USD(600));
    shows(LEVEL_INSTRUMENT, "price_collar", DENY_PRICE_COLLAR, GAUGE_PPM, 0, 7000);
    shows(LEVEL_INSTRUMENT, "open_orders", DENY_OPEN_ORDERS, GAUGE_COUNT, 2, 8);
    shows(LEVEL_INSTRUMENT, "position_long", DENY_POSITION, GAUGE_QTY, 1000, 9000);
    shows(LEVEL_INSTRUMENT, "position_short", DENY_POSITION, GAUGE_QTY, 2000, 10000);
    shows(LEVEL_INSTRUMENT, "order_rate", DENY_ORDER_RATE, GAUGE_COUNT, 2, 12);
    shows(LEVEL_CLIENT, "open_orders", DENY_OPEN_ORDERS, GAUGE_COUNT, 2, 13);
    shows(LEVEL_CLIENT, "rejects", DENY_BREAKER, GAUGE_COUNT, 1, 14);
    shows(LEVEL_CLIENT, "order_rate", DENY_ORDER_RATE, GAUGE_COUNT, 2, 15);
    shows(LEVEL_CLIENT, "replace_rate", DENY_CANCEL_RATE, GAUGE_COUNT, 1, 16);
    shows(LEVEL_CLIENT, "cancel_rate", DENY_CANCEL_RATE, GAUGE_COUNT, 1, 17);
    shows(LEVEL_CLIENT, "denied_rate", DENY_HALTED, GAUGE_COUNT, 4, 18);
    shows(LEVEL_CLIENT, "messages_per_fill", DENY_CANCEL_RATE, GAUGE_COUNT, 3, 20);
    shows(LEVEL_CLIENT, "repeat_executions", DENY_REPEAT_EXECUTIONS, GAUGE_COUNT, 2, 21);
    shows(LEVEL_ACCOUNT, "open_orders", DENY_OPEN_ORDERS, GAUGE_COUNT, 2, 22);
    shows(LEVEL_ACCOUNT, "order_rate", DENY_ORDER_RATE, GAUGE_COUNT, 2, 23);
    shows(LEVEL_ACCOUNT, "reduce_rate", DENY_ORDER_RATE, GAUGE_COUNT, 0, 24);
    shows(LEVEL_VENUE, "clock_offset", DENY_CLOCK, GAUGE_NS, 5, 25);
    shows(LEVEL_VENUE, "rejects", DENY_BREAKER, GAUGE_COUNT, 2, 26);
    shows(LEVEL_VENUE, "order_rate", DENY_ORDER_RATE, GAUGE_COUNT, 2, 27);
    shows(LEVEL_GLOBAL, "open_orders", DENY_OPEN_ORDERS, GAUGE_COUNT, 2, 28);

    /* Messages: the larger of what is free and what the fills allow. */
    f.lim.client_default.messages_free = 50;
    apply_limits(&f);
    fill_at(&f, SIDE_BUY, 9990, 1);
    fill_at(&f, SIDE_BUY, 9990, 1);
    look();
    shows(LEVEL_CLIENT, "messages_per_fill", DENY_CANCEL_RATE, GAUGE_COUNT, 3, 50);
    fill_at(&f, SIDE_BUY, 9990, 1);
    look();
    shows(LEVEL_CLIENT, "messages_per_fill", DENY_CANCEL_RATE, GAUGE_COUNT, 3, 60);
    /* Tokens come back between two looks. */
    f.now.mono.ns += NS_PER_S;
    look();
    shows(LEVEL_CLIENT, "denied_rate", DENY_HALTED, GAUGE_COUNT, 3, 18);
}

/* The mark is 99.95 and one unit of it held: long and short worst cases, what was traded, lost and fallen. */
TEST(each_group_is_shown_with_its_exposure_and_its_day)
{
    static const enum trading_level level[] = { LEVEL_CLIENT, LEVEL_ACCOUNT, LEVEL_VENUE, LEVEL_GLOBAL };

    for (int side = 0; side < 2; side++) {
        fixture_money(&f);
        stated();
        risk_mark(f.r, INSTR, &f.md, f.now);
        fill_at(&f, side == 0 ? SIDE_BUY : SIDE_SELL, 9995, 1000);
        reserve(&f, side == 0 ? SIDE_BUY : SIDE_SELL, 1000, 1);
        look();
        for (int n = 0; n < 4; n++) {
            shows(level[n], "gross_exposure", DENY_EXPOSURE, GAUGE_VALUE, USD(19990) / 100, USD(1001 + n));
            shows(level[n], "net_exposure", DENY_EXPOSURE, GAUGE_VALUE, USD(19990) / 100, USD(2001 + n));
            shows(level[n], "daily_value", DENY_DAILY_VALUE, GAUGE_VALUE, USD(19990) / 100, USD(3001 + n));
            shows(level[n], "daily_loss", DENY_DAILY_LOSS, GAUGE_VALUE, 0, USD(4001 + n));
            shows(level[n], "drawdown", DENY_DRAWDOWN, GAUGE_VALUE, 0, USD(5001 + n));
        }
        /* 10 to the better, then 15 to the worse. */
        int sign = side == 0 ? 1 : -1;
        for (int step = 0; step < 2; step++) {
            px_t by = sign * (step == 0 ? 1000 : -1500);
            f.md.tob.bid_px += by;
            f.md.tob.ask_px += by;
            f.md.good = f.md.tob;
            risk_mark(f.r, INSTR, &f.md, f.now);
        }
        look();
        for (int n = 0; n < 4; n++) {
            shows(level[n], "daily_loss", DENY_DAILY_LOSS, GAUGE_VALUE, USD(5), USD(4001 + n));
            shows(level[n], "drawdown", DENY_DRAWDOWN, GAUGE_VALUE, USD(15), USD(5001 + n));
        }
    }
}

TEST(what_limits_nothing_is_not_shown_and_what_is_missing_is_shown_as_used_up)
{
    struct risk_venue v = { .reconciled = true };

    fixture_money(&f);
    look();
    CHECK(find(LEVEL_CLIENT, "gross_exposure") == NULL);
    CHECK(find(LEVEL_GLOBAL, "drawdown") == NULL);
    CHECK(find(LEVEL_CLIENT, "repeat_executions") == NULL);
    CHECK(find(LEVEL_ACCOUNT, "balance_quote") == NULL);
    risk_set_venue(f.r, 0, &v);
    f.md.tob.recv_ns = 0;
    look();
    shows(LEVEL_VENUE, "clock_offset", DENY_CLOCK, GAUGE_NS, INT64_MAX, f.lim.venue_default.clock_offset_max_ns);
    shows(LEVEL_INSTRUMENT, "market_age", DENY_STALE_MARKET, GAUGE_NS, INT64_MAX,
          f.lim.instrument_default.tob_age_max_ns);
    gauges = risk_gauges(f.r, CLIENT, ACCOUNT, INSTR, NULL, f.now, gauge);
    shows(LEVEL_INSTRUMENT, "market_age", DENY_STALE_MARKET, GAUGE_NS, INT64_MAX,
          f.lim.instrument_default.tob_age_max_ns);
    /* An instrument that no order can be sent in has no limits of its own. */
    f.ins.version = 2;
    f.ins.qty_min = f.ins.qty_max = INT64_MAX;
    CHECK(!risk_set_instrument(f.r, &f.ins, f.now, &f.fault));
    look();
    CHECK(find(LEVEL_INSTRUMENT, "order_qty") == NULL);
    CHECK(find(LEVEL_CLIENT, "open_orders") != NULL);
}

TEST(balances_are_shown_with_what_our_orders_need_of_them)
{
    fixture_money(&f);
    risk_set_balance(f.r, ACCOUNT, 2, USD(500), 0);
    risk_set_balance(f.r, ACCOUNT, 1, 7 * VALUE_ONE, 0);
    struct order_delta d = { .account = ACCOUNT,
                             .instrument = INSTR,
                             .client = CLIENT,
                             .side = SIDE_BUY,
                             .open_change = 1,
                             .reserved_change = 1000,
                             .cost_change = (wide_t)10000 * 1000 };
    risk_apply(f.r, &d);
    d = (struct order_delta){ .account = ACCOUNT,
                              .instrument = INSTR,
                              .client = CLIENT,
                              .side = SIDE_SELL,
                              .open_change = 1,
                              .reserved_change = 2000 };
    risk_apply(f.r, &d);
    look();
    shows(LEVEL_ACCOUNT, "balance_quote", DENY_BALANCE, GAUGE_VALUE, USD(100), USD(500));
    shows(LEVEL_ACCOUNT, "balance_base", DENY_BALANCE, GAUGE_VALUE, 2 * VALUE_ONE, 7 * VALUE_ONE);
}

TEST_MAIN()
