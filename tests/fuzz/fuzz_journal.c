/* A journal file of anybody's making: read, replayed and printed without a crash, within its bounds. The input is taken
 * as it is, and once more with every checksum put right, so that the fuzzer gets behind them. */
#include "engine/oms/journal.h"
#include "engine/oms/journal_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 65536u

static _Alignas(64) uint8_t file[INPUT_MAX];
static _Alignas(64) uint8_t memory[4 << 20];
static struct journal_text text;

static void
print(void *ctx, const struct journal_record *rec)
{
    static char line[JOURNAL_TEXT_LINE];
    (void)ctx;
    journal_text_learn(&text, rec);
    size_t n = journal_text_line(&text, rec, line, sizeof(line));
    ASSERT(n < sizeof(line) && line[n] == '\0');
    n = journal_text_json(&text, rec, line, sizeof(line));
    ASSERT(n < sizeof(line) && line[n] == '\0');
}

static void
replay(const uint8_t *base, size_t bytes)
{
    static const struct order_counts counts = { .live_max = 64, .done_kept = 8, .trades_kept = 64, .keys_kept = 4 };
    const struct journal_segment s = { .base = base, .bytes = bytes, .name = "input" };
    const struct journal_replay_ops ops = { .record = print };
    struct arena a = { .base = memory, .size = sizeof(memory) };
    struct journal_reader r;
    struct journal_record rec;
    struct journal_replayed out;
    struct fault fault;

    journal_text_init(&text);
    struct order_table *t = order_table_init(&counts, "g1", &a);
    (void)journal_replay(&s, 1, NULL, t, &ops, &out, &fault);
    if (!journal_reader_init(&r, &s, 1, &fault))
        return;
    while (journal_reader_next(&r, &rec, &fault) == JOURNAL_READ_OK)
        print(NULL, &rec);
}

/* Checksums and sequences as the writer would have made them. */
static void
mend(uint8_t *base, size_t bytes)
{
    struct journal_segment_header h;
    uint64_t seq = 1;

    if (bytes < sizeof(h))
        return;
    memcpy(&h, base, sizeof(h));
    h.magic = JOURNAL_MAGIC;
    h.schema = JOURNAL_SCHEMA;
    h.header_bytes = sizeof(h);
    h.first_seq = 1;
    h.crc = crc32c_table(0, &h, offsetof(struct journal_segment_header, crc));
    memcpy(base, &h, sizeof(h));
    for (size_t off = sizeof(h); off + sizeof(struct journal_record_header) <= bytes;) {
        struct journal_record_header r;
        memcpy(&r, base + off, sizeof(r));
        if (r.bytes < sizeof(r) || r.bytes % 8 != 0 || r.bytes > bytes - off)
            return;
        r.seq = seq++;
        memcpy(base + off, &r, sizeof(r));
        r.crc = crc32c_table(0, base + off + sizeof(r.crc), r.bytes - sizeof(r.crc));
        memcpy(base + off, &r, sizeof(r));
        off += r.bytes;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size = MIN(size, INPUT_MAX) & ~(size_t)7;
    memcpy(file, data, size);
    replay(file, size);
    mend(file, size);
    replay(file, size);
    return 0;
}
