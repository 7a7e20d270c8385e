/* The C client of execgw: connect, submit orders, read reports and market data, all through shared memory.
 *
 * Link with -lexecgw. Includable from C and C++.
 *
 * Units     px_t and qty_t are integers: counts of 10^-px_decimals and 10^-qty_decimals of the instrument
 *           (execgw_instrument). decimal_parse and decimal_format in fixed.h convert text exactly. Money (value_t) is
 *           at 10^-8. Times are nanoseconds: *_mono_ns of CLOCK_MONOTONIC, *_wall_ns since the Unix epoch.
 *
 * Ownership the handle belongs to the caller until execgw_close. Every struct is the caller's and is copied in or out;
 *           nothing is kept.
 *
 * Threads   one handle, one thread at a time. Several threads: one handle each (each under a strategy name of its own).
 *
 * Errors    an enum execgw_result; nothing here prints, exits or installs signal handlers. After EXECGW_DISCONNECTED
 *           every call keeps returning it, but execgw_poll_report and execgw_poll_md (what had arrived stays readable)
 *           and what cannot go stale (instruments, metrics, execgw_close): close and connect again. Orders outlive the
 *           connection; the gateway's on_disconnect policy says what happens to them.
 *
 * Gone      a gateway that ended, killed too, cannot mark its books: they stay in memory as they were, live ones live.
 *           So every call that polls or reads a book looks for a hang-up, some 10 ms after it at the latest, and then
 *           returns EXECGW_DISCONNECTED in place of a book. A book that was read before is worth nothing from there on.
 *
 * Speed     submit, poll_report, poll_md, top, book make no system call, but: submit and cancel write an eventfd when
 *           the gateway sleeps, and each looks for a hang-up at most every 10 ms. Nothing allocates after connect. */
#ifndef EXECGW_CLIENT_H
#define EXECGW_CLIENT_H

#include "execgw/admission.h"
#include "execgw/order.h"

