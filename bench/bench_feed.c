/* Feed: all CPU (user and system, of the receiving process) per 180-byte WebSocket text message, while a sender gives
 * as many as are taken.
 *
 * Each measurement is a process of its own that connects to a sender of its own: `floor` reads the same bytes by
 * io_uring and drops them, ours is the whole gateway (bench_rig: frame, UTF-8 check, decode, book, top-of-book table,
 * broadcast ring, md_ref), `lws` hands out libwebsockets' frames and counts them, `lws-new` is the same program built
 * against a newer libwebsockets. They take turns, and each lasts long enough for the kernel's sampling of CPU time. */
#include "bench/bench_lws.h"
#include "bench/bench_net.h"
#include "bench/bench_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define BUFFERS      256u
#define BUFFER_BYTES 16384u
#define WARM_SHARE   0.1

/* ---- what a receiver measures ---- */

struct window {
    double seconds;
    int64_t start; /* end of the warm-up */
    int64_t end;
    bool open;
    uint64_t before; /* messages */
    struct bench_cpu cpu;
};

static void
window_begin(struct window *w, double seconds)
{
    int64_t now = bench_now();

    *w = (struct window){ .seconds = seconds };
    w->start = now + (int64_t)(seconds * WARM_SHARE * 1e9);
    w->end = w->start + (int64_t)(seconds * 1e9);
}

/* True when the measurement is over; then its line is written. */
static bool
window_look(struct window *w, uint64_t messages)
{
    int64_t now = bench_now();

    if (now < w->start)
        return false;
    if (!w->open) {
        w->open = true;
        w->start = now;
        w->before = messages;
        w->cpu = bench_cpu_now();
        return false;
    }
    if (now < w->end)
        return false;
    struct bench_cpu cpu = bench_cpu_now();
    (void)printf("%llu %lld %lld %lld\n", (unsigned long long)(messages - w->before),
                 (long long)(cpu.user_ns - w->cpu.user_ns), (long long)(cpu.system_ns - w->cpu.system_ns),
                 (long long)(now - w->start));
    return true;
}

/* ---- floor ---- */

static void
floor_arm(struct io_uring *ring, int fd)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

    io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = 0;
}

static void
floor_receive(uint16_t port, double seconds)
{
    struct io_uring ring;
    struct io_uring_params params = { .flags =
                                          IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
                                      .cq_entries = 4 * BUFFERS };
    size_t ring_bytes = BUFFERS * sizeof(struct io_uring_buf);
    struct io_uring_buf_ring *br = (struct io_uring_buf_ring *)aligned_alloc(4096, (ring_bytes + 4095) & ~4095u);
    uint8_t *memory = (uint8_t *)aligned_alloc(4096, (size_t)BUFFERS * BUFFER_BYTES);
    struct io_uring_buf_reg reg = { .ring_addr = (uint64_t)(uintptr_t)br, .ring_entries = BUFFERS };
    uint64_t bytes = 0;
    struct window w;
    int fd = bench_connect_ws(port);

    ASSERT(br != NULL && memory != NULL);
    memset(memory, 0, (size_t)BUFFERS * BUFFER_BYTES);
    int rc = io_uring_queue_init_params(64, &ring, &params);
    if (rc < 0)
        bench_die("floor: io_uring: %s", strerror(-rc));
    io_uring_buf_ring_init(br);
    rc = io_uring_register_buf_ring(&ring, &reg, 0);
    if (rc < 0)
        bench_die("floor: buffer ring: %s", strerror(-rc));
    for (unsigned i = 0; i < BUFFERS; i++)
        io_uring_buf_ring_add(br, memory + (size_t)i * BUFFER_BYTES, BUFFER_BYTES, (unsigned short)i,
                              io_uring_buf_ring_mask(BUFFERS), (int)i);
    io_uring_buf_ring_advance(br, BUFFERS);
    floor_arm(&ring, fd);
    window_begin(&w, seconds);
    do {
        struct io_uring_cqe *cqe;
        unsigned head;
        unsigned seen = 0;
        int back = 0;
        (void)io_uring_submit_and_wait(&ring, 1);
        io_uring_for_each_cqe(&ring, head, cqe)
        {
            seen++;
            if (cqe->res > 0) {
                unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
                bytes += (uint64_t)cqe->res;
                io_uring_buf_ring_add(br, memory + (size_t)id * BUFFER_BYTES, BUFFER_BYTES, (unsigned short)id,
                                      io_uring_buf_ring_mask(BUFFERS), back++);
            } else if (cqe->res == 0) {
                bench_die("floor: the sender hung up");
            }
            if (!(cqe->flags & IORING_CQE_F_MORE))
                floor_arm(&ring, fd);
        }
        io_uring_buf_ring_advance(br, back);
        io_uring_cq_advance(&ring, seen);
    } while (!window_look(&w, bytes / BENCH_FRAME_LEN));
}

