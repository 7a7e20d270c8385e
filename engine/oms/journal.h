/* Journal: the record of everything that can change an order, before its bytes leave. Format and codec only.
 *
 * The caller owns the memory (segments that are mapped, zeroed and touched elsewhere) and gives it as regions; a
 * record is in the region, so in the page cache, when journal_append() returns. Layout: docs/journal.md.
 *
 * Always true: sequence numbers rise by one over all segments, from 1; the first eight bytes of a record (checksum and
 * length) are stored last, so that a death in between leaves a zero length; a record never spans two segments; what
 * follows the last record of a segment is zero. */
#ifndef EXECGW_ENGINE_OMS_JOURNAL_H
#define EXECGW_ENGINE_OMS_JOURNAL_H

#include "engine/oms/order_table.h"

#define JOURNAL_SCHEMA       4u                           /* written */
#define JOURNAL_SCHEMA_MIN   1u                           /* still read */
#define JOURNAL_MAGIC        UINT64_C(0x314c4e4a57474345) /* "ECGWJNL1" little-endian */
#define JOURNAL_NAME_BYTES   16
#define JOURNAL_BUILD_BYTES  40
#define JOURNAL_PAYLOAD_MAX  4096u
#define JOURNAL_SEGMENT_MIN  65536u
#define JOURNAL_SEGMENTS_MAX 65536u

enum journal_mode { JOURNAL_PAPER = 1, JOURNAL_LIVE = 2 };

/* Record types. A reader skips a type it does not know only when bit 15 is set (advisory). X(name, number, text) */
#define JOURNAL_TYPES(X)                                                                              \
    X(JOURNAL_DEF_ACCOUNT, 1, "account")       /* struct journal_name */                              \
    X(JOURNAL_DEF_VENUE, 2, "venue")           /* struct journal_name */                              \
    X(JOURNAL_DEF_CURRENCY, 3, "currency")     /* struct journal_name */                              \
    X(JOURNAL_DEF_INSTRUMENT, 4, "instrument") /* struct instrument: id and version */                \
    X(JOURNAL_INTENT, 5, "intent")             /* struct order_intent: accepted or denied */          \
    X(JOURNAL_REQUEST, 6, "request")           /* struct order_event: what we sent about an order */  \
    X(JOURNAL_VENUE_REPORT, 7, "venue_report") /* struct order_event: what was applied to an order */ \
    X(JOURNAL_CONTROL, 8, "control")           /* struct journal_control */                           \
    X(JOURNAL_POSITION, 9, "position")         /* struct journal_position */                          \
    X(JOURNAL_SNAPSHOT, 10, "snapshot")        /* see journal_snapshot.h */                           \
    X(JOURNAL_TRADE, 11, "trade")              /* struct account_trade: of no order of ours */        \
    X(JOURNAL_CURSOR, 12, "cursor")            /* struct journal_cursor */                            \
    X(JOURNAL_BALANCE, 13, "balance")          /* struct journal_balance */                           \
    X(JOURNAL_LIMIT_SET, 14, "limit_set")      /* struct journal_limit_set */                         \
    X(JOURNAL_MARKS, 15, "marks")              /* struct journal_marks */                             \
    X(JOURNAL_DAY, 16, "day")                  /* struct journal_day */                               \
    X(JOURNAL_REPORT, 0x8001, "report")        /* struct report: as given to a client; advisory */    \
    X(JOURNAL_NOTE, 0x8002, "note")            /* struct journal_note; advisory */                    \
    X(JOURNAL_SENT, 0x8003, "sent")            /* struct journal_sent; advisory */                    \
    X(JOURNAL_LIMITS, 0x8004, "limits")        /* struct journal_limits; advisory */                  \
    X(JOURNAL_WINDOWS, 0x8005, "windows")      /* struct journal_windows; advisory */

enum journal_type {
#define X(name, number, text) name = number,
    JOURNAL_TYPES(X)
#undef X
};
#define JOURNAL_ADVISORY 0x8000u

struct journal_name {
    uint32_t id;
    uint32_t reserved;
    char name[24]; /* NUL-terminated */
};
_Static_assert(sizeof(struct journal_name) == 32, "journal payload");

