/* What the gateway remembers, shared by its files and by nobody else: gateway.c (events, sessions), gateway_market.c
 * (bytes to books), gateway_legs.c (market-data connections), gateway_order.c (commands to requests), gateway_venue.c
 * (venue reports to orders), gateway_meant.c (which order a report means), gateway_ask.c (asking when they do not
 * come), gateway_recover.c (what the venue has and we do not know), gateway_first.c (positions that no trade tells),
 * gateway_unsent.c (what waits for the disk), gateway_control.c (what an operator does), gateway_kill.c (the kill
 * switch).
 *
 * Truth about orders is in oms, about positions in risk, about books in feed; what is here is only who must be asked
 * what, and when.
 *
 * Always true: what is known of one venue stands in its struct gateway_venue, what is known of one order beside the
 * order table in aux[slot]; what must survive a restart is in the journal, not only here. */
#ifndef EXECGW_ENGINE_GATEWAY_STATE_H
#define EXECGW_ENGINE_GATEWAY_STATE_H

#include "engine/budget.h"
#include "engine/gateway.h"
#include "engine/pace.h"
#include "engine/session.h"
#include "engine/two_step.h"
#include "feed/ws_frame.h"

#define GATEWAY_MESSAGE_MAX (1u << 20) /* one WebSocket message, assembled, where the configuration says nothing */
#define GATEWAY_SEND_MAX    16384u     /* one outbound message, framed */
#define GATEWAY_ORDER_ROOM  2048u      /* of these, a new order's or cancel's */
#define SENT_MAX            1024u      /* new orders waiting for their wire stamp: a turn's worth */
#define ASKS_IN_FLIGHT_MAX  8u
#define TURNS_MAX           32u /* replaces that cancel first, under way */
#define SWEEPS_MAX          16u
#define WALK_PER_WORK       32u /* orders looked at per piece of work */

#define ASK_TIMEOUT_NS     (5 * NS_PER_S) /* of the first try; of later ones up to four times that */
#define ASK_BACKOFF_NS     (200 * NS_PER_MS)
#define ASK_BACKOFF_MAX_NS (10 * NS_PER_S)
#define ASK_SETTLE_NS      (100 * NS_PER_MS) /* the private stream usually answers first */
#define ASK_REFUSALS       5u                /* refused for good so often: it will not be answered */
#define HTTP_KEPT_PERCENT  20u               /* of the count of requests over HTTP, for log-ons and the kill switch */
#define FEED_TIMER_NS      (100 * NS_PER_MS)
#define TERM_AHEAD_S       60 /* further ahead, the clock was set back: there is no waiting for it */
#define FETCH_RETRY_NS     (2 * NS_PER_S)
#define FIRST_ROUND_NS     (500 * NS_PER_MS)
#define QUIET_MAX_NS       (INT64_C(7) * 86400 * NS_PER_S)
#define QUIET_MARGIN_NS    (3 * NS_PER_S)                        /* the wall clock may have been set since */
#define CLOCK_OFF_MAX_NS   (INT64_C(5) * 365 * 86400 * NS_PER_S) /* sums with any time of day stay in range */

#define ROLE_MARKET CONN_ROLE_MARKET
#define ROLE_ORDER  CONN_ROLE_ORDER
/* A venue's connections: its first market-data connection, order entry, then the other market-data connections. */
#define ROLE_COUNT   (FEED_LINKS_MAX + 1)
#define CONNECTS_MAX 512u /* opened connections that are remembered */

/* The log-on sequence of order entry: each step's request and the report that ends it. */
enum { STEP_TIME, STEP_LOGON, STEP_STREAM, STEP_OPEN_ORDERS, STEP_COUNT };

/* What an order is being asked about. */
enum ask { ASK_NONE, ASK_QUEUED, ASK_QUERY, ASK_TRADES };

/* Beside each slot of the order table. */
struct order_aux {
    mono_ns_t request_deadline; /* no answer until then: UNKNOWN. MONO_NEVER = nothing in flight */
    mono_ns_t ask_at;           /* ask again, or give the ask in flight up; MONO_NEVER = no need */
    int64_t asked_venue_ns;     /* venue clock when the last ask was sent */
    int64_t asked_mono_ns;      /* the same by the steady clock */
    int64_t terms_venue_ns;     /* venue clock when the last answer was asked for that told price and total */
    int64_t amended_mono_ns;    /* when the last amend was told; an answer to an older question says nothing of it */
    int64_t since;              /* trades: the answer was cut, go on from this trade id; 0 = from the start */
    uint32_t reconciling;       /* generation of the reconciliation that waits for it; 0 none */
    uint32_t seen;              /* generation in which the venue's list of open orders had it */
    uint8_t ask;                /* enum ask */
    uint8_t attempts;
    bool trades_next;   /* the next ask is for trades */
    bool not_found;     /* a query after the deadline found nothing; trades decide */
    bool cancel_wanted; /* cancel it, as often as it takes: until the order is proven over */
    bool ack_noted;     /* its acknowledgement was too long in coming: counted */
    bool stuck;         /* refused for good, or not found for good: the reconciliation goes on without it */
    uint8_t cancels_refused;
    uint8_t asked_by1;   /* client + 1 that asked for a cancel of another's order: told of its end; 0 nobody */
    uint8_t refused;     /* answers in a row that refuse the question itself */
    bool since_of_order; /* `since` is among the order's own trades: it has the venue's id. Else the instrument's */
    uint8_t tag;      /* of the last question about it; from SUSPECT_TAG on: about another order that may be this one */
    uint8_t ghosts;   /* lists of open orders in a row that had it although it is over */
    uint8_t absent;   /* answers in a row that know nothing of an order which was there */
    uint16_t venue;   /* where it is asked about */
    uint64_t suspect; /* the venue's order id that is asked about in its place; 0 = itself */
};

