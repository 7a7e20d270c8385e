/* Decisions of the emulated venue's engine: request checks, matching, self-trade prevention, triggers, cancel, replace,
 * amend.
 *
 * Between the server and the simulated market (callers) and engine_state.c (books, balances, indexes). Each operation
 * is checked whole before it changes anything, then runs, then ends in operation_end(): triggers, touch event, commit.
 *
 * Always true: price-time priority; the maker's price is the trade's price; a limit order never trades through its
 * price; an order that matches reports NEW first, then its trades, then its end. */
#include "bench/venue/engine_state.h"

#define STOPS_PASS_MAX 100000 /* each pass of the trigger loop consumes one waiting stop */

/* ---- reports ---- */

static void
account_announce(struct emu_engine *e, const struct symbol_state *s, uint32_t account)
{
    if (account == EMU_HOUSE)
        return;
    e->account[account].updated_us = e->now_us;
    if (e->sink.account == NULL)
        return;
    struct emu_account_change c = {
        .account = account, .asset_count = 2, .assets = { s->base, s->quote }, .time_us = e->now_us
    };
    e->sink.account(e->sink.ctx, &c);
}

static struct emu_execution
execution_of(struct emu_engine *e, struct symbol_state *s, const struct emu_order *o, enum emu_exec exec)
{
    return (struct emu_execution){ .order = o,
                                   .exec = exec,
                                   .client_id = o->client_id,
                                   .orig_client_id = "",
                                   .reject_reason = "NONE",
                                   .execution_id = id_next(e, s, &s->execution_id, &s->execution_id_block),
                                   .time_us = e->now_us,
                                   .commission_asset = -1,
                                   .trade_id = -1,
                                   .prevented_match_id = -1,
                                   .trade_group_id = -1 };
}

static void
execution_record(struct emu_engine *e, const struct emu_execution *x, int64_t counter_order_id, bool first_of_two)
{
    if (e->recorder.execution != NULL)
        e->recorder.execution(e->recorder.ctx, e, x, counter_order_id, first_of_two);
}

static void
execution_announce(struct emu_engine *e, const struct symbol_state *s, const struct emu_execution *x)
{
    if (e->sink.execution != NULL)
        e->sink.execution(e->sink.ctx, x);
    account_announce(e, s, x->order->account);
}

void
order_report(struct emu_engine *e, struct symbol_state *s, const struct emu_order *o, enum emu_exec exec)
{
    if (order_is_house(o))
        return;
    struct emu_execution x = execution_of(e, s, o, exec);
    execution_record(e, &x, 0, false);
    execution_announce(e, s, &x);
}

/* ---- the end of an order ---- */

/* Takes the order off its list, gives its lock back, fixes its status. The caller reports, then drops house orders. */
static void
order_close(struct emu_engine *e, struct symbol_state *s, struct emu_order *o, enum emu_status status)
{
    if (o->visible_qty != 0)
        book_remove(e, s, o);
    else if (emu_type_is_algo(o->type) && !o->is_working)
        stop_unwait(s, o);
    order_unlist_open(e, s, o);
    o->is_open = false;
    o->status = (uint8_t)status;
    o->updated_us = e->now_us;
    order_relock(e, s, o);
    o->is_working = false;
}

static void
house_drop(struct emu_engine *e, struct emu_order *o)
{
    if (order_is_house(o) && !o->is_open)
        order_release_house(e, o);
}

void
order_expire(struct emu_engine *e, struct symbol_state *s, struct emu_order *o, const char *reason)
{
    order_close(e, s, o, EMU_EXPIRED);
    o->end_reason = reason;
    if (order_is_house(o))
        return;
    struct emu_execution x = execution_of(e, s, o, EMU_EXEC_EXPIRED);
    x.expiry_reason = reason;
    execution_record(e, &x, 0, false);
    execution_announce(e, s, &x);
}

