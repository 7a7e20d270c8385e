/* The loop. See loop.h.
 *
 * Shape: a completion only notes what happened (queues a span, moves an offset, marks its connection dirty);
 * loop_submit walks the dirty connections and prepares what each one needs next. A connection ends in three steps:
 * CLOSING flushes what was committed, ENDING shuts the socket down and waits until the kernel holds none of our
 * buffers, then CLOSE; its completion queues the END behind the connection's last bytes. */
#include "engine/io/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "engine/io/hold.h"
#include "engine/io/tls.h"

#define CONTROL_BYTES 2048u /* records that OpenSSL writes by itself: alerts, key updates */
#define FSYNC_MAX     8u
#define PAGE_BYTES    4096u

enum op { OP_RECV, OP_SEND, OP_SHUTDOWN, OP_CLOSE, OP_POLL, OP_CANCEL, OP_BELL, OP_FSYNC, OP_CLOSE_FD, OP_COUNT };

enum conn_state { CONN_FREE, CONN_OPEN, CONN_CLOSING, CONN_ENDING };

struct conn {
    uint32_t gen;
    int fd;
    struct tls *tls;
    uint8_t state; /* enum conn_state */
    uint8_t class; /* enum loop_class */
    uint8_t end;   /* enum loop_end, once not OPEN */
    bool dirty;
    bool recv_armed;
    bool recv_done; /* end of file or error seen: never armed again */
    bool sending;   /* a SEND is in flight: the kernel owns out[] */
    bool discard;   /* nothing more is delivered but the end */
    bool shut;
    bool notified; /* TLS: the peer's close_notify was read */
    bool notify;   /* TLS: our close_notify is still to be written */
    uint32_t ops;  /* operations in the kernel */
    int err;
    uint8_t *fill; /* committed, not yet given away: plaintext for TLS */
    uint8_t *out;  /* being sent */
    uint8_t *control;
    uint32_t fill_bytes;
    uint32_t reserved;
    uint32_t out_off;
    uint32_t out_bytes;
    struct hold hold; /* what waits for the journal */
    int64_t linger_until_ns;
    struct conn_handover early;
};

enum span_kind { SPAN_BYTES, SPAN_EARLY, SPAN_END };

struct span {
    int64_t recv_ns;
    uint32_t conn;
    uint32_t bytes;
    uint16_t buffer;
    uint16_t kind; /* enum span_kind */
};

/* One class: its provided buffers and the queue of spans not yet delivered. */
struct inbox {
    struct io_uring_buf_ring *ring;
    uint8_t *buffer;
    uint32_t buffer_count;
    uint32_t buffer_free;
    uint32_t given; /* added to the ring, not yet announced */
    uint16_t group;
    struct span *span;
    uint32_t span_mask;
    uint32_t head;
    uint32_t tail;
};

struct watch {
    uint64_t token;
    int fd;
    uint32_t gen;
    bool used;
    bool live;
};

struct bell {
    int fd;
    bool used;
    bool writing;
    bool again;
    bool closing;
};

struct loop {
    struct io_uring ring;
    struct loop_config cfg;
    struct loop_events events;
    struct loop_stats stats;
    struct now now;
    bool worked; /* this turn did something: it is measured */
    bool sends;  /* SENDs prepared since the last enter */
    uint64_t covered;
    int64_t linger_next_ns;
    struct inbox inbox[LOOP_CLASS_COUNT];
    struct conn *conn;
    uint32_t *dirty;
    uint32_t dirty_count;
    uint32_t out_room;
    struct watch *watch;
    struct bell *bell;
    struct {
        uint64_t token;
        bool used;
    } fsync[FSYNC_MAX];
    uint8_t *plain; /* one decrypted record */
};

static const uint64_t bell_one = 1;

/* ---- operation tags ---- */

static uint64_t
tag_pack(enum op op, uint32_t slot, uint32_t gen)
{
    return (uint64_t)op << 48 | (uint64_t)slot << 32 | gen;
}

/* ---- set-up ---- */

static uint32_t
pow2_at_least(uint32_t n)
{
    return n <= 1 ? 1 : UINT32_C(1) << (32 - __builtin_clz(n - 1));
}

static uint32_t
span_capacity(const struct loop_config *cfg, unsigned class)
{
    return pow2_at_least(cfg->recv_buffer_count[class] + 2 * cfg->conn_max);
}

static uint32_t
out_room(const struct loop_config *cfg)
{
    uint32_t records = cfg->send_buffer_bytes / TLS_RECORD_BYTES + 2;
    return (uint32_t)arena_cost(cfg->send_buffer_bytes + records * TLS_RECORD_OVERHEAD + CONTROL_BYTES);
}

static void
config_check(const struct loop_config *cfg)
{
    ASSERT(cfg->conn_max >= 1 && cfg->conn_max <= 4096);
    ASSERT(cfg->recv_buffer_bytes >= 64 && cfg->recv_buffer_bytes <= 1u << 20);
    ASSERT(cfg->send_buffer_bytes >= 64 && cfg->send_buffer_bytes <= 1u << 30);
    ASSERT(cfg->watch_max <= 4096 && cfg->bell_max <= 4096);
    for (unsigned c = 0; c < LOOP_CLASS_COUNT; c++) {
        uint32_t n = cfg->recv_buffer_count[c];
        ASSERT(n >= 1 && n <= 32768 && (n & (n - 1)) == 0);
    }
}

