/* Kraken Spot over REST: what the WebSocket does not answer. One question at a time; some take several requests.
 *
 *   question      requests                                              answer
 *   LOGON         GetWebSocketsToken                                    LOGGED_ON, LOGON_REFUSED
 *   QUERY         QueryOrders where the venue's id is known, else       STATUS, NOT_FOUND
 *                 OpenOrders, then ClosedOrders: what left the first
 *                 list is in the second
 *   TRADES        TradesHistory in pages of 50 (kraken_trades.c)        FILL each, TRADES_END
 *   OPEN_ORDERS   OpenOrders                                            OPEN_ORDER each, OPEN_ORDERS_END
 *   BALANCES      Balance                                               BALANCE each, BALANCES_END
 *
 * Always true: an end is reported only when nothing was left out; whatever went wrong with an answer is QUERY_FAILED or
 * LOGON_REFUSED, never "not found"; nonces rise, also from one run to the next, as long as the wall clock does. */
#include "engine/venue/kraken_value.h"

#include <openssl/sha.h>

#define NONCE_TEXT 24

void
kraken_sign(const struct hmac512_key *key, const char *path, uint64_t nonce, const char *body, char *out)
{
    uint8_t sum[SHA256_DIGEST_LENGTH];
    char text[NONCE_TEXT];
    SHA256_CTX ctx;

    int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)nonce);
    (void)SHA256_Init(&ctx);
    (void)SHA256_Update(&ctx, text, (size_t)n);
    (void)SHA256_Update(&ctx, body, strlen(body));
    (void)SHA256_Final(sum, &ctx);
    hmac512_sign_base64(key, path, strlen(path), sum, sizeof(sum), out);
}

/* ---- requests ---- */

/* The whole HTTP request: `fields` is the body behind the nonce, "" or "&name=value...". */
static int
write_request(struct kraken_oe *k, const char *path, const char *fields, struct now now, uint8_t *buf, size_t room)
{
    char body[512];
    char sign[HMAC512_BASE64_BYTES];

    k->nonce = MAX(k->nonce + 1, (uint64_t)MAX(now.wall.ns, 1));
    int body_len = snprintf(body, sizeof(body), "nonce=%llu%s", (unsigned long long)k->nonce, fields);
    if (body_len < 0 || (size_t)body_len >= sizeof(body))
        return -1;
    kraken_sign(&k->hmac, path, k->nonce, body, sign);
    int n = snprintf((char *)buf, room,
                     "POST %s\nAPI-Key: %s\nAPI-Sign: %.*s\nContent-Type: application/x-www-form-urlencoded\n\n%s",
                     path, k->cfg.keys.api_key, HMAC512_BASE64_BYTES, sign, body);
    return n > 0 && (size_t)n < room ? n : -1;
}

/* The request of the stage that the question has reached. */
static int
write_stage(struct kraken_oe *k, struct now now, uint8_t *buf, size_t room)
{
    const struct kraken_rest *q = &k->rest;
    char fields[256] = "";
    const char *path = NULL;

    switch ((enum kraken_rest_stage)q->stage) {
    case KRAKEN_REST_TOKEN: path = "/0/private/GetWebSocketsToken"; break;
    case KRAKEN_REST_BY_ID:
        path = "/0/private/QueryOrders";
        (void)snprintf(fields, sizeof(fields), "&txid=%s", q->order_id);
        break;
    case KRAKEN_REST_OPEN:
        path = "/0/private/OpenOrders";
        if (!q->unnamed)
            (void)snprintf(fields, sizeof(fields), "&cl_ord_id=%.*s", CLORDID_BYTES, q->clordid);
        break;
    case KRAKEN_REST_CLOSED:
        path = "/0/private/ClosedOrders";
        if (q->unnamed)
            (void)snprintf(fields, sizeof(fields), "&ofs=%u", q->offset);
        else
            (void)snprintf(fields, sizeof(fields), "&cl_ord_id=%.*s&ofs=%u", CLORDID_BYTES, q->clordid, q->offset);
        break;
    case KRAKEN_REST_TRADES:
        path = "/0/private/TradesHistory";
        (void)snprintf(fields, sizeof(fields), "&start=%lld&end=%lld&ofs=%u", (long long)(q->since_ns / NS_PER_S),
                       (long long)q->until_s, q->offset);
        break;
    case KRAKEN_REST_OPEN_ALL: path = "/0/private/OpenOrders"; break;
    case KRAKEN_REST_BALANCE: path = "/0/private/Balance"; break;
    case KRAKEN_REST_IDLE: return -1;
    }
    return write_request(k, path, fields, now, buf, room);
}

