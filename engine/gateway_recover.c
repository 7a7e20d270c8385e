/* What the venue has and we do not know: orders that are not ours, or no longer known to be; trades of the account;
 * what it holds of each currency.
 *
 * After a log-on, before new orders, and again with every audit: the venue's list of open orders is read (gateway_ask.c
 * asks for it), the trades of each instrument from its cursor on, and the balances. Trades find their order by the
 * venue's order id; a trade that is nobody's moves the position all the same, once. A foreign order is reported, taken
 * over or canceled by the venue's policy; one under a ClOrdID of ours that the journal has lost is always taken over.
 *
 * Always true: one question of the sweep is on its way at most; a cursor passes only trades that were counted, and only
 * those that are old enough for the venue to have listed whatever came before them; a sweep begins before half of the
 * trade ids that are remembered have made room since the last one. */
#include "engine/gateway_state.h"
#include "execgw/admission.h"

/* A venue may list a trade a little after one with a higher id. */
#define CURSOR_MARGIN_NS (5 * NS_PER_S)
/* A cursor that stays is written again when its time is so much newer. */
#define CURSOR_NOTE_NS (60 * NS_PER_S)
/* A trade that the stream has had time to tell, found by asking: it was lost on the way. */
#define LOST_MARGIN_NS (2 * NS_PER_S)
#define SWEEP_RETRY_NS NS_PER_S
#define SWEEP_DOUBT_NS (2 * NS_PER_S)
#define SWEEP_DOUBTS   3u
#define SWEEP_REFUSALS 3u
#define TWIN_MARGIN_NS NS_PER_S

/* ---- foreign orders ---------------------------------------------------------------------------------------------- */

/* Two hosts trade one account: no new orders until the next start. */
void
another_host(struct gateway_venue *v, const char clordid[CLORDID_BYTES])
{
    struct gateway *g = v->g;

    if (g->another_host)
        return;
    g->another_host = true;
    risk_arm(g->p.risk, false);
    metric_set(g->p.metrics, METRIC_ANOTHER_HOST, 0, 1);
    log_write(g->p.log, LOG_ANOTHER_HOST, clordid, v->id);
}

/* An id of this instance that this run has not given out, of this term or a later one. */
bool
foreign_host(struct gateway_venue *v, const char clordid[CLORDID_BYTES])
{
    struct gateway *g = v->g;
    struct clordid id;

    if (clordid_parse(clordid, g->cfg.instance, &id) != CLORDID_OURS || id.term < g->cfg.term ||
        (id.term == g->cfg.term && id.seq > g->mint.first && id.seq <= g->mint.seq))
        return false;
    another_host(v, clordid);
    return true;
}

/* An order under an id of an earlier term that the venue took after this run began, and later than any request of an
 * earlier run could have arrived: whoever had that term lives. */
bool
twin_lives(struct gateway_venue *v, const struct venue_report *r)
{
    const struct gateway *g = v->g;
    struct clordid id;

    if (r->kind != VENUE_NEW_ACK || r->venue_time_ns == 0 || !v->clock_known ||
        clordid_parse(r->clordid, g->cfg.instance, &id) != CLORDID_OURS || id.term >= g->cfg.term)
        return false;
    int64_t ago = venue_now_ns(v, v->now) - r->venue_time_ns;
    if (ago > mono_since(v->now.mono, g->start_mono) - v->cfg->recv_window_ns - TWIN_MARGIN_NS)
        return false;
    another_host(v, r->clordid);
    return true;
}

/* A time at which the order was at the venue. Where trades name their order, the earliest: those from before it was
 * taken over are its own as well. */
static int64_t
there_since_ns(const struct gateway_venue *v, const struct venue_report *r)
{
    int64_t now_ns = venue_now_ns(v, v->now);

    return v->cfg->ops->sweeps && r->venue_time_ns > 0 ? MIN(r->venue_time_ns, now_ns) : now_ns;
}

