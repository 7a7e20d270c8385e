#include "engine/io/unix_port.h"
#include "engine/io/shared_map.h"
#include "execgw/clock.h"
#include "execgw/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define HELLO_PENDING_MAX 16
#define PORT_RING_SLOTS   256u /* per slot at most an ATTACHED and a DETACHED are unread, and one release */
#define EPOLL_BATCH       32

_Static_assert(PORT_RING_SLOTS >= 4 * CLIENT_SESSION_MAX, "the rings to and from the core never fill");

enum session_state {
    SESSION_FREE,
    SESSION_OPEN,
    SESSION_GONE /* the client is; the core has been told and has not yet released */
};

struct port_session {
    enum session_state state;
    uint32_t generation;
    uint32_t client;
    uint8_t role;
    int fd;
    struct shared_map map;
};

/* Accepted, not yet admitted: waits for its hello, or for the last session of its strategy to be released. */
struct port_pending {
    int fd; /* -1 = free */
    bool said;
    struct hello hello;
    struct ucred peer;
    mono_ns_t deadline;
};

struct unix_port_release {
    uint32_t slot;
    uint32_t generation;
};

struct unix_port {
    struct unix_port_config cfg;
    struct unix_port_strategy strategy[CLIENT_MAX];
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    int lock_fd;
    int listen_fd;
    int epoll_fd;
    int wake_fd;  /* eventfd, ours alone: releases and stop */
    int spare_fd; /* closed for a moment to turn a client away when descriptors run out */
    dev_t path_dev;
    ino_t path_ino;
    pthread_t thread;
    _Atomic bool stop;

    /* events: side thread writes, core reads. releases: the other way. */
    struct ring_mem *event_mem;
    struct ring_mem *release_mem;
    struct ring_writer event_writer;
    struct ring_reader event_reader;
    struct ring_writer release_writer;
    struct ring_reader release_reader;

    /* The side thread's own. */
    struct port_session session[CLIENT_SESSION_MAX];
    struct port_pending pending[HELLO_PENDING_MAX];
};

_Static_assert(sizeof(struct unix_port_event) % 8 == 0 && sizeof(struct unix_port_release) % 8 == 0, "ring slots");

/* What an epoll entry is about: kind << 32 | index. */
enum watch { WATCH_LISTEN, WATCH_WAKE, WATCH_PENDING, WATCH_SESSION };

static uint64_t
watch_tag(enum watch kind, uint32_t index)
{
    return (uint64_t)kind << 32 | index;
}

static mono_ns_t
mono_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (mono_ns_t){ t.tv_sec * NS_PER_S + t.tv_nsec };
}

static bool
watch_add(struct unix_port *u, int fd, uint64_t tag)
{
    struct epoll_event e = { .events = EPOLLIN | EPOLLRDHUP, .data.u64 = tag };
    return epoll_ctl(u->epoll_fd, EPOLL_CTL_ADD, fd, &e) == 0;
}

static void
event_post(struct unix_port *u, const struct unix_port_event *ev)
{
    bool put = ring_put(&u->event_writer, ev);
    ASSERT(put);
    if (ring_wake_needed(&u->event_writer))
        (void)eventfd_write(u->cfg.doorbell_fd, 1);
}

/* ---- admission, on the side thread ---- */

static void
welcome_init(struct welcome *w, enum admission_status status)
{
    *w = (struct welcome){
        .magic = ADMISSION_MAGIC,
        .version = MESSAGE_VERSION,
        .status = (uint8_t)status,
        .gateway_pid = (uint32_t)getpid(),
    };
    if (status != ADMISSION_OK)
        (void)snprintf(w->text, sizeof(w->text), "%s", admission_status_text(status));
}

/* One packet with descriptors. A client that does not take it is not worth waiting for. */
static bool
welcome_send(int fd, const struct welcome *w, const int *fds, size_t count)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * ADMISSION_FD_COUNT)];
    } control;
    struct iovec iov = { .iov_base = (void *)(uintptr_t)w, .iov_len = sizeof(*w) };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (count > 0) {
        memset(&control, 0, sizeof(control));
        m.msg_control = control.bytes;
        m.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
    }
    return sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(*w);
}

