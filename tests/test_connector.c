/* The connector and side connections against real servers: what is verified, refused, timed out, cancelled. */
#include "engine/io/connector.h"
#include "tests/tls_server.h"

#include <dirent.h>
#include <poll.h>
#include <sys/eventfd.h>

#define CONNS 8u

static struct fixture {
    struct pki pki;
    struct tls_context tls;
    struct connector *connector;
    struct arena arena;
    struct tls_server server;
    uint32_t generation;
} f;

static uint32_t
toy_quiet(void *ctx, const uint8_t *buf, size_t len)
{
    (void)ctx;
    return len > 12 && memcmp(buf + 9, "403", 3) == 0 ? 77 : 0;
}

static const struct upgrade_ops toy = { .request = toy_request, .response = toy_response, .quiet_s = toy_quiet };

static void
serve_101(struct tls_server *s, SSL *ssl, int fd)
{
    (void)s;
    char buf[256];
    int n;
    if (!peer_request(ssl, fd) || !peer_write(ssl, fd, toy_101, sizeof(toy_101) - 1))
        return;
    while ((n = peer_read(ssl, fd, buf, sizeof(buf))) > 0) /* echo */
        if (!peer_write(ssl, fd, buf, (size_t)n))
            return;
    if (ssl != NULL)
        (void)SSL_shutdown(ssl);
}

static void
serve_403(struct tls_server *s, SSL *ssl, int fd)
{
    (void)s;
    static const char no[] = "HTTP/1.1 403 Forbidden\r\n\r\n";
    if (peer_request(ssl, fd))
        (void)peer_write(ssl, fd, no, sizeof(no) - 1);
}

static void
serve_endless_header(struct tls_server *s, SSL *ssl, int fd)
{
    (void)s;
    char x[4096];
    memset(x, 'x', sizeof(x));
    if (!peer_request(ssl, fd))
        return;
    (void)peer_write(ssl, fd, "HTTP/1.1 101 ", 13);
    while (peer_write(ssl, fd, x, sizeof(x)))
        ;
}

/* Says nothing until the client leaves. */
static void
serve_silence(struct tls_server *s, SSL *ssl, int fd)
{
    (void)s;
    char buf[256];
    while (peer_read(ssl, fd, buf, sizeof(buf)) > 0)
        ;
}

