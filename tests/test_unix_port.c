/* Unix port: admission over a real socket, by real processes. The core's side is played by the test: it polls events
 * and releases. Descriptor rules (seals, read-only) are checked in the client's own process. */
#include "engine/io/shared_map.h"
#include "engine/io/unix_port.h"
#include "execgw/ring.h"
#include "tests/test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 20000 /* bound of every wait; a pass never takes it */

static struct {
    char dir[64];
    char path[96];
    struct shared_map market;
    struct shared_map metrics;
    int doorbell;
    _Atomic int64_t refused;
    struct unix_port *port;
} fx;

static const struct unix_port_strategy strategies[] = {
    { .name = "alpha", .client = 0, .on_disconnect = ON_DISCONNECT_NOTHING },
    { .name = "beta", .client = 1 },
    { .name = "desk", .client = 2, .operator_role = true },
};

static struct unix_port_config
config(void)
{
    return (struct unix_port_config){
        .path = fx.path,
        .sessions_max = 3,
        .command_capacity = 8,
        .report_capacity = 8,
        .hello_timeout_ms = WAIT_MS,
        .strategies = strategies,
        .strategy_count = ARRAY_LEN(strategies),
        .market_fd = fx.market.fd,
        .market_bytes = fx.market.bytes,
        .metrics_fd = fx.metrics.fd,
        .metrics_bytes = fx.metrics.bytes,
        .refused = &fx.refused,
        .doorbell_fd = fx.doorbell,
    };
}

static void
world_open(void)
{
    struct fault fault;
    memset(&fx, 0, sizeof(fx));
    (void)snprintf(fx.dir, sizeof(fx.dir), "/tmp/execgw-test-XXXXXX");
    CHECK(mkdtemp(fx.dir) != NULL);
    (void)snprintf(fx.path, sizeof(fx.path), "%s/s.sock", fx.dir);
    CHECK(shared_map_publish(&fx.market, "test-market", 10000, &fault));
    CHECK(shared_map_publish(&fx.metrics, "test-metrics", 100, &fault));
    fx.doorbell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

static void
world_close(void)
{
    char lock[128];
    if (fx.port != NULL)
        unix_port_stop(fx.port);
    (void)snprintf(lock, sizeof(lock), "%s.lock", fx.path);
    (void)unlink(fx.path);
    (void)unlink(lock);
    CHECK_EQ(rmdir(fx.dir), 0);
    shared_map_close(&fx.market);
    shared_map_close(&fx.metrics);
    (void)close(fx.doorbell);
}

static void
start(const struct unix_port_config *cfg)
{
    struct fault fault;
    fx.port = unix_port_start(cfg, &fault);
    if (fx.port == NULL)
        print_error("%s\n", fault.text);
    CHECK(fx.port != NULL);
}

/* The core: sleep on the doorbell until the next event. */
static struct unix_port_event
next_event(void)
{
    struct unix_port_event ev = { .kind = 99 };
    for (int turn = 0; turn < 1000; turn++) {
        if (unix_port_poll(fx.port, &ev))
            return ev;
        if (unix_port_sleep(fx.port)) {
            struct pollfd p = { .fd = fx.doorbell, .events = POLLIN };
            eventfd_t n;
            CHECK_EQ(poll(&p, 1, WAIT_MS), 1);
            (void)eventfd_read(fx.doorbell, &n);
        }
        unix_port_awake(fx.port);
    }
    CHECK(false);
    return ev;
}

static int
dial(void)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    struct timeval limit = { .tv_sec = WAIT_MS / 1000 };
    (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", fx.path);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    CHECK(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return fd;
}

static struct hello
hello_of(const char *name, uint8_t role)
{
    struct hello h = { .magic = ADMISSION_MAGIC, .version = MESSAGE_VERSION, .role = role };
    (void)snprintf(h.strategy, sizeof(h.strategy), "%s", name);
    return h;
}

/* Receive a welcome and its descriptors; how many came. */
static int
hear(int fd, struct welcome *w, int fds[ADMISSION_FD_COUNT])
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * ADMISSION_FD_COUNT)];
    struct iovec iov = { .iov_base = w, .iov_len = sizeof(*w) };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
    ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
    if (n < 0 && errno == ECONNRESET) /* it hung up before it read our hello; its welcome is still there */
        n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
    CHECK_EQ(n, sizeof(*w));
    CHECK(w->magic == ADMISSION_MAGIC);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (c == NULL)
        return 0;
    memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
    return (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
}

