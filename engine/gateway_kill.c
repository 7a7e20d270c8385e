/* The kill switch: one flag that every new order meets first, latched in the journal; then, venue by venue, the proof
 * that nothing of ours is open there.
 *
 * Each venue goes its own way: cancels of what is open, as often as it takes; when everything of ours there is proven
 * over, its list of open orders is asked for; a list without an order of ours that was asked for after that is the
 * proof. A venue that hangs or is gone delays nobody else, and is asked again until it answers.
 *
 * Always true: PROVEN is said of a venue only on its own word, given after the last of our orders there was over; an
 * order of ours that turns up later takes the proof back. */
#include "engine/gateway_state.h"

#define KILL_RETRY_NS     NS_PER_S
#define KILL_RETRY_MAX_NS (8 * NS_PER_S)
#define KILL_LIST_MAX_NS  (5 * NS_PER_S) /* no list in this time: ask again */
#define KILL_SILENT_NS    (2 * NS_PER_S) /* no byte of an answer in this time */

/* ---- lines of the proof ------------------------------------------------------------------------------------------ */

static void
note(struct gateway *g, struct kill_note *n, struct now now)
{
    n->wall_ns = now.wall.ns;
    if (g->p.port.kill_note != NULL)
        g->p.port.kill_note(g->p.port.ctx, n);
}

static void
note_order(struct gateway *g, enum kill_note_kind kind, const struct order *o, uint64_t seq, const char *text,
           struct now now)
{
    const struct instrument *ins = route_instrument(g->p.route, o->instrument, 0);
    struct kill_note n = {
        .kind = (uint8_t)kind,
        .order_state = o->state,
        .request_state = o->request,
        .venue = o->venue,
        .client = o->client,
        .key = o->key,
        .seq = seq,
        .qty = o->qty,
        .cum_qty = o->cum_qty,
        .venue_order_id = o->venue_order_id,
    };

    memcpy(n.clordid, o->clordid, CLORDID_BYTES);
    if (ins != NULL)
        memcpy(n.symbol, ins->symbol, SYMBOL_BYTES);
    (void)snprintf(n.text, sizeof(n.text), "%s", text);
    note(g, &n, now);
}

/* ---- who is told of a venue's state ------------------------------------------------------------------------------ */

static void
kill_report(const struct gateway *g, uint16_t venue, struct report *r)
{
    const struct kill_venue *k = &g->kill.venue[venue];

    *r = (struct report){
        .kind = REPORT_KILL,
        .venue = venue,
        .instrument = INSTRUMENT_NONE,
        .client = CLIENT_NONE,
        .order_state = g->kill.on ? k->proof : KILL_NOT_ASKED,
        .qty = k->live + k->blocking,
        .cum_qty = g->kill.orders,
        .leaves_qty = k->foreign,
        .trade_id = -1,
        .venue_time_ns = k->proven_at.ns,
    };
    (void)snprintf(r->text, sizeof(r->text), "%s", g->kill.on ? g->kill.who : "");
}

static void
tell_operators(struct gateway *g, uint16_t venue, uint64_t seq, struct now now)
{
    struct report r;

    kill_report(g, venue, &r);
    r.seq = seq;
    for (uint64_t m = client_port_attached(g->p.clients); m != 0; m &= m - 1) {
        uint32_t slot = (uint32_t)__builtin_ctzll(m);
        if (client_port_identity(g->p.clients, slot)->role == ROLE_OPERATOR)
            answer_report(g, slot, &r, now);
    }
}

static bool
all_proven(const struct gateway *g)
{
    for (uint16_t i = 0; i < g->cfg.venue_count; i++)
        if (g->kill.venue[i].proof != KILL_PROVEN)
            return false;
    return true;
}

static void
proof_set(struct gateway_venue *v, enum kill_proof proof, const char *text, struct now now)
{
    struct gateway *g = v->g;
    struct kill_venue *k = &g->kill.venue[v->id];
    struct kill_note n = { .kind = KILL_NOTE_VENUE, .proof = (uint8_t)proof, .venue = v->id };

    if (k->proof == proof)
        return;
    k->proof = (uint8_t)proof;
    k->proven_at.ns = proof == KILL_PROVEN ? now.wall.ns : 0;
    metric_set(g->p.metrics, METRIC_KILL_PROVEN, v->id, proof == KILL_PROVEN);
    if (proof == KILL_LISTING)
        return; /* on the way to either of the others */
    struct journal_control c = { .kind = CONTROL_KILL_PROOF, .id = v->id, .client = CLIENT_NONE, .value = proof };
    (void)snprintf(c.text, sizeof(c.text), "%s", text);
    uint64_t seq = gateway_journal(g, JOURNAL_CONTROL, &c, sizeof(c), now);
    log_write(g->p.log, proof == KILL_PROVEN ? LOG_KILL_PROVEN : LOG_KILL_OPEN, text, v->id, k->live + k->blocking);
    n.seq = seq;
    n.count = k->live + k->blocking;
    (void)snprintf(n.text, sizeof(n.text), "%s", text);
    note(g, &n, now);
    tell_operators(g, v->id, seq, now);
    if (all_proven(g)) {
        n = (struct kill_note){ .kind = KILL_NOTE_PROVEN, .count = g->kill.orders };
        note(g, &n, now);
        log_write(g->p.log, LOG_NOTE, "kill switch: every venue has proven that no order of ours is open");
    }
}

