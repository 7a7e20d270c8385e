/* The deterministic simulator: the real gateway core on a fake clock, real WebSocket framing over simulated wires, an
 * independent venue with a ledger of its own, clients that ask for anything, and an oracle that compares all of them.
 *
 * One seed decides everything: what the clients do, what the venue does with each message, when wires break, clocks
 * step and the core dies. Which faults can happen at all, and how often, is drawn per seed as well (swarm testing), so
 * that rare combinations are not drowned by common faults.
 *
 * Always true: nothing reads a clock or a random number but the seed's own; the venue side shares no code with the
 * adapter under test (requests are read with jansson, answers are written as text, signatures checked with OpenSSL);
 * the first broken invariant ends the seed and names it.
 *
 * Parts: sim_world.c (time, events, chance), sim_wire.c (connections), sim_core.c (the gateway, its crashes and
 * restarts), sim_ledger.c (matching), sim_binance.c and sim_kraken.c (the dialects), sim_market.c (prices),
 * sim_clients.c, the oracle: sim_check.c (journal and orders), sim_account.c (positions and results), sim_told.c (what
 * clients hear), sim_promise.c (what must happen by itself), sim_foreign.c (others on the
 * account), sim_end.c (what must come to rest), sim_main.c (the
 * program). */
#ifndef EXECGW_TESTS_SIM_H
#define EXECGW_TESTS_SIM_H

#include "engine/gateway.h"
#include "engine/risk_replay.h"

#include <setjmp.h>

/* ---- chance ------------------------------------------------------------------------------------------------------ */

struct sim;

/* What may go wrong, and the most often that a seed lets it: of 1,000 occasions. X(name, most) */
#define FATES(X)                                                                                       \
    X(request_lost, 120) /* the venue never sees it */                                                 \
    X(request_late, 250) /* it reaches the matching engine late, maybe too late */                     \
    X(dark, 200)         /* of new orders: nothing is told of it but when it is asked for, and late */ \
    X(reply_lost, 200)   /* carried out, no answer */                                                  \
    X(reply_late, 300)   /* answers and events overtake each other */                                  \
    X(reply_twice, 200)                                                                                \
    X(reply_unreadable, 60)                                                                            \
    X(unknown_done, 120)   /* -1006, -1007 or a 5xx, and it was carried out */                         \
    X(unknown_undone, 120) /* the same, and it was not */                                              \
    X(reject, 120)         /* refused with a code that proves it */                                    \
    X(limited, 25)         /* 429 or 418 with a time to wait for */                                    \
    X(amend_refused, 400)                                                                              \
    X(sparse, 500)     /* of reports on Kraken, but ends: cum_qty is not said */                       \
    X(event_lost, 120) /* the stream omits a report */                                                 \
    X(event_late, 300)                                                                                 \
    X(event_twice, 250)                                                                                \
    X(event_unreadable, 25)                                                                            \
    X(old_event_again, 60)  /* a report of long ago comes once more */                                 \
    X(fill_on_arrival, 500) /* a new order trades at once, in part or whole */                         \
    X(fill_on_cancel, 400)  /* an order trades while its cancel is on the way */                       \
    X(fill_on_query, 300)   /* an order trades while it is asked about */                              \
    X(expired_by_venue, 60)                                                                            \
    X(shows_late, 400) /* queries see an order or a trade only after a while */                        \
    X(archive, 300)    /* an order that is over is not found any more; its trades are */               \
    X(list_fails, 150) /* openOrders, myTrades or order.status fail */                                 \
    X(page_again, 300) /* a page of trades begins with those that were told before */                  \
    X(cut, 30)         /* per second: a connection ends */                                             \
    X(connect_fails, 300)                                                                              \
    X(blackhole, 12)      /* per second: a wire carries nothing any more */                            \
    X(cut_all, 8)         /* per second: every connection at once */                                   \
    X(small_pieces, 1000) /* of wires: bytes come in pieces of any size */                             \
    X(fragments, 300)     /* messages in several WebSocket frames */                                   \
    X(no_room, 30)        /* per second: the send buffer is full for a while */                        \
    X(feed_gap, 60)                                                                                    \
    X(feed_silent, 10)                                                                                 \
    X(feed_crossed, 10)                                                                                \
    X(feed_garbage, 10)                                                                                \
    X(snapshot_fails, 200)                                                                             \
    X(definitions_fail, 200)                                                                           \
    X(rules_change, 8)    /* per second: status, limits or decimals of an instrument */                \
    X(foreign_order, 40)  /* per second: somebody else trades on the account */                        \
    X(foreign_cancel, 10) /* per second: somebody else cancels our order */                            \
    X(second_host, 5)     /* per second: another host with our instance's ids trades on the account */ \
    X(foreign_burst, 20)  /* per second: somebody else's orders trade, many at once */                 \
    X(self_trade, 60)     /* per second: another order of the account takes one of ours */             \
    X(clock_step, 80)     /* per second: the host's wall clock jumps */                                \
    X(pause, 8)           /* per second: the core does not run for a while */                          \
    X(crash, 12)          /* per turn that journaled something */                                      \
    X(torn, 400)          /* of crashes: the journal's tail is cut or torn */                          \
    X(client_gone, 15)    /* per second: a client's session ends */                                    \
    X(client_slow, 200)   /* of clients' turns: reports are not read */                                \
    X(repeats, 200)       /* of new orders: the key was used before */                                 \
    X(nonsense, 150)      /* of new orders: off tick, huge, wrong version */                           \
    X(resolves, 700)      /* of the operator's acts: says what became of an order that is unknown */   \
    X(belies, 900)        /* of these: it is not so */                                                 \
    X(compacts, 500)      /* of starts: finished segments are summed up as a snapshot */               \
    X(journal_full, 2)    /* of segments: there is none; until the next start */

