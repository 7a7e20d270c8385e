/* The controls beside sizes and money: permissions, market orders, self-match, parents, breakers, what counts. At the
 * limit and one past it, new orders and replaces, buys and sells; what is missing denies; reductions pass. */
#include "tests/risk_fixture.h"

#define STEP 5

/* ---- who may do what --------------------------------------------------------------------------------------------- */

TEST(an_order_is_of_the_account_that_its_venue_trades_for)
{
    struct fixture f;
    struct risk_venue v = venue_up();
    fixture_init(&f);
    for (unsigned replace = 0; replace < 2; replace++) {
        f.o.replace = replace;
        f.o.account = ACCOUNT + 1;
        v.account = ACCOUNT;
        risk_set_venue(f.r, 0, &v);
        CHECK_EQ(check(&f), DENY_NOT_PERMITTED);
        CHECK_EQ(risk_peek(f.r, &f.o, &f.md, f.now, &f.v), DENY_NOT_PERMITTED);
        CHECK_EQ(risk_whatif(f.r, &f.o, &f.md, f.now, &f.v), 0);
        CHECK_EQ(f.v.reason, DENY_NOT_PERMITTED);
        v.account = ACCOUNT + 1;
        risk_set_venue(f.r, 0, &v);
        CHECK_EQ(check(&f), DENY_NONE);
        f.o.account = ACCOUNT;
        CHECK_EQ(check(&f), DENY_NOT_PERMITTED);
    }
}

TEST(a_strategy_may_use_its_accounts_instruments_and_verbs_alone)
{
    struct fixture f;
    fixture_init(&f);
    f.lim.client_set = UINT64_C(1) << CLIENT;
    f.lim.client[CLIENT] = f.lim.client_default;
    f.lim.client[CLIENT].accounts = 1u << 1;
    apply_limits(&f);
    CHECK_EQ(check(&f), DENY_NOT_PERMITTED);
    f.lim.client[CLIENT].accounts = 1u << ACCOUNT;
    f.lim.client[CLIENT].verbs = 1u << COMMAND_REPLACE;
    apply_limits(&f);
    CHECK_EQ(check(&f), DENY_NOT_PERMITTED);
    f.o.replace = true;
    CHECK_EQ(check(&f), DENY_NONE);
    f.lim.client[CLIENT].verbs = 1u << COMMAND_NEW;
    apply_limits(&f);
    CHECK_EQ(check(&f), DENY_NOT_PERMITTED);
    f.o.replace = false;
    CHECK_EQ(check(&f), DENY_NONE);
    f.lim.client[CLIENT].symbols_only = true;
    apply_limits(&f);
    CHECK_EQ(check(&f), DENY_NOT_PERMITTED);
    f.lim.permit_count = 1;
    f.lim.permit[0] = (struct permit){ .client = CLIENT, .symbol = "ABCUSD" };
    apply_limits(&f);
    CHECK_EQ(check(&f), DENY_NONE);
    f.lim.permit[0].client = CLIENT + 1;
    apply_limits(&f);
    CHECK_EQ(check(&f), DENY_NOT_PERMITTED);
    risk_set_position(f.r, ACCOUNT, INSTR, -1000, true); /* no reduction changes who may */
    CHECK_EQ(check(&f), DENY_NOT_PERMITTED);
    CHECK_EQ(risk_check_cancel(f.r, CLIENT, f.now, &f.v), DENY_NONE);
}

/* ---- what an order may look like --------------------------------------------------------------------------------- */

TEST(good_till_date_ends_in_the_future)
{
    struct fixture f;
    fixture_init(&f);
    f.ins.tifs |= 1u << TIF_GTD;
    f.o.tif = TIF_GTD;
    CHECK_EQ(check(&f), DENY_INVALID_ORDER);
    AT_LIMIT_AND_PAST(&f, f.o.expire_wall_ns = NOW_NS + 1, f.o.expire_wall_ns = NOW_NS, DENY_INVALID_ORDER);
    f.o.tif = TIF_GTC; /* a date belongs to GTD alone */
    f.o.expire_wall_ns = NOW_NS + 1;
    CHECK_EQ(check(&f), DENY_INVALID_ORDER);
}

