/* Limits: defaults, validation, and their translation into one instrument's integers. See limits.h. */
#include "risk/limits.h"

static const struct group_limits group_none = { LIMIT_NONE, LIMIT_NONE, LIMIT_NONE, LIMIT_NONE, LIMIT_NONE };

void
limits_default(struct risk_limits *l)
{
    memset(l, 0, sizeof(*l));
    l->open_orders_max = 1000;
    l->mark_age_max_ns = 60 * NS_PER_S;
    l->rate_age_max_ns = 300 * NS_PER_S;
    l->duplicate_max = 50;
    l->duplicate_window_ns = NS_PER_S;
    l->breaker_window_ns = 60 * NS_PER_S;
    l->latency_samples_min = 1000;
    l->global = group_none;
    l->instrument_default = (struct instrument_limits){
        .order_qty_min = 0,
        .order_qty_max = 1000000 * VALUE_ONE,
        .order_notional_min = 0,
        .order_notional_max = 1000 * VALUE_ONE,
        .position_long_max = 1000000 * VALUE_ONE,
        .position_short_max = 0,
        .tob_age_max_ns = 5 * NS_PER_S,
        .good_age_max_ns = 300 * NS_PER_S,
        .collar_ppm = 10000,
        .reduce_collar_ppm = 50000,
        .spread_max_ppm = 50000,
        .open_orders_max = 50,
        .reduce_orders_extra = 4,
        .order_rate = { .per_s = 20, .burst = 40 },
    };
    l->client_default = (struct client_limits){
        .open_orders_max = 200,
        .order_rate = { .per_s = 50, .burst = 100 },
        .denied_rate = { .per_s = 20, .burst = 200 },
        .cancel_rate = { .per_s = 200, .burst = 1000 },
        .replace_rate = { .per_s = 50, .burst = 100 },
        .messages_free = 10000,
        .messages_per_fill_max = 1000,
        .repeat_executions_max = LIMIT_COUNT_NONE,
        .rejects_max = 100,
        .loss_window_max = LIMIT_NONE,
        .accounts = UINT32_MAX,
        .verbs = VERBS_ALL,
        .group = group_none,
    };
    l->account_default = (struct account_limits){
        .open_orders_max = 500,
        .order_rate = { .per_s = 100, .burst = 200 },
        .reduce_rate = { .per_s = 5, .burst = 10 },
        .leverage_max_ppm = LIMIT_COUNT_NONE,
        .group = group_none,
    };
    l->venue_default = (struct venue_limits){
        .order_rate = { .per_s = 10, .burst = 50 },
        .clock_offset_max_ns = 500 * NS_PER_MS,
        .rejects_max = 200,
        .group = group_none,
    };
}

/* One number that must lie in [min, max]; key and value go into the sentence. */
static bool
in_range(const char *where, const char *key, int64_t v, int64_t min, int64_t max, struct fault *fault)
{
    if (v >= min && v <= max)
        return true;
    return FAULT(fault, "%s.%s: is %lld, expected %lld to %lld", where, key, (long long)v, (long long)min,
                 (long long)max);
}

static bool
rate_ok(const char *where, const char *key, struct rate_limit r, struct fault *fault)
{
    char name[80];
    (void)snprintf(name, sizeof(name), "%s.per_s", key);
    if (!in_range(where, name, r.per_s, 1, RATE_PER_S_MAX, fault))
        return false;
    (void)snprintf(name, sizeof(name), "%s.burst", key);
    return in_range(where, name, r.burst, 1, RATE_BURST_MAX, fault);
}

typedef bool (*fault_money_fn)(const char *where, const char *key, value_t v, struct fault *fault);

