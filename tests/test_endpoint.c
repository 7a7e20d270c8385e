/* Endpoint URLs: accepted, and refused with a reason. */
#include "engine/io/endpoint.h"
#include "tests/test.h"

static bool
parse(const char *url, struct endpoint *ep)
{
    struct fault fault = { "" };
    bool ok = endpoint_parse(url, ep, &fault);
    CHECK_EQ(ok, fault.text[0] == '\0');
    return ok;
}

static void
check(const char *url, bool tls, const char *host, unsigned port, const char *path, const char *header)
{
    struct endpoint ep;
    char h[ENDPOINT_HOST_BYTES + 10];
    CHECK(parse(url, &ep));
    CHECK_EQ(ep.tls, tls);
    CHECK_STR(ep.host, host);
    CHECK_EQ(ep.port, port);
    CHECK_STR(ep.path, path);
    endpoint_host_header(&ep, h);
    CHECK_STR(h, header);
}

TEST(endpoint_takes_names_addresses_ports_and_paths)
{
    check("wss://stream.binance.com:9443/ws", true, "stream.binance.com", 9443, "/ws", "stream.binance.com:9443");
    check("wss://host", true, "host", 443, "/", "host");
    check("ws://host", false, "host", 80, "/", "host");
    check("wss://host:443/a?b=c/d", true, "host", 443, "/a?b=c/d", "host");
    check("ws://127.0.0.1:8080/", false, "127.0.0.1", 8080, "/", "127.0.0.1:8080");
    check("wss://[::1]:9443/x", true, "::1", 9443, "/x", "[::1]:9443");
    check("wss://[fe80::1]", true, "fe80::1", 443, "/", "[fe80::1]");
    check("ws://h:65535", false, "h", 65535, "/", "h:65535");
}

TEST(endpoint_refuses_what_it_cannot_reach_safely)
{
    static const char *const bad[] = {
        "",
        "http://host/",
        "wss:/host",
        "wss://",
        "wss://:443/",
        "wss://host:/",
        "wss://host:0/",
        "wss://host:65536/",
        "wss://host:4a3/",
        "wss://host:0000443/",
        "wss://user@host/",
        "wss://user:pw@host/",
        "wss://ho st/",
        "wss://host/a b",
        "wss://host/a\r\nX: y",
        "wss://host/\x80",
        "wss://host/#fragment",
        "wss://host?x=1",
        "wss://[::1/",
        "wss://[host]/",
        "wss://[::1]x/",
        "wss://h\xc3\xb6st/",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct endpoint ep = { .port = 7 };
        CHECK(!parse(bad[i], &ep));
        CHECK_EQ(ep.port, 7); /* untouched */
    }
}

TEST(endpoint_takes_the_longest_host_and_path_and_not_one_more)
{
    char url[2000];
    struct endpoint ep;
    for (int extra = 0; extra < 2; extra++) {
        int n = snprintf(url, sizeof(url), "wss://");
        memset(url + n, 'h', ENDPOINT_HOST_BYTES - 1 + (size_t)extra);
        (void)snprintf(url + n + ENDPOINT_HOST_BYTES - 1 + extra, 10, "/");
        CHECK_EQ(parse(url, &ep), extra == 0);
        n = snprintf(url, sizeof(url), "wss://h/");
        memset(url + n, 'p', ENDPOINT_PATH_BYTES - 2 + (size_t)extra);
        url[n + ENDPOINT_PATH_BYTES - 2 + extra] = '\0';
        CHECK_EQ(parse(url, &ep), extra == 0);
    }
}

TEST_MAIN()
