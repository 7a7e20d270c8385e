/* Journal segments. See journal_file.h.
 *
 * Between the writer and the toucher there are a one-place mailbox, `next` (prepared, to be taken), with a flag that
 * says whose it is, and a ring of what is to be unmapped. The writer's position is one address, so that it names
 * segment and offset at once. */
#include "engine/io/journal_file.h"
#include "engine/io/journal_durable.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define PAGE_BYTES    4096u
#define SEGMENT_MIN   65536u
#define SEGMENT_MAX   99999999u /* eight digits */
#define NAME_BYTES    48
#define DIR_BYTES     160
#define ZERO_BYTES    262144u /* written between two looks at the pages ahead */
#define TOUCH_BYTES   (64u * PAGE_BYTES)
#define TOUCH_BUSY_MS 1
#define TOUCH_IDLE_MS 20
#define IDLE_AFTER    200 /* looks without progress */
#define RETIRED_MAX   8u  /* each needs a segment taken since, which the toucher makes after it has emptied the ring */
#define LIVE_MAX      (JOURNAL_HELD_MAX + RETIRED_MAX + 1)
#define RETRY_S       1
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

struct journal_file {
    char dir[DIR_BYTES];
    int dir_fd;
    int lock_fd;
    int wake_fd;
    size_t segment_bytes;
    uint32_t first;
    uint32_t last;
    pthread_t thread;
    bool started;

    struct journal_region held[JOURNAL_HELD_MAX]; /* writer: oldest first */
    uint32_t held_count;
    struct journal_region next; /* the toucher's while !next_ready, else the writer's */
    _Atomic bool next_ready;
    struct journal_region retired[RETIRED_MAX];
    _Atomic uint32_t retired_tail; /* writer */
    _Atomic uint32_t retired_head; /* toucher */
    _Atomic uintptr_t write_at;    /* base of the segment in use + bytes written */

    struct journal_region live[LIVE_MAX]; /* toucher: what is mapped */
    uintptr_t touched_at;
    uint32_t idle;
    _Atomic bool stop;

    pthread_mutex_t fault_lock; /* the sentence; taken by the writer only once it has seen the number */
    struct fault fault;
    _Atomic int error;            /* errno of the failure; 0 none */
    _Atomic bool lost;            /* what is written may not be on disk */
    _Atomic uint64_t durable_seq; /* 0 = nothing to say */
    uint64_t durable_told;        /* toucher: as written */
    int64_t durable_s;            /* toucher: when */
    uint32_t durable_term;        /* 0 = it is not kept */

    int64_t retry_s; /* toucher: the disk is full, try again then; 0 = it is not */
};

static const uint8_t zeros[ZERO_BYTES];

/* ---- names and files ---- */

static void
name_of(uint32_t index, const char *suffix, char name[NAME_BYTES])
{
    (void)snprintf(name, NAME_BYTES, "journal-%08u.%s", index, suffix);
}

/* `journal-<8 digits>.<suffix>` */
static bool
name_parse(const char *name, const char *suffix, uint32_t *index)
{
    static const char prefix[] = "journal-";
    uint32_t v = 0;

    if (strncmp(name, prefix, sizeof(prefix) - 1) != 0)
        return false;
    const char *p = name + sizeof(prefix) - 1;
    for (int i = 0; i < 8; i++, p++) {
        if (*p < '0' || *p > '9')
            return false;
        v = v * 10 + (uint32_t)(*p - '0');
    }
    if (*p != '.' || strcmp(p + 1, suffix) != 0 || v == 0)
        return false;
    *index = v;
    return true;
}

static void
segment_drop(struct journal_region *s)
{
    if (s->base != NULL)
        (void)munmap(s->base, s->bytes);
    if (s->fd >= 0)
        (void)close(s->fd);
    *s = (struct journal_region){ .fd = -1 };
}

/* Map a whole segment file; takes fd over. */
static bool
segment_map(struct journal_file *j, uint32_t index, int fd, int prot, struct journal_region *out, struct fault *fault)
{
    char name[NAME_BYTES];
    struct stat st;

    name_of(index, "seg", name);
    if (fstat(fd, &st) != 0) {
        (void)close(fd);
        return FAULT(fault, "%s/%s: %s", j->dir, name, strerror(errno));
    }
    if (st.st_size < (off_t)SEGMENT_MIN || st.st_size % PAGE_BYTES != 0) {
        (void)close(fd);
        return FAULT(fault, "%s/%s: %lld bytes: no segment (%u * n, %u or more)", j->dir, name, (long long)st.st_size,
                     PAGE_BYTES, SEGMENT_MIN);
    }
    void *base = mmap(NULL, (size_t)st.st_size, prot, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        (void)close(fd);
        return FAULT(fault, "%s/%s: cannot be mapped: %s", j->dir, name, strerror(errno));
    }
    *out = (struct journal_region){ .base = (uint8_t *)base, .bytes = (size_t)st.st_size, .index = index, .fd = fd };
    return true;
}

