/* The Binance adapter, the reference-data thread and the codec against the venue emulator over a real socket: one
 * session per kind of key, every request once, and what the stream says of it. */
#include "engine/refdata.h"
#include "engine/venue/binance_oe.h"
#include "feed/ws_frame.h"
#include "feed/ws_handshake.h"
#include "tests/test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static bool
ask_instruments(struct refdata *r, uint16_t venue)
{
    bool queued = refdata_request_instruments(r, venue);
    refdata_wake(r);
    return queued;
}

static bool
ask_depth(struct refdata *r, const struct instrument *ins, uint32_t levels)
{
    bool queued = refdata_request_depth(r, ins, levels);
    refdata_wake(r);
    return queued;
}

/* The emulator's documented demo keys. */
#define HMAC_KEY    "demoHmacApiKeyOfTheEmulatedVenue0123456789abcdefghijklmnopqrstuv"
#define HMAC_SECRET "demoHmacSecretOfTheEmulatedVenue0123456789abcdefghijklmnopqrstuv"
#define ED_KEY      "demoEd25519KeyOfTheEmulatedVenue0123456789abcdefghijklmnopqrstuv"
#define ED_PEM                                                           \
    "-----BEGIN PRIVATE KEY-----\n"                                      \
    "MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u\n" \
    "-----END PRIVATE KEY-----\n"

#define WAIT_MS     20000
#define REPORTS_MAX 512

struct fixture {
    pid_t pid;
    FILE *from;
    uint16_t port;
    struct endpoint endpoint;
    struct instrument table[2];
    px_t bid;
    px_t ask;
    _Alignas(64) uint8_t memory[16384];
    struct venue_adapter *a;
    struct venue_sink sink;
    struct side_conn *side;
    struct ws_reader ws;
    uint8_t ws_buffer[1 << 20];
    uint8_t in[65536];
    size_t in_at;
    size_t in_have;
    struct venue_report got[REPORTS_MAX];
    uint32_t count;
    int64_t offset_ns;
    uint32_t orders;
};

static struct fixture fixture;

static struct now
now_read(void)
{
    struct timespec m;
    struct timespec w;

    (void)clock_gettime(CLOCK_MONOTONIC, &m);
    (void)clock_gettime(CLOCK_REALTIME, &w);
    return (struct now){ { m.tv_sec * NS_PER_S + m.tv_nsec }, { w.tv_sec * NS_PER_S + w.tv_nsec } };
}

static void
collect(void *ctx, const struct venue_report *r)
{
    struct fixture *f = ctx;

    if (r->kind == VENUE_BALANCE)
        return;
    CHECK(f->count < REPORTS_MAX);
    f->got[f->count++] = *r;
}

static void
emulator_start(struct fixture *f)
{
    char path[512];
    char line[128] = "";
    char url[64];
    int from[2];
    struct fault fault;
    const char *bin = getenv("EXECGW_BIN");

    (void)snprintf(path, sizeof(path), "%s/execgw-venue", bin != NULL ? bin : "../build-asan/bin");
    if (access(path, X_OK) != 0)
        SKIP("no %s\n", path);
    CHECK(pipe2(from, O_CLOEXEC) == 0);
    f->pid = fork();
    CHECK(f->pid >= 0);
    if (f->pid == 0) {
        (void)dup2(from[1], 1);
        (void)execl(path, path, "--listen", "127.0.0.1:0", "--seed", "5", (char *)NULL);
        _exit(127);
    }
    (void)close(from[1]);
    f->from = fdopen(from[0], "r");
    CHECK(f->from != NULL && fgets(line, sizeof(line), f->from) != NULL);
    const char *colon = strrchr(line, ':');
    CHECK(strncmp(line, "listening on 127.0.0.1:", 23) == 0 && colon != NULL);
    f->port = (uint16_t)atoi(colon + 1);
    (void)snprintf(url, sizeof(url), "ws://127.0.0.1:%u/ws-api/v3", f->port);
    CHECK(endpoint_parse(url, &f->endpoint, &fault));
}