enum fate {
#define X(name, most) FATE_##name,
    FATES(X)
#undef X
        FATE_COUNT
};

/* ---- sizes ------------------------------------------------------------------------------------------------------- */

#define SIM_SYMBOLS    2u
#define SIM_STRATEGIES 3u
#define SIM_SESSIONS   4u /* the last one is the operator */
#define SIM_OPERATOR   3u
#define SIM_LIVE       64u
#define SIM_DONE       192u
#define SIM_SLOTS      (SIM_LIVE + SIM_DONE)
#define SIM_ORDERS     2048u /* orders of one seed, ours */
#define SIM_KEYS       2048u /* per client */
#define SIM_VORDERS    4096u
#define SIM_ADOPTED    512u
#define SIM_VTRADES    8192u
#define SIM_WIRES      2048u
#define SIM_EVENTS     65536u
#define SIM_POOL       ((size_t)192 << 20)
#define SIM_SEGMENT    65536u
#define SIM_SEGMENTS   256u
#define SIM_OUTS       512u
#define SIM_NONE       UINT32_MAX
#define SIM_COMMANDS   64u
#define SIM_REPORTS    512u
#define SIM_EPOCH_NS   (INT64_C(1700000000) * NS_PER_S)
#define SIM_VENUE_ONE  INT64_C(100000000) /* the venue counts in 10^-8 */
#define SIM_VERSIONS   32u                /* of an instrument, in one seed */
#define SIM_ACCOUNT    0u

/* ---- events ------------------------------------------------------------------------------------------------------ */

enum event_kind {
    EV_CORE_UP,
    EV_CORE_DOWN,
    EV_TO_CORE,
    EV_TO_VENUE,
    EV_VENUE_DOWN,
    EV_EMIT,    /* the venue writes a message to a wire */
    EV_REQUEST, /* a request reaches the matching engine */
    EV_TRADE,   /* somebody trades with one of the account's orders */
    EV_MARKET,
    EV_SECOND, /* the dice of what happens per second */
    EV_CLIENT,
    EV_DEFINITIONS,
    EV_SNAPSHOT,
    EV_RESTART,
    EV_PING,
    EV_AGAIN, /* a client's next replace of one order */
    EV_WAKE,  /* the core has work left */
    EV_ROOM,
    EV_REST,      /* an HTTP request is at the venue */
    EV_REST_BACK, /* its answer is back */
    EV_SYNC       /* the journal's records are on the disk */
};

struct event {
    int64_t at;
    uint64_t order; /* ties: as they were made */
    uint32_t kind;
    uint32_t a;
    uint32_t b;
    uint32_t len;
    const void *data;
    int64_t ban; /* the message tells to be quiet until then, venue clock; 0 = it does not */
    bool hole;   /* the message's number shows that one before it is missing */
    bool twin;   /* the message shows that another host gives out our ids */
};

/* ---- wires ------------------------------------------------------------------------------------------------------- */

