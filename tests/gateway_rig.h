/* A rig for the deterministic core: the real gateway with real risk, orders, journal, feed and client port, on a clock
 * of the test's own, against a scripted venue. The script speaks struct venue_report as binary WebSocket messages, so
 * that the gateway's own framing, sessions and bookkeeping are what runs.
 *
 * What the gateway asks for is recorded: connections, requests, timers; the test answers, or does not. */
#ifndef EXECGW_TESTS_GATEWAY_RIG_H
#define EXECGW_TESTS_GATEWAY_RIG_H

#include "engine/gateway.h"
#include "engine/risk_replay.h"
#include "feed/ws_frame.h"
#include "tests/test.h"

#define RIG_REQUESTS 256
#define RIG_ORDERS   64
#define RIG_COMMANDS 64
#define RIG_REPORTS  256
#define RIG_SEGMENTS 16 /* one per start: the journal of a rig that was started again */
#define RIG_SEGMENT  ((size_t)1 << 20)

struct rig_request {
    uint8_t kind; /* enum venue_request_kind */
    bool handled;
    int64_t at_ns;
    int64_t venue_at_ns;
    char clordid[CLORDID_BYTES];
    char target[CLORDID_BYTES];
    px_t px;
    qty_t qty;
    uint64_t journal_seq; /* of the journal's last record when the request was encoded */
    uint64_t venue_order_id;
    uint8_t flags;
    uint64_t tag;
    int64_t since_ns;
    int64_t since_trade;
    int64_t fresh_ns;
};

struct rig {
    struct gateway *g;
    struct route route;
    struct risk *risk;
    struct order_table *orders;
    struct balances *balances;
    struct journal journal;
    struct feed *feed;
    struct feed *feed_other;
    struct client_port *clients;
    struct md_writer md;
    struct metric_page *metrics;
    struct arena arena;
    uint8_t *segment[RIG_SEGMENTS];
    uint32_t segments; /* the last one is in use */
    uint32_t term;
    struct journal_replayed replayed;
    enum foreign_policy foreign; /* of the next start */
    bool balance_moves_position;
    bool sweeps; /* the venue answers questions for trades and balances */
    void *market;
    struct now now;
    bool connected[GATEWAY_CONNS];
    bool wanted[GATEWAY_CONNS];
    uint32_t opened[GATEWAY_CONNS];
    mono_ns_t timer[GATEWAY_TIMERS(RIG_ORDERS)];
    struct rig_request request[RIG_REQUESTS];
    uint32_t request_count;
    uint32_t definitions_asked;
    uint32_t snapshots_asked;
    bool no_room;
    uint32_t no_room_on; /* bit per connection */
    bool two_venues;     /* set before rig_start: a second one, of the same script, with an instrument of its own */
    uint16_t at;         /* the venue that speaks, and is traded at */
    bool new_journal;    /* the next two set before rig_begin, kept over a restart */
    bool first_held;
    bool durable_first; /* set before rig_start */
    bool amends;        /* the same: the venue amends in place */
    bool over_http;     /* the same: log-on and questions go over HTTP */
    bool rest_busy;     /* a request over HTTP waits for rig_rest */
    bool rest_refused;  /* none can be queued */
    bool http_sweeps;   /* the same: and those about trades and balances of the account */
    uint32_t rest_sent;
    uint32_t rest_pages; /* requests that the question under way takes beyond the first */
    uint64_t cover_seq;  /* of the last message to order entry */
    uint64_t held[8];    /* records that messages to it wait for */
    uint32_t held_count;
    bool held_gone;   /* none can be taken back */
    uint8_t *spare;   /* what journal_next gives; NULL = none */
    unsigned flushes; /* calls of the port's flush */
    unsigned rehearsals;
    bool unencodable;       /* submit() of a NEW fails */
    uint32_t live_at_flush; /* orders in the table then */
    uint8_t out[65536];
    /* One strategy, one operator. */
    void *session_mem[2];
    struct ring_writer command[2];
    struct ring_reader report[2];
    uint64_t client_seq[2];
    uint64_t key;
};

#define RIG_CLIENT   1u
#define RIG_STRATEGY 0u
#define RIG_OPERATOR 1u

#define RIG_MARGIN_NS (2 * NS_PER_S) /* past a deadline, or a "not found", before anything is proof */

static struct rig *rig_now; /* for the scripted adapter */

/* Read by the next start. */
static int64_t rig_heartbeat_ns;
static uint8_t rig_on_silence;
static int64_t rig_deadman_ns;
static uint32_t rig_kill_trips;
static uint32_t rig_account;                      /* of the next start's first venue */
static void (*rig_limits)(struct risk_limits *l); /* changes the limits of the next starts */
static bool rig_cancels_linger;                   /* the venue's cancels have no deadline */
/* The same: requests over HTTP are counted up to so many, and paid back in a minute; 0 = not counted. */
static int64_t rig_http_calls;
static int64_t rig_order_count; /* orders and cancels are counted by instrument, up to so many; paid back in a minute */
/* Market-data connections of the next start. */
static struct {
    uint32_t groups;
    uint32_t copies;
    uint32_t streams_max;
    bool spare;
    int64_t lifetime_ns;
    uint32_t connects_max;
    int64_t connects_window_ns;
    int64_t silence_ns;                                                            /* 0 = an hour */
    void (*on_send)(struct rig *r, uint32_t conn, const uint8_t *frame, size_t n); /* NULL: nobody looks */
} rig_links;