/* Say a hello of any bytes and return the status of the answer; an admitted connection stays open in *fd. */
static enum admission_status
say(const void *bytes, size_t n, int *fd, struct welcome *w)
{
    int fds[ADMISSION_FD_COUNT];
    *fd = dial();
    (void)send(*fd, bytes, n, MSG_NOSIGNAL);
    int count = hear(*fd, w, fds);
    for (int i = 0; i < count; i++)
        (void)close(fds[i]);
    CHECK_EQ(count, w->status == ADMISSION_OK ? ADMISSION_FD_COUNT : 0);
    if (w->status != ADMISSION_OK) {
        char byte;
        CHECK(w->text[0] != '\0');
        CHECK_EQ(recv(*fd, &byte, 1, 0), 0); /* hung up on */
        (void)close(*fd);
    }
    return (enum admission_status)w->status;
}

static enum admission_status
say_hello(const char *name, uint8_t role, int *fd, struct welcome *w)
{
    struct hello h = hello_of(name, role);
    return say(&h, sizeof(h), fd, w);
}

TEST(an_admitted_client_and_the_core_share_sealed_memory)
{
    world_open();
    struct unix_port_config cfg = config();
    start(&cfg);
    struct stat st;
    CHECK_EQ(stat(fx.path, &st), 0);
    CHECK_EQ(st.st_mode & 0777, 0600);

    int fds[ADMISSION_FD_COUNT];
    struct welcome w;
    struct hello h = hello_of("beta", ROLE_STRATEGY);
    int fd = dial();
    CHECK_EQ(send(fd, &h, sizeof(h), 0), sizeof(h));
    CHECK_EQ(hear(fd, &w, fds), ADMISSION_FD_COUNT);
    CHECK_EQ(w.status, ADMISSION_OK);
    CHECK_EQ(w.client, 1);
    CHECK_EQ(w.role, ROLE_STRATEGY);
    CHECK_EQ(w.on_disconnect, ON_DISCONNECT_CANCEL); /* configured: default */
    CHECK_EQ(w.gateway_pid, getpid());
    struct unix_port_event ev = next_event();
    CHECK_EQ(ev.kind, UNIX_PORT_ATTACHED);
    CHECK_EQ(ev.slot, w.slot);
    CHECK_EQ(ev.client, 1);
    CHECK_EQ(ev.pid, getpid());
    CHECK_EQ(ev.uid, geteuid());
    CHECK_STR(ev.name, "beta");
    CHECK_EQ(ev.bytes, w.session_bytes);
    for (size_t i = 0; i < ev.bytes; i++)
        CHECK_EQ(((uint8_t *)ev.mem)[i], 0);

    uint8_t *mine = mmap(NULL, w.session_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fds[ADMISSION_FD_SESSION], 0);
    CHECK(mine != MAP_FAILED);
    mine[w.report_offset] = 42;
    CHECK_EQ(((uint8_t *)ev.mem)[session_report_offset(8)], 42);
    CHECK_EQ(ftruncate(fds[ADMISSION_FD_SESSION], 0), -1);
    CHECK_EQ(errno, EPERM);
    (void)munmap(mine, w.session_bytes);

    const int readers[] = { ADMISSION_FD_MARKET, ADMISSION_FD_METRICS };
    const struct shared_map *maps[] = { &fx.market, &fx.metrics };
    for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
        int r = fds[readers[i]];
        char proc[64];
        *(uint8_t *)maps[i]->mem = 7; /* our own mapping stays writable */
        uint8_t *seen = mmap(NULL, maps[i]->bytes, PROT_READ, MAP_SHARED, r, 0);
        CHECK(seen != MAP_FAILED);
        CHECK_EQ(*seen, 7);
        CHECK_EQ(mprotect(seen, maps[i]->bytes, PROT_READ | PROT_WRITE), -1);
        (void)munmap(seen, maps[i]->bytes);
        CHECK(mmap(NULL, maps[i]->bytes, PROT_WRITE, MAP_SHARED, r, 0) == MAP_FAILED);
        (void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", r);
        int again = open(proc, O_RDWR | O_CLOEXEC); /* allowed to the same user; the seal holds */
        if (again >= 0) {
            CHECK(mmap(NULL, maps[i]->bytes, PROT_WRITE, MAP_SHARED, again, 0) == MAP_FAILED);
            CHECK_EQ(write(again, "x", 1), -1);
            CHECK_EQ(errno, EPERM);
            (void)close(again);
        }
    }
    unix_port_ring(ev.socket_fd);
    char byte;
    CHECK_EQ(recv(fd, &byte, 1, 0), 1);
    for (int i = 0; i < ADMISSION_FD_COUNT; i++)
        (void)close(fds[i]);
    (void)close(fd);
    (void)close(ev.socket_fd);
    (void)close(ev.doorbell_fd);
    ev = next_event();
    CHECK_EQ(ev.kind, UNIX_PORT_DETACHED);
    unix_port_release(fx.port, ev.slot, ev.generation);
    unix_port_wake(fx.port);
    world_close();
}

