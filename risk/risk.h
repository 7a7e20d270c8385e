/* Every pre-trade check, in the order of DENY_REASONS: the first that fails names the denial.
 *
 * Between the gateway (which copied the command out of the client's ring) and oms (which journals and sends). Knows
 * neither books nor orders: the gateway hands in a struct md_ref, and each order_delta that oms returned.
 *
 * Always true: a missing input denies; counting checks come last and spend only when the order is accepted; worst case
 * is position + working + in flight + unknown, buys and sells never netted; a cancel meets one ceiling and nothing
 * else. Core thread only, no loop over orders or instruments on the hot path, nothing allocated after risk_init(). */
#ifndef EXECGW_RISK_RISK_H
#define EXECGW_RISK_RISK_H

#include "execgw/arena.h"
#include "risk/kill.h"
#include "risk/limits.h"
#include "risk/position.h"
#include "risk/repeat.h"

struct risk_counts {
    uint32_t accounts;    /* in [1, ACCOUNT_MAX] */
    uint32_t instruments; /* in [1, INSTRUMENT_MAX] */
};

/* What the gateway knows of one venue's order entry. All false at start: everything denies. */
struct risk_venue {
    bool logged_on;
    bool stream_in_step; /* private reports arrive and none was missed */
    bool reconciled;     /* the venue's orders and ours are proven equal */
    bool clock_known;
    int64_t clock_offset_ns; /* venue clock - wall clock */
    bool has_balances;       /* it tells balances: without one, BALANCE. Paper has none */
    uint8_t account;         /* whose orders they are: those of any other are NOT_PERMITTED here */
};

/* What the gateway fills for each new order and replace. */
struct risk_order {
    uint32_t client;
    uint32_t account;
    uint32_t instrument;          /* as the command said */
    uint32_t instrument_version;  /* as the command said */
    const struct instrument *ins; /* the table's entry of `instrument`; NULL = none */
    uint8_t side;
    uint8_t type;
    uint8_t tif;
    uint8_t flags;         /* COMMAND_* */
    uint8_t position_side; /* only POSITION_NET is taken */
    uint8_t margin_mode;   /* only MARGIN_NONE */
    /* What the caller found out by itself: DENY_NONE, or DENY_REPLAYED_COMMAND, DENY_UNKNOWN_ORDER, DENY_ORDER_DONE,
     * DENY_DUPLICATE_KEY. Reported at its place in the order of checks. */
    uint8_t found;
    /* What the caller has no room for (DENY_ORDER_RATE of the venue's own budget, DENY_CAPACITY, DENY_JOURNAL), or
     * DENY_NONE: comes after all checks, and before anything is counted. */
    uint8_t room;
    /* Replace: the old order's leaves are in the reservations already and stay there (cancel-replace holds both), so
     * the worst case counts old and new. A native amend passes amend = true and the old order's open quantity: the
     * worse of the two is held. */
    bool replace;
    bool amend;
    bool in_turn;   /* amend: it cancels first, and its new order comes later, by risk_judge_rest() */
    bool way_clear; /* for risk itself: as if nothing of ours were in its way */
    uint8_t replaced_side;
    px_t replaced_px;
    qty_t replaced_leaves;
    px_t px;
    qty_t qty; /* as sent to the venue; a replace: what the new order asks for, filled part not included */
    px_t trigger_px;
    value_t quote_qty;
    int64_t deadline_wall_ns; /* 0 = none */
    int64_t expire_wall_ns;
    /* Market orders: what the visible book, walked from the touch, would fill: how much of qty, and the worst price. */
    qty_t sweep_qty;
    px_t sweep_px;
    uint64_t parent_key; /* 0 = none */
    qty_t parent_qty;    /* total of the parent, in qty_decimals; the same for all its children */
};

