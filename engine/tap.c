#include "engine/tap.h"

#define WORK_IDLE_NS NS_PER_MS

/* ---- the journal's new records ----------------------------------------------------------------------------------- */

void
journal_tail_init(struct journal_tail *t, const struct journal *j)
{
    *t = (struct journal_tail){ .journal = j, .base = j->base, .bytes = j->bytes, .offset = j->used };
}

bool
journal_tail_next(struct journal_tail *t, uint64_t *seq, struct record_journaled *out)
{
    const struct journal *j = t->journal;
    struct journal_record_header h;

    for (unsigned segments = 0; segments < 2; segments++) {
        bool current = t->base == j->base;
        size_t end = current ? j->used : t->bytes;
        if (t->base != NULL && end - t->offset >= sizeof(h)) {
            memcpy(&h, t->base + t->offset, sizeof(h));
            if (h.bytes >= sizeof(h)) { /* a segment left behind ends with zeros */
                t->offset += h.bytes;
                *seq = h.seq;
                *out = (struct record_journaled){ .type = h.type, .crc = h.crc };
                return true;
            }
        }
        if (current)
            return false;
        t->base = j->base;
        t->bytes = j->bytes;
        t->offset = sizeof(struct journal_segment_header);
    }
    return false;
}

uint64_t
market_tail_next(struct md_reader *r, crc32c_fn crc, uint64_t *sum,
                 void (*on_event)(void *ctx, const struct md_event *ev), void *ctx)
{
    struct md_event ev;
    uint64_t count = 0;
    uint32_t c = 0;

    for (enum md_read got; (got = md_read(r, &ev)) != MD_READ_NONE;) {
        if (got != MD_READ_OK)
            continue; /* one input published more than a ring: the same ones are missing in a replay */
        c = crc(c, &ev, sizeof(ev));
        count++;
        if (on_event != NULL)
            on_event(ctx, &ev);
    }
    *sum = c;
    return count;
}

/* ---- recording --------------------------------------------------------------------------------------------------- */

static void
put(struct tap *t, enum record_event_kind kind, uint32_t id, int64_t value, const void *data, size_t bytes)
{
    static const uint8_t zeros[8];
    struct record_head h = { .kind = (uint8_t)kind,
                             .pad = (uint8_t)(-bytes & 7),
                             .id = (uint16_t)id,
                             .bytes = (uint32_t)bytes,
                             .value = value };

    ASSERT(bytes <= RECORD_DATA_MAX);
    if (record_file_put(t->file, &h, sizeof(h), data, bytes) && h.pad != 0)
        (void)record_file_put(t->file, zeros, h.pad, NULL, 0);
}

static void
put_input(struct tap *t, struct now now, enum record_event_kind kind, uint32_t id, int64_t value, const void *data,
          size_t bytes)
{
    if (now.mono.ns != t->now.mono.ns || now.wall.ns != t->now.wall.ns) {
        t->now = now;
        put(t, REC_NOW, 0, now.mono.ns, &now.wall.ns, sizeof(now.wall.ns));
    }
    put(t, kind, id, value, data, bytes);
}

static inline void
input(struct tap *t, struct now now, enum record_event_kind kind, uint32_t id, int64_t value, const void *data,
      size_t bytes)
{
    if (likely(t->file == NULL))
        return;
    t->inputs++;
    put_input(t, now, kind, id, value, data, bytes);
}

static void
output(struct tap *t, enum record_event_kind kind, uint32_t id, int64_t value, const void *data, size_t bytes)
{
    put(t, kind, id, value, data, bytes);
}

/* The input was handled: the records that it left. */
static inline void
handled(struct tap *t)
{
    struct record_journaled x;
    uint64_t seq;

    if (likely(t->file == NULL))
        return;
    while (journal_tail_next(&t->tail, &seq, &x))
        output(t, REC_JOURNALED, 0, (int64_t)seq, &x, sizeof(x));
    uint64_t count = market_tail_next(&t->market, t->crc, &seq, NULL, NULL);
    if (count > 0)
        output(t, REC_MARKET, 0, (int64_t)count, &seq, sizeof(seq));
}

/* ---- the gateway's port, recorded -------------------------------------------------------------------------------- */

static bool
answered(struct tap *t, bool yes, enum record_port port)
{
    if (unlikely(!yes))
        output(t, REC_REFUSED, port, 0, NULL, 0);
    return yes;
}