TEST(identity_and_policy_come_from_the_configuration)
{
    world_open();
    struct unix_port_config cfg = config();
    start(&cfg);
    struct welcome w;
    int fd[3];
    CHECK_EQ(say_hello("alpha", ROLE_STRATEGY, &fd[0], &w), ADMISSION_OK);
    CHECK_EQ(w.client, 0);
    CHECK_EQ(w.on_disconnect, ON_DISCONNECT_NOTHING);
    CHECK_EQ(say_hello("desk", ROLE_STRATEGY, &fd[1], &w), ADMISSION_OK);
    CHECK_EQ(w.client, 2);
    CHECK_EQ(w.role, ROLE_OPERATOR);
    CHECK_EQ(say_hello("execgw-cli", ROLE_OPERATOR, &fd[2], &w), ADMISSION_OK);
    CHECK_EQ(w.client, 2); /* acts as the strategy that is configured for operators */
    CHECK_EQ(w.on_disconnect, ON_DISCONNECT_NOTHING);
    for (int i = 0; i < 3; i++)
        (void)close(fd[i]);
    world_close();

    world_open();
    cfg = config();
    cfg.strategy_count = 2;
    start(&cfg);
    CHECK_EQ(say_hello("execgw-cli", ROLE_OPERATOR, &fd[0], &w), ADMISSION_OK);
    CHECK_EQ(w.client, CLIENT_OPERATOR);
    (void)close(fd[0]);
    world_close();
}

