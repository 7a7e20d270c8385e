/* Binance Spot reference data: see binance_ref.h. Cold: clarity first. */
#include "feed/binance_ref.h"
#include "execgw/order.h"
#include "feed/json_scan.h"

/* The widest limit there is; leaves room for sums of several. */
#define WIDEST INT64_C(1000000000000000000)

/* A largest price or quantity that still leaves room for its products. */
#define LARGE INT64_C(1000000000000000)

/* ---- requests ---- */

/* May stand in a request as it is. Symbols outside ASCII exist. */
static bool
symbol_plain(const char *s)
{
    size_t n = strnlen(s, SYMBOL_BYTES);

    if (n == 0 || n == SYMBOL_BYTES)
        return false;
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)s[i] <= ' ' || s[i] == '"' || s[i] == '\\' || s[i] == 127)
            return false;
    }
    return true;
}

size_t
binance_ref_depth_request(char *buf, size_t room, int64_t id, const char *symbol, uint32_t limit)
{
    if (!symbol_plain(symbol) || limit == 0 || limit > BINANCE_DEPTH_MAX)
        return 0;
    int n = snprintf(buf, room, "{\"id\":%lld,\"method\":\"depth\",\"params\":{\"symbol\":\"%s\",\"limit\":%u}}",
                     (long long)id, symbol, limit);
    return n > 0 && (size_t)n < room ? (size_t)n : 0;
}

size_t
binance_ref_exchange_info_request(char *buf, size_t room, int64_t id, const char *const *symbols, size_t count)
{
    int n = snprintf(buf, room, "{\"id\":%lld,\"method\":\"exchangeInfo\",\"params\":{\"symbols\":[", (long long)id);
    if (n < 0 || (size_t)n >= room || count == 0)
        return 0;
    size_t len = (size_t)n;
    for (size_t i = 0; i < count; i++) {
        if (!symbol_plain(symbols[i]))
            return 0;
        n = snprintf(buf + len, room - len, "%s\"%s\"%s", i == 0 ? "" : ",", symbols[i], i + 1 == count ? "]}}" : "");
        if (n < 0 || (size_t)n >= room - len)
            return 0;
        len += (size_t)n;
    }
    return len;
}

/* ---- the envelope ---- */

static void
read_retry_after(struct json_scan *j, struct binance_answer *a)
{
    struct json_text key;

    if (json_peek(j) != JSON_OBJECT) {
        (void)json_skip(j);
        return;
    }
    (void)json_object(j);
    while (json_key(j, &key)) {
        if (JSON_IS(key, "retryAfter") && json_peek(j) == JSON_NUMBER)
            (void)json_i64(j, &a->retry_after_ms);
        else
            (void)json_skip(j);
    }
}

static void
read_error(struct json_scan *j, struct binance_answer *a)
{
    struct json_text key;
    struct json_text msg;
    int64_t code = 0;

    (void)json_object(j);
    while (json_key(j, &key)) {
        if (JSON_IS(key, "code")) {
            (void)json_i64(j, &code);
        } else if (JSON_IS(key, "msg")) {
            if (json_string(j, &msg)) {
                size_t n = msg.n < sizeof(a->text) - 1 ? msg.n : sizeof(a->text) - 1;
                for (size_t i = 0; i < n; i++)
                    a->text[i] = msg.s[i] >= ' ' && msg.s[i] <= '~' ? msg.s[i] : '?';
                a->text[n] = '\0';
            }
        } else if (JSON_IS(key, "data")) {
            read_retry_after(j, a);
        } else {
            (void)json_skip(j);
        }
    }
    a->code = code < INT32_MIN || code > INT32_MAX ? INT32_MIN : (int32_t)code;
}

enum decode_result
binance_ref_answer(const uint8_t *buf, size_t len, struct binance_answer *out)
{
    struct binance_answer a = { .id = -1 };
    struct json_scan j;
    struct json_text key;
    struct json_text raw;
    uint64_t status = 0;

    json_init(&j, buf, len);
    (void)json_object(&j);
    while (json_key(&j, &key)) {
        if (JSON_IS(key, "id") && json_peek(&j) == JSON_NUMBER) {
            (void)json_i64(&j, &a.id);
        } else if (JSON_IS(key, "status")) {
            (void)json_u64(&j, &status);
        } else if (JSON_IS(key, "result")) {
            if (json_raw(&j, &raw)) {
                a.result = raw.s;
                a.result_bytes = raw.n;
            }
        } else if (JSON_IS(key, "error")) {
            read_error(&j, &a);
        } else {
            (void)json_skip(&j);
        }
    }
    if (!json_done(&j) || status > UINT32_MAX)
        return DECODE_MALFORMED;
    if (status == 0)
        return DECODE_IGNORED; /* an event, not an answer */
    a.status = (uint32_t)status;
    *out = a;
    return DECODE_OK;
}

