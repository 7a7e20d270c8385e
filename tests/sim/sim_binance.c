/* The venue's wire protocol: Binance Spot's WebSocket API, written from its documentation (web-socket-api.md,
 * user-data-stream.md, errors.md; seen 2026-07), independent of the adapter under test. Requests are read with jansson
 * and their signatures checked with OpenSSL; answers are text. What goes wrong with a message is decided here. */
#include "tests/sim/sim_text.h"

#include <jansson.h>
#include <openssl/hmac.h>

#define API_KEY "simulatedKey0123456789"
#define SECRET  "simulatedSecret"

static const char *const status_word[V_STATUS_COUNT] = { "NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED" };

/* ---- text -------------------------------------------------------------------------------------------------------- */

static void
put_amount(struct text *t, const char *name, int64_t v)
{
    char text[32];

    put(t, ",\"%s\":\"%s\"", name, amount_text(v, text));
}

/* What every answer says of the budgets; answers about orders of theirs too. Ends the message. */
static void
put_limits(struct sim *s, struct text *t)
{
    if (!s->says_limits) {
        put(t, "}");
        return;
    }
    put(t,
        ",\"rateLimits\":[{\"rateLimitType\":\"REQUEST_WEIGHT\",\"interval\":\"MINUTE\",\"intervalNum\":1,"
        "\"limit\":%lld,\"count\":%lld},{\"rateLimitType\":\"ORDERS\",\"interval\":\"SECOND\",\"intervalNum\":10,"
        "\"limit\":%lld,\"count\":%lld}]}",
        (long long)s->budget[BUDGET_OF_WEIGHT].limit, (long long)budget_used_truth(s, BUDGET_OF_WEIGHT),
        (long long)s->budget[BUDGET_OF_ORDERS].limit, (long long)budget_used_truth(s, BUDGET_OF_ORDERS));
}

static const char *
type_word(const struct vorder *o)
{
    return o->market ? "MARKET" : o->post_only ? "LIMIT_MAKER" : "LIMIT";
}

static long long
ms(int64_t ns)
{
    return (long long)(ns / NS_PER_MS);
}

/* ---- saying ------------------------------------------------------------------------------------------------------ */

/* Break one message: cut, one mark of its syntax changed, or no JSON at all. It stays UTF-8, and no number in it
 * becomes another one. */
static void
spoil(struct sim *s, struct text *t)
{
    static const char marks[] = "{}[]\",:";

    switch (sim_any(s, 3)) {
    case 0: t->len = 1 + (size_t)sim_any(s, t->len - 1); break;
    case 1: {
        size_t at = (size_t)sim_any(s, t->len);
        while (at > 0 && strchr(marks, t->at[at]) == NULL)
            at--;
        t->at[at] = marks[sim_any(s, sizeof(marks) - 1)];
        break;
    }
    default: t->len = (size_t)snprintf(t->at, SAY_MAX, "<html>502 Bad Gateway</html>"); break;
    }
}

static char buffer[SAY_MAX];

static void
answer(struct sim *s, uint32_t wire, struct text *t)
{
    if (sim_fate(s, FATE_reply_lost))
        return;
    if (sim_fate(s, FATE_reply_unreadable)) {
        spoil(s, t);
        s->say_ban = 0;
    }
    bool late;
    int64_t delay = sim_answer_delay(s, &late);
    wire_say(s, wire, t->at, t->len, delay, late);
    if (sim_fate(s, FATE_reply_twice))
        wire_say(s, wire, t->at, t->len, sim_delay(s, true), true);
}

static void
refuse(struct sim *s, uint32_t wire, const char *id, int status, int code, const char *msg)
{
    struct text t = { .at = buffer };

    put(&t, "{\"id\":\"%s\",\"status\":%d,\"error\":{\"code\":%d,\"msg\":\"%s\"}", id, status, code, msg);
    put_limits(s, &t);
    answer(s, wire, &t);
}

/* ---- the private stream ------------------------------------------------------------------------------------------ */

static void
stream(struct sim *s, struct text *t, uint32_t mine, bool twin)
{
    for (uint32_t c = 0; c < GATEWAY_CONNS; c++) {
        uint32_t w = s->core.wire[c];
        if (w == SIM_NONE || !s->wire[w].subscribed || !s->wire[w].venue_up || c % 2 != CONN_ROLE_ORDER)
            continue;
        if (sim_fate(s, FATE_event_lost)) {
            sim_trace(s, "venue: omits a report");
            continue;
        }
        bool spoilt = sim_fate(s, FATE_event_unreadable);
        if (spoilt)
            spoil(s, t);
        s->say_twin = twin && !spoilt;
        if (mine != SIM_NONE)
            s->oracle.mine[mine].told_wire = w;
        bool late = sim_fate(s, FATE_event_late);
        wire_say(s, w, t->at, t->len, sim_delay(s, late), late);
        if (sim_fate(s, FATE_event_twice))
            wire_say(s, w, t->at, t->len, sim_delay(s, true), true);
        if (sim_fate(s, FATE_old_event_again))
            wire_say(s, w, t->at, t->len, sim_between(s, 1, 40) * NS_PER_S, true);
        s->say_twin = false;
    }
}

