/* Key files: a secret from disk into a page of its own, checked on the way.
 *
 * Read by main after execgw-http was forked and before any adapter is made.
 *
 * Always true: the file is a regular one, ours (or root's), mode 0600 or 0400; the page is locked, not in core dumps,
 * not in children, and wiped on release; no fault text holds any of the content. */
#ifndef EXECGW_ENGINE_KEY_FILE_H
#define EXECGW_ENGINE_KEY_FILE_H

#include "execgw/base.h"

#define KEY_FILE_BYTES_MAX  16384
#define KEY_FILE_CREDENTIAL "credential:" /* "credential:NAME" is $CREDENTIALS_DIRECTORY/NAME (systemd) */

struct key_file {
    uint8_t *bytes; /* NUL-terminated; white space at the end of the file is cut */
    size_t len;
    size_t mapped_bytes;
};

/* Read a secret. path is a file, or "credential:NAME". False with the fault filled; *out is untouched then. */
bool key_file_read(const char *path, struct key_file *out, struct fault *fault);

/* The same checks without reading. */
bool key_file_check(const char *path, struct fault *fault);

/* Wipe and unmap. */
void key_file_release(struct key_file *k);

#endif
