/* A feed over several connections, with invented streams: which link says what, what came out, when. */
#ifndef EXECGW_TESTS_FEED_LINKS_RIG_H
#define EXECGW_TESTS_FEED_LINKS_RIG_H

#include "feed/crc32.h"
#include "feed/feed.h"
#include "tests/test.h"

#define RIG_EVENTS 4096

struct links_rig {
    void *memory;
    struct feed *feed;
    struct feed_config cfg;
    struct instrument ins[8];
    struct md_out out;
    struct now now;
    struct crc32 crc;
    uint32_t event_count;
    struct md_event event[RIG_EVENTS];
    uint32_t invalid; /* times that a book left BOOK_LIVE */
    uint32_t leads[FEED_COPIES_MAX];
    int64_t lead_ns;
    char sent[4096];
};

static inline void
rig_event(void *ctx, const struct md_event *ev)
{
    struct links_rig *r = ctx;
    r->event[r->event_count++ % RIG_EVENTS] = *ev;
    r->invalid += ev->kind == MD_STATE && ev->state != BOOK_LIVE;
}

static inline void
rig_lead(void *ctx, unsigned copy, int64_t lead_ns)
{
    struct links_rig *r = ctx;
    r->leads[copy]++;
    r->lead_ns = lead_ns;
}

static inline struct links_rig *
rig_open(struct feed_config cfg, const char *const *symbols, uint32_t count)
{
    struct links_rig *r = calloc(1, sizeof(*r));
    struct fault fault;
    size_t bytes = feed_footprint(&cfg);

    ASSERT(count <= ARRAY_LEN(r->ins));
    r->cfg = cfg;
    r->memory = aligned_alloc(64, bytes);
    struct arena arena = { .base = r->memory, .size = bytes };
    r->feed = feed_init(&cfg, &arena, &fault);
    CHECK(r->feed != NULL);
    CHECK_EQ(arena.used, arena.size);
    r->out = (struct md_out){ .on_event = rig_event, .on_lead = rig_lead, .ctx = r };
    r->now = (struct now){ { NS_PER_S }, { NS_PER_S } };
    crc32_init(&r->crc);
    for (uint32_t i = 0; i < count; i++) {
        r->ins[i] =
            (struct instrument){ .id = i, .version = 1, .px_decimals = 2, .qty_decimals = 5, .tick = 1, .step = 1 };
        (void)snprintf(r->ins[i].symbol, sizeof(r->ins[i].symbol), "%s", symbols[i]);
        CHECK(feed_add_instrument(r->feed, &r->ins[i], r->now, &r->out));
    }
    return r;
}

static inline void
rig_close(struct links_rig *r)
{
    free(r->memory);
    free(r);
}

static inline void
rig_pass(struct links_rig *r, int64_t ns)
{
    r->now.mono.ns += ns;
    r->now.wall.ns += ns;
    (void)feed_on_timer(r->feed, r->now, &r->out);
}

static inline enum feed_result
rig_say(struct links_rig *r, uint32_t link, const char *text)
{
    return feed_link_message(r->feed, link, (const uint8_t *)text, strlen(text), r->now, &r->out);
}

/* The next request of a link, "" when there is none now. */
static inline const char *
rig_request(struct links_rig *r, uint32_t link)
{
    bool due = feed_link_due(r->feed, link, r->now);
    size_t n = feed_link_request(r->feed, link, r->now, &r->out, r->sent, sizeof(r->sent) - 1);
    r->sent[n] = '\0';
    CHECK_EQ(due, n > 0);
    return r->sent;
}

/* The id of a Binance request. */
static inline int
rig_id(const char *request)
{
    const char *at = strstr(request, "\"id\":");
    CHECK(at != NULL);
    return atoi(at + 5);
}

static inline void
rig_answer(struct links_rig *r, uint32_t link, int id, bool ok)
{
    char text[128];
    if (ok)
        (void)snprintf(text, sizeof(text), "{\"result\":null,\"id\":%d}", id);
    else
        (void)snprintf(text, sizeof(text), "{\"code\":2,\"msg\":\"Invalid request: no such stream\",\"id\":%d}", id);
    CHECK_EQ(rig_say(r, link, text), ok ? FEED_SUBSCRIBED : FEED_REFUSED);
}