/* Only what cannot end the field that it stands in. */
static bool
field_plain(const char *s)
{
    for (; *s != '\0'; s++)
        if (!(*s >= '0' && *s <= '9') && !(*s >= 'A' && *s <= 'Z') && !(*s >= 'a' && *s <= 'z') && *s != '-' &&
            *s != '_')
            return false;
    return true;
}

int
kraken_rest_submit(struct kraken_oe *k, const struct venue_request *rq, struct now now, uint8_t *buf, size_t room,
                   const struct venue_sink *sink)
{
    struct kraken_rest q = { .kind = (uint8_t)rq->kind, .tag = (uint8_t)(rq->tag % VENUE_TAGS) };

    q.instrument = INSTRUMENT_NONE;

    if (rq->order != NULL) {
        q.instrument = rq->order->instrument != NULL ? rq->order->instrument->id : INSTRUMENT_NONE;
        q.venue_order_id = rq->order->venue_order_id;
        memcpy(q.clordid, rq->order->clordid, CLORDID_BYTES);
        q.clordid[CLORDID_BYTES - 1] = '\0';
    }
    if (rq->order == NULL && (rq->kind == VENUE_RQ_QUERY || rq->kind == VENUE_RQ_TRADES))
        return -1;
    switch (rq->kind) {
    case VENUE_RQ_LOGON: q.stage = KRAKEN_REST_TOKEN; break;
    case VENUE_RQ_OPEN_ORDERS:
        q.stage = KRAKEN_REST_OPEN_ALL;
        kraken_orders_list(&k->orders);
        break;
    case VENUE_RQ_BALANCES: q.stage = KRAKEN_REST_BALANCE; break;
    case VENUE_RQ_TRADES:
        q.stage = KRAKEN_REST_TRADES;
        q.since_ns = MAX(rq->since_ns, 0);
        q.until_s = (now.wall.ns + k->clock_offset_ns) / NS_PER_S + 60;
        break;
    case VENUE_RQ_QUERY: {
        const struct kraken_order *o = q.venue_order_id != 0 ? kraken_orders_find(&k->orders, q.venue_order_id) : NULL;
        q.stage = KRAKEN_REST_OPEN;
        if (o != NULL) {
            q.stage = KRAKEN_REST_BY_ID;
            memcpy(q.order_id, o->order_id, sizeof(q.order_id));
        }
        q.unnamed = (rq->order->flags & COMMAND_ADOPTED) != 0;
        break;
    }
    default: return -1;
    }
    if (!field_plain(q.clordid) || !field_plain(q.order_id))
        return -1;
    k->rest = q;
    if (rq->kind == VENUE_RQ_TRADES && q.clordid[0] == '\0') {
        if (q.instrument >= k->cfg.instruments.count)
            return -1;
        if (kraken_sweep_begin(k, rq, now, sink))
            return 0;
    }
    return write_stage(k, now, buf, room);
}

int
kraken_rest_more(struct venue_adapter *a, struct now now, int64_t clock_offset_ns, uint8_t *buf, size_t room)
{
    struct kraken_oe *k = (struct kraken_oe *)(void *)a;

    k->clock_offset_ns = clock_offset_ns;
    if (!k->rest.more)
        return 0;
    k->rest.more = false;
    k->rest.pages++;
    int n = write_stage(k, now, buf, room);
    return n < 0 ? 0 : n;
}

