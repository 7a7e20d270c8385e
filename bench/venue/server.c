/* The emulator's sockets, on libwebsockets.
 *
 * One protocol serves everything: its HTTP callbacks gather a whole request, its WebSocket callbacks a whole text. A
 * connection's state hangs on its wsi (opaque user data) from its first request to its close, across an upgrade.
 *
 * libwebsockets decodes a query before anyone sees it; params hold the decoded values, and the signature check
 * (binance_sign.c) encodes them again.
 *
 * Always true: every struct conn is in the server's list; a conn is freed only by the callback that says its wsi is
 * gone; nothing is written outside a WRITEABLE callback. */
#include "bench/venue/server.h"

#include <arpa/inet.h>
#include <signal.h>
#include <time.h>

#define HTTP_BODY_MAX     (64u * 1024)
#define HTTP_QUERY_MAX    (64u * 1024)
#define WS_BATCH_MAX      64 /* texts written per turn of one connection: others get theirs in between */
#define CLOSE_GRACE_S     3
#define KEEPALIVE_S       60
#define CLOSE_REASON_MAX  123
#define PING_MAX          125
#define RX_CHUNK_BYTES    65536
#define LATE_MESSAGES_MAX 10000

struct queued {
    struct queued *next;
    struct wire *wire;
    int64_t due_mono_ns; /* late list only */
    bool fragment;
};

struct conn {
    struct server *server;
    struct lws *wsi;
    struct conn *prev;
    struct conn *next;
    enum conn_kind kind;
    uint64_t id;
    void *user;

    struct queued *head; /* WebSocket texts to write */
    struct queued *tail;
    struct queued *late; /* not due yet, unordered */
    size_t late_count;
    size_t queued_bytes;
    size_t queued_count;
    char ping[PING_MAX];
    size_t ping_len;
    bool ping_wanted;
    bool fragment_next;
    bool closing;
    bool close_flush;
    bool ws_open; /* told the dialect */
    unsigned close_code;
    char close_reason[CLOSE_REASON_MAX + 1];

    char *rx; /* the text being gathered, or an HTTP body */
    size_t rx_len;
    size_t rx_room;

    /* HTTP: the request being answered. */
    enum http_method method;
    char *path;
    struct params query;
    char api_key[129];
    char content_type[65];
    char time_unit[17];
    bool in_request;
    char *reply; /* head and body with LWS_PRE in front; NULL until answered */
    size_t reply_len;
    size_t reply_head_len;
    int64_t reply_due_mono_ns;
    bool reply_close;
};

struct server {
    struct lws_context *lws;
    struct lws_vhost *vhost;
    const struct server_ops *ops;
    void *ctx;
    size_t queue_bytes_max;
    struct conn *head;
    struct conn *tail;
    size_t conn_count;
    uint64_t next_id;
    lws_sorted_usec_list_t tick;
    struct lws_protocols protocols[2];
    volatile sig_atomic_t stop;
};

/* ---- texts ---------------------------------------------------------------------------------------------------- */

static void *
take(size_t bytes)
{
    void *p = calloc(1, bytes);
    ASSERT(p != NULL);
    return p;
}

struct wire *
wire_make(const char *text, size_t len)
{
    ASSERT(len <= UINT32_MAX);
    struct wire *w = (struct wire *)malloc(sizeof(*w) + LWS_PRE + len);
    ASSERT(w != NULL);
    w->refs = 1;
    w->len = (uint32_t)len;
    memcpy(w->bytes + LWS_PRE, text, len);
    return w;
}

void
wire_drop(struct wire *w)
{
    if (w != NULL && --w->refs == 0)
        free(w);
}

