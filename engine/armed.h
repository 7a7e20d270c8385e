/* Armed: from here on the core thread makes no allocation of ours and no system call but io_uring's.
 *
 * In an ordinary build these calls do nothing. Built with EXECGW_ARMED_TEST they put a seccomp filter on the calling
 * thread that kills the process at any other system call, and make every libc allocation on it abort: what the tests
 * run the whole gateway with.
 *
 * Always true: armed_begin() and armed_end() are called by the core thread, once each, around all its turns. */
#ifndef EXECGW_ENGINE_ARMED_H
#define EXECGW_ENGINE_ARMED_H

#include "execgw/base.h"

#ifdef EXECGW_ARMED_TEST
void armed_begin(void);
void armed_end(void);
#else
static inline void
armed_begin(void)
{
}
static inline void
armed_end(void)
{
}
#endif

#endif