static void
emulator_stop(struct fixture *f)
{
    int status;

    (void)kill(f->pid, SIGTERM);
    CHECK_EQ(waitpid(f->pid, &status, 0), f->pid);
    (void)fclose(f->from);
}

static struct refdata_result
refdata_next(struct refdata *r)
{
    struct refdata_result out;
    struct pollfd p = { .fd = refdata_result_fd(r), .events = POLLIN };
    eventfd_t count;

    for (int i = 0; i < 100; i++) {
        if (refdata_poll(r, &out))
            return out;
        if (refdata_core_sleep(r)) {
            CHECK_EQ(poll(&p, 1, WAIT_MS), 1);
            (void)eventfd_read(p.fd, &count);
        }
        refdata_core_awake(r);
    }
    fail_msg("no reference data");
    return out;
}

static void
reference_data(struct fixture *f)
{
    static const char *const symbols[] = { "BTCUSDT" };
    struct refdata_venue venue = {
        .name = "emulator", .dialect = &refdata_binance, .endpoint = f->endpoint, .symbols = symbols, .symbol_count = 1
    };
    struct refdata_config cfg = refdata_config_default();
    struct fault fault = { "" };

    cfg.venues = &venue;
    cfg.venue_count = 1;
    struct refdata *r = refdata_start(&cfg, &fault);
    CHECK(r != NULL);
    CHECK(ask_instruments(r, 0));
    struct refdata_result got = refdata_next(r);
    CHECK_EQ(got.kind, REFDATA_INSTRUMENT);
    f->table[0] = got.instrument;
    f->table[0].version = 1;
    got = refdata_next(r);
    CHECK_EQ(got.kind, REFDATA_INSTRUMENTS_END);
    CHECK(got.ok);
    CHECK(ask_depth(r, &f->table[0], 100));
    do {
        got = refdata_next(r);
        CHECK_EQ(got.kind, REFDATA_SNAPSHOT);
        CHECK(!got.slice.failed);
        if (got.slice.side == SIDE_BUY && f->bid == 0)
            f->bid = got.slice.level[0].px;
        if (got.slice.side == SIDE_SELL && f->ask == 0)
            f->ask = got.slice.level[0].px;
    } while (!got.slice.is_last);
    CHECK(f->bid > 0 && f->bid < f->ask);
    refdata_stop(r);
}

static size_t
upgrade_request(void *ctx, const char *host, const char *path, const uint8_t nonce[UPGRADE_NONCE_BYTES], uint8_t *buf,
                size_t room)
{
    (void)ctx;
    return ws_handshake_request((char *)buf, room, host, path, nonce, NULL);
}

static int
upgrade_response(void *ctx, const uint8_t nonce[UPGRADE_NONCE_BYTES], const uint8_t *buf, size_t len,
                 struct fault *fault)
{
    (void)ctx;
    return ws_handshake_check(buf, len, nonce, fault);
}

static void
session_start(struct fixture *f, bool ed25519)
{
    static const struct upgrade_ops upgrade = { .request = upgrade_request, .response = upgrade_response };
    struct fault fault = { "" };
    const char *secret = ed25519 ? ED_PEM : HMAC_SECRET;
    struct venue_config cfg = {
        .recv_window_ms = 5000,
        .keys = { ed25519 ? ED_KEY : HMAC_KEY, (const uint8_t *)secret, strlen(secret), ed25519 },
        .instruments = { f->table, 2 },
    };
    struct arena arena = { .base = f->memory, .size = sizeof(f->memory) };

    f->sink = (struct venue_sink){ collect, f };
    f->a = venue_binance.init(&cfg, &arena, &fault);
    CHECK(f->a != NULL);
    f->side = side_open(NULL, &f->endpoint, &upgrade, WAIT_MS, -1, &fault);
    if (f->side == NULL)
        fail_msg("%s", fault.text);
    ws_reader_init(&f->ws, WS_CLIENT, f->ws_buffer, sizeof(f->ws_buffer));
    f->in_have = 0;
}

