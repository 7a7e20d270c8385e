/* What risk tells a journal and takes back from one, level by level and at the ends of every range: the day, marks and
 * rates, windows; what a trade does that changes hands; definitions that change under positions and orders. */
#include "execgw/admission.h"
#include "tests/risk_fixture.h"

#define USD(n)  ((value_t)(n)*VALUE_ONE)
#define ONE     1000 /* unit of quantity */
#define DAY_NS  (INT64_C(86400) * NS_PER_S)
#define MARK    9995
#define USD_CCY 2

static struct fixture f;

static const struct {
    enum trading_level level;
    uint32_t id;
    uint32_t last; /* the last there is; past it there is none */
} at[] = {
    { LEVEL_GLOBAL, 0, 0 },
    { LEVEL_VENUE, 0, VENUE_MAX - 1 },
    { LEVEL_ACCOUNT, ACCOUNT, ACCOUNT_MAX - 1 },
    { LEVEL_CLIENT, CLIENT, CLIENT_MAX - 1 },
};

static void
later(int64_t ns)
{
    f.now.mono.ns += ns;
    f.now.wall.ns += ns;
}

static void
mark_at(px_t mid)
{
    f.md.tob.bid_px = mid - 5;
    f.md.tob.ask_px = mid + 5;
    f.md.tob.recv_ns = f.now.mono.ns;
    f.md.good = f.md.tob;
    risk_mark(f.r, INSTR, &f.md, f.now);
}

static void
begin(void)
{
    fixture_money(&f);
    risk_clock(f.r, f.now);
    mark_at(MARK);
}

/* Bought at the mark, up by 10, then down by 4; a fee of 1: result 5, best 10 (before the fee), traded 99.95. */
static void
trade(void)
{
    struct order_delta d = { .account = ACCOUNT,
                             .instrument = INSTR,
                             .client = CLIENT,
                             .side = SIDE_BUY,
                             .open_change = 1,
                             .fill_qty = ONE,
                             .fill_px = MARK,
                             .fee_ccy = USD_CCY };
    risk_apply(f.r, &d);
    mark_at(MARK + 1000);
    d = (struct order_delta){ .account = ACCOUNT,
                              .instrument = INSTR,
                              .client = CLIENT,
                              .side = SIDE_BUY,
                              .open_change = -1,
                              .fill_qty = 5,
                              .fill_px = MARK + 1000,
                              .fee = USD(1),
                              .fee_ccy = USD_CCY };
    risk_apply(f.r, &d);
}

/* ---- the day ----------------------------------------------------------------------------------------------------- */

TEST(each_level_tells_its_day_once_and_again_when_it_was_lost)
{
    struct risk_day d;

    begin();
    trade();
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_LEN(at); i++) {
            CHECK(risk_day_tell(f.r, at[i].level, at[i].id, &d));
            CHECK_EQ(d.result, USD(9));
            CHECK_EQ(d.best, USD(10));
            CHECK(d.value > USD(100) && d.value < USD(101));
            CHECK_EQ(d.fees, USD(1));
            bool client = at[i].level == LEVEL_CLIENT;
            CHECK_EQ(d.messages, client);
            CHECK_EQ(d.executions, client);
            CHECK_EQ(d.fills, client ? 2 : 0);
            CHECK(!risk_day_tell(f.r, at[i].level, at[i].id, &d));
            CHECK(!risk_day_tell(f.r, at[i].level, at[i].last + 1, &d));
        }
        uint32_t version;
        px_t px;
        int64_t rate;
        CHECK(risk_mark_tell(f.r, INSTR, &version, &px, &rate));
        CHECK_EQ(version, 1);
        CHECK_EQ(px, MARK + 1000);
        CHECK_EQ(rate, pow10_i64[RATE_DECIMALS]);
        CHECK(!risk_mark_tell(f.r, INSTR, &version, &px, &rate));
        CHECK(!risk_mark_tell(f.r, INSTR + 1, &version, &px, &rate)); /* no such instrument */
        CHECK(risk_rate_tell(f.r, 1, &rate));                         /* of the base, by the book */
        CHECK(!risk_rate_tell(f.r, 1, &rate));
        CHECK(!risk_rate_tell(f.r, USD_CCY, &rate)); /* fixed: the configuration has it */
        CHECK(!risk_rate_tell(f.r, 3, &rate));       /* none */
        risk_day_untold(f.r);
    }
}

TEST(the_roll_begins_every_levels_day_anew)
{
    struct risk_day d;

    begin();
    trade();
    mark_at(MARK - 1000);
    later(DAY_NS);
    risk_clock(f.r, f.now);
    for (size_t i = 0; i < ARRAY_LEN(at); i++) {
        struct risk_group g = group_of(&f, at[i].level, at[i].id);
        CHECK_EQ(g.day_result, 0);
        CHECK_EQ(g.day_best, 0);
        CHECK_EQ(g.day_value, 0);
        CHECK_EQ(g.fees, 0);
    }
    (void)risk_day_tell(f.r, LEVEL_CLIENT, CLIENT, &d);
    CHECK_EQ(d.messages, 0);
    CHECK_EQ(d.fills, 0);
    CHECK_EQ(d.executions, 1); /* no day ends those */
    mark_at(MARK - 2000);      /* the second day's own: 1.005 units, 10 each */
    for (size_t i = 0; i < ARRAY_LEN(at); i++)
        CHECK_EQ(group_of(&f, at[i].level, at[i].id).day_result, -USD(1005) / 100);
}

