/* Recording: a stream of bytes from the core to a file, through a ring and a thread of its own.
 *
 * The core puts whole events into the ring and never waits; the thread cuts the stream into blocks with a checksum and
 * writes them. Format: docs/recording.md.
 *
 * Always true: what is in the file is a prefix of what was put, without a gap; when the ring is full once, that event
 * and all after it are counted and left out, and the end of the file says so; blocks are written whole or not read. */
#ifndef EXECGW_ENGINE_IO_RECORD_FILE_H
#define EXECGW_ENGINE_IO_RECORD_FILE_H

#include "execgw/base.h"

#define RECORD_MAGIC       UINT64_C(0x3143455257474345) /* "ECGWREC1" little-endian */
#define RECORD_SCHEMA      2u
#define RECORD_BLOCK_MAGIC 0x4b4c4252u /* "RBLK" */
#define RECORD_END_MAGIC   0x444e4552u /* "REND" */
#define RECORD_BLOCK_MAX   262144u

/* At the start of the file. */
struct record_header {
    uint64_t magic;
    uint32_t schema;
    uint32_t header_bytes;
    char build[40];
    int64_t wall_ns;
    int64_t mono_ns;
    uint64_t seed;
    uint32_t term;
    uint8_t live;        /* 1 = --live */
    uint8_t new_journal; /* 1 = --new-journal */
    uint8_t pad[2];
    uint64_t region_bytes; /* of the journal's first region */
    uint8_t reserved[28];
    uint32_t crc; /* CRC32C of all before */
};
_Static_assert(sizeof(struct record_header) == 128, "file format");

/* In front of each block; after the last one, with RECORD_END_MAGIC and no bytes, the end. */
struct record_block {
    uint32_t magic;
    uint32_t bytes;  /* that follow */
    uint32_t crc;    /* record_block_crc */
    uint32_t number; /* from 0 */
    uint64_t lost;   /* END: events that were left out; 0 = complete */
};
_Static_assert(sizeof(struct record_block) == 24, "file format");

typedef uint32_t (*record_crc_fn)(uint32_t crc, const void *data, size_t n);

/* CRC32C of all of a block but the checksum itself. */
static inline uint32_t
record_block_crc(const struct record_block *b, const uint8_t *data, record_crc_fn crc)
{
    uint32_t sum = crc(0, b, offsetof(struct record_block, crc));
    sum = crc(sum, &b->number, sizeof(*b) - offsetof(struct record_block, number));
    return crc(sum, data, b->bytes);
}

struct record_file;

/* Makes DIR/events, which must not be there, and starts the thread. ring_bytes: a power of two. h: all but magic,
 * schema, header_bytes and crc. NULL with a sentence. */
struct record_file *record_file_start(const char *dir, size_t ring_bytes, const struct record_header *h,
                                      record_crc_fn crc, struct fault *fault);
/* Core: one event, in two parts (either may be empty); together at most a quarter of the ring. Never waits. False: it
 * did not fit, and nothing fits any more. */
bool record_file_put(struct record_file *r, const void *a, size_t a_bytes, const void *b, size_t b_bytes);
/* Events left out. Any thread. */
uint64_t record_file_lost(const struct record_file *r);
/* True when the disk refused a write; *fault (may be NULL) says what. Any thread. */
bool record_file_failed(const struct record_file *r, struct fault *fault);
/* The core has ended: writes what is left and the end, syncs, joins. */
void record_file_stop(struct record_file *r);

/* --- reading ---------------------------------------------------------------------------------------------------- */

enum record_read {
    RECORD_READ_OK,
    RECORD_READ_END, /* after the last block; complete when lost == 0 and the end is there */
    RECORD_READ_CUT, /* no end: the process was killed; what came before is good */
    RECORD_READ_DAMAGED
};

struct record_reader {
    const uint8_t *base; /* the file */
    size_t bytes;
    size_t offset;
    uint32_t number;
    record_crc_fn crc;
    uint64_t lost;
};

/* False with a sentence: not a recording, another schema, damaged. */
bool record_reader_init(struct record_reader *r, const uint8_t *base, size_t bytes, record_crc_fn crc,
                        struct record_header *h, struct fault *fault);
/* The next block's bytes of the stream. */
enum record_read record_reader_next(struct record_reader *r, const uint8_t **data, size_t *bytes);

#endif
