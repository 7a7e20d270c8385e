/* Clients: strategies that ask for anything at any time, and an operator. What each asked under which key is kept, so
 * that the oracle can compare it with the journal. */
#include "tests/sim/sim.h"

#include <stdlib.h>

#define SWEEP_EVERY_NS (8 * NS_PER_S)
#define AGAIN_NS       (30 * NS_PER_MS)
#define OPERATOR_LIES  5
#define AGAIN_MAX      8u

void
clients_init(struct sim *s)
{
    for (uint32_t i = 0; i < SIM_SESSIONS; i++) {
        struct client *c = &s->client[i];
        if (c->asked == NULL)
            c->asked = (struct asked *)malloc(SIM_KEYS * sizeof(*c->asked));
        memset(c->asked, 0, SIM_KEYS * sizeof(*c->asked));
        c->attached = false;
        c->client = i == SIM_OPERATOR ? CLIENT_OPERATOR : i + 1;
        c->on_disconnect = sim_any(s, 2) == 0 ? ON_DISCONNECT_CANCEL : ON_DISCONNECT_NOTHING;
        c->client_seq = 0;
        c->key = 0;
        c->chased = 0;
        c->hurry = 0;
        c->cancel_key = 0;
        c->parent_key = 0;
        c->token[0] = '\0';
        sim_at(s, s->t + (int64_t)sim_any(s, NS_PER_S), EV_CLIENT, i, 0, NULL, 0);
    }
}

void
clients_release(struct sim *s)
{
    for (uint32_t i = 0; i < SIM_SESSIONS; i++) {
        free(s->client[i].asked);
        free(s->client[i].mem);
    }
}

/* Reports on their way are lost: from here on, what this client was told says nothing about what it was not. */
static void
reports_lost(struct sim *s, struct client *c)
{
    for (uint32_t i = 0; i < s->oracle.count; i++)
        if (s->oracle.mine[i].client == c->client)
            s->oracle.mine[i].gap = true;
    for (uint64_t k = 1; k <= c->key; k++)
        c->asked[k].gap = true;
}

void
client_drain(struct sim *s, uint32_t session)
{
    struct client *c = &s->client[session];
    struct report r;

    while (c->attached && ring_get(&c->report, &r)) {
        if (r.kind == REPORT_BEHIND)
            reports_lost(s, c);
        else
            check_report(s, c, &r);
    }
}

void
clients_core_died(struct sim *s)
{
    for (uint32_t i = 0; i < SIM_SESSIONS; i++) {
        s->client[i].attached = false;
        reports_lost(s, &s->client[i]);
    }
}

static void
gone(struct sim *s, uint32_t session)
{
    struct client *c = &s->client[session];

    sim_trace(s, "client %u is gone", c->client);
    reports_lost(s, c);
    promise_gone(c);
    c->attached = false;
    core_begin(s);
    gateway_on_session_end(s->core.g, session);
    enum on_disconnect policy = client_port_detach(s->core.clients, session);
    gateway_on_client_gone(s->core.g, c->client, policy, host_clock(s));
    core_end(s);
}

void
clients_second(struct sim *s)
{
    for (uint32_t i = 0; i < SIM_SESSIONS; i++)
        if (s->core.alive && s->client[i].attached && s->t >= s->core.paused_until && sim_fate(s, FATE_client_gone))
            gone(s, i);
}

/* ---- commands ---------------------------------------------------------------------------------------------------- */