/* Room made by the end of the day is room at once. */
TEST(what_the_day_has_used_up_is_free_after_the_roll)
{
    begin();
    f.lim.global.day_value_max = USD(150);
    apply_limits(&f);
    fill_at(&f, SIDE_BUY, MARK, ONE);
    CHECK_EQ(check(&f), DENY_DAILY_VALUE);
    later(DAY_NS);
    risk_clock(f.r, f.now);
    mark_at(MARK);
    CHECK_EQ(check(&f), DENY_NONE);
}

TEST(the_day_is_due_when_it_rolls_when_a_minute_is_over_or_when_a_level_has_moved_by_its_part)
{
    value_t *const limit[] = { &f.lim.global.day_loss_max, &f.lim.venue_default.group.day_loss_max,
                               &f.lim.account_default.group.day_loss_max, &f.lim.client_default.group.day_loss_max };

    fixture_init(&f);
    CHECK(!risk_day_due(f.r, f.now)); /* no day has begun */
    begin();
    CHECK(risk_day_due(f.r, f.now));
    risk_day_told(f.r, f.now);
    CHECK(!risk_day_due(f.r, f.now));
    later(RISK_DAY_AGE_NS - 1);
    CHECK(!risk_day_due(f.r, f.now));
    later(1);
    CHECK(risk_day_due(f.r, f.now));
    risk_day_told(f.r, f.now);
    later(DAY_NS);
    risk_clock(f.r, f.now);
    CHECK(risk_day_due(f.r, f.now));

    for (size_t i = 0; i < ARRAY_LEN(limit); i++) {
        begin();
        *limit[i] = USD(16);
        apply_limits(&f);
        fill_at(&f, SIDE_BUY, MARK, ONE);
        risk_day_told(f.r, f.now);
        mark_at(MARK - 100); /* 1 of 16 */
        CHECK(!risk_day_due(f.r, f.now));
        mark_at(MARK - 101);
        CHECK(risk_day_due(f.r, f.now));
    }
    /* A best result is told by the drawdown's part, whatever the result. */
    begin();
    f.lim.global.drawdown_max = USD(16);
    apply_limits(&f);
    fill_at(&f, SIDE_BUY, MARK, ONE);
    risk_day_told(f.r, f.now);
    mark_at(MARK + 101);
    mark_at(MARK);
    CHECK(risk_day_due(f.r, f.now));
    risk_day_untold(f.r);
    CHECK(risk_day_due(f.r, f.now));
}

TEST(a_days_numbers_are_taken_back_at_their_ends_and_refused_past_them)
{
    static const struct risk_day good[] = {
        { 0 },
        { .result = RISK_QTY_MAX, .best = RISK_QTY_MAX },
        { .result = -RISK_QTY_MAX, .fees = -RISK_QTY_MAX },
        { .fees = RISK_QTY_MAX, .value = INT64_MAX },
        { .result = 5, .best = 5 },
        { .result = -7, .best = -6 },
    };
    static const struct risk_day bad[] = {
        { .best = -RISK_QTY_MAX - 1, .result = -RISK_QTY_MAX - 1 },
        { .value = -1 },
        { .best = RISK_QTY_MAX + 1 },
        { .result = 6, .best = 5 },
        { .result = -RISK_QTY_MAX - 1 },
        { .fees = -RISK_QTY_MAX - 1 },
        { .fees = RISK_QTY_MAX + 1 },
    };
    struct risk_day d;

    for (size_t i = 0; i < ARRAY_LEN(at); i++) {
        for (size_t k = 0; k < ARRAY_LEN(good); k++) {
            begin();
            CHECK(risk_restore_day(f.r, "USD", at[i].level, at[i].last, &good[k]));
            struct risk_group g = group_of(&f, at[i].level, at[i].last);
            CHECK_EQ(g.day_result, good[k].result);
            CHECK_EQ(g.day_best, good[k].best);
            CHECK_EQ(g.fees, good[k].fees);
            CHECK_EQ(g.day_value, good[k].value);
            CHECK(!risk_day_tell(f.r, at[i].level, at[i].last, &d)); /* the journal has it */
        }
        for (size_t k = 0; k < ARRAY_LEN(bad); k++)
            CHECK(!risk_restore_day(f.r, "USD", at[i].level, at[i].last, &bad[k]));
        if (at[i].level != LEVEL_GLOBAL) /* which has no ids */
            CHECK(!risk_restore_day(f.r, "USD", at[i].level, at[i].last + 1, &good[0]));
    }
    CHECK(!risk_restore_day(f.r, "USD", LEVEL_INSTRUMENT, INSTR, &good[0]));
}

