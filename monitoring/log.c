/* Log thread; see log.h. Wakes a few hundred times a second, drains every ring, writes once. */
#include "monitoring/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#define RECORDS_DEFAULT 1024u
#define WAKE_NS         (4 * NS_PER_MS)
#define REFILL_NS       NS_PER_S
#define BUFFER_BYTES    65536u
#define LINE_MAX_BYTES  2048u

struct port {
    struct log_port out; /* the producer's side */
    struct ring_reader in;
    struct ring_mem *mem;
    uint64_t dropped_noted;
    uint32_t suppressed_noted[LOG_EVENT_COUNT];
};

struct log {
    struct port *port[LOG_PORTS_MAX];
    uint32_t ports;
    uint32_t records_max;
    enum log_format format;
    enum log_level level;
    struct metric_page *metrics;
    int fd;
    bool own_fd;
    bool started;
    pthread_t thread;
    _Atomic uint32_t stop;
    size_t used;
    char buffer[BUFFER_BYTES];
};

static const struct event_row {
    const char *name;
    const char *text;
} event_row[LOG_EVENT_COUNT] = {
#define X(event, level, name, text) { name, text },
    LOG_EVENTS(X)
#undef X
};

static const char *
log_level_text(enum log_level level)
{
    static const char *const text[] = {
#define X(level, name) name,
        LOG_LEVELS(X)
#undef X
    };
    return (unsigned)level < LOG_LEVEL_COUNT ? text[level] : "?";
}

/* ---- one record as a line ---------------------------------------------------------------------------------------- */

struct line {
    char *buf;
    size_t room; /* one byte is kept for the '\n' */
    size_t n;
};

static void
line_char(struct line *l, char c)
{
    if (l->n < l->room)
        l->buf[l->n++] = c;
}

static void
line_text(struct line *l, const char *s)
{
    while (*s != '\0')
        line_char(l, *s++);
}

/* Text that others wrote: printable, and as a JSON string's inside when `json`. */
static void
line_foreign(struct line *l, const char *s, bool json)
{
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        if (json && (c == '"' || c == '\\')) {
            line_char(l, '\\');
            line_char(l, (char)c);
        } else {
            line_char(l, c >= 0x20 && c < 0x7f ? (char)c : '?');
        }
    }
}

static void
line_int(struct line *l, int64_t v)
{
    char buf[24];
    (void)snprintf(buf, sizeof(buf), "%lld", (long long)v);
    line_text(l, buf);
}

/* RFC 3339, microseconds, UTC. */
static void
line_time(struct line *l, int64_t wall_ns)
{
    char buf[40];
    struct tm tm;
    int64_t ns = wall_ns % NS_PER_S;
    time_t s = (time_t)(wall_ns / NS_PER_S);

    if (ns < 0) {
        ns += NS_PER_S;
        s--;
    }
    if (gmtime_r(&s, &tm) == NULL) {
        line_int(l, wall_ns);
        return;
    }
    size_t n = strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(buf + n, sizeof(buf) - n, ".%06dZ", (int)(ns / NS_PER_US));
    line_text(l, buf);
}

/* The sentence: the event's text with its {fields} filled in. */
static void
line_message(struct line *l, const struct log_record *r, bool json)
{
    unsigned arg = 0;

    for (const char *p = event_row[r->event].text; *p != '\0'; p++) {
        const char *end = *p == '{' ? strchr(p, '}') : NULL;
        if (end == NULL) {
            line_char(l, *p);
            continue;
        }
        if (strncmp(p, "{text}", 6) == 0)
            line_foreign(l, r->text, json);
        else if (arg < LOG_ARGS_MAX)
            line_int(l, r->arg[arg++]);
        p = end;
    }
}

/* The fields again, by name: `,"conn":3,"text":"..."`. */
static void
line_json_fields(struct line *l, const struct log_record *r)
{
    unsigned arg = 0;

    for (const char *p = strchr(event_row[r->event].text, '{'); p != NULL; p = strchr(p + 1, '{')) {
        const char *end = strchr(p, '}');
        if (end == NULL)
            return;
        bool is_text = strncmp(p, "{text}", 6) == 0;
        if (!is_text && arg >= LOG_ARGS_MAX)
            return;
        line_text(l, ",\"");
        for (const char *c = p + 1; c < end; c++)
            line_char(l, *c);
        line_text(l, "\":");
        if (is_text) {
            line_char(l, '"');
            line_foreign(l, r->text, true);
            line_char(l, '"');
        } else {
            line_int(l, r->arg[arg++]);
        }
        p = end;
    }
}

