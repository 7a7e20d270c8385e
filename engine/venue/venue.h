/* The order-entry adapter: what every venue looks like to the gateway. Knows no venue, does no I/O, reads no clock.
 *
 * The gateway submits a request and gets bytes to send (one text message, before WebSocket framing), or, from the paper
 * matcher, reports at once. It hands each message received to decode() and gets reports. A venue's quirks (ids that
 * change, acknowledgements that race reports, error codes) end in its adapter: a report names one order by our ClOrdID
 * and one fact.
 *
 * Always true: an adapter keeps no truth about orders (that is oms/), only what it needs to encode; an answer that it
 * cannot read about an order is VENUE_UNKNOWN, never VENUE_REJECTED; sink->report is called from submit, decode and
 * on_market only, the report is valid during the call only, and the callee may submit (nothing else). */
#ifndef EXECGW_ENGINE_VENUE_VENUE_H
#define EXECGW_ENGINE_VENUE_VENUE_H

#include "execgw/arena.h"
#include "execgw/order.h"

/* What may be asked of a venue. A request is matched to its answer by the adapter; the gateway keeps the deadline. */
enum venue_request_kind {
    VENUE_RQ_TIME,   /* venue clock; answered by VENUE_TIME */
    VENUE_RQ_LOGON,  /* 0 bytes: this key type needs none; go on */
    VENUE_RQ_STREAM, /* subscribe to the private stream; answered by VENUE_STREAM_UP */
    VENUE_RQ_NEW,
    VENUE_RQ_CANCEL,
    VENUE_RQ_REPLACE, /* cancel `target`, place `order`: two orders; the target's reports come first. Where an answer
                         does not say which target, its report carries clordid "" and the order's comes after it. A
                         target with a fill is left as it is and nothing is placed: both are refused */
    VENUE_RQ_QUERY,   /* one order by ClOrdID; VENUE_STATUS or VENUE_NOT_FOUND */
    VENUE_RQ_TRADES,  /* trades of `order`: by venue_order_id when known, else all of its instrument; from `since_trade`
                         on, or of an instrument since `since_ns`. With an empty clordid: the account's trades in that
                         instrument from `since_trade`  on, oldest first  (only where ops->sweeps) */
    VENUE_RQ_OPEN_ORDERS, /* every open order of the account; VENUE_OPEN_ORDER each, then VENUE_OPEN_ORDERS_END */
    VENUE_RQ_PING,
    VENUE_RQ_AMEND, /* `order` keeps its id and its place: px and qty are the new ones, qty the total with the filled
                       part. Only where ops->amends; VENUE_AMENDED or VENUE_CANCEL_REJECTED */
    VENUE_RQ_CANCEL_ALL, /* everything of the account, or of `order`'s instrument; each order's end comes as its own
                            report */
    VENUE_RQ_DEADMAN,    /* the venue cancels everything unless asked again within `countdown_ns`; 0 ends it */
    VENUE_RQ_BALANCES,   /* VENUE_BALANCE each, then VENUE_BALANCES_END (only where ops->sweeps) */
    VENUE_RQ_COUNT
};

/* An order as an adapter needs it. Borrowed for the call. With COMMAND_ADOPTED in flags the venue knows the order by
 * venue_order_id alone (it was never ours, or somebody's amend has renamed it): requests name it by that, answers name
 * it by clordid, which is ours; in an answer to QUERY, text is the client id that the venue has for it. */
struct venue_order {
    const struct instrument *instrument;
    char clordid[CLORDID_BYTES];
    uint64_t venue_order_id; /* 0 unknown */
    uint8_t side;            /* enum side */
    uint8_t type;            /* enum order_type */
    uint8_t tif;             /* enum time_in_force */
    uint8_t flags;           /* COMMAND_POST_ONLY | COMMAND_REDUCE_ONLY | COMMAND_ADOPTED */
    px_t px;
    qty_t qty;
    px_t trigger_px;
};

/* Questions are tagged in turn, so that the answer to one that was given up is not taken for the next one's. */
#define VENUE_TAGS 36u