size_t
loop_footprint(const struct loop_config *cfg)
{
    config_check(cfg);
    size_t n = arena_cost(sizeof(struct loop)) + arena_cost(cfg->conn_max * sizeof(struct conn)) +
               arena_cost(cfg->conn_max * sizeof(uint32_t)) + arena_cost(cfg->watch_max * sizeof(struct watch)) +
               arena_cost(cfg->bell_max * sizeof(struct bell)) + arena_cost(TLS_RECORD_BYTES) +
               cfg->conn_max * (2 * arena_cost(out_room(cfg)) + arena_cost(CONTROL_BYTES)) +
               cfg->conn_max * hold_footprint(cfg->hold_messages, cfg->hold_bytes);
    for (unsigned c = 0; c < LOOP_CLASS_COUNT; c++) {
        n += arena_cost(cfg->recv_buffer_count[c] * sizeof(struct io_uring_buf) + PAGE_BYTES);
        n += arena_cost((size_t)cfg->recv_buffer_count[c] * cfg->recv_buffer_bytes);
        n += arena_cost(span_capacity(cfg, c) * sizeof(struct span));
    }
    return n;
}

/* Flag sets from the newest kernel to the oldest that we run on. R_DISABLED: restrictions come before the start. */
static const uint32_t setup_flags[] = {
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL |
        IORING_SETUP_R_DISABLED,
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL |
        IORING_SETUP_R_DISABLED,
    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_R_DISABLED,
    0,
};

static int
sysctl_disabled(void)
{
    FILE *f = fopen("/proc/sys/kernel/io_uring_disabled", "re");
    char text[8] = "0";

    if (f == NULL)
        return 0;
    if (fgets(text, sizeof(text), f) == NULL)
        text[0] = '0';
    (void)fclose(f);
    return text[0] - '0';
}

static COLD bool
setup_fault(int err, struct fault *fault)
{
    int disabled = sysctl_disabled();

    if (disabled != 0)
        return FAULT(fault,
                     "io_uring is switched off on this host (kernel.io_uring_disabled = %d): run 'sysctl "
                     "kernel.io_uring_disabled=0' as root",
                     disabled);
    if (err == EPERM || err == EACCES)
        return FAULT(fault, "io_uring is forbidden here, most likely by a container's seccomp profile: allow "
                            "io_uring_setup, io_uring_enter and io_uring_register in it, or start the container with "
                            "'--security-opt seccomp=unconfined'");
    if (err == ENOSYS)
        return FAULT(fault,
                     "this kernel has no io_uring: Linux 6.1 or newer is needed, with io_uring not filtered out");
    if (err == ENOMEM)
        return FAULT(fault, "io_uring: no memory for the ring: raise the memlock limit (LimitMEMLOCK=infinity)");
    return FAULT(fault, "io_uring cannot be set up: %s", strerror(err));
}

bool
loop_host_check(struct fault *fault)
{
    struct io_uring ring;
    int err = io_uring_queue_init(4, &ring, 0);

    if (err != 0)
        return setup_fault(-err, fault);
    io_uring_queue_exit(&ring);
    return true;
}

static int
ring_setup(struct loop *l)
{
    uint32_t cq = l->cfg.cq_entries;
    uint32_t sq = pow2_at_least(l->cfg.conn_max * 3 + l->cfg.watch_max + l->cfg.bell_max + 64);
    int err = -EINVAL;

    if (cq == 0) {
        cq = l->cfg.conn_max * 6 + l->cfg.watch_max * 2 + l->cfg.bell_max + 64;
        for (unsigned c = 0; c < LOOP_CLASS_COUNT; c++)
            cq += l->cfg.recv_buffer_count[c];
    }
    sq = MIN(sq, 4096u);
    if (l->cfg.cq_entries != 0)
        sq = MIN(sq, pow2_at_least(cq));
    cq = MIN(MAX(pow2_at_least(cq), sq), 65536u);
    for (size_t i = l->cfg.setup_skip; i < ARRAY_LEN(setup_flags); i++) {
        struct io_uring_params p = { .flags = setup_flags[i] | IORING_SETUP_CQSIZE, .cq_entries = cq };
        err = io_uring_queue_init_params(sq, &l->ring, &p);
        if (err != -EINVAL)
            break;
    }
    return err;
}

/* After this the ring takes only what the loop needs: no open, no connect, no splice. */
static int
ring_restrict(struct loop *l)
{
    static const uint8_t allowed[] = { IORING_OP_RECV,  IORING_OP_SEND,     IORING_OP_SHUTDOWN,     IORING_OP_CLOSE,
                                       IORING_OP_WRITE, IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL, IORING_OP_FSYNC };
    struct io_uring_restriction r[ARRAY_LEN(allowed) + 2];

    if ((l->ring.flags & IORING_SETUP_R_DISABLED) == 0)
        return 0;
    memset(r, 0, sizeof(r));
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
        r[i].opcode = IORING_RESTRICTION_SQE_OP;
        r[i].sqe_op = allowed[i];
    }
    r[ARRAY_LEN(allowed)].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    r[ARRAY_LEN(allowed)].sqe_flags = IOSQE_BUFFER_SELECT;
    r[ARRAY_LEN(allowed) + 1].opcode = IORING_RESTRICTION_REGISTER_OP;
    r[ARRAY_LEN(allowed) + 1].register_op = IORING_UNREGISTER_RING_FDS;
    /* By number: Debian's liburing 2.3 declares the two wrappers and does not export them. */
    long err = syscall(SYS_io_uring_register, l->ring.ring_fd, IORING_REGISTER_RESTRICTIONS, r, ARRAY_LEN(r));
    if (err == 0)
        err = syscall(SYS_io_uring_register, l->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
    return err == 0 ? 0 : -errno;
}