TEST(a_stop_limit_is_held_to_its_trigger)
{
    struct fixture f;
    fixture_init(&f);
    f.lim.instrument_default.collar_ppm = 10000;
    apply_limits(&f);
    f.o.type = ORDER_STOP_LIMIT;
    CHECK_EQ(check(&f), DENY_INVALID_ORDER); /* the venue has none; and there is no trigger */
    f.ins.order_types |= 1u << ORDER_STOP_LIMIT;
    CHECK_EQ(check(&f), DENY_INVALID_ORDER);
    f.o.trigger_px = 11000;
    AT_LIMIT_AND_PAST(&f, f.o.px = 11110, f.o.px = 11120, DENY_PRICE_COLLAR);
    f.o.side = SIDE_SELL;
    f.o.trigger_px = 9000;
    AT_LIMIT_AND_PAST(&f, f.o.px = 8910, f.o.px = 8900, DENY_PRICE_COLLAR);
    f.o.px = 8910;
    f.o.trigger_px = 9001;
    CHECK_EQ(check(&f), DENY_INCREMENT);
    f.o.type = ORDER_LIMIT;
    CHECK_EQ(check(&f), DENY_INVALID_ORDER);
}

static void
market_order(struct fixture *f, enum side side)
{
    fixture_init(f);
    f->lim.instrument_default.collar_ppm = 10000;
    apply_limits(f);
    f->o.side = (uint8_t)side;
    f->o.type = ORDER_MARKET;
    f->o.tif = TIF_IOC;
    f->o.px = 0;
    f->o.sweep_qty = f->o.qty;
    f->o.sweep_px = side == SIDE_BUY ? ASK : BID;
}

TEST(a_market_order_is_held_to_what_the_visible_book_would_fill)
{
    struct fixture f;
    market_order(&f, SIDE_BUY);
    AT_LIMIT_AND_PAST(&f, f.o.sweep_px = 10100, f.o.sweep_px = 10110, DENY_SWEEP);
    CHECK_EQ(f.v.limit, 10100);
    f.o.sweep_px = 10100;
    AT_LIMIT_AND_PAST(&f, f.o.sweep_qty = f.o.qty, f.o.sweep_qty = f.o.qty - 1, DENY_SWEEP);
    CHECK_EQ(f.v.px, 10100);
    market_order(&f, SIDE_SELL); /* 99.90 less one percent, rounded against us: 98.91 */
    AT_LIMIT_AND_PAST(&f, f.o.sweep_px = 9900, f.o.sweep_px = 9890, DENY_SWEEP);
    f.o.sweep_px = f.o.sweep_qty = 0; /* nobody walked the book */
    CHECK_EQ(check(&f), DENY_SWEEP);
}

TEST(a_market_order_has_no_price_and_replaces_nothing)
{
    struct fixture f;
    market_order(&f, SIDE_BUY);
    f.o.px = ASK;
    CHECK_EQ(check(&f), DENY_INVALID_ORDER);
    f.o.px = 0;
    f.o.replace = true;
    CHECK_EQ(check(&f), DENY_INVALID_ORDER);
    f.o.replace = false;
    f.ins.order_types = 1u << ORDER_LIMIT;
    CHECK_EQ(check(&f), DENY_INVALID_ORDER);
}

TEST(a_market_order_counts_at_its_worst_price)
{
    struct fixture f;
    market_order(&f, SIDE_BUY);
    f.o.sweep_px = 10100;
    AT_LIMIT_AND_PAST(&f, (f.lim.instrument_default.order_notional_max = 101 * VALUE_ONE, apply_limits(&f)),
                      (f.lim.instrument_default.order_notional_max = 101 * VALUE_ONE - 1, apply_limits(&f)),
                      DENY_ORDER_NOTIONAL);
    f.lim.instrument_default.order_notional_max = 1000 * VALUE_ONE;
    apply_limits(&f);
    risk_set_position(f.r, ACCOUNT, INSTR, -1000, true);
    f.md.tob.recv_ns = 0; /* a reduction needs a limit price: this one is none */
    CHECK_EQ(check(&f), DENY_STALE_MARKET);
}

