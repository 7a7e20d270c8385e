/* The journal: what is written is read back, torn at every byte, damaged in the middle, of another mode; and a table
 * rebuilt from it equals the one that lived. */
#include "engine/oms/journal.h"
#include "engine/oms/journal_text.h"
#include "tests/oms_fixture.h"

#define SEGMENT 65536u

static _Alignas(64) uint8_t segment_memory[8][SEGMENT];

static struct journal_identity
identity(void)
{
    return (struct journal_identity){ .instance = "g1",
                                      .mode = JOURNAL_PAPER,
                                      .account_count = 1,
                                      .venue_count = 1,
                                      .account = { "main" },
                                      .venue = { "binance" } };
}

static struct now
at(int64_t ns)
{
    return (struct now){ .mono = { ns }, .wall = { INT64_C(1790000000) * NS_PER_S + ns } };
}

static void
journal_new(struct journal *j, unsigned regions)
{
    static const uint8_t hash[32] = { 1, 2, 3 };
    struct journal_identity who = identity();

    memset(segment_memory, 0, sizeof(segment_memory));
    journal_init(j, &who, "test-build", hash, 1790000000, 0, 0);
    for (unsigned i = 0; i < regions; i++)
        CHECK(journal_region(j, segment_memory[i], SEGMENT, at(0)));
}

static struct journal_note
note(unsigned i)
{
    struct journal_note n = { 0 };
    (void)snprintf(n.text, sizeof(n.text), "note %u", i);
    return n;
}

/* Read everything; returns how it ended and how many records there were. */
static enum journal_read
read_all(const struct journal_segment *s, uint32_t count, uint64_t *records, struct fault *fault)
{
    struct journal_reader r;
    struct journal_record rec;
    enum journal_read how;

    *records = 0;
    if (!journal_reader_init(&r, s, count, fault))
        return JOURNAL_READ_CORRUPT;
    while ((how = journal_reader_next(&r, &rec, fault)) == JOURNAL_READ_OK)
        (*records)++;
    return how;
}

TEST(crc32c_is_castagnoli_in_both_forms)
{
    static const uint8_t zeros[32] = { 0 };
    crc32c_fn fast = crc32c_pick();
    CHECK_EQ(crc32c_table(0, "123456789", 9), 0xe3069283u); /* RFC 3720 B.4 and the check value of the catalogue */
    CHECK_EQ(crc32c_table(0, zeros, 32), 0x8a9136aau);
    CHECK_EQ(fast(0, "123456789", 9), 0xe3069283u);
    uint8_t buf[200];
    for (unsigned i = 0; i < sizeof(buf); i++)
        buf[i] = (uint8_t)(i * 37 + 11);
    for (unsigned n = 0; n < sizeof(buf) - 8; n++) {
        CHECK_EQ(fast(7, buf + n % 8, n), crc32c_table(7, buf + n % 8, n));
        CHECK_EQ(fast(fast(0, buf, n), buf + n, 5), fast(0, buf, n + 5)); /* goes on */
    }
}

TEST(journal_reads_back_what_was_appended_over_segments)
{
    struct journal j;
    struct journal_reader r;
    struct journal_record rec;
    struct fault fault;
    journal_new(&j, 2);
    unsigned n = 0;

    for (; n < 900; n++) {
        struct journal_note x = note(n);
        CHECK_EQ(journal_append(&j, JOURNAL_NOTE, &x, sizeof(x), at(n)), n + 1);
        if (j.next_base == NULL && j.segments_taken < 3)
            CHECK(journal_region(&j, segment_memory[1 + j.segments_taken], SEGMENT, at(n)));
    }
    CHECK_EQ(j.segments_taken, 2);
    struct journal_segment s[8];
    for (unsigned i = 0; i < 8; i++)
        s[i] = (struct journal_segment){ segment_memory[i], SEGMENT, "seg" };
    CHECK(journal_reader_init(&r, s, 8, &fault)); /* unused ones at the end are spares */
    for (unsigned i = 0; i < n; i++) {
        struct journal_note x = note(i);
        CHECK_EQ(journal_reader_next(&r, &rec, &fault), JOURNAL_READ_OK);
        CHECK_EQ(rec.seq, i + 1);
        CHECK_EQ(rec.mono_ns, i);
        CHECK_EQ(rec.type, JOURNAL_NOTE);
        CHECK_EQ(rec.payload_bytes, sizeof(x));
        CHECK_MEM(rec.payload, &x, sizeof(x));
    }
    CHECK_EQ(journal_reader_next(&r, &rec, &fault), JOURNAL_READ_END);
    CHECK_EQ(journal_reader_next(&r, &rec, &fault), JOURNAL_READ_END);
}

