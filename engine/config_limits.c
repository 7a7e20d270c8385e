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
    l->tob_age_max_ns = c->tob_age_max_ms * NS_PER_MS;
    l->good_age_max_ns = MAX(l->good_age_max_ns, l->tob_age_max_ns);
    l->collar_ppm = (uint32_t)MIN(c->collar_ppm, (int64_t)COLLAR_PPM_MAX);
    l->reduce_collar_ppm = MAX(l->reduce_collar_ppm, l->collar_ppm);
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

bool
config_limits_build(const struct config *c, uint32_t version, struct risk_limits *out, struct fault *fault)
{
    const struct config_risk *r = &c->risk;

    limits_default(out);
    out->version = version;
    out->open_orders_max = (uint32_t)r->total_open_orders_max;
    if (!instrument_limits(&r->limits, "risk", &out->instrument_default, fault))
        return false;
    out->client_default.open_orders_max = (uint32_t)r->strategy_open_orders_max;
    out->client_default.order_rate =
        (struct rate_limit){ (uint32_t)r->total_order_rate, (uint32_t)r->total_order_burst };
    out->client_default.denied_rate = (struct rate_limit){ (uint32_t)r->deny_rate, (uint32_t)r->deny_burst };
    out->client_default.cancel_rate = (struct rate_limit){ (uint32_t)r->cancel_rate, (uint32_t)r->cancel_burst };
    out->account_default.open_orders_max = (uint32_t)r->account_open_orders_max;
    out->account_default.order_rate = out->client_default.order_rate;
    out->account_default.reduce_rate = (struct rate_limit){ (uint32_t)r->reduce_rate, (uint32_t)r->reduce_burst };
    out->venue_default.order_rate = out->client_default.order_rate;
    out->venue_default.clock_offset_max_ns = r->clock_offset_max_ms * NS_PER_MS;
    for (uint32_t i = 0; i < c->strategies; i++) {
        const struct config_strategy *s = &c->strategy[i];
        out->client_set |= UINT64_C(1) << s->id;
        out->client[s->id] = out->client_default;
        out->client[s->id].order_rate = (struct rate_limit){ (uint32_t)s->order_rate, (uint32_t)s->order_burst };
    }
    return overrides(c, out, fault) && limits_validate(out, fault);
}