/* What it may cost until it is filled: its limit, else what triggers it, else today's price. */
static px_t
adopted_px(const struct gateway *g, const struct instrument *ins, const struct venue_report *r)
{
    const struct md_ref *md = order_md_ref(g, ins);

    if (r->px > 0 || r->type == ORDER_LIMIT)
        return r->px;
    if (r->trigger_px > 0 || md == NULL)
        return r->trigger_px;
    return MAX(r->side == SIDE_BUY ? md->tob.ask_px : md->tob.bid_px, 0);
}

/* Take an order of the venue's list over: into journal, table and risk. `own`: the ClOrdID is one of ours. Its slot, or
 * ORDER_NONE when it cannot be held. */
static uint32_t
adopt(struct gateway_venue *v, const struct venue_report *r, bool own)
{
    struct gateway *g = v->g;
    const struct instrument *ins = route_instrument(g->p.route, r->instrument, 0);
    struct order_delta d;

    if (ins == NULL || r->state == ORDER_FREE || r->venue_order_id == 0 || r->side > SIDE_SELL)
        return ORDER_NONE;
    /* What no order can be for, however many are listed: positions are sums of it. */
    if (r->qty >
        RISK_QTY_MAX - MIN(risk_position(g->p.risk, v->cfg->account, ins->id)->reserved[r->side], RISK_QTY_MAX))
        return ORDER_NONE;
    struct order_intent in = {
        .command = { .version = MESSAGE_VERSION,
                     .verb = COMMAND_NEW,
                     .flags = own ? 0 : COMMAND_ADOPTED,
                     .client = CLIENT_ADOPTED,
                     .key = order_last_key(g->p.orders, CLIENT_ADOPTED) + 1,
                     .target_key = r->venue_order_id,
                     .account = v->cfg->account,
                     .instrument = ins->id,
                     .instrument_version = ins->version,
                     .side = r->side,
                     .type = r->type,
                     .tif = TIF_GTC,
                     .px = adopted_px(g, ins, r),
                     .trigger_px = r->trigger_px,
                     .qty = r->qty },
        .venue = v->id,
        .qty = r->qty,
        .recv_mono_ns = v->now.mono.ns,
        .risk_mono_ns = v->now.mono.ns,
        .venue_deadline_ns = there_since_ns(v, r),
    };
    if (r->type != ORDER_LIMIT)
        (void)snprintf(in.command.text, sizeof(in.command.text), "%.43s", r->text);
    if (own)
        memcpy(in.clordid, r->clordid, CLORDID_BYTES);
    else
        (void)clordid_mint_next(&g->mint, in.clordid);
    if (order_intent_fault(g->p.orders, &in) != NULL || g->journal_down ||
        gateway_journal(g, JOURNAL_INTENT, &in, sizeof(in), v->now) == 0)
        return ORDER_NONE;
    uint32_t slot = order_table_intent(g->p.orders, &in, &d);
    ASSERT(slot != ORDER_NONE);
    risk_apply(g->p.risk, &d);
    aux_reset(g, slot);
    metric_add(g->p.metrics, METRIC_ORDER_ADOPTED, v->id, 1);
    log_write(g->p.log, LOG_ORDER_ADOPTED, r->clordid, v->id, (int64_t)r->venue_order_id, (int64_t)in.command.key);
    return slot;
}

