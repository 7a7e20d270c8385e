/* Marks, rates, what groups stand at, and what latches. See risk_state.h. */
#include "risk/risk_state.h"

#define PPM 1000000

/* ---- rates ------------------------------------------------------------------------------------------------------- */

int64_t
rate_of(const struct risk *r, uint16_t ccy, struct now now)
{
    if (ccy >= CURRENCY_MAX)
        return 0;
    const struct rate *x = &r->rate[ccy];
    int64_t age = now.mono.ns - x->at_ns;
    int64_t max = r->limits.rate_age_max_ns;
    return x->fixed || (age <= max && age >= -max) ? x->rate : 0; /* from before this machine's clock began: none */
}

void
risk_set_rate(struct risk *r, uint16_t currency, int64_t rate, mono_ns_t at)
{
    if (currency >= CURRENCY_MAX || r->rate[currency].fixed || rate <= 0)
        return;
    r->rate[currency] = (struct rate){ .rate = rate, .at_ns = at.ns };
}

/* a * 10^decimals / b, rounded down; 0 when it does not fit. */
static int64_t
rate_ratio(int64_t a, unsigned decimals, int64_t b)
{
    wide_t x = (wide_t)a * pow10_i64[decimals] / b;
    return x > INT64_MAX ? 0 : (int64_t)x;
}

/* A spot book against the reporting currency is the other currency's rate. */
static void
rate_from_book(struct risk *r, const struct market *m, px_t px, int64_t at_ns)
{
    const char *reporting = r->limits.reporting;
    const mono_ns_t at = { at_ns };

    if (m->contract.kind != INSTRUMENT_SPOT || reporting[0] == '\0')
        return;
    if (strncmp(r->currency[m->quote_ccy], reporting, CURRENCY_BYTES) == 0)
        risk_set_rate(r, m->base_ccy, rate_ratio(px, RATE_DECIMALS, pow10_i64[m->contract.px_decimals]), at);
    else if (strncmp(r->currency[m->base_ccy], reporting, CURRENCY_BYTES) == 0)
        risk_set_rate(r, m->quote_ccy, rate_ratio(pow10_i64[m->contract.px_decimals], RATE_DECIMALS, px), at);
}

uint16_t
market_money(const struct market *m)
{
    return m->contract.kind == INSTRUMENT_SPOT ? m->quote_ccy : m->settle_ccy;
}

/* ---- holdings and their groups ----------------------------------------------------------------------------------- */

static int64_t
room(wide_t left)
{
    return left > RISK_QTY_MAX ? RISK_QTY_MAX : left < -RISK_QTY_MAX ? -RISK_QTY_MAX : (int64_t)left;
}

static inline void
rooms(struct group *g)
{
    const struct group_limits *l = &g->limits;

    g->room_gross = room(l->gross_max - g->gross);
    g->room_side[SIDE_BUY] = room(l->net_max - g->net_long);
    g->room_side[SIDE_SELL] = room(l->net_max + g->net_short);
    g->room_value = room(l->day_value_max - g->open - g->day_value);
}

/* By results, latches, and what cannot be valued. */
static NOINLINE void
stopped(struct group *g)
{
    const struct group_limits *l = &g->limits;
    wide_t result = group_day_result(g);
    bool valued = l->gross_max != LIMIT_NONE || l->net_max != LIMIT_NONE || l->day_value_max != LIMIT_NONE ||
                  l->day_loss_max != LIMIT_NONE || l->drawdown_max != LIMIT_NONE || g->loss_window_max != LIMIT_NONE;

    g->stopped = (g->unmarked != 0 && valued) || (g->tripped & (1u << TRIP_DAY_LOSS | 1u << TRIP_DRAWDOWN)) != 0 ||
                 -result > l->day_loss_max || g->day_best - result > l->drawdown_max;
}

void
group_rooms(struct group *g)
{
    rooms(g);
    stopped(g);
}

static inline qty_t
magnitude(qty_t q)
{
    return q < 0 ? -q : q;
}

