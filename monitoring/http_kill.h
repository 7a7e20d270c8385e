/* POST /kill of execgw-http: whoever knows the token trips the gateway's kill switch, over the unix socket that every
 * operator uses; when that does not answer, by the signal. There is no way to release it from here.
 *
 * Always true: the token is compared in constant time and never written anywhere; wrong ones, however many, do not keep
 * the right one from being heard. */
#ifndef EXECGW_MONITORING_HTTP_KILL_H
#define EXECGW_MONITORING_HTTP_KILL_H

#include "execgw/base.h"

#include <sys/types.h>

#define HTTP_KILL_TOKEN_MIN  16
#define HTTP_KILL_TOKEN_MAX  256
#define HTTP_KILL_WRONG_MAX  5 /* wrong tokens in a minute that are told what was expected */
#define HTTP_KILL_TIMEOUT_MS 2000

struct http_kill {
    char token[HTTP_KILL_TOKEN_MAX];
    size_t token_len; /* 0: not served */
    char socket[108];
    pid_t gateway;
    unsigned wrong;
    int64_t wrong_since_ns;
};

/* Take the token from a descriptor, and close it. False when it is too short or too long. */
bool http_kill_token(struct http_kill *k, int fd, struct fault *fault);

/* One request; authorization is the header's value or "". Returns the HTTP status with one JSON line in text. */
unsigned http_kill(struct http_kill *k, const char *authorization, int64_t now_ns, char *text, size_t room);

#endif