/* ---- depth ---- */

/* One side, best first. */
static enum decode_result
read_side(struct json_scan *j, enum side side, unsigned px_decimals, unsigned qty_decimals, struct level *to,
          uint32_t max, uint32_t *count)
{
    uint32_t n = 0;

    (void)json_array(j);
    while (json_element(j)) {
        struct level l;
        if (n == max)
            return DECODE_RANGE;
        if (!json_array(j) || !json_element(j))
            return DECODE_MALFORMED;
        enum decode_result res = json_decimal(j, px_decimals, &l.px);
        if (res != DECODE_OK)
            return res;
        if (!json_element(j))
            return DECODE_MALFORMED;
        res = json_decimal(j, qty_decimals, &l.qty);
        if (res != DECODE_OK)
            return res;
        while (json_element(j))
            (void)json_skip(j);
        if (l.px <= 0 || l.qty <= 0)
            return DECODE_MALFORMED;
        if (n > 0 && (side == SIDE_BUY ? l.px >= to[n - 1].px : l.px <= to[n - 1].px))
            return DECODE_MALFORMED;
        to[n++] = l;
    }
    *count = n;
    return j->bad ? DECODE_MALFORMED : DECODE_OK;
}

enum decode_result
binance_ref_depth(const char *buf, size_t len, unsigned px_decimals, unsigned qty_decimals, struct level *bids,
                  struct level *asks, uint32_t levels_max, struct binance_depth *out)
{
    struct binance_depth d = { 0 };
    struct json_scan j;
    struct json_text key;
    unsigned seen = 0;

    ASSERT(px_decimals <= DECIMALS_MAX && qty_decimals <= DECIMALS_MAX);
    json_init(&j, buf, len);
    (void)json_object(&j);
    while (json_key(&j, &key)) {
        enum decode_result res = DECODE_OK;
        if (JSON_IS(key, "lastUpdateId")) {
            seen |= 1;
            (void)json_u64(&j, &d.last_update_id);
        } else if (JSON_IS(key, "bids")) {
            seen |= 2;
            res = read_side(&j, SIDE_BUY, px_decimals, qty_decimals, bids, levels_max, &d.bid_count);
        } else if (JSON_IS(key, "asks")) {
            seen |= 4;
            res = read_side(&j, SIDE_SELL, px_decimals, qty_decimals, asks, levels_max, &d.ask_count);
        } else {
            (void)json_skip(&j);
        }
        if (res != DECODE_OK)
            return res;
    }
    if (!json_done(&j) || seen != 7)
        return DECODE_MALFORMED;
    if (d.bid_count > 0 && d.ask_count > 0 && bids[0].px >= asks[0].px)
        return DECODE_MALFORMED;
    *out = d;
    return DECODE_OK;
}

/* ---- exchangeInfo ---- */

/* Rules of one symbol as text, in place; s is NULL where the venue says nothing. */
struct rules {
    struct json_text symbol, status, base, quote;
    struct json_text px_min, px_max, tick;
    struct json_text qty_min, qty_max, step;
    struct json_text market_qty_max;
    struct json_text notional_min, notional_max;
    uint64_t base_precision;
    uint64_t quote_precision;
    uint64_t orders_max;
    uint16_t order_types;
};

/* A filter's fields by name; which filter it was is known only at its end. */
struct filter {
    struct json_text type, min_price, max_price, tick, min_qty, max_qty, step, min_notional, max_notional;
    uint64_t max_num_orders;
};

