/* libexecgw end to end against the small core of core.h: real socket, real shared memory, real doorbells. */
#include "execgw/client.h"
#include "tests/core.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

static struct core core;

static struct execgw *
join(const char *name)
{
    struct fault fault;
    struct execgw *h = execgw_connect(core.path, name, &fault);
    if (h == NULL)
        print_error("%s\n", fault.text);
    CHECK(h != NULL);
    return h;
}

/* The next report, slept for. */
static struct report
next(struct execgw *h)
{
    struct report r = { .kind = REPORT_NONE };
    CHECK_EQ(execgw_wait(h, CORE_WAIT_MS), EXECGW_OK);
    CHECK_EQ(execgw_poll_report(h, &r), EXECGW_OK);
    return r;
}

static void
expect(struct execgw *h, enum report_kind kind, uint64_t key)
{
    struct report r = next(h);
    CHECK_EQ(r.kind, kind);
    CHECK_EQ(r.key, key);
}

TEST(an_order_is_submitted_reported_and_canceled)
{
    core_start(&core);
    struct execgw *h = join("beta");
    CHECK_EQ(execgw_client(h), 1);
    CHECK_EQ(execgw_gateway_pid(h), getpid());
    struct instrument ins;
    CHECK_EQ(execgw_instrument_count(h), 1);
    CHECK_EQ(execgw_instrument_by_symbol(h, "BTC/USDT", &ins), EXECGW_OK);
    CHECK_EQ(execgw_instrument_by_symbol(h, "BTCUSDT", &ins), EXECGW_OK);
    CHECK_EQ(ins.version, 3);
    CHECK_EQ(execgw_instrument_by_symbol(h, "ETHUSDT", &ins), EXECGW_NONE);
    CHECK_EQ(execgw_instrument(h, 1, &ins), EXECGW_NONE);
    CHECK_EQ(execgw_instrument(h, UINT32_MAX, &ins), EXECGW_NONE);
    struct top_of_book tob;
    CHECK_EQ(execgw_top(h, 0, &tob), EXECGW_OK);
    CHECK_EQ(tob.ask_px, 6000010);
    CHECK_EQ(execgw_top(h, 1, &tob), EXECGW_NONE);
    CHECK_EQ(execgw_top(h, 4, &tob), EXECGW_NONE);

    uint64_t key = 0;
    CHECK_EQ(execgw_instrument(h, 0, &ins), EXECGW_OK);
    CHECK_EQ(execgw_new_limit(h, &ins, SIDE_BUY, 6000000, 10, TIF_GTC, COMMAND_POST_ONLY, &key), EXECGW_OK);
    CHECK(key != 0);
    struct report r = next(h);
    CHECK_EQ(r.kind, REPORT_SENT);
    CHECK_EQ(r.key, key);
    CHECK_EQ(r.client, 1);
    CHECK(r.submit_mono_ns > 0);
    expect(h, REPORT_NEW, key);
    CHECK_EQ(execgw_cancel(h, key), EXECGW_OK);
    expect(h, REPORT_CANCELED, key);
    CHECK_EQ(execgw_cancel(h, key), EXECGW_OK);
    r = next(h);
    CHECK_EQ(r.kind, REPORT_DENIED);
    CHECK_EQ(r.deny, DENY_ORDER_DONE);
    CHECK_EQ(r.request_key, execgw_last_seq(h));

    uint64_t second = 0;
    CHECK_EQ(execgw_new_limit(h, &ins, SIDE_SELL, 6000000, 10, TIF_GTC, 0, &key), EXECGW_OK);
    CHECK_EQ(execgw_replace(h, &ins, key, 6000001, 20, &second), EXECGW_OK);
    CHECK(second > key);
    expect(h, REPORT_SENT, key);
    expect(h, REPORT_NEW, key);
    expect(h, REPORT_CANCELED, key);
    expect(h, REPORT_SENT, second);
    expect(h, REPORT_NEW, second);
    CHECK_EQ(execgw_cancel_all(h, INSTRUMENT_NONE), EXECGW_OK);
    expect(h, REPORT_CANCELED, second);
    CHECK_EQ(next(h).kind, REPORT_DONE);
    CHECK_EQ(execgw_poll_report(h, &r), EXECGW_NONE);
    CHECK_EQ(execgw_wait(h, 0), EXECGW_NONE);
    CHECK_EQ(execgw_wait(h, 1), EXECGW_NONE);

    ins.version = 0;
    CHECK_EQ(execgw_new_limit(h, &ins, SIDE_BUY, 1, 1, TIF_GTC, 0, NULL), EXECGW_INVALID);
    CHECK_EQ(execgw_replace(h, NULL, key, 1, 1, NULL), EXECGW_INVALID);
    size_t bytes = 0;
    const struct metric_page *page = execgw_metrics(h, &bytes);
    CHECK(bytes >= sizeof(*page));
    CHECK(metric_page_valid(page));
    execgw_close(h);
    core_stop(&core);
}

