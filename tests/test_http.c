/* execgw-http, the real program: what its clients and its parent see. */
#include "monitoring/http.h"
#include "monitoring/metric_page.h"
#include "tests/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct metric_page *page;
static int page_fd = -1;
static char answer[4u << 20];
static char line[256]; /* what execgw-http told its parent */

static void
page_make(void)
{
    struct fault f;
    if (page == NULL)
        page = metric_page_create(&page_fd, &f);
    CHECK(page != NULL);
    memset(page, 0, sizeof(*page));
    metric_page_init(page, "0.1.0", "test", 0);
    metric_name_venue(page, 0, "binance");
    metric_set(page, METRIC_BOOKS_CONFIGURED, 0, 2);
}

/* A gateway that is alive. */
static void
beat(void)
{
    metric_add(page, METRIC_HEARTBEAT, 0, 1);
}

/* Start execgw-http; its line to the parent ends up in `line`. parent 0 = us. token_fd NULL: no POST /kill. */
static pid_t
http_start_as(const char *listen, const char *extra, pid_t parent, const char *token_fd)
{
    char program[512];
    char fd_text[16];
    char ready_text[16];
    char parent_text[16];
    int p[2];
    size_t n = 0;

    if (getenv("EXECGW_BIN") == NULL)
        SKIP("EXECGW_BIN is not set\n");
    (void)snprintf(program, sizeof(program), "%s/execgw-http", getenv("EXECGW_BIN"));
    CHECK_EQ(access(program, X_OK), 0);
    CHECK_EQ(pipe(p), 0);
    (void)snprintf(parent_text, sizeof(parent_text), "%d", (int)(parent != 0 ? parent : getpid()));
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        (void)snprintf(fd_text, sizeof(fd_text), "%d", page_fd);
        (void)snprintf(ready_text, sizeof(ready_text), "%d", p[1]);
        (void)fcntl(page_fd, F_SETFD, 0);
        (void)close(p[0]);
        (void)execl(program, "execgw-http", "--metrics-fd", fd_text, "--ready-fd", ready_text, "--listen", listen,
                    "--parent", parent_text, token_fd != NULL ? "--token-fd" : extra, token_fd, "--socket",
                    "/no/socket", (char *)NULL);
        _exit(127);
    }
    (void)close(p[1]);
    memset(line, 0, sizeof(line));
    while (n < sizeof(line) - 1) {
        ssize_t r = read(p[0], line + n, sizeof(line) - 1 - n);
        if (r <= 0)
            break;
        n += (size_t)r;
    }
    (void)close(p[0]);
    return pid;
}

static pid_t
http_start(const char *listen, const char *extra, pid_t parent)
{
    return http_start_as(listen, extra, parent, NULL);
}

static int
port_chosen(void)
{
    const char *colon = strrchr(line, ':');
    CHECK_EQ(strncmp(line, "listening ", 10), 0);
    CHECK(colon != NULL);
    return (int)strtol(colon + 1, NULL, 10);
}

