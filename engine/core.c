#include "engine/core.h"
#include "engine/armed.h"
#include "engine/io/tls_memory.h"
#include "engine/journal_sync.h"
#include "engine/tap.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#define COMMANDS_PER_TURN 64u
#define RESULTS_PER_TURN  8u
#define TIMERS_PER_TURN   64u
#define ORDER_BYTES       (256u * 1024u)   /* of execution reports, per turn */
#define MESSAGE_BYTES     256u             /* a market-data message, for the budget of a turn */
#define SLEEP_MAX_NS      (50 * NS_PER_MS) /* a hostile client can eat a doorbell, never more than this */
#define STOP_MAX_NS       (5 * NS_PER_S)
#define KILL_NOTES_HELD   4096u /* lines of the kill switch's proof between two looks of the first thread */

/* A box that one thread fills and another empties: EMPTY -> FULL -> EMPTY; of answers, what became of them between. */
enum box { BOX_EMPTY, BOX_FULL, BOX_REFUSED, BOX_IN_FORCE };

enum { WAKE_DOORBELL, WAKE_CONNECTOR, WAKE_REFDATA, WAKE_REST, WAKE_LWS };

struct session_slot {
    uint32_t generation;
    uint32_t client;
    int bell;
    int doorbell_fd;
    int watch; /* of it; -1 none: commands are seen when something else wakes us, or SLEEP_MAX_NS later */
    bool attached;
    uint64_t behind; /* as last counted */
};

struct core {
    struct core_parts p;
    struct gateway *g;
    struct tap tap;
    struct loop *loop;
    struct timer_wheel timers;
    struct arena loop_arena;
    struct loop_config loop_config;
    struct session_slot session[CLIENT_SESSION_MAX];
    struct transport_lws lws;
    uint32_t generation[GATEWAY_CONNS];
    struct now now;
    mono_ns_t flushed_at; /* when port_flush gave the turn's sends to the kernel */
    bool flushed;
    int connector_bell;
    int refdata_bell;
    int lws_bell;
    int release_bell;
    int rest_bell[VENUE_MAX];
    bool connector_wake;
    bool refdata_wake;
    size_t market_budget;
    uint64_t turns; /* of the loop's statistics, as last looked at */
    uint64_t turn_ns;
    struct journal_sync sync;
    bool sync_always;
    bool journal_error; /* said */
    mono_ns_t unsynced_next;
    /* Signals. */
    _Atomic uint32_t signals;
    _Atomic uint32_t limits_asked; /* enum box: of limits_ask, to the first thread */
    struct limits_ask limits_ask;
    _Atomic uint32_t limits_answered; /* enum box: of limits_answer and limits, from it */
    struct limits_answer limits_answer;
    struct risk_limits limits;
    /* Lines of the kill switch's proof, to the first thread. */
    struct ring_writer kill_writer;
    struct ring_reader kill_reader;
    _Atomic uint64_t kill_lost;
    /* Start and end. */
    pthread_t thread;
    _Atomic uint32_t started; /* 0 not yet, 1 running, 2 failed */
    _Atomic bool ended;
    struct fault start_fault;
    bool stopping;
    bool all_terminal;
    mono_ns_t stop_deadline;
};

/* ---- actions of the gateway ------------------------------------------------------------------------------------- */

static void
port_conn_open(void *ctx, uint32_t conn)
{
    struct core *c = (struct core *)ctx;

    if (transport_lws_has(&c->lws, conn)) {
        transport_lws_open(&c->lws, conn);
        return;
    }
    uint16_t venue = 0;
    uint32_t link;
    ASSERT(gateway_conn_find(&c->p.gateway_config, conn, &venue, &link));
    struct connect_request rq = {
        .kind = CONNECT_OPEN,
        .conn = conn,
        .generation = ++c->generation[conn],
        .deadline_ms = (uint32_t)(c->p.gateway_config.venue[venue].order.connect_max_ns / NS_PER_MS),
        .endpoint = c->p.endpoint[conn],
    };

    ASSERT(!loop_attached(c->loop, conn));          /* the connector frees the session it had */
    ASSERT(connector_request(c->p.connector, &rq)); /* two requests per connection fit */
    c->connector_wake = true;
}

static void
port_conn_close(void *ctx, uint32_t conn)
{
    struct core *c = (struct core *)ctx;

    if (transport_lws_has(&c->lws, conn)) {
        transport_lws_close(&c->lws, conn);
        return;
    }
    if (loop_attached(c->loop, conn)) {
        loop_close(c->loop, conn);
        return;
    }
    struct connect_request rq = { .kind = CONNECT_CANCEL, .conn = conn, .generation = c->generation[conn] };
    ASSERT(connector_request(c->p.connector, &rq));
    c->connector_wake = true;
}