void
holding_update(struct holding *h, const struct market *m, int64_t rate, struct group *const groups[], unsigned count,
               bool result)
{
    const struct valuation *v = &m->value;
    value_t was_gross = h->gross;
    value_t was_long = h->net_long;
    value_t was_short = h->net_short;
    value_t was_open = h->open;
    value_t was_result = h->result;
    int was_unmarked = h->unmarked;
    qty_t worst_long = qty_add(h->pnl.held, h->reserved[SIDE_BUY]);
    qty_t worst_short = qty_add(h->pnl.held, -h->reserved[SIDE_SELL]);

    h->net_long = valuation_signed(v, worst_long);
    h->net_short = valuation_signed(v, worst_short);
    h->gross = MAX(magnitude(h->net_long), magnitude(h->net_short));
    h->open = valuation_of(v, h->reserved[SIDE_BUY]) + valuation_of(v, h->reserved[SIDE_SELL]);
    h->unmarked = !v->fresh && (h->pnl.held != 0 || h->reserved[SIDE_BUY] != 0 || h->reserved[SIDE_SELL] != 0);
    if (result) {
        pnl_basis(&h->pnl, &m->contract, v->mark);
        if (rate > 0)
            h->result = rate_convert_floor(pnl_total(&h->pnl, &m->contract, v->mark), rate);
    }
    for (unsigned i = 0; i < count; i++) {
        struct group *g = groups[i];
        g->gross += h->gross - was_gross;
        g->net_long += h->net_long - was_long;
        g->net_short += h->net_short - was_short;
        g->open += h->open - was_open;
        rooms(g);
        if (likely(!result && h->unmarked == was_unmarked)) /* a reservation alone stops nothing */
            continue;
        g->result += h->result - was_result;
        g->unmarked = (uint32_t)((int)g->unmarked + (int)h->unmarked - was_unmarked);
        stopped(g);
    }
}

/* Derivatives: initial margin of the worst case, in the settle currency. */
static void
margin_update(struct risk *r, struct holding *h, const struct market *m, uint32_t account, uint32_t margin_ppm)
{
    if (m->contract.kind == INSTRUMENT_SPOT || m->settle_ccy >= CURRENCY_MAX)
        return;
    qty_t worst = MAX(magnitude(qty_add(h->pnl.held, h->reserved[SIDE_BUY])),
                      magnitude(qty_add(h->pnl.held, -h->reserved[SIDE_SELL])));
    wide_t raw = (wide_t)valuation_of(&m->settle, worst) * margin_ppm;
    value_t margin = (value_t)((raw + PPM - 1) / PPM);

    r->balance[account][m->settle_ccy].margin +=
        (wide_t)(margin - h->margin) * pow10_i64[NEED_DECIMALS - VALUE_DECIMALS];
    h->margin = margin;
}

void
account_update(struct risk *r, uint32_t account, uint32_t instrument, bool result)
{
    struct market *m = &r->market[instrument];
    struct holding *h = account_part(r, account, instrument);
    struct group *const groups[] = { &r->account[account].group, &r->venue[m->venue].group, &r->global };

    holding_update(h, m, result ? m->rate : 0, groups, ARRAY_LEN(groups), result);
    margin_update(r, h, m, account, cell_at(r, account, instrument)->limits.margin_ppm);
}

void
client_update(struct risk *r, uint32_t client, uint32_t account, uint32_t instrument, bool result)
{
    struct market *m = &r->market[instrument];
    struct holding *h = client_part(r, client, account, instrument);
    struct group *const groups[] = { &r->client[client].group };

    if (h != NULL)
        holding_update(h, m, result ? m->rate : 0, groups, ARRAY_LEN(groups), result);
}

/* ---- what latches ------------------------------------------------------------------------------------------------ */

struct group *
risk_group_at(struct risk *r, enum trading_level level, uint32_t id)
{
    switch (level) {
    case LEVEL_GLOBAL: return &r->global;
    case LEVEL_ACCOUNT: return id < ACCOUNT_MAX ? &r->account[id].group : NULL;
    case LEVEL_CLIENT: return id < CLIENT_MAX ? &r->client[id].group : NULL;
    case LEVEL_VENUE: return id < VENUE_MAX ? &r->venue[id].group : NULL;
    case LEVEL_INSTRUMENT:
    case LEVEL_COUNT: break;
    }
    return NULL;
}

COLD void
risk_trip_set(struct risk *r, enum trading_level level, uint32_t id, enum risk_trip_kind kind, int64_t value,
              int64_t limit)
{
    struct group *g = risk_group_at(r, level, id);

    if (g == NULL || (g->tripped >> kind & 1) != 0)
        return;
    g->tripped |= 1u << kind;
    group_rooms(g);
    if (r->trips < TRIPS_WAITING_MAX) /* no room: it has latched all the same */
        r->trip[r->trips++] = (struct risk_trip){
            .kind = (uint8_t)kind, .level = (uint8_t)level, .id = id, .value = value, .limit = limit
        };
}

bool
risk_take_trip(struct risk *r, struct risk_trip *out)
{
    if (likely(r->trips == 0))
        return false;
    *out = r->trip[0];
    r->trips--;
    memmove(&r->trip[0], &r->trip[1], r->trips * sizeof(r->trip[0]));
    return true;
}

