/* ws_client [--listen] [--lws] URL: the gateway's own way to a WebSocket (connector, io_uring loop, codec) with an echo
 * behind it, for servers that are not ours to judge.
 *
 * Reads one path per line, connects to URL/path, echoes until the connection has ended and prints "path: how it ended".
 * --listen echoes nothing and prints how many messages came and a digest of them. --lws goes through libwebsockets, the
 * gateway's other transport, and only listens. A path that begins with "drive/" makes it the one that speaks: it sends
 * messages of many sizes and pings, and checks that each comes back; then it closes with 1000. */
#include "engine/io/connector.h"
#include "engine/io/loop.h"
#include "engine/transport_lws.h"
#include "feed/ws_handshake.h"
#include "tests/conformance/ws_echo.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX (16u << 20)
#define SEND_ROOM   (MESSAGE_MAX * 2)
#define CASE_MAX_S  120

static struct client {
    struct loop *loop;
    struct connector *connector;
    struct tls_context tls;
    int bell;
    struct ws_echo echo;
    bool up; /* --lws */
    bool ended;
    char how[320];
    /* drive/ */
    bool driving;
    unsigned step;
    uint8_t *message;
    /* --listen */
    bool listening;
    struct transport_lws *lws; /* NULL: the loop */
    uint64_t messages;
    uint64_t digest;
} c;

static const struct {
    size_t bytes;
    uint8_t opcode;
} drive_step[] = {
    { 0, WS_OP_TEXT },    { 0, WS_OP_BINARY },      { 0, WS_OP_PING },          { 125, WS_OP_PING },
    { 1, WS_OP_TEXT },    { 125, WS_OP_TEXT },      { 126, WS_OP_TEXT },        { 127, WS_OP_BINARY },
    { 4096, WS_OP_TEXT }, { 65535, WS_OP_BINARY },  { 65536, WS_OP_TEXT },      { 65537, WS_OP_BINARY },
    { 1300, WS_OP_TEXT }, { 1u << 18, WS_OP_TEXT }, { 1u << 20, WS_OP_BINARY }, { 1u << 22, WS_OP_TEXT },
    { 31, WS_OP_PING },   { 1u << 24, WS_OP_TEXT }, { 997, WS_OP_BINARY },
};

static void
die(const char *what)
{
    (void)fprintf(stderr, "ws_client: %s\n", what);
    exit(1);
}

static void
send_frame(void *ctx, uint8_t opcode, const uint8_t *data, size_t len)
{
    static uint32_t key = 0x9E3779B9;
    uint8_t *room = loop_send_reserve(c.loop, 0, len + WS_HEADER_ROOM);

    (void)ctx;
    if (room == NULL && opcode == WS_OP_CLOSE)
        return; /* the server hung up right behind its own close */
    if (room == NULL)
        die("no room to send");
    if (len > 0)
        memmove(room + WS_HEADER_ROOM, data, len);
    key = key * 1664525u + 1013904223u;
    struct ws_frame f = ws_encode(room, WS_HEADER_ROOM, len, opcode, &key);
    memmove(room, f.data, f.len);
    loop_send_commit(c.loop, 0, f.len, 0);
}

/* FNV-1a over kind, length and bytes of every message. */
static void
digest(uint8_t opcode, const uint8_t *data, size_t len)
{
    uint64_t h = c.digest;

    h = (h ^ opcode) * UINT64_C(0x100000001B3);
    h = (h ^ len) * UINT64_C(0x100000001B3);
    for (size_t i = 0; i < len; i++)
        h = (h ^ data[i]) * UINT64_C(0x100000001B3);
    c.digest = h;
    c.messages++;
}

/* --listen: what would be an echo is only counted. */
static void
listen_message(void *ctx, uint8_t opcode, const uint8_t *data, size_t len)
{
    if (opcode == WS_OP_TEXT || opcode == WS_OP_BINARY)
        digest(opcode, data, len);
    else if (c.lws == NULL) /* libwebsockets answers pings and closes by itself */
        send_frame(ctx, opcode, data, len);
}

/* ---- drive ---- */

static void
drive_next(void)
{
    if (c.step == ARRAY_LEN(drive_step)) {
        ws_echo_close(&c.echo, WS_CLOSE_NORMAL);
        return;
    }
    for (size_t i = 0; i < drive_step[c.step].bytes; i++)
        c.message[i] = (uint8_t)(drive_step[c.step].opcode == WS_OP_TEXT ? 'a' + (i + c.step) % 26 : i * 31 + c.step);
    send_frame(NULL, drive_step[c.step].opcode, c.message, drive_step[c.step].bytes);
}

