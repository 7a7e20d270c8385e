/* execgw-cli doctor: whether this machine, this configuration and this network can run a gateway. See cli.h.
 *
 * Each check is one line: ok, warn or fail, and a sentence that says what was found and, when it is not well, what was
 * expected. Changes nothing, sends nothing to a venue but a TCP connection. */
#include "engine/cli/cli.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNECT_MS    3000
#define DISK_LOW      (INT64_C(1) << 30)
#define ENDPOINTS_MAX 24
#define NEEDS_MAJOR   6 /* multishot receive with a buffer ring: Linux 6.0 */

enum health { HEALTH_OK, HEALTH_WARN, HEALTH_FAIL };

struct doctor {
    struct cli *c;
    unsigned count[3];
    char binary[512]; /* execgw, beside us */
    const char *config;
};

__attribute__((format(printf, 4, 5))) static void
say(struct doctor *d, enum health h, const char *check, const char *format, ...)
{
    static const char *const word[] = { "ok", "warn", "fail" };
    char text[400];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    d->count[h]++;
    if (d->c->json)
        cli_print_json(json_pack("{s:s,s:s,s:s}", "check", check, "result", word[h], "text", text));
    else
        printf("%-5s %-12s %s\n", word[h], check, text);
}

/* The first line of a small file; "" when it cannot be read. */
static const char *
line_of(const char *path, char *buf, size_t room)
{
    FILE *f = fopen(path, "re");

    buf[0] = '\0';
    if (f == NULL)
        return buf;
    if (fgets(buf, (int)room, f) == NULL)
        buf[0] = '\0';
    buf[strcspn(buf, "\n")] = '\0';
    (void)fclose(f);
    return buf;
}

/* ---- this machine ------------------------------------------------------------------------------------------------ */

