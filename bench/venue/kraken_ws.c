/* Kraken's WebSocket v2 requests: one JSON object per text, answered by method and req_id; subscriptions, orders, ping.
 *
 * A cancel_order answers once per order. A refusal says `success:false` and an `error`, and the connection stays.
 *
 * Always true: every request is answered, unless a fault took the answer; req_id comes back as it was sent. */
#include "bench/venue/kraken.h"

#define CANCELS_MAX   50
#define BATCH_ADD_MAX 15

/* One request on the WebSocket. */
struct ws_request {
    struct kraken_call call;
    const char *method;
    const char *req_id; /* digits; NULL: none */
    int64_t in_us;
    struct fault_hits hits;
};

struct ws_method {
    const char *name;
    bool is_private;
    void (*run)(struct ws_request *r);
};

/* ---- answers -------------------------------------------------------------------------------------------------- */

/* The answer for what the call did; `symbol` stands in a refusal when not NULL. */
static void
answer(struct ws_request *r, const char *symbol)
{
    struct text t = { 0 };
    bool success = r->call.error[0] == '\0';

    if (fault_hit(&r->hits, FAULT_DROP_REPLY) || r->call.lost)
        return;
    text_put(&t, "{");
    text_key_word(&t, "method", r->method);
    if (r->req_id != NULL) {
        text_key(&t, "req_id");
        text_put(&t, r->req_id);
    }
    if (success) {
        text_key(&t, "result");
        text_bytes(&t, r->call.result.len != 0 ? r->call.result.at : "{}", MAX(r->call.result.len, (size_t)2));
    } else {
        text_key(&t, "error");
        text_string(&t, r->call.error);
        if (symbol != NULL) {
            text_key(&t, "symbol");
            text_string(&t, symbol);
        }
    }
    text_key_bool(&t, "success", success);
    text_key_time(&t, "time_in", r->in_us);
    text_key_time(&t, "time_out", server_wall_ns() / 1000);
    text_put(&t, "}");
    if (fault_hit(&r->hits, FAULT_GARBAGE))
        t.len = t.len * 2 / 3;
    conn_send_faulty(r->call.session->conn, t.at, t.len, &r->hits);
    text_free(&t);
    r->call.error[0] = '\0';
    r->call.result.len = 0;
}

static void
refuse(struct ws_request *r, const char *error)
{
    (void)kraken_fail(&r->call, "%s", error);
    answer(r, NULL);
}

/* ---- subscriptions -------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum kraken_channel channel;
    bool by_symbol, is_private;
} channels[] = {
    { "book", KRAKEN_BOOK, true, false },
    { "trade", KRAKEN_TRADE, true, false },
    { "ticker", KRAKEN_TICKER, true, false },
    { "ohlc", KRAKEN_OHLC, true, false },
    { "instrument", KRAKEN_INSTRUMENT, false, false },
    { "status", KRAKEN_STATUS, false, false },
    { "executions", KRAKEN_EXECUTIONS, false, true },
    { "balances", KRAKEN_BALANCES, false, true },
};

static bool
check_token(struct ws_request *r, const json_t *params)
{
    const char *token = kraken_text(params, "token");

    if (token == NULL)
        return kraken_fail(&r->call, "EGeneral:Invalid arguments:token");
    r->call.account = kraken_token_account(r->call.venue, token);
    return r->call.account != 0 || kraken_fail(&r->call, "ESession:Invalid session");
}

static bool
ohlc_minutes(const json_t *p, uint16_t *out)
{
    static const uint16_t offered[] = { 1, 5, 15, 30, 60, 240, 1440, 10080, 21600 };
    int64_t v = 1;

    if (!kraken_integer(p, "interval", &v))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(offered); i++)
        if (offered[i] == v) {
            *out = offered[i];
            return true;
        }
    return false;
}

/* A subscription's own settings, checked; they stand in the answer. */
static bool
settings(struct ws_request *r, enum kraken_channel channel, int symbol, bool add)
{
    struct kraken_session *s = r->call.session;
    struct text *t = &r->call.result;
    int64_t depth = 10;
    uint16_t minutes = 1;
    const char *trigger = kraken_text(r->call.params, "event_trigger");

    if (channel == KRAKEN_BOOK) {
        if (!kraken_integer(r->call.params, "depth", &depth) || kraken_depth_index(depth) < 0)
            return kraken_fail(&r->call, "Subscription depth not supported");
        if (!add && kraken_depth_at(s->depth[symbol]) != depth)
            return kraken_fail(&r->call, "Subscription Not Found");
        text_key_int(t, "depth", depth);
        if (add)
            s->depth[symbol] = (uint8_t)kraken_depth_index(depth);
    } else if (channel == KRAKEN_OHLC) {
        if (!ohlc_minutes(r->call.params, &minutes))
            return kraken_fail(&r->call, "Subscription ohlc interval not supported");
        text_key_int(t, "interval", minutes);
        s->ohlc_minutes[symbol] = minutes;
    } else if (channel == KRAKEN_TICKER) {
        s->ticker_bbo[symbol] = trigger != NULL && strcmp(trigger, "bbo") == 0;
        text_key_word(t, "event_trigger", s->ticker_bbo[symbol] ? "bbo" : "trades");
    }
    return true;
}