struct venue_request {
    enum venue_request_kind kind;
    const struct venue_order *order;  /* NEW, CANCEL, REPLACE, AMEND, QUERY, TRADES; CANCEL_ALL: NULL = everything */
    const struct venue_order *target; /* REPLACE: the order to cancel */
    int64_t since_ns;                 /* TRADES: venue clock, since the epoch; 0 = by order only. Of an instrument: all
                                         of the account that are wanted were made after it; 0 = not known */
    int64_t since_trade;              /* TRADES: trade id; -1 = the newest ones; of an order also 0 = all */
    int64_t fresh_ns;                 /* TRADES of an instrument: what was read of the account at this time of the
                                         venue's clock, or later, need not be read again */
    int64_t countdown_ns;             /* DEADMAN */
    uint64_t tag;                     /* AMEND: its answer names it; never 0, never the same twice for an order.
                                         QUERY, TRADES: below VENUE_TAGS; 0 = none */
};

enum venue_report_kind {
    VENUE_TIME, /* venue_time_ns is the venue's clock when it answered */
    VENUE_LOGGED_ON,
    VENUE_LOGON_REFUSED, /* code, text: the session must not be used */
    VENUE_STREAM_UP,     /* private stream subscribed: reports will come */
    VENUE_STREAM_DOWN,   /* private stream ended or the venue announced a shutdown: reconnect */
    VENUE_NEW_ACK,       /* the order works, or worked: venue_order_id */
    VENUE_REJECTED,      /* new order refused, proven: code, text */
    VENUE_FILL,          /* last_px, last_qty, trade_id, cum_qty (venue's own; 0 = not said), fee */
    VENUE_CANCELED,
    VENUE_EXPIRED,
    VENUE_CANCEL_REJECTED, /* the cancel (or the cancel half of a replace) was refused: the order is not thereby dead */
    VENUE_UNKNOWN,         /* outcome of the request on this order is not known: code, text */
    VENUE_STATUS,          /* answer to QUERY, or told by the stream (request VENUE_RQ_COUNT): state, cum_qty,
                              venue_order_id. Fills come from TRADES */
    VENUE_NOT_FOUND,       /* answer to QUERY: the venue knows no such order (now) */
    VENUE_QUERY_FAILED,    /* QUERY, TRADES, OPEN_ORDERS or BALANCES could not be answered: ask again later */
    VENUE_TRADES_END,      /* every trade of the answer was reported as VENUE_FILL before this; code 1: the answer was
                              cut at the venue's limit, ask again from the last trade on: its venue_time_ns, trade_id */
    VENUE_OPEN_ORDER,      /* one order of the account, ours or foreign: as VENUE_STATUS. Where its numbers cannot be
                              read, state is ORDER_FREE: only that it is there is known */
    VENUE_OPEN_ORDERS_END,
    VENUE_RATE_LIMITED, /* nothing may be sent before retry_after_ns (venue clock, since the epoch); venue_time_ns: that
                           clock when it said so; request VENUE_RQ_NEW: no new order may be, all else goes on, with an
                           instrument: in that one; one that
                           goes over HTTP: nothing over HTTP, and where the venue says a code its count is full */
    VENUE_BALANCE, /* of the currency fee_ccy: last_qty free, qty locked, both counts of 10^-8. code 1: at least that
                      much, the number does not fit or cannot be read */
    VENUE_BALANCES_END,
    VENUE_AMENDED,     /* the order works at px with total quantity qty (both must be known), by us or by somebody else.
                          venue_time_ns puts it in order with other amends */
    VENUE_DEADMAN,     /* answer to DEADMAN: counts down until venue_time_ns; 0 = it is off */
    VENUE_RATE_BUDGET, /* what the venue says of a budget: `code` names it (enum venue_budget), qty = the most in its
                          window, cum_qty = spent, retry_after_ns = length of the window. DECAY where NEW costs of it:
                          of the instrument, and only cum_qty is said */
    VENUE_REPORT_KIND_COUNT
};

/* The budgets that venues report: a window's count, or (DECAY) a counter that falls by qty within the window. */
enum venue_budget {
    VENUE_BUDGET_ORDERS,
    VENUE_BUDGET_ORDERS_DAY,
    VENUE_BUDGET_WEIGHT,
    VENUE_BUDGET_DECAY,
    VENUE_BUDGET_COUNT
};

