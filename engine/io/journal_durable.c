#include "engine/io/journal_durable.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define NAME  "durable"
#define MAGIC UINT64_C(0x3152554457474345) /* "ECGWDUR1" little-endian */

/* Less than a sector: it is written whole or not at all. */
struct image {
    uint64_t magic;
    uint64_t seq;
    uint64_t term;
    uint64_t check; /* of the others */
};
_Static_assert(sizeof(struct image) == 32, "file format");

static uint64_t
check_of(const struct image *i)
{
    return i->magic ^ i->seq ^ i->term << 32 ^ i->term;
}

int
journal_durable_write(int dir_fd, uint32_t term, uint64_t seq, bool sync)
{
    struct image i = { .magic = MAGIC, .seq = seq, .term = term };
    int fd = openat(dir_fd, NAME, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return errno;
    i.check = check_of(&i);
    ssize_t put = pwrite(fd, &i, sizeof(i), 0);
    int err = put == (ssize_t)sizeof(i) ? 0 : put < 0 ? errno : ENOSPC;
    if (err == 0 && sync && (fdatasync(fd) != 0 || fsync(dir_fd) != 0))
        err = errno;
    (void)close(fd);
    return err;
}

bool
journal_durable_read(int dir_fd, uint32_t *term, uint64_t *seq)
{
    struct image i = { 0 };
    int fd = openat(dir_fd, NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0)
        return false;
    bool ok = pread(fd, &i, sizeof(i), 0) == (ssize_t)sizeof(i) && i.magic == MAGIC && i.check == check_of(&i) &&
              i.term <= UINT32_MAX;
    (void)close(fd);
    if (!ok)
        return false;
    *term = (uint32_t)i.term;
    *seq = i.seq;
    return true;
}
