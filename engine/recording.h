/* The folder of a recording: what the core started from, beside the events that came after (io/record_file).
 *
 *   config.toml   the configuration file as it was
 *   environment   the EXECGW__ overrides, a line each
 *   journal/      the segments that the start replayed
 *   events        header, blocks, end
 *
 * Between main, which makes it before the core starts, and execgw-replay. Cold.
 *
 * Always true: no key is copied; a replay that has to sign reads them where the configuration says. */
#ifndef EXECGW_ENGINE_RECORDING_H
#define EXECGW_ENGINE_RECORDING_H

#include "engine/config.h"
#include "engine/io/journal_file.h"
#include "engine/io/record_file.h"

/* Make the folder (new, or empty), with all but the events. files: open, not started. */
bool recording_copy(const struct config *c, struct journal_file *files, struct fault *fault);
/* Then the events: the ring and its thread. */
struct record_file *recording_start(const struct config *c, uint64_t seed, uint32_t term, size_t region_bytes,
                                    struct now now, struct fault *fault);

#endif