/* Read and decode one more message. */
static void
pump(struct fixture *f)
{
    struct ws_message m;
    struct fault fault = { "" };

    for (;;) {
        while (f->in_have > 0) {
            size_t used;
            enum ws_result w = ws_read(&f->ws, f->in + f->in_at, f->in_have, &used, &m);
            f->in_at += used;
            f->in_have -= used;
            if (w == WS_MESSAGE) {
                enum decode_result d = venue_binance.decode(f->a, m.data, m.len, now_read(), &f->sink);
                if (d != DECODE_OK && d != DECODE_IGNORED)
                    fail_msg("%.*s", (int)m.len, (const char *)m.data);
                return;
            }
            CHECK(w == WS_MORE || w == WS_PING);
        }
        int n = side_read(f->side, f->in, sizeof(f->in), WAIT_MS, &fault);
        if (n <= 0)
            fail_msg("nothing more came: %s", fault.text);
        f->in_at = 0;
        f->in_have = (size_t)n;
    }
}

/* Forget what was reported, then submit. */
static void
ask(struct fixture *f, enum venue_request_kind kind, const struct venue_order *o, const struct venue_order *target,
    int64_t since_ns)
{
    uint8_t buf[WS_HEADER_ROOM + VENUE_REQUEST_BYTES];
    struct venue_request rq = { .kind = kind, .order = o, .target = target, .since_ns = since_ns };
    struct fault fault = { "" };
    uint32_t mask = 0x12345678;

    f->count = 0;
    int n =
        venue_binance.submit(f->a, &rq, now_read(), f->offset_ns, buf + WS_HEADER_ROOM, VENUE_REQUEST_BYTES, &f->sink);
    CHECK(n > 0);
    struct ws_frame frame = ws_encode(buf, WS_HEADER_ROOM, (size_t)n, WS_OP_TEXT, &mask);
    CHECK(side_write(f->side, frame.data, frame.len, WAIT_MS, &fault));
}

/* The report of this kind about this order (NULL: any) from this request; read on until it has come. */
static const struct venue_report *
expect(struct fixture *f, enum venue_report_kind kind, enum venue_request_kind request, const struct venue_order *o)
{
    for (int messages = 0; messages < 50; messages++) {
        for (uint32_t i = 0; i < f->count; i++) {
            struct venue_report *r = &f->got[i];
            if (r->kind == kind && r->request == request && (o == NULL || strcmp(r->clordid, o->clordid) == 0))
                return r;
        }
        pump(f);
    }
    fail_msg("no report of kind %d to request %d", kind, request);
    return NULL;
}

static struct venue_order
order_new(struct fixture *f, enum side side, px_t px, enum time_in_force tif)
{
    struct venue_order o = { .instrument = &f->table[0],
                             .side = (uint8_t)side,
                             .type = ORDER_LIMIT,
                             .tif = (uint8_t)tif,
                             .px = px / f->table[0].tick * f->table[0].tick };

    (void)snprintf(o.clordid, sizeof(o.clordid), "T7%08d%06u", (int)getpid(), ++f->orders);
    /* about 100 units of quote currency: above the least and far below the account's balance */
    o.qty = (qty_t)((wide_t)100 * pow10_i64[f->table[0].px_decimals + f->table[0].qty_decimals] / f->bid);
    o.qty = o.qty / f->table[0].step * f->table[0].step;
    CHECK(o.qty > 0);
    return o;
}

