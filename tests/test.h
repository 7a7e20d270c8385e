/* Test words over cmocka: TEST(name) { ... } registers itself, TEST_MAIN runs them in order: those that the command
 * line names, or all. A name is a sentence about behaviour. CHECK_* fail the test; SKIP ends the program with 77. */
#ifndef EXECGW_TESTS_TEST_H
#define EXECGW_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "execgw/base.h"

#define TESTS_MAX 512
static struct CMUnitTest test_list[TESTS_MAX];
static size_t test_count;

static inline void
test_add(const char *name, CMUnitTestFunction fn)
{
    ASSERT(test_count < TESTS_MAX);
    test_list[test_count++] = (struct CMUnitTest){ .name = name, .test_func = fn };
}

#define TEST(fn)                                            \
    static void fn(void);                                   \
    static void fn##_run(void **state)                      \
    {                                                       \
        (void)state;                                        \
        fn();                                               \
    }                                                       \
    __attribute__((constructor)) static void fn##_add(void) \
    {                                                       \
        test_add(#fn, fn##_run);                            \
    }                                                       \
    static void fn(void)

/* Only those of the list that are named stay. False: one is not in it. */
static inline bool
test_choose(int count, char **names)
{
    size_t kept = 0;

    for (int n = 0; n < count; n++) {
        size_t at = kept;
        while (at < test_count && strcmp(test_list[at].name, names[n]) != 0)
            at++;
        if (at == test_count)
            return false;
        struct CMUnitTest swap = test_list[kept];
        test_list[kept++] = test_list[at];
        test_list[at] = swap;
    }
    test_count = kept;
    return true;
}

#define TEST_MAIN()                                                                  \
    int main(int argc, char **argv)                                                  \
    {                                                                                \
        if (argc > 1 && !test_choose(argc - 1, argv + 1)) {                          \
            (void)fprintf(stderr, "%s: no test of that name\n", argv[0]);            \
            return 64;                                                               \
        }                                                                            \
        return _cmocka_run_group_tests(__FILE__, test_list, test_count, NULL, NULL); \
    }

#define CHECK(cond)        assert_true(cond)
#define CHECK_EQ(a, b)     assert_int_equal((a), (b))
#define CHECK_STR(a, b)    assert_string_equal((a), (b))
#define CHECK_MEM(a, b, n) assert_memory_equal((a), (b), (n))
#define SKIP(...)                           \
    do {                                    \
        (void)fprintf(stderr, __VA_ARGS__); \
        exit(77);                           \
    } while (0)

#endif
