/* Order side of the gateway: from a client's command to the journal, the wire, the order table and risk; single
 * cancels. Sweeps, long answers and rehearsals have files of their own.
 *
 * Always true: nothing leaves for a venue before its intent is in the journal; a command ends with exactly one of a
 * report, a denial or (a flood) silence that is counted. */
#include "engine/gateway_state.h"

/* ---- denials ----------------------------------------------------------------------------------------------------- */

void
report_from_command(const struct command *c, struct report *r)
{
    *r = (struct report){
        .version = MESSAGE_VERSION,
        .client = c->client,
        .key = c->key,
        .request_key = c->client_seq,
        .account = c->account,
        .instrument = c->instrument,
        .instrument_version = c->instrument_version,
        .side = c->side,
        .type = c->type,
        .tif = c->tif,
        .order_flags = c->flags,
        .px = c->px,
        .qty = c->qty,
        .trade_id = -1,
        .submit_mono_ns = c->submit_mono_ns,
    };
}

void
answer_report(struct gateway *g, uint32_t slot, struct report *r, struct now now)
{
    r->report_mono_ns = now.mono.ns;
    metric_add(g->p.metrics, METRIC_REPORTS, r->kind, 1);
    (void)client_port_report(g->p.clients, slot, r);
}

static void
deny_report(struct gateway *g, const struct client_command *c, enum deny_reason why, uint64_t seq, struct now now)
{
    struct report r;

    report_from_command(&c->cmd, &r);
    r.kind = REPORT_DENIED;
    r.order_state = ORDER_DENIED;
    r.deny = (uint8_t)why;
    r.seq = seq;
    r.recv_mono_ns = now.mono.ns;
    (void)snprintf(r.text, sizeof(r.text), "%s", deny_reason_wire(why));
    if (c->cmd.verb == COMMAND_CANCEL) {
        r.key = c->cmd.target_key; /* the order that stands */
        r.order_state = ORDER_FREE;
    }
    answer_report(g, c->slot, &r, now);
}

/* The key stays as it was: the command may come again. */
static COLD void
deny_told(struct gateway *g, const struct client_command *c, enum deny_reason why, bool flood, struct now now)
{
    metric_add(g->p.metrics, METRIC_ORDER_DENIED, why, 1);
    if (flood)
        return; /* a flood of denied commands goes unanswered */
    log_write(g->p.log, LOG_ORDER_DENIED, deny_reason_wire(why), c->cmd.client, c->cmd.key);
    deny_report(g, c, why, 0, now);
}

void
order_deny(struct gateway *g, const struct client_command *c, enum deny_reason why, struct now now)
{
    deny_told(g, c, why, risk_denied(g->p.risk, c->cmd.client, now), now);
}

/* ---- new orders and replaces ------------------------------------------------------------------------------------- */

/* 0 = the account that the instrument's venue trades for; any other must be it: risk. */
static inline uint32_t
account_meant(const struct gateway *g, const struct command *c, const struct instrument *ins)
{
    return likely(ins != NULL) && c->account == 0 ? g->venue[ins->venue].cfg->account : c->account;
}

void
order_risk_fill(const struct gateway *g, const struct command *c, const struct instrument *ins, struct risk_order *o)
{
    *o = (struct risk_order){
        .client = c->client,
        .account = account_meant(g, c, ins),
        .instrument = c->instrument,
        .instrument_version = c->instrument_version,
        .ins = ins,
        .side = c->side,
        .type = c->type,
        .tif = c->tif,
        .flags = c->flags,
        .position_side = c->position_side,
        .margin_mode = c->margin_mode,
        .px = c->px,
        .qty = c->qty,
        .trigger_px = c->trigger_px,
        .quote_qty = c->quote_qty,
        .deadline_wall_ns = c->deadline_wall_ns,
        .expire_wall_ns = c->expire_wall_ns,
        .parent_key = c->parent_key,
        .parent_qty = c->parent_key != 0 ? c->parent_qty : 0,
    };
}

