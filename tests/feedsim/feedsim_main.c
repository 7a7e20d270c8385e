/* execgw-feedsim: run seeds, name the first thing of each that does not hold. See feedsim.h. */
#include "tests/feedsim/feedsim.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define DAY_NS      INT64_C(1786838400000000000) /* 2026-08-16, as in the venue's texts */
#define RING_EVENTS 512
#define FAULT_STEPS 160
#define HEAL_NS     (260 * NS_PER_S) /* every back-off and time-out of the configuration below ends in it, twice */

struct options {
    uint64_t first;
    uint64_t last;
    bool dialect[2]; /* binance, kraken */
    bool trace;
    bool stop;
    bool stats;
};

static const char usage[] =
    "usage: execgw-feedsim --seeds A-B [--dialect binance|kraken] [--stop] [--stats] [--trace]\n"
    "\n"
    "Books over a bad network: messages and connections of a simulated venue meet faults, and after every one of them\n"
    "what is served must be the venue's book or be flagged. A seed decides everything.\n"
    "  --seeds A-B   these seeds, each once on each dialect\n"
    "  --dialect D   on this one only\n"
    "  --stop        end at the first seed that fails\n"
    "  --stats       print how much happened\n"
    "  --trace       print what happens\n"
    "A seed that fails prints one line and the command that repeats it. Exits 1 when any failed.\n";

static char running[128]; /* what repeats the seed at hand */

/* ---- common ---- */

uint64_t
draw(struct world *w, uint64_t below)
{
    w->random += UINT64_C(0x9E3779B97F4A7C15); /* splitmix64, Steele et al. 2014 */
    uint64_t z = w->random;
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return below > 0 ? (z ^ z >> 31) % below : 0;
}

bool
happens(struct world *w, uint32_t of_10000)
{
    return draw(w, 10000) < of_10000;
}

struct now
feedsim_now(const struct world *w)
{
    return (struct now){ { w->now_ns }, { DAY_NS + w->now_ns } };
}

void
broken(struct world *w, const char *format, ...)
{
    va_list ap;

    if (w->failure[0] != '\0')
        return;
    va_start(ap, format);
    (void)vsnprintf(w->failure, sizeof(w->failure), format, ap);
    va_end(ap);
}

void
trace(const struct world *w, const char *format, ...)
{
    va_list ap;

    if (!w->trace)
        return;
    (void)printf("%9.3f %3u  ", (double)w->now_ns / 1e9, w->step);
    va_start(ap, format);
    (void)vprintf(format, ap);
    va_end(ap);
    (void)putchar('\n');
}

static void
on_signal(int sig)
{
    (void)!write(STDOUT_FILENO, running, strlen(running));
    (void)signal(sig, SIG_DFL);
    (void)raise(sig);
}

/* ---- a world ---- */

static struct feed_config
config_of(const struct world *w)
{
    struct feed_config c =
        w->kraken ? feed_config_checked(&feed_kraken, INSTRUMENTS, w->depth) : feed_config_default(INSTRUMENTS);
    c.retry_min_ns = 300 * NS_PER_MS;
    c.retry_max_ns = 4 * NS_PER_S;
    c.snapshot_timeout_ns = 3 * NS_PER_S;
    c.depth_lag_max_ns = 2 * NS_PER_S;
    c.quiet_max_ns = w->kraken ? 8 * NS_PER_S : 0;
    c.copies = w->links;
    if (w->kraken)
        return c;
    c.snapshot_limit = SNAPSHOT_LIMIT;
    c.levels_max = 80;
    c.message_levels_max = 200;
    c.pending_events_max = 24;
    c.pending_levels_max = 600;
    return c;
}

