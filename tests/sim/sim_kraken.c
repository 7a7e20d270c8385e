/* The other dialect: Kraken Spot, WebSocket v2 for orders and the executions channel, REST for what that does not
 * answer. Written from docs.kraken.com (seen 2026-08), independent of the adapter under test; orders are amended in
 * place, ids are text, the channel is numbered. */
#include "tests/sim/sim_text.h"

#include "execgw/rfc3339.h"

#include <jansson.h>
#include <math.h>

#define REST_PAGE 50

static char buffer[SAY_MAX];

static void
put_time(struct text *t, const char *name, int64_t ns)
{
    char text[40];
    size_t n = (size_t)rfc3339_format(text, ns);

    put(t, ",\"%s\":\"%.*s\"", name, (int)n, text);
}

static const char *
order_id(const struct vorder *o, char out[24])
{
    (void)snprintf(out, 24, "OSIM%02u-%05lld-SIMSIM", o->symbol, (long long)o->id);
    return out;
}

static struct vorder *
order_of_id(struct sim *s, const char *text)
{
    unsigned symbol;
    long long id;

    if (text == NULL || sscanf(text, "OSIM%02u-%05lld-", &symbol, &id) != 2)
        return NULL;
    return ledger_find(s, symbol, id, "");
}

static struct vorder *
order_of_clordid(struct sim *s, const char *clordid)
{
    for (uint32_t i = 0; i < SIM_SYMBOLS && clordid != NULL; i++) {
        struct vorder *o = ledger_find(s, i, 0, clordid);
        if (o != NULL)
            return o;
    }
    return NULL;
}

/* ---- saying ------------------------------------------------------------------------------------------------------ */

static void
answer(struct sim *s, uint32_t wire, struct text *t, bool late, int64_t delay)
{
    if (sim_fate(s, FATE_reply_lost))
        return;
    if (sim_fate(s, FATE_reply_unreadable))
        t->len = 1 + (size_t)sim_any(s, t->len - 1);
    wire_say(s, wire, t->at, t->len, delay, late);
    if (sim_fate(s, FATE_reply_twice))
        wire_say(s, wire, t->at, t->len, sim_delay(s, true), true);
}

struct call {
    struct sim *s;
    uint32_t wire;
    const char *method;
    long long req_id;
    json_t *params;
};

static const char *
param(const struct call *c, const char *name)
{
    json_t *v = json_object_get(c->params, name);
    return json_is_array(v) ? json_string_value(json_array_get(v, 0)) : json_string_value(v);
}

/* A JSON number as a count of 10^-8: doubles hold more digits than our amounts have. */
static int64_t
param_amount(const struct call *c, const char *name)
{
    return (int64_t)llround(json_number_value(json_object_get(c->params, name)) * 1e8);
}

/* One that is late was late to leave the venue, or on its way: its time says which. */
static void
end_answer(const struct call *c, struct text *t)
{
    struct sim *s = c->s;
    bool late;
    int64_t delay = sim_answer_delay(s, &late);

    put_time(t, "time_in", venue_clock(s));
    put_time(t, "time_out", venue_clock(s) + (late && sim_any(s, 2) == 0 ? delay : 0));
    put(t, ",\"req_id\":%lld}", c->req_id);
    answer(s, c->wire, t, late, delay);
}

static void
refuse(const struct call *c, const char *error)
{
    struct text t = { .at = buffer };

    put(&t, "{\"error\":\"%s\",\"method\":\"%s\",\"success\":false", error, c->method);
    end_answer(c, &t);
}

/* ---- the executions channel -------------------------------------------------------------------------------------- */