TEST(journal_full_without_a_spare_appends_nothing_and_goes_on_with_one)
{
    struct journal j;
    struct journal_note x = note(1);
    uint64_t last = 0;
    journal_new(&j, 1);
    for (uint64_t seq; (seq = journal_append(&j, JOURNAL_NOTE, &x, sizeof(x), at(1))) != 0;)
        last = seq;
    size_t used = j.used;
    CHECK(SEGMENT - used < sizeof(struct journal_record_header) + sizeof(x)); /* not one record earlier */
    CHECK(!journal_room(&j, sizeof(x)));
    CHECK_EQ(journal_append(&j, JOURNAL_NOTE, &x, sizeof(x), at(1)), 0);
    CHECK_EQ(j.used, used);
    CHECK(journal_region(&j, segment_memory[1], SEGMENT, at(1)));
    CHECK(!journal_region(&j, segment_memory[2], SEGMENT, at(1))); /* one spare at a time */
    CHECK(journal_room(&j, sizeof(x)));
    CHECK_EQ(journal_append(&j, JOURNAL_NOTE, &x, sizeof(x), at(1)), last + 1);
    journal_fail(&j);
    CHECK(!journal_room(&j, 0));
    CHECK_EQ(journal_append(&j, JOURNAL_NOTE, &x, sizeof(x), at(1)), 0);
}

TEST(journal_cut_at_every_byte_yields_the_whole_records_before_the_cut)
{
    struct journal j;
    struct fault fault;
    uint64_t records;
    size_t end[5];
    static _Alignas(64) uint8_t cut[SEGMENT];

    journal_new(&j, 1);
    for (unsigned i = 0; i < 5; i++) {
        struct journal_note x = note(i);
        journal_append(&j, JOURNAL_NOTE, &x, sizeof(x), at(i + 1));
        end[i] = j.used;
    }
    struct journal_segment s = { cut, SEGMENT, "seg" };
    for (size_t n = sizeof(struct journal_segment_header); n <= j.used; n++) {
        memset(cut, 0, sizeof(cut));
        memcpy(cut, segment_memory[0], n);
        uint64_t whole = 0;
        for (unsigned i = 0; i < 5; i++)
            whole += end[i] <= n;
        /* A note's tail is zero: cut inside it, it is still whole. */
        enum journal_read how = read_all(&s, 1, &records, &fault);
        if (records != whole) {
            CHECK_EQ(records, whole + 1);
            CHECK_MEM(cut, segment_memory[0], end[whole]);
        }
        CHECK(how == JOURNAL_READ_END || how == JOURNAL_READ_TORN);
        bool at_an_end = n == sizeof(struct journal_segment_header);
        for (unsigned i = 0; i < 5; i++)
            at_an_end |= end[i] == n;
        if (at_an_end)
            CHECK_EQ(how, JOURNAL_READ_END);
        s.bytes = n; /* and with the file itself cut there */
        how = read_all(&s, 1, &records, &fault);
        CHECK_EQ(records, whole);
        CHECK(at_an_end ? how == JOURNAL_READ_END : how == JOURNAL_READ_END || how == JOURNAL_READ_TORN);
        s.bytes = SEGMENT;
    }
}

TEST(journal_header_cut_at_every_byte_is_a_spare_or_refused)
{
    struct journal j;
    struct fault fault;
    struct journal_reader r;
    static _Alignas(64) uint8_t cut[SEGMENT];

    journal_new(&j, 1);
    struct journal_segment s = { cut, SEGMENT, "seg" };
    /* The magic is stored last: without it the segment was never begun. */
    memcpy(cut, segment_memory[0], SEGMENT);
    memset(cut, 0, 8);
    CHECK(journal_reader_init(&r, &s, 1, &fault));
    CHECK_EQ(r.count, 0);
    for (size_t n = 9; n < sizeof(struct journal_segment_header); n++) {
        memset(cut, 0, sizeof(cut));
        memcpy(cut, segment_memory[0], n);
        if (memcmp(cut, segment_memory[0], sizeof(struct journal_segment_header)) != 0)
            CHECK(!journal_reader_init(&r, &s, 1, &fault));
    }
}

