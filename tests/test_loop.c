/* The loop over real loopback sockets, plain: bytes, ends, back-pressure, buffers used up, slots used again. */
#include "engine/io/loop.h"
#include "tests/test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CONNS 8u

struct seen {
    uint8_t *bytes;
    size_t len;
    size_t room;
    bool closed;
    enum loop_end end;
    int err;
    bool bytes_after_close;
};

static struct fixture {
    struct loop *loop;
    struct arena arena;
    struct seen seen[CONNS];
    uint64_t wakes;
    uint64_t last_token;
    int synced;
    int sync_res;
    uint64_t sync_token;
    size_t budget;
    int order[64]; /* connections in the order of their deliveries */
    int order_count;
    bool close_in_callback;
} f;

static struct loop_config
config(void)
{
    return (struct loop_config){
        .conn_max = CONNS,
        .recv_buffer_count = { 16, 16 },
        .recv_buffer_bytes = 4096,
        .send_buffer_bytes = 65536,
        .hold_messages = 100,
        .hold_bytes = 4096,
        .watch_max = 4,
        .bell_max = 4,
        .close_linger_ms = 2000,
    };
}

static void
on_bytes(void *ctx, uint32_t conn, const uint8_t *bytes, size_t len, mono_ns_t recv)
{
    (void)ctx;
    struct seen *s = &f.seen[conn];
    CHECK(len > 0 && recv.ns > 0);
    s->bytes_after_close |= s->closed;
    if (s->len + len > s->room) {
        s->room = (s->len + len) * 2;
        s->bytes = (uint8_t *)realloc(s->bytes, s->room);
    }
    memcpy(s->bytes + s->len, bytes, len);
    s->len += len;
    if (f.order_count < (int)ARRAY_LEN(f.order))
        f.order[f.order_count++] = (int)conn;
    if (f.close_in_callback)
        loop_close(f.loop, conn);
}

static void
on_closed(void *ctx, uint32_t conn, enum loop_end end, int err)
{
    (void)ctx;
    CHECK(!f.seen[conn].closed);
    CHECK(!loop_attached(f.loop, conn));
    f.seen[conn].closed = true;
    f.seen[conn].end = end;
    f.seen[conn].err = err;
}

static void
on_wake(void *ctx, uint64_t token)
{
    (void)ctx;
    f.wakes++;
    f.last_token = token;
}

static void
on_synced(void *ctx, uint64_t token, int res)
{
    (void)ctx;
    f.synced++;
    f.sync_token = token;
    f.sync_res = res;
}

static const struct loop_handler handler = { .on_bytes = on_bytes, .on_closed = on_closed };

static void
setup(const struct loop_config *cfg)
{
    struct fault fault;
    struct loop_events ev = { .on_wake = on_wake, .on_synced = on_synced };

    f = (struct fixture){ .budget = SIZE_MAX };
    f.arena.size = loop_footprint(cfg);
    f.arena.base = (uint8_t *)aligned_alloc(64, f.arena.size);
    f.loop = loop_init(cfg, &ev, &f.arena, &fault);
    if (f.loop == NULL)
        SKIP("%s\n", fault.text);
    arena_seal(&f.arena);
}

static void
teardown(void)
{
    loop_exit(f.loop);
    free(f.arena.base);
    for (uint32_t i = 0; i < CONNS; i++)
        free(f.seen[i].bytes);
}

