/* Endpoint parser. See endpoint.h. */
#include "engine/io/endpoint.h"

#include <arpa/inet.h>

/* Letters, digits, '-', '.', '_': what may stand in a host name that we look up. */
static bool
host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_';
}

static bool
host_take(const char *url, const char *from, size_t len, bool bracketed, char *host, struct fault *fault)
{
    if (len == 0 || len >= ENDPOINT_HOST_BYTES)
        return FAULT(fault, "%.80s: host of %zu characters, expected 1 to %d", url, len, ENDPOINT_HOST_BYTES - 1);
    memcpy(host, from, len);
    host[len] = '\0';
    if (bracketed) {
        struct in6_addr addr;
        if (inet_pton(AF_INET6, host, &addr) != 1)
            return FAULT(fault, "%.80s: '%.60s' in brackets is not an IPv6 address", url, host);
        return true;
    }
    for (size_t i = 0; i < len; i++)
        if (!host_char(host[i]))
            return FAULT(fault, "%.80s: character 0x%02x in the host name", url, (unsigned)(unsigned char)host[i]);
    return true;
}

/* ":port" or nothing, up to the path. */
static bool
port_take(const char *url, const char *from, size_t len, uint16_t *port, struct fault *fault)
{
    uint32_t v = 0;

    if (len == 0)
        return true;
    if (from[0] != ':' || len < 2 || len > 6)
        return FAULT(fault, "%.80s: expected ':port' or a path behind the host", url);
    for (size_t i = 1; i < len; i++) {
        if (from[i] < '0' || from[i] > '9')
            return FAULT(fault, "%.80s: the port is not a number", url);
        v = v * 10 + (uint32_t)(from[i] - '0');
    }
    if (v == 0 || v > 65535)
        return FAULT(fault, "%.80s: port %u, expected 1 to 65535", url, v);
    *port = (uint16_t)v;
    return true;
}

static bool
path_take(const char *url, const char *from, char *path, struct fault *fault)
{
    size_t len = strlen(from);

    if (len == 0) {
        memcpy(path, "/", 2);
        return true;
    }
    if (len >= ENDPOINT_PATH_BYTES)
        return FAULT(fault, "%.80s...: path of %zu characters, at most %d", url, len, ENDPOINT_PATH_BYTES - 1);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)from[i] <= ' ' || (unsigned char)from[i] >= 0x7f || from[i] == '#')
            return FAULT(fault, "%.80s: character 0x%02x in the path", url, (unsigned)(unsigned char)from[i]);
    memcpy(path, from, len + 1);
    return true;
}

bool
endpoint_parse(const char *url, struct endpoint *ep, struct fault *fault)
{
    struct endpoint e = { .port = 443, .tls = true };
    const char *p = url;

    if (strncmp(p, "wss://", 6) == 0) {
        p += 6;
    } else if (strncmp(p, "ws://", 5) == 0) {
        p += 5;
        e.tls = false;
        e.port = 80;
    } else {
        return FAULT(fault, "'%.80s' does not begin with wss:// or ws://", url);
    }
    const char *end = p + strcspn(p, "/?");
    if (*end == '?')
        return FAULT(fault, "%.80s: a query needs a path before it ('/?...')", url);
    bool bracketed = *p == '[';
    const char *host = p + bracketed;
    const char *host_end = host;
    while (host_end < end && *host_end != (bracketed ? ']' : ':'))
        host_end++;
    if (bracketed && host_end == end)
        return FAULT(fault, "%.80s: '[' without ']'", url);
    if (!host_take(url, host, (size_t)(host_end - host), bracketed, e.host, fault))
        return false;
    const char *port = host_end + bracketed;
    if (!port_take(url, port, (size_t)(end - port), &e.port, fault) || !path_take(url, end, e.path, fault))
        return false;
    *ep = e;
    return true;
}

void
endpoint_host_header(const struct endpoint *ep, char out[ENDPOINT_HOST_BYTES + 10])
{
    bool v6 = strchr(ep->host, ':') != NULL;
    int n = snprintf(out, ENDPOINT_HOST_BYTES + 10, v6 ? "[%s]" : "%s", ep->host);

    if (ep->port != (ep->tls ? 443 : 80))
        (void)snprintf(out + n, (size_t)(ENDPOINT_HOST_BYTES + 10 - n), ":%u", (unsigned)ep->port);
}