/* ---- on and off -------------------------------------------------------------------------------------------------- */

static void
kill_begin(struct gateway *g, const char *who, struct now now)
{
    struct kill_note n = { .kind = KILL_NOTE_ON };

    g->kill = (struct kill_run){ .on = true, .since = now.wall };
    (void)snprintf(g->kill.who, sizeof(g->kill.who), "%s", who);
    (void)snprintf(n.text, sizeof(n.text), "%s", who);
    n.seq = g->p.journal->seq;
    note(g, &n, now);
    for (uint16_t i = 0; i < g->cfg.venue_count; i++) {
        g->kill.venue[i] =
            (struct kill_venue){ .proof = KILL_NOT_ASKED, .first = true, .walk = -1, .held = ORDER_NONE };
        proof_set(&g->venue[i], KILL_CANCELING, who, now);
    }
    control_show_state(g);
}

void
gateway_halt(struct gateway *g, const char *who, struct now now)
{
    char text[64];

    control_stricter(g); /* the second trigger's reason is not what was to be resumed from, either */
    if (risk_kill(g->p.risk)->killed)
        return;
    kill_trip(risk_kill(g->p.risk));
    gateway_control(g, CONTROL_KILL, CLIENT_NONE, 0, who, now);
    metric_add(g->p.metrics, METRIC_KILLS, 0, 1);
    (void)snprintf(text, sizeof(text), "KILLED (%s): no new orders, everything is canceled", who);
    log_write(g->p.log, LOG_TRADING_STATE, text);
    for (uint16_t i = 0; i < g->cfg.venue_count; i++)
        unsent_withdraw_all(&g->venue[i], "the kill switch came before it left", now);
    kill_begin(g, who, now);
}

void
kill_recover(struct gateway *g, struct now now)
{
    if (!risk_kill(g->p.risk)->killed)
        return;
    log_write(g->p.log, LOG_TRADING_STATE, "KILLED since before this start, until `execgw-cli resume` is confirmed");
    kill_begin(g, "latched before this start", now);
}

void
kill_on_trip(struct gateway *g, const struct risk_trip *t, struct now now)
{
    control_stricter(g);
    if ((g->cfg.kill_trips >> t->kind & 1) != 0)
        gateway_halt(g, risk_trip_text((enum risk_trip_kind)t->kind), now);
}

void
kill_switch_off(struct gateway *g, uint32_t client, struct now now)
{
    struct kill_note n = { .kind = KILL_NOTE_OFF, .client = client };

    kill_release(risk_kill(g->p.risk));
    gateway_control(g, CONTROL_RELEASE, client, 0, "operator", now);
    n.seq = g->p.journal->seq;
    note(g, &n, now);
    for (uint16_t i = 0; i < g->cfg.venue_count; i++) {
        if (g->kill.venue[i].walk >= 0)
            order_walk_close(g->p.orders, g->kill.venue[i].walk);
        metric_set(g->p.metrics, METRIC_KILL_PROVEN, i, 0);
    }
    memset(&g->kill, 0, sizeof(g->kill));
    log_write(g->p.log, LOG_TRADING_STATE, "not KILLED any more: the switch is released");
    control_show_state(g);
}

/* ---- canceling --------------------------------------------------------------------------------------------------- */

static void
look_again(struct kill_venue *k, struct now now)
{
    k->next = mono_after(now.mono, MIN(KILL_RETRY_NS << MIN(k->tries, 3u), KILL_RETRY_MAX_NS));
    k->tries++;
}

/* One live order of this venue. False: there is no room for its cancel now. */
static bool
cancel_one(struct gateway_venue *v, uint32_t slot, struct now now)
{
    struct gateway *g = v->g;
    const struct order *o = order_at(g->p.orders, slot);

    g->aux[slot].cancel_wanted = true; /* and whatever answers meanwhile leads to the next one */
    return cancel_under_way(o) || !venue_can_send(v, now) || order_cancel_now(g, slot, now);
}