static void
port_conn_open(void *ctx, uint32_t conn)
{
    struct tap *t = (struct tap *)ctx;
    output(t, REC_OPEN, conn, 0, NULL, 0);
    t->port.conn_open(t->port.ctx, conn);
}

static void
port_conn_close(void *ctx, uint32_t conn)
{
    struct tap *t = (struct tap *)ctx;
    output(t, REC_CLOSE, conn, 0, NULL, 0);
    t->port.conn_close(t->port.ctx, conn);
}

static uint8_t *
port_send_reserve(void *ctx, uint32_t conn, size_t bytes)
{
    struct tap *t = (struct tap *)ctx;
    t->reserved = t->port.send_reserve(t->port.ctx, conn, bytes);
    (void)answered(t, t->reserved != NULL, REC_PORT_SEND);
    return t->reserved;
}

static void
port_send_commit(void *ctx, uint32_t conn, size_t bytes, uint64_t cover_seq)
{
    struct tap *t = (struct tap *)ctx;
    output(t, REC_OUT, conn, (int64_t)cover_seq, t->reserved, bytes);
    t->port.send_commit(t->port.ctx, conn, bytes, cover_seq);
}

/* When bytes leave is nothing that a replay could repeat: not recorded. */
static void
port_flush(void *ctx)
{
    struct tap *t = (struct tap *)ctx;
    t->port.flush(t->port.ctx);
}

static bool
port_send_withdraw(void *ctx, uint32_t conn, uint64_t cover_seq)
{
    struct tap *t = (struct tap *)ctx;
    return answered(t, t->port.send_withdraw(t->port.ctx, conn, cover_seq), REC_PORT_WITHDRAW);
}

static bool
port_rest_send(void *ctx, uint16_t venue, const uint8_t *bytes, size_t len)
{
    struct tap *t = (struct tap *)ctx;
    bool yes = t->port.rest_send(t->port.ctx, venue, bytes, len);
    if (yes)
        output(t, REC_REST_OUT, venue, 0, bytes, len);
    return answered(t, yes, REC_PORT_REST);
}

static void
port_timer_arm(void *ctx, uint32_t timer, mono_ns_t at)
{
    struct tap *t = (struct tap *)ctx;
    t->port.timer_arm(t->port.ctx, timer, at);
}

static bool
port_journal_next(void *ctx, struct now now)
{
    struct tap *t = (struct tap *)ctx;
    bool yes = t->port.journal_next(t->port.ctx, now);
    if (yes)
        output(t, REC_REGION, 0, (int64_t)t->journal->next_bytes, NULL, 0);
    return answered(t, yes, REC_PORT_JOURNAL);
}

static bool
port_limits_ask(void *ctx, const struct limits_ask *ask)
{
    struct tap *t = (struct tap *)ctx;
    return answered(t, t->port.limits_ask(t->port.ctx, ask), REC_PORT_LIMITS);
}

static void
port_kill_note(void *ctx, const struct kill_note *n)
{
    struct tap *t = (struct tap *)ctx;
    if (t->port.kill_note != NULL)
        t->port.kill_note(t->port.ctx, n);
}

static mono_ns_t
port_stamp(void *ctx)
{
    struct tap *t = (struct tap *)ctx;
    mono_ns_t at = t->port.stamp(t->port.ctx);
    output(t, REC_STAMP, 0, at.ns, NULL, 0);
    return at;
}

static bool
port_fetch_instruments(void *ctx, uint16_t venue)
{
    struct tap *t = (struct tap *)ctx;
    return answered(t, t->port.fetch_instruments(t->port.ctx, venue), REC_PORT_INSTRUMENTS);
}

static bool
port_fetch_snapshot(void *ctx, const struct instrument *ins, uint32_t levels)
{
    struct tap *t = (struct tap *)ctx;
    return answered(t, t->port.fetch_snapshot(t->port.ctx, ins, levels), REC_PORT_SNAPSHOT);
}

