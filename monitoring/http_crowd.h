/* Who is connected to execgw-http, and whose turn it is to go when too many are.
 *
 * Beside the server, which tells it of every connection that comes, asks, is answered and goes, and closes those that
 * it names. A connection is "silent" until a whole request has come from it, and again after its answer.
 *
 * Always true: at most HTTP_CROWD_MAX members; at most HTTP_CROWD_SENDING of them take an answer piece by piece. Who
 * holds connections without asking, or asks and does not read, keeps nobody out: the newcomer always gets a place. */
#ifndef EXECGW_MONITORING_HTTP_CROWD_H
#define EXECGW_MONITORING_HTTP_CROWD_H

#include "execgw/base.h"
#include "execgw/clock.h"

#define HTTP_CROWD_MAX \
    192u /* more than libwebsockets lets wait for accept(): a batch of them displaces none of its own */
#define HTTP_CROWD_SENDING 32u      /* each holds a page */
#define HTTP_CROWD_ASK_NS  NS_PER_S /* from the connection to its first whole request */

struct http_member {
    const void *who; /* the server's connection */
    int fd;
    bool asked;   /* a request has come, its answer is not out */
    bool sending; /* a first piece of the answer went out, it takes the rest as it reads */
    bool fresh;   /* has never asked */
    int64_t since_ns;
};

struct http_crowd {
    struct http_member member[HTTP_CROWD_MAX]; /* oldest state first */
    uint32_t count;
};

/* A new connection. Returns the descriptor of the one that must be closed for it and is no member any more, or -1: the
 * longest silent one, of those rather one that has sent nothing that waits to be read. */
int http_crowd_join(struct http_crowd *c, const void *who, int fd, int64_t now_ns);

/* A whole request has come. */
void http_crowd_asked(struct http_crowd *c, const void *who, int64_t now_ns);

/* A piece of its answer went out, not the last. Returns the descriptor to close, or -1: the longest one at it, when
 * they are too many. */
int http_crowd_sending(struct http_crowd *c, const void *who, int64_t now_ns);

/* Its answer is out, it may ask again. */
void http_crowd_answered(struct http_crowd *c, const void *who, int64_t now_ns);

/* It is gone. Fine for one that is no member. */
void http_crowd_leave(struct http_crowd *c, const void *who);

/* One that has been connected for longer than HTTP_CROWD_ASK_NS without a request, as a descriptor to close; it is no
 * member any more. -1 when there is none (left). */
int http_crowd_late(struct http_crowd *c, int64_t now_ns);

#endif