/* Some orders of the walk over this venue's. True when more can be looked at now. */
static bool
walk_some(struct gateway_venue *v, struct now now)
{
    struct gateway *g = v->g;
    struct kill_venue *k = &g->kill.venue[v->id];

    for (unsigned i = 0; i < WALK_PER_WORK; i++) {
        bool again = k->held != ORDER_NONE;
        uint32_t slot = again ? k->held : order_walk_next(g->p.orders, k->walk);
        k->held = ORDER_NONE;
        if (slot == ORDER_NONE) {
            k->walk = -1;
            k->first = false;
            k->live = k->walked;
            return true;
        }
        const struct order *o = order_at(g->p.orders, slot);
        if (o->venue != v->id || !order_live(o))
            continue;
        if (!again)
            k->walked++;
        if (!again && k->first) {
            g->kill.orders++;
            note_order(g, KILL_NOTE_OPEN, o, 0, "", now);
        }
        if (!cancel_one(v, slot, now)) {
            k->held = slot;
            return false;
        }
    }
    return true;
}

void
kill_order_ended(struct gateway *g, const struct order *o, const struct order_event *ev, uint64_t seq, struct now now)
{
    struct kill_venue *k = &g->kill.venue[o->venue];
    char text[60];

    (void)snprintf(text, sizeof(text), "%s%s%.40s", order_event_text((enum order_event_kind)ev->kind),
                   ev->text[0] != '\0' ? ": " : "", ev->text);
    note_order(g, KILL_NOTE_ENDED, o, seq, text, now);
    if (k->live > 0 && --k->live == 0)
        k->next = now.mono; /* look whether that was all, and ask for the list */
}

/* ---- the venue's word -------------------------------------------------------------------------------------------- */

static void
list_ask(struct gateway_venue *v, struct now now)
{
    struct kill_venue *k = &v->g->kill.venue[v->id];

    look_again(k, now);
    if (!venue_can_send(v, now) || !v->reconciled || !venue_line_free(v, VENUE_RQ_OPEN_ORDERS, now) ||
        !venue_affords_step(v, VENUE_RQ_OPEN_ORDERS, now))
        return;
    if (v->auditing && mono_since(now.mono, v->audit_asked) < KILL_LIST_MAX_NS)
        return; /* its answer must not be taken for ours */
    k->blocking = 0;
    k->foreign = 0;
    k->asked = now.mono;
    k->listing = true; /* the paper market answers in the call */
    proof_set(v, KILL_LISTING, "", now);
    if (!audit_ask(v, now))
        k->listing = false;
}

/* An order that the venue lists and we do not hold as live is canceled by what the list says of it. */
static void
cancel_listed(struct gateway_venue *v, const struct venue_report *r)
{
    const struct instrument *ins = route_instrument(v->g->p.route, r->instrument, 0);
    struct venue_order o = {
        .instrument = ins, .venue_order_id = r->venue_order_id, .side = r->side, .px = r->px, .qty = r->qty
    };
    struct venue_request rq = { .kind = VENUE_RQ_CANCEL, .order = &o };

    if (ins == NULL || !venue_can_send(v, v->now) || !venue_line_free(v, rq.kind, v->now))
        return;
    memcpy(o.clordid, r->clordid, CLORDID_BYTES);
    (void)venue_ask(v, &rq, v->now);
}

void
kill_saw(struct gateway_venue *v, const struct venue_report *r)
{
    struct gateway *g = v->g;
    struct kill_venue *k = &g->kill.venue[v->id];
    uint32_t slot = report_meant(v, r);
    struct clordid id;
    bool ours = slot != ORDER_NONE || clordid_parse(r->clordid, g->cfg.instance, &id) == CLORDID_OURS;

    if (!ours && !g->cfg.kill_foreign) {
        k->foreign++;
        return;
    }
    k->blocking++;
    if (slot != ORDER_NONE && order_live(order_at(g->p.orders, slot)))
        return; /* the walk cancels it */
    struct kill_note n = { .kind = KILL_NOTE_LISTED,
                           .venue = v->id,
                           .venue_order_id = r->venue_order_id,
                           .qty = r->qty,
                           .cum_qty = r->cum_qty };
    memcpy(n.clordid, r->clordid, CLORDID_BYTES);
    note(g, &n, v->now);
    cancel_listed(v, r);
    if (k->proof == KILL_PROVEN) {
        k->next = v->now.mono;
        proof_set(v, KILL_CANCELING, "the venue lists an open order of ours", v->now);
    }
}

