#include "engine/io/ws_lws.h"
#include "engine/io/lookup.h"
#include "execgw/ring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libwebsockets.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define SEND_REQUESTS  64u    /* least room of the ring for what is to be sent */
#define ASKS_PER_CONN  3u     /* a CLOSE that crossed the DOWN, the OPEN behind it, and the CLOSE of that */
#define READ_BYTES     16384u /* most that one callback brings */
#define STALL_US       200    /* the core is a ring behind: look again so often */
#define SENDS_MAX      8u
#define CLOSE_CODE_MAX 125u

enum request_kind { REQUEST_OPEN, REQUEST_CLOSE, REQUEST_SEND };

/* From the core to libwebsockets. */
struct request {
    uint8_t kind;
    uint8_t opcode;
    uint16_t pad;
    uint32_t conn;
    uint32_t generation;
    uint32_t bytes;
    uint8_t data[WS_LWS_SEND_BYTES];
};

struct line {
    struct lws *wsi;
    struct lws_vhost *vhost;
    struct lookup *lookup; /* its name is being looked up */
    uint32_t attempts;     /* each takes the next address of the name */
    uint32_t generation;
    bool asked; /* an OPEN that has no DOWN yet */
    bool up;
    bool ending; /* the core wants it closed */
    bool in_message;
    const char *distrusted; /* what is wrong with its certificate; static text, NULL = nothing so far */
    /* Messages waiting to be written. */
    uint32_t send_head;
    uint32_t send_count;
    struct {
        uint8_t opcode;
        uint32_t bytes;
        uint8_t data[LWS_PRE + WS_LWS_SEND_BYTES];
    } send[SENDS_MAX];
};

struct ws_lws {
    struct ws_lws_config cfg;
    struct ring_writer to_core; /* thread */
    struct ring_reader from_lws;
    struct ring_writer to_lws; /* core */
    struct ring_reader from_core;
    uint64_t ask_room; /* slots that no send takes: each OPEN and CLOSE has its own */
    int request_fd;
    int result_fd;
    struct lws_context *context;
    struct lws *bell;
    pthread_t thread;
    bool running;
    _Atomic bool stop;
    struct line line[WS_LWS_CONNS];
};

/* ---- to the core ---- */

