/* Reference data against a WebSocket server that is not ours (Debian's python3-websockets): answers, silence, closed
 * connections, rate limits; over TLS and plain. */
#include "engine/refdata.h"
#include "tests/tls_server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

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

#define WAIT_MS 30000

struct server {
    pid_t pid;
    int to;
    FILE *from;
    uint16_t port;
};

/* What the reference-data thread said; it is quiet while a test looks, because results come after sentences. */
static char said[64][512];
static _Atomic unsigned said_count;

static void
on_log(void *ctx, const char *sentence)
{
    unsigned n = atomic_load(&said_count);

    (void)ctx;
    if (n < ARRAY_LEN(said)) {
        (void)snprintf(said[n], sizeof(said[n]), "%s", sentence);
        atomic_store(&said_count, n + 1);
    }
}

static const char *
last_said(void)
{
    unsigned n = atomic_load(&said_count);

    return n == 0 ? "" : said[n - 1];
}

static struct server
server_begin(const char *cert, const char *key)
{
    struct server s = { .pid = -1 };
    char path[512];
    char line[64] = "";
    int to[2];
    int from[2];
    const char *source = getenv("EXECGW_SOURCE");

    (void)snprintf(path, sizeof(path), "%s/tests/refdata_server.py", source != NULL ? source : "..");
    CHECK(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0);
    s.pid = fork();
    CHECK(s.pid >= 0);
    if (s.pid == 0) {
        (void)dup2(to[0], 0);
        (void)dup2(from[1], 1);
        (void)execl("/usr/bin/python3", "python3", path, cert, key, (char *)NULL);
        _exit(127);
    }
    (void)close(to[0]);
    (void)close(from[1]);
    s.to = to[1];
    s.from = fdopen(from[0], "r");
    CHECK(s.from != NULL);
    if (fgets(line, sizeof(line), s.from) == NULL || strncmp(line, "port ", 5) != 0)
        SKIP("no python3 with websockets here\n");
    s.port = (uint16_t)atoi(line + 5);
    return s;
}

static void
server_end(struct server *s)
{
    int status;

    (void)close(s->to); /* its standard input ends: so does it */
    (void)kill(s->pid, SIGTERM);
    CHECK_EQ(waitpid(s->pid, &status, 0), s->pid);
    (void)fclose(s->from);
}

struct fixture {
    struct server server;
    struct refdata_venue venue;
    struct refdata_config cfg;
    struct refdata *r;
    struct tls_context tls;
    struct pki pki;
    char key_file[80];
    char cert_file[80];
    bool secure;
};

static const char *const symbols[] = { "BTCUSDT", "ETHUSDT" };

static void
start(struct fixture *f, const char *scheme, uint16_t port)
{
    char url[64];
    struct fault fault = { "" };

    (void)snprintf(url, sizeof(url), "%s://localhost:%u/ws-api/v3", scheme, port);
    atomic_store(&said_count, 0);
    f->venue.venue = 3;
    f->venue.name = "testvenue";
    if (f->venue.dialect == NULL)
        f->venue.dialect = &refdata_binance;
    if (f->venue.symbols == NULL) {
        f->venue.symbols = symbols;
        f->venue.symbol_count = ARRAY_LEN(symbols);
    }
    CHECK(endpoint_parse(url, &f->venue.endpoint, &fault));
    struct refdata_config c = refdata_config_default();
    f->cfg.venues = &f->venue;
    f->cfg.venue_count = 1;
    f->cfg.tls = f->secure ? &f->tls : NULL;
    f->cfg.message_max = f->cfg.message_max != 0 ? f->cfg.message_max : c.message_max;
    f->cfg.request_timeout_ms = f->cfg.request_timeout_ms != 0 ? f->cfg.request_timeout_ms : c.request_timeout_ms;
    f->cfg.retry_min_ms = f->cfg.retry_min_ms != 0 ? f->cfg.retry_min_ms : 10;
    f->cfg.retry_max_ms = c.retry_max_ms;
    f->cfg.log = on_log;
    f->r = refdata_start(&f->cfg, &fault);
    if (f->r == NULL)
        fail_msg("%s", fault.text);
}

static void
start_plain(struct fixture *f)
{
    f->server = server_begin(NULL, NULL);
    start(f, "ws", f->server.port);
}

static void
stop(struct fixture *f)
{
    refdata_stop(f->r);
    if (f->server.pid > 0)
        server_end(&f->server);
}

