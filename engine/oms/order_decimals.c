/* Prices of orders when their instrument gets other decimals. See order_table.h.
 *
 * The venue goes on telling of an old order in the decimals in force. Decimals that grow lose nothing; journals of
 * before they only grew may take some away, which is rounded towards zero. */
#include "engine/oms/order_table_state.h"

static wide_t
wide_rescale(wide_t v, unsigned from, unsigned to)
{
    wide_t out;

    if (to <= from)
        return v / pow10_i64[from - to];
    return __builtin_mul_overflow(v, (wide_t)pow10_i64[to - from], &out) ? v : out;
}

static px_t
px_rescale(px_t px, unsigned from, unsigned to)
{
    return (px_t)MIN(wide_rescale(px, from, to), (wide_t)INT64_MAX);
}

static void
order_rescale(struct order_table *t, struct order *o, unsigned from, unsigned to)
{
    o->px = px_rescale(o->px, from, to);
    o->trigger_px = px_rescale(o->trigger_px, from, to);
    o->last_px = px_rescale(o->last_px, from, to);
    o->rest_px = px_rescale(o->rest_px, from, to);
    o->cum_px_qty = wide_rescale(o->cum_px_qty, from, to);
    o->reserved_cost = wide_rescale(o->reserved_cost, from, to);
    if ((o->marks & ORDER_MARK_AMENDS) != 0) {
        struct order_amend *a = &t->amend[o - t->order];
        a->px = px_rescale(a->px, from, to);
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
