#include "feed/kraken_ref.h"
#include "execgw/order.h"
#include "feed/json_scan.h"

#define WIDEST INT64_C(1000000000000000000)

size_t
kraken_ref_request(char *buf, size_t room, int64_t id)
{
    int n =
        snprintf(buf, room,
                 "{\"method\":\"subscribe\",\"params\":{\"channel\":\"instrument\",\"snapshot\":true},\"req_id\":%lld}",
                 (long long)id);
    return n > 0 && (size_t)n < room ? (size_t)n : 0;
}

static void
copy_text(const struct json_text *t, char to[96])
{
    size_t n = t->n < 95 ? t->n : 95;

    for (size_t i = 0; i < n; i++)
        to[i] = t->s[i] >= ' ' && t->s[i] <= '~' ? t->s[i] : '?';
    to[n] = '\0';
}

enum kraken_ref_answer
kraken_ref_answer(const uint8_t *buf, size_t len, const char **data, size_t *data_len, char text[96])
{
    struct json_scan j;
    struct json_text key;
    struct json_text channel = { .s = NULL };
    struct json_text type = { .s = NULL };
    struct json_text method = { .s = NULL };
    struct json_text error = { .s = NULL };
    struct json_text span = { .s = NULL };

    json_init(&j, buf, len);
    (void)json_object(&j);
    while (json_key(&j, &key)) {
        if (JSON_IS(key, "channel"))
            (void)json_string(&j, &channel);
        else if (JSON_IS(key, "type"))
            (void)json_string(&j, &type);
        else if (JSON_IS(key, "method"))
            (void)json_string(&j, &method);
        else if (JSON_IS(key, "error") && json_peek(&j) == JSON_STRING)
            (void)json_string(&j, &error);
        else if (JSON_IS(key, "data"))
            (void)json_raw(&j, &span);
        else
            (void)json_skip(&j);
    }
    if (!json_done(&j))
        return KRAKEN_REF_OTHER;
    if (error.s != NULL) {
        copy_text(&error, text);
        return KRAKEN_REF_REFUSED;
    }
    if (!JSON_IS(channel, "instrument") || !JSON_IS(type, "snapshot") || span.s == NULL)
        return KRAKEN_REF_OTHER;
    *data = span.s;
    *data_len = span.n;
    return KRAKEN_REF_SNAPSHOT;
}

/* ---- numbers ---- */

/* `digits[.digits][e[+-]digits]` >= 0 as a count of 10^-decimals; exact, or with `up` rounded up. */
static bool
read_scaled(const struct json_text *t, unsigned decimals, bool up, int64_t *out)
{
    uint64_t v = 0;
    int shift = (int)decimals;
    bool point = false;
    bool rest = false;
    size_t i = 0;

    if (t->s == NULL || t->n == 0 || t->s[0] == '-')
        return false;
    for (; i < t->n && t->s[i] != 'e' && t->s[i] != 'E'; i++) {
        if (t->s[i] == '.') {
            point = true;
            continue;
        }
        if (__builtin_mul_overflow(v, UINT64_C(10), &v) || __builtin_add_overflow(v, (uint64_t)(t->s[i] - '0'), &v))
            return false;
        shift -= point;
    }
    if (i < t->n) {
        bool negative = t->s[i + 1] == '-';
        int e = 0;
        for (i += negative || t->s[i + 1] == '+' ? 2 : 1; i < t->n; i++)
            e = MIN(e * 10 + (t->s[i] - '0'), 1000);
        shift += negative ? -e : e;
    }
    for (; shift < 0 && v != 0; shift++) {
        rest |= v % 10 != 0;
        v /= 10;
    }
    for (; shift > 0 && v != 0; shift--)
        if (__builtin_mul_overflow(v, UINT64_C(10), &v))
            return false;
    if ((rest && !up) || v > (uint64_t)WIDEST)
        return false;
    *out = (int64_t)v + rest;
    return true;
}

/* ---- pairs ---- */

struct pair {
    struct json_text symbol;
    struct json_text base;
    struct json_text quote;
    struct json_text status;
    struct json_text price_increment;
    struct json_text qty_increment;
    struct json_text qty_min;
    struct json_text cost_min;
    uint64_t price_precision;
    uint64_t qty_precision;
};

static void
read_pair(struct json_scan *j, struct pair *p)
{
    struct json_text key;

    *p = (struct pair){ .price_precision = UINT64_MAX, .qty_precision = UINT64_MAX };
    (void)json_object(j);
    while (json_key(j, &key)) {
        if (JSON_IS(key, "symbol"))
            (void)json_string(j, &p->symbol);
        else if (JSON_IS(key, "base"))
            (void)json_string(j, &p->base);
        else if (JSON_IS(key, "quote"))
            (void)json_string(j, &p->quote);
        else if (JSON_IS(key, "status"))
            (void)json_string(j, &p->status);
        else if (JSON_IS(key, "price_precision"))
            (void)json_u64(j, &p->price_precision);
        else if (JSON_IS(key, "qty_precision"))
            (void)json_u64(j, &p->qty_precision);
        else if (JSON_IS(key, "price_increment"))
            (void)json_number(j, &p->price_increment);
        else if (JSON_IS(key, "qty_increment"))
            (void)json_number(j, &p->qty_increment);
        else if (JSON_IS(key, "qty_min"))
            (void)json_number(j, &p->qty_min);
        else if (JSON_IS(key, "cost_min") && json_peek(j) == JSON_NUMBER)
            (void)json_number(j, &p->cost_min);
        else
            (void)json_skip(j);
    }
}