static struct instrument
instrument_of(const char *symbol)
{
    struct instrument ins = { .id = 9, .version = 1, .venue = 3, .px_decimals = 2, .qty_decimals = 5 };

    (void)snprintf(ins.symbol, sizeof(ins.symbol), "%s", symbol);
    return ins;
}

/* The next result; sleeps on the doorbell as the core would. */
static struct refdata_result
result_next(struct fixture *f)
{
    struct refdata_result out;
    eventfd_t count;

    for (int i = 0; i < 100; i++) {
        if (refdata_poll(f->r, &out))
            return out;
        if (refdata_core_sleep(f->r)) {
            struct pollfd p = { .fd = refdata_result_fd(f->r), .events = POLLIN };
            if (poll(&p, 1, WAIT_MS) != 1)
                fail_msg("no result");
            (void)eventfd_read(p.fd, &count);
        }
        refdata_core_awake(f->r);
    }
    fail_msg("the doorbell rings without a result");
    return out;
}

/* Ask for a snapshot that must fail, and look for a word in the sentence about it. */
static void
check_failed(struct fixture *f, const char *symbol, const char *word)
{
    struct instrument ins = instrument_of(symbol);

    CHECK(ask_depth(f->r, &ins, 100));
    struct refdata_result r = result_next(f);
    CHECK_EQ(r.kind, REFDATA_SNAPSHOT);
    CHECK(r.slice.failed && r.slice.is_first && r.slice.is_last);
    CHECK_EQ(r.slice.instrument, 9);
    if (strstr(last_said(), word) == NULL || strstr(last_said(), symbol) == NULL ||
        strstr(last_said(), "testvenue") == NULL)
        fail_msg("said \"%s\", expected \"%s\"", last_said(), word);
}

/* Ask for a snapshot that must come whole. Returns its last_update_id: the number of the server's connection. */
static uint64_t
check_whole(struct fixture *f, const char *symbol, uint32_t limit)
{
    struct instrument ins = instrument_of(symbol);
    uint32_t count[2] = { 0, 0 };
    bool first = true;
    uint32_t want = MIN(limit, 150u);

    CHECK(ask_depth(f->r, &ins, limit));
    for (;;) {
        struct refdata_result r = result_next(f);
        CHECK_EQ(r.kind, REFDATA_SNAPSHOT);
        CHECK_EQ(r.venue, 3);
        if (r.slice.failed)
            fail_msg("%s", last_said());
        CHECK_EQ(r.slice.is_first, first);
        CHECK_EQ(r.slice.instrument, 9);
        CHECK(r.slice.count <= SNAPSHOT_SLICE_LEVELS);
        for (uint32_t i = 0; i < r.slice.count; i++) {
            uint32_t n = count[r.slice.side]++;
            bool buy = r.slice.side == SIDE_BUY;
            CHECK_EQ(r.slice.level[i].px, (buy ? 20000 - (px_t)n : 20001 + (px_t)n) * 100 + 50);
            CHECK_EQ(r.slice.level[i].qty, (qty_t)(n + 1) * 100000 + (buy ? 1 : 2));
        }
        first = false;
        if (r.slice.is_last) {
            CHECK_EQ(count[SIDE_BUY], want);
            CHECK_EQ(count[SIDE_SELL], want);
            return r.slice.last_update_id;
        }
    }
}

TEST(a_snapshot_comes_in_slices_best_first_bids_then_asks)
{
    struct fixture f = { 0 };

    start_plain(&f);
    (void)check_whole(&f, "BTCUSDT", 1000);
    (void)check_whole(&f, "BTCUSDT", 64); /* one slice a side, exactly full */
    (void)check_whole(&f, "BTCUSDT", 65);
    (void)check_whole(&f, "BTCUSDT", 1);
    stop(&f);
}

TEST(an_empty_book_is_a_snapshot_too)
{
    struct fixture f = { 0 };
    struct instrument ins = instrument_of("EMPTYUSDT");

    start_plain(&f);
    CHECK(ask_depth(f.r, &ins, 100));
    struct refdata_result r = result_next(&f);
    CHECK(r.slice.is_first && !r.slice.is_last && !r.slice.failed);
    CHECK_EQ(r.slice.count, 0);
    r = result_next(&f);
    CHECK(!r.slice.is_first && r.slice.is_last && !r.slice.failed);
    stop(&f);
}