/* ---- ours ---- */

static void
ours_receive(uint16_t port, const char *dir, bool tls, double seconds)
{
    static struct bench_rig r;
    const struct rig_config cfg = { .tls = tls, .dir = dir, .market = true, .wide = true, .port = port };
    const struct feed_counters *c;
    struct window w;

    rig_start(&r, &cfg);
    c = feed_counters(r.feed);
    uint64_t events = c->events;
    uint64_t messages = c->ticker;
    window_begin(&w, seconds);
    do {
        (void)rig_turn(&r, NULL);
        rig_sleep(&r);
    } while (!window_look(&w, c->ticker));
    /* Every message must have been a new top of book, published: else this measured something cheaper. */
    if (c->ticker - messages != c->events - events || c->decode[DECODE_OK] < c->ticker || c->duplicates > 0)
        bench_die("feed: %llu messages made %llu events, %llu were duplicates",
                  (unsigned long long)(c->ticker - messages), (unsigned long long)(c->events - events),
                  (unsigned long long)c->duplicates);
}

/* ---- lws ---- */

static void
lws_receive(uint16_t port, const char *ca, double seconds)
{
    char text[2][16];
    char *argv[] = { "execgw-bench", text[0], text[1], (char *)(uintptr_t)ca, NULL };

    (void)snprintf(text[0], sizeof(text[0]), "%u", port);
    (void)snprintf(text[1], sizeof(text[1]), "%.3f", seconds);
    if (bench_lws_main(ca != NULL ? 4 : 3, argv) != 0)
        bench_die("lws: no measurement");
}

/* KIND PORT SECONDS DIR TLS */
int
bench_receiver_main(int argc, char **argv)
{
    char ca[600];

    if (argc != 5)
        return EXIT_USAGE;
    const char *kind = argv[0];
    uint16_t port = (uint16_t)strtoul(argv[1], NULL, 10);
    double seconds = strtod(argv[2], NULL);
    bool tls = strcmp(argv[4], "tls") == 0;
    (void)snprintf(ca, sizeof(ca), "%s/ca.pem", argv[3]);
    bench_pin(BENCH_CORE_OURS);
    if (strcmp(kind, "floor") == 0)
        floor_receive(port, seconds);
    else if (strcmp(kind, "lws") == 0)
        lws_receive(port, tls ? ca : NULL, seconds);
    else
        ours_receive(port, argv[3], tls, seconds);
    (void)fflush(stdout);
    _exit(0); /* connections and threads end with the process */
}

/* ---- the bench ---- */

struct figures {
    double messages;
    double user_ns;
    double system_ns;
    double wall_ns;
};

enum receiver { FLOOR, OURS, LWS, LWS_NEW, RECEIVERS };
static const char *const receiver_name[RECEIVERS] = { "floor", "", "lws", "lws-new" };

static pid_t
receiver_spawn(const struct bench_run *b, enum receiver which, uint16_t port, bool tls, double seconds, int out)
{
    char port_text[16];
    char seconds_text[16];
    char ca[600];
    char *own[] = { "/proc/self/exe",
                    "--receiver",
                    (char *)(uintptr_t)(which == OURS ? "ours" : receiver_name[which]),
                    port_text,
                    seconds_text,
                    (char *)(uintptr_t)b->opt.tmp,
                    tls ? "tls" : "plain",
                    NULL };
    char *peer[] = { (char *)(uintptr_t)b->opt.peer, port_text, seconds_text, tls ? ca : NULL, NULL };
    char **argv = which == LWS_NEW ? peer : own;
    posix_spawn_file_actions_t actions;
    pid_t pid;

    (void)snprintf(port_text, sizeof(port_text), "%u", port);
    (void)snprintf(seconds_text, sizeof(seconds_text), "%.3f", seconds);
    (void)snprintf(ca, sizeof(ca), "%s/ca.pem", b->opt.tmp);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    int rc = posix_spawn(&pid, argv[0], &actions, NULL, argv, environ);
    if (rc != 0)
        bench_die("%s cannot be started: %s", argv[0], strerror(rc));
    (void)posix_spawn_file_actions_destroy(&actions);
    return pid;
}