#ifdef __cplusplus
extern "C" {
#endif

#define EXECGW_API __attribute__((visibility("default")))

struct execgw; /* one session */

enum execgw_result {
    EXECGW_OK = 0,
    EXECGW_NONE,         /* nothing there: no report, no event, no such instrument, time-out */
    EXECGW_LOST,         /* poll_md, md_seek: events were overwritten before they were read: see "To keep a book" */
    EXECGW_FULL,         /* the command ring is full: the gateway is behind; nothing was sent */
    EXECGW_DISCONNECTED, /* the gateway ended or closed this session, or what it wrote makes no sense */
    EXECGW_INVALID,      /* an argument is out of range: nothing was sent */
    EXECGW_NOT_RUNNING,  /* connect: no gateway listens at that path */
    EXECGW_REFUSED,      /* connect: the gateway said no; the fault holds its sentence */
    EXECGW_SYSTEM        /* connect: a system call failed; the fault says which */
};

EXECGW_API const char *execgw_result_text(enum execgw_result r);

struct execgw_options {
    const char *path;      /* socket; NULL = execgw_default_path() */
    const char *strategy;  /* name as configured in the gateway; an operator's may be anything */
    uint8_t role;          /* enum admission_role */
    uint8_t on_disconnect; /* enum on_disconnect; DEFAULT = the gateway's configuration */
    uint32_t timeout_ms;   /* to be admitted; 0 = 5000 */
};

/* $EXECGW__CLIENT__SOCKET, which moves the gateway's socket as well; else $XDG_RUNTIME_DIR/execgw/execgw.sock, or
 * without that variable /run/execgw/execgw.sock. buf has `room` bytes; returns buf. */
EXECGW_API const char *execgw_default_path(char *buf, size_t room);

/* Connect as a strategy. NULL with the fault filled (it may be NULL). */
EXECGW_API struct execgw *execgw_connect(const char *path, const char *strategy, struct fault *fault);

/* The same with every choice. *out is written on EXECGW_OK only. */
EXECGW_API enum execgw_result execgw_open(const struct execgw_options *opt, struct execgw **out, struct fault *fault);

/* End the session; NULL is fine. Orders stay or are canceled by the on_disconnect policy. */
EXECGW_API void execgw_close(struct execgw *h);

/* Who we are to the gateway: `client` in reports. */
EXECGW_API uint32_t execgw_client(const struct execgw *h);

/* A client order key above every earlier one of this handle and, by the wall clock, of earlier runs. Never 0. */
EXECGW_API uint64_t execgw_next_key(struct execgw *h);

/* Hand one command over. The library stamps version, client_seq and submit_mono_ns (into the ring, not into *c); all
 * else is the caller's. EXECGW_OK means that the gateway will see it, not that it was accepted: reports tell.
 * EXECGW_FULL, EXECGW_DISCONNECTED: nothing was sent. */
EXECGW_API enum execgw_result execgw_submit(struct execgw *h, const struct command *c);

/* client_seq of the last submitted command: reports that answer a command without a key carry it in request_key. */
EXECGW_API uint64_t execgw_last_seq(const struct execgw *h);

/* Hand over a limit order. flags: COMMAND_POST_ONLY | COMMAND_REDUCE_ONLY. *key (may be NULL) names the order in every
 * report; it is written before the gateway can answer. */
EXECGW_API enum execgw_result execgw_new_limit(struct execgw *h, const struct instrument *ins, enum side side, px_t px,
                                               qty_t qty, enum time_in_force tif, unsigned flags, uint64_t *key);

/* Cancel the order named by `target_key`. */
EXECGW_API enum execgw_result execgw_cancel(struct execgw *h, uint64_t target_key);

/* Replace a limit order by one at px with total quantity qty (the filled part included). The new order has a key of its
 * own. */
EXECGW_API enum execgw_result execgw_replace(struct execgw *h, const struct instrument *ins, uint64_t target_key,
                                             px_t px, qty_t qty, uint64_t *key);

/* Cancel all own orders (an operator: everybody's), in one instrument or with INSTRUMENT_NONE in all. */
EXECGW_API enum execgw_result execgw_cancel_all(struct execgw *h, uint32_t instrument);

/* Ask for our orders, a REPORT_ORDER each, then a REPORT_END whose request_key is execgw_last_seq(h): with from_key 0
 * the open ones, else every order with this key or a higher one, in whatever state it is now, those that are over too
 * (REPORT_CUT in the END's flags: some of them are forgotten). An order may come twice, the later one is newer. A key
 * that was submitted before and does not come made no order: it was denied. After a REPORT_BEHIND, asked with the
 * lowest key whose end is not known, this says what became of every order. */
EXECGW_API enum execgw_result execgw_orders(struct execgw *h, uint64_t from_key);

/* A sign of life, for strategies with a heartbeat_ms: any other command is one as well. */
EXECGW_API enum execgw_result execgw_heartbeat(struct execgw *h);

/* Ask what would pass, without sending an order: type ORDER_LIMIT at px, or ORDER_MARKET. The answer comes as reports
 * whose request_key is execgw_last_seq(h): REPORT_WHATIF (qty: the largest quantity; deny: what stops the next step),
 * a REPORT_LIMIT per limit that an order of ours would meet (limit, used, headroom), REPORT_END. */
EXECGW_API enum execgw_result execgw_whatif(struct execgw *h, const struct instrument *ins, enum side side,
                                            enum order_type type, px_t px, unsigned flags);

/* The next report: EXECGW_OK, EXECGW_NONE or EXECGW_DISCONNECTED (all that had arrived was read). A REPORT_BEHIND means
 * that we were too slow: reports up to its seq were skipped: execgw_orders says what they were about. */
EXECGW_API enum execgw_result execgw_poll_report(struct execgw *h, struct report *r);

/* Sleep until a report is there, the gateway hangs up, or timeout_ms passed (-1: no limit). EXECGW_OK: a report waits;
 * EXECGW_NONE: time-out, or a signal; EXECGW_DISCONNECTED. No wake-up is lost. Market data does not wake: poll it. */
EXECGW_API enum execgw_result execgw_wait(struct execgw *h, int timeout_ms);

/* A descriptor that becomes readable when execgw_wait would return, for an event loop of the caller's: call
 * execgw_sleep first (EXECGW_NONE: sleep; else there is something already), execgw_awake after. Never read or close it.
 */
EXECGW_API int execgw_fd(const struct execgw *h);
EXECGW_API enum execgw_result execgw_sleep(struct execgw *h);
EXECGW_API void execgw_awake(struct execgw *h);

/* To keep a book, every level of it at any moment:
 *
 *   1. execgw_book or execgw_levels: these levels, this state, seq = event_seq. EXECGW_NONE: later again.
 *   2. execgw_md_seek(h, seq + 1). EXECGW_LOST: from 1 again, some milliseconds later.
 *   3. execgw_poll_md until EXECGW_NONE. Of each event of the instrument whose execgw_md_seq is above seq: seq is that,
 *      the state is the event's; MD_LEVEL sets the quantity at a price (0: none), MD_CLEAR removes every level.
 *      EXECGW_LOST: from 1 again.
 *   4. The book is whole behind an event with MD_LAST_OF_MESSAGE, whatever its instrument. Trade on BOOK_LIVE only.
 *
 * Without 2 what was published after the ladder and before we connected is missing. Several books: each has a seq of
 * its own; 1 for each, then 2 with the lowest seq. A book that joins later goes back for all: the others skip what they
 * have. A side with as many levels as there was room for ends there: what is worse than its last one was never told. */

/* The next market-data event: EXECGW_OK, EXECGW_NONE, or EXECGW_LOST when we were overtaken (the count: execgw_md_lost;
 * reading goes on from newer events). The first is the first one after execgw_open. */
EXECGW_API enum execgw_result execgw_poll_md(struct execgw *h, struct md_event *ev);
EXECGW_API uint64_t execgw_md_lost(const struct execgw *h);

/* Sequence number of the last event that execgw_poll_md gave; 0 = none. With EXECGW_LOST: the last that is lost. */
EXECGW_API uint64_t execgw_md_seq(const struct execgw *h);

/* Read on from this event, back or ahead: execgw_poll_md gives it next (events that it gave come again). EXECGW_LOST:
 * it is overwritten already; EXECGW_INVALID: 0, or further ahead than the next one. In both cases nothing changes. */
EXECGW_API enum execgw_result execgw_md_seek(struct execgw *h, uint64_t seq);

/* The best levels of each side, at most LADDER_LEVELS, some ten times a second as they were then; state is the newest.
 * Every event up to event_seq is in it, none above: it and they give the levels at any moment. A book that does not
 * move is written again while the events after it are still there. EXECGW_NONE: never published. Trade on state ==
 * BOOK_LIVE only. */
EXECGW_API enum execgw_result execgw_book(struct execgw *h, uint32_t instrument, struct ladder *book);

/* The same with as many levels as the gateway publishes (memory.ladder_levels), at most `room` a side, best first. */
EXECGW_API enum execgw_result execgw_levels(struct execgw *h, uint32_t instrument, struct ladder_head *head,
                                            struct level *bids, struct level *asks, uint32_t room);

/* The newest top of book of an instrument. EXECGW_NONE: never published. Trade on state == BOOK_LIVE only. */
EXECGW_API enum execgw_result execgw_top(struct execgw *h, uint32_t instrument, struct top_of_book *tob);

/* An instrument's definition by id, or by symbol: the venue's ("BTCUSDT") or the canonical one ("BTC/USDT"). */
EXECGW_API enum execgw_result execgw_instrument(struct execgw *h, uint32_t id, struct instrument *ins);
EXECGW_API enum execgw_result execgw_instrument_by_symbol(struct execgw *h, const char *symbol, struct instrument *ins);
/* Ids are in [0, count). */
EXECGW_API uint32_t execgw_instrument_count(const struct execgw *h);

/* The gateway's metrics page, read-only, valid until execgw_close (layout: metric.h). NULL when it has none. */
EXECGW_API const void *execgw_metrics(const struct execgw *h, size_t *bytes);

/* Process id of the gateway. */
EXECGW_API uint32_t execgw_gateway_pid(const struct execgw *h);

#ifdef __cplusplus
}
#endif

#endif