struct wire {
    uint32_t conn;
    bool core_up;
    bool venue_up;
    bool closing; /* the core has asked for it: what still comes it need not read */
    bool black;   /* carries nothing */
    bool pieces;
    bool subscribed;
    uint64_t sequence; /* of the private stream, where it is numbered */
    bool hole;         /* its last number was not sent */
    int64_t core_free; /* bytes to the core stay in order */
    int64_t venue_free;
    int64_t emit_free; /* messages stay in order, unless they are late by fate */
    uint32_t rx_len;
    uint8_t *rx;
};
#define WIRE_RX 32768u

/* ---- the venue --------------------------------------------------------------------------------------------------- */

enum vstatus { V_NEW, V_PARTIAL, V_FILLED, V_CANCELED, V_EXPIRED, V_STATUS_COUNT };

struct vtrade {
    int64_t id;
    uint32_t order;
    uint32_t next; /* of the order */
    int64_t px;
    int64_t qty;
    int64_t fee;
    char fee_ccy[8];
    int64_t at_ns; /* venue clock */
    int64_t shown_ns;
    bool maker;
    bool told;    /* to its client */
    bool claimed; /* by the operator, who says nothing of fees */
};

struct vorder {
    int64_t id;
    char clordid[40];
    uint32_t symbol;
    uint8_t side;
    uint8_t status;
    bool ours; /* sent by the gateway under test */
    bool dark; /* no answer and no report tells of it */
    bool market;
    char tif[4];
    bool post_only;
    int64_t px;
    int64_t qty;
    int64_t qty_most; /* of the totals that it has worked to */
    int64_t cum;
    int64_t quote;
    int64_t made_ns;
    int64_t changed_ns;
    int64_t shown_ns; /* queries see it from here */
    uint32_t first_trade;
    uint32_t last_trade;
    uint32_t mine; /* index of the oracle's order; SIM_NONE */
};

struct ledger {
    struct vorder order[SIM_VORDERS];
    uint32_t orders;
    struct vtrade trade[SIM_VTRADES];
    uint32_t trades;
    int64_t next_id[SIM_SYMBOLS];
    int64_t next_trade[SIM_SYMBOLS];
    int64_t next_execution;
    int64_t banned_until_ns;       /* venue clock */
    int64_t position[SIM_SYMBOLS]; /* of orders that are ours, in 10^-8 */
    uint32_t open[SIM_VORDERS];    /* indexes of open orders */
    uint32_t opens;
};

enum budget_kind { BUDGET_OF_WEIGHT, BUDGET_OF_ORDERS, BUDGETS };

struct budget_truth {
    int64_t limit;
    int64_t window_ns;
    int64_t window; /* its number */
    int64_t used;
    int64_t edge; /* of it near the window's ends, or from before the gateway's start */
    int64_t back; /* given back in this window and the one before: word of it may come later */
    int64_t back_now;
};

/* ---- prices ------------------------------------------------------------------------------------------------------ */

struct price {
    char symbol[16];
    uint8_t px_decimals;
    uint8_t qty_decimals;
    uint8_t status; /* enum instrument_status */
    int64_t tick;   /* in px_decimals */
    int64_t bid;    /* 10^-8 */
    int64_t ask;
    uint64_t update_id;
    int64_t silent_until;
};

/* ---- clients ----------------------------------------------------------------------------------------------------- */

/* What a client asked under one key. */
struct asked {
    struct command command;
    bool used;
    bool accepted; /* by the journal */
    uint64_t accepted_seq;
    bool denied;
    bool answered;
    bool gap;            /* answers may have been missed */
    bool varied;         /* asked again under the same key with other words */
    bool cancel_asked;   /* somebody may have asked for its cancel */
    uint32_t generation; /* of the session that asked last */
    int64_t late_ns;     /* what it asks for must have been accepted by then, in time that the core runs */
    uint64_t sweep_seq;  /* the last cancel-all that meant it, and its session's generation */
    uint32_t sweep_generation;
    uint64_t denied_seq;
    uint32_t mine; /* the oracle's order */
};