TEST(a_hello_that_is_not_one_is_refused_with_a_sentence)
{
    world_open();
    struct unix_port_config cfg = config();
    start(&cfg);
    struct welcome w;
    int fd;
    const struct hello good = hello_of("alpha", ROLE_STRATEGY);
    uint8_t longer[sizeof(good) + 1] = { 0 };
    memcpy(longer, &good, sizeof(good));
    CHECK_EQ(say(longer, sizeof(longer), &fd, &w), ADMISSION_MALFORMED);
    CHECK_EQ(say(&good, sizeof(good) - 1, &fd, &w), ADMISSION_MALFORMED);
    CHECK_EQ(say("GET / HTTP/1.1\r\n\r\n", 18, &fd, &w), ADMISSION_MALFORMED);
    struct hello h = good;
    h.magic ^= 1;
    CHECK_EQ(say(&h, sizeof(h), &fd, &w), ADMISSION_MALFORMED);
    h = good;
    h.version++;
    CHECK_EQ(say(&h, sizeof(h), &fd, &w), ADMISSION_VERSION);
    h = good;
    h.role = ROLE_COUNT;
    CHECK_EQ(say(&h, sizeof(h), &fd, &w), ADMISSION_MALFORMED);
    h = good;
    h.on_disconnect = ON_DISCONNECT_COUNT;
    CHECK_EQ(say(&h, sizeof(h), &fd, &w), ADMISSION_MALFORMED);
    h = good;
    memset(h.strategy, 'a', sizeof(h.strategy)); /* no NUL */
    CHECK_EQ(say(&h, sizeof(h), &fd, &w), ADMISSION_MALFORMED);
    CHECK_EQ(say_hello("", ROLE_STRATEGY, &fd, &w), ADMISSION_MALFORMED);
    CHECK_EQ(say_hello("al pha", ROLE_STRATEGY, &fd, &w), ADMISSION_MALFORMED);
    CHECK_EQ(say_hello("gamma", ROLE_STRATEGY, &fd, &w), ADMISSION_STRATEGY);
    CHECK_EQ(atomic_load(&fx.refused), 11);
    CHECK_EQ(say(&good, sizeof(good), &fd, &w), ADMISSION_OK);
    (void)close(fd);
    world_close();
}

TEST(another_user_is_refused_before_it_says_a_word)
{
    world_open();
    struct unix_port_config cfg = config();
    cfg.uid_count = 1;
    cfg.uids[0] = geteuid() + 1;
    start(&cfg);
    struct stat st;
    CHECK_EQ(stat(fx.path, &st), 0);
    CHECK_EQ(st.st_mode & 0777, 0666); /* others are meant to come; SO_PEERCRED decides */
    struct welcome w;
    int fd;
    CHECK_EQ(say("", 0, &fd, &w), ADMISSION_UID);
    world_close();

    world_open();
    cfg = config();
    cfg.uid_count = 2;
    cfg.uids[0] = geteuid() + 1;
    cfg.uids[1] = geteuid();
    start(&cfg);
    CHECK_EQ(say_hello("alpha", ROLE_STRATEGY, &fd, &w), ADMISSION_OK);
    (void)close(fd);
    world_close();
}

/* The hello of a thread of that user: credentials are the thread's own to the kernel, and to SO_PEERCRED. It finds its
 * way to the socket as root, whatever folders are in between. */
static enum admission_status
say_hello_as(uid_t uid, const char *strategy, enum admission_role role)
{
    struct welcome w;
    int fd;

    CHECK_EQ(syscall(SYS_setresuid, -1, uid, -1), 0);
    (void)syscall(SYS_setfsuid, 0);
    enum admission_status status = say_hello(strategy, role, &fd, &w);
    CHECK_EQ(syscall(SYS_setresuid, -1, 0, -1), 0);
    (void)close(fd);
    return status;
}

TEST(another_user_that_may_connect_is_no_operator_whatever_it_calls_itself)
{
    const uid_t nobody = 65534;

    if (geteuid() != 0)
        SKIP("needs root, to be two users\n");
    world_open();
    struct unix_port_config cfg = config();
    cfg.uid_count = 2;
    cfg.uids[0] = 0;
    cfg.uids[1] = nobody;
    start(&cfg);
    CHECK_EQ(say_hello_as(nobody, "execgw-cli", ROLE_OPERATOR), ADMISSION_OPERATOR);
    CHECK_EQ(say_hello_as(nobody, "desk", ROLE_STRATEGY), ADMISSION_OPERATOR); /* a strategy that is one */
    CHECK_EQ(say_hello_as(nobody, "beta", ROLE_STRATEGY), ADMISSION_OK);
    CHECK_EQ(say_hello_as(0, "execgw-cli", ROLE_OPERATOR), ADMISSION_OK);
    world_close();
}