static void
submit(struct sim *s, struct client *c, struct command *cmd)
{
    cmd->version = MESSAGE_VERSION;
    cmd->client = c->client;
    cmd->client_seq = ++c->client_seq;
    cmd->submit_mono_ns = s->t;
    if (cmd->key != 0 && !c->asked[cmd->key].used)
        c->asked[cmd->key] = (struct asked){ .command = *cmd, .used = true, .mine = SIM_NONE };
    else if (cmd->key != 0)
        c->asked[cmd->key].varied = true;
    promise_asked(s, c, cmd);
    if (!ring_put(&c->command, cmd))
        c->asked[cmd->key].gap = true; /* the ring is full: it never got there */
    else if (cmd->key != 0 || cmd->verb != COMMAND_NEW)
        sim_trace(s, "client %u: %s key %llu target %llu %s %lld at %lld instrument %u.%u", c->client,
                  cmd->verb == COMMAND_NEW       ? "new"
                  : cmd->verb == COMMAND_REPLACE ? "replace"
                  : cmd->verb == COMMAND_CANCEL  ? "cancel"
                                                 : "other",
                  (unsigned long long)cmd->key, (unsigned long long)cmd->target_key,
                  cmd->side == SIDE_BUY ? "buy" : "sell", (long long)cmd->qty, (long long)cmd->px, cmd->instrument,
                  cmd->instrument_version);
}

/* A price near the touch, in the decimals of the version the client knows. */
static void
price_and_qty(struct sim *s, struct command *cmd)
{
    const struct instrument *ins = route_instrument(&s->core.route, cmd->instrument, 0);
    int64_t unit = SIM_VENUE_ONE;

    cmd->qty = sim_between(s, 1, 400) * 1000;
    if (sim_any(s, 6) == 0)
        cmd->qty = sim_between(s, 1, 5000000);
    if (ins == NULL)
        return;
    cmd->instrument_version = ins->version;
    for (unsigned i = 0; i < ins->px_decimals; i++)
        unit /= 10;
    int64_t px = (1000 * SIM_VENUE_ONE + sim_between(s, -300, 500) * (SIM_VENUE_ONE / 100)) / unit;
    cmd->px = px / ins->tick * ins->tick;
}

/* A piece of a larger order: of the one that is being split, or of a new one. */
static void
parent_of(struct sim *s, struct client *c, struct command *cmd, bool again)
{
    if (!again) {
        c->parent_key = c->key + 1;
        c->parent_qty = cmd->qty > INT64_MAX / 4 ? cmd->qty : cmd->qty * sim_between(s, 1, 3);
        c->parent_instrument = cmd->instrument;
        c->parent_side = cmd->side;
    }
    cmd->parent_key = c->parent_key;
    cmd->parent_qty = c->parent_qty;
}

static void
order_new(struct sim *s, struct client *c, struct command *cmd)
{
    static const uint8_t tifs[] = { TIF_GTC, TIF_GTC, TIF_GTC, TIF_IOC, TIF_FOK };

    cmd->verb = COMMAND_NEW;
    cmd->account = SIM_ACCOUNT;
    cmd->instrument = (uint32_t)sim_any(s, SIM_SYMBOLS);
    cmd->side = (uint8_t)sim_any(s, 2);
    cmd->type = sim_any(s, 12) == 0 ? ORDER_MARKET : ORDER_LIMIT;
    cmd->tif = cmd->type == ORDER_MARKET ? TIF_IOC : tifs[sim_any(s, ARRAY_LEN(tifs))];
    bool child = sim_any(s, 4) == 0;
    bool again = child && c->parent_key != 0 && sim_any(s, 4) != 0;
    if (again) {
        cmd->instrument = c->parent_instrument;
        cmd->side = c->parent_side;
    }
    price_and_qty(s, cmd);
    if (child)
        parent_of(s, c, cmd, again);
    if (cmd->type == ORDER_MARKET)
        cmd->px = 0;
    if (cmd->tif == TIF_GTC && sim_any(s, 8) == 0)
        cmd->flags |= COMMAND_POST_ONLY;
    if (sim_any(s, 10) == 0)
        cmd->flags |= COMMAND_REDUCE_ONLY;
    if (c->cancel_key != 0 && sim_fate(s, FATE_repeats)) {
        cmd->key = c->cancel_key; /* that of its last cancel */
        c->cancel_key = 0;
        return;
    }
    if (c->key > 0 && sim_fate(s, FATE_repeats)) {
        cmd->key = 1 + sim_any(s, c->key);
        if (sim_any(s, 2) == 0) { /* word for word */
            uint64_t key = cmd->key;
            *cmd = c->asked[key].command;
            cmd->key = key;
        }
        return;
    }
    cmd->key = ++c->key;
    if (!sim_fate(s, FATE_nonsense))
        return;
    switch (sim_any(s, 7)) {
    case 0: cmd->px = INT64_MAX; break;
    case 1: cmd->qty = INT64_MAX - (int64_t)sim_any(s, 3); break;
    case 2: cmd->qty = 0; break;
    case 3: cmd->instrument_version += 1; break;
    case 4: cmd->instrument = 99; break;
    case 5: cmd->px += 1; break;
    default: cmd->deadline_wall_ns = host_clock(s).wall.ns - 1; break;
    }
}

