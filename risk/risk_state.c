/* What orders, fills, balances and the day do to what risk knows; and what it is asked for. See risk_state.h. */
#include "risk/risk_state.h"
#include "execgw/admission.h"

/* ---- balances ---------------------------------------------------------------------------------------------------- */

#define NEED_PER_VALUE pow10_i64[NEED_DECIMALS - VALUE_DECIMALS]

void
risk_set_balance(struct risk *r, uint32_t account, uint16_t currency, value_t free, value_t locked)
{
    if (account >= ACCOUNT_MAX || currency >= CURRENCY_MAX)
        return;
    struct balance *b = &r->balance[account][currency];
    wide_t ours = b->need + b->margin;
    wide_t held = (wide_t)MAX(locked, 0) * NEED_PER_VALUE;

    /* What the venue has locked beyond our needs is for somebody else's orders. */
    b->budget = (wide_t)MAX(free, 0) * NEED_PER_VALUE + MIN(held, ours);
    b->known = true;
}

bool
risk_free_balance(const struct risk *r, uint32_t account, uint16_t currency, value_t *free)
{
    if (account >= ACCOUNT_MAX || currency >= CURRENCY_MAX || !r->balance[account][currency].known)
        return false;
    const struct balance *b = &r->balance[account][currency];
    wide_t left = b->budget - b->need - b->margin;
    *free = (value_t)(MAX(left, 0) / NEED_PER_VALUE);
    return true;
}

/* a * per, a * per + b: what a venue claims may be absurd, and must not pass 128 bits. */
#define NEED_MAX ((wide_t)1 << 120)

static wide_t
need_clamp(wide_t v)
{
    return v > NEED_MAX ? NEED_MAX : v < -NEED_MAX ? -NEED_MAX : v;
}

static wide_t
need_of(wide_t a, int64_t per)
{
    wide_t v;
    return __builtin_mul_overflow(a, (wide_t)per, &v) ? (a > 0 ? NEED_MAX : -NEED_MAX) : need_clamp(v);
}

static void
need_add(wide_t *sum, wide_t more)
{
    *sum = need_clamp(*sum + more);
}

/* Reservations of a spot order, and what its fills move between two currencies. */
static void
need_apply(struct risk *r, const struct market *m, const struct order_delta *d)
{
    struct balance *quote = &r->balance[d->account][m->quote_ccy];

    if (d->side == SIDE_SELL)
        need_add(&r->balance[d->account][m->base_ccy].need, need_of(d->reserved_change, pow10_i64[m->need_sell]));
    else
        need_add(&quote->need, need_of(d->cost_change, pow10_i64[m->need_buy]));
}

static void
balance_apply(struct risk *r, const struct market *m, const struct order_delta *d)
{
    struct balance *quote = &r->balance[d->account][m->quote_ccy];
    struct balance *base = &r->balance[d->account][m->base_ccy];
    int64_t per_cost = pow10_i64[m->need_buy];
    int64_t per_qty = pow10_i64[m->need_sell];

    need_apply(r, m, d);
    if (d->fill_qty == 0)
        return;
    wide_t paid = need_of((wide_t)d->fill_px * d->fill_qty, per_cost);
    wide_t moved = need_of(d->fill_qty, per_qty);
    need_add(&quote->budget, d->side == SIDE_BUY ? -paid : paid);
    need_add(&base->budget, d->side == SIDE_BUY ? moved : -moved);
}

/* ---- deltas ------------------------------------------------------------------------------------------------------ */

static void
count_change(uint32_t *count, int change)
{
    int64_t next = (int64_t)*count + change;
    ASSERT(next >= 0 && next <= UINT32_MAX);
    *count = (uint32_t)next;
}

/* The strategy's part of it, made when it is first needed; NULL when there is no room: from then on its exposure is a
 * missing input. */
static struct holding *
part_of(struct risk *r, const struct order_delta *d)
{
    uint16_t *index = part_index(r, d->client, d->account, d->instrument);

    if (likely(*index != 0))
        return &r->part[*index];
    if (unlikely(r->parts == PARTS_MAX)) {
        r->client[d->client].group.unmarked++;
        group_rooms(&r->client[d->client].group);
        return NULL;
    }
    *index = (uint16_t)r->parts++;
    r->market[d->instrument].holders |= UINT64_C(1) << d->client;
    return &r->part[*index];
}

/* A fill of one holding: its cash and cost, then what is really held after fees in the base asset. */
static void
holding_fill(struct holding *h, const struct market *m, const struct order_delta *d, qty_t held)
{
    pnl_fill(&h->pnl, &m->contract, (enum side)d->side, d->fill_px, d->fill_qty);
    if (h->pnl.held != held)
        pnl_held(&h->pnl, held);
}

