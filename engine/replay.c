#include "engine/replay.h"
#include "engine/tap.h"
#include "monitoring/metric_page.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ENV_MAX 256

static struct app app;

/* One replay under way. */
struct replay {
    const struct replay_options *opt;
    struct replay_counts *out;
    struct gateway *g;
    struct app *a;
    struct record_stream s;
    struct now now;
    struct now first;
    struct journal_tail tail;
    struct md_reader market;
    crc32c_fn crc;
    uint8_t room[65536]; /* of a message that is being written */
    size_t room_bytes;
    uint8_t *session[CLIENT_SESSION_MAX];
    struct ring_reader report[CLIENT_SESSION_MAX];
    uint64_t attached;
    int64_t started_ns;
    bool stopped; /* a difference leaves nothing to compare with */
};

const struct app *
replay_app(void)
{
    return &app;
}

void
replay_end(void)
{
    teardown(&app);
}

static int64_t
clock_ns(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* ---- comparing --------------------------------------------------------------------------------------------------- */

static COLD void __attribute__((format(printf, 2, 3))) differs(struct replay *r, const char *format, ...)
{
    va_list args;

    if (r->out->different++ == 0) {
        size_t n =
            (size_t)snprintf(r->out->first.text, sizeof(r->out->first.text),
                             "input %llu, byte %zu of the stream: ", (unsigned long long)r->out->inputs, r->s.offset);
        va_start(args, format);
        (void)vsnprintf(r->out->first.text + n, sizeof(r->out->first.text) - n, format, args);
        va_end(args);
        r->out->first_input = r->out->inputs;
    }
}

/* The next thing that the recording says came of this input. */
static bool
next_output(struct replay *r, struct record_event *e)
{
    return record_stream_peek(&r->s, e) &&
           (e->head.kind >= REC_OUTPUTS_FROM || (e->head.kind == REC_REGION && e->head.id == 0));
}

/* Take the next output if it is of this kind; else it differs. */
static bool
expect(struct replay *r, enum record_event_kind kind, uint32_t id, struct record_event *e)
{
    if (!next_output(r, e)) {
        differs(r, "%s of %u is not in the recording", record_event_text(kind), id);
        return false;
    }
    if (e->head.kind != kind || e->head.id != id) {
        differs(r, "%s of %u, recorded was %s of %u", record_event_text(kind), id, record_event_text(e->head.kind),
                e->head.id);
        return false;
    }
    record_stream_take(&r->s, e);
    r->out->by_kind[kind]++;
    return true;
}

/* What the recording has of this input and we did not do. */
static void
rest_differs(struct replay *r)
{
    struct record_event e;

    while (next_output(r, &e)) {
        differs(r, "recorded %s of %u did not happen", record_event_text(e.head.kind), e.head.id);
        record_stream_take(&r->s, &e);
    }
}

static void
market_event_out(void *ctx, const struct md_event *ev)
{
    struct replay *r = (struct replay *)ctx;

    if (r->opt->on_market != NULL)
        r->opt->on_market(r->opt->ctx, ev, route_instrument(&r->a->route, ev->instrument, 0));
}

/* An input was handled: the records and the market data that it left. */
static void
handled(struct replay *r)
{
    struct record_journaled x;
    struct record_event e;
    uint64_t seq;
    uint64_t sum;

    while (journal_tail_next(&r->tail, &seq, &x)) {
        r->out->records++;
        r->out->decisions += x.type == JOURNAL_INTENT;
        if (expect(r, REC_JOURNALED, 0, &e) && ((uint64_t)e.head.value != seq || memcmp(e.data, &x, sizeof(x)) != 0))
            differs(r, "journal record %llu is another one", (unsigned long long)seq);
    }
    uint64_t count = market_tail_next(&r->market, r->crc, &sum, market_event_out, r);
    if (count > 0 && expect(r, REC_MARKET, 0, &e) &&
        ((uint64_t)e.head.value != count || memcmp(e.data, &sum, sizeof(sum)) != 0))
        differs(r, "%llu market-data events, recorded were others (%lld)", (unsigned long long)count,
                (long long)e.head.value);
    rest_differs(r);
}

/* ---- the gateway's port ------------------------------------------------------------------------------------------ */

static bool
refused(struct replay *r, enum record_port port)
{
    struct record_event e;

    if (!next_output(r, &e) || e.head.kind != REC_REFUSED || e.head.id != port)
        return false;
    record_stream_take(&r->s, &e);
    return true;
}

static void
port_conn_open(void *ctx, uint32_t conn)
{
    struct record_event e;
    (void)expect((struct replay *)ctx, REC_OPEN, conn, &e);
}

static void
port_conn_close(void *ctx, uint32_t conn)
{
    struct record_event e;
    (void)expect((struct replay *)ctx, REC_CLOSE, conn, &e);
}

static uint8_t *
port_send_reserve(void *ctx, uint32_t conn, size_t bytes)
{
    struct replay *r = (struct replay *)ctx;

    (void)conn;
    if (refused(r, REC_PORT_SEND))
        return NULL;
    ASSERT(bytes <= sizeof(r->room));
    r->room_bytes = bytes;
    return r->room;
}

static void
port_send_commit(void *ctx, uint32_t conn, size_t bytes, uint64_t cover_seq)
{
    struct replay *r = (struct replay *)ctx;
    struct record_event e;

    ASSERT(bytes <= r->room_bytes);
    if (!expect(r, REC_OUT, conn, &e))
        return;
    r->out->sent_bytes += bytes;
    if (e.head.bytes != bytes || memcmp(e.data, r->room, bytes) != 0)
        differs(r, "a message of %zu bytes to connection %u, recorded were %u bytes or others", bytes, conn,
                e.head.bytes);
    else if ((uint64_t)e.head.value != cover_seq)
        differs(r, "a message waits for record %llu, recorded was %lld", (unsigned long long)cover_seq,
                (long long)e.head.value);
}

static bool
port_send_withdraw(void *ctx, uint32_t conn, uint64_t cover_seq)
{
    (void)conn;
    (void)cover_seq;
    return !refused((struct replay *)ctx, REC_PORT_WITHDRAW);
}

static bool
port_rest_send(void *ctx, uint16_t venue, const uint8_t *bytes, size_t len)
{
    struct replay *r = (struct replay *)ctx;
    struct record_event e;

    if (refused(r, REC_PORT_REST))
        return false;
    if (!expect(r, REC_REST_OUT, venue, &e))
        return true;
    r->out->sent_bytes += len;
    if (e.head.bytes != len || memcmp(e.data, bytes, len) != 0)
        differs(r, "an HTTP request of %zu bytes to venue %u, recorded was another", len, venue);
    return true;
}

static void
port_timer_arm(void *ctx, uint32_t timer, mono_ns_t at)
{
    (void)ctx, (void)timer, (void)at;
}

static bool
region_give(struct replay *r, size_t bytes)
{
    uint8_t *base = bytes >= JOURNAL_SEGMENT_MIN && bytes <= (UINT64_C(1) << 33) && bytes % 8 == 0
                        ? (uint8_t *)mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                        : (uint8_t *)MAP_FAILED;

    if (base == (uint8_t *)MAP_FAILED || !journal_region(&r->a->journal, base, bytes, r->now)) {
        differs(r, "the journal got a region of %zu bytes that cannot be had here", bytes);
        return false;
    }
    return true;
}

static bool
port_journal_next(void *ctx, struct now now)
{
    struct replay *r = (struct replay *)ctx;
    struct record_event e;

    (void)now;
    if (refused(r, REC_PORT_JOURNAL))
        return false;
    return expect(r, REC_REGION, 0, &e) && region_give(r, (size_t)e.head.value);
}

static mono_ns_t
port_stamp(void *ctx)
{
    struct replay *r = (struct replay *)ctx;
    struct record_event e;

    return expect(r, REC_STAMP, 0, &e) ? (mono_ns_t){ e.head.value } : r->now.mono;
}

static bool
port_fetch_instruments(void *ctx, uint16_t venue)
{
    (void)venue;
    return !refused((struct replay *)ctx, REC_PORT_INSTRUMENTS);
}

static bool
port_fetch_snapshot(void *ctx, const struct instrument *ins, uint32_t levels)
{
    (void)ins, (void)levels;
    return !refused((struct replay *)ctx, REC_PORT_SNAPSHOT);
}

static bool
port_limits_ask(void *ctx, const struct limits_ask *ask)
{
    (void)ask;
    return !refused((struct replay *)ctx, REC_PORT_LIMITS);
}

static void
port_kill_note(void *ctx, const struct kill_note *n)
{
    (void)ctx, (void)n;
}

/* ---- clients ----------------------------------------------------------------------------------------------------- */

/* A session in memory of our own: what is reported to it is taken out at once. */
static bool
attach(struct replay *r, uint32_t slot, const struct client_identity *id)
{
    const struct config *c = &r->a->config;
    uint32_t commands = (uint32_t)c->client.command_ring;
    uint32_t reports = (uint32_t)c->client.report_ring;
    size_t bytes = session_bytes(commands, reports);

    if (slot >= (uint32_t)c->memory.clients_max || id->client >= CLIENT_MAX ||
        client_port_identity(r->a->parts.gateway_parts.clients, slot) != NULL)
        return false;
    if (r->session[slot] == NULL)
        r->session[slot] = (uint8_t *)aligned_alloc(SESSION_PAGE, bytes);
    ASSERT(r->session[slot] != NULL);
    memset(r->session[slot], 0, bytes);
    client_port_attach(r->a->parts.gateway_parts.clients, slot, id, r->session[slot]);
    ring_reader_init(&r->report[slot], (struct ring_mem *)(void *)(r->session[slot] + session_report_offset(commands)),
                     0, reports, sizeof(struct report));
    r->attached |= UINT64_C(1) << slot;
    return true;
}

static void
reports_drain(struct replay *r)
{
    struct report rep;

    for (uint64_t set = r->attached; set != 0; set &= set - 1)
        while (ring_get(&r->report[__builtin_ctzll(set)], &rep)) {
        }
    (void)client_port_doorbells(r->a->parts.gateway_parts.clients);
}

static bool
detach(struct replay *r, uint32_t slot)
{
    struct client_port *clients = r->a->parts.gateway_parts.clients;
    const struct client_identity *id =
        slot < (uint32_t)r->a->config.memory.clients_max ? client_port_identity(clients, slot) : NULL;

    if (id == NULL)
        return false;
    uint32_t client = id->client;
    enum on_disconnect policy = client_port_detach(clients, slot);
    r->attached &= ~(UINT64_C(1) << slot);
    gateway_on_session_end(r->g, slot);
    gateway_on_client_gone(r->g, client, policy, r->now);
    return true;
}

/* ---- inputs ------------------------------------------------------------------------------------------------------ */

/* The data of an event, as a struct of its exact size. */
static bool
data_is(const struct record_event *e, void *out, size_t bytes)
{
    if (e->head.bytes != bytes)
        return false;
    memcpy(out, e->data, bytes);
    return true;
}

/* Text with its NUL inside. */
static const char *
text_of(const struct record_event *e)
{
    return e->head.bytes > 0 && e->data[e->head.bytes - 1] == '\0' ? (const char *)e->data : "";
}

static bool
conn_ok(const struct replay *r, uint32_t conn)
{
    uint16_t venue;
    uint32_t link;

    return gateway_conn_find(&r->a->parts.gateway_config, conn, &venue, &link);
}

static bool
venue_ok(const struct replay *r, uint32_t venue)
{
    return venue < r->a->parts.gateway_config.venue_count;
}

static bool
set_now(struct replay *r, const struct record_event *e)
{
    int64_t wall;

    if (!data_is(e, &wall, sizeof(wall)))
        return false;
    r->now = (struct now){ { e->head.value }, { wall } };
    if (r->first.mono.ns == 0)
        r->first = r->now;
    r->out->span_ns = mono_since(r->now.mono, r->first.mono);
    if (r->opt->speed > 0) {
        double due = (double)r->out->span_ns / r->opt->speed;
        int64_t wait = r->started_ns + (int64_t)due - clock_ns();
        struct timespec ts = { .tv_sec = wait / NS_PER_S, .tv_nsec = wait % NS_PER_S };
        if (wait > 0)
            (void)nanosleep(&ts, NULL);
    }
    return true;
}

static bool
command(struct replay *r, const struct record_event *e)
{
    struct client_command c;

    if (!data_is(e, &c, sizeof(c)) || c.slot >= (uint32_t)r->a->config.memory.clients_max ||
        c.cmd.client >= CLIENT_MAX || c.deny >= DENY_REASON_COUNT)
        return false;
    gateway_on_command(r->g, &c);
    return true;
}

static bool
limits(struct replay *r, const struct record_event *e)
{
    static struct tap_limits l;

    if (!data_is(e, &l, sizeof(l)))
        return false;
    (void)gateway_on_limits_answer(r->g, &l.answer, &l.limits, r->now);
    return true;
}

/* One input. False when it is not one that the core could have had. */
static bool
feed_input(struct replay *r, const struct record_event *e)
{
    const struct record_head *h = &e->head;
    struct instrument ins;
    static struct snapshot_slice slice;
    struct client_identity id;
    struct tap_budget budget;

    switch ((enum record_event_kind)h->kind) {
    case REC_NOW: return set_now(r, e);
    case REC_START: gateway_start(r->g, r->now); return true;
    case REC_UP:
        if (conn_ok(r, h->id))
            gateway_on_up(r->g, h->id, r->now);
        return conn_ok(r, h->id);
    case REC_DOWN:
        if (conn_ok(r, h->id))
            gateway_on_down(r->g, h->id, text_of(e), r->now);
        return conn_ok(r, h->id);
    case REC_BYTES:
        if (conn_ok(r, h->id))
            gateway_on_bytes(r->g, h->id, e->data, h->bytes, (struct now){ { h->value }, r->now.wall });
        return conn_ok(r, h->id);
    case REC_TIMER:
        if (h->value < 0 || h->value >= GATEWAY_TIMERS((int64_t)r->a->parts.gateway_config.order_slots))
            return false;
        gateway_on_timer(r->g, (uint32_t)h->value, r->now);
        return true;
    case REC_DEFINITION:
        if (!data_is(e, &ins, sizeof(ins)))
            return false;
        gateway_on_definition(r->g, &ins, r->now);
        return true;
    case REC_DEFINITIONS_END:
        if (venue_ok(r, h->id))
            gateway_on_definitions_end(r->g, h->id, h->value != 0, r->now);
        return venue_ok(r, h->id);
    case REC_SNAPSHOT:
        if (!venue_ok(r, h->id) || !data_is(e, &slice, sizeof(slice)) || slice.count > SNAPSHOT_SLICE_LEVELS)
            return false;
        gateway_on_snapshot(r->g, h->id, &slice, r->now);
        return true;
    case REC_REST:
        if (venue_ok(r, h->id))
            gateway_on_rest(r->g, h->id, (unsigned)h->value, e->data, h->bytes, r->now);
        return venue_ok(r, h->id);
    case REC_ATTACH: return data_is(e, &id, sizeof(id)) && attach(r, h->id, &id);
    case REC_DETACH: return detach(r, h->id);
    case REC_POLL: gateway_poll_begin(r->g, r->now); return true;
    case REC_COMMAND: return command(r, e);
    case REC_LIMITS: return limits(r, e);
    case REC_WORK: (void)gateway_work(r->g, r->now); return true;
    case REC_SENT: gateway_on_sent(r->g, (mono_ns_t){ h->value }, r->now); return true;
    case REC_DURABLE: gateway_on_durable(r->g, (uint64_t)h->value); return true;
    case REC_JOURNAL_FAILED:
        journal_fail(&r->a->journal);
        gateway_on_journal_failed(r->g, r->now);
        return true;
    case REC_JOURNAL_FULL: gateway_on_journal_full(r->g, h->value != 0, r->now); return true;
    case REC_REGION: return region_give(r, (size_t)h->value);
    case REC_HALT: gateway_halt(r->g, text_of(e), r->now); return true;
    case REC_STOP: gateway_stop(r->g, h->value != 0, r->now); return true;
    case REC_CONTROL:
        gateway_control(r->g, (enum journal_control_kind)h->id, CLIENT_NONE, h->value, text_of(e), r->now);
        return true;
    case REC_BUDGET:
        if (!venue_ok(r, h->id) || !data_is(e, &budget, sizeof(budget)) || budget.budget > VENUE_BUDGET_DECAY)
            return false;
        gateway_on_budget(r->g, h->id, (enum venue_budget)budget.budget, budget.limit, budget.window_ns, r->now);
        return true;
    case REC_STALL: gateway_on_stall(r->g, h->value, r->now); return true;
    case REC_QUIET:
        if (conn_ok(r, h->id))
            gateway_on_quiet(r->g, h->id, h->value, r->now);
        return conn_ok(r, h->id);
    case REC_END: r->out->complete = true; return true;
    default: return false;
    }
}

static bool
feed_all(struct replay *r, struct fault *fault)
{
    struct record_event e;

    while (record_stream_peek(&r->s, &e)) {
        size_t at = r->s.offset;
        record_stream_take(&r->s, &e);
        r->out->inputs++;
        r->out->by_kind[e.head.kind & 127]++;
        if (r->opt->on_event != NULL)
            r->opt->on_event(r->opt->ctx, &e, r->now);
        if (!feed_input(r, &e))
            return FAULT(fault, "recording: event %llu at byte %zu of the stream (%s of %u) is none that the core had",
                         (unsigned long long)r->out->inputs, at, record_event_text(e.head.kind), e.head.id);
        handled(r);
        reports_drain(r);
    }
    return true;
}

/* ---- the folder -------------------------------------------------------------------------------------------------- */

static bool
map_file(const char *path, const uint8_t **base, size_t *bytes, struct fault *fault)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0;
    void *mem = ok ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    int err = errno;

    if (fd >= 0)
        (void)close(fd);
    if (mem == MAP_FAILED)
        return FAULT(fault, "recording: %.180s: %s", path, ok || fd < 0 ? strerror(err) : "it is empty");
    *base = (const uint8_t *)mem;
    *bytes = (size_t)st.st_size;
    return true;
}