static bool
instrument_ok(const char *where, const struct instrument_limits *l, struct fault *fault)
{
    return in_range(where, "order_qty_max", l->order_qty_max, 1, RISK_QTY_MAX, fault) &&
           in_range(where, "order_qty_min", l->order_qty_min, 0, l->order_qty_max, fault) &&
           in_range(where, "order_notional_max", l->order_notional_max, 1, RISK_QTY_MAX, fault) &&
           in_range(where, "order_notional_min", l->order_notional_min, 0, l->order_notional_max, fault) &&
           in_range(where, "position_long_max", l->position_long_max, 0, RISK_QTY_MAX, fault) &&
           in_range(where, "position_short_max", l->position_short_max, 0, RISK_QTY_MAX, fault) &&
           in_range(where, "tob_age_max_ns", l->tob_age_max_ns, 1, LIMIT_AGE_MAX_NS, fault) &&
           in_range(where, "good_age_max_ns", l->good_age_max_ns, 1, LIMIT_AGE_MAX_NS, fault) &&
           in_range(where, "collar_ppm", l->collar_ppm, 1, COLLAR_PPM_MAX, fault) &&
           in_range(where, "reduce_collar_ppm", l->reduce_collar_ppm, l->collar_ppm, COLLAR_PPM_MAX, fault) &&
           in_range(where, "spread_max_ppm", l->spread_max_ppm, 1, COLLAR_PPM_MAX, fault) &&
           in_range(where, "open_orders_max", l->open_orders_max, 1, LIMIT_OPEN_MAX, fault) &&
           in_range(where, "reduce_orders_extra", l->reduce_orders_extra, 0, LIMIT_OPEN_MAX, fault) &&
           in_range(where, "margin_ppm", l->margin_ppm, 0, MARGIN_PPM_MAX, fault) &&
           in_range(where, "self_match", l->self_match, 0, SELF_MATCH_MODE_COUNT - 1, fault) &&
           rate_ok(where, "order_rate", l->order_rate, fault);
}

static bool
group_ok(const char *where, const struct group_limits *l, fault_money_fn money, struct fault *fault)
{
    return money(where, "gross_max", l->gross_max, fault) && money(where, "net_max", l->net_max, fault) &&
           money(where, "day_value_max", l->day_value_max, fault) &&
           money(where, "day_loss_max", l->day_loss_max, fault) && money(where, "drawdown_max", l->drawdown_max, fault);
}

/* A limit of money; without a reporting currency there can be none. */
static bool
money_ok(const char *where, const char *key, value_t v, struct fault *fault)
{
    return in_range(where, key, v, 1, LIMIT_NONE, fault);
}

static bool
money_none(const char *where, const char *key, value_t v, struct fault *fault)
{
    if (v == LIMIT_NONE)
        return true;
    return FAULT(fault, "%s.%s: is set, but no reporting currency is: expected limits.reporting", where, key);
}

static bool
client_ok(const char *where, const struct client_limits *l, struct fault *fault)
{
    return in_range(where, "open_orders_max", l->open_orders_max, 1, LIMIT_OPEN_MAX, fault) &&
           rate_ok(where, "order_rate", l->order_rate, fault) && rate_ok(where, "denied_rate", l->denied_rate, fault) &&
           rate_ok(where, "cancel_rate", l->cancel_rate, fault) &&
           rate_ok(where, "replace_rate", l->replace_rate, fault) &&
           in_range(where, "messages_per_fill_max", l->messages_per_fill_max, 1, LIMIT_COUNT_NONE, fault) &&
           in_range(where, "repeat_executions_max", l->repeat_executions_max, 1, LIMIT_COUNT_NONE, fault) &&
           in_range(where, "rejects_max", l->rejects_max, 1, LIMIT_OPEN_MAX, fault);
}

static bool
account_ok(const char *where, const struct account_limits *l, struct fault *fault)
{
    return in_range(where, "open_orders_max", l->open_orders_max, 1, LIMIT_OPEN_MAX, fault) &&
           rate_ok(where, "order_rate", l->order_rate, fault) && rate_ok(where, "reduce_rate", l->reduce_rate, fault) &&
           in_range(where, "leverage_max_ppm", l->leverage_max_ppm, 1, LIMIT_COUNT_NONE, fault);
}