enum deny_reason
order_find_target(const struct gateway *g, const struct command *c, uint32_t *slot)
{
    *slot = order_find_key(g->p.orders, c->verb == COMMAND_CANCEL ? c->target_client : c->client, c->target_key);
    if (*slot == ORDER_NONE)
        return DENY_UNKNOWN_ORDER;
    const struct order *o = order_at(g->p.orders, *slot);
    if (!order_live(o) || o->end_state != 0)
        return DENY_ORDER_DONE;
    return DENY_NONE;
}

const struct md_ref *
order_md_ref(const struct gateway *g, const struct instrument *ins)
{
    return ins != NULL ? feed_md_ref(g->p.feed[ins->venue], ins->id) : NULL;
}

void
venue_order_fill(const struct gateway *g, const struct order *o, struct venue_order *out)
{
    *out = (struct venue_order){
        .instrument = route_instrument(g->p.route, o->instrument, 0),
        .venue_order_id = o->venue_order_id,
        .side = o->side,
        .type = o->type,
        .tif = o->tif,
        .flags = o->flags,
        .px = o->px,
        .qty = o->qty,
        .trigger_px = o->trigger_px,
    };
    if (unlikely(order_by_venue_id(o)))
        out->flags |= COMMAND_ADOPTED;
    memcpy(out->clordid, o->clordid, CLORDID_BYTES);
}

/* The order as its intent has it: what order_table_intent() makes of it. */
static void
venue_order_intended(const struct gateway *g, const struct order_intent *in, struct venue_order *out)
{
    const struct command *c = &in->command;

    *out = (struct venue_order){
        .instrument = route_instrument(g->p.route, c->instrument, 0),
        .side = c->side,
        .type = c->type,
        .tif = c->tif,
        .flags = c->flags,
        .px = c->type == ORDER_MARKET ? in->value : c->px,
        .qty = in->qty,
        .trigger_px = c->trigger_px,
    };
    memcpy(out->clordid, in->clordid, CLORDID_BYTES);
}

/* The order is in the journal; its bytes go out. False: it could not be encoded, nothing left. */
static bool
send_new(struct gateway_venue *v, const struct order_intent *in, uint32_t target_slot, struct now now)
{
    struct gateway *g = v->g;
    struct venue_order order;
    struct venue_order target;
    struct venue_request rq = { .kind = VENUE_RQ_NEW, .order = &order };

    venue_order_intended(g, in, &order);
    if (target_slot != ORDER_NONE) {
        venue_order_fill(g, order_at(g->p.orders, target_slot), &target);
        rq.kind = VENUE_RQ_REPLACE;
        rq.target = &target;
        metric_add(g->p.metrics, METRIC_REPLACE_SENT, v->id, 1);
    }
    v->now = now;
    int n = v->cfg->ops->submit(v->cfg->adapter, &rq, now, venue_offset_ns(v, now), g->scratch + WS_HEADER_ROOM,
                                GATEWAY_ORDER_ROOM, &v->sink);
    if (unlikely(n < 0))
        return false;
    if (n == 0)
        return true;
    bool sent = venue_send(v, rq.kind, (size_t)n);
    if (likely(sent))
        pair_spend(v, &rq);
    return sent;
}

/* Nothing left: the order has an end, and so has the request to its target. */
static COLD void
place_failed(struct gateway *g, uint32_t slot, const struct order_intent *in, uint32_t target_slot, struct now now)
{
    struct order_event ev = { .kind = ORDER_EV_NOT_PLACED, .trade_id = -1, .mono_ns = now.mono.ns };

    memcpy(ev.clordid, in->clordid, CLORDID_BYTES);
    (void)snprintf(ev.text, sizeof(ev.text), "could not be encoded, nothing was sent");
    g->sent_count--;
    (void)apply_event(g, slot, &ev, JOURNAL_VENUE_REPORT, now);
    if (target_slot != ORDER_NONE) {
        ev.kind = ORDER_EV_CANCEL_REJECTED;
        memcpy(ev.clordid, in->target_clordid, CLORDID_BYTES);
        (void)apply_event(g, target_slot, &ev, JOURNAL_VENUE_REPORT, now);
    }
}

