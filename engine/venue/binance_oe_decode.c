/* Binance Spot order entry, second half: answers and the private stream become venue reports.
 *
 * A message is first read whole (so that one cut short says nothing), then taken apart. What an error code proves is a
 * table; what no row proves is VENUE_UNKNOWN.
 *
 * Always true: a report names the order by our ClOrdID where the message says it; nothing is reported as refused,
 * filled or canceled from a message that could not be read to its end.
 * Called from the loop thread only. */
#include "engine/venue/binance_oe.h"
#include "feed/json_scan.h"

/* ---- values: raw JSON text of one value, s NULL when absent ---- */

struct value {
    const char *s;
    size_t n;
};

static bool
value_set(struct value v)
{
    return v.s != NULL;
}

static bool
value_is(struct value v, enum json_type type)
{
    struct json_scan j;

    if (!value_set(v))
        return false;
    json_init(&j, v.s, v.n);
    return json_peek(&j) == type;
}

static bool
value_text(struct value v, struct json_text *out)
{
    struct json_scan j;

    if (!value_set(v))
        return false;
    json_init(&j, v.s, v.n);
    return json_string(&j, out);
}

static bool
value_equals(struct value v, const char *s)
{
    struct json_text t;

    return value_text(v, &t) && json_equals(&t, s, strlen(s));
}

static bool
value_i64(struct value v, int64_t *out)
{
    struct json_scan j;

    if (!value_set(v))
        return false;
    json_init(&j, v.s, v.n);
    return json_i64(&j, out);
}

static bool
value_bool(struct value v, bool *out)
{
    struct json_scan j;

    if (!value_set(v))
        return false;
    json_init(&j, v.s, v.n);
    return json_bool(&j, out);
}

static bool
value_decimal(struct value v, unsigned decimals, int64_t *out)
{
    struct json_scan j;

    if (!value_set(v))
        return false;
    json_init(&j, v.s, v.n);
    return json_decimal(&j, decimals, out) == DECODE_OK;
}

/* Cut to room, printable, NUL-terminated. Nothing when it is no string. */
static void
value_print(struct value v, char *out, size_t room)
{
    struct json_text t;
    size_t n = 0;

    out[0] = '\0';
    if (!value_text(v, &t))
        return;
    for (; n < t.n && n + 1 < room; n++)
        out[n] = t.s[n] >= ' ' && t.s[n] < 0x7f ? t.s[n] : '?';
    out[n] = '\0';
}

/* Venue time, milliseconds or microseconds (timeUnit), as nanoseconds since the epoch; 0 when it is neither. */
static int64_t
value_time_ns(struct value v)
{
    int64_t t;

    if (!value_i64(v, &t) || t <= 0)
        return 0;
    if (t <= INT64_MAX / NS_PER_MS)
        return t * NS_PER_MS;
    if (t >= INT64_C(1000000000000000) && t <= INT64_MAX / NS_PER_US)
        return t * NS_PER_US;
    return 0;
}

/* Reads an object's members into out[] by name; unknown ones are skipped. False when the text is not one whole object
 * or names a member twice; out then holds what stood before. */
static bool
members_read(struct value object, const char *const *name, size_t count, struct value *out)
{
    struct json_scan j;
    struct json_text key;
    struct json_text span;

    memset(out, 0, count * sizeof(*out));
    if (!value_set(object))
        return false;
    json_init(&j, object.s, object.n);
    if (!json_object(&j))
        return false;
    while (json_key(&j, &key)) {
        size_t i = 0;
        while (i < count && !json_equals(&key, name[i], strlen(name[i])))
            i++;
        if (!json_raw(&j, &span))
            return false;
        if (i == count)
            continue;
        if (value_set(out[i]))
            return false;
        out[i] = (struct value){ span.s, span.n };
    }
    return json_done(&j);
}

/* An event's members by their one-letter name. `text` may run on past the object. False as in members_read. */
#define EVENT_LETTERS 128

static bool
event_read(struct value text, struct value out[EVENT_LETTERS])
{
    struct json_scan j;
    struct json_text key;
    struct json_text span;

    memset(out, 0, EVENT_LETTERS * sizeof(*out));
    json_init(&j, text.s, text.n);
    if (!json_object(&j))
        return false;
    while (json_key(&j, &key)) {
        if (!json_raw(&j, &span))
            return false;
        if (key.n != 1 || key.escaped || (uint8_t)key.s[0] >= EVENT_LETTERS)
            continue;
        struct value *v = &out[(uint8_t)key.s[0]];
        if (value_set(*v))
            return false;
        *v = (struct value){ span.s, span.n };
    }
    return json_done(&j);
}

/* ---- reports ---- */

struct answer {
    struct binance_oe *b;
    const struct venue_sink *sink;
    struct now now;
    struct binance_id id;
    int64_t status;
    int32_t code; /* 0: no error, or one without a readable code */
    char text[VENUE_TEXT_BYTES];
    struct value result;
    struct value data; /* of the error */
};

static struct venue_report
report_of(enum venue_report_kind kind, enum venue_request_kind request)
{
    return (struct venue_report){
        .kind = (uint8_t)kind, .request = (uint8_t)request, .instrument = INSTRUMENT_NONE, .trade_id = -1
    };
}

static void
report(const struct venue_sink *sink, const struct venue_report *r)
{
    sink->report(sink->ctx, r);
}

static void
report_text(struct venue_report *r, const char *text)
{
    (void)snprintf(r->text, sizeof(r->text), "%s", text);
}

/* About one order of a request, with the venue's code and words. */
static void
answer_report(const struct answer *a, enum venue_report_kind kind, const char *clordid, const char *text)
{
    struct venue_report r = report_of(kind, a->id.kind);

    memcpy(r.clordid, clordid, CLORDID_BYTES);
    r.code = a->code;
    report_text(&r, text != NULL ? text : a->text);
    report(a->sink, &r);
}

/* ---- what an error proves ---- */

/* Codes that prove that a request was refused before it changed anything. Every other code, and every 5xx, leaves the
 * outcome open: -1000, -1001, -1006, -1007 say so themselves; -1008 and -1016 do not say when they gave up. */
