/* Binance Spot market data: see binance_md.h.
 *
 * Two readers of the same messages. The fast one (binance_fast.c) knows the text; where it gives up, the general one
 * starts again on json_scan and names what is wrong. Both must agree wherever the fast one succeeds. */
#include "feed/binance_md.h"
#include "feed/binance_fast.h"
#include "feed/json_scan.h"
#include "feed/md_symbol.h"

#define NO_SLOT MD_NO_SLOT

/* ---- symbol table ---- */

static const struct binance_symbol *
symbol_find_text(const struct binance_md *d, const char *s, size_t n)
{
    struct symbol_words w;

    if (!symbol_words_of(s, n, &w))
        return NULL;
    return symbol_find(d, &w);
}

size_t
binance_md_footprint(uint32_t instruments_max)
{
    return arena_cost(md_symbol_table_size(instruments_max) * sizeof(struct binance_symbol));
}

void
binance_md_init(struct binance_md *d, uint32_t instruments_max, struct arena *arena)
{
    uint32_t n = md_symbol_table_size(instruments_max);

    ASSERT(instruments_max > 0 && instruments_max <= INSTRUMENT_MAX);
    *d = (struct binance_md){
        .table = arena_take(arena, n * sizeof(struct binance_symbol)),
        .mask = n - 1,
        .count_max = instruments_max,
    };
}

static struct binance_scale
scale_of(uint8_t decimals)
{
    struct binance_scale s = { .decimals = decimals };

    if (decimals <= 8) {
        s.divisor = (uint32_t)pow10_i64[8 - decimals];
        s.inverse = ((UINT64_C(1) << 63) + s.divisor - 1) / s.divisor;
    }
    return s;
}

bool
binance_md_add(struct binance_md *d, const struct instrument *ins, uint32_t slot)
{
    struct symbol_words w;

    if (!md_symbol_usable(ins, &w))
        return false;
    uint32_t i = symbol_hash(&w) & d->mask;
    while (d->table[i].symbol_len != 0 && memcmp(d->table[i].symbol, &w, sizeof(w)) != 0)
        i = (i + 1) & d->mask;
    struct binance_symbol *e = &d->table[i];
    if (e->symbol_len == 0) {
        if (d->count == d->count_max)
            return false;
        d->count++;
    }
    memcpy(e->symbol, &w, sizeof(w));
    e->slot = slot;
    e->symbol_len = (uint8_t)strlen(ins->symbol);
    e->px = scale_of(ins->px_decimals);
    e->qty = scale_of(ins->qty_decimals);
    e->narrow = e->px.divisor != 0 && e->qty.divisor != 0;
    return true;
}
/* ---- the general reader ---- */

/* What may stand in a message, as found, in any order. Texts are NULL where absent. */
struct fields {
    bool is_object;
    bool has_result;
    bool has_error;
    bool has_id;
    bool has_e;
    bool has_first_id;
    bool has_before_id;
    bool has_last_id;
    bool has_trade_id;
    bool has_maker;
    bool maker;
    int64_t id;
    int64_t code;
    uint64_t event_time;
    uint64_t trade_time;
    uint64_t first_id;
    uint64_t before_id; /* last_id of the update before, where numbers are left out */
    uint64_t last_id;
    uint64_t trade_id;
    struct json_text e;
    struct json_text s;
    struct json_text b, B, a, A, p, q; /* raw: what they mean depends on e and s */
    struct json_text data;
    struct json_text stream;
    struct json_text msg;
};

static void
read_id(struct json_scan *j, struct fields *f)
{
    f->has_id = true;
    f->id = -1;
    if (json_peek(j) == JSON_NUMBER)
        (void)json_i64(j, &f->id);
    else
        (void)json_skip(j);
}

/* {"code":n,"msg":"..."} as the value of "error". */
static void
read_error(struct json_scan *j, struct fields *f)
{
    struct json_text key;

    f->has_error = true;
    if (json_peek(j) != JSON_OBJECT) {
        (void)json_skip(j);
        return;
    }
    (void)json_object(j);
    while (json_key(j, &key)) {
        if (JSON_IS(key, "code"))
            (void)json_i64(j, &f->code);
        else if (JSON_IS(key, "msg"))
            (void)json_string(j, &f->msg);
        else
            (void)json_skip(j);
    }
}