/* What is committed leaves now, unless it waits for the disk or more comes with it. */
static void
flush_last(struct gateway *g)
{
    if (likely(g->p.port.flush != NULL && !g->cfg.durable_first) && !gateway_look_ahead(g))
        g->p.port.flush(g->p.port.ctx);
}

/* Accepted: journal, wire, table, risk, in this order. What a connection takes is with the kernel before table and risk
 * are told, unless another command waits: nobody looks at them before this returns, and a process that dies between
 * has the journal. A venue without a connection answers within the call, so there the table comes first. */
static void
place(struct gateway *g, const struct order_try *try, const struct risk_verdict *passed, struct order_intent *in,
      struct now now)
{
    uint32_t target_slot = try->how == TRY_TOGETHER ? try->target : ORDER_NONE;
    struct gateway_venue *v = &g->venue[in->venue];
    bool wire = v->cfg->ops->needs_connection;
    bool sent = true;
    struct order_delta d;

    (void)clordid_mint_next(&g->mint, in->clordid);
    if (target_slot != ORDER_NONE)
        memcpy(in->target_clordid, order_at(g->p.orders, target_slot)->clordid, CLORDID_BYTES);
    in->venue_deadline_ns = venue_now_ns(v, now) + v->cfg->recv_window_ns;
    uint64_t seq = gateway_journal(g, JOURNAL_INTENT, in, sizeof(*in), now);
    if (unlikely(seq == 0)) {
        order_deny(g, try->c, DENY_JOURNAL, now);
        return;
    }
    if (likely(wire)) {
        sent = send_new(v, in, target_slot, now);
        order_table_prefetch(g->p.orders, in->command.client, in->command.key, g->mint.term, g->mint.seq);
        if (likely(g->polling))
            flush_last(g);
    }
    uint32_t slot = order_table_intent(g->p.orders, in, &d);
    ASSERT(slot != ORDER_NONE);
    if (likely(try->how != TRY_AFTER_CANCEL)) /* its replace has paid */
        risk_spend(g->p.risk, &try->risk, passed, now);
    risk_apply(g->p.risk, &d);
    g->last_slot = slot;
    aux_reset(g, slot);
    g->aux[slot].request_deadline = mono_after(now.mono, v->cfg->request_timeout_ns);
    if (target_slot != ORDER_NONE) {
        g->aux[target_slot].request_deadline = g->aux[slot].request_deadline;
        aux_arm(g, target_slot);
    }
    struct sent *s = &g->sent[g->sent_count++];
    s->slot = slot;
    s->amend = false;
    s->seq = seq;
    memcpy(s->clordid, in->clordid, CLORDID_BYTES);
    if (!wire) { /* it is sent by being here, and its reports come in the call */
        order_stamp_wire(g->p.orders, slot, now.mono);
        report_order(g, order_at(g->p.orders, slot), REPORT_SENT, 0, now);
    }
    aux_arm(g, slot);
    if (unlikely(!wire))
        sent = send_new(v, in, target_slot, now);
    if (unlikely(!sent))
        place_failed(g, slot, in, target_slot, now);
}