static const struct {
    int16_t code;
    const char *why;
} refusal_proof[] = {
    { -1002, "not authorised: not executed" },
    { -1003, "over the request limit: refused at the door" },
    { -1010, "answer of the matching engine: refused" },
    { -1013, "a filter refused it; it did not reach the matching engine" },
    { -1014, "order combination is not supported" },
    { -1015, "over the order limit: refused at the door" },
    { -1020, "operation is not supported" },
    { -1021, "timestamp outside recvWindow, checked up to the matching engine" },
    { -1022, "signature is not valid" },
    { -1100, "parameter: illegal characters" },
    { -1101, "parameter: too many" },
    { -1102, "parameter: missing or malformed" },
    { -1103, "parameter: unknown" },
    { -1104, "parameter: unread" },
    { -1105, "parameter: empty" },
    { -1106, "parameter: not required" },
    { -1108, "parameter: overflow" },
    { -1111, "parameter: too many decimals" },
    { -1114, "timeInForce not required" },
    { -1115, "timeInForce invalid" },
    { -1116, "type invalid" },
    { -1117, "side invalid" },
    { -1118, "newClientOrderId empty" },
    { -1119, "origClientOrderId empty" },
    { -1121, "symbol invalid" },
    { -1128, "parameters do not go together" },
    { -1130, "parameter: invalid" },
    { -1131, "recvWindow too long" },
    { -1135, "JSON of the request not valid" },
    { -2010, "answer of the matching engine: new order refused" },
    { -2014, "API key malformed" },
    { -2015, "API key, address or permission refused" },
};

static bool
refusal_proven(int64_t status, int32_t code, const char *text)
{
    if (status < 400 || status > 499)
        return false;
    /* "Duplicate order sent.": an order with our id, which is never used twice, is open. So it was placed. */
    if ((code == -2010 || code == -1010) && strstr(text, "uplicate") != NULL)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(refusal_proof); i++) {
        if (refusal_proof[i].code == code)
            return true;
    }
    return false;
}

/* A cancel that found no such order, or an order under another id, changed nothing either. */
static bool
cancel_refusal_proven(int64_t status, int32_t code, const char *text)
{
    if (status >= 400 && status <= 499 && (code == -2011 || code == -2013 || code == -2039))
        return true;
    return refusal_proven(status, code, text);
}

/* ---- orders inside answers ---- */

static const struct {
    const char *name;
    uint8_t state;
} status_state[] = {
    { "NEW", ORDER_NEW },         { "PENDING_NEW", ORDER_NEW },          { "PARTIALLY_FILLED", ORDER_PARTIALLY_FILLED },
    { "FILLED", ORDER_FILLED },   { "CANCELED", ORDER_CANCELED },        { "REJECTED", ORDER_REJECTED },
    { "EXPIRED", ORDER_EXPIRED }, { "EXPIRED_IN_MATCH", ORDER_EXPIRED },
};

static bool
status_read(struct value v, uint8_t *state)
{
    for (size_t i = 0; i < ARRAY_LEN(status_state); i++) {
        if (value_equals(v, status_state[i].name)) {
            *state = status_state[i].state;
            return true;
        }
    }
    return false;
}

static bool
side_read(struct value v, uint8_t *side)
{
    bool buy = value_equals(v, "BUY");

    if (!buy && !value_equals(v, "SELL"))
        return false;
    *side = buy ? SIDE_BUY : SIDE_SELL;
    return true;
}

static const struct instrument *
instrument_read(const struct binance_oe *b, struct value v)
{
    struct json_text t;

    return value_text(v, &t) && !t.escaped ? binance_instrument(b, t.s, t.n) : NULL;
}

static bool
order_id_read(struct value v, uint64_t *out)
{
    int64_t id;

    if (!value_i64(v, &id) || id <= 0)
        return false;
    *out = (uint64_t)id;
    return true;
}

enum {
    OM_SYMBOL,
    OM_ORDER_ID,
    OM_CLIENT_ID,
    OM_ORIG_CLIENT_ID,
    OM_PX,
    OM_QTY,
    OM_CUM,
    OM_STATUS,
    OM_SIDE,
    OM_TRANSACT_TIME,
    OM_UPDATE_TIME,
    OM_FILLS,
    OM_COUNT
};

static const char *const order_member[OM_COUNT] = {
    [OM_SYMBOL] = "symbol",
    [OM_ORDER_ID] = "orderId",
    [OM_CLIENT_ID] = "clientOrderId",
    [OM_ORIG_CLIENT_ID] = "origClientOrderId",
    [OM_PX] = "price",
    [OM_QTY] = "origQty",
    [OM_CUM] = "executedQty",
    [OM_STATUS] = "status",
    [OM_SIDE] = "side",
    [OM_TRANSACT_TIME] = "transactTime",
    [OM_UPDATE_TIME] = "updateTime",
    [OM_FILLS] = "fills",
};

/* What every order object has: who it is. NULL when all is there, else the sentence that says what is not. */
static const char *
order_identity(const struct binance_oe *b, const struct value m[OM_COUNT], unsigned id_member,
               const struct instrument **ins, struct venue_report *r)
{
    value_print(m[id_member], r->clordid, sizeof(r->clordid));
    *ins = instrument_read(b, m[OM_SYMBOL]);
    if (*ins != NULL)
        r->instrument = (*ins)->id;
    if (!order_id_read(m[OM_ORDER_ID], &r->venue_order_id))
        return "orderId is missing or no positive integer";
    if (r->clordid[0] == '\0')
        return "client order id is missing";
    r->venue_time_ns = value_time_ns(m[OM_TRANSACT_TIME]);
    if (r->venue_time_ns == 0)
        r->venue_time_ns = value_time_ns(m[OM_UPDATE_TIME]);
    return NULL;
}

/* Price, quantity, filled, status and side of an order whose instrument is known. */
static const char *
order_numbers(const struct value m[OM_COUNT], const struct instrument *ins, struct venue_report *r)
{
    if (!value_decimal(m[OM_PX], ins->px_decimals, &r->px) || r->px < 0)
        return "price cannot be read";
    if (!value_decimal(m[OM_QTY], ins->qty_decimals, &r->qty) || r->qty < 0)
        return "origQty cannot be read";
    if (!value_decimal(m[OM_CUM], ins->qty_decimals, &r->cum_qty) || r->cum_qty < 0)
        return "executedQty cannot be read";
    if (!status_read(m[OM_STATUS], &r->state))
        return "status is not one we know";
    if (!side_read(m[OM_SIDE], &r->side))
        return "side is neither BUY nor SELL";
    return NULL;
}

