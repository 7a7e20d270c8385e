/* Orders: commands in, reports out, states, denials. The messages are the same bytes in a client's ring, in the
 * journal, in a recording and in Python: fixed size, little-endian, versioned, offsets asserted.
 *
 * Always true: order state and request state are two fields; what people see (pending_new, unknown, ...) is derived;
 * the numbers of the lists below stand in journals and in clients' programs, so rows are added at the end and none
 * goes. deny = we said no; reject = the venue said no. */
#ifndef EXECGW_ORDER_H
#define EXECGW_ORDER_H

#include "execgw/market.h"

#define MESSAGE_VERSION 1
#define CLORDID_BYTES   20 /* at most 18 of [0-9A-Za-z], NUL-padded */
#define CLIENT_MAX      64 /* strategies; client ids are in [0, CLIENT_MAX) */
#define CLIENT_NONE     UINT32_MAX
#define ACCOUNT_MAX     8
#define ORDER_NONE      UINT32_MAX

/* X(name, text). The last two are somebody else's that were taken over: the venue holds them in ways that we do not
 * send, and a replace would make another order of them. */
#define ORDER_TYPES(X)                                                                                     \
    X(ORDER_LIMIT, "limit")                                                                                \
    X(ORDER_MARKET, "market")                                                                              \
    X(ORDER_STOP_LIMIT, "stop_limit")                                                                      \
    X(ORDER_CONDITIONAL, "conditional") /* stop, take-profit, trailing, second leg: not in the book yet */ \
    X(ORDER_ICEBERG, "iceberg")         /* in the book at its price, shown in part */

enum order_type {
#define X(name, text) name,
    ORDER_TYPES(X)
#undef X
        ORDER_TYPE_COUNT
};

static inline const char *
order_type_text(unsigned type)
{
    static const char *const text[] = {
#define X(name, t) t,
        ORDER_TYPES(X)
#undef X
    };
    return type < ORDER_TYPE_COUNT ? text[type] : "?";
}

/* Only the venue has such orders. */
static inline bool
order_type_foreign(unsigned type)
{
    return type == ORDER_CONDITIONAL || type == ORDER_ICEBERG;
}

enum time_in_force { TIF_GTC, TIF_IOC, TIF_FOK, TIF_GTD, TIF_COUNT };

enum position_side { POSITION_NET, POSITION_LONG, POSITION_SHORT };

enum margin_mode { MARGIN_NONE, MARGIN_CROSS, MARGIN_ISOLATED };

/* What the venue has told us of the order itself. X(name, text) */
#define ORDER_STATES(X)                           \
    X(ORDER_FREE, "free")                         \
    X(ORDER_SENT, "sent")                         \
    X(ORDER_NEW, "new")                           \
    X(ORDER_PARTIALLY_FILLED, "partially_filled") \
    X(ORDER_FILLED, "filled")                     \
    X(ORDER_CANCELED, "canceled")                 \
    X(ORDER_EXPIRED, "expired")                   \
    X(ORDER_REJECTED, "rejected")                 \
    X(ORDER_DENIED, "denied")                     \
    X(ORDER_NOT_PLACED, "not_placed")

enum order_state {
#define X(name, text) name,
    ORDER_STATES(X)
#undef X
        ORDER_STATE_COUNT
};

static inline bool
order_state_terminal(enum order_state s)
{
    return s >= ORDER_FILLED;
}

/* What we have asked of the venue and not yet heard the end of. X(name, text) */
#define REQUEST_STATES(X)                             \
    X(REQUEST_NONE, "none")                           \
    X(REQUEST_NEW_IN_FLIGHT, "new_in_flight")         \
    X(REQUEST_NEW_UNKNOWN, "new_unknown")             \
    X(REQUEST_CANCEL_IN_FLIGHT, "cancel_in_flight")   \
    X(REQUEST_CANCEL_UNKNOWN, "cancel_unknown")       \
    X(REQUEST_REPLACE_IN_FLIGHT, "replace_in_flight") \
    X(REQUEST_REPLACE_UNKNOWN, "replace_unknown")

enum request_state {
#define X(name, text) name,
    REQUEST_STATES(X)
#undef X
        REQUEST_STATE_COUNT
};