/* One order of the venue's list that is in no table. The slot it was given, or ORDER_NONE: it is not ours to manage. */
uint32_t
foreign_order(struct gateway_venue *v, const struct venue_report *r)
{
    struct gateway *g = v->g;
    struct clordid id;
    bool own = clordid_parse(r->clordid, g->cfg.instance, &id) == CLORDID_OURS;
    uint32_t slot = ORDER_NONE;

    if (!foreign_host(v, r->clordid) && (own || v->cfg->foreign != FOREIGN_REPORT))
        slot = adopt(v, r, own);
    if (slot != ORDER_NONE) {
        g->aux[slot].cancel_wanted = !own && v->cfg->foreign == FOREIGN_CANCEL;
        v->cancels_wait |= g->aux[slot].cancel_wanted;
        return slot;
    }
    if (own && !g->another_host && r->state != ORDER_FREE && !v->unheld) {
        v->unheld = true;
        log_write(g->p.log, LOG_FAULT,
                  "an order under an id of ours is open and cannot be held: no new orders at that venue; "
                  "cancel it there, or raise memory.orders_max");
    }
    v->foreign++;
    if (!v->auditing) /* every audit would say it again */
        log_write(g->p.log, LOG_FOREIGN_ORDER, r->clordid, v->id, r->venue_order_id);
    venue_publish_state(v);
    return ORDER_NONE;
}

/* ---- trades of the account --------------------------------------------------------------------------------------- */

/* Whether the position has this trade of an order's already: counted as nobody's, or made before the order was taken
 * over from a past that positions do not reach back to. */
bool
trade_counted(const struct gateway_venue *v, const struct order *o, const struct venue_report *r)
{
    const struct gateway *g = v->g;

    if (order_trade_counted(g->p.orders, o->instrument, (enum side)o->side, r->trade_id) ||
        order_trade_forgotten(g->p.orders, o->instrument, (enum side)o->side, r->trade_id, true))
        return true;
    if (o->client != CLIENT_ADOPTED)
        return false;
    if (v->cfg->ops->sweeps)
        return order_trade_past(g->p.orders, o->instrument, r->trade_id, r->venue_time_ns);
    return r->venue_time_ns != 0 && r->venue_time_ns < o->venue_deadline_ns;
}

/* A trade of an order that was taken over, before a sweep has said how far back positions reach: it may be of either
 * side of that, and is told again. */
bool
trade_before_past(const struct gateway_venue *v, const struct order *o)
{
    return o->client == CLIENT_ADOPTED && v->cfg->ops->sweeps && order_trade_cursor(v->g->p.orders, o->instrument) < 0;
}

/* A trade whose id was counted and forgotten since. */
bool
trade_forgotten(const struct gateway_venue *v, const struct order *o, int64_t trade_id)
{
    const struct order_table *t = v->g->p.orders;

    return unlikely((o->marks & ORDER_MARK_FORGOTTEN) != 0) &&
           (trade_id < order_trade_cursor(t, o->instrument) ||
            order_trade_forgotten(t, o->instrument, (enum side)o->side, trade_id, false));
}

/* A trade that belongs to no order we know. */
void
account_trade(struct gateway_venue *v, const struct venue_report *r)
{
    struct gateway *g = v->g;
    const struct instrument *ins = route_instrument(g->p.route, r->instrument, 0);
    struct order_delta d;

    if (ins == NULL || ins->venue != v->id || !v->cfg->ops->sweeps)
        return;
    if (order_trade_cursor(g->p.orders, ins->id) < 0 ||
        order_trade_past(g->p.orders, ins->id, r->trade_id, r->venue_time_ns) || r->side > SIDE_SELL ||
        order_trade_known(g->p.orders, ins->id, (enum side)r->side, r->trade_id))
        return;
    if (unlikely(order_trade_forgotten(g->p.orders, ins->id, (enum side)r->side, r->trade_id, false))) {
        metric_add(g->p.metrics, METRIC_FILL_DUPLICATES, v->id, 1); /* far likelier told again than never before */
        return;
    }
    struct account_trade tr = {
        .account = v->cfg->account,
        .instrument = ins->id,
        .instrument_version = ins->version,
        .side = r->side,
        .maker = r->maker,
        .fee_ccy = r->fee_ccy[0] != '\0' ? gateway_currency(g, r->fee_ccy, v->now) : 0,
        .trade_id = r->trade_id,
        .px = r->last_px,
        .qty = r->last_qty,
        .fee = r->fee,
        .venue_order_id = r->venue_order_id,
        .venue_time_ns = r->venue_time_ns,
    };
    if (account_trade_fault(&tr) != NULL)
        return;
    (void)gateway_journal(g, JOURNAL_TRADE, &tr, sizeof(tr), v->now);
    if (order_table_trade(g->p.orders, &tr, &d))
        gateway_delta(g, &d);
    metric_add(g->p.metrics, METRIC_FOREIGN_FILLS, v->id, 1);
    metric_set(g->p.metrics, METRIC_POSITION, ins->id, risk_position(g->p.risk, tr.account, ins->id)->qty);
    log_write(g->p.log, LOG_FOREIGN_TRADE, ins->symbol, v->id, tr.trade_id, (int64_t)tr.venue_order_id);
}