size_t
log_format_record(enum log_format format, const struct log_record *r, const char *port, char *buf, size_t room)
{
    struct line l = { .buf = buf, .room = room > 0 ? room - 1 : 0 };
    ASSERT(r->event < LOG_EVENT_COUNT);
    const char *level = log_level_text((enum log_level)log_event_level[r->event]);

    if (room == 0)
        return 0;
    if (format == LOG_FORMAT_JSON) {
        line_text(&l, "{\"time\":\"");
        line_time(&l, r->wall_ns);
        line_text(&l, "\",\"level\":\"");
        line_text(&l, level);
        line_text(&l, "\",\"thread\":\"");
        line_foreign(&l, port, true);
        line_text(&l, "\",\"event\":\"");
        line_text(&l, event_row[r->event].name);
        line_text(&l, "\",\"message\":\"");
        line_message(&l, r, true);
        line_char(&l, '"');
        line_json_fields(&l, r);
        line_char(&l, '}');
    } else {
        line_time(&l, r->wall_ns);
        line_char(&l, ' ');
        line_text(&l, level);
        line_char(&l, ' ');
        line_foreign(&l, port, false);
        line_char(&l, ' ');
        line_text(&l, event_row[r->event].name);
        line_text(&l, ": ");
        line_message(&l, r, false);
    }
    l.buf[l.n++] = '\n';
    return l.n;
}

/* ---- output ------------------------------------------------------------------------------------------------------ */

