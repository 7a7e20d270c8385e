/* Broadcast ring and top-of-book table: a slow reader loses and knows how much; no read is ever torn. Also run under
 * TSan (-DEXECGW_SANITIZE=thread). */
#include "execgw/broadcast.h"
#include "tests/test.h"

#include <pthread.h>
#include <sched.h>

#define CAPACITY    16
#define INSTRUMENTS 3
#define EVENTS      300000u

static struct {
    void *mem;
    size_t bytes;
    struct md_writer w;
    _Atomic bool done;
} fx;

static void
world(void)
{
    size_t bytes = (md_shm_footprint(CAPACITY, INSTRUMENTS) + 4095) & ~(size_t)4095;
    memset(&fx, 0, sizeof(fx));
    fx.bytes = bytes;
    fx.mem = aligned_alloc(4096, bytes);
    CHECK(fx.mem != NULL);
    memset(fx.mem, 0, bytes);
    md_writer_init(&fx.w, fx.mem, CAPACITY, INSTRUMENTS);
}

/* Every field follows from n, so a torn event shows. */
static struct md_event
event_of(uint64_t n)
{
    int64_t v = (int64_t)n;
    return (struct md_event){ .instrument = (uint32_t)(n % INSTRUMENTS),
                              .kind = MD_TOP,
                              .recv_ns = v,
                              .venue_seq = n * 3,
                              .top = { v + 1, v + 2, v + 3, v + 4 } };
}

static bool
event_whole(const struct md_event *e)
{
    struct md_event want = event_of((uint64_t)e->recv_ns);
    return memcmp(e, &want, sizeof(want)) == 0;
}

static struct top_of_book
top_of(uint64_t n)
{
    int64_t v = (int64_t)n;
    return (struct top_of_book){ .bid_px = v, .bid_qty = v * 2, .ask_px = v * 3, .ask_qty = v * 5, .recv_ns = v * 7 };
}

TEST(events_arrive_in_order_from_the_moment_of_joining)
{
    struct md_reader r = { .shm = NULL };
    struct md_event e;
    world();
    e = event_of(1);
    md_publish(&fx.w, &e);
    CHECK(md_reader_init(&r, fx.mem, fx.bytes));
    CHECK_EQ(md_read(&r, &e), MD_READ_NONE); /* what was before is not news */
    for (uint64_t n = 2; n <= CAPACITY; n++) {
        e = event_of(n);
        md_publish(&fx.w, &e);
    }
    for (uint64_t n = 2; n <= CAPACITY; n++) {
        CHECK_EQ(md_read(&r, &e), MD_READ_OK);
        CHECK_EQ(e.recv_ns, n);
        CHECK(event_whole(&e));
    }
    CHECK_EQ(md_read(&r, &e), MD_READ_NONE);
    CHECK_EQ(r.lost, 0);
    free(fx.mem);
}

TEST(a_reader_exactly_one_ring_behind_loses_nothing_and_one_more_loses_and_counts)
{
    for (uint64_t behind = CAPACITY; behind <= CAPACITY + 1; behind++) {
        struct md_reader r = { .shm = NULL };
        struct md_event e;
        world();
        CHECK(md_reader_init(&r, fx.mem, fx.bytes));
        for (uint64_t n = 1; n <= behind; n++) {
            e = event_of(n);
            md_publish(&fx.w, &e);
        }
        if (behind > CAPACITY)
            CHECK_EQ(md_read(&r, &e), MD_READ_LOST);
        uint64_t read = 0;
        int64_t last = 0;
        while (md_read(&r, &e) == MD_READ_OK) {
            CHECK(event_whole(&e));
            CHECK(e.recv_ns > last);
            last = e.recv_ns;
            read++;
        }
        CHECK_EQ(last, behind);
        CHECK_EQ(read + r.lost, behind);
        CHECK_EQ(r.lost > 0, behind > CAPACITY);
        free(fx.mem);
    }
}

TEST(a_reader_any_number_of_rings_behind_ends_at_the_newest_event)
{
    for (uint64_t behind = 1; behind < 10 * CAPACITY; behind++) {
        struct md_reader r = { .shm = NULL };
        struct md_event e;
        enum md_read got;
        uint64_t read = 0;
        world();
        CHECK(md_reader_init(&r, fx.mem, fx.bytes));
        for (uint64_t n = 1; n <= behind; n++) {
            e = event_of(n);
            md_publish(&fx.w, &e);
        }
        for (unsigned i = 0; i < 20 * CAPACITY && (got = md_read(&r, &e)) != MD_READ_NONE; i++)
            read += got == MD_READ_OK;
        CHECK_EQ(got, MD_READ_NONE);
        CHECK_EQ(e.recv_ns, behind);
        CHECK_EQ(read + r.lost, behind);
        free(fx.mem);
    }
}

