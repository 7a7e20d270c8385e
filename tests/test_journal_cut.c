/* What a power cut leaves of a journal: any of the pages that were not synced, each as it was at the last sync, at some
 * time after it, or at the end. Real segments, a disk made up of these pages, and starts on it. */
#include "engine/io/journal_durable.h"
#include "engine/journal_compact.h"
#include "engine/journal_cut.h"
#include "tests/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT 65536u
#define PAGE    4096u
#define FILES   64u
#define RECORDS 200000u
#define ROUNDS  20u

static char dir[64];
static uint64_t draw;
static uint32_t told[RECORDS]; /* by sequence: what its record says */

/* The directory's segments as bytes, by number. */
struct image {
    uint8_t *at[FILES];
};

static struct image synced, between, last;

static uint64_t
any(uint64_t n)
{
    draw ^= draw << 13;
    draw ^= draw >> 7;
    draw ^= draw << 17;
    return draw % n;
}

static void
path_of(uint32_t number, char *path, size_t room)
{
    (void)snprintf(path, room, "%s/journal-%08u.seg", dir, number);
}

static void
image_free(struct image *i)
{
    for (unsigned n = 0; n < FILES; n++)
        free(i->at[n]);
    memset(i, 0, sizeof(*i));
}

static void
image_take(struct image *i)
{
    image_free(i);
    for (uint32_t n = 1; n < FILES; n++) {
        char path[128];
        path_of(n, path, sizeof(path));
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        i->at[n] = (uint8_t *)calloc(1, SEGMENT);
        CHECK(i->at[n] != NULL);
        CHECK_EQ(read(fd, i->at[n], SEGMENT), SEGMENT);
        (void)close(fd);
    }
}

/* Each page from one of the three; a segment that was not there at the last sync was zeros then. */
static void
power_cut(void)
{
    static const uint8_t zeros[PAGE];

    for (uint32_t n = 1; n < FILES; n++) {
        char path[128];
        path_of(n, path, sizeof(path));
        if (last.at[n] == NULL)
            continue;
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        CHECK(fd >= 0);
        for (size_t at = 0; at < SEGMENT; at += PAGE) {
            const struct image *of[] = { &last, &last, &between, &synced };
            const struct image *i = of[any(ARRAY_LEN(of))];
            const uint8_t *from = i->at[n] != NULL ? i->at[n] + at : zeros;
            CHECK_EQ(pwrite(fd, from, PAGE, (off_t)at), PAGE);
        }
        (void)close(fd);
    }
}

static void
clean(void)
{
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf %s", dir);
    CHECK_EQ(system(command), 0); /* NOLINT(cert-env33-c): a folder of the test's own */
}

static void
setup(uint64_t seed)
{
    (void)snprintf(dir, sizeof(dir), "/tmp/test_journal_cut.%d", (int)getpid());
    clean();
    draw = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    memset(told, 0, sizeof(told));
}

static struct journal_file *
open_good(void)
{
    struct fault fault = { "" };
    struct journal_file *j = journal_file_open(dir, SEGMENT, &fault);
    if (j == NULL)
        (void)fprintf(stderr, "fault: %s\n", fault.text);
    CHECK(j != NULL);
    return j;
}

/* Every record is read and says what it was given. The last sequence; *next: the segment to go on in. */
static uint64_t
read_all(struct journal_file *j, uint32_t *next, uint32_t *next_index, enum journal_read *how)
{
    struct journal_map m;
    struct journal_reader r;
    struct journal_record rec;
    struct journal_segment_header h = { 0 };
    struct fault fault = { "" };

    CHECK(journal_map_open(&m, j, &fault));
    CHECK(journal_reader_init(&r, m.segment, m.count, &fault));
    while ((*how = journal_reader_next(&r, &rec, &fault)) == JOURNAL_READ_OK)
        CHECK_EQ(*(const uint32_t *)rec.payload, told[rec.seq]);
    *next = m.mapped == 0 ? 1 : m.first + m.count;
    if (m.count > 0)
        CHECK(journal_header_check(&m.segment[m.count - 1], &h, &fault));
    *next_index = m.count > 0 ? h.index + 1 : 0;
    uint64_t seq = r.seq;
    journal_map_close(&m);
    return seq;
}