/* An HTTP server on the port, whatever is asked. */
static void
serve_400(struct tls_server *s, SSL *ssl, int fd)
{
    static const char no[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    (void)peer_write(ssl, fd, no, sizeof(no) - 1);
    serve_silence(s, ssl, fd);
}

static void
serve_early(struct tls_server *s, SSL *ssl, int fd)
{
    (void)s;
    char all[128];
    int n = snprintf(all, sizeof(all), "%sfirst frame", toy_101);
    if (!peer_request(ssl, fd))
        return;
    (void)peer_write(ssl, fd, all, (size_t)n);
    (void)peer_write(ssl, fd, "second frame", 12);
    serve_silence(s, ssl, fd);
}

static void
setup(enum cert_kind kind, serve_fn *serve)
{
    struct fault fault;
    struct connector_config cfg = { .conn_max = CONNS, .upgrade = toy, .tls = &f.tls };

    memset(&f, 0, sizeof(f));
    f.pki = pki_make();
    CHECK(tls_context_init(&f.tls, f.pki.ca_file, &fault));
    f.arena.size = connector_footprint(&cfg);
    f.arena.base = (uint8_t *)aligned_alloc(64, f.arena.size);
    f.connector = connector_init(&cfg, &f.arena, &fault);
    CHECK(f.connector != NULL);
    CHECK(connector_start(f.connector, &fault));
    server_start(&f.server, &f.pki, kind, serve, NULL);
}

static void
teardown(void)
{
    connector_stop(f.connector);
    server_stop(&f.server);
    tls_context_free(&f.tls);
    pki_drop(&f.pki);
    free(f.arena.base);
}

static struct endpoint
endpoint_of(const char *scheme, const char *host, uint16_t port)
{
    char url[128];
    struct endpoint ep;
    struct fault fault;
    (void)snprintf(url, sizeof(url), "%s://%s:%u/ws/secretkey", scheme, host, (unsigned)port);
    CHECK(endpoint_parse(url, &ep, &fault));
    return ep;
}

static void
request(uint32_t kind, uint32_t conn, uint32_t generation, uint32_t deadline_ms, const struct endpoint *ep)
{
    struct connect_request rq = { .kind = kind, .conn = conn, .generation = generation, .deadline_ms = deadline_ms };
    if (ep != NULL)
        rq.endpoint = *ep;
    CHECK(connector_request(f.connector, &rq));
    const uint64_t one = 1;
    if (connector_wake_needed(f.connector))
        CHECK(write(connector_request_fd(f.connector), &one, 8) == 8);
}

/* As the core does: sleep on the doorbell after one more look. */
static struct connect_result
result(void)
{
    struct connect_result r;
    uint64_t n;
    for (int i = 0; i < 600; i++) {
        if (connector_result(f.connector, &r))
            return r;
        if (connector_core_sleep(f.connector)) {
            struct pollfd p = { .fd = connector_result_fd(f.connector), .events = POLLIN };
            (void)poll(&p, 1, 100);
            (void)!read(p.fd, &n, 8);
        }
        connector_core_awake(f.connector);
    }
    CHECK(!"no result within a minute");
    return r;
}

static void
discard(struct connect_result *r)
{
    CHECK(r->ok);
    (void)close(r->handover.fd);
}

static struct connect_result
try_once(const char *scheme, const char *host, uint32_t deadline_ms)
{
    struct endpoint ep = endpoint_of(scheme, host, f.server.port);
    request(CONNECT_OPEN, 1, ++f.generation, deadline_ms, &ep);
    struct connect_result r = result();
    CHECK_EQ(r.conn, 1);
    CHECK_EQ(r.generation, f.generation);
    return r;
}

static void
check_refused(enum cert_kind kind, serve_fn *serve, const char *scheme, const char *host, const char *word)
{
    setup(kind, serve);
    struct connect_result r = try_once(scheme, host, 10000);
    CHECK(!r.ok);
    if (strstr(r.fault.text, word) == NULL)
        (void)fprintf(stderr, "fault: %s (wanted: %s)\n", r.fault.text, word);
    CHECK(strstr(r.fault.text, word) != NULL);
    CHECK(strstr(r.fault.text, host) != NULL);
    CHECK(strstr(r.fault.text, "secretkey") == NULL);
    teardown();
}

TEST(connector_reaches_a_server_by_name_and_by_address_over_tls_and_plain)
{
    setup(CERT_GOOD, serve_101);
    struct connect_result r = try_once("wss", "localhost", 20000);
    if (!r.ok)
        (void)fprintf(stderr, "fault: %s\n", r.fault.text);
    CHECK(r.ok && r.handover.tls != NULL);
    CHECK_EQ(r.handover.plain_bytes, 0);
    discard(&r);
    r = try_once("wss", "127.0.0.1", 20000);
    CHECK(r.ok);
    CHECK_STR(r.address, "127.0.0.1");
    discard(&r);
    teardown();

    setup(CERT_NONE, serve_101);
    r = try_once("ws", "localhost", 20000);
    CHECK(r.ok && r.handover.tls == NULL);
    discard(&r);
    teardown();
}

TEST(connector_hands_over_what_came_behind_the_response)
{
    setup(CERT_NONE, serve_early);
    struct connect_result r = try_once("ws", "localhost", 20000);
    CHECK(r.ok && r.handover.plain_bytes >= 11);
    CHECK_MEM(r.handover.plain, "first frame", 11);
    discard(&r);
    teardown();

    setup(CERT_GOOD, serve_early);
    r = try_once("wss", "localhost", 20000);
    CHECK(r.ok);
    CHECK_EQ(r.handover.plain_bytes, 11); /* the second record stays encrypted */
    CHECK_MEM(r.handover.plain, "first frame", 11);
    discard(&r);
    teardown();
}

TEST(connector_refuses_a_certificate_for_another_host)
{
    check_refused(CERT_WRONG_HOST, serve_101, "wss", "localhost", "certificate: hostname mismatch");
}

TEST(connector_refuses_a_certificate_for_another_address)
{
    check_refused(CERT_WRONG_HOST, serve_101, "wss", "127.0.0.1", "certificate: IP address mismatch");
}

TEST(connector_refuses_an_expired_certificate)
{
    check_refused(CERT_EXPIRED, serve_101, "wss", "localhost", "certificate has expired");
}

TEST(connector_refuses_a_self_signed_certificate)
{
    check_refused(CERT_SELF_SIGNED, serve_101, "wss", "localhost", "self-signed certificate");
}

TEST(connector_refuses_an_authority_that_it_was_not_given)
{
    setup(CERT_GOOD, serve_101);
    struct tls_context other;
    struct fault fault;
    CHECK(tls_context_init(&other, NULL, &fault));
    struct endpoint ep = endpoint_of("wss", "localhost", f.server.port);
    CHECK(side_open(&other, &ep, &toy, 10000, -1, &fault) == NULL);
    CHECK(strstr(fault.text, "certificate: ") != NULL);
    tls_context_free(&other);
    teardown();
}

TEST(connector_refuses_tls_1_1)
{
    setup(CERT_GOOD, serve_101);
    SSL_CTX_set_security_level(f.server.ctx, 0);
    (void)SSL_CTX_set_min_proto_version(f.server.ctx, TLS1_VERSION);
    (void)SSL_CTX_set_max_proto_version(f.server.ctx, TLS1_1_VERSION);
    struct connect_result r = try_once("wss", "localhost", 10000);
    CHECK(!r.ok);
    CHECK(strstr(r.fault.text, "TLS: ") != NULL);
    teardown();
}

TEST(connector_refuses_a_server_that_does_not_speak_tls)
{
    check_refused(CERT_NONE, serve_400, "wss", "localhost", "TLS: ");
}

TEST(connector_says_what_the_upgrade_was_refused_with)
{
    check_refused(CERT_GOOD, serve_403, "wss", "localhost", "upgrade refused: HTTP/1.1 403");
}

TEST(connector_hands_on_how_long_a_refusal_wants_silence)
{
    setup(CERT_GOOD, serve_403);
    struct connect_result r = try_once("wss", "localhost", 20000);
    CHECK(!r.ok);
    CHECK_EQ(r.quiet_s, 77);
    teardown();
}

TEST(connector_bounds_a_response_without_an_end)
{
    check_refused(CERT_GOOD, serve_endless_header, "wss", "localhost", "no end");
    check_refused(CERT_NONE, serve_endless_header, "ws", "localhost", "no end");
}

TEST(connector_gives_up_at_its_deadline_and_says_where_it_was)
{
    setup(CERT_NONE, serve_silence);
    struct connect_result r = try_once("wss", "localhost", 150);
    CHECK(!r.ok);
    CHECK(strstr(r.fault.text, "150 ms, in the TLS handshake") != NULL);
    CHECK(r.elapsed_us >= 149000);
    teardown();
    setup(CERT_NONE, serve_silence);
    r = try_once("ws", "localhost", 150);
    CHECK(strstr(r.fault.text, "waiting for the WebSocket upgrade") != NULL);
    teardown();
}

TEST(connector_names_a_refused_connection_and_an_unknown_name)
{
    setup(CERT_NONE, serve_101);
    struct endpoint ep = endpoint_of("ws", "127.0.0.1", 1);
    request(CONNECT_OPEN, 0, 1, 10000, &ep);
    struct connect_result r = result();
    CHECK(!r.ok && strstr(r.fault.text, "Connection refused") != NULL);
    ep = endpoint_of("ws", "no-such-host.invalid", 1);
    request(CONNECT_OPEN, 0, 2, 10000, &ep);
    r = result();
    CHECK(!r.ok && strstr(r.fault.text, "name") != NULL);
    teardown();
}

TEST(connector_does_not_let_one_host_that_hangs_delay_another)
{
    struct tls_server silent;
    setup(CERT_GOOD, serve_101);
    server_start(&silent, &f.pki, CERT_NONE, serve_silence, NULL);
    struct endpoint hangs = endpoint_of("wss", "127.0.0.1", silent.port);
    request(CONNECT_OPEN, 0, 5, 60000, &hangs);
    struct connect_result r = try_once("wss", "127.0.0.1", 20000);
    CHECK(r.ok);
    discard(&r);
    request(CONNECT_CANCEL, 0, 4, 0, NULL); /* another generation: not meant */
    request(CONNECT_CANCEL, 0, 5, 0, NULL);
    r = result();
    CHECK(!r.ok && r.conn == 0 && r.generation == 5);
    CHECK(strstr(r.fault.text, "cancelled") != NULL);
    server_stop(&silent);
    teardown();
}

TEST(connector_answers_every_open_once_when_a_new_one_displaces_it)
{
    setup(CERT_NONE, serve_silence);
    struct endpoint ep = endpoint_of("ws", "127.0.0.1", f.server.port);
    for (uint32_t g = 1; g <= 20; g++)
        request(CONNECT_OPEN, 2, g, 60000, &ep);
    for (uint32_t g = 1; g < 20; g++)
        CHECK_EQ(result().generation, g);
    request(CONNECT_CANCEL, 2, 20, 0, NULL);
    CHECK_EQ(result().generation, 20);
    teardown();
}

static unsigned
fd_count(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d) != NULL)
        n++;
    (void)closedir(d);
    return n;
}