/* ---- self-match -------------------------------------------------------------------------------------------------- */

static void
rest(struct fixture *f, uint32_t client, enum side side, px_t px, bool gone)
{
    struct order_delta d = { .account = ACCOUNT,
                             .instrument = INSTR,
                             .client = client,
                             .side = (uint8_t)side,
                             .rest_px = gone ? 0 : px,
                             .gone_px = gone ? px : 0 };
    risk_apply(f->r, &d);
}

TEST(no_order_trades_against_another_strategys_resting_one)
{
    struct fixture f;
    for (unsigned side = 0; side < 2; side++) {
        px_t worse = side == SIDE_BUY ? 10 : -10;
        for (unsigned replace = 0; replace < 2; replace++) {
            fixture_init(&f);
            f.o.side = (uint8_t)side;
            f.o.replace = replace;
            f.o.px = BID;
            rest(&f, CLIENT + 1, (enum side)(1 - side), BID, false);
            CHECK_EQ(check(&f), DENY_SELF_MATCH);
            CHECK_EQ(f.v.limit, BID);
            f.o.px = BID - worse; /* does not reach it */
            CHECK_EQ(check(&f), DENY_NONE);
            f.o.px = BID + worse;
            CHECK_EQ(check(&f), DENY_SELF_MATCH);
            rest(&f, CLIENT + 1, (enum side)(1 - side), BID, true);
            CHECK_EQ(check(&f), DENY_NONE);
        }
    }
}

TEST(self_match_can_cancel_the_resting_order_or_both)
{
    struct fixture f;
    fixture_init(&f);
    rest(&f, CLIENT, SIDE_SELL, ASK, false);
    f.lim.instrument_default.self_match = SELF_MATCH_CANCEL_RESTING;
    apply_limits(&f);
    CHECK_EQ(check(&f), DENY_NONE);
    CHECK(f.v.cancel_resting);
    CHECK_EQ(f.v.px, ASK);
    f.lim.instrument_default.self_match = SELF_MATCH_CANCEL_BOTH;
    apply_limits(&f);
    CHECK_EQ(check(&f), DENY_SELF_MATCH);
    CHECK(f.v.cancel_resting);
    f.lim.instrument_default.self_match = SELF_MATCH_DENY;
    apply_limits(&f);
    CHECK_EQ(check(&f), DENY_SELF_MATCH);
    CHECK(!f.v.cancel_resting);
    f.o.px = BID;
    CHECK_EQ(check(&f), DENY_NONE);
    CHECK(!f.v.cancel_resting);
}

TEST(a_market_order_meets_our_own_orders_at_its_worst_price)
{
    struct fixture f;
    market_order(&f, SIDE_BUY);
    f.o.sweep_px = 10050;
    rest(&f, CLIENT, SIDE_SELL, 10060, false);
    CHECK_EQ(check(&f), DENY_NONE);
    rest(&f, CLIENT, SIDE_SELL, 10050, false);
    CHECK_EQ(check(&f), DENY_SELF_MATCH);
}

/* ---- parents ----------------------------------------------------------------------------------------------------- */

static void
child(struct fixture *f, uint64_t parent, qty_t total, qty_t reserved, qty_t filled, int open)
{
    struct order_delta d = { .account = ACCOUNT,
                             .instrument = INSTR,
                             .client = CLIENT,
                             .side = f->o.side,
                             .open_change = (int8_t)open,
                             .reserved_change = reserved,
                             .fill_qty = filled,
                             .fill_px = ASK,
                             .parent_key = parent,
                             .parent_qty = total };
    risk_apply(f->r, &d);
}

