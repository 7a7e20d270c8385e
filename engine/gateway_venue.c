/* Venue side of the gateway: the order-entry session, and what the venue says as journaled events of orders. */
#include "engine/gateway_state.h"

/* ---- reports to clients ------------------------------------------------------------------------------------------ */

static void
report_event(struct gateway *g, const struct order *o, enum report_kind kind, uint64_t seq,
             const struct order_event *ev, uint8_t flags, struct now now)
{
    struct report r;

    memset(&r, 0, sizeof(r));
    order_report_fill(o, &r);
    r.kind = (uint8_t)kind;
    r.seq = seq;
    r.flags |= flags;
    r.report_mono_ns = now.mono.ns;
    if (ev != NULL && ev->text[0] != '\0') {
        r.venue_code = ev->venue_code;
        (void)snprintf(r.text, sizeof(r.text), "%.*s", (int)sizeof(r.text) - 1, ev->text);
    }
    metric_add(g->p.metrics, METRIC_REPORTS, kind, 1);
    (void)client_port_publish(g->p.clients, o->client, &r);
}

void
report_order(struct gateway *g, const struct order *o, enum report_kind kind, uint64_t seq, struct now now)
{
    report_event(g, o, kind, seq, NULL, 0, now);
}

/* Another order took its place: not one that was refused. */
static bool
replaced(const struct gateway *g, const struct order *o)
{
    if (o->replaced_by == ORDER_NONE)
        return false;
    uint8_t state = order_at(g->p.orders, o->replaced_by)->state;
    return state != ORDER_REJECTED && state != ORDER_NOT_PLACED;
}

