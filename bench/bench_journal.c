/* Journal: append of an order intent (288 bytes and its header) to segments on a real file system, the page toucher
 * ahead and io_uring's syncs behind, as the core thread does it.
 *
 * Appends come at a fixed rate. Two times per append: from the call's own start, and (`-open`) from the moment at which
 * it was due, so that a stall delays all that were due in it. `clock` takes turns with them: the same loop with nothing
 * in it, which is what this machine does to anybody. `sync-always-durable` is the time from an append to the end of the
 * sync that covers it (group commit): what an order waits with `journal.sync = "always"`. */
#include "bench/bench.h"
#include "engine/io/loop.h"
#include "engine/journal_sync.h"

#define RATE          20000 /* appends a second */
#define SEGMENT_BYTES (64u << 20)

#define WAITING 8192 /* appends whose sync is awaited */

enum sync { SYNC_CLOCK, SYNC_NO, SYNC_INTERVAL, SYNC_ALL, SYNC_KINDS };
static const char *const case_name[SYNC_KINDS] = { "clock", "sync-none", "sync-interval", "sync-always" };
static const int64_t sync_ns[SYNC_KINDS] = { INT64_MAX / 2, NS_PER_S, 100 * NS_PER_MS, 0 };

struct bench_journal {
    struct journal journal;
    struct journal_file *files;
    struct journal_sync sync;
    struct loop *loop;
    struct now now;
    uint64_t first_waiting; /* sequence */
    int64_t start[WAITING]; /* of the append, by sequence */
    struct bench_series *durable;
    bool measured;
    struct order_intent intent;
};

static void
on_synced(void *ctx, uint64_t token, int res)
{
    struct bench_journal *j = (struct bench_journal *)ctx;

    if (!journal_sync_done(&j->sync, token, res, j->now))
        bench_die("journal: sync failed: %s", strerror(-res));
    int64_t now = bench_now();
    for (; j->first_waiting <= journal_sync_durable(&j->sync); j->first_waiting++) {
        if (!j->measured)
            continue;
        bench_sample(j->durable, (double)(now - j->start[j->first_waiting % WAITING]));
        j->durable->n++;
    }
}

static bool
begin_fsync(void *ctx, int fd, uint64_t token)
{
    return loop_fsync(((struct bench_journal *)ctx)->loop, fd, token);
}

static void
loop_make(struct bench_journal *j)
{
    static const struct loop_config cfg = {
        .conn_max = 1,
        .recv_buffer_count = { 1, 1 },
        .recv_buffer_bytes = 4096,
        .send_buffer_bytes = 4096,
        .watch_max = 1,
        .bell_max = 1,
        .busy = true,
    };
    const struct loop_events events = { .ctx = j, .on_synced = on_synced };
    struct arena arena = { .size = loop_footprint(&cfg) };
    struct fault fault;

    arena.base = (uint8_t *)aligned_alloc(4096, (arena.size + 4095) & ~(size_t)4095);
    ASSERT(arena.base != NULL);
    j->loop = loop_init(&cfg, &events, &arena, &fault);
    if (j->loop == NULL)
        bench_die("journal: %s", fault.text);
}

static void
intent_fill(struct bench_journal *j)
{
    j->intent = (struct order_intent){
        .command = { .version = MESSAGE_VERSION,
                     .verb = COMMAND_NEW,
                     .key = 1,
                     .px = 6412345,
                     .qty = 1234,
                     .tif = TIF_IOC },
        .clordid = "016Ab3dE00001",
        .limits_version = 1,
        .qty = 1234,
        .value = INT64_C(7912833),
        .limit = INT64_C(100000000),
    };
}

static void
journal_make(struct bench_journal *j, const char *dir)
{
    struct journal_identity who = { .instance = "01", .mode = JOURNAL_PAPER, .account_count = 1, .venue_count = 1 };
    static const uint8_t hash[32];
    struct journal_region region;
    struct fault fault;

    memset(j, 0, sizeof(*j));
    j->first_waiting = 1;
    j->files = journal_file_open(dir, SEGMENT_BYTES, &fault);
    if (j->files == NULL || !journal_file_start(j->files, 1, &region, &fault))
        bench_die("journal: %s", fault.text);
    journal_init(&j->journal, &who, EXECGW_VERSION, hash, 1790000000, 0, 0);
    ASSERT(journal_region(&j->journal, region.base, region.bytes, (struct now){ { 1 }, { 1 } }));
    journal_sync_init(&j->sync, &j->journal, j->files, &region, JOURNAL_SYNC_ALWAYS, 0,
                      &(struct journal_sync_ops){ .ctx = j, .fsync = begin_fsync });
    intent_fill(j);
    loop_make(j);
}

