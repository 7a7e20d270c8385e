/* A TLS (or plain) server on loopback for tests, with certificates of its own making: one thread per listener, which
 * serves its connections one after the other with the function it was given. */
#ifndef EXECGW_TESTS_TLS_SERVER_H
#define EXECGW_TESTS_TLS_SERVER_H

#include "tests/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

enum cert_kind { CERT_GOOD, CERT_WRONG_HOST, CERT_EXPIRED, CERT_SELF_SIGNED, CERT_NONE };

struct pki {
    char ca_file[64];
    EVP_PKEY *ca_key;
    X509 *ca;
};

static inline void
cert_extend(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX c;
    X509V3_set_ctx(&c, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &c, nid, value);
    CHECK(e != NULL);
    CHECK(X509_add_ext(x, e, -1));
    X509_EXTENSION_free(e);
}

static inline X509 *
cert_make(EVP_PKEY *key, const char *cn, X509 *issuer, EVP_PKEY *issuer_key, long from_s, long to_s)
{
    static long serial = 1;
    X509 *x = X509_new();

    CHECK(x != NULL);
    (void)X509_set_version(x, 2);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    (void)X509_gmtime_adj(X509_getm_notBefore(x), from_s);
    (void)X509_gmtime_adj(X509_getm_notAfter(x), to_s);
    (void)X509_set_pubkey(x, key);
    (void)X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1,
                                     0);
    (void)X509_set_issuer_name(x, X509_get_subject_name(issuer != NULL ? issuer : x));
    if (issuer == NULL)
        cert_extend(x, x, NID_basic_constraints, "critical,CA:TRUE");
    (void)issuer_key;
    return x;
}

static inline struct pki
pki_make(void)
{
    struct pki p = { .ca_key = EVP_EC_gen("P-256") };

    CHECK(p.ca_key != NULL);
    p.ca = cert_make(p.ca_key, "execgw test authority", NULL, NULL, -3600, 86400);
    CHECK(X509_sign(p.ca, p.ca_key, EVP_sha256()));
    (void)snprintf(p.ca_file, sizeof(p.ca_file), "/tmp/execgw-ca-%d.pem", (int)getpid());
    FILE *f = fopen(p.ca_file, "we");
    CHECK(f != NULL);
    CHECK(PEM_write_X509(f, p.ca));
    (void)fclose(f);
    return p;
}

static inline void
pki_drop(struct pki *p)
{
    (void)unlink(p->ca_file);
    X509_free(p->ca);
    EVP_PKEY_free(p->ca_key);
}

struct tls_server;
/* ssl: NULL on a plain server. The connection is closed after it returns. */
typedef void serve_fn(struct tls_server *s, SSL *ssl, int fd);

struct tls_server {
    SSL_CTX *ctx;
    serve_fn *serve;
    void *arg;
    int listen_fd;
    uint16_t port;
    pthread_t thread;
    _Atomic bool stop;
    _Atomic int accepted;
    _Atomic int failed; /* handshakes */
};

static inline void *
server_thread(void *arg)
{
    struct tls_server *s = (struct tls_server *)arg;

    for (;;) {
        int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        int one = 1;
        if (fd < 0 || atomic_load(&s->stop)) {
            if (fd >= 0)
                (void)close(fd);
            return NULL;
        }
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        atomic_fetch_add(&s->accepted, 1);
        if (s->ctx == NULL) {
            s->serve(s, NULL, fd);
        } else {
            SSL *ssl = SSL_new(s->ctx);
            (void)SSL_set_fd(ssl, fd);
            if (SSL_accept(ssl) == 1)
                s->serve(s, ssl, fd);
            else
                atomic_fetch_add(&s->failed, 1);
            SSL_free(ssl);
            ERR_clear_error();
        }
        (void)close(fd);
    }
}