static int64_t
mono_now(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static void
wake_core(struct ws_lws *w)
{
    const uint64_t one = 1;

    if (ring_wake_needed(&w->to_core) && write(w->result_fd, &one, sizeof(one)) < 0)
        return; /* a full counter wakes just as well */
}

/* Waits for room: libwebsockets then reads nothing, and TCP holds the venues back. (Its own flow control, switched in
 * the middle of a buffer with thousands of small frames, costs 4.1.6 quadratic time.) */
static void
put_piece(struct ws_lws *w, const struct ws_lws_piece *head, const void *data)
{
    struct ws_lws_piece *p;

    while ((p = (struct ws_lws_piece *)ring_claim(&w->to_core)) == NULL) {
        if (atomic_load_explicit(&w->stop, memory_order_acquire))
            return;
        wake_core(w);
        (void)usleep(STALL_US);
    }
    memcpy(p, head, offsetof(struct ws_lws_piece, data));
    p->recv_ns = mono_now();
    if (head->bytes > 0)
        memcpy(p->data, data, head->bytes);
    ring_commit(&w->to_core);
}

static void
tell(struct ws_lws *w, uint32_t conn, enum ws_lws_kind kind, const void *data, size_t bytes)
{
    const struct ws_lws_piece head = {
        .kind = (uint8_t)kind,
        .conn = conn,
        .generation = w->line[conn].generation,
        .bytes = (uint32_t)MIN(bytes, WS_LWS_PIECE_BYTES),
    };

    put_piece(w, &head, data);
    wake_core(w);
}

static void
down(struct ws_lws *w, uint32_t conn, const char *why)
{
    struct line *l = &w->line[conn];

    if (!l->asked)
        return;
    l->asked = false;
    l->up = false;
    l->wsi = NULL;
    l->send_count = 0;
    tell(w, conn, WS_LWS_DOWN, why, strlen(why) + 1);
}

/* The data of one callback, cut into pieces. */
static void
deliver(struct ws_lws *w, uint32_t conn, struct lws *wsi, const uint8_t *in, size_t len)
{
    struct line *l = &w->line[conn];
    bool last = lws_is_final_fragment(wsi) != 0 && lws_remaining_packet_payload(wsi) == 0;
    bool first = !l->in_message;

    do {
        size_t n = MIN(len, WS_LWS_PIECE_BYTES);
        const struct ws_lws_piece head = {
            .kind = WS_LWS_DATA,
            .opcode = lws_frame_is_binary(wsi) != 0 ? 2 : 1,
            .first = first,
            .last = last && n == len,
            .conn = conn,
            .generation = l->generation,
            .bytes = (uint32_t)n,
        };
        put_piece(w, &head, in);
        in += n;
        len -= n;
        first = false;
    } while (len > 0);
    l->in_message = !last;
    wake_core(w);
}

/* ---- from the core ---- */

/* `address` is an address, or a name when a proxy is to find it; the venue's own name stands in Host and SNI. */
static void
connect_to(struct ws_lws *w, uint32_t conn, const char *address)
{
    struct line *l = &w->line[conn];
    const struct endpoint *ep = &w->cfg.conn[conn].endpoint;
    const int flags = LCCSCF_PRIORITIZE_READS | LCCSCF_HTTP_NO_FOLLOW_REDIRECT; /* a redirect is a refusal */
    char host[ENDPOINT_HOST_BYTES + 10];

    endpoint_host_header(ep, host);
    const struct lws_client_connect_info info = {
        .context = w->context,
        .vhost = l->vhost,
        .address = address,
        .port = ep->port,
        .path = ep->path,
        .host = host,
        .ssl_connection = ep->tls ? LCCSCF_USE_SSL | flags : flags,
        .alpn = "http/1.1",
        .local_protocol_name = "execgw",
        .opaque_user_data = (void *)(uintptr_t)(conn + 1),
        .pwsi = &l->wsi,
    };
    if (lws_client_connect_via_info(&info) == NULL)
        down(w, conn, "libwebsockets could not begin to connect"); /* where its callback has not said more */
}

static void
forget_lookup(struct line *l)
{
    if (l->lookup != NULL)
        lookup_release(l->lookup);
    l->lookup = NULL;
}

/* libwebsockets resolves on its own thread, which serves every connection: an address does not make it wait. */
static void
begin(struct ws_lws *w, uint32_t conn, uint32_t generation)
{
    struct line *l = &w->line[conn];
    const struct ws_lws_conn *c = &w->cfg.conn[conn];
    struct addresses numeric;

    forget_lookup(l);
    if (l->wsi != NULL)
        lws_set_timeout(l->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC); /* of an OPEN that nobody closed */
    *l = (struct line){ .vhost = l->vhost, .attempts = l->attempts, .generation = generation, .asked = true };
    if (c->proxy_host[0] != '\0' || lookup_numeric(&c->endpoint, &numeric)) {
        connect_to(w, conn, c->endpoint.host);
        return;
    }
    l->lookup = lookup_start(&c->endpoint, w->request_fd);
    if (l->lookup == NULL)
        down(w, conn, "no thread or descriptor left to look up the name with");
}

/* Connects to an IPv4 address of the name, each time to the next one: the others are not tried at once. */
static void
looked_up(struct ws_lws *w, uint32_t conn)
{
    struct line *l = &w->line[conn];
    const struct addresses *a = &l->lookup->addresses;
    char text[INET_ADDRSTRLEN] = "";

    for (uint32_t i = 0; i < a->count && text[0] == '\0'; i++) {
        const struct sockaddr_storage *s = &a->at[l->attempts++ % a->count];
        if (s->ss_family == AF_INET)
            (void)inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)s)->sin_addr, text, sizeof(text));
    }
    if (text[0] == '\0') {
        struct fault f;
        (void)FAULT(&f, "%.100s: %.130s", w->cfg.conn[conn].endpoint.host,
                    a->count == 0 ? l->lookup->fault.text : "the name has no IPv4 address");
        forget_lookup(l);
        down(w, conn, f.text);
        return;
    }
    forget_lookup(l);
    connect_to(w, conn, text);
}

static void
take_lookups(struct ws_lws *w)
{
    for (uint32_t i = 0; i < WS_LWS_CONNS; i++)
        if (w->line[i].lookup != NULL && lookup_done(w->line[i].lookup))
            looked_up(w, i);
}

