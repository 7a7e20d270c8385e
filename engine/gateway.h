/* The gateway: the deterministic core. Events in, actions out; no I/O, no clock, no random number of its own.
 *
 * Between main (or the simulator, or replay), which turns sockets and rings into the events below and carries out the
 * actions of struct gateway_port, and the modules that know things: feed (books), risk (may it leave), oms (what we
 * believe about each order, and the journal), the venue adapters, the client port. The same calls in the same order
 * with the same `now` give the same bytes and the same decisions.
 *
 * Always true: a command is journaled with its verdict before a byte of it leaves; a request without an answer becomes
 * UNKNOWN, keeps its reservation, and only the venue's evidence moves it; an order goes out only over a session that is
 * logged on, in step and reconciled; cancels pass whatever the trading state; every walk is bounded per turn.
 * One thread. Never allocates after gateway_init(). */
#ifndef EXECGW_ENGINE_GATEWAY_H
#define EXECGW_ENGINE_GATEWAY_H

#include "engine/client/client_port.h"
#include "engine/kill_note.h"
#include "engine/oms/balances.h"
#include "engine/oms/journal.h"
#include "engine/oms/order_table.h"
#include "engine/route.h"
#include "engine/session.h"
#include "engine/venue/venue.h"
#include "execgw/log.h"
#include "execgw/metric.h"
#include "feed/feed.h"
#include "risk/risk.h"

/* Connection ids: two per venue, then, venue by venue, the market-data connections beyond its first. */
#define GATEWAY_CONNS_FIRST       (VENUE_MAX * 2u)
#define GATEWAY_CONNS             (GATEWAY_CONNS_FIRST + VENUE_MAX * (FEED_LINKS_MAX - 1u))
#define GATEWAY_CONN(venue, role) ((uint32_t)(venue)*2 + (uint32_t)(role))
#define GATEWAY_NO_LINK           UINT32_MAX /* order entry */

/* Timer ids: two per connection, some for housekeeping, then one per order slot. */
#define GATEWAY_TIMER_SESSION(conn) (conn)
#define GATEWAY_TIMER_PACE(conn)    (GATEWAY_CONNS + (conn))
#define GATEWAY_TIMER_FEED(venue)   (2 * GATEWAY_CONNS + (uint32_t)(venue))
#define GATEWAY_TIMER_LINKS(v)      (2 * GATEWAY_CONNS + VENUE_MAX + (uint32_t)(v))
#define GATEWAY_TIMER_REFRESH(v)    (2 * GATEWAY_CONNS + 2 * VENUE_MAX + (uint32_t)(v))
#define GATEWAY_TIMER_CLOCK(v)      (2 * GATEWAY_CONNS + 3 * VENUE_MAX + (uint32_t)(v))
#define GATEWAY_TIMER_SECOND        (2 * GATEWAY_CONNS + 4 * VENUE_MAX)
#define GATEWAY_TIMER_ORDER(slot)   (2 * GATEWAY_CONNS + 4 * VENUE_MAX + 8 + (slot))
#define GATEWAY_TIMERS(orders_max)  GATEWAY_TIMER_ORDER(orders_max)

/* Limits come from outside the core, whole and validated: asked for by a session or not (slot CLIENT_SESSION_MAX). */
struct limits_ask {
    uint32_t slot;
    uint32_t generation; /* of the slot */
    uint32_t client;
    bool reload;    /* the file again; else text = "KEY VALUE" */
    bool confirmed; /* by its second step: may loosen */
    uint64_t request_key;
    char text[64];
};

enum limits_answer_kind {
    LIMITS_TAKE,    /* the set that comes with it, from here on */
    LIMITS_CONFIRM, /* it would loosen: ask for the second step */
    LIMITS_REFUSED  /* text says why */
};

struct limits_answer {
    struct limits_ask ask;
    uint8_t kind;   /* enum limits_answer_kind */
    char text[256]; /* REFUSED: why; TAKE: what else is to be said, "" nothing */
};

/* Orders that may wait for the disk at a time, and the bytes that all of them take, on one connection. */
#define GATEWAY_HELD_MAX   128u
#define GATEWAY_HELD_BYTES (GATEWAY_HELD_MAX * 2064u)

