/* Kraken's REST: who asks (API-Key, API-Sign, nonce), the call counter, and the order endpoints.
 *
 * An answer is `{"error":[...],"result":...}` with status 200, also when it is a refusal.
 *
 * Always true: a nonce is accepted once and only when it is greater than the last one of its key; nothing private is
 * carried out before the signature has been checked. Source: guide "REST authentication", seen 2026-10. */
#include "bench/venue/kraken.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#define DECAY_CALLS_MILLI 500 /* a second; tier intermediate */
#define CALLS_MAX_MILLI   20000
#define BATCH_MAX         15
#define CANCEL_MAX        50

/* ---- answers -------------------------------------------------------------------------------------------------- */

static void
reply(struct conn *conn, const struct kraken_call *c, const struct fault_hits *h)
{
    struct text t = { 0 };

    text_put(&t, "{\"error\":[");
    if (c->error[0] != '\0')
        text_string(&t, c->error);
    text_put(&t, "]");
    if (c->error[0] == '\0') {
        text_key(&t, "result");
        text_bytes(&t, c->result.len != 0 ? c->result.at : "{}", MAX(c->result.len, (size_t)2));
    }
    text_put(&t, "}");
    if (fault_hit(h, FAULT_GARBAGE))
        t.len = t.len * 2 / 3;
    if (fault_hit(h, FAULT_CUT))
        conn_cut_http(conn, h->at, h->wait_ms);
    conn_reply_http(conn, 200, NULL, 0, t.at, t.len, h->delay_ms, false);
    text_free(&t);
}

/* ---- who asks ------------------------------------------------------------------------------------------------- */

static bool
signature_is(const struct api_key *key, const char *path, const char *nonce, const struct http_request *rq)
{
    uint8_t secret[256];
    uint8_t hash[SHA256_DIGEST_LENGTH];
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned mac_len = 0;
    char wanted[EVP_MAX_MD_SIZE * 2];
    struct text t = { 0 };

    if (key->secret == NULL || key->secret_len > sizeof(secret))
        return false;
    int n = EVP_DecodeBlock(secret, (const unsigned char *)key->secret, (int)key->secret_len);
    for (size_t i = key->secret_len; n > 0 && i > 0 && key->secret[i - 1] == '='; i--)
        n--;
    if (n <= 0)
        return false;
    text_put(&t, nonce);
    text_bytes(&t, rq->body, rq->body_len);
    (void)SHA256((const uint8_t *)t.at, t.len, hash);
    t.len = 0;
    text_put(&t, path);
    text_bytes(&t, (const char *)hash, sizeof(hash));
    bool ok = HMAC(EVP_sha512(), secret, n, (const uint8_t *)t.at, t.len, mac, &mac_len) != NULL;
    (void)EVP_EncodeBlock((unsigned char *)wanted, mac, (int)mac_len);
    text_free(&t);
    OPENSSL_cleanse(secret, sizeof(secret));
    return ok && strcmp(wanted, rq->api_sign) == 0;
}

static bool
check_access(struct kraken_call *c, const struct http_request *rq)
{
    struct kraken *k = c->venue;
    const struct api_key *key = keyring_find(&k->base.keys, rq->api_key);
    const char *nonce = kraken_text(c->params, "nonce");
    int account = key != NULL ? emu_account_find(k->base.engine, key->account) : -1;
    int64_t n = 0;

    if (account < 0)
        return kraken_fail(c, "EAPI:Invalid key");
    if (nonce == NULL || decimal_parse(nonce, strlen(nonce), 0, &n) != DECODE_OK || n <= 0)
        return kraken_fail(c, "EAPI:Invalid nonce");
    if (!signature_is(key, rq->path, nonce, rq))
        return kraken_fail(c, "EAPI:Invalid signature");
    uint64_t *last = &k->key_nonce[key - k->base.keys.at];
    if ((uint64_t)n <= *last)
        return kraken_fail(c, "EAPI:Invalid nonce");
    *last = (uint64_t)n;
    c->account = (uint32_t)account;
    return true;
}

/* The counter of REST calls; orders have their own. */
static bool
take_call(struct kraken_call *c, int cost)
{
    struct kraken_counter *n = &c->venue->calls[c->account];
    int64_t per_s = (int64_t)((wide_t)DECAY_CALLS_MILLI * c->venue->calls_max_milli / CALLS_MAX_MILLI);
    int64_t gone = (int64_t)((wide_t)(c->now_us - n->at_us) * per_s / 1000000);

    if (gone > 0) {
        n->milli = MAX(n->milli - gone, 0);
        n->at_us = c->now_us;
    }
    if (n->milli + cost * 1000 > c->venue->calls_max_milli)
        return kraken_fail(c, "EAPI:Rate limit exceeded");
    n->milli += cost * 1000;
    return true;
}