/* The fee never stands in the way of a fill: what cannot be read of it is said in text and counted as 0. */
static void
fee_read(struct value amount, struct value asset, struct venue_report *r)
{
    struct json_text t;

    if (value_text(asset, &t) && t.n > 0 && t.n < CURRENCY_BYTES && !t.escaped &&
        value_decimal(amount, VALUE_DECIMALS, &r->fee)) {
        memcpy(r->fee_ccy, t.s, t.n);
        return;
    }
    r->fee = 0;
    bool none = !value_set(asset) || value_is(asset, JSON_NULL);
    int64_t zero = -1;
    if (!none || !value_decimal(amount, VALUE_DECIMALS, &zero) || zero != 0)
        report_text(r, "fee cannot be read");
}

enum { FM_PX, FM_QTY, FM_FEE, FM_FEE_CCY, FM_TRADE_ID, FM_COUNT };

static const char *const fill_member[FM_COUNT] = {
    [FM_PX] = "price",         [FM_QTY] = "qty", [FM_FEE] = "commission", [FM_FEE_CCY] = "commissionAsset",
    [FM_TRADE_ID] = "tradeId",
};

/* fills[] of a FULL answer. sink NULL: only look whether all can be read. They were taken on entry: never maker. */
static bool
fills_read(struct value fills, const struct instrument *ins, const struct venue_report *order,
           const struct venue_sink *sink)
{
    struct json_scan j;
    struct json_text span;
    struct value m[FM_COUNT];

    if (!value_set(fills))
        return true;
    json_init(&j, fills.s, fills.n);
    if (!json_array(&j))
        return false;
    while (json_element(&j)) {
        struct venue_report r = *order;
        if (!json_raw(&j, &span) || !members_read((struct value){ span.s, span.n }, fill_member, FM_COUNT, m) ||
            !value_decimal(m[FM_PX], ins->px_decimals, &r.last_px) || r.last_px <= 0 ||
            !value_decimal(m[FM_QTY], ins->qty_decimals, &r.last_qty) || r.last_qty <= 0 ||
            !value_i64(m[FM_TRADE_ID], &r.trade_id) || r.trade_id < 0)
            return false;
        r.kind = VENUE_FILL;
        fee_read(m[FM_FEE], m[FM_FEE_CCY], &r);
        if (sink != NULL)
            report(sink, &r);
    }
    return json_done(&j);
}

/* What an unreadable message still says: which order. Numbers that were read before the bad one prove nothing. */
static void
identity_only(struct venue_report *r)
{
    r->kind = VENUE_UNKNOWN;
    r->state = ORDER_FREE;
    r->side = SIDE_BUY;
    r->maker = 0;
    r->trade_id = -1;
    r->px = r->last_px = 0;
    r->qty = r->last_qty = r->cum_qty = 0;
    r->fee = 0;
    memset(r->fee_ccy, 0, sizeof(r->fee_ccy));
}

static void
report_unknown(const struct answer *a, struct venue_report *r, const char *clordid, const char *why)
{
    identity_only(r);
    memcpy(r->clordid, clordid, CLORDID_BYTES);
    report_text(r, why);
    report(a->sink, r);
}

/* A new order's answer of success: ACK, RESULT or FULL. */
static void
placed(const struct answer *a, struct value result)
{
    struct venue_report r = report_of(VENUE_NEW_ACK, a->id.kind);
    struct value m[OM_COUNT];
    const struct instrument *ins = NULL;
    const char *why = "answer is not one object";

    if (members_read(result, order_member, OM_COUNT, m)) {
        why = order_identity(a->b, m, OM_CLIENT_ID, &ins, &r);
        if (why == NULL && strcmp(r.clordid, a->id.clordid) != 0)
            why = "clientOrderId is not the one sent";
        if (why == NULL && ins == NULL)
            why = "symbol is not ours";
        r.state = ORDER_NEW;
        if (why == NULL && value_set(m[OM_STATUS])) /* an ACK has none */
            why = order_numbers(m, ins, &r);
        if (why == NULL && !fills_read(m[OM_FILLS], ins, &r, NULL))
            why = "fills cannot be read";
    }
    if (why != NULL) {
        report_unknown(a, &r, a->id.clordid, why);
        return;
    }
    if (r.state == ORDER_REJECTED) {
        r.kind = VENUE_REJECTED;
        report(a->sink, &r);
        return;
    }
    report(a->sink, &r);
    (void)fills_read(m[OM_FILLS], ins, &r, a->sink);
    if (r.state == ORDER_CANCELED || r.state == ORDER_EXPIRED) {
        r.kind = r.state == ORDER_CANCELED ? VENUE_CANCELED : VENUE_EXPIRED;
        report(a->sink, &r);
    }
}

/* A cancel's answer of success: origClientOrderId is the order, clientOrderId the cancel. `clordid` "" = not known. */
static void
canceled(const struct answer *a, struct value result, const char *clordid)
{
    struct venue_report r = report_of(VENUE_CANCELED, a->id.kind);
    struct value m[OM_COUNT];
    const struct instrument *ins = NULL;
    const char *why = "answer is not one object";

    if (members_read(result, order_member, OM_COUNT, m)) {
        why = order_identity(a->b, m, OM_ORIG_CLIENT_ID, &ins, &r);
        if (why == NULL && a->id.by_venue_id)
            memcpy(r.clordid, a->id.clordid, CLORDID_BYTES);
        if (why == NULL && clordid[0] != '\0' && strcmp(r.clordid, clordid) != 0)
            why = "origClientOrderId is not the one sent";
        if (why == NULL && ins == NULL)
            why = "symbol is not ours";
        if (why == NULL)
            why = order_numbers(m, ins, &r);
        if (why == NULL && r.state != ORDER_CANCELED && r.state != ORDER_EXPIRED)
            why = "status of the canceled order is not CANCELED";
    }
    if (why != NULL) {
        report_unknown(a, &r, clordid, why);
        return;
    }
    if (r.state == ORDER_EXPIRED)
        r.kind = VENUE_EXPIRED;
    report(a->sink, &r);
}

