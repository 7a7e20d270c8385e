/* The parts of execgw-cli journal, one file each: journal.c (print, follow, verify), journal_export.c,
 * journal_compact.c and journal_cut.c.
 *
 * Always true: only compact and cut write, under the journal's lock; a journal in use can be read. */
#ifndef EXECGW_ENGINE_CLI_CLI_JOURNAL_H
#define EXECGW_ENGINE_CLI_CLI_JOURNAL_H

#include "engine/cli/cli.h"
#include "engine/oms/journal.h"

/* Orders or events of the segments, at least one, as rows; c->export says how. */
int cli_journal_export(struct cli *c, const struct journal_segment *segments, uint32_t count);
/* All but the last c->keep segments of the directory become a snapshot. Takes the journal's lock. */
int cli_journal_compact(struct cli *c, const char *dir);
/* What stands behind record c->cut_seq goes, once c->confirm is the word that the first step gave. Takes the lock. */
int cli_journal_cut(struct cli *c, const char *dir);

#endif
