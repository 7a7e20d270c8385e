/* What the day has made outlives the process: killed at any moment, with positions of yesterday, marks that moved, a
 * summed-up journal, another currency of reports; on the rig of test_gateway. */
#include "engine/oms/journal_snapshot.h"
#include "tests/gateway_rig.h"

static struct rig rig;
static const char *reporting = "USDT";
static value_t loss_max;
static value_t drawdown_max;
static value_t loss_window_max = LIMIT_NONE;
static uint32_t strategy_rejects_max = 100;
static uint32_t venue_rejects_max = 200;

#define USDT(x)  ((value_t)((x)*VALUE_ONE))
#define ONE      INT64_C(100000) /* a BTC: five decimals */
#define ONE_DAY  (INT64_C(86400) * NS_PER_S)
#define BOOK_MID 99950 /* of rig_book() */

static void
limits(struct risk_limits *l)
{
    (void)snprintf(l->reporting, sizeof(l->reporting), "%s", reporting);
    l->instrument_default.position_long_max = l->instrument_default.position_short_max = 100 * VALUE_ONE;
    l->instrument_default.collar_ppm = l->instrument_default.reduce_collar_ppm = 500000;
    l->instrument_default.spread_max_ppm = 500000;
    l->mark_age_max_ns = INT64_C(3600) * NS_PER_S;
    l->rate_age_max_ns = INT64_C(3600) * NS_PER_S;
    l->global.day_loss_max = loss_max;
    l->global.drawdown_max = drawdown_max;
    l->client_default.group.day_loss_max = loss_max;
    l->client_default.loss_window_max = loss_window_max;
    l->client_default.rejects_max = strategy_rejects_max;
    l->venue_default.rejects_max = venue_rejects_max;
}

static void
ready(value_t loss, value_t drawdown)
{
    loss_max = loss;
    drawdown_max = drawdown;
    reporting = "USDT";
    rig_limits = limits;
    rig_ready(&rig);
}

static uint64_t update_id;
static px_t bid_now;

/* The book's two sides, half a dollar around mid (2 decimals), and a second for the marks. */
static void
market_at(px_t mid)
{
    char text[256];
    px_t bid = mid - 50;

    (void)snprintf(text, sizeof(text),
                   "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"BTCUSDT\",\"U\":%llu,\"u\":%llu,"
                   "\"b\":[[\"%lld.%02lld\",\"0\"],[\"%lld.%02lld\",\"5\"]],"
                   "\"a\":[[\"%lld.%02lld\",\"0\"],[\"%lld.%02lld\",\"5\"]]}",
                   (unsigned long long)update_id + 1, (unsigned long long)update_id + 1, (long long)bid_now / 100,
                   (long long)bid_now % 100, (long long)bid / 100, (long long)bid % 100,
                   (long long)(bid_now + 100) / 100, (long long)(bid_now + 100) % 100, (long long)(bid + 100) / 100,
                   (long long)(bid + 100) % 100);
    update_id++;
    bid_now = bid;
    rig_bytes(&rig, GATEWAY_CONN(0, CONN_ROLE_MARKET), text, strlen(text), WS_OP_TEXT);
    CHECK_EQ(feed_state(rig.feed, 0), BOOK_LIVE);
    rig_pass(&rig, 1100 * NS_PER_MS);
}

static void
book_begins(void)
{
    update_id = 102;
    bid_now = 99900;
}

static void
trade_at(enum side side, px_t px, qty_t qty)
{
    static int64_t trade = 100;
    struct command c = rig_limit(&rig, side, px, qty);

    c.tif = TIF_IOC;
    rig_command(&rig, RIG_STRATEGY, c);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_NEW);
    CHECK(q != NULL);
    struct venue_report f = rig_report(VENUE_FILL, q->clordid);
    f.side = (uint8_t)side;
    f.last_px = px;
    f.last_qty = f.cum_qty = qty;
    f.trade_id = ++trade;
    f.venue_order_id = (uint64_t)trade;
    rig_say(&rig, &f);
}

/* Nothing happens for so long but that the clocks go on: no session times out. */
static void
later(int64_t ns)
{
    rig.now.wall.ns += ns;
    rig.now.mono.ns += ns;
    rig_pass(&rig, 1100 * NS_PER_MS);
}