/* ---- names ---- */

/* Legacy spellings of REST: XBT for BTC, XDG for DOGE. */
static const char *
legacy(const char *ccy)
{
    if (strcmp(ccy, "BTC") == 0)
        return "XBT";
    return strcmp(ccy, "DOGE") == 0 ? "XDG" : ccy;
}

/* The n-th way that REST may spell a currency; NULL behind the last. */
static const char *
spelling(const char *ccy, unsigned n, char buf[CURRENCY_BYTES + 2])
{
    switch (n) {
    case 0: return ccy;
    case 1: return legacy(ccy);
    case 2:
    case 3: (void)snprintf(buf, CURRENCY_BYTES + 2, "%c%s", n == 2 ? 'X' : 'Z', legacy(ccy)); return buf;
    default: return NULL;
    }
}

static bool
pair_is(const struct json_text *pair, const struct instrument *ins)
{
    char b[CURRENCY_BYTES + 2];
    char q[CURRENCY_BYTES + 2];
    const char *base;
    const char *quote;

    for (unsigned i = 0; (base = spelling(ins->base, i, b)) != NULL; i++) {
        size_t n = strlen(base);
        if (pair->n <= n || memcmp(pair->s, base, n) != 0)
            continue;
        const char *rest = pair->s + n;
        size_t left = pair->n - n;
        if (left > 1 && *rest == '/') {
            rest++;
            left--;
        }
        for (unsigned v = 0; (quote = spelling(ins->quote, v, q)) != NULL; v++)
            if (strlen(quote) == left && memcmp(rest, quote, left) == 0)
                return true;
    }
    return false;
}

uint32_t
kraken_pair_instrument(const struct kraken_oe *k, const struct json_text *pair)
{
    char plain[40];
    int n;

    if (pair->s == NULL || (n = json_unescape(pair, plain, sizeof(plain))) <= 0)
        return INSTRUMENT_NONE;
    const struct json_text t = { .s = plain, .n = (size_t)n };
    for (uint32_t i = 0; i < k->cfg.instruments.count; i++)
        if (k->piece[i].len != 0 && pair_is(&t, &k->cfg.instruments.table[i]))
            return i;
    return INSTRUMENT_NONE;
}

bool
kraken_asset_currency(const struct json_text *asset, char out[CURRENCY_BYTES])
{
    static const char *const prefixed[] = { "XXBT", "XXDG", "XETH", "XETC", "XLTC", "XMLN", "XREP", "XXLM", "XXMR",
                                            "XXRP", "XZEC", "ZAUD", "ZCAD", "ZEUR", "ZGBP", "ZJPY", "ZUSD" };
    char name[CURRENCY_BYTES];

    if (asset->s == NULL || asset->escaped || asset->n == 0 || asset->n >= CURRENCY_BYTES ||
        memchr(asset->s, '.', asset->n) != NULL) /* "ETH.S": staked, not free to trade */
        return false;
    kraken_print(asset, name, sizeof(name));
    const char *plain = name;
    for (unsigned i = 0; i < ARRAY_LEN(prefixed); i++)
        if (strcmp(name, prefixed[i]) == 0)
            plain = name + 1;
    if (strcmp(plain, "XBT") == 0)
        plain = "BTC";
    else if (strcmp(plain, "XDG") == 0)
        plain = "DOGE";
    memset(out, 0, CURRENCY_BYTES);
    (void)snprintf(out, CURRENCY_BYTES, "%s", plain);
    return true;
}

/* ---- orders in lists ---- */

struct listed {
    struct json_text txid;
    struct json_text cl_ord_id;
    struct json_text status;
    struct json_text vol;
    struct json_text vol_exec;
    struct json_text opentm;
    struct json_text pair;
    struct json_text type;
    struct json_text ordertype;
    struct json_text price;
    struct json_text price2;
};

