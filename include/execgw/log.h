/* Log, the producers' side: a fixed-size record into a ring; the log thread (monitoring/log.h) makes text of it.
 *
 * One port per producing thread. A call costs a few stores: no formatting, no lock, no system call, no allocation. A
 * full ring drops the record and counts it. An event that comes too often is held back here, by a budget that the log
 * thread refills, and reported as "N more suppressed".
 *
 * Nothing is redacted, because nothing secret is ever passed: no key, signature, signed text or password may be an
 * argument of any event.
 *
 * Always true: an event's name, level and fields are one row of LOG_EVENTS; the arguments are the {fields} of its text
 * in order; {text} is the short string, cut to LOG_TEXT_BYTES - 1. */
#ifndef EXECGW_LOG_H
#define EXECGW_LOG_H

#include "execgw/ring.h"

/* X(level, name) */
#define LOG_LEVELS(X)     \
    X(LOG_DEBUG, "debug") \
    X(LOG_INFO, "info")   \
    X(LOG_WARN, "warn")   \
    X(LOG_ERROR, "error")

enum log_level {
#define X(level, name) level,
    LOG_LEVELS(X)
#undef X
        LOG_LEVEL_COUNT
};

/* Every event. X(event, level, name, text); at most 4 integer fields beside {text}. A field whose name ends in _ns is
 * shown as it is: an integer of nanoseconds. */