/* ---- answers, one function per request kind ---- */

static void
on_new(const struct answer *a)
{
    if (a->status == 200)
        placed(a, a->result);
    else
        answer_report(a, refusal_proven(a->status, a->code, a->text) ? VENUE_REJECTED : VENUE_UNKNOWN, a->id.clordid,
                      NULL);
}

static void
on_cancel(const struct answer *a)
{
    if (a->status == 200)
        canceled(a, a->result, a->id.clordid);
    else
        answer_report(a, cancel_refusal_proven(a->status, a->code, a->text) ? VENUE_CANCEL_REJECTED : VENUE_UNKNOWN,
                      a->id.clordid, NULL);
}

enum { RM_CANCEL, RM_NEW, RM_CANCEL_ANSWER, RM_NEW_ANSWER, RM_COUNT };

static const char *const replace_member[RM_COUNT] = {
    [RM_CANCEL] = "cancelResult",
    [RM_NEW] = "newOrderResult",
    [RM_CANCEL_ANSWER] = "cancelResponse",
    [RM_NEW_ANSWER] = "newOrderResponse",
};

enum { EM_CODE, EM_MSG, EM_DATA, EM_COUNT };

static const char *const error_member[EM_COUNT] = { [EM_CODE] = "code", [EM_MSG] = "msg", [EM_DATA] = "data" };

/* Code and words of an error object; false when there is no readable code. */
static bool
error_read(struct value error, int32_t *code, char text[VENUE_TEXT_BYTES], struct value *data)
{
    struct value m[EM_COUNT];
    int64_t v;

    *code = 0;
    text[0] = '\0';
    if (!members_read(error, error_member, EM_COUNT, m) || !value_i64(m[EM_CODE], &v) || v < INT32_MIN || v > INT32_MAX)
        return false;
    *code = (int32_t)v;
    value_print(m[EM_MSG], text, VENUE_TEXT_BYTES);
    if (data != NULL)
        *data = m[EM_DATA];
    return true;
}

/* The cancel half of a cancel-replace. */
static void
replace_cancel_half(const struct answer *a, struct value outcome, struct value half)
{
    if (value_equals(outcome, "SUCCESS")) {
        canceled(a, half, a->id.target);
        return;
    }
    struct answer h = *a;
    bool refused = value_equals(outcome, "NOT_ATTEMPTED");
    if (!refused && value_equals(outcome, "FAILURE"))
        refused = error_read(half, &h.code, h.text, NULL) && cancel_refusal_proven(400, h.code, h.text);
    answer_report(&h, refused ? VENUE_CANCEL_REJECTED : VENUE_UNKNOWN, a->id.target, NULL);
}

static void
replace_new_half(const struct answer *a, struct value outcome, struct value half)
{
    if (value_equals(outcome, "SUCCESS")) {
        placed(a, half);
        return;
    }
    struct answer h = *a;
    bool refused = value_equals(outcome, "NOT_ATTEMPTED");
    if (!refused && value_equals(outcome, "FAILURE"))
        refused = error_read(half, &h.code, h.text, NULL) && refusal_proven(400, h.code, h.text);
    answer_report(&h, refused ? VENUE_REJECTED : VENUE_UNKNOWN, a->id.clordid, NULL);
}

/* 200 has the halves in result, -2021 (one failed) and -2022 (both did, or the second was not tried) in error.data.
 * Without halves the whole request was refused, or nobody knows. */
static void
on_replace(const struct answer *a)
{
    struct value m[RM_COUNT];
    struct value halves = a->status == 200 ? a->result : a->data;

    if (value_is(halves, JSON_OBJECT) && members_read(halves, replace_member, RM_COUNT, m) && value_set(m[RM_CANCEL]) &&
        value_set(m[RM_NEW])) {
        replace_cancel_half(a, m[RM_CANCEL], m[RM_CANCEL_ANSWER]);
        replace_new_half(a, m[RM_NEW], m[RM_NEW_ANSWER]);
        return;
    }
    bool refused = a->status != 200 && refusal_proven(a->status, a->code, a->text);
    answer_report(a, refused ? VENUE_CANCEL_REJECTED : VENUE_UNKNOWN, a->id.target, NULL);
    answer_report(a, refused ? VENUE_REJECTED : VENUE_UNKNOWN, a->id.clordid, NULL);
}

/* order.status and each entry of openOrders.status. Of a symbol that is not ours only identity and state are said. */
static const char *
order_status(const struct answer *a, struct value order, enum venue_report_kind kind, struct venue_report *r)
{
    struct value m[OM_COUNT];
    const struct instrument *ins = NULL;

    *r = report_of(kind, a->id.kind);
    if (!members_read(order, order_member, OM_COUNT, m))
        return "order is not one object";
    const char *why = order_identity(a->b, m, OM_CLIENT_ID, &ins, r);
    if (why == NULL && ins != NULL)
        why = order_numbers(m, ins, r);
    else if (why == NULL && !status_read(m[OM_STATUS], &r->state))
        why = "status is not one we know";
    return why;
}

/* A question that was not answered. Codes that say "not now" (limits, the clock, a signature made too early) end; any
 * other refusal is of the question itself. */
static void
failed(const struct answer *a, const char *why)
{
    struct venue_report r = report_of(VENUE_QUERY_FAILED, a->id.kind);
    bool passing = a->code == -1003 || a->code == -1015 || a->code == -1021 || a->code == -1022 || a->code == 0;

    memcpy(r.clordid, a->id.clordid, CLORDID_BYTES);
    r.instrument = a->id.instrument;
    r.code = a->code;
    r.definite = why != NULL || (a->status >= 400 && a->status < 500 && !passing);
    report_text(&r, why != NULL ? why : a->text);
    report(a->sink, &r);
}