/* What an order that went from one state to another is reported as. */
static enum report_kind
kind_of_change(const struct gateway *g, const struct order *o, uint8_t before)
{
    if (o->state == before)
        return REPORT_NONE;
    switch ((enum order_state)o->state) {
    case ORDER_NEW: return REPORT_NEW;
    case ORDER_CANCELED: return replaced(g, o) ? REPORT_REPLACED : REPORT_CANCELED;
    case ORDER_EXPIRED: return REPORT_EXPIRED;
    case ORDER_REJECTED: return REPORT_REJECTED;
    case ORDER_NOT_PLACED: return REPORT_NOT_PLACED;
    default: return REPORT_NONE; /* fills report themselves */
    }
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static void
count_state(struct gateway *g, uint32_t slot, const struct order *o, uint8_t before, struct now now)
{
    if (o->state == before)
        return;
    if (before == ORDER_SENT && o->state != ORDER_REJECTED && o->state != ORDER_NOT_PLACED) {
        metric_add(g->p.metrics, METRIC_ORDER_ACKED, o->venue, 1);
        if (o->wire_mono_ns > 0) {
            metric_observe_ns(g->p.metrics, METRIC_ORDER_ACK, o->venue, now.mono.ns - o->wire_mono_ns);
            if (!g->aux[slot].ack_noted)
                risk_note_ack(g->p.risk, o->venue, now.mono.ns - o->wire_mono_ns, now);
        }
    }
    static const uint16_t metric_of[ORDER_STATE_COUNT] = {
        [ORDER_FILLED] = METRIC_ORDER_FILLED,         [ORDER_CANCELED] = METRIC_ORDER_CANCELED,
        [ORDER_EXPIRED] = METRIC_ORDER_EXPIRED,       [ORDER_REJECTED] = METRIC_ORDER_REJECTED,
        [ORDER_NOT_PLACED] = METRIC_ORDER_NOT_PLACED,
    };
    if (order_state_terminal((enum order_state)o->state) && metric_of[o->state] != 0)
        metric_add(g->p.metrics, (enum metric)metric_of[o->state], o->venue, 1);
}

static void
count_fill(struct gateway *g, const struct order *o, const struct order_event *ev, enum order_outcome out)
{
    struct metric_page *m = g->p.metrics;

    if (out == ORDER_DUPLICATE) {
        metric_add(m, METRIC_FILL_DUPLICATES, o->venue, 1);
        return;
    }
    unsigned liquidity = (ev->flags & ORDER_EVENT_MAKER) != 0 ? LIQUIDITY_MAKER : LIQUIDITY_TAKER;
    metric_add(m, METRIC_FILLS, metric_pair(METRIC_FILLS, o->venue, liquidity), 1);
    if (out == ORDER_LATE) {
        metric_add(m, METRIC_FILL_LATE, o->venue, 1);
        log_write(g->p.log, LOG_FILL_LATE, o->clordid, o->client, o->key, ev->trade_id);
    }
    metric_set(m, METRIC_POSITION, o->instrument, risk_position(g->p.risk, o->account, o->instrument)->qty);
}

/* What clients are told of one applied event. */
static void
tell(struct gateway *g, const struct order *o, const struct order_event *ev, enum order_outcome out,
     uint8_t state_before, bool unknown_before, uint64_t seq, struct now now)
{
    enum report_kind change = kind_of_change(g, o, state_before);

    if (ev->kind == ORDER_EV_FILL) {
        uint8_t flags = (uint8_t)(((ev->flags & ORDER_EVENT_MAKER) != 0 ? REPORT_MAKER : 0) |
                                  (out == ORDER_LATE ? REPORT_LATE : 0));
        report_event(g, o, REPORT_FILL, seq, NULL, flags, now);
    } else if (ev->kind == ORDER_EV_CANCEL_REJECTED) {
        metric_add(g->p.metrics, METRIC_CANCEL_REJECTED, o->venue, 1);
        report_event(g, o, REPORT_CANCEL_REJECTED, seq, ev, 0, now);
    }
    if (change != REPORT_NONE) {
        report_event(g, o, change, seq, ev, 0, now);
        if (change == REPORT_REJECTED) {
            risk_note_reject(g->p.risk, o->venue, o->client, now);
            log_write(g->p.log, LOG_ORDER_REJECTED, ev->text, o->client, o->key, ev->venue_code);
        }
    }
    if (order_unknown(o) && !unknown_before) {
        metric_add(g->p.metrics, METRIC_ORDER_BECAME_UNKNOWN, o->venue, 1);
        log_write(g->p.log, LOG_ORDER_UNKNOWN, ev->text, o->client, o->key, ev->venue_code);
        report_event(g, o, REPORT_UNKNOWN, seq, ev, 0, now);
    } else if (!order_unknown(o) && unknown_before) {
        log_write(g->p.log, LOG_ORDER_RESOLVED, order_state_text((enum order_state)o->state), o->client, o->key);
        if (change == REPORT_NONE && ev->kind != ORDER_EV_FILL)
            report_event(g, o, REPORT_ORDER, seq, ev, 0, now);
    }
}

/* Somebody else asked for its cancel: an operator, who has no order of his own to hear of. */
static COLD void
tell_asker(struct gateway *g, uint32_t slot, const struct order *o, uint64_t seq, struct now now)
{
    struct report r;

    memset(&r, 0, sizeof(r));
    order_report_fill(o, &r);
    r.kind = o->state == ORDER_CANCELED ? REPORT_CANCELED : REPORT_ORDER;
    r.seq = seq;
    r.report_mono_ns = now.mono.ns;
    metric_add(g->p.metrics, METRIC_REPORTS, r.kind, 1);
    (void)client_port_publish(g->p.clients, g->aux[slot].asked_by1 - 1u, &r);
    g->aux[slot].asked_by1 = 0;
}

/* Deadlines that follow from what the order is now. */
static void
aux_after(struct gateway *g, uint32_t slot, const struct order *o, enum order_outcome out, enum order_event_kind kind,
          struct now now)
{
    struct order_aux *a = &g->aux[slot];

    if (kind == ORDER_EV_AMENDED && out == ORDER_APPLIED)
        a->amended_mono_ns = now.mono.ns;
    /* However long the order is found open, that cancel may come: it is sent again until the order is over, so that its
     * end is never one that nobody asked for. */
    if (kind == ORDER_EV_UNKNOWN && o->request == REQUEST_CANCEL_UNKNOWN)
        a->cancel_wanted |= g->venue[o->venue].cfg->ops->cancels_linger;
    bool in_flight = o->request == REQUEST_NEW_IN_FLIGHT || o->request == REQUEST_CANCEL_IN_FLIGHT ||
                     o->request == REQUEST_REPLACE_IN_FLIGHT;

    if (!order_live(o) || !in_flight)
        a->request_deadline = MONO_NEVER;
    if (!order_live(o)) {
        a->cancel_wanted = false;
        if (a->ask == ASK_NONE) { /* nor will it be asked about again: nobody waits for that */
            a->ask_at = MONO_NEVER;
            a->absent = 0;
            reconcile_settled(&g->venue[o->venue], a);
            ask_answered(&g->venue[o->venue], a);
        }
    } else if (out == ORDER_HELD) {
        a->trades_next = true;
        ask_soon(g, slot, ASK_SETTLE_NS, now);
    } else if (kind == ORDER_EV_CANCEL_REJECTED || kind == ORDER_EV_AMEND_REJECTED) {
        ask_soon(g, slot, MIN(ASK_SETTLE_NS << a->cancels_refused, ASK_BACKOFF_MAX_NS), now);
        a->cancels_refused = (uint8_t)MIN(a->cancels_refused + 1, 7);
    } else if (out == ORDER_CONFLICT || (kind == ORDER_EV_AMENDED && out == ORDER_INVALID) || order_overdue(o)) {
        ask_soon(g, slot, ASK_SETTLE_NS, now);
    } else if (order_unknown(o) && a->ask_at.ns == MONO_NEVER.ns) {
        ask_soon(g, slot, ASK_BACKOFF_NS, now);
    } else if (order_missing_fill_qty(o) > 0 && a->ask == ASK_NONE && a->ask_at.ns == MONO_NEVER.ns) {
        a->trades_next = true; /* the venue counts a trade that was not told: it may just be later than this report */
        ask_soon(g, slot, ASK_SETTLE_NS, now);
    }
    aux_arm(g, slot);
}

/* What a change of an order, or a trade of nobody's, does to positions, reservations and expected balances. */
void
gateway_delta(struct gateway *g, const struct order_delta *d)
{
    risk_apply(g->p.risk, d);
    if (g->p.balances != NULL)
        balances_apply(g->p.balances, &g->p.route->table[d->instrument], d);
}

/* The one way in which an order changes after it was placed: journal, table, risk, clients. */
enum order_outcome
apply_event(struct gateway *g, uint32_t slot, const struct order_event *ev, enum journal_type type, struct now now)
{
    const struct order *o = order_at(g->p.orders, slot);
    struct order_before before = { .px = o->px, .qty = o->qty, .key = o->key, .amending = order_amending(o) };
    uint8_t state_before = o->state;
    bool canceling = o->request == REQUEST_CANCEL_IN_FLIGHT;
    int64_t asked_ns = o->request_mono_ns;
    bool unknown_before = order_unknown(o);
    struct order_delta d;

    uint64_t seq = gateway_journal(g, type, ev, sizeof(*ev), now);
    enum order_outcome out = order_table_event(g->p.orders, slot, ev, &d);
    if (d.client != CLIENT_NONE)
        gateway_delta(g, &d); /* a duplicate too may have raised what the venue counts */
    if (out == ORDER_APPLIED || out == ORDER_LATE || out == ORDER_HELD) {
        count_state(g, slot, o, state_before, now);
        if (unlikely((o->marks & ORDER_MARK_AMENDS) != 0))
            replace_tell(g, slot, &before, ev, now);
        tell(g, o, ev, out, state_before, unknown_before, seq, now);
        if (canceling && (ev->kind == ORDER_EV_CANCELED || ev->kind == ORDER_EV_CANCEL_REJECTED))
            metric_observe_ns(g->p.metrics, METRIC_CANCEL_ACK, o->venue, now.mono.ns - asked_ns);
    }
    if (ev->kind == ORDER_EV_FILL)
        count_fill(g, o, ev, out);
    if (unlikely(g->aux[slot].asked_by1 != 0) && order_state_terminal((enum order_state)o->state))
        tell_asker(g, slot, o, seq, now);
    if (ev->kind == ORDER_EV_FILL && out == ORDER_APPLIED && o->trade_count == 1)
        budget_give_back(&g->venue[o->venue].budget, venue_now_ns(&g->venue[o->venue], now));
    if (unlikely(g->kill.on) && order_state_terminal((enum order_state)o->state) && o->state != state_before)
        kill_order_ended(g, o, ev, seq, now);
    if (out == ORDER_CONFLICT)
        log_write(g->p.log, LOG_WARNING, "a venue report contradicts what is proven; the venue will be asked");
    aux_after(g, slot, o, out, (enum order_event_kind)ev->kind, now);
    if (unlikely(g->turns > 0))
        replace_follow(g, slot);
    return out;
}

COLD void
order_said(struct gateway *g, uint32_t slot, enum order_event_kind kind, uint64_t request, const char *why,
           struct now now)
{
    struct order_event ev = { .kind = (uint8_t)kind, .trade_id = -1, .mono_ns = now.mono.ns, .request_id = request };

    memcpy(ev.clordid, order_at(g->p.orders, slot)->clordid, CLORDID_BYTES);
    (void)snprintf(ev.text, sizeof(ev.text), "%s", why);
    (void)apply_event(g, slot, &ev, JOURNAL_VENUE_REPORT, now);
}

uint16_t
gateway_currency(struct gateway *g, const char *name, struct now now)
{
    bool is_new;
    uint16_t id = route_currency(g->p.route, name, &is_new);

    if (is_new) {
        struct journal_name n = { .id = id };
        memcpy(n.name, g->p.route->currency[id], CURRENCY_BYTES);
        (void)gateway_journal(g, JOURNAL_DEF_CURRENCY, &n, sizeof(n), now);
    }
    return id;
}

static void
event_of(struct gateway *g, const struct order *o, const struct venue_report *r, enum order_event_kind kind,
         struct order_event *ev, struct now now)
{
    bool terms = kind == ORDER_EV_STATUS || kind == ORDER_EV_AMENDED;

    *ev = (struct order_event){
        .kind = (uint8_t)kind,
        .state = r->state,
        .flags = r->kind == VENUE_FILL && r->maker != 0 ? ORDER_EVENT_MAKER : 0,
        .venue_code = r->code,
        .venue_order_id = r->venue_order_id,
        .trade_id = r->trade_id,
        .last_px = terms ? r->px : r->last_px,
        .last_qty = terms ? r->qty : r->last_qty,
        .cum_qty = r->cum_qty,
        .fee = r->fee,
        .fee_ccy = r->fee_ccy[0] != '\0' ? gateway_currency(g, r->fee_ccy, now) : 0,
        .venue_time_ns = r->venue_time_ns,
        .mono_ns = now.mono.ns,
    };
    if (kind == ORDER_EV_AMENDED || kind == ORDER_EV_AMEND_REJECTED)
        ev->request_id = r->tag;
    memcpy(ev->clordid, o->clordid, CLORDID_BYTES);
    (void)snprintf(ev->text, sizeof(ev->text), "%.*s", (int)sizeof(ev->text) - 1, r->text);
}

/* ---- session ----------------------------------------------------------------------------------------------------- */

void
venue_publish_state(struct gateway_venue *v)
{
    struct risk_venue rv = {
        .logged_on = v->logged_on && !line_doubted(v),
        .stream_in_step = v->stream_up,
        .reconciled = (v->reconciled || v->lost) && !v->unheld,
        .clock_known = v->clock_known,
        .clock_offset_ns = v->clock_offset_ns,
        .has_balances = v->balances_told,
        .account = (uint8_t)v->cfg->account,
    };

    risk_set_venue(v->g->p.risk, v->id, &rv);
    metric_set(v->g->p.metrics, METRIC_ORDER_ENTRY_READY, v->id,
               rv.logged_on && v->stream_up && v->reconciled && !v->unheld);
    metric_set(v->g->p.metrics, METRIC_CLOCK_OFFSET, v->id, v->clock_offset_ns);
    metric_set(v->g->p.metrics, METRIC_ORDER_FOREIGN, v->id, v->foreign);
}

/* In-flight requests of a session that ended: some of them per call. True when more are left. */
static bool
lost_work(struct gateway_venue *v, uint32_t max, struct now now)
{
    struct gateway *g = v->g;

    for (uint32_t i = 0; i < max && v->lost_walk >= 0; i++) {
        uint32_t slot = order_walk_next(g->p.orders, v->lost_walk);
        if (slot == ORDER_NONE) {
            v->lost_walk = -1;
            break;
        }
        const struct order *o = order_at(g->p.orders, slot);
        if (o->venue != v->id || o->request == REQUEST_NONE || request_state_unknown((enum request_state)o->request))
            continue; /* a cancel may be in flight over an order whose placing is unknown: that is lost too */
        order_said(g, slot, ORDER_EV_UNKNOWN, 0, v->lost_why, now);
    }
    return v->lost_walk >= 0;
}

/* The journal had live orders: what was in flight when the last run ended may or may not have left. A cancel that was
 * asked for then is asked for again, until the order is proven over. */
void
venue_recover(struct gateway_venue *v, struct now now)
{
    struct gateway *g = v->g;
    int walk = order_walk_open(g->p.orders, CLIENT_NONE);

    ASSERT(walk >= 0);
    for (uint32_t slot; (slot = order_walk_next(g->p.orders, walk)) != ORDER_NONE;) {
        const struct order *o = order_at(g->p.orders, slot);
        g->aux[slot].cancel_wanted |= o->request == REQUEST_CANCEL_IN_FLIGHT || o->request == REQUEST_CANCEL_UNKNOWN;
    }
    v->lost_walk = order_walk_open(g->p.orders, CLIENT_NONE);
    v->lost_why = "the gateway was started again";
    while (lost_work(v, WALK_PER_WORK, now)) {
    }
}

void
venue_step(struct gateway_venue *v, struct now now)
{
    static const uint8_t request_of[STEP_COUNT] = {
        [STEP_TIME] = VENUE_RQ_TIME,
        [STEP_LOGON] = VENUE_RQ_LOGON,
        [STEP_STREAM] = VENUE_RQ_STREAM,
        [STEP_OPEN_ORDERS] = VENUE_RQ_OPEN_ORDERS,
    };
    struct gateway *g = v->g;
    struct session *s = &v->session[ROLE_ORDER];
    uint8_t step = s->step;
    struct venue_request rq = { .kind = (enum venue_request_kind)request_of[step] };

    if (now.mono.ns < v->blocked_until.ns || (venue_over_http(v, rq.kind) && now.mono.ns < v->http_until.ns) ||
        !venue_affords_step(v, rq.kind, now))
        return; /* told to be quiet meanwhile: the step's time-out closes, and the ban's end connects again */
    if (!venue_line_free(v, rq.kind, now)) {
        v->rest_step_waits = true; /* gateway_on_rest comes back to it; the step's time-out runs */
        return;
    }
    v->now = now;
    if (step == STEP_TIME) {
        clock_asked(v, now);
        v->lost = false;
        venue_publish_state(v);
    }
    if (step == STEP_OPEN_ORDERS) {
        while (lost_work(v, WALK_PER_WORK, now)) {
        }
        v->generation++;
        v->listed_mono_ns = now.mono.ns;
        v->foreign = 0;
        v->unheld = false;
        v->differences = 0;
    }
    v->stepping = true;
    enum venue_ask asked = venue_ask(v, &rq, now);
    v->stepping = false;
    if (asked == VENUE_ASK_ANSWERED && step == STEP_LOGON && s->step == step) { /* this key needs none */
        v->logged_on = true;
        (void)session_on_step_done(s, step, now);
    }
    if (asked < VENUE_ASK_ANSWERED)
        log_write(g->p.log, LOG_WARNING, "a log-on step could not be sent"); /* its time-out closes the connection */
}

void
venue_step_done(struct gateway_venue *v, uint8_t step)
{
    enum session_do what = session_on_step_done(&v->session[ROLE_ORDER], step, v->now);

    if (!v->stepping)
        session_run(v, ROLE_ORDER, what, v->now);
}

/* Logged on and told of every open order: ask about each order of ours that this did not settle. */
void
venue_on_ready(struct gateway_venue *v, struct now now)
{
    v->reconcile_walk = order_walk_open(v->g->p.orders, CLIENT_NONE);
    ASSERT(v->reconcile_walk >= 0);
    v->reconcile_left = 0;
    v->reconciling = true;
    v->audit_asked = now.mono;
    account_start(v, now);
    log_write(v->g->p.log, LOG_LOGON, NULL, v->id);
    if (unlikely(v->g->kill.on))
        kill_venue_up(v, now);
    venue_publish_state(v);
    v->g->p.port.timer_arm(v->g->p.port.ctx, GATEWAY_TIMER_CLOCK(v->id), mono_after(now.mono, v->cfg->clock_ns));
}

void
venue_on_down(struct gateway_venue *v, struct now now)
{
    struct gateway *g = v->g;

    if (unlikely(g->kill.on))
        kill_venue_down(v, now);
    v->cfg->ops->on_disconnected(v->cfg->adapter);
    if (v->logged_on && v->lost_walk < 0) {
        v->lost_walk = order_walk_open(g->p.orders, CLIENT_NONE);
        v->lost_why = "connection lost";
    }
    v->lost |= v->reconciled;
    v->logged_on = false;
    v->stream_up = false;
    v->reconciled = false;
    v->clock_known = false;
    v->time_asked = false;
    v->target_waits = false;
    v->rest_wanted = false;
    v->rest_step_waits = false;
    v->reconciling = false;
    audit_stop(v);
    account_stop(v);
    if (v->reconcile_walk >= 0)
        order_walk_close(g->p.orders, v->reconcile_walk);
    v->reconcile_walk = -1;
    while (v->queue_count > 0) {
        ask_forget(&g->aux[v->queue[v->queue_head]]);
        v->queue_head = (v->queue_head + 1) % g->cfg.order_slots;
        v->queue_count--;
    }
    while (v->asking_count > 0) {
        uint32_t slot = v->asking[--v->asking_count];
        ask_forget(&g->aux[slot]);
        g->aux[slot].ask_at = MONO_NEVER;
        aux_arm(g, slot);
    }
    positions_reconciled(v, false);
    venue_publish_state(v);
    g->p.port.timer_arm(g->p.port.ctx, GATEWAY_TIMER_CLOCK(v->id), MONO_NEVER);
}

bool
venue_work(struct gateway_venue *v, struct now now)
{
    bool more = v->lost_walk >= 0 && lost_work(v, WALK_PER_WORK, now);

    if (unlikely(v->rest_page_waits))
        rest_page_work(v, now);
    if (unlikely(v->cancels_wait) && v->reconciled && venue_can_cancel(v, now) && order_sweep_wanted(v))
        v->cancels_wait = false;
    account_turn(v, now);
    /* Where questions go over one line of HTTP, the sweep's pages take turns with everything else. */
    bool swept = v->rest_kind == VENUE_RQ_TRADES;
    if (!swept)
        account_work(v, now);
    reconcile_work(v, now);
    if (unlikely(v->g->kill.on))
        more |= kill_work(v, now);
    more |= audit_work(v);
    more |= asks_work(v, now);
    if (swept)
        account_work(v, now);
    return more || v->reconcile_walk >= 0;
}

/* ---- what the venue says ----------------------------------------------------------------------------------------- */

/* The next start waits for it too. It knows the last record only, and logs on over HTTP where we did. */
static void
quiet_note(struct gateway_venue *v, const char *why, struct now now)
{
    int64_t wait_ns = MAX(v->blocked_until.ns, v->http_until.ns) - now.mono.ns;
    struct journal_control c = {
        .kind = CONTROL_QUIET, .id = v->id, .client = CLIENT_NONE, .value = now.wall.ns + wait_ns
    };

    (void)snprintf(c.text, sizeof(c.text), "%s", why);
    (void)gateway_journal(v->g, JOURNAL_CONTROL, &c, sizeof(c), now);
}

void
venue_quiet(struct gateway_venue *v, int64_t wait_ns, const char *why, struct now now)
{
    mono_ns_t until = mono_after(now.mono, wait_ns);

    if (until.ns > v->blocked_until.ns) { /* one told before may come after */
        v->blocked_until = until;
        quiet_note(v, why, now);
    }
    unsent_withdraw_all(v, "the venue told us to be quiet before it left", now);
    metric_add(v->g->p.metrics, METRIC_RATE_LIMITED, v->id, 1);
    log_write(v->g->p.log, LOG_RATE_LIMITED, why, v->id, wait_ns / NS_PER_MS);
}

/* One instrument's counter is full: nothing new in it for a while. Cancels pass, as all other instruments do. */
static void
pair_limited(struct gateway_venue *v, const struct venue_report *r, int64_t wait)
{
    struct pair_rate *p = &v->g->pair[r->instrument];

    p->quiet_until.ns = MAX(p->quiet_until.ns, mono_after(v->now.mono, wait).ns);
    budget_counter_told(&p->count, p->count.limit, venue_now_ns(v, v->now));
    metric_add(v->g->p.metrics, METRIC_RATE_LIMITED, v->id, 1);
    log_write(v->g->p.log, LOG_RATE_LIMITED, r->text, v->id, wait / NS_PER_MS);
}

static void
on_rate_limited(struct gateway_venue *v, const struct venue_report *r)
{
    /* From the venue's own clock where it says it: ours may have stepped since its offset was measured. */
    int64_t said_ns = r->venue_time_ns > 0 ? r->venue_time_ns : venue_now_ns(v, v->now);
    int64_t wait = r->retry_after_ns <= 0 ? INT64_MAX : r->retry_after_ns - said_ns;

    if (wait <= 0 || wait > INT64_C(7) * 24 * 3600 * NS_PER_S)
        wait = 60 * NS_PER_S; /* it wants quiet, whatever its time says */
    if (r->request == VENUE_RQ_NEW && v->counts_pairs && r->instrument < INSTRUMENT_MAX) {
        pair_limited(v, r, wait);
        return;
    }
    bool http = r->request != VENUE_RQ_NEW && venue_over_http(v, r->request);
    if (r->request != VENUE_RQ_NEW && !http) {
        venue_quiet(v, wait, r->text, v->now);
        return;
    }
    mono_ns_t until = mono_after(v->now.mono, wait);
    mono_ns_t *quiet = http ? &v->http_until : &v->orders_until;
    if (until.ns > quiet->ns) { /* one told before may come after */
        *quiet = until;
        if (http)
            quiet_note(v, r->text, v->now);
    }
    if (http && r->code != 0) /* whoever else asks in this account's name: the counter is full */
        budget_told(&v->http, VENUE_BUDGET_DECAY, 0, v->http.window[VENUE_BUDGET_DECAY].limit, 0,
                    venue_now_ns(v, v->now));
    if (!http)
        unsent_withdraw_all(v, "the venue told us to be quiet before it left", v->now);
    metric_add(v->g->p.metrics, METRIC_RATE_LIMITED, v->id, 1);
    log_write(v->g->p.log, LOG_RATE_LIMITED, r->text, v->id, wait / NS_PER_MS);
}

static void
on_budget(struct gateway_venue *v, const struct venue_report *r)
{
    if (v->counts_pairs && r->code == VENUE_BUDGET_DECAY) {
        if (r->instrument < INSTRUMENT_MAX)
            budget_counter_told(&v->g->pair[r->instrument].count, r->cum_qty, venue_now_ns(v, v->now));
        return;
    }
    if (r->code >= 0 && r->code < VENUE_BUDGET_COUNT)
        budget_told(&v->budget, (enum venue_budget)r->code, r->qty, r->cum_qty, r->retry_after_ns,
                    venue_now_ns(v, v->now));
}

/* One list may be older than the end that was told of the order; the next one is not. */
#define GHOST_LISTS 2u

static bool
listed_after_end(struct gateway_venue *v, uint32_t slot, const struct venue_report *r)
{
    struct order_aux *a = &v->g->aux[slot];

    if (likely(order_live(order_at(v->g->p.orders, slot))) || r->kind != VENUE_OPEN_ORDER)
        return false;
    a->ghosts = a->seen + 1 == v->generation || a->ghosts == 0 ? (uint8_t)MIN(a->ghosts + 1u, GHOST_LISTS) : 1;
    return a->ghosts >= GHOST_LISTS;
}

/* An order that was proven never to have worked, or to be over, works after all: it does not reopen, it is taken off
 * the venue. */
static void
cancel_ghost(struct gateway_venue *v, uint32_t slot, enum order_outcome out)
{
    const struct order *o = order_at(v->g->p.orders, slot);

    bool was_over = o->state == ORDER_NOT_PLACED || o->state == ORDER_REJECTED ||
                    (o->marks & ORDER_MARK_OPERATOR) != 0 || v->g->aux[slot].ghosts >= GHOST_LISTS;
    if (likely(out != ORDER_CONFLICT) || !was_over)
        return;
    v->foreign++;
    log_write(v->g->p.log, LOG_FOREIGN_ORDER, o->clordid, v->id, o->venue_order_id);
    venue_publish_state(v);
    if (unlikely(v->g->kill.on))
        kill_turned_up(v, "an order of ours that was over works", v->now);
    (void)order_cancel_now(v->g, slot, v->now);
}

/* The answer about an order that may have been this one under the venue's id: true when it is. Otherwise it is somebody
 * else's and the trades are looked at again. */
static bool
suspect_answered(struct gateway_venue *v, uint32_t slot, const struct venue_report *r)
{
    struct order_aux *a = &v->g->aux[slot];
    const struct order *o = order_at(v->g->p.orders, slot);
    uint64_t asked = a->suspect;

    a->suspect = 0;
    if (strcmp(r->text, o->clordid) == 0)
        return true;
    uint32_t own = strlen(r->text) < CLORDID_BYTES ? order_find(v->g->p.orders, r->text) : ORDER_NONE;
    if (own == ORDER_NONE) {
        suspect_clear(v, o->instrument, asked);
    } else { /* another one of ours: now it has its venue's id, and its trades are its own */
        struct order_event ev;
        event_of(v->g, order_at(v->g->p.orders, own), r, ORDER_EV_STATUS, &ev, v->now);
        ev.px = ev.qty = 0; /* its terms may have been amended since this was asked */
        (void)apply_event(v->g, own, &ev, JOURNAL_VENUE_REPORT, v->now);
    }
    if (ask_end(v, slot, ASK_QUERY)) {
        a->trades_next = true; /* the same ones again: this order's are counted by now, or left out */
        ask_enqueue(v, slot);
    }
    return false;
}

/* One order of the venue's list of open ones, or a query's answer. */
static void
on_status(struct gateway_venue *v, uint32_t slot, const struct venue_report *r)
{
    struct gateway *g = v->g;
    const struct order *o = order_at(g->p.orders, slot);
    struct order_aux *a = &g->aux[slot];
    struct order_event ev;
    bool query = r->kind == VENUE_STATUS && r->request != VENUE_RQ_COUNT; /* else the stream told it */
    bool late = query && !ask_answers(a, r);                              /* it was given up */

    if (query && !late && a->suspect != 0 && a->ask == ASK_QUERY && !suspect_answered(v, slot, r))
        return;
    /* Asked for by a venue id, and somebody else's: said once more, or too late. */
    if (late && r->tag >= SUSPECT_TAG)
        return;
    if (query && r->text[0] != '\0' && !order_by_venue_id(o) && strcmp(r->text, o->clordid) != 0)
        return;
    if (r->state == ORDER_FREE) { /* it is there; no more could be read */
        a->absent = 0;
        a->seen = v->generation;
        if (order_unknown(o))
            ask_soon(g, slot, ASK_SETTLE_NS, v->now);
        return;
    }
    a->absent = 0;
    event_of(g, o, r, ORDER_EV_STATUS, &ev, v->now);
    if (query && a->ask == ASK_QUERY && a->asked_venue_ns >= proof_venue_ns(v, o))
        ev.flags |= ORDER_EVENT_PROVEN;
    int64_t asked_mono_ns = query ? a->asked_mono_ns : v->listed_mono_ns;
    if (late || asked_mono_ns <= a->amended_mono_ns) {
        ev.px = ev.qty = 0;                       /* asked before the last amend was told: its terms may be older */
        ev.flags &= (uint8_t)~ORDER_EVENT_PROVEN; /* and prove nothing about an amend that is under way */
    } else if (ev.qty > 0 && r->request != VENUE_RQ_COUNT) {
        /* Price and total are of then, whatever time of the order the answer names. */
        a->terms_venue_ns = venue_at_ns(v, (mono_ns_t){ asked_mono_ns });
        ev.venue_time_ns = MAX(ev.venue_time_ns, a->terms_venue_ns);
    }
    enum order_outcome out = apply_event(g, slot, &ev, JOURNAL_VENUE_REPORT, v->now);
    if (v->reconciling || !v->reconciled)
        v->differences += out == ORDER_APPLIED || out == ORDER_HELD;
    if (r->state == ORDER_NEW || r->state == ORDER_PARTIALLY_FILLED)
        cancel_ghost(v, slot, listed_after_end(v, slot, r) ? ORDER_CONFLICT : out);
    if (r->state == ORDER_FILLED && order_live(o) && o->end_state == 0) /* but not to what */
        ask_soon(g, slot, ASK_SETTLE_NS, v->now);
    a->seen = v->generation;
    if (query && !late && ask_end(v, slot, ASK_QUERY))
        ask_next(v, slot, ASK_QUERY, false, v->now);
}

static void
on_order_event(struct gateway_venue *v, uint32_t slot, const struct venue_report *r, enum order_event_kind kind)
{
    struct gateway *g = v->g;
    const struct order *o = order_at(g->p.orders, slot);
    struct order_event ev;

    if (kind == ORDER_EV_AMENDED && r->venue_time_ns != 0 && r->venue_time_ns < g->aux[slot].terms_venue_ns)
        return; /* an answer that was asked for later has told newer terms */
    event_of(g, o, r, kind, &ev, v->now);
    if (kind == ORDER_EV_FILL) {
        if (trade_forgotten(v, o, r->trade_id)) {
            metric_add(g->p.metrics, METRIC_FILL_DUPLICATES, v->id, 1);
            return;
        }
        if (unlikely(trade_before_past(v, o))) {
            ask_soon(g, slot, ASK_SETTLE_NS, v->now);
            return;
        }
        ev.flags |= trade_counted(v, o, r) ? ORDER_EVENT_COUNTED : 0;
    }
    enum order_outcome out = apply_event(g, slot, &ev, JOURNAL_VENUE_REPORT, v->now);
    if (!v->reconciled)
        v->differences += out == ORDER_APPLIED || out == ORDER_LATE;
    if (kind == ORDER_EV_FILL && (out == ORDER_APPLIED || out == ORDER_LATE) && trade_was_lost(v, r)) {
        metric_add(g->p.metrics, METRIC_FILL_LOST, v->id, 1);
        metric_add(g->p.metrics, METRIC_RECONCILE_DIFFERENCES, v->id, 1);
        log_write(g->p.log, LOG_FILL_LOST, o->clordid, o->client, o->key, r->trade_id);
    }
    if (kind == ORDER_EV_ACK)
        cancel_ghost(v, slot, out);
    if (unlikely(g->kill.on) && kind == ORDER_EV_FILL && out == ORDER_LATE)
        kill_turned_up(v, "an order of ours that was over has traded", v->now);
    /* After a refusal the venue is asked first. */
    if (g->aux[slot].cancel_wanted && order_live(o) && o->request == REQUEST_NONE && o->end_state == 0 &&
        v->reconciled && kind != ORDER_EV_CANCEL_REJECTED && !order_cancel_now(g, slot, v->now))
        v->cancels_wait = true;
}

/* The venue did not answer, or refused, maybe for good. */
static void
ask_refused(struct gateway_venue *v, uint32_t slot, const struct venue_report *r)
{
    ask_failed(v, slot, r->definite != 0, v->now);
    if (v->g->aux[slot].refused >= ASK_REFUSALS)
        ask_stuck(v, slot, r->text, r->code);
}

/* A message that names no order and may have been about one. What the venue says with a code is an answer, and the
 * time-out of whatever it answers will ask; anything else may have been a fill, so everything is asked for. */
static void
on_unreadable(struct gateway_venue *v, const struct venue_report *r)
{
    struct gateway *g = v->g;

    v->order_decoded[DECODE_MALFORMED]++;
    log_write(g->p.log, LOG_DECODE_FAILED, r->text, v->id, DECODE_MALFORMED);
    if (r->code == 0)
        session_broken(v, ROLE_ORDER, "order entry is closed and reconciled: that message may have been a fill",
                       v->now);
}

/* A report of an order that is in no table: the account may be shared. The slot of an order that is taken over. */
static uint32_t
somebody_elses(struct gateway_venue *v, const struct venue_report *r)
{
    if (r->kind == VENUE_OPEN_ORDER)
        return foreign_order(v, r);
    if (r->clordid[0] != '\0') {
        struct clordid id;
        if (unlikely(v->g->kill.on) && (r->kind == VENUE_NEW_ACK || r->kind == VENUE_FILL) &&
            clordid_parse(r->clordid, v->g->cfg.instance, &id) == CLORDID_OURS)
            kill_turned_up(v, "an order in our name that we do not know works or has traded", v->now);
        if (!foreign_host(v, r->clordid))
            (void)twin_lives(v, r);
        suspect_clear(v, r->instrument, r->venue_order_id);
    }
    if (r->kind == VENUE_FILL)
        account_trade(v, r);
    return ORDER_NONE;
}

/* The end of a question about one order, but for what a query finds. */
static void
on_answer(struct gateway_venue *v, uint32_t slot, const struct venue_report *r)
{
    struct order_aux *a = &v->g->aux[slot];
    bool trades = r->kind == VENUE_TRADES_END || r->request == VENUE_RQ_TRADES;

    if (!ask_answers(a, r) || !ask_end(v, slot, trades ? ASK_TRADES : ASK_QUERY))
        return;
    if (r->kind == VENUE_TRADES_END)
        ask_trades_end(v, slot, r, v->now);
    else if (r->kind == VENUE_QUERY_FAILED)
        ask_refused(v, slot, r);
    else if (a->suspect != 0) /* it has traded, so it exists: this says nothing of whose it is */
        ask_pause(v, slot, v->now);
    else
        ask_next(v, slot, ASK_QUERY, true, v->now);
}

/* Reports about one order. */
static void
on_order_report(struct gateway_venue *v, const struct venue_report *r)
{
    static const uint8_t event[VENUE_REPORT_KIND_COUNT] = {
        [VENUE_NEW_ACK] = ORDER_EV_ACK + 1,     [VENUE_REJECTED] = ORDER_EV_REJECTED + 1,
        [VENUE_FILL] = ORDER_EV_FILL + 1,       [VENUE_CANCELED] = ORDER_EV_CANCELED + 1,
        [VENUE_EXPIRED] = ORDER_EV_EXPIRED + 1, [VENUE_CANCEL_REJECTED] = ORDER_EV_CANCEL_REJECTED + 1,
        [VENUE_UNKNOWN] = ORDER_EV_UNKNOWN + 1, [VENUE_AMENDED] = ORDER_EV_AMENDED + 1,
    };
    struct gateway *g = v->g;
    uint32_t slot = report_meant(v, r);

    if (r->kind == VENUE_FILL && r->request == VENUE_RQ_TRADES)
        page_trade(v, r, slot);
    if (slot == ORDER_NONE && r->clordid[0] == '\0' && r->request == VENUE_RQ_REPLACE) {
        v->target_report = *r; /* the report of the pair's new order comes next and names it */
        v->target_waits = true;
        return;
    }
    if (slot == ORDER_NONE) {
        slot = somebody_elses(v, r);
        if (slot == ORDER_NONE)
            return;
    }
    if (unlikely(report_of_another(v, order_at(g->p.orders, slot), r))) {
        log_write(g->p.log, LOG_WARNING, "a venue report names our order but another instrument or venue order id");
        if (order_live(order_at(g->p.orders, slot)))
            ask_soon(g, slot, ASK_SETTLE_NS, v->now);
        if (r->kind == VENUE_FILL && r->request == VENUE_RQ_TRADES)
            account_trade(v, r); /* whatever its name: the account has traded */
        return;
    }
    if (unlikely(r->renamed != 0) && report_renames(v, slot, r))
        return;
    if (v->target_waits && r->request == VENUE_RQ_REPLACE) {
        uint32_t target = order_at(g->p.orders, slot)->replaces;
        v->target_waits = false;
        if (target != ORDER_NONE && event[v->target_report.kind] != 0)
            on_order_event(v, target, &v->target_report, (enum order_event_kind)(event[v->target_report.kind] - 1));
    }
    switch ((enum venue_report_kind)r->kind) {
    case VENUE_STATUS:
    case VENUE_OPEN_ORDER: on_status(v, slot, r); break;
    case VENUE_NOT_FOUND:
    case VENUE_TRADES_END:
    case VENUE_QUERY_FAILED: on_answer(v, slot, r); break;
    case VENUE_CANCEL_REJECTED:
        on_order_event(v, slot, r, r->request == VENUE_RQ_AMEND ? ORDER_EV_AMEND_REJECTED : ORDER_EV_CANCEL_REJECTED);
        break;
    default:
        if (event[r->kind] != 0)
            on_order_event(v, slot, r, (enum order_event_kind)(event[r->kind] - 1));
        break;
    }
}

/* What the page of trades says of itself once a report of it was handled. */
static void
page_after(struct gateway_venue *v, const struct venue_report *r)
{
    if (r->kind == VENUE_FILL)
        page_settle(v, r);
    else if (r->kind == VENUE_TRADES_END || r->kind == VENUE_QUERY_FAILED)
        v->page = (struct trade_page){ 0 }; /* whoever asked, it is over */
}

/* One report of the adapter. */
void
venue_on_report(void *ctx, const struct venue_report *r)
{
    struct gateway_venue *v = (struct gateway_venue *)ctx;

    if (unlikely(v->g->kill.on) && r->kind == VENUE_OPEN_ORDER)
        kill_saw(v, r);
    if (unlikely(r->code != 0) && r->code == v->cfg->ops->code_late)
        clock_doubt(v, v->now);
    switch ((enum venue_report_kind)r->kind) {
    case VENUE_TIME: clock_told(v, r); break;
    case VENUE_LOGGED_ON:
        v->logged_on = true;
        venue_step_done(v, STEP_LOGON);
        break;
    case VENUE_LOGON_REFUSED:
        log_write(v->g->p.log, LOG_LOGON_REFUSED, r->text, v->id, r->code);
        session_broken(v, ROLE_ORDER, "the venue refused the logon", v->now);
        break;
    case VENUE_STREAM_UP:
        v->stream_up = true;
        venue_step_done(v, STEP_STREAM);
        break;
    case VENUE_STREAM_DOWN:
        session_broken(v, ROLE_ORDER, "the venue ended the report stream of this session", v->now);
        break;
    case VENUE_OPEN_ORDERS_END:
        if (v->auditing) {
            audit_listed(v);
            if (unlikely(v->g->kill.on))
                kill_listed(v, v->now);
        } else {
            venue_step_done(v, STEP_OPEN_ORDERS);
        }
        break;
    case VENUE_RATE_LIMITED: on_rate_limited(v, r); break;
    case VENUE_RATE_BUDGET: on_budget(v, r); break;
    case VENUE_UNKNOWN:
        if (r->clordid[0] == '\0')
            on_unreadable(v, r);
        else
            on_order_report(v, r);
        break;
    case VENUE_BALANCE: account_balance(v, r); break;
    case VENUE_BALANCES_END: account_balances_end(v); break;
    case VENUE_DEADMAN: deadman_on_report(v, r); break;
    case VENUE_REPORT_KIND_COUNT: break;
    default:
        if (r->kind == VENUE_QUERY_FAILED && r->request == VENUE_RQ_OPEN_ORDERS && v->auditing)
            audit_stop(v); /* the next one will do */
        else if (r->kind == VENUE_QUERY_FAILED && r->request == VENUE_RQ_OPEN_ORDERS)
            session_broken(v, ROLE_ORDER, "the venue could not list the open orders", v->now);
        else if (r->clordid[0] == '\0' && r->kind == VENUE_TRADES_END)
            account_trades_end(v, r);
        else if (r->kind == VENUE_QUERY_FAILED && (r->request == VENUE_RQ_BALANCES || r->clordid[0] == '\0'))
            account_failed(v, r);
        else
            on_order_report(v, r);
        if (r->request == VENUE_RQ_TRADES)
            page_after(v, r);
        break;
    }
}
