/* libexecgw: the client's side of admission and of the rings. See execgw/client.h.
 *
 * Always true: sizes and offsets are computed here and compared with what the gateway says and with the descriptors it
 * sent, so nothing it writes can lead outside a mapping; a hang-up is noticed by every sleeping call at once, and by
 * the others within HANGUP_CHECK_NS. */
#include "execgw/client.h"
#include "execgw/broadcast.h"
#include "execgw/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define HANGUP_CHECK_NS    (10 * NS_PER_MS)
#define MARKET_CHECK_TICKS UINT64_C(5000000)
#define CONNECT_TIMEOUT_MS 5000
#define RING_CAPACITY_MAX  (UINT64_C(1) << 20)

struct map {
    void *mem;
    size_t bytes;
};

struct execgw {
    struct ring_writer command;
    struct ring_reader report;
    struct md_reader md;
    bool have_md;
    bool gone;
    uint32_t client;
    uint32_t gateway_pid;
    int socket_fd;
    int doorbell_fd;
    uint64_t client_seq;
    uint64_t key;
    int64_t hangup_check_ns;
    uint64_t market_ticks;
    struct map session;
    struct map market;
    struct map metrics;
};

static int64_t
clock_ns(clockid_t id)
{
    struct timespec t;
    (void)clock_gettime(id, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

const char *
execgw_result_text(enum execgw_result r)
{
    static const char *const text[] = {
        [EXECGW_OK] = "ok",
        [EXECGW_NONE] = "nothing there",
        [EXECGW_LOST] = "market data was overwritten before it was read",
        [EXECGW_FULL] = "the command ring is full",
        [EXECGW_DISCONNECTED] = "the session has ended",
        [EXECGW_INVALID] = "an argument is out of range",
        [EXECGW_NOT_RUNNING] = "no gateway listens there",
        [EXECGW_REFUSED] = "the gateway refused the session",
        [EXECGW_SYSTEM] = "a system call failed",
    };
    return (unsigned)r < ARRAY_LEN(text) ? text[r] : "?";
}

const char *
execgw_default_path(char *buf, size_t room)
{
    const char *socket = getenv("EXECGW__CLIENT__SOCKET");
    const char *dir = getenv("XDG_RUNTIME_DIR");
    if (socket != NULL && socket[0] != '\0')
        (void)snprintf(buf, room, "%s", socket);
    else if (dir != NULL && dir[0] == '/')
        (void)snprintf(buf, room, "%s/execgw/execgw.sock", dir);
    else
        (void)snprintf(buf, room, "/run/execgw/execgw.sock");
    return buf;
}

/* ---- connecting ---- */

static enum execgw_result
fail(struct fault *fault, enum execgw_result r, const char *what, const char *why)
{
    (void)FAULT(fault, "%.120s: %.120s", what, why);
    return r;
}

static enum execgw_result
dial(struct execgw *h, const char *path, uint32_t timeout_ms, struct fault *fault)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    struct timeval limit = { .tv_sec = timeout_ms / 1000, .tv_usec = (timeout_ms % 1000) * 1000 };
    size_t n = strlen(path);

    if (n >= sizeof(addr.sun_path))
        return fail(fault, EXECGW_INVALID, path, "longer than a unix socket's path may be");
    memcpy(addr.sun_path, path, n);
    h->socket_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (h->socket_fd < 0)
        return fail(fault, EXECGW_SYSTEM, "socket", strerror(errno));
    (void)setsockopt(h->socket_fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    (void)setsockopt(h->socket_fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (connect(h->socket_fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0) {
        if (errno == ENOENT || errno == ECONNREFUSED)
            return fail(fault, EXECGW_NOT_RUNNING, path, "no gateway is running there (its path is client.socket)");
        return fail(fault, EXECGW_SYSTEM, path, strerror(errno));
    }
    return EXECGW_OK;
}

static enum execgw_result
say_hello(struct execgw *h, const struct execgw_options *opt, struct fault *fault)
{
    struct hello hello = {
        .magic = ADMISSION_MAGIC,
        .version = MESSAGE_VERSION,
        .role = opt->role,
        .on_disconnect = opt->on_disconnect,
    };
    if (opt->strategy == NULL || strlen(opt->strategy) >= sizeof(hello.strategy))
        return fail(fault, EXECGW_INVALID, "strategy", "its name must be 1 to 31 of [0-9A-Za-z._-]");
    memcpy(hello.strategy, opt->strategy, strlen(opt->strategy));
    if (send(h->socket_fd, &hello, sizeof(hello), MSG_NOSIGNAL) != (ssize_t)sizeof(hello) && errno != EPIPE)
        return fail(fault, EXECGW_SYSTEM, "hello", strerror(errno));
    return EXECGW_OK; /* after EPIPE there may still be a welcome that says why */
}

/* The welcome and its descriptors. fds: all -1 before; the caller closes what is there, whatever is returned. */
static enum execgw_result
hear_welcome(struct execgw *h, struct welcome *w, int fds[ADMISSION_FD_COUNT], struct fault *fault)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * ADMISSION_FD_COUNT)];
    } control;
    struct iovec iov = { .iov_base = w, .iov_len = sizeof(*w) };
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)
    };

    memset(w, 0, sizeof(*w));
    ssize_t n = recvmsg(h->socket_fd, &m, MSG_CMSG_CLOEXEC);
    if (n < 0 && errno == ECONNRESET) /* closed before our hello was read; what it had to say may still be there */
        n = recvmsg(h->socket_fd, &m, MSG_CMSG_CLOEXEC);
    if (n < 0)
        return fail(fault, EXECGW_SYSTEM, "no answer to the hello",
                    errno == EAGAIN ? "the gateway did not answer in time" : strerror(errno));
    if (n == 0)
        return fail(fault, EXECGW_REFUSED, "no answer to the hello", "the gateway hung up");
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
        memcpy(fds, CMSG_DATA(c), MIN(c->cmsg_len - CMSG_LEN(0), sizeof(int) * ADMISSION_FD_COUNT));
    if (n != (ssize_t)sizeof(*w) || w->magic != ADMISSION_MAGIC)
        return fail(fault, EXECGW_REFUSED, "welcome", "what answered is not an execgw gateway");
    w->text[sizeof(w->text) - 1] = '\0';
    if (w->status != ADMISSION_OK)
        return fail(fault, EXECGW_REFUSED, "the gateway refused",
                    w->text[0] != '\0' ? w->text : admission_status_text((enum admission_status)w->status));
    if (w->version != MESSAGE_VERSION)
        return fail(fault, EXECGW_REFUSED, "welcome", "the gateway speaks another message version");
    return EXECGW_OK;
}