/* What was decided and by which two numbers: into the journal and the denial. */
struct risk_verdict {
    enum deny_reason reason;
    uint32_t limits_version;
    int64_t value; /* the order's number; 0 where the check has none */
    int64_t limit; /* the limit's number */
    bool reducing; /* the order is a proven reduction */
    bool flood;    /* the client's denied-command bucket is empty too */
    bool no_room;  /* denied by risk_order.room alone */
    /* The caller first cancels our own orders of the other side that this price would trade against, and only then
     * sends (accepted) or not (SELF_MATCH): see risk_crosses(). */
    bool cancel_resting;
    px_t px; /* the price that was checked: the order's, or a market order's worst */
    /* For risk_spend(). */
    uint64_t content; /* what makes it a repeat */
    bool own_bucket;  /* the reduction passes by its own token */
};

struct risk;

size_t risk_footprint(const struct risk_counts *c);
struct risk *risk_init(const struct risk_counts *c, struct arena *arena);

/* Cold. Validate and take over a whole set: every rate keeps what it has saved up to the new burst. False leaves the
 * old set in force. l->version must be above the one in force. Once armed, no instrument that can be traded may become
 * untradable by it; once the day has begun, the reporting currency stays. Copied. */
bool risk_set_limits(struct risk *r, const struct risk_limits *l, struct now now, struct fault *fault);

/* Cold. A definition or a new version of one: resolves its limits for every account. Position and reservations keep
 * their counts when the quantity decimals are the same; they must be zero when those change, else false. Status changes
 * (closed, trading) need no call: they are read from the table's entry. False = every order in it is denied. */
bool risk_set_instrument(struct risk *r, const struct instrument *ins, struct now now, struct fault *fault);

/* Cold. Each instrument in which no order can pass as limits and rates are stated, and why: a change that makes it so
 * is refused, but not a definition that comes afterwards. */
typedef void (*risk_untradable_fn)(void *ctx, uint32_t instrument, const struct fault *why);
void risk_untradable(const struct risk *r, risk_untradable_fn tell, void *ctx);

void risk_set_venue(struct risk *r, uint32_t venue, const struct risk_venue *v);

/* What time it is: rolls the day at the configured hour (UTC). At each record of a replay, before its delta; at least
 * once a second while running. */
void risk_clock(struct risk *r, struct now now);

/* ---- the day, over a restart: what the journal is told, and tells again ---- */

/* How far from what the journal knows a group may stand: a part of its limits of result. */
#define RISK_DAY_PART   16
#define RISK_DAY_AGE_NS (60 * NS_PER_S)

/* What one strategy, account, venue or everything has done since the roll. */
struct risk_day {
    value_t result; /* realised, unrealised and fees; reporting currency, like the next three */
    value_t best;   /* since the roll, or since a human released a drawdown */
    value_t value;  /* traded */
    value_t fees;
    uint32_t messages; /* strategies: new orders, replaces, cancels; fills */
    uint32_t fills;
    uint32_t executions; /* strategies: since a human let them run */
    uint32_t reserved;
};

/* True when the journal should be told: the day has rolled, the last word is RISK_DAY_AGE_NS old, or a result has moved
 * by a RISK_DAY_PART of a limit since. */
bool risk_day_due(const struct risk *r, struct now now);
/* What a group stands at, when that is not what the journal knows; from here on it does. */
bool risk_day_tell(struct risk *r, enum trading_level level, uint32_t id, struct risk_day *out);
/* The same for an instrument's mark and the rate of its money (of which result was made), and a currency's rate. */
bool risk_mark_tell(struct risk *r, uint32_t instrument, uint32_t *version, px_t *px, int64_t *rate);
bool risk_rate_tell(struct risk *r, uint16_t currency, int64_t *rate);
/* Everything was told; or some of it could not be written, and all of it is to be told again. */
void risk_day_told(struct risk *r, struct now now);
void risk_day_untold(struct risk *r);

/* From a journal whose money is `reporting`; where that is not the currency in force, it is converted: the rate of the
 * one in force must have come first, else a loss latches, because nobody can say how large it is. Marks before the
 * groups that were made with them. Nothing of it is fresh: orders wait for a live mark. False: out of range. */
bool risk_restore_rate(struct risk *r, const char *reporting, uint16_t currency, int64_t rate);
bool risk_restore_mark(struct risk *r, const char *reporting, uint32_t instrument, uint32_t version, px_t px,
                       int64_t rate);
