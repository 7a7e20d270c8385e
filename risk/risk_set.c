/* Limits, definitions, permissions, venue state: the cold half of what the checks read. See risk_state.h. */
#include "risk/risk_state.h"

static size_t
parts_bytes(const struct risk_counts *c)
{
    return sizeof(uint16_t) * CLIENT_MAX * c->accounts * c->instruments;
}

size_t
risk_footprint(const struct risk_counts *c)
{
    size_t cells = (size_t)c->accounts * c->instruments;

    return arena_cost(sizeof(struct risk)) + arena_cost(sizeof(struct cell) * cells) +
           arena_cost(sizeof(struct holding) * cells) + arena_cost(sizeof(struct market) * c->instruments) +
           arena_cost(sizeof(struct own_side) * 2 * c->instruments) + arena_cost(parts_bytes(c)) +
           arena_cost(sizeof(struct holding) * PARTS_MAX);
}

struct risk *
risk_init(const struct risk_counts *c, struct arena *arena)
{
    ASSERT(c->accounts >= 1 && c->accounts <= ACCOUNT_MAX);
    ASSERT(c->instruments >= 1 && c->instruments <= INSTRUMENT_MAX);
    size_t cells = (size_t)c->accounts * c->instruments;
    struct risk *r = arena_take(arena, sizeof(*r));

    r->cell = arena_take(arena, sizeof(struct cell) * cells);
    r->account_part = arena_take(arena, sizeof(struct holding) * cells);
    r->market = arena_take(arena, sizeof(struct market) * c->instruments);
    r->own = arena_take(arena, sizeof(struct own_side) * 2 * c->instruments);
    r->part_of = arena_take(arena, parts_bytes(c));
    r->part = arena_take(arena, sizeof(struct holding) * PARTS_MAX);
    r->parts = 1; /* the first stands for none */
    r->day = -1;
    r->counts = *c;
    kill_init(&r->kill);
    return r;
}

/* ---- limits ------------------------------------------------------------------------------------------------------ */

/* A bucket that was never set starts full; a new rate keeps what is saved. */
static void
rate_change(struct throttle *t, struct rate_limit rate, struct now now)
{
    if (t->rate.per_s == 0)
        throttle_init(t, rate, now.mono);
    else
        throttle_set(t, rate, now.mono);
}

/* One instrument's limits into its cell of every account: looked up and resolved once. What cannot be resolved has
 * version 0 and denies. */
static bool
instrument_resolve(struct risk *r, const struct instrument *ins, struct now now, struct fault *fault)
{
    const struct instrument_limits *l = limits_of(&r->limits, ins);
    struct resolved_limits resolved;
    bool ok = limits_resolve(l, ins, &resolved, fault);

    for (uint32_t a = 0; a < r->counts.accounts; a++) {
        struct cell *c = cell_at(r, a, ins->id);
        c->limits = resolved;
        rate_change(&c->order_rate, l->order_rate, now);
    }
    return ok;
}

static void
permit(struct risk *r, const struct instrument *ins)
{
    uint64_t clients = 0;

    for (uint32_t i = 0; i < r->limits.permit_count; i++)
        if (strncmp(r->limits.permit[i].symbol, ins->symbol, SYMBOL_BYTES) == 0)
            clients |= UINT64_C(1) << r->limits.permit[i].client;
    r->market[ins->id].permitted = clients;
}

static void
resolve_all(struct risk *r, struct now now)
{
    struct fault ignored;
    for (uint32_t i = 0; i < r->counts.instruments; i++) {
        if (r->defined[i].version == 0)
            continue;
        (void)instrument_resolve(r, &r->defined[i], now, &ignored);
        permit(r, &r->defined[i]);
    }
}

/* The reporting currency is worth 1; the operator's rates stand above those of books. */
static void
rate_fix(struct risk *r, uint16_t ccy)
{
    const char *name = r->currency[ccy];
    struct rate *x = &r->rate[ccy];

    if (name[0] == '\0')
        return;
    if (x->fixed)
        *x = (struct rate){ 0 };
    if (strncmp(name, r->limits.reporting, CURRENCY_BYTES) == 0)
        *x = (struct rate){ .rate = pow10_i64[RATE_DECIMALS], .fixed = true };
    for (uint32_t i = 0; i < r->limits.fixed_count; i++)
        if (strncmp(name, r->limits.fixed[i].currency, CURRENCY_BYTES) == 0)
            *x = (struct rate){ .rate = r->limits.fixed[i].rate, .fixed = true };
}

