/* ws_handshake: the client's request and its check of the answer; the server's half. */
#include "feed/ws_handshake.h"
#include "tests/guard.h"
#include "tests/test.h"

/* RFC 6455 section 1.3: key dGhlIHNhbXBsZSBub25jZQ==. */
static const uint8_t nonce[WS_NONCE_BYTES + 1] = "the sample nonce";
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define GOOD                                                                                                         \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT \
    "\r\n\r\n"

TEST(accept_key_is_that_of_the_rfc)
{
    char out[WS_ACCEPT_TEXT];
    ws_accept_key("dGhlIHNhbXBsZSBub25jZQ==", out);
    CHECK_STR(out, ACCEPT);
}

TEST(request_carries_host_path_key_and_extra_lines)
{
    char buf[512];
    size_t n = ws_handshake_request(buf, sizeof(buf), "stream.binance.com:9443", "/stream?a=b", nonce,
                                    "User-Agent: execgw\r\n");
    buf[n] = '\0';
    CHECK_STR(buf, "GET /stream?a=b HTTP/1.1\r\nHost: stream.binance.com:9443\r\nUpgrade: websocket\r\n"
                   "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                   "Sec-WebSocket-Version: 13\r\nUser-Agent: execgw\r\n\r\n");
    CHECK_EQ(
        ws_handshake_request(buf, n + 1, "stream.binance.com:9443", "/stream?a=b", nonce, "User-Agent: execgw\r\n"), n);
    CHECK_EQ(ws_handshake_request(buf, n, "stream.binance.com:9443", "/stream?a=b", nonce, "User-Agent: execgw\r\n"),
             0);
}

TEST(request_refuses_what_could_end_a_header_line)
{
    char buf[512];
    CHECK_EQ(ws_handshake_request(buf, sizeof(buf), "a\r\nX: y", "/", nonce, NULL), 0);
    CHECK_EQ(ws_handshake_request(buf, sizeof(buf), "a b", "/", nonce, NULL), 0);
    CHECK_EQ(ws_handshake_request(buf, sizeof(buf), "", "/", nonce, NULL), 0);
    CHECK_EQ(ws_handshake_request(buf, sizeof(buf), "a", "/x y", nonce, NULL), 0);
    CHECK_EQ(ws_handshake_request(buf, sizeof(buf), "a", "x", nonce, NULL), 0);
}

TEST(good_answer_is_accepted_and_every_shorter_one_needs_more)
{
    struct guard g = guard_open(4096);
    struct fault fault;
    size_t n = strlen(GOOD);
    for (size_t i = 0; i < n; i++)
        CHECK_EQ(ws_handshake_check(guard_copy(&g, GOOD, i), i, nonce, &fault), 0);
    CHECK_EQ(ws_handshake_check(guard_copy(&g, GOOD, n), n, nonce, &fault), n);
    CHECK_EQ(ws_handshake_check((const uint8_t *)GOOD "\x81\x02hi", n + 4, nonce, &fault), n);
    guard_close(&g);
}

TEST(field_names_words_and_lists_are_read_as_http_says)
{
    static const char answer[] =
        "HTTP/1.1 101\r\nupgrade:WebSocket\r\nCONNECTION: keep-alive , UPGRADE\r\nsec-websocket-accept:   " ACCEPT
        "  \r\nSec-WebSocket-Extensions:\r\nServer: x\r\n\r\n";
    struct fault fault;
    CHECK_EQ(ws_handshake_check((const uint8_t *)answer, strlen(answer), nonce, &fault), strlen(answer));
}

static const struct {
    const char *answer;
    const char *names; /* what the sentence must say */
} refused[] = {
    { "HTTP/1.1 301 Moved Permanently\r\nLocation: https://elsewhere/\r\n\r\n", "redirected to https://elsewhere/" },
    { "HTTP/1.1 403 Forbidden\r\n\r\n", "403 Forbidden" },
    { "HTTP/1.1 200 OK\r\n\r\n", "expected status 101" },
    { "HTTP/1.0 101 Old\r\n\r\n", "HTTP/1.1 101" },
    { "HTTP/1.1 1011\r\n\r\n", "HTTP/1.1 101" },
    { "ICY 200 OK\r\n\r\n", "begins" },
    { "\r\n\r\n", "begins" },
    { "HTTP/1.1 101 x\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n", "Upgrade is" },
    { "HTTP/1.1 101 x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n", "h2c" },
    { "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n", "Connection is" },
    { "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: close\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n",
      "close" },
    { "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "Accept" },
    { "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n", "Accept" },
    { "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT
      "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
      "permessage-deflate" },
    { "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT
      "\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
      "chat" },
    { "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nUpgrade: websocket\r\n\r\n", "twice" },
    { "HTTP/1.1 101 x\r\nno colon here\r\n\r\n", "no colon here" },
    { "HTTP/1.1 101 x\r\nUpgrade : websocket\r\n\r\n", "name: value" },
    { "HTTP/1.1 101 x\r\n folded: line\r\n\r\n", "name: value" },
    { "HTTP/1.1 101 x\nUpgrade: websocket\n\n", "carriage return" },
    { "HTTP/1.1 101 x\rUpgrade: websocket\r\n\r\n", "carriage return" },
    { "HTTP/1.1 101 \x01\r\n\r\n", "control character" },
};

TEST(any_other_answer_is_refused_with_a_sentence_that_names_it)
{
    struct guard g = guard_open(4096);
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct fault fault = { "" };
        size_t n = strlen(refused[i].answer);
        CHECK_EQ(ws_handshake_check(guard_copy(&g, refused[i].answer, n), n, nonce, &fault), -1);
        if (strstr(fault.text, refused[i].names) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", fault.text, refused[i].names);
        for (size_t cut = 0; cut < n; cut++)
            CHECK(ws_handshake_check(guard_copy(&g, refused[i].answer, cut), cut, nonce, &fault) <= 0);
    }
    guard_close(&g);
}

TEST(header_at_the_size_limit_is_read_and_one_beyond_is_refused)
{
    static char buf[WS_HANDSHAKE_MAX + 2];
    struct fault fault;
    size_t fixed = strlen(GOOD) + strlen("X: \r\n");
    for (unsigned over = 0; over < 2; over++) {
        size_t filler = WS_HANDSHAKE_MAX - fixed + over;
        int n = snprintf(buf, sizeof(buf), "HTTP/1.1 101 Switching Protocols\r\nX: ");
        memset(buf + n, 'x', filler);
        (void)snprintf(buf + n + filler, sizeof(buf) - (size_t)n - filler,
                       "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n");
        CHECK_EQ(strlen(buf), WS_HANDSHAKE_MAX + over);
        CHECK_EQ(ws_handshake_check((const uint8_t *)buf, strlen(buf), nonce, &fault), over ? -1 : WS_HANDSHAKE_MAX);
    }
    CHECK(strstr(fault.text, "longer than") != NULL);
    memset(buf, 'x', sizeof(buf));
    CHECK_EQ(ws_handshake_check((const uint8_t *)buf, WS_HANDSHAKE_MAX - 1, nonce, &fault), 0);
    CHECK_EQ(ws_handshake_check((const uint8_t *)buf, WS_HANDSHAKE_MAX, nonce, &fault), -1);
}

TEST(server_reads_a_request_and_its_answer_passes_the_check)
{
    char request[512];
    char answer[512];
    char key[WS_KEY_TEXT];
    char path[16];
    struct fault fault;
    size_t n = ws_handshake_request(request, sizeof(request), "localhost", "/ws/btcusdt@trade", nonce, NULL);
    for (size_t i = 0; i < n; i++)
        CHECK_EQ(ws_handshake_accept((const uint8_t *)request, i, key, path, sizeof(path), &fault), 0);
    CHECK_EQ(ws_handshake_accept((const uint8_t *)request, n, key, path, sizeof(path), &fault), n);
    CHECK_STR(key, "dGhlIHNhbXBsZSBub25jZQ==");
    CHECK_STR(path, "/ws/btcusdt@tra"); /* cut to its room */
    size_t m = ws_handshake_response(answer, sizeof(answer), key);
    CHECK_EQ(ws_handshake_check((const uint8_t *)answer, m, nonce, &fault), m);
}

TEST(server_refuses_what_is_no_upgrade)
{
    static const char *const bad[] = {
        "POST /x HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /x HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\n\r\n",
        "GET /x HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: short\r\n\r\n",
    };
    char key[WS_KEY_TEXT];
    char path[16];
    struct fault fault;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_EQ(ws_handshake_accept((const uint8_t *)bad[i], strlen(bad[i]), key, path, sizeof(path), &fault), -1);
}

static uint32_t
quiet(const char *answer)
{
    return ws_handshake_quiet_s((const uint8_t *)answer, strlen(answer));
}

TEST(ws_handshake_says_how_long_a_refusal_wants_silence)
{
    CHECK_EQ(quiet("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 17\r\n\r\n"), 17);
    CHECK_EQ(quiet("HTTP/1.1 418 I'm a teapot\r\nServer: x\r\nretry-after:3600\r\n\r\nbody"), 3600);
    CHECK_EQ(quiet("HTTP/1.1 429 Too Many Requests\r\n\r\n"), 60);
    CHECK_EQ(quiet("HTTP/1.1 429\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n\r\n"), 60);
    CHECK_EQ(quiet("HTTP/1.1 429\r\nRetry-After: 604801\r\n\r\n"), 604800);
    CHECK_EQ(quiet("HTTP/1.1 429\r\nRetry-After: 99999999999999999999\r\n\r\n"), 60);
    CHECK_EQ(quiet("HTTP/1.1 403 Forbidden\r\nRetry-After: 17\r\n\r\n"), 0);
    CHECK_EQ(quiet("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 17\r\n"), 0); /* not whole */
    CHECK_EQ(quiet(""), 0);
}

TEST_MAIN()
