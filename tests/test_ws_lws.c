/* The second transport's edges: what its ring of requests holds, and names that are slow to resolve. */
#include "engine/transport_lws.h"
#include "tests/test.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 60000

/* ---- a resolver of our own: "slow.test" waits for the gate, "venue.test" is loopback ---- */

static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_opened = PTHREAD_COND_INITIALIZER;
static bool gate_open;
static _Atomic int at_gate;

static void
gate(bool open)
{
    (void)pthread_mutex_lock(&gate_lock);
    gate_open = open;
    (void)pthread_cond_broadcast(&gate_opened);
    (void)pthread_mutex_unlock(&gate_lock);
}

int
getaddrinfo(const char *restrict name, const char *restrict service, const struct addrinfo *restrict hints,
            struct addrinfo **restrict list)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
    bool numeric = hints != NULL && (hints->ai_flags & AI_NUMERICHOST) != 0;

    memcpy(&real, &symbol, sizeof(real));
    if (name != NULL && !numeric && strcmp(name, "slow.test") == 0) {
        atomic_fetch_add(&at_gate, 1);
        (void)pthread_mutex_lock(&gate_lock);
        while (!gate_open)
            (void)pthread_cond_wait(&gate_opened, &gate_lock);
        (void)pthread_mutex_unlock(&gate_lock);
        atomic_fetch_sub(&at_gate, 1);
        return EAI_AGAIN;
    }
    if (name != NULL && !numeric && strcmp(name, "venue.test") == 0)
        name = "127.0.0.1";
    return real(name, service, hints, list);
}

/* ---- fixture ---- */

static struct fixture {
    struct ws_lws_config cfg;
    struct arena arena;
    struct ws_lws *lws;
    struct transport_lws transport;
    uint32_t downs;
    uint32_t down_conn;
    char why[300];
} f;

static void
use(uint32_t conn, const char *url)
{
    struct fault fault;

    f.cfg.conn[conn].used = true;
    CHECK(endpoint_parse(url, &f.cfg.conn[conn].endpoint, &fault));
}

static void
setup(bool start)
{
    struct fault fault;

    f.cfg.pieces = WS_LWS_PIECES_MIN;
    f.cfg.connect_timeout_s = 10;
    f.arena.size = ws_lws_footprint(&f.cfg);
    f.arena.base = (uint8_t *)aligned_alloc(4096, (f.arena.size + 4095) & ~(size_t)4095);
    CHECK(f.arena.base != NULL);
    memset(f.arena.base, 0, f.arena.size);
    f.lws = ws_lws_init(&f.cfg, &f.arena, &fault);
    CHECK(f.lws != NULL);
    if (start)
        CHECK(ws_lws_start(f.lws, &fault));
    transport_lws_init(&f.transport, f.lws, &f.cfg);
}

static void
teardown(void)
{
    ws_lws_stop(f.lws);
    free(f.arena.base);
    memset(&f, 0, sizeof(f));
}

static void
on_up(void *ctx, uint32_t conn)
{
    (void)ctx;
    (void)conn;
}

static void
on_bytes(void *ctx, uint32_t conn, const uint8_t *bytes, size_t len, mono_ns_t recv)
{
    (void)ctx;
    (void)conn;
    (void)bytes;
    (void)len;
    (void)recv;
}

static void
on_down(void *ctx, uint32_t conn, const char *why)
{
    (void)ctx;
    f.downs++;
    f.down_conn = conn;
    (void)snprintf(f.why, sizeof(f.why), "%s", why);
}

static void
ring_bell(void)
{
    const uint64_t one = 1;

    if (ws_lws_wake_needed(f.lws))
        CHECK(write(ws_lws_request_fd(f.lws), &one, sizeof(one)) == sizeof(one));
}

/* Until one more connection is down; false when none is within WAIT_MS. */
static bool
another_down(void)
{
    static const struct transport_handler handler = { .on_up = on_up, .on_bytes = on_bytes, .on_down = on_down };
    uint32_t before = f.downs;

    for (int waited = 0; waited < WAIT_MS && f.downs == before; waited += 10) {
        ring_bell();
        (void)transport_lws_deliver(&f.transport, 1, &handler);
        if (f.downs == before)
            (void)poll(NULL, 0, 10);
    }
    return f.downs == before + 1;
}

/* ---- the ring of requests ---- */