TEST(journal_damage_in_the_middle_is_named_with_its_place)
{
    struct journal j;
    struct fault fault;
    uint64_t records;
    size_t start[6];

    journal_new(&j, 1);
    for (unsigned i = 0; i < 6; i++) {
        struct journal_note x = note(i);
        start[i] = j.used;
        journal_append(&j, JOURNAL_NOTE, &x, sizeof(x), at(i + 1));
    }
    struct journal_segment s = { segment_memory[0], SEGMENT, "0001.journal" };
    for (size_t off = start[2]; off < start[3]; off++) { /* any bit of the third record */
        segment_memory[0][off] ^= 0x40;
        CHECK_EQ(read_all(&s, 1, &records, &fault), JOURNAL_READ_CORRUPT);
        CHECK_EQ(records, 2);
        char want[64];
        (void)snprintf(want, sizeof(want), "0001.journal: damaged record at offset %zu ", start[2]);
        CHECK(strstr(fault.text, want) == fault.text);
        segment_memory[0][off] ^= 0x40;
    }
    for (size_t off = start[5]; off < j.used; off++) { /* any bit of the last: torn, not corrupt */
        segment_memory[0][off] ^= 0x40;
        CHECK_EQ(read_all(&s, 1, &records, &fault), JOURNAL_READ_TORN);
        CHECK_EQ(records, 5);
        segment_memory[0][off] ^= 0x40;
    }
    memset(segment_memory[0] + start[2], 0, start[3] - start[2]); /* a lost page */
    CHECK_EQ(read_all(&s, 1, &records, &fault), JOURNAL_READ_CORRUPT);
}

TEST(journal_goes_on_in_a_new_segment_after_a_torn_tail)
{
    struct journal j;
    struct fault fault;
    uint64_t records;
    struct journal_note x = note(0);
    struct journal_identity who = identity();
    static const uint8_t hash[32] = { 0 };

    journal_new(&j, 1);
    for (unsigned i = 0; i < 3; i++)
        journal_append(&j, JOURNAL_NOTE, &x, sizeof(x), at(1));
    segment_memory[0][j.used - 130] ^= 1; /* the third record is torn */
    struct journal_segment s[2] = { { segment_memory[0], SEGMENT, "a" }, { segment_memory[1], SEGMENT, "b" } };
    CHECK_EQ(read_all(s, 1, &records, &fault), JOURNAL_READ_TORN);
    CHECK_EQ(records, 2);
    journal_init(&j, &who, "b", hash, 1790000001, records, 1);
    CHECK(journal_region(&j, segment_memory[1], SEGMENT, at(2)));
    CHECK_EQ(journal_append(&j, JOURNAL_NOTE, &x, sizeof(x), at(2)), 3);
    CHECK_EQ(read_all(s, 2, &records, &fault), JOURNAL_READ_END);
    CHECK_EQ(records, 3);
    s[1].base = segment_memory[0]; /* the same segment twice */
    CHECK_EQ(read_all(s, 2, &records, &fault), JOURNAL_READ_CORRUPT);
}

/* After a loss of power, where nothing was synced, any page may be missing: also a segment's first. */
TEST(journal_whose_last_segment_lost_its_first_page_does_not_end_before_it_in_silence)
{
    struct journal j;
    struct fault fault;
    uint64_t records;
    struct journal_note x = note(0);

    journal_new(&j, 1);
    journal_append(&j, JOURNAL_NOTE, &x, sizeof(x), at(1));
    struct journal_segment s[2] = { { segment_memory[0], SEGMENT, "a" }, { segment_memory[1], SEGMENT, "b" } };
    memset(segment_memory[1], 0, SEGMENT);
    segment_memory[1][100] = 1; /* killed while it was begun: its mark comes last */
    CHECK_EQ(read_all(s, 2, &records, &fault), JOURNAL_READ_END);
    CHECK_EQ(records, 1);
    segment_memory[1][SEGMENT - 1] = 1;
    CHECK_EQ(read_all(s, 2, &records, &fault), JOURNAL_READ_CORRUPT);
    CHECK(strstr(fault.text, "b: no header, but something stands behind it") == fault.text);
    memset(segment_memory[1], 0, SEGMENT);
}

TEST(journal_sequence_that_jumps_is_corrupt_though_every_record_is_whole)
{
    struct journal j;
    struct fault fault;
    uint64_t records;
    struct journal_note x = note(0);
    journal_new(&j, 1);
    journal_append(&j, JOURNAL_NOTE, &x, sizeof(x), at(1));
    j.seq++; /* as if a record had been cut out */
    journal_append(&j, JOURNAL_NOTE, &x, sizeof(x), at(1));
    struct journal_segment s = { segment_memory[0], SEGMENT, "a" };
    CHECK_EQ(read_all(&s, 1, &records, &fault), JOURNAL_READ_CORRUPT);
    CHECK_EQ(records, 1);
    CHECK_STR(fault.text, "a: sequence 3 at offset 672, expected 2: the journal is corrupt");
}

