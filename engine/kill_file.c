#include "engine/kill_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 640

void
kill_file_init(struct kill_file *f, const char *dir, const char *const *venue_name)
{
    *f = (struct kill_file){ .venue_name = venue_name, .fd = -1 };
    (void)snprintf(f->dir, sizeof(f->dir), "%s", dir);
}

static void
time_text(int64_t wall_ns, const char *format, char *out, size_t room)
{
    time_t s = (time_t)(wall_ns / NS_PER_S);
    struct tm tm;
    size_t n;

    (void)gmtime_r(&s, &tm);
    n = strftime(out, room, format, &tm);
    (void)snprintf(out + n, room - n, ".%09lldZ", (long long)(wall_ns % NS_PER_S));
}

static bool
file_begin(struct kill_file *f, int64_t wall_ns, struct fault *fault)
{
    char when[48];

    kill_file_close(f);
    time_text(wall_ns, "%Y%m%dT%H%M%S", when, sizeof(when));
    (void)snprintf(f->path, sizeof(f->path), "%s/kill-%s.jsonl", f->dir, when);
    f->fd = open(f->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (f->fd < 0 && !f->failed) {
        f->failed = true;
        return FAULT(fault, "kill switch: the proof file %.160s cannot be made: %s; the journal has every line",
                     f->path, strerror(errno));
    }
    int folder = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) { /* its name is to be on the medium as well */
        (void)fsync(folder);
        (void)close(folder);
    }
    return true;
}

static bool
digits(const char *p, unsigned n, int64_t *out)
{
    *out = 0;
    for (unsigned i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        *out = *out * 10 + (p[i] - '0');
    }
    return true;
}

/* `kill-20261121T002200.123456789Z.jsonl`: its time. */
static bool
name_time(const char *name, int64_t *wall_ns)
{
    static const char like[] = "kill-yyyymmddThhmmss.nnnnnnnnnZ.jsonl";
    struct tm tm = { 0 };
    int64_t v[7];
    bool ok = strlen(name) == sizeof(like) - 1 && strncmp(name, like, 5) == 0 && name[13] == 'T' && name[20] == '.' &&
              strcmp(name + 30, like + 30) == 0 && digits(name + 5, 4, &v[0]) && digits(name + 9, 2, &v[1]) &&
              digits(name + 11, 2, &v[2]) && digits(name + 14, 2, &v[3]) && digits(name + 16, 2, &v[4]) &&
              digits(name + 18, 2, &v[5]) && digits(name + 21, 9, &v[6]);

    if (!ok)
        return false;
    tm.tm_year = (int)v[0] - 1900;
    tm.tm_mon = (int)v[1] - 1;
    tm.tm_mday = (int)v[2];
    tm.tm_hour = (int)v[3];
    tm.tm_min = (int)v[4];
    tm.tm_sec = (int)v[5];
    *wall_ns = (int64_t)timegm(&tm) * NS_PER_S + v[6];
    return true;
}

/* Text cannot forge it: quotes in a text are escaped. */
static bool
says_released(const char *path)
{
    char line[LINE_BYTES];
    FILE *in = fopen(path, "re");
    bool released = false;

    if (in == NULL)
        return false;
    while (!released && fgets(line, sizeof(line), in) != NULL)
        released = strstr(line, "\"what\":\"released\"") != NULL;
    (void)fclose(in);
    return released;
}

bool
kill_file_open_end(struct kill_file *f, int64_t released_ns)
{
    int64_t newest = INT64_MIN;
    const struct dirent *e;
    int64_t at;
    DIR *d = opendir(f->dir);

    if (d == NULL)
        return false;
    while ((e = readdir(d)) != NULL) {
        if (!name_time(e->d_name, &at) || at <= newest)
            continue;
        newest = at;
        (void)snprintf(f->path, sizeof(f->path), "%s/%.40s", f->dir, e->d_name);
    }
    (void)closedir(d);
    return newest != INT64_MIN && released_ns <= newest && !says_released(f->path);
}

