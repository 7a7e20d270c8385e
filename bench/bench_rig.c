#include "bench/bench_rig.h"
#include "bench/bench_limits.h"
#include "bench/bench_text.h"
#include "engine/io/pages.h"
#include "engine/io/tls_memory.h"
#include "feed/ws_frame.h"
#include "feed/ws_handshake.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMMANDS_PER_TURN 64u
#define TIMERS_PER_TURN   64u
#define ORDER_BYTES       (256u * 1024u)
#define MARKET_BYTES      (256u * 256u)
#define SLEEP_MAX_NS      (50 * NS_PER_MS)
#define LONG_NS           (INT64_C(24) * 3600 * NS_PER_S)
#define SEGMENT_BYTES     (64u << 20)
#define COMMANDS          1024u
#define REPORTS           4096u
#define START_MAX_NS      (20 * NS_PER_S)

/* ---- actions of the gateway: as in engine/core.c ---- */

/* The market's subscriptions go nowhere: what is sent is fixed. They are answered, or its connection would be given up.
 */
static bool
wanted(const struct bench_rig *r, uint32_t conn)
{
    return conn % 2 == CONN_ROLE_ORDER && r->cfg.order;
}

static void
connect_to_port(struct bench_rig *r, uint32_t conn)
{
    struct connect_request rq = {
        .kind = CONNECT_OPEN, .conn = conn, .generation = ++r->generation[conn], .deadline_ms = 10000
    };
    struct fault fault;
    char url[64];
    uint64_t one = 1;

    (void)snprintf(url, sizeof(url), "%s://localhost:%u/stream", r->cfg.tls ? "wss" : "ws", r->cfg.port);
    if (!endpoint_parse(url, &rq.endpoint, &fault) || !connector_request(r->connector, &rq))
        bench_die("rig: %s cannot be asked for", url);
    if (connector_wake_needed(r->connector))
        ASSERT(write(connector_request_fd(r->connector), &one, sizeof(one)) == sizeof(one));
}

static void
port_conn_open(void *ctx, uint32_t conn)
{
    struct bench_rig *r = (struct bench_rig *)ctx;

    if (conn % 2 == CONN_ROLE_ORDER && r->cfg.order)
        connect_to_port(r, conn); /* market data: rig_start, when the books are live */
}

static void
port_conn_close(void *ctx, uint32_t conn)
{
    (void)ctx;
    bench_die("rig: the gateway closed connection %u", conn);
}

static uint8_t *
port_send_reserve(void *ctx, uint32_t conn, size_t bytes)
{
    struct bench_rig *r = (struct bench_rig *)ctx;

    if (!wanted(r, conn))
        return bytes <= sizeof(r->room) ? r->room : NULL;
    uint8_t *room = loop_attached(r->loop, conn) ? loop_send_reserve(r->loop, conn, bytes) : NULL;
    r->reserved = room;
    return room;
}

/* The id of a request of ours, to be answered in the next turn. */
static void
market_asked(struct bench_rig *r, const uint8_t *frame, size_t bytes)
{
    char text[sizeof(r->room)];
    size_t head = (frame[1] & 0x7f) == 126 ? 4 : 2;
    int id;

    if ((frame[0] & 0x0f) != WS_OP_TEXT || bytes < head + 4)
        return;
    size_t n = bytes - head - 4;
    for (size_t i = 0; i < n; i++)
        text[i] = (char)(frame[head + 4 + i] ^ frame[head + i % 4]);
    text[n] = '\0';
    const char *at = strstr(text, "\"id\":");
    if (at == NULL || sscanf(at, "\"id\":%d", &id) != 1)
        return;
    ASSERT(r->asked_count < ARRAY_LEN(r->asked));
    r->asked[r->asked_count++] = id;
    r->asked_ns = bench_now();
}