/* What one request spends of them: ORDERS and ORDERS_DAY alike, WEIGHT, DECAY. One that goes over HTTP spends of a
 * counter of its own, which decays too. */
struct venue_cost {
    uint8_t orders;
    uint8_t weight;
    uint8_t decay;
};

#define VENUE_TEXT_BYTES 96

struct venue_report {
    uint8_t kind;    /* enum venue_report_kind */
    uint8_t request; /* enum venue_request_kind that this answers; VENUE_RQ_COUNT = unsolicited (private stream) */
    uint8_t state;   /* STATUS, OPEN_ORDER: enum order_state */
    uint8_t side;
    uint8_t maker;    /* FILL: 1 added liquidity, 0 took it */
    uint8_t definite; /* QUERY_FAILED: 1 refused for what it asks, so that the same question will be refused again */
    uint8_t renamed;  /* AMENDED, CANCEL_REJECTED, QUERY_FAILED: 1 the venue has another client id for it than clordid,
                         which is ours: from here on it is known by its venue_order_id alone */
    uint8_t type;     /* OPEN_ORDER: enum order_type; what is no plain limit has the venue's word for it in text */
    uint32_t instrument;         /* INSTRUMENT_NONE when the venue's symbol is not ours */
    int32_t code;                /* venue's error code; 0 none */
    char clordid[CLORDID_BYTES]; /* of the order meant, ours or foreign (foreign ids are cut); "" unknown */
    uint64_t venue_order_id;
    int64_t trade_id; /* -1 none */
    px_t px;
    px_t trigger_px; /* OPEN_ORDER, ORDER_CONDITIONAL; 0 = none, or it moves */
    qty_t qty;
    qty_t cum_qty;
    px_t last_px;
    qty_t last_qty;
    value_t fee; /* at 10^-8 of fee_ccy */
    char fee_ccy[CURRENCY_BYTES];
    int64_t venue_time_ns; /* since the epoch; 0 not said */
    uint64_t tag; /* of the AMEND that this answers; 0: not an answer, or it cannot be told which: such a refusal
                     settles nothing, the gateway asks. Of the QUERY or TRADES (their ends too); 0: it can be no other
                     but the last one */
    int64_t retry_after_ns;
    char text[VENUE_TEXT_BYTES]; /* the venue's words, printable, NUL-terminated */
};

/* An empty report: of no instrument and no trade. */
static inline struct venue_report
venue_report_of(enum venue_report_kind kind, unsigned request)
{
    return (struct venue_report){
        .kind = (uint8_t)kind, .request = (uint8_t)request, .instrument = INSTRUMENT_NONE, .trade_id = -1
    };
}

struct venue_sink {
    void (*report)(void *ctx, const struct venue_report *r);
    void *ctx;
};

/* Looks an instrument up; the gateway's table behind it. NULL / INSTRUMENT_NONE when there is none. */
struct venue_instruments {
    const struct instrument *table; /* by id; version 0 = empty slot */
    uint32_t count;
};

/* Keys, in memory locked and excluded from dumps by their owner; never logged, never copied elsewhere. */
struct venue_keys {
    const char *api_key;   /* NUL-terminated */
    const uint8_t *secret; /* HMAC secret bytes, or an Ed25519 PKCS#8 PEM */
    size_t secret_bytes;
    bool ed25519;
};

struct venue_config {
    uint16_t venue;
    uint32_t account;
    uint32_t recv_window_ms; /* venue deadline of every signed request, [1, 60000] */
    uint64_t seed;           /* paper: its ids; another one for every run that shares a journal */
    struct venue_keys keys;
    struct venue_instruments instruments;
    uint32_t orders_max;    /* paper: open orders it must hold */
    uint32_t taker_fee_ppm; /* paper: of the notional, rounded up, in quote (spot) or settle currency */
    uint32_t maker_fee_ppm;
    uint32_t trades_page; /* binance: trades of one answer, [1, 1000]; 0 = BINANCE_TRADES_MAX */
};

