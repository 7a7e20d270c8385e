/* From configured text to the limits that risk checks. See config_limits.h. */
#include "engine/config_limits.h"

static bool
decimal(const char *text, int64_t none, const char *where, const char *key, int64_t *out, struct fault *fault)
{
    char name[96];

    (void)snprintf(name, sizeof(name), "%s.%s", where, key);
    return config_decimal(text, LIMIT_QTY_DECIMALS, none, name, out, fault);
}

static bool
instrument_limits(const struct config_limits *c, const char *where, struct instrument_limits *l, struct fault *fault)
{
    if (!decimal(c->order_qty_min, 0, where, "order_qty_min", &l->order_qty_min, fault) ||
        !decimal(c->order_qty_max, 0, where, "order_qty_max", &l->order_qty_max, fault) ||
        !decimal(c->order_notional_min, 0, where, "order_notional_min", &l->order_notional_min, fault) ||
        !decimal(c->order_notional_max, 0, where, "order_notional_max", &l->order_notional_max, fault) ||
        !decimal(c->position_max, 0, where, "position_max", &l->position_long_max, fault))
        return false;
    l->position_short_max = l->position_long_max;
    if (*c->position_short_max != '\0' &&
        !decimal(c->position_short_max, 0, where, "position_short_max", &l->position_short_max, fault))
        return false;
    l->tob_age_max_ns = c->tob_age_max_ms * NS_PER_MS;
    l->good_age_max_ns = MAX(c->good_age_max_ms * NS_PER_MS, l->tob_age_max_ns);
    l->collar_ppm = (uint32_t)c->collar_ppm;
    l->reduce_collar_ppm = (uint32_t)MAX(c->reduce_collar_ppm, c->collar_ppm);
    l->spread_max_ppm = (uint32_t)c->spread_max_ppm;
    l->margin_ppm = (uint32_t)c->margin_ppm;
    l->self_match = (uint8_t)c->self_match;
    l->open_orders_max = (uint32_t)c->open_orders_max;
    l->order_rate = (struct rate_limit){ (uint32_t)c->order_rate, (uint32_t)c->order_burst };
    l->restricted = c->restricted;
    return true;
}

/* Every venue that lists the symbol gets the override. */
static bool
overrides(const struct config *c, struct risk_limits *out, struct fault *fault)
{
    for (uint32_t i = 0; i < c->risk.overrides; i++) {
        const struct config_limits *o = &c->risk.override[i];
        char where[64];
        (void)snprintf(where, sizeof(where), "risk.instrument.%.23s", o->symbol);
        for (uint16_t v = 0; v < c->venues; v++) {
            struct instrument_override *to = &out->override[out->override_count];
            bool listed = false;
            for (uint32_t s = 0; s < c->venue[v].symbols; s++)
                listed |= strcmp(c->venue[v].symbol[s], o->symbol) == 0;
            if (!listed)
                continue;
            if (out->override_count == INSTRUMENT_MAX)
                return FAULT(fault, "%s: more than %d overrides", where, INSTRUMENT_MAX);
            to->venue = v;
            (void)snprintf(to->symbol, sizeof(to->symbol), "%s", o->symbol);
            to->limits = out->instrument_default;
            if (!instrument_limits(o, where, &to->limits, fault))
                return false;
            out->override_count++;
        }
    }
    return true;
}

/* Limits of money of one level; "" is none. */
static bool
group(const struct config_group *c, const char *where, struct group_limits *l, struct fault *fault)
{
    return decimal(c->gross_exposure_max, LIMIT_NONE, where, "gross_exposure_max", &l->gross_max, fault) &&
           decimal(c->net_exposure_max, LIMIT_NONE, where, "net_exposure_max", &l->net_max, fault) &&
           decimal(c->daily_value_max, LIMIT_NONE, where, "daily_value_max", &l->day_value_max, fault) &&
           decimal(c->daily_loss_max, LIMIT_NONE, where, "daily_loss_max", &l->day_loss_max, fault) &&
           decimal(c->drawdown_max, LIMIT_NONE, where, "drawdown_max", &l->drawdown_max, fault);
}