static bool
segment_open(struct journal_file *j, uint32_t index, bool writable, struct journal_region *out, struct fault *fault)
{
    char name[NAME_BYTES];

    name_of(index, "seg", name);
    int fd = openat(j->dir_fd, name, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return FAULT(fault, "%s/%s: %s", j->dir, name, strerror(errno));
    return segment_map(j, index, fd, writable ? PROT_READ | PROT_WRITE : PROT_READ, out, fault);
}

/* ---- the lock and what is there ---- */

static COLD bool
lock_fault(int dir_fd, const char *dir, struct fault *fault)
{
    char pid[24] = "";
    int fd = openat(dir_fd, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t n = fd >= 0 ? pread(fd, pid, sizeof(pid) - 1, 0) : -1;

    if (fd >= 0)
        (void)close(fd);

    if (n > 0)
        pid[strcspn(pid, "\n")] = '\0';
    return FAULT(fault, "journal directory %s is in use by process %s: one gateway per journal", dir,
                 n > 0 ? pid : "(unknown)");
}

/* Locked now, unless somebody else has it. A file system that cannot lock this file lets it pass. */
static bool
lock_free(int fd, int how)
{
    return flock(fd, how | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

bool
journal_file_in_use(const char *dir, struct fault *fault)
{
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir_fd < 0)
        return false;
    int fd = openat(dir_fd, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool in_use = !lock_free(dir_fd, LOCK_SH) || (fd >= 0 && !lock_free(fd, LOCK_SH));
    if (in_use)
        (void)lock_fault(dir_fd, dir, fault);
    if (fd >= 0)
        (void)close(fd);
    (void)close(dir_fd);
    return in_use;
}

static bool
lock_take(struct journal_file *j, struct fault *fault)
{
    char pid[24];

    /* The folder itself first: nobody can take it away, as they can the file in it. (Over NFS only the file has one.)
     */
    if (!lock_free(j->dir_fd, LOCK_EX))
        return lock_fault(j->dir_fd, j->dir, fault);
    j->lock_fd = openat(j->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (j->lock_fd < 0)
        return FAULT(fault, "%s/lock: %s", j->dir, strerror(errno));
    if (flock(j->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? lock_fault(j->dir_fd, j->dir, fault)
                                    : FAULT(fault, "%s/lock: %s", j->dir, strerror(errno));
    int n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
    if (ftruncate(j->lock_fd, 0) != 0 || pwrite(j->lock_fd, pid, (size_t)n, 0) != n)
        return FAULT(fault, "%s/lock: cannot be written: %s", j->dir, strerror(errno));
    return true;
}

/* First, last and number of segments; half-written ones are removed. */
static bool
dir_scan(struct journal_file *j, struct fault *fault)
{
    int fd = openat(j->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *e;
    uint32_t count = 0;
    uint32_t index;

    if (d == NULL) {
        if (fd >= 0)
            (void)close(fd);
        return FAULT(fault, "journal directory %s: cannot be listed: %s", j->dir, strerror(errno));
    }
    while ((e = readdir(d)) != NULL) {
        if (name_parse(e->d_name, "new", &index))
            (void)unlinkat(j->dir_fd, e->d_name, 0);
        if (!name_parse(e->d_name, "seg", &index))
            continue;
        count++;
        j->first = j->first == 0 ? index : MIN(j->first, index);
        j->last = MAX(j->last, index);
    }
    (void)closedir(d);
    if (count != 0 && count != j->last - j->first + 1)
        return FAULT(fault, "journal directory %s: segments %08u to %08u expected, only %u are there", j->dir, j->first,
                     j->last, count);
    return true;
}

struct journal_file *
journal_file_open(const char *dir, size_t segment_bytes, struct fault *fault)
{
    ASSERT(segment_bytes >= SEGMENT_MIN && segment_bytes % PAGE_BYTES == 0);
    struct journal_file *j = (struct journal_file *)calloc(1, sizeof(*j));

    if (j == NULL || strlen(dir) >= DIR_BYTES) {
        (void)FAULT(fault, "journal directory %.100s: %s", dir, j == NULL ? "out of memory" : "path too long");
        free(j);
        return NULL;
    }
    (void)snprintf(j->dir, sizeof(j->dir), "%s", dir);
    j->segment_bytes = segment_bytes;
    j->lock_fd = -1;
    j->wake_fd = -1;
    j->next.fd = -1;
    (void)pthread_mutex_init(&j->fault_lock, NULL);
    bool ok = mkdir(dir, 0700) == 0 || errno == EEXIST;
    j->dir_fd = ok ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (j->dir_fd < 0)
        (void)FAULT(fault, "journal directory %s: %s%s", dir, strerror(errno),
                    errno == ENOENT ? ", expected the folder above it" : "");
    if (j->dir_fd >= 0 && lock_take(j, fault) && dir_scan(j, fault))
        return j;
    journal_file_close(j);
    return NULL;
}

uint32_t
journal_file_first(const struct journal_file *j)
{
    return j->first;
}

uint32_t
journal_file_last(const struct journal_file *j)
{
    return j->last;
}

bool
journal_file_map(struct journal_file *j, uint32_t index, struct journal_region *out, struct fault *fault)
{
    if (!segment_open(j, index, false, out, fault))
        return false;
    (void)close(out->fd); /* the mapping stays */
    out->fd = -1;
    (void)madvise(out->base, out->bytes, MADV_SEQUENTIAL);
    return true;
}

void
journal_file_unmap(struct journal_region *segment)
{
    segment_drop(segment);
}

/* ---- making segments ---- */

static void touch_ahead(struct journal_file *j);

/* Zeros to the end, block by block, each on disk before the next, so that the writer's pages get their turn and the
 * last sync is short. */
static int
zeros_write(struct journal_file *j, int fd, bool touching)
{
    for (size_t at = 0; at < j->segment_bytes;) {
        size_t n = MIN(j->segment_bytes - at, sizeof(zeros));
        ssize_t put = pwrite(fd, zeros, n, (off_t)at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? errno : ENOSPC;
        if (sync_file_range(fd, (off_t)at, put, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER) != 0 &&
            errno != ENOSYS && errno != EINVAL && errno != ESPIPE)
            return errno;
        at += (size_t)put;
        if (!touching)
            continue;
        touch_ahead(j);
        /* Acquire: pairs with journal_file_close. */
        if (atomic_load_explicit(&j->stop, memory_order_acquire))
            return ECANCELED;
    }
    return fdatasync(fd) == 0 ? 0 : errno;
}

/* A new segment under its final name, zeros and name on disk. Returns 0 or errno; *fd is open then. */
static int
segment_make(struct journal_file *j, uint32_t index, bool touching, int *fd)
{
    char part[NAME_BYTES];
    char name[NAME_BYTES];

    name_of(index, "new", part);
    name_of(index, "seg", name);
    if (index > SEGMENT_MAX)
        return EFBIG;
    *fd = openat(j->dir_fd, part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (*fd < 0)
        return errno;
    int err = zeros_write(j, *fd, touching);
    if (err == 0 && renameat(j->dir_fd, part, j->dir_fd, name) != 0)
        err = errno;
    if (err == 0)
        return fsync(j->dir_fd) == 0 ? 0 : errno;
    (void)unlinkat(j->dir_fd, part, 0);
    (void)close(*fd);
    *fd = -1;
    return err;
}

static bool
all_zero(const struct journal_region *s)
{
    /* memcmp with itself, shifted by one: equal means that every byte is like the first. */
    return s->base[0] == 0 && memcmp(s->base, s->base + 1, s->bytes - 1) == 0;
}

/* ---- compaction ---- */

const char *
journal_file_dir(const struct journal_file *j)
{
    return j->dir;
}

int
journal_file_dir_fd(const struct journal_file *j)
{
    return j->dir_fd;
}

bool
journal_file_replace_begin(struct journal_file *j, uint32_t index, size_t bytes, struct journal_region *out,
                           struct fault *fault)
{
    char part[NAME_BYTES];

    ASSERT(!j->started && index >= j->first && index <= j->last && bytes >= SEGMENT_MIN && bytes % PAGE_BYTES == 0);
    name_of(index, "new", part);
    (void)unlinkat(j->dir_fd, part, 0);
    int fd = openat(j->dir_fd, part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int err = fd < 0 ? errno : posix_fallocate(fd, 0, (off_t)bytes);
    if (err == 0)
        return segment_map(j, index, fd, PROT_READ | PROT_WRITE, out, fault);
    if (fd >= 0)
        (void)close(fd);
    (void)unlinkat(j->dir_fd, part, 0);
    return FAULT(fault, "%s/%s: cannot be made (%zu bytes): %s", j->dir, part, bytes, strerror(err));
}

/* A finished segment goes to the archive, under its own name. keep: it stays here too. */
static bool
archive_segment(struct journal_file *j, const char *archive, const char *name, bool keep, struct fault *fault)
{
    (void)mkdir(archive, 0700); /* there already, or open says what is wrong */
    int to = open(archive, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int err = to < 0 ? errno : 0;

    if (err == 0 && (keep ? linkat(j->dir_fd, name, to, name, 0) : renameat(j->dir_fd, name, to, name)) != 0 &&
        !(keep && errno == EEXIST))
        err = errno;
    if (err == 0 && fsync(to) != 0)
        err = errno;
    if (to >= 0)
        (void)close(to);
    return err == 0 || FAULT(fault, "%s: %s cannot be moved there: %s", archive, name,
                             err == EXDEV ? "another file system" : strerror(err));
}

bool
journal_file_replace_end(struct journal_file *j, struct journal_region *r, const char *archive, struct fault *fault)
{
    char part[NAME_BYTES];
    char name[NAME_BYTES];
    bool ok = true;

    name_of(r->index, "new", part);
    name_of(r->index, "seg", name);
    if (msync(r->base, r->bytes, MS_SYNC) != 0 || fsync(r->fd) != 0)
        ok = FAULT(fault, "%s/%s: cannot be synced: %s", j->dir, part, strerror(errno));
    ok = ok && (archive == NULL || archive_segment(j, archive, name, true, fault));
    if (ok && (renameat(j->dir_fd, part, j->dir_fd, name) != 0 || fsync(j->dir_fd) != 0))
        ok = FAULT(fault, "%s/%s: cannot take its name: %s", j->dir, part, strerror(errno));
    if (!ok)
        (void)unlinkat(j->dir_fd, part, 0);
    segment_drop(r);
    return ok;
}

bool
journal_file_drop(struct journal_file *j, uint32_t index, const char *archive, uint32_t *dropped, struct fault *fault)
{
    ASSERT(!j->started && index <= j->last);
    for (*dropped = 0; j->first < index; (*dropped)++) {
        char name[NAME_BYTES];
        struct stat st;
        name_of(j->first, "seg", name);
        bool ok = archive != NULL
                      ? archive_segment(j, archive, name, false, fault)
                      : unlinkat(j->dir_fd, name, 0) == 0 || FAULT(fault, "%s/%s: %s", j->dir, name, strerror(errno));
        if (ok || fstatat(j->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            j->first++; /* gone, whatever else failed */
        if (!ok)
            return false;
        /* In this order on disk too: a gap would refuse the next start. */
        if (fsync(j->dir_fd) != 0)
            return FAULT(fault, "journal directory %s: cannot be synced: %s", j->dir, strerror(errno));
    }
    return true;
}

/* ---- the toucher ---- */

static COLD void
toucher_fail(struct journal_file *j, int err, const char *what, uint32_t index)
{
    if (atomic_load_explicit(&j->error, memory_order_relaxed) != 0)
        return;
    (void)pthread_mutex_lock(&j->fault_lock);
    (void)FAULT(&j->fault, "%s/journal-%08u.seg: %s: %s", j->dir, index, what, strerror(err));
    (void)pthread_mutex_unlock(&j->fault_lock);
    /* Release: the sentence before the number. */
    atomic_store_explicit(&j->error, err, memory_order_release);
}

/* What the writer has written, or will write into what it has, is not safe. */
static COLD void
toucher_lose(struct journal_file *j, int err, const char *what, uint32_t index)
{
    toucher_fail(j, err, what, index);
    /* Release: error and sentence before it. */
    atomic_store_explicit(&j->lost, true, memory_order_release);
}

static void
live_add(struct journal_file *j, const struct journal_region *s)
{
    for (unsigned i = 0; i < LIVE_MAX; i++) {
        if (j->live[i].base != NULL)
            continue;
        j->live[i] = *s;
        return;
    }
    ASSERT(false && "more segments mapped than the writer can hold");
}

static void
live_remove(struct journal_file *j, const struct journal_region *s)
{
    for (unsigned i = 0; i < LIVE_MAX; i++)
        if (j->live[i].base == s->base)
            j->live[i] = (struct journal_region){ .fd = -1 };
}

/* Make [base + from, + bytes) writable without a fault of the writer's. Never changes a byte. */
static int
pages_touch(uint8_t *base, size_t from, size_t bytes)
{
    if (bytes == 0 || madvise(base + from, bytes, MADV_POPULATE_WRITE) == 0)
        return 0;
    if (errno != EINVAL) /* EFAULT here is what would have been a SIGBUS */
        return errno == EFAULT ? EIO : errno;
    for (size_t at = from; at < from + bytes; at += PAGE_BYTES) /* before Linux 5.14 */
        (void)__atomic_fetch_or(base + at, 0, __ATOMIC_RELAXED);
    return 0;
}

/* The first pages of the segment behind this one, when it is there. */
static int
next_touch(struct journal_file *j, uint32_t index)
{
    for (unsigned i = 0; i < LIVE_MAX; i++)
        if (j->live[i].base != NULL && j->live[i].index == index + 1)
            return pages_touch(j->live[i].base, 0, MIN(TOUCH_BYTES, j->live[i].bytes));
    return 0;
}

/* The pages from the writer's on; where the segment ends, the first ones of the next. Writeback protects pages again
 * after each sync, so they are all asked for each time. */
static void
touch_ahead(struct journal_file *j)
{
    uintptr_t at = atomic_load_explicit(&j->write_at, memory_order_relaxed);

    j->idle = at == j->touched_at ? j->idle + 1 : 0;
    j->touched_at = at;
    for (unsigned i = 0; i < LIVE_MAX; i++) {
        const struct journal_region *s = &j->live[i];
        uintptr_t base = (uintptr_t)s->base;
        if (s->base == NULL || at < base || at > base + s->bytes)
            continue;
        size_t from = (at - base) / PAGE_BYTES * PAGE_BYTES;
        size_t bytes = MIN(TOUCH_BYTES, s->bytes - from);
        int err = pages_touch(s->base, from, bytes);
        if (err == 0 && bytes < TOUCH_BYTES)
            err = next_touch(j, s->index);
        if (err != 0)
            toucher_lose(j, err, "a page cannot be made writable", s->index);
        return;
    }
}

/* Unmap what the writer has left behind. */
static void
toucher_retire(struct journal_file *j)
{
    uint32_t head = atomic_load_explicit(&j->retired_head, memory_order_relaxed);

    /* Acquire: pairs with journal_file_release. */
    for (; head != atomic_load_explicit(&j->retired_tail, memory_order_acquire); head++) {
        struct journal_region *s = &j->retired[head % RETIRED_MAX];
        live_remove(j, s);
        if (fdatasync(s->fd) != 0)
            toucher_lose(j, errno, "sync of a full segment", s->index);
        segment_drop(s);
        /* Release: the place is empty before the writer may fill it. */
        atomic_store_explicit(&j->retired_head, head + 1, memory_order_release);
    }
}

static int64_t
steady_s(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec;
}

/* The disk was full: is it time, and has it room? Filling what little is free, again and again, would be no help to
 * those who write beside us. Also true where the disk was not full. */
static bool
room_again(struct journal_file *j)
{
    struct statvfs v;

    if (j->retry_s == 0)
        return atomic_load_explicit(&j->error, memory_order_relaxed) == 0;
    if (steady_s() < j->retry_s || atomic_load_explicit(&j->lost, memory_order_relaxed))
        return false;
    j->retry_s = steady_s() + RETRY_S;
    return fstatvfs(j->dir_fd, &v) == 0 && (uint64_t)v.f_bavail * v.f_frsize >= j->segment_bytes + j->segment_bytes / 8;
}

/* The segment behind the last one, prepared and put into the mailbox. */
static void
toucher_prepare(struct journal_file *j)
{
    struct fault fault;
    struct journal_region s;
    uint32_t index = j->last + 1;
    int fd;

    /* Acquire: the writer has copied what was there. */
    if (atomic_load_explicit(&j->next_ready, memory_order_acquire) || !room_again(j))
        return;
    int err = segment_make(j, index, true, &fd);
    if (err == ECANCELED)
        return;
    if (err != 0) {
        toucher_fail(j, err, "the next segment cannot be prepared", index);
        if (err == ENOSPC || err == EDQUOT)
            j->retry_s = steady_s() + RETRY_S;
        return;
    }
    if (!segment_map(j, index, fd, PROT_READ | PROT_WRITE, &s, &fault)) {
        toucher_fail(j, ENOMEM, "the next segment cannot be mapped", index);
        return;
    }
    err = pages_touch(s.base, 0, MIN(TOUCH_BYTES, s.bytes));
    if (err != 0)
        toucher_lose(j, err, "a page cannot be made writable", index);
    j->last = index;
    live_add(j, &s);
    j->next = s;
    /* Release: segment before flag. */
    atomic_store_explicit(&j->next_ready, true, memory_order_release);
    if (err == 0 && j->retry_s != 0) {
        j->retry_s = 0;
        atomic_store_explicit(&j->error, 0, memory_order_release);
    }
}

/* Not synced: an older number is as true. */
static void
durable_tell(struct journal_file *j, int64_t now_s)
{
    uint64_t seq = atomic_load_explicit(&j->durable_seq, memory_order_relaxed);

    if (j->durable_term == 0 || seq <= j->durable_told || now_s == j->durable_s)
        return;
    j->durable_s = now_s;
    j->durable_told = seq;
    (void)journal_durable_write(j->dir_fd, j->durable_term, seq, false); /* tried again when there is more to tell */
}

static void *
toucher_thread(void *arg)
{
    struct journal_file *j = (struct journal_file *)arg;
    struct pollfd p = { .fd = j->wake_fd, .events = POLLIN };

    (void)pthread_setname_np(pthread_self(), "execgw-toucher");
    /* Acquire: pairs with journal_file_close. */
    while (!atomic_load_explicit(&j->stop, memory_order_acquire)) {
        toucher_retire(j);
        toucher_prepare(j);
        touch_ahead(j);
        durable_tell(j, steady_s());
        (void)poll(&p, 1, j->idle < IDLE_AFTER ? TOUCH_BUSY_MS : TOUCH_IDLE_MS);
    }
    return NULL;
}

/* ---- start ---- */

/* Keep what replay did not accept, under a name that replay does not read. */
static bool
segment_void(struct journal_file *j, uint32_t index, struct fault *fault)
{
    char name[NAME_BYTES];
    char kept[NAME_BYTES];
    struct stat st;

    name_of(index, "seg", name);
    for (unsigned n = 1; n < 1000; n++) {
        (void)snprintf(kept, sizeof(kept), "journal-%08u.void-%u", index, n);
        if (fstatat(j->dir_fd, kept, &st, AT_SYMLINK_NOFOLLOW) == 0)
            continue;
        if (renameat(j->dir_fd, name, j->dir_fd, kept) == 0)
            return true;
        break;
    }
    return FAULT(fault, "%s/%s: cannot be put aside: %s", j->dir, name, strerror(errno));
}

/* Whatever stands behind `index`: one empty segment of the right size is kept as the next, other empty ones go, the
 * rest is put aside. */
static bool
tail_clear(struct journal_file *j, uint32_t index, struct fault *fault)
{
    for (; j->last > index; j->last--) {
        struct journal_region s;
        char name[NAME_BYTES];
        bool wrong = !segment_open(j, j->last, true, &s, fault);
        bool empty = !wrong && all_zero(&s);
        if (empty && j->last == index + 1 && s.bytes == j->segment_bytes) {
            j->next = s;
            return true;
        }
        if (!wrong)
            segment_drop(&s);
        name_of(j->last, "seg", name);
        if (empty ? unlinkat(j->dir_fd, name, 0) != 0 : !segment_void(j, j->last, fault))
            return empty ? FAULT(fault, "%s/%s: %s", j->dir, name, strerror(errno)) : false;
    }
    return true;
}

bool
journal_file_void(struct journal_file *j, uint32_t index, struct fault *fault)
{
    ASSERT(!j->started && index >= 1 && index >= j->first);
    for (; j->last >= index; j->last--) {
        struct journal_region s;
        char name[NAME_BYTES];
        name_of(j->last, "seg", name);
        if (!segment_open(j, j->last, false, &s, fault))
            return false;
        bool empty = all_zero(&s);
        segment_drop(&s);
        if (empty && unlinkat(j->dir_fd, name, 0) != 0)
            return FAULT(fault, "%s/%s: %s", j->dir, name, strerror(errno));
        if (!empty && !segment_void(j, j->last, fault))
            return false;
    }
    if (j->last < j->first)
        j->first = j->last = 0;
    return fsync(j->dir_fd) == 0 || FAULT(fault, "journal directory %s: cannot be synced: %s", j->dir, strerror(errno));
}

/* The segment to go on in, when it has no header and is not empty: its first page was lost. */
static bool
headless_clear(struct journal_file *j, uint32_t index, struct fault *fault)
{
    struct journal_region s;

    if (j->last < index)
        return true;
    if (!segment_open(j, index, false, &s, fault))
        return false;
    bool headless = s.base[0] == 0 && memcmp(s.base, s.base + 1, 7) == 0 && !all_zero(&s);
    segment_drop(&s);
    if (!headless)
        return true;
    segment_drop(&j->next); /* the one behind it: unmapped, it goes as well */
    return journal_file_void(j, index, fault);
}

/* Segments that a run before may have left without a sync. */
#define UNSYNCED_MAX (JOURNAL_HELD_MAX + RETIRED_MAX + 1)

static bool
old_sync(struct journal_file *j)
{
    bool ok = true;

    for (uint32_t i = j->last > UNSYNCED_MAX ? j->last - UNSYNCED_MAX : 1; ok && i <= j->last; i++) {
        char name[NAME_BYTES];
        if (i < j->first)
            continue;
        name_of(i, "seg", name);
        int fd = openat(j->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        ok = fd >= 0 && fdatasync(fd) == 0;
        if (fd >= 0)
            (void)close(fd);
    }
    return ok;
}

void
journal_file_durable_begin(struct journal_file *j, uint32_t term, uint64_t seq)
{
    ASSERT(!j->started);
    j->durable_term = term;
    j->durable_told = seq;
    atomic_store_explicit(&j->durable_seq, seq, memory_order_relaxed);
}

static void
durable_start(struct journal_file *j)
{
    if (j->durable_term == 0 ||
        (old_sync(j) && journal_durable_write(j->dir_fd, j->durable_term, j->durable_told, true) == 0))
        return;
    (void)unlinkat(j->dir_fd, "durable", 0); /* an earlier run's says nothing of this one */
    j->durable_term = 0;
}

void
journal_file_durable(struct journal_file *j, uint64_t seq)
{
    atomic_store_explicit(&j->durable_seq, seq, memory_order_relaxed);
}

/* An old file may have been copied with holes: give it its blocks, or say now that the disk is full. */
static bool
blocks_check(struct journal_file *j, const struct journal_region *s, struct fault *fault)
{
    struct stat st;

    if (fstat(s->fd, &st) == 0 && (uint64_t)st.st_blocks * 512 >= s->bytes)
        return true;
    int err = posix_fallocate(s->fd, 0, (off_t)s->bytes);
    return err == 0 ||
           FAULT(fault, "%s/journal-%08u.seg: its blocks cannot be reserved: %s", j->dir, s->index, strerror(err));
}

static bool
toucher_start(struct journal_file *j, struct fault *fault)
{
    sigset_t all;
    sigset_t before;

    j->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = j->wake_fd < 0 ? errno : pthread_create(&j->thread, NULL, toucher_thread, j);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err != 0)
        return FAULT(fault, "journal directory %s: no thread for it: %s", j->dir, strerror(err));
    j->started = true;
    return true;
}

bool
journal_file_start(struct journal_file *j, uint32_t index, struct journal_region *out, struct fault *fault)
{
    ASSERT(!j->started && index >= 1 && (j->last == 0 ? index == 1 : index >= j->first && index <= j->last + 1));
    if (!tail_clear(j, index, fault) || !headless_clear(j, index, fault))
        return false;
    if (j->last < index) {
        int fd;
        int err = segment_make(j, index, false, &fd);
        if (err != 0)
            return FAULT(fault, "%s/journal-%08u.seg: cannot be made (%zu bytes of zeros): %s", j->dir, index,
                         j->segment_bytes, strerror(err));
        (void)close(fd);
        j->last = index;
        j->first = j->first == 0 ? index : j->first;
    }
    if (fsync(j->dir_fd) != 0)
        return FAULT(fault, "journal directory %s: cannot be synced: %s", j->dir, strerror(errno));
    struct journal_region *first = &j->held[0];
    if (!segment_open(j, index, true, first, fault))
        return false;
    j->held_count = 1;
    if (!blocks_check(j, first, fault))
        return false;
    live_add(j, first);
    if (j->next.base != NULL) {
        if (!blocks_check(j, &j->next, fault))
            return false;
        live_add(j, &j->next);
        atomic_store_explicit(&j->next_ready, true, memory_order_relaxed);
    }
    atomic_store_explicit(&j->write_at, (uintptr_t)first->base, memory_order_relaxed);
    *out = *first;
    durable_start(j);
    return toucher_start(j, fault);
}

/* ---- writer ---- */

void
journal_file_progress(struct journal_file *j, const struct journal_region *in_use, size_t written_bytes)
{
    atomic_store_explicit(&j->write_at, (uintptr_t)in_use->base + written_bytes, memory_order_relaxed);
}

enum journal_next
journal_file_next(struct journal_file *j, struct journal_region *out)
{
    /* Acquire: pairs with toucher_prepare. */
    if (!atomic_load_explicit(&j->next_ready, memory_order_acquire))
        return atomic_load_explicit(&j->error, memory_order_relaxed) != 0 ? JOURNAL_NEXT_FAILED
                                                                          : JOURNAL_NEXT_NOT_READY;
    if (j->held_count == JOURNAL_HELD_MAX)
        return JOURNAL_NEXT_NOT_READY;
    *out = j->held[j->held_count++] = j->next;
    /* Release: our copy is made before the toucher may fill the mailbox again. */
    atomic_store_explicit(&j->next_ready, false, memory_order_release);
    return JOURNAL_NEXT_OK;
}

void
journal_file_release(struct journal_file *j, uint32_t index)
{
    uint32_t tail = atomic_load_explicit(&j->retired_tail, memory_order_relaxed);

    ASSERT(j->held_count > 1 && j->held[0].index == index);
    /* Acquire: pairs with toucher_retire. */
    ASSERT(tail - atomic_load_explicit(&j->retired_head, memory_order_acquire) < RETIRED_MAX);
    j->retired[tail % RETIRED_MAX] = j->held[0];
    j->held_count--;
    memmove(j->held, j->held + 1, j->held_count * sizeof(j->held[0]));
    /* Release: segment before index. */
    atomic_store_explicit(&j->retired_tail, tail + 1, memory_order_release);
}

bool
journal_file_error(struct journal_file *j, int *err, struct fault *fault)
{
    /* Acquire: pairs with toucher_fail. */
    int e = atomic_load_explicit(&j->error, memory_order_acquire);

    if (e == 0)
        return false;
    if (err != NULL)
        *err = e;
    if (fault != NULL) {
        (void)pthread_mutex_lock(&j->fault_lock);
        *fault = j->fault;
        (void)pthread_mutex_unlock(&j->fault_lock);
    }
    return true;
}

bool
journal_file_lost(const struct journal_file *j)
{
    /* Acquire: pairs with toucher_lose. */
    return atomic_load_explicit(&j->lost, memory_order_acquire);
}

int
journal_file_sync(struct journal_file *j)
{
    int err = 0;

    for (uint32_t i = 0; i < j->held_count; i++)
        if (msync(j->held[i].base, j->held[i].bytes, MS_SYNC) != 0)
            err = -errno;
    return err;
}

void
journal_file_close(struct journal_file *j)
{
    const uint64_t one = 1;

    if (j->started) {
        /* Release: pairs with toucher_thread. */
        atomic_store_explicit(&j->stop, true, memory_order_release);
        if (write(j->wake_fd, &one, sizeof(one)) < 0)
            ASSERT(errno == EAGAIN);
        (void)pthread_join(j->thread, NULL);
        uint64_t seq = atomic_load_explicit(&j->durable_seq, memory_order_relaxed);
        if (journal_file_sync(j) == 0 && j->durable_term != 0 && !journal_file_lost(j))
            (void)journal_durable_write(j->dir_fd, j->durable_term, seq, true);
    }
    if (atomic_load_explicit(&j->next_ready, memory_order_relaxed) || !j->started)
        segment_drop(&j->next);
    for (uint32_t i = atomic_load_explicit(&j->retired_head, memory_order_relaxed);
         i != atomic_load_explicit(&j->retired_tail, memory_order_relaxed); i++)
        segment_drop(&j->retired[i % RETIRED_MAX]);
    for (uint32_t i = 0; i < j->held_count; i++)
        segment_drop(&j->held[i]);
    (void)pthread_mutex_destroy(&j->fault_lock);
    if (j->wake_fd >= 0)
        (void)close(j->wake_fd);
    if (j->lock_fd >= 0)
        (void)close(j->lock_fd);
    if (j->dir_fd >= 0)
        (void)close(j->dir_fd);
    free(j);
}
