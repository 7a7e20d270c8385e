/* The emulator's sockets, on libwebsockets.
 *
 * One protocol serves everything: its HTTP callbacks gather a whole request, its WebSocket callbacks a whole text. A
 * connection's state hangs on its wsi (opaque user data) from its first request to its close, across an upgrade.
 *
 * Always true: every struct conn is in the server's list; a conn is freed only by the callback that says its wsi is
 * gone; nothing is written outside a WRITEABLE callback. */
#include "bench/venue/server_state.h"

#include <arpa/inet.h>
#include <signal.h>
#include <time.h>

#define WS_BATCH_MAX      64 /* texts written per turn of one connection: others get theirs in between */
#define CLOSE_GRACE_S     3
#define KEEPALIVE_S       60
#define RX_CHUNK_BYTES    65536
#define LATE_MESSAGES_MAX 10000

/* ---- texts ---------------------------------------------------------------------------------------------------- */

void *
server_take(size_t bytes)
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

struct conn *
conn_make(struct server *s, struct lws *wsi)
{
    if (s->conn_count == SERVER_CONNS_MAX)
        return NULL;
    struct conn *c = (struct conn *)server_take(sizeof(*c));
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
queued_free(struct queued *q)
{
    wire_drop(q->wire);
    free(q);
}

static void
queue_free(struct queued **list)
{
    while (*list != NULL) {
        struct queued *q = *list;
        *list = q->next;
        queued_free(q);
    }
}

static void
conn_free(struct conn *c)
{
    struct server *s = c->server;

    c->ws_open = false;
    if (c->user != NULL)
        s->ops->on_ws_closed(s->ctx, c); /* also after a handshake that failed half way */
    queue_free(&c->head);
    queue_free(&c->late);
    queue_free(&c->held);
    queue_free(&c->arriving);
    free(c->rest);
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
queue_wire(struct conn *c, struct wire *w, const struct queued *how)
{
    if (c->closing || c->kind != CONN_WS)
        return false;
    if (c->queued_bytes + w->len > c->server->queue_bytes_max || c->queued_count == SERVER_QUEUE_MESSAGES_MAX) {
        (void)fprintf(stderr, "execgw-venue: connection %llu does not read: %zu texts, %zu bytes queued; closed\n",
                      (unsigned long long)c->id, c->queued_count, c->queued_bytes);
        conn_close(c, 1008, "client too slow: its output queue is full", false);
        return false;
    }
    struct queued *q = (struct queued *)server_take(sizeof(*q));
    w->refs++;
    q->wire = w;
    q->fragment = how->fragment;
    q->cut_at = how->cut_at;
    q->cut_ms = how->cut_ms;
    c->queued_bytes += w->len;
    c->queued_count++;
    queue_append(c, q);
    return true;
}

/* What the next text has been told about its frames. */
static struct queued
how_next(struct conn *c)
{
    struct queued how = { .fragment = c->fragment_next, .cut_at = c->cut_at, .cut_ms = c->cut_ms };
    c->fragment_next = false;
    c->cut_at = 0;
    return how;
}

/* The held texts go, all of them or the ones that are due. */
static void
release_held(struct conn *c, int64_t now_ns)
{
    struct queued **p = &c->held;

    while (*p != NULL) {
        struct queued *q = *p;
        if (q->due_mono_ns > now_ns) {
            p = &q->next;
            continue;
        }
        *p = q->next;
        c->late_count--;
        (void)queue_wire(c, q->wire, q);
        queued_free(q);
    }
}

bool
conn_send(struct conn *c, struct wire *w)
{
    struct queued how = how_next(c);
    bool sent = queue_wire(c, w, &how);

    release_held(c, INT64_MAX);
    return sent;
}

bool
conn_send_text(struct conn *c, const char *text, size_t len)
{
    struct wire *w = wire_make(text, len);
    bool sent = conn_send(c, w);
    wire_drop(w);
    return sent;
}

/* A text for later in one of the lists of texts that wait; NULL when there is no room. */
static struct queued *
wait_make(struct conn *c, const char *text, size_t len, unsigned ms)
{
    if (c->closing || c->late_count == LATE_MESSAGES_MAX)
        return NULL;
    struct queued *q = (struct queued *)server_take(sizeof(*q));
    *q = how_next(c);
    q->wire = wire_make(text, len);
    q->due_mono_ns = server_mono_ns() + (int64_t)ms * NS_PER_MS;
    c->late_count++;
    return q;
}

bool
conn_send_late(struct conn *c, const char *text, size_t len, unsigned delay_ms)
{
    if (delay_ms == 0)
        return conn_send_text(c, text, len);
    struct queued *q = wait_make(c, text, len, delay_ms);
    if (q == NULL)
        return false;
    q->next = c->late;
    c->late = q;
    return true;
}

bool
conn_send_held(struct conn *c, const char *text, size_t len, unsigned ms_max)
{
    struct queued *q = wait_make(c, text, len, ms_max);
    struct queued **p = &c->held;

    if (q == NULL)
        return false;
    while (*p != NULL)
        p = &(*p)->next;
    *p = q;
    return true;
}

bool
conn_receive_late(struct conn *c, const char *text, size_t len, unsigned ms)
{
    struct queued *q = wait_make(c, text, len, ms);

    if (q == NULL)
        return false;
    q->next = c->arriving;
    c->arriving = q;
    return true;
}

void
conn_cut_next(struct conn *c, uint32_t at, uint32_t ms)
{
    c->cut_at = MAX(at, 1u);
    c->cut_ms = ms;
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

/* Takes the earliest due one out of an unordered list; NULL when none is due. */
static struct queued *
take_due(struct queued **list, int64_t now_ns)
{
    struct queued **best = NULL;

    for (struct queued **p = list; *p != NULL; p = &(*p)->next)
        if ((*p)->due_mono_ns <= now_ns && (best == NULL || (*p)->due_mono_ns <= (*best)->due_mono_ns))
            best = p;
    if (best == NULL)
        return NULL;
    struct queued *q = *best;
    *best = q->next;
    return q;
}

/* What is due: late texts move to the queue, texts that arrive late reach the dialect. */
static void
conn_release_late(struct conn *c, int64_t now_ns)
{
    struct queued *q;

    while ((q = take_due(&c->late, now_ns)) != NULL) {
        c->late_count--;
        (void)queue_wire(c, q->wire, q);
        queued_free(q);
    }
    release_held(c, now_ns);
    while ((q = take_due(&c->arriving, now_ns)) != NULL) {
        c->late_count--;
        if (!c->closing)
            c->server->ops->on_ws_text(c->server->ctx, c, (const char *)q->wire->bytes + LWS_PRE, q->wire->len, true);
        queued_free(q);
    }
    if (c->rest != NULL && c->rest_due_mono_ns <= now_ns)
        (void)lws_callback_on_writable(c->wsi);
}

/* The frame as bytes: its first part now, the rest when it is due. libwebsockets passes these bytes on as they are. */
static int
write_cut(struct conn *c, const struct queued *q)
{
    const struct wire *w = q->wire;
    uint8_t head[10] = { 0x81 };
    size_t n = 2;

    if (w->len < 126) {
        head[1] = (uint8_t)w->len;
    } else {
        n = w->len <= UINT16_MAX ? 4 : 10;
        head[1] = n == 4 ? 126 : 127;
        for (size_t i = 0; i < n - 2; i++)
            head[n - 1 - i] = (uint8_t)((uint64_t)w->len >> (8 * i));
    }
    uint8_t *frame = (uint8_t *)server_take(LWS_PRE + n + w->len);
    memcpy(frame + LWS_PRE, head, n);
    memcpy(frame + LWS_PRE + n, w->bytes + LWS_PRE, w->len);
    size_t first = MIN(q->cut_at, n + w->len);
    c->rest_len = n + w->len - first;
    if (c->rest_len != 0) {
        c->rest = (uint8_t *)server_take(LWS_PRE + c->rest_len);
        memcpy(c->rest + LWS_PRE, frame + LWS_PRE + first, c->rest_len);
        c->rest_due_mono_ns = server_mono_ns() + (int64_t)q->cut_ms * NS_PER_MS;
    }
    int result = lws_write(c->wsi, frame + LWS_PRE, first, LWS_WRITE_HTTP);
    free(frame);
    return result;
}

/* The rest of a cut frame, when it is due. False while it is not. */
static bool
write_rest(struct conn *c, int *result)
{
    *result = 0;
    if (c->rest == NULL)
        return true;
    if (server_mono_ns() < c->rest_due_mono_ns)
        return false;
    *result = lws_write(c->wsi, c->rest + LWS_PRE, c->rest_len, LWS_WRITE_HTTP);
    free(c->rest);
    c->rest = NULL;
    return true;
}

/* One text as three frames: one byte, the middle, one byte. */
static int
write_fragmented(struct lws *wsi, const struct wire *w)
{
    uint8_t *copy = (uint8_t *)server_take(LWS_PRE + w->len);
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
            uint8_t *part = (uint8_t *)server_take(LWS_PRE + n);
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
    int result;

    if (!write_rest(c, &result))
        return 0;
    if (result < 0)
        return -1;
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
    for (unsigned i = 0; i < WS_BATCH_MAX && c->head != NULL && c->rest == NULL; i++) {
        if (i != 0 && lws_send_pipe_choked(c->wsi))
            break;
        struct queued *q = c->head;
        struct wire *w = q->wire;
        int n = q->cut_at != 0              ? write_cut(c, q)
                : q->fragment && w->len > 3 ? write_fragmented(c->wsi, w)
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
    if (c->rest == NULL && (c->head != NULL || c->closing))
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
        c->server->ops->on_ws_text(c->server->ctx, c, c->rx, c->rx_len, false);
    c->rx_len = 0;
    return 0;
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
        if (c->late_count != 0 || c->rest != NULL)
            conn_release_late(c, now_ns);
        http_tick(c, now_ns);
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
    struct server *s = (struct server *)server_take(sizeof(*s));
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
