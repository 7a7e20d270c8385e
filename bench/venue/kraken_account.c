/* Kraken's private REST questions: balances, orders, trades. */
#include "bench/venue/kraken.h"

#define PAGE       50
#define LIST_MAX   65536
#define QUERY_MAX  50
#define TXIDS_TEXT 4096

/* ---- balances ------------------------------------------------------------------------------------------------- */

static void
run_balance(struct kraken_call *c)
{
    const struct emu_account *a = emu_account_get(c->venue->base.engine, c->account);
    struct text *t = &c->result;

    text_put(t, "{");
    for (int i = 0; i < emu_asset_count(c->venue->base.engine); i++)
        text_key_quoted(t, kraken_asset_key(emu_asset_name(c->venue->base.engine, i)),
                        a->balance[i].free + a->balance[i].locked, VALUE_DECIMALS);
    text_put(t, "}");
}

static void
run_balance_ex(struct kraken_call *c)
{
    const struct emu_account *a = emu_account_get(c->venue->base.engine, c->account);
    struct text *t = &c->result;

    text_put(t, "{");
    for (int i = 0; i < emu_asset_count(c->venue->base.engine); i++) {
        text_key(t, kraken_asset_key(emu_asset_name(c->venue->base.engine, i)));
        text_put(t, "{");
        text_key_quoted(t, "balance", a->balance[i].free + a->balance[i].locked, VALUE_DECIMALS);
        text_key_quoted(t, "hold_trade", a->balance[i].locked, VALUE_DECIMALS);
        text_put(t, "}");
    }
    text_put(t, "}");
}

static void
run_trade_balance(struct kraken_call *c)
{
    static const char *const zero[] = { "m", "n", "c", "v" };
    const struct emu_account *a = emu_account_get(c->venue->base.engine, c->account);
    int usd = emu_asset_find(c->venue->base.engine, "USD");
    int64_t free = usd < 0 ? 0 : a->balance[usd].free;
    int64_t all = usd < 0 ? 0 : free + a->balance[usd].locked;
    struct text *t = &c->result;

    text_put(t, "{");
    text_key_quoted(t, "eb", all, 4);
    text_key_quoted(t, "tb", all, 4);
    text_key_quoted(t, "e", all, 4);
    text_key_quoted(t, "mf", free, 4);
    for (size_t i = 0; i < ARRAY_LEN(zero); i++)
        text_key_quoted(t, zero[i], 0, 4);
    text_put(t, "}");
}

static void
fee_json(struct text *t, const char *key, int64_t rate)
{
    text_key(t, key);
    text_put(t, "{");
    text_key_quoted(t, "fee", rate * 100, 4);
    text_key_quoted(t, "minfee", rate * 100, 4);
    text_key_quoted(t, "maxfee", rate * 100, 4);
    text_put(t, ",\"nextfee\":null,\"nextvolume\":null");
    text_key_quoted(t, "tiervolume", 0, 4);
    text_put(t, "}");
}

static void
run_trade_volume(struct kraken_call *c)
{
    const struct emu_account *a = emu_account_get(c->venue->base.engine, c->account);
    const char *name = kraken_text(c->params, "pair");
    int symbol = name != NULL ? kraken_pair_find(c->venue, name) : -1;
    struct text *t = &c->result;

    text_put(t, "{");
    text_key_word(t, "currency", "ZUSD");
    text_key_quoted(t, "volume", 0, 4);
    if (symbol >= 0) {
        const char *key = kraken_pair_get(c->venue, symbol).key;
        text_put(t, ",\"fees\":{");
        fee_json(t, key, a->taker_rate);
        text_put(t, "},\"fees_maker\":{");
        fee_json(t, key, a->maker_rate);
        text_put(t, "}");
    }
    text_put(t, "}");
}

/* ---- orders --------------------------------------------------------------------------------------------------- */

static void
description(struct text *t, const struct kraken_pair *p, const struct emu_order *o)
{
    bool stop = o->stop_px != 0;

    text_key(t, "descr");
    text_put(t, "{");
    text_key_word(t, "pair", p->altname);
    text_key_word(t, "type", kraken_side(o));
    text_key_word(t, "ordertype", kraken_type(o));
    text_key_quoted(t, "price", stop ? o->stop_px : o->px, p->px_decimals);
    text_key_quoted(t, "price2", stop ? o->px : 0, p->px_decimals);
    text_key_word(t, "leverage", "none");
    text_key(t, "order");
    text_put(t, "\"");
    text_put(t, kraken_side(o));
    text_put(t, " ");
    text_fixed(t, o->qty, p->qty_decimals);
    text_put(t, " ");
    text_put(t, p->altname);
    text_put(t, " @ ");
    text_put(t, kraken_type(o));
    if (o->px != 0 || stop) {
        text_put(t, " ");
        text_fixed(t, stop ? o->stop_px : o->px, p->px_decimals);
    }
    text_put(t, "\"");
    text_key_word(t, "close", "");
    text_put(t, "}");
}

