/* One attempt to reach an endpoint. See attempt.h. */
#include "engine/io/attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

mono_ns_t
attempt_clock(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (mono_ns_t){ ts.tv_sec * NS_PER_S + ts.tv_nsec };
}

/* ---- the end ---- */

static void
attempt_let_go(struct attempt *a)
{
    if (a->lookup != NULL)
        lookup_release(a->lookup);
    a->lookup = NULL;
    tls_free(a->tls);
    if (a->fd >= 0)
        (void)close(a->fd);
    a->fd = -1;
}

/* "wss://host:port: why". The path stays out of it. */
static bool
attempt_fail(struct attempt *a, const char *why)
{
    char host[ENDPOINT_HOST_BYTES + 10];

    endpoint_host_header(&a->endpoint, host);
    (void)FAULT(&a->fault, "%s://%.80s: %.150s", a->endpoint.tls ? "wss" : "ws", host, why);
    attempt_let_go(a);
    a->phase = ATTEMPT_FAILED;
    return true;
}

static bool
attempt_fail_errno(struct attempt *a, const char *what, int err)
{
    char why[160];

    (void)snprintf(why, sizeof(why), "%s %s: %s", what, a->address_text, strerror(err));
    return attempt_fail(a, why);
}

void
attempt_abort(struct attempt *a, const char *why)
{
    if (a->phase != ATTEMPT_IDLE && a->phase != ATTEMPT_FAILED)
        (void)attempt_fail(a, why);
}

static bool
attempt_timed_out(struct attempt *a)
{
    static const char *const doing[] = {
        [ATTEMPT_RESOLVE] = "looking up the name",
        [ATTEMPT_CONNECT] = "connecting to",
        [ATTEMPT_HANDSHAKE] = "in the TLS handshake with",
        [ATTEMPT_UPGRADE] = "waiting for the WebSocket upgrade by",
    };
    char why[160];

    (void)snprintf(why, sizeof(why), "no answer within %u ms, %s %s", a->deadline_ms, doing[a->phase], a->address_text);
    return attempt_fail(a, why);
}

/* ---- TCP ---- */

static void
address_name(struct attempt *a, const struct sockaddr_storage *s)
{
    char host[46] = "?";

    (void)getnameinfo((const struct sockaddr *)s, sizeof(*s), host, sizeof(host), NULL, 0, NI_NUMERICHOST);
    (void)snprintf(a->address_text, sizeof(a->address_text), "%s", host);
}

