/* The emulated venue's engine: price-time priority, every type and time in force, filters, balances, queries, and a
 * property test that runs random operations and checks every invariant after each. */
#include "bench/venue/engine.h"
#include "bench/venue/ratelimit.h"
#include "test.h"

#define ONE EMU_ONE

/* Round numbers: tick 0.01, lot 0.001. */
static const struct emu_symbol_def defs[] = {
    { .name = "AAAUSD",
      .base = "AAA",
      .quote = "USD",
      .filters = { .px_min = ONE / 100,
                   .px_max = 1000 * ONE,
                   .px_tick = ONE / 100,
                   .lot_min = ONE / 1000,
                   .lot_max = 1000 * ONE,
                   .lot_step = ONE / 1000,
                   .market_lot_max = 500 * ONE,
                   .notional_min = ONE,
                   .notional_max = 100000 * ONE,
                   .notional_min_to_market = true,
                   .bid_mult_up = 5 * ONE,
                   .bid_mult_down = ONE / 5,
                   .ask_mult_up = 5 * ONE,
                   .ask_mult_down = ONE / 5,
                   .avg_price_mins = 5,
                   .iceberg_parts_max = 10,
                   .orders_max = 8,
                   .algo_orders_max = 3,
                   .iceberg_orders_max = 2,
                   .order_amends_max = 2 },
      .start_px = 100 * ONE,
      .touch_qty = ONE,
      .volatility_ppm = 50 },
    { .name = "BBBAAA",
      .base = "BBB",
      .quote = "AAA",
      .filters = { .px_min = 1000,
                   .px_max = ONE,
                   .px_tick = 1000,
                   .lot_min = 10000,
                   .lot_max = 1000 * ONE,
                   .lot_step = 10000,
                   .notional_min = 1000,
                   .orders_max = 100,
                   .algo_orders_max = 5,
                   .iceberg_parts_max = 10,
                   .order_amends_max = 10,
                   .position_max = 200000 * ONE },
      .start_px = ONE / 20,
      .touch_qty = ONE,
      .volatility_ppm = 50 },
};

enum { EVENTS_MAX = 512 };

struct seen {
    struct emu_execution exec[EVENTS_MAX];
    struct emu_order order[EVENTS_MAX]; /* as it was at the event */
    char client_id[EVENTS_MAX][EMU_CLIENT_ID_MAX], orig_client_id[EVENTS_MAX][EMU_CLIENT_ID_MAX];
    int exec_count;
    struct emu_level_change level[EVENTS_MAX];
    int level_count;
    struct emu_touch touch;
    int touch_count, account_count, trade_count;
    struct emu_public_trade trade;
};

struct fixture {
    struct emu_engine *e;
    uint32_t alice, bob;
    struct seen seen;
    struct emu_order_result r;
    struct emu_cancel_result c;
};

static void
on_execution(void *ctx, const struct emu_execution *x)
{
    struct seen *s = ctx;
    if (s->exec_count == EVENTS_MAX)
        return;
    int i = s->exec_count++;
    s->exec[i] = *x;
    s->order[i] = *x->order;
    (void)snprintf(s->client_id[i], EMU_CLIENT_ID_MAX, "%s", x->client_id);
    (void)snprintf(s->orig_client_id[i], EMU_CLIENT_ID_MAX, "%s", x->orig_client_id);
}

static void
on_account(void *ctx, const struct emu_account_change *c)
{
    (void)c;
    ((struct seen *)ctx)->account_count++;
}

static void
on_trade(void *ctx, const struct emu_public_trade *t)
{
    struct seen *s = ctx;
    s->trade = *t;
    s->trade_count++;
}

static void
on_level(void *ctx, const struct emu_level_change *c)
{
    struct seen *s = ctx;
    if (s->level_count < EVENTS_MAX)
        s->level[s->level_count++] = *c;
}

static void
on_touch(void *ctx, const struct emu_touch *t)
{
    struct seen *s = ctx;
    s->touch = *t;
    s->touch_count++;
}