/* Between two questions about the venue's time, which it answers when a test does. */
static int64_t rig_clock_ns = 30 * NS_PER_S;
/* Order entry: session_config.answer_max_ns. The scripted venue is silent unless a test speaks for it. */
static int64_t rig_answer_max_ns;

static int
script_rehearse(const struct venue_adapter *a, const struct venue_request *rq, struct now now, int64_t offset,
                uint8_t *buf, size_t room)
{
    (void)a;
    (void)now;
    (void)offset;
    ASSERT(room >= 16 && rq->kind == VENUE_RQ_NEW);
    rig_now->rehearsals++;
    memset(buf, 'y', 16);
    return 16;
}

static int
script_submit(struct venue_adapter *a, const struct venue_request *rq, struct now now, int64_t offset, uint8_t *buf,
              size_t room, const struct venue_sink *sink)
{
    struct rig *r = rig_now;

    (void)a;
    (void)sink;
    ASSERT(r->request_count < RIG_REQUESTS && room >= 16);
    if (r->unencodable && rq->kind == VENUE_RQ_NEW)
        return -1;
    struct rig_request *q = &r->request[r->request_count++];
    *q = (struct rig_request){ .kind = (uint8_t)rq->kind,
                               .at_ns = now.mono.ns,
                               .tag = rq->tag,
                               .since_ns = rq->since_ns,
                               .venue_at_ns = now.wall.ns + offset,
                               .journal_seq = r->journal.seq };
    if (rq->order != NULL) {
        memcpy(q->clordid, rq->order->clordid, CLORDID_BYTES);
        q->venue_order_id = rq->order->venue_order_id;
        q->flags = rq->order->flags;
        q->since_trade = rq->since_trade;
        q->fresh_ns = rq->fresh_ns;
        q->px = rq->order->px;
        q->qty = rq->order->qty;
    }
    if (rq->target != NULL)
        memcpy(q->target, rq->target->clordid, CLORDID_BYTES);
    memset(buf, 'x', 16);
    return 16;
}

static enum decode_result
script_decode(struct venue_adapter *a, const uint8_t *msg, size_t len, struct now now, const struct venue_sink *sink)
{
    struct venue_report report;

    (void)a;
    (void)now;
    if (len != sizeof(report))
        return DECODE_MALFORMED;
    memcpy(&report, msg, sizeof(report));
    sink->report(sink->ctx, &report);
    return DECODE_OK;
}

static size_t
script_footprint(const struct venue_config *cfg)
{
    (void)cfg;
    return 0;
}

static struct venue_adapter *
script_init(const struct venue_config *cfg, struct arena *arena, struct fault *fault)
{
    (void)cfg;
    (void)arena;
    (void)fault;
    return NULL;
}

static void
script_disconnected(struct venue_adapter *a)
{
    (void)a;
}

static void
script_instrument(struct venue_adapter *a, const struct instrument *ins)
{
    (void)a;
    (void)ins;
}

static struct venue_cost script_cost[VENUE_RQ_COUNT] = {
    [VENUE_RQ_NEW] = { .orders = 1, .weight = 1 },
    [VENUE_RQ_CANCEL] = { .weight = 1 },
    [VENUE_RQ_REPLACE] = { .orders = 1, .weight = 1 },
    [VENUE_RQ_AMEND] = { .weight = 1 },
    [VENUE_RQ_QUERY] = { .weight = 4 },
    [VENUE_RQ_TRADES] = { .weight = 20 },
    [VENUE_RQ_OPEN_ORDERS] = { .weight = 40 },
};

static struct venue_ops script_ops = {
    .dialect = "script",
    .needs_connection = true,
    .code_late = -1021,
    .cost = script_cost,
    .footprint = script_footprint,
    .init = script_init,
    .on_disconnected = script_disconnected,
    .on_instrument = script_instrument,
    .submit = script_submit,
    .rehearse = script_rehearse,
    .decode = script_decode,
};

static const struct venue_ops script_ops_amends = {
    .dialect = "script",
    .needs_connection = true,
    .cost = script_cost,
    .amends = true,
    .footprint = script_footprint,
    .init = script_init,
    .on_disconnected = script_disconnected,
    .on_instrument = script_instrument,
    .submit = script_submit,
    .decode = script_decode,
};

/* Answers over HTTP are the same reports, one behind the other. */
static enum decode_result
script_decode_rest(struct venue_adapter *a, unsigned status, const uint8_t *body, size_t len, struct now now,
                   const struct venue_sink *sink)
{
    enum decode_result res = DECODE_OK;

    (void)status;
    for (size_t at = 0; at + sizeof(struct venue_report) <= len && res == DECODE_OK; at += sizeof(struct venue_report))
        res = script_decode(a, body + at, sizeof(struct venue_report), now, sink);
    return res;
}