/* What became of an amend, a cancel, or a replace in turn whose new order does not exist. */
static COLD void
answer_asked(struct gateway *g, const struct client_command *c, const struct order_key_result *k, struct now now)
{
    struct report r;
    bool never = k->asked.state == ORDER_REJECTED || k->asked.state == ORDER_NOT_PLACED;

    if (k->asked.kind == KEY_REPLACE && !replace_waits(g, c->cmd.client, k->asked.key))
        never = true;
    if (k->slot == ORDER_NONE && !never) {
        deny_report(g, c, DENY_DUPLICATE_KEY, 0, now); /* the order is forgotten */
        return;
    }
    report_from_command(&c->cmd, &r);
    if (k->slot != ORDER_NONE)
        order_report_fill(order_at(g->p.orders, k->slot), &r);
    r.kind = REPORT_ORDER;
    if (never) {
        bool refused = k->asked.state == ORDER_REJECTED;
        r.kind = refused ? REPORT_REJECTED : REPORT_NOT_PLACED;
        r.key = k->asked.key;
        r.order_state = refused ? ORDER_REJECTED : ORDER_NOT_PLACED;
        r.request_state = REQUEST_NONE;
        r.leaves_qty = 0;
    }
    r.request_key = c->cmd.client_seq;
    answer_report(g, c->slot, &r, now);
}

/* Denied: journaled, so that a repeat is answered the same. */
static COLD void
try_denied(struct gateway *g, const struct order_try *try, struct order_intent *in, enum deny_reason why, bool flood,
           struct now now)
{
    const struct command *cmd = &try->c->cmd;

    metric_add(g->p.metrics, METRIC_ORDER_DENIED, why, 1);
    if (flood)
        return;
    in->deny = (uint8_t)why;
    log_write(g->p.log, LOG_ORDER_DENIED, deny_reason_wire(why), cmd->client, cmd->key);
    /* With no segment to come, what is left of this one is for cancels and reports. */
    uint64_t seq = likely(gateway_journal_open(g, now)) ? gateway_journal(g, JOURNAL_INTENT, in, sizeof(*in), now) : 0;
    if (seq != 0) {
        struct order_delta d;
        (void)order_table_intent(g->p.orders, in, &d);
    }
    if (!try->silent)
        deny_report(g, try->c, why, seq, now);
}

/* Used and forgotten, or 0. What it was used for may have been accepted: no other word than this may be said of it,
 * whatever else speaks against the command. */
static COLD void
answer_stale(struct gateway *g, const struct client_command *c, struct now now)
{
    const struct instrument *ins = route_instrument(g->p.route, c->cmd.instrument, 0);
    struct order_intent in = {
        .command = c->cmd,
        .venue = ins != NULL ? ins->venue : 0,
        .qty = c->cmd.qty,
        .recv_mono_ns = now.mono.ns,
    };
    struct order_try try = { .c = c };

    try_denied(g, &try, &in, DENY_DUPLICATE_KEY, risk_denied(g->p.risk, c->cmd.client, now), now);
}

/* A repeat of a key is answered with what became of it, and sends nothing. */
static COLD void
answer_repeat(struct gateway *g, const struct client_command *c, const struct order_key_result *k, struct now now)
{
    struct report r;

    switch (k->kind) {
    case ORDER_KEY_REPEAT:
        memset(&r, 0, sizeof(r));
        order_report_fill(order_at(g->p.orders, k->slot), &r);
        r.kind = REPORT_ORDER;
        r.request_key = c->cmd.client_seq;
        answer_report(g, c->slot, &r, now);
        break;
    case ORDER_KEY_REPEAT_DENIED: deny_report(g, c, k->deny, 0, now); break;
    case ORDER_KEY_REPEAT_ASKED: answer_asked(g, c, k, now); break;
    case ORDER_KEY_STALE: answer_stale(g, c, now); break;
    case ORDER_KEY_NEW: break;
    }
}

static const enum venue_request_kind request_of[] = {
    [TRY_NEW] = VENUE_RQ_NEW,     [TRY_AFTER_CANCEL] = VENUE_RQ_NEW, [TRY_TOGETHER] = VENUE_RQ_REPLACE,
    [TRY_AMEND] = VENUE_RQ_AMEND, [TRY_IN_TURN] = VENUE_RQ_NEW, /* what it leads to */
};