/* A key of one character: the fields of market data. */
static void
read_short(struct json_scan *j, char key, struct fields *f)
{
    switch (key) {
    case 'e': f->has_e = json_string(j, &f->e); break;
    case 's': (void)json_string(j, &f->s); break;
    case 'E': (void)json_u64(j, &f->event_time); break;
    case 'T': (void)json_u64(j, &f->trade_time); break;
    case 'U': f->has_first_id = json_u64(j, &f->first_id); break;
    case 'u': f->has_last_id = json_u64(j, &f->last_id); break;
    case 't': f->has_trade_id = json_u64(j, &f->trade_id); break;
    case 'm': f->has_maker = json_bool(j, &f->maker); break;
    case 'b': (void)json_raw(j, &f->b); break;
    case 'B': (void)json_raw(j, &f->B); break;
    case 'a': (void)json_raw(j, &f->a); break;
    case 'A': (void)json_raw(j, &f->A); break;
    case 'p': (void)json_raw(j, &f->p); break;
    case 'q': (void)json_raw(j, &f->q); break;
    default: (void)json_skip(j);
    }
}

/* Every field of one object. False when it is not JSON; what was read before that stays. */
static bool
read_fields(const char *buf, size_t len, struct fields *f)
{
    struct json_scan j;
    struct json_text key;

    json_init(&j, buf, len);
    f->is_object = json_object(&j);
    while (json_key(&j, &key)) {
        if (key.n == 1 && !key.escaped)
            read_short(&j, key.s[0], f);
        else if (JSON_IS(key, "pu"))
            f->has_before_id = json_u64(&j, &f->before_id);
        else if (JSON_IS(key, "data"))
            (void)json_raw(&j, &f->data);
        else if (JSON_IS(key, "stream"))
            (void)json_string(&j, &f->stream);
        else if (JSON_IS(key, "result"))
            f->has_result = json_skip(&j);
        else if (JSON_IS(key, "id"))
            read_id(&j, f);
        else if (JSON_IS(key, "error"))
            read_error(&j, f);
        else if (JSON_IS(key, "code"))
            f->has_error = json_i64(&j, &f->code);
        else if (JSON_IS(key, "msg"))
            (void)json_string(&j, &f->msg);
        else
            (void)json_skip(&j);
    }
    return json_done(&j);
}

/* Printable text of the venue's words. */
static void
copy_text(const struct json_text *t, char *to, size_t room)
{
    size_t n = t->n < room - 1 ? t->n : room - 1;

    for (size_t i = 0; i < n; i++)
        to[i] = t->s[i] >= ' ' && t->s[i] <= '~' ? t->s[i] : '?';
    to[n] = '\0';
}

static const struct binance_symbol *
find_symbol(const struct binance_md *d, const struct json_text *t)
{
    char plain[SYMBOL_BYTES];

    if (!t->escaped)
        return symbol_find_text(d, t->s, t->n);
    int n = json_unescape(t, plain, sizeof(plain));
    return n > 0 ? symbol_find_text(d, plain, (size_t)n) : NULL;
}

/* A raw value, which must be a string that holds a decimal >= 0. */
static enum decode_result
raw_decimal(const struct json_text *raw, unsigned decimals, int64_t *out)
{
    struct json_scan j;
    struct json_text t;
    int64_t v;

    if (raw->s == NULL)
        return DECODE_MALFORMED;
    json_init(&j, raw->s, raw->n);
    if (!json_string(&j, &t) || t.n == 0)
        return DECODE_MALFORMED;
    enum decode_result res = decimal_parse(t.s, t.n, decimals, &v);
    if (res == DECODE_OK && v < 0)
        return DECODE_MALFORMED;
    if (res == DECODE_OK)
        *out = v;
    return res;
}