static void
put_execution(const struct sim *s, struct text *t, const struct vorder *o, const char *type, const struct vtrade *tr,
              bool sparse)
{
    static const char *const status[V_STATUS_COUNT] = { "new", "partially_filled", "filled", "canceled", "expired" };
    const struct price *p = &s->price[o->symbol];
    char id[24];
    char a[32];
    bool whole = tr == NULL && (strcmp(type, "new") == 0 || strcmp(type, "amended") == 0);

    put(t, "{\"order_id\":\"%s\",\"exec_type\":\"%s\",\"order_status\":\"%s\"", order_id(o, id), type,
        tr != NULL && o->status == V_FILLED ? "partially_filled" : status[o->status]);
    if (!sparse)
        put(t, ",\"cum_qty\":%s", amount_text(o->cum, a));
    if (whole) {
        put(t, ",\"cl_ord_id\":\"%s\",\"symbol\":\"%s\",\"side\":\"%s\",\"order_qty\":%s", o->clordid, p->symbol,
            o->side == SIDE_BUY ? "buy" : "sell", amount_text(o->qty, a));
        if (!o->market)
            put(t, ",\"limit_price\":%s", amount_text(o->px, a));
    }
    if (tr != NULL) {
        put(t, ",\"symbol\":\"%s\",\"side\":\"%s\",\"trade_id\":%lld,\"exec_id\":\"T%lld\"", p->symbol,
            o->side == SIDE_BUY ? "buy" : "sell", (long long)tr->id, (long long)tr->id);
        put(t, ",\"last_qty\":%s", amount_text(tr->qty, a));
        put(t, ",\"last_price\":%s", amount_text(tr->px, a));
        put(t, ",\"liquidity_ind\":\"%s\",\"fees\":[{\"asset\":\"%s\",\"qty\":%s}]", tr->maker ? "m" : "t", tr->fee_ccy,
            amount_text(tr->fee, a));
    }
    put_time(t, "timestamp", venue_clock(s));
    put(t, "}");
}

/* One numbered message of the channel. */
static void
stream(struct sim *s, const struct vorder *o, const char *type, const struct vtrade *tr)
{
    struct text t = { .at = buffer };
    uint32_t w = s->core.wire[GATEWAY_CONN(0, CONN_ROLE_ORDER)];

    if (w == SIM_NONE || !s->wire[w].subscribed || !s->wire[w].venue_up || (o->dark && !s->quiet))
        return;
    bool lost = sim_fate(s, FATE_event_lost);
    if (lost && sim_any(s, 2) == 0) {
        sim_trace(s, "venue: omits a report and its number");
        return;
    }
    put(&t, "{\"channel\":\"executions\",\"type\":\"update\",\"data\":[");
    bool ends = o->status == V_CANCELED || o->status == V_EXPIRED;
    put_execution(s, &t, o, type, tr, !ends && sim_fate(s, FATE_sparse));
    put(&t, "],\"sequence\":%llu}", (unsigned long long)++s->wire[w].sequence);
    if (lost) {
        sim_trace(s, "venue: loses a report, whose number is missing");
        s->wire[w].hole = true;
        return;
    }
    bool named = strcmp(type, "new") == 0; /* others may say the venue's id alone */
    size_t len = t.len;
    if (sim_fate(s, FATE_event_unreadable))
        t.len = 1 + (size_t)sim_any(s, t.len - 1);
    if (o->mine != SIM_NONE)
        s->oracle.mine[o->mine].told_wire = w;
    s->say_hole = s->wire[w].hole;
    s->say_twin = foreign_shows(s, o) && named && t.len == len;
    wire_say(s, w, t.at, t.len, sim_delay(s, sim_fate(s, FATE_event_late)), false);
    s->wire[w].hole = s->say_hole = false;
    if (sim_fate(s, FATE_event_twice))
        wire_say(s, w, t.at, t.len, sim_delay(s, true), true);
    s->say_twin = false;
}

