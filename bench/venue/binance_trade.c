/* Order requests: place, test, cancel, cancel-replace, amend, cancel all, and what the account asks about its orders.
 */
#include "bench/venue/binance.h"

#define ORDERS_OUT_MAX 2048

struct order_list {
    const struct emu_order *at[ORDERS_OUT_MAX];
};

static struct order_list *
order_list_take(void)
{
    struct order_list *l = (struct order_list *)calloc(1, sizeof(*l));
    ASSERT(l != NULL);
    return l;
}

/* ---- shapes --------------------------------------------------------------------------------------------------- */

/* price ... side, as order responses and queries have them in common. */
static void
order_amounts(struct text *t, const struct emu_order *o)
{
    text_key_decimal(t, "price", o->px);
    text_key_decimal(t, "origQty", o->qty);
    text_key_decimal(t, "executedQty", o->cum_qty);
}

static void
order_kind(struct text *t, const struct emu_order *o)
{
    text_key_word(t, "status", emu_status_text((enum emu_status)o->status));
    text_key_word(t, "timeInForce", o->tif == EMU_TIF_NONE ? "GTC" : emu_tif_text((enum emu_tif)o->tif));
    text_key_word(t, "type", emu_type_text((enum emu_type)o->type));
    text_key_word(t, "side", emu_side_text((enum emu_side)o->side));
}

static void
order_conditional(struct text *t, const struct emu_order *o)
{
    if (o->stop_px != 0)
        text_key_decimal(t, "stopPrice", o->stop_px);
    if (o->iceberg_qty != 0)
        text_key_decimal(t, "icebergQty", o->iceberg_qty);
}

static void
order_fills(const struct call *c, struct text *t, const struct emu_order *o)
{
    text_key(t, "fills");
    text_put(t, "[");
    for (const struct emu_trade *f = o->trades; f != NULL; f = f->next_of_order) {
        text_comma(t);
        text_put(t, "{");
        text_key_decimal(t, "price", f->px);
        text_key_decimal(t, "qty", f->qty);
        text_key_decimal(t, "commission", f->commission);
        text_key_word(t, "commissionAsset", emu_asset_name(c->venue->base.engine, f->commission_asset));
        text_key_int(t, "tradeId", f->id);
        text_put(t, "}");
    }
    text_put(t, "]");
}

static const char *
symbol_name(const struct call *c, int symbol)
{
    return emu_symbol_get(c->venue->base.engine, symbol)->name;
}

enum response { RESPONSE_ACK, RESPONSE_RESULT, RESPONSE_FULL };

static void
order_response(const struct call *c, struct text *t, const struct emu_order *o, enum response how)
{
    text_put(t, "{");
    text_key_word(t, "symbol", symbol_name(c, o->symbol));
    text_key_int(t, "orderId", o->id);
    text_key_int(t, "orderListId", -1);
    text_key_word(t, "clientOrderId", o->client_id);
    text_key_int(t, "transactTime", call_stamp(c, o->updated_us));
    if (how != RESPONSE_ACK) {
        order_amounts(t, o);
        text_key_decimal(t, "origQuoteOrderQty", o->quote_order_qty);
        text_key_decimal(t, "cummulativeQuoteQty", o->cum_quote);
        order_kind(t, o);
        order_conditional(t, o);
        if (o->working_us >= 0)
            text_key_int(t, "workingTime", call_stamp(c, o->working_us));
        if (how == RESPONSE_FULL)
            order_fills(c, t, o);
        text_key_word(t, "selfTradePreventionMode", emu_stp_text((enum emu_stp)o->stp));
    }
    text_put(t, "}");
}