static const char *
rest_status(const struct emu_order *o)
{
    if (o->is_open)
        return o->is_working ? "open" : "pending";
    if (o->status == EMU_FILLED)
        return "closed";
    return o->status == EMU_EXPIRED && o->expire_us != 0 && o->updated_us >= o->expire_us ? "expired" : "canceled";
}

static void
order_trades(struct text *t, const struct emu_order *o)
{
    text_key(t, "trades");
    text_put(t, "[");
    for (const struct emu_trade *f = o->trades; f != NULL; f = f->next_of_order) {
        char txid[KRAKEN_TXID_BYTES];
        kraken_trade_txid(txid, f);
        text_comma(t);
        text_string(t, txid);
    }
    text_put(t, "]");
}

static void
order_json(struct kraken_call *c, const struct emu_order *o, bool trades)
{
    struct kraken_pair p = kraken_pair_get(c->venue, o->symbol);
    struct text *t = &c->result;
    char txid[KRAKEN_TXID_BYTES];
    int64_t fee = 0;

    for (const struct emu_trade *f = o->trades; f != NULL; f = f->next_of_order)
        fee += f->commission;
    kraken_order_txid(txid, o->symbol, o->id);
    text_key(t, txid);
    text_put(t, "{\"refid\":null");
    text_key_int(t, "userref", o->user_ref);
    if ((o->flags & EMU_UNNAMED) == 0) {
        text_key(t, "cl_ord_id");
        text_string(t, o->client_id);
    }
    text_key_word(t, "status", rest_status(o));
    if (!o->is_open) {
        const char *reason = kraken_reason(c->venue, o);
        text_key(t, "reason");
        text_put(t, reason[0] != '\0' ? "" : "null");
        if (reason[0] != '\0')
            text_string(t, reason);
        text_key_seconds(t, "closetm", o->updated_us);
    }
    text_key_seconds(t, "opentm", o->created_us);
    text_key_int(t, "starttm", 0);
    text_key_int(t, "expiretm", o->expire_us / 1000000);
    description(t, &p, o);
    text_key_quoted(t, "vol", o->qty, p.qty_decimals);
    text_key_quoted(t, "vol_exec", o->cum_qty, p.qty_decimals);
    text_key_quoted(t, "cost", o->cum_quote, p.cost_decimals);
    text_key_quoted(t, "fee", fee, p.cost_decimals);
    text_key_quoted(t, "price", kraken_quotient(o->cum_quote, o->cum_qty), p.px_decimals);
    text_key_quoted(t, "stopprice", 0, p.px_decimals);
    text_key_quoted(t, "limitprice", 0, p.px_decimals);
    text_key_word(t, "misc", o->amend_count != 0 ? "amended" : "");
    text_key_word(t, "oflags", (o->flags & EMU_POST_ONLY) != 0 ? "fciq,post" : "fciq");
    text_key_word(t, "timeinforce", kraken_tif(o));
    if (trades)
        order_trades(t, o);
    text_put(t, "}");
}

/* Whether the filters userref and cl_ord_id let it through. */
static bool
wanted(const struct kraken_call *c, const struct emu_order *o)
{
    const char *name = kraken_text(c->params, "cl_ord_id");
    int64_t ref = o->user_ref;

    return kraken_integer(c->params, "userref", &ref) && ref == o->user_ref &&
           (name == NULL || ((o->flags & EMU_UNNAMED) == 0 && strcmp(o->client_id, name) == 0));
}

static void
run_open(struct kraken_call *c)
{
    const struct emu_order **out = (const struct emu_order **)calloc(LIST_MAX, sizeof(struct emu_order *));
    bool trades = kraken_true(c->params, "trades", false);

    ASSERT(out != NULL);
    int n = emu_orders_open(c->venue->base.engine, c->account, -1, out, LIST_MAX);
    text_put(&c->result, "{\"open\":{");
    for (int i = 0; i < n; i++)
        if (wanted(c, out[i]))
            order_json(c, out[i], trades);
    text_put(&c->result, "}}");
    free((void *)out);
}

