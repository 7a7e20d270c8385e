/* feed over a checked dialect: every recorded Kraken book, set against the obvious computation on the text itself. */
#include "feed/json_scan.h"
#include "tests/capture.h"
#include "tests/kraken_feed_fixture.h"

#include <dirent.h>

/* The obvious computation: levels as their text. */
struct text_level {
    char px[32];
    char qty[32];
};

struct text_book {
    struct text_level side[2][4096];
    unsigned count[2];
};

/* "12.30" against "9.5": by whole length, then digit by digit (no leading zeros, no exponents on this wire). */
static int
text_compare(const char *a, const char *b)
{
    size_t whole_a = strcspn(a, ".");
    size_t whole_b = strcspn(b, ".");
    if (whole_a != whole_b)
        return whole_a < whole_b ? -1 : 1;
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    int x = *a == '\0' ? '0' : *a;
    int y = *b == '\0' ? '0' : *b;
    return x - y;
}

static bool
text_zero(const char *q)
{
    return strspn(q, "0.") == strlen(q);
}

static void
text_set(struct text_book *b, enum side side, const struct text_level *l)
{
    struct text_level *v = b->side[side];
    unsigned at = 0;
    while (at < b->count[side] &&
           (side == SIDE_BUY ? text_compare(v[at].px, l->px) > 0 : text_compare(v[at].px, l->px) < 0))
        at++;
    bool known = at < b->count[side] && strcmp(v[at].px, l->px) == 0;
    if (text_zero(l->qty)) {
        if (known)
            memmove(v + at, v + at + 1, (--b->count[side] - at) * sizeof(*v));
    } else if (known) {
        v[at] = *l;
    } else {
        ASSERT(b->count[side] < ARRAY_LEN(b->side[0]));
        memmove(v + at + 1, v + at, (b->count[side]++ - at) * sizeof(*v));
        v[at] = *l;
    }
}

static uint32_t
crc_byte(uint32_t crc, char c)
{
    crc ^= (uint8_t)c;
    for (unsigned bit = 0; bit < 8; bit++)
        crc = (crc & 1) != 0 ? crc >> 1 ^ UINT32_C(0xEDB88320) : crc >> 1;
    return crc;
}

static uint32_t
crc_number(uint32_t crc, const char *s)
{
    s += strspn(s, "0.");
    for (; *s != '\0'; s++)
        if (*s != '.')
            crc = crc_byte(crc, *s);
    return crc;
}

static uint32_t
text_checksum(const struct text_book *b)
{
    uint32_t crc = UINT32_MAX;
    for (unsigned turn = 0; turn < 2; turn++) {
        unsigned side = turn == 0 ? SIDE_SELL : SIDE_BUY;
        for (unsigned i = 0; i < MIN(b->count[side], 10u); i++)
            crc = crc_number(crc_number(crc, b->side[side][i].px), b->side[side][i].qty);
    }
    return ~crc;
}

/* What validate.py does with a whole capture, and what we make of it. */
struct replayed {
    struct fixture *f;
    struct text_book *reference; /* by instrument */
    unsigned depth;
    unsigned checked;
    unsigned failed; /* by the obvious computation */
    unsigned our_failed;
    unsigned snapshots;
    bool sound[BOOKS_MAX]; /* every message since its snapshot was right */
};

static unsigned
fraction(const char *s)
{
    const char *point = strchr(s, '.');
    return point != NULL ? (unsigned)strlen(point + 1) : 0;
}