TEST(rates_and_marks_are_taken_back_at_their_ends_and_refused_past_them)
{
    int64_t rate;
    uint32_t version;
    px_t px;

    begin();
    CHECK(!risk_restore_rate(f.r, "USD", CURRENCY_MAX, 1));
    CHECK(!risk_restore_rate(f.r, "USD", 3, 0));
    CHECK(risk_restore_rate(f.r, "USD", CURRENCY_MAX - 1, 1));
    CHECK(!risk_rate_tell(f.r, CURRENCY_MAX - 1, &rate));
    CHECK(risk_restore_rate(f.r, "USD", 3, 7));
    risk_set_rate(f.r, 3, 8, f.now.mono);
    CHECK(risk_rate_tell(f.r, 3, &rate)); /* another one than the journal's */
    CHECK_EQ(rate, 8);

    CHECK(!risk_restore_mark(f.r, "USD", 16, 1, MARK, 1));
    CHECK(!risk_restore_mark(f.r, "USD", INSTR, 1, 0, 1));
    CHECK(!risk_restore_mark(f.r, "USD", INSTR, 1, MARK, -1));
    CHECK(risk_restore_mark(f.r, "USD", INSTR, 2, 1, 1)); /* of another version: nothing */
    struct risk_pnl p;
    risk_pnl(f.r, CLIENT_NONE, ACCOUNT, INSTR, &p);
    CHECK_EQ(p.mark_px, MARK);
    CHECK(risk_restore_mark(f.r, "USD", INSTR, 1, MARK + 5, pow10_i64[RATE_DECIMALS]));
    risk_pnl(f.r, CLIENT_NONE, ACCOUNT, INSTR, &p);
    CHECK_EQ(p.mark_px, MARK + 5);
    CHECK(!risk_mark_tell(f.r, INSTR, &version, &px, &rate)); /* the journal has it */
    fill_at(&f, SIDE_BUY, MARK + 5, ONE);
    mark_at(MARK + 6);
    CHECK(risk_mark_tell(f.r, INSTR, &version, &px, &rate)); /* one that it has not */

    /* A mark whose money had no rate values nothing. */
    begin();
    CHECK(risk_restore_mark(f.r, "USD", INSTR, 1, MARK, 0));
    fill_at(&f, SIDE_BUY, MARK, ONE);
    CHECK(group_of(&f, LEVEL_GLOBAL, 0).unmarked != 0);
    /* Without limits of money there is nothing to value, and it is no fault. */
    fixture_init(&f);
    CHECK(risk_restore_mark(f.r, "USD", INSTR, 1, MARK, 1));
}

/* A journal in euro, worth 2 dollars: rates of it are told of dollars at 0.5. */
TEST(a_journal_in_another_currency_is_taken_back_in_the_one_in_force)
{
    struct risk_day d = { .result = 50, .best = 70, .value = 90, .fees = 10 };
    struct risk_window w = {
        .kind = RISK_WINDOW_LOSS, .level = LEVEL_CLIENT, .id = CLIENT, .since_ns = 5, .best = 30, .before = 20
    };
    struct risk_window out;

    begin();
    f.lim.client_default.loss_window_max = USD(10);
    apply_limits(&f);
    CHECK(risk_restore_day(f.r, "EUR", LEVEL_GLOBAL, 0, &d)); /* nobody can say what it is: a loss latches */
    CHECK_EQ(risk_tripped(f.r, LEVEL_GLOBAL, 0), 1u << TRIP_DAY_LOSS);
    CHECK(risk_restore_window(f.r, "EUR", &w)); /* and this is left out */
    CHECK(!risk_window_tell(f.r, RISK_WINDOW_LOSS, LEVEL_CLIENT, CLIENT, f.now, &out));
    CHECK(risk_restore_rate(f.r, "EUR", 3, pow10_i64[RATE_DECIMALS])); /* before that of ours: not known either */
    int64_t rate;
    CHECK(!risk_rate_tell(f.r, 3, &rate));

    CHECK(risk_restore_rate(f.r, "EUR", USD_CCY, pow10_i64[RATE_DECIMALS] / 2));
    CHECK(risk_restore_day(f.r, "EUR", LEVEL_VENUE, 0, &d));
    struct risk_group g = group_of(&f, LEVEL_VENUE, 0);
    CHECK_EQ(g.day_result, 100);
    CHECK_EQ(g.day_best, 140);
    CHECK_EQ(g.day_value, 180);
    CHECK_EQ(g.fees, 20);
    CHECK_EQ(risk_tripped(f.r, LEVEL_VENUE, 0), 0);
    CHECK(risk_restore_window(f.r, "EUR", &w));
    CHECK(risk_window_tell(f.r, RISK_WINDOW_LOSS, LEVEL_CLIENT, CLIENT, f.now, &out));
    CHECK_EQ(out.best, 60);
    CHECK_EQ(out.before, 40);
    CHECK(risk_restore_mark(f.r, "EUR", INSTR, 1, MARK, pow10_i64[RATE_DECIMALS] / 2)); /* of a dollar: 1 */
    fill_at(&f, SIDE_BUY, MARK, ONE);
    CHECK_EQ(group_of(&f, LEVEL_GLOBAL, 0).gross, USD(9995) / 100);
}

/* ---- windows ----------------------------------------------------------------------------------------------------- */