static void
check_sound(const struct fixture *f)
{
    char why[256] = "";
    bool ok = emu_engine_verify(f->e, why, sizeof(why));
    CHECK_STR(why, "");
    CHECK(ok);
}

static struct fixture *
fixture_new(void)
{
    struct fixture *f = calloc(1, sizeof(*f));
    ASSERT(f != NULL);
    f->e = emu_engine_create(&(struct emu_engine_config){ .symbols = defs, .symbol_count = ARRAY_LEN(defs) });
    emu_engine_set_time(f->e, INT64_C(1700000000000000));
    f->alice = (uint32_t)emu_account_open(f->e, "alice");
    f->bob = (uint32_t)emu_account_open(f->e, "bob");
    for (int a = 0; a < emu_asset_count(f->e); a++) {
        CHECK(emu_account_deposit(f->e, f->alice, a, 100000 * ONE));
        CHECK(emu_account_deposit(f->e, f->bob, a, 100000 * ONE));
    }
    emu_engine_set_sink(f->e, &(struct emu_sink){ .ctx = &f->seen,
                                                  .execution = on_execution,
                                                  .account = on_account,
                                                  .trade = on_trade,
                                                  .level = on_level,
                                                  .touch = on_touch });
    return f;
}

static void
fixture_end(struct fixture *f)
{
    check_sound(f);
    emu_engine_destroy(f->e);
    free(f);
}

/* Cents and thousandths keep the tests readable. */
static struct emu_order_req
limit(enum emu_side side, int64_t px_cents, int64_t qty_milli)
{
    return (struct emu_order_req){
        .side = side, .type = EMU_LIMIT, .tif = EMU_GTC, .px = px_cents * (ONE / 100), .qty = qty_milli * (ONE / 1000)
    };
}

static struct emu_order_req
market(enum emu_side side, int64_t qty_milli)
{
    return (struct emu_order_req){ .side = side, .type = EMU_MARKET, .qty = qty_milli * (ONE / 1000) };
}

static const struct emu_order *
place(struct fixture *f, uint32_t account, struct emu_order_req req)
{
    (void)emu_order_place(f->e, account, &req, &f->r);
    CHECK_STR(f->r.err.msg, "");
    CHECK(f->r.err.code == 0);
    return f->r.order;
}

static void
refused(struct fixture *f, uint32_t account, struct emu_order_req req, int code, const char *msg)
{
    CHECK_EQ(emu_order_place(f->e, account, &req, &f->r), code);
    CHECK_STR(f->r.err.msg, msg);
    CHECK(f->r.order == NULL);
    check_sound(f);
}

static int
cancel(struct fixture *f, uint32_t account, int64_t order_id)
{
    struct emu_cancel_req req = { .order_id = order_id };
    return emu_order_cancel(f->e, account, &req, &f->c);
}

static int64_t
free_of(const struct fixture *f, uint32_t account, const char *asset)
{
    return emu_account_get(f->e, account)->balance[emu_asset_find(f->e, asset)].free;
}

static int64_t
locked_of(const struct fixture *f, uint32_t account, const char *asset)
{
    return emu_account_get(f->e, account)->balance[emu_asset_find(f->e, asset)].locked;
}

static void
trade_at(struct fixture *f, int64_t px_cents)
{
    const struct emu_order *o = place(f, EMU_HOUSE, limit(EMU_SELL, px_cents, 10));
    CHECK(o != NULL && o->is_open);
    place(f, EMU_HOUSE, limit(EMU_BUY, px_cents, 10));
}

/* ---- priority ---- */

TEST(better_prices_trade_first_and_the_trade_is_at_the_makers_price)
{
    struct fixture *f = fixture_new();
    const struct emu_order *far = place(f, f->alice, limit(EMU_SELL, 10002, 1000));
    const struct emu_order *near = place(f, f->alice, limit(EMU_SELL, 10000, 1000));
    const struct emu_order *taker = place(f, f->bob, limit(EMU_BUY, 10005, 1500));

    CHECK_EQ(near->status, EMU_FILLED);
    CHECK_EQ(far->cum_qty, ONE / 2);
    CHECK_EQ(taker->status, EMU_FILLED);
    CHECK_EQ(taker->trades->px, 100 * ONE);
    CHECK_EQ(taker->trades->next_of_order->px, 10002 * (ONE / 100));
    CHECK(taker->trades->id < taker->trades->next_of_order->id);
    CHECK_EQ(emu_last_px(f->e, 0), 10002 * (ONE / 100));
    fixture_end(f);
}

