#include "engine/io/shared_map.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Linux 5.1; not in every libc's headers. */
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

static bool
map_create(struct shared_map *m, const char *name, size_t bytes, int seals, struct fault *fault)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    *m = (struct shared_map){ .bytes = (bytes + page - 1) / page * page, .fd = -1 };
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return FAULT(fault, "shared memory %s: memfd_create: %s", name, strerror(errno));
    void *mem = MAP_FAILED;
    if (ftruncate(fd, (off_t)m->bytes) == 0)
        mem = mmap(NULL, m->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (mem == MAP_FAILED || fcntl(fd, F_ADD_SEALS, seals | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        int err = errno;
        if (mem != MAP_FAILED)
            (void)munmap(mem, m->bytes);
        (void)close(fd);
        return FAULT(fault, "shared memory %s of %zu bytes: %s", name, m->bytes, strerror(err));
    }
    (void)mlock(mem, m->bytes); /* best effort: RLIMIT_MEMLOCK may forbid it */
    m->mem = mem;
    m->fd = fd;
    return true;
}

bool
shared_map_session(struct shared_map *m, const char *name, size_t bytes, struct fault *fault)
{
    return map_create(m, name, bytes, 0, fault);
}

bool
shared_map_publish(struct shared_map *m, const char *name, size_t bytes, struct fault *fault)
{
    /* FUTURE_WRITE: our mapping stays writable, nobody can make another one or write() (fcntl(2)). */
    if (!map_create(m, name, bytes, F_SEAL_FUTURE_WRITE, fault))
        return false;
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", m->fd);
    int reader = open(path, O_RDONLY | O_CLOEXEC);
    int err = errno;
    (void)close(m->fd);
    m->fd = reader;
    if (reader < 0) {
        shared_map_close(m);
        return FAULT(fault, "shared memory %s: reopen %s read-only: %s", name, path, strerror(err));
    }
    return true;
}

void
shared_map_close(struct shared_map *m)
{
    if (m->mem != NULL)
        (void)munmap(m->mem, m->bytes);
    if (m->mem != NULL && m->fd >= 0)
        (void)close(m->fd);
    *m = (struct shared_map){ .fd = -1 };
}
