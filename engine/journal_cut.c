#include "engine/journal_cut.h"
#include "engine/io/journal_durable.h"
#include "engine/journal_compact.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Segments from the first on whose header can be read. */
static uint32_t
headers_good(const struct journal_map *m, uint32_t *term)
{
    struct journal_segment_header h;
    struct fault ignored;
    uint32_t n = 0;

    *term = 0;
    for (; n < m->count && journal_header_check(&m->segment[n], &h, &ignored); n++)
        *term = MAX(*term, h.term);
    return n;
}

/* Of the first n segments, the last that begins with something synced: what stands before it was synced whole. */
static uint32_t
begin_of(const struct journal_map *m, uint32_t n, uint64_t durable_seq)
{
    struct journal_segment_header h;
    struct fault ignored;
    uint32_t from = 0;

    for (uint32_t i = 0; i < n; i++)
        if (journal_header_check(&m->segment[i], &h, &ignored) && h.first_seq <= durable_seq)
            from = i;
    return from;
}

/* A header that never reached the disk: its page is as it was prepared. */
static bool
page_zero(const struct journal_segment *s)
{
    for (size_t i = 0; i < sizeof(struct journal_segment_header); i++)
        if (s->base[i] != 0)
            return false;
    return true;
}

/* Behind the last segment that has a header: one that never got it, but other pages. */
static bool
headless_behind(const struct journal_map *m)
{
    for (uint32_t i = m->count; i < m->mapped; i++)
        for (size_t at = 0; at < m->segment[i].bytes; at++)
            if (m->segment[i].base[at] != 0)
                return true;
    return false;
}

static bool
hole_in(const struct journal_map *m, uint64_t durable_seq, uint32_t durable_term, struct journal_place *out)
{
    struct journal_reader r;
    struct journal_record rec;
    struct fault ignored;
    enum journal_read how;
    uint32_t term;
    uint32_t n = headers_good(m, &term);

    /* A term above that of the file: the file is of another journal, or of an older copy. */
    if (n == 0 || term > durable_term || (n < m->count && !page_zero(&m->segment[n])))
        return false;
    uint32_t from = begin_of(m, n, durable_seq);
    if (!journal_reader_init(&r, m->segment + from, n - from, &ignored))
        return false;
    do
        how = journal_reader_next(&r, &rec, &ignored);
    while (how == JOURNAL_READ_OK);
    *out = (struct journal_place){ .number = m->first + from + r.segment, .offset = r.offset, .seq = r.seq };
    return r.seq >= durable_seq && (how == JOURNAL_READ_CORRUPT || n < m->count || headless_behind(m));
}

bool
journal_hole_find(struct journal_file *files, bool *found, struct journal_place *out, struct fault *fault)
{
    struct journal_map m;
    uint64_t seq;
    uint32_t term;

    *found = false;
    if (!journal_durable_read(journal_file_dir_fd(files), &term, &seq))
        return true;
    if (!journal_map_open(&m, files, fault))
        return false;
    *found = hole_in(&m, seq, term, out);
    journal_map_close(&m);
    return true;
}

bool
journal_place_find(struct journal_file *files, uint64_t seq, struct journal_place *out, struct fault *fault)
{
    struct journal_map m;
    struct journal_reader r;
    struct journal_record rec;
    uint32_t term;

    if (!journal_map_open(&m, files, fault))
        return false;
    bool ok = journal_reader_init(&r, m.segment, headers_good(&m, &term), fault);
    while (ok && r.seq < seq && journal_reader_next(&r, &rec, fault) == JOURNAL_READ_OK)
        ;
    if (ok && (r.seq != seq || seq == 0))
        ok = FAULT(fault, "%s: no whole row of records leads to sequence %llu, the last one is %llu",
                   journal_file_dir(files), (unsigned long long)seq, (unsigned long long)r.seq);
    if (ok)
        *out = (struct journal_place){ .number = m.first + (uint32_t)(r.segments - m.segment) + r.segment,
                                       .offset = r.offset,
                                       .seq = seq };
    journal_map_close(&m);
    return ok;
}

/* ---- cutting ----------------------------------------------------------------------------------------------------- */

static bool
write_all(int fd, const uint8_t *at, size_t bytes)
{
    while (bytes > 0) {
        ssize_t n = write(fd, at, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        bytes -= (size_t)n;
    }
    return true;
}

/* The segment as it is, on disk, under the first free name. */
static bool
copy_aside(struct journal_file *files, const struct journal_region *s, struct fault *fault)
{
    int dir = journal_file_dir_fd(files);
    char name[48];
    int fd = -1;

    for (unsigned n = 1; fd < 0 && n < 1000; n++) {
        (void)snprintf(name, sizeof(name), "journal-%08u.void-%u", s->index, n);
        fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    bool ok = fd >= 0 && write_all(fd, s->base, s->bytes) && fdatasync(fd) == 0 && fsync(dir) == 0;
    int err = errno;
    if (fd >= 0)
        (void)close(fd);
    if (!ok && fd >= 0)
        (void)unlinkat(dir, name, 0);
    return ok || FAULT(fault, "%s/%s: the copy of what is cut cannot be kept: %s", journal_file_dir(files), name,
                       strerror(err));
}

static bool
zero_from(struct journal_file *files, uint32_t number, size_t offset, size_t bytes, struct fault *fault)
{
    static const uint8_t zeros[65536];
    char name[48];

    (void)snprintf(name, sizeof(name), "journal-%08u.seg", number);
    int fd = openat(journal_file_dir_fd(files), name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    bool ok = fd >= 0 && lseek(fd, (off_t)offset, SEEK_SET) == (off_t)offset;
    while (ok && offset < bytes) {
        size_t n = MIN(bytes - offset, sizeof(zeros));
        ok = write_all(fd, zeros, n);
        offset += n;
    }
    ok = ok && fdatasync(fd) == 0;
    int err = errno;
    if (fd >= 0)
        (void)close(fd);
    return ok || FAULT(fault, "%s/%s: cannot be cut: %s", journal_file_dir(files), name, strerror(err));
}

bool
journal_cut(struct journal_file *files, const struct journal_place *at, struct fault *fault)
{
    struct journal_region s;
    bool rest = false;

    if (!journal_file_map(files, at->number, &s, fault))
        return false;
    for (size_t i = at->offset; i < s.bytes && !rest; i++)
        rest = s.base[i] != 0;
    size_t bytes = s.bytes;
    bool ok = !rest || copy_aside(files, &s, fault);
    journal_file_unmap(&s);
    return ok && journal_file_void(files, at->number + 1, fault) &&
           (!rest || zero_from(files, at->number, at->offset, bytes, fault));
}