TEST(at_one_price_the_older_order_trades_first)
{
    struct fixture *f = fixture_new();
    const struct emu_order *first = place(f, f->alice, limit(EMU_SELL, 10000, 1000));
    const struct emu_order *second = place(f, f->bob, limit(EMU_SELL, 10000, 1000));

    place(f, f->bob,
          (struct emu_order_req){ .side = EMU_BUY, .type = EMU_LIMIT, .tif = EMU_IOC, .px = 100 * ONE, .qty = ONE });
    CHECK_EQ(first->status, EMU_FILLED);
    CHECK_EQ(second->status, EMU_NEW);
    fixture_end(f);
}

TEST(reducing_an_order_keeps_its_place_and_only_reducing_is_allowed)
{
    struct fixture *f = fixture_new();
    const struct emu_order *first = place(f, f->alice, limit(EMU_SELL, 10000, 1000));
    place(f, f->bob, limit(EMU_SELL, 10000, 1000));
    char before[EMU_CLIENT_ID_MAX];
    memcpy(before, first->client_id, sizeof(before));
    int64_t execution_id = 0;

    CHECK_EQ(emu_order_amend(f->e, f->alice, 0, first->id, NULL, ONE / 2, NULL, &f->r, &execution_id), 0);
    CHECK(execution_id > 0);
    CHECK(strcmp(before, first->client_id) != 0);
    int last = f->seen.exec_count - 1;
    CHECK_EQ(f->seen.exec[last].exec, EMU_EXEC_REPLACED);
    CHECK_STR(f->seen.orig_client_id[last], before);
    CHECK_STR(f->seen.client_id[last], first->client_id);
    CHECK_EQ(locked_of(f, f->alice, "AAA"), ONE / 2);

    CHECK_EQ(emu_order_amend(f->e, f->alice, 0, first->id, NULL, ONE / 2, NULL, &f->r, NULL), -2038);
    CHECK_EQ(emu_order_amend(f->e, f->alice, 0, first->id, NULL, ONE, NULL, &f->r, NULL), -2038);
    CHECK_EQ(emu_order_amend(f->e, f->alice, 0, first->id, NULL, ONE / 2 - 1, NULL, &f->r, NULL), -1013);
    CHECK_EQ(emu_order_amend(f->e, f->alice, 0, first->id, NULL, ONE / 4, "mine", &f->r, NULL), 0);
    CHECK_STR(first->client_id, "mine");
    CHECK_EQ(emu_order_amend(f->e, f->alice, 0, first->id, NULL, ONE / 5, NULL, &f->r, NULL), -1013);
    CHECK_STR(f->r.err.msg, "Filter failure: MAX_NUM_ORDER_AMENDS");

    place(f, EMU_HOUSE, limit(EMU_BUY, 10000, 250));
    CHECK_EQ(first->status, EMU_FILLED);
    fixture_end(f);
}

/* ---- types and times in force ---- */

TEST(an_ioc_order_trades_what_it_can_and_expires_with_the_rest)
{
    struct fixture *f = fixture_new();
    place(f, f->alice, limit(EMU_SELL, 10000, 400));
    struct emu_order_req req = limit(EMU_BUY, 10000, 1000);
    req.tif = EMU_IOC;
    const struct emu_order *o = place(f, f->bob, req);

    CHECK_EQ(o->status, EMU_EXPIRED);
    CHECK_EQ(o->cum_qty, 4 * (ONE / 10));
    CHECK_EQ(locked_of(f, f->bob, "USD"), 0);
    CHECK_EQ(free_of(f, f->bob, "USD"), (100000 - 40) * ONE);
    int n = f->seen.exec_count;
    CHECK_EQ(f->seen.exec[n - 1].exec, EMU_EXEC_EXPIRED);
    CHECK_EQ(f->seen.exec[n - 2].exec, EMU_EXEC_TRADE); /* the maker's */
    CHECK_EQ(f->seen.exec[n - 3].exec, EMU_EXEC_TRADE);
    CHECK_EQ(f->seen.exec[n - 4].exec, EMU_EXEC_NEW);
    fixture_end(f);
}