TEST(thousands_of_orders_cross_in_order_while_both_sides_sleep_and_wake)
{
    core_start(&core);
    struct execgw *h = join("alpha");
    struct instrument ins;
    uint64_t sent[1024];
    unsigned heard = 0;
    CHECK_EQ(execgw_instrument(h, 0, &ins), EXECGW_OK);
    for (unsigned i = 0; i < ARRAY_LEN(sent); i++) {
        CHECK_EQ(execgw_new_limit(h, &ins, SIDE_BUY, 5000000 + i, 1, TIF_GTC, 0, &sent[i]), EXECGW_OK);
        /* In flight: at most 16 orders of two reports each, so nobody falls behind. */
        while (2 * (i + 1) - heard > 32) {
            expect(h, heard % 2 == 0 ? REPORT_SENT : REPORT_NEW, sent[heard / 2]);
            heard++;
        }
        if (i % 64 == 0) { /* let the core fall asleep */
            unsigned before = atomic_load(&core.sleeps);
            while (heard < 2 * (i + 1)) {
                expect(h, heard % 2 == 0 ? REPORT_SENT : REPORT_NEW, sent[heard / 2]);
                heard++;
            }
            for (int k = 0; k < CORE_WAIT_MS && atomic_load(&core.sleeps) == before; k++)
                CHECK_EQ(execgw_wait(h, 1), EXECGW_NONE);
        }
    }
    while (heard < 2 * ARRAY_LEN(sent)) {
        expect(h, heard % 2 == 0 ? REPORT_SENT : REPORT_NEW, sent[heard / 2]);
        heard++;
    }
    execgw_close(h);
    core_stop(&core);
}

TEST(a_client_that_does_not_read_falls_behind_and_is_told)
{
    core_start(&core);
    struct execgw *h = join("alpha");
    struct instrument ins;
    struct report r;
    uint64_t key = 0;
    CHECK_EQ(execgw_instrument(h, 0, &ins), EXECGW_OK);
    for (unsigned i = 0; i < CORE_REPORTS; i++) { /* twice what the report ring holds */
        enum execgw_result s = EXECGW_FULL;
        for (int k = 0; k < CORE_WAIT_MS && s == EXECGW_FULL; k++) {
            s = execgw_new_limit(h, &ins, SIDE_BUY, 5000000, 1, TIF_GTC, 0, &key);
            if (s == EXECGW_FULL)
                (void)poll(NULL, 0, 1);
        }
        CHECK_EQ(s, EXECGW_OK);
    }
    for (int k = 0; k < CORE_WAIT_MS && atomic_load(&core.taken) < CORE_REPORTS; k++)
        (void)poll(NULL, 0, 1);
    uint64_t last = 0;
    qty_t skipped = 0;
    unsigned got = 0;
    while (last < 2 * CORE_REPORTS) {
        r = next(h);
        if (r.kind == REPORT_BEHIND) {
            skipped += r.qty;
            CHECK(r.seq >= last + (uint64_t)r.qty);
        } else {
            CHECK_EQ(r.seq, last + 1);
            got++;
        }
        last = r.seq;
    }
    CHECK(skipped > 0);
    CHECK_EQ(got + skipped, 2 * CORE_REPORTS);
    execgw_close(h);
    core_stop(&core);
}