static bool
copy_name(const struct json_text *t, char *to, size_t room)
{
    if (t->s == NULL)
        return false;
    int n = json_unescape(t, to, room);
    return n > 0;
}

static bool
refuse(struct fault *fault, const char *symbol, const char *what)
{
    return FAULT(fault, "instrument channel: symbol %s: %s", symbol, what);
}

/* What may be ordered in each state of a pair; one that is not in the list is closed to us. */
static void
read_status(const struct json_text *t, struct instrument *i)
{
    i->status = INSTRUMENT_CLOSED;
    i->order_types = 1u << ORDER_LIMIT | 1u << ORDER_MARKET;
    if (JSON_IS(*t, "online"))
        i->status = INSTRUMENT_TRADING;
    else if (JSON_IS(*t, "limit_only")) {
        i->status = INSTRUMENT_TRADING;
        i->order_types = 1u << ORDER_LIMIT;
    } else if (JSON_IS(*t, "cancel_only") || JSON_IS(*t, "post_only") || JSON_IS(*t, "reduce_only")) {
        i->status = INSTRUMENT_CANCEL_ONLY; /* of the last two more may pass; nothing here needs it to */
    }
}

static bool
build_instrument(const struct pair *p, const char *symbol, struct instrument *out, struct fault *fault)
{
    struct instrument i = { .kind = INSTRUMENT_SPOT, .multiplier = VALUE_ONE };

    if (!copy_name(&p->symbol, i.symbol, sizeof(i.symbol)) || !copy_name(&p->base, i.base, sizeof(i.base)) ||
        !copy_name(&p->quote, i.quote, sizeof(i.quote)))
        return refuse(fault, symbol, "symbol, base or quote is missing or too long");
    int n = snprintf(i.canonical, sizeof(i.canonical), "%s/%s", i.base, i.quote);
    if (n < 0 || (size_t)n >= sizeof(i.canonical))
        return refuse(fault, symbol, "base and quote together are too long");
    memcpy(i.settle, i.quote, sizeof(i.settle));
    read_status(&p->status, &i);
    if (p->price_precision > DECIMALS_MAX || p->qty_precision > DECIMALS_MAX)
        return refuse(fault, symbol, "price_precision or qty_precision is missing or above 18");
    i.px_decimals = (uint8_t)p->price_precision;
    i.qty_decimals = (uint8_t)p->qty_precision;
    if (!read_scaled(&p->price_increment, i.px_decimals, false, &i.tick) || i.tick < 1)
        return refuse(fault, symbol, "price_increment is not a positive number of price_precision digits");
    if (!read_scaled(&p->qty_increment, i.qty_decimals, false, &i.step) || i.step < 1)
        return refuse(fault, symbol, "qty_increment is not a positive number of qty_precision digits");
    if (!read_scaled(&p->qty_min, i.qty_decimals, true, &i.qty_min))
        return refuse(fault, symbol, "qty_min is not a number");
    if (p->cost_min.s != NULL && !read_scaled(&p->cost_min, VALUE_DECIMALS, true, &i.notional_min))
        return refuse(fault, symbol, "cost_min is not a number");
    i.qty_min = MAX(i.qty_min, i.step);
    i.px_min = i.tick;
    i.px_max = WIDEST;
    i.qty_max = WIDEST;
    i.market_qty_max = WIDEST;
    i.notional_max = INT64_MAX;
    i.tifs = 1u << TIF_GTC | 1u << TIF_IOC | 1u << TIF_FOK;
    *out = i;
    return true;
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

bool
kraken_ref_instruments(const char *buf, size_t len, const char *const *symbols, size_t count, struct instrument *out,
                       struct fault *fault)
{
    struct json_scan j;
    struct json_text key;
    struct pair p;

    memset(out, 0, count * sizeof(*out));
    json_init(&j, buf, len);
    (void)json_object(&j);
    while (json_key(&j, &key)) {
        if (!JSON_IS(key, "pairs")) {
            (void)json_skip(&j);
            continue;
        }
        (void)json_array(&j);
        while (json_element(&j)) {
            read_pair(&j, &p);
            size_t i = j.bad ? count : wanted_index(&p.symbol, symbols, count);
            if (i == count)
                continue;
            if (!build_instrument(&p, symbols[i], &out[i], fault))
                return false;
            out[i].version = 1; /* marks what was found until the end */
        }
    }
    if (!json_done(&j))
        return FAULT(fault, "instrument channel: not the JSON text that was expected (%zu bytes)", len);
    for (size_t i = 0; i < count; i++) {
        if (out[i].version == 0)
            return refuse(fault, symbols[i], "the venue does not list it");
        out[i].version = 0;
    }
    return true;
}
