#include "engine/redis_kill.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define TIMEOUT_S  1
#define POLL_MS    200
#define RETRY_LOOK 5 /* times POLL_MS: a second between two tries */

struct redis_kill {
    struct redis_kill_config cfg;
    pthread_t thread;
    _Atomic bool stop;
    bool up; /* as last said */
};

static bool
stopping(const struct redis_kill *r)
{
    return atomic_load_explicit(&r->stop, memory_order_relaxed);
}

static void
say(struct redis_kill *r, bool up, const char *text)
{
    char line[140];

    if (up == r->up)
        return;
    r->up = up;
    (void)snprintf(line, sizeof(line), "kill.redis: %.100s", text);
    log_write(r->cfg.log, up ? LOG_NOTE : LOG_WARNING, line);
}

static bool
is_text(const redisReply *e, const char *text)
{
    return e != NULL && e->type == REDIS_REPLY_STRING && strcmp(e->str, text) == 0;
}

/* One reply of the subscription: ["message", channel, anything] trips. */
static void
on_reply(struct redis_kill *r, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 && is_text(reply->element[0], "message") &&
        is_text(reply->element[1], r->cfg.channel))
        r->cfg.trip(r->cfg.ctx);
}

/* Connected, or NULL after saying why not. */
static redisContext *
dial(struct redis_kill *r)
{
    const struct timeval timeout = { .tv_sec = TIMEOUT_S };
    redisContext *c = redisConnectWithTimeout(r->cfg.host, r->cfg.port, timeout);

    if (c != NULL && c->err == 0 && redisSetTimeout(c, timeout) == REDIS_OK)
        return c;
    say(r, false, c != NULL ? c->errstr : "no memory");
    if (c != NULL)
        redisFree(c);
    return NULL;
}

/* One command whose answer has this type; its number (an array's is its length), -1 when there is none such. */
static long long
command(redisContext *c, const char *verb, const char *channel, int type)
{
    redisReply *reply = (redisReply *)redisCommand(c, "%s %s", verb, channel);
    long long n = -1;

    if (reply != NULL && reply->type == type)
        n = type == REDIS_REPLY_INTEGER ? reply->integer : (long long)reply->elements;
    if (reply != NULL)
        freeReplyObject(reply);
    return n;
}

/* The channel first, then the key, over a connection of its own: what is set in between is in one of the two. */
static bool
subscribe(struct redis_kill *r, redisContext *c)
{
    if (command(c, "SUBSCRIBE", r->cfg.channel, REDIS_REPLY_ARRAY) != 3)
        return false;
    redisContext *k = dial(r);
    if (k == NULL)
        return false;
    long long there = command(k, "EXISTS", r->cfg.channel, REDIS_REPLY_INTEGER);
    redisFree(k);
    if (there == 1)
        r->cfg.trip(r->cfg.ctx);
    return there >= 0;
}

/* Until the connection ends or we are to stop. */
static void
listen_to(struct redis_kill *r, redisContext *c)
{
    struct pollfd p = { .fd = c->fd, .events = POLLIN };

    while (!stopping(r) && c->err == 0) {
        if (poll(&p, 1, POLL_MS) <= 0)
            continue;
        void *reply = NULL;
        if (redisBufferRead(c) != REDIS_OK)
            return;
        while (redisGetReplyFromReader(c, &reply) == REDIS_OK && reply != NULL) {
            on_reply(r, (const redisReply *)reply);
            freeReplyObject(reply);
            reply = NULL;
        }
    }
}

static void *
run(void *ctx)
{
    struct redis_kill *r = (struct redis_kill *)ctx;
    const struct timespec pause = { .tv_nsec = POLL_MS * NS_PER_MS };

    r->up = true; /* so that a first failure is said */
    while (!stopping(r)) {
        redisContext *c = dial(r);
        if (c != NULL) {
            (void)redisEnableKeepAlive(c);
            if (subscribe(r, c)) {
                say(r, true, "listening");
                listen_to(r, c);
            }
            say(r, false, c->errstr[0] != '\0' ? c->errstr : "the connection ended");
            redisFree(c);
        }
        for (unsigned i = 0; i < RETRY_LOOK && !stopping(r); i++)
            (void)nanosleep(&pause, NULL);
    }
    return NULL;
}

struct redis_kill *
redis_kill_start(const struct redis_kill_config *cfg, struct fault *fault)
{
    struct redis_kill *r = (struct redis_kill *)calloc(1, sizeof(*r));

    if (r == NULL) {
        (void)FAULT(fault, "kill.redis: no memory");
        return NULL;
    }
    r->cfg = *cfg;
    if (pthread_create(&r->thread, NULL, run, r) != 0) {
        (void)FAULT(fault, "kill.redis: its thread cannot be started: %s", strerror(errno));
        free(r);
        return NULL;
    }
    (void)pthread_setname_np(r->thread, "execgw-redis");
    return r;
}

void
redis_kill_stop(struct redis_kill *r)
{
    atomic_store_explicit(&r->stop, true, memory_order_relaxed);
    (void)pthread_join(r->thread, NULL);
    free(r);
}