/* Kraken's: yes, to each symbol of the request that was sent last. */
static inline void
rig_answer_each(struct links_rig *r, uint32_t link)
{
    char text[256];
    const char *id = strstr(r->sent, "\"req_id\":");
    const char *channel = strstr(r->sent, "\"book\"") != NULL ? "book" : "trade";

    CHECK(id != NULL);
    for (uint32_t i = 0; i < ARRAY_LEN(r->ins) && r->ins[i].version != 0; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "\"%.23s\"", r->ins[i].symbol);
        if (strstr(r->sent, name) == NULL)
            continue;
        (void)snprintf(text, sizeof(text),
                       "{\"method\":\"subscribe\",\"result\":{\"channel\":\"%s\",\"symbol\":%s},\"success\":true,%s",
                       channel, name, id);
        CHECK_EQ(rig_say(r, link, text), FEED_SUBSCRIBED);
    }
}

/* Up, and every request answered with yes. */
static inline void
rig_up(struct links_rig *r, uint32_t link)
{
    feed_link_up(r->feed, link, r->now, &r->out);
    while (rig_request(r, link)[0] != '\0')
        if (r->cfg.dialect->checked)
            rig_answer_each(r, link);
        else
            rig_answer(r, link, rig_id(r->sent), true);
}

/* A depth update whose level says which one it is: 90.00 + id % 8 cents has id as quantity. */
static inline enum feed_result
rig_depth(struct links_rig *r, uint32_t link, uint32_t ins, unsigned first, unsigned last)
{
    char levels[512] = "";
    char text[1024];
    size_t n = 0;
    for (unsigned id = first; id <= last; id++)
        n += (size_t)snprintf(levels + n, sizeof(levels) - n, "%s[\"90.0%u\",\"%u.0\"]", id > first ? "," : "", id % 8,
                              id);
    (void)snprintf(text, sizeof(text),
                   "{\"e\":\"depthUpdate\",\"E\":1723161255208,\"s\":\"%s\",\"U\":%u,\"u\":%u,\"b\":[%s],\"a\":[]}",
                   r->ins[ins].symbol, first, last, levels);
    return rig_say(r, link, text);
}

static inline enum feed_result
rig_trade(struct links_rig *r, uint32_t link, uint32_t ins, unsigned id)
{
    char text[512];
    (void)snprintf(text, sizeof(text),
                   "{\"e\":\"trade\",\"E\":1723161255208,\"s\":\"%s\",\"t\":%u,\"p\":\"100.00\",\"q\":\"1.0\",\"T\":"
                   "1723161255208,\"m\":true,\"M\":true}",
                   r->ins[ins].symbol, id);
    return rig_say(r, link, text);
}

/* The snapshot that is wanted comes: bids from 100.00 down, asks from 100.01 up; fewer than the limit, so known to the
 * end. */
static inline void
rig_snapshot(struct links_rig *r, unsigned last_id)
{
    uint32_t ins = 0;
    CHECK(feed_snapshot_wanted(r->feed, r->now, &ins));
    for (unsigned side = 0; side < 2; side++) {
        struct snapshot_slice s = { .instrument = ins,
                                    .last_update_id = last_id,
                                    .is_first = side == 0,
                                    .is_last = side == 1,
                                    .side = (uint8_t)side,
                                    .count = 7 };
        for (int i = 0; i < 7; i++)
            s.level[i] = (struct level){ side == 0 ? 10000 - i : 10001 + i, 100000 };
        feed_on_snapshot_slice(r->feed, &s, r->now, &r->out);
    }
    while (feed_work(r->feed, r->now, &r->out)) {
    }
    CHECK_EQ(feed_state(r->feed, ins), BOOK_LIVE);
}

/* The update that set a level last, by its quantity. */
static inline unsigned
rig_level(const struct links_rig *r, uint32_t ins, unsigned id)
{
    const struct book *b = feed_book(r->feed, ins);
    for (const struct level *l = book_touch(b, SIDE_BUY); l != NULL; l = book_worse(b, SIDE_BUY, l))
        if (l->px == 9000 + (px_t)(id % 8))
            return (unsigned)(l->qty / 100000);
    return 0;
}

/* Times that the level of this update was published. */
static inline unsigned
rig_published(const struct links_rig *r, unsigned id)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < MIN(r->event_count, RIG_EVENTS); i++)
        n += r->event[i].kind == MD_LEVEL && r->event[i].level.qty == (qty_t)id * 100000 &&
             r->event[i].side == SIDE_BUY && r->event[i].level.px == 9000 + (px_t)(id % 8);
    return n;
}

static inline unsigned
rig_trades(const struct links_rig *r, unsigned id)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < MIN(r->event_count, RIG_EVENTS); i++)
        n += r->event[i].kind == MD_TRADE && r->event[i].level.trade_id == (int64_t)id;
    return n;
}

#endif
