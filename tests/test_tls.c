/* TLS on the loop: connector, hand-over and armed connection against an OpenSSL server, the pool bound as on the core.
 */
#include "engine/io/connector.h"
#include "engine/io/loop.h"
#include "engine/io/tls_memory.h"
#include "tests/tls_server.h"

#include <dirent.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define CONNS 4u

static const struct upgrade_ops toy = { .request = toy_request, .response = toy_response };

struct seen {
    uint8_t *bytes;
    size_t len;
    size_t room;
    bool closed;
    enum loop_end end;
};

static struct fixture {
    struct pki pki;
    struct tls_context tls;
    struct connector *connector;
    struct loop *loop;
    struct arena arena;
    struct tls_server server;
    struct seen seen[CONNS];
    uint32_t generation;
} f;

static struct arena pool;

static void
on_bytes(void *ctx, uint32_t conn, const uint8_t *bytes, size_t len, mono_ns_t recv)
{
    (void)ctx;
    (void)recv;
    struct seen *s = &f.seen[conn];
    CHECK(!s->closed && len > 0);
    if (s->len + len > s->room) {
        s->room = (s->len + len) * 2;
        s->bytes = (uint8_t *)realloc(s->bytes, s->room);
    }
    memcpy(s->bytes + s->len, bytes, len);
    s->len += len;
}

static void
on_closed(void *ctx, uint32_t conn, enum loop_end end, int err)
{
    (void)ctx;
    (void)err;
    f.seen[conn].closed = true;
    f.seen[conn].end = end;
}

static void
on_wake(void *ctx, uint64_t token)
{
    (void)ctx;
    (void)token;
}

static void
on_synced(void *ctx, uint64_t token, int res)
{
    (void)ctx;
    (void)token;
    (void)res;
}

static const struct loop_handler handler = { .on_bytes = on_bytes, .on_closed = on_closed };

static void
setup_with(bool busy, uint32_t recv_buffer_bytes, serve_fn *serve, void *arg)
{
    struct fault fault = { "" };
    struct loop_events ev = { .on_wake = on_wake, .on_synced = on_synced };
    struct loop_config lc = {
        .conn_max = CONNS,
        .recv_buffer_count = { 16, 16 },
        .recv_buffer_bytes = recv_buffer_bytes,
        .send_buffer_bytes = 100000,
        .watch_max = 4,
        .bell_max = 4,
        .close_linger_ms = 5000,
        .busy = busy,
    };
    struct connector_config cc = { .conn_max = CONNS, .upgrade = toy, .tls = &f.tls };

    if (pool.base == NULL) {
        pool.size = tls_memory_footprint(CONNS);
        pool.base = (uint8_t *)aligned_alloc(64, pool.size);
        CHECK(tls_memory_init(CONNS, &pool, &fault));
    }
    memset(&f, 0, sizeof(f));
    f.pki = pki_make();
    CHECK(tls_context_init(&f.tls, f.pki.ca_file, &fault));
    f.arena.size = loop_footprint(&lc) + connector_footprint(&cc);
    f.arena.base = (uint8_t *)aligned_alloc(64, f.arena.size);
    f.loop = loop_init(&lc, &ev, &f.arena, &fault);
    if (f.loop == NULL)
        SKIP("%s\n", fault.text);
    f.connector = connector_init(&cc, &f.arena, &fault);
    CHECK(f.connector != NULL && connector_start(f.connector, &fault));
    server_start(&f.server, &f.pki, CERT_GOOD, serve, arg);
    tls_memory_bind(true);
}

static void
setup(serve_fn *serve, void *arg)
{
    setup_with(false, 4096, serve, arg);
}

static void
teardown(void)
{
    connector_stop(f.connector);
    loop_exit(f.loop);
    tls_memory_bind(false);
    server_stop(&f.server);
    tls_context_free(&f.tls);
    pki_drop(&f.pki);
    for (uint32_t i = 0; i < CONNS; i++)
        free(f.seen[i].bytes);
    free(f.arena.base);
}

static int64_t
mono(void)
{
    return attempt_clock().ns;
}