TEST(journal_damaged_end_of_a_segment_with_another_after_it_is_corrupt)
{
    struct journal j;
    struct fault fault;
    uint64_t records;
    struct journal_note x = note(0);
    journal_new(&j, 2);
    while (j.segments_taken == 0)
        journal_append(&j, JOURNAL_NOTE, &x, sizeof(x), at(1));
    struct journal_segment s[2] = { { segment_memory[0], SEGMENT, "a" }, { segment_memory[1], SEGMENT, "b" } };
    CHECK_EQ(read_all(s, 2, &records, &fault), JOURNAL_READ_END);
    segment_memory[0][512 + 160 * ((SEGMENT - 512) / 160 - 1) + 50] ^= 1; /* the last record of the first */
    CHECK_EQ(read_all(s, 2, &records, &fault), JOURNAL_READ_CORRUPT);
    CHECK(strstr(fault.text, "another segment follows") != NULL);
}

TEST(journal_missing_segment_is_corrupt)
{
    struct journal j;
    struct fault fault;
    uint64_t records;
    struct journal_note x = note(0);
    journal_new(&j, 2);
    while (j.segments_taken < 2) {
        CHECK(journal_append(&j, JOURNAL_NOTE, &x, sizeof(x), at(1)) != 0);
        if (j.next_base == NULL)
            (void)journal_region(&j, segment_memory[1 + j.segments_taken], SEGMENT, at(1));
    }
    struct journal_segment s[2] = { { segment_memory[0], SEGMENT, "a" }, { segment_memory[2], SEGMENT, "c" } };
    CHECK_EQ(read_all(s, 2, &records, &fault), JOURNAL_READ_CORRUPT);
    CHECK_STR(fault.text, "c: journal segment 2 follows segment 0; one is missing or they are out of order");
}

TEST(journal_of_another_mode_instance_account_or_venue_is_refused)
{
    struct journal j;
    struct fault fault;
    struct journal_segment_header h;
    journal_new(&j, 1);
    struct journal_segment s = { segment_memory[0], SEGMENT, "x" };
    CHECK(journal_header_check(&s, &h, &fault));
    struct journal_identity who = identity();
    CHECK(journal_identity_check(&h, &who, "x", &fault));
    who.mode = JOURNAL_LIVE;
    CHECK(!journal_identity_check(&h, &who, "x", &fault));
    CHECK_STR(fault.text, "x: journal of mode paper, expected live; paper and live never share a journal");
    who = identity();
    who.instance[1] = '2';
    CHECK(!journal_identity_check(&h, &who, "x", &fault));
    CHECK_STR(fault.text, "x: journal of instance g1, expected g2");
    who = identity();
    who.account[0][0] = 'M';
    CHECK(!journal_identity_check(&h, &who, "x", &fault));
    CHECK_STR(fault.text, "x: account 0 of the journal is main, expected Main");
    who = identity();
    who.venue_count = 2;
    CHECK(!journal_identity_check(&h, &who, "x", &fault));
    who = identity();
    who.venue[0][0] = 'k';
    CHECK(!journal_identity_check(&h, &who, "x", &fault));
    segment_memory[0][100] ^= 1;
    CHECK(!journal_header_check(&s, &h, &fault));
    segment_memory[0][100] ^= 1;
    segment_memory[0][8] ^= 4; /* schema */
    CHECK(!journal_header_check(&s, &h, &fault));
    CHECK(strstr(fault.text, "schema") != NULL);
}

/* ---- replay ------------------------------------------------------------------------------------------------------ */

static uint64_t rng_state;

static uint64_t
rng(uint64_t below)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state % below;
}

static void
replay_delta(void *ctx, const struct order_delta *d)
{
    oms_sum(ctx, d);
}

/* As the gateway does: journal first, then the same bytes into the table. */
static uint32_t
live_intent(struct oms *o, struct journal *j, const struct order_intent *in)
{
    CHECK(journal_append(j, JOURNAL_INTENT, in, sizeof(*in), at(o->mono_ns)) != 0);
    return oms_apply_intent(o, in);
}

static void
live_event(struct oms *o, struct journal *j, uint32_t slot, const struct order_event *ev)
{
    enum journal_type type = ev->kind == ORDER_EV_CANCEL_SENT ? JOURNAL_REQUEST : JOURNAL_VENUE_REPORT;
    CHECK(journal_append(j, type, ev, sizeof(*ev), at(o->mono_ns)) != 0);
    (void)oms_apply(o, slot, ev);
}

