/* Risk and order table together against a venue whose truth runs ahead of its reports.
 *
 * Requests arrive late or never, fills and cancels happen at the venue long before we hear of them, and what we hear
 * comes in any order and twice. Whatever happens: what is really held plus everything really open or on its way never
 * passes a limit of position, nor one of exposure, nor what the account owns; and when the last report is in, both
 * sides agree and nothing is reserved.
 *
 * EXECGW_SEQUENCES=N runs N more sequences, short ones, after those of every day. */
#include "risk/risk.h"
#include "tests/oms_fixture.h"

#define LONG_MAX_QTY  3000
#define SHORT_MAX_QTY 2000
#define MARK_PX       99               /* the middle of 99 and 100, rounded down */
#define GROSS_MAX     (2200 * MARK_PX) /* binds before the long limit */
#define QUOTE_OWNED   INT64_C(230000)
#define BASE_OWNED    INT64_C(900)
#define NOW_NS        (INT64_C(1000) * NS_PER_S)
#define ORDERS        4096
#define REPORTS       16384

enum limited { BY_POSITION, BY_EXPOSURE, BY_BALANCE, LIMITED_COUNT };

enum place { AT_US, ON_THE_WAY, AT_VENUE, LOST, OVER };

struct real_order {
    uint32_t slot; /* while we know it as live */
    char clordid[CLORDID_BYTES];
    enum place place;
    uint8_t side;
    qty_t leaves;
    qty_t filled;
    px_t px;
    int cancels;        /* real order that this one cancels on arrival, or -1 */
    bool cancel_coming; /* a cancel request is on its way */
};

struct world {
    struct oms o;
    struct risk *r;
    struct instrument ins;
    struct md_ref md;
    struct now now;
    struct real_order order[ORDERS];
    unsigned orders;
    struct order_event report[REPORTS];
    unsigned reports;
    qty_t position;
    int64_t quote; /* what is really left of it */
    enum limited limited;
    int64_t trade_id;
    unsigned accepted, denied_position, replaces;
};

static struct world w;
static _Alignas(64) uint8_t risk_memory[8 << 20];
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
world_init(enum limited limited)
{
    struct arena a = { .base = risk_memory, .size = sizeof(risk_memory) };
    struct risk_counts counts = { .accounts = 1, .instruments = 1 };
    static struct risk_limits l;
    const struct rate_limit fast = { .per_s = 1000000, .burst = 1000000 };
    const struct risk_venue up = { .logged_on = true,
                                   .stream_in_step = true,
                                   .reconciled = true,
                                   .clock_known = true,
                                   .has_balances = limited == BY_BALANCE };
    struct fault fault;

    memset(&w, 0, sizeof(w));
    oms_init(&w.o, 64, 64);
    w.now = (struct now){ .mono = { NOW_NS }, .wall = { NOW_NS } };
    w.r = risk_init(&counts, &a);
    limits_default(&l);
    l.version = 1;
    l.instrument_default.position_long_max = LONG_MAX_QTY * VALUE_ONE;
    l.instrument_default.position_short_max = SHORT_MAX_QTY * VALUE_ONE;
    l.instrument_default.order_notional_max = 1000000 * VALUE_ONE;
    l.instrument_default.order_rate = l.client_default.order_rate = l.account_default.order_rate =
        l.venue_default.order_rate = fast;
    l.duplicate_max = LIMIT_COUNT_NONE;
    l.client_default.messages_per_fill_max = LIMIT_COUNT_NONE;
    l.client_default.replace_rate = fast;
    if (limited == BY_EXPOSURE) {
        memcpy(l.reporting, "USD", 4);
        l.global.gross_max = l.client_default.group.gross_max = GROSS_MAX * VALUE_ONE;
    }
    CHECK(risk_set_limits(w.r, &l, w.now, &fault));
    w.ins = (struct instrument){ .version = 1,
                                 .status = INSTRUMENT_TRADING,
                                 .order_types = 1,
                                 .tifs = 1,
                                 .multiplier = VALUE_ONE,
                                 .tick = 1,
                                 .step = 1,
                                 .qty_min = 1,
                                 .qty_max = 100000,
                                 .base_ccy = 1,
                                 .quote_ccy = 2,
                                 .base = "ABC",
                                 .quote = "USD" };
    w.limited = limited;
    w.quote = QUOTE_OWNED;
    CHECK(risk_set_instrument(w.r, &w.ins, w.now, &fault));
    risk_set_venue(w.r, 0, &up);
    risk_arm(w.r, true);
    risk_set_position(w.r, 0, 0, 0, true);
    risk_set_balance(w.r, 0, 1, BASE_OWNED * VALUE_ONE, 0);
    risk_set_balance(w.r, 0, 2, QUOTE_OWNED * VALUE_ONE, 0);
    w.md.tob = (struct top_of_book){
        .bid_px = 99, .ask_px = 100, .recv_ns = NOW_NS, .instrument_version = 1, .state = BOOK_LIVE
    };
    w.md.good = w.md.tob;
}

