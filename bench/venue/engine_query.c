/* Reads of the emulated venue's engine: texts, reference data, order and trade queries, public market data, and the
 * check of its invariants. Nothing here changes state.
 *
 * Always true: a query's results are ordered oldest first, and are never more than its limit. */
#include "bench/venue/engine_state.h"

#include <stdarg.h>

/* ---- texts ---- */

#define TEXT_ROW(id, text) [id] = (text),
#define TEXTS(name, LIST, COUNT, type)                              \
    static const char *const name##_texts[] = { LIST(TEXT_ROW) };   \
    const char *emu_##name##_text(type v)                           \
    {                                                               \
        return (unsigned)v < (COUNT) ? name##_texts[v] : "UNKNOWN"; \
    }

static int
text_find(const char *const *texts, int count, const char *text)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(texts[i], text) == 0)
            return i;
    }
    return -1;
}

TEXTS(side, EMU_SIDES, EMU_SIDE_COUNT, enum emu_side)
TEXTS(type, EMU_TYPES, EMU_TYPE_COUNT, enum emu_type)
TEXTS(tif, EMU_TIFS, EMU_TIF_COUNT, enum emu_tif)
TEXTS(status, EMU_STATUSES, EMU_STATUS_COUNT, enum emu_status)
TEXTS(exec, EMU_EXECS, EMU_EXEC_COUNT, enum emu_exec)
TEXTS(stp, EMU_STPS, EMU_STP_COUNT, enum emu_stp)
TEXTS(symbol_status, EMU_SYMBOL_STATUSES, EMU_SYMBOL_STATUS_COUNT, enum emu_symbol_status)
TEXTS(leg, EMU_LEGS, EMU_LEG_COUNT, enum emu_leg)

static const char *const restriction_texts[] = { EMU_CANCEL_RESTRICTIONS(TEXT_ROW) };

int
emu_side_from(const char *text)
{
    return text_find(side_texts, EMU_SIDE_COUNT, text);
}

int
emu_type_from(const char *text)
{
    return text_find(type_texts, EMU_TYPE_COUNT, text);
}

int
emu_tif_from(const char *text)
{
    return text_find(tif_texts, EMU_TIF_COUNT, text);
}

int
emu_stp_from(const char *text)
{
    return text_find(stp_texts, EMU_STP_COUNT, text);
}

int
emu_status_from(const char *text)
{
    return text_find(status_texts, EMU_STATUS_COUNT, text);
}

int
emu_cancel_restriction_from(const char *text)
{
    return text_find(restriction_texts, EMU_CANCEL_RESTRICTION_COUNT, text);
}

/* ---- reference data ---- */

int
emu_symbol_count(const struct emu_engine *e)
{
    return e->symbol_count;
}

int
emu_symbol_find(const struct emu_engine *e, const char *name)
{
    for (int i = 0; i < e->symbol_count; i++) {
        if (strcmp(e->symbol[i].def->name, name) == 0)
            return i;
    }
    return -1;
}

static struct symbol_state *
symbol_at(const struct emu_engine *e, int symbol)
{
    ASSERT(symbol >= 0 && symbol < e->symbol_count);
    return &e->symbol[symbol];
}

const struct emu_symbol_def *
emu_symbol_get(const struct emu_engine *e, int symbol)
{
    return symbol_at(e, symbol)->def;
}

enum emu_symbol_status
emu_symbol_status_get(const struct emu_engine *e, int symbol)
{
    return symbol_at(e, symbol)->status;
}

void
emu_symbol_status_set(struct emu_engine *e, int symbol, enum emu_symbol_status status)
{
    symbol_at(e, symbol)->status = status;
}

int
emu_asset_count(const struct emu_engine *e)
{
    return e->asset_count;
}

const char *
emu_asset_name(const struct emu_engine *e, int asset)
{
    ASSERT(asset >= 0 && asset < e->asset_count);
    return e->asset[asset];
}

int
emu_asset_find(const struct emu_engine *e, const char *name)
{
    for (int i = 0; i < e->asset_count; i++) {
        if (strcmp(e->asset[i], name) == 0)
            return i;
    }
    return -1;
}

