/* Binance Spot order entry, second half: answers and the private stream become venue reports.
 *
 * A message is first read whole (so that one cut short says nothing), then taken apart. What an error code proves is a
 * table; what no row proves is VENUE_UNKNOWN.
 *
 * Always true: a report names the order by our ClOrdID where the message says it; nothing is reported as refused,
 * filled or canceled from a message that could not be read to its end.
 * Called from the loop thread only. */
#include "engine/venue/binance_oe_read.h"

static void
on_ping(const struct binance_answer *a)
{
    (void)a;
}

static void (*const on_answer[VENUE_RQ_COUNT])(const struct binance_answer *) = {
    [VENUE_RQ_TIME] = binance_on_time,
    [VENUE_RQ_LOGON] = binance_on_logon,
    [VENUE_RQ_STREAM] = binance_on_stream,
    [VENUE_RQ_NEW] = binance_on_new,
    [VENUE_RQ_CANCEL] = binance_on_cancel,
    [VENUE_RQ_REPLACE] = binance_on_replace,
    [VENUE_RQ_QUERY] = binance_on_query,
    [VENUE_RQ_TRADES] = binance_on_trades,
    [VENUE_RQ_OPEN_ORDERS] = binance_on_open_orders,
    [VENUE_RQ_PING] = on_ping,
    [VENUE_RQ_BALANCES] = binance_on_balances,
};

/* An answer that cannot be read, to a request that is known: nothing is proven. */
static enum decode_result
answer_unreadable(struct binance_answer *a, const char *why)
{
    a->status = 0;
    a->code = 0;
    (void)snprintf(a->text, sizeof(a->text), "%s", why);
    if (a->id.kind == VENUE_RQ_TIME || a->id.kind == VENUE_RQ_PING)
        return DECODE_MALFORMED;
    a->data = (struct json_value){ 0 };
    on_answer[a->id.kind](a);
    return DECODE_OK;
}

/* ---- what every answer says of the budgets ---- */

enum { LM_TYPE, LM_INTERVAL, LM_NUM, LM_LIMIT, LM_COUNT_NOW, LM_COUNT };

static const char *const limit_member[LM_COUNT] = {
    [LM_TYPE] = "rateLimitType", [LM_INTERVAL] = "interval", [LM_NUM] = "intervalNum",
    [LM_LIMIT] = "limit",        [LM_COUNT_NOW] = "count",
};

/* Which budget a row of rateLimits is about, and its window; VENUE_BUDGET_COUNT: none that is kept. */
static enum venue_budget
limit_kind(const struct json_value m[LM_COUNT], int64_t num, int64_t *window_ns)
{
    static const struct {
        const char *interval;
        int64_t seconds;
    } unit[] = { { "SECOND", 1 }, { "MINUTE", 60 }, { "HOUR", 3600 }, { "DAY", 86400 } };

    *window_ns = 0;
    for (size_t i = 0; i < ARRAY_LEN(unit) && num > 0 && num <= 1000; i++)
        if (json_value_equals(m[LM_INTERVAL], unit[i].interval))
            *window_ns = unit[i].seconds * num * NS_PER_S;
    if (*window_ns == 0)
        return VENUE_BUDGET_COUNT;
    if (json_value_equals(m[LM_TYPE], "REQUEST_WEIGHT"))
        return VENUE_BUDGET_WEIGHT;
    if (json_value_equals(m[LM_TYPE], "ORDERS"))
        return *window_ns >= INT64_C(86400) * NS_PER_S ? VENUE_BUDGET_ORDERS_DAY : VENUE_BUDGET_ORDERS;
    return VENUE_BUDGET_COUNT;
}

/* What every answer says of the budgets. A row that cannot be read is left out: it is news, not exposure. */
static void
rates_read(struct json_value rates, const struct venue_sink *sink)
{
    struct json_scan j;
    struct json_text span;
    struct json_value m[LM_COUNT];
    int64_t num;

    if (!json_value_is(rates, JSON_ARRAY))
        return;
    json_init(&j, rates.s, rates.n);
    (void)json_array(&j);
    while (json_element(&j)) {
        struct venue_report r = venue_report_of(VENUE_RATE_BUDGET, VENUE_RQ_COUNT);
        if (!json_raw(&j, &span))
            return;
        if (!json_members((struct json_value){ span.s, span.n }, limit_member, LM_COUNT, m) ||
            !json_value_i64(m[LM_NUM], &num) || !json_value_i64(m[LM_LIMIT], &r.qty) ||
            !json_value_i64(m[LM_COUNT_NOW], &r.cum_qty) || r.qty <= 0 || r.cum_qty < 0)
            continue;
        r.code = (int32_t)limit_kind(m, num, &r.retry_after_ns);
        if (r.code != VENUE_BUDGET_COUNT)
            binance_report(sink, &r);
    }
}

#define QUIET_MAX_NS (INT64_C(7) * 24 * 3600 * NS_PER_S)

static COLD void
rate_limited(const struct binance_answer *a)
{
    static const char *const name[] = { "retryAfter", "serverTime" };
    struct venue_report r = venue_report_of(VENUE_RATE_LIMITED, VENUE_RQ_COUNT);
    struct json_value m[2];
    int64_t wait_ns = (a->status == 418 ? 120 : 60) * NS_PER_S; /* the venue's shortest ban, its counting window */

    if (a->code == -1015) /* too many orders: nothing but orders has to wait */
        r.request = VENUE_RQ_NEW;
    r.code = a->code;
    binance_report_text(&r, a->text);
    if (json_value_is(a->data, JSON_OBJECT) && json_members(a->data, name, 2, m)) {
        r.retry_after_ns = binance_time_ns(m[0]);
        r.venue_time_ns = binance_time_ns(m[1]);
    }
    if (r.venue_time_ns == 0)
        r.venue_time_ns = a->now.wall.ns + a->b->clock_offset_ns;
    if (r.retry_after_ns <= r.venue_time_ns || r.retry_after_ns - r.venue_time_ns > QUIET_MAX_NS)
        r.retry_after_ns = r.venue_time_ns + wait_ns; /* none was said, or one that cannot be meant */
    binance_report(a->sink, &r);
}

