/* A feed of two instruments for tests: what is said to it, what it published, and a clock that the test moves. */
#ifndef EXECGW_TESTS_FEED_FIXTURE_H
#define EXECGW_TESTS_FEED_FIXTURE_H

#include "feed/feed.h"
#include "tests/test.h"

#define EVENTS_MAX 4096

/* A feed of two instruments, the events it published, and a fake clock. */
struct fixture {
    void *memory;
    struct feed *feed;
    struct feed_config cfg;
    struct instrument ins[2];
    struct md_out out;
    void *shm;
    struct md_writer writer;
    struct now now;
    uint32_t event_count;
    struct md_event event[EVENTS_MAX]; /* the last ones wrap */
};

static inline void
keep_event(void *ctx, const struct md_event *ev)
{
    struct fixture *f = ctx;
    f->event[f->event_count++ % EVENTS_MAX] = *ev;
}

static inline struct instrument
instrument_of(uint32_t id, const char *symbol)
{
    struct instrument i = { .id = id, .version = 1, .px_decimals = 2, .qty_decimals = 5, .tick = 1, .step = 1 };
    (void)snprintf(i.symbol, sizeof(i.symbol), "%s", symbol);
    return i;
}

static inline struct fixture *
fixture_of(struct feed_config cfg, const char *symbol)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct fault fault;
    size_t bytes = feed_footprint(&cfg);

    f->cfg = cfg;
    f->memory = aligned_alloc(64, bytes);
    struct arena arena = { .base = f->memory, .size = bytes };
    f->feed = feed_init(&cfg, &arena, &fault);
    CHECK(f->feed != NULL);
    CHECK_EQ(arena.used, arena.size);
    f->shm = aligned_alloc(64, md_shm_footprint(65536, 8));
    memset(f->shm, 0, md_shm_footprint(65536, 8));
    md_writer_init(&f->writer, f->shm, 65536, 8);
    f->out = (struct md_out){ .writer = &f->writer, .on_event = keep_event, .ctx = f };
    f->now = (struct now){ { NS_PER_S }, { NS_PER_S } };
    f->ins[0] = instrument_of(5, symbol);
    f->ins[1] = instrument_of(2, strcmp(symbol, "ETHUSDT") == 0 ? "BTCUSDT" : "ETHUSDT");
    for (unsigned i = 0; i < 2; i++)
        CHECK(feed_add_instrument(f->feed, &f->ins[i], f->now, &f->out));
    feed_on_up(f->feed, f->now, &f->out);
    return f;
}

static inline struct fixture *
fixture_with(struct feed_config cfg)
{
    return fixture_of(cfg, "BTCUSDT");
}

static inline struct fixture *
fixture_open(void)
{
    struct feed_config cfg = feed_config_default(2);
    cfg.snapshot_limit = 8;
    cfg.levels_max = 32;
    cfg.message_levels_max = 100;
    cfg.pending_levels_max = 400;
    cfg.pending_events_max = 16;
    return fixture_with(cfg);
}

static inline void
fixture_close(struct fixture *f)
{
    free(f->memory);
    free(f->shm);
    free(f);
}

static inline enum feed_result
say(struct fixture *f, const char *text)
{
    return feed_on_message(f->feed, (const uint8_t *)text, strlen(text), f->now, &f->out);
}

/* A depth update with levels given as JSON text. */
static inline enum feed_result
depth(struct fixture *f, const char *symbol, unsigned first, unsigned last, const char *bids, const char *asks)
{
    char text[1024];
    (void)snprintf(text, sizeof(text),
                   "{\"e\":\"depthUpdate\",\"E\":1723161255208,\"s\":\"%s\",\"U\":%u,\"u\":%u,\"b\":[%s],\"a\":[%s]}",
                   symbol, first, last, bids, asks);
    return say(f, text);
}

static inline enum feed_result
ticker(struct fixture *f, unsigned id, const char *bid, const char *bid_qty, const char *ask, const char *ask_qty)
{
    char text[512];
    (void)snprintf(text, sizeof(text),
                   "{\"stream\":\"btcusdt@bookTicker\",\"data\":{\"u\":%u,\"s\":\"BTCUSDT\",\"b\":\"%s\",\"B\":\"%s\","
                   "\"a\":\"%s\",\"A\":\"%s\"}}",
                   id, bid, bid_qty, ask, ask_qty);
    return say(f, text);
}

static inline bool
wanted(struct fixture *f, uint32_t id)
{
    uint32_t got = 0;
    bool yes = feed_snapshot_wanted(f->feed, f->now, &got);
    if (yes)
        CHECK_EQ(got, id);
    return yes;
}

/* A snapshot of n levels a side around 100.00 / 100.01, quantity 1, in slices. */
static inline void
snapshot(struct fixture *f, uint32_t id, uint64_t last_update_id, uint32_t n)
{
    struct snapshot_slice s = { .instrument = id, .last_update_id = last_update_id, .is_first = true };
    for (unsigned side = 0; side < 2; side++) {
        s.side = (uint8_t)side;
        for (uint32_t i = 0; i < n; i++) {
            s.level[s.count++] = (struct level){ side == SIDE_BUY ? 10000 - i : 10001 + i, 100000 };
            if (s.count < 3 && i + 1 < n)
                continue;
            s.is_last = side == SIDE_SELL && i + 1 == n;
            feed_on_snapshot_slice(f->feed, &s, f->now, &f->out);
            s.is_first = false;
            s.count = 0;
        }
    }
}

static inline struct fixture *
fixture_live(void)
{
    struct fixture *f = fixture_open();
    CHECK_EQ(depth(f, "BTCUSDT", 90, 95, "", ""), FEED_OK);
    CHECK(wanted(f, 5));
    snapshot(f, 5, 100, 6);
    CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
    return f;
}

/* Hand a decoded snapshot over in slices. */
static inline void
slices(struct fixture *f, uint32_t id, uint64_t last_update_id, const struct level *side[2], const uint32_t count[2])
{
    struct snapshot_slice s = { .instrument = id, .last_update_id = last_update_id, .is_first = true };
    for (unsigned k = 0; k < 2; k++) {
        for (uint32_t i = 0; i < count[k]; i++) {
            s.side = (uint8_t)k;
            s.level[s.count++] = side[k][i];
            if (s.count < SNAPSHOT_SLICE_LEVELS && i + 1 < count[k])
                continue;
            s.is_last = k == 1 && i + 1 == count[k];
            feed_on_snapshot_slice(f->feed, &s, f->now, &f->out);
            s.is_first = false;
            s.count = 0;
        }
    }
}

/* The next request, "" when there is none now. */
static inline const char *
request(struct fixture *f)
{
    static char text[512];
    bool due = feed_subscribe_due(f->feed, f->now);
    size_t n = feed_subscribe_next(f->feed, f->now, &f->out, text, sizeof(text) - 1);

    text[n] = '\0';
    CHECK_EQ(due, n > 0);
    return text;
}

static inline void
answer_to(struct fixture *f, const char *rq)
{
    char text[64];
    const char *id = strstr(rq, "\"id\":");

    CHECK(id != NULL);
    (void)snprintf(text, sizeof(text), "{\"result\":null,%s", id);
    CHECK_EQ(say(f, text), FEED_SUBSCRIBED);
}

static inline void
pass(struct fixture *f, int64_t ns)
{
    f->now.mono.ns += ns;
    (void)feed_on_timer(f->feed, f->now, &f->out);
}

#endif
