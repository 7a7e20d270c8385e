/* One request: who asks, may they, are the parameters what they must be; then its handler.
 *
 * The same checks in the same order for the WebSocket API and REST, from the tables of binance_trade.c and
 * binance_query.c. Nothing is carried out before every check has passed. */
#include "bench/venue/binance.h"

#include <stdarg.h>

static const struct call_def *const tables[] = { trade_calls, query_calls, account_calls, control_calls };

static bool
is_end(const struct call_def *d)
{
    return d->run == NULL;
}

const struct call_def *
call_find_ws(const char *method)
{
    if (strncmp(method, "v3/", 3) == 0)
        method += 3;
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        for (const struct call_def *d = tables[i]; !is_end(d); d++)
            if (d->ws != NULL && strcmp(d->ws, method) == 0)
                return d;
    return NULL;
}

const struct call_def *
call_find_rest(enum http_method method, const char *path, bool *other)
{
    *other = false;
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        for (const struct call_def *d = tables[i]; !is_end(d); d++) {
            if (d->path == NULL || strcmp(d->path, path) != 0)
                continue;
            if (d->method == method || (method == HTTP_HEAD && d->method == HTTP_GET))
                return d;
            *other = true;
        }
    return NULL;
}

void
call_free(struct call *c)
{
    text_free(&c->result);
    text_free(&c->data);
}

void
call_fail(struct call *c, unsigned status, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(c->msg, sizeof(c->msg), fmt, ap);
    va_end(ap);
    c->status = status;
    c->code = code;
}

void
call_fail_engine(struct call *c, const struct emu_error *err)
{
    call_fail(c, err->code == -1008 ? 503 : 400, err->code, "%s", err->msg);
}

/* ---- parameters ----------------------------------------------------------------------------------------------- */

const char *
call_text(const struct call *c, const char *name)
{
    const char *s = params_find(c->params, name);
    /* Clients of the WebSocket API send "" for what they leave out; over REST check_names has refused it. */
    return s != NULL && s[0] == '\0' ? NULL : s;
}

static bool
malformed(struct call *c, const char *name)
{
    call_fail(c, 400, -1102, "Mandatory parameter '%s' was not sent, was empty/null, or malformed.", name);
    return false;
}

bool
call_decimal(struct call *c, const char *name, int64_t *out)
{
    const char *s = call_text(c, name);
    if (s == NULL)
        return true;
    switch (decimal_parse(s, strlen(s), VALUE_DECIMALS, out)) {
    case DECODE_OK:
        if (*out >= 0)
            return true;
        break;
    case DECODE_PRECISION: call_fail(c, 400, -1111, "Parameter '%s' has too much precision.", name); return false;
    case DECODE_RANGE: call_fail(c, 400, -1108, "Parameter '%s' overflowed.", name); return false;
    default: break;
    }
    call_fail(c, 400, -1100,
              "Illegal characters found in parameter '%s'; legal range is '^([0-9]{1,20})(\\.[0-9]{1,20})?$'.", name);
    return false;
}

bool
call_int(struct call *c, const char *name, int64_t min, int64_t max, int64_t *out)
{
    const char *s = call_text(c, name);
    int64_t v = 0;
    if (s == NULL)
        return true;
    if (decimal_parse(s, strlen(s), 0, &v) != DECODE_OK) {
        call_fail(c, 400, -1100, "Illegal characters found in parameter '%s'; legal range is '^[0-9]{1,20}$'.", name);
        return false;
    }
    if (v < min || v > max) {
        call_fail(c, 400, -1130, "Data sent for parameter '%s' is not valid.", name);
        return false;
    }
    *out = v;
    return true;
}

bool
call_bool(struct call *c, const char *name, bool *out)
{
    const char *s = call_text(c, name);
    if (s == NULL)
        return true;
    if (strcasecmp(s, "true") != 0 && strcasecmp(s, "false") != 0) {
        call_fail(c, 400, -1130, "Data sent for parameter '%s' is not valid.", name);
        return false;
    }
    *out = strcasecmp(s, "true") == 0;
    return true;
}

/* A time of 13 digits is milliseconds, of 16 microseconds. */
static int64_t
time_to_us(int64_t v)
{
    return v < INT64_C(100000000000000) ? v * 1000 : v;
}

