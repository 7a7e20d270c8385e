/* Kraken's private channels: executions and balances, each with a sequence of its own per subscription.
 *
 * Updates are as sparse as Kraken's: the whole order stands in pending_new and in a snapshot; later events carry ids,
 * status and what the event is about.
 *
 * Always true: sequences start at 1 and have no hole (a fault may leave one out on the way); a trade that completes an
 * order says partially_filled, and filled follows. */
#include "bench/venue/kraken.h"

#define SNAPSHOT_TRADES 50
#define OPEN_LIST_MAX   4096

static const char *
order_status(const struct emu_order *o)
{
    switch (o->status) {
    case EMU_NEW: return "new";
    case EMU_PARTIALLY_FILLED: return "partially_filled";
    case EMU_FILLED: return "filled";
    case EMU_EXPIRED: return o->expire_us != 0 && o->updated_us >= o->expire_us ? "expired" : "canceled";
    default: return "canceled";
    }
}

/* One event to one subscriber, through the faults; `item` is its data. */
static void
send_private(struct kraken_session *s, const char *channel, const char *type, const struct text *item, int64_t *seq)
{
    struct fault_hits h = fault_draw(&s->venue->base.faults, FAULT_ON_EVENT, channel);
    struct text t = { 0 };
    int64_t number = ++*seq;

    if (fault_hit(&h, FAULT_CLOSE_EVENT)) {
        conn_close(s->conn, 0, "", false);
        return;
    }
    if (fault_hit(&h, FAULT_DROP_EVENT))
        return;
    text_put(&t, "{");
    text_key_word(&t, "channel", channel);
    text_key_word(&t, "type", type);
    text_put(&t, ",\"data\":[");
    text_bytes(&t, item->at, item->len);
    text_put(&t, "]");
    text_key_int(&t, "sequence", number);
    text_put(&t, "}");
    conn_send_faulty(s->conn, t.at, t.len, &h);
    text_free(&t);
}

/* ---- executions ----------------------------------------------------------------------------------------------- */

static void
ids(struct text *t, const struct emu_order *o)
{
    char txid[KRAKEN_TXID_BYTES];

    kraken_order_txid(txid, o->symbol, o->id);
    text_key_word(t, "order_id", txid);
    if ((o->flags & EMU_UNNAMED) == 0) {
        text_key(t, "cl_ord_id");
        text_string(t, o->client_id);
    }
    text_key_int(t, "order_userref", o->user_ref);
}

/* Everything that was asked for. */
static void
whole(struct text *t, const struct kraken *k, const struct emu_order *o)
{
    text_key_word(t, "symbol", kraken_pair_get(k, o->symbol).symbol);
    text_key_short(t, "order_qty", o->qty);
    if (o->quote_order_qty != 0)
        text_key_short(t, "cash_order_qty", o->quote_order_qty);
    text_key_word(t, "time_in_force", kraken_tif(o));
    text_key_word(t, "side", kraken_side(o));
    text_key_word(t, "order_type", kraken_type(o));
    text_key_word(t, "limit_price_type", "static");
    if (o->px != 0)
        text_key_short(t, "limit_price", o->px);
    if (o->stop_px != 0) {
        text_key_short(t, "stop_price", o->stop_px);
        text_key(t, "triggers");
        text_put(t, "{");
        text_key_word(t, "reference", "last");
        text_key_short(t, "price", o->stop_px);
        text_key_word(t, "price_type", "static");
        text_put(t, "}");
    }
    if (o->iceberg_qty != 0)
        text_key_short(t, "display_qty", o->iceberg_qty);
    if (o->expire_us != 0)
        text_key_time(t, "expire_time", o->expire_us);
    if ((o->flags & EMU_POST_ONLY) != 0)
        text_key_bool(t, "post_only", true);
    text_key_word(t, "fee_ccy_pref", "fciq");
}