static int64_t
mono(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static void
turn(void)
{
    struct now now = loop_now(f.loop);
    loop_reap(f.loop);
    (void)loop_deliver(f.loop, LOOP_ORDER, SIZE_MAX, &handler);
    (void)loop_deliver(f.loop, LOOP_MARKET, f.budget, &handler);
    (void)loop_submit(f.loop, NULL);
    loop_wait(f.loop, mono_after(now.mono, NS_PER_MS));
}

/* Turns until cond holds; a minute at most. */
#define RUN_UNTIL(cond)                          \
    do {                                         \
        int64_t end_ns = mono() + 60 * NS_PER_S; \
        while (!(cond) && mono() < end_ns)       \
            turn();                              \
        CHECK(cond);                             \
    } while (0)

/* A connected TCP pair: ours for the loop, the other for the test. */
static void
tcp_pair(int *ours, int *peer)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(a);
    int one = 1;
    int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(l >= 0 && bind(l, (struct sockaddr *)&a, len) == 0 && listen(l, 1) == 0);
    CHECK(getsockname(l, (struct sockaddr *)&a, &len) == 0);
    *ours = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(*ours >= 0 && connect(*ours, (struct sockaddr *)&a, len) == 0);
    *peer = accept4(l, NULL, NULL, SOCK_CLOEXEC);
    CHECK(*peer >= 0);
    (void)setsockopt(*ours, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void)setsockopt(*peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void)close(l);
}

static int
attach(uint32_t conn, enum loop_class class)
{
    int ours;
    int peer;
    tcp_pair(&ours, &peer);
    struct conn_handover h = { .fd = ours };
    loop_attach(f.loop, conn, class, &h);
    return peer;
}

static void
put(int fd, const void *bytes, size_t len)
{
    const uint8_t *p = (const uint8_t *)bytes;
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        CHECK(n > 0);
        p += n;
        len -= (size_t)n;
    }
}

static uint8_t
pattern(size_t i)
{
    return (uint8_t)(i * 2654435761u >> 13);
}

static void
send_text(uint32_t conn, const char *text, uint64_t cover)
{
    size_t n = strlen(text);
    uint8_t *p = loop_send_reserve(f.loop, conn, n);
    CHECK(p != NULL);
    memcpy(p, text, n);
    loop_send_commit(f.loop, conn, n, cover);
}

/* What the peer has to read right now. */
static size_t
get_some(int fd, char *buf, size_t room, int timeout_ms)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    if (poll(&p, 1, timeout_ms) <= 0)
        return 0;
    ssize_t n = read(fd, buf, room);
    return n > 0 ? (size_t)n : 0;
}

static unsigned
fd_count(void)
{
    unsigned n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) != -1;
    return n;
}

/* Both modes run the same behaviour. */
static void
exchange(bool busy, uint32_t skip)
{
    struct loop_config cfg = config();
    cfg.busy = busy;
    cfg.setup_skip = skip;
    setup(&cfg);
    int peer = attach(2, LOOP_ORDER);
    put(peer, "hello", 5);
    RUN_UNTIL(f.seen[2].len == 5);
    CHECK_MEM(f.seen[2].bytes, "hello", 5);
    send_text(2, "order ", 0);
    send_text(2, "two", 0);
    mono_ns_t sent = { 0 };
    CHECK(loop_submit(f.loop, &sent));
    CHECK(sent.ns > 0);
    char buf[64];
    CHECK_EQ(get_some(peer, buf, sizeof(buf), 10000), 9); /* both messages in one SEND */
    CHECK_MEM(buf, "order two", 9);
    CHECK_EQ(loop_stats(f.loop)->sends, 1);
    (void)close(peer);
    RUN_UNTIL(f.seen[2].closed);
    CHECK_EQ(f.seen[2].end, LOOP_END_PEER);
    CHECK_EQ(loop_stats(f.loop)->conns, 0);
    teardown();
}

TEST(loop_exchanges_bytes_and_sees_the_peers_end_in_block_mode)
{
    exchange(false, 0);
}

TEST(loop_exchanges_bytes_and_sees_the_peers_end_in_busy_mode)
{
    exchange(true, 0);
}

TEST(loop_works_with_the_set_up_flags_of_older_kernels)
{
    for (uint32_t skip = 1; skip < 4; skip++) {
        exchange(false, skip);
        exchange(true, skip);
    }
}

TEST(loop_puts_one_byte_segments_together_in_order)
{
    struct loop_config cfg = config();
    setup(&cfg);
    int peer = attach(0, LOOP_MARKET);
    uint8_t b[400];
    for (size_t i = 0; i < sizeof(b); i++) {
        b[i] = pattern(i);
        put(peer, &b[i], 1);
        turn();
    }
    RUN_UNTIL(f.seen[0].len == sizeof(b));
    CHECK_MEM(f.seen[0].bytes, b, sizeof(b));
    (void)close(peer);
    teardown();
}

