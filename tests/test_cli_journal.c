/* execgw-cli journal over files in a folder: printed, verified, cut, damaged, and followed while they grow. */
#include "engine/oms/journal.h"
#include "tests/test.h"

#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEGMENT JOURNAL_SEGMENT_MIN
#define FILES   3
#define WAIT_MS 20000

static struct {
    char dir[64];
    uint8_t *map[FILES];
    struct journal j;
    int64_t clock;
} fx;

static char out[1 << 18];

static struct now
now(void)
{
    fx.clock += NS_PER_MS;
    return (struct now){ .mono = { fx.clock }, .wall = { fx.clock + INT64_C(1700000000) * NS_PER_S } };
}

static void
file_name(char *path, size_t room, unsigned i)
{
    (void)snprintf(path, room, "%s/journal-%08u.seg", fx.dir, i + 1);
}

/* The next segment, as the gateway prepares it: whole and zero. */
static void
segment_add(unsigned i)
{
    char path[128];
    file_name(path, sizeof(path), i);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK_EQ(ftruncate(fd, SEGMENT), 0);
    fx.map[i] = mmap(NULL, SEGMENT, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(fx.map[i] != MAP_FAILED);
    (void)close(fd);
    CHECK(journal_region(&fx.j, fx.map[i], SEGMENT, now()));
}

static void
world_open(void)
{
    static const uint8_t hash[32];
    struct journal_identity who = { .instance = "01", .mode = JOURNAL_PAPER, .account_count = 1, .venue_count = 1 };

    memset(&fx, 0, sizeof(fx));
    (void)snprintf(fx.dir, sizeof(fx.dir), "/tmp/execgw-test-XXXXXX");
    CHECK(mkdtemp(fx.dir) != NULL);
    (void)snprintf(who.account[0], sizeof(who.account[0]), "main");
    (void)snprintf(who.venue[0], sizeof(who.venue[0]), "binance");
    journal_init(&fx.j, &who, "test", hash, 7, 0, 0);
    segment_add(0);
}

static void
world_close(void)
{
    char path[128];
    for (unsigned i = 0; i < FILES; i++) {
        file_name(path, sizeof(path), i);
        (void)unlink(path);
        if (fx.map[i] != NULL)
            (void)munmap(fx.map[i], SEGMENT);
    }
    CHECK_EQ(rmdir(fx.dir), 0);
}

static void
note(const char *text)
{
    struct journal_note n = { .text = "" };
    (void)snprintf(n.text, sizeof(n.text), "%s", text);
    CHECK(journal_append(&fx.j, JOURNAL_NOTE, &n, sizeof(n), now()) != 0);
}

/* Run the program over the folder; standard output and error land in `out`. */
static int
cli(const char *options)
{
    char line[1024];
    const char *bin = getenv("EXECGW_BIN");

    if (bin == NULL)
        SKIP("EXECGW_BIN is not set\n");
    (void)snprintf(line, sizeof(line), "'%s/execgw-cli' journal %s %s 2>&1", bin, fx.dir, options);
    FILE *f = popen(line, "r"); /* NOLINT: the words are the test's own */
    CHECK(f != NULL);
    size_t n = fread(out, 1, sizeof(out) - 1, f);
    out[n] = '\0';
    int status = pclose(f);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static size_t
lines(void)
{
    size_t n = 0;
    for (const char *p = out; *p != '\0'; p++)
        n += *p == '\n';
    return n;
}

#define HAS(text)                                                  \
    do {                                                           \
        if (strstr(out, (text)) == NULL)                           \
            print_error("expected \"%s\" in:\n%s\n", (text), out); \
        CHECK(strstr(out, (text)) != NULL);                        \
    } while (0)

TEST(every_record_is_a_line_or_a_json_object)
{
    world_open();
    note("first words");
    struct journal_control start = { .kind = CONTROL_START, .client = CLIENT_NONE, .value = 7 };
    CHECK(journal_append(&fx.j, JOURNAL_CONTROL, &start, sizeof(start), now()) != 0);
    note("last words");
    CHECK_EQ(cli(""), 0);
    CHECK_EQ(lines(), 3);
    HAS("first words");
    HAS("last words");
    CHECK_EQ(cli("--json"), 0);
    CHECK_EQ(lines(), 3);
    char *save = NULL;
    int64_t seq = 0;
    for (char *l = strtok_r(out, "\n", &save); l != NULL; l = strtok_r(NULL, "\n", &save)) {
        json_t *j = json_loads(l, 0, NULL);
        CHECK(j != NULL);
        CHECK_EQ(json_integer_value(json_object_get(j, "seq")), ++seq);
        json_decref(j);
    }
    CHECK_EQ(cli("--verify"), 0);
    CHECK_STR(out, "whole: 3 records in 1 segments, last seq 3\n");
    CHECK_EQ(cli("--verify --json"), 0);
    json_t *j = json_loads(out, 0, NULL);
    CHECK_STR(json_string_value(json_object_get(j, "verdict")), "whole");
    CHECK_EQ(json_integer_value(json_object_get(j, "records")), 3);
    json_decref(j);
    world_close();
}

TEST(records_over_several_segments_are_one_sequence_and_a_prepared_segment_is_not_there_yet)
{
    world_open();
    segment_add(1);
    CHECK_EQ(cli("--verify"), 0);
    CHECK_STR(out, "whole: 0 records in 1 segments, last seq 0\n");
    for (unsigned i = 0; fx.j.segments_taken < 1 && i < 10000; i++)
        note("filler");
    uint64_t last = fx.j.seq;
    CHECK_EQ(cli("--verify"), 0);
    char want[128];
    (void)snprintf(want, sizeof(want), "whole: %llu records in 2 segments, last seq %llu\n", (unsigned long long)last,
                   (unsigned long long)last);
    CHECK_STR(out, want);
    world_close();
}

TEST(damage_is_told_with_its_place_and_exits_1_and_a_torn_tail_does_not)
{
    world_open();
    note("one");
    size_t second = fx.j.used;
    note("two");
    size_t third = fx.j.used;
    note("three");
    fx.map[0][third + 60] ^= 1; /* the last record: its writer died in it */
    CHECK_EQ(cli("--verify"), 0);
    HAS("torn tail: 2 records");
    fx.map[0][third + 60] ^= 1;
    fx.map[0][second + 60] ^= 1; /* one with a good one behind it */
    CHECK_EQ(cli("--verify"), EXIT_FAILED);
    HAS("journal-00000001.seg");
    CHECK_EQ(cli("--verify --json"), EXIT_FAILED);
    HAS("\"verdict\":\"corrupt\"");
    CHECK_EQ(cli(""), EXIT_FAILED);
    HAS("one");
    world_close();
}

TEST(a_folder_without_a_journal_is_a_failure)
{
    world_open();
    char path[128];
    file_name(path, sizeof(path), 0);
    (void)unlink(path);
    CHECK_EQ(cli(""), EXIT_FAILED);
    HAS("holds no journal-");
    world_close();
    (void)snprintf(fx.dir, sizeof(fx.dir), "/nonexistent");
    CHECK_EQ(cli("--json"), EXIT_FAILED);
    HAS("cannot read the directory /nonexistent");
}

/* Wait until the follower has printed this. */
static void
expect_soon(int fd, const char *text)
{
    size_t n = 0;
    out[0] = '\0';
    while (strstr(out, text) == NULL && n < sizeof(out) - 1) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        CHECK_EQ(poll(&p, 1, WAIT_MS), 1);
        ssize_t got = read(fd, out + n, sizeof(out) - 1 - n);
        CHECK(got > 0);
        if (got <= 0)
            return;
        n += (size_t)got;
        out[n] = '\0';
    }
    HAS(text);
}

TEST(follow_prints_what_is_appended_over_the_end_of_a_segment_until_interrupted)
{
    const char *bin = getenv("EXECGW_BIN");
    char path[512];
    int pipe_fd[2];

    if (bin == NULL)
        SKIP("EXECGW_BIN is not set\n");
    (void)snprintf(path, sizeof(path), "%s/execgw-cli", bin);
    world_open();
    note("before");
    CHECK_EQ(pipe(pipe_fd), 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody behind */
        (void)dup2(pipe_fd[1], STDOUT_FILENO);
        (void)execl(path, path, "journal", fx.dir, "--follow", (char *)NULL);
        _exit(127);
    }
    (void)close(pipe_fd[1]);
    expect_soon(pipe_fd[0], "before");
    note("appended");
    expect_soon(pipe_fd[0], "appended");
    segment_add(1);
    for (unsigned i = 0; fx.j.segments_taken < 1 && i < 10000; i++)
        note("filler");
    note("in the second segment");
    expect_soon(pipe_fd[0], "in the second segment");
    segment_add(2);
    note("the end");
    expect_soon(pipe_fd[0], "the end");
    CHECK_EQ(kill(pid, SIGINT), 0);
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
    (void)close(pipe_fd[0]);
    world_close();
}

TEST_MAIN()