/* An order at the venue that trades say exists and no table has. */
struct suspect {
    uint64_t venue_order_id;
    uint32_t instrument;
    uint8_t side;
    px_t px; /* of its best trade */
};

#define SUSPECT_TAG  18u /* tags below are of questions by the order's own name */
#define SUSPECTS_MAX 16u
#define CLEARED_MAX  512u

/* One answer's list of trades, while it is told. */
struct trade_page {
    int64_t next;       /* one past the highest id */
    int64_t settled;    /* one past the highest that the cursor may pass */
    int64_t uncounted1; /* the lowest id that could not be counted, + 1; 0 = none */
    uint32_t suspects;
    bool more; /* than SUSPECTS_MAX */
    struct suspect suspect[SUSPECTS_MAX];
};

/* Where the venue counts orders, amends and cancels of each instrument by itself. */
struct pair_rate {
    struct budget_window count;
    mono_ns_t quiet_until; /* told to send no new orders or amends in it */
};

/* An instrument without a cursor, on an account that has traded it. */
struct first_sight {
    int64_t next; /* one past the highest trade id, as last listed */
    value_t held; /* of the base currency, told after that */
    bool listed;  /* a balance is waited for */
    bool balance_seen;
    bool unknown; /* the position: no orders */
};

/* Trades of each instrument from its cursor on, then balances: one question after the other. */
struct account_sweep {
    bool active;
    bool asked; /* the answer to `instrument` is awaited */
    uint8_t refused;
    uint8_t tag;            /* of the last question for trades */
    uint8_t doubts;         /* times that the balances did not agree in this sweep */
    uint32_t instrument;    /* route's count: balances */
    int64_t from;           /* trade id where the next page begins; -1 = at the cursor */
    int64_t begun_venue_ns; /* venue clock when its first question was asked; 0 = none yet */
    int64_t since_ns;       /* venue clock: every instrument's trades before it were counted; 0 = not known */
    mono_ns_t at;           /* no answer until then: ask again; nothing asked: not before */
};

/* An answer to a ping that must not leave yet. */
struct pong {
    bool waits;
    uint8_t len;
    uint8_t data[WS_CONTROL_MAX];
};

/* One copy of one group's streams: its connection, and whether it moves to its second one. */
struct market_leg {
    uint32_t link; /* the one that it has */
    bool moving;
    mono_ns_t since; /* moving: from when on */
    mono_ns_t until; /* then it moves; MONO_NEVER = it does not */
};

/* Whose connection an id is. */
struct conn_place {
    uint16_t venue;
    uint8_t role;
};

struct gateway_venue {
    struct gateway *g;
    const struct gateway_venue_config *cfg;
    uint16_t id;
    uint32_t roles;      /* connections: ROLE_MARKET, ROLE_ORDER, further market data */
    uint32_t more_conns; /* id of the second market-data connection */
    struct session session[ROLE_COUNT];
    mono_ns_t opening[ROLE_COUNT]; /* when the connection was asked for */
    struct ws_reader reader[ROLE_COUNT];
    bool link_up[ROLE_COUNT];
    bool ending[ROLE_COUNT]; /* its end was announced */
    struct pace pace[ROLE_COUNT];
    struct pong pong[ROLE_COUNT];
    uint32_t links; /* market-data connections */
    uint32_t legs;
    uint32_t leg_links; /* connections of a leg: 1, or 2 */
    struct market_leg leg[FEED_LINKS_MAX];
    uint32_t opens; /* runs free, of opened_at */
    mono_ns_t opened_at[CONNECTS_MAX];
    struct md_out out;
    struct venue_sink sink;
    struct now now; /* of the event being handled, for the sink */
    /* Reference data. */
    bool fetching;
    bool defined; /* the instruments came once: connections may be made */
    /* Order entry. */
    bool logged_on;
    bool stream_up;
    bool reconciled;
    bool lost;     /* was reconciled when the session ended: until it is back, VENUE_DOWN says more than RECONCILING */
    bool stepping; /* inside venue_step: its answers may come in the call */
    bool clock_known; /* asked and answered in this session, and not too long ago */
    bool time_asked;
    int64_t clock_offset_ns; /* from the wall clock, as that stands: what is shown and limited */
    int64_t clock_apart_ns;  /* wall clock less steady clock, as the offset is of */
    wall_ns_t venue_at;      /* what the venue's clock said at venue_mono; the wall clock's until it was asked */
    mono_ns_t venue_mono;
    bool clock_measured; /* venue_at is an answer */
    struct now time_sent;
    uint32_t positions_unknown; /* instruments that first_sight calls so; read for every order */
    bool counts_pairs;          /* orders and amends are counted by instrument: gateway.pair; read for every order */
    mono_ns_t blocked_until;    /* told to be quiet */
    mono_ns_t orders_until;     /* told to send no new orders */
    mono_ns_t http_until;       /* told to be quiet over HTTP, where its requests are counted apart */
    mono_ns_t market_until;     /* told not to connect for market data */
    struct budget budget;
    struct budget http;       /* its DECAY: the count of requests over HTTP */
    mono_ns_t deadman_next;   /* ask for the countdown again */
    int64_t deadman_until_ns; /* venue clock; 0 = it is off */
    bool deadman_none;        /* this venue has no countdown: said once */
    bool cancels_wait;        /* some cancel of an order could not be sent */
    bool cancels_leave;       /* a sweep sends them now */
    int lost_walk;            /* the session ended: what was in flight becomes UNKNOWN; -1 done */
    const char *lost_why;
    struct venue_report target_report; /* of a replace, waiting for the report that names the pair */
    bool target_waits;
    /* HTTP. */
    bool rest_busy;       /* a request is on its way; its answer, or none, will come */
    bool rest_wanted;     /* by the session that is up: else the answer is dropped */
    bool rest_step_waits; /* a log-on step goes over HTTP as soon as the line is free */
    bool rest_page_waits; /* an answer was told, and its next page is not asked for yet: the line stays taken */
    uint8_t rest_kind;    /* enum venue_request_kind */
    /* Asking. */
    uint32_t *queue; /* ring of order slots */
    uint32_t queue_head;
    uint32_t queue_count;
    uint32_t asking[ASKS_IN_FLIGHT_MAX]; /* slots whose answer is awaited */
    uint32_t asking_count;
    /* Reconciliation. */
    uint32_t generation;
    bool reconciling;
    int reconcile_walk; /* -1 = at its end */
    uint32_t reconcile_left;
    uint32_t differences;
    /* The regular audit. */
    bool auditing;  /* the list of open orders was asked for */
    int audit_walk; /* -1 = none under way */
    mono_ns_t audit_asked;
    int64_t listed_mono_ns; /* when the list of open orders was last asked for */
    uint32_t foreign;
    bool unheld; /* the list has an order under an id of ours that cannot be held: it is reserved nowhere */
    /* The account. */
    struct account_sweep account;
    uint64_t swept_trades; /* that were counted when the last sweep began */
    struct trade_page page;
    struct suspect cleared[CLEARED_MAX]; /* orders that said that they are somebody else's */
    uint32_t cleared_next;
    uint32_t stuck;
    uint32_t first_rounds;                       /* of taking positions from balances, in a row */
    bool balances_told;                          /* the venue has told them once */
    value_t held[CURRENCY_MAX];                  /* balances, while they are told */
    bool vague[CURRENCY_MAX];                    /* at least that; how much was not said */
    uint64_t order_decoded[DECODE_RESULT_COUNT]; /* messages of the order session, as far as not OK */
};

