/* The emulator's HTTP: a request gathered whole, its answer written whole, late or cut in two when a fault says so. See
 * server.h.
 *
 * libwebsockets decodes a query before anyone sees it; params hold the decoded values, and a signature check encodes
 * them again. */
#include "bench/venue/server_state.h"

void
request_forget(struct conn *c)
{
    free(c->path);
    free(c->reply);
    params_free(&c->query);
    c->path = NULL;
    c->reply = NULL;
    c->in_request = false;
    c->reply_sent = 0;
    c->reply_cut_at = 0;
    c->request_due_mono_ns = 0;
    c->rx_len = 0;
}

static const char *
http_reason(unsigned status)
{
    static const struct {
        unsigned status;
        const char *text;
    } reasons[] = { { 200, "OK" },
                    { 400, "Bad Request" },
                    { 401, "Unauthorized" },
                    { 403, "Forbidden" },
                    { 404, "Not Found" },
                    { 405, "Method Not Allowed" },
                    { 409, "Conflict" },
                    { 413, "Payload Too Large" },
                    { 418, "I'm a teapot" },
                    { 429, "Too Many Requests" },
                    { 500, "Internal Server Error" },
                    { 502, "Bad Gateway" },
                    { 503, "Service Unavailable" },
                    { 504, "Gateway Timeout" } };
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].text;
    return "Unknown";
}

void
conn_reply_http(struct conn *c, unsigned status, const struct http_header *headers, size_t header_count,
                const char *body, size_t len, unsigned delay_ms, bool close)
{
    ASSERT(c->kind == CONN_HTTP && c->in_request && c->reply == NULL);
    size_t room = 512 + header_count * 128 + len;
    c->reply = (char *)server_take(LWS_PRE + room);
    char *p = c->reply + LWS_PRE;
    char *end = p + room;
    bool close_after = close || c->reply_close;

    p += snprintf(p, (size_t)(end - p),
                  "HTTP/1.1 %u %s\r\ncontent-type: application/json;charset=UTF-8\r\ncontent-length: %zu\r\n"
                  "cache-control: no-cache, no-store, must-revalidate\r\nconnection: %s\r\n",
                  status, http_reason(status), len, close_after ? "close" : "keep-alive");
    for (size_t i = 0; i < header_count; i++)
        p += snprintf(p, (size_t)(end - p), "%s %s\r\n", headers[i].name, headers[i].value);
    p += snprintf(p, (size_t)(end - p), "\r\n");
    c->reply_head_len = (size_t)(p - (c->reply + LWS_PRE));
    if (c->method != HTTP_HEAD) {
        memcpy(p, body, len);
        p += len;
    }
    c->reply_len = (size_t)(p - (c->reply + LWS_PRE));
    c->reply_close = close_after;
    c->reply_due_mono_ns = delay_ms == 0 ? 0 : server_mono_ns() + (int64_t)delay_ms * NS_PER_MS;
    lws_set_timeout(c->wsi, NO_PENDING_TIMEOUT, 0);
    if (delay_ms == 0)
        (void)lws_callback_on_writable(c->wsi);
}

void
conn_drop_http(struct conn *c, bool cut)
{
    lws_set_timeout(c->wsi, cut ? PENDING_TIMEOUT_USER_OK : NO_PENDING_TIMEOUT, cut ? LWS_TO_KILL_ASYNC : 0);
}

void
conn_cut_http(struct conn *c, uint32_t at, uint32_t ms)
{
    c->reply_cut_at = MAX(at, 1u);
    c->reply_cut_ms = ms;
}

void
conn_http_late(struct conn *c, uint32_t ms)
{
    c->request_due_mono_ns = server_mono_ns() + (int64_t)ms * NS_PER_MS;
    lws_set_timeout(c->wsi, NO_PENDING_TIMEOUT, 0);
}

void
http_tick(struct conn *c, int64_t now_ns)
{
    if (c->reply != NULL && c->reply_due_mono_ns != 0 && c->reply_due_mono_ns <= now_ns) {
        c->reply_due_mono_ns = 0;
        (void)lws_callback_on_writable(c->wsi);
    }
    if (c->in_request && c->reply == NULL && c->request_due_mono_ns != 0 && c->request_due_mono_ns <= now_ns) {
        http_complete(c);
        c->request_due_mono_ns = 0;
    }
}

int
http_writeable(struct conn *c)
{
    if (c->reply == NULL || c->reply_due_mono_ns != 0)
        return 0;
    bool cut = c->reply_sent == 0 && c->reply_cut_at != 0 && c->reply_cut_at < c->reply_len;
    size_t n = cut ? c->reply_cut_at : c->reply_len - c->reply_sent;
    if (lws_write(c->wsi, (unsigned char *)c->reply + LWS_PRE + c->reply_sent, n, LWS_WRITE_HTTP) < 0)
        return -1;
    c->reply_sent += n;
    if (cut) {
        c->reply_due_mono_ns = server_mono_ns() + (int64_t)c->reply_cut_ms * NS_PER_MS;
        return 0;
    }
    bool close = c->reply_close;
    request_forget(c);
    c->reply_close = false;
    if (close || lws_http_transaction_completed(c->wsi))
        return -1;
    return 0;
}