static int
script_rest_more(struct venue_adapter *a, struct now now, int64_t offset, uint8_t *buf, size_t room)
{
    (void)a;
    (void)now;
    (void)offset;
    ASSERT(room >= 16);
    if (rig_now->rest_pages == 0)
        return 0;
    rig_now->rest_pages--;
    memset(buf, 'p', 16);
    return 16;
}

static const struct venue_cost script_cost_rest[VENUE_RQ_COUNT] = {
    [VENUE_RQ_LOGON] = { .decay = 1 },       [VENUE_RQ_QUERY] = { .decay = 1 },    [VENUE_RQ_TRADES] = { .decay = 2 },
    [VENUE_RQ_OPEN_ORDERS] = { .decay = 1 }, [VENUE_RQ_BALANCES] = { .decay = 1 },
};

static struct venue_ops script_ops_rest = {
    .dialect = "script",
    .needs_connection = true,
    .cost = script_cost_rest,
    .rest = 1u << VENUE_RQ_LOGON | 1u << VENUE_RQ_QUERY | 1u << VENUE_RQ_TRADES | 1u << VENUE_RQ_OPEN_ORDERS |
            1u << VENUE_RQ_BALANCES,
    .footprint = script_footprint,
    .init = script_init,
    .on_disconnected = script_disconnected,
    .on_instrument = script_instrument,
    .submit = script_submit,
    .decode = script_decode,
    .decode_rest = script_decode_rest,
    .rest_more = script_rest_more,
};

/* ---- actions ---- */

static bool
rig_rest_send(void *ctx, uint16_t venue, const uint8_t *bytes, size_t len)
{
    struct rig *r = (struct rig *)ctx;

    (void)bytes;
    CHECK(venue == 0 && len == 16 && !r->rest_busy); /* one at a time */
    if (r->rest_refused)
        return false;
    r->rest_busy = true;
    r->rest_sent++;
    return true;
}

static void
rig_open(void *ctx, uint32_t conn)
{
    struct rig *r = (struct rig *)ctx;
    r->wanted[conn] = true;
    r->opened[conn]++;
}

static void
rig_close(void *ctx, uint32_t conn)
{
    ((struct rig *)ctx)->wanted[conn] = false;
}

static uint8_t *
rig_reserve(void *ctx, uint32_t conn, size_t bytes)
{
    struct rig *r = (struct rig *)ctx;
    return r->connected[conn] && !r->no_room && (r->no_room_on >> conn & 1) == 0 && bytes <= sizeof(r->out) ? r->out
                                                                                                            : NULL;
}

static void
rig_commit(void *ctx, uint32_t conn, size_t bytes, uint64_t cover_seq)
{
    struct rig *r = (struct rig *)ctx;

    if (rig_links.on_send != NULL)
        rig_links.on_send(r, conn, r->out, bytes);
    if (conn != GATEWAY_CONN(0, CONN_ROLE_ORDER))
        return;
    r->cover_seq = cover_seq;
    if (cover_seq != 0 && r->held_count < ARRAY_LEN(r->held))
        r->held[r->held_count++] = cover_seq;
}

static bool
rig_withdraw(void *ctx, uint32_t conn, uint64_t cover_seq)
{
    struct rig *r = (struct rig *)ctx;

    for (uint32_t i = 0; i < r->held_count && !r->held_gone; i++) {
        if (r->held[i] != cover_seq || conn != GATEWAY_CONN(0, CONN_ROLE_ORDER))
            continue;
        r->held[i] = r->held[--r->held_count];
        return true;
    }
    return false;
}

static void
rig_flush(void *ctx)
{
    struct rig *r = (struct rig *)ctx;

    r->flushes++;
    r->live_at_flush = order_totals(r->orders)->live;
}

static void
rig_timer(void *ctx, uint32_t timer, mono_ns_t at)
{
    ((struct rig *)ctx)->timer[timer] = at;
}

static bool
rig_journal_next(void *ctx, struct now now)
{
    struct rig *r = (struct rig *)ctx;
    uint8_t *base = r->spare;

    r->spare = NULL;
    return base != NULL && journal_region(&r->journal, base, RIG_SEGMENT, now);
}

static mono_ns_t
rig_stamp(void *ctx)
{
    return ((struct rig *)ctx)->now.mono;
}

static bool
rig_fetch_instruments(void *ctx, uint16_t venue)
{
    (void)venue;
    ((struct rig *)ctx)->definitions_asked++;
    return true;
}

static bool
rig_fetch_snapshot(void *ctx, const struct instrument *ins, uint32_t levels)
{
    (void)ins;
    (void)levels;
    ((struct rig *)ctx)->snapshots_asked++;
    return true;
}

/* ---- time ---- */

/* Run everything that is due or waiting now. */
static void
rig_work(struct rig *r)
{
    for (int i = 0; i < 1000 && gateway_work(r->g, r->now); i++) {
    }
    gateway_on_sent(r->g, r->now.mono, r->now);
}