void
kraken_execution(struct sim *s, const struct vorder *o, const char *type, uint32_t trade)
{
    if (strcmp(type, "TRADE") == 0) {
        stream(s, o, "trade", &s->venue.trade[trade]);
        if (o->status == V_FILLED)
            stream(s, o, "filled", NULL);
        return;
    }
    stream(s, o,
           strcmp(type, "NEW") == 0        ? "new"
           : strcmp(type, "CANCELED") == 0 ? "canceled"
           : strcmp(type, "AMENDED") == 0  ? "amended"
                                           : "expired",
           NULL);
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

static void
call_ping(const struct call *c)
{
    struct text t = { .at = buffer };

    put(&t, "{\"method\":\"pong\"");
    end_answer(c, &t);
}

static void
call_subscribe(const struct call *c)
{
    struct text t = { .at = buffer };

    put(&t, "{\"method\":\"subscribe\",\"result\":{\"channel\":\"executions\",\"snap_orders\":true},\"success\":true");
    end_answer(c, &t);
    t.len = 0;
    put(&t, "{\"channel\":\"executions\",\"type\":\"snapshot\",\"data\":[],\"sequence\":%llu}",
        (unsigned long long)++c->s->wire[c->wire].sequence);
    wire_say(c->s, c->wire, t.at, t.len, NS_PER_MS, false);
    c->s->wire[c->wire].subscribed = true;
}

static uint32_t
symbol_find(const struct sim *s, const char *name)
{
    for (uint32_t i = 0; i < SIM_SYMBOLS && name != NULL; i++)
        if (strcmp(s->price[i].symbol, name) == 0)
            return i;
    return SIM_NONE;
}

/* The venue's rules for a price: "" when it fits. */
static const char *
price_fault(const struct price *p, int64_t px)
{
    int64_t unit = SIM_VENUE_ONE;

    for (unsigned i = 0; i < p->px_decimals; i++)
        unit /= 10;
    return px % (unit * p->tick) != 0 ? "EOrder:Tick size check failed" : "";
}

static void
call_add(const struct call *c)
{
    struct sim *s = c->s;
    const char *clordid = param(c, "cl_ord_id");
    const char *type = param(c, "order_type");
    const char *tif = param(c, "time_in_force");
    char id[24];
    struct vrequest rq = { .clordid = clordid, .ours = true, .symbol = symbol_find(s, param(c, "symbol")) };

    if (rq.symbol == SIM_NONE || clordid == NULL || type == NULL)
        sim_fail(s, "an order that cannot be read");
    rq.market = strcmp(type, "market") == 0;
    rq.post_only = json_is_true(json_object_get(c->params, "post_only"));
    rq.side = strcmp(param(c, "side"), "buy") == 0 ? SIDE_BUY : SIDE_SELL;
    rq.qty = param_amount(c, "order_qty");
    rq.px = param_amount(c, "limit_price");
    memcpy(rq.tif,
           tif != NULL && strcmp(tif, "ioc") == 0   ? "IOC"
           : tif != NULL && strcmp(tif, "fok") == 0 ? "FOK"
                                                    : "GTC",
           4);
    const char *why = rq.market ? "" : price_fault(&s->price[rq.symbol], rq.px);
    if (why[0] == '\0' && s->price[rq.symbol].status != INSTRUMENT_TRADING)
        why = "EService:Market in cancel_only mode";
    if (why[0] == '\0' && sim_fate(s, FATE_reject))
        why = "EOrder:Insufficient funds";
    if (why[0] != '\0') {
        ledger_refused(s, clordid);
        refuse(c, why);
        return;
    }
    const struct vorder *o = ledger_place_all(s, &rq);
    if (o->dark && !s->quiet)
        return;
    struct text t = { .at = buffer };
    put(&t, "{\"method\":\"add_order\",\"result\":{\"order_id\":\"%s\",\"cl_ord_id\":\"%s\"},\"success\":true",
        order_id(o, id), clordid);
    end_answer(c, &t);
}

static void
call_cancel(const struct call *c)
{
    struct sim *s = c->s;
    struct vorder *o = param(c, "order_id") != NULL ? order_of_id(s, param(c, "order_id"))
                                                    : order_of_clordid(s, param(c, "cl_ord_id"));
    char id[24];

    ledger_meanwhile(s, o);
    if (o == NULL || !vorder_open(o)) {
        refuse(c, "EOrder:Unknown order");
        return;
    }
    ledger_end(s, o, V_CANCELED, "");
    struct text t = { .at = buffer };
    put(&t, "{\"method\":\"cancel_order\",\"result\":{\"order_id\":\"%s\"},\"success\":true", order_id(o, id));
    end_answer(c, &t);
}

static void
call_amend(const struct call *c)
{
    struct sim *s = c->s;
    struct vorder *o = order_of_clordid(s, param(c, "cl_ord_id"));
    int64_t qty = param_amount(c, "order_qty");
    int64_t px = param_amount(c, "limit_price");

    ledger_meanwhile(s, o);
    if (o != NULL && o->mine != SIM_NONE) /* done or refused here: it will not come again */
        s->oracle.mine[o->mine].amend_until_ns = 0;
    const char *why = o == NULL || !vorder_open(o) ? "EOrder:Unknown order" : price_fault(&s->price[o->symbol], px);
    if (why[0] == '\0' && (sim_fate(s, FATE_amend_refused) || qty <= o->cum)) /* the total is filled already */
        why = "EOrder:Invalid order";
    if (why[0] != '\0') {
        refuse(c, why);
        return;
    }
    o->qty = qty;
    o->qty_most = MAX(o->qty_most, qty);
    o->px = px;
    o->changed_ns = venue_clock(s);
    sim_trace(s, "venue: order %s is amended to %.5f at %.3f", o->clordid, (double)qty / 1e8, (double)px / 1e8);
    check_amended(s, o);
    kraken_execution(s, o, "AMENDED", SIM_NONE);
    struct text t = { .at = buffer };
    put(&t, "{\"method\":\"amend_order\",\"result\":{\"amend_id\":\"TSIM\",\"cl_ord_id\":\"%s\"},\"success\":true",
        o->clordid);
    end_answer(c, &t);
}

/* The dead man's switch: 0 turns it off. */
static void
call_deadman(const struct call *c)
{
    struct sim *s = c->s;
    int64_t timeout = json_integer_value(json_object_get(c->params, "timeout")) * NS_PER_S;
    struct text t = { .at = buffer };

    s->deadman_at = timeout > 0 ? s->t + timeout : 0;
    put(&t, "{\"method\":\"cancel_all_orders_after\",\"result\":{\"reserved\":0");
    put_time(&t, "currentTime", venue_clock(s));
    put_time(&t, "triggerTime", venue_clock(s) + timeout);
    put(&t, "},\"success\":true");
    end_answer(c, &t);
}

/* It has run out, or ought to be set: so long as order entry is ready it is asked for anew at a third of its time. */
#define DEADMAN_LATE_NS (5 * NS_PER_S)

void
kraken_second(struct sim *s)
{
    int64_t ready = s->ready_from < 0 ? 0 : s->t - s->ready_from;

    if (s->deadman_ns == 0)
        return;
    if (s->deadman_at == 0 && ready > s->deadman_ns / 3 + DEADMAN_LATE_NS)
        sim_fail(s, "order entry is ready for %lld s, and the venue's countdown is not set",
                 (long long)(ready / NS_PER_S));
    if (s->deadman_at == 0 || s->t < s->deadman_at)
        return;
    if (ready > s->deadman_ns + DEADMAN_LATE_NS)
        sim_fail(s, "the venue's countdown runs out while order entry is ready");
    sim_trace(s, "venue: the countdown runs out");
    s->deadman_at = 0;
    while (s->venue.opens > 0)
        ledger_end(s, &s->venue.order[s->venue.open[0]], V_CANCELED, "");
}

static const struct method {
    const char *name;
    void (*run)(const struct call *c);
    bool orders;
} methods[] = {
    { "cancel_all_orders_after", call_deadman, false },
    { "ping", call_ping, false },
    { "subscribe", call_subscribe, false },
    { "add_order", call_add, true },
    { "cancel_order", call_cancel, true },
    { "amend_order", call_amend, true },
};

static const struct method *
method_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (name != NULL && strcmp(methods[i].name, name) == 0)
            return &methods[i];
    return NULL;
}

