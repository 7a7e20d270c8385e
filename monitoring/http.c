/* execgw-http: /metrics, /health and /ready of one gateway, in a process of its own.
 *
 * Started by execgw (its main thread) by fork and exec before any key is read; it gets the metric page as a descriptor
 * and, where POST /kill is served, the token of that and the name of the gateway's socket. A libwebsockets server; the
 * page is mapped read-only; nothing but that one request can reach the gateway.
 *
 *   execgw-http --metrics-fd N --listen ADDRESS:PORT --parent PID [--ready-fd N] [--remote]
 *               [--token-fd N --socket PATH]
 *
 * On --ready-fd it writes one line and closes it: `listening ADDRESS:PORT` (the port chosen for port 0), or `error:
 * ...`.
 *
 * TERM and INT reach the whole group when somebody stops the gateway: they are ignored, so that the wind-down can be
 * watched. The gateway ends it by HTTP_END_SIGNAL when it is done, the kernel when the gateway dies.
 *
 * Always true: it ends with its parent; it holds no descriptor but standard ones, the listening socket and those of its
 * clients, whose number is bounded (http_crowd.h: a crowd of idle ones keeps nobody out); it listens beyond loopback
 * only with --remote. */
#include "monitoring/http.h"
#include "monitoring/http_crowd.h"
#include "monitoring/http_kill.h"
#include "monitoring/metric_page.h"
#include "monitoring/prometheus.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libwebsockets.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FDS_MAX          (2 * HTTP_CROWD_MAX + 32) /* those that were told to go still hold theirs for a moment */
#define CHUNK_BYTES      16384u
#define BODY_BYTES       (256u * 1024u) /* first try; grows to what the page needs */
#define BODY_BYTES_MAX   (16u * 1024u * 1024u)
#define HEARTBEAT_OLD_NS (5 * NS_PER_S)
#define SAMPLE_US        500000
#define HEADER_BYTES     1024

struct http_args {
    int metrics_fd;
    int ready_fd;
    int token_fd; /* -1: no POST /kill */
    const char *socket;
    pid_t parent;
    bool remote;
    char address[64];
    int port;
};

struct server {
    const struct metric_page *page;
    struct lws_context *lws;
    pid_t parent;
    int64_t heartbeat;            /* last value seen */
    int64_t heartbeat_changed_ns; /* monotonic; 0 = never */
    lws_sorted_usec_list_t sampler;
    struct http_kill kill;
    struct http_crowd crowd;
};

/* What libwebsockets keeps per connection for us: the answer being sent. */
struct session {
    uint8_t *body; /* LWS_PRE bytes before the text */
    size_t len;
    size_t sent;
};

static volatile sig_atomic_t stop_asked;
static struct server server;

static int64_t
mono_now_ns(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* ---- the gateway's state ----------------------------------------------------------------------------------------- */

static void
heartbeat_sample(struct server *s)
{
    int64_t now = metric_get(s->page, METRIC_HEARTBEAT, 0);

    if (now != s->heartbeat) {
        s->heartbeat = now;
        s->heartbeat_changed_ns = mono_now_ns();
    }
}

/* The server sees its end and frees it. */
static void
hang_up(int fd)
{
    if (fd >= 0)
        (void)shutdown(fd, SHUT_RDWR);
}

static void
on_sampler(lws_sorted_usec_list_t *sul)
{
    int fd;

    heartbeat_sample(&server);
    while ((fd = http_crowd_late(&server.crowd, mono_now_ns())) >= 0)
        hang_up(fd);
    lws_sul_schedule(server.lws, 0, sul, on_sampler, SAMPLE_US);
}

static bool
healthy(struct server *s)
{
    heartbeat_sample(s);
    return s->heartbeat != 0 && mono_now_ns() - s->heartbeat_changed_ns <= HEARTBEAT_OLD_NS;
}

/* One number of a /proc file that starts with `key`; -1 when it is not there. */
static int64_t
proc_number(const char *path, const char *key)
{
    char line[512];
    long long n = -1;
    FILE *f = fopen(path, "re");

    if (f == NULL)
        return -1;
    while (fgets(line, sizeof(line), f) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0) {
            char *end;
            n = strtoll(line + strlen(key), &end, 10);
            if (end == line + strlen(key))
                n = -1;
            break;
        }
    }
    (void)fclose(f);
    return n;
}