static bool
cleared(const struct gateway_venue *v, uint32_t instrument, uint64_t venue_order_id)
{
    for (uint32_t i = 0; i < CLEARED_MAX; i++)
        if (v->cleared[i].venue_order_id == venue_order_id && v->cleared[i].instrument == instrument)
            return true;
    return false;
}

/* Whether one of the orders whose trades are asked for could have made this trade. */
static bool
page_asked_for(const struct gateway_venue *v, const struct venue_report *r)
{
    for (uint32_t i = 0; i < v->asking_count; i++)
        if (ask_could_be(v->g, v->asking[i], r))
            return true;
    return false;
}

/* Every trade of an answer comes through here before it is counted: who may be meant. */
void
page_trade(struct gateway_venue *v, const struct venue_report *r, uint32_t slot)
{
    struct trade_page *p = &v->page;

    if (slot != ORDER_NONE || r->venue_order_id == 0 || cleared(v, r->instrument, r->venue_order_id) ||
        !page_asked_for(v, r))
        return; /* those that said whose they are leave room for the next */
    for (uint32_t i = 0; i < p->suspects; i++)
        if (p->suspect[i].venue_order_id == r->venue_order_id)
            return;
    if (p->suspects == SUSPECTS_MAX) {
        p->more = true;
        return;
    }
    p->suspect[p->suspects++] = (struct suspect){
        .venue_order_id = r->venue_order_id, .instrument = r->instrument, .side = r->side, .px = r->last_px
    };
}

/* And after: how far the answer reaches, and whether it was counted. */
void
page_settle(struct gateway_venue *v, const struct venue_report *r)
{
    struct trade_page *p = &v->page;
    const struct order_table *t = v->g->p.orders;

    if (r->trade_id < 0 || r->trade_id == INT64_MAX || r->instrument >= v->g->p.route->count)
        return; /* none of ours */
    p->next = MAX(p->next, r->trade_id + 1);
    if (r->venue_time_ns != 0 && r->venue_time_ns <= v->account.begun_venue_ns - CURSOR_MARGIN_NS)
        p->settled = MAX(p->settled, r->trade_id + 1);
    bool counted =
        order_trade_past(t, r->instrument, r->trade_id, r->venue_time_ns) ||
        (r->side <= SIDE_SELL && (order_trade_known(t, r->instrument, (enum side)r->side, r->trade_id) ||
                                  order_trade_forgotten(t, r->instrument, (enum side)r->side, r->trade_id, false)));
    if (unlikely(!counted))
        p->uncounted1 = p->uncounted1 == 0 ? r->trade_id + 1 : MIN(p->uncounted1, r->trade_id + 1);
}

/* Found by asking, and too old to be on its way still. */
bool
trade_was_lost(const struct gateway_venue *v, const struct venue_report *r)
{
    return r->request == VENUE_RQ_TRADES && v->reconciled && r->venue_time_ns != 0 &&
           r->venue_time_ns < venue_now_ns(v, v->now) - LOST_MARGIN_NS;
}