TEST(strategies_leave_the_last_session_to_an_operator)
{
    static const struct unix_port_strategy crowd[] = {
        { .name = "alpha", .client = 0 },
        { .name = "beta", .client = 1 },
        { .name = "gamma", .client = 2 },
    };
    struct welcome w;
    int fd[4];

    world_open();
    struct unix_port_config cfg = config();
    cfg.strategies = crowd;
    cfg.strategy_count = ARRAY_LEN(crowd);
    start(&cfg);
    CHECK_EQ(say_hello("alpha", ROLE_STRATEGY, &fd[0], &w), ADMISSION_OK);
    CHECK_EQ(say_hello("beta", ROLE_STRATEGY, &fd[1], &w), ADMISSION_OK);
    CHECK_EQ(say_hello("gamma", ROLE_STRATEGY, &fd[2], &w), ADMISSION_FULL);
    CHECK_EQ(say_hello("execgw-cli", ROLE_OPERATOR, &fd[3], &w), ADMISSION_OK);
    for (int i = 0; i < 4; i++)
        (void)close(fd[i]);
    world_close();
}

TEST(a_strategy_has_one_session_at_a_time_and_sessions_are_bounded)
{
    world_open();
    struct unix_port_config cfg = config();
    start(&cfg);
    struct welcome w;
    int alpha;
    int op[2];
    int fd;
    CHECK_EQ(say_hello("alpha", ROLE_STRATEGY, &alpha, &w), ADMISSION_OK);
    CHECK_EQ(say_hello("alpha", ROLE_STRATEGY, &fd, &w), ADMISSION_IN_USE);
    CHECK_EQ(say_hello("op", ROLE_OPERATOR, &op[0], &w), ADMISSION_OK);
    CHECK_EQ(say_hello("op", ROLE_OPERATOR, &op[1], &w), ADMISSION_OK);
    CHECK_EQ(say_hello("op", ROLE_OPERATOR, &fd, &w), ADMISSION_FULL);
    CHECK_EQ(say_hello("beta", ROLE_STRATEGY, &fd, &w), ADMISSION_FULL);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(next_event().kind, UNIX_PORT_ATTACHED);

    /* alpha dies; a successor that comes before the core has let go waits for that, and is then admitted. */
    (void)close(alpha);
    struct unix_port_event gone = next_event();
    CHECK_EQ(gone.kind, UNIX_PORT_DETACHED);
    struct hello h = hello_of("alpha", ROLE_STRATEGY);
    alpha = dial();
    CHECK_EQ(send(alpha, &h, sizeof(h), 0), sizeof(h));
    struct pollfd p = { .fd = alpha, .events = POLLIN };
    CHECK_EQ(poll(&p, 1, 50), 0);
    unix_port_release(fx.port, gone.slot, gone.generation);
    unix_port_wake(fx.port);
    int fds[ADMISSION_FD_COUNT];
    CHECK_EQ(hear(alpha, &w, fds), ADMISSION_FD_COUNT);
    for (int i = 0; i < ADMISSION_FD_COUNT; i++)
        (void)close(fds[i]);
    struct unix_port_event back = next_event();
    CHECK_EQ(back.kind, UNIX_PORT_ATTACHED);
    CHECK_EQ(back.slot, gone.slot);
    CHECK_EQ(back.generation, gone.generation + 1);
    (void)close(alpha);
    (void)close(op[0]);
    (void)close(op[1]);
    world_close();
}