int64_t
server_wall_ns(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t
server_mono_ns(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* ---- connections ---------------------------------------------------------------------------------------------- */

void *
conn_user(const struct conn *c)
{
    return c->user;
}

void
conn_set_user(struct conn *c, void *user)
{
    c->user = user;
}

uint64_t
conn_id(const struct conn *c)
{
    return c->id;
}

size_t
conn_queued_bytes(const struct conn *c)
{
    return c->queued_bytes;
}

struct conn *
server_next_ws(struct server *s, struct conn *after)
{
    struct conn *c = after == NULL ? s->head : after->next;
    while (c != NULL && !(c->kind == CONN_WS && c->ws_open))
        c = c->next;
    return c;
}

static struct conn *
conn_make(struct server *s, struct lws *wsi)
{
    if (s->conn_count == SERVER_CONNS_MAX)
        return NULL;
    struct conn *c = (struct conn *)take(sizeof(*c));
    c->server = s;
    c->wsi = wsi;
    c->id = ++s->next_id;
    c->prev = s->tail;
    if (s->tail != NULL)
        s->tail->next = c;
    else
        s->head = c;
    s->tail = c;
    s->conn_count++;
    lws_set_opaque_user_data(wsi, c);
    return c;
}

static void
request_forget(struct conn *c)
{
    free(c->path);
    free(c->reply);
    params_free(&c->query);
    c->path = NULL;
    c->reply = NULL;
    c->in_request = false;
    c->rx_len = 0;
}

static void
queued_free(struct queued *q)
{
    wire_drop(q->wire);
    free(q);
}

static void
conn_free(struct conn *c)
{
    struct server *s = c->server;

    c->ws_open = false;
    if (c->user != NULL)
        s->ops->on_ws_closed(s->ctx, c); /* also after a handshake that failed half way */
    while (c->head != NULL) {
        struct queued *q = c->head;
        c->head = q->next;
        queued_free(q);
    }
    while (c->late != NULL) {
        struct queued *q = c->late;
        c->late = q->next;
        queued_free(q);
    }
    request_forget(c);
    free(c->rx);
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        s->head = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    else
        s->tail = c->prev;
    s->conn_count--;
    lws_set_opaque_user_data(c->wsi, NULL);
    free(c);
}

static bool
rx_append(struct conn *c, const void *in, size_t len, size_t max)
{
    if (len > max - c->rx_len)
        return false;
    if (c->rx_len + len + 1 > c->rx_room) {
        size_t room = MAX(c->rx_room * 2, c->rx_len + len + 1);
        char *p = (char *)realloc(c->rx, room);
        ASSERT(p != NULL);
        c->rx = p;
        c->rx_room = room;
    }
    if (len != 0)
        memcpy(c->rx + c->rx_len, in, len);
    c->rx_len += len;
    c->rx[c->rx_len] = '\0';
    return true;
}

/* ---- WebSocket out -------------------------------------------------------------------------------------------- */

void
conn_close(struct conn *c, unsigned code, const char *reason, bool flush)
{
    if (c->closing)
        return;
    c->closing = true;
    c->close_code = code;
    c->close_flush = flush;
    (void)snprintf(c->close_reason, sizeof(c->close_reason), "%s", reason);
    if (code == 0) {
        lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
        return;
    }
    /* A peer that reads nothing never becomes writable: then this ends it. */
    lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_OK, CLOSE_GRACE_S);
    (void)lws_callback_on_writable(c->wsi);
}

static void
queue_append(struct conn *c, struct queued *q)
{
    q->next = NULL;
    if (c->tail != NULL)
        c->tail->next = q;
    else
        c->head = q;
    c->tail = q;
    (void)lws_callback_on_writable(c->wsi);
}

static bool
queue_wire(struct conn *c, struct wire *w, bool fragment)
{
    if (c->closing || c->kind != CONN_WS)
        return false;
    if (c->queued_bytes + w->len > c->server->queue_bytes_max || c->queued_count == SERVER_QUEUE_MESSAGES_MAX) {
        (void)fprintf(stderr, "execgw-venue: connection %llu does not read: %zu texts, %zu bytes queued; closed\n",
                      (unsigned long long)c->id, c->queued_count, c->queued_bytes);
        conn_close(c, 1008, "client too slow: its output queue is full", false);
        return false;
    }
    struct queued *q = (struct queued *)take(sizeof(*q));
    w->refs++;
    q->wire = w;
    q->fragment = fragment;
    c->queued_bytes += w->len;
    c->queued_count++;
    queue_append(c, q);
    return true;
}

bool
conn_send(struct conn *c, struct wire *w)
{
    bool fragment = c->fragment_next;
    c->fragment_next = false;
    return queue_wire(c, w, fragment);
}

bool
conn_send_text(struct conn *c, const char *text, size_t len)
{
    struct wire *w = wire_make(text, len);
    bool sent = conn_send(c, w);
    wire_drop(w);
    return sent;
}

bool
conn_send_late(struct conn *c, const char *text, size_t len, unsigned delay_ms)
{
    if (delay_ms == 0)
        return conn_send_text(c, text, len);
    if (c->closing || c->late_count == LATE_MESSAGES_MAX)
        return false;
    struct queued *q = (struct queued *)take(sizeof(*q));
    q->wire = wire_make(text, len);
    q->fragment = c->fragment_next;
    c->fragment_next = false;
    q->due_mono_ns = server_mono_ns() + (int64_t)delay_ms * NS_PER_MS;
    q->next = c->late;
    c->late = q;
    c->late_count++;
    return true;
}

void
conn_fragment_next(struct conn *c)
{
    c->fragment_next = true;
}

bool
conn_ping(struct conn *c, const char *payload, size_t len)
{
    if (c->closing || len > PING_MAX)
        return false;
    memcpy(c->ping, payload, len);
    c->ping_len = len;
    c->ping_wanted = true;
    (void)lws_callback_on_writable(c->wsi);
    return true;
}

/* The due ones of the late list move to the queue, earliest first. */
static void
conn_release_late(struct conn *c, int64_t now_ns)
{
    for (;;) {
        struct queued **best = NULL;
        for (struct queued **p = &c->late; *p != NULL; p = &(*p)->next)
            if ((*p)->due_mono_ns <= now_ns && (best == NULL || (*p)->due_mono_ns <= (*best)->due_mono_ns))
                best = p;
        if (best == NULL)
            return;
        struct queued *q = *best;
        *best = q->next;
        c->late_count--;
        if (c->closing) {
            queued_free(q);
            continue;
        }
        (void)queue_wire(c, q->wire, q->fragment);
        queued_free(q);
    }
}

/* One text as three frames: one byte, the middle, one byte. */
static int
write_fragmented(struct lws *wsi, const struct wire *w)
{
    uint8_t *copy = (uint8_t *)take(LWS_PRE + w->len);
    memcpy(copy + LWS_PRE, w->bytes + LWS_PRE, w->len);
    size_t cut[4] = { 0, 1, w->len - 1, w->len };
    int result = 0;

    for (unsigned i = 0; i < 3 && result >= 0; i++) {
        int how = i == 0 ? LWS_WRITE_TEXT : LWS_WRITE_CONTINUATION;
        if (i != 2)
            how |= LWS_WRITE_NO_FIN;
        uint8_t one[LWS_PRE + 1];
        size_t n = cut[i + 1] - cut[i];
        if (n == 1) {
            one[LWS_PRE] = copy[LWS_PRE + cut[i]];
            result = lws_write(wsi, one + LWS_PRE, 1, (enum lws_write_protocol)how);
        } else {
            uint8_t *part = (uint8_t *)take(LWS_PRE + n);
            memcpy(part + LWS_PRE, copy + LWS_PRE + cut[i], n);
            result = lws_write(wsi, part + LWS_PRE, n, (enum lws_write_protocol)how);
            free(part);
        }
    }
    free(copy);
    return result;
}

static int
ws_writeable(struct conn *c)
{
    if (c->closing && (!c->close_flush || c->head == NULL)) {
        lws_close_reason(c->wsi, (enum lws_close_status)c->close_code, (unsigned char *)c->close_reason,
                         strlen(c->close_reason));
        return -1;
    }
    if (c->ping_wanted) {
        uint8_t buf[LWS_PRE + PING_MAX];
        memcpy(buf + LWS_PRE, c->ping, c->ping_len);
        c->ping_wanted = false;
        if (lws_write(c->wsi, buf + LWS_PRE, c->ping_len, LWS_WRITE_PING) < 0)
            return -1;
    }
    for (unsigned i = 0; i < WS_BATCH_MAX && c->head != NULL; i++) {
        if (i != 0 && lws_send_pipe_choked(c->wsi))
            break;
        struct queued *q = c->head;
        struct wire *w = q->wire;
        int n = q->fragment && w->len > 3 ? write_fragmented(c->wsi, w)
                                          : lws_write(c->wsi, w->bytes + LWS_PRE, w->len, LWS_WRITE_TEXT);
        c->head = q->next;
        if (c->head == NULL)
            c->tail = NULL;
        c->queued_bytes -= w->len;
        c->queued_count--;
        queued_free(q);
        if (n < 0)
            return -1;
    }
    if (c->head == NULL && !c->closing)
        c->server->ops->on_ws_drained(c->server->ctx, c);
    if (c->head != NULL || c->closing)
        (void)lws_callback_on_writable(c->wsi);
    return 0;
}

/* ---- WebSocket in --------------------------------------------------------------------------------------------- */

static int
ws_receive(struct conn *c, const void *in, size_t len)
{
    if (!rx_append(c, in, len, SERVER_MESSAGE_BYTES_MAX)) {
        conn_close(c, 1009, "message too large", false);
        return 0;
    }
    if (!lws_is_final_fragment(c->wsi) || lws_remaining_packet_payload(c->wsi) != 0)
        return 0;
    if (lws_frame_is_binary(c->wsi))
        conn_close(c, 1003, "text frames only", false);
    else if (!c->closing)
        c->server->ops->on_ws_text(c->server->ctx, c, c->rx, c->rx_len);
    c->rx_len = 0;
    return 0;
}

/* ---- HTTP ----------------------------------------------------------------------------------------------------- */

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
    c->reply = (char *)take(LWS_PRE + room);
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

static int
http_writeable(struct conn *c)
{
    if (c->reply == NULL || c->reply_due_mono_ns != 0)
        return 0;
    if (lws_write(c->wsi, (unsigned char *)c->reply + LWS_PRE, c->reply_len, LWS_WRITE_HTTP) < 0)
        return -1;
    bool close = c->reply_close;
    request_forget(c);
    c->reply_close = false;
    if (close || lws_http_transaction_completed(c->wsi))
        return -1;
    return 0;
}

static void
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
        .time_unit = c->time_unit,
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
    p->text = (char *)take(room);
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

/* The head of a request is in. Answers at once when there is no body to wait for. */
static int
http_begin(struct conn *c, const char *path, size_t path_len)
{
    static const char api_key[] = "x-mbx-apikey:";
    static const char time_unit[] = "x-mbx-time-unit:";
    char text[32];

    if (c->in_request)
        return -1;
    request_forget(c);
    c->in_request = true;
    c->kind = CONN_HTTP;
    c->method = method_read(c->wsi);
    c->path = strndup(path, path_len);
    ASSERT(c->path != NULL);
    if (lws_hdr_custom_copy(c->wsi, c->api_key, sizeof(c->api_key), api_key, (int)sizeof(api_key) - 1) < 0)
        c->api_key[0] = '\0';
    if (lws_hdr_custom_copy(c->wsi, c->time_unit, sizeof(c->time_unit), time_unit, (int)sizeof(time_unit) - 1) < 0)
        c->time_unit[0] = '\0';
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

/* An upgrade request: ask the dialect before the handshake is answered. */
static int
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
    unsigned status = fits ? s->ops->on_ws_open(s->ctx, c, path, &query) : 400;
    params_free(&query);
    if (status == 0) {
        c->kind = CONN_WS;
        return 0;
    }
    /* lws_return_http_status would say HTTP/1.0 here: the request's version is not read yet. */
    char refusal[LWS_PRE + 160];
    int n = snprintf(refusal + LWS_PRE, sizeof(refusal) - LWS_PRE,
                     "HTTP/1.1 %u %s\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", status, http_reason(status));
    (void)lws_write(wsi, (unsigned char *)refusal + LWS_PRE, (size_t)n, LWS_WRITE_HTTP_HEADERS);
    return 1;
}

/* ---- libwebsockets -------------------------------------------------------------------------------------------- */

static int
on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    (void)user;
    struct lws_context *lws = lws_get_context(wsi);
    struct server *s = lws != NULL ? (struct server *)lws_context_user(lws) : NULL;
    struct conn *c = NULL;

    switch (reason) {
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
    case LWS_CALLBACK_ESTABLISHED:
    case LWS_CALLBACK_RECEIVE:
    case LWS_CALLBACK_RECEIVE_PONG:
    case LWS_CALLBACK_SERVER_WRITEABLE:
    case LWS_CALLBACK_CLOSED:
    case LWS_CALLBACK_HTTP:
    case LWS_CALLBACK_HTTP_BODY:
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
    case LWS_CALLBACK_HTTP_WRITEABLE:
    case LWS_CALLBACK_CLOSED_HTTP:
    case LWS_CALLBACK_WSI_DESTROY: c = (struct conn *)lws_get_opaque_user_data(wsi); break;
    default: return 0;
    }
    ASSERT(s != NULL);
    switch (reason) {
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return in != NULL && strcasecmp((const char *)in, "websocket") == 0 ? ws_confirm(s, wsi) : -1;
    case LWS_CALLBACK_HTTP:
        if (c == NULL)
            c = conn_make(s, wsi);
        return c == NULL ? -1 : http_begin(c, (const char *)in, len);
    case LWS_CALLBACK_CLOSED:
    case LWS_CALLBACK_CLOSED_HTTP:
    case LWS_CALLBACK_WSI_DESTROY:
        if (c != NULL)
            conn_free(c);
        return 0;
    default: break;
    }
    if (c == NULL)
        return -1;
    switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
        c->ws_open = true;
        if (c->head != NULL)
            (void)lws_callback_on_writable(wsi);
        return 0;
    case LWS_CALLBACK_RECEIVE: return ws_receive(c, in, len);
    case LWS_CALLBACK_RECEIVE_PONG: s->ops->on_ws_pong(s->ctx, c); return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE: return ws_writeable(c);
    case LWS_CALLBACK_HTTP_BODY:
        if (len != 0 && !rx_append(c, in, len, HTTP_BODY_MAX))
            return -1;
        return 0;
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        if (c->in_request && c->reply == NULL)
            http_complete(c);
        return 0;
    case LWS_CALLBACK_HTTP_WRITEABLE: return http_writeable(c);
    default: return 0;
    }
}