/* ---- tokens --------------------------------------------------------------------------------------------------- */

/* A fresh token for the account. */
static const char *
kraken_token_make(struct kraken *k, uint32_t account)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    struct kraken_token *token = &k->token[k->token_count++ % KRAKEN_TOKENS_MAX];

    for (size_t i = 0; i < KRAKEN_TOKEN_BYTES - 1; i++) {
        k->id_state = k->id_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        token->text[i] = digits[(k->id_state >> 33) % (sizeof(digits) - 1)];
    }
    token->text[KRAKEN_TOKEN_BYTES - 1] = '\0';
    token->account = account;
    token->made_us = emu_engine_time(k->base.engine);
    return token->text;
}

uint32_t
kraken_token_account(const struct kraken *k, const char *token)
{
    for (size_t i = 0; i < KRAKEN_TOKENS_MAX; i++)
        if (k->token[i].account != 0 && strcmp(k->token[i].text, token) == 0)
            return k->token[i].account;
    return 0;
}

static void
run_token(struct kraken_call *c)
{
    text_put(&c->result, "{");
    text_key_word(&c->result, "token", kraken_token_make(c->venue, c->account));
    text_key_int(&c->result, "expires", KRAKEN_TOKEN_LIFE_S);
    text_put(&c->result, "}");
}

/* ---- orders --------------------------------------------------------------------------------------------------- */

/* "buy 1.25000000 XBTUSD @ limit 30010.0" of what was asked for. */
static void
description(struct text *t, const struct kraken *k, const struct kraken_order *o)
{
    struct kraken_pair pair = kraken_pair_get(k, o->symbol);

    text_key(t, "descr");
    text_put(t, "{\"order\":\"");
    text_put(t, o->side);
    text_put(t, " ");
    text_fixed(t, o->qty != 0 ? o->qty : o->cash, pair.qty_decimals);
    text_put(t, " ");
    text_put(t, pair.altname);
    text_put(t, " @ ");
    text_put(t, o->type);
    if (o->stop_px != 0) {
        text_put(t, " ");
        text_fixed(t, o->stop_px, pair.px_decimals);
    }
    if (o->px != 0) {
        text_put(t, o->stop_px != 0 ? " -> limit " : " ");
        text_fixed(t, o->px, pair.px_decimals);
    }
    text_put(t, "\"}");
}

static void
placed_json(struct kraken_call *c, const struct kraken_order *o, const struct emu_order *placed, bool list)
{
    char txid[KRAKEN_TXID_BYTES];
    struct text *t = &c->result;

    text_put(t, "{");
    description(t, c->venue, o);
    if (placed != NULL) {
        kraken_order_txid(txid, placed->symbol, placed->id);
        text_key(t, "txid");
        text_put(t, list ? "[\"" : "\"");
        text_put(t, txid);
        text_put(t, list ? "\"]" : "\"");
        if ((placed->flags & EMU_UNNAMED) == 0) {
            text_key(t, "cl_ord_id");
            text_string(t, placed->client_id);
        }
    }
    text_put(t, "}");
}

static void
run_add(struct kraken_call *c)
{
    struct kraken_order o;
    const struct emu_order *placed = NULL;

    if (kraken_order_from_rest(c, c->params, &o) && kraken_place(c, &o, &placed))
        placed_json(c, &o, placed, true);
}

static void
run_add_batch(struct kraken_call *c)
{
    const json_t *orders = json_object_get(c->params, "orders");
    size_t n = json_array_size(orders);
    struct text all = { 0 };

    if (n < 2 || n > BATCH_MAX) {
        (void)kraken_fail(c, "EGeneral:Invalid arguments:orders");
        return;
    }
    text_put(&all, "{\"orders\":[");
    for (size_t i = 0; i < n; i++) {
        struct kraken_order o;
        const struct emu_order *placed = NULL;
        json_t *one = json_copy(json_array_get(orders, i));
        (void)json_object_set(one, "pair", json_object_get(c->params, "pair"));
        (void)json_object_set(one, "validate", json_object_get(c->params, "validate"));
        c->result.len = 0;
        if (kraken_order_from_rest(c, one, &o) && kraken_place(c, &o, &placed)) {
            placed_json(c, &o, placed, false);
        } else {
            text_put(&c->result, "{");
            text_key(&c->result, "error");
            text_string(&c->result, c->error);
            text_put(&c->result, "}");
            c->error[0] = '\0';
        }
        text_comma(&all);
        text_bytes(&all, c->result.at, c->result.len);
        json_decref(one);
    }
    text_put(&all, "]}");
    text_free(&c->result);
    c->result = all;
}