TEST(children_never_exceed_their_parent)
{
    for (unsigned side = 0; side < 2; side++) {
        struct fixture f;
        fixture_init(&f);
        f.o.side = (uint8_t)side;
        f.o.parent_key = 100;
        CHECK_EQ(check(&f), DENY_PARENT); /* its total is missing */
        f.o.parent_qty = 3000;
        AT_LIMIT_AND_PAST(&f, f.o.qty = 3000, f.o.qty = 3000 + STEP, DENY_PARENT);
        child(&f, 100, 3000, 2000, 0, 1);
        AT_LIMIT_AND_PAST(&f, f.o.qty = 1000, f.o.qty = 1000 + STEP, DENY_PARENT);
        child(&f, 100, 3000, -1500, 1500, 0); /* what is filled stays used */
        AT_LIMIT_AND_PAST(&f, f.o.qty = 1000, f.o.qty = 1000 + STEP, DENY_PARENT);
        child(&f, 100, 3000, -500, 0, -1); /* the rest was canceled */
        AT_LIMIT_AND_PAST(&f, f.o.qty = 1500, f.o.qty = 1500 + STEP, DENY_PARENT);
        f.o.parent_qty = 4000; /* a parent does not grow */
        f.o.qty = 1000;
        CHECK_EQ(check(&f), DENY_PARENT);
        f.o.parent_qty = 3000;
        f.o.side = (uint8_t)(1 - side);
        CHECK_EQ(check(&f), DENY_PARENT);
    }
}

TEST(a_replacing_child_holds_beside_the_one_it_replaces_and_an_amended_one_the_difference)
{
    struct fixture f;
    fixture_init(&f);
    f.o.parent_key = 100;
    f.o.parent_qty = 3000;
    child(&f, 100, 3000, 2000, 0, 1);
    f.o.replace = true;
    f.o.replaced_side = SIDE_BUY;
    f.o.replaced_leaves = 2000;
    AT_LIMIT_AND_PAST(&f, f.o.qty = 1000, f.o.qty = 1000 + STEP, DENY_PARENT);
    f.o.amend = true;
    AT_LIMIT_AND_PAST(&f, f.o.qty = 3000, f.o.qty = 3000 + STEP, DENY_PARENT);
}

/* ---- breakers ---------------------------------------------------------------------------------------------------- */

static void
breaker_holds(struct fixture *f, enum trading_level level, uint32_t id, enum risk_trip_kind kind)
{
    struct risk_trip t;

    CHECK_EQ(check(f), DENY_BREAKER);
    f->o.replace = true;
    CHECK_EQ(check(f), DENY_BREAKER);
    f->o.replace = false;
    CHECK(risk_take_trip(f->r, &t));
    CHECK_EQ(t.kind, kind);
    CHECK_EQ(t.level, level);
    CHECK_EQ(t.id, id);
    CHECK(!risk_take_trip(f->r, &t)); /* told once */
    risk_set_position(f->r, ACCOUNT, INSTR, -1000, true);
    CHECK_EQ(check(f), DENY_NONE); /* reductions pass */
    f->o.qty = 1000 + STEP;        /* disguised increases do not */
    CHECK_EQ(check(f), DENY_BREAKER);
    f->o.qty = 1000;
    CHECK_EQ(risk_check_cancel(f->r, CLIENT, f->now, &f->v), DENY_NONE);
    risk_set_position(f->r, ACCOUNT, INSTR, 0, true);
    f->now.mono.ns += 3600 * NS_PER_S; /* time releases nothing */
    f->md.tob.recv_ns = f->now.mono.ns;
    CHECK_EQ(check(f), DENY_BREAKER);
    CHECK(risk_untrip(f->r, level, id, f->now));
    CHECK_EQ(check(f), DENY_NONE);
    CHECK(risk_restore_trip(f->r, level, id, kind)); /* as from a journal */
    CHECK_EQ(check(f), DENY_BREAKER);
}

TEST(rejects_of_the_venue_trip_the_strategy_and_the_venue)
{
    struct fixture f;
    for (unsigned venue = 0; venue < 2; venue++) {
        fixture_init(&f);
        f.lim.client_default.rejects_max = venue ? 100 : 5;
        f.lim.venue_default.rejects_max = venue ? 5 : 100;
        apply_limits(&f);
        for (int i = 0; i < 5; i++)
            risk_note_reject(f.r, 0, CLIENT, f.now);
        CHECK_EQ(check(&f), DENY_NONE);
        f.now.mono.ns += f.lim.breaker_window_ns; /* a new window */
        f.md.tob.recv_ns = f.now.mono.ns;
        for (int i = 0; i < 5; i++)
            risk_note_reject(f.r, 0, CLIENT, f.now);
        CHECK_EQ(check(&f), DENY_NONE);
        risk_note_reject(f.r, 0, CLIENT, f.now);
        breaker_holds(&f, venue ? LEVEL_VENUE : LEVEL_CLIENT, venue ? 0 : CLIENT, TRIP_REJECTS);
    }
}