static inline bool
request_state_unknown(enum request_state s)
{
    return s == REQUEST_NEW_UNKNOWN || s == REQUEST_CANCEL_UNKNOWN || s == REQUEST_REPLACE_UNKNOWN;
}

/* Why we said no, in the order in which the checks run: the first that fails names the denial. The number stands in
 * journals and in clients' programs: it never changes; a new reason stands at its place in the order of checks with the
 * next free number. X(name, number, metric label, wire name, text) */
#define DENY_REASONS(X)                                                                                                \
    X(DENY_NONE, 0, "none", "ACCEPTED", "accepted")                                                                    \
    X(DENY_MALFORMED, 1, "malformed", "MALFORMED", "the command is not one this version knows")                        \
    X(DENY_KILLED, 2, "killed", "KILLED", "kill switch is on; cancels still go out")                                   \
    X(DENY_NOT_ARMED, 3, "not_armed", "NOT_ARMED", "limits are not loaded or the gateway is not armed")                \
    X(DENY_RECONCILING, 4, "reconciling", "RECONCILING", "the venue's orders and ours are not yet proven equal")       \
    X(DENY_HALTED, 5, "halted", "HALTED", "trading is halted; cancels still go out")                                   \
    X(DENY_REDUCE_ONLY_STATE, 6, "reduce_only_state", "REDUCE_ONLY_STATE",                                             \
      "trading state is REDUCING: proven reductions only")                                                             \
    X(DENY_NOT_PERMITTED, 7, "not_permitted", "NOT_PERMITTED",                                                         \
      "this client may not do this on this account or instrument")                                                     \
    X(DENY_UNKNOWN_INSTRUMENT, 8, "unknown_instrument", "UNKNOWN_INSTRUMENT", "no such instrument at this version")    \
    X(DENY_INSTRUMENT_CLOSED, 9, "instrument_closed", "INSTRUMENT_CLOSED",                                             \
      "the venue does not take new orders in it now")                                                                  \
    X(DENY_RESTRICTED, 10, "restricted", "RESTRICTED", "instrument is on the restricted list")                         \
    X(DENY_VENUE_DOWN, 11, "venue_down", "VENUE_DOWN",                                                                 \
      "order entry is not logged on or its report stream is out of step")                                              \
    X(DENY_CLOCK, 12, "clock", "CLOCK", "clock offset to the venue is unknown or beyond its bound")                    \
    X(DENY_STALE_MARKET, 13, "stale_market", "STALE_MARKET", "market data is older than its bound")                    \
    X(DENY_BOOK_INVALID, 14, "book_invalid", "BOOK_INVALID", "the book is out of sequence, crossed or not in sync")    \
    X(DENY_EXPIRED_COMMAND, 15, "expired_command", "EXPIRED_COMMAND", "the command's deadline has passed")             \
    X(DENY_REPLAYED_COMMAND, 16, "replayed_command", "REPLAYED_COMMAND", "the command's sequence was seen before")     \
    X(DENY_INVALID_ORDER, 17, "invalid_order", "INVALID_ORDER",                                                        \
      "side, type, time in force or a flag is not supported here")                                                     \
    X(DENY_UNKNOWN_ORDER, 18, "unknown_order", "UNKNOWN_ORDER", "no order of this client has that key")                \
    X(DENY_ORDER_DONE, 19, "order_done", "ORDER_DONE",                                                                 \
      "the order is terminal or a request on it is already in flight")                                                 \
    X(DENY_INCREMENT, 20, "increment", "INCREMENT", "price off the tick, quantity off the step, or not positive")      \
    X(DENY_ORDER_QTY, 21, "order_qty", "ORDER_QTY", "quantity outside its minimum and maximum")                        \
    X(DENY_ORDER_NOTIONAL, 22, "order_notional", "ORDER_NOTIONAL", "notional outside its minimum and maximum")         \
    X(DENY_PRICE_COLLAR, 23, "price_collar", "PRICE_COLLAR", "price is through the reference by more than the collar") \
    X(DENY_SWEEP, 31, "sweep", "SWEEP", "a market order would fill beyond the collar, or deeper than the book shows")  \
    X(DENY_OPEN_ORDERS, 24, "open_orders", "OPEN_ORDERS", "too many open orders")                                      \
    X(DENY_POSITION, 25, "position", "POSITION", "position if all open orders fill would exceed its limit")            \
    X(DENY_EXPOSURE, 32, "exposure", "EXPOSURE", "gross or net notional or leverage if all open orders fill")          \
    X(DENY_BALANCE, 33, "balance", "BALANCE", "free balance or margin does not cover everything in flight")            \
    X(DENY_REDUCE_ONLY, 34, "reduce_only", "REDUCE_ONLY", "a reduce-only order could increase or flip the position")   \
    X(DENY_SELF_MATCH, 35, "self_match", "SELF_MATCH", "would trade against our own resting order")                    \
    X(DENY_DAILY_VALUE, 36, "daily_value", "DAILY_VALUE", "value traded and in flight today would pass its limit")     \
    X(DENY_DAILY_LOSS, 37, "daily_loss", "DAILY_LOSS", "today's realised and unrealised loss has reached its limit")   \
    X(DENY_DRAWDOWN, 38, "drawdown", "DRAWDOWN", "the fall from the day's best result has reached its limit")          \
    X(DENY_PARENT, 39, "parent", "PARENT", "children would exceed their parent order")                                 \
    X(DENY_BREAKER, 40, "breaker", "BREAKER",                                                                          \
      "a breaker has tripped on rejects, losses or latency: proven reductions only")                                   \
    X(DENY_DUPLICATE_KEY, 26, "duplicate_key", "DUPLICATE_KEY",                                                        \
      "client order key was used before or does not increase")                                                         \
    X(DENY_DUPLICATE_CONTENT, 41, "duplicate_content", "DUPLICATE_CONTENT",                                            \
      "the same instrument, side, price and quantity too often within the window")                                     \
    X(DENY_ORDER_RATE, 27, "order_rate", "ORDER_RATE", "no token left in an order-rate bucket")                        \
    X(DENY_CANCEL_RATE, 28, "cancel_rate", "CANCEL_RATE",                                                              \
      "ceiling of cancels and replaces, or of orders per fill, reached")                                               \
    X(DENY_REPEAT_EXECUTIONS, 42, "repeat_executions", "REPEAT_EXECUTIONS",                                            \
      "too many automated executions without a human re-enabling them")                                                \
    X(DENY_CAPACITY, 29, "capacity", "CAPACITY", "order table, journal or send buffer is full")                        \
    X(DENY_JOURNAL, 30, "journal", "JOURNAL", "the journal cannot be written; new orders stop, cancels still go out")  \
    X(DENY_NOT_CONFIRMED, 43, "not_confirmed", "NOT_CONFIRMED",                                                        \
      "no operation waits for this token, or its time is over")                                                        \
    X(DENY_LIMITS, 44, "limits", "LIMITS", "the limits asked for are not a valid set; those in force stay")            \
    X(DENY_NOT_POSSIBLE, 45, "not_possible", "NOT_POSSIBLE", "there is nothing to do it to, or not in this state")