/* ---- messages ---- */

/* An answer that names no request of ours: a revoked key, or a request that the venue could not even take apart. */
static COLD enum decode_result
orphan(const struct binance_answer *a)
{
    enum venue_report_kind kind = VENUE_UNKNOWN;

    if (a->status == 401 || a->code == -2015 || a->code == -2014) {
        a->b->logged_on = false;
        kind = VENUE_LOGON_REFUSED;
    }
    struct venue_report r = venue_report_of(kind, VENUE_RQ_COUNT);
    r.code = a->code;
    binance_report_text(&r, a->text[0] != '\0' ? a->text : "answer names no request of ours");
    binance_report(a->sink, &r);
    if (kind == VENUE_LOGON_REFUSED) {
        r.kind = VENUE_STREAM_DOWN;
        binance_report(a->sink, &r);
    }
    return DECODE_OK;
}

/* The request that an id names; false when we can have made none such. */
static bool
id_read(struct binance_answer *a, struct json_value id)
{
    struct json_text t;
    struct binance_id of;

    if (!json_value_text(id, &t) || t.escaped || !binance_id_decode(t.s, t.n, &of) ||
        (of.instrument != INSTRUMENT_NONE && of.instrument >= a->b->cfg.instruments.count))
        return false;
    a->id = of;
    return true;
}

static enum decode_result
decode_answer(struct binance_answer *a, struct json_value id, struct json_value status, struct json_value error)
{
    bool known = id_read(a, id);

    if (!known)
        a->id = (struct binance_id){ .kind = VENUE_RQ_COUNT, .instrument = INSTRUMENT_NONE };
    if (!json_value_i64(status, &a->status) || a->status < 100 || a->status > 599) {
        a->status = 0;
        return known ? answer_unreadable(a, "answer without a readable status") : orphan(a);
    }
    if (a->status != 200)
        (void)binance_error_read(error, &a->code, a->text, &a->data);
    if (a->status == 429 || a->status == 418 || a->code == -1003 || a->code == -1015)
        rate_limited(a);
    if (!known)
        return orphan(a);
    if (a->id.kind == VENUE_RQ_PING)
        return DECODE_IGNORED;
    on_answer[a->id.kind](a);
    return DECODE_OK;
}

enum { MM_ID, MM_STATUS, MM_RESULT, MM_ERROR, MM_EVENT, MM_E, MM_RATES, MM_COUNT };

static const char *const message_member[MM_COUNT] = {
    [MM_ID] = "id",       [MM_STATUS] = "status", [MM_RESULT] = "result",    [MM_ERROR] = "error",
    [MM_EVENT] = "event", [MM_E] = "e",           [MM_RATES] = "rateLimits",
};

/* Where the value of a broken message's "event" starts; s NULL when it has none. */
static struct json_value
event_salvage(struct json_value message)
{
    struct json_scan j;
    struct json_text key;

    json_init(&j, message.s, message.n);
    if (!json_object(&j))
        return (struct json_value){ 0 };
    while (json_key(&j, &key)) {
        if (JSON_IS(key, "event"))
            return (struct json_value){ j.p, (size_t)(j.end - j.p) };
        if (!json_skip(&j))
            break;
    }
    return (struct json_value){ 0 };
}

/* Not one whole JSON object. What it was about is said as far as it can be read. */
static COLD enum decode_result
decode_broken(struct binance_answer *a, struct json_value message, const struct json_value m[MM_COUNT])
{
    if (id_read(a, m[MM_ID]))
        return answer_unreadable(a, "answer cannot be read to its end");
    struct json_value event = event_salvage(message);
    if (!json_value_set(event) && json_value_set(m[MM_E]))
        event = message;
    if (json_value_set(event))
        return binance_event_decode(a->b, event, false, a->sink);
    struct venue_report r = venue_report_of(VENUE_UNKNOWN, VENUE_RQ_COUNT);
    binance_report_text(&r, "message is not JSON that can be read");
    binance_report(a->sink, &r);
    return DECODE_OK;
}

enum decode_result
binance_decode(struct venue_adapter *adapter, const uint8_t *msg, size_t len, struct now now,
               const struct venue_sink *sink)
{
    struct binance_answer a = { .b = (struct binance_oe *)(void *)adapter, .sink = sink, .now = now };
    struct json_value message = { (const char *)msg, len };
    struct json_value m[MM_COUNT];

    if (unlikely(!json_members(message, message_member, MM_COUNT, m)))
        return decode_broken(&a, message, m);
    if (json_value_is(m[MM_EVENT], JSON_OBJECT))
        return binance_event_decode(a.b, m[MM_EVENT], true, sink);
    if (json_value_set(m[MM_E]))
        return binance_event_decode(a.b, message, true, sink);
    if (!json_value_set(m[MM_ID]) && !json_value_set(m[MM_STATUS]) && !json_value_set(m[MM_ERROR]))
        return json_value_set(m[MM_EVENT]) ? decode_broken(&a, message, m) : DECODE_IGNORED;
    a.result = m[MM_RESULT];
    rates_read(m[MM_RATES], sink);
    return decode_answer(&a, m[MM_ID], m[MM_STATUS], m[MM_ERROR]);
}