/* Text of the venue or of the operator may hold anything. */
static void
json_text(const char *in, char *out, size_t room)
{
    size_t n = 0;

    for (; *in != '\0' && n + 2 < room; in++) {
        if (*in == '"' || *in == '\\')
            out[n++] = '\\';
        out[n++] = *in >= ' ' && *in < 127 ? *in : '?';
    }
    out[n] = '\0';
}

static const char *
note_text(enum kill_note_kind k)
{
    static const char *const text[] = {
#define X(name, t) t,
        KILL_NOTES(X)
#undef X
    };
    return (unsigned)k < KILL_NOTE_COUNT ? text[k] : "?";
}

static size_t
order_fields(const struct kill_note *n, char *out, size_t room)
{
    int w =
        snprintf(out, room,
                 ",\"clordid\":\"%s\",\"venue_order_id\":\"%llu\",\"client\":%u,\"key\":\"%llu\",\"symbol\":\"%s\","
                 "\"state\":\"%s\",\"request\":\"%s\",\"qty\":%lld,\"filled\":%lld",
                 n->clordid, (unsigned long long)n->venue_order_id, n->client, (unsigned long long)n->key, n->symbol,
                 order_state_text((enum order_state)n->order_state),
                 request_state_text((enum request_state)n->request_state), (long long)n->qty, (long long)n->cum_qty);
    return w > 0 ? MIN((size_t)w, room - 1) : 0;
}

static size_t
line_of(const struct kill_file *f, const struct kill_note *n, char *line, size_t room)
{
    char when[48];
    char text[2 * sizeof(n->text)];
    bool order = n->kind == KILL_NOTE_OPEN || n->kind == KILL_NOTE_ENDED || n->kind == KILL_NOTE_LISTED;
    size_t at;

    time_text(n->wall_ns, "%Y-%m-%dT%H:%M:%S", when, sizeof(when));
    json_text(n->text, text, sizeof(text));
    at =
        (size_t)snprintf(line, room, "{\"time\":\"%s\",\"what\":\"%s\"", when, note_text((enum kill_note_kind)n->kind));
    if (order || n->kind == KILL_NOTE_VENUE)
        at += (size_t)snprintf(line + at, room - at, ",\"venue\":\"%.24s\"", f->venue_name[n->venue]);
    if (order)
        at += order_fields(n, line + at, room - at);
    if (n->kind == KILL_NOTE_VENUE)
        at += (size_t)snprintf(line + at, room - at, ",\"proof\":\"%s\",\"orders_left\":%u",
                               kill_proof_text((enum kill_proof)n->proof), n->count);
    if (n->kind == KILL_NOTE_PROVEN)
        at += (size_t)snprintf(line + at, room - at, ",\"orders\":%u", n->count);
    if (n->seq != 0)
        at += (size_t)snprintf(line + at, room - at, ",\"journal_seq\":%llu", (unsigned long long)n->seq);
    at += (size_t)snprintf(line + at, room - at, ",\"by\":\"%s\"}\n", text);
    return MIN(at, room - 1);
}

bool
kill_file_write(struct kill_file *f, const struct kill_note *n, struct fault *fault)
{
    char line[LINE_BYTES];

    if (n->kind == KILL_NOTE_ON && !file_begin(f, n->wall_ns, fault))
        return false;
    if (f->fd < 0)
        return true;
    size_t len = line_of(f, n, line, sizeof(line));
    if (write(f->fd, line, len) == (ssize_t)len || f->failed)
        return true;
    f->failed = true;
    return FAULT(fault, "kill switch: %.160s cannot be written: %s; the journal has every line", f->path,
                 strerror(errno));
}

void
kill_file_lost(struct kill_file *f, uint64_t lost)
{
    if (f->fd >= 0)
        (void)dprintf(f->fd,
                      "{\"what\":\"lost\",\"lines\":%llu,\"by\":\"more came than could be written; the journal has "
                      "them\"}\n",
                      (unsigned long long)lost);
}

void
kill_file_sync(struct kill_file *f)
{
    if (f->fd >= 0)
        (void)fdatasync(f->fd);
}

void
kill_file_close(struct kill_file *f)
{
    if (f->fd >= 0)
        (void)close(f->fd);
    f->fd = -1;
}
