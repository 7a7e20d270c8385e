/* Echo: the round trip of 256 bytes over a loopback TCP connection, through the loop (receive, deliver, send), beside
 * the same with bare send() and recv(). What is left of any tick-to-trade when the gateway does nothing.
 *
 * `busy`: both sides spin, one core each. `block`: both sides sleep between messages. */
#include "bench/bench_net.h"
#include "engine/io/loop.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SETTLE 200u

struct echo {
    struct loop *loop;
    int64_t sent;
    bool back;
    size_t have;
    int fd; /* floor's */
};

static void
on_bytes(void *ctx, uint32_t conn, const uint8_t *bytes, size_t len, mono_ns_t recv)
{
    struct echo *e = (struct echo *)ctx;

    (void)conn;
    (void)bytes;
    (void)recv;
    e->have += len;
    e->back = e->have >= BENCH_ECHO_BYTES;
}

static void
on_closed(void *ctx, uint32_t conn, enum loop_end end, int err)
{
    (void)ctx;
    (void)conn;
    bench_die("echo: %s, errno %d", loop_end_text(end), err);
}

static void
loop_make(struct echo *e, bool busy, uint16_t port)
{
    const struct loop_config cfg = {
        .conn_max = 1,
        .recv_buffer_count = { 16, 1 },
        .recv_buffer_bytes = 4096,
        .send_buffer_bytes = 16384,
        .watch_max = 1,
        .bell_max = 1,
        .busy = busy,
    };
    const struct loop_events events = { .ctx = e };
    struct arena arena = { .size = loop_footprint(&cfg) };
    struct fault fault;

    arena.base = (uint8_t *)aligned_alloc(4096, (arena.size + 4095) & ~(size_t)4095);
    ASSERT(arena.base != NULL);
    e->loop = loop_init(&cfg, &events, &arena, &fault);
    if (e->loop == NULL)
        bench_die("echo: %s", fault.text);
    struct conn_handover h = { .fd = bench_connect(port) };
    loop_attach(e->loop, 0, LOOP_ORDER, &h);
}

static double
loop_trip(struct echo *e)
{
    const struct loop_handler handler = { .ctx = e, .on_bytes = on_bytes, .on_closed = on_closed };
    int64_t start = bench_now();
    uint8_t *room = loop_send_reserve(e->loop, 0, BENCH_ECHO_BYTES);

    ASSERT(room != NULL);
    memset(room, 'x', BENCH_ECHO_BYTES);
    loop_send_commit(e->loop, 0, BENCH_ECHO_BYTES, 0);
    e->back = false;
    e->have = 0;
    (void)loop_submit(e->loop, NULL);
    while (!e->back) {
        loop_wait(e->loop, MONO_NEVER);
        (void)loop_now(e->loop);
        loop_reap(e->loop);
        (void)loop_deliver(e->loop, LOOP_ORDER, SIZE_MAX, &handler);
        if (!e->back)
            (void)loop_submit(e->loop, NULL);
    }
    return (double)(bench_now() - start);
}

static double
floor_trip(const struct echo *e, bool busy)
{
    uint8_t buf[BENCH_ECHO_BYTES];
    size_t have = 0;
    int64_t start = bench_now();

    memset(buf, 'x', sizeof(buf));
    if (send(e->fd, buf, sizeof(buf), MSG_NOSIGNAL) != (ssize_t)sizeof(buf))
        bench_die("echo: send: %s", strerror(errno));
    while (have < sizeof(buf)) {
        ssize_t n = recv(e->fd, buf + have, sizeof(buf) - have, busy ? MSG_DONTWAIT : 0);
        if (n > 0)
            have += (size_t)n;
        else if (n == 0 || errno != EAGAIN)
            bench_die("echo: the server hung up");
    }
    return (double)(bench_now() - start);
}

struct side {
    struct bench_server server;
    struct echo echo;
    struct bench_series *series;
    bool ours;
};

/* The server is there for its own rounds only: a second one that spins would take the core. */
static void
round_of(struct side *s, bool busy, double seconds)
{
    s->server = bench_server_start(NULL, false, busy ? bench_serve_spin : bench_serve_echo, NULL);
    if (s->ours)
        loop_make(&s->echo, busy, s->server.port);
    else
        s->echo.fd = bench_connect(s->server.port);
    bench_round(s->series);
    int64_t end = bench_now() + (int64_t)(seconds * 1e9);
    for (unsigned i = 0; i < SETTLE; i++)
        (void)(s->ours ? loop_trip(&s->echo) : floor_trip(&s->echo, busy));
    do {
        bench_sample(s->series, s->ours ? loop_trip(&s->echo) : floor_trip(&s->echo, busy));
        s->series->n++;
    } while (bench_now() < end);
    if (s->ours)
        loop_exit(s->echo.loop);
    else
        (void)close(s->echo.fd);
    bench_end(s->server.pid);
}

void
bench_echo(struct bench_run *b)
{
    unsigned rounds = bench_rounds(b, 9);
    double each = bench_seconds(b, 2) / rounds;

    bench_pin(BENCH_CORE_OURS);
    for (unsigned block = 0; block < 2; block++) {
        const char *name = block != 0 ? "block" : "busy";
        char floor[BENCH_NAME_BYTES];
        char key[BENCH_KEY_BYTES];
        (void)snprintf(floor, sizeof(floor), "%s-floor", name);
        struct side side[2] = { { .series = bench_series_add(&b->results, "echo", floor) },
                                { .series = bench_series_add(&b->results, "echo", name), .ours = true } };
        (void)snprintf(side[0].series->note, BENCH_NOTE_BYTES, "send() and recv()");
        (void)snprintf(side[1].series->note, BENCH_NOTE_BYTES, "through the loop, %u bytes and back", BENCH_ECHO_BYTES);
        bench_progress("echo: %s, %u rounds of %.2f s each", name, rounds, each);
        for (unsigned r = 0; r < rounds; r++) {
            round_of(&side[0], block == 0, each);
            round_of(&side[1], block == 0, each);
        }
        (void)snprintf(key, sizeof(key), "echo.%s.p50.vs_floor", name);
        bench_ratio_add(&b->results, key, side[1].series, side[0].series, 0.5, 0);
    }
}