/* X(name, text) */
#define JOURNAL_CONTROLS(X)                                                                                    \
    X(CONTROL_NONE, "none")                                                                                    \
    X(CONTROL_START, "start") /* value = term */                                                               \
    X(CONTROL_STOP, "stop")   /* clean end */                                                                  \
    X(CONTROL_KILL, "kill")   /* latched until CONTROL_RELEASE */                                              \
    X(CONTROL_RELEASE, "release")                                                                              \
    X(CONTROL_STATE, "state")           /* level, id, value = enum trading_state */                            \
    X(CONTROL_LIMITS, "limits")         /* value = version in force from here */                               \
    X(CONTROL_ARMED, "armed")           /* id = venue; value 1 armed, 0 disarmed */                            \
    X(CONTROL_RESOLVE, "resolve")       /* operator's word on an order; text says it */                        \
    X(CONTROL_ASKED, "asked")           /* first of two steps; value = enum command_verb, text says what */    \
    X(CONTROL_CONFIRMED, "confirmed")   /* second step, as asked */                                            \
    X(CONTROL_KILL_PROOF, "kill_proof") /* id = venue, value = enum kill_proof; text says how */               \
    X(CONTROL_FLATTEN, "flatten")       /* id = instrument; value = orders that it sent */                     \
    X(CONTROL_TRIP, "trip")             /* level, id; value = risk's enum risk_trip_kind; text says by what */ \
    X(CONTROL_QUIET, "quiet")           /* id = venue: not to be asked before value, wall clock; text says why */

enum journal_control_kind {
#define X(name, text) name,
    JOURNAL_CONTROLS(X)
#undef X
        CONTROL_COUNT
};

struct journal_control {
    uint16_t kind; /* enum journal_control_kind */
    uint8_t level; /* STATE: risk's enum trading_level */
    uint8_t pad;
    uint32_t id;     /* account, instrument, client or venue, by level */
    uint32_t client; /* who asked; CLIENT_NONE = the gateway itself */
    uint32_t pad2;
    int64_t value;
    char text[40];
};
_Static_assert(sizeof(struct journal_control) == 64, "journal payload");

/* A position set from evidence, not from trades: replay starts again from it. */
struct journal_position {
    uint32_t account;
    uint32_t instrument;
    uint32_t instrument_version;
    uint32_t rest; /* what is held beyond qty, less than a unit of it: at 10^-8 of the base currency */
    qty_t qty;
};
_Static_assert(sizeof(struct journal_position) == 24, "journal payload");

/* Every trade of the instrument with an id below trade_id was asked for and counted, and every one made before
 * venue_ns, by the venue's clock; 0: not said (records of 16 bytes), then the record's own time less an hour. */
struct journal_cursor {
    uint32_t instrument;
    uint32_t reserved;
    int64_t trade_id;
    int64_t venue_ns;
};
_Static_assert(sizeof(struct journal_cursor) == 24, "journal payload");

/* What the venue says an account holds of a currency: free and locked. Trades count from here. */
struct journal_balance {
    uint32_t venue;
    uint32_t ccy;
    value_t amount; /* at 10^-8; BALANCE_UNSAID: more than fits, or it could not be read */
};
_Static_assert(sizeof(struct journal_balance) == 16, "journal payload");

/* A limit that a human has set by hand: it holds over a restart, as far as it is not looser than the configuration's.
 */
struct journal_limit_set {
    uint32_t version; /* of the limits that it led to */
    uint32_t client;  /* who asked */
    char text[64];    /* "KEY VALUE"; "" = all that were set before are gone: the configuration was read again */
};
_Static_assert(sizeof(struct journal_limit_set) == 72, "journal payload");

/* What a version of the limits is: "path value; " at the start, "path before -> after; " of a change; units and
 * paths of risk/limits.h. As long as its text, in eights. */
struct journal_limits {
    uint32_t version;
    uint32_t client; /* who asked; CLIENT_NONE = start, signal */
    uint32_t part;   /* from 0; a long one has several */
    uint32_t bytes;  /* of the text */
    char text[];
};
#define JOURNAL_LIMITS_TEXT 960u /* so that a record of it fits a printed line */