static void
all_fit(uint32_t conns)
{
    static const uint8_t data[] = "{}";
    uint32_t sends = 0;

    for (uint32_t i = 0; i < conns; i++)
        use(i, "ws://127.0.0.1:1/");
    setup(false); /* no thread: nothing of the ring is taken */
    while (ws_lws_send_room(f.lws)) {
        CHECK(ws_lws_send(f.lws, 0, 1, WS_OP_TEXT, data, 2));
        sends++;
    }
    CHECK(sends >= 64);
    CHECK(!ws_lws_send(f.lws, 0, 1, WS_OP_TEXT, data, 2));
    for (uint32_t i = 0; i < conns; i++) {
        CHECK(ws_lws_close(f.lws, i, 1)); /* crossed a DOWN */
        CHECK(ws_lws_open(f.lws, i, 2));
        CHECK(ws_lws_close(f.lws, i, 2));
    }
    CHECK(!ws_lws_open(f.lws, 0, 3)); /* more than can ever be asked for: refused, and no more */
    CHECK(!ws_lws_close(f.lws, 0, 3));
    teardown();
}

TEST(behind_all_sends_every_connection_is_closed_opened_and_closed)
{
    all_fit(1);
    all_fit(24);
}

TEST(all_132_connections_fit_beside_the_sends)
{
    all_fit(WS_LWS_CONNS);
}

TEST(a_full_ring_leaves_no_room_to_reserve_and_closes_still)
{
    uint32_t frames = 0;
    uint8_t *room;

    use(0, "ws://127.0.0.1:1/");
    setup(false);
    transport_lws_open(&f.transport, 0);
    f.transport.up[0] = true;
    while ((room = transport_lws_reserve(&f.transport, 0, 16)) != NULL) {
        uint32_t mask = 7;
        uint8_t text[WS_HEADER_ROOM + 2] = { 0 };
        struct ws_frame frame = ws_encode(text, WS_HEADER_ROOM, 2, WS_OP_TEXT, &mask);
        memcpy(room, frame.data, frame.len);
        transport_lws_commit(&f.transport, 0, frame.len);
        CHECK(++frames < 100000);
    }
    CHECK(frames >= 64);
    for (int i = 0; i < 1000; i++) /* only the first one asks */
        transport_lws_close(&f.transport, 0);
    transport_lws_open(&f.transport, 0);
    transport_lws_close(&f.transport, 0);
    teardown();
}

/* ---- names ---- */

TEST(a_resolver_that_does_not_answer_holds_up_its_own_connection_alone)
{
    use(0, "ws://slow.test:9/");
    use(1, "ws://127.0.0.1:1/");
    gate(false);
    setup(true);
    transport_lws_open(&f.transport, 0);
    ring_bell();
    for (int i = 0; i < WAIT_MS && atomic_load(&at_gate) == 0; i++)
        (void)poll(NULL, 0, 1);
    transport_lws_open(&f.transport, 1);
    bool down = another_down();
    uint32_t conn = f.down_conn;
    bool looking = atomic_load(&at_gate) == 1;
    transport_lws_close(&f.transport, 0);
    bool closed = down && another_down(); /* and may be given up */
    gate(true);
    CHECK(down && looking && closed);
    CHECK_EQ(conn, 1);
    CHECK_EQ(f.down_conn, 0);
    CHECK(strcmp(f.why, "closed by us") == 0);
    teardown();
}

TEST(a_name_without_an_address_says_so)
{
    use(0, "ws://slow.test:9/");
    gate(true);
    setup(true);
    transport_lws_open(&f.transport, 0);
    CHECK(another_down());
    CHECK(strstr(f.why, "slow.test: the name cannot be resolved: ") != NULL);
    teardown();
}

TEST(the_address_is_connected_to_and_the_name_is_asked_for)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    char url[64];
    char host[64];
    char head[2048] = "";
    static const char no[] = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(bind(listener, (const struct sockaddr *)&at, len) == 0 && listen(listener, 4) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&at, &len) == 0);
    (void)snprintf(url, sizeof(url), "ws://venue.test:%u/stream", (unsigned)ntohs(at.sin_port));
    (void)snprintf(host, sizeof(host), "Host: venue.test:%u\r\n", (unsigned)ntohs(at.sin_port));
    use(0, url);
    setup(true);
    transport_lws_open(&f.transport, 0);
    ring_bell();
    struct pollfd p = { .fd = listener, .events = POLLIN };
    CHECK(poll(&p, 1, WAIT_MS) == 1);
    int fd = accept(listener, NULL, NULL);
    for (size_t n = 0; strstr(head, "\r\n\r\n") == NULL;) {
        ssize_t got = recv(fd, head + n, sizeof(head) - 1 - n, 0);
        CHECK(got > 0);
        n += (size_t)got;
    }
    CHECK(strstr(head, host) != NULL);
    CHECK(send(fd, no, sizeof(no) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(no) - 1);
    CHECK(another_down());
    CHECK(strstr(f.why, "venue.test: the upgrade was refused: HTTP 403") != NULL);
    (void)close(fd);
    (void)close(listener);
    teardown();
}

TEST_MAIN()
