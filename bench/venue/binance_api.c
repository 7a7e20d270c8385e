/* The WebSocket API: one JSON request per text frame, one JSON answer, matched by id. */
#include "bench/venue/binance.h"

#include <jansson.h>

#define ID_TEXT_MAX 96

/* A number as its shortest text that reads back the same. Requests carry prices as text; this is for clients that send
 * JSON numbers, whose own text the parser does not keep. */
static void
real_text(char buf[40], const json_t *v)
{
    double d = json_real_value(v);
    for (int digits = 1; digits <= 17; digits++) {
        (void)snprintf(buf, 40, "%.*g", digits, d);
        if (strtod(buf, NULL) >= d && strtod(buf, NULL) <= d)
            break;
    }
    if (strpbrk(buf, "eE") == NULL)
        return;
    (void)snprintf(buf, 40, "%.18f", d);
    size_t n = strlen(buf);
    while (n > 1 && buf[n - 1] == '0')
        buf[--n] = '\0';
}

static char *
value_text(const json_t *v)
{
    char buf[40];

    switch (json_typeof(v)) {
    case JSON_STRING: return strdup(json_string_value(v));
    case JSON_INTEGER: (void)snprintf(buf, sizeof(buf), "%lld", (long long)json_integer_value(v)); return strdup(buf);
    case JSON_REAL: real_text(buf, v); return strdup(buf);
    case JSON_TRUE: return strdup("true");
    case JSON_FALSE: return strdup("false");
    case JSON_NULL: return strdup("");
    default: return json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
    }
}

static void
free_values(struct params *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->at[i].value);
}

static bool
read_params(json_t *object, struct params *p)
{
    const char *name;
    json_t *value;

    *p = (struct params){ 0 };
    json_object_foreach(object, name, value)
    {
        if (p->count == SERVER_PARAMS_MAX)
            return false;
        p->at[p->count].name = (char *)(uintptr_t)name; /* borrowed: lives as long as the object */
        p->at[p->count].value = value_text(value);
        ASSERT(p->at[p->count].value != NULL);
        p->count++;
    }
    return true;
}

/* The id to answer with, as JSON. False when it is of no allowed kind. */
static bool
id_text(const json_t *id, char out[ID_TEXT_MAX])
{
    if (id == NULL || json_is_null(id)) {
        (void)snprintf(out, ID_TEXT_MAX, "null");
        return true;
    }
    if (json_is_integer(id)) {
        (void)snprintf(out, ID_TEXT_MAX, "%lld", (long long)json_integer_value(id));
        return true;
    }
    const char *s = json_string_value(id);
    size_t n = s != NULL ? strlen(s) : 0;
    (void)snprintf(out, ID_TEXT_MAX, "null");
    if (s == NULL || n > 36 || strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != n)
        return false;
    (void)snprintf(out, ID_TEXT_MAX, "\"%s\"", s);
    return true;
}

static void
answer(struct session *s, const struct call *c, const char *id, bool limits, const struct fault_hits *h)
{
    struct text t = { 0 };

    text_put(&t, "{\"id\":");
    text_put(&t, id);
    text_key_int(&t, "status", c->status);
    if (c->status == 200) {
        text_key(&t, "result");
        if (c->result.len != 0)
            text_bytes(&t, c->result.at, c->result.len);
        else
            text_put(&t, "{}");
    } else {
        text_key(&t, "error");
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
    if (limits) {
        text_key(&t, "rateLimits");
        call_rate_limits(s->venue, c, &t);
    }
    text_put(&t, "}");
    if (fault_hit(h, FAULT_GARBAGE))
        t.len = t.len * 2 / 3;
    conn_send_faulty(s->conn, t.at, t.len, h);
    text_free(&t);
}

/* A request that is none. */
static void
refuse(struct session *s, const char *id, unsigned status, int code, const char *msg)
{
    static const struct fault_hits none = { .accept = true };
    struct call c = { .venue = s->venue, .session = s, .now_us = venue_now_us(&s->venue->base) };

    call_fail(&c, status, code, "%s", msg);
    answer(s, &c, id, s->show_limits, &none);
    call_free(&c);
}

static void
run_request(struct session *s, const struct call_def *def, const struct params *p, const char *id,
            const struct fault_hits *hits)
{
    struct fault_hits h = *hits;
    struct call c = {
        .venue = s->venue,
        .session = s,
        .def = def,
        .params = p,
        .micro = s->micro,
        .now_us = venue_now_us(&s->venue->base),
        .api_key = params_find(p, "apiKey"),
    };
    const char *show = params_find(p, "returnRateLimits");
    bool limits = show != NULL ? strcasecmp(show, "true") == 0 : s->show_limits;

    if (fault_before(&h, &c))
        call_run(&c);
    fault_after(&h, &c);
    if (fault_hit(&h, FAULT_CLOSE))
        conn_close(s->conn, 0, "", false);
    else if (!fault_hit(&h, FAULT_DROP_REPLY) && !c.lost)
        answer(s, &c, id, limits, &h);
    call_free(&c);
}

/* What the faults leave of a request before it is looked at. */
static bool
arrives(struct session *s, const struct call_def *def, const char *text, size_t len, bool late, struct fault_hits *h)
{
    *h = (struct fault_hits){ .accept = true };
    if (late)
        return true;
    *h = fault_draw(&s->venue->base.faults, FAULT_ON_REPLY, def->ws);
    if (fault_hit(h, FAULT_DELAY_REQUEST))
        (void)conn_receive_late(s->conn, text, len, h->wait_ms);
    return !fault_hit(h, FAULT_DELAY_REQUEST) && !fault_hit(h, FAULT_LOSE_REQUEST);
}

void
api_on_text(struct session *s, const char *text, size_t len, bool late)
{
    struct fault_hits h;
    char id[ID_TEXT_MAX] = "null";
    struct params p = { 0 };
    json_error_t err;
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &err);
    json_t *params = json_object_get(root, "params");
    const char *method = json_string_value(json_object_get(root, "method"));

    if (root == NULL)
        refuse(s, id, 400, -1135, "Invalid JSON Request");
    else if (!json_is_object(root) || !id_text(json_object_get(root, "id"), id))
        refuse(s, id, 400, -1135, "Invalid request id.");
    else if (method == NULL)
        refuse(s, id, 400, -1102, "Mandatory parameter 'method' was not sent, was empty/null, or malformed.");
    else if (params != NULL && !json_is_object(params) && !json_is_null(params))
        refuse(s, id, 400, -1135, "JSON sent for parameter 'params' is not valid");
    else if (call_find_ws(method) == NULL)
        refuse(s, id, 404, -1020, "This operation is not supported.");
    else if (!read_params(params, &p))
        refuse(s, id, 400, -1101, "Too many parameters sent for this endpoint.");
    else if (arrives(s, call_find_ws(method), text, len, late, &h))
        run_request(s, call_find_ws(method), &p, id, &h);
    free_values(&p);
    json_decref(root);
}