TEST(a_client_that_ruins_its_doorbell_ruins_nobody_elses)
{
    world_open();
    struct unix_port_config cfg = config();
    start(&cfg);
    struct welcome w;
    int fds[2][ADMISSION_FD_COUNT];
    int fd[2];
    const char *const names[] = { "alpha", "beta" };
    struct unix_port_event ev[2];
    for (int i = 0; i < 2; i++) {
        struct hello h = hello_of(names[i], ROLE_STRATEGY);
        fd[i] = dial();
        CHECK_EQ(send(fd[i], &h, sizeof(h), 0), sizeof(h));
        CHECK_EQ(hear(fd[i], &w, fds[i]), ADMISSION_FD_COUNT);
        ev[i] = next_event();
    }
    /* Full and blocking: the next write(2) to it would never return. */
    int bad = fds[0][ADMISSION_FD_DOORBELL];
    CHECK_EQ(eventfd_write(bad, UINT64_MAX - 1), 0);
    CHECK_EQ(fcntl(bad, F_SETFL, 0), 0);
    struct pollfd p[] = { { .fd = ev[0].doorbell_fd, .events = POLLIN },
                          { .fd = ev[1].doorbell_fd, .events = POLLIN },
                          { .fd = fx.doorbell, .events = POLLIN } };
    CHECK_EQ(poll(p, 3, 0), 1);
    CHECK((p[0].revents & POLLIN) != 0);
    CHECK((fcntl(ev[1].doorbell_fd, F_GETFL) & O_NONBLOCK) != 0);
    CHECK((fcntl(fx.doorbell, F_GETFL) & O_NONBLOCK) != 0);
    CHECK_EQ(eventfd_write(fds[1][ADMISSION_FD_DOORBELL], 1), 0);
    CHECK_EQ(poll(p + 1, 1, 0), 1);
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < ADMISSION_FD_COUNT; k++)
            (void)close(fds[i][k]);
        (void)close(fd[i]);
        (void)close(ev[i].socket_fd);
        (void)close(ev[i].doorbell_fd);
    }
    world_close();
}

TEST(the_core_throws_a_client_out_and_a_release_of_an_old_generation_is_ignored)
{
    world_open();
    struct unix_port_config cfg = config();
    start(&cfg);
    struct welcome w;
    int fd;
    char byte;
    CHECK_EQ(say_hello("alpha", ROLE_STRATEGY, &fd, &w), ADMISSION_OK);
    struct unix_port_event ev = next_event();
    unix_port_release(fx.port, ev.slot, ev.generation);
    unix_port_wake(fx.port);
    CHECK_EQ(recv(fd, &byte, 1, 0), 0);
    (void)close(fd);
    CHECK_EQ(say_hello("alpha", ROLE_STRATEGY, &fd, &w), ADMISSION_OK);
    unix_port_release(fx.port, ev.slot, ev.generation);
    unix_port_wake(fx.port); /* the old one again */
    struct unix_port_event ev2 = next_event();
    CHECK_EQ(ev2.kind, UNIX_PORT_ATTACHED);
    unix_port_ring(ev2.socket_fd);
    CHECK_EQ(recv(fd, &byte, 1, 0), 1);
    (void)close(fd);
    world_close();
}

TEST(a_client_that_speaks_after_admission_is_detached)
{
    world_open();
    struct unix_port_config cfg = config();
    start(&cfg);
    struct welcome w;
    int fd;
    CHECK_EQ(say_hello("alpha", ROLE_STRATEGY, &fd, &w), ADMISSION_OK);
    CHECK_EQ(next_event().kind, UNIX_PORT_ATTACHED);
    CHECK_EQ(send(fd, "x", 1, 0), 1);
    CHECK_EQ(next_event().kind, UNIX_PORT_DETACHED);
    (void)close(fd);
    world_close();
}

TEST(a_silent_client_is_turned_away_in_time_and_a_crowd_of_them_does_not_shut_others_out)
{
    world_open();
    struct unix_port_config cfg = config();
    cfg.hello_timeout_ms = 100;
    start(&cfg);
    struct welcome w;
    int fds[ADMISSION_FD_COUNT];
    int silent = dial();
    CHECK_EQ(hear(silent, &w, fds), 0);
    CHECK_EQ(w.status, ADMISSION_TIMEOUT);
    (void)close(silent);
    unix_port_stop(fx.port);

    cfg.hello_timeout_ms = WAIT_MS;
    start(&cfg);
    int crowd[40];
    for (size_t i = 0; i < ARRAY_LEN(crowd); i++)
        crowd[i] = dial();
    int fd;
    CHECK_EQ(say_hello("alpha", ROLE_STRATEGY, &fd, &w), ADMISSION_OK);
    (void)close(fd);
    CHECK_EQ(hear(crowd[0], &w, fds), 0); /* the longest silent went first */
    CHECK_EQ(w.status, ADMISSION_TIMEOUT);
    for (size_t i = 0; i < ARRAY_LEN(crowd); i++)
        (void)close(crowd[i]);
    world_close();
}

