/* Asking the venue: which order, what, when; and what "not found" is worth. Reconciliation after a log-on, the regular
 * audit.
 *
 * An order whose request has no answer is UNKNOWN and is asked about until evidence settles it. "Not found" proves
 * something only when it was asked after the request's deadline at the venue plus a margin, and when the trades,
 * asked for a margin after that answer (it may have been filled and put away just then) and told to the last one, show
 * nothing either.
 *
 * Always true: at most ASKS_IN_FLIGHT_MAX questions are on their way; an order is in the queue at most once; each ask
 * ends with its own answer (not that of one given up before), a time-out or the session. */
#include "engine/gateway_state.h"

/* ---- timers of one order ----------------------------------------------------------------------------------------- */

static bool
asking_remove(struct gateway_venue *v, uint32_t slot)
{
    for (uint32_t i = 0; i < v->asking_count; i++) {
        if (v->asking[i] == slot) {
            v->asking[i] = v->asking[--v->asking_count];
            return true;
        }
    }
    return false;
}

/* A new order takes the slot: whatever was asked about the one before is forgotten. */
void
aux_reset(struct gateway *g, uint32_t slot)
{
    if (g->aux[slot].ask == ASK_QUERY || g->aux[slot].ask == ASK_TRADES)
        for (uint16_t i = 0; i < g->cfg.venue_count; i++)
            (void)asking_remove(&g->venue[i], slot);
    if (g->aux[slot].reconciling != 0)
        reconcile_settled(&g->venue[g->aux[slot].venue], &g->aux[slot]);
    g->aux[slot].absent = 0;
    if (g->aux[slot].stuck)
        ask_answered(&g->venue[g->aux[slot].venue], &g->aux[slot]);
    g->aux[slot] = (struct order_aux){ .request_deadline = MONO_NEVER, .ask_at = MONO_NEVER };
}

void
aux_arm(struct gateway *g, uint32_t slot)
{
    const struct order_aux *a = &g->aux[slot];
    mono_ns_t at = a->request_deadline.ns < a->ask_at.ns ? a->request_deadline : a->ask_at;

    g->p.port.timer_arm(g->p.port.ctx, GATEWAY_TIMER_ORDER(slot), at);
}

void
ask_soon(struct gateway *g, uint32_t slot, int64_t delay_ns, struct now now)
{
    struct order_aux *a = &g->aux[slot];

    if (a->ask != ASK_NONE)
        return; /* asked already; its answer decides what is next */
    mono_ns_t at = mono_after(now.mono, delay_ns);
    if (at.ns < a->ask_at.ns)
        a->ask_at = at;
    aux_arm(g, slot);
}

/* ---- asking ---- */

/* This order's asking has come to an end, or to a pause that the reconciliation need not wait for. */
void
reconcile_settled(struct gateway_venue *v, struct order_aux *a)
{
    if (a->reconciling == v->generation && a->reconciling != 0) {
        ASSERT(v->reconcile_left > 0);
        v->reconcile_left--;
    }
    a->reconciling = 0;
}

/* The venue's clock after which a request on this order that has not arrived never will. */
int64_t
proof_venue_ns(const struct gateway_venue *v, const struct order *o)
{
    return MAX(o->venue_deadline_ns, o->cancel_deadline_ns) + v->cfg->unknown_margin_ns;
}

void
ask_enqueue(struct gateway_venue *v, uint32_t slot)
{
    struct order_aux *a = &v->g->aux[slot];

    ASSERT(v->queue_count < v->g->cfg.order_slots);
    v->queue[(v->queue_head + v->queue_count) % v->g->cfg.order_slots] = slot;
    v->queue_count++;
    a->venue = v->id;
    a->ask = ASK_QUEUED;
    a->ask_at = MONO_NEVER;
}

void
ask_forget(struct order_aux *a)
{
    a->ask = ASK_NONE;
    a->trades_next = false;
    a->not_found = false;
    a->since = 0;
    a->suspect = 0;
}

