/* The connector: a thread that resolves, connects, shakes hands and upgrades, and hands armed sockets to the core.
 *
 * All that can stall or allocate freely happens here. Requests come in and results go out by two rings; each attempt is
 * a small state machine over non-blocking sockets, so a host that hangs does not delay another. A name is looked up on
 * a thread of its own, because nothing can interrupt the resolver.
 *
 * Always true: each OPEN is answered by exactly one result (a CANCELed one too); an attempt lasts deadline_ms at most;
 * certificates are always verified; a failure is one sentence that names the host and what failed.
 *
 * Side connections are the same thing blocking, for threads that may wait (reference data). */
#ifndef EXECGW_ENGINE_IO_CONNECTOR_H
#define EXECGW_ENGINE_IO_CONNECTOR_H

#include "engine/io/attempt.h"
#include "engine/io/conn.h"
#include "execgw/arena.h"

enum connect_kind { CONNECT_OPEN, CONNECT_CANCEL };

struct connect_request {
    uint32_t kind; /* enum connect_kind */
    uint32_t conn; /* [0, conn_max) */
    uint32_t generation;
    uint32_t deadline_ms;
    struct endpoint endpoint;
    uint64_t pad[1];
};

struct connect_result {
    uint32_t conn;
    uint32_t generation;
    uint32_t ok;
    uint32_t elapsed_us;
    struct conn_handover handover; /* when ok */
    struct fault fault;            /* when not */
    uint32_t quiet_s;              /* when not: the venue wants to hear nothing for so long; 0 = it has not said so */
    char address[56];              /* the numeric address last tried */
};

struct connector;

struct connector_config {
    uint32_t conn_max;
    const struct tls_context *tls; /* NULL: only ws:// */
    struct upgrade_ops upgrade;
};

size_t connector_footprint(const struct connector_config *cfg);
struct connector *connector_init(const struct connector_config *cfg, struct arena *arena, struct fault *fault);
bool connector_start(struct connector *c, struct fault *fault);
/* Ends every attempt, joins the thread, closes what was never taken, frees every session. */
void connector_stop(struct connector *c);

/* Core side. False when the ring is full (cannot happen with at most two requests per connection outstanding). A new
 * OPEN for a connection ends its running attempt. */
bool connector_request(struct connector *c, const struct connect_request *rq);
/* After requests: true when the connector sleeps and connector_request_fd() must be rung (loop_bell_*). */
bool connector_wake_needed(struct connector *c);
int connector_request_fd(const struct connector *c);
/* Next result, false when there is none. A hand-over that is no longer wanted: loop_attach it and loop_close it. */
bool connector_result(struct connector *c, struct connect_result *out);
/* Written by the connector when the core sleeps: to be watched (loop_watch_eventfd). */
int connector_result_fd(const struct connector *c);
/* Core before it sleeps / after: as ring_reader_sleep, ring_reader_awake over the results. */
bool connector_core_sleep(struct connector *c);
void connector_core_awake(struct connector *c);

/* A blocking connection of the calling thread. NULL with the fault filled. Every wait of it ends early when stop_fd (an
 * eventfd; -1: none) becomes readable. */
struct side_conn;
struct side_conn *side_open(const struct tls_context *tls, const struct endpoint *ep, const struct upgrade_ops *upgrade,
                            uint32_t deadline_ms, int stop_fd, struct fault *fault);
/* > 0 bytes, 0 nothing within timeout_ms, -1 the connection ended (fault). */
int side_read(struct side_conn *s, uint8_t *buf, size_t room, uint32_t timeout_ms, struct fault *fault);
/* All of buf, or false (fault) after timeout_ms: then the connection is good for closing only. */
bool side_write(struct side_conn *s, const uint8_t *buf, size_t len, uint32_t timeout_ms, struct fault *fault);
/* The socket, to be waited on beside other descriptors: once side_read has returned 0 nothing is held back. */
int side_fd(const struct side_conn *s);
void side_close(struct side_conn *s);

#endif
