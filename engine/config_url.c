/* Addresses in the configuration: ws:// and http:// URLs, ADDRESS:PORT. See config.h. */
#include "engine/config.h"

#include <ctype.h>

bool
config_url_parse(const char *url, struct config_url *out)
{
    static const char ws[] = "ws://";
    static const char wss[] = "wss://";
    struct config_url u = { 0 };

    if (strncmp(url, wss, sizeof(wss) - 1) == 0) {
        u.tls = true;
        url += sizeof(wss) - 1;
    } else if (strncmp(url, ws, sizeof(ws) - 1) == 0) {
        url += sizeof(ws) - 1;
    } else {
        return false;
    }
    u.port = u.tls ? 443 : 80;
    size_t n = strcspn(url, "/?#");
    const char *path = url + n;
    size_t host;
    if (*url == '[') {
        const char *close = memchr(url, ']', n);
        if (close == NULL)
            return false;
        url++;
        n--;
        host = (size_t)(close - url);
        if (close[1] != ':' && close + 1 != path)
            return false;
    } else {
        const char *colon = memchr(url, ':', n);
        host = colon != NULL ? (size_t)(colon - url) : n;
    }
    const char *port = url + host + (url[host] == ']');
    if (port < path && *port == ':') {
        int64_t number = 0;
        size_t digits = (size_t)(path - port - 1);
        for (size_t i = 1; i <= digits; i++) {
            if (!isdigit((unsigned char)port[i]) || digits > 5)
                return false;
            number = number * 10 + (port[i] - '0');
        }
        if (number < 1 || number > 65535)
            return false;
        u.port = (uint16_t)number;
    }
    if (host == 0 || host >= sizeof(u.host) || strlen(path) + 1 >= sizeof(u.path) || strpbrk(path, "# \"\\") != NULL)
        return false;
    for (size_t i = 0; i < host; i++)
        if (!isalnum((unsigned char)url[i]) && strchr(".-:_", url[i]) == NULL)
            return false;
    memcpy(u.host, url, host);
    (void)snprintf(u.path, sizeof(u.path), "%s%s", *path == '/' ? "" : "/", path);
    *out = u;
    return true;
}

bool
config_http_url_parse(const char *url, struct config_url *out)
{
    char ws[CONFIG_PATH_BYTES + 8];

    if (strncmp(url, "http", 4) != 0)
        return false;
    (void)snprintf(ws, sizeof(ws), "ws%.*s", CONFIG_PATH_BYTES, url + 4);
    return config_url_parse(ws, out);
}

bool
config_listen_parse(const char *s, char *host, size_t room, long *port)
{
    const char *colon = strrchr(s, ':');
    char *end;

    if (colon == NULL || colon == s || !isdigit((unsigned char)colon[1]) || strlen(colon + 1) > 5)
        return false;
    *port = strtol(colon + 1, &end, 10);
    if (*end != '\0' || *port > 65535)
        return false;
    size_t n = (size_t)(colon - s);
    if (*s == '[') {
        if (s[n - 1] != ']' || n < 3)
            return false;
        s++;
        n -= 2;
    } else if (memchr(s, ':', n) != NULL) {
        return false;
    }
    if (n >= room)
        return false;
    memcpy(host, s, n);
    host[n] = '\0';
    return true;
}
