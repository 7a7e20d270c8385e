/* Recovery: replay of a journal of 1,000,000 records into an empty order table, as a start does it: 250,000 orders,
 * each with its intent, acknowledgement and two fills; every 100th stays open. From memory: what the disk adds is its
 * own. */
#include "bench/bench.h"
#include "engine/io/pages.h"
#include "engine/oms/journal.h"

#include <errno.h>
#include <sys/mman.h>

#define ORDERS        250000u
#define SEGMENT_BYTES (64u << 20)
#define SEGMENTS      8u
#define ROUNDS        5u
#define TARGET_NS     2e9

static const struct order_counts counts = {
    .live_max = 1u << 16, .done_kept = 1u << 16, .trades_kept = 1u << 18, .keys_kept = 1024
};

static void *
pages(size_t bytes)
{
    void *p = pages_map(bytes);

    if (p == NULL)
        bench_die("recovery: no memory: %s", strerror(errno));
    return p;
}

static void
append(struct journal *j, uint8_t *const *segment, enum journal_type type, const void *payload, size_t bytes,
       struct now now)
{
    if (!journal_room(j, bytes)) {
        ASSERT(j->segment_index + 1 < SEGMENTS);
        (void)journal_region(j, segment[j->segment_index + 1], SEGMENT_BYTES, now);
    }
    ASSERT(journal_append(j, type, payload, bytes, now) != 0);
}

static void
one_order(struct journal *j, uint8_t *const *segment, struct clordid_mint *mint, uint64_t n)
{
    struct now now = { { (int64_t)n * 1000 }, { INT64_C(1790000000) * NS_PER_S + (int64_t)n * 1000 } };
    struct order_intent in = {
        .command = { .version = MESSAGE_VERSION, .verb = COMMAND_NEW, .client = (uint32_t)(n % 8), .key = n + 1 },
        .limits_version = 1,
        .qty = 1000,
    };
    struct order_event ev = { .kind = ORDER_EV_ACK, .trade_id = -1, .venue_order_id = n + 1 };

    in.command.instrument = (uint32_t)(n % 100);
    in.command.px = 6412345;
    in.command.qty = 1000;
    (void)clordid_mint_next(mint, in.clordid);
    memcpy(ev.clordid, in.clordid, CLORDID_BYTES);
    append(j, segment, JOURNAL_INTENT, &in, sizeof(in), now);
    append(j, segment, JOURNAL_VENUE_REPORT, &ev, sizeof(ev), now);
    ev.kind = ORDER_EV_FILL;
    ev.last_px = 6412345;
    for (unsigned i = 0; i < 2; i++) {
        ev.trade_id = (int64_t)(n * 2 + i);
        ev.last_qty = n % 100 == 0 && i == 1 ? 499 : 500;
        append(j, segment, JOURNAL_VENUE_REPORT, &ev, sizeof(ev), now);
    }
}

static uint32_t
journal_fill(uint8_t *const *segment)
{
    static const struct journal_identity who = {
        .instance = "01", .mode = JOURNAL_LIVE, .account_count = 1, .venue_count = 1
    };
    static const uint8_t hash[32];
    static struct journal j;
    struct clordid_mint mint;

    journal_init(&j, &who, EXECGW_VERSION, hash, 1790000000, 0, 0);
    ASSERT(clordid_mint_init(&mint, "01", 1790000000, 0));
    (void)journal_region(&j, segment[0], SEGMENT_BYTES, (struct now){ { 1 }, { 1 } });
    for (uint64_t n = 0; n < ORDERS; n++)
        one_order(&j, segment, &mint, n);
    return j.segment_index + 1;
}

void
bench_recovery(struct bench_run *b)
{
    uint8_t *memory[SEGMENTS];
    struct journal_segment segment[SEGMENTS];
    struct bench_figures f;
    struct bench_series *s = bench_series_add(&b->results, "journal", "recovery");
    size_t table_bytes = order_table_footprint(&counts);

    (void)snprintf(s->note, BENCH_NOTE_BYTES, "replay of 1,000,000 records, 250,000 orders");
    for (unsigned i = 0; i < SEGMENTS; i++) {
        memory[i] = (uint8_t *)pages(SEGMENT_BYTES);
        segment[i] = (struct journal_segment){ memory[i], SEGMENT_BYTES, "recovery" };
    }
    uint32_t used = journal_fill(memory);
    void *table = pages(table_bytes);
    for (unsigned r = 0; r < ROUNDS; r++) {
        struct arena arena = { .base = (uint8_t *)table, .size = table_bytes };
        struct journal_replayed out;
        struct fault fault;
        memset(table, 0, table_bytes);
        struct order_table *t = order_table_init(&counts, "01", &arena);
        int64_t start = bench_now();
        if (!journal_replay(segment, used, NULL, t, NULL, &out, &fault))
            bench_die("recovery: %s", fault.text);
        bench_round(s);
        bench_sample(s, (double)(bench_now() - start));
        s->n++;
        if (out.records != 4 * (uint64_t)ORDERS || out.live != ORDERS / 100)
            bench_die("recovery: %llu records, %u orders live", (unsigned long long)out.records, out.live);
    }
    (void)bench_figures(s, &f);
    bench_target_add(&b->results, "journal.recovery", f.p50, TARGET_NS);
    (void)munmap(table, table_bytes);
    for (unsigned i = 0; i < SEGMENTS; i++)
        (void)munmap(memory[i], SEGMENT_BYTES);
}
