/* Client port: fairness, checks of the copied command, full report rings, and clients that lie. The session memory here
 * is what a client shares; `mine` below is the client's own honest view of it, `mem` is what a hostile one scribbles
 * on. */
#include "engine/client/client_port.h"
#include "engine/io/shared_map.h"
#include "execgw/ring.h"
#include "tests/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#define COMMANDS 8
#define REPORTS  4

struct client {
    struct shared_map map;
    struct ring_writer command;
    struct ring_reader report;
    uint64_t seq;
};

struct taken {
    struct client_command c[64];
    unsigned count;
};

static struct {
    struct client_port *port;
    _Alignas(64) uint8_t memory[1 << 16];
    struct arena arena;
} fx;

static void
port_start(uint32_t sessions)
{
    struct client_port_config cfg = { .sessions_max = sessions,
                                      .command_capacity = COMMANDS,
                                      .report_capacity = REPORTS };
    memset(&fx, 0, sizeof(fx));
    fx.arena = (struct arena){ .base = fx.memory, .size = client_port_footprint(&cfg) };
    fx.port = client_port_init(&cfg, &fx.arena);
    CHECK_EQ(fx.arena.used, fx.arena.size);
    arena_seal(&fx.arena);
}

static void
client_join(struct client *c, uint32_t slot, uint32_t client, uint8_t role)
{
    struct fault fault;
    struct client_identity id = {
        .client = client, .role = role, .generation = 1, .on_disconnect = ON_DISCONNECT_CANCEL, .name = "alpha"
    };
    memset(c, 0, sizeof(*c));
    CHECK(shared_map_session(&c->map, "test-session", session_bytes(COMMANDS, REPORTS), &fault));
    uint8_t *base = c->map.mem;
    ring_writer_init(&c->command, (struct ring_mem *)(void *)base, 0, COMMANDS, sizeof(struct command));
    ring_reader_init(&c->report, (struct ring_mem *)(void *)(base + session_report_offset(COMMANDS)), 0, REPORTS,
                     sizeof(struct report));
    client_port_attach(fx.port, slot, &id, base);
}

static void
client_leave(struct client *c)
{
    shared_map_close(&c->map);
}

static struct command
order(struct client *c)
{
    return (struct command){
        .version = MESSAGE_VERSION,
        .verb = COMMAND_NEW,
        .client = 99,
        .key = 1000 + c->seq,
        .target_client = 99,
        .side = SIDE_SELL,
        .type = ORDER_LIMIT,
        .tif = TIF_IOC,
        .px = 100,
        .qty = 5,
        .client_seq = ++c->seq,
    };
}

static void
send_order(struct client *c)
{
    struct command cmd = order(c);
    CHECK(ring_put(&c->command, &cmd));
}

static void
take(void *ctx, const struct client_command *c)
{
    struct taken *t = ctx;
    ASSERT(t->count < ARRAY_LEN(t->c));
    t->c[t->count++] = *c;
}

/* Send one command and say what the port made of it. */
static struct client_command
verdict(struct client *c, const struct command *cmd)
{
    static struct taken t;
    t.count = 0;
    CHECK(ring_put(&c->command, cmd));
    CHECK_EQ(client_port_poll(fx.port, 64, take, &t), 1);
    return t.c[0];
}

TEST(what_is_taken_next_is_told_before_and_stays_where_it_is)
{
    struct client a;
    struct client b;
    struct client_hint h = { .client = 12 };
    struct taken t = { .count = 0 };

    port_start(64);
    client_join(&a, 3, 7, ROLE_STRATEGY);
    client_join(&b, 40, 8, ROLE_STRATEGY);
    CHECK(!client_port_ahead(fx.port, &h));
    CHECK_EQ(h.client, 12); /* not written */
    struct command cmd = order(&b);
    cmd.account = 5;
    cmd.instrument = 0xfffffff0;
    cmd.px = INT64_MIN;
    cmd.qty = -3;
    CHECK(ring_put(&b.command, &cmd));
    send_order(&b);
    CHECK(client_port_ahead(fx.port, &h));
    CHECK(client_port_ahead(fx.port, &h));
    CHECK(h.client == 8 && h.account == 5 && h.instrument == 0xfffffff0 && h.verb == COMMAND_NEW);
    CHECK(h.side == SIDE_SELL && h.px == INT64_MIN && h.qty == -3);
    CHECK_EQ(client_port_poll(fx.port, 1, take, &t), 1);
    CHECK(t.c[0].looked_at && t.c[0].cmd.px == INT64_MIN);
    CHECK_EQ(client_port_poll(fx.port, 1, take, &t), 1);
    CHECK(!t.c[1].looked_at); /* nobody asked for this one */
    CHECK(!client_port_ahead(fx.port, &h));

    send_order(&b);
    send_order(&a); /* the turn is a's */
    CHECK(client_port_ahead(fx.port, &h) && h.client == 7);
    CHECK_EQ(client_port_poll(fx.port, 2, take, &t), 2);
    CHECK(t.c[2].slot == 3 && t.c[2].looked_at);
    CHECK(t.c[3].slot == 40 && !t.c[3].looked_at);
    client_leave(&a);
    client_leave(&b);
}

