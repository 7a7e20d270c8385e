/* What must happen by itself, and what must not happen unasked: a cancel leaves only for an order that somebody wanted
 * canceled, one that was promised comes, and the end of an order is known within a bound of a session that lasts, even
 * when every word about it was lost. */
#include "tests/sim/sim.h"

/* So long order entry must have been ready, with no faults and nobody asking for anything. */
#define WATCH_NS     (30 * NS_PER_S)
#define WATCH_MAX_NS (120 * NS_PER_S)
#define LOST_ENDS    2u
#define KNOWN_NS     (25 * NS_PER_S)
#define COMMAND_NS   (NS_PER_S)
#define TURN_NS      (5 * NS_PER_S) /* a replace in turn: twice the time-out of a request, and some */

void
promise_init(struct sim *s)
{
    s->quiet_from = 0;
    s->paused_ns = 0;
    s->ready_from = -1;
    s->ready_wire = SIM_NONE;
    s->watches &= s->http.max == 0; /* else questions wait for their counter, as long as it takes */
    s->swept_ns = INT64_MIN;
}

/* The key that an order was made under, also where it has got others since. */
static struct asked *
first_asked(struct sim *s, struct client *c, uint64_t key)
{
    struct asked *a = &c->asked[key];

    return a->accepted && a->mine < s->oracle.count ? &c->asked[s->oracle.mine[a->mine].key] : a;
}

static struct client *
client_named(struct sim *s, uint32_t client)
{
    for (uint32_t i = 0; i < SIM_SESSIONS; i++)
        if (s->client[i].client == client)
            return &s->client[i];
    return NULL;
}

void
promise_asked(struct sim *s, struct client *c, const struct command *cmd)
{
    int64_t seen_ns = MAX(s->t, s->core.paused_until) + COMMAND_NS;
    struct client *of =
        cmd->verb == COMMAND_CANCEL && c->client == CLIENT_OPERATOR ? client_named(s, cmd->target_client) : c;

    if (cmd->key != 0) {
        struct asked *a = &c->asked[cmd->key];
        a->generation = c->generation;
        a->late_ns = run_clock(s) + COMMAND_NS + TURN_NS;
        a->answered |= cmd->verb == COMMAND_CANCEL; /* answered under the order's key */
    }
    switch ((enum command_verb)cmd->verb) {
    case COMMAND_CANCEL:
    case COMMAND_REPLACE:
        if (of != NULL && cmd->target_key < SIM_KEYS)
            first_asked(s, of, cmd->target_key)->cancel_asked = true;
        break;
    case COMMAND_CANCEL_ALL:
        if (c->client == CLIENT_OPERATOR)
            s->swept_ns = MAX(s->swept_ns, seen_ns);
        for (uint64_t k = 1; c->client != CLIENT_OPERATOR && k <= c->key; k++) {
            c->asked[k].cancel_asked = true;
            c->asked[k].sweep_seq = cmd->client_seq;
            c->asked[k].sweep_generation = c->generation;
        }
        break;
    case COMMAND_HALT: s->swept_ns = INT64_MAX; break;
    default: break;
    }
}

void
promise_gone(struct client *c)
{
    for (uint64_t k = 1; c->on_disconnect == ON_DISCONNECT_CANCEL && k <= c->key; k++)
        c->asked[k].cancel_asked = true;
}

void
promise_told(struct sim *s, struct client *c, const struct report *r)
{
    bool later = r->kind == REPORT_DENIED && r->order_state == ORDER_FREE && r->client == c->client &&
                 (r->deny == DENY_CANCEL_RATE || r->deny == DENY_VENUE_DOWN);

    for (uint64_t k = 1; r->kind == REPORT_DONE && k <= c->key; k++) {
        const struct asked *a = &c->asked[k];
        if (a->accepted && !a->varied && a->mine < s->oracle.count && a->sweep_seq == r->request_key &&
            a->sweep_generation == c->generation)
            s->oracle.mine[a->mine].due = s->core.starts;
    }
    if (later && r->key > 0 && r->key < SIM_KEYS && c->asked[r->key].accepted &&
        c->asked[r->key].mine < s->oracle.count)
        s->oracle.mine[c->asked[r->key].mine].due = s->core.starts;
}

