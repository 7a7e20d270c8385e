/* Test words over cmocka: TEST(name) { ... } registers itself, TEST_MAIN runs them in order: those that the command
 * line names, or all. A name is a sentence about behaviour. CHECK_* fail the test; SKIP ends it, the others run, and
 * the program ends with 77 when none failed.
 *
 * TEST_RECORDED(name) is a test on recorded venue data, which is not in the repository: with --recorded these run and
 * no others, without it the others; for ctest they are a test of their own, <program>_recorded. */
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
static bool test_on_records[TESTS_MAX]; /* of the list as registered */
static size_t test_count;
static size_t test_skipped;

static inline void
test_add(const char *name, CMUnitTestFunction fn, bool recorded)
{
    ASSERT(test_count < TESTS_MAX);
    test_on_records[test_count] = recorded;
    test_list[test_count++] = (struct CMUnitTest){ .name = name, .test_func = fn };
}

#define TEST(fn)          TEST_OF(fn, false)
#define TEST_RECORDED(fn) TEST_OF(fn, true)

#define TEST_OF(fn, recorded)                               \
    static void fn(void);                                   \
    static void fn##_run(void **state)                      \
    {                                                       \
        (void)state;                                        \
        fn();                                               \
    }                                                       \
    __attribute__((constructor)) static void fn##_add(void) \
    {                                                       \
        test_add(#fn, fn##_run, recorded);                  \
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

/* Only those on recorded data stay, or only the others. */
static inline void
test_choose_records(bool recorded)
{
    size_t kept = 0;

    for (size_t i = 0; i < test_count; i++)
        if (test_on_records[i] == recorded)
            test_list[kept++] = test_list[i];
    test_count = kept;
}

static inline int
test_main(const char *file, int argc, char **argv)
{
    bool recorded = argc == 2 && strcmp(argv[1], "--recorded") == 0;

    if (argc == 1 || recorded) {
        test_choose_records(recorded);
    } else if (!test_choose(argc - 1, argv + 1)) {
        (void)fprintf(stderr, "%s: no test of that name\n", argv[0]);
        return 64;
    }
    int failed = _cmocka_run_group_tests(file, test_list, test_count, NULL, NULL);
    if (test_skipped > 0)
        (void)fprintf(stderr, "%s: %zu of %zu tests skipped\n", argv[0], test_skipped, test_count);
    return failed != 0 ? failed : test_skipped > 0 ? 77 : 0;
}

#define TEST_MAIN()                             \
    int main(int argc, char **argv)             \
    {                                           \
        return test_main(__FILE__, argc, argv); \
    }

#define CHECK(cond)        assert_true(cond)
#define CHECK_EQ(a, b)     assert_int_equal((a), (b))
#define CHECK_STR(a, b)    assert_string_equal((a), (b))
#define CHECK_MEM(a, b, n) assert_memory_equal((a), (b), (n))
#define SKIP(...)                           \
    do {                                    \
        (void)fprintf(stderr, __VA_ARGS__); \
        test_skipped++;                     \
        skip();                             \
        __builtin_unreachable();            \
    } while (0)

#endif