void
binance_execution(struct sim *s, const struct vorder *o, const char *type, uint32_t trade, const char *by)
{
    struct text t = { .at = buffer };
    const struct vtrade *tr = trade == SIM_NONE ? NULL : &s->venue.trade[trade];
    bool canceled = strcmp(type, "CANCELED") == 0;

    if (o->dark && !s->quiet)
        return;
    put(&t, "{\"subscriptionId\":0,\"event\":{\"e\":\"executionReport\",\"E\":%lld,\"s\":\"%s\",\"c\":\"%s\"",
        ms(venue_clock(s)), s->price[o->symbol].symbol, canceled ? (by[0] != '\0' ? by : "auto1") : o->clordid);
    put(&t, ",\"S\":\"%s\",\"o\":\"%s\",\"f\":\"%s\"", o->side == SIDE_BUY ? "BUY" : "SELL", type_word(o),
        o->market ? "GTC" : o->tif);
    put_amount(&t, "q", o->qty);
    put_amount(&t, "p", o->px);
    put(&t, ",\"P\":\"0.00000000\",\"F\":\"0.00000000\",\"g\":-1,\"C\":\"%s\",\"x\":\"%s\",\"X\":\"%s\",\"r\":\"NONE\"",
        canceled ? o->clordid : "", type, status_word[o->status]);
    put(&t, ",\"i\":%lld", (long long)o->id);
    put_amount(&t, "l", tr != NULL ? tr->qty : 0);
    put_amount(&t, "z", o->cum);
    put_amount(&t, "L", tr != NULL ? tr->px : 0);
    put_amount(&t, "n", tr != NULL ? tr->fee : 0);
    if (tr != NULL)
        put(&t, ",\"N\":\"%s\"", tr->fee_ccy);
    else
        put(&t, ",\"N\":null");
    put(&t, ",\"T\":%lld,\"t\":%lld,\"I\":%lld,\"w\":%s,\"m\":%s,\"M\":%s,\"O\":%lld", ms(venue_clock(s)),
        tr != NULL ? (long long)tr->id : -1LL, (long long)s->venue.next_execution++, vorder_open(o) ? "true" : "false",
        tr != NULL && tr->maker ? "true" : "false", tr != NULL ? "true" : "false", ms(o->made_ns));
    put_amount(&t, "Z", o->quote);
    put_amount(&t, "Y", tr != NULL ? (int64_t)((__int128)tr->px * tr->qty / SIM_VENUE_ONE) : 0);
    put(&t, ",\"Q\":\"0.00000000\",\"W\":%lld,\"V\":\"NONE\"}}", ms(o->made_ns));
    stream(s, &t, o->mine, foreign_shows(s, o));
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

struct call {
    struct sim *s;
    uint32_t wire;
    const char *id;
    json_t *params;
};

static const char *
param(const struct call *c, const char *name)
{
    const char *v = json_string_value(json_object_get(c->params, name));
    return v != NULL ? v : "";
}

static int64_t
param_number(const struct call *c, const char *name)
{
    return json_integer_value(json_object_get(c->params, name));
}

static uint32_t
symbol_find(const struct sim *s, const char *name)
{
    for (uint32_t i = 0; i < SIM_SYMBOLS; i++)
        if (strcmp(s->price[i].symbol, name) == 0)
            return i;
    return SIM_NONE;
}

/* All parameters but the signature, by name, joined: what is signed. */
static void
check_signature(const struct call *c)
{
    const char *name[32];
    char text[2048];
    char hex[65];
    uint8_t mac[32];
    unsigned n = 0;
    size_t len = 0;
    const char *key;
    json_t *v;

    json_object_foreach(c->params, key, v)
    {
        if (strcmp(key, "signature") == 0)
            continue;
        ASSERT(n < ARRAY_LEN(name));
        unsigned at = n++;
        for (; at > 0 && strcmp(name[at - 1], key) > 0; at--)
            name[at] = name[at - 1];
        name[at] = key;
    }
    for (unsigned i = 0; i < n; i++) {
        v = json_object_get(c->params, name[i]);
        if (json_is_string(v))
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s=%s", i > 0 ? "&" : "", name[i],
                                    json_string_value(v));
        else
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s=%lld", i > 0 ? "&" : "", name[i],
                                    (long long)json_integer_value(v));
    }
    unsigned mac_len = sizeof(mac);
    (void)HMAC(EVP_sha256(), SECRET, (int)strlen(SECRET), (const uint8_t *)text, len, mac, &mac_len);
    for (unsigned i = 0; i < 32; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", mac[i]);
    if (strcmp(param(c, "signature"), hex) != 0 || strcmp(param(c, "apiKey"), API_KEY) != 0)
        sim_fail(c->s, "a request is signed wrongly: %s", text);
}

