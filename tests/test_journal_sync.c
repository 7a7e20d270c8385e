/* Syncs of the journal by policy, with a disk whose syncs end when the test says so. */
#include "engine/io/loop.h"
#include "engine/journal_sync.h"
#include "tests/test.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEGMENT 65536u
#define SYNCS   64

static struct {
    char dir[64];
    struct journal_file *files;
    struct journal journal;
    struct journal_sync sync;
    struct now now;
    struct {
        int fd;
        uint64_t token;
        bool ended;
    } begun[SYNCS];
    unsigned begun_count;
    struct loop *loop;
    void *loop_mem;
} f;

static bool
hook_fsync(void *ctx, int fd, uint64_t token)
{
    (void)ctx;
    CHECK(f.begun_count < SYNCS);
    f.begun[f.begun_count].fd = fd;
    f.begun[f.begun_count].token = token;
    f.begun[f.begun_count++].ended = false;
    return true;
}

static void
setup(enum journal_sync_policy policy)
{
    static const struct journal_identity who = { .instance = "01", .mode = JOURNAL_PAPER };
    static const uint8_t hash[32];
    struct journal_region region;
    struct fault fault = { "" };

    memset(&f, 0, sizeof(f));
    (void)snprintf(f.dir, sizeof(f.dir), "/tmp/test_journal_sync.%d", (int)getpid());
    f.now = (struct now){ { NS_PER_S }, { NS_PER_S } };
    f.files = journal_file_open(f.dir, SEGMENT, &fault);
    CHECK(f.files != NULL && journal_file_start(f.files, 1, &region, &fault));
    journal_init(&f.journal, &who, "test", hash, 1, 0, 0);
    CHECK(journal_region(&f.journal, region.base, region.bytes, f.now));
    journal_sync_init(&f.sync, &f.journal, f.files, &region, policy, 100 * NS_PER_MS,
                      &(struct journal_sync_ops){ .fsync = hook_fsync });
}

static void
teardown(void)
{
    char command[128];

    journal_file_close(f.files);
    (void)snprintf(command, sizeof(command), "rm -rf %s", f.dir);
    CHECK_EQ(system(command), 0); /* NOLINT(cert-env33-c): a folder of the test's own */
}

static uint64_t
append(void)
{
    struct journal_note note = { "a record" };
    return journal_append(&f.journal, JOURNAL_NOTE, &note, sizeof(note), f.now);
}

static void
turn(void)
{
    f.now.mono.ns += NS_PER_MS;
    journal_sync_turn(&f.sync, f.now);
}

/* The n-th sync that was begun ends. */
static bool
end_sync(unsigned n, int res)
{
    CHECK(n < f.begun_count && !f.begun[n].ended);
    f.begun[n].ended = true;
    return journal_sync_done(&f.sync, f.begun[n].token, res, f.now);
}

/* Append until the journal is in another segment; a minute at most for the toucher. */
static void
fill_segment(void)
{
    uint32_t segment = f.journal.segment_index;
    for (int i = 0; i < 60000 && f.journal.segment_index == segment; i++) {
        while (append() != 0 && f.journal.segment_index == segment) {
        }
        turn();
        if (f.journal.segment_index == segment && !journal_sync_take(&f.sync, f.now))
            (void)usleep(1000);
    }
    CHECK(f.journal.segment_index != segment);
}

TEST(one_sync_covers_all_that_was_appended_before_it_began)
{
    setup(JOURNAL_SYNC_ALWAYS);
    (void)append();
    (void)append();
    turn();
    CHECK_EQ(f.begun_count, 1);
    uint64_t late = append();
    turn();
    turn();
    CHECK_EQ(f.begun_count, 1); /* one at a time */
    CHECK_EQ(journal_sync_durable(&f.sync), 0);
    CHECK(end_sync(0, 0));
    CHECK_EQ(journal_sync_durable(&f.sync), 2);
    turn();
    CHECK_EQ(f.begun_count, 2);
    CHECK(end_sync(1, 0));
    CHECK_EQ(journal_sync_durable(&f.sync), late);
    turn();
    CHECK_EQ(f.begun_count, 2); /* nothing new: nothing to do */
    teardown();
}

TEST(with_an_interval_a_sync_begins_at_most_that_often)
{
    setup(JOURNAL_SYNC_INTERVAL);
    unsigned turns = 0;
    for (; turns < 1000; turns++) {
        (void)append();
        turn();
        if (f.begun_count > 0 && !f.begun[f.begun_count - 1].ended)
            CHECK(end_sync(f.begun_count - 1, 0));
        if (f.begun_count == 4)
            break;
    }
    CHECK(turns >= 299 && turns <= 301);
    teardown();
}

