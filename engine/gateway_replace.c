/* Replaces: an order gets another price or total. Three ways, by what the venue can do:
 *
 *   amend     where ops->amends: one request, the order stays the same one. The total includes what is filled, so the
 *             venue itself keeps filled + working at or below it.
 *   together  cancel and new in one request (VENUE_RQ_REPLACE), both reserved until the old one is proven over. Only
 *             while nothing of the old one is filled, and the venue is asked to refuse when something was meanwhile:
 *             the new quantity is the whole total, so a fill of the old one would come on top.
 *   in turn   the cancel first; the new order is made when the old one is proven over with every trade counted, for
 *             what is left of the total then, and passes every check anew. For orders that are filled in part, and
 * where the limits have no room for both at once (a sale of all that is held).
 *
 * Always true: what is filled and what may work of an order and its replacements is at most the largest total asked
 * for that was not refused; a replace in turn that finds its order filled, still working, its time over, its client
 * gone or what it is to place canceled places nothing and says so. */
#include "engine/gateway_state.h"

/* ---- what clients are told of an amend ------------------------------------------------------------------------- */

/* A report under the key of an amend, as a venue that replaces would have led to: so clients need one rule for both. */
static void
report_as(struct gateway *g, const struct order *o, enum report_kind kind, uint64_t key, const char *text,
          struct now now)
{
    struct report r;

    memset(&r, 0, sizeof(r));
    order_report_fill(o, &r);
    r.kind = (uint8_t)kind;
    r.key = key;
    r.seq = g->p.journal->seq;
    r.report_mono_ns = now.mono.ns;
    (void)snprintf(r.text, sizeof(r.text), "%s", text);
    if (kind == REPORT_REJECTED || kind == REPORT_NOT_PLACED) {
        r.order_state = kind == REPORT_REJECTED ? ORDER_REJECTED : ORDER_NOT_PLACED;
        r.request_state = REQUEST_NONE;
        r.leaves_qty = 0;
    }
    metric_add(g->p.metrics, METRIC_REPORTS, kind, 1);
    (void)client_port_publish(g->p.clients, o->client, &r);
}

void
replace_report_sent(struct gateway *g, uint32_t slot, struct now now)
{
    const struct order_amend *a = order_amend_at(g->p.orders, slot);
    struct order as = *order_at(g->p.orders, slot);

    ASSERT(a != NULL);
    as.px = a->px;
    as.qty = a->qty;
    report_as(g, &as, REPORT_SENT, a->key, "", now);
}

void
replace_tell(struct gateway *g, uint32_t slot, const struct order_before *before, const struct order_event *ev,
             struct now now)
{
    const struct order *o = order_at(g->p.orders, slot);
    const struct order_amend *a = order_amend_at(g->p.orders, slot);
    bool settled = before->amending && !order_amending(o);

    if (likely(a == NULL))
        return;
    if (!settled && o->key != before->key) { /* given up when the order ended; a late trade proves it */
        report_as(g, o, REPORT_ORDER, o->key, "the amend was carried out before the order was over", now);
        return;
    }
    if (settled && o->key == a->key) {
        report_as(g, o, REPORT_REPLACED, before->key, ev->text, now);
        report_as(g, o, REPORT_NEW, o->key, ev->text, now);
        return;
    }
    if (settled && ev->kind == ORDER_EV_AMEND_REJECTED) {
        metric_add(g->p.metrics, METRIC_CANCEL_REJECTED, o->venue, 1);
        report_as(g, o, REPORT_CANCEL_REJECTED, o->key, ev->text, now);
        report_as(g, o, REPORT_REJECTED, a->key, ev->text, now);
        return;
    }
    if (settled)
        report_as(g, o, REPORT_NOT_PLACED, a->key, order_live(o) ? "the amend never arrived" : "the order is over",
                  now);
    if (order_live(o) && (o->px != before->px || o->qty != before->qty))
        report_as(g, o, REPORT_ORDER, o->key, "amended by somebody else", now);
}

/* ---- in place -------------------------------------------------------------------------------------------------- */