struct client {
    bool attached;
    uint32_t client;
    uint8_t on_disconnect;
    void *mem;
    struct ring_writer command;
    struct ring_reader report;
    uint64_t client_seq;
    uint64_t key; /* the last one used */
    uint32_t generation;
    uint32_t hurry; /* replaces of it that come as soon as the last one is answered */
    uint64_t cancel_key;
    uint64_t chased;     /* the order that it replaced last, often again; 0 = none */
    uint64_t parent_key; /* the last one that it split; 0 = none */
    int64_t parent_qty;
    uint32_t parent_instrument;
    uint8_t parent_side;
    char token[44];      /* of a first step; "" = none */
    struct asked *asked; /* by key, SIM_KEYS */
};

/* ---- the oracle -------------------------------------------------------------------------------------------------- */

/* One accepted intent, as the journal says it, and what became of it everywhere. */
struct mine {
    char clordid[CLORDID_BYTES];
    uint64_t seq; /* of the intent's record */
    uint32_t client;
    uint64_t key;
    uint32_t symbol;
    uint32_t instrument;
    uint8_t side;
    uint8_t type;
    bool replace;
    uint32_t target;     /* the oracle's order that it replaces; SIM_NONE */
    int64_t px;          /* 10^-8 */
    int64_t qty;         /* 10^-8: as sent */
    int64_t total;       /* 10^-8: the command's, with the part filled before */
    uint64_t parent_key; /* 0 = none */
    int64_t parent_qty;  /* 10^-8 */
    int64_t amend_px;    /* 10^-8: of the last amend that the journal has */
    int64_t amend_qty;
    int64_t amend_worst;    /* 10^-8: the most that an amend which left may still make of it */
    int64_t amend_until_ns; /* venue clock: and until when */
    uint32_t sends;         /* frames that left and place it */
    uint32_t cancels;       /* frames that left and cancel it */
    uint32_t cancel_records;
    int64_t until_ns; /* venue clock: the request cannot be accepted after this */
    uint32_t vorder;  /* at the venue; SIM_NONE */
    bool refused;     /* the venue has refused it for good */
    int64_t cum;      /* 10^-8: as the gateway last said */
    bool ended;       /* terminal in the gateway */
    bool belied;      /* the operator has said of it what is not so */
    bool dark;        /* drawn when it arrives */
    bool dark_drawn;
    uint32_t due;      /* the start of the core that has promised its cancel */
    int64_t made_ns;   /* accepted */
    uint8_t end_state; /* enum order_state then */
    uint64_t end_seq;  /* of the journal then, or a little later */
    /* What the client was told, over all of its sessions. */
    int64_t told_qty;
    bool told_end;
    bool gap; /* reports may have been missed */
    /* The wires over which it was last asked to be changed, asked about, listed and told of; SIM_NONE: none. */
    uint32_t changed_wire;
    uint32_t asked_wire;
    uint32_t listed_wire;
    uint32_t told_wire;
};

struct oracle {
    struct mine mine[SIM_ORDERS];
    uint32_t count;
    uint32_t hash[SIM_ORDERS * 2]; /* by ClOrdID: index + 1 */
    /* Place in the journal up to which records were read. */
    uint32_t segment;
    size_t offset;
    uint64_t seq;
    int64_t ban_known_until_ns; /* venue clock: the core was told to be quiet until then */
    int64_t ban_wall_ns;        /* how far the host's wall clock was off when that was told */
    bool killed;                /* by the journal */
    uint8_t state[LEVEL_COUNT][CLIENT_MAX];
    uint64_t records;
    uint64_t turns;
    uint32_t twin_start;  /* the start of the core that was shown another host */
    uint64_t again_until; /* records up to here are read a second time: only the place counts */
    /* By instrument: the id of the first trade of the account that counts, -1 not said yet; decimals of each version.
     */
    int64_t first_trade[SIM_SYMBOLS];
    uint8_t px_decimals[SIM_SYMBOLS][SIM_VERSIONS];
    /* Orders that were taken over: their ids here, and the venue's orders. */
    struct adopted {
        char clordid[CLORDID_BYTES];
        uint32_t vorder;
    } adopted[SIM_ADOPTED];
    uint32_t adopted_count;
    uint32_t touched[64];
    uint32_t touched_count;
};

/* ---- the core ---------------------------------------------------------------------------------------------------- */

struct out {
    uint32_t wire;
    uint32_t len;
    const uint8_t *data;
    uint64_t seq;   /* of the journal when it was committed */
    uint64_t cover; /* it waits for this record to be on the disk */
    uint32_t mine;
    uint8_t kind; /* enum out_kind */
    int64_t until_ns;
};

