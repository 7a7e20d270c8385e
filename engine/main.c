/* execgw: the gateway's process. Reads the configuration, builds the parts, starts the core thread, then waits for
 * signals.
 *
 * The first thread never trades: it takes signals, reloads limits, and ends what it started, in order. */
#include "engine/build_commit.h"
#include "engine/kill_file.h"
#include "engine/redis_kill.h"
#include "engine/reload.h"
#include "monitoring/metric_page.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static struct app app; /* the one state of the process; everything below main gets it by argument */

/* An assertion failed somewhere: what the journal holds goes to disk before the process ends. */
static void
on_abort(int sig)
{
    (void)sig;
    if (app.files != NULL)
        (void)journal_file_sync(app.files); /* NOLINT(bugprone-signal-handler): msync only, see its header */
    (void)signal(SIGABRT, SIG_DFL);
    (void)raise(SIGABRT);
}

static void
block_signals(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGHUP);
    (void)sigaddset(set, SIGUSR1);
    (void)sigaddset(set, SIGCHLD);
    (void)pthread_sigmask(SIG_BLOCK, set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGABRT, on_abort);
}

static void
child_ended(struct app *a)
{
    int status;

    if (a->http_pid > 0 && waitpid(a->http_pid, &status, WNOHANG) == a->http_pid) {
        a->http_pid = 0;
        log_write(a->log_main, LOG_WARNING, "execgw-http has ended: there are no metrics over HTTP any more");
    }
}

/* Lines of the proof that the core has left since the last look. */
static void
kill_lines(struct app *a, struct kill_file *f, uint64_t *lost)
{
    struct kill_note n;
    struct fault fault;
    uint64_t missed;
    bool any = false;

    while (core_kill_note(a->core, &n, &missed)) {
        any = true;
        if (!kill_file_write(f, &n, &fault))
            log_write(a->log_main, LOG_FAULT, fault.text);
        if (n.kind == KILL_NOTE_ON && f->fd >= 0)
            log_write(a->log_main, LOG_NOTE, f->path);
    }
    if (missed != *lost)
        kill_file_lost(f, missed - *lost);
    if (any || missed != *lost)
        kill_file_sync(f);
    *lost = missed;
}

/* A recording that has ended before its time: said once, shown for good. */
static void
recording_look(struct app *a, bool *said)
{
    struct fault fault = { "recording: the disk is too slow, events were left out: it ends here, trading goes on" };

    if (a->record == NULL)
        return;
    uint64_t lost = record_file_lost(a->record);
    bool ended = record_file_failed(a->record, &fault) || lost > 0;
    metric_set(a->metrics, METRIC_RECORDING, 0, !ended);
    metric_set(a->metrics, METRIC_RECORDING_ENDED, 0, ended);
    metric_set(a->metrics, METRIC_RECORDING_LOST, 0, (int64_t)lost);
    if (ended && !*said)
        log_write(a->log_main, LOG_FAULT, fault.text);
    *said = ended;
}

/* The same stop may come twice, to the process and to its group: a wish to end at once comes later than that. */
#define STOP_AGAIN_NS NS_PER_S

static void
stop_asked(struct app *a, int64_t *stopped_ns)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    int64_t now_ns = ts.tv_sec * NS_PER_S + ts.tv_nsec;
    bool first = *stopped_ns == 0;
    if (!first && now_ns - *stopped_ns < STOP_AGAIN_NS)
        return;
    if (first)
        *stopped_ns = now_ns;
    log_write(a->log_main, LOG_STOP, first ? "no new orders; canceling what is open" : "at once");
    core_signal(a->core, first ? CORE_STOP : CORE_STOP_NOW);
}

/* Signals until the core has ended. The first TERM or INT stops in order, one of a second later at once. */
static void
serve(struct app *a, const sigset_t *set, int argc, char **argv)
{
    const struct timespec wait = { .tv_nsec = 50000000 };
    static const char *venue_name[VENUE_MAX + 1];
    static struct reload change;
    struct kill_file proof;
    uint64_t lost = 0;
    int64_t stopped_ns = 0;
    bool recording_said = false;

    for (uint32_t i = 0; i < a->config.venues; i++)
        venue_name[i] = a->config.venue[i].name;
    change.argc = argc;
    change.argv = argv;
    kill_file_init(&proof, a->config.journal.dir, venue_name);

    for (unsigned round = 0; !core_ended(a->core); round++) {
        if (round % 20 == 0)
            metric_page_count_fds(a->metrics); /* once a second; nobody else may look into /proc/self/fd */
        recording_look(a, &recording_said);
        if (a->config.kill.file[0] != '\0' && access(a->config.kill.file, F_OK) == 0)
            core_signal(a->core, CORE_HALT_FILE);
        kill_lines(a, &proof, &lost);
        reload_serve(a, &change);
        switch (sigtimedwait(set, NULL, &wait)) {
        case SIGTERM:
        case SIGINT: stop_asked(a, &stopped_ns); break;
        case SIGHUP: reload_file(&change); break;
        case SIGUSR1: core_signal(a->core, CORE_HALT); break;
        case SIGCHLD: child_ended(a); break;
        default: break;
        }
    }
    kill_lines(a, &proof, &lost);
    kill_file_close(&proof);
}

