/* The loop: one io_uring, every armed venue socket, doorbells and journal syncs of the core thread.
 *
 * Between the kernel and main, which owns the order of a turn:
 *     now = loop_now; loop_reap; loop_deliver(ORDER); commands; loop_deliver(MARKET, budget); timers;
 *     loop_submit; [set `sleeping` on each ring and look once more] loop_wait
 * Connections are slots chosen by the caller. Received bytes wait in the kernel's own provided buffers, in a queue per
 * class, until they are delivered; each class has buffers of its own, so a burst of market data cannot starve an
 * execution report.
 *
 * Always true: at most one SEND in flight per connection; every attach is answered by exactly one on_closed, after the
 * connection's last bytes and when no operation of it is left in the kernel, so the slot is free inside that call;
 * nothing here allocates, blocks (loop_wait in block mode aside) or makes another system call than io_uring's after
 * loop_init(). One thread: the one that called loop_init(). */
#ifndef EXECGW_ENGINE_IO_LOOP_H
#define EXECGW_ENGINE_IO_LOOP_H

#include "engine/io/conn.h"
#include "execgw/arena.h"
#include "execgw/clock.h"

struct loop;

#define LOOP_WALL_AGE_NS (50 * NS_PER_US) /* a turn that handles an order mostly reads one clock, not two */

enum loop_class { LOOP_ORDER, LOOP_MARKET, LOOP_CLASS_COUNT };

/* For recv_buffer_count of market data: with buffers of 16 KiB they stay in a core's second-level cache, where what the
 * kernel has just written is read; what does not fit waits in the socket. */
#define LOOP_MARKET_BUFFERS 32u

struct loop_config {
    uint32_t conn_max;                            /* [1, 4096] */
    uint32_t recv_buffer_count[LOOP_CLASS_COUNT]; /* powers of two, [1, 32768] */
    uint32_t recv_buffer_bytes;                   /* [64, 1 MiB] */
    uint32_t send_buffer_bytes;                   /* most bytes waiting per connection; another as much in flight */
    uint32_t hold_messages;                       /* most messages waiting for the journal, per connection; 0 none */
    uint32_t hold_bytes;                          /* and their bytes */
    uint32_t watch_max;                           /* event fds watched */
    uint32_t bell_max;                            /* doorbells of others */
    uint32_t close_linger_ms;                     /* how long loop_close may take to flush; 0 = not at all */
    bool busy;                                    /* spin instead of sleeping */
    uint32_t cq_entries;                          /* 0 = enough for every buffer and operation; smaller is for tests */
    uint32_t setup_skip; /* start at the n-th set of set-up flags, as an older kernel would; for tests */
};

/* Why a connection ended. X(name, label, text) */
#define LOOP_ENDS(X)                                                                       \
    X(LOOP_END_PEER, "peer", "closed by the peer")                                         \
    X(LOOP_END_LOCAL, "local", "closed by us")                                             \
    X(LOOP_END_TRUNCATED, "truncated", "TLS stream cut: end of file without close_notify") \
    X(LOOP_END_RECV, "recv", "receive failed")                                             \
    X(LOOP_END_SEND, "send", "send failed")                                                \
    X(LOOP_END_TLS, "tls", "TLS failed: bad record, refused renegotiation, or the pool for it is used up")

enum loop_end {
#define X(name, label, text) name,
    LOOP_ENDS(X)
#undef X
        LOOP_END_COUNT
};
const char *loop_end_text(enum loop_end end);

struct loop_handler {
    void *ctx;
    /* Plaintext of a connection; valid during the call only, to be consumed whole. recv: when it was reaped. May call
     * loop_send_*, loop_close. */
    void (*on_bytes)(void *ctx, uint32_t conn, const uint8_t *bytes, size_t len, mono_ns_t recv);
    /* The end, once per attach. err: errno of the failure, 0 when there is none. The slot may be attached again. */
    void (*on_closed)(void *ctx, uint32_t conn, enum loop_end end, int err);
};

/* Called from loop_reap. */
struct loop_events {
    void *ctx;
    void (*on_wake)(void *ctx, uint64_t token);
    void (*on_synced)(void *ctx, uint64_t token, int res); /* res: 0 or -errno */
};