TEST(instruments_come_one_by_one_with_the_venues_limits_at_the_end)
{
    struct fixture f = { 0 };

    start_plain(&f);
    CHECK(!ask_instruments(f.r, 4));
    CHECK(ask_instruments(f.r, 3));
    for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
        struct refdata_result r = result_next(&f);
        CHECK_EQ(r.kind, REFDATA_INSTRUMENT);
        CHECK_STR(r.instrument.symbol, symbols[i]);
        CHECK_EQ(r.instrument.venue, 3);
        CHECK_EQ(r.instrument.status, INSTRUMENT_TRADING);
        CHECK_STR(r.instrument.quote, "USDT");
    }
    struct refdata_result r = result_next(&f);
    CHECK_EQ(r.kind, REFDATA_INSTRUMENTS_END);
    CHECK(r.ok);
    CHECK_EQ(r.limits.orders_per_10s, 50);
    CHECK_EQ(r.limits.weight_per_minute, 6000);
    stop(&f);
}

TEST(a_symbol_that_the_venue_does_not_list_fails_the_request_by_name)
{
    static const char *const gone[] = { "BTCUSDT", "GONEUSDT" };
    struct fixture f = { .venue = { .symbols = gone, .symbol_count = 2 } };

    start_plain(&f);
    CHECK(ask_instruments(f.r, 3));
    struct refdata_result r = result_next(&f);
    CHECK_EQ(r.kind, REFDATA_INSTRUMENTS_END);
    CHECK(!r.ok);
    CHECK(strstr(last_said(), "GONEUSDT") != NULL);
    stop(&f);
}

TEST(the_connection_is_kept_and_replaced_when_it_ended_meanwhile)
{
    struct fixture f = { 0 };

    start_plain(&f);
    CHECK_EQ(check_whole(&f, "BTCUSDT", 10), 1);
    CHECK_EQ(check_whole(&f, "LIVEUSDT", 10), 1); /* a ping is answered while it waits */
    CHECK_EQ(check_whole(&f, "NOISEUSDT", 10), 1);
    CHECK_EQ(check_whole(&f, "BYEUSDT", 10), 1);
    CHECK_EQ(check_whole(&f, "BTCUSDT", 10), 2);
    CHECK_EQ(atomic_load(&said_count), 0);
    check_failed(&f, "DROPUSDT", "closed"); /* asked twice: on the kept connection and on a new one */
    CHECK_EQ(check_whole(&f, "BTCUSDT", 10), 4);
    check_failed(&f, "CUTUSDT", "");
    CHECK_EQ(check_whole(&f, "BTCUSDT", 10), 6);
    stop(&f);
}

TEST(what_the_venue_refuses_or_garbles_fails_with_its_words)
{
    struct fixture f = { .cfg = { .message_max = 1 << 18, .request_timeout_ms = 300 } };

    start_plain(&f);
    check_failed(&f, "ERRUSDT", "Invalid symbol.");
    check_failed(&f, "BADUSDT", "not what the protocol says");
    check_failed(&f, "SLOWUSDT", "no answer within 300 ms");
    f.cfg.request_timeout_ms = 0;
    stop(&f);
    f.cfg.request_timeout_ms = 10000;
    start_plain(&f);
    check_failed(&f, "BIGUSDT", "");
    CHECK(atomic_load(&said_count) > 0);
    check_failed(&f, "BAD\"USDT", "a symbol holds a character it may not");
    (void)check_whole(&f, "BTCUSDT", 10);
    stop(&f);
}

TEST(nothing_is_asked_before_the_time_that_a_rate_limit_named)
{
    struct fixture f = { 0 };

    start_plain(&f);
    check_failed(&f, "LIMUSDT", "Too much request weight");
    check_failed(&f, "BTCUSDT", "rate limited by the venue for");
    struct pollfd none = { .fd = -1 };
    for (int i = 0; i < 600; i++) { /* it ends: after 2.5 s */
        struct instrument ins = instrument_of("BTCUSDT");
        CHECK(ask_depth(f.r, &ins, 1));
        if (!result_next(&f).slice.failed) {
            (void)result_next(&f);
            stop(&f);
            return;
        }
        (void)poll(&none, 1, 50);
    }
    fail_msg("still limited");
}

TEST(a_venue_that_cannot_be_reached_is_tried_again_after_a_growing_while)
{
    struct fixture f = { .cfg = { .request_timeout_ms = 5000 } };
    struct server s = server_begin(NULL, NULL);

    server_end(&s); /* nobody listens at its port now */
    start(&f, "ws", s.port);
    for (int i = 0; i < 4; i++)
        check_failed(&f, "BTCUSDT", "localhost");
    stop(&f);
    struct fixture g = { .cfg = { .request_timeout_ms = 400, .retry_min_ms = 30000 } };
    start(&g, "ws", s.port);
    check_failed(&g, "BTCUSDT", "localhost");
    check_failed(&g, "BTCUSDT", "the next attempt comes in");
    stop(&g);
}