static void
ours_event(uint32_t slot, const struct order_event *ev)
{
    (void)oms_apply(&w.o, slot, ev);
    if (w.o.d.client != CLIENT_NONE)
        risk_apply(w.r, &w.o.d);
}

static void
venue_says(const struct real_order *real, enum order_event_kind kind, qty_t last_qty)
{
    ASSERT(w.reports < REPORTS);
    struct order_event ev = { .kind = (uint8_t)kind, .trade_id = -1, .cum_qty = real->filled, .last_qty = last_qty };
    memcpy(ev.clordid, real->clordid, CLORDID_BYTES);
    if (kind == ORDER_EV_FILL) {
        ev.trade_id = ++w.trade_id;
        ev.last_px = real->px;
    }
    w.report[w.reports++] = ev;
    if (rng(4) == 0 && w.reports < REPORTS)
        w.report[w.reports++] = ev;
}

static void
venue_cancel(struct real_order *real)
{
    if (real->place != AT_VENUE)
        return;
    real->place = OVER;
    real->leaves = 0;
    venue_says(real, ORDER_EV_CANCELED, 0);
}

/* A request reaches the venue. A replacing order is placed only when the old one could be canceled. */
static void
venue_arrive(struct real_order *real)
{
    if (real->cancels >= 0) {
        struct real_order *old = &w.order[real->cancels];
        if (old->place != AT_VENUE) {
            venue_says(old, ORDER_EV_CANCEL_REJECTED, 0);
            venue_says(real, ORDER_EV_REJECTED, 0);
            real->place = OVER;
            real->leaves = 0;
            return;
        }
        venue_cancel(old);
    }
    real->place = AT_VENUE;
    venue_says(real, ORDER_EV_ACK, 0);
}

static void
venue_fill(struct real_order *real)
{
    qty_t q = rng(3) == 0 ? real->leaves : (qty_t)rng((uint64_t)real->leaves) + 1;

    real->leaves -= q;
    real->filled += q;
    w.position += real->side == SIDE_BUY ? q : -q;
    w.quote += real->side == SIDE_BUY ? -q * real->px : q * real->px;
    if (real->leaves == 0)
        real->place = OVER;
    venue_says(real, ORDER_EV_FILL, q);
}

static void
venue_acts(struct real_order *real)
{
    switch (real->place) {
    case ON_THE_WAY:
        if (rng(8) == 0) {
            real->place = LOST;
            if (real->cancels >= 0) /* the cancel half is lost with it */
                venue_says(&w.order[real->cancels], ORDER_EV_CANCEL_REJECTED, 0);
        } else
            venue_arrive(real);
        break;
    case AT_VENUE:
        if (real->cancel_coming && rng(3) == 0)
            venue_cancel(real);
        else if (rng(10) == 0) {
            real->place = OVER;
            real->leaves = 0;
            venue_says(real, ORDER_EV_EXPIRED, 0);
        } else
            venue_fill(real);
        break;
    case LOST: /* proven after its deadline */
        if (rng(4) == 0) {
            real->place = OVER;
            real->leaves = 0;
            venue_says(real, ORDER_EV_NOT_PLACED, 0);
        }
        break;
    case AT_US:
    case OVER: break;
    }
}