static inline SSL_CTX *
server_context(const struct pki *p, enum cert_kind kind)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    bool self = kind == CERT_SELF_SIGNED;
    X509 *x = cert_make(key, "server", self ? NULL : p->ca, p->ca_key, -7200, kind == CERT_EXPIRED ? -60 : 86400);

    cert_extend(x, self ? x : p->ca, NID_subject_alt_name,
                kind == CERT_WRONG_HOST ? "DNS:other.example" : "DNS:localhost,IP:127.0.0.1");
    CHECK(X509_sign(x, self ? key : p->ca_key, EVP_sha256()));
    CHECK(SSL_CTX_use_certificate(ctx, x) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1);
    X509_free(x);
    EVP_PKEY_free(key);
    return ctx;
}

/* CERT_NONE: plain TCP. */
static inline void
server_start(struct tls_server *s, const struct pki *p, enum cert_kind kind, serve_fn *serve, void *arg)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(a);
    int one = 1;

    (void)signal(SIGPIPE, SIG_IGN);
    *s = (struct tls_server){ .serve = serve, .arg = arg };
    if (kind != CERT_NONE)
        s->ctx = server_context(p, kind);
    s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(s->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    CHECK(bind(s->listen_fd, (struct sockaddr *)&a, len) == 0 && listen(s->listen_fd, 64) == 0);
    CHECK(getsockname(s->listen_fd, (struct sockaddr *)&a, &len) == 0);
    s->port = ntohs(a.sin_port);
    CHECK(pthread_create(&s->thread, NULL, server_thread, s) == 0);
}

static inline void
server_stop(struct tls_server *s)
{
    atomic_store(&s->stop, true);
    (void)shutdown(s->listen_fd, SHUT_RDWR);
    (void)pthread_join(s->thread, NULL);
    (void)close(s->listen_fd);
    SSL_CTX_free(s->ctx);
}

/* Bytes over either kind of connection. */
static inline int
peer_read(SSL *ssl, int fd, void *buf, int room)
{
    return ssl != NULL ? SSL_read(ssl, buf, room) : (int)read(fd, buf, (size_t)room);
}

static inline bool
peer_write(SSL *ssl, int fd, const void *buf, size_t len)
{
    const char *p = (const char *)buf;

    while (len > 0) {
        int n = ssl != NULL ? SSL_write(ssl, p, (int)MIN(len, 60000)) : (int)write(fd, p, len);
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

/* Read the upgrade request, up to its blank line. */
static inline bool
peer_request(SSL *ssl, int fd)
{
    char buf[4096];
    size_t len = 0;

    while (len < sizeof(buf) - 1) {
        int n = peer_read(ssl, fd, buf + len, (int)(sizeof(buf) - 1 - len));
        if (n <= 0)
            return false;
        len += (size_t)n;
        buf[len] = '\0';
        if (strstr(buf, "\r\n\r\n") != NULL)
            return true;
    }
    return false;
}

/* The client's half of a toy upgrade: "GET path nonce" and "101" up to the blank line. */
static inline size_t
toy_request(void *ctx, const char *host, const char *path, const uint8_t nonce[16], uint8_t *buf, size_t room)
{
    int n = snprintf((char *)buf, room, "GET %s HTTP/1.1\r\nHost: %s\r\nNonce: %02x%02x\r\n\r\n", path, host, nonce[0],
                     nonce[15]);
    (void)ctx;
    return n > 0 && (size_t)n < room ? (size_t)n : 0;
}

static inline int
toy_response(void *ctx, const uint8_t nonce[16], const uint8_t *buf, size_t len, struct fault *fault)
{
    (void)ctx;
    (void)nonce;
    if (len >= 12 && memcmp(buf, "HTTP/1.1 101", 12) != 0) {
        (void)FAULT(fault, "upgrade refused: %.12s", (const char *)buf);
        return -1;
    }
    const void *end = memmem(buf, len, "\r\n\r\n", 4);
    return end == NULL ? 0 : (int)((const uint8_t *)end - buf) + 4;
}

static const char toy_101[] = "HTTP/1.1 101 Switching Protocols\r\n\r\n";

#endif
