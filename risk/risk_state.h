/* What risk remembers, shared by its own files and by nobody else: risk.c (the hot checks), risk_set.c (limits,
 * definitions, permissions), risk_state.c (deltas, balances), risk_day.c (the day), risk_mark.c (marks, rates,
 * breakers), risk_window.c (breakers over a restart), whatif.c (what would pass, what each limit stands at).
 *
 * Always true: a group's sums are the sums of its holdings' cached contributions, and those are as of the last mark of
 * their instrument and the last delta; every sum is exact, only its parts are rounded (against us). */
#ifndef EXECGW_RISK_RISK_STATE_H
#define EXECGW_RISK_RISK_STATE_H

#include "risk/breaker.h"
#include "risk/own_side.h"
#include "risk/parent.h"
#include "risk/pnl.h"
#include "risk/repeat.h"
#include "risk/risk.h"

#define TRIPS_WAITING_MAX 64u
#define PARTS_MAX         8192u /* strategies' parts; the first is not used. No room for another one denies */
/* Needs and budgets of a currency are exact sums: counts of 10^-NEED_DECIMALS. */
#define NEED_DECIMALS 18u

/* What the hot check reads of one (account, instrument): four adjacent cache lines. */
struct cell {
    _Alignas(CACHE_LINE) struct position position;
    struct resolved_limits limits;
    struct throttle order_rate;
};
_Static_assert(sizeof(struct cell) == 4 * CACHE_LINE, "what the hot check touches per instrument");

/* One party's share of an instrument and what it adds to its groups: an account's, or one strategy's part of it. */
struct holding {
    _Alignas(CACHE_LINE) qty_t reserved[2]; /* by enum side */
    struct pnl pnl;
    value_t gross; /* cached contributions, reporting currency */
    value_t net_long;
    value_t net_short;
    value_t open;
    value_t result;
    value_t margin; /* settle currency; derivatives of an account only */
    bool unmarked;  /* counted in its groups' `unmarked` */
    qty_t filled;   /* strategies: fills alone, and fees in the base asset: what is held follows from them */
    value_t fee_base;
};

/* One instrument, whoever holds it. */
struct market {
    _Alignas(CACHE_LINE) struct valuation value;
    int64_t valued_ns;       /* when it was last looked at */
    px_t own_best[2];        /* our best resting price by enum side; 0 = none */
    uint64_t permitted;      /* bit per client with symbols_only that may trade it */
    uint64_t holders;        /* bit per client with a holding in it */
    struct valuation settle; /* derivatives: in the settle currency, for margin */
    struct contract contract;
    uint8_t need_buy; /* exponents: raw cost of buys, quantity of sells -> 10^-NEED_DECIMALS */
    uint8_t need_sell;
    uint16_t quote_ccy;
    uint16_t base_ccy;
    uint16_t settle_ccy;
    uint16_t venue;
    bool used;    /* somebody has traded or held it: its mark is part of a result */
    int64_t rate; /* of its money, as of the mark: what results are made with; 0 = none */
    px_t told_px; /* mark and rate that the journal knows */
    int64_t told_rate;
};

struct balance {
    wide_t budget; /* what our orders may use: free, and what the venue had locked for them */
    wide_t need;   /* of every live order */
    wide_t margin; /* of derivatives' worst case */
    bool known;
};

/* A strategy, an account, a venue, everything. The first line is all that the hot check reads. */
struct group {
    /* What is left of the limits, as of the last change: an order that fits into all of them passes checks 21 and 25.
     * Those that do not fit are looked at again, one by one. */
    _Alignas(CACHE_LINE) int64_t room_gross;
    int64_t room_side[2]; /* net, by the order's side */
    int64_t room_value;
    bool stopped;     /* losses, or what cannot be valued */
    uint32_t tripped; /* bit per enum risk_trip_kind */
    wide_t gross;
    wide_t net_long;
    wide_t net_short;
    wide_t open;
    wide_t result; /* of all holdings since the journal began */
    wide_t base;   /* result at the daily roll */
    value_t day_value;
    value_t day_fees;
    value_t day_best;
    uint32_t unmarked;
    struct group_limits limits;
    value_t loss_window_max;
    struct breaker_best best;
    bool awaits_marks;    /* a result at the marks of a journal is no sample of the running window */
    struct risk_day told; /* what the journal knows of the day */
};

struct client_state {
    struct group group;
    struct throttle order_rate;
    struct throttle denied_rate;
    struct throttle cancel_rate;
    struct throttle replace_rate;
    uint32_t open_orders_max;
    uint32_t accounts;
    uint32_t verbs;
    bool symbols_only;
    bool flood_halts;
    uint32_t messages; /* of the day: new orders, replaces, cancels */
    uint32_t fills;
    uint32_t messages_free;
    uint32_t messages_per_fill_max;
    uint32_t executions; /* since a human re-enabled it */
    uint32_t repeat_executions_max;
    uint32_t rejects_max;
    struct breaker rejects;
};

struct account_state {
    struct group group;
    struct throttle order_rate;
    struct throttle reduce_rate;
    uint32_t open_orders_max;
    uint32_t leverage_max_ppm;
};

struct venue_state {
    struct group group;
    struct risk_venue now;
    int64_t clock_offset_max_ns;
    struct throttle order_rate;
    uint32_t rejects_max;
    int64_t ack_p99_max_ns;
    struct breaker rejects;
    struct breaker acks;
};

