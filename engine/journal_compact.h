/* The segments of a journal directory, mapped; and their compaction: all but the last few become one snapshot.
 *
 * Between io/journal_file (the locked directory) and oms (replay, snapshot): what start-up and execgw-cli do before
 * anybody writes. Cold; allocates.
 *
 * Always true: at every instant the directory holds a journal that reads the same; what is dropped was summed up by a
 * snapshot that is on disk. */
#ifndef EXECGW_ENGINE_JOURNAL_COMPACT_H
#define EXECGW_ENGINE_JOURNAL_COMPACT_H

#include "engine/io/journal_file.h"
#include "engine/oms/journal.h"

struct journal_map {
    struct journal_segment *segment; /* those that were begun, by number */
    uint32_t count;
    uint32_t first; /* number of segment[0] in the directory */
    struct journal_region *region;
    char (*name)[224];
    uint32_t mapped;
};

/* Map what the directory holds. False with a sentence; nothing is left mapped then. */
bool journal_map_open(struct journal_map *m, struct journal_file *files, struct fault *fault);
void journal_map_close(struct journal_map *m);

struct compact_result {
    uint32_t
        summed; /* segments that the snapshot stands for, an older snapshot included; 0 = there was nothing to do */
    uint32_t dropped;
    uint64_t records; /* of the snapshot */
    size_t bytes;
};

/* Sum up all begun segments but the last `keep`; nothing is done when that leaves fewer than two. counts: of the
 * gateway's table, or larger. Segments that are no longer needed are moved to the folder `archive`, on the same file
 * system; NULL: removed. The directory is open and not started. */
bool journal_compact(struct journal_file *files, const struct order_counts *counts, uint32_t keep, const char *archive,
                     struct now now, struct compact_result *out, struct fault *fault);

#endif