/* The wall clock shows the next day, and the venue's. */
static void
next_day(void)
{
    rig.now.wall.ns += ONE_DAY;
    rig_tell_time(&rig);
    rig_pass(&rig, 1100 * NS_PER_MS);
}

static struct risk_group
global(void)
{
    struct risk_group g;
    CHECK(risk_group(rig.risk, LEVEL_GLOBAL, 0, &g));
    return g;
}

static value_t
result(void)
{
    return global().day_result;
}

/* Killed and started, before any book is there. */
static void
restart(void)
{
    rig_restart(&rig);
}

static void
up_again(void)
{
    rig_up(&rig);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    book_begins();
    rig_pass(&rig, 1100 * NS_PER_MS);
}

static unsigned
day_records(void)
{
    struct journal_segment seg[RIG_SEGMENTS];
    struct journal_reader r;
    struct journal_record rec;
    struct fault fault;
    unsigned n = 0;

    for (uint32_t i = 0; i < rig.segments; i++)
        seg[i] = (struct journal_segment){ rig.segment[i], RIG_SEGMENT, "rig" };
    CHECK(journal_reader_init(&r, seg, rig.segments, &fault));
    while (journal_reader_next(&r, &rec, &fault) == JOURNAL_READ_OK)
        n += rec.type == JOURNAL_DAY;
    return n;
}

/* ---- what a restart must not forget, nor invent ---- */

TEST(a_loss_since_the_roll_on_a_position_of_yesterday_is_still_there_after_a_restart)
{
    ready(USDT(60), LIMIT_NONE);
    book_begins();
    trade_at(SIDE_BUY, 100000, ONE);
    market_at(110000);
    next_day();
    CHECK_EQ(result(), 0);
    market_at(105000);
    CHECK_EQ(result(), -USDT(50));
    restart();
    CHECK_EQ(result(), -USDT(50));
    struct risk_group g;
    CHECK(risk_group(rig.risk, LEVEL_CLIENT, RIG_CLIENT, &g));
    CHECK_EQ(g.day_result, -USDT(50));
    up_again(); /* and the market went on while we were away: 999.50 */
    CHECK_EQ(result(), -USDT(1005) / 10);
    CHECK((risk_tripped(rig.risk, LEVEL_GLOBAL, 0) & 1u << TRIP_DAY_LOSS) != 0);
    rig_command(&rig, RIG_STRATEGY, rig_limit(&rig, SIDE_BUY, 99900, 1000));
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_DAILY_LOSS);
    rig_end(&rig);
}

TEST(a_loss_of_earlier_days_does_not_stop_the_day_after_a_restart)
{
    ready(USDT(100), LIMIT_NONE);
    book_begins();
    trade_at(SIDE_BUY, 100000, ONE);
    market_at(93000); /* yesterday's loss: 70 */
    next_day();
    market_at(BOOK_MID - 500);
    CHECK_EQ(result(), USDT(645) / 10);
    restart();
    CHECK_EQ(result(), USDT(645) / 10);
    up_again();
    CHECK_EQ(result(), USDT(695) / 10);
    CHECK_EQ(risk_tripped(rig.risk, LEVEL_GLOBAL, 0), 0);
    rig_end(&rig);
}

TEST(the_days_best_outlives_the_process_and_a_fall_from_it_still_trips)
{
    ready(LIMIT_NONE, USDT(50));
    book_begins();
    trade_at(SIDE_SELL, 100000, ONE); /* gains as the market falls */
    market_at(95000);
    CHECK_EQ(result(), USDT(50));
    market_at(98000);
    restart();
    CHECK_EQ(global().day_best, USDT(50));
    CHECK_EQ(result(), USDT(20));
    up_again();
    CHECK_EQ(result(), USDT(5) / 10);
    CHECK_EQ(risk_tripped(rig.risk, LEVEL_GLOBAL, 0), 0); /* 49.50 of 50 */
    market_at(100001);
    CHECK_EQ(risk_tripped(rig.risk, LEVEL_GLOBAL, 0), 1u << TRIP_DRAWDOWN);
    rig_end(&rig);
}

