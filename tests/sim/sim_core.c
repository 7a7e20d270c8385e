/* The gateway under test: built as main builds it, driven a turn at a time, killed, and started again from the bytes of
 * its journal.
 *
 * What a turn sends leaves at its end. A crash within a turn leaves the journal as it stood after any of the turn's
 * records (its next one torn), and any of the sends that were made by then. */
#include "engine/oms/journal_snapshot.h"
#include "tests/sim/sim.h"

#include <stdlib.h>

#define ARENA_BYTES       ((size_t)32 << 20)
#define MD_RING           1024u
#define INSTRUMENTS       8u
#define COMMANDS_PER_TURN 64u
#define SNAPSHOT_BYTES    ((size_t)4 << 20)
#define CRASH_DOWN_MAX_NS (20 * NS_PER_S)

static struct sim *
sim_of(void *ctx)
{
    return (struct sim *)ctx;
}

/* ---- actions ----------------------------------------------------------------------------------------------------- */

static void
port_open(void *ctx, uint32_t conn)
{
    wire_open(sim_of(ctx), conn);
}

static void
port_close(void *ctx, uint32_t conn)
{
    wire_close_by_core(sim_of(ctx), conn);
}

static uint8_t *
port_reserve(void *ctx, uint32_t conn, size_t bytes)
{
    struct sim *s = sim_of(ctx);
    struct core_rig *c = &s->core;
    uint32_t w = c->wire[conn];

    if (w == SIM_NONE || !s->wire[w].core_up || c->no_room || bytes > sizeof(c->buffer) || c->outs == SIM_OUTS)
        return NULL;
    return c->buffer;
}

/* What one frame of the core says, unmasked; NULL when it is no text. */
static const char *
frame_text(struct sim *s, const uint8_t *f, size_t n, size_t *len)
{
    size_t head = 2;

    if (n < 6 || (f[0] & 0x0f) != 1)
        return NULL;
    *len = f[1] & 0x7fu;
    if (*len == 126) {
        *len = (size_t)f[2] << 8 | f[3];
        head = 4;
    }
    if (n != head + 4 + *len)
        sim_fail(s, "the core sends a frame whose length is not its own");
    char *text = (char *)sim_take(s, *len + 1);
    for (size_t i = 0; i < *len; i++)
        text[i] = (char)(f[head + 4 + i] ^ f[head + i % 4]);
    text[*len] = '\0';
    return text;
}

static void
port_commit(void *ctx, uint32_t conn, size_t bytes, uint64_t cover_seq)
{
    struct sim *s = sim_of(ctx);
    struct core_rig *c = &s->core;
    size_t len = 0;

    uint8_t *data = (uint8_t *)sim_take(s, bytes);
    memcpy(data, c->buffer, bytes);
    struct out *o = &c->out[c->outs++];
    *o = (struct out){ .wire = c->wire[conn],
                       .len = (uint32_t)bytes,
                       .data = data,
                       .seq = c->journal.seq,
                       .cover = cover_seq,
                       .mine = SIM_NONE };
    if (conn % 2 != CONN_ROLE_ORDER)
        return;
    const char *text = frame_text(s, data, bytes, &len);
    if (text == NULL)
        return;
    if (s->oracle.ban_known_until_ns > venue_clock(s))
        sim_fail(s, "a request is sent %lld ms before the end of a ban that the venue has told of: %.60s",
                 (long long)((s->oracle.ban_known_until_ns - venue_clock(s)) / NS_PER_MS), text);
    check_journal(s);
    if (s->kraken)
        kraken_peek(s, text, len, o);
    else
        binance_peek(s, text, len, o);
    if (o->mine != SIM_NONE) { /* from here on its answer is awaited over this wire, even while it waits for the disk */
        struct mine *m = &s->oracle.mine[o->mine];
        m->changed_wire = o->wire;
        if (o->kind == OUT_NEW && m->target != SIM_NONE)
            s->oracle.mine[m->target].changed_wire = o->wire;
    }
}

static bool
port_withdraw(void *ctx, uint32_t conn, uint64_t cover_seq)
{
    struct core_rig *c = &sim_of(ctx)->core;

    for (uint32_t i = 0; i < c->outs; i++) {
        if (c->out[i].wire != c->wire[conn] || c->out[i].cover != cover_seq || cover_seq <= c->durable_seq)
            continue;
        memmove(&c->out[i], &c->out[i + 1], (--c->outs - i) * sizeof(c->out[0]));
        return true;
    }
    return false;
}