static void
port_send_commit(void *ctx, uint32_t conn, size_t bytes, uint64_t cover_seq)
{
    struct bench_rig *r = (struct bench_rig *)ctx;

    if (!wanted(r, conn)) {
        if (conn % 2 == CONN_ROLE_MARKET)
            market_asked(r, r->room, bytes);
        return;
    }
    if (unlikely(r->capture)) {
        ASSERT(bytes <= sizeof(r->captured));
        memcpy(r->captured, r->reserved, bytes);
        r->captured_bytes = bytes;
        r->capture = false;
    }
    loop_send_commit(r->loop, conn, bytes, cover_seq);
}

static bool
port_send_withdraw(void *ctx, uint32_t conn, uint64_t cover_seq)
{
    return loop_send_withdraw(((struct bench_rig *)ctx)->loop, conn, cover_seq);
}

static void
port_flush(void *ctx)
{
    struct bench_rig *r = (struct bench_rig *)ctx;

    r->flushed = loop_submit(r->loop, &r->flushed_at);
}

static void
port_timer_arm(void *ctx, uint32_t timer, mono_ns_t at)
{
    timer_arm(&((struct bench_rig *)ctx)->timers, timer, at);
}

static bool
port_journal_next(void *ctx, struct now now)
{
    return journal_sync_take(&((struct bench_rig *)ctx)->sync, now);
}

static bool
sync_fsync(void *ctx, int fd, uint64_t token)
{
    return loop_fsync(((struct bench_rig *)ctx)->loop, fd, token);
}

static mono_ns_t
port_stamp(void *ctx)
{
    (void)ctx;
    return (mono_ns_t){ bench_now() };
}

static bool
port_fetch_instruments(void *ctx, uint16_t venue)
{
    (void)ctx;
    (void)venue;
    return true; /* answered by rig_start */
}

static bool
port_fetch_snapshot(void *ctx, const struct instrument *ins, uint32_t levels)
{
    (void)levels;
    ((struct bench_rig *)ctx)->snapshot_wanted = ins->id;
    return true;
}

/* ---- events ---- */

static void
on_bytes(void *ctx, uint32_t conn, const uint8_t *bytes, size_t len, mono_ns_t recv)
{
    struct bench_rig *r = (struct bench_rig *)ctx;
    struct now now = r->now;

    now.mono = recv;
    gateway_on_bytes(r->g, conn, bytes, len, now);
}

static void
on_closed(void *ctx, uint32_t conn, enum loop_end end, int err)
{
    (void)ctx;
    bench_die("rig: connection %u ended: %s, errno %d", conn, loop_end_text(end), err);
}

static void
on_wake(void *ctx, uint64_t token)
{
    (void)ctx;
    (void)token;
}

static void
on_synced(void *ctx, uint64_t token, int res)
{
    struct bench_rig *r = (struct bench_rig *)ctx;

    if (!journal_sync_done(&r->sync, token, res, r->now))
        bench_die("rig: journal sync failed: %s", strerror(-res));
    if (r->sync.policy != JOURNAL_SYNC_ALWAYS)
        return;
    loop_cover(r->loop, journal_sync_durable(&r->sync));
    gateway_on_durable(r->g, journal_sync_durable(&r->sync));
}

static void
on_timer(void *ctx, uint32_t id)
{
    struct bench_rig *r = (struct bench_rig *)ctx;

    gateway_on_timer(r->g, id, r->now);
}

static void
connector_results(struct bench_rig *r)
{
    struct connect_result c;

    while (connector_result(r->connector, &c)) {
        if (c.ok == 0)
            bench_die("rig: %s", c.fault.text);
        loop_attach(r->loop, c.conn, c.conn % 2 == CONN_ROLE_MARKET ? LOOP_MARKET : LOOP_ORDER, &c.handover);
        if (c.conn % 2 == CONN_ROLE_ORDER)
            gateway_on_up(r->g, c.conn, r->now);
    }
}

/* True when orders or other messages went out; *sent is when. */
static bool
submit(struct bench_rig *r, mono_ns_t *sent)
{
    mono_ns_t at;
    bool any = loop_submit(r->loop, &at);

    if (r->flushed) {
        at = r->flushed_at;
        any = true;
    } else if (!any) {
        at.ns = bench_now();
    }
    r->flushed = false;
    if (any && sent != NULL)
        *sent = at;
    gateway_on_sent(r->g, at, r->now);
    return any;
}