enum out_kind { OUT_OTHER, OUT_NEW, OUT_CANCEL, OUT_AMEND };

struct core_rig {
    bool alive;
    bool in_turn;
    bool pending; /* an EV_WAKE is on its way */
    int64_t paused_until;
    bool no_room;
    struct gateway *g;
    struct venue_adapter *adapter;
    struct route route;
    struct risk *risk;
    struct order_table *orders;
    struct journal journal;
    struct feed *feed;
    struct client_port *clients;
    struct md_writer md;
    struct metric_page *metrics;
    void *market;
    struct arena arena;
    uint32_t wire[GATEWAY_CONNS];
    mono_ns_t timer[GATEWAY_TIMERS(SIM_SLOTS)];
    uint32_t timer_count;
    struct out out[SIM_OUTS];
    uint32_t outs;
    uint8_t buffer[65536];
    bool fetching;
    bool asking; /* over HTTP */
    bool syncing;
    uint64_t sync_seq;
    uint64_t durable_seq;
    int64_t quiet_until_ns; /* by the journal: the venue is not to be asked before */
    bool disk_full;
    /* The disk: outlives the core. */
    uint8_t *segment[SIM_SEGMENTS];
    uint32_t segments;
    uint64_t disk_seq; /* records up to here no loss of power takes */
    /* What stands on the disk in place of segments up to this one; the oracle keeps reading those. */
    uint8_t *snapshot[2];  /* the one in use, and the other */
    size_t snapshot_bytes; /* 0 = there is none */
    uint32_t snapshot_to;
    uint64_t snapshot_seq; /* of the last record that it stands for */
    uint32_t snapshots;    /* made in this seed */
    /* Where the turn began. */
    uint64_t turn_seq;
    uint32_t turn_segments;
    uint32_t starts;
    uint32_t last_term;
};

struct sim {
    uint64_t seed;
    uint64_t rng;
    bool trace;
    bool quiet;   /* faults have stopped */
    bool durable; /* orders wait until their records are on the disk, and power may fail */
    bool kraken;  /* the venue's dialect: else Binance */
    uint32_t fate[FATE_COUNT];
    int64_t t;
    int64_t wall_ns;      /* host's wall clock - (SIM_EPOCH_NS + t) */
    int64_t venue_ns;     /* the venue's */
    uint32_t trades_kept; /* ids that the core remembers */
    int64_t recv_window_ns;
    int64_t latency_ns;
    int64_t say_ban; /* see struct event: of what is said now */
    bool say_hole;
    bool say_twin;
    bool say_slow;    /* answers leave long after they were asked for */
    int64_t think_ns; /* between two acts of a client */
    bool chases;      /* clients replace much of what they do */
    bool eager;       /* clients read what they are told at once, and ask again at once */
    uint32_t slow;    /* of 16 late messages, those that are very late */
    bool watches;     /* once faults have stopped it is left alone for a while */
    int64_t quiet_from;
    int64_t paused_ns;  /* for which the core has been paused, or will be in this pause */
    int64_t ready_from; /* order entry is ready since; -1 it is not */
    uint32_t ready_wire;
    int64_t swept_ns;     /* orders made up to here an operator has asked to cancel */
    int64_t trade_ns;     /* between two trades at the venue */
    int64_t position_max; /* 10^-8 */
    uint32_t done_kept;   /* finished orders, and keys that made none */
    uint32_t keys_kept;
    uint32_t trades_page; /* the most trades of one answer */
    enum foreign_policy foreign;
    bool burst_dark;
    bool says_limits;         /* answers say what is used of them */
    uint32_t reserve_percent; /* of the weight, for cancels */
    struct http_truth {
        int64_t max;     /* 0: not counted */
        int64_t used_ns; /* a request is worth `per_ns`: so long until all is paid back */
        int64_t mine_ns; /* of this start of the core alone */
        int64_t per_ns;
        int64_t at;
    } http;
    int64_t deadman_ns; /* 0: none */
    int64_t deadman_at; /* the venue cancels everything then; 0: it does not */
    struct event heap[SIM_EVENTS];
    uint32_t events;
    uint64_t event_order;
    uint8_t *pool;
    size_t pool_used;
    struct wire wire[SIM_WIRES];
    uint32_t wires;
    struct core_rig core;
    struct ledger venue;
    struct budget_truth budget[BUDGETS];
    struct price price[SIM_SYMBOLS];
    struct client client[SIM_SESSIONS];
    struct oracle oracle;
    jmp_buf stop;
    char failure[512];
    uint64_t crashes, steps, placed, trades_made;
};