bool risk_restore_day(struct risk *r, const char *reporting, enum trading_level level, uint32_t id,
                      const struct risk_day *d);
/* An amend or a cancel of a journal: makes no order, so no delta counts it. */
void risk_restore_message(struct risk *r, uint32_t client, bool execution);
/* The journal has been read: no rate of it is young, and its windows began when they did. */
void risk_restored(struct risk *r, struct now now);

/* ---- windows of breakers, over a restart: rejects and a loss that is too fast ---- */

enum risk_window_kind { RISK_WINDOW_REJECTS, RISK_WINDOW_LOSS, RISK_WINDOW_KINDS };

/* Of a strategy or (rejects) a venue. */
struct risk_window {
    uint8_t kind;  /* enum risk_window_kind */
    uint8_t level; /* enum trading_level */
    uint32_t id;
    int64_t since_ns; /* when it began, wall clock; 0 = it has not */
    uint32_t samples; /* rejects */
    uint32_t beyond;
    value_t best; /* of the day's result in this window, and in the one before; reporting currency */
    value_t before;
};
/* True once something that one breaker counted should be told at once. The others are asked about every second. */
bool risk_windows_due(const struct risk *r);
/* Where a window stands, when that is not what the journal knows; from here on it does. False also when there is none
 * of this kind at this level. */
bool risk_window_tell(struct risk *r, enum risk_window_kind kind, enum trading_level level, uint32_t id, struct now now,
                      struct risk_window *out);
void risk_windows_told(struct risk *r);
/* From a journal, as risk_restore_day(). A loss in a currency that cannot be converted is left out: the day's latch
 * says so. False: out of range. */
bool risk_restore_window(struct risk *r, const char *reporting, const struct risk_window *w);

/* A balance as the venue states it, 10^-8 of the currency. What it holds for our open orders is in `locked`. */
void risk_set_balance(struct risk *r, uint32_t account, uint16_t currency, value_t free, value_t locked);

/* What is held of a currency after everything in flight: false when the venue has not said. */
bool risk_free_balance(const struct risk *r, uint32_t account, uint16_t currency, value_t *free);

/* A rate from a book: reporting currency per unit of `currency`, 10^-RATE_DECIMALS, as of `at`. Those stated in the
 * limits stand above it. risk_mark() of a spot instrument quoted in the reporting currency gives its base's. */
void risk_set_rate(struct risk *r, uint16_t currency, int64_t rate, mono_ns_t at);

/* Warm. The market of one instrument, once a second or so: values every position in it anew when the book is live and
 * sane, looks at losses. `at` is md's. */
void risk_mark(struct risk *r, uint32_t instrument, const struct md_ref *md, struct now now);

/* NOT_ARMED until this has been called with true (and limits are loaded). */
void risk_arm(struct risk *r, bool armed);

/* The kill switch and the trading states, to read and to set. */
struct kill *risk_kill(struct risk *r);

/* Hot. Ask the processor for what risk_check will read of these (ids may be any). Changes nothing. */
void risk_prefetch(const struct risk *r, const struct repeat_content *c);

/* Hot. DENY_NONE: accepted. Nothing is spent before risk_spend(), nothing is reserved before the delta of oms arrives
 * in risk_apply(): both are due before the next order is judged. A denial is counted at once. md NULL or an empty book
 * denies. out is always written. */
enum deny_reason risk_judge(struct risk *r, const struct risk_order *o, const struct md_ref *md, struct now now,
                            struct risk_verdict *out);

/* The new order of a replace in turn, whose own checks were passed and paid for before its cancel left: what may be
 * sent now is asked again, repeats and rates are not, and nothing is to be spent. */
enum deny_reason risk_judge_rest(struct risk *r, const struct risk_order *o, const struct md_ref *md, struct now now,
                                 struct risk_verdict *out);

/* Hot. The order that `passed` is sent: its tokens are gone, its content is remembered. */
void risk_spend(struct risk *r, const struct risk_order *o, const struct risk_verdict *passed, struct now now);

/* Both in one. */
enum deny_reason risk_check(struct risk *r, const struct risk_order *o, const struct md_ref *md, struct now now,
                            struct risk_verdict *out);

