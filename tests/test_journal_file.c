/* Journal segments on a real file system: locking, preparing ahead, full disks, restarts. */
#include "engine/io/journal_file.h"
#include "tests/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SEGMENT 131072u

static char dir[64];

static void
clean(void)
{
    DIR *d = opendir(dir);
    const struct dirent *e;
    char path[512];
    while (d != NULL && (e = readdir(d)) != NULL) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        (void)unlink(path);
    }
    if (d != NULL)
        (void)closedir(d);
    (void)rmdir(dir);
}

static void
setup(void)
{
    (void)snprintf(dir, sizeof(dir), "/tmp/execgw-journal-%d", (int)getpid());
    clean();
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

static struct journal_region
start_good(struct journal_file *j, uint32_t index)
{
    struct fault fault = { "" };
    struct journal_region r = { .fd = -1 };
    bool ok = journal_file_start(j, index, &r, &fault);
    if (!ok)
        (void)fprintf(stderr, "fault: %s\n", fault.text);
    CHECK(ok);
    CHECK_EQ(r.index, index);
    return r;
}

/* A minute at most for what the toucher does. */
static struct journal_region
next_good(struct journal_file *j)
{
    struct journal_region r = { .fd = -1 };
    for (int i = 0; i < 60000; i++) {
        enum journal_next n = journal_file_next(j, &r);
        if (n == JOURNAL_NEXT_OK)
            return r;
        CHECK_EQ(n, JOURNAL_NEXT_NOT_READY);
        (void)usleep(1000);
    }
    CHECK(!"no next segment");
    return r;
}

/* The same after a failure: FAILED until the toucher has tried again. */
static uint32_t
next_good_index(struct journal_file *j)
{
    struct journal_region r = { .fd = -1 };
    for (int i = 0; i < 60000; i++) {
        if (journal_file_next(j, &r) == JOURNAL_NEXT_OK)
            return r.index;
        (void)usleep(1000);
    }
    _exit(20);
}

static bool
exists(const char *name, struct stat *st)
{
    char path[160];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return stat(path, st) == 0;
}

static void
write_file(const char *name, size_t zeros, const char *head)
{
    char path[160];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && ftruncate(fd, (off_t)zeros) == 0);
    CHECK(pwrite(fd, head, strlen(head), 0) == (ssize_t)strlen(head));
    (void)close(fd);
}

TEST(journal_file_gives_zeroed_segments_with_all_their_blocks)
{
    setup();
    struct journal_file *j = open_good();
    CHECK_EQ(journal_file_last(j), 0);
    struct journal_region r = start_good(j, 1);
    CHECK_EQ(r.bytes, SEGMENT);
    for (uint32_t i = 0; i < SEGMENT; i++)
        CHECK_EQ(r.base[i], 0);
    struct stat st;
    CHECK(exists("journal-00000001.seg", &st));
    CHECK_EQ(st.st_size, SEGMENT);
    CHECK((uint64_t)st.st_blocks * 512 >= SEGMENT);
    CHECK_EQ(st.st_mode & 0777, 0600);
    journal_file_close(j);
    clean();
}

TEST(journal_file_moves_on_through_prepared_segments_and_keeps_the_previous_one_mapped)
{
    setup();
    struct journal_file *j = open_good();
    struct journal_region r = start_good(j, 1);
    for (uint32_t i = 1; i <= 20; i++) {
        memset(r.base, (int)i, 10000);
        journal_file_progress(j, &r, 10000);
        struct journal_region n = next_good(j);
        CHECK_EQ(n.index, i + 1);
        CHECK_EQ(n.base[0], 0);
        CHECK_EQ(r.base[9999], (int)i); /* still there */
        CHECK_EQ(fdatasync(r.fd), 0);
        journal_file_release(j, i);
        r = n;
    }
    CHECK_EQ(journal_file_sync(j), 0);
    CHECK(!journal_file_error(j, NULL, NULL));
    journal_file_close(j);

    j = open_good();
    CHECK_EQ(journal_file_first(j), 1);
    CHECK(journal_file_last(j) >= 21);
    for (uint32_t i = 1; i <= 20; i++) {
        struct fault fault;
        CHECK(journal_file_map(j, i, &r, &fault));
        CHECK_EQ(r.bytes, SEGMENT);
        CHECK_EQ(r.base[0], (int)i);
        CHECK_EQ(r.base[9999], (int)i);
        CHECK_EQ(r.base[10000], 0);
        journal_file_unmap(&r);
    }
    journal_file_close(j);
    clean();
}