/* A message of the market's, as if it had come over its connection. */
static void
market_says(struct bench_rig *r, const char *text, size_t len)
{
    static uint8_t buf[WS_HEADER_ROOM + BENCH_TEXT_MAX];

    memcpy(buf + WS_HEADER_ROOM, text, len);
    struct ws_frame f = ws_encode(buf, WS_HEADER_ROOM, len, WS_OP_TEXT, NULL);
    gateway_on_bytes(r->g, GATEWAY_CONN(0, CONN_ROLE_MARKET), f.data, f.len, r->now);
}

static void
market_answers(struct bench_rig *r)
{
    char text[64];

    for (unsigned i = 0; i < r->asked_count; i++)
        market_says(r, text, (size_t)snprintf(text, sizeof(text), "{\"result\":null,\"id\":%d}", r->asked[i]));
    r->asked_count = 0;
}

bool
rig_turn(struct bench_rig *r, mono_ns_t *sent)
{
    const struct loop_handler handler = { .ctx = r, .on_bytes = on_bytes, .on_closed = on_closed };
    bool any = false;

    r->now = loop_now(r->loop);
    (void)gateway_look_ahead(r->g);
    loop_reap(r->loop);
    connector_results(r);
    if (unlikely(r->asked_count != 0) && !loop_attached(r->loop, GATEWAY_CONN(0, CONN_ROLE_MARKET)))
        market_answers(r);
    (void)loop_deliver(r->loop, LOOP_ORDER, ORDER_BYTES, &handler);
    if (gateway_poll_commands(r->g, COMMANDS_PER_TURN, r->now) > 0) {
        if (r->sync.policy == JOURNAL_SYNC_ALWAYS)
            journal_sync_turn(&r->sync, r->now);
        any = submit(r, sent);
    }
    (void)loop_deliver(r->loop, LOOP_MARKET, MARKET_BYTES, &handler);
    (void)timer_expire(&r->timers, r->now.mono, TIMERS_PER_TURN, on_timer, r);
    (void)gateway_work(r->g, r->now);
    journal_sync_turn(&r->sync, r->now);
    (void)client_port_doorbells(r->clients);
    any |= submit(r, any ? NULL : sent);
    if (!any)
        gateway_rehearse(r->g, r->now);
    (void)client_port_doorbells(r->clients);
    metric_set(r->metrics, METRIC_LOOP_TURN_MAX, 0, (int64_t)loop_stats(r->loop)->turn_ns_longest);
    return any;
}

void
rig_sleep(struct bench_rig *r)
{
    mono_ns_t until = timer_next(&r->timers);
    mono_ns_t cap = mono_after(r->now.mono, SLEEP_MAX_NS);

    if (cap.ns < until.ns)
        until = cap;
    bool idle = connector_core_sleep(r->connector) && client_port_sleep(r->clients);
    if (idle)
        loop_wait(r->loop, until);
    connector_core_awake(r->connector);
    client_port_awake(r->clients);
}

/* ---- building ---- */

static const uint8_t *
file_read(const char *dir, const char *name, size_t *len)
{
    static uint8_t buf[4096];
    char path[600];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, buf, sizeof(buf)) : -1;
    if (n <= 0)
        bench_die("rig: %s: %s", path, strerror(errno));
    (void)close(fd);
    *len = (size_t)n;
    return buf;
}

static const struct order_counts order_counts = {
    .live_max = RIG_LIVE_MAX, .done_kept = RIG_LIVE_MAX, .trades_kept = 16384, .keys_kept = 1024
};
static const struct client_port_config client_config = { .sessions_max = 2,
                                                         .command_capacity = COMMANDS,
                                                         .report_capacity = REPORTS };
static const struct risk_counts risk_counts = { .accounts = 1, .instruments = RIG_INSTRUMENTS };

