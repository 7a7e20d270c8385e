/* Limits as the operator states them: one versioned set, validated whole, swapped between two turns of the loop.
 *
 * Quantities are counts of 10^-LIMIT_QTY_DECIMALS of the instrument's unit, so that a set can be written before the
 * venue has told its decimals; limits_resolve() turns them into one instrument's own integers, rounded against us.
 *
 * Always true of a validated set: every maximum >= 1 and every minimum <= its maximum; rates and bursts in [1,
 * RATE_*_MAX]; collars in [1, COLLAR_PPM_MAX]; ages and offsets > 0; so no check on the hot path divides by zero or
 * overflows. */
#ifndef EXECGW_RISK_LIMITS_H
#define EXECGW_RISK_LIMITS_H

#include "execgw/order.h"
#include "risk/throttle.h"

#define LIMIT_QTY_DECIMALS 8
#define COLLAR_PPM_MAX     500000u /* 50 % */
#define MARGIN_PPM_MAX     10000000u
#define LIMIT_OPEN_MAX     1000000u
#define LIMIT_AGE_MAX_NS   (INT64_C(86400) * NS_PER_S)
/* Nothing risk adds up goes past this, so that two of them still fit an int64_t. */
#define RISK_QTY_MAX (INT64_C(1) << 61)
/* A money limit that limits nothing. */
#define LIMIT_NONE       RISK_QTY_MAX
#define LIMIT_COUNT_NONE UINT32_MAX
#define RATE_DECIMALS    12 /* of a rate: reporting currency per unit of another */
#define RATE_FIXED_MAX   32
#define PERMIT_MAX       1024
#define VERBS_ALL        UINT32_MAX

/* What becomes of an order that would trade against a resting one of ours. X(name, text) */
#define SELF_MATCH_MODES(X)                        \
    X(SELF_MATCH_DENY, "deny")                     \
    X(SELF_MATCH_CANCEL_RESTING, "cancel_resting") \
    X(SELF_MATCH_CANCEL_BOTH, "cancel_both")

enum self_match_mode {
#define X(name, text) name,
    SELF_MATCH_MODES(X)
#undef X
        SELF_MATCH_MODE_COUNT
};

/* For each (account, instrument). */
struct instrument_limits {
    int64_t order_qty_min; /* 10^-8 of the unit of quantity; >= 0 */
    int64_t order_qty_max;
    value_t order_notional_min; /* quote currency; >= 0 */
    value_t order_notional_max;
    int64_t position_long_max;  /* 10^-8 of the unit of quantity, >= 0; worst case, every open buy filled */
    int64_t position_short_max; /* as above, a magnitude; 0 = may not go short */
    int64_t tob_age_max_ns;     /* book not confirmed for longer: STALE_MARKET */
    int64_t good_age_max_ns;    /* a proven reduction's reference: last live book, at most this old */
    uint32_t collar_ppm;        /* how far through the touch a limit price may reach */
    uint32_t reduce_collar_ppm; /* the same for a proven reduction, against the last good price; >= collar_ppm */
    uint32_t spread_max_ppm;    /* touch wider than this is no reference: BOOK_INVALID */
    uint32_t open_orders_max;
    uint32_t reduce_orders_extra; /* proven reductions may go past any open-order limit by this many; >= 0 */
    uint32_t margin_ppm;          /* initial margin of a derivative, of its value; 0 = not stated: BALANCE */
    struct rate_limit order_rate;
    bool restricted;    /* RESTRICTED */
    uint8_t self_match; /* enum self_match_mode */
};

/* Money limits of one strategy, account, venue or everything, in the reporting currency; LIMIT_NONE = no limit at this
 * level. Exposure is worst case: every open order of a side filled, the other side not. */
struct group_limits {
    value_t gross_max;     /* sum over instruments of the larger of worst long and worst short */
    value_t net_max;       /* |sum of worst longs|, |sum of worst shorts| */
    value_t day_value_max; /* traded since the daily roll, and everything open */
    value_t day_loss_max;  /* realised and unrealised, fees included, since the daily roll */
    value_t drawdown_max;  /* from the best result since the daily roll */
};

struct client_limits {
    uint32_t open_orders_max;
    struct rate_limit order_rate;
    struct rate_limit denied_rate; /* denied commands; beyond it the verdict says `flood` */
    struct rate_limit cancel_rate; /* ceiling of cancels */
    struct rate_limit replace_rate;
    uint32_t messages_free;         /* per day, before the ratio counts */
    uint32_t messages_per_fill_max; /* new orders, replaces and cancels per fill of the day; LIMIT_COUNT_NONE */
    uint32_t repeat_executions_max; /* orders without a human's re-enable; LIMIT_COUNT_NONE */
    uint32_t rejects_max;           /* the venues' rejects within breaker_window_ns; past it: REDUCING */
    value_t loss_window_max;        /* loss within breaker_window_ns; past it: REDUCING; LIMIT_NONE */
    bool flood_halts;               /* an empty denied_rate bucket halts the strategy until it is resumed */
    bool symbols_only;              /* only instruments in risk_limits.permit; else all */
    uint32_t accounts;              /* bit per account it may use */
    uint32_t verbs;                 /* bit per enum command_verb */
    struct group_limits group;
};

struct account_limits {
    uint32_t open_orders_max;
    struct rate_limit order_rate;
    struct rate_limit reduce_rate; /* proven reductions, once the ordinary buckets are empty */
    uint32_t leverage_max_ppm;     /* gross exposure by equity (balances at the rate table); LIMIT_COUNT_NONE */
    struct group_limits group;
};