/* A currency's worth in the reporting one. */
struct rate {
    int64_t rate; /* 10^-RATE_DECIMALS; 0 = none */
    int64_t at_ns;
    bool fixed;   /* the operator's: no age */
    int64_t told; /* the rate that the journal knows */
};

struct risk {
    struct risk_counts counts;
    uint32_t limits_version; /* 0 = not loaded */
    uint32_t open_orders_max;
    bool armed;
    bool valued; /* money limits are in force: there is a reporting currency */
    uint32_t duplicate_max;
    int64_t duplicate_window_ns;
    int64_t mark_age_max_ns;
    struct kill kill;
    struct group global;
    struct venue_state venue[VENUE_MAX];
    struct account_state account[ACCOUNT_MAX];
    struct client_state client[CLIENT_MAX];
    struct risk_totals totals;
    struct now now;     /* as last told */
    int64_t day;        /* number of the day, by the roll's hour; -1 = none yet */
    int64_t told_day;   /* as the journal was last told */
    int64_t told_at_ns; /* when that was; 0 = never */
    int64_t restated;   /* the day of a journal in another currency: that one's rate in ours; 0 = unknown */
    struct breaker latency;
    struct risk_trip trip[TRIPS_WAITING_MAX];
    uint32_t trips;
    bool windows_due; /* a breaker has counted what the journal does not know */
    struct rate rate[CURRENCY_MAX];
    char currency[CURRENCY_MAX][CURRENCY_BYTES];
    value_t fees[ACCOUNT_MAX][CURRENCY_MAX];
    struct balance balance[ACCOUNT_MAX][CURRENCY_MAX];
    struct risk_limits limits;
    struct instrument defined[INSTRUMENT_MAX]; /* as last given: to resolve again when limits change */
    struct repeat repeat;
    struct parents parents;
    struct risk_window told_window[RISK_WINDOW_KINDS][CLIENT_MAX + VENUE_MAX]; /* on this machine's own clock */
    struct market *market;                                                     /* [instrument] */
    struct own_side (*own)[2];                                                 /* [instrument][side] */
    struct cell *cell;                                                         /* [account][instrument] */
    struct holding *account_part;                                              /* [account][instrument] */
    uint16_t *part_of;    /* [client][account][instrument]: of `part`; 0 = none */
    struct holding *part; /* strategies' parts, taken as they come */
    uint32_t parts;
};

static inline size_t
cell_index(const struct risk *r, uint32_t account, uint32_t instrument)
{
    return (size_t)account * r->counts.instruments + instrument;
}

static inline struct cell *
cell_at(const struct risk *r, uint32_t account, uint32_t instrument)
{
    return &r->cell[cell_index(r, account, instrument)];
}

static inline struct holding *
account_part(const struct risk *r, uint32_t account, uint32_t instrument)
{
    return &r->account_part[cell_index(r, account, instrument)];
}

static inline uint16_t *
part_index(const struct risk *r, uint32_t client, uint32_t account, uint32_t instrument)
{
    return &r->part_of[(size_t)client * r->counts.accounts * r->counts.instruments +
                       cell_index(r, account, instrument)];
}

/* A strategy's part of an instrument; NULL = it never had one. */
static inline struct holding *
client_part(const struct risk *r, uint32_t client, uint32_t account, uint32_t instrument)
{
    uint16_t i = *part_index(r, client, account, instrument);
    return i != 0 ? &r->part[i] : NULL;
}

/* The group of a level; NULL when there is no such one (instruments have none). */
struct group *risk_group_at(struct risk *r, enum trading_level level, uint32_t id);

/* After any change of its sums, limits or latches. */
void group_rooms(struct group *g);

/* What everything in this group has made since the roll. */
static inline wide_t
group_day_result(const struct group *g)
{
    return g->result - g->base - g->day_fees;
}

/* Cached contributions of a holding anew, and its groups' sums; with `result` what it has made as well. */
void holding_update(struct holding *h, const struct market *m, int64_t rate, struct group *const groups[],
                    unsigned count, bool result);

/* The currency that its prices and results are in: quote (spot), settle. */
uint16_t market_money(const struct market *m);

/* Everybody's part of one instrument anew, and what they stand at. */
void market_revalue(struct risk *r, uint32_t instrument);

/* Both of an instrument's parties: an account's part with its margin; a strategy's. */
void account_update(struct risk *r, uint32_t account, uint32_t instrument, bool result);
void client_update(struct risk *r, uint32_t client, uint32_t account, uint32_t instrument, bool result);

/* Looks at losses of one level, latches what is past its limit. */
void group_watch(struct risk *r, enum trading_level level, uint32_t id);

void risk_trip_set(struct risk *r, enum trading_level level, uint32_t id, enum risk_trip_kind kind, int64_t value,
                   int64_t limit);

/* An amount of a journal in the currency in force; false when nobody can say what it is in it. */
bool risk_restate(const struct risk *r, const char *reporting, value_t *v);

/* Restored windows: from wall time to this machine's own. */
void windows_begun(struct risk *r, struct now now);

/* Rate of a currency now; 0 = none, or too old. */
int64_t rate_of(const struct risk *r, uint16_t ccy, struct now now);

/* Values an instrument at px as of at_ns; fresh says whether that may be relied on. */
void market_value(struct risk *r, struct market *m, px_t px, int64_t at_ns, bool fresh);

#endif