static bool
map_fd(struct map *m, int fd, uint64_t bytes, int prot, int seals)
{
    struct stat st;

    if (fd < 0 || bytes == 0 || fstat(fd, &st) != 0 || st.st_size < 0 || (uint64_t)st.st_size < bytes)
        return false;
    int have = fcntl(fd, F_GET_SEALS);
    if (have < 0 || (have & seals) != seals) /* unsealed memory could shrink under us */
        return false;
    void *mem = mmap(NULL, bytes, prot, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (mem == MAP_FAILED)
        return false;
    *m = (struct map){ .mem = mem, .bytes = bytes };
    return true;
}

static bool
capacity_valid(uint64_t n)
{
    return n != 0 && n <= RING_CAPACITY_MAX && (n & (n - 1)) == 0;
}

static enum execgw_result
take_memory(struct execgw *h, const struct welcome *w, const int fds[ADMISSION_FD_COUNT], struct fault *fault)
{
    if (!capacity_valid(w->command_capacity) || !capacity_valid(w->report_capacity) || w->command_offset != 0 ||
        w->report_offset != session_report_offset(w->command_capacity) ||
        w->session_bytes != session_bytes(w->command_capacity, w->report_capacity))
        return fail(fault, EXECGW_REFUSED, "welcome", "the gateway describes rings that cannot be");
    if (!map_fd(&h->session, fds[ADMISSION_FD_SESSION], w->session_bytes, PROT_READ | PROT_WRITE,
                F_SEAL_SHRINK | F_SEAL_GROW))
        return fail(fault, EXECGW_SYSTEM, "session memory", "missing, too small or not sealed");
    uint8_t *base = h->session.mem;
    ring_writer_init(&h->command, (struct ring_mem *)(void *)base, 0, w->command_capacity, sizeof(struct command));
    ring_reader_init(&h->report, (struct ring_mem *)(void *)(base + w->report_offset), 0, w->report_capacity,
                     sizeof(struct report));
    if (w->market_bytes != 0) {
        if (!map_fd(&h->market, fds[ADMISSION_FD_MARKET], w->market_bytes, PROT_READ, F_SEAL_SHRINK) ||
            !md_reader_init(&h->md, h->market.mem, h->market.bytes))
            return fail(fault, EXECGW_SYSTEM, "market-data memory", "missing, or not laid out as this library knows");
        h->have_md = true;
    }
    if (w->metrics_bytes != 0 &&
        !map_fd(&h->metrics, fds[ADMISSION_FD_METRICS], w->metrics_bytes, PROT_READ, F_SEAL_SHRINK))
        return fail(fault, EXECGW_SYSTEM, "metrics memory", "missing, too small or not sealed");
    h->doorbell_fd = fcntl(fds[ADMISSION_FD_DOORBELL], F_DUPFD_CLOEXEC, 0);
    if (h->doorbell_fd < 0)
        return fail(fault, EXECGW_SYSTEM, "doorbell", strerror(errno));
    h->client = w->client;
    h->gateway_pid = w->gateway_pid;
    return EXECGW_OK;
}

static enum execgw_result
admission(struct execgw *h, const struct execgw_options *opt, const char *path, struct fault *fault)
{
    struct welcome w;
    int fds[ADMISSION_FD_COUNT] = { -1, -1, -1, -1 };
    enum execgw_result r = dial(h, path, opt->timeout_ms != 0 ? opt->timeout_ms : CONNECT_TIMEOUT_MS, fault);

    if (r == EXECGW_OK)
        r = say_hello(h, opt, fault);
    if (r == EXECGW_OK) {
        r = hear_welcome(h, &w, fds, fault);
        if (r == EXECGW_OK)
            r = take_memory(h, &w, fds, fault);
    }
    for (size_t i = 0; i < ADMISSION_FD_COUNT; i++) {
        if (fds[i] >= 0)
            (void)close(fds[i]);
    }
    return r;
}

enum execgw_result
execgw_open(const struct execgw_options *opt, struct execgw **out, struct fault *fault)
{
    struct fault unused;
    char path[256];
    struct execgw *h = calloc(1, sizeof(*h));

    if (fault == NULL)
        fault = &unused;
    fault->text[0] = '\0';
    if (h == NULL)
        return fail(fault, EXECGW_SYSTEM, "memory", "none left");
    h->socket_fd = h->doorbell_fd = -1;
    enum execgw_result r =
        admission(h, opt, opt->path != NULL ? opt->path : execgw_default_path(path, sizeof(path)), fault);
    if (r != EXECGW_OK) {
        execgw_close(h);
        return r;
    }
    *out = h;
    return EXECGW_OK;
}

struct execgw *
execgw_connect(const char *path, const char *strategy, struct fault *fault)
{
    struct execgw_options opt = { .path = path, .strategy = strategy, .role = ROLE_STRATEGY };
    struct execgw *h = NULL;
    return execgw_open(&opt, &h, fault) == EXECGW_OK ? h : NULL;
}

void
execgw_close(struct execgw *h)
{
    if (h == NULL)
        return;
    const struct map maps[] = { h->session, h->market, h->metrics };
    for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
        if (maps[i].mem != NULL)
            (void)munmap(maps[i].mem, maps[i].bytes);
    }
    if (h->socket_fd >= 0)
        (void)close(h->socket_fd);
    if (h->doorbell_fd >= 0)
        (void)close(h->doorbell_fd);
    free(h);
}

