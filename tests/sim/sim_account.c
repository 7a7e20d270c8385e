/* What the account must hold and have made: by the ledger alone, whatever the core says of itself.
 *
 * Every trade of an order of ours counts; of other people's those from the first cursor on that the journal has. */
#include "risk/risk_state.h"
#include "tests/sim/sim.h"

/* Each rounding of a result against us may cost a unit of 10^-8. */
#define RESULT_SLACK 4

static bool
counts(const struct sim *s, uint32_t instrument, const struct vtrade *t, const struct vorder *o)
{
    int64_t first = s->oracle.first_trade[instrument];

    return o->symbol == check_symbol(s, instrument) && (o->ours || (first >= 0 && t->id >= first));
}

void
account_truth(const struct sim *s, uint32_t instrument, struct account_truth *out)
{
    const struct ledger *l = &s->venue;

    int64_t fees = 0;

    *out = (struct account_truth){ .held = 0 };
    for (uint32_t i = 0; i < l->trades; i++) {
        const struct vtrade *t = &l->trade[i];
        const struct vorder *o = &l->order[t->order];
        if (!counts(s, instrument, t, o))
            continue;
        bool buy = o->side == SIDE_BUY;
        out->held += buy ? t->qty : -t->qty;
        out->traded += t->qty;
        out->finer += (__int128)check_finer(t) * t->qty;
        out->cash += (__int128)t->px * (buy ? -t->qty : t->qty);
        if (strncmp(t->fee_ccy, s->price[o->symbol].symbol, 3) == 0)
            fees += t->fee;
    }
    /* What is held is never shown too high: fees together take whole units. */
    int64_t unit = SIM_VENUE_ONE / pow10_i64[s->core.route.table[instrument].qty_decimals];
    out->held -= (fees + unit - 1) / unit * unit;
}

/* As the core has it now: a crash may have made it forget some. */
static int64_t
filled_here(const struct sim *s, const struct mine *m)
{
    uint32_t slot = order_find(s->core.orders, m->clordid);
    const struct instrument *ins = route_instrument(&s->core.route, m->instrument, 0);

    return slot == ORDER_NONE || ins == NULL ? m->cum
                                             : check_scale(order_at(s->core.orders, slot)->cum_qty, ins->qty_decimals);
}

int64_t
account_slack(const struct sim *s, uint32_t instrument, enum side side)
{
    const struct ledger *l = &s->venue;
    int64_t sum = 0;

    for (uint32_t i = 0; i < l->trades; i++) {
        const struct vtrade *t = &l->trade[i];
        const struct vorder *o = &l->order[t->order];
        if (!o->ours && (o->side == (uint8_t)side || s->crashes > 0) && counts(s, instrument, t, o))
            sum += t->qty;
    }
    /* A trade told before its order's id was known is held twice until then, so safely. What a crash has made
     * forgotten, of the other side too, had made room. */
    for (uint32_t i = 0; i < s->oracle.count; i++) {
        const struct mine *m = &s->oracle.mine[i];
        if (m->instrument == instrument && (m->side == (uint8_t)side || s->crashes > 0) && m->vorder != SIM_NONE)
            sum += MAX(l->order[m->vorder].cum - filled_here(s, m), 0);
        if (m->instrument == instrument && m->belied && m->vorder != SIM_NONE)
            sum += l->order[m->vorder].qty_most;
    }
    return sum;
}

/* Realised and unrealised, against what was received and paid and what is held at the core's mark. */
static bool
result_same(const struct sim *s, uint32_t instrument, const struct account_truth *truth, char *why, size_t room)
{
    const struct instrument *ins = &s->core.route.table[instrument];
    struct risk_pnl p;

    risk_pnl(s->core.risk, CLIENT_NONE, SIM_ACCOUNT, instrument, &p);
    if (p.mark_px == 0)
        return true;
    __int128 made = truth->cash + (__int128)truth->held * check_scale(p.mark_px, ins->px_decimals);
    __int128 here = (__int128)(p.realised + p.unrealised) * SIM_VENUE_ONE;
    __int128 off = made - here;
    /* A snapshot keeps the average prices of what was traded, rounded. */
    __int128 slack = RESULT_SLACK * SIM_VENUE_ONE + truth->finer +
                     (__int128)s->core.snapshots * truth->traded * (SIM_VENUE_ONE / pow10_i64[2]);
    if (off >= -slack && off <= slack)
        return true;
    (void)snprintf(why, room, "%s: a result of %.8f realised and %.8f unrealised here, %.8f by the venue's ledger",
                   ins->symbol, (double)p.realised / 1e8, (double)p.unrealised / 1e8, (double)made / 1e16);
    return false;
}