static void
cancel_response(const struct call *c, struct text *t, const struct emu_order *o, const char *cancel_id)
{
    text_put(t, "{");
    text_key_word(t, "symbol", symbol_name(c, o->symbol));
    text_key_word(t, "origClientOrderId", o->client_id);
    text_key_int(t, "orderId", o->id);
    text_key_int(t, "orderListId", -1);
    text_key_word(t, "clientOrderId", cancel_id);
    text_key_int(t, "transactTime", call_stamp(c, o->updated_us));
    order_amounts(t, o);
    text_key_decimal(t, "origQuoteOrderQty", o->quote_order_qty);
    text_key_decimal(t, "cummulativeQuoteQty", o->cum_quote);
    order_kind(t, o);
    order_conditional(t, o);
    text_key_word(t, "selfTradePreventionMode", emu_stp_text((enum emu_stp)o->stp));
    text_put(t, "}");
}

static void
order_query(const struct call *c, struct text *t, const struct emu_order *o)
{
    text_comma(t);
    text_put(t, "{");
    text_key_word(t, "symbol", symbol_name(c, o->symbol));
    text_key_int(t, "orderId", o->id);
    text_key_int(t, "orderListId", -1);
    text_key_word(t, "clientOrderId", o->client_id);
    order_amounts(t, o);
    text_key_decimal(t, "cummulativeQuoteQty", o->cum_quote);
    order_kind(t, o);
    text_key_decimal(t, "stopPrice", o->stop_px);
    text_key_decimal(t, "icebergQty", o->iceberg_qty);
    text_key_int(t, "time", call_stamp(c, o->created_us));
    text_key_int(t, "updateTime", call_stamp(c, o->updated_us));
    text_key_bool(t, "isWorking", o->working_us >= 0);
    text_key_int(t, "workingTime", o->working_us >= 0 ? call_stamp(c, o->working_us) : -1);
    text_key_decimal(t, "origQuoteOrderQty", o->quote_order_qty);
    text_key_word(t, "selfTradePreventionMode", emu_stp_text((enum emu_stp)o->stp));
    if (o->prevented_qty != 0)
        text_key_decimal(t, "preventedQuantity", o->prevented_qty);
    text_put(t, "}");
}

/* ---- parameters of an order ----------------------------------------------------------------------------------- */

/* What a type must, may and must not have: bits. */
enum { F_TIF = 1, F_PRICE = 2, F_QTY = 4, F_STOP = 8, F_QUOTE = 16, F_ICEBERG = 32 };

static const struct {
    const char *name;
    unsigned bit;
} fields[] = { { "timeInForce", F_TIF }, { "price", F_PRICE },         { "quantity", F_QTY },
               { "stopPrice", F_STOP },  { "quoteOrderQty", F_QUOTE }, { "icebergQty", F_ICEBERG } };

static const struct {
    unsigned must, may;
} shapes[EMU_TYPE_COUNT] = {
    [EMU_LIMIT] = { F_TIF | F_PRICE | F_QTY, F_ICEBERG },
    [EMU_MARKET] = { 0, F_QTY | F_QUOTE },
    [EMU_STOP_LOSS] = { F_QTY | F_STOP, 0 },
    [EMU_STOP_LOSS_LIMIT] = { F_TIF | F_PRICE | F_QTY | F_STOP, F_ICEBERG },
    [EMU_TAKE_PROFIT] = { F_QTY | F_STOP, 0 },
    [EMU_TAKE_PROFIT_LIMIT] = { F_TIF | F_PRICE | F_QTY | F_STOP, F_ICEBERG },
    [EMU_LIMIT_MAKER] = { F_PRICE | F_QTY, F_ICEBERG },
};

static bool
legal_client_id(struct call *c, const char *name, const char **out)
{
    const char *s = call_text(c, name);
    *out = NULL;
    if (s == NULL)
        return true;
    size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:/");
    if (n == 0 || n > 36 || s[n] != '\0') {
        call_fail(c, 400, -1100,
                  "Illegal characters found in parameter '%s'; legal range is '^[\\.A-Z\\:/a-z0-9_-]{1,36}$'.", name);
        return false;
    }
    *out = s;
    return true;
}