/* Open descriptors of a process; -1 when it may not be asked. */
static int64_t
proc_fds(pid_t pid)
{
    char path[64];
    int64_t n = 0;

    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    DIR *d = opendir(path);
    if (d == NULL)
        return -1;
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d))
        n += e->d_name[0] != '.';
    (void)closedir(d);
    return n;
}

/* proc(5), /proc/PID/stat: fields 14 utime, 15 stime, 22 starttime (ticks), 23 vsize (bytes), 24 rss (pages). */
static struct prometheus_process
process_read(pid_t pid)
{
    struct prometheus_process p = { 0 };
    char path[64];
    char text[1024];
    long long field[25] = { 0 };

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return p;
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    (void)fclose(f);
    text[n] = '\0';
    char *at = strrchr(text, ')'); /* the command's name may hold anything */
    if (at == NULL || at[1] == '\0' || at[2] == '\0')
        return p;
    at += 3; /* past ") S" */
    for (unsigned i = 4; i < ARRAY_LEN(field); i++) {
        char *end;
        field[i] = strtoll(at, &end, 10);
        if (end == at)
            return p;
        at = end;
    }
    int64_t tick_ms = 1000 / sysconf(_SC_CLK_TCK);
    int64_t boot_s = proc_number("/proc/stat", "btime ");
    (void)snprintf(path, sizeof(path), "/proc/%d/limits", (int)pid);
    p = (struct prometheus_process){ .known = true,
                                     .start_time_ms = boot_s < 0 ? -1 : boot_s * 1000 + field[22] * tick_ms,
                                     .cpu_ms = (field[14] + field[15]) * tick_ms,
                                     .virtual_bytes = field[23],
                                     .resident_bytes = field[24] * sysconf(_SC_PAGESIZE),
                                     .open_fds = proc_fds(pid),
                                     .max_fds = proc_number(path, "Max open files") };
    return p;
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

/* Text being collected for a short answer. */
struct reply {
    unsigned status;
    const char *type;
    char text[2048];
    size_t n;
};

__attribute__((format(printf, 2, 3))) static void
reply_add(struct reply *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int w = vsnprintf(r->text + r->n, sizeof(r->text) - r->n, format, args);
    va_end(args);
    if (w > 0)
        r->n = MIN(r->n + (size_t)w, sizeof(r->text) - 1);
}

static void
reply_health(struct reply *r)
{
    bool ok = healthy(&server);
    r->status = ok ? 200 : 503;
    r->type = "application/json";
    reply_add(r, "{\"healthy\":%s%s}\n", ok ? "true" : "false",
              ok                      ? ""
              : server.heartbeat == 0 ? ",\"reason\":\"the gateway's loop has not started\""
                                      : ",\"reason\":\"the gateway's heartbeat has stopped\"");
}

/* Why not: what must hold is read from the same metrics that the gateway decides from. */
static void
reply_ready(struct reply *r)
{
    const struct metric_page *p = server.page;
    bool alive = healthy(&server);
    bool ready = alive && metric_get(p, METRIC_READY, 0) == 1;
    const char *comma = "";

    r->status = ready ? 200 : 503;
    r->type = "application/json";
    reply_add(r, "{\"ready\":%s,\"reasons\":[", ready ? "true" : "false");
    if (!alive) {
        reply_add(r, "\"the gateway's loop is not running\"");
        comma = ",";
    }
    if (!ready && metric_get(p, METRIC_BOOKS_IN_SYNC, 0) == 0) {
        reply_add(r, "%s\"no book is in sync (%lld configured)\"", comma,
                  (long long)metric_get(p, METRIC_BOOKS_CONFIGURED, 0));
        comma = ",";
    }
    for (uint32_t v = 0; !ready && v < VENUE_MAX; v++) {
        if (atomic_load_explicit(&p->venue[v].shown, memory_order_acquire) != 0 &&
            metric_get(p, METRIC_ORDER_ENTRY_READY, v) == 0) {
            reply_add(r, "%s\"order entry of %s is not logged on\"", comma, p->venue[v].text);
            comma = ",";
        }
    }
    if (!ready && metric_get(p, METRIC_JOURNAL_ERRORS, 0) > 0) {
        reply_add(r, "%s\"the journal cannot be written: no new orders, cancels still go out\"", comma);
        comma = ",";
    }
    if (!ready && *comma == '\0')
        reply_add(r, "\"the gateway is not ready yet\"");
    reply_add(r, "]}\n");
}

static void
reply_index(struct reply *r)
{
    r->status = 200;
    r->type = "text/plain; charset=utf-8";
    reply_add(r,
              "execgw %s\n\n/metrics  Prometheus text\n/health   200 while the trading loop runs\n"
              "/ready    200 while orders can be sent: a book in sync, order entry logged on\n%s",
              server.page->build_version,
              server.kill.token_len != 0 ? "/kill     POST with Authorization: Bearer TOKEN trips the kill switch\n"
                                         : "");
}

static void
reply_error(struct reply *r, unsigned status, const char *text)
{
    r->status = status;
    r->type = "text/plain; charset=utf-8";
    reply_add(r, "%s\n", text);
}

/* The answer is out, or is not wanted. */
static int
answered(struct lws *wsi, struct session *s)
{
    free(s->body);
    *s = (struct session){ 0 };
    http_crowd_answered(&server.crowd, wsi, mono_now_ns());
    return lws_http_transaction_completed(wsi);
}

/* Send status and headers; the body (already in the session) follows when the socket takes it. head: no body. */
static int
respond(struct lws *wsi, struct session *s, unsigned status, const char *type, bool head)
{
    uint8_t header[LWS_PRE + HEADER_BYTES];
    uint8_t *start = header + LWS_PRE;
    uint8_t *p = start;
    uint8_t *end = header + sizeof(header);
    static const unsigned char allow[] = "GET, HEAD";
    static const unsigned char no_store[] = "no-store";

    if (lws_add_http_common_headers(wsi, status, type, s->len, &p, end) != 0 ||
        (status == 405 && lws_add_http_header_by_name(wsi, (const unsigned char *)"allow:", allow,
                                                      (int)sizeof(allow) - 1, &p, end) != 0) ||
        lws_add_http_header_by_name(wsi, (const unsigned char *)"cache-control:", no_store, (int)sizeof(no_store) - 1,
                                    &p, end) != 0 ||
        lws_finalize_write_http_header(wsi, start, &p, end) != 0)
        return 1;
    if (head || s->len == 0)
        return answered(wsi, s);
    lws_callback_on_writable(wsi);
    return 0;
}

static bool
session_body(struct session *s, size_t room)
{
    free(s->body);
    *s = (struct session){ .body = malloc(LWS_PRE + room) };
    return s->body != NULL;
}

static int
respond_reply(struct lws *wsi, struct session *s, const struct reply *r, bool head)
{
    if (!session_body(s, r->n))
        return 1;
    memcpy(s->body + LWS_PRE, r->text, r->n);
    s->len = r->n;
    return respond(wsi, s, r->status, r->type, head);
}

static int
respond_metrics(struct lws *wsi, struct session *s, bool head)
{
    static size_t room = BODY_BYTES; /* what the last page needed */
    struct prometheus_process process = process_read(server.parent);
    int64_t fds = atomic_load_explicit(&server.page->open_fds, memory_order_relaxed);

    if (process.open_fds < 0 && fds > 0)
        process.open_fds = fds; /* a gateway that hides its memory hides its descriptors too */
    heartbeat_sample(&server);
    for (unsigned tries = 0; tries < 4 && room <= BODY_BYTES_MAX; tries++) {
        if (!session_body(s, room))
            return 1;
        s->len = prometheus_render(server.page, &process, (char *)s->body + LWS_PRE, room);
        if (s->len <= room)
            return respond(wsi, s, 200, PROMETHEUS_CONTENT_TYPE, head);
        room = s->len + s->len / 8; /* names appear while we look */
    }
    return 1;
}

static int
respond_kill(struct lws *wsi, struct session *s)
{
    char authorization[HTTP_KILL_TOKEN_MAX + 16] = "";
    struct reply r = { .type = "application/json" };

    if (lws_hdr_copy(wsi, authorization, (int)sizeof(authorization), WSI_TOKEN_HTTP_AUTHORIZATION) < 0)
        authorization[0] = '\0';
    r.status = http_kill(&server.kill, authorization, mono_now_ns(), r.text, sizeof(r.text));
    r.n = strlen(r.text);
    explicit_bzero(authorization, sizeof(authorization));
    return respond_reply(wsi, s, &r, false);
}

static int
on_request(struct lws *wsi, struct session *s, const char *path)
{
    static const struct {
        const char *path;
        void (*make)(struct reply *);
    } pages[] = { { "/", reply_index }, { "/health", reply_health }, { "/ready", reply_ready } };
    bool head = lws_hdr_total_length(wsi, WSI_TOKEN_HEAD_URI) > 0;
    struct reply r = { 0 };

    if (server.kill.token_len != 0 && lws_hdr_total_length(wsi, WSI_TOKEN_POST_URI) > 0 && strcmp(path, "/kill") == 0)
        return respond_kill(wsi, s);
    if (!head && lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) == 0) {
        reply_error(&r, 405, "method not allowed, expected GET or HEAD");
        /* A body that may follow is not read: the connection ends with the answer. */
        return respond_reply(wsi, s, &r, false);
    }
    if (strcmp(path, "/metrics") == 0)
        return respond_metrics(wsi, s, head);
    for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
        if (strcmp(path, pages[i].path) == 0) {
            pages[i].make(&r);
            return respond_reply(wsi, s, &r, head);
        }
    }
    reply_error(&r, 404, "not found, expected /metrics, /health or /ready");
    return respond_reply(wsi, s, &r, head);
}