static bool
venue_ok(const char *where, const struct venue_limits *l, struct fault *fault)
{
    return rate_ok(where, "order_rate", l->order_rate, fault) &&
           in_range(where, "clock_offset_max_ns", l->clock_offset_max_ns, 1, LIMIT_AGE_MAX_NS, fault) &&
           in_range(where, "rejects_max", l->rejects_max, 1, LIMIT_OPEN_MAX, fault) &&
           in_range(where, "ack_p99_max_ns", l->ack_p99_max_ns, 0, LIMIT_AGE_MAX_NS, fault);
}

static bool
overrides_ok(const struct risk_limits *l, struct fault *fault)
{
    char where[64];

    if (!in_range("limits", "override_count", l->override_count, 0, INSTRUMENT_MAX, fault))
        return false;
    for (uint32_t i = 0; i < l->override_count; i++) {
        const struct instrument_override *o = &l->override[i];
        if (memchr(o->symbol, '\0', SYMBOL_BYTES) == NULL || o->symbol[0] == '\0')
            return FAULT(fault, "override[%u].symbol: is empty or too long, expected 1 to %d characters", i,
                         SYMBOL_BYTES - 1);
        if (o->venue >= VENUE_MAX)
            return FAULT(fault, "override[%s].venue: is %u, expected 0 to %d", o->symbol, o->venue, VENUE_MAX - 1);
        for (uint32_t k = 0; k < i; k++)
            if (l->override[k].venue == o->venue && strcmp(l->override[k].symbol, o->symbol) == 0)
                return FAULT(fault, "override[%s]: stated twice for one venue", o->symbol);
        (void)snprintf(where, sizeof(where), "override[%s]", o->symbol);
        if (!instrument_ok(where, &o->limits, fault))
            return false;
    }
    return true;
}

static bool
fixed_ok(const struct risk_limits *l, struct fault *fault)
{
    char where[64];

    if (!in_range("limits", "fixed_count", l->fixed_count, 0, RATE_FIXED_MAX, fault) ||
        !in_range("limits", "permit_count", l->permit_count, 0, PERMIT_MAX, fault))
        return false;
    for (uint32_t i = 0; i < l->fixed_count; i++) {
        (void)snprintf(where, sizeof(where), "rate[%.*s]", CURRENCY_BYTES, l->fixed[i].currency);
        if (!in_range(where, "rate", l->fixed[i].rate, 1, INT64_MAX, fault))
            return false;
    }
    for (uint32_t i = 0; i < l->permit_count; i++)
        if (l->permit[i].client >= CLIENT_MAX)
            return FAULT(fault, "permit[%u].client: is %u, expected 0 to %d", i, l->permit[i].client, CLIENT_MAX - 1);
    return true;
}

/* Everything that is stated once. */
static bool
general_ok(const struct risk_limits *l, struct fault *fault)
{
    return in_range("limits", "open_orders_max", l->open_orders_max, 1, LIMIT_OPEN_MAX, fault) &&
           in_range("limits", "mark_age_max_ns", l->mark_age_max_ns, 1, LIMIT_AGE_MAX_NS, fault) &&
           in_range("limits", "rate_age_max_ns", l->rate_age_max_ns, 1, LIMIT_AGE_MAX_NS, fault) &&
           in_range("limits", "roll_s", l->roll_s, 0, 86399, fault) &&
           in_range("limits", "duplicate_max", l->duplicate_max, 1, LIMIT_COUNT_NONE, fault) &&
           in_range("limits", "duplicate_window_ns", l->duplicate_window_ns, 1, LIMIT_AGE_MAX_NS, fault) &&
           in_range("limits", "breaker_window_ns", l->breaker_window_ns, 1, LIMIT_AGE_MAX_NS, fault) &&
           in_range("limits", "latency_p999_max_ns", l->latency_p999_max_ns, 0, LIMIT_AGE_MAX_NS, fault) &&
           in_range("limits", "stall_max_ns", l->stall_max_ns, 0, LIMIT_AGE_MAX_NS, fault) &&
           in_range("limits", "latency_samples_min", l->latency_samples_min, 1, LIMIT_OPEN_MAX, fault) &&
           fixed_ok(l, fault);
}