TEST(trades_after_the_last_word_are_added_to_it)
{
    ready(USDT(100), LIMIT_NONE);
    book_begins();
    trade_at(SIDE_BUY, 100000, ONE);
    market_at(110000);
    next_day();
    market_at(105000);
    unsigned told = day_records();
    trade_at(SIDE_SELL, 104000, ONE); /* 10 below the mark */
    CHECK_EQ(result(), -USDT(60));
    value_t value = global().day_value;
    CHECK_EQ(day_records(), told);
    restart();
    CHECK_EQ(result(), -USDT(60));
    CHECK_EQ(global().day_value, value);
    CHECK_EQ(rig_position(&rig)->qty, 0);
    up_again();
    CHECK_EQ(result(), -USDT(60)); /* nothing held: no market moves it */
    rig_end(&rig);
}

TEST(a_day_that_ends_while_we_are_away_ends)
{
    ready(USDT(60), LIMIT_NONE);
    book_begins();
    trade_at(SIDE_BUY, 100000, ONE);
    market_at(95000);
    CHECK_EQ(result(), -USDT(50));
    rig.now.wall.ns += ONE_DAY;
    rig.now.mono.ns += ONE_DAY;
    restart();
    up_again();
    CHECK_EQ(result(), USDT(495) / 10); /* since the mark that was told last */
    CHECK_EQ(global().day_value, 0);
    rig_end(&rig);
}

/* ---- when it is told ---- */

TEST(the_journal_is_told_at_a_sixteenth_of_a_limit_and_one_past_it_else_once_a_minute)
{
    ready(USDT(160), LIMIT_NONE);
    book_begins();
    trade_at(SIDE_BUY, 100000, ONE);
    market_at(100000);
    later(60 * NS_PER_S);
    unsigned told = day_records();
    market_at(99000); /* 10, the sixteenth */
    CHECK_EQ(day_records(), told);
    market_at(98999);
    CHECK(day_records() > told);
    told = day_records();
    market_at(99000);
    CHECK_EQ(day_records(), told);
    later(60 * NS_PER_S);
    CHECK(day_records() > told);
    told = day_records();
    later(600 * NS_PER_S); /* nothing moves: nothing is said */
    CHECK_EQ(day_records(), told);
    rig_end(&rig);
}

TEST(without_room_for_it_the_day_is_told_later_and_orders_go_on)
{
    ready(USDT(160), LIMIT_NONE);
    book_begins();
    trade_at(SIDE_BUY, 100000, ONE);
    later(60 * NS_PER_S);
    unsigned told = day_records();
    size_t bytes = rig.journal.bytes;
    rig.journal.reserve = 4096;
    rig.journal.bytes = (rig.journal.used + 4096 + sizeof(struct journal_record_header)) & ~(size_t)7;
    market_at(90000);
    CHECK_EQ(day_records(), told);
    rig.journal.bytes = bytes;
    rig_pass(&rig, 1100 * NS_PER_MS);
    CHECK(day_records() > told);
    restart();
    CHECK_EQ(result(), -USDT(100));
    rig_end(&rig);
}

/* ---- counts of a strategy ---- */

TEST(what_a_strategy_has_sent_counts_on_over_a_restart_amends_and_cancels_too)
{
    rig.amends = true;
    ready(LIMIT_NONE, LIMIT_NONE);
    book_begins();
    uint64_t key = rig_new(&rig, SIDE_BUY, 99000, 1000);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_NEW);
    struct venue_report ack = rig_report(VENUE_NEW_ACK, q->clordid);
    ack.venue_order_id = 9;
    rig_say(&rig, &ack);
    for (unsigned i = 0; i < 3; i++) {
        struct command c = rig_limit(&rig, SIDE_BUY, 99010 + (px_t)i, 1000);
        c.verb = COMMAND_REPLACE;
        c.target_key = key;
        rig_command(&rig, RIG_STRATEGY, c);
        q = rig_take(&rig, VENUE_RQ_AMEND);
        CHECK(q != NULL);
        struct venue_report a = rig_report(VENUE_AMENDED, q->target);
        a.px = 99010 + (px_t)i;
        a.qty = 1000;
        a.venue_order_id = 9;
        rig_say(&rig, &a);
        key = rig.key;
    }
    struct risk_day before;
    struct risk_day after;
    risk_day_untold(rig.risk);
    CHECK(risk_day_tell(rig.risk, LEVEL_CLIENT, RIG_CLIENT, &before));
    CHECK_EQ(before.executions, 4);
    CHECK_EQ(before.messages, 4);
    restart();
    risk_day_untold(rig.risk);
    CHECK(risk_day_tell(rig.risk, LEVEL_CLIENT, RIG_CLIENT, &after));
    CHECK_EQ(after.executions, before.executions);
    CHECK_EQ(after.messages, before.messages);
    rig.amends = false;
    rig_end(&rig);
}

