#include "engine/recording.h"
#include "engine/journal_compact.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define RING_BYTES  (64u << 20)
#define SEGMENT_MIN 65536u
#define PATH_BYTES  400

extern char **environ;

static bool
file_put(const char *path, const void *data, size_t bytes, size_t padded, struct fault *fault)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    const uint8_t *at = (const uint8_t *)data;
    bool ok = fd >= 0;

    while (ok && bytes > 0) {
        ssize_t n = write(fd, at, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        ok = n > 0;
        at += ok ? n : 0;
        bytes -= ok ? (size_t)n : 0;
    }
    ok = ok && (padded == 0 || ftruncate(fd, (off_t)padded) == 0);
    int err = errno;
    if (fd >= 0)
        (void)close(fd);
    return ok || FAULT(fault, "recording: %.150s: %s%s", path, strerror(err),
                       err == EEXIST ? "; each recording takes a folder of its own" : "");
}

/* The configuration, byte by byte. */
static bool
copy_config(const struct config *c, struct fault *fault)
{
    char path[PATH_BYTES];
    struct stat st;
    int fd = open(c->file, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size > 1 << 24) {
        if (fd >= 0)
            (void)close(fd);
        return FAULT(fault, "recording: %.150s cannot be read again: %s", c->file, strerror(errno));
    }
    char *text = (char *)malloc((size_t)st.st_size + 1);
    ssize_t n = text != NULL ? read(fd, text, (size_t)st.st_size) : -1;
    (void)close(fd);
    (void)snprintf(path, sizeof(path), "%s/config.toml", c->record);
    bool ok = n == st.st_size ? file_put(path, text, (size_t)n, 0, fault)
                              : FAULT(fault, "recording: %.150s cannot be read again", c->file);
    free(text);
    return ok;
}

static bool
copy_environment(const struct config *c, struct fault *fault)
{
    static char text[65536];
    char path[PATH_BYTES];
    size_t len = 0;

    for (size_t i = 0; environ[i] != NULL; i++) {
        size_t n = strlen(environ[i]);
        if (strncmp(environ[i], "EXECGW__", 8) != 0)
            continue;
        if (n + 1 > sizeof(text) - len || strchr(environ[i], '\n') != NULL)
            return FAULT(fault, "recording: the environment's EXECGW__ variables are too long, or hold a new line");
        memcpy(text + len, environ[i], n);
        text[len + n] = '\n';
        len += n + 1;
    }
    (void)snprintf(path, sizeof(path), "%s/environment", c->record);
    return file_put(path, text, len, 0, fault);
}

/* A segment up to its last byte that is not zero. */
static bool
copy_segment(const struct config *c, const struct journal_segment *s, uint32_t number, struct fault *fault)
{
    char path[PATH_BYTES];
    size_t used = s->bytes;

    while (used > 0 && s->base[used - 1] == 0)
        used--;
    (void)snprintf(path, sizeof(path), "%s/journal/journal-%08u.seg", c->record, number);
    return file_put(path, s->base, used, MAX((used + 4095) & ~(size_t)4095, SEGMENT_MIN), fault);
}

bool
recording_copy(const struct config *c, struct journal_file *files, struct fault *fault)
{
    struct journal_map m;
    char path[PATH_BYTES];

    (void)snprintf(path, sizeof(path), "%s/journal", c->record);
    if ((mkdir(c->record, 0700) != 0 && errno != EEXIST) || mkdir(path, 0700) != 0)
        return FAULT(fault, "recording: %.150s: %s%s", c->record, strerror(errno),
                     errno == EEXIST ? "; each recording takes a folder of its own" : "");
    if (!copy_config(c, fault) || !copy_environment(c, fault) || !journal_map_open(&m, files, fault))
        return false;
    bool ok = true;
    for (uint32_t i = 0; ok && i < m.count; i++)
        ok = copy_segment(c, &m.segment[i], m.first + i, fault);
    journal_map_close(&m);
    return ok;
}

struct record_file *
recording_start(const struct config *c, uint64_t seed, uint32_t term, size_t region_bytes, struct now now,
                struct fault *fault)
{
    struct record_header h = { .build = EXECGW_VERSION,
                               .wall_ns = now.wall.ns,
                               .mono_ns = now.mono.ns,
                               .seed = seed,
                               .term = term,
                               .live = c->live,
                               .new_journal = c->new_journal,
                               .region_bytes = region_bytes };

    return record_file_start(c->record, RING_BYTES, &h, crc32c_pick(), fault);
}