static void
on_query(const struct answer *a)
{
    struct venue_report r;

    if (a->status == 400 && a->code == -2013) {
        answer_report(a, VENUE_NOT_FOUND, a->id.clordid, NULL);
        return;
    }
    if (a->status != 200) {
        failed(a, NULL);
        return;
    }
    const char *why = order_status(a, a->result, VENUE_STATUS, &r);
    if (why == NULL && a->id.by_venue_id) {
        (void)snprintf(r.text, sizeof(r.text), "%s", r.clordid);
        memcpy(r.clordid, a->id.clordid, CLORDID_BYTES);
    }
    if (why == NULL && strcmp(r.clordid, a->id.clordid) != 0)
        why = "clientOrderId is not the one asked for";
    if (why == NULL && r.instrument == INSTRUMENT_NONE)
        why = "symbol is not ours";
    if (why != NULL)
        failed(a, why);
    else
        report(a->sink, &r);
}

/* Who it is and that it is there, without the numbers that could not be read. An order without a client id is not ours.
 * NULL when not even its order id can be read. */
static const char *
order_seen(const struct answer *a, struct value order, struct venue_report *r)
{
    struct value m[OM_COUNT];
    const struct instrument *ins = NULL;

    *r = report_of(VENUE_OPEN_ORDER, a->id.kind);
    if (!members_read(order, order_member, OM_COUNT, m))
        return "order is not one object";
    const char *why = order_identity(a->b, m, OM_CLIENT_ID, &ins, r);
    r->state = ORDER_FREE;
    return r->venue_order_id == 0 ? why : NULL;
}

static void
on_open_orders(const struct answer *a)
{
    struct json_scan j;
    struct json_text span;
    struct venue_report r;

    if (a->status != 200 || !value_set(a->result)) {
        failed(a, NULL);
        return;
    }
    json_init(&j, a->result.s, a->result.n);
    (void)json_array(&j);
    while (json_element(&j)) {
        if (!json_raw(&j, &span))
            break;
        struct value order = { span.s, span.n };
        const char *why = order_status(a, order, VENUE_OPEN_ORDER, &r);
        if (why != NULL && order_seen(a, order, &r) != NULL) {
            failed(a, why);
            return;
        }
        report(a->sink, &r);
    }
    bool whole = json_done(&j);
    answer_report(a, whole ? VENUE_OPEN_ORDERS_END : VENUE_QUERY_FAILED, a->id.clordid, NULL);
}

enum { TM_SYMBOL, TM_ID, TM_ORDER_ID, TM_PX, TM_QTY, TM_FEE, TM_FEE_CCY, TM_TIME, TM_BUYER, TM_MAKER, TM_COUNT };

static const char *const trade_member[TM_COUNT] = {
    [TM_SYMBOL] = "symbol", [TM_ID] = "id",          [TM_ORDER_ID] = "orderId",        [TM_PX] = "price",
    [TM_QTY] = "qty",       [TM_FEE] = "commission", [TM_FEE_CCY] = "commissionAsset", [TM_TIME] = "time",
    [TM_BUYER] = "isBuyer", [TM_MAKER] = "isMaker",
};

static const char *
trade_read(const struct answer *a, struct value trade, struct venue_report *r)
{
    struct value m[TM_COUNT];
    bool buyer = false;
    bool maker = false;

    *r = report_of(VENUE_FILL, VENUE_RQ_TRADES);
    if (!members_read(trade, trade_member, TM_COUNT, m))
        return "trade is not one object";
    const struct instrument *ins = instrument_read(a->b, m[TM_SYMBOL]);
    if (ins == NULL)
        return "symbol is not ours";
    if (!value_i64(m[TM_ID], &r->trade_id) || r->trade_id < 0 || !order_id_read(m[TM_ORDER_ID], &r->venue_order_id))
        return "id or orderId cannot be read";
    if (!value_decimal(m[TM_PX], ins->px_decimals, &r->last_px) || r->last_px <= 0 ||
        !value_decimal(m[TM_QTY], ins->qty_decimals, &r->last_qty) || r->last_qty <= 0)
        return "price or qty cannot be read";
    if (!value_bool(m[TM_BUYER], &buyer) || !value_bool(m[TM_MAKER], &maker))
        return "isBuyer or isMaker cannot be read";
    r->instrument = ins->id;
    r->side = buyer ? SIDE_BUY : SIDE_SELL;
    r->maker = maker;
    r->venue_time_ns = value_time_ns(m[TM_TIME]);
    fee_read(m[TM_FEE], m[TM_FEE_CCY], r);
    if (!a->id.whole_symbol)
        memcpy(r->clordid, a->id.clordid, CLORDID_BYTES);
    return NULL;
}

static void
on_trades(const struct answer *a)
{
    struct json_scan j;
    struct json_text span;
    struct venue_report r;
    uint32_t count = 0;

    if (a->status != 200 || !value_set(a->result)) {
        failed(a, NULL);
        return;
    }
    json_init(&j, a->result.s, a->result.n);
    (void)json_array(&j);
    while (json_element(&j)) {
        if (!json_raw(&j, &span))
            break;
        const char *why = trade_read(a, (struct value){ span.s, span.n }, &r);
        if (why != NULL) {
            failed(a, why);
            return;
        }
        report(a->sink, &r);
        count++;
    }
    r = report_of(json_done(&j) ? VENUE_TRADES_END : VENUE_QUERY_FAILED, VENUE_RQ_TRADES);
    memcpy(r.clordid, a->id.clordid, CLORDID_BYTES);
    r.instrument = a->id.instrument;
    if (r.kind == VENUE_TRADES_END)
        r.code = count >= BINANCE_TRADES_MAX;
    report(a->sink, &r);
}

/* A balance that does not fit (a coin counted by the trillion) is left out: it is information, not exposure. False when
 * the list is not one whole array. */