/* Multishot receive came with the same kernel as zero-copy send, which the probe can see. */
static bool
ring_probe(struct loop *l, struct fault *fault)
{
    struct io_uring_probe *probe = io_uring_get_probe_ring(&l->ring);
    bool ok = probe != NULL && io_uring_opcode_supported(probe, IORING_OP_SEND_ZC);

    io_uring_free_probe(probe);
    if (!ok || (l->ring.features & IORING_FEAT_EXT_ARG) == 0)
        return FAULT(fault, "this kernel's io_uring has no multishot receive: Linux 6.1 or newer is needed");
    return true;
}

static void
inbox_give(struct loop *l, struct inbox *in, uint16_t buffer)
{
    io_uring_buf_ring_add(in->ring, in->buffer + (size_t)buffer * l->cfg.recv_buffer_bytes, l->cfg.recv_buffer_bytes,
                          buffer, (int)in->buffer_count - 1, (int)in->given);
    in->given++;
    in->buffer_free++;
}

/* Announce given buffers to the kernel. */
static inline void
inbox_announce(struct inbox *in)
{
    if (in->given != 0)
        io_uring_buf_ring_advance(in->ring, (int)in->given);
    in->given = 0;
}

static bool
inbox_init(struct loop *l, unsigned class, struct arena *arena, struct fault *fault)
{
    struct inbox *in = &l->inbox[class];
    uint32_t count = l->cfg.recv_buffer_count[class];
    uint32_t spans = span_capacity(&l->cfg, class);
    uint8_t *mem = (uint8_t *)arena_take(arena, count * sizeof(struct io_uring_buf) + PAGE_BYTES);

    mem += (PAGE_BYTES - (uintptr_t)mem % PAGE_BYTES) % PAGE_BYTES;
    *in = (struct inbox){
        .ring = (struct io_uring_buf_ring *)(void *)mem,
        .buffer = (uint8_t *)arena_take(arena, (size_t)count * l->cfg.recv_buffer_bytes),
        .buffer_count = count,
        .group = (uint16_t) class,
        .span = (struct span *)arena_take(arena, spans * sizeof(struct span)),
        .span_mask = spans - 1,
    };
    struct io_uring_buf_reg reg = { .ring_addr = (uintptr_t)mem, .ring_entries = count, .bgid = in->group };
    int err = io_uring_register_buf_ring(&l->ring, &reg, 0);
    if (err != 0)
        return FAULT(fault, "io_uring: receive buffers cannot be registered (%s): Linux 6.1 or newer is needed",
                     strerror(-err));
    io_uring_buf_ring_init(in->ring);
    for (uint32_t b = 0; b < count; b++)
        inbox_give(l, in, (uint16_t)b);
    inbox_announce(in);
    return true;
}

static void
slots_init(struct loop *l, struct arena *arena)
{
    const struct loop_config *cfg = &l->cfg;

    l->out_room = out_room(cfg);
    l->conn = (struct conn *)arena_take(arena, cfg->conn_max * sizeof(struct conn));
    l->dirty = (uint32_t *)arena_take(arena, cfg->conn_max * sizeof(uint32_t));
    l->watch = (struct watch *)arena_take(arena, cfg->watch_max * sizeof(struct watch));
    l->bell = (struct bell *)arena_take(arena, cfg->bell_max * sizeof(struct bell));
    l->plain = (uint8_t *)arena_take(arena, TLS_RECORD_BYTES);
    for (uint32_t i = 0; i < cfg->conn_max; i++) {
        struct conn *c = &l->conn[i];
        c->fd = -1;
        c->fill = (uint8_t *)arena_take(arena, l->out_room);
        c->out = (uint8_t *)arena_take(arena, l->out_room);
        c->control = (uint8_t *)arena_take(arena, CONTROL_BYTES);
        hold_init(&c->hold, cfg->hold_messages, cfg->hold_bytes, arena);
    }
}

struct loop *
loop_init(const struct loop_config *cfg, const struct loop_events *events, struct arena *arena, struct fault *fault)
{
    config_check(cfg);
    struct loop *l = (struct loop *)arena_take(arena, sizeof(*l));
    l->cfg = *cfg;
    l->events = *events;
    l->linger_next_ns = INT64_MAX;
    int err = ring_setup(l);
    if (err != 0) {
        (void)setup_fault(-err, fault);
        return NULL;
    }
    bool ok = ring_probe(l, fault);
    for (unsigned c = 0; ok && c < LOOP_CLASS_COUNT; c++)
        ok = inbox_init(l, c, arena, fault);
    if (ok) {
        (void)io_uring_register_ring_fd(&l->ring); /* saves a file look-up per enter; works without */
        err = ring_restrict(l);
        if (err != 0)
            ok = setup_fault(-err, fault);
    }
    if (!ok) {
        io_uring_queue_exit(&l->ring);
        return NULL;
    }
    slots_init(l, arena);
    (void)loop_now(l);
    return l;
}

void
loop_exit(struct loop *l)
{
    io_uring_queue_exit(&l->ring);
    for (uint32_t i = 0; i < l->cfg.conn_max; i++) {
        struct conn *c = &l->conn[i];
        if (c->state == CONN_FREE)
            continue;
        if (c->fd >= 0)
            (void)close(c->fd);
        if (c->tls != NULL)
            tls_free(c->tls);
        c->state = CONN_FREE;
    }
    for (uint32_t i = 0; i < l->cfg.bell_max; i++)
        if (l->bell[i].used && l->bell[i].closing)
            (void)close(l->bell[i].fd);
}

const struct loop_stats *
loop_stats(const struct loop *l)
{
    return &l->stats;
}

const char *
loop_end_text(enum loop_end end)
{
    static const char *const text[] = {
#define X(name, label, t) t,
        LOOP_ENDS(X)
#undef X
    };
    return (unsigned)end < LOOP_END_COUNT ? text[end] : "?";
}