/* Memory for one dialect, used for every seed. */
static void
world_allocate(struct world *w, bool kraken)
{
    *w = (struct world){ .kraken = kraken, .depth = 10, .links = LINKS };
    w->cfg = config_of(w);
    w->memory = aligned_alloc(64, (feed_footprint(&w->cfg) + 63) / 64 * 64);
    w->shm_bytes = md_shm_footprint_deep(RING_EVENTS, 8, LADDER);
    w->shm = aligned_alloc(64, (w->shm_bytes + 63) / 64 * 64);
    ASSERT(w->memory != NULL && w->shm != NULL);
    for (uint32_t k = 0; k < LINKS; k++) {
        w->conn[k].frame = calloc(FRAMES_MAX, sizeof(struct frame));
        w->conn[k].reader_buffer = malloc(2 * TEXT_MAX + 256);
        ASSERT(w->conn[k].frame != NULL && w->conn[k].reader_buffer != NULL);
    }
    for (uint32_t k = 0; k < INSTRUMENTS; k++) {
        w->book[k].past = calloc(MOMENTS_MAX, sizeof(struct moment));
        w->book[k].touch = calloc(IDS_MAX, sizeof(struct venue_touch));
        ASSERT(w->book[k].past != NULL && w->book[k].touch != NULL);
    }
}

static void
world_free(struct world *w)
{
    for (uint32_t k = 0; k < INSTRUMENTS; k++) {
        free(w->book[k].past);
        free(w->book[k].touch);
    }
    free(w->memory);
    free(w->shm);
    for (uint32_t k = 0; k < LINKS; k++) {
        free(w->conn[k].frame);
        free(w->conn[k].reader_buffer);
    }
}

/* Most kinds of fault are absent from a seed, so that each is also met alone. */
static uint32_t
rate(struct world *w, uint32_t low, uint32_t high)
{
    switch (draw(w, 4)) {
    case 0: return low;
    case 1: return high;
    default: return 0;
    }
}

static void
choose_faults(struct world *w)
{
    w->faults = (struct faults){
        .drop = rate(w, 30, 400),
        .repeat = rate(w, 100, 600),
        .late = rate(w, 30, 500),
        .damage = rate(w, 30, 300),
        .far = rate(w, 10, 100),
        .close = rate(w, 8, 60),
        .silence = rate(w, 20, 100),
        .dead = rate(w, 10, 40),
        .burst = rate(w, 20, 200),
        .restart = rate(w, 20, 100),
        .snapshot_fails = rate(w, 500, 3000),
        .snapshot_stale = rate(w, 1000, 5000),
        .snapshot_late = rate(w, 1000, 5000),
        .refuse = rate(w, 500, 4000),
    };
}

static void
world_open(struct world *w, uint64_t seed)
{
    struct fault fault;

    w->seed = seed;
    w->random = seed * 2 + w->kraken;
    w->now_ns = w->start_ns = NS_PER_S;
    w->step = 0;
    w->healing = false;
    w->frame_order = 0;
    w->reseed = (struct reseed){ 0 };
    w->failure[0] = '\0';
    memset(w->watch, 0, sizeof(w->watch));
    w->links = 1 + (draw(w, 2) == 0);
    w->cfg = config_of(w);
    for (uint32_t k = 0; k < LINKS; k++) {
        struct conn *c = &w->conn[k];
        *c = (struct conn){ .frame = c->frame, .reader_buffer = c->reader_buffer, .up_at_ns = w->now_ns };
    }
    memset(w->memory, 0, feed_footprint(&w->cfg));
    memset(w->shm, 0, w->shm_bytes);
    choose_faults(w);
    w->pace = draw(w, 8) == 0 ? 6 : 1; /* a quiet market: silences are longer than time-outs */
    w->books = 1 + (uint32_t)draw(w, INSTRUMENTS);
    venue_open(w);
    struct arena arena = { .base = w->memory, .size = feed_footprint(&w->cfg) };
    w->feed = feed_init(&w->cfg, &arena, &fault);
    ASSERT(w->feed != NULL);
    md_writer_init_deep(&w->writer, w->shm, RING_EVENTS, 8, LADDER);
    ASSERT(md_reader_init(&w->table, w->shm, w->shm_bytes));
    w->out = (struct md_out){ .writer = &w->writer, .on_event = check_event, .ctx = w };
    for (uint32_t k = 0; k < w->books; k++) {
        w->ins[k] = (struct instrument){ .id = 1 + k, .version = 1, .tick = 1, .step = 1 };
        w->ins[k].px_decimals = w->kraken ? 1 : 2;
        w->ins[k].qty_decimals = w->kraken ? 8 : 5;
        memcpy(w->ins[k].symbol, w->book[k].symbol, sizeof(w->book[k].symbol));
        ASSERT(feed_add_instrument(w->feed, &w->ins[k], feedsim_now(w), &w->out));
    }
}