/* Self-trade prevention ends the order with what is left of it. */
static void
order_prevent(struct emu_engine *e, struct symbol_state *s, struct emu_order *o, int64_t counter_order_id,
              int64_t match_id)
{
    o->prevented_qty = order_leaves(o);
    order_close(e, s, o, EMU_EXPIRED_IN_MATCH);
    o->end_reason = "SELF_TRADE_PREVENTION";
    struct emu_execution x = execution_of(e, s, o, EMU_EXEC_TRADE_PREVENTION);
    x.prevented_match_id = match_id;
    x.last_prevented_qty = o->prevented_qty;
    x.counter_order_id = counter_order_id;
    x.trade_group_id = o->account;
    x.expiry_reason = "SELF_TRADE_PREVENTION";
    execution_record(e, &x, counter_order_id, false);
    execution_announce(e, s, &x);
}

/* ---- matching ---- */

static bool
crosses(enum emu_side taker_side, int64_t limit_px, int64_t maker_px)
{
    return limit_px == 0 || (taker_side == EMU_BUY ? maker_px <= limit_px : maker_px >= limit_px);
}

static enum emu_side
opposite(enum emu_side side)
{
    return side == EMU_BUY ? EMU_SELL : EMU_BUY;
}

static int64_t
floor_to_step(int64_t qty, int64_t step)
{
    return step == 0 ? qty : qty - qty % step;
}

/* The largest quantity on the step that `quote` pays for at px. */
static int64_t
quote_buys(int64_t quote, int64_t px, int64_t step)
{
    wide_t q = (wide_t)quote * EMU_ONE / px;
    return floor_to_step(q > INT64_MAX ? INT64_MAX : (int64_t)q, step);
}

/* What of one level is there for the taker; *stopped when prevention would end the taker in it. */
static int64_t
level_offers(const struct level *l, uint32_t account, enum emu_stp stp, bool *stopped)
{
    int64_t shown = 0;
    int64_t hidden = 0;

    for (const struct emu_order *o = l->head; o != NULL; o = o->next) {
        if (o->account == account && account != EMU_HOUSE && stp != EMU_STP_NONE) {
            if (stp == EMU_STP_EXPIRE_MAKER)
                continue;
            *stopped = true;
            return shown; /* what an iceberg hides comes after our own order */
        }
        shown += o->visible_qty;
        hidden += order_leaves(o) - o->visible_qty;
    }
    return shown + hidden;
}

static struct sweep
sweep_book(const struct symbol_state *s, uint32_t account, const struct emu_order_req *req, int64_t limit_px)
{
    const struct book_side *b = &s->side[opposite(req->side)];
    struct sweep w = { 0 };
    int64_t qty_left = req->quote_order_qty != 0 ? INT64_MAX : req->qty;
    int64_t quote_left = req->quote_order_qty != 0 ? req->quote_order_qty : INT64_MAX;
    bool stopped = false;

    for (int i = b->count - 1; i >= 0 && !stopped; i--) {
        const struct level *l = &b->level[i];
        if (!crosses(req->side, limit_px, l->px))
            break;
        int64_t q = MIN(level_offers(l, account, req->stp, &stopped), qty_left);
        int64_t affordable = quote_buys(quote_left, l->px, s->def->filters.lot_step);
        bool full = affordable < q;
        q = MIN(q, affordable);
        int64_t quote = emu_quote_amount(l->px, q);
        w.qty += q;
        w.quote += quote;
        qty_left -= q;
        quote_left -= quote;
        if (full || qty_left == 0)
            return w;
    }
    w.dry = true;
    return w;
}