/* Reads what risk_judge would read on its way, and changes nothing: for idle times, so that the processor has code and
 * data at hand when an order comes. */
void risk_rehearse(const struct risk *r, const struct risk_order *o, const struct md_ref *md, struct now now);

/* Would an order of this side at px trade against a resting one of the other side at own_px? */
static inline bool
risk_crosses(enum side side, px_t px, px_t own_px)
{
    return side == SIDE_BUY ? px >= own_px : px <= own_px;
}

/* What risk_check would say, spending and counting nothing. */
enum deny_reason risk_peek(struct risk *r, const struct risk_order *o, const struct md_ref *md, struct now now,
                           struct risk_verdict *out);

/* Hot. A cancel of this client: DENY_NONE (a token is spent) or DENY_CANCEL_RATE. An operator's cancel needs no check.
 */
enum deny_reason risk_check_cancel(struct risk *r, uint32_t client, struct now now, struct risk_verdict *out);

/* A denial found elsewhere (malformed, not permitted, capacity): counts against the client's denied-command bucket.
 * True when that bucket is empty: the caller may drop the client's commands unanswered. */
bool risk_denied(struct risk *r, uint32_t client, struct now now);

/* Warm. What one change of an order did. Accounts and instruments must be known: oms only returns those of accepted
 * orders. */
void risk_apply(struct risk *r, const struct order_delta *d);

/* What is held, from the venue's evidence or from replay. */
void risk_set_position(struct risk *r, uint32_t account, uint32_t instrument, qty_t qty, bool reconciled);

/* Whether the position held is the venue's too: only then may reductions be proven from it. Quantity and fees stay. */
void risk_set_reconciled(struct risk *r, uint32_t account, uint32_t instrument, bool reconciled);

const struct position *risk_position(const struct risk *r, uint32_t account, uint32_t instrument);
const struct resolved_limits *risk_resolved(const struct risk *r, uint32_t account, uint32_t instrument);
const struct risk_limits *risk_limits_in_force(const struct risk *r);
const struct risk_venue *risk_venue_of(const struct risk *r, uint32_t venue);

/* ---- what moves breakers; thresholds are in the limits ---- */

/* The venue refused a new order. */
void risk_note_reject(struct risk *r, uint32_t venue, uint32_t client, struct now now);
/* From a new order's command to its bytes in the kernel; to its acknowledgement. */
void risk_note_wire(struct risk *r, int64_t ns, struct now now);
void risk_note_ack(struct risk *r, uint32_t venue, int64_t ns, struct now now);
/* An acknowledgement that has not come for so long: a sample when that is beyond its bound already; else false, and it
 * will be one when it comes. */
bool risk_note_no_ack(struct risk *r, uint32_t venue, int64_t ns, struct now now);
/* One turn of the loop. */
void risk_note_turn(struct risk *r, int64_t ns, struct now now);

/* Why something latched. X(name, text) */
#define RISK_TRIPS(X)                                                              \
    X(TRIP_REJECTS, "the venue rejects too much")                                  \
    X(TRIP_LOSS_RATE, "losing too fast")                                           \
    X(TRIP_DAY_LOSS, "the day's loss has reached its limit")                       \
    X(TRIP_DRAWDOWN, "the fall from the day's best has reached its limit")         \
    X(TRIP_LATENCY, "our own latency, p99.9, is above its bound")                  \
    X(TRIP_STALL, "a turn of the loop took longer than its bound")                 \
    X(TRIP_ACK, "the venue's acknowledgements, p99, take longer than their bound") \
    X(TRIP_FLOOD, "denied commands without end: the strategy is out of control")   \
    X(TRIP_REPEAT, "too many automated executions without a human's re-enable")

enum risk_trip_kind {
#define X(name, text) name,
    RISK_TRIPS(X)
#undef X
        RISK_TRIP_COUNT
};
const char *risk_trip_text(enum risk_trip_kind k);

/* A level that latched: the caller journals it (and restores it at replay). TRIP_FLOOD halts its strategy, the others
 * let proven reductions pass; each stays until risk_untrip(), losses also end with the day. */