TEST(windows_of_rejects_are_told_of_strategies_and_venues_with_the_wall_clock)
{
    struct risk_window w;

    begin();
    f.now.wall.ns += 1000 * NS_PER_S; /* apart from the steady one */
    CHECK(!risk_windows_due(f.r));
    risk_note_reject(f.r, 0, CLIENT, f.now);
    CHECK(risk_windows_due(f.r));
    CHECK(risk_window_tell(f.r, RISK_WINDOW_REJECTS, LEVEL_CLIENT, CLIENT, f.now, &w));
    CHECK(w.kind == RISK_WINDOW_REJECTS && w.level == LEVEL_CLIENT && w.id == CLIENT);
    CHECK_EQ(w.since_ns, f.now.wall.ns);
    CHECK_EQ(w.samples, 1);
    CHECK_EQ(w.beyond, 1);
    CHECK(!risk_window_tell(f.r, RISK_WINDOW_REJECTS, LEVEL_CLIENT, CLIENT, f.now, &w));
    CHECK(risk_window_tell(f.r, RISK_WINDOW_REJECTS, LEVEL_VENUE, 0, f.now, &w));
    CHECK(!risk_window_tell(f.r, RISK_WINDOW_REJECTS, LEVEL_VENUE, 0, f.now, &w));
    CHECK(!risk_window_tell(f.r, RISK_WINDOW_REJECTS, LEVEL_CLIENT, CLIENT + 1, f.now, &w)); /* has none */
    risk_windows_told(f.r);
    CHECK(!risk_windows_due(f.r));
    later(1);
    risk_note_reject(f.r, 0, CLIENT, f.now);
    CHECK(risk_window_tell(f.r, RISK_WINDOW_REJECTS, LEVEL_CLIENT, CLIENT, f.now, &w));
    CHECK_EQ(w.since_ns, f.now.wall.ns - 1);
    CHECK_EQ(w.samples, 2);
    CHECK(!risk_window_tell(f.r, RISK_WINDOW_REJECTS, LEVEL_CLIENT, CLIENT_MAX, f.now, &w));
    CHECK(!risk_window_tell(f.r, RISK_WINDOW_REJECTS, LEVEL_VENUE, VENUE_MAX, f.now, &w));
    CHECK(!risk_window_tell(f.r, RISK_WINDOW_REJECTS, LEVEL_ACCOUNT, 0, f.now, &w));
    CHECK(!risk_window_tell(f.r, RISK_WINDOW_LOSS, LEVEL_VENUE, 0, f.now, &w));
}

TEST(a_window_of_losses_is_told_by_a_part_of_its_limit)
{
    struct risk_window w;

    begin();
    f.lim.client_default.loss_window_max = USD(16);
    apply_limits(&f);
    fill_at(&f, SIDE_BUY, MARK, ONE);
    CHECK(risk_window_tell(f.r, RISK_WINDOW_LOSS, LEVEL_CLIENT, CLIENT, f.now, &w)); /* it has begun */
    CHECK_EQ(w.best, 0);
    mark_at(MARK + 100); /* 1 of 16 */
    CHECK(!risk_window_tell(f.r, RISK_WINDOW_LOSS, LEVEL_CLIENT, CLIENT, f.now, &w));
    mark_at(MARK + 101);
    CHECK(risk_window_tell(f.r, RISK_WINDOW_LOSS, LEVEL_CLIENT, CLIENT, f.now, &w));
    CHECK_EQ(w.best, USD(101) / 100);
    later(f.lim.breaker_window_ns); /* the next window: what was the best is the one before */
    mark_at(MARK + 50);
    CHECK(risk_window_tell(f.r, RISK_WINDOW_LOSS, LEVEL_CLIENT, CLIENT, f.now, &w));
    CHECK_EQ(w.before, USD(101) / 100);
    CHECK_EQ(w.best, USD(50) / 100);
    CHECK_EQ(w.since_ns, f.now.wall.ns);
    f.lim.client_default.loss_window_max = LIMIT_NONE; /* not watched any more */
    apply_limits(&f);
    CHECK(risk_window_tell(f.r, RISK_WINDOW_LOSS, LEVEL_CLIENT, CLIENT, f.now, &w));
    CHECK(w.since_ns == 0 && w.best == 0 && w.before == 0);
}

TEST(the_roll_moves_the_bests_of_both_windows_with_it)
{
    struct risk_window w;

    begin();
    f.lim.client_default.loss_window_max = USD(160);
    f.lim.breaker_window_ns = 3600 * NS_PER_S;
    f.lim.mark_age_max_ns = 86400 * NS_PER_S;
    apply_limits(&f);
    later(DAY_NS - f.now.wall.ns % DAY_NS - 3600 * NS_PER_S);
    mark_at(MARK);
    fill_at(&f, SIDE_BUY, MARK, ONE);
    mark_at(MARK + 1000);
    later(3600 * NS_PER_S - 1);
    mark_at(MARK + 400);
    later(1);
    mark_at(MARK + 400);
    risk_clock(f.r, f.now);
    CHECK_EQ(group_of(&f, LEVEL_CLIENT, CLIENT).day_result, 0);
    CHECK(risk_window_tell(f.r, RISK_WINDOW_LOSS, LEVEL_CLIENT, CLIENT, f.now, &w));
    CHECK_EQ(w.before, USD(6)); /* 10 less the 4 that the day had made */
    CHECK_EQ(w.best, 0);
}