/* Levels of `key` in a v2 item, as text. Returns how many. */
static unsigned
v2_levels(const char *item, const char *key, struct text_level *out, unsigned max)
{
    char name[16];
    unsigned n = 0;
    (void)snprintf(name, sizeof(name), "\"%s\":[", key);
    const char *p = strstr(item, name);
    ASSERT(p != NULL);
    for (p += strlen(name); *p != ']'; p++) {
        if (strncmp(p, "\"price\":", 8) == 0) {
            ASSERT(n < max);
            (void)snprintf(out[n].px, sizeof(out[n].px), "%.*s", (int)strcspn(p + 8, ",}"), p + 8);
        } else if (strncmp(p, "\"qty\":", 6) == 0) {
            (void)snprintf(out[n].qty, sizeof(out[n].qty), "%.*s", (int)strcspn(p + 6, ",}"), p + 6);
            n++;
        }
    }
    return n;
}

static uint32_t
instrument_of(struct replayed *r, const char *symbol, const struct text_level *l)
{
    for (unsigned i = 0; i < r->f->instruments; i++)
        if (strcmp(r->f->ins[i].symbol, symbol) == 0)
            return i;
    uint32_t id = add_instrument(r->f, symbol, (uint8_t)fraction(l->px), (uint8_t)fraction(l->qty));
    return id;
}

/* Whoever recorded this subscribed now; so does the feed, again where its book is not live. */
static void
expect_snapshot(struct fixture *f, const char *symbol)
{
    char buf[256];

    f->now.mono.ns += f->cfg.retry_max_ns;
    while (strstr(request(f), "\"subscribe\"") != NULL)
        ;
    if (f->sent[0] != '\0') {
        (void)say(f, answer(true, symbol, true, buf));
        (void)request(f);
    }
}

/* One book message with these levels: the reference first, then the feed. */
static void
replay_message(struct replayed *r, const char *symbol, bool snapshot, const struct text_level *bids, unsigned bid_count,
               const struct text_level *asks, unsigned ask_count, uint32_t checksum, const char *text, size_t len)
{
    uint32_t id = instrument_of(r, symbol, bid_count > 0 ? bids : asks);
    struct text_book *b = &r->reference[id];
    if (snapshot) {
        b->count[0] = b->count[1] = 0;
        r->sound[id] = true;
        r->snapshots++;
    }
    for (unsigned i = 0; i < bid_count; i++)
        text_set(b, SIDE_BUY, &bids[i]);
    for (unsigned i = 0; i < ask_count; i++)
        text_set(b, SIDE_SELL, &asks[i]);
    for (unsigned s = 0; s < 2; s++)
        b->count[s] = MIN(b->count[s], r->depth);
    bool ok = text_checksum(b) == checksum;
    r->checked++;
    r->failed += !ok;
    r->sound[id] &= ok;
    if (snapshot) {
        expect_snapshot(r->f, symbol);
        CHECK(r->f->instruments < BOOKS_MAX);
    }
    uint64_t before = feed_counters(r->f->feed)->checksums;
    CHECK_EQ(say_bytes(r->f, text, len), FEED_OK);
    r->our_failed += feed_counters(r->f->feed)->checksums != before;
    CHECK_EQ(feed_state(r->f->feed, id) == BOOK_LIVE, r->sound[id]);
    const struct book *ours = feed_book(r->f->feed, id);
    for (unsigned s = 0; s < 2 && r->sound[id]; s++) {
        CHECK_EQ(ours->side[s].count, b->count[s]);
        for (unsigned i = 0; i < b->count[s]; i++) {
            int64_t v = 0;
            const struct level *l = book_at(ours, (enum side)s, i);
            CHECK_EQ(decimal_parse(b->side[s][i].px, strlen(b->side[s][i].px), r->f->ins[id].px_decimals, &v),
                     DECODE_OK);
            CHECK_EQ(l->px, v);
            CHECK_EQ(decimal_parse(b->side[s][i].qty, strlen(b->side[s][i].qty), r->f->ins[id].qty_decimals, &v),
                     DECODE_OK);
            CHECK_EQ(l->qty, v);
            if (i == 20)
                i = MAX(i, b->count[s] - 20); /* both ends of a deep side */
        }
    }
}