static void
port_timer(void *ctx, uint32_t timer, mono_ns_t at)
{
    sim_of(ctx)->core.timer[timer] = at;
}

static uint8_t *
segment_new(struct sim *s)
{
    struct core_rig *c = &s->core;

    if (c->segments == SIM_SEGMENTS)
        sim_fail(s, "a journal of more than %u segments", SIM_SEGMENTS);
    uint8_t **seg = &c->segment[c->segments++];
    if (*seg == NULL)
        *seg = (uint8_t *)aligned_alloc(4096, SIM_SEGMENT);
    memset(*seg, 0, SIM_SEGMENT);
    return *seg;
}

static bool
port_journal_next(void *ctx, struct now now)
{
    struct sim *s = sim_of(ctx);
    struct core_rig *c = &s->core;

    if (!c->disk_full && sim_fate(s, FATE_journal_full)) {
        sim_trace(s, "the disk is full");
        c->disk_full = true;
    }
    return !c->disk_full && journal_region(&c->journal, segment_new(s), SIM_SEGMENT, now);
}

static mono_ns_t
port_stamp(void *ctx)
{
    return host_clock(sim_of(ctx)).mono;
}

static bool
port_instruments(void *ctx, uint16_t venue)
{
    struct sim *s = sim_of(ctx);

    (void)venue;
    s->core.fetching = true;
    sim_at(s, s->t + 2 * s->latency_ns, EV_DEFINITIONS, 0, s->core.starts, NULL, 0);
    return true;
}

static bool
port_snapshot(void *ctx, const struct instrument *ins, uint32_t levels)
{
    struct sim *s = sim_of(ctx);

    (void)levels;
    sim_at(s, s->t + s->latency_ns, EV_SNAPSHOT, ins->id, 0, NULL, 0);
    return true;
}

/* One at a time; a core that dies forgets it. */
static bool
port_rest(void *ctx, uint16_t venue, const uint8_t *bytes, size_t len)
{
    struct sim *s = sim_of(ctx);

    (void)venue;
    if (s->core.asking)
        sim_fail(s, "a second HTTP request before the first is answered");
    s->core.asking = true;
    char *copy = (char *)sim_take(s, len + 1);
    memcpy(copy, bytes, len);
    copy[len] = '\0';
    sim_at(s, s->t + s->latency_ns, EV_REST, 0, s->core.starts, copy, (uint32_t)len);
    return true;
}

void
core_rest_back(struct sim *s, const struct event *e)
{
    if (!s->core.alive || e->b != s->core.starts)
        return;
    s->core.asking = false;
    core_begin(s);
    gateway_on_rest(s->core.g, 0, e->a, (const uint8_t *)e->data, e->len, host_clock(s));
    core_end(s);
}

/* ---- start ------------------------------------------------------------------------------------------------------- */

static void
set_limits(struct sim *s)
{
    static struct risk_limits l;
    struct fault fault;

    limits_default(&l);
    l.version = 1;
    (void)snprintf(l.reporting, sizeof(l.reporting), "%s", s->kraken ? "USD" : "USDT"); /* results are kept */
    l.instrument_default.order_notional_max = 1000000 * VALUE_ONE;
    l.instrument_default.order_qty_max = 1000 * VALUE_ONE;
    l.instrument_default.position_long_max = s->position_max;
    l.instrument_default.position_short_max = s->position_max;
    l.instrument_default.collar_ppm = 20000;
    l.client_default.denied_rate = (struct rate_limit){ .per_s = 10000, .burst = 10000 }; /* every denial is told */
    if (!risk_set_limits(s->core.risk, &l, host_clock(s), &fault))
        sim_fail(s, "limits: %s", fault.text);
}

static const struct journal_identity *
identity(void)
{
    static struct journal_identity who = { .mode = JOURNAL_LIVE, .account_count = 1, .venue_count = 1 };

    memcpy(who.instance, "01", 2);
    return &who;
}

static void
replay_delta(void *ctx, const struct order_delta *d)
{
    risk_apply(sim_of(ctx)->core.risk, d);
}

