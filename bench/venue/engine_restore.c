/* Putting a ledger's state back into a fresh engine: each call is one recorded fact, applied without matching, checks,
 * events or records. emu_restore_finish() then ends what a cut-off operation left half done.
 *
 * Facts are trusted to be ours but not to be complete: a fact that does not fit the state is refused (false), never
 * asserted.
 *
 * Always true: after emu_restore_finish() every invariant of engine.h holds, and no id is handed out twice. */
#include "bench/venue/engine_state.h"

#define REMATCH_MAX 1000000 /* each pass takes one order off a crossed book */

static void
seen(int64_t *id, int64_t value)
{
    *id = MAX(*id, value);
}

static bool
rests_by_itself(const struct emu_order *o)
{
    return o->is_working && emu_type_has_price(o->type) && o->tif == EMU_GTC;
}

static bool
is_sane(const struct emu_engine *e, const struct emu_order *f)
{
    return f->account != EMU_HOUSE && f->account < e->account_count && f->symbol < e->symbol_count &&
           f->side < EMU_SIDE_COUNT && f->type < EMU_TYPE_COUNT && f->tif < EMU_TIF_COUNT && f->stp < EMU_STP_COUNT &&
           f->id > 0 && f->qty >= 0 && f->px >= 0 && f->stop_px >= 0 && f->iceberg_qty >= 0 &&
           f->quote_order_qty >= 0 && f->client_id[0] != '\0' && (f->px > 0 || !emu_type_has_price(f->type));
}

static struct emu_order *
find(struct emu_engine *e, uint32_t account, int symbol, int64_t order_id)
{
    if (account == EMU_HOUSE || account >= e->account_count || symbol < 0 || symbol >= e->symbol_count)
        return NULL;
    struct emu_order *o = order_by_id(&e->symbol[symbol], account, order_id);
    return o != NULL && o->is_open ? o : NULL;
}

struct emu_order *
emu_restore_order(struct emu_engine *e, const struct emu_order *f)
{
    if (!is_sane(e, f))
        return NULL;
    struct symbol_state *s = &e->symbol[f->symbol];
    const struct user_symbol *u = &s->user[f->account];
    if (u->order_count > 0 && u->orders[u->order_count - 1]->id >= f->id)
        return NULL;
    struct emu_order *o = order_take(e, f->account);
    if (o == NULL)
        return NULL;
    *o = *f;
    o->status = EMU_NEW;
    o->is_open = true;
    o->is_working = !emu_type_is_algo(o->type);
    o->working_us = o->is_working ? o->created_us : -1;
    o->updated_us = o->created_us;
    order_index(e, s, o);
    int paid = o->side == EMU_BUY ? s->quote : s->base;
    if (order_lock_wanted(e, o) > e->account[o->account].balance[paid].free) {
        o->is_open = false; /* stays listed, so that its memory has an owner; the caller gives up on the file */
        return NULL;
    }
    order_relock(e, s, o);
    if (!o->is_working)
        stop_wait(s, o);
    else if (rests_by_itself(o))
        book_rest(e, s, o);
    seen(&s->order_id, o->id);
    return o;
}

static void
close_order(struct emu_engine *e, struct symbol_state *s, struct emu_order *o, enum emu_status status, int64_t time_us)
{
    if (o->visible_qty != 0)
        book_remove(e, s, o);
    else if (!o->is_working)
        stop_unwait(s, o);
    order_unlist_open(e, s, o);
    o->is_open = false;
    o->status = (uint8_t)status;
    o->updated_us = time_us;
    order_relock(e, s, o);
    o->is_working = false;
}