/* Blocks to one stream. What a killed process could not write any more is not there. */
static bool
stream_read(struct record_reader *reader, const char *path, struct record_stream *s, struct replay_counts *out,
            struct fault *fault)
{
    static const char *const words[] = { [RECORD_READ_END] = "to its end",
                                         [RECORD_READ_CUT] = "cut: killed, or the disk refused",
                                         [RECORD_READ_DAMAGED] = "damaged" };
    uint8_t *stream = (uint8_t *)malloc(reader->bytes);
    const uint8_t *data;
    size_t n;
    enum record_read how;

    ASSERT(stream != NULL);
    *s = (struct record_stream){ .base = stream };
    while ((how = record_reader_next(reader, &data, &n)) == RECORD_READ_OK) {
        memcpy(stream + s->bytes, data, n);
        s->bytes += n;
    }
    out->lost = reader->lost;
    out->to_end = how == RECORD_READ_END;
    (void)snprintf(out->ended, sizeof(out->ended), "%s", words[how]);
    return how != RECORD_READ_DAMAGED ||
           FAULT(fault, "recording: %.150s: the block at byte %zu is damaged", path, reader->offset);
}

/* The configuration that it was made with; its journal is the copy. */
static bool
config_read(const char *dir, const struct record_header *h, struct config *c, struct fault *fault)
{
    static char env_text[65536];
    static char *env[ENV_MAX + 2];
    char path[300];
    char journal[320];
    size_t n = 0;

    (void)snprintf(path, sizeof(path), "%.250s/environment", dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, env_text, sizeof(env_text) - 1) : -1;
    if (fd >= 0)
        (void)close(fd);
    if (got < 0)
        return FAULT(fault, "recording: %.200s: %s", path, strerror(errno));
    env_text[got] = '\0';
    for (char *line = strtok(env_text, "\n"); line != NULL && n < ENV_MAX; line = strtok(NULL, "\n"))
        if (strncmp(line, "EXECGW__JOURNAL__DIR=", 21) != 0)
            env[n++] = line;
    (void)snprintf(journal, sizeof(journal), "EXECGW__JOURNAL__DIR=%.250s/journal", dir);
    env[n++] = journal;
    env[n] = NULL;
    (void)snprintf(path, sizeof(path), "%.250s/config.toml", dir);
    char *argv[] = { "execgw", "--config", path, h->live ? "--live" : "--paper", NULL, NULL };
    if (h->new_journal)
        argv[4] = "--new-journal";
    return config_load(h->new_journal ? 5 : 4, argv, env, c, stdout, stderr) == CONFIG_GO ||
           FAULT(fault, "recording: %.200s: its configuration has errors", path);
}