/* ---- summed up ---- */

static void
sum_up(void)
{
    const struct order_counts counts = {
        .live_max = RIG_ORDERS / 2, .done_kept = RIG_ORDERS / 2, .trades_kept = 256, .keys_kept = 16
    };
    struct journal_segment seg[RIG_SEGMENTS];
    struct arena arena = { .size = journal_snapshot_footprint(&counts) };
    struct fault fault = { "" };

    for (uint32_t i = 0; i < rig.segments; i++)
        seg[i] = (struct journal_segment){ rig.segment[i], RIG_SEGMENT, "rig" };
    arena.base = (uint8_t *)aligned_alloc(4096, (arena.size + 4095) & ~(size_t)4095);
    memset(arena.base, 0, arena.size);
    struct journal_snapshot *s = journal_snapshot_init(&counts, "01", &arena);
    if (!journal_snapshot_gather(s, seg, rig.segments, &fault))
        fail_msg("%s", fault.text);
    CHECK(journal_snapshot_bytes(s) <= RIG_SEGMENT && journal_snapshot_gains(s));
    uint8_t *to = rig.segment[rig.segments - 1];
    memset(to, 0, RIG_SEGMENT);
    journal_snapshot_write(s, to, RIG_SEGMENT, "test", rig.now);
    free(arena.base);
}

TEST(a_journal_that_was_summed_up_tells_the_same_day)
{
    for (unsigned more = 0; more < 2; more++) { /* with nothing, and with trades, behind the day's last word */
        ready(USDT(1000), USDT(1000));
        book_begins();
        trade_at(SIDE_BUY, 100000, ONE);
        trade_at(SIDE_BUY, 100033, ONE / 7);
        market_at(110000);
        next_day();
        market_at(120000);
        market_at(105000);
        (void)rig_new(&rig, SIDE_BUY, 90000, 1000); /* rests */
        trade_at(SIDE_BUY, 105000, ONE);
        later(60 * NS_PER_S);
        if (more == 1)
            trade_at(SIDE_SELL, 104000, ONE);
        struct risk_group was = global();
        struct risk_day sent;
        struct risk_day again;
        risk_day_untold(rig.risk);
        CHECK(risk_day_tell(rig.risk, LEVEL_CLIENT, RIG_CLIENT, &sent));
        sum_up();
        restart();
        struct risk_group is = global();
        CHECK_EQ(is.day_result, was.day_result);
        CHECK_EQ(is.day_best, was.day_best);
        CHECK_EQ(is.day_value, was.day_value);
        CHECK_EQ(is.fees, was.fees);
        risk_day_untold(rig.risk);
        CHECK(risk_day_tell(rig.risk, LEVEL_CLIENT, RIG_CLIENT, &again));
        CHECK_EQ(again.executions, sent.executions);
        CHECK_EQ(again.messages, sent.messages);
        CHECK_EQ(again.result, sent.result);
        rig_end(&rig);
    }
}

TEST(prices_that_get_other_decimals_leave_the_day_as_it_was_summed_up_or_not)
{
    for (unsigned summed = 0; summed < 2; summed++) {
        ready(USDT(1000), USDT(1000));
        book_begins();
        trade_at(SIDE_BUY, 100000, ONE);
        market_at(110000);
        next_day();
        market_at(105000);
        later(60 * NS_PER_S);
        CHECK_EQ(result(), -USDT(50));
        struct instrument ins = rig_instrument();
        ins.px_decimals = 3;
        ins.px_max *= 10;
        gateway_on_definition(rig.g, &ins, rig.now);
        CHECK_EQ(rig.route.table[0].version, 2);
        if (summed)
            sum_up();
        restart();
        CHECK_EQ(rig.route.table[0].px_decimals, 3);
        CHECK_EQ(result(), -USDT(50));
        struct risk_pnl p;
        risk_pnl(rig.risk, CLIENT_NONE, 0, 0, &p);
        CHECK_EQ(p.mark_px, 1050000);
        CHECK_EQ(p.average_px, 1000000);
        CHECK_EQ(p.unrealised, USDT(50));
        rig_end(&rig);
    }
}