uint32_t
execgw_client(const struct execgw *h)
{
    return h->client;
}

uint32_t
execgw_gateway_pid(const struct execgw *h)
{
    return h->gateway_pid;
}

/* ---- the socket: doorbell and death notice ---- */

/* Read the doorbell's bytes; notice a hang-up. */
static void
socket_drain(struct execgw *h)
{
    char byte[8];

    for (unsigned i = 0; i < 64 && !h->gone; i++) {
        ssize_t n = recv(h->socket_fd, byte, sizeof(byte), MSG_DONTWAIT);
        if (n > 0)
            continue;
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            h->gone = true;
        return;
    }
}

/* A system call at most every HANGUP_CHECK_NS. The doorbell's bytes stay: a caller's event loop may wait for them. */
static bool
gateway_gone(struct execgw *h, int64_t now_ns)
{
    if (unlikely(now_ns - h->hangup_check_ns >= HANGUP_CHECK_NS)) {
        struct pollfd p = { .fd = h->socket_fd, .events = POLLRDHUP };
        h->hangup_check_ns = now_ns;
        h->gone |= poll(&p, 1, 0) == 1; /* hung up, or worse */
    }
    return h->gone;
}

/* For reads of memory, which the end of the gateway does not stop. They cost less than a clock does on some machines,
 * so the processor's own counter says when to look at one: some milliseconds, at 1 to 5 GHz. */