bool
call_time(struct call *c, const char *name, int64_t *out_us)
{
    int64_t v = -1;
    if (!call_int(c, name, 0, INT64_C(10000000000000000), &v))
        return false;
    if (v >= 0)
        *out_us = time_to_us(v);
    return true;
}

static bool
legal_symbol(const char *s)
{
    size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");
    return n >= 1 && n <= 20 && s[n] == '\0';
}

static int
find_symbol(struct call *c, const char *name)
{
    int i = emu_symbol_find(c->venue->base.engine, name);
    if (i < 0) {
        if (legal_symbol(name))
            call_fail(c, 400, -1121, "Invalid symbol.");
        else
            call_fail(c, 400, -1100,
                      "Illegal characters found in parameter 'symbol'; legal range is '^[A-Z0-9-_.]{1,20}$'.");
    }
    return i;
}

bool
call_symbol(struct call *c, int *out)
{
    const char *s = call_text(c, "symbol");
    if (s == NULL || s[0] == '\0')
        return malformed(c, "symbol");
    *out = find_symbol(c, s);
    return *out >= 0;
}

/* `["A","B"]`, or a bare comma list. */
static bool
symbol_list(struct call *c, const char *s, int *out, int *count)
{
    while (*s != '\0') {
        size_t skip = strspn(s, "[]\", ");
        s += skip;
        size_t n = strcspn(s, "[]\", ");
        if (n == 0)
            continue;
        char name[EMU_NAME_MAX + 8];
        (void)snprintf(name, sizeof(name), "%.*s", (int)MIN(n, sizeof(name) - 1), s);
        int i = find_symbol(c, name);
        if (i < 0)
            return false;
        for (int k = 0; k < *count; k++)
            if (out[k] == i) {
                call_fail(c, 400, -1151, "Symbol is present multiple times in the list.");
                return false;
            }
        out[(*count)++] = i;
        s += n;
    }
    return *count != 0 || malformed(c, "symbols");
}

bool
call_symbols(struct call *c, int *out, int *count, bool *single)
{
    const char *one = call_text(c, "symbol");
    const char *many = call_text(c, "symbols");

    *count = 0;
    *single = one != NULL;
    if (one != NULL && many != NULL) {
        call_fail(c, 400, -1128, "Combination of optional parameters invalid.");
        return false;
    }
    if (one != NULL) {
        *count = 1;
        return call_symbol(c, out);
    }
    if (many != NULL)
        return symbol_list(c, many, out, count);
    for (int i = 0; i < emu_symbol_count(c->venue->base.engine); i++)
        out[(*count)++] = i;
    return true;
}

int64_t
call_stamp(const struct call *c, int64_t us)
{
    return stamp(us, c->micro);
}

/* Is `name` one of the words? */
static bool
word_in(const char *words, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = words != NULL ? words : ""; n != 0 && (p = strstr(p, name)) != NULL; p += n)
        if (p != words && p[-1] == ' ' && p[n] == ' ')
            return true;
    return false;
}

/* Parameters that any request of its security may carry. */
static bool
common_param(const struct call *c, const char *name)
{
    static const char on_ws[] = " returnRateLimits ";
    static const char keyed[] = " apiKey ";
    static const char with_signature[] = " apiKey timestamp recvWindow signature ";

    if (c->session != NULL && word_in(on_ws, name))
        return true;
    if (c->def->security == CALL_SIGNED)
        return word_in(with_signature, name);
    return c->def->security == CALL_KEY && word_in(keyed, name);
}