static void
put_order(const struct sim *s, struct text *t, const struct vorder *o, const char *id_name)
{
    put(t, "{\"symbol\":\"%s\",\"orderId\":%lld,\"orderListId\":-1,\"%s\":\"%s\"", s->price[o->symbol].symbol,
        (long long)o->id, id_name, o->clordid);
    put_amount(t, "price", o->px);
    put_amount(t, "origQty", o->qty);
    put_amount(t, "executedQty", o->cum);
    put_amount(t, "cummulativeQuoteQty", o->quote);
    put(t, ",\"status\":\"%s\",\"timeInForce\":\"%s\",\"type\":\"%s\",\"side\":\"%s\"", status_word[o->status],
        o->market ? "GTC" : o->tif, type_word(o), o->side == SIDE_BUY ? "BUY" : "SELL");
}

/* The answer to a new order, FULL. */
static void
put_placed(const struct sim *s, struct text *t, const struct vorder *o)
{
    put_order(s, t, o, "clientOrderId");
    put(t, ",\"transactTime\":%lld,\"workingTime\":%lld,\"selfTradePreventionMode\":\"NONE\",\"fills\":[",
        ms(o->made_ns), ms(o->made_ns));
    for (uint32_t i = o->first_trade; i != SIM_NONE; i = s->venue.trade[i].next) {
        const struct vtrade *tr = &s->venue.trade[i];
        char px[32];
        char qty[32];
        char fee[32];
        put(t, "%s{\"price\":\"%s\",\"qty\":\"%s\",\"commission\":\"%s\",\"commissionAsset\":\"%s\",\"tradeId\":%lld}",
            i != o->first_trade ? "," : "", amount_text(tr->px, px), amount_text(tr->qty, qty),
            amount_text(tr->fee, fee), tr->fee_ccy, (long long)tr->id);
    }
    put(t, "]}");
}

static void
put_canceled(const struct sim *s, struct text *t, const struct vorder *o, const char *by)
{
    put_order(s, t, o, "origClientOrderId");
    put(t, ",\"clientOrderId\":\"%s\",\"transactTime\":%lld,\"selfTradePreventionMode\":\"NONE\"}", by,
        ms(o->changed_ns));
}

static struct text
answer_begin(const struct call *c)
{
    struct text t = { .at = buffer };

    put(&t, "{\"id\":\"%s\",\"status\":200,\"result\":", c->id);
    return t;
}

static void
answer_end(const struct call *c, struct text *t)
{
    put_limits(c->s, t);
    answer(c->s, c->wire, t);
}

/* ---- new orders -------------------------------------------------------------------------------------------------- */

/* Reads a new order's parameters. False: the venue refuses it, why says. */
static bool
new_read(const struct call *c, struct vrequest *rq, const char **why)
{
    struct sim *s = c->s;

    *rq = (struct vrequest){ .clordid = param(c, "newClientOrderId"), .ours = true };
    rq->symbol = symbol_find(s, param(c, "symbol"));
    if (rq->symbol == SIM_NONE)
        sim_fail(s, "an order for a symbol that does not exist: %s", param(c, "symbol"));
    const struct price *p = &s->price[rq->symbol];
    bool limit = strcmp(param(c, "type"), "MARKET") != 0;
    rq->market = !limit;
    rq->post_only = strcmp(param(c, "type"), "LIMIT_MAKER") == 0;
    rq->side = strcmp(param(c, "side"), "BUY") == 0 ? SIDE_BUY : SIDE_SELL;
    (void)snprintf(rq->tif, sizeof(rq->tif), "%.3s", rq->post_only || !limit ? "GTC" : param(c, "timeInForce"));
    if (!amount_read(param(c, "quantity"), &rq->qty) || rq->qty <= 0 ||
        (limit && (!amount_read(param(c, "price"), &rq->px) || rq->px <= 0)))
        sim_fail(s, "an order whose numbers cannot be read: quantity \"%s\" price \"%s\"", param(c, "quantity"),
                 param(c, "price"));
    int64_t unit = SIM_VENUE_ONE;
    for (unsigned i = 0; i < p->px_decimals; i++)
        unit /= 10;
    *why = "Filter failure: PRICE_FILTER";
    if (limit && rq->px % (unit * p->tick) != 0)
        return false;
    *why = "Market is closed.";
    if (p->status != INSTRUMENT_TRADING)
        return false;
    *why = "Account has insufficient balance for requested action.";
    return !sim_fate(s, FATE_reject);
}