/* The switch that an earlier run has left on stays on, also where the journal, cut or lost, does not say so. */
static void
kill_proof_look(struct app *a)
{
    static const char *const no_names[] = { NULL };
    struct kill_file f;

    kill_file_init(&f, a->config.journal.dir, no_names);
    if (!kill_file_open_end(&f, a->replayed.released_ns))
        return;
    if (!a->replayed.killed) {
        log_write(a->log_main, LOG_WARNING,
                  "KILLED: the journal does not say so, but the newest proof of a kill in its folder has no release");
        log_write(a->log_main, LOG_NOTE, f.path);
    }
    core_signal(a->core, CORE_HALT_PROOF);
}

static void
trip_by_redis(void *ctx)
{
    core_signal((struct core *)ctx, CORE_HALT_REDIS);
}

/* NULL when none is configured, or after saying why it is not there: the gateway runs without. */
static struct redis_kill *
redis_start(struct app *a)
{
    const struct config_kill *k = &a->config.kill;
    struct redis_kill_config cfg = {
        .channel = k->redis_channel, .trip = trip_by_redis, .ctx = a->core, .log = a->log_redis
    };
    const char *colon = strrchr(k->redis, ':');
    struct fault fault;

    if (colon == NULL)
        return NULL;
    (void)snprintf(cfg.host, sizeof(cfg.host), "%.*s", (int)(colon - k->redis), k->redis);
    cfg.port = (int)strtol(colon + 1, NULL, 10);
    struct redis_kill *r = redis_kill_start(&cfg, &fault);
    if (r == NULL)
        log_write(a->log_main, LOG_FAULT, fault.text);
    return r;
}

/* Why the process ends, to whoever started it and into the log's file; that takes long sentences in pieces. */
static void
say_why(struct app *a, const char *text)
{
    (void)fprintf(stderr, "execgw: %s\n", text);
    if (a->config.monitoring.log_file[0] == '\0')
        return; /* the log is where the line above went */
    for (size_t n; *text != '\0'; text += n) {
        char piece[LOG_TEXT_BYTES];
        n = MIN(strlen(text), sizeof(piece) - 1);
        for (size_t at = n; text[n] != '\0' && at > n / 2; at--) {
            if (text[at] == ' ') {
                n = at + 1;
                break;
            }
        }
        n = MIN(n, sizeof(piece) - 1);
        (void)snprintf(piece, sizeof(piece), "%.*s", (int)n, text);
        log_write(a->log_main, LOG_FAULT, piece);
    }
}

static int
fail(struct app *a, const struct fault *fault, int code)
{
    say_why(a, fault->text);
    teardown(a);
    return code;
}

int
main(int argc, char **argv)
{
    struct fault fault = { "" };
    sigset_t set;
    char listen[64] = "";
    struct timespec ts;

    int code = config_load(argc, argv, environ, &app.config, stdout, stderr);
    if (code != CONFIG_GO)
        return code;
    block_signals(&set);
    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    app.metrics = metric_page_create(&app.metrics_fd, &fault);
    if (app.metrics == NULL)
        return fail(&app, &fault, EXIT_FAILED);
    metric_page_init(app.metrics, EXECGW_VERSION, build_commit, ts.tv_sec * NS_PER_S + ts.tv_nsec);
    if (!startup_log(&app, &fault, &code))
        return fail(&app, &fault, code);
    if (app.config.monitoring.listen[0] != '\0' && !http_start(&app, listen, &fault)) {
        (void)journal_file_in_use(app.config.journal.dir, &fault); /* a second gateway: its port is the least of it */
        return fail(&app, &fault, EXIT_FAILED);
    }
    if (!startup(&app, &fault, &code))
        return fail(&app, &fault, code);
    if (listen[0] != '\0') {
        char text[96];
        (void)snprintf(text, sizeof(text), "metrics at http://%s/metrics", listen);
        log_write(app.log_main, LOG_LISTEN, text);
        printf("execgw %s (%s): metrics at http://%s/metrics\n", EXECGW_VERSION, app.config.live ? "live" : "paper",
               listen);
        (void)fflush(stdout);
    }
    kill_proof_look(&app);
    if (!core_start(app.core, &fault, &code))
        return fail(&app, &fault, code);
    struct redis_kill *redis = redis_start(&app);
    serve(&app, &set, argc, argv);
    if (redis != NULL)
        redis_kill_stop(redis);
    uint32_t left = core_join(app.core);
    if (left > 0)
        say_why(&app, "ended with orders that are not proven finished; they are in the journal");
    log_write(app.log_main, LOG_ENDED, NULL, left);
    teardown(&app);
    return left == 0 ? EXIT_OK : EXIT_FAILED;
}
