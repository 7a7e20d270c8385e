/* A recording's file: what was put is read back, whole or not at all, and a full ring ends it for good and says so. */
#include "engine/io/record_file.h"
#include "engine/oms/journal.h"
#include "engine/record.h"
#include "tests/test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define RING 65536u

static char dir[64];
static uint8_t file[4 << 20];
static size_t file_bytes;

static void
setup(void)
{
    char command[100];

    (void)snprintf(dir, sizeof(dir), "/tmp/test_record.%d", (int)getpid());
    (void)snprintf(command, sizeof(command), "rm -rf %s", dir);
    CHECK_EQ(system(command), 0); /* NOLINT(cert-env33-c): a folder of the test's own */
    CHECK_EQ(mkdir(dir, 0700), 0);
}

static struct record_file *
start(void)
{
    const struct record_header h = { .build = "test", .wall_ns = 5, .mono_ns = 6, .seed = 7, .term = 8, .live = 1 };
    struct fault fault = { "" };
    struct record_file *r = record_file_start(dir, RING, &h, crc32c_pick(), &fault);

    if (r == NULL)
        (void)fprintf(stderr, "%s\n", fault.text);
    CHECK(r != NULL);
    return r;
}

/* Bytes that have reached the file, heads of blocks included. */
static size_t
written(void)
{
    char path[100];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s/events", dir);
    CHECK_EQ(stat(path, &st), 0);
    return (size_t)st.st_size;
}

static void
load(void)
{
    char path[100];

    (void)snprintf(path, sizeof(path), "%s/events", dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    ssize_t n = read(fd, file, sizeof(file));
    CHECK(n > 0 && n < (ssize_t)sizeof(file));
    file_bytes = (size_t)n;
    (void)close(fd);
}

/* All blocks of the first `bytes` of the file; how it ended. */
static enum record_read
blocks(size_t bytes, uint8_t *stream, size_t *len, uint64_t *lost)
{
    struct record_reader r;
    struct record_header h;
    struct fault fault;
    const uint8_t *data;
    size_t n;
    enum record_read how;

    *len = 0;
    CHECK(record_reader_init(&r, file, bytes, crc32c_pick(), &h, &fault));
    CHECK_EQ(h.seed, 7);
    CHECK_EQ(h.term, 8);
    while ((how = record_reader_next(&r, &data, &n)) == RECORD_READ_OK) {
        memcpy(stream + *len, data, n);
        *len += n;
    }
    *lost = r.lost;
    return how;
}

TEST(what_was_put_is_read_back_in_order_over_many_turns_of_the_ring)
{
    static uint8_t want[1 << 20];
    static uint8_t got[2 << 20];
    size_t put = 0;
    size_t len;
    uint64_t lost;

    setup();
    struct record_file *r = start();
    for (unsigned i = 0; put < sizeof(want) - 2000; i++) {
        size_t a = i * 7 % 300;
        size_t b = i * 13 % 1500;
        for (size_t k = 0; k < a + b; k++)
            want[put + k] = (uint8_t)(i + k);
        while (put > written() + RING / 4) /* a starved thread must not be what ends the recording */
            (void)usleep(1000);
        CHECK(record_file_put(r, want + put, a, want + put + a, b));
        put += a + b;
    }
    record_file_stop(r);
    load();
    CHECK_EQ(blocks(file_bytes, got, &len, &lost), RECORD_READ_END);
    CHECK_EQ(lost, 0);
    CHECK_EQ(len, put);
    CHECK_MEM(got, want, put);
}

TEST(a_file_cut_at_any_byte_is_read_up_to_its_last_whole_block)
{
    static uint8_t got[1 << 20];
    size_t len;
    size_t before = 0;
    uint64_t lost;

    setup();
    struct record_file *r = start();
    for (unsigned i = 0; i < 3; i++) {
        char text[64];
        int n = snprintf(text, sizeof(text), "part %u of what was recorded", i);
        CHECK(record_file_put(r, text, (size_t)n, NULL, 0));
        (void)usleep(20000);
    }
    record_file_stop(r);
    load();
    for (size_t cut = sizeof(struct record_header); cut < file_bytes; cut++) {
        CHECK_EQ(blocks(cut, got, &len, &lost), RECORD_READ_CUT);
        CHECK(len >= before);
        before = len;
    }
    CHECK_EQ(blocks(file_bytes, got, &len, &lost), RECORD_READ_END);
    for (size_t i = sizeof(struct record_header); i < file_bytes; i++) {
        file[i] ^= 0x10;
        enum record_read how = blocks(file_bytes, got, &len, &lost);
        CHECK(how == RECORD_READ_DAMAGED || how == RECORD_READ_CUT);
        file[i] ^= 0x10;
    }
}

TEST(a_full_ring_ends_the_recording_for_good_and_never_waits)
{
    static uint8_t got[1 << 20];
    static const uint8_t much[RING / 4];
    size_t len;
    uint64_t lost;
    unsigned taken = 0;

    setup();
    struct record_file *r = start();
    for (unsigned i = 0; i < 100000 && record_file_lost(r) == 0; i++)
        taken += record_file_put(r, much, sizeof(much), NULL, 0);
    CHECK(record_file_lost(r) == 1);
    (void)usleep(100000); /* there is room again by now */
    CHECK(!record_file_put(r, much, 8, NULL, 0));
    CHECK_EQ(record_file_lost(r), 2);
    record_file_stop(r);
    load();
    CHECK_EQ(blocks(file_bytes, got, &len, &lost), RECORD_READ_END);
    CHECK_EQ(lost, 2);
    CHECK_EQ(len, taken * sizeof(much));
}

TEST(a_folder_is_taken_once)
{
    const struct record_header h = { .build = "test" };
    struct fault fault = { "" };

    setup();
    record_file_stop(start());
    CHECK(record_file_start(dir, RING, &h, crc32c_pick(), &fault) == NULL);
    CHECK(strstr(fault.text, "a folder of its own") != NULL);
}

TEST(events_end_where_the_stream_is_cut)
{
    static uint8_t stream[64];
    struct record_head h = { .kind = REC_DOWN, .pad = 3, .id = 1, .bytes = 5, .value = 9 };
    struct record_event e;

    memcpy(stream, &h, sizeof(h));
    memcpy(stream + sizeof(h), "gone", 5);
    struct record_stream s = { .base = stream, .bytes = sizeof(h) + 8 };
    CHECK(record_stream_peek(&s, &e));
    CHECK_EQ(e.head.kind, REC_DOWN);
    CHECK_STR((const char *)e.data, "gone");
    record_stream_take(&s, &e);
    CHECK(!record_stream_peek(&s, &e));
    for (size_t cut = 0; cut < sizeof(h) + 8; cut++) {
        s = (struct record_stream){ .base = stream, .bytes = cut };
        CHECK(!record_stream_peek(&s, &e));
    }
}

TEST_MAIN()
