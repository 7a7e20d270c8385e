/* The real gateway on a real loop, in one thread, without its helper threads: what the benchmarks of the byte path and
 * of orders run.
 *
 * Everything on the path of a message or an order is what the program runs: loop, TLS, frames, feed, books, broadcast
 * ring, risk, order table, journal file with its toucher and syncs, Binance adapter, client port. A turn is the core
 * thread's turn (engine/core.c). Left out are the threads beside it: connector (used once, to connect), reference data
 * (definitions and snapshots come from here), unix port (the client's rings are plain memory), log.
 *
 * Always true: what the rig was asked to bring up is up when rig_start_* returns, or the program has ended with a
 * sentence. One rig per process. */
#ifndef EXECGW_BENCH_BENCH_RIG_H
#define EXECGW_BENCH_BENCH_RIG_H

#include "bench/bench.h"
#include "engine/gateway.h"
#include "engine/io/connector.h"
#include "engine/io/loop.h"
#include "engine/io/timer.h"
#include "engine/journal_sync.h"

#define RIG_INSTRUMENTS 100u
#define RIG_MD_RING     65536u
#define RIG_LIVE_MAX    4096u

struct rig_config {
    bool busy;
    bool tls;
    const char *dir; /* certificates, key and journal live here */
    bool market;     /* the market-data connection goes to `port`; else it is an empty room */
    bool order;      /* the same for order entry */
    uint16_t port;
    bool wide;        /* instruments from BENCH_WIDE on, as bench_ticker speaks of */
    bool hmac;        /* sign every order instead of logging the session on with an Ed25519 key */
    bool sync_always; /* an order leaves when its record is on disk */
};

struct bench_rig {
    struct rig_config cfg;
    struct gateway *g;
    struct loop *loop;
    struct connector *connector;
    struct tls_context tls;
    struct timer_wheel timers;
    struct route route;
    struct risk *risk;
    struct order_table *orders;
    struct journal journal;
    struct journal_file *files;
    struct journal_sync sync;
    struct feed *feed;
    struct client_port *clients;
    struct md_writer md;
    struct metric_page *metrics;
    struct arena arena;
    struct now now;
    uint32_t generation[GATEWAY_CONNS];
    uint32_t snapshot_wanted; /* instrument; UINT32_MAX none */
    int asked[16];            /* ids of requests to the market that wait for an answer */
    unsigned asked_count;
    int64_t asked_ns;     /* the last of them */
    mono_ns_t flushed_at; /* when port_flush gave the turn's sends to the kernel */
    bool flushed;
    bool capture; /* keep a copy of the next message committed to order entry, framed */
    const uint8_t *reserved;
    uint8_t captured[2048];
    size_t captured_bytes;
    uint8_t room[65536]; /* where bytes for a connection that is not there go */
    /* The client. */
    struct ring_writer command;
    struct ring_reader report;
    uint64_t client_seq;
    uint64_t key;
};

/* Build everything, define the instruments, connect, make every book live, log on. */
void rig_start(struct bench_rig *r, const struct rig_config *cfg);

/* One turn of the core. *sent (may be NULL): the time after its first sends were given to the kernel. True when
 * there were any. */
bool rig_turn(struct bench_rig *r, mono_ns_t *sent);
/* As the core between two turns: sleep unless something waits (block mode). */
void rig_sleep(struct bench_rig *r);

/* An IOC order in the client's command ring, stamped now as the client library does; returns the stamp. */
int64_t rig_submit(struct bench_rig *r, uint32_t instrument);
/* Take the client's reports. Returns how many; *expired counts those that ended an order. Ends the program on a denial.
 */
unsigned rig_reports(struct bench_rig *r, uint64_t *expired);

#endif