static void
check_resting_order(struct fixture *f)
{
    struct venue_order o = order_new(f, SIDE_BUY, f->bid * 9 / 10, TIF_GTC);
    struct venue_order n = order_new(f, SIDE_BUY, f->bid * 8 / 10, TIF_GTC);
    struct venue_order never = order_new(f, SIDE_BUY, f->bid, TIF_GTC);

    ask(f, VENUE_RQ_NEW, &o, NULL, 0);
    const struct venue_report *r = expect(f, VENUE_NEW_ACK, VENUE_RQ_NEW, &o);
    CHECK_EQ(r->px, o.px);
    CHECK_EQ(r->qty, o.qty);
    CHECK_EQ(r->cum_qty, 0);
    o.venue_order_id = r->venue_order_id;
    r = expect(f, VENUE_NEW_ACK, VENUE_RQ_COUNT, &o); /* the stream says so too */
    CHECK_EQ(r->venue_order_id, o.venue_order_id);
    CHECK_EQ(r->px, o.px);

    ask(f, VENUE_RQ_QUERY, &o, NULL, 0);
    r = expect(f, VENUE_STATUS, VENUE_RQ_QUERY, &o);
    CHECK_EQ(r->state, ORDER_NEW);
    CHECK_EQ(r->qty, o.qty);
    ask(f, VENUE_RQ_QUERY, &never, NULL, 0);
    (void)expect(f, VENUE_NOT_FOUND, VENUE_RQ_QUERY, &never);
    ask(f, VENUE_RQ_OPEN_ORDERS, NULL, NULL, 0);
    (void)expect(f, VENUE_OPEN_ORDERS_END, VENUE_RQ_OPEN_ORDERS, NULL);
    (void)expect(f, VENUE_OPEN_ORDER, VENUE_RQ_OPEN_ORDERS, &o);

    ask(f, VENUE_RQ_REPLACE, &n, &o, 0);
    (void)expect(f, VENUE_CANCELED, VENUE_RQ_REPLACE, &o);
    r = expect(f, VENUE_NEW_ACK, VENUE_RQ_REPLACE, &n);
    CHECK_EQ(r->px, n.px);
    (void)expect(f, VENUE_CANCELED, VENUE_RQ_COUNT, &o);
    n.venue_order_id = r->venue_order_id;
    ask(f, VENUE_RQ_REPLACE, &never, &o, 0); /* of an order that is done */
    (void)expect(f, VENUE_CANCEL_REJECTED, VENUE_RQ_REPLACE, &o);
    (void)expect(f, VENUE_REJECTED, VENUE_RQ_REPLACE, &never);

    ask(f, VENUE_RQ_CANCEL, &n, NULL, 0);
    (void)expect(f, VENUE_CANCELED, VENUE_RQ_CANCEL, &n);
    (void)expect(f, VENUE_CANCELED, VENUE_RQ_COUNT, &n);
    ask(f, VENUE_RQ_CANCEL, &n, NULL, 0);
    CHECK_EQ(expect(f, VENUE_CANCEL_REJECTED, VENUE_RQ_CANCEL, &n)->code, -2011);
}

/* Its fills, by the answer, by the stream and by the list of trades, are the same. */
static void
check_fills(struct fixture *f, enum side side)
{
    struct venue_order o = order_new(f, side, side == SIDE_BUY ? f->ask * 105 / 100 : f->bid * 95 / 100, TIF_IOC);
    int64_t start_ns = now_read().wall.ns + f->offset_ns - 1000 * NS_PER_MS;

    ask(f, VENUE_RQ_NEW, &o, NULL, 0);
    o.venue_order_id = expect(f, VENUE_NEW_ACK, VENUE_RQ_NEW, &o)->venue_order_id;
    const struct venue_report first = *expect(f, VENUE_FILL, VENUE_RQ_NEW, &o);
    CHECK(first.last_qty > 0 && first.last_qty <= o.qty);
    CHECK(first.fee >= 0 && first.fee_ccy[0] != '\0');
    const struct venue_report *streamed = expect(f, VENUE_FILL, VENUE_RQ_COUNT, &o);
    CHECK_EQ(streamed->trade_id, first.trade_id);
    CHECK_EQ(streamed->last_px, first.last_px);
    CHECK_EQ(streamed->last_qty, first.last_qty);
    CHECK_EQ(streamed->maker, 0);
    CHECK_STR(streamed->fee_ccy, first.fee_ccy);
    CHECK_EQ(streamed->fee, first.fee);

    for (int by_symbol = 0; by_symbol < 2; by_symbol++) {
        struct venue_order q = o;
        qty_t sum = 0;
        bool seen = false;
        q.venue_order_id = by_symbol != 0 ? 0 : o.venue_order_id;
        ask(f, VENUE_RQ_TRADES, &q, NULL, start_ns);
        CHECK_EQ(expect(f, VENUE_TRADES_END, VENUE_RQ_TRADES, &o)->code, 0);
        for (uint32_t i = 0; i < f->count; i++) {
            const struct venue_report *r = &f->got[i];
            if (r->kind != VENUE_FILL || r->request != VENUE_RQ_TRADES || r->venue_order_id != o.venue_order_id)
                continue;
            sum += r->last_qty;
            seen |= r->trade_id == first.trade_id && r->last_px == first.last_px && r->side == side;
        }
        CHECK(seen);
        CHECK(sum <= o.qty);
        ask(f, VENUE_RQ_QUERY, &o, NULL, 0);
        CHECK_EQ(expect(f, VENUE_STATUS, VENUE_RQ_QUERY, &o)->cum_qty, sum);
    }
}