/* ---- submission ---- */

static void
ring_enter(struct loop *l)
{
    int n = io_uring_submit(&l->ring);

    l->stats.enters++;
    /* EBUSY, EAGAIN: completions must be reaped first, what is prepared stays; the rest is ours. */
    ASSERT(n >= 0 || n == -EBUSY || n == -EAGAIN || n == -EINTR);
}

static struct io_uring_sqe *
sqe_take(struct loop *l)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&l->ring);

    if (unlikely(sqe == NULL)) {
        ring_enter(l);
        sqe = io_uring_get_sqe(&l->ring);
        ASSERT(sqe != NULL);
    }
    return sqe;
}

static struct io_uring_sqe *
conn_sqe(struct loop *l, struct conn *c, uint64_t *tag, enum op op)
{
    *tag = tag_pack(op, (uint32_t)(c - l->conn), c->gen);
    c->ops++;
    return sqe_take(l);
}

static inline void
conn_dirty(struct loop *l, struct conn *c)
{
    if (c->dirty)
        return;
    c->dirty = true;
    l->dirty[l->dirty_count++] = (uint32_t)(c - l->conn);
}

static void
conn_arm_recv(struct loop *l, struct conn *c)
{
    uint64_t tag;
    struct io_uring_sqe *sqe = conn_sqe(l, c, &tag, OP_RECV);

    io_uring_prep_recv_multishot(sqe, c->fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = l->inbox[c->class].group;
    io_uring_sqe_set_data64(sqe, tag);
    c->recv_armed = true;
    l->stats.rearms++;
}

static void
conn_prep_send(struct loop *l, struct conn *c)
{
    uint64_t tag;
    struct io_uring_sqe *sqe = conn_sqe(l, c, &tag, OP_SEND);

    io_uring_prep_send(sqe, c->fd, c->out + c->out_off, c->out_bytes - c->out_off, MSG_NOSIGNAL);
    io_uring_sqe_set_data64(sqe, tag);
    c->sending = true;
    l->sends = true;
    l->stats.sends++;
}

/* What the journal has come to cover goes behind what was committed, as far as there is room. */
static void
hold_release(struct loop *l, struct conn *c)
{
    c->fill_bytes += hold_take(&c->hold, l->covered, c->fill + c->fill_bytes, l->cfg.send_buffer_bytes - c->fill_bytes);
}

/* Encrypt behind whatever records OpenSSL has written by itself. False: the session is broken. */
static bool
out_take_tls(struct conn *c, uint32_t n, uint32_t room)
{
    struct tls *t = c->tls;
    size_t control = t->out_bytes;
    bool ok = true;

    memcpy(c->out, c->control, control);
    tls_set_out(t, c->out, room);
    t->out_bytes = control;
    if (n != 0)
        ok = tls_write(t, c->fill, n);
    if (ok && c->notify && n == c->fill_bytes) {
        c->notify = false;
        tls_close_notify(t);
    }
    c->out_bytes = (uint32_t)t->out_bytes;
    tls_set_out(t, c->control, CONTROL_BYTES);
    memmove(c->fill, c->fill + n, c->fill_bytes - n);
    return ok;
}

static void
out_take_plain(struct conn *c, uint32_t n)
{
    uint8_t *full = c->fill;

    c->fill = c->out;
    c->out = full;
    c->out_bytes = n;
    memcpy(c->fill, full + n, c->fill_bytes - n);
}

/* Move what may leave from fill to out, which is free. False: TLS failed. */
static bool
out_take(struct loop *l, struct conn *c)
{
    if (unlikely(c->hold.count != 0))
        hold_release(l, c);
    uint32_t n = c->fill_bytes;
    bool ok = true;

    c->out_off = 0;
    c->out_bytes = 0;
    if (c->tls != NULL) {
        if (n != 0 || c->tls->out_bytes != 0 || c->notify)
            ok = out_take_tls(c, n, l->out_room);
    } else if (n != 0) {
        out_take_plain(c, n);
    }
    c->fill_bytes -= n;
    return ok;
}

/* ---- ending ---- */

/* The socket is of no more use. What was received before is still delivered, unless discard is set. */
static void
conn_end(struct loop *l, struct conn *c, enum loop_end end, int err)
{
    if (c->state == CONN_ENDING)
        return;
    if (c->state == CONN_OPEN) {
        c->end = (uint8_t)end;
        c->err = err;
    }
    c->state = CONN_ENDING;
    hold_clear(&c->hold);
    conn_dirty(l, c);
}

/* Nothing more is delivered; flush what is committed, then end. */
static void
conn_close(struct loop *l, struct conn *c, enum loop_end end, int err)
{
    c->discard = true;
    if (c->state != CONN_OPEN) {
        conn_dirty(l, c);
        return;
    }
    c->state = CONN_CLOSING;
    hold_clear(&c->hold); /* never sent: what waits is not worth a closing connection's wait */
    c->end = (uint8_t)end;
    c->err = err;
    c->notify = c->tls != NULL && end != LOOP_END_TLS;
    c->linger_until_ns = l->now.mono.ns + (int64_t)l->cfg.close_linger_ms * NS_PER_MS;
    conn_dirty(l, c);
}

/* Prepare what the connection needs next; true when it must be looked at again in the next turn. */
static bool
conn_prepare_ending(struct loop *l, struct conn *c)
{
    uint64_t tag;
    struct io_uring_sqe *sqe;

    if (!c->shut) {
        c->shut = true;
        sqe = conn_sqe(l, c, &tag, OP_SHUTDOWN);
        io_uring_prep_shutdown(sqe, c->fd, SHUT_RDWR);
        io_uring_sqe_set_data64(sqe, tag);
    }
    if (!c->recv_armed && !c->recv_done && !c->discard) { /* bytes may still wait in the socket */
        if (l->inbox[c->class].buffer_free == 0)
            return true;
        conn_arm_recv(l, c);
    }
    if (c->ops != 0 || c->fd < 0)
        return false;
    sqe = conn_sqe(l, c, &tag, OP_CLOSE);
    io_uring_prep_close(sqe, c->fd);
    io_uring_sqe_set_data64(sqe, tag);
    c->fd = -1;
    return false;
}

static bool
conn_prepare(struct loop *l, struct conn *c)
{
    bool again = false;

    if (c->state == CONN_OPEN || c->state == CONN_CLOSING) {
        if (!c->recv_armed && !c->recv_done) {
            if (l->inbox[c->class].buffer_free != 0)
                conn_arm_recv(l, c);
            else
                again = true;
        }
        if (!c->sending && c->out_off == c->out_bytes && !out_take(l, c)) {
            c->out_bytes = 0;
            conn_close(l, c, LOOP_END_TLS, 0);
            conn_end(l, c, LOOP_END_TLS, 0);
        } else if (!c->sending && c->out_off != c->out_bytes) {
            conn_prep_send(l, c);
        }
        if (c->state == CONN_CLOSING) {
            if ((c->sending || c->fill_bytes != 0) && l->now.mono.ns < c->linger_until_ns) {
                l->linger_next_ns = MIN(l->linger_next_ns, c->linger_until_ns);
                return true;
            }
            conn_end(l, c, (enum loop_end)c->end, c->err);
        }
    }
    if (c->state == CONN_ENDING)
        return conn_prepare_ending(l, c);
    return again;
}

static void
dirty_prepare(struct loop *l)
{
    uint32_t kept = 0;

    l->linger_next_ns = INT64_MAX;
    for (uint32_t i = 0; i < l->dirty_count; i++) {
        struct conn *c = &l->conn[l->dirty[i]];
        if (conn_prepare(l, c))
            l->dirty[kept++] = l->dirty[i];
        else
            c->dirty = false;
    }
    l->dirty_count = kept;
}

/* ---- completions ---- */

static void
span_put(struct loop *l, uint32_t class, const struct span *s)
{
    struct inbox *in = &l->inbox[class];

    ASSERT(in->tail - in->head <= in->span_mask);
    in->span[in->tail++ & in->span_mask] = *s;
}

static COLD void
conn_recv_ended(struct loop *l, struct conn *c, int res)
{
    switch (res) {
    case -ENOBUFS: l->stats.enobufs++; break;
    case -EINTR:
    case -EAGAIN: break;
    case 0:
        c->recv_done = true;
        conn_end(l, c, LOOP_END_PEER, 0);
        break;
    default: c->recv_done = true; conn_end(l, c, LOOP_END_RECV, -res);
    }
}

static void
on_recv(struct loop *l, struct conn *c, const struct io_uring_cqe *cqe)
{
    if (!(cqe->flags & IORING_CQE_F_MORE)) {
        c->recv_armed = false;
        c->ops--;
        conn_dirty(l, c);
    }
    if (likely(cqe->res > 0)) {
        struct inbox *in = &l->inbox[c->class];
        uint16_t buffer = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);

        ASSERT((cqe->flags & IORING_CQE_F_BUFFER) != 0 && buffer < in->buffer_count && in->buffer_free > 0);
        in->buffer_free--;
        l->stats.recvs++;
        l->stats.recv_bytes += (uint32_t)cqe->res;
        if (unlikely(c->discard)) {
            inbox_give(l, in, buffer);
            return;
        }
        span_put(l, c->class,
                 &(struct span){ .recv_ns = l->now.mono.ns,
                                 .conn = (uint32_t)(c - l->conn),
                                 .bytes = (uint32_t)cqe->res,
                                 .buffer = buffer,
                                 .kind = SPAN_BYTES });
        return;
    }
    conn_recv_ended(l, c, cqe->res);
}

