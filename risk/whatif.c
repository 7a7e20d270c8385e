/* What would pass, and what each limit stands at. Cold. See risk.h. */
#include "risk/risk_state.h"

/* ---- the largest quantity ---------------------------------------------------------------------------------------- */

/* Repeats are of one quantity alone, others may pass: left for the end. */
static bool
would_pass(struct risk *r, struct risk_order *o, qty_t qty, const struct md_ref *md, struct now now,
           struct risk_verdict *out)
{
    o->qty = qty;
    enum deny_reason why = risk_peek(r, o, md, now, out);
    return why == DENY_NONE || why == DENY_DUPLICATE_CONTENT;
}

#define REPEATS_MAX 16 /* quantities looked at below the largest, where those are repeated */

qty_t
risk_whatif(struct risk *r, const struct risk_order *order, const struct md_ref *md, struct now now,
            struct risk_verdict *binding)
{
    struct risk_order o = *order;
    bool indexed = o.account < r->counts.accounts && o.instrument < r->counts.instruments && o.ins != NULL;
    const struct resolved_limits *l = indexed ? &cell_at(r, o.account, o.instrument)->limits : NULL;
    px_t px = o.type == ORDER_MARKET ? o.sweep_px : o.px;

    if (l == NULL || l->instrument_version == 0 || px <= 0) {
        (void)would_pass(r, &o, 1, md, now, binding);
        return 0;
    }
    /* The smallest count of steps that meets every minimum; above it, more quantity can only fail more checks. */
    int64_t lo = MAX((l->qty_min + l->step - 1) / l->step, 1);
    int64_t hi = MAX(l->qty_max / l->step, lo);
    int64_t a = lo;
    int64_t b = hi;
    while (a < b) {
        int64_t mid = a + (b - a) / 2;
        if (limits_notional(l, px, mid * l->step) < l->notional_min)
            a = mid + 1;
        else
            b = mid;
    }
    if (!would_pass(r, &o, a * l->step, md, now, binding))
        return 0;
    struct risk_verdict probe;
    int64_t first = a;
    b = hi;
    while (a < b) {
        int64_t mid = a + (b - a + 1) / 2;
        if (would_pass(r, &o, mid * l->step, md, now, &probe))
            a = mid;
        else
            b = mid - 1;
    }
    struct risk_verdict past;
    (void)would_pass(r, &o, (a + 1) * l->step, md, now, &past);
    for (unsigned i = 0; i < REPEATS_MAX && a >= first; i++, a--) {
        o.qty = a * l->step;
        enum deny_reason why = risk_peek(r, &o, md, now, binding);
        if (why == DENY_NONE) {
            *binding = past;
            return o.qty;
        }
        if (why != DENY_DUPLICATE_CONTENT)
            return 0;
        past = *binding;
    }
    return 0;
}

/* ---- gauges ------------------------------------------------------------------------------------------------------ */

struct gauges {
    struct risk_gauge *out;
    uint32_t count;
    enum trading_level level;
    uint32_t id;
};

static int64_t
clamp64(wide_t v)
{
    return v > INT64_MAX ? INT64_MAX : v < -INT64_MAX ? -INT64_MAX : (int64_t)v;
}

static void
gauge(struct gauges *g, const char *name, enum deny_reason check, enum gauge_unit unit, wide_t used, int64_t limit)
{
    if (g->count == RISK_GAUGES_MAX)
        return;
    int64_t u = clamp64(used);
    wide_t left = (wide_t)limit - used;
    g->out[g->count++] = (struct risk_gauge){ .name = name,
                                              .check = (uint8_t)check,
                                              .level = (uint8_t)g->level,
                                              .unit = (uint8_t)unit,
                                              .id = g->id,
                                              .limit = limit,
                                              .used = u,
                                              .headroom = clamp64(MAX(left, 0)) };
}

/* Tokens spent of the burst. */
static void
gauge_rate(struct gauges *g, const char *name, enum deny_reason check, struct throttle *t, struct now now)
{
    throttle_refill(t, now.mono);
    gauge(g, name, check, GAUGE_COUNT, (int64_t)t->rate.burst - throttle_tokens(t), t->rate.burst);
}

static void
gauge_money(struct gauges *g, const char *name, enum deny_reason check, wide_t used, value_t limit)
{
    if (limit != LIMIT_NONE)
        gauge(g, name, check, GAUGE_VALUE, used, limit);
}

static void
gauge_group(struct gauges *g, const struct group *x)
{
    wide_t result = group_day_result(x);

    gauge_money(g, "gross_exposure", DENY_EXPOSURE, x->gross, x->limits.gross_max);
    gauge_money(g, "net_exposure", DENY_EXPOSURE, MAX(x->net_long, -x->net_short), x->limits.net_max);
    gauge_money(g, "daily_value", DENY_DAILY_VALUE, x->open + x->day_value, x->limits.day_value_max);
    gauge_money(g, "daily_loss", DENY_DAILY_LOSS, MAX(-result, 0), x->limits.day_loss_max);
    gauge_money(g, "drawdown", DENY_DRAWDOWN, x->day_best - result, x->limits.drawdown_max);
}

