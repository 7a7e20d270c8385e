/* What no venue offers and tests need: money from nowhere, a price that jumps, a symbol that halts or changes its
 * rules, a market that stands still. The same behind /emulator/ of every dialect, without a key: the emulator listens
 * on loopback only.
 *
 * Always true: a request that is refused changes nothing. */
#ifndef EXECGW_BENCH_VENUE_CONTROL_H
#define EXECGW_BENCH_VENUE_CONTROL_H

#include "bench/venue/venue.h"

/* What was done: -1 and 0 where nothing was. */
struct control_done {
    int account, asset; /* deposited */
    int64_t amount;
    int symbol; /* its status or filters changed */
    const char *status;
};

/* Carry out POST /emulator/<what>. `find` gives a parameter, NULL when it is absent. False, and a sentence in `why`,
 * when it is unknown or malformed. */
bool venue_control(struct venue *v, const char *what, const char *(*find)(const void *params, const char *name),
                   const void *params, struct control_done *done, char *why, size_t why_bytes);

#endif
