/* An order table with a mint, for tests: orders by short names, deltas added up as risk would. */
#ifndef EXECGW_TESTS_OMS_FIXTURE_H
#define EXECGW_TESTS_OMS_FIXTURE_H

#include "engine/oms/order_table.h"
#include "tests/test.h"

#define OMS_CLIENTS 4
#define OMS_INSTR   3

/* What risk would hold: it must be what the orders themselves add up to. */
struct oms_sums {
    qty_t reserved[OMS_INSTR][2];
    qty_t position[OMS_INSTR];
    int64_t open;
    int64_t unknown;
};

struct oms {
    struct order_table *t;
    struct clordid_mint mint;
    struct order_counts counts;
    struct oms_sums sums;
    uint64_t next_key;
    int64_t mono_ns;
    void *memory;
    size_t memory_bytes;
    struct order_delta d; /* of the last change */
};

static inline void
oms_sum(struct oms_sums *s, const struct order_delta *d)
{
    if (d->client == CLIENT_NONE)
        return;
    ASSERT(d->instrument < OMS_INSTR);
    s->reserved[d->instrument][d->side] += d->reserved_change;
    ASSERT(s->reserved[d->instrument][d->side] >= 0);
    s->position[d->instrument] += d->side == SIDE_BUY ? d->fill_qty : -d->fill_qty;
    s->open += d->open_change;
    s->unknown += d->unknown_change;
    ASSERT(s->open >= 0 && s->unknown >= 0);
}

static inline struct order_table *
oms_table(const struct order_counts *c, void **memory, size_t *bytes)
{
    *bytes = order_table_footprint(c);
    *memory = aligned_alloc(64, (*bytes + 63) & ~(size_t)63);
    struct arena a = { .base = *memory, .size = *bytes };
    return order_table_init(c, "g1", &a);
}

static inline void
oms_init(struct oms *o, uint32_t live_max, uint32_t done_kept)
{
    memset(o, 0, sizeof(*o));
    o->counts =
        (struct order_counts){ .live_max = live_max, .done_kept = done_kept, .trades_kept = 4096, .keys_kept = 8 };
    o->t = oms_table(&o->counts, &o->memory, &o->memory_bytes);
    (void)clordid_mint_init(&o->mint, "g1", 1790000000, 0);
    o->mono_ns = 1000;
}

static inline void
oms_free(struct oms *o)
{
    free(o->memory);
}

static inline struct order_intent
oms_intent(struct oms *o, uint32_t client, uint32_t instrument, enum side side, qty_t qty)
{
    struct order_intent in = { .command = { .version = MESSAGE_VERSION,
                                            .verb = COMMAND_NEW,
                                            .client = client,
                                            .key = ++o->next_key,
                                            .instrument = instrument,
                                            .instrument_version = 1,
                                            .side = (uint8_t)side,
                                            .px = 10000,
                                            .qty = qty,
                                            .client_seq = o->next_key },
                               .qty = qty,
                               .limits_version = 1,
                               .risk_mono_ns = ++o->mono_ns };
    (void)clordid_mint_next(&o->mint, in.clordid);
    return in;
}

static inline uint32_t
oms_apply_intent(struct oms *o, const struct order_intent *in)
{
    CHECK(order_intent_fault(o->t, in) == NULL);
    uint32_t slot = order_table_intent(o->t, in, &o->d);
    oms_sum(&o->sums, &o->d);
    return slot;
}

static inline uint32_t
oms_new(struct oms *o, enum side side, qty_t qty)
{
    struct order_intent in = oms_intent(o, 1, 0, side, qty);
    return oms_apply_intent(o, &in);
}

static inline uint32_t
oms_replace(struct oms *o, uint32_t old, qty_t qty)
{
    struct order_intent in = oms_intent(o, order_at(o->t, old)->client, order_at(o->t, old)->instrument,
                                        (enum side)order_at(o->t, old)->side, qty);
    in.command.verb = COMMAND_REPLACE;
    in.command.target_key = order_at(o->t, old)->key;
    memcpy(in.target_clordid, order_at(o->t, old)->clordid, CLORDID_BYTES);
    return oms_apply_intent(o, &in);
}