/* One `["px","qty"]`; further elements are ignored. */
static enum decode_result
read_level(struct json_scan *j, const struct binance_symbol *s, struct level *out)
{
    enum decode_result res;
    struct json_text px;
    struct json_text qty;

    if (!json_array(j) || !json_element(j) || !json_raw(j, &px) || !json_element(j) || !json_raw(j, &qty))
        return DECODE_MALFORMED;
    while (json_element(j))
        (void)json_skip(j);
    res = raw_decimal(&px, s->px.decimals, &out->px);
    if (res == DECODE_OK)
        res = raw_decimal(&qty, s->qty.decimals, &out->qty);
    if (res == DECODE_OK && out->px == 0)
        res = DECODE_MALFORMED;
    return j->bad ? DECODE_MALFORMED : res;
}

static enum decode_result
read_levels(const struct json_text *raw, const struct binance_symbol *s, struct level *to, uint32_t max,
            uint32_t *count)
{
    struct json_scan j;
    uint32_t n = 0;

    if (raw->s == NULL)
        return DECODE_MALFORMED;
    json_init(&j, raw->s, raw->n);
    (void)json_array(&j);
    while (json_element(&j)) {
        if (n == max)
            return DECODE_RANGE;
        enum decode_result res = read_level(&j, s, &to[n]);
        if (res != DECODE_OK)
            return res;
        n++;
    }
    *count = n;
    return json_done(&j) ? DECODE_OK : DECODE_MALFORMED;
}

static enum decode_result
general_ticker(const struct fields *f, const struct binance_symbol *s, struct md_msg *m)
{
    enum decode_result res = f->has_last_id ? DECODE_OK : DECODE_MALFORMED;

    m->last_id = f->last_id;
    if (res == DECODE_OK)
        res = raw_decimal(&f->b, s->px.decimals, &m->bid.px);
    if (res == DECODE_OK)
        res = raw_decimal(&f->B, s->qty.decimals, &m->bid.qty);
    if (res == DECODE_OK)
        res = raw_decimal(&f->a, s->px.decimals, &m->ask.px);
    if (res == DECODE_OK)
        res = raw_decimal(&f->A, s->qty.decimals, &m->ask.qty);
    m->venue_time_ns = 0;
    if (res == DECODE_OK && !time_ns(f->event_time, &m->venue_time_ns))
        res = DECODE_RANGE;
    return res;
}

static enum decode_result
general_depth(const struct fields *f, const struct binance_symbol *s, struct md_msg *m)
{
    if (!f->has_first_id || !f->has_last_id || f->first_id > f->last_id)
        return DECODE_MALFORMED;
    if (f->has_before_id && f->before_id >= f->first_id)
        return DECODE_MALFORMED;
    /* Futures leave numbers out between updates and name the one before instead. */
    m->first_id = f->has_before_id ? f->before_id + 1 : f->first_id;
    m->last_id = f->last_id;
    enum decode_result res = read_levels(&f->b, s, m->bids, m->levels_max, &m->bid_count);
    if (res == DECODE_OK)
        res = read_levels(&f->a, s, m->asks, m->levels_max, &m->ask_count);
    if (res == DECODE_OK && !time_ns(f->event_time, &m->venue_time_ns))
        res = DECODE_RANGE;
    return res;
}

static enum decode_result
general_trade(const struct fields *f, const struct binance_symbol *s, struct md_msg *m)
{
    if (!f->has_trade_id || !f->has_maker)
        return DECODE_MALFORMED;
    if (f->trade_id > INT64_MAX)
        return DECODE_RANGE;
    m->trade_id = (int64_t)f->trade_id;
    m->aggressor = f->maker ? SIDE_SELL : SIDE_BUY;
    enum decode_result res = raw_decimal(&f->p, s->px.decimals, &m->px);
    if (res == DECODE_OK)
        res = raw_decimal(&f->q, s->qty.decimals, &m->qty);
    if (res == DECODE_OK && (m->px == 0 || m->qty == 0))
        res = DECODE_MALFORMED;
    if (res == DECODE_OK && !time_ns(f->trade_time != 0 ? f->trade_time : f->event_time, &m->venue_time_ns))
        res = DECODE_RANGE;
    return res;
}

