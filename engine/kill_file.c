#include "engine/kill_file.h"

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
    return true;
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