static void
gauges_instrument(struct gauges *g, struct risk *r, uint32_t account, const struct md_ref *md, struct now now)
{
    struct cell *c = cell_at(r, account, g->id);
    const struct resolved_limits *l = &c->limits;
    const struct position *p = &c->position;

    if (l->instrument_version == 0)
        return;
    gauge(g, "market_age", DENY_STALE_MARKET, GAUGE_NS,
          md != NULL && md->tob.recv_ns != 0 ? now.mono.ns - md->tob.recv_ns : INT64_MAX, l->tob_age_max_ns);
    gauge(g, "order_qty", DENY_ORDER_QTY, GAUGE_QTY, 0, l->qty_max);
    gauge(g, "order_notional", DENY_ORDER_NOTIONAL, GAUGE_VALUE, 0, l->notional_max);
    gauge(g, "price_collar", DENY_PRICE_COLLAR, GAUGE_PPM, 0, l->collar_ppm);
    gauge(g, "open_orders", DENY_OPEN_ORDERS, GAUGE_COUNT, p->open_count, l->open_orders_max);
    gauge(g, "position_long", DENY_POSITION, GAUGE_QTY, MAX(position_worst(p, SIDE_BUY, 0), 0), l->long_max);
    gauge(g, "position_short", DENY_POSITION, GAUGE_QTY, MAX(-position_worst(p, SIDE_SELL, 0), 0), l->short_max);
    gauge_rate(g, "order_rate", DENY_ORDER_RATE, &c->order_rate, now);
}

static void
gauges_client(struct gauges *g, struct risk *r, struct now now)
{
    struct client_state *c = &r->client[g->id];

    gauge(g, "open_orders", DENY_OPEN_ORDERS, GAUGE_COUNT, r->totals.open_client[g->id], c->open_orders_max);
    gauge_group(g, &c->group);
    gauge(g, "rejects", DENY_BREAKER, GAUGE_COUNT, c->rejects.beyond, c->rejects_max);
    gauge_rate(g, "order_rate", DENY_ORDER_RATE, &c->order_rate, now);
    gauge_rate(g, "replace_rate", DENY_CANCEL_RATE, &c->replace_rate, now);
    gauge_rate(g, "cancel_rate", DENY_CANCEL_RATE, &c->cancel_rate, now);
    gauge_rate(g, "denied_rate", DENY_HALTED, &c->denied_rate, now);
    gauge(g, "messages_per_fill", DENY_CANCEL_RATE, GAUGE_COUNT, c->messages,
          clamp64(MAX((wide_t)c->messages_free, (wide_t)c->messages_per_fill_max * MAX(c->fills, 1u))));
    if (c->repeat_executions_max != LIMIT_COUNT_NONE)
        gauge(g, "repeat_executions", DENY_REPEAT_EXECUTIONS, GAUGE_COUNT, c->executions, c->repeat_executions_max);
}

static void
gauges_account(struct gauges *g, struct risk *r, uint32_t instrument, struct now now)
{
    struct account_state *a = &r->account[g->id];
    const struct market *m = &r->market[instrument];
    const uint16_t ccy[] = { m->quote_ccy, m->base_ccy };
    static const char *const name[] = { "balance_quote", "balance_base" };

    gauge(g, "open_orders", DENY_OPEN_ORDERS, GAUGE_COUNT, r->totals.open_account[g->id], a->open_orders_max);
    gauge_group(g, &a->group);
    for (unsigned i = 0; i < ARRAY_LEN(ccy); i++) {
        const struct balance *b = &r->balance[g->id][ccy[i]];
        const int64_t per_value = pow10_i64[NEED_DECIMALS - VALUE_DECIMALS];
        if (b->known)
            gauge(g, name[i], DENY_BALANCE, GAUGE_VALUE, (b->need + b->margin) / per_value,
                  clamp64(b->budget / per_value));
    }
    gauge_rate(g, "order_rate", DENY_ORDER_RATE, &a->order_rate, now);
    gauge_rate(g, "reduce_rate", DENY_ORDER_RATE, &a->reduce_rate, now);
}

static void
gauges_venue(struct gauges *g, struct risk *r, struct now now)
{
    struct venue_state *v = &r->venue[g->id];
    int64_t offset = v->now.clock_offset_ns;

    gauge(g, "clock_offset", DENY_CLOCK, GAUGE_NS, v->now.clock_known ? MAX(offset, -offset) : INT64_MAX,
          v->clock_offset_max_ns);
    gauge_group(g, &v->group);
    gauge(g, "rejects", DENY_BREAKER, GAUGE_COUNT, v->rejects.beyond, v->rejects_max);
    gauge_rate(g, "order_rate", DENY_ORDER_RATE, &v->order_rate, now);
}

uint32_t
risk_gauges(struct risk *r, uint32_t client, uint32_t account, uint32_t instrument, const struct md_ref *md,
            struct now now, struct risk_gauge out[RISK_GAUGES_MAX])
{
    ASSERT(client < CLIENT_MAX && account < r->counts.accounts && instrument < r->counts.instruments);
    struct gauges g = { .out = out, .level = LEVEL_INSTRUMENT, .id = instrument };

    gauges_instrument(&g, r, account, md, now);
    g.level = LEVEL_CLIENT;
    g.id = client;
    gauges_client(&g, r, now);
    g.level = LEVEL_ACCOUNT;
    g.id = account;
    gauges_account(&g, r, instrument, now);
    g.level = LEVEL_VENUE;
    g.id = r->market[instrument].venue;
    gauges_venue(&g, r, now);
    g.level = LEVEL_GLOBAL;
    g.id = 0;
    gauge(&g, "open_orders", DENY_OPEN_ORDERS, GAUGE_COUNT, r->totals.open_total, r->open_orders_max);
    gauge_group(&g, &r->global);
    return g.count;
}