TEST(a_full_command_ring_is_an_outcome_and_clears)
{
    core_start(&core);
    struct execgw *h = join("alpha");
    atomic_store(&core.hold, true);
    struct command beat = { .verb = COMMAND_HEARTBEAT, .instrument = INSTRUMENT_NONE };
    unsigned sent = 0;
    enum execgw_result s = EXECGW_OK;
    while (s == EXECGW_OK && sent < 2 * CORE_COMMANDS + 200) {
        s = execgw_submit(h, &beat);
        sent += s == EXECGW_OK;
    }
    CHECK_EQ(s, EXECGW_FULL);
    CHECK(sent >= CORE_COMMANDS);
    CHECK_EQ(execgw_last_seq(h), sent); /* what did not go out has no number */
    atomic_store(&core.hold, false);
    struct command ask = { .verb = COMMAND_QUERY_POSITIONS, .instrument = INSTRUMENT_NONE };
    s = EXECGW_FULL;
    for (int k = 0; k < CORE_WAIT_MS && s == EXECGW_FULL; k++) {
        s = execgw_submit(h, &ask);
        (void)poll(NULL, 0, 1);
    }
    CHECK_EQ(s, EXECGW_OK);
    CHECK_EQ(next(h).kind, REPORT_POSITION);
    struct report r = next(h);
    CHECK_EQ(r.kind, REPORT_END);
    CHECK_EQ(r.request_key, execgw_last_seq(h));
    execgw_close(h);
    core_stop(&core);
}

TEST(keys_increase_over_restarts)
{
    core_start(&core);
    struct execgw *h = join("alpha");
    uint64_t a = execgw_next_key(h);
    uint64_t b = execgw_next_key(h);
    CHECK(b > a);
    execgw_close(h);
    h = join("alpha");
    CHECK(execgw_next_key(h) > b);
    execgw_close(h);
    core_stop(&core);
}

TEST(market_data_arrives_and_a_slow_reader_knows_what_it_lost)
{
    core_start(&core);
    struct execgw *h = join("alpha");
    struct md_event ev;
    CHECK_EQ(execgw_poll_md(h, &ev), EXECGW_NONE);
    struct md_event e = { .instrument = 0, .kind = MD_TRADE };
    for (int i = 1; i <= 10; i++) {
        e.level.trade_id = i;
        md_publish(&core.md, &e);
    }
    for (int i = 1; i <= 10; i++) {
        CHECK_EQ(execgw_poll_md(h, &ev), EXECGW_OK);
        CHECK_EQ(ev.level.trade_id, i);
    }
    CHECK_EQ(execgw_poll_md(h, &ev), EXECGW_NONE);
    for (int i = 0; i < 3000; i++)
        md_publish(&core.md, &e);
    CHECK_EQ(execgw_poll_md(h, &ev), EXECGW_LOST);
    uint64_t read = 0;
    while (execgw_poll_md(h, &ev) == EXECGW_OK)
        read++;
    CHECK_EQ(read + execgw_md_lost(h), 3000);
    execgw_close(h);
    core_stop(&core);
}

/* What a strategy has that follows one book: bid and ask quantities by price. */
static void
follow(qty_t have[2][64], const struct md_event *ev)
{
    if (ev->kind == MD_LEVEL && ev->instrument == 0)
        have[ev->side][ev->level.px % 64] = ev->level.qty;
}

/* The writer's book, and a ladder of it: what feed does. */
static void
publish_book(const qty_t truth[2][64])
{
    struct ladder_head head = { .state = BOOK_LIVE, .instrument_version = 1 };
    struct ladder_line *to = md_ladder_begin(&core.md, 0);

    for (unsigned s = 0; s < 2; s++)
        for (int n = 0; n < 64; n++) {
            int px = s == SIDE_BUY ? 63 - n : n;
            struct level v = { px, truth[s][px] };
            if (v.qty != 0)
                md_ladder_level(&core.md, to, (enum side)s, head.count[s]++, &v);
        }
    md_ladder_end(&core.md, to, &head);
}

