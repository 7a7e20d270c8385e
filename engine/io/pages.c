#include "engine/io/pages.h"

#include <errno.h>
#include <sys/mman.h>

#define PAGE_BYTES ((size_t)4096)
#define HUGE_BYTES ((size_t)2 << 20)

static size_t
round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

/* The front and the end that alignment leaves over go back. */
static uint8_t *
map_aligned(size_t bytes, size_t align)
{
    size_t room = bytes + align - PAGE_BYTES;
    uint8_t *p = (uint8_t *)mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if ((void *)p == MAP_FAILED)
        return NULL;
    size_t front = (align - (uintptr_t)p % align) % align;
    if (front != 0)
        (void)munmap(p, front);
    if (room - front != bytes)
        (void)munmap(p + front + bytes, room - front - bytes);
    return p + front;
}

void *
pages_map(size_t bytes)
{
    bool huge = bytes >= HUGE_BYTES;

    if (bytes == 0 || bytes > SIZE_MAX / 2)
        return errno = EINVAL, NULL;
    bytes = round_up(bytes, PAGE_BYTES);
    uint8_t *p = map_aligned(bytes, huge ? HUGE_BYTES : PAGE_BYTES);
    if (p == NULL)
        return NULL;
    if (huge)
        (void)madvise(p, bytes, MADV_HUGEPAGE); /* a kernel without them says no: ordinary pages */
    for (size_t i = 0; i < bytes; i += PAGE_BYTES)
        *(volatile uint8_t *)(p + i) = 0;
    return p;
}