#define LOG_EVENTS(X)                                                                                                  \
    /* Process. */                                                                                                     \
    X(LOG_START, LOG_INFO, "start", "execgw {text} starts")                                                            \
    X(LOG_CONFIG, LOG_INFO, "config", "configuration: {text}")                                                         \
    X(LOG_MEMORY, LOG_INFO, "memory", "memory taken and sealed: {bytes} bytes, locked {locked}")                       \
    X(LOG_LISTEN, LOG_INFO, "listen", "listening: {text}")                                                             \
    X(LOG_READY, LOG_INFO, "ready", "ready: books in sync {books}, order entry up {order_entry}")                      \
    X(LOG_NOT_READY, LOG_WARN, "not_ready", "not ready: {text}")                                                       \
    X(LOG_SIGNAL, LOG_INFO, "signal", "signal {signal}: {text}")                                                       \
    X(LOG_STOP, LOG_INFO, "stop", "execgw stops: {text}")                                                              \
    X(LOG_ENDED, LOG_INFO, "ended", "execgw has ended, {orders} orders left")                                          \
    X(LOG_FAULT, LOG_ERROR, "fault", "{text}")                                                                         \
    X(LOG_NOTE, LOG_INFO, "note", "{text}")                                                                            \
    X(LOG_WARNING, LOG_WARN, "warning", "{text}")                                                                      \
    X(LOG_TRACE, LOG_DEBUG, "trace", "{text} {a} {b} {c} {d}")                                                         \
    /* Connections. */                                                                                                 \
    X(LOG_CONN_OPENING, LOG_INFO, "connection_opening", "connection {conn} opening: {text}")                           \
    X(LOG_CONN_UP, LOG_INFO, "connection_up", "connection {conn} up after {ms} ms: {text}")                            \
    X(LOG_CONN_DOWN, LOG_WARN, "connection_down", "connection {conn} down, code {code}: {text}")                       \
    X(LOG_CONN_FAILED, LOG_WARN, "connection_failed", "connection {conn} failed, next try in {ms} ms: {text}")         \
    X(LOG_WS_CLOSE, LOG_WARN, "ws_close", "connection {conn} closed by the peer, code {code}: {text}")                 \
    X(LOG_WS_PROTOCOL, LOG_ERROR, "ws_protocol",                                                                       \
      "connection {conn} broke the WebSocket protocol, code {code}: {text}")                                           \
    X(LOG_SILENT, LOG_WARN, "silent", "connection {conn} silent for {ms} ms: {text}")                                  \
    /* Market data. */                                                                                                 \
    X(LOG_SUBSCRIBED, LOG_INFO, "subscribed", "venue {venue}: subscribed to {count} streams")                          \
    X(LOG_BOOK_LIVE, LOG_INFO, "book_live", "book of {text} (instrument {instrument}) in sync at {seq}")               \
    X(LOG_BOOK_STATE, LOG_WARN, "book_state", "book of instrument {instrument} is {text}, sequence {seq}")             \
    X(LOG_VENUE_STATUS, LOG_WARN, "venue_status", "venue {venue} says of itself: {text}")                              \
    X(LOG_BOOK_GAP, LOG_WARN, "book_gap",                                                                              \
      "gap in the book of {text} (instrument {instrument}): expected {expected}, got {got}")                           \
    X(LOG_BOOK_UNEQUAL, LOG_ERROR, "book_unequal",                                                                     \
      "book of {text} (instrument {instrument}) differs from the venue's top at sequence {seq}")                       \
    X(LOG_SNAPSHOT_FAILED, LOG_WARN, "snapshot_failed", "snapshot of instrument {instrument} failed: {text}")          \
    X(LOG_INSTRUMENT, LOG_INFO, "instrument", "instrument {instrument} version {version}, trading {trading}: {text}")  \
    X(LOG_DECODE_FAILED, LOG_WARN, "decode_failed", "venue {venue}: message not read, result {result}: {text}")        \
    /* Orders. */                                                                                                      \
    X(LOG_ORDER_DENIED, LOG_DEBUG, "order_denied", "client {client} key {key} denied: {text}")                         \
    X(LOG_ORDER_REJECTED, LOG_WARN, "order_rejected",                                                                  \
      "client {client} key {key} rejected by the venue, code {code}: {text}")                                          \
    X(LOG_ORDER_UNKNOWN, LOG_ERROR, "order_unknown", "client {client} key {key} outcome unknown, code {code}: {text}") \
    X(LOG_ORDER_RESOLVED, LOG_INFO, "order_resolved", "client {client} key {key} resolved: {text}")                    \
    X(LOG_FILL_LATE, LOG_WARN, "fill_late", "client {client} key {key} filled after it was terminal, trade {trade}")   \
    X(LOG_FOREIGN_ORDER, LOG_WARN, "foreign_order", "venue {venue}: open order {id} is not ours: {text}")              \
    X(LOG_ORDER_ADOPTED, LOG_WARN, "order_adopted", "venue {venue}: open order {id} taken over as key {key}: {text}")  \
    X(LOG_ORDER_RENAMED, LOG_WARN, "order_renamed",                                                                    \
      "venue {venue}: somebody else has given order {id} another client id; it was {text}, and is known by its id")    \
    X(LOG_FOREIGN_TRADE, LOG_WARN, "foreign_trade",                                                                    \
      "venue {venue}: trade {trade} of order {id}, which is not ours, counted in {text}")                              \
    X(LOG_ANOTHER_HOST, LOG_ERROR, "another_host",                                                                     \
      "venue {venue}: {text} is an id of this instance that this run has not given out: another host trades this "     \
      "account with this instance, or its journal was copied; no new orders until the next start")                     \
    X(LOG_ORDER_STUCK, LOG_ERROR, "order_stuck",                                                                       \
      "client {client} key {key}: the venue refuses to say what became of it, code {code}: {text}; it stays reserved") \
    X(LOG_FILL_LOST, LOG_WARN, "fill_lost",                                                                            \
      "client {client} key {key}: trade {trade} was found by asking, the report stream did not tell it")               \
    X(LOG_BALANCE_DIFFERENCE, LOG_ERROR, "balance_difference",                                                         \
      "venue {venue}: balance of {text} differs by {difference} x 10^-8 from what trades explain")                     \
    X(LOG_POSITION_REPAIRED, LOG_ERROR, "position_repaired",                                                           \
      "venue {venue}: position in {text} changed by {by} units, as the venue's balance did")                           \
    X(LOG_POSITION_UNKNOWN, LOG_ERROR, "position_unknown",                                                             \
      "venue {venue}: {text} was traded on this account before this journal begins, so the position is not known: no " \
      "orders in it. Put the journal back; or set first_position = \"held\" (one spot instrument with that base); or " \
      "start once with --new-journal, and it begins at 0")                                                             \
    X(LOG_POSITION_ASKED, LOG_WARN, "position_asked",                                                                  \
      "venue {venue}: {text} was traded on this account before this journal begins: its position will be what is "     \
      "held")                                                                                                          \
    X(LOG_POSITION_TAKEN, LOG_WARN, "position_taken",                                                                  \
      "venue {venue}: the position in {text} is what the venue holds: {qty} units")                                    \
    X(LOG_SWEEP_REFUSED, LOG_ERROR, "sweep_refused",                                                                   \
      "venue {venue}: trades or balances cannot be asked for, code {code}: {text}")                                    \
    X(LOG_TRADE_UNCOUNTED, LOG_ERROR, "trade_uncounted",                                                               \
      "venue {venue}: trade {trade} of {text} cannot be counted; it is asked for again")                               \
    X(LOG_LOGON, LOG_INFO, "logon", "venue {venue}: order entry logged on")                                            \
    X(LOG_LOGON_REFUSED, LOG_ERROR, "logon_refused", "venue {venue}: logon refused, code {code}: {text}")              \
    X(LOG_RECONCILED, LOG_INFO, "reconciled",                                                                          \
      "venue {venue}: reconciled, {orders} open orders, {differences} differences, {foreign} foreign")                 \
    X(LOG_RATE_LIMITED, LOG_WARN, "rate_limited", "venue {venue}: told to wait {ms} ms: {text}")                       \
    X(LOG_CLOCK_OFFSET, LOG_INFO, "clock_offset",                                                                      \
      "venue {venue}: clock offset {offset_ns} ns, round trip {rtt_ns} ns")                                            \
    X(LOG_TRADING_STATE, LOG_WARN, "trading_state", "trading state is {text}")                                         \
    X(LOG_KILL_OPEN, LOG_WARN, "kill_open", "kill switch: venue {venue} is not proven, {orders} orders to go: {text}") \
    X(LOG_KILL_PROVEN, LOG_WARN, "kill_proven", "kill switch: venue {venue} proven, {orders} orders left: {text}")     \
    X(LOG_CLIENT_POLICY, LOG_WARN, "client_policy", "client {client}: {text}")                                         \
    X(LOG_DEADMAN, LOG_INFO, "deadman", "venue {venue}: countdown {ms} ms: {text}")                                    \
    X(LOG_FLATTEN, LOG_WARN, "flatten", "flatten: {text}; {orders} orders")                                            \
    X(LOG_LIMITS, LOG_INFO, "limits", "risk limits version {version} in force: {text}")                                \
    /* Clients. */                                                                                                     \
    X(LOG_CLIENT_UP, LOG_INFO, "client_up", "client {client} connected, pid {pid}, uid {uid}: {text}")                 \
    X(LOG_CLIENT_DOWN, LOG_INFO, "client_down", "client {client} disconnected: {text}")                                \
    X(LOG_CLIENT_REFUSED, LOG_WARN, "client_refused", "client refused, pid {pid}, uid {uid}: {text}")                  \
    X(LOG_CLIENT_BEHIND, LOG_WARN, "client_behind", "client {client} is behind since report {seq}")                    \
    X(LOG_CLIENT_BROKEN, LOG_ERROR, "client_broken", "client {client} broke the ring protocol: {text}")                \
    /* Journal. */                                                                                                     \
    X(LOG_JOURNAL_OPEN, LOG_INFO, "journal_open", "journal {text}: {records} records, term {term}, last seq {seq}")    \
    X(LOG_JOURNAL_LIVE, LOG_WARN, "journal_live",                                                                      \
      "{live} orders of the journal live on, {unknown} of them unknown; the venue is asked about each before new "     \
      "orders")                                                                                                        \
    X(LOG_JOURNAL_ORPHANS, LOG_WARN, "journal_orphans",                                                                \
      "{events} events of the journal are of orders that memory.orders_max has no room to remember; positions are "    \
      "compared with the venue")                                                                                       \
    X(LOG_JOURNAL_COMPACT, LOG_INFO, "journal_compact",                                                                \
      "journal {text}: {segments} segments became a snapshot of {records} records, {dropped} dropped")                 \
    X(LOG_JOURNAL_TORN, LOG_WARN, "journal_torn", "journal {text}: torn tail of {bytes} bytes cut after seq {seq}")    \
    X(LOG_JOURNAL_ERROR, LOG_ERROR, "journal_error", "journal failed, errno {errno}: {text}; new orders stop")         \
    /* The log itself; written by the log thread. */                                                                   \
    X(LOG_DROPPED, LOG_WARN, "log_dropped", "{count} log records lost: the ring of {text} was full")                   \
    X(LOG_SUPPRESSED, LOG_WARN, "log_suppressed", "{count} more {text} suppressed")