enum deny_reason {
#define X(name, number, label, wire, text) name = number,
    DENY_REASONS(X)
#undef X
#define X(name, number, label, wire, text) +1
        DENY_REASON_COUNT = 0 DENY_REASONS(X)
#undef X
};

/* What a client may ask. Operator verbs need the operator role at admission. X(name, text) */
#define COMMAND_VERBS(X)                                                                                \
    X(COMMAND_NONE, "none")                                                                             \
    X(COMMAND_NEW, "new")                                                                               \
    X(COMMAND_CANCEL, "cancel")                                                                         \
    X(COMMAND_REPLACE, "replace")                                                                       \
    X(COMMAND_CANCEL_ALL, "cancel_all")           /* own orders; the operator: everybody's */           \
    X(COMMAND_QUERY_ORDERS, "query_orders")       /* a REPORT_ORDER per open order, then REPORT_END;    \
                                                     with a target_key, of every order that has this    \
                                                     key or a higher one, those that are over too */    \
    X(COMMAND_QUERY_POSITIONS, "query_positions") /* a REPORT_POSITION per position, then REPORT_END */ \
    X(COMMAND_HALT, "halt")                       /* operator: the kill switch */                       \
    X(COMMAND_RESUME, "resume")                   /* operator, two steps: releases it */                \
    X(COMMAND_HEARTBEAT, "heartbeat")                                                                   \
    X(COMMAND_CONFIRM, "confirm")         /* operator: second step; text = the token */                 \
    X(COMMAND_STATE, "state")             /* operator: trading state `state` at `level`; a more         \
                                             permissive one in two steps */                             \
    X(COMMAND_FLATTEN, "flatten")         /* operator, two steps: reduce `instrument`, or all */        \
    X(COMMAND_RESOLVE, "resolve")         /* operator, two steps: evidence on an UNKNOWN order */       \
    X(COMMAND_LIMITS, "limits")           /* a REPORT_LIMIT per limit, then REPORT_END */               \
    X(COMMAND_LIMITS_SET, "limits_set")   /* operator: text = "KEY VALUE"; looser ones in two steps */  \
    X(COMMAND_RELOAD, "reload")           /* operator: read the configuration's limits again */         \
    X(COMMAND_WHATIF, "whatif")           /* the order of the command, not sent: REPORT_WHATIF, a       \
                                             REPORT_LIMIT per limit on it, REPORT_END */                \
    X(COMMAND_PNL, "pnl")                 /* a REPORT_PNL per position, then REPORT_END */              \
    X(COMMAND_KILL_STATUS, "kill_status") /* a REPORT_KILL per venue, then REPORT_END */