TEST(segments_left_before_their_sync_ended_are_each_synced_and_nothing_behind_them_is_durable_sooner)
{
    setup(JOURNAL_SYNC_ALWAYS);
    (void)append();
    turn();
    CHECK_EQ(f.begun_count, 1);
    int first_fd = f.begun[0].fd;
    fill_segment();
    uint64_t last_of_1 = f.journal.first_seq - 1;
    fill_segment();
    uint64_t last_of_2 = f.journal.first_seq - 1;
    turn();
    /* The sync of segment 1 is still under way; 2 and 3 have theirs. */
    CHECK_EQ(f.sync.in_use, 2);
    CHECK(f.begun_count >= 3);
    for (unsigned i = 1; i < f.begun_count; i++) {
        CHECK(f.begun[i].fd != first_fd);
        CHECK(end_sync(i, 0));
    }
    CHECK_EQ(journal_sync_durable(&f.sync), 0);
    CHECK(end_sync(0, 0)); /* of the first record only */
    CHECK_EQ(journal_sync_durable(&f.sync), 1);
    unsigned n = f.begun_count;
    turn();
    CHECK(f.begun_count > n);
    CHECK_EQ(f.begun[n].fd, first_fd);
    CHECK(end_sync(n, 0));
    CHECK(journal_sync_durable(&f.sync) >= last_of_1);
    for (unsigned rounds = 0; rounds < 4; rounds++) {
        turn();
        for (unsigned i = 0; i < f.begun_count; i++)
            if (!f.begun[i].ended)
                CHECK(end_sync(i, 0));
    }
    CHECK(journal_sync_durable(&f.sync) >= last_of_2);
    CHECK_EQ(journal_sync_durable(&f.sync), f.journal.seq);
    CHECK_EQ(f.sync.in_use, 0); /* both were given back */
    teardown();
}

TEST(a_failed_sync_is_never_tried_again_and_nothing_more_is_durable)
{
    setup(JOURNAL_SYNC_ALWAYS);
    (void)append();
    turn();
    CHECK(!end_sync(0, -EIO));
    (void)append();
    for (int i = 0; i < 10; i++)
        turn();
    CHECK_EQ(f.begun_count, 1);
    CHECK_EQ(journal_sync_durable(&f.sync), 0);
    teardown();
}

TEST(the_next_segment_is_taken_in_time_and_without_one_the_reserve_is_kept_from_orders)
{
    setup(JOURNAL_SYNC_NONE);
    size_t payload = sizeof(struct order_intent);
    while (f.journal.used <= SEGMENT / 2)
        (void)append();
    CHECK(journal_room_order(&f.journal, payload));
    struct journal before = f.journal;
    while (journal_room_order(&f.journal, payload))
        (void)append();
    size_t left = f.journal.bytes - f.journal.used;
    CHECK(left >= f.journal.reserve && left < f.journal.reserve + 2 * payload);
    CHECK(journal_room(&f.journal, payload)); /* a report still fits */
    f.journal = before;
    for (int i = 0; i < 60000 && f.journal.next_base == NULL; i++) {
        turn();
        (void)usleep(1000);
    }
    CHECK(f.journal.next_base != NULL);
    while (f.journal.segment_index == 0)
        CHECK(append() != 0); /* on and on */
    CHECK(journal_room_order(&f.journal, payload));
    teardown();
}

/* ---- with the loop: what waits for the disk ---- */

static void
loop_make(void)
{
    static const struct loop_config cfg = {
        .conn_max = 1,
        .recv_buffer_count = { 1, 1 },
        .recv_buffer_bytes = 4096,
        .send_buffer_bytes = 4096,
        .hold_messages = 8,
        .hold_bytes = 1024,
        .close_linger_ms = 50,
        .watch_max = 1,
        .bell_max = 1,
        .busy = true,
    };
    static const struct loop_events events;
    struct arena arena = { .size = loop_footprint(&cfg) };
    struct fault fault;

    f.loop_mem = aligned_alloc(4096, (arena.size + 4095) & ~(size_t)4095);
    arena.base = (uint8_t *)f.loop_mem;
    CHECK(arena.base != NULL);
    f.loop = loop_init(&cfg, &events, &arena, &fault);
    if (f.loop == NULL)
        SKIP("%s\n", fault.text);
}

static bool closed;

static void
ignore_bytes(void *ctx, uint32_t conn, const uint8_t *bytes, size_t len, mono_ns_t recv)
{
    (void)ctx, (void)conn, (void)bytes, (void)len, (void)recv;
}

static void
on_closed(void *ctx, uint32_t conn, enum loop_end end, int err)
{
    (void)ctx, (void)conn, (void)end, (void)err;
    closed = true;
}