TEST(requests_queue_up_to_the_rings_end_and_are_answered_in_order)
{
    struct fixture f = { 0 };
    uint32_t asked = 0;

    start_plain(&f);
    for (; asked < 1000; asked++) {
        struct instrument ins = instrument_of("BTCUSDT");
        ins.id = asked;
        if (!ask_depth(f.r, &ins, 200))
            break;
    }
    CHECK(asked >= 64 && asked < 1000);
    for (uint32_t i = 0; i < asked; i++) { /* more slices than the result ring holds: the thread waits for us */
        struct refdata_result r;
        do {
            r = result_next(&f);
            CHECK(!r.slice.failed);
            CHECK_EQ(r.slice.instrument, i);
        } while (!r.slice.is_last);
    }
    stop(&f);
}

TEST(it_stops_at_once_whatever_it_waits_for)
{
    struct fixture f = { .cfg = { .request_timeout_ms = 600000 } };
    struct instrument slow = instrument_of("SLOWUSDT");
    struct instrument full = instrument_of("BTCUSDT");

    start_plain(&f);
    (void)check_whole(&f, "BTCUSDT", 10);
    CHECK(ask_depth(f.r, &slow, 10));
    stop(&f); /* waiting for an answer */
    start_plain(&f);
    for (int i = 0; i < 60; i++)
        CHECK(ask_depth(f.r, &full, 150));
    stop(&f); /* full result ring */
    start_plain(&f);
    stop(&f); /* idle */
    refdata_stop(NULL);
}

TEST(it_works_over_tls_and_refuses_a_certificate_that_it_cannot_trust)
{
    struct fixture f = { .secure = true };
    struct fault fault;

    f.pki = pki_make();
    SSL_CTX *ctx = server_context(&f.pki, CERT_GOOD);
    (void)snprintf(f.key_file, sizeof(f.key_file), "/tmp/execgw-refdata-key-%d.pem", (int)getpid());
    (void)snprintf(f.cert_file, sizeof(f.cert_file), "/tmp/execgw-refdata-cert-%d.pem", (int)getpid());
    FILE *key = fopen(f.key_file, "we");
    FILE *cert = fopen(f.cert_file, "we");
    CHECK(key != NULL && cert != NULL);
    CHECK(PEM_write_PrivateKey(key, SSL_CTX_get0_privatekey(ctx), NULL, NULL, 0, NULL, NULL) == 1);
    CHECK(PEM_write_X509(cert, SSL_CTX_get0_certificate(ctx)) == 1);
    (void)fclose(key);
    (void)fclose(cert);
    SSL_CTX_free(ctx);
    f.server = server_begin(f.cert_file, f.key_file);

    CHECK(tls_context_init(&f.tls, f.pki.ca_file, &fault));
    start(&f, "wss", f.server.port);
    CHECK_EQ(check_whole(&f, "BTCUSDT", 1000), 1);
    CHECK_EQ(check_whole(&f, "LIVEUSDT", 1000), 1);
    refdata_stop(f.r);
    tls_context_free(&f.tls);

    CHECK(tls_context_init(&f.tls, NULL, &fault)); /* the system's trust store does not know our authority */
    start(&f, "wss", f.server.port);
    check_failed(&f, "BTCUSDT", "certificate");
    stop(&f);
    tls_context_free(&f.tls);
    (void)unlink(f.key_file);
    (void)unlink(f.cert_file);
    pki_drop(&f.pki);
}

TEST(configurations_that_cannot_work_are_refused)
{
    struct fault fault;

    for (int i = 0; i < 5; i++) {
        struct refdata_config c = refdata_config_default();
        switch (i) {
        case 0: c.venue_count = VENUE_MAX + 1; break;
        case 1: c.message_max = 1; break;
        case 2: c.request_timeout_ms = 0; break;
        case 3: c.retry_max_ms = c.retry_min_ms - 1; break;
        default: c.retry_max_ms = 3600001; break;
        }
        fault.text[0] = '\0';
        CHECK(refdata_start(&c, &fault) == NULL);
        CHECK(strstr(fault.text, "expected") != NULL);
    }
}

TEST_MAIN()
