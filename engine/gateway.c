#include "engine/gateway_state.h"

static size_t
message_max(const struct gateway_config *cfg)
{
    return cfg->message_max != 0 ? cfg->message_max : GATEWAY_MESSAGE_MAX;
}

size_t
gateway_footprint(const struct gateway_config *cfg)
{
    size_t n = arena_cost(sizeof(struct gateway)) + arena_cost(sizeof(struct order_aux) * cfg->order_slots);

    n += cfg->venue_count * arena_cost(sizeof(uint32_t) * cfg->order_slots);
    n += (gateway_conns(cfg) - GATEWAY_CONNS_FIRST + 2u * cfg->venue_count) * arena_cost(message_max(cfg));
    return n;
}

static void
venue_init(struct gateway *g, uint16_t id, struct arena *arena)
{
    struct gateway_venue *v = &g->venue[id];

    v->g = g;
    v->cfg = &g->cfg.venue[id];
    v->id = id;
    v->out = (struct md_out){ .writer = g->p.md, .on_event = market_event, .on_lead = market_lead, .ctx = v };
    legs_init(v);
    v->sink = (struct venue_sink){ .report = venue_on_report, .ctx = v };
    v->lost_walk = -1;
    v->reconcile_walk = -1;
    v->audit_walk = -1;
    v->blocked_until = (mono_ns_t){ INT64_MIN };
    v->orders_until = (mono_ns_t){ INT64_MIN };
    v->http_until = (mono_ns_t){ INT64_MIN };
    v->market_until = (mono_ns_t){ INT64_MIN };
    budget_init(&v->budget, v->cfg->cancel_reserve_percent);
    budget_init(&v->http, HTTP_KEPT_PERCENT);
    budget_told(&v->http, VENUE_BUDGET_DECAY, v->cfg->http_calls_max, 0, v->cfg->http_calls_ns, 0);
    v->counts_pairs = v->cfg->ops->cost != NULL && v->cfg->ops->cost[VENUE_RQ_NEW].decay > 0;
    v->queue = (uint32_t *)arena_take(arena, sizeof(uint32_t) * g->cfg.order_slots);
    for (unsigned role = 0; role < v->roles; role++)
        session_init(&v->session[role], role == ROLE_ORDER ? &v->cfg->order : &v->cfg->market);
    for (unsigned role = 0; role < v->roles; role++)
        ws_reader_init(&v->reader[role], WS_CLIENT, (uint8_t *)arena_take(arena, message_max(&g->cfg)),
                       message_max(&g->cfg));
    metric_name_venue(g->p.metrics, id, v->cfg->name);
}

struct gateway *
gateway_init(const struct gateway_config *cfg, const struct gateway_parts *parts, struct arena *arena)
{
    ASSERT(cfg->venue_count >= 1 && cfg->venue_count <= VENUE_MAX);
    struct gateway *g = (struct gateway *)arena_take(arena, sizeof(*g));
    g->cfg = *cfg;
    g->p = *parts;
    g->rng = cfg->seed;
    g->last_slot = ORDER_NONE;
    g->sent_max = cfg->durable_first ? GATEWAY_HELD_MAX : SENT_MAX;
    g->aux = (struct order_aux *)arena_take(arena, sizeof(struct order_aux) * cfg->order_slots);
    for (uint32_t i = 0; i < cfg->order_slots; i++)
        aux_reset(g, i);
    ASSERT(clordid_mint_init(&g->mint, cfg->instance, cfg->term, gateway_random(g)));
    for (unsigned i = 0; i < SWEEPS_MAX; i++)
        g->sweep[i].walk = -1;
    for (unsigned i = 0; i < CLIENT_SESSION_MAX; i++)
        g->answer[i].walk = -1;
    for (uint16_t i = 0; i < cfg->venue_count; i++)
        venue_init(g, i, arena);
    return g;
}

