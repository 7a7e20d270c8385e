/* What makes an armed core provable: after armed_begin() any libc allocation on that thread, and any system call of it
 * but io_uring's, ends the process with a message. Linked into execgw-armed, the gateway that e2e_armed.py runs. */
#include "engine/armed.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

static __thread bool armed;

static _Noreturn void
die(const char *what, long number)
{
    char text[128];
    int n = snprintf(text, sizeof(text), "armed core: %s %ld\n", what, number);

    armed = false;
    if (write(STDERR_FILENO, text, n > 0 ? (size_t)n : 0) < 0)
        _exit(98);
    _exit(99);
}

/* ---- allocations ---- */

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t m);
extern void *__libc_realloc(void *p, size_t n);
extern void __libc_free(void *p);
void *malloc(size_t n);
void *calloc(size_t n, size_t m);
void *realloc(void *p, size_t n);
void free(void *p);

void *
malloc(size_t n)
{
    if (armed)
        die("malloc", (long)n);
    return __libc_malloc(n);
}

void *
calloc(size_t n, size_t m)
{
    if (armed)
        die("calloc", (long)(n * m));
    return __libc_calloc(n, m);
}

void *
realloc(void *p, size_t n)
{
    if (armed)
        die("realloc", (long)n);
    return __libc_realloc(p, n);
}

void
free(void *p)
{
    if (armed && p != NULL)
        die("free", 0);
    __libc_free(p);
}

/* ---- system calls ---- */

static void
on_sigsys(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)context;
    die("system call", info->si_syscall);
}

#define ALLOW(nr) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* What the thread may do until it ends: io_uring_enter; the message of die(); what a thread's own end takes. */
static void
filter_set(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ALLOW(SYS_io_uring_enter),
        ALLOW(SYS_exit),
        ALLOW(SYS_exit_group),
        /* write, to standard error only: die() */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, STDERR_FILENO, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        ALLOW(SYS_madvise),
        ALLOW(SYS_rt_sigprocmask),
        ALLOW(SYS_rt_sigreturn),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    };
    struct sock_fprog prog = { .len = ARRAY_LEN(code), .filter = code };
    struct sigaction sa = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };

    if (sigaction(SIGSYS, &sa, NULL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) != 0)
        die("the filter cannot be set, errno", errno);
}

/* EXECGW_ARMED_BREAK=malloc or =getppid does what an armed core must not: the test sees that it is caught. */
void
armed_begin(void)
{
    const char *broken = getenv("EXECGW_ARMED_BREAK");

    filter_set();
    armed = true;
    if (broken != NULL && strcmp(broken, "malloc") == 0) {
        void *volatile p = malloc(8); /* volatile: or the pair is optimised away */
        free(p);
    }
    if (broken != NULL && strcmp(broken, "getppid") == 0)
        (void)getppid();
}

void
armed_end(void)
{
    armed = false;
}
