/* The emulated venue's engine: filters, balances, fees, queries and rate limits; and a property test that runs random
 * operations and checks every invariant after each. */
#include "bench/venue/ratelimit.h"
#include "tests/venue_fixture.h"

/* ---- checks ---- */

TEST(each_filter_passes_at_its_limit_and_fails_one_past_it)
{
    const struct emu_filters *f = &defs[0].filters;
    struct emu_filter_input good = {
        .side = EMU_BUY, .type = EMU_LIMIT, .px = 100 * ONE, .qty = ONE, .avg_px = 100 * ONE
    };
    struct emu_filter_input in;

    CHECK(emu_filters_check(f, &good) == NULL);
#define FAILS(field, limit_value, past_value, name) \
    do {                                            \
        in = good;                                  \
        in.field = (limit_value);                   \
        CHECK(emu_filters_check(f, &in) == NULL);   \
        in.field = (past_value);                    \
        CHECK(emu_filters_check(f, &in) != NULL);   \
        CHECK_STR(emu_filters_check(f, &in), name); \
    } while (0)
    FAILS(px, 500 * ONE, 500 * ONE + 1, "PRICE_FILTER");
    FAILS(px, 500 * ONE, 500 * ONE + ONE / 100, "PERCENT_PRICE_BY_SIDE");
    FAILS(px, 20 * ONE, 20 * ONE - ONE / 100, "PERCENT_PRICE_BY_SIDE");
    FAILS(stop_px, 1000 * ONE, 1000 * ONE + ONE / 100, "PRICE_FILTER");
    FAILS(stop_px, ONE / 100, ONE / 200, "PRICE_FILTER");
    FAILS(qty, 1000 * ONE, 1000 * ONE + ONE / 1000, "LOT_SIZE");
    FAILS(qty, ONE, ONE + 1, "LOT_SIZE");
    FAILS(qty, ONE / 100, ONE / 100 - ONE / 1000, "NOTIONAL");
    FAILS(iceberg_qty, ONE / 10, ONE / 10 - ONE / 1000, "ICEBERG_PARTS");
    FAILS(orders_open, 7, 8, "MAX_NUM_ORDERS");
    good.px = 200 * ONE;
    FAILS(qty, 500 * ONE, 500 * ONE + ONE / 1000, "NOTIONAL");
    good.px = 100 * ONE;
    good.iceberg_qty = ONE / 2;
    FAILS(iceberg_open, 1, 2, "MAX_NUM_ICEBERG_ORDERS");
    good.iceberg_qty = 0;
    good.type = EMU_STOP_LOSS_LIMIT;
    FAILS(algo_open, 2, 3, "MAX_NUM_ALGO_ORDERS");
    good.type = EMU_MARKET;
    good.px = 0;
    FAILS(qty, 500 * ONE, 500 * ONE + ONE / 1000, "MARKET_LOT_SIZE");
    FAILS(qty, ONE / 100, ONE / 1000, "NOTIONAL");
    good.qty = 0;
    FAILS(quote_qty, ONE, ONE - 1, "NOTIONAL");
    f = &defs[1].filters;
    good = (struct emu_filter_input){ .side = EMU_BUY, .type = EMU_LIMIT, .px = ONE / 20, .qty = ONE };
    FAILS(position, 199999 * ONE, 199999 * ONE + 1, "MAX_POSITION");
#undef FAILS
}

TEST(every_symbol_of_the_venue_accepts_an_order_at_its_start_price)
{
    for (size_t i = 0; i < emu_symbol_def_count; i++) {
        const struct emu_symbol_def *d = &emu_symbol_defs[i];
        struct emu_filter_input in = { .side = EMU_BUY,
                                       .type = EMU_LIMIT,
                                       .px = d->start_px,
                                       .qty = d->touch_qty - d->touch_qty % d->filters.lot_step,
                                       .avg_px = d->start_px };
        const char *failed = emu_filters_check(&d->filters, &in);
        CHECK_STR(failed == NULL ? "" : failed, "");
    }
    CHECK(emu_symbol_def_count >= 6);
}

TEST(filters_count_the_accounts_open_orders)
{
    struct fixture *f = fixture_new();
    for (int i = 0; i < 8; i++)
        place(f, f->alice, limit(EMU_BUY, 10000 - i, 1000));
    refused(f, f->alice, limit(EMU_BUY, 9000, 1000), -1013, "Filter failure: MAX_NUM_ORDERS");
    CHECK_EQ(emu_order_cancel_all(f->e, f->alice, 0, NULL, 0, &f->c.err), 8);
    place(f, f->alice, limit(EMU_BUY, 9000, 1000));
    trade_at(f, 10000);
    struct emu_order_req stop = { .side = EMU_SELL, .type = EMU_STOP_LOSS, .stop_px = 90 * ONE, .qty = ONE };
    for (int i = 0; i < 3; i++)
        place(f, f->alice, stop);
    refused(f, f->alice, stop, -1013, "Filter failure: MAX_NUM_ALGO_ORDERS");
    fixture_end(f);
}