static bool
open_with_id(struct sim *s, uint32_t symbol, const char *clordid)
{
    struct vorder *o = ledger_find(s, symbol, 0, clordid);
    return o != NULL && vorder_open(o);
}

static void
call_place(const struct call *c)
{
    struct sim *s = c->s;
    struct vrequest rq;
    const char *why;

    if (!new_read(c, &rq, &why)) {
        ledger_refused(s, rq.clordid);
        refuse(s, c->wire, c->id, 400, strncmp(why, "Filter", 6) == 0 ? -1013 : -2010, why);
        return;
    }
    if (open_with_id(s, rq.symbol, rq.clordid)) {
        refuse(s, c->wire, c->id, 400, -2010, "Duplicate order sent.");
        return;
    }
    const struct vorder *o = ledger_place_all(s, &rq);
    if (o->dark && !s->quiet)
        return;
    struct text t = answer_begin(c);
    put_placed(s, &t, o);
    answer_end(c, &t);
}

/* ---- cancels ----------------------------------------------------------------------------------------------------- */

static struct vorder *
cancel_target(const struct call *c, const char *id_param, const char *clordid_param)
{
    struct sim *s = c->s;
    uint32_t symbol = symbol_find(s, param(c, "symbol"));
    int64_t id = param_number(c, id_param);

    if (symbol == SIM_NONE)
        sim_fail(s, "a cancel for a symbol that does not exist: %s", param(c, "symbol"));
    struct vorder *o = ledger_find(s, symbol, id, param(c, clordid_param));
    if (o != NULL && param(c, clordid_param)[0] != '\0' && strcmp(o->clordid, param(c, clordid_param)) != 0)
        sim_fail(s, "a cancel names order %lld and %s, which are two orders", (long long)id, param(c, clordid_param));
    ledger_meanwhile(s, o);
    return o != NULL && vorder_open(o) ? o : NULL;
}

static void
call_cancel(const struct call *c)
{
    struct vorder *o = cancel_target(c, "orderId", "origClientOrderId");

    if (o == NULL) {
        refuse(c->s, c->wire, c->id, 400, -2011, "Unknown order sent.");
        return;
    }
    ledger_end(c->s, o, V_CANCELED, "cancelid1");
    struct text t = answer_begin(c);
    put_canceled(c->s, &t, o, "cancelid1");
    answer_end(c, &t);
}

/* STOP_ON_FAILURE: the new order is only tried when the cancel has worked. */
static void
call_replace(const struct call *c)
{
    struct sim *s = c->s;
    struct vrequest rq;
    const char *why;
    struct text t = { .at = buffer };

    if (strcmp(param(c, "cancelReplaceMode"), "STOP_ON_FAILURE") != 0)
        sim_fail(s, "a cancel-replace that goes on after a failure: it could place two orders");
    struct vorder *old = cancel_target(c, "cancelOrderId", "cancelOrigClientOrderId");
    bool takes = new_read(c, &rq, &why);
    bool only_new = strcmp(param(c, "cancelRestrictions"), "ONLY_NEW") == 0;
    if (old != NULL && only_new && old->cum > 0)
        old = NULL;
    if (old == NULL) {
        ledger_refused(s, rq.clordid);
        put(&t,
            "{\"id\":\"%s\",\"status\":400,\"error\":{\"code\":-2022,\"msg\":\"Order cancel-replace "
            "failed.\",\"data\":{"
            "\"cancelResult\":\"FAILURE\",\"newOrderResult\":\"NOT_ATTEMPTED\",\"cancelResponse\":{\"code\":-2011,"
            "\"msg\":\"%s\"},\"newOrderResponse\":null}}",
            c->id, only_new ? "Order was not canceled due to cancel restrictions." : "Unknown order sent.");
        answer_end(c, &t);
        return;
    }
    ledger_end(s, old, V_CANCELED, "cancelid2");
    if (!takes) {
        ledger_refused(s, rq.clordid);
        put(&t,
            "{\"id\":\"%s\",\"status\":409,\"error\":{\"code\":-2021,\"msg\":\"Order cancel-replace partially "
            "failed.\",\"data\":{\"cancelResult\":\"SUCCESS\",\"newOrderResult\":\"FAILURE\",\"cancelResponse\":",
            c->id);
        put_canceled(s, &t, old, "cancelid2");
        put(&t, ",\"newOrderResponse\":{\"code\":%d,\"msg\":\"%s\"}}}", strncmp(why, "Filter", 6) == 0 ? -1013 : -2010,
            why);
        answer_end(c, &t);
        return;
    }
    const struct vorder *o = ledger_place_all(s, &rq);
    if (o->dark && !s->quiet)
        return;
    t.len = 0; /* the reports above used the buffer */
    put(&t, "{\"id\":\"%s\",\"status\":200,\"result\":{\"cancelResult\":\"SUCCESS\",\"newOrderResult\":\"SUCCESS\"",
        c->id);
    put(&t, ",\"cancelResponse\":");
    put_canceled(s, &t, old, "cancelid2");
    put(&t, ",\"newOrderResponse\":");
    put_placed(s, &t, o);
    put(&t, "}");
    answer_end(c, &t);
}