struct risk_trip {
    uint8_t kind;  /* enum risk_trip_kind */
    uint8_t level; /* enum trading_level */
    uint32_t id;
    int64_t value;
    int64_t limit;
};
/* The next one that nobody has taken yet; false when there is none. */
bool risk_take_trip(struct risk *r, struct risk_trip *out);
/* From a journal. False when there is no such level, id or kind. */
bool risk_restore_trip(struct risk *r, enum trading_level level, uint32_t id, enum risk_trip_kind kind);
/* The operator's explicit act: what latched at this level, if anything did, is released, its windows start anew; a
 * strategy's executions are counted from 0 whether it had latched or not. False when there is no such level or id. */
bool risk_untrip(struct risk *r, enum trading_level level, uint32_t id, struct now now);
/* Bit per enum risk_trip_kind. */
uint32_t risk_tripped(const struct risk *r, enum trading_level level, uint32_t id);

/* ---- what everything stands at ---- */

/* Worst-case exposure and result of one strategy, account, venue or everything, in the reporting currency. */
struct risk_group {
    value_t gross;
    value_t net_long;
    value_t net_short; /* <= 0 where short is the worst */
    value_t day_value; /* traded since the roll */
    value_t open_value;
    value_t day_result; /* realised, unrealised and fees since the roll */
    value_t day_best;   /* the best of it */
    value_t fees;       /* since the roll, paid in other than base assets */
    uint32_t unmarked;  /* positions or orders without a fresh mark or rate: exposure and losses deny */
};
bool risk_group(const struct risk *r, enum trading_level level, uint32_t id, struct risk_group *out);

/* Of one instrument in its quote (spot, linear) or settle (inverse) currency: an account's, or one strategy's part of
 * it (client not CLIENT_NONE). */
struct risk_pnl {
    qty_t qty;
    px_t average_px; /* 0 = flat; rounded against us */
    px_t mark_px;    /* 0 = none yet */
    mono_ns_t mark_at;
    value_t realised; /* since the journal began, fees not included */
    value_t unrealised;
};
void risk_pnl(const struct risk *r, uint32_t client, uint32_t account, uint32_t instrument, struct risk_pnl *out);

/* Fees paid by an account in one currency since the journal began. */
value_t risk_fees(const struct risk *r, uint32_t account, uint16_t currency);

/* One limit that holds for orders of (client, account, instrument): used of limit; headroom = what is left, 0 when it
 * is used up. */
enum gauge_unit { GAUGE_COUNT, GAUGE_QTY, GAUGE_VALUE, GAUGE_PPM, GAUGE_NS, GAUGE_PX };
struct risk_gauge {
    const char *name; /* as in docs/risk.md: "position_long" */
    uint8_t check;    /* enum deny_reason */
    uint8_t level;    /* enum trading_level */
    uint8_t unit;     /* enum gauge_unit; QTY and PX in the instrument's decimals, VALUE at 10^-8 */
    uint8_t pad;
    uint32_t id;
    int64_t limit;
    int64_t used;
    int64_t headroom;
};
#define RISK_GAUGES_MAX 96
/* Cold. Returns how many were written. Ids must be known. */
uint32_t risk_gauges(struct risk *r, uint32_t client, uint32_t account, uint32_t instrument, const struct md_ref *md,
                     struct now now, struct risk_gauge out[RISK_GAUGES_MAX]);

struct risk_totals {
    uint32_t open_total;
    uint32_t unknown_total;
    uint32_t open_client[CLIENT_MAX];
    uint32_t open_account[ACCOUNT_MAX];
    uint64_t checked;
    uint64_t accepted;
    uint64_t denied[DENY_REASON_COUNT]; /* denials of risk_check and risk_check_cancel, by reason */
};
const struct risk_totals *risk_totals(const struct risk *r);

/* Cold. The largest quantity of o (its qty is ignored) that would pass now, spending nothing; 0 when none does, and
 * *binding says which check stops the next step. risk_gauges() has the headroom left on each. */
qty_t risk_whatif(struct risk *r, const struct risk_order *o, const struct md_ref *md, struct now now,
                  struct risk_verdict *binding);

#endif