static void
read_description(struct json_scan *j, struct listed *o)
{
    struct json_text key;

    if (json_peek(j) != JSON_OBJECT) {
        (void)json_skip(j);
        return;
    }
    (void)json_object(j);
    while (json_key(j, &key)) {
        if (JSON_IS(key, "pair"))
            kraken_text(j, &o->pair);
        else if (JSON_IS(key, "type"))
            kraken_text(j, &o->type);
        else if (JSON_IS(key, "ordertype"))
            kraken_text(j, &o->ordertype);
        else if (JSON_IS(key, "price"))
            kraken_number(j, &o->price);
        else if (JSON_IS(key, "price2"))
            kraken_number(j, &o->price2);
        else
            (void)json_skip(j);
    }
}

/* Of all but limit and iceberg orders `price` is the trigger, and price2 the limit where there is one; of those that
 * trail both are distances. */
static void
listed_prices(const struct listed *o, const struct instrument *ins, struct venue_report *r)
{
    bool plain = o->ordertype.s == NULL || JSON_IS(o->ordertype, "limit");
    bool iceberg = JSON_IS(o->ordertype, "iceberg");
    bool trails = JSON_IS(o->ordertype, "trailing-stop") || JSON_IS(o->ordertype, "trailing-stop-limit");

    r->type = plain ? ORDER_LIMIT : iceberg ? ORDER_ICEBERG : ORDER_CONDITIONAL;
    if (!plain && r->kind == VENUE_OPEN_ORDER)
        (void)snprintf(r->text, sizeof(r->text), "%.*s", (int)MIN(o->ordertype.n, (size_t)32), o->ordertype.s);
    if (trails)
        return;
    if (r->type != ORDER_CONDITIONAL) {
        (void)kraken_decimal(&o->price, ins->px_decimals, &r->px); /* "0" of a market order */
        return;
    }
    (void)kraken_decimal(&o->price, ins->px_decimals, &r->trigger_px);
    (void)kraken_decimal(&o->price2, ins->px_decimals, &r->px);
}

static void
read_listed(struct json_scan *j, const struct json_text *txid, struct listed *o)
{
    struct json_text key;

    *o = (struct listed){ .txid = *txid };
    if (!json_object(j))
        return;
    while (json_key(j, &key)) {
        if (JSON_IS(key, "cl_ord_id"))
            kraken_text(j, &o->cl_ord_id);
        else if (JSON_IS(key, "status"))
            kraken_text(j, &o->status);
        else if (JSON_IS(key, "vol"))
            kraken_number(j, &o->vol);
        else if (JSON_IS(key, "vol_exec"))
            kraken_number(j, &o->vol_exec);
        else if (JSON_IS(key, "opentm"))
            kraken_number(j, &o->opentm);
        else if (JSON_IS(key, "descr"))
            read_description(j, o);
        else
            (void)json_skip(j);
    }
}

/* The order's report; false: a number or a state of it cannot be read. */
static bool
listed_report(struct kraken_oe *k, const struct listed *o, enum venue_report_kind kind, unsigned request,
              struct venue_report *r)
{
    struct kraken_order *known;