static void
on_send(struct loop *l, struct conn *c, const struct io_uring_cqe *cqe)
{
    c->ops--;
    c->sending = false;
    if (likely(cqe->res > 0)) {
        l->stats.send_bytes += (uint32_t)cqe->res;
        c->out_off += (uint32_t)cqe->res;
        if (c->out_off != c->out_bytes)
            l->stats.sends_cut++;
    } else if (cqe->res != -EINTR && cqe->res != -EAGAIN) {
        conn_end(l, c, LOOP_END_SEND, -cqe->res);
    }
    if (c->out_off != c->out_bytes || c->fill_bytes != 0 || c->state != CONN_OPEN || hold_due(&c->hold, l->covered) ||
        (c->tls != NULL && c->tls->out_bytes != 0))
        conn_dirty(l, c);
}

static void
on_conn_cqe(struct loop *l, enum op op, uint32_t slot, uint32_t gen, const struct io_uring_cqe *cqe)
{
    ASSERT(slot < l->cfg.conn_max);
    struct conn *c = &l->conn[slot];
    ASSERT(gen == c->gen && c->state != CONN_FREE && c->ops > 0);
    switch (op) {
    case OP_RECV: on_recv(l, c, cqe); return;
    case OP_SEND: on_send(l, c, cqe); return;
    case OP_SHUTDOWN:
        c->ops--;
        conn_dirty(l, c);
        return;
    default: /* OP_CLOSE: the last one */
        c->ops--;
        span_put(l, c->class, &(struct span){ .conn = slot, .kind = SPAN_END });
    }
}