/* Say why, to both sides, count, close. */
static void
refuse(struct unix_port *u, int fd, enum admission_status why)
{
    struct welcome w;
    uint8_t unread[sizeof(struct hello) + 1];
    struct ucred peer = { 0 };
    socklen_t len = sizeof(peer);

    if (u->cfg.refused != NULL)
        (void)atomic_fetch_add_explicit(u->cfg.refused, 1, memory_order_relaxed);
    (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
    if (u->cfg.log != NULL)
        log_write(u->cfg.log, LOG_CLIENT_REFUSED, admission_status_text(why), peer.pid, peer.uid);
    /* Closing on unread bytes would show the client a reset in place of our sentence. */
    for (unsigned i = 0; i < 8 && recv(fd, unread, sizeof(unread), MSG_DONTWAIT) > 0; i++) {
    }
    welcome_init(&w, why);
    (void)welcome_send(fd, &w, NULL, 0);
    (void)close(fd);
}

static bool
uid_allowed(const struct unix_port *u, uid_t uid)
{
    if (u->cfg.uid_count == 0)
        return uid == geteuid();
    for (uint32_t i = 0; i < u->cfg.uid_count; i++) {
        if (u->cfg.uids[i] == uid)
            return true;
    }
    return false;
}

static bool
name_valid(const char *name)
{
    size_t n = strnlen(name, STRATEGY_NAME_BYTES);
    if (n == 0 || n == STRATEGY_NAME_BYTES)
        return false;
    return strspn(name, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._-") == n;
}

static enum admission_status
hello_check(const struct hello *h)
{
    if (h->magic != ADMISSION_MAGIC)
        return ADMISSION_MALFORMED;
    if (h->version != MESSAGE_VERSION)
        return ADMISSION_VERSION;
    if (h->role >= ROLE_COUNT || h->on_disconnect > ON_DISCONNECT_NOTHING || !name_valid(h->strategy))
        return ADMISSION_MALFORMED;
    return ADMISSION_OK;
}

static const struct unix_port_strategy *
strategy_find(const struct unix_port *u, const char *name)
{
    for (uint32_t i = 0; i < u->cfg.strategy_count; i++) {
        if (strcmp(u->strategy[i].name, name) == 0)
            return &u->strategy[i];
    }
    return NULL;
}

/* Whom operator sessions act as: the strategy that is configured for it, so that limits and names apply to it. */
static uint32_t
operator_client(const struct unix_port *u)
{
    for (uint32_t i = 0; i < u->cfg.strategy_count; i++) {
        if (u->strategy[i].operator_role)
            return u->strategy[i].client;
    }
    return CLIENT_OPERATOR;
}

enum place { PLACE_FOUND, PLACE_LATER, PLACE_NONE };

/* A free slot for this client. PLACE_LATER: the core is about to release what is in the way. Of three or more the last
 * one is left to an operator while there is none: a crowd of strategies keeps nobody from a halt. */
static enum place
slot_find(const struct unix_port *u, uint32_t client, uint8_t role, uint32_t *slot, enum admission_status *why)
{
    bool leave_one = role != ROLE_OPERATOR && u->cfg.sessions_max > 2;
    uint32_t vacant = 0;
    bool later = false;

    *why = ADMISSION_FULL;
    for (uint32_t i = u->cfg.sessions_max; i-- > 0;) {
        const struct port_session *s = &u->session[i];
        if (s->state == SESSION_FREE) {
            *slot = i;
            vacant++;
            continue;
        }
        if (s->client == client && role != ROLE_OPERATOR) {
            *why = ADMISSION_IN_USE;
            return s->state == SESSION_GONE ? PLACE_LATER : PLACE_NONE;
        }
        leave_one &= s->role != ROLE_OPERATOR;
        later |= s->state == SESSION_GONE;
    }
    if (vacant > (leave_one ? 1u : 0u))
        return PLACE_FOUND;
    return later ? PLACE_LATER : PLACE_NONE;
}

/* Memory, welcome, event. The pending entry's socket becomes the session's. */
static enum admission_status
session_open(struct unix_port *u, uint32_t slot, const struct port_pending *c, struct unix_port_event *ev)
{
    struct port_session *s = &u->session[slot];
    struct welcome w;
    struct fault fault;
    char name[STRATEGY_NAME_BYTES + 16];

    (void)snprintf(name, sizeof(name), "execgw-session-%s", ev->name);
    uint64_t bytes = session_bytes(u->cfg.command_capacity, u->cfg.report_capacity);
    if (!shared_map_session(&s->map, name, bytes, &fault))
        return ADMISSION_RESOURCES;
    ev->doorbell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    welcome_init(&w, ADMISSION_OK);
    w.role = ev->role;
    w.on_disconnect = ev->on_disconnect;
    w.slot = slot;
    w.client = ev->client;
    w.command_offset = 0;
    w.command_capacity = u->cfg.command_capacity;
    w.report_offset = session_report_offset(u->cfg.command_capacity);
    w.report_capacity = u->cfg.report_capacity;
    w.session_bytes = bytes;
    w.market_bytes = u->cfg.market_bytes;
    w.metrics_bytes = u->cfg.metrics_bytes;
    const int fds[ADMISSION_FD_COUNT] = {
        [ADMISSION_FD_SESSION] = s->map.fd,
        [ADMISSION_FD_MARKET] = u->cfg.market_fd,
        [ADMISSION_FD_METRICS] = u->cfg.metrics_fd,
        [ADMISSION_FD_DOORBELL] = ev->doorbell_fd,
    };
    struct epoll_event watch = { .events = EPOLLIN | EPOLLRDHUP, .data.u64 = watch_tag(WATCH_SESSION, slot) };
    ev->socket_fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);
    if (ev->socket_fd < 0 || ev->doorbell_fd < 0 || epoll_ctl(u->epoll_fd, EPOLL_CTL_MOD, c->fd, &watch) != 0 ||
        !welcome_send(c->fd, &w, fds, ADMISSION_FD_COUNT)) {
        if (ev->socket_fd >= 0)
            (void)close(ev->socket_fd);
        if (ev->doorbell_fd >= 0)
            (void)close(ev->doorbell_fd);
        shared_map_close(&s->map);
        return ADMISSION_RESOURCES;
    }
    s->state = SESSION_OPEN;
    s->generation++;
    s->client = ev->client;
    s->role = ev->role;
    s->fd = c->fd;
    ev->kind = UNIX_PORT_ATTACHED;
    ev->slot = slot;
    ev->generation = s->generation;
    ev->pid = c->peer.pid;
    ev->uid = c->peer.uid;
    ev->mem = s->map.mem;
    ev->bytes = s->map.bytes;
    event_post(u, ev);
    return ADMISSION_OK;
}

/* Who may stop, resume and loosen everything is not decided by what a hello says. */
static bool
operator_allowed(uid_t uid)
{
    return uid == geteuid() || uid == 0;
}

/* A pending client has said its hello: admit it, refuse it, or leave it waiting. */
static void
pending_admit(struct unix_port *u, struct port_pending *c)
{
    struct unix_port_event ev = { .client = CLIENT_OPERATOR, .role = c->hello.role };
    enum admission_status status = hello_check(&c->hello);
    uint8_t policy = c->hello.on_disconnect;
    uint32_t slot = 0;

    if (status == ADMISSION_OK) {
        memcpy(ev.name, c->hello.strategy, sizeof(ev.name));
        if (ev.role == ROLE_STRATEGY) {
            const struct unix_port_strategy *st = strategy_find(u, ev.name);
            if (st == NULL) {
                status = ADMISSION_STRATEGY;
            } else {
                ev.client = st->client;
                ev.role = st->operator_role ? ROLE_OPERATOR : ROLE_STRATEGY;
                if (policy == ON_DISCONNECT_DEFAULT || st->on_disconnect > ON_DISCONNECT_NOTHING)
                    policy = st->on_disconnect;
            }
        } else {
            ev.client = operator_client(u);
            if (policy == ON_DISCONNECT_DEFAULT)
                policy = ON_DISCONNECT_NOTHING; /* an operator's tool ends after each command; its orders stay */
        }
    }
    ev.on_disconnect = policy == ON_DISCONNECT_DEFAULT ? ON_DISCONNECT_CANCEL : policy;
    if (status == ADMISSION_OK && ev.role == ROLE_OPERATOR && !operator_allowed(c->peer.uid))
        status = ADMISSION_OPERATOR;
    if (status == ADMISSION_OK) {
        switch (slot_find(u, ev.client, ev.role, &slot, &status)) {
        case PLACE_LATER: return; /* tried again after the next release, until its deadline */
        case PLACE_NONE: break;
        case PLACE_FOUND: status = session_open(u, slot, c, &ev); break;
        }
    }
    if (status != ADMISSION_OK)
        refuse(u, c->fd, status);
    c->fd = -1;
}

static void
pending_read(struct unix_port *u, struct port_pending *c)
{
    uint8_t buf[sizeof(struct hello) + 1];
    /* recv, not recvmsg: descriptors that a client sends us are dropped by the kernel. */
    ssize_t n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) { /* hung up */
        (void)close(c->fd);
        c->fd = -1;
        return;
    }
    if (c->said || n != (ssize_t)sizeof(struct hello)) {
        refuse(u, c->fd, ADMISSION_MALFORMED);
        c->fd = -1;
        return;
    }
    memcpy(&c->hello, buf, sizeof(c->hello));
    c->said = true;
    pending_admit(u, c);
}