/* A bounded walk over live orders that cancels each. */
struct sweep {
    bool used;
    bool wanted_only; /* those of one venue whose cancel could not be sent before */
    uint16_t venue;   /* that one */
    int walk;
    uint32_t held;       /* slot whose cancel had no room; ORDER_NONE */
    uint64_t seq_max;    /* orders minted later are not meant */
    uint32_t client;     /* CLIENT_NONE = everybody */
    uint32_t instrument; /* INSTRUMENT_NONE = all */
    int32_t answer_slot; /* session that asked; -1 nobody */
    uint64_t request_key;
    uint32_t count;   /* cancels sent */
    uint32_t waiting; /* remembered: they go out as soon as that is possible */
};

/* A long answer to one session, sent in parts. */
struct answer {
    uint8_t verb; /* enum command_verb; COMMAND_NONE = idle */
    int walk;
    uint32_t held; /* ORDER_NONE */
    uint32_t index;
    uint32_t client;     /* CLIENT_NONE = everybody's orders */
    uint32_t instrument; /* INSTRUMENT_NONE = all; limits and results only */
    uint64_t from_key;   /* orders: those that are over as well, from this key on; 0 = only live ones */
    uint64_t request_key;
    uint32_t count;
};

/* How a NEW or REPLACE is carried out. */
enum try_how {
    TRY_NEW,
    TRY_AFTER_CANCEL, /* second half of a replace in turn */
    TRY_TOGETHER,
    TRY_AMEND,
    TRY_IN_TURN
};

/* One order on its way through the checks. */
struct order_try {
    const struct client_command *c;
    struct risk_order risk; /* all but `found` */
    uint32_t target;        /* TOGETHER, AMEND, IN_TURN: slot */
    enum try_how how;
    enum deny_reason found;             /* by the caller; AFTER_CANCEL: the order is not made, whatever risk says */
    bool silent;                        /* nobody is there to be answered */
    char target_clordid[CLORDID_BYTES]; /* AFTER_CANCEL */
};

/* What an event may change of an order that was amended. */
struct order_before {
    px_t px;
    qty_t qty;
    uint64_t key;
    bool amending;
};

/* A replace whose old order is being canceled. */
struct turn {
    bool used;
    bool due;     /* the old order's fate is known */
    bool gone;    /* the session that asked has ended */
    bool dropped; /* somebody has canceled what it is to place */
    uint32_t target;
    char clordid[CLORDID_BYTES]; /* of the old order */
    mono_ns_t until;             /* later than that nobody wants the new one */
    struct client_command c;
};

struct sent {
    uint32_t slot;
    bool amend;   /* of an order that is there */
    uint64_t seq; /* of its record */
    char clordid[CLORDID_BYTES];
};

/* One venue's way from the kill switch to the proof that nothing is open there. */
struct kill_venue {
    uint8_t proof; /* enum kill_proof */
    bool listing;  /* its list of open orders was asked for */
    bool first;    /* the walk that cancels what the switch found */
    bool clean;    /* the last walk found nothing of ours: the list may be asked for */
    int walk;      /* over live orders; -1 = none under way */
    uint32_t held; /* slot whose cancel had no room; ORDER_NONE */
    uint32_t live; /* orders of ours not proven over, by the last walk */
    uint32_t walked;
    uint32_t blocking; /* in the list under way: open orders that must go */
    uint32_t foreign;  /* and those that are not ours */
    uint32_t tries;
    mono_ns_t next; /* look again */
    mono_ns_t asked;
    wall_ns_t proven_at;
};

