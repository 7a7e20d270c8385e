/* Whether the engine takes a request: parameters, filters, the state of book and balances. Nothing here changes
 * anything.
 *
 * Always true: the checks run in Binance's order, the first that fails names the error. */
#include "bench/venue/engine_state.h"

int
error_set(struct emu_error *err, int code, const char *msg)
{
    err->code = code;
    (void)snprintf(err->msg, sizeof(err->msg), "%s", msg);
    return code;
}

int
error_clear(struct emu_error *err)
{
    err->code = 0;
    err->msg[0] = '\0';
    return 0;
}

static int
missing(struct emu_error *err, const char *name)
{
    err->code = -1102;
    (void)snprintf(err->msg, sizeof(err->msg), "Mandatory parameter '%s' was not sent, was empty/null, or malformed.",
                   name);
    return err->code;
}

static int
not_required(struct emu_error *err, const char *name)
{
    err->code = -1106;
    (void)snprintf(err->msg, sizeof(err->msg), "Parameter '%s' sent when not required.", name);
    return err->code;
}

enum need { NEVER, MUST, MAY };

/* Which fields each type takes. Source: Binance Spot API docs, web-socket-api.md "Place new order", seen 2026-07. */
static const struct {
    uint8_t tif, px, qty, stop_px, iceberg_qty;
} type_needs[EMU_TYPE_COUNT] = {
    [EMU_LIMIT] = { MUST, MUST, MUST, NEVER, MAY },
    [EMU_LIMIT_MAKER] = { NEVER, MUST, MUST, NEVER, MAY },
    [EMU_MARKET] = { NEVER, NEVER, MAY, NEVER, NEVER },
    [EMU_STOP_LOSS] = { NEVER, NEVER, MUST, MUST, NEVER },
    [EMU_TAKE_PROFIT] = { NEVER, NEVER, MUST, MUST, NEVER },
    [EMU_STOP_LOSS_LIMIT] = { MUST, MUST, MUST, MUST, MAY },
    [EMU_TAKE_PROFIT_LIMIT] = { MUST, MUST, MUST, MUST, MAY },
};

static int
check_need(struct emu_error *err, enum need need, bool sent, const char *name)
{
    if (need == MUST && !sent)
        return missing(err, name);
    if (need == NEVER && sent)
        return not_required(err, name);
    return 0;
}

