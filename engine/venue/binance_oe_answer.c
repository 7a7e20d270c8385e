/* Binance Spot order entry: answers to new orders, cancels and cancel-replaces. See binance_oe_read.h. */
#include "engine/venue/binance_oe_read.h"

enum { FM_PX, FM_QTY, FM_FEE, FM_FEE_CCY, FM_TRADE_ID, FM_COUNT };

static const char *const fill_member[FM_COUNT] = {
    [FM_PX] = "price",         [FM_QTY] = "qty", [FM_FEE] = "commission", [FM_FEE_CCY] = "commissionAsset",
    [FM_TRADE_ID] = "tradeId",
};

/* fills[] of a FULL answer. sink NULL: only look whether all can be read. They were taken on entry: never maker. */
static bool
fills_read(struct json_value fills, const struct instrument *ins, const struct venue_report *order,
           const struct venue_sink *sink)
{
    struct json_scan j;
    struct json_text span;
    struct json_value m[FM_COUNT];

    if (!json_value_set(fills))
        return true;
    json_init(&j, fills.s, fills.n);
    if (!json_array(&j))
        return false;
    while (json_element(&j)) {
        struct venue_report r = *order;
        if (!json_raw(&j, &span) || !json_members((struct json_value){ span.s, span.n }, fill_member, FM_COUNT, m) ||
            !binance_fill_px_read(m[FM_PX], ins, (enum side)r.side, &r.last_px) ||
            !json_value_decimal(m[FM_QTY], ins->qty_decimals, &r.last_qty) || r.last_qty <= 0 ||
            !json_value_i64(m[FM_TRADE_ID], &r.trade_id) || r.trade_id < 0)
            return false;
        r.kind = VENUE_FILL;
        binance_fee_read(m[FM_FEE], m[FM_FEE_CCY], &r);
        if (sink != NULL)
            binance_report(sink, &r);
    }
    return json_done(&j);
}

static void
report_unknown(const struct binance_answer *a, struct venue_report *r, const char *clordid, const char *why)
{
    binance_identity_only(r);
    memcpy(r->clordid, clordid, CLORDID_BYTES);
    binance_report_text(r, why);
    binance_report(a->sink, r);
}

/* A new order's answer of success: ACK, RESULT or FULL. */
static void
placed(const struct binance_answer *a, struct json_value result)
{
    struct venue_report r = venue_report_of(VENUE_NEW_ACK, a->id.kind);
    struct json_value m[OM_COUNT];
    const struct instrument *ins = NULL;
    const char *why = "answer is not one object";

    if (json_members(result, binance_order_member, OM_COUNT, m)) {
        why = binance_order_identity(a->b, m, OM_CLIENT_ID, &ins, &r);
        if (why == NULL && strcmp(r.clordid, a->id.clordid) != 0)
            why = "clientOrderId is not the one sent";
        if (why == NULL && ins == NULL)
            why = "symbol is not ours";
        r.state = ORDER_NEW;
        if (why == NULL && json_value_set(m[OM_STATUS])) /* an ACK has none */
            why = binance_order_numbers(m, ins, &r);
        if (why == NULL && !fills_read(m[OM_FILLS], ins, &r, NULL))
            why = "fills cannot be read";
    }
    if (why != NULL) {
        report_unknown(a, &r, a->id.clordid, why);
        return;
    }
    if (r.state == ORDER_REJECTED) {
        r.kind = VENUE_REJECTED;
        binance_report(a->sink, &r);
        return;
    }
    binance_report(a->sink, &r);
    (void)fills_read(m[OM_FILLS], ins, &r, a->sink);
    if (r.state == ORDER_CANCELED || r.state == ORDER_EXPIRED) {
        r.kind = r.state == ORDER_CANCELED ? VENUE_CANCELED : VENUE_EXPIRED;
        binance_report(a->sink, &r);
    }
}

