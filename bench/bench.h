/* What the benchmarks share: the options of a run, the clock, taking turns, and child processes.
 *
 * A case is one function in bench_<name>.c; the table in bench_main.c lists them. Cases that are compared take turns in
 * short rounds inside one run.
 *
 * Always true: a case that could not measure what it says ends the program with a sentence, it never reports a figure;
 * every child is waited for, and ends when its parent does. */
#ifndef EXECGW_BENCH_BENCH_H
#define EXECGW_BENCH_BENCH_H

#include "bench/bench_stat.h"
#include <sys/types.h>
#include <time.h>

struct bench_options {
    double seconds;   /* of one measurement; 0 = the case's own choice */
    unsigned rounds;  /* 0 = the case's own choice */
    uint64_t once;    /* > 0: run so many operations and report nothing (for callgrind) */
    const char *dir;  /* where journals are written */
    const char *tmp;  /* folder of this run's own, in dir; removed at the end */
    const char *peer; /* EXECGW_BENCH_LWS: program to measure as lws-new; NULL = none */
};

struct bench_run {
    struct bench_options opt;
    struct bench_results results;
    double clock_ns; /* median cost of one clock_gettime */
};

/* Say why and end the program (exit code 1). */
_Noreturn void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* One line about what is going on, to standard error. */
void bench_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));

static inline int64_t
bench_now(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* The compiler must assume that what p points at is used, and may have changed. */
static inline void
bench_use(const void *p)
{
    __asm__ volatile("" : : "r"(p) : "memory");
}

/* A function that keeps its name and its calls: for callgrind's --toggle-collect. */
#ifdef __clang__
#define BENCH_ONCE __attribute__((noinline))
#else
#define BENCH_ONCE __attribute__((noipa))
#endif

/* CPU that this process has used, in ns. */
struct bench_cpu {
    int64_t user_ns;
    int64_t system_ns;
};
struct bench_cpu bench_cpu_now(void);

/* The first and the last core that this process may use; pins the calling process to one. */
enum bench_core { BENCH_CORE_PEER, BENCH_CORE_OURS };
void bench_pin(enum bench_core which);

/* A child that runs fn and exits; it dies with its parent. */
pid_t bench_fork(void (*fn)(void *ctx), void *ctx);
void bench_end(pid_t pid);

/* How long one measurement lasts: --seconds, or the case's own. */
static inline double
bench_seconds(const struct bench_run *b, double own)
{
    return b->opt.seconds > 0 ? b->opt.seconds : own;
}

static inline unsigned
bench_rounds(const struct bench_run *b, unsigned own)
{
    return b->opt.rounds > 0 ? b->opt.rounds : own;
}

void bench_decode(struct bench_run *b);
void bench_feed(struct bench_run *b);
void bench_risk(struct bench_run *b);
void bench_journal(struct bench_run *b);
void bench_recovery(struct bench_run *b); /* a part of journal */
void bench_order(struct bench_run *b);
void bench_echo(struct bench_run *b);

/* Hidden: the processes that `feed` starts. argv past the program's name. */
int bench_receiver_main(int argc, char **argv);

#endif