/* One of this client's orders, usually a recent one. */
static uint64_t
some_key(struct sim *s, const struct client *c)
{
    uint64_t back = sim_any(s, sim_any(s, 3) == 0 || c->key < 12 ? c->key : 12);
    return c->key - back;
}

static bool
works(const struct sim *s, const struct client *c, uint64_t key)
{
    const struct asked *a = &c->asked[key];
    return a->accepted && a->mine < s->oracle.count && !s->oracle.mine[a->mine].ended;
}

static void
order_replace(struct sim *s, struct client *c, struct command *cmd)
{
    bool again = c->hurry > 0 && works(s, c, c->chased);

    c->hurry -= c->hurry > 0;
    if (!again && (c->chased == 0 || sim_any(s, 4) == 0 || !works(s, c, c->chased)))
        c->chased = some_key(s, c);
    for (unsigned i = 0; i < 8 && !works(s, c, c->chased); i++)
        c->chased = some_key(s, c);
    const struct command *old = &c->asked[c->chased].command;

    *cmd = (struct command){ .verb = COMMAND_REPLACE,
                             .target_key = old->key,
                             .account = old->account,
                             .instrument = old->instrument,
                             .side = old->side,
                             .type = ORDER_LIMIT,
                             .tif = TIF_GTC };
    if (works(s, c, c->chased)) { /* its key may have been asked with other words first */
        const struct mine *m = &s->oracle.mine[c->asked[c->chased].mine];
        cmd->instrument = m->instrument;
        cmd->side = m->side;
        cmd->target_key = c->chased;
    }
    price_and_qty(s, cmd);
    if (sim_any(s, 3) == 0 && old->qty < 1000000000)
        cmd->qty = old->qty + sim_between(s, -20, 20) * 1000;
    cmd->key = ++c->key;
}

/* What an operator may take for so and is not: of an order that works. */
static bool
resolve_lie(struct sim *s, struct mine *m, struct command *cmd)
{
    const struct vorder *v = m->vorder == SIM_NONE ? NULL : &s->venue.order[m->vorder];

    if (v == NULL || !vorder_open(v) || !sim_fate(s, FATE_belies))
        return false;
    cmd->state = m->cum == 0 && sim_any(s, 2) == 0 ? RESOLVE_NOT_PLACED : RESOLVE_CANCELED;
    m->belied = true;
    return true;
}

/* What an operator can know for good of this order, from the venue's own pages. False: nothing. */
static bool
resolve_claim(struct sim *s, const struct mine *m, struct command *cmd)
{
    const struct instrument *ins = route_instrument(&s->core.route, m->instrument, 0);
    const struct vorder *v = m->vorder == SIM_NONE ? NULL : &s->venue.order[m->vorder];
    int64_t px_unit = SIM_VENUE_ONE / pow10_i64[ins->px_decimals];

    if (v == NULL) {
        cmd->state = RESOLVE_NOT_PLACED;
        return m->sends > 0 && (m->refused || venue_clock(s) > m->until_ns);
    }
    if (v->status == V_CANCELED && v->cum == m->cum) {
        cmd->state = RESOLVE_CANCELED;
        return true;
    }
    uint32_t i = v->first_trade;
    for (uint64_t skip = sim_any(s, 3); skip > 0 && i != SIM_NONE && s->venue.trade[i].next != SIM_NONE; skip--)
        i = s->venue.trade[i].next;
    if (i == SIM_NONE)
        return false;
    struct vtrade *t = &s->venue.trade[i];
    /* A fee in what is held changes the position, and the claim has no place for it. */
    if (t->px % px_unit != 0 || strncmp(t->fee_ccy, s->price[v->symbol].symbol, 3) == 0)
        return false;
    t->claimed = true;
    cmd->state = RESOLVE_FILLED;
    cmd->qty = t->qty / (SIM_VENUE_ONE / pow10_i64[ins->qty_decimals]);
    cmd->px = t->px / px_unit;
    cmd->parent_key = (uint64_t)t->id;
    return true;
}