TEST(a_fok_order_fills_whole_or_not_at_all)
{
    struct fixture *f = fixture_new();
    place(f, f->alice, limit(EMU_SELL, 10000, 400));
    place(f, f->alice, limit(EMU_SELL, 10001, 600));
    struct emu_order_req req = limit(EMU_BUY, 10001, 1001);
    req.tif = EMU_FOK;
    CHECK_EQ(place(f, f->bob, req)->status, EMU_EXPIRED);
    CHECK_EQ(f->r.order->cum_qty, 0);
    CHECK_EQ(f->seen.trade_count, 0);
    req.qty = ONE;
    CHECK_EQ(place(f, f->bob, req)->status, EMU_FILLED);
    fixture_end(f);
}

TEST(a_fok_order_does_not_count_its_own_accounts_orders)
{
    struct fixture *f = fixture_new();
    place(f, f->bob, limit(EMU_SELL, 10000, 400));
    place(f, f->alice, limit(EMU_SELL, 10000, 600));
    struct emu_order_req req = limit(EMU_BUY, 10000, 1000);
    req.tif = EMU_FOK;
    for (req.stp = EMU_STP_EXPIRE_TAKER; req.stp <= EMU_STP_EXPIRE_BOTH; req.stp++) {
        CHECK_EQ(place(f, f->bob, req)->status, EMU_EXPIRED);
        CHECK_EQ(f->seen.trade_count, 0);
    }
    req.stp = EMU_STP_EXPIRE_MAKER;
    req.qty = 600 * (ONE / 1000);
    CHECK_EQ(place(f, f->bob, req)->status, EMU_FILLED);
    fixture_end(f);
}

TEST(a_limit_maker_is_refused_when_it_would_take_and_rests_one_tick_away)
{
    struct fixture *f = fixture_new();
    place(f, f->alice, limit(EMU_SELL, 10000, 400));
    struct emu_order_req req = { .side = EMU_BUY, .type = EMU_LIMIT_MAKER, .px = 100 * ONE, .qty = ONE };
    refused(f, f->bob, req, -2010, "Order would immediately match and take.");
    req.px -= ONE / 100;
    CHECK_EQ(place(f, f->bob, req)->status, EMU_NEW);
    CHECK(f->r.order->is_working);
    fixture_end(f);
}

TEST(a_market_order_expires_with_what_the_book_does_not_have)
{
    struct fixture *f = fixture_new();
    CHECK_EQ(place(f, f->bob, market(EMU_BUY, 100))->status, EMU_EXPIRED);
    place(f, f->alice, limit(EMU_SELL, 10000, 400));
    CHECK_EQ(place(f, f->bob, market(EMU_BUY, 1000))->status, EMU_EXPIRED);
    CHECK_EQ(f->r.order->cum_qty, 4 * (ONE / 10));
    place(f, f->alice, limit(EMU_BUY, 10000, 2000));
    CHECK_EQ(place(f, f->bob, market(EMU_SELL, 1000))->status, EMU_FILLED);
    fixture_end(f);
}