static uint8_t *
port_send_reserve(void *ctx, uint32_t conn, size_t bytes)
{
    struct core *c = (struct core *)ctx;

    if (unlikely(transport_lws_has(&c->lws, conn)))
        return transport_lws_reserve(&c->lws, conn, bytes);
    return loop_attached(c->loop, conn) ? loop_send_reserve(c->loop, conn, bytes) : NULL;
}

static void
port_send_commit(void *ctx, uint32_t conn, size_t bytes, uint64_t cover_seq)
{
    struct core *c = (struct core *)ctx;

    if (unlikely(transport_lws_has(&c->lws, conn)))
        transport_lws_commit(&c->lws, conn, bytes); /* market data: nothing of it waits for the journal */
    else
        loop_send_commit(c->loop, conn, bytes, cover_seq);
}

static bool
port_send_withdraw(void *ctx, uint32_t conn, uint64_t cover_seq)
{
    return loop_send_withdraw(((struct core *)ctx)->loop, conn, cover_seq);
}

static void
port_flush(void *ctx)
{
    struct core *c = (struct core *)ctx;

    /* False when the bytes of a flush before it are still with the kernel: then the end of the poll's own submit is the
     * stamp of all, a little late for the first. */
    c->flushed = loop_submit(c->loop, &c->flushed_at);
}

static void
port_timer_arm(void *ctx, uint32_t timer, mono_ns_t at)
{
    timer_arm(&((struct core *)ctx)->timers, timer, at);
}

static bool
port_journal_next(void *ctx, struct now now)
{
    return journal_sync_take(&((struct core *)ctx)->sync, now);
}

static bool
sync_fsync(void *ctx, int fd, uint64_t token)
{
    return loop_fsync(((struct core *)ctx)->loop, fd, token);
}

static mono_ns_t
port_stamp(void *ctx)
{
    struct timespec ts;

    (void)ctx;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* in the vDSO: no system call */
    return (mono_ns_t){ ts.tv_sec * NS_PER_S + ts.tv_nsec };
}

static bool
port_fetch_instruments(void *ctx, uint16_t venue)
{
    struct core *c = (struct core *)ctx;

    c->refdata_wake = true;
    return refdata_request_instruments(c->p.refdata, venue);
}

static bool
port_fetch_snapshot(void *ctx, const struct instrument *ins, uint32_t levels)
{
    struct core *c = (struct core *)ctx;

    c->refdata_wake = true;
    return refdata_request_depth(c->p.refdata, ins, levels);
}

static bool
port_limits_ask(void *ctx, const struct limits_ask *ask)
{
    struct core *c = (struct core *)ctx;

    if (atomic_load_explicit(&c->limits_asked, memory_order_acquire) != BOX_EMPTY)
        return false;
    c->limits_ask = *ask;
    atomic_store_explicit(&c->limits_asked, BOX_FULL, memory_order_release);
    return true;
}

static void
port_kill_note(void *ctx, const struct kill_note *n)
{
    struct core *c = (struct core *)ctx;

    if (!ring_put(&c->kill_writer, n))
        atomic_fetch_add_explicit(&c->kill_lost, 1, memory_order_relaxed);
}