static struct call
call_of(struct sim *s, uint32_t wire, json_t *root)
{
    return (struct call){ .s = s,
                          .wire = wire,
                          .method = json_string_value(json_object_get(root, "method")),
                          .req_id = json_integer_value(json_object_get(root, "req_id")),
                          .params = json_object_get(root, "params") };
}

/* At the matching engine: the deadline is checked here. */
void
kraken_request(struct sim *s, uint32_t wire, const char *text, size_t len)
{
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    struct call c = call_of(s, wire, root);
    const struct method *m = method_find(c.method);
    const char *deadline = param(&c, "deadline");
    int64_t until = 0;

    if (deadline != NULL && !rfc3339_parse(deadline, strlen(deadline), &until))
        sim_fail(s, "a deadline that cannot be read: %s", deadline);
    if (until != 0 && venue_clock(s) >= until) {
        struct mine *late = check_find(s, param(&c, "cl_ord_id") != NULL ? param(&c, "cl_ord_id") : "");
        if (strcmp(c.method, "add_order") == 0)
            ledger_refused(s, param(&c, "cl_ord_id"));
        else if (late != NULL)
            late->amend_until_ns = 0;
        refuse(&c, "EService:Deadline elapsed");
    } else if (m->orders && sim_fate(s, FATE_unknown_done)) {
        uint32_t lost = s->fate[FATE_reply_lost];
        s->fate[FATE_reply_lost] = 1000;
        m->run(&c);
        s->fate[FATE_reply_lost] = lost;
        refuse(&c, sim_any(s, 2) == 0 ? "EService:Timeout" : "EService:Busy");
    } else {
        m->run(&c);
    }
    json_decref(root);
}