TEST(a_market_order_by_quote_quantity_spends_at_most_that_on_whole_steps)
{
    struct fixture *f = fixture_new();
    place(f, f->alice, limit(EMU_SELL, 3000, 1000));
    place(f, f->alice, limit(EMU_SELL, 4000, 5000));
    const struct emu_order *o =
        place(f, f->bob, (struct emu_order_req){ .side = EMU_BUY, .type = EMU_MARKET, .quote_order_qty = 100 * ONE });
    CHECK_EQ(o->status, EMU_FILLED);
    CHECK_EQ(o->cum_qty, ONE + 1750 * (ONE / 1000)); /* 30 + 70 / 40 */
    CHECK_EQ(o->cum_quote, 100 * ONE);
    o = place(f, f->bob, (struct emu_order_req){ .side = EMU_BUY, .type = EMU_MARKET, .quote_order_qty = 33 * ONE });
    CHECK_EQ(o->cum_quote, 33 * ONE);
    o = place(f, f->bob,
              (struct emu_order_req){ .side = EMU_BUY, .type = EMU_MARKET, .quote_order_qty = 3333 * (ONE / 1000) });
    CHECK_EQ(o->cum_qty, 83 * (ONE / 1000)); /* 0.083 * 40 = 3.32 */
    CHECK_EQ(o->status, EMU_FILLED);
    o = place(f, f->bob, (struct emu_order_req){ .side = EMU_BUY, .type = EMU_MARKET, .quote_order_qty = 5000 * ONE });
    CHECK_EQ(o->status, EMU_EXPIRED);
    fixture_end(f);
}

TEST(a_stop_loss_waits_for_the_last_price_to_reach_it_and_then_sells)
{
    struct fixture *f = fixture_new();
    trade_at(f, 10000);
    struct emu_order_req req = { .side = EMU_SELL, .type = EMU_STOP_LOSS, .stop_px = 100 * ONE, .qty = ONE };
    refused(f, f->alice, req, -2010, "Order would trigger immediately.");
    req.stop_px = 99 * ONE;
    const struct emu_order *o = place(f, f->alice, req);
    CHECK(!o->is_working);
    CHECK_EQ(o->working_us, -1);
    CHECK_EQ(locked_of(f, f->alice, "AAA"), ONE);
    place(f, EMU_HOUSE, limit(EMU_BUY, 9850, 5000));
    place(f, EMU_HOUSE, limit(EMU_SELL, 9901, 10));
    place(f, EMU_HOUSE, limit(EMU_BUY, 9901, 10)); /* one tick above the stop */
    CHECK_EQ(o->status, EMU_NEW);
    trade_at(f, 9900);
    CHECK_EQ(o->status, EMU_FILLED);
    CHECK_EQ(o->trades->px, 9850 * (ONE / 100));
    CHECK_EQ(locked_of(f, f->alice, "AAA"), 0);
    fixture_end(f);
}

TEST(every_trigger_type_looks_in_its_own_direction)
{
    static const struct {
        enum emu_side side;
        enum emu_type type;
        bool rises;
    } rows[] = {
        { EMU_BUY, EMU_STOP_LOSS_LIMIT, true },    { EMU_SELL, EMU_STOP_LOSS_LIMIT, false },
        { EMU_BUY, EMU_TAKE_PROFIT_LIMIT, false }, { EMU_SELL, EMU_TAKE_PROFIT_LIMIT, true },
        { EMU_BUY, EMU_STOP_LOSS, true },          { EMU_SELL, EMU_STOP_LOSS, false },
        { EMU_BUY, EMU_TAKE_PROFIT, false },       { EMU_SELL, EMU_TAKE_PROFIT, true },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture *f = fixture_new();
        bool is_limit = emu_type_has_price(rows[i].type);
        trade_at(f, 10000);
        struct emu_order_req req = { .side = rows[i].side,
                                     .type = rows[i].type,
                                     .tif = is_limit ? EMU_GTC : EMU_TIF_NONE,
                                     .px = is_limit ? 100 * ONE : 0,
                                     .stop_px = rows[i].rises ? 101 * ONE : 99 * ONE,
                                     .qty = ONE };
        const struct emu_order *o = place(f, f->alice, req);
        trade_at(f, rows[i].rises ? 9800 : 10200);
        CHECK(!o->is_working && o->is_open);
        trade_at(f, rows[i].rises ? 10100 : 9900);
        CHECK(is_limit ? o->is_working : o->status == EMU_EXPIRED); /* nothing on the book to trade with */
        fixture_end(f);
    }
}

