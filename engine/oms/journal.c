/* Journal codec: appending and reading. See journal.h and docs/journal.md. */
#include "engine/oms/journal.h"

#include <stdatomic.h>
#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

#define HEADER_BYTES sizeof(struct journal_segment_header)
#define RECORD_BYTES sizeof(struct journal_record_header)
/* The checksum covers a record from its second field on. */
#define CRC_FROM sizeof(uint32_t)

/* ---- CRC32C ------------------------------------------------------------------------------------------------------ */

/* Castagnoli, reflected 0x82f63b78, a nibble at a time: small enough to read; the processor's own is used where there
 * is one. */
static const uint32_t crc_nibble[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t
crc32c_table(uint32_t crc, const void *data, size_t n)
{
    const uint8_t *p = data;

    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ crc_nibble[crc & 15];
        crc = crc >> 4 ^ crc_nibble[crc & 15];
    }
    return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t
crc32c_sse42(uint32_t crc, const void *data, size_t n)
{
    const uint8_t *p = data;
    uint64_t c = ~crc;

    for (; n >= 8; n -= 8, p += 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        c = _mm_crc32_u64(c, v);
    }
    if (n >= 4) { /* a record's checksum begins four bytes in */
        uint32_t v;
        memcpy(&v, p, 4);
        c = _mm_crc32_u32((uint32_t)c, v);
        n -= 4;
        p += 4;
    }
    for (; n > 0; n--, p++)
        c = _mm_crc32_u8((uint32_t)c, *p);
    return ~(uint32_t)c;
}
#endif

crc32c_fn
crc32c_pick(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2"))
        return crc32c_sse42;
#endif
    return crc32c_table;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

void
journal_init(struct journal *j, const struct journal_identity *who, const char *build, const uint8_t config_hash[32],
             uint32_t term, uint64_t last_seq, uint32_t next_index)
{
    memset(j, 0, sizeof(*j));
    j->crc = crc32c_pick();
    j->seq = last_seq;
    j->segment_index = next_index;
    j->header = (struct journal_segment_header){
        .magic = JOURNAL_MAGIC,
        .schema = JOURNAL_SCHEMA,
        .header_bytes = HEADER_BYTES,
        .identity = *who,
        .term = term,
    };
    (void)snprintf(j->header.build, sizeof(j->header.build), "%s", build);
    memcpy(j->header.config_hash, config_hash, sizeof(j->header.config_hash));
}

/* Eight bytes that were zero until everything behind them stood: what marks a header or record as written. */
static inline void
publish8(uint8_t *at, uint64_t v)
{
    /* Release: a reader of the file, after our death, never sees the mark without what it marks. */
    atomic_store_explicit((_Atomic uint64_t *)(void *)at, v, memory_order_release);
}

static void
segment_begin(struct journal *j, uint8_t *base, size_t bytes, uint32_t index, struct now now)
{
    struct journal_segment_header h = j->header;

    h.index = index;
    h.first_seq = j->seq + 1;
    h.created_wall_ns = now.wall.ns;
    h.segment_bytes = bytes;
    h.crc = j->crc(0, &h, offsetof(struct journal_segment_header, crc));
    memcpy(base + sizeof(h.magic), (const uint8_t *)&h + sizeof(h.magic), sizeof(h) - sizeof(h.magic));
    publish8(base, h.magic);
    j->base = base;
    j->bytes = bytes;
    j->used = HEADER_BYTES;
    j->segment_index = index;
    j->first_seq = h.first_seq;
}

void
journal_set_orders_max(struct journal *j, uint32_t orders_max)
{
    ASSERT(j->base == NULL);
    j->header.orders_max = orders_max;
}

bool
journal_region(struct journal *j, uint8_t *base, size_t bytes, struct now now)
{
    ASSERT(bytes >= JOURNAL_SEGMENT_MIN && bytes % 8 == 0 && ((uintptr_t)base & 7) == 0);
    if (j->base == NULL) {
        segment_begin(j, base, bytes, j->segment_index, now);
        return true;
    }
    if (j->next_base != NULL)
        return false;
    j->next_base = base;
    j->next_bytes = bytes;
    return true;
}

bool
journal_room(const struct journal *j, size_t payload_bytes)
{
    if (j->failed || j->base == NULL)
        return false;
    return RECORD_BYTES + payload_bytes <= j->bytes - j->used || j->next_base != NULL;
}

bool
journal_room_order(const struct journal *j, size_t payload_bytes)
{
    return journal_room(j, payload_bytes) &&
           (j->next_base != NULL || RECORD_BYTES + payload_bytes + j->reserve <= j->bytes - j->used);
}

void
journal_fail(struct journal *j)
{
    j->failed = true;
}

/* The region in use is full: go on in the spare. False when there is none. */
static COLD bool
segment_roll(struct journal *j, struct now now)
{
    if (j->next_base == NULL)
        return false;
    uint8_t *base = j->next_base;
    j->next_base = NULL;
    segment_begin(j, base, j->next_bytes, j->segment_index + 1, now);
    j->segments_taken++;
    return true;
}

uint64_t
journal_append(struct journal *j, enum journal_type type, const void *payload, size_t payload_bytes, struct now now)
{
    size_t bytes = RECORD_BYTES + payload_bytes;

    ASSERT(payload_bytes % 8 == 0 && payload_bytes <= JOURNAL_PAYLOAD_MAX);
    if (unlikely(j->failed || j->base == NULL))
        return 0;
    if (unlikely(bytes > j->bytes - j->used && !segment_roll(j, now)))
        return 0;
    struct journal_record_header h = {
        .bytes = (uint32_t)bytes,
        .seq = j->seq + 1,
        .wall_ns = now.wall.ns,
        .mono_ns = now.mono.ns,
        .type = (uint16_t)type,
        .version = MESSAGE_VERSION,
    };
    uint8_t *at = j->base + j->used;
    memcpy(at + 8, (const uint8_t *)&h + 8, RECORD_BYTES - 8);
    memcpy(at + RECORD_BYTES, payload, payload_bytes);
    uint32_t crc = j->crc(0, (const uint8_t *)&h + CRC_FROM, RECORD_BYTES - CRC_FROM);
    h.crc = j->crc(crc, payload, payload_bytes);
    uint64_t mark;
    memcpy(&mark, &h, 8);
    publish8(at, mark);
    j->used += bytes;
    j->appended_bytes += bytes;
    return ++j->seq;
}

/* ---- headers ----------------------------------------------------------------------------------------------------- */

static const char *
segment_name(const struct journal_segment *s)
{
    return s->name != NULL ? s->name : "journal";
}

bool
journal_header_check(const struct journal_segment *s, struct journal_segment_header *out, struct fault *fault)
{
    struct journal_segment_header h;

    if (s->bytes < HEADER_BYTES)
        return FAULT(fault, "%s: %zu bytes, shorter than a journal header", segment_name(s), s->bytes);
    memcpy(&h, s->base, sizeof(h));
    if (h.magic != JOURNAL_MAGIC)
        return FAULT(fault, "%s: not a journal segment", segment_name(s));
    if (h.schema < JOURNAL_SCHEMA_MIN || h.schema > JOURNAL_SCHEMA || h.header_bytes != HEADER_BYTES)
        return FAULT(fault, "%s: journal schema %u, this build reads %u to %u", segment_name(s), h.schema,
                     JOURNAL_SCHEMA_MIN, JOURNAL_SCHEMA);
    if (h.crc != crc32c_pick()(0, &h, offsetof(struct journal_segment_header, crc)))
        return FAULT(fault, "%s: journal header is damaged (checksum)", segment_name(s));
    if (h.identity.account_count > ACCOUNT_MAX || h.identity.venue_count > VENUE_MAX || h.first_seq == 0)
        return FAULT(fault, "%s: journal header states impossible counts", segment_name(s));
    *out = h;
    return true;
}

static const char *
mode_text(uint8_t mode)
{
    return mode == JOURNAL_PAPER ? "paper" : mode == JOURNAL_LIVE ? "live" : "unknown";
}

static bool
names_equal(const char (*a)[JOURNAL_NAME_BYTES], const char (*b)[JOURNAL_NAME_BYTES], unsigned count, unsigned *at)
{
    for (*at = 0; *at < count; (*at)++)
        if (strncmp(a[*at], b[*at], JOURNAL_NAME_BYTES) != 0)
            return false;
    return true;
}

bool
journal_identity_check(const struct journal_segment_header *h, const struct journal_identity *expected,
                       const char *name, struct fault *fault)
{
    const struct journal_identity *is = &h->identity;
    unsigned at;

    if (is->mode != expected->mode)
        return FAULT(fault, "%s: journal of mode %s, expected %s; paper and live never share a journal", name,
                     mode_text(is->mode), mode_text(expected->mode));
    if (strncmp(is->instance, expected->instance, sizeof(is->instance)) != 0)
        return FAULT(fault, "%s: journal of instance %.4s, expected %.4s", name, is->instance, expected->instance);
    if (is->account_count != expected->account_count)
        return FAULT(fault, "%s: journal of %u accounts, expected %u", name, is->account_count,
                     expected->account_count);
    if (!names_equal(is->account, expected->account, MIN(is->account_count, ACCOUNT_MAX), &at))
        return FAULT(fault, "%s: account %u of the journal is %.16s, expected %.16s", name, at, is->account[at],
                     expected->account[at]);
    if (is->venue_count != expected->venue_count)
        return FAULT(fault, "%s: journal of %u venues, expected %u", name, is->venue_count, expected->venue_count);
    if (!names_equal(is->venue, expected->venue, MIN(is->venue_count, VENUE_MAX), &at))
        return FAULT(fault, "%s: venue %u of the journal is %.16s, expected %.16s", name, at, is->venue[at],
                     expected->venue[at]);
    return true;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static bool
all_zero(const uint8_t *p, size_t n)
{
    return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

static bool
header_missing(const struct journal_segment *s)
{
    return all_zero(s->base, MIN(s->bytes, sizeof(uint64_t)));
}

/* A segment that was prepared and never begun: its magic, which is written last, is not there, and no record. */
static bool
segment_unused(const struct journal_segment *s)
{
    size_t from = MIN(s->bytes, HEADER_BYTES);

    return header_missing(s) && all_zero(s->base + from, s->bytes - from);
}

bool
journal_reader_init(struct journal_reader *r, const struct journal_segment *segments, uint32_t count,
                    struct fault *fault)
{
    struct journal_segment_header h;
    struct journal_segment_header before = { 0 };

    memset(r, 0, sizeof(*r));
    while (count > 0 && segment_unused(&segments[count - 1]))
        count--;
    r->segments = segments;
    r->count = count;
    r->offset = HEADER_BYTES;
    r->crc = crc32c_pick();
    r->ended = count == 0 ? JOURNAL_READ_END : JOURNAL_READ_OK;
    for (uint32_t i = 0; i < count; i++) {
        if (i + 1 == count && header_missing(&segments[i]))
            return FAULT(fault,
                         "%s: no header, but something stands behind it: its first page was lost with records that are "
                         "nowhere else",
                         segment_name(&segments[i]));
        if (!journal_header_check(&segments[i], &h, fault))
            return false;
        if (i == 0 || h.snapshot_records != 0) {
            r->segment = i;
            r->seq = h.first_seq - 1;
        }
        if (i > 0 && h.index != before.index + 1)
            return FAULT(fault, "%s: journal segment %u follows segment %u; one is missing or they are out of order",
                         segment_name(&segments[i]), h.index, before.index);
        before = h;
    }
    return true;
}

/* A whole, undamaged record at off? */
static bool
record_at(const struct journal_reader *r, const struct journal_segment *s, size_t off,
          struct journal_record_header *out)
{
    struct journal_record_header h;

    if (s->bytes < RECORD_BYTES || off > s->bytes - RECORD_BYTES)
        return false;
    memcpy(&h, s->base + off, sizeof(h));
    if (h.bytes < RECORD_BYTES || h.bytes % 8 != 0 || h.bytes > RECORD_BYTES + JOURNAL_PAYLOAD_MAX ||
        h.bytes > s->bytes - off)
        return false;
    if (h.crc != r->crc(0, s->base + off + CRC_FROM, h.bytes - CRC_FROM))
        return false;
    *out = h;
    return true;
}

/* After a place that is no record: is there a good one further on in this segment, or another segment begun? Sequences
 * that could not have been reached from here are not believed. */
static bool
good_record_after(const struct journal_reader *r, size_t from, struct journal_record_header *out, size_t *at)
{
    const struct journal_segment *s = &r->segments[r->segment];
    uint64_t seq_max = r->seq + 1 + s->bytes / RECORD_BYTES;

    for (size_t off = from; s->bytes >= RECORD_BYTES && off <= s->bytes - RECORD_BYTES; off += 8) {
        uint64_t seq;
        memcpy(&seq, s->base + off + offsetof(struct journal_record_header, seq), sizeof(seq));
        if (seq <= r->seq || seq > seq_max || !record_at(r, s, off, out))
            continue;
        *at = off;
        return true;
    }
    return false;
}

static enum journal_read
read_end(struct journal_reader *r, enum journal_read how)
{
    r->ended = how;
    return how;
}

/* No record at the place: the clean end, a torn tail, or damage in the middle. Cold. */
static COLD enum journal_read
read_tail(struct journal_reader *r, struct fault *fault)
{
    const struct journal_segment *s = &r->segments[r->segment];
    struct journal_record_header h;
    size_t at;

    if (good_record_after(r, r->offset + 8, &h, &at)) {
        (void)FAULT(fault,
                    "%s: damaged record at offset %zu (after sequence %llu), but sequence %llu at offset %zu is "
                    "whole: the journal is corrupt",
                    segment_name(s), r->offset, (unsigned long long)r->seq, (unsigned long long)h.seq, at);
        return read_end(r, JOURNAL_READ_CORRUPT);
    }
    if (r->segment + 1 < r->count) {
        (void)FAULT(fault,
                    "%s: ends at offset %zu with sequence %llu, but another segment follows: the journal is "
                    "corrupt",
                    segment_name(s), r->offset, (unsigned long long)r->seq);
        return read_end(r, JOURNAL_READ_CORRUPT);
    }
    return read_end(r, all_zero(s->base + r->offset, s->bytes - r->offset) ? JOURNAL_READ_END : JOURNAL_READ_TORN);
}

/* The next segment goes on where this one stops: only then is what is left of this one its end. */
static bool
next_segment_continues(const struct journal_reader *r)
{
    struct journal_segment_header h;
    if (r->segment + 1 >= r->count)
        return false;
    memcpy(&h, r->segments[r->segment + 1].base, sizeof(h)); /* checked by journal_reader_init */
    return h.first_seq == r->seq + 1;
}

enum journal_read
journal_reader_next(struct journal_reader *r, struct journal_record *out, struct fault *fault)
{
    struct journal_record_header h;

    if (r->ended != JOURNAL_READ_OK)
        return r->ended;
    /* At most one step to the next segment per empty segment. */
    while (!record_at(r, &r->segments[r->segment], r->offset, &h)) {
        if (!next_segment_continues(r))
            return read_tail(r, fault);
        r->segment++;
        r->offset = HEADER_BYTES;
    }
    const struct journal_segment *s = &r->segments[r->segment];
    if (h.seq != r->seq + 1) {
        (void)FAULT(fault, "%s: sequence %llu at offset %zu, expected %llu: the journal is corrupt", segment_name(s),
                    (unsigned long long)h.seq, r->offset, (unsigned long long)(r->seq + 1));
        return read_end(r, JOURNAL_READ_CORRUPT);
    }
    *out = (struct journal_record){
        .type = h.type,
        .version = h.version,
        .segment = r->segment,
        .seq = h.seq,
        .wall_ns = h.wall_ns,
        .mono_ns = h.mono_ns,
        .payload = s->base + r->offset + RECORD_BYTES,
        .payload_bytes = h.bytes - RECORD_BYTES,
        .offset = r->offset,
    };
    journal_payload_widen(out, r->wide);
    r->seq = h.seq;
    r->offset += h.bytes;
    return JOURNAL_READ_OK;
}

/* ---- payloads ---------------------------------------------------------------------------------------------------- */

/* What a type's payload is in this build, and was at least in the oldest schema that is read; 0 = any. A payload grows
 * at its end only, and zero is what an older writer would have said. */
struct payload {
    size_t bytes;
    size_t least;
};

#define PAYLOAD(type, was) ((struct payload){ sizeof(type), was })

static struct payload
payload_of(uint16_t type)
{
    switch (type) {
    case JOURNAL_DEF_ACCOUNT:
    case JOURNAL_DEF_VENUE:
    case JOURNAL_DEF_CURRENCY: return PAYLOAD(struct journal_name, 32);
    case JOURNAL_DEF_INSTRUMENT: return PAYLOAD(struct instrument, 224);
    case JOURNAL_INTENT: return PAYLOAD(struct order_intent, 288);
    case JOURNAL_REQUEST:
    case JOURNAL_VENUE_REPORT: return PAYLOAD(struct order_event, 160);
    case JOURNAL_CONTROL: return PAYLOAD(struct journal_control, 64);
    case JOURNAL_POSITION: return PAYLOAD(struct journal_position, 24);
    case JOURNAL_TRADE: return PAYLOAD(struct account_trade, 64);
    case JOURNAL_CURSOR: return PAYLOAD(struct journal_cursor, 16);
    case JOURNAL_BALANCE: return PAYLOAD(struct journal_balance, 16);
    case JOURNAL_LIMIT_SET: return PAYLOAD(struct journal_limit_set, 72);
    case JOURNAL_REPORT: return PAYLOAD(struct report, 256);
    case JOURNAL_NOTE: return PAYLOAD(struct journal_note, 120);
    case JOURNAL_SENT: return PAYLOAD(struct journal_sent, 32);
    default: return (struct payload){ 0, 0 };
    }
}

/* They begin alike: a name, a count, the bytes of one. */
static bool
elements_ok(const struct journal_record *rec, size_t one, size_t most)
{
    const struct journal_marks *m = rec->payload;
    return rec->payload_bytes >= sizeof(*m) && m->bytes == one && m->count <= most &&
           m->reporting[CURRENCY_BYTES - 1] == '\0' && rec->payload_bytes == sizeof(*m) + m->count * one;
}

bool
journal_payload_ok(const struct journal_record *rec)
{
    struct payload want = payload_of(rec->type);

    if (rec->version != MESSAGE_VERSION)
        return false;
    switch (rec->type) {
    case JOURNAL_MARKS: return elements_ok(rec, sizeof(struct journal_mark), JOURNAL_MARKS_MAX);
    case JOURNAL_DAY: return elements_ok(rec, sizeof(struct journal_day_group), JOURNAL_DAY_MAX);
    case JOURNAL_WINDOWS: return elements_ok(rec, sizeof(struct journal_window), JOURNAL_WINDOWS_MAX);
    default: return want.bytes == 0 || rec->payload_bytes == want.bytes;
    }
}

void
journal_payload_widen(struct journal_record *rec, void *room)
{
    struct payload want = payload_of(rec->type);

    if (likely(rec->payload_bytes >= want.bytes) || rec->payload_bytes < want.least)
        return;
    memcpy(room, rec->payload, rec->payload_bytes);
    memset((uint8_t *)room + rec->payload_bytes, 0, want.bytes - rec->payload_bytes);
    rec->payload = room;
    rec->payload_bytes = want.bytes;
}
