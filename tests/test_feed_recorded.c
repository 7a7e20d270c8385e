/* feed: books from recorded streams, held against a book that is kept the obvious way. */
#include "feed/binance_md.h"
#include "feed/binance_ref.h"
#include "tests/capture.h"
#include "tests/feed_fixture.h"
#include "tests/naive_book.h"

#include <jansson.h>

/* Replays a recording against a reference book that also answers for the venue when the feed wants a snapshot. */
struct replay {
    struct fixture *f;
    struct naive_book ref;
    struct binance_md md; /* the reference's own decoder */
    struct md_msg msg;
    void *memory;
    uint64_t ref_id; /* 0 = the reference has no snapshot yet */
    unsigned messages;
    struct level bids[BINANCE_DEPTH_MAX];
    struct level asks[BINANCE_DEPTH_MAX];
};

static struct replay *
replay_open(const char *symbol)
{
    struct replay *r = calloc(1, sizeof(*r));
    size_t bytes = binance_md_footprint(1) + md_msg_footprint(5000);
    r->memory = aligned_alloc(64, bytes);
    struct arena arena = { .base = r->memory, .size = bytes };
    binance_md_init(&r->md, 1, &arena);
    md_msg_init(&r->msg, 5000, &arena);
    r->f = fixture_of(feed_config_default(2), symbol);
    r->f->ins[0].version = 2;
    r->f->ins[0].qty_decimals = 8; /* a recorded resting order has more decimals than the step */
    CHECK(feed_add_instrument(r->f->feed, &r->f->ins[0], r->f->now, &r->f->out));
    CHECK(binance_md_add(&r->md, &r->f->ins[0], 0));
    return r;
}

static void
replay_close(struct replay *r)
{
    fixture_close(r->f);
    free(r->memory);
    free(r);
}

static void
replay_snapshot(struct replay *r, const char *text, size_t len)
{
    struct binance_depth d;
    CHECK_EQ(binance_ref_depth(text, len, 2, 8, r->bids, r->asks, BINANCE_DEPTH_MAX, &d), DECODE_OK);
    const struct level *side[2] = { r->bids, r->asks };
    const uint32_t count[2] = { d.bid_count, d.ask_count };
    for (unsigned s = 0; s < 2; s++) {
        for (uint32_t i = 0; i < count[s]; i++)
            naive_set(&r->ref, (enum side)s, side[s][i].px, side[s][i].qty);
    }
    r->ref_id = d.last_update_id;
    slices(r->f, 5, d.last_update_id, side, count);
    CHECK_EQ(feed_state(r->f->feed, 5), BOOK_LIVE);
    /* The reference joins what the feed had buffered: its book is the feed's. */
    const struct book *b = feed_book(r->f->feed, 5);
    for (unsigned s = 0; s < 2; s++) {
        const struct level *l;
        r->ref.count[s] = 0;
        for (uint32_t i = 0; (l = book_at(b, (enum side)s, i)) != NULL; i++)
            naive_set(&r->ref, (enum side)s, l->px, l->qty);
    }
    r->ref_id = feed_md_ref(r->f->feed, 5)->tob.venue_seq;
}

/* The feed asks again: the reference's best levels. */
static void
replay_answer(struct replay *r)
{
    naive_sort(&r->ref);
    const struct level *side[2] = { r->ref.level[0], r->ref.level[1] };
    uint32_t limit = r->f->cfg.snapshot_limit;
    const uint32_t count[2] = { MIN(r->ref.count[0], limit), MIN(r->ref.count[1], limit) };
    slices(r->f, 5, r->ref_id, side, count);
    CHECK_EQ(feed_state(r->f->feed, 5), BOOK_LIVE);
}

static void
replay_message(struct replay *r, const char *text, size_t len)
{
    struct fixture *f = r->f;
    uint32_t id;

    r->messages++;
    if (feed_on_message(f->feed, (const uint8_t *)text, len, f->now, &f->out) != FEED_OK)
        fail_msg("message %u: %.*s", r->messages, (int)len, text);
    CHECK_EQ(binance_md_decode(&r->md, (const uint8_t *)text, len, &r->msg), DECODE_OK);
    if (r->msg.kind == MD_MSG_DEPTH && r->ref_id != 0) {
        for (uint32_t i = 0; i < r->msg.bid_count; i++)
            naive_set(&r->ref, SIDE_BUY, r->msg.bids[i].px, r->msg.bids[i].qty);
        for (uint32_t i = 0; i < r->msg.ask_count; i++)
            naive_set(&r->ref, SIDE_SELL, r->msg.asks[i].px, r->msg.asks[i].qty);
        r->ref_id = r->msg.last_id;
    }
    if (feed_snapshot_wanted(f->feed, f->now, &id) && r->ref_id != 0)
        replay_answer(r);
}

