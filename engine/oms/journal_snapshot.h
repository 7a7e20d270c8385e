/* Snapshot: what a journal has led to, as the first records of a segment, so that the segments before it may go.
 *
 * Made from finished segments by a tool or before the gateway starts, never by the core: it stands in for the last of
 * the segments that it sums up, with sequence numbers that end where that one's ended, and the journal goes on in the
 * next as if nothing had happened. Its records are of type SNAPSHOT; each holds one part:
 *   RECORD  a record as it was: definitions, the last control of each kind, positions, cursors, balances
 *   FILLS   what was traded since a position was set, summed up per account, instrument, client and fee currency
 *   TOTALS, KEYS, ORDERS, TRADES  what the order table holds (order_image.h)
 *   END     the last one
 *
 * Always true: replay of a snapshot and of what follows it leaves order table and positions as replay of everything
 * does, for tables of the counts that it was made with; in a smaller one the oldest are forgotten. Prices of summed
 * fills are averages, rounded. */
#ifndef EXECGW_ENGINE_OMS_JOURNAL_SNAPSHOT_H
#define EXECGW_ENGINE_OMS_JOURNAL_SNAPSHOT_H

#include "engine/oms/journal.h"
#include "engine/oms/order_image.h"

/* X(name, number, text) */
#define SNAPSHOT_PARTS(X)           \
    X(SNAPSHOT_RECORD, 1, "record") \
    X(SNAPSHOT_FILLS, 2, "fills")   \
    X(SNAPSHOT_KEYS, 3, "keys")     \
    X(SNAPSHOT_ORDERS, 4, "orders") \
    X(SNAPSHOT_TRADES, 5, "trades") \
    X(SNAPSHOT_TOTALS, 6, "totals") \
    X(SNAPSHOT_END, 7, "end")

enum snapshot_part {
#define X(name, number, text) name = number,
    SNAPSHOT_PARTS(X)
#undef X
};

/* In front of each part's elements. */
struct snapshot_head {
    uint16_t part;  /* enum snapshot_part */
    uint16_t bytes; /* of one element */
    uint32_t count;
};
_Static_assert(sizeof(struct snapshot_head) == 8, "journal payload");

/* SNAPSHOT_RECORD: in front of the payload. */
struct snapshot_record {
    uint16_t type;
    uint16_t version;
    uint32_t payload_bytes;
    uint64_t seq;
    int64_t wall_ns;
    int64_t mono_ns;
};
_Static_assert(sizeof(struct snapshot_record) == 32, "journal payload");

struct snapshot_fills {
    uint32_t account;
    uint32_t instrument;
    uint32_t client;
    uint32_t fee_ccy;
    qty_t buy;
    qty_t sell;
    px_t buy_px; /* average */
    px_t sell_px;
    value_t fee;
};
_Static_assert(sizeof(struct snapshot_fills) == 56, "journal payload");

/* SNAPSHOT_KEYS: in front of the entries. */
struct snapshot_keys {
    uint32_t client;
    uint32_t reserved;
    uint64_t last_key;
};
_Static_assert(sizeof(struct snapshot_keys) == 16, "journal payload");

#define SNAPSHOT_TOTALS_MAX 16
struct snapshot_totals {
    uint32_t live; /* orders that follow */
    uint32_t done;
    uint64_t intents;
    uint64_t denied;
    uint64_t trades;
    uint64_t overfills;
    uint64_t outcome[SNAPSHOT_TOTALS_MAX];
};

/* --- reading ---------------------------------------------------------------------------------------------------- */

/* True when a SNAPSHOT record holds a record of old: *inner is that one. */
bool journal_snapshot_record(const struct journal_record *rec, struct journal_record *inner);
/* True for the last part. */
bool journal_snapshot_end(const struct journal_record *rec);
const char *journal_snapshot_part_text(const struct journal_record *rec);
/* Any other part goes into the table; what it means for positions and reservations is told. NULL, or what is wrong. */
const char *journal_snapshot_restore(const struct journal_record *rec, struct order_table *t,
                                     void (*delta)(void *ctx, const struct order_delta *d), void *ctx);

/* --- making ----------------------------------------------------------------------------------------------------- */

struct journal_snapshot;

/* Counts: at least those of the gateway whose journal it is. The table is part of it. */
size_t journal_snapshot_footprint(const struct order_counts *c);
/* instance: of the ClOrdIDs, from a segment's header. */
struct journal_snapshot *journal_snapshot_init(const struct order_counts *c, const char *instance, struct arena *arena);

/* Replay the segments that it is to stand for, the last one included. False with a sentence. */
bool journal_snapshot_gather(struct journal_snapshot *s, const struct journal_segment *segments, uint32_t count,
                             struct fault *fault);

/* Bytes of a segment that holds it: a multiple of 4096, at least JOURNAL_SEGMENT_MIN. */
size_t journal_snapshot_bytes(struct journal_snapshot *s);

/* Records of it, as last counted or written. */
uint64_t journal_snapshot_records(const struct journal_snapshot *s);

/* False when it would have more records than the segments that it stands for: sequences would not suffice, and nothing
 * is gained. After journal_snapshot_bytes. */
bool journal_snapshot_gains(const struct journal_snapshot *s);

/* Into a zeroed region of that many bytes. */
void journal_snapshot_write(struct journal_snapshot *s, uint8_t *base, size_t bytes, const char *build, struct now now);

#endif
