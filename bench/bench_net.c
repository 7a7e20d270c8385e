#include "bench/bench_net.h"
#include "bench/bench_text.h"
#include "feed/ws_frame.h"
#include "feed/ws_handshake.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- certificates ---- */

static void
extend(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX c;

    X509V3_set_ctx(&c, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &c, nid, value);
    if (e == NULL || X509_add_ext(x, e, -1) != 1)
        bench_die("certificate extension %s failed", value);
    X509_EXTENSION_free(e);
}

static X509 *
certificate(EVP_PKEY *key, const char *cn, X509 *issuer, EVP_PKEY *issuer_key)
{
    X509 *x = X509_new();

    if (x == NULL || key == NULL)
        bench_die("no certificate: out of memory");
    (void)X509_set_version(x, 2);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(x), issuer != NULL ? 2 : 1);
    (void)X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    (void)X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    (void)X509_set_pubkey(x, key);
    (void)X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1,
                                     0);
    (void)X509_set_issuer_name(x, X509_get_subject_name(issuer != NULL ? issuer : x));
    if (issuer == NULL)
        extend(x, x, NID_basic_constraints, "critical,CA:TRUE");
    else
        extend(x, issuer, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    if (X509_sign(x, issuer_key, EVP_sha256()) == 0)
        bench_die("certificate %s could not be signed", cn);
    return x;
}

static FILE *
pem_open(const char *dir, const char *name)
{
    char path[600];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "we");
    if (f == NULL)
        bench_die("%s: %s", path, strerror(errno));
    (void)fchmod(fileno(f), 0600);
    return f;
}

static void
write_key(const char *dir, const char *name, EVP_PKEY *key)
{
    FILE *f = pem_open(dir, name);

    if (key == NULL || PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) != 1 || fclose(f) != 0)
        bench_die("%s/%s could not be written", dir, name);
}

static void
write_certificate(const char *dir, const char *name, X509 *x)
{
    FILE *f = pem_open(dir, name);

    if (PEM_write_X509(f, x) != 1 || fclose(f) != 0)
        bench_die("%s/%s could not be written", dir, name);
}