static bool
port_rest_send(void *ctx, uint16_t venue, const uint8_t *bytes, size_t len)
{
    struct core *c = (struct core *)ctx;

    if (c->p.rest[venue] == NULL || !rest_send(c->p.rest[venue], bytes, len))
        return false;
    loop_bell_ring(c->loop, c->rest_bell[venue]);
    return true;
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static void
on_bytes(void *ctx, uint32_t conn, const uint8_t *bytes, size_t len, mono_ns_t recv)
{
    struct core *c = (struct core *)ctx;
    tap_on_bytes(&c->tap, conn, bytes, len, recv, c->now); /* the turn's stamp, or the earlier one of the bytes */
}

static void
on_closed(void *ctx, uint32_t conn, enum loop_end end, int err)
{
    struct core *c = (struct core *)ctx;
    char text[96];

    (void)snprintf(text, sizeof(text), "%s, errno %d", loop_end_text(end), err);
    tap_on_down(&c->tap, conn, text, c->now);
}

static void
on_lws_up(void *ctx, uint32_t conn)
{
    struct core *c = (struct core *)ctx;

    tap_on_up(&c->tap, conn, c->now);
}

static void
on_lws_down(void *ctx, uint32_t conn, const char *why)
{
    struct core *c = (struct core *)ctx;

    tap_on_down(&c->tap, conn, why, c->now);
}

static void
on_wake(void *ctx, uint64_t token)
{
    (void)ctx;
    (void)token; /* every turn looks at every ring */
}

static void
on_synced(void *ctx, uint64_t token, int res)
{
    struct core *c = (struct core *)ctx;

    if (!journal_sync_done(&c->sync, token, res, c->now)) {
        /* New orders stop for good; what waits for the disk never leaves. */
        tap_journal_failed(&c->tap, c->now);
        return;
    }
    metric_observe_ns(c->p.metrics, METRIC_JOURNAL_SYNC, 0, c->sync.last_ns);
    if (!c->sync_always)
        return;
    loop_cover(c->loop, journal_sync_durable(&c->sync));
    tap_on_durable(&c->tap, journal_sync_durable(&c->sync), c->now);
}

static void
connector_results(struct core *c)
{
    struct connect_result r;

    for (unsigned i = 0; i < RESULTS_PER_TURN && connector_result(c->p.connector, &r); i++) {
        bool wanted = r.generation == c->generation[r.conn];
        if (r.ok != 0 && wanted && !loop_attached(c->loop, r.conn)) {
            loop_attach(c->loop, r.conn, gateway_conn_is_market(r.conn) ? LOOP_MARKET : LOOP_ORDER, &r.handover);
            tap_on_up(&c->tap, r.conn, c->now);
        } else if (r.ok == 0 && wanted) {
            if (r.quiet_s != 0)
                tap_on_quiet(&c->tap, r.conn, r.quiet_s * NS_PER_S, c->now);
            tap_on_down(&c->tap, r.conn, r.fault.text, c->now);
        } else {
            ASSERT(r.ok == 0 || !wanted); /* an old attempt that failed; an old success cannot outlive its cancel */
        }
    }
}

/* Limits that stand beside the definitions: 0 = not stated. */
static void
venue_limits(struct core *c, uint16_t venue, const struct binance_limits *l)
{
    const struct {
        enum venue_budget budget;
        int64_t limit;
        int64_t window_ns;
    } row[] = {
        { VENUE_BUDGET_ORDERS, l->orders_per_10s, 10 * NS_PER_S },
        { VENUE_BUDGET_ORDERS_DAY, l->orders_per_day, INT64_C(86400) * NS_PER_S },
        { VENUE_BUDGET_WEIGHT, l->weight_per_minute, 60 * NS_PER_S },
    };

    for (unsigned i = 0; i < ARRAY_LEN(row); i++)
        if (row[i].limit != 0)
            tap_on_budget(&c->tap, venue, row[i].budget, row[i].limit, row[i].window_ns, c->now);
}

static bool
refdata_results(struct core *c)
{
    struct refdata_result r;

    for (unsigned i = 0; i < RESULTS_PER_TURN; i++) {
        if (!refdata_poll(c->p.refdata, &r))
            return false;
        if (!r.ok && r.quiet_ms != 0)
            tap_on_quiet(&c->tap, GATEWAY_CONN(r.venue, c->p.refdata_role[r.venue]), r.quiet_ms * NS_PER_MS, c->now);
        switch ((enum refdata_kind)r.kind) {
        case REFDATA_INSTRUMENT: tap_on_definition(&c->tap, &r.instrument, c->now); break;
        case REFDATA_INSTRUMENTS_END:
            if (r.ok)
                venue_limits(c, r.venue, &r.limits);
            tap_on_definitions_end(&c->tap, r.venue, r.ok, c->now);
            break;
        case REFDATA_SNAPSHOT: tap_on_snapshot(&c->tap, r.venue, &r.slice, c->now); break;
        }
    }
    return true;
}

/* Answers over HTTP; the body is read where the client left it, before it may be asked again. */
static void
rest_results(struct core *c)
{
    struct rest_answer a;

    for (uint16_t i = 0; i < c->p.gateway_config.venue_count; i++)
        if (c->p.rest[i] != NULL && rest_poll(c->p.rest[i], &a))
            tap_on_rest(&c->tap, i, a.status, a.body, a.len, c->now);
}

static void
session_attach(struct core *c, const struct unix_port_event *e)
{
    struct session_slot *s = &c->session[e->slot];
    struct client_identity id = {
        .client = e->client, .generation = e->generation, .role = e->role, .on_disconnect = e->on_disconnect
    };

    memcpy(id.name, e->name, sizeof(id.name));
    *s = (struct session_slot){ .generation = e->generation,
                                .client = e->client,
                                .bell = loop_bell_open(c->loop, e->socket_fd),
                                .doorbell_fd = e->doorbell_fd,
                                .watch = loop_watch_eventfd(c->loop, e->doorbell_fd, WAKE_DOORBELL),
                                .attached = true };
    tap_attach(&c->tap, e->slot, &id, e->mem, c->now);
    metric_add(c->p.metrics, METRIC_CLIENTS, 0, 1);
    metric_add(c->p.metrics, METRIC_CLIENT_ADMITTED, e->client, 1);
    log_write(c->p.log, LOG_CLIENT_UP, e->name, e->client, e->pid, e->uid);
}

static void
session_detach(struct core *c, uint32_t slot, const char *why)
{
    struct session_slot *s = &c->session[slot];

    if (!s->attached)
        return;
    s->attached = false;
    tap_detach(&c->tap, slot, c->now);
    if (s->bell >= 0)
        loop_bell_close(c->loop, s->bell);
    if (s->watch >= 0)
        loop_unwatch(c->loop, s->watch);
    loop_close_fd(c->loop, s->doorbell_fd);
    unix_port_release(c->p.unix_port, slot, s->generation);
    loop_bell_ring(c->loop, c->release_bell);
    metric_add(c->p.metrics, METRIC_CLIENTS, 0, -1);
    log_write(c->p.log, LOG_CLIENT_DOWN, why, s->client);
}

static void
unix_port_events(struct core *c)
{
    struct unix_port_event e;

    for (unsigned i = 0; i < RESULTS_PER_TURN && unix_port_poll(c->p.unix_port, &e); i++) {
        if (e.kind == UNIX_PORT_ATTACHED)
            session_attach(c, &e);
        else if (c->session[e.slot].attached && c->session[e.slot].generation == e.generation)
            session_detach(c, e.slot, "the client is gone");
    }
}

static void
client_faults(struct core *c)
{
    uint32_t slot;
    enum client_fault why;

    while (client_port_take_fault(c->p.gateway_parts.clients, &slot, &why)) {
        log_write(c->p.log, LOG_CLIENT_BROKEN, client_fault_text(why), c->session[slot].client);
        metric_add(c->p.metrics, METRIC_CLIENT_BROKEN, c->session[slot].client, 1);
        session_detach(c, slot, "it broke the ring protocol");
    }
}

static void
ring_clients(struct core *c)
{
    for (uint64_t set = client_port_doorbells(c->p.gateway_parts.clients); set != 0; set &= set - 1) {
        struct session_slot *s = &c->session[__builtin_ctzll(set)];
        if (s->attached && s->bell >= 0)
            loop_bell_ring(c->loop, s->bell);
    }
}

static void
on_timer(void *ctx, uint32_t id)
{
    struct core *c = (struct core *)ctx;

    tap_on_timer(&c->tap, id, c->now);
}

/* ---- housekeeping ------------------------------------------------------------------------------------------------ */

/* No segment after this one: new orders stop until there is one, what is left of it is for cancels and reports. A
 * medium that has lost something gets no more records at all. */
static void
journal_look(struct core *c)
{
    bool error = journal_file_error(c->p.files, NULL, NULL);
    struct fault f;

    if (likely(!error && !c->journal_error))
        return;
    if (error != c->journal_error) {
        c->journal_error = error;
        if (journal_file_error(c->p.files, NULL, &f))
            log_write(c->p.log, LOG_FAULT, f.text);
        tap_on_journal_full(&c->tap, error, c->now);
    }
    if (journal_file_lost(c->p.files) && !c->p.journal->failed) {
        tap_journal_failed(&c->tap, c->now);
    }
}

/* What is due for the journal's files; a region that it takes by itself is told. */
static void
sync_turn(struct core *c)
{
    bool spare = c->p.journal->next_base != NULL;

    journal_sync_turn(&c->sync, c->now);
    if (unlikely(!spare && c->p.journal->next_base != NULL))
        tap_region(&c->tap, c->p.journal->next_bytes, c->now);
}

static void
journal_turn(struct core *c)
{
    journal_look(c);
    sync_turn(c);
    if (c->now.mono.ns < c->unsynced_next.ns)
        return;
    c->unsynced_next = mono_after(c->now.mono, NS_PER_S);
    metric_set(c->p.metrics, METRIC_JOURNAL_UNSYNCED, 0,
               (int64_t)(c->p.journal->appended_bytes - c->sync.durable_bytes));
}

static void
signals_take(struct core *c)
{
    /* Acquire: what the signaller wrote before (limits) is visible. */
    uint32_t set = atomic_exchange_explicit(&c->signals, 0, memory_order_acquire);

    if (set & 1u << CORE_HALT)
        tap_halt(&c->tap, "signal", c->now);
    if (set & 1u << CORE_HALT_FILE)
        tap_halt(&c->tap, "kill.file appeared", c->now);
    if (set & 1u << CORE_HALT_REDIS)
        tap_halt(&c->tap, "redis", c->now);
    if (set & 1u << CORE_HALT_PROOF)
        tap_halt(&c->tap, "a kill's proof has no release", c->now);
    /* Acquire: what the first thread wrote before. */
    if (unlikely(atomic_load_explicit(&c->limits_answered, memory_order_acquire) == BOX_FULL)) {
        bool taken = tap_limits_answer(&c->tap, &c->limits_answer, &c->limits, c->now);
        atomic_store_explicit(&c->limits_answered, taken ? BOX_IN_FORCE : BOX_REFUSED, memory_order_release);
    }
    if ((set & 1u << CORE_STOP) && !c->stopping) {
        c->stopping = true;
        c->stop_deadline = mono_after(c->now.mono, STOP_MAX_NS);
        tap_stop(&c->tap, true, c->now);
    }
    if (set & 1u << CORE_STOP_NOW)
        c->stop_deadline = c->now.mono;
}

static bool
stop_reached(struct core *c)
{
    if (!c->stopping)
        return false;
    c->all_terminal = gateway_orders_live(c->g) == 0;
    return c->all_terminal || c->now.mono.ns >= c->stop_deadline.ns;
}

static void
behind_metrics(struct core *c)
{
    for (uint64_t set = client_port_attached(c->p.gateway_parts.clients); set != 0; set &= set - 1) {
        uint32_t slot = (uint32_t)__builtin_ctzll(set);
        struct session_slot *s = &c->session[slot];
        uint64_t behind = client_port_behind(c->p.gateway_parts.clients, slot);
        if (behind > s->behind) {
            metric_add(c->p.metrics, METRIC_CLIENT_BEHIND, s->client, (int64_t)(behind - s->behind));
            log_write(c->p.log, LOG_CLIENT_BEHIND, NULL, s->client, 0);
        }
        s->behind = behind;
    }
}

static void
second_metrics(struct core *c, const struct loop_stats *s)
{
    struct tls_memory_stats t = tls_memory_stats();
    const struct client_port_counters *p = client_port_counters(c->p.gateway_parts.clients);

    metric_set(c->p.metrics, METRIC_TLS_POOL, 0, (int64_t)t.bytes_used);
    metric_set(c->p.metrics, METRIC_TLS_POOL_MAX, 0, (int64_t)t.bytes_peak);
    metric_set(c->p.metrics, METRIC_TLS_POOL_FAILURES, 0, (int64_t)t.failures);
    metric_set(c->p.metrics, METRIC_LOOP_TURNS, 0, (int64_t)s->turns);
    metric_set(c->p.metrics, METRIC_RING_DROPS, METRIC_RING_REPORT, (int64_t)p->reports_skipped);
    behind_metrics(c);
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

/* Everything that may put a client, a thread or the kernel to work is done: sleep unless a ring has something. */
static void
sleep_or_go_on(struct core *c)
{
    mono_ns_t until = timer_next(&c->timers);
    mono_ns_t cap = mono_after(c->now.mono, SLEEP_MAX_NS);

    if (cap.ns < until.ns)
        until = cap;
    bool idle = (c->lws.lws == NULL || ws_lws_core_sleep(c->lws.lws)) && connector_core_sleep(c->p.connector) &&
                refdata_core_sleep(c->p.refdata) && unix_port_sleep(c->p.unix_port) &&
                client_port_sleep(c->p.gateway_parts.clients);
    if (idle)
        loop_wait(c->loop, until);
    if (c->lws.lws != NULL)
        ws_lws_core_awake(c->lws.lws);
    connector_core_awake(c->p.connector);
    refdata_core_awake(c->p.refdata);
    unix_port_awake(c->p.unix_port);
    client_port_awake(c->p.gateway_parts.clients);
}

/* Only turns that had work are measured by the loop. */
static void
turn_metrics(struct core *c)
{
    const struct loop_stats *s = loop_stats(c->loop);

    if (s->turns == c->turns)
        return;
    c->turns = s->turns;
    metric_observe_ns(c->p.metrics, METRIC_LOOP_TURN, 0, (int64_t)(s->turn_ns - c->turn_ns));
    tap_on_turn(&c->tap, (int64_t)(s->turn_ns - c->turn_ns), c->now);
    metric_set(c->p.metrics, METRIC_LOOP_TURN_MAX, 0, (int64_t)s->turn_ns_longest);
    c->turn_ns = s->turn_ns;
}

/* Everything prepared goes to the kernel; the orders among it get their stamp. */
static void
submit(struct core *c)
{
    mono_ns_t sent;
    bool any = loop_submit(c->loop, &sent);

    if (c->flushed)
        sent = c->flushed_at;
    else if (!any)
        sent = port_stamp(c); /* nothing for a socket: the paper matcher's orders are on their way by now */
    c->flushed = false;
    tap_on_sent(&c->tap, sent, c->now);
    turn_metrics(c);
}

static void
turn(struct core *c)
{
    const struct loop_handler handler = { .ctx = c, .on_bytes = on_bytes, .on_closed = on_closed };
    const struct transport_handler lws = { .ctx = c, .on_up = on_lws_up, .on_bytes = on_bytes, .on_down = on_lws_down };

    c->now = loop_now(c->loop);
    (void)gateway_look_ahead(c->g);
    c->p.log->wall_ns = c->now.wall.ns;
    loop_reap(c->loop);
    connector_results(c);
    bool more = refdata_results(c);
    rest_results(c);
    unix_port_events(c);
    more |= loop_deliver(c->loop, LOOP_ORDER, ORDER_BYTES, &handler);
    unsigned taken = tap_poll_commands(&c->tap, COMMANDS_PER_TURN, c->now);
    more |= taken == COMMANDS_PER_TURN;
    if (taken > 0) {
        if (c->sync_always)
            sync_turn(c); /* their sync is in the same call */
        submit(c);        /* now, not behind a burst of market data */
    }
    more |= loop_deliver(c->loop, LOOP_MARKET, c->market_budget, &handler);
    more |= transport_lws_deliver(&c->lws, c->market_budget, &lws);
    more |= timer_expire(&c->timers, c->now.mono, TIMERS_PER_TURN, on_timer, c);
    more |= tap_work(&c->tap, c->now);
    client_faults(c);
    signals_take(c);
    journal_turn(c);
    ring_clients(c);
    if (c->connector_wake && connector_wake_needed(c->p.connector))
        loop_bell_ring(c->loop, c->connector_bell);
    c->connector_wake = false;
    if (c->lws.asked && ws_lws_wake_needed(c->lws.lws))
        loop_bell_ring(c->loop, c->lws_bell);
    c->lws.asked = false;
    if (c->refdata_wake && refdata_wake_needed(c->p.refdata))
        loop_bell_ring(c->loop, c->refdata_bell);
    c->refdata_wake = false;
    submit(c);
    ring_clients(c);
    if (more)
        return;
    if (c->loop_config.busy)
        gateway_rehearse(c->g, c->now);
    sleep_or_go_on(c);
}

static void
arm(struct core *c)
{
    const struct loop_events events = { .ctx = c, .on_wake = on_wake, .on_synced = on_synced };

    tls_memory_bind(true);
    c->loop = loop_init(&c->loop_config, &events, &c->loop_arena, &c->start_fault);
    if (c->loop == NULL)
        return;
    ASSERT(loop_watch_eventfd(c->loop, c->p.doorbell_fd, WAKE_DOORBELL) >= 0);
    ASSERT(loop_watch_eventfd(c->loop, connector_result_fd(c->p.connector), WAKE_CONNECTOR) >= 0);
    ASSERT(loop_watch_eventfd(c->loop, refdata_result_fd(c->p.refdata), WAKE_REFDATA) >= 0);
    c->connector_bell = loop_bell_open(c->loop, connector_request_fd(c->p.connector));
    c->refdata_bell = loop_bell_open(c->loop, refdata_request_fd(c->p.refdata));
    c->release_bell = loop_bell_open(c->loop, unix_port_release_fd(c->p.unix_port));
    for (unsigned i = 0; i < VENUE_MAX; i++) {
        if (c->p.rest[i] == NULL)
            continue;
        ASSERT(loop_watch_eventfd(c->loop, rest_result_fd(c->p.rest[i]), WAKE_REST) >= 0);
        c->rest_bell[i] = loop_bell_open(c->loop, rest_request_fd(c->p.rest[i]));
        ASSERT(c->rest_bell[i] >= 0);
    }
    if (c->lws.lws != NULL) {
        ASSERT(loop_watch_eventfd(c->loop, ws_lws_result_fd(c->lws.lws), WAKE_LWS) >= 0);
        c->lws_bell = loop_bell_open(c->loop, ws_lws_request_fd(c->lws.lws));
        ASSERT(c->lws_bell >= 0);
    }
    ASSERT(c->connector_bell >= 0 && c->refdata_bell >= 0 && c->release_bell >= 0);
    c->now = loop_now(c->loop);
    timer_init(&c->timers, GATEWAY_TIMERS(c->p.gateway_config.order_slots), &c->loop_arena, c->now.mono);
    arena_seal(&c->loop_arena);
}

static void *
core_thread(void *ctx)
{
    struct core *c = (struct core *)ctx;
    uint64_t turns = 0;

    if (c->p.config->loop.cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)c->p.config->loop.cpu, &set);
        if (sched_setaffinity(0, sizeof(set), &set) != 0)
            log_write(c->p.log, LOG_WARNING, "loop.cpu: this core cannot be used; running unbound");
    }
    arm(c);
    if (c->loop == NULL) {
        atomic_store_explicit(&c->started, 2, memory_order_release);
        return NULL;
    }
    tap_start(&c->tap, c->now);
    signals_take(c); /* what was known before: nothing comes ahead of it */
    atomic_store_explicit(&c->started, 1, memory_order_release);
    armed_begin();
    do {
        turn(c);
        if ((++turns & 255) == 0 || c->stopping)
            second_metrics(c, loop_stats(c->loop));
    } while (!stop_reached(c));
    armed_end();
    if (c->all_terminal)
        tap_control(&c->tap, CONTROL_STOP, 0, "every order is terminal", c->now);
    tap_end(&c->tap, c->now);
    atomic_store_explicit(&c->ended, true, memory_order_release);
    return NULL;
}

