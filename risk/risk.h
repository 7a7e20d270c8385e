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
    uint8_t position_side; /* only POSITION_NET is taken for now */
    uint8_t margin_mode;   /* only MARGIN_NONE */
    /* What the caller found out by itself: DENY_NONE, or DENY_REPLAYED_COMMAND, DENY_UNKNOWN_ORDER, DENY_ORDER_DONE,
     * DENY_DUPLICATE_KEY. Reported at its place in the order of checks. */
    uint8_t found;
    /* Replace: the old order's leaves are in the reservations already and stay there (cancel-replace holds both), so
     * the worst case counts old and new. A native amend passes amend = true and the old order's open quantity: the
     * worse of the two is held. */
    bool replace;
    bool amend;
    uint8_t replaced_side;
    px_t replaced_px;
    qty_t replaced_leaves;
    px_t px;
    qty_t qty; /* as sent to the venue; a replace: what the new order asks for, filled part not included */
    px_t trigger_px;
    value_t quote_qty;
    int64_t deadline_wall_ns; /* 0 = none */
    int64_t expire_wall_ns;
};

/* What was decided and by which two numbers: into the journal and the denial. */
struct risk_verdict {
    enum deny_reason reason;
    uint32_t limits_version;
    int64_t value; /* the order's number; 0 where the check has none */
    int64_t limit; /* the limit's number */
    bool reducing; /* the order is a proven reduction */
    bool flood;    /* the client's denied-command bucket is empty too */
};

struct risk;

size_t risk_footprint(const struct risk_counts *c);
struct risk *risk_init(const struct risk_counts *c, struct arena *arena);

/* Cold. Validate and take over a whole set: every rate keeps what it has saved up to the new burst. False leaves the
 * old set in force. l->version must be above the one in force. Copied. */
bool risk_set_limits(struct risk *r, const struct risk_limits *l, struct now now, struct fault *fault);

/* Cold. A definition or a new version of one: resolves its limits for every account. Position and reservations keep
 * their counts when the quantity decimals are the same; they must be zero when those change, else false. Status changes
 * (closed, trading) need no call: they are read from the table's entry. False = every order in it is denied. */
bool risk_set_instrument(struct risk *r, const struct instrument *ins, struct now now, struct fault *fault);

void risk_set_venue(struct risk *r, uint32_t venue, const struct risk_venue *v);

/* NOT_ARMED until this has been called with true (and limits are loaded). */
void risk_arm(struct risk *r, bool armed);

/* The kill switch and the trading states, to read and to set. */
struct kill *risk_kill(struct risk *r);

/* Hot. Ask the processor for what risk_check will read of these (ids may be any). Changes nothing. */
void risk_prefetch(const struct risk *r, uint32_t account, uint32_t instrument, uint32_t client);

/* Hot. DENY_NONE: accepted, tokens spent; nothing is reserved until the delta of oms arrives in risk_apply().
 * md NULL or an empty book denies. out is always written. */
enum deny_reason risk_check(struct risk *r, const struct risk_order *o, const struct md_ref *md, struct now now,
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
 * *binding says which check stops the next step. */
qty_t risk_whatif(const struct risk *r, const struct risk_order *o, const struct md_ref *md, struct now now,
                  struct risk_verdict *binding);

#endif