static void
subscribe_symbol(struct ws_request *r, size_t row, const char *name, bool add)
{
    struct kraken_session *s = r->call.session;
    enum kraken_channel channel = channels[row].channel;
    int symbol = kraken_symbol_find(r->call.venue, name);
    bool snapshot = kraken_true(r->call.params, "snapshot", true);
    uint32_t bit = symbol < 0 ? 0 : UINT32_C(1) << symbol;
    bool done = false;

    text_put(&r->call.result, "{");
    text_key_word(&r->call.result, "channel", channels[row].name);
    if (symbol < 0)
        (void)kraken_fail(&r->call, "Currency pair not supported %.40s", name);
    else if (add && (s->on[channel] & bit) != 0)
        (void)kraken_fail(&r->call, "Already subscribed");
    else if (!add && (s->on[channel] & bit) == 0)
        (void)kraken_fail(&r->call, "Subscription Not Found");
    else
        done = settings(r, channel, symbol, add);
    if (done) {
        if (add)
            text_key_bool(&r->call.result, "snapshot", snapshot);
        text_key_word(&r->call.result, "symbol", name);
        text_put(&r->call.result, "}");
        s->on[channel] = add ? s->on[channel] | bit : s->on[channel] & ~bit;
    }
    answer(r, symbol < 0 ? name : NULL);
    if (!done || !add || !snapshot)
        return;
    if (channel == KRAKEN_BOOK)
        kraken_book_snapshot(s, symbol);
    else
        kraken_market_snapshot(s, channel, symbol);
}

static void
subscribe_private(struct ws_request *r, size_t row, bool add)
{
    struct kraken_session *s = r->call.session;
    enum kraken_channel channel = channels[row].channel;
    const json_t *p = r->call.params;
    bool old = kraken_true(p, "snapshot", true);
    bool orders = kraken_true(p, "snap_orders", true) && old;
    bool trades = kraken_true(p, "snap_trades", false);
    struct text *t = &r->call.result;

    if (!check_token(r, p)) {
        answer(r, NULL);
        return;
    }
    if (add == (s->on[channel] != 0)) {
        refuse(r, add ? "Already subscribed" : "Subscription Not Found");
        return;
    }
    if (s->account != 0 && s->account != r->call.account) {
        refuse(r, "ESession:Invalid session");
        return;
    }
    s->account = r->call.account;
    s->on[channel] = add;
    text_put(t, "{");
    text_key_word(t, "channel", channels[row].name);
    if (add && channel == KRAKEN_EXECUTIONS) {
        s->all_states = kraken_true(p, "order_status", true);
        s->rate_counter = kraken_true(p, "ratecounter", false);
        text_key_int(t, "maxratecount", r->call.venue->rate_max_milli / 1000);
        text_key_bool(t, "snap_orders", orders);
        text_key_bool(t, "snap_trades", trades);
        text_key_bool(t, "order_status", s->all_states);
        text_key_bool(t, "ratecounter", s->rate_counter);
    } else if (add) {
        text_key_bool(t, "snapshot", old);
    }
    text_put(t, "}");
    answer(r, NULL);
    if (add && channel == KRAKEN_EXECUTIONS)
        kraken_executions_snapshot(s, orders, trades);
    else if (add && old)
        kraken_balances_snapshot(s);
}

static void
subscribe_one(struct ws_request *r, size_t row, bool add)
{
    struct kraken_session *s = r->call.session;
    enum kraken_channel channel = channels[row].channel;
    bool snapshot = kraken_true(r->call.params, "snapshot", true);

    s->on[channel] = add;
    text_put(&r->call.result, "{");
    text_key_word(&r->call.result, "channel", channels[row].name);
    text_key_bool(&r->call.result, "snapshot", snapshot);
    text_put(&r->call.result, "}");
    answer(r, NULL);
    if (add && snapshot && channel == KRAKEN_INSTRUMENT)
        kraken_instrument_snapshot(s);
    else if (add && snapshot)
        kraken_status_send(s);
}