void
promise_restarted(struct sim *s)
{
    for (uint32_t i = 0; i < s->oracle.count; i++) {
        struct mine *m = &s->oracle.mine[i];
        uint32_t slot = order_find(s->core.orders, m->clordid);
        const struct order *o = slot != ORDER_NONE ? order_at(s->core.orders, slot) : NULL;
        if (o != NULL && order_live(o) &&
            (o->request == REQUEST_CANCEL_IN_FLIGHT || o->request == REQUEST_CANCEL_UNKNOWN))
            m->due = s->core.starts;
    }
}

void
promise_cancel(struct sim *s, const struct mine *m)
{
    struct client *c = client_named(s, m->client);

    if (m->ended || m->belied || m->made_ns <= s->swept_ns || c == NULL || c->asked[m->key].cancel_asked)
        return;
    sim_fail(s, "a cancel of order %s leaves, and nobody asked for it", m->clordid);
}

void
promise_lose(struct sim *s)
{
    struct ledger *l = &s->venue;

    for (uint32_t i = 0, left = LOST_ENDS; s->watches && i < l->opens && left > 0; i++) {
        struct vorder *o = &l->order[l->open[i]];
        if (!o->ours)
            continue;
        o->dark = true;
        ledger_end(s, o, V_EXPIRED, "");
        i--; /* another one has its place */
        left--;
    }
}

bool
promise_watched(const struct sim *s)
{
    return s->quiet && s->watches && s->t < s->quiet_from + WATCH_MAX_NS;
}

/* By a list that was asked for meanwhile it is known what works and is not to: somebody else's, or over here. */
static void
watch_open(struct sim *s)
{
    for (uint32_t i = 0; i < s->venue.opens; i++) {
        const struct vorder *o = &s->venue.order[s->venue.open[i]];
        if (o->made_ns > venue_clock(s) - KNOWN_NS || o->shown_ns > venue_clock(s) - KNOWN_NS)
            continue;
        uint32_t slot = o->ours ? order_find(s->core.orders, o->clordid) : ORDER_NONE;
        if (o->ours && (slot == ORDER_NONE || !order_live(order_at(s->core.orders, slot))))
            sim_fail(s, "order %s works at the venue for %lld s, and is over here", o->clordid,
                     (long long)((venue_clock(s) - o->made_ns) / NS_PER_S));
        if (!o->ours && s->foreign == FOREIGN_CANCEL && !foreign_shows(s, o))
            sim_fail(s, "order %s is somebody else's, and was to be canceled", o->clordid);
    }
}

static void
watch_end(struct sim *s)
{
    watch_open(s);
    for (uint32_t i = 0; i < s->oracle.count; i++) {
        const struct mine *m = &s->oracle.mine[i];
        const struct vorder *v = m->vorder == SIM_NONE ? NULL : &s->venue.order[m->vorder];
        uint32_t slot = order_find(s->core.orders, m->clordid);
        if (slot == ORDER_NONE || !order_live(order_at(s->core.orders, slot)))
            continue;
        if (v != NULL ? !vorder_open(v) && v->changed_ns < venue_clock(s) - KNOWN_NS
                      : m->until_ns < venue_clock(s) - KNOWN_NS)
            sim_fail(s, "order %s is %s at the venue for %lld s, and not over here", m->clordid,
                     v != NULL ? "over" : "not",
                     (long long)((venue_clock(s) - (v != NULL ? v->changed_ns : m->until_ns)) / NS_PER_S));
        if (m->due == s->core.starts)
            sim_fail(s, "the cancel of order %s was promised and does not come", m->clordid);
    }
}

void
promise_second(struct sim *s)
{
    const struct core_rig *c = &s->core;
    uint32_t wire = wire_of(s, GATEWAY_CONN(0, CONN_ROLE_ORDER));
    bool ready = c->alive && s->t >= c->paused_until && s->venue.banned_until_ns <= venue_clock(s);

    if (ready) {
        const struct risk_venue *v = risk_venue_of(c->risk, 0);
        ready = v->logged_on && v->reconciled && v->stream_in_step;
    }
    if (!ready || wire != s->ready_wire)
        s->ready_from = -1;
    else if (s->ready_from < 0)
        s->ready_from = s->t;
    s->ready_wire = wire;
    if (s->quiet && s->watches && s->ready_from >= 0 && s->t - MAX(s->ready_from, s->quiet_from) > WATCH_NS) {
        watch_end(s);
        s->watches = false;
    }
}