/* ---- queries ----------------------------------------------------------------------------------------------------- */

static bool
query_fails(const struct call *c)
{
    if (!sim_fate(c->s, FATE_list_fails))
        return false;
    refuse(c->s, c->wire, c->id, 500, -1000, "An unknown error occurred while processing the request.");
    return true;
}

static void
put_status(const struct sim *s, struct text *t, const struct vorder *o)
{
    put_order(s, t, o, "clientOrderId");
    put(t,
        ",\"stopPrice\":\"0.00000000\",\"icebergQty\":\"0.00000000\",\"time\":%lld,\"updateTime\":%lld,"
        "\"isWorking\":true,\"workingTime\":%lld,\"origQuoteOrderQty\":\"0.00000000\"}",
        ms(o->made_ns), ms(o->changed_ns), ms(o->made_ns));
}

static void
call_status(const struct call *c)
{
    struct sim *s = c->s;
    uint32_t symbol = symbol_find(s, param(c, "symbol"));

    if (symbol == SIM_NONE)
        sim_fail(s, "a query for a symbol that does not exist: %s", param(c, "symbol"));
    if (query_fails(c))
        return;
    struct vorder *o = ledger_find(s, symbol, param_number(c, "orderId"), param(c, "origClientOrderId"));
    bool dark = ledger_dark(s, param(c, "origClientOrderId")) && !s->quiet;
    ledger_asked(s, o);
    /* An order that is over and has traded may be on its way to the archive: only its trades tell of it. */
    bool blind =
        o != NULL && !vorder_open(o) && o->cum > 0 && (sim_fate(s, FATE_archive) || (dark && sim_any(s, 2) == 0));
    s->say_slow = dark && sim_any(s, 2) == 0;
    if (o == NULL || o->shown_ns > venue_clock(s) || blind) {
        refuse(s, c->wire, c->id, 400, -2013, "Order does not exist.");
        s->say_slow = false;
        return;
    }
    struct text t = answer_begin(c);
    put_status(s, &t, o);
    answer_end(c, &t);
    s->say_slow = false;
}

static void
call_open_orders(const struct call *c)
{
    struct sim *s = c->s;
    const struct ledger *l = &s->venue;
    bool first = true;

    if (query_fails(c))
        return;
    struct text t = answer_begin(c);
    put(&t, "[");
    for (uint32_t i = 0; i < l->opens; i++) {
        const struct vorder *o = &l->order[l->open[i]];
        if (o->shown_ns > venue_clock(s))
            continue;
        if (o->mine != SIM_NONE && s->wire[c->wire].venue_up) /* not when the request was late and its wire is gone */
            s->oracle.mine[o->mine].listed_wire = c->wire;
        put(&t, "%s", first ? "" : ",");
        put_status(s, &t, o);
        first = false;
    }
    put(&t, "]");
    answer_end(c, &t);
}

/* What myTrades asks for. */
struct trades_asked {
    uint32_t symbol;
    int64_t order;    /* 0 any */
    int64_t since_ns; /* venue clock */
    int64_t from;     /* trade id */
};

static bool
trade_meant(const struct sim *s, const struct vtrade *tr, const struct trades_asked *q)
{
    const struct vorder *o = &s->venue.order[tr->order];

    return o->symbol == q->symbol && (q->order == 0 || o->id == q->order) && tr->id >= q->from &&
           tr->at_ns / NS_PER_MS * NS_PER_MS >= q->since_ns && tr->shown_ns <= venue_clock(s);
}