static void
turn(void)
{
    struct now now = loop_now(f.loop);
    loop_reap(f.loop);
    (void)loop_deliver(f.loop, LOOP_ORDER, SIZE_MAX, &handler);
    (void)loop_submit(f.loop, NULL);
    loop_wait(f.loop, mono_after(now.mono, NS_PER_MS));
}

#define RUN_UNTIL(cond)                            \
    do {                                           \
        int64_t stop_ns_ = mono() + 60 * NS_PER_S; \
        while (!(cond) && mono() < stop_ns_)       \
            turn();                                \
        CHECK(cond);                               \
    } while (0)

static bool
connect_try(uint32_t conn, struct connect_result *r)
{
    char url[64];
    struct fault fault;
    struct connect_request rq = {
        .kind = CONNECT_OPEN, .conn = conn, .generation = ++f.generation, .deadline_ms = 30000
    };
    (void)snprintf(url, sizeof(url), "wss://127.0.0.1:%u/", (unsigned)f.server.port);
    CHECK(endpoint_parse(url, &rq.endpoint, &fault));
    CHECK(connector_request(f.connector, &rq));
    const uint64_t one = 1;
    if (connector_wake_needed(f.connector))
        CHECK(write(connector_request_fd(f.connector), &one, 8) == 8);
    for (int64_t stop = mono() + 60 * NS_PER_S; mono() < stop;) {
        if (connector_result(f.connector, r))
            return r->ok;
        (void)usleep(200);
    }
    CHECK(!"no result within a minute");
    return false;
}

static void
connect_conn(uint32_t conn)
{
    struct connect_result r;
    free(f.seen[conn].bytes);
    f.seen[conn] = (struct seen){ 0 };
    if (!connect_try(conn, &r))
        (void)fprintf(stderr, "fault: %s\n", r.fault.text);
    CHECK(r.ok);
    loop_attach(f.loop, conn, LOOP_ORDER, &r.handover);
}

static void
send_text(uint32_t conn, const char *text)
{
    size_t n = strlen(text);
    uint8_t *p = loop_send_reserve(f.loop, conn, n);
    CHECK(p != NULL);
    memcpy(p, text, n);
    loop_send_commit(f.loop, conn, n, 0);
}

static void
check_seen(uint32_t conn, const char *text)
{
    size_t n = strlen(text);
    RUN_UNTIL(f.seen[conn].len >= n);
    CHECK_EQ(f.seen[conn].len, n);
    CHECK_MEM(f.seen[conn].bytes, text, n);
}

static uint8_t
pattern(size_t i)
{
    return (uint8_t)(i * 2654435761u >> 13);
}

/* ---- servers ---- */

static bool
upgrade(SSL *ssl, int fd)
{
    return peer_request(ssl, fd) && peer_write(ssl, fd, toy_101, sizeof(toy_101) - 1);
}

static void
echo_rest(SSL *ssl, int fd)
{
    char buf[16384];
    int n;
    while ((n = peer_read(ssl, fd, buf, sizeof(buf))) > 0)
        if (!peer_write(ssl, fd, buf, (size_t)n))
            return;
    (void)SSL_shutdown(ssl);
}

static void
serve_echo(struct tls_server *s, SSL *ssl, int fd)
{
    (void)s;
    if (upgrade(ssl, fd))
        echo_rest(ssl, fd);
}

static void
serve_early(struct tls_server *s, SSL *ssl, int fd)
{
    (void)s;
    char all[128];
    int n = snprintf(all, sizeof(all), "%sone ", toy_101);
    if (!peer_request(ssl, fd))
        return;
    (void)peer_write(ssl, fd, all, (size_t)n);
    (void)peer_write(ssl, fd, "two ", 4);
    (void)peer_write(ssl, fd, "three", 5);
    echo_rest(ssl, fd);
}