TEST(a_client_that_was_overtaken_has_books_and_trades_again)
{
    static qty_t truth[2][64];
    qty_t have[2][64] = { { 0 } };
    struct ladder_head head;
    struct level side[2][64];
    struct md_event ev;
    struct md_event e = { .instrument = 0, .kind = MD_LEVEL, .state = BOOK_LIVE };
    const struct top_of_book live = { .state = BOOK_LIVE, .instrument_version = 1, .recv_ns = 1 };
    unsigned trades = 0;

    memset(truth, 0, sizeof(truth));
    core_start(&core);
    md_publish_top(&core.md, 0, &live);
    struct execgw *h = join("alpha");
    for (int i = 0; i < 5000; i++) { /* the ring has 1024 slots: most are overwritten unread */
        e.side = (uint8_t)(i % 2);
        e.level.px = (i * 37) % 32 + (e.side == SIDE_SELL ? 32 : 0);
        e.level.qty = i % 5;
        md_publish(&core.md, &e);
        truth[e.side][e.level.px % 64] = e.level.qty;
        if (i == 4500)
            publish_book(truth);
    }
    struct md_event trade = { .instrument = 0, .kind = MD_TRADE, .level = { .px = 31, .qty = 2, .trade_id = 9 } };
    md_publish(&core.md, &trade);
    CHECK_EQ(execgw_poll_md(h, &ev), EXECGW_LOST);
    CHECK_EQ(execgw_levels(h, 0, &head, side[SIDE_BUY], side[SIDE_SELL], 64), EXECGW_OK);
    CHECK_EQ(head.state, BOOK_LIVE);
    CHECK(head.event_seq >= execgw_md_seq(h)); /* nothing lies between it and what is left in the ring */
    for (unsigned s = 0; s < 2; s++)
        for (uint32_t i = 0; i < head.count[s]; i++)
            have[s][side[s][i].px % 64] = side[s][i].qty;
    while (execgw_poll_md(h, &ev) == EXECGW_OK) {
        if (execgw_md_seq(h) > head.event_seq)
            follow(have, &ev);
        trades += ev.kind == MD_TRADE && ev.level.trade_id == 9;
    }
    CHECK_MEM(have, truth, sizeof(truth));
    CHECK_EQ(trades, 1);
    CHECK(execgw_md_lost(h) > 3000);
    struct ladder best;
    CHECK_EQ(execgw_book(h, 0, &best), EXECGW_OK); /* the same, as far as it goes */
    CHECK_EQ(best.count[SIDE_BUY], head.count[SIDE_BUY]);
    CHECK_MEM(best.level[SIDE_SELL], side[SIDE_SELL], head.count[SIDE_SELL] * sizeof(struct level));
    const struct top_of_book gap = { .state = BOOK_GAP, .instrument_version = 1, .recv_ns = 1 };
    md_publish_top(&core.md, 0, &gap);
    CHECK_EQ(execgw_levels(h, 0, &head, side[SIDE_BUY], side[SIDE_SELL], 64), EXECGW_OK);
    CHECK_EQ(head.state, BOOK_GAP); /* the table is newer than the ladder */
    CHECK_EQ(execgw_levels(h, 1, &head, side[SIDE_BUY], side[SIDE_SELL], 64), EXECGW_NONE);
    execgw_close(h);
    core_stop(&core);
}