TEST(connector_stops_at_once_with_attempts_and_untaken_results_and_leaks_no_descriptor)
{
    setup(CERT_GOOD, serve_101);
    teardown();
    unsigned before = fd_count();
    setup(CERT_GOOD, serve_101);
    struct endpoint ep = endpoint_of("wss", "127.0.0.1", f.server.port);
    request(CONNECT_OPEN, 0, 1, 60000, &ep);
    struct pollfd p = { .fd = connector_result_fd(f.connector), .events = POLLIN };
    if (connector_core_sleep(f.connector))
        CHECK_EQ(poll(&p, 1, 60000), 1);      /* its result is there, and never taken */
    request(CONNECT_OPEN, 1, 1, 600000, &ep); /* the server serves one at a time: this one hangs */
    request(CONNECT_OPEN, 2, 1, 600000, &ep);
    teardown();
    CHECK_EQ(fd_count(), before);
}

TEST(side_connection_reads_and_writes_and_times_out)
{
    setup(CERT_GOOD, serve_101);
    struct fault fault;
    struct endpoint ep = endpoint_of("wss", "localhost", f.server.port);
    struct side_conn *s = side_open(&f.tls, &ep, &toy, 20000, -1, &fault);
    CHECK(s != NULL);
    uint8_t buf[100000];
    CHECK_EQ(side_read(s, buf, sizeof(buf), 20, &fault), 0);
    CHECK(side_write(s, (const uint8_t *)"ping", 4, 10000, &fault));
    CHECK_EQ(side_read(s, buf, sizeof(buf), 20000, &fault), 4);
    CHECK_MEM(buf, "ping", 4);
    static uint8_t big[20000];
    memset(big, 'b', sizeof(big));
    CHECK(side_write(s, big, sizeof(big), 20000, &fault));
    size_t got = 0;
    while (got < sizeof(big)) {
        int n = side_read(s, buf, sizeof(buf), 20000, &fault);
        CHECK(n > 0);
        got += (size_t)n;
    }
    side_close(s);
    teardown();
}