/* Encrypt into memory, then dribble the records out byte by byte. */
static void
serve_dribble(struct tls_server *s, SSL *ssl, int fd)
{
    (void)s;
    if (!upgrade(ssl, fd))
        return;
    BIO *mem = BIO_new(BIO_s_mem());
    char *bytes;
    SSL_set0_wbio(ssl, mem);
    (void)SSL_write(ssl, "dribble", 7);
    (void)SSL_write(ssl, " one by one", 11);
    long n = BIO_get_mem_data(mem, &bytes);
    for (long i = 0; i < n; i++) {
        if (write(fd, bytes + i, 1) != 1)
            return;
        (void)usleep(300);
    }
    char c;
    (void)!read(fd, &c, 1);
}

static void
serve_key_update(struct tls_server *s, SSL *ssl, int fd)
{
    (void)s;
    char buf[64];
    if (!upgrade(ssl, fd))
        return;
    for (int i = 0; i < 40; i++) {
        if (SSL_key_update(ssl, i % 2 == 0 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED) != 1 ||
            !peer_write(ssl, fd, "tick", 4))
            return;
        int n = peer_read(ssl, fd, buf, sizeof(buf)); /* the client answers with its own new keys */
        if (n != 4 || memcmp(buf, "tock", 4) != 0)
            return;
    }
    (void)peer_write(ssl, fd, "done", 4);
    echo_rest(ssl, fd);
}

/* A storm of them in one segment, each asking for an answer. */
static void
serve_key_update_storm(struct tls_server *s, SSL *ssl, int fd)
{
    (void)s;
    char *bytes;
    if (!upgrade(ssl, fd))
        return;
    SSL_set0_wbio(ssl, BIO_new(BIO_s_mem()));
    for (int i = 0; i < 1000; i++)
        if (SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) != 1 || SSL_do_handshake(ssl) != 1)
            return;
    long n = BIO_get_mem_data(SSL_get_wbio(ssl), &bytes);
    (void)peer_write(NULL, fd, bytes, (size_t)n);
    SSL_set0_wbio(ssl, BIO_new_socket(fd, BIO_NOCLOSE));
    echo_rest(ssl, fd);
}

static void
serve_renegotiate(struct tls_server *s, SSL *ssl, int fd)
{
    char buf[64];
    if (!upgrade(ssl, fd) || !peer_write(ssl, fd, "before", 6))
        return;
    if (peer_read(ssl, fd, buf, sizeof(buf)) <= 0)
        return;
    (void)SSL_renegotiate(ssl);
    (void)SSL_do_handshake(ssl); /* HelloRequest */
    int n = peer_read(ssl, fd, buf, sizeof(buf));
    atomic_store((_Atomic int *)s->arg, n > 0 ? 1 : 2); /* 2: the client did not go along */
}

static void
serve_good_bye(struct tls_server *s, SSL *ssl, int fd)
{
    (void)s;
    if (!upgrade(ssl, fd) || !peer_write(ssl, fd, "bye", 3))
        return;
    (void)SSL_shutdown(ssl);
    char c;
    (void)!read(fd, &c, 1);
}

static void
serve_cut(struct tls_server *s, SSL *ssl, int fd)
{
    (void)s;
    if (upgrade(ssl, fd))
        (void)peer_write(ssl, fd, "cut", 3);
}

static void
serve_garbage(struct tls_server *s, SSL *ssl, int fd)
{
    (void)s;
    static const char bad[] = "\x17\x03\x03\x00\x20 these 32 bytes are not a record ";
    char buf[64];
    if (!upgrade(ssl, fd) || !peer_write(ssl, fd, "ok", 2) || write(fd, bad, 37) != 37)
        return;
    int n = SSL_read(ssl, buf, sizeof(buf)); /* the alert */
    atomic_store((_Atomic int *)s->arg,
                 n <= 0 && ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_SSLV3_ALERT_BAD_RECORD_MAC ? 1 : 2);
}

static void
serve_slow_reader(struct tls_server *s, SSL *ssl, int fd)
{
    uint8_t buf[20000];
    size_t got = 0;
    size_t want = *(size_t *)s->arg;
    bool good = true;
    if (!upgrade(ssl, fd))
        return;
    while (got < want) {
        int n = SSL_read(ssl, buf, sizeof(buf));
        if (n <= 0)
            return;
        for (int i = 0; i < n; i++)
            good &= buf[i] == pattern(got + (size_t)i);
        got += (size_t)n;
        if (got % 11 == 0)
            (void)usleep(500);
    }
    (void)peer_write(ssl, fd, good ? "good" : "bad!", 4);
    echo_rest(ssl, fd);
}