struct loop_stats {
    uint64_t turns;   /* loop_submit calls that ended a turn with work in it */
    uint64_t turn_ns; /* sum over those turns, loop_now to loop_submit */
    uint64_t turn_ns_longest;
    uint64_t recv_bytes;  /* from the wire, before TLS */
    uint64_t plain_bytes; /* delivered */
    uint64_t send_bytes;  /* to the wire */
    uint64_t cqes;
    uint64_t recvs;     /* received spans */
    uint64_t sends;     /* SEND operations */
    uint64_t sends_cut; /* SENDs that took less than asked for: continued */
    uint64_t enobufs;   /* no receive buffer left: multishot ended */
    uint64_t rearms;    /* multishot receives armed again, for whatever reason */
    uint64_t cq_overflows;
    uint64_t enters; /* io_uring_enter calls */
    uint64_t sleeps;
    uint64_t no_room; /* loop_send_reserve without room */
    uint64_t fsyncs;
    uint32_t conns; /* slots in use */
};

/* Before anything is begun: false with the fault (what is missing and the cure) when this host forbids io_uring. */
bool loop_host_check(struct fault *fault);

size_t loop_footprint(const struct loop_config *cfg);
/* NULL with the fault filled (what is missing and the cure) when this host offers no usable io_uring: main exits with
 * EXIT_UNAVAILABLE. To be called by the thread that will run the loop. */
struct loop *loop_init(const struct loop_config *cfg, const struct loop_events *events, struct arena *arena,
                       struct fault *fault);
/* After the loop: closes the ring and the sockets still attached. Not for the armed core. */
void loop_exit(struct loop *l);
const struct loop_stats *loop_stats(const struct loop *l);

/* Own a connected socket from now on. `conn` is a free slot; the hand-over's bytes are borrowed until delivered. */
void loop_attach(struct loop *l, uint32_t conn, enum loop_class class, const struct conn_handover *h);
/* True from attach to on_closed. */
bool loop_attached(const struct loop *l, uint32_t conn);
/* End a connection: nothing more is delivered but on_closed; what was committed is flushed for close_linger_ms at
 * most, what waits for the journal never leaves. A connection that is already ending is left alone. */
void loop_close(struct loop *l, uint32_t conn);

/* Room for one whole message of up to `bytes`, to be written in place; NULL when there is none or the connection is
 * ending: nothing is kept. Committed messages of a turn leave in one SEND. */
uint8_t *loop_send_reserve(struct loop *l, uint32_t conn, size_t bytes);
/* bytes <= reserved. cover_seq: the bytes may not leave before loop_cover() has reached it (journal group commit); 0 =
 * at once, past those that wait. Never falls from one commit of a connection to the next, 0 apart. The caller counts
 * what waits: it is at most hold_messages and hold_bytes. */
void loop_send_commit(struct loop *l, uint32_t conn, size_t bytes, uint64_t cover_seq);
/* Take back the message that waits for exactly this record. True: it has not left and never will. */
bool loop_send_withdraw(struct loop *l, uint32_t conn, uint64_t cover_seq);
/* The journal is durable up to seq: release what waits for it, in the next loop_submit. */
void loop_cover(struct loop *l, uint64_t seq);

/* One turn. The steady clock is read every time, the wall clock every LOOP_WALL_AGE_NS: its steps show that much later.
 */
struct now loop_now(struct loop *l);
void loop_reap(struct loop *l);
/* Deliver queued spans of a class until `budget_bytes` are spent or none is left. True when some are left. */
bool loop_deliver(struct loop *l, enum loop_class class, size_t budget_bytes, const struct loop_handler *handler);
/* Hand every prepared operation to the kernel in one call. True when sends were among them: *sent is the time
 * after the call, when they were with TCP. sent may be NULL. */
bool loop_submit(struct loop *l, mono_ns_t *sent);
/* Block mode: submit and sleep until a completion or `until`; returns at once when bytes are queued. Busy: returns. */
void loop_wait(struct loop *l, mono_ns_t until);

/* Watch an eventfd for good: on_wake(token) after each write, several writes may come as one. -1: watch_max reached.
 * The counter is never read. The fd stays the caller's and must outlive the watch; no on_wake comes after
 * loop_unwatch. */
int loop_watch_eventfd(struct loop *l, int fd, uint64_t token);
void loop_unwatch(struct loop *l, int watch);
/* Doorbells: an eventfd of a peer, made with EFD_NONBLOCK (else the kernel writes it on a worker thread, late). At most
 * one write per bell is with the kernel; rings in between become one more. -1: bell_max reached. loop_bell_close also
 * closes the fd, when the last write is done. */
int loop_bell_open(struct loop *l, int fd);
void loop_bell_ring(struct loop *l, int bell);
void loop_bell_close(struct loop *l, int bell);
/* fdatasync. False when 8 are in flight already. */
bool loop_fsync(struct loop *l, int fd, uint64_t token);
/* Close any descriptor from the core, through the ring. */
void loop_close_fd(struct loop *l, int fd);

#endif