/* splitmix64: jitter and masking keys, reproducible from the seed. */
uint64_t
gateway_random(struct gateway *g)
{
    uint64_t z = g->rng += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* ---- journal ---------------------------------------------------------------------------------------------------- */

uint64_t
gateway_journal(struct gateway *g, enum journal_type type, const void *payload, size_t bytes, struct now now)
{
    if (unlikely(!journal_room(g->p.journal, bytes)))
        (void)g->p.port.journal_next(g->p.port.ctx, now);
    uint64_t seq = journal_append(g->p.journal, type, payload, bytes, now);
    if (likely(seq != 0)) {
        metric_add(g->p.metrics, METRIC_JOURNAL_RECORDS, 0, 1);
        metric_add(g->p.metrics, METRIC_JOURNAL_BYTES, 0, (int64_t)(bytes + sizeof(struct journal_record_header)));
    } else {
        gateway_on_journal_failed(g, now);
    }
    return seq;
}

bool
gateway_journal_open(struct gateway *g, struct now now)
{
    if (unlikely(g->journal_down || g->journal_full))
        return false;
    /* When the next segment is late, what is left of this one is for cancels and reports. */
    return likely(journal_room_order(g->p.journal, sizeof(struct order_intent))) ||
           (g->p.port.journal_next(g->p.port.ctx, now) &&
            journal_room_order(g->p.journal, sizeof(struct order_intent)));
}

void
gateway_on_durable(struct gateway *g, uint64_t seq)
{
    g->durable_seq = seq;
}

void
gateway_on_journal_failed(struct gateway *g, struct now now)
{
    metric_add(g->p.metrics, METRIC_JOURNAL_ERRORS, 0, 1);
    if (g->journal_down)
        return;
    log_write(g->p.log, LOG_JOURNAL_ERROR, "no room or a failed write", 0);
    g->journal_down = true;
    metric_set(g->p.metrics, METRIC_READY, 0, 0);
    unsent_failed(g, now);
}

void
gateway_on_journal_full(struct gateway *g, bool full, struct now now)
{
    (void)now;
    if (full == g->journal_full)
        return;
    g->journal_full = full;
    if (full) {
        metric_add(g->p.metrics, METRIC_JOURNAL_ERRORS, 0, 1);
        metric_set(g->p.metrics, METRIC_READY, 0, 0);
        log_write(g->p.log, LOG_JOURNAL_ERROR, "no room for another segment", 0);
    } else {
        log_write(g->p.log, LOG_WARNING, "the journal has room again: new orders are taken");
    }
}

void
gateway_control(struct gateway *g, enum journal_control_kind kind, uint32_t client, int64_t value, const char *text,
                struct now now)
{
    struct journal_control c = { .kind = (uint16_t)kind, .client = client, .value = value };

    (void)snprintf(c.text, sizeof(c.text), "%s", text);
    uint64_t seq = gateway_journal(g, JOURNAL_CONTROL, &c, sizeof(c), now);
    if (kind == CONTROL_KILL || kind == CONTROL_RELEASE)
        g->p.journal->urgent_seq = seq;
}

/* ---- sending ---------------------------------------------------------------------------------------------------- */

static bool
send_covered(struct gateway_venue *v, unsigned role, uint8_t opcode, size_t len, uint64_t cover_seq)
{
    struct gateway *g = v->g;
    uint32_t mask = (uint32_t)gateway_random(g);

    ASSERT(len <= GATEWAY_SEND_MAX);
    struct ws_frame f = ws_encode(g->scratch, WS_HEADER_ROOM, len, opcode, &mask);
    uint8_t *room = g->p.port.send_reserve(g->p.port.ctx, conn_of(v, role), f.len);
    if (unlikely(room == NULL))
        return false;
    memcpy(room, f.data, f.len);
    g->p.port.send_commit(g->p.port.ctx, conn_of(v, role), f.len, cover_seq);
    return true;
}

bool
gateway_send(struct gateway_venue *v, unsigned role, uint8_t opcode, size_t len)
{
    return send_covered(v, role, opcode, len, 0);
}

/* What makes an order or lets one grow waits for its record, where orders do. */
static bool
waits_for_disk(const struct gateway *g, enum venue_request_kind kind)
{
    return g->cfg.durable_first && (kind == VENUE_RQ_NEW || kind == VENUE_RQ_REPLACE || kind == VENUE_RQ_AMEND);
}

bool
venue_send(struct gateway_venue *v, enum venue_request_kind kind, size_t len)
{
    const struct gateway_port *port = &v->g->p.port;
    bool waits = waits_for_disk(v->g, kind);

    if (likely((v->cfg->ops->rest >> kind & 1) == 0)) {
        /* Its record is the last. */
        bool sent = send_covered(v, ROLE_ORDER, WS_OP_TEXT, len, waits ? v->g->p.journal->seq : 0);
        if (likely(sent && v->cfg->ops->cost != NULL))
            budget_spend(&v->budget, &v->cfg->ops->cost[kind], venue_now_ns(v, v->now));
        return sent;
    }
    if (waits)
        return false; /* nothing holds an HTTP request back */
    ASSERT(!v->rest_busy);
    if (v->cfg->ops->cost != NULL)
        budget_spend(&v->http, &v->cfg->ops->cost[kind], venue_now_ns(v, v->now));
    v->rest_busy = port->rest_send(port->ctx, v->id, v->g->scratch + WS_HEADER_ROOM, len);
    v->rest_wanted = v->rest_busy;
    v->rest_kind = (uint8_t)kind;
    return v->rest_busy;
}

enum venue_ask
venue_ask(struct gateway_venue *v, const struct venue_request *rq, struct now now)
{
    v->now = now;
    int n = v->cfg->ops->submit(v->cfg->adapter, rq, now, venue_offset_ns(v, now), v->g->scratch + WS_HEADER_ROOM,
                                GATEWAY_SEND_MAX, &v->sink);
    if (n <= 0)
        return n < 0 ? VENUE_ASK_REFUSED : VENUE_ASK_ANSWERED;
    if (!venue_send(v, rq->kind, (size_t)n))
        return VENUE_ASK_NO_ROOM;
    pair_spend(v, rq);
    return VENUE_ASK_SENT;
}

void
gateway_send_control(struct gateway_venue *v, unsigned role, uint8_t opcode, const uint8_t *data, size_t len,
                     struct now now)
{
    ASSERT(len <= WS_CONTROL_MAX);
    if (len > 0)
        memcpy(v->g->scratch + WS_HEADER_ROOM, data, len);
    if (gateway_send(v, role, opcode, len))
        pace_sent(&v->pace[role], now.mono);
}

static void
send_close(struct gateway_venue *v, unsigned role, uint16_t code, const char *reason, struct now now)
{
    uint8_t payload[WS_CLOSE_MAX];
    size_t n = code == WS_CLOSE_NO_STATUS ? 0 : ws_close_payload(payload, code, reason);

    gateway_send_control(v, role, WS_OP_CLOSE, payload, n, now);
}

void
gateway_close_politely(struct gateway_venue *v, unsigned role, struct now now)
{
    send_close(v, role, WS_CLOSE_NORMAL, "", now);
    v->g->p.port.conn_close(v->g->p.port.ctx, conn_of(v, role));
}

/* ---- sessions ---------------------------------------------------------------------------------------------------- */

void
session_arm(struct gateway_venue *v, unsigned role)
{
    v->g->p.port.timer_arm(v->g->p.port.ctx, GATEWAY_TIMER_SESSION(conn_of(v, role)), v->session[role].deadline);
}

static void
session_open(struct gateway_venue *v, unsigned role, struct now now)
{
    struct gateway *g = v->g;
    mono_ns_t at = legs_may_open(v, 0, now.mono);

    if (unlikely(at.ns > now.mono.ns)) {
        log_write(g->p.log, LOG_WARNING, "the venue takes no more connections within its window: waiting");
        session_defer(&v->session[role], at);
        return;
    }
    legs_opened(v, now.mono);
    v->opening[role] = now.mono;
    log_write(g->p.log, LOG_CONN_OPENING, v->cfg->name, conn_of(v, role));
    g->p.port.conn_open(g->p.port.ctx, conn_of(v, role));
}

/* Each pass carries out one thing; what it leads to comes from the sink or the next pass, never by recursion. */
void
session_run(struct gateway_venue *v, unsigned role, enum session_do what, struct now now)
{
    struct session *s = &v->session[role];
    bool local = role == ROLE_ORDER && !v->cfg->ops->needs_connection;

    for (unsigned pass = 0; pass < STEP_COUNT + 3 && what != SESSION_DO_NOTHING; pass++) {
        enum session_do next = SESSION_DO_NOTHING;
        uint8_t step = s->step;
        switch (what) {
        case SESSION_DO_OPEN:
            if (local)
                next = session_on_up(s, now);
            else
                session_open(v, role, now);
            break;
        case SESSION_DO_CLOSE:
            if (!local)
                v->g->p.port.conn_close(v->g->p.port.ctx, conn_of(v, role));
            break;
        case SESSION_DO_STEP:
            venue_step(v, now);
            if (s->state == SESSION_READY)
                next = SESSION_DO_READY;
            else if (s->state == SESSION_STEPPING && s->step != step)
                next = SESSION_DO_STEP;
            break;
        case SESSION_DO_READY:
            if (role == ROLE_ORDER)
                venue_on_ready(v, now);
            else
                market_on_ready(v, role, now);
            break;
        case SESSION_DO_NOTHING: break;
        }
        what = next;
    }
    session_arm(v, role);
}

void
session_broken(struct gateway_venue *v, unsigned role, const char *why, struct now now)
{
    log_write(v->g->p.log, LOG_WARNING, why);
    session_run(v, role, session_fail(&v->session[role]), now);
}

/* What an earlier run was told holds on. */
static void
quiet_recover(struct gateway_venue *v, struct now now)
{
    int64_t wait_ns = v->cfg->quiet_until_ns - now.wall.ns + QUIET_MARGIN_NS;

    if (v->cfg->quiet_until_ns == 0 || wait_ns <= 0)
        return;
    v->blocked_until = mono_after(now.mono, MIN(wait_ns, QUIET_MAX_NS));
    log_write(v->g->p.log, LOG_RATE_LIMITED, "told before this start", v->id, wait_ns / NS_PER_MS);
}

void
gateway_start(struct gateway *g, struct now now)
{
    g->started = true;
    g->start_mono = now.mono;
    gateway_control(g, CONTROL_START, CLIENT_NONE, g->cfg.term, "", now);
    limits_in_force(g, NULL, CLIENT_NONE, "", now);
    metric_set(g->p.metrics, METRIC_TERM, 0, g->cfg.term);
    for (uint16_t i = 0; i < g->cfg.venue_count; i++) {
        g->venue[i].venue_at = now.wall;
        g->venue[i].venue_mono = now.mono;
        venue_recover(&g->venue[i], now);
    }
    kill_recover(g, now);
    for (uint32_t i = 0; i < g->p.route->count; i++) {
        uint32_t account = g->venue[g->p.route->table[i].venue].cfg->account;
        metric_set(g->p.metrics, METRIC_POSITION, i, risk_position(g->p.risk, account, i)->qty);
    }
    for (uint16_t i = 0; i < g->cfg.venue_count; i++)
        quiet_recover(&g->venue[i], now);
    for (uint16_t i = 0; i < g->cfg.venue_count; i++)
        market_fetch_instruments(&g->venue[i], now);
    g->p.port.timer_arm(g->p.port.ctx, GATEWAY_TIMER_SECOND, mono_after(now.mono, NS_PER_S));
}

static struct gateway_venue *
venue_at(struct gateway *g, uint32_t conn, unsigned *role)
{
    ASSERT(conn < gateway_conns(&g->cfg) && g->conn[conn].venue < g->cfg.venue_count);
    *role = g->conn[conn].role;
    return &g->venue[g->conn[conn].venue];
}

/* Under which of the metrics' roles. */
static unsigned
shown(unsigned role)
{
    return role == ROLE_ORDER ? CONN_ROLE_ORDER : CONN_ROLE_MARKET;
}

static void
conn_show(struct gateway_venue *v, unsigned role, bool up)
{
    if (v->link_up[role] != up)
        metric_add(v->g->p.metrics, METRIC_CONN_UP, metric_pair(METRIC_CONN_UP, v->id, shown(role)), up ? 1 : -1);
    v->link_up[role] = up;
}

void
gateway_on_up(struct gateway *g, uint32_t conn, struct now now)
{
    unsigned role;
    struct gateway_venue *v = venue_at(g, conn, &role);

    ws_reader_init(&v->reader[role], WS_CLIENT, v->reader[role].buffer, message_max(&g->cfg));
    pace_init(&v->pace[role]);
    v->pong[role].waits = false;
    conn_show(v, role, true);
    metric_add(g->p.metrics, METRIC_CONN_OPENED, metric_pair(METRIC_CONN_OPENED, v->id, shown(role)), 1);
    log_write(g->p.log, LOG_CONN_UP, v->cfg->name, conn, mono_since(now.mono, v->opening[role]) / NS_PER_MS);
    session_run(v, role, session_on_up(&v->session[role], now), now);
    if (role != ROLE_ORDER)
        legs_up(v, role, now);
}

/* A log-on is requests too, and they make a ban longer. */
static void
session_wait_quiet(struct gateway_venue *v, unsigned role)
{
    struct session *s = &v->session[role];
    mono_ns_t until = role == ROLE_ORDER ? v->blocked_until : v->market_until;

    if (role == ROLE_ORDER && venue_over_http(v, VENUE_RQ_LOGON) && until.ns < v->http_until.ns)
        until = v->http_until;
    if (s->state == SESSION_WAITING && s->deadline.ns < until.ns)
        s->deadline = until;
}

void
gateway_on_quiet(struct gateway *g, uint32_t conn, int64_t wait_ns, struct now now)
{
    unsigned role;
    struct gateway_venue *v = venue_at(g, conn, &role);

    wait_ns = MIN(wait_ns, QUIET_MAX_NS);
    if (wait_ns <= 0)
        return;
    if (role == ROLE_ORDER) {
        venue_quiet(v, wait_ns, "told when connecting, or about reference data", now);
    } else {
        mono_ns_t until = mono_after(now.mono, wait_ns);
        if (until.ns > v->market_until.ns)
            v->market_until = until;
        log_write(g->p.log, LOG_RATE_LIMITED, "market data", v->id, wait_ns / NS_PER_MS);
    }
    session_wait_quiet(v, role);
    if (v->session[role].state == SESSION_WAITING)
        session_arm(v, role);
}

void
gateway_on_down(struct gateway *g, uint32_t conn, const char *why, struct now now)
{
    unsigned role;
    struct gateway_venue *v = venue_at(g, conn, &role);
    struct session *s = &v->session[role];
    bool was_up = v->link_up[role];
    bool wanted = s->state != SESSION_STOPPED; /* else it was closed by us, and has been replaced */

    conn_show(v, role, false);
    if (wanted || !was_up)
        metric_add(g->p.metrics, was_up ? METRIC_CONN_LOST : METRIC_CONN_FAILED,
                   metric_pair(METRIC_CONN_LOST, v->id, shown(role)), 1);
    g->p.port.timer_arm(g->p.port.ctx, GATEWAY_TIMER_PACE(conn), MONO_NEVER);
    enum session_do what = session_on_down(s, now, gateway_random(g));
    session_wait_quiet(v, role);
    session_run(v, role, what, now);
    int64_t wait_ms = s->state == SESSION_WAITING ? mono_since(s->deadline, now.mono) / NS_PER_MS : 0;
    if (was_up)
        log_write(g->p.log, LOG_CONN_DOWN, why, conn, 0);
    else
        log_write(g->p.log, LOG_CONN_FAILED, why, conn, wait_ms);
    if (role != ROLE_ORDER) {
        market_on_down(v, role, now);
        legs_down(v, role, now);
    } else {
        unsent_lost(v, now);
        venue_on_down(v, now);
    }
    if (g->cfg.venue_count == 1)
        metric_set(g->p.metrics, METRIC_READY, 0, 0); /* of several, the next second looks at the others */
}

static void
order_message(struct gateway_venue *v, const struct ws_message *m, struct now now)
{
    v->now = now;
    enum decode_result r = v->cfg->ops->decode(v->cfg->adapter, m->data, m->len, now, &v->sink);
    if (unlikely(r != DECODE_OK && r != DECODE_IGNORED)) {
        v->order_decoded[r]++;
        log_write(v->g->p.log, LOG_DECODE_FAILED, "order entry", v->id, r);
    }
}

/* One WebSocket event. False when the connection is to be left alone from here on. */
static bool
on_ws(struct gateway_venue *v, unsigned role, enum ws_result r, const struct ws_message *m, struct now now)
{
    struct gateway *g = v->g;

    switch (r) {
    case WS_MESSAGE:
        if (role != ROLE_ORDER)
            market_on_message(v, role, m, now);
        else
            order_message(v, m, now);
        return true;
    case WS_PING:
        if (role != ROLE_ORDER)
            feed_link_heard(g->p.feed[v->id], link_of_role(role), now);
        legs_ping(v, role, m->data, m->len, now);
        return true;
    case WS_PONG:
    case WS_MORE: return true;
    case WS_CLOSE: {
        char reason[64];
        (void)snprintf(reason, sizeof(reason), "%.*s", (int)MIN(m->len, sizeof(reason) - 1), (const char *)m->data);
        log_write(g->p.log, LOG_WS_CLOSE, reason, conn_of(v, role), m->code);
        send_close(v, role, m->code, "", now);
        break;
    }
    case WS_FAIL:
        log_write(g->p.log, LOG_WS_PROTOCOL, m->reason, conn_of(v, role), m->code);
        send_close(v, role, m->code, m->reason, now);
        break;
    }
    session_run(v, role, session_fail(&v->session[role]), now);
    return false;
}

void
gateway_on_bytes(struct gateway *g, uint32_t conn, const uint8_t *bytes, size_t len, struct now now)
{
    bool first = likely(conn < GATEWAY_CONNS_FIRST); /* then the id says it, without another line of memory */
    struct gateway_venue *v = &g->venue[first ? conn / 2 : g->conn[conn].venue];
    unsigned role = first ? conn % 2 : g->conn[conn].role;
    struct session *s = &v->session[role];

    if (unlikely(session_on_bytes(s, now)))
        line_alive(v);
    while (len > 0 && (s->state == SESSION_STEPPING || s->state == SESSION_READY)) {
        struct ws_message m;
        size_t used = 0;
        enum ws_result r = ws_read(&v->reader[role], bytes, len, &used, &m);
        if (r == WS_MORE)
            break;
        if (!on_ws(v, role, r, &m, now))
            break;
        bytes += used;
        len -= used;
    }
    if (role != ROLE_ORDER)
        market_after_bytes(v, role, now);
}

void
gateway_on_rest(struct gateway *g, uint16_t venue, unsigned status, const uint8_t *body, size_t len, struct now now)
{
    struct gateway_venue *v = &g->venue[venue];
    const struct venue_ops *ops = v->cfg->ops;

    ASSERT(venue < g->cfg.venue_count && v->rest_busy);
    v->now = now;
    if (v->rest_wanted) { /* the line stays taken meanwhile: what an answer leads to waits its turn */
        enum decode_result r = ops->decode_rest(v->cfg->adapter, status, body, len, now, &v->sink);
        if (unlikely(r != DECODE_OK && r != DECODE_IGNORED)) {
            v->order_decoded[r]++;
            log_write(g->p.log, LOG_DECODE_FAILED, "an answer over HTTP", v->id, r);
        }
    }
    if (v->rest_wanted && v->account.asked && v->rest_kind == VENUE_RQ_TRADES)
        account_page(v); /* not at its end */
    v->rest_page_waits = true;
    rest_page_work(v, now);
}

void
rest_page_work(struct gateway_venue *v, struct now now)
{
    enum venue_request_kind kind = (enum venue_request_kind)v->rest_kind;

    if (v->rest_wanted && !venue_affords_step(v, kind, now)) {
        ask_goes_on(v, kind, now);
        return;
    }
    v->now = now;
    v->rest_page_waits = false;
    int n = v->rest_wanted ? v->cfg->ops->rest_more(v->cfg->adapter, now, venue_offset_ns(v, now),
                                                    v->g->scratch + WS_HEADER_ROOM, GATEWAY_SEND_MAX)
                           : 0;
    v->rest_busy = false;
    if (n > 0 && venue_send(v, kind, (size_t)n)) {
        ask_goes_on(v, kind, now);
        return;
    }
    if (v->rest_step_waits) {
        v->rest_step_waits = false;
        session_run(v, ROLE_ORDER, SESSION_DO_STEP, now);
    }
}

/* ---- timers ------------------------------------------------------------------------------------------------------ */

void
gateway_on_budget(struct gateway *g, uint16_t venue, enum venue_budget which, int64_t limit, int64_t window_ns,
                  struct now now)
{
    struct gateway_venue *v = &g->venue[venue];

    ASSERT(venue < g->cfg.venue_count);
    budget_told(&v->budget, which, limit, -1, window_ns, venue_now_ns(v, now));
}

_Static_assert((int)BUDGET_COUNT == (int)VENUE_BUDGET_COUNT && (int)BUDGET_DECAY == (int)VENUE_BUDGET_DECAY,
               "the metrics' labels are the budgets");

/* Of the counters by instrument the fullest. */
static void
pairs_show(struct gateway_venue *v, int64_t venue_ns)
{
    struct metric_page *m = v->g->p.metrics;
    const struct route *route = v->g->p.route;
    int64_t used = 0;

    for (uint32_t i = 0; i < route->count; i++)
        if (route->table[i].venue == v->id)
            used = MAX(used, budget_counter_used(&v->g->pair[i].count, venue_ns));
    int64_t limit = v->cfg->order_count_max;
    metric_set(m, METRIC_BUDGET_LIMIT, metric_pair(METRIC_BUDGET_LIMIT, v->id, BUDGET_DECAY), limit);
    metric_set(m, METRIC_BUDGET_USED, metric_pair(METRIC_BUDGET_USED, v->id, BUDGET_DECAY), used);
    if (limit > 0)
        metric_set(m, METRIC_RATE_REMAINING, v->id, MAX(limit - used, 0) * 1000000 / limit);
}

static void
budgets_show(struct gateway_venue *v, struct now now)
{
    struct metric_page *m = v->g->p.metrics;
    int64_t venue_ns = venue_now_ns(v, now);
    int64_t least_ppm = INT64_MAX;

    for (unsigned i = 0; i < VENUE_BUDGET_COUNT; i++) {
        int64_t limit = v->budget.window[i].limit;
        int64_t used = budget_used(&v->budget, (enum venue_budget)i, venue_ns);
        metric_set(m, METRIC_BUDGET_LIMIT, metric_pair(METRIC_BUDGET_LIMIT, v->id, i), limit);
        metric_set(m, METRIC_BUDGET_USED, metric_pair(METRIC_BUDGET_USED, v->id, i), used);
        if (limit > 0)
            least_ppm = MIN(least_ppm, MAX(limit - used, 0) * 1000000 / limit);
    }
    if (least_ppm != INT64_MAX)
        metric_set(m, METRIC_RATE_REMAINING, v->id, least_ppm);
    if (v->counts_pairs)
        pairs_show(v, venue_ns);
}

/* Everything that a scrape shows and nobody needs sooner. */
static void
each_second(struct gateway *g, struct now now)
{
    const struct order_totals *t = order_totals(g->p.orders);
    bool order_ready = false;

    g->books_live = 0;
    for (uint16_t i = 0; i < g->cfg.venue_count; i++) {
        market_second(&g->venue[i], now);
        clock_second(&g->venue[i], now);
        budgets_show(&g->venue[i], now);
        order_ready |= g->venue[i].reconciled && !line_doubted(&g->venue[i]);
        metric_set(g->p.metrics, METRIC_ORDER_OPEN, i, t->live);
        metric_set(g->p.metrics, METRIC_ORDER_UNKNOWN, i, t->unknown);
    }
    metric_set(g->p.metrics, METRIC_BOOKS_IN_SYNC, 0, g->books_live);
    bool ready = g->books_live > 0 && order_ready && !g->journal_down && !g->journal_full && !g->stopping;
    metric_set(g->p.metrics, METRIC_READY, 0, ready);
    if (ready != g->ready) {
        if (ready)
            log_write(g->p.log, LOG_READY, NULL, g->books_live, order_ready);
        else
            log_write(g->p.log, LOG_NOT_READY,
                      g->stopping                          ? "the gateway is stopping"
                      : g->journal_down || g->journal_full ? "the journal takes no new orders"
                      : !order_ready                       ? "order entry is not logged on and reconciled"
                                                           : "no book is in sync");
    }
    g->ready = ready;
    control_show_state(g);
    deadman_second(g, now);
    guard_second(g, now);
    metric_set(g->p.metrics, METRIC_HEARTBEAT, 0, now.wall.ns);
    g->p.port.timer_arm(g->p.port.ctx, GATEWAY_TIMER_SECOND, mono_after(now.mono, NS_PER_S));
}

void
gateway_on_timer(struct gateway *g, uint32_t timer, struct now now)
{
    if (timer >= GATEWAY_TIMER_ORDER(0)) {
        ASSERT(timer - GATEWAY_TIMER_ORDER(0) < g->cfg.order_slots);
        venue_order_timer(g, timer - GATEWAY_TIMER_ORDER(0), now);
        return;
    }
    if (timer == GATEWAY_TIMER_SECOND) {
        each_second(g, now);
        return;
    }
    if (timer < 2 * GATEWAY_CONNS && timer >= GATEWAY_CONNS) {
        unsigned role;
        struct gateway_venue *v = venue_at(g, timer - GATEWAY_CONNS, &role);
        if (v->session[role].state == SESSION_READY || v->session[role].state == SESSION_STEPPING)
            legs_pace(v, role, now);
        return;
    }
    if (timer < GATEWAY_CONNS) {
        unsigned role;
        struct gateway_venue *v = venue_at(g, timer, &role);
        struct session *s = &v->session[role];
        enum session_state before = s->state;
        enum session_do what = session_on_timer(s, now);
        if (what == SESSION_DO_CLOSE)
            log_write(g->p.log, LOG_SILENT,
                      before == SESSION_READY      ? "no byte from the venue"
                      : before == SESSION_STEPPING ? "a log-on step had no answer"
                                                   : "no connection in time",
                      timer, mono_since(now.mono, s->last_rx) / NS_PER_MS);
        session_run(v, role, what, now);
        return;
    }
    struct gateway_venue *v = &g->venue[timer % VENUE_MAX];
    _Static_assert(GATEWAY_CONNS % VENUE_MAX == 0, "the venue of a timer is its number modulo VENUE_MAX");
    switch ((timer - 2 * GATEWAY_CONNS) / VENUE_MAX) {
    case 0: market_timer(v, now); break;
    case 1: legs_timer(v, now); break;
    case 2: market_fetch_instruments(v, now); break;
    default: clock_timer(v, now); break;
    }
}

/* ---- everything else --------------------------------------------------------------------------------------------- */

unsigned
gateway_poll_room(const struct gateway *g)
{
    return g->cfg.durable_first ? SENT_MAX : SENT_MAX - g->sent_count; /* cancels do not wait for a slow disk */
}

void
gateway_poll_begin(struct gateway *g, struct now now)
{
    for (uint16_t i = 0; i < g->cfg.venue_count; i++)
        g->venue[i].now = now;
}

void
gateway_on_command(struct gateway *g, const struct client_command *c)
{
    order_command(g, c);
}

unsigned
gateway_poll_commands(struct gateway *g, unsigned max, struct now now)
{
    max = MIN(max, gateway_poll_room(g));
    gateway_poll_begin(g, now);
    return max == 0 ? 0 : client_port_poll(g->p.clients, max, order_command, g);
}

uint32_t
gateway_sends_waiting(const struct gateway *g)
{
    bool held = g->cfg.durable_first && g->sent_count > 0 && g->sent[0].seq > g->durable_seq;
    return held ? 0 : g->sent_count;
}

bool
gateway_work(struct gateway *g, struct now now)
{
    if (unlikely(g->flatten.on))
        flatten_work(g, now);
    bool more = order_work(g, now);

    more |= guard_work(g, now);
    for (uint16_t i = 0; i < g->cfg.venue_count; i++) {
        more |= venue_work(&g->venue[i], now);
        if (feed_work(g->p.feed[i], now, &g->venue[i].out)) {
            more = true;
            market_after(&g->venue[i], now);
        }
    }
    return more;
}

/* When the bytes left: for who reads the journal afterwards. Never at the cost of what must be recorded. */
static void
journal_sent(struct gateway *g, const struct order *o, mono_ns_t sent, struct now now)
{
    struct journal_sent s = { .mono_ns = sent.ns };

    memcpy(s.clordid, o->clordid, CLORDID_BYTES);
    if (!g->journal_full && journal_room_order(g->p.journal, sizeof(s)))
        (void)gateway_journal(g, JOURNAL_SENT, &s, sizeof(s), now);
}

void
gateway_on_sent(struct gateway *g, mono_ns_t sent, struct now now)
{
    uint32_t i = 0;

    for (; i < g->sent_count; i++) {
        const struct sent *s = &g->sent[i];
        const struct order *o = order_at(g->p.orders, s->slot);
        if (g->cfg.durable_first && s->seq > g->durable_seq)
            break; /* it and all behind it still wait */
        if (memcmp(o->clordid, s->clordid, CLORDID_BYTES) != 0)
            continue; /* ended and recycled within the turn */
        if (unlikely(s->amend)) {
            if (g->venue[o->venue].cfg->ops->needs_connection)
                replace_report_sent(g, s->slot, now);
            continue;
        }
        if (o->submit_mono_ns > 0 && sent.ns >= o->submit_mono_ns) /* as its client says */
            metric_observe_ns(g->p.metrics, METRIC_ORDER_TO_WIRE, 0, sent.ns - o->submit_mono_ns);
        risk_note_wire(g->p.risk, sent.ns - o->recv_mono_ns, now);
        metric_add(g->p.metrics, METRIC_ORDER_SENT, o->venue, 1);
        journal_sent(g, o, sent, now);
        if (g->venue[o->venue].cfg->ops->needs_connection) {
            order_stamp_wire(g->p.orders, s->slot, sent);
            report_order(g, o, REPORT_SENT, 0, now);
        }
    }
    g->sent_count -= i;
    if (unlikely(g->sent_count != 0))
        memmove(g->sent, g->sent + i, g->sent_count * sizeof(g->sent[0]));
}

void
gateway_on_client_gone(struct gateway *g, uint32_t client, enum on_disconnect policy, struct now now)
{
    ASSERT(client < CLIENT_MAX);
    g->life[client] = (struct client_life){ 0 };
    client_policy_run(g, client, policy, "disconnected", now);
}

void
gateway_on_stall(struct gateway *g, int64_t ns, struct now now)
{
    risk_note_turn(g->p.risk, ns, now); /* what latches is journaled with the next work */
}

void
gateway_stop(struct gateway *g, bool cancel, struct now now)
{
    if (g->stopping)
        return;
    g->stopping = true;
    g->stop_cancels = cancel;
    risk_arm(g->p.risk, false);
    metric_set(g->p.metrics, METRIC_READY, 0, 0);
    if (cancel)
        g->sweep_all = true;
    (void)now;
}

uint32_t
gateway_orders_live(const struct gateway *g)
{
    return order_totals(g->p.orders)->live;
}

uint32_t
gateway_orders_unknown(const struct gateway *g)
{
    return order_totals(g->p.orders)->unknown;
}
