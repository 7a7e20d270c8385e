/* Client port: the gateway's side of every client's rings. Commands in, reports out; no system calls.
 *
 * Between the shared memory of admitted clients (mapped by engine/io/unix_port on its own thread) and the gateway. What
 * a client writes is copied out once into private memory, checked there, and handed on with the admitted identity in
 * it.
 *
 * Always true: geometry and our own indexes live in private memory; a broken index costs only the client that wrote it;
 * a command that the callback sees clean (deny == DENY_NONE) has a known version, verb, enums and flags, a client_seq
 * above all earlier ones of its session, and a verb that its role may use; a full report ring never stalls: reports are
 * counted as skipped, and the next one delivered is REPORT_BEHIND.
 * Called from the core thread only. Never allocates after client_port_init(). */
#ifndef EXECGW_ENGINE_CLIENT_CLIENT_PORT_H
#define EXECGW_ENGINE_CLIENT_CLIENT_PORT_H

#include "execgw/admission.h"
#include "execgw/arena.h"

struct client_port_config {
    uint32_t sessions_max;     /* [1, CLIENT_SESSION_MAX]; slots are in [0, sessions_max) */
    uint32_t command_capacity; /* slots of a command ring, power of two */
    uint32_t report_capacity;  /* slots of a report ring, power of two */
};

/* Who a session is: decided at admission, never by what the client writes later. */
struct client_identity {
    uint32_t client;       /* [0, CLIENT_OPERATOR] */
    uint32_t generation;   /* of the slot, from unix_port: tells two tenants of one slot apart */
    uint8_t role;          /* enum admission_role */
    uint8_t on_disconnect; /* enum on_disconnect, never DEFAULT */
    char name[STRATEGY_NAME_BYTES];
};

/* One command as taken from a client: clean when deny is DENY_NONE. With another deny only these may be used, to name
 * the denial: client, verb (COMMAND_NONE when out of range), key, target_key, account, instrument, instrument_version,
 * side, px, qty, client_seq, submit_mono_ns; all other fields are zero. */
struct client_command {
    struct command cmd; /* client is the admitted identity; target_client is too unless the role is operator */
    uint32_t slot;      /* answer with client_port_report(p, slot, ...) */
    uint8_t role;       /* enum admission_role */
    uint8_t deny;       /* enum deny_reason: NONE, MALFORMED, NOT_PERMITTED, INVALID_ORDER, REPLAYED_COMMAND */
    bool looked_at;     /* client_port_ahead has told of it */
};

/* What a command that waits names: read where its client may still write, unchecked, so good for a hint only. */
struct client_hint {
    uint32_t client; /* the admitted identity */
    uint32_t account;
    uint32_t instrument;
    uint8_t verb;
    uint8_t side;
    px_t px;
    qty_t qty;
};

typedef void (*client_command_fn)(void *ctx, const struct client_command *c);

/* Why the port wants a session ended. X(name, text) */
#define CLIENT_FAULTS(X)                                                  \
    X(CLIENT_FAULT_NONE, "none")                                          \
    X(CLIENT_FAULT_COMMAND_INDEX, "impossible index in its command ring") \
    X(CLIENT_FAULT_REPORT_INDEX, "impossible index in its report ring")

enum client_fault {
#define X(name, text) name,
    CLIENT_FAULTS(X)
#undef X
        CLIENT_FAULT_COUNT
};

const char *client_fault_text(enum client_fault f);

struct client_port_counters {
    uint64_t commands;        /* copied out */
    uint64_t commands_denied; /* of them, refused by the port's own checks */
    uint64_t commands_unread; /* dropped at detach, as far as the index could be believed */
    uint64_t reports;         /* put into a ring */
    uint64_t reports_skipped; /* a ring was full: that client is behind */
    uint64_t behind;          /* times that a session fell behind */
    uint64_t faults;          /* sessions with a broken index */
};

struct client_port;

size_t client_port_footprint(const struct client_port_config *cfg);
struct client_port *client_port_init(const struct client_port_config *cfg, struct arena *arena);

/* A client was admitted to a free slot. mem: session_bytes(command_capacity, report_capacity), page aligned, zeroed
 * before the client got it, touched; it stays mapped until after detach. */
void client_port_attach(struct client_port *p, uint32_t slot, const struct client_identity *id, void *mem);

/* The session ended: what is unread is dropped. Returns the policy to run. The memory is not touched any more. */
enum on_disconnect client_port_detach(struct client_port *p, uint32_t slot);

/* NULL when the slot is free. */
const struct client_identity *client_port_identity(const struct client_port *p, uint32_t slot);
/* First attached slot with this client id, or -1. */
int client_port_find(const struct client_port *p, uint32_t client);
/* Bit per attached slot. */
uint64_t client_port_attached(const struct client_port *p);

/* Hot. Take up to `max` commands, one per session and round, so that no client starves another; each is given to fn.
 * A session with a broken index is skipped and waits for client_port_take_fault. fn may call everything here but
 * attach, detach and poll. Returns how many. */
unsigned client_port_poll(struct client_port *p, unsigned max, client_command_fn fn, void *ctx);

/* Hot. Of the command that the poll takes next, so that what it needs can be asked for early. False: none waits, out is
 * not written. May be asked by fn. */
bool client_port_ahead(struct client_port *p, struct client_hint *out);

/* A session to end: detach it and have the unix port release it. False when there is none. Each is told once. */
bool client_port_take_fault(struct client_port *p, uint32_t *slot, enum client_fault *why);

enum client_report_result {
    CLIENT_REPORT_OK,
    CLIENT_REPORT_BEHIND, /* no room: counted, REPORT_BEHIND will tell */
    CLIENT_REPORT_GONE    /* no such session */
};

/* Hot. One report to one session (answers), or to every session of a client (its orders). The bytes go out as they are
 * but for version, which is set. Never waits. publish returns how many sessions got it. */
enum client_report_result client_port_report(struct client_port *p, uint32_t slot, const struct report *r);
unsigned client_port_publish(struct client_port *p, uint32_t client, const struct report *r);

/* Times that this session fell behind since it was attached. */
uint64_t client_port_behind(const struct client_port *p, uint32_t slot);

/* Reports that a session can take now without falling behind (0 while it is behind): long answers are sent in parts. */
uint64_t client_port_room(struct client_port *p, uint32_t slot);

/* Once per turn, after the reports: sessions (bit per slot) whose reader sleeps and has something new; the loop wakes
 * each one's socket (unix_port_ring). Also delivers REPORT_BEHIND to sessions that have room again. */
uint64_t client_port_doorbells(struct client_port *p);

/* Before the core sleeps: true when no client has a command waiting and every client will ring our doorbell; on false
 * poll again instead. Call client_port_awake when awake again. */
bool client_port_sleep(struct client_port *p);
void client_port_awake(struct client_port *p);

const struct client_port_counters *client_port_counters(const struct client_port *p);

#endif