static void
we_submit(void)
{
    struct real_order *real = &w.order[w.orders];
    struct risk_order o = { .client = 1,
                            .instrument_version = 1,
                            .ins = &w.ins,
                            .side = (uint8_t)rng(2),
                            .type = ORDER_LIMIT,
                            .tif = TIF_GTC,
                            .qty = (qty_t)rng(900) + 1 };
    struct risk_verdict v;
    int target = -1;

    if (w.orders == ORDERS || !order_table_room(w.o.t))
        return;
    if (w.orders > 0 && rng(4) == 0) {
        int t = (int)rng(w.orders);
        uint32_t slot = order_find(w.o.t, w.order[t].clordid);
        if (slot != ORDER_NONE && order_live(order_at(w.o.t, slot)) && order_at(w.o.t, slot)->request == REQUEST_NONE) {
            target = t;
            o.side = w.order[t].side;
            o.replace = true;
            o.replaced_side = o.side;
            o.replaced_leaves = order_leaves(order_at(w.o.t, slot));
        }
    }
    o.px = o.side == SIDE_BUY ? 100 : 99;
    enum deny_reason why = risk_check(w.r, &o, &w.md, w.now, &v);
    w.denied_position += why == DENY_POSITION || why == DENY_EXPOSURE || why == DENY_BALANCE;
    if (why != DENY_NONE)
        return;
    struct order_intent in = oms_intent(&w.o, 1, 0, (enum side)o.side, o.qty);
    in.command.px = o.px;
    if (target >= 0) {
        in.command.verb = COMMAND_REPLACE;
        memcpy(in.target_clordid, w.order[target].clordid, CLORDID_BYTES);
        w.replaces++;
    }
    (void)oms_apply_intent(&w.o, &in);
    risk_apply(w.r, &w.o.d);
    *real = (struct real_order){ .place = ON_THE_WAY, .side = o.side, .leaves = o.qty, .px = o.px, .cancels = target };
    memcpy(real->clordid, in.clordid, CLORDID_BYTES);
    w.orders++;
    w.accepted++;
}

static void
we_act(struct real_order *real)
{
    uint32_t slot = order_find(w.o.t, real->clordid);
    if (slot == ORDER_NONE || !order_live(order_at(w.o.t, slot)))
        return;
    struct order_event ev = oms_event(&w.o, slot, rng(2) == 0 ? ORDER_EV_CANCEL_SENT : ORDER_EV_UNKNOWN);
    real->cancel_coming |= ev.kind == ORDER_EV_CANCEL_SENT;
    ours_event(slot, &ev);
}

/* Any report of those under way. */
static void
deliver(void)
{
    unsigned i = (unsigned)rng(w.reports);
    struct order_event ev = w.report[i];

    w.report[i] = w.report[--w.reports];
    uint32_t slot = order_find(w.o.t, ev.clordid);
    if (slot != ORDER_NONE)
        ours_event(slot, &ev);
}

static void
exposure_within_limits(uint64_t seed, int step)
{
    qty_t up = w.position;
    qty_t down = w.position;
    int64_t quote = w.quote;

    for (unsigned i = 0; i < w.orders; i++) {
        if (w.order[i].place == OVER || w.order[i].place == LOST)
            continue;
        if (w.order[i].side == SIDE_BUY) {
            up += w.order[i].leaves;
            quote -= w.order[i].leaves * w.order[i].px;
        } else {
            down -= w.order[i].leaves;
        }
    }
    if (w.limited == BY_EXPOSURE && MAX(up, -down) * MARK_PX > GROSS_MAX)
        fail_msg("seed %llu step %d: really %lld long or %lld short, past the limit of exposure",
                 (unsigned long long)seed, step, (long long)up, (long long)down);
    if (w.limited == BY_BALANCE && (quote < 0 || BASE_OWNED + down < 0))
        fail_msg("seed %llu step %d: %lld of the quote currency and %lld of the base would be left",
                 (unsigned long long)seed, step, (long long)quote, (long long)(BASE_OWNED + down));
    if (up > LONG_MAX_QTY || down < -SHORT_MAX_QTY)
        fail_msg("seed %llu step %d: really %lld long or %lld short", (unsigned long long)seed, step, (long long)up,
                 (long long)down);
}