static void
subscription(struct ws_request *r, bool add)
{
    const char *name = kraken_text(r->call.params, "channel");
    const json_t *symbols = json_object_get(r->call.params, "symbol");
    size_t row = 0;

    while (name != NULL && row < ARRAY_LEN(channels) && strcmp(channels[row].name, name) != 0)
        row++;
    if (name == NULL || row == ARRAY_LEN(channels)) {
        refuse(r, "Channel not supported");
    } else if (channels[row].is_private) {
        subscribe_private(r, row, add);
    } else if (!channels[row].by_symbol) {
        subscribe_one(r, row, add);
    } else if (!json_is_array(symbols) || json_array_size(symbols) == 0) {
        refuse(r, "Symbol(s) not found");
    } else {
        for (size_t i = 0; i < json_array_size(symbols); i++) {
            const char *symbol = json_string_value(json_array_get(symbols, i));
            subscribe_symbol(r, row, symbol != NULL ? symbol : "", add);
        }
    }
}

static void
run_subscribe(struct ws_request *r)
{
    subscription(r, true);
}

static void
run_unsubscribe(struct ws_request *r)
{
    subscription(r, false);
}

static void
run_ping(struct ws_request *r)
{
    struct text t = { 0 };

    text_put(&t, "{");
    text_key_word(&t, "method", "pong");
    if (r->req_id != NULL) {
        text_key(&t, "req_id");
        text_put(&t, r->req_id);
    }
    text_key_time(&t, "time_in", r->in_us);
    text_key_time(&t, "time_out", server_wall_ns() / 1000);
    text_put(&t, "}");
    conn_send_faulty(r->call.session->conn, t.at, t.len, &r->hits);
    text_free(&t);
}

/* ---- orders --------------------------------------------------------------------------------------------------- */

static void
order_ids(struct text *t, const struct emu_order *o)
{
    char txid[KRAKEN_TXID_BYTES];

    kraken_order_txid(txid, o->symbol, o->id);
    text_put(t, "{");
    text_key_word(t, "order_id", txid);
    if ((o->flags & EMU_UNNAMED) == 0) {
        text_key(t, "cl_ord_id");
        text_string(t, o->client_id);
    }
    if (o->user_ref != 0)
        text_key_int(t, "order_userref", o->user_ref);
    text_put(t, "}");
}

static void
run_add(struct ws_request *r)
{
    struct kraken_order o;
    const struct emu_order *placed = NULL;

    if (kraken_order_from_ws(&r->call, r->call.params, &o) && kraken_place(&r->call, &o, &placed) && placed != NULL)
        order_ids(&r->call.result, placed);
    answer(r, NULL);
}

static void
run_batch_add(struct ws_request *r)
{
    const json_t *orders = json_object_get(r->call.params, "orders");
    size_t n = json_array_size(orders);

    if (n < 2 || n > BATCH_ADD_MAX) {
        refuse(r, "EGeneral:Invalid arguments:orders");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct kraken_order o;
        const struct emu_order *placed = NULL;
        json_t *one = json_copy(json_array_get(orders, i));
        (void)json_object_set(one, "symbol", json_object_get(r->call.params, "symbol"));
        if (json_object_get(one, "deadline") == NULL)
            (void)json_object_set(one, "deadline", json_object_get(r->call.params, "deadline"));
        text_put(&r->call.result, i == 0 ? "[" : ",");
        bool ok = kraken_order_from_ws(&r->call, one, &o) && kraken_place(&r->call, &o, &placed);
        if (ok && placed != NULL)
            order_ids(&r->call.result, placed);
        else
            text_put(&r->call.result, "{}");
        json_decref(one);
        if (!ok)
            break; /* what stands before it has been placed: the batch stops here */
    }
    if (r->call.error[0] == '\0')
        text_put(&r->call.result, "]");
    answer(r, NULL);
}