static void
ask_later(struct gateway_venue *v, uint32_t slot, int64_t at_least_ns, struct now now)
{
    struct order_aux *a = &v->g->aux[slot];
    int64_t delay = a->attempts < 6 ? ASK_BACKOFF_NS << a->attempts : ASK_BACKOFF_MAX_NS;

    if (a->attempts < UINT8_MAX)
        a->attempts++;
    ask_soon(v->g, slot, MAX(MIN(delay, ASK_BACKOFF_MAX_NS), at_least_ns), now);
}

/* Whatever it says, the question was answered. */
void
ask_answered(struct gateway_venue *v, struct order_aux *a)
{
    a->refused = 0;
    if (a->absent >= ASK_REFUSALS)
        return;
    if (a->stuck)
        metric_set(v->g->p.metrics, METRIC_ORDER_STUCK, v->id, --v->stuck);
    a->stuck = false;
}

/* Asking leads nowhere: an operator must look. It stays what it is, reserved, and nothing waits for it. */
COLD void
ask_stuck(struct gateway_venue *v, uint32_t slot, const char *why, int32_t code)
{
    struct gateway *g = v->g;
    struct order_aux *a = &g->aux[slot];
    const struct order *o = order_at(g->p.orders, slot);

    if (a->stuck)
        return;
    a->stuck = true;
    metric_set(g->p.metrics, METRIC_ORDER_STUCK, v->id, ++v->stuck);
    log_write(g->p.log, LOG_ORDER_STUCK, why, o->client, o->key, code);
}

/* The venue knows nothing of an order that was there: that proves nothing, and it may never know more. */
static COLD void
ask_absent(struct gateway_venue *v, uint32_t slot)
{
    struct order_aux *a = &v->g->aux[slot];

    a->refused = 0;
    a->absent = (uint8_t)MIN(a->absent + 1, UINT8_MAX);
    if (a->absent >= ASK_REFUSALS)
        ask_stuck(v, slot, "it was there, and the venue does not find it", 0);
}

static void
ask_done(struct gateway_venue *v, uint32_t slot, struct now now)
{
    struct gateway *g = v->g;
    struct order_aux *a = &g->aux[slot];
    const struct order *o = order_at(g->p.orders, slot);

    a->attempts = 0;
    a->trades_next = false;
    a->since = 0;
    a->not_found = false;
    a->ask_at = MONO_NEVER;
    a->absent = 0;
    ask_answered(v, a);
    reconcile_settled(v, a);
    aux_arm(g, slot);
    if (a->cancel_wanted && order_live(o) && o->request == REQUEST_NONE && !order_cancel_now(g, slot, now))
        v->cancels_wait = true;
}

/* No sign of life: it may never have been placed. */
static bool
never_seen(const struct order *o)
{
    return o->state == ORDER_SENT && o->venue_order_id == 0 && o->cum_qty == 0;
}

/* Could a trade of an order that no table has be of this one, whose trades are asked for to prove that it has none? */
bool
ask_could_be(const struct gateway *g, uint32_t slot, const struct venue_report *r)
{
    const struct order_aux *a = &g->aux[slot];
    const struct order *o = order_at(g->p.orders, slot);
    bool priced = o->type == ORDER_LIMIT && o->px != 0;

    return a->ask == ASK_TRADES && a->not_found && never_seen(o) && o->instrument == r->instrument &&
           o->side == r->side && (!priced || (o->side == SIDE_BUY ? r->last_px <= o->px : r->last_px >= o->px));
}

/* The next question is for its trades, from the first on. */
void
ask_trades(struct gateway_venue *v, uint32_t slot)
{
    struct order_aux *a = &v->g->aux[slot];

    a->trades_next = true;
    a->since = 0;
    ask_enqueue(v, slot);
}

/* Nothing is proven and nothing need wait for it: asked again after a while, from the beginning. */
void
ask_pause(struct gateway_venue *v, uint32_t slot, struct now now)
{
    struct order_aux *a = &v->g->aux[slot];

    a->not_found = false;
    a->trades_next = false;
    a->since = 0;
    a->suspect = 0;
    reconcile_settled(v, a);
    ask_later(v, slot, 0, now);
}