/* The venue comes to an end with everything, and we hear of all of it: both agree, nothing is held back. */
static void
world_ends(void)
{
    for (unsigned i = 0; i < w.orders; i++) {
        struct real_order *real = &w.order[i];
        for (int k = 0; k < 200 && real->place != OVER; k++) {
            real->cancel_coming = true;
            venue_acts(real);
        }
        CHECK_EQ(real->place, OVER);
    }
    while (w.reports > 0)
        deliver();
    const struct position *p = risk_position(w.r, 0, 0);
    struct risk_group g;
    value_t free;
    CHECK_EQ(p->qty, w.position);
    CHECK_EQ(p->reserved[SIDE_BUY], 0);
    CHECK_EQ(p->reserved[SIDE_SELL], 0);
    CHECK_EQ(p->open_count, 0);
    CHECK_EQ(p->unknown_count, 0);
    CHECK_EQ(risk_totals(w.r)->open_total, 0);
    CHECK_EQ(order_totals(w.o.t)->live, 0);
    CHECK_EQ(order_totals(w.o.t)->overfills, 0);
    CHECK(risk_group(w.r, LEVEL_GLOBAL, 0, &g));
    CHECK_EQ(g.open_value, 0);
    CHECK_EQ(g.net_long, g.net_short);
    CHECK(risk_free_balance(w.r, 0, 2, &free));
    CHECK_EQ(free, MAX(w.quote, 0) * VALUE_ONE);
}

static void
sequence(uint64_t seed, int steps, enum limited limited)
{
    rng_state = seed * 0x9e3779b97f4a7c15u;
    world_init(limited);
    uint64_t haste = rng(8) + 1; /* how many reports come per step of the venue */
    for (int step = 0; step < steps; step++) {
        unsigned first = w.orders > 80 ? w.orders - 80 : 0;
        if (rng(3) == 0)
            we_submit();
        if (w.orders > first && rng(2) == 0)
            venue_acts(&w.order[first + rng(w.orders - first)]);
        if (w.orders > first && rng(6) == 0)
            we_act(&w.order[first + rng(w.orders - first)]);
        if (w.reports > 0 && rng(8) < haste)
            deliver();
        exposure_within_limits(seed, step);
    }
    world_ends();
    oms_free(&w.o);
}

TEST(exposure_at_the_venue_never_passes_a_limit_however_late_its_reports_are)
{
    const char *more = getenv("EXECGW_SEQUENCES");
    uint64_t sequences = more != NULL ? strtoull(more, NULL, 10) : 0;

    for (enum limited limited = BY_POSITION; limited < LIMITED_COUNT; limited++) {
        unsigned accepted = 0;
        unsigned denied = 0;
        unsigned replaces = 0;
        for (uint64_t seed = 1; seed <= 120; seed++) {
            sequence(seed, 1500, limited);
            accepted += w.accepted;
            denied += w.denied_position;
            replaces += w.replaces;
        }
        printf("%d: %u accepted, %u denied by a limit, %u replaces\n", (int)limited, accepted, denied, replaces);
        CHECK(accepted > 3000 && denied > 300 && replaces > 100); /* it was worth running */
    }
    for (uint64_t seed = 1; seed <= sequences; seed++)
        sequence(seed, 40, (enum limited)(seed % LIMITED_COUNT));
    if (sequences > 0)
        printf("%llu more sequences\n", (unsigned long long)sequences);
}

TEST_MAIN()
