/* CRC-32 as zlib, gzip and PNG have it (IEEE 802.3: reflected, polynomial 0xEDB88320), eight bytes a step: the checksum
 * of some venues' books.
 *
 * Always true: the table is filled once, by crc32_init, and only read after. */
#ifndef EXECGW_FEED_CRC32_H
#define EXECGW_FEED_CRC32_H

#include "execgw/base.h"

struct crc32 {
    uint32_t table[8][256]; /* [k][b]: of the byte b followed by k zero bytes */
};

void crc32_init(struct crc32 *c);

/* Hot. Of `n` bytes. */
uint32_t crc32_of(const struct crc32 *c, const void *bytes, size_t n);

#endif