TEST(journal_file_refuses_a_second_gateway_and_names_the_first)
{
    setup();
    struct journal_file *j = open_good();
    struct fault fault = { "" };
    char pid[16];
    CHECK(journal_file_open(dir, SEGMENT, &fault) == NULL);
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    CHECK(strstr(fault.text, pid) != NULL && strstr(fault.text, dir) != NULL);
    struct fault asked = { "" };
    CHECK(journal_file_in_use(dir, &asked));
    CHECK_STR(asked.text, fault.text);
    journal_file_close(j);
    CHECK(!journal_file_in_use(dir, &asked));
    CHECK(!journal_file_in_use("/no/such/folder", &asked));
    j = open_good(); /* free again */
    journal_file_close(j);
    clean();
}

TEST(journal_file_refuses_a_second_gateway_also_when_the_lock_file_was_removed)
{
    setup();
    struct journal_file *j = open_good();
    char lock[128];
    struct stat st;
    (void)snprintf(lock, sizeof(lock), "%s/lock", dir);
    CHECK_EQ(unlink(lock), 0);
    struct fault fault = { "" };
    CHECK(journal_file_in_use(dir, &fault));
    CHECK(strstr(fault.text, "in use by process (unknown)") != NULL && strstr(fault.text, dir) != NULL);
    CHECK(journal_file_open(dir, SEGMENT, &fault) == NULL);
    CHECK(strstr(fault.text, "in use by process (unknown)") != NULL);
    CHECK_EQ(lstat(lock, &st), -1); /* and has made nothing */
    journal_file_close(j);
    CHECK(!journal_file_in_use(dir, &fault));
    j = open_good();
    CHECK_EQ(lstat(lock, &st), 0);
    journal_file_close(j);
    clean();
}

TEST(journal_file_of_a_killed_gateway_can_be_opened_again)
{
    setup();
    int ready[2];
    char c;
    CHECK(pipe(ready) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct fault fault;
        struct journal_region r;
        struct journal_file *j = journal_file_open(dir, SEGMENT, &fault);
        if (j == NULL || !journal_file_start(j, 1, &r, &fault))
            _exit(1);
        memcpy(r.base, "record", 6);
        (void)!write(ready[1], "x", 1);
        for (;;)
            (void)pause();
    }
    CHECK_EQ(read(ready[0], &c, 1), 1);
    CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
    struct journal_file *j = open_good();
    struct journal_region r = start_good(j, 1);
    CHECK_MEM(r.base, "record", 6);
    journal_file_close(j);
    (void)close(ready[0]);
    (void)close(ready[1]);
    clean();
}

TEST(journal_file_goes_on_in_an_old_segment_and_uses_the_empty_one_behind_it)
{
    setup();
    struct journal_file *j = open_good();
    struct journal_region r = start_good(j, 1);
    memcpy(r.base, "one", 3);
    r = next_good(j);
    memcpy(r.base, "two", 3);
    r = next_good(j); /* nothing is written to it */
    journal_file_close(j);
    j = open_good();
    r = start_good(j, 2);
    CHECK_MEM(r.base, "two", 3);
    struct journal_region n = next_good(j);
    CHECK_EQ(n.index, 3);
    struct stat st;
    CHECK(!exists("journal-00000003.void-1", &st));
    journal_file_close(j);
    clean();
}