    *r = kraken_report(kind, request);
    if (o->txid.s == NULL || o->txid.escaped || o->txid.n == 0)
        return false;
    r->venue_order_id = kraken_order_hash(o->txid.s, o->txid.n);
    r->instrument = kraken_pair_instrument(k, &o->pair);
    known = kraken_orders_add(&k->orders, o->txid.s, o->txid.n);
    if (known != NULL) {
        if (known->clordid[0] == '\0' && o->cl_ord_id.s != NULL)
            memcpy(known->clordid, o->cl_ord_id.s, MIN(o->cl_ord_id.n, (size_t)CLORDID_BYTES - 1));
        if (known->instrument == INSTRUMENT_NONE)
            known->instrument = r->instrument;
        r->instrument = known->instrument;
        memcpy(r->clordid, known->clordid, CLORDID_BYTES);
    } else if (o->cl_ord_id.s != NULL) {
        memcpy(r->clordid, o->cl_ord_id.s, MIN(o->cl_ord_id.n, (size_t)CLORDID_BYTES - 1));
    }
    r->side = JSON_IS(o->type, "sell") ? SIDE_SELL : SIDE_BUY;
    r->venue_time_ns = kraken_seconds(&o->opentm);
    r->state = JSON_IS(o->status, "closed")                                  ? ORDER_FILLED
               : JSON_IS(o->status, "canceled")                              ? ORDER_CANCELED
               : JSON_IS(o->status, "expired")                               ? ORDER_EXPIRED
               : JSON_IS(o->status, "open") || JSON_IS(o->status, "pending") ? ORDER_NEW
                                                                             : ORDER_FREE;
    if (r->state == ORDER_FREE)
        return false;
    if (known != NULL && r->state != ORDER_NEW)
        kraken_orders_done(&k->orders, known);
    if (r->instrument == INSTRUMENT_NONE)
        return true; /* of a pair that we do not trade: that it is there is all */
    const struct instrument *ins = &k->cfg.instruments.table[r->instrument];
    if (!kraken_decimal(&o->vol, ins->qty_decimals, &r->qty) ||
        !kraken_decimal(&o->vol_exec, ins->qty_decimals, &r->cum_qty))
        return false;
    listed_prices(o, ins, r);
    if (r->state == ORDER_NEW && r->cum_qty > 0)
        r->state = ORDER_PARTIALLY_FILLED;
    return true;
}

/* ---- answers ---- */

void
kraken_rest_fail(struct kraken_oe *k, const char *text, int32_t code, bool definite, const struct venue_sink *sink)
{
    bool logon = k->rest.kind == VENUE_RQ_LOGON;
    struct venue_report r = kraken_report(logon ? VENUE_LOGON_REFUSED : VENUE_QUERY_FAILED, k->rest.kind);

    memcpy(r.clordid, k->rest.clordid, CLORDID_BYTES);
    r.instrument = k->rest.instrument;
    r.tag = k->rest.tag;
    r.code = code;
    r.definite = definite;
    (void)snprintf(r.text, sizeof(r.text), "%s", text);
    k->rest.stage = KRAKEN_REST_IDLE;
    k->rest.more = false;
    sink->report(sink->ctx, &r);
}

void
kraken_rest_end(struct kraken_oe *k, enum venue_report_kind kind, const struct venue_sink *sink)
{
    struct venue_report r = kraken_report(kind, k->rest.kind);

    memcpy(r.clordid, k->rest.clordid, CLORDID_BYTES);
    r.instrument = k->rest.instrument;
    r.tag = k->rest.tag;
    r.venue_order_id = k->rest.venue_order_id;
    k->rest.stage = KRAKEN_REST_IDLE;
    sink->report(sink->ctx, &r);
}

/* {"token":"...","expires":900} */
static void
on_token(struct kraken_oe *k, struct json_scan *j, const struct venue_sink *sink)
{
    struct json_text key;
    struct json_text token = { .s = NULL };

    (void)json_object(j);
    while (json_key(j, &key)) {
        if (JSON_IS(key, "token"))
            kraken_text(j, &token);
        else
            (void)json_skip(j);
    }
    bool plain = token.s != NULL && !token.escaped && token.n > 0 && token.n < KRAKEN_TOKEN_BYTES;
    for (size_t i = 0; plain && i < token.n; i++)
        plain = token.s[i] > ' ' && token.s[i] <= '~';
    if (j->bad || !plain) {
        kraken_rest_fail(k, "the answer to GetWebSocketsToken holds no token", 0, false, sink);
        return;
    }
    memcpy(k->token, token.s, token.n);
    k->token[token.n] = '\0';
    k->token_len = (uint32_t)token.n;
    kraken_rest_end(k, VENUE_LOGGED_ON, sink);
}