static inline struct order_intent
oms_amend_intent(struct oms *o, uint32_t slot, px_t px, qty_t qty)
{
    struct order_intent in = oms_intent(o, order_at(o->t, slot)->client, order_at(o->t, slot)->instrument,
                                        (enum side)order_at(o->t, slot)->side, qty);
    in.command.verb = COMMAND_REPLACE;
    in.command.target_key = order_at(o->t, slot)->key;
    in.command.px = px;
    in.flags = ORDER_INTENT_AMEND;
    memcpy(in.clordid, order_at(o->t, slot)->clordid, CLORDID_BYTES);
    memcpy(in.target_clordid, in.clordid, CLORDID_BYTES);
    return in;
}

static inline uint32_t
oms_amend(struct oms *o, uint32_t slot, px_t px, qty_t qty)
{
    struct order_intent in = oms_amend_intent(o, slot, px, qty);
    return oms_apply_intent(o, &in);
}

static inline struct order_event
oms_event(struct oms *o, uint32_t slot, enum order_event_kind kind)
{
    struct order_event ev = { .kind = (uint8_t)kind, .trade_id = -1, .mono_ns = ++o->mono_ns };
    memcpy(ev.clordid, order_at(o->t, slot)->clordid, CLORDID_BYTES);
    return ev;
}

static inline enum order_outcome
oms_apply(struct oms *o, uint32_t slot, const struct order_event *ev)
{
    enum order_outcome out = order_table_event(o->t, slot, ev, &o->d);
    oms_sum(&o->sums, &o->d);
    return out;
}

static inline enum order_outcome
oms_on(struct oms *o, uint32_t slot, enum order_event_kind kind)
{
    struct order_event ev = oms_event(o, slot, kind);
    return oms_apply(o, slot, &ev);
}

static inline enum order_outcome
oms_fill(struct oms *o, uint32_t slot, int64_t trade_id, qty_t qty)
{
    struct order_event ev = oms_event(o, slot, ORDER_EV_FILL);
    ev.trade_id = trade_id;
    ev.last_qty = qty;
    ev.last_px = 10000;
    return oms_apply(o, slot, &ev);
}

/* A terminal report that says how much the venue has filled. */
static inline enum order_outcome
oms_end(struct oms *o, uint32_t slot, enum order_event_kind kind, qty_t cum_qty)
{
    struct order_event ev = oms_event(o, slot, kind);
    ev.cum_qty = cum_qty;
    return oms_apply(o, slot, &ev);
}

static inline enum order_outcome
oms_status(struct oms *o, uint32_t slot, enum order_state state, qty_t cum_qty, bool proven)
{
    struct order_event ev = oms_event(o, slot, ORDER_EV_STATUS);
    ev.state = (uint8_t)state;
    ev.cum_qty = cum_qty;
    ev.px = order_at(o->t, slot)->px; /* as we know it */
    ev.qty = order_at(o->t, slot)->qty;
    ev.flags = proven ? ORDER_EVENT_PROVEN : 0;
    return oms_apply(o, slot, &ev);
}

#define OMS_STATE(o, slot)   order_at((o)->t, slot)->state
#define OMS_REQUEST(o, slot) order_at((o)->t, slot)->request
#define OMS_CUM(o, slot)     order_at((o)->t, slot)->cum_qty
#define OMS_AMEND(o, slot)   order_amend_at((o)->t, slot)

/* What each order says must be what the deltas have added up to. */
static inline void
oms_sums_match(struct oms *o)
{
    struct oms_sums is = { 0 };
    int walk = order_walk_open(o->t, CLIENT_NONE);
    uint32_t slot;

    while ((slot = order_walk_next(o->t, walk)) != ORDER_NONE) {
        const struct order * or = order_at(o->t, slot);
        CHECK(order_live(or));
        is.reserved[or->instrument][or->side] += or->reserved;
        is.open++;
        is.unknown += order_unknown(or);
    }
    CHECK_MEM(is.reserved, o->sums.reserved, sizeof(is.reserved));
    CHECK_EQ(is.open, o->sums.open);
    CHECK_EQ(is.unknown, o->sums.unknown);
    CHECK_EQ(order_totals(o->t)->live, o->sums.open);
    CHECK_EQ(order_totals(o->t)->unknown, o->sums.unknown);
}

#endif