TEST(parameters_that_a_type_needs_or_does_not_take_are_checked)
{
    struct fixture *f = fixture_new();
    struct emu_order_req req = limit(EMU_BUY, 10000, 1000);
    req.tif = EMU_TIF_NONE;
    refused(f, f->alice, req, -1102, "Mandatory parameter 'timeInForce' was not sent, was empty/null, or malformed.");
    req = limit(EMU_BUY, 0, 1000);
    refused(f, f->alice, req, -1102, "Mandatory parameter 'price' was not sent, was empty/null, or malformed.");
    req = market(EMU_BUY, 1000);
    req.px = 100 * ONE;
    refused(f, f->alice, req, -1106, "Parameter 'price' sent when not required.");
    req = market(EMU_BUY, 0);
    refused(f, f->alice, req, -1102, "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!");
    req = market(EMU_BUY, 1000);
    req.quote_order_qty = ONE;
    refused(f, f->alice, req, -1128, "Combination of optional parameters invalid.");
    req = limit(EMU_BUY, 10000, 1000);
    req.symbol = 2;
    refused(f, f->alice, req, -1121, "Invalid symbol.");
    req = limit(EMU_BUY, 10000, 1000);
    emu_symbol_status_set(f->e, 0, EMU_BREAK);
    refused(f, f->alice, req, -1013, "Market is closed.");
    fixture_end(f);
}

TEST(an_order_may_use_all_that_is_free_and_not_one_unit_more)
{
    struct fixture *f = fixture_new();
    uint32_t poor = (uint32_t)emu_account_open(f->e, "poor");
    int usd = emu_asset_find(f->e, "USD");
    CHECK(emu_account_deposit(f->e, poor, usd, 100 * ONE - 1));
    refused(f, poor, limit(EMU_BUY, 10000, 1000), -2010, "Account has insufficient balance for requested action.");
    CHECK(emu_account_deposit(f->e, poor, usd, 1));
    place(f, poor, limit(EMU_BUY, 10000, 1000));
    CHECK_EQ(free_of(f, poor, "USD"), 0);
    refused(f, poor, limit(EMU_SELL, 20000, 1000), -2010, "Account has insufficient balance for requested action.");
    CHECK(!emu_account_deposit(f->e, poor, usd, -1));
    place(f, f->alice, limit(EMU_SELL, 11000, 1000));
    refused(f, poor, market(EMU_BUY, 1000), -2010, "Account has insufficient balance for requested action.");
    fixture_end(f);
}

TEST(an_order_test_checks_the_same_and_changes_nothing)
{
    struct fixture *f = fixture_new();
    struct emu_error err;
    struct emu_order_req req = limit(EMU_BUY, 10000, 1000);
    CHECK_EQ(emu_order_test(f->e, f->alice, &req, &err), 0);
    req.px++;
    CHECK_EQ(emu_order_test(f->e, f->alice, &req, &err), -1013);
    CHECK_EQ(f->seen.exec_count + f->seen.level_count, 0);
    fixture_end(f);
}

/* ---- fees, events, queries ---- */

TEST(commission_is_taken_from_what_is_received)
{
    struct fixture *f = fixture_new();
    emu_account_set_rates(f->e, f->alice, ONE / 1000, ONE / 500);
    place(f, f->alice, limit(EMU_SELL, 10000, 1000));
    const struct emu_order *o = place(f, f->bob, limit(EMU_BUY, 10000, 1000));
    CHECK_EQ(free_of(f, f->bob, "AAA"), 100000 * ONE + ONE - ONE / 1000);
    CHECK_EQ(free_of(f, f->alice, "USD"), 100000 * ONE + 100 * ONE - ONE / 10);
    CHECK_EQ(o->trades->commission, ONE / 1000);
    CHECK_STR(emu_asset_name(f->e, o->trades->commission_asset), "AAA");
    fixture_end(f);
}