/* ---- the public side --------------------------------------------------------------------------------------------- */

static void
market_message(struct sim *s, uint32_t wire, const json_t *root)
{
    char reply[256];
    json_t *params = json_object_get(root, "params");
    json_t *list = json_object_get(params, "symbol");
    const char *channel = json_string_value(json_object_get(params, "channel"));

    for (size_t i = 0; i < json_array_size(list) && channel != NULL; i++) {
        const char *symbol = json_string_value(json_array_get(list, i));
        int n = snprintf(reply, sizeof(reply),
                         "{\"method\":\"subscribe\",\"result\":{\"channel\":\"%s\",\"symbol\":\"%s\"},\"success\":true,"
                         "\"req_id\":%lld}",
                         channel, symbol, (long long)json_integer_value(json_object_get(root, "req_id")));
        wire_say(s, wire, reply, (size_t)n, NS_PER_MS, false);
        uint32_t at = symbol_find(s, symbol);
        bool subscribes = strcmp(json_string_value(json_object_get(root, "method")), "subscribe") == 0;
        if (at != SIM_NONE && subscribes && strcmp(channel, "book") == 0) {
            s->wire[wire].subscribed = true;
            price_snapshot(s, at);
        }
    }
}

void
kraken_message(struct sim *s, uint32_t wire, const char *text, size_t len)
{
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);

    if (s->wire[wire].conn % 2 == CONN_ROLE_MARKET) {
        market_message(s, wire, root);
        json_decref(root);
        return;
    }
    struct call c = call_of(s, wire, root);
    const struct method *m = method_find(c.method);
    if (root == NULL || c.method == NULL)
        sim_fail(s, "a request that is none: %.200s", text);
    sim_trace(s, "venue: %s %s arrives", c.method, param(&c, "cl_ord_id") != NULL ? param(&c, "cl_ord_id") : "");
    if (m == NULL) {
        refuse(&c, "EGeneral:Unknown method");
    } else if (m->orders && sim_fate(s, FATE_request_lost)) {
        sim_trace(s, "venue: and is lost");
    } else if (m->orders && sim_fate(s, FATE_unknown_undone)) {
        refuse(&c, "EService:Unavailable");
    } else if ((m->run == call_add && ledger_dark(s, param(&c, "cl_ord_id")) && sim_any(s, 2) == 0) ||
               (m->orders && sim_fate(s, FATE_request_late))) {
        sim_at(s, s->t + (int64_t)sim_any(s, (uint64_t)s->recv_window_ns + NS_PER_S), EV_REQUEST, wire, 0, text,
               (uint32_t)len);
    } else {
        kraken_request(s, wire, text, len);
    }
    json_decref(root);
}

