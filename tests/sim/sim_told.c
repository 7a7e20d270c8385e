/* What clients were told: each trade once and as it was, each end, an answer to every key. */
#include "tests/sim/sim.h"

/* Quantity, price, fee, its currency, side and whether it added liquidity. */
static void
check_terms(struct sim *s, const struct client *c, const struct mine *m, const struct vtrade *t, const struct report *r)
{
    const struct route *route = &s->core.route;
    unsigned qty_decimals = route_instrument(route, m->instrument, 0)->qty_decimals;
    unsigned px_decimals =
        r->instrument_version < SIM_VERSIONS ? s->oracle.px_decimals[m->instrument][r->instrument_version] : 0;
    const char *ccy = r->fee_ccy < route->currency_count ? route->currency[r->fee_ccy] : "";
    int64_t told_px = check_scale(r->last_px, px_decimals);
    int64_t worse = m->side == SIDE_BUY ? told_px - t->px : t->px - told_px;
    bool unsaid = t->claimed && r->fee == 0; /* of a fill that the operator told of */
    const char *other = t->qty != check_scale(r->last_qty, qty_decimals)          ? "quantity"
                        : (worse < 0 || worse > check_finer(t))                   ? "price"
                        : !unsaid && t->fee != r->fee                             ? "fee"
                        : !unsaid && t->fee != 0 && strcmp(ccy, t->fee_ccy) != 0  ? "fee's currency"
                        : m->side != r->side                                      ? "side"
                        : !unsaid && t->maker != ((r->flags & REPORT_MAKER) != 0) ? "liquidity"
                                                                                  : NULL;

    if (other != NULL)
        sim_fail(s,
                 "client %u is told another %s of trade %lld of order %s: %lld at %lld (%u decimals), fee %lld %s %s",
                 c->client, other, (long long)t->id, m->clordid, (long long)r->last_qty, (long long)r->last_px,
                 px_decimals, (long long)r->fee, ccy, (r->flags & REPORT_MAKER) != 0 ? "maker" : "taker");
}

static void
check_fill(struct sim *s, const struct client *c, struct mine *m, const struct report *r)
{
    struct ledger *l = &s->venue;

    for (uint32_t i = m->vorder == SIM_NONE ? SIM_NONE : l->order[m->vorder].first_trade; i != SIM_NONE;
         i = l->trade[i].next) {
        struct vtrade *t = &l->trade[i];
        if (t->id != r->trade_id)
            continue;
        if (t->told)
            sim_fail(s, "client %u is told of trade %lld of order %s twice", c->client, (long long)t->id, m->clordid);
        check_terms(s, c, m, t, r);
        t->told = true;
        m->told_qty += t->qty;
        return;
    }
    sim_fail(s, "client %u is told of trade %lld of order %s, which the venue does not have", c->client,
             (long long)r->trade_id, m->clordid);
}

void
check_report(struct sim *s, struct client *c, const struct report *r)
{
    sim_trace(s, "client %u is told: %s key %llu request %llu %s %s cum %lld", c->client,
              report_kind_text((enum report_kind)r->kind), (unsigned long long)r->key,
              (unsigned long long)r->request_key, r->deny != 0 ? deny_reason_wire((enum deny_reason)r->deny) : "",
              r->clordid, (long long)r->cum_qty);
    if (r->kind == REPORT_CONFIRM)
        memcpy(c->token, r->text, sizeof(c->token));
    promise_told(s, c, r);
    if (r->kind == REPORT_CONFIRM || r->kind == REPORT_POSITION || r->kind == REPORT_DONE || r->kind == REPORT_END)
        return;
    if (r->key > 0 && r->key < SIM_KEYS && c->client == r->client)
        c->asked[r->key].answered = true;
    if (r->kind == REPORT_DENIED) {
        if (r->key >= SIM_KEYS || r->client != c->client)
            return;
        if (r->order_state == ORDER_DENIED && c->asked[r->key].accepted &&
            c->asked[r->key].command.client_seq == r->request_key && r->deny != DENY_DUPLICATE_KEY)
            sim_fail(s, "client %u is told that key %llu was denied (%s), but it was accepted", c->client,
                     (unsigned long long)r->key, deny_reason_wire((enum deny_reason)r->deny));
        return;
    }
    if (r->clordid[0] == '\0')
        return;
    struct mine *m = check_find(s, r->clordid);
    if (m == NULL && foreign_find(s, r->clordid) != NULL && c->client == CLIENT_OPERATOR)
        return;
    const struct asked *by = r->key < SIM_KEYS && r->client == c->client ? &c->asked[r->key] : NULL;
    bool replace = by != NULL && by->used && by->command.verb == COMMAND_REPLACE;
    bool amend = m != NULL && replace && by->accepted && &s->oracle.mine[by->mine] == m && m->key != r->key;
    if (m != NULL && m->client == r->client && m->key != r->key && replace && !by->accepted)
        return; /* a replace that made no order is answered with the order it meant */
    if (m == NULL || m->client != r->client || (m->key != r->key && !amend && r->client == c->client))
        sim_fail(s, "client %u is told of order %s, key %llu, which is not so", c->client, r->clordid,
                 (unsigned long long)r->key);
    bool asked = amend && (r->kind == REPORT_SENT || r->kind == REPORT_NOT_PLACED || r->kind == REPORT_REJECTED);
    if ((r->cum_qty > r->qty && !asked) || r->leaves_qty < 0) /* what an amend asks for may be less than is filled */
        sim_fail(s, "client %u is told (%s) of order %s that %lld of %lld are filled, %lld left", c->client,
                 report_kind_text((enum report_kind)r->kind), m->clordid, (long long)r->cum_qty, (long long)r->qty,
                 (long long)r->leaves_qty);
    if (m->client != c->client)
        return;
    if (s->eager && amend && (r->kind == REPORT_REJECTED || r->kind == REPORT_NEW))
        client_again_soon(s, c, r->key);
    switch ((enum report_kind)r->kind) {
    case REPORT_FILL: check_fill(s, c, m, r); break;
    case REPORT_CANCELED:
    case REPORT_EXPIRED:
    case REPORT_REPLACED:
    case REPORT_REJECTED:
    case REPORT_NOT_PLACED:
        if (s->kraken && m->vorder != SIM_NONE && r->kind != REPORT_CANCELED && r->kind != REPORT_EXPIRED)
            break; /* the end of an amend, not of its order */
        if (m->told_end && !m->gap)
            sim_fail(s, "client %u is told twice that order %s is over", c->client, m->clordid);
        m->told_end = true;
        break;
    default: break;
    }
}

void
check_told(struct sim *s, const struct mine *m)
{
    const struct vorder *v = m->vorder == SIM_NONE ? NULL : &s->venue.order[m->vorder];

    if (m->gap || m->belied)
        return;
    if (v != NULL && m->told_qty != v->cum)
        sim_fail(s, "client %u was told of %.8f filled of order %s; the venue filled %.8f", m->client,
                 (double)m->told_qty / 1e8, m->clordid, (double)v->cum / 1e8);
    if (!m->told_end && (v == NULL || v->status != V_FILLED))
        sim_fail(s, "client %u was never told that order %s is over", m->client, m->clordid);
}