TEST(the_end_of_the_gateway_is_noticed_by_every_call_and_what_had_arrived_can_be_read)
{
    core_start(&core);
    struct execgw *h = join("alpha");
    struct instrument ins;
    uint64_t key;
    CHECK_EQ(execgw_instrument(h, 0, &ins), EXECGW_OK);
    CHECK_EQ(execgw_new_limit(h, &ins, SIDE_BUY, 5000000, 1, TIF_IOC, 0, &key), EXECGW_OK);
    CHECK_EQ(next(h).kind, REPORT_SENT);
    CHECK_EQ(next(h).kind, REPORT_NEW);
    CHECK_EQ(execgw_wait(h, CORE_WAIT_MS), EXECGW_OK); /* the fill waits */
    core_stop(&core);
    struct command beat = { .verb = COMMAND_HEARTBEAT, .instrument = INSTRUMENT_NONE };
    enum execgw_result s = EXECGW_OK;
    for (int k = 0; k < CORE_WAIT_MS && s != EXECGW_DISCONNECTED; k++) {
        s = execgw_submit(h, &beat);
        (void)poll(NULL, 0, 1);
    }
    CHECK_EQ(s, EXECGW_DISCONNECTED);
    CHECK_EQ(next(h).kind, REPORT_FILL);
    struct report r;
    CHECK_EQ(execgw_poll_report(h, &r), EXECGW_DISCONNECTED);
    CHECK_EQ(execgw_wait(h, -1), EXECGW_DISCONNECTED);
    CHECK_EQ(execgw_sleep(h), EXECGW_DISCONNECTED);
    struct top_of_book tob;
    struct ladder book;
    struct ladder_head head;
    struct level level[2];
    struct md_event ev;
    CHECK_EQ(execgw_top(h, 0, &tob), EXECGW_DISCONNECTED); /* what stands there says LIVE for ever */
    CHECK_EQ(execgw_book(h, 0, &book), EXECGW_DISCONNECTED);
    CHECK_EQ(execgw_levels(h, 0, &head, &level[0], &level[1], 1), EXECGW_DISCONNECTED);
    CHECK_EQ(execgw_poll_md(h, &ev), EXECGW_DISCONNECTED);
    CHECK_EQ(execgw_instrument(h, 0, &ins), EXECGW_OK);
    execgw_close(h);
}

/* By one call alone, that has looked while the gateway was there. */
TEST(the_end_of_the_gateway_is_noticed_by_a_reader_of_books)
{
    for (unsigned which = 0; which < 4; which++) {
        struct top_of_book tob;
        struct ladder book;
        struct ladder_head head;
        struct level level[2];
        struct md_event ev;
        enum execgw_result r = EXECGW_OK;
        core_start(&core);
        const struct top_of_book live = { .state = BOOK_LIVE, .instrument_version = 1, .recv_ns = 1 };
        struct ladder_head empty = { .state = BOOK_LIVE, .instrument_version = 1 };
        md_publish_top(&core.md, 0, &live);
        md_ladder_end(&core.md, md_ladder_begin(&core.md, 0), &empty);
        struct execgw *h = join("alpha");
        for (int k = 0; k < CORE_WAIT_MS && r != EXECGW_DISCONNECTED; k++) {
            r = which == 0   ? execgw_top(h, 0, &tob)
                : which == 1 ? execgw_book(h, 0, &book)
                : which == 2 ? execgw_levels(h, 0, &head, &level[0], &level[1], 1)
                             : execgw_poll_md(h, &ev);
            if (k == 0) {
                CHECK_EQ(r, which == 3 ? EXECGW_NONE : EXECGW_OK);
                core_stop(&core);
            }
            (void)poll(NULL, 0, 1);
        }
        CHECK_EQ(r, EXECGW_DISCONNECTED);
        execgw_close(h);
    }
}