/* ---- what leaves the core ---------------------------------------------------------------------------------------- */

void
kraken_peek(struct sim *s, const char *text, size_t len, struct out *o)
{
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    struct call c = call_of(s, 0, root);
    const char *deadline = param(&c, "deadline");

    o->kind = OUT_OTHER;
    o->mine = SIM_NONE;
    if (c.method == NULL)
        sim_fail(s, "the core sends something that is no request: %.200s", text);
    bool add = strcmp(c.method, "add_order") == 0;
    bool amend = strcmp(c.method, "amend_order") == 0;
    const struct vorder *v = order_of_id(s, param(&c, "order_id"));
    const char *clordid = param(&c, "cl_ord_id") != NULL ? param(&c, "cl_ord_id") : "";
    bool others = foreign_cancelable(s, v, clordid);
    if (add || amend || (strcmp(c.method, "cancel_order") == 0 && !others)) {
        struct mine *m = check_find(s, clordid);
        if (m == NULL)
            sim_fail(s, "%s of an order that is not in the journal: %.200s", c.method, text);
        o->kind = add ? OUT_NEW : amend ? OUT_AMEND : OUT_CANCEL;
        o->mine = (uint32_t)(m - s->oracle.mine);
        int64_t qty = add ? m->qty : m->amend_qty;
        int64_t px = add ? m->px : m->amend_px;
        if ((add || amend) && (param_amount(&c, "order_qty") != qty ||
                               (m->type != ORDER_MARKET && param_amount(&c, "limit_price") != px)))
            sim_fail(s, "%s of %s leaves the core as another one than the journal says", c.method, m->clordid);
        if (add && ((strcmp(param(&c, "side"), "buy") == 0) != (m->side == SIDE_BUY) ||
                    symbol_find(s, param(&c, "symbol")) != m->symbol))
            sim_fail(s, "order %s leaves the core as another one than the journal says", m->clordid);
        if ((add || amend) && (deadline == NULL || !rfc3339_parse(deadline, strlen(deadline), &o->until_ns)))
            sim_fail(s, "order %s leaves without a deadline", m->clordid);
    }
    json_decref(root);
}

/* ---- REST -------------------------------------------------------------------------------------------------------- */

/* Value of one field of a form; "" when there is none. */
static void
form_field(const char *body, const char *name, char *out, size_t room)
{
    size_t n = strlen(name);

    out[0] = '\0';
    for (const char *p = body; p != NULL && *p != '\0'; p = strchr(p, '&')) {
        p += *p == '&';
        if (strncmp(p, name, n) == 0 && p[n] == '=') {
            size_t len = strcspn(p + n + 1, "&");
            (void)snprintf(out, room, "%.*s", (int)len, p + n + 1);
            return;
        }
    }
}

static const char *
pair_name(const struct sim *s, uint32_t symbol)
{
    return s->price[symbol].symbol[0] == 'B' ? "XBTUSD" : "ETHUSD";
}

static void
put_listed(struct sim *s, struct text *t, const struct vorder *o, bool first)
{
    char id[24];
    char a[32];

    put(t, "%s\"%s\":{\"cl_ord_id\":\"%s\",\"status\":\"%s\",\"opentm\":%.4f", first ? "" : ",", order_id(o, id),
        o->clordid,
        vorder_open(o)            ? "open"
        : o->status == V_FILLED   ? "closed"
        : o->status == V_CANCELED ? "canceled"
                                  : "expired",
        (double)o->made_ns / 1e9);
    put(t, ",\"vol\":\"%s\"", amount_text(o->qty, a));
    put(t, ",\"vol_exec\":\"%s\"", amount_text(o->cum, a));
    put(t, ",\"descr\":{\"pair\":\"%s\",\"type\":\"%s\",\"ordertype\":\"%s\",\"price\":\"%s\"}}",
        pair_name(s, o->symbol), o->side == SIDE_BUY ? "buy" : "sell", o->market ? "market" : "limit",
        amount_text(o->px, a));
    if (o->mine != SIM_NONE) {
        struct mine *m = &s->oracle.mine[o->mine];
        m->asked_wire = m->listed_wire = wire_of(s, GATEWAY_CONN(0, CONN_ROLE_ORDER));
    }
}

