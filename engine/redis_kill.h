/* The kill switch by Redis: a message on a channel trips it, and so does a key of the same name that exists when we
 * connect. One thread of its own; it can only ever trip the switch.
 *
 * Always true: nothing waits for Redis; a Redis that is gone, hangs or talks nonsense costs this thread's time alone,
 * is tried again once a second, and is said in the log once per change. */
#ifndef EXECGW_ENGINE_REDIS_KILL_H
#define EXECGW_ENGINE_REDIS_KILL_H

#include "execgw/log.h"

struct redis_kill;

struct redis_kill_config {
    char host[64];
    int port;
    const char *channel;     /* and key */
    void (*trip)(void *ctx); /* from the thread; any number of times */
    void *ctx;
    struct log_port *log; /* the thread's own */
};

/* Start the thread. NULL with the fault. */
struct redis_kill *redis_kill_start(const struct redis_kill_config *cfg, struct fault *fault);
/* End and free; takes two seconds at most. */
void redis_kill_stop(struct redis_kill *r);

#endif
