#include "engine/io/rest.h"

#include <errno.h>
#include <libwebsockets.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define HEADERS_MAX    8
#define LENGTH_UNKNOWN UINT64_MAX
#define LOOK_US        (20 * 1000) /* how often a running request looks whether it is to stop */
#define READ_BYTES     4096

enum rest_state { REST_FREE, REST_ASKED, REST_ANSWERED };

struct header {
    char name[64]; /* lower case, with its colon, as libwebsockets wants it */
    const char *value;
    size_t value_len;
};

struct rest {
    struct rest_config cfg;
    pthread_t thread;
    int stop_fd;
    int request_fd;
    int result_fd;
    _Atomic bool stop;
    _Atomic uint32_t state; /* enum rest_state: whose the buffers are */
    uint8_t *request;       /* request_max + LWS_PRE, the text from LWS_PRE on */
    size_t request_len;
    uint8_t *body;
    size_t body_len;
    unsigned status;
    /* Of the request under way, on the thread. */
    struct lws_context *context; /* from the first request on: reading the system's authorities takes a while */
    struct lws *wsi;
    lws_sorted_usec_list_t look;
    int64_t deadline_us;
    char method[8];
    char path[1024];
    struct header header[HEADERS_MAX];
    unsigned headers;
    uint8_t *send; /* in `request` */
    size_t send_len;
    uint64_t length; /* of the body, as the answer said; LENGTH_UNKNOWN */
    bool over;
    bool complete;
    bool too_long;
    char why[160];
};

/* ---- the text of a request ---- */

/* The next line without its end; NULL when there is none. */
static char *
line_next(char **at, const char *end)
{
    char *line = *at;
    char *nl = memchr(line, '\n', (size_t)(end - line));

    if (nl == NULL)
        return NULL;
    *nl = '\0';
    *at = nl + 1;
    return line;
}

static bool
header_take(struct rest *r, char *line)
{
    char *colon = strstr(line, ": ");
    struct header *h = &r->header[r->headers];

    if (colon == NULL || r->headers == HEADERS_MAX || (size_t)(colon - line) + 2 > sizeof(h->name))
        return false;
    for (size_t i = 0; line + i < colon; i++)
        h->name[i] = line[i] >= 'A' && line[i] <= 'Z' ? (char)(line[i] + ('a' - 'A')) : line[i];
    memcpy(h->name + (colon - line), ":", 2);
    h->value = colon + 2;
    h->value_len = strlen(colon + 2);
    r->headers++;
    return true;
}

static bool
request_parse(struct rest *r)
{
    char *at = (char *)r->request + LWS_PRE;
    char *end = at + r->request_len;
    char *line = line_next(&at, end);
    char *space = line != NULL ? strchr(line, ' ') : NULL;

    r->headers = 0;
    if (space == NULL || (size_t)(space - line) >= sizeof(r->method) || strlen(space + 1) >= sizeof(r->path))
        return false;
    (void)snprintf(r->method, sizeof(r->method), "%.*s", (int)(space - line), line);
    (void)snprintf(r->path, sizeof(r->path), "%s", space + 1);
    while ((line = line_next(&at, end)) != NULL && *line != '\0')
        if (!header_take(r, line))
            return false;
    r->send = (uint8_t *)at;
    r->send_len = (size_t)(end - at);
    return line != NULL;
}

/* ---- libwebsockets ---- */

static void
finish(struct rest *r, const char *why)
{
    if (r->over)
        return;
    r->over = true;
    if (why != NULL)
        (void)snprintf(r->why, sizeof(r->why), "%s", why);
    lws_cancel_service(r->context);
}

static int
add_headers(struct rest *r, struct lws *wsi, uint8_t **p, uint8_t *end)
{
    char length[24];

    for (unsigned i = 0; i < r->headers; i++)
        if (lws_add_http_header_by_name(wsi, (const unsigned char *)r->header[i].name,
                                        (const unsigned char *)r->header[i].value, (int)r->header[i].value_len, p,
                                        end) != 0)
            return -1;
    if (r->send_len == 0)
        return 0;
    int n = snprintf(length, sizeof(length), "%zu", r->send_len);
    if (lws_add_http_header_by_name(wsi, (const unsigned char *)"content-length:", (const unsigned char *)length, n, p,
                                    end) != 0)
        return -1;
    lws_client_http_body_pending(wsi, 1);
    (void)lws_callback_on_writable(wsi);
    return 0;
}

static int
body_write(struct rest *r, struct lws *wsi)
{
    if (r->send_len == 0)
        return 0;
    lws_client_http_body_pending(wsi, 0);
    int n = lws_write(wsi, r->send, r->send_len, LWS_WRITE_HTTP_FINAL);
    bool all = n == (int)r->send_len;
    r->send_len = 0;
    return all ? 0 : -1;
}