struct gateway_port
tap_init(struct tap *t, const struct gateway_port *port, const struct gateway_parts *parts, struct record_file *file)
{
    *t = (struct tap){ .clients = parts->clients,
                       .risk = parts->risk,
                       .journal = parts->journal,
                       .file = file,
                       .port = *port,
                       .crc = crc32c_pick(),
                       .work_before = true };
    journal_tail_init(&t->tail, parts->journal);
    if (file == NULL)
        return *port;
    ASSERT(md_reader_init(&t->market, parts->md->shm, parts->md->shm->total_bytes));
    return (struct gateway_port){
        .ctx = t,
        .conn_open = port_conn_open,
        .conn_close = port_conn_close,
        .send_reserve = port_send_reserve,
        .send_commit = port_send_commit,
        .send_withdraw = port->send_withdraw != NULL ? port_send_withdraw : NULL,
        .flush = port->flush != NULL ? port_flush : NULL,
        .rest_send = port->rest_send != NULL ? port_rest_send : NULL,
        .timer_arm = port_timer_arm,
        .journal_next = port_journal_next,
        .limits_ask = port->limits_ask != NULL ? port_limits_ask : NULL,
        .kill_note = port->kill_note != NULL ? port_kill_note : NULL,
        .stamp = port_stamp,
        .fetch_instruments = port_fetch_instruments,
        .fetch_snapshot = port_fetch_snapshot,
    };
}

void
tap_bind(struct tap *t, struct gateway *g)
{
    t->g = g;
}

/* ---- inputs ------------------------------------------------------------------------------------------------------ */

void
tap_start(struct tap *t, struct now now)
{
    input(t, now, REC_START, 0, 0, NULL, 0);
    gateway_start(t->g, now);
    handled(t);
}

void
tap_on_up(struct tap *t, uint32_t conn, struct now now)
{
    input(t, now, REC_UP, conn, 0, NULL, 0);
    gateway_on_up(t->g, conn, now);
    handled(t);
}

void
tap_on_down(struct tap *t, uint32_t conn, const char *why, struct now now)
{
    input(t, now, REC_DOWN, conn, 0, why, strlen(why) + 1);
    gateway_on_down(t->g, conn, why, now);
    handled(t);
}

void
tap_on_bytes(struct tap *t, uint32_t conn, const uint8_t *bytes, size_t len, mono_ns_t recv, struct now now)
{
    struct now at = { recv, now.wall };

    input(t, now, REC_BYTES, conn, recv.ns, bytes, len);
    gateway_on_bytes(t->g, conn, bytes, len, at);
    handled(t);
}

void
tap_on_timer(struct tap *t, uint32_t timer, struct now now)
{
    input(t, now, REC_TIMER, 0, timer, NULL, 0);
    gateway_on_timer(t->g, timer, now);
    handled(t);
}

void
tap_on_definition(struct tap *t, const struct instrument *def, struct now now)
{
    input(t, now, REC_DEFINITION, 0, 0, def, sizeof(*def));
    gateway_on_definition(t->g, def, now);
    handled(t);
}

void
tap_on_definitions_end(struct tap *t, uint16_t venue, bool ok, struct now now)
{
    input(t, now, REC_DEFINITIONS_END, venue, ok, NULL, 0);
    gateway_on_definitions_end(t->g, venue, ok, now);
    handled(t);
}

void
tap_on_snapshot(struct tap *t, uint16_t venue, const struct snapshot_slice *s, struct now now)
{
    input(t, now, REC_SNAPSHOT, venue, 0, s, sizeof(*s));
    gateway_on_snapshot(t->g, venue, s, now);
    handled(t);
}

void
tap_on_rest(struct tap *t, uint16_t venue, unsigned status, const uint8_t *body, size_t len, struct now now)
{
    input(t, now, REC_REST, venue, status, body, len);
    gateway_on_rest(t->g, venue, status, body, len, now);
    handled(t);
}

void
tap_attach(struct tap *t, uint32_t slot, const struct client_identity *id, void *mem, struct now now)
{
    input(t, now, REC_ATTACH, slot, 0, id, sizeof(*id));
    client_port_attach(t->clients, slot, id, mem);
}

void
tap_detach(struct tap *t, uint32_t slot, struct now now)
{
    uint32_t client = client_port_identity(t->clients, slot)->client;

    input(t, now, REC_DETACH, slot, 0, NULL, 0);
    enum on_disconnect policy = client_port_detach(t->clients, slot);
    gateway_on_session_end(t->g, slot);
    gateway_on_client_gone(t->g, client, policy, now);
    handled(t);
}

bool
tap_limits_answer(struct tap *t, const struct limits_answer *a, struct risk_limits *l, struct now now)
{
    if (t->file != NULL) {
        t->limits.answer = *a;
        t->limits.limits = *l;
        input(t, now, REC_LIMITS, 0, 0, &t->limits, sizeof(t->limits));
    }
    bool taken = gateway_on_limits_answer(t->g, a, l, now);
    handled(t);
    return taken;
}