static void
replay_record(void *ctx, const struct journal_record *rec)
{
    struct sim *s = sim_of(ctx);
    struct core_rig *c = &s->core;
    struct now now = { { rec->mono_ns }, { rec->wall_ns } };
    struct fault fault;

    risk_replay(c->risk, rec);
    if (rec->type == JOURNAL_DEF_INSTRUMENT) {
        struct instrument ins;
        memcpy(&ins, rec->payload, sizeof(ins));
        if (!route_restore(&c->route, &ins) || !risk_set_instrument(c->risk, &c->route.table[ins.id], now, &fault))
            sim_fail(s, "journal: instrument %u cannot be restored", ins.id);
    } else if (rec->type == JOURNAL_DEF_CURRENCY) {
        const struct journal_name *n = (const struct journal_name *)rec->payload;
        (void)route_restore_currency(&c->route, (uint16_t)n->id, n->name);
    }
}

static void
names_define(struct sim *s)
{
    struct journal_name n = { .name = "main" };

    (void)journal_append(&s->core.journal, JOURNAL_DEF_ACCOUNT, &n, sizeof(n), host_clock(s));
    n = (struct journal_name){ .name = "binance" };
    (void)journal_append(&s->core.journal, JOURNAL_DEF_VENUE, &n, sizeof(n), host_clock(s));
}

uint32_t
core_disk(const struct core_rig *c, uint32_t used, struct journal_segment out[SIM_SEGMENTS])
{
    uint32_t first = c->snapshot_bytes != 0 ? c->snapshot_to + 1 : 0;
    uint32_t n = 0;

    if (c->snapshot_bytes != 0)
        out[n++] = (struct journal_segment){ c->snapshot[0], c->snapshot_bytes, "snapshot" };
    for (uint32_t i = first; i < used; i++)
        out[n++] = (struct journal_segment){ c->segment[i], SIM_SEGMENT, "simulated" };
    return n;
}

/* Finished segments, an older snapshot with them, become one: what start-up does before the journal is read. */
static void
compact(struct sim *s, uint32_t used)
{
    static struct arena arena;
    struct core_rig *c = &s->core;
    struct order_counts oc = {
        .live_max = SIM_LIVE, .done_kept = s->done_kept, .trades_kept = SIM_VTRADES, .keys_kept = s->keys_kept
    };
    struct journal_segment segment[SIM_SEGMENTS];
    struct journal_segment_header next;
    struct fault fault = { "" };
    uint32_t first = c->snapshot_bytes != 0 ? c->snapshot_to + 1 : 0;

    if (used < first + 3 || !sim_fate(s, FATE_compacts))
        return;
    uint32_t to = first + 1 + (uint32_t)sim_any(s, used - first - 2);
    if (arena.base == NULL) {
        arena.size = (size_t)64 << 20;
        arena.base = (uint8_t *)aligned_alloc(4096, arena.size);
        for (unsigned i = 0; i < 2; i++)
            c->snapshot[i] = (uint8_t *)aligned_alloc(4096, SNAPSHOT_BYTES);
    }
    memcpy(&next, c->segment[to + 1], sizeof(next));
    arena.used = 0;
    struct journal_snapshot *snap = journal_snapshot_init(&oc, "01", &arena);
    uint32_t count = core_disk(c, to + 1, segment);
    if (!journal_snapshot_gather(snap, segment, count, &fault))
        sim_fail(s, "the journal cannot be summed up: %s", fault.text);
    size_t bytes = journal_snapshot_bytes(snap);
    if (bytes > SNAPSHOT_BYTES || !journal_snapshot_gains(snap))
        return;
    uint8_t *made = c->snapshot[1];
    memset(made, 0, bytes);
    journal_snapshot_write(snap, made, bytes, "sim", host_clock(s));
    c->snapshot[1] = c->snapshot[0];
    c->snapshot[0] = made;
    c->snapshot_bytes = bytes;
    c->snapshot_to = to;
    struct journal_segment sum = { made, bytes, "snapshot" };
    check_alike(s, segment, count, &sum, 1);
    c->snapshot_seq = next.first_seq - 1;
    c->disk_seq = MAX(c->disk_seq, c->snapshot_seq);
    c->snapshots++;
    sim_trace(s, "segments up to %u become a snapshot, up to record %llu", to, (unsigned long long)c->snapshot_seq);
}

