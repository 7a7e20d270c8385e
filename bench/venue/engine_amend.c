/* What happens to a resting order later on: amends in place, an end by its own clock, a hit on a test's order; and
 * other filters while running. */
#include "bench/venue/engine_state.h"

#define EXPIRE_PASSES_MAX 1000000 /* each pass ends one order */

static int
refuse(struct emu_engine *e, const struct emu_order *o, struct emu_order_result *out, int code, const char *msg)
{
    out->err.code = code;
    (void)snprintf(out->err.msg, sizeof(out->err.msg), "%s", msg);
    if (e->recorder.rejection != NULL && o != NULL) {
        e->recorder.rejection(e->recorder.ctx, e, o->account, o->symbol, o->client_id, &out->err);
        e->recorder.commit(e->recorder.ctx);
    }
    return code;
}

static int
check_filters(const struct emu_engine *e, const struct symbol_state *s, const struct emu_order *to,
              struct emu_error *err)
{
    struct emu_filter_input in = { .side = to->side,
                                   .type = to->type,
                                   .px = to->px,
                                   .stop_px = to->stop_px,
                                   .qty = to->qty,
                                   .iceberg_qty = to->iceberg_qty,
                                   .avg_px = emu_avg_px(e, s->index) };
    const char *failed = emu_filters_check(&s->def->filters, &in);

    if (failed == NULL || strcmp(failed, "MAX_POSITION") == 0)
        return 0;
    err->code = -1013;
    (void)snprintf(err->msg, sizeof(err->msg), "Filter failure: %s", failed);
    return err->code;
}

int
emu_order_amend_to(struct emu_engine *e, uint32_t account, int symbol, int64_t order_id, const struct emu_amend *amend,
                   struct emu_order_result *out)
{
    ASSERT(account < e->account_count && account != EMU_HOUSE && symbol >= 0 && symbol < e->symbol_count);
    struct symbol_state *s = &e->symbol[symbol];
    struct emu_order *o = order_by_id(s, account, order_id);

    *out = (struct emu_order_result){ 0 };
    if (o == NULL || !o->is_open)
        return refuse(e, NULL, out, -2011, "Unknown order sent.");
    if (!o->is_working || !emu_type_has_price(o->type))
        return refuse(e, o, out, -2038, "This order cannot be amended.");
    struct emu_order to = *o;
    to.px = amend->px != 0 ? amend->px : o->px;
    to.qty = amend->qty != 0 ? amend->qty : o->qty;
    to.iceberg_qty = amend->iceberg_qty != 0 ? amend->iceberg_qty : o->iceberg_qty;
    if (to.qty <= o->cum_qty) {
        order_cancel(e, s, o, o->client_id, "AMENDED");
        operation_end(e, s);
        out->order = o;
        return 0;
    }
    if (check_filters(e, s, &to, &out->err) != 0)
        return refuse(e, o, out, out->err.code, out->err.msg);
    int paid = o->side == EMU_BUY ? s->quote : s->base;
    if (order_lock_wanted(e, &to) - o->locked > e->account[account].balance[paid].free)
        return refuse(e, o, out, -2010, "Account has insufficient balance for requested action.");
    if (amend->post_only && order_would_take(s, to.side, to.px))
        return refuse(e, o, out, -2010, "Order would immediately match and take.");
    bool keeps_place = order_keeps_place(o, to.px, to.qty, to.iceberg_qty);
    if (!keeps_place && o->visible_qty != 0)
        book_remove(e, s, o);
    o->px = to.px;
    o->qty = to.qty;
    o->iceberg_qty = to.iceberg_qty;
    o->amend_count++;
    o->updated_us = e->now_us;
    if (keeps_place)
        book_reduce(e, s, o, 0);
    order_relock(e, s, o);
    order_report(e, s, o, EMU_EXEC_REPLACED);
    if (!keeps_place)
        order_work(e, s, o);
    operation_end(e, s);
    out->order = o;
    return 0;
}

bool
emu_order_hit(struct emu_engine *e, uint32_t account, int symbol, int64_t order_id, int64_t qty)
{
    ASSERT(symbol >= 0 && symbol < e->symbol_count);
    struct symbol_state *s = &e->symbol[symbol];
    struct emu_order *maker = order_by_id(s, account, order_id);

    if (maker == NULL || maker->visible_qty == 0 || qty <= 0)
        return false;
    qty = MIN(qty, maker->visible_qty);
    struct emu_order_req rq = { .symbol = symbol,
                                .side = maker->side == EMU_BUY ? EMU_SELL : EMU_BUY,
                                .type = EMU_LIMIT,
                                .tif = EMU_IOC,
                                .px = maker->px,
                                .qty = qty };
    struct emu_order *taker = order_accept(e, s, EMU_HOUSE, &rq, 0);
    order_fill(e, s, taker, maker, qty);
    ASSERT(!taker->is_open);
    order_release_house(e, taker);
    operation_end(e, s);
    return true;
}

void
emu_filters_set(struct emu_engine *e, int symbol, const struct emu_filters *filters)
{
    ASSERT(symbol >= 0 && symbol < e->symbol_count && filters->px_tick > 0 && filters->lot_step > 0);
    struct symbol_state *s = &e->symbol[symbol];

    s->own = *s->def;
    s->own.filters = *filters;
    s->def = &s->own;
}

static struct emu_order *
next_due(const struct emu_engine *e, const struct symbol_state *s)
{
    for (uint32_t a = 1; a < e->account_count; a++)
        for (struct emu_order *o = s->user[a].open_head; o != NULL; o = o->open_next)
            if (o->expire_us != 0 && o->expire_us <= e->now_us)
                return o;
    return NULL;
}

void
emu_orders_expire_due(struct emu_engine *e)
{
    for (int i = 0; i < e->symbol_count; i++) {
        struct symbol_state *s = &e->symbol[i];
        for (int pass = 0; pass < EXPIRE_PASSES_MAX; pass++) {
            struct emu_order *o = next_due(e, s);
            if (o == NULL)
                break;
            order_expire(e, s, o, "GOOD_TILL_DATE");
            operation_end(e, s);
        }
    }
}
