/* Shared maps: memfds that this process writes and others may only read, or that both write but nobody can resize.
 *
 * Always true: the size is fixed by seals before anybody else has the descriptor, so no access can fault; a reader's
 * descriptor can neither be mapped writable nor written, however it is reopened. */
#ifndef EXECGW_ENGINE_IO_SHARED_MAP_H
#define EXECGW_ENGINE_IO_SHARED_MAP_H

#include "execgw/base.h"

struct shared_map {
    void *mem;    /* read-write mapping of this process: zeroed, pages touched */
    size_t bytes; /* whole pages */
    int fd;       /* close-on-exec. publish: O_RDONLY, to hand to readers; session: O_RDWR */
};

/* A map that only this process writes (market data, metrics). Sealed SHRINK | GROW | FUTURE_WRITE | SEAL. False with
 * the fault filled. Cold. */
bool shared_map_publish(struct shared_map *m, const char *name, size_t bytes, struct fault *fault);

/* A map that the other side writes too (a session's rings). Sealed SHRINK | GROW | SEAL. Cold. */
bool shared_map_session(struct shared_map *m, const char *name, size_t bytes, struct fault *fault);

/* Unmap and close. A zeroed or closed map is fine. */
void shared_map_close(struct shared_map *m);

#endif