struct kill_run {
    bool on;
    char who[40];
    wall_ns_t since;
    uint32_t orders; /* that were open when it was tripped, over all venues */
    struct kill_venue venue[VENUE_MAX];
};

/* Positions on their way to zero. */
struct flatten_leg {
    mono_ns_t cancel_until; /* 0: its orders were not canceled yet */
    qty_t held;             /* at the last look: |position| */
    uint8_t rounds;         /* orders sent since it last became less */
};

/* When a strategy was last heard of. */
struct client_life {
    mono_ns_t heard; /* 0: not since it connected, or not connected */
    bool silent;     /* its policy was run */
};

struct flatten {
    bool on;
    uint32_t client;
    uint32_t instrument; /* INSTRUMENT_NONE = all */
    uint32_t sent;
    bool left; /* some leg was given up */
    uint64_t key;
    mono_ns_t next;
    mono_ns_t until;
    struct flatten_leg leg[INSTRUMENT_MAX];
};

struct gateway {
    struct gateway_config cfg;
    struct gateway_parts p;
    struct gateway_venue venue[VENUE_MAX];
    struct conn_place conn[GATEWAY_CONNS];
    struct clordid_mint mint;
    mono_ns_t start_mono;
    struct order_aux *aux;
    uint64_t rng;
    bool started;
    bool stopping;
    bool stop_cancels;
    bool journal_down; /* for good */
    bool journal_full; /* for now */
    uint64_t durable_seq;
    uint64_t gone;  /* bit per client whose orders wait for a sweep */
    bool sweep_all; /* everybody's orders wait for a sweep */
    struct sweep sweep[SWEEPS_MAX];
    struct answer answer[CLIENT_SESSION_MAX];
    struct turn turn[TURNS_MAX];
    uint32_t turns; /* used */
    struct sent sent[SENT_MAX];
    uint32_t sent_count;
    uint32_t sent_max;
    uint32_t last_slot; /* of the last new order; ORDER_NONE: there was none yet */
    mono_ns_t rehearsed;
    bool polling; /* a client's command is carried out: gateway_on_sent follows */
    uint32_t books_live;
    bool ready;
    uint32_t mark_next; /* instrument whose mark is next; the count = none waits */
    bool day_telling;   /* this round of marks goes into the journal, and the day behind it */
    bool day_tried;     /* in this second */
    wall_ns_t day_wall; /* the wall clock as last believed: what the day is rolled by */
    mono_ns_t second_at;
    bool another_host; /* ids of ours that we have not given out are at a venue: no new orders until the next start */
    struct two_step two_step;
    struct kill_run kill;
    struct first_sight first[INSTRUMENT_MAX];
    struct pair_rate pair[INSTRUMENT_MAX];
    struct flatten flatten;
    struct client_life life[CLIENT_MAX];
    struct risk_limits limits_before; /* while others are taken */
    _Alignas(64) uint8_t scratch[WS_HEADER_ROOM + GATEWAY_SEND_MAX];
};

static inline uint32_t
link_of_role(unsigned role)
{
    return role == ROLE_MARKET ? 0 : role - 1;
}

static inline unsigned
role_of_link(uint32_t link)
{
    return link == 0 ? ROLE_MARKET : link + 1;
}

static inline uint32_t
conn_of(const struct gateway_venue *v, unsigned role)
{
    return likely(role <= ROLE_ORDER) ? GATEWAY_CONN(v->id, role) : v->more_conns + role - 2;
}
_Static_assert(ROLE_MARKET == 0 && ROLE_ORDER == 1, "and the rest behind them");

/* gateway.c */
uint64_t gateway_random(struct gateway *g);
uint64_t gateway_journal(struct gateway *g, enum journal_type type, const void *payload, size_t bytes, struct now now);
/* Carry out what a session asks for, and what follows from that. */
void session_run(struct gateway_venue *v, unsigned role, enum session_do what, struct now now);
/* The session's deadline has changed. */
void session_arm(struct gateway_venue *v, unsigned role);
void session_broken(struct gateway_venue *v, unsigned role, const char *why, struct now now);
/* Frame `len` payload bytes at scratch + WS_HEADER_ROOM and send them. False: no room, nothing was sent. */
bool gateway_send(struct gateway_venue *v, unsigned role, uint8_t opcode, size_t len);
/* One control frame, now. No room: the peer's time-out will tell. */
void gateway_send_control(struct gateway_venue *v, unsigned role, uint8_t opcode, const uint8_t *data, size_t len,
                          struct now now);
/* A close frame, then the end of the connection. */
void gateway_close_politely(struct gateway_venue *v, unsigned role, struct now now);
/* May a new order be journaled? */
bool gateway_journal_open(struct gateway *g, struct now now);

/* Send what submit() wrote at scratch + WS_HEADER_ROOM for a request of this kind, over the session or over HTTP.
 * False: no room, nothing was sent. */
bool venue_send(struct gateway_venue *v, enum venue_request_kind kind, size_t len);
/* The next page of the answer that was told, once the count of requests over HTTP has room for it; or the line is
 * free. */
void rest_page_work(struct gateway_venue *v, struct now now);

/* Let the adapter write a request, and send it. Below VENUE_ASK_ANSWERED nothing was sent. */
enum venue_ask {
    VENUE_ASK_REFUSED, /* the adapter does not write it: not this venue's, or not now */
    VENUE_ASK_NO_ROOM,
    VENUE_ASK_ANSWERED, /* it needs no bytes: what it leads to was reported in the call */
    VENUE_ASK_SENT
};
enum venue_ask venue_ask(struct gateway_venue *v, const struct venue_request *rq, struct now now);