/* What the core does around appends; not in the measured time. */
static void
housekeeping(struct bench_journal *j, struct now now)
{
    j->now = now;
    journal_sync_turn(&j->sync, now);
    loop_reap(j->loop);
    (void)loop_submit(j->loop, NULL);
}

static inline void
append(struct bench_journal *j, struct now now)
{
    j->intent.command.key++;
    if (unlikely(journal_append(&j->journal, JOURNAL_INTENT, &j->intent, sizeof(j->intent), now) == 0))
        bench_die("journal: no room at record %llu: the disk is slower than %d appends a second",
                  (unsigned long long)j->journal.seq, RATE);
}

static void
round_of(struct bench_journal *j, struct bench_series *call, struct bench_series *open, enum sync kind, double seconds)
{
    struct now now = loop_now(j->loop);
    int64_t due = now.mono.ns;
    int64_t end = due + (int64_t)(seconds * 1e9);

    bench_round(call);
    bench_round(open);
    while (due < end) {
        due += NS_PER_S / RATE;
        do {
            now = loop_now(j->loop);
            if (now.mono.ns < due - 5 * NS_PER_US)
                housekeeping(j, now);
        } while (now.mono.ns < due);
        int64_t start = bench_now();
        if (kind != SYNC_CLOCK)
            append(j, now);
        int64_t done = bench_now();
        j->start[j->journal.seq % WAITING] = start;
        bench_sample(call, (double)(done - start));
        bench_sample(open, (double)(done - due));
        call->n++;
        open->n++;
    }
}

/* Everything goes to disk. */
static void
settle(struct bench_journal *j)
{
    j->sync.interval_ns = 0;
    j->sync.next = (mono_ns_t){ 0 };
    while (journal_sync_durable(&j->sync) < j->journal.seq)
        housekeeping(j, loop_now(j->loop));
}

BENCH_ONCE static void
bench_journal_once(struct bench_journal *j, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        struct now now = { { 1 }, { 1 } };
        if (j->journal.bytes - j->journal.used < 2 * sizeof(struct order_intent)) /* the same pages again */
            j->journal.used = sizeof(struct journal_segment_header);
        append(j, now);
    }
}

void
bench_journal(struct bench_run *b)
{
    static struct bench_journal j;
    struct bench_series *call[SYNC_KINDS];
    struct bench_series *open[SYNC_KINDS];
    struct bench_figures f;
    char dir[600];
    char key[BENCH_KEY_BYTES];
    unsigned rounds = bench_rounds(b, 9);
    double each = bench_seconds(b, 10) / rounds;

    (void)snprintf(dir, sizeof(dir), "%s/journal", b->opt.tmp);
    journal_make(&j, dir);
    if (b->opt.once > 0) {
        bench_journal_once(&j, b->opt.once);
        return;
    }
    bench_pin(BENCH_CORE_OURS);
    for (unsigned k = 0; k < SYNC_KINDS; k++) {
        char name[BENCH_NAME_BYTES];
        (void)snprintf(name, sizeof(name), "%s-open", case_name[k]);
        call[k] = bench_series_add(&b->results, "journal", case_name[k]);
        open[k] = bench_series_add(&b->results, "journal", name);
        (void)snprintf(call[k]->note, BENCH_NOTE_BYTES, "%d a second, from the call's start", RATE);
        (void)snprintf(open[k]->note, BENCH_NOTE_BYTES, "the same, from the moment it was due");
    }
    j.durable = bench_series_add(&b->results, "journal", "sync-always-durable");
    (void)snprintf(j.durable->note, BENCH_NOTE_BYTES, "append to the end of the sync that covers it");
    bench_progress("journal: %d appends a second in %s, %u rounds of %.2f s per case", RATE, dir, rounds, each);
    for (unsigned r = 0; r < rounds; r++) {
        for (unsigned k = 0; k < SYNC_KINDS; k++) {
            j.sync.interval_ns = sync_ns[k];
            j.sync.next = (mono_ns_t){ 0 };
            j.measured = k == SYNC_ALL;
            if (j.measured)
                bench_round(j.durable);
            round_of(&j, call[k], open[k], (enum sync)k, each);
            settle(&j);
        }
    }
    for (unsigned k = SYNC_NO; k <= SYNC_INTERVAL; k++) {
        (void)bench_figures(call[k], &f);
        (void)snprintf(key, sizeof(key), "journal.%s.p99", case_name[k]);
        bench_target_add(&b->results, key, f.p99, 500);
    }
    loop_exit(j.loop);
    journal_file_close(j.files);
    bench_recovery(b);
}