TEST(a_broken_index_is_nothing_to_look_ahead_to)
{
    struct client c;
    struct client_hint h;
    struct taken t = { .count = 0 };
    uint32_t slot;
    enum client_fault why;

    port_start(2);
    client_join(&c, 1, 7, ROLE_STRATEGY);
    atomic_store(&c.command.mem->tail, COMMANDS + 1);
    CHECK(!client_port_ahead(fx.port, &h));
    CHECK_EQ(client_port_poll(fx.port, 1, take, &t), 0);
    CHECK(client_port_take_fault(fx.port, &slot, &why) && slot == 1 && why == CLIENT_FAULT_COMMAND_INDEX);
    CHECK(!client_port_ahead(fx.port, &h));
    client_leave(&c);
}

TEST(a_clean_command_arrives_whole_with_the_admitted_identity)
{
    struct client c;
    port_start(2);
    client_join(&c, 1, 7, ROLE_STRATEGY);
    struct command cmd = order(&c);
    cmd.flags = COMMAND_FLAGS_ALL;
    cmd.text[3] = 1;
    cmd.pad = 1;
    cmd.trigger_px = INT64_MIN;
    struct client_command got = verdict(&c, &cmd);
    CHECK_EQ(got.deny, DENY_NONE);
    CHECK_EQ(got.slot, 1);
    CHECK_EQ(got.role, ROLE_STRATEGY);
    cmd.client = 7;
    cmd.target_client = 7;
    memset(cmd.text, 0, sizeof(cmd.text));
    cmd.pad = 0;
    CHECK_MEM(&got.cmd, &cmd, sizeof(cmd));
    client_leave(&c);
}

TEST(a_strategy_says_its_parents_total_and_no_words)
{
    struct client c;
    port_start(2);
    client_join(&c, 1, 7, ROLE_STRATEGY);
    struct command cmd = order(&c);
    memset(cmd.text, 'x', sizeof(cmd.text));
    cmd.parent_key = 3;
    cmd.parent_qty = 1500;
    struct client_command got = verdict(&c, &cmd);
    CHECK_EQ(got.deny, DENY_NONE);
    CHECK(got.cmd.parent_key == 3 && got.cmd.parent_qty == 1500);
    for (size_t i = sizeof(cmd.parent_qty); i < sizeof(cmd.text); i++)
        CHECK_EQ(got.cmd.text[i], 0);
    cmd.parent_key = 0;
    cmd.client_seq = ++c.seq;
    CHECK_EQ(verdict(&c, &cmd).cmd.parent_qty, 0);
    client_leave(&c);
}