TEST(level_changes_number_without_gaps_and_rebuild_the_book)
{
    struct fixture *f = fixture_new();
    struct emu_level bid[8];
    struct emu_level ask[8];
    int bids;
    int asks;
    place(f, f->alice, limit(EMU_SELL, 10001, 500));
    place(f, f->alice, limit(EMU_SELL, 10000, 500));
    place(f, f->bob, limit(EMU_BUY, 10000, 700));
    place(f, f->bob, limit(EMU_BUY, 9999, 100));
    for (int i = 0; i < f->seen.level_count; i++)
        CHECK_EQ(f->seen.level[i].update_id, f->seen.level[0].update_id + i);
    CHECK_EQ(emu_depth(f->e, 0, 8, bid, &bids, ask, &asks), f->seen.level[f->seen.level_count - 1].update_id);
    CHECK_EQ(bids, 2);
    CHECK_EQ(asks, 1);
    CHECK_EQ(bid[0].px, 100 * ONE);
    CHECK_EQ(bid[0].qty, 2 * (ONE / 10));
    CHECK_EQ(f->seen.touch.bid.px, bid[0].px);
    CHECK_EQ(f->seen.touch.ask.qty, ask[0].qty);
    CHECK_EQ(f->seen.trade_count, 1);
    CHECK(!f->seen.trade.buyer_is_maker);
    fixture_end(f);
}

TEST(queries_find_orders_and_trades_by_id_range_and_time)
{
    struct fixture *f = fixture_new();
    const struct emu_order *orders[8];
    const struct emu_trade *trades[8];
    struct emu_error err;
    int64_t t0 = emu_engine_time(f->e);
    const struct emu_order *a = place(f, f->alice, limit(EMU_SELL, 10000, 300));
    emu_engine_set_time(f->e, t0 + 1000);
    const struct emu_order *b = place(f, f->alice, limit(EMU_SELL, 10001, 300));
    place(f, f->bob, limit(EMU_BUY, 10001, 400));

    CHECK_EQ(emu_orders_open(f->e, f->alice, -1, orders, 8), 1);
    CHECK(orders[0] == b);
    CHECK_EQ(emu_orders_all(f->e, f->alice, 0, 0, 0, 0, orders, 8), 2);
    CHECK(orders[0] == a && orders[1] == b);
    CHECK_EQ(emu_orders_all(f->e, f->alice, 0, 0, 0, 0, orders, 1), 1);
    CHECK(orders[0] == b);
    CHECK_EQ(emu_orders_all(f->e, f->alice, 0, b->id, 0, 0, orders, 8), 1);
    CHECK_EQ(emu_orders_all(f->e, f->alice, 0, 0, t0, t0, orders, 8), 1);
    CHECK_EQ(emu_trades_mine(f->e, f->alice, 0, 0, -1, 0, 0, trades, 8), 2);
    CHECK_EQ(emu_trades_mine(f->e, f->alice, 0, b->id, -1, 0, 0, trades, 8), 1);
    int64_t second = trades[0]->id;
    CHECK_EQ(emu_trades_mine(f->e, f->alice, 0, 0, second, 0, 0, trades, 8), 1);
    CHECK_EQ(emu_trades_mine(f->e, f->alice, 0, 0, second + 1, 0, 0, trades, 8), 0);
    CHECK(emu_order_find(f->e, f->bob, 0, a->id, NULL, &err) == NULL);
    CHECK_EQ(err.code, -2013);
    CHECK(emu_order_find(f->e, f->alice, 0, a->id, "other", &err) == NULL);
    CHECK_EQ(err.code, -2039);
    struct emu_public_trade pub[8];
    CHECK_EQ(emu_trades_public(f->e, 0, pub, 8), 2);
    CHECK_EQ(pub[1].id, second);
    fixture_end(f);
}

/* ---- property ---- */