TEST(a_table_line_that_was_never_written_is_not_there_and_one_past_the_table_neither)
{
    struct md_reader r = { .shm = NULL };
    struct top_of_book t;
    struct instrument i;
    world();
    CHECK(md_reader_init(&r, fx.mem, fx.bytes));
    CHECK(!md_read_top(&r, 0, &t));
    CHECK(!md_read_instrument(&r, 0, &i));
    struct top_of_book put = top_of(9);
    md_publish_top(&fx.w, INSTRUMENTS - 1, &put);
    CHECK(md_read_top(&r, INSTRUMENTS - 1, &t));
    CHECK_MEM(&t, &put, sizeof(t));
    CHECK(!md_read_top(&r, INSTRUMENTS, &t));
    struct instrument def = { .id = 1, .version = 2, .symbol = "X" };
    md_publish_instrument(&fx.w, &def);
    CHECK(md_read_instrument(&r, 1, &i));
    CHECK_MEM(&i, &def, sizeof(i));
    CHECK_EQ(atomic_load(&r.shm->instrument_count), 2);
    free(fx.mem);
}

TEST(a_read_that_always_meets_the_writer_gives_up)
{
    struct md_reader r = { .shm = NULL };
    struct top_of_book t;
    world();
    CHECK(md_reader_init(&r, fx.mem, fx.bytes));
    struct top_of_book put = top_of(1);
    md_publish_top(&fx.w, 0, &put);
    atomic_fetch_add(&fx.w.tob[0].seq, 1); /* a writer that died in the middle */
    CHECK(!md_read_top(&r, 0, &t));
    free(fx.mem);
}

