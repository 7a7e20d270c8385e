/* A turn of the loop. See loop.h.
 *
 * Shape: a completion only notes what happened (queues a span, moves an offset, marks its connection dirty);
 * loop_submit walks the dirty connections and prepares what each one needs next. */
#include "engine/io/loop_state.h"

#include <time.h>

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

void
loop_ring_enter(struct loop *l)
{
    int n = io_uring_submit(&l->ring);

    l->stats.enters++;
    /* EBUSY, EAGAIN: completions must be reaped first, what is prepared stays; the rest is ours. */
    ASSERT(n >= 0 || n == -EBUSY || n == -EAGAIN || n == -EINTR);
}

/* ---- completions ------------------------------------------------------------------------------------------------- */

static inline void
on_cqe(struct loop *l, const struct io_uring_cqe *cqe)
{
    enum loop_op op = (enum loop_op)(cqe->user_data >> 48);
    uint32_t slot = (uint32_t)(cqe->user_data >> 32) & 0xffff;
    uint32_t gen = (uint32_t)cqe->user_data;

    switch (op) {
    case OP_RECV:
    case OP_SEND:
    case OP_SHUTDOWN:
    case OP_CLOSE: loop_on_conn(l, op, slot, gen, cqe); break;
    case OP_POLL: loop_on_poll(l, slot, gen, cqe); break;
    case OP_BELL: loop_on_bell(l, slot); break;
    case OP_FSYNC: loop_on_fsync(l, slot, cqe->res); break;
    case OP_CANCEL:
    case OP_CLOSE_FD: break;
    default: ASSERT(false && "a completion that is none of ours");
    }
}

/* ---- a turn ------------------------------------------------------------------------------------------------------ */

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
    int64_t mono = clock_ns(CLOCK_MONOTONIC);

    if (unlikely(mono - l->wall_read_ns >= LOOP_WALL_AGE_NS)) {
        l->wall_offset_ns = clock_ns(CLOCK_REALTIME) - mono;
        l->wall_read_ns = mono;
    }
    l->now.mono.ns = mono;
    l->now.wall.ns = mono + l->wall_offset_ns;
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
        loop_inbox_announce(&l->inbox[c]); /* discarded ones */
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
        loop_dirty_prepare(l);
    bool sends = l->sends;
    bool prepared = io_uring_sq_ready(&l->ring) != 0;

    l->sends = false;
    if (prepared)
        loop_ring_enter(l);
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
        loop_dirty_prepare(l); /* what was asked for since loop_submit */
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