/* The actions. All are carried out by the caller's thread, at once or queued; none may call back into the gateway. */
struct gateway_port {
    void *ctx;
    /* Connect / end connection `conn`. conn_open is answered by gateway_on_up or gateway_on_down, a live connection's
     * end by gateway_on_down. */
    void (*conn_open)(void *ctx, uint32_t conn);
    void (*conn_close)(void *ctx, uint32_t conn);
    /* Room for `bytes` to the connection, NULL when there is none now; commit sends the first `bytes` of it, not before
     * the journal's records up to cover_seq are durable (0 = at once, past what waits). At most GATEWAY_HELD_MAX wait.
     */
    uint8_t *(*send_reserve)(void *ctx, uint32_t conn, size_t bytes);
    void (*send_commit)(void *ctx, uint32_t conn, size_t bytes, uint64_t cover_seq);
    /* What waits for exactly this record never leaves. False: it is gone already. What waits when its connection ends
     * never leaves either. NULL: nothing waits (durable_first is off). */
    bool (*send_withdraw)(void *ctx, uint32_t conn, uint64_t cover_seq);
    /* Give what is committed to the kernel now. Called within gateway_poll_commands or gateway_on_command, where
     * gateway_on_sent follows with the time of it. NULL: at the end of the turn. */
    void (*flush)(void *ctx);
    /* Give a venue's HTTP request (venue.h says how it is written) to the client off the core. One at a time per venue,
     * answered by gateway_on_rest exactly once. False: it could not be queued. NULL where no adapter needs it. */
    bool (*rest_send)(void *ctx, uint16_t venue, const uint8_t *bytes, size_t len);
    /* Arm or re-arm; MONO_NEVER disarms. Answered by gateway_on_timer. */
    void (*timer_arm)(void *ctx, uint32_t timer, mono_ns_t at);
    /* The journal has no room: give it another region. False: there is none now. */
    bool (*journal_next)(void *ctx, struct now now);
    /* Read limits off the core; false when it is busy with others. Answered by gateway_on_limits_answer. NULL: never.
     */
    bool (*limits_ask)(void *ctx, const struct limits_ask *ask);
    /* One line of the kill switch's proof. NULL: nobody keeps them. */
    void (*kill_note)(void *ctx, const struct kill_note *n);
    /* The clock, for stage stamps only: outside what replay reproduces. */
    mono_ns_t (*stamp)(void *ctx);
    /* Fetch reference data off the core; false when the request could not be queued now. Answered by any number of
     * gateway_on_definition and one gateway_on_definitions_end, or by gateway_on_snapshot slices. */
    bool (*fetch_instruments)(void *ctx, uint16_t venue);
    bool (*fetch_snapshot)(void *ctx, const struct instrument *ins, uint32_t levels);
};

/* What is done about open orders at the venue that are not ours. */
enum foreign_policy {
    FOREIGN_REPORT, /* counted and logged */
    FOREIGN_ADOPT,  /* taken over: reserved, listed and canceled like ours */
    FOREIGN_CANCEL  /* taken over and canceled */
};

/* One venue, as configured. */
struct gateway_venue_config {
    const char *name;
    const struct venue_ops *ops;
    struct venue_adapter *adapter;
    uint32_t account;
    uint32_t snapshot_levels;
    int64_t recv_window_ns;
    int64_t request_timeout_ns;      /* no answer for so long: UNKNOWN */
    int64_t deadman_ns;              /* the venue's countdown, refreshed at a third of it; 0 = none */
    int64_t unknown_margin_ns;       /* beyond the venue's deadline, before "not found" is proof */
    uint32_t cancel_reserve_percent; /* of its rate budgets, for cancels alone */
    int64_t order_count_max;         /* where the venue counts by instrument: up to this; 0 = not counted */
    int64_t order_count_ns;          /* time in which so many are paid back */
    int64_t http_calls_max;          /* requests over HTTP are counted up to this; 0 = not counted */
    int64_t http_calls_ns;           /* time in which so many are paid back */
    int64_t refresh_ns;              /* instrument rules are fetched again */
    int64_t clock_ns;                /* the venue's clock is asked again */
    int64_t audit_ns;                /* open orders, trades and balances are asked for again, with the clock */
    enum foreign_policy foreign;
    int64_t quiet_until_ns;      /* an earlier run was told not to ask before, wall clock; 0 = nothing was said */
    bool first_held;             /* gateway_first.c: a position that no trade tells is what is held */
    bool balance_moves_position; /* a change of balance that no trade explains changes the position too */
    struct session_config market;
    struct session_config order;
    /* Market-data connections. */
    uint32_t links;        /* feed_links() of its feed; 0 = 1 */
    bool spare;            /* every second one is there to move to, as in its feed */
    int64_t lifetime_ns;   /* a connection this old is replaced; 0 = never */
    uint32_t connects_max; /* that the venue takes within connects_window_ns; 0 = not limited */
    int64_t connects_window_ns;
};

