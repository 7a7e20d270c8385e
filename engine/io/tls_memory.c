/* Pool for OpenSSL. See tls_memory.h.
 *
 * One region, cut into slabs; a slab holds blocks of one size class, so the class of a block follows from its address
 * and blocks need no header. A class's free blocks are a lock-free stack of block numbers; its head carries a counter
 * against ABA. */
#include "engine/io/tls_memory.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdatomic.h>

#define SLAB_BYTES 65536u
#define BLOCK_NONE UINT32_MAX
#define UNIT_BYTES 32u /* blocks are numbered in units of this */

/* Size classes: block size, blocks per connection, blocks for all. Measured with OpenSSL 3.0 (a session at work holds
 * 78 blocks of 32 bytes, 2 of 21824 and some 60 between; a handshake at most doubles all but the smallest, which it
 * takes 660 of) with room for chains of large RSA certificates. A class that is used up borrows from the next larger.
 */
struct class_size {
    uint32_t bytes;
    uint32_t per_conn;
    uint32_t shared;
};
static const struct class_size class_size[] = {
    { 32, 800, 2048 }, { 64, 160, 1024 }, { 128, 80, 1024 }, { 256, 80, 512 }, { 512, 48, 256 }, { 1024, 24, 128 },
    { 2048, 10, 64 },  { 4096, 8, 32 },   { 8192, 4, 16 },   { 21824, 4, 6 },  { 65536, 0, 4 },
};
#define CLASS_COUNT ARRAY_LEN(class_size)

struct class
{
    _Atomic uint64_t head; /* counter:32 | unit number:32 */
    uint32_t bytes;
};

/* The process's only pool: CRYPTO_set_mem_functions takes no context. */
static struct {
    uint8_t *base;
    size_t bytes;
    uint8_t *slab_class; /* per slab */
    struct class class[CLASS_COUNT];
    _Atomic uint64_t used;
    _Atomic uint64_t peak;
    _Atomic uint64_t failures;
} pool;

static _Thread_local bool thread_bound;

static size_t
class_slabs(const struct class_size *s, uint32_t conn_max)
{
    size_t blocks = (size_t)s->per_conn * conn_max + s->shared;
    size_t per_slab = SLAB_BYTES / s->bytes;

    return (blocks + per_slab - 1) / per_slab;
}

static size_t
pool_slabs(uint32_t conn_max)
{
    size_t n = 0;

    for (size_t i = 0; i < CLASS_COUNT; i++)
        n += class_slabs(&class_size[i], conn_max);
    return n;
}

static inline bool
pool_owns(const void *p)
{
    return (uintptr_t)p - (uintptr_t)pool.base < pool.bytes;
}

static inline struct class *
block_class(const void *p)
{
    size_t slab = (size_t)((const uint8_t *)p - pool.base) / SLAB_BYTES;
    return &pool.class[pool.slab_class[slab]];
}

/* The link to the next free block lives in the block. A racing pop may read it while a new owner writes there: the
 * value is then thrown away because the head's counter has moved. */
static void
block_push(struct class *c, void *p)
{
    uint32_t unit = (uint32_t)((size_t)((uint8_t *)p - pool.base) / UNIT_BYTES);
    _Atomic uint32_t *link = (_Atomic uint32_t *)p;
    uint64_t head = atomic_load_explicit(&c->head, memory_order_relaxed);
    uint64_t mine;

    do {
        atomic_store_explicit(link, (uint32_t)head, memory_order_relaxed);
        mine = ((head >> 32) + 1) << 32 | unit;
        /* Release: the link before the head that leads to it. */
    } while (!atomic_compare_exchange_weak_explicit(&c->head, &head, mine, memory_order_release, memory_order_relaxed));
}

/* The link of a block that may have found an owner meanwhile, see block_push. */
__attribute__((no_sanitize("thread"))) static uint32_t
link_peek(const uint8_t *p)
{
    return atomic_load_explicit((const _Atomic uint32_t *)(const void *)p, memory_order_relaxed);
}

static void *
block_pop(struct class *c)
{
    uint64_t head = atomic_load_explicit(&c->head, memory_order_acquire);

    for (;;) {
        uint32_t unit = (uint32_t)head;
        if (unit == BLOCK_NONE)
            return NULL;
        uint8_t *p = pool.base + (size_t)unit * UNIT_BYTES;
        uint32_t next = link_peek(p);
        uint64_t mine = ((head >> 32) + 1) << 32 | next;
        /* Acquire: pairs with block_push. */
        if (atomic_compare_exchange_weak_explicit(&c->head, &head, mine, memory_order_acquire, memory_order_acquire))
            return p;
    }
}