static void
world_close(struct world *w)
{
    const struct feed_counters *c = feed_counters(w->feed);

    for (uint32_t k = 0; k < LINKS; k++)
        for (uint32_t i = 0; i < w->conn[k].frames; i++)
            free(w->conn[k].frame[i].text);
    w->tally.filled += c->filled;
    w->tally.moved += c->moved;
    w->tally.resyncs += c->resyncs;
    w->tally.gaps += c->gaps;
    w->tally.checksums += c->checksums;
    w->tally.crossed += c->crossed;
    w->tally.shallow += c->shallow;
    w->tally.lags += c->lags + c->quiet;
    w->tally.snapshots += c->snapshots;
    w->tally.unequal += c->compare_unequal;
}

/* ---- snapshots beside the stream (Binance) ---- */

static void
slices(struct world *w, uint32_t book, const struct moment *m, uint64_t number)
{
    struct snapshot_slice s = { .instrument = w->ins[book].id, .last_update_id = number, .is_first = true };
    struct level level[2][SNAPSHOT_LIMIT];
    uint32_t count[2] = { 0, 0 };

    for (int32_t i = m->mid; i >= 0 && count[0] < SNAPSHOT_LIMIT; i--)
        if (m->qty[i] != 0)
            level[0][count[0]++] = (struct level){ LOWEST + i, (qty_t)m->qty[i] * 1234 };
    for (int32_t i = m->mid + 1; i < PRICES && count[1] < SNAPSHOT_LIMIT; i++)
        if (m->qty[i] != 0)
            level[1][count[1]++] = (struct level){ LOWEST + i, (qty_t)m->qty[i] * 1234 };
    for (unsigned side = 0; side < 2; side++) {
        uint32_t at = 0;
        do {
            uint32_t left = count[side] - at;
            uint32_t n = 1 + (uint32_t)draw(w, 6);
            s.side = (uint8_t)side;
            s.count = MIN(n, left);
            memcpy(s.level, level[side] + at, s.count * sizeof(struct level));
            at += s.count;
            s.is_last = side == 1 && at == count[1];
            feed_on_snapshot_slice(w->feed, &s, feedsim_now(w), &w->out);
            s.is_first = false;
            if (draw(w, 6) == 0) { /* between two slices too */
                (void)feed_on_timer(w->feed, feedsim_now(w), &w->out);
                check_reader(w);
            }
        } while (at < count[side]);
    }
}

static void
snapshot_asked(struct world *w, uint32_t instrument)
{
    struct reseed *r = &w->reseed;
    bool late = happens(w, w->faults.snapshot_late) && !w->healing;

    if (r->asked && !r->taken && r->at_ns > w->now_ns)
        trace(w, "the snapshot before this one is forgotten");
    *r = (struct reseed){ .asked = true, .book = instrument - 1 };
    r->take_at_ns = w->now_ns + (int64_t)draw(w, late ? 4000 : 60) * NS_PER_MS;
    r->at_ns = r->take_at_ns + (int64_t)draw(w, late ? 2000 : 60) * NS_PER_MS;
    r->fails = happens(w, w->faults.snapshot_fails) && !w->healing;
    trace(w, "snapshot of %u asked for", r->book);
}

static void
snapshot_moves(struct world *w)
{
    struct reseed *r = &w->reseed;

    if (!r->asked)
        return;
    struct venue_book *b = &w->book[r->book];
    if (!r->taken && w->now_ns >= r->take_at_ns) {
        r->taken = true;
        bool stale = happens(w, w->faults.snapshot_stale) && !w->healing; /* a mirror that lags */
        r->of = stale ? b->past[b->past_count - 1 - draw(w, MIN(b->past_count, 12u))] : *venue_keep(b, &b->now);
        r->id = venue_number(b, r->of.id);
    }
    if (!r->taken || w->now_ns < r->at_ns)
        return;
    struct snapshot_slice failed = { .instrument = w->ins[r->book].id, .failed = true };
    trace(w, "snapshot of %u as of %llu %s", r->book, (unsigned long long)r->of.id, r->fails ? "fails" : "comes");
    r->asked = false;
    if (r->fails) {
        feed_on_snapshot_slice(w->feed, &failed, feedsim_now(w), &w->out);
    } else {
        check_snapshot(w, r->book, r->of.id);
        slices(w, r->book, &r->of, r->id);
    }
    check_books(w);
}