static struct feed_config
feed_config(void)
{
    struct feed_config f = feed_config_default(RIG_INSTRUMENTS);

    f.depth_lag_max_ns = 0; /* bookTicker alone is sent; a depth stream would be missed */
    f.retry_min_ns = NS_PER_MS;
    return f;
}

static struct loop_config
loop_config(const struct rig_config *c)
{
    return (struct loop_config){
        .conn_max = GATEWAY_CONNS_FIRST,
        .hold_messages = c->sync_always ? GATEWAY_HELD_MAX : 0,
        .hold_bytes = GATEWAY_HELD_BYTES,
        .recv_buffer_count = { [LOOP_ORDER] = 64, [LOOP_MARKET] = LOOP_MARKET_BUFFERS },
        .recv_buffer_bytes = 16384,
        .send_buffer_bytes = 131072,
        .watch_max = 4,
        .bell_max = 8,
        .close_linger_ms = 200,
        .busy = c->busy,
    };
}

static struct venue_config
venue_config(struct bench_rig *r, const uint8_t *secret, size_t secret_bytes)
{
    return (struct venue_config){
        .recv_window_ms = 5000,
        .keys = { .api_key = "benchKey", .secret = secret, .secret_bytes = secret_bytes, .ed25519 = !r->cfg.hmac },
        .instruments = { .table = r->route.table, .count = RIG_INSTRUMENTS },
        .orders_max = RIG_LIVE_MAX,
    };
}

static size_t
upgrade_request(void *ctx, const char *host, const char *path, const uint8_t nonce[UPGRADE_NONCE_BYTES], uint8_t *buf,
                size_t room)
{
    (void)ctx;
    return ws_handshake_request((char *)buf, room, host, path, nonce, NULL);
}

static int
upgrade_check(void *ctx, const uint8_t nonce[UPGRADE_NONCE_BYTES], const uint8_t *buf, size_t len, struct fault *fault)
{
    (void)ctx;
    return ws_handshake_check(buf, len, nonce, fault);
}

static void *
pages(size_t bytes)
{
    void *p = pages_map(bytes);

    if (p == NULL)
        bench_die("rig: no memory: %s", strerror(errno));
    return p;
}

static void
make_journal(struct bench_rig *r)
{
    struct journal_identity who = { .instance = "01", .mode = JOURNAL_LIVE, .account_count = 1, .venue_count = 1 };
    static const uint8_t hash[32];
    struct journal_region region;
    struct fault fault;
    char dir[600];

    (void)snprintf(dir, sizeof(dir), "%s/rig-%d", r->cfg.dir, (int)getpid());
    r->files = journal_file_open(dir, SEGMENT_BYTES, &fault);
    if (r->files == NULL || !journal_file_start(r->files, 1, &region, &fault))
        bench_die("rig: %s", fault.text);
    journal_init(&r->journal, &who, EXECGW_VERSION, hash, 1790000000, 0, 0);
    ASSERT(journal_region(&r->journal, region.base, region.bytes, r->now));
    journal_sync_init(&r->sync, &r->journal, r->files, &region,
                      r->cfg.sync_always ? JOURNAL_SYNC_ALWAYS : JOURNAL_SYNC_NONE, 0,
                      &(struct journal_sync_ops){ .ctx = r, .fsync = sync_fsync });
}

static void
make_client(struct bench_rig *r)
{
    struct client_identity id = {
        .client = 1, .role = ROLE_STRATEGY, .generation = 1, .on_disconnect = ON_DISCONNECT_NOTHING, .name = "bench"
    };
    uint8_t *mem = (uint8_t *)pages(session_bytes(COMMANDS, REPORTS));

    ring_writer_init(&r->command, (struct ring_mem *)(void *)mem, 0, COMMANDS, sizeof(struct command));
    ring_reader_init(&r->report, (struct ring_mem *)(void *)(mem + session_report_offset(COMMANDS)), 0, REPORTS,
                     sizeof(struct report));
    client_port_attach(r->clients, 0, &id, mem);
}