/* Let time pass, timer by timer. */
static void
rig_pass(struct rig *r, int64_t ns)
{
    int64_t end = r->now.mono.ns + ns;

    for (int guard = 0; guard < 100000; guard++) {
        int64_t first = INT64_MAX;
        uint32_t which = 0;
        for (uint32_t i = 0; i < ARRAY_LEN(r->timer); i++)
            if (r->timer[i].ns < first) {
                first = r->timer[i].ns;
                which = i;
            }
        if (first > end)
            break;
        if (first > r->now.mono.ns) {
            r->now.wall.ns += first - r->now.mono.ns;
            r->now.mono.ns = first;
        }
        r->timer[which] = MONO_NEVER;
        gateway_on_timer(r->g, which, r->now);
        rig_work(r);
    }
    r->now.wall.ns += end - r->now.mono.ns;
    r->now.mono.ns = end;
    rig_work(r);
}

/* ---- venue ---- */

static void
rig_bytes(struct rig *r, uint32_t conn, const void *payload, size_t len, uint8_t opcode)
{
    static uint8_t buf[WS_HEADER_ROOM + 4096];

    ASSERT(len <= 4096);
    memcpy(buf + WS_HEADER_ROOM, payload, len);
    struct ws_frame f = ws_encode(buf, WS_HEADER_ROOM, len, opcode, NULL);
    gateway_on_bytes(r->g, conn, f.data, f.len, r->now);
    rig_work(r);
}

static void
rig_say(struct rig *r, const struct venue_report *report)
{
    rig_bytes(r, GATEWAY_CONN(r->at, CONN_ROLE_ORDER), report, sizeof(*report), WS_OP_BINARY);
}

static struct venue_report
rig_report(enum venue_report_kind kind, const char *clordid)
{
    struct venue_report v = { .kind = (uint8_t)kind,
                              .request = kind == VENUE_STATUS ? VENUE_RQ_QUERY : VENUE_RQ_COUNT,
                              .trade_id = -1 };
    if (clordid != NULL)
        (void)snprintf(v.clordid, sizeof(v.clordid), "%s", clordid);
    return v;
}

static void
rig_say_kind(struct rig *r, enum venue_report_kind kind, const char *clordid)
{
    struct venue_report v = rig_report(kind, clordid);
    rig_say(r, &v);
}

/* The answer to the request over HTTP: `n` reports. */
static inline void
rig_rest(struct rig *r, unsigned status, const struct venue_report *reports, size_t n)
{
    CHECK(r->rest_busy);
    r->rest_busy = false;
    gateway_on_rest(r->g, 0, status, (const uint8_t *)reports, n * sizeof(*reports), r->now);
    rig_work(r);
}

/* The newest request of a kind that was not taken before; NULL when there is none. */
static struct rig_request *
rig_take(struct rig *r, enum venue_request_kind kind)
{
    for (uint32_t i = r->request_count; i-- > 0;) {
        if (r->request[i].kind == kind && !r->request[i].handled) {
            r->request[i].handled = true;
            return &r->request[i];
        }
    }
    return NULL;
}

static inline uint32_t
rig_requests(const struct rig *r, enum venue_request_kind kind)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->request_count; i++)
        n += r->request[i].kind == kind;
    return n;
}

static void
rig_connect(struct rig *r, uint32_t conn)
{
    r->connected[conn] = true;
    gateway_on_up(r->g, conn, r->now);
    rig_work(r);
}

static inline void
rig_disconnect(struct rig *r, uint32_t conn)
{
    r->connected[conn] = false;
    gateway_on_down(r->g, conn, "test", r->now);
    rig_work(r);
}

/* The venue is asked for the time now, and says what our wall clock says. */
static inline void
rig_tell_time(struct rig *r)
{
    struct venue_report t = rig_report(VENUE_TIME, NULL);

    gateway_on_timer(r->g, GATEWAY_TIMER_CLOCK(0), r->now);
    CHECK(rig_take(r, VENUE_RQ_TIME) != NULL);
    t.venue_time_ns = r->now.wall.ns;
    rig_say(r, &t);
}

/* Answer the log-on sequence up to the list of open orders, which the test may fill before. */
static inline void
rig_logon(struct rig *r)
{
    struct venue_report t = rig_report(VENUE_TIME, NULL);

    CHECK(rig_take(r, VENUE_RQ_TIME) != NULL);
    t.venue_time_ns = r->now.wall.ns;
    rig_say(r, &t);
    CHECK(rig_take(r, VENUE_RQ_LOGON) != NULL);
    rig_say_kind(r, VENUE_LOGGED_ON, NULL);
    CHECK(rig_take(r, VENUE_RQ_STREAM) != NULL);
    rig_say_kind(r, VENUE_STREAM_UP, NULL);
    CHECK(rig_take(r, VENUE_RQ_OPEN_ORDERS) != NULL);
}