static int
on_writable(struct lws *wsi, struct session *s)
{
    if (s->body == NULL)
        return 0;
    size_t n = MIN(s->len - s->sent, CHUNK_BYTES);
    bool last = s->sent + n == s->len;
    if (lws_write(wsi, s->body + LWS_PRE + s->sent, n, last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < (int)n)
        return 1;
    s->sent += n;
    if (!last) {
        hang_up(http_crowd_sending(&server.crowd, wsi, mono_now_ns()));
        lws_callback_on_writable(wsi);
        return 0;
    }
    return answered(wsi, s) != 0 ? -1 : 0;
}

static int
on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    struct session *s = user;

    (void)len;
    switch (reason) {
    case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
        hang_up(http_crowd_join(&server.crowd, wsi, lws_get_socket_fd(wsi), mono_now_ns()));
        return 0;
    case LWS_CALLBACK_WSI_DESTROY: http_crowd_leave(&server.crowd, wsi); return 0;
    case LWS_CALLBACK_HTTP: http_crowd_asked(&server.crowd, wsi, mono_now_ns()); return on_request(wsi, s, in);
    case LWS_CALLBACK_HTTP_WRITEABLE: return on_writable(wsi, s);
    case LWS_CALLBACK_CLOSED_HTTP:
    case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
        if (s != NULL) {
            free(s->body);
            *s = (struct session){ 0 };
        }
        return 0;
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION: return 1; /* plain HTTP only */
    default: return 0;
    }
}