/* The answer was cut: where it goes on. False: there is no way on. */
static bool
trades_go_on(struct order_aux *a, const struct venue_report *r)
{
    if (r->trade_id < a->since || r->trade_id == INT64_MAX)
        return false;
    a->since = r->trade_id + 1; /* not by its time: more trades may share that than an answer holds */
    a->trades_next = true;
    return true;
}

/* All trades of an answer were told. Of an order that was not found they are the other half of the proof: a trade that
 * may be its, or trades that were not told, and nothing is proven. */
void
ask_trades_end(struct gateway_venue *v, uint32_t slot, const struct venue_report *r, struct now now)
{
    struct order_aux *a = &v->g->aux[slot];
    const struct order *o = order_at(v->g->p.orders, slot);
    bool more = false;

    a->trades_next = false;
    if (a->not_found && never_seen(o)) {
        a->suspect = suspect_of(v, o, &more);
        if (a->suspect != 0) { /* whose is it? */
            ask_enqueue(v, slot);
            return;
        }
    }
    if (r->code == 1 && !more && order_live(o) && trades_go_on(a, r)) {
        ask_enqueue(v, slot);
        return;
    }
    if (a->not_found && never_seen(o)) {
        if (more || r->code == 1) {
            ask_pause(v, slot, now);
            return;
        }
        order_said(v->g, slot, ORDER_EV_NOT_PLACED, 0, "not found after its deadline, no trade", now);
    }
    ask_next(v, slot, ASK_TRADES, false, now);
}

/* What the answer of an ask leads to: the end, the trades, or another try. */
void
ask_next(struct gateway_venue *v, uint32_t slot, enum ask answered, bool not_found, struct now now)
{
    struct gateway *g = v->g;
    struct order_aux *a = &g->aux[slot];
    const struct order *o = order_at(g->p.orders, slot);
    bool unseen = never_seen(o);
    /* A cancel on its way places nothing: with one after the other, its deadline would put the proof off for ever. */
    int64_t proof_ns = unseen ? o->venue_deadline_ns + v->cfg->unknown_margin_ns : proof_venue_ns(v, o);
    bool proven = a->asked_venue_ns >= proof_ns;

    a->trades_next = false;
    if (unlikely(not_found && !unseen && order_live(o)))
        ask_absent(v, slot);
    else
        ask_answered(v, a);
    if (!order_live(o)) {
        ask_done(v, slot, now);
        return;
    }
    a->not_found = answered == ASK_QUERY && not_found && unseen && proven;
    if (a->not_found) { /* it may just have been filled: its trades are asked for once they must show */
        a->trades_next = true;
        a->since = 0;
        a->asked_mono_ns = now.mono.ns;
        ask_soon(g, slot, v->cfg->unknown_margin_ns, now);
        return;
    }
    if (order_missing_fill_qty(o) > 0 && answered == ASK_QUERY) {
        ask_trades(v, slot);
        return;
    }
    if (not_found || order_unknown(o) || order_missing_fill_qty(o) > 0 || order_overdue(o)) {
        a->trades_next = order_missing_fill_qty(o) > 0;
        a->since = 0;
        reconcile_settled(v, a);
        ask_later(v, slot, proven ? 0 : proof_ns - venue_now_ns(v, now), now);
        return;
    }
    ask_done(v, slot, now);
}

/* Is this the answer to the last question about the order, not to one that was given up before? */
bool
ask_answers(const struct order_aux *a, const struct venue_report *r)
{
    return r->tag == 0 || r->tag == a->tag;
}

/* An answer came (or none will): false when this order was not being asked that. */
bool
ask_end(struct gateway_venue *v, uint32_t slot, enum ask kind)
{
    struct order_aux *a = &v->g->aux[slot];

    if (slot == ORDER_NONE || a->ask != kind || !asking_remove(v, slot))
        return false;
    a->ask = ASK_NONE;
    a->ask_at = MONO_NEVER;
    return true;
}