TEST(our_own_latency_trips_at_its_percentile)
{
    struct fixture f;
    fixture_init(&f);
    f.lim.latency_p999_max_ns = 1000;
    f.lim.latency_samples_min = 2000;
    apply_limits(&f);
    for (int i = 0; i < 1998; i++)
        risk_note_wire(f.r, 1000, f.now);
    risk_note_wire(f.r, 1001, f.now);
    risk_note_wire(f.r, 1001, f.now); /* two of two thousand are beyond: p99.9 is not */
    CHECK_EQ(check(&f), DENY_NONE);
    risk_note_wire(f.r, 1001, f.now);
    breaker_holds(&f, LEVEL_GLOBAL, 0, TRIP_LATENCY);
}

TEST(of_few_samples_as_many_trip_as_would_be_too_many_of_the_least)
{
    struct fixture f;
    for (int acks = 0; acks < 2; acks++) {
        fixture_init(&f);
        f.lim.latency_p999_max_ns = f.lim.venue_default.ack_p99_max_ns = 1000;
        f.lim.latency_samples_min = acks ? 300 : 3000;
        apply_limits(&f);
        for (int i = 0; i < 4; i++) {
            CHECK_EQ(check(&f), DENY_NONE);
            if (acks)
                risk_note_ack(f.r, 0, 1001, f.now);
            else
                risk_note_wire(f.r, 1001, f.now);
        }
        CHECK_EQ(check(&f), DENY_BREAKER); /* three of 3000 are p99.9, of 300 p99; the fourth is past it */
    }
}

TEST(one_long_turn_trips)
{
    struct fixture f;
    fixture_init(&f);
    f.lim.stall_max_ns = NS_PER_MS;
    apply_limits(&f);
    risk_note_turn(f.r, NS_PER_MS, f.now);
    CHECK_EQ(check(&f), DENY_NONE);
    risk_note_turn(f.r, NS_PER_MS + 1, f.now);
    breaker_holds(&f, LEVEL_GLOBAL, 0, TRIP_STALL);
}

TEST(slow_acknowledgements_trip_their_venue)
{
    struct fixture f;
    fixture_init(&f);
    f.lim.venue_default.ack_p99_max_ns = NS_PER_S;
    f.lim.latency_samples_min = 200;
    apply_limits(&f);
    for (int i = 0; i < 198; i++)
        risk_note_ack(f.r, 0, NS_PER_S, f.now);
    for (int i = 0; i < 2; i++)
        risk_note_ack(f.r, 0, NS_PER_S + 1, f.now);
    CHECK_EQ(check(&f), DENY_NONE);
    risk_note_ack(f.r, 0, NS_PER_S + 1, f.now);
    breaker_holds(&f, LEVEL_VENUE, 0, TRIP_ACK);
}

/* ---- what counts ------------------------------------------------------------------------------------------------- */

TEST(the_same_content_may_come_so_often_within_a_window)
{
    struct fixture f;
    fixture_init(&f);
    f.lim.duplicate_max = 3;
    f.lim.duplicate_window_ns = NS_PER_S;
    apply_limits(&f);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(check(&f), DENY_NONE);
    CHECK_EQ(check(&f), DENY_DUPLICATE_CONTENT);
    CHECK_EQ(f.v.value, 4);
    CHECK_EQ(f.v.limit, 3);
    f.o.replace = true; /* as a replace it is the same content */
    CHECK_EQ(check(&f), DENY_DUPLICATE_CONTENT);
    f.o.replace = false;
    f.o.qty += STEP; /* another quantity, price, side: another content */
    CHECK_EQ(check(&f), DENY_NONE);
    f.o.qty -= STEP;
    f.o.px -= 10;
    CHECK_EQ(check(&f), DENY_NONE);
    f.o.px += 10;
    f.o.client = CLIENT + 1;
    CHECK_EQ(check(&f), DENY_NONE);
    f.o.client = CLIENT;
    f.now.mono.ns += NS_PER_S - 1;
    CHECK_EQ(check(&f), DENY_DUPLICATE_CONTENT);
    f.now.mono.ns += 1;
    CHECK_EQ(check(&f), DENY_NONE);
}