static bool
market_gone(struct execgw *h)
{
#ifdef __x86_64__
    uint64_t ticks = __builtin_ia32_rdtsc();
    if (likely(ticks - h->market_ticks < MARKET_CHECK_TICKS))
        return h->gone;
    h->market_ticks = ticks;
#endif
    return gateway_gone(h, clock_ns(CLOCK_MONOTONIC));
}

/* ---- commands ---- */

uint64_t
execgw_next_key(struct execgw *h)
{
    uint64_t wall = (uint64_t)clock_ns(CLOCK_REALTIME);
    h->key = wall > h->key ? wall : h->key + 1;
    return h->key;
}

uint64_t
execgw_last_seq(const struct execgw *h)
{
    return h->client_seq;
}

enum execgw_result
execgw_submit(struct execgw *h, const struct command *c)
{
    int64_t now_ns = clock_ns(CLOCK_MONOTONIC);

    if (unlikely(gateway_gone(h, now_ns)))
        return EXECGW_DISCONNECTED;
    struct command *to = ring_claim(&h->command);
    if (unlikely(to == NULL)) {
        if (h->command.broken)
            h->gone = true;
        else
            socket_drain(h);
        return h->gone ? EXECGW_DISCONNECTED : EXECGW_FULL;
    }
    *to = *c;
    to->version = MESSAGE_VERSION;
    to->submit_mono_ns = now_ns;
    to->client_seq = ++h->client_seq;
    ring_commit(&h->command);
    if (ring_wake_needed(&h->command))
        (void)eventfd_write(h->doorbell_fd, 1);
    return EXECGW_OK;
}

static bool
instrument_named(const struct instrument *ins)
{
    return ins != NULL && ins->id < INSTRUMENT_MAX && ins->version != 0;
}

enum execgw_result
execgw_new_limit(struct execgw *h, const struct instrument *ins, enum side side, px_t px, qty_t qty,
                 enum time_in_force tif, unsigned flags, uint64_t *key)
{
    if (!instrument_named(ins) || (flags & ~COMMAND_FLAGS_ALL) != 0)
        return EXECGW_INVALID;
    struct command c = {
        .verb = COMMAND_NEW,
        .flags = (uint8_t)flags,
        .key = execgw_next_key(h),
        .instrument = ins->id,
        .instrument_version = ins->version,
        .side = (uint8_t)side,
        .type = ORDER_LIMIT,
        .tif = (uint8_t)tif,
        .px = px,
        .qty = qty,
    };
    if (key != NULL)
        *key = c.key;
    return execgw_submit(h, &c);
}

enum execgw_result
execgw_cancel(struct execgw *h, uint64_t target_key)
{
    struct command c = {
        .verb = COMMAND_CANCEL,
        .target_key = target_key,
        .target_client = h->client,
        .instrument = INSTRUMENT_NONE,
    };
    return execgw_submit(h, &c);
}

enum execgw_result
execgw_replace(struct execgw *h, const struct instrument *ins, uint64_t target_key, px_t px, qty_t qty, uint64_t *key)
{
    if (!instrument_named(ins))
        return EXECGW_INVALID;
    struct command c = {
        .verb = COMMAND_REPLACE,
        .key = execgw_next_key(h),
        .target_key = target_key,
        .target_client = h->client,
        .instrument = ins->id,
        .instrument_version = ins->version,
        .type = ORDER_LIMIT,
        .px = px,
        .qty = qty,
    };
    if (key != NULL)
        *key = c.key;
    return execgw_submit(h, &c);
}

