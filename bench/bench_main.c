/* execgw-bench: what the gateway costs, beside what the kernel alone costs and what others cost, in one run. */
#include "bench/bench.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
    const char *name;
    void (*run)(struct bench_run *b);
    const char *text;
} benches[] = {
    { "decode", bench_decode, "one market-data message from text to integers; peer: jansson on the same bytes" },
    { "feed", bench_feed, "all CPU per 180-byte WebSocket message, socket to book and ring; floor and peers" },
    { "risk", bench_risk, "all pre-trade checks of an accepted order, 1,000 instruments, 10,000 open orders" },
    { "journal", bench_journal, "append of an order intent to a journal on a real file system" },
    { "order", bench_order,
      "client's submit stamp to the return of the sending call, session logged on; floor: send()" },
    { "echo", bench_echo, "round trip over loopback through the loop; floor: send() and recv()" },
};

static const char usage_text[] =
    "usage: execgw-bench NAME [--json FILE] [--hgrm DIR] [--plot DIR] [--seconds N] [--rounds N] [--dir DIR]\n"
    "                    [--once N]\n"
    "\n"
    "  --json FILE    write the run as JSON (`all` without it: the last line of standard output)\n"
    "  --hgrm DIR     write each case's percentiles as HdrHistogram text\n"
    "  --plot DIR     write each case's percentiles for gnuplot, and a picture if gnuplot is there\n"
    "  --seconds N    length of one measurement (feed, order, journal 10, others 2)\n"
    "  --rounds N     how often the cases take turns (feed 5, others 9)\n"
    "  --dir DIR      where journals are written (TMPDIR, else /tmp); a tmpfs has no sync to wait for\n"
    "  --once N       run N operations of decode, risk or journal and measure nothing: for valgrind --tool=callgrind\n"
    "\n"
    "  EXECGW_BENCH_LWS=PROGRAM   also measure a newer libwebsockets as `lws-new`, see docs/benchmarks.md\n"
    "\n"
    "NAME is one of:\n";

void
bench_die(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    (void)fputs("execgw-bench: ", stderr);
    (void)vfprintf(stderr, format, ap);
    (void)fputc('\n', stderr);
    va_end(ap);
    exit(EXIT_FAILED);
}

void
bench_progress(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    (void)vfprintf(stderr, format, ap);
    (void)fputc('\n', stderr);
    va_end(ap);
}

struct bench_cpu
bench_cpu_now(void)
{
    struct rusage u;

    (void)getrusage(RUSAGE_SELF, &u);
    return (struct bench_cpu){ u.ru_utime.tv_sec * NS_PER_S + u.ru_utime.tv_usec * NS_PER_US,
                               u.ru_stime.tv_sec * NS_PER_S + u.ru_stime.tv_usec * NS_PER_US };
}

void
bench_pin(enum bench_core which)
{
    static cpu_set_t all;
    cpu_set_t one;
    int first = -1;
    int last = -1;

    if (CPU_COUNT(&all) == 0)
        (void)sched_getaffinity(0, sizeof(all), &all);
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (!CPU_ISSET((size_t)i, &all))
            continue;
        first = first < 0 ? i : first;
        last = i;
    }
    if (first == last)
        return;
    CPU_ZERO(&one);
    CPU_SET((size_t)(which == BENCH_CORE_PEER ? first : last), &one);
    (void)sched_setaffinity(0, sizeof(one), &one);
}

pid_t
bench_fork(void (*fn)(void *ctx), void *ctx)
{
    (void)fflush(NULL);
    pid_t pid = fork();

    if (pid < 0)
        bench_die("no child process: %s", strerror(errno));
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        fn(ctx);
        _exit(0);
    }
    return pid;
}

void
bench_end(pid_t pid)
{
    int status;

    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, &status, 0);
}

static double
clock_cost(void)
{
    double cost[BENCH_ROUNDS_MAX];

    for (unsigned r = 0; r < BENCH_ROUNDS_MAX; r++) {
        int64_t start = bench_now();
        for (int i = 0; i < 1000; i++)
            (void)bench_now();
        cost[r] = (double)(bench_now() - start) / 1001.0;
    }
    return bench_median(cost, BENCH_ROUNDS_MAX);
}

static _Noreturn void
usage(void)
{
    (void)fputs(usage_text, stdout);
    for (size_t i = 0; i < ARRAY_LEN(benches); i++)
        printf("  %-8s %s\n", benches[i].name, benches[i].text);
    printf("  %-8s every one of them\n", "all");
    exit(EXIT_OK);
}

__attribute__((format(printf, 1, 2))) static _Noreturn void
misuse(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    (void)fputs("execgw-bench: ", stderr);
    (void)vfprintf(stderr, format, ap);
    (void)fputs("; --help lists them\n", stderr);
    va_end(ap);
    exit(EXIT_USAGE);
}

static double
number(const char *option, const char *text, double most)
{
    char *end;
    double v = strtod(text, &end);

    if (end == text || *end != '\0' || !(v > 0) || v > most) {
        (void)fprintf(stderr, "execgw-bench: --%s: '%s' is no number above 0 and up to %.0f\n", option, text, most);
        exit(EXIT_USAGE);
    }
    return v;
}

struct outputs {
    const char *json;
    const char *hgrm;
    const char *plot;
};