TEST(a_triggered_stop_can_set_off_the_next_one)
{
    struct fixture *f = fixture_new();
    trade_at(f, 10000);
    place(f, EMU_HOUSE, limit(EMU_BUY, 9800, 1000));
    place(f, EMU_HOUSE, limit(EMU_BUY, 9500, 5000));
    const struct emu_order *first =
        place(f, f->alice,
              (struct emu_order_req){ .side = EMU_SELL, .type = EMU_STOP_LOSS, .stop_px = 99 * ONE, .qty = 2 * ONE });
    const struct emu_order *second = place(
        f, f->bob, (struct emu_order_req){ .side = EMU_SELL, .type = EMU_STOP_LOSS, .stop_px = 96 * ONE, .qty = ONE });
    trade_at(f, 9900);
    CHECK_EQ(first->status, EMU_FILLED);
    CHECK_EQ(second->status, EMU_FILLED);
    fixture_end(f);
}

TEST(an_iceberg_shows_one_slice_and_each_new_slice_goes_behind_the_level)
{
    struct fixture *f = fixture_new();
    struct emu_order_req req = limit(EMU_SELL, 10000, 1000);
    req.iceberg_qty = ONE / 4;
    const struct emu_order *ice = place(f, f->alice, req);
    const struct emu_order *plain = place(f, f->bob, limit(EMU_SELL, 10000, 100));
    CHECK_EQ(f->seen.touch.ask.qty, 350 * (ONE / 1000));
    place(f, EMU_HOUSE, limit(EMU_BUY, 10000, 300));
    CHECK_EQ(ice->cum_qty, ONE / 4);
    CHECK_EQ(plain->cum_qty, 50 * (ONE / 1000));
    CHECK_EQ(f->seen.touch.ask.qty, 300 * (ONE / 1000));
    struct emu_order_req all = limit(EMU_BUY, 10000, 800);
    all.tif = EMU_FOK; /* hidden quantity counts */
    place(f, EMU_HOUSE, all);
    CHECK_EQ(ice->status, EMU_FILLED);
    fixture_end(f);
}

/* ---- self-trade prevention ---- */

TEST(self_trade_prevention_ends_whom_the_takers_mode_says)
{
    static const struct {
        enum emu_stp stp;
        enum emu_status maker, taker;
    } rows[] = {
        { EMU_STP_NONE, EMU_FILLED, EMU_FILLED },
        { EMU_STP_EXPIRE_TAKER, EMU_NEW, EMU_EXPIRED_IN_MATCH },
        { EMU_STP_EXPIRE_MAKER, EMU_EXPIRED_IN_MATCH, EMU_FILLED },
        { EMU_STP_EXPIRE_BOTH, EMU_EXPIRED_IN_MATCH, EMU_EXPIRED_IN_MATCH },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture *f = fixture_new();
        const struct emu_order *maker = place(f, f->alice, limit(EMU_SELL, 10000, 1000));
        place(f, f->bob, limit(EMU_SELL, 10000, 1000));
        struct emu_order_req req = limit(EMU_BUY, 10000, 1000);
        req.stp = rows[i].stp;
        const struct emu_order *taker = place(f, f->alice, req);
        CHECK_EQ(maker->status, rows[i].maker);
        CHECK_EQ(taker->status, rows[i].taker);
        if (rows[i].taker == EMU_EXPIRED_IN_MATCH)
            CHECK_EQ(taker->prevented_qty, ONE);
        fixture_end(f);
    }
}

/* ---- identities ---- */

TEST(a_client_id_is_unique_among_open_orders_only)
{
    struct fixture *f = fixture_new();
    struct emu_order_req req = limit(EMU_SELL, 10000, 1000);
    req.client_id = "same";
    const struct emu_order *first = place(f, f->alice, req);
    refused(f, f->alice, req, -2010, "Duplicate order sent.");
    place(f, f->bob, req); /* another account's names are its own */
    place(f, EMU_HOUSE, limit(EMU_BUY, 10000, 2000));
    CHECK_EQ(first->status, EMU_FILLED);
    const struct emu_order *second = place(f, f->alice, req);
    CHECK(second->id != first->id);
    CHECK(emu_order_find(f->e, f->alice, 0, 0, "same", NULL) == second);
    CHECK(emu_order_find(f->e, f->alice, 0, first->id, NULL, NULL) == first);
    fixture_end(f);
}