static void
check_kernel(struct doctor *d)
{
    struct utsname u;
    struct io_uring_params p = { 0 };

    (void)uname(&u);
    if (strtol(u.release, NULL, 10) >= NEEDS_MAJOR)
        say(d, HEALTH_OK, "kernel", "Linux %.60s", u.release);
    else
        say(d, HEALTH_FAIL, "kernel", "Linux %.60s, expected 6.0 or later: io_uring's multishot receive is missing",
            u.release);
    long fd = syscall(SYS_io_uring_setup, 8, &p);
    if (fd >= 0) {
        (void)close((int)fd);
        say(d, HEALTH_OK, "io_uring", "a ring can be made (features %#x)", p.features);
    } else {
        say(d, HEALTH_FAIL, "io_uring",
            "no ring can be made: %s; expected kernel.io_uring_disabled = 0 and no seccomp filter against it",
            strerror(errno));
    }
    int mem = memfd_create("execgw-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (mem >= 0 && fcntl(mem, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE) == 0)
        say(d, HEALTH_OK, "memfd", "shared memory can be sealed");
    else
        say(d, HEALTH_FAIL, "memfd", "shared memory cannot be sealed: %s", strerror(errno));
    if (mem >= 0)
        (void)close(mem);
}

static void
check_limits(struct doctor *d)
{
    struct rlimit r;

    (void)getrlimit(RLIMIT_MEMLOCK, &r);
    if (r.rlim_cur >= (64u << 20))
        say(d, HEALTH_OK, "memlock", "RLIMIT_MEMLOCK is enough for memory.lock");
    else
        say(d, HEALTH_WARN, "memlock", "RLIMIT_MEMLOCK is %llu KiB: memory.lock = true will need more",
            (unsigned long long)r.rlim_cur / 1024);
    (void)getrlimit(RLIMIT_NOFILE, &r);
    say(d, r.rlim_cur >= 256 ? HEALTH_OK : HEALTH_FAIL, "files", "RLIMIT_NOFILE is %llu, expected at least 256",
        (unsigned long long)r.rlim_cur);
    say(d, sysconf(_SC_NPROCESSORS_ONLN) >= 2 ? HEALTH_OK : HEALTH_WARN, "cores",
        "%ld cores; a busy loop wants one of its own", sysconf(_SC_NPROCESSORS_ONLN));
}

static void
check_clock(struct doctor *d)
{
    struct timex t = { 0 };
    char source[64];

    int state = adjtimex(&t);
    if (state == TIME_ERROR || (t.status & STA_UNSYNC) != 0)
        say(d, HEALTH_WARN, "clock",
            "the wall clock is not kept by NTP; signed requests carry it, and a venue refuses "
            "them beyond recv_window_ms");
    else
        say(d, HEALTH_OK, "clock", "kept by NTP, estimated error %ld us", t.esterror);
    (void)line_of("/sys/devices/system/clocksource/clocksource0/current_clocksource", source, sizeof(source));
    if (strcmp(source, "tsc") == 0 || strcmp(source, "kvm-clock") == 0 || source[0] == '\0')
        say(d, HEALTH_OK, "clocksource", "%s", source[0] != '\0' ? source : "not told");
    else
        say(d, HEALTH_WARN, "clocksource", "%s: reading the clock is a system call; expected tsc", source);
}

/* ---- the configuration ------------------------------------------------------------------------------------------- */

/* Run execgw with these arguments; its output is read to `out`. The exit code, or -1. */
static int
execgw_run(const struct doctor *d, const char *flag, char *out, size_t room)
{
    int fds[2];
    int status = -1;
    size_t n = 0;

    out[0] = '\0';
    if (pipe2(fds, O_CLOEXEC) != 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(fds[1], STDOUT_FILENO);
        (void)dup2(fds[1], STDERR_FILENO);
        (void)execl(d->binary, "execgw", "--config", d->config, flag, (char *)NULL);
        _exit(127);
    }
    (void)close(fds[1]);
    while (pid > 0 && n < room - 1) {
        ssize_t r = read(fds[0], out + n, room - 1 - n);
        if (r <= 0)
            break;
        n += (size_t)r;
    }
    out[n] = '\0';
    (void)close(fds[0]);
    if (pid > 0)
        (void)waitpid(pid, &status, 0);
    return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
find_binary(struct doctor *d)
{
    ssize_t n = readlink("/proc/self/exe", d->binary, sizeof(d->binary) - 16);

    d->binary[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(d->binary, '/');
    (void)snprintf(slash != NULL ? slash + 1 : d->binary, 16, "execgw");
}

/* The value of `key = "..."` in a line of --print-config; false when it is another line. */
static bool
setting(const char *line, const char *key, char *value, size_t room)
{
    size_t n = strlen(key);

    if (strncmp(line, key, n) != 0 || strncmp(line + n, " = \"", 4) != 0)
        return false;
    size_t len = strcspn(line + n + 4, "\"\n");
    (void)snprintf(value, room, "%.*s", (int)MIN(len, room - 1), line + n + 4);
    return value[0] != '\0';
}

/* The folder, or the nearest one above it that is there: it will be made in that. */
static void
check_folder(struct doctor *d, const char *check, const char *path, bool space)
{
    char dir[512];
    struct statvfs v;

    (void)snprintf(dir, sizeof(dir), "%s", path);
    while (access(dir, F_OK) != 0) {
        char *slash = strrchr(dir, '/');
        if (slash == NULL || slash == dir) {
            (void)snprintf(dir, sizeof(dir), "%s", slash == dir ? "/" : ".");
            break;
        }
        *slash = '\0';
    }
    if (access(dir, W_OK | X_OK) != 0) {
        say(d, HEALTH_FAIL, check, "%.200s cannot be written (%s), expected a folder of ours", dir, strerror(errno));
        return;
    }
    int64_t left = statvfs(dir, &v) == 0 ? (int64_t)v.f_bavail * (int64_t)v.f_frsize : INT64_MAX;
    if (space && left < DISK_LOW)
        say(d, HEALTH_WARN, check, "%.200s: %lld MiB left, expected at least %lld", dir, (long long)(left >> 20),
            (long long)(DISK_LOW >> 20));
    else
        say(d, HEALTH_OK, check, "%.200s can be written", dir);
}

/* ---- the network ------------------------------------------------------------------------------------------------- */

static bool
connects(const struct addrinfo *a, char *why, size_t room)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int err = 0;
    socklen_t len = sizeof(err);

    if (fd < 0) {
        (void)snprintf(why, room, "%s", strerror(errno));
        return false;
    }
    if (connect(fd, a->ai_addr, a->ai_addrlen) != 0 && errno != EINPROGRESS) {
        err = errno;
    } else {
        struct pollfd p = { .fd = fd, .events = POLLOUT };
        if (poll(&p, 1, CONNECT_MS) <= 0)
            err = ETIMEDOUT;
        else
            (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
    }
    (void)close(fd);
    (void)snprintf(why, room, "%s", strerror(err));
    return err == 0;
}

/* scheme://host[:port]/... */
static void
check_url(struct doctor *d, const char *key, const char *url)
{
    char host[256];
    char port[8];
    char why[100] = "no address";
    const char *at = strstr(url, "://");
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    bool ok = false;

    if (at == NULL)
        return;
    at += 3;
    size_t n = strcspn(at, ":/");
    (void)snprintf(host, sizeof(host), "%.*s", (int)MIN(n, sizeof(host) - 1), at);
    bool plain = strncmp(url, "ws://", 5) == 0 || strncmp(url, "http://", 7) == 0;
    if (at[n] == ':')
        (void)snprintf(port, sizeof(port), "%.*s", (int)MIN(strcspn(at + n + 1, "/"), sizeof(port) - 1), at + n + 1);
    else
        (void)snprintf(port, sizeof(port), "%s", plain ? "80" : "443");
    int e = getaddrinfo(host, port, &hints, &list);
    if (e != 0)
        (void)snprintf(why, sizeof(why), "its name: %s", gai_strerror(e));
    for (const struct addrinfo *a = list; a != NULL && !ok; a = a->ai_next)
        ok = connects(a, why, sizeof(why));
    if (list != NULL)
        freeaddrinfo(list);
    if (ok)
        say(d, HEALTH_OK, "venue", "%s: %.150s port %s takes connections", key, host, port);
    else
        say(d, HEALTH_FAIL, "venue", "%s: %.150s port %s cannot be reached: %s", key, host, port, why);
}

static void
check_config(struct doctor *d)
{
    static const char *const urls[] = { "market_url", "api_url", "rest_url" };
    static char out[262144];
    char value[512];
    unsigned endpoints = 0;

    int code = execgw_run(d, "--check-config", out, sizeof(out));
    if (code != EXIT_OK) {
        out[strcspn(out, "\n")] = '\0';
        say(d, HEALTH_FAIL, "config", code == 127 ? "%.100s cannot be started" : "%.300s",
            code == 127 ? d->binary : out);
        return;
    }
    say(d, HEALTH_OK, "config", "%.200s has no errors", d->config);
    if (execgw_run(d, "--print-config", out, sizeof(out)) != EXIT_OK)
        return;
    char *save = NULL;
    for (char *line = strtok_r(out, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        if (setting(line, "dir", value, sizeof(value)))
            check_folder(d, "journal", value, true);
        for (size_t i = 0; i < ARRAY_LEN(urls); i++)
            if (setting(line, urls[i], value, sizeof(value)) && endpoints++ < ENDPOINTS_MAX)
                check_url(d, urls[i], value);
    }
}

static void
check_gateway(struct doctor *d)
{
    struct execgw_options opt = {
        .path = d->c->socket, .strategy = "execgw-cli", .role = ROLE_OPERATOR, .timeout_ms = 1000
    };
    struct fault fault = { .text = "" };
    struct execgw *h = NULL;

    if (execgw_open(&opt, &h, &fault) == EXECGW_OK)
        say(d, HEALTH_OK, "gateway", "one runs, process %u, and takes us as operator", execgw_gateway_pid(h));
    else
        say(d, HEALTH_WARN, "gateway", "none that would take us: %.250s", fault.text);
    execgw_close(h);
}

int
cli_doctor(struct cli *c)
{
    struct doctor d = { .c = c, .config = c->argc > 0 ? c->argv[0] : NULL };

    find_binary(&d);
    check_kernel(&d);
    check_limits(&d);
    check_clock(&d);
    if (d.config != NULL)
        check_config(&d);
    else
        say(&d, HEALTH_WARN, "config", "not looked at: give its path");
    check_gateway(&d);
    if (!c->json)
        printf("%u ok, %u warnings, %u failed\n", d.count[HEALTH_OK], d.count[HEALTH_WARN], d.count[HEALTH_FAIL]);
    return d.count[HEALTH_FAIL] == 0 ? EXIT_OK : EXIT_FAILED;
}