TEST(a_client_goes_back_to_what_was_published_before_it_came)
{
    core_start(&core);
    struct md_event e = { .instrument = 0, .kind = MD_TRADE };
    struct md_event ev;
    for (int i = 1; i <= 10; i++) {
        e.level.trade_id = i;
        md_publish(&core.md, &e);
    }
    struct execgw *h = join("alpha");
    CHECK_EQ(execgw_poll_md(h, &ev), EXECGW_NONE);
    CHECK_EQ(execgw_md_seek(h, 4), EXECGW_OK);
    for (int i = 4; i <= 10; i++) {
        CHECK_EQ(execgw_poll_md(h, &ev), EXECGW_OK);
        CHECK_EQ(ev.level.trade_id, i);
        CHECK_EQ(execgw_md_seq(h), (uint64_t)i);
    }
    CHECK_EQ(execgw_md_seek(h, 11), EXECGW_OK); /* the next one */
    CHECK_EQ(execgw_md_seek(h, 12), EXECGW_INVALID);
    CHECK_EQ(execgw_md_seek(h, 0), EXECGW_INVALID);
    CHECK_EQ(execgw_poll_md(h, &ev), EXECGW_NONE);
    for (int i = 11; i <= 10 + 1024; i++) { /* the ring has 1024 slots: 11 is the oldest left */
        e.level.trade_id = i;
        md_publish(&core.md, &e);
    }
    CHECK_EQ(execgw_md_seek(h, 10), EXECGW_LOST);
    CHECK_EQ(execgw_md_seek(h, 1), EXECGW_LOST);
    CHECK_EQ(execgw_md_lost(h), 0);
    CHECK_EQ(execgw_md_seek(h, 11), EXECGW_OK);
    CHECK_EQ(execgw_poll_md(h, &ev), EXECGW_OK);
    CHECK_EQ(ev.level.trade_id, 11);
    execgw_close(h);
    core_stop(&core);
}

TEST(a_sleeping_client_wakes_when_the_gateway_ends)
{
    core_start(&core);
    int ready[2];
    CHECK_EQ(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct execgw *h = execgw_connect(core.path, "alpha", NULL);
        (void)!write(ready[1], "r", 1);
        int rc = h != NULL && execgw_wait(h, -1) == EXECGW_DISCONNECTED ? 0 : 1;
        execgw_close(h);
        _exit(rc);
    }
    char byte;
    CHECK_EQ(read(ready[0], &byte, 1), 1);
    core_stop(&core);
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
    (void)close(ready[0]);
    (void)close(ready[1]);
}

TEST(a_killed_client_is_detached_with_its_policy)
{
    core_start(&core);
    int ready[2];
    CHECK_EQ(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct execgw *h = execgw_connect(core.path, "beta", NULL);
        (void)!write(ready[1], h != NULL ? "y" : "n", 1);
        (void)pause();
        _exit(1);
    }
    char byte;
    CHECK_EQ(read(ready[0], &byte, 1), 1);
    CHECK_EQ(byte, 'y');
    CHECK_EQ(kill(pid, SIGKILL), 0);
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    for (int k = 0; k < CORE_WAIT_MS && atomic_load(&core.detached) == 0; k++)
        (void)poll(NULL, 0, 1);
    CHECK_EQ(atomic_load(&core.detached), 1);
    CHECK_EQ(atomic_load(&core.policy), ON_DISCONNECT_NOTHING);
    (void)close(ready[0]);
    (void)close(ready[1]);
    core_stop(&core);
}

TEST(connect_says_why_it_failed)
{
    struct fault fault;
    struct execgw *h = NULL;
    struct execgw_options opt = { .path = "/nonexistent/x.sock", .strategy = "alpha" };
    CHECK_EQ(execgw_open(&opt, &h, &fault), EXECGW_NOT_RUNNING);
    CHECK(strstr(fault.text, "/nonexistent/x.sock: no gateway is running there") != NULL);
    core_start(&core);
    opt.path = core.path;
    opt.strategy = "gamma";
    CHECK_EQ(execgw_open(&opt, &h, &fault), EXECGW_REFUSED);
    CHECK(strstr(fault.text, "no strategy of that name is configured") != NULL);
    opt.strategy = NULL;
    CHECK_EQ(execgw_open(&opt, &h, &fault), EXECGW_INVALID);
    opt.strategy = "abcdefghijklmnopqrstuvwxyz012345"; /* 32 */
    CHECK_EQ(execgw_open(&opt, &h, &fault), EXECGW_INVALID);
    opt.strategy = "alpha";
    opt.role = ROLE_COUNT;
    CHECK_EQ(execgw_open(&opt, &h, &fault), EXECGW_REFUSED);
    CHECK(h == NULL);
    CHECK(execgw_connect(core.path, "gamma", NULL) == NULL);
    execgw_close(NULL);
    core_stop(&core);
}

