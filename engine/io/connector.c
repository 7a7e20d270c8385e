/* The connector's thread and side connections. See connector.h. */
#include "engine/io/connector.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "engine/io/tls_memory.h"
#include "execgw/ring.h"

_Static_assert(sizeof(struct connect_request) % 8 == 0, "a ring slot");
_Static_assert(sizeof(struct connect_result) % 8 == 0, "a ring slot");

struct slot {
    struct attempt attempt;
    struct tls tls;
    mono_ns_t begin;
    uint32_t generation;
    bool busy; /* an OPEN that has had no result yet */
};

struct connector {
    struct connector_config cfg;
    struct ring_writer request_in; /* core */
    struct ring_reader request_out;
    struct ring_writer result_in; /* connector */
    struct ring_reader result_out;
    int request_fd;
    int result_fd;
    _Atomic bool stop;
    bool running;
    pthread_t thread;
    struct slot *slot;
    struct pollfd *poll;
};

/* ---- the thread ---- */

static void
doorbell(int fd)
{
    const uint64_t one = 1;

    /* EAGAIN: the counter is full, so the peer has been rung already. */
    if (write(fd, &one, sizeof(one)) < 0)
        ASSERT(errno == EAGAIN || errno == EINTR);
}

static void
socket_block(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0)
        (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

static void
result_fill(struct connect_result *r, struct slot *s, uint32_t conn)
{
    struct attempt *a = &s->attempt;

    memset(r, 0, sizeof(*r));
    r->conn = conn;
    r->generation = s->generation;
    r->ok = a->phase == ATTEMPT_DONE;
    r->elapsed_us = (uint32_t)(mono_since(attempt_clock(), s->begin) / NS_PER_US);
    memcpy(r->address, a->address_text, sizeof(r->address));
    if (!r->ok) {
        r->fault = a->fault;
        r->quiet_s = a->quiet_s;
        return;
    }
    socket_block(a->fd); /* io_uring answers EAGAIN on a non-blocking socket instead of waiting */
    r->handover.fd = a->fd;
    r->handover.plain = attempt_plain(a, &r->handover.plain_bytes);
    if (!a->endpoint.tls)
        return;
    r->handover.tls = a->tls;
    r->handover.cipher = a->in + a->in_off;
    r->handover.cipher_bytes = a->in_len - a->in_off;
}

/* Post the result of an attempt that is over. False when the ring is full: again later. */
static bool
slot_post(struct connector *c, uint32_t conn)
{
    struct slot *s = &c->slot[conn];
    struct connect_result *r = (struct connect_result *)ring_claim(&c->result_in);

    if (r == NULL)
        return false;
    result_fill(r, s, conn);
    s->busy = false;
    s->attempt.phase = ATTEMPT_IDLE;
    ring_commit(&c->result_in);
    if (ring_wake_needed(&c->result_in))
        doorbell(c->result_fd);
    return true;
}

static void
request_open(struct connector *c, const struct connect_request *rq)
{
    struct slot *s = &c->slot[rq->conn];
    mono_ns_t now = attempt_clock();

    s->generation = rq->generation;
    s->begin = now;
    s->busy = true;
    tls_free(&s->tls); /* of the connection before, which the core has left */
    attempt_begin(&s->attempt, &rq->endpoint, c->cfg.tls, &s->tls, &c->cfg.upgrade, rq->deadline_ms, now);
}

/* Take requests while there is room for the result that each may cause at once. */
static void
requests_take(struct connector *c)
{
    const struct connect_request *rq;

    while ((rq = (const struct connect_request *)ring_peek(&c->request_out)) != NULL) {
        ASSERT(rq->conn < c->cfg.conn_max);
        struct slot *s = &c->slot[rq->conn];
        if (s->busy && (rq->kind == CONNECT_OPEN || s->generation == rq->generation)) {
            attempt_abort(&s->attempt, "cancelled");
            if (!slot_post(c, rq->conn))
                return;
        }
        if (rq->kind == CONNECT_OPEN)
            request_open(c, rq);
        ring_release(&c->request_out);
    }
}

static void
attempts_step(struct connector *c)
{
    for (uint32_t i = 0; i < c->cfg.conn_max; i++)
        if (c->slot[i].busy && attempt_step(&c->slot[i].attempt, attempt_clock()))
            (void)slot_post(c, i);
}

/* Fills c->poll; returns the milliseconds to wait at most, -1 for ever. */
static int
poll_prepare(struct connector *c, nfds_t *count)
{
    mono_ns_t first = MONO_NEVER;
    bool unposted = false;
    nfds_t n = 0;

    c->poll[n++] = (struct pollfd){ .fd = c->request_fd, .events = POLLIN };
    for (uint32_t i = 0; i < c->cfg.conn_max; i++) {
        struct attempt *a = &c->slot[i].attempt;
        mono_ns_t until;
        if (!c->slot[i].busy)
            continue;
        if (a->phase == ATTEMPT_DONE || a->phase == ATTEMPT_FAILED) {
            unposted = true;
            continue;
        }
        attempt_wants(a, &c->poll[n].fd, &c->poll[n].events, &until);
        n++;
        first.ns = MIN(first.ns, until.ns);
    }
    *count = n;
    if (unposted)
        return 10; /* the core has not taken its results: look again */
    if (first.ns == MONO_NEVER.ns)
        return -1;
    int64_t ms = (mono_since(first, attempt_clock()) + NS_PER_MS - 1) / NS_PER_MS;
    return ms < 0 ? 0 : (int)MIN(ms, 60000);
}

static void *
connector_thread(void *arg)
{
    struct connector *c = (struct connector *)arg;
    uint64_t rung;

    (void)pthread_setname_np(pthread_self(), "execgw-connect");
    tls_memory_bind(true);
    /* Acquire: pairs with connector_stop. */
    while (!atomic_load_explicit(&c->stop, memory_order_acquire)) {
        requests_take(c);
        attempts_step(c);
        nfds_t n;
        int ms = poll_prepare(c, &n);
        if (!ring_reader_sleep(&c->request_out))
            ms = ms == 10 ? 10 : 0; /* requests that wait for room in the results are no reason to spin */
        (void)poll(c->poll, n, ms);
        ring_reader_awake(&c->request_out);
        if (read(c->request_fd, &rung, sizeof(rung)) < 0)
            ASSERT(errno == EAGAIN || errno == EINTR);
    }
    for (uint32_t i = 0; i < c->cfg.conn_max; i++)
        if (c->slot[i].busy)
            attempt_abort(&c->slot[i].attempt, "stopped");
    tls_memory_bind(false);
    return NULL;
}

/* ---- life ---- */

static uint64_t
ring_capacity(const struct connector_config *cfg)
{
    uint64_t n = 4;
    while (n < (uint64_t)cfg->conn_max * 4)
        n *= 2;
    return n;
}

size_t
connector_footprint(const struct connector_config *cfg)
{
    uint64_t n = ring_capacity(cfg);
    return arena_cost(sizeof(struct connector)) + arena_cost(ring_footprint(n, sizeof(struct connect_request))) +
           arena_cost(ring_footprint(n, sizeof(struct connect_result))) +
           arena_cost(cfg->conn_max * sizeof(struct slot)) + arena_cost((cfg->conn_max + 1) * sizeof(struct pollfd));
}

struct connector *
connector_init(const struct connector_config *cfg, struct arena *arena, struct fault *fault)
{
    ASSERT(cfg->conn_max > 0 && cfg->conn_max <= 4096 && cfg->upgrade.request != NULL && cfg->upgrade.response != NULL);
    struct connector *c = (struct connector *)arena_take(arena, sizeof(*c));
    uint64_t n = ring_capacity(cfg);
    struct ring_mem *rq = (struct ring_mem *)arena_take(arena, ring_footprint(n, sizeof(struct connect_request)));
    struct ring_mem *rs = (struct ring_mem *)arena_take(arena, ring_footprint(n, sizeof(struct connect_result)));

    c->cfg = *cfg;
    ring_init(rq, 0);
    ring_init(rs, 0);
    ring_writer_init(&c->request_in, rq, 0, n, sizeof(struct connect_request));
    ring_reader_init(&c->request_out, rq, 0, n, sizeof(struct connect_request));
    ring_writer_init(&c->result_in, rs, 0, n, sizeof(struct connect_result));
    ring_reader_init(&c->result_out, rs, 0, n, sizeof(struct connect_result));
    c->slot = (struct slot *)arena_take(arena, cfg->conn_max * sizeof(struct slot));
    c->poll = (struct pollfd *)arena_take(arena, (cfg->conn_max + 1) * sizeof(struct pollfd));
    for (uint32_t i = 0; i < cfg->conn_max; i++)
        c->slot[i].attempt.fd = -1;
    c->request_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    c->result_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->request_fd < 0 || c->result_fd < 0) {
        (void)FAULT(fault, "connector: no eventfd: %s", strerror(errno));
        return NULL;
    }
    return c;
}