/* What results are made with, as far as it has changed: of an instrument the price that positions stand at and the rate
 * of its money; version 0: id is a currency, rate is its own. Rates are counts of 10^-12 of `reporting` per unit. */
struct journal_mark {
    uint32_t id;
    uint32_t version; /* of the instrument */
    px_t px;
    int64_t rate; /* 0 = none */
};
_Static_assert(sizeof(struct journal_mark) == 24, "journal payload");

/* Elements may grow at their end: `bytes` is the length of one. */
struct journal_marks {
    char reporting[CURRENCY_BYTES]; /* "" = no limits of money */
    uint16_t count;
    uint16_t bytes;
    struct journal_mark mark[];
};
_Static_assert(sizeof(struct journal_marks) == 16, "journal payload");

/* Where a strategy, account, venue or everything stands since the daily roll, at the marks before this record: what is
 * as it was is not told again. Money is at 10^-8 of `reporting`. */
struct journal_day_group {
    uint8_t level; /* risk's enum trading_level */
    uint8_t pad[3];
    uint32_t id;
    value_t result; /* realised, unrealised, fees */
    value_t best;   /* of it */
    value_t value;  /* traded */
    value_t fees;
    uint32_t messages; /* strategies */
    uint32_t fills;
    uint32_t executions; /* strategies: since a human let them run */
    uint32_t reserved;
};
_Static_assert(sizeof(struct journal_day_group) == 56, "journal payload");

struct journal_day {
    char reporting[CURRENCY_BYTES];
    uint16_t count;
    uint16_t bytes;
    struct journal_day_group group[];
};
_Static_assert(sizeof(struct journal_day) == 16, "journal payload");

/* Where a breaker's window of a strategy or venue stands, so that a restart opens no new one. Money is at 10^-8 of
 * `reporting`. */
struct journal_window {
    uint8_t kind;  /* risk's enum risk_window_kind */
    uint8_t level; /* risk's enum trading_level */
    uint8_t pad[2];
    uint32_t id;
    int64_t since_ns; /* wall clock; 0 = it has not begun */
    uint32_t samples; /* rejects */
    uint32_t beyond;
    value_t best; /* of the day's result: in this window, in the one before */
    value_t before;
};
_Static_assert(sizeof(struct journal_window) == 40, "journal payload");

struct journal_windows {
    char reporting[CURRENCY_BYTES];
    uint16_t count;
    uint16_t bytes;
    struct journal_window window[];
};
_Static_assert(sizeof(struct journal_windows) == 16, "journal payload");

/* Elements of one record, so that it fits a printed line. */
#define JOURNAL_MARKS_MAX   16u
#define JOURNAL_DAY_MAX     6u
#define JOURNAL_WINDOWS_MAX 8u

/* The bytes of a new order were given to the kernel. */
struct journal_sent {
    char clordid[CLORDID_BYTES];
    uint32_t reserved;
    int64_t mono_ns;
};
_Static_assert(sizeof(struct journal_sent) == 32, "journal payload");

struct journal_note {
    char text[120];
};

struct journal_record_header {
    uint32_t crc;   /* CRC32C of everything after this field */
    uint32_t bytes; /* header and payload; a multiple of 8 */
    uint64_t seq;
    int64_t wall_ns;
    int64_t mono_ns;
    uint16_t type;    /* enum journal_type */
    uint16_t version; /* of the payload: MESSAGE_VERSION */
    uint32_t reserved;
};
_Static_assert(sizeof(struct journal_record_header) == 40, "file format");

/* Who writes this journal: into each segment's header, and what a reader checks. Names are NUL-padded. */
struct journal_identity {
    char instance[4]; /* two characters */
    uint8_t mode;     /* enum journal_mode */
    uint8_t account_count;
    uint8_t venue_count;
    uint8_t pad;
    char account[ACCOUNT_MAX][JOURNAL_NAME_BYTES];
    char venue[VENUE_MAX][JOURNAL_NAME_BYTES];
};