TEST(journal_file_puts_aside_what_replay_did_not_accept)
{
    setup();
    struct journal_file *j = open_good();
    struct journal_region r = start_good(j, 1);
    for (int i = 0; i < 3; i++) {
        memcpy(r.base, "torn", 4);
        r = next_good(j);
    }
    journal_file_close(j);
    for (int round = 1; round <= 2; round++) {
        struct stat st;
        char name[48];
        j = open_good();
        r = start_good(j, 1);
        (void)snprintf(name, sizeof(name), "journal-00000002.void-%d", round);
        CHECK(exists(name, &st));
        r = next_good(j);
        CHECK_EQ(r.index, 2);
        CHECK_EQ(r.base[0], 0);
        memcpy(r.base, "torn", 4);
        journal_file_close(j);
    }
    clean();
}

TEST(journal_file_removes_half_written_segments_and_refuses_gaps_and_wrong_sizes)
{
    setup();
    struct fault fault = { "" };
    struct journal_region r;
    struct stat st;
    journal_file_close(open_good());
    write_file("journal-00000007.new", 4096, "");
    journal_file_close(open_good());
    CHECK(!exists("journal-00000007.new", &st));

    write_file("journal-00000001.seg", SEGMENT, "a");
    write_file("journal-00000003.seg", SEGMENT, "c");
    CHECK(journal_file_open(dir, SEGMENT, &fault) == NULL);
    CHECK(strstr(fault.text, "only 2") != NULL);

    write_file("journal-00000002.seg", 5000, "b");
    struct journal_file *j = open_good();
    CHECK(!journal_file_map(j, 2, &r, &fault));
    CHECK(strstr(fault.text, "journal-00000002.seg") != NULL && strstr(fault.text, "5000") != NULL);
    CHECK(journal_file_map(j, 1, &r, &fault));
    journal_file_unmap(&r);
    journal_file_close(j);
    clean();
}

TEST(journal_file_gives_blocks_to_an_old_segment_with_holes)
{
    setup();
    journal_file_close(open_good());
    write_file("journal-00000001.seg", SEGMENT, "a");
    struct journal_file *j = open_good();
    (void)start_good(j, 1);
    struct stat st;
    CHECK(exists("journal-00000001.seg", &st));
    CHECK((uint64_t)st.st_blocks * 512 >= SEGMENT);
    journal_file_close(j);
    clean();
}

TEST(journal_file_says_which_directory_cannot_be_used)
{
    struct fault fault = { "" };
    CHECK(journal_file_open("/proc/nowhere/journal", SEGMENT, &fault) == NULL);
    CHECK(strstr(fault.text, "/proc/nowhere/journal") != NULL);
    char deep[400];
    memset(deep, 'd', sizeof(deep) - 1);
    deep[0] = '/';
    deep[sizeof(deep) - 1] = '\0';
    CHECK(journal_file_open(deep, SEGMENT, &fault) == NULL);
    CHECK(strstr(fault.text, "too long") != NULL);
}

/* Waits for the sticky error, then takes what had been prepared before it. 0 when all is as promised. */
static int
run_until_error(struct journal_file *j, struct journal_region r, int want)
{
    struct fault fault = { "" };
    enum journal_next n = JOURNAL_NEXT_NOT_READY;
    int err = 0;
    for (int i = 0; i < 100000 && n != JOURNAL_NEXT_FAILED; i++) {
        memset(r.base, 0x55, r.bytes); /* every page can be written: no SIGBUS */
        uint32_t before = r.index;
        n = journal_file_next(j, &r);
        if (n == JOURNAL_NEXT_OK)
            journal_file_release(j, before);
        else
            (void)usleep(1000);
    }
    if (n != JOURNAL_NEXT_FAILED || !journal_file_error(j, &err, &fault))
        return 1;
    if (err != want || strstr(fault.text, "cannot be prepared") == NULL)
        return 2;
    for (int i = 0; i < 50; i++) { /* for good */
        if (journal_file_next(j, &r) != JOURNAL_NEXT_FAILED)
            return 3;
        (void)usleep(1000);
    }
    return journal_file_sync(j) == 0 ? 0 : 4;
}