/* What is on the disk becomes orders, positions and the place to go on. */
static void
journal_open(struct sim *s)
{
    struct core_rig *c = &s->core;
    const struct journal_replay_ops ops = { .ctx = s, .delta = replay_delta, .record = replay_record };
    struct journal_segment segment[SIM_SEGMENTS];
    struct journal_replayed got;
    struct fault fault = { "" };
    static const uint8_t hash[32];
    uint32_t used = 0;

    for (uint32_t i = 0; i < c->segments; i++)
        for (size_t k = 0; k < sizeof(struct journal_segment_header); k++)
            if (c->segment[i][k] != 0)
                used = i + 1;
    compact(s, used);
    if (!journal_replay(segment, core_disk(c, used, segment), identity(), c->orders, &ops, &got, &fault))
        sim_fail(s, "the journal cannot be replayed: %s", fault.text);
    risk_restored(c->risk, host_clock(s));
    c->quiet_until_ns = got.quiet_until_ns[0];
    if (got.killed)
        kill_trip(risk_kill(c->risk));
    c->segments = used;
    c->last_term = clordid_next_term(got.last_term, host_clock(s).wall.ns);
    journal_init(&c->journal, identity(), "sim", hash, c->last_term, got.last_seq, got.next_segment_index);
    (void)journal_region(&c->journal, segment_new(s), SIM_SEGMENT, host_clock(s));
    if (got.records == 0)
        names_define(s);
    sim_trace(s, "start %u: %llu records, term %u, %u live, %u unknown%s", c->starts, (unsigned long long)got.records,
              c->last_term, got.live, got.unknown, got.torn ? ", torn tail" : "");
}

static void
memory(struct core_rig *c)
{
    if (c->arena.base == NULL) {
        c->arena.size = ARENA_BYTES;
        c->arena.base = (uint8_t *)aligned_alloc(4096, ARENA_BYTES);
        c->market = aligned_alloc(4096, (md_shm_footprint(MD_RING, INSTRUMENTS) + 4095) & ~(size_t)4095);
        c->metrics = (struct metric_page *)aligned_alloc(4096, (sizeof(struct metric_page) + 4095) & ~(size_t)4095);
    }
    c->arena.used = 0;
    c->arena.sealed = false;
    memset(c->market, 0, md_shm_footprint(MD_RING, INSTRUMENTS));
    memset(c->metrics, 0, sizeof(struct metric_page));
}

static struct session_config
session_config(bool order)
{
    return (struct session_config){ .backoff_min_ns = 100 * NS_PER_MS,
                                    .backoff_max_ns = 2 * NS_PER_S,
                                    .connect_max_ns = 5 * NS_PER_S,
                                    .step_max_ns = 5 * NS_PER_S,
                                    .answer_max_ns = 3 * NS_PER_S,
                                    .silence_max_ns = 10 * NS_PER_S,
                                    .stable_ns = 20 * NS_PER_S,
                                    .step_count = order ? 4 : 0 };
}