enum log_event {
#define X(event, level, name, text) event,
    LOG_EVENTS(X)
#undef X
        LOG_EVENT_COUNT
};

#define LOG_ARGS_MAX   4
#define LOG_TEXT_BYTES 144
#define LOG_BURST      32u /* records of one event and port per second; the rest is counted */

struct log_record {
    int64_t wall_ns; /* 0: stamped by the log thread when it reads the record */
    uint16_t event;  /* enum log_event */
    uint8_t pad[6];
    int64_t arg[LOG_ARGS_MAX];
    char text[LOG_TEXT_BYTES]; /* NUL-terminated */
};
_Static_assert(sizeof(struct log_record) == 192, "three cache lines");

static const uint8_t log_event_level[LOG_EVENT_COUNT] = {
#define X(event, level, name, text) level,
    LOG_EVENTS(X)
#undef X
};

/* One producing thread's way to the log. Writer: that thread. The log thread reads the counters and writes `allowed`
 * and `level`. */
struct log_port {
    struct ring_writer ring; /* struct log_record; reader: the log thread */
    int64_t wall_ns;         /* the producer's clock, for the next records; 0 = let the log thread stamp them */
    char name[16];           /* "core", "connector", ...: named when records are lost */
    _Atomic uint32_t level;  /* records below are not taken */
    _Atomic uint64_t dropped;
    _Atomic uint32_t sent[LOG_EVENT_COUNT];       /* records offered since start */
    _Atomic uint32_t suppressed[LOG_EVENT_COUNT]; /* of these, held back */
    _Atomic uint32_t allowed[LOG_EVENT_COUNT];    /* `sent` may go up to here */
};

