/* Binance Spot order entry: the private stream. See binance_oe_read.h.
 *
 * Always true: an event whose execution type and status contradict each other, or that changes an order in a way only a
 * query can tell, is VENUE_UNKNOWN; an amend of the order is told under the name that it had before.
 * Source: user-data-stream.md, seen 2026-07. */
#include "engine/venue/binance_oe_read.h"

/* An event's members by their one-letter name. `text` may run on past the object. False as in json_members. */
#define EVENT_LETTERS 128

static bool
event_read(struct json_value text, struct json_value out[EVENT_LETTERS])
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
        struct json_value *v = &out[(uint8_t)key.s[0]];
        if (json_value_set(*v))
            return false;
        *v = (struct json_value){ span.s, span.n };
    }
    return json_done(&j);
}

/* The order that an event is about. In the reports of a cancel or amend `c` names that request and `C` the order;
 * everywhere else `C` is empty. */
static void
event_identity(const struct binance_oe *b, const struct json_value v[EVENT_LETTERS], struct venue_report *r)
{
    const struct instrument *ins = binance_instrument_read(b, v['s']);

    json_value_print(v['C'], r->clordid, sizeof(r->clordid));
    if (r->clordid[0] == '\0')
        json_value_print(v['c'], r->clordid, sizeof(r->clordid));
    if (!binance_order_id_read(v['i'], &r->venue_order_id))
        r->venue_order_id = 0;
    if (ins != NULL)
        r->instrument = ins->id;
    r->venue_time_ns = binance_time_ns(v['T']);
}

static const char *
event_numbers(const struct json_value v[EVENT_LETTERS], const struct instrument *ins, struct venue_report *r)
{
    if (r->clordid[0] == '\0' || r->venue_order_id == 0)
        return "event names no order";
    if (!json_value_decimal(v['p'], ins->px_decimals, &r->px) ||
        !json_value_decimal(v['q'], ins->qty_decimals, &r->qty) ||
        !json_value_decimal(v['z'], ins->qty_decimals, &r->cum_qty) || r->px < 0 || r->qty < 0 || r->cum_qty < 0)
        return "p, q or z cannot be read";
    if (!binance_side_read(v['S'], &r->side))
        return "S is neither BUY nor SELL";
    if (!binance_status_read(v['X'], &r->state))
        return "X is not a status we know";
    return NULL;
}

static const char *
event_fill(const struct json_value v[EVENT_LETTERS], const struct instrument *ins, struct venue_report *r)
{
    bool maker = false;

    if (!json_value_decimal(v['l'], ins->qty_decimals, &r->last_qty) || r->last_qty <= 0 ||
        !binance_fill_px_read(v['L'], ins, (enum side)r->side, &r->last_px))
        return "l or L cannot be read";
    if (!json_value_i64(v['t'], &r->trade_id) || r->trade_id < 0) {
        r->trade_id = -1;
        return "t is no trade id";
    }
    if (r->cum_qty < r->last_qty)
        return "z is below l";
    if (!json_value_bool(v['m'], &maker))
        return "m cannot be read";
    r->maker = maker;
    binance_fee_read(v['n'], v['N'], r);
    r->kind = VENUE_FILL;
    return NULL;
}

/* The order has another client id than before. */
static bool
other_name(const struct json_value v[EVENT_LETTERS])
{
    struct json_text before;
    struct json_text now;

    if (!json_value_text(v['C'], &before) || before.n == 0)
        return false;
    return !json_value_text(v['c'], &now) || now.n != before.n || memcmp(now.s, before.s, now.n) != 0;
}

/* What an execution type says, given the status beside it (user-data-stream.md, "Execution types"). */
static const char *
event_kind(const struct json_value v[EVENT_LETTERS], const struct instrument *ins, struct venue_report *r)
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

    if (json_value_equals(v['x'], "TRADE"))
        return event_fill(v, ins, r);
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        if (json_value_equals(v['x'], plain[i].type)) {
            r->kind = (uint8_t)plain[i].kind;
            return NULL;
        }
    }
    if (json_value_equals(v['x'], "TRADE_PREVENTION") && r->state == ORDER_EXPIRED) {
        r->kind = VENUE_EXPIRED;
        return NULL;
    }
    if (json_value_equals(v['x'], "REPLACED")) { /* order.amend.keepPriority: ours are never sent, so somebody else's */
        r->kind = VENUE_AMENDED;
        r->renamed = other_name(v);
        return NULL;
    }
    /* A decrement by self-trade prevention, or a type that is new: the order changed in a way that only a query can
     * tell. */
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
    case VENUE_AMENDED: return r->state != ORDER_NEW && r->state != ORDER_PARTIALLY_FILLED;
    default: return false;
    }
}

static enum decode_result
decode_execution(const struct binance_oe *b, const struct json_value v[EVENT_LETTERS], bool whole,
                 const struct venue_sink *sink)
{
    struct venue_report r = venue_report_of(VENUE_UNKNOWN, VENUE_RQ_COUNT);
    const char *why = "event cannot be read to its end";

    event_identity(b, v, &r);
    bool foreign = whole && json_value_is(v['s'], JSON_STRING) && r.instrument == INSTRUMENT_NONE;
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
        binance_identity_only(&r);
        binance_report_text(&r, why);
    } else if (r.kind == VENUE_REJECTED) {
        json_value_print(v['r'], r.text, sizeof(r.text));
    }
    binance_report(sink, &r);
    return foreign ? DECODE_UNKNOWN_SYMBOL : DECODE_OK;
}

static enum decode_result
decode_balances(const struct json_value v[EVENT_LETTERS], const struct venue_sink *sink)
{
    static const char *const name[] = { "a", "f", "l" };

    return binance_balances_read(v['B'], name, VENUE_RQ_COUNT, binance_time_ns(v['E']), sink) ? DECODE_OK
                                                                                              : DECODE_MALFORMED;
}

enum decode_result
binance_event_decode(const struct binance_oe *b, struct json_value text, bool whole, const struct venue_sink *sink)
{
    struct json_value v[EVENT_LETTERS];

    whole = event_read(text, v) && whole;
    if (!json_value_is(v['e'], JSON_STRING) || (!whole && !json_value_equals(v['e'], "outboundAccountPosition")))
        return decode_execution(b, v, false, sink); /* it may have been one */
    if (json_value_equals(v['e'], "executionReport"))
        return decode_execution(b, v, whole, sink);
    if (json_value_equals(v['e'], "outboundAccountPosition"))
        return whole ? decode_balances(v, sink) : DECODE_MALFORMED;
    if (json_value_equals(v['e'], "eventStreamTerminated") || json_value_equals(v['e'], "serverShutdown")) {
        struct venue_report r = venue_report_of(VENUE_STREAM_DOWN, VENUE_RQ_COUNT);
        json_value_print(v['e'], r.text, sizeof(r.text));
        r.venue_time_ns = binance_time_ns(v['E']);
        binance_report(sink, &r);
        return DECODE_OK;
    }
    return DECODE_IGNORED;
}
