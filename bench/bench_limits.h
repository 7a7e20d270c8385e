/* Limits for measuring: every control is on, none is reached. */
#ifndef EXECGW_BENCH_BENCH_LIMITS_H
#define EXECGW_BENCH_BENCH_LIMITS_H

#include "risk/limits.h"

/* Version 1: money limits at every level in USDT, with a stated rate for each currency of bench_instrument(). */
void bench_limits(struct risk_limits *l);

#endif