static void
read_filter(struct json_scan *j, struct rules *r)
{
    struct filter f = { 0 };
    struct json_text key;
    const struct {
        const char *name;
        struct json_text *to;
    } known[] = {
        { "filterType", &f.type }, { "minPrice", &f.min_price },       { "maxPrice", &f.max_price },
        { "tickSize", &f.tick },   { "minQty", &f.min_qty },           { "maxQty", &f.max_qty },
        { "stepSize", &f.step },   { "minNotional", &f.min_notional }, { "maxNotional", &f.max_notional },
    };

    (void)json_object(j);
    while (json_key(j, &key)) {
        struct json_text *to = NULL;
        for (size_t i = 0; i < ARRAY_LEN(known); i++) {
            if (json_equals(&key, known[i].name, strlen(known[i].name)))
                to = known[i].to;
        }
        if (to != NULL)
            (void)json_string(j, to);
        else if (JSON_IS(key, "maxNumOrders") || (JSON_IS(key, "limit") && JSON_IS(f.type, "MAX_NUM_ORDERS")))
            (void)json_u64(j, &f.max_num_orders);
        else
            (void)json_skip(j);
    }
    if (j->bad)
        return;
    if (JSON_IS(f.type, "PRICE_FILTER")) {
        r->px_min = f.min_price;
        r->px_max = f.max_price;
        r->tick = f.tick;
    } else if (JSON_IS(f.type, "LOT_SIZE")) {
        r->qty_min = f.min_qty;
        r->qty_max = f.max_qty;
        r->step = f.step;
    } else if (JSON_IS(f.type, "MARKET_LOT_SIZE")) {
        r->market_qty_max = f.max_qty;
    } else if (JSON_IS(f.type, "NOTIONAL") || JSON_IS(f.type, "MIN_NOTIONAL")) {
        r->notional_min = f.min_notional;
        r->notional_max = f.max_notional;
    } else if (JSON_IS(f.type, "MAX_NUM_ORDERS")) {
        r->orders_max = f.max_num_orders;
    }
}

static void
read_order_types(struct json_scan *j, struct rules *r)
{
    struct json_text t;

    (void)json_array(j);
    while (json_element(j)) {
        if (!json_string(j, &t))
            return;
        if (JSON_IS(t, "LIMIT"))
            r->order_types |= 1u << ORDER_LIMIT;
        else if (JSON_IS(t, "MARKET"))
            r->order_types |= 1u << ORDER_MARKET;
        else if (JSON_IS(t, "STOP_LOSS_LIMIT"))
            r->order_types |= 1u << ORDER_STOP_LIMIT;
    }
}

static void
read_rules(struct json_scan *j, struct rules *r)
{
    struct json_text key;

    *r = (struct rules){ .base_precision = 8, .quote_precision = 8 };
    (void)json_object(j);
    while (json_key(j, &key)) {
        if (JSON_IS(key, "symbol"))
            (void)json_string(j, &r->symbol);
        else if (JSON_IS(key, "status"))
            (void)json_string(j, &r->status);
        else if (JSON_IS(key, "baseAsset"))
            (void)json_string(j, &r->base);
        else if (JSON_IS(key, "quoteAsset"))
            (void)json_string(j, &r->quote);
        else if (JSON_IS(key, "baseAssetPrecision"))
            (void)json_u64(j, &r->base_precision);
        else if (JSON_IS(key, "quoteAssetPrecision"))
            (void)json_u64(j, &r->quote_precision);
        else if (JSON_IS(key, "orderTypes"))
            read_order_types(j, r);
        else if (JSON_IS(key, "filters") && json_array(j))
            while (json_element(j))
                read_filter(j, r);
        else
            (void)json_skip(j);
    }
}

/* Digits after the point that are needed: "0.01000000" needs 2. False when it is not `digits[.digits]`. */
static bool
decimals_of(const struct json_text *t, unsigned *out)
{
    const char *point = memchr(t->s, '.', t->n);
    int64_t v;
    unsigned n = 0;

    if (point != NULL) {
        const char *end = t->s + t->n;
        for (const char *p = point + 1; p < end; p++) {
            if (*p != '0')
                n = (unsigned)(p - point);
        }
    }
    *out = n;
    return n <= DECIMALS_MAX && t->n > 0 && t->s[0] != '-' && decimal_parse(t->s, t->n, n, &v) == DECODE_OK;
}

/* An increment (tick or step) and the decimals it implies. 0 or absent = the rule is off: one unit of `precision`. */
static bool
read_increment(const struct json_text *t, uint64_t precision, uint8_t *decimals, int64_t *increment)
{
    unsigned n = 0;
    int64_t v = 0;

    if (t->s != NULL && (!decimals_of(t, &n) || decimal_parse(t->s, t->n, n, &v) != DECODE_OK))
        return false;
    if (v == 0) {
        n = precision > 8 ? 8 : (unsigned)precision;
        v = 1;
    }
    *decimals = (uint8_t)n;
    *increment = v;
    return true;
}

/* A limit in an instrument's decimals: what does not fit exactly is rounded up for a minimum and down for a maximum,
 * always against us; what does not fit at all is WIDEST. 0 or absent = the rule is off: `off`. */