static void
sums(struct text *t, const struct emu_order *o)
{
    text_key_short(t, "cum_qty", o->cum_qty);
    text_key_short(t, "cum_cost", o->cum_quote);
    text_key_short(t, "avg_price", kraken_quotient(o->cum_quote, o->cum_qty));
}

static void
trade_of(struct text *t, const struct kraken *k, const struct emu_order *o, const struct emu_trade *f)
{
    char exec_id[KRAKEN_TXID_BYTES];

    kraken_trade_txid(exec_id, f);
    text_key_word(t, "exec_type", "trade");
    text_key_word(t, "exec_id", exec_id);
    text_key_int(t, "trade_id", f->id);
    text_key_word(t, "symbol", kraken_pair_get(k, o->symbol).symbol);
    text_key_word(t, "side", kraken_side(o));
    text_key_word(t, "order_type", kraken_type(o));
    text_key_short(t, "last_qty", f->qty);
    text_key_short(t, "last_price", f->px);
    text_key_short(t, "cost", f->quote_qty);
    text_key_word(t, "liquidity_ind", f->is_maker ? "m" : "t");
    text_key(t, "fees");
    text_put(t, "[{");
    text_key_word(t, "asset", emu_asset_name(k->base.engine, f->commission_asset));
    text_key_short(t, "qty", f->commission);
    text_put(t, "}]");
    text_key_short(t, "fee_usd_equiv", f->commission);
}

/* To every subscriber of the account; `transition`: one that order_status:false leaves out. */
static void
broadcast(struct kraken *k, const struct emu_order *o, const struct text *item, bool transition)
{
    for (struct conn *c = server_next_ws(k->base.server, NULL); c != NULL; c = server_next_ws(k->base.server, c)) {
        struct kraken_session *s = (struct kraken_session *)conn_user(c);
        if (s == NULL || s->account != o->account || s->on[KRAKEN_EXECUTIONS] == 0 || (transition && !s->all_states))
            continue;
        struct text t = { 0 };
        text_put(&t, "{");
        text_bytes(&t, item->at, item->len);
        if (s->rate_counter)
            text_key_int(&t, "ratecount", (kraken_rate(k, o->account, o->symbol) + 999) / 1000);
        text_put(&t, "}");
        send_private(s, "executions", "update", &t, &s->executions_seq);
        text_free(&t);
    }
}

/* text_key leaves its comma out at the start of a text only after a bracket: an item starts with its ids. */
static void
item_begin(struct text *t, const struct emu_order *o, const char *exec_type, const char *status, int64_t time_us)
{
    char txid[KRAKEN_TXID_BYTES];

    kraken_order_txid(txid, o->symbol, o->id);
    t->len = 0;
    text_put(t, "\"order_id\":\"");
    text_put(t, txid);
    text_put(t, "\"");
    if ((o->flags & EMU_UNNAMED) == 0) {
        text_key(t, "cl_ord_id");
        text_string(t, o->client_id);
    }
    text_key_int(t, "order_userref", o->user_ref);
    if (exec_type != NULL)
        text_key_word(t, "exec_type", exec_type);
    text_key_word(t, "order_status", status);
    text_key_time(t, "timestamp", time_us);
}

static void
on_new(struct kraken *k, const struct emu_execution *e, struct text *t)
{
    const struct emu_order *o = e->order;
    bool triggered = o->stop_px != 0 && o->is_working;

    if (!triggered) {
        item_begin(t, o, "pending_new", "pending_new", e->time_us);
        whole(t, k, o);
        text_key_short(t, "cum_cost", 0);
        broadcast(k, o, t, true);
    }
    item_begin(t, o, "new", triggered ? "triggered" : "new", e->time_us);
    broadcast(k, o, t, false);
}