/* ---- start and end ----------------------------------------------------------------------------------------------- */

static struct loop_config
loop_config_of(const struct config *c, const struct gateway_config *g)
{
    return (struct loop_config){
        .conn_max = gateway_conns(g),
        .recv_buffer_count = { [LOOP_ORDER] = 64, [LOOP_MARKET] = LOOP_MARKET_BUFFERS },
        .recv_buffer_bytes = 16384,
        .send_buffer_bytes = 131072,
        .hold_messages = c->journal.sync == SYNC_ALWAYS ? GATEWAY_HELD_MAX : 0,
        .hold_bytes = GATEWAY_HELD_BYTES,
        .watch_max =
            2 * CLIENT_SESSION_MAX + 4 + VENUE_MAX, /* an ended session's is free again when its cancel completes */
        .bell_max = CLIENT_SESSION_MAX + 5 + VENUE_MAX,
        .close_linger_ms = 200,
        .busy = c->loop.mode == LOOP_BUSY,
    };
}

static size_t
loop_arena_bytes(const struct config *c, const struct gateway_config *g)
{
    struct loop_config l = loop_config_of(c, g);

    return loop_footprint(&l) + timer_footprint(GATEWAY_TIMERS(g->order_slots));
}

size_t
core_footprint(const struct config *c, const struct gateway_config *g)
{
    return arena_cost(sizeof(struct core)) + gateway_footprint(g) + arena_cost(loop_arena_bytes(c, g)) +
           arena_cost(ring_footprint(KILL_NOTES_HELD, sizeof(struct kill_note)));
}