static bool
read_limit(const struct json_text *t, unsigned decimals, bool minimum, int64_t off, int64_t *out)
{
    uint64_t v = 0;
    unsigned fraction = 0;
    bool point = false;
    bool rest = false;

    *out = off;
    if (t->s == NULL)
        return true;
    for (size_t i = 0; i < t->n; i++) {
        unsigned d = (unsigned)(t->s[i] - '0');
        if (t->s[i] == '.' && !point && i > 0 && i + 1 < t->n) {
            point = true;
        } else if (d > 9) {
            return false;
        } else if (point && fraction == decimals) {
            rest |= d != 0;
        } else {
            fraction += point;
            v = v > (uint64_t)WIDEST / 10 ? (uint64_t)WIDEST : v * 10 + d;
        }
    }
    for (; fraction < decimals; fraction++)
        v = v > (uint64_t)WIDEST / 10 ? (uint64_t)WIDEST : v * 10;
    if (v > (uint64_t)WIDEST)
        v = (uint64_t)WIDEST;
    if (v == 0 && !rest)
        return t->n > 0;
    *out = (int64_t)v + (minimum && rest);
    return t->n > 0;
}

/* More decimals than the increment needs, as long as the largest value stays small: books hold resting orders from
 * before a coarser tick or step (a BTCUSDT level of 25.426189 was recorded in 2024 with a step of 0.00001), and what
 * does not fit its decimals exactly is refused. */
static void
widen(const struct json_text *max, uint64_t precision, uint8_t *decimals, int64_t *increment)
{
    unsigned from = *decimals;
    unsigned d = precision > 8 ? 8 : (unsigned)precision;
    int64_t v;

    for (; d > from; d--) {
        if (read_limit(max, d, false, WIDEST, &v) && v <= LARGE && *increment <= LARGE / pow10_i64[d - from]) {
            *increment *= pow10_i64[d - from];
            *decimals = (uint8_t)d;
            return;
        }
    }
}

static bool
copy_name(const struct json_text *t, char *to, size_t room)
{
    return t->s != NULL && t->n > 0 && json_unescape(t, to, room) > 0;
}

static bool
refuse(struct fault *fault, const char *symbol, const char *what)
{
    return FAULT(fault, "exchangeInfo: symbol %s: %s", symbol, what);
}

/* Rules as text to an instrument that is valid. */
static bool
build_instrument(const struct rules *r, const char *symbol, struct instrument *out, struct fault *fault)
{
    struct instrument i = { .kind = INSTRUMENT_SPOT, .multiplier = VALUE_ONE };

    if (!copy_name(&r->symbol, i.symbol, sizeof(i.symbol)) || !copy_name(&r->base, i.base, sizeof(i.base)) ||
        !copy_name(&r->quote, i.quote, sizeof(i.quote)))
        return refuse(fault, symbol, "symbol, baseAsset or quoteAsset is missing or too long");
    int n = snprintf(i.canonical, sizeof(i.canonical), "%s/%s", i.base, i.quote);
    if (n < 0 || (size_t)n >= sizeof(i.canonical))
        return refuse(fault, symbol, "baseAsset and quoteAsset together are too long");
    memcpy(i.settle, i.quote, sizeof(i.settle));
    i.status = JSON_IS(r->status, "TRADING")       ? INSTRUMENT_TRADING
               : JSON_IS(r->status, "CANCEL_ONLY") ? INSTRUMENT_CANCEL_ONLY
                                                   : INSTRUMENT_CLOSED;
    if (!read_increment(&r->tick, r->quote_precision, &i.px_decimals, &i.tick))
        return refuse(fault, symbol, "PRICE_FILTER tickSize is not a decimal >= 0");
    if (!read_increment(&r->step, r->base_precision, &i.qty_decimals, &i.step))
        return refuse(fault, symbol, "LOT_SIZE stepSize is not a decimal >= 0");
    widen(&r->px_max, r->quote_precision, &i.px_decimals, &i.tick);
    widen(&r->qty_max, r->base_precision, &i.qty_decimals, &i.step);
    if (!read_limit(&r->px_min, i.px_decimals, true, i.tick, &i.px_min) ||
        !read_limit(&r->px_max, i.px_decimals, false, WIDEST, &i.px_max) || i.px_min > i.px_max)
        return refuse(fault, symbol, "PRICE_FILTER minPrice and maxPrice are not a range");
    if (!read_limit(&r->qty_min, i.qty_decimals, true, i.step, &i.qty_min) ||
        !read_limit(&r->qty_max, i.qty_decimals, false, WIDEST, &i.qty_max) || i.qty_min > i.qty_max)
        return refuse(fault, symbol, "LOT_SIZE minQty and maxQty are not a range");
    if (!read_limit(&r->market_qty_max, i.qty_decimals, false, i.qty_max, &i.market_qty_max))
        return refuse(fault, symbol, "MARKET_LOT_SIZE maxQty is not a decimal >= 0");
    if (!read_limit(&r->notional_min, VALUE_DECIMALS, true, 0, &i.notional_min) ||
        !read_limit(&r->notional_max, VALUE_DECIMALS, false, INT64_MAX, &i.notional_max) ||
        i.notional_min > i.notional_max)
        return refuse(fault, symbol, "minNotional and maxNotional are not a range");
    i.orders_max = r->orders_max > UINT32_MAX ? UINT32_MAX : (uint32_t)r->orders_max;
    i.order_types = r->order_types;
    i.tifs = 1u << TIF_GTC | 1u << TIF_IOC | 1u << TIF_FOK; /* Spot: every symbol takes the three */
    *out = i;
    return true;
}