static void
pki_child(void *ctx)
{
    const char *dir = (const char *)ctx;
    EVP_PKEY *ca_key = EVP_EC_gen("P-256");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *ca = certificate(ca_key, "execgw-bench CA", NULL, ca_key);
    X509 *x = certificate(key, "localhost", ca, ca_key);

    write_certificate(dir, "ca.pem", ca);
    write_certificate(dir, "cert.pem", x);
    write_key(dir, "key.pem", key);
    write_key(dir, "api.pem", EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
}

void
bench_pki(const char *dir)
{
    char path[600];
    struct stat st;
    int status = 0;

    (void)snprintf(path, sizeof(path), "%s/api.pem", dir);
    if (stat(path, &st) == 0)
        return;
    pid_t pid = bench_fork(pki_child, (void *)(uintptr_t)dir);
    if (waitpid(pid, &status, 0) != pid || status != 0)
        bench_die("the test certificates could not be made");
}

/* ---- streams ---- */

/* > 0 bytes, 0 the end. */
static size_t
bench_read(struct bench_stream *s, void *buf, size_t room)
{
    ssize_t n;

    if (s->ssl != NULL) {
        int got = SSL_read(s->ssl, buf, (int)MIN(room, (size_t)1 << 20));
        return got > 0 ? (size_t)got : 0;
    }
    do
        n = recv(s->fd, buf, room, 0);
    while (n < 0 && errno == EINTR);
    return n > 0 ? (size_t)n : 0;
}

/* False when the connection ended. */
static bool
bench_write(struct bench_stream *s, const void *buf, size_t len)
{
    const uint8_t *p = (const uint8_t *)buf;

    while (len > 0) {
        ssize_t n = s->ssl != NULL ? SSL_write(s->ssl, p, (int)MIN(len, 16384u)) : send(s->fd, p, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static bool
upgrade_answer(struct bench_stream *s)
{
    uint8_t buf[4096];
    char answer[512];
    char path[256];
    char key[WS_KEY_TEXT];
    struct fault fault;
    size_t have = 0;
    int used = 0;

    while (used == 0 && have < sizeof(buf)) {
        size_t n = bench_read(s, buf + have, sizeof(buf) - have);
        if (n == 0)
            return false;
        have += n;
        used = ws_handshake_accept(buf, have, key, path, sizeof(path), &fault);
    }
    if (used <= 0)
        return false;
    size_t n = ws_handshake_response(answer, sizeof(answer), key);
    return bench_write(s, answer, n);
}

static void
no_delay(int fd)
{
    int one = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

struct server {
    int listen_fd;
    const char *tls_dir;
    bool upgrade;
    bench_serve_fn *serve;
    void *arg;
};

static SSL *
tls_accept(const char *dir, int fd)
{
    char cert[600];
    char key[600];
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    (void)snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
    (void)snprintf(key, sizeof(key), "%s/key.pem", dir);
    if (ctx == NULL || SSL_CTX_use_certificate_file(ctx, cert, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        bench_die("server: the certificate in %s cannot be used", dir);
    SSL *ssl = SSL_new(ctx);
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 || SSL_accept(ssl) != 1)
        bench_die("server: TLS handshake failed");
    return ssl;
}

static void
server_child(void *ctx)
{
    const struct server *s = (const struct server *)ctx;
    struct bench_stream stream = { .ssl = NULL };

    bench_pin(BENCH_CORE_PEER);
    stream.fd = accept(s->listen_fd, NULL, NULL);
    if (stream.fd < 0)
        return;
    no_delay(stream.fd);
    if (s->tls_dir != NULL)
        stream.ssl = tls_accept(s->tls_dir, stream.fd);
    if (s->upgrade && !upgrade_answer(&stream))
        bench_die("server: WebSocket handshake failed");
    s->serve(&stream, s->arg);
}

static int
listen_any(uint16_t *port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) != 0 || listen(fd, 4) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) != 0)
        bench_die("no listening socket: %s", strerror(errno));
    *port = ntohs(a.sin_port);
    return fd;
}

struct bench_server
bench_server_start(const char *tls_dir, bool upgrade, bench_serve_fn *serve, void *arg)
{
    struct bench_server out;
    struct server s = {
        .listen_fd = listen_any(&out.port), .tls_dir = tls_dir, .upgrade = upgrade, .serve = serve, .arg = arg
    };

    out.pid = bench_fork(server_child, &s);
    (void)close(s.listen_fd);
    return out;
}

int
bench_connect(uint16_t port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    a.sin_port = htons(port);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
        bench_die("cannot connect to 127.0.0.1:%u: %s", port, strerror(errno));
    no_delay(fd);
    return fd;
}

int
bench_connect_ws(uint16_t port)
{
    uint8_t nonce[WS_NONCE_BYTES] = "execgw-bench-16";
    uint8_t buf[2048];
    struct fault fault;
    struct bench_stream s = { .fd = bench_connect(port) };
    size_t n = ws_handshake_request((char *)buf, sizeof(buf), "127.0.0.1", "/ws", nonce, NULL);
    size_t have = 0;
    int used = 0;

    if (!bench_write(&s, buf, n))
        bench_die("upgrade: %s", strerror(errno));
    while (used == 0 && have < sizeof(buf)) {
        ssize_t got = recv(s.fd, buf + have, 1, 0); /* byte by byte: nothing behind the header is taken */
        if (got <= 0)
            bench_die("upgrade: the server hung up");
        have++;
        used = ws_handshake_check(buf, have, nonce, &fault);
    }
    if (used <= 0)
        bench_die("upgrade: %s", fault.text);
    return s.fd;
}

/* ---- the feed ---- */

#define FEED_FRAMES 1400u /* a quarter of a megabyte; a multiple of the instruments */

void
bench_serve_feed(struct bench_stream *s, void *arg)
{
    size_t len = (size_t)FEED_FRAMES * BENCH_FRAME_LEN;
    uint8_t *frames = (uint8_t *)malloc(len);
    size_t *id = (size_t *)malloc(FEED_FRAMES * sizeof(*id));
    char text[BENCH_TICKER_LEN + 1];

    (void)arg;
    ASSERT(frames != NULL && id != NULL && FEED_FRAMES % BENCH_INSTRUMENTS == 0);
    for (unsigned i = 0; i < FEED_FRAMES; i++) {
        uint8_t *f = frames + (size_t)i * BENCH_FRAME_LEN;
        id[i] = (size_t)i * BENCH_FRAME_LEN + 4 + bench_ticker(text, i, BENCH_INSTRUMENTS);
        f[0] = 0x81; /* FIN, text */
        f[1] = 126;  /* two bytes of length follow */
        f[2] = 0;
        f[3] = BENCH_TICKER_LEN;
        memcpy(f + 4, text, BENCH_TICKER_LEN);
    }
    for (unsigned pass = 1; bench_write(s, frames, len); pass++) {
        /* The ids of the next pass: eight digits in the middle of each, above all earlier ones. */
        char digits[16];
        (void)snprintf(digits, sizeof(digits), "%08u", pass % 100000000u);
        for (unsigned i = 0; i < FEED_FRAMES; i++)
            memcpy(frames + id[i], digits, 8);
    }
}

/* ---- the venue ---- */

#define VENUE_ROOM 65536u

/* The value of a member `"name":"value"` of flat text; "" when it is not there. */
static void
member(const char *text, size_t len, const char *name, char out[64])
{
    char key[40];
    int n = snprintf(key, sizeof(key), "\"%s\":\"", name);
    const char *at = (const char *)memmem(text, len, key, (size_t)n);
    size_t used = 0;

    out[0] = '\0';
    if (at == NULL)
        return;
    for (at += n; at < text + len && *at != '"' && used < 63; at++)
        out[used++] = *at;
    out[used] = '\0';
}

static int
order_answer(char *out, size_t room, const char *text, size_t len, const char *id)
{
    static uint64_t order_id = UINT64_C(12569099453);
    char symbol[64];
    char clordid[64];
    char px[64];
    char qty[64];
    char side[64];
    struct timespec ts;

    member(text, len, "symbol", symbol);
    member(text, len, "newClientOrderId", clordid);
    member(text, len, "price", px);
    member(text, len, "quantity", qty);
    member(text, len, "side", side);
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    int64_t ms = ts.tv_sec * 1000 + ts.tv_nsec / NS_PER_MS;
    return snprintf(
        out, room,
        "{\"id\":\"%s\",\"status\":200,\"result\":{\"symbol\":\"%s\",\"orderId\":%" PRIu64
        ",\"orderListId\":-1,\"clientOrderId\":\"%s\",\"transactTime\":%" PRId64
        ",\"price\":\"%s\",\"origQty\":\"%s\",\"executedQty\":\"0.00000\",\"origQuoteOrderQty\":\"0.00000000\","
        "\"cummulativeQuoteQty\":\"0.00000000\",\"status\":\"EXPIRED\",\"timeInForce\":\"IOC\","
        "\"type\":\"LIMIT\",\"side\":\"%s\",\"workingTime\":%" PRId64
        ",\"fills\":[],\"selfTradePreventionMode\":\"NONE\"}}",
        id, symbol, ++order_id, clordid, ms, px, qty, side, ms);
}

/* Enough of everything that the benchmarks trade. */
static int
balances_answer(char *out, size_t room, const char *id)
{
    int n =
        snprintf(out, room,
                 "{\"id\":\"%s\",\"status\":200,\"result\":{\"balances\":[{\"asset\":\"USDT\",\"free\":\"9000000000\","
                 "\"locked\":\"0\"}",
                 id);

    for (uint32_t i = 0; i < 100; i++) {
        struct instrument ins = bench_instrument(i);
        n += snprintf(out + n, room - (size_t)n, ",{\"asset\":\"%s\",\"free\":\"9000000\",\"locked\":\"0\"}", ins.base);
        ASSERT((size_t)n < room);
    }
    return n + snprintf(out + n, room - (size_t)n, "]}}");
}

static int
venue_answer(char *out, size_t room, const char *text, size_t len)
{
    char id[64];
    char method[64];
    struct timespec ts;

    member(text, len, "id", id);
    member(text, len, "method", method);
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    int64_t ms = ts.tv_sec * 1000 + ts.tv_nsec / NS_PER_MS;
    if (strcmp(method, "order.place") == 0)
        return order_answer(out, room, text, len, id);
    if (strcmp(method, "time") == 0)
        return snprintf(out, room, "{\"id\":\"%s\",\"status\":200,\"result\":{\"serverTime\":%" PRId64 "}}", id, ms);
    if (strcmp(method, "session.logon") == 0)
        return snprintf(out, room,
                        "{\"id\":\"%s\",\"status\":200,\"result\":{\"apiKey\":\"benchKey\",\"authorizedSince\":%" PRId64
                        ",\"connectedSince\":%" PRId64 ",\"returnRateLimits\":false,\"serverTime\":%" PRId64
                        ",\"userDataStream\":false}}",
                        id, ms, ms, ms);
    if (strcmp(method, "account.status") == 0)
        return balances_answer(out, room, id);
    if (strncmp(method, "userDataStream.subscribe", 24) == 0)
        return snprintf(out, room, "{\"id\":\"%s\",\"status\":200,\"result\":{\"subscriptionId\":0}}", id);
    return snprintf(out, room, "{\"id\":\"%s\",\"status\":200,\"result\":[]}", id); /* open orders: none */
}

struct venue_conn {
    struct bench_stream stream;
    struct ws_reader reader;
    bool up;
    uint8_t assembly[VENUE_ROOM];
};

static void
venue_accept(struct venue_conn *c, int fd, const char *tls_dir)
{
    no_delay(fd);
    c->stream.fd = fd;
    c->stream.ssl = tls_dir != NULL ? tls_accept(tls_dir, fd) : NULL;
    if (!upgrade_answer(&c->stream))
        bench_die("venue: WebSocket handshake failed");
    ws_reader_init(&c->reader, WS_SERVER, c->assembly, sizeof(c->assembly));
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    c->up = true;
}

/* -1: it ended. */
static ssize_t
venue_read(struct venue_conn *c, uint8_t *buf, size_t room)
{
    if (c->stream.ssl == NULL) {
        ssize_t n = recv(c->stream.fd, buf, room, 0);
        return n > 0 ? n : n < 0 && errno == EAGAIN ? 0 : -1;
    }
    int n = SSL_read(c->stream.ssl, buf, (int)room);
    return n > 0 ? n : SSL_get_error(c->stream.ssl, n) == SSL_ERROR_WANT_READ ? 0 : -1;
}

/* What is there to read now. False when the connection ended. */
static bool
venue_serve(struct venue_conn *c)
{
    static uint8_t in[VENUE_ROOM];
    static uint8_t out[WS_HEADER_ROOM + VENUE_ROOM];
    ssize_t n = venue_read(c, in, sizeof(in));
    const uint8_t *p = in;

    while (n > 0) {
        struct ws_message m;
        size_t used = 0;
        enum ws_result r = ws_read(&c->reader, p, (size_t)n, &used, &m);
        if (r == WS_MORE)
            break;
        if (r != WS_MESSAGE)
            return false;
        int len = venue_answer((char *)out + WS_HEADER_ROOM, VENUE_ROOM, (const char *)m.data, m.len);
        struct ws_frame f = ws_encode(out, WS_HEADER_ROOM, (size_t)len, WS_OP_TEXT, NULL);
        if (!bench_write(&c->stream, f.data, f.len))
            return false;
        p += used;
        n -= (ssize_t)used;
    }
    return n >= 0;
}

static void
venue_child(void *ctx)
{
    const struct server *s = (const struct server *)ctx;
    static struct venue_conn conn[2];
    unsigned count = 0;

    bench_pin(BENCH_CORE_PEER);
    (void)fcntl(s->listen_fd, F_SETFL, O_NONBLOCK);
    for (uint64_t spin = 0;; spin++) {
        int fd = count < ARRAY_LEN(conn) && spin % 256 == 0 ? accept(s->listen_fd, NULL, NULL) : -1;
        if (fd >= 0) {
            venue_accept(&conn[count], fd, count == 0 ? s->tls_dir : NULL);
            count++;
        }
        for (unsigned i = 0; i < count; i++)
            if (conn[i].up && !venue_serve(&conn[i]))
                return;
    }
}

struct bench_server
bench_venue_start(const char *tls_dir)
{
    struct bench_server out;
    struct server s = { .listen_fd = listen_any(&out.port), .tls_dir = tls_dir };

    out.pid = bench_fork(venue_child, &s);
    (void)close(s.listen_fd);
    return out;
}

/* ---- echo ---- */

void
bench_serve_echo(struct bench_stream *s, void *arg)
{
    uint8_t buf[4096];
    size_t n;

    (void)arg;
    while ((n = bench_read(s, buf, sizeof(buf))) > 0 && bench_write(s, buf, n)) {
    }
}

void
bench_serve_spin(struct bench_stream *s, void *arg)
{
    uint8_t buf[4096];

    (void)arg;
    for (;;) {
        ssize_t n = recv(s->fd, buf, sizeof(buf), MSG_DONTWAIT);
        if (n > 0 && !bench_write(s, buf, (size_t)n))
            return;
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return;
    }
}