struct journal_segment_header {
    uint64_t magic;
    uint32_t schema;
    uint32_t header_bytes;
    struct journal_identity identity;
    char build[JOURNAL_BUILD_BYTES];
    uint8_t config_hash[32];
    uint32_t term;
    uint32_t index; /* of the segment, from 0 */
    uint64_t first_seq;
    int64_t created_wall_ns;
    uint64_t segment_bytes;
    uint64_t snapshot_records; /* it begins with so many, which stand for all segments before it; schema 1: 0 */
    uint32_t orders_max; /* memory.orders_max, the largest so far: a table of fewer reads it differently; 0 unknown */
    uint8_t reserved[176];
    uint32_t crc; /* CRC32C of all before */
};
_Static_assert(sizeof(struct journal_segment_header) == 512, "file format");

/* CRC32C (Castagnoli), by SSE4.2 where the processor has it. crc = 0 to begin. */
typedef uint32_t (*crc32c_fn)(uint32_t crc, const void *data, size_t n);
crc32c_fn crc32c_pick(void);
uint32_t crc32c_table(uint32_t crc, const void *data, size_t n);

/* --- writing ---------------------------------------------------------------------------------------------------- */

struct journal {
    uint8_t *base; /* region in use; NULL = none */
    size_t bytes;
    size_t used;
    uint8_t *next_base; /* spare region, taken when the one in use is full; NULL = none */
    size_t next_bytes;
    uint64_t seq; /* of the last record */
    crc32c_fn crc;
    uint32_t segment_index;  /* of the region in use */
    uint64_t first_seq;      /* of the region in use */
    uint32_t segments_taken; /* rises when the spare is taken: the owner sees that it must bring another */
    uint64_t appended_bytes;
    size_t reserve;      /* room that only cancels and reports may use, when there is no spare; the owner sets it */
    bool failed;         /* see journal_fail */
    uint64_t urgent_seq; /* records up to here are to be on disk as soon as may be, whatever the policy of syncs */
    struct journal_segment_header header; /* as written into each segment, but index, first_seq and created */
};

/* who, build, config_hash (32 bytes), term: into every header. last_seq and next_index continue a journal (0, 0 = new).
 */
void journal_init(struct journal *j, const struct journal_identity *who, const char *build,
                  const uint8_t config_hash[32], uint32_t term, uint64_t last_seq, uint32_t next_index);
/* Before the first region: into every header from here on. */
void journal_set_orders_max(struct journal *j, uint32_t orders_max);

/* Give a zeroed region of at least JOURNAL_SEGMENT_MIN bytes, 8-aligned: in use at once when there is none, else the
 * spare. False when there is a spare already. */
bool journal_region(struct journal *j, uint8_t *base, size_t bytes, struct now now);

/* Hot. Append one record; payload_bytes is a multiple of 8, at most JOURNAL_PAYLOAD_MAX. Its sequence, or 0 when it
 * does not fit and there is no spare, or the journal has failed: nothing is written. */
uint64_t journal_append(struct journal *j, enum journal_type type, const void *payload, size_t payload_bytes,
                        struct now now);

/* Hot. Ask the processor for the memory that the next record will be written to. Changes nothing. */
static inline void
journal_prefetch(const struct journal *j, size_t payload_bytes)
{
    size_t end = MIN(j->used + payload_bytes + sizeof(struct journal_record_header), j->bytes);

    for (size_t i = j->used; i < end; i += CACHE_LINE)
        __builtin_prefetch(j->base + i, 1);
}

/* True when `bytes` more of payload would fit now, in the region in use or the spare. */
bool journal_room(const struct journal *j, size_t payload_bytes);

/* The same for what may be refused, a new order: it leaves the reserve untouched. */
bool journal_room_order(const struct journal *j, size_t payload_bytes);

/* The medium failed (EIO): every later append returns 0. There is no way back. */
void journal_fail(struct journal *j);

/* --- reading ---------------------------------------------------------------------------------------------------- */

struct journal_segment {
    const uint8_t *base;
    size_t bytes;
    const char *name; /* file name, for messages */
};