/* ---- whose trade is it? ------------------------------------------------------------------------------------------
 *
 * Trades name no client id. Before "not found" is taken for proof, each order of the venue that such a trade belongs to
 * and that could be this one is asked for by the venue's id, and says whose it is. */

void
suspect_clear(struct gateway_venue *v, uint32_t instrument, uint64_t venue_order_id)
{
    if (venue_order_id == 0 || cleared(v, instrument, venue_order_id))
        return;
    v->cleared[v->cleared_next] = (struct suspect){ .venue_order_id = venue_order_id, .instrument = instrument };
    v->cleared_next = (v->cleared_next + 1) % CLEARED_MAX;
}

/* The venue's order id that must be asked about before this order is called never placed; 0 none. *more: there were too
 * many to look at, nothing is proven. */
uint64_t
suspect_of(struct gateway_venue *v, const struct order *o, bool *more)
{
    const struct trade_page *p = &v->page;

    *more = false;
    if (!v->cfg->ops->sweeps)
        return 0;
    for (uint32_t i = 0; i < p->suspects; i++) {
        const struct suspect *s = &p->suspect[i];
        bool price = o->px == 0 || o->type != ORDER_LIMIT || (o->side == SIDE_BUY ? s->px <= o->px : s->px >= o->px);
        if (s->instrument == o->instrument && s->side == o->side && price &&
            !cleared(v, s->instrument, s->venue_order_id))
            return s->venue_order_id;
    }
    *more = p->more;
    return 0;
}

/* ---- the sweep: trades of each instrument, then balances --------------------------------------------------------- */

void
account_start(struct gateway_venue *v, struct now now)
{
    struct account_sweep *s = &v->account;

    if (!v->cfg->ops->sweeps || s->active)
        return;
    *s = (struct account_sweep){ .active = true, .from = -1, .at = now.mono, .tag = s->tag };
    v->swept_trades = order_trades_ever(v->g->p.orders);
}

/* Between audits: ids above the cursors must not be forgotten, or the next sweep would count their trades again. */
void
account_turn(struct gateway_venue *v, struct now now)
{
    if (unlikely(order_trades_turned(v->g->p.orders, v->swept_trades)) && v->reconciled)
        account_start(v, now);
}

void
account_stop(struct gateway_venue *v)
{
    v->account = (struct account_sweep){ .at = MONO_NEVER };
    v->page = (struct trade_page){ 0 };
}

static void
account_retry(struct gateway_venue *v, int64_t delay_ns)
{
    struct account_sweep *s = &v->account;

    s->asked = false;
    s->at = mono_after(v->now.mono, delay_ns);
}

/* Where a sweep may begin to read: no instrument that was swept before has trades to be counted from before it. */
static int64_t
swept_until_ns(const struct gateway_venue *v)
{
    const struct route *route = v->g->p.route;
    int64_t since_ns = INT64_MAX;

    for (uint32_t i = 0; i < route->count; i++)
        if (route->table[i].venue == v->id && order_trade_cursor(v->g->p.orders, i) >= 0)
            since_ns = MIN(since_ns, order_trade_cursor_ns(v->g->p.orders, i));
    return since_ns == INT64_MAX ? 0 : since_ns;
}

static void
account_ask(struct gateway_venue *v, struct now now)
{
    struct account_sweep *s = &v->account;
    struct venue_order vo = { .venue_order_id = 0 };
    struct venue_request rq = { .kind = VENUE_RQ_BALANCES };

    if (s->begun_venue_ns == 0) {
        s->begun_venue_ns = venue_now_ns(v, now);
        s->since_ns = swept_until_ns(v);
    }
    if (s->instrument < v->g->p.route->count) {
        vo.instrument = &v->g->p.route->table[s->instrument];
        int64_t cursor = order_trade_cursor(v->g->p.orders, s->instrument);
        s->tag = (uint8_t)(s->tag % (VENUE_TAGS - 1) + 1);
        rq = (struct venue_request){ .kind = VENUE_RQ_TRADES,
                                     .order = &vo,
                                     .since_ns = s->since_ns,
                                     .since_trade = MAX(cursor, s->from),
                                     .fresh_ns = s->begun_venue_ns,
                                     .tag = s->tag };
    } else {
        memset(v->held, 0, sizeof(v->held));
        memset(v->vague, 0, sizeof(v->vague));
    }
    s->asked = true;
    s->at = mono_after(now.mono, ASK_TIMEOUT_NS);
    if (venue_ask(v, &rq, now) < VENUE_ASK_ANSWERED)
        account_retry(v, SWEEP_RETRY_NS);
}