static void
gateway_build(struct sim *s)
{
    struct core_rig *c = &s->core;
    struct fault fault = { "" };
    struct venue_config vc = {
        .account = SIM_ACCOUNT,
        .recv_window_ms = (uint32_t)(s->recv_window_ns / NS_PER_MS),
        .seed = c->last_term,
        .keys = { .api_key = "simulatedKey0123456789",
                  .secret = (const uint8_t *)(s->kraken ? "c2ltdWxhdGVkU2VjcmV0" : "simulatedSecret"),
                  .secret_bytes = s->kraken ? 20 : 15 },
        .instruments = { .table = c->route.table, .count = INSTRUMENTS },
        .orders_max = SIM_SLOTS * 2,
        .trades_page = s->trades_page,
    };
    const struct venue_ops *ops = s->kraken ? &venue_kraken : &venue_binance;
    struct gateway_parts parts = {
        .route = &c->route,
        .risk = c->risk,
        .orders = c->orders,
        .journal = &c->journal,
        .feed = { c->feed },
        .clients = c->clients,
        .md = &c->md,
        .metrics = c->metrics,
        .port = { .ctx = s,
                  .conn_open = port_open,
                  .conn_close = port_close,
                  .send_reserve = port_reserve,
                  .send_commit = port_commit,
                  .send_withdraw = port_withdraw,
                  .timer_arm = port_timer,
                  .journal_next = port_journal_next,
                  .stamp = port_stamp,
                  .fetch_instruments = port_instruments,
                  .fetch_snapshot = port_snapshot,
                  .rest_send = port_rest },
    };
    struct gateway_config gc = { .venue_count = 1,
                                 .order_slots = SIM_SLOTS,
                                 .accounts = 1,
                                 .instance = "01",
                                 .term = c->last_term,
                                 .durable_first = s->durable,
                                 .new_journal = true, /* a cut may take the cursor of the first sight along */
                                 .seed = s->seed };
    gc.venue[0] = (struct gateway_venue_config){
        .name = "binance",
        .ops = ops,
        .adapter = ops->init(&vc, &c->arena, &fault),
        .account = SIM_ACCOUNT,
        .foreign = s->foreign,
        .cancel_reserve_percent = s->reserve_percent,
        .http_calls_max = s->http.max,
        .http_calls_ns = s->http.max * s->http.per_ns,
        .deadman_ns = s->deadman_ns,
        .quiet_until_ns = c->quiet_until_ns,
        .snapshot_levels = 100,
        .recv_window_ns = s->recv_window_ns,
        .request_timeout_ns = 2 * NS_PER_S,
        .unknown_margin_ns = 2 * NS_PER_S,
        .refresh_ns = 20 * NS_PER_S,
        .clock_ns = 5 * NS_PER_S,
        .audit_ns = 10 * NS_PER_S,
        .market = session_config(false),
        .order = session_config(true),
    };
    if (gc.venue[0].adapter == NULL)
        sim_fail(s, "adapter: %s", fault.text);
    c->adapter = gc.venue[0].adapter;
    c->g = gateway_init(&gc, &parts, &c->arena);
}

void
core_start(struct sim *s)
{
    struct core_rig *c = &s->core;
    struct risk_counts rc = { .accounts = 1, .instruments = INSTRUMENTS };
    struct order_counts oc = {
        .live_max = SIM_LIVE, .done_kept = s->done_kept, .trades_kept = s->trades_kept, .keys_kept = s->keys_kept
    };
    struct feed_config fc = feed_config_default(INSTRUMENTS);
    struct client_port_config cc = { .sessions_max = SIM_SESSIONS,
                                     .command_capacity = SIM_COMMANDS,
                                     .report_capacity = SIM_REPORTS };
    struct fault fault = { "" };

    memory(c);
    c->starts++;
    budget_core_starts(s);
    c->disk_full = false;
    c->no_room = false;
    c->paused_until = 0;
    c->outs = 0;
    c->fetching = false;
    c->asking = false;
    c->syncing = false;
    c->durable_seq = 0;
    c->pending = false;
    for (uint32_t i = 0; i < ARRAY_LEN(c->timer); i++)
        c->timer[i] = MONO_NEVER;
    for (uint32_t i = 0; i < GATEWAY_CONNS; i++)
        c->wire[i] = SIM_NONE;
    if (s->kraken)
        fc = feed_config_checked(&feed_kraken, INSTRUMENTS, 10);
    else
        fc.levels_max = fc.snapshot_limit = 128;
    route_init(&c->route, INSTRUMENTS, &c->arena);
    c->risk = risk_init(&rc, &c->arena);
    set_limits(s);
    c->orders = order_table_init(&oc, "01", &c->arena);
    c->feed = feed_init(&fc, &c->arena, &fault);
    if (c->feed == NULL)
        sim_fail(s, "feed: %s", fault.text);
    c->clients = client_port_init(&cc, &c->arena);
    md_writer_init(&c->md, c->market, MD_RING, INSTRUMENTS);
    journal_open(s);
    risk_arm(c->risk, true);
    gateway_build(s);
    for (uint32_t i = 0; i < c->route.count; i++)
        (s->kraken ? &venue_kraken : &venue_binance)->on_instrument(c->adapter, &c->route.table[i]);
    arena_seal(&c->arena);
    c->alive = true;
    check_started(s);
    core_begin(s);
    gateway_start(c->g, host_clock(s));
    core_end(s);
}