static void
public_trade(struct emu_engine *e, struct symbol_state *s, const struct emu_order *taker, const struct emu_order *maker,
             int64_t id, int64_t px, int64_t qty)
{
    bool taker_buys = taker->side == EMU_BUY;
    struct emu_public_trade t = { .id = id,
                                  .px = px,
                                  .qty = qty,
                                  .time_us = e->now_us,
                                  .buy_order_id = taker_buys ? taker->id : maker->id,
                                  .sell_order_id = taker_buys ? maker->id : taker->id,
                                  .symbol = (uint16_t)s->index,
                                  .buyer_is_maker = !taker_buys };
    s->public_trade[s->public_trade_count++ % PUBLIC_TRADES_MAX] = t;
    if (s->last_px != px)
        s->last_px_moved = true;
    s->last_px = px;
    avg_add(s, e->now_us, px, qty);
    if (e->sink.trade != NULL)
        e->sink.trade(e->sink.ctx, &t);
}

/* One side of a fill, all but the reports. */
static void
fill_side(struct emu_engine *e, struct symbol_state *s, struct emu_order *o, const struct emu_trade *t)
{
    o->cum_qty += t->qty;
    o->cum_quote += t->quote_qty;
    o->updated_us = e->now_us;
    bool done = order_leaves(o) == 0;
    o->status = (uint8_t)(done ? EMU_FILLED : EMU_PARTIALLY_FILLED);
    order_settle(e, s, o, t->qty, t->quote_qty, t->commission);
    if (!order_is_house(o))
        trade_add(e, s, o, t);
}

static struct emu_trade
trade_of(const struct emu_engine *e, const struct symbol_state *s, const struct emu_order *o, int64_t id, int64_t px,
         int64_t qty, bool is_maker)
{
    int64_t quote = emu_quote_amount(px, qty);
    return (struct emu_trade){ .id = id,
                               .order_id = o->id,
                               .px = px,
                               .qty = qty,
                               .quote_qty = quote,
                               .commission = order_commission(e, o, qty, quote, is_maker),
                               .time_us = e->now_us,
                               .account = o->account,
                               .symbol = (uint16_t)s->index,
                               .commission_asset =
                                   (uint8_t)(o->side == EMU_BUY && !e->fee_in_quote ? s->base : s->quote),
                               .is_buyer = o->side == EMU_BUY,
                               .is_maker = is_maker };
}

static struct emu_execution
execution_of_fill(struct emu_engine *e, struct symbol_state *s, const struct emu_order *o, const struct emu_trade *t)
{
    struct emu_execution x = execution_of(e, s, o, EMU_EXEC_TRADE);
    x.last_qty = t->qty;
    x.last_px = t->px;
    x.last_quote = t->quote_qty;
    x.commission = t->commission;
    x.commission_asset = t->commission_asset;
    x.trade_id = t->id;
    x.is_maker = t->is_maker;
    return x;
}

/* Trades qty between the two at the maker's price. Both may be done afterwards; a done maker has left the book. */
void
order_fill(struct emu_engine *e, struct symbol_state *s, struct emu_order *taker, struct emu_order *maker, int64_t qty)
{
    int64_t px = maker->px;
    int64_t id = id_next(e, s, &s->trade_id, &s->trade_id_block);
    struct emu_trade taken = trade_of(e, s, taker, id, px, qty, false);
    struct emu_trade made = trade_of(e, s, maker, id, px, qty, true);

    fill_side(e, s, taker, &taken);
    fill_side(e, s, maker, &made);
    if (order_leaves(maker) == 0)
        order_close(e, s, maker, EMU_FILLED);
    else
        book_reduce(e, s, maker, qty);
    if (order_leaves(taker) == 0)
        order_close(e, s, taker, EMU_FILLED);

    bool both = !order_is_house(taker) && !order_is_house(maker);
    struct emu_execution x = { 0 };
    struct emu_execution y = { 0 };
    if (!order_is_house(taker)) {
        x = execution_of_fill(e, s, taker, &taken);
        execution_record(e, &x, order_is_house(maker) ? 0 : maker->id, both);
    }
    if (!order_is_house(maker)) {
        y = execution_of_fill(e, s, maker, &made);
        execution_record(e, &y, order_is_house(taker) ? 0 : taker->id, false);
    }
    public_trade(e, s, taker, maker, id, px, qty);
    if (!order_is_house(taker))
        execution_announce(e, s, &x);
    if (!order_is_house(maker))
        execution_announce(e, s, &y);
    house_drop(e, maker);
}