static void
check_refusals(struct fixture *f)
{
    struct venue_order o = order_new(f, SIDE_BUY, f->ask * 105 / 100, TIF_GTC);

    o.flags = COMMAND_POST_ONLY;
    ask(f, VENUE_RQ_NEW, &o, NULL, 0);
    CHECK_EQ(expect(f, VENUE_REJECTED, VENUE_RQ_NEW, &o)->code, -2010);
    o = order_new(f, SIDE_BUY, f->bid * 9 / 10, TIF_GTC);
    o.qty = f->table[0].qty_max / f->table[0].step * f->table[0].step; /* more than the account has */
    ask(f, VENUE_RQ_NEW, &o, NULL, 0);
    int32_t code = expect(f, VENUE_REJECTED, VENUE_RQ_NEW, &o)->code;
    CHECK(code == -2010 || code == -1013);
    o = order_new(f, SIDE_BUY, f->bid * 9 / 10, TIF_GTC);
    f->offset_ns -= 60 * NS_PER_S; /* a clock that is a minute slow */
    ask(f, VENUE_RQ_NEW, &o, NULL, 0);
    CHECK_EQ(expect(f, VENUE_REJECTED, VENUE_RQ_NEW, &o)->code, -1021);
    f->offset_ns += 60 * NS_PER_S;
}

static void
check_session(bool ed25519)
{
    struct fixture *f = &fixture;

    memset(f, 0, sizeof(*f));
    emulator_start(f);
    reference_data(f);
    session_start(f, ed25519);
    int64_t before_ns = now_read().wall.ns;
    ask(f, VENUE_RQ_TIME, NULL, NULL, 0);
    f->offset_ns = expect(f, VENUE_TIME, VENUE_RQ_TIME, NULL)->venue_time_ns - before_ns;
    CHECK(f->offset_ns > -60 * NS_PER_S && f->offset_ns < 60 * NS_PER_S);
    if (ed25519) {
        ask(f, VENUE_RQ_LOGON, NULL, NULL, 0);
        (void)expect(f, VENUE_LOGGED_ON, VENUE_RQ_LOGON, NULL);
    }
    ask(f, VENUE_RQ_STREAM, NULL, NULL, 0);
    (void)expect(f, VENUE_STREAM_UP, VENUE_RQ_STREAM, NULL);
    check_resting_order(f);
    check_fills(f, SIDE_BUY);
    check_fills(f, SIDE_SELL);
    check_refusals(f);
    side_close(f->side);
    if (ed25519)
        ed25519_key_clear(&((struct binance_oe *)(void *)f->a)->ed25519);
    emulator_stop(f);
}

TEST(a_session_with_an_hmac_key_trades)
{
    check_session(false);
}

TEST(a_session_with_an_ed25519_key_trades)
{
    check_session(true);
}

TEST_MAIN()
