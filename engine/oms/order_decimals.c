/* Prices of orders when their instrument gets other decimals. See order_table.h.
 *
 * The venue goes on telling of an old order in the decimals in force. Decimals that grow lose nothing; journals of
 * before they only grew may take some away, which is rounded towards zero. */
#include "engine/oms/order_table_state.h"

static void
order_rescale(struct order_table *t, struct order *o, unsigned from, unsigned to)
{
    o->px = decimal_rescale(o->px, from, to);
    o->trigger_px = decimal_rescale(o->trigger_px, from, to);
    o->last_px = decimal_rescale(o->last_px, from, to);
    o->rest_px = decimal_rescale(o->rest_px, from, to);
    o->cum_px_qty = wide_rescale(o->cum_px_qty, from, to, o->cum_px_qty);
    o->reserved_cost = wide_rescale(o->reserved_cost, from, to, o->reserved_cost);
    if ((o->marks & ORDER_MARK_AMENDS) != 0) {
        struct order_amend *a = &t->amend[o - t->order];
        a->px = decimal_rescale(a->px, from, to);
    }
}

static bool
any_live(const struct order_table *t, uint32_t instrument)
{
    for (uint32_t slot = t->live.head; slot != ORDER_NONE; slot = t->order[slot].live_next)
        if (t->order[slot].instrument == instrument)
            return true;
    return false;
}

void
order_table_define(struct order_table *t, const struct instrument *ins)
{
    ASSERT(ins->id < INSTRUMENT_MAX && ins->px_decimals <= DECIMALS_MAX && ins->qty_decimals <= DECIMALS_MAX);
    struct decimals *d = &t->decimals[ins->id];
    struct decimals next = { .known = true, .px = ins->px_decimals, .qty = ins->qty_decimals };

    if (d->known && d->qty != next.qty && any_live(t, ins->id))
        return;
    for (uint32_t slot = 0; d->known && d->px != next.px && slot < t->pool_used; slot++) {
        struct order *o = &t->order[slot];
        if (o->state == ORDER_FREE || o->instrument != ins->id)
            continue;
        order_rescale(t, o, d->px, next.px);
        o->instrument_version = ins->version;
    }
    *d = next;
}