static void
make_connector(struct bench_rig *r)
{
    struct connector_config cfg = { .conn_max = GATEWAY_CONNS_FIRST,
                                    .tls = r->cfg.tls ? &r->tls : NULL,
                                    .upgrade = { .request = upgrade_request, .response = upgrade_check } };
    struct arena arena = { .size = connector_footprint(&cfg) };
    struct fault fault;
    char ca[600];

    (void)snprintf(ca, sizeof(ca), "%s/ca.pem", r->cfg.dir);
    if (r->cfg.tls && !tls_context_init(&r->tls, ca, &fault))
        bench_die("rig: %s", fault.text);
    arena.base = (uint8_t *)pages(arena.size);
    r->connector = connector_init(&cfg, &arena, &fault);
    if (r->connector == NULL || !connector_start(r->connector, &fault))
        bench_die("rig: %s", fault.text);
}

static struct gateway_config
gateway_config(struct bench_rig *r, struct venue_adapter *adapter)
{
    const struct session_config sc = { .backoff_min_ns = NS_PER_S,
                                       .backoff_max_ns = NS_PER_S,
                                       .connect_max_ns = LONG_NS,
                                       .step_max_ns = START_MAX_NS,
                                       .silence_max_ns = LONG_NS,
                                       .stable_ns = LONG_NS };
    struct gateway_config gc = { .venue_count = 1,
                                 .order_slots = order_counts.live_max + order_counts.done_kept,
                                 .accounts = 1,
                                 .instance = "01",
                                 .term = 1790000000,
                                 .seed = 7,
                                 .durable_first = r->cfg.sync_always };

    gc.venue[0] = (struct gateway_venue_config){ .name = "bench",
                                                 .ops = &venue_binance,
                                                 .adapter = adapter,
                                                 .snapshot_levels = 100,
                                                 .recv_window_ns = 5 * NS_PER_S,
                                                 .request_timeout_ns = LONG_NS,
                                                 .unknown_margin_ns = 2 * NS_PER_S,
                                                 .refresh_ns = LONG_NS,
                                                 .clock_ns = LONG_NS,
                                                 .market = sc,
                                                 .order = sc };
    gc.venue[0].order.step_count = 4;
    return gc;
}

static void
make_loop(struct bench_rig *r)
{
    const struct loop_config cfg = loop_config(&r->cfg);
    const struct loop_events events = { .ctx = r, .on_wake = on_wake, .on_synced = on_synced };
    uint32_t timers = GATEWAY_TIMERS(order_counts.live_max + order_counts.done_kept);
    struct arena arena = { .size = loop_footprint(&cfg) + timer_footprint(timers) };
    struct fault fault;

    arena.base = (uint8_t *)pages(arena.size);
    r->loop = loop_init(&cfg, &events, &arena, &fault);
    if (r->loop == NULL)
        bench_die("rig: %s", fault.text);
    r->now = loop_now(r->loop);
    timer_init(&r->timers, timers, &arena, r->now.mono);
    ASSERT(loop_watch_eventfd(r->loop, connector_result_fd(r->connector), 0) >= 0);
}

static size_t
footprint(const struct venue_config *vc, const struct gateway_config *gc)
{
    struct feed_config fc = feed_config();

    return tls_memory_footprint(GATEWAY_CONNS_FIRST) + route_footprint(RIG_INSTRUMENTS) + risk_footprint(&risk_counts) +
           order_table_footprint(&order_counts) + client_port_footprint(&client_config) + venue_binance.footprint(vc) +
           feed_footprint(&fc) + gateway_footprint(gc) + 65536;
}