static void
live_random_event(struct oms *o, struct journal *j, uint32_t slot)
{
    static const enum order_event_kind kinds[] = {
        ORDER_EV_ACK,     ORDER_EV_FILL,     ORDER_EV_FILL,       ORDER_EV_FILL,          ORDER_EV_CANCELED,
        ORDER_EV_EXPIRED, ORDER_EV_REJECTED, ORDER_EV_NOT_PLACED, ORDER_EV_CANCEL_SENT,   ORDER_EV_CANCEL_REJECTED,
        ORDER_EV_UNKNOWN, ORDER_EV_STATUS,   ORDER_EV_AMENDED,    ORDER_EV_AMEND_REJECTED
    };
    struct order_event ev = oms_event(o, slot, kinds[rng(ARRAY_LEN(kinds))]);

    ev.trade_id = (int64_t)rng(300);
    ev.last_qty = (qty_t)rng(60);
    ev.last_px = (px_t)rng(1000);
    ev.cum_qty = (qty_t)(rng(3) == 0 ? rng(100) : 0);
    ev.state = (uint8_t)rng(ORDER_STATE_COUNT);
    ev.flags = (uint8_t)rng(4);
    ev.venue_order_id = rng(1000);
    if (ev.kind == ORDER_EV_AMEND_REJECTED) {
        ev.request_id = order_amend_at(o->t, slot) != NULL ? order_amend_at(o->t, slot)->key : 0;
    } else if (ev.kind == ORDER_EV_AMENDED) {
        ev.request_id = 0;
    } else if (ev.kind != ORDER_EV_CANCEL_SENT) {
        ev.fee = (value_t)rng(50);
    } else if (rng(2) == 0) {
        ev.request_client = (uint32_t)rng(OMS_CLIENTS);
        ev.request_id = ++o->next_key;
        ev.flags = rng(2) == 0 ? ORDER_EVENT_REPLACE : 0;
    }
    (void)snprintf(ev.text, sizeof(ev.text), "t%llu", (unsigned long long)rng(9));
    live_event(o, j, slot, &ev);
}

/* Everything of the two tables that anybody can see. */
static void
tables_equal(const struct order_table *a, const struct order_table *b, const char (*id)[CLORDID_BYTES], unsigned ids)
{
    CHECK_MEM(order_totals(a), order_totals(b), sizeof(struct order_totals));
    for (uint32_t c = 0; c < CLIENT_MAX; c++)
        CHECK_EQ(order_last_key(a, c), order_last_key(b, c));
    for (unsigned i = 0; i < ids; i++) {
        uint32_t x = order_find(a, id[i]);
        uint32_t y = order_find(b, id[i]);
        CHECK_EQ(x, y);
        if (x == ORDER_NONE)
            continue;
        CHECK_MEM(order_at(a, x), order_at(b, y), sizeof(struct order));
        CHECK_EQ(order_amend_at(a, x) != NULL, order_amend_at(b, y) != NULL);
        if (order_amend_at(a, x) != NULL)
            CHECK_MEM(order_amend_at(a, x), order_amend_at(b, y), sizeof(struct order_amend));
    }
    for (uint64_t key = 1; key < 400; key++)
        for (uint32_t c = 0; c < OMS_CLIENTS; c++) {
            struct order_key_result x = order_key_check(a, c, key);
            struct order_key_result y = order_key_check(b, c, key);
            CHECK_EQ(x.kind, y.kind);
            CHECK_EQ(x.slot, y.slot);
            CHECK_EQ(x.deny, y.deny);
            CHECK_MEM(&x.asked, &y.asked, sizeof(x.asked));
            CHECK_EQ(order_find_key(a, c, key), order_find_key(b, c, key));
        }
}