static qty_t
part_held(struct holding *h, const struct position *p, const struct order_delta *d)
{
    h->filled = qty_add(h->filled, d->side == SIDE_BUY ? d->fill_qty : -d->fill_qty);
    if (d->fee_ccy == p->fee_ccy_base)
        h->fee_base = qty_add(h->fee_base, d->fee);
    return qty_add(h->filled, -position_fee_qty(h->fee_base, p->qty_decimals));
}

/* Traded value and fees of the day. A fee in a currency without a rate counts as a hundredth of the trade's value. */
static void
day_apply(struct risk *r, const struct market *m, const struct position *p, const struct order_delta *d)
{
    struct group *const groups[] = { &r->client[d->client].group, &r->account[d->account].group,
                                     &r->venue[m->venue].group, &r->global };
    value_t value = valuation_of(&m->value, d->fill_qty);
    value_t fee = 0;

    value_t *paid = &r->fees[d->account][MIN(d->fee_ccy, CURRENCY_MAX - 1)];
    *paid = qty_add(*paid, d->fee);
    if (d->fee != 0 && d->fee_ccy != p->fee_ccy_base) {
        int64_t rate = rate_of(r, d->fee_ccy, r->now);
        fee = rate > 0 ? -rate_convert_floor(-d->fee, rate) : value / 100;
    }
    for (unsigned i = 0; i < ARRAY_LEN(groups); i++) {
        value_t *sum = &groups[i]->day_value;
        *sum = qty_add(*sum, value);
        groups[i]->day_fees = qty_add(groups[i]->day_fees, fee);
        group_rooms(groups[i]);
    }
}

static void
fill_apply(struct risk *r, struct market *m, struct holding *part, const struct order_delta *d)
{
    const struct position *p = &cell_at(r, d->account, d->instrument)->position;

    /* Never marked, as while a journal is replayed: the fill's price stands in, and is not relied on. */
    if (unlikely(m->value.unit == 0) && d->fill_px > 0 && r->valued)
        market_value(r, m, d->fill_px, 0, false);
    m->used = true;
    holding_fill(account_part(r, d->account, d->instrument), m, d, p->qty);
    if (part != NULL)
        holding_fill(part, m, d, part_held(part, p, d));
    if (d->fee != 0 && d->fee_ccy < CURRENCY_MAX)
        need_add(&r->balance[d->account][d->fee_ccy].budget, -(wide_t)d->fee * NEED_PER_VALUE);
    r->client[d->client].fills++;
    if (r->valued)
        day_apply(r, m, p, d);
}

/* A trade that the account has counted, found to be a client's: from nobody's part of the position to its own. */
static COLD void
moved_apply(struct risk *r, const struct market *m, struct holding *part, const struct order_delta *d)
{
    const struct position *p = &cell_at(r, d->account, d->instrument)->position;
    struct order_delta in = *d;

    in.fill_qty = d->moved_qty;
    in.fee = 0;
    struct order_delta out = in;
    out.client = CLIENT_ADOPTED;
    out.side = d->side == SIDE_BUY ? SIDE_SELL : SIDE_BUY;
    struct holding *from = part_of(r, &out);
    if (part != NULL)
        holding_fill(part, m, &in, part_held(part, p, &in));
    if (from != NULL)
        holding_fill(from, m, &out, part_held(from, p, &out));
    if (r->valued)
        client_update(r, CLIENT_ADOPTED, d->account, d->instrument, true);
}

static void
resting_apply(struct risk *r, struct market *m, const struct order_delta *d)
{
    struct own_side *s = &r->own[d->instrument][d->side];

    if (d->rest_px > 0)
        own_side_add(s, (enum side)d->side, d->rest_px);
    if (d->gone_px > 0)
        own_side_remove(s, (enum side)d->side, d->gone_px);
    m->own_best[d->side] = own_side_best(s);
}

static void
parents_apply(struct risk *r, const struct order_delta *d)
{
    struct parent_child c = { .key = d->parent_key,
                              .client = d->client,
                              .account = d->account,
                              .instrument = d->instrument,
                              .side = d->side,
                              .total = d->parent_qty };
    parent_apply(&r->parents, &c, d->reserved_change + d->fill_qty + d->moved_qty + d->parent_used, d->open_change);
}