/* An enum parameter; the code and text of a wrong one differ by parameter. */
static bool
enum_param(struct call *c, const char *name, int (*from)(const char *), int code, const char *msg, int *out)
{
    const char *s = call_text(c, name);
    if (s == NULL)
        return true;
    int v = from(s);
    if (v < 0 || s[0] == '\0') {
        call_fail(c, 400, code, msg, name);
        return false;
    }
    *out = v;
    return true;
}

static bool
shape_check(struct call *c, enum emu_type type)
{
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const char *s = call_text(c, fields[i].name);
        if (s == NULL && (shapes[type].must & fields[i].bit) != 0) {
            call_fail(c, 400, -1102, "Mandatory parameter '%s' was not sent, was empty/null, or malformed.",
                      fields[i].name);
            return false;
        }
        if (s != NULL && ((shapes[type].must | shapes[type].may) & fields[i].bit) == 0) {
            call_fail(c, 400, fields[i].bit == F_TIF ? -1114 : -1106,
                      fields[i].bit == F_TIF ? "TimeInForce parameter sent when not required."
                                             : "Parameter '%s' sent when not required.",
                      fields[i].name);
            return false;
        }
    }
    if (type != EMU_MARKET)
        return true;
    bool qty = call_text(c, "quantity") != NULL;
    bool quote = call_text(c, "quoteOrderQty") != NULL;
    if (!qty && !quote)
        call_fail(c, 400, -1102, "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!");
    else if (qty && quote)
        call_fail(c, 400, -1128, "Combination of optional parameters invalid.");
    return qty != quote;
}

static bool
read_order(struct call *c, struct emu_order_req *rq, enum response *how)
{
    int side = 0;
    int type = 0;
    int tif = EMU_TIF_NONE;
    int stp = EMU_STP_NONE;
    const char *resp = call_text(c, "newOrderRespType");

    *rq = (struct emu_order_req){ 0 };
    if (!call_symbol(c, &rq->symbol) || !enum_param(c, "side", emu_side_from, -1117, "Invalid side.", &side) ||
        !enum_param(c, "type", emu_type_from, -1116, "Invalid orderType.", &type) ||
        !shape_check(c, (enum emu_type)type) ||
        !enum_param(c, "timeInForce", emu_tif_from, -1115, "Invalid timeInForce.", &tif) ||
        !enum_param(c, "selfTradePreventionMode", emu_stp_from, -1130, "Data sent for parameter '%s' is not valid.",
                    &stp) ||
        !call_decimal(c, "price", &rq->px) || !call_decimal(c, "quantity", &rq->qty) ||
        !call_decimal(c, "stopPrice", &rq->stop_px) || !call_decimal(c, "quoteOrderQty", &rq->quote_order_qty) ||
        !call_decimal(c, "icebergQty", &rq->iceberg_qty) || !legal_client_id(c, "newClientOrderId", &rq->client_id))
        return false;
    rq->side = (enum emu_side)side;
    rq->type = (enum emu_type)type;
    rq->tif = (enum emu_tif)tif;
    rq->stp = (enum emu_stp)stp;
    *how = type == EMU_LIMIT || type == EMU_MARKET ? RESPONSE_FULL : RESPONSE_ACK;
    if (resp == NULL)
        return true;
    if (strcmp(resp, "ACK") == 0)
        *how = RESPONSE_ACK;
    else if (strcmp(resp, "RESULT") == 0)
        *how = RESPONSE_RESULT;
    else if (strcmp(resp, "FULL") == 0)
        *how = RESPONSE_FULL;
    else {
        call_fail(c, 400, -1130, "Data sent for parameter 'newOrderRespType' is not valid.");
        return false;
    }
    return true;
}