static void
serve_flood(struct tls_server *s, SSL *ssl, int fd)
{
    size_t want = *(size_t *)s->arg;
    uint8_t buf[30000];
    if (!upgrade(ssl, fd))
        return;
    for (size_t put = 0, n; put < want; put += n) {
        n = MIN(want - put, 1 + put % sizeof(buf));
        for (size_t i = 0; i < n; i++)
            buf[i] = pattern(put + i);
        if (!peer_write(ssl, fd, buf, n))
            return;
    }
    (void)SSL_shutdown(ssl);
}

/* ---- tests ---- */

static void
echo_test(bool busy)
{
    setup_with(busy, 4096, serve_echo, NULL);
    connect_conn(1);
    send_text(1, "first ");
    send_text(1, "second");
    check_seen(1, "first second");
    CHECK_EQ(loop_stats(f.loop)->sends, 1); /* one record, one SEND */
    loop_close(f.loop, 1);
    RUN_UNTIL(f.seen[1].closed);
    CHECK_EQ(f.seen[1].end, LOOP_END_LOCAL);
    CHECK_EQ(tls_memory_stats().failures, 0);
    teardown();
}

TEST(tls_exchanges_bytes_in_block_mode)
{
    echo_test(false);
}

TEST(tls_exchanges_bytes_in_busy_mode)
{
    echo_test(true);
}

TEST(tls_loses_nothing_of_what_the_connector_read_too_early)
{
    setup(serve_early, NULL);
    for (int i = 0; i < 20; i++) { /* however the segments fall */
        connect_conn(0);
        check_seen(0, "one two three");
        loop_close(f.loop, 0);
        RUN_UNTIL(f.seen[0].closed);
    }
    teardown();
}

TEST(tls_puts_records_together_from_one_byte_segments)
{
    setup(serve_dribble, NULL);
    connect_conn(0);
    check_seen(0, "dribble one by one");
    teardown();
}

TEST(tls_survives_key_updates_in_the_middle_of_the_stream)
{
    setup(serve_key_update, NULL);
    connect_conn(0);
    for (size_t i = 1; i <= 40; i++) {
        RUN_UNTIL(f.seen[0].len >= 4 * i);
        send_text(0, "tock");
    }
    RUN_UNTIL(f.seen[0].len == 164);
    CHECK_MEM(f.seen[0].bytes + 160, "done", 4);
    CHECK(!f.seen[0].closed);
    teardown();
}

/* Segments that happen to be small leave time to answer each; otherwise the room for answers ends. */
TEST(tls_bounds_its_answers_to_a_storm_of_key_updates)
{
    setup(serve_key_update_storm, NULL);
    connect_conn(0);
    send_text(0, "ping");
    RUN_UNTIL(f.seen[0].closed || f.seen[0].len == 4);
    if (f.seen[0].closed)
        CHECK_EQ(f.seen[0].end, LOOP_END_TLS);
    teardown();
}

TEST(tls_refuses_renegotiation)
{
    _Atomic int outcome = 0;
    setup(serve_renegotiate, &outcome);
    (void)SSL_CTX_set_max_proto_version(f.server.ctx, TLS1_2_VERSION);
    connect_conn(0);
    check_seen(0, "before");
    send_text(0, "go on");
    RUN_UNTIL(f.seen[0].closed);
    CHECK_EQ(atomic_load(&outcome), 2);
    teardown();
}

TEST(tls_tells_a_good_bye_from_a_stream_that_was_cut)
{
    setup(serve_good_bye, NULL);
    connect_conn(0);
    RUN_UNTIL(f.seen[0].closed);
    CHECK_MEM(f.seen[0].bytes, "bye", 3);
    CHECK_EQ(f.seen[0].end, LOOP_END_PEER);
    teardown();
    setup(serve_cut, NULL);
    connect_conn(0);
    RUN_UNTIL(f.seen[0].closed);
    CHECK_EQ(f.seen[0].len, 3);
    CHECK_EQ(f.seen[0].end, LOOP_END_TRUNCATED);
    teardown();
}