static bool
balances_read(struct value list, const char *const name[3], enum venue_request_kind request, int64_t venue_time_ns,
              const struct venue_sink *sink)
{
    struct json_scan j;
    struct json_text span;
    struct json_text ccy;
    struct value m[3];

    if (!value_set(list))
        return false;
    json_init(&j, list.s, list.n);
    (void)json_array(&j);
    while (json_element(&j)) {
        struct venue_report r = report_of(VENUE_BALANCE, request);
        if (!json_raw(&j, &span))
            break;
        if (!members_read((struct value){ span.s, span.n }, name, 3, m) || !value_text(m[0], &ccy) || ccy.escaped ||
            ccy.n == 0 || ccy.n >= CURRENCY_BYTES || !value_decimal(m[1], VALUE_DECIMALS, &r.last_qty) ||
            !value_decimal(m[2], VALUE_DECIMALS, &r.qty) || r.last_qty < 0 || r.qty < 0)
            continue;
        memcpy(r.fee_ccy, ccy.s, ccy.n);
        r.venue_time_ns = venue_time_ns;
        report(sink, &r);
    }
    return json_done(&j);
}

/* account.status */
static void
on_balances(const struct answer *a)
{
    static const char *const account[] = { "balances", "updateTime" };
    static const char *const name[] = { "asset", "free", "locked" };
    struct value m[2];

    if (a->status != 200 || !members_read(a->result, account, 2, m) ||
        !balances_read(m[0], name, VENUE_RQ_BALANCES, value_time_ns(m[1]), a->sink)) {
        failed(a, a->status != 200 ? NULL : "balances cannot be read");
        return;
    }
    answer_report(a, VENUE_BALANCES_END, a->id.clordid, NULL);
}

static void
on_time(const struct answer *a)
{
    static const char *const name[] = { "serverTime" };
    struct venue_report r = report_of(VENUE_TIME, VENUE_RQ_TIME);
    struct value m[1];

    if (a->status != 200 || !members_read(a->result, name, 1, m))
        return;
    r.venue_time_ns = value_time_ns(m[0]);
    if (r.venue_time_ns != 0)
        report(a->sink, &r);
}

static void
on_logon(const struct answer *a)
{
    a->b->logged_on = a->status == 200;
    answer_report(a, a->status == 200 ? VENUE_LOGGED_ON : VENUE_LOGON_REFUSED, a->id.clordid, NULL);
}

static void
on_stream(const struct answer *a)
{
    answer_report(a, a->status == 200 ? VENUE_STREAM_UP : VENUE_STREAM_DOWN, a->id.clordid, NULL);
}

static void
on_ping(const struct answer *a)
{
    (void)a;
}

static void (*const on_answer[VENUE_RQ_COUNT])(const struct answer *) = {
    [VENUE_RQ_TIME] = on_time,   [VENUE_RQ_LOGON] = on_logon,       [VENUE_RQ_STREAM] = on_stream,
    [VENUE_RQ_NEW] = on_new,     [VENUE_RQ_CANCEL] = on_cancel,     [VENUE_RQ_REPLACE] = on_replace,
    [VENUE_RQ_QUERY] = on_query, [VENUE_RQ_TRADES] = on_trades,     [VENUE_RQ_OPEN_ORDERS] = on_open_orders,
    [VENUE_RQ_PING] = on_ping,   [VENUE_RQ_BALANCES] = on_balances,
};

/* An answer that cannot be read, to a request that is known: nothing is proven. */
static enum decode_result
answer_unreadable(struct answer *a, const char *why)
{
    a->status = 0;
    a->code = 0;
    (void)snprintf(a->text, sizeof(a->text), "%s", why);
    if (a->id.kind == VENUE_RQ_TIME || a->id.kind == VENUE_RQ_PING)
        return DECODE_MALFORMED;
    a->data = (struct value){ 0 };
    on_answer[a->id.kind](a);
    return DECODE_OK;
}

/* ---- messages ---- */

enum { LM_TYPE, LM_INTERVAL, LM_NUM, LM_LIMIT, LM_COUNT_NOW, LM_COUNT };

static const char *const limit_member[LM_COUNT] = {
    [LM_TYPE] = "rateLimitType", [LM_INTERVAL] = "interval", [LM_NUM] = "intervalNum",
    [LM_LIMIT] = "limit",        [LM_COUNT_NOW] = "count",
};

/* Which budget a row of rateLimits is about, and its window; VENUE_BUDGET_COUNT: none that is kept. */
static enum venue_budget
limit_kind(const struct value m[LM_COUNT], int64_t num, int64_t *window_ns)
{
    static const struct {
        const char *interval;
        int64_t seconds;
    } unit[] = { { "SECOND", 1 }, { "MINUTE", 60 }, { "HOUR", 3600 }, { "DAY", 86400 } };

    *window_ns = 0;
    for (size_t i = 0; i < ARRAY_LEN(unit) && num > 0 && num <= 1000; i++)
        if (value_equals(m[LM_INTERVAL], unit[i].interval))
            *window_ns = unit[i].seconds * num * NS_PER_S;
    if (*window_ns == 0)
        return VENUE_BUDGET_COUNT;
    if (value_equals(m[LM_TYPE], "REQUEST_WEIGHT"))
        return VENUE_BUDGET_WEIGHT;
    if (value_equals(m[LM_TYPE], "ORDERS"))
        return *window_ns >= INT64_C(86400) * NS_PER_S ? VENUE_BUDGET_ORDERS_DAY : VENUE_BUDGET_ORDERS;
    return VENUE_BUDGET_COUNT;
}

/* What every answer says of the budgets. A row that cannot be read is left out: it is news, not exposure. */
static void
rates_read(struct value rates, const struct venue_sink *sink)
{
    struct json_scan j;
    struct json_text span;
    struct value m[LM_COUNT];
    int64_t num;

    if (!value_is(rates, JSON_ARRAY))
        return;
    json_init(&j, rates.s, rates.n);
    (void)json_array(&j);
    while (json_element(&j)) {
        struct venue_report r = report_of(VENUE_RATE_BUDGET, VENUE_RQ_COUNT);
        if (!json_raw(&j, &span))
            return;
        if (!members_read((struct value){ span.s, span.n }, limit_member, LM_COUNT, m) || !value_i64(m[LM_NUM], &num) ||
            !value_i64(m[LM_LIMIT], &r.qty) || !value_i64(m[LM_COUNT_NOW], &r.cum_qty) || r.qty <= 0 || r.cum_qty < 0)
            continue;
        r.code = (int32_t)limit_kind(m, num, &r.retry_after_ns);
        if (r.code != VENUE_BUDGET_COUNT)
            report(sink, &r);
    }
}