TEST(a_head_that_is_not_what_it_says_is_refused)
{
    struct md_reader r = { .shm = NULL };
    world();
    struct md_shm good = *fx.w.shm;
    CHECK(md_reader_init(&r, fx.mem, fx.bytes));
    CHECK(!md_reader_init(&r, fx.mem, sizeof(struct md_shm) - 1));
    CHECK(!md_reader_init(&r, fx.mem, (size_t)good.total_bytes - 1));
    const struct md_shm bad[] = {
        { .magic = 1, .version = MD_SHM_VERSION, .instrument_max = INSTRUMENTS, .ring_capacity = CAPACITY },
        { .magic = MD_SHM_MAGIC,
          .version = MD_SHM_VERSION + 1,
          .instrument_max = INSTRUMENTS,
          .ring_capacity = CAPACITY },
        { .magic = MD_SHM_MAGIC,
          .version = MD_SHM_VERSION,
          .instrument_max = INSTRUMENTS + 1,
          .ring_capacity = CAPACITY },
        { .magic = MD_SHM_MAGIC,
          .version = MD_SHM_VERSION,
          .instrument_max = INSTRUMENT_MAX + 1,
          .ring_capacity = CAPACITY },
        { .magic = MD_SHM_MAGIC,
          .version = MD_SHM_VERSION,
          .instrument_max = INSTRUMENTS,
          .ring_capacity = CAPACITY * 2 },
        { .magic = MD_SHM_MAGIC,
          .version = MD_SHM_VERSION,
          .instrument_max = INSTRUMENTS,
          .ring_capacity = CAPACITY - 1 },
        { .magic = MD_SHM_MAGIC, .version = MD_SHM_VERSION, .instrument_max = INSTRUMENTS, .ring_capacity = 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct md_shm *s = fx.mem;
        s->magic = bad[i].magic;
        s->version = bad[i].version;
        s->instrument_max = bad[i].instrument_max;
        s->ring_capacity = bad[i].ring_capacity;
        CHECK(!md_reader_init(&r, fx.mem, fx.bytes));
    }
    free(fx.mem);
}

/* ---- races ---- */

static void *
event_writer(void *arg)
{
    (void)arg;
    for (uint64_t n = 1; n <= EVENTS; n++) {
        struct md_event e = event_of(n);
        md_publish(&fx.w, &e);
        if (n % 512 == 0)
            (void)sched_yield(); /* on a machine with one core, too, the reader gets in between */
    }
    atomic_store(&fx.done, true);
    return NULL;
}

TEST(a_reader_overrun_at_any_moment_gets_whole_events_in_order_and_the_sum_is_right)
{
    struct md_reader r = { .shm = NULL };
    pthread_t thread;
    uint64_t read = 0;
    int64_t last = 0;
    world();
    CHECK(md_reader_init(&r, fx.mem, fx.bytes));
    CHECK_EQ(pthread_create(&thread, NULL, event_writer, NULL), 0);
    for (;;) { /* ends when the writer has */
        struct md_event e;
        bool done = atomic_load(&fx.done);
        enum md_read got = md_read(&r, &e);
        if (got == MD_READ_OK) {
            CHECK(event_whole(&e));
            CHECK(e.recv_ns > last);
            last = e.recv_ns;
            read++;
        } else if (got == MD_READ_NONE && done) {
            break;
        }
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(last, EVENTS);
    CHECK_EQ(read + r.lost, EVENTS);
    free(fx.mem);
}

static void *
top_writer(void *arg)
{
    (void)arg;
    for (uint64_t n = 1; n <= EVENTS; n++) {
        struct top_of_book t = top_of(n);
        md_publish_top(&fx.w, 1, &t);
        if (n % 512 == 0)
            (void)sched_yield();
    }
    atomic_store(&fx.done, true);
    return NULL;
}

TEST(a_top_of_book_is_never_torn_and_never_goes_back)
{
    struct md_reader r = { .shm = NULL };
    pthread_t thread;
    int64_t last = 0;
    world();
    CHECK(md_reader_init(&r, fx.mem, fx.bytes));
    CHECK_EQ(pthread_create(&thread, NULL, top_writer, NULL), 0);
    bool done = false;
    while (!done) { /* once more after the writer's end: then the last one must be there */
        struct top_of_book t;
        done = atomic_load(&fx.done);
        if (!md_read_top(&r, 1, &t))
            continue;
        struct top_of_book want = top_of((uint64_t)t.bid_px);
        CHECK_MEM(&t, &want, sizeof(t));
        CHECK(t.bid_px >= last);
        last = t.bid_px;
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(last, EVENTS);
    free(fx.mem);
}

/* ---- ladders ---- */

#define DEEP 300

static void *
ladder_writer(void *arg)
{
    (void)arg;
    for (uint64_t n = 1; n <= EVENTS / 16; n++) {
        struct ladder_head head = { .venue_seq = n, .count = { (uint32_t)(n % DEEP), (uint32_t)(n * 7 % DEEP) } };
        struct ladder_line *to = md_ladder_begin(&fx.w, 1);
        for (unsigned s = 0; s < 2; s++)
            for (uint32_t i = 0; i < head.count[s]; i++) {
                struct level v = { (px_t)n, (qty_t)(n + i) };
                md_ladder_level(&fx.w, to, (enum side)s, i, &v);
            }
        md_ladder_end(&fx.w, to, &head);
        if (n % 64 == 0)
            (void)sched_yield();
    }
    atomic_store(&fx.done, true);
    return NULL;
}

TEST(a_deep_ladder_is_never_torn_and_is_read_as_far_as_there_is_room)
{
    static struct level side[2][DEEP];
    struct md_reader r = { .shm = NULL };
    pthread_t thread;
    uint64_t last = 0;
    uint32_t room = DEEP;

    memset(&fx, 0, sizeof(fx));
    fx.bytes = (md_shm_footprint_deep(CAPACITY, INSTRUMENTS, DEEP) + 4095) & ~(size_t)4095;
    fx.mem = aligned_alloc(4096, fx.bytes);
    CHECK(fx.mem != NULL);
    memset(fx.mem, 0, fx.bytes);
    md_writer_init_deep(&fx.w, fx.mem, CAPACITY, INSTRUMENTS, DEEP);
    CHECK(md_reader_init(&r, fx.mem, fx.bytes));
    CHECK_EQ(pthread_create(&thread, NULL, ladder_writer, NULL), 0);
    bool done = false;
    while (!done) {
        struct ladder_head head;
        done = atomic_load(&fx.done);
        if (!md_read_levels(&r, 1, &head, side[0], side[1], room))
            continue;
        CHECK(head.venue_seq >= last);
        last = head.venue_seq;
        CHECK_EQ(head.count[0], MIN((uint32_t)(last % DEEP), room));
        CHECK_EQ(head.count[1], MIN((uint32_t)(last * 7 % DEEP), room));
        for (unsigned s = 0; s < 2; s++)
            for (uint32_t i = 0; i < head.count[s]; i++)
                CHECK(side[s][i].px == (px_t)last && side[s][i].qty == (qty_t)(last + i));
        room = room == DEEP ? 7 : DEEP;
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(last, EVENTS / 16);
    CHECK(!md_read_levels(&r, 0, &(struct ladder_head){ 0 }, side[0], side[1], DEEP)); /* never written */
    CHECK(!md_read_levels(&r, INSTRUMENTS, &(struct ladder_head){ 0 }, side[0], side[1], DEEP));
    free(fx.mem);
}

TEST_MAIN()