/* The taker met its own account's order. Ends one or both as the taker's mode says. */
static void
prevent_self_trade(struct emu_engine *e, struct symbol_state *s, struct emu_order *taker, struct emu_order *maker)
{
    int64_t match_id = s->prevented_match_id++;

    if (taker->stp == EMU_STP_EXPIRE_MAKER || taker->stp == EMU_STP_EXPIRE_BOTH)
        order_prevent(e, s, maker, taker->id, match_id);
    if (taker->stp == EMU_STP_EXPIRE_TAKER || taker->stp == EMU_STP_EXPIRE_BOTH)
        order_prevent(e, s, taker, maker->id, match_id);
}

/* A market buy has no lock: what one more fill may cost is what is free. */
static int64_t
affordable_qty(const struct emu_engine *e, const struct symbol_state *s, const struct emu_order *o, int64_t px)
{
    if (order_is_house(o) || emu_type_has_price(o->type))
        return INT64_MAX;
    if (o->side == EMU_SELL)
        return e->account[o->account].balance[s->base].free;
    int64_t free = e->account[o->account].balance[s->quote].free;
    if (e->fee_in_quote)
        free = (int64_t)((wide_t)free * EMU_ONE / (EMU_ONE + e->account[o->account].taker_rate));
    return quote_buys(free, px, s->def->filters.lot_step);
}

/* Runs the order against the other side until it is closed, or nothing crosses. Ends: each pass fills a maker's visible
 * quantity, closes an order, or leaves. */
static void
match(struct emu_engine *e, struct symbol_state *s, struct emu_order *o)
{
    int64_t limit_px = emu_type_has_price(o->type) ? o->px : 0;

    while (o->is_open) {
        struct level *l = book_best(s, opposite(o->side));
        if (l == NULL || !crosses(o->side, limit_px, l->px))
            return;
        struct emu_order *maker = l->head;
        if (maker->account == o->account && !order_is_house(o) && o->stp != EMU_STP_NONE) {
            prevent_self_trade(e, s, o, maker);
            continue;
        }
        int64_t qty = MIN(MIN(order_leaves(o), maker->visible_qty), affordable_qty(e, s, o, l->px));
        if (qty == 0)
            return;
        order_fill(e, s, o, maker, qty);
    }
}

/* Whether everything of the order can trade now. */
static bool
fills_whole(const struct symbol_state *s, const struct emu_order *o)
{
    struct emu_order_req req = { .side = o->side, .qty = order_leaves(o), .stp = o->stp };
    return sweep_book(s, o->account, &req, o->px).qty == req.qty;
}

bool
order_would_take(const struct symbol_state *s, enum emu_side side, int64_t px)
{
    const struct book_side *b = &s->side[opposite(side)];
    return b->count > 0 && crosses(side, px, b->level[b->count - 1].px);
}

/* Puts a working order through the book: match, then rest or expire. */
void
order_work(struct emu_engine *e, struct symbol_state *s, struct emu_order *o)
{
    if (o->tif == EMU_FOK && !fills_whole(s, o)) {
        order_expire(e, s, o, "FILL_OR_KILL");
        return;
    }
    if ((o->flags & EMU_POST_ONLY) != 0 && order_would_take(s, o->side, o->px)) {
        order_cancel(e, s, o, o->client_id, "POST_ONLY");
        return;
    }
    match(e, s, o);
    if (!o->is_open)
        return;
    if (emu_type_is_market(o->type))
        order_expire(e, s, o, "INSUFFICIENT_LIQUIDITY");
    else if (o->tif == EMU_IOC)
        order_expire(e, s, o, "IMMEDIATE_OR_CANCEL");
    else
        book_rest(e, s, o);
}

void
order_match_again(struct emu_engine *e, struct symbol_state *s, struct emu_order *o)
{
    book_remove(e, s, o);
    order_work(e, s, o);
}