static void
watch_arm(struct loop *l, uint32_t i)
{
    struct watch *w = &l->watch[i];
    struct io_uring_sqe *sqe = sqe_take(l);

    io_uring_prep_poll_multishot(sqe, w->fd, POLL_IN);
    io_uring_sqe_set_data64(sqe, tag_pack(OP_POLL, i, w->gen));
}

static void
on_poll(struct loop *l, uint32_t i, uint32_t gen, const struct io_uring_cqe *cqe)
{
    ASSERT(i < l->cfg.watch_max && l->watch[i].used && l->watch[i].gen == gen);
    struct watch *w = &l->watch[i];

    if (!(cqe->flags & IORING_CQE_F_MORE)) {
        ASSERT(!w->live || cqe->res > 0); /* polling an eventfd cannot fail */
        if (w->live) {
            watch_arm(l, i);
        } else {
            w->used = false;
            w->gen++;
        }
    }
    if (w->live)
        l->events.on_wake(l->events.ctx, w->token);
}

static void
bell_write(struct loop *l, uint32_t i)
{
    struct bell *b = &l->bell[i];
    struct io_uring_sqe *sqe = sqe_take(l);

    io_uring_prep_write(sqe, b->fd, &bell_one, sizeof(bell_one), 0);
    io_uring_sqe_set_data64(sqe, tag_pack(OP_BELL, i, 0));
    b->writing = true;
    b->again = false;
}

static void
on_bell(struct loop *l, uint32_t i)
{
    ASSERT(i < l->cfg.bell_max && l->bell[i].writing);
    struct bell *b = &l->bell[i];

    b->writing = false;
    if (b->again && !b->closing) {
        bell_write(l, i);
    } else if (b->closing) {
        loop_close_fd(l, b->fd);
        b->used = false;
    }
}

static void
on_fsync(struct loop *l, uint32_t i, int res)
{
    ASSERT(i < FSYNC_MAX && l->fsync[i].used);
    l->fsync[i].used = false;
    l->events.on_synced(l->events.ctx, l->fsync[i].token, res);
}

/* user_data = op:8 | slot:16 | gen:32. */
static inline void
on_cqe(struct loop *l, const struct io_uring_cqe *cqe)
{
    enum op op = (enum op)(cqe->user_data >> 48);
    uint32_t slot = (uint32_t)(cqe->user_data >> 32) & 0xffff;
    uint32_t gen = (uint32_t)cqe->user_data;

    switch (op) {
    case OP_RECV:
    case OP_SEND:
    case OP_SHUTDOWN:
    case OP_CLOSE: on_conn_cqe(l, op, slot, gen, cqe); break;
    case OP_POLL: on_poll(l, slot, gen, cqe); break;
    case OP_BELL: on_bell(l, slot); break;
    case OP_FSYNC: on_fsync(l, slot, cqe->res); break;
    case OP_CANCEL:
    case OP_CLOSE_FD: break;
    default: ASSERT(false && "a completion that is none of ours");
    }
}

/* ---- connections ---- */

static struct conn *
conn_at(const struct loop *l, uint32_t conn)
{
    ASSERT(conn < l->cfg.conn_max);
    return &l->conn[conn];
}

void
loop_attach(struct loop *l, uint32_t conn, enum loop_class class, const struct conn_handover *h)
{
    struct conn *c = conn_at(l, conn);

    ASSERT(c->state == CONN_FREE && (unsigned)class < LOOP_CLASS_COUNT && h->fd >= 0);
    *c = (struct conn){
        .gen = c->gen,
        .fd = h->fd,
        .tls = h->tls,
        .state = CONN_OPEN,
        .class = (uint8_t) class,
        .dirty = c->dirty,
        .fill = c->fill,
        .out = c->out,
        .control = c->control,
        .hold = c->hold,
        .early = *h,
    };
    if (c->tls != NULL) {
        ASSERT(c->tls->out_bytes == 0 && c->tls->in_bytes == 0);
        tls_set_out(c->tls, c->control, CONTROL_BYTES);
    }
    if (h->plain_bytes != 0 || c->tls != NULL)
        span_put(l, class, &(struct span){ .recv_ns = l->now.mono.ns, .conn = conn, .kind = SPAN_EARLY });
    l->stats.conns++;
    conn_dirty(l, c);
}

bool
loop_attached(const struct loop *l, uint32_t conn)
{
    return conn_at(l, conn)->state != CONN_FREE;
}

void
loop_close(struct loop *l, uint32_t conn)
{
    struct conn *c = conn_at(l, conn);

    if (c->state != CONN_FREE)
        conn_close(l, c, LOOP_END_LOCAL, 0);
}

uint8_t *
loop_send_reserve(struct loop *l, uint32_t conn, size_t bytes)
{
    struct conn *c = conn_at(l, conn);

    if (unlikely(c->hold.count != 0))
        hold_release(l, c);
    if (unlikely(c->state != CONN_OPEN || bytes > l->cfg.send_buffer_bytes - c->fill_bytes ||
                 hold_due(&c->hold, l->covered))) { /* nothing overtakes what only waits for room */
        l->stats.no_room += c->state == CONN_OPEN;
        return NULL;
    }
    c->reserved = (uint32_t)bytes;
    return c->fill + c->fill_bytes;
}

void
loop_send_commit(struct loop *l, uint32_t conn, size_t bytes, uint64_t cover_seq)
{
    struct conn *c = conn_at(l, conn);

    ASSERT(bytes <= c->reserved);
    c->reserved = 0;
    if (unlikely(cover_seq > l->covered)) {
        ASSERT(hold_put(&c->hold, c->fill + c->fill_bytes, (uint32_t)bytes, cover_seq));
        return;
    }
    c->fill_bytes += (uint32_t)bytes;
    if (!c->sending)
        conn_dirty(l, c);
}