/* A list of orders: {"<name>":{TXID:{...}},"count":n}, or without name the orders themselves. Reports each (kind
 * VENUE_OPEN_ORDER), or the wanted one (VENUE_STATUS). */
struct order_list {
    uint32_t seen;
    bool has_count;
    uint64_t count; /* as the venue says, pages included */
    bool found;
    bool unreadable;
};

static void
on_listed(struct kraken_oe *k, const struct listed *o, struct order_list *l, const struct venue_sink *sink)
{
    bool all = k->rest.stage == KRAKEN_REST_OPEN_ALL;
    struct venue_report r;
    const struct kraken_rest *q = &k->rest;
    bool wanted = all || json_equals(&o->txid, q->order_id, strlen(q->order_id));

    if (q->unnamed)
        wanted |= kraken_order_hash(o->txid.s, o->txid.n) == q->venue_order_id;
    else if (q->clordid[0] != '\0' && o->cl_ord_id.s != NULL)
        wanted |= json_equals(&o->cl_ord_id, q->clordid, strlen(q->clordid));

    l->seen++;
    if (!wanted)
        return;
    if (!listed_report(k, o, all ? VENUE_OPEN_ORDER : VENUE_STATUS, k->rest.kind, &r)) {
        if (!all || r.venue_order_id == 0) {
            l->unreadable = true;
            return;
        }
        r.state = ORDER_FREE; /* that it is there is all that is known */
    }
    l->found = true;
    if (!all) { /* the one that was asked for, whatever name the venue has for it */
        memcpy(r.clordid, k->rest.clordid, CLORDID_BYTES);
        r.tag = k->rest.tag;
        kraken_print(&o->cl_ord_id, r.text, sizeof(r.text));
    }
    sink->report(sink->ctx, &r);
}

static void
read_orders(struct kraken_oe *k, struct json_scan *j, struct order_list *l, const struct venue_sink *sink)
{
    struct json_text txid;
    struct listed o;

    (void)json_object(j);
    while (json_key(j, &txid)) {
        if (json_peek(j) != JSON_OBJECT) {
            (void)json_skip(j);
            continue;
        }
        read_listed(j, &txid, &o);
        if (!j->bad)
            on_listed(k, &o, l, sink);
    }
}

static void
read_order_list(struct kraken_oe *k, struct json_scan *j, const char *name, struct order_list *l,
                const struct venue_sink *sink)
{
    struct json_text key;

    if (name == NULL) {
        read_orders(k, j, l, sink);
        return;
    }
    (void)json_object(j);
    while (json_key(j, &key)) {
        if (json_equals(&key, name, strlen(name)) && json_peek(j) == JSON_OBJECT)
            read_orders(k, j, l, sink);
        else if (JSON_IS(key, "count") && json_peek(j) == JSON_NUMBER)
            l->has_count = json_u64(j, &l->count);
        else
            (void)json_skip(j);
    }
}

static void
on_query(struct kraken_oe *k, struct json_scan *j, const struct venue_sink *sink)
{
    struct kraken_rest *q = &k->rest;
    struct order_list l = { .seen = 0 };

    read_order_list(k, j,
                    q->stage == KRAKEN_REST_OPEN     ? "open"
                    : q->stage == KRAKEN_REST_CLOSED ? "closed"
                                                     : NULL,
                    &l, sink);
    if (l.found) {
        q->stage = KRAKEN_REST_IDLE;
        return;
    }
    if (l.unreadable) {
        kraken_rest_fail(k, "the order's state or quantities cannot be read", 0, false, sink);
        return;
    }
    if (q->stage == KRAKEN_REST_OPEN) {
        q->stage = KRAKEN_REST_CLOSED;
        q->more = true;
        return;
    }
    q->offset += l.seen;
    if (q->stage == KRAKEN_REST_CLOSED && l.has_count && l.seen > 0 && l.count > q->offset) {
        if (q->pages >= KRAKEN_PAGES_MAX)
            kraken_rest_fail(k, "more closed orders than can be looked through", 0, true, sink);
        else
            q->more = true;
        return;
    }
    kraken_rest_end(k, VENUE_NOT_FOUND, sink);
}