TEST(tls_ends_with_an_alert_on_a_record_that_was_forged)
{
    _Atomic int outcome = 0;
    setup(serve_garbage, &outcome);
    connect_conn(0);
    RUN_UNTIL(f.seen[0].closed);
    CHECK_EQ(f.seen[0].len, 2);
    CHECK_EQ(f.seen[0].end, LOOP_END_TLS);
    RUN_UNTIL(atomic_load(&outcome) != 0);
    CHECK_EQ(atomic_load(&outcome), 1);
    teardown();
}

TEST(tls_sends_many_megabytes_in_order_to_a_slow_reader)
{
    size_t want = 6u << 20;
    setup(serve_slow_reader, &want);
    connect_conn(0);
    int64_t give_up_ns = mono() + 90 * NS_PER_S;
    for (size_t put = 0; put < want && mono() < give_up_ns;) {
        size_t n = MIN(want - put, 1 + put % 40000);
        uint8_t *p = loop_send_reserve(f.loop, 0, n);
        if (p == NULL) {
            turn();
            continue;
        }
        for (size_t i = 0; i < n; i++)
            p[i] = pattern(put + i);
        loop_send_commit(f.loop, 0, n, 0);
        put += n;
    }
    check_seen(0, "good");
    teardown();
}

static void
flood_test(bool busy, uint32_t recv_buffer_bytes)
{
    size_t want = 5u << 20;
    setup_with(busy, recv_buffer_bytes, serve_flood, &want);
    connect_conn(0);
    RUN_UNTIL(f.seen[0].closed);
    CHECK_EQ(f.seen[0].len, want);
    CHECK_EQ(f.seen[0].end, LOOP_END_PEER);
    for (size_t i = 0; i < want; i++)
        if (f.seen[0].bytes[i] != pattern(i))
            CHECK_EQ(i, SIZE_MAX);
    teardown();
}

TEST(tls_receives_many_megabytes_in_order_whatever_the_size_of_the_buffers)
{
    flood_test(false, 16384);
    flood_test(true, 4096);
    flood_test(false, 64);
}

static unsigned
fd_count(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d) != NULL)
        n++;
    (void)closedir(d);
    return n;
}

TEST(tls_reconnects_hundreds_of_times_with_flat_descriptors_and_a_flat_pool)
{
    setup(serve_echo, NULL);
    unsigned fds = 0;
    uint64_t used = 0;
    for (int i = 0; i < 300; i++) {
        uint32_t conn = (uint32_t)i % CONNS;
        connect_conn(conn);
        send_text(conn, "hello");
        if (i % 3 != 0)
            check_seen(conn, "hello");
        uint64_t open = tls_memory_stats().bytes_used;
        loop_close(f.loop, conn);
        RUN_UNTIL(f.seen[conn].closed);
        /* The loop frees no session (some 60 kB): OpenSSL's locks are not for it. */
        CHECK(tls_memory_stats().bytes_used + 8192 >= open);
        if (i == 20) {
            fds = fd_count();
            used = tls_memory_stats().bytes_used;
        }
    }
    for (int i = 0; i < 2000 && fd_count() > fds; i++) /* the server's last one may still be closing */
        (void)usleep(1000);
    CHECK(fd_count() <= fds);
    CHECK_EQ(tls_memory_stats().bytes_used, used);
    CHECK_EQ(tls_memory_stats().failures, 0);
    if (getenv("EXECGW_VERBOSE") != NULL)
        (void)fprintf(stderr, "pool: %llu of %llu bytes used, peak %llu\n", (unsigned long long)used,
                      (unsigned long long)tls_memory_stats().bytes_max,
                      (unsigned long long)tls_memory_stats().bytes_peak);
    teardown();
}

/* ---- system calls of the armed core ---- */

static volatile sig_atomic_t trapped;
static volatile sig_atomic_t trapped_nr;