TEST(repeated_content_that_reduces_passes_and_a_denied_order_counts_nothing)
{
    struct fixture f;
    fixture_init(&f);
    f.lim.duplicate_max = 1;
    apply_limits(&f);
    f.md.tob.state = BOOK_GAP;
    CHECK_EQ(check(&f), DENY_BOOK_INVALID);
    f.md.tob.state = BOOK_LIVE;
    CHECK_EQ(check(&f), DENY_NONE);
    CHECK_EQ(check(&f), DENY_DUPLICATE_CONTENT);
    risk_set_position(f.r, ACCOUNT, INSTR, -1000, true);
    CHECK_EQ(check(&f), DENY_NONE);
    f.o.qty = 1000 + STEP;
    CHECK_EQ(check(&f), DENY_NONE);
    CHECK_EQ(check(&f), DENY_DUPLICATE_CONTENT);
}

TEST(replaces_have_a_rate_of_their_own)
{
    struct fixture f;
    fixture_init(&f);
    f.lim.client_default.replace_rate = (struct rate_limit){ .per_s = 1, .burst = 2 };
    apply_limits(&f);
    f.o.replace = true;
    CHECK_EQ(check(&f), DENY_NONE);
    CHECK_EQ(check(&f), DENY_NONE);
    CHECK_EQ(check(&f), DENY_CANCEL_RATE);
    f.o.replace = false;
    CHECK_EQ(check(&f), DENY_NONE);
    f.o.replace = true;
    f.now.mono.ns += NS_PER_S;
    CHECK_EQ(check(&f), DENY_NONE);
    CHECK_EQ(check(&f), DENY_CANCEL_RATE);
    risk_set_position(f.r, ACCOUNT, INSTR, -1000, true);
    CHECK_EQ(check(&f), DENY_CANCEL_RATE); /* a reduction, too: nothing is trapped, */
    f.o.replace = false;
    CHECK_EQ(check(&f), DENY_NONE); /* it needs no replace */
}

/* One accepted order, as its delta tells. */
static void
accepted(struct fixture *f)
{
    reserve(f, SIDE_BUY, STEP, 1);
    reserve(f, SIDE_BUY, -STEP, -1);
}

TEST(messages_are_held_to_the_fills_of_the_day)
{
    struct fixture f;
    fixture_init(&f);
    f.lim.client_default.messages_free = 4;
    f.lim.client_default.messages_per_fill_max = 3;
    apply_limits(&f);
    risk_clock(f.r, f.now);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(check(&f), DENY_NONE);
        accepted(&f);
        CHECK_EQ(risk_check_cancel(f.r, CLIENT, f.now, &f.v), DENY_NONE);
    }
    CHECK_EQ(check(&f), DENY_CANCEL_RATE); /* four messages, no fill: three per fill are allowed */
    CHECK_EQ(f.v.value, 5);
    CHECK_EQ(risk_check_cancel(f.r, CLIENT, f.now, &f.v), DENY_NONE); /* cancels pass */
    fill(&f, SIDE_BUY, STEP);
    fill(&f, SIDE_BUY, STEP);
    CHECK_EQ(check(&f), DENY_NONE); /* the sixth of six */
    accepted(&f);
    CHECK_EQ(check(&f), DENY_CANCEL_RATE);
    f.now.wall.ns += 86400 * NS_PER_S;
    risk_clock(f.r, f.now);
    CHECK_EQ(check(&f), DENY_NONE);
}

