/* Long answers: orders, positions, limits and results, as many reports as there are things to tell. Between a client's
 * question and its report ring; limits and results come from gateway_limits.c.
 *
 * Always true: one answer per session at a time; nothing is put into a ring without room for a whole step, so a client
 * that does not read holds up its own answer only; an answer ends with REPORT_END, or with its session. */
#include "engine/gateway_state.h"

void
gateway_on_session_end(struct gateway *g, uint32_t slot)
{
    struct answer *a = &g->answer[slot];

    two_step_end(&g->two_step, slot);
    replace_session_end(g, slot);
    if (a->verb == COMMAND_QUERY_ORDERS && a->walk >= 0)
        order_walk_close(g->p.orders, a->walk);
    *a = (struct answer){ .walk = -1, .held = ORDER_NONE };
    for (unsigned i = 0; i < SWEEPS_MAX; i++)
        if (g->sweep[i].used && g->sweep[i].answer_slot == (int32_t)slot)
            g->sweep[i].answer_slot = -1;
}

/* Whose: an operator may name a strategy, and asks about everybody's orders and results without. */
static uint32_t
query_client(const struct client_command *c)
{
    bool whose = c->cmd.verb == COMMAND_LIMITS || c->cmd.verb == COMMAND_PNL;

    if (c->role != ROLE_OPERATOR)
        return c->cmd.client;
    if (whose && c->cmd.target_client < CLIENT_MAX)
        return c->cmd.target_client;
    return c->cmd.verb == COMMAND_LIMITS ? c->cmd.client : CLIENT_NONE;
}

/* Reports that one step of an answer may make. */
static uint64_t
answer_step_max(uint8_t verb)
{
    return verb == COMMAND_LIMITS ? RISK_GAUGES_MAX + 1 : 2;
}

void
answer_begin(struct gateway *g, const struct client_command *c, struct now now)
{
    struct answer *a = &g->answer[c->slot];
    uint32_t client = query_client(c);

    if (a->verb != COMMAND_NONE || client_port_room(g->p.clients, c->slot) < answer_step_max(c->cmd.verb)) {
        order_deny(g, c, DENY_CAPACITY, now);
        return;
    }
    *a = (struct answer){
        .verb = c->cmd.verb,
        .walk = -1,
        .held = ORDER_NONE,
        .client = client,
        .instrument = c->cmd.instrument,
        .from_key = c->cmd.target_key,
        .request_key = c->cmd.client_seq,
    };
    if (c->cmd.verb == COMMAND_QUERY_ORDERS) {
        a->walk = a->from_key != 0 ? order_walk_open_all(g->p.orders, client) : order_walk_open(g->p.orders, client);
        if (a->walk < 0) {
            a->verb = COMMAND_NONE;
            order_deny(g, c, DENY_CAPACITY, now);
        }
    }
}

static void
answer_end(struct gateway *g, uint32_t session, struct answer *a, struct now now)
{
    struct report r = {
        .version = MESSAGE_VERSION, .kind = REPORT_END, .request_key = a->request_key, .qty = a->count, .trade_id = -1
    };

    if (a->verb == COMMAND_QUERY_ORDERS && a->from_key != 0 &&
        order_forgotten_key(g->p.orders, a->client) >= a->from_key)
        r.flags |= REPORT_CUT;

    answer_report(g, session, &r, now);
    *a = (struct answer){ .walk = -1, .held = ORDER_NONE };
}

/* The next order of an answer; false at the end. */
static bool
answer_order(struct gateway *g, uint32_t session, struct answer *a, struct now now)
{
    uint32_t slot = order_walk_next(g->p.orders, a->walk);
    struct report r;

    if (slot == ORDER_NONE)
        return false;
    const struct order *o = order_at(g->p.orders, slot);
    if (o->key < a->from_key || (a->client != CLIENT_NONE && o->client != a->client))
        return true;
    memset(&r, 0, sizeof(r));
    order_report_fill(o, &r);
    r.kind = REPORT_ORDER;
    r.request_key = a->request_key;
    answer_report(g, session, &r, now);
    a->count++;
    return true;
}

/* The next (account, instrument) of an answer, reported when there is anything in it; false at the end. */
static bool
answer_position(struct gateway *g, uint32_t session, struct answer *a, struct now now)
{
    uint32_t count = g->p.route->count;

    if (count == 0 || a->index >= g->cfg.accounts * count)
        return false;
    uint32_t account = a->index / count;
    uint32_t id = a->index % count;
    a->index++;
    const struct position *p = risk_position(g->p.risk, account, id);
    if (p == NULL || (p->qty == 0 && p->reserved[SIDE_BUY] == 0 && p->reserved[SIDE_SELL] == 0))
        return true;
    const struct instrument *ins = &g->p.route->table[id];
    struct report r = {
        .version = MESSAGE_VERSION,
        .kind = REPORT_POSITION,
        .request_key = a->request_key,
        .client = CLIENT_NONE,
        .account = account,
        .instrument = id,
        .instrument_version = ins->version,
        .venue = ins->venue,
        .qty = p->qty,
        .cum_qty = p->reserved[SIDE_BUY],
        .leaves_qty = p->reserved[SIDE_SELL],
        .trade_id = -1,
    };
    answer_report(g, session, &r, now);
    a->count++;
    return true;
}

bool
answer_work(struct gateway *g, uint32_t session, struct now now)
{
    struct answer *a = &g->answer[session];

    for (unsigned i = 0; i < WALK_PER_WORK; i++) {
        if (client_port_room(g->p.clients, session) < answer_step_max(a->verb))
            return false; /* goes on when the client has read */
        bool more = a->verb == COMMAND_QUERY_ORDERS      ? answer_order(g, session, a, now)
                    : a->verb == COMMAND_QUERY_POSITIONS ? answer_position(g, session, a, now)
                                                         : limits_answer_next(g, session, a, now);
        if (!more) {
            a->walk = -1;
            answer_end(g, session, a, now);
            return false;
        }
    }
    return true;
}