static void
read_rate_limit(struct json_scan *j, struct binance_limits *limits)
{
    struct json_text key;
    struct json_text type = { 0 };
    struct json_text interval = { 0 };
    uint64_t num = 0;
    uint64_t limit = 0;

    (void)json_object(j);
    while (json_key(j, &key)) {
        if (JSON_IS(key, "rateLimitType"))
            (void)json_string(j, &type);
        else if (JSON_IS(key, "interval"))
            (void)json_string(j, &interval);
        else if (JSON_IS(key, "intervalNum"))
            (void)json_u64(j, &num);
        else if (JSON_IS(key, "limit"))
            (void)json_u64(j, &limit);
        else
            (void)json_skip(j);
    }
    uint32_t value = limit > UINT32_MAX ? UINT32_MAX : (uint32_t)limit;
    if (JSON_IS(type, "REQUEST_WEIGHT") && JSON_IS(interval, "MINUTE") && num == 1)
        limits->weight_per_minute = value;
    else if (JSON_IS(type, "ORDERS") && JSON_IS(interval, "SECOND") && num == 10)
        limits->orders_per_10s = value;
    else if (JSON_IS(type, "ORDERS") && JSON_IS(interval, "DAY") && num == 1)
        limits->orders_per_day = value;
}

static size_t
wanted_index(const struct json_text *symbol, const char *const *symbols, size_t count)
{
    char name[SYMBOL_BYTES];

    if (!copy_name(symbol, name, sizeof(name)))
        return count;
    size_t i = 0;
    while (i < count && strcmp(symbols[i], name) != 0)
        i++;
    return i;
}

/* Every symbol of the list; those wanted become instruments. `version` 1 marks what was found until the end. */
static bool
read_symbols(struct json_scan *j, const char *const *symbols, size_t count, struct instrument *out, struct fault *fault)
{
    struct rules r;

    (void)json_array(j);
    while (json_element(j)) {
        read_rules(j, &r);
        if (j->bad)
            return true; /* reported as malformed by the caller */
        size_t i = wanted_index(&r.symbol, symbols, count);
        if (i == count)
            continue;
        if (!build_instrument(&r, symbols[i], &out[i], fault))
            return false;
        out[i].version = 1;
    }
    return true;
}

bool
binance_ref_exchange_info(const char *buf, size_t len, const char *const *symbols, size_t count, struct instrument *out,
                          struct binance_limits *limits, struct fault *fault)
{
    struct json_scan j;
    struct json_text key;

    *limits = (struct binance_limits){ 0 };
    memset(out, 0, count * sizeof(*out));
    json_init(&j, buf, len);
    (void)json_object(&j);
    while (json_key(&j, &key)) {
        if (JSON_IS(key, "rateLimits") && json_array(&j)) {
            while (json_element(&j))
                read_rate_limit(&j, limits);
        } else if (JSON_IS(key, "symbols")) {
            if (!read_symbols(&j, symbols, count, out, fault))
                return false;
        } else {
            (void)json_skip(&j);
        }
    }
    if (!json_done(&j))
        return FAULT(fault, "exchangeInfo: the answer is not the JSON text that was expected (%zu bytes)", len);
    for (size_t i = 0; i < count; i++) {
        if (out[i].version == 0)
            return refuse(fault, symbols[i], "the venue does not list it");
        out[i].version = 0;
    }
    return true;
}