/* A gateway that lies: each case spoils one thing of an otherwise good welcome. */
static void
liar(int listener, int spoil)
{
    struct hello h;
    struct fault fault;
    struct shared_map s;
    struct shared_map m;
    int fd = accept(listener, NULL, NULL);
    (void)recv(fd, &h, sizeof(h), 0);
    CHECK(shared_map_session(&s, "liar", spoil == 1 ? 4096 : session_bytes(8, 8), &fault));
    CHECK(shared_map_publish(&m, "liar-md", md_shm_footprint(8, 1), &fault));
    struct md_writer md;
    md_writer_init(&md, m.mem, 8, 1);
    struct welcome w = {
        .magic = ADMISSION_MAGIC,
        .version = MESSAGE_VERSION,
        .command_capacity = 8,
        .report_offset = session_report_offset(8),
        .report_capacity = 8,
        .session_bytes = session_bytes(8, 8),
        .market_bytes = m.bytes,
    };
    int raw = memfd_create("liar-raw", MFD_CLOEXEC);
    CHECK_EQ(ftruncate(raw, (off_t)w.session_bytes), 0);
    int fds[ADMISSION_FD_COUNT] = { s.fd, m.fd, m.fd, raw };
    size_t count = ADMISSION_FD_COUNT;
    switch (spoil) {
    case 2: w.command_capacity = 7; break;
    case 3: w.command_capacity = UINT64_C(1) << 40; break;
    case 4: w.report_offset += 8; break;
    case 5: w.session_bytes *= 2; break;
    case 6: w.market_bytes += 4096; break;
    case 7: md.shm->instrument_max = 2; break;
    case 8: md.shm->ring_capacity = UINT64_C(1) << 30; break;
    case 9: count = 0; break;
    case 10: w.magic ^= 1; break;
    case 11: w.version++; break;
    case 12: fds[ADMISSION_FD_SESSION] = raw; break; /* not sealed */
    case 13: count = 3; break;                       /* no doorbell */
    case 14: w.command_offset = 4096; break;
    default: break;
    }
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(fds))] = { 0 };
    struct iovec iov = { .iov_base = &w, .iov_len = spoil == 15 ? sizeof(w) - 1 : sizeof(w) };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    if (count > 0) {
        msg.msg_control = control;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
    }
    (void)sendmsg(fd, &msg, 0);
    (void)close(fd);
    (void)close(raw);
    shared_map_close(&s);
    shared_map_close(&m);
}

static int liar_listener;

static void *
liar_thread(void *arg)
{
    liar(liar_listener, *(int *)arg);
    return NULL;
}

TEST(a_gateway_that_lies_about_its_memory_is_not_believed)
{
    char path[64] = "/tmp/execgw-test-XXXXXX";
    CHECK(mkdtemp(path) != NULL);
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s/s", path);
    liar_listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    CHECK_EQ(bind(liar_listener, (struct sockaddr *)&a, sizeof(a)), 0);
    CHECK_EQ(listen(liar_listener, 1), 0);
    for (int spoil = 0; spoil <= 15; spoil++) {
        pthread_t thread;
        struct fault fault;
        CHECK_EQ(pthread_create(&thread, NULL, liar_thread, &spoil), 0);
        struct execgw *h = execgw_connect(a.sun_path, "alpha", &fault);
        CHECK_EQ(pthread_join(thread, NULL), 0);
        if ((h != NULL) != (spoil == 0))
            print_error("case %d: %s\n", spoil, fault.text);
        CHECK_EQ(h != NULL, spoil == 0);
        execgw_close(h);
    }
    (void)close(liar_listener);
    (void)unlink(a.sun_path);
    CHECK_EQ(rmdir(path), 0);
}

TEST_MAIN()
