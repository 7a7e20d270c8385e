/* SPSC ring: the contract in one thread, and races of two threads with indexes that begin near wrap. Also run under
 * TSan (-DEXECGW_SANITIZE=thread). */
#include "execgw/ring.h"
#include "tests/test.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CAPACITY 8
#define ITEMS    200000u
#define START    (UINT64_MAX - 3)
#define WAIT_MS  20000

struct item {
    uint64_t n;
    uint64_t payload[5];
};

struct pair {
    struct ring_mem *mem;
    struct ring_writer w;
    struct ring_reader r;
    int doorbell;
    uint64_t rung;
};

static void
open_at(struct pair *p, uint64_t start)
{
    size_t bytes = (ring_footprint(CAPACITY, sizeof(struct item)) + 63) & ~(size_t)63;
    memset(p, 0, sizeof(*p));
    p->mem = aligned_alloc(64, bytes);
    CHECK(p->mem != NULL);
    memset(p->mem, 0, bytes);
    ring_init(p->mem, start);
    ring_writer_init(&p->w, p->mem, start, CAPACITY, sizeof(struct item));
    ring_reader_init(&p->r, p->mem, start, CAPACITY, sizeof(struct item));
    p->doorbell = -1;
}

static void
shut(struct pair *p)
{
    free(p->mem);
    if (p->doorbell >= 0)
        (void)close(p->doorbell);
}

static struct item
item_of(uint64_t n)
{
    struct item i = { .n = n };
    for (size_t k = 0; k < ARRAY_LEN(i.payload); k++)
        i.payload[k] = n * (k + 3);
    return i;
}

TEST(it_holds_its_capacity_and_refuses_one_more_also_over_the_wrap_of_the_index)
{
    struct pair p;
    struct item got;
    open_at(&p, START);
    CHECK(ring_peek(&p.r) == NULL);
    for (uint64_t round = 0; round < 3; round++) {
        for (uint64_t n = 0; n < CAPACITY; n++) {
            struct item i = item_of(n);
            CHECK(ring_put(&p.w, &i));
        }
        struct item more = item_of(99);
        CHECK(!ring_put(&p.w, &more));
        CHECK(ring_claim(&p.w) == NULL);
        for (uint64_t n = 0; n < CAPACITY; n++) {
            struct item want = item_of(n);
            CHECK(ring_get(&p.r, &got));
            CHECK_MEM(&got, &want, sizeof(got));
        }
        CHECK(!ring_get(&p.r, &got));
    }
    CHECK(!p.w.broken);
    CHECK(!p.r.broken);
    shut(&p);
}

TEST(a_claimed_slot_is_seen_only_after_commit_and_a_peeked_one_is_reused_only_after_release)
{
    struct pair p;
    open_at(&p, 0);
    struct item *slot = ring_claim(&p.w);
    CHECK(slot != NULL);
    *slot = item_of(5);
    CHECK(ring_peek(&p.r) == NULL);
    ring_commit(&p.w);
    const struct item *seen = ring_peek(&p.r);
    CHECK(seen != NULL);
    CHECK_EQ(seen->n, 5);
    for (unsigned i = 1; i < CAPACITY; i++) {
        struct item it = item_of(i);
        CHECK(ring_put(&p.w, &it));
    }
    CHECK(ring_claim(&p.w) == NULL);
    ring_release(&p.r);
    CHECK(ring_claim(&p.w) == seen);
    shut(&p);
}

TEST(a_reader_breaks_on_an_index_that_is_behind_or_more_than_full_ahead)
{
    const struct {
        uint64_t tail;
        bool broken;
    } cases[] = { { START, false },
                  { START + CAPACITY, false },
                  { START + CAPACITY + 1, true },
                  { START - 1, true },
                  { START + (UINT64_C(1) << 63), true } };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct pair p;
        open_at(&p, START);
        atomic_store(&p.mem->tail, cases[i].tail);
        (void)ring_peek(&p.r);
        CHECK_EQ(p.r.broken, cases[i].broken);
        if (cases[i].broken) {
            atomic_store(&p.mem->tail, START + 1);
            CHECK(ring_peek(&p.r) == NULL); /* for good */
        }
        shut(&p);
    }
}