/* One strategy, as configured. */
struct gateway_client_config {
    int64_t silence_ns; /* connected, and no command for so long; 0 = never looked at */
    uint8_t on_silence; /* enum on_disconnect */
};

struct gateway_config {
    struct gateway_venue_config venue[VENUE_MAX];
    struct gateway_client_config client[CLIENT_MAX];
    uint16_t venue_count;
    uint32_t order_slots; /* of the order table: live and kept ones; slots are below it */
    uint32_t accounts;    /* ids in [0, accounts) */
    size_t message_max;   /* bytes of one WebSocket message, assembled; 0 = 1 MiB */
    char instance[CLORDID_INSTANCE + 1];
    uint32_t kill_trips; /* bit per enum risk_trip_kind: trips the kill switch as well */
    bool kill_foreign;   /* the kill switch cancels orders that are not ours as well */
    uint32_t term;
    bool new_journal; /* an instrument that the journal has not seen begins at position 0, whatever was traded before */
    uint64_t seed;    /* masking keys and jitter */
    /* An order's bytes wait for its record to be on disk: they are committed with its sequence, and it counts as sent
     * when gateway_on_durable has reached it. A cancel waits for nothing: not for its own record, which is lost with
     * nothing but its own effect, which the venue tells; nor behind orders that wait. The cancel of an order that waits
     * itself takes it back. */
    bool durable_first;
};

/* What the gateway works on; built by main, borrowed for life. */
struct gateway_parts {
    struct route *route;
    struct risk *risk;
    struct order_table *orders;
    struct balances *balances; /* NULL: not compared */
    struct journal *journal;
    struct feed *feed[VENUE_MAX];
    struct client_port *clients;
    struct md_writer *md;
    struct metric_page *metrics;
    struct log_port *log;
    struct gateway_port port;
};

struct gateway;

/* Connection ids in use: below it. */
uint32_t gateway_conns(const struct gateway_config *cfg);
static inline bool
gateway_conn_is_market(uint32_t conn)
{
    return conn >= GATEWAY_CONNS_FIRST || conn % 2 == CONN_ROLE_MARKET;
}
/* The id of a venue's market-data connection. */
uint32_t gateway_market_conn(const struct gateway_config *cfg, uint16_t venue, uint32_t link);
/* Whose connection it is; *link is GATEWAY_NO_LINK for order entry. False: nobody's. */
bool gateway_conn_find(const struct gateway_config *cfg, uint32_t conn, uint16_t *venue, uint32_t *link);

size_t gateway_footprint(const struct gateway_config *cfg);
struct gateway *gateway_init(const struct gateway_config *cfg, const struct gateway_parts *parts, struct arena *arena);

/* Everything is in place: connect. */
void gateway_start(struct gateway *g, struct now now);

/* Events. */
void gateway_on_up(struct gateway *g, uint32_t conn, struct now now);
void gateway_on_down(struct gateway *g, uint32_t conn, const char *why, struct now now);
void gateway_on_bytes(struct gateway *g, uint32_t conn, const uint8_t *bytes, size_t len, struct now now);
void gateway_on_timer(struct gateway *g, uint32_t timer, struct now now);
/* Definitions of a venue, in any order, then their end (ok: all came). */
void gateway_on_definition(struct gateway *g, const struct instrument *def, struct now now);
void gateway_on_definitions_end(struct gateway *g, uint16_t venue, bool ok, struct now now);
/* A limit that the venue states beside its definitions. */
void gateway_on_budget(struct gateway *g, uint16_t venue, enum venue_budget which, int64_t limit, int64_t window_ns,
                       struct now now);
