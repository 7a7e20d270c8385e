/* The configured limits as risk takes them: text to integers, one validated set.
 *
 * Between config.toml (decimal text in units) and risk/limits.h (counts of 10^-8). Cold: at start and on reload.
 *
 * Always true: a set is built whole or not at all; no number in it was rounded. */
#ifndef EXECGW_ENGINE_CONFIG_LIMITS_H
#define EXECGW_ENGINE_CONFIG_LIMITS_H

#include "engine/config.h"
#include "risk/limits.h"

/* The whole set under this version, validated; false with the fault naming the key. *out is large: keep it static. */
bool config_limits_build(const struct config *c, uint32_t version, struct risk_limits *out, struct fault *fault);

#endif