/* ---- start ------------------------------------------------------------------------------------------------------- */

static void
on_signal(int sig)
{
    (void)sig;
    stop_asked = 1; /* seen when the signal ends the server's wait, or by the next sample */
}

/* One line to the parent, and the pipe is closed. */
__attribute__((format(printf, 2, 3))) static void
tell_parent(int fd, const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (fd < 0 || n < 0)
        return;
    if (write(fd, line, MIN((size_t)n, sizeof(line) - 1)) < 0)
        (void)fprintf(stderr, "execgw-http: the gateway does not listen: %s\n", strerror(errno));
    (void)close(fd);
}

static bool
number_read(const char *text, long lo, long hi, long *out)
{
    char *end;
    errno = 0;
    *out = strtol(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *out >= lo && *out <= hi;
}

static bool
listen_read(const char *text, struct http_args *a)
{
    const char *colon = strrchr(text, ':');
    long port;
    size_t n = colon != NULL ? (size_t)(colon - text) : 0;

    if (n == 0 || n >= sizeof(a->address) || !number_read(colon + 1, 0, 65535, &port))
        return false;
    if (*text == '[' && text[n - 1] == ']')
        (void)snprintf(a->address, sizeof(a->address), "%.*s", (int)n - 2, text + 1);
    else
        (void)snprintf(a->address, sizeof(a->address), "%.*s", (int)n, text);
    if (strcmp(a->address, "localhost") == 0)
        (void)snprintf(a->address, sizeof(a->address), "127.0.0.1");
    a->port = (int)port;
    return true;
}

static bool
address_ipv6(const char *address)
{
    return strchr(address, ':') != NULL;
}

/* A numeric address, and a loopback one unless remote is meant. */
static bool
address_check(const struct http_args *a, struct fault *fault)
{
    struct in_addr v4;
    struct in6_addr v6;
    bool loopback;

    if (inet_pton(AF_INET, a->address, &v4) == 1)
        loopback = (ntohl(v4.s_addr) >> 24) == 127;
    else if (inet_pton(AF_INET6, a->address, &v6) == 1)
        loopback = IN6_IS_ADDR_LOOPBACK(&v6);
    else
        return FAULT(fault, "\"%s\" is no address, expected a number such as 127.0.0.1", a->address);
    if (!loopback && !a->remote)
        return FAULT(fault, "\"%s\" is beyond loopback, expected --remote when that is meant", a->address);
    return true;
}

static bool
args_read(int argc, char **argv, struct http_args *a, const char **wrong)
{
    long n;
    bool listen = false;

    *a = (struct http_args){ .metrics_fd = -1, .ready_fd = -1, .token_fd = -1, .socket = "", .parent = -1 };
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        *wrong = argv[i];
        if (strcmp(argv[i], "--remote") == 0) {
            a->remote = true;
            continue;
        }
        if (strcmp(argv[i], "--metrics-fd") == 0 && number_read(value, 0, 65535, &n))
            a->metrics_fd = (int)n;
        else if (strcmp(argv[i], "--ready-fd") == 0 && number_read(value, 0, 65535, &n))
            a->ready_fd = (int)n;
        else if (strcmp(argv[i], "--token-fd") == 0 && number_read(value, 0, 65535, &n))
            a->token_fd = (int)n;
        else if (strcmp(argv[i], "--socket") == 0 && *value != '\0')
            a->socket = value;
        else if (strcmp(argv[i], "--parent") == 0 && number_read(value, 1, INT32_MAX, &n))
            a->parent = (pid_t)n;
        else if (strcmp(argv[i], "--listen") == 0 && listen_read(value, a))
            listen = true;
        else
            return false;
        i++;
    }
    *wrong = "a command line without --metrics-fd, --listen or --parent";
    return listen && a->metrics_fd >= 0 && a->parent > 0;
}