TEST(every_enum_is_taken_at_its_last_value_and_denied_one_past_it)
{
    static const struct {
        size_t offset;
        uint8_t last;
        enum deny_reason past;
    } field[] = {
        { offsetof(struct command, verb), COMMAND_QUERY_POSITIONS, DENY_NONE }, /* past it: operator verbs, below */
        { offsetof(struct command, flags), COMMAND_FLAGS_ALL, DENY_INVALID_ORDER },
        { offsetof(struct command, side), SIDE_SELL, DENY_INVALID_ORDER },
        { offsetof(struct command, type), ORDER_STOP_LIMIT, DENY_INVALID_ORDER },
        { offsetof(struct command, tif), TIF_COUNT - 1, DENY_INVALID_ORDER },
        { offsetof(struct command, position_side), POSITION_SHORT, DENY_INVALID_ORDER },
        { offsetof(struct command, margin_mode), MARGIN_ISOLATED, DENY_INVALID_ORDER },
    };
    struct client c;
    port_start(1);
    client_join(&c, 0, 0, ROLE_STRATEGY);
    for (size_t i = 0; i < ARRAY_LEN(field); i++) {
        struct command cmd = order(&c);
        ((uint8_t *)&cmd)[field[i].offset] = field[i].last;
        CHECK_EQ(verdict(&c, &cmd).deny, DENY_NONE);
        if (field[i].past == DENY_NONE)
            continue;
        cmd = order(&c);
        ((uint8_t *)&cmd)[field[i].offset] = (uint8_t)(field[i].last + 1);
        struct client_command got = verdict(&c, &cmd);
        CHECK_EQ(got.deny, field[i].past);
        CHECK_EQ(got.cmd.key, cmd.key);
        CHECK_EQ(got.cmd.flags, 0);
        CHECK_EQ(got.cmd.tif, 0);
        CHECK_EQ(got.cmd.type, 0);
    }
    client_leave(&c);
}

TEST(unknown_versions_and_verbs_are_malformed_and_the_verb_is_blanked)
{
    struct client c;
    port_start(1);
    client_join(&c, 0, 0, ROLE_OPERATOR);
    for (unsigned v = 0; v <= 2; v++) {
        struct command cmd = order(&c);
        cmd.version = (uint16_t)v;
        CHECK_EQ(verdict(&c, &cmd).deny, v == MESSAGE_VERSION ? DENY_NONE : DENY_MALFORMED);
    }
    const uint8_t verbs[] = { COMMAND_NONE, COMMAND_VERB_COUNT, 255 };
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        struct command cmd = order(&c);
        cmd.verb = verbs[i];
        struct client_command got = verdict(&c, &cmd);
        CHECK_EQ(got.deny, DENY_MALFORMED);
        CHECK_EQ(got.cmd.verb, COMMAND_NONE);
    }
    struct command cmd = order(&c);
    cmd.verb = COMMAND_VERB_COUNT - 1;
    CHECK_EQ(verdict(&c, &cmd).deny, DENY_NONE);
    client_leave(&c);
}

TEST(operator_verbs_need_the_operator_role_and_only_operators_name_others)
{
    struct client s;
    struct client o;
    port_start(2);
    client_join(&s, 0, 3, ROLE_STRATEGY);
    client_join(&o, 1, CLIENT_OPERATOR, ROLE_OPERATOR);
    const uint8_t verbs[] = { COMMAND_HALT, COMMAND_RESUME };
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        struct command cmd = order(&s);
        cmd.verb = verbs[i];
        CHECK_EQ(verdict(&s, &cmd).deny, DENY_NOT_PERMITTED);
        cmd.client_seq = ++o.seq;
        CHECK_EQ(verdict(&o, &cmd).deny, DENY_NONE);
    }
    struct command cmd = order(&s);
    cmd.verb = COMMAND_CANCEL;
    cmd.target_client = 5;
    CHECK_EQ(verdict(&s, &cmd).cmd.target_client, 3);
    cmd.client_seq = ++o.seq;
    struct client_command got = verdict(&o, &cmd);
    CHECK_EQ(got.cmd.target_client, 5);
    CHECK_EQ(got.cmd.client, CLIENT_OPERATOR);
    client_leave(&s);
    client_leave(&o);
}

TEST(a_client_seq_must_increase_even_past_denied_commands)
{
    struct client c;
    port_start(1);
    client_join(&c, 0, 0, ROLE_STRATEGY);
    struct command cmd = order(&c);
    cmd.client_seq = 0;
    CHECK_EQ(verdict(&c, &cmd).deny, DENY_REPLAYED_COMMAND);
    cmd.client_seq = 10;
    CHECK_EQ(verdict(&c, &cmd).deny, DENY_NONE);
    CHECK_EQ(verdict(&c, &cmd).deny, DENY_REPLAYED_COMMAND);
    cmd.client_seq = 9;
    CHECK_EQ(verdict(&c, &cmd).deny, DENY_REPLAYED_COMMAND);
    cmd.client_seq = 11;
    cmd.side = 2;
    CHECK_EQ(verdict(&c, &cmd).deny, DENY_INVALID_ORDER);
    cmd.side = SIDE_BUY;
    CHECK_EQ(verdict(&c, &cmd).deny, DENY_REPLAYED_COMMAND);
    cmd.client_seq = UINT64_MAX;
    CHECK_EQ(verdict(&c, &cmd).deny, DENY_NONE);
    client_leave(&c);
}