static void
replay_file(struct replay *r, struct capture *c)
{
    const char *line;
    size_t len;

    while (capture_line(c, &line, &len)) {
        const char *text = (const char *)memchr(line, ' ', len) + 1;
        r->f->now.mono.ns = strtoll(line, NULL, 10) - INT64_C(1723161253000000000);
        len -= (size_t)(text - line);
        if (memcmp(text, "{\"lastUpdateId", 14) == 0)
            replay_snapshot(r, text, len);
        else
            replay_message(r, text, len);
    }
}

/* Within its edge the feed's book is the reference, level by level. */
static void
check_levels(const struct book *b, struct naive_book *ref)
{
    naive_sort(ref);
    for (unsigned s = 0; s < 2; s++) {
        const struct level *l;
        uint32_t i = 0;
        for (; (l = book_at(b, (enum side)s, i)) != NULL; i++) {
            CHECK(i < ref->count[s]);
            CHECK_EQ(l->px, ref->level[s][i].px);
            CHECK_EQ(l->qty, ref->level[s][i].qty);
        }
        const struct book_side *side = &b->side[s];
        if (i < ref->count[s])
            CHECK(side->edged && (s == SIDE_BUY ? ref->level[s][i].px < side->edge : ref->level[s][i].px > side->edge));
    }
}

TEST_RECORDED(recorded_spot_streams_replay_without_gap_and_agree_with_book_ticker)
{
    struct capture c[2];

    if (!capture_open(&c[0], "binance/spot_btcusdt_20240808.ns_json.zst") ||
        !capture_open(&c[1], "binance/spot_btcusdt_20240809.ns_json.zst"))
        SKIP(CAPTURE_NONE);
    struct replay *r = replay_open("BTCUSDT");
    const struct feed_counters *n = feed_counters(r->f->feed);
    replay_file(r, &c[0]);
    CHECK_EQ(n->compare_equal, 3448);
    CHECK_EQ(n->compare_unequal, 0);
    check_levels(feed_book(r->f->feed, 5), &r->ref);
    replay_file(r, &c[1]);
    /* The second recording brings no snapshot and falls below what the first one's 1000 levels seeded (61631.55). Two
     * resting levels down there were never sent: the comparison must find both. */
    CHECK_EQ(n->compare_equal, 3448 + 3042);
    CHECK_EQ(n->compare_unequal, 2);
    CHECK_EQ(feed_state(r->f->feed, 5), BOOK_LIVE);
    CHECK_EQ(n->decode[DECODE_OK], r->messages);
    CHECK_EQ(r->messages, 41249 - 1 + 58325);
    CHECK_EQ(n->gaps + n->crossed + n->shallow + n->trade_gaps + n->ticker_crossed + n->lags + n->duplicates, 0);
    CHECK(n->resyncs > 1); /* the touch went below what the snapshot seeded; it was seeded again in time */
    check_levels(feed_book(r->f->feed, 5), &r->ref);
    capture_close(&c[0]);
    capture_close(&c[1]);
    replay_close(r);
}

