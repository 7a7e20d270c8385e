/* Messages of the simulated venues, written piece by piece. Shared by the dialects (sim_binance.c, sim_kraken.c).
 *
 * Always true: a message that does not fit ends the program; nothing is cut. */
#ifndef EXECGW_TESTS_SIM_TEXT_H
#define EXECGW_TESTS_SIM_TEXT_H

#include "tests/sim/sim.h"

#include <stdarg.h>

#define SAY_MAX 65536

struct text {
    char *at; /* SAY_MAX bytes */
    size_t len;
};

static inline void __attribute__((format(printf, 2, 3))) put(struct text *t, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    int n = vsnprintf(t->at + t->len, SAY_MAX - t->len, format, ap);
    va_end(ap);
    ASSERT(n >= 0 && (size_t)n < SAY_MAX - t->len);
    t->len += (size_t)n;
}

#endif
