/* Operations of the loop without a connection: watches, doorbells, syncs, closing a descriptor. See loop_state.h. */
#include "engine/io/loop_state.h"

static const uint64_t bell_one = 1;

/* ---- watches ----------------------------------------------------------------------------------------------------- */

static void
watch_arm(struct loop *l, uint32_t i)
{
    struct loop_watch *w = &l->watch[i];
    struct io_uring_sqe *sqe = loop_sqe_take(l);

    io_uring_prep_poll_multishot(sqe, w->fd, POLL_IN);
    io_uring_sqe_set_data64(sqe, loop_tag(OP_POLL, i, w->gen));
}

void
loop_on_poll(struct loop *l, uint32_t i, uint32_t gen, const struct io_uring_cqe *cqe)
{
    ASSERT(i < l->cfg.watch_max && l->watch[i].used && l->watch[i].gen == gen);
    struct loop_watch *w = &l->watch[i];

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

int
loop_watch_eventfd(struct loop *l, int fd, uint64_t token)
{
    for (uint32_t i = 0; i < l->cfg.watch_max; i++) {
        struct loop_watch *w = &l->watch[i];
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
    struct loop_watch *w = &l->watch[watch];
    struct io_uring_sqe *sqe = loop_sqe_take(l);

    w->live = false;
    io_uring_prep_cancel64(sqe, loop_tag(OP_POLL, (uint32_t)watch, w->gen), 0);
    io_uring_sqe_set_data64(sqe, loop_tag(OP_CANCEL, (uint32_t)watch, 0));
}

/* ---- doorbells --------------------------------------------------------------------------------------------------- */

static void
bell_write(struct loop *l, uint32_t i)
{
    struct loop_bell *b = &l->bell[i];
    struct io_uring_sqe *sqe = loop_sqe_take(l);

    io_uring_prep_write(sqe, b->fd, &bell_one, sizeof(bell_one), 0);
    io_uring_sqe_set_data64(sqe, loop_tag(OP_BELL, i, 0));
    b->writing = true;
    b->again = false;
}

void
loop_on_bell(struct loop *l, uint32_t i)
{
    ASSERT(i < l->cfg.bell_max && l->bell[i].writing);
    struct loop_bell *b = &l->bell[i];

    b->writing = false;
    if (b->again && !b->closing) {
        bell_write(l, i);
    } else if (b->closing) {
        loop_close_fd(l, b->fd);
        b->used = false;
    }
}

int
loop_bell_open(struct loop *l, int fd)
{
    for (uint32_t i = 0; i < l->cfg.bell_max; i++) {
        if (l->bell[i].used)
            continue;
        l->bell[i] = (struct loop_bell){ .fd = fd, .used = true };
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
    struct loop_bell *b = &l->bell[bell];

    if (b->writing) { /* to a peer that may never make room: take it back */
        struct io_uring_sqe *sqe = loop_sqe_take(l);
        b->closing = true;
        io_uring_prep_cancel64(sqe, loop_tag(OP_BELL, (uint32_t)bell, 0), 0);
        io_uring_sqe_set_data64(sqe, loop_tag(OP_CANCEL, (uint32_t)bell, 0));
        return;
    }
    b->used = false;
    loop_close_fd(l, b->fd);
}

/* ---- syncs, descriptors ------------------------------------------------------------------------------------------ */

void
loop_on_fsync(struct loop *l, uint32_t i, int res)
{
    ASSERT(i < FSYNC_MAX && l->fsync[i].used);
    l->fsync[i].used = false;
    l->events.on_synced(l->events.ctx, l->fsync[i].token, res);
}

bool
loop_fsync(struct loop *l, int fd, uint64_t token)
{
    for (uint32_t i = 0; i < FSYNC_MAX; i++) {
        if (l->fsync[i].used)
            continue;
        struct io_uring_sqe *sqe = loop_sqe_take(l);
        l->fsync[i].used = true;
        l->fsync[i].token = token;
        l->stats.fsyncs++;
        io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
        io_uring_sqe_set_data64(sqe, loop_tag(OP_FSYNC, i, 0));
        return true;
    }
    return false;
}

void
loop_close_fd(struct loop *l, int fd)
{
    struct io_uring_sqe *sqe = loop_sqe_take(l);

    io_uring_prep_close(sqe, fd);
    io_uring_sqe_set_data64(sqe, loop_tag(OP_CLOSE_FD, 0, 0));
}