TEST(journal_file_reports_a_failed_write_once_and_for_good_and_the_region_stays_writable)
{
    setup();
    pid_t pid = fork();
    if (pid == 0) {
        struct fault fault;
        struct journal_region r;
        struct journal_file *j = journal_file_open(dir, SEGMENT, &fault);
        if (j == NULL || !journal_file_start(j, 1, &r, &fault))
            _exit(10);
        for (uint32_t i = 1; i <= 3; i++) {
            r = next_good(j);
            journal_file_release(j, i);
        }
        (void)signal(SIGXFSZ, SIG_IGN);
        struct rlimit small = { SEGMENT / 2, SEGMENT / 2 };
        if (setrlimit(RLIMIT_FSIZE, &small) != 0)
            _exit(11);
        _exit(run_until_error(j, r, EFBIG));
    }
    int status = -1;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
    struct stat st; /* nothing half-written is left */
    for (int i = 1; i < 20; i++) {
        char name[48];
        (void)snprintf(name, sizeof(name), "journal-%08d.new", i);
        CHECK(!exists(name, &st));
    }
    clean();
}

TEST(journal_file_on_a_full_disk_fails_while_preparing_and_never_by_signal)
{
    setup();
    (void)mkdir(dir, 0700);
    pid_t pid = fork();
    if (pid == 0) {
        struct fault fault;
        struct journal_region r;
        if (unshare(CLONE_NEWNS | (geteuid() == 0 ? 0 : CLONE_NEWUSER)) != 0 ||
            mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
            mount("none", dir, "tmpfs", 0, "size=600k") != 0)
            _exit(77);
        struct journal_file *j = journal_file_open(dir, SEGMENT, &fault);
        if (j == NULL || !journal_file_start(j, 1, &r, &fault))
            _exit(10);
        _exit(run_until_error(j, r, ENOSPC));
    }
    int status = -1;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        (void)fprintf(stderr, "no small file system can be mounted here: not tried\n");
    else
        CHECK_EQ(WEXITSTATUS(status), 0);
    clean();
}

/* A segment held by the writer fits no more: it waits for the oldest to be given back. */
TEST(journal_file_lets_the_writer_hold_some_segments_and_no_more)
{
    setup();
    struct journal_file *j = open_good();
    struct journal_region r = start_good(j, 1);
    struct journal_region held[JOURNAL_HELD_MAX];
    held[0] = r;
    for (uint32_t i = 1; i < JOURNAL_HELD_MAX; i++) {
        held[i] = next_good(j);
        held[i].base[100] = (uint8_t)i;
    }
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(journal_file_next(j, &r), JOURNAL_NEXT_NOT_READY);
        (void)usleep(1000);
    }
    for (uint32_t i = 1; i < JOURNAL_HELD_MAX; i++)
        CHECK_EQ(held[i].base[100], i); /* all still mapped */
    journal_file_release(j, 1);
    CHECK_EQ(next_good(j).index, JOURNAL_HELD_MAX + 1);
    CHECK_EQ(journal_file_sync(j), 0);
    journal_file_close(j);
    clean();
}

TEST(journal_file_goes_on_when_a_full_disk_has_room_again)
{
    setup();
    (void)mkdir(dir, 0700);
    pid_t pid = fork();
    if (pid == 0) {
        struct fault fault;
        struct journal_region r;
        char ballast[160];
        if (unshare(CLONE_NEWNS | (geteuid() == 0 ? 0 : CLONE_NEWUSER)) != 0 ||
            mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
            mount("none", dir, "tmpfs", 0, "size=600k") != 0)
            _exit(77);
        (void)snprintf(ballast, sizeof(ballast), "%s/ballast", dir);
        int fd = open(ballast, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || posix_fallocate(fd, 0, 300 << 10) != 0)
            _exit(12);
        struct journal_file *j = journal_file_open(dir, SEGMENT, &fault);
        if (j == NULL || !journal_file_start(j, 1, &r, &fault))
            _exit(10);
        int status = run_until_error(j, r, ENOSPC);
        if (status != 0)
            _exit(status);
        if (unlink(ballast) != 0 || close(fd) != 0)
            _exit(13);
        (void)next_good_index(j);
        _exit(journal_file_error(j, NULL, NULL) ? 14 : 0);
    }
    int status = -1;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status));
    if (WEXITSTATUS(status) != 77)
        CHECK_EQ(WEXITSTATUS(status), 0);
    clean();
}

TEST_MAIN()
