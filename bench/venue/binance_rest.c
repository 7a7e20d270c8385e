/* REST: the same requests over HTTP, parameters in the query, a form body, or both. */
#include "bench/venue/binance.h"

#define REST_HEADERS_MAX 6

static const char *
fault_method(const struct call_def *d)
{
    return d->ws != NULL ? d->ws : d->path;
}

/* Query and form body as one list; the body's texts stay with it. */
static bool
merge_params(struct params *all, const struct params *query, const struct params *body)
{
    *all = *query;
    all->text = NULL;
    if (query->count + body->count > SERVER_PARAMS_MAX)
        return false;
    for (size_t i = 0; i < body->count; i++) {
        /* A parameter in both: the query's stands. */
        if (params_find(query, body->at[i].name) == NULL)
            all->at[all->count++] = body->at[i];
    }
    return true;
}

static size_t
reply_headers(const struct call *c, struct http_header *h)
{
    size_t n = 0;
    struct binance *v = c->venue;

    h[n].name = "x-mbx-used-weight:";
    (void)snprintf(h[n++].value, sizeof(h->value), "%d", emu_limit_count(&v->weight, c->now_us));
    h[n].name = "x-mbx-used-weight-1m:";
    (void)snprintf(h[n++].value, sizeof(h->value), "%d", emu_limit_count(&v->weight, c->now_us));
    if (c->counts_order && c->key != NULL) {
        struct emu_order_limits *o = &v->orders[c->account];
        h[n].name = "x-mbx-order-count-10s:";
        (void)snprintf(h[n++].value, sizeof(h->value), "%d", emu_limit_count(&o->ten_seconds, c->now_us));
        h[n].name = "x-mbx-order-count-1d:";
        (void)snprintf(h[n++].value, sizeof(h->value), "%d", emu_limit_count(&o->day, c->now_us));
    }
    if (c->retry_after_us != 0) {
        int64_t wait = (c->retry_after_us - c->now_us + 999999) / 1000000;
        h[n].name = "retry-after:";
        (void)snprintf(h[n++].value, sizeof(h->value), "%lld", (long long)wait);
    }
    return n;
}

static void
answer(struct conn *conn, const struct call *c, const struct fault_hits *h)
{
    struct http_header headers[REST_HEADERS_MAX];
    struct text t = { 0 };

    if (c->status == 200) {
        if (c->result.len != 0)
            text_bytes(&t, c->result.at, c->result.len);
        else
            text_put(&t, "{}");
    } else {
        text_put(&t, "{");
        text_key_int(&t, "code", c->code);
        text_key(&t, "msg");
        text_string(&t, c->msg);
        if (c->data.len != 0) {
            text_key(&t, "data");
            text_bytes(&t, c->data.at, c->data.len);
        }
        text_put(&t, "}");
    }
    if (fault_hit(h, FAULT_GARBAGE))
        t.len = t.len * 2 / 3;
    if (fault_hit(h, FAULT_CUT))
        conn_cut_http(conn, h->at, h->wait_ms);
    conn_reply_http(conn, c->status, headers, reply_headers(c, headers), t.at, t.len, h->delay_ms, false);
    text_free(&t);
}

static void
refuse(struct binance *v, struct conn *conn, unsigned status, int code, const char *msg)
{
    static const struct fault_hits none = { .accept = true };
    struct call c = { .venue = v, .now_us = venue_now_us(&v->base) };
    call_fail(&c, status, code, "%s", msg);
    answer(conn, &c, &none);
    call_free(&c);
}

static void
run_request(struct binance *v, struct conn *conn, const struct http_request *rq, const struct call_def *def,
            const struct params *all)
{
    struct fault_hits h = { .accept = true };
    struct call c = {
        .venue = v,
        .def = def,
        .params = all,
        .micro = strcasecmp(rq->time_unit, "MICROSECOND") == 0,
        .now_us = venue_now_us(&v->base),
        .api_key = rq->api_key,
        .query = rq->query,
        .body = rq->body,
        .body_len = rq->body_len,
    };

    if (!rq->late)
        h = fault_draw(&v->base.faults, FAULT_ON_REPLY, fault_method(def));
    if (fault_hit(&h, FAULT_DELAY_REQUEST)) {
        conn_http_late(conn, h.wait_ms);
        return;
    }
    if (fault_hit(&h, FAULT_LOSE_REQUEST)) {
        conn_drop_http(conn, false);
        return;
    }
    if (fault_before(&h, &c))
        call_run(&c);
    fault_after(&h, &c);
    if (fault_hit(&h, FAULT_CLOSE) || fault_hit(&h, FAULT_DROP_REPLY) || c.lost)
        conn_drop_http(conn, fault_hit(&h, FAULT_CLOSE));
    else
        answer(conn, &c, &h);
    call_free(&c);
}

void
rest_on_request(struct binance *v, struct conn *conn, const struct http_request *rq)
{
    bool other = false;
    const struct call_def *def = call_find_rest(rq->method, rq->path, &other);
    struct params body = { 0 };
    struct params all;

    if (def == NULL && other) {
        refuse(v, conn, 405, -1000, "Method not allowed.");
    } else if (def == NULL) {
        static const char page[] = "{\"code\":-1000,\"msg\":\"Path not found.\"}";
        conn_reply_http(conn, 404, NULL, 0, page, sizeof(page) - 1, 0, false);
    } else if (rq->body_len != 0 && !params_parse(&body, rq->body, rq->body_len)) {
        refuse(v, conn, 400, -1100, "Illegal characters found in a parameter.");
    } else if (!merge_params(&all, rq->query, &body)) {
        refuse(v, conn, 400, -1101, "Too many parameters sent for this endpoint.");
    } else {
        run_request(v, conn, rq, def, &all);
    }
    params_free(&body);
}