static void
run_amend(struct kraken_call *c)
{
    struct kraken_amendment a = {
        .txid = kraken_text(c->params, "txid"),
        .cl_ord_id = kraken_text(c->params, "cl_ord_id"),
        .post_only = kraken_true(c->params, "post_only", false),
    };
    const char *deadline = kraken_text(c->params, "deadline");
    const struct emu_order *o = NULL;
    char amend_id[KRAKEN_TXID_BYTES];

    if (!kraken_number(c->params, "order_qty", &a.qty) || !kraken_number(c->params, "limit_price", &a.px) ||
        !kraken_number(c->params, "display_qty", &a.display) ||
        (deadline != NULL && !kraken_time_parse(deadline, &a.deadline_us))) {
        (void)kraken_fail(c, "EGeneral:Invalid arguments");
    } else if (kraken_amend(c, &a, &o, amend_id)) {
        text_put(&c->result, "{");
        text_key_word(&c->result, "amend_id", amend_id);
        text_put(&c->result, "}");
    }
}

static void
run_edit(struct kraken_call *c)
{
    struct kraken_order change;
    const struct emu_order *placed = NULL;
    const char *old = kraken_text(c->params, "txid");
    struct text *t = &c->result;
    char txid[KRAKEN_TXID_BYTES] = "";

    if (!kraken_order_from_rest(c, c->params, &change) || !kraken_edit(c, old != NULL ? old : "", &change, &placed))
        return;
    if (placed != NULL)
        kraken_order_txid(txid, placed->symbol, placed->id);
    text_put(t, "{");
    text_key_word(t, "status", "ok");
    text_key_word(t, "txid", txid);
    text_key_word(t, "originaltxid", old);
    if (placed != NULL) {
        struct kraken_pair pair = kraken_pair_get(c->venue, placed->symbol);
        text_key_quoted(t, "volume", placed->qty, pair.qty_decimals);
        text_key_quoted(t, "price", placed->px, pair.px_decimals);
    }
    text_key_int(t, "orders_cancelled", placed != NULL ? 1 : 0);
    text_key(t, "descr");
    text_put(t, "{\"order\":\"\"}}");
}

static void
count_json(struct kraken_call *c, int count)
{
    text_put(&c->result, "{");
    text_key_int(&c->result, "count", count);
    text_put(&c->result, "}");
}

/* By txid, userref or cl_ord_id. */
static int
cancel_named(struct kraken_call *c, const char *id)
{
    const struct emu_order *o = kraken_find(c->venue, c->account, id, NULL);
    int64_t ref = 0;

    if (o == NULL)
        o = kraken_find(c->venue, c->account, NULL, id);
    if (o != NULL && o->is_open)
        return kraken_cancel(c, o);
    if (o == NULL && decimal_parse(id, strlen(id), 0, &ref) == DECODE_OK && ref != 0)
        return kraken_cancel_all(c->venue, c->account, -1, ref);
    return 0;
}

static void
run_cancel(struct kraken_call *c)
{
    const char *txid = kraken_text(c->params, "txid");
    const char *named = kraken_text(c->params, "cl_ord_id");
    int count = txid != NULL || named != NULL ? cancel_named(c, txid != NULL ? txid : named) : 0;

    if (txid == NULL && named == NULL)
        (void)kraken_fail(c, "EGeneral:Invalid arguments");
    else if (count == 0)
        (void)kraken_fail(c, "EOrder:Unknown order");
    else
        count_json(c, count);
}

static void
run_cancel_batch(struct kraken_call *c)
{
    const json_t *list[] = { json_object_get(c->params, "orders"), json_object_get(c->params, "cl_ord_ids") };
    int count = 0;

    for (size_t k = 0; k < ARRAY_LEN(list); k++)
        for (size_t i = 0; i < MIN(json_array_size(list[k]), (size_t)CANCEL_MAX); i++) {
            const json_t *v = json_array_get(list[k], i);
            const char *id = json_string_value(json_is_object(v) ? json_object_get(v, "txid") : v);
            count += id != NULL ? cancel_named(c, id) : 0;
        }
    c->error[0] = '\0';
    if (count == 0)
        (void)kraken_fail(c, "EOrder:Unknown order");
    else
        count_json(c, count);
}

static void
run_cancel_all(struct kraken_call *c)
{
    count_json(c, kraken_cancel_all(c->venue, c->account, -1, 0));
}

static void
run_dead_man(struct kraken_call *c)
{
    int64_t seconds = -1;

    if (!kraken_integer(c->params, "timeout", &seconds))
        seconds = -1;
    (void)kraken_dead_man(c, seconds);
}