static uint64_t
random_next(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

static int64_t
below(uint64_t *x, int64_t n)
{
    return (int64_t)(random_next(x) % (uint64_t)n);
}

/* Any request near the touch, legal or not. */
static struct emu_order_req
random_request(uint64_t *x)
{
    static const char *const names[] = { NULL, NULL, NULL, "n1", "n2", "n3" };
    struct emu_order_req r = { .symbol = (int)below(x, 2),
                               .side = (enum emu_side)below(x, 2),
                               .type = (enum emu_type)below(x, EMU_TYPE_COUNT),
                               .stp = (enum emu_stp)below(x, EMU_STP_COUNT),
                               .client_id = names[below(x, 6)] };
    int64_t tick = defs[r.symbol].filters.px_tick;
    int64_t px = defs[r.symbol].start_px + (below(x, 41) - 20) * tick;
    int64_t qty = (1 + below(x, 3000)) * defs[r.symbol].filters.lot_step;

    if (below(x, 3) == 0)
        r.type = EMU_LIMIT;
    if (emu_type_has_price(r.type)) {
        r.px = px;
        r.tif = r.type == EMU_LIMIT_MAKER ? EMU_TIF_NONE : (enum emu_tif)(1 + below(x, 3));
        if (below(x, 4) == 0 && (r.tif == EMU_GTC || r.type == EMU_LIMIT_MAKER))
            r.iceberg_qty = (qty / defs[r.symbol].filters.lot_step + 4) / 5 * defs[r.symbol].filters.lot_step;
    }
    if (emu_type_is_algo(r.type))
        r.stop_px = px + (below(x, 11) - 5) * tick;
    if (r.type == EMU_MARKET && below(x, 2) == 0)
        r.quote_order_qty = (1 + below(x, 200)) * ONE / 3;
    else
        r.qty = qty;
    return r;
}

static void
random_operation(struct fixture *f, uint64_t *x)
{
    const struct emu_order *open[64];
    uint32_t account = (uint32_t)below(x, 3); /* 0: the house */
    struct emu_order_req req = random_request(x);
    struct emu_replace_result replaced;
    int n = account == EMU_HOUSE ? 0 : emu_orders_open(f->e, account, -1, open, 64);
    const struct emu_order *o = n > 0 ? open[below(x, n)] : NULL;

    emu_engine_set_time(f->e, emu_engine_time(f->e) + below(x, 100000));
    switch (o == NULL ? 0 : below(x, 8)) {
    case 1: {
        struct emu_cancel_req c = { .symbol = o->symbol, .order_id = o->id };
        (void)emu_order_cancel(f->e, account, &c, &f->c);
        break;
    }
    case 2: {
        struct emu_cancel_req c = { .symbol = o->symbol, .order_id = o->id + below(x, 2) };
        req.symbol = o->symbol;
        (void)emu_order_replace(f->e, account, &c, &req, below(x, 2) == 0, below(x, 8) == 0, &replaced);
        break;
    }
    case 3:
        (void)emu_order_amend(f->e, account, o->symbol, o->id, NULL, o->qty * below(x, 11) / 10 / 10000 * 10000, NULL,
                              &f->r, NULL);
        break;
    case 4:
        if (below(x, 10) == 0)
            (void)emu_order_cancel_all(f->e, account, o->symbol, NULL, 0, &f->c.err);
        break;
    default:
        if (account == EMU_HOUSE)
            req.stp = EMU_STP_NONE;
        if (account == EMU_HOUSE && emu_type_is_algo(req.type))
            break;
        if (emu_order_place(f->e, account, &req, &f->r) == 0 && f->r.order != NULL && req.tif == EMU_FOK &&
            f->r.order->is_working == false && !emu_type_is_algo(req.type))
            CHECK(f->r.order->cum_qty == 0 || f->r.order->cum_qty == req.qty);
        break;
    }
}

TEST(random_operations_keep_every_invariant)
{
    int filled = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct fixture *f = fixture_new();
        uint64_t x = seed * 7919;
        for (int i = 0; i < 1500; i++) {
            random_operation(f, &x);
            char why[256] = "";
            if (!emu_engine_verify(f->e, why, sizeof(why))) {
                print_error("seed %llu, operation %d: %s\n", (unsigned long long)seed, i, why);
                CHECK(false);
            }
        }
        filled += f->seen.trade_count;
        fixture_end(f);
    }
    CHECK(filled > 1000);
}

/* ---- rate limits ---- */

TEST(a_limit_allows_its_count_and_starts_again_at_the_clocks_next_window)
{
    struct emu_limit l;
    emu_limit_init(&l, 10000000, 2);
    CHECK(emu_limit_take(&l, 19999998, 1));
    CHECK(emu_limit_take(&l, 19999999, 1));
    CHECK(!emu_limit_take(&l, 19999999, 1));
    CHECK_EQ(emu_limit_resets_us(&l, 19999999), 20000000);
    CHECK_EQ(emu_limit_count(&l, 19999999), 2);
    CHECK(emu_limit_take(&l, 20000000, 2));
    CHECK(!emu_limit_add(&l, 20000000, 1));
    CHECK_EQ(emu_limit_count(&l, 20000000), 3);
    emu_limit_give_back(&l, 20000000, 9);
    CHECK_EQ(emu_limit_count(&l, 20000000), 0);
}

TEST(an_order_counts_in_both_windows_or_in_none_and_its_first_fill_gives_it_back)
{
    struct emu_order_limits o;
    emu_order_limits_init(&o, 2, 3);
    CHECK(emu_order_limits_take(&o, 0));
    CHECK(emu_order_limits_take(&o, 0));
    CHECK(!emu_order_limits_take(&o, 0));
    CHECK_EQ(emu_limit_count(&o.day, 0), 2);
    emu_order_limits_filled(&o, 0);
    CHECK(emu_order_limits_take(&o, 0));
    CHECK(emu_order_limits_take(&o, 10000000)); /* next ten seconds: the day's third */
    CHECK(!emu_order_limits_take(&o, 10000001));
    CHECK_EQ(emu_limit_count(&o.ten_seconds, 10000001), 1);
}

TEST_MAIN()