enum command_verb {
#define X(name, text) name,
    COMMAND_VERBS(X)
#undef X
        COMMAND_VERB_COUNT
};

/* Trading states, by strictness; the strictest of an order's levels wins. X(name, text) */
#define TRADING_STATES(X)           \
    X(TRADING_ACTIVE, "active")     \
    X(TRADING_REDUCING, "reducing") \
    X(TRADING_HALTED, "halted")

enum trading_state {
#define X(name, text) name,
    TRADING_STATES(X)
#undef X
        TRADING_STATE_COUNT
};

/* X(name, text) */
#define TRADING_LEVELS(X)             \
    X(LEVEL_GLOBAL, "global")         \
    X(LEVEL_ACCOUNT, "account")       \
    X(LEVEL_INSTRUMENT, "instrument") \
    X(LEVEL_CLIENT, "strategy")       \
    X(LEVEL_VENUE, "venue")

enum trading_level {
#define X(name, text) name,
    TRADING_LEVELS(X)
#undef X
        LEVEL_COUNT
};

/* How far a venue is from the proof that no order of ours is open there after the kill switch. X(name, text) */
#define KILL_PROOFS(X)                                                                            \
    X(KILL_NOT_ASKED, "not asked")     /* the kill switch is off */                               \
    X(KILL_CANCELING, "canceling")     /* cancels are on their way, or wait for the session */    \
    X(KILL_LISTING, "listing")         /* the venue was asked for its open orders */              \
    X(KILL_UNREACHABLE, "unreachable") /* no session, or no answer: asked again until there is */ \
    X(KILL_PROVEN, "proven")           /* the venue said that none is open, after the last cancel */

enum kill_proof {
#define X(name, text) name,
    KILL_PROOFS(X)
#undef X
        KILL_PROOF_COUNT
};

/* RESOLVE: what the operator claims of the order, in the command's `state`. */
enum resolve_claim {
    RESOLVE_NOT_PLACED,
    RESOLVE_CANCELED,
    RESOLVE_FILLED /* one trade: qty, px in the decimals of instrument_version, the order's; parent_key = its trade id
                    */
};

#define COMMAND_REDUCE_ONLY 1u
#define COMMAND_POST_ONLY   2u
#define COMMAND_FLAGS_ALL   3u
/* Of orders only, never in a client's command: the venue knows it by its own order id alone, the ClOrdID is our name
 * for an order that somebody else placed. */
#define COMMAND_ADOPTED 0x80u

