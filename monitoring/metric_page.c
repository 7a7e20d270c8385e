/* The metric page in a memfd; see metric_page.h. */
#include "monitoring/metric_page.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct metric_page *
metric_page_create(int *fd, struct fault *fault)
{
    void *mem = MAP_FAILED;

    *fd = memfd_create("execgw-metrics", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*fd >= 0 && ftruncate(*fd, (off_t)sizeof(struct metric_page)) == 0 &&
        fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        mem = mmap(NULL, sizeof(struct metric_page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, *fd, 0);
    if (mem != MAP_FAILED)
        return mem;
    (void)FAULT(fault, "no memory for metrics: %s", strerror(errno));
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
    return NULL;
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