TEST_RECORDED(recorded_futures_streams_replay_without_gap_and_agree_with_book_ticker)
{
    static const struct {
        const char *file;
        const char *symbol;
        unsigned messages;
        unsigned equal;
        unsigned shallow; /* an update that goes below what the snapshot seeded: seeded again, and not compared */
    } row[] = {
        { "binance/usdm_btcusdt_20240808.ns_json.zst", "BTCUSDT", 93954, 6545 - 1, 1 },
        { "binance/usdm_ethusdt_20240808.ns_json.zst", "ETHUSDT", 74655, 6579, 0 },
        { "binance/coinm_ethusd_perp_20240808.ns_json.zst", "ETHUSD_PERP", 40454, 22885, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        struct capture c;
        if (!capture_open(&c, row[i].file))
            SKIP(CAPTURE_NONE);
        struct replay *r = replay_open(row[i].symbol);
        const struct feed_counters *n = feed_counters(r->f->feed);
        replay_file(r, &c);
        CHECK_EQ(r->messages + 1, row[i].messages);
        CHECK_EQ(n->compare_unequal, 0);
        CHECK_EQ(n->compare_equal, row[i].equal);
        CHECK_EQ(feed_state(r->f->feed, 5), BOOK_LIVE);
        CHECK_EQ(n->decode[DECODE_OK], r->messages);
        CHECK_EQ(n->shallow, row[i].shallow);
        CHECK_EQ(n->gaps + n->crossed + n->trade_gaps + n->ticker_crossed + n->lags + n->duplicates, 0);
        check_levels(feed_book(r->f->feed, 5), &r->ref);
        capture_close(&c);
        replay_close(r);
    }
}

/* The second day brings no snapshot and continues the first without a hole. */
TEST_RECORDED(a_recorded_futures_stream_goes_on_over_two_days)
{
    struct capture c[2];

    if (!capture_open(&c[0], "binance/coinm_ethusd_perp_20240808.ns_json.zst") ||
        !capture_open(&c[1], "binance/coinm_ethusd_perp_20240809.ns_json.zst"))
        SKIP(CAPTURE_NONE);
    struct replay *r = replay_open("ETHUSD_PERP");
    const struct feed_counters *n = feed_counters(r->f->feed);
    replay_file(r, &c[0]);
    uint64_t equal = n->compare_equal;
    replay_file(r, &c[1]);
    CHECK_EQ(r->messages, 40454 - 1 + 37860);
    CHECK(n->compare_equal > equal);
    CHECK_EQ(n->compare_unequal, 0);
    CHECK_EQ(feed_state(r->f->feed, 5), BOOK_LIVE);
    CHECK_EQ(n->decode[DECODE_OK], r->messages);
    CHECK_EQ(n->gaps + n->crossed + n->shallow + n->trade_gaps + n->ticker_crossed + n->lags + n->duplicates, 0);
    check_levels(feed_book(r->f->feed, 5), &r->ref);
    capture_close(&c[0]);
    capture_close(&c[1]);
    replay_close(r);
}

/* Without a snapshot a book is never live, whatever else comes. */
TEST_RECORDED(a_recorded_stream_without_a_snapshot_makes_no_book)
{
    static const char *const row[][2] = { { "binance/spot_btcusdt_20240809.ns_json.zst", "BTCUSDT" },
                                          { "binance/coinm_ethusd_perp_20240809.ns_json.zst", "ETHUSD_PERP" } };

    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        struct capture c;
        if (!capture_open(&c, row[i][0]))
            SKIP(CAPTURE_NONE);
        struct replay *r = replay_open(row[i][1]);
        const struct feed_counters *n = feed_counters(r->f->feed);
        replay_file(r, &c);
        CHECK(r->messages > 30000);
        CHECK_EQ(n->decode[DECODE_OK], r->messages);
        CHECK_EQ(feed_md_ref(r->f->feed, 5)->good.recv_ns, 0);
        CHECK(feed_state(r->f->feed, 5) != BOOK_LIVE);
        CHECK_EQ(n->gaps + n->trade_gaps + n->ticker_crossed + n->duplicates, 0);
        capture_close(&c);
        replay_close(r);
    }
}

/* ---- many symbols over one connection ---- */

#define MANY 10

/* One symbol: its recorded snapshot, when that came, and the book that the recording makes, kept by another reader. */
struct symbol_replay {
    struct instrument ins;
    json_t *snapshot;
    int64_t at_ns;
    uint64_t id; /* of the last update in ref; 0 = no snapshot yet */
    struct naive_book ref;
};

struct many {
    void *memory;
    struct feed *feed;
    struct md_out out;
    struct now now;
    unsigned count;
    uint32_t asked; /* the snapshot on its way; UINT32_MAX none */
    unsigned messages;
    struct symbol_replay symbol[MANY];
    struct level level[2][BINANCE_DEPTH_MAX];
};

/* A decimal of at most `decimals` places that count, exactly. */
static int64_t
units(const char *text, unsigned decimals)
{
    const char *point = strchr(text, '.');
    int64_t v = strtoll(text, NULL, 10);

    for (unsigned i = 0; i < decimals; i++)
        v = v * 10 + (point != NULL && point[1] != '\0' ? *++point - '0' : 0);
    for (; point != NULL && point[1] != '\0'; point++)
        CHECK_EQ(point[1], '0');
    return v;
}

/* Unix seconds with some digits behind the point. */
static int64_t
stamp_ns(const char *text)
{
    char *end;
    int64_t ns = strtoll(text, &end, 10) * NS_PER_S;

    for (int64_t unit = NS_PER_S / 10; *end++ != '\0' && *end >= '0' && *end <= '9'; unit /= 10)
        ns += (*end - '0') * unit;
    return ns;
}