static void
on_open_orders(struct kraken_oe *k, struct json_scan *j, const struct venue_sink *sink)
{
    struct order_list l = { .seen = 0 };

    read_order_list(k, j, "open", &l, sink);
    if (l.unreadable) {
        kraken_rest_fail(k, "an open order's state or quantities cannot be read", 0, false, sink);
    } else {
        kraken_orders_listed(&k->orders);
        kraken_rest_end(k, VENUE_OPEN_ORDERS_END, sink);
    }
}

/* ---- balances ---- */

/* {"ZUSD":"171288.6158","XXBT":{"balance":"...","hold_trade":"..."},...} */
static void
on_balances(struct kraken_oe *k, struct json_scan *j, const struct venue_sink *sink)
{
    struct json_text asset;
    struct json_text key;

    (void)json_object(j);
    while (json_key(j, &asset)) {
        struct venue_report r = kraken_report(VENUE_BALANCE, k->rest.kind);
        struct json_text total = { .s = NULL };
        struct json_text held = { .s = NULL };
        if (json_peek(j) == JSON_OBJECT) {
            (void)json_object(j);
            while (json_key(j, &key)) {
                if (JSON_IS(key, "balance"))
                    kraken_number(j, &total);
                else if (JSON_IS(key, "hold_trade"))
                    kraken_number(j, &held);
                else
                    (void)json_skip(j);
            }
        } else {
            kraken_number(j, &total);
        }
        if (j->bad || !kraken_asset_currency(&asset, r.fee_ccy))
            continue;
        bool whole = false;
        r.last_qty = total.s != NULL ? decimal_at_least(total.s, total.n, VALUE_DECIMALS, &whole) : 0;
        r.code = !whole;
        if (held.s != NULL && kraken_decimal(&held, VALUE_DECIMALS, &r.qty))
            r.last_qty = MAX(r.last_qty - r.qty, 0);
        sink->report(sink->ctx, &r);
    }
    if (j->bad)
        kraken_rest_fail(k, "the balances are cut short", 0, false, sink);
    else
        kraken_rest_end(k, VENUE_BALANCES_END, sink);
}

/* The first text of "error"; s NULL: none. *result is the span of "result". False: not one whole JSON object. */
static bool
read_envelope(const uint8_t *body, size_t len, struct json_text *error, struct json_text *result)
{
    struct json_scan j;
    struct json_text key;

    json_init(&j, body, len);
    (void)json_object(&j);
    while (json_key(&j, &key)) {
        if (JSON_IS(key, "error") && json_peek(&j) == JSON_ARRAY) {
            (void)json_array(&j);
            while (json_element(&j)) {
                struct json_text t = { .s = NULL };
                kraken_text(&j, &t);
                if (error->s == NULL && t.s != NULL && t.n > 0 && t.s[0] != 'W') /* warnings begin with W */
                    *error = t;
            }
        } else if (JSON_IS(key, "result")) {
            (void)json_raw(&j, result);
        } else {
            (void)json_skip(&j);
        }
    }
    return json_done(&j);
}

/* The venue wants quiet over HTTP: the first time for seconds, then longer and longer. What goes over the WebSocket
 * goes on: it is counted apart. */
static void
report_quiet(struct kraken_oe *k, const char *text, int32_t code, int64_t wait_ns, struct now now,
             const struct venue_sink *sink)
{
    struct venue_report r = kraken_report(VENUE_RATE_LIMITED, k->rest.kind);

    r.code = code;
    r.venue_time_ns = now.wall.ns + k->clock_offset_ns;
    r.retry_after_ns = r.venue_time_ns + MAX(wait_ns, MIN(wait_ns << k->quiet, KRAKEN_QUIET_MAX_NS));
    k->quiet = (uint8_t)MIN(k->quiet + 1, 8);
    (void)snprintf(r.text, sizeof(r.text), "%s", text);
    sink->report(sink->ctx, &r);
}