TEST(automated_executions_end_until_a_human_resumes_them)
{
    struct fixture f;
    struct risk_trip t;
    fixture_init(&f);
    f.lim.client_default.repeat_executions_max = 3;
    apply_limits(&f);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(check(&f), DENY_NONE);
        accepted(&f);
    }
    CHECK_EQ(check(&f), DENY_REPEAT_EXECUTIONS);
    f.o.replace = true;
    CHECK_EQ(check(&f), DENY_REPEAT_EXECUTIONS);
    f.o.replace = false;
    CHECK(risk_take_trip(f.r, &t));
    CHECK_EQ(t.kind, TRIP_REPEAT);
    f.now.wall.ns += 2 * 86400 * NS_PER_S; /* no day brings it back */
    risk_clock(f.r, f.now);
    CHECK_EQ(check(&f), DENY_REPEAT_EXECUTIONS);
    risk_set_position(f.r, ACCOUNT, INSTR, -1000, true);
    CHECK_EQ(check(&f), DENY_NONE);
    risk_set_position(f.r, ACCOUNT, INSTR, 0, true);
    CHECK(risk_untrip(f.r, LEVEL_CLIENT, CLIENT, f.now));
    CHECK_EQ(check(&f), DENY_NONE);
}

TEST(a_strategy_out_of_control_is_halted_within_a_millisecond_of_its_limit_and_its_cancels_pass)
{
    struct fixture f;
    struct risk_trip t;
    int64_t limit_ns = 0;
    int64_t halted_ns = 0;
    unsigned sent = 0;

    fixture_init(&f);
    f.lim.duplicate_max = 20;
    f.lim.client_default.flood_halts = true;
    f.lim.client_default.denied_rate = (struct rate_limit){ .per_s = 100, .burst = 5 };
    apply_limits(&f);
    for (int i = 0; i < 10000 && halted_ns == 0; i++) { /* 10,000 a second, all the same */
        f.now.mono.ns += 100 * NS_PER_US;
        f.md.tob.recv_ns = f.now.mono.ns;
        enum deny_reason why = check(&f);
        sent += why == DENY_NONE;
        if (why != DENY_NONE && limit_ns == 0)
            limit_ns = f.now.mono.ns;
        if (why == DENY_HALTED)
            halted_ns = f.now.mono.ns;
    }
    CHECK_EQ(sent, 20);
    CHECK(halted_ns != 0 && halted_ns - limit_ns <= NS_PER_MS);
    CHECK(risk_take_trip(f.r, &t));
    CHECK_EQ(t.kind, TRIP_FLOOD);
    CHECK_EQ(t.id, CLIENT);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(risk_check_cancel(f.r, CLIENT, f.now, &f.v), DENY_NONE);
    f.now.mono.ns += 3600 * NS_PER_S;
    f.md.tob.recv_ns = f.now.mono.ns;
    CHECK_EQ(check(&f), DENY_HALTED);
    f.o.client = CLIENT + 1; /* others go on */
    CHECK_EQ(check(&f), DENY_NONE);
    f.o.client = CLIENT;
    CHECK(risk_untrip(f.r, LEVEL_CLIENT, CLIENT, f.now));
    CHECK_EQ(check(&f), DENY_NONE);
}

TEST(what_latched_is_known_by_level_and_ids_out_of_range_are_refused)
{
    struct fixture f;
    fixture_init(&f);
    CHECK(!risk_restore_trip(f.r, LEVEL_CLIENT, CLIENT_MAX, TRIP_STALL));
    CHECK(!risk_restore_trip(f.r, LEVEL_INSTRUMENT, 0, TRIP_STALL));
    CHECK(!risk_restore_trip(f.r, LEVEL_GLOBAL, 0, RISK_TRIP_COUNT));
    CHECK(!risk_untrip(f.r, LEVEL_ACCOUNT, ACCOUNT_MAX, f.now));
    CHECK(risk_restore_trip(f.r, LEVEL_ACCOUNT, ACCOUNT, TRIP_STALL));
    CHECK_EQ(risk_tripped(f.r, LEVEL_ACCOUNT, ACCOUNT), 1u << TRIP_STALL);
    CHECK_EQ(risk_tripped(f.r, LEVEL_ACCOUNT, ACCOUNT_MAX), 0);
    for (unsigned k = 0; k < RISK_TRIP_COUNT; k++)
        CHECK(risk_trip_text((enum risk_trip_kind)k)[0] != '?');
}

TEST_MAIN()
