/* Orders and amends whose bytes wait for the disk (durable_first): taken back when they are not to leave any more.
 *
 * What waits has provably not left, so no venue need be asked: the order is NOT_PLACED, an amend refused. That is what
 * a cancel of such an order, the kill switch, a ban, a disk that is too slow or fails, and a lost connection come to.
 *
 * Always true: an entry of sent[] whose record is not durable is with the port, and the port lets it go only after
 * gateway_on_durable; so one that the port gives back, or that ended with its connection, never left. */
#include "engine/gateway_state.h"

static bool
waits(const struct gateway *g, const struct sent *s)
{
    return s->seq > g->durable_seq;
}

static void
forget(struct gateway *g, uint32_t i)
{
    memmove(&g->sent[i], &g->sent[i + 1], (--g->sent_count - i) * sizeof(g->sent[0]));
}

/* The order never left; neither did the replacement of the one that it was to replace. */
static void
order_over(struct gateway *g, uint32_t slot, const char *why, struct now now)
{
    uint32_t target = order_at(g->p.orders, slot)->replaces;

    order_said(g, slot, ORDER_EV_NOT_PLACED, 0, why, now);
    if (target == ORDER_NONE)
        return;
    const struct order *o = order_at(g->p.orders, target);
    if (order_live(o) && (o->request == REQUEST_REPLACE_IN_FLIGHT || o->request == REQUEST_REPLACE_UNKNOWN))
        order_said(g, target, ORDER_EV_CANCEL_REJECTED, 0, why, now);
}

/* Take what waits of this order out of the list; `gone`: its connection has ended and took it along. True when the
 * order itself was among it; *amend: when an amend was. */
static bool
take(struct gateway *g, uint32_t slot, bool gone, bool *amend)
{
    const struct order *o = order_at(g->p.orders, slot);
    const struct gateway_port *port = &g->p.port;
    bool order = false;

    *amend = false;
    for (uint32_t i = g->sent_count; i-- > 0;) {
        const struct sent s = g->sent[i];
        if (s.slot != slot || !waits(g, &s) || memcmp(s.clordid, o->clordid, CLORDID_BYTES) != 0)
            continue;
        if (!gone && !port->send_withdraw(port->ctx, GATEWAY_CONN(o->venue, ROLE_ORDER), s.seq))
            continue;
        order |= !s.amend;
        *amend |= s.amend;
        forget(g, i);
    }
    return order;
}

static bool
withdraw(struct gateway *g, uint32_t slot, bool gone, const struct command *by, const char *why, struct now now)
{
    bool amend;

    if (!g->venue[order_at(g->p.orders, slot)->venue].cfg->ops->needs_connection)
        return false;
    bool order = take(g, slot, gone, &amend);
    if (order) {
        if (by != NULL)
            order_cancel_asked(g, slot, by, now);
        order_over(g, slot, why, now);
    } else if (amend && order_amend_at(g->p.orders, slot) != NULL) {
        order_said(g, slot, ORDER_EV_AMEND_REJECTED, order_amend_at(g->p.orders, slot)->key, why, now);
    }
    return order;
}

bool
unsent_withdraw(struct gateway *g, uint32_t slot, const struct command *by, const char *why, struct now now)
{
    return withdraw(g, slot, false, by, why, now);
}

static void
withdraw_all(struct gateway_venue *v, bool gone, const char *why, struct now now)
{
    struct gateway *g = v->g;

    for (uint32_t i = 0; i < g->sent_count;) {
        const struct sent s = g->sent[i];
        const struct order *o = order_at(g->p.orders, s.slot);
        uint32_t before = g->sent_count;
        if (waits(g, &s) && o->venue == v->id && memcmp(s.clordid, o->clordid, CLORDID_BYTES) == 0)
            (void)withdraw(g, s.slot, gone, NULL, why, now);
        i += g->sent_count == before;
    }
}

void
unsent_withdraw_all(struct gateway_venue *v, const char *why, struct now now)
{
    if (v->g->cfg.durable_first)
        withdraw_all(v, false, why, now);
}

void
unsent_lost(struct gateway_venue *v, struct now now)
{
    if (v->g->cfg.durable_first)
        withdraw_all(v, true, "the connection ended before its record was on disk: it never left", now);
}

void
unsent_failed(struct gateway *g, struct now now)
{
    if (!g->cfg.durable_first)
        return;
    for (uint16_t i = 0; i < g->cfg.venue_count; i++)
        withdraw_all(&g->venue[i], false, "the journal failed before it left", now);
    for (uint32_t i = 0; i < g->sent_count; i++) { /* what could not be taken back must not leave either */
        struct gateway_venue *v = &g->venue[order_at(g->p.orders, g->sent[i].slot)->venue];
        if (waits(g, &g->sent[i]) && v->cfg->ops->needs_connection && venue_connected(v))
            session_broken(v, ROLE_ORDER, "orders wait for a journal that failed: the session is closed", now);
    }
}
