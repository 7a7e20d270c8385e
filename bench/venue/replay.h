/* Recorded market data: `<receive ns> <raw frame>` per line, zstd or plain, several files one after the other.
 *
 * A first pass notes streams, symbols and depth snapshots; then frames come one at a time, decompressed as they are
 * asked for. A line without `"stream"` that has a `lastUpdateId` is a depth snapshot and is not a frame.
 *
 * Always true: memory is bounded by the longest line, the stream names and one snapshot per symbol. */
#ifndef EXECGW_BENCH_VENUE_REPLAY_H
#define EXECGW_BENCH_VENUE_REPLAY_H

#include "bench/venue/text.h"

#define REPLAY_FILES_MAX   16
#define REPLAY_STREAMS_MAX 256
#define REPLAY_SYMBOLS_MAX 32
#define REPLAY_NAME_BYTES  64
#define REPLAY_LINE_MAX    (32u * 1024 * 1024)

struct replay_symbol {
    char name[REPLAY_NAME_BYTES];       /* upper case */
    char *snapshot;                     /* the raw snapshot, NULL when the recording has none */
    int64_t last_px;                    /* of its first trade or touch, count of 10^-8; 0 unknown */
    int64_t first_update_id;            /* U of its first depth event, 0 none */
    int64_t last_update_id;             /* while scanning */
    unsigned px_decimals, qty_decimals; /* the finest seen */
};

struct replay_frame {
    int64_t recv_ns;
    const char *text; /* the whole frame as recorded, NUL-terminated, valid until the next call */
    size_t len;
    size_t stream;            /* index into streams */
    size_t data_at, data_len; /* the value of "data" inside text */
};

struct replay_reader;

struct replay {
    char *path[REPLAY_FILES_MAX];
    size_t path_count;
    char stream[REPLAY_STREAMS_MAX][REPLAY_NAME_BYTES];
    size_t stream_count;
    struct replay_symbol symbol[REPLAY_SYMBOLS_MAX];
    size_t symbol_count;
    uint64_t frame_count;
    struct replay_reader *reader;
};

/* Scan the files. False with the fault filled when one cannot be read or holds no frame. */
bool replay_open(struct replay *r, const char *const *paths, size_t count, struct fault *f);
/* The next frame; false at the end. */
bool replay_next(struct replay *r, struct replay_frame *out);
void replay_rewind(struct replay *r);
void replay_close(struct replay *r);
/* NULL when the recording has nothing of it; name in upper case. */
struct replay_symbol *replay_find(struct replay *r, const char *name);

#endif