struct venue_adapter; /* an adapter's state; opaque */

/* Room that submit() may ask for, whatever the request: below it answers -1. */
#define VENUE_REQUEST_BYTES 1024

/* A request that goes over HTTP, as submit() writes it: "METHOD path\n", one "Name: value\n" per header, "\n", body. */

struct venue_ops {
    const char *dialect;   /* "binance", "paper" */
    bool needs_connection; /* false: paper */
    bool amends;           /* changes an order in place; else a replace is cancel and new */
    bool cancels_linger;   /* a cancel has no deadline: one without an answer may take effect however late */
    int32_t code_late;     /* of a request whose time it does not believe; 0 = it has no such code */
    bool sweeps;           /* answers BALANCES, and TRADES of an instrument with trade ids that rise */
    uint32_t rest;         /* bit per enum venue_request_kind: its bytes are an HTTP request, its answer comes to
                              decode_rest() */
    const struct venue_cost *cost; /* [VENUE_RQ_COUNT]; NULL: nothing spends */
    /* Bytes that init() takes from the arena. */
    size_t (*footprint)(const struct venue_config *cfg);
    /* Cold. NULL with the fault filled when a key cannot be read. cfg is copied; keys and tables are borrowed for life.
     */
    struct venue_adapter *(*init)(const struct venue_config *cfg, struct arena *arena, struct fault *fault);
    /* Wipe the keys it holds; nothing else may be called after. NULL: it holds none. Cold. */
    void (*clear)(struct venue_adapter *a);
    /* Forget what belongs to a connection (logon, subscriptions). */
    void (*on_disconnected)(struct venue_adapter *a);
    /* An instrument got its first or a new version: (re)build what is kept per instrument. Cold. */
    void (*on_instrument)(struct venue_adapter *a, const struct instrument *ins);
    /* Hot for NEW, CANCEL, REPLACE. clock_offset_ns = venue clock - wall clock.
     * Returns the bytes written to buf (one message), 0 when there is nothing to send, or -1 when it cannot be
     * encoded (does not fit `room`, not supported by this venue): nothing was sent, the gateway denies. */
    int (*submit)(struct venue_adapter *a, const struct venue_request *rq, struct now now, int64_t clock_offset_ns,
                  uint8_t *buf, size_t room, const struct venue_sink *sink);
    /* Hot. Ask the processor for what submit() will read of a new order in this instrument; changes nothing. NULL:
     * nothing to ask for. */
    void (*prefetch)(const struct venue_adapter *a, uint32_t instrument, enum side side);
    /* submit() of a NEW to no end: writes what would be sent to buf, returns its bytes, changes nothing. 0: not worth
     * it now. NULL: not worth it at all. */
    int (*rehearse)(const struct venue_adapter *a, const struct venue_request *rq, struct now now,
                    int64_t clock_offset_ns, uint8_t *buf, size_t room);
    /* One whole message. DECODE_MALFORMED only when no order can be concerned; else it reports VENUE_UNKNOWN. */
    enum decode_result (*decode)(struct venue_adapter *a, const uint8_t *msg, size_t len, struct now now,
                                 const struct venue_sink *sink);
    /* The answer to the one HTTP request under way; status 0: none came (refused, cut, timed out). NULL: rest is 0. */
    enum decode_result (*decode_rest)(struct venue_adapter *a, unsigned status, const uint8_t *body, size_t len,
                                      struct now now, const struct venue_sink *sink);
    /* After decode_rest: the next HTTP request of the same question (another page, another list), as submit() writes
     * it; 0: it is answered, its end was reported. NULL: rest is 0. */
    int (*rest_more)(struct venue_adapter *a, struct now now, int64_t clock_offset_ns, uint8_t *buf, size_t room);
    /* Paper only, else NULL: every MD_TOP and MD_TRADE of a live book. */
    void (*on_market)(struct venue_adapter *a, const struct md_event *ev, struct now now,
                      const struct venue_sink *sink);
};

extern const struct venue_ops venue_binance;
extern const struct venue_ops venue_kraken;
extern const struct venue_ops venue_paper;

#endif
