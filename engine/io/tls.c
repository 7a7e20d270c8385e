/* TLS over bytes. See tls.h. */
#include "engine/io/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

/* The BIO: reads take from t->in, writes append to t->out. */
static int
bio_read(BIO *bio, char *buf, int len)
{
    struct tls *t = (struct tls *)BIO_get_data(bio);
    size_t n = MIN((size_t)len, t->in_bytes);

    BIO_clear_retry_flags(bio);
    if (n == 0) {
        t->starved = true;
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(buf, t->in, n);
    t->in += n;
    t->in_bytes -= n;
    return (int)n;
}

static int
bio_write(BIO *bio, const char *buf, int len)
{
    struct tls *t = (struct tls *)BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if ((size_t)len > t->out_room - t->out_bytes) {
        t->overrun = true;
        return -1;
    }
    memcpy(t->out + t->out_bytes, buf, (size_t)len);
    t->out_bytes += (size_t)len;
    return len;
}

static long
bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
    (void)bio;
    (void)num;
    (void)ptr;
    return cmd == BIO_CTRL_FLUSH ? 1 : 0;
}

static int
bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static BIO_METHOD *
bio_method_new(void)
{
    int type = BIO_get_new_index();
    if (type == -1)
        return NULL;
    BIO_METHOD *m = BIO_meth_new(type | BIO_TYPE_SOURCE_SINK, "execgw span");
    if (m == NULL)
        return NULL;
    if (!BIO_meth_set_read(m, bio_read) || !BIO_meth_set_write(m, bio_write) || !BIO_meth_set_ctrl(m, bio_ctrl) ||
        !BIO_meth_set_create(m, bio_create)) {
        BIO_meth_free(m);
        return NULL;
    }
    return m;
}

static const unsigned char alpn_http11[] = "\x08http/1.1";

static bool
trust(SSL_CTX *c, const char *ca_file, struct fault *fault)
{
    struct stat st;

    if (stat(ca_file, &st) == 0 && !S_ISREG(st.st_mode)) /* a pipe would keep us waiting for who writes into it */
        return FAULT(fault, "%.150s is not a regular file, expected certificates in PEM", ca_file);
    if (!SSL_CTX_load_verify_locations(c, ca_file, NULL))
        return FAULT(fault, "%.150s: no certificate authority can be read from it, expected PEM", ca_file);
    return true;
}

static bool
context_setup(SSL_CTX *c, const char *ca_file, struct fault *fault)
{
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_clear_mode(c, SSL_MODE_RELEASE_BUFFERS); /* record buffers stay: no malloc per record */
    if (!SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION))
        return FAULT(fault, "OpenSSL: TLS 1.2 is not available");
    if (SSL_CTX_set_alpn_protos(c, alpn_http11, sizeof(alpn_http11) - 1) != 0)
        return FAULT(fault, "OpenSSL: out of memory");
    if (!SSL_CTX_set_default_verify_paths(c))
        return FAULT(fault, "OpenSSL: the system trust store cannot be read");
    return ca_file == NULL || trust(c, ca_file, fault);
}

bool
tls_context_init(struct tls_context *ctx, const char *ca_file, struct fault *fault)
{
    *ctx = (struct tls_context){ .ssl_ctx = SSL_CTX_new(TLS_client_method()), .method = bio_method_new() };
    if (ctx->ssl_ctx != NULL && ctx->method != NULL) {
        if (context_setup(ctx->ssl_ctx, ca_file, fault))
            return true;
    } else {
        (void)FAULT(fault, "OpenSSL: out of memory");
    }
    tls_context_free(ctx);
    return false;
}

bool
tls_context_trust(struct tls_context *ctx, const char *ca_file, struct fault *fault)
{
    return trust(ctx->ssl_ctx, ca_file, fault);
}

void
tls_context_free(struct tls_context *ctx)
{
    SSL_CTX_free(ctx->ssl_ctx);
    BIO_meth_free(ctx->method);
    *ctx = (struct tls_context){ 0 };
}

static bool
is_address(const char *host)
{
    struct in6_addr addr;
    return inet_pton(AF_INET, host, &addr) == 1 || inet_pton(AF_INET6, host, &addr) == 1;
}

/* The name in the certificate must be the one we were told to reach. */
static bool
expect_host(SSL *ssl, const char *host)
{
    if (is_address(host))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

bool
tls_open(struct tls *t, const struct tls_context *ctx, const char *host, struct fault *fault)
{
    *t = (struct tls){ .ssl = SSL_new(ctx->ssl_ctx) };
    BIO *bio = t->ssl != NULL ? BIO_new(ctx->method) : NULL;

    if (bio == NULL || !expect_host(t->ssl, host)) {
        BIO_free(bio);
        tls_free(t);
        ERR_clear_error();
        return FAULT(fault, "%.150s: no memory left for a TLS session", host);
    }
    BIO_set_data(bio, t);
    SSL_set_bio(t->ssl, bio, bio);
    SSL_set_connect_state(t->ssl);
    return true;
}

void
tls_free(struct tls *t)
{
    SSL_free(t->ssl);
    *t = (struct tls){ 0 };
}

int
tls_handshake(struct tls *t)
{
    ERR_clear_error();
    t->starved = false;
    int r = SSL_do_handshake(t->ssl);
    if (r == 1)
        return 1;
    return SSL_get_error(t->ssl, r) == SSL_ERROR_WANT_READ && !t->overrun ? 0 : -1;
}

static COLD int
read_end(const struct tls *t)
{
    bool notified = (SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
    return -(notified ? TLS_END_CLOSE_NOTIFY : TLS_END_FAILED);
}

int
tls_read(struct tls *t, uint8_t *buf, size_t room)
{
    size_t n;

    t->starved = false;
    if (likely(SSL_read_ex(t->ssl, buf, room, &n)))
        return (int)n;
    /* Our BIO ran dry and OpenSSL stopped for it: the state in which SSL_get_error says WANT_READ, without its walk
     * through the error queue. */
    if (likely(t->starved && SSL_want_read(t->ssl) && !t->overrun))
        return 0;
    return read_end(t);
}

bool
tls_pending(const struct tls *t)
{
    return t->in_bytes != 0 || SSL_has_pending(t->ssl);
}

bool
tls_write(struct tls *t, const uint8_t *buf, size_t len)
{
    size_t n = 0;
    return SSL_write_ex(t->ssl, buf, len, &n) && n == len && !t->overrun;
}

void
tls_close_notify(struct tls *t)
{
    if (SSL_is_init_finished(t->ssl) && (SSL_get_shutdown(t->ssl) & SSL_SENT_SHUTDOWN) == 0)
        (void)SSL_shutdown(t->ssl);
}

void
tls_fault(const struct tls *t, const char *where, struct fault *fault)
{
    long verify = SSL_get_verify_result(t->ssl);
    unsigned long e = ERR_peek_last_error();
    const char *reason = e != 0 ? ERR_reason_error_string(e) : NULL;

    if (verify != X509_V_OK)
        (void)FAULT(fault, "%.150s: certificate: %s", where, X509_verify_cert_error_string(verify));
    else if (e != 0 && ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE)
        (void)FAULT(fault, "%.150s: TLS: no memory left in the pool for sessions", where);
    else
        (void)FAULT(fault, "%.150s: TLS: %s", where, reason != NULL ? reason : "handshake ended by the peer");
    ERR_clear_error();
}