TEST(windows_are_taken_back_at_the_ends_of_their_ranges_and_go_on_by_the_steady_clock)
{
    struct risk_window w = {
        .kind = RISK_WINDOW_REJECTS, .level = LEVEL_CLIENT, .id = CLIENT_MAX - 1, .samples = 3, .beyond = 3
    };
    struct risk_window out;

    begin();
    f.now.wall.ns += 500 * NS_PER_S;
    w.since_ns = f.now.wall.ns - 7;
    CHECK(risk_restore_window(f.r, "USD", &w));
    w.id = CLIENT_MAX;
    CHECK(!risk_restore_window(f.r, "USD", &w));
    w = (struct risk_window){ .kind = RISK_WINDOW_REJECTS, .level = LEVEL_VENUE, .id = VENUE_MAX - 1, .samples = 3 };
    w.since_ns = f.now.wall.ns + 1; /* the wall clock has been set back since */
    CHECK(risk_restore_window(f.r, "USD", &w));
    w.id = VENUE_MAX;
    CHECK(!risk_restore_window(f.r, "USD", &w));
    w.id = 0;
    w.beyond = 4; /* more than there are */
    CHECK(!risk_restore_window(f.r, "USD", &w));
    w.level = LEVEL_ACCOUNT;
    w.beyond = 0;
    CHECK(!risk_restore_window(f.r, "USD", &w));
    risk_restored(f.r, f.now);
    CHECK(risk_window_tell(f.r, RISK_WINDOW_REJECTS, LEVEL_CLIENT, CLIENT_MAX - 1, f.now, &out));
    CHECK_EQ(out.since_ns, f.now.wall.ns - 7);
    CHECK(risk_window_tell(f.r, RISK_WINDOW_REJECTS, LEVEL_VENUE, VENUE_MAX - 1, f.now, &out));
    CHECK_EQ(out.since_ns, f.now.wall.ns);

    struct risk_window loss = {
        .kind = RISK_WINDOW_LOSS, .level = LEVEL_CLIENT, .id = CLIENT, .since_ns = 9, .best = 5, .before = 4
    };
    f.lim.client_default.loss_window_max = 1;
    apply_limits(&f);
    CHECK(risk_restore_window(f.r, "USD", &loss));
    loss.id = CLIENT_MAX;
    CHECK(!risk_restore_window(f.r, "USD", &loss));
    loss.id = 0;
    loss.level = LEVEL_VENUE;
    CHECK(!risk_restore_window(f.r, "USD", &loss));
    loss.kind = RISK_WINDOW_KINDS;
    loss.level = LEVEL_CLIENT;
    CHECK(!risk_restore_window(f.r, "USD", &loss));
    loss = (struct risk_window){ .kind = RISK_WINDOW_LOSS, .level = LEVEL_CLIENT, .id = CLIENT }; /* ended */
    CHECK(risk_restore_window(f.r, "USD", &loss));
    CHECK(!risk_window_tell(f.r, RISK_WINDOW_LOSS, LEVEL_CLIENT, CLIENT, f.now, &out));
}

/* ---- a trade that changes hands ---------------------------------------------------------------------------------- */

TEST(a_trade_found_to_be_a_clients_moves_from_nobodys_part_to_its_own_and_not_the_position)
{
    for (int side = 0; side < 2; side++) {
        enum side buy = side == 0 ? SIDE_BUY : SIDE_SELL;
        int sign = side == 0 ? 1 : -1;
        struct order_delta d = { .account = ACCOUNT,
                                 .instrument = INSTR,
                                 .client = CLIENT_ADOPTED,
                                 .side = (uint8_t)buy,
                                 .fill_qty = 2 * ONE,
                                 .fill_px = MARK };
        struct risk_pnl p;

        begin();
        risk_apply(f.r, &d);
        d.client = CLIENT;
        d.fill_qty = 0;
        d.moved_qty = ONE;
        d.fee = USD(1); /* was paid before */
        d.fee_ccy = USD_CCY;
        value_t fees = risk_fees(f.r, ACCOUNT, USD_CCY);
        risk_apply(f.r, &d);
        CHECK_EQ(risk_position(f.r, ACCOUNT, INSTR)->qty, sign * 2 * ONE);
        CHECK_EQ(risk_fees(f.r, ACCOUNT, USD_CCY), fees);
        risk_pnl(f.r, CLIENT, ACCOUNT, INSTR, &p);
        CHECK_EQ(p.qty, sign * ONE);
        CHECK_EQ(p.average_px, MARK);
        risk_pnl(f.r, CLIENT_ADOPTED, ACCOUNT, INSTR, &p);
        CHECK_EQ(p.qty, sign * ONE);
        CHECK_EQ(group_of(&f, LEVEL_CLIENT, CLIENT).gross, USD(9995) / 100);
        CHECK_EQ(group_of(&f, LEVEL_CLIENT, CLIENT_ADOPTED).gross, USD(9995) / 100);
        CHECK_EQ(group_of(&f, LEVEL_GLOBAL, 0).gross, USD(19990) / 100);
        mark_at(MARK + 1000);
        CHECK_EQ(group_of(&f, LEVEL_CLIENT, CLIENT).day_result, sign * USD(10));
        CHECK_EQ(group_of(&f, LEVEL_CLIENT, CLIENT_ADOPTED).day_result, sign * USD(10));
    }
}

/* Of a parent's total: what is open, filled, filled before, and found to be a child's. */
TEST(a_parents_total_is_used_by_whatever_way_a_child_has_traded)
{
    for (int how = 0; how < 2; how++) {
        struct order_delta d = { .account = ACCOUNT,
                                 .instrument = INSTR,
                                 .client = CLIENT,
                                 .side = SIDE_BUY,
                                 .open_change = 1,
                                 .fill_px = MARK,
                                 .parent_key = 9,
                                 .parent_qty = 4 * ONE };
        begin();
        d.reserved_change = 2 * ONE;
        d.parent_used = how == 0 ? ONE : 0; /* of a journal: filled before */
        risk_apply(f.r, &d);
        d.open_change = 0;
        d.parent_used = 0;
        d.reserved_change = -ONE; /* a fill moves nothing by itself */
        d.fill_qty = ONE;
        risk_apply(f.r, &d);
        d.reserved_change = d.fill_qty = 0;
        d.moved_qty = how == 1 ? ONE : 0;
        risk_apply(f.r, &d);
        f.o.parent_key = 9;
        f.o.parent_qty = 4 * ONE;
        AT_LIMIT_AND_PAST(&f, f.o.qty = ONE, f.o.qty = ONE + 5, DENY_PARENT);
    }
}