static inline bool
venue_over_http(const struct gateway_venue *v, unsigned kind)
{
    return kind < VENUE_RQ_COUNT && (v->cfg->ops->rest >> kind & 1) != 0;
}

/* The venue's clock when this machine's steady clock says `at`, never ahead of it. Not by the wall clock: that may have
 * been set since the venue was asked, and a request's time and deadline must not move with it. */
static inline int64_t
venue_at_ns(const struct gateway_venue *v, mono_ns_t at)
{
    return v->venue_at.ns + (at.ns - v->venue_mono.ns);
}

static inline int64_t
venue_now_ns(const struct gateway_venue *v, struct now now)
{
    return venue_at_ns(v, now.mono);
}

/* The same as adapters take it: from the wall clock of `now`. */
static inline int64_t
venue_offset_ns(const struct gateway_venue *v, struct now now)
{
    return venue_now_ns(v, now) - now.wall.ns;
}

/* Order entry owes an answer and has said nothing since: no new order is sent into what may be a dead wire. */
static inline bool
line_doubted(const struct gateway_venue *v)
{
    return v->session[ROLE_ORDER].doubted.ns != 0;
}

/* Ask before submit(): a kind that goes over HTTP waits while another is on its way, and while the venue wants quiet
 * there. */
static inline bool
venue_line_free(const struct gateway_venue *v, enum venue_request_kind kind, struct now now)
{
    return !venue_over_http(v, kind) || (!v->rest_busy && now.mono.ns >= v->http_until.ns);
}

static inline bool
venue_connected(const struct gateway_venue *v)
{
    return v->session[ROLE_ORDER].state == SESSION_STEPPING || v->session[ROLE_ORDER].state == SESSION_READY;
}

/* May anything be sent about orders now? */
static inline bool
venue_can_send(const struct gateway_venue *v, struct now now)
{
    return v->logged_on && venue_connected(v) && now.mono.ns >= v->blocked_until.ns;
}

/* May this request be sent within the venue's budgets? A cancel may spend what is kept for cancels. */
static inline bool
venue_affords(const struct gateway_venue *v, enum venue_request_kind kind, struct now now)
{
    const struct venue_cost *cost = v->cfg->ops->cost;
    return cost == NULL || budget_ready(unlikely(venue_over_http(v, kind)) ? &v->http : &v->budget, &cost[kind],
                                        kind == VENUE_RQ_CANCEL, venue_now_ns(v, now));
}

/* May a new order or amend in the instrument be sent, where the venue counts by instrument? */
static inline bool
pair_ready(const struct gateway *g, const struct gateway_venue *v, uint32_t instrument, enum venue_request_kind kind,
           struct now now)
{
    const struct pair_rate *p = &g->pair[instrument];
    return now.mono.ns >= p->quiet_until.ns &&
           budget_counter_ready(&p->count, v->cfg->ops->cost[kind].decay, venue_now_ns(v, now));
}

/* It was sent. */
static inline void
pair_spend(struct gateway_venue *v, const struct venue_request *rq)
{
    if (likely(!v->counts_pairs) || rq->order == NULL || rq->order->instrument == NULL || venue_over_http(v, rq->kind))
        return;
    budget_counter_spend(&v->g->pair[rq->order->instrument->id].count, v->cfg->ops->cost[rq->kind].decay,
                         venue_now_ns(v, v->now));
}

/* A step of the log-on? Without one nothing is canceled: it may spend what is kept for cancels. */
static inline bool
venue_affords_step(const struct gateway_venue *v, enum venue_request_kind kind, struct now now)
{
    const struct venue_cost *cost = v->cfg->ops->cost;
    return cost == NULL || budget_ready(unlikely(venue_over_http(v, kind)) ? &v->http : &v->budget, &cost[kind], true,
                                        venue_now_ns(v, now));
}

static inline bool
venue_can_cancel(const struct gateway_venue *v, struct now now)
{
    return venue_can_send(v, now) && venue_affords(v, VENUE_RQ_CANCEL, now);
}

/* A cancel or replace is on its way already: another cancel would say nothing new. */
static inline bool
cancel_under_way(const struct order *o)
{
    return o->request == REQUEST_CANCEL_IN_FLIGHT || (o->request == REQUEST_REPLACE_IN_FLIGHT && !order_amending(o));
}

/* gateway_legs.c */
void legs_init(struct gateway_venue *v);
/* When a connection may be opened while `keep` more stay possible: now, or later. */
mono_ns_t legs_may_open(const struct gateway_venue *v, uint32_t keep, mono_ns_t now);
void legs_opened(struct gateway_venue *v, mono_ns_t now);
void legs_ping(struct gateway_venue *v, unsigned role, const uint8_t *data, size_t len, struct now now);
/* What waited for its turn on this connection. */
void legs_pace(struct gateway_venue *v, unsigned role, struct now now);
void legs_timer(struct gateway_venue *v, struct now now);
void legs_start(struct gateway_venue *v, struct now now);
/* The connection is not to be kept: another one takes over, or, where there is none, it starts again. */
void legs_replace(struct gateway_venue *v, unsigned role, const char *why, struct now now);
void legs_up(struct gateway_venue *v, unsigned role, struct now now);
void legs_down(struct gateway_venue *v, unsigned role, struct now now);