/* The operator's word, always true, on an order of which something is unknown here. False: there is none. */
static bool
operator_resolves(struct sim *s, struct command *cmd)
{
    struct oracle *o = &s->oracle;
    uint64_t first = sim_any(s, MAX(o->count, 1u));

    for (uint32_t i = 0; i < o->count; i++) {
        struct mine *m = &o->mine[(first + i) % o->count];
        uint32_t slot = order_find(s->core.orders, m->clordid);
        if (m->ended || slot == ORDER_NONE || !order_live(order_at(s->core.orders, slot)) ||
            (!order_unknown(order_at(s->core.orders, slot)) && sim_any(s, 4) != 0))
            continue;
        *cmd = (struct command){ .verb = COMMAND_RESOLVE,
                                 .target_client = m->client,
                                 .target_key = m->key,
                                 .instrument_version = order_at(s->core.orders, slot)->instrument_version };
        (void)snprintf(cmd->text, sizeof(cmd->text), "seen on the venue's site");
        if (resolve_lie(s, m, cmd) || resolve_claim(s, m, cmd)) {
            sim_trace(s, "operator: resolve %s claim %u trade %lld", m->clordid, cmd->state,
                      (long long)cmd->parent_key);
            return true;
        }
    }
    *cmd = (struct command){ .verb = COMMAND_NONE };
    return false;
}

static int64_t
operator_think(const struct sim *s)
{
    return (s->fate[FATE_belies] > 0 ? 10 / OPERATOR_LIES : 10) * s->think_ns;
}

static void
operator_command(struct sim *s, struct client *c, struct command *cmd)
{
    uint32_t victim = (uint32_t)sim_any(s, SIM_STRATEGIES);

    if (c->token[0] != '\0') { /* the second step of what was asked, or never */
        cmd->verb = COMMAND_CONFIRM;
        cmd->state = (uint8_t)sim_any(s, 2); /* forced */
        memcpy(cmd->text, c->token, sizeof(c->token));
        c->token[0] = '\0';
        return;
    }
    if (sim_fate(s, FATE_resolves) && operator_resolves(s, cmd))
        return;
    if (s->fate[FATE_belies] > 0 && sim_any(s, OPERATOR_LIES) != 0)
        return; /* comes more often, for such words alone */
    switch (sim_any(s, 12)) {
    case 0:
        if (sim_any(s, 3) == 0)
            cmd->verb = COMMAND_HALT;
        break;
    case 1:
        cmd->verb = COMMAND_STATE;
        cmd->level = (uint8_t)sim_any(s, LEVEL_COUNT);
        cmd->state = (uint8_t)sim_any(s, TRADING_STATE_COUNT);
        break;
    case 2:
    case 3: cmd->verb = COMMAND_RESUME; break;
    case 4:
        cmd->verb = COMMAND_CANCEL_ALL;
        cmd->instrument = sim_any(s, 2) == 0 ? INSTRUMENT_NONE : (uint32_t)sim_any(s, SIM_SYMBOLS);
        break;
    case 5: cmd->verb = COMMAND_QUERY_ORDERS; break;
    case 6: cmd->verb = COMMAND_QUERY_POSITIONS; break;
    default:
        if (s->client[victim].key == 0)
            return;
        cmd->verb = COMMAND_CANCEL;
        cmd->target_client = s->client[victim].client;
        cmd->target_key = some_key(s, &s->client[victim]);
        break;
    }
}