/* Close every inherited descriptor that we were not given on purpose. */
static void
descriptors_close(const struct http_args *a)
{
    const int keep[] = { a->metrics_fd, a->ready_fd, a->token_fd };
    unsigned from = 3;

    for (;;) { /* one range a round, from one kept descriptor to the next */
        unsigned next = ~0u;
        for (size_t i = 0; i < ARRAY_LEN(keep); i++)
            if (keep[i] >= 0 && (unsigned)keep[i] >= from && (unsigned)keep[i] < next)
                next = (unsigned)keep[i];
        if (next > from)
            (void)close_range(from, next == ~0u ? ~0u : next - 1, 0);
        if (next == ~0u)
            return;
        from = next + 1;
    }
}

/* Nothing that a scrape needs is lost: no new privileges, no capabilities, no dumps, no files, few descriptors. */
static void
privileges_drop(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[2] = { { 0 }, { 0 } };
    const struct rlimit fds = { FDS_MAX + 32, FDS_MAX + 32 }; /* the server's own limit comes first: no EMFILE */
    const struct rlimit zero = { 0, 0 };

    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#ifndef EXECGW_SANITIZED /* the leak checker attaches to us */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
    (void)setrlimit(RLIMIT_NOFILE, &fds);
    (void)setrlimit(RLIMIT_CORE, &zero);
    (void)setrlimit(RLIMIT_FSIZE, &zero);
    (void)syscall(SYS_capset, &header, none);
    if (chdir("/") != 0)
        (void)fprintf(stderr, "execgw-http: stays in its folder: %s\n", strerror(errno));
}