/* A book by snapshot: bid 999.00, ask 1000.00. */
static void
rig_book(struct rig *r)
{
    static const char update[] =
        "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"BTCUSDT\",\"U\":101,\"u\":101,\"b\":[[\"999.00\",\"5\"]],"
        "\"a\":[]}";
    static const char more[] =
        "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"BTCUSDT\",\"U\":102,\"u\":102,\"b\":[],\"a\":[[\"1000.00\",\"5\"]]}";
    struct snapshot_slice s = {
        .instrument = r->at, .side = SIDE_BUY, .is_first = true, .count = 1, .last_update_id = 101
    };

    rig_bytes(r, GATEWAY_CONN(r->at, CONN_ROLE_MARKET), update, sizeof(update) - 1, WS_OP_TEXT);
    rig_pass(r, 10 * NS_PER_MS);
    s.level[0] = (struct level){ 99900, 500000 };
    gateway_on_snapshot(r->g, r->at, &s, r->now);
    s = (struct snapshot_slice){
        .instrument = r->at, .side = SIDE_SELL, .is_last = true, .count = 1, .last_update_id = 101
    };
    s.level[0] = (struct level){ 100000, 500000 };
    gateway_on_snapshot(r->g, r->at, &s, r->now);
    rig_work(r);
    rig_bytes(r, GATEWAY_CONN(r->at, CONN_ROLE_MARKET), more, sizeof(more) - 1, WS_OP_TEXT);
}

/* ---- clients ---- */

static void
rig_admit(struct rig *r, uint32_t slot, uint32_t client, uint8_t role)
{
    struct client_identity id = {
        .client = client, .role = role, .generation = 1, .on_disconnect = ON_DISCONNECT_CANCEL, .name = "test"
    };
    size_t bytes = session_bytes(RIG_COMMANDS, RIG_REPORTS);
    uint8_t *mem = (uint8_t *)aligned_alloc(4096, bytes);

    memset(mem, 0, bytes);
    r->session_mem[slot] = mem;
    ring_writer_init(&r->command[slot], (struct ring_mem *)(void *)mem, 0, RIG_COMMANDS, sizeof(struct command));
    ring_reader_init(&r->report[slot], (struct ring_mem *)(void *)(mem + session_report_offset(RIG_COMMANDS)), 0,
                     RIG_REPORTS, sizeof(struct report));
    client_port_attach(r->clients, slot, &id, mem);
}

static void
rig_command(struct rig *r, uint32_t slot, struct command c)
{
    c.version = MESSAGE_VERSION;
    c.client_seq = ++r->client_seq[slot];
    CHECK(ring_put(&r->command[slot], &c));
    (void)gateway_poll_commands(r->g, 64, r->now);
    rig_work(r);
}

static struct command
rig_limit(struct rig *r, enum side side, px_t px, qty_t qty)
{
    return (struct command){
        .verb = COMMAND_NEW,
        .key = ++r->key,
        .instrument = r->at,
        .instrument_version = 1,
        .side = (uint8_t)side,
        .px = px,
        .qty = qty,
    };
}

/* Send a limit order; its key. */
static inline uint64_t
rig_new(struct rig *r, enum side side, px_t px, qty_t qty)
{
    rig_command(r, RIG_STRATEGY, rig_limit(r, side, px, qty));
    return r->key;
}

/* The answer to a query, and the time until trades that were made before it must show. */
static inline void
rig_not_found(struct rig *r, const char *clordid)
{
    rig_say_kind(r, VENUE_NOT_FOUND, clordid);
    rig_pass(r, RIG_MARGIN_NS);
}

/* The strategy's order of this key. */
static inline const struct order *
rig_order(const struct rig *r, uint64_t key)
{
    uint32_t slot = order_find_key(r->orders, RIG_CLIENT, key);
    CHECK(slot != ORDER_NONE);
    return order_at(r->orders, slot);
}

/* The next report of a session, of this kind; others are passed over. kind REPORT_NONE when there is none. */
static inline struct report
rig_next(struct rig *r, uint32_t slot, enum report_kind kind)
{
    struct report rep;
    while (ring_get(&r->report[slot], &rep))
        if (rep.kind == kind)
            return rep;
    memset(&rep, 0, sizeof(rep));
    return rep;
}

/* The second step of what the operator asked last: its token is in the report. */
static inline void
rig_confirm(struct rig *r, struct report asked)
{
    struct command c = { .verb = COMMAND_CONFIRM };

    CHECK_EQ(asked.kind, REPORT_CONFIRM);
    memcpy(c.text, asked.text, sizeof(asked.text));
    rig_command(r, RIG_OPERATOR, c);
}

static inline void
rig_resume(struct rig *r)
{
    rig_command(r, RIG_OPERATOR, (struct command){ .verb = COMMAND_RESUME });
    rig_confirm(r, rig_next(r, RIG_OPERATOR, REPORT_CONFIRM));
    CHECK_EQ(rig_next(r, RIG_OPERATOR, REPORT_DONE).kind, REPORT_DONE);
}

static inline const struct position *
rig_position(const struct rig *r)
{
    return risk_position(r->risk, 0, 0);
}

/* ---- start and end ---- */