/* Count one order; false with 429 when the account sent too many. */
static bool
take_order(struct call *c)
{
    struct emu_order_limits *o = &c->venue->orders[c->account];

    c->counts_order = true;
    if (emu_order_limits_take(o, c->now_us))
        return true;
    bool ten = emu_limit_count(&o->ten_seconds, c->now_us) >= o->ten_seconds.limit;
    c->retry_after_us = emu_limit_resets_us(ten ? &o->ten_seconds : &o->day, c->now_us);
    call_fail(c, 429, -1015, "Too many new orders; current limit is %d orders per %s.",
              ten ? o->ten_seconds.limit : o->day.limit, ten ? "10 SECOND" : "DAY");
    return false;
}

/* ---- place ---------------------------------------------------------------------------------------------------- */

static void
run_place(struct call *c)
{
    struct emu_order_req rq;
    struct emu_order_result out = { 0 };
    enum response how;

    c->counts_order = true;
    if (!read_order(c, &rq, &how) || !take_order(c))
        return;
    if (emu_order_place(c->venue->base.engine, c->account, &rq, &out) != 0)
        call_fail_engine(c, &out.err);
    else
        order_response(c, &c->result, out.order, how);
}

static void
rates_json(struct text *t, const char *name, int64_t maker, int64_t taker)
{
    text_key(t, name);
    text_put(t, "{");
    text_key_decimal(t, "maker", maker);
    text_key_decimal(t, "taker", taker);
    text_put(t, "}");
}

static void
run_test(struct call *c)
{
    struct emu_order_req rq;
    struct emu_error err = { 0 };
    enum response how;
    bool rates = false;

    if (!read_order(c, &rq, &how) || !call_bool(c, "computeCommissionRates", &rates))
        return;
    if (emu_order_test(c->venue->base.engine, c->account, &rq, &err) != 0) {
        call_fail_engine(c, &err);
    } else if (rates) {
        const struct emu_account *a = emu_account_get(c->venue->base.engine, c->account);
        text_put(&c->result, "{");
        rates_json(&c->result, "standardCommissionForOrder", a->maker_rate, a->taker_rate);
        rates_json(&c->result, "specialCommissionForOrder", 0, 0);
        rates_json(&c->result, "taxCommissionForOrder", 0, 0);
        text_key(&c->result, "discount");
        text_put(&c->result, "{\"enabledForAccount\":false,\"enabledForSymbol\":false,\"discountAsset\":\"BNB\","
                             "\"discount\":\"0.00000000\"}}");
    }
}

/* ---- cancel --------------------------------------------------------------------------------------------------- */

static bool
read_order_id(struct call *c, const char *id_name, const char *client_name, int64_t *id, const char **client_id)
{
    *id = 0;
    *client_id = NULL;
    if (!call_int(c, id_name, 0, INT64_MAX, id) || !legal_client_id(c, client_name, client_id))
        return false;
    if (*id == 0 && *client_id == NULL) {
        if (call_text(c, id_name) != NULL)
            return true; /* an id of 0: there is no such order */
        call_fail(c, 400, -1102, "Param '%s' or '%s' must be sent, but both were empty/null!", client_name, id_name);
        return false;
    }
    return true;
}

static bool
read_restriction(struct call *c, enum emu_cancel_restriction *out)
{
    int r = EMU_CANCEL_ANY;
    if (!enum_param(c, "cancelRestrictions", emu_cancel_restriction_from, -1145,
                    "`cancelRestrictions` has to be either `ONLY_NEW` or `ONLY_PARTIALLY_FILLED`.", &r))
        return false;
    *out = (enum emu_cancel_restriction)r;
    return true;
}

/* A fault: the order trades just before its cancel is carried out. */
static void
fill_before_cancel(struct call *c, const struct emu_cancel_req *rq)
{
    struct fault_hits h = fault_draw(&c->venue->base.faults, FAULT_ON_CANCEL, "order.cancel");
    struct emu_error ignored = { 0 };

    if (!fault_hit(&h, FAULT_FILL_CANCEL))
        return;
    const struct emu_order *o =
        emu_order_find(c->venue->base.engine, c->account, rq->symbol, rq->order_id, rq->orig_client_id, &ignored);
    if (o != NULL && o->is_open)
        (void)emu_order_hit(
            c->venue->base.engine, c->account, rq->symbol, o->id,
            fault_part(&h, o->qty - o->cum_qty, emu_symbol_get(c->venue->base.engine, rq->symbol)->filters.lot_step));
}

