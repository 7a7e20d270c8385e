/* A feed over Kraken's dialect for tests: what is said to it, what it asks, and a clock that the test moves. */
#ifndef EXECGW_TESTS_KRAKEN_FEED_FIXTURE_H
#define EXECGW_TESTS_KRAKEN_FEED_FIXTURE_H

#include "feed/feed.h"
#include "feed/kraken_md.h"
#include "tests/test.h"

#define EVENTS_MAX 8192
#define BOOKS_MAX  64

struct fixture {
    void *memory;
    struct feed *feed;
    struct feed_config cfg;
    struct instrument ins[BOOKS_MAX];
    unsigned instruments;
    struct md_out out;
    struct now now;
    struct crc32 crc;
    struct md_event event[EVENTS_MAX];
    unsigned events;
    char sent[512];
};

static inline void
keep_event(void *ctx, const struct md_event *ev)
{
    struct fixture *f = ctx;
    if (f->events < EVENTS_MAX)
        f->event[f->events++] = *ev;
}

static inline uint32_t
add_instrument(struct fixture *f, const char *symbol, uint8_t px_decimals, uint8_t qty_decimals)
{
    uint32_t id = f->instruments++;
    struct instrument *i = &f->ins[id];
    *i = (struct instrument){
        .id = id, .version = 1, .px_decimals = px_decimals, .qty_decimals = qty_decimals, .tick = 1, .step = 1
    };
    (void)snprintf(i->symbol, sizeof(i->symbol), "%.23s", symbol);
    CHECK(feed_add_instrument(f->feed, i, f->now, &f->out));
    return id;
}

static inline struct fixture *
fixture_with(uint32_t depth)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct fault fault;
    f->cfg = feed_config_checked(&feed_kraken, BOOKS_MAX, depth);
    size_t bytes = feed_footprint(&f->cfg);
    f->memory = aligned_alloc(64, bytes);
    struct arena arena = { .base = f->memory, .size = bytes };
    f->feed = feed_init(&f->cfg, &arena, &fault);
    CHECK(f->feed != NULL);
    CHECK_EQ(arena.used, arena.size);
    f->out = (struct md_out){ .on_event = keep_event, .ctx = f };
    f->now = (struct now){ { NS_PER_S }, { INT64_C(1786923431000000000) } }; /* 2026-08-16T23:37:11Z */
    crc32_init(&f->crc);
    return f;
}

static inline void
fixture_close(struct fixture *f)
{
    free(f->memory);
    free(f);
}

static inline enum feed_result
say_bytes(struct fixture *f, const char *text, size_t n)
{
    return feed_on_message(f->feed, (const uint8_t *)text, n, f->now, &f->out);
}

static inline enum feed_result
say(struct fixture *f, const char *text)
{
    return say_bytes(f, text, strlen(text));
}

/* The next request, "" when there is none now. */
static inline const char *
request(struct fixture *f)
{
    bool due = feed_subscribe_due(f->feed, f->now);
    size_t n = feed_subscribe_next(f->feed, f->now, &f->out, f->sent, sizeof(f->sent) - 1);
    f->sent[n] = '\0';
    CHECK_EQ(due, n > 0);
    return f->sent;
}

static inline void
pass(struct fixture *f, int64_t ns)
{
    f->now.mono.ns += ns;
    (void)feed_on_timer(f->feed, f->now, &f->out);
}

#define BEGINS(text, with) CHECK(strncmp((text), (with), strlen(with)) == 0)

/* A book message of a small book: bid 99.0 x bid_qty, ask 101.0 x ask_qty, with a right checksum or a wrong one. The
 * levels sent are what `side` says. */
static inline enum feed_result
book_at_second(struct fixture *f, const char *symbol, const char *type, unsigned bid_qty, unsigned ask_qty, bool right,
               unsigned second)
{
    char text[512];
    char sum[64];
    int n = snprintf(sum, sizeof(sum), "1010%u990%u", ask_qty, bid_qty);
    (void)snprintf(
        text, sizeof(text),
        "{\"channel\":\"book\",\"type\":\"%s\",\"data\":[{\"symbol\":\"%s\",\"bids\":[{\"price\":99.0,\"qty\":"
        "0.%04u}],\"asks\":[{\"price\":101.0,\"qty\":0.%04u}],\"checksum\":%u,\"timestamp\":"
        "\"2026-08-16T23:37:%02u.376419Z\"}]}",
        type, symbol, bid_qty, ask_qty, crc32_of(&f->crc, sum, (size_t)n) ^ !right, second);
    return say(f, text);
}

static inline enum feed_result
book(struct fixture *f, const char *symbol, const char *type, unsigned bid_qty, unsigned ask_qty, bool right)
{
    return book_at_second(f, symbol, type, bid_qty, ask_qty, right, 5);
}

/* Yes, to both symbols. */
static inline void
accept_both(struct fixture *f, const char *channel, int id)
{
    char text[256];

    for (unsigned i = 0; i < 2; i++) {
        (void)snprintf(text, sizeof(text),
                       "{\"method\":\"subscribe\",\"result\":{\"channel\":\"%s\",\"symbol\":\"%s\"},\"success\":true,"
                       "\"req_id\":%d}",
                       channel, f->ins[i].symbol, id);
        CHECK_EQ(say(f, text), FEED_SUBSCRIBED);
    }
}

/* Both subscribed; nothing is answered. */
static inline struct fixture *
fixture_asked(void)
{
    struct fixture *f = fixture_with(10);
    (void)add_instrument(f, "BTC/USD", 1, 4);
    (void)add_instrument(f, "ETH/USD", 1, 4);
    feed_on_up(f->feed, f->now, &f->out);
    BEGINS(request(f),
           "{\"method\":\"subscribe\",\"params\":{\"channel\":\"book\",\"symbol\":[\"BTC/USD\",\"ETH/USD\"]");
    BEGINS(request(f),
           "{\"method\":\"subscribe\",\"params\":{\"channel\":\"trade\",\"symbol\":[\"BTC/USD\",\"ETH/USD\"]");
    CHECK_STR(request(f), "");
    return f;
}

static inline struct fixture *
fixture_open(void)
{
    struct fixture *f = fixture_asked();
    accept_both(f, "book", 1);
    accept_both(f, "trade", 2);
    return f;
}

static inline struct fixture *
fixture_live(void)
{
    struct fixture *f = fixture_open();
    CHECK_EQ(book(f, "BTC/USD", "snapshot", 5, 7, true), FEED_OK);
    CHECK_EQ(book(f, "ETH/USD", "snapshot", 5, 7, true), FEED_OK);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
    CHECK_EQ(feed_state(f->feed, 1), BOOK_LIVE);
    return f;
}

static inline const char *
answer(bool off, const char *symbol, bool success, char buf[256])
{
    (void)snprintf(
        buf, 256,
        "{\"method\":\"%s\",%s\"result\":{\"channel\":\"book\",\"depth\":10,\"symbol\":\"%s\"},\"success\":%s}",
        off ? "unsubscribe" : "subscribe", success ? "" : "\"error\":\"no\",", symbol, success ? "true" : "false");
    return buf;
}

#endif