/* ---- one seed ---- */

static void
gateway_does(struct world *w)
{
    char text[1024];
    uint32_t id;

    (void)feed_on_timer(w->feed, feedsim_now(w), &w->out);
    for (unsigned n = 0; n < 64 && feed_work(w->feed, feedsim_now(w), &w->out); n++)
        check_books(w);
    for (uint32_t k = 0; k < w->links; k++) {
        if (feed_link_stuck(w->feed, k) && w->conn[k].up) {
            w->tally.stuck++;
            net_close(w, k);
        }
        size_t n = feed_link_request(w->feed, k, feedsim_now(w), &w->out, text, sizeof(text));
        if (n > 0)
            venue_request(w, k, text, n);
    }
    if (feed_snapshot_wanted(w->feed, feedsim_now(w), &id))
        snapshot_asked(w, id);
    snapshot_moves(w);
    check_books(w);
}

static void
step(struct world *w)
{
    const struct faults *f = &w->faults;

    w->step++;
    w->now_ns += (int64_t)(40 + draw(w, 120)) * NS_PER_MS * w->pace;
    for (uint32_t k = 0; k < w->links; k++)
        if (!w->conn[k].up && w->now_ns >= w->conn[k].up_at_ns)
            net_open(w, k);
    struct conn *c = &w->conn[draw(w, w->links)];
    if (!w->healing && happens(w, f->silence))
        c->stream[draw(w, w->books)].silent_until_ns = w->now_ns + (int64_t)draw(w, 20000) * NS_PER_MS * w->pace;
    if (!w->healing && happens(w, f->dead)) {
        uint32_t book = (uint32_t)draw(w, w->books);
        c->stream[book].dead = draw(w, 2) == 0 ? DEAD_UNTIL_SUBSCRIBED : DEAD_UNTIL_CONNECTED;
        trace(w, "%u: depth of %u says no more", (unsigned)(c - w->conn), book);
    }
    if (!w->healing && happens(w, f->restart))
        venue_restart(w, (uint32_t)draw(w, w->books));
    unsigned turns = !w->healing && happens(w, f->burst) ? 20 : 1;
    while (turns-- > 0)
        venue_step(w);
    net_deliver(w);
    if (c->up && !w->healing && w->failure[0] == '\0' && happens(w, f->close))
        net_close(w, (uint32_t)(c - w->conn));
    gateway_does(w);
    if (draw(w, 4) == 0)
        check_reader(w);
}

static bool
all_live(const struct world *w)
{
    for (uint32_t k = 0; k < w->books; k++)
        if (feed_state(w->feed, w->ins[k].id) != BOOK_LIVE)
            return false;
    return net_any_up(w);
}

static bool
run_seed(struct world *w, uint64_t seed)
{
    world_open(w, seed);
    while (w->step < FAULT_STEPS && w->failure[0] == '\0')
        step(w);
    trace(w, "the faults are over");
    w->healing = true;
    for (uint32_t k = 0; k < w->links; k++)
        for (uint32_t i = 0; i < w->books; i++)
            w->conn[k].stream[i].silent_until_ns = 0;
    int64_t until = w->now_ns + HEAL_NS;
    unsigned settled = 0;
    while (w->failure[0] == '\0' && settled < 10 && w->now_ns < until) {
        step(w);
        settled = all_live(w) ? settled + 1 : 0;
    }
    if (w->failure[0] == '\0' && settled == 0)
        broken(w, "a book is not live though all has been well for %lld s", (long long)(HEAL_NS / NS_PER_S));
    world_close(w);
    return w->failure[0] == '\0';
}

/* ---- the program ---- */