bool
connector_start(struct connector *c, struct fault *fault)
{
    sigset_t all;
    sigset_t before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&c->thread, NULL, connector_thread, c);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err != 0)
        return FAULT(fault, "connector: no thread: %s", strerror(err));
    c->running = true;
    return true;
}

void
connector_stop(struct connector *c)
{
    struct connect_result r;

    if (c->running) {
        /* Release: pairs with connector_thread. */
        atomic_store_explicit(&c->stop, true, memory_order_release);
        doorbell(c->request_fd);
        (void)pthread_join(c->thread, NULL);
        c->running = false;
    }
    while (ring_get(&c->result_out, &r))
        if (r.ok)
            (void)close(r.handover.fd);
    for (uint32_t i = 0; i < c->cfg.conn_max; i++)
        tls_free(&c->slot[i].tls);
    (void)close(c->request_fd);
    (void)close(c->result_fd);
}

/* ---- core side ---- */

bool
connector_request(struct connector *c, const struct connect_request *rq)
{
    ASSERT(rq->conn < c->cfg.conn_max);
    return ring_put(&c->request_in, rq);
}

bool
connector_wake_needed(struct connector *c)
{
    return ring_wake_needed(&c->request_in);
}

int
connector_request_fd(const struct connector *c)
{
    return c->request_fd;
}

