/* Binance Spot order entry: answers to questions (an order, open orders, trades, balances, the clock) and to log-on and
 * subscription. See binance_oe_read.h. */
#include "engine/venue/binance_oe_read.h"

/* What is in the book as a plain limit order is ORDER_LIMIT: one that was triggered, too. A second leg that waits for
 * the first is a limit order that does not work. */
static void
order_type_read(const struct json_value m[OM_COUNT], const struct instrument *ins, struct venue_report *r)
{
    struct json_text type;
    qty_t shown = 0;
    bool works;

    if (!json_value_text(m[OM_TYPE], &type))
        return; /* as all of ours */
    bool limit = json_equals(&type, "LIMIT", 5) || json_equals(&type, "LIMIT_MAKER", 11);
    if (!json_value_bool(m[OM_IS_WORKING], &works))
        works = limit;
    bool rests =
        works && (limit || json_equals(&type, "STOP_LOSS_LIMIT", 15) || json_equals(&type, "TAKE_PROFIT_LIMIT", 17));
    bool iceberg = json_value_decimal(m[OM_ICEBERG_QTY], ins->qty_decimals, &shown) && shown > 0;
    r->type = !rests ? ORDER_CONDITIONAL : iceberg ? ORDER_ICEBERG : ORDER_LIMIT;
    if (r->type == ORDER_LIMIT)
        return;
    json_value_print(m[OM_TYPE], r->text, sizeof(r->text));
    if (r->type == ORDER_ICEBERG)
        binance_report_text(r, "ICEBERG");
    else if (!json_value_decimal(m[OM_STOP_PX], ins->px_decimals, &r->trigger_px) || r->trigger_px < 0)
        r->trigger_px = 0;
}

/* order.status and each entry of openOrders.status. Of a symbol that is not ours only identity and state are said. */
static const char *
order_status(const struct binance_answer *a, struct json_value order, enum venue_report_kind kind,
             struct venue_report *r)
{
    struct json_value m[OM_COUNT];
    const struct instrument *ins = NULL;

    *r = venue_report_of(kind, a->id.kind);
    if (!json_members(order, binance_order_member, OM_COUNT, m))
        return "order is not one object";
    const char *why = binance_order_identity(a->b, m, OM_CLIENT_ID, &ins, r);
    if (why == NULL && ins != NULL) {
        why = binance_order_numbers(m, ins, r);
        if (why == NULL && kind == VENUE_OPEN_ORDER)
            order_type_read(m, ins, r);
    } else if (why == NULL && !binance_status_read(m[OM_STATUS], &r->state))
        why = "status is not one we know";
    return why;
}

/* A question that was not answered. Codes that say "not now" (limits, the clock, a signature made too early) end; any
 * other refusal is of the question itself. */
static void
failed(const struct binance_answer *a, const char *why)
{
    struct venue_report r = venue_report_of(VENUE_QUERY_FAILED, a->id.kind);
    bool passing = a->code == -1003 || a->code == -1015 || a->code == -1021 || a->code == -1022 || a->code == 0;

    memcpy(r.clordid, a->id.clordid, CLORDID_BYTES);
    r.instrument = a->id.instrument;
    r.tag = a->id.tag;
    r.code = a->code;
    r.renamed = a->id.kind == VENUE_RQ_QUERY && a->code == BINANCE_OTHER_NAME;
    r.definite = why != NULL || (a->status >= 400 && a->status < 500 && !passing);
    binance_report_text(&r, why != NULL ? why : a->text);
    binance_report(a->sink, &r);
}

void
binance_on_query(const struct binance_answer *a)
{
    struct venue_report r;

    if (a->status == 400 && a->code == -2013) {
        binance_answer_report(a, VENUE_NOT_FOUND, a->id.clordid, NULL);
        return;
    }
    if (a->status == 400 && a->code == -2026 && !a->id.by_venue_id) {
        /* Archived: canceled or expired, with nothing filled, long ago. (errors.md, seen 2026-07) */
        r = venue_report_of(VENUE_STATUS, a->id.kind);
        memcpy(r.clordid, a->id.clordid, CLORDID_BYTES);
        r.instrument = a->id.instrument;
        r.tag = a->id.tag;
        r.code = a->code;
        r.state = ORDER_CANCELED;
        binance_report(a->sink, &r);
        return;
    }
    if (a->status != 200) {
        failed(a, NULL);
        return;
    }
    const char *why = order_status(a, a->result, VENUE_STATUS, &r);
    r.tag = a->id.tag;
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
        binance_report(a->sink, &r);
}

/* Who it is and that it is there, without the numbers that could not be read. An order without a client id is not ours.
 * NULL when not even its order id can be read. */
static const char *
order_seen(const struct binance_answer *a, struct json_value order, struct venue_report *r)
{
    struct json_value m[OM_COUNT];
    const struct instrument *ins = NULL;

    *r = venue_report_of(VENUE_OPEN_ORDER, a->id.kind);
    if (!json_members(order, binance_order_member, OM_COUNT, m))
        return "order is not one object";
    const char *why = binance_order_identity(a->b, m, OM_CLIENT_ID, &ins, r);
    r->state = ORDER_FREE;
    return r->venue_order_id == 0 ? why : NULL;
}