/* How long the body is to be, where the answer says so. */
static int
head_read(struct rest *r, struct lws *wsi)
{
    char text[24];
    int n = lws_hdr_copy(wsi, text, (int)sizeof(text), WSI_TOKEN_HTTP_CONTENT_LENGTH);
    char *end = text;

    r->status = lws_http_client_http_response(wsi);
    r->length = LENGTH_UNKNOWN;
    if (n > 0) {
        r->length = strtoull(text, &end, 10);
        if (*end != '\0') {
            finish(r, "its content-length is not a number");
            return -1;
        }
    }
    return 0;
}

static int
body_read(struct rest *r, const void *in, size_t len)
{
    if (len > r->cfg.body_max - r->body_len) {
        r->too_long = true;
        finish(r, "the answer is longer than the buffer for it");
        return -1;
    }
    memcpy(r->body + r->body_len, in, len);
    r->body_len += len;
    return 0;
}

static int
trust(const struct rest *r, SSL_CTX *ctx)
{
    (void)SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    if (SSL_CTX_set_default_verify_paths(ctx) != 1)
        return -1;
    if (r->cfg.ca_file != NULL && r->cfg.ca_file[0] != '\0' &&
        SSL_CTX_load_verify_locations(ctx, r->cfg.ca_file, NULL) != 1)
        return -1;
    return 0;
}

static int
on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    struct rest *r = (struct rest *)lws_context_user(lws_get_context(wsi));

    if (reason == LWS_CALLBACK_WSI_DESTROY && wsi == r->wsi)
        r->wsi = NULL;
    switch (reason) {
    case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_CLIENT_VERIFY_CERTS: return trust(r, (SSL_CTX *)user);
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER: return add_headers(r, wsi, (uint8_t **)in, *(uint8_t **)in + len);
    case LWS_CALLBACK_CLIENT_HTTP_WRITEABLE: return body_write(r, wsi);
    case LWS_CALLBACK_ESTABLISHED_CLIENT_HTTP: return head_read(r, wsi);
    case LWS_CALLBACK_RECEIVE_CLIENT_HTTP: {
        char buffer[LWS_PRE + READ_BYTES];
        char *p = buffer + LWS_PRE;
        int n = READ_BYTES;
        return lws_http_client_read(wsi, &p, &n) < 0 ? -1 : 0;
    }
    case LWS_CALLBACK_RECEIVE_CLIENT_HTTP_READ: return body_read(r, in, len);
    case LWS_CALLBACK_COMPLETED_CLIENT_HTTP: /* also when the connection ended early */
        r->complete = r->length == LENGTH_UNKNOWN || r->length == r->body_len;
        finish(r, r->complete ? NULL : "the connection ended before the answer did");
        return -1; /* the connection has served */
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        finish(r, in != NULL ? (const char *)in : "the connection failed");
        return 0;
    case LWS_CALLBACK_CLOSED_CLIENT_HTTP: finish(r, "the connection ended before the answer did"); return 0;
    default: return 0;
    }
}

static const struct lws_protocols protocols[] = { { .name = "http", .callback = on_event }, { .name = NULL } };

static bool
stopping(struct rest *r)
{
    return atomic_load_explicit(&r->stop, memory_order_acquire);
}

static void
on_look(lws_sorted_usec_list_t *sul)
{
    struct rest *r = lws_container_of(sul, struct rest, look);

    if (stopping(r))
        finish(r, "stopped");
    else if (lws_now_usecs() >= r->deadline_us)
        finish(r, "no answer in time");
    else
        lws_sul_schedule(r->context, 0, &r->look, on_look, LOOK_US);
}

static struct lws_context *
context_new(struct rest *r)
{
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT,
        .fd_limit_per_thread = 16,
        .gid = -1,
        .uid = -1,
        .user = r,
    };

    return lws_create_context(&info);
}