bool
risk_restore_trip(struct risk *r, enum trading_level level, uint32_t id, enum risk_trip_kind kind)
{
    struct group *g = risk_group_at(r, level, id);

    if (g == NULL || (unsigned)kind >= RISK_TRIP_COUNT)
        return false;
    g->tripped |= 1u << kind;
    group_rooms(g);
    return true;
}

static value_t
clamp_value(wide_t v)
{
    return v > RISK_QTY_MAX ? RISK_QTY_MAX : v < -RISK_QTY_MAX ? -RISK_QTY_MAX : (value_t)v;
}

bool
risk_untrip(struct risk *r, enum trading_level level, uint32_t id, struct now now)
{
    struct group *g = risk_group_at(r, level, id);

    if (g == NULL)
        return false;
    if (level == LEVEL_CLIENT)
        r->client[id].executions = 0;
    if (g->tripped == 0)
        return true;
    if ((g->tripped & 1u << TRIP_DRAWDOWN) != 0) /* else the next mark would latch it again */
        g->day_best = clamp_value(group_day_result(g));
    g->tripped = 0;
    g->best = (struct breaker_best){ 0 };
    group_rooms(g);
    if (level == LEVEL_CLIENT) {
        struct client_state *c = &r->client[id];
        c->rejects = (struct breaker){ 0 };
        throttle_init(&c->denied_rate, c->denied_rate.rate, now.mono);
    } else if (level == LEVEL_VENUE) {
        r->venue[id].rejects = (struct breaker){ 0 };
        r->venue[id].acks = (struct breaker){ 0 };
    } else if (level == LEVEL_GLOBAL) {
        r->latency = (struct breaker){ 0 };
    }
    return true;
}

uint32_t
risk_tripped(const struct risk *r, enum trading_level level, uint32_t id)
{
    const struct group *g = risk_group_at((struct risk *)(uintptr_t)r, level, id); /* only looks */
    return g != NULL ? g->tripped : 0;
}

const char *
risk_trip_text(enum risk_trip_kind k)
{
    static const char *const text[] = {
#define X(name, t) t,
        RISK_TRIPS(X)
#undef X
    };
    return (unsigned)k < RISK_TRIP_COUNT ? text[k] : "?";
}

void
group_watch(struct risk *r, enum trading_level level, uint32_t id)
{
    struct group *g = risk_group_at(r, level, id);
    value_t result = clamp_value(group_day_result(g));

    g->day_best = MAX(g->day_best, result);
    group_rooms(g);
    if (!r->armed)
        return;
    if (unlikely(-result > g->limits.day_loss_max))
        risk_trip_set(r, level, id, TRIP_DAY_LOSS, -result, g->limits.day_loss_max);
    if (unlikely(g->day_best - result > g->limits.drawdown_max))
        risk_trip_set(r, level, id, TRIP_DRAWDOWN, g->day_best - result, g->limits.drawdown_max);
    g->awaits_marks &= g->unmarked != 0;
    if (g->loss_window_max == LIMIT_NONE || g->awaits_marks)
        return;
    value_t best = breaker_best_note(&g->best, result, r->limits.breaker_window_ns, r->now.mono);
    if (unlikely(best - result > g->loss_window_max))
        risk_trip_set(r, level, id, TRIP_LOSS_RATE, best - result, g->loss_window_max);
}

/* ---- marks ------------------------------------------------------------------------------------------------------- */

void
market_value(struct risk *r, struct market *m, px_t px, int64_t at_ns, bool fresh)
{
    int64_t rate = rate_of(r, market_money(m), r->now);

    m->rate = rate;
    m->value.mark = px;
    m->value.mark_ns = at_ns;
    m->value.fresh = fresh && rate > 0;
    m->value.unit = 0;
    if (rate > 0)
        valuation_set(&m->value, &m->contract, px, rate);
    if (m->contract.kind != INSTRUMENT_SPOT)
        valuation_set(&m->settle, &m->contract, px, pow10_i64[RATE_DECIMALS]);
}

/* The middle of the last live book, rounded down; 0 when there is none, or too wide a one. */
static px_t
mark_of(const struct risk *r, const struct instrument *ins, const struct md_ref *md)
{
    const struct top_of_book *t = &md->good;
    uint32_t spread = cell_at(r, 0, ins->id)->limits.spread_max_ppm;

    if (t->recv_ns == 0 || t->instrument_version != ins->version || t->bid_px <= 0 || t->ask_px <= t->bid_px ||
        (wide_t)(t->ask_px - t->bid_px) * PPM > (wide_t)t->bid_px * spread)
        return 0;
    return t->bid_px + (t->ask_px - t->bid_px) / 2;
}

