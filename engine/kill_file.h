/* The kill switch's proof as a file: one JSON object a line, in the journal's folder, kill-<time>.jsonl.
 *
 * Written by the first thread from the core's lines. Cold.
 *
 * Always true: what was written is flushed to the medium before the next turn of that thread; a failure is said once.
 */
#ifndef EXECGW_ENGINE_KILL_FILE_H
#define EXECGW_ENGINE_KILL_FILE_H

#include "engine/kill_note.h"

struct kill_file {
    char dir[256];
    const char *const *venue_name; /* by id; NULL past the last */
    int fd;                        /* -1: none open */
    bool failed;                   /* said once */
    char path[320];
};

void kill_file_init(struct kill_file *f, const char *dir, const char *const *venue_name);

/* Append one line; KILL_NOTE_ON begins a file. False once, with the fault, when it cannot be written. */
bool kill_file_write(struct kill_file *f, const struct kill_note *n, struct fault *fault);

/* The newest proof of the folder, when nothing says that the switch was released after it: neither a line of its own
 * nor the journal, at released_ns (wall clock; 0 = never). Its path is in f->path then. One that cannot be read says
 * nothing, so it is such a one. Before the first line is written. */
bool kill_file_open_end(struct kill_file *f, int64_t released_ns);

/* `lost` lines did not fit the ring: says so in the file. */
void kill_file_lost(struct kill_file *f, uint64_t lost);

/* What was written is on the medium. */
void kill_file_sync(struct kill_file *f);
void kill_file_close(struct kill_file *f);

#endif