/* Limits of money at every level that is stated. */
static bool
groups_ok(const struct risk_limits *l, struct fault *fault)
{
    fault_money_fn money = l->reporting[0] != '\0' ? money_ok : money_none;

    if (!group_ok("global", &l->global, money, fault) ||
        !group_ok("client_default", &l->client_default.group, money, fault) ||
        !group_ok("account_default", &l->account_default.group, money, fault) ||
        !group_ok("venue_default", &l->venue_default.group, money, fault) ||
        !money("client_default", "loss_window_max", l->client_default.loss_window_max, fault))
        return false;
    for (uint32_t i = 0; i < CLIENT_MAX; i++)
        if ((l->client_set >> i & 1) != 0 && (!group_ok("client", &l->client[i].group, money, fault) ||
                                              !money("client", "loss_window_max", l->client[i].loss_window_max, fault)))
            return false;
    for (uint32_t i = 0; i < ACCOUNT_MAX; i++)
        if ((l->account_set >> i & 1) != 0 && !group_ok("account", &l->account[i].group, money, fault))
            return false;
    for (uint32_t i = 0; i < VENUE_MAX; i++)
        if ((l->venue_set >> i & 1) != 0 && !group_ok("venue", &l->venue[i].group, money, fault))
            return false;
    return true;
}

bool
limits_validate(const struct risk_limits *l, struct fault *fault)
{
    char where[32];

    if (l->version == 0)
        return FAULT(fault, "limits.version: is 0, expected a number from 1 that rises with every change");
    if (!general_ok(l, fault) || !instrument_ok("instrument_default", &l->instrument_default, fault) ||
        !client_ok("client_default", &l->client_default, fault) ||
        !account_ok("account_default", &l->account_default, fault) ||
        !venue_ok("venue_default", &l->venue_default, fault))
        return false;
    for (uint32_t i = 0; i < CLIENT_MAX; i++) {
        (void)snprintf(where, sizeof(where), "client[%u]", i);
        if ((l->client_set >> i & 1) != 0 && !client_ok(where, &l->client[i], fault))
            return false;
    }
    for (uint32_t i = 0; i < ACCOUNT_MAX; i++) {
        (void)snprintf(where, sizeof(where), "account[%u]", i);
        if ((l->account_set >> i & 1) != 0 && !account_ok(where, &l->account[i], fault))
            return false;
    }
    for (uint32_t i = 0; i < VENUE_MAX; i++) {
        (void)snprintf(where, sizeof(where), "venue[%u]", i);
        if ((l->venue_set >> i & 1) != 0 && !venue_ok(where, &l->venue[i], fault))
            return false;
    }
    return overrides_ok(l, fault) && groups_ok(l, fault);
}

const struct instrument_limits *
limits_of(const struct risk_limits *l, const struct instrument *ins)
{
    for (uint32_t i = 0; i < l->override_count && i < INSTRUMENT_MAX; i++)
        if (l->override[i].venue == ins->venue && strncmp(l->override[i].symbol, ins->symbol, SYMBOL_BYTES) == 0)
            return &l->override[i].limits;
    return &l->instrument_default;
}

/* A quantity at LIMIT_QTY_DECIMALS in another number of decimals. */
static qty_t
qty_rescale(int64_t v, unsigned decimals, bool up)
{
    qty_t out;
    if (decimals >= LIMIT_QTY_DECIMALS) {
        if (__builtin_mul_overflow(v, pow10_i64[decimals - LIMIT_QTY_DECIMALS], &out) || out > RISK_QTY_MAX)
            return RISK_QTY_MAX;
        return out;
    }
    int64_t unit = pow10_i64[LIMIT_QTY_DECIMALS - decimals];
    return v / unit + (up && v % unit != 0 ? 1 : 0);
}