/* One command, client -> gateway. Never trusted: copied out of the ring once, then checked. */
struct command {
    uint16_t version;    /* MESSAGE_VERSION */
    uint8_t verb;        /* enum command_verb */
    uint8_t flags;       /* COMMAND_REDUCE_ONLY | COMMAND_POST_ONLY */
    uint32_t client;     /* strategy; overwritten with the admitted identity */
    uint64_t key;        /* client order key: strictly increasing per client; for NEW and REPLACE names the new order */
    uint64_t target_key; /* CANCEL, REPLACE: the order meant. The operator's commands name any client's order: */
    uint32_t target_client;
    uint32_t account; /* 0 = the one that the instrument's venue trades for; any other must be that one */
    uint32_t instrument;
    uint32_t instrument_version;
    uint8_t side;          /* enum side */
    uint8_t type;          /* enum order_type */
    uint8_t tif;           /* enum time_in_force */
    uint8_t position_side; /* enum position_side */
    uint8_t margin_mode;   /* enum margin_mode */
    uint8_t level;         /* STATE: enum trading_level; its id is target_key */
    uint8_t state;         /* STATE: enum trading_state. RESOLVE: enum resolve_claim. CONFIRM: 1 = forced */
    uint8_t pad;
    px_t px;
    qty_t qty; /* REPLACE: the new total, filled part included */
    px_t trigger_px;
    value_t quote_qty;        /* quantity in quote currency instead of qty; 0 = unused */
    int64_t deadline_wall_ns; /* command: refuse after this; 0 = none */
    int64_t expire_wall_ns;   /* order: TIF_GTD; 0 = none */
    uint64_t parent_key;      /* 0 = none */
    int64_t decision_mono_ns; /* the strategy's own stamp; 0 = none */
    int64_t submit_mono_ns;   /* written by the client library at submit */
    uint64_t client_seq;      /* strictly increasing per admission */
    union {
        char text[64];    /* operator's verbs: token, evidence, KEY VALUE; NUL-terminated. Else zero */
        qty_t parent_qty; /* NEW, REPLACE with a parent_key: total of the parent, the same for all its children. A
                             replace stays a child of its order's parent; it may leave both out */
    };
};
_Static_assert(sizeof(struct command) == 192, "ring slot and journal record");
_Static_assert(offsetof(struct command, px) == 48, "wire layout");
_Static_assert(offsetof(struct command, client_seq) == 120, "wire layout");

/* X(name, text) */
#define REPORT_KINDS(X)                                                                                                \
    X(REPORT_NONE, "none")                                                                                             \
    X(REPORT_DENIED, "denied") /* reason says why; for a cancel or replace the order stands */                         \
    X(REPORT_SENT, "sent")     /* journaled and given to the kernel */                                                 \
    X(REPORT_NEW, "new")       /* the venue has it */                                                                  \
    X(REPORT_FILL, "fill")     /* last_px, last_qty, trade_id, fee */                                                  \
    X(REPORT_CANCELED, "canceled")                                                                                     \
    X(REPORT_EXPIRED, "expired")                                                                                       \
    X(REPORT_REPLACED, "replaced")                                                                                     \
    X(REPORT_REJECTED, "rejected")               /* the venue refused the new order; venue_code, text */               \
    X(REPORT_CANCEL_REJECTED, "cancel_rejected") /* the venue refused a cancel or replace */                           \
    X(REPORT_UNKNOWN, "unknown")                 /* outcome of the request is unknown; reservation kept */             \
    X(REPORT_NOT_PLACED, "not_placed")           /* proven never accepted */                                           \
    X(REPORT_ORDER, "order")                     /* answer to COMMAND_QUERY_ORDERS */                                  \
    X(REPORT_POSITION, "position") /* answer to COMMAND_QUERY_POSITIONS: qty is the position, cum_qty / leaves_qty the \
                                      working buys / sells */                                                          \
    X(REPORT_DONE, "done")         /* an operator's command took effect; CANCEL_ALL: qty cancels sent, leaves_qty wait \
                                      for their venue */                                                               \
    X(REPORT_END, "end")           /* end of an answer; qty = how many */                                              \
    X(REPORT_BEHIND, "behind")     /* the report ring was full: reports up to seq were skipped */                      \
    X(REPORT_CONFIRM, "confirm")   /* nothing is done yet: text is the token that COMMAND_CONFIRM wants within qty     \
                                      nanoseconds */                                                                   \
    X(REPORT_LIMIT, "limit")       /* text names it; qty is the limit, cum_qty used, leaves_qty what is left, in the   \
                                      unit `type` (enum limit_unit); of the level `tif` (enum trading_level); deny is  \
                                      the reason that it leads to */                                                   \
    X(REPORT_WHATIF, "whatif")     /* qty is the largest quantity that would pass, deny what stops the next step, or   \
                                      everything when qty is 0; last_qty, last_px: that check's number and limit */    \
    X(REPORT_PNL, "pnl")           /* qty is the position, px its average cost, last_px the mark, fee realised and     \
                                      cum_qty unrealised money. Of instrument INSTRUMENT_NONE, in the reporting        \
                                      currency and of the level `tif`: fee the day's result, cum_qty its best,         \
                                      leaves_qty gross exposure, last_qty traded today, qty fees */                    \
    X(REPORT_KILL, "kill")         /* venue; state in order_state (enum kill_proof), qty orders not yet proven,        \
                                      cum_qty open at the kill, leaves_qty foreign, venue_time_ns when it was proven   \
                                      (wall clock), text by what it was tripped */                                     \
    X(REPORT_NOTE, "note")         /* a part of a sentence; the parts follow each other, the answer comes after them */

