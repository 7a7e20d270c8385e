#include "engine/io/record_file.h"
#include "execgw/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define IDLE_NS (2 * NS_PER_MS)

struct record_file {
    uint8_t *ring;
    size_t mask;
    int fd;
    record_crc_fn crc;
    pthread_t thread;
    uint32_t number;
    char path[200];
    _Alignas(CACHE_LINE) _Atomic uint64_t tail; /* core */
    uint64_t head_seen;
    bool full; /* once is for good */
    _Atomic uint64_t lost;
    _Alignas(CACHE_LINE) _Atomic uint64_t head; /* thread */
    _Atomic bool stop;
    _Atomic bool failed;
    struct fault fault; /* written before failed */
};

/* ---- the core's side --------------------------------------------------------------------------------------------- */

static void
ring_copy(struct record_file *r, uint64_t at, const void *data, size_t bytes)
{
    size_t from = (size_t)at & r->mask;
    size_t first = MIN(bytes, r->mask + 1 - from);

    memcpy(r->ring + from, data, first);
    if (unlikely(first < bytes))
        memcpy(r->ring, (const uint8_t *)data + first, bytes - first);
}

bool
record_file_put(struct record_file *r, const void *a, size_t a_bytes, const void *b, size_t b_bytes)
{
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    size_t bytes = a_bytes + b_bytes;

    ASSERT(bytes <= (r->mask + 1) / 4);
    if (unlikely(tail + bytes - r->head_seen > r->mask)) {
        /* Acquire: the thread has copied what was there. */
        r->head_seen = atomic_load_explicit(&r->head, memory_order_acquire);
        r->full |= tail + bytes - r->head_seen > r->mask;
    }
    if (unlikely(r->full)) {
        atomic_fetch_add_explicit(&r->lost, 1, memory_order_relaxed);
        return false;
    }
    if (a_bytes > 0)
        ring_copy(r, tail, a, a_bytes);
    if (b_bytes > 0)
        ring_copy(r, tail + a_bytes, b, b_bytes);
    /* Release: the bytes before the index. */
    atomic_store_explicit(&r->tail, tail + bytes, memory_order_release);
    return true;
}

uint64_t
record_file_lost(const struct record_file *r)
{
    return atomic_load_explicit(&r->lost, memory_order_relaxed);
}

bool
record_file_failed(const struct record_file *r, struct fault *fault)
{
    /* Acquire: the sentence. */
    if (!atomic_load_explicit(&r->failed, memory_order_acquire))
        return false;
    if (fault != NULL)
        *fault = r->fault;
    return true;
}

/* ---- the thread -------------------------------------------------------------------------------------------------- */

static COLD void
fail(struct record_file *r, int err)
{
    (void)FAULT(&r->fault, "recording: %s: %s; it ends here, trading goes on", r->path, strerror(err));
    /* Release: the sentence first. */
    atomic_store_explicit(&r->failed, true, memory_order_release);
}

static void
write_all(struct record_file *r, const void *data, size_t bytes)
{
    const uint8_t *at = (const uint8_t *)data;

    while (bytes > 0 && !atomic_load_explicit(&r->failed, memory_order_relaxed)) {
        ssize_t n = write(r->fd, at, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            fail(r, n < 0 ? errno : ENOSPC);
            return;
        }
        at += n;
        bytes -= (size_t)n;
    }
}

static void
block_write(struct record_file *r, uint32_t magic, const uint8_t *data, size_t bytes)
{
    struct record_block b = { .magic = magic,
                              .bytes = (uint32_t)bytes,
                              .number = r->number++,
                              .lost = atomic_load_explicit(&r->lost, memory_order_relaxed) };

    b.crc = record_block_crc(&b, data, r->crc);
    write_all(r, &b, sizeof(b));
    write_all(r, data, bytes);
}

/* One block of what is there. False when nothing was. */
static bool
drain(struct record_file *r)
{
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    /* Acquire: pairs with record_file_put. */
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);
    size_t from = (size_t)head & r->mask;
    size_t bytes = MIN(MIN((size_t)(tail - head), r->mask + 1 - from), RECORD_BLOCK_MAX);

    if (bytes == 0)
        return false;
    block_write(r, RECORD_BLOCK_MAGIC, r->ring + from, bytes);
    /* Release: the bytes are copied out. */
    atomic_store_explicit(&r->head, head + bytes, memory_order_release);
    return true;
}

