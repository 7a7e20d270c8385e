/* Admission: the few bytes that a client and the gateway exchange on the unix socket before they share memory.
 *
 * The client connects (SOCK_SEQPACKET: one packet is one message) and sends one struct hello; the gateway answers with
 * one struct welcome and, when it admits, file descriptors by SCM_RIGHTS. After that the socket carries single bytes
 * gateway -> client (the client's doorbell) and its hang-up is the death notice of either side.
 *
 * Always true: nothing in a hello is trusted but as a wish; nothing in a welcome is used before it is checked against
 * the sizes of the descriptors that came with it. */
#ifndef EXECGW_ADMISSION_H
#define EXECGW_ADMISSION_H

#include "execgw/base.h"
#include "execgw/order.h"

#define ADMISSION_MAGIC     UINT64_C(0x6f6c6c6577676378) /* "xcgwello" */
#define STRATEGY_NAME_BYTES 32                           /* NUL included; [0-9A-Za-z._-] */
#define ADMISSION_TEXT      192

#define CLIENT_SESSION_MAX 64 /* sessions at one time: strategies and operators */

/* The client that operator sessions (execgw-cli) act as when no strategy is configured for it. Strategies have lower
 * ids. */
#define CLIENT_OPERATOR (CLIENT_MAX - 1)
#define CLIENT_ADOPTED  (CLIENT_MAX - 2) /* owns orders that were found at the venue; nobody connects as it */

enum admission_role { ROLE_STRATEGY, ROLE_OPERATOR, ROLE_COUNT };

/* What the gateway does when a client's session ends: cancel its orders, or not; cancel them and let nothing but
 * reductions of it pass until an operator says otherwise; trip the kill switch. A hello may ask for the first three
 * only; the last two are the configuration's, and no hello softens them. */
enum on_disconnect {
    ON_DISCONNECT_DEFAULT,
    ON_DISCONNECT_CANCEL,
    ON_DISCONNECT_NOTHING,
    ON_DISCONNECT_REDUCE,
    ON_DISCONNECT_KILL,
    ON_DISCONNECT_COUNT
};

struct hello {
    uint64_t magic;
    uint32_t version; /* MESSAGE_VERSION */
    uint8_t role;     /* enum admission_role */
    uint8_t on_disconnect;
    uint8_t pad[2];
    char strategy[STRATEGY_NAME_BYTES]; /* NUL-terminated; an operator's is for the log only */
    uint8_t reserved[16];
};
_Static_assert(sizeof(struct hello) == 64, "wire layout");

/* X(name, text) */
#define ADMISSION_STATUS(X)                                                                     \
    X(ADMISSION_OK, "admitted")                                                                 \
    X(ADMISSION_MALFORMED, "the hello is not one: wrong length, magic or a field out of range") \
    X(ADMISSION_VERSION, "the client speaks another message version than this gateway")         \
    X(ADMISSION_UID, "the client's user is not allowed by client.allowed_uids")                 \
    X(ADMISSION_STRATEGY, "no strategy of that name is configured")                             \
    X(ADMISSION_IN_USE, "a session of that strategy is open; it may have one at a time")        \
    X(ADMISSION_FULL, "every client session is taken")                                          \
    X(ADMISSION_TIMEOUT, "no hello arrived in time")                                            \
    X(ADMISSION_RESOURCES, "the gateway could not set up shared memory for one more session")   \
    X(ADMISSION_STOPPING, "the gateway is stopping")                                            \
    X(ADMISSION_OPERATOR, "operators are the gateway's own user and root")

enum admission_status {
#define X(name, text) name,
    ADMISSION_STATUS(X)
#undef X
        ADMISSION_STATUS_COUNT
};

static inline const char *
admission_status_text(enum admission_status s)
{
    static const char *const text[] = {
#define X(name, t) t,
        ADMISSION_STATUS(X)
#undef X
    };
    return (unsigned)s < ADMISSION_STATUS_COUNT ? text[s] : "?";
}

/* The descriptors of an admission, in this order. */
enum admission_fd {
    ADMISSION_FD_SESSION,  /* memfd, writable, sealed SHRINK | GROW | SEAL: command ring, report ring */
    ADMISSION_FD_MARKET,   /* memfd, read-only: struct md_shm */
    ADMISSION_FD_METRICS,  /* memfd, read-only: the metrics page */
    ADMISSION_FD_DOORBELL, /* eventfd of this session: wakes the gateway when it sleeps */
    ADMISSION_FD_COUNT
};

struct welcome {
    uint64_t magic;
    uint32_t version;
    uint8_t status; /* enum admission_status; fields from `slot` on and descriptors only with ADMISSION_OK */
    uint8_t role;
    uint8_t on_disconnect; /* in force; never DEFAULT */
    uint8_t pad;
    uint32_t slot;
    uint32_t client; /* our identity in reports */
    uint32_t gateway_pid;
    uint32_t pad2;
    uint64_t command_offset; /* struct ring_mem of struct command, in the session memfd */
    uint64_t command_capacity;
    uint64_t report_offset; /* struct ring_mem of struct report */
    uint64_t report_capacity;
    uint64_t session_bytes;
    uint64_t market_bytes;
    uint64_t metrics_bytes;
    char text[ADMISSION_TEXT]; /* one sentence, NUL-terminated, when refused */
};
_Static_assert(sizeof(struct welcome) == 280, "wire layout");

/* Layout of a session's memory: both rings, each starting on its own page. Capacities are powers of two. */
#define SESSION_PAGE UINT64_C(4096)

static inline uint64_t
session_ring_bytes(uint64_t capacity, uint64_t slot_bytes)
{
    return (128 + capacity * slot_bytes + SESSION_PAGE - 1) & ~(SESSION_PAGE - 1); /* 128: sizeof(struct ring_mem) */
}

static inline uint64_t
session_report_offset(uint64_t command_capacity)
{
    return session_ring_bytes(command_capacity, sizeof(struct command));
}

static inline uint64_t
session_bytes(uint64_t command_capacity, uint64_t report_capacity)
{
    return session_report_offset(command_capacity) + session_ring_bytes(report_capacity, sizeof(struct report));
}

#endif