static void
end(struct ws_lws *w, uint32_t conn, uint32_t generation)
{
    struct line *l = &w->line[conn];

    if (!l->asked || l->generation != generation)
        return;
    l->ending = true;
    forget_lookup(l);
    if (l->wsi != NULL)
        lws_set_timeout(l->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
    else
        down(w, conn, "closed by us");
}

static void
queue_send(struct ws_lws *w, const struct request *rq)
{
    struct line *l = &w->line[rq->conn];

    if (!l->up || l->generation != rq->generation || l->ending || rq->opcode == 8)
        return; /* a close frame of ours: end() follows it */
    if (l->send_count == SENDS_MAX) {
        end(w, rq->conn, rq->generation); /* nothing may be dropped silently */
        return;
    }
    uint32_t at = (l->send_head + l->send_count++) % SENDS_MAX;
    l->send[at].opcode = rq->opcode;
    l->send[at].bytes = rq->bytes;
    memcpy(l->send[at].data + LWS_PRE, rq->data, rq->bytes);
    (void)lws_callback_on_writable(l->wsi);
}

static void
take_requests(struct ws_lws *w)
{
    do {
        const struct request *rq;
        ring_reader_awake(&w->from_core);
        while ((rq = (const struct request *)ring_peek(&w->from_core)) != NULL) {
            switch ((enum request_kind)rq->kind) {
            case REQUEST_OPEN: begin(w, rq->conn, rq->generation); break;
            case REQUEST_CLOSE: end(w, rq->conn, rq->generation); break;
            case REQUEST_SEND: queue_send(w, rq); break;
            }
            ring_release(&w->from_core);
        }
    } while (!ring_reader_sleep(&w->from_core));
}

static int
write_next(struct line *l, struct lws *wsi)
{
    static const enum lws_write_protocol how[] = {
        [1] = LWS_WRITE_TEXT, [2] = LWS_WRITE_BINARY, [9] = LWS_WRITE_PING, [10] = LWS_WRITE_PONG
    };

    if (l->send_count == 0)
        return 0;
    uint32_t at = l->send_head;
    if (l->send[at].opcode < ARRAY_LEN(how) && l->send[at].opcode != 10 &&
        lws_write(wsi, l->send[at].data + LWS_PRE, l->send[at].bytes, how[l->send[at].opcode]) < 0)
        return -1;
    l->send_head = (at + 1) % SENDS_MAX;
    if (--l->send_count > 0)
        (void)lws_callback_on_writable(wsi);
    return 0;
}

/* ---- libwebsockets' callbacks ---- */

/* The connection that could not be had; `what` is libwebsockets' own word, or NULL. */
static void
refused(struct ws_lws *w, uint32_t conn, struct lws *wsi, const char *what)
{
    const char *host = w->cfg.conn[conn].endpoint.host;
    unsigned status = lws_http_client_http_response(wsi);
    char why[400];

    if (w->line[conn].distrusted != NULL)
        (void)snprintf(why, sizeof(why), "%s: its certificate is not trusted: %s", host, w->line[conn].distrusted);
    else if (status != 0 && status != 101)
        (void)snprintf(why, sizeof(why), "%s: the upgrade was refused: HTTP %u", host, status);
    else
        (void)snprintf(why, sizeof(why), "%s: %s", host, what != NULL ? what : "libwebsockets could not connect");
    down(w, conn, why);
}

static int
on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    struct ws_lws *w = (struct ws_lws *)lws_context_user(lws_get_context(wsi));
    uintptr_t id = (uintptr_t)lws_get_opaque_user_data(wsi);
    uint32_t conn = (uint32_t)id - 1;

    if (reason == LWS_CALLBACK_RAW_RX_FILE) {
        uint64_t count;
        if (read(w->request_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
            return -1;
        if (atomic_load_explicit(&w->stop, memory_order_acquire))
            return 0;
        take_requests(w);
        take_lookups(w);
        return 0;
    }
    if (id == 0 || id > WS_LWS_CONNS)
        return 0;
    struct line *l = &w->line[conn];
    if (l->wsi != wsi)
        return 0; /* of a connection before this one */
    switch (reason) {
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        l->up = true;
        tell(w, conn, WS_LWS_UP, NULL, 0);
        return l->ending ? -1 : 0;
    case LWS_CALLBACK_OPENSSL_PERFORM_SERVER_CERT_VERIFICATION: /* user: its X509_STORE_CTX; len: passed so far */
        if (len == 0)
            l->distrusted = X509_verify_cert_error_string(X509_STORE_CTX_get_error((X509_STORE_CTX *)user));
        return len == 0;
    case LWS_CALLBACK_CLIENT_RECEIVE: deliver(w, conn, wsi, (const uint8_t *)in, len); return 0;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE: tell(w, conn, WS_LWS_END, in, MIN(len, CLOSE_CODE_MAX)); return 0;
    case LWS_CALLBACK_CLIENT_WRITEABLE: return write_next(l, wsi);
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR: refused(w, conn, wsi, (const char *)in); return 0;
    case LWS_CALLBACK_CLIENT_CLOSED: down(w, conn, l->ending ? "closed by us" : "closed by the peer"); return 0;
    case LWS_CALLBACK_WSI_DESTROY: down(w, conn, "closed by us"); return 0;
    default: return 0;
    }
}

static const struct lws_protocols protocols[] = {
    { .name = "execgw", .callback = on_lws, .rx_buffer_size = READ_BYTES }, { .name = NULL }
};

/* ---- start and end ---- */

static bool
make_vhost(struct ws_lws *w, uint32_t conn, struct fault *fault)
{
    const struct ws_lws_conn *c = &w->cfg.conn[conn];
    char name[16];
    const struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = protocols,
        .options =
            LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_DISABLE_IPV6 | LWS_SERVER_OPTION_VALIDATE_UTF8,
        .vhost_name = name,
        .client_ssl_ca_filepath = c->ca_file[0] != '\0' ? c->ca_file : NULL,
        .ssl_client_options_set = SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_RENEGOTIATION,
        .http_proxy_address = c->proxy_host[0] != '\0' ? c->proxy_host : NULL,
        .http_proxy_port = c->proxy_port,
        .timeout_secs = w->cfg.connect_timeout_s,
        .connect_timeout_secs = w->cfg.connect_timeout_s,
    };

    (void)snprintf(name, sizeof(name), "conn%u", conn);
    w->line[conn].vhost = lws_create_vhost(w->context, &info);
    return w->line[conn].vhost != NULL || FAULT(fault, "libwebsockets cannot be set up for %s%s%s", c->endpoint.host,
                                                c->ca_file[0] != '\0' ? " with ca_file " : "", c->ca_file);
}

static bool
make_context(struct ws_lws *w, struct fault *fault)
{
    const struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
        .gid = -1,
        .uid = -1,
        .pt_serv_buf_size = READ_BYTES,
        .user = w,
    };

    lws_set_log_level(0, NULL);
    w->context = lws_create_context(&info);
    if (w->context == NULL)
        return FAULT(fault, "libwebsockets cannot be set up");
    struct lws_vhost *any = NULL;
    for (uint32_t i = 0; i < WS_LWS_CONNS; i++) {
        if (w->cfg.conn[i].used && !make_vhost(w, i, fault))
            return false;
        if (w->cfg.conn[i].used && any == NULL)
            any = w->line[i].vhost;
    }
    ASSERT(any != NULL);
    lws_sock_file_fd_type fd = { .filefd = w->request_fd };
    w->bell = lws_adopt_descriptor_vhost(any, LWS_ADOPT_RAW_FILE_DESC, fd, "execgw", NULL);
    return w->bell != NULL || FAULT(fault, "libwebsockets cannot watch an eventfd");
}