void
core_release(struct sim *s)
{
    struct core_rig *c = &s->core;

    free(c->arena.base);
    free(c->market);
    free(c->metrics);
    for (uint32_t i = 0; i < SIM_SEGMENTS; i++)
        free(c->segment[i]);
    for (unsigned i = 0; i < 2; i++)
        free(c->snapshot[i]);
}

void
core_attach(struct sim *s, uint32_t session)
{
    struct client *k = &s->client[session];
    struct client_identity id = {
        .client = k->client,
        .role = session == SIM_OPERATOR ? ROLE_OPERATOR : ROLE_STRATEGY,
        .generation = ++k->generation,
        .on_disconnect = k->on_disconnect,
        .name = "simulated",
    };
    size_t bytes = session_bytes(SIM_COMMANDS, SIM_REPORTS);

    if (k->mem == NULL)
        k->mem = aligned_alloc(4096, bytes);
    memset(k->mem, 0, bytes);
    ring_writer_init(&k->command, (struct ring_mem *)k->mem, 0, SIM_COMMANDS, sizeof(struct command));
    ring_reader_init(&k->report, (struct ring_mem *)(void *)((uint8_t *)k->mem + session_report_offset(SIM_COMMANDS)),
                     0, SIM_REPORTS, sizeof(struct report));
    k->client_seq = 0;
    k->attached = true;
    client_port_attach(s->core.clients, session, &id, k->mem);
}

/* ---- crash ------------------------------------------------------------------------------------------------------- */

/* Where record `seq` begins; false when there is none. */
static bool
record_find(const struct sim *s, uint64_t seq, uint32_t *segment, size_t *offset)
{
    const struct core_rig *c = &s->core;
    struct journal_record_header h;

    for (uint32_t i = c->segments; i-- > 0;) {
        size_t at = sizeof(struct journal_segment_header);
        while (at + sizeof(h) <= SIM_SEGMENT) {
            memcpy(&h, c->segment[i] + at, sizeof(h));
            if (h.bytes == 0)
                break;
            if (h.seq == seq) {
                *segment = i;
                *offset = at;
                return true;
            }
            if (h.seq > seq)
                break; /* in an earlier segment */
            at += h.bytes;
        }
    }
    return false;
}

/* The journal ends before record `seq`, of which some bytes may stand. */
static void
journal_cut(struct sim *s, uint64_t seq)
{
    struct core_rig *c = &s->core;
    struct journal_record_header h;
    uint32_t segment;
    size_t at;

    if (!record_find(s, seq, &segment, &at))
        return;
    memcpy(&h, c->segment[segment] + at, sizeof(h));
    size_t keep = (size_t)sim_any(s, h.bytes);
    for (uint32_t i = segment + 1; i < c->segments; i++)
        memset(c->segment[i], 0, SIM_SEGMENT);
    memset(c->segment[segment] + at + keep, 0, SIM_SEGMENT - at - keep);
    if (sim_any(s, 2) == 0) /* the mark of a whole record is written last */
        memset(c->segment[segment] + at, 0, 8);
    sim_trace(s, "the journal is cut before record %llu, %zu bytes of it stand", (unsigned long long)seq, keep);
}

static void
outs_leave(struct sim *s, uint64_t seq)
{
    struct core_rig *c = &s->core;

    uint32_t held = 0;

    for (uint32_t i = 0; i < c->outs; i++) {
        const struct out *o = &c->out[i];
        if (o->wire == SIM_NONE || !s->wire[o->wire].core_up || s->wire[o->wire].closing)
            continue;
        if (o->cover > c->durable_seq) {
            if (o->kind == OUT_CANCEL)
                sim_fail(s, "a cancel of %s waits for the disk", s->oracle.mine[o->mine].clordid);
            c->out[held++] = *o;
            continue;
        }
        if (o->seq > seq && !s->durable)
            continue;
        check_sent(s, o);
        wire_up(s, o->wire, o->data, o->len);
    }
    c->outs = held;
}