/* The next question of the sweep, when there is one to ask now. */
void
account_work(struct gateway_venue *v, struct now now)
{
    struct account_sweep *s = &v->account;
    const struct route *route = v->g->p.route;

    if (!s->active || now.mono.ns < s->at.ns)
        return;
    if (s->asked && v->rest_busy)
        return;     /* over HTTP an answer comes, or that there is none */
    if (s->asked) { /* no answer in time: the next one tells more */
        s->begun_venue_ns = 0;
        v->now = now;
        account_retry(v, SWEEP_RETRY_NS);
        return;
    }
    while (s->instrument < route->count && (route->table[s->instrument].venue != v->id))
        s->instrument++;
    enum venue_request_kind kind = s->instrument < route->count ? VENUE_RQ_TRADES : VENUE_RQ_BALANCES;
    if (!venue_can_send(v, now) || v->session[ROLE_ORDER].state != SESSION_READY || !venue_line_free(v, kind, now) ||
        !venue_affords(v, kind, now))
        return;
    account_ask(v, now);
}

/* A page of trades came and there are more: others may use the line first, then the venue is asked on. */
void
account_page(struct gateway_venue *v)
{
    account_retry(v, 0);
}

static void
account_next(struct gateway_venue *v)
{
    struct account_sweep *s = &v->account;

    s->instrument++;
    s->from = -1;
    s->refused = 0;
    s->at = v->now.mono;
}

/* All trades of one answer were told. code 1: the answer was cut, there are more. */
void
account_trades_end(struct gateway_venue *v, const struct venue_report *r)
{
    struct gateway *g = v->g;
    struct account_sweep *s = &v->account;
    const struct trade_page *p = &v->page;

    if (!s->active || !s->asked || s->instrument != r->instrument || (r->tag != 0 && r->tag != s->tag))
        return;
    s->asked = false;
    int64_t cursor = order_trade_cursor(g->p.orders, s->instrument);
    bool cut = cursor >= 0 && r->code == 1 && p->next > MAX(s->from, cursor);
    /* Both sides of a trade with ourselves have one id, and the answer may have been cut between them. */
    int64_t again = p->next - 1 > MAX(s->from, cursor) ? p->next - 1 : p->next;
    int64_t reached = cut ? MIN(p->settled, again) : p->settled;
    int64_t reached_ns = order_trade_cursor_ns(g->p.orders, s->instrument);
    if (unlikely(cursor >= 0 && p->uncounted1 != 0)) {
        reached = MIN(reached, p->uncounted1 - 1);
        metric_add(g->p.metrics, METRIC_TRADES_UNCOUNTED, v->id, 1);
        log_write(g->p.log, LOG_TRADE_UNCOUNTED, g->p.route->table[s->instrument].symbol, v->id, p->uncounted1 - 1);
    } else if (!cut) { /* all that was asked for was told, and counted */
        reached_ns = MAX(reached_ns, s->begun_venue_ns - CURSOR_MARGIN_NS);
    }
    reached = MAX(reached, cursor);
    if (cursor < 0) { /* at first sight all of them are the past */
        first_trades(v, s->instrument, p->next, reached_ns);
    } else if (reached > cursor || reached_ns - order_trade_cursor_ns(g->p.orders, s->instrument) >= CURSOR_NOTE_NS) {
        struct journal_cursor c = { .instrument = s->instrument, .trade_id = reached, .venue_ns = reached_ns };
        (void)gateway_journal(g, JOURNAL_CURSOR, &c, sizeof(c), v->now);
        order_trade_cursor_set(g->p.orders, s->instrument, reached, reached_ns);
    }
    if (cut) {
        s->from = again;
        s->at = v->now.mono;
    } else {
        account_next(v);
    }
}