/* gateway_market.c */
void market_on_ready(struct gateway_venue *v, unsigned role, struct now now);
void market_on_down(struct gateway_venue *v, unsigned role, struct now now);
void market_on_message(struct gateway_venue *v, unsigned role, const struct ws_message *m, struct now now);
void market_after(struct gateway_venue *v, struct now now);
void market_after_bytes(struct gateway_venue *v, unsigned role, struct now now);
void market_timer(struct gateway_venue *v, struct now now);
void market_subscribe(struct gateway_venue *v, unsigned role, struct now now);
void market_lead(void *ctx, unsigned copy, int64_t lead_ns);
void market_fetch_instruments(struct gateway_venue *v, struct now now);
void market_second(struct gateway_venue *v, struct now now);
void market_event(void *ctx, const struct md_event *ev);

/* gateway_control.c */
void control_command(struct gateway *g, const struct client_command *c, struct now now);
/* One level's trading state, journaled and shown. */
void control_set_state(struct gateway *g, enum trading_level level, uint32_t id, enum trading_state state,
                       uint32_t client, struct now now);
/* The first step of an operation that takes two: journaled, answered with its token. `what` is for the journal. */
void control_ask(struct gateway *g, const struct client_command *c, const char *what, struct now now);
/* It took effect: REPORT_DONE with this text. */
void control_done(struct gateway *g, const struct client_command *c, const char *text, struct now now);
/* gateway_deadman.c */
void deadman_second(struct gateway *g, struct now now);
void deadman_on_report(struct gateway_venue *v, const struct venue_report *r);
void client_policy_run(struct gateway *g, uint32_t client, enum on_disconnect policy, const char *why, struct now now);
/* What the gateway lets out, as it is shown: metric and log. */
/* A trading state, a latch or the switch has become stricter: what a human was asked before does not undo it. */
void control_stricter(struct gateway *g);
void control_show_state(struct gateway *g);
/* gateway_limits.c */
/* `asked` is COMMAND_RELOAD or COMMAND_LIMITS_SET; c is the command that is answered. */
void limits_ask(struct gateway *g, const struct client_command *c, const struct command *asked, bool confirmed,
                struct now now);
/* Other limits are in force in risk: journaled with what differs from `before` (NULL: with all of it), shown. */
void limits_in_force(struct gateway *g, const struct risk_limits *before, uint32_t client, const char *text,
                     struct now now);
void limits_whatif(struct gateway *g, const struct client_command *c, struct now now);
bool limits_answer_next(struct gateway *g, uint32_t session, struct answer *a, struct now now);
/* gateway_flatten.c */
bool flatten_start(struct gateway *g, const struct command *asked, uint32_t client, struct now now);
void flatten_work(struct gateway *g, struct now now);
/* gateway_kill.c */
void kill_switch_off(struct gateway *g, uint32_t client, struct now now);
/* The switch was on when the last run ended: go on from there. */
void kill_recover(struct gateway *g, struct now now);
/* Something latched in risk: trips the switch as well when the configuration says so. */
void kill_on_trip(struct gateway *g, const struct risk_trip *t, struct now now);
bool kill_work(struct gateway_venue *v, struct now now);
void kill_order_ended(struct gateway *g, const struct order *o, const struct order_event *ev, uint64_t seq,
                      struct now now);
void kill_saw(struct gateway_venue *v, const struct venue_report *r);
void kill_listed(struct gateway_venue *v, struct now now);
/* The venue has said that an order of ours lives or has traded of which we had its word that it was over. */
void kill_turned_up(struct gateway_venue *v, const char *what, struct now now);
void kill_venue_up(struct gateway_venue *v, struct now now);
void kill_venue_down(struct gateway_venue *v, struct now now);
void kill_answer(struct gateway *g, const struct client_command *c, struct now now);

/* gateway_guard.c */
/* What the visible book would fill of a market order, and how far it reaches. */
void guard_sweep(const struct gateway *g, const struct instrument *ins, struct risk_order *o);
/* Cancels of our own resting orders that an order at px would trade against. False: not all of them could be sent. */
bool guard_clear_way(struct gateway *g, uint32_t instrument, enum side side, px_t px, struct now now);
void guard_balance(struct gateway_venue *v, const struct venue_report *r, uint16_t currency);
void guard_second(struct gateway *g, struct now now);
/* Says which instruments are untradable by the limits, once every venue has told of its own. What a definition has
 * said on its way is not said again, unless the limits have changed. */
void guard_fit(struct gateway *g, bool changed);
/* One bounded piece of marks, and everything that latched. True when more is left. */
bool guard_work(struct gateway *g, struct now now);

/* gateway_order.c */
void order_command(void *ctx, const struct client_command *c);
/* NEW and REPLACE: checked, journaled, sent. */
void order_place(struct gateway *g, const struct client_command *c, struct now now);
/* A denial that no risk check made: malformed, not permitted, unknown order, no room. */
void order_deny(struct gateway *g, const struct client_command *c, enum deny_reason why, struct now now);
void report_from_command(const struct command *c, struct report *r);
void answer_report(struct gateway *g, uint32_t slot, struct report *r, struct now now);
bool order_cancel_now(struct gateway *g, uint32_t slot, struct now now);
/* The same for a command, whose key (when it is a new one) is taken by it. */
bool order_cancel_by(struct gateway *g, uint32_t slot, const struct command *by, struct now now);
/* Check and carry out; try->c and what it names are borrowed for the call. */
void order_try(struct gateway *g, struct order_try *try, struct now now);
/* A cancel of this order was asked for, by a command or by the gateway itself (NULL): journaled, its key taken. */
void order_cancel_asked(struct gateway *g, uint32_t slot, const struct command *by, struct now now);
/* The command's own numbers, for a new order; a replace changes them after. */
/* What there is no room for now, were an order of it to leave; DENY_NONE = nothing. */
enum deny_reason order_room(struct gateway *g, const struct instrument *ins, struct now now);
void order_risk_fill(const struct gateway *g, const struct command *c, const struct instrument *ins,
                     struct risk_order *o);