static bool
check_names(struct call *c)
{
    size_t known = 0;

    for (size_t i = 0; i < c->params->count; i++) {
        const char *name = c->params->at[i].name;
        for (size_t k = 0; k < i; k++)
            if (strcmp(c->params->at[k].name, name) == 0) {
                call_fail(c, 400, -1101, "Duplicate values for parameter '%.60s' detected.", name);
                return false;
            }
        if (c->session == NULL && c->params->at[i].value[0] == '\0' && !word_in(c->def->need, name)) {
            call_fail(c, 400, -1105, "Parameter '%.60s' was empty.", name);
            return false;
        }
        known += c->def->params[0] == '*' || common_param(c, name) || word_in(c->def->params, name);
    }
    if (known != c->params->count) {
        if (c->def->params[0] == '\0' && c->def->security == CALL_PUBLIC)
            call_fail(c, 400, -1101, "Too many parameters; expected '0' and received '%zu'.", c->params->count);
        else
            call_fail(c, 400, -1104, "Not all sent parameters were read; read '%zu' parameter(s) but was sent '%zu'.",
                      known, c->params->count);
        return false;
    }
    for (const char *p = c->def->need; p != NULL && *p != '\0';) {
        char name[40];
        p += strspn(p, " ");
        size_t n = strcspn(p, " ");
        if (n == 0)
            break;
        (void)snprintf(name, sizeof(name), "%.*s", (int)n, p);
        const char *value = call_text(c, name);
        if (value == NULL || value[0] == '\0')
            return malformed(c, name);
        p += n;
    }
    return true;
}

/* ---- who asks ------------------------------------------------------------------------------------------------- */

static bool
check_time(struct call *c)
{
    int64_t window_us = RECV_WINDOW_MS * INT64_C(1000);
    int64_t at_us = 0;
    const char *w = call_text(c, "recvWindow");
    const char *t = call_text(c, "timestamp");

    if (t == NULL || t[0] == '\0')
        return malformed(c, "timestamp");
    if (!call_time(c, "timestamp", &at_us))
        return false;
    if (w != NULL && (decimal_parse(w, strlen(w), 3, &window_us) != DECODE_OK || window_us < 0)) {
        call_fail(c, 400, -1100, "Illegal characters found in parameter 'recvWindow'; legal range is '^[0-9]{1,20}$'.");
        return false;
    }
    if (window_us > RECV_WINDOW_MAX_MS * INT64_C(1000)) {
        call_fail(c, 400, -1131, "recvWindow must be less than 60000.");
        return false;
    }
    if (at_us >= c->now_us + 1000000) {
        call_fail(c, 400, -1021, "Timestamp for this request was 1000ms ahead of the server's time.");
        return false;
    }
    if (c->now_us - at_us > window_us) {
        call_fail(c, 400, -1021, "Timestamp for this request is outside of the recvWindow.");
        return false;
    }
    return true;
}

/* Finds key and account. A WebSocket session that is logged on needs neither apiKey nor signature. */
static bool
check_key(struct call *c, bool *by_logon)
{
    const char *name = c->api_key;

    *by_logon = false;
    if (c->session != NULL && name == NULL) {
        if (c->session->logon == NULL)
            return malformed(c, "apiKey");
        *by_logon = true;
        c->key = c->session->logon;
    } else {
        if (name == NULL || name[0] == '\0' ||
            strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                         "0123456789-_") != strlen(name)) {
            call_fail(c, 401, -2014, "API-key format invalid.");
            return false;
        }
        c->key = keyring_find(&c->venue->base.keys, name);
    }
    int account = c->key != NULL ? emu_account_find(c->venue->base.engine, c->key->account) : -1;
    if (account < 0) {
        call_fail(c, 401, -2015, "Invalid API-key, IP, or permissions for action.");
        return false;
    }
    c->account = (uint32_t)account;
    return true;
}

static bool
check_signature(struct call *c)
{
    bool ok;

    if (c->session == NULL && params_find(c->params, "signature") == NULL)
        return malformed(c, "signature");
    if (c->session != NULL) {
        const char *s = call_text(c, "signature");
        if (s == NULL || s[0] == '\0')
            return malformed(c, "signature");
        ok = sign_check_ws(c->key, c->params);
    } else {
        ok = sign_check_rest(c->key, c->query, c->body, c->body_len);
    }
    if (!ok)
        call_fail(c, 400, -1022, "Signature for this request is not valid.");
    return ok;
}

static bool
check_access(struct call *c)
{
    bool by_logon = false;

    if (c->def->security == CALL_PUBLIC)
        return true;
    if (!check_key(c, &by_logon))
        return false;
    if (c->def->security == CALL_KEY)
        return true;
    return (by_logon || check_signature(c)) && check_time(c);
}

/* ---- limits --------------------------------------------------------------------------------------------------- */

