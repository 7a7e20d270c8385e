/* Metric page: places, updates, names, sharing between processes. */
#include "monitoring/metric_page.h"
#include "tests/test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct metric_page page;

TEST(places_of_all_metrics_follow_each_other_and_fill_the_page)
{
    uint32_t ints = 0;
    uint32_t hists = 0;

    for (enum metric m = 0; m < METRIC_COUNT; m++) {
        uint32_t *next = metric_place[m].hist ? &hists : &ints;
        CHECK_EQ(metric_place[m].first, *next);
        CHECK(metric_place[m].count > 0);
        *next += metric_place[m].count;
    }
    CHECK_EQ(ints, METRIC_INT_TOTAL);
    CHECK_EQ(hists, METRIC_HIST_TOTAL);
}

TEST(a_pair_of_labels_has_a_place_of_its_own)
{
    CHECK_EQ(metric_pair(METRIC_FEED_MESSAGES, 0, MD_CHANNEL_DEPTH), 0);
    CHECK_EQ(metric_pair(METRIC_FEED_MESSAGES, 1, MD_CHANNEL_DEPTH), MD_CHANNEL_COUNT);
    CHECK_EQ(metric_pair(METRIC_FEED_MESSAGES, VENUE_MAX - 1, MD_CHANNEL_OTHER),
             metric_place[METRIC_FEED_MESSAGES].count - 1);
    CHECK_EQ(metric_place[METRIC_BOOK_STATE].count, INSTRUMENT_MAX);
    CHECK_EQ(metric_place[METRIC_ORDER_ACK].count, VENUE_MAX);
}

TEST(updates_touch_their_own_metric_only)
{
    memset(&page, 0, sizeof(page));
    metric_add(&page, METRIC_ORDER_DENIED, DENY_POSITION, 2);
    metric_add(&page, METRIC_ORDER_DENIED, DENY_POSITION, 1);
    metric_set(&page, METRIC_CLOCK_OFFSET, 2, -5);
    metric_raise(&page, METRIC_LOOP_TURN_MAX, 0, 70);
    metric_raise(&page, METRIC_LOOP_TURN_MAX, 0, 69);
    metric_observe_ns(&page, METRIC_ORDER_ACK, 3, 1000);
    CHECK_EQ(metric_get(&page, METRIC_ORDER_DENIED, DENY_POSITION), 3);
    CHECK_EQ(metric_get(&page, METRIC_CLOCK_OFFSET, 2), -5);
    CHECK_EQ(metric_get(&page, METRIC_LOOP_TURN_MAX, 0), 70);
    CHECK_EQ(hist_count(metric_hist(&page, METRIC_ORDER_ACK, 3)), 1);
    int64_t sum = 0;
    for (uint32_t i = 0; i < METRIC_INT_TOTAL; i++)
        sum += page.value[i];
    CHECK_EQ(sum, 3 - 5 + 70);
    for (uint32_t i = 0; i < METRIC_HIST_TOTAL; i++)
        CHECK_EQ(hist_count(&page.hist[i]), &page.hist[i] == metric_hist(&page, METRIC_ORDER_ACK, 3));
}

TEST(another_process_reads_the_page_and_cannot_write_it)
{
    struct fault f;
    int fd = -1;
    struct metric_page *p = metric_page_create(&fd, &f);

    CHECK(p != NULL);
    CHECK(metric_page_map(fd, &f) == NULL); /* not initialised yet */
    metric_page_init(p, "0.1.0", "", 0);
    metric_add(p, METRIC_LOOP_TURNS, 0, 41);
    pid_t pid = fork();
    if (pid == 0) {
        const struct metric_page *r = metric_page_map(fd, &f);
        _exit(r != NULL && metric_get(r, METRIC_LOOP_TURNS, 0) == 41 ? 0 : 1);
    }
    int status = -1;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    CHECK(ftruncate(fd, 4096) != 0); /* sealed */
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int rw = open(path, O_RDWR); /* whoever has the descriptor may try this */
    CHECK(mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    CHECK(rw < 0 || mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED, rw, 0) == MAP_FAILED);
    CHECK(rw < 0 || pwrite(rw, path, 8, 0) < 0);
    if (rw >= 0)
        (void)close(rw);
    p->layout++;
    CHECK(metric_page_map(fd, &f) == NULL);
    metric_page_unmap(p);
    (void)close(fd);
}

TEST(open_descriptors_are_counted)
{
    metric_page_count_fds(&page);
    int64_t before = page.open_fds;
    CHECK(before >= 3);
    int fd = open("/dev/null", O_RDONLY);
    metric_page_count_fds(&page);
    CHECK_EQ(page.open_fds, before + 1);
    (void)close(fd);
}

TEST(a_descriptor_of_something_else_is_refused)
{
    struct fault f;
    int fd = open("/dev/null", O_RDONLY);

    CHECK(metric_page_map(fd, &f) == NULL);
    CHECK(strstr(f.text, "holds no metrics of this build") != NULL);
    (void)close(fd);
}

TEST_MAIN()