static enum journal_sync_policy
sync_policy(const struct config *c)
{
    return c->journal.sync == SYNC_ALWAYS     ? JOURNAL_SYNC_ALWAYS
           : c->journal.sync == SYNC_INTERVAL ? JOURNAL_SYNC_INTERVAL
                                              : JOURNAL_SYNC_NONE;
}

struct core *
core_init(const struct core_parts *parts, struct arena *arena)
{
    struct core *c = (struct core *)arena_take(arena, sizeof(*c));

    c->p = *parts;
    _Static_assert(GATEWAY_CONNS <= WS_LWS_CONNS, "one id means one connection on both transports");
    transport_lws_init(&c->lws, parts->lws, &parts->lws_config);
    c->market_budget = (size_t)parts->config->loop.md_batch * MESSAGE_BYTES;
    c->loop_config = loop_config_of(parts->config, &parts->gateway_config);
    const struct gateway_port port = {
        .ctx = c,
        .conn_open = port_conn_open,
        .conn_close = port_conn_close,
        .send_reserve = port_send_reserve,
        .send_commit = port_send_commit,
        .send_withdraw = port_send_withdraw,
        .flush = port_flush,
        .timer_arm = port_timer_arm,
        .kill_note = port_kill_note,
        .limits_ask = port_limits_ask,
        .journal_next = port_journal_next,
        .stamp = port_stamp,
        .rest_send = port_rest_send,
        .fetch_instruments = port_fetch_instruments,
        .fetch_snapshot = port_fetch_snapshot,
    };
    c->p.gateway_parts.port = tap_init(&c->tap, &port, &c->p.gateway_parts, parts->record);
    c->sync_always = parts->config->journal.sync == SYNC_ALWAYS;
    journal_sync_init(&c->sync, parts->journal, parts->files, &parts->region, sync_policy(parts->config),
                      parts->config->journal.sync_interval_ms * NS_PER_MS,
                      &(struct journal_sync_ops){ .ctx = c, .fsync = sync_fsync });
    struct ring_mem *notes =
        (struct ring_mem *)arena_take(arena, ring_footprint(KILL_NOTES_HELD, sizeof(struct kill_note)));
    ring_init(notes, 0);
    ring_writer_init(&c->kill_writer, notes, 0, KILL_NOTES_HELD, sizeof(struct kill_note));
    ring_reader_init(&c->kill_reader, notes, 0, KILL_NOTES_HELD, sizeof(struct kill_note));
    c->g = gateway_init(&c->p.gateway_config, &c->p.gateway_parts, arena);
    tap_bind(&c->tap, c->g);
    c->loop_arena.size = loop_arena_bytes(parts->config, &parts->gateway_config);
    c->loop_arena.base = (uint8_t *)arena_take(arena, c->loop_arena.size);
    return c;
}