static void
run_cancel(struct call *c)
{
    struct emu_cancel_req rq = { 0 };
    struct emu_cancel_result out = { 0 };

    if (!call_symbol(c, &rq.symbol) ||
        !read_order_id(c, "orderId", "origClientOrderId", &rq.order_id, &rq.orig_client_id) ||
        !legal_client_id(c, "newClientOrderId", &rq.client_id) || !read_restriction(c, &rq.restriction))
        return;
    fill_before_cancel(c, &rq);
    if (rq.order_id == 0 && rq.orig_client_id == NULL)
        call_fail(c, 400, -2011, "Unknown order sent.");
    else if (emu_order_cancel(c->venue->base.engine, c->account, &rq, &out) != 0)
        call_fail_engine(c, &out.err);
    else
        cancel_response(c, &c->result, out.order, out.client_id);
}

static void
run_cancel_all(struct call *c)
{
    struct order_list *out = order_list_take();
    struct emu_error err = { 0 };
    int symbol;

    if (call_symbol(c, &symbol)) {
        c->venue->last_cancel_id[0] = '\0';
        int n = emu_order_cancel_all(c->venue->base.engine, c->account, symbol, out->at, ORDERS_OUT_MAX, &err);
        if (n < 0)
            call_fail_engine(c, &err);
        else
            text_put(&c->result, "[");
        for (int i = 0; i < n && i < ORDERS_OUT_MAX; i++) {
            text_comma(&c->result);
            cancel_response(c, &c->result, out->at[i], c->venue->last_cancel_id);
        }
        if (n >= 0)
            text_put(&c->result, "]");
    }
    free(out);
}

/* ---- cancel and replace --------------------------------------------------------------------------------------- */

static void
error_json(struct text *t, const struct emu_error *err)
{
    text_put(t, "{");
    text_key_int(t, "code", err->code);
    text_key(t, "msg");
    text_string(t, err->msg);
    text_put(t, "}");
}

static void
replace_json(const struct call *c, struct text *t, const struct emu_replace_result *r, enum response how)
{
    text_put(t, "{");
    text_key_word(t, "cancelResult", emu_leg_text(r->cancel_leg));
    text_key_word(t, "newOrderResult", emu_leg_text(r->new_leg));
    text_key(t, "cancelResponse");
    if (r->cancel_leg == EMU_LEG_SUCCESS)
        cancel_response(c, t, r->cancel.order, r->cancel.client_id);
    else
        error_json(t, &r->cancel.err);
    text_key(t, "newOrderResponse");
    if (r->new_leg == EMU_LEG_SUCCESS)
        order_response(c, t, r->order.order, how);
    else if (r->new_leg == EMU_LEG_FAILURE)
        error_json(t, &r->order.err);
    else
        text_put(t, "null");
    text_put(t, "}");
}

/* The order count is used up: with CANCEL_ONLY the cancel still goes through. */
static void
replace_over_limit(struct call *c, const struct emu_cancel_req *cancel, const struct emu_order_req *rq,
                   enum response how)
{
    struct emu_replace_result r = { 0 };

    (void)emu_order_replace(c->venue->base.engine, c->account, cancel, rq, true, true, &r);
    replace_json(c, &c->data, &r, how);
    c->data_done = true;
}

