/* Unix port: the side thread that admits clients. Accepts, checks SO_PEERCRED and the hello, makes the session's sealed
 * memory, hands descriptors over by SCM_RIGHTS, and notices when a client dies.
 *
 * The core meets it only through two rings: events (a session is there, a client is gone) and releases (the core does
 * not use that session any more: close and unmap it). Mapping, touching and unmapping happen on the side thread.
 *
 * Always true: a slot's memory stays mapped from ATTACHED until the core has released that generation; a refused client
 * gets a welcome that says why; a client that says nothing is closed in time. */
#ifndef EXECGW_ENGINE_IO_UNIX_PORT_H
#define EXECGW_ENGINE_IO_UNIX_PORT_H

#include "execgw/admission.h"
#include "execgw/log.h"
#include <stdatomic.h>
#include <sys/types.h>

#define UNIX_PORT_UIDS_MAX 16

/* A strategy that may connect, and the client id that is its own for ever (journal and limits speak of the id). */
struct unix_port_strategy {
    char name[STRATEGY_NAME_BYTES];
    uint32_t client;       /* < CLIENT_OPERATOR */
    uint8_t on_disconnect; /* when its hello says DEFAULT; DEFAULT here = CANCEL */
    bool operator_role; /* admitted as ROLE_OPERATOR, any number of sessions; the first such is also whom sessions that
                           ask for ROLE_OPERATOR act as (without one: CLIENT_OPERATOR) */
};

struct unix_port_config {
    const char *path;          /* of the socket; its folder exists; its mode becomes 0600 */
    uint32_t sessions_max;     /* [1, CLIENT_SESSION_MAX] */
    uint32_t command_capacity; /* powers of two, as client_port's */
    uint32_t report_capacity;
    uint32_t hello_timeout_ms;
    uid_t uids[UNIX_PORT_UIDS_MAX]; /* who may connect; none listed = our own user only */
    uint32_t uid_count;
    const struct unix_port_strategy *strategies; /* copied */
    uint32_t strategy_count;
    int market_fd; /* of shared_map_publish; borrowed for life */
    size_t market_bytes;
    int metrics_fd; /* as market_fd */
    size_t metrics_bytes;
    _Atomic int64_t *refused; /* counts refused clients; written by the side thread; may be NULL */
    bool claimed;             /* lock_fd is of unix_port_claim, and is the port's from here on */
    int lock_fd;
    struct log_port *log; /* of the side thread: who was refused and why; may be NULL */
    int doorbell_fd;      /* eventfd that wakes the core for our events; borrowed; no client ever gets it */
};

enum unix_port_event_kind {
    UNIX_PORT_ATTACHED, /* everything below is valid: client_port_attach */
    UNIX_PORT_DETACHED  /* the client of this slot and generation is gone: detach, then release. A generation that the
                           core has released already: ignore */
};

struct unix_port_event {
    uint32_t kind;
    uint32_t slot;
    uint32_t generation;
    uint32_t client;
    uint8_t role;
    uint8_t on_disconnect; /* enum on_disconnect, never DEFAULT */
    uint8_t pad[2];
    int32_t socket_fd;   /* the core's own, to wake the client by; non-blocking. The core closes it when it detaches */
    int32_t doorbell_fd; /* eventfd by which this client, and no other, wakes the core, which closes it when it
                            detaches. The client can drain it, fill it and make it blocking: only ever watch it, and
                            bound every sleep */
    int32_t pid;
    uint32_t uid;
    uint32_t pad2;
    void *mem; /* mapped, zeroed, touched */
    uint64_t bytes;
    char name[STRATEGY_NAME_BYTES];
};

struct unix_port;

/* Take the path for this process, before anything else is changed by its start: the descriptor of the lock, or -1 with
 * the fault filled when another gateway has it or listens there. Cold. */
int unix_port_claim(const char *path, struct fault *fault);

/* Listen and start the thread. A stale socket of a dead process is replaced, a live one refused. NULL with the fault
 * filled. Cold. */
struct unix_port *unix_port_start(const struct unix_port_config *cfg, struct fault *fault);

/* Core: the next event, false when there is none. One acquire load when idle. */
bool unix_port_poll(struct unix_port *u, struct unix_port_event *ev);

/* Core: this session's memory is not used any more. Also how the core throws a client out: detach, release.
 */
void unix_port_release(struct unix_port *u, uint32_t slot, uint32_t generation);
/* After releases: the eventfd to ring (loop_bell_*). unix_port_wake does it with a plain write, for callers that may
 * make system calls. */
int unix_port_release_fd(const struct unix_port *u);
void unix_port_wake(struct unix_port *u);

/* Core, before it sleeps: true when there is no event and the side thread will ring doorbell_fd. */
bool unix_port_sleep(struct unix_port *u);
void unix_port_awake(struct unix_port *u);

/* Wake one client: one byte on its socket, MSG_DONTWAIT (nothing a client does can make it block). Any small write to
 * the socket does the same. */
void unix_port_ring(int socket_fd);

/* Stop listening, close every session, end the thread, remove the socket file, free. Nothing of any session may be used
 * after. */
void unix_port_stop(struct unix_port *u);

#endif