/* A cancel's answer of success: origClientOrderId is the order, clientOrderId the cancel. `clordid` "" = not known. */
static void
canceled(const struct binance_answer *a, struct json_value result, const char *clordid)
{
    struct venue_report r = venue_report_of(VENUE_CANCELED, a->id.kind);
    struct json_value m[OM_COUNT];
    const struct instrument *ins = NULL;
    const char *why = "answer is not one object";

    if (json_members(result, binance_order_member, OM_COUNT, m)) {
        why = binance_order_identity(a->b, m, OM_ORIG_CLIENT_ID, &ins, &r);
        if (why == NULL && a->id.by_venue_id)
            memcpy(r.clordid, a->id.clordid, CLORDID_BYTES);
        if (why == NULL && clordid[0] != '\0' && strcmp(r.clordid, clordid) != 0)
            why = "origClientOrderId is not the one sent";
        if (why == NULL && ins == NULL)
            why = "symbol is not ours";
        if (why == NULL)
            why = binance_order_numbers(m, ins, &r);
        if (why == NULL && r.state != ORDER_CANCELED && r.state != ORDER_EXPIRED)
            why = "status of the canceled order is not CANCELED";
    }
    if (why != NULL) {
        report_unknown(a, &r, clordid, why);
        return;
    }
    if (r.state == ORDER_EXPIRED)
        r.kind = VENUE_EXPIRED;
    binance_report(a->sink, &r);
}

/* ---- one function per request kind ---- */

void
binance_on_new(const struct binance_answer *a)
{
    if (a->status == 200) {
        placed(a, a->result);
        return;
    }
    bool refused = binance_refusal_proven(a->status, a->code, a->text);
    binance_answer_report(a, refused ? VENUE_REJECTED : VENUE_UNKNOWN, a->id.clordid, NULL);
}

void
binance_on_cancel(const struct binance_answer *a)
{
    if (a->status == 200) {
        canceled(a, a->result, a->id.clordid);
        return;
    }
    bool refused = binance_cancel_refusal_proven(a->status, a->code, a->text);
    binance_answer_report(a, refused ? VENUE_CANCEL_REJECTED : VENUE_UNKNOWN, a->id.clordid, NULL);
}

enum { RM_CANCEL, RM_NEW, RM_CANCEL_ANSWER, RM_NEW_ANSWER, RM_COUNT };

static const char *const replace_member[RM_COUNT] = {
    [RM_CANCEL] = "cancelResult",
    [RM_NEW] = "newOrderResult",
    [RM_CANCEL_ANSWER] = "cancelResponse",
    [RM_NEW_ANSWER] = "newOrderResponse",
};

/* The cancel half of a cancel-replace. */
static void
replace_cancel_half(const struct binance_answer *a, struct json_value outcome, struct json_value half)
{
    if (json_value_equals(outcome, "SUCCESS")) {
        canceled(a, half, a->id.target);
        return;
    }
    struct binance_answer h = *a;
    bool refused = json_value_equals(outcome, "NOT_ATTEMPTED");
    if (!refused && json_value_equals(outcome, "FAILURE"))
        refused = binance_error_read(half, &h.code, h.text, NULL) && binance_cancel_refusal_proven(400, h.code, h.text);
    binance_answer_report(&h, refused ? VENUE_CANCEL_REJECTED : VENUE_UNKNOWN, a->id.target, NULL);
}

static void
replace_new_half(const struct binance_answer *a, struct json_value outcome, struct json_value half)
{
    if (json_value_equals(outcome, "SUCCESS")) {
        placed(a, half);
        return;
    }
    struct binance_answer h = *a;
    bool refused = json_value_equals(outcome, "NOT_ATTEMPTED");
    if (!refused && json_value_equals(outcome, "FAILURE"))
        refused = binance_error_read(half, &h.code, h.text, NULL) && binance_refusal_proven(400, h.code, h.text);
    binance_answer_report(&h, refused ? VENUE_REJECTED : VENUE_UNKNOWN, a->id.clordid, NULL);
}

/* 200 has the halves in result, -2021 (one failed) and -2022 (both did, or the second was not tried) in error.data.
 * Without halves the whole request was refused, or nobody knows. */
void
binance_on_replace(const struct binance_answer *a)
{
    struct json_value m[RM_COUNT];
    struct json_value halves = a->status == 200 ? a->result : a->data;

    if (json_value_is(halves, JSON_OBJECT) && json_members(halves, replace_member, RM_COUNT, m) &&
        json_value_set(m[RM_CANCEL]) && json_value_set(m[RM_NEW])) {
        replace_cancel_half(a, m[RM_CANCEL], m[RM_CANCEL_ANSWER]);
        replace_new_half(a, m[RM_NEW], m[RM_NEW_ANSWER]);
        return;
    }
    bool refused = a->status != 200 && binance_refusal_proven(a->status, a->code, a->text);
    binance_answer_report(a, refused ? VENUE_CANCEL_REJECTED : VENUE_UNKNOWN, a->id.target, NULL);
    binance_answer_report(a, refused ? VENUE_REJECTED : VENUE_UNKNOWN, a->id.clordid, NULL);
}
