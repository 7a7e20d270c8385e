/* A snapshot and what follows it leave what everything leaves: over random journals, cut at every segment. And journals
 * of the schema before this one are still read. */
#include "engine/oms/balances.h"
#include "engine/oms/journal_snapshot.h"
#include "engine/oms/journal_text.h"
#include "risk/position.h"
#include "tests/oms_fixture.h"

#include <fcntl.h>
#include <unistd.h>

#define SEGMENT      65536u
#define SEGMENTS     12u
#define SNAPSHOT_MAX (1u << 20)

static _Alignas(64) uint8_t memory[SEGMENTS][SEGMENT];
static _Alignas(64) uint8_t snapshot_memory[2][SNAPSHOT_MAX];

static const struct journal_identity who = {
    .instance = "g1", .mode = JOURNAL_PAPER, .account_count = 1, .venue_count = 1
};
static const uint8_t hash[32];

static struct now
at(int64_t ns)
{
    return (struct now){ .mono = { ns }, .wall = { INT64_C(1790000000) * NS_PER_S + ns } };
}

static uint64_t
rnd(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

/* ---- what a journal led to ---- */

#define IMAGE_MAX (1u << 20)

struct state {
    struct order_table *table;
    void *table_memory;
    struct position position[OMS_INSTR];
    wide_t cost[OMS_INSTR];  /* of what is reserved, by deltas */
    int64_t rest[OMS_INSTR]; /* sum of the prices that orders rest at */
    qty_t parent_used;       /* by the children of parent 1 of client 1 */
    int parent_live;
    struct journal_replayed replayed;
    uint8_t image[IMAGE_MAX];
    size_t image_bytes;
};

static struct state all, cut;

static void
state_delta(void *ctx, const struct order_delta *d)
{
    struct state *s = (struct state *)ctx;
    ASSERT(d->instrument < OMS_INSTR);
    position_apply(&s->position[d->instrument], d);
    s->cost[d->instrument] += d->cost_change;
    s->rest[d->instrument] += d->rest_px - d->gone_px;
    if (d->parent_key != 1 || d->client != 1)
        return;
    s->parent_used += d->reserved_change + d->fill_qty + d->parent_used;
    s->parent_live += d->open_change;
    CHECK_EQ(d->parent_qty, 500);
}

static void
state_record(void *ctx, const struct journal_record *rec)
{
    struct state *s = (struct state *)ctx;
    if (rec->type != JOURNAL_POSITION)
        return;
    const struct journal_position *p = (const struct journal_position *)rec->payload;
    position_set(&s->position[p->instrument], p->qty, true);
}

static void
image_put(struct state *s, const void *p, size_t n)
{
    CHECK(n <= IMAGE_MAX - s->image_bytes);
    memcpy(s->image + s->image_bytes, p, n);
    s->image_bytes += n;
}

/* Everything that the table answers from, in one row of bytes. */
static void
state_image(struct state *s)
{
    static uint32_t number_of[1u << 16];
    struct order_image_walk w;
    struct order_image img;
    const struct key_ledger *keys = order_keys(s->table);

    s->image_bytes = 0;
    CHECK(order_image_slots(s->table) <= ARRAY_LEN(number_of));
    for (order_image_begin(s->table, &w, number_of); order_image_next(s->table, &w, &img);) {
        image_put(s, &img, sizeof(img));
        struct order_key_result k = order_key_check(s->table, img.client, img.key);
        image_put(s, &k.kind, sizeof(k.kind));
    }
    for (uint32_t c = 0; c < OMS_CLIENTS; c++) {
        const struct key_ring *r = &keys->client[c];
        image_put(s, &r->last_key, sizeof(r->last_key));
        for (uint64_t i = r->count > keys->kept ? r->count - keys->kept : 0; i < r->count; i++)
            image_put(s, &r->entry[i % keys->kept], sizeof(r->entry[0]));
    }
    for (uint32_t i = 0; i < order_trade_count(s->table); i++) {
        struct trade_image tr = order_trade_image(s->table, i);
        image_put(s, &tr, sizeof(tr));
    }
    for (uint32_t i = 0; i < OMS_INSTR; i++) {
        int64_t cursor = order_trade_cursor(s->table, i);
        image_put(s, &cursor, sizeof(cursor));
        cursor = order_trade_cursor_ns(s->table, i);
        image_put(s, &cursor, sizeof(cursor));
    }
    image_put(s, order_totals(s->table), sizeof(struct order_totals));
    image_put(s, s->position, sizeof(s->position));
    image_put(s, s->cost, sizeof(s->cost));
    image_put(s, s->rest, sizeof(s->rest));
}

static void
state_of(struct state *s, const struct order_counts *counts, const struct journal_segment *seg, uint32_t n)
{
    const struct journal_replay_ops ops = { .ctx = s, .delta = state_delta, .record = state_record };
    struct fault fault = { "" };
    size_t bytes;

    memset(s, 0, sizeof(*s));
    for (unsigned i = 0; i < OMS_INSTR; i++)
        s->position[i] = (struct position){ .qty_decimals = 5, .fee_ccy_base = (uint16_t)i };
    s->table = oms_table(counts, &s->table_memory, &bytes);
    if (!journal_replay(seg, n, &who, s->table, &ops, &s->replayed, &fault)) {
        (void)fprintf(stderr, "%s\n", fault.text);
        CHECK(false);
    }
    state_image(s);
}

/* ---- random journals ---- */

struct writer {
    struct oms oms;
    struct journal journal;
    uint64_t seed;
    uint64_t next_trade;
    unsigned regions;
};

static void
append(struct writer *w, enum journal_type type, const void *payload, size_t bytes)
{
    struct journal *j = &w->journal;

    if (j->next_base == NULL && w->regions < SEGMENTS)
        CHECK(journal_region(j, memory[w->regions++], SEGMENT, at(w->oms.mono_ns)));
    CHECK(journal_append(j, type, payload, bytes, at(w->oms.mono_ns)) != 0);
}

static void
say(struct writer *w, uint32_t slot, struct order_event ev)
{
    append(w, ev.kind == ORDER_EV_CANCEL_SENT ? JOURNAL_REQUEST : JOURNAL_VENUE_REPORT, &ev, sizeof(ev));
    (void)oms_apply(&w->oms, slot, &ev);
}

/* Any slot that holds an order, live or not. */
static uint32_t
some_slot(struct writer *w)
{
    uint32_t n = order_totals(w->oms.t)->live + order_totals(w->oms.t)->done;
    return n == 0 ? ORDER_NONE : (uint32_t)(rnd(&w->seed) % n);
}

static void
make_order(struct writer *w)
{
    struct order_intent in =
        oms_intent(&w->oms, (uint32_t)(rnd(&w->seed) % OMS_CLIENTS), (uint32_t)(rnd(&w->seed) % OMS_INSTR),
                   (enum side)(rnd(&w->seed) & 1), (qty_t)(1 + rnd(&w->seed) % 1000));

    if (rnd(&w->seed) % 4 == 0) {
        in.deny = DENY_PRICE_COLLAR;
        memset(in.clordid, 0, CLORDID_BYTES);
    } else if (!order_table_room(w->oms.t)) {
        return;
    }
    append(w, JOURNAL_INTENT, &in, sizeof(in));
    (void)oms_apply_intent(&w->oms, &in);
}

static void
change_order(struct writer *w)
{
    uint32_t slot = some_slot(w);
    struct order_intent in;

    if (slot == ORDER_NONE || !order_amendable(order_at(w->oms.t, slot)))
        return;
    if (rnd(&w->seed) & 1) {
        in = oms_amend_intent(&w->oms, slot, 9000, order_at(w->oms.t, slot)->qty + 7);
    } else {
        const struct order *o = order_at(w->oms.t, slot);
        if (!order_table_room(w->oms.t))
            return;
        in = oms_intent(&w->oms, o->client, o->instrument, (enum side)o->side, 50);
        in.command.verb = COMMAND_REPLACE;
        in.command.target_key = o->key;
        memcpy(in.target_clordid, o->clordid, CLORDID_BYTES);
    }
    if (order_intent_fault(w->oms.t, &in) != NULL)
        return;
    append(w, JOURNAL_INTENT, &in, sizeof(in));
    (void)oms_apply_intent(&w->oms, &in);
}

static void
report_order(struct writer *w)
{
    static const uint8_t kinds[] = {
        ORDER_EV_ACK,      ORDER_EV_ACK,
        ORDER_EV_FILL,     ORDER_EV_FILL,
        ORDER_EV_FILL,     ORDER_EV_CANCEL_SENT,
        ORDER_EV_UNKNOWN,  ORDER_EV_STATUS,
        ORDER_EV_CANCELED, ORDER_EV_CANCELED,
        ORDER_EV_EXPIRED,  ORDER_EV_FILL,
        ORDER_EV_FILL,     ORDER_EV_CANCEL_REJECTED,
        ORDER_EV_REJECTED,
    };
    uint32_t slot = some_slot(w);

    if (slot == ORDER_NONE)
        return;
    const struct order *o = order_at(w->oms.t, slot);
    struct order_event ev = oms_event(&w->oms, slot, (enum order_event_kind)kinds[rnd(&w->seed) % ARRAY_LEN(kinds)]);
    ev.venue_order_id = 1000 + o->seq;
    ev.venue_time_ns = w->oms.mono_ns;
    if (ev.kind == ORDER_EV_FILL) {
        /* Now and then one that was told before. */
        ev.trade_id = (int64_t)(rnd(&w->seed) % 5 == 0 ? rnd(&w->seed) % (w->next_trade + 1) : ++w->next_trade);
        ev.last_qty = (qty_t)(1 + rnd(&w->seed) % 400);
        ev.last_px = 10000 + (px_t)(rnd(&w->seed) % 100);
        ev.fee = (value_t)(rnd(&w->seed) % 5000);
        ev.fee_ccy = (uint32_t)(rnd(&w->seed) % 4);
    } else if (ev.kind == ORDER_EV_STATUS) {
        ev.state = ORDER_NEW;
        ev.flags = rnd(&w->seed) & 1 ? ORDER_EVENT_PROVEN : 0;
    } else if (ev.kind == ORDER_EV_CANCELED && rnd(&w->seed) % 3 == 0) {
        ev.cum_qty = o->cum_qty + 5; /* trades are missing */
    }
    if ((ev.kind == ORDER_EV_CANCELED || ev.kind == ORDER_EV_REJECTED) && rnd(&w->seed) % 4 == 0) {
        ev.flags = ORDER_EVENT_OPERATOR;
        ev.kind = ev.kind == ORDER_EV_REJECTED ? ORDER_EV_NOT_PLACED : ORDER_EV_CANCELED;
    }
    (void)snprintf(ev.text, sizeof(ev.text), "event %u", (unsigned)ev.kind);
    say(w, slot, ev);
}

static void
other_record(struct writer *w)
{
    uint32_t instrument = (uint32_t)(rnd(&w->seed) % OMS_INSTR);
    struct order_delta d;

    switch (rnd(&w->seed) % 6) {
    case 0: {
        struct journal_position p = { .instrument = instrument, .qty = (qty_t)(rnd(&w->seed) % 10000) - 5000 };
        append(w, JOURNAL_POSITION, &p, sizeof(p));
        break;
    }
    case 1: {
        struct account_trade tr = { .instrument = instrument,
                                    .side = (uint8_t)(rnd(&w->seed) & 1),
                                    .trade_id = (int64_t)++w->next_trade,
                                    .px = 10000,
                                    .qty = (qty_t)(1 + rnd(&w->seed) % 50) };
        append(w, JOURNAL_TRADE, &tr, sizeof(tr));
        (void)order_table_trade(w->oms.t, &tr, &d);
        break;
    }
    case 2: {
        struct journal_cursor c = { .instrument = instrument,
                                    .trade_id = (int64_t)w->next_trade,
                                    .venue_ns = (int64_t)(w->next_trade + 1) * NS_PER_S };
        append(w, JOURNAL_CURSOR, &c, sizeof(c));
        order_trade_cursor_set(w->oms.t, c.instrument, c.trade_id, c.venue_ns);
        break;
    }
    case 3: {
        struct journal_name n = { .id = (uint32_t)(rnd(&w->seed) % 4), .name = "name" };
        append(w, JOURNAL_DEF_CURRENCY, &n, sizeof(n));
        break;
    }
    case 4: {
        struct journal_note n = { "advisory" };
        append(w, JOURNAL_NOTE, &n, sizeof(n));
        break;
    }
    default: {
        struct journal_control c = { .kind = (uint16_t)(1 + rnd(&w->seed) % 6), .value = (int64_t)w->next_trade };
        append(w, JOURNAL_CONTROL, &c, sizeof(c));
        break;
    }
    }
}

/* Six segments or so of everything. */
static void
random_journal(struct writer *w, uint64_t seed)
{
    memset(memory, 0, sizeof(memory));
    memset(w, 0, sizeof(*w));
    w->seed = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    oms_init(&w->oms, 24 + (uint32_t)(seed % 3) * 20, 16);
    w->oms.counts.trades_kept = 64 << seed % 3;
    oms_free(&w->oms);
    size_t bytes;
    w->oms.t = oms_table(&w->oms.counts, &w->oms.memory, &bytes);
    journal_init(&w->journal, &who, "test", hash, 1790000000, 0, 0);
    CHECK(journal_region(&w->journal, memory[w->regions++], SEGMENT, at(0)));
    while (w->journal.segment_index < 5) {
        uint64_t what = rnd(&w->seed) % 16;
        w->oms.mono_ns += 1000;
        if (what < 4)
            make_order(w);
        else if (what < 6)
            change_order(w);
        else if (what < 15)
            report_order(w);
        else
            other_record(w);
    }
}

/* The segments [0, n) as one snapshot, in memory number `place`. */
static struct journal_segment
snapshot_of(const struct order_counts *counts, const struct journal_segment *seg, uint32_t n, unsigned place)
{
    struct arena arena = { .size = journal_snapshot_footprint(counts) };
    struct fault fault = { "" };

    arena.base = (uint8_t *)calloc(1, arena.size + 64);
    CHECK(arena.base != NULL);
    void *memory_of = arena.base;
    struct journal_snapshot *s = journal_snapshot_init(counts, "g1", &arena);
    bool ok = journal_snapshot_gather(s, seg, n, &fault);
    size_t need = ok ? journal_snapshot_bytes(s) : 0;
    CHECK(need <= SNAPSHOT_MAX);
    memset(snapshot_memory[place], 0, SNAPSHOT_MAX);
    if (!ok)
        (void)fprintf(stderr, "%s\n", fault.text);
    CHECK(ok && journal_snapshot_gains(s));
    journal_snapshot_write(s, snapshot_memory[place], need, "test", at(77));
    free(memory_of);
    return (struct journal_segment){ snapshot_memory[place], need, "snapshot" };
}

static uint32_t
segments_of(const struct writer *w, struct journal_segment seg[SEGMENTS])
{
    for (uint32_t i = 0; i <= w->journal.segment_index; i++)
        seg[i] = (struct journal_segment){ memory[i], SEGMENT, "segment" };
    return w->journal.segment_index + 1;
}

static void
same_state(void)
{
    CHECK_EQ(cut.image_bytes, all.image_bytes);
    CHECK_MEM(cut.image, all.image, all.image_bytes);
    CHECK_EQ(cut.replayed.last_seq, all.replayed.last_seq);
    CHECK_EQ(cut.replayed.last_term, all.replayed.last_term);
    CHECK_EQ(cut.replayed.next_segment_index, all.replayed.next_segment_index);
    CHECK_EQ(cut.replayed.killed, all.replayed.killed);
    CHECK_EQ(cut.replayed.clean_stop, all.replayed.clean_stop);
    CHECK_EQ(cut.replayed.limits_version, all.replayed.limits_version);
    CHECK_EQ(cut.replayed.currency_next, all.replayed.currency_next);
    CHECK_EQ(cut.replayed.live, all.replayed.live);
    CHECK_EQ(cut.replayed.unknown, all.replayed.unknown);
    free(cut.table_memory);
}

TEST(a_snapshot_and_what_follows_it_leave_what_everything_leaves)
{
    static struct writer w;
    const char *seeds = getenv("EXECGW_SNAPSHOT_SEEDS");
    uint64_t last = seeds != NULL ? strtoull(seeds, NULL, 10) : 4;

    for (uint64_t seed = 1; seed <= last; seed++) {
        struct journal_segment seg[SEGMENTS];
        random_journal(&w, seed);
        uint32_t n = segments_of(&w, seg);
        state_of(&all, &w.oms.counts, seg, n);
        for (uint32_t k = 1; k <= n; k++) {
            struct journal_segment with[SEGMENTS];
            memcpy(with, seg, sizeof(with));
            with[k - 1] = snapshot_of(&w.oms.counts, seg, k, 0);
            state_of(&cut, &w.oms.counts, with + k - 1, n - k + 1); /* the older ones are gone */
            same_state();
            state_of(&cut, &w.oms.counts, with, n); /* or still there */
            same_state();
            if (k >= n)
                continue;
            /* A snapshot of a snapshot. */
            with[n - 1] = snapshot_of(&w.oms.counts, with + k - 1, n - k + 1, 1);
            state_of(&cut, &w.oms.counts, with + n - 1, 1);
            same_state();
        }
        free(all.table_memory);
        oms_free(&w.oms);
    }
}

TEST(a_snapshot_keeps_what_children_have_used_of_their_parent)
{
    static struct writer w;
    struct journal_segment seg[SEGMENTS];

    memset(memory, 0, sizeof(memory));
    memset(&w, 0, sizeof(w));
    oms_init(&w.oms, 24, 16);
    journal_init(&w.journal, &who, "test", hash, 1790000000, 0, 0);
    CHECK(journal_region(&w.journal, memory[w.regions++], SEGMENT, at(0)));
    for (uint32_t i = 0; i < 2; i++) { /* one is over with 70 of 100 filled, one works with 30 of 100 */
        struct order_intent in = oms_intent(&w.oms, 1, 0, SIDE_BUY, 100);
        in.command.parent_key = 1;
        in.command.parent_qty = 500;
        append(&w, JOURNAL_INTENT, &in, sizeof(in));
        uint32_t slot = oms_apply_intent(&w.oms, &in);
        struct order_event ev = oms_event(&w.oms, slot, ORDER_EV_FILL);
        ev.trade_id = 1 + i;
        ev.last_qty = i == 0 ? 70 : 30;
        ev.last_px = 10000;
        say(&w, slot, ev);
        if (i == 0)
            say(&w, slot, oms_event(&w.oms, slot, ORDER_EV_CANCELED));
    }
    for (unsigned i = 0; i < 8; i++) {
        struct journal_note note = { "so that a snapshot is shorter" };
        append(&w, JOURNAL_NOTE, &note, sizeof(note));
    }
    uint32_t n = segments_of(&w, seg);
    state_of(&all, &w.oms.counts, seg, n);
    CHECK(all.parent_used == 170 && all.parent_live == 1);
    seg[0] = snapshot_of(&w.oms.counts, seg, n, 0);
    state_of(&cut, &w.oms.counts, seg, 1);
    CHECK(cut.parent_used == 170 && cut.parent_live == 1);
    same_state();
    free(all.table_memory);
    oms_free(&w.oms);
}

static struct balances *balances;
static struct instrument balances_of;

static void
balance_delta(void *ctx, const struct order_delta *d)
{
    (void)ctx;
    balances_apply(balances, &balances_of, d);
}

static void
balance_record(void *ctx, const struct journal_record *rec)
{
    const struct journal_balance *b = (const struct journal_balance *)rec->payload;

    (void)ctx;
    if (rec->type == JOURNAL_BALANCE)
        balances_set(balances, b->venue, b->ccy, b->amount);
}

TEST(a_snapshot_expects_the_balances_that_trades_before_it_lead_to)
{
    static _Alignas(64) uint8_t made_memory[1 << 20];
    const struct order_counts counts = { .live_max = 4, .done_kept = 4, .trades_kept = 16, .keys_kept = 8 };
    const struct journal_replay_ops ops = { .delta = balance_delta, .record = balance_record };
    struct journal j;
    struct fault fault = { "" };

    memset(memory[0], 0, SEGMENT);
    balances_of =
        (struct instrument){ .version = 1, .px_decimals = 2, .qty_decimals = 5, .base_ccy = 1, .quote_ccy = 2 };
    struct journal_balance held = { .ccy = 1, .amount = 5 * VALUE_ONE };
    struct account_trade tr = { .side = SIDE_BUY, .trade_id = 7, .px = 10000, .qty = 100000, .fee = 100, .fee_ccy = 1 };
    journal_init(&j, &who, "test", hash, 1790000000, 0, 0);
    CHECK(journal_region(&j, memory[0], SEGMENT, at(0)));
    CHECK(journal_append(&j, JOURNAL_DEF_INSTRUMENT, &balances_of, sizeof(balances_of), at(1)) != 0);
    for (int i = 0; i < 2; i++) { /* before and after the balance was told */
        tr.trade_id++;
        CHECK(journal_append(&j, JOURNAL_TRADE, &tr, sizeof(tr), at(2)) != 0);
        if (i == 0)
            CHECK(journal_append(&j, JOURNAL_BALANCE, &held, sizeof(held), at(3)) != 0);
    }
    for (int i = 0; i < 8; i++) {
        struct journal_note note = { "so that a snapshot is shorter" };
        CHECK(journal_append(&j, JOURNAL_NOTE, &note, sizeof(note), at(4)) != 0);
    }
    struct journal_segment seg = { memory[0], SEGMENT, "one" };
    for (int made = 0; made < 2; made++) {
        struct arena arena = { .base = made_memory, .size = sizeof(made_memory) };
        struct journal_replayed got;
        value_t amount;
        memset(made_memory, 0, sizeof(made_memory));
        arena.used = 0;
        struct order_table *t = order_table_init(&counts, "g1", &arena);
        balances = balances_init(&arena);
        CHECK(journal_replay(&seg, 1, &who, t, &ops, &got, &fault));
        CHECK(balances_expected(balances, 0, 1, &amount));
        CHECK_EQ(amount, 6 * VALUE_ONE - 100);
        if (made == 1)
            break;
        size_t bytes = journal_snapshot_footprint(&counts);
        struct arena room = { .base = (uint8_t *)aligned_alloc(64, (bytes + 63) & ~(size_t)63), .size = bytes };
        memset(room.base, 0, bytes);
        struct journal_snapshot *s = journal_snapshot_init(&counts, "g1", &room);
        CHECK(journal_snapshot_gather(s, &seg, 1, &fault));
        size_t need = journal_snapshot_bytes(s);
        CHECK(need <= SNAPSHOT_MAX && journal_snapshot_gains(s));
        memset(snapshot_memory[0], 0, SNAPSHOT_MAX);
        journal_snapshot_write(s, snapshot_memory[0], need, "test", at(5));
        seg = (struct journal_segment){ snapshot_memory[0], need, "snapshot" };
        free(room.base);
    }
}

TEST(a_snapshot_that_is_cut_or_damaged_is_refused)
{
    static struct writer w;
    struct journal_segment seg[SEGMENTS];
    struct journal_replayed out;
    struct fault fault;
    void *table_memory;
    size_t bytes;

    random_journal(&w, 3);
    uint32_t n = segments_of(&w, seg);
    struct journal_segment snap = snapshot_of(&w.oms.counts, seg, n - 1, 0);
    seg[n - 2] = snap;
    struct journal_reader r;
    struct journal_record rec;
    size_t offsets[4096];
    size_t count = 0;
    CHECK(journal_reader_init(&r, &snap, 1, &fault));
    while (journal_reader_next(&r, &rec, &fault) == JOURNAL_READ_OK && count < ARRAY_LEN(offsets))
        offsets[count++] = rec.offset;
    for (size_t i = 0; i < count; i += 1 + count / 40) {
        uint64_t was;
        uint8_t *mark = snapshot_memory[0] + offsets[i];
        memcpy(&was, mark, 8);
        memset(mark, 0, 8);
        for (unsigned alone = 0; alone < 2; alone++) {
            struct order_table *t = oms_table(&w.oms.counts, &table_memory, &bytes);
            CHECK(!journal_replay(seg + n - 2, alone ? 1 : 2, &who, t, NULL, &out, &fault));
            free(table_memory);
        }
        memcpy(mark, &was, 8);
    }
    oms_free(&w.oms);
}

TEST(a_journal_whose_first_segments_are_missing_is_refused)
{
    static struct writer w;
    struct journal_segment seg[SEGMENTS];
    struct journal_replayed out;
    struct fault fault;
    void *table_memory;
    size_t bytes;

    random_journal(&w, 4);
    uint32_t n = segments_of(&w, seg);
    struct order_table *t = oms_table(&w.oms.counts, &table_memory, &bytes);
    CHECK(!journal_replay(seg + 1, n - 1, &who, t, NULL, &out, &fault));
    CHECK(strstr(fault.text, "the segments before it are missing") != NULL);
    free(table_memory);
    oms_free(&w.oms);
}

TEST(a_table_that_keeps_fewer_orders_takes_the_newest_of_a_snapshot)
{
    static struct writer w;
    struct journal_segment seg[SEGMENTS];

    random_journal(&w, 5);
    uint32_t n = segments_of(&w, seg);
    struct order_counts larger = w.oms.counts;
    larger.done_kept *= 8;
    larger.keys_kept *= 8;
    larger.trades_kept *= 8;
    struct journal_segment snap = snapshot_of(&larger, seg, n, 0);
    state_of(&all, &larger, seg, n);
    state_of(&cut, &larger, &snap, 1);
    same_state();
    CHECK(order_image_count(all.table) > w.oms.counts.live_max + w.oms.counts.done_kept);
    free(all.table_memory);
    state_of(&cut, &w.oms.counts, &snap, 1); /* nothing asserts, and what it keeps is what it would have kept */
    CHECK_EQ(order_totals(cut.table)->live, order_totals(w.oms.t)->live);
    CHECK_EQ(order_totals(cut.table)->done + order_totals(cut.table)->live,
             w.oms.counts.live_max + w.oms.counts.done_kept);
    CHECK_MEM(cut.position, all.position, sizeof(cut.position));
    free(cut.table_memory);
    oms_free(&w.oms);
}

/* ---- the schemas before ---- */

/* Written by a gateway of that schema, which was killed with three orders resting. */
TEST(journals_of_the_schemas_before_are_read)
{
    static const struct {
        uint32_t schema;
        ssize_t bytes;
        unsigned denied[3]; /* accepted, PRICE_COLLAR, HALTED */
        uint64_t trades;
    } old[] = { { 1, 8208, { 6, 1, 1 }, 2 }, { 2, 9224, { 4, 1, 0 }, 1 }, { 3, 9784, { 5, 0, 0 }, 1 } };
    static _Alignas(64) uint8_t bytes[SEGMENT];
    const struct order_counts counts = { .live_max = 64, .done_kept = 64, .trades_kept = 64, .keys_kept = 64 };
    const char *source = getenv("EXECGW_SOURCE");

    for (unsigned i = 0; i < ARRAY_LEN(old); i++) {
        struct journal_segment seg = { bytes, sizeof(bytes), "old.seg" };
        struct journal_reader r;
        struct journal_record rec;
        struct fault fault = { "" };
        char path[512];
        unsigned denials[DENY_REASON_COUNT] = { 0 };

        (void)snprintf(path, sizeof(path), "%s/tests/data/journal/schema%u.seg", source != NULL ? source : ".",
                       old[i].schema);
        memset(bytes, 0, sizeof(bytes));
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        CHECK(fd >= 0);
        ssize_t got = read(fd, bytes, sizeof(bytes)); /* as it stood in the file, without the zeros behind */
        (void)close(fd);
        CHECK_EQ(got, old[i].bytes);

        struct journal_segment_header h;
        CHECK(journal_header_check(&seg, &h, &fault));
        CHECK_EQ(h.schema, old[i].schema);
        CHECK(journal_reader_init(&r, &seg, 1, &fault));
        while (journal_reader_next(&r, &rec, &fault) == JOURNAL_READ_OK) {
            CHECK(journal_payload_ok(&rec));
            if (rec.type == JOURNAL_INTENT)
                denials[((const struct order_intent *)rec.payload)->deny]++;
        }
        CHECK_EQ(r.ended, JOURNAL_READ_END);
        CHECK_EQ(denials[DENY_NONE], old[i].denied[0]);
        CHECK_EQ(denials[DENY_PRICE_COLLAR], old[i].denied[1]);
        CHECK_EQ(denials[DENY_HALTED], old[i].denied[2]);

        struct journal_replayed out;
        size_t room = order_table_footprint(&counts);
        void *mem = calloc(1, room + 64);
        struct arena arena = { .base = (uint8_t *)mem, .size = room };
        struct order_table *t = order_table_init(&counts, h.identity.instance, &arena);
        CHECK(journal_replay(&seg, 1, &h.identity, t, NULL, &out, &fault));
        CHECK_EQ(out.live, 3);
        CHECK_EQ(out.unknown, 0);
        CHECK_EQ(out.orphans, 0);
        CHECK(!out.clean_stop && !out.killed);
        CHECK_EQ(order_totals(t)->trades, old[i].trades);
        free(mem);
    }
}

/* ---- marks and the day ---- */

TEST(the_day_is_refused_when_its_elements_are_not_of_this_build)
{
    struct {
        struct journal_day head;
        struct journal_day_group group[2];
    } d = { .head = { .reporting = "USDT", .count = 2, .bytes = sizeof(struct journal_day_group) } };
    struct journal_record rec = {
        .type = JOURNAL_DAY, .version = MESSAGE_VERSION, .payload = &d, .payload_bytes = sizeof(d)
    };

    CHECK(journal_payload_ok(&rec));
    d.head.count = 1;
    CHECK(!journal_payload_ok(&rec));
    d.head.count = 2;
    d.head.bytes += 8;
    CHECK(!journal_payload_ok(&rec));
    d.head.bytes -= 8;
    d.head.reporting[CURRENCY_BYTES - 1] = 'X';
    CHECK(!journal_payload_ok(&rec));
    rec.payload_bytes = 8;
    CHECK(!journal_payload_ok(&rec));
}

/* Every field at its longest. */
TEST(a_record_of_marks_or_of_the_day_fits_a_printed_line)
{
    static struct journal_text text;
    char line[JOURNAL_TEXT_LINE];
    struct {
        struct journal_marks head;
        struct journal_mark mark[JOURNAL_MARKS_MAX];
    } m = { .head = { .reporting = "ELEVENCHARS", .count = JOURNAL_MARKS_MAX, .bytes = sizeof(struct journal_mark) } };
    struct {
        struct journal_day head;
        struct journal_day_group group[JOURNAL_DAY_MAX];
    } d = { .head = {
                .reporting = "ELEVENCHARS", .count = JOURNAL_DAY_MAX, .bytes = sizeof(struct journal_day_group) } };

    for (unsigned i = 0; i < JOURNAL_MARKS_MAX; i++)
        m.mark[i] = (struct journal_mark){ 1000 + i, 1000000000, -INT64_MAX, INT64_MAX };
    for (unsigned i = 0; i < JOURNAL_DAY_MAX; i++)
        d.group[i] = (struct journal_day_group){ .level = LEVEL_CLIENT,
                                                 .id = 58 + i,
                                                 .result = -INT64_MAX,
                                                 .best = INT64_MAX,
                                                 .value = INT64_MAX,
                                                 .fees = -INT64_MAX,
                                                 .messages = UINT32_MAX,
                                                 .fills = UINT32_MAX,
                                                 .executions = UINT32_MAX };
    struct journal_record rec = { .type = JOURNAL_MARKS,
                                  .version = MESSAGE_VERSION,
                                  .seq = UINT64_MAX,
                                  .wall_ns = INT64_MAX,
                                  .mono_ns = INT64_MAX,
                                  .payload = &m,
                                  .payload_bytes = sizeof(m) };
    journal_text_init(&text);
    CHECK(journal_text_json(&text, &rec, line, sizeof(line)) < sizeof(line) - 1);
    CHECK(line[strlen(line) - 1] == '}');
    CHECK(strstr(line, "\"mark_1015\":\"-9223372036854775807\"") != NULL);
    rec.type = JOURNAL_DAY;
    rec.payload = &d;
    rec.payload_bytes = sizeof(d);
    CHECK(journal_text_json(&text, &rec, line, sizeof(line)) < sizeof(line) - 1);
    CHECK(line[strlen(line) - 1] == '}');
    CHECK(strstr(line, "\"strategy_63_executions\":4294967295") != NULL);
    struct {
        struct journal_windows head;
        struct journal_window window[JOURNAL_WINDOWS_MAX];
    } w = { .head = {
                .reporting = "ELEVENCHARS", .count = JOURNAL_WINDOWS_MAX, .bytes = sizeof(struct journal_window) } };
    for (unsigned i = 0; i < JOURNAL_WINDOWS_MAX; i++)
        w.window[i] = (struct journal_window){ .kind = i % 2,
                                               .level = LEVEL_CLIENT,
                                               .id = 56 + i,
                                               .since_ns = INT64_MAX,
                                               .samples = UINT32_MAX,
                                               .beyond = UINT32_MAX,
                                               .best = INT64_MAX,
                                               .before = -INT64_MAX };
    rec.type = JOURNAL_WINDOWS;
    rec.payload = &w;
    rec.payload_bytes = sizeof(w);
    CHECK(journal_payload_ok(&rec));
    CHECK(journal_text_json(&text, &rec, line, sizeof(line)) < sizeof(line) - 1);
    CHECK(line[strlen(line) - 1] == '}');
    CHECK(strstr(line, "\"strategy_62_rejects_count\":4294967295") != NULL);
    CHECK(strstr(line, "\"strategy_63_loss_before\":\"-92233720368.54775807\"") != NULL);
}

TEST(a_payload_of_an_older_form_is_made_as_long_as_this_build_s)
{
    static const uint8_t bytes[64] = { 1, 2, 3 };
    _Alignas(8) uint8_t room[JOURNAL_PAYLOAD_MAX];
    struct journal_record rec = {
        .type = JOURNAL_NOTE, .version = MESSAGE_VERSION, .payload = bytes, .payload_bytes = sizeof(bytes)
    };

    journal_payload_widen(&rec, room); /* shorter than it ever was: left to be refused */
    CHECK(rec.payload == bytes && !journal_payload_ok(&rec));
    rec.type = 0x7fff;
    journal_payload_widen(&rec, room);
    CHECK(rec.payload == bytes);
}

TEST_MAIN()