bool
connector_result(struct connector *c, struct connect_result *out)
{
    return ring_get(&c->result_out, out);
}

int
connector_result_fd(const struct connector *c)
{
    return c->result_fd;
}

bool
connector_core_sleep(struct connector *c)
{
    return ring_reader_sleep(&c->result_out);
}

void
connector_core_awake(struct connector *c)
{
    ring_reader_awake(&c->result_out);
}

/* ---- side connections ---- */

struct side_conn {
    struct attempt attempt;
    struct tls tls;
    struct upgrade_ops upgrade;
    int stop_fd;
};

enum side_wait { SIDE_READY, SIDE_TIMEOUT, SIDE_STOPPED };

static enum side_wait
side_poll(const struct side_conn *s, int fd, short events, mono_ns_t until)
{
    for (;;) {
        struct pollfd p[2] = { { .fd = fd, .events = events }, { .fd = s->stop_fd, .events = POLLIN } };
        int64_t ms = (mono_since(until, attempt_clock()) + NS_PER_MS - 1) / NS_PER_MS;
        int n = poll(p, 2, ms <= 0 ? 0 : (int)MIN(ms, 60000));
        if (n > 0 && p[1].revents != 0)
            return SIDE_STOPPED;
        if (n > 0)
            return SIDE_READY;
        if (attempt_clock().ns >= until.ns)
            return SIDE_TIMEOUT;
    }
}

struct side_conn *
side_open(const struct tls_context *tls, const struct endpoint *ep, const struct upgrade_ops *upgrade,
          uint32_t deadline_ms, int stop_fd, struct fault *fault)
{
    struct side_conn *s = (struct side_conn *)malloc(sizeof(*s));
    int fd;
    short events;
    mono_ns_t until;

    if (s == NULL) {
        (void)FAULT(fault, "%.80s: no memory for a connection", ep->host);
        return NULL;
    }
    s->upgrade = *upgrade;
    s->stop_fd = stop_fd;
    s->tls = (struct tls){ 0 };
    attempt_begin(&s->attempt, ep, tls, &s->tls, &s->upgrade, deadline_ms, attempt_clock());
    while (!attempt_step(&s->attempt, attempt_clock())) {
        attempt_wants(&s->attempt, &fd, &events, &until);
        if (side_poll(s, fd, events, until) == SIDE_STOPPED)
            attempt_abort(&s->attempt, "stopped");
    }
    if (s->attempt.phase == ATTEMPT_DONE)
        return s;
    *fault = s->attempt.fault;
    free(s);
    return NULL;
}

/* Give `out` to the socket until it is empty. */
static bool
side_flush(struct side_conn *s, mono_ns_t until, struct fault *fault)
{
    struct attempt *a = &s->attempt;

    while (a->out_off < a->out_len) {
        ssize_t n = send(a->fd, a->out + a->out_off, a->out_len - a->out_off, MSG_NOSIGNAL);
        if (n >= 0) {
            a->out_off += (uint32_t)n;
            continue;
        }
        if (errno != EAGAIN && errno != EINTR)
            return FAULT(fault, "%.80s: send: %s", a->endpoint.host, strerror(errno));
        enum side_wait w = side_poll(s, a->fd, POLLOUT, until);
        if (w != SIDE_READY)
            return FAULT(fault, "%.80s: send: %s", a->endpoint.host,
                         w == SIDE_STOPPED ? "stopped" : "the peer does not read");
    }
    a->out_off = 0;
    a->out_len = 0;
    return true;
}

