/* The loop's state: connections, receive buffers, watches, doorbells, and the ring that they share.
 *
 *     loop.c          a turn: clock, completions, hand-over to the kernel, sleep
 *     loop_setup.c    what is taken, asked for and given up at start, and its end
 *     loop_conn.c     a connection's life, its SENDs and RECVs
 *     loop_deliver.c  received spans to the handler, through TLS where there is one
 *     loop_bell.c     operations without a connection: watches, doorbells, syncs, closing a descriptor
 *
 * Always true: an operation's user_data names its kind, its slot and the slot's generation; conn.ops counts what the
 * kernel holds of a connection, and its buffers stay where they are until that is 0; a connection whose next step is to
 * be prepared is in `dirty` once; a buffer is with the kernel, in a span, or being delivered. Private to
 * engine/io/loop*.c. */
#ifndef EXECGW_ENGINE_IO_LOOP_STATE_H
#define EXECGW_ENGINE_IO_LOOP_STATE_H

#include "engine/io/hold.h"
#include "engine/io/loop.h"
#include "engine/io/tls.h"

#include <errno.h>
#include <liburing.h>

#define CONTROL_BYTES 2048u /* records that OpenSSL writes by itself: alerts, key updates */
#define FSYNC_MAX     8u

enum loop_op { OP_RECV, OP_SEND, OP_SHUTDOWN, OP_CLOSE, OP_POLL, OP_CANCEL, OP_BELL, OP_FSYNC, OP_CLOSE_FD, OP_COUNT };

enum loop_conn_state { CONN_FREE, CONN_OPEN, CONN_CLOSING, CONN_ENDING };

struct loop_conn {
    uint32_t gen;
    int fd;
    struct tls *tls;
    uint8_t state; /* enum loop_conn_state */
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

enum loop_span_kind { SPAN_BYTES, SPAN_EARLY, SPAN_END };

struct loop_span {
    int64_t recv_ns;
    uint32_t conn;
    uint32_t bytes;
    uint16_t buffer;
    uint16_t kind; /* enum loop_span_kind */
};

/* One class: its provided buffers and the queue of spans not yet delivered. */
struct loop_inbox {
    struct io_uring_buf_ring *ring;
    uint8_t *buffer;
    uint32_t buffer_count;
    uint32_t buffer_free;
    uint32_t given; /* added to the ring, not yet announced */
    uint16_t group;
    struct loop_span *span;
    uint32_t span_mask;
    uint32_t head;
    uint32_t tail;
};

struct loop_watch {
    uint64_t token;
    int fd;
    uint32_t gen;
    bool used;
    bool live;
};

struct loop_bell {
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
    int64_t wall_offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC, as of wall_read_ns */
    int64_t wall_read_ns;
    bool worked; /* this turn did something: it is measured */
    bool sends;  /* SENDs prepared since the last enter */
    uint64_t covered;
    int64_t linger_next_ns;
    struct loop_inbox inbox[LOOP_CLASS_COUNT];
    struct loop_conn *conn;
    uint32_t *dirty;
    uint32_t dirty_count;
    uint32_t out_room;
    struct loop_watch *watch;
    struct loop_bell *bell;
    struct {
        uint64_t token;
        bool used;
    } fsync[FSYNC_MAX];
    uint8_t *plain; /* one decrypted record */
};

/* An operation's user_data: op:8 | slot:16 | gen:32. */
static inline uint64_t
loop_tag(enum loop_op op, uint32_t slot, uint32_t gen)
{
    return (uint64_t)op << 48 | (uint64_t)slot << 32 | gen;
}

/* ---- loop.c ------------------------------------------------------------------------------------------------------ */

/* Hand what is prepared to the kernel. */
void loop_ring_enter(struct loop *l);

/* A submission entry; what is prepared goes to the kernel first when there is none. */
static inline struct io_uring_sqe *
loop_sqe_take(struct loop *l)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&l->ring);

    if (unlikely(sqe == NULL)) {
        loop_ring_enter(l);
        sqe = io_uring_get_sqe(&l->ring);
        ASSERT(sqe != NULL);
    }
    return sqe;
}

/* ---- receive buffers --------------------------------------------------------------------------------------------- */

/* A buffer back to its ring; the kernel learns of it with loop_inbox_announce(). */
static inline void
loop_inbox_give(struct loop *l, struct loop_inbox *in, uint16_t buffer)
{
    io_uring_buf_ring_add(in->ring, in->buffer + (size_t)buffer * l->cfg.recv_buffer_bytes, l->cfg.recv_buffer_bytes,
                          buffer, (int)in->buffer_count - 1, (int)in->given);
    in->given++;
    in->buffer_free++;
}

/* Announce given buffers to the kernel. */
static inline void
loop_inbox_announce(struct loop_inbox *in)
{
    if (in->given != 0)
        io_uring_buf_ring_advance(in->ring, (int)in->given);
    in->given = 0;
}

/* ---- loop_conn.c ------------------------------------------------------------------------------------------------- */

static inline struct loop_conn *
loop_conn_at(const struct loop *l, uint32_t conn)
{
    ASSERT(conn < l->cfg.conn_max);
    return &l->conn[conn];
}

/* Its next step is prepared by the next loop_dirty_prepare(). */
static inline void
loop_conn_dirty(struct loop *l, struct loop_conn *c)
{
    if (c->dirty)
        return;
    c->dirty = true;
    l->dirty[l->dirty_count++] = (uint32_t)(c - l->conn);
}

/* Nothing more is delivered; flush what is committed, then end. */
void loop_conn_close(struct loop *l, struct loop_conn *c, enum loop_end end, int err);
/* Prepare what each dirty connection needs next. */
void loop_dirty_prepare(struct loop *l);
void loop_on_conn(struct loop *l, enum loop_op op, uint32_t slot, uint32_t gen, const struct io_uring_cqe *cqe);

/* ---- loop_bell.c ------------------------------------------------------------------------------------------------- */

void loop_on_poll(struct loop *l, uint32_t i, uint32_t gen, const struct io_uring_cqe *cqe);
void loop_on_bell(struct loop *l, uint32_t i);
void loop_on_fsync(struct loop *l, uint32_t i, int res);

#endif