bool
core_start(struct core *c, struct fault *fault, int *exit_code)
{
    *exit_code = EXIT_FAILED;
    if (pthread_create(&c->thread, NULL, core_thread, c) != 0)
        return FAULT(fault, "the core thread cannot be started: %s", strerror(errno));
    (void)pthread_setname_np(c->thread, "execgw-core");
    while (atomic_load_explicit(&c->started, memory_order_acquire) == 0)
        (void)usleep(1000);
    if (atomic_load_explicit(&c->started, memory_order_acquire) == 1)
        return true;
    (void)pthread_join(c->thread, NULL);
    *fault = c->start_fault;
    *exit_code = EXIT_UNAVAILABLE;
    return false;
}

void
core_signal(struct core *c, enum core_signal what)
{
    uint64_t one = 1;

    atomic_fetch_or_explicit(&c->signals, 1u << what, memory_order_release);
    if (write(c->p.doorbell_fd, &one, sizeof(one)) < 0)
        return; /* a full counter wakes just as well */
}

bool
core_take_limits_ask(struct core *c, struct limits_ask *out)
{
    if (atomic_load_explicit(&c->limits_asked, memory_order_acquire) != BOX_FULL)
        return false;
    *out = c->limits_ask;
    atomic_store_explicit(&c->limits_asked, BOX_EMPTY, memory_order_release);
    return true;
}