static unsigned
open_fds(void)
{
    unsigned n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

TEST(descriptors_that_a_client_sends_never_arrive)
{
    world_open();
    struct unix_port_config cfg = config();
    start(&cfg);
    unsigned before = open_fds();
    struct hello h = hello_of("alpha", ROLE_STRATEGY);
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * 200)];
    memset(control, 0, sizeof(control));
    struct iovec iov = { .iov_base = &h, .iov_len = sizeof(h) };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * 200);
    int flood[200];
    for (size_t i = 0; i < ARRAY_LEN(flood); i++)
        flood[i] = fx.doorbell;
    memcpy(CMSG_DATA(c), flood, sizeof(flood));
    int fd = dial();
    CHECK_EQ(sendmsg(fd, &m, 0), sizeof(h));
    struct welcome w;
    int fds[ADMISSION_FD_COUNT];
    CHECK_EQ(hear(fd, &w, fds), ADMISSION_FD_COUNT);
    for (int i = 0; i < ADMISSION_FD_COUNT; i++)
        (void)close(fds[i]);
    /* both ends of the connection, the core's copy, the doorbell, and the session's memory */
    CHECK_EQ(open_fds(), before + 5);
    (void)close(fd);
    world_close();
}

TEST(when_descriptors_run_out_clients_are_turned_away_and_service_returns)
{
    world_open();
    struct unix_port_config cfg = config();
    start(&cfg);
    int fd = dial(); /* our end exists before the limit falls */
    struct welcome w;
    int fds[ADMISSION_FD_COUNT];
    struct hello h = hello_of("alpha", ROLE_STRATEGY);
    CHECK_EQ(send(fd, &h, sizeof(h), 0), sizeof(h));
    CHECK_EQ(hear(fd, &w, fds), ADMISSION_FD_COUNT);
    for (int i = 0; i < ADMISSION_FD_COUNT; i++)
        (void)close(fds[i]);
    (void)close(fd);
    CHECK_EQ(next_event().kind, UNIX_PORT_ATTACHED);
    struct unix_port_event gone = next_event();
    CHECK_EQ(gone.kind, UNIX_PORT_DETACHED);
    unix_port_release(fx.port, gone.slot, gone.generation);
    unix_port_wake(fx.port);

    struct rlimit old;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", fx.path);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct rlimit none = { .rlim_cur = 3, .rlim_max = old.rlim_max }; /* descriptors that are open stay */
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    int rc = connect(fd, (struct sockaddr *)&a, sizeof(a));
    struct pollfd p = { .fd = fd, .events = POLLIN };
    int n = poll(&p, 1, 200); /* it may or may not be told: the spare descriptor cannot be had back at this limit */
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
    CHECK_EQ(rc, 0);
    (void)n;
    (void)close(fd);
    CHECK_EQ(say_hello("alpha", ROLE_STRATEGY, &fd, &w), ADMISSION_OK);
    (void)close(fd);
    world_close();
}