/* A question that could not be answered: again in a while. One that is refused for good (a symbol that the venue no
 * longer lists) must not hold everything up: it is left out and counted. */
void
account_failed(struct gateway_venue *v, const struct venue_report *r)
{
    struct account_sweep *s = &v->account;
    bool trades = r->request == VENUE_RQ_TRADES;

    if (!s->active || !s->asked || trades != (s->instrument < v->g->p.route->count) ||
        (trades && (s->instrument != r->instrument || (r->tag != 0 && r->tag != s->tag))))
        return;
    s->refused = r->definite ? (uint8_t)(s->refused + 1) : 0;
    if (s->refused < SWEEP_REFUSALS) {
        account_retry(v, SWEEP_RETRY_NS);
        return;
    }
    metric_add(v->g->p.metrics, METRIC_SWEEP_REFUSED, v->id, 1);
    log_write(v->g->p.log, LOG_SWEEP_REFUSED, r->text, v->id, r->code);
    s->asked = false;
    if (trades) {
        account_next(v);
    } else {
        s->active = false;
        v->balances_told = true; /* they will not come: a balance that is missing denies */
        venue_publish_state(v);
    }
}

/* ---- balances ---------------------------------------------------------------------------------------------------- */

void
account_balance(struct gateway_venue *v, const struct venue_report *r)
{
    const struct route *route = v->g->p.route;

    if (r->request != VENUE_RQ_BALANCES || !v->account.asked)
        return; /* what the stream says of balances comes with the trades that it tells */
    for (uint32_t i = 1; i < route->currency_count; i++) {
        if (strncmp(route->currency[i], r->fee_ccy, CURRENCY_BYTES) == 0) {
            bool over = __builtin_add_overflow(r->last_qty, r->qty, &v->held[i]);
            v->vague[i] = over || r->code != 0;
            guard_balance(v, r, (uint16_t)i);
            return;
        }
    }
}

static void
balance_take(struct gateway_venue *v, uint32_t ccy)
{
    struct journal_balance b = { .venue = v->id, .ccy = ccy, .amount = v->held[ccy] };

    (void)gateway_journal(v->g, JOURNAL_BALANCE, &b, sizeof(b), v->now);
    balances_set(v->g->p.balances, v->id, ccy, v->held[ccy]);
}

/* How much is held cannot be said: nothing is compared until it can, and then from what is said then. */
static void
balance_unsaid(struct gateway_venue *v, uint32_t ccy)
{
    struct journal_balance b = { .venue = v->id, .ccy = ccy, .amount = BALANCE_UNSAID };
    value_t expected;

    if (!balances_expected(v->g->p.balances, v->id, ccy, &expected))
        return;
    (void)gateway_journal(v->g, JOURNAL_BALANCE, &b, sizeof(b), v->now);
    balances_set(v->g->p.balances, v->id, ccy, BALANCE_UNSAID);
}

/* The one instrument whose position a balance is; NULL when there is none or more than one. */
static const struct instrument *
instrument_of(const struct gateway_venue *v, uint32_t ccy)
{
    const struct route *route = v->g->p.route;
    const struct instrument *found = NULL;

    for (uint32_t i = 0; i < route->count; i++) {
        const struct instrument *ins = &route->table[i];
        if (ins->venue != v->id || ins->kind != INSTRUMENT_SPOT || ins->base_ccy != ccy)
            continue;
        if (found != NULL)
            return NULL;
        found = ins;
    }
    return found;
}

