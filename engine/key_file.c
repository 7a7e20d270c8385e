/* Key files; see key_file.h. */
#include "engine/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
resolve(const char *path, char *out, size_t room, struct fault *fault)
{
    size_t prefix = sizeof(KEY_FILE_CREDENTIAL) - 1;
    int n;

    if (strncmp(path, KEY_FILE_CREDENTIAL, prefix) != 0) {
        n = snprintf(out, room, "%s", path);
    } else {
        const char *dir = getenv("CREDENTIALS_DIRECTORY");
        const char *name = path + prefix;
        if (dir == NULL || *dir == '\0')
            return FAULT(fault, "CREDENTIALS_DIRECTORY is not set, expected systemd's LoadCredential= to set it");
        if (*name == '\0' || strchr(name, '/') != NULL)
            return FAULT(fault, "\"%s\" names no credential, expected credential:NAME", path);
        n = snprintf(out, room, "%s/%s", dir, name);
    }
    if (n < 1 || (size_t)n >= room)
        return FAULT(fault, "the path is empty or too long, expected at most %zu bytes", room - 1);
    return true;
}

/* An open descriptor of a file that passed every check, or -1 with the fault filled. */
static int
open_checked(const char *path, size_t *size, struct fault *fault)
{
    char file[512];
    struct stat st;

    if (!resolve(path, file, sizeof(file), fault))
        return -1;
    /* O_NONBLOCK: a fifo must not hold us; it is refused below. */
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0) {
        (void)FAULT(fault, "%.150s cannot be opened (%.40s), expected a file that we may read", file, strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        (void)FAULT(fault, "%.150s is not a regular file, expected a key file", file);
    } else if (st.st_uid != geteuid() && st.st_uid != 0) {
        (void)FAULT(fault, "%.150s belongs to uid %u, expected ours (%u)", file, st.st_uid, geteuid());
    } else if ((st.st_mode & 0177) != 0) {
        (void)FAULT(fault, "%.150s has mode %04o, expected 0600 or 0400", file, (unsigned)(st.st_mode & 07777));
    } else if (st.st_size < 1 || st.st_size > KEY_FILE_BYTES_MAX) {
        (void)FAULT(fault, "%.150s has %lld bytes, expected 1 to %d", file, (long long)st.st_size, KEY_FILE_BYTES_MAX);
    } else {
        *size = (size_t)st.st_size;
        return fd;
    }
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

bool
key_file_check(const char *path, struct fault *fault)
{
    size_t size;
    int fd = open_checked(path, &size, fault);

    if (fd < 0)
        return false;
    (void)close(fd);
    return true;
}

static bool
is_space(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

bool
key_file_read(const char *path, struct key_file *out, struct fault *fault)
{
    size_t size;
    size_t len = 0;
    int fd = open_checked(path, &size, fault);

    if (fd < 0)
        return false;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct key_file k = { .mapped_bytes = (size + 1 + page - 1) / page * page };
    void *mem = mmap(NULL, k.mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mem == MAP_FAILED) {
        (void)close(fd);
        return FAULT(fault, "no memory for a key: %s", strerror(errno));
    }
    k.bytes = mem;
    if (mlock(mem, k.mapped_bytes) != 0) {
        (void)FAULT(fault, "the page of a key cannot be locked (%s), expected RLIMIT_MEMLOCK to allow %zu bytes",
                    strerror(errno), k.mapped_bytes);
    } else if (madvise(mem, k.mapped_bytes, MADV_DONTDUMP) != 0 || madvise(mem, k.mapped_bytes, MADV_DONTFORK) != 0) {
        (void)FAULT(fault, "the page of a key cannot be kept out of dumps: %s", strerror(errno));
    } else {
        while (len < size) {
            ssize_t n = read(fd, k.bytes + len, size - len);
            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0)
                break;
            len += (size_t)n;
        }
        while (len > 0 && is_space(k.bytes[len - 1]))
            k.bytes[--len] = 0;
        k.len = len;
        (void)close(fd);
        if (len > 0) {
            *out = k;
            return true;
        }
        key_file_release(&k);
        return FAULT(fault, "the key file holds nothing, expected a key");
    }
    (void)close(fd);
    (void)munmap(mem, k.mapped_bytes);
    return false;
}

void
key_file_release(struct key_file *k)
{
    if (k->bytes == NULL)
        return;
    explicit_bzero(k->bytes, k->mapped_bytes);
    (void)munlock(k->bytes, k->mapped_bytes);
    (void)munmap(k->bytes, k->mapped_bytes);
    *k = (struct key_file){ 0 };
}