static void
on_trade(struct kraken *k, const struct emu_execution *e, struct text *t)
{
    const struct emu_order *o = e->order;
    struct emu_trade f = { .id = e->trade_id,
                           .px = e->last_px,
                           .qty = e->last_qty,
                           .quote_qty = e->last_quote,
                           .commission = e->commission,
                           .symbol = o->symbol,
                           .commission_asset = (uint8_t)e->commission_asset,
                           .is_buyer = o->side == EMU_BUY,
                           .is_maker = e->is_maker };

    item_begin(t, o, NULL, "partially_filled", e->time_us);
    trade_of(t, k, o, &f);
    sums(t, o);
    broadcast(k, o, t, false);
    if (o->status != EMU_FILLED)
        return;
    item_begin(t, o, "filled", "filled", e->time_us);
    sums(t, o);
    broadcast(k, o, t, false);
}

static void
on_end(struct kraken *k, const struct emu_execution *e, struct text *t)
{
    const struct emu_order *o = e->order;
    const char *status = order_status(o);
    const char *reason = kraken_reason(k, o);

    item_begin(t, o, status, status, e->time_us);
    sums(t, o);
    text_key_word(t, "cancel_reason", reason);
    text_key_word(t, "reason", reason);
    broadcast(k, o, t, false);
}

static void
on_amended(struct kraken *k, const struct emu_execution *e, struct text *t)
{
    const struct emu_order *o = e->order;

    item_begin(t, o, "amended", order_status(o), e->time_us);
    text_key_bool(t, "amended", true);
    text_key_short(t, "order_qty", o->qty);
    text_key_short(t, "limit_price", o->px);
    if (o->iceberg_qty != 0)
        text_key_short(t, "display_qty", o->iceberg_qty);
    sums(t, o);
    text_key_word(t, "reason", "User requested");
    broadcast(k, o, t, false);
}

void
kraken_on_execution(struct kraken *k, const struct emu_execution *e)
{
    struct text t = { 0 };

    switch (e->exec) {
    case EMU_EXEC_NEW: on_new(k, e, &t); break;
    case EMU_EXEC_TRADE: on_trade(k, e, &t); break;
    case EMU_EXEC_REPLACED:
        if (!k->mute_amends)
            on_amended(k, e, &t);
        break;
    default: on_end(k, e, &t); break;
    }
    text_free(&t);
}

static void
snapshot_order(struct text *t, const struct kraken *k, const struct emu_order *o)
{
    text_comma(t);
    text_put(t, "{");
    ids(t, o);
    text_key_word(t, "exec_type", "new");
    text_key_word(t, "order_status", order_status(o));
    text_key_time(t, "timestamp", o->updated_us);
    whole(t, k, o);
    sums(t, o);
    text_put(t, "}");
}

static int
by_time(const void *a, const void *b)
{
    const struct emu_trade *x = *(const struct emu_trade *const *)a;
    const struct emu_trade *y = *(const struct emu_trade *const *)b;
    return x->time_us < y->time_us ? 1 : x->time_us > y->time_us ? -1 : 0;
}

/* The newest trades of the account, newest first. */
static int
newest_trades(const struct kraken *k, uint32_t account, const struct emu_trade **out)
{
    const struct emu_trade *all[EMU_SYMBOLS_MAX * SNAPSHOT_TRADES];
    int n = 0;

    for (int i = 0; i < emu_symbol_count(k->base.engine); i++)
        n += emu_trades_mine(k->base.engine, account, i, 0, -1, 0, 0, all + n, SNAPSHOT_TRADES);
    qsort((void *)all, (size_t)n, sizeof(struct emu_trade *), by_time);
    n = MIN(n, SNAPSHOT_TRADES);
    memcpy((void *)out, (const void *)all, (size_t)n * sizeof(struct emu_trade *));
    return n;
}

static void
snapshot_trades(struct text *t, const struct kraken *k, uint32_t account)
{
    const struct emu_trade *trades[SNAPSHOT_TRADES];
    int n = newest_trades(k, account, trades);

    for (int i = 0; i < n; i++) {
        struct emu_error err;
        const struct emu_order *o =
            emu_order_find(k->base.engine, account, trades[i]->symbol, trades[i]->order_id, NULL, &err);
        text_comma(t);
        text_put(t, "{");
        ids(t, o);
        text_key_word(t, "order_status", order_status(o));
        text_key_time(t, "timestamp", trades[i]->time_us);
        trade_of(t, k, o, trades[i]);
        text_put(t, "}");
    }
}