TEST(ids_that_were_not_given_are_made_and_differ)
{
    struct fixture *f = fixture_new();
    const struct emu_order *a = place(f, f->alice, limit(EMU_SELL, 10000, 1000));
    const struct emu_order *b = place(f, f->alice, limit(EMU_SELL, 10000, 1000));
    CHECK_EQ(strlen(a->client_id), 22);
    CHECK(strcmp(a->client_id, b->client_id) != 0);
    struct emu_order_req req = limit(EMU_SELL, 10000, 1000);
    req.client_id = "with space";
    CHECK_EQ(emu_order_place(f->e, f->alice, &req, &f->r), -1100);
    req.client_id = "123456789012345678901234567890123456";
    place(f, f->alice, req);
    req.client_id = "1234567890123456789012345678901234567";
    CHECK_EQ(emu_order_place(f->e, f->alice, &req, &f->r), -1100);
    fixture_end(f);
}

/* ---- cancel and replace ---- */

TEST(a_cancel_gives_back_the_lock_and_swaps_the_ids)
{
    struct fixture *f = fixture_new();
    struct emu_order_req req = limit(EMU_BUY, 10000, 1000);
    req.client_id = "order";
    const struct emu_order *o = place(f, f->alice, req);
    CHECK_EQ(locked_of(f, f->alice, "USD"), 100 * ONE);
    struct emu_cancel_req by_name = { .orig_client_id = "order", .client_id = "cancel" };
    CHECK_EQ(emu_order_cancel(f->e, f->alice, &by_name, &f->c), 0);
    CHECK(f->c.order == o && o->status == EMU_CANCELED);
    CHECK_STR(f->c.client_id, "cancel");
    int last = f->seen.exec_count - 1;
    CHECK_STR(f->seen.client_id[last], "cancel");
    CHECK_STR(f->seen.orig_client_id[last], "order");
    CHECK_EQ(locked_of(f, f->alice, "USD"), 0);
    CHECK_EQ(f->seen.touch.bid.px, 0);
    CHECK_EQ(cancel(f, f->alice, o->id), -2011);
    CHECK_STR(f->c.err.msg, "Unknown order sent.");
    fixture_end(f);
}

TEST(a_cancel_of_someone_elses_or_of_no_order_is_unknown)
{
    struct fixture *f = fixture_new();
    const struct emu_order *o = place(f, f->alice, limit(EMU_BUY, 10000, 1000));
    CHECK_EQ(cancel(f, f->bob, o->id), -2011);
    CHECK_EQ(cancel(f, f->alice, o->id + 1), -2011);
    CHECK_EQ(cancel(f, f->alice, 0), -1102);
    struct emu_cancel_req both = { .order_id = o->id, .orig_client_id = "other" };
    CHECK_EQ(emu_order_cancel(f->e, f->alice, &both, &f->c), -2011);
    CHECK_EQ(o->status, EMU_NEW);
    fixture_end(f);
}

TEST(cancel_restrictions_look_at_the_status)
{
    struct fixture *f = fixture_new();
    const struct emu_order *o = place(f, f->alice, limit(EMU_BUY, 10000, 1000));
    struct emu_cancel_req req = { .order_id = o->id, .restriction = EMU_CANCEL_ONLY_PARTIALLY_FILLED };
    CHECK_EQ(emu_order_cancel(f->e, f->alice, &req, &f->c), -2011);
    place(f, f->bob, limit(EMU_SELL, 10000, 10));
    CHECK_EQ(o->status, EMU_PARTIALLY_FILLED);
    req.restriction = EMU_CANCEL_ONLY_NEW;
    CHECK_EQ(emu_order_cancel(f->e, f->alice, &req, &f->c), -2011);
    req.restriction = EMU_CANCEL_ONLY_PARTIALLY_FILLED;
    CHECK_EQ(emu_order_cancel(f->e, f->alice, &req, &f->c), 0);
    fixture_end(f);
}