static bool
parse(int argc, char **argv, struct options *o, const char **wrong)
{
    bool seeds = false;

    *o = (struct options){ .dialect = { true, true } };
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        char *end;
        if (strcmp(argv[i], "--seeds") == 0 && *value >= '0' && *value <= '9') {
            o->first = strtoull(value, &end, 10);
            if (*end != '-' || end[1] < '0' || end[1] > '9')
                return false;
            o->last = strtoull(end + 1, &end, 10);
            seeds = *end == '\0' && o->first <= o->last;
            i++;
        } else if (strcmp(argv[i], "--dialect") == 0) {
            o->dialect[0] = strcmp(value, "binance") == 0;
            o->dialect[1] = strcmp(value, "kraken") == 0;
            if (!o->dialect[0] && !o->dialect[1])
                return false;
            i++;
        } else if (strcmp(argv[i], "--stop") == 0) {
            o->stop = true;
        } else if (strcmp(argv[i], "--stats") == 0) {
            o->stats = true;
        } else if (strcmp(argv[i], "--trace") == 0) {
            o->trace = true;
        } else {
            *wrong = argv[i];
            return false;
        }
    }
    return seeds;
}

static void
print_tally(const char *dialect, const struct tally *t)
{
    (void)printf("%s: %llu messages; books looked at %llu times live, %llu not; %llu times live again, %llu gaps, "
                 "%llu checksums, %llu crossed, %llu shallow, %llu silent, %llu contradicted, %llu snapshots, "
                 "%llu connections lost, %llu given up, %llu times counted anew, %llu filled, %llu moved, %llu readers "
                 "joined late\n",
                 dialect, (unsigned long long)t->messages, (unsigned long long)t->live, (unsigned long long)t->invalid,
                 (unsigned long long)t->resyncs, (unsigned long long)t->gaps, (unsigned long long)t->checksums,
                 (unsigned long long)t->crossed, (unsigned long long)t->shallow, (unsigned long long)t->lags,
                 (unsigned long long)t->unequal, (unsigned long long)t->snapshots, (unsigned long long)t->closes,
                 (unsigned long long)t->stuck, (unsigned long long)t->restarts, (unsigned long long)t->filled,
                 (unsigned long long)t->moved, (unsigned long long)t->readers);
}

/* Returns how many seeds failed. */
static uint64_t
run_dialect(const struct options *o, bool kraken)
{
    static struct world w;
    const char *name = kraken ? "kraken" : "binance";
    uint64_t failed = 0;

    world_allocate(&w, kraken);
    w.trace = o->trace;
    for (uint64_t seed = o->first; seed <= o->last; seed++) {
        (void)snprintf(running, sizeof(running), "execgw-feedsim --dialect %s --seeds %llu-%llu --trace: ended here\n",
                       name, (unsigned long long)seed, (unsigned long long)seed);
        if (run_seed(&w, seed))
            continue;
        failed++;
        (void)printf("seed %llu %s step %u: %s\n  repeat with: execgw-feedsim --dialect %s --seeds %llu-%llu --trace\n",
                     (unsigned long long)seed, name, w.step, w.failure, name, (unsigned long long)seed,
                     (unsigned long long)seed);
        (void)fflush(stdout);
        if (o->stop)
            break;
    }
    if (o->stats)
        print_tally(name, &w.tally);
    world_free(&w);
    return failed;
}

int
main(int argc, char **argv)
{
    struct options o;
    struct timespec a;
    struct timespec b;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        (void)fputs(usage, stdout);
        return 0;
    }
    const char *wrong = NULL;
    if (!parse(argc, argv, &o, &wrong)) {
        (void)fprintf(stderr, "execgw-feedsim: %s: not what is expected; --help lists what there is\n",
                      wrong != NULL ? wrong : "no seeds");
        return 64;
    }
    (void)signal(SIGABRT, on_signal);
    (void)signal(SIGSEGV, on_signal);
    (void)clock_gettime(CLOCK_MONOTONIC, &a);
    uint64_t failed = 0;
    uint64_t seeds = 0;
    for (unsigned d = 0; d < 2 && !(failed > 0 && o.stop); d++) {
        if (!o.dialect[d])
            continue;
        failed += run_dialect(&o, d == 1);
        seeds += o.last - o.first + 1;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &b);
    (void)printf("%llu seeds, %llu failed, %.1f s\n", (unsigned long long)seeds, (unsigned long long)failed,
                 (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9);
    return failed > 0;
}