/* The process ends here and now. torn: within the turn that has just run. */
void
core_crash(struct sim *s, bool torn)
{
    struct core_rig *c = &s->core;
    uint64_t last = c->journal.seq;

    s->crashes++;
    bool power =
        torn && s->durable && sim_any(s, 2) == 0; /* what was not on the disk is lost, whenever it was written */
    uint64_t from = power ? MAX(c->durable_seq, c->disk_seq) : c->turn_seq;
    if (torn && last > from) {
        uint64_t keep = from + sim_any(s, last - from);
        bool leave = sim_any(s, 2) == 0;
        sim_trace(s, "CRASH within a turn, after record %llu of %llu to %llu", (unsigned long long)keep,
                  (unsigned long long)from, (unsigned long long)last);
        check_cut(s, keep);
        s->oracle.ban_known_until_ns = 0; /* its record may have gone */
        if (leave)
            outs_leave(s, keep);
        journal_cut(s, keep + 1);
    } else {
        sim_trace(s, "CRASH after record %llu", (unsigned long long)last);
        check_journal(s);
        if (sim_any(s, 2) == 0)
            outs_leave(s, last);
    }
    c->outs = 0;
    c->alive = false;
    wire_core_died(s);
    clients_core_died(s);
    sim_at(s, s->t + (int64_t)sim_any(s, sim_any(s, 3) == 0 ? CRASH_DOWN_MAX_NS : NS_PER_S), EV_RESTART, 0, 0, NULL, 0);
}

/* ---- turns ------------------------------------------------------------------------------------------------------- */

void
core_begin(struct sim *s)
{
    struct core_rig *c = &s->core;

    ASSERT(c->alive && !c->in_turn);
    c->in_turn = true;
    c->turn_seq = c->journal.seq;
    c->turn_segments = c->segments;
}

void
core_end(struct sim *s)
{
    struct core_rig *c = &s->core;

    c->in_turn = false;
    bool more = gateway_poll_commands(c->g, COMMANDS_PER_TURN, host_clock(s)) == COMMANDS_PER_TURN;
    more |= gateway_work(c->g, host_clock(s));
    gateway_on_sent(c->g, host_clock(s).mono, host_clock(s));
    (void)client_port_doorbells(c->clients);
    bool wrote = c->journal.seq > c->turn_seq;
    if (wrote && sim_fate(s, FATE_crash)) {
        core_crash(s, sim_fate(s, FATE_torn));
        return;
    }
    check_journal(s);
    outs_leave(s, UINT64_MAX);
    check_turn(s);
    clients_told(s);
    if (s->durable && !c->syncing && c->journal.seq > c->durable_seq) {
        c->syncing = true;
        c->sync_seq = c->journal.seq;
        uint64_t fate = sim_any(s, 100);
        uint64_t most = fate == 0 ? 30 * NS_PER_S : fate <= 5 ? 800 * NS_PER_MS : 5 * NS_PER_MS; /* hung, slow, usual */
        sim_at(s, s->t + (int64_t)sim_any(s, most), EV_SYNC, 0, c->starts, NULL, 0);
    }
    if (more && !c->pending) {
        c->pending = true;
        sim_at(s, s->t + (int64_t)sim_any(s, 50 * NS_PER_US), EV_WAKE, 0, 0, NULL, 0);
    }
}

void
core_synced(struct sim *s, const struct event *e)
{
    struct core_rig *c = &s->core;

    if (!c->alive || e->b != c->starts)
        return;
    c->syncing = false;
    c->durable_seq = c->sync_seq;
    c->disk_seq = MAX(c->disk_seq, c->sync_seq);
    core_begin(s);
    gateway_on_durable(c->g, c->durable_seq);
    core_end(s);
}

int64_t
core_next_timer(const struct sim *s)
{
    int64_t first = INT64_MAX;

    if (!s->core.alive)
        return first;
    for (uint32_t i = 0; i < ARRAY_LEN(s->core.timer); i++)
        first = MIN(first, s->core.timer[i].ns);
    return first;
}

/* Every timer that is due, in one turn. */
void
core_timers(struct sim *s)
{
    struct core_rig *c = &s->core;

    core_begin(s);
    for (uint32_t i = 0; i < ARRAY_LEN(c->timer); i++) {
        if (c->timer[i].ns > s->t)
            continue;
        c->timer[i] = MONO_NEVER;
        gateway_on_timer(c->g, i, host_clock(s));
    }
    core_end(s);
}