TEST(a_writer_breaks_on_an_index_that_is_ahead_of_it_or_jumps_back)
{
    const struct {
        uint64_t head;
        bool broken;
    } cases[] = {
        { START + 2, false }, /* where it was when last looked at: full */
        { START + 3, false }, { START + 2 + CAPACITY, false }, { START + 2 + CAPACITY + 1, true }, { START + 1, true },
        { 0, false },         { UINT64_C(1) << 40, true }
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct pair p;
        struct item it = item_of(1);
        open_at(&p, START);
        for (unsigned k = 0; k < CAPACITY; k++)
            CHECK(ring_put(&p.w, &it));
        atomic_store(&p.mem->head, START + 2);
        CHECK(ring_put(&p.w, &it));
        CHECK(ring_put(&p.w, &it));
        atomic_store(&p.mem->head, cases[i].head);
        void *slot = ring_claim(&p.w);
        CHECK_EQ(p.w.broken, cases[i].broken);
        CHECK_EQ(slot != NULL, !cases[i].broken && cases[i].head != START + 2);
        if (cases[i].broken) {
            atomic_store(&p.mem->head, START + 3);
            CHECK(ring_claim(&p.w) == NULL);
        }
        shut(&p);
    }
}

static void *
producer(void *arg)
{
    struct pair *p = arg;
    for (uint64_t n = 0; n < ITEMS; n++) {
        struct item i = item_of(n);
        while (!ring_put(&p->w, &i))
            (void)sched_yield();
    }
    return NULL;
}

TEST(every_item_crosses_between_two_threads_once_and_in_order)
{
    struct pair p;
    pthread_t thread;
    open_at(&p, START);
    CHECK_EQ(pthread_create(&thread, NULL, producer, &p), 0);
    for (uint64_t n = 0; n < ITEMS;) {
        struct item got;
        if (!ring_get(&p.r, &got)) {
            (void)sched_yield();
            continue;
        }
        struct item want = item_of(n);
        CHECK_MEM(&got, &want, sizeof(got));
        n++;
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK(!p.w.broken);
    CHECK(!p.r.broken);
    shut(&p);
}

/* Rings the bell only for a sleeper: the loss of a single wake-up leaves the reader asleep for ever. */
static void *
ringing_producer(void *arg)
{
    struct pair *p = arg;
    for (uint64_t n = 0; n < ITEMS / 10; n++) {
        struct item i = item_of(n);
        while (!ring_put(&p->w, &i))
            (void)sched_yield();
        if (ring_wake_needed(&p->w)) {
            p->rung++;
            (void)eventfd_write(p->doorbell, 1);
        }
        for (uint64_t spin = n % 64; spin > 0; spin--) /* let the reader catch up at odd moments */
            (void)atomic_load(&p->mem->head);
    }
    return NULL;
}

TEST(no_wake_up_is_lost_when_the_reader_sleeps_between_items)
{
    struct pair p;
    pthread_t thread;
    uint64_t slept = 0;
    open_at(&p, START);
    p.doorbell = eventfd(0, EFD_CLOEXEC);
    CHECK_EQ(pthread_create(&thread, NULL, ringing_producer, &p), 0);
    for (uint64_t n = 0; n < ITEMS / 10;) {
        struct item got;
        if (ring_get(&p.r, &got)) {
            CHECK_EQ(got.n, n);
            n++;
            continue;
        }
        if (!ring_reader_sleep(&p.r))
            continue;
        struct pollfd wait = { .fd = p.doorbell, .events = POLLIN };
        eventfd_t count;
        CHECK_EQ(poll(&wait, 1, WAIT_MS), 1); /* only a ring ends this sleep */
        CHECK_EQ(eventfd_read(p.doorbell, &count), 0);
        ring_reader_awake(&p.r);
        slept++;
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK(slept <= p.rung);
    shut(&p);
}

TEST_MAIN()
