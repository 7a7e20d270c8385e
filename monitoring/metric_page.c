/* The metric page in a memfd; see metric_page.h. */
#include "monitoring/metric_page.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

struct metric_page *
metric_page_create(int *fd, struct fault *fault)
{
    void *mem = MAP_FAILED;

    int rw = memfd_create("execgw-metrics", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    *fd = -1;
    if (rw >= 0 && ftruncate(rw, (off_t)sizeof(struct metric_page)) == 0)
        mem = mmap(NULL, sizeof(struct metric_page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, rw, 0);
    /* FUTURE_WRITE: this mapping stays writable, nobody makes another one or writes, however he reopens it (fcntl(2)).
     */
    if (mem != MAP_FAILED &&
        fcntl(rw, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) {
        char path[64];
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", rw);
        *fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (*fd < 0)
        (void)FAULT(fault, "no memory for metrics: %s", strerror(errno));
    if (*fd < 0 && mem != MAP_FAILED)
        (void)munmap(mem, sizeof(struct metric_page));
    if (rw >= 0)
        (void)close(rw);
    return *fd >= 0 ? (struct metric_page *)mem : NULL;
}

void
metric_page_count_fds(struct metric_page *page)
{
    int64_t n = -1; /* the folder's own */
    DIR *d = opendir("/proc/self/fd");

    if (d == NULL)
        return;
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d))
        n += e->d_name[0] != '.';
    (void)closedir(d);
    atomic_store_explicit(&page->open_fds, n, memory_order_relaxed);
}

const struct metric_page *
metric_page_map(int fd, struct fault *fault)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || st.st_size != (off_t)sizeof(struct metric_page)) {
        (void)FAULT(fault, "descriptor %d holds no metrics of this build, expected %zu bytes", fd,
                    sizeof(struct metric_page));
        return NULL;
    }
    const void *mem = mmap(NULL, sizeof(struct metric_page), PROT_READ, MAP_SHARED, fd, 0);
    if (mem == MAP_FAILED) {
        (void)FAULT(fault, "metrics cannot be mapped: %s", strerror(errno));
        return NULL;
    }
    if (!metric_page_valid(mem)) {
        metric_page_unmap(mem);
        (void)FAULT(fault, "descriptor %d holds metrics of another build, expected those of %s", fd, EXECGW_VERSION);
        return NULL;
    }
    return mem;
}

void
metric_page_unmap(const struct metric_page *page)
{
    (void)munmap((void *)(uintptr_t)page, sizeof(*page));
}