/* As the core does it. */
static void
loop_turn(void)
{
    const struct loop_handler handler = { .on_bytes = ignore_bytes, .on_closed = on_closed };

    f.now = loop_now(f.loop);
    loop_reap(f.loop);
    (void)loop_deliver(f.loop, LOOP_ORDER, 4096, &handler);
    journal_sync_turn(&f.sync, f.now);
    (void)loop_submit(f.loop, NULL);
}

static void
send_text(const char *text, uint64_t cover_seq)
{
    uint8_t *room = loop_send_reserve(f.loop, 0, strlen(text));
    CHECK(room != NULL);
    memcpy(room, text, strlen(text));
    loop_send_commit(f.loop, 0, strlen(text), cover_seq);
}

/* What the venue has got, after up to `ms` of waiting for the first byte. */
static size_t
venue_got(int fd, char *buf, size_t room, int ms)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    for (int i = 0; i <= ms; i++) {
        loop_turn();
        if (poll(&p, 1, 1) == 1) {
            ssize_t n = recv(fd, buf, room, 0);
            return n > 0 ? (size_t)n : 0;
        }
    }
    return 0;
}

static int
attach(void)
{
    int pair[2];

    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    struct conn_handover h = { .fd = pair[0] };
    (void)loop_now(f.loop);
    loop_attach(f.loop, 0, LOOP_ORDER, &h);
    return pair[1];
}

TEST(no_byte_of_an_order_leaves_while_the_sync_of_its_record_is_held_up)
{
    char buf[64];

    setup(JOURNAL_SYNC_ALWAYS);
    loop_make();
    int venue = attach();
    send_text("order1", append());
    CHECK_EQ(venue_got(venue, buf, sizeof(buf), 100), 0);
    CHECK_EQ(f.begun_count, 1);
    send_text("order2", append());
    send_text("cancel", 0); /* of another order: past those that wait */
    CHECK_EQ(venue_got(venue, buf, sizeof(buf), 10000), 6);
    CHECK_MEM(buf, "cancel", 6);
    CHECK_EQ(venue_got(venue, buf, sizeof(buf), 50), 0);
    CHECK(end_sync(0, 0));
    loop_cover(f.loop, journal_sync_durable(&f.sync));
    CHECK_EQ(venue_got(venue, buf, sizeof(buf), 10000), 6);
    CHECK_MEM(buf, "order1", 6);
    CHECK_EQ(venue_got(venue, buf, sizeof(buf), 50), 0); /* order2 came after that sync had begun */
    CHECK_EQ(f.begun_count, 2);
    CHECK(end_sync(1, 0));
    loop_cover(f.loop, journal_sync_durable(&f.sync));
    CHECK_EQ(venue_got(venue, buf, sizeof(buf), 10000), 6);
    CHECK_MEM(buf, "order2", 6);
    send_text("cancel", 0); /* nothing waits ahead of it: at once, whatever the disk does */
    (void)append();
    CHECK_EQ(venue_got(venue, buf, sizeof(buf), 10000), 6);
    (void)close(venue);
    loop_exit(f.loop);
    free(f.loop_mem);
    teardown();
}

TEST(what_waits_for_a_disk_that_failed_is_dropped_with_its_connection)
{
    char buf[64];

    setup(JOURNAL_SYNC_ALWAYS);
    loop_make();
    int venue = attach();
    send_text("order", append());
    CHECK_EQ(venue_got(venue, buf, sizeof(buf), 10), 0);
    CHECK(!end_sync(0, -EIO));
    loop_close(f.loop, 0);
    closed = false;
    for (int i = 0; i < 10000 && !closed; i++) {
        loop_turn();
        (void)usleep(1000);
    }
    CHECK(closed);
    CHECK_EQ(recv(venue, buf, sizeof(buf), 0), 0); /* its end, and not a byte before it */
    (void)close(venue);
    loop_exit(f.loop);
    free(f.loop_mem);
    teardown();
}

TEST(what_is_urgent_is_synced_at_once_and_what_a_sync_under_way_left_out_right_after_it)
{
    setup(JOURNAL_SYNC_NONE);
    (void)append();
    turn();
    CHECK_EQ(f.begun_count, 1);
    f.journal.urgent_seq = append(); /* too late for that sync */
    turn();
    CHECK_EQ(f.begun_count, 1);
    CHECK(end_sync(0, 0));
    turn();
    CHECK_EQ(f.begun_count, 2);
    turn();
    CHECK_EQ(f.begun_count, 2);
    CHECK(end_sync(1, 0));
    CHECK_EQ(journal_sync_durable(&f.sync), f.journal.urgent_seq);
    (void)append();
    turn();
    CHECK_EQ(f.begun_count, 2); /* the rest has time */
    f.journal.urgent_seq = append();
    turn();
    CHECK_EQ(f.begun_count, 3);
    CHECK(end_sync(2, 0));
    teardown();
}

TEST_MAIN()