TEST(a_key_that_would_leave_no_room_above_it_is_not_let_through)
{
    struct client c;
    port_start(1);
    client_join(&c, 0, 0, ROLE_STRATEGY);
    struct command cmd = order(&c);
    cmd.key = INT64_MAX;
    cmd.client_seq = 1;
    CHECK_EQ(verdict(&c, &cmd).deny, DENY_NONE);
    cmd.key = (uint64_t)INT64_MAX + 1;
    cmd.client_seq = 2;
    CHECK_EQ(verdict(&c, &cmd).deny, DENY_INVALID_ORDER);
    cmd.key = UINT64_MAX;
    cmd.client_seq = 3;
    CHECK_EQ(verdict(&c, &cmd).deny, DENY_INVALID_ORDER);
    client_leave(&c);
}

TEST(a_busy_client_does_not_starve_the_others_and_the_budget_holds)
{
    struct client a;
    struct client b;
    struct client d;
    struct taken t = { .count = 0 };
    port_start(64);
    client_join(&a, 0, 0, ROLE_STRATEGY);
    client_join(&b, 30, 1, ROLE_STRATEGY);
    client_join(&d, 63, 2, ROLE_STRATEGY);
    for (unsigned i = 0; i < COMMANDS; i++)
        send_order(&a);
    send_order(&b);
    send_order(&d);
    CHECK_EQ(client_port_poll(fx.port, 3, take, &t), 3);
    CHECK_EQ(t.c[0].slot, 0);
    CHECK_EQ(t.c[1].slot, 30);
    CHECK_EQ(t.c[2].slot, 63);
    send_order(&b);
    CHECK_EQ(client_port_poll(fx.port, 1, take, &t), 1);
    CHECK_EQ(t.c[3].slot, 0);
    CHECK_EQ(client_port_poll(fx.port, 1, take, &t), 1); /* goes on behind the last one served */
    CHECK_EQ(t.c[4].slot, 30);
    CHECK_EQ(client_port_poll(fx.port, 64, take, &t), COMMANDS - 2);
    CHECK_EQ(client_port_poll(fx.port, 64, take, &t), 0);
    CHECK_EQ(client_port_poll(fx.port, 0, take, &t), 0);
    client_leave(&a);
    client_leave(&b);
    client_leave(&d);
}

/* ---- hostile ---- */

static void
expect_fault(uint32_t slot, enum client_fault why)
{
    uint32_t got;
    enum client_fault fault;
    CHECK(client_port_take_fault(fx.port, &got, &fault));
    CHECK_EQ(got, slot);
    CHECK_EQ(fault, why);
    CHECK(!client_port_take_fault(fx.port, &got, &fault)); /* told once */
}

TEST(an_index_one_past_full_ends_that_client_only)
{
    struct client bad;
    struct client good;
    struct taken t = { .count = 0 };
    port_start(2);
    client_join(&bad, 0, 0, ROLE_STRATEGY);
    client_join(&good, 1, 1, ROLE_STRATEGY);
    atomic_store(&bad.command.mem->tail, COMMANDS + 1);
    send_order(&good);
    CHECK_EQ(client_port_poll(fx.port, 64, take, &t), 1);
    CHECK_EQ(t.c[0].slot, 1);
    expect_fault(0, CLIENT_FAULT_COMMAND_INDEX);
    CHECK_EQ(client_port_counters(fx.port)->faults, 1);

    struct report r = { .kind = REPORT_NEW };
    CHECK_EQ(client_port_report(fx.port, 0, &r), CLIENT_REPORT_GONE);
    CHECK_EQ(client_port_report(fx.port, 1, &r), CLIENT_REPORT_OK);
    atomic_store(&bad.command.mem->tail, 1); /* repentance changes nothing */
    CHECK_EQ(client_port_poll(fx.port, 64, take, &t), 0);
    CHECK_EQ(client_port_detach(fx.port, 0), ON_DISCONNECT_CANCEL);
    client_leave(&bad);
    client_leave(&good);
}