void gateway_on_snapshot(struct gateway *g, uint16_t venue, const struct snapshot_slice *s, struct now now);
/* The answer to the venue's HTTP request; status 0: none came. body is valid during the call. */
void gateway_on_rest(struct gateway *g, uint16_t venue, unsigned status, const uint8_t *body, size_t len,
                     struct now now);
/* A session's slot is free again: nothing more is answered to it. */
void gateway_on_session_end(struct gateway *g, uint32_t slot);
/* A client session ended; its policy is run over its orders. */
void gateway_on_client_gone(struct gateway *g, uint32_t client, enum on_disconnect policy, struct now now);
/* A turn of the loop took longer than the limits' stall_max_ns. */
void gateway_on_stall(struct gateway *g, int64_t ns, struct now now);
/* What became of limits that were asked for. l: the set of LIMITS_TAKE, whose version is written here; risk copies it.
 * True when it is in force. */
bool gateway_on_limits_answer(struct gateway *g, const struct limits_answer *a, struct risk_limits *l, struct now now);
/* Whoever reached for the endpoint of connection `conn` was told to be quiet for so long: a refused upgrade, reference
 * data. What the order session itself hears comes with its bytes. */
void gateway_on_quiet(struct gateway *g, uint32_t conn, int64_t wait_ns, struct now now);
/* Records up to seq are on disk. To be told before gateway_on_sent; only durable_first listens. */
void gateway_on_durable(struct gateway *g, uint64_t seq);
/* A record was lost, or may be: new orders stop for good, cancels pass. Orders that wait for the disk never leave. */
void gateway_on_journal_failed(struct gateway *g, struct now now);
/* No room for another segment (full), or there is again: as long, new orders stop. Nothing is lost. */
void gateway_on_journal_full(struct gateway *g, bool full, struct now now);

/* At the begin of a turn, so that memory comes while the turn does other things: asks the processor for what the
 * command that is taken next needs. Changes nothing. True: a command waits. */
bool gateway_look_ahead(struct gateway *g);

/* Commands waiting in the client rings, `max` at most. Returns how many were taken. */
unsigned gateway_poll_commands(struct gateway *g, unsigned max, struct now now);
/* The same for who takes them from the rings himself: so many may follow, after one begin. */
unsigned gateway_poll_room(const struct gateway *g);
void gateway_poll_begin(struct gateway *g, struct now now);
void gateway_on_command(struct gateway *g, const struct client_command *c);

/* One bounded piece of waiting work: cancel sweeps, long answers, joins of snapshots, queries. True when more is left.
 */
bool gateway_work(struct gateway *g, struct now now);

/* For turns without work of a loop that spins: goes the way of the last new order once more as far as nothing changes
 * (its checks, its message into scratch memory), every REHEARSAL_NS at most, so that the processor has code and data of
 * it at hand when the next one comes. Sends, journals, counts and decides nothing. */
#define REHEARSAL_NS (25 * NS_PER_US)
void gateway_rehearse(struct gateway *g, struct now now);

/* New orders that gateway_on_sent would be told of now; 0 = it would do nothing. */
uint32_t gateway_sends_waiting(const struct gateway *g);

/* The turn's sends were given to the kernel at `sent`: stamps them and tells the clients. With durable_first, those
 * whose records are durable. */
void gateway_on_sent(struct gateway *g, mono_ns_t sent, struct now now);

/* The kill switch: no new order from here on, everything is canceled, and it stays so over a restart until an operator
 * resumes in two steps. Cancels pass. Again and again is fine. `who` is for the journal and the log. */
void gateway_halt(struct gateway *g, const char *who, struct now now);

/* One CONTROL record: start, stop, and what an operator does. */
void gateway_control(struct gateway *g, enum journal_control_kind kind, uint32_t client, int64_t value,
                     const char *text, struct now now);

/* Begin the end: no new orders; with cancel, every order's cancel goes out. */
void gateway_stop(struct gateway *g, bool cancel, struct now now);
uint32_t gateway_orders_live(const struct gateway *g);
uint32_t gateway_orders_unknown(const struct gateway *g);

#endif