void
tap_on_budget(struct tap *t, uint16_t venue, enum venue_budget budget, int64_t limit, int64_t window_ns, struct now now)
{
    struct tap_budget b = { .budget = budget, .limit = limit, .window_ns = window_ns };

    input(t, now, REC_BUDGET, venue, 0, &b, sizeof(b));
    gateway_on_budget(t->g, venue, budget, limit, window_ns, now);
    handled(t);
}

void
tap_on_turn(struct tap *t, int64_t ns, struct now now)
{
    int64_t max = risk_limits_in_force(t->risk)->stall_max_ns;

    if (likely(max == 0 || ns <= max))
        return;
    input(t, now, REC_STALL, 0, ns, NULL, 0);
    gateway_on_stall(t->g, ns, now);
    handled(t);
}

void
tap_on_quiet(struct tap *t, uint32_t conn, int64_t wait_ns, struct now now)
{
    input(t, now, REC_QUIET, conn, wait_ns, NULL, 0);
    gateway_on_quiet(t->g, conn, wait_ns, now);
    handled(t);
}

void
tap_on_durable(struct tap *t, uint64_t seq, struct now now)
{
    input(t, now, REC_DURABLE, 0, (int64_t)seq, NULL, 0);
    gateway_on_durable(t->g, seq);
}

void
tap_journal_failed(struct tap *t, struct now now)
{
    input(t, now, REC_JOURNAL_FAILED, 0, 0, NULL, 0);
    journal_fail(t->journal);
    gateway_on_journal_failed(t->g, now);
    handled(t);
}

void
tap_on_journal_full(struct tap *t, bool full, struct now now)
{
    input(t, now, REC_JOURNAL_FULL, 0, full, NULL, 0);
    gateway_on_journal_full(t->g, full, now);
    handled(t);
}

void
tap_region(struct tap *t, size_t bytes, struct now now)
{
    input(t, now, REC_REGION, 1, (int64_t)bytes, NULL, 0);
}

static void
on_command(void *ctx, const struct client_command *c)
{
    struct tap *t = (struct tap *)ctx;

    if (!t->polled) {
        input(t, t->poll_now, REC_POLL, 0, 0, NULL, 0);
        gateway_poll_begin(t->g, t->poll_now);
    }
    t->polled = true;
    input(t, t->poll_now, REC_COMMAND, 0, 0, c, sizeof(*c));
    gateway_on_command(t->g, c);
    handled(t);
}

unsigned
tap_poll_commands(struct tap *t, unsigned max, struct now now)
{
    if (likely(t->file == NULL))
        return gateway_poll_commands(t->g, max, now);
    max = MIN(max, gateway_poll_room(t->g));
    t->poll_now = now;
    t->polled = false;
    return max == 0 ? 0 : client_port_poll(t->clients, max, on_command, t);
}

/* Called every turn, and mostly for nothing. All that is called is recorded, so a loop that spins leaves some out: when
 * nothing came in since there was nothing to do, it is looked after only now and then. */
bool
tap_work(struct tap *t, struct now now)
{
    if (likely(t->file == NULL))
        return gateway_work(t->g, now);
    if (t->inputs == 0 && !t->work_before && mono_since(now.mono, t->work_at) < WORK_IDLE_NS)
        return false;
    input(t, now, REC_WORK, 0, 0, NULL, 0);
    t->inputs = 0;
    t->work_at = now.mono;
    t->work_before = gateway_work(t->g, now);
    handled(t);
    return t->work_before;
}

void
tap_on_sent(struct tap *t, mono_ns_t sent, struct now now)
{
    if (t->file != NULL && gateway_sends_waiting(t->g) > 0)
        input(t, now, REC_SENT, 0, sent.ns, NULL, 0);
    gateway_on_sent(t->g, sent, now);
    handled(t);
}

void
tap_halt(struct tap *t, const char *who, struct now now)
{
    input(t, now, REC_HALT, 0, 0, who, strlen(who) + 1);
    gateway_halt(t->g, who, now);
    handled(t);
}

void
tap_stop(struct tap *t, bool cancel, struct now now)
{
    input(t, now, REC_STOP, 0, cancel, NULL, 0);
    gateway_stop(t->g, cancel, now);
    handled(t);
}

void
tap_control(struct tap *t, enum journal_control_kind kind, int64_t value, const char *text, struct now now)
{
    input(t, now, REC_CONTROL, kind, value, text, strlen(text) + 1);
    gateway_control(t->g, kind, CLIENT_NONE, value, text, now);
    handled(t);
}

void
tap_end(struct tap *t, struct now now)
{
    input(t, now, REC_END, 0, 0, NULL, 0);
}