/* The position follows what the venue holds, rounded down: what is held is never shown too high. What is below a unit
 * is kept for the next time. */
static void
position_repair(struct gateway_venue *v, const struct instrument *ins, value_t difference)
{
    struct gateway *g = v->g;
    const struct position *held = risk_position(g->p.risk, v->cfg->account, ins->id);
    int64_t unit = ins->qty_decimals >= VALUE_DECIMALS ? 1 : pow10_i64[VALUE_DECIMALS - ins->qty_decimals];
    int64_t finer = ins->qty_decimals > VALUE_DECIMALS ? pow10_i64[ins->qty_decimals - VALUE_DECIMALS] : 1;
    value_t total;
    if (__builtin_add_overflow(difference, balances_rest(g->p.balances, ins->id), &total))
        return;
    qty_t by = total / unit - (total % unit < 0 ? 1 : 0);
    struct journal_position p = { .account = v->cfg->account,
                                  .instrument = ins->id,
                                  .instrument_version = ins->version,
                                  .rest = (uint32_t)(total - by * unit) };

    if (__builtin_mul_overflow(by, finer, &by) || __builtin_add_overflow(held->qty, by, &p.qty))
        return;
    (void)gateway_journal(g, JOURNAL_POSITION, &p, sizeof(p), v->now);
    balances_rest_set(g->p.balances, ins->id, p.rest);
    risk_set_position(g->p.risk, p.account, ins->id, p.qty, true);
    metric_set(g->p.metrics, METRIC_POSITION, ins->id, p.qty);
    metric_add(g->p.metrics, METRIC_POSITION_REPAIRED, v->id, 1);
    log_write(g->p.log, LOG_POSITION_REPAIRED, ins->symbol, v->id, by);
}

static void
balance_differs(struct gateway_venue *v, uint32_t ccy, value_t difference)
{
    struct gateway *g = v->g;
    const struct instrument *ins = v->cfg->balance_moves_position ? instrument_of(v, ccy) : NULL;

    metric_add(g->p.metrics, METRIC_BALANCE_DIFFERENCES, v->id, 1);
    log_write(g->p.log, LOG_BALANCE_DIFFERENCE, g->p.route->currency[ccy], v->id, difference);
    if (ins != NULL)
        position_repair(v, ins, difference);
    balance_take(v, ccy); /* said once; from here on this is what is held */
}

/* Every balance was told: compared with what trades since the last time lead to expect. */
void
account_balances_end(struct gateway_venue *v)
{
    struct gateway *g = v->g;
    struct account_sweep *s = &v->account;
    bool doubt = false;

    if (!s->active || !s->asked)
        return;
    s->asked = false;
    for (uint32_t ccy = 1; g->p.balances != NULL && ccy < g->p.route->currency_count; ccy++) {
        value_t difference;
        if (unlikely(v->vague[ccy])) {
            balance_unsaid(v, ccy);
            continue;
        }
        switch (balances_compare(g->p.balances, v->id, ccy, v->held[ccy], &difference)) {
        case BALANCE_EQUAL: break;
        case BALANCE_FIRST: balance_take(v, ccy); break;
        case BALANCE_DOUBTED: doubt = true; break;
        case BALANCE_DIFFERS: balance_differs(v, ccy, difference); break;
        }
    }
    bool first = first_balances(v);
    doubt = doubt && s->doubts < SWEEP_DOUBTS;
    if (doubt || first) { /* a trade may have come between: trades first, then balances again */
        *s = (struct account_sweep){ .active = true,
                                     .from = -1,
                                     .at = mono_after(v->now.mono, doubt ? SWEEP_DOUBT_NS : FIRST_ROUND_NS),
                                     .doubts = s->doubts + doubt,
                                     .tag = s->tag };
        return;
    }
    s->active = false;
    if (!v->balances_told) { /* from here on a balance that is missing denies */
        v->balances_told = true;
        venue_publish_state(v);
    }
}
