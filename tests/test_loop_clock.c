/* The loop's two clocks, with the wall clock in the test's hand. */
#include "engine/io/loop.h"
#include "tests/test.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int64_t wall_step_s;
static unsigned wall_reads;

/* Stands before the C library's. */
int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int res = (int)syscall(SYS_clock_gettime, id, ts);

    if (id == CLOCK_REALTIME) {
        ts->tv_sec += wall_step_s;
        wall_reads++;
    }
    return res;
}

static struct loop *
start(void)
{
    static uint8_t memory[4u << 20] __attribute__((aligned(4096)));
    static const struct loop_events events;
    const struct loop_config cfg = { .conn_max = 2,
                                     .recv_buffer_count = { 4, 4 },
                                     .recv_buffer_bytes = 64,
                                     .send_buffer_bytes = 64,
                                     .watch_max = 1,
                                     .bell_max = 1,
                                     .busy = true };
    struct arena arena = { .base = memory, .size = sizeof(memory) };
    struct fault fault;

    CHECK(loop_footprint(&cfg) <= sizeof(memory));
    struct loop *l = loop_init(&cfg, &events, &arena, &fault);
    CHECK(l != NULL);
    return l;
}

static void
spin_until(struct loop *l, int64_t mono_ns)
{
    while (loop_now(l).mono.ns < mono_ns) {
    }
}

TEST(a_step_of_the_wall_clock_shows_within_its_age_and_the_steady_clock_knows_nothing_of_it)
{
    struct loop *l = start();
    struct now before = loop_now(l);

    wall_step_s = 3600;
    spin_until(l, before.mono.ns + 2 * LOOP_WALL_AGE_NS);
    struct now after = loop_now(l);
    CHECK(after.mono.ns - before.mono.ns < 60 * NS_PER_S);
    int64_t stepped = (after.wall.ns - before.wall.ns) - (after.mono.ns - before.mono.ns);
    CHECK(stepped > 3599 * NS_PER_S && stepped < 3601 * NS_PER_S);
    wall_step_s = 0;
    spin_until(l, after.mono.ns + 2 * LOOP_WALL_AGE_NS);
    CHECK(loop_now(l).wall.ns < after.wall.ns); /* back again as well */
    loop_exit(l);
}

TEST(turns_within_the_age_read_the_steady_clock_alone)
{
    struct loop *l = start();
    struct now first = loop_now(l);
    struct now last = first;
    unsigned reads = wall_reads;
    unsigned turns = 0;

    for (; last.mono.ns < first.mono.ns + 100 * LOOP_WALL_AGE_NS; turns++) {
        last = loop_now(l);
        CHECK(last.wall.ns != 0);
    }
    CHECK(wall_reads > reads);        /* never for good */
    CHECK(wall_reads - reads <= 101); /* once an age, however many turns */
    CHECK(turns >= wall_reads - reads);
    loop_exit(l);
}

TEST_MAIN()