static void
make_parts(struct bench_rig *r)
{
    static struct risk_limits limits;
    size_t secret_bytes = 32;
    const uint8_t *secret = (const uint8_t *)"0123456789abcdef0123456789abcdef";
    struct feed_config fc = feed_config();
    struct fault fault;

    if (!r->cfg.hmac)
        secret = file_read(r->cfg.dir, "api.pem", &secret_bytes);
    struct venue_config vc = venue_config(r, secret, secret_bytes);
    struct gateway_config gc = gateway_config(r, NULL);
    r->arena.size = footprint(&vc, &gc);
    r->arena.base = (uint8_t *)pages(r->arena.size);
    if (!tls_memory_init(GATEWAY_CONNS_FIRST, &r->arena, &fault))
        bench_die("rig: %s", fault.text);
    make_connector(r);
    tls_memory_bind(true);
    make_loop(r);
    route_init(&r->route, RIG_INSTRUMENTS, &r->arena);
    r->risk = risk_init(&risk_counts, &r->arena);
    bench_limits(&limits);
    if (!risk_set_limits(r->risk, &limits, r->now, &fault))
        bench_die("rig: %s", fault.text);
    risk_arm(r->risk, true);
    r->orders = order_table_init(&order_counts, "01", &r->arena);
    r->feed = feed_init(&fc, &r->arena, &fault);
    if (r->feed == NULL)
        bench_die("rig: %s", fault.text);
    r->clients = client_port_init(&client_config, &r->arena);
    md_writer_init(&r->md, pages(md_shm_footprint(RIG_MD_RING, RIG_INSTRUMENTS)), RIG_MD_RING, RIG_INSTRUMENTS);
    r->metrics = (struct metric_page *)pages(sizeof(struct metric_page));
    make_journal(r);
    make_client(r);
    vc = venue_config(r, secret, secret_bytes);
    struct venue_adapter *adapter = venue_binance.init(&vc, &r->arena, &fault);
    if (adapter == NULL)
        bench_die("rig: %s", fault.text);
    gc = gateway_config(r, adapter);
    struct gateway_parts parts = {
        .route = &r->route,
        .risk = r->risk,
        .orders = r->orders,
        .journal = &r->journal,
        .feed = { r->feed },
        .clients = r->clients,
        .md = &r->md,
        .metrics = r->metrics,
        .port = { .ctx = r,
                  .conn_open = port_conn_open,
                  .conn_close = port_conn_close,
                  .send_reserve = port_send_reserve,
                  .send_commit = port_send_commit,
                  .send_withdraw = port_send_withdraw,
                  .flush = port_flush,
                  .timer_arm = port_timer_arm,
                  .journal_next = port_journal_next,
                  .stamp = port_stamp,
                  .fetch_instruments = port_fetch_instruments,
                  .fetch_snapshot = port_fetch_snapshot },
    };
    r->g = gateway_init(&gc, &parts, &r->arena);
    arena_seal(&r->arena);
}

/* ---- bringing it up ---- */

static void
depth_says(struct bench_rig *r, uint32_t id, uint64_t seq)
{
    char symbol[SYMBOL_BYTES];
    char text[256];

    bench_symbol(id + (r->cfg.wide ? BENCH_WIDE : 0), symbol);
    int n = snprintf(text, sizeof(text),
                     "{\"stream\":\"x@depth\",\"data\":{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"%s\",\"U\":%" PRIu64
                     ",\"u\":%" PRIu64 ",\"b\":[[\"999.00\",\"5\"]],\"a\":[[\"1000.00\",\"5\"]]}}",
                     symbol, seq, seq);
    ASSERT(n > 0 && (size_t)n < sizeof(text));
    market_says(r, text, (size_t)n);
}

static void
snapshot_answer(struct bench_rig *r)
{
    uint32_t id = r->snapshot_wanted;
    struct snapshot_slice s = {
        .instrument = id, .side = SIDE_BUY, .is_first = true, .count = 1, .last_update_id = 101
    };

    r->snapshot_wanted = UINT32_MAX;
    s.level[0] = (struct level){ 99900, 500000 };
    gateway_on_snapshot(r->g, 0, &s, r->now);
    s = (struct snapshot_slice){
        .instrument = id, .side = SIDE_SELL, .is_last = true, .count = 1, .last_update_id = 101
    };
    s.level[0] = (struct level){ 100000, 500000 };
    gateway_on_snapshot(r->g, 0, &s, r->now);
}

