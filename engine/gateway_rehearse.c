/* The rehearsal: in idle turns of a loop that spins, the way of the last new order once more as far as it only reads.
 * It stands beside the path of an order (gateway_order.c) and calls the same code: checks of risk, the venue's encoder,
 * the WebSocket frame.
 *
 * Always true: nothing is sent, journaled, counted, drawn or decided; what it writes is scratch memory that every
 * message writes before it reads. A replay of a recording does not rehearse, and differs in nothing. */
#include "engine/gateway_state.h"

static void
rehearse(const struct gateway *g, uint8_t *scratch, const struct order *o, struct now now)
{
    const struct gateway_venue *v = &g->venue[o->venue];
    const struct instrument *ins = route_instrument(g->p.route, o->instrument, 0);
    struct venue_order order;
    struct risk_order risk;
    const struct command c = {
        .client = o->client,
        .key = o->key + 1,
        .account = o->account,
        .instrument = o->instrument,
        .instrument_version = o->instrument_version,
        .side = o->side,
        .type = o->type,
        .tif = o->tif,
        .flags = o->flags,
        .px = o->px,
        .qty = o->qty,
    };
    const struct venue_request rq = { .kind = VENUE_RQ_NEW, .order = &order };

    if (ins == NULL || v->cfg->ops->rehearse == NULL)
        return;
    struct client_hint hint = order_hint(&c);
    order_prefetch(g, &hint);
    order_risk_fill(g, &c, ins, &risk);
    (void)venue_affords(v, VENUE_RQ_NEW, now);
    risk_rehearse(g->p.risk, &risk, order_md_ref(g, ins), now);
    venue_order_fill(g, o, &order);
    int n = v->cfg->ops->rehearse(v->cfg->adapter, &rq, now, venue_offset_ns(v, now), scratch + WS_HEADER_ROOM,
                                  GATEWAY_ORDER_ROOM);
    uint32_t mask = 0;
    if (n > 0)
        (void)ws_encode(scratch, WS_HEADER_ROOM, (size_t)n, WS_OP_TEXT, &mask);
}

void
gateway_rehearse(struct gateway *g, struct now now)
{
    if (likely(mono_since(now.mono, g->rehearsed) < REHEARSAL_NS) || g->last_slot == ORDER_NONE)
        return;
    g->rehearsed = now.mono;
    rehearse(g, g->scratch, order_at(g->p.orders, g->last_slot), now);
}