static void
clients_set(struct risk *r, struct now now)
{
    for (uint32_t i = 0; i < CLIENT_MAX; i++) {
        const struct client_limits *l = limits_client(&r->limits, i);
        struct client_state *c = &r->client[i];
        rate_change(&c->order_rate, l->order_rate, now);
        rate_change(&c->denied_rate, l->denied_rate, now);
        rate_change(&c->cancel_rate, l->cancel_rate, now);
        rate_change(&c->replace_rate, l->replace_rate, now);
        c->open_orders_max = l->open_orders_max;
        c->accounts = l->accounts;
        c->verbs = l->verbs;
        c->symbols_only = l->symbols_only;
        c->flood_halts = l->flood_halts;
        c->messages_free = l->messages_free;
        c->messages_per_fill_max = l->messages_per_fill_max;
        c->repeat_executions_max = l->repeat_executions_max;
        c->rejects_max = l->rejects_max;
        c->group.limits = l->group;
        c->group.loss_window_max = l->loss_window_max;
        group_rooms(&c->group);
    }
}

static void
others_set(struct risk *r, struct now now)
{
    for (uint32_t i = 0; i < ACCOUNT_MAX; i++) {
        const struct account_limits *l = limits_account(&r->limits, i);
        struct account_state *a = &r->account[i];
        rate_change(&a->order_rate, l->order_rate, now);
        rate_change(&a->reduce_rate, l->reduce_rate, now);
        a->open_orders_max = l->open_orders_max;
        a->leverage_max_ppm = l->leverage_max_ppm;
        a->group.limits = l->group;
        a->group.loss_window_max = LIMIT_NONE;
        group_rooms(&a->group);
    }
    for (uint32_t i = 0; i < VENUE_MAX; i++) {
        const struct venue_limits *l = limits_venue(&r->limits, i);
        struct venue_state *v = &r->venue[i];
        rate_change(&v->order_rate, l->order_rate, now);
        v->clock_offset_max_ns = l->clock_offset_max_ns;
        v->rejects_max = l->rejects_max;
        v->ack_p99_max_ns = l->ack_p99_max_ns;
        v->group.limits = l->group;
        v->group.loss_window_max = LIMIT_NONE;
        group_rooms(&v->group);
    }
    r->global.limits = r->limits.global;
    r->global.loss_window_max = LIMIT_NONE;
    group_rooms(&r->global);
}

/* ---- do they fit what is traded? --------------------------------------------------------------------------------- */

/* Currencies whose worth in the reporting one can be told: itself, the operator's rates, a spot book of both. */
struct rate_paths {
    bool has[CURRENCY_MAX];
};

static bool
same_name(const char *a, const char *b)
{
    return strncmp(a, b, CURRENCY_BYTES) == 0;
}

static void
rate_paths_of(const struct risk *r, const struct risk_limits *l, struct rate_paths *out)
{
    memset(out, 0, sizeof(*out));
    for (uint32_t c = 0; c < CURRENCY_MAX; c++) {
        if (r->currency[c][0] == '\0')
            continue;
        out->has[c] = same_name(r->currency[c], l->reporting);
        for (uint32_t i = 0; i < l->fixed_count; i++)
            out->has[c] |= same_name(r->currency[c], l->fixed[i].currency);
    }
    for (uint32_t i = 0; i < r->counts.instruments; i++) {
        const struct market *m = &r->market[i];
        if (r->defined[i].version == 0 || m->contract.kind != INSTRUMENT_SPOT)
            continue;
        if (same_name(r->currency[m->quote_ccy], l->reporting))
            out->has[m->base_ccy] = true;
        if (same_name(r->currency[m->base_ccy], l->reporting))
            out->has[m->quote_ccy] = true;
    }
}

static bool
worth_fault(const struct risk *r, const struct risk_limits *l, uint32_t instrument, struct fault *fault)
{
    return FAULT(fault,
                 "instrument %.*s: nobody could say what its currency %.*s is worth in %.*s, expected a rate "
                 "of it or a spot instrument of both",
                 SYMBOL_BYTES, r->defined[instrument].symbol, CURRENCY_BYTES,
                 r->currency[market_money(&r->market[instrument])], CURRENCY_BYTES, l->reporting);
}

