/* One name made addresses, on a thread of its own: a resolver that does not answer keeps nobody waiting.
 *
 * Always true: whoever started a lookup releases it once, done or not; a thread that still waits for the resolver then
 * frees it when it ends. */
#ifndef EXECGW_ENGINE_IO_LOOKUP_H
#define EXECGW_ENGINE_IO_LOOKUP_H

#include "engine/io/endpoint.h"
#include <stdatomic.h>
#include <sys/socket.h>

#define LOOKUP_ADDRESSES 8u

struct addresses {
    uint32_t count;
    struct sockaddr_storage at[LOOKUP_ADDRESSES]; /* IPv4 and IPv6, with the port, in the resolver's order */
};

/* Written by its thread until lookup_done(). */
struct lookup {
    _Atomic int refs;
    _Atomic int done;
    int fd;                     /* eventfd: written when done */
    struct addresses addresses; /* none: the fault says why */
    struct fault fault;
    char host[ENDPOINT_HOST_BYTES];
    uint16_t port;
};

/* Without any resolver. False when the host is a name. */
bool lookup_numeric(const struct endpoint *ep, struct addresses *out);
/* bell: an eventfd of the caller's to write when done (a duplicate is kept), or -1 for one of its own in fd. NULL when
 * no thread, memory or descriptor is left. */
struct lookup *lookup_start(const struct endpoint *ep, int bell);
bool lookup_done(const struct lookup *k);
void lookup_release(struct lookup *k);

#endif