static bool
check_weight(struct call *c)
{
    struct binance *v = c->venue;

    (void)emu_limit_add(&v->raw, c->now_us, 1);
    if (emu_limit_count(&v->weight, c->now_us) + c->weight <= v->weight_max)
        return true;
    (void)emu_limit_add(&v->weight, c->now_us, c->weight);
    c->retry_after_us = emu_limit_resets_us(&v->weight, c->now_us);
    call_fail(c, 429, -1003,
              "Too much request weight used; current limit is %d request weight per 1 MINUTE. Please use WebSocket "
              "Streams for live updates to avoid polling the API.",
              v->weight_max);
    return false;
}

static void
limit_json(struct text *t, const char *type, const char *interval, int num, int limit, int32_t count)
{
    text_comma(t);
    text_put(t, "{");
    text_key_word(t, "rateLimitType", type);
    text_key_word(t, "interval", interval);
    text_key_int(t, "intervalNum", num);
    text_key_int(t, "limit", limit);
    text_key_int(t, "count", count);
    text_put(t, "}");
}

void
call_rate_limits(struct binance *v, const struct call *c, struct text *t)
{
    text_put(t, "[");
    if (c->counts_order && c->key != NULL) {
        struct emu_order_limits *o = &v->orders[c->account];
        limit_json(t, "ORDERS", "SECOND", 10, o->ten_seconds.limit, emu_limit_count(&o->ten_seconds, c->now_us));
        limit_json(t, "ORDERS", "DAY", 1, o->day.limit, emu_limit_count(&o->day, c->now_us));
    }
    limit_json(t, "REQUEST_WEIGHT", "MINUTE", 1, v->weight_max, emu_limit_count(&v->weight, c->now_us));
    text_put(t, "]");
}

static void
retry_data(struct call *c)
{
    text_put(&c->data, "{");
    text_key_int(&c->data, "serverTime", call_stamp(c, c->now_us));
    text_key_int(&c->data, "retryAfter", call_stamp(c, c->retry_after_us));
    text_put(&c->data, "}");
}

void
call_run(struct call *c)
{
    c->status = 200;
    c->weight = c->def->weight;
    if (check_weight(c) && check_access(c) && check_names(c))
        c->def->run(c);
    /* Orders that succeed weigh nothing (since 2026-04-02). */
    if (c->status != 429 && !(c->counts_order && c->status == 200))
        (void)emu_limit_add(&c->venue->weight, c->now_us, c->weight);
    if (c->status != 429 || c->retry_after_us == 0 || c->data_done)
        return;
    retry_data(c);
}

/* ---- faults --------------------------------------------------------------------------------------------------- */

static const struct {
    enum fault_kind kind;
    unsigned status;
    int code;
    const char *msg;
} fault_answers[] = {
    { FAULT_1007, 504, -1007,
      "Timeout waiting for response from backend server. Send status unknown; execution status unknown." },
    { FAULT_1006, 502, -1006, "An unexpected response was received from the message bus. Execution status unknown." },
    { FAULT_1008, 503, -1008,
      "Server is currently overloaded with other requests. Please try again in a few minutes." },
    { FAULT_500, 500, -1000, "An unknown error occurred while processing the request." },
};

bool
fault_before(const struct fault_hits *h, struct call *c)
{
    bool banned = fault_hit(h, FAULT_418);

    if (!banned && !fault_hit(h, FAULT_429))
        return h->accept;
    c->retry_after_us = c->now_us + (int64_t)h->wait_ms * 1000;
    if (banned)
        call_fail(c, 418, -1003,
                  "Way too much request weight used; IP banned until %lld. Please use WebSocket Streams for live "
                  "updates to avoid bans.",
                  (long long)(c->retry_after_us / 1000));
    else
        call_fail(c, 429, -1003,
                  "Too much request weight used; current limit is %d request weight per 1 MINUTE. Please use WebSocket "
                  "Streams for live updates to avoid polling the API.",
                  c->venue->weight_max);
    retry_data(c);
    return false;
}

void
fault_after(const struct fault_hits *h, struct call *c)
{
    for (size_t i = 0; i < ARRAY_LEN(fault_answers); i++) {
        if (!fault_hit(h, fault_answers[i].kind))
            continue;
        c->result.len = 0;
        c->data.len = 0;
        call_fail(c, fault_answers[i].status, fault_answers[i].code, "%s", fault_answers[i].msg);
        return;
    }
    if (c->status == 0)
        c->status = 200;
}