/* Which message the fields make. */
static enum md_msg_kind
kind_of(const struct fields *f)
{
    if (f->has_e) {
        if (JSON_IS(f->e, "depthUpdate"))
            return MD_MSG_DEPTH;
        if (JSON_IS(f->e, "trade"))
            return MD_MSG_TRADE;
        if (JSON_IS(f->e, "bookTicker"))
            return MD_MSG_TICKER;
        return JSON_IS(f->e, "serverShutdown") ? MD_MSG_SHUTDOWN : MD_MSG_OTHER;
    }
    if (f->s.s != NULL)
        return f->has_first_id ? MD_MSG_DEPTH : f->B.s != NULL || f->A.s != NULL ? MD_MSG_TICKER : MD_MSG_OTHER;
    if (f->has_error)
        return MD_MSG_ERROR;
    return f->has_result && f->has_id ? MD_MSG_REPLY : MD_MSG_OTHER;
}

/* Whom a message concerns by its stream's name, `<symbol>@<stream>`: for messages whose own fields cannot be read. */
static void
blame_stream(const struct binance_md *d, const struct json_text *stream, struct md_msg *m)
{
    char symbol[SYMBOL_BYTES];
    const char *at = stream->s != NULL ? memchr(stream->s, '@', stream->n) : NULL;

    if (at == NULL || (size_t)(at - stream->s) >= sizeof(symbol))
        return;
    size_t n = (size_t)(at - stream->s);
    for (size_t i = 0; i < n; i++)
        symbol[i] = stream->s[i] >= 'a' && stream->s[i] <= 'z' ? (char)(stream->s[i] - ('a' - 'A')) : stream->s[i];
    const struct binance_symbol *s = symbol_find_text(d, symbol, n);
    size_t left = stream->n - n;
    if (s != NULL)
        m->slot = s->slot;
    if (left >= 6 && memcmp(at, "@depth", 6) == 0)
        m->kind = MD_MSG_DEPTH;
    else if (left == 11 && memcmp(at, "@bookTicker", 11) == 0)
        m->kind = MD_MSG_TICKER;
    else if (left == 6 && memcmp(at, "@trade", 6) == 0)
        m->kind = MD_MSG_TRADE;
}

static enum decode_result
general_market(const struct binance_md *d, const struct fields *f, struct md_msg *m)
{
    if (f->s.s == NULL)
        return DECODE_MALFORMED;
    const struct binance_symbol *s = find_symbol(d, &f->s);
    if (s == NULL) {
        m->slot = NO_SLOT;
        return DECODE_UNKNOWN_SYMBOL;
    }
    m->slot = s->slot;
    switch (m->kind) {
    case MD_MSG_TICKER: return general_ticker(f, s, m);
    case MD_MSG_DEPTH: return f->has_e ? general_depth(f, s, m) : DECODE_MALFORMED;
    default: return general_trade(f, s, m);
    }
}

static COLD enum decode_result
general_message(const struct binance_md *d, const char *buf, size_t len, struct md_msg *m)
{
    struct fields f = { 0 };
    bool readable = read_fields(buf, len, &f);

    m->kind = MD_MSG_OTHER;
    m->slot = NO_SLOT;
    m->venue_time_ns = 0;
    blame_stream(d, &f.stream, m);
    if (readable && f.data.s != NULL) {
        struct json_text inner = f.data;
        f = (struct fields){ 0 };
        readable = read_fields(inner.s, inner.n, &f);
    }
    if (f.s.s != NULL || f.has_e) {
        enum md_msg_kind kind = kind_of(&f);
        const struct binance_symbol *s = f.s.s != NULL ? find_symbol(d, &f.s) : NULL;
        m->kind = kind != MD_MSG_OTHER ? (uint8_t)kind : m->kind;
        m->slot = s != NULL ? s->slot : m->slot;
    }
    if (!readable)
        return DECODE_MALFORMED;
    m->kind = (uint8_t)kind_of(&f);
    m->request_id = f.has_id ? f.id : -1;
    switch (m->kind) {
    case MD_MSG_TICKER:
    case MD_MSG_DEPTH:
    case MD_MSG_TRADE: return general_market(d, &f, m);
    case MD_MSG_ERROR:
        m->code = f.code < INT32_MIN || f.code > INT32_MAX ? 0 : (int32_t)f.code;
        copy_text(&f.msg, m->text, sizeof(m->text));
        return DECODE_OK;
    case MD_MSG_OTHER: return DECODE_IGNORED;
    default: return DECODE_OK;
    }
}