/* ---- windows of breakers: starting again opens no new one ---- */

static void
rejected(void)
{
    (void)rig_new(&rig, SIDE_BUY, 99000, 1000);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_NEW);
    CHECK(q != NULL);
    rig_say_kind(&rig, VENUE_REJECTED, q->clordid);
    rig_pass(&rig, NS_PER_MS); /* the turn that the record is written in */
}

static uint32_t
client_tripped(void)
{
    return risk_tripped(rig.risk, LEVEL_CLIENT, RIG_CLIENT);
}

TEST(rejects_before_a_restart_count_in_their_window_after_it_summed_up_or_not)
{
    for (unsigned summed = 0; summed < 2; summed++)
        for (unsigned venue = 0; venue < 2; venue++) {
            strategy_rejects_max = venue ? 100 : 3;
            venue_rejects_max = venue ? 3 : 200;
            ready(LIMIT_NONE, LIMIT_NONE);
            rejected();
            rejected();
            if (summed)
                sum_up();
            restart();
            up_again();
            rejected(); /* the limit */
            CHECK_EQ(client_tripped() | risk_tripped(rig.risk, LEVEL_VENUE, 0), 0);
            restart();
            up_again();
            rejected();
            CHECK_EQ(client_tripped(), venue ? 0 : 1u << TRIP_REJECTS);
            CHECK_EQ(risk_tripped(rig.risk, LEVEL_VENUE, 0), venue ? 1u << TRIP_REJECTS : 0);
            rig_end(&rig);
        }
    strategy_rejects_max = 100;
    venue_rejects_max = 200;
}

TEST(a_window_of_rejects_that_is_over_by_the_wall_clock_is_over_after_a_restart_of_the_machine)
{
    for (unsigned over = 0; over < 2; over++) {
        strategy_rejects_max = 2;
        ready(LIMIT_NONE, LIMIT_NONE);
        int64_t wall = rig.now.wall.ns;
        rejected();
        rejected();
        rig.now.mono.ns = 5 * NS_PER_S; /* a clock that began anew */
        rig.now.wall.ns = wall + (over ? 61 : 40) * NS_PER_S;
        restart();
        up_again();
        rejected();
        CHECK_EQ(client_tripped(), over ? 0 : 1u << TRIP_REJECTS);
        rig_end(&rig);
    }
    strategy_rejects_max = 100;
}

TEST(what_a_human_has_released_does_not_come_back_with_a_restart)
{
    strategy_rejects_max = 1;
    ready(LIMIT_NONE, LIMIT_NONE);
    rejected();
    rejected();
    CHECK_EQ(client_tripped(), 1u << TRIP_REJECTS);
    struct journal_control c = {
        .kind = CONTROL_STATE, .level = LEVEL_CLIENT, .id = RIG_CLIENT, .value = TRADING_ACTIVE
    };
    CHECK(risk_untrip(rig.risk, LEVEL_CLIENT, RIG_CLIENT, rig.now));
    CHECK(journal_append(&rig.journal, JOURNAL_CONTROL, &c, sizeof(c), rig.now) != 0);
    rig_pass(&rig, 1100 * NS_PER_MS);
    sum_up();
    restart();
    up_again();
    rejected();
    CHECK_EQ(client_tripped(), 0);
    rejected();
    CHECK_EQ(client_tripped(), 1u << TRIP_REJECTS);
    strategy_rejects_max = 100;
    rig_end(&rig);
}

