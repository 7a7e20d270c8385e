/* Memory for OpenSSL on the core and connector threads: a bounded, pre-faulted pool of size classes.
 *
 * OpenSSL allocates while it reads and writes records; this keeps libc's allocator (locks, faults, mmap) off the core.
 * Threads that are bound take from the pool, all others from libc; memory may be freed on any thread. OpenSSL's hook
 * has no context argument, so the pool is the process's only one.
 *
 * Always true: a block belongs to exactly one free list or to one owner; used up means NULL, which ends that
 * connection, never the process. */
#ifndef EXECGW_ENGINE_IO_TLS_MEMORY_H
#define EXECGW_ENGINE_IO_TLS_MEMORY_H

#include "execgw/arena.h"

struct tls_memory_stats {
    uint64_t bytes_max;
    uint64_t bytes_used; /* in blocks handed out */
    uint64_t bytes_peak;
    uint64_t failures; /* NULLs given */
};

/* Bytes for `conn_max` sessions, each with room for its handshake. */
size_t tls_memory_footprint(uint32_t conn_max);
/* Before the first use of OpenSSL in the process; false when OpenSSL has allocated already. */
bool tls_memory_init(uint32_t conn_max, struct arena *arena, struct fault *fault);
/* Whether this thread's OpenSSL allocations come from the pool. */
void tls_memory_bind(bool bound);
struct tls_memory_stats tls_memory_stats(void);

#endif