/* Accepted: journal, table, risk, wire, in this order. */
static void
amend(struct gateway *g, const struct client_command *c, struct order_intent *in, uint32_t slot, struct now now)
{
    struct gateway_venue *v = &g->venue[in->venue];
    struct order_delta d;
    struct venue_order vo;
    struct venue_request rq = { .kind = VENUE_RQ_AMEND, .order = &vo, .tag = c->cmd.key };

    in->flags = ORDER_INTENT_AMEND;
    in->qty = c->cmd.qty;
    memcpy(in->target_clordid, order_at(g->p.orders, slot)->clordid, CLORDID_BYTES);
    memcpy(in->clordid, in->target_clordid, CLORDID_BYTES);
    in->venue_deadline_ns = venue_now_ns(v, now) + v->cfg->recv_window_ns;
    ASSERT(order_intent_fault(g->p.orders, in) == NULL);
    uint64_t seq = gateway_journal(g, JOURNAL_INTENT, in, sizeof(*in), now);
    if (unlikely(seq == 0)) {
        order_deny(g, c, DENY_JOURNAL, now);
        return;
    }
    (void)order_table_intent(g->p.orders, in, &d);
    risk_apply(g->p.risk, &d);
    g->aux[slot].request_deadline = mono_after(now.mono, v->cfg->request_timeout_ns);
    aux_arm(g, slot);
    struct sent *s = &g->sent[g->sent_count++];
    *s = (struct sent){ .slot = slot, .seq = seq, .amend = true };
    memcpy(s->clordid, in->clordid, CLORDID_BYTES);
    if (!v->cfg->ops->needs_connection)
        replace_report_sent(g, slot, now); /* no wire: it is sent by being here */
    venue_order_fill(g, order_at(g->p.orders, slot), &vo);
    vo.px = c->cmd.px;
    vo.qty = c->cmd.qty;
    metric_add(g->p.metrics, METRIC_REPLACE_SENT, v->id, 1);
    if (unlikely(venue_ask(v, &rq, now) < VENUE_ASK_ANSWERED)) {
        g->sent_count--;
        order_said(g, slot, ORDER_EV_AMEND_REJECTED, c->cmd.key, "could not be encoded, nothing was sent", now);
    }
}

/* ---- in turn --------------------------------------------------------------------------------------------------- */

static struct turn *
turn_free(struct gateway *g)
{
    for (unsigned i = 0; i < TURNS_MAX; i++)
        if (!g->turn[i].used)
            return &g->turn[i];
    return NULL;
}

/* The cancel leaves, and takes the replace's key with it; the command waits. False: it cannot leave now. */
static bool
turn_start(struct gateway *g, const struct client_command *c, uint32_t slot, struct now now)
{
    struct turn *t = turn_free(g);
    const struct gateway_venue *v = &g->venue[order_at(g->p.orders, slot)->venue];

    if (t == NULL)
        return false;
    *t = (struct turn){ .c = *c, .target = slot, .until = mono_after(now.mono, 2 * v->cfg->request_timeout_ns) };
    memcpy(t->clordid, order_at(g->p.orders, slot)->clordid, CLORDID_BYTES);
    t->used = true;
    g->turns++;
    metric_add(g->p.metrics, METRIC_REPLACE_SENT, v->id, 1);
    if (order_cancel_by(g, slot, &c->cmd, now))
        return true;
    t->used = false;
    g->turns--;
    return false;
}

void
replace_follow(struct gateway *g, uint32_t slot)
{
    const struct order *o = order_at(g->p.orders, slot);

    for (unsigned i = 0; i < TURNS_MAX; i++) {
        struct turn *t = &g->turn[i];
        if (t->used && t->target == slot && memcmp(t->clordid, o->clordid, CLORDID_BYTES) == 0 && o->end_state == 0)
            t->due |= !order_live(o) || o->request == REQUEST_NONE;
    }
}

void
replace_session_end(struct gateway *g, uint32_t session)
{
    for (unsigned i = 0; i < TURNS_MAX; i++)
        if (g->turn[i].used && g->turn[i].c.slot == session)
            g->turn[i].gone = true;
}

bool
replace_drop(struct gateway *g, uint32_t client, uint32_t instrument, uint64_t key)
{
    bool any = false;

    for (unsigned i = 0; i < TURNS_MAX && g->turns > 0; i++) {
        struct turn *t = &g->turn[i];
        const struct command *cmd = &t->c.cmd;
        if (!t->used || (client != CLIENT_NONE && cmd->client != client) || (key != 0 && cmd->key != key) ||
            (instrument != INSTRUMENT_NONE && cmd->instrument != instrument))
            continue;
        t->dropped = any = true;
    }
    return any;
}

bool
replace_waits(const struct gateway *g, uint32_t client, uint64_t key)
{
    for (unsigned i = 0; i < TURNS_MAX; i++)
        if (g->turn[i].used && g->turn[i].c.cmd.client == client && g->turn[i].c.cmd.key == key)
            return true;
    return false;
}

/* Why the new order is not made; NONE with what is left of the total. */
static enum deny_reason
turn_outcome(const struct gateway *g, const struct turn *t, struct now now, qty_t *left)
{
    const struct order *o = order_at(g->p.orders, t->target);

    *left = 0;
    if (t->gone || t->dropped || memcmp(o->clordid, t->clordid, CLORDID_BYTES) != 0 || order_live(o))
        return DENY_NOT_POSSIBLE;
    if (o->state != ORDER_CANCELED && o->state != ORDER_EXPIRED)
        return DENY_ORDER_DONE;
    if ((o->marks & ORDER_MARK_OPERATOR) != 0)
        return DENY_NOT_POSSIBLE; /* what was filled of it is nobody's proof */
    *left = t->c.cmd.qty - o->cum_qty;
    if (*left <= 0)
        return DENY_ORDER_DONE;
    /* Its key was taken by the cancel; when more have come since than are kept, nothing tells that it may be used. */
    if (order_key_check(g->p.orders, t->c.cmd.client, t->c.cmd.key).kind != ORDER_KEY_REPEAT_ASKED)
        return DENY_DUPLICATE_KEY;
    return now.mono.ns > t->until.ns ? DENY_EXPIRED_COMMAND : DENY_NONE;
}