void
risk_untradable(const struct risk *r, risk_untradable_fn tell, void *ctx)
{
    struct rate_paths paths;
    struct resolved_limits ignored;
    struct fault fault;

    rate_paths_of(r, &r->limits, &paths);
    for (uint32_t i = 0; i < r->counts.instruments; i++) {
        const struct instrument *ins = &r->defined[i];
        if (ins->version == 0)
            continue;
        if (!limits_resolve(limits_of(&r->limits, ins), ins, &ignored, &fault)) {
            tell(ctx, i, &fault);
        } else if (r->valued && !paths.has[market_money(&r->market[i])]) {
            (void)worth_fault(r, &r->limits, i, &fault);
            tell(ctx, i, &fault);
        }
    }
}

/* Nothing that can be traded now may become untradable by a change that says nothing of it: a limit that no order of
 * the instrument can meet, a currency of which nobody knows what it is worth. What was so before is no reason. */
static bool
limits_fit(const struct risk *r, const struct risk_limits *l, struct fault *fault)
{
    struct rate_paths before;
    struct rate_paths after;
    struct resolved_limits ignored;

    rate_paths_of(r, &r->limits, &before);
    rate_paths_of(r, l, &after);
    for (uint32_t i = 0; i < r->counts.instruments; i++) {
        const struct instrument *ins = &r->defined[i];
        uint16_t money = market_money(&r->market[i]);
        if (ins->version == 0 || cell_at(r, 0, i)->limits.instrument_version == 0)
            continue;
        if (!limits_resolve(limits_of(l, ins), ins, &ignored, fault))
            return false;
        if (l->reporting[0] != '\0' && !after.has[money] && (!r->valued || before.has[money]))
            return worth_fault(r, l, i, fault);
    }
    return true;
}

/* Rates may be others: what everything stands at, now and not with the next book. */
static void
values_anew(struct risk *r, struct now now)
{
    r->now = now;
    for (uint32_t i = 0; i < r->counts.instruments && r->valued; i++) {
        struct market *m = &r->market[i];
        if (r->defined[i].version == 0 || m->value.mark <= 0 || m->rate == rate_of(r, market_money(m), now))
            continue;
        market_value(r, m, m->value.mark, m->value.mark_ns, m->value.fresh);
        market_revalue(r, i);
    }
}

bool
risk_set_limits(struct risk *r, const struct risk_limits *l, struct now now, struct fault *fault)
{
    if (!limits_validate(l, fault))
        return false;
    if (l->version <= r->limits_version)
        return FAULT(fault, "limits.version: is %u, expected above %u, which is in force", l->version,
                     r->limits_version);
    if (r->limits_version != 0 && r->day >= 0 && !same_name(l->reporting, r->limits.reporting))
        return FAULT(fault, "limits.reporting: is \"%.*s\", expected \"%.*s\", which the day is counted in",
                     CURRENCY_BYTES, l->reporting, CURRENCY_BYTES, r->limits.reporting);
    if (r->armed && !limits_fit(r, l, fault))
        return false;
    r->limits = *l;
    r->limits_version = l->version;
    r->open_orders_max = l->open_orders_max;
    r->duplicate_max = l->duplicate_max;
    r->duplicate_window_ns = l->duplicate_window_ns;
    r->mark_age_max_ns = l->mark_age_max_ns;
    r->valued = l->reporting[0] != '\0';
    clients_set(r, now);
    others_set(r, now);
    for (uint16_t c = 0; c < CURRENCY_MAX; c++)
        rate_fix(r, c);
    resolve_all(r, now);
    values_anew(r, now);
    return true;
}

/* ---- definitions ------------------------------------------------------------------------------------------------- */

static bool
position_empty(const struct position *p)
{
    return p->qty == 0 && p->reserved[SIDE_BUY] == 0 && p->reserved[SIDE_SELL] == 0 && p->open_count == 0;
}

static void
currency_name(struct risk *r, uint16_t ccy, const char name[CURRENCY_BYTES])
{
    if (ccy >= CURRENCY_MAX || strncmp(r->currency[ccy], name, CURRENCY_BYTES) == 0)
        return;
    memcpy(r->currency[ccy], name, CURRENCY_BYTES);
    rate_fix(r, ccy);
}

/* NEED_DECIMALS - decimals, 0 when there are too many: limits_resolve() has refused such an instrument. */
static uint8_t
need_exponent(unsigned decimals)
{
    return (uint8_t)(NEED_DECIMALS - MIN(decimals, NEED_DECIMALS));
}