static COLD void
rate_limited(const struct answer *a)
{
    static const char *const name[] = { "retryAfter", "serverTime" };
    struct venue_report r = report_of(VENUE_RATE_LIMITED, VENUE_RQ_COUNT);
    struct value m[2];
    int64_t wait_ns = (a->status == 418 ? 120 : 60) * NS_PER_S; /* the venue's shortest ban, its counting window */

    if (a->code == -1015) /* too many orders: nothing but orders has to wait */
        r.request = VENUE_RQ_NEW;
    r.code = a->code;
    report_text(&r, a->text);
    if (value_is(a->data, JSON_OBJECT) && members_read(a->data, name, 2, m)) {
        r.retry_after_ns = value_time_ns(m[0]);
        r.venue_time_ns = value_time_ns(m[1]);
    }
    if (r.retry_after_ns == 0)
        r.retry_after_ns = a->now.wall.ns + a->b->clock_offset_ns + wait_ns;
    report(a->sink, &r);
}

/* An answer that names no request of ours: a revoked key, or a request that the venue could not even take apart. */
static COLD enum decode_result
orphan(const struct answer *a)
{
    enum venue_report_kind kind = VENUE_UNKNOWN;

    if (a->status == 401 || a->code == -2015 || a->code == -2014) {
        a->b->logged_on = false;
        kind = VENUE_LOGON_REFUSED;
    }
    struct venue_report r = report_of(kind, VENUE_RQ_COUNT);
    r.code = a->code;
    report_text(&r, a->text[0] != '\0' ? a->text : "answer names no request of ours");
    report(a->sink, &r);
    if (kind == VENUE_LOGON_REFUSED) {
        r.kind = VENUE_STREAM_DOWN;
        report(a->sink, &r);
    }
    return DECODE_OK;
}

static enum decode_result
decode_answer(struct answer *a, struct value id, struct value status, struct value error)
{
    struct json_text t;
    bool known = value_text(id, &t) && !t.escaped && binance_id_decode(t.s, t.n, &a->id);

    if (!known)
        a->id = (struct binance_id){ .kind = VENUE_RQ_COUNT, .instrument = INSTRUMENT_NONE };
    if (!value_i64(status, &a->status) || a->status < 100 || a->status > 599) {
        a->status = 0;
        return known ? answer_unreadable(a, "answer without a readable status") : orphan(a);
    }
    if (a->status != 200)
        (void)error_read(error, &a->code, a->text, &a->data);
    if (a->status == 429 || a->status == 418 || a->code == -1003 || a->code == -1015)
        rate_limited(a);
    if (!known)
        return orphan(a);
    if (a->id.kind == VENUE_RQ_PING)
        return DECODE_IGNORED;
    on_answer[a->id.kind](a);
    return DECODE_OK;
}

/* ---- private stream ---- */

/* The order that an event is about. In the reports of a cancel or amend `c` names that request and `C` the order;
 * everywhere else `C` is empty. */
static void
event_identity(const struct binance_oe *b, const struct value v[EVENT_LETTERS], struct venue_report *r)
{
    const struct instrument *ins = instrument_read(b, v['s']);

    value_print(v['C'], r->clordid, sizeof(r->clordid));
    if (r->clordid[0] == '\0')
        value_print(v['c'], r->clordid, sizeof(r->clordid));
    if (!order_id_read(v['i'], &r->venue_order_id))
        r->venue_order_id = 0;
    if (ins != NULL)
        r->instrument = ins->id;
    r->venue_time_ns = value_time_ns(v['T']);
}

static const char *
event_numbers(const struct value v[EVENT_LETTERS], const struct instrument *ins, struct venue_report *r)
{
    if (r->clordid[0] == '\0' || r->venue_order_id == 0)
        return "event names no order";
    if (!value_decimal(v['p'], ins->px_decimals, &r->px) || !value_decimal(v['q'], ins->qty_decimals, &r->qty) ||
        !value_decimal(v['z'], ins->qty_decimals, &r->cum_qty) || r->px < 0 || r->qty < 0 || r->cum_qty < 0)
        return "p, q or z cannot be read";
    if (!side_read(v['S'], &r->side))
        return "S is neither BUY nor SELL";
    if (!status_read(v['X'], &r->state))
        return "X is not a status we know";
    return NULL;
}

static const char *
event_fill(const struct value v[EVENT_LETTERS], const struct instrument *ins, struct venue_report *r)
{
    bool maker = false;

    if (!value_decimal(v['l'], ins->qty_decimals, &r->last_qty) || r->last_qty <= 0 ||
        !value_decimal(v['L'], ins->px_decimals, &r->last_px) || r->last_px <= 0)
        return "l or L cannot be read";
    if (!value_i64(v['t'], &r->trade_id) || r->trade_id < 0) {
        r->trade_id = -1;
        return "t is no trade id";
    }
    if (r->cum_qty < r->last_qty)
        return "z is below l";
    if (!value_bool(v['m'], &maker))
        return "m cannot be read";
    r->maker = maker;
    fee_read(v['n'], v['N'], r);
    r->kind = VENUE_FILL;
    return NULL;
}

/* What an execution type says, given the status beside it (user-data-stream.md, "Execution types"). */
static const char *
event_kind(const struct value v[EVENT_LETTERS], const struct instrument *ins, struct venue_report *r)
{
    static const struct {
        const char *type;
        enum venue_report_kind kind;
    } plain[] = {
        { "NEW", VENUE_NEW_ACK },
        { "CANCELED", VENUE_CANCELED },
        { "REJECTED", VENUE_REJECTED },
        { "EXPIRED", VENUE_EXPIRED },
    };

    if (value_equals(v['x'], "TRADE"))
        return event_fill(v, ins, r);
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        if (value_equals(v['x'], plain[i].type)) {
            r->kind = (uint8_t)plain[i].kind;
            return NULL;
        }
    }
    if (value_equals(v['x'], "TRADE_PREVENTION") && r->state == ORDER_EXPIRED) {
        r->kind = VENUE_EXPIRED;
        return NULL;
    }
    /* REPLACED (somebody amended it), a decrement by self-trade prevention, or a type that is new: the order changed in
     * a way that only a query can tell. */
    return "execution type changes the order in a way that only a query can tell";
}