static uint32_t
side_of(const json_t *levels, const struct instrument *ins, struct level *to)
{
    uint32_t n = (uint32_t)json_array_size(levels);

    for (uint32_t i = 0; i < n; i++) {
        const json_t *l = json_array_get(levels, i);
        to[i].px = units(json_string_value(json_array_get(l, 0)), ins->px_decimals);
        to[i].qty = units(json_string_value(json_array_get(l, 1)), ins->qty_decimals);
    }
    return n;
}

static void
ref_apply(struct many *m, struct symbol_replay *s, const json_t *bids, const json_t *asks)
{
    const json_t *from[2] = { bids, asks };

    for (unsigned k = 0; k < 2; k++) {
        uint32_t n = side_of(from[k], &s->ins, m->level[k]);
        for (uint32_t i = 0; i < n; i++)
            naive_set(&s->ref, (enum side)k, m->level[k][i].px, m->level[k][i].qty);
    }
}

/* Snapshots and their times, in the order in which they came. */
static void
many_snapshots(struct many *m, const char *name)
{
    struct capture c;
    const char *line;
    size_t len;

    CHECK(capture_open(&c, name));
    while (capture_line(&c, &line, &len)) {
        const char *symbol = memmem(line, len, "depth?symbol=", 13);
        if (symbol == NULL)
            continue;
        ASSERT(m->count < MANY);
        struct symbol_replay *s = &m->symbol[m->count];
        symbol += 13;
        s->ins = instrument_of(m->count++, "");
        s->ins.px_decimals = s->ins.qty_decimals = 8;
        (void)snprintf(s->ins.symbol, sizeof(s->ins.symbol), "%.*s", (int)strcspn(symbol, "&"), symbol);
        const char *at = (const char *)memmem(symbol, len - (size_t)(symbol - line), " -> ", 4) + 4;
        s->at_ns = stamp_ns(at);
        const char *body = memchr(at, '{', len - (size_t)(at - line));
        s->snapshot = json_loadb(body, len - (size_t)(body - line), 0, NULL);
        CHECK(s->snapshot != NULL);
    }
    capture_close(&c);
}

static void
many_answer(struct many *m)
{
    struct symbol_replay *s = &m->symbol[m->asked];
    struct snapshot_slice slice = { .instrument = m->asked, .is_first = true };

    slice.last_update_id = (uint64_t)json_integer_value(json_object_get(s->snapshot, "lastUpdateId"));
    for (unsigned k = 0; k < 2; k++) {
        uint32_t n = side_of(json_object_get(s->snapshot, k == 0 ? "bids" : "asks"), &s->ins, m->level[k]);
        for (uint32_t i = 0; i < n; i++) {
            slice.side = (uint8_t)k;
            slice.level[slice.count++] = m->level[k][i];
            if (slice.count < SNAPSHOT_SLICE_LEVELS && i + 1 < n)
                continue;
            slice.is_last = k == 1 && i + 1 == n;
            feed_on_snapshot_slice(m->feed, &slice, m->now, &m->out);
            slice.is_first = false;
            slice.count = 0;
        }
    }
    while (feed_work(m->feed, m->now, &m->out)) {
    }
    m->asked = UINT32_MAX;
}

static void
many_ask(struct many *m)
{
    uint32_t id;

    while (m->asked == UINT32_MAX && feed_snapshot_wanted(m->feed, m->now, &id)) {
        m->asked = id;
        if (m->symbol[id].at_ns <= m->now.wall.ns)
            many_answer(m);
    }
    if (m->asked != UINT32_MAX && m->symbol[m->asked].at_ns <= m->now.wall.ns)
        many_answer(m);
}

/* What the recording says of one symbol's book, read by itself. */
static void
many_ref(struct many *m, const char *text, size_t len)
{
    json_t *whole = json_loadb(text, len, 0, NULL);
    const json_t *d = json_object_get(whole, "data");
    const char *symbol = json_string_value(json_object_get(d, "s"));

    CHECK(whole != NULL && symbol != NULL);
    for (unsigned i = 0; i < m->count && strstr(text, "@depth") != NULL; i++) {
        struct symbol_replay *s = &m->symbol[i];
        uint64_t last = (uint64_t)json_integer_value(json_object_get(d, "u"));
        if (strcmp(symbol, s->ins.symbol) != 0)
            continue;
        if (s->id == 0) {
            ref_apply(m, s, json_object_get(s->snapshot, "bids"), json_object_get(s->snapshot, "asks"));
            s->id = (uint64_t)json_integer_value(json_object_get(s->snapshot, "lastUpdateId"));
        }
        if (last > s->id) {
            CHECK((uint64_t)json_integer_value(json_object_get(d, "U")) <= s->id + 1);
            ref_apply(m, s, json_object_get(d, "b"), json_object_get(d, "a"));
            s->id = last;
        }
    }
    json_decref(whole);
}