struct venue_limits {
    struct rate_limit order_rate;
    int64_t clock_offset_max_ns; /* |venue clock - wall clock| beyond this: CLOCK */
    uint32_t rejects_max;        /* within breaker_window_ns; past it the venue is REDUCING */
    int64_t ack_p99_max_ns;      /* of new orders within breaker_window_ns; 0 = not watched */
    struct group_limits group;
};

/* A rate that the operator states: it has no age. */
struct rate_fixed {
    char currency[CURRENCY_BYTES];
    int64_t rate; /* 10^-RATE_DECIMALS of the reporting currency per unit */
};

/* One instrument that a strategy with symbols_only may trade. */
struct permit {
    uint16_t client;
    char symbol[SYMBOL_BYTES];
};

/* Limits of one instrument by the venue's own symbol, in place of instrument_default. */
struct instrument_override {
    uint16_t venue;
    char symbol[SYMBOL_BYTES];
    struct instrument_limits limits;
};

struct risk_limits {
    uint32_t version;               /* from 1, rising; 0 = not loaded: NOT_ARMED */
    uint32_t open_orders_max;       /* all together */
    char reporting[CURRENCY_BYTES]; /* currency of group limits; "" = none may be set */
    int64_t mark_age_max_ns;        /* a position whose mark is older is a missing input */
    int64_t rate_age_max_ns;        /* of rates from books */
    uint32_t roll_s;                /* start of the day, seconds after midnight UTC; < 86400 */
    uint32_t duplicate_max;         /* orders of one content within duplicate_window_ns */
    int64_t duplicate_window_ns;
    int64_t breaker_window_ns;
    int64_t latency_p999_max_ns;  /* command to wire, within breaker_window_ns; 0 = not watched */
    int64_t stall_max_ns;         /* one turn of the loop; 0 = not watched */
    uint32_t latency_samples_min; /* of fewer, as many beyond trip as would of so many */
    struct group_limits global;
    uint32_t fixed_count;
    struct rate_fixed fixed[RATE_FIXED_MAX];
    uint32_t permit_count;
    struct permit permit[PERMIT_MAX];
    struct instrument_limits instrument_default;
    struct client_limits client_default;
    struct account_limits account_default;
    struct venue_limits venue_default;
    uint64_t client_set;  /* bit per client: client[i] in place of client_default */
    uint32_t account_set; /* bit per account */
    uint32_t venue_set;   /* bit per venue */
    struct client_limits client[CLIENT_MAX];
    struct account_limits account[ACCOUNT_MAX];
    struct venue_limits venue[VENUE_MAX];
    uint32_t override_count;
    struct instrument_override override[INSTRUMENT_MAX];
};

/* One instrument's limits and its venue's rules, the tighter of both, in its own integers: what the hot check reads. */
struct resolved_limits {
    px_t tick, px_min, px_max;
    qty_t step, qty_min, qty_max;
    value_t notional_min, notional_max;
    qty_t long_max, short_max;
    int64_t tob_age_max_ns, good_age_max_ns;
    int64_t multiplier;
    uint32_t collar_ppm, reduce_collar_ppm, spread_max_ppm;
    uint32_t open_orders_max, reduce_orders_extra;
    uint32_t instrument_version; /* 0 = no definition, or nothing can pass: UNKNOWN_INSTRUMENT */
    uint32_t margin_ppm;
    uint8_t px_decimals, qty_decimals;
    uint8_t kind; /* enum instrument_kind */
    uint8_t self_match;
    bool restricted;
    uint8_t pad[7];
};

/* Careful small numbers for trying out: 1,000 units of quote per order and no short; version 0, so not armed. */
void limits_default(struct risk_limits *l);

/* Cold. The whole set or nothing. False with the first key that is wrong, its value and what was expected; keys are
 * named as in this header (`instrument_default.collar_ppm`, `override[BTCUSDT].order_qty_max`). */
bool limits_validate(const struct risk_limits *l, struct fault *fault);

/* Which limits hold for this instrument. */
const struct instrument_limits *limits_of(const struct risk_limits *l, const struct instrument *ins);

/* Cold. Limits in the instrument's integers: maxima rounded down, minima up, the venue's rule where it is tighter.
 * False when nothing could pass or a rule of the instrument is not sane; the fault says which. */
bool limits_resolve(const struct instrument_limits *l, const struct instrument *ins, struct resolved_limits *out,
                    struct fault *fault);

/* Hot. What an order is worth by check 12, rounded up, in quote currency; of an inverse contract its face value. */
static inline value_t
limits_notional(const struct resolved_limits *l, px_t px, qty_t qty)
{
    return l->kind == INSTRUMENT_INVERSE ? notional_ceil(1, qty, 0, l->qty_decimals, l->multiplier)
                                         : notional_ceil(px, qty, l->px_decimals, l->qty_decimals, l->multiplier);
}

static inline const struct client_limits *
limits_client(const struct risk_limits *l, uint32_t client)
{
    return (l->client_set >> client & 1) != 0 ? &l->client[client] : &l->client_default;
}

static inline const struct account_limits *
limits_account(const struct risk_limits *l, uint32_t account)
{
    return (l->account_set >> account & 1) != 0 ? &l->account[account] : &l->account_default;
}

static inline const struct venue_limits *
limits_venue(const struct risk_limits *l, uint32_t venue)
{
    return (l->venue_set >> venue & 1) != 0 ? &l->venue[venue] : &l->venue_default;
}

#endif