static struct rate_limit
rate(int64_t per_s, int64_t burst)
{
    return (struct rate_limit){ (uint32_t)per_s, (uint32_t)burst };
}

static void
general(const struct config_risk *r, struct risk_limits *out)
{
    out->open_orders_max = (uint32_t)r->total_open_orders_max;
    memcpy(out->reporting, r->reporting_currency, sizeof(out->reporting));
    out->mark_age_max_ns = r->mark_age_max_ms * NS_PER_MS;
    out->rate_age_max_ns = r->rate_age_max_ms * NS_PER_MS;
    out->roll_s = (uint32_t)r->day_start_s;
    out->duplicate_max = (uint32_t)r->duplicate_max;
    out->duplicate_window_ns = r->duplicate_window_ms * NS_PER_MS;
    out->breaker_window_ns = r->breaker_window_ms * NS_PER_MS;
    out->latency_p999_max_ns = r->latency_p999_max_ms * NS_PER_MS;
    out->stall_max_ns = r->stall_max_ms * NS_PER_MS;
    out->latency_samples_min = (uint32_t)r->latency_samples_min;
}

static void
client_default(const struct config_risk *r, struct client_limits *l)
{
    l->open_orders_max = (uint32_t)r->strategy_open_orders_max;
    l->order_rate = rate(r->total_order_rate, r->total_order_burst);
    l->denied_rate = rate(r->deny_rate, r->deny_burst);
    l->cancel_rate = rate(r->cancel_rate, r->cancel_burst);
    l->replace_rate = rate(r->replace_rate, r->replace_burst);
    l->messages_free = (uint32_t)r->messages_free;
    l->messages_per_fill_max = (uint32_t)r->messages_per_fill_max;
    l->repeat_executions_max = (uint32_t)r->repeat_executions_max;
    l->rejects_max = (uint32_t)r->strategy_rejects_max;
    l->flood_halts = r->flood_halts;
}

/* Which accounts, instruments and verbs a strategy may use. */
static bool
permissions(const struct config *c, const struct config_strategy *s, struct risk_limits *out, struct fault *fault)
{
    struct client_limits *l = &out->client[s->id];

    if (s->accounts.count > 0)
        l->accounts = 0;
    for (uint32_t i = 0; i < s->accounts.count; i++)
        for (uint32_t a = 0; a < c->accounts; a++)
            if (strcmp(c->account[a].name, s->accounts.name[i]) == 0)
                l->accounts |= 1u << c->account[a].id;
    if (s->verbs.count > 0)
        l->verbs &= ~(1u << COMMAND_NEW | 1u << COMMAND_REPLACE);
    for (uint32_t i = 0; i < s->verbs.count; i++)
        l->verbs |= strcmp(s->verbs.name[i], "new") == 0 ? 1u << COMMAND_NEW : 1u << COMMAND_REPLACE;
    l->symbols_only = s->symbols.count > 0;
    for (uint32_t i = 0; i < s->symbols.count; i++) {
        if (out->permit_count == PERMIT_MAX)
            return FAULT(fault, "strategy.%s.symbols: more than %d symbols of all strategies", s->name, PERMIT_MAX);
        struct permit *p = &out->permit[out->permit_count++];
        p->client = (uint16_t)s->id;
        (void)snprintf(p->symbol, sizeof(p->symbol), "%s", s->symbols.name[i]);
    }
    return true;
}