/* A loss by a fill alone, no mark after it: every level's latch is looked at. */
TEST(a_fill_that_loses_latches_each_level_at_once)
{
    value_t *const limit[] = { &f.lim.global.day_loss_max, &f.lim.venue_default.group.day_loss_max,
                               &f.lim.account_default.group.day_loss_max, &f.lim.client_default.group.day_loss_max };

    for (size_t i = 0; i < ARRAY_LEN(limit); i++)
        for (int past = 0; past < 2; past++) {
            begin();
            *limit[i] = USD(5) - past;
            apply_limits(&f);
            fill_at(&f, SIDE_BUY, MARK + 500, ONE); /* 5 above the mark */
            for (size_t k = 0; k < ARRAY_LEN(at); k++)
                CHECK_EQ(risk_tripped(f.r, at[k].level, at[k].id), past && k == i ? 1u << TRIP_DAY_LOSS : 0);
        }
}

/* ---- definitions that change ------------------------------------------------------------------------------------- */

TEST(quantities_in_other_decimals_wait_until_nothing_is_held_or_open_on_either_side)
{
    for (int what = 0; what < 5; what++) {
        fixture_init(&f);
        f.ins.version = 2;
        f.ins.qty_decimals = 4;
        if (what == 0)
            risk_set_position(f.r, ACCOUNT, INSTR, 5, true);
        if (what == 1 || what == 2)
            reserve(&f, what == 1 ? SIDE_BUY : SIDE_SELL, 5, 0);
        if (what == 3)
            reserve(&f, SIDE_BUY, 0, 1);
        if (what == 4)
            risk_set_position(f.r, ACCOUNT, INSTR, 0, true); /* reconciled as it was */
        CHECK_EQ(risk_set_instrument(f.r, &f.ins, f.now, &f.fault), what == 4);
        if (what == 4)
            CHECK(risk_position(f.r, ACCOUNT, INSTR)->reconciled);
        else
            CHECK_EQ(risk_resolved(f.r, ACCOUNT, INSTR)->instrument_version, 0);
    }
    f.ins.id = 16; /* one past those there are */
    CHECK(!risk_set_instrument(f.r, &f.ins, f.now, &f.fault));
}

TEST(prices_in_other_decimals_leave_what_is_held_and_what_rests_where_it_was)
{
    struct order_delta d = { .account = ACCOUNT,
                             .instrument = INSTR,
                             .client = CLIENT,
                             .side = SIDE_SELL,
                             .open_change = 1,
                             .reserved_change = ONE,
                             .rest_px = 10000 };
    struct risk_pnl p;

    for (int down = 0; down < 2; down++) {
        begin();
        fill_at(&f, SIDE_BUY, 9990, ONE);
        risk_apply(f.r, &d);
        f.ins.version = f.o.instrument_version = f.md.tob.instrument_version = 2;
        f.ins.px_decimals = down ? 1 : 3;
        f.ins.tick = down ? 1 : 100;
        f.ins.px_min = 1;
        CHECK(risk_set_instrument(f.r, &f.ins, f.now, &f.fault));
        px_t unit = down ? 999 : 99900;
        for (uint32_t who = 0; who < 2; who++) {
            risk_pnl(f.r, who == 0 ? CLIENT_NONE : CLIENT, ACCOUNT, INSTR, &p);
            CHECK_EQ(p.average_px, unit);
            CHECK_EQ(p.mark_px, down ? 999 : 99950);
        }
        f.md.tob.bid_px = down ? 999 : 99900;
        f.md.tob.ask_px = down ? 1000 : 100000;
        f.md.good = f.md.tob;
        f.o.px = down ? 1000 : 100000;
        CHECK_EQ(check(&f), DENY_SELF_MATCH);
        CHECK_EQ(f.v.limit, f.o.px);
        f.o.px -= down ? 1 : 100;
        CHECK_EQ(check(&f), DENY_NONE);
    }
}

TEST(an_instrument_that_is_defined_later_is_permitted_as_the_limits_say)
{
    struct instrument other;

    fixture_init(&f);
    f.lim.client_set = UINT64_C(1) << CLIENT;
    f.lim.client[CLIENT] = f.lim.client_default;
    f.lim.client[CLIENT].symbols_only = true;
    f.lim.permit_count = 1;
    f.lim.permit[0] = (struct permit){ .client = CLIENT, .symbol = "XYZUSD" };
    apply_limits(&f);
    CHECK_EQ(check(&f), DENY_NOT_PERMITTED);
    other = f.ins;
    other.id = INSTR + 1;
    memcpy(other.symbol, "XYZUSD", 7);
    CHECK(risk_set_instrument(f.r, &other, f.now, &f.fault));
    f.o.instrument = other.id;
    f.o.ins = &other;
    CHECK_EQ(check(&f), DENY_NONE);
    f.o.client = CLIENT + 1; /* not bound to symbols */
    CHECK_EQ(check(&f), DENY_NONE);
}

/* Nobody may say what money is worth by chance: by a spot book of both, either way round, or by a stated rate. */
TEST(an_instrument_is_tradable_where_its_money_has_a_worth)
{
    static const struct {
        const char *reporting;
        const char *rate;
        bool fits;
    } how[] = {
        { "USD", "", true }, { "ABC", "", true }, { "EUR", "", false }, { "EUR", "USD", true }, { "EUR", "ABC", false }
    };

    for (size_t i = 0; i < ARRAY_LEN(how); i++) {
        fixture_init(&f);
        f.lim.version++;
        (void)snprintf(f.lim.reporting, sizeof(f.lim.reporting), "%s", how[i].reporting);
        f.lim.fixed_count = how[i].rate[0] != '\0';
        (void)snprintf(f.lim.fixed[0].currency, CURRENCY_BYTES, "%s", how[i].rate);
        f.lim.fixed[0].rate = 1;
        CHECK_EQ(risk_set_limits(f.r, &f.lim, f.now, &f.fault), how[i].fits);
    }
}