static void *
record_thread(void *arg)
{
    struct record_file *r = (struct record_file *)arg;
    const struct timespec idle = { .tv_nsec = IDLE_NS };

    (void)pthread_setname_np(pthread_self(), "execgw-record");
    for (;;) {
        /* Acquire: what was put before the stop is seen by the drain after it. */
        bool stop = atomic_load_explicit(&r->stop, memory_order_acquire);
        while (drain(r)) {
        }
        if (stop)
            return NULL;
        (void)nanosleep(&idle, NULL);
    }
}

/* ---- start and end ----------------------------------------------------------------------------------------------- */

static bool
start_thread(struct record_file *r)
{
    sigset_t all;
    sigset_t before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&r->thread, NULL, record_thread, r);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err == 0;
}

struct record_file *
record_file_start(const char *dir, size_t ring_bytes, const struct record_header *h, record_crc_fn crc,
                  struct fault *fault)
{
    struct record_header header = *h;
    struct record_file *r = (struct record_file *)aligned_alloc(CACHE_LINE, sizeof(*r));

    ASSERT((ring_bytes & (ring_bytes - 1)) == 0 && r != NULL);
    memset(r, 0, sizeof(*r));
    r->mask = ring_bytes - 1;
    r->crc = crc;
    (void)snprintf(r->path, sizeof(r->path), "%s/events", dir);
    r->fd = open(r->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (r->fd < 0) {
        (void)FAULT(fault, "recording: %s: %s%s", r->path, strerror(errno),
                    errno == EEXIST ? "; each recording takes a folder of its own" : "");
        free(r);
        return NULL;
    }
    void *ring = mmap(NULL, ring_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    header.magic = RECORD_MAGIC;
    header.schema = RECORD_SCHEMA;
    header.header_bytes = sizeof(header);
    header.crc = crc(0, &header, offsetof(struct record_header, crc));
    if (ring != MAP_FAILED) {
        r->ring = (uint8_t *)ring;
        write_all(r, &header, sizeof(header));
        if (!record_file_failed(r, fault) && start_thread(r))
            return r;
        (void)munmap(ring, ring_bytes);
    } else {
        (void)FAULT(fault, "recording: no memory for a ring of %zu bytes", ring_bytes);
    }
    (void)close(r->fd);
    free(r);
    return NULL;
}

void
record_file_stop(struct record_file *r)
{
    /* Release: pairs with record_thread. */
    atomic_store_explicit(&r->stop, true, memory_order_release);
    (void)pthread_join(r->thread, NULL);
    block_write(r, RECORD_END_MAGIC, NULL, 0);
    (void)fdatasync(r->fd);
    (void)close(r->fd);
    (void)munmap(r->ring, r->mask + 1);
    free(r);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

bool
record_reader_init(struct record_reader *r, const uint8_t *base, size_t bytes, record_crc_fn crc,
                   struct record_header *h, struct fault *fault)
{
    *r = (struct record_reader){ .base = base, .bytes = bytes, .offset = sizeof(*h), .crc = crc };
    if (bytes < sizeof(*h))
        return FAULT(fault, "its events are cut: %zu bytes, expected a header of %zu", bytes, sizeof(*h));
    memcpy(h, base, sizeof(*h));
    if (h->magic != RECORD_MAGIC)
        return FAULT(fault, "no events of execgw --record: the file does not begin as such files do");
    if (h->schema != RECORD_SCHEMA || h->header_bytes != sizeof(*h))
        return FAULT(fault, "made by another version: its schema is %u, expected %u", h->schema, RECORD_SCHEMA);
    if (h->crc != crc(0, h, offsetof(struct record_header, crc)))
        return FAULT(fault, "its header is damaged (checksum)");
    h->build[sizeof(h->build) - 1] = '\0';
    return true;
}

enum record_read
record_reader_next(struct record_reader *r, const uint8_t **data, size_t *bytes)
{
    struct record_block b;

    if (r->bytes - r->offset < sizeof(b))
        return RECORD_READ_CUT;
    memcpy(&b, r->base + r->offset, sizeof(b));
    if ((b.magic != RECORD_BLOCK_MAGIC && b.magic != RECORD_END_MAGIC) || b.number != r->number ||
        b.bytes > RECORD_BLOCK_MAX)
        return RECORD_READ_DAMAGED;
    if (b.bytes > r->bytes - r->offset - sizeof(b))
        return RECORD_READ_CUT;
    const uint8_t *at = r->base + r->offset + sizeof(b);
    if (b.crc != record_block_crc(&b, at, r->crc))
        return RECORD_READ_DAMAGED;
    r->lost = b.lost;
    if (b.magic == RECORD_END_MAGIC)
        return RECORD_READ_END;
    r->offset += sizeof(b) + b.bytes;
    r->number++;
    *data = at;
    *bytes = b.bytes;
    return RECORD_READ_OK;
}