TEST(a_fast_loss_is_seen_over_a_restart_from_the_best_of_the_window_before_it)
{
    for (unsigned summed = 0; summed < 2; summed++)
        for (unsigned past = 0; past < 2; past++) {
            loss_window_max = USDT(80) - past; /* from 1079.50 to 999.50 */
            ready(LIMIT_NONE, LIMIT_NONE);
            book_begins();
            trade_at(SIDE_BUY, 100000, ONE);
            market_at(107950);
            market_at(104000);
            CHECK_EQ(client_tripped(), 0);
            if (summed)
                sum_up();
            restart();
            CHECK_EQ(client_tripped(), 0);
            up_again();
            CHECK_EQ(client_tripped(), past ? 1u << TRIP_LOSS_RATE : 0);
            rig_end(&rig);
        }
    loss_window_max = LIMIT_NONE;
}

TEST(a_loss_that_began_a_window_ago_is_no_fast_one_after_a_restart)
{
    loss_window_max = USDT(50);
    ready(LIMIT_NONE, LIMIT_NONE);
    book_begins();
    trade_at(SIDE_BUY, 100000, ONE);
    market_at(107950);
    rig.now.wall.ns += 121 * NS_PER_S;
    rig.now.mono.ns += 121 * NS_PER_S;
    restart();
    up_again();
    CHECK_EQ(client_tripped(), 0);
    loss_window_max = LIMIT_NONE;
    rig_end(&rig);
}

TEST(a_wall_clock_that_the_venue_belies_opens_no_new_day)
{
    ready(USDT(40), LIMIT_NONE);
    book_begins();
    trade_at(SIDE_BUY, 100000, ONE);
    market_at(95000);
    CHECK_EQ(result(), -USDT(50));
    uint32_t tripped = risk_tripped(rig.risk, LEVEL_GLOBAL, 0);
    CHECK(tripped != 0);
    rig.now.wall.ns += ONE_DAY;
    rig_pass(&rig, 1100 * NS_PER_MS);
    CHECK_EQ(result(), -USDT(50));
    CHECK_EQ(risk_tripped(rig.risk, LEVEL_GLOBAL, 0), tripped);
    rig.now.wall.ns -= ONE_DAY;
    rig_pass(&rig, 1100 * NS_PER_MS);
    CHECK_EQ(risk_tripped(rig.risk, LEVEL_GLOBAL, 0), tripped);
    next_day();
    CHECK_EQ(risk_tripped(rig.risk, LEVEL_GLOBAL, 0) & 1u << TRIP_DAY_LOSS, 0);
    rig_end(&rig);
}

TEST(a_fast_loss_goes_on_over_the_roll_of_the_day)
{
    for (unsigned past = 0; past < 2; past++) {
        loss_window_max = USDT(80) - past;
        ready(LIMIT_NONE, LIMIT_NONE);
        book_begins();
        trade_at(SIDE_BUY, 100000, ONE);
        market_at(107950);
        market_at(104000);
        next_day();
        CHECK_EQ(result(), 0);
        market_at(BOOK_MID);
        CHECK_EQ(client_tripped(), past ? 1u << TRIP_LOSS_RATE : 0);
        rig_end(&rig);
    }
    loss_window_max = LIMIT_NONE;
}

/* ---- another currency ---- */

TEST(a_day_in_another_currency_is_converted_by_the_rate_that_was_told)
{
    ready(USDT(60), LIMIT_NONE);
    book_begins();
    trade_at(SIDE_BUY, 100000, ONE);
    market_at(95000);
    CHECK_EQ(result(), -USDT(50));
    reporting = "BTC"; /* the book was its rate: 950 */
    loss_max = VALUE_ONE;
    restart();
    CHECK_EQ(result(), -(USDT(50) / 950));
    CHECK_EQ(risk_tripped(rig.risk, LEVEL_GLOBAL, 0), 0);
    rig_end(&rig);
}

TEST(a_loss_in_a_currency_that_nobody_can_convert_stops_until_a_human_resumes)
{
    for (unsigned lost = 0; lost < 2; lost++) {
        ready(USDT(60), LIMIT_NONE);
        book_begins();
        trade_at(lost ? SIDE_BUY : SIDE_SELL, 100000, ONE);
        market_at(95000);
        reporting = "EUR";
        restart();
        CHECK_EQ(risk_tripped(rig.risk, LEVEL_GLOBAL, 0), lost ? 1u << TRIP_DAY_LOSS : 0);
        rig_end(&rig);
    }
}

TEST_MAIN()