struct run {
    struct journal_file *files;
    struct journal journal;
    struct journal_region region;
    uint64_t synced_seq;
};

/* As a gateway starts: mend, read, sync what is there, go on. */
static void
run_begin(struct run *u, uint32_t term, uint64_t synced_seq, bool *hole)
{
    static const struct journal_identity who = { .instance = "01", .mode = JOURNAL_PAPER };
    static const uint8_t hash[32];
    struct now now = { { NS_PER_S }, { NS_PER_S } };
    struct journal_place at;
    struct fault fault = { "" };
    enum journal_read how;
    uint32_t next;
    uint32_t index;

    u->files = open_good();
    CHECK(journal_hole_find(u->files, hole, &at, &fault));
    bool cut = !*hole || journal_cut(u->files, &at, &fault);
    if (!cut)
        (void)fprintf(stderr, "fault: %s\n", fault.text);
    CHECK(cut);
    uint64_t seq = read_all(u->files, &next, &index, &how);
    CHECK(how == JOURNAL_READ_END || how == JOURNAL_READ_TORN);
    CHECK(seq >= synced_seq); /* nothing that was synced is lost */
    CHECK(!*hole || seq == at.seq);
    journal_file_durable_begin(u->files, term, seq);
    CHECK(journal_file_start(u->files, next, &u->region, &fault));
    journal_init(&u->journal, &who, "test", hash, term, seq, index);
    CHECK(journal_region(&u->journal, u->region.base, u->region.bytes, now));
    u->synced_seq = seq;
}

static void
next_region(struct run *u)
{
    struct now now = { { NS_PER_S }, { NS_PER_S } };
    struct journal_region r;

    for (int i = 0; i < 60000; i++) {
        if (journal_file_next(u->files, &r) == JOURNAL_NEXT_OK) {
            CHECK(journal_region(&u->journal, r.base, r.bytes, now));
            return;
        }
        (void)usleep(1000);
    }
    CHECK(!"no next segment");
}

static void
append(struct run *u, unsigned count)
{
    struct now now = { { NS_PER_S }, { NS_PER_S } };

    for (unsigned i = 0; i < count; i++) {
        uint8_t payload[512] = { 0 };
        size_t bytes = sizeof(struct journal_note) + any(40) * 8;
        told[u->journal.seq + 1] = (uint32_t)any(UINT32_MAX);
        memcpy(payload, &told[u->journal.seq + 1], 4);
        if (!journal_room(&u->journal, bytes))
            next_region(u);
        CHECK(journal_append(&u->journal, (enum journal_type)0x8fff, payload, bytes, now) != 0);
    }
}

/* Everything to the medium, as journal_sync does it for what it holds. */
static void
sync_all(struct run *u)
{
    image_take(&synced);
    u->synced_seq = u->journal.seq;
}

/* The file's own page: as of the run's begin, of its last sync, or of any time in between. */
static void
durable_left(uint32_t term, uint64_t begun_seq, uint64_t synced_seq)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_EQ(journal_durable_write(fd, term, begun_seq + any(synced_seq - begun_seq + 1), true), 0);
    (void)close(fd);
}

static void
one_life(uint64_t seed, unsigned *holes)
{
    uint64_t safe = 0;
    bool hole;

    setup(seed);
    for (uint32_t term = 10; term < 14; term++) {
        struct run u;
        run_begin(&u, term, safe, &hole);
        *holes += hole;
        uint64_t begun = u.synced_seq;
        image_free(&synced);
        image_take(&synced);
        for (unsigned n = (unsigned)any(3); n > 0 && u.journal.segment_index < 30; n--) {
            append(&u, 1 + (unsigned)any(150));
            sync_all(&u);
        }
        append(&u, (unsigned)any(150));
        image_take(&between);
        append(&u, (unsigned)any(400));
        image_take(&last);
        safe = u.synced_seq;
        journal_file_close(u.files);
        power_cut();
        durable_left(term, begun, safe);
    }
    struct run u;
    run_begin(&u, 20, safe, &hole);
    *holes += hole;
    uint64_t end = u.journal.seq;
    journal_file_close(u.files);
    run_begin(&u, 21, end, &hole); /* once mended, it stays so */
    CHECK(!hole);
    CHECK_EQ(u.journal.seq, end);
    journal_file_close(u.files);
    clean();
}