static struct instrument
rig_instrument(void)
{
    return (struct instrument){
        .status = INSTRUMENT_TRADING,
        .px_decimals = 2,
        .qty_decimals = 5,
        .order_types = 1u << ORDER_LIMIT,
        .tifs = 1u << TIF_GTC | 1u << TIF_IOC | 1u << TIF_FOK,
        .multiplier = VALUE_ONE,
        .tick = 1,
        .px_min = 1,
        .px_max = 100000000,
        .step = 1,
        .qty_min = 1,
        .qty_max = 900000000,
        .market_qty_max = 900000000,
        .notional_max = INT64_MAX,
        .symbol = "BTCUSDT",
        .canonical = "BTC/USDT",
        .base = "BTC",
        .quote = "USDT",
        .settle = "USDT",
    };
}

static void
rig_replay_delta(void *ctx, const struct order_delta *d)
{
    struct rig *r = (struct rig *)ctx;

    risk_apply(r->risk, d);
    balances_apply(r->balances, &r->route.table[d->instrument], d);
}

static void
rig_replay_record(void *ctx, const struct journal_record *rec)
{
    struct rig *r = (struct rig *)ctx;
    struct fault fault;

    risk_replay(r->risk, rec);
    if (rec->type == JOURNAL_DEF_INSTRUMENT) {
        struct instrument ins;
        memcpy(&ins, rec->payload, sizeof(ins));
        CHECK(route_restore(&r->route, &ins));
        CHECK(risk_set_instrument(r->risk, &r->route.table[ins.id], r->now, &fault));
    } else if (rec->type == JOURNAL_DEF_CURRENCY) {
        const struct journal_name *n = (const struct journal_name *)rec->payload;
        CHECK(route_restore_currency(&r->route, (uint16_t)n->id, n->name));
    } else if (rec->type == JOURNAL_POSITION) {
        const struct journal_position *pos = (const struct journal_position *)rec->payload;
        balances_rest_set(r->balances, pos->instrument, pos->rest);
    } else if (rec->type == JOURNAL_BALANCE) {
        const struct journal_balance *b = (const struct journal_balance *)rec->payload;
        balances_set(r->balances, b->venue, b->ccy, b->amount);
    }
}

/* Read back what earlier starts have written and go on in a segment of its own. */
static void
rig_journal(struct rig *r, const struct journal_identity *who)
{
    static const uint8_t hash[32];
    const struct journal_replay_ops ops = { .ctx = r, .delta = rig_replay_delta, .record = rig_replay_record };
    struct journal_segment seg[RIG_SEGMENTS];
    struct fault fault = { .text = "" };

    ASSERT(r->segments < RIG_SEGMENTS);
    for (uint32_t i = 0; i < r->segments; i++)
        seg[i] = (struct journal_segment){ r->segment[i], RIG_SEGMENT, "rig" };
    CHECK(journal_replay(seg, r->segments, who, r->orders, &ops, &r->replayed, &fault));
    risk_restored(r->risk, r->now);
    if (r->replayed.killed)
        kill_trip(risk_kill(r->risk));
    r->term = clordid_next_term(r->replayed.last_term, r->now.wall.ns);
    journal_init(&r->journal, who, "test", hash, r->term, r->replayed.last_seq, r->replayed.next_segment_index);
    r->segment[r->segments] = (uint8_t *)aligned_alloc(4096, RIG_SEGMENT);
    memset(r->segment[r->segments], 0, RIG_SEGMENT);
    (void)journal_region(&r->journal, r->segment[r->segments++], RIG_SEGMENT, r->now);
}