static void
run_replace(struct call *c)
{
    struct emu_cancel_req cancel = { 0 };
    struct emu_order_req rq;
    struct emu_replace_result out = { 0 };
    enum response how;
    const char *mode = call_text(c, "cancelReplaceMode");
    const char *over = call_text(c, "orderRateLimitExceededMode");

    c->counts_order = true;
    if (strcmp(mode, "STOP_ON_FAILURE") != 0 && strcmp(mode, "ALLOW_FAILURE") != 0) {
        call_fail(c, 400, -1130, "Data sent for parameter 'cancelReplaceMode' is not valid.");
        return;
    }
    if (over != NULL && strcmp(over, "DO_NOTHING") != 0 && strcmp(over, "CANCEL_ONLY") != 0) {
        call_fail(c, 400, -1130, "Data sent for parameter 'orderRateLimitExceededMode' is not valid.");
        return;
    }
    if (!read_order(c, &rq, &how) ||
        !read_order_id(c, "cancelOrderId", "cancelOrigClientOrderId", &cancel.order_id, &cancel.orig_client_id) ||
        !legal_client_id(c, "cancelNewClientOrderId", &cancel.client_id) || !read_restriction(c, &cancel.restriction))
        return;
    cancel.symbol = rq.symbol;
    if (!take_order(c)) {
        if (over != NULL && strcmp(over, "CANCEL_ONLY") == 0)
            replace_over_limit(c, &cancel, &rq, how);
        return;
    }
    bool stop = strcmp(mode, "STOP_ON_FAILURE") == 0;
    fill_before_cancel(c, &cancel);
    (void)emu_order_replace(c->venue->base.engine, c->account, &cancel, &rq, stop, false, &out);
    if (out.err.code == 0) {
        replace_json(c, &c->result, &out, how);
        return;
    }
    call_fail(c, out.err.code == -2021 ? 409 : 400, out.err.code, "%s", out.err.msg);
    replace_json(c, &c->data, &out, how);
}

/* ---- amend ---------------------------------------------------------------------------------------------------- */

static void
run_amend(struct call *c)
{
    struct emu_order_result out = { 0 };
    struct text *t = &c->result;
    int64_t id = 0;
    int64_t qty = 0;
    int64_t execution_id = 0;
    int symbol;
    char old_id[EMU_CLIENT_ID_MAX];
    const char *orig = NULL;
    const char *new_id = NULL;

    if (!call_symbol(c, &symbol) || !read_order_id(c, "orderId", "origClientOrderId", &id, &orig) ||
        !call_decimal(c, "newQty", &qty) || !legal_client_id(c, "newClientOrderId", &new_id))
        return;
    struct emu_error ignored = { 0 };
    const struct emu_order *before = emu_order_find(c->venue->base.engine, c->account, symbol, id, orig, &ignored);
    (void)snprintf(old_id, sizeof(old_id), "%s", before != NULL ? before->client_id : "");
    struct fault_hits h = fault_draw(&c->venue->base.faults, FAULT_ON_AMEND, "order.amend.keepPriority");
    c->lost = c->venue->mute_amends = fault_hit(&h, FAULT_LOSE_AMEND);
    int code = emu_order_amend(c->venue->base.engine, c->account, symbol, id, orig, qty, new_id, &out, &execution_id);
    c->venue->mute_amends = false;
    if (code != 0) {
        call_fail_engine(c, &out.err);
        return;
    }
    const struct emu_order *o = out.order;
    text_put(t, "{");
    text_key_int(t, "transactTime", call_stamp(c, o->updated_us));
    text_key_int(t, "executionId", execution_id);
    text_key(t, "amendedOrder");
    text_put(t, "{");
    text_key_word(t, "symbol", symbol_name(c, o->symbol));
    text_key_int(t, "orderId", o->id);
    text_key_int(t, "orderListId", -1);
    text_key_word(t, "origClientOrderId", old_id);
    text_key_word(t, "clientOrderId", o->client_id);
    text_key_decimal(t, "price", o->px);
    text_key_decimal(t, "qty", o->qty);
    text_key_decimal(t, "executedQty", o->cum_qty);
    text_key_decimal(t, "preventedQty", o->prevented_qty);
    text_key_decimal(t, "quoteOrderQty", o->quote_order_qty);
    text_key_decimal(t, "cumulativeQuoteQty", o->cum_quote);
    order_kind(t, o);
    if (o->working_us >= 0)
        text_key_int(t, "workingTime", call_stamp(c, o->working_us));
    text_key_word(t, "selfTradePreventionMode", emu_stp_text((enum emu_stp)o->stp));
    text_put(t, "}}");
}