/* The oldest that are meant; of a symbol without any bound, the newest. */
static void
call_trades(const struct call *c)
{
    struct sim *s = c->s;
    const struct ledger *l = &s->venue;
    struct trades_asked q = { .symbol = symbol_find(s, param(c, "symbol")),
                              .order = param_number(c, "orderId"),
                              .since_ns = param_number(c, "startTime") * NS_PER_MS,
                              .from = param_number(c, "fromId") };
    int64_t left = param_number(c, "limit");
    int64_t skip = 0;
    bool first = true;

    if (query_fails(c))
        return;
    if (left == 0)
        left = 500;
    if (q.from > 0 && q.order == 0 && sim_fate(s, FATE_page_again))
        q.from = MAX(q.from - left, 0);
    if (q.order == 0 && q.since_ns == 0 && json_object_get(c->params, "fromId") == NULL) {
        for (uint32_t i = 0; i < l->trades; i++)
            skip += trade_meant(s, &l->trade[i], &q);
        skip = skip > left ? skip - left : 0;
    }
    struct text t = answer_begin(c);
    put(&t, "[");
    for (uint32_t i = 0; i < l->trades && left > 0 && t.len < SAY_MAX - 1024; i++) {
        const struct vtrade *tr = &l->trade[i];
        const struct vorder *o = &l->order[tr->order];
        char px[32];
        char qty[32];
        char quote[32];
        char fee[32];
        if (!trade_meant(s, tr, &q) || skip-- > 0)
            continue;
        put(&t,
            "%s{\"symbol\":\"%s\",\"id\":%lld,\"orderId\":%lld,\"orderListId\":-1,\"price\":\"%s\",\"qty\":\"%s\","
            "\"quoteQty\":\"%s\",\"commission\":\"%s\",\"commissionAsset\":\"%s\",\"time\":%lld,\"isBuyer\":%s,"
            "\"isMaker\":%s,\"isBestMatch\":true}",
            first ? "" : ",", s->price[q.symbol].symbol, (long long)tr->id, (long long)o->id, amount_text(tr->px, px),
            amount_text(tr->qty, qty), amount_text((int64_t)((__int128)tr->px * tr->qty / SIM_VENUE_ONE), quote),
            amount_text(tr->fee, fee), tr->fee_ccy, ms(tr->at_ns), o->side == SIDE_BUY ? "true" : "false",
            tr->maker ? "true" : "false");
        first = false;
        left--;
    }
    put(&t, "]");
    answer_end(c, &t);
}

/* More of everything than can be traded: the core under test is not given the means to compare, and what it holds must
 * not deny the orders that the faults are to meet. */
static void
call_account(const struct call *c)
{
    static const char *const coin[] = { "BTC", "ETH", "USDT" };

    if (query_fails(c))
        return;
    struct text t = answer_begin(c);
    put(&t, "{\"updateTime\":%lld,\"balances\":[", ms(venue_clock(c->s)));
    for (unsigned i = 0; i < ARRAY_LEN(coin); i++)
        put(&t, "%s{\"asset\":\"%s\",\"free\":\"1000000000.00000000\",\"locked\":\"0.00000000\"}", i == 0 ? "" : ",",
            coin[i]);
    put(&t, "]}");
    answer_end(c, &t);
}

static void
call_time(const struct call *c)
{
    struct text t = answer_begin(c);

    put(&t, "{\"serverTime\":%lld}", ms(venue_clock(c->s)));
    answer_end(c, &t);
}

static void
call_stream(const struct call *c)
{
    struct text t = answer_begin(c);

    c->s->wire[c->wire].subscribed = true;
    put(&t, "{\"subscriptionId\":0}");
    answer_end(c, &t);
}

static void
call_ping(const struct call *c)
{
    struct text t = answer_begin(c);

    put(&t, "{}");
    answer_end(c, &t);
}

/* ---- at the door ------------------------------------------------------------------------------------------------- */

static const struct method {
    const char *name;
    void (*run)(const struct call *c);
    bool is_signed;
    bool orders; /* changes orders */
    unsigned weight;
    unsigned places;
} methods[] = {
    { "time", call_time, false, false, 1, 0 },
    { "ping", call_ping, false, false, 1, 0 },
    { "userDataStream.subscribe.signature", call_stream, true, false, 2, 0 },
    { "order.place", call_place, true, true, 1, 1 },
    { "order.cancel", call_cancel, true, true, 1, 0 },
    { "order.cancelReplace", call_replace, true, true, 1, 1 },
    { "order.status", call_status, true, false, 4, 0 },
    { "openOrders.status", call_open_orders, true, false, 80, 0 },
    { "myTrades", call_trades, true, false, 20, 0 },
    { "account.status", call_account, true, false, 20, 0 },
};

static const struct method *
method_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (strcmp(methods[i].name, name) == 0)
            return &methods[i];
    return NULL;
}