static bool
server_start(const struct http_args *a, int *port, struct fault *fault)
{
    static const struct lws_protocols protocols[] = {
        { .name = "http", .callback = on_lws, .per_session_data_size = sizeof(struct session) },
        { .name = NULL },
    };
    struct lws_context_creation_info info = { 0 };

    lws_set_log_level(0, NULL); /* what clients send must not fill the gateway's standard error */
    info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND |
                   LWS_SERVER_OPTION_HTTP_HEADERS_SECURITY_BEST_PRACTICES_ENFORCE;
    if (!address_ipv6(a->address))
        info.options |= LWS_SERVER_OPTION_DISABLE_IPV6;
    info.port = a->port;
    info.iface = a->address;
    info.protocols = protocols;
    info.fd_limit_per_thread = FDS_MAX;
    info.max_http_header_pool = FDS_MAX;
    info.max_http_header_data = 2048;
    info.keepalive_timeout = 30;
    info.timeout_secs = 5;
    info.server_string = "execgw";
    info.gid = -1;
    info.uid = -1;
    server.lws = lws_create_context(&info);
    if (server.lws == NULL)
        return FAULT(fault, "the HTTP server cannot be made");
    struct lws_vhost *vhost = lws_create_vhost(server.lws, &info);
    if (vhost == NULL)
        return FAULT(fault, "%s port %d cannot be listened on, expected a free port", a->address, a->port);
    *port = lws_get_vhost_listen_port(vhost);
    return true;
}

static int
run(const struct http_args *a, struct fault *fault)
{
    int port = 0;

    if (!address_check(a, fault))
        return EXIT_USAGE;
    server.page = metric_page_map(a->metrics_fd, fault);
    if (server.page == NULL)
        return EXIT_FAILED;
    (void)close(a->metrics_fd);
    server.parent = a->parent;
    server.kill.gateway = a->parent;
    (void)snprintf(server.kill.socket, sizeof(server.kill.socket), "%s", a->socket);
    if (a->token_fd >= 0 && !http_kill_token(&server.kill, a->token_fd, fault))
        return EXIT_CONFIG;
    if (!server_start(a, &port, fault))
        return EXIT_UNAVAILABLE;
    privileges_drop();
    tell_parent(a->ready_fd, address_ipv6(a->address) ? "listening [%s]:%d\n" : "listening %s:%d\n", a->address, port);
    on_sampler(&server.sampler);
    while (stop_asked == 0 && lws_service(server.lws, 0) >= 0) {
    }
    lws_context_destroy(server.lws);
    return EXIT_OK;
}

static void
usage(void)
{
    (void)fprintf(stdout,
                  "usage: execgw-http --metrics-fd N --listen ADDRESS:PORT --parent PID [--ready-fd N] [--remote]\n"
                  "                   [--token-fd N --socket PATH]\nIt is started by execgw.\n");
}

int
main(int argc, char **argv)
{
    struct http_args a;
    struct fault fault = { "" };

    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("execgw-http %s\n", EXECGW_VERSION);
        return EXIT_OK;
    }
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        usage();
        return EXIT_OK;
    }
    const char *wrong = "";
    if (!args_read(argc, argv, &a, &wrong)) {
        (void)fprintf(stderr, "execgw-http: %s: not what is expected; execgw starts this program, see --help\n", wrong);
        return EXIT_USAGE;
    }
    /* Ends with its parent, also when that was gone before we asked for the signal. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != a.parent) {
        tell_parent(a.ready_fd, "error: the gateway (pid %d) is not the parent\n", (int)a.parent);
        return EXIT_FAILED;
    }
    descriptors_close(&a);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(HTTP_END_SIGNAL, on_signal);
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN);
    int rc = run(&a, &fault);
    if (rc != EXIT_OK && a.ready_fd >= 0) /* who started us says it, in his own sentence */
        tell_parent(a.ready_fd, "error: %s\n", fault.text);
    else if (rc != EXIT_OK)
        (void)fprintf(stderr, "execgw-http: %s\n", fault.text);
    return rc;
}