/* The order that a cancel or replace means; DENY_NONE and its slot, or why not. */
enum deny_reason order_find_target(const struct gateway *g, const struct command *c, uint32_t *slot);
const struct md_ref *order_md_ref(const struct gateway *g, const struct instrument *ins);
/* Hot. Ask the processor for what an order will touch. Numbers may be any. */
void order_prefetch(const struct gateway *g, const struct client_hint *h);
/* The same of a command that was taken. */
struct client_hint order_hint(const struct command *c);
/* Its cancel could not leave: it goes out as soon as that is possible. */
void order_cancel_later(struct gateway *g, uint32_t slot);
bool order_work(struct gateway *g, struct now now);

/* gateway_sweep.c */
/* False: all sweeps are taken. answer_slot: the session that hears of its end, or -1. */
bool order_sweep_start(struct gateway *g, uint32_t client, uint32_t instrument, int32_t answer_slot,
                       uint64_t request_key);
/* Once more for orders of this venue whose cancel could not be sent. */
bool order_sweep_wanted(struct gateway_venue *v);
/* A session has half of them at most, so that nobody can take them all. */
bool order_sweep_allowed(const struct gateway *g, uint32_t session);
/* Some orders of one sweep. True when more are left that can be worked on now. */
bool order_sweep_work(struct gateway *g, struct sweep *s, struct now now);

/* gateway_answer.c */
/* COMMAND_QUERY_ORDERS, _POSITIONS, COMMAND_LIMITS, COMMAND_PNL. */
void answer_begin(struct gateway *g, const struct client_command *c, struct now now);
/* Some of one answer, as far as its client's ring has room. True when more can be done now. */
bool answer_work(struct gateway *g, uint32_t session, struct now now);

/* gateway_unsent.c: what waits for the disk */
/* Take an order back that has not left: true, and it is over, when it waited; an amend of it is taken back as well, and
 * leaves the order as it was. `by`: the command that cancels it; NULL none. */
bool unsent_withdraw(struct gateway *g, uint32_t slot, const struct command *by, const char *why, struct now now);
/* Everything that waits to leave to this venue. */
void unsent_withdraw_all(struct gateway_venue *v, const char *why, struct now now);
/* The connection to order entry has ended, and took what waited along. */
void unsent_lost(struct gateway_venue *v, struct now now);
/* The journal has failed: nothing that waits for it leaves. */
void unsent_failed(struct gateway *g, struct now now);

/* gateway_replace.c */
void order_replace(struct gateway *g, const struct client_command *given, struct now now);
void replace_carry_out(struct gateway *g, const struct order_try *try, struct order_intent *in, struct now now);
/* Is this key's replace waiting for its old order? */
bool replace_waits(const struct gateway *g, uint32_t client, uint64_t key);
/* What waits for its old order is not to be placed: of this client (CLIENT_NONE: anybody's), instrument
 * (INSTRUMENT_NONE: any) and key (0: any). True when there was one. */
bool replace_drop(struct gateway *g, uint32_t client, uint32_t instrument, uint64_t key);
/* An event was applied to an order while g->turns > 0. */
void replace_follow(struct gateway *g, uint32_t slot);
void replace_work(struct gateway *g, struct now now);
void replace_session_end(struct gateway *g, uint32_t session);
/* What clients are told of amends: sent, and what an applied event settled (before: the order as it was). */
void replace_report_sent(struct gateway *g, uint32_t slot, struct now now);
void replace_tell(struct gateway *g, uint32_t slot, const struct order_before *before, const struct order_event *ev,
                  struct now now);

/* gateway_resolve.c: the two steps of COMMAND_RESOLVE */
void resolve_ask(struct gateway *g, const struct client_command *c, struct now now);
/* DENY_NONE: the order has taken the operator's word. forced: although the venue can be asked. */
enum deny_reason resolve_confirmed(struct gateway *g, const struct command *asked, bool forced, struct now now);

/* gateway_clock.c: the venue's clock, and whether anybody is there to tell it */
/* At the log-on, or again: the answer's time counts from now. */
void clock_asked(struct gateway_venue *v, struct now now);
/* Its timer: ask again. */
void clock_timer(struct gateway_venue *v, struct now now);
/* VENUE_TIME. */
void clock_told(struct gateway_venue *v, const struct venue_report *r);
/* A request was refused for its time: what is known is wrong. */
void clock_doubt(struct gateway_venue *v, struct now now);
void clock_second(struct gateway_venue *v, struct now now);
/* A request over order entry's connection, sent at `sent`, has no answer in time. When nothing was heard since: new
 * orders wait, the time is asked, and without a byte the connection is given up. */
void line_doubt(struct gateway_venue *v, mono_ns_t sent, struct now now);
/* A byte came after all. */
void line_alive(struct gateway_venue *v);

/* gateway_venue.c */
void venue_step(struct gateway_venue *v, struct now now);
void venue_on_ready(struct gateway_venue *v, struct now now);
void venue_on_down(struct gateway_venue *v, struct now now);
void venue_on_report(void *ctx, const struct venue_report *r);
/* A step of the log-on was answered. */
void venue_step_done(struct gateway_venue *v, uint8_t step);
bool venue_work(struct gateway_venue *v, struct now now);
void venue_order_timer(struct gateway *g, uint32_t slot, struct now now);
void venue_publish_state(struct gateway_venue *v);
void venue_recover(struct gateway_venue *v, struct now now);
/* Nothing is sent to order entry for so long: journaled, so that a restart knows. */
void venue_quiet(struct gateway_venue *v, int64_t wait_ns, const char *why, struct now now);
uint16_t gateway_currency(struct gateway *g, const char *name, struct now now);
void gateway_delta(struct gateway *g, const struct order_delta *d);
/* gateway_meant.c */
/* The slot of the order that a report means, ORDER_NONE: none of ours. A renaming that it shows is taken over. */
uint32_t report_meant(struct gateway_venue *v, const struct venue_report *r);
/* A report with `renamed`. True: a cancel that was refused for the old name is on its way again, no more is to be done.
 */