/* What is already here: > 0 bytes, 0 none, -1 the end. */
static int
side_take(struct side_conn *s, uint8_t *buf, size_t room, struct fault *fault)
{
    struct attempt *a = &s->attempt;
    size_t have;
    const uint8_t *from = attempt_plain(a, &have);

    if (have != 0) {
        size_t n = MIN(have, room);
        memcpy(buf, from, n);
        *(a->endpoint.tls ? &a->text_off : &a->in_off) += (uint32_t)n;
        return (int)n;
    }
    if (!a->endpoint.tls)
        return 0;
    tls_set_in(&s->tls, a->in + a->in_off, a->in_len - a->in_off);
    tls_set_out(&s->tls, a->out + a->out_len, sizeof(a->out) - a->out_len);
    int n = tls_read(&s->tls, buf, room);
    a->in_off = a->in_len - (uint32_t)s->tls.in_bytes;
    a->out_len += (uint32_t)s->tls.out_bytes;
    if (n == -TLS_END_CLOSE_NOTIFY)
        return FAULT(fault, "%.80s: closed by the peer", a->endpoint.host) ? 0 : -1;
    if (n < 0) {
        tls_fault(&s->tls, a->endpoint.host, fault);
        return -1;
    }
    return n;
}

int
side_read(struct side_conn *s, uint8_t *buf, size_t room, uint32_t timeout_ms, struct fault *fault)
{
    struct attempt *a = &s->attempt;
    mono_ns_t until = mono_after(attempt_clock(), (int64_t)timeout_ms * NS_PER_MS);

    for (;;) {
        int got = side_take(s, buf, MIN(room, (size_t)INT32_MAX), fault);
        if (got != 0)
            return got;
        if (!side_flush(s, until, fault)) /* what TLS had to answer */
            return -1;
        a->in_off = 0;
        a->in_len = 0;
        ssize_t n = recv(a->fd, a->in, sizeof(a->in), 0);
        if (n > 0) {
            a->in_len = (uint32_t)n;
            continue;
        }
        if (n == 0)
            return FAULT(fault, "%.80s: closed by the peer", a->endpoint.host) ? 0 : -1;
        if (errno != EAGAIN && errno != EINTR)
            return FAULT(fault, "%.80s: receive: %s", a->endpoint.host, strerror(errno)) ? 0 : -1;
        switch (side_poll(s, a->fd, POLLIN, until)) {
        case SIDE_READY: break;
        case SIDE_TIMEOUT: return 0;
        case SIDE_STOPPED: return FAULT(fault, "%.80s: stopped", a->endpoint.host) ? 0 : -1;
        }
    }
}

bool
side_write(struct side_conn *s, const uint8_t *buf, size_t len, uint32_t timeout_ms, struct fault *fault)
{
    struct attempt *a = &s->attempt;
    mono_ns_t until = mono_after(attempt_clock(), (int64_t)timeout_ms * NS_PER_MS);

    while (len != 0) {
        size_t n = MIN(len, ATTEMPT_OUT_BYTES / 2);
        if (!side_flush(s, until, fault))
            return false;
        if (a->endpoint.tls) {
            tls_set_out(&s->tls, a->out, sizeof(a->out));
            if (!tls_write(&s->tls, buf, n)) {
                tls_fault(&s->tls, a->endpoint.host, fault);
                return false;
            }
            a->out_len = (uint32_t)s->tls.out_bytes;
        } else {
            memcpy(a->out, buf, n);
            a->out_len = (uint32_t)n;
        }
        buf += n;
        len -= n;
    }
    return side_flush(s, until, fault);
}

int
side_fd(const struct side_conn *s)
{
    return s->attempt.fd;
}

void
side_close(struct side_conn *s)
{
    struct attempt *a = &s->attempt;

    if (a->endpoint.tls && a->out_off == a->out_len) {
        tls_set_in(&s->tls, NULL, 0);
        tls_set_out(&s->tls, a->out, sizeof(a->out));
        tls_close_notify(&s->tls);
        (void)send(a->fd, a->out, s->tls.out_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    if (a->endpoint.tls)
        tls_free(&s->tls);
    (void)close(a->fd);
    free(s);
}