/* ---- sim_world.c ------------------------------------------------------------------------------------------------- */

/* Below `below`, or any 64 bits for 0. */
uint64_t sim_any(struct sim *s, uint64_t below);
int64_t sim_between(struct sim *s, int64_t low, int64_t high);
/* The seed's chance of this fate; never while quiet. */
bool sim_fate(struct sim *s, enum fate f);
void sim_choose(struct sim *s);
/* How late a message is. */
int64_t sim_delay(struct sim *s, bool late);
/* Of an answer; *late: not in order with others. */
int64_t sim_answer_delay(struct sim *s, bool *late);

void *sim_take(struct sim *s, size_t bytes);
void sim_at(struct sim *s, int64_t at, enum event_kind kind, uint32_t a, uint32_t b, const void *data, uint32_t len);
bool sim_next(struct sim *s, struct event *out);

void sim_trace(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* An invariant is broken: ends the seed. */
_Noreturn void sim_fail(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline int64_t
venue_clock(const struct sim *s)
{
    return SIM_EPOCH_NS + s->t + s->venue_ns;
}

/* Time that goes on only while the core may run. */
static inline int64_t
run_clock(const struct sim *s)
{
    return MAX(s->t, s->core.paused_until) - s->paused_ns;
}

static inline struct now
host_clock(const struct sim *s)
{
    return (struct now){ { s->t }, { SIM_EPOCH_NS + s->t + s->wall_ns } };
}

/* Text of a count of 10^-8. */
const char *amount_text(int64_t v, char out[32]);
/* Its value; false when it is not exact at 10^-8 or no decimal number. */
bool amount_read(const char *text, int64_t *out);

/* Run one seed. True when every invariant held; else s->failure says which did not. */
bool sim_run(struct sim *s, uint64_t seed, bool trace);

/* ---- sim_wire.c -------------------------------------------------------------------------------------------------- */

void wire_open(struct sim *s, uint32_t conn);
void wire_close_by_core(struct sim *s, uint32_t conn);
/* Bytes of the core. */
void wire_up(struct sim *s, uint32_t wire, const uint8_t *data, uint32_t len);
/* One text message of the venue, after `delay`; in order with the others unless `late`. */
void wire_say(struct sim *s, uint32_t wire, const char *text, size_t len, int64_t delay, bool late);
void wire_cut(struct sim *s, uint32_t wire);
void wire_core_died(struct sim *s);
void wire_event(struct sim *s, const struct event *e);
void wire_second(struct sim *s);
/* Answers of the venue's side to one whole message of the core: given by the dialect. */
uint32_t wire_of(const struct sim *s, uint32_t conn);

/* ---- sim_ledger.c ------------------------------------------------------------------------------------------------ */

struct vrequest {
    const char *clordid;
    uint32_t symbol;
    uint8_t side;
    bool market;
    bool post_only;
    bool ours;
    bool dark; /* somebody else's of which nothing is told */
    char tif[4];
    int64_t px;
    int64_t qty;
};

void ledger_init(struct sim *s);
struct vorder *ledger_find(struct sim *s, uint32_t symbol, int64_t id, const char *clordid);
struct vorder *ledger_place(struct sim *s, const struct vrequest *rq);
void ledger_trade(struct sim *s, struct vorder *o, int64_t qty, bool maker);
void ledger_end(struct sim *s, struct vorder *o, enum vstatus how, const char *by);
static inline bool
vorder_open(const struct vorder *o)
{
    return o->status == V_NEW || o->status == V_PARTIAL;
}
/* A new order, and what it trades at once. */
struct vorder *ledger_place_all(struct sim *s, const struct vrequest *rq);
/* What happened to an order while a request about it was on its way; o may be NULL. */
void ledger_meanwhile(struct sim *s, struct vorder *o);
/* A new order arrives: whether the venue will be silent about it, drawn once. */
bool ledger_dark(struct sim *s, const char *clordid);
/* It is asked about, and may trade to its end just then. */
void ledger_asked(struct sim *s, struct vorder *o);
/* The venue has refused it: it will not be placed. */
void ledger_refused(struct sim *s, const char *clordid);
/* A part of what is left, or all. */
int64_t ledger_some(struct sim *s, int64_t left);
/* Somebody trades; another is made due. */
void ledger_event_trade(struct sim *s);
void ledger_second(struct sim *s);

/* ---- sim_budget.c ------------------------------------------------------------------------------------------------ */

void budget_init_truth(struct sim *s);
/* A request arrives. False: it is one too many, which is forgiven; fails the seed when it is not. */
bool budget_take(struct sim *s, enum budget_kind which, unsigned cost);
/* So much of the weight is spent by something that cancels have their own part beside. */
void budget_leaves(struct sim *s);
/* A request over HTTP. False: the counter is full. */
bool budget_http(struct sim *s, unsigned cost);
/* A core that knows nothing of what was asked before begins. */
void budget_core_starts(struct sim *s);
/* An order was filled for the first time: it no longer counts. */
void budget_return(struct sim *s);
int64_t budget_used_truth(struct sim *s, enum budget_kind which);

/* ---- sim_binance.c ----------------------------------------------------------------------------------------------- */

void binance_message(struct sim *s, uint32_t wire, const char *text, size_t len);
void binance_request(struct sim *s, uint32_t wire, const char *text, size_t len);
/* The private stream says what happened to an order. trade: SIM_NONE for none. by: id of the cancel or "". */
void binance_execution(struct sim *s, const struct vorder *o, const char *type, uint32_t trade, const char *by);
/* What one frame that leaves the core places or cancels. */
void binance_peek(struct sim *s, const char *text, size_t len, struct out *o);

/* ---- sim_kraken.c ------------------------------------------------------------------------------------------------ */

void kraken_message(struct sim *s, uint32_t wire, const char *text, size_t len);
void kraken_request(struct sim *s, uint32_t wire, const char *text, size_t len);
void kraken_execution(struct sim *s, const struct vorder *o, const char *type, uint32_t trade);
void kraken_peek(struct sim *s, const char *text, size_t len, struct out *o);
void kraken_rest(struct sim *s, const struct event *e);
/* Once a second: the countdown. */
void kraken_second(struct sim *s);

/* ---- sim_market.c ------------------------------------------------------------------------------------------------ */

void price_init(struct sim *s);
void price_event(struct sim *s, const struct event *e);
/* The whole book, as a checked feed begins with it. */
void price_snapshot(struct sim *s, uint32_t symbol);
void price_definition(const struct sim *s, uint32_t symbol, struct instrument *out);
void price_second(struct sim *s);

/* ---- sim_core.c -------------------------------------------------------------------------------------------------- */

void core_start(struct sim *s);
/* One turn around an event; the turn's bytes leave at its end, or the core dies within it. */
void core_begin(struct sim *s);
void core_end(struct sim *s);
void core_timers(struct sim *s);
void core_rest_back(struct sim *s, const struct event *e);
void core_synced(struct sim *s, const struct event *e);
int64_t core_next_timer(const struct sim *s);
void core_crash(struct sim *s, bool torn);
void core_attach(struct sim *s, uint32_t session);
/* The journal as it is on the disk, of `used` segments; how many there are. */

uint32_t core_disk(const struct core_rig *c, uint32_t used, struct journal_segment out[SIM_SEGMENTS]);
/* Give the memory back, after the last seed. */
void core_release(struct sim *s);

/* ---- sim_clients.c ----------------------------------------------------------------------------------------------- */

void clients_init(struct sim *s);
void clients_release(struct sim *s);
void client_act(struct sim *s, uint32_t session);
/* An amend of this order was answered: the client may ask for the next one at once. */
void client_again_soon(struct sim *s, struct client *c, uint64_t key);
void client_again(struct sim *s, uint32_t session);
/* What they are told as it comes. */
void clients_told(struct sim *s);
void client_drain(struct sim *s, uint32_t session);
void clients_second(struct sim *s);
void clients_core_died(struct sim *s);

/* ---- sim_check.c ------------------------------------------------------------------------------------------------- */

void check_init(struct sim *s);
/* Read what the journal has by now. */
void check_journal(struct sim *s);
/* Records after `seq` are gone. */
void check_cut(struct sim *s, uint64_t seq);
/* The journal was replayed: its first turn judges every order, also those that a turn ended which died. */
void check_started(struct sim *s);
struct mine *check_find(struct sim *s, const char *clordid);
void check_sent(struct sim *s, const struct out *o);
void check_turn(struct sim *s);
void check_order(struct sim *s, struct mine *m);
void check_sums(struct sim *s);
/* Of an instrument id; SIM_NONE when there is none. */
uint32_t check_symbol(const struct sim *s, uint32_t instrument);
/* A count of 10^-decimals as one of 10^-8. */
static inline int64_t
check_scale(int64_t v, unsigned decimals)
{
    for (; decimals < 8; decimals++)
        v *= 10;
    return v;
}
/* A trade at a price of more decimals than the core knows yet is counted, at one that is worse by less than a unit. */
#define SIM_COARSE (SIM_VENUE_ONE / 100)
static inline int64_t
check_finer(const struct vtrade *t)
{
    return t->px % SIM_COARSE != 0 ? SIM_COARSE : 0;
}
void check_placed(struct sim *s, struct vorder *o);
void check_amended(struct sim *s, const struct vorder *o);

/* ---- sim_account.c ----------------------------------------------------------------------------------------------- */

/* What an instrument's trades have made of the account, by the ledger: counts of 10^-8, money of 10^-16. */
struct account_truth {
    int64_t held;
    int64_t traded;
    __int128 finer; /* by so much their prices may have been taken for worse */
    __int128 cash;  /* received - paid, fees not included */
};
void account_truth(const struct sim *s, uint32_t instrument, struct account_truth *out);
/* Whether position and results here are those. False: why says. */
bool account_same(const struct sim *s, char *why, size_t room);
/* By how much, in 10^-8, other people's trades and those that are not known to be an order's yet may take the worst
 * case of a side past its limit. */
int64_t account_slack(const struct sim *s, uint32_t instrument, enum side side);

/* Balances needed and resting prices in risk are those of the orders. */
void account_orders(const struct sim *s);
/* What a parent's children may come to is within its total. */
void account_parent(struct sim *s, const struct mine *child);

/* ---- sim_told.c -------------------------------------------------------------------------------------------------- */

void check_report(struct sim *s, struct client *c, const struct report *r);
/* At the end: this order's client has heard all of it. */
void check_told(struct sim *s, const struct mine *m);

/* ---- sim_foreign.c ----------------------------------------------------------------------------------------------- */

/* Once a second: what others do on the account. */
void foreign_second(struct sim *s);
/* The journal takes an order of the venue's list over. */
void foreign_adopted(struct sim *s, const struct order_intent *in);
/* The venue's order; NULL when none was taken over under this id. */
const struct vorder *foreign_find(const struct sim *s, const char *clordid);
/* May the core cancel this order, which the journal does not call ours? v: NULL when only the id is known. */
bool foreign_cancelable(struct sim *s, const struct vorder *v, const char *clordid);
/* A report of this order is said: whether it shows another host. */
bool foreign_shows(const struct sim *s, const struct vorder *o);
/* Nothing of other people's that the policy does not leave alone is open. False: why says. */
bool foreign_settled(const struct sim *s, char *why, size_t room);

/* ---- sim_promise.c ----------------------------------------------------------------------------------------------- */

void promise_init(struct sim *s);
/* A client asks; session by session what was asked before is known to come before. */
void promise_asked(struct sim *s, struct client *c, const struct command *cmd);
/* Its session has ended. */
void promise_gone(struct client *c);
/* What it was told may be a promise. */
void promise_told(struct sim *s, struct client *c, const struct report *r);
/* The core starts again: a cancel that was on its way is asked for until the order is over. */
void promise_restarted(struct sim *s);
/* A cancel leaves: somebody asked for it. */
void promise_cancel(struct sim *s, const struct mine *m);
/* Once a second. */
void promise_second(struct sim *s);
/* Faults are about to stop: the last word of some orders is lost. */
void promise_lose(struct sim *s);
/* Nobody asks for anything now. */
bool promise_watched(const struct sim *s);

/* ---- sim_end.c --------------------------------------------------------------------------------------------------- */

void check_end(struct sim *s);
/* Everything is settled: no order is open or unknown, the venue is armed. */
bool check_settled(const struct sim *s, char *why, size_t room);
/* The journal, replayed, gives what the core has. */
void check_replay(struct sim *s);
/* Two journals, replayed, give the same: orders, amends, keys, positions, cursors. */
void check_alike(struct sim *s, const struct journal_segment *a, uint32_t a_count, const struct journal_segment *b,
                 uint32_t b_count);

#endif