enum report_kind {
#define X(name, text) name,
    REPORT_KINDS(X)
#undef X
        REPORT_KIND_COUNT
};

/* What the numbers of a REPORT_LIMIT count. X(name, text) */
#define LIMIT_UNITS(X)                                             \
    X(LIMIT_COUNT, "count")                                        \
    X(LIMIT_QTY, "qty")     /* in the instrument's qty_decimals */ \
    X(LIMIT_VALUE, "value") /* money, 10^-8 */                     \
    X(LIMIT_PPM, "ppm")                                            \
    X(LIMIT_NS, "ns")                                              \
    X(LIMIT_PX, "px") /* in the instrument's px_decimals */

enum limit_unit {
#define X(name, text) name,
    LIMIT_UNITS(X)
#undef X
        LIMIT_UNIT_COUNT
};

#define REPORT_MAKER 1u /* the fill added liquidity */
#define REPORT_LATE  2u /* a fill after the order was terminal */
#define REPORT_CUT   4u /* REPORT_END: orders that were asked for are forgotten, for they ended long ago */

/* One report, gateway -> client. */
struct report {
    uint16_t version;
    uint8_t kind; /* enum report_kind */
    uint8_t flags;
    uint32_t client;
    uint64_t seq; /* journal sequence of the record behind this report */
    uint64_t key;
    uint64_t request_key; /* key or client_seq of the command answered, 0 = none */
    uint32_t account;
    uint32_t instrument;
    uint32_t instrument_version;
    uint8_t side;
    uint8_t type;
    uint8_t tif;
    uint8_t order_state;   /* enum order_state */
    uint8_t request_state; /* enum request_state */
    uint8_t deny;          /* enum deny_reason */
    uint8_t order_flags;   /* COMMAND_* flags of the order */
    uint8_t pad;
    int32_t venue_code; /* the venue's error code; 0 none */
    px_t px;
    qty_t qty;
    qty_t cum_qty;
    qty_t leaves_qty;
    px_t last_px;
    qty_t last_qty;
    value_t fee;      /* 10^-8 of fee_ccy; negative is a rebate */
    uint16_t fee_ccy; /* journal's currency id */
    uint16_t venue;
    uint32_t pad2;
    int64_t trade_id;        /* venue's; -1 none */
    uint64_t venue_order_id; /* 0 none */
    int64_t submit_mono_ns;  /* stage stamps, mono_ns_t.ns; 0 = not reached */
    int64_t recv_mono_ns;
    int64_t risk_mono_ns;
    int64_t wire_mono_ns;
    int64_t ack_mono_ns;
    int64_t report_mono_ns;
    int64_t venue_time_ns; /* venue clock, since the epoch */
    char clordid[CLORDID_BYTES];
    char text[44]; /* the venue's words, cut and printable; or empty */
};
_Static_assert(sizeof(struct report) == 256, "ring slot and journal record");
_Static_assert(offsetof(struct report, px) == 56, "wire layout");
_Static_assert(offsetof(struct report, submit_mono_ns) == 136, "wire layout");