/* One request from beginning to end, over a connection of its own: nothing of one request meets the next. */
static void
serve(struct rest *r)
{
    const struct endpoint *ep = &r->cfg.endpoint;

    r->over = r->complete = r->too_long = false;
    r->status = 0;
    r->body_len = 0;
    r->why[0] = '\0';
    if (!request_parse(r)) {
        (void)snprintf(r->why, sizeof(r->why), "the request is not one that can be sent");
        return;
    }
    if (r->context == NULL)
        r->context = context_new(r);
    if (r->context == NULL) {
        (void)snprintf(r->why, sizeof(r->why), "no memory, or ca_file cannot be read");
        return;
    }
    struct lws_client_connect_info info = {
        .context = r->context,
        .address = ep->host,
        .host = ep->host,
        .origin = ep->host,
        .port = ep->port,
        .path = r->path,
        .method = r->method,
        .protocol = protocols[0].name,
        .local_protocol_name = protocols[0].name,
        .alpn = "http/1.1",
        .ssl_connection = (ep->tls ? LCCSCF_USE_SSL : 0) | LCCSCF_HTTP_NO_FOLLOW_REDIRECT,
        .pwsi = &r->wsi,
    };
    r->deadline_us = lws_now_usecs() + (int64_t)r->cfg.timeout_ms * 1000;
    memset(&r->look, 0, sizeof(r->look));
    lws_sul_schedule(r->context, 0, &r->look, on_look, LOOK_US);
    if (lws_client_connect_via_info(&info) == NULL)
        finish(r, "the connection could not be begun");
    while (!r->over)
        if (lws_service(r->context, 0) < 0)
            finish(r, "libwebsockets gave up");
    lws_sul_schedule(r->context, 0, &r->look, NULL, LWS_SET_TIMER_USEC_CANCEL);
    if (!r->complete || r->too_long)
        r->status = 0;
    if (r->wsi != NULL) /* whatever it says while it closes comes too late: it is over */
        lws_set_timeout(r->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
    r->wsi = NULL;
}

/* ---- the thread ---- */

static void *
rest_main(void *arg)
{
    struct rest *r = (struct rest *)arg;
    struct pollfd p[2] = { { .fd = r->request_fd, .events = POLLIN }, { .fd = r->stop_fd, .events = POLLIN } };
    eventfd_t count;
    char sentence[320];

    while (!stopping(r)) {
        /* Acquire: the request's bytes are there. */
        if (atomic_load_explicit(&r->state, memory_order_acquire) != REST_ASKED) {
            (void)poll(p, 2, -1);
            (void)eventfd_read(r->request_fd, &count);
            continue;
        }
        serve(r);
        if (r->status == 0) {
            r->body_len = 0;
            (void)snprintf(sentence, sizeof(sentence), "HTTP to %.20s: %.40s: %.150s", r->cfg.name, r->path,
                           r->why[0] != '\0' ? r->why : "no answer");
            if (r->cfg.log != NULL && !stopping(r))
                r->cfg.log(r->cfg.log_ctx, sentence);
        }
        /* Release: the body before the word that it is there. */
        atomic_store_explicit(&r->state, REST_ANSWERED, memory_order_release);
        (void)eventfd_write(r->result_fd, 1);
    }
    if (r->context != NULL)
        lws_context_destroy(r->context);
    return NULL;
}

static void
rest_free(struct rest *r)
{
    if (r->stop_fd >= 0)
        (void)close(r->stop_fd);
    if (r->request_fd >= 0)
        (void)close(r->request_fd);
    if (r->result_fd >= 0)
        (void)close(r->result_fd);
    free(r->request);
    free(r->body);
    free(r);
}

struct rest *
rest_start(const struct rest_config *cfg, struct fault *fault)
{
    struct rest *r = (struct rest *)calloc(1, sizeof(*r));

    if (r == NULL) {
        (void)FAULT(fault, "HTTP client: out of memory");
        return NULL;
    }
    lws_set_log_level(0, NULL);
    r->cfg = *cfg;
    r->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    r->request_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    r->result_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    r->request = malloc(LWS_PRE + (size_t)cfg->request_max + 1);
    r->body = malloc((size_t)cfg->body_max + 1);
    if (r->stop_fd < 0 || r->request_fd < 0 || r->result_fd < 0 || r->request == NULL || r->body == NULL) {
        (void)FAULT(fault, "HTTP client: out of memory or descriptors");
        rest_free(r);
        return NULL;
    }
    int e = pthread_create(&r->thread, NULL, rest_main, r);
    if (e != 0) {
        (void)FAULT(fault, "HTTP client: thread: %s", strerror(e));
        rest_free(r);
        return NULL;
    }
    (void)pthread_setname_np(r->thread, "rest");
    return r;
}

void
rest_stop(struct rest *r)
{
    if (r == NULL)
        return;
    atomic_store_explicit(&r->stop, true, memory_order_release);
    (void)eventfd_write(r->stop_fd, 1);
    (void)pthread_join(r->thread, NULL);
    memset(r->request, 0, LWS_PRE + (size_t)r->cfg.request_max);
    rest_free(r);
}

/* ---- the core's side ---- */

bool
rest_send(struct rest *r, const uint8_t *bytes, size_t len)
{
    if (atomic_load_explicit(&r->state, memory_order_acquire) == REST_ASKED || len > r->cfg.request_max)
        return false;
    memcpy(r->request + LWS_PRE, bytes, len);
    r->request_len = len;
    atomic_store_explicit(&r->state, REST_ASKED, memory_order_release);
    return true;
}

int
rest_request_fd(const struct rest *r)
{
    return r->request_fd;
}

void
rest_wake(const struct rest *r)
{
    (void)eventfd_write(r->request_fd, 1);
}

bool
rest_poll(struct rest *r, struct rest_answer *out)
{
    if (atomic_load_explicit(&r->state, memory_order_acquire) != REST_ANSWERED)
        return false;
    /* FREE: told once. The buffers stay the core's until it asks again. */
    atomic_store_explicit(&r->state, REST_FREE, memory_order_relaxed);
    *out = (struct rest_answer){ .status = r->status, .body = r->body, .len = r->body_len };
    return true;
}

int
rest_result_fd(const struct rest *r)
{
    return r->result_fd;
}
