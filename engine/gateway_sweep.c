/* Cancel sweeps: "cancel all" of a strategy, of an instrument, of everybody. A walk over the live orders, some per
 * piece of work, that sends a cancel for each one it means; between a client's word or the gateway's own (a client
 * gone, a flatten, the stop) and gateway_order.c, which cancels one order.
 *
 * Always true: an order that a sweep has met stays marked as wanted until it is over, so that a cancel without room, or
 * one that is lost, is repeated; no venue's sweep waits for another venue. */
#include "engine/gateway_state.h"

static bool
sweep_start(struct gateway *g, uint32_t client, uint32_t instrument, int32_t answer_slot, uint64_t request_key)
{
    for (unsigned i = 0; i < SWEEPS_MAX; i++) {
        struct sweep *s = &g->sweep[i];
        if (s->used)
            continue;
        int walk = order_walk_open(g->p.orders, client);
        if (walk < 0)
            return false;
        *s = (struct sweep){
            .used = true,
            .walk = walk,
            .held = ORDER_NONE,
            .seq_max = g->mint.seq,
            .client = client,
            .instrument = instrument,
            .answer_slot = answer_slot,
            .request_key = request_key,
        };
        return true;
    }
    return false;
}

bool
order_sweep_start(struct gateway *g, uint32_t client, uint32_t instrument, int32_t answer_slot, uint64_t request_key)
{
    if (!sweep_start(g, client, instrument, answer_slot, request_key))
        return false;
    (void)replace_drop(g, client, instrument, 0); /* orders to come, of replaces that wait for their old ones */
    return true;
}

bool
order_sweep_wanted(struct gateway_venue *v)
{
    struct gateway *g = v->g;

    for (unsigned i = 0; i < SWEEPS_MAX && !v->cancels_leave; i++) {
        if (!g->sweep[i].used && sweep_start(g, CLIENT_NONE, INSTRUMENT_NONE, -1, 0)) {
            g->sweep[i].wanted_only = true; /* the first free one, which was taken */
            g->sweep[i].venue = v->id;
            g->sweep[i].seq_max = UINT64_MAX;
            v->cancels_leave = true;
            return true;
        }
    }
    return false;
}

bool
order_sweep_allowed(const struct gateway *g, uint32_t session)
{
    unsigned n = 0;

    for (unsigned i = 0; i < SWEEPS_MAX; i++)
        n += g->sweep[i].used && g->sweep[i].answer_slot == (int32_t)session;
    return n < SWEEPS_MAX / 2;
}

static void
sweep_end(struct gateway *g, struct sweep *s, struct now now)
{
    s->used = false;
    s->walk = -1;
    if (s->wanted_only)
        g->venue[s->venue].cancels_leave = false;
    if (s->answer_slot >= 0) {
        struct report r = {
            .version = MESSAGE_VERSION,
            .kind = REPORT_DONE,
            .request_key = s->request_key,
            .client = s->client,
            .qty = s->count,
            .leaves_qty = s->waiting,
            .trade_id = -1,
        };
        (void)snprintf(r.text, sizeof(r.text), "%u sent, %u wait for the venue", s->count, s->waiting);
        answer_report(g, (uint32_t)s->answer_slot, &r, now);
    }
}

/* A held slot may have gone to another order meanwhile. */
static bool
sweep_means(const struct gateway *g, const struct sweep *s, uint32_t slot)
{
    const struct order *o = order_at(g->p.orders, slot);

    if (!order_live(o) || (s->client != CLIENT_NONE && o->client != s->client) ||
        (s->instrument != INSTRUMENT_NONE && o->instrument != s->instrument))
        return false;
    if (o->term == g->mint.term && o->seq > s->seq_max)
        return false;
    return !s->wanted_only || (o->venue == s->venue && g->aux[slot].cancel_wanted);
}

bool
order_sweep_work(struct gateway *g, struct sweep *s, struct now now)
{
    for (unsigned i = 0; i < WALK_PER_WORK; i++) {
        uint32_t slot = s->held != ORDER_NONE ? s->held : order_walk_next(g->p.orders, s->walk);
        s->held = ORDER_NONE;
        if (slot == ORDER_NONE) {
            sweep_end(g, s, now);
            return false;
        }
        const struct order *o = order_at(g->p.orders, slot);
        if (!sweep_means(g, s, slot))
            continue;
        g->aux[slot].cancel_wanted = true; /* a lost cancel is repeated: nobody may be there to see it */
        if (cancel_under_way(o))           /* a replace: its new order is on the list too, behind us */
            continue;
        if (!venue_can_cancel(&g->venue[o->venue], now)) {
            order_cancel_later(g, slot);
            s->waiting++;
            continue;
        }
        bool sent = order_cancel_now(g, slot, now);
        if (!sent && s->wanted_only) {
            s->held = slot; /* no room: next turn */
            return false;
        }
        if (!sent)
            order_cancel_later(g, slot); /* the other venues' orders do not wait for it */
        *(sent ? &s->count : &s->waiting) += 1;
    }
    return true;
}
