/* TLS as a filter over bytes: a received span in, records out into a fixed buffer. No socket, no system call.
 *
 * Used by the connector for the handshake and by the loop afterwards; the SSL object moves between the two threads with
 * its connection. Verification cannot be turned off: chain and host name (or address) are always checked, TLS 1.2 is
 * the oldest version, renegotiation is refused.
 *
 * Always true: OpenSSL reads only from `in` and writes only to `out`; a write that does not fit sets `overrun` and the
 * connection must end. */
#ifndef EXECGW_ENGINE_IO_TLS_H
#define EXECGW_ENGINE_IO_TLS_H

#include "execgw/base.h"
#include <openssl/ssl.h>

/* Most bytes that protect one record of up to TLS_RECORD_BYTES plaintext (header, nonce, padding, tag). */
#define TLS_RECORD_BYTES    16384u
#define TLS_RECORD_OVERHEAD 128u

struct tls_context {
    SSL_CTX *ssl_ctx;
    BIO_METHOD *method;
};

struct tls {
    SSL *ssl;
    const uint8_t *in; /* not yet read by OpenSSL */
    size_t in_bytes;
    uint8_t *out; /* records to be sent */
    size_t out_bytes;
    size_t out_room;
    bool starved; /* OpenSSL asked for more than `in` had */
    bool overrun; /* OpenSSL wrote more than `out` takes */
};

enum tls_end {
    TLS_END_CLOSE_NOTIFY = 1, /* the peer said good-bye */
    TLS_END_FAILED            /* alert, bad record, memory: see tls_fault */
};

/* System trust store, and also ca_file when not NULL. On any thread, before it is used. */
bool tls_context_init(struct tls_context *ctx, const char *ca_file, struct fault *fault);
/* One more file of trusted authorities, before it is used. */
bool tls_context_trust(struct tls_context *ctx, const char *ca_file, struct fault *fault);
void tls_context_free(struct tls_context *ctx);

/* A client session to `host` (name or IP address). False when memory ran out. */
bool tls_open(struct tls *t, const struct tls_context *ctx, const char *host, struct fault *fault);
/* Never a system call: frees the session, keys are wiped. */
void tls_free(struct tls *t);

static inline void
tls_set_in(struct tls *t, const uint8_t *bytes, size_t len)
{
    t->in = bytes;
    t->in_bytes = len;
}

static inline void
tls_set_out(struct tls *t, uint8_t *buf, size_t room)
{
    t->out = buf;
    t->out_bytes = 0;
    t->out_room = room;
}

/* 1 done, 0 more input wanted, -1 failed (tls_fault says why). Output may wait in `out` in every case. */
int tls_handshake(struct tls *t);
/* > 0 bytes of plaintext (of one record), 0 more input wanted, < 0 minus an enum tls_end. */
int tls_read(struct tls *t, uint8_t *buf, size_t room);
/* True when tls_read may still give something without new input. */
bool tls_pending(const struct tls *t);
/* Encrypt all of buf into `out`; false when the session failed or `out` is too small. */
bool tls_write(struct tls *t, const uint8_t *buf, size_t len);
/* Append our close_notify to `out`. */
void tls_close_notify(struct tls *t);
/* One sentence for the last failure: "certificate: hostname mismatch", "alert: handshake failure". */
void tls_fault(const struct tls *t, const char *where, struct fault *fault);

#endif