void
binance_on_open_orders(const struct binance_answer *a)
{
    struct json_scan j;
    struct json_text span;
    struct venue_report r;

    if (a->status != 200 || !json_value_set(a->result)) {
        failed(a, NULL);
        return;
    }
    json_init(&j, a->result.s, a->result.n);
    (void)json_array(&j);
    while (json_element(&j)) {
        if (!json_raw(&j, &span))
            break;
        struct json_value order = { span.s, span.n };
        const char *why = order_status(a, order, VENUE_OPEN_ORDER, &r);
        if (why != NULL && order_seen(a, order, &r) != NULL) {
            failed(a, why);
            return;
        }
        binance_report(a->sink, &r);
    }
    bool whole = json_done(&j);
    binance_answer_report(a, whole ? VENUE_OPEN_ORDERS_END : VENUE_QUERY_FAILED, a->id.clordid, NULL);
}

enum { TM_SYMBOL, TM_ID, TM_ORDER_ID, TM_PX, TM_QTY, TM_FEE, TM_FEE_CCY, TM_TIME, TM_BUYER, TM_MAKER, TM_COUNT };

static const char *const trade_member[TM_COUNT] = {
    [TM_SYMBOL] = "symbol", [TM_ID] = "id",          [TM_ORDER_ID] = "orderId",        [TM_PX] = "price",
    [TM_QTY] = "qty",       [TM_FEE] = "commission", [TM_FEE_CCY] = "commissionAsset", [TM_TIME] = "time",
    [TM_BUYER] = "isBuyer", [TM_MAKER] = "isMaker",
};

static const char *
trade_read(const struct binance_answer *a, struct json_value trade, struct venue_report *r)
{
    struct json_value m[TM_COUNT];
    bool buyer = false;
    bool maker = false;

    *r = venue_report_of(VENUE_FILL, VENUE_RQ_TRADES);
    if (!json_members(trade, trade_member, TM_COUNT, m))
        return "trade is not one object";
    const struct instrument *ins = binance_instrument_read(a->b, m[TM_SYMBOL]);
    if (ins == NULL)
        return "symbol is not ours";
    if (!json_value_i64(m[TM_ID], &r->trade_id) || r->trade_id < 0 ||
        !binance_order_id_read(m[TM_ORDER_ID], &r->venue_order_id))
        return "id or orderId cannot be read";
    if (!json_value_bool(m[TM_BUYER], &buyer) || !json_value_bool(m[TM_MAKER], &maker))
        return "isBuyer or isMaker cannot be read";
    r->side = buyer ? SIDE_BUY : SIDE_SELL;
    if (!binance_fill_px_read(m[TM_PX], ins, (enum side)r->side, &r->last_px) ||
        !json_value_decimal(m[TM_QTY], ins->qty_decimals, &r->last_qty) || r->last_qty <= 0)
        return "price or qty cannot be read";
    r->instrument = ins->id;
    r->maker = maker;
    r->venue_time_ns = binance_time_ns(m[TM_TIME]);
    binance_fee_read(m[TM_FEE], m[TM_FEE_CCY], r);
    if (!a->id.whole_symbol)
        memcpy(r->clordid, a->id.clordid, CLORDID_BYTES);
    return NULL;
}

void
binance_on_trades(const struct binance_answer *a)
{
    struct json_scan j;
    struct json_text span;
    struct venue_report r = { .trade_id = -1 };
    uint32_t count = 0;

    if (a->status != 200 || !json_value_set(a->result)) {
        failed(a, NULL);
        return;
    }
    json_init(&j, a->result.s, a->result.n);
    (void)json_array(&j);
    while (json_element(&j)) {
        if (!json_raw(&j, &span))
            break;
        const char *why = trade_read(a, (struct json_value){ span.s, span.n }, &r);
        if (why != NULL) {
            failed(a, why);
            return;
        }
        binance_report(a->sink, &r);
        count++;
    }
    struct venue_report end = venue_report_of(json_done(&j) ? VENUE_TRADES_END : VENUE_QUERY_FAILED, VENUE_RQ_TRADES);
    memcpy(end.clordid, a->id.clordid, CLORDID_BYTES);
    end.instrument = a->id.instrument;
    end.tag = a->id.tag;
    if (end.kind == VENUE_TRADES_END) {
        end.code = count >= a->b->cfg.trades_page;
        end.trade_id = r.trade_id; /* of the last one: there a cut list goes on */
        end.venue_time_ns = r.venue_time_ns;
    }
    binance_report(a->sink, &end);
}

/* account.status */
void
binance_on_balances(const struct binance_answer *a)
{
    static const char *const account[] = { "balances", "updateTime" };
    static const char *const name[] = { "asset", "free", "locked" };
    struct json_value m[2];

    if (a->status != 200 || !json_members(a->result, account, 2, m) ||
        !binance_balances_read(m[0], name, VENUE_RQ_BALANCES, binance_time_ns(m[1]), a->sink)) {
        failed(a, a->status != 200 ? NULL : "balances cannot be read");
        return;
    }
    binance_answer_report(a, VENUE_BALANCES_END, a->id.clordid, NULL);
}

void
binance_on_time(const struct binance_answer *a)
{
    static const char *const name[] = { "serverTime" };
    struct venue_report r = venue_report_of(VENUE_TIME, VENUE_RQ_TIME);
    struct json_value m[1];

    if (a->status != 200 || !json_members(a->result, name, 1, m))
        return;
    r.venue_time_ns = binance_time_ns(m[0]);
    if (r.venue_time_ns != 0)
        binance_report(a->sink, &r);
}

void
binance_on_logon(const struct binance_answer *a)
{
    a->b->logged_on = a->status == 200;
    binance_answer_report(a, a->status == 200 ? VENUE_LOGGED_ON : VENUE_LOGON_REFUSED, a->id.clordid, NULL);
}

void
binance_on_stream(const struct binance_answer *a)
{
    binance_answer_report(a, a->status == 200 ? VENUE_STREAM_UP : VENUE_STREAM_DOWN, a->id.clordid, NULL);
}
