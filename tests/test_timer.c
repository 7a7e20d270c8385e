/* Timer wheel against a plain list of deadlines. */
#include "engine/io/timer.h"
#include "tests/test.h"

#define TIMERS 200u

struct fixture {
    struct timer_wheel wheel;
    struct arena arena;
    uint32_t fired[4096];
    uint32_t fired_count;
    int64_t due[TIMERS]; /* model: INT64_MAX = not armed */
    mono_ns_t now;
    bool rearm;
};

static struct fixture f;

static void
setup(int64_t now_ns)
{
    free(f.arena.base);
    f = (struct fixture){ .now = { now_ns } };
    f.arena.size = timer_footprint(TIMERS);
    f.arena.base = (uint8_t *)aligned_alloc(64, f.arena.size);
    timer_init(&f.wheel, TIMERS, &f.arena, f.now);
    for (uint32_t i = 0; i < TIMERS; i++)
        f.due[i] = INT64_MAX;
}

static void
on_fire(void *ctx, uint32_t id)
{
    struct fixture *x = (struct fixture *)ctx;
    CHECK(x->fired_count < ARRAY_LEN(x->fired));
    x->fired[x->fired_count++] = id;
    CHECK(!timer_armed(&x->wheel, id));
    CHECK(x->due[id] <= x->now.ns);
    x->due[id] = INT64_MAX;
    if (x->rearm) {
        x->due[id] = x->now.ns - 5;
        timer_arm(&x->wheel, id, (mono_ns_t){ x->due[id] });
    }
}

static void
arm(uint32_t id, int64_t at_ns)
{
    f.due[id] = at_ns;
    timer_arm(&f.wheel, id, (mono_ns_t){ at_ns });
}

static bool
expire_at(int64_t ns, uint32_t max)
{
    f.now.ns = ns;
    f.fired_count = 0;
    return timer_expire(&f.wheel, f.now, max, on_fire, &f);
}

TEST(timer_fires_at_its_moment_and_not_a_millisecond_earlier)
{
    setup(1000 * NS_PER_MS);
    arm(3, 1500 * NS_PER_MS);
    CHECK(!expire_at(1500 * NS_PER_MS - 1, 100));
    CHECK_EQ(f.fired_count, 0);
    CHECK(!expire_at(1500 * NS_PER_MS, 100));
    CHECK_EQ(f.fired_count, 1);
    CHECK_EQ(f.fired[0], 3);
    CHECK_EQ(timer_next(&f.wheel).ns, MONO_NEVER.ns);
}

TEST(timer_rounds_up_to_its_tick)
{
    setup(0);
    arm(0, 10 * NS_PER_MS + 1);
    (void)expire_at(10 * NS_PER_MS + 500, 100);
    CHECK_EQ(f.fired_count, 0);
    (void)expire_at(11 * NS_PER_MS, 100);
    CHECK_EQ(f.fired_count, 1);
}

TEST(timer_for_the_past_fires_with_the_next_call)
{
    setup(5 * NS_PER_S);
    arm(1, 1);
    CHECK_EQ(timer_next(&f.wheel).ns, 5 * NS_PER_S);
    (void)expire_at(5 * NS_PER_S, 100);
    CHECK_EQ(f.fired_count, 1);
}

TEST(timer_cancelled_never_fires_and_rearmed_fires_once)
{
    setup(0);
    arm(1, 100 * NS_PER_MS);
    arm(2, 100 * NS_PER_MS);
    arm(4, 100 * NS_PER_MS);
    timer_cancel(&f.wheel, 2);
    timer_cancel(&f.wheel, 2);
    arm(1, 90000 * NS_PER_MS);
    arm(4, INT64_MAX);
    CHECK(!timer_armed(&f.wheel, 4));
    (void)expire_at(200 * NS_PER_MS, 100);
    CHECK_EQ(f.fired_count, 0);
    (void)expire_at(90000 * NS_PER_MS, 100);
    CHECK_EQ(f.fired_count, 1);
    CHECK_EQ(f.fired[0], 1);
}

TEST(timer_that_rearms_itself_in_the_past_is_bounded_by_max)
{
    setup(0);
    arm(7, 1);
    f.rearm = true;
    CHECK(expire_at(NS_PER_S, 10));
    CHECK(f.fired_count > 0 && f.fired_count <= 10);
}

TEST(timer_far_beyond_the_wheel_is_held_at_its_last_tick)
{
    setup(0);
    arm(0, INT64_MAX - 1);
    CHECK(timer_armed(&f.wheel, 0));
    (void)expire_at(INT64_C(86400) * 365 * NS_PER_S, 100);
    CHECK_EQ(f.fired_count, 0);
    timer_cancel(&f.wheel, 0);
    CHECK_EQ(timer_next(&f.wheel).ns, MONO_NEVER.ns);
}

TEST(timer_next_is_never_later_than_the_first_timer_and_sleeping_until_it_loses_none)
{
    setup(7 * NS_PER_S);
    arm(9, 7 * NS_PER_S + INT64_C(3600) * 5 * NS_PER_S + 123);
    int steps = 0;
    while (timer_armed(&f.wheel, 9)) {
        mono_ns_t next = timer_next(&f.wheel);
        CHECK(next.ns <= f.due[9] + NS_PER_MS && next.ns >= f.now.ns);
        (void)expire_at(next.ns, 100);
        CHECK(++steps < 10);
    }
    CHECK_EQ(f.fired_count, 1);
}

static uint64_t
rng(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

static int64_t
random_span(uint64_t *s)
{
    static const int64_t scale[] = { NS_PER_MS, 70 * NS_PER_MS, 5 * NS_PER_S, 400 * NS_PER_S, 40000 * NS_PER_S };
    return (int64_t)(rng(s) % (uint64_t)scale[rng(s) % ARRAY_LEN(scale)]);
}

/* Everything due by the last whole millisecond has fired, nothing that is not due. */
static void
check_against_model(void)
{
    int64_t earliest = INT64_MAX;
    for (uint32_t i = 0; i < TIMERS; i++) {
        bool due = f.due[i] <= f.now.ns / NS_PER_MS * NS_PER_MS;
        CHECK(!due);
        CHECK_EQ(timer_armed(&f.wheel, i), f.due[i] != INT64_MAX);
        earliest = MIN(earliest, f.due[i]);
    }
    if (earliest != INT64_MAX)
        CHECK(timer_next(&f.wheel).ns <= earliest + NS_PER_MS);
}

TEST(timer_agrees_with_a_plain_list_over_random_arming_and_bounded_expiry)
{
    uint64_t s = 88172645463325252u;
    setup(12345678901);
    for (int round = 0; round < 60000; round++) {
        uint32_t id = (uint32_t)(rng(&s) % TIMERS);
        if (rng(&s) % 4 == 0) {
            timer_cancel(&f.wheel, id);
            f.due[id] = INT64_MAX;
        } else {
            arm(id, f.now.ns + random_span(&s) - NS_PER_MS * 3);
        }
        if (rng(&s) % 3 != 0)
            continue;
        int64_t to = f.now.ns + random_span(&s) / 8;
        uint32_t max = (uint32_t)(rng(&s) % 5 + 1);
        int calls = 0;
        while (expire_at(to, max)) {
            CHECK(f.fired_count <= max);
            CHECK(++calls < 4096);
            if (rng(&s) % 4 == 0) /* armed between two halves of one expiry */
                arm((uint32_t)(rng(&s) % TIMERS), f.now.ns + random_span(&s));
        }
        check_against_model();
    }
}

TEST_MAIN()