/* ---- triggers ---- */

/* Direction: true when the stop waits for the price to rise to it. */
static bool
waits_for_rise(enum emu_side side, enum emu_type type)
{
    bool stop = type == EMU_STOP_LOSS || type == EMU_STOP_LOSS_LIMIT;
    return stop == (side == EMU_BUY);
}

bool
stop_is_triggered(enum emu_side side, enum emu_type type, int64_t stop_px, int64_t last_px)
{
    if (last_px == 0)
        return false;
    return waits_for_rise(side, type) ? last_px >= stop_px : last_px <= stop_px;
}

static void
trigger(struct emu_engine *e, struct symbol_state *s, struct emu_order *o)
{
    stop_unwait(s, o);
    s->user[o->account].algo_open--;
    o->is_working = true;
    o->working_us = e->now_us;
    o->updated_us = e->now_us;
    if (e->recorder.triggered != NULL)
        e->recorder.triggered(e->recorder.ctx, e, o);
    order_relock(e, s, o); /* a market order is paid from free */
    struct emu_execution x = execution_of(e, s, o, EMU_EXEC_NEW);
    execution_announce(e, s, &x);
    order_work(e, s, o);
}

static struct emu_order *
next_triggered(const struct symbol_state *s)
{
    for (struct emu_order *o = s->stop_head; o != NULL; o = o->next) {
        if (stop_is_triggered(o->side, o->type, o->stop_px, s->last_px))
            return o;
    }
    return NULL;
}

void
operation_end(struct emu_engine *e, struct symbol_state *s)
{
    for (int pass = 0; s->last_px_moved && s->stop_head != NULL && pass < STOPS_PASS_MAX; pass++) {
        struct emu_order *o = next_triggered(s);
        if (o == NULL)
            break;
        trigger(e, s, o);
    }
    s->last_px_moved = false;

    struct emu_touch now;
    emu_touch_get(e, s->index, &now);
    if (now.bid.px != s->touch.bid.px || now.bid.qty != s->touch.bid.qty || now.ask.px != s->touch.ask.px ||
        now.ask.qty != s->touch.ask.qty) {
        s->touch = now;
        if (e->sink.touch != NULL)
            e->sink.touch(e->sink.ctx, &now);
    }
    if (e->recorder.commit != NULL)
        e->recorder.commit(e->recorder.ctx);
}

/* ---- place ---- */

struct emu_order *
order_accept(struct emu_engine *e, struct symbol_state *s, uint32_t account, const struct emu_order_req *r,
             int64_t qty_for_quote)
{
    struct emu_order *o = order_take(e, account);
    if (o == NULL)
        return NULL;
    o->id = id_next(e, s, &s->order_id, &s->order_id_block);
    o->account = account;
    o->symbol = (uint16_t)s->index;
    o->side = (uint8_t)r->side;
    o->type = (uint8_t)r->type;
    o->tif = (uint8_t)(r->tif == EMU_TIF_NONE ? EMU_GTC : r->tif);
    o->status = EMU_NEW;
    o->stp = (uint8_t)r->stp;
    o->is_open = true;
    o->is_working = !emu_type_is_algo(r->type);
    o->px = r->px;
    o->stop_px = r->stop_px;
    o->qty = r->qty;
    o->quote_order_qty = r->quote_order_qty;
    if (r->quote_order_qty != 0)
        o->qty = qty_for_quote;
    o->iceberg_qty = r->iceberg_qty;
    o->expire_us = r->expire_us;
    o->user_ref = r->user_ref;
    o->flags = (uint8_t)(r->flags | (r->client_id == NULL ? EMU_UNNAMED : 0));
    o->created_us = o->updated_us = e->now_us;
    o->working_us = o->is_working ? e->now_us : -1;
    if (r->client_id != NULL)
        (void)snprintf(o->client_id, sizeof(o->client_id), "%s", r->client_id);
    else if (account != EMU_HOUSE)
        client_id_make(o->client_id, s->index, o->id);
    order_index(e, s, o);
    order_relock(e, s, o);
    return o;
}

