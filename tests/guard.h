/* Bytes that end exactly where memory ends: reading one past them is a fault, with or without a sanitizer. */
#ifndef EXECGW_TESTS_GUARD_H
#define EXECGW_TESTS_GUARD_H

#include "execgw/base.h"
#include <sys/mman.h>
#include <unistd.h>

struct guard {
    uint8_t *map;
    size_t room; /* bytes in front of the guard page */
};

static inline struct guard
guard_open(size_t room)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct guard g = { .room = (room + page - 1) / page * page };
    g.map = mmap(NULL, g.room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT(g.map != MAP_FAILED && mprotect(g.map + g.room, page, PROT_NONE) == 0);
    return g;
}

/* A copy of n bytes against the page. Valid until the next call. */
static inline uint8_t *
guard_copy(struct guard *g, const void *bytes, size_t n)
{
    ASSERT(n <= g->room);
    uint8_t *p = g->map + g->room - n;
    if (n > 0)
        memcpy(p, bytes, n);
    return p;
}

static inline void
guard_close(struct guard *g)
{
    (void)munmap(g->map, g->room + (size_t)sysconf(_SC_PAGESIZE));
}

#endif