bool
loop_send_withdraw(struct loop *l, uint32_t conn, uint64_t cover_seq)
{
    return hold_withdraw(&conn_at(l, conn)->hold, cover_seq);
}

void
loop_cover(struct loop *l, uint64_t seq)
{
    l->covered = MAX(l->covered, seq);
    for (uint32_t i = 0; i < l->cfg.conn_max; i++) {
        struct conn *c = &l->conn[i];
        if (!hold_due(&c->hold, l->covered))
            continue;
        hold_release(l, c);
        if (!c->sending)
            conn_dirty(l, c);
    }
}

/* ---- a turn ---- */

static int64_t
clock_ns(clockid_t id)
{
    struct timespec ts;

    (void)clock_gettime(id, &ts);
    return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

struct now
loop_now(struct loop *l)
{
    l->now.mono.ns = clock_ns(CLOCK_MONOTONIC);
    l->now.wall.ns = clock_ns(CLOCK_REALTIME);
    return l->now;
}

/* The kernel has completions to post that it only posts when asked. */
static inline bool
ring_wants_enter(const struct loop *l)
{
    return (IO_URING_READ_ONCE(*l->ring.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

void
loop_reap(struct loop *l)
{
    if (ring_wants_enter(l)) {
        l->stats.cq_overflows += (IO_URING_READ_ONCE(*l->ring.sq.kflags) & IORING_SQ_CQ_OVERFLOW) != 0;
        l->stats.enters++;
        (void)io_uring_get_events(&l->ring);
    }
    unsigned ready = io_uring_cq_ready(&l->ring);
    if (ready == 0)
        return;
    l->worked = true;
    l->stats.cqes += ready;
    unsigned head = *l->ring.cq.khead;
    for (unsigned i = 0; i < ready; i++)
        on_cqe(l, &l->ring.cq.cqes[(head + i) & *l->ring.cq.kring_mask]);
    io_uring_cq_advance(&l->ring, ready);
    for (unsigned c = 0; c < LOOP_CLASS_COUNT; c++)
        inbox_announce(&l->inbox[c]); /* discarded ones */
}

static inline void
deliver_plain(struct loop *l, uint32_t conn, const uint8_t *bytes, size_t len, int64_t recv_ns,
              const struct loop_handler *h)
{
    l->stats.plain_bytes += len;
    h->on_bytes(h->ctx, conn, bytes, len, (mono_ns_t){ recv_ns });
}

static void
deliver_tls(struct loop *l, uint32_t conn, const uint8_t *bytes, size_t len, int64_t recv_ns,
            const struct loop_handler *h)
{
    struct conn *c = &l->conn[conn];
    struct tls *t = c->tls;

    tls_set_in(t, bytes, len);
    do {
        int n = tls_read(t, l->plain, TLS_RECORD_BYTES);
        if (n > 0) {
            deliver_plain(l, conn, l->plain, (size_t)n, recv_ns, h);
        } else if (n < 0) {
            c->notified = n == -TLS_END_CLOSE_NOTIFY;
            conn_close(l, c, c->notified ? LOOP_END_PEER : LOOP_END_TLS, 0);
        } else {
            break;
        }
    } while (!c->discard && tls_pending(t));
    tls_set_in(t, NULL, 0);
    if (unlikely(t->out_bytes != 0))
        conn_dirty(l, c);
}

static void
deliver_bytes(struct loop *l, uint32_t conn, const uint8_t *bytes, size_t len, int64_t recv_ns,
              const struct loop_handler *h)
{
    struct conn *c = &l->conn[conn];

    if (unlikely(c->discard))
        return;
    if (c->tls != NULL)
        deliver_tls(l, conn, bytes, len, recv_ns, h);
    else
        deliver_plain(l, conn, bytes, len, recv_ns, h);
}

/* What the connector had read too early, then what TLS still holds inside. */
static size_t
deliver_early(struct loop *l, const struct span *s, const struct loop_handler *h)
{
    struct conn *c = &l->conn[s->conn];
    struct conn_handover e = c->early;

    if (e.plain_bytes != 0 && !c->discard)
        deliver_plain(l, s->conn, e.plain, e.plain_bytes, s->recv_ns, h);
    if (c->tls != NULL)
        deliver_bytes(l, s->conn, e.cipher, e.cipher_bytes, s->recv_ns, h);
    return e.plain_bytes + e.cipher_bytes;
}

static void
deliver_end(struct loop *l, uint32_t conn, const struct loop_handler *h)
{
    struct conn *c = &l->conn[conn];
    enum loop_end end = (enum loop_end)c->end;

    ASSERT(c->ops == 0 && c->state == CONN_ENDING);
    if (c->tls != NULL) {
        if (end == LOOP_END_PEER && !c->notified)
            end = LOOP_END_TRUNCATED;
        tls_free(c->tls);
        c->tls = NULL;
    }
    c->state = CONN_FREE;
    c->gen++;
    l->stats.conns--;
    h->on_closed(h->ctx, conn, end, c->err);
}

bool
loop_deliver(struct loop *l, enum loop_class class, size_t budget_bytes, const struct loop_handler *handler)
{
    struct inbox *in = &l->inbox[class];
    size_t spent = 0;

    while (in->head != in->tail && spent < budget_bytes) {
        struct span s = in->span[in->head++ & in->span_mask];
        switch ((enum span_kind)s.kind) {
        case SPAN_BYTES:
            deliver_bytes(l, s.conn, in->buffer + (size_t)s.buffer * l->cfg.recv_buffer_bytes, s.bytes, s.recv_ns,
                          handler);
            inbox_give(l, in, s.buffer);
            spent += s.bytes;
            break;
        case SPAN_EARLY: spent += deliver_early(l, &s, handler); break;
        case SPAN_END: deliver_end(l, s.conn, handler); break;
        }
    }
    inbox_announce(in);
    return in->head != in->tail;
}

static void
turn_measure(struct loop *l, int64_t end_ns)
{
    uint64_t turn = (uint64_t)(end_ns - l->now.mono.ns);

    l->worked = false;
    l->stats.turns++;
    l->stats.turn_ns += turn;
    l->stats.turn_ns_longest = MAX(l->stats.turn_ns_longest, turn);
}

bool
loop_submit(struct loop *l, mono_ns_t *sent)
{
    if (l->dirty_count != 0)
        dirty_prepare(l);
    bool sends = l->sends;
    bool prepared = io_uring_sq_ready(&l->ring) != 0;

    l->sends = false;
    if (prepared)
        ring_enter(l);
    if (!prepared && !l->worked)
        return false;
    int64_t end_ns = clock_ns(CLOCK_MONOTONIC);
    turn_measure(l, end_ns);
    if (sends && sent != NULL)
        sent->ns = end_ns;
    return sends;
}

/* Something can be done without waiting. */
static bool
loop_ready(const struct loop *l)
{
    if (io_uring_cq_ready(&l->ring) != 0 || ring_wants_enter(l))
        return true;
    for (unsigned c = 0; c < LOOP_CLASS_COUNT; c++)
        if (l->inbox[c].head != l->inbox[c].tail)
            return true;
    return false;
}

void
loop_wait(struct loop *l, mono_ns_t until)
{
    if (l->cfg.busy || loop_ready(l))
        return;
    if (l->dirty_count != 0)
        dirty_prepare(l); /* what was asked for since loop_submit */
    int64_t ns = MIN(until.ns, l->linger_next_ns);
    int64_t left = ns == INT64_MAX ? NS_PER_S * 3600 : ns - clock_ns(CLOCK_MONOTONIC);
    if (left <= 0)
        return;
    struct __kernel_timespec ts = { .tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S };
    struct io_uring_cqe *cqe;
    l->stats.sleeps++;
    l->stats.enters++;
    (void)io_uring_submit_and_wait_timeout(&l->ring, &cqe, 1, &ts, NULL);
}

/* ---- doorbells, syncs, descriptors ---- */

int
loop_watch_eventfd(struct loop *l, int fd, uint64_t token)
{
    for (uint32_t i = 0; i < l->cfg.watch_max; i++) {
        struct watch *w = &l->watch[i];
        if (w->used)
            continue;
        w->used = true;
        w->live = true;
        w->fd = fd;
        w->token = token;
        watch_arm(l, i);
        return (int)i;
    }
    return -1;
}

void
loop_unwatch(struct loop *l, int watch)
{
    ASSERT(watch >= 0 && (uint32_t)watch < l->cfg.watch_max && l->watch[watch].live);
    struct watch *w = &l->watch[watch];
    struct io_uring_sqe *sqe = sqe_take(l);

    w->live = false;
    io_uring_prep_cancel64(sqe, tag_pack(OP_POLL, (uint32_t)watch, w->gen), 0);
    io_uring_sqe_set_data64(sqe, tag_pack(OP_CANCEL, (uint32_t)watch, 0));
}

int
loop_bell_open(struct loop *l, int fd)
{
    for (uint32_t i = 0; i < l->cfg.bell_max; i++) {
        if (l->bell[i].used)
            continue;
        l->bell[i] = (struct bell){ .fd = fd, .used = true };
        return (int)i;
    }
    return -1;
}

void
loop_bell_ring(struct loop *l, int bell)
{
    ASSERT(bell >= 0 && (uint32_t)bell < l->cfg.bell_max && l->bell[bell].used && !l->bell[bell].closing);
    if (l->bell[bell].writing)
        l->bell[bell].again = true;
    else
        bell_write(l, (uint32_t)bell);
}

void
loop_bell_close(struct loop *l, int bell)
{
    ASSERT(bell >= 0 && (uint32_t)bell < l->cfg.bell_max && l->bell[bell].used && !l->bell[bell].closing);
    struct bell *b = &l->bell[bell];

    if (b->writing) { /* to a peer that may never make room: take it back */
        struct io_uring_sqe *sqe = sqe_take(l);
        b->closing = true;
        io_uring_prep_cancel64(sqe, tag_pack(OP_BELL, (uint32_t)bell, 0), 0);
        io_uring_sqe_set_data64(sqe, tag_pack(OP_CANCEL, (uint32_t)bell, 0));
        return;
    }
    b->used = false;
    loop_close_fd(l, b->fd);
}

bool
loop_fsync(struct loop *l, int fd, uint64_t token)
{
    for (uint32_t i = 0; i < FSYNC_MAX; i++) {
        if (l->fsync[i].used)
            continue;
        struct io_uring_sqe *sqe = sqe_take(l);
        l->fsync[i].used = true;
        l->fsync[i].token = token;
        l->stats.fsyncs++;
        io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
        io_uring_sqe_set_data64(sqe, tag_pack(OP_FSYNC, i, 0));
        return true;
    }
    return false;
}

void
loop_close_fd(struct loop *l, int fd)
{
    struct io_uring_sqe *sqe = sqe_take(l);

    io_uring_prep_close(sqe, fd);
    io_uring_sqe_set_data64(sqe, tag_pack(OP_CLOSE_FD, 0, 0));
}
