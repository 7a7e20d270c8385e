/* Words that every file uses: branch hints, assertions, cache lines, named decode results, start-up faults.
 *
 * The bottom layer: includes nothing of ours, needs no .c file.
 *
 * Always true: ASSERT stays on in release builds; an unsure gateway must not send orders. */
#ifndef EXECGW_BASE_H
#define EXECGW_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a C++ client of include/execgw/client.h needs to read these headers. */
#ifdef __cplusplus
#define _Noreturn [[noreturn]]
#define _Static_assert static_assert
#endif

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define COLD        __attribute__((cold, noinline))
#define NOINLINE    __attribute__((noinline))

/* Before a loop of a few turns whose body is atomic: straight code, which the optimiser does not make of it by itself.
 */
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

#define CACHE_LINE   64
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)    ((a) < (b) ? (a) : (b))
#define MAX(a, b)    ((a) > (b) ? (a) : (b))

/* Our bug: says where and stops. The process's SIGABRT handler flushes the journal first. */
_Noreturn static inline __attribute__((cold)) void
assert_fail(const char *what, const char *file, int line)
{
    (void)fprintf(stderr, "execgw: assertion failed: %s at %s:%d\n", what, file, line);
    abort();
}
#define ASSERT(cond) (likely(cond) ? (void)0 : assert_fail(#cond, __FILE__, __LINE__))

/* Every outcome of turning bytes into a value. Outputs are written on DECODE_OK only.
 * X(name, metric label, text) */
#define DECODE_RESULTS(X)                                                                                  \
    X(DECODE_OK, "ok", "decoded")                                                                          \
    X(DECODE_IGNORED, "ignored", "well formed, and nothing for us (a subscription reply, an unused type)") \
    X(DECODE_MALFORMED, "malformed", "not what the protocol says: syntax, or a required field is missing") \
    X(DECODE_UNKNOWN_SYMBOL, "unknown_symbol", "names an instrument that is not in the table")             \
    X(DECODE_PRECISION, "precision", "has more decimals than its instrument; never rounded")               \
    X(DECODE_RANGE, "range", "does not fit its integer, or more entries than there is room for")

enum decode_result {
#define X(name, label, text) name,
    DECODE_RESULTS(X)
#undef X
        DECODE_RESULT_COUNT
};

/* Why something could not start: one sentence that names file, key, value and what was expected. */
struct fault {
    char text[256];
};

/* Fill a fault and return false, so that a check reads `return FAULT(f, "...", ...)`. */
#define FAULT(f, ...) ((void)snprintf((f)->text, sizeof((f)->text), __VA_ARGS__), false)

/* Programs' exit codes (sysexits.h). */
enum exit_code { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 64, EXIT_UNAVAILABLE = 69, EXIT_CONFIG = 78 };

#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_US INT64_C(1000)

#endif