void
risk_apply(struct risk *r, const struct order_delta *d)
{
    ASSERT(d->account < r->counts.accounts && d->instrument < r->counts.instruments && d->client < CLIENT_MAX);
    struct market *m = &r->market[d->instrument];
    struct holding *part = part_of(r, d);

    position_apply(&cell_at(r, d->account, d->instrument)->position, d);
    count_change(&r->totals.open_total, d->open_change);
    count_change(&r->totals.open_client[d->client], d->open_change);
    count_change(&r->totals.open_account[d->account], d->open_change);
    count_change(&r->totals.unknown_total, d->unknown_change);
    if (d->open_change > 0) {
        r->client[d->client].messages++;
        r->client[d->client].executions++;
    }
    account_part(r, d->account, d->instrument)->reserved[d->side] += d->reserved_change;
    if (part != NULL)
        part->reserved[d->side] += d->reserved_change;
    if (m->contract.kind == INSTRUMENT_SPOT)
        balance_apply(r, m, d);
    if (d->rest_px != 0 || d->gone_px != 0)
        resting_apply(r, m, d);
    if (unlikely(d->parent_key != 0))
        parents_apply(r, d);
    bool filled = d->fill_qty != 0;
    if (filled)
        fill_apply(r, m, part, d);
    if (unlikely(d->moved_qty != 0))
        moved_apply(r, m, part, d);
    if (!r->valued)
        return;
    account_update(r, d->account, d->instrument, filled);
    client_update(r, d->client, d->account, d->instrument, filled || d->moved_qty != 0);
    if (filled) {
        group_watch(r, LEVEL_CLIENT, d->client);
        group_watch(r, LEVEL_ACCOUNT, d->account);
        group_watch(r, LEVEL_VENUE, m->venue);
        group_watch(r, LEVEL_GLOBAL, 0);
    }
}

void
risk_set_position(struct risk *r, uint32_t account, uint32_t instrument, qty_t qty, bool reconciled)
{
    ASSERT(account < r->counts.accounts && instrument < r->counts.instruments);
    struct holding *h = account_part(r, account, instrument);

    position_set(&cell_at(r, account, instrument)->position, qty, reconciled);
    pnl_seed(&h->pnl, qty);
    r->market[instrument].used = true;
    r->told_at_ns = 0; /* what was made before is told before a snapshot forgets the trades that made it */
    if (r->valued)
        account_update(r, account, instrument, true);
}

void
risk_set_reconciled(struct risk *r, uint32_t account, uint32_t instrument, bool reconciled)
{
    ASSERT(account < r->counts.accounts && instrument < r->counts.instruments);
    cell_at(r, account, instrument)->position.reconciled = reconciled;
}

/* ---- questions --------------------------------------------------------------------------------------------------- */

const struct position *
risk_position(const struct risk *r, uint32_t account, uint32_t instrument)
{
    ASSERT(account < r->counts.accounts && instrument < r->counts.instruments);
    return &cell_at(r, account, instrument)->position;
}

const struct resolved_limits *
risk_resolved(const struct risk *r, uint32_t account, uint32_t instrument)
{
    ASSERT(account < r->counts.accounts && instrument < r->counts.instruments);
    return &cell_at(r, account, instrument)->limits;
}

const struct risk_limits *
risk_limits_in_force(const struct risk *r)
{
    return &r->limits;
}

const struct risk_venue *
risk_venue_of(const struct risk *r, uint32_t venue)
{
    ASSERT(venue < VENUE_MAX);
    return &r->venue[venue].now;
}

const struct risk_totals *
risk_totals(const struct risk *r)
{
    return &r->totals;
}

static value_t
clamp_value(wide_t v)
{
    return v > RISK_QTY_MAX ? RISK_QTY_MAX : v < -RISK_QTY_MAX ? -RISK_QTY_MAX : (value_t)v;
}

bool
risk_group(const struct risk *r, enum trading_level level, uint32_t id, struct risk_group *out)
{
    const struct group *g = risk_group_at((struct risk *)(uintptr_t)r, level, id); /* only looks */

    if (g == NULL)
        return false;
    *out = (struct risk_group){ .gross = clamp_value(g->gross),
                                .net_long = clamp_value(g->net_long),
                                .net_short = clamp_value(g->net_short),
                                .day_value = g->day_value,
                                .open_value = clamp_value(g->open),
                                .day_result = clamp_value(group_day_result(g)),
                                .day_best = g->day_best,
                                .fees = g->day_fees,
                                .unmarked = g->unmarked };
    return true;
}

void
risk_pnl(const struct risk *r, uint32_t client, uint32_t account, uint32_t instrument, struct risk_pnl *out)
{
    ASSERT(account < r->counts.accounts && instrument < r->counts.instruments);
    const struct market *m = &r->market[instrument];
    const struct holding *h =
        client == CLIENT_NONE ? account_part(r, account, instrument) : client_part(r, client, account, instrument);

    *out = (struct risk_pnl){ .mark_px = m->value.mark, .mark_at = { m->value.mark_ns } };
    if (h == NULL || r->defined[instrument].version == 0)
        return;
    const struct pnl *p = &h->pnl;
    out->qty = p->held;
    out->average_px = pnl_average_px(p, &m->contract);
    out->unrealised = pnl_unrealised(p, &m->contract, m->value.mark);
    out->realised = pnl_total(p, &m->contract, m->value.mark) - out->unrealised;
}

value_t
risk_fees(const struct risk *r, uint32_t account, uint16_t currency)
{
    return account < ACCOUNT_MAX && currency < CURRENCY_MAX ? r->fees[account][currency] : 0;
}