static void
run_amend(struct ws_request *r)
{
    struct kraken_amendment a = {
        .txid = kraken_text(r->call.params, "order_id"),
        .cl_ord_id = kraken_text(r->call.params, "cl_ord_id"),
        .post_only = kraken_true(r->call.params, "post_only", false),
    };
    const char *deadline = kraken_text(r->call.params, "deadline");
    const struct emu_order *o = NULL;
    char amend_id[KRAKEN_TXID_BYTES];
    struct text *t = &r->call.result;

    if (!kraken_number(r->call.params, "order_qty", &a.qty) || !kraken_number(r->call.params, "limit_price", &a.px) ||
        !kraken_number(r->call.params, "display_qty", &a.display) ||
        (deadline != NULL && !kraken_time_parse(deadline, &a.deadline_us))) {
        refuse(r, "EGeneral:Invalid arguments");
        return;
    }
    if (kraken_amend(&r->call, &a, &o, amend_id)) {
        text_put(t, "{");
        text_key_word(t, "amend_id", amend_id);
        if (a.txid != NULL)
            text_key_word(t, "order_id", a.txid);
        if ((o->flags & EMU_UNNAMED) == 0) {
            text_key(t, "cl_ord_id");
            text_string(t, o->client_id);
        }
        text_put(t, "}");
    }
    answer(r, NULL);
}

static void
run_edit(struct ws_request *r)
{
    struct kraken_order change;
    const struct emu_order *placed = NULL;
    const char *old = kraken_text(r->call.params, "order_id");
    char txid[KRAKEN_TXID_BYTES];

    if (kraken_order_from_ws(&r->call, r->call.params, &change) &&
        kraken_edit(&r->call, old != NULL ? old : "", &change, &placed) && placed != NULL) {
        kraken_order_txid(txid, placed->symbol, placed->id);
        text_put(&r->call.result, "{");
        text_key_word(&r->call.result, "order_id", txid);
        text_key_word(&r->call.result, "original_order_id", old);
        text_put(&r->call.result, "}");
    }
    answer(r, NULL);
}

static void
cancel_by(struct ws_request *r, const char *txid, const char *cl_ord_id)
{
    const struct emu_order *o = kraken_find(r->call.venue, r->call.account, txid, cl_ord_id);

    if (kraken_cancel(&r->call, o))
        order_ids(&r->call.result, o);
    answer(r, NULL);
}

static void
cancel_by_userref(struct ws_request *r, const json_t *refs)
{
    for (size_t i = 0; i < json_array_size(refs); i++) {
        int64_t ref = 0;
        const char *s = json_string_value(json_array_get(refs, i));
        bool read = s != NULL && decimal_parse(s + (*s == '#'), strlen(s + (*s == '#')), 0, &ref) == DECODE_OK;
        if (!read || ref == 0 || kraken_cancel_all(r->call.venue, r->call.account, -1, ref) == 0)
            (void)kraken_fail(&r->call, "EOrder:Unknown order");
        answer(r, NULL);
    }
}

static void
run_cancel(struct ws_request *r)
{
    const json_t *txids = json_object_get(r->call.params, "order_id");
    const json_t *names = json_object_get(r->call.params, "cl_ord_id");
    const json_t *refs = json_object_get(r->call.params, "order_userref");
    size_t n = json_array_size(txids) + json_array_size(names) + json_array_size(refs);

    if (n == 0 || n > CANCELS_MAX) {
        refuse(r, "EGeneral:Invalid arguments");
        return;
    }
    for (size_t i = 0; i < json_array_size(txids); i++) {
        const char *s = json_string_value(json_array_get(txids, i));
        cancel_by(r, s != NULL ? s : "", NULL);
    }
    for (size_t i = 0; i < json_array_size(names); i++)
        cancel_by(r, NULL, json_string_value(json_array_get(names, i)));
    cancel_by_userref(r, refs);
}

static void
run_batch_cancel(struct ws_request *r)
{
    const json_t *list[] = { json_object_get(r->call.params, "orders"), json_object_get(r->call.params, "cl_ord_id") };
    int count = 0;

    if (json_array_size(list[0]) + json_array_size(list[1]) > CANCELS_MAX) {
        refuse(r, "EGeneral:Invalid arguments");
        return;
    }
    for (size_t k = 0; k < ARRAY_LEN(list); k++)
        for (size_t i = 0; i < json_array_size(list[k]); i++) {
            const char *s = json_string_value(json_array_get(list[k], i));
            count += kraken_cancel(&r->call,
                                   kraken_find(r->call.venue, r->call.account, k == 0 ? s : NULL, k == 1 ? s : NULL));
            r->call.error[0] = '\0';
        }
    text_put(&r->call.result, "{");
    text_key_int(&r->call.result, "count", count);
    text_put(&r->call.result, "}");
    answer(r, NULL);
}

static void
run_cancel_all(struct ws_request *r)
{
    text_put(&r->call.result, "{");
    text_key_int(&r->call.result, "count", kraken_cancel_all(r->call.venue, r->call.account, -1, 0));
    text_put(&r->call.result, "}");
    answer(r, NULL);
}