/* ---- queries -------------------------------------------------------------------------------------------------- */

static void
run_status(struct call *c)
{
    struct emu_error err = { 0 };
    int64_t id;
    const char *client_id;
    int symbol;

    if (!call_symbol(c, &symbol) || !read_order_id(c, "orderId", "origClientOrderId", &id, &client_id))
        return;
    const struct emu_order *o = id == 0 && client_id == NULL
                                    ? NULL
                                    : emu_order_find(c->venue->base.engine, c->account, symbol, id, client_id, &err);
    if (o != NULL)
        order_query(c, &c->result, o);
    else if (err.code != 0)
        call_fail_engine(c, &err);
    else
        call_fail(c, 400, -2013, "Order does not exist.");
}

static void
orders_json(struct call *c, const struct emu_order **out, int n)
{
    text_put(&c->result, "[");
    for (int i = 0; i < n; i++)
        order_query(c, &c->result, out[i]);
    text_put(&c->result, "]");
}

static void
run_open(struct call *c)
{
    struct order_list *out = order_list_take();
    int symbol = -1;

    if (call_text(c, "symbol") == NULL)
        c->weight = 80;
    if (call_text(c, "symbol") == NULL || call_symbol(c, &symbol))
        orders_json(c, out->at, emu_orders_open(c->venue->base.engine, c->account, symbol, out->at, ORDERS_OUT_MAX));
    free(out);
}

static bool
read_range(struct call *c, int64_t *start_us, int64_t *end_us, int64_t *limit)
{
    *start_us = 0;
    *end_us = 0;
    *limit = 500;
    if (!call_time(c, "startTime", start_us) || !call_time(c, "endTime", end_us) ||
        !call_int(c, "limit", 1, INT32_MAX, limit))
        return false;
    *limit = MIN(*limit, 1000);
    if (*start_us != 0 && *end_us != 0 && *end_us < *start_us) {
        call_fail(c, 400, -1128, "Combination of optional parameters invalid.");
        return false;
    }
    if (*start_us != 0 && *end_us != 0 && *end_us - *start_us > INT64_C(86400000000)) {
        call_fail(c, 400, -1127, "More than 24 hours between startTime and endTime.");
        return false;
    }
    return true;
}

static void
run_all(struct call *c)
{
    const struct emu_order *out[1000];
    int64_t start_us;
    int64_t end_us;
    int64_t limit;
    int64_t id = 0;
    int symbol;

    if (!call_symbol(c, &symbol) || !read_range(c, &start_us, &end_us, &limit) ||
        !call_int(c, "orderId", 0, INT64_MAX, &id))
        return;
    orders_json(c, out,
                emu_orders_all(c->venue->base.engine, c->account, symbol, id, start_us, end_us, out, (int)limit));
}