/* What the gateway itself can find missing: risk says it after its own checks, and counts nothing then. */
static inline enum deny_reason
room_for(struct gateway *g, const struct gateway_venue *v, uint32_t instrument, enum try_how how, struct now now)
{
    if (unlikely(v->positions_unknown != 0) && g->first[instrument].unknown)
        return DENY_RECONCILING;
    if (unlikely(!gateway_journal_open(g, now)))
        return DENY_JOURNAL;
    if (unlikely((how <= TRY_TOGETHER && !order_table_room(g->p.orders)) || g->sent_count >= g->sent_max))
        return DENY_CAPACITY;
    if (unlikely(now.mono.ns < v->blocked_until.ns || now.mono.ns < v->orders_until.ns || v->cancels_wait ||
                 v->cancels_leave))
        return DENY_ORDER_RATE; /* cancels that wait go first */
    if (unlikely(!venue_affords(v, request_of[how], now)))
        return DENY_ORDER_RATE;
    if (unlikely(v->counts_pairs) && !pair_ready(g, v, instrument, request_of[how], now))
        return DENY_ORDER_RATE;
    if (v->cfg->ops->needs_connection &&
        unlikely(g->p.port.send_reserve(g->p.port.ctx, GATEWAY_CONN(v->id, ROLE_ORDER), GATEWAY_ORDER_ROOM) == NULL))
        return DENY_CAPACITY;
    return DENY_NONE;
}

enum deny_reason
order_room(struct gateway *g, const struct instrument *ins, struct now now)
{
    return room_for(g, &g->venue[ins->venue], ins->id, TRY_NEW, now);
}

struct client_hint
order_hint(const struct command *c)
{
    return (struct client_hint){ .client = c->client,
                                 .account = c->account,
                                 .instrument = c->instrument,
                                 .verb = c->verb,
                                 .side = c->side,
                                 .px = c->px,
                                 .qty = c->qty };
}

/* What an order will touch, asked for at once: one wait for memory instead of one after the other. Nothing is read but
 * small tables by instrument, which stay near: a read that misses would be waited for by the next clock. */
void
order_prefetch(const struct gateway *g, const struct client_hint *h)
{
    const struct repeat_content content = { .client = h->client,
                                            .account = h->account,
                                            .instrument = h->instrument,
                                            .side = h->side,
                                            .px = h->px,
                                            .qty = h->qty };

    route_prefetch(g->p.route, h->instrument);
    for (uint16_t v = 0; v < g->cfg.venue_count; v++) {
        const struct md_ref *md = feed_md_ref(g->p.feed[v], h->instrument);
        if (md == NULL)
            continue; /* not this venue's */
        for (size_t i = 0; i < sizeof(*md); i += CACHE_LINE)
            __builtin_prefetch((const uint8_t *)md + i);
        const struct gateway_venue_config *cfg = g->venue[v].cfg;
        if (cfg->ops->prefetch != NULL)
            cfg->ops->prefetch(cfg->adapter, h->instrument, (enum side)h->side);
    }
    risk_prefetch(g->p.risk, &content);
    journal_prefetch(g->p.journal, sizeof(struct order_intent));
}

bool
gateway_look_ahead(struct gateway *g)
{
    struct client_hint h;

    if (likely(!client_port_ahead(g->p.clients, &h)))
        return false;
    if (h.verb == COMMAND_NEW || h.verb == COMMAND_REPLACE)
        order_prefetch(g, &h);
    return true;
}