void
kraken_executions_snapshot(struct kraken_session *s, bool orders, bool trades)
{
    const struct emu_order **open = (const struct emu_order **)calloc(OPEN_LIST_MAX, sizeof(struct emu_order *));
    struct text t = { 0 };

    ASSERT(open != NULL);
    text_reserve(&t, 1);
    int n = orders ? emu_orders_open(s->venue->base.engine, s->account, -1, open, OPEN_LIST_MAX) : 0;
    text_put(&t, "[");
    for (int i = 0; i < n; i++)
        snapshot_order(&t, s->venue, open[i]);
    if (trades)
        snapshot_trades(&t, s->venue, s->account);
    struct text items = { .at = t.at + 1, .len = t.len - 1 };
    s->executions_seq = 0;
    send_private(s, "executions", "snapshot", &items, &s->executions_seq);
    text_free(&t);
    free((void *)open);
}

/* ---- balances ------------------------------------------------------------------------------------------------- */

static int64_t
balance_of(const struct kraken *k, uint32_t account, int asset)
{
    const struct emu_balance *b = &emu_account_get(k->base.engine, account)->balance[asset];
    return b->free + b->locked;
}

void
kraken_on_account(struct kraken *k, const struct emu_account_change *c)
{
    for (unsigned i = 0; i < c->asset_count; i++) {
        char ledger_id[KRAKEN_TXID_BYTES];
        int asset = c->assets[i];
        int64_t now = balance_of(k, c->account, asset);
        int64_t change = now - k->balance_said[c->account][asset];
        struct text t = { 0 };
        if (change == 0)
            continue;
        k->balance_said[c->account][asset] = now;
        kraken_other_txid(ledger_id, 'L', k->other_ids++ << 1);
        text_put(&t, "{");
        text_key_word(&t, "ledger_id", ledger_id);
        text_key_time(&t, "timestamp", c->time_us);
        text_key_word(&t, "type", "trade");
        text_key_word(&t, "asset", emu_asset_name(k->base.engine, asset));
        text_key_word(&t, "asset_class", "currency");
        text_key_word(&t, "category", "trade");
        text_key_word(&t, "wallet_type", "spot");
        text_key_word(&t, "wallet_id", "main");
        text_key_short(&t, "amount", change);
        text_key_short(&t, "fee", 0);
        text_key_short(&t, "balance", now);
        text_put(&t, "}");
        for (struct conn *w = server_next_ws(k->base.server, NULL); w != NULL; w = server_next_ws(k->base.server, w)) {
            struct kraken_session *s = (struct kraken_session *)conn_user(w);
            if (s != NULL && s->account == c->account && s->on[KRAKEN_BALANCES] != 0)
                send_private(s, "balances", "update", &t, &s->balances_seq);
        }
        text_free(&t);
    }
}

void
kraken_balances_snapshot(struct kraken_session *s)
{
    struct text t = { 0 };

    text_put(&t, "[");
    for (int i = 0; i < emu_asset_count(s->venue->base.engine); i++) {
        int64_t v = balance_of(s->venue, s->account, i);
        text_comma(&t);
        text_put(&t, "{");
        text_key_word(&t, "asset", emu_asset_name(s->venue->base.engine, i));
        text_key_word(&t, "asset_class", "currency");
        text_key_short(&t, "balance", v);
        text_key(&t, "wallets");
        text_put(&t, "[{");
        text_key_word(&t, "type", "spot");
        text_key_word(&t, "id", "main");
        text_key_short(&t, "balance", v);
        text_put(&t, "}]}");
    }
    struct text items = { .at = t.at + 1, .len = t.len - 1 };
    s->balances_seq = 0;
    send_private(s, "balances", "snapshot", &items, &s->balances_seq);
    text_free(&t);
}
