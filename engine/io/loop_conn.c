/* A connection of the loop, from attach to the end. See loop_state.h.
 *
 * A completion only notes what happened; conn_prepare() decides what comes next. A connection ends in three steps:
 * CLOSING flushes what was committed, ENDING shuts the socket down and waits until the kernel holds none of our
 * buffers, then CLOSE; its completion queues the END behind the connection's last bytes. */
#include "engine/io/loop_state.h"

#include <sys/socket.h>

/* ---- submission -------------------------------------------------------------------------------------------------- */

static struct io_uring_sqe *
conn_sqe(struct loop *l, struct loop_conn *c, uint64_t *tag, enum loop_op op)
{
    *tag = loop_tag(op, (uint32_t)(c - l->conn), c->gen);
    c->ops++;
    return loop_sqe_take(l);
}

static void
conn_arm_recv(struct loop *l, struct loop_conn *c)
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
conn_prep_send(struct loop *l, struct loop_conn *c)
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
hold_release(struct loop *l, struct loop_conn *c)
{
    c->fill_bytes += hold_take(&c->hold, l->covered, c->fill + c->fill_bytes, l->cfg.send_buffer_bytes - c->fill_bytes);
}

/* Encrypt behind whatever records OpenSSL has written by itself. False: the session is broken. */
static bool
out_take_tls(struct loop_conn *c, uint32_t n, uint32_t room)
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
out_take_plain(struct loop_conn *c, uint32_t n)
{
    uint8_t *full = c->fill;

    c->fill = c->out;
    c->out = full;
    c->out_bytes = n;
    memcpy(c->fill, full + n, c->fill_bytes - n);
}

/* Move what may leave from fill to out, which is free. False: TLS failed. */
static bool
out_take(struct loop *l, struct loop_conn *c)
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

/* ---- ending ------------------------------------------------------------------------------------------------------ */

/* The socket is of no more use. What was received before is still delivered, unless discard is set. */
static void
conn_end(struct loop *l, struct loop_conn *c, enum loop_end end, int err)
{
    if (c->state == CONN_ENDING)
        return;
    if (c->state == CONN_OPEN) {
        c->end = (uint8_t)end;
        c->err = err;
    }
    c->state = CONN_ENDING;
    hold_clear(&c->hold);
    loop_conn_dirty(l, c);
}

void
loop_conn_close(struct loop *l, struct loop_conn *c, enum loop_end end, int err)
{
    c->discard = true;
    if (c->state != CONN_OPEN) {
        loop_conn_dirty(l, c);
        return;
    }
    c->state = CONN_CLOSING;
    hold_clear(&c->hold); /* never sent: what waits is not worth a closing connection's wait */
    c->end = (uint8_t)end;
    c->err = err;
    c->notify = c->tls != NULL && end != LOOP_END_TLS;
    c->linger_until_ns = l->now.mono.ns + (int64_t)l->cfg.close_linger_ms * NS_PER_MS;
    loop_conn_dirty(l, c);
}

/* Prepare what the connection needs next; true when it must be looked at again in the next turn. */
static bool
conn_prepare_ending(struct loop *l, struct loop_conn *c)
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
conn_prepare(struct loop *l, struct loop_conn *c)
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
            loop_conn_close(l, c, LOOP_END_TLS, 0);
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

void
loop_dirty_prepare(struct loop *l)
{
    uint32_t kept = 0;

    l->linger_next_ns = INT64_MAX;
    for (uint32_t i = 0; i < l->dirty_count; i++) {
        struct loop_conn *c = &l->conn[l->dirty[i]];
        if (conn_prepare(l, c))
            l->dirty[kept++] = l->dirty[i];
        else
            c->dirty = false;
    }
    l->dirty_count = kept;
}

/* ---- completions ------------------------------------------------------------------------------------------------- */

static void
span_put(struct loop *l, uint32_t class, const struct loop_span *s)
{
    struct loop_inbox *in = &l->inbox[class];

    ASSERT(in->tail - in->head <= in->span_mask);
    in->span[in->tail++ & in->span_mask] = *s;
}