TEST(kinds_of_the_kill_switch_begin_off_and_unknown_orders_are_counted)
{
    struct order_delta d = { .account = ACCOUNT, .instrument = INSTR, .client = CLIENT, .unknown_change = 1 };

    fixture_init(&f);
    CHECK(!risk_kill(f.r)->killed);
    risk_apply(f.r, &d);
    CHECK_EQ(risk_totals(f.r)->unknown_total, 1);
    d.unknown_change = -1;
    risk_apply(f.r, &d);
    CHECK_EQ(risk_totals(f.r)->unknown_total, 0);
    CHECK_EQ(risk_fees(f.r, ACCOUNT_MAX, 0), 0);
    CHECK_EQ(risk_fees(f.r, 0, CURRENCY_MAX), 0);
}

/* ---- a drawdown that a human releases ---------------------------------------------------------------------------- */

TEST(a_drawdown_that_is_released_counts_anew_from_the_result_then)
{
    begin();
    f.lim.global.drawdown_max = USD(5);
    apply_limits(&f);
    fill_at(&f, SIDE_BUY, MARK, ONE);
    mark_at(MARK + 1000);
    mark_at(MARK + 499); /* 5.01 below the best */
    CHECK_EQ(risk_tripped(f.r, LEVEL_GLOBAL, 0), 1u << TRIP_DRAWDOWN);
    CHECK(risk_untrip(f.r, LEVEL_GLOBAL, 0, f.now));
    mark_at(MARK + 499);
    CHECK_EQ(risk_tripped(f.r, LEVEL_GLOBAL, 0), 0);
    CHECK_EQ(check(&f), DENY_NONE);
    mark_at(MARK - 1); /* 5 below that: at the limit */
    CHECK_EQ(risk_tripped(f.r, LEVEL_GLOBAL, 0), 0);
    mark_at(MARK - 2);
    CHECK_EQ(risk_tripped(f.r, LEVEL_GLOBAL, 0), 1u << TRIP_DRAWDOWN);
    CHECK(risk_untrip(f.r, LEVEL_GLOBAL, 0, f.now)); /* below zero, too */
    mark_at(MARK - 502);
    CHECK_EQ(risk_tripped(f.r, LEVEL_GLOBAL, 0), 0);
    mark_at(MARK - 503);
    CHECK_EQ(risk_tripped(f.r, LEVEL_GLOBAL, 0), 1u << TRIP_DRAWDOWN);
    /* A loss of the day is there as long as it is: no word releases it. */
    begin();
    f.lim.global.day_loss_max = USD(5);
    apply_limits(&f);
    fill_at(&f, SIDE_BUY, MARK, ONE);
    mark_at(MARK - 501);
    CHECK(risk_untrip(f.r, LEVEL_GLOBAL, 0, f.now));
    mark_at(MARK - 501);
    CHECK_EQ(risk_tripped(f.r, LEVEL_GLOBAL, 0), 1u << TRIP_DAY_LOSS);
}

/* ---- what is paid, and what nobody can say ----------------------------------------------------------------------- */

TEST(a_fee_in_the_base_asset_is_quantity_of_the_strategys_part_too_and_no_loss_by_itself)
{
    struct order_delta d = { .account = ACCOUNT,
                             .instrument = INSTR,
                             .client = CLIENT,
                             .side = SIDE_BUY,
                             .fill_qty = ONE,
                             .fill_px = MARK,
                             .fee = VALUE_ONE / 100, /* ten steps of 10^-3 */
                             .fee_ccy = 1 };
    struct risk_pnl p;

    begin();
    risk_apply(f.r, &d);
    for (uint32_t who = 0; who < 2; who++) {
        risk_pnl(f.r, who == 0 ? CLIENT_NONE : CLIENT, ACCOUNT, INSTR, &p);
        CHECK_EQ(p.qty, ONE - 10);
    }
    CHECK_EQ(group_of(&f, LEVEL_CLIENT, CLIENT).fees, 0);
    CHECK_EQ(risk_fees(f.r, ACCOUNT, 1), VALUE_ONE / 100);
    CHECK_EQ(group_of(&f, LEVEL_CLIENT, CLIENT).day_result, -USD(9995) / 10000); /* what is not there any more */
    /* One in a currency that has no rate counts as a hundredth of the trade. */
    begin();
    d.fee_ccy = 3;
    risk_apply(f.r, &d);
    CHECK_EQ(group_of(&f, LEVEL_CLIENT, CLIENT).fees, USD(9995) / 10000);
}

TEST(a_fill_before_any_mark_stands_at_its_price_and_is_not_relied_on)
{
    fixture_init(&f);
    memcpy(f.lim.reporting, "USD", 4);
    apply_limits(&f);
    risk_clock(f.r, f.now);
    fill_at(&f, SIDE_BUY, MARK, ONE);
    struct risk_group g = group_of(&f, LEVEL_CLIENT, CLIENT);
    CHECK_EQ(g.gross, USD(9995) / 100);
    CHECK_EQ(g.day_value, USD(9995) / 100);
    CHECK(g.unmarked != 0);
    mark_at(MARK);
    CHECK_EQ(group_of(&f, LEVEL_CLIENT, CLIENT).unmarked, 0);
}

