/* Start-up: what main builds before the core thread runs, one step per function, each with its own sentence when it
 * fails.
 *
 * Between the configuration and the core. Everything here is cold: it may block, allocate and read files. */
#ifndef EXECGW_ENGINE_STARTUP_H
#define EXECGW_ENGINE_STARTUP_H

#include "engine/by_hand.h"
#include "engine/config.h"
#include "engine/core.h"
#include "engine/key_file.h"
#include "monitoring/log.h"

struct app {
    struct config config;
    struct risk_limits limits;
    struct by_hand by_hand; /* limits in force that the configuration does not have */
    struct metric_page *metrics;
    int metrics_fd;
    int http_pid; /* 0 none */
    struct log *log;
    struct log_port *log_main;
    struct log_port *log_core;
    struct log_port *log_refdata;
    struct log_port *log_unix;
    struct log_port *log_redis;
    struct arena arena;
    struct tls_context tls;
    struct key_file secret[VENUE_MAX];
    struct key_file api_key[VENUE_MAX];
    struct route route;
    struct risk *risk;
    struct order_table *orders;
    struct balances *balances;
    struct journal journal;
    struct journal_identity identity;
    struct journal_replayed replayed;
    struct journal_file *files;
    struct feed *feed[VENUE_MAX];
    struct md_writer md;
    struct core_parts parts;
    struct core *core;
    struct record_file *record; /* NULL none */
    int doorbell_fd;
    int socket_lock_fd; /* the port's, once it runs */
    uint32_t term;
};

/* The log, first of all, so that it holds why a start failed. *exit_code as below. */
bool startup_log(struct app *a, struct fault *fault, int *exit_code);

/* Build everything else; *exit_code says how to end when false comes back with the fault filled. */
bool startup(struct app *a, struct fault *fault, int *exit_code);

/* The same without sockets, threads and clients, as it was when a recording began: all of core_parts that the gateway
 * needs, but its port. a->config is the recording's, its journal.dir the recording's copy. */
bool startup_replay(struct app *a, const struct record_header *h, struct fault *fault);

/* In the order of their making, backwards. Fine after a startup() that failed half way. */
void teardown(struct app *a);

/* Where clients find the gateway: as configured, else in the runtime folder, where its own folder is made. Valid until
 * the next call. */
const char *startup_socket_path(const struct config *c);

/* http_child.c: execgw-http as a child that has seen no key: its address is written to *listen (64 bytes). */
bool http_start(struct app *a, char *listen, struct fault *fault);

#endif
