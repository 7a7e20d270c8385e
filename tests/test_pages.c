/* Anonymous memory for arenas: zeroed, huge pages asked for, touched before it is used, its limits. */
#include "engine/io/pages.h"
#include "tests/test.h"

#include <errno.h>
#include <stdio.h>

#define HUGE_BYTES ((size_t)2 << 20)

/* The value of `name` in this process's map of the mapping that holds p, or -1. */
static long
smaps_value(const void *p, const char *name)
{
    FILE *f = fopen("/proc/self/smaps", "re");
    char line[256];
    bool here = false;
    long value = -1;

    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        unsigned long from;
        unsigned long to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            here = (uintptr_t)p >= from && (uintptr_t)p < to;
        else if (here && strncmp(line, name, strlen(name)) == 0)
            value = strtol(line + strlen(name), NULL, 10);
    }
    if (f != NULL)
        (void)fclose(f);
    return value;
}

static bool
kernel_grants_huge_pages(void)
{
    char mode[64] = "";
    FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "re");

    if (f == NULL)
        return false;
    bool ok = fgets(mode, sizeof(mode), f) != NULL && strstr(mode, "[never]") == NULL;
    (void)fclose(f);
    return ok;
}

TEST(memory_is_zeroed_and_writable_to_its_last_byte)
{
    static const size_t sizes[] = { 1, 4096, 4097, HUGE_BYTES - 1, HUGE_BYTES, HUGE_BYTES + 1, 3 * HUGE_BYTES + 5 };

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        uint8_t *p = (uint8_t *)pages_map(sizes[i]);
        CHECK(p != NULL);
        CHECK_EQ((uintptr_t)p % (sizes[i] >= HUGE_BYTES ? HUGE_BYTES : 4096), 0);
        for (size_t n = 0; n < sizes[i]; n++)
            CHECK_EQ(p[n], 0);
        p[0] = p[sizes[i] - 1] = 1;
    }
}

TEST(memory_of_a_huge_page_or_more_asks_for_huge_pages)
{
    if (!kernel_grants_huge_pages())
        return;
    CHECK_EQ(smaps_value(pages_map(2 * HUGE_BYTES), "THPeligible:"), 1);
}

TEST(every_page_is_touched_before_it_is_handed_out)
{
    uint8_t *p = (uint8_t *)pages_map(HUGE_BYTES / 2);

    CHECK(smaps_value(p, "Rss:") >= (long)(HUGE_BYTES / 2 / 1024));
}

TEST(nothing_and_more_than_there_can_be_are_refused)
{
    errno = 0;
    CHECK(pages_map(0) == NULL);
    CHECK_EQ(errno, EINVAL);
    CHECK(pages_map(SIZE_MAX) == NULL);
    CHECK(pages_map(SIZE_MAX / 4) == NULL);
    CHECK_EQ(errno, ENOMEM);
}

TEST_MAIN()
