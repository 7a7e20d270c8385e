/* Kraken Spot market data: see kraken_md.h.
 *
 * Two readers of a book message: the fast one knows its text and gives up at the first byte that differs; the general
 * one starts again on json_scan and names what is wrong. Both must agree wherever the fast one succeeds. */
#include "feed/kraken_md.h"
#include "execgw/rfc3339.h"
#include "feed/json_scan.h"
#include "feed/md_symbol.h"

/* ---- symbol table ---- */

static inline struct kraken_symbol *
symbol_slot(const struct kraken_md *d, const struct symbol_words *w)
{
    uint32_t i = symbol_hash(w) & d->mask;

    while (d->table[i].symbol_len != 0 && memcmp(d->table[i].symbol, w, sizeof(*w)) != 0)
        i = (i + 1) & d->mask; /* at most half full: there is an empty one */
    return &d->table[i];
}

static const struct kraken_symbol *
symbol_find(const struct kraken_md *d, const char *s, size_t n)
{
    struct symbol_words w;

    if (!symbol_words_of(s, n, &w))
        return NULL;
    const struct kraken_symbol *e = symbol_slot(d, &w);
    return e->symbol_len != 0 ? e : NULL;
}

size_t
kraken_md_footprint(uint32_t instruments_max)
{
    return arena_cost(md_symbol_table_size(instruments_max) * sizeof(struct kraken_symbol));
}

void
kraken_md_init(struct kraken_md *d, uint32_t instruments_max, struct arena *arena)
{
    uint32_t n = md_symbol_table_size(instruments_max);

    ASSERT(instruments_max > 0 && instruments_max <= INSTRUMENT_MAX);
    *d = (struct kraken_md){
        .table = arena_take(arena, n * sizeof(struct kraken_symbol)),
        .mask = n - 1,
        .count_max = instruments_max,
    };
    crc32_init(&d->crc);
}

bool
kraken_md_add(struct kraken_md *d, const struct instrument *ins, uint32_t slot)
{
    struct symbol_words w;

    if (!md_symbol_usable(ins, &w))
        return false;
    struct kraken_symbol *e = symbol_slot(d, &w);
    if (e->symbol_len == 0) {
        if (d->count == d->count_max)
            return false;
        d->count++;
    }
    memcpy(e->symbol, &w, sizeof(w));
    e->slot = slot;
    e->symbol_len = (uint8_t)strlen(ins->symbol);
    e->px_decimals = ins->px_decimals;
    e->qty_decimals = ins->qty_decimals;
    return true;
}

/* ---- checksum ---- */