static void
pool_count(uint64_t bytes)
{
    uint64_t used = atomic_fetch_add_explicit(&pool.used, bytes, memory_order_relaxed) + bytes;
    uint64_t peak = atomic_load_explicit(&pool.peak, memory_order_relaxed);

    while (used > peak &&
           !atomic_compare_exchange_weak_explicit(&pool.peak, &peak, used, memory_order_relaxed, memory_order_relaxed))
        ;
}

static void *
pool_take(size_t bytes)
{
    for (size_t i = 0; i < CLASS_COUNT; i++) {
        struct class *c = &pool.class[i];
        if (c->bytes < bytes)
            continue;
        void *p = block_pop(c);
        if (p != NULL) {
            pool_count(c->bytes);
            return p;
        }
    }
    atomic_fetch_add_explicit(&pool.failures, 1, memory_order_relaxed);
    return NULL;
}

static void
pool_give(void *p)
{
    struct class *c = block_class(p);

    atomic_fetch_sub_explicit(&pool.used, c->bytes, memory_order_relaxed);
    block_push(c, p);
}

static void *
hook_malloc(size_t bytes, const char *file, int line)
{
    (void)file;
    (void)line;
    if (bytes == 0)
        return NULL;
    return thread_bound ? pool_take(bytes) : malloc(bytes);
}

static void
hook_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    if (p == NULL)
        return;
    if (pool_owns(p))
        pool_give(p);
    else
        free(p);
}

static void *
hook_realloc(void *p, size_t bytes, const char *file, int line)
{
    if (p == NULL)
        return hook_malloc(bytes, file, line);
    if (bytes == 0) {
        hook_free(p, file, line);
        return NULL;
    }
    bool ours = pool_owns(p);
    if (!ours && !thread_bound)
        return realloc(p, bytes);
    size_t had = ours ? block_class(p)->bytes : malloc_usable_size(p);
    if (ours && had >= bytes)
        return p;
    void *to = hook_malloc(bytes, file, line);
    if (to == NULL)
        return NULL;
    memcpy(to, p, MIN(had, bytes));
    hook_free(p, file, line);
    return to;
}

size_t
tls_memory_footprint(uint32_t conn_max)
{
    size_t slabs = pool_slabs(conn_max);
    return arena_cost(slabs * SLAB_BYTES) + arena_cost(slabs);
}

bool
tls_memory_init(uint32_t conn_max, struct arena *arena, struct fault *fault)
{
    size_t slabs = pool_slabs(conn_max);
    size_t slab = 0;

    ASSERT(pool.base == NULL);
    if (!CRYPTO_set_mem_functions(hook_malloc, hook_realloc, hook_free))
        return FAULT(fault, "OpenSSL has allocated memory before its pool was set up: tls_memory_init comes first");
    pool.slab_class = (uint8_t *)arena_take(arena, slabs);
    for (size_t i = 0; i < CLASS_COUNT; i++) {
        pool.class[i].bytes = class_size[i].bytes;
        atomic_store_explicit(&pool.class[i].head, BLOCK_NONE, memory_order_relaxed);
    }
    uint8_t *base = (uint8_t *)arena_take(arena, slabs * SLAB_BYTES);
    pool.base = base;
    for (size_t i = 0; i < CLASS_COUNT; i++) {
        uint32_t bytes = class_size[i].bytes;
        for (size_t n = class_slabs(&class_size[i], conn_max); n > 0; n--, slab++) {
            pool.slab_class[slab] = (uint8_t)i;
            for (uint32_t at = SLAB_BYTES / bytes * bytes; at > 0; at -= bytes)
                block_push(&pool.class[i], base + slab * SLAB_BYTES + at - bytes);
        }
    }
    ASSERT(slab == slabs);
    pool.bytes = slabs * SLAB_BYTES; /* from here on blocks are ours to give */
    return true;
}

void
tls_memory_bind(bool bound)
{
    thread_bound = bound && pool.bytes != 0;
}

struct tls_memory_stats
tls_memory_stats(void)
{
    return (struct tls_memory_stats){
        .bytes_max = pool.bytes,
        .bytes_used = atomic_load_explicit(&pool.used, memory_order_relaxed),
        .bytes_peak = atomic_load_explicit(&pool.peak, memory_order_relaxed),
        .failures = atomic_load_explicit(&pool.failures, memory_order_relaxed),
    };
}