void
ask_failed(struct gateway_venue *v, uint32_t slot, bool definite, struct now now)
{
    struct order_aux *a = &v->g->aux[slot];

    /* Not settled: a reconciliation goes on waiting for it, unless the venue refuses to answer at all. */
    a->refused = definite ? (uint8_t)MIN(a->refused + 1, UINT8_MAX) : 0;
    a->suspect = 0;
    if (a->refused >= ASK_REFUSALS)
        reconcile_settled(v, a);
    ask_later(v, slot, 0, now);
}

/* When no answer is one, from now on: longer after each that did not come. */
static mono_ns_t
ask_until(const struct order_aux *a, struct now now)
{
    return mono_after(now.mono, ASK_TIMEOUT_NS << MIN(a->attempts, 2));
}

static void
ask_send(struct gateway_venue *v, uint32_t slot, struct now now)
{
    struct gateway *g = v->g;
    struct order_aux *a = &g->aux[slot];
    const struct order *o = order_at(g->p.orders, slot);
    struct venue_order vo;
    struct venue_request rq = { .kind = a->trades_next ? VENUE_RQ_TRADES : VENUE_RQ_QUERY, .order = &vo };

    venue_order_fill(g, o, &vo);
    if (a->suspect != 0) {
        rq.kind = VENUE_RQ_QUERY;
        vo.venue_order_id = a->suspect;
        vo.flags |= COMMAND_ADOPTED;
    } else if (a->trades_next) {
        if (a->since_of_order != (o->venue_order_id != 0)) /* it has the venue's id by now: its own trades, all */
            a->since = 0;
        a->since_of_order = o->venue_order_id != 0;
        rq.since_ns = MAX(o->venue_deadline_ns - v->cfg->recv_window_ns - NS_PER_S, 1);
        rq.since_trade = a->since;
    }
    a->tag = (uint8_t)(a->tag % (SUSPECT_TAG - 1) + 1 + (a->suspect != 0 ? SUSPECT_TAG : 0));
    rq.tag = a->tag;
    a->ask = rq.kind == VENUE_RQ_TRADES ? ASK_TRADES : ASK_QUERY;
    a->asked_venue_ns = venue_now_ns(v, now);
    a->asked_mono_ns = now.mono.ns;
    a->ask_at = ask_until(a, now);
    v->asking[v->asking_count++] = slot;
    aux_arm(g, slot);
    if (venue_ask(v, &rq, now) < VENUE_ASK_ANSWERED) {
        (void)ask_end(v, slot, (enum ask)a->ask);
        ask_failed(v, slot, false, now);
    }
}

void
ask_goes_on(struct gateway_venue *v, enum venue_request_kind kind, struct now now)
{
    enum ask ask = kind == VENUE_RQ_QUERY ? ASK_QUERY : kind == VENUE_RQ_TRADES ? ASK_TRADES : ASK_NONE;

    for (uint32_t i = 0; i < v->asking_count; i++) {
        struct order_aux *a = &v->g->aux[v->asking[i]];
        if (a->ask != ask)
            continue;
        a->ask_at = ask_until(a, now);
        aux_arm(v->g, v->asking[i]);
    }
    if (v->account.asked && (kind == VENUE_RQ_TRADES || kind == VENUE_RQ_BALANCES))
        v->account.at = mono_after(now.mono, ASK_TIMEOUT_NS);
}

bool
asks_work(struct gateway_venue *v, struct now now)
{
    while (v->queue_count > 0 && v->asking_count < ASKS_IN_FLIGHT_MAX && venue_can_send(v, now) &&
           v->session[ROLE_ORDER].state == SESSION_READY && venue_line_free(v, VENUE_RQ_QUERY, now) &&
           venue_line_free(v, VENUE_RQ_TRADES, now) && venue_affords(v, VENUE_RQ_TRADES, now)) {
        uint32_t slot = v->queue[v->queue_head];
        v->queue_head = (v->queue_head + 1) % v->g->cfg.order_slots;
        v->queue_count--;
        struct order_aux *a = &v->g->aux[slot];
        if (a->ask != ASK_QUEUED || order_at(v->g->p.orders, slot)->venue != v->id)
            continue; /* its slot went to another order */
        a->ask = ASK_NONE;
        if (order_live(order_at(v->g->p.orders, slot)))
            ask_send(v, slot, now);
        else
            ask_done(v, slot, now);
    }
    return false;
}