TEST(side_connection_gives_the_bytes_behind_the_response_first)
{
    for (int plain = 0; plain < 2; plain++) {
        setup(plain ? CERT_NONE : CERT_GOOD, serve_early);
        struct fault fault;
        struct endpoint ep = endpoint_of(plain ? "ws" : "wss", "localhost", f.server.port);
        struct side_conn *s = side_open(&f.tls, &ep, &toy, 20000, -1, &fault);
        CHECK(s != NULL);
        uint8_t buf[64];
        size_t got = 0;
        while (got < 23) {
            int n = side_read(s, buf + got, 5, 20000, &fault);
            CHECK(n > 0);
            got += (size_t)n;
        }
        CHECK_MEM(buf, "first framesecond frame", 23);
        side_close(s);
        teardown();
    }
}

TEST(side_connection_sees_the_peers_end)
{
    setup(CERT_GOOD, serve_403);
    struct fault fault;
    struct endpoint ep = endpoint_of("wss", "localhost", f.server.port);
    CHECK(side_open(&f.tls, &ep, &toy, 20000, -1, &fault) == NULL);
    CHECK(strstr(fault.text, "403") != NULL);
    teardown();
}

static void *
stop_later(void *arg)
{
    const uint64_t one = 1;
    (void)usleep(20000);
    CHECK(write(*(int *)arg, &one, 8) == 8);
    return NULL;
}

TEST(side_connection_stops_when_told_to)
{
    setup(CERT_NONE, serve_silence);
    int stop = eventfd(0, EFD_CLOEXEC);
    pthread_t t;
    struct fault fault = { "" };
    CHECK(pthread_create(&t, NULL, stop_later, &stop) == 0);
    struct endpoint ep = endpoint_of("ws", "127.0.0.1", f.server.port);
    CHECK(side_open(NULL, &ep, &toy, 600000, stop, &fault) == NULL);
    CHECK(strstr(fault.text, "stopped") != NULL);
    (void)pthread_join(t, NULL);
    (void)close(stop);
    teardown();
}

TEST_MAIN()