/* All but the journal's memory and the clock begins anew. */
static void
rig_begin(struct rig *r)
{
    struct risk_counts rc = { .accounts = 2, .instruments = 8 };
    struct order_counts oc = {
        .live_max = RIG_ORDERS / 2, .done_kept = RIG_ORDERS / 2, .trades_kept = 256, .keys_kept = 16
    };
    struct feed_config fc = feed_config_default(8);
    struct client_port_config cc = { .sessions_max = 2,
                                     .command_capacity = RIG_COMMANDS,
                                     .report_capacity = RIG_REPORTS };
    struct journal_identity who = { .instance = "01", .mode = JOURNAL_LIVE, .account_count = 1, .venue_count = 1 };
    uint16_t venues = r->two_venues ? 2 : 1;
    static struct risk_limits limits;
    struct fault fault;
    struct session_config sc = { .backoff_min_ns = 100 * NS_PER_MS,
                                 .backoff_max_ns = NS_PER_S,
                                 .connect_max_ns = 5 * NS_PER_S,
                                 .step_max_ns = 5 * NS_PER_S,
                                 .answer_max_ns = rig_answer_max_ns,
                                 .silence_max_ns = INT64_C(3600) * NS_PER_S,
                                 .stable_ns = 60 * NS_PER_S };

    rig_now = r;
    fc.groups = rig_links.groups;
    fc.copies = rig_links.copies;
    fc.streams_max = rig_links.streams_max;
    fc.spare = rig_links.spare;
    for (uint32_t i = 0; i < ARRAY_LEN(r->timer); i++)
        r->timer[i] = MONO_NEVER;
    r->arena.size = (size_t)(24 + 2 * feed_links(&fc)) << 20;
    r->arena.base = (uint8_t *)aligned_alloc(4096, r->arena.size);
    route_init(&r->route, 8, &r->arena);
    r->risk = risk_init(&rc, &r->arena);
    limits_default(&limits);
    limits.version = 1;
    limits.instrument_default.order_notional_max = 100000 * VALUE_ONE;
    limits.instrument_default.position_long_max = 10 * VALUE_ONE;
    limits.instrument_default.position_short_max = 10 * VALUE_ONE;
    limits.instrument_default.collar_ppm = 20000;
    limits.instrument_default.tob_age_max_ns = INT64_C(3600) * NS_PER_S;
    if (rig_limits != NULL)
        rig_limits(&limits);
    if (!risk_set_limits(r->risk, &limits, r->now, &fault))
        fail_msg("%s", fault.text);
    r->orders = order_table_init(&oc, who.instance, &r->arena);
    r->balances = balances_init(&r->arena);
    r->feed = feed_init(&fc, &r->arena, &fault);
    CHECK(r->feed != NULL);
    r->feed_other = r->two_venues ? feed_init(&fc, &r->arena, &fault) : NULL;
    r->clients = client_port_init(&cc, &r->arena);
    rig_journal(r, &who);
    risk_arm(r->risk, true);
    r->market = aligned_alloc(4096, (md_shm_footprint(1024, 8) + 4095) & ~(size_t)4095);
    memset(r->market, 0, md_shm_footprint(1024, 8));
    md_writer_init(&r->md, r->market, 1024, 8);
    r->metrics = (struct metric_page *)aligned_alloc(4096, (sizeof(struct metric_page) + 4095) & ~(size_t)4095);
    memset(r->metrics, 0, sizeof(struct metric_page));
    struct gateway_parts parts = {
        .route = &r->route,
        .risk = r->risk,
        .orders = r->orders,
        .balances = r->balances,
        .journal = &r->journal,
        .feed = { r->feed, r->feed_other },
        .clients = r->clients,
        .md = &r->md,
        .metrics = r->metrics,
        .port = { .ctx = r,
                  .conn_open = rig_open,
                  .conn_close = rig_close,
                  .send_reserve = rig_reserve,
                  .send_commit = rig_commit,
                  .send_withdraw = rig_withdraw,
                  .flush = rig_flush,
                  .rest_send = rig_rest_send,
                  .timer_arm = rig_timer,
                  .journal_next = rig_journal_next,
                  .stamp = rig_stamp,
                  .fetch_instruments = rig_fetch_instruments,
                  .fetch_snapshot = rig_fetch_snapshot },
    };
    struct gateway_config gc = {
        .venue_count = venues, .order_slots = RIG_ORDERS, .accounts = 2, .instance = "01", .term = r->term, .seed = 7
    };
    gc.venue[0] = (struct gateway_venue_config){ .name = "script",
                                                 .account = rig_account,
                                                 .ops = r->over_http ? &script_ops_rest
                                                        : r->amends  ? &script_ops_amends
                                                                     : &script_ops,
                                                 .snapshot_levels = 100,
                                                 .recv_window_ns = NS_PER_S,
                                                 .request_timeout_ns = 2 * NS_PER_S,
                                                 .unknown_margin_ns = RIG_MARGIN_NS,
                                                 .cancel_reserve_percent = 20,
                                                 .refresh_ns = INT64_C(3600) * NS_PER_S,
                                                 .clock_ns = rig_clock_ns,
                                                 .audit_ns = 60 * NS_PER_S,
                                                 .market = sc,
                                                 .order = sc };
    gc.durable_first = r->durable_first;
    gc.venue[0].links = feed_links(&fc);
    gc.venue[0].spare = fc.spare;
    gc.venue[0].lifetime_ns = rig_links.lifetime_ns;
    gc.venue[0].connects_max = rig_links.connects_max;
    gc.venue[0].connects_window_ns = rig_links.connects_window_ns;
    if (rig_links.silence_ns != 0)
        gc.venue[0].market.silence_max_ns = rig_links.silence_ns;
    gc.new_journal = r->new_journal;
    gc.venue[0].quiet_until_ns = r->replayed.quiet_until_ns[0];
    gc.venue[0].first_held = r->first_held;
    gc.venue[0].order.step_count = 4;
    gc.venue[0].foreign = r->foreign;
    gc.venue[0].balance_moves_position = r->balance_moves_position;
    script_ops.sweeps = r->sweeps;
    gc.venue[1] = gc.venue[0];
    gc.venue[1].name = "other";
    script_ops_rest.sweeps = r->http_sweeps;
    script_ops.cancels_linger = rig_cancels_linger;
    gc.venue[0].deadman_ns = rig_deadman_ns;
    gc.kill_trips = rig_kill_trips;
    script_cost[VENUE_RQ_NEW].decay = script_cost[VENUE_RQ_AMEND].decay = rig_order_count != 0;
    script_cost[VENUE_RQ_CANCEL].decay = rig_order_count != 0;
    gc.venue[0].order_count_max = rig_order_count;
    gc.venue[0].order_count_ns = 60 * NS_PER_S;
    gc.venue[0].http_calls_max = rig_http_calls;
    gc.venue[0].http_calls_ns = 60 * NS_PER_S;
    gc.client[RIG_CLIENT] =
        (struct gateway_client_config){ .silence_ns = rig_heartbeat_ns, .on_silence = rig_on_silence };
    r->g = gateway_init(&gc, &parts, &r->arena);
    arena_seal(&r->arena);
    gateway_start(r->g, r->now);
    rig_admit(r, RIG_STRATEGY, RIG_CLIENT, ROLE_STRATEGY);
    rig_admit(r, RIG_OPERATOR, CLIENT_OPERATOR, ROLE_OPERATOR);
}