void
http_complete(struct conn *c)
{
    struct http_request rq = {
        .method = c->method,
        .path = c->path,
        .query = &c->query,
        .body = c->rx_len != 0 ? c->rx : "",
        .body_len = c->rx_len,
        .content_type = c->content_type,
        .api_key = c->api_key,
        .api_sign = c->api_sign,
        .time_unit = c->time_unit,
        .late = c->request_due_mono_ns != 0,
    };
    c->server->ops->on_http(c->server->ctx, c, &rq);
}

/* The query's parameters, as libwebsockets decoded them. False when they do not fit. */
static bool
query_read(struct lws *wsi, struct params *p)
{
    size_t room = (size_t)lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_URI_ARGS) + SERVER_PARAMS_MAX + 2;

    *p = (struct params){ 0 };
    if (room > HTTP_QUERY_MAX)
        return false;
    p->text = (char *)server_take(room);
    char *s = p->text;
    size_t left = room;
    for (int i = 0;; i++) {
        int n = lws_hdr_copy_fragment(wsi, s, (int)left, WSI_TOKEN_HTTP_URI_ARGS, i);
        if (n < 0)
            return true;
        if (n == 0)
            continue;
        if (p->count == SERVER_PARAMS_MAX || (size_t)n + 1 > left || strlen(s) != (size_t)n)
            return false;
        char *eq = strchr(s, '=');
        if (eq != NULL)
            *eq = '\0';
        p->at[p->count].name = s;
        p->at[p->count].value = eq != NULL ? eq + 1 : s + n;
        p->count++;
        s += n + 1;
        left -= (size_t)n + 1;
    }
}

static enum http_method
method_read(struct lws *wsi)
{
    if (lws_hdr_total_length(wsi, WSI_TOKEN_POST_URI))
        return HTTP_POST;
    if (lws_hdr_total_length(wsi, WSI_TOKEN_PUT_URI))
        return HTTP_PUT;
    if (lws_hdr_total_length(wsi, WSI_TOKEN_DELETE_URI))
        return HTTP_DELETE;
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HEAD_URI))
        return HTTP_HEAD;
    return lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) ? HTTP_GET : HTTP_OTHER;
}

static void
header_read(struct lws *wsi, enum lws_token_indexes token, char *to, size_t room)
{
    if (lws_hdr_copy(wsi, to, (int)room, token) < 0)
        to[0] = '\0';
}

static void
custom_read(struct lws *wsi, const char *name, char *to, size_t room)
{
    if (lws_hdr_custom_copy(wsi, to, (int)room, name, (int)strlen(name)) < 0)
        to[0] = '\0';
}

int
http_begin(struct conn *c, const char *path, size_t path_len)
{
    char text[32];

    if (c->in_request)
        return -1;
    request_forget(c);
    c->in_request = true;
    c->kind = CONN_HTTP;
    c->method = method_read(c->wsi);
    c->path = strndup(path, path_len);
    ASSERT(c->path != NULL);
    custom_read(c->wsi, "x-mbx-apikey:", c->api_key, sizeof(c->api_key));
    if (c->api_key[0] == '\0')
        custom_read(c->wsi, "api-key:", c->api_key, sizeof(c->api_key));
    custom_read(c->wsi, "api-sign:", c->api_sign, sizeof(c->api_sign));
    custom_read(c->wsi, "x-mbx-time-unit:", c->time_unit, sizeof(c->time_unit));
    header_read(c->wsi, WSI_TOKEN_HTTP_CONTENT_TYPE, c->content_type, sizeof(c->content_type));
    header_read(c->wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH, text, sizeof(text));
    bool has_length = text[0] != '\0';
    long long length = has_length ? strtoll(text, NULL, 10) : 0;
    c->reply_close = false;
    header_read(c->wsi, WSI_TOKEN_CONNECTION, text, sizeof(text));
    if (strcasecmp(text, "close") == 0)
        c->reply_close = true;
    if (!query_read(c->wsi, &c->query)) {
        conn_reply_http(c, 400, NULL, 0, "{}", 2, 0, true);
        return 0;
    }
    if (length > 0 || (c->method == HTTP_POST && has_length))
        return 0; /* HTTP_BODY_COMPLETION answers */
    if (!has_length && (c->method == HTTP_POST || c->method == HTTP_PUT))
        c->reply_close = true; /* libwebsockets expects a body here; there is none */
    http_complete(c);
    return 0;
}

int
ws_confirm(struct server *s, struct lws *wsi)
{
    struct conn *c = (struct conn *)lws_get_opaque_user_data(wsi);
    char path[2048];
    struct params query;

    if (c == NULL)
        c = conn_make(s, wsi);
    if (c == NULL)
        return -1;
    if (lws_hdr_copy(wsi, path, sizeof(path), WSI_TOKEN_GET_URI) <= 0)
        return -1;
    bool fits = query_read(wsi, &query);
    c->kind = CONN_WS; /* the dialect may queue its first text already */
    unsigned status = fits ? s->ops->on_ws_open(s->ctx, c, path, &query) : 400;
    params_free(&query);
    if (status == 0)
        return 0;
    c->kind = CONN_HTTP;
    /* lws_return_http_status would say HTTP/1.0 here: the request's version is not read yet. */
    char refusal[LWS_PRE + 160];
    int n = snprintf(refusal + LWS_PRE, sizeof(refusal) - LWS_PRE,
                     "HTTP/1.1 %u %s\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", status, http_reason(status));
    (void)lws_write(wsi, (unsigned char *)refusal + LWS_PRE, (size_t)n, LWS_WRITE_HTTP_HEADERS);
    return 1;
}
