/* An HTTPS client on a thread of its own: one request at a time for one venue, its answer back to the core.
 *
 * libwebsockets does the work; names, handshakes and waiting never meet the core. The request and the body of the
 * answer stand in two buffers that change hands: the core's while nothing is asked, the thread's until the answer is
 * announced. A body in chunks that is cut short between them cannot be told from a whole one: its reader must.
 *
 * Always true: a request that was taken is answered exactly once, within timeout_ms of being taken up (a name look-up
 * apart); certificate chain and host are verified; a redirect is an answer like any other and is not followed; a body
 * longer than body_max is no answer; status 0 means that none came. Keys in headers are never logged.
 * rest_send, _poll, _request_fd: the core thread. _start, _stop: whoever owns it. */
#ifndef EXECGW_ENGINE_IO_REST_H
#define EXECGW_ENGINE_IO_REST_H

#include "engine/io/endpoint.h"

struct rest_config {
    const char *name;         /* of the venue, for sentences */
    struct endpoint endpoint; /* its path is not used */
    const char *ca_file;      /* beside the system's authorities; NULL or "": none */
    uint32_t request_max;     /* bytes */
    uint32_t body_max;        /* bytes */
    uint32_t timeout_ms;
    void (*log)(void *ctx, const char *sentence); /* on the thread */
    void *log_ctx;
};

struct rest_answer {
    unsigned status; /* 0: none came */
    const uint8_t *body;
    size_t len;
};

struct rest; /* opaque */

/* NULL with the fault filled. Connects to nothing yet. */
struct rest *rest_start(const struct rest_config *cfg, struct fault *fault);
/* Ends the thread, whatever it waits for. NULL is fine. */
void rest_stop(struct rest *r);

/* "METHOD path\n", "Name: value\n"..., "\n", body. False: one is under way, or it does not fit. Then ring
 * rest_request_fd() (loop_bell_*; rest_wake is a plain write, for callers that may make system calls). */
bool rest_send(struct rest *r, const uint8_t *bytes, size_t len);
int rest_request_fd(const struct rest *r);
void rest_wake(const struct rest *r);

/* True when the answer is there; out->body is valid until the next rest_send. */
bool rest_poll(struct rest *r, struct rest_answer *out);
/* Written when an answer is there: to be watched. */
int rest_result_fd(const struct rest *r);

#endif