static void
on_tick(lws_sorted_usec_list_t *sul)
{
    struct server *s = lws_container_of(sul, struct server, tick);
    int64_t now_ns = server_mono_ns();

    lws_sul_schedule(s->lws, 0, &s->tick, on_tick, SERVER_TICK_MS * LWS_US_PER_MS);
    for (struct conn *c = s->head; c != NULL; c = c->next) {
        if (c->late != NULL)
            conn_release_late(c, now_ns);
        if (c->reply != NULL && c->reply_due_mono_ns != 0 && c->reply_due_mono_ns <= now_ns) {
            c->reply_due_mono_ns = 0;
            (void)lws_callback_on_writable(c->wsi);
        }
    }
    s->ops->on_tick(s->ctx);
}

static bool
is_loopback(const char *host)
{
    struct in_addr a;
    return inet_pton(AF_INET, host, &a) == 1 && (ntohl(a.s_addr) >> 24) == 127;
}

static void
log_line(int level, const char *line)
{
    (void)fprintf(stderr, "execgw-venue: libwebsockets %s: %s", (level & LLL_ERR) != 0 ? "error" : "warning", line);
}

struct server *
server_start(const struct server_config *cfg, struct fault *f)
{
    if (!is_loopback(cfg->host)) {
        (void)FAULT(f, "--listen: %s is not a loopback address (127.0.0.0/8); the emulator serves nobody else",
                    cfg->host);
        return NULL;
    }
    struct server *s = (struct server *)take(sizeof(*s));
    s->ops = cfg->ops;
    s->ctx = cfg->ctx;
    s->queue_bytes_max = cfg->queue_bytes_max;
    s->protocols[0] = (struct lws_protocols){
        .name = "venue",
        .callback = on_event,
        .rx_buffer_size = RX_CHUNK_BYTES,
        .tx_packet_size = RX_CHUNK_BYTES,
    };
    lws_set_log_level(LLL_ERR, log_line);
    struct lws_context_creation_info info = {
        .iface = cfg->host,
        .port = cfg->port,
        .protocols = s->protocols,
        .options = LWS_SERVER_OPTION_DISABLE_IPV6 | LWS_SERVER_OPTION_VALIDATE_UTF8 |
                   LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND,
        .gid = -1,
        .uid = -1,
        .max_http_header_data2 = HTTP_QUERY_MAX,
        .max_http_header_pool = 128,
        .keepalive_timeout = KEEPALIVE_S,
        .timeout_secs = KEEPALIVE_S,
        .pt_serv_buf_size = RX_CHUNK_BYTES,
        .user = s,
        .alpn = "http/1.1",
    };
    if (cfg->cert_path != NULL) {
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
        info.ssl_cert_filepath = cfg->cert_path;
        info.ssl_private_key_filepath = cfg->key_path;
    }
    s->lws = lws_create_context(&info);
    s->vhost = s->lws != NULL ? lws_get_vhost_by_name(s->lws, "default") : NULL;
    if (s->vhost == NULL) {
        (void)FAULT(f, "cannot listen on %s:%d%s%s", cfg->host, cfg->port,
                    cfg->cert_path != NULL ? " with certificate " : "", cfg->cert_path != NULL ? cfg->cert_path : "");
        if (s->lws != NULL)
            lws_context_destroy(s->lws);
        free(s);
        return NULL;
    }
    lws_sul_schedule(s->lws, 0, &s->tick, on_tick, SERVER_TICK_MS * LWS_US_PER_MS);
    return s;
}

int
server_port(const struct server *s)
{
    return lws_get_vhost_listen_port(s->vhost);
}

struct lws_context *
server_lws(struct server *s)
{
    return s->lws;
}

void
server_run(struct server *s)
{
    while (!s->stop && lws_service(s->lws, 0) >= 0) {
    }
}

void
server_stop(struct server *s)
{
    s->stop = 1;
}

void
server_free(struct server *s)
{
    lws_sul_cancel(&s->tick);
    lws_context_destroy(s->lws);
    ASSERT(s->head == NULL); /* destroying the context closed every connection */
    free(s);
}