static void
rig_start(struct rig *r)
{
    bool durable_first = r->durable_first;
    bool amends = r->amends;
    bool over_http = r->over_http;
    bool two_venues = r->two_venues;
    bool http_sweeps = r->http_sweeps;

    memset(r, 0, sizeof(*r));
    r->http_sweeps = http_sweeps;
    r->durable_first = durable_first;
    r->amends = amends;
    r->over_http = over_http;
    r->two_venues = two_venues;
    r->now = (struct now){ { NS_PER_S }, { INT64_C(1700000000) * NS_PER_S } };
    rig_begin(r);
}

/* At a venue that tells trades of the account and balances. */
static inline void
rig_start_sweeping(struct rig *r, enum foreign_policy foreign, bool balance_moves_position)
{
    bool new_journal = r->new_journal;
    bool first_held = r->first_held;

    memset(r, 0, sizeof(*r));
    r->new_journal = new_journal;
    r->first_held = first_held;
    r->now = (struct now){ { NS_PER_S }, { INT64_C(1700000000) * NS_PER_S } };
    r->sweeps = true;
    r->foreign = foreign;
    r->balance_moves_position = balance_moves_position;
    rig_begin(r);
}

static void
rig_free(struct rig *r)
{
    free(r->arena.base);
    free(r->market);
    free(r->metrics);
    free(r->session_mem[0]);
    free(r->session_mem[1]);
}

/* Killed and started again two seconds later: what is left is the journal, the venue and the clocks. */
static inline void
rig_restart(struct rig *r)
{
    struct rig *old = (struct rig *)malloc(sizeof(*old));

    *old = *r;
    rig_free(r);
    memset(r, 0, sizeof(*r));
    memcpy(r->segment, old->segment, sizeof(r->segment));
    r->segments = old->segments;
    r->now = (struct now){ mono_after(old->now.mono, 2 * NS_PER_S), { old->now.wall.ns + 2 * NS_PER_S } };
    r->key = old->key;
    r->amends = old->amends;
    r->foreign = old->foreign;
    r->balance_moves_position = old->balance_moves_position;
    r->sweeps = old->sweeps;
    r->new_journal = old->new_journal;
    r->first_held = old->first_held;
    r->over_http = old->over_http;
    free(old);
    rig_begin(r);
}

/* Everything up at one venue: instruments, book, order entry logged on and asking for the open orders. */
static inline void
rig_up_at(struct rig *r, uint16_t venue)
{
    r->at = venue;
    CHECK(r->wanted[GATEWAY_CONN(venue, CONN_ROLE_MARKET)] && r->wanted[GATEWAY_CONN(venue, CONN_ROLE_ORDER)]);
    rig_connect(r, GATEWAY_CONN(venue, CONN_ROLE_MARKET));
    rig_book(r);
    CHECK_EQ(feed_state(venue == 0 ? r->feed : r->feed_other, venue), BOOK_LIVE);
    rig_connect(r, GATEWAY_CONN(venue, CONN_ROLE_ORDER));
    rig_logon(r);
}

static inline void
rig_up(struct rig *r)
{
    uint16_t venues = r->two_venues ? 2 : 1;

    CHECK_EQ(r->definitions_asked, venues);
    for (uint16_t v = 0; v < venues; v++) {
        struct instrument ins = rig_instrument();
        ins.venue = v;
        gateway_on_definition(r->g, &ins, r->now);
        gateway_on_definitions_end(r->g, v, true, r->now);
    }
    if (r->two_venues) {
        rig_up_at(r, 1);
        rig_say_kind(r, VENUE_OPEN_ORDERS_END, NULL);
    }
    rig_up_at(r, 0);
}

static inline void
rig_ready(struct rig *r)
{
    rig_start(r);
    rig_up(r);
    rig_say_kind(r, VENUE_OPEN_ORDERS_END, NULL);
    CHECK(risk_venue_of(r->risk, 0)->reconciled);
}

static void
rig_end(struct rig *r)
{
    for (uint32_t i = 0; i < r->segments; i++)
        free(r->segment[i]);
    rig_free(r);
}

#endif