/* 429 or 418 with the time from which requests are taken again. */
static void
ban(struct sim *s, uint32_t wire, const char *id, bool begins)
{
    struct ledger *l = &s->venue;
    struct text t = { .at = buffer };
    int status = sim_any(s, 3) == 0 ? 418 : 429;

    if (begins)
        l->banned_until_ns = (venue_clock(s) / NS_PER_MS + sim_between(s, 200, 15000)) * NS_PER_MS;
    sim_trace(s, "venue: %d until %lld ms from now", status, ms(l->banned_until_ns - venue_clock(s)));
    put(&t,
        "{\"id\":\"%s\",\"status\":%d,\"error\":{\"code\":-1003,\"msg\":\"Too many requests.\",\"data\":{"
        "\"serverTime\":%lld,\"retryAfter\":%lld}}",
        id, status, ms(venue_clock(s)), ms(l->banned_until_ns));
    put_limits(s, &t);
    s->say_ban = l->banned_until_ns;
    answer(s, wire, &t);
    s->say_ban = 0;
}

static void
unknown_outcome(struct sim *s, uint32_t wire, const char *id)
{
    static const struct {
        int status;
        int code;
        const char *msg;
    } row[] = {
        { 500, -1007,
          "Timeout waiting for response from backend server. Send status unknown; execution status unknown." },
        { 500, -1006, "An unexpected response was received from the message bus. Execution status unknown." },
        { 500, -1000, "An unknown error occurred while processing the request." },
        { 503, -1008, "Server is currently overloaded with other requests. Please try again in a few minutes." },
        { 400, -1007,
          "Timeout waiting for response from backend server. Send status unknown; execution status unknown." },
    };
    size_t i = (size_t)sim_any(s, ARRAY_LEN(row));

    refuse(s, wire, id, row[i].status, row[i].code, row[i].msg);
}

/* The request has reached the matching engine: its time is checked here for the last time. */
void
binance_request(struct sim *s, uint32_t wire, const char *text, size_t len)
{
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);

    struct call c = { .s = s, .wire = wire, .id = json_string_value(json_object_get(root, "id")) };
    const struct method *m = method_find(json_string_value(json_object_get(root, "method")));
    c.params = json_object_get(root, "params");
    int64_t stamp = param_number(&c, "timestamp") * NS_PER_MS;
    int64_t window = param_number(&c, "recvWindow") * NS_PER_MS;
    if (window == 0)
        window = 5 * NS_PER_S;
    if (m->is_signed &&
        (stamp > venue_clock(s) + NS_PER_S || venue_clock(s) / NS_PER_MS * NS_PER_MS > stamp + window)) {
        if (m->orders)
            ledger_refused(s, param(&c, "newClientOrderId"));
        refuse(s, wire, c.id, 400, -1021, "Timestamp for this request is outside of the recvWindow.");
    } else if (m->orders && sim_fate(s, FATE_unknown_done)) {
        uint32_t lost = s->fate[FATE_reply_lost];
        s->fate[FATE_reply_lost] = 1000; /* its own answer is not sent; the other is */
        m->run(&c);
        s->fate[FATE_reply_lost] = lost;
        unknown_outcome(s, wire, c.id);
    } else {
        m->run(&c);
    }
    json_decref(root);
}