/* The last nonce that the venue has seen is above our clock, which was set back, or is of another machine: on from
 * further and further ahead. */
static void
nonce_ahead(struct kraken_oe *k)
{
    static const int64_t ahead_s[] = { 1, 60, 3600, 86400, INT64_C(60) * 86400 };

    k->nonce += (uint64_t)(ahead_s[MIN(k->nonce_refused, ARRAY_LEN(ahead_s) - 1)] * NS_PER_S);
    k->nonce_refused = (uint8_t)MIN(k->nonce_refused + 1, 8);
}

static void
on_error(struct kraken_oe *k, const struct json_text *error, struct now now, const struct venue_sink *sink)
{
    char text[VENUE_TEXT_BYTES];
    int32_t code;
    enum kraken_proof proof = kraken_error_proof(error, &code);
    bool definite = proof == KRAKEN_PROVES_REFUSED;

    kraken_print(error, text, sizeof(text));
    if (proof == KRAKEN_PROVES_RATE || proof == KRAKEN_PROVES_LOCKOUT)
        report_quiet(k, text, code, proof == KRAKEN_PROVES_LOCKOUT ? KRAKEN_LOCKOUT_NS : KRAKEN_QUIET_NS, now, sink);
    else
        k->quiet = 0;
    if (proof == KRAKEN_PROVES_NONCE)
        nonce_ahead(k);
    if (k->rest.stage == KRAKEN_REST_BY_ID &&
        (strcmp(text, "EOrder:Unknown order") == 0 || strcmp(text, "EOrder:Invalid order") == 0)) {
        kraken_rest_end(k, VENUE_NOT_FOUND, sink);
        return;
    }
    kraken_rest_fail(k, text, code, definite, sink);
}

enum decode_result
kraken_rest_decode(struct venue_adapter *a, unsigned status, const uint8_t *body, size_t len, struct now now,
                   const struct venue_sink *sink)
{
    struct kraken_oe *k = (struct kraken_oe *)(void *)a;
    struct json_text error = { .s = NULL };
    struct json_text result = { .s = NULL };
    struct json_scan j;
    char text[64];

    if (k->rest.stage == KRAKEN_REST_IDLE)
        return DECODE_IGNORED;
    bool whole = status != 0 && len > 0 && read_envelope(body, len, &error, &result);
    if (whole && error.s != NULL) {
        on_error(k, &error, now, sink);
        return DECODE_OK;
    }
    if (!whole || status != 200 || result.s == NULL) {
        if (status == 0)
            (void)snprintf(text, sizeof(text), "no answer over HTTP");
        else
            (void)snprintf(text, sizeof(text), "HTTP status %u, %zu bytes that are no answer", status, len);
        if (status == 429 || status == 418 || status == 403)
            report_quiet(k, text, 0, KRAKEN_QUIET_NS, now, sink);
        else if (status >= 500 && status < 600)
            report_quiet(k, text, 0, NS_PER_S, now, sink);
        kraken_rest_fail(k, text, 0, false, sink);
        return status == 0 || whole ? DECODE_OK : DECODE_MALFORMED;
    }
    k->quiet = 0;
    k->nonce_refused = 0;
    json_init(&j, result.s, result.n);
    switch ((enum kraken_rest_stage)k->rest.stage) {
    case KRAKEN_REST_TOKEN: on_token(k, &j, sink); break;
    case KRAKEN_REST_BY_ID:
    case KRAKEN_REST_OPEN:
    case KRAKEN_REST_CLOSED: on_query(k, &j, sink); break;
    case KRAKEN_REST_OPEN_ALL: on_open_orders(k, &j, sink); break;
    case KRAKEN_REST_TRADES: kraken_on_trades(k, &j, sink); break;
    case KRAKEN_REST_BALANCE: on_balances(k, &j, sink); break;
    case KRAKEN_REST_IDLE: break;
    }
    return DECODE_OK;
}
