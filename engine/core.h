/* The core thread: owns the loop, turns its completions and every ring into events of the gateway, and carries the
 * gateway's actions out.
 *
 * Between the threads that main started (connector, reference data, unix port, log) and the deterministic gateway. The
 * order of a turn: execution reports, client commands, market data (bounded), timers, waiting work; then one submit.
 *
 * Always true: after core_start() nothing here allocates or makes a system call other than io_uring's; connection ids
 * are the gateway's, slots of the loop are the same numbers. */
#ifndef EXECGW_ENGINE_CORE_H
#define EXECGW_ENGINE_CORE_H

#include "engine/config.h"
#include "engine/gateway.h"
#include "engine/io/connector.h"
#include "engine/io/journal_file.h"
#include "engine/io/loop.h"
#include "engine/io/record_file.h"
#include "engine/io/rest.h"
#include "engine/io/timer.h"
#include "engine/io/unix_port.h"
#include "engine/refdata.h"
#include "engine/transport_lws.h"

/* What main built, borrowed for the life of the core. */
struct core_parts {
    const struct config *config;
    struct gateway_parts gateway_parts; /* all but `port`, which is the core's */
    struct gateway_config gateway_config;
    struct journal *journal;
    struct journal_file *files;
    struct journal_region region; /* in use */
    struct connector *connector;
    struct ws_lws *lws; /* NULL: no venue uses it */
    struct ws_lws_config lws_config;
    struct refdata *refdata;
    uint8_t refdata_role[VENUE_MAX]; /* CONN_ROLE of the endpoint that it asks */
    struct rest *rest[VENUE_MAX];    /* NULL: the venue asks nothing over HTTP */
    struct unix_port *unix_port;
    struct record_file *record; /* NULL: no recording */
    int doorbell_fd;            /* rung by the unix port and main */
    struct endpoint endpoint[GATEWAY_CONNS];
    struct metric_page *metrics;
    struct log_port *log;
};

struct core;

size_t core_footprint(const struct config *c, const struct gateway_config *g);
struct core *core_init(const struct core_parts *parts, struct arena *arena);

/* Start the thread. False with the fault (and exit code EXIT_UNAVAILABLE when this host forbids io_uring). */
bool core_start(struct core *c, struct fault *fault, int *exit_code);

/* From any thread; rings the doorbell. */
enum core_signal { CORE_STOP, CORE_STOP_NOW, CORE_HALT, CORE_HALT_FILE, CORE_HALT_REDIS, CORE_HALT_PROOF, CORE_LIMITS };
void core_signal(struct core *c, enum core_signal what);

/* Main: what a session asks of the limits, false when nothing is. Each is answered once by core_answer_limits. */
bool core_take_limits_ask(struct core *c, struct limits_ask *out);
/* Main: the answer, or limits that nobody asked for (ask.slot CLIENT_SESSION_MAX); l with LIMITS_TAKE. One at a time:
 * false while the last one is not taken. */
bool core_answer_limits(struct core *c, const struct limits_answer *a, const struct risk_limits *l);
/* Main: the last answer was taken; *in_force: its limits hold. False: not yet. Once per answer. */
bool core_limits_settled(struct core *c, bool *in_force);

/* Main: the next line of the kill switch's proof, false when there is none; lines that found the ring full are counted
 * in *lost, from the start. */
bool core_kill_note(struct core *c, struct kill_note *out, uint64_t *lost);

/* True when the thread's loop has ended. */
bool core_ended(const struct core *c);
/* Joins; how many orders were not terminal at the end. */
uint32_t core_join(struct core *c);

#endif