static bool
rules_sane(const struct instrument *ins, struct fault *fault)
{
    if (ins->version == 0 || ins->id >= INSTRUMENT_MAX || ins->venue >= VENUE_MAX)
        return FAULT(fault, "instrument %u: has no version, or its id or venue is out of range", ins->id);
    if (ins->px_decimals > DECIMALS_MAX || ins->qty_decimals > DECIMALS_MAX)
        return FAULT(fault, "instrument %.*s: more than %d decimals", SYMBOL_BYTES, ins->symbol, DECIMALS_MAX);
    if (ins->px_decimals + ins->qty_decimals > DECIMALS_MAX)
        return FAULT(fault, "instrument %.*s: %u decimals of price and %u of quantity, expected %d together at most",
                     SYMBOL_BYTES, ins->symbol, ins->px_decimals, ins->qty_decimals, DECIMALS_MAX);
    if (ins->tick < 1 || ins->step < 1)
        return FAULT(fault, "instrument %.*s: tick %lld and step %lld, expected at least 1", SYMBOL_BYTES, ins->symbol,
                     (long long)ins->tick, (long long)ins->step);
    if (ins->multiplier < 1)
        return FAULT(fault, "instrument %.*s: multiplier %lld, expected at least 1", SYMBOL_BYTES, ins->symbol,
                     (long long)ins->multiplier);
    if (ins->qty_min < 0 || ins->qty_max < ins->qty_min || ins->px_min < 0 || ins->px_max < ins->px_min ||
        ins->notional_min < 0 || ins->notional_max < 0)
        return FAULT(fault, "instrument %.*s: a minimum is above its maximum or negative", SYMBOL_BYTES, ins->symbol);
    return true;
}

/* The venue's maximum where it states one (0 = it does not). */
static int64_t
tighter_max(int64_t ours, int64_t venues)
{
    return venues > 0 ? MIN(ours, venues) : ours;
}

bool
limits_resolve(const struct instrument_limits *l, const struct instrument *ins, struct resolved_limits *out,
               struct fault *fault)
{
    memset(out, 0, sizeof(*out));
    if (!rules_sane(ins, fault))
        return false;
    unsigned d = ins->qty_decimals;
    struct resolved_limits r = {
        .tick = ins->tick,
        .px_min = ins->px_min,
        .px_max = ins->px_max > 0 ? ins->px_max : INT64_MAX,
        .step = ins->step,
        .qty_min = MAX(qty_rescale(l->order_qty_min, d, true), ins->qty_min),
        .qty_max = tighter_max(qty_rescale(l->order_qty_max, d, false), ins->qty_max),
        .notional_min = MAX(l->order_notional_min, ins->notional_min),
        .notional_max = tighter_max(l->order_notional_max, ins->notional_max),
        .long_max = qty_rescale(l->position_long_max, d, false),
        .short_max = qty_rescale(l->position_short_max, d, false),
        .tob_age_max_ns = l->tob_age_max_ns,
        .good_age_max_ns = l->good_age_max_ns,
        .multiplier = ins->multiplier,
        .collar_ppm = l->collar_ppm,
        .reduce_collar_ppm = l->reduce_collar_ppm,
        .spread_max_ppm = l->spread_max_ppm,
        .open_orders_max = (uint32_t)tighter_max(l->open_orders_max, ins->orders_max),
        .reduce_orders_extra = l->reduce_orders_extra,
        .margin_ppm = l->margin_ppm,
        .px_decimals = ins->px_decimals,
        .qty_decimals = ins->qty_decimals,
        .kind = ins->kind,
        .self_match = l->self_match,
        .restricted = l->restricted,
    };
    if (r.qty_max < r.qty_min || r.qty_max < 1)
        return FAULT(fault, "instrument %.*s: order quantity minimum %lld is above its maximum %lld (in 10^-%u)",
                     SYMBOL_BYTES, ins->symbol, (long long)r.qty_min, (long long)r.qty_max, d);
    if (r.notional_max < r.notional_min)
        return FAULT(fault, "instrument %.*s: order notional minimum %lld is above its maximum %lld (in 10^-8)",
                     SYMBOL_BYTES, ins->symbol, (long long)r.notional_min, (long long)r.notional_max);
    r.instrument_version = ins->version;
    *out = r;
    return true;
}