/* What would be an echo is the answer to the step. */
static void
drive_answer(void *ctx, uint8_t opcode, const uint8_t *data, size_t len)
{
    if (opcode == WS_OP_CLOSE || opcode == WS_OP_PONG) { /* the server's own close and pings */
        send_frame(ctx, opcode, data, len);
        return;
    }
    if (c.step >= ARRAY_LEN(drive_step) || opcode != drive_step[c.step].opcode || len != drive_step[c.step].bytes ||
        (len > 0 && memcmp(data, c.message, len) != 0))
        die("an echo is not what was sent");
    c.step++;
    drive_next();
}

static void
drive_pong(const struct ws_message *m)
{
    if (c.step < ARRAY_LEN(drive_step) && drive_step[c.step].opcode == WS_OP_PING)
        drive_answer(NULL, WS_OP_PING, m->data, m->len);
}

static void
drive_bytes(const uint8_t *bytes, size_t len)
{
    while (len > 0 && !c.echo.over) {
        struct ws_message m;
        size_t used = 0;
        switch (ws_read(&c.echo.reader, bytes, len, &used, &m)) {
        case WS_MORE: break;
        case WS_PONG: drive_pong(&m); break;
        case WS_MESSAGE: drive_answer(NULL, m.opcode, m.data, m.len); break;
        case WS_PING: send_frame(NULL, WS_OP_PONG, m.data, m.len); break;
        case WS_CLOSE:
        case WS_FAIL: die(m.reason != NULL ? m.reason : "the server closed"); break;
        }
        bytes += used;
        len -= used;
    }
}

/* ---- the loop ---- */

static void
on_bytes(void *ctx, uint32_t conn, const uint8_t *bytes, size_t len, mono_ns_t recv)
{
    (void)ctx;
    (void)conn;
    (void)recv;
    if (c.driving)
        drive_bytes(bytes, len);
    else
        ws_echo_bytes(&c.echo, bytes, len);
}

static void
on_closed(void *ctx, uint32_t conn, enum loop_end end, int err)
{
    (void)ctx;
    (void)conn;
    if (c.driving && c.step < ARRAY_LEN(drive_step))
        die("the server hung up before everything was echoed");
    (void)snprintf(c.how, sizeof(c.how), "%s%s", loop_end_text(end), err != 0 ? " (error)" : "");
    c.ended = true;
}

static void
on_down(void *ctx, uint32_t conn, const char *why)
{
    (void)ctx;
    (void)conn;
    (void)snprintf(c.how, sizeof(c.how), "%s%s", c.up ? "" : "refused: ", why);
    c.ended = true;
}

static void
on_up(void *ctx, uint32_t conn)
{
    (void)ctx;
    (void)conn;
    c.up = true;
}

static void
on_wake(void *ctx, uint64_t token)
{
    (void)ctx;
    (void)token;
}

static size_t
upgrade_request(void *ctx, const char *host, const char *path, const uint8_t nonce[UPGRADE_NONCE_BYTES], uint8_t *buf,
                size_t room)
{
    (void)ctx;
    return ws_handshake_request((char *)buf, room, host, path, nonce, NULL);
}

static int
upgrade_check(void *ctx, const uint8_t nonce[UPGRADE_NONCE_BYTES], const uint8_t *buf, size_t len, struct fault *fault)
{
    (void)ctx;
    return ws_handshake_check(buf, len, nonce, fault);
}

static void
make(void)
{
    static const struct loop_config loop = {
        .conn_max = 1,
        .recv_buffer_count = { 1, 16 },
        .recv_buffer_bytes = 65536,
        .send_buffer_bytes = SEND_ROOM,
        .watch_max = 1,
        .bell_max = 1,
        .close_linger_ms = 1000,
    };
    static const struct loop_events events = { .on_wake = on_wake };
    const struct connector_config connector = { .conn_max = 1,
                                                .upgrade = { .request = upgrade_request, .response = upgrade_check } };
    struct arena arena = { .size = loop_footprint(&loop) + connector_footprint(&connector) + 4096 };
    struct fault fault;

    arena.base = (uint8_t *)aligned_alloc(4096, (arena.size + 4095) & ~(size_t)4095);
    ASSERT(arena.base != NULL);
    c.loop = loop_init(&loop, &events, &arena, &fault);
    if (c.loop == NULL)
        die(fault.text);
    c.connector = connector_init(&connector, &arena, &fault);
    if (c.connector == NULL || !connector_start(c.connector, &fault))
        die(fault.text);
    ASSERT(loop_watch_eventfd(c.loop, connector_result_fd(c.connector), 1) >= 0);
    c.bell = loop_bell_open(c.loop, connector_request_fd(c.connector));
    c.echo.reader.buffer = (uint8_t *)malloc(MESSAGE_MAX);
    c.message = (uint8_t *)malloc(MESSAGE_MAX);
    ASSERT(c.echo.reader.buffer != NULL && c.message != NULL);
}