struct journal_record {
    uint16_t type;
    uint16_t version;
    uint32_t segment; /* index into the array of segments */
    uint64_t seq;
    int64_t wall_ns;
    int64_t mono_ns;
    const void *payload; /* in the segment, 8-aligned */
    size_t payload_bytes;
    size_t offset;
};

enum journal_read {
    JOURNAL_READ_OK,
    JOURNAL_READ_END,    /* every record was read; the rest is zero */
    JOURNAL_READ_TORN,   /* every whole record was read; after them stands part of one, to be cut: reader.offset */
    JOURNAL_READ_CORRUPT /* a bad record with good ones behind it, or a sequence that does not go on: fault says where
                          */
};

struct journal_reader {
    const struct journal_segment *segments;
    uint32_t count;
    uint32_t segment;
    size_t offset; /* of the next record in that segment */
    uint64_t seq;  /* of the last record read; 0 = none */
    crc32c_fn crc;
    enum journal_read ended; /* JOURNAL_READ_OK while going on */
    _Alignas(
        8) uint8_t wide[JOURNAL_PAYLOAD_MAX]; /* the last record's payload, where it is of an older, shorter form */
};

/* Check one segment's header. False with a sentence: not a journal, another schema, damaged. */
bool journal_header_check(const struct journal_segment *s, struct journal_segment_header *out, struct fault *fault);

/* Refuse a journal of another mode, instance, account or venue. */
bool journal_identity_check(const struct journal_segment_header *h, const struct journal_identity *expected,
                            const char *name, struct fault *fault);

/* segments in order of index. Begins with the last one that has a snapshot, else with the first. False when a header is
 * bad or the indexes do not follow each other. */
bool journal_reader_init(struct journal_reader *r, const struct journal_segment *segments, uint32_t count,
                         struct fault *fault);

/* The payload has the length and version that this build knows for its type. */
bool journal_payload_ok(const struct journal_record *rec);

/* A payload as an older schema wrote it is copied to `room` (JOURNAL_PAYLOAD_MAX bytes, 8-aligned) and made as long as
 * this build's, with zeros. Any other record stays as it is. */
void journal_payload_widen(struct journal_record *rec, void *room);

enum journal_read journal_reader_next(struct journal_reader *r, struct journal_record *out, struct fault *fault);

/* --- replay ----------------------------------------------------------------------------------------------------- */

struct journal_replay_ops {
    void *ctx;
    /* One order changed: positions and reservations. outcome is ORDER_APPLIED for intents. May be NULL. */
    void (*delta)(void *ctx, const struct order_delta *d);
    /* Every record after it was applied to the table: definitions, controls, positions, reports. May be NULL. */
    void (*record)(void *ctx, const struct journal_record *rec);
};

struct journal_replayed {
    uint64_t last_seq;
    uint64_t records;
    uint32_t last_term;
    uint32_t next_segment_index;
    uint32_t tail_segment; /* index into the array; where writing would go on */
    size_t tail_offset;
    bool torn; /* a torn tail was cut at tail_offset */
    bool clean_stop;
    bool killed;                       /* a kill is latched */
    int64_t released_ns;               /* wall clock of the last release; 0 = none */
    uint32_t orders_max;               /* the largest in any header; 0 unknown */
    int64_t quiet_until_ns[VENUE_MAX]; /* wall clock: the venue is not to be asked before; 0 = nothing was said */
    uint32_t live;
    uint32_t unknown;
    uint32_t limits_version;
    uint32_t account_next, venue_next, currency_next, instrument_next; /* ids free for new definitions */
    uint64_t orphans; /* events of orders that the table no longer holds: done_kept is smaller than it was */
};

/* Rebuild an empty table. False with a sentence on a refused or corrupt journal, or one that the table has no room for;
 * expected may be NULL (a tool that only reads). count 0 is an empty journal: everything 0. */
bool journal_replay(const struct journal_segment *segments, uint32_t count, const struct journal_identity *expected,
                    struct order_table *t, const struct journal_replay_ops *ops, struct journal_replayed *out,
                    struct fault *fault);

#endif