static int
http_connect(int port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval wait = { .tv_sec = 20 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* Everything until the server closes, in `answer`. */
static size_t
read_all(int fd)
{
    size_t n = 0;
    for (;;) {
        ssize_t r = recv(fd, answer + n, sizeof(answer) - 1 - n, 0);
        if (r <= 0)
            break;
        n += (size_t)r;
    }
    answer[n] = '\0';
    return n;
}

/* One request on a connection of its own. Returns the status, 0 when it was closed without one. */
static int
request(int port, const char *text)
{
    int fd = http_connect(port);
    CHECK(fd >= 0);
    CHECK_EQ(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
    (void)read_all(fd);
    (void)close(fd);
    return strncmp(answer, "HTTP/1.", 7) == 0 ? (int)strtol(answer + 9, NULL, 10) : 0;
}

static int
get(int port, const char *path)
{
    char text[512];
    (void)snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    return request(port, text);
}

static void
http_end(pid_t pid)
{
    int status = 0;
    CHECK_EQ(kill(pid, HTTP_END_SIGNAL), 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
}

/* Retry until a status comes: the state of health moves with time. */
static int
get_until(int port, const char *path, int wanted)
{
    int status = 0;
    for (unsigned i = 0; i < 200 && (status = get(port, path)) != wanted; i++)
        (void)usleep(100000);
    return status;
}

TEST(metrics_are_served_with_their_type_and_the_parents_process)
{
    page_make();
    metric_add(page, METRIC_ORDER_SENT, 0, 12);
    pid_t pid = http_start("127.0.0.1:0", NULL, 0);
    int port = port_chosen();
    CHECK_EQ(get(port, "/metrics"), 200);
    CHECK(strcasestr(answer, "\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n") != NULL);
    CHECK(strstr(answer, "\nexecgw_order_sent_total{venue=\"binance\"} 12\n") != NULL);
    CHECK(strstr(answer, "\nprocess_resident_memory_bytes ") != NULL);
    CHECK(strstr(answer, "\nprocess_open_fds ") != NULL);
    const char *body = strstr(answer, "\r\n\r\n") + 4;
    const char *length = strcasestr(answer, "content-length: ");
    CHECK(length != NULL);
    CHECK_EQ(strtol(length + 16, NULL, 10), (long)strlen(body));
    metric_add(page, METRIC_ORDER_SENT, 0, 1);
    CHECK_EQ(get(port, "/metrics"), 200);
    CHECK(strstr(answer, "\nexecgw_order_sent_total{venue=\"binance\"} 13\n") != NULL);
    http_end(pid);
}

TEST(a_gateway_that_hides_its_memory_still_shows_its_descriptors)
{
    page_make();
    metric_page_count_fds(page);
    CHECK_EQ(prctl(PR_SET_DUMPABLE, 0), 0);
    pid_t pid = http_start("127.0.0.1:0", NULL, 0);
    int port = port_chosen();
    CHECK_EQ(get(port, "/metrics"), 200);
    CHECK(strstr(answer, "\nprocess_open_fds ") != NULL);
    CHECK(strstr(answer, "\nprocess_cpu_seconds_total ") != NULL);
    CHECK(strstr(answer, "\nprocess_max_fds ") != NULL);
    http_end(pid);
    CHECK_EQ(prctl(PR_SET_DUMPABLE, 1), 0);
}

TEST(a_page_larger_than_the_first_buffer_is_served_whole)
{
    page_make();
    for (uint32_t i = 0; i < INSTRUMENT_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "SYM%uUSDT", i);
        metric_name_instrument(page, i, name, 8);
    }
    pid_t pid = http_start("127.0.0.1:0", NULL, 0);
    int port = port_chosen();
    CHECK_EQ(get(port, "/metrics"), 200);
    CHECK(strstr(answer, "execgw_position{instrument=\"SYM1023USDT\"} 0\n") != NULL);
    CHECK(strstr(answer, "\nprocess_max_fds ") != NULL);
    http_end(pid);
}

TEST(health_follows_the_heartbeat)
{
    page_make();
    pid_t pid = http_start("127.0.0.1:0", NULL, 0);
    int port = port_chosen();
    CHECK_EQ(get(port, "/health"), 503);
    CHECK(strstr(answer, "{\"healthy\":false,\"reason\":\"the gateway's loop has not started\"}\n") != NULL);
    beat();
    CHECK_EQ(get(port, "/health"), 200);
    CHECK(strstr(answer, "{\"healthy\":true}\n") != NULL);
    /* No further beat: it turns by itself. */
    CHECK_EQ(get_until(port, "/health", 503), 503);
    CHECK(strstr(answer, "\"reason\":\"the gateway's heartbeat has stopped\"") != NULL);
    beat();
    CHECK_EQ(get(port, "/health"), 200);
    http_end(pid);
}

TEST(ready_says_what_is_missing)
{
    page_make();
    pid_t pid = http_start("127.0.0.1:0", NULL, 0);
    int port = port_chosen();
    CHECK_EQ(get(port, "/ready"), 503);
    CHECK(strstr(answer, "{\"ready\":false,\"reasons\":[\"the gateway's loop is not running\",\"no book is in sync (2 "
                         "configured)\",\"order entry of binance is not logged on\"]}\n") != NULL);
    metric_set(page, METRIC_BOOKS_IN_SYNC, 0, 1);
    beat();
    CHECK_EQ(get(port, "/ready"), 503);
    CHECK(strstr(answer, "[\"order entry of binance is not logged on\"]") != NULL);
    metric_set(page, METRIC_ORDER_ENTRY_READY, 0, 1);
    beat();
    CHECK_EQ(get(port, "/ready"), 503);
    CHECK(strstr(answer, "[\"the gateway is not ready yet\"]") != NULL);
    metric_add(page, METRIC_JOURNAL_ERRORS, 0, 1);
    beat();
    CHECK_EQ(get(port, "/ready"), 503);
    CHECK(strstr(answer, "[\"the journal cannot be written") != NULL);
    metric_set(page, METRIC_JOURNAL_ERRORS, 0, 0);
    metric_set(page, METRIC_READY, 0, 1);
    beat();
    CHECK_EQ(get(port, "/ready"), 200);
    CHECK(strstr(answer, "{\"ready\":true,\"reasons\":[]}\n") != NULL);
    http_end(pid);
}

TEST(other_paths_methods_and_garbage_are_refused)
{
    char longer[6000];

    page_make();
    pid_t pid = http_start("127.0.0.1:0", NULL, 0);
    int port = port_chosen();
    CHECK_EQ(get(port, "/"), 200);
    CHECK(strstr(answer, "/metrics") != NULL);
    CHECK_EQ(get(port, "/metricsx"), 404);
    CHECK_EQ(get(port, "/../../etc/passwd"), 404);
    CHECK_EQ(get(port, "/metrics?x=1"), 200);
    CHECK_EQ(request(port, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), 405);
    CHECK(strcasestr(answer, "\r\nallow: GET, HEAD\r\n") != NULL);
    CHECK_EQ(request(port, "DELETE /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), 405);
    CHECK_EQ(request(port, "HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), 200);
    CHECK_STR(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
    /* Not HTTP: an answer of 400 or the end of the connection, never more. */
    int status = request(port, "\x16\x03\x01nonsense\r\n\r\n");
    CHECK(status == 0 || (status >= 400 && status < 500));
    memset(longer, 'a', sizeof(longer));
    memcpy(longer, "GET /", 5);
    (void)snprintf(longer + 5000, 100, " HTTP/1.1\r\nHost: x\r\n\r\n");
    status = request(port, longer);
    CHECK(status == 0 || (status >= 400 && status < 500));
    /* An upgrade to WebSocket is not taken. */
    status =
        request(port, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "
                      "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
    CHECK(status != 101);
    CHECK_EQ(get(port, "/"), 200);
    http_end(pid);
}

/* A token as the gateway hands it over; the descriptor's number as text. */
static const char *
token_give(const char *token)
{
    static char text[16];
    int p[2];
    CHECK_EQ(pipe(p), 0);
    CHECK_EQ(write(p[1], token, strlen(token)), (ssize_t)strlen(token));
    (void)close(p[1]);
    (void)snprintf(text, sizeof(text), "%d", p[0]);
    return text;
}

TEST(a_crowd_of_idle_connections_keeps_no_scrape_and_no_kill_out)
{
    static const char post[] = "POST /kill HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer 0123456789abcdef\r\n"
                               "Content-Length: 0\r\nConnection: close\r\n\r\n";
    static const char half[] = "GET /metrics HTTP/1.1\r\nHost: ";
    int fd[400]; /* more than it holds */
    sigset_t usr1;
    const struct timespec wait = { .tv_sec = 20 };

    page_make();
    (void)sigemptyset(&usr1);
    (void)sigaddset(&usr1, SIGUSR1);
    CHECK_EQ(sigprocmask(SIG_BLOCK, &usr1, NULL), 0);
    pid_t pid = http_start_as("127.0.0.1:0", NULL, 0, token_give("0123456789abcdef"));
    int port = port_chosen();
    for (unsigned kind = 0; kind < 2; kind++) { /* silent ones; ones that begin a request and do not end it */
        for (size_t i = 0; i < ARRAY_LEN(fd); i++) {
            fd[i] = http_connect(port);
            CHECK(fd[i] >= 0);
            if (kind == 1)
                (void)send(fd[i], half, sizeof(half) - 1, MSG_NOSIGNAL);
            if (i == 40 || i == 250) /* while they are held, some as old as can be */
                CHECK_EQ(get(port, "/metrics"), 200);
        }
        CHECK_EQ(get(port, "/metrics"), 200);
        /* The gateway is us: nobody answers at its socket, so it gets the signal. */
        CHECK_EQ(request(port, post), 202);
        CHECK_EQ(sigtimedwait(&usr1, NULL, &wait), SIGUSR1);
        for (size_t i = 0; i < ARRAY_LEN(fd); i++)
            (void)close(fd[i]);
    }
    http_end(pid);
    CHECK_EQ(sigprocmask(SIG_UNBLOCK, &usr1, NULL), 0);
}

TEST(answers_that_nobody_takes_keep_nobody_out)
{
    static const char ask[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    int fd[100];
    int small = 1024;

    page_make();
    for (uint32_t i = 0; i < INSTRUMENT_MAX; i++) { /* a page that no socket takes at once */
        char name[16];
        (void)snprintf(name, sizeof(name), "SYM%uUSDT", i);
        metric_name_instrument(page, i, name, 8);
    }
    pid_t pid = http_start("127.0.0.1:0", NULL, 0);
    int port = port_chosen();
    for (size_t i = 0; i < ARRAY_LEN(fd); i++) {
        fd[i] = http_connect(port);
        CHECK(fd[i] >= 0);
        (void)setsockopt(fd[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
        (void)send(fd[i], ask, sizeof(ask) - 1, MSG_NOSIGNAL);
    }
    CHECK_EQ(get(port, "/health"), 503);
    CHECK_EQ(get(port, "/"), 200);
    for (size_t i = 0; i < ARRAY_LEN(fd); i++)
        (void)close(fd[i]);
    http_end(pid);
}

/* Up to the end of the index page; its status. */
static int
read_index(int fd)
{
    size_t n = 0;
    for (;;) {
        ssize_t r = recv(fd, answer + n, sizeof(answer) - 1 - n, 0);
        if (r <= 0)
            return 0;
        n += (size_t)r;
        answer[n] = '\0';
        if (strstr(answer, "order entry logged on\n") != NULL)
            return (int)strtol(answer + 9, NULL, 10);
    }
}

TEST(a_connection_without_a_request_is_closed_soon_and_one_with_requests_is_kept)
{
    static const char ask[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    char byte;

    page_make();
    pid_t pid = http_start("127.0.0.1:0", NULL, 0);
    int port = port_chosen();
    int idle = http_connect(port);
    int kept = http_connect(port);
    CHECK(idle >= 0 && kept >= 0);
    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQ(send(kept, ask, sizeof(ask) - 1, MSG_NOSIGNAL), (ssize_t)sizeof(ask) - 1);
        CHECK_EQ(read_index(kept), 200);
        if (i == 0)
            CHECK_EQ(recv(idle, &byte, 1, 0), 0); /* within the socket's 20 s */
    }
    (void)close(idle);
    (void)close(kept);
    http_end(pid);
}

TEST(what_stops_the_whole_group_leaves_it_to_the_gateway_to_end_it)
{
    int status = 0;

    page_make();
    pid_t pid = http_start("127.0.0.1:0", NULL, 0);
    int port = port_chosen();
    CHECK_EQ(kill(pid, SIGTERM), 0);
    CHECK_EQ(kill(pid, SIGINT), 0);
    CHECK_EQ(get(port, "/metrics"), 200);
    CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
    http_end(pid);
}

TEST(it_ends_with_its_parent)
{
    int p[2];

    page_make();
    CHECK_EQ(pipe(p), 0);
    pid_t middle = fork();
    CHECK(middle >= 0);
    if (middle == 0) {
        /* A gateway that starts execgw-http, says where it listens, and hangs. */
        (void)http_start("127.0.0.1:0", NULL, getpid());
        (void)!write(p[1], line, strlen(line));
        for (;;)
            (void)pause();
    }
    (void)close(p[1]);
    memset(line, 0, sizeof(line));
    CHECK(read(p[0], line, sizeof(line) - 1) > 0);
    int port = port_chosen();
    CHECK_EQ(get(port, "/"), 200);
    CHECK_EQ(kill(middle, SIGKILL), 0);
    CHECK_EQ(waitpid(middle, NULL, 0), middle);
    int fd = 0;
    for (unsigned i = 0; i < 200 && (fd = http_connect(port)) >= 0; i++) {
        (void)close(fd);
        (void)usleep(50000);
    }
    CHECK_EQ(fd, -1);
    (void)close(p[0]);
}

TEST(a_wrong_parent_a_foreign_address_or_a_taken_port_is_said_and_refused)
{
    int status = 0;

    page_make();
    pid_t pid = http_start("127.0.0.1:0", NULL, 1);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(WEXITSTATUS(status), EXIT_FAILED);
    CHECK_STR(line, "error: the gateway (pid 1) is not the parent\n");

    pid = http_start("0.0.0.0:0", NULL, 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(WEXITSTATUS(status), EXIT_USAGE);
    CHECK_STR(line, "error: \"0.0.0.0\" is beyond loopback, expected --remote when that is meant\n");

    pid = http_start("example.com:0", NULL, 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_STR(line, "error: \"example.com\" is no address, expected a number such as 127.0.0.1\n");

    pid_t first = http_start("127.0.0.1:0", NULL, 0);
    char taken[32];
    char wanted[128];
    int port = port_chosen();
    (void)snprintf(taken, sizeof(taken), "127.0.0.1:%d", port);
    (void)snprintf(wanted, sizeof(wanted), "error: 127.0.0.1 port %d cannot be listened on, expected a free port\n",
                   port);
    pid = http_start(taken, NULL, 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(WEXITSTATUS(status), EXIT_UNAVAILABLE);
    CHECK_STR(line, wanted);
    http_end(first);
}

TEST(a_page_of_another_build_is_refused)
{
    int status = 0;

    page_make();
    page->layout++;
    pid_t pid = http_start("127.0.0.1:0", NULL, 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(WEXITSTATUS(status), EXIT_FAILED);
    CHECK_EQ(strncmp(line, "error: descriptor ", 18), 0);
}

TEST_MAIN()
