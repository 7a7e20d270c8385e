/* Any bytes as config.toml: the whole loader takes them or names what is wrong, and what it takes prints and loads. */
#include "engine/config.h"

#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct config c;

static int
load(const char *path, const char *arg, char *out_text, size_t out_room)
{
    static char errors[65536];
    char *argv[] = { "execgw", "--config", (char *)(uintptr_t)path, (char *)(uintptr_t)arg, NULL };

    memset(errors, 0, sizeof(errors));
    FILE *out = fmemopen(out_text, out_room - 1, "w");
    FILE *err = fmemopen(errors, sizeof(errors) - 1, "w");
    ASSERT(out != NULL && err != NULL);
    int rc = config_load(arg != NULL ? 4 : 3, argv, NULL, &c, out, err);
    (void)fclose(out);
    (void)fclose(err);
    /* Refused means that something was said; accepted, that nothing was. */
    ASSERT((rc == EXIT_CONFIG) == (errors[0] != '\0'));
    return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char printed[1u << 20];
    static char path[64];
    static int fd = -1;

    if (size > 65536)
        return 0;
    if (fd < 0) {
        fd = memfd_create("config", 0);
        ASSERT(fd >= 0);
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    }
    ASSERT(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
    memset(printed, 0, 1024);
    int rc = load(path, "--print-config", printed, sizeof(printed));
    ASSERT(rc == EXIT_OK || rc == EXIT_CONFIG);
    if (rc != EXIT_OK)
        return 0;
    /* What it printed loads again and means the same. */
    uint64_t hash = c.hash;
    size_t n = strlen(printed);
    ASSERT(ftruncate(fd, 0) == 0 && pwrite(fd, printed, n, 0) == (ssize_t)n);
    rc = load(path, NULL, printed, sizeof(printed));
    ASSERT(rc == CONFIG_GO);
    ASSERT(c.hash == hash);
    return 0;
}