TEST(replay_rebuilds_the_table_that_lived_over_random_sequences)
{
    static char id[400][CLORDID_BYTES];

    for (uint64_t seed = 1; seed <= 150; seed++) {
        struct journal j;
        struct oms o;
        struct journal_replayed rep;
        struct fault fault;
        unsigned ids = 0;
        uint32_t slot[8];
        unsigned slots = 0;

        rng_state = seed * 0x9e3779b97f4a7c15u;
        journal_new(&j, 1);
        oms_init(&o, 8, 6);
        o.counts.trades_kept = 64;
        for (int step = 0; step < 1200; step++) {
            if (j.next_base == NULL && j.segments_taken + 1 < ARRAY_LEN(segment_memory))
                (void)journal_region(&j, segment_memory[1 + j.segments_taken], SEGMENT, at(0));
            if (j.next_base == NULL && j.bytes - j.used < 1000)
                break;
            bool make = rng(5) == 0;
            if (make && order_table_room(o.t) && ids < ARRAY_LEN(id)) {
                struct order_intent in = oms_intent(&o, (uint32_t)rng(OMS_CLIENTS), (uint32_t)rng(OMS_INSTR),
                                                    (enum side)rng(2), (qty_t)rng(100) + 1);
                if (rng(6) == 0)
                    in.deny = DENY_POSITION;
                if (slots > 0 && rng(4) == 0) {
                    const struct order *old = order_at(o.t, slot[rng(slots)]);
                    bool amend = rng(2) == 0 && order_amendable(old) && in.deny == DENY_NONE;
                    in.command.verb = COMMAND_REPLACE;
                    in.command.client = old->client;
                    in.command.instrument = old->instrument;
                    memcpy(in.target_clordid, old->clordid, CLORDID_BYTES);
                    if (amend) {
                        in.flags = ORDER_INTENT_AMEND;
                        in.command.side = old->side;
                        memcpy(in.clordid, old->clordid, CLORDID_BYTES);
                        (void)live_intent(&o, &j, &in);
                        continue;
                    }
                }
                uint32_t s = live_intent(&o, &j, &in);
                if (s == ORDER_NONE)
                    continue;
                memcpy(id[ids++], in.clordid, CLORDID_BYTES);
                slot[slots < 8 ? slots++ : rng(8)] = s;
            } else if (slots > 0)
                live_random_event(&o, &j, slot[rng(slots)]);
        }
        CHECK(ids > 20);

        struct journal_segment s[8];
        void *memory;
        size_t bytes;
        struct order_counts counts = { .live_max = 8, .done_kept = 6, .trades_kept = 4096, .keys_kept = 8 };
        struct order_table *again = oms_table(&counts, &memory, &bytes);
        struct oms_sums sums = { 0 };
        struct journal_replay_ops ops = { .ctx = &sums, .delta = replay_delta };
        struct journal_identity who = identity();
        for (unsigned i = 0; i < 8; i++)
            s[i] = (struct journal_segment){ segment_memory[i], SEGMENT, "seg" };
        if (!journal_replay(s, 8, &who, again, &ops, &rep, &fault))
            fail_msg("seed %llu: %s", (unsigned long long)seed, fault.text);
        CHECK_EQ(rep.last_seq, j.seq);
        CHECK_EQ(rep.tail_offset, j.used);
        CHECK_EQ(rep.tail_segment, j.segment_index);
        CHECK_EQ(rep.next_segment_index, j.segment_index + 1);
        CHECK(!rep.torn);
        CHECK_EQ(rep.live, order_totals(o.t)->live);
        CHECK_EQ(rep.unknown, order_totals(o.t)->unknown);
        CHECK_EQ(rep.last_term, 1790000000);
        CHECK_EQ(rep.orphans, 0);
        tables_equal(o.t, again, (const char(*)[CLORDID_BYTES])id, ids);
        CHECK_MEM(&sums, &o.sums, sizeof(sums));
        free(memory);
        oms_free(&o);
    }
}

TEST(replay_knows_stop_kill_limits_and_the_next_free_ids)
{
    struct journal j;
    struct journal_replayed rep;
    struct fault fault;
    struct oms o;
    journal_new(&j, 1);
    oms_init(&o, 2, 1);
    struct journal_segment s = { segment_memory[0], SEGMENT, "seg" };
    struct journal_name acct = { .id = 0, .name = "main" };
    struct journal_name ccy = { .id = 41, .name = "USDT" };
    struct journal_control c = { .kind = CONTROL_START, .value = 1790000005, .client = CLIENT_NONE };

    journal_append(&j, JOURNAL_DEF_ACCOUNT, &acct, sizeof(acct), at(1));
    journal_append(&j, JOURNAL_DEF_CURRENCY, &ccy, sizeof(ccy), at(1));
    journal_append(&j, JOURNAL_CONTROL, &c, sizeof(c), at(1));
    c = (struct journal_control){ .kind = CONTROL_LIMITS, .value = 9, .client = CLIENT_NONE };
    journal_append(&j, JOURNAL_CONTROL, &c, sizeof(c), at(1));
    c = (struct journal_control){ .kind = CONTROL_KILL, .client = 2 };
    journal_append(&j, JOURNAL_CONTROL, &c, sizeof(c), at(1));
    c = (struct journal_control){ .kind = CONTROL_STOP };
    journal_append(&j, JOURNAL_CONTROL, &c, sizeof(c), at(1));
    CHECK(journal_replay(&s, 1, NULL, o.t, NULL, &rep, &fault));
    CHECK(rep.clean_stop);
    CHECK(rep.killed); /* latched over the restart */
    CHECK_EQ(rep.limits_version, 9);
    CHECK_EQ(rep.last_term, 1790000005);
    CHECK_EQ(rep.account_next, 1);
    CHECK_EQ(rep.currency_next, 42);
    c = (struct journal_control){ .kind = CONTROL_RELEASE };
    journal_append(&j, JOURNAL_CONTROL, &c, sizeof(c), at(1));
    CHECK(journal_replay(&s, 1, NULL, o.t, NULL, &rep, &fault));
    CHECK(!rep.killed && !rep.clean_stop);
    CHECK(journal_replay(NULL, 0, NULL, o.t, NULL, &rep, &fault)); /* a new journal */
    CHECK_EQ(rep.last_seq, 0);
    oms_free(&o);
}