static int
socket_to(const struct sockaddr_storage *s)
{
    int one = 1;
    int fd = socket(s->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    socklen_t len = s->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    if (connect(fd, (const struct sockaddr *)s, len) == 0 || errno == EINPROGRESS)
        return fd;
    int err = errno;
    (void)close(fd);
    return -err;
}

/* The next address that takes a connect; each gets an equal part of the time that is left. */
static bool
connect_next(struct attempt *a, mono_ns_t now, int err)
{
    if (a->fd >= 0)
        (void)close(a->fd);
    a->fd = -1;
    while (a->address_next < a->address.count) {
        uint32_t left = a->address.count - a->address_next;
        const struct sockaddr_storage *s = &a->address.at[a->address_next++];
        address_name(a, s);
        int fd = socket_to(s);
        if (fd >= 0) {
            a->fd = fd;
            a->phase = ATTEMPT_CONNECT;
            a->address_deadline = mono_after(now, mono_since(a->deadline, now) / left);
            return false;
        }
        err = -fd;
    }
    return attempt_fail_errno(a, "connect to", err);
}

static bool
step_resolve(struct attempt *a, mono_ns_t now)
{
    const struct lookup *k = a->lookup;

    if (!lookup_done(k))
        return false;
    if (k->addresses.count == 0)
        return attempt_fail(a, k->fault.text);
    a->address = k->addresses;
    lookup_release(a->lookup);
    a->lookup = NULL;
    return connect_next(a, now, EADDRNOTAVAIL);
}

/* ---- bytes ---- */

/* Give `out` to the socket. False when the connection failed (a->phase is FAILED). */
static bool
flush_out(struct attempt *a)
{
    while (a->out_off < a->out_len) {
        ssize_t n = send(a->fd, a->out + a->out_off, a->out_len - a->out_off, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return true;
        if (n < 0)
            return !attempt_fail_errno(a, "send to", errno);
        a->out_off += (uint32_t)n;
    }
    a->out_off = 0;
    a->out_len = 0;
    return true;
}

/* Read what is there. 1 something new, 0 nothing yet, -1 the connection ended (FAILED). */
static int
fill_in(struct attempt *a)
{
    if (a->in_off == a->in_len) {
        a->in_off = 0;
        a->in_len = 0;
    }
    if (a->in_len == sizeof(a->in)) {
        memmove(a->in, a->in + a->in_off, a->in_len - a->in_off);
        a->in_len -= a->in_off;
        a->in_off = 0;
    }
    if (a->in_len == sizeof(a->in))
        return attempt_fail(a, "more bytes than a handshake can have, and no end of it") ? -1 : 0;
    ssize_t n;
    do {
        n = recv(a->fd, a->in + a->in_len, sizeof(a->in) - a->in_len, 0);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        a->in_len += (uint32_t)n;
        return 1;
    }
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    if (n == 0)
        return attempt_fail(a, a->phase == ATTEMPT_HANDSHAKE ? "closed by the peer during the TLS handshake"
                                                             : "closed by the peer before the WebSocket upgrade")
                   ? -1
                   : 0;
    return attempt_fail_errno(a, "receive from", errno) ? -1 : 0;
}

/* ---- TLS and HTTP ---- */

static void
tls_lend(struct attempt *a)
{
    tls_set_in(a->tls, a->in + a->in_off, a->in_len - a->in_off);
    tls_set_out(a->tls, a->out + a->out_len, sizeof(a->out) - a->out_len);
}

static void
tls_return(struct attempt *a)
{
    a->in_off = a->in_len - (uint32_t)a->tls->in_bytes;
    a->out_len += (uint32_t)a->tls->out_bytes;
    tls_set_in(a->tls, NULL, 0);
    tls_set_out(a->tls, NULL, 0);
}

static bool
attempt_fail_tls(struct attempt *a)
{
    struct fault f;

    tls_fault(a->tls, "", &f);
    if (a->out_off < a->out_len) /* the alert that tells the peer why; not worth waiting for */
        (void)send(a->fd, a->out + a->out_off, a->out_len - a->out_off, MSG_NOSIGNAL | MSG_DONTWAIT);
    return attempt_fail(a, f.text + 2); /* without the empty "where" and its colon */
}

static bool
upgrade_start(struct attempt *a)
{
    char host[ENDPOINT_HOST_BYTES + 10];
    uint8_t request[ATTEMPT_OUT_BYTES / 2];

    a->phase = ATTEMPT_UPGRADE;
    if (getrandom(a->nonce, sizeof(a->nonce), 0) != (ssize_t)sizeof(a->nonce))
        return attempt_fail(a, "the kernel gives no random bytes");
    endpoint_host_header(&a->endpoint, host);
    size_t n = a->upgrade->request(a->upgrade->ctx, host, a->endpoint.path, a->nonce, request, sizeof(request));
    if (n == 0)
        return attempt_fail(a, "the upgrade request cannot be written: host or path too long or not printable");
    if (!a->endpoint.tls) {
        memcpy(a->out + a->out_len, request, n);
        a->out_len += (uint32_t)n;
        return false;
    }
    tls_lend(a);
    bool ok = tls_write(a->tls, request, n);
    tls_return(a);
    return ok ? false : attempt_fail_tls(a);
}

static bool
handshake_start(struct attempt *a)
{
    struct fault f;

    if (a->tls_context == NULL)
        return attempt_fail(a, "no TLS context: only ws:// can be reached");
    a->phase = ATTEMPT_HANDSHAKE;
    if (!tls_open(a->tls, a->tls_context, a->endpoint.host, &f))
        return attempt_fail(a, f.text);
    return false;
}

static bool
step_connect(struct attempt *a, mono_ns_t now)
{
    struct pollfd p = { .fd = a->fd, .events = POLLOUT };
    int err = 0;
    socklen_t len = sizeof(err);

    if (poll(&p, 1, 0) == 0)
        return now.ns >= a->address_deadline.ns ? connect_next(a, now, ETIMEDOUT) : false;
    if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0)
        err = errno;
    if (err != 0)
        return connect_next(a, now, err);
    return a->endpoint.tls ? handshake_start(a) : upgrade_start(a);
}

static bool
step_handshake(struct attempt *a)
{
    for (;;) {
        tls_lend(a);
        int r = tls_handshake(a->tls);
        tls_return(a);
        if (r < 0)
            return attempt_fail_tls(a);
        if (!flush_out(a))
            return true;
        if (r > 0)
            return upgrade_start(a);
        int got = fill_in(a);
        if (got <= 0)
            return got < 0;
    }
}

/* 1 the response is whole and good, 0 more wanted, -1 FAILED. */
static int
response_check(struct attempt *a, const uint8_t *bytes, size_t len, uint32_t *off)
{
    struct fault f = { "the upgrade was refused" };
    int n = a->upgrade->response(a->upgrade->ctx, a->nonce, bytes, len, &f);

    if (n < 0 && a->upgrade->quiet_s != NULL)
        a->quiet_s = a->upgrade->quiet_s(a->upgrade->ctx, bytes, len);
    if (n < 0)
        return attempt_fail(a, f.text) ? -1 : 0;
    if (n == 0)
        return 0;
    ASSERT((size_t)n <= len);
    *off += (uint32_t)n;
    a->phase = ATTEMPT_DONE;
    return 1;
}

/* Decrypt record by record, and stop at the one that ends the response: the rest is handed over as it came. */
static int
response_tls(struct attempt *a)
{
    for (;;) {
        if (a->text_len == sizeof(a->text))
            return attempt_fail(a, "the answer to the upgrade has no end") ? -1 : 0;
        tls_lend(a);
        int n = tls_read(a->tls, a->text + a->text_len, sizeof(a->text) - a->text_len);
        tls_return(a);
        if (n == -TLS_END_CLOSE_NOTIFY)
            return attempt_fail(a, "closed by the peer before the WebSocket upgrade") ? -1 : 0;
        if (n < 0)
            return attempt_fail_tls(a) ? -1 : 0;
        if (n == 0)
            return 0;
        a->text_len += (uint32_t)n;
        int r = response_check(a, a->text, a->text_len, &a->text_off);
        if (r != 0)
            return r;
    }
}

static bool
step_upgrade(struct attempt *a)
{
    for (;;) {
        int r = 0;
        if (!flush_out(a))
            return true;
        if (a->endpoint.tls)
            r = response_tls(a);
        else if (a->in_len != 0)
            r = response_check(a, a->in, a->in_len, &a->in_off);
        if (r > 0 && flush_out(a) && a->out_off < a->out_len)
            return attempt_fail(a, "the peer does not read");
        if (r != 0)
            return true;
        int got = fill_in(a);
        if (got <= 0)
            return got < 0;
    }
}

/* ---- driving ---- */

void
attempt_begin(struct attempt *a, const struct endpoint *ep, const struct tls_context *tls_context, struct tls *tls,
              const struct upgrade_ops *upgrade, uint32_t deadline_ms, mono_ns_t now)
{
    memset(a, 0, offsetof(struct attempt, in));
    a->endpoint = *ep;
    a->tls_context = tls_context;
    a->tls = tls;
    a->upgrade = upgrade;
    a->fd = -1;
    a->deadline_ms = deadline_ms;
    a->deadline = mono_after(now, (int64_t)deadline_ms * NS_PER_MS);
    a->address_deadline = a->deadline;
    a->phase = ATTEMPT_RESOLVE;
    if (lookup_numeric(ep, &a->address)) {
        (void)connect_next(a, now, EADDRNOTAVAIL);
        return;
    }
    a->lookup = lookup_start(ep, -1);
    if (a->lookup == NULL)
        (void)attempt_fail(a, "no thread or descriptor left to look up the name with");
}

void
attempt_wants(const struct attempt *a, int *fd, short *events, mono_ns_t *until)
{
    *until = a->deadline;
    *events = POLLIN;
    *fd = a->fd;
    if (a->phase == ATTEMPT_RESOLVE) {
        *fd = a->lookup->fd;
    } else if (a->phase == ATTEMPT_CONNECT) {
        *events = POLLOUT;
        *until = a->address_deadline;
    } else if (a->out_off < a->out_len) {
        *events = POLLIN | POLLOUT;
    }
}

bool
attempt_step(struct attempt *a, mono_ns_t now)
{
    enum attempt_phase before;

    do {
        before = a->phase;
        switch (a->phase) {
        case ATTEMPT_RESOLVE: (void)step_resolve(a, now); break;
        case ATTEMPT_CONNECT: (void)step_connect(a, now); break;
        case ATTEMPT_HANDSHAKE: (void)step_handshake(a); break;
        case ATTEMPT_UPGRADE: (void)step_upgrade(a); break;
        case ATTEMPT_IDLE:
        case ATTEMPT_DONE:
        case ATTEMPT_FAILED: return true;
        }
    } while (a->phase != before); /* each phase is entered once (CONNECT once per address) */
    if (now.ns >= a->deadline.ns)
        return attempt_timed_out(a);
    return false;
}