void
kill_listed(struct gateway_venue *v, struct now now)
{
    struct gateway *g = v->g;
    struct kill_venue *k = &g->kill.venue[v->id];
    char text[40];

    if (!k->listing)
        return; /* a list that somebody else had asked for, perhaps before the last order was over */
    k->listing = false;
    if (k->blocking > 0) {
        (void)snprintf(text, sizeof(text), "%u orders are listed as open", k->blocking);
        proof_set(v, KILL_CANCELING, text, now);
        return;
    }
    k->tries = 0;
    (void)snprintf(text, sizeof(text), "listed no open order of ours, %u foreign", k->foreign);
    proof_set(v, KILL_PROVEN, text, now);
}

void
kill_turned_up(struct gateway_venue *v, const char *what, struct now now)
{
    struct kill_venue *k = &v->g->kill.venue[v->id];

    if (k->proof != KILL_PROVEN && k->proof != KILL_LISTING)
        return;
    k->listing = false; /* asked for before this */
    k->clean = false;
    k->tries = 0;
    k->next = now.mono;
    proof_set(v, KILL_CANCELING, what, now);
}

void
kill_venue_up(struct gateway_venue *v, struct now now)
{
    struct kill_venue *k = &v->g->kill.venue[v->id];

    k->next = now.mono;
    k->tries = 0;
    k->clean = false;
}

void
kill_venue_down(struct gateway_venue *v, struct now now)
{
    struct kill_venue *k = &v->g->kill.venue[v->id];

    k->listing = false;
    if (k->proof != KILL_PROVEN)
        proof_set(v, KILL_UNREACHABLE, "order entry is not connected", now);
}

/* How the way to this venue looks after every order of ours there was looked at. */
static void
walk_ended(struct gateway_venue *v, struct now now)
{
    struct kill_venue *k = &v->g->kill.venue[v->id];
    bool reached = venue_can_send(v, now) && v->reconciled;
    bool silent = k->tries >= 2 && mono_since(now.mono, v->session[ROLE_ORDER].last_rx) >= KILL_SILENT_NS;

    k->clean = k->live == 0;
    if (reached && silent)
        line_doubt(v, v->session[ROLE_ORDER].last_rx, now);
    if (!reached)
        proof_set(v, KILL_UNREACHABLE, "order entry is not connected and reconciled", now);
    else if (silent)
        proof_set(v, KILL_UNREACHABLE, "the venue does not answer", now);
    else if (!k->clean)
        proof_set(v, KILL_CANCELING, "orders are open or unknown", now);
    if (!reached || !k->clean)
        look_again(k, now);
}

/* What is due on the way of a venue that is neither walked over nor waited for. True when it is being walked over. */
static bool
next_look(struct gateway_venue *v, struct now now)
{
    struct kill_venue *k = &v->g->kill.venue[v->id];

    if (k->listing && mono_since(now.mono, k->asked) >= KILL_LIST_MAX_NS) {
        k->listing = false;
        proof_set(v, KILL_UNREACHABLE, "no answer to the list of open orders", now);
    }
    if (k->listing || now.mono.ns < k->next.ns)
        return false;
    if (k->clean) {
        k->clean = false; /* whatever the list says, the orders are looked at again after it */
        list_ask(v, now);
        return false;
    }
    k->walk = order_walk_open(v->g->p.orders, CLIENT_NONE);
    k->walked = 0;
    if (k->walk < 0)
        look_again(k, now); /* every walk is taken */
    return k->walk >= 0;
}

bool
kill_work(struct gateway_venue *v, struct now now)
{
    struct kill_venue *k = &v->g->kill.venue[v->id];

    if (k->walk < 0 && (k->proof == KILL_PROVEN || !next_look(v, now)))
        return false;
    bool more = walk_some(v, now);
    if (k->walk >= 0)
        return more;
    walk_ended(v, now);
    return k->clean && now.mono.ns >= k->next.ns;
}

/* ---- status ------------------------------------------------------------------------------------------------------ */

void
kill_answer(struct gateway *g, const struct client_command *c, struct now now)
{
    struct report r;

    for (uint16_t i = 0; i < g->cfg.venue_count; i++) {
        kill_report(g, i, &r);
        r.request_key = c->cmd.client_seq;
        answer_report(g, c->slot, &r, now);
    }
    r = (struct report){
        .kind = REPORT_END, .request_key = c->cmd.client_seq, .qty = g->cfg.venue_count, .trade_id = -1
    };
    answer_report(g, c->slot, &r, now);
}
