/* Risk: risk_check() of orders that are accepted, so that every check runs, over 1,000 instruments in turn with 10,000
 * orders open: bench_limits() has all of them on.
 *
 * The clock handed in moves 1 us per check (the buckets refill); nothing else is simulated. Batches are timed together
 * and their clock cost subtracted once; single calls are timed too, and the clock's cost stated beside them. */
#include "bench/bench.h"
#include "bench/bench_limits.h"
#include "bench/bench_text.h"
#include "engine/io/pages.h"
#include "risk/risk.h"

#define INSTRUMENTS 1000u
#define OPEN_ORDERS 10000u
#define BATCH       16u
#define STEP        619u /* prime to INSTRUMENTS: neighbours in time are no neighbours in memory */

struct bench_risk {
    struct risk *risk;
    struct instrument instrument[INSTRUMENTS];
    struct md_ref md[INSTRUMENTS];
    struct risk_order order[INSTRUMENTS];
    struct now now;
    uint32_t at;
};

static struct md_ref
market(uint32_t i)
{
    px_t bid = 100000 + (px_t)i * 10;
    struct top_of_book t = { .bid_px = bid,
                             .bid_qty = 500000,
                             .ask_px = bid + 1,
                             .ask_qty = 400000,
                             .recv_ns = NS_PER_S,
                             .venue_seq = i,
                             .instrument_version = 1,
                             .state = BOOK_LIVE };

    return (struct md_ref){ .tob = t, .good = t, .last_px = bid, .last_ns = NS_PER_S };
}

static void
instrument_add(struct bench_risk *x, uint32_t i)
{
    struct fault fault;

    x->instrument[i] = bench_instrument(i);
    x->instrument[i].id = i;
    x->instrument[i].version = 1;
    x->md[i] = market(i);
    if (!risk_set_instrument(x->risk, &x->instrument[i], x->now, &fault))
        bench_die("risk: %s", fault.text);
    x->order[i] = (struct risk_order){
        .client = i % 8,
        .instrument = i,
        .instrument_version = 1,
        .ins = &x->instrument[i],
        .side = (uint8_t)(i % 2 == 0 ? SIDE_BUY : SIDE_SELL),
        .tif = TIF_IOC,
        .px = i % 2 == 0 ? x->md[i].tob.ask_px : x->md[i].tob.bid_px,
        .qty = 1000 + i,
    };
}

/* One of the open orders: it rests behind the touch, twenty levels to a side. */
static void
order_open(struct bench_risk *x, uint32_t n)
{
    uint32_t i = n % INSTRUMENTS;
    uint32_t level = n / INSTRUMENTS;
    uint8_t side = (uint8_t)(level % 2);
    px_t px = side == SIDE_BUY ? x->md[i].tob.bid_px - 1 - level : x->md[i].tob.ask_px + 1 + level;
    struct order_delta d = { .instrument = i,
                             .client = i % 8,
                             .side = side,
                             .open_change = 1,
                             .reserved_change = 1000,
                             .cost_change = (wide_t)px * 1000,
                             .rest_px = px };

    risk_apply(x->risk, &d);
}

static struct bench_risk *
risk_make(void)
{
    struct bench_risk *x = (struct bench_risk *)calloc(1, sizeof(*x));
    struct risk_counts counts = { .accounts = 1, .instruments = INSTRUMENTS };
    struct risk_venue venue = {
        .has_balances = true, .logged_on = true, .stream_in_step = true, .reconciled = true, .clock_known = true
    };
    static struct risk_limits limits;
    struct arena arena = { .size = risk_footprint(&counts) };
    struct fault fault;

    ASSERT(x != NULL);
    arena.base = (uint8_t *)pages_map(arena.size);
    ASSERT(arena.base != NULL);
    x->now = (struct now){ { 2 * NS_PER_S }, { INT64_C(1790000000) * NS_PER_S } };
    x->risk = risk_init(&counts, &arena);
    bench_limits(&limits);
    if (!risk_set_limits(x->risk, &limits, x->now, &fault))
        bench_die("risk: %s", fault.text);
    risk_set_venue(x->risk, 0, &venue);
    risk_arm(x->risk, true);
    for (uint32_t i = 0; i < INSTRUMENTS; i++) {
        instrument_add(x, i);
        risk_set_position(x->risk, 0, i, 0, true);
        risk_mark(x->risk, i, &x->md[i], x->now);
    }
    for (uint16_t c = 0; c < CURRENCY_MAX; c++)
        risk_set_balance(x->risk, 0, c, INT64_C(10000000000) * VALUE_ONE, 0);
    for (uint32_t i = 0; i < OPEN_ORDERS; i++)
        order_open(x, i);
    return x;
}