/* The place for one more pending client: a free one, else the one that has been silent longest is turned away. */
static struct port_pending *
pending_take(struct unix_port *u)
{
    struct port_pending *oldest = &u->pending[0];

    for (size_t i = 0; i < HELLO_PENDING_MAX; i++) {
        if (u->pending[i].fd < 0)
            return &u->pending[i];
        if (u->pending[i].deadline.ns < oldest->deadline.ns)
            oldest = &u->pending[i];
    }
    refuse(u, oldest->fd, ADMISSION_TIMEOUT);
    oldest->fd = -1;
    return oldest;
}

/* No descriptor is left for one more client: turn it away on the spare one; without a spare don't spin. */
static COLD void
listen_starved(struct unix_port *u)
{
    if (u->spare_fd >= 0) {
        (void)close(u->spare_fd);
        int fd = accept4(u->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            refuse(u, fd, ADMISSION_RESOURCES);
    } else {
        struct timespec pause = { .tv_nsec = 20 * NS_PER_MS };
        (void)nanosleep(&pause, NULL);
    }
    u->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
listen_accept(struct unix_port *u)
{
    int fd = accept4(u->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE)
            listen_starved(u);
        return;
    }
    struct ucred peer;
    socklen_t len = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 || !uid_allowed(u, peer.uid)) {
        refuse(u, fd, ADMISSION_UID);
        return;
    }
    struct port_pending *c = pending_take(u);
    uint32_t index = (uint32_t)(c - u->pending);
    if (!watch_add(u, fd, watch_tag(WATCH_PENDING, index))) {
        refuse(u, fd, ADMISSION_RESOURCES);
        return;
    }
    *c = (struct port_pending){
        .fd = fd,
        .peer = peer,
        .deadline = mono_after(mono_now(), u->cfg.hello_timeout_ms * NS_PER_MS),
    };
}