static void
market_define(struct risk *r, const struct instrument *ins)
{
    struct market *m = &r->market[ins->id];

    m->contract = (struct contract){ .multiplier = ins->multiplier,
                                     .px_decimals = ins->px_decimals,
                                     .qty_decimals = ins->qty_decimals,
                                     .kind = ins->kind };
    m->need_buy = need_exponent((unsigned)ins->px_decimals + ins->qty_decimals);
    m->need_sell = need_exponent(ins->qty_decimals);
    m->quote_ccy = MIN(ins->quote_ccy, CURRENCY_MAX - 1);
    m->base_ccy = MIN(ins->base_ccy, CURRENCY_MAX - 1);
    m->settle_ccy = MIN(ins->settle_ccy, CURRENCY_MAX - 1);
    m->venue = MIN(ins->venue, VENUE_MAX - 1);
    m->value.unit = 0; /* the next mark values it anew */
    m->valued_ns = 0;
    currency_name(r, ins->base_ccy, ins->base);
    currency_name(r, ins->quote_ccy, ins->quote);
    if (ins->kind != INSTRUMENT_SPOT)
        currency_name(r, ins->settle_ccy, ins->settle);
    permit(r, ins);
}

/* Rounded down; 0 where it does not fit: never marked. */
static px_t
px_rescale(px_t px, unsigned from, unsigned to)
{
    px_t out;

    if (to <= from)
        return px / pow10_i64[from - to];
    return __builtin_mul_overflow(px, pow10_i64[to - from], &out) ? 0 : out;
}

/* Prices are in other decimals from here on, those of open orders too (order_table_define): what they cost is the same
 * amount of money. */
static void
reprice(struct risk *r, const struct instrument *was, const struct instrument *ins)
{
    struct market *m = &r->market[ins->id];

    for (uint32_t a = 0; a < r->counts.accounts; a++) {
        struct holding *h = account_part(r, a, ins->id);
        pnl_reprice(&h->pnl, &m->contract, was->px_decimals, ins->px_decimals);
        for (uint32_t c = 0; c < CLIENT_MAX; c++)
            if (client_part(r, c, a, ins->id) != NULL)
                pnl_reprice(&client_part(r, c, a, ins->id)->pnl, &m->contract, was->px_decimals, ins->px_decimals);
    }
    m->value.mark = px_rescale(m->value.mark, was->px_decimals, ins->px_decimals);
    for (unsigned side = 0; side < 2; side++) {
        own_side_reprice(&r->own[ins->id][side], was->px_decimals, ins->px_decimals);
        m->own_best[side] = own_side_best(&r->own[ins->id][side]);
    }
}

bool
risk_set_instrument(struct risk *r, const struct instrument *ins, struct now now, struct fault *fault)
{
    if (ins->id >= r->counts.instruments)
        return FAULT(fault, "instrument %.*s: id %u, expected below %u", SYMBOL_BYTES, ins->symbol, ins->id,
                     r->counts.instruments);
    struct instrument *was = &r->defined[ins->id];
    bool fresh = was->version == 0;
    bool rescaled = !fresh && was->qty_decimals != ins->qty_decimals;
    bool repriced = !fresh && was->px_decimals != ins->px_decimals;

    for (uint32_t a = 0; a < r->counts.accounts; a++) {
        struct cell *c = cell_at(r, a, ins->id);
        if (rescaled && !position_empty(&c->position)) {
            c->limits.instrument_version = 0;
            return FAULT(fault,
                         "instrument %.*s: quantity decimals change from %u to %u while account %u holds a position "
                         "or orders in it; flatten first",
                         SYMBOL_BYTES, ins->symbol, was->qty_decimals, ins->qty_decimals, a);
        }
    }
    if (unlikely(repriced))
        reprice(r, was, ins);
    *was = *ins;
    for (uint32_t a = 0; (fresh || rescaled) && a < r->counts.accounts; a++) {
        struct position *p = &cell_at(r, a, ins->id)->position;
        bool reconciled = p->reconciled;
        position_init(p, ins);
        p->reconciled = reconciled;
    }
    market_define(r, ins);
    return r->limits_version == 0 || instrument_resolve(r, ins, now, fault);
}

void
risk_set_venue(struct risk *r, uint32_t venue, const struct risk_venue *v)
{
    ASSERT(venue < VENUE_MAX);
    r->venue[venue].now = *v;
}

void
risk_arm(struct risk *r, bool armed)
{
    r->armed = armed;
}

struct kill *
risk_kill(struct risk *r)
{
    return &r->kill;
}