bool report_renames(struct gateway_venue *v, uint32_t slot, const struct venue_report *r);
/* A report under our ClOrdID whose instrument or venue order id is another order's: believed in nothing. */
bool report_of_another(struct gateway_venue *v, const struct order *o, const struct venue_report *r);
/* gateway_recover.c */
void another_host(struct gateway_venue *v, const char clordid[CLORDID_BYTES]);
bool foreign_host(struct gateway_venue *v, const char clordid[CLORDID_BYTES]);
bool twin_lives(struct gateway_venue *v, const struct venue_report *r);
uint32_t foreign_order(struct gateway_venue *v, const struct venue_report *r);
bool trade_counted(const struct gateway_venue *v, const struct order *o, const struct venue_report *r);
bool trade_before_past(const struct gateway_venue *v, const struct order *o);
bool trade_forgotten(const struct gateway_venue *v, const struct order *o, int64_t trade_id);
bool trade_was_lost(const struct gateway_venue *v, const struct venue_report *r);
void page_trade(struct gateway_venue *v, const struct venue_report *r, uint32_t slot);
void page_settle(struct gateway_venue *v, const struct venue_report *r);
void suspect_clear(struct gateway_venue *v, uint32_t instrument, uint64_t venue_order_id);
uint64_t suspect_of(struct gateway_venue *v, const struct order *o, bool *more);
void account_trade(struct gateway_venue *v, const struct venue_report *r);
void account_start(struct gateway_venue *v, struct now now);
void account_turn(struct gateway_venue *v, struct now now);
void account_stop(struct gateway_venue *v);
void account_work(struct gateway_venue *v, struct now now);
void account_page(struct gateway_venue *v);
void account_trades_end(struct gateway_venue *v, const struct venue_report *r);
void account_failed(struct gateway_venue *v, const struct venue_report *r);
void account_balance(struct gateway_venue *v, const struct venue_report *r);
void account_balances_end(struct gateway_venue *v);
/* gateway_first.c */
/* The trades of an instrument that has no cursor end before `next`, 0 = there are none; those before asked_ns (venue
 * clock) were told. */
void first_trades(struct gateway_venue *v, uint32_t instrument, int64_t next, int64_t asked_ns);
/* Every balance was told. True: the trades must be looked at once more. */
bool first_balances(struct gateway_venue *v);
/* gateway_ask.c */
void positions_reconciled(struct gateway_venue *v, bool reconciled);
void reconcile_settled(struct gateway_venue *v, struct order_aux *a);
void reconcile_work(struct gateway_venue *v, struct now now);
void audit_start(struct gateway_venue *v, struct now now);
bool audit_ask(struct gateway_venue *v, struct now now);
void audit_listed(struct gateway_venue *v);
bool audit_work(struct gateway_venue *v);
void audit_stop(struct gateway_venue *v);
int64_t proof_venue_ns(const struct gateway_venue *v, const struct order *o);
void ask_enqueue(struct gateway_venue *v, uint32_t slot);
void ask_trades(struct gateway_venue *v, uint32_t slot);
void ask_trades_end(struct gateway_venue *v, uint32_t slot, const struct venue_report *r, struct now now);
void ask_pause(struct gateway_venue *v, uint32_t slot, struct now now);
bool ask_could_be(const struct gateway *g, uint32_t slot, const struct venue_report *r);
void ask_next(struct gateway_venue *v, uint32_t slot, enum ask answered, bool not_found, struct now now);
bool ask_end(struct gateway_venue *v, uint32_t slot, enum ask kind);
bool ask_answers(const struct order_aux *a, const struct venue_report *r);
/* Whatever its answers had led to: the next question about it is a query. */
void ask_forget(struct order_aux *a);
void ask_answered(struct gateway_venue *v, struct order_aux *a);
void ask_failed(struct gateway_venue *v, uint32_t slot, bool definite, struct now now);
void ask_stuck(struct gateway_venue *v, uint32_t slot, const char *why, int32_t code);
bool asks_work(struct gateway_venue *v, struct now now);
/* A page of an answer came and the next one is asked for: who waits for the answer waits on. */
void ask_goes_on(struct gateway_venue *v, enum venue_request_kind kind, struct now now);
void aux_reset(struct gateway *g, uint32_t slot);
void aux_arm(struct gateway *g, uint32_t slot);
void ask_soon(struct gateway *g, uint32_t slot, int64_t delay_ns, struct now now);
/* An event of our own about an order (no answer came, or nothing was sent), journaled as a venue's would be. request:
 * the key of the amend it is about, or 0. */
void order_said(struct gateway *g, uint32_t slot, enum order_event_kind kind, uint64_t request, const char *why,
                struct now now);
enum order_outcome apply_event(struct gateway *g, uint32_t slot, const struct order_event *ev, enum journal_type type,
                               struct now now);
void report_order(struct gateway *g, const struct order *o, enum report_kind kind, uint64_t seq, struct now now);
void venue_order_fill(const struct gateway *g, const struct order *o, struct venue_order *out);

#endif
