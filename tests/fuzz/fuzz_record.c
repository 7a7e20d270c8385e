/* A recording of anybody's making: its blocks and events are read within their bounds. The input is taken as it is, and
 * once more with every checksum put right. */
#include "engine/io/record_file.h"
#include "engine/oms/journal.h"
#include "engine/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 65536u

static uint8_t file[INPUT_MAX];
static uint8_t stream[INPUT_MAX];

static void
read_all(size_t size)
{
    struct record_reader r;
    struct record_header h;
    struct fault fault;
    struct record_stream s = { .base = stream };
    struct record_event e;
    const uint8_t *part;
    size_t n;
    uint64_t sum = 0;

    if (!record_reader_init(&r, file, size, crc32c_pick(), &h, &fault))
        return;
    while (record_reader_next(&r, &part, &n) == RECORD_READ_OK) {
        ASSERT(n <= sizeof(stream) - s.bytes);
        memcpy(stream + s.bytes, part, n);
        s.bytes += n;
    }
    while (record_stream_peek(&s, &e)) {
        ASSERT(e.data >= stream && e.data + e.head.bytes <= stream + s.bytes);
        for (uint32_t i = 0; i < e.head.bytes; i++)
            sum += e.data[i];
        sum += strlen(record_event_text(e.head.kind));
        record_stream_take(&s, &e);
    }
    ASSERT(sum != UINT64_MAX);
}

static void
mend(size_t size)
{
    struct record_header h;
    uint32_t number = 0;

    if (size < sizeof(h))
        return;
    memcpy(&h, file, sizeof(h));
    h.magic = RECORD_MAGIC;
    h.schema = RECORD_SCHEMA;
    h.header_bytes = sizeof(h);
    h.crc = crc32c_table(0, &h, offsetof(struct record_header, crc));
    memcpy(file, &h, sizeof(h));
    for (size_t at = sizeof(h); size - at >= sizeof(struct record_block);) {
        struct record_block b;
        memcpy(&b, file + at, sizeof(b));
        b.magic = b.magic % 8 == 0 ? RECORD_END_MAGIC : RECORD_BLOCK_MAGIC;
        b.number = number++;
        b.bytes = MIN(b.bytes, (uint32_t)(size - at - sizeof(b)));
        b.crc = record_block_crc(&b, file + at + sizeof(b), crc32c_table);
        memcpy(file + at, &b, sizeof(b));
        at += sizeof(b) + b.bytes;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size = MIN(size, INPUT_MAX);
    memcpy(file, data, size);
    read_all(size);
    mend(size);
    read_all(size);
    return 0;
}