static void
rest_orders(struct sim *s, struct text *t, bool open, const char *clordid, unsigned offset)
{
    const struct ledger *l = &s->venue;
    unsigned seen = 0;
    bool first = true;
    struct mine *m = clordid[0] != '\0' ? check_find(s, clordid) : NULL;

    if (m != NULL) {
        m->asked_wire = wire_of(s, GATEWAY_CONN(0, CONN_ROLE_ORDER));
        ledger_asked(s, m->vorder != SIM_NONE ? &s->venue.order[m->vorder] : NULL);
    }
    put(t, "{\"error\":[],\"result\":{\"%s\":{", open ? "open" : "closed");
    for (uint32_t i = l->orders; i-- > 0;) {
        const struct vorder *o = &l->order[i];
        if (vorder_open(o) != open || o->shown_ns > venue_clock(s) ||
            (clordid[0] != '\0' && strcmp(clordid, o->clordid) != 0))
            continue;
        if (seen++ < offset || (!open && seen > offset + REST_PAGE))
            continue;
        put_listed(s, t, o, first);
        first = false;
    }
    put(t, "},\"count\":%u}}", seen);
}

static void
rest_trades(struct sim *s, struct text *t, int64_t start_s, unsigned offset)
{
    const struct ledger *l = &s->venue;
    unsigned seen = 0;
    bool first = true;
    char a[32];
    char id[24];

    /* Of orders that are over the list tells all; those still hidden are asked about again. */
    for (uint32_t i = 0; i < l->orders; i++)
        if (l->order[i].mine != SIM_NONE && !vorder_open(&l->order[i]))
            s->oracle.mine[l->order[i].mine].asked_wire = wire_of(s, GATEWAY_CONN(0, CONN_ROLE_ORDER));
    put(t, "{\"error\":[],\"result\":{\"trades\":{");
    for (uint32_t i = l->trades; i-- > 0;) {
        const struct vtrade *tr = &l->trade[i];
        const struct vorder *o = &l->order[tr->order];
        if (tr->at_ns <= start_s * NS_PER_S || tr->shown_ns > venue_clock(s))
            continue;
        if (seen++ < offset || seen > offset + REST_PAGE)
            continue;
        if (o->mine != SIM_NONE)
            s->oracle.mine[o->mine].asked_wire = wire_of(s, GATEWAY_CONN(0, CONN_ROLE_ORDER));
        put(t, "%s\"T%02u%lld\":{\"ordertxid\":\"%s\",\"pair\":\"%s\",\"time\":%.4f,\"type\":\"%s\"", first ? "" : ",",
            o->symbol, (long long)tr->id, order_id(o, id), pair_name(s, o->symbol), (double)tr->at_ns / 1e9,
            o->side == SIDE_BUY ? "buy" : "sell");
        put(t, ",\"price\":\"%s\"", amount_text(tr->px, a));
        put(t, ",\"vol\":\"%s\"", amount_text(tr->qty, a));
        put(t, ",\"fee\":\"%s\",\"trade_id\":%lld,\"maker\":%s}", amount_text(tr->fee, a), (long long)tr->id,
            tr->maker ? "true" : "false");
        first = false;
    }
    put(t, "},\"count\":%u}}", seen);
}