static int64_t
clock_ns(clockid_t id)
{
    struct timespec ts;
    (void)clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* Everything or what the descriptor takes: a log that cannot be written must not stop the gateway. */
static bool
write_all(int fd, const char *buf, size_t n)
{
    while (n > 0) {
        ssize_t w = write(fd, buf, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return false;
        buf += w;
        n -= (size_t)w;
    }
    return true;
}

static void
log_flush(struct log *l)
{
    if (l->used == 0)
        return;
    if (!write_all(l->fd, l->buffer, l->used) && l->own_fd) {
        char note[160];
        int n = snprintf(note, sizeof(note), "execgw: the log file cannot be written (%.60s); logging to stderr\n",
                         strerror(errno));
        (void)close(l->fd);
        l->fd = STDERR_FILENO;
        l->own_fd = false;
        (void)write_all(l->fd, note, (size_t)MAX(n, 0));
        (void)write_all(l->fd, l->buffer, l->used);
    }
    l->used = 0;
}

static void
log_emit(struct log *l, const struct log_record *r, const char *port)
{
    if (BUFFER_BYTES - l->used < LINE_MAX_BYTES)
        log_flush(l);
    l->used += log_format_record(l->format, r, port, l->buffer + l->used, LINE_MAX_BYTES);
    if (l->metrics != NULL)
        metric_add(l->metrics, METRIC_LOG_RECORDS, 0, 1);
}

/* A record of the log's own. */
static void
log_emit_own(struct log *l, enum log_event event, const char *text, int64_t count)
{
    struct log_record r = { .wall_ns = clock_ns(CLOCK_REALTIME), .event = (uint16_t)event, .arg = { count } };
    (void)snprintf(r.text, sizeof(r.text), "%s", text);
    log_emit(l, &r, "log");
}

static void
port_drain(struct log *l, struct port *p)
{
    const struct log_record *r;

    /* Bounded: a producer that never stops must not keep the others waiting. */
    for (uint32_t i = 0; i < l->records_max && (r = ring_peek(&p->in)) != NULL; i++) {
        struct log_record copy = *r;
        ring_release(&p->in);
        if (copy.wall_ns == 0)
            copy.wall_ns = clock_ns(CLOCK_REALTIME);
        log_emit(l, &copy, p->out.name);
    }
}

/* Once a second: say what was lost or held back, and let every event be written again. */
static void
port_refill(struct log *l, struct port *p)
{
    uint64_t dropped = atomic_load_explicit(&p->out.dropped, memory_order_relaxed);

    if (dropped != p->dropped_noted) {
        log_emit_own(l, LOG_DROPPED, p->out.name, (int64_t)(dropped - p->dropped_noted));
        if (l->metrics != NULL)
            metric_add(l->metrics, METRIC_LOG_DROPPED, 0, (int64_t)(dropped - p->dropped_noted));
        p->dropped_noted = dropped;
    }
    for (uint32_t e = 0; e < LOG_EVENT_COUNT; e++) {
        uint32_t held = atomic_load_explicit(&p->out.suppressed[e], memory_order_relaxed) - p->suppressed_noted[e];
        if (held != 0) {
            log_emit_own(l, LOG_SUPPRESSED, event_row[e].name, held);
            if (l->metrics != NULL)
                metric_add(l->metrics, METRIC_LOG_SUPPRESSED, 0, held);
            p->suppressed_noted[e] += held;
        }
        atomic_store_explicit(&p->out.allowed[e],
                              atomic_load_explicit(&p->out.sent[e], memory_order_relaxed) + LOG_BURST,
                              memory_order_relaxed);
    }
}

static void *
log_run(void *arg)
{
    struct log *l = arg;
    int64_t refill_at = clock_ns(CLOCK_MONOTONIC) + REFILL_NS;
    const struct timespec wake = { .tv_nsec = WAKE_NS };
    bool stop;

    do {
        /* Acquire: pairs with log_stop; what was put before it is seen by the drain below. */
        stop = atomic_load_explicit(&l->stop, memory_order_acquire) != 0;
        for (uint32_t i = 0; i < l->ports; i++)
            port_drain(l, l->port[i]);
        if (stop || clock_ns(CLOCK_MONOTONIC) >= refill_at) {
            for (uint32_t i = 0; i < l->ports; i++)
                port_refill(l, l->port[i]);
            refill_at = clock_ns(CLOCK_MONOTONIC) + REFILL_NS;
        }
        log_flush(l);
        if (!stop)
            (void)nanosleep(&wake, NULL);
    } while (!stop);
    return NULL;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

struct log *
log_init(const struct log_config *cfg, struct fault *fault)
{
    struct log *l = calloc(1, sizeof(*l));

    if (l == NULL) {
        (void)FAULT(fault, "no memory for the log");
        return NULL;
    }
    l->records_max = cfg->records_max != 0 ? cfg->records_max : RECORDS_DEFAULT;
    l->format = cfg->format;
    l->level = cfg->level;
    l->metrics = cfg->metrics;
    l->fd = STDERR_FILENO;
    if (cfg->file != NULL && *cfg->file != '\0') {
        /* O_NONBLOCK: a pipe that nobody reads is refused, where a start would wait for its reader. */
        l->fd = open(cfg->file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
        l->own_fd = true;
        if (l->fd >= 0)
            (void)fcntl(l->fd, F_SETFL, O_APPEND);
        if (l->fd < 0) {
            (void)FAULT(fault, "log file %.120s cannot be opened (%.60s), expected a file that we may write", cfg->file,
                        strerror(errno));
            free(l);
            return NULL;
        }
    }
    return l;
}

struct log_port *
log_port_take(struct log *l, const char *name)
{
    ASSERT(!l->started && l->ports < LOG_PORTS_MAX);
    struct port *p = calloc(1, sizeof(*p));
    size_t bytes = ring_footprint(l->records_max, sizeof(struct log_record));
    void *mem = NULL;
    int rc = posix_memalign(&mem, CACHE_LINE, bytes);
    ASSERT(p != NULL && rc == 0);
    memset(mem, 0, bytes); /* touches it: the producer must not fault pages in */
    p->mem = mem;
    ring_init(p->mem, 0);
    ring_writer_init(&p->out.ring, p->mem, 0, l->records_max, sizeof(struct log_record));
    ring_reader_init(&p->in, p->mem, 0, l->records_max, sizeof(struct log_record));
    (void)snprintf(p->out.name, sizeof(p->out.name), "%s", name);
    atomic_store_explicit(&p->out.level, (uint32_t)l->level, memory_order_relaxed);
    for (uint32_t e = 0; e < LOG_EVENT_COUNT; e++)
        atomic_store_explicit(&p->out.allowed[e], LOG_BURST, memory_order_relaxed);
    l->port[l->ports++] = p;
    return &p->out;
}

bool
log_start(struct log *l, struct fault *fault)
{
    sigset_t all;
    sigset_t before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&l->thread, NULL, log_run, l);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return FAULT(fault, "the log thread cannot be started: %s", strerror(rc));
    (void)pthread_setname_np(l->thread, "execgw-log");
    l->started = true;
    return true;
}

void
log_level_set(struct log *l, enum log_level level)
{
    l->level = level;
    for (uint32_t i = 0; i < l->ports; i++)
        atomic_store_explicit(&l->port[i]->out.level, (uint32_t)level, memory_order_relaxed);
}

void
log_stop(struct log *l)
{
    /* Release: whatever producers put before this call is drained. */
    atomic_store_explicit(&l->stop, 1, memory_order_release);
    if (l->started)
        (void)pthread_join(l->thread, NULL);
    else
        (void)log_run(l);
    if (l->own_fd)
        (void)close(l->fd);
    for (uint32_t i = 0; i < l->ports; i++) {
        free(l->port[i]->mem);
        free(l->port[i]);
    }
    free(l);
}