static struct replayed
replay_open(unsigned depth)
{
    struct replayed r = { .f = fixture_with(depth),
                          .reference = calloc(BOOKS_MAX, sizeof(struct text_book)),
                          .depth = depth };
    feed_on_up(r.f->feed, r.f->now, &r.f->out);
    return r;
}

static void
replay_close(struct replayed *r, const char *name)
{
    (void)fprintf(stderr, "%s: %u books, %u snapshots, %u messages checked, %u failed\n", name, r->f->instruments,
                  r->snapshots, r->checked, r->failed);
    CHECK(r->checked > 0);
    CHECK_EQ(r->our_failed > 0, r->failed > 0);
    free(r->reference);
    fixture_close(r->f);
}

/* Protocol v2, one frame per line, bare or as the value of "frame". */
static void
replay_v2(const char *name)
{
    struct capture c;
    struct replayed r;
    const char *line;
    size_t len;
    unsigned depth = 10;
    static struct text_level bids[2048];
    static struct text_level asks[2048];

    CHECK(capture_open(&c, name));
    char *text = malloc(c.len + 1);
    memcpy(text, c.text, c.len);
    text[c.len] = '\0';
    const char *at = strstr(text, "\"depth\":");
    if (at != NULL)
        depth = (unsigned)strtoul(at + 8, NULL, 10);
    r = replay_open(depth);
    while (capture_line(&c, &line, &len)) {
        char *s = text + (line - c.text);
        s[len] = '\0';
        if (strstr(s, "\"captured_at\":") != NULL || strstr(s, "\"dir\":\"tx\"") != NULL || len == 0)
            continue;
        char *frame = strstr(s, "\"frame\":");
        char *p = frame != NULL ? frame + 8 : s;
        struct json_scan j;
        struct json_text whole;
        json_init(&j, p, strlen(p));
        CHECK(json_raw(&j, &whole));
        size_t n = whole.n;
        if (strstr(p, "\"channel\":\"book\"") == NULL || strstr(p, "\"method\"") != NULL) {
            enum feed_result other = say_bytes(r.f, p, n);
            CHECK(other != FEED_BAD_MESSAGE || feed_counters(r.f->feed)->decode[DECODE_UNKNOWN_SYMBOL] > 0);
            continue;
        }
        char symbol[SYMBOL_BYTES];
        const char *sym = strstr(p, "\"symbol\":\"") + 10;
        (void)snprintf(symbol, sizeof(symbol), "%.*s", (int)strcspn(sym, "\""), sym);
        unsigned nb = v2_levels(p, "bids", bids, ARRAY_LEN(bids));
        unsigned na = v2_levels(p, "asks", asks, ARRAY_LEN(asks));
        uint32_t checksum = (uint32_t)strtoul(strstr(p, "\"checksum\":") + 11, NULL, 10);
        replay_message(&r, symbol, strstr(p, "\"type\":\"snapshot\"") != NULL, bids, nb, asks, na, checksum, p, n);
    }
    capture_close(&c);
    free(text);
    replay_close(&r, name);
}

/* Levels of `key` in a v1 part: [["px","qty","time"(,"r")],...]. */
static unsigned
v1_levels(const char *text, const char *key, struct text_level *out, unsigned max)
{
    char name[16];
    unsigned n = 0;
    (void)snprintf(name, sizeof(name), "\"%s\":[[", key);
    const char *p = strstr(text, name);
    if (p == NULL)
        return 0;
    for (p += strlen(name);;) {
        ASSERT(n < max && *p == '"');
        (void)snprintf(out[n].px, sizeof(out[n].px), "%.*s", (int)strcspn(p + 1, "\""), p + 1);
        p = strchr(p + 1, '"') + 3;
        (void)snprintf(out[n].qty, sizeof(out[n].qty), "%.*s", (int)strcspn(p, "\""), p);
        n++;
        p = strchr(p, ']') + 1;
        if (*p == ']')
            return n;
        p += 2;
    }
}