/* Trades were missing and have come by themselves. */
static bool
ask_needless(const struct order_aux *a, const struct order *o)
{
    return a->ask == ASK_NONE && a->trades_next && !a->not_found && a->reconciling == 0 && order_live(o) &&
           !order_unknown(o) && order_missing_fill_qty(o) == 0;
}

/* Something else wants to hear of it; its trades prove nothing yet. */
static bool
ask_early(const struct gateway_venue *v, const struct order_aux *a, struct now now)
{
    return a->ask == ASK_NONE && a->trades_next && a->not_found &&
           now.mono.ns < a->asked_mono_ns + v->cfg->unknown_margin_ns;
}

void
venue_order_timer(struct gateway *g, uint32_t slot, struct now now)
{
    struct order_aux *a = &g->aux[slot];
    const struct order *o = order_at(g->p.orders, slot);

    if (o->state == ORDER_FREE)
        return;
    struct gateway_venue *v = &g->venue[o->venue];
    if (o->state == ORDER_SENT && o->wire_mono_ns > 0 && !a->ack_noted) /* timed out, or asked about again */
        a->ack_noted = risk_note_no_ack(g->p.risk, v->id, now.mono.ns - o->wire_mono_ns, now);
    if (a->request_deadline.ns <= now.mono.ns) {
        mono_ns_t sent = { a->request_deadline.ns - v->cfg->request_timeout_ns };
        a->request_deadline = MONO_NEVER;
        bool never_left =
            g->cfg.durable_first && unsent_withdraw(g, slot, NULL, "its record was not on disk in time", now);
        if (!never_left && order_live(o))
            order_said(g, slot, ORDER_EV_UNKNOWN, 0, "no answer in time", now);
        if (!never_left)
            line_doubt(v, sent, now);
    }
    if (a->ask_at.ns <= now.mono.ns) {
        a->ask_at = MONO_NEVER;
        if (a->ask == ASK_QUERY || a->ask == ASK_TRADES) {
            if (!venue_over_http(v, a->ask == ASK_QUERY ? VENUE_RQ_QUERY : VENUE_RQ_TRADES))
                line_doubt(v, (mono_ns_t){ a->asked_mono_ns }, now);
            (void)ask_end(v, slot, (enum ask)a->ask);
            ask_failed(v, slot, false, now);
        } else if (ask_needless(a, o)) {
            a->trades_next = false;
        } else if (ask_early(v, a, now)) {
            a->ask_at = mono_after((mono_ns_t){ a->asked_mono_ns }, v->cfg->unknown_margin_ns);
        } else if (a->ask == ASK_NONE && v->session[ROLE_ORDER].state == SESSION_READY) {
            ask_enqueue(v, slot); /* without a session: the next reconciliation asks */
        }
    }
    aux_arm(g, slot);
}

/* ---- reconciliation ---- */

void
positions_reconciled(struct gateway_venue *v, bool reconciled)
{
    struct gateway *g = v->g;

    for (uint32_t i = 0; i < g->p.route->count; i++)
        if (g->p.route->table[i].venue == v->id && risk_position(g->p.risk, v->cfg->account, i) != NULL)
            risk_set_reconciled(g->p.risk, v->cfg->account, i, reconciled && !g->first[i].unknown);
}

