/* How far the journal is on disk, kept beside its segments in the file `durable`: what a start needs to tell a power
 * cut from damage. A hole in what was never synced is the cut's; one in what was is not.
 *
 * Always true: the number is a lower bound, whatever becomes of the file's own page; a file that is not whole says
 * nothing. */
#ifndef EXECGW_ENGINE_IO_JOURNAL_DURABLE_H
#define EXECGW_ENGINE_IO_JOURNAL_DURABLE_H

#include "execgw/base.h"

/* In the directory: of the run with this term, records up to seq were on disk. sync: so is this file then. 0 or errno.
 */
int journal_durable_write(int dir_fd, uint32_t term, uint64_t seq, bool sync);
/* False: there is none, or it is not whole. */
bool journal_durable_read(int dir_fd, uint32_t *term, uint64_t *seq);

#endif