const struct kraken_endpoint kraken_private[] = {
    { "GetWebSocketsToken", NULL, 1, run_token },
    { "AddOrder", "add_order", 0, run_add },
    { "AddOrderBatch", "batch_add", 0, run_add_batch },
    { "AmendOrder", "amend_order", 0, run_amend },
    { "EditOrder", "edit_order", 0, run_edit },
    { "CancelOrder", "cancel_order", 0, run_cancel },
    { "CancelOrderBatch", "batch_cancel", 0, run_cancel_batch },
    { "CancelAll", "cancel_all", 1, run_cancel_all },
    { "CancelAllOrdersAfter", "cancel_all_orders_after", 0, run_dead_man },
    { 0 },
};

/* ---- requests ------------------------------------------------------------------------------------------------- */

static const struct kraken_endpoint *
find(const struct kraken_endpoint *table, const char *name)
{
    for (; table->name != NULL; table++)
        if (strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

/* What a front end answers when the engine does not: no JSON. */
static unsigned
fault_status(const struct fault_hits *h)
{
    static const struct {
        enum fault_kind kind;
        unsigned status;
    } rows[] = {
        { FAULT_1007, 504 }, { FAULT_1006, 502 }, { FAULT_1008, 503 }, { FAULT_500, 500 }, { FAULT_429, 429 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (fault_hit(h, rows[i].kind))
            return rows[i].status;
    return 0;
}

static void
carry_out(struct kraken_call *c, const struct kraken_endpoint *e, const struct http_request *rq, bool is_private)
{
    if (!is_private || (check_access(c, rq) && take_call(c, e->cost)))
        e->run(c);
}

static void
run(struct kraken *k, struct conn *conn, const struct http_request *rq, const struct kraken_endpoint *e,
    bool is_private, const json_t *params)
{
    static const char page[] = "<html><body>error</body></html>";
    struct kraken_call c = { .venue = k, .params = params, .now_us = venue_now_us(&k->base) };
    struct fault_hits h = { .accept = true };

    if (!rq->late)
        h = fault_draw(&k->base.faults, FAULT_ON_REPLY, e->method != NULL ? e->method : e->name);
    if (fault_hit(&h, FAULT_DELAY_REQUEST)) {
        conn_http_late(conn, h.wait_ms);
        return;
    }
    unsigned status = fault_status(&h);
    bool refused = fault_hit(&h, FAULT_429) || fault_hit(&h, FAULT_418) || (status != 0 && !h.accept);
    if (fault_hit(&h, FAULT_LOSE_REQUEST)) {
        conn_drop_http(conn, false);
        return;
    }
    if (!refused)
        carry_out(&c, e, rq, is_private);
    if (fault_hit(&h, FAULT_418))
        (void)kraken_fail(&c, "EGeneral:Temporary lockout");
    if (fault_hit(&h, FAULT_CLOSE) || fault_hit(&h, FAULT_DROP_REPLY) || c.lost)
        conn_drop_http(conn, fault_hit(&h, FAULT_CLOSE));
    else if (status != 0)
        conn_reply_http(conn, status, NULL, 0, page, sizeof(page) - 1, h.delay_ms, false);
    else
        reply(conn, &c, &h);
    text_free(&c.result);
}

/* Query and body as one object; NULL when the body is no JSON. */
static json_t *
read_params(const struct http_request *rq)
{
    struct params body = { 0 };
    json_t *all;

    if (strncasecmp(rq->content_type, "application/json", 16) == 0 && rq->body_len != 0) {
        all = kraken_json(rq->body, rq->body_len);
    } else {
        all = params_parse(&body, rq->body, rq->body_len) ? kraken_form(&body) : NULL;
        params_free(&body);
    }
    if (json_is_object(all)) {
        json_t *query = kraken_form(rq->query);
        (void)json_object_update_missing(all, query);
        json_decref(query);
    }
    return all;
}

void
kraken_on_http(struct kraken *k, struct conn *conn, const struct http_request *rq)
{
    static const struct fault_hits none = { .accept = true };
    bool is_public = strncmp(rq->path, "/0/public/", 10) == 0;
    bool is_private = strncmp(rq->path, "/0/private/", 11) == 0;
    const struct kraken_endpoint *e = NULL;
    struct kraken_call c = { .venue = k };
    json_t *params = read_params(rq);

    if (strncmp(rq->path, "/emulator/", 10) == 0) {
        kraken_control(k, conn, rq, params);
        json_decref(params);
        return;
    }
    if (is_public)
        e = find(kraken_public, rq->path + 10);
    else if (is_private && (e = find(kraken_private, rq->path + 11)) == NULL)
        e = find(kraken_account, rq->path + 11);
    if (e == NULL)
        (void)kraken_fail(&c, "EGeneral:Unknown method");
    else if (!json_is_object(params))
        (void)kraken_fail(&c, "EGeneral:Invalid arguments");
    else
        run(k, conn, rq, e, is_private, params);
    if (c.error[0] != '\0')
        reply(conn, &c, &none);
    json_decref(params);
}