static bool
client_id_is_legal(const char *id)
{
    size_t n = strlen(id);
    if (n == 0 || n >= EMU_CLIENT_ID_MAX)
        return false;
    return strspn(id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_.:/") == n;
}

int
request_check_client_id(struct emu_error *err, const char *id, const char *name)
{
    if (id == NULL || client_id_is_legal(id))
        return 0;
    err->code = -1100;
    (void)snprintf(err->msg, sizeof(err->msg),
                   "Illegal characters found in parameter '%s'; legal range is '^[\\.A-Z\\:/a-z0-9_-]{1,36}$'.", name);
    return err->code;
}

static int
check_parameters(const struct emu_engine *e, const struct emu_order_req *r, struct emu_error *err)
{
    if (r->symbol < 0 || r->symbol >= e->symbol_count)
        return error_set(err, -1121, "Invalid symbol.");
    if ((unsigned)r->type >= EMU_TYPE_COUNT)
        return error_set(err, -1116, "Invalid orderType.");
    if ((unsigned)r->side >= EMU_SIDE_COUNT)
        return error_set(err, -1117, "Invalid side.");
    if ((unsigned)r->tif >= EMU_TIF_COUNT)
        return error_set(err, -1115, "Invalid timeInForce.");
    if (check_need(err, type_needs[r->type].tif, r->tif != EMU_TIF_NONE, "timeInForce") != 0 ||
        check_need(err, type_needs[r->type].px, r->px != 0, "price") != 0 ||
        check_need(err, type_needs[r->type].qty, r->qty != 0, "quantity") != 0 ||
        check_need(err, type_needs[r->type].stop_px, r->stop_px != 0, "stopPrice") != 0 ||
        check_need(err, type_needs[r->type].iceberg_qty, r->iceberg_qty != 0, "icebergQty") != 0 ||
        check_need(err, r->type == EMU_MARKET ? MAY : NEVER, r->quote_order_qty != 0, "quoteOrderQty") != 0)
        return err->code;
    if (r->type == EMU_MARKET && r->qty == 0 && r->quote_order_qty == 0)
        return error_set(err, -1102, "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!");
    if (r->qty != 0 && r->quote_order_qty != 0)
        return error_set(err, -1128, "Combination of optional parameters invalid.");
    if (r->iceberg_qty != 0 && r->tif != EMU_GTC && r->type != EMU_LIMIT_MAKER)
        return not_required(err, "icebergQty");
    if (r->px < 0 || r->stop_px < 0)
        return error_set(err, -1013, "Invalid price.");
    if (r->qty < 0 || r->quote_order_qty < 0 || r->iceberg_qty < 0)
        return error_set(err, -1013, "Invalid quantity.");
    return request_check_client_id(err, r->client_id, "newClientOrderId");
}

static int64_t
open_buy_qty(const struct user_symbol *u)
{
    int64_t sum = 0;
    for (const struct emu_order *o = u->open_head; o != NULL; o = o->open_next)
        sum += o->side == EMU_BUY ? order_leaves(o) : 0;
    return sum;
}

int
error_filter(struct emu_error *err, const char *name)
{
    err->code = -1013;
    (void)snprintf(err->msg, sizeof(err->msg), "Filter failure: %s", name);
    return err->code;
}

static int
check_filters(const struct emu_engine *e, const struct symbol_state *s, uint32_t account, const struct emu_order_req *r,
              struct emu_error *err)
{
    const struct user_symbol *u = &s->user[account];
    const struct emu_balance *base = &e->account[account].balance[s->base];
    struct emu_filter_input in = { .side = r->side,
                                   .type = r->type,
                                   .px = r->px,
                                   .stop_px = r->stop_px,
                                   .qty = r->qty,
                                   .quote_qty = r->quote_order_qty,
                                   .iceberg_qty = r->iceberg_qty,
                                   .avg_px = emu_avg_px(e, s->index),
                                   .orders_open = u->open_count,
                                   .algo_open = u->algo_open,
                                   .iceberg_open = u->iceberg_open };

    if (s->def->filters.position_max != 0)
        in.position = base->free + base->locked + open_buy_qty(u);
    const char *failed = emu_filters_check(&s->def->filters, &in);
    if (failed != NULL)
        return error_filter(err, failed);
    if (r->iceberg_qty > r->qty)
        return error_set(err, -2010, "IcebergQty exceeds QTY.");
    return 0;
}

/* Parameters, symbol status and filters: what Binance evaluates before anything else of a request happens. */
int
request_check_form(const struct emu_engine *e, uint32_t account, const struct emu_order_req *r, struct emu_error *err)
{
    if (check_parameters(e, r, err) != 0)
        return err->code;
    const struct symbol_state *s = &e->symbol[r->symbol];
    if (s->status != EMU_TRADING)
        return error_set(err, -1013, "Market is closed.");
    if (account == EMU_HOUSE && (emu_type_is_algo(r->type) || r->quote_order_qty != 0))
        return error_set(err, -2010, "Unsupported order combination.");
    return account == EMU_HOUSE ? 0 : check_filters(e, s, account, r, err);
}

/* What the order needs free now: of the quote asset for a buy, of the base asset for a sell. */
static int64_t
balance_needed(const struct symbol_state *s, const struct emu_order_req *r, const struct sweep *w)
{
    if (r->side == EMU_SELL)
        return r->quote_order_qty != 0 ? w->qty : r->qty;
    if (r->quote_order_qty != 0)
        return r->quote_order_qty;
    if (r->type == EMU_MARKET)
        return w->quote;
    (void)s;
    return emu_quote_amount(r->px != 0 ? r->px : r->stop_px, r->qty);
}

/* What depends on the account's orders and balances and on the book. */
int
request_check_state(const struct emu_engine *e, const struct symbol_state *s, uint32_t account,
                    const struct emu_order_req *r, const struct sweep *w, struct emu_error *err)
{
    if (r->client_id != NULL && client_find_open(e, account, s->index, r->client_id) != NULL)
        return error_set(err, -2010, "Duplicate order sent.");
    if (emu_type_is_algo(r->type) && stop_is_triggered(r->side, r->type, r->stop_px, s->last_px))
        return error_set(err, -2010, "Order would trigger immediately.");
    if (r->type == EMU_LIMIT_MAKER && order_would_take(s, r->side, r->px))
        return error_set(err, -2010, "Order would immediately match and take.");
    if (account == EMU_HOUSE)
        return 0;
    const struct emu_filters *f = &s->def->filters;
    if (r->quote_order_qty != 0 && !w->dry &&
        (w->qty < f->lot_min || w->qty > (f->market_lot_max != 0 ? f->market_lot_max : f->lot_max)))
        return error_filter(err, w->qty < f->lot_min ? "LOT_SIZE" : "MARKET_LOT_SIZE");
    int asset = r->side == EMU_BUY ? s->quote : s->base;
    if (with_fee(e, r->side == EMU_BUY ? account : EMU_HOUSE, balance_needed(s, r, w)) >
        e->account[account].balance[asset].free)
        return error_set(err, -2010, "Account has insufficient balance for requested action.");
    return 0;
}
