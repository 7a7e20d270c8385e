/* Journal segments: a locked directory of zero-written files, mapped and touched ahead of the one writer.
 *
 * engine/oms/journal encodes records into the region given here and knows where they end; this module knows files. A
 * helper thread (the toucher) writes the next segment full of zeros (so its blocks exist: a full disk is an error here
 * and now, never a SIGBUS later), syncs it, gives it its name, maps it, and keeps the pages ahead of the writer
 * writable.
 *
 * Always true: `journal-<8 digits>.seg` has its full size and all its blocks (it gets that name last); one process has
 * the directory; the writer's calls never block and make no system call; after an error no further segment is prepared,
 * but a full disk is tried again, once a second, as soon as there is room. */
#ifndef EXECGW_ENGINE_IO_JOURNAL_FILE_H
#define EXECGW_ENGINE_IO_JOURNAL_FILE_H

#include "execgw/base.h"

struct journal_file;

struct journal_region {
    uint8_t *base; /* read-only for journal_file_map */
    size_t bytes;
    uint32_t index; /* segment number, from 1 */
    int fd;         /* for loop_fsync; -1 for journal_file_map */
};

/* True when another process has the directory: the fault names both. Takes and makes nothing. */
bool journal_file_in_use(const char *dir, struct fault *fault);

/* Lock the directory (made when absent, 0700) and look at what is there. segment_bytes: a multiple of 4096, at least
 * 65536; of new segments, old ones may differ. NULL: the fault names directory, file or the process that has it. */
struct journal_file *journal_file_open(const char *dir, size_t segment_bytes, struct fault *fault);
/* Existing segments are first .. last without a gap; last 0 = none. */
uint32_t journal_file_first(const struct journal_file *j);
uint32_t journal_file_last(const struct journal_file *j);
/* A segment for replay, read-only. */
bool journal_file_map(struct journal_file *j, uint32_t index, struct journal_region *out, struct fault *fault);
void journal_file_unmap(struct journal_region *segment);

const char *journal_file_dir(const struct journal_file *j);
int journal_file_dir_fd(const struct journal_file *j);

/* Put the segments from `index` on aside, the last first: kept as journal-<8 digits>.void-<n>, removed where never
 * begun. Before journal_file_start. */
bool journal_file_void(struct journal_file *j, uint32_t index, struct fault *fault);

/* The run of this term begins behind record `seq`: journal_file_start syncs what is there and says in the file
 * `durable` (journal_durable.h) that it is. Where that cannot be written the file is removed. Before
 * journal_file_start. */
void journal_file_durable_begin(struct journal_file *j, uint32_t term, uint64_t seq);
/* Writer: how far it is now. One relaxed store; the toucher writes it once a second, journal_file_close at the end. */
void journal_file_durable(struct journal_file *j, uint64_t seq);

/* Another segment in the place of segment `index`: a zeroed region of `bytes` (a multiple of 4096, at least 65536) to
 * write to; then it goes to disk and takes the name in one step (the old file is kept in the folder `archive`, or lost
 * with NULL) and is unmapped. When that fails all is as it was. Before journal_file_start. */
bool journal_file_replace_begin(struct journal_file *j, uint32_t index, size_t bytes, struct journal_region *out,
                                struct fault *fault);
bool journal_file_replace_end(struct journal_file *j, struct journal_region *r, const char *archive,
                              struct fault *fault);
/* Remove the segments before `index`, or move them to the folder `archive` on the same file system: the oldest first.
 * *dropped: how many. When it fails what is there still is a journal without a gap. Before journal_file_start. */
bool journal_file_drop(struct journal_file *j, uint32_t index, const char *archive, uint32_t *dropped,
                       struct fault *fault);

/* Go on writing in segment `index`: the last with records, or 1 in an empty directory. Blocks until it is there and
 * starts the toucher, which prepares index + 1. What lies behind `index` and is not empty was voided by replay: it is
 * kept under the name journal-<8 digits>.void-<n>. out->base is writable up to out->bytes. */
bool journal_file_start(struct journal_file *j, uint32_t index, struct journal_region *out, struct fault *fault);

/* Segments that the writer may hold: the one it writes, one taken ahead, and those left behind whose sync is awaited.
 */
#define JOURNAL_HELD_MAX 6

/* Writer: how far it has come: `written_bytes` of the segment in use. One relaxed store. */
void journal_file_progress(struct journal_file *j, const struct journal_region *in_use, size_t written_bytes);
enum journal_next { JOURNAL_NEXT_OK, JOURNAL_NEXT_NOT_READY, JOURNAL_NEXT_FAILED };
/* Writer: hold the prepared segment too; the toucher makes the one behind it. NOT_READY also when as many are held as
 * may be. FAILED: none is prepared, and none will be before journal_file_error ends. */
enum journal_next journal_file_next(struct journal_file *j, struct journal_region *out);
/* Writer: the oldest segment held is full and synced; it is unmapped, and its fd closed, by the toucher. */
void journal_file_release(struct journal_file *j, uint32_t index);
/* True when a segment could not be prepared or a page not be touched: for good, or until a full disk has room again.
 * *err gets the errno, *fault a sentence; both may be NULL. Any thread. */
bool journal_file_error(struct journal_file *j, int *err, struct fault *fault);
/* True when that failure may cost records already written (a failed sync, a page that cannot be touched); false for a
 * full disk: what is prepared can still be written. Any thread. */
bool journal_file_lost(const struct journal_file *j);
/* Write every held segment to disk and wait. Async-signal-safe; 0 or -errno. */
int journal_file_sync(struct journal_file *j);
/* Joins the toucher, syncs, unmaps, unlocks. */
void journal_file_close(struct journal_file *j);

#endif