/* A receiver's line: four numbers. */
static bool
figures_read(const char *line, struct figures *f)
{
    double *const to[] = { &f->messages, &f->user_ns, &f->system_ns, &f->wall_ns };
    char *end = NULL;

    for (size_t i = 0; i < ARRAY_LEN(to); i++) {
        *to[i] = strtod(line, &end);
        if (end == line)
            return false;
        line = end;
    }
    return f->messages >= 1 && f->wall_ns > 0;
}

static struct figures
measure(const struct bench_run *b, enum receiver which, bool tls, double seconds)
{
    struct bench_server sender = bench_server_start(tls ? b->opt.tmp : NULL, true, bench_serve_feed, NULL);
    struct figures f;
    char line[128];
    size_t have = 0;
    ssize_t n;
    int fds[2];
    int status = 1;

    if (pipe2(fds, O_CLOEXEC) != 0)
        bench_die("pipe: %s", strerror(errno));
    pid_t pid = receiver_spawn(b, which, sender.port, tls, seconds, fds[1]);
    (void)close(fds[1]);
    while ((n = read(fds[0], line + have, sizeof(line) - 1 - have)) > 0)
        have += (size_t)n;
    line[have] = '\0';
    (void)close(fds[0]);
    (void)waitpid(pid, &status, 0);
    bench_end(sender.pid);
    if (status != 0 || !figures_read(line, &f))
        bench_die("feed: receiver '%s' did not measure anything", which == OURS ? "ours" : receiver_name[which]);
    return f;
}

static void
record(struct bench_series *s, const struct figures *f)
{
    bench_round(s);
    bench_sample(s, (f->user_ns + f->system_ns) / f->messages);
    s->n += (uint64_t)f->messages;
    s->seconds += f->wall_ns / 1e9;
    /* The two parts are those of all rounds together; their sum is close to the median, not equal. */
    double share = f->messages / (double)s->n;
    s->user_ns += share * (f->user_ns / f->messages - s->user_ns);
    s->system_ns += share * (f->system_ns / f->messages - s->system_ns);
    s->cpu = true;
}

static void
turns(struct bench_run *b, const char *name, bool tls)
{
    struct bench_series *s[RECEIVERS] = { NULL };
    unsigned rounds = bench_rounds(b, 5);
    double seconds = bench_seconds(b, 10);
    char key[BENCH_KEY_BYTES];

    for (unsigned w = 0; w < RECEIVERS; w++) {
        char full[BENCH_NAME_BYTES];
        if ((w == LWS_NEW && b->opt.peer == NULL) || (w == FLOOR && tls))
            continue;
        (void)snprintf(full, sizeof(full), "%s%s%s", name, w == OURS ? "" : "-", receiver_name[w]);
        s[w] = bench_series_add(&b->results, "feed", full);
        (void)snprintf(s[w]->note, BENCH_NOTE_BYTES, "CPU per message");
    }
    for (unsigned r = 0; r < rounds; r++) {
        for (unsigned w = 0; w < RECEIVERS; w++) {
            if (s[w] == NULL)
                continue;
            struct figures f = measure(b, (enum receiver)w, tls, seconds);
            record(s[w], &f);
            bench_progress("feed: round %u of %u, %-18s %7.1f ns CPU per message, %9.0f a second", r + 1, rounds,
                           s[w]->name, (f.user_ns + f.system_ns) / f.messages, f.messages * 1e9 / f.wall_ns);
        }
    }
    (void)snprintf(key, sizeof(key), "feed.%s.cpu.vs_floor", name);
    bench_ratio_add(&b->results, key, s[OURS], s[FLOOR], 0.5, 3);
    (void)snprintf(key, sizeof(key), "feed.%s.cpu.vs_lws", name);
    bench_ratio_add(&b->results, key, s[OURS], s[LWS], 0.5, tls ? 0.35 : 0.25);
    (void)snprintf(key, sizeof(key), "feed.%s.cpu.vs_lws_new", name);
    bench_ratio_add(&b->results, key, s[OURS], s[LWS_NEW], 0.5, 0);
}

void
bench_feed(struct bench_run *b)
{
    bench_pki(b->opt.tmp);
    bench_pin(BENCH_CORE_OURS); /* receivers inherit it; senders pin themselves to the other core */
    turns(b, "plain180", false);
    turns(b, "tls180", true);
}