/* Another currency's rate is of then: what is held in it has no worth until a book says so. */
TEST(after_a_journal_is_read_no_rate_of_it_is_young_but_those_that_are_stated)
{
    for (int stated = 0; stated < 2; stated++) {
        fixture_init(&f);
        memcpy(f.lim.reporting, "EUR", 4);
        f.lim.fixed_count = (uint32_t)stated;
        f.lim.fixed[0] = (struct rate_fixed){ .currency = "USD", .rate = pow10_i64[RATE_DECIMALS] };
        f.lim.version++;
        risk_arm(f.r, false);
        CHECK(risk_set_limits(f.r, &f.lim, f.now, &f.fault));
        risk_clock(f.r, f.now);
        CHECK(risk_restore_rate(f.r, "EUR", USD_CCY, pow10_i64[RATE_DECIMALS]));
        mark_at(MARK);
        fill_at(&f, SIDE_BUY, MARK, ONE);
        CHECK_EQ(group_of(&f, LEVEL_GLOBAL, 0).unmarked, 0);
        risk_restored(f.r, f.now);
        CHECK(risk_day_due(f.r, f.now));
        mark_at(MARK);
        CHECK_EQ(group_of(&f, LEVEL_GLOBAL, 0).unmarked != 0, stated == 0);
        risk_set_rate(f.r, USD_CCY, pow10_i64[RATE_DECIMALS], f.now.mono);
        mark_at(MARK);
        CHECK_EQ(group_of(&f, LEVEL_GLOBAL, 0).unmarked, 0);
    }
}

TEST(a_strategys_counts_are_taken_back_even_where_no_money_is_counted)
{
    struct risk_day d = { .messages = 7, .fills = 5, .executions = 3 };
    struct risk_day told;

    fixture_init(&f);
    CHECK(risk_restore_day(f.r, "", LEVEL_CLIENT, CLIENT_MAX - 1, &d));
    risk_restore_message(f.r, CLIENT_MAX - 1, true);
    risk_restore_message(f.r, CLIENT_MAX - 1, false);
    risk_restore_message(f.r, CLIENT_MAX, true); /* nobody's */
    CHECK(risk_day_tell(f.r, LEVEL_CLIENT, CLIENT_MAX - 1, &told));
    CHECK_EQ(told.messages, 9);
    CHECK_EQ(told.fills, 5);
    CHECK_EQ(told.executions, 4);
}

TEST(balances_are_of_accounts_and_currencies_that_there_are)
{
    value_t left;

    begin();
    risk_set_balance(f.r, ACCOUNT_MAX, 0, USD(1), 0);
    risk_set_balance(f.r, 0, CURRENCY_MAX, USD(1), 0);
    CHECK(!risk_free_balance(f.r, ACCOUNT_MAX, 0, &left));
    CHECK(!risk_free_balance(f.r, 0, CURRENCY_MAX, &left));
    CHECK(!risk_free_balance(f.r, 0, CURRENCY_MAX - 1, &left));
    risk_set_balance(f.r, ACCOUNT_MAX - 1, CURRENCY_MAX - 1, USD(3), 0);
    CHECK(risk_free_balance(f.r, ACCOUNT_MAX - 1, CURRENCY_MAX - 1, &left));
    CHECK_EQ(left, USD(3));
}

/* ---- another venue, other kinds ---------------------------------------------------------------------------------- */

TEST(an_instrument_counts_at_its_own_venue_and_in_the_currency_it_settles_in)
{
    struct instrument other;
    struct risk_venue up = venue_up();

    begin();
    other = f.ins;
    other.id = INSTR + 1;
    other.venue = VENUE_MAX - 1;
    other.kind = INSTRUMENT_LINEAR;
    other.base_ccy = 5;
    other.quote_ccy = 6;
    other.settle_ccy = USD_CCY;
    memcpy(other.base, "XYZ", 4);
    memcpy(other.quote, "PTS", 4); /* what it is quoted in is worth nothing: money is what it settles in */
    memcpy(other.settle, "USD", 4);
    memcpy(other.symbol, "XYZPERP", 8);
    CHECK(risk_set_instrument(f.r, &other, f.now, &f.fault));
    risk_mark(f.r, other.id, &f.md, f.now);
    risk_set_venue(f.r, VENUE_MAX - 1, &up);
    struct order_delta d = { .account = ACCOUNT,
                             .instrument = INSTR + 1,
                             .client = CLIENT,
                             .side = SIDE_BUY,
                             .fill_qty = ONE,
                             .fill_px = MARK,
                             .fee_ccy = USD_CCY };
    risk_apply(f.r, &d);
    CHECK_EQ(group_of(&f, LEVEL_VENUE, VENUE_MAX - 1).gross, USD(9995) / 100);
    CHECK_EQ(group_of(&f, LEVEL_VENUE, VENUE_MAX - 1).unmarked, 0);
    CHECK_EQ(group_of(&f, LEVEL_VENUE, 0).gross, 0);
    CHECK_EQ(group_of(&f, LEVEL_GLOBAL, 0).gross, USD(9995) / 100);
    f.o.instrument = other.id;
    f.o.ins = &other;
    f.lim.venue_set = 1u << (VENUE_MAX - 1);
    f.lim.venue[VENUE_MAX - 1] = f.lim.venue_default;
    f.lim.venue[VENUE_MAX - 1].group.gross_max = USD(19990) / 100;
    apply_limits(&f);
    AT_LIMIT_AND_PAST(&f, f.o.qty = ONE, f.o.qty = ONE + 5, DENY_EXPOSURE);
}

TEST_MAIN()