enum execgw_result
execgw_cancel_all(struct execgw *h, uint32_t instrument)
{
    struct command c = { .verb = COMMAND_CANCEL_ALL, .target_client = CLIENT_NONE, .instrument = instrument };
    return execgw_submit(h, &c);
}

enum execgw_result
execgw_orders(struct execgw *h, uint64_t from_key)
{
    struct command c = {
        .verb = COMMAND_QUERY_ORDERS,
        .target_key = from_key,
        .target_client = CLIENT_NONE,
        .instrument = INSTRUMENT_NONE,
    };
    return execgw_submit(h, &c);
}

enum execgw_result
execgw_heartbeat(struct execgw *h)
{
    struct command c = { .verb = COMMAND_HEARTBEAT, .target_client = CLIENT_NONE, .instrument = INSTRUMENT_NONE };
    return execgw_submit(h, &c);
}

enum execgw_result
execgw_whatif(struct execgw *h, const struct instrument *ins, enum side side, enum order_type type, px_t px,
              unsigned flags)
{
    if (!instrument_named(ins) || (flags & ~COMMAND_FLAGS_ALL) != 0)
        return EXECGW_INVALID;
    struct command c = {
        .verb = COMMAND_WHATIF,
        .flags = (uint8_t)flags,
        .target_client = CLIENT_NONE,
        .instrument = ins->id,
        .instrument_version = ins->version,
        .side = (uint8_t)side,
        .type = (uint8_t)type,
        .px = px,
    };
    return execgw_submit(h, &c);
}

/* ---- reports ---- */

enum execgw_result
execgw_poll_report(struct execgw *h, struct report *r)
{
    const void *from = ring_peek(&h->report);

    if (from == NULL) {
        if (h->report.broken)
            h->gone = true;
        if (!gateway_gone(h, clock_ns(CLOCK_MONOTONIC)))
            return EXECGW_NONE;
        from = ring_peek(&h->report); /* what came in before the end */
        if (from == NULL)
            return EXECGW_DISCONNECTED;
    }
    words_load(r, (const _Atomic uint64_t *)from, sizeof(*r) / 8);
    ring_release(&h->report);
    r->clordid[sizeof(r->clordid) - 1] = '\0';
    r->text[sizeof(r->text) - 1] = '\0';
    return EXECGW_OK;
}

enum execgw_result
execgw_sleep(struct execgw *h)
{
    if (!ring_reader_sleep(&h->report))
        return EXECGW_OK;
    if (h->report.broken)
        h->gone = true;
    return h->gone ? EXECGW_DISCONNECTED : EXECGW_NONE;
}

void
execgw_awake(struct execgw *h)
{
    ring_reader_awake(&h->report);
    socket_drain(h);
}

int
execgw_fd(const struct execgw *h)
{
    return h->socket_fd;
}

enum execgw_result
execgw_wait(struct execgw *h, int timeout_ms)
{
    int64_t until_ns = timeout_ms < 0 ? INT64_MAX : clock_ns(CLOCK_MONOTONIC) + timeout_ms * NS_PER_MS;

    for (;;) { /* ends with a report, a hang-up, a signal or the time */
        enum execgw_result r = execgw_sleep(h);
        if (r != EXECGW_NONE)
            return r;
        int64_t left_ns = until_ns - clock_ns(CLOCK_MONOTONIC);
        int left_ms = timeout_ms < 0 ? -1 : (int)MAX(0, (left_ns + NS_PER_MS - 1) / NS_PER_MS);
        struct pollfd p = { .fd = h->socket_fd, .events = POLLIN };
        int n = poll(&p, 1, left_ms);
        execgw_awake(h);
        if (ring_peek(&h->report) != NULL)
            return EXECGW_OK;
        if (h->gone || h->report.broken)
            return EXECGW_DISCONNECTED;
        if (n < 0 || (timeout_ms >= 0 && clock_ns(CLOCK_MONOTONIC) >= until_ns))
            return EXECGW_NONE;
    }
}

/* ---- market data ---- */

enum execgw_result
execgw_poll_md(struct execgw *h, struct md_event *ev)
{
    if (!h->have_md)
        return EXECGW_NONE;
    switch (md_read(&h->md, ev)) {
    case MD_READ_OK: return EXECGW_OK;
    case MD_READ_LOST: return EXECGW_LOST;
    case MD_READ_NONE: break;
    }
    return market_gone(h) ? EXECGW_DISCONNECTED : EXECGW_NONE;
}

