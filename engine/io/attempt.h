/* One attempt to reach an endpoint: name, TCP, TLS, HTTP upgrade, as a state machine over non-blocking calls.
 *
 * Driven by the connector's thread for many at once and by a side connection for one: poll() what attempt_wants says,
 * then attempt_step. Bytes that come behind the HTTP response are kept for the hand-over.
 *
 * Always true: waits nowhere; ends by its deadline; an attempt that is over and not DONE holds no descriptor and no
 * TLS session; the path of the endpoint, which may carry a key, is never in a fault. */
#ifndef EXECGW_ENGINE_IO_ATTEMPT_H
#define EXECGW_ENGINE_IO_ATTEMPT_H

#include "engine/io/lookup.h"
#include "engine/io/tls.h"
#include "execgw/clock.h"

#define UPGRADE_NONCE_BYTES 16
#define ATTEMPT_IN_BYTES    32768u /* most that is read before the hand-over */
#define ATTEMPT_OUT_BYTES   16384u

/* The HTTP part, given by the caller. */
struct upgrade_ops {
    void *ctx;
    /* Write the request; host is ready for the Host header. 0 when it does not fit `room`. */
    size_t (*request)(void *ctx, const char *host, const char *path, const uint8_t nonce[UPGRADE_NONCE_BYTES],
                      uint8_t *buf, size_t room);
    /* Look at what has come: > 0 bytes of the whole good response, 0 more wanted, < 0 refused with the fault filled. */
    int (*response)(void *ctx, const uint8_t nonce[UPGRADE_NONCE_BYTES], const uint8_t *buf, size_t len,
                    struct fault *fault);
    /* Of what was refused: seconds for which nobody may ask again; 0 = it does not say. May be NULL. */
    uint32_t (*quiet_s)(void *ctx, const uint8_t *buf, size_t len);
};

enum attempt_phase {
    ATTEMPT_IDLE,
    ATTEMPT_RESOLVE,
    ATTEMPT_CONNECT,
    ATTEMPT_HANDSHAKE,
    ATTEMPT_UPGRADE,
    ATTEMPT_DONE,
    ATTEMPT_FAILED
};

struct attempt {
    struct endpoint endpoint;
    const struct tls_context *tls_context;
    const struct upgrade_ops *upgrade;
    struct tls *tls; /* the caller's; in use when endpoint.tls */
    enum attempt_phase phase;
    int fd;
    mono_ns_t deadline;
    mono_ns_t address_deadline;
    uint32_t deadline_ms;
    uint32_t quiet_s; /* the refusal asked for so many seconds of silence */
    struct lookup *lookup;
    struct addresses address;
    uint32_t address_next;
    char address_text[56]; /* last tried */
    uint8_t nonce[UPGRADE_NONCE_BYTES];
    uint32_t in_off; /* in[in_off .. in_len) is not yet used */
    uint32_t in_len;
    uint32_t text_off; /* TLS: decrypted */
    uint32_t text_len;
    uint32_t out_off;
    uint32_t out_len;
    struct fault fault;
    uint8_t in[ATTEMPT_IN_BYTES];
    uint8_t text[ATTEMPT_IN_BYTES];
    uint8_t out[ATTEMPT_OUT_BYTES];
};

/* tls_context may be NULL for ws://. tls: where the session lives, from here to its tls_free. */
void attempt_begin(struct attempt *a, const struct endpoint *ep, const struct tls_context *tls_context, struct tls *tls,
                   const struct upgrade_ops *upgrade, uint32_t deadline_ms, mono_ns_t now);
/* Descriptor and poll events waited for, and until when. fd -1: nothing but the time. */
void attempt_wants(const struct attempt *a, int *fd, short *events, mono_ns_t *until);
/* Go as far as possible. True when it is over: phase is DONE (fd, tls and the bytes left belong to the caller) or
 * FAILED with the fault filled. */
bool attempt_step(struct attempt *a, mono_ns_t now);
/* Give up: closes and frees; `why` makes the fault. */
void attempt_abort(struct attempt *a, const char *why);

/* DONE: plaintext behind the HTTP response. */
static inline const uint8_t *
attempt_plain(const struct attempt *a, size_t *bytes)
{
    *bytes = a->endpoint.tls ? a->text_len - a->text_off : a->in_len - a->in_off;
    return a->endpoint.tls ? a->text + a->text_off : a->in + a->in_off;
}

/* The clock of the threads beside the core. */
mono_ns_t attempt_clock(void);

#endif
