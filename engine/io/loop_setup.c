/* The loop's start and end: sizes, memory, the ring with what this kernel offers, its restrictions. See loop_state.h.
 */
#include "engine/io/loop_state.h"

#include <sys/syscall.h>
#include <unistd.h>

#define PAGE_BYTES 4096u

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
    size_t n = arena_cost(sizeof(struct loop)) + arena_cost(cfg->conn_max * sizeof(struct loop_conn)) +
               arena_cost(cfg->conn_max * sizeof(uint32_t)) + arena_cost(cfg->watch_max * sizeof(struct loop_watch)) +
               arena_cost(cfg->bell_max * sizeof(struct loop_bell)) + arena_cost(TLS_RECORD_BYTES) +
               cfg->conn_max * (2 * arena_cost(out_room(cfg)) + arena_cost(CONTROL_BYTES)) +
               cfg->conn_max * hold_footprint(cfg->hold_messages, cfg->hold_bytes);
    for (unsigned c = 0; c < LOOP_CLASS_COUNT; c++) {
        n += arena_cost(cfg->recv_buffer_count[c] * sizeof(struct io_uring_buf) + PAGE_BYTES);
        n += arena_cost((size_t)cfg->recv_buffer_count[c] * cfg->recv_buffer_bytes);
        n += arena_cost(span_capacity(cfg, c) * sizeof(struct loop_span));
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

static bool
inbox_init(struct loop *l, unsigned class, struct arena *arena, struct fault *fault)
{
    struct loop_inbox *in = &l->inbox[class];
    uint32_t count = l->cfg.recv_buffer_count[class];
    uint32_t spans = span_capacity(&l->cfg, class);
    uint8_t *mem = (uint8_t *)arena_take(arena, count * sizeof(struct io_uring_buf) + PAGE_BYTES);

    mem += (PAGE_BYTES - (uintptr_t)mem % PAGE_BYTES) % PAGE_BYTES;
    *in = (struct loop_inbox){
        .ring = (struct io_uring_buf_ring *)(void *)mem,
        .buffer = (uint8_t *)arena_take(arena, (size_t)count * l->cfg.recv_buffer_bytes),
        .buffer_count = count,
        .group = (uint16_t) class,
        .span = (struct loop_span *)arena_take(arena, spans * sizeof(struct loop_span)),
        .span_mask = spans - 1,
    };
    struct io_uring_buf_reg reg = { .ring_addr = (uintptr_t)mem, .ring_entries = count, .bgid = in->group };
    int err = io_uring_register_buf_ring(&l->ring, &reg, 0);
    if (err != 0)
        return FAULT(fault, "io_uring: receive buffers cannot be registered (%s): Linux 6.1 or newer is needed",
                     strerror(-err));
    io_uring_buf_ring_init(in->ring);
    for (uint32_t b = 0; b < count; b++)
        loop_inbox_give(l, in, (uint16_t)b);
    loop_inbox_announce(in);
    return true;
}

static void
slots_init(struct loop *l, struct arena *arena)
{
    const struct loop_config *cfg = &l->cfg;

    l->out_room = out_room(cfg);
    l->conn = (struct loop_conn *)arena_take(arena, cfg->conn_max * sizeof(struct loop_conn));
    l->dirty = (uint32_t *)arena_take(arena, cfg->conn_max * sizeof(uint32_t));
    l->watch = (struct loop_watch *)arena_take(arena, cfg->watch_max * sizeof(struct loop_watch));
    l->bell = (struct loop_bell *)arena_take(arena, cfg->bell_max * sizeof(struct loop_bell));
    l->plain = (uint8_t *)arena_take(arena, TLS_RECORD_BYTES);
    for (uint32_t i = 0; i < cfg->conn_max; i++) {
        struct loop_conn *c = &l->conn[i];
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
        struct loop_conn *c = &l->conn[i];
        if (c->state == CONN_FREE)
            continue;
        if (c->fd >= 0)
            (void)close(c->fd);
        c->state = CONN_FREE;
    }
    for (uint32_t i = 0; i < l->cfg.bell_max; i++)
        if (l->bell[i].used && l->bell[i].closing)
            (void)close(l->bell[i].fd);
}
