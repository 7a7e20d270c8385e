/* Counts for callgrind: risk_check() and risk_apply() of accepted orders among so many instruments and open orders.
 *
 *   risk_growth INSTRUMENTS OPEN_ORDERS N
 *
 * Built without sanitizers. risk_growth_check() and risk_growth_apply() are what --toggle-collect names; both do the
 * same orders whatever the sizes are. */
#include "bench/bench_limits.h"
#include "bench/bench_text.h"
#include "risk/risk.h"

#include <stdio.h>
#include <stdlib.h>

#define TRADED 8u /* instruments in turn: the same ones at every size */

struct world {
    struct risk *risk;
    struct instrument *instrument;
    struct md_ref md;
    struct now now;
};

void risk_growth_check(struct world *w, uint32_t n);
void risk_growth_apply(struct world *w, uint32_t n);

static struct risk_order
order_of(const struct world *w, uint32_t n)
{
    uint32_t i = n % TRADED;
    return (struct risk_order){ .client = i % 4,
                                .instrument = i,
                                .instrument_version = 1,
                                .ins = &w->instrument[i],
                                .side = (uint8_t)(n / TRADED % 2),
                                .px = n / TRADED % 2 == SIDE_BUY ? 100001 : 100000,
                                .qty = 1000 + n % 16 };
}

/* For callgrind. */
__attribute__((noipa)) void
risk_growth_check(struct world *w, uint32_t n)
{
    for (uint32_t k = 0; k < n; k++) {
        struct risk_order o = order_of(w, k);
        struct risk_verdict v;
        w->now.mono.ns += NS_PER_US;
        w->now.wall.ns += NS_PER_US;
        if (risk_check(w->risk, &o, &w->md, w->now, &v) != DENY_NONE) {
            (void)fprintf(stderr, "denied: %s\n", deny_reason_wire(v.reason));
            exit(1);
        }
    }
}

/* An order comes and goes. */
__attribute__((noipa)) void
risk_growth_apply(struct world *w, uint32_t n)
{
    for (uint32_t k = 0; k < n; k++) {
        struct order_delta d = { .instrument = k % TRADED,
                                 .instrument_version = 1,
                                 .client = k % 4,
                                 .open_change = 1,
                                 .reserved_change = 1000,
                                 .cost_change = 100000000,
                                 .rest_px = 99000 };
        risk_apply(w->risk, &d);
        d = (struct order_delta){ .instrument = k % TRADED,
                                  .instrument_version = 1,
                                  .client = k % 4,
                                  .open_change = -1,
                                  .reserved_change = -1000,
                                  .cost_change = -100000000,
                                  .gone_px = 99000 };
        risk_apply(w->risk, &d);
    }
}

/* All of one market: what differs between two of them must not be what is counted. */
static struct instrument
instrument_of(uint32_t i)
{
    struct instrument ins = bench_instrument(0);

    ins.id = i;
    ins.version = 1;
    ins.base_ccy = 1;
    ins.quote_ccy = 2;
    (void)snprintf(ins.symbol, sizeof(ins.symbol), "S%u", i);
    return ins;
}

static void
rest(struct world *w, uint32_t n, uint32_t instruments)
{
    struct order_delta d = { .instrument = n % instruments,
                             .instrument_version = 1,
                             .client = n % 4,
                             .side = (uint8_t)(n / instruments % 2),
                             .open_change = 1,
                             .reserved_change = 1000 };

    d.rest_px = d.side == SIDE_BUY ? 99500 - (px_t)(n % 7) : 100500 + (px_t)(n % 7);
    d.cost_change = d.side == SIDE_BUY ? (wide_t)d.rest_px * 1000 : 0;
    risk_apply(w->risk, &d);
}

int
main(int argc, char **argv)
{
    uint32_t instruments = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : TRADED;
    uint32_t orders = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
    uint32_t n = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 1000;
    struct risk_counts counts = { .accounts = 1, .instruments = instruments };
    struct risk_venue venue = {
        .has_balances = true, .logged_on = true, .stream_in_step = true, .reconciled = true, .clock_known = true
    };
    static struct risk_limits limits;
    struct arena arena = { .size = risk_footprint(&counts) };
    struct world w = { .now = { { 2 * NS_PER_S }, { INT64_C(1790000000) * NS_PER_S } } };
    struct fault fault;

    if (instruments < TRADED || instruments > INSTRUMENT_MAX)
        return 64;
    arena.base = (uint8_t *)aligned_alloc(4096, (arena.size + 4095) & ~(size_t)4095);
    w.instrument = (struct instrument *)calloc(instruments, sizeof(*w.instrument));
    w.risk = risk_init(&counts, &arena);
    bench_limits(&limits);
    if (!risk_set_limits(w.risk, &limits, w.now, &fault))
        return 1;
    risk_set_venue(w.risk, 0, &venue);
    risk_arm(w.risk, true);
    w.md.tob = (struct top_of_book){
        .bid_px = 100000, .ask_px = 100001, .recv_ns = 2 * NS_PER_S, .instrument_version = 1, .state = BOOK_LIVE
    };
    w.md.good = w.md.tob;
    for (uint32_t i = 0; i < instruments; i++) {
        w.instrument[i] = instrument_of(i);
        if (!risk_set_instrument(w.risk, &w.instrument[i], w.now, &fault))
            return 1;
        risk_set_position(w.risk, 0, i, 0, true);
        risk_mark(w.risk, i, &w.md, w.now);
    }
    for (uint16_t c = 0; c < CURRENCY_MAX; c++)
        risk_set_balance(w.risk, 0, c, INT64_C(10000000000) * VALUE_ONE, 0);
    for (uint32_t i = 0; i < orders; i++)
        rest(&w, i, instruments);
    risk_growth_check(&w, n);
    risk_growth_apply(&w, n);
    free(w.instrument);
    free(arena.base);
    return 0;
}
