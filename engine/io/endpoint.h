/* Where a WebSocket lives: "wss://host:port/path", taken apart and checked.
 *
 * Always true after DECODE: host is a name, an IPv4 or a bare IPv6 address; path starts with '/'; no control
 * character, space or user information anywhere. */
#ifndef EXECGW_ENGINE_IO_ENDPOINT_H
#define EXECGW_ENGINE_IO_ENDPOINT_H

#include "execgw/base.h"

#define ENDPOINT_HOST_BYTES 254
#define ENDPOINT_PATH_BYTES 1024

struct endpoint {
    char host[ENDPOINT_HOST_BYTES];
    char path[ENDPOINT_PATH_BYTES];
    uint16_t port;
    bool tls;
};

/* url: NUL-terminated ws:// or wss://. *ep is written on success only. */
bool endpoint_parse(const char *url, struct endpoint *ep, struct fault *fault);
/* What stands in the Host header: "host", or "host:port" off the default port; IPv6 in brackets. */
void endpoint_host_header(const struct endpoint *ep, char out[ENDPOINT_HOST_BYTES + 10]);

#endif