int
emu_account_find(const struct emu_engine *e, const char *name)
{
    for (uint32_t i = 0; i < e->account_count; i++) {
        if (strcmp(e->account[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

int
emu_account_count(const struct emu_engine *e)
{
    return (int)e->account_count;
}

const struct emu_account *
emu_account_get(const struct emu_engine *e, uint32_t account)
{
    ASSERT(account < e->account_count);
    return &e->account[account];
}

/* ---- orders and trades ---- */

static const struct emu_order *
not_found(struct emu_error *err, int code, const char *msg)
{
    if (err != NULL) {
        err->code = code;
        (void)snprintf(err->msg, sizeof(err->msg), "%s", msg);
    }
    return NULL;
}

const struct emu_order *
emu_order_find(const struct emu_engine *e, uint32_t account, int symbol, int64_t order_id, const char *client_id,
               struct emu_error *err)
{
    ASSERT(account < e->account_count);
    if (err != NULL)
        *err = (struct emu_error){ 0 };
    if (symbol < 0 || symbol >= e->symbol_count)
        return not_found(err, -1121, "Invalid symbol.");
    if (order_id == 0 && client_id == NULL)
        return not_found(err, -1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!");
    const struct emu_order *o = NULL;
    if (order_id != 0)
        o = order_by_id(&e->symbol[symbol], account, order_id);
    else if (account != EMU_HOUSE)
        o = client_find(e, account, symbol, client_id);
    if (o == NULL)
        return not_found(err, -2013, "Order does not exist.");
    if (client_id != NULL && strcmp(client_id, o->client_id) != 0)
        return not_found(err, -2039, "Client order ID is not correct for this order ID.");
    return o;
}

int
emu_orders_open(const struct emu_engine *e, uint32_t account, int symbol, const struct emu_order **out, int out_max)
{
    ASSERT(account < e->account_count);
    int count = 0;

    for (int i = 0; i < e->symbol_count; i++) {
        if (symbol >= 0 && i != symbol)
            continue;
        for (const struct emu_order *o = e->symbol[i].user[account].open_head; o != NULL && count < out_max;
             o = o->open_next)
            out[count++] = o;
    }
    return count;
}

static bool
in_time(int64_t t, int64_t start_us, int64_t end_us)
{
    return t >= start_us && (end_us == 0 || t <= end_us);
}

static void
reverse(const void **v, int count)
{
    for (int i = 0; i < count / 2; i++) {
        const void *t = v[i];
        v[i] = v[count - 1 - i];
        v[count - 1 - i] = t;
    }
}

static int
order_lower_bound(const struct user_symbol *u, int64_t id)
{
    int low = 0;
    int high = u->order_count;
    while (low < high) {
        int mid = low + (high - low) / 2;
        if (u->orders[mid]->id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

int
emu_orders_all(const struct emu_engine *e, uint32_t account, int symbol, int64_t from_id, int64_t start_us,
               int64_t end_us, const struct emu_order **out, int limit)
{
    const struct user_symbol *u = &symbol_at(e, symbol)->user[account];
    int count = 0;

    if (from_id == 0 && start_us == 0) { /* the newest */
        for (int i = u->order_count - 1; i >= 0 && count < limit; i--) {
            if (in_time(u->orders[i]->created_us, start_us, end_us))
                out[count++] = u->orders[i];
        }
        reverse((const void **)out, count);
        return count;
    }
    for (int i = order_lower_bound(u, from_id); i < u->order_count && count < limit; i++) {
        if (in_time(u->orders[i]->created_us, start_us, end_us))
            out[count++] = u->orders[i];
    }
    return count;
}

int
emu_trades_mine(const struct emu_engine *e, uint32_t account, int symbol, int64_t order_id, int64_t from_id,
                int64_t start_us, int64_t end_us, const struct emu_trade **out, int limit)
{
    const struct user_symbol *u = &symbol_at(e, symbol)->user[account];
    bool newest = from_id < 0 && start_us == 0;
    int count = 0;

    if (order_id != 0) {
        const struct emu_order *o = order_by_id(symbol_at(e, symbol), account, order_id);
        for (const struct emu_trade *t = o != NULL ? o->trades : NULL; t != NULL && count < limit;
             t = t->next_of_order) {
            if (t->id >= from_id && in_time(t->time_us, start_us, end_us))
                out[count++] = t;
        }
        return count;
    }
    for (int k = 0; k < u->trade_count && count < limit; k++) {
        const struct emu_trade *t = u->trades[newest ? u->trade_count - 1 - k : k];
        if (t->id >= from_id && in_time(t->time_us, start_us, end_us))
            out[count++] = t;
    }
    if (newest)
        reverse((const void **)out, count);
    return count;
}

/* ---- public market data ---- */

static int
depth_side(const struct book_side *b, int limit, struct emu_level *out)
{
    int count = 0;
    for (int i = b->count - 1; i >= 0 && count < limit; i--, count++)
        out[count] = (struct emu_level){ .px = b->level[i].px, .qty = b->level[i].visible_qty };
    return count;
}

int64_t
emu_depth(const struct emu_engine *e, int symbol, int limit, struct emu_level *bids, int *bid_count,
          struct emu_level *asks, int *ask_count)
{
    const struct symbol_state *s = symbol_at(e, symbol);
    *bid_count = depth_side(&s->side[EMU_BUY], limit, bids);
    *ask_count = depth_side(&s->side[EMU_SELL], limit, asks);
    return s->update_id;
}

void
emu_touch_get(const struct emu_engine *e, int symbol, struct emu_touch *out)
{
    const struct symbol_state *s = symbol_at(e, symbol);
    *out = (struct emu_touch){ .symbol = (uint16_t)symbol, .update_id = s->update_id, .time_us = e->now_us };
    (void)depth_side(&s->side[EMU_BUY], 1, &out->bid);
    (void)depth_side(&s->side[EMU_SELL], 1, &out->ask);
}

int
emu_trades_public(const struct emu_engine *e, int symbol, struct emu_public_trade *out, int limit)
{
    const struct symbol_state *s = symbol_at(e, symbol);
    int64_t kept = MIN(s->public_trade_count, PUBLIC_TRADES_MAX);
    int64_t n = MIN(kept, limit);

    for (int64_t i = 0; i < n; i++)
        out[i] = s->public_trade[(s->public_trade_count - n + i) % PUBLIC_TRADES_MAX];
    return (int)n;
}

int64_t
emu_last_px(const struct emu_engine *e, int symbol)
{
    return symbol_at(e, symbol)->last_px;
}

int64_t
emu_avg_px(const struct emu_engine *e, int symbol)
{
    const struct symbol_state *s = symbol_at(e, symbol);
    int64_t minute = e->now_us / MINUTE_US;
    wide_t px_qty = 0;
    wide_t qty = 0;

    for (int i = 0; i < AVG_MINUTES; i++) {
        if (s->avg[i].minute > minute - AVG_MINUTES) {
            px_qty += s->avg[i].px_qty;
            qty += s->avg[i].qty;
        }
    }
    return qty != 0 ? (int64_t)(px_qty / qty) : s->last_px;
}

/* ---- invariants ---- */

struct verify {
    const struct emu_engine *e;
    char *why;
    size_t why_bytes;
    bool ok;
};

__attribute__((format(printf, 2, 3))) static void
broken(struct verify *v, const char *format, ...)
{
    if (!v->ok)
        return;
    v->ok = false;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(v->why, v->why_bytes, format, args);
    va_end(args);
}

static void
verify_level(struct verify *v, const struct symbol_state *s, enum emu_side side, const struct level *l)
{
    int64_t sum = 0;
    const struct emu_order *prev = NULL;

    for (const struct emu_order *o = l->head; o != NULL; prev = o, o = o->next) {
        sum += o->visible_qty;
        if (!o->is_open || !o->is_working || o->px != l->px || o->side != side || o->prev != prev)
            broken(v, "%s order %lld does not belong on its level", s->def->name, (long long)o->id);
        if (o->visible_qty <= 0 || o->visible_qty > order_leaves(o))
            broken(v, "%s order %lld shows %lld of %lld", s->def->name, (long long)o->id, (long long)o->visible_qty,
                   (long long)order_leaves(o));
    }
    if (sum != l->visible_qty || sum == 0)
        broken(v, "%s level %lld shows %lld, its orders %lld", s->def->name, (long long)l->px,
               (long long)l->visible_qty, (long long)sum);
}

static void
verify_book(struct verify *v, const struct symbol_state *s)
{
    for (int side = 0; side < EMU_SIDE_COUNT; side++) {
        const struct book_side *b = &s->side[side];
        for (int i = 0; i < b->count; i++) {
            verify_level(v, s, (enum emu_side)side, &b->level[i]);
            if (i > 0 &&
                (side == EMU_BUY ? b->level[i - 1].px >= b->level[i].px : b->level[i - 1].px <= b->level[i].px))
                broken(v, "%s levels out of order at %lld", s->def->name, (long long)b->level[i].px);
        }
    }
    for (const struct emu_order *o = s->stop_head; o != NULL; o = o->next) {
        if (!o->is_open || o->is_working || stop_is_triggered(o->side, o->type, o->stop_px, s->last_px))
            broken(v, "%s stop %lld should not be waiting", s->def->name, (long long)o->id);
    }
    struct emu_touch t;
    emu_touch_get(v->e, s->index, &t);
    if (t.bid.px != 0 && t.ask.px != 0 && t.bid.px >= t.ask.px)
        broken(v, "%s is crossed: bid %lld, ask %lld", s->def->name, (long long)t.bid.px, (long long)t.ask.px);
}

static void
verify_order(struct verify *v, const struct symbol_state *s, const struct emu_order *o, int64_t *locked)
{
    int64_t qty = 0;
    int64_t quote = 0;

    for (const struct emu_trade *t = o->trades; t != NULL; t = t->next_of_order) {
        qty += t->qty;
        quote += t->quote_qty;
    }
    if (qty != o->cum_qty || quote != o->cum_quote || o->cum_qty > o->qty)
        broken(v, "%s order %lld: trades add up to %lld, cumulative is %lld of %lld", s->def->name, (long long)o->id,
               (long long)qty, (long long)o->cum_qty, (long long)o->qty);
    if (o->locked != order_lock_wanted(v->e, o))
        broken(v, "%s order %lld locks %lld, should %lld", s->def->name, (long long)o->id, (long long)o->locked,
               (long long)order_lock_wanted(v->e, o));
    if (o->is_open != (o->status == EMU_NEW || o->status == EMU_PARTIALLY_FILLED))
        broken(v, "%s order %lld: open and status disagree", s->def->name, (long long)o->id);
    if ((o->status == EMU_FILLED) != (o->cum_qty == o->qty && o->qty != 0))
        broken(v, "%s order %lld: status %s with %lld of %lld", s->def->name, (long long)o->id,
               emu_status_text(o->status), (long long)o->cum_qty, (long long)o->qty);
    if (o->is_open && o->is_working && o->visible_qty == 0)
        broken(v, "%s order %lld works and is not on the book", s->def->name, (long long)o->id);
    locked[o->side == EMU_BUY ? s->quote : s->base] += o->locked;
}

static void
verify_account(struct verify *v, uint32_t account)
{
    const struct emu_account *a = &v->e->account[account];
    int64_t locked[EMU_ASSETS_MAX] = { 0 };

    for (int i = 0; i < v->e->symbol_count; i++) {
        const struct symbol_state *s = &v->e->symbol[i];
        const struct user_symbol *u = &s->user[account];
        int open = 0;
        int algo = 0;
        int iceberg = 0;
        for (int k = 0; k < u->order_count; k++) {
            verify_order(v, s, u->orders[k], locked);
            open += u->orders[k]->is_open;
            algo += u->orders[k]->is_open && !u->orders[k]->is_working;
            iceberg += u->orders[k]->is_open && u->orders[k]->iceberg_qty != 0;
        }
        if (algo != u->algo_open || iceberg != u->iceberg_open)
            broken(v, "%s: %d stops and %d icebergs, counted %d and %d", s->def->name, algo, iceberg, u->algo_open,
                   u->iceberg_open);
        if (open != u->open_count)
            broken(v, "%s: %d open orders, counted %d", s->def->name, open, u->open_count);
    }
    for (int i = 0; i < v->e->asset_count; i++) {
        if (a->balance[i].free < 0 || a->balance[i].locked != locked[i])
            broken(v, "account %s %s: free %lld, locked %lld, orders lock %lld", a->name, v->e->asset[i],
                   (long long)a->balance[i].free, (long long)a->balance[i].locked, (long long)locked[i]);
    }
}

bool
emu_engine_verify(const struct emu_engine *e, char *why, size_t why_bytes)
{
    struct verify v = { .e = e, .why = why, .why_bytes = why_bytes, .ok = true };

    for (int i = 0; i < e->symbol_count; i++)
        verify_book(&v, &e->symbol[i]);
    for (uint32_t a = 1; a < e->account_count; a++)
        verify_account(&v, a);
    for (int i = 0; i < e->asset_count; i++) {
        wide_t sum = e->fees[i] + e->house[i];
        for (uint32_t a = 1; a < e->account_count; a++)
            sum += (wide_t)e->account[a].balance[i].free + e->account[a].balance[i].locked;
        if (sum != e->deposited[i])
            broken(&v, "%s: balances, fees and the house add up to %lld, deposited were %lld", e->asset[i],
                   (long long)sum, (long long)e->deposited[i]);
    }
    return v.ok;
}