/* Hot. The checks, then the order; try->risk is filled but for `found`. */
static inline void
try_order(struct gateway *g, struct order_try *try, const struct instrument *ins, struct now now)
{
    struct risk_verdict verdict = { 0 };

    try->risk.found = (uint8_t)try->found;
    if (unlikely(try->risk.type == ORDER_MARKET) && ins != NULL)
        guard_sweep(g, ins, &try->risk);
    const struct md_ref *md = order_md_ref(g, ins);
    if (likely(ins != NULL))
        try->risk.room = (uint8_t)room_for(g, &g->venue[ins->venue], ins->id, try->how, now);
    mono_ns_t before = g->p.port.stamp(g->p.port.ctx);
    enum deny_reason why = likely(try->how != TRY_AFTER_CANCEL) ? risk_judge(g->p.risk, &try->risk, md, now, &verdict)
                           : try->found != DENY_NONE            ? try->found
                                                     : risk_judge_rest(g->p.risk, &try->risk, md, now, &verdict);
    mono_ns_t after = g->p.port.stamp(g->p.port.ctx);
    metric_observe_ns(g->p.metrics, METRIC_RISK_CHECK, 0, mono_since(after, before));

    struct order_intent in = {
        .command = try->c->cmd,
        .venue = ins != NULL ? ins->venue : 0,
        .flags = try->how == TRY_AFTER_CANCEL ? ORDER_INTENT_AFTER_CANCEL : 0,
        .limits_version = verdict.limits_version,
        .qty = try->risk.qty,
        .value = verdict.value,
        .limit = verdict.limit,
        .recv_mono_ns = now.mono.ns,
        .risk_mono_ns = after.ns,
    };
    in.command.account = try->risk.account;
    if (unlikely(try->how == TRY_AFTER_CANCEL))
        memcpy(in.target_clordid, try->target_clordid, CLORDID_BYTES);
    bool cleared = true;
    if (unlikely(verdict.cancel_resting))
        cleared = guard_clear_way(g, try->risk.instrument, (enum side)try->risk.side, verdict.px, now);
    if (unlikely(try->risk.type == ORDER_MARKET))
        in.value = verdict.px;
    if (unlikely(why != DENY_NONE)) {
        if (verdict.no_room && try->how != TRY_AFTER_CANCEL)
            deny_told(g, try->c, why, verdict.flood, now);
        else
            try_denied(g, try, &in, why, verdict.flood && try->how != TRY_AFTER_CANCEL, now);
        return;
    }
    if (unlikely(!cleared)) {
        if (try->how == TRY_AFTER_CANCEL)
            try_denied(g, try, &in, DENY_SELF_MATCH, false, now);
        else
            order_deny(g, try->c, DENY_SELF_MATCH, now);
        return;
    }
    if (likely(try->how <= TRY_TOGETHER)) {
        place(g, try, &verdict, &in, now);
        return;
    }
    risk_spend(g->p.risk, &try->risk, &verdict, now);
    replace_carry_out(g, try, &in, now);
}

void
order_try(struct gateway *g, struct order_try *try, struct now now)
{
    try_order(g, try, route_instrument(g->p.route, try->c->cmd.instrument, 0), now);
}

/* Hot: NEW and REPLACE. */
static void
command_order(struct gateway *g, const struct client_command *c, struct now now)
{
    const struct command *cmd = &c->cmd;
    struct order_key_result key = order_key_check(g->p.orders, cmd->client, cmd->key);

    if (unlikely(key.kind != ORDER_KEY_NEW)) {
        answer_repeat(g, c, &key, now);
        return;
    }
    if (unlikely(cmd->verb == COMMAND_REPLACE)) {
        order_replace(g, c, now);
        return;
    }
    struct order_try try = { .c = c, .how = TRY_NEW };
    const struct instrument *ins = route_instrument(g->p.route, cmd->instrument, 0);
    order_risk_fill(g, cmd, ins, &try.risk);
    try_order(g, &try, ins, now);
}

void
order_place(struct gateway *g, const struct client_command *c, struct now now)
{
    command_order(g, c, now);
}

/* ---- cancels ----------------------------------------------------------------------------------------------------- */