TEST(loop_delivers_bytes_read_by_the_connector_before_those_of_the_socket)
{
    struct loop_config cfg = config();
    setup(&cfg);
    int ours;
    int peer;
    tcp_pair(&ours, &peer);
    put(peer, "socket", 6);
    struct conn_handover h = { .fd = ours, .plain = (const uint8_t *)"early ", .plain_bytes = 6 };
    loop_attach(f.loop, 1, LOOP_ORDER, &h);
    RUN_UNTIL(f.seen[1].len == 12);
    CHECK_MEM(f.seen[1].bytes, "early socket", 12);
    (void)close(peer);
    teardown();
}

TEST(loop_delivers_everything_before_the_end_even_when_the_peer_resets)
{
    struct loop_config cfg = config();
    cfg.recv_buffer_count[LOOP_MARKET] = 2;
    cfg.recv_buffer_bytes = 64;
    setup(&cfg);
    int peer = attach(0, LOOP_MARKET);
    turn();
    uint8_t b[3000];
    for (size_t i = 0; i < sizeof(b); i++)
        b[i] = pattern(i);
    put(peer, b, sizeof(b));
    (void)shutdown(peer, SHUT_WR);
    RUN_UNTIL(f.seen[0].closed);
    CHECK_EQ(f.seen[0].len, sizeof(b));
    CHECK_MEM(f.seen[0].bytes, b, sizeof(b));
    CHECK(!f.seen[0].bytes_after_close);
    CHECK_EQ(f.seen[0].end, LOOP_END_PEER);
    (void)close(peer);

    struct linger now = { .l_onoff = 1, .l_linger = 0 };
    peer = attach(1, LOOP_MARKET);
    put(peer, "last words", 10);
    RUN_UNTIL(f.seen[1].len == 10);
    (void)setsockopt(peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    (void)close(peer);
    RUN_UNTIL(f.seen[1].closed);
    CHECK_EQ(f.seen[1].end, LOOP_END_RECV);
    CHECK_EQ(f.seen[1].err, ECONNRESET);
    teardown();
}

TEST(loop_loses_nothing_when_receive_buffers_run_out)
{
    struct loop_config cfg = config();
    cfg.recv_buffer_count[LOOP_MARKET] = 2;
    cfg.recv_buffer_bytes = 128;
    setup(&cfg);
    f.budget = 100; /* one span per turn */
    int peer = attach(3, LOOP_MARKET);
    turn();
    static uint8_t b[60000];
    for (size_t i = 0; i < sizeof(b); i++)
        b[i] = pattern(i);
    put(peer, b, sizeof(b));
    RUN_UNTIL(f.seen[3].len == sizeof(b));
    CHECK_MEM(f.seen[3].bytes, b, sizeof(b));
    CHECK(loop_stats(f.loop)->enobufs > 0);
    CHECK(loop_stats(f.loop)->rearms > loop_stats(f.loop)->enobufs);
    (void)close(peer);
    teardown();
}

TEST(loop_serves_order_entry_while_market_data_has_used_up_its_buffers)
{
    struct loop_config cfg = config();
    cfg.recv_buffer_count[LOOP_MARKET] = 1;
    setup(&cfg);
    f.budget = 0; /* market data is not delivered at all */
    int md = attach(0, LOOP_MARKET);
    int oe = attach(1, LOOP_ORDER);
    static uint8_t b[20000];
    put(md, b, sizeof(b));
    for (int i = 0; i < 20; i++)
        turn();
    put(oe, "fill", 4);
    RUN_UNTIL(f.seen[1].len == 4);
    CHECK_EQ(f.seen[0].len, 0);
    f.budget = SIZE_MAX;
    RUN_UNTIL(f.seen[0].len == sizeof(b));
    (void)close(md);
    (void)close(oe);
    teardown();
}

TEST(loop_survives_a_completion_queue_that_overflows)
{
    struct loop_config cfg = config();
    cfg.cq_entries = 4;
    cfg.recv_buffer_count[LOOP_MARKET] = 64;
    cfg.recv_buffer_bytes = 64;
    setup(&cfg);
    int peer[CONNS];
    for (uint32_t i = 0; i < CONNS; i++)
        peer[i] = attach(i, LOOP_MARKET);
    uint8_t b[6400];
    for (size_t i = 0; i < sizeof(b); i++)
        b[i] = pattern(i);
    for (uint32_t i = 0; i < CONNS; i++)
        put(peer[i], b, sizeof(b));
    for (uint32_t i = 0; i < CONNS; i++) {
        RUN_UNTIL(f.seen[i].len == sizeof(b));
        CHECK_MEM(f.seen[i].bytes, b, sizeof(b));
        (void)close(peer[i]);
    }
    for (uint32_t i = 0; i < CONNS; i++)
        RUN_UNTIL(f.seen[i].closed);
    teardown();
}

struct drain {
    int fd;
    size_t want;
    size_t got;
    bool good;
};

static void *
drain_slowly(void *arg)
{
    struct drain *d = (struct drain *)arg;
    uint8_t buf[9000];
    d->good = true;
    while (d->got < d->want) {
        ssize_t n = read(d->fd, buf, sizeof(buf));
        if (n <= 0)
            break;
        for (ssize_t i = 0; i < n; i++)
            d->good &= buf[i] == pattern(d->got + (size_t)i);
        d->got += (size_t)n;
        if (d->got % 7 == 0)
            (void)usleep(200);
    }
    return NULL;
}

TEST(loop_keeps_the_order_of_many_megabytes_through_partial_sends)
{
    struct loop_config cfg = config();
    setup(&cfg);
    int ours;
    int small = 4096;
    struct drain d = { .want = 12u << 20 };
    tcp_pair(&ours, &d.fd);
    (void)setsockopt(ours, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    loop_attach(f.loop, 0, LOOP_ORDER, &(struct conn_handover){ .fd = ours });
    pthread_t t;
    CHECK(pthread_create(&t, NULL, drain_slowly, &d) == 0);
    size_t put_bytes = 0;
    int64_t give_up_ns = mono() + 90 * NS_PER_S;
    while (put_bytes < d.want && mono() < give_up_ns) {
        size_t n = MIN(d.want - put_bytes, 1 + put_bytes % 5000);
        uint8_t *p = loop_send_reserve(f.loop, 0, n);
        if (p == NULL) {
            turn();
            continue;
        }
        for (size_t i = 0; i < n; i++)
            p[i] = pattern(put_bytes + i);
        loop_send_commit(f.loop, 0, n, 0);
        put_bytes += n;
    }
    CHECK_EQ(put_bytes, d.want);
    loop_close(f.loop, 0); /* flushes what is committed */
    RUN_UNTIL(f.seen[0].closed);
    (void)pthread_join(t, NULL);
    CHECK_EQ(d.got, d.want);
    CHECK(d.good);
    CHECK_EQ(f.seen[0].end, LOOP_END_LOCAL);
    CHECK(loop_stats(f.loop)->sends_cut > 0);
    CHECK(loop_stats(f.loop)->no_room > 0);
    CHECK_EQ(loop_stats(f.loop)->send_bytes, d.want);
    (void)close(d.fd);
    teardown();
}

TEST(loop_reserve_takes_the_whole_buffer_and_not_one_byte_more)
{
    struct loop_config cfg = config();
    cfg.send_buffer_bytes = 1000;
    setup(&cfg);
    int peer = attach(0, LOOP_ORDER);
    CHECK(loop_send_reserve(f.loop, 0, 1001) == NULL);
    CHECK(loop_send_reserve(f.loop, 0, 1000) != NULL);
    loop_send_commit(f.loop, 0, 999, 0);
    CHECK(loop_send_reserve(f.loop, 0, 2) == NULL);
    CHECK(loop_send_reserve(f.loop, 0, 1) != NULL);
    (void)close(peer);
    teardown();
}

TEST(loop_holds_bytes_back_until_the_journal_covers_them)
{
    struct loop_config cfg = config();
    setup(&cfg);
    int peer = attach(0, LOOP_ORDER);
    char buf[64];
    send_text(0, "a", 0);
    send_text(0, "b", 10);
    send_text(0, "c", 10);
    send_text(0, "d", 11);
    turn();
    CHECK_EQ(get_some(peer, buf, sizeof(buf), 10000), 1);
    CHECK_EQ(buf[0], 'a');
    loop_cover(f.loop, 9);
    for (int i = 0; i < 5; i++)
        turn();
    CHECK_EQ(get_some(peer, buf, sizeof(buf), 0), 0);
    loop_cover(f.loop, 10);
    turn();
    CHECK_EQ(get_some(peer, buf, sizeof(buf), 10000), 2);
    CHECK_MEM(buf, "bc", 2);
    send_text(0, "e", 0); /* waits for nothing: past d */
    turn();
    CHECK_EQ(get_some(peer, buf, sizeof(buf), 10000), 1);
    CHECK_EQ(buf[0], 'e');
    loop_cover(f.loop, 12);
    turn();
    CHECK_EQ(get_some(peer, buf, sizeof(buf), 10000), 1);
    CHECK_EQ(buf[0], 'd');
    for (uint64_t seq = 20; seq < 120; seq++)
        send_text(0, "x", seq);
    loop_cover(f.loop, 118);
    turn();
    turn();
    size_t early = get_some(peer, buf, sizeof(buf), 100);
    CHECK(early <= 99);
    loop_cover(f.loop, 119);
    size_t got = early;
    while (got < 100) {
        turn();
        size_t n = get_some(peer, buf, sizeof(buf), 1000);
        got += n;
    }
    CHECK_EQ(got, 100);
    (void)close(peer);
    teardown();
}

TEST(loop_close_ends_within_the_linger_when_the_peer_does_not_read)
{
    struct loop_config cfg = config();
    cfg.close_linger_ms = 50;
    setup(&cfg);
    int peer = attach(0, LOOP_ORDER);
    for (int i = 0; i < 2000; i++) {
        uint8_t *p = loop_send_reserve(f.loop, 0, 60000);
        if (p != NULL) {
            memset(p, 1, 60000);
            loop_send_commit(f.loop, 0, 60000, 0);
        }
        (void)loop_now(f.loop);
        loop_reap(f.loop);
        (void)loop_submit(f.loop, NULL);
    }
    CHECK(loop_stats(f.loop)->no_room > 0);
    put(peer, "late", 4);
    loop_close(f.loop, 0);
    CHECK(loop_send_reserve(f.loop, 0, 1) == NULL);
    RUN_UNTIL(f.seen[0].closed);
    CHECK_EQ(f.seen[0].end, LOOP_END_LOCAL);
    CHECK_EQ(f.seen[0].len, 0); /* nothing is delivered after loop_close */
    (void)close(peer);
    teardown();
}

TEST(loop_close_from_within_a_delivery_stops_it)
{
    struct loop_config cfg = config();
    cfg.recv_buffer_bytes = 64;
    setup(&cfg);
    f.close_in_callback = true;
    int peer = attach(0, LOOP_ORDER);
    uint8_t b[640] = { 0 };
    put(peer, b, sizeof(b));
    RUN_UNTIL(f.seen[0].closed);
    CHECK_EQ(f.seen[0].len, 64);
    (void)close(peer);
    teardown();
}

TEST(loop_serves_a_bounded_batch_and_says_that_more_is_left)
{
    struct loop_config cfg = config();
    cfg.recv_buffer_bytes = 64;
    setup(&cfg);
    int peer = attach(0, LOOP_MARKET);
    (void)loop_submit(f.loop, NULL);
    uint8_t b[640] = { 0 };
    put(peer, b, sizeof(b));
    (void)loop_now(f.loop);
    loop_reap(f.loop);
    CHECK(loop_deliver(f.loop, LOOP_MARKET, 65, &handler));
    CHECK_EQ(f.seen[0].len, 128);
    CHECK(!loop_deliver(f.loop, LOOP_MARKET, 512, &handler));
    CHECK_EQ(f.seen[0].len, 640);
    (void)close(peer);
    teardown();
}

TEST(loop_reuses_slots_over_hundreds_of_connections_with_flat_descriptors)
{
    struct loop_config cfg = config();
    cfg.recv_buffer_count[LOOP_ORDER] = 4;
    setup(&cfg);
    unsigned fds = 0;
    for (int round = 0; round < 400; round++) {
        uint32_t conn = (uint32_t)round % 3;
        free(f.seen[conn].bytes);
        f.seen[conn] = (struct seen){ 0 };
        int peer = attach(conn, round % 2 == 0 ? LOOP_ORDER : LOOP_MARKET);
        send_text(conn, "ping", 0);
        put(peer, "pong", 4);
        if (round % 4 == 1)
            loop_close(f.loop, conn); /* completions of all kinds are still under way */
        else if (round % 4 == 2)
            (void)shutdown(peer, SHUT_WR);
        else
            RUN_UNTIL(f.seen[conn].len == 4);
        if (round % 4 == 3 || round % 4 == 0) {
            struct linger now = { .l_onoff = 1, .l_linger = 0 };
            (void)setsockopt(peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
            (void)close(peer);
            peer = -1;
        }
        RUN_UNTIL(f.seen[conn].closed);
        if (peer >= 0)
            (void)close(peer);
        if (round == 20)
            fds = fd_count();
    }
    CHECK_EQ(fd_count(), fds);
    CHECK_EQ(loop_stats(f.loop)->conns, 0);
    teardown();
}

static void *
ring_later(void *arg)
{
    int fd = *(int *)arg;
    uint64_t one = 1;
    for (int i = 0; i < 50; i++) {
        (void)usleep(500);
        put(fd, &one, 8);
    }
    return NULL;
}

TEST(loop_wakes_for_every_doorbell_and_never_after_unwatch)
{
    struct loop_config cfg = config();
    setup(&cfg);
    int fd = eventfd(0, EFD_CLOEXEC);
    int w = loop_watch_eventfd(f.loop, fd, 77);
    CHECK(w >= 0);
    for (uint64_t i = 1; i <= 20; i++) { /* one by one: none is lost */
        uint64_t one = 1;
        put(fd, &one, 8);
        RUN_UNTIL(f.wakes == i);
    }
    CHECK_EQ(f.last_token, 77);
    pthread_t t;
    CHECK(pthread_create(&t, NULL, ring_later, &fd) == 0);
    struct now now = loop_now(f.loop);
    loop_wait(f.loop, mono_after(now.mono, 30 * NS_PER_S)); /* the bell ends the sleep */
    CHECK(loop_now(f.loop).mono.ns - now.mono.ns < 20 * NS_PER_S);
    (void)pthread_join(t, NULL);
    RUN_UNTIL(f.wakes > 20);
    loop_unwatch(f.loop, w);
    uint64_t before = f.wakes;
    uint64_t one = 1;
    put(fd, &one, 8);
    for (int i = 0; i < 5; i++)
        turn();
    CHECK_EQ(f.wakes, before);
    for (int i = 0; i < 4; i++) /* the slot came back */
        CHECK(loop_watch_eventfd(f.loop, fd, 1) >= 0);
    CHECK_EQ(loop_watch_eventfd(f.loop, fd, 1), -1);
    (void)close(fd);
    teardown();
}

TEST(loop_rings_a_peers_doorbell_and_closes_it)
{
    struct loop_config cfg = config();
    setup(&cfg);
    unsigned fds = fd_count();
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int copy = dup(fd);
    int bell = loop_bell_open(f.loop, fd);
    for (int i = 0; i < 100; i++)
        loop_bell_ring(f.loop, bell); /* at most one is with the kernel */
    turn();
    turn();
    turn();
    uint64_t v = 0;
    CHECK_EQ(read(copy, &v, 8), 8);
    CHECK_EQ(v, 2);
    loop_bell_ring(f.loop, bell);
    loop_bell_close(f.loop, bell);
    for (int i = 0; i < 5; i++)
        turn();
    CHECK_EQ(read(copy, &v, 8), 8);
    CHECK_EQ(v, 1);
    (void)close(copy);
    CHECK_EQ(fd_count(), fds);
    for (int i = 0; i < 4; i++)
        CHECK(loop_bell_open(f.loop, 0) >= 0);
    CHECK_EQ(loop_bell_open(f.loop, 0), -1);
    teardown();
}

TEST(loop_closes_the_doorbell_of_a_peer_that_makes_no_room)
{
    struct loop_config cfg = config();
    setup(&cfg);
    int pair[2];
    char full[4096] = { 0 };
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    while (send(pair[0], full, sizeof(full), MSG_DONTWAIT) > 0)
        ;
    while (send(pair[0], full, 1, MSG_DONTWAIT) > 0)
        ;
    int bell = loop_bell_open(f.loop, pair[0]);
    loop_bell_ring(f.loop, bell);
    turn();
    loop_bell_close(f.loop, bell);
    RUN_UNTIL(fcntl(pair[0], F_GETFD) == -1);
    (void)close(pair[1]);
    teardown();
}

TEST(loop_syncs_a_file_and_reports_the_error_of_a_bad_one)
{
    struct loop_config cfg = config();
    setup(&cfg);
    char name[] = "/tmp/execgw-loop-XXXXXX";
    int fd = mkstemp(name);
    CHECK(fd >= 0);
    put(fd, "record", 6);
    CHECK(loop_fsync(f.loop, fd, 42));
    RUN_UNTIL(f.synced == 1);
    CHECK_EQ(f.sync_token, 42);
    CHECK_EQ(f.sync_res, 0);
    int event = eventfd(0, EFD_CLOEXEC);
    CHECK(loop_fsync(f.loop, event, 43));
    RUN_UNTIL(f.synced == 2);
    CHECK_EQ(f.sync_res, -EINVAL);
    for (int i = 0; i < 8; i++)
        CHECK(loop_fsync(f.loop, fd, 1));
    CHECK(!loop_fsync(f.loop, fd, 1));
    RUN_UNTIL(f.synced == 10);
    (void)unlink(name);
    (void)close(event);
    (void)close(fd);
    teardown();
}

TEST(loop_sleeps_until_its_deadline_and_no_longer)
{
    struct loop_config cfg = config();
    setup(&cfg);
    struct now now = loop_now(f.loop);
    loop_wait(f.loop, mono_after(now.mono, 30 * NS_PER_MS));
    CHECK(loop_now(f.loop).mono.ns - now.mono.ns >= 30 * NS_PER_MS);
    CHECK_EQ(loop_stats(f.loop)->sleeps, 1);
    loop_wait(f.loop, now.mono); /* passed */
    CHECK_EQ(loop_stats(f.loop)->sleeps, 1);
    teardown();
}

/* As in a container whose profile forbids io_uring. */
static void
forbid(uint32_t err)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | err),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog prog = { .len = ARRAY_LEN(code), .filter = code };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) != 0)
        _exit(3);
}

static int
start_forbidden(uint32_t err, const char *word)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct loop_config cfg = config();
        struct loop_events ev = { .on_wake = on_wake, .on_synced = on_synced };
        struct fault fault = { "" };
        struct arena arena = { .size = loop_footprint(&cfg) };
        arena.base = (uint8_t *)aligned_alloc(64, arena.size);
        forbid(err);
        bool refused = loop_init(&cfg, &ev, &arena, &fault) == NULL && strstr(fault.text, word) != NULL;
        if (!refused)
            (void)fprintf(stderr, "fault: %s\n", fault.text);
        _exit(refused ? 0 : 1);
    }
    int status = -1;
    CHECK(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(loop_init_names_the_cure_where_io_uring_is_forbidden)
{
    CHECK_EQ(start_forbidden(EPERM, "--security-opt seccomp="), 0);
    CHECK_EQ(start_forbidden(ENOSYS, "Linux 6.1"), 0);
    CHECK_EQ(start_forbidden(ENOMEM, "memlock"), 0);
}

TEST_MAIN()