/* Whether the balances allow the fill: what it pays comes out of the lock it frees and what is free. */
static bool
can_settle(const struct emu_engine *e, const struct symbol_state *s, const struct emu_order *o,
           const struct emu_trade *f)
{
    bool buy = o->side == EMU_BUY;
    struct emu_order after = *o;
    int64_t paid = buy ? f->quote_qty : f->qty;
    int64_t received = buy ? f->qty : f->quote_qty;

    if (f->quote_qty < 0 || f->commission < 0 || f->commission > (e->fee_in_quote ? f->quote_qty : received))
        return false;
    if (e->fee_in_quote && buy)
        paid += f->commission;
    after.cum_qty += f->qty;
    wide_t spare = (wide_t)o->locked + e->account[o->account].balance[buy ? s->quote : s->base].free;
    return spare >= (wide_t)paid + order_lock_wanted(e, &after);
}

bool
emu_restore_fill(struct emu_engine *e, const struct emu_trade *f, bool with_house)
{
    struct emu_order *o = find(e, f->account, f->symbol, f->order_id);
    if (o == NULL || f->qty <= 0 || f->qty > order_leaves(o) || f->px <= 0)
        return false;
    struct symbol_state *s = &e->symbol[f->symbol];
    bool buy = o->side == EMU_BUY;
    if (!can_settle(e, s, o, f))
        return false;
    o->cum_qty += f->qty;
    o->cum_quote += f->quote_qty;
    o->updated_us = f->time_us;
    o->status = EMU_PARTIALLY_FILLED;
    order_settle(e, s, o, f->qty, f->quote_qty, f->commission);
    trade_add(e, s, o, f);
    if (with_house) {
        e->house[s->base] += buy ? -f->qty : f->qty;
        e->house[s->quote] += buy ? f->quote_qty : -f->quote_qty;
    }
    if (order_leaves(o) == 0)
        close_order(e, s, o, EMU_FILLED, f->time_us);
    else if (o->visible_qty != 0 && f->is_maker)
        book_reduce(e, s, o, f->qty);
    else if (o->visible_qty != 0) { /* it rested after its fills: its slice is cut from what was left then */
        book_remove(e, s, o);
        book_rest(e, s, o);
    }
    s->last_px = f->px;
    avg_add(s, f->time_us, f->px, f->qty);
    seen(&s->trade_id, f->id);
    return true;
}

bool
emu_restore_close(struct emu_engine *e, uint32_t account, int symbol, int64_t order_id, enum emu_status status,
                  int64_t prevented_qty, int64_t time_us)
{
    struct emu_order *o = find(e, account, symbol, order_id);
    if (o == NULL || (status != EMU_CANCELED && status != EMU_EXPIRED && status != EMU_EXPIRED_IN_MATCH))
        return false;
    struct symbol_state *s = &e->symbol[symbol];
    o->prevented_qty = prevented_qty;
    s->prevented_match_id += status == EMU_EXPIRED_IN_MATCH;
    close_order(e, s, o, status, time_us);
    return true;
}

bool
emu_restore_amend(struct emu_engine *e, uint32_t account, int symbol, int64_t order_id, int64_t new_qty,
                  const char *client_id, int64_t time_us)
{
    struct emu_order *o = find(e, account, symbol, order_id);
    if (o == NULL || new_qty <= o->cum_qty || new_qty >= o->qty || strlen(client_id) >= EMU_CLIENT_ID_MAX)
        return false;
    struct symbol_state *s = &e->symbol[symbol];
    client_index_remove(e, o);
    (void)snprintf(o->client_id, sizeof(o->client_id), "%s", client_id);
    client_index_add(e, o);
    o->qty = new_qty;
    o->amend_count++;
    o->updated_us = time_us;
    if (o->visible_qty != 0)
        book_reduce(e, s, o, 0);
    order_relock(e, s, o);
    return true;
}