/* v in decimal digits, written so that it ends before `end`. Returns its first digit. */
static inline char *
digits_before(char *end, uint64_t v)
{
    do {
        *--end = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    return end;
}

/* A value's digits in the venue's text; unit as in struct feed_dialect. */
static inline char *
value_before(char *end, int64_t v, int64_t unit)
{
    if (likely(unit == 1))
        return digits_before(end, (uint64_t)v);
    if (unit > 0)
        return digits_before(end, (uint64_t)(v / unit));
    for (int64_t zeros = -unit; zeros > 0; zeros--)
        *--end = '0';
    return digits_before(end, (uint64_t)v);
}

static inline char *
level_before(char *end, const struct level *l, int64_t px_unit, int64_t qty_unit)
{
    return value_before(value_before(end, l->qty, qty_unit), l->px, px_unit);
}

uint32_t
kraken_md_checksum(const struct crc32 *crc, int64_t px_unit, int64_t qty_unit, const struct level *asks,
                   uint32_t ask_count, const struct level *bids, uint32_t bid_count)
{
    char text[2 * KRAKEN_CHECKSUM_LEVELS * 2 * (20 + DECIMALS_MAX)];
    char *p = text + sizeof(text);

    ASSERT(ask_count <= KRAKEN_CHECKSUM_LEVELS && bid_count <= KRAKEN_CHECKSUM_LEVELS);
    for (uint32_t i = bid_count; i > 0; i--)
        p = level_before(p, &bids[i - 1], px_unit, qty_unit);
    for (uint32_t i = ask_count; i > 0; i--)
        p = level_before(p, &asks[i - 1], px_unit, qty_unit);
    return crc32_of(crc, p, (size_t)(text + sizeof(text) - p));
}

/* ---- the fast reader of book messages ---- */

/* `digits[.digits]` as a count of 10^-decimals. Raises *digits to the digits behind the point. Returns what follows, or
 * NULL: not so, too many digits, or nothing follows. */
static inline const char *
fast_number(const char *p, const char *end, unsigned decimals, uint8_t *digits, int64_t *out)
{
    uint64_t v = 0;
    const char *start = p;
    unsigned fraction = 0;

    while (p < end && (unsigned)(*p - '0') <= 9)
        v = v * 10 + (uint64_t)(*p++ - '0');
    unsigned whole = (unsigned)(p - start);
    if (unlikely(whole == 0 || (whole > 1 && *start == '0')))
        return NULL;
    if (p < end && *p == '.') {
        start = ++p;
        while (p < end && (unsigned)(*p - '0') <= 9)
            v = v * 10 + (uint64_t)(*p++ - '0');
        if (unlikely(p == start || p - start > DECIMALS_MAX))
            return NULL;
        fraction = (unsigned)(p - start);
    }
    /* 18 digits fit; what was added up beyond that is not looked at. */
    if (unlikely(p == end || whole > DECIMALS_MAX || fraction > decimals || whole + decimals > DECIMALS_MAX))
        return NULL;
    *digits = MAX(*digits, (uint8_t)fraction);
    *out = (int64_t)(v * (uint64_t)pow10_i64[decimals - fraction]);
    return p;
}

static inline const char *
fast_is(const char *p, const char *end, const char *lit, size_t n)
{
    return likely((size_t)(end - p) >= n && memcmp(p, lit, n) == 0) ? p + n : NULL;
}
#define FAST_SKIP(p, end, lit) fast_is((p), (end), lit, sizeof(lit) - 1)
#define EXPECT(p, end, lit)               \
    do {                                  \
        (p) = FAST_SKIP((p), (end), lit); \
        if (unlikely((p) == NULL))        \
            return NULL;                  \
    } while (0)

/* `{"price":N,"qty":N},...]` behind the opening bracket. */
static inline const char *
fast_levels(const struct kraken_symbol *s, const char *p, const char *end, struct level *to, struct md_msg *m,
            uint32_t *count)
{
    uint32_t n = 0;

    if (p < end && *p == ']') {
        *count = 0;
        return p + 1;
    }
    for (;;) {
        if (unlikely(n == m->levels_max))
            return NULL;
        EXPECT(p, end, "{\"price\":");
        p = fast_number(p, end, s->px_decimals, &m->px_digits, &to[n].px);
        if (unlikely(p == NULL))
            return NULL;
        EXPECT(p, end, ",\"qty\":");
        p = fast_number(p, end, s->qty_decimals, &m->qty_digits, &to[n].qty);
        if (unlikely(p == NULL || to[n].px == 0 || end - p < 2 || *p != '}'))
            return NULL;
        n++;
        p += 2;
        if (p[-1] == ']')
            break;
        if (unlikely(p[-1] != ','))
            return NULL;
    }
    *count = n;
    return p;
}

/* One item of a book message, from its brace. NULL when it is not exactly what the venue sends today. */
static inline const char *
fast_book(const struct kraken_md *d, const char *p, const char *end, struct md_msg *m)
{
    EXPECT(p, end, "{\"symbol\":\"");
    const char *quote = memchr(p, '"', MIN((size_t)(end - p), (size_t)SYMBOL_BYTES));
    if (unlikely(quote == NULL))
        return NULL;
    const struct kraken_symbol *s = symbol_find(d, p, (size_t)(quote - p));
    if (unlikely(s == NULL))
        return NULL;
    p = quote;
    m->px_digits = 0;
    m->qty_digits = 0;
    EXPECT(p, end, "\",\"bids\":[");
    p = fast_levels(s, p, end, m->bids, m, &m->bid_count);
    if (unlikely(p == NULL))
        return NULL;
    EXPECT(p, end, ",\"asks\":[");
    p = fast_levels(s, p, end, m->asks, m, &m->ask_count);
    if (unlikely(p == NULL))
        return NULL;
    EXPECT(p, end, ",\"checksum\":");
    uint64_t v = 0;
    const char *start = p;
    while (p < end && (unsigned)(*p - '0') <= 9 && p - start < 11)
        v = v * 10 + (uint64_t)(*p++ - '0');
    if (unlikely(p == start || v > UINT32_MAX || (*start == '0' && p - start > 1)))
        return NULL;
    m->checksum = (uint32_t)v;
    EXPECT(p, end, ",\"timestamp\":\"");
    quote = memchr(p, '"', MIN((size_t)(end - p), (size_t)36));
    if (unlikely(quote == NULL || !rfc3339_parse(p, (size_t)(quote - p), &m->venue_time_ns)))
        return NULL;
    p = quote + 1;
    if (unlikely(p == end || *p != '}'))
        return NULL;
    m->slot = s->slot;
    return p + 1;
}

/* A whole message with one item, which is what the venue sends. */
static inline bool
fast_message(const struct kraken_md *d, const char *p, const char *end, struct md_msg *m)
{
    const char *q = FAST_SKIP(p, end, "{\"channel\":\"book\",\"type\":\"update\",\"data\":[");
    uint8_t kind = MD_MSG_DEPTH;

    if (unlikely(q == NULL)) {
        kind = MD_MSG_SNAPSHOT;
        q = FAST_SKIP(p, end, "{\"channel\":\"book\",\"type\":\"snapshot\",\"data\":[");
        if (q == NULL)
            return false;
    }
    p = fast_book(d, q, end, m);
    if (unlikely(p == NULL || end - p != 2 || p[0] != ']' || p[1] != '}'))
        return false;
    m->kind = kind;
    return true;
}

/* ---- the general reader ---- */

static void
copy_text(const struct json_text *t, char *to, size_t room)
{
    size_t n = t->n < room - 1 ? t->n : room - 1;

    for (size_t i = 0; i < n; i++)
        to[i] = t->s[i] >= ' ' && t->s[i] <= '~' ? t->s[i] : '?';
    to[n] = '\0';
}

static const struct kraken_symbol *
find_symbol(const struct kraken_md *d, const struct json_text *t)
{
    char plain[SYMBOL_BYTES];

    if (t->s == NULL)
        return NULL;
    if (!t->escaped)
        return symbol_find(d, t->s, t->n);
    int n = json_unescape(t, plain, sizeof(plain)); /* "BTC\/USD" is the same text */
    return n > 0 ? symbol_find(d, plain, (size_t)n) : NULL;
}

/* A number >= 0 as the instrument counts; *digits is raised to the digits behind its point. */
static enum decode_result
read_number(struct json_scan *j, unsigned decimals, uint8_t *digits, int64_t *out)
{
    struct json_text t;
    enum decode_result res;

    if (!json_number(j, &t))
        return DECODE_MALFORMED;
    const char *point = memchr(t.s, '.', t.n);
    size_t fraction = point != NULL ? (size_t)(t.s + t.n - point) - 1 : 0;
    res = decimal_parse(t.s, t.n, decimals, out);
    if (res == DECODE_OK && *out < 0)
        return DECODE_MALFORMED;
    if (res == DECODE_OK && fraction > DECIMALS_MAX)
        return DECODE_PRECISION;
    if (res == DECODE_OK)
        *digits = MAX(*digits, (uint8_t)fraction);
    return res;
}

static enum decode_result
read_level(struct json_scan *j, const struct kraken_symbol *s, struct md_msg *m, struct level *to)
{
    struct json_text key;
    enum decode_result res = DECODE_OK;
    bool has_px = false;
    bool has_qty = false;

    (void)json_object(j);
    while (json_key(j, &key)) {
        if (JSON_IS(key, "price")) {
            enum decode_result r = read_number(j, s->px_decimals, &m->px_digits, &to->px);
            has_px = true;
            res = res == DECODE_OK ? r : res;
        } else if (JSON_IS(key, "qty")) {
            enum decode_result r = read_number(j, s->qty_decimals, &m->qty_digits, &to->qty);
            has_qty = true;
            res = res == DECODE_OK ? r : res;
        } else {
            (void)json_skip(j);
        }
    }
    if (j->bad || !has_px || !has_qty)
        return res != DECODE_OK ? res : DECODE_MALFORMED;
    return res == DECODE_OK && to->px == 0 ? DECODE_MALFORMED : res;
}

static enum decode_result
read_levels(const struct json_text *raw, const struct kraken_symbol *s, struct md_msg *m, struct level *to,
            uint32_t *count)
{
    struct json_scan j;
    uint32_t n = 0;

    if (raw->s == NULL)
        return DECODE_MALFORMED;
    json_init(&j, raw->s, raw->n);
    (void)json_array(&j);
    while (json_element(&j)) {
        if (n == m->levels_max)
            return DECODE_RANGE;
        enum decode_result res = read_level(&j, s, m, &to[n]);
        if (res != DECODE_OK)
            return res;
        n++;
    }
    *count = n;
    return json_done(&j) ? DECODE_OK : DECODE_MALFORMED;
}

/* What an item of book or trade may hold, as found. Texts are NULL where absent. */
struct item {
    struct json_text symbol;
    struct json_text bids;
    struct json_text asks;
    struct json_text timestamp;
    struct json_text side;
    struct json_text price;
    struct json_text qty;
    bool has_checksum;
    bool has_trade_id;
    uint64_t checksum;
    uint64_t trade_id;
};

static void
read_item(struct json_scan *j, struct item *i)
{
    struct json_text key;

    (void)json_object(j);
    while (json_key(j, &key)) {
        if (JSON_IS(key, "symbol"))
            (void)json_string(j, &i->symbol);
        else if (JSON_IS(key, "bids"))
            (void)json_raw(j, &i->bids);
        else if (JSON_IS(key, "asks"))
            (void)json_raw(j, &i->asks);
        else if (JSON_IS(key, "checksum"))
            i->has_checksum = json_u64(j, &i->checksum);
        else if (JSON_IS(key, "timestamp"))
            (void)json_string(j, &i->timestamp);
        else if (JSON_IS(key, "side"))
            (void)json_string(j, &i->side);
        else if (JSON_IS(key, "price"))
            (void)json_raw(j, &i->price);
        else if (JSON_IS(key, "qty"))
            (void)json_raw(j, &i->qty);
        else if (JSON_IS(key, "trade_id"))
            i->has_trade_id = json_u64(j, &i->trade_id);
        else
            (void)json_skip(j);
    }
}

static enum decode_result
book_item(const struct item *i, const struct kraken_symbol *s, struct md_msg *m)
{
    if (!i->has_checksum || i->checksum > UINT32_MAX)
        return DECODE_MALFORMED;
    m->px_digits = 0;
    m->qty_digits = 0;
    m->checksum = (uint32_t)i->checksum;
    enum decode_result res = read_levels(&i->bids, s, m, m->bids, &m->bid_count);
    if (res == DECODE_OK)
        res = read_levels(&i->asks, s, m, m->asks, &m->ask_count);
    return res;
}

static enum decode_result
raw_number(const struct json_text *raw, unsigned decimals, int64_t *out)
{
    struct json_scan j;
    uint8_t digits = 0;

    if (raw->s == NULL)
        return DECODE_MALFORMED;
    json_init(&j, raw->s, raw->n);
    enum decode_result res = read_number(&j, decimals, &digits, out);
    return res == DECODE_OK && !json_done(&j) ? DECODE_MALFORMED : res;
}

static enum decode_result
trade_item(const struct item *i, const struct kraken_symbol *s, struct md_msg *m)
{
    bool buy = JSON_IS(i->side, "buy");

    if (!i->has_trade_id || i->trade_id > INT64_MAX || (!buy && !JSON_IS(i->side, "sell")))
        return DECODE_MALFORMED;
    enum decode_result res = raw_number(&i->price, s->px_decimals, &m->px);
    if (res == DECODE_OK)
        res = raw_number(&i->qty, s->qty_decimals, &m->qty);
    if (res == DECODE_OK && (m->px == 0 || m->qty == 0))
        return DECODE_MALFORMED;
    m->trade_id = (int64_t)i->trade_id;
    m->aggressor = buy ? SIDE_BUY : SIDE_SELL;
    return res;
}

/* The item at `at` of a "data" array; the message's kind is in m. Sets m->next. */
static enum decode_result
general_item(const struct kraken_md *d, const char *buf, size_t len, size_t at, struct md_msg *m)
{
    struct json_scan j;
    struct item i = { .has_checksum = false };
    const char *end = buf + len;

    json_init(&j, buf + at, len - at);
    read_item(&j, &i);
    m->slot = MD_NO_SLOT;
    const struct kraken_symbol *s = find_symbol(d, &i.symbol);
    if (s != NULL)
        m->slot = s->slot;
    if (j.bad)
        return DECODE_MALFORMED;
    json_space(&j);
    const char *p = j.p;
    if (p < end && *p == ',') {
        json_init(&j, p + 1, (size_t)(end - p) - 1);
        json_space(&j);
        m->next = (uint32_t)(j.p - buf);
    }
    if (s == NULL)
        return i.symbol.s != NULL ? DECODE_UNKNOWN_SYMBOL : DECODE_MALFORMED;
    m->venue_time_ns = 0;
    if (i.timestamp.s != NULL && !rfc3339_parse(i.timestamp.s, i.timestamp.n, &m->venue_time_ns))
        return DECODE_MALFORMED;
    return m->kind == MD_MSG_TRADE ? trade_item(&i, s, m) : book_item(&i, s, m);
}

/* What may stand around the items, and in the answer to a request. */
struct envelope {
    struct json_text channel;
    struct json_text type;
    struct json_text data;
    struct json_text method;
    struct json_text error;
    struct json_text symbol;
    bool has_success;
    bool success;
    int64_t req_id;
};

static void
read_result(struct json_scan *j, struct envelope *e)
{
    struct json_text key;

    if (json_peek(j) != JSON_OBJECT) {
        (void)json_skip(j);
        return;
    }
    (void)json_object(j);
    while (json_key(j, &key)) {
        if (JSON_IS(key, "channel"))
            (void)json_string(j, &e->channel);
        else if (JSON_IS(key, "symbol") && json_peek(j) == JSON_STRING)
            (void)json_string(j, &e->symbol);
        else
            (void)json_skip(j);
    }
}

/* False when it is not JSON. */
static bool
read_envelope(const char *buf, size_t len, struct envelope *e)
{
    struct json_scan j;
    struct json_text key;

    json_init(&j, buf, len);
    (void)json_object(&j);
    while (json_key(&j, &key)) {
        if (JSON_IS(key, "channel"))
            (void)json_string(&j, &e->channel);
        else if (JSON_IS(key, "type"))
            (void)json_string(&j, &e->type);
        else if (JSON_IS(key, "data"))
            (void)json_raw(&j, &e->data);
        else if (JSON_IS(key, "method"))
            (void)json_string(&j, &e->method);
        else if (JSON_IS(key, "error") && json_peek(&j) == JSON_STRING)
            (void)json_string(&j, &e->error);
        else if (JSON_IS(key, "symbol") && json_peek(&j) == JSON_STRING)
            (void)json_string(&j, &e->symbol);
        else if (JSON_IS(key, "success"))
            e->has_success = json_bool(&j, &e->success);
        else if (JSON_IS(key, "req_id") && json_peek(&j) == JSON_NUMBER)
            (void)json_i64(&j, &e->req_id);
        else if (JSON_IS(key, "result"))
            read_result(&j, e);
        else
            (void)json_skip(&j);
    }
    return json_done(&j);
}

/* The answer to a subscription or its end, or an error that answers nothing. */
static enum decode_result
answer(const struct kraken_md *d, const struct envelope *e, struct md_msg *m)
{
    bool off = e->method.s != NULL && JSON_IS(e->method, "unsubscribe");

    if (!off && e->error.s == NULL && (e->method.s == NULL || !JSON_IS(e->method, "subscribe")))
        return DECODE_IGNORED; /* pong, and what is to come */
    const struct kraken_symbol *s = find_symbol(d, &e->symbol);
    m->slot = s != NULL ? s->slot : MD_NO_SLOT;
    m->request_id = e->req_id;
    m->off = off;
    m->depth_stream = JSON_IS(e->channel, "book");
    m->code = 0;
    m->kind = e->has_success && e->success ? MD_MSG_REPLY : MD_MSG_ERROR;
    if (m->kind == MD_MSG_ERROR)
        copy_text(e->error.s != NULL ? &e->error : &(struct json_text){ .s = "no reason given", .n = 15 }, m->text,
                  sizeof(m->text));
    return DECODE_OK;
}

/* `[{"system":"online",...}]` */
static enum decode_result
status(const struct envelope *e, struct md_msg *m)
{
    struct json_scan j;
    struct json_text key;
    struct json_text system = { .s = NULL };

    json_init(&j, e->data.s, e->data.n);
    if (!json_array(&j) || !json_element(&j) || !json_object(&j))
        return DECODE_MALFORMED;
    while (json_key(&j, &key)) {
        if (JSON_IS(key, "system"))
            (void)json_string(&j, &system);
        else
            (void)json_skip(&j);
    }
    if (j.bad || system.s == NULL)
        return DECODE_MALFORMED;
    m->online = JSON_IS(system, "online");
    copy_text(&system, m->text, sizeof(m->text));
    m->kind = MD_MSG_STATUS;
    return DECODE_OK;
}

/* Where the first item of "data" starts; 0: there is none. */
static size_t
first_item(const char *buf, const struct json_text *data)
{
    struct json_scan j;

    if (data->s == NULL)
        return 0;
    json_init(&j, data->s, data->n);
    if (!json_array(&j) || !json_element(&j))
        return 0;
    json_space(&j);
    return (size_t)(j.p - buf);
}

static enum decode_result
general_message(const struct kraken_md *d, const char *buf, size_t len, struct md_msg *m)
{
    struct envelope e = { .req_id = -1 };
    bool whole = read_envelope(buf, len, &e);
    bool book = JSON_IS(e.channel, "book") && e.method.s == NULL;

    m->kind = MD_MSG_OTHER;
    m->slot = MD_NO_SLOT;
    if (book)
        m->kind = JSON_IS(e.type, "snapshot") ? MD_MSG_SNAPSHOT : MD_MSG_DEPTH;
    if (!whole)
        return DECODE_MALFORMED;
    if (e.method.s != NULL || (e.channel.s == NULL && e.error.s != NULL)) {
        m->kind = MD_MSG_OTHER;
        return answer(d, &e, m);
    }
    if (e.channel.s == NULL)
        return DECODE_IGNORED;
    if (JSON_IS(e.channel, "status") && e.data.s != NULL)
        return status(&e, m);
    if (JSON_IS(e.channel, "trade"))
        m->kind = MD_MSG_TRADE;
    else if (!book)
        return DECODE_IGNORED; /* heartbeat, instrument, and what is to come */
    if (book && !JSON_IS(e.type, "snapshot") && !JSON_IS(e.type, "update"))
        return DECODE_MALFORMED;
    size_t at = first_item(buf, &e.data);
    if (at == 0)
        return e.data.s != NULL ? DECODE_IGNORED : DECODE_MALFORMED;
    return general_item(d, buf, len, at, m);
}

enum decode_result
kraken_md_decode(const struct kraken_md *d, const uint8_t *buf, size_t len, struct md_msg *out)
{
    const char *p = (const char *)buf;
    uint32_t at = out->next;

    out->next = 0;
    if (unlikely(at != 0))
        return general_item(d, p, len, at, out);
    if (likely(fast_message(d, p, p + len, out)))
        return DECODE_OK;
    return general_message(d, p, len, out);
}

/* ---- requests ---- */

size_t
kraken_md_request(const struct md_request *rq, char *buf, size_t room, size_t *used)
{
    bool book = rq->streams == MD_STREAM_DEPTH;
    char head[64];
    char tail[96];
    char depth[32] = "";
    size_t n = 0;

    *used = 0;
    ASSERT(book || rq->streams == MD_STREAM_TRADE);
    int head_len = snprintf(head, sizeof(head), "{\"method\":\"%s\",\"params\":{\"channel\":\"%s\",\"symbol\":[",
                            rq->off ? "unsubscribe" : "subscribe", book ? "book" : "trade");
    if (book) /* unsubscribing needs the same depth */
        (void)snprintf(depth, sizeof(depth), ",\"depth\":%u", rq->depth);
    int tail_len = snprintf(tail, sizeof(tail), "]%s%s},\"req_id\":%lld}", depth,
                            rq->off ? ""
                            : book  ? ",\"snapshot\":true"
                                    : ",\"snapshot\":false",
                            (long long)rq->id);
    size_t len = (size_t)head_len;
    if (room < (size_t)head_len + (size_t)tail_len)
        return 0;
    memcpy(buf, head, len);
    for (; n < rq->count; n++) {
        const char *s = rq->symbols[n];
        size_t bytes = strlen(s) + 2 + (n > 0);
        if (strcspn(s, "\"\\") != strlen(s) || room - len - (size_t)tail_len < bytes)
            break;
        len += (size_t)snprintf(buf + len, bytes + 1, "%s\"%s\"", n > 0 ? "," : "", s);
    }
    if (n == 0)
        return 0;
    *used = n;
    memcpy(buf + len, tail, (size_t)tail_len);
    return len + (size_t)tail_len;
}

/* ---- as a dialect ---- */

static size_t
dialect_footprint(uint32_t instruments_max)
{
    return arena_cost(sizeof(struct kraken_md)) + kraken_md_footprint(instruments_max);
}

static void *
dialect_init(uint32_t instruments_max, struct arena *arena)
{
    struct kraken_md *d = (struct kraken_md *)arena_take(arena, sizeof(*d));

    kraken_md_init(d, instruments_max, arena);
    return d;
}

static bool
dialect_add(void *decoder, const struct instrument *ins, uint32_t slot)
{
    return kraken_md_add((struct kraken_md *)decoder, ins, slot);
}

static enum decode_result
dialect_decode(const void *decoder, const uint8_t *buf, size_t len, struct md_msg *out)
{
    return kraken_md_decode((const struct kraken_md *)decoder, buf, len, out);
}

static uint32_t
dialect_checksum(const void *decoder, int64_t px_unit, int64_t qty_unit, const struct level *asks, uint32_t ask_count,
                 const struct level *bids, uint32_t bid_count)
{
    return kraken_md_checksum(&((const struct kraken_md *)decoder)->crc, px_unit, qty_unit, asks, ask_count, bids,
                              bid_count);
}

const struct feed_dialect feed_kraken = {
    .name = "kraken",
    .checked = true,
    .one_stream = true,
    .streams = MD_STREAM_DEPTH | MD_STREAM_TRADE,
    .streams_max = 1024,
    .footprint = dialect_footprint,
    .init = dialect_init,
    .add = dialect_add,
    .decode = dialect_decode,
    .request = kraken_md_request,
    .checksum = dialect_checksum,
    .checksum_levels = KRAKEN_CHECKSUM_LEVELS,
    .depth = { 10, 25, 100, 500, 1000 },
};