TEST(a_cursor_without_a_time_is_read_and_counts_from_an_hour_before_it_was_written)
{
    struct journal j;
    struct journal_replayed rep;
    struct fault fault;
    struct oms o;
    struct journal_segment s = { segment_memory[0], SEGMENT, "seg" };
    const int64_t written = at(0).wall.ns;

    journal_new(&j, 1);
    oms_init(&o, 1, 1);
    struct journal_cursor c = { .instrument = 1, .trade_id = 7, .venue_ns = written - 5 };
    CHECK(journal_append(&j, JOURNAL_CURSOR, &c, 16, at(0)) != 0); /* as it was before it had a time */
    c.instrument = 0;
    CHECK(journal_append(&j, JOURNAL_CURSOR, &c, sizeof(c), at(0)) != 0);
    CHECK(journal_replay(&s, 1, NULL, o.t, NULL, &rep, &fault));
    CHECK_EQ(order_trade_cursor(o.t, 1), 7);
    CHECK_EQ(order_trade_cursor_ns(o.t, 1), written - 3600 * NS_PER_S);
    CHECK_EQ(order_trade_cursor(o.t, 0), 7);
    CHECK_EQ(order_trade_cursor_ns(o.t, 0), written - 5);
    oms_free(&o);
}

TEST(replay_refuses_what_it_cannot_apply)
{
    struct journal j;
    struct journal_replayed rep;
    struct fault fault;
    struct oms o;
    struct oms live;
    struct journal_segment s = { segment_memory[0], SEGMENT, "seg" };

#define REFUSES(type, payload, n, words)                              \
    do {                                                              \
        journal_new(&j, 1);                                           \
        oms_init(&o, 1, 1);                                           \
        journal_append(&j, type, payload, n, at(1));                  \
        journal_append(&j, type, payload, n, at(1));                  \
        CHECK(!journal_replay(&s, 1, NULL, o.t, NULL, &rep, &fault)); \
        if (strstr(fault.text, words) == NULL)                        \
            fail_msg("%s", fault.text);                               \
        oms_free(&o);                                                 \
    } while (0)
    oms_init(&live, 4, 4);
    struct order_intent in = oms_intent(&live, 1, 0, SIDE_BUY, 10);
    REFUSES(JOURNAL_INTENT, &in, sizeof(in), "client order key does not rise"); /* the same intent twice */
    REFUSES(JOURNAL_INTENT, &in, sizeof(in) - 8, "version or length");
    REFUSES((enum journal_type)77, &in, 8, "type is not known");
    in.qty = 0;
    REFUSES(JOURNAL_INTENT, &in, sizeof(in), "quantity");
    in.qty = 10;
    in.command.client = CLIENT_MAX;
    REFUSES(JOURNAL_INTENT, &in, sizeof(in), "client id");
    struct journal_name name = { .id = VENUE_MAX };
    REFUSES(JOURNAL_DEF_VENUE, &name, sizeof(name), "out of range");
    struct instrument ins = { .id = INSTRUMENT_MAX };
    REFUSES(JOURNAL_DEF_INSTRUMENT, &ins, sizeof(ins), "out of range");
    struct journal_position pos = { .account = ACCOUNT_MAX };
    REFUSES(JOURNAL_POSITION, &pos, sizeof(pos), "out of range");
    /* two live orders into a table of one */
    journal_new(&j, 1);
    oms_init(&o, 1, 1);
    in = oms_intent(&live, 1, 0, SIDE_BUY, 10);
    journal_append(&j, JOURNAL_INTENT, &in, sizeof(in), at(1));
    in = oms_intent(&live, 1, 0, SIDE_BUY, 10);
    journal_append(&j, JOURNAL_INTENT, &in, sizeof(in), at(1));
    CHECK(!journal_replay(&s, 1, NULL, o.t, NULL, &rep, &fault));
    CHECK_STR(fault.text, "seg: record 2 at offset 840: more live orders than the table holds");
    oms_free(&o);
    oms_free(&live);
}