static uint32_t
piece_count(const struct ws_lws_config *cfg)
{
    ASSERT((cfg->pieces & (cfg->pieces - 1)) == 0 && cfg->pieces >= WS_LWS_PIECES_MIN);
    return cfg->pieces;
}

static uint64_t
ask_room(const struct ws_lws_config *cfg)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < WS_LWS_CONNS; i++)
        n += cfg->conn[i].used ? ASKS_PER_CONN : 0;
    return n;
}

static uint64_t
request_count(const struct ws_lws_config *cfg)
{
    uint64_t n = SEND_REQUESTS;

    while (n < ask_room(cfg) + SEND_REQUESTS)
        n *= 2;
    return n;
}

size_t
ws_lws_footprint(const struct ws_lws_config *cfg)
{
    return arena_cost(sizeof(struct ws_lws)) +
           arena_cost(ring_footprint(piece_count(cfg), sizeof(struct ws_lws_piece))) +
           arena_cost(ring_footprint(request_count(cfg), sizeof(struct request)));
}

struct ws_lws *
ws_lws_init(const struct ws_lws_config *cfg, struct arena *arena, struct fault *fault)
{
    struct ws_lws *w = (struct ws_lws *)arena_take(arena, sizeof(*w));
    struct ring_mem *pieces =
        (struct ring_mem *)arena_take(arena, ring_footprint(piece_count(cfg), sizeof(struct ws_lws_piece)));
    uint64_t count = request_count(cfg);
    struct ring_mem *requests = (struct ring_mem *)arena_take(arena, ring_footprint(count, sizeof(struct request)));

    w->cfg = *cfg;
    ring_init(pieces, 0);
    ring_writer_init(&w->to_core, pieces, 0, cfg->pieces, sizeof(struct ws_lws_piece));
    ring_reader_init(&w->from_lws, pieces, 0, cfg->pieces, sizeof(struct ws_lws_piece));
    ring_init(requests, 0);
    ring_writer_init(&w->to_lws, requests, 0, count, sizeof(struct request));
    ring_reader_init(&w->from_core, requests, 0, count, sizeof(struct request));
    w->ask_room = ask_room(cfg);
    w->request_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->result_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->request_fd < 0 || w->result_fd < 0) {
        (void)FAULT(fault, "eventfd: %s", strerror(errno));
        return NULL;
    }
    return make_context(w, fault) ? w : NULL;
}