static void
on_trap(int sig, siginfo_t *info, void *ctx)
{
    (void)sig;
    (void)ctx;
    trapped++;
    trapped_nr = info->si_syscall;
}

/* Every system call of this thread but io_uring_enter raises SIGSYS. */
static bool
trap_system_calls(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_enter, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog prog = { .len = ARRAY_LEN(code), .filter = code };
    struct sigaction act = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };

    return sigaction(SIGSYS, &act, NULL) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0;
}

static void
on_few_bytes(void *ctx, uint32_t conn, const uint8_t *bytes, size_t len, mono_ns_t recv)
{
    (void)ctx;
    (void)bytes;
    (void)recv;
    f.seen[conn].len += len;
}

static const struct loop_handler few_handler = { .on_bytes = on_few_bytes, .on_closed = on_closed };

static void
few_turns(const bool *over, const size_t *len, size_t want)
{
    for (int64_t stop = mono() + 20 * NS_PER_S; !*over && (len == NULL || *len < want) && mono() < stop;) {
        struct now now = loop_now(f.loop);
        loop_reap(f.loop);
        (void)loop_deliver(f.loop, LOOP_ORDER, SIZE_MAX, &few_handler);
        (void)loop_submit(f.loop, NULL);
        loop_wait(f.loop, mono_after(now.mono, NS_PER_MS));
    }
}

/* Messages both ways, a doorbell, the close. 0 when no system call was trapped, else its number. */
static int
run_trapped(void)
{
    connect_conn(0);
    int bell = loop_bell_open(f.loop, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    struct seen *s = &f.seen[0];
    if (!trap_system_calls())
        _exit(254);
    for (size_t i = 1; i <= 200; i++) {
        send_text(0, "ping");
        loop_bell_ring(f.loop, bell);
        few_turns(&s->closed, &s->len, 4 * i);
        if (s->len < 4 * i)
            return 251;
    }
    loop_bell_close(f.loop, bell);
    loop_close(f.loop, 0);
    few_turns(&s->closed, NULL, 0);
    if (trapped == 0 && (!s->closed || s->len != 800))
        return 253;
    return trapped != 0 ? MIN((int)trapped_nr + 1, 252) : 0;
}

TEST(tls_armed_core_makes_no_system_call_but_the_rings)
{
    for (int busy = 0; busy < 2; busy++) {
        pid_t pid = fork();
        if (pid == 0) {
            setup_with(busy != 0, 4096, serve_echo, NULL);
            (void)syscall(SYS_exit_group, run_trapped()); /* _exit makes calls of the sanitizer's */
        }
        int status = -1;
        CHECK(waitpid(pid, &status, 0) == pid);
        CHECK(WIFEXITED(status));
        CHECK_EQ(WEXITSTATUS(status), 0);
    }
}

TEST(tls_pool_used_up_ends_the_connection_and_not_the_process)
{
    setup(serve_echo, NULL);
    connect_conn(0);
    send_text(0, "before");
    check_seen(0, "before");
    static void *held[400000];
    size_t n = 0;
    while (n < ARRAY_LEN(held) && (held[n] = OPENSSL_malloc(1)) != NULL)
        n++;
    CHECK(n < ARRAY_LEN(held));
    struct connect_result r;
    CHECK(!connect_try(1, &r)); /* no memory for a new session either */
    CHECK(strstr(r.fault.text, "memory") != NULL);
    for (int i = 0; i < 100 && !f.seen[0].closed; i++) {
        if (loop_send_reserve(f.loop, 0, 5) != NULL) {
            memcpy(loop_send_reserve(f.loop, 0, 5), "again", 5);
            loop_send_commit(f.loop, 0, 5, 0);
        }
        turn();
    }
    bool ended = f.seen[0].closed;
    while (n > 0)
        OPENSSL_free(held[--n]);
    if (ended)
        CHECK_EQ(f.seen[0].end, LOOP_END_TLS);
    connect_conn(2); /* all is well again */
    send_text(2, "after");
    check_seen(2, "after");
    teardown();
}

TEST_MAIN()