void
order_cancel_asked(struct gateway *g, uint32_t slot, const struct command *by, struct now now)
{
    const struct order *o = order_at(g->p.orders, slot);
    const struct gateway_venue *v = &g->venue[o->venue];
    struct order_event ev = {
        .kind = ORDER_EV_CANCEL_SENT,
        .trade_id = -1,
        .mono_ns = now.mono.ns,
        .deadline_ns = venue_now_ns(v, now) + v->cfg->recv_window_ns,
    };

    memcpy(ev.clordid, o->clordid, CLORDID_BYTES);
    if (by != NULL) {
        ev.request_key = by->client_seq;
        ev.request_client = by->client;
        ev.request_id = by->key > order_last_key(g->p.orders, by->client) ? by->key : 0;
        ev.flags = by->verb == COMMAND_REPLACE ? ORDER_EVENT_REPLACE : 0;
        if (by->client != o->client)
            g->aux[slot].asked_by1 = (uint8_t)(by->client + 1);
    }
    (void)apply_event(g, slot, &ev, JOURNAL_REQUEST, now); /* a cancel passes even when the journal is full */
}

/* The cancel of one live order, journaled and sent; an order that has not left yet is taken back instead. False: it
 * cannot leave now (no session, no room), nothing changed. */
bool
order_cancel_by(struct gateway *g, uint32_t slot, const struct command *by, struct now now)
{
    const struct order *o = order_at(g->p.orders, slot);
    struct gateway_venue *v = &g->venue[o->venue];
    struct venue_order vo;
    struct venue_request rq = { .kind = VENUE_RQ_CANCEL, .order = &vo };

    if (g->cfg.durable_first && unsent_withdraw(g, slot, by, "canceled before it left", now))
        return true;
    if (!venue_can_cancel(v, now))
        return false;
    if (v->cfg->ops->needs_connection &&
        g->p.port.send_reserve(g->p.port.ctx, GATEWAY_CONN(v->id, ROLE_ORDER), GATEWAY_ORDER_ROOM) == NULL)
        return false;
    venue_order_fill(g, o, &vo);
    order_cancel_asked(g, slot, by, now);
    g->aux[slot].request_deadline = mono_after(now.mono, v->cfg->request_timeout_ns);
    aux_arm(g, slot);
    if (venue_ask(v, &rq, now) < VENUE_ASK_ANSWERED) {
        order_said(g, slot, ORDER_EV_UNKNOWN, 0, "the cancel could not be encoded", now);
        ask_soon(g, slot, 0, now);
        return true;
    }
    metric_add(g->p.metrics, METRIC_CANCEL_SENT, v->id, 1);
    return true;
}

bool
order_cancel_now(struct gateway *g, uint32_t slot, struct now now)
{
    return order_cancel_by(g, slot, NULL, now);
}

void
order_cancel_later(struct gateway *g, uint32_t slot)
{
    g->aux[slot].cancel_wanted = true;
    g->venue[order_at(g->p.orders, slot)->venue].cancels_wait = true;
}

/* A repeat of a cancel's key that has nothing more to do is answered with the order; one that has is sent again. */
static bool
cancel_repeats(struct gateway *g, const struct client_command *c, enum deny_reason why, uint32_t slot, struct now now)
{
    struct order_key_result key = order_key_check(g->p.orders, c->cmd.client, c->cmd.key);

    if (key.kind != ORDER_KEY_REPEAT_ASKED || key.asked.kind != KEY_CANCEL)
        return false;
    if (why == DENY_NONE && !cancel_under_way(order_at(g->p.orders, slot)))
        return false;
    answer_asked(g, c, &key, now);
    return true;
}