enum decode_result
binance_md_decode(const struct binance_md *d, const uint8_t *buf, size_t len, struct md_msg *out)
{
    const char *p = (const char *)buf;

    if (likely(binance_fast_decode(d, p, p + len, out)))
        return DECODE_OK;
    return general_message(d, p, len, out);
}

/* ---- requests ---- */

/* A text that grows until it does not fit. */
struct writer {
    char *buf;
    size_t room;
    size_t len;
    bool full;
};

static void
put(struct writer *w, const char *s, size_t n)
{
    if (w->full || w->room - w->len < n) {
        w->full = true;
        return;
    }
    memcpy(w->buf + w->len, s, n);
    w->len += n;
}

/* `"btcusdt@depth@100ms"` */
static void
put_stream(struct writer *w, const char *symbol, const char *stream, bool first)
{
    if (!first)
        put(w, ",", 1);
    put(w, "\"", 1);
    for (const char *s = symbol; *s != '\0'; s++) {
        char c = *s >= 'A' && *s <= 'Z' ? (char)(*s + ('a' - 'A')) : *s;
        if (c == '"' || c == '\\' || (unsigned char)c < ' ')
            w->full = true;
        put(w, &c, 1);
    }
    put(w, stream, strlen(stream));
    put(w, "\"", 1);
}

size_t
binance_md_subscribe(char *buf, size_t room, int64_t request_id, bool off, const char *const *symbols, size_t count,
                     unsigned streams, size_t *used)
{
    static const struct {
        unsigned bit;
        const char *name;
    } known[] = {
        { MD_STREAM_DEPTH, "@depth@100ms" },
        { MD_STREAM_TICKER, "@bookTicker" },
        { MD_STREAM_TRADE, "@trade" },
    };
    char tail[40];
    int tail_len = snprintf(tail, sizeof(tail), "],\"id\":%lld}", (long long)request_id);
    struct writer w = { .buf = buf, .room = room };
    size_t n = 0;

    *used = 0;
    if (room < (size_t)tail_len)
        return 0;
    w.room = room - (size_t)tail_len;
    if (off)
        put(&w, "{\"method\":\"UNSUBSCRIBE\",\"params\":[", 34);
    else
        put(&w, "{\"method\":\"SUBSCRIBE\",\"params\":[", 32);
    for (; n < count; n++) {
        size_t before = w.len;
        bool first = n == 0;
        for (size_t i = 0; i < ARRAY_LEN(known); i++) {
            if ((streams & known[i].bit) != 0) {
                put_stream(&w, symbols[n], known[i].name, first);
                first = false;
            }
        }
        if (w.full) {
            w.len = before;
            break;
        }
    }
    if (n == 0)
        return 0;
    *used = n;
    memcpy(buf + w.len, tail, (size_t)tail_len);
    return w.len + (size_t)tail_len;
}

/* ---- as a dialect ---- */

static void *
dialect_init(uint32_t instruments_max, struct arena *arena)
{
    struct binance_md *d = (struct binance_md *)arena_take(arena, sizeof(*d));

    binance_md_init(d, instruments_max, arena);
    return d;
}

static size_t
dialect_footprint(uint32_t instruments_max)
{
    return arena_cost(sizeof(struct binance_md)) + binance_md_footprint(instruments_max);
}

static bool
dialect_add(void *decoder, const struct instrument *ins, uint32_t slot)
{
    return binance_md_add((struct binance_md *)decoder, ins, slot);
}

static enum decode_result
dialect_decode(const void *decoder, const uint8_t *buf, size_t len, struct md_msg *out)
{
    return binance_md_decode((const struct binance_md *)decoder, buf, len, out);
}

static size_t
dialect_request(const struct md_request *rq, char *buf, size_t room, size_t *used)
{
    return binance_md_subscribe(buf, room, rq->id, rq->off, rq->symbols, rq->count, rq->streams, used);
}

const struct feed_dialect feed_binance = {
    .name = "binance",
    .streams = MD_STREAM_DEPTH | MD_STREAM_TICKER | MD_STREAM_TRADE,
    .streams_max = 1024,
    .footprint = dialect_footprint,
    .init = dialect_init,
    .add = dialect_add,
    .decode = dialect_decode,
    .request = dialect_request,
};