TEST(whatever_pages_a_power_cut_left_all_that_was_synced_is_there_and_a_start_goes_on)
{
    unsigned holes = 0;

    for (uint64_t seed = 1; seed <= ROUNDS; seed++)
        one_life(seed, &holes);
    image_free(&synced);
    image_free(&between);
    image_free(&last);
    CHECK(holes > ROUNDS); /* or it would show nothing */
}

/* A page in the middle of some records is lost. */
static void
page_lost(uint64_t durable_seq, uint32_t durable_term, bool durable_file, bool mended)
{
    static const uint8_t zeros[PAGE];
    struct journal_place at;
    struct fault fault = { "" };
    struct run u;
    bool hole;
    char path[128];

    setup(7);
    run_begin(&u, 10, 0, &hole);
    append(&u, 100);
    journal_file_close(u.files);
    path_of(1, path, sizeof(path));
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    CHECK(fd >= 0 && pwrite(fd, zeros, PAGE, PAGE) == PAGE);
    (void)close(fd);
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK_EQ(durable_file ? journal_durable_write(fd, durable_term, durable_seq, true) : unlinkat(fd, "durable", 0), 0);
    (void)close(fd);
    struct journal_file *j = open_good();
    CHECK(journal_hole_find(j, &hole, &at, &fault));
    CHECK_EQ(hole, mended);
    journal_file_close(j);
    if (!mended) { /* as before: refused */
        uint32_t next;
        uint32_t index;
        enum journal_read how;
        j = open_good();
        (void)read_all(j, &next, &index, &how);
        CHECK_EQ(how, JOURNAL_READ_CORRUPT);
        journal_file_close(j);
    }
    clean();
}

TEST(a_hole_in_what_was_synced_or_of_which_nothing_is_known_is_damage)
{
    page_lost(1, 10, true, true);
    page_lost(100, 10, true, false);
    page_lost(1, 9, true, false); /* of an earlier run: an older copy of the file */
    page_lost(1, 11, true, true); /* of a run that ended before it wrote its first header */
    page_lost(0, 0, false, false);
}

TEST(a_cut_keeps_what_it_takes_away)
{
    struct journal_place at;
    struct fault fault = { "" };
    struct run u;
    bool hole;
    enum journal_read how;
    uint32_t next;
    uint32_t index;
    struct stat st;
    char path[128];

    setup(9);
    run_begin(&u, 10, 0, &hole);
    append(&u, 700); /* some segments */
    CHECK(u.journal.segment_index >= 2);
    journal_file_close(u.files);
    image_take(&last);
    struct journal_file *j = open_good();
    CHECK(!journal_place_find(j, 0, &at, &fault));
    CHECK(!journal_place_find(j, 701, &at, &fault));
    CHECK(strstr(fault.text, "leads to sequence 701, the last one is 700") != NULL);
    CHECK(journal_place_find(j, 100, &at, &fault));
    CHECK_EQ(at.number, 1);
    CHECK(journal_cut(j, &at, &fault));
    CHECK_EQ(read_all(j, &next, &index, &how), 100);
    CHECK_EQ(how, JOURNAL_READ_END);
    CHECK_EQ(next, 2);
    journal_file_close(j);
    for (uint32_t n = 1; n <= 2; n++) {
        uint8_t kept[SEGMENT];
        (void)snprintf(path, sizeof(path), "%s/journal-%08u.void-1", dir, n);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        CHECK(fd >= 0 && read(fd, kept, sizeof(kept)) == SEGMENT);
        CHECK_EQ(memcmp(kept, last.at[n], SEGMENT), 0);
        (void)close(fd);
    }
    path_of(2, path, sizeof(path));
    CHECK_EQ(lstat(path, &st), -1);
    run_begin(&u, 11, 100, &hole); /* and on */
    CHECK(!hole);
    append(&u, 10);
    journal_file_close(u.files);
    j = open_good();
    CHECK_EQ(read_all(j, &next, &index, &how), 110);
    journal_file_close(j);
    image_free(&last);
    clean();
}

TEST_MAIN()