TEST(the_death_of_a_client_process_is_noticed_however_it_dies)
{
    world_open();
    struct unix_port_config cfg = config();
    start(&cfg);
    const int how[] = { SIGKILL, SIGSEGV, 0 };
    for (size_t i = 0; i < ARRAY_LEN(how); i++) {
        int ready[2];
        CHECK_EQ(pipe2(ready, O_CLOEXEC), 0);
        pid_t pid = fork();
        if (pid == 0) {
            struct sockaddr_un a = { .sun_family = AF_UNIX };
            struct hello h = hello_of("beta", ROLE_STRATEGY);
            struct welcome w;
            (void)signal(SIGSEGV, SIG_DFL);
            (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", fx.path);
            int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
            if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || send(fd, &h, sizeof(h), 0) != sizeof(h) ||
                recv(fd, &w, sizeof(w), 0) != sizeof(w) || w.status != ADMISSION_OK)
                _exit(9);
            (void)!write(ready[1], "r", 1);
            if (how[i] == 0)
                _exit(0);
            (void)pause();
            _exit(0);
        }
        char byte;
        CHECK_EQ(read(ready[0], &byte, 1), 1);
        struct unix_port_event ev = next_event();
        CHECK_EQ(ev.kind, UNIX_PORT_ATTACHED);
        CHECK_EQ(ev.pid, pid);
        if (how[i] != 0)
            CHECK_EQ(kill(pid, how[i]), 0);
        struct unix_port_event gone = next_event();
        CHECK_EQ(gone.kind, UNIX_PORT_DETACHED);
        CHECK_EQ(gone.generation, ev.generation);
        ((uint8_t *)ev.mem)[0] = 1; /* still mapped: the core may be in the middle of it */
        unix_port_ring(ev.socket_fd);
        CHECK_EQ(close(ev.socket_fd), 0);
        CHECK_EQ(close(ev.doorbell_fd), 0);
        unix_port_release(fx.port, gone.slot, gone.generation);
        unix_port_wake(fx.port);
        int status;
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        (void)close(ready[0]);
        (void)close(ready[1]);
    }
    world_close();
}

TEST(a_stale_socket_is_replaced_a_live_one_and_a_plain_file_are_not)
{
    world_open();
    struct unix_port_config cfg = config();
    struct fault fault;
    pid_t pid = fork();
    if (pid == 0) { /* a gateway that is killed leaves its socket and lock file behind */
        struct unix_port *u = unix_port_start(&cfg, &fault);
        (void)raise(u != NULL ? SIGKILL : SIGTERM);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    struct stat st;
    CHECK_EQ(lstat(fx.path, &st), 0);
    start(&cfg);
    CHECK(unix_port_start(&cfg, &fault) == NULL);
    CHECK(strstr(fault.text, "another gateway runs at") != NULL);
    struct welcome w;
    int fd;
    CHECK_EQ(say_hello("alpha", ROLE_STRATEGY, &fd, &w), ADMISSION_OK); /* the first one was not disturbed */
    (void)close(fd);
    unix_port_stop(fx.port);
    fx.port = NULL;
    CHECK_EQ(lstat(fx.path, &st), -1);

    int other = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0); /* listens without our lock */
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", fx.path);
    CHECK_EQ(bind(other, (struct sockaddr *)&a, sizeof(a)), 0);
    CHECK_EQ(listen(other, 1), 0);
    CHECK(unix_port_start(&cfg, &fault) == NULL);
    CHECK(strstr(fault.text, "another process listens at") != NULL);
    (void)close(other);
    (void)unlink(fx.path);

    int file = open(fx.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(unix_port_start(&cfg, &fault) == NULL);
    CHECK(strstr(fault.text, "is not a socket") != NULL);
    CHECK_EQ(lstat(fx.path, &st), 0);
    (void)close(file);
    world_close();
}

TEST(a_configuration_that_cannot_be_served_is_named)
{
    world_open();
    struct fault fault;
    struct unix_port_config cfg = config();
    char longer[120];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    cfg.path = longer;
    CHECK(unix_port_start(&cfg, &fault) == NULL);
    CHECK(strstr(fault.text, "longer than the 107 bytes") != NULL);
    cfg.path = "/nonexistent/execgw.sock";
    CHECK(unix_port_start(&cfg, &fault) == NULL);
    CHECK(strstr(fault.text, "/nonexistent/execgw.sock") != NULL);
    struct unix_port_strategy two[2] = { { .name = "a", .client = 1 }, { .name = "b", .client = 1 } };
    cfg = config();
    cfg.strategies = two;
    cfg.strategy_count = 2;
    CHECK(unix_port_start(&cfg, &fault) == NULL);
    CHECK(strstr(fault.text, "share") != NULL);
    two[1].client = CLIENT_ADOPTED;
    CHECK(unix_port_start(&cfg, &fault) == NULL);
    CHECK(strstr(fault.text, "below 62") != NULL);
    two[1].client = CLIENT_ADOPTED - 1;
    start(&cfg);
    world_close();
}

TEST_MAIN()