/* Returns the bench's name. */
static const char *
options(int argc, char **argv, struct bench_options *o, struct outputs *out)
{
    static const struct option list[] = {
        { "json", required_argument, NULL, 'j' },   { "hgrm", required_argument, NULL, 'g' },
        { "plot", required_argument, NULL, 'p' },   { "seconds", required_argument, NULL, 's' },
        { "rounds", required_argument, NULL, 'r' }, { "dir", required_argument, NULL, 'd' },
        { "once", required_argument, NULL, 'o' },   { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },      { NULL, 0, NULL, 0 },
    };
    int c;

    opterr = 0;
    while ((c = getopt_long(argc, argv, ":h", list, NULL)) != -1) {
        switch (c) {
        case 'j': out->json = optarg; break;
        case 'g': out->hgrm = optarg; break;
        case 'p': out->plot = optarg; break;
        case 's': o->seconds = number("seconds", optarg, 3600); break;
        case 'r': o->rounds = (unsigned)number("rounds", optarg, BENCH_ROUNDS_MAX); break;
        case 'd': o->dir = optarg; break;
        case 'o': o->once = (uint64_t)number("once", optarg, 1e12); break;
        case 'h': usage();
        case 'V': printf("execgw-bench %s\n", EXECGW_VERSION); exit(EXIT_OK);
        case ':': misuse("%s: expected a value after it", argv[optind - 1]);
        default: misuse("%s: there is no such option", argv[optind - 1]);
        }
    }
    if (optind != argc - 1)
        misuse("expected %s", optind == argc ? "the NAME of a bench" : "one NAME");
    return argv[optind];
}

static void
write_outputs(const struct bench_run *b, const struct bench_host *h, const struct outputs *out, bool all)
{
    struct fault fault;

    bench_table(&b->results, h, stdout);
    if (out->hgrm != NULL && !bench_hgrm(&b->results, out->hgrm, &fault))
        bench_die("--hgrm: %s", fault.text);
    if (out->plot != NULL && !bench_plot(&b->results, out->plot, &fault))
        bench_die("--plot: %s", fault.text);
    if (out->json != NULL) {
        FILE *f = fopen(out->json, "we");
        if (f == NULL)
            bench_die("--json %s: %s", out->json, strerror(errno));
        if (!bench_json(&b->results, h, f, true) || fputc('\n', f) == EOF || fclose(f) != 0)
            bench_die("--json %s: could not be written", out->json);
    } else if (all) {
        (void)bench_json(&b->results, h, stdout, false);
        (void)putchar('\n');
    }
}

static void
remove_tmp(const char *dir)
{
    char *argv[] = { "rm", "-rf", "--", (char *)dir, NULL };
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        (void)execvp(argv[0], argv);
        _exit(127);
    }
    if (pid > 0)
        (void)waitpid(pid, &status, 0);
}

static bool
meant(const char *name, size_t i)
{
    return strcmp(name, "all") == 0 || strcmp(name, benches[i].name) == 0;
}

static void
run(struct bench_run *b, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(benches); i++)
        if (meant(name, i))
            benches[i].run(b);
}

static void
check_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(benches); i++)
        if (meant(name, i))
            return;
    misuse("there is no bench '%s'", name);
}

static volatile pid_t child;

/* The run ends, its children with it; then the folder is removed. */
static void
stop(int signal_number)
{
    if (child > 0)
        (void)kill(child, SIGKILL);
    (void)signal_number;
}

int
main(int argc, char **argv)
{
    static struct bench_run b;
    struct bench_host host;
    struct outputs out = { NULL, NULL, NULL };
    static char tmp[512];

    (void)signal(SIGPIPE, SIG_IGN);
    if (argc > 1 && strcmp(argv[1], "--receiver") == 0)
        return bench_receiver_main(argc - 2, argv + 2);
    const char *env = getenv("TMPDIR");
    b.opt.dir = env != NULL && env[0] != '\0' ? env : "/tmp";
    b.opt.peer = getenv("EXECGW_BENCH_LWS");
    const char *name = options(argc, argv, &b.opt, &out);
    check_name(name);
    (void)snprintf(tmp, sizeof(tmp), "%s/execgw-bench-XXXXXX", b.opt.dir);
    if (mkdtemp(tmp) == NULL)
        bench_die("--dir %s: no folder can be made there: %s", b.opt.dir, strerror(errno));
    b.opt.tmp = tmp;
    bench_host(&host, false);
    b.clock_ns = clock_cost();
    if (b.opt.once > 0) {
        run(&b, name);
        remove_tmp(tmp);
        (void)fflush(NULL);
        _exit(0); /* nothing of a case is given back */
    }
    pid_t self = fork(); /* the run, so that the folder goes whatever becomes of it */
    if (self == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        run(&b, name);
        bench_host(&host, true);
        write_outputs(&b, &host, &out, strcmp(name, "all") == 0);
        bench_results_free(&b.results);
        (void)fflush(NULL);
        _exit(0);
    }
    int status = 1;
    child = self;
    (void)signal(SIGTERM, stop);
    (void)signal(SIGINT, stop);
    if (self > 0)
        (void)waitpid(self, &status, 0);
    remove_tmp(tmp);
    if (WIFSIGNALED(status))
        bench_die("the run ended by signal %d", WTERMSIG(status));
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILED;
}