/* What one change of an order does to positions and reservations: oms computes it, the gateway hands it to risk. All
 * quantities are counts of the instrument's qty_decimals; signs: + adds, - releases. */
struct order_delta {
    uint32_t account;
    uint32_t instrument;
    uint32_t client;
    uint8_t side;
    bool fill_late;
    int8_t open_change;    /* +1 an order became live, -1 it became terminal, 0 */
    int8_t unknown_change; /* +1 a request became UNKNOWN, -1 it was resolved */
    qty_t reserved_change; /* of the worst-case working quantity on `side` */
    qty_t fill_qty;        /* >= 0: moves the position to `side` by this much */
    px_t fill_px;
    value_t fee;
    uint16_t fee_ccy;
    uint32_t instrument_version; /* of the order: its prices are in the decimals of that one */
    px_t rest_px;                /* > 0: an order of ours may rest at this price from now on; 0 none */
    px_t gone_px; /* > 0: one that might have, no longer does. Amending: both prices until the old one is proven gone */
    uint64_t parent_key; /* 0 none */
    qty_t parent_qty;    /* total of the parent */
    qty_t parent_used;   /* of it: filled before; nothing else moves by this */
    qty_t moved_qty;     /* >= 0: traded at fill_px, and counted before as CLIENT_ADOPTED's: the client's from now on */
    wide_t cost_change;  /* of price * reserved quantity, by the worse price that may be in force */
};

static inline const char *
order_state_text(enum order_state s)
{
    static const char *const text[] = {
#define X(name, t) t,
        ORDER_STATES(X)
#undef X
    };
    return (unsigned)s < ORDER_STATE_COUNT ? text[s] : "?";
}

static inline const char *
request_state_text(enum request_state s)
{
    static const char *const text[] = {
#define X(name, t) t,
        REQUEST_STATES(X)
#undef X
    };
    return (unsigned)s < REQUEST_STATE_COUNT ? text[s] : "?";
}

static inline const char *
report_kind_text(enum report_kind k)
{
    static const char *const text[] = {
#define X(name, t) t,
        REPORT_KINDS(X)
#undef X
    };
    return (unsigned)k < REPORT_KIND_COUNT ? text[k] : "?";
}

/* The word on the wire and in JSON: KILLED, PRICE_COLLAR, ... */
static inline const char *
deny_reason_wire(enum deny_reason r)
{
    static const char *const text[] = {
#define X(name, number, label, wire, t) [name] = wire,
        DENY_REASONS(X)
#undef X
    };
    return (unsigned)r < DENY_REASON_COUNT ? text[r] : "?";
}

/* The sentence for people. */
static inline const char *
deny_reason_text(enum deny_reason r)
{
    static const char *const text[] = {
#define X(name, number, label, wire, t) [name] = t,
        DENY_REASONS(X)
#undef X
    };
    return (unsigned)r < DENY_REASON_COUNT ? text[r] : "?";
}

static inline const char *
deny_reason_label(enum deny_reason r)
{
    static const char *const text[] = {
#define X(name, number, label, wire, t) [name] = label,
        DENY_REASONS(X)
#undef X
    };
    return (unsigned)r < DENY_REASON_COUNT ? text[r] : "?";
}

static inline const char *
trading_state_text(enum trading_state s)
{
    static const char *const text[] = {
#define X(name, t) t,
        TRADING_STATES(X)
#undef X
    };
    return (unsigned)s < TRADING_STATE_COUNT ? text[s] : "?";
}

static inline const char *
trading_level_text(enum trading_level l)
{
    static const char *const text[] = {
#define X(name, t) t,
        TRADING_LEVELS(X)
#undef X
    };
    return (unsigned)l < LEVEL_COUNT ? text[l] : "?";
}

static inline const char *
limit_unit_text(enum limit_unit u)
{
    static const char *const text[] = {
#define X(name, t) t,
        LIMIT_UNITS(X)
#undef X
    };
    return (unsigned)u < LIMIT_UNIT_COUNT ? text[u] : "?";
}

static inline const char *
kill_proof_text(enum kill_proof p)
{
    static const char *const text[] = {
#define X(name, t) t,
        KILL_PROOFS(X)
#undef X
    };
    return (unsigned)p < KILL_PROOF_COUNT ? text[p] : "?";
}

#endif