/* What log_write comes to. text may be NULL. */
static inline void
log_put(struct log_port *p, enum log_event event, const char *text, int64_t a, int64_t b, int64_t c, int64_t d)
{
    ASSERT((unsigned)event < LOG_EVENT_COUNT);
    if (p == NULL || log_event_level[event] < atomic_load_explicit(&p->level, memory_order_relaxed))
        return;
    /* Relaxed throughout: single-writer counters; the ring's release publishes the record. */
    uint32_t sent = atomic_load_explicit(&p->sent[event], memory_order_relaxed) + 1;
    atomic_store_explicit(&p->sent[event], sent, memory_order_relaxed);
    if (unlikely((int32_t)(sent - atomic_load_explicit(&p->allowed[event], memory_order_relaxed)) > 0)) {
        atomic_store_explicit(&p->suppressed[event],
                              atomic_load_explicit(&p->suppressed[event], memory_order_relaxed) + 1,
                              memory_order_relaxed);
        return;
    }
    struct log_record *r = ring_claim(&p->ring);
    if (unlikely(r == NULL)) {
        atomic_store_explicit(&p->dropped, atomic_load_explicit(&p->dropped, memory_order_relaxed) + 1,
                              memory_order_relaxed);
        return;
    }
    r->wall_ns = p->wall_ns;
    r->event = (uint16_t)event;
    r->arg[0] = a;
    r->arg[1] = b;
    r->arg[2] = c;
    r->arg[3] = d;
    size_t n = 0;
    for (; text != NULL && n < LOG_TEXT_BYTES - 1 && text[n] != '\0'; n++)
        r->text[n] = text[n];
    r->text[n] = '\0';
    ring_commit(&p->ring);
}

/* log_write(port, LOG_CONN_UP, "wss://...", conn, ms): an event, its {text} (or NULL), its integer fields in order, at
 * most 4. A NULL port is fine and writes nothing. */
#define LOG_ARGS(z, a, b, c, d, ...)      (int64_t)(a), (int64_t)(b), (int64_t)(c), (int64_t)(d)
#define log_write(port, event, text, ...) log_put((port), (event), (text), LOG_ARGS(0, ##__VA_ARGS__, 0, 0, 0, 0, 0))

#endif