TEST(an_index_that_is_exactly_full_is_fine_and_one_that_jumps_back_is_not)
{
    struct client c;
    struct taken t = { .count = 0 };
    port_start(1);
    client_join(&c, 0, 0, ROLE_STRATEGY);
    for (unsigned i = 0; i < COMMANDS; i++)
        send_order(&c);
    CHECK_EQ(client_port_poll(fx.port, 64, take, &t), COMMANDS);
    send_order(&c);
    CHECK_EQ(client_port_poll(fx.port, 64, take, &t), 1);
    atomic_store(&c.command.mem->tail, COMMANDS);
    CHECK_EQ(client_port_poll(fx.port, 64, take, &t), 0);
    expect_fault(0, CLIENT_FAULT_COMMAND_INDEX);
    client_leave(&c);
}

TEST(a_report_index_ahead_of_us_or_jumping_back_ends_the_client)
{
    struct client c;
    struct report r = { .kind = REPORT_NEW };
    port_start(1);
    client_join(&c, 0, 0, ROLE_STRATEGY);
    for (unsigned i = 0; i < REPORTS; i++)
        CHECK_EQ(client_port_report(fx.port, 0, &r), CLIENT_REPORT_OK);
    atomic_store(&c.report.mem->head, REPORTS + 1);
    CHECK_EQ(client_port_room(fx.port, 0), 0);
    CHECK_EQ(client_port_report(fx.port, 0, &r), CLIENT_REPORT_GONE);
    expect_fault(0, CLIENT_FAULT_REPORT_INDEX);
    (void)client_port_detach(fx.port, 0);
    client_leave(&c);

    client_join(&c, 0, 0, ROLE_STRATEGY);
    for (unsigned i = 0; i < REPORTS; i++)
        CHECK_EQ(client_port_report(fx.port, 0, &r), CLIENT_REPORT_OK);
    atomic_store(&c.report.mem->head, 2);
    for (unsigned i = 0; i < 2; i++)
        CHECK_EQ(client_port_report(fx.port, 0, &r), CLIENT_REPORT_OK);
    atomic_store(&c.report.mem->head, 1);
    CHECK_EQ(client_port_report(fx.port, 0, &r), CLIENT_REPORT_GONE);
    expect_fault(0, CLIENT_FAULT_REPORT_INDEX);
    client_leave(&c);
}

static _Atomic bool flip_stop;

/* Flips one byte of the first slot between a value that is allowed and one that is not. */
static void *
flipper(void *arg)
{
    struct client *c = arg;
    _Atomic uint8_t *side = (_Atomic uint8_t *)(c->command.mem->slot + offsetof(struct command, side));
    while (!atomic_load_explicit(&flip_stop, memory_order_relaxed)) {
        atomic_store_explicit(side, 200, memory_order_relaxed);
        atomic_store_explicit(side, SIDE_BUY, memory_order_relaxed);
    }
    return NULL;
}

TEST(a_command_changed_while_it_is_checked_is_judged_by_the_bytes_that_were_copied)
{
    struct client c;
    struct taken t = { .count = 0 };
    pthread_t thread;
    unsigned denied = 0;
    port_start(1);
    client_join(&c, 0, 0, ROLE_STRATEGY);
    atomic_store(&flip_stop, false);
    CHECK_EQ(pthread_create(&thread, NULL, flipper, &c), 0);
    for (uint64_t i = 0; i < 20000; i++) {
        struct command cmd = order(&c);
        t.count = 0;
        void *slot = ring_claim(&c.command);
        CHECK(slot != NULL);
        memcpy(slot, &cmd, offsetof(struct command, side)); /* the flipped byte is the flipper's alone */
        memcpy((uint8_t *)slot + offsetof(struct command, type), &cmd.type,
               sizeof(cmd) - offsetof(struct command, type));
        ring_commit(&c.command);
        CHECK_EQ(client_port_poll(fx.port, 1, take, &t), 1);
        if (t.c[0].deny == DENY_NONE)
            CHECK(t.c[0].cmd.side <= SIDE_SELL);
        else
            CHECK_EQ(t.c[0].deny, DENY_INVALID_ORDER);
        CHECK(t.c[0].cmd.side <= SIDE_SELL);
        denied += t.c[0].deny != DENY_NONE;
    }
    atomic_store(&flip_stop, true);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(client_port_counters(fx.port)->commands_denied, denied);
    client_leave(&c);
}