/* Says of a status beside a final execution type what contradicts it. */
static bool
event_contradicts(const struct venue_report *r)
{
    switch (r->kind) {
    case VENUE_CANCELED: return r->state != ORDER_CANCELED;
    case VENUE_REJECTED: return r->state != ORDER_REJECTED;
    case VENUE_EXPIRED: return r->state != ORDER_EXPIRED;
    default: return false;
    }
}

static enum decode_result
decode_execution(const struct binance_oe *b, const struct value v[EVENT_LETTERS], bool whole,
                 const struct venue_sink *sink)
{
    struct venue_report r = report_of(VENUE_UNKNOWN, VENUE_RQ_COUNT);
    const char *why = "event cannot be read to its end";

    event_identity(b, v, &r);
    bool foreign = whole && value_is(v['s'], JSON_STRING) && r.instrument == INSTRUMENT_NONE;
    if (foreign) {
        why = "symbol is not ours";
    } else if (whole && r.instrument == INSTRUMENT_NONE) {
        why = "s cannot be read";
    } else if (whole) {
        const struct instrument *ins = &b->cfg.instruments.table[r.instrument];
        why = event_numbers(v, ins, &r);
        if (why == NULL)
            why = event_kind(v, ins, &r);
        if (why == NULL && event_contradicts(&r))
            why = "x and X contradict each other";
    }
    if (why != NULL) {
        identity_only(&r);
        report_text(&r, why);
    } else if (r.kind == VENUE_REJECTED) {
        value_print(v['r'], r.text, sizeof(r.text));
    }
    report(sink, &r);
    return foreign ? DECODE_UNKNOWN_SYMBOL : DECODE_OK;
}

static enum decode_result
decode_balances(const struct value v[EVENT_LETTERS], const struct venue_sink *sink)
{
    static const char *const name[] = { "a", "f", "l" };

    return balances_read(v['B'], name, VENUE_RQ_COUNT, value_time_ns(v['E']), sink) ? DECODE_OK : DECODE_MALFORMED;
}

/* text: from the event's first byte on; whole: it is one well-formed value. */
static enum decode_result
decode_event(const struct binance_oe *b, struct value text, bool whole, const struct venue_sink *sink)
{
    struct value v[EVENT_LETTERS];

    whole = event_read(text, v) && whole;
    if (!value_is(v['e'], JSON_STRING) || (!whole && !value_equals(v['e'], "outboundAccountPosition")))
        return decode_execution(b, v, false, sink); /* it may have been one */
    if (value_equals(v['e'], "executionReport"))
        return decode_execution(b, v, whole, sink);
    if (value_equals(v['e'], "outboundAccountPosition"))
        return whole ? decode_balances(v, sink) : DECODE_MALFORMED;
    if (value_equals(v['e'], "eventStreamTerminated") || value_equals(v['e'], "serverShutdown")) {
        struct venue_report r = report_of(VENUE_STREAM_DOWN, VENUE_RQ_COUNT);
        value_print(v['e'], r.text, sizeof(r.text));
        r.venue_time_ns = value_time_ns(v['E']);
        report(sink, &r);
        return DECODE_OK;
    }
    return DECODE_IGNORED;
}

enum { MM_ID, MM_STATUS, MM_RESULT, MM_ERROR, MM_EVENT, MM_E, MM_RATES, MM_COUNT };

static const char *const message_member[MM_COUNT] = {
    [MM_ID] = "id",       [MM_STATUS] = "status", [MM_RESULT] = "result",    [MM_ERROR] = "error",
    [MM_EVENT] = "event", [MM_E] = "e",           [MM_RATES] = "rateLimits",
};

/* Where the value of a broken message's "event" starts; s NULL when it has none. */
static struct value
event_salvage(struct value message)
{
    struct json_scan j;
    struct json_text key;

    json_init(&j, message.s, message.n);
    if (!json_object(&j))
        return (struct value){ 0 };
    while (json_key(&j, &key)) {
        if (JSON_IS(key, "event"))
            return (struct value){ j.p, (size_t)(j.end - j.p) };
        if (!json_skip(&j))
            break;
    }
    return (struct value){ 0 };
}

/* Not one whole JSON object. What it was about is said as far as it can be read. */
static COLD enum decode_result
decode_broken(struct answer *a, struct value message, const struct value m[MM_COUNT])
{
    struct json_text t;

    if (value_text(m[MM_ID], &t) && !t.escaped && binance_id_decode(t.s, t.n, &a->id))
        return answer_unreadable(a, "answer cannot be read to its end");
    struct value event = event_salvage(message);
    if (!value_set(event) && value_set(m[MM_E]))
        event = message;
    if (value_set(event))
        return decode_event(a->b, event, false, a->sink);
    struct venue_report r = report_of(VENUE_UNKNOWN, VENUE_RQ_COUNT);
    report_text(&r, "message is not JSON that can be read");
    report(a->sink, &r);
    return DECODE_OK;
}

enum decode_result
binance_decode(struct venue_adapter *adapter, const uint8_t *msg, size_t len, struct now now,
               const struct venue_sink *sink)
{
    struct answer a = { .b = (struct binance_oe *)(void *)adapter, .sink = sink, .now = now };
    struct value message = { (const char *)msg, len };
    struct value m[MM_COUNT];

    if (unlikely(!members_read(message, message_member, MM_COUNT, m)))
        return decode_broken(&a, message, m);
    if (value_is(m[MM_EVENT], JSON_OBJECT))
        return decode_event(a.b, m[MM_EVENT], true, sink);
    if (value_set(m[MM_E]))
        return decode_event(a.b, message, true, sink);
    if (!value_set(m[MM_ID]) && !value_set(m[MM_STATUS]) && !value_set(m[MM_ERROR]))
        return value_set(m[MM_EVENT]) ? decode_broken(&a, message, m) : DECODE_IGNORED;
    a.result = m[MM_RESULT];
    rates_read(m[MM_RATES], sink);
    return decode_answer(&a, m[MM_ID], m[MM_STATUS], m[MM_ERROR]);
}
