/* execgw-http as a child: forked and executed before keys are read, given the metrics page, the address to serve and
 * (where POST /kill is served) the token, each by a file descriptor; its first line says whether it listens. From
 * main(), before the core starts; monitoring/ has the program itself.
 *
 * Always true: the token passes through a pipe, never an argument or the environment; the child dies with its parent.
 */
#include "engine/startup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/* The token of POST /kill into a pipe that the child reads; -1 when it is not served. False: it cannot be had. */
static bool
token_pipe(const struct app *a, int *fd, struct fault *fault)
{
    struct key_file token = { 0 };
    struct fault why;
    int fds[2];

    *fd = -1;
    if (a->config.kill.token_file[0] == '\0')
        return true;
    if (!key_file_read(a->config.kill.token_file, &token, &why))
        return FAULT(fault, "kill.token_file: %.230s", why.text);
    bool ok = pipe2(fds, O_CLOEXEC) == 0;
    if (ok) {
        ok = token.len < 4096 && write(fds[1], token.bytes, token.len) == (ssize_t)token.len; /* fits any pipe */
        (void)close(fds[1]);
        *fd = fds[0];
    }
    key_file_release(&token);
    return ok || FAULT(fault, "kill.token_file: no pipe to execgw-http: %s", strerror(errno));
}

/* As the child must name it, which changes its folder. */
static void
absolute_path(const char *path, char *out, size_t room)
{
    char cwd[256];

    if (path[0] == '/' || getcwd(cwd, sizeof(cwd)) == NULL)
        (void)snprintf(out, room, "%s", path);
    else
        (void)snprintf(out, room, "%s/%s", cwd, path);
}

static _Noreturn void
http_exec(const struct app *a, int ready_fd, int token_fd, pid_t parent)
{
    char token[16];
    char socket[512];
    char path[512];
    char metrics[16];
    char ready[16];
    char pid[16];
    sigset_t none;
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 16);

    if (n < 0)
        _exit(EXIT_FAILED);
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    memcpy(slash != NULL ? slash + 1 : path, "execgw-http", sizeof("execgw-http"));
    (void)snprintf(metrics, sizeof(metrics), "%d", a->metrics_fd);
    (void)snprintf(ready, sizeof(ready), "%d", ready_fd);
    (void)snprintf(pid, sizeof(pid), "%d", (int)parent);
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL); /* ours are taken by sigtimedwait; the child handles its own */
    (void)fcntl(a->metrics_fd, F_SETFD, 0);
    (void)fcntl(ready_fd, F_SETFD, 0);
    if (token_fd >= 0)
        (void)fcntl(token_fd, F_SETFD, 0);
    (void)snprintf(token, sizeof(token), "%d", token_fd);
    absolute_path(startup_socket_path(&a->config), socket, sizeof(socket));
    char *argv[] = { path,
                     "--metrics-fd",
                     metrics,
                     "--listen",
                     (char *)a->config.monitoring.listen,
                     "--parent",
                     pid,
                     "--ready-fd",
                     ready,
                     NULL,
                     NULL,
                     NULL,
                     NULL,
                     NULL,
                     NULL };
    size_t n_args = 9;
    if (a->config.monitoring.listen_remote)
        argv[n_args++] = "--remote";
    if (token_fd >= 0) {
        argv[n_args++] = "--token-fd";
        argv[n_args++] = token;
        argv[n_args++] = "--socket";
        argv[n_args++] = socket;
    }
    (void)execv(path, argv);
    (void)dprintf(ready_fd, "error: %s cannot be started: %s\n", path, strerror(errno));
    _exit(EXIT_FAILED);
}

bool
http_start(struct app *a, char *listen, struct fault *fault)
{
    int fds[2];
    char line[256];
    size_t have = 0;
    pid_t parent = getpid();
    int token_fd;

    if (!token_pipe(a, &token_fd, fault))
        return false;
    if (pipe2(fds, O_CLOEXEC) != 0) {
        if (token_fd >= 0)
            (void)close(token_fd);
        return FAULT(fault, "monitoring: no pipe to execgw-http: %s", strerror(errno));
    }
    pid_t pid = fork();
    if (pid == 0)
        http_exec(a, fds[1], token_fd, parent);
    (void)close(fds[1]);
    if (token_fd >= 0)
        (void)close(token_fd);
    if (pid < 0) {
        (void)close(fds[0]);
        return FAULT(fault, "monitoring: execgw-http cannot be forked: %s", strerror(errno));
    }
    a->http_pid = pid;
    while (have < sizeof(line) - 1) {
        ssize_t n = read(fds[0], line + have, sizeof(line) - 1 - have);
        if (n <= 0)
            break;
        have += (size_t)n;
    }
    (void)close(fds[0]);
    line[have] = '\0';
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "error: ", 7) == 0)
        return FAULT(fault, "monitoring.listen: %.220s", line + 7);
    if (strncmp(line, "listening ", 10) != 0)
        return FAULT(fault, "monitoring.listen: execgw-http ended before it said where it listens");
    (void)snprintf(listen, 64, "%.63s", line + 10);
    return true;
}