/* The old order's fate is known: the new one, or the word that there is none. */
static void
turn_end(struct gateway *g, struct turn *t, struct now now)
{
    struct client_command c = t->c;
    struct order_try try = { .c = &c, .how = TRY_AFTER_CANCEL, .silent = t->gone };

    order_risk_fill(g, &c.cmd, route_instrument(g->p.route, c.cmd.instrument, 0), &try.risk);
    try.found = turn_outcome(g, t, now, &try.risk.qty);
    memcpy(try.target_clordid, t->clordid, CLORDID_BYTES);
    t->used = false;
    g->turns--;
    order_try(g, &try, now);
}

void
replace_work(struct gateway *g, struct now now)
{
    for (unsigned i = 0; i < TURNS_MAX && g->turns > 0; i++)
        if (g->turn[i].used && g->turn[i].due)
            turn_end(g, &g->turn[i], now);
}

/* ---- the command ----------------------------------------------------------------------------------------------- */

/* The order that it means, with nothing else in flight; DENY_NONE, or why not. */
static enum deny_reason
target_of(const struct gateway *g, const struct command *cmd, uint32_t *slot)
{
    enum deny_reason why = order_find_target(g, cmd, slot);

    if (why != DENY_NONE)
        return why;
    const struct order *o = order_at(g->p.orders, *slot);
    if (!order_amendable(o) || o->instrument != cmd->instrument)
        return DENY_ORDER_DONE;
    return DENY_NONE;
}

static void
risk_order_of(const struct gateway *g, const struct client_command *c, const struct instrument *ins,
              const struct order *target, bool worse, struct risk_order *o)
{
    order_risk_fill(g, &c->cmd, ins, o);
    if (target == NULL)
        return;
    o->replace = true;
    o->amend = worse;
    o->replaced_side = target->side;
    o->replaced_px = target->px;
    o->replaced_leaves = order_leaves(target);
    o->qty = c->cmd.qty > target->cum_qty ? c->cmd.qty - target->cum_qty : 0; /* 0 fails the increment check */
}

/* It stays a child of the same parent, and need not say so. */
static bool
same_parent(const struct command *cmd, const struct order *target)
{
    return cmd->parent_key == 0 || (cmd->parent_key == target->parent_key && cmd->parent_qty == target->parent_qty);
}

void
order_replace(struct gateway *g, const struct client_command *given, struct now now)
{
    struct client_command c = *given;
    struct order_try try = { .c = &c };
    uint32_t slot = ORDER_NONE;
    struct risk_order both;
    struct risk_verdict verdict;

    try.found = target_of(g, &c.cmd, &slot);
    const struct order *target = try.found == DENY_NONE ? order_at(g->p.orders, slot) : NULL;
    const struct instrument *ins = route_instrument(g->p.route, c.cmd.instrument, 0);
    bool amends = target != NULL && g->venue[target->venue].cfg->ops->amends;
    bool together = false;

    if (target != NULL) {
        c.cmd.side = target->side; /* a replace changes price and quantity */
        c.cmd.account = target->account;
        if (!same_parent(&c.cmd, target))
            try.found = DENY_PARENT;
        if (order_type_foreign(target->type))
            try.found = DENY_INVALID_ORDER; /* it would become another kind of order */
        c.cmd.parent_key = target->parent_key;
        c.cmd.parent_qty = target->parent_qty;
    }
    if (amends) { /* in place the rest stays as it is; what it has not cannot be asked for */
        if ((c.cmd.flags & ~target->flags) != 0 || c.cmd.type != target->type)
            try.found = DENY_INVALID_ORDER;
        c.cmd.flags |= target->flags & COMMAND_FLAGS_ALL;
        c.cmd.tif = target->tif;
    } else if (target != NULL && target->cum_qty == 0 && !order_by_venue_id(target)) { /* both are named in one */
        risk_order_of(g, &c, ins, target, false, &both);
        together = risk_peek(g->p.risk, &both, order_md_ref(g, ins), now, &verdict) == DENY_NONE;
    }
    risk_order_of(g, &c, ins, target, !together, &try.risk);
    try.risk.in_turn = !amends && !together;
    try.how = amends ? TRY_AMEND : together ? TRY_TOGETHER : TRY_IN_TURN;
    try.target = slot;
    order_try(g, &try, now);
}

void
replace_carry_out(struct gateway *g, const struct order_try *try, struct order_intent *in, struct now now)
{
    if (try->how == TRY_AMEND)
        amend(g, try->c, in, try->target, now);
    else if (!turn_start(g, try->c, try->target, now))
        order_deny(g, try->c, DENY_CAPACITY, now);
}