static void
gateway_make(struct replay *r)
{
    struct app *a = r->a;
    const struct gateway_port port = {
        .ctx = r,
        .conn_open = port_conn_open,
        .conn_close = port_conn_close,
        .send_reserve = port_send_reserve,
        .send_commit = port_send_commit,
        .send_withdraw = port_send_withdraw,
        .rest_send = port_rest_send,
        .timer_arm = port_timer_arm,
        .journal_next = port_journal_next,
        .limits_ask = port_limits_ask,
        .kill_note = port_kill_note,
        .stamp = port_stamp,
        .fetch_instruments = port_fetch_instruments,
        .fetch_snapshot = port_fetch_snapshot,
    };

    a->parts.gateway_parts.port = port;
    r->g = gateway_init(&a->parts.gateway_config, &a->parts.gateway_parts, &a->arena);
    r->crc = crc32c_pick();
    journal_tail_init(&r->tail, &a->journal);
    ASSERT(md_reader_init(&r->market, a->md.shm, a->md.shm->total_bytes));
}

bool
replay_run(const struct replay_options *opt, struct replay_counts *out, struct fault *fault)
{
    static struct replay r;
    struct record_reader reader;
    struct record_header h;
    const uint8_t *file;
    size_t bytes;
    char path[300];

    memset(out, 0, sizeof(*out));
    r = (struct replay){ .opt = opt, .out = out, .a = &app };
    (void)snprintf(path, sizeof(path), "%.250s/events", opt->dir);
    if (!map_file(path, &file, &bytes, fault))
        return false;
    struct fault why;
    if (!record_reader_init(&reader, file, bytes, crc32c_pick(), &h, &why))
        return FAULT(fault, "recording: %.100s: %.140s", path, why.text);
    if (!stream_read(&reader, path, &r.s, out, fault) || !config_read(opt->dir, &h, &app.config, fault))
        return false;
    app.metrics = (struct metric_page *)calloc(1, sizeof(struct metric_page));
    ASSERT(app.metrics != NULL);
    if (!startup_replay(&app, &h, fault))
        return false;
    gateway_make(&r);
    r.started_ns = clock_ns();
    bool ok = feed_all(&r, fault);
    out->took_ns = clock_ns() - r.started_ns;
    out->complete = out->complete && out->to_end && out->lost == 0;
    return ok;
}