static int
reject(struct emu_engine *e, uint32_t account, const struct emu_order_req *r, const struct emu_error *err)
{
    if (account != EMU_HOUSE && e->recorder.rejection != NULL) {
        int symbol = r->symbol >= 0 && r->symbol < e->symbol_count ? r->symbol : -1;
        e->recorder.rejection(e->recorder.ctx, e, account, symbol, r->client_id != NULL ? r->client_id : "", err);
        if (e->recorder.commit != NULL)
            e->recorder.commit(e->recorder.ctx);
    }
    return err->code;
}

static int
place(struct emu_engine *e, uint32_t account, const struct emu_order_req *r, struct emu_order_result *out)
{
    struct symbol_state *s = &e->symbol[r->symbol];
    struct sweep w = { 0 };

    if (r->type == EMU_MARKET && account != EMU_HOUSE)
        w = sweep_book(s, account, r, 0);
    if (request_check_state(e, s, account, r, &w, &out->err) != 0)
        return reject(e, account, r, &out->err);
    /* A quote quantity becomes a quantity now; one step more keeps it open to expire when the book is not enough. */
    struct emu_order *o = order_accept(e, s, account, r, w.qty + (w.dry ? MAX(s->def->filters.lot_step, 1) : 0));
    if (o == NULL)
        return reject(e, account, r,
                      (error_set(&out->err, -1008,
                                 "Server is currently overloaded with other requests. "
                                 "Please try again in a few minutes."),
                       &out->err));
    order_report(e, s, o, EMU_EXEC_NEW);
    if (o->is_working)
        order_work(e, s, o);
    else
        stop_wait(s, o);
    out->order = order_is_house(o) && !o->is_open ? NULL : o;
    house_drop(e, o);
    operation_end(e, s);
    return error_clear(&out->err);
}

int
emu_order_place(struct emu_engine *e, uint32_t account, const struct emu_order_req *req, struct emu_order_result *out)
{
    ASSERT(account < e->account_count);
    *out = (struct emu_order_result){ 0 };
    if (request_check_form(e, account, req, &out->err) != 0)
        return reject(e, account, req, &out->err);
    return place(e, account, req, out);
}

int
emu_order_test(struct emu_engine *e, uint32_t account, const struct emu_order_req *req, struct emu_error *err)
{
    ASSERT(account < e->account_count);
    if (request_check_form(e, account, req, err) != 0)
        return err->code;
    const struct symbol_state *s = &e->symbol[req->symbol];
    struct sweep w = { 0 };
    if (req->type == EMU_MARKET)
        w = sweep_book(s, account, req, 0);
    if (request_check_state(e, s, account, req, &w, err) != 0)
        return err->code;
    return error_clear(err);
}

/* ---- cancel ---- */