TEST(replay_skips_advisory_types_of_a_later_build)
{
    struct journal j;
    struct journal_replayed rep;
    struct fault fault;
    struct oms o;
    uint64_t x = 1;
    journal_new(&j, 1);
    oms_init(&o, 1, 1);
    journal_append(&j, (enum journal_type)0x8123, &x, sizeof(x), at(1));
    struct journal_segment s = { segment_memory[0], SEGMENT, "seg" };
    CHECK(journal_replay(&s, 1, NULL, o.t, NULL, &rep, &fault));
    CHECK_EQ(rep.records, 1);
    oms_free(&o);
}

/* ---- text -------------------------------------------------------------------------------------------------------- */

static struct journal_text text;

static struct journal_record
record_of(uint16_t type, const void *payload, size_t n)
{
    struct journal_record rec = { .type = type,
                                  .version = MESSAGE_VERSION,
                                  .seq = 12,
                                  .wall_ns = INT64_C(1790000000123456789),
                                  .mono_ns = 5,
                                  .payload = payload,
                                  .payload_bytes = n };
    journal_text_learn(&text, &rec);
    return rec;
}

TEST(journal_text_prints_decimals_and_names_once_they_were_defined)
{
    char line[JOURNAL_TEXT_LINE];
    struct oms o;
    struct instrument ins = { .id = 0,
                              .version = 1,
                              .px_decimals = 2,
                              .qty_decimals = 3,
                              .tick = 1,
                              .step = 1,
                              .canonical = "BTC/USDT",
                              .symbol = "BTCUSDT" };
    struct journal_record rec;

    oms_init(&o, 1, 1);
    journal_text_init(&text);
    struct order_intent in = oms_intent(&o, 1, 0, SIDE_SELL, 1500);
    rec = record_of(JOURNAL_INTENT, &in, sizeof(in));
    journal_text_line(&text, &rec, line, sizeof(line));
    CHECK(strstr(line, "qty_raw=1500") != NULL);
    rec = record_of(JOURNAL_DEF_INSTRUMENT, &ins, sizeof(ins));
    rec = record_of(JOURNAL_INTENT, &in, sizeof(in));
    size_t len = journal_text_line(&text, &rec, line, sizeof(line));
    CHECK_EQ(len, strlen(line));
    CHECK_STR(line, "12 1790000000.123456789 intent verb=new verdict=ACCEPTED clordid=g14hpQDw00000001 client=1 key=1 "
                    "client_seq=1 account=0 instrument=BTC/USDT side=sell order_type=limit tif=gtc px=100.00 qty=1.500 "
                    "limits_version=1");
    in.deny = DENY_POSITION;
    in.value = -5;
    in.limit = 3;
    journal_text_json(&text, &rec, line, sizeof(line));
    CHECK(strstr(line, "\"verdict\":\"POSITION\"") != NULL);
    CHECK(strstr(line, "\"px\":\"100.00\"") != NULL);
    CHECK(strstr(line, "\"value\":-5,\"limit\":3}") != NULL);
    struct order_event ev = { .kind = ORDER_EV_FILL, .trade_id = 4, .last_px = 10050, .last_qty = 250, .fee = 1 };
    memcpy(ev.clordid, in.clordid, CLORDID_BYTES);
    (void)snprintf(ev.text, sizeof(ev.text), "a \"b\" \\ \x01\xff");
    rec = record_of(JOURNAL_VENUE_REPORT, &ev, sizeof(ev));
    journal_text_json(&text, &rec, line, sizeof(line));
    CHECK(strstr(line, "\"last_px\":\"100.50\",\"last_qty\":\"0.250\",\"fee\":\"0.00000001\"") != NULL);
    CHECK(strstr(line, "\"text\":\"a \\\"b\\\" \\\\ ??\"}") != NULL);
    oms_free(&o);
}

TEST(journal_text_is_cut_at_its_room_and_stays_terminated)
{
    char line[64];
    struct order_intent in = { .command = { .verb = COMMAND_NEW } };
    struct journal_record rec;
    journal_text_init(&text);
    rec = record_of(JOURNAL_INTENT, &in, sizeof(in));
    for (size_t room = 1; room < sizeof(line); room++) {
        memset(line, 'x', sizeof(line));
        CHECK_EQ(journal_text_line(&text, &rec, line, room), room - 1);
        CHECK_EQ(line[room - 1], '\0');
        CHECK_EQ(line[room], 'x');
    }
}

TEST_MAIN()