static bool
holding_used(const struct holding *h)
{
    return h->pnl.held != 0 || h->reserved[SIDE_BUY] != 0 || h->reserved[SIDE_SELL] != 0 || h->gross != 0 ||
           h->pnl.cash != 0 || h->unmarked;
}

void
market_revalue(struct risk *r, uint32_t instrument)
{
    struct market *m = &r->market[instrument];

    for (uint32_t a = 0; a < r->counts.accounts; a++) {
        if (!holding_used(account_part(r, a, instrument)))
            continue;
        account_update(r, a, instrument, true);
        group_watch(r, LEVEL_ACCOUNT, a);
        for (uint64_t left = m->holders; left != 0; left &= left - 1) {
            uint32_t client = (uint32_t)__builtin_ctzll(left);
            client_update(r, client, a, instrument, true);
            group_watch(r, LEVEL_CLIENT, client);
        }
    }
    group_watch(r, LEVEL_VENUE, m->venue);
    group_watch(r, LEVEL_GLOBAL, 0);
}

void
risk_mark(struct risk *r, uint32_t instrument, const struct md_ref *md, struct now now)
{
    ASSERT(instrument < r->counts.instruments);
    const struct instrument *ins = &r->defined[instrument];
    struct market *m = &r->market[instrument];

    r->now = now;
    if (!r->valued || ins->version == 0)
        return;
    m->valued_ns = now.mono.ns;
    px_t px = md != NULL ? mark_of(r, ins, md) : 0;
    if (px > 0) {
        int64_t at = md->good.recv_ns;
        bool fresh = now.mono.ns - at <= r->mark_age_max_ns;
        if (fresh)
            rate_from_book(r, m, px, at);
        market_value(r, m, px, at, fresh);
    } else if (now.mono.ns - m->value.mark_ns > r->mark_age_max_ns) {
        m->value.fresh = false;
    }
    market_revalue(r, instrument);
}

/* ---- breakers ---------------------------------------------------------------------------------------------------- */

void
risk_note_reject(struct risk *r, uint32_t venue, uint32_t client, struct now now)
{
    if (r->limits_version == 0)
        return;
    int64_t window = r->limits.breaker_window_ns;
    r->windows_due = true;
    if (client < CLIENT_MAX) {
        struct client_state *c = &r->client[client];
        breaker_note(&c->rejects, true, window, now.mono);
        if (c->rejects.beyond > c->rejects_max)
            risk_trip_set(r, LEVEL_CLIENT, client, TRIP_REJECTS, c->rejects.beyond, c->rejects_max);
    }
    if (venue < VENUE_MAX) {
        struct venue_state *v = &r->venue[venue];
        breaker_note(&v->rejects, true, window, now.mono);
        if (v->rejects.beyond > v->rejects_max)
            risk_trip_set(r, LEVEL_VENUE, venue, TRIP_REJECTS, v->rejects.beyond, v->rejects_max);
    }
}

void
risk_note_wire(struct risk *r, int64_t ns, struct now now)
{
    int64_t max = r->limits.latency_p999_max_ns;

    if (max == 0)
        return;
    breaker_note(&r->latency, ns > max, r->limits.breaker_window_ns, now.mono);
    if (unlikely(breaker_past(&r->latency, 1000, r->limits.latency_samples_min)))
        risk_trip_set(r, LEVEL_GLOBAL, 0, TRIP_LATENCY, ns, max);
}

void
risk_note_ack(struct risk *r, uint32_t venue, int64_t ns, struct now now)
{
    if (venue >= VENUE_MAX || r->venue[venue].ack_p99_max_ns == 0)
        return;
    struct venue_state *v = &r->venue[venue];
    breaker_note(&v->acks, ns > v->ack_p99_max_ns, r->limits.breaker_window_ns, now.mono);
    if (unlikely(breaker_past(&v->acks, 100, r->limits.latency_samples_min)))
        risk_trip_set(r, LEVEL_VENUE, venue, TRIP_ACK, ns, v->ack_p99_max_ns);
}

bool
risk_note_no_ack(struct risk *r, uint32_t venue, int64_t ns, struct now now)
{
    if (venue >= VENUE_MAX || r->venue[venue].ack_p99_max_ns == 0 || ns <= r->venue[venue].ack_p99_max_ns)
        return false;
    risk_note_ack(r, venue, ns, now);
    return true;
}

void
risk_note_turn(struct risk *r, int64_t ns, struct now now)
{
    (void)now;
    if (unlikely(r->limits.stall_max_ns != 0 && ns > r->limits.stall_max_ns))
        risk_trip_set(r, LEVEL_GLOBAL, 0, TRIP_STALL, ns, r->limits.stall_max_ns);
}