static struct emu_order *
find_open(const struct emu_engine *e, uint32_t account, const struct emu_cancel_req *req, struct emu_error *err)
{
    struct emu_order *o = NULL;

    if (req->symbol < 0 || req->symbol >= e->symbol_count) {
        (void)error_set(err, -1121, "Invalid symbol.");
        return NULL;
    }
    if (req->order_id == 0 && req->orig_client_id == NULL) {
        (void)error_set(err, -1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!");
        return NULL;
    }
    if (req->order_id != 0)
        o = order_by_id(&e->symbol[req->symbol], account, req->order_id);
    else
        o = client_find_open(e, account, req->symbol, req->orig_client_id);
    if (o == NULL || !o->is_open) {
        (void)error_set(err, -2011, "Unknown order sent.");
        return NULL;
    }
    if (req->orig_client_id != NULL && strcmp(req->orig_client_id, o->client_id) != 0) {
        (void)error_set(err, -2011, "Cancel order is invalid. Check origClientOrderId and orderId.");
        return NULL;
    }
    return o;
}

void
order_cancel(struct emu_engine *e, struct symbol_state *s, struct emu_order *o, const char *client_id,
             const char *reason)
{
    order_close(e, s, o, EMU_CANCELED);
    o->end_reason = reason;
    if (order_is_house(o)) {
        house_drop(e, o);
        return;
    }
    struct emu_execution x = execution_of(e, s, o, EMU_EXEC_CANCELED);
    x.client_id = client_id;
    x.orig_client_id = o->client_id;
    x.expiry_reason = reason;
    execution_record(e, &x, 0, false);
    execution_announce(e, s, &x);
}

static void
cancel_id(const struct symbol_state *s, const char *wanted, char out[EMU_CLIENT_ID_MAX])
{
    if (wanted != NULL)
        (void)snprintf(out, EMU_CLIENT_ID_MAX, "%s", wanted);
    else
        client_id_make(out, s->index, -1 - s->execution_id);
}

int
emu_order_cancel(struct emu_engine *e, uint32_t account, const struct emu_cancel_req *req,
                 struct emu_cancel_result *out)
{
    ASSERT(account < e->account_count);
    *out = (struct emu_cancel_result){ 0 };
    if (request_check_client_id(&out->err, req->client_id, "newClientOrderId") != 0)
        return out->err.code;
    struct emu_order *o = find_open(e, account, req, &out->err);
    if (o == NULL)
        return out->err.code;
    if ((req->restriction == EMU_CANCEL_ONLY_NEW && o->status != EMU_NEW) ||
        (req->restriction == EMU_CANCEL_ONLY_PARTIALLY_FILLED && o->status != EMU_PARTIALLY_FILLED))
        return error_set(&out->err, -2011, "Order was not canceled due to cancel restrictions.");
    struct symbol_state *s = &e->symbol[req->symbol];
    cancel_id(s, req->client_id, out->client_id);
    order_cancel(e, s, o, out->client_id, NULL);
    out->order = account == EMU_HOUSE ? NULL : o;
    operation_end(e, s);
    return error_clear(&out->err);
}

int
emu_order_cancel_all(struct emu_engine *e, uint32_t account, int symbol, const struct emu_order **out, int out_max,
                     struct emu_error *err)
{
    ASSERT(account < e->account_count && account != EMU_HOUSE);
    if (symbol < 0 || symbol >= e->symbol_count)
        return error_set(err, -1121, "Invalid symbol.");
    struct symbol_state *s = &e->symbol[symbol];
    struct user_symbol *u = &s->user[account];
    char id[EMU_CLIENT_ID_MAX];
    int count = 0;

    while (u->open_head != NULL) {
        struct emu_order *o = u->open_head;
        cancel_id(s, NULL, id);
        order_cancel(e, s, o, id, NULL);
        if (out != NULL && count < out_max)
            out[count] = o;
        count++;
    }
    operation_end(e, s);
    if (count == 0)
        return error_set(err, -2011, "Unknown order sent.");
    (void)error_clear(err);
    return count;
}

/* ---- cancel-replace ---- */

int
emu_order_replace(struct emu_engine *e, uint32_t account, const struct emu_cancel_req *cancel_req,
                  const struct emu_order_req *req, bool stop_on_failure, bool skip_new, struct emu_replace_result *out)
{
    ASSERT(account < e->account_count && account != EMU_HOUSE);
    *out = (struct emu_replace_result){ 0 };
    /* Filters are evaluated before the cancellation. Source: Binance docs, faqs and web-socket-api.md
     * "Cancel and replace order", seen 2026-07. */
    if (request_check_form(e, account, req, &out->err) != 0)
        return reject(e, account, req, &out->err);
    out->cancel_leg = emu_order_cancel(e, account, cancel_req, &out->cancel) == 0 ? EMU_LEG_SUCCESS : EMU_LEG_FAILURE;
    if (!skip_new && (out->cancel_leg == EMU_LEG_SUCCESS || !stop_on_failure))
        out->new_leg = place(e, account, req, &out->order) == 0 ? EMU_LEG_SUCCESS : EMU_LEG_FAILURE;
    if (out->cancel_leg == EMU_LEG_SUCCESS && out->new_leg == EMU_LEG_SUCCESS)
        return error_clear(&out->err);
    if (out->cancel_leg == EMU_LEG_SUCCESS || out->new_leg == EMU_LEG_SUCCESS)
        return error_set(&out->err, -2021, "Order cancel-replace partially failed.");
    return error_set(&out->err, -2022, "Order cancel-replace failed.");
}

/* ---- amend ---- */

static int
check_amend(const struct emu_engine *e, const struct symbol_state *s, const struct emu_order *o, int64_t new_qty,
            const char *client_id, struct emu_error *err)
{
    if (new_qty <= 0)
        return error_set(err, -1013, "Invalid quantity.");
    if (new_qty == o->qty)
        return error_set(err, -2038, "The requested action would change no state; rejecting.");
    if (new_qty > o->qty)
        return error_set(err, -2038, "Order amend (quantity increase) is not supported.");
    if (new_qty <= o->cum_qty)
        return error_set(err, -2038, "Order amend (quantity below the executed quantity) is not supported.");
    if (o->amend_count >= s->def->filters.order_amends_max)
        return error_filter(err, "MAX_NUM_ORDER_AMENDS");
    struct emu_filter_input in = { .side = o->side,
                                   .type = o->type,
                                   .px = o->px,
                                   .qty = new_qty,
                                   .iceberg_qty = o->iceberg_qty,
                                   .avg_px = emu_avg_px(e, s->index) };
    const char *failed = emu_filters_check(&s->def->filters, &in);
    if (failed != NULL && (strcmp(failed, "LOT_SIZE") == 0 || strcmp(failed, "NOTIONAL") == 0))
        return error_filter(err, failed);
    if (client_id != NULL && strcmp(client_id, o->client_id) != 0 &&
        client_find_open(e, o->account, s->index, client_id) != NULL)
        return error_set(err, -2038, "Duplicate order sent.");
    return 0;
}

int
emu_order_amend(struct emu_engine *e, uint32_t account, int symbol, int64_t order_id, const char *orig_client_id,
                int64_t new_qty, const char *client_id, struct emu_order_result *out, int64_t *execution_id)
{
    ASSERT(account < e->account_count && account != EMU_HOUSE);
    struct emu_cancel_req which = { .symbol = symbol, .order_id = order_id, .orig_client_id = orig_client_id };
    *out = (struct emu_order_result){ 0 };
    if (request_check_client_id(&out->err, client_id, "newClientOrderId") != 0)
        return out->err.code;
    struct emu_order *o = find_open(e, account, &which, &out->err);
    if (o == NULL)
        return out->err.code == -2011 ? error_set(&out->err, -2038, "Unknown order sent.") : out->err.code;
    struct symbol_state *s = &e->symbol[symbol];
    if (check_amend(e, s, o, new_qty, client_id, &out->err) != 0)
        return out->err.code;

    char old_id[EMU_CLIENT_ID_MAX];
    memcpy(old_id, o->client_id, sizeof(old_id));
    client_index_remove(e, o);
    cancel_id(s, client_id, o->client_id);
    client_index_add(e, o);
    o->qty = new_qty;
    o->amend_count++;
    o->updated_us = e->now_us;
    if (o->visible_qty != 0)
        book_reduce(e, s, o, 0);
    order_relock(e, s, o);
    struct emu_execution x = execution_of(e, s, o, EMU_EXEC_REPLACED);
    x.orig_client_id = old_id;
    execution_record(e, &x, 0, false);
    execution_announce(e, s, &x);
    if (execution_id != NULL)
        *execution_id = x.execution_id;
    out->order = o;
    operation_end(e, s);
    return error_clear(&out->err);
}