enum execgw_result
execgw_md_seek(struct execgw *h, uint64_t seq)
{
    if (!h->have_md || seq == 0 || seq > atomic_load_explicit(&h->md.shm->tail, memory_order_acquire) + 1)
        return EXECGW_INVALID;
    return md_seek(&h->md, seq) ? EXECGW_OK : EXECGW_LOST;
}

uint64_t
execgw_md_lost(const struct execgw *h)
{
    return h->have_md ? h->md.lost : 0;
}

uint64_t
execgw_md_seq(const struct execgw *h)
{
    return h->have_md ? h->md.next - 1 : 0;
}

/* What levels of that version are worth now; the table is newer than they are. */
static bool
levels_state(const struct execgw *h, uint32_t instrument, uint32_t version, uint8_t *state)
{
    struct top_of_book tob;

    if (!md_read_top(&h->md, instrument, &tob))
        return false;
    if (tob.state != BOOK_LIVE || tob.instrument_version != version)
        *state = tob.state != BOOK_LIVE ? tob.state : BOOK_SYNCING;
    return true;
}

enum execgw_result
execgw_book(struct execgw *h, uint32_t instrument, struct ladder *book)
{
    if (market_gone(h))
        return EXECGW_DISCONNECTED;
    return h->have_md && md_read_ladder(&h->md, instrument, book) &&
                   levels_state(h, instrument, book->instrument_version, &book->state)
               ? EXECGW_OK
               : EXECGW_NONE;
}

enum execgw_result
execgw_levels(struct execgw *h, uint32_t instrument, struct ladder_head *head, struct level *bids, struct level *asks,
              uint32_t room)
{
    if (market_gone(h))
        return EXECGW_DISCONNECTED;
    return h->have_md && md_read_levels(&h->md, instrument, head, bids, asks, room) &&
                   levels_state(h, instrument, head->instrument_version, &head->state)
               ? EXECGW_OK
               : EXECGW_NONE;
}

enum execgw_result
execgw_top(struct execgw *h, uint32_t instrument, struct top_of_book *tob)
{
    if (market_gone(h))
        return EXECGW_DISCONNECTED;
    return h->have_md && md_read_top(&h->md, instrument, tob) ? EXECGW_OK : EXECGW_NONE;
}

uint32_t
execgw_instrument_count(const struct execgw *h)
{
    if (!h->have_md)
        return 0;
    uint32_t n = atomic_load_explicit(&h->md.shm->instrument_count, memory_order_acquire);
    return MIN(n, h->md.instrument_max);
}

enum execgw_result
execgw_instrument(struct execgw *h, uint32_t id, struct instrument *ins)
{
    struct instrument i;

    if (!h->have_md || !md_read_instrument(&h->md, id, &i) || i.id != id || i.version == 0 ||
        i.px_decimals > DECIMALS_MAX || i.qty_decimals > DECIMALS_MAX)
        return EXECGW_NONE;
    char *const text[] = { i.symbol, i.canonical };
    for (size_t k = 0; k < ARRAY_LEN(text); k++)
        text[k][SYMBOL_BYTES - 1] = '\0';
    i.base[CURRENCY_BYTES - 1] = i.quote[CURRENCY_BYTES - 1] = i.settle[CURRENCY_BYTES - 1] = '\0';
    *ins = i;
    return EXECGW_OK;
}

enum execgw_result
execgw_instrument_by_symbol(struct execgw *h, const char *symbol, struct instrument *ins)
{
    struct instrument i;
    uint32_t count = execgw_instrument_count(h);

    for (uint32_t id = 0; id < count; id++) {
        if (execgw_instrument(h, id, &i) == EXECGW_OK &&
            (strcmp(i.symbol, symbol) == 0 || strcmp(i.canonical, symbol) == 0)) {
            *ins = i;
            return EXECGW_OK;
        }
    }
    return EXECGW_NONE;
}

const void *
execgw_metrics(const struct execgw *h, size_t *bytes)
{
    *bytes = h->metrics.bytes;
    return h->metrics.mem;
}
