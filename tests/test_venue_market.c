/* The simulated market: the seed decides everything, the ladder stays deep and sound, users trade with it, and its
 * events rebuild its book. */
#include "bench/venue/market.h"
#include "test.h"

#define ONE EMU_ONE

struct watch {
    uint64_t hash;
    int64_t changes, trades, touches;
    int64_t update_id[EMU_SYMBOLS_MAX];
    bool gap;
};

static void
mix(struct watch *w, int64_t v)
{
    w->hash = (w->hash ^ (uint64_t)v) * UINT64_C(0x100000001b3);
}

static void
on_level(void *ctx, const struct emu_level_change *c)
{
    struct watch *w = ctx;
    w->changes++;
    w->gap |= w->update_id[c->symbol] != 0 && c->update_id != w->update_id[c->symbol] + 1;
    w->update_id[c->symbol] = c->update_id;
    mix(w, c->px);
    mix(w, c->qty);
    mix(w, c->symbol * 2 + (int)c->side);
}

static void
on_trade(void *ctx, const struct emu_public_trade *t)
{
    struct watch *w = ctx;
    w->trades++;
    mix(w, t->id);
    mix(w, t->px);
    mix(w, t->qty);
}

static void
on_touch(void *ctx, const struct emu_touch *t)
{
    (void)t;
    ((struct watch *)ctx)->touches++;
}

struct fixture {
    struct emu_engine *e;
    struct emu_market *m;
    struct watch w;
};

#define START_US INT64_C(1700000000000000)

static struct fixture *
fixture_new(uint64_t seed, uint32_t rate_milli)
{
    struct fixture *f = calloc(1, sizeof(*f));
    ASSERT(f != NULL);
    f->e = emu_engine_create(&(struct emu_engine_config){ 0 });
    emu_engine_set_time(f->e, START_US);
    emu_engine_set_sink(f->e,
                        &(struct emu_sink){ .ctx = &f->w, .level = on_level, .trade = on_trade, .touch = on_touch });
    f->m = emu_market_create(f->e, &(struct emu_market_config){ .seed = seed, .rate_milli = rate_milli });
    return f;
}

static void
fixture_end(struct fixture *f)
{
    char why[256] = "";
    (void)emu_engine_verify(f->e, why, sizeof(why));
    CHECK_STR(why, "");
    CHECK(!f->w.gap);
    emu_market_destroy(f->m);
    emu_engine_destroy(f->e);
    free(f);
}

static void
run(struct fixture *f, int64_t seconds, int64_t step_us)
{
    for (int64_t t = step_us; t <= seconds * 1000000; t += step_us)
        (void)emu_market_step(f->m, START_US + t);
}

TEST(the_same_seed_gives_the_same_market_however_it_is_stepped)
{
    struct fixture *a = fixture_new(7, 1000);
    struct fixture *b = fixture_new(7, 1000);
    struct fixture *c = fixture_new(8, 1000);
    run(a, 10, 1000);
    run(b, 10, 500000);
    run(c, 10, 1000);
    CHECK(a->w.changes > 1000 && a->w.trades > 100);
    CHECK(a->w.hash == b->w.hash);
    CHECK(a->w.hash != c->w.hash);
    fixture_end(a);
    fixture_end(b);
    fixture_end(c);
}

TEST(rate_one_changes_each_book_some_hundred_times_a_second)
{
    struct fixture *f = fixture_new(1, 1000);
    int64_t start = f->w.changes;
    run(f, 20, 10000);
    int64_t per_second = (f->w.changes - start) / 20 / emu_symbol_count(f->e);
    print_message("%lld book changes, %lld trades a second and symbol\n", (long long)per_second,
                  (long long)(f->w.trades / 20 / emu_symbol_count(f->e)));
    CHECK(per_second >= 100 && per_second <= 400);
    fixture_end(f);
}

TEST(every_book_stays_deep_two_sided_and_moves)
{
    static struct emu_level bid[1000];
    static struct emu_level ask[1000];
    int bids;
    int asks;
    struct fixture *f = fixture_new(5, 2000);
    int64_t first[EMU_SYMBOLS_MAX];
    for (int s = 0; s < emu_symbol_count(f->e); s++) {
        first[s] = emu_market_fair_px(f->m, s);
        (void)emu_depth(f->e, s, 1000, bid, &bids, ask, &asks);
        CHECK(bids >= 240 && asks >= 240);
    }
    for (int64_t t = 1; t <= 600; t++) {
        (void)emu_market_step(f->m, START_US + t * 50000);
        for (int s = 0; s < emu_symbol_count(f->e); s++) {
            (void)emu_depth(f->e, s, 1000, bid, &bids, ask, &asks);
            CHECK(bids >= 200 && asks >= 200);
            CHECK(bid[0].px < ask[0].px);
            CHECK(ask[0].px - bid[0].px <= bid[0].px / 100);
        }
    }
    for (int s = 0; s < emu_symbol_count(f->e); s++)
        CHECK(emu_market_fair_px(f->m, s) != first[s]);
    fixture_end(f);
}

