/* Binance Spot order entry: what answers and events have in common. See binance_oe_read.h. */
#include "engine/venue/binance_oe_read.h"

int64_t
binance_time_ns(struct json_value v)
{
    int64_t t;

    if (!json_value_i64(v, &t) || t <= 0)
        return 0;
    if (t <= INT64_MAX / NS_PER_MS)
        return t * NS_PER_MS;
    if (t >= INT64_C(1000000000000000) && t <= INT64_MAX / NS_PER_US)
        return t * NS_PER_US;
    return 0;
}

void
binance_answer_report(const struct binance_answer *a, enum venue_report_kind kind, const char *clordid,
                      const char *text)
{
    struct venue_report r = venue_report_of(kind, a->id.kind);

    memcpy(r.clordid, clordid, CLORDID_BYTES);
    r.tag = a->id.tag;
    r.code = a->code;
    r.renamed = kind == VENUE_CANCEL_REJECTED && a->code == BINANCE_OTHER_NAME;
    binance_report_text(&r, text != NULL ? text : a->text);
    binance_report(a->sink, &r);
}

/* ---- single values ---- */

static const struct {
    const char *name;
    uint8_t state;
} status_state[] = {
    { "NEW", ORDER_NEW },         { "PENDING_NEW", ORDER_NEW },          { "PARTIALLY_FILLED", ORDER_PARTIALLY_FILLED },
    { "FILLED", ORDER_FILLED },   { "CANCELED", ORDER_CANCELED },        { "REJECTED", ORDER_REJECTED },
    { "EXPIRED", ORDER_EXPIRED }, { "EXPIRED_IN_MATCH", ORDER_EXPIRED },
};

bool
binance_status_read(struct json_value v, uint8_t *state)
{
    for (size_t i = 0; i < ARRAY_LEN(status_state); i++) {
        if (json_value_equals(v, status_state[i].name)) {
            *state = status_state[i].state;
            return true;
        }
    }
    return false;
}

bool
binance_side_read(struct json_value v, uint8_t *side)
{
    bool buy = json_value_equals(v, "BUY");

    if (!buy && !json_value_equals(v, "SELL"))
        return false;
    *side = buy ? SIDE_BUY : SIDE_SELL;
    return true;
}

bool
binance_fill_px_read(struct json_value v, const struct instrument *ins, enum side side, px_t *px)
{
    struct json_text t;

    return json_value_amount(v, &t) &&
           decimal_parse_rounded(t.s, t.n, ins->px_decimals, side == SIDE_BUY, px) == DECODE_OK;
}

const struct instrument *
binance_instrument_read(const struct binance_oe *b, struct json_value v)
{
    struct json_text t;

    return json_value_text(v, &t) && !t.escaped ? binance_instrument(b, t.s, t.n) : NULL;
}

bool
binance_order_id_read(struct json_value v, uint64_t *out)
{
    int64_t id;

    if (!json_value_i64(v, &id) || id <= 0)
        return false;
    *out = (uint64_t)id;
    return true;
}

void
binance_fee_read(struct json_value amount, struct json_value asset, struct venue_report *r)
{
    struct json_text t;

    if (json_value_text(asset, &t) && t.n > 0 && t.n < CURRENCY_BYTES && !t.escaped &&
        json_value_decimal(amount, VALUE_DECIMALS, &r->fee)) {
        memcpy(r->fee_ccy, t.s, t.n);
        return;
    }
    r->fee = 0;
    bool none = !json_value_set(asset) || json_value_is(asset, JSON_NULL);
    int64_t zero = -1;
    if (!none || !json_value_decimal(amount, VALUE_DECIMALS, &zero) || zero != 0)
        binance_report_text(r, "fee cannot be read");
}

/* ---- orders ---- */