bool
emu_restore_amend_to(struct emu_engine *e, uint32_t account, int symbol, int64_t order_id, int64_t px, int64_t qty,
                     int64_t iceberg_qty, int64_t time_us)
{
    struct emu_order *o = find(e, account, symbol, order_id);
    if (o == NULL || px <= 0 || qty <= o->cum_qty || !emu_type_has_price(o->type))
        return false;
    struct symbol_state *s = &e->symbol[symbol];
    struct emu_order after = *o;
    after.px = px;
    after.qty = qty;
    int paid = o->side == EMU_BUY ? s->quote : s->base;
    if (order_lock_wanted(e, &after) - o->locked > e->account[account].balance[paid].free)
        return false;
    bool keeps_place = order_keeps_place(o, px, qty, iceberg_qty);
    if (!keeps_place && o->visible_qty != 0)
        book_remove(e, s, o);
    o->px = px;
    o->qty = qty;
    o->iceberg_qty = iceberg_qty;
    o->amend_count++;
    o->updated_us = time_us;
    order_relock(e, s, o);
    if (keeps_place)
        book_reduce(e, s, o, 0);
    else
        book_rest(e, s, o);
    return true;
}

bool
emu_restore_trigger(struct emu_engine *e, uint32_t account, int symbol, int64_t order_id, int64_t time_us)
{
    struct emu_order *o = find(e, account, symbol, order_id);
    if (o == NULL || o->is_working)
        return false;
    struct symbol_state *s = &e->symbol[symbol];
    stop_unwait(s, o);
    s->user[account].algo_open--;
    o->is_working = true;
    o->working_us = time_us;
    o->updated_us = time_us;
    order_relock(e, s, o);
    if (rests_by_itself(o))
        book_rest(e, s, o);
    return true;
}

void
emu_restore_ids(struct emu_engine *e, int symbol, int64_t order_id, int64_t trade_id, int64_t update_id,
                int64_t execution_id)
{
    ASSERT(symbol >= 0 && symbol < e->symbol_count);
    struct symbol_state *s = &e->symbol[symbol];
    seen(&s->order_id_block, order_id);
    seen(&s->trade_id_block, trade_id);
    seen(&s->update_id_block, update_id);
    seen(&s->execution_id_block, execution_id);
}

void
emu_restore_account(struct emu_engine *e, uint32_t account, int64_t maker_rate, int64_t taker_rate)
{
    ASSERT(account < e->account_count);
    e->account[account].maker_rate = maker_rate;
    e->account[account].taker_rate = taker_rate;
}

/* Continue behind everything that may have been used; the next use of each announces its new block. */
static void
skip_ids(struct symbol_state *s)
{
    int64_t *pairs[][2] = { { &s->order_id, &s->order_id_block },
                            { &s->trade_id, &s->trade_id_block },
                            { &s->update_id, &s->update_id_block },
                            { &s->execution_id, &s->execution_id_block } };
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        *pairs[i][0] = MAX(*pairs[i][0], *pairs[i][1]);
        *pairs[i][1] = *pairs[i][0];
    }
}

static void
expire_leftovers(struct emu_engine *e, struct symbol_state *s, uint32_t account)
{
    struct emu_order *next = NULL;
    for (struct emu_order *o = s->user[account].open_head; o != NULL; o = next) {
        next = o->open_next;
        if (o->is_working && o->visible_qty == 0)
            order_expire(e, s, o, "VENUE_RESTART");
    }
}

/* An order whose fills were cut off crosses the book: the newer of the two is matched again. */
static void
uncross(struct emu_engine *e, struct symbol_state *s)
{
    for (int pass = 0; pass < REMATCH_MAX; pass++) {
        const struct level *bid = book_best(s, EMU_BUY);
        const struct level *ask = book_best(s, EMU_SELL);
        if (bid == NULL || ask == NULL || bid->px < ask->px)
            return;
        order_match_again(e, s, bid->tail->id > ask->tail->id ? bid->tail : ask->tail);
    }
}

void
emu_restore_finish(struct emu_engine *e)
{
    for (int i = 0; i < e->symbol_count; i++)
        skip_ids(&e->symbol[i]);
    for (int i = 0; i < e->symbol_count; i++) {
        struct symbol_state *s = &e->symbol[i];
        for (uint32_t a = 1; a < e->account_count; a++)
            expire_leftovers(e, s, a);
        uncross(e, s);
        s->last_px_moved = true; /* a trigger may have been cut off */
        operation_end(e, s);
    }
}