void
reconcile_work(struct gateway_venue *v, struct now now)
{
    struct gateway *g = v->g;

    if (!v->reconciling)
        return;
    for (uint32_t i = 0; i < WALK_PER_WORK && v->reconcile_walk >= 0; i++) {
        uint32_t slot = order_walk_next(g->p.orders, v->reconcile_walk);
        if (slot == ORDER_NONE) {
            v->reconcile_walk = -1;
            break;
        }
        const struct order *o = order_at(g->p.orders, slot);
        struct order_aux *a = &g->aux[slot];
        if (o->venue != v->id)
            continue;
        bool settled = a->seen == v->generation && !order_unknown(o) && order_missing_fill_qty(o) == 0;
        if (settled && a->cancel_wanted && o->request == REQUEST_NONE && !order_cancel_now(g, slot, now))
            v->cancels_wait = true;
        if (settled)
            continue;
        a->reconciling = v->generation;
        a->venue = v->id;
        v->reconcile_left++;
        if (a->ask == ASK_NONE) {
            ask_forget(a);
            ask_enqueue(v, slot);
        }
    }
    /* Ids of this term are above those of an earlier run only once the clock has reached it: the journal of that run
     * may be lost, and its term was its time. */
    bool term_ahead = v->cfg->ops->needs_connection && now.wall.ns / NS_PER_S < (int64_t)g->cfg.term &&
                      (int64_t)g->cfg.term - now.wall.ns / NS_PER_S <= TERM_AHEAD_S;
    if (v->reconcile_walk >= 0 || v->reconcile_left > 0 || v->account.active || term_ahead)
        return;
    v->reconciling = false;
    v->reconciled = true;
    positions_reconciled(v, true);
    venue_publish_state(v);
    metric_add(g->p.metrics, METRIC_RECONCILE_RUNS, v->id, 1);
    metric_add(g->p.metrics, METRIC_RECONCILE_DIFFERENCES, v->id, v->differences);
    log_write(g->p.log, LOG_RECONCILED, NULL, v->id, order_totals(g->p.orders)->live, v->differences, v->foreign);
}

/* ---- the regular audit ---- */

/* Ask for the list of open orders once more: a report that the stream lost leaves an order that only we believe in. */
bool
audit_ask(struct gateway_venue *v, struct now now)
{
    struct venue_request rq = { .kind = VENUE_RQ_OPEN_ORDERS };

    audit_stop(v); /* one that is under way is given up here */
    v->generation++;
    v->auditing = true;
    v->audit_asked = now.mono;
    v->listed_mono_ns = now.mono.ns;
    v->foreign = 0;
    v->unheld = false;
    v->auditing = venue_ask(v, &rq, now) >= VENUE_ASK_ANSWERED;
    return v->auditing;
}

void
audit_start(struct gateway_venue *v, struct now now)
{
    if (v->reconciled && v->audit_walk < 0 && venue_can_send(v, now) && venue_line_free(v, VENUE_RQ_OPEN_ORDERS, now) &&
        venue_affords(v, VENUE_RQ_OPEN_ORDERS, now) && mono_since(now.mono, v->audit_asked) >= v->cfg->audit_ns)
        (void)audit_ask(v, now);
}

void
audit_listed(struct gateway_venue *v)
{
    v->auditing = false;
    v->audit_walk = order_walk_open(v->g->p.orders, CLIENT_NONE);
    account_start(v, v->now);
    venue_publish_state(v);
}

/* Orders that were at the venue before the list was asked for and are not in it: each is asked about. */
bool
audit_work(struct gateway_venue *v)
{
    struct gateway *g = v->g;

    for (uint32_t i = 0; i < WALK_PER_WORK && v->audit_walk >= 0; i++) {
        uint32_t slot = order_walk_next(g->p.orders, v->audit_walk);
        if (slot == ORDER_NONE) {
            v->audit_walk = -1;
            break;
        }
        const struct order *o = order_at(g->p.orders, slot);
        const struct order_aux *a = &g->aux[slot];
        bool known = o->state == ORDER_NEW || o->state == ORDER_PARTIALLY_FILLED;
        bool before = o->term != g->cfg.term || o->ack_mono_ns < v->audit_asked.ns; /* an earlier run, another clock */
        if (o->venue == v->id && known && before && a->seen != v->generation && a->ask == ASK_NONE) {
            metric_add(g->p.metrics, METRIC_RECONCILE_DIFFERENCES, v->id, 1);
            ask_enqueue(v, slot);
        }
    }
    return v->audit_walk >= 0;
}

void
audit_stop(struct gateway_venue *v)
{
    v->auditing = false;
    if (v->audit_walk >= 0)
        order_walk_close(v->g->p.orders, v->audit_walk);
    v->audit_walk = -1;
}