TEST(a_client_can_neither_resize_its_memory_nor_unseal_it)
{
    struct client c;
    port_start(1);
    client_join(&c, 0, 0, ROLE_STRATEGY);
    CHECK_EQ(ftruncate(c.map.fd, 0), -1);
    CHECK_EQ(errno, EPERM);
    CHECK_EQ(ftruncate(c.map.fd, (off_t)c.map.bytes * 2), -1);
    CHECK_EQ(errno, EPERM);
    CHECK_EQ(fcntl(c.map.fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    CHECK_EQ(errno, EPERM);
    client_leave(&c);
}

/* ---- reports ---- */

TEST(a_full_report_ring_skips_counts_and_tells_before_it_goes_on)
{
    struct client c;
    struct report r = { .kind = REPORT_FILL };
    struct report got;
    port_start(1);
    client_join(&c, 0, 0, ROLE_STRATEGY);
    for (unsigned i = 1; i <= REPORTS; i++) {
        CHECK_EQ(client_port_room(fx.port, 0), REPORTS - i + 1);
        r.seq = i;
        CHECK_EQ(client_port_report(fx.port, 0, &r), CLIENT_REPORT_OK);
    }
    CHECK_EQ(client_port_room(fx.port, 0), 0);
    for (unsigned i = 5; i <= 7; i++) {
        r.seq = i;
        CHECK_EQ(client_port_report(fx.port, 0, &r), CLIENT_REPORT_BEHIND);
    }
    (void)client_port_doorbells(fx.port); /* still no room */
    CHECK(ring_get(&c.report, &got));
    CHECK_EQ(got.seq, 1);
    CHECK_EQ(got.version, MESSAGE_VERSION);
    r.seq = 8; /* room for one: the notice takes it, 8 is skipped too */
    CHECK_EQ(client_port_report(fx.port, 0, &r), CLIENT_REPORT_BEHIND);
    for (unsigned i = 2; i <= REPORTS; i++) {
        CHECK(ring_get(&c.report, &got));
        CHECK_EQ(got.seq, i);
    }
    CHECK(ring_get(&c.report, &got));
    CHECK_EQ(got.kind, REPORT_BEHIND);
    CHECK_EQ(got.seq, 7);
    CHECK_EQ(got.qty, 3);
    CHECK(!ring_get(&c.report, &got));
    r.seq = 9;
    CHECK_EQ(client_port_report(fx.port, 0, &r), CLIENT_REPORT_OK);
    CHECK(ring_get(&c.report, &got));
    CHECK_EQ(got.kind, REPORT_BEHIND);
    CHECK_EQ(got.seq, 8);
    CHECK_EQ(got.qty, 1);
    CHECK(ring_get(&c.report, &got));
    CHECK_EQ(got.seq, 9);
    const struct client_port_counters *n = client_port_counters(fx.port);
    CHECK_EQ(n->behind, 2);
    CHECK_EQ(n->reports_skipped, 4);
    CHECK_EQ(n->reports, REPORTS + 3);
    client_leave(&c);
}

TEST(a_client_that_was_behind_is_told_when_it_reads_again_without_a_new_report)
{
    struct client c;
    struct report r = { .kind = REPORT_FILL };
    struct report got;
    port_start(1);
    client_join(&c, 0, 0, ROLE_STRATEGY);
    for (r.seq = 1; r.seq <= REPORTS + 1; r.seq++)
        (void)client_port_report(fx.port, 0, &r);
    for (unsigned i = 0; i < REPORTS; i++)
        CHECK(ring_get(&c.report, &got));
    CHECK(ring_reader_sleep(&c.report));
    CHECK_EQ(client_port_doorbells(fx.port), 1);
    CHECK(ring_get(&c.report, &got));
    CHECK_EQ(got.kind, REPORT_BEHIND);
    CHECK_EQ(got.seq, REPORTS + 1);
    CHECK_EQ(client_port_doorbells(fx.port), 0);
    client_leave(&c);
}

TEST(reports_of_a_client_go_to_all_its_sessions_and_to_nobody_else)
{
    struct client a;
    struct client b;
    struct client o;
    struct report r = { .kind = REPORT_NEW, .seq = 1 };
    struct report got;
    port_start(3);
    client_join(&a, 0, CLIENT_OPERATOR, ROLE_OPERATOR);
    client_join(&b, 1, CLIENT_OPERATOR, ROLE_OPERATOR);
    client_join(&o, 2, 5, ROLE_STRATEGY);
    CHECK_EQ(client_port_find(fx.port, 5), 2);
    CHECK_EQ(client_port_find(fx.port, 6), -1);
    CHECK_EQ(client_port_attached(fx.port), 7);
    CHECK_EQ(client_port_publish(fx.port, CLIENT_OPERATOR, &r), 2);
    CHECK(ring_get(&a.report, &got));
    CHECK(ring_get(&b.report, &got));
    CHECK(!ring_get(&o.report, &got));
    CHECK_EQ(client_port_publish(fx.port, 6, &r), 0);
    client_leave(&a);
    client_leave(&b);
    client_leave(&o);
}

TEST(a_doorbell_is_due_only_for_a_sleeper_with_news_and_only_once)
{
    struct client c;
    struct report r = { .kind = REPORT_NEW };
    port_start(64);
    client_join(&c, 63, 0, ROLE_STRATEGY);
    CHECK_EQ(client_port_report(fx.port, 63, &r), CLIENT_REPORT_OK);
    CHECK_EQ(client_port_doorbells(fx.port), 0); /* awake */
    struct report got;
    CHECK(ring_get(&c.report, &got));
    CHECK(ring_reader_sleep(&c.report));
    CHECK_EQ(client_port_doorbells(fx.port), 0); /* nothing new */
    CHECK_EQ(client_port_report(fx.port, 63, &r), CLIENT_REPORT_OK);
    CHECK_EQ(client_port_doorbells(fx.port), UINT64_C(1) << 63);
    CHECK_EQ(client_port_report(fx.port, 63, &r), CLIENT_REPORT_OK);
    CHECK_EQ(client_port_doorbells(fx.port), 0); /* rung already, on its way */
    client_leave(&c);
}

TEST(the_core_sleeps_only_when_every_command_ring_is_empty)
{
    struct client a;
    struct client b;
    struct taken t = { .count = 0 };
    port_start(2);
    client_join(&a, 0, 0, ROLE_STRATEGY);
    client_join(&b, 1, 1, ROLE_STRATEGY);
    send_order(&b);
    CHECK(!ring_wake_needed(&b.command));
    CHECK(!client_port_sleep(fx.port));
    CHECK(!ring_wake_needed(&a.command)); /* taken back */
    CHECK_EQ(client_port_poll(fx.port, 64, take, &t), 1);
    CHECK(client_port_sleep(fx.port));
    CHECK(ring_wake_needed(&a.command));
    CHECK(ring_wake_needed(&b.command));
    client_port_awake(fx.port);
    CHECK(!ring_wake_needed(&a.command));
    atomic_store(&a.command.mem->tail, UINT64_MAX);
    CHECK(!client_port_sleep(fx.port)); /* there is a fault to take */
    expect_fault(0, CLIENT_FAULT_COMMAND_INDEX);
    CHECK(client_port_sleep(fx.port));
    client_leave(&a);
    client_leave(&b);
}

TEST(a_detached_client_leaves_nothing_and_its_slot_serves_the_next_one)
{
    struct client c;
    struct taken t = { .count = 0 };
    struct report r = { .kind = REPORT_NEW };
    port_start(1);
    client_join(&c, 0, 4, ROLE_STRATEGY);
    send_order(&c);
    send_order(&c);
    for (unsigned i = 0; i < REPORTS + 1; i++)
        (void)client_port_report(fx.port, 0, &r);
    CHECK_EQ(client_port_detach(fx.port, 0), ON_DISCONNECT_CANCEL);
    CHECK_EQ(client_port_counters(fx.port)->commands_unread, 2);
    CHECK_EQ(client_port_poll(fx.port, 64, take, &t), 0);
    CHECK_EQ(client_port_report(fx.port, 0, &r), CLIENT_REPORT_GONE);
    CHECK(client_port_identity(fx.port, 0) == NULL);
    CHECK(client_port_identity(fx.port, 64) == NULL);
    client_leave(&c);

    client_join(&c, 0, 5, ROLE_STRATEGY);
    CHECK_EQ(client_port_identity(fx.port, 0)->client, 5);
    CHECK_EQ(client_port_room(fx.port, 0), REPORTS);
    send_order(&c);
    CHECK_EQ(client_port_poll(fx.port, 64, take, &t), 1);
    CHECK_EQ(t.c[0].cmd.client, 5);
    CHECK_EQ(client_port_doorbells(fx.port), 0);
    client_leave(&c);
}

TEST_MAIN()