static void *
serve(void *ctx)
{
    struct ws_lws *w = (struct ws_lws *)ctx;

    take_requests(w);
    while (!atomic_load_explicit(&w->stop, memory_order_acquire) && lws_service(w->context, 0) >= 0)
        ;
    return NULL;
}

bool
ws_lws_start(struct ws_lws *w, struct fault *fault)
{
    if (pthread_create(&w->thread, NULL, serve, w) != 0)
        return FAULT(fault, "the libwebsockets thread cannot be started: %s", strerror(errno));
    (void)pthread_setname_np(w->thread, "execgw-lws");
    w->running = true;
    return true;
}

void
ws_lws_stop(struct ws_lws *w)
{
    const uint64_t one = 1;

    if (w->running) {
        atomic_store_explicit(&w->stop, true, memory_order_release);
        while (write(w->request_fd, &one, sizeof(one)) < 0 && errno == EINTR)
            ;
        (void)pthread_join(w->thread, NULL);
        w->running = false;
    }
    if (w->context != NULL) {
        for (uint32_t i = 0; i < WS_LWS_CONNS; i++) {
            w->line[i].asked = false; /* nobody listens any more */
            forget_lookup(&w->line[i]);
        }
        lws_context_destroy(w->context); /* closes request_fd, which it adopted */
        w->context = NULL;
        (void)close(w->result_fd);
    }
}

/* ---- the core's side ---- */

static bool
ask(struct ws_lws *w, enum request_kind kind, uint32_t conn, uint32_t generation, uint8_t opcode, const uint8_t *data,
    size_t bytes)
{
    struct request *rq = (struct request *)ring_claim(&w->to_lws);

    ASSERT(conn < WS_LWS_CONNS && w->cfg.conn[conn].used && bytes <= WS_LWS_SEND_BYTES);
    if (rq == NULL)
        return false;
    rq->kind = (uint8_t)kind;
    rq->opcode = opcode;
    rq->conn = conn;
    rq->generation = generation;
    rq->bytes = (uint32_t)bytes;
    if (bytes > 0)
        memcpy(rq->data, data, bytes);
    ring_commit(&w->to_lws);
    return true;
}

bool
ws_lws_open(struct ws_lws *w, uint32_t conn, uint32_t generation)
{
    return ask(w, REQUEST_OPEN, conn, generation, 0, NULL, 0);
}

bool
ws_lws_close(struct ws_lws *w, uint32_t conn, uint32_t generation)
{
    return ask(w, REQUEST_CLOSE, conn, generation, 0, NULL, 0);
}

bool
ws_lws_send_room(const struct ws_lws *w)
{
    return ring_room(&w->to_lws) > w->ask_room;
}

bool
ws_lws_send(struct ws_lws *w, uint32_t conn, uint32_t generation, uint8_t opcode, const uint8_t *data, size_t bytes)
{
    return ws_lws_send_room(w) && ask(w, REQUEST_SEND, conn, generation, opcode, data, bytes);
}

bool
ws_lws_wake_needed(struct ws_lws *w)
{
    return ring_wake_needed(&w->to_lws);
}

int
ws_lws_request_fd(const struct ws_lws *w)
{
    return w->request_fd;
}

const struct ws_lws_piece *
ws_lws_peek(struct ws_lws *w)
{
    return (const struct ws_lws_piece *)ring_peek(&w->from_lws);
}

void
ws_lws_done(struct ws_lws *w)
{
    ring_release(&w->from_lws);
}

int
ws_lws_result_fd(const struct ws_lws *w)
{
    return w->result_fd;
}

bool
ws_lws_core_sleep(struct ws_lws *w)
{
    return ring_reader_sleep(&w->from_lws);
}

void
ws_lws_core_awake(struct ws_lws *w)
{
    ring_reader_awake(&w->from_lws);
}