static bool
strategies(const struct config *c, struct risk_limits *out, struct fault *fault)
{
    char where[64];

    for (uint32_t i = 0; i < c->strategies; i++) {
        const struct config_strategy *s = &c->strategy[i];
        struct client_limits *l = &out->client[s->id];
        out->client_set |= UINT64_C(1) << s->id;
        *l = out->client_default;
        l->order_rate = rate(s->order_rate, s->order_burst);
        if (!permissions(c, s, out, fault))
            return false;
        for (uint32_t g = 0; g < c->risk.strategies; g++) {
            const struct config_group *from = &c->risk.strategy[g];
            if (strcmp(from->name, s->name) != 0)
                continue;
            (void)snprintf(where, sizeof(where), "risk.strategy.%s", s->name);
            if (!group(from, where, &l->group, fault) ||
                !decimal(from->loss_window_max, LIMIT_NONE, where, "loss_window_max", &l->loss_window_max, fault))
                return false;
            if (from->repeat_executions_max != 0)
                l->repeat_executions_max = (uint32_t)from->repeat_executions_max;
        }
    }
    return true;
}

static bool
accounts(const struct config *c, struct risk_limits *out, struct fault *fault)
{
    char where[64];

    for (uint32_t i = 0; i < c->accounts; i++) {
        const struct config_account *a = &c->account[i];
        struct account_limits *l = &out->account[a->id];
        out->account_set |= 1u << a->id;
        *l = out->account_default;
        for (uint32_t g = 0; g < c->risk.accounts; g++) {
            const struct config_group *from = &c->risk.account[g];
            if (strcmp(from->name, a->name) != 0)
                continue;
            (void)snprintf(where, sizeof(where), "risk.account.%s", a->name);
            if (!group(from, where, &l->group, fault))
                return false;
            if (from->leverage_max_ppm != 0)
                l->leverage_max_ppm = (uint32_t)from->leverage_max_ppm;
        }
    }
    return true;
}

static bool
venues(const struct config *c, struct risk_limits *out, struct fault *fault)
{
    char where[64];

    for (uint32_t i = 0; i < c->venues; i++) {
        struct venue_limits *l = &out->venue[i];
        out->venue_set |= 1u << i;
        *l = out->venue_default;
        for (uint32_t g = 0; g < c->risk.venues; g++) {
            if (strcmp(c->risk.venue[g].name, c->venue[i].name) != 0)
                continue;
            (void)snprintf(where, sizeof(where), "risk.venue.%s", c->venue[i].name);
            if (!group(&c->risk.venue[g], where, &l->group, fault))
                return false;
        }
    }
    return true;
}

static bool
rates(const struct config *c, struct risk_limits *out, struct fault *fault)
{
    char where[64];

    for (uint32_t i = 0; i < c->risk.rates && i < RATE_FIXED_MAX; i++) {
        struct rate_fixed *to = &out->fixed[out->fixed_count++];
        (void)snprintf(where, sizeof(where), "risk.rate.%s.rate", c->risk.rate[i].name);
        (void)snprintf(to->currency, sizeof(to->currency), "%.*s", CURRENCY_BYTES - 1, c->risk.rate[i].name);
        if (!config_decimal(c->risk.rate[i].rate, RATE_DECIMALS, 0, where, &to->rate, fault))
            return false;
    }
    return true;
}

bool
config_limits_build(const struct config *c, uint32_t version, struct risk_limits *out, struct fault *fault)
{
    const struct config_risk *r = &c->risk;

    limits_default(out);
    out->version = version;
    general(r, out);
    client_default(r, &out->client_default);
    out->account_default.open_orders_max = (uint32_t)r->account_open_orders_max;
    out->account_default.order_rate = out->client_default.order_rate;
    out->account_default.reduce_rate = rate(r->reduce_rate, r->reduce_burst);
    out->venue_default.order_rate = out->client_default.order_rate;
    out->venue_default.clock_offset_max_ns = r->clock_offset_max_ms * NS_PER_MS;
    out->venue_default.rejects_max = (uint32_t)r->venue_rejects_max;
    out->venue_default.ack_p99_max_ns = r->ack_p99_max_ms * NS_PER_MS;
    return instrument_limits(&r->limits, "risk", &out->instrument_default, fault) &&
           group(&r->global, "risk.global", &out->global, fault) && strategies(c, out, fault) &&
           accounts(c, out, fault) && venues(c, out, fault) && rates(c, out, fault) && overrides(c, out, fault) &&
           limits_validate(out, fault);
}