static void
strategy_command(struct sim *s, struct client *c, struct command *cmd)
{
    uint64_t what = sim_any(s, 100);

    if (s->chases && what >= 25 && what < 80)
        what = 80; /* a replace */
    if (c->key == 0 || (what < 60 && c->key < SIM_KEYS - 2)) {
        order_new(s, c, cmd);
    } else if (what < 80) {
        cmd->verb = COMMAND_CANCEL;
        cmd->target_key = some_key(s, c);
        if (sim_any(s, 4) == 0 && c->key < SIM_KEYS - 2)
            cmd->key = c->cancel_key = ++c->key;
    } else if (what < 93 && c->key < SIM_KEYS - 2) {
        order_replace(s, c, cmd);
    } else if (what < 95) {
        cmd->verb = COMMAND_CANCEL_ALL;
        cmd->instrument = INSTRUMENT_NONE;
    } else {
        cmd->verb = what < 97 ? COMMAND_QUERY_ORDERS : COMMAND_HEARTBEAT;
    }
}

/* Once the faults have stopped everything is taken off the venue. */
static bool
quiet_command(struct sim *s, uint32_t session, struct command *cmd)
{
    struct client *c = &s->client[session];

    if (session != SIM_OPERATOR || promise_watched(s))
        return false;
    if (c->token[0] != '\0') {
        cmd->verb = COMMAND_CONFIRM;
        memcpy(cmd->text, c->token, sizeof(c->token));
        c->token[0] = '\0';
        return true;
    }
    cmd->verb = sim_any(s, 4) == 0 ? COMMAND_RESUME : COMMAND_CANCEL_ALL;
    cmd->instrument = INSTRUMENT_NONE;
    return true;
}

void
client_again_soon(struct sim *s, struct client *c, uint64_t key)
{
    if (s->quiet || (c->hurry == 0 && sim_any(s, 3) != 0))
        return;
    c->hurry = c->hurry == 0 ? AGAIN_MAX : c->hurry;
    c->chased = key;
    sim_at(s, s->t + (int64_t)sim_any(s, AGAIN_NS), EV_AGAIN, (uint32_t)(c - s->client), 0, NULL, 0);
}

void
client_again(struct sim *s, uint32_t session)
{
    struct client *c = &s->client[session];
    struct command cmd = { .verb = COMMAND_NONE };

    if (s->quiet || !s->core.alive || !c->attached || c->hurry == 0 || !works(s, c, c->chased) ||
        c->key >= SIM_KEYS - 2)
        return;
    order_replace(s, c, &cmd);
    submit(s, c, &cmd);
    if (s->t < s->core.paused_until)
        return;
    core_begin(s);
    core_end(s);
}

void
clients_told(struct sim *s)
{
    for (uint32_t i = 0; s->eager && i < SIM_STRATEGIES && s->core.alive; i++)
        client_drain(s, i);
}

void
client_act(struct sim *s, uint32_t session)
{
    struct client *c = &s->client[session];
    struct command cmd = { .verb = COMMAND_NONE };
    int64_t think = s->quiet ? SWEEP_EVERY_NS / 2 : session == SIM_OPERATOR ? operator_think(s) : s->think_ns;

    sim_at(s, s->t + think / 2 + (int64_t)sim_any(s, (uint64_t)think), EV_CLIENT, session, 0, NULL, 0);
    if (!s->core.alive)
        return;
    if (!c->attached) {
        core_attach(s, session);
        return;
    }
    if (!sim_fate(s, FATE_client_slow))
        client_drain(s, session);
    for (unsigned n = sim_any(s, 6) == 0 ? 1 + (unsigned)sim_any(s, 6) : 1; n > 0; n--) {
        cmd = (struct command){ .verb = COMMAND_NONE };
        if (s->quiet) {
            if (!quiet_command(s, session, &cmd))
                break;
        } else if (session == SIM_OPERATOR) {
            operator_command(s, c, &cmd);
        } else {
            strategy_command(s, c, &cmd);
        }
        if (cmd.verb != COMMAND_NONE)
            submit(s, c, &cmd);
    }
    if (s->t < s->core.paused_until)
        return; /* they wait in the ring */
    core_begin(s);
    core_end(s);
}