void
binance_message(struct sim *s, uint32_t wire, const char *text, size_t len)
{
    if (s->wire[wire].conn % 2 == CONN_ROLE_MARKET) {
        s->wire[wire].subscribed = true;
        char reply[64];
        json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
        int n = snprintf(reply, sizeof(reply), "{\"result\":null,\"id\":%lld}",
                         (long long)json_integer_value(json_object_get(root, "id")));
        json_decref(root);
        wire_say(s, wire, reply, (size_t)n, NS_PER_MS, false);
        return;
    }
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    const char *id = json_string_value(json_object_get(root, "id"));
    const char *name = json_string_value(json_object_get(root, "method"));
    const struct method *m = name != NULL ? method_find(name) : NULL;
    struct call c = { .s = s, .wire = wire, .id = id, .params = json_object_get(root, "params") };
    if (id == NULL || name == NULL)
        sim_fail(s, "a request that is none: %.200s", text);
    if (m == NULL) {
        refuse(s, wire, id, 400, -1020, "This operation is not supported.");
        json_decref(root);
        return;
    }
    if (m->is_signed)
        check_signature(&c);
    sim_trace(s, "venue: %s %s %s arrives", name, id, param(&c, "newClientOrderId"));
    bool affords = budget_take(s, BUDGET_OF_WEIGHT, m->weight);
    affords &= budget_take(s, BUDGET_OF_ORDERS, m->places);
    if (m->run == call_status || m->run == call_trades || m->run == call_account)
        budget_leaves(s);
    if (s->venue.banned_until_ns > venue_clock(s)) {
        if (m->orders)
            ledger_refused(s, param(&c, "newClientOrderId"));
        ban(s, wire, id, false);
    } else if (!affords) {
        if (m->orders)
            ledger_refused(s, param(&c, "newClientOrderId"));
        ban(s, wire, id, true);
    } else if (sim_fate(s, FATE_limited)) {
        if (m->orders)
            ledger_refused(s, param(&c, "newClientOrderId"));
        ban(s, wire, id, true);
    } else if (m->orders && sim_fate(s, FATE_request_lost)) {
        sim_trace(s, "venue: and is lost");
    } else if (m->orders && sim_fate(s, FATE_unknown_undone)) {
        unknown_outcome(s, wire, id);
    } else {
        bool dark = m->places > 0 && ledger_dark(s, param(&c, "newClientOrderId")) && sim_any(s, 2) == 0;
        int64_t late =
            dark || sim_fate(s, FATE_request_late) ? (int64_t)sim_any(s, (uint64_t)s->recv_window_ns + NS_PER_S) : 0;
        if (late == 0) {
            json_decref(root);
            binance_request(s, wire, text, len);
            return;
        }
        sim_at(s, s->t + late, EV_REQUEST, wire, 0, text, (uint32_t)len);
    }
    json_decref(root);
}

/* ---- what leaves the core ---------------------------------------------------------------------------------------- */

static void
peek_new(struct sim *s, const struct call *c, struct out *o)
{
    struct mine *m = check_find(s, param(c, "newClientOrderId"));
    int64_t qty;
    int64_t px = 0;

    if (m == NULL)
        sim_fail(s, "order %s leaves the core and is not in the journal", param(c, "newClientOrderId"));
    uint32_t symbol = symbol_find(s, param(c, "symbol"));
    if (!amount_read(param(c, "quantity"), &qty) ||
        (param(c, "price")[0] != '\0' && !amount_read(param(c, "price"), &px)))
        sim_fail(s, "order %s: quantity \"%s\", price \"%s\" cannot be read", m->clordid, param(c, "quantity"),
                 param(c, "price"));
    bool buy = strcmp(param(c, "side"), "BUY") == 0;
    if (qty != m->qty || (px != m->px && m->type != ORDER_MARKET) || buy != (m->side == SIDE_BUY) ||
        symbol != m->symbol)
        sim_fail(s, "order %s leaves the core as another one than the journal says", m->clordid);
    o->kind = OUT_NEW;
    o->mine = (uint32_t)(m - s->oracle.mine);
    o->until_ns = (param_number(c, "timestamp") + param_number(c, "recvWindow")) * NS_PER_MS + NS_PER_MS;
}

void
binance_peek(struct sim *s, const char *text, size_t len, struct out *o)
{
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    const char *name = json_string_value(json_object_get(root, "method"));
    struct call c = { .s = s, .params = json_object_get(root, "params") };

    o->kind = OUT_OTHER;
    o->mine = SIM_NONE;
    if (name == NULL)
        sim_fail(s, "the core sends something that is no request: %.200s", text);
    if (strcmp(name, "order.place") == 0 || strcmp(name, "order.cancelReplace") == 0) {
        peek_new(s, &c, o);
    } else if (strcmp(name, "order.status") == 0) {
        struct mine *m = check_find(s, param(&c, "origClientOrderId"));
        if (m != NULL)
            m->asked_wire = o->wire;
    } else if (strcmp(name, "myTrades") == 0 && param_number(&c, "orderId") != 0) {
        const struct vorder *v = ledger_find(s, symbol_find(s, param(&c, "symbol")), param_number(&c, "orderId"), "");
        if (v != NULL && v->mine != SIM_NONE)
            s->oracle.mine[v->mine].asked_wire = o->wire;
    } else if (strcmp(name, "order.cancel") == 0) {
        const char *clordid = param(&c, "origClientOrderId");
        struct mine *m = check_find(s, clordid);
        const struct vorder *v =
            ledger_find(s, symbol_find(s, param(&c, "symbol")), param_number(&c, "orderId"), clordid);
        if (m == NULL && !foreign_cancelable(s, v, clordid))
            sim_fail(s, "a cancel of %s, which is not ours", clordid);
        o->kind = m != NULL ? OUT_CANCEL : OUT_OTHER;
        o->mine = m != NULL ? (uint32_t)(m - s->oracle.mine) : SIM_NONE;
    }
    json_decref(root);
}
