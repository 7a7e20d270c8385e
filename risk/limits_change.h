/* Two sets of limits side by side: each number that differs, by its path, and whether the new set is certainly tighter.
 *
 * One table of numbers for both questions, so that what the journal says of a change and what asks for a second step
 * cannot drift apart. Pure, cold.
 *
 * Always true: a number that is not certainly tighter counts as looser, and so does one that appears or goes away. */
#ifndef EXECGW_RISK_LIMITS_CHANGE_H
#define EXECGW_RISK_LIMITS_CHANGE_H

#include "risk/limits.h"

enum limits_change { LIMITS_SAME, LIMITS_TIGHTER, LIMITS_LOOSER };

#define LIMITS_PATH_BYTES 96

/* path as in limits.h: `instrument_default.collar_ppm`, `override[0.BTCUSDT].order_qty_max`, `client[3].verbs`. */
typedef void (*limits_difference_fn)(void *ctx, const char *path, int64_t before, int64_t after,
                                     enum limits_change change);

/* Every number of `after` that is another one in `before`; before NULL: every number, those of single strategies,
 * accounts, venues and instruments where they are not the default's. */
void limits_differences(const struct risk_limits *before, const struct risk_limits *after, limits_difference_fn each,
                        void *ctx);

/* TIGHTER only when nothing of it is looser. The version does not count. */
enum limits_change limits_compare(const struct risk_limits *before, const struct risk_limits *after);

#endif