static size_t
v2_side(char *to, const char *key, const struct text_level *l, unsigned n)
{
    size_t len = (size_t)sprintf(to, "\"%s\":[", key);
    for (unsigned i = 0; i < n; i++)
        len += (size_t)sprintf(to + len, "%s{\"price\":%s,\"qty\":%s}", i > 0 ? "," : "", l[i].px, l[i].qty);
    return len + (size_t)sprintf(to + len, "],");
}

/* Protocol v1 has the same checksum over its own text, on many precisions and a thousand levels: its messages are
 * written as v2 ones. A v1 snapshot carries no checksum: it is given the one of its own levels. */
static void
replay_v1(const char *name)
{
    struct capture c;
    struct replayed r = replay_open(1000);
    const char *line;
    size_t len;
    static struct text_level bids[2048];
    static struct text_level asks[2048];
    static char text[1 << 19];
    char *copy = malloc(1 << 20);

    CHECK(capture_open(&c, name));
    while (capture_line(&c, &line, &len)) {
        const char *colon = memchr(line, ' ', len);
        if (colon == NULL || colon[1] != '[' || len > (1 << 20) - 1)
            continue;
        size_t n = len - (size_t)(colon + 1 - line);
        memcpy(copy, colon + 1, n);
        copy[n] = '\0';
        char *pair = strrchr(copy, ',') + 2;
        pair[strcspn(pair, "\"")] = '\0';
        bool snapshot = strstr(copy, "\"as\":") != NULL || strstr(copy, "\"bs\":") != NULL;
        unsigned nb = v1_levels(copy, snapshot ? "bs" : "b", bids, ARRAY_LEN(bids));
        unsigned na = v1_levels(copy, snapshot ? "as" : "a", asks, ARRAY_LEN(asks));
        const char *sum = strstr(copy, "\"c\":\"");
        uint32_t checksum = sum != NULL ? (uint32_t)strtoul(sum + 5, NULL, 10) : 0;
        if (snapshot) {
            static struct text_book whole;
            memcpy(whole.side[SIDE_BUY], bids, nb * sizeof(*bids));
            memcpy(whole.side[SIDE_SELL], asks, na * sizeof(*asks));
            whole.count[SIDE_BUY] = nb;
            whole.count[SIDE_SELL] = na;
            checksum = text_checksum(&whole);
        }
        size_t t = (size_t)sprintf(text, "{\"channel\":\"book\",\"type\":\"%s\",\"data\":[{\"symbol\":\"%s\",",
                                   snapshot ? "snapshot" : "update", pair);
        t += v2_side(text + t, "bids", bids, nb);
        t += v2_side(text + t, "asks", asks, na);
        t += (size_t)sprintf(text + t, "\"checksum\":%u,\"timestamp\":\"2021-04-17T16:48:53.000000Z\"}]}", checksum);
        replay_message(&r, pair, snapshot, bids, nb, asks, na, checksum, text, t);
    }
    capture_close(&c);
    free(copy);
    replay_close(&r, name);
}

TEST_RECORDED(recorded_books_fail_exactly_where_the_obvious_computation_does)
{
    const char *root = getenv("EXECGW_SHARED");
    char path[1024];
    unsigned files = 0;

    (void)snprintf(path, sizeof(path), "%s/data/kraken", root != NULL ? root : "");
    DIR *d = opendir(path);
    if (d == NULL)
        SKIP(CAPTURE_NONE);
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        (void)snprintf(path, sizeof(path), "kraken/%s", e->d_name);
        bool v2 = strncmp(e->d_name, "v2_book", 7) == 0;
        if (v2)
            replay_v2(path);
        else if (strncmp(e->d_name, "v1_book", 7) == 0)
            replay_v1(path);
        files += v2;
    }
    (void)closedir(d);
    CHECK(files > 0);
}

TEST_MAIN()