TEST(cancel_all_takes_every_open_order_of_the_symbol_and_no_other)
{
    struct fixture *f = fixture_new();
    const struct emu_order *out[8];
    place(f, f->alice, limit(EMU_BUY, 9000, 1000));
    place(f, f->alice, limit(EMU_SELL, 11000, 1000));
    const struct emu_order *bobs = place(f, f->bob, limit(EMU_SELL, 11000, 1000));
    struct emu_order_req other = {
        .symbol = 1, .side = EMU_BUY, .type = EMU_LIMIT, .tif = EMU_GTC, .px = ONE / 20, .qty = ONE
    };
    const struct emu_order *elsewhere = place(f, f->alice, other);
    CHECK_EQ(emu_order_cancel_all(f->e, f->alice, 0, out, 8, &f->c.err), 2);
    CHECK_EQ(out[0]->side, EMU_BUY);
    CHECK(bobs->is_open && elsewhere->is_open);
    CHECK_EQ(emu_order_cancel_all(f->e, f->alice, 0, out, 8, &f->c.err), -2011);
    fixture_end(f);
}

TEST(cancel_replace_reports_each_leg)
{
    struct fixture *f = fixture_new();
    struct emu_replace_result out;
    const struct emu_order *o = place(f, f->alice, limit(EMU_BUY, 10000, 1000));
    struct emu_cancel_req c = { .order_id = o->id };
    struct emu_order_req good = limit(EMU_BUY, 9900, 1000);
    struct emu_order_req poor = limit(EMU_SELL, 20000, 400000);
    poor.px = 101 * ONE;

    CHECK_EQ(emu_order_replace(f->e, f->alice, &c, &good, true, false, &out), 0);
    CHECK_EQ(o->status, EMU_CANCELED);
    CHECK_EQ(out.order.order->status, EMU_NEW);

    CHECK_EQ(emu_order_replace(f->e, f->alice, &c, &good, true, false, &out), -2022); /* gone already */
    CHECK_EQ(out.new_leg, EMU_LEG_NOT_ATTEMPTED);
    CHECK_EQ(out.cancel.err.code, -2011);

    CHECK_EQ(emu_order_replace(f->e, f->alice, &c, &good, false, false, &out), -2021);
    CHECK_EQ(out.cancel_leg, EMU_LEG_FAILURE);
    CHECK_EQ(out.new_leg, EMU_LEG_SUCCESS);

    c.order_id = out.order.order->id;
    CHECK(emu_account_deposit(f->e, f->alice, emu_asset_find(f->e, "AAA"), -free_of(f, f->alice, "AAA")));
    CHECK_EQ(emu_order_replace(f->e, f->alice, &c, &poor, true, false, &out), -2021);
    CHECK_EQ(out.cancel_leg, EMU_LEG_SUCCESS);
    CHECK_EQ(out.order.err.code, -2010);

    CHECK_EQ(emu_order_replace(f->e, f->alice, &c, &poor, false, false, &out), -2022);
    CHECK_EQ(out.new_leg, EMU_LEG_FAILURE);
    fixture_end(f);
}

TEST(a_replace_that_fails_a_filter_cancels_nothing)
{
    struct fixture *f = fixture_new();
    struct emu_replace_result out;
    const struct emu_order *o = place(f, f->alice, limit(EMU_BUY, 10000, 1000));
    struct emu_cancel_req c = { .order_id = o->id };
    struct emu_order_req req = limit(EMU_BUY, 10000, 1000);
    req.px += 1;
    CHECK_EQ(emu_order_replace(f->e, f->alice, &c, &req, false, false, &out), -1013);
    CHECK_EQ(out.cancel_leg, EMU_LEG_NOT_ATTEMPTED);
    CHECK(o->is_open);
    req.px -= 1;
    CHECK_EQ(emu_order_replace(f->e, f->alice, &c, &req, false, true, &out), -2021); /* cancel only */
    CHECK_EQ(out.new_leg, EMU_LEG_NOT_ATTEMPTED);
    CHECK(!o->is_open);
    fixture_end(f);
}

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