static void
run_my_trades(struct call *c)
{
    const struct emu_trade *out[1000];
    struct text *t = &c->result;
    int64_t start_us;
    int64_t end_us;
    int64_t limit;
    int64_t order_id = 0;
    int64_t from = -1;
    int symbol;

    if (!call_symbol(c, &symbol) || !read_range(c, &start_us, &end_us, &limit) ||
        !call_int(c, "orderId", 0, INT64_MAX, &order_id) || !call_int(c, "fromId", 0, INT64_MAX, &from))
        return;
    int n =
        emu_trades_mine(c->venue->base.engine, c->account, symbol, order_id, from, start_us, end_us, out, (int)limit);
    text_put(t, "[");
    for (int i = 0; i < n; i++) {
        const struct emu_trade *f = out[i];
        text_comma(t);
        text_put(t, "{");
        text_key_word(t, "symbol", symbol_name(c, symbol));
        text_key_int(t, "id", f->id);
        text_key_int(t, "orderId", f->order_id);
        text_key_int(t, "orderListId", -1);
        text_key_decimal(t, "price", f->px);
        text_key_decimal(t, "qty", f->qty);
        text_key_decimal(t, "quoteQty", f->quote_qty);
        text_key_decimal(t, "commission", f->commission);
        text_key_word(t, "commissionAsset", emu_asset_name(c->venue->base.engine, f->commission_asset));
        text_key_int(t, "time", call_stamp(c, f->time_us));
        text_key_bool(t, "isBuyer", f->is_buyer);
        text_key_bool(t, "isMaker", f->is_maker);
        text_key_bool(t, "isBestMatch", true);
        text_put(t, "}");
    }
    text_put(t, "]");
}

static void
run_order_lists(struct call *c)
{
    text_put(&c->result, "[]");
}

#define ORDER_PARAMS                                                                                          \
    " symbol side type timeInForce price quantity quoteOrderQty newClientOrderId newOrderRespType stopPrice " \
    "icebergQty strategyId strategyType selfTradePreventionMode "
#define CANCEL_PARAMS " symbol orderId origClientOrderId newClientOrderId cancelRestrictions "
#define REPLACE_PARAMS                                                                             \
    ORDER_PARAMS "cancelReplaceMode cancelOrderId cancelOrigClientOrderId cancelNewClientOrderId " \
                 "cancelRestrictions orderRateLimitExceededMode "

const struct call_def trade_calls[] = {
    { "order.place", HTTP_POST, "/api/v3/order", CALL_SIGNED, 1, ORDER_PARAMS, " symbol side type ", run_place },
    { "order.test", HTTP_POST, "/api/v3/order/test", CALL_SIGNED, 1, ORDER_PARAMS "computeCommissionRates ",
      " symbol side type ", run_test },
    { "order.cancel", HTTP_DELETE, "/api/v3/order", CALL_SIGNED, 1, CANCEL_PARAMS, " symbol ", run_cancel },
    { "order.cancelReplace", HTTP_POST, "/api/v3/order/cancelReplace", CALL_SIGNED, 1, REPLACE_PARAMS,
      " symbol side type cancelReplaceMode ", run_replace },
    { "order.amend.keepPriority", HTTP_PUT, "/api/v3/order/amend/keepPriority", CALL_SIGNED, 4,
      " symbol orderId origClientOrderId newClientOrderId newQty ", " symbol newQty ", run_amend },
    { "order.status", HTTP_GET, "/api/v3/order", CALL_SIGNED, 4, " symbol orderId origClientOrderId ", " symbol ",
      run_status },
    { "openOrders.status", HTTP_GET, "/api/v3/openOrders", CALL_SIGNED, 6, " symbol ", NULL, run_open },
    { "openOrders.cancelAll", HTTP_DELETE, "/api/v3/openOrders", CALL_SIGNED, 1, " symbol ", " symbol ",
      run_cancel_all },
    { "allOrders", HTTP_GET, "/api/v3/allOrders", CALL_SIGNED, 20, " symbol orderId startTime endTime limit ",
      " symbol ", run_all },
    { "myTrades", HTTP_GET, "/api/v3/myTrades", CALL_SIGNED, 20, " symbol orderId startTime endTime fromId limit ",
      " symbol ", run_my_trades },
    { "openOrderLists.status", HTTP_GET, "/api/v3/openOrderList", CALL_SIGNED, 6, "", NULL, run_order_lists },
    { "allOrderLists", HTTP_GET, "/api/v3/allOrderList", CALL_SIGNED, 20, " fromId startTime endTime limit ", NULL,
      run_order_lists },
    { 0 },
};
