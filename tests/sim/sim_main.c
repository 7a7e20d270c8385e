/* execgw-sim: run seeds, name the first broken invariant of each that fails. */
#include "tests/sim/sim.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Over so many seeds, fewer orders a seed than this are a simulator that no longer tries anything (some 60 is usual).
 */
#define IDLE_SEEDS  100
#define IDLE_ORDERS 20

struct options {
    uint64_t first;
    uint64_t last;
    int64_t seconds; /* 0 = every seed once */
    uint32_t jobs;
    bool trace;
    bool stop; /* at the first failure */
    bool stats;
};

struct tally {
    uint64_t passed;
    uint64_t failed;
    uint64_t orders;
    uint64_t trades;
    uint64_t crashes;
    uint64_t steps;
};

static volatile sig_atomic_t seed_low;
static uint64_t seed_now;

static const char usage[] =
    "usage: execgw-sim --seeds A-B [--minutes N] [--jobs N] [--stop] [--stats]\n"
    "       execgw-sim --seed N [--trace]\n"
    "\n"
    "Runs the gateway's core on a fake clock against a simulated venue. A seed decides everything that happens; what\n"
    "must hold whatever happens is checked against the venue's own ledger.\n"
    "  --seeds A-B   these seeds, each once\n"
    "  --seed N      one seed\n"
    "  --minutes N   go on with the seeds after B until the time is over\n"
    "  --jobs N      in N processes (default 1)\n"
    "  --trace       print what happens\n"
    "  --stop        end at the first seed that fails\n"
    "  --stats       print how much was simulated\n"
    "A seed that fails prints one line: the seed, and the first invariant that was broken. Exits 1 when any failed.\n";

static bool
number(const char *text, char end, const char **rest, uint64_t *out)
{
    char *stop;

    if (*text < '0' || *text > '9')
        return false;
    *out = strtoull(text, &stop, 10);
    if (*stop != end)
        return false;
    *rest = stop + (end != '\0');
    return true;
}

static bool
parse(int argc, char **argv, struct options *o, const char **wrong)
{
    const char *rest;
    uint64_t v;
    bool seeds = false;

    *o = (struct options){ .jobs = 1 };
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(a, "--seeds") == 0 && number(value, '-', &rest, &o->first) && number(rest, '\0', &rest, &o->last)) {
            seeds = o->first <= o->last;
            i++;
        } else if (strcmp(a, "--seed") == 0 && number(value, '\0', &rest, &o->first)) {
            o->last = o->first;
            seeds = true;
            i++;
        } else if (strcmp(a, "--minutes") == 0 && number(value, '\0', &rest, &v)) {
            o->seconds = (int64_t)v * 60;
            i++;
        } else if (strcmp(a, "--jobs") == 0 && number(value, '\0', &rest, &v) && v >= 1 && v <= 64) {
            o->jobs = (uint32_t)v;
            i++;
        } else if (strcmp(a, "--trace") == 0) {
            o->trace = true;
        } else if (strcmp(a, "--stop") == 0) {
            o->stop = true;
        } else if (strcmp(a, "--stats") == 0) {
            o->stats = true;
        } else {
            *wrong = argv[i];
            return false;
        }
    }
    return seeds;
}

/* An assertion of the code under test, or a bad access: the seed is named like any other failure. */
static void
on_signal(int sig)
{
    char text[96];
    uint64_t v = seed_now;
    char digits[24];
    size_t n = sizeof(digits);
    size_t len = 0;

    (void)seed_low;
    do {
        digits[--n] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    memcpy(text, "seed ", 5);
    len = 5;
    memcpy(text + len, digits + n, sizeof(digits) - n);
    len += sizeof(digits) - n;
    static const char aborted[] = ": FAILED: an assertion of the gateway (see above)\n";
    static const char crashed[] = ": FAILED: a bad memory access\n";
    const char *why = sig == SIGABRT ? aborted : crashed;
    memcpy(text + len, why, strlen(why));
    len += strlen(why);
    (void)!write(STDOUT_FILENO, text, len);
    _exit(1);
}

static int64_t
seconds_now(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec;
}

/* Every jobs-th seed from the job's own. */
static struct tally
run(const struct options *o, uint32_t job)
{
    struct sim *s = (struct sim *)calloc(1, sizeof(*s));
    struct tally t = { 0 };
    int64_t end = seconds_now() + o->seconds;

    s->pool = (uint8_t *)malloc(SIM_POOL);
    for (uint64_t seed = o->first + job; seed <= o->last || (o->seconds > 0 && seconds_now() < end); seed += o->jobs) {
        seed_now = seed;
        bool ok = sim_run(s, seed, o->trace);
        t.passed += ok;
        t.failed += !ok;
        t.orders += s->placed;
        t.trades += s->trades_made;
        t.crashes += s->crashes;
        t.steps += s->steps;
        if (!ok) {
            printf("seed %llu: FAILED: %s\n", (unsigned long long)seed, s->failure);
            (void)fflush(stdout);
            if (o->stop)
                break;
        }
    }
    core_release(s);
    clients_release(s);
    free(s->pool);
    free(s);
    return t;
}

static void
add(struct tally *sum, const struct tally *t)
{
    sum->passed += t->passed;
    sum->failed += t->failed;
    sum->orders += t->orders;
    sum->trades += t->trades;
    sum->crashes += t->crashes;
    sum->steps += t->steps;
}

/* In processes of their own: a core that asserts costs its job, whose seeds count as failed from there. */
static struct tally
run_jobs(const struct options *o)
{
    struct tally sum = { 0 };
    int fd[64][2];
    pid_t pid[64];

    for (uint32_t i = 0; i < o->jobs; i++) {
        if (pipe(fd[i]) != 0)
            exit(2);
        pid[i] = fork();
        if (pid[i] == 0) {
            struct tally t = run(o, i);
            (void)!write(fd[i][1], &t, sizeof(t));
            (void)fflush(stdout);
            _exit(0);
        }
        (void)close(fd[i][1]);
    }
    for (uint32_t i = 0; i < o->jobs; i++) {
        struct tally t;
        int status = 0;
        if (read(fd[i][0], &t, sizeof(t)) == (ssize_t)sizeof(t))
            add(&sum, &t);
        else
            sum.failed++;
        (void)waitpid(pid[i], &status, 0);
    }
    return sum;
}

int
main(int argc, char **argv)
{
    struct options o;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        (void)fputs(usage, stdout);
        return 0;
    }
    const char *wrong = NULL;
    if (!parse(argc, argv, &o, &wrong)) {
        (void)fprintf(stderr, "execgw-sim: %s: not what is expected; --help lists what there is\n",
                      wrong != NULL ? wrong : "no seeds");
        return 64;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    (void)signal(SIGABRT, on_signal);
#ifndef EXECGW_SANITIZED
    (void)signal(SIGSEGV, on_signal);
#endif
    struct tally t = o.jobs > 1 ? run_jobs(&o) : run(&o, 0);
    if (o.stats)
        printf("%llu orders, %llu trades, %llu crashes, %llu events\n", (unsigned long long)t.orders,
               (unsigned long long)t.trades, (unsigned long long)t.crashes, (unsigned long long)t.steps);
    printf("%llu passed, %llu failed\n", (unsigned long long)t.passed, (unsigned long long)t.failed);
    if (t.passed >= IDLE_SEEDS && t.orders < t.passed * IDLE_ORDERS) {
        printf("too few orders to prove anything: %llu in %llu seeds; something denies what the faults are to meet\n",
               (unsigned long long)t.orders, (unsigned long long)t.passed);
        return 1;
    }
    return t.failed == 0 ? 0 : 1;
}