static void
turn(mono_ns_t until)
{
    static const struct loop_handler handler = { .on_bytes = on_bytes, .on_closed = on_closed };
    struct connect_result r;

    struct now now = loop_now(c.loop);
    if (now.mono.ns >= until.ns)
        die("a connection takes too long");
    loop_reap(c.loop);
    if (connector_result(c.connector, &r)) {
        if (r.ok) {
            loop_attach(c.loop, 0, LOOP_MARKET, &r.handover);
            if (c.driving)
                drive_next();
        } else {
            (void)snprintf(c.how, sizeof(c.how), "refused: %s", r.fault.text);
            c.ended = true;
        }
    }
    bool more = loop_deliver(c.loop, LOOP_MARKET, SIZE_MAX, &handler);
    (void)loop_submit(c.loop, NULL);
    if (!more && !c.ended && connector_core_sleep(c.connector))
        loop_wait(c.loop, until);
    connector_core_awake(c.connector);
}

/* The same over libwebsockets: a context for each, as its address is part of its configuration. */
static void
visit_lws(const struct endpoint *ep)
{
    static const struct transport_handler handler = { .on_up = on_up, .on_bytes = on_bytes, .on_down = on_down };
    struct ws_lws_config cfg = { .pieces = 1024, .connect_timeout_s = 10 };
    struct fault fault;
    struct arena arena;

    cfg.conn[0].used = true;
    cfg.conn[0].endpoint = *ep;
    arena = (struct arena){ .size = ws_lws_footprint(&cfg) };
    arena.base = (uint8_t *)aligned_alloc(4096, (arena.size + 4095) & ~(size_t)4095);
    ASSERT(arena.base != NULL);
    struct ws_lws *w = ws_lws_init(&cfg, &arena, &fault);
    if (w == NULL || !ws_lws_start(w, &fault))
        die(fault.text);
    transport_lws_init(c.lws, w, &cfg);
    transport_lws_open(c.lws, 0);
    while (!c.ended) {
        uint64_t one = 1;
        if (ws_lws_wake_needed(w) && write(ws_lws_request_fd(w), &one, sizeof(one)) < 0)
            die("eventfd");
        struct pollfd fd = { .fd = ws_lws_result_fd(w), .events = POLLIN };
        if (ws_lws_core_sleep(w) && poll(&fd, 1, CASE_MAX_S * 1000) == 0)
            die("a connection takes too long");
        if (fd.revents != 0 && read(fd.fd, &one, sizeof(one)) < 0)
            die("eventfd");
        ws_lws_core_awake(w);
        (void)transport_lws_deliver(c.lws, 65536, &handler);
    }
    ws_lws_stop(w);
    free(arena.base);
}

static void
visit(const char *url, const char *path)
{
    struct connect_request rq = { .kind = CONNECT_OPEN, .generation = 1, .deadline_ms = 10000 };
    char whole[ENDPOINT_PATH_BYTES];
    struct fault fault;

    (void)snprintf(whole, sizeof(whole), "%s/%s", url, path);
    if (!endpoint_parse(whole, &rq.endpoint, &fault))
        die(fault.text);
    ws_reader_init(&c.echo.reader, WS_CLIENT, c.echo.reader.buffer, MESSAGE_MAX);
    c.echo.send = c.listening || c.lws != NULL ? listen_message : send_frame;
    c.messages = 0;
    c.digest = UINT64_C(0xCBF29CE484222325);
    c.echo.over = false;
    c.up = false;
    c.ended = false;
    c.step = 0;
    c.driving = strncmp(path, "drive/", 6) == 0;
    if (c.lws != NULL) {
        visit_lws(&rq.endpoint);
    } else {
        mono_ns_t until = mono_after(loop_now(c.loop).mono, CASE_MAX_S * NS_PER_S);
        ASSERT(connector_request(c.connector, &rq));
        if (connector_wake_needed(c.connector))
            loop_bell_ring(c.loop, c.bell);
        while (!c.ended)
            turn(until);
    }
    if (c.listening)
        (void)printf("%s: %llu %016llx\n", path, (unsigned long long)c.messages, (unsigned long long)c.digest);
    else
        (void)printf("%s: %s\n", path, c.how);
    (void)fflush(stdout);
}

int
main(int argc, char **argv)
{
    char path[512];

    static struct transport_lws lws;
    int at = 1;

    if (at < argc && strcmp(argv[at], "--listen") == 0) {
        c.listening = true;
        at++;
    }
    if (at < argc && strcmp(argv[at], "--lws") == 0) {
        c.lws = &lws;
        at++;
    }
    if (at + 1 != argc) {
        (void)fprintf(stderr, "usage: ws_client [--listen] [--lws] ws://HOST:PORT < PATHS\n");
        return 64;
    }
    make();
    while (fgets(path, sizeof(path), stdin) != NULL) {
        path[strcspn(path, "\n")] = '\0';
        visit(argv[at], path);
    }
    connector_stop(c.connector);
    loop_exit(c.loop);
    return 0;
}
