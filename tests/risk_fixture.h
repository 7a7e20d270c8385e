/* One armed risk with one instrument and everything at hand to ask it: for the tests of the checks.
 *
 * Price decimals 2, tick 0.10; quantity decimals 3, step 0.005; bid 99.90, offer 100.00. fixture_money() gives it a
 * reporting currency, a mark and limits of money that limit nothing. */
#ifndef EXECGW_TESTS_RISK_FIXTURE_H
#define EXECGW_TESTS_RISK_FIXTURE_H

#include "risk/risk.h"
#include "tests/test.h"

#define NOW_NS  (INT64_C(1000) * NS_PER_S)
#define BID     9990
#define ASK     10000
#define CLIENT  3
#define ACCOUNT 0
#define INSTR   7

static _Alignas(64) uint8_t memory[8 << 20];

/* One armed gateway with one instrument: price decimals 2, tick 0.10; quantity decimals 3, step 0.005. */
struct fixture {
    struct risk *r;
    struct risk_limits lim;
    struct instrument ins;
    struct md_ref md;
    struct now now;
    struct risk_order o;
    struct risk_verdict v;
    struct fault fault;
};

static inline void
apply_limits(struct fixture *f)
{
    f->lim.version++;
    if (!risk_set_limits(f->r, &f->lim, f->now, &f->fault))
        fail_msg("%s", f->fault.text);
}

static inline struct risk_venue
venue_up(void)
{
    return (struct risk_venue){ .logged_on = true, .stream_in_step = true, .reconciled = true, .clock_known = true };
}

static inline void
fixture_init(struct fixture *f)
{
    struct arena a = { .base = memory, .size = sizeof(memory) };
    struct risk_counts counts = { .accounts = 2, .instruments = 16 };

    memset(f, 0, sizeof(*f));
    f->now = (struct now){ .mono = { NOW_NS }, .wall = { NOW_NS } };
    f->r = risk_init(&counts, &a);
    CHECK(a.used <= risk_footprint(&counts));
    f->ins = (struct instrument){
        .id = INSTR,
        .version = 1,
        .kind = INSTRUMENT_SPOT,
        .status = INSTRUMENT_TRADING,
        .px_decimals = 2,
        .qty_decimals = 3,
        .base_ccy = 1,
        .quote_ccy = 2,
        .order_types = 1u << ORDER_LIMIT | 1u << ORDER_MARKET,
        .tifs = 1u << TIF_GTC | 1u << TIF_IOC | 1u << TIF_FOK,
        .multiplier = VALUE_ONE,
        .tick = 10,
        .px_min = 10,
        .px_max = 1000000,
        .step = 5,
        .qty_min = 5,
        .qty_max = 1000000000,
        .symbol = "ABCUSD",
        .base = "ABC",
        .quote = "USD",
    };
    limits_default(&f->lim);
    f->lim.instrument_default.order_notional_max = 1000000 * VALUE_ONE;
    f->lim.instrument_default.position_long_max = 1000 * VALUE_ONE;
    f->lim.instrument_default.position_short_max = 1000 * VALUE_ONE;
    apply_limits(f);
    CHECK(risk_set_instrument(f->r, &f->ins, f->now, &f->fault));
    struct risk_venue v = venue_up();
    risk_set_venue(f->r, 0, &v);
    risk_arm(f->r, true);
    f->md.tob = (struct top_of_book){ .bid_px = BID,
                                      .bid_qty = 100,
                                      .ask_px = ASK,
                                      .ask_qty = 100,
                                      .recv_ns = NOW_NS,
                                      .instrument_version = 1,
                                      .state = BOOK_LIVE };
    f->md.good = f->md.tob;
    f->o = (struct risk_order){
        .client = CLIENT,
        .account = ACCOUNT,
        .instrument = INSTR,
        .instrument_version = 1,
        .ins = &f->ins,
        .side = SIDE_BUY,
        .type = ORDER_LIMIT,
        .tif = TIF_GTC,
        .px = ASK,
        .qty = 1000,
    };
}

static inline enum deny_reason
check(struct fixture *f)
{
    enum deny_reason got = risk_check(f->r, &f->o, &f->md, f->now, &f->v);
    CHECK_EQ(got, f->v.reason);
    CHECK_EQ(f->v.limits_version, risk_limits_in_force(f->r)->version);
    return got;
}

static inline void
reserve(struct fixture *f, enum side side, qty_t qty, int open)
{
    struct order_delta d = { .account = ACCOUNT,
                             .instrument = INSTR,
                             .client = CLIENT,
                             .side = (uint8_t)side,
                             .open_change = (int8_t)open,
                             .reserved_change = qty };
    risk_apply(f->r, &d);
}

static inline void
fill(struct fixture *f, enum side side, qty_t qty)
{
    struct order_delta d = {
        .account = ACCOUNT, .instrument = INSTR, .client = CLIENT, .side = (uint8_t)side, .fill_qty = qty
    };
    risk_apply(f->r, &d);
}

/* A pass at the limit and a denial one past it; the verdict carries both numbers. */
#define AT_LIMIT_AND_PAST(f, set_at, set_past, why) \
    do {                                            \
        set_at;                                     \
        CHECK_EQ(check(f), DENY_NONE);              \
        set_past;                                   \
        CHECK_EQ(check(f), why);                    \
    } while (0)

/* Limits of money are in force, all so wide that they limit nothing. */
static inline void
fixture_money(struct fixture *f)
{
    fixture_init(f);
    memcpy(f->lim.reporting, "USD", 4);
    apply_limits(f);
    risk_mark(f->r, INSTR, &f->md, f->now);
}

static inline void
fill_at(struct fixture *f, enum side side, px_t px, qty_t qty)
{
    struct order_delta d = { .account = ACCOUNT,
                             .instrument = INSTR,
                             .client = CLIENT,
                             .side = (uint8_t)side,
                             .fill_qty = qty,
                             .fill_px = px,
                             .fee_ccy = 2 };
    risk_apply(f->r, &d);
}

static inline struct risk_group
group_of(const struct fixture *f, enum trading_level level, uint32_t id)
{
    struct risk_group g;
    CHECK(risk_group(f->r, level, id, &g));
    return g;
}

#endif