static void
rest_answer(struct sim *s, struct text *t, const char *path, const char *body)
{
    char clordid[40];
    char txid[40];
    char number[24];
    struct vorder *o;

    form_field(body, "cl_ord_id", clordid, sizeof(clordid));
    form_field(body, "txid", txid, sizeof(txid));
    form_field(body, "ofs", number, sizeof(number));
    unsigned offset = (unsigned)atoi(number);
    form_field(body, "start", number, sizeof(number));
    if (strcmp(path, "/0/private/GetWebSocketsToken") == 0) {
        put(t, "{\"error\":[],\"result\":{\"token\":\"simulatedToken\",\"expires\":900}}");
    } else if (strcmp(path, "/0/private/OpenOrders") == 0) {
        rest_orders(s, t, true, clordid, 0);
    } else if (strcmp(path, "/0/private/ClosedOrders") == 0) {
        rest_orders(s, t, false, clordid, offset);
    } else if (strcmp(path, "/0/private/QueryOrders") == 0) {
        o = order_of_id(s, txid);
        put(t, "{\"error\":[],\"result\":{");
        if (o != NULL && o->shown_ns <= venue_clock(s))
            put_listed(s, t, o, true);
        put(t, "}}");
    } else if (strcmp(path, "/0/private/TradesHistory") == 0) {
        rest_trades(s, t, atoll(number), offset);
    } else if (strcmp(path, "/0/private/Balance") == 0) {
        put(t, "{\"error\":[],\"result\":{\"ZUSD\":\"1000000000.0000\",\"XXBT\":\"1000000000.0000\","
               "\"XETH\":\"1000000000.0000\"}}");
    } else {
        put(t, "{\"error\":[\"EGeneral:Unknown method\"]}");
    }
}

/* The request is at the venue; its answer, or none, goes back. b: the start of the core that asked. */
void
kraken_rest(struct sim *s, const struct event *e)
{
    static const char *const bad[] = { "<html>502 Bad Gateway</html>", "{\"error\":[\"EService:Unavailable\"]}",
                                       "{\"error\":[\"EAPI:Rate limit exceeded\"]}", "{\"error\":[],\"res" };
    struct text t = { .at = buffer };
    char path[64];
    const char *request = (const char *)e->data;
    const char *body = strstr(request, "\n\n");
    uint32_t status = 200;

    if (sscanf(request, "POST %63s\n", path) != 1 || body == NULL)
        sim_fail(s, "an HTTP request that is none: %.80s", request);
    sim_trace(s, "venue: %s%s arrives", path, strchr(body, '&') != NULL ? strchr(body, '&') : "");
    char asked[40];
    form_field(body + 2, "txid", asked, sizeof(asked));
    const struct vorder *about = order_of_id(s, asked);
    if (about != NULL && about->mine != SIM_NONE)
        s->oracle.mine[about->mine].asked_wire = wire_of(s, GATEWAY_CONN(0, CONN_ROLE_ORDER));
    unsigned cost = strstr(path, "TradesHistory") != NULL ? 2 : 1;
    if (!budget_http(s, cost)) {
        sim_trace(s, "venue: one too many");
        put(&t, "%s", bad[2]);
    } else if (sim_fate(s, FATE_list_fails)) {
        unsigned which = (unsigned)sim_any(s, ARRAY_LEN(bad) + 1);
        if (which < ARRAY_LEN(bad))
            put(&t, "%s", bad[which]);
        status = which == 0 ? 502 : which < ARRAY_LEN(bad) ? 200 : 0;
    } else {
        rest_answer(s, &t, path, body + 2);
    }
    uint8_t *copy = (uint8_t *)sim_take(s, t.len + 1);
    memcpy(copy, t.at, t.len);
    bool late = sim_fate(s, FATE_reply_late);
    int64_t back = s->latency_ns + sim_delay(s, late);
    if (back > 4 * NS_PER_S) { /* the client's own time-out */
        status = 0;
        t.len = 0;
        back = 4 * NS_PER_S;
    }
    sim_at(s, s->t + back, EV_REST_BACK, status, e->b, copy, (uint32_t)t.len);
}