/* `start` and `end`: seconds since the epoch, or a txid whose time counts. */
static int64_t
bound_us(const struct kraken_call *c, const char *name, int64_t otherwise)
{
    const char *s = kraken_text(c->params, name);
    int64_t v = 0;

    if (s == NULL)
        return otherwise;
    const struct emu_order *o = kraken_find(c->venue, c->account, s, NULL);
    if (o != NULL)
        return o->created_us;
    return decimal_parse(s, strlen(s), 6, &v) == DECODE_OK && v != 0 ? v : otherwise;
}

static int
newest_first(const void *a, const void *b)
{
    const struct emu_order *x = *(const struct emu_order *const *)a;
    const struct emu_order *y = *(const struct emu_order *const *)b;
    return x->updated_us < y->updated_us ? 1 : x->updated_us > y->updated_us ? -1 : x->id < y->id ? 1 : -1;
}

static int
closed_orders(const struct kraken_call *c, const struct emu_order **out)
{
    const char *by = kraken_text(c->params, "closetime");
    bool open_time = by != NULL && strcmp(by, "open") == 0;
    int64_t start = bound_us(c, "start", 0);
    int64_t end = bound_us(c, "end", INT64_MAX);
    int n = 0;

    for (int i = 0; i < emu_symbol_count(c->venue->base.engine); i++) {
        const struct emu_order **part = out + n;
        int count = emu_orders_all(c->venue->base.engine, c->account, i, 1, 0, 0, part, LIST_MAX - n);
        for (int k = 0; k < count; k++) {
            int64_t at = open_time ? part[k]->created_us : part[k]->updated_us;
            if (!part[k]->is_open && at > start && at <= end && wanted(c, part[k]))
                out[n++] = part[k];
        }
    }
    qsort((void *)out, (size_t)n, sizeof(struct emu_order *), newest_first);
    return n;
}

static void
run_closed(struct kraken_call *c)
{
    const struct emu_order **out = (const struct emu_order **)calloc(LIST_MAX, sizeof(struct emu_order *));
    bool trades = kraken_true(c->params, "trades", false);
    int64_t offset = 0;

    ASSERT(out != NULL);
    (void)kraken_integer(c->params, "ofs", &offset);
    int n = closed_orders(c, out);
    text_put(&c->result, "{\"closed\":{");
    for (int64_t i = MAX(offset, 0); i < n && i < offset + PAGE; i++)
        order_json(c, out[i], trades);
    text_put(&c->result, "}");
    text_key_int(&c->result, "count", n);
    text_put(&c->result, "}");
    free((void *)out);
}

static void
run_query_orders(struct kraken_call *c)
{
    char list[TXIDS_TEXT];
    const char *txids = kraken_text(c->params, "txid");
    const char *named = kraken_text(c->params, "cl_ord_id");
    bool trades = kraken_true(c->params, "trades", false);
    char *save = NULL;
    int n = 0;

    if (txids == NULL && named == NULL) {
        (void)kraken_fail(c, "EGeneral:Invalid arguments");
        return;
    }
    text_put(&c->result, "{");
    (void)snprintf(list, sizeof(list), "%s", txids != NULL ? txids : named);
    for (char *s = strtok_r(list, ",", &save); s != NULL && n < QUERY_MAX; s = strtok_r(NULL, ",", &save), n++) {
        const struct emu_order *o =
            kraken_find(c->venue, c->account, txids != NULL ? s : NULL, txids != NULL ? NULL : s);
        if (o == NULL) {
            (void)kraken_fail(c, "EOrder:Unknown order");
            return;
        }
        order_json(c, o, trades);
    }
    text_put(&c->result, "}");
}

/* ---- trades --------------------------------------------------------------------------------------------------- */

static void
trade_json(struct kraken_call *c, const struct emu_trade *f)
{
    struct kraken_pair p = kraken_pair_get(c->venue, f->symbol);
    struct text *t = &c->result;
    struct emu_error err;
    char txid[KRAKEN_TXID_BYTES];
    char order[KRAKEN_TXID_BYTES];
    const struct emu_order *o = emu_order_find(c->venue->base.engine, c->account, f->symbol, f->order_id, NULL, &err);

    kraken_trade_txid(txid, f);
    kraken_order_txid(order, f->symbol, f->order_id);
    text_key(t, txid);
    text_put(t, "{");
    text_key_word(t, "ordertxid", order);
    text_key_word(t, "postxid", "TKH2SE-M7IF5-CFI7LT");
    text_key_word(t, "pair", p.key);
    text_key_seconds(t, "time", f->time_us);
    text_key_word(t, "type", f->is_buyer ? "buy" : "sell");
    text_key_word(t, "ordertype", kraken_type(o));
    text_key_quoted(t, "price", f->px, MIN(p.px_decimals + 4, 8u));
    text_key_quoted(t, "cost", f->quote_qty, 8);
    text_key_quoted(t, "fee", f->commission, 8);
    text_key_quoted(t, "vol", f->qty, p.qty_decimals);
    text_key_quoted(t, "margin", 0, 5);
    text_key_word(t, "leverage", "0");
    text_key_word(t, "misc", "");
    text_key_int(t, "trade_id", f->id);
    text_key_bool(t, "maker", f->is_maker);
    if ((o->flags & EMU_UNNAMED) == 0) {
        text_key(t, "cl_ord_id");
        text_string(t, o->client_id);
    }
    text_put(t, "}");
}