static inline void
check(struct bench_risk *x)
{
    struct risk_verdict v;
    uint32_t i = x->at;

    x->at = i + STEP < INSTRUMENTS ? i + STEP : i + STEP - INSTRUMENTS;
    x->now.mono.ns += NS_PER_US;
    x->now.wall.ns += NS_PER_US;
    enum deny_reason why = risk_check(x->risk, &x->order[i], &x->md[i], x->now, &v);
    if (unlikely(why != DENY_NONE))
        bench_die("risk: an order that should pass was denied: %s", deny_reason_wire(why));
    bench_use(&v);
}

/* For callgrind: --toggle-collect=bench_risk_once. */
BENCH_ONCE static void
bench_risk_once(struct bench_risk *x, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        check(x);
}

static void
batches(const struct bench_run *b, struct bench_series *s, struct bench_risk *x, double seconds)
{
    int64_t end = bench_now() + (int64_t)(seconds * 1e9);
    int64_t start;

    bench_round(s);
    do {
        start = bench_now();
        for (unsigned i = 0; i < BATCH; i++)
            check(x);
        int64_t took = bench_now() - start;
        bench_sample(s, ((double)took - b->clock_ns) / BATCH);
        s->n += BATCH;
        s->seconds += (double)took / 1e9;
    } while (start < end);
}

static void
singles(struct bench_series *s, struct bench_risk *x, double seconds)
{
    int64_t end = bench_now() + (int64_t)(seconds * 1e9);
    int64_t start;

    bench_round(s);
    do {
        start = bench_now();
        check(x);
        bench_sample(s, (double)(bench_now() - start));
        s->n++;
    } while (start < end);
}

static void
clocks(struct bench_series *s, double seconds)
{
    int64_t end = bench_now() + (int64_t)(seconds * 1e9);
    int64_t start;

    bench_round(s);
    do {
        start = bench_now();
        bench_sample(s, (double)(bench_now() - start));
        s->n++;
    } while (start < end);
}

void
bench_risk(struct bench_run *b)
{
    struct bench_risk *x = risk_make();
    struct bench_figures f;
    unsigned rounds = bench_rounds(b, 9);
    double each = bench_seconds(b, 2) / rounds / 2;

    if (b->opt.once > 0) {
        bench_risk_once(x, b->opt.once);
        return;
    }
    bench_pin(BENCH_CORE_OURS);
    struct bench_series *batch = bench_series_add(&b->results, "risk", "accept");
    struct bench_series *single = bench_series_add(&b->results, "risk", "accept-single");
    struct bench_series *clock = bench_series_add(&b->results, "risk", "clock-single");
    bench_progress("risk: %u instruments, %u open orders, %u rounds", INSTRUMENTS, OPEN_ORDERS, rounds);
    for (unsigned r = 0; r < rounds; r++) {
        batches(b, batch, x, each);
        singles(single, x, each);
        clocks(clock, each / 4);
    }
    const struct risk_totals *t = risk_totals(x->risk);
    if (t->open_total != OPEN_ORDERS || t->accepted != t->checked)
        bench_die("risk: %u orders open, %llu of %llu accepted", t->open_total, (unsigned long long)t->accepted,
                  (unsigned long long)t->checked);
    (void)snprintf(batch->note, sizeof(batch->note), "batches of %u, clock (%.0f ns) subtracted once each", BATCH,
                   b->clock_ns);
    (void)snprintf(single->note, sizeof(single->note), "one call between two clock reads: see clock-single");
    (void)snprintf(clock->note, sizeof(clock->note), "nothing between two clock reads");
    (void)bench_figures(batch, &f);
    bench_target_add(&b->results, "risk.accept.p50", f.p50, 100);
}