TEST(a_market_order_of_a_user_fills_against_the_house)
{
    struct fixture *f = fixture_new(1, 1000);
    uint32_t alice = (uint32_t)emu_account_open(f->e, "alice");
    CHECK(emu_account_deposit(f->e, alice, emu_asset_find(f->e, "USDT"), 1000000 * ONE));
    struct emu_order_req req = { .type = EMU_MARKET, .side = EMU_BUY, .qty = ONE };
    struct emu_order_result r;
    CHECK_EQ(emu_order_place(f->e, alice, &req, &r), 0);
    CHECK_EQ(r.order->status, EMU_FILLED);
    run(f, 2, 10000);
    fixture_end(f);
}

TEST(a_resting_order_of_a_user_fills_when_the_market_comes_to_it)
{
    struct fixture *f = fixture_new(1, 1000);
    uint32_t alice = (uint32_t)emu_account_open(f->e, "alice");
    CHECK(emu_account_deposit(f->e, alice, emu_asset_find(f->e, "USDT"), 1000000 * ONE));
    struct emu_order_req req = { .type = EMU_LIMIT, .tif = EMU_GTC, .side = EMU_BUY, .px = 59000 * ONE, .qty = ONE };
    struct emu_order_result r;
    CHECK_EQ(emu_order_place(f->e, alice, &req, &r), 0);
    run(f, 1, 10000);
    CHECK_EQ(r.order->status, EMU_NEW);
    emu_market_move(f->m, 0, 58900 * ONE);
    CHECK_EQ(r.order->status, EMU_FILLED);
    CHECK_EQ(r.order->trades->px, 59000 * ONE);
    CHECK(emu_market_fair_px(f->m, 0) < 58901 * ONE);
    run(f, 1, 10000);
    fixture_end(f);
}

TEST(a_users_order_at_the_touch_fills_by_aggressors)
{
    struct fixture *f = fixture_new(11, 1000);
    uint32_t alice = (uint32_t)emu_account_open(f->e, "alice");
    int usdt = emu_asset_find(f->e, "USDT");
    CHECK(emu_account_deposit(f->e, alice, usdt, 1000000 * ONE));
    struct emu_touch t;
    emu_touch_get(f->e, 0, &t);
    struct emu_order_req req = { .type = EMU_LIMIT_MAKER, .side = EMU_BUY, .px = t.bid.px, .qty = ONE / 10 };
    struct emu_order_result r;
    CHECK_EQ(emu_order_place(f->e, alice, &req, &r), 0);
    run(f, 60, 10000);
    CHECK_EQ(r.order->status, EMU_FILLED);
    fixture_end(f);
}

TEST(a_paused_symbol_stands_still_and_a_still_market_has_no_next_time)
{
    struct fixture *f = fixture_new(1, 1000);
    run(f, 1, 10000);
    emu_market_pause(f->m, 0, true);
    int64_t id = f->w.update_id[0];
    int64_t other = f->w.update_id[1];
    run(f, 2, 10000);
    CHECK_EQ(f->w.update_id[0], id);
    CHECK(f->w.update_id[1] > other);
    emu_market_pause(f->m, 0, false);
    CHECK(emu_market_next_us(f->m) < START_US + 10000000);
    emu_market_set_rate(f->m, 0);
    CHECK_EQ(emu_market_next_us(f->m), INT64_MAX);
    CHECK_EQ(emu_market_step(f->m, START_US + 20000000), 0);
    fixture_end(f);
}

TEST(a_long_stall_is_not_caught_up_in_full)
{
    struct fixture *f = fixture_new(1, 1000);
    int normal = emu_market_step(f->m, START_US + 2000000);
    int after_an_hour = emu_market_step(f->m, START_US + INT64_C(3600000000));
    CHECK(after_an_hour < 3 * normal);
    fixture_end(f);
}

TEST_MAIN()