/* ---- sessions, on the side thread ---- */

/* The client hung up, or speaks where it has nothing to say. */
static void
session_read(struct unix_port *u, uint32_t slot)
{
    struct port_session *s = &u->session[slot];
    char byte;

    if (s->state != SESSION_OPEN)
        return;
    ssize_t n = recv(s->fd, &byte, 1, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    (void)epoll_ctl(u->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
    (void)shutdown(s->fd, SHUT_RDWR);
    s->state = SESSION_GONE;
    struct unix_port_event ev = {
        .kind = UNIX_PORT_DETACHED,
        .slot = slot,
        .generation = s->generation,
        .client = s->client,
        .role = s->role,
        .socket_fd = -1,
        .doorbell_fd = -1,
    };
    event_post(u, &ev);
}

static void
session_close(struct unix_port *u, struct port_session *s)
{
    if (s->state == SESSION_OPEN) /* a closed descriptor stays watched while the core's own copy is open */
        (void)epoll_ctl(u->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
    (void)shutdown(s->fd, SHUT_RDWR); /* hangs up, whoever else has the socket */
    (void)close(s->fd);
    shared_map_close(&s->map);
    s->state = SESSION_FREE;
}

static void
releases_read(struct unix_port *u)
{
    struct unix_port_release r;
    bool any = false;

    while (ring_get(&u->release_reader, &r)) {
        struct port_session *s = &u->session[r.slot];
        if (s->state != SESSION_FREE && s->generation == r.generation) {
            session_close(u, s);
            any = true;
        }
    }
    for (size_t i = 0; any && i < HELLO_PENDING_MAX; i++) {
        if (u->pending[i].fd >= 0 && u->pending[i].said)
            pending_admit(u, &u->pending[i]);
    }
}

/* Turn away who is late. Returns milliseconds until the next one is, -1 when none waits. */
static int
pending_expire(struct unix_port *u)
{
    int64_t next_ns = INT64_MAX;
    mono_ns_t now = mono_now();

    for (size_t i = 0; i < HELLO_PENDING_MAX; i++) {
        struct port_pending *c = &u->pending[i];
        if (c->fd < 0)
            continue;
        int64_t left_ns = mono_since(c->deadline, now);
        if (left_ns <= 0) {
            refuse(u, c->fd, c->said ? ADMISSION_IN_USE : ADMISSION_TIMEOUT);
            c->fd = -1;
        } else {
            next_ns = MIN(next_ns, left_ns);
        }
    }
    return next_ns == INT64_MAX ? -1 : (int)MIN(next_ns / NS_PER_MS + 1, 60000);
}

static void
port_serve(struct unix_port *u, uint64_t tag)
{
    uint32_t index = (uint32_t)tag;
    eventfd_t n;

    switch ((enum watch)(tag >> 32)) {
    case WATCH_LISTEN: listen_accept(u); break;
    case WATCH_WAKE: (void)eventfd_read(u->wake_fd, &n); break;
    case WATCH_PENDING:
        if (u->pending[index].fd >= 0)
            pending_read(u, &u->pending[index]);
        break;
    case WATCH_SESSION: session_read(u, index); break;
    }
}

static void *
port_thread(void *arg)
{
    struct unix_port *u = arg;
    struct epoll_event ev[EPOLL_BATCH];

    (void)pthread_setname_np(pthread_self(), "execgw-unix");
    while (!atomic_load_explicit(&u->stop, memory_order_acquire)) {
        /* One event at a time would be as right: an entry of this batch may be about a pending client that was turned
         * away a moment ago, and its place taken; then a read finds nothing and waits for the next turn. */
        int n = epoll_wait(u->epoll_fd, ev, EPOLL_BATCH, pending_expire(u));
        for (int i = 0; i < n; i++)
            port_serve(u, ev[i].data.u64);
        releases_read(u);
    }
    return NULL;
}

/* ---- start and stop ---- */

static bool
path_too_long(const char *path, struct fault *fault)
{
    size_t max = sizeof(((struct unix_port *)0)->path) - 1;

    return strlen(path) > max &&
           !FAULT(fault, "client.socket: %s is longer than the %zu bytes a unix socket's path may have", path, max);
}

static struct sockaddr_un
address_of(const char *path)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };

    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    return addr;
}

/* What stands at the path, with the lock held: nothing, or a socket that nobody listens at. */
static bool
path_look(const char *path, bool *stale, struct fault *fault)
{
    struct sockaddr_un addr = address_of(path);
    struct stat st;

    *stale = false;
    if (lstat(path, &st) != 0)
        return errno == ENOENT || FAULT(fault, "client.socket: cannot look at %s: %s", path, strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return FAULT(fault, "client.socket: %s exists and is not a socket; remove it or choose another path", path);
    int probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc = connect(probe, (const struct sockaddr *)&addr, sizeof(addr));
    int err = errno;
    (void)close(probe);
    if (rc == 0 || err != ECONNREFUSED)
        return FAULT(fault, "client.socket: another process listens at %s", path);
    *stale = true;
    return true;
}

/* One gateway per path: the lock file is held for life, so what else stands at the path is stale, unless something
 * without our lock listens there. */
int
unix_port_claim(const char *path, struct fault *fault)
{
    char lock[sizeof(((struct unix_port *)0)->path) + 8];
    bool stale;

    if (path_too_long(path, fault))
        return -1;
    (void)snprintf(lock, sizeof(lock), "%s.lock", path);
    int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        (void)FAULT(fault, "client.socket: cannot open %s: %s", lock, strerror(errno));
    else if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        (void)FAULT(fault, "client.socket: another gateway runs at %s (it holds the .lock file beside it)", path);
    else if (path_look(path, &stale, fault))
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

static bool
path_take(struct unix_port *u, struct fault *fault)
{
    bool stale;

    if (u->lock_fd < 0)
        u->lock_fd = unix_port_claim(u->path, fault);
    if (u->lock_fd < 0 || !path_look(u->path, &stale, fault))
        return false;
    if (stale && unlink(u->path) != 0)
        return FAULT(fault, "client.socket: cannot remove the stale socket %s: %s", u->path, strerror(errno));
    return true;
}

static bool
port_listen(struct unix_port *u, struct fault *fault)
{
    struct sockaddr_un addr = address_of(u->path);
    struct stat st;
    mode_t mode = 0600;

    for (uint32_t i = 0; i < u->cfg.uid_count; i++) {
        if (u->cfg.uids[i] != geteuid())
            mode = 0666; /* other users are meant to come: SO_PEERCRED is the gate */
    }
    if (!path_take(u, fault))
        return false;
    u->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* The mode before bind (and again after, past the umask): the file is never wider than it should be. */
    if (u->listen_fd < 0 || fchmod(u->listen_fd, mode) != 0 ||
        bind(u->listen_fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0)
        return FAULT(fault, "client.socket: cannot listen at %s: %s", u->path, strerror(errno));
    if (chmod(u->path, mode) != 0 || lstat(u->path, &st) != 0 || listen(u->listen_fd, 64) != 0)
        return FAULT(fault, "client.socket: cannot listen at %s: %s", u->path, strerror(errno));
    u->path_dev = st.st_dev;
    u->path_ino = st.st_ino;
    return true;
}

static bool
config_check(const struct unix_port_config *cfg, struct fault *fault)
{
    ASSERT(cfg->sessions_max >= 1 && cfg->sessions_max <= CLIENT_SESSION_MAX);
    ASSERT(cfg->strategy_count <= CLIENT_MAX && cfg->uid_count <= UNIX_PORT_UIDS_MAX);
    if (path_too_long(cfg->path, fault))
        return false;
    for (uint32_t i = 0; i < cfg->strategy_count; i++) {
        const struct unix_port_strategy *s = &cfg->strategies[i];
        if (!name_valid(s->name))
            return FAULT(fault, "strategy %u: its name must be 1 to %d of [0-9A-Za-z._-]", i, STRATEGY_NAME_BYTES - 1);
        if (s->client >= CLIENT_ADOPTED)
            return FAULT(fault, "strategy %s: id %u is not below %d, which orders found at a venue have", s->name,
                         s->client, CLIENT_ADOPTED);
        for (uint32_t k = 0; k < i; k++) {
            if (cfg->strategies[k].client == s->client || strcmp(cfg->strategies[k].name, s->name) == 0)
                return FAULT(fault, "strategies %s and %s share a name or an id", cfg->strategies[k].name, s->name);
        }
    }
    return true;
}

static void
port_free(struct unix_port *u)
{
    const int fds[] = { u->listen_fd, u->epoll_fd, u->wake_fd, u->spare_fd, u->lock_fd };
    struct stat st;

    if (u->path_ino != 0 && lstat(u->path, &st) == 0 && st.st_ino == u->path_ino && st.st_dev == u->path_dev)
        (void)unlink(u->path); /* ours still, and the lock is too */
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        if (fds[i] >= 0)
            (void)close(fds[i]);
    }
    free(u->event_mem);
    free(u->release_mem);
    free(u);
}

static struct ring_mem *
port_ring(struct ring_writer *w, struct ring_reader *r, uint32_t slot_bytes)
{
    size_t bytes = (ring_footprint(PORT_RING_SLOTS, slot_bytes) + 63) & ~(size_t)63;
    struct ring_mem *mem = aligned_alloc(64, bytes);
    ASSERT(mem != NULL);
    memset(mem, 0, bytes); /* touches every page: the core never faults here */
    ring_init(mem, 0);
    ring_writer_init(w, mem, 0, PORT_RING_SLOTS, slot_bytes);
    ring_reader_init(r, mem, 0, PORT_RING_SLOTS, slot_bytes);
    return mem;
}

struct unix_port *
unix_port_start(const struct unix_port_config *cfg, struct fault *fault)
{
    if (!config_check(cfg, fault))
        return NULL;
    struct unix_port *u = aligned_alloc(64, (sizeof(*u) + 63) & ~(size_t)63);
    ASSERT(u != NULL);
    memset(u, 0, sizeof(*u));
    u->cfg = *cfg;
    if (cfg->strategy_count > 0)
        memcpy(u->strategy, cfg->strategies, cfg->strategy_count * sizeof(u->strategy[0]));
    u->cfg.strategies = u->strategy;
    (void)snprintf(u->path, sizeof(u->path), "%s", cfg->path);
    u->cfg.path = u->path;
    for (size_t i = 0; i < HELLO_PENDING_MAX; i++)
        u->pending[i].fd = -1;
    u->lock_fd = cfg->claimed ? cfg->lock_fd : -1;
    u->listen_fd = -1;
    u->event_mem = port_ring(&u->event_writer, &u->event_reader, sizeof(struct unix_port_event));
    u->release_mem = port_ring(&u->release_writer, &u->release_reader, sizeof(struct unix_port_release));
    u->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    u->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    u->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (!port_listen(u, fault)) {
        port_free(u);
        return NULL;
    }
    int rc = EBADF;
    if (watch_add(u, u->listen_fd, watch_tag(WATCH_LISTEN, 0)) && watch_add(u, u->wake_fd, watch_tag(WATCH_WAKE, 0)))
        rc = pthread_create(&u->thread, NULL, port_thread, u);
    if (rc != 0) {
        (void)FAULT(fault, "client.socket: cannot serve %s: %s", u->path, strerror(rc));
        port_free(u);
        return NULL;
    }
    return u;
}

void
unix_port_stop(struct unix_port *u)
{
    struct unix_port_event ev;

    atomic_store_explicit(&u->stop, true, memory_order_release);
    (void)eventfd_write(u->wake_fd, 1);
    (void)pthread_join(u->thread, NULL);
    while (unix_port_poll(u, &ev)) { /* sessions that the core has never heard of */
        if (ev.kind == UNIX_PORT_ATTACHED) {
            (void)close(ev.socket_fd);
            (void)close(ev.doorbell_fd);
        }
    }
    for (size_t i = 0; i < HELLO_PENDING_MAX; i++) {
        if (u->pending[i].fd >= 0)
            refuse(u, u->pending[i].fd, ADMISSION_STOPPING);
    }
    for (size_t i = 0; i < CLIENT_SESSION_MAX; i++) {
        if (u->session[i].state != SESSION_FREE)
            session_close(u, &u->session[i]);
    }
    port_free(u);
}

/* ---- the core's side ---- */

bool
unix_port_poll(struct unix_port *u, struct unix_port_event *ev)
{
    return ring_get(&u->event_reader, ev);
}

void
unix_port_release(struct unix_port *u, uint32_t slot, uint32_t generation)
{
    struct unix_port_release r = { .slot = slot, .generation = generation };

    ASSERT(slot < u->cfg.sessions_max);
    bool put = ring_put(&u->release_writer, &r);
    ASSERT(put);
}

int
unix_port_release_fd(const struct unix_port *u)
{
    return u->wake_fd;
}

void
unix_port_wake(struct unix_port *u)
{
    (void)eventfd_write(u->wake_fd, 1);
}

bool
unix_port_sleep(struct unix_port *u)
{
    return ring_reader_sleep(&u->event_reader);
}

void
unix_port_awake(struct unix_port *u)
{
    ring_reader_awake(&u->event_reader);
}

void
unix_port_ring(int socket_fd)
{
    (void)send(socket_fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}