bool
account_same(const struct sim *s, char *why, size_t room)
{
    const struct core_rig *c = &s->core;

    for (uint32_t i = 0; i < c->route.count; i++) {
        const struct position *p = risk_position(c->risk, SIM_ACCOUNT, i);
        struct account_truth truth;
        if (c->disk_full && s->oracle.first_trade[i] < 0)
            continue; /* from where on it counts is not in the journal */
        account_truth(s, i, &truth);
        int64_t held = check_scale(p->qty, c->route.table[i].qty_decimals);
        if (held != truth.held) {
            (void)snprintf(why, room, "%s: position %.8f here, %.8f by the venue's ledger", c->route.table[i].symbol,
                           (double)held / 1e8, (double)truth.held / 1e8);
            return false;
        }
        if (!result_same(s, i, &truth, why, room))
            return false;
    }
    return true;
}

void
account_orders(const struct sim *s)
{
    struct sim *fail = (struct sim *)(uintptr_t)s;
    const struct risk *r = s->core.risk;
    wide_t need[CURRENCY_MAX] = { 0 };
    px_t best[SIM_SYMBOLS][2] = { { 0 } };
    int walk = order_walk_open(s->core.orders, CLIENT_NONE);

    for (uint32_t slot; (slot = order_walk_next(s->core.orders, walk)) != ORDER_NONE;) {
        const struct order *o = order_at(s->core.orders, slot);
        const struct market *m = &r->market[o->instrument];
        px_t *to = &best[o->instrument][o->side];
        if (o->side == SIDE_BUY)
            need[m->quote_ccy] += o->reserved_cost * pow10_i64[m->need_buy];
        else
            need[m->base_ccy] += (wide_t)o->reserved * pow10_i64[m->need_sell];
        if (o->rest_px != 0 && (*to == 0 || (o->side == SIDE_BUY ? o->rest_px > *to : o->rest_px < *to)))
            *to = o->rest_px;
    }
    for (uint32_t i = 0; i < s->core.route.currency_count; i++)
        if (r->balance[SIM_ACCOUNT][i].need != need[i])
            sim_fail(fail, "%s: the orders need %.8f, risk holds %.8f for them", s->core.route.currency[i],
                     (double)need[i] / 1e18, (double)r->balance[SIM_ACCOUNT][i].need / 1e18);
    for (uint32_t i = 0; i < s->core.route.count; i++)
        for (unsigned side = 0; side < 2; side++)
            if (r->market[i].own_best[side] != best[i][side])
                sim_fail(fail, "instrument %u: our best %s is at %lld, risk has %lld", i,
                         side == SIDE_BUY ? "buy" : "sell", (long long)best[i][side],
                         (long long)r->market[i].own_best[side]);
}

void
account_parent(struct sim *s, const struct mine *child)
{
    int64_t sum = 0;

    for (uint32_t i = 0; i < s->oracle.count; i++) {
        const struct mine *m = &s->oracle.mine[i];
        const struct vorder *v = m->vorder == SIM_NONE ? NULL : &s->venue.order[m->vorder];
        if (m->belied && m->parent_key == child->parent_key && m->client == child->client)
            return; /* its share was given back for a word that was not so */
        if (m->parent_key == child->parent_key && m->client == child->client && v != NULL)
            sum += vorder_open(v) ? v->qty : v->cum;
    }
    if (sum > child->parent_qty)
        sim_fail(s, "the children of client %u's parent %llu come to %.8f, it is of %.8f", child->client,
                 (unsigned long long)child->parent_key, (double)sum / 1e8, (double)child->parent_qty / 1e8);
}