static bool
books_live(const struct bench_rig *r)
{
    for (uint32_t i = 0; i < RIG_INSTRUMENTS; i++)
        if (feed_state(r->feed, i) != BOOK_LIVE)
            return false;
    return true;
}

static void
books_up(struct bench_rig *r)
{
    int64_t end = bench_now() + START_MAX_NS;

    for (uint32_t i = 0; i < RIG_INSTRUMENTS; i++)
        depth_says(r, i, 101);
    while (!books_live(r)) {
        (void)rig_turn(r, NULL);
        if (r->snapshot_wanted != UINT32_MAX)
            snapshot_answer(r);
        if (bench_now() > end)
            bench_die("rig: the books do not go live");
    }
    for (uint32_t i = 0; i < RIG_INSTRUMENTS; i++)
        depth_says(r, i, 102);
    if (!books_live(r))
        bench_die("rig: the books do not stay live");
}

static void
order_up(struct bench_rig *r)
{
    int64_t end = bench_now() + START_MAX_NS;

    while (!risk_venue_of(r->risk, 0)->reconciled) {
        (void)rig_turn(r, NULL);
        if (bench_now() > end)
            bench_die("rig: order entry does not log on");
    }
}

/* The books are live as if by this connection; from here on their bytes come over it. */
static void
market_up(struct bench_rig *r)
{
    int64_t end = bench_now() + START_MAX_NS;

    while (bench_now() - r->asked_ns < NS_PER_S) /* nothing may be asked once real bytes come: see rig_turn */
        (void)rig_turn(r, NULL);
    connect_to_port(r, GATEWAY_CONN(0, CONN_ROLE_MARKET));
    while (!loop_attached(r->loop, GATEWAY_CONN(0, CONN_ROLE_MARKET))) {
        (void)rig_turn(r, NULL);
        if (bench_now() > end)
            bench_die("rig: the market-data connection does not come up");
    }
}

void
rig_start(struct bench_rig *r, const struct rig_config *cfg)
{
    memset(r, 0, sizeof(*r));
    r->cfg = *cfg;
    r->snapshot_wanted = UINT32_MAX;
    make_parts(r);
    gateway_start(r->g, r->now);
    for (uint32_t i = 0; i < RIG_INSTRUMENTS; i++) {
        struct instrument ins = bench_instrument(i + (cfg->wide ? BENCH_WIDE : 0));
        gateway_on_definition(r->g, &ins, r->now);
    }
    gateway_on_definitions_end(r->g, 0, true, r->now);
    gateway_on_up(r->g, GATEWAY_CONN(0, CONN_ROLE_MARKET), r->now);
    books_up(r);
    if (cfg->order)
        order_up(r);
    if (cfg->market)
        market_up(r);
}

/* ---- the client ---- */

int64_t
rig_submit(struct bench_rig *r, uint32_t instrument)
{
    struct command c = {
        .version = MESSAGE_VERSION,
        .verb = COMMAND_NEW,
        .key = ++r->key,
        .instrument = instrument,
        .instrument_version = 1,
        .side = SIDE_BUY,
        .tif = TIF_IOC,
        .px = 100000,
        .qty = 1000 + (qty_t)(r->key % 997),
        .client_seq = ++r->client_seq,
    };
    struct command *slot = (struct command *)ring_claim(&r->command);

    ASSERT(slot != NULL);
    c.submit_mono_ns = bench_now();
    *slot = c;
    ring_commit(&r->command);
    return c.submit_mono_ns;
}

unsigned
rig_reports(struct bench_rig *r, uint64_t *expired)
{
    struct report rep;
    unsigned n = 0;

    for (; ring_get(&r->report, &rep); n++) {
        if (rep.kind == REPORT_DENIED || rep.kind == REPORT_BEHIND || rep.kind == REPORT_REJECTED)
            bench_die("rig: an order that should pass was answered '%s' (%s)", report_kind_text(rep.kind),
                      deny_reason_wire((enum deny_reason)rep.deny));
        *expired += rep.kind == REPORT_EXPIRED;
    }
    return n;
}
