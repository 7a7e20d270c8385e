/* What the tests of the emulated venue's engine share: its symbols, two accounts, and everything that it says, written
 * down. */
#ifndef EXECGW_TESTS_VENUE_FIXTURE_H
#define EXECGW_TESTS_VENUE_FIXTURE_H

#include "bench/venue/engine.h"
#include "tests/test.h"

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

static inline void
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

static inline void
on_account(void *ctx, const struct emu_account_change *c)
{
    (void)c;
    ((struct seen *)ctx)->account_count++;
}

static inline void
on_trade(void *ctx, const struct emu_public_trade *t)
{
    struct seen *s = ctx;
    s->trade = *t;
    s->trade_count++;
}

static inline void
on_level(void *ctx, const struct emu_level_change *c)
{
    struct seen *s = ctx;
    if (s->level_count < EVENTS_MAX)
        s->level[s->level_count++] = *c;
}

static inline void
on_touch(void *ctx, const struct emu_touch *t)
{
    struct seen *s = ctx;
    s->touch = *t;
    s->touch_count++;
}

static inline void
check_sound(const struct fixture *f)
{
    char why[256] = "";
    bool ok = emu_engine_verify(f->e, why, sizeof(why));
    CHECK_STR(why, "");
    CHECK(ok);
}

static inline struct fixture *
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

static inline void
fixture_end(struct fixture *f)
{
    check_sound(f);
    emu_engine_destroy(f->e);
    free(f);
}

/* Cents and thousandths keep the tests readable. */
static inline struct emu_order_req
limit(enum emu_side side, int64_t px_cents, int64_t qty_milli)
{
    return (struct emu_order_req){
        .side = side, .type = EMU_LIMIT, .tif = EMU_GTC, .px = px_cents * (ONE / 100), .qty = qty_milli * (ONE / 1000)
    };
}

static inline struct emu_order_req
market(enum emu_side side, int64_t qty_milli)
{
    return (struct emu_order_req){ .side = side, .type = EMU_MARKET, .qty = qty_milli * (ONE / 1000) };
}

static inline const struct emu_order *
place(struct fixture *f, uint32_t account, struct emu_order_req req)
{
    (void)emu_order_place(f->e, account, &req, &f->r);
    CHECK_STR(f->r.err.msg, "");
    CHECK(f->r.err.code == 0);
    return f->r.order;
}

static inline void
refused(struct fixture *f, uint32_t account, struct emu_order_req req, int code, const char *msg)
{
    CHECK_EQ(emu_order_place(f->e, account, &req, &f->r), code);
    CHECK_STR(f->r.err.msg, msg);
    CHECK(f->r.order == NULL);
    check_sound(f);
}

static inline int
cancel(struct fixture *f, uint32_t account, int64_t order_id)
{
    struct emu_cancel_req req = { .order_id = order_id };
    return emu_order_cancel(f->e, account, &req, &f->c);
}

static inline int64_t
free_of(const struct fixture *f, uint32_t account, const char *asset)
{
    return emu_account_get(f->e, account)->balance[emu_asset_find(f->e, asset)].free;
}

static inline int64_t
locked_of(const struct fixture *f, uint32_t account, const char *asset)
{
    return emu_account_get(f->e, account)->balance[emu_asset_find(f->e, asset)].locked;
}

static inline void
trade_at(struct fixture *f, int64_t px_cents)
{
    const struct emu_order *o = place(f, EMU_HOUSE, limit(EMU_SELL, px_cents, 10));
    CHECK(o != NULL && o->is_open);
    place(f, EMU_HOUSE, limit(EMU_BUY, px_cents, 10));
}

#endif