static COLD void
conn_recv_ended(struct loop *l, struct loop_conn *c, int res)
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
on_recv(struct loop *l, struct loop_conn *c, const struct io_uring_cqe *cqe)
{
    if (!(cqe->flags & IORING_CQE_F_MORE)) {
        c->recv_armed = false;
        c->ops--;
        loop_conn_dirty(l, c);
    }
    if (likely(cqe->res > 0)) {
        struct loop_inbox *in = &l->inbox[c->class];
        uint16_t buffer = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);

        ASSERT((cqe->flags & IORING_CQE_F_BUFFER) != 0 && buffer < in->buffer_count && in->buffer_free > 0);
        in->buffer_free--;
        l->stats.recvs++;
        l->stats.recv_bytes += (uint32_t)cqe->res;
        if (unlikely(c->discard)) {
            loop_inbox_give(l, in, buffer);
            return;
        }
        span_put(l, c->class,
                 &(struct loop_span){ .recv_ns = l->now.mono.ns,
                                      .conn = (uint32_t)(c - l->conn),
                                      .bytes = (uint32_t)cqe->res,
                                      .buffer = buffer,
                                      .kind = SPAN_BYTES });
        return;
    }
    conn_recv_ended(l, c, cqe->res);
}

static void
on_send(struct loop *l, struct loop_conn *c, const struct io_uring_cqe *cqe)
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
        loop_conn_dirty(l, c);
}

void
loop_on_conn(struct loop *l, enum loop_op op, uint32_t slot, uint32_t gen, const struct io_uring_cqe *cqe)
{
    ASSERT(slot < l->cfg.conn_max);
    struct loop_conn *c = &l->conn[slot];
    ASSERT(gen == c->gen && c->state != CONN_FREE && c->ops > 0);
    switch (op) {
    case OP_RECV: on_recv(l, c, cqe); return;
    case OP_SEND: on_send(l, c, cqe); return;
    case OP_SHUTDOWN:
        c->ops--;
        loop_conn_dirty(l, c);
        return;
    default: /* OP_CLOSE: the last one */
        c->ops--;
        span_put(l, c->class, &(struct loop_span){ .conn = slot, .kind = SPAN_END });
    }
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */

void
loop_attach(struct loop *l, uint32_t conn, enum loop_class class, const struct conn_handover *h)
{
    struct loop_conn *c = loop_conn_at(l, conn);

    ASSERT(c->state == CONN_FREE && (unsigned)class < LOOP_CLASS_COUNT && h->fd >= 0);
    *c = (struct loop_conn){
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
        span_put(l, class, &(struct loop_span){ .recv_ns = l->now.mono.ns, .conn = conn, .kind = SPAN_EARLY });
    l->stats.conns++;
    loop_conn_dirty(l, c);
}

bool
loop_attached(const struct loop *l, uint32_t conn)
{
    return loop_conn_at(l, conn)->state != CONN_FREE;
}

void
loop_close(struct loop *l, uint32_t conn)
{
    struct loop_conn *c = loop_conn_at(l, conn);

    if (c->state != CONN_FREE)
        loop_conn_close(l, c, LOOP_END_LOCAL, 0);
}

uint8_t *
loop_send_reserve(struct loop *l, uint32_t conn, size_t bytes)
{
    struct loop_conn *c = loop_conn_at(l, conn);

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
    struct loop_conn *c = loop_conn_at(l, conn);

    ASSERT(bytes <= c->reserved);
    c->reserved = 0;
    if (unlikely(cover_seq > l->covered)) {
        ASSERT(hold_put(&c->hold, c->fill + c->fill_bytes, (uint32_t)bytes, cover_seq));
        return;
    }
    c->fill_bytes += (uint32_t)bytes;
    if (!c->sending)
        loop_conn_dirty(l, c);
}

bool
loop_send_withdraw(struct loop *l, uint32_t conn, uint64_t cover_seq)
{
    return hold_withdraw(&loop_conn_at(l, conn)->hold, cover_seq);
}

void
loop_cover(struct loop *l, uint64_t seq)
{
    l->covered = MAX(l->covered, seq);
    for (uint32_t i = 0; i < l->cfg.conn_max; i++) {
        struct loop_conn *c = &l->conn[i];
        if (!hold_due(&c->hold, l->covered))
            continue;
        hold_release(l, c);
        if (!c->sending)
            loop_conn_dirty(l, c);
    }
}
