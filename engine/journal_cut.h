/* Cutting the journal: where a power cut left a hole in what was not synced yet, at a start; and where a human says.
 *
 * The writer's pages reach the disk in any order, so what a power cut leaves of the records that were not synced is any
 * of their pages, not their beginning. What stands behind the first gap cannot be told from what never was: it is put
 * aside, and the venue is asked, as after any cut.
 *
 * Always true: nothing is lost by a cut (segments are kept whole under names that no reader takes); a hole in what was
 * synced is no power cut's, and is left for the replay to refuse. */
#ifndef EXECGW_ENGINE_JOURNAL_CUT_H
#define EXECGW_ENGINE_JOURNAL_CUT_H

#include "engine/io/journal_file.h"

struct journal_place {
    uint32_t number; /* of the segment's file */
    size_t offset;   /* the first byte that goes */
    uint64_t seq;    /* of the last record that stays */
};

/* Look for such a hole. False with a sentence when the directory cannot be read; what is wrong in another way with a
 * journal is no hole, and said by whoever reads it next. The directory is open and not started. */
bool journal_hole_find(struct journal_file *files, bool *found, struct journal_place *out, struct fault *fault);

/* The place behind record `seq`. False with a sentence: no whole row of records leads there. */
bool journal_place_find(struct journal_file *files, uint64_t seq, struct journal_place *out, struct fault *fault);

/* Cut there: a copy of the segment, and all segments behind it, are kept as journal-<8 digits>.void-<n>. A death in
 * between leaves a journal that can be cut again. The directory is open and not started. */
bool journal_cut(struct journal_file *files, const struct journal_place *at, struct fault *fault);

#endif
