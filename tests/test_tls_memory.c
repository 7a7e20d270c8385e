/* The pool behind OpenSSL: bounded, from any thread, and OpenSSL lives through its end. */
#include "engine/io/tls_memory.h"
#include "tests/test.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>

static struct arena arena;

static void
setup(void)
{
    struct fault fault = { "" };
    if (arena.base == NULL) {
        arena.size = tls_memory_footprint(2);
        arena.base = (uint8_t *)aligned_alloc(64, arena.size);
        CHECK(tls_memory_init(2, &arena, &fault));
        arena_seal(&arena);
    }
    tls_memory_bind(true);
}

static bool
in_pool(const void *p)
{
    return (const uint8_t *)p >= arena.base && (const uint8_t *)p < arena.base + arena.size;
}

TEST(tls_memory_takes_from_the_pool_on_bound_threads_only)
{
    setup();
    void *a = OPENSSL_malloc(100);
    CHECK(in_pool(a));
    tls_memory_bind(false);
    void *b = OPENSSL_malloc(100);
    CHECK(!in_pool(b));
    OPENSSL_free(a); /* each finds its way home */
    tls_memory_bind(true);
    OPENSSL_free(b);
    CHECK_EQ(tls_memory_stats().bytes_used, 0);
    CHECK(tls_memory_stats().bytes_peak >= 100);
}

TEST(tls_memory_gives_blocks_of_every_size_that_do_not_overlap)
{
    setup();
    static const size_t size[] = { 1, 31, 32, 33, 64, 1000, 1024, 1025, 4096, 16800, 21824, 21825, 65536 };
    uint8_t *p[ARRAY_LEN(size)];
    for (size_t i = 0; i < ARRAY_LEN(size); i++) {
        p[i] = (uint8_t *)OPENSSL_malloc(size[i]);
        CHECK(p[i] != NULL && in_pool(p[i]));
        CHECK_EQ((uintptr_t)p[i] % 16, 0);
        memset(p[i], (int)i + 1, size[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(size); i++) {
        CHECK_EQ(p[i][0], i + 1);
        CHECK_EQ(p[i][size[i] - 1], i + 1);
        OPENSSL_free(p[i]);
    }
    CHECK(OPENSSL_malloc(65537) == NULL); /* larger than any class */
    CHECK_EQ(tls_memory_stats().bytes_used, 0);
}

TEST(tls_memory_realloc_keeps_the_bytes_in_and_out_of_the_pool)
{
    setup();
    char *p = (char *)OPENSSL_malloc(20);
    memcpy(p, "0123456789012345678", 20);
    p = (char *)OPENSSL_realloc(p, 30);
    p = (char *)OPENSSL_realloc(p, 5000);
    CHECK(in_pool(p));
    CHECK_STR(p, "0123456789012345678");
    OPENSSL_free(p);
    tls_memory_bind(false);
    p = (char *)OPENSSL_malloc(20);
    memcpy(p, "0123456789012345678", 20);
    p = (char *)OPENSSL_realloc(p, 40);
    tls_memory_bind(true);
    p = (char *)OPENSSL_realloc(p, 5000);
    CHECK(in_pool(p));
    CHECK_STR(p, "0123456789012345678");
    OPENSSL_free(p);
    CHECK_EQ(tls_memory_stats().bytes_used, 0);
}

TEST(tls_memory_used_up_is_null_and_everything_comes_back)
{
    setup();
    static void *p[200000];
    size_t n = 0;
    uint64_t before = tls_memory_stats().failures;
    while (n < ARRAY_LEN(p) && (p[n] = OPENSSL_malloc(16)) != NULL)
        n++;
    CHECK(n < ARRAY_LEN(p));
    CHECK_EQ(tls_memory_stats().failures, before + 1);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new(); /* OpenSSL says no; it does not die */
    CHECK(ctx == NULL);
    for (size_t i = 0; i < n; i++)
        OPENSSL_free(p[i]);
    CHECK_EQ(tls_memory_stats().bytes_used, 0);
    ctx = EVP_MD_CTX_new();
    CHECK(ctx != NULL);
    EVP_MD_CTX_free(ctx);
}

static void *
churn(void *arg)
{
    uint64_t s = (uintptr_t)arg * 2654435761u + 88172645463325252u;
    uint8_t *held[16] = { NULL };
    tls_memory_bind(true);
    for (int i = 0; i < 100000; i++) {
        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        uint8_t **h = &held[s % 16];
        if (*h != NULL) {
            uint8_t mark = (uint8_t)(uintptr_t)arg;
            ASSERT((*h)[0] == mark && (*h)[15] == mark); /* nobody else wrote to our block */
            OPENSSL_free(*h);
        }
        *h = (uint8_t *)OPENSSL_malloc(16 + s % 3000);
        if (*h != NULL)
            memset(*h, (int)(uintptr_t)arg, 16);
    }
    for (int i = 0; i < 16; i++)
        OPENSSL_free(held[i]);
    return NULL;
}

TEST(tls_memory_never_gives_one_block_to_two_threads)
{
    setup();
    pthread_t t[3];
    for (uintptr_t i = 0; i < ARRAY_LEN(t); i++)
        CHECK(pthread_create(&t[i], NULL, churn, (void *)(i + 1)) == 0);
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        (void)pthread_join(t[i], NULL);
    CHECK_EQ(tls_memory_stats().bytes_used, 0);
}

TEST_MAIN()