static void
command_cancel(struct gateway *g, const struct client_command *c, struct now now)
{
    uint32_t slot;
    struct risk_verdict verdict;
    enum deny_reason why = order_find_target(g, &c->cmd, &slot);

    if (c->cmd.key != 0 && cancel_repeats(g, c, why, slot, now))
        return;
    if (unlikely(why == DENY_UNKNOWN_ORDER && g->turns > 0) &&
        replace_drop(g, c->cmd.target_client, INSTRUMENT_NONE, c->cmd.target_key))
        why = DENY_ORDER_DONE; /* it is not made yet, and will not be: its own key says so */
    if (why == DENY_NONE && cancel_under_way(order_at(g->p.orders, slot)))
        why = DENY_ORDER_DONE;
    if (why == DENY_NONE && c->role != ROLE_OPERATOR) {
        why = risk_check_cancel(g->p.risk, c->cmd.client, now, &verdict);
        if (why != DENY_NONE)
            order_cancel_later(g, slot); /* not at the client's pace, but it goes out: a cancel is never forgotten */
    }
    if (why == DENY_NONE) {
        const struct gateway_venue *v = &g->venue[order_at(g->p.orders, slot)->venue];
        if (!venue_can_cancel(v, now)) {
            /* It goes out as soon as that is possible again; the client is told that it has not yet. */
            order_cancel_later(g, slot);
            why = v->logged_on && venue_connected(v) ? DENY_CANCEL_RATE : DENY_VENUE_DOWN;
        } else if (!order_cancel_by(g, slot, &c->cmd, now)) {
            why = DENY_CAPACITY;
        }
    }
    if (why != DENY_NONE)
        order_deny(g, c, why, now);
}

bool
order_work(struct gateway *g, struct now now)
{
    bool more = false;

    if (unlikely(g->turns > 0))
        replace_work(g, now);
    if (unlikely(g->sweep_all) && order_sweep_start(g, CLIENT_NONE, INSTRUMENT_NONE, -1, 0))
        g->sweep_all = false;
    if (unlikely(g->gone != 0)) {
        uint32_t client = (uint32_t)__builtin_ctzll(g->gone);
        if (order_sweep_start(g, client, INSTRUMENT_NONE, -1, 0))
            g->gone &= g->gone - 1;
    }
    for (unsigned i = 0; i < SWEEPS_MAX; i++)
        if (g->sweep[i].used)
            more |= order_sweep_work(g, &g->sweep[i], now);
    for (uint64_t set = client_port_attached(g->p.clients); set != 0; set &= set - 1) {
        uint32_t session = (uint32_t)__builtin_ctzll(set);
        if (g->answer[session].verb != COMMAND_NONE)
            more |= answer_work(g, session, now);
    }
    return more;
}

/* ---- every command ----------------------------------------------------------------------------------------------- */

/* Called by client_port_poll, once per command. */
void
order_command(void *ctx, const struct client_command *c)
{
    struct gateway *g = (struct gateway *)ctx;
    struct now now = g->venue[0].now;

    metric_add(g->p.metrics, METRIC_COMMANDS, c->cmd.verb, 1);
    g->life[c->cmd.client].heard = now.mono;
    if (unlikely(c->deny != DENY_NONE)) {
        order_deny(g, c, (enum deny_reason)c->deny, now);
        return;
    }
    switch ((enum command_verb)c->cmd.verb) {
    case COMMAND_NEW:
    case COMMAND_REPLACE:
        if (unlikely(!c->looked_at)) {
            struct client_hint h = order_hint(&c->cmd);
            order_prefetch(g, &h);
        }
        g->polling = true;
        command_order(g, c, now);
        g->polling = false;
        break;
    case COMMAND_CANCEL: command_cancel(g, c, now); break;
    case COMMAND_CANCEL_ALL:
        if (!order_sweep_allowed(g, c->slot) ||
            !order_sweep_start(g, c->role == ROLE_OPERATOR ? CLIENT_NONE : c->cmd.client, c->cmd.instrument,
                               (int32_t)c->slot, c->cmd.client_seq))
            order_deny(g, c, DENY_CAPACITY, now);
        break;
    case COMMAND_QUERY_ORDERS:
    case COMMAND_QUERY_POSITIONS:
    case COMMAND_LIMITS:
    case COMMAND_PNL: answer_begin(g, c, now); break;
    case COMMAND_HEARTBEAT:
    case COMMAND_NONE:
    case COMMAND_VERB_COUNT: break;
    default: control_command(g, c, now); break;
    }
}