const char *const binance_order_member[OM_COUNT] = {
    [OM_SYMBOL] = "symbol",
    [OM_ORDER_ID] = "orderId",
    [OM_CLIENT_ID] = "clientOrderId",
    [OM_ORIG_CLIENT_ID] = "origClientOrderId",
    [OM_PX] = "price",
    [OM_QTY] = "origQty",
    [OM_CUM] = "executedQty",
    [OM_STATUS] = "status",
    [OM_SIDE] = "side",
    [OM_TYPE] = "type",
    [OM_STOP_PX] = "stopPrice",
    [OM_ICEBERG_QTY] = "icebergQty",
    [OM_IS_WORKING] = "isWorking",
    [OM_TRANSACT_TIME] = "transactTime",
    [OM_UPDATE_TIME] = "updateTime",
    [OM_FILLS] = "fills",
};

const char *
binance_order_identity(const struct binance_oe *b, const struct json_value m[OM_COUNT], unsigned id_member,
                       const struct instrument **ins, struct venue_report *r)
{
    json_value_print(m[id_member], r->clordid, sizeof(r->clordid));
    *ins = binance_instrument_read(b, m[OM_SYMBOL]);
    if (*ins != NULL)
        r->instrument = (*ins)->id;
    if (!binance_order_id_read(m[OM_ORDER_ID], &r->venue_order_id))
        return "orderId is missing or no positive integer";
    if (r->clordid[0] == '\0')
        return "client order id is missing";
    r->venue_time_ns = binance_time_ns(m[OM_TRANSACT_TIME]);
    if (r->venue_time_ns == 0)
        r->venue_time_ns = binance_time_ns(m[OM_UPDATE_TIME]);
    return NULL;
}

const char *
binance_order_numbers(const struct json_value m[OM_COUNT], const struct instrument *ins, struct venue_report *r)
{
    if (!json_value_decimal(m[OM_PX], ins->px_decimals, &r->px) || r->px < 0)
        return "price cannot be read";
    if (!json_value_decimal(m[OM_QTY], ins->qty_decimals, &r->qty) || r->qty < 0)
        return "origQty cannot be read";
    if (!json_value_decimal(m[OM_CUM], ins->qty_decimals, &r->cum_qty) || r->cum_qty < 0)
        return "executedQty cannot be read";
    if (!binance_status_read(m[OM_STATUS], &r->state))
        return "status is not one we know";
    if (!binance_side_read(m[OM_SIDE], &r->side))
        return "side is neither BUY nor SELL";
    return NULL;
}

void
binance_identity_only(struct venue_report *r)
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

static value_t
balance_read(struct json_value v, bool *whole)
{
    struct json_text t;
    bool all = false;
    value_t amount = json_value_text(v, &t) && !t.escaped ? decimal_at_least(t.s, t.n, VALUE_DECIMALS, &all) : 0;

    *whole &= all;
    return amount;
}

bool
binance_balances_read(struct json_value list, const char *const name[3], enum venue_request_kind request,
                      int64_t venue_time_ns, const struct venue_sink *sink)
{
    struct json_scan j;
    struct json_text span;
    struct json_text ccy;
    struct json_value m[3];

    if (!json_value_set(list))
        return false;
    json_init(&j, list.s, list.n);
    (void)json_array(&j);
    while (json_element(&j)) {
        struct venue_report r = venue_report_of(VENUE_BALANCE, request);
        bool whole = true;
        if (!json_raw(&j, &span))
            break;
        if (!json_members((struct json_value){ span.s, span.n }, name, 3, m) || !json_value_text(m[0], &ccy))
            return false; /* it may be any currency's */
        if (ccy.escaped || ccy.n == 0 || ccy.n >= CURRENCY_BYTES)
            continue; /* none of ours is called so */
        r.last_qty = balance_read(m[1], &whole);
        r.qty = balance_read(m[2], &whole);
        r.code = !whole;
        memcpy(r.fee_ccy, ccy.s, ccy.n);
        r.venue_time_ns = venue_time_ns;
        binance_report(sink, &r);
    }
    return json_done(&j);
}