static int
trades_newest_first(const void *a, const void *b)
{
    const struct emu_trade *x = *(const struct emu_trade *const *)a;
    const struct emu_trade *y = *(const struct emu_trade *const *)b;
    return x->time_us < y->time_us ? 1 : x->time_us > y->time_us ? -1 : x->id < y->id ? 1 : -1;
}

/* The account's trades; newest first when a page of them is asked for. */
static int
all_trades(const struct kraken_call *c, const struct emu_trade **out)
{
    int n = 0;

    for (int i = 0; i < emu_symbol_count(c->venue->base.engine); i++)
        n += emu_trades_mine(c->venue->base.engine, c->account, i, 0, 0, 0, 0, out + n, LIST_MAX - n);
    qsort((void *)out, (size_t)n, sizeof(struct emu_trade *), trades_newest_first);
    return n;
}

static void
run_trades_history(struct kraken_call *c)
{
    const struct emu_trade **out = (const struct emu_trade **)calloc(LIST_MAX, sizeof(struct emu_trade *));
    int64_t start = bound_us(c, "start", 0);
    int64_t end = bound_us(c, "end", INT64_MAX);
    int64_t offset = 0;
    int64_t seen = 0;

    ASSERT(out != NULL);
    (void)kraken_integer(c->params, "ofs", &offset);
    int n = all_trades(c, out);
    text_put(&c->result, "{\"trades\":{");
    for (int i = 0; i < n; i++) {
        if (out[i]->time_us <= start || out[i]->time_us > end)
            continue;
        if (seen >= offset && seen < offset + PAGE)
            trade_json(c, out[i]);
        seen++;
    }
    text_put(&c->result, "}");
    text_key_int(&c->result, "count", seen);
    text_put(&c->result, "}");
    free((void *)out);
}

static void
run_query_trades(struct kraken_call *c)
{
    const struct emu_trade **out = (const struct emu_trade **)calloc(LIST_MAX, sizeof(struct emu_trade *));
    char list[TXIDS_TEXT];
    const char *txids = kraken_text(c->params, "txid");
    char *save = NULL;

    ASSERT(out != NULL);
    int n = all_trades(c, out);
    text_put(&c->result, "{");
    (void)snprintf(list, sizeof(list), "%s", txids != NULL ? txids : "");
    for (char *s = strtok_r(list, ",", &save); s != NULL; s = strtok_r(NULL, ",", &save)) {
        int i = 0;
        for (; i < n; i++) {
            char txid[KRAKEN_TXID_BYTES];
            kraken_trade_txid(txid, out[i]);
            if (strcmp(txid, s) == 0)
                break;
        }
        if (i < n)
            trade_json(c, out[i]);
        else
            (void)kraken_fail(c, "EQuery:Unknown trade");
    }
    if (txids == NULL)
        (void)kraken_fail(c, "EGeneral:Invalid arguments");
    text_put(&c->result, "}");
    free((void *)out);
}

static void
run_positions(struct kraken_call *c)
{
    text_put(&c->result, "{}");
}

const struct kraken_endpoint kraken_account[] = {
    { "Balance", NULL, 1, run_balance },
    { "BalanceEx", NULL, 1, run_balance_ex },
    { "TradeBalance", NULL, 1, run_trade_balance },
    { "TradeVolume", NULL, 1, run_trade_volume },
    { "OpenOrders", NULL, 1, run_open },
    { "ClosedOrders", NULL, 1, run_closed },
    { "QueryOrders", NULL, 1, run_query_orders },
    { "TradesHistory", NULL, 2, run_trades_history },
    { "QueryTrades", NULL, 1, run_query_trades },
    { "OpenPositions", NULL, 1, run_positions },
    { 0 },
};