static void
run_dead_man(struct ws_request *r)
{
    int64_t seconds = -1;

    if (!kraken_integer(r->call.params, "timeout", &seconds))
        seconds = -1;
    (void)kraken_dead_man(&r->call, seconds);
    answer(r, NULL);
}

static const struct ws_method methods[] = {
    { "subscribe", false, run_subscribe },
    { "unsubscribe", false, run_unsubscribe },
    { "ping", false, run_ping },
    { "add_order", true, run_add },
    { "batch_add", true, run_batch_add },
    { "amend_order", true, run_amend },
    { "edit_order", true, run_edit },
    { "cancel_order", true, run_cancel },
    { "batch_cancel", true, run_batch_cancel },
    { "cancel_all", true, run_cancel_all },
    { "cancel_all_orders_after", true, run_dead_man },
};

/* ---- faults --------------------------------------------------------------------------------------------------- */

static const struct {
    enum fault_kind kind;
    const char *error;
} fault_errors[] = {
    { FAULT_429, "EOrder:Rate limit exceeded" },
    { FAULT_418, "EGeneral:Temporary lockout" },
    { FAULT_1007, "EGeneral:Internal error" },
    { FAULT_1006, "EService:Unavailable" },
    { FAULT_1008, "EService:Busy" },
    { FAULT_500, "EGeneral:Internal error" },
};

static const char *
fault_error(const struct fault_hits *h)
{
    for (size_t i = 0; i < ARRAY_LEN(fault_errors); i++)
        if (fault_hit(h, fault_errors[i].kind))
            return fault_errors[i].error;
    return NULL;
}

/* The request with its faults: is it carried out, and is it answered as it should be? */
static void
run_with_faults(struct ws_request *r, const struct ws_method *m)
{
    const char *error = fault_error(&r->hits);
    bool refused = fault_hit(&r->hits, FAULT_429) || fault_hit(&r->hits, FAULT_418);
    struct fault_hits quiet = r->hits;

    if (error == NULL) {
        m->run(r);
        return;
    }
    if (!refused && r->hits.accept) {
        r->hits.kinds = UINT64_C(1) << FAULT_DROP_REPLY;
        m->run(r);
        r->call.result.len = 0;
        r->hits = quiet;
    }
    refuse(r, error);
}

static void
run(struct ws_request *r, const struct ws_method *m, const char *text, size_t len, bool late)
{
    struct conn *conn = r->call.session->conn;

    r->hits = (struct fault_hits){ .accept = true };
    if (!late)
        r->hits = fault_draw(&r->call.venue->base.faults, FAULT_ON_REPLY, m->name);
    if (fault_hit(&r->hits, FAULT_LOSE_REQUEST))
        return;
    if (fault_hit(&r->hits, FAULT_DELAY_REQUEST)) {
        (void)conn_receive_late(conn, text, len, r->hits.wait_ms);
        return;
    }
    if (m->is_private && !check_token(r, r->call.params)) {
        answer(r, NULL);
        return;
    }
    if (fault_hit(&r->hits, FAULT_CLOSE)) {
        r->hits.kinds |= UINT64_C(1) << FAULT_DROP_REPLY;
        m->run(r);
        conn_close(conn, 0, "", false);
        return;
    }
    run_with_faults(r, m);
}

void
kraken_ws_on_text(struct kraken_session *s, const char *text, size_t len, bool late)
{
    json_t *root = kraken_json(text, len);
    const json_t *id = json_object_get(root, "req_id");
    const char *method = json_string_value(json_object_get(root, "method"));
    struct ws_request r = {
        .call = { .venue = s->venue,
                  .session = s,
                  .params = json_object_get(root, "params"),
                  .now_us = venue_now_us(&s->venue->base) },
        .method = method != NULL ? method : "",
        .in_us = server_wall_ns() / 1000,
    };
    const struct ws_method *m = NULL;

    s->heard_mono_ns = server_mono_ns();
    if (json_is_string(id) && json_string_value(id)[0] == '#')
        r.req_id = json_string_value(id) + 1;
    for (size_t i = 0; method != NULL && i < ARRAY_LEN(methods); i++)
        if (strcmp(methods[i].name, method) == 0)
            m = &methods[i];
    if (root == NULL || method == NULL)
        refuse(&r, "Malformed request");
    else if (m == NULL)
        refuse(&r, "Method not supported");
    else
        run(&r, m, text, len, late);
    text_free(&r.call.result);
    json_decref(root);
}