bool
core_answer_limits(struct core *c, const struct limits_answer *a, const struct risk_limits *l)
{
    if (atomic_load_explicit(&c->limits_answered, memory_order_acquire) != BOX_EMPTY)
        return false;
    c->limits_answer = *a;
    if (l != NULL)
        c->limits = *l;
    atomic_store_explicit(&c->limits_answered, BOX_FULL, memory_order_release);
    core_signal(c, CORE_LIMITS);
    return true;
}

bool
core_limits_settled(struct core *c, bool *in_force)
{
    uint32_t box = atomic_load_explicit(&c->limits_answered, memory_order_acquire);

    if (box != BOX_REFUSED && box != BOX_IN_FORCE)
        return false;
    *in_force = box == BOX_IN_FORCE;
    atomic_store_explicit(&c->limits_answered, BOX_EMPTY, memory_order_release);
    return true;
}

bool
core_kill_note(struct core *c, struct kill_note *out, uint64_t *lost)
{
    *lost = atomic_load_explicit(&c->kill_lost, memory_order_relaxed);
    return ring_get(&c->kill_reader, out);
}

bool
core_ended(const struct core *c)
{
    return atomic_load_explicit(&c->ended, memory_order_acquire);
}

uint32_t
core_join(struct core *c)
{
    (void)pthread_join(c->thread, NULL);
    loop_exit(c->loop); /* system calls: not the armed thread's */
    return gateway_orders_live(c->g);
}