static void
many_file(struct many *m, struct capture *c)
{
    const char *line;
    size_t len;

    while (capture_line(c, &line, &len)) {
        static char text[65536];
        const char *from = memchr(line, ' ', len);
        if (from == NULL || *line < '0' || *line > '9')
            continue; /* the recorder's own lines */
        len -= (size_t)(++from - line);
        ASSERT(len < sizeof(text));
        memcpy(text, from, len);
        text[len] = '\0';
        m->now.wall.ns = stamp_ns(line);
        m->now.mono.ns = m->now.wall.ns - INT64_C(1600000000000000000);
        m->messages++;
        many_ask(m);
        if (feed_on_message(m->feed, (const uint8_t *)text, len, m->now, &m->out) != FEED_OK)
            fail_msg("message %u: %s", m->messages, text);
        many_ref(m, text, len);
        many_ask(m);
        (void)feed_on_timer(m->feed, m->now, &m->out);
    }
}

static struct many *
many_open(const char *http, const char *rules)
{
    struct many *m = calloc(1, sizeof(*m));
    struct feed_config cfg = feed_config_default(MANY);
    struct fault fault;
    size_t bytes = feed_footprint(&cfg);

    m->memory = aligned_alloc(64, bytes);
    struct arena arena = { .base = m->memory, .size = bytes };
    m->feed = feed_init(&cfg, &arena, &fault);
    m->asked = UINT32_MAX;
    CHECK(m->feed != NULL);
    many_snapshots(m, http);
    for (unsigned i = 0; i < m->count; i++) {
        struct symbol_replay *s = &m->symbol[i];
        const char *name = s->ins.symbol;
        struct capture c;
        struct binance_limits limits;
        struct instrument real;
        const char *line;
        size_t len;
        if (rules != NULL && capture_open(&c, rules)) { /* the decimals that the venue's own rules give */
            CHECK(capture_line(&c, &line, &len));
            const char *text = memchr(line, '{', len);
            if (!binance_ref_exchange_info(text, len - (size_t)(text - line), &name, 1, &real, &limits, &fault))
                fail_msg("%s", fault.text);
            s->ins.px_decimals = real.px_decimals;
            s->ins.qty_decimals = real.qty_decimals;
            capture_close(&c);
        }
        CHECK(feed_add_instrument(m->feed, &s->ins, m->now, &m->out));
    }
    feed_on_up(m->feed, m->now, &m->out);
    return m;
}

TEST_RECORDED(recorded_streams_of_many_symbols_join_their_recorded_snapshots)
{
    static const struct {
        const char *ws;
        const char *http;
        const char *rules;
        unsigned symbols;
        unsigned messages;
    } row[] = {
        { "binance/cf_20210417_10sym.ws.zst", "binance/cf_20210417_10sym.http.zst", NULL, 10, 1228 },
        { "binance/cf_20211012_4sym.ws.zst", "binance/cf_20211012_4sym.http.zst", NULL, 4, 265 },
        { "binance/cf_20211012_4sym.ws.zst", "binance/cf_20211012_4sym.http.zst",
          "binance/cf_20211012_exchangeInfo.http.zst", 4, 265 },
    };

    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        struct capture c;
        if (!capture_open(&c, row[i].ws))
            SKIP(CAPTURE_NONE);
        struct many *m = many_open(row[i].http, row[i].rules);
        const struct feed_counters *n = feed_counters(m->feed);
        many_file(m, &c);
        CHECK_EQ(m->count, row[i].symbols);
        CHECK_EQ(m->messages, row[i].messages);
        for (unsigned k = 0; k < m->count; k++) {
            CHECK_EQ(feed_state(m->feed, k), BOOK_LIVE);
            CHECK_EQ(feed_md_ref(m->feed, k)->tob.venue_seq >= m->symbol[k].id, true);
            check_levels(feed_book(m->feed, k), &m->symbol[k].ref);
            json_decref(m->symbol[k].snapshot);
        }
        CHECK_EQ(n->resyncs, m->count); /* each joined once, at its first snapshot */
        CHECK_EQ(n->compare_unequal, 0);
        CHECK(n->compare_equal > 0);
        CHECK_EQ(n->gaps + n->crossed + n->locked + n->shallow + n->ticker_crossed + n->lags + n->ticker_silent, 0);
        CHECK_EQ(n->snapshot_failures, 0);
        capture_close(&c);
        free(m->memory);
        free(m);
    }
}

TEST_MAIN()
