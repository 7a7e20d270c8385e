/* What risk decides, through the whole core: our own orders out of the way, what the visible book would fill, what is
 * spent when there is no room, flatten past limits of one order; on the rig of test_gateway. */
#include "tests/gateway_rig.h"

static struct rig rig;
static struct risk_limits limits;

/* Change what is in force: set fields of `limits` between these two. */
static void
limits_begin(void)
{
    limits = *risk_limits_in_force(rig.risk);
    limits.version++;
}

static void
limits_end(void)
{
    struct fault fault;
    if (!risk_set_limits(rig.risk, &limits, rig.now, &fault))
        fail_msg("%s", fault.text);
}

static void
self_match(enum self_match_mode mode)
{
    limits_begin();
    limits.instrument_default.self_match = (uint8_t)mode;
    limits_end();
}

/* The venue takes the newest order. */
static const struct rig_request *
acked(uint64_t venue_order_id)
{
    struct rig_request *q = rig_take(&rig, VENUE_RQ_NEW);
    CHECK(q != NULL);
    struct venue_report ack = rig_report(VENUE_NEW_ACK, q->clordid);
    ack.venue_order_id = venue_order_id;
    rig_say(&rig, &ack);
    return q;
}

static void
filled(const struct rig_request *q, enum side side, px_t px, qty_t qty, int64_t trade)
{
    struct venue_report f = rig_report(VENUE_FILL, q->clordid);
    f.side = (uint8_t)side;
    f.last_px = px;
    f.last_qty = qty;
    f.cum_qty = qty;
    f.trade_id = trade;
    rig_say(&rig, &f);
}

/* Hold this much, bought at the offer. */
static void
hold(qty_t qty)
{
    (void)rig_new(&rig, SIDE_BUY, 100000, qty);
    filled(acked(500), SIDE_BUY, 100000, qty, 1);
    CHECK_EQ(rig_position(&rig)->qty, qty);
}

/* ---- self-match -------------------------------------------------------------------------------------------------- */

TEST(an_order_in_the_way_is_canceled_before_the_new_one_is_sent_and_both_are_in_the_journal)
{
    rig_ready(&rig);
    self_match(SELF_MATCH_CANCEL_RESTING);
    (void)rig_new(&rig, SIDE_SELL, 100000, 1000);
    (void)acked(7);
    uint32_t before = rig.request_count;
    uint64_t key = rig_new(&rig, SIDE_BUY, 100000, 2000);
    CHECK_EQ(rig.request_count, before + 2);
    CHECK_EQ(rig.request[before].kind, VENUE_RQ_CANCEL);
    CHECK_EQ(rig.request[before].venue_order_id, 7);
    CHECK_EQ(rig.request[before + 1].kind, VENUE_RQ_NEW);
    CHECK(rig.request[before].journal_seq < rig.request[before + 1].journal_seq);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_SENT).kind, REPORT_SENT);
    CHECK(order_find_key(rig.orders, RIG_CLIENT, key) != ORDER_NONE);
    rig_end(&rig);
}

TEST(cancel_both_cancels_what_rests_and_refuses_the_new_one_and_deny_touches_nothing)
{
    static const struct {
        enum self_match_mode mode;
        uint32_t cancels;
    } at[] = { { SELF_MATCH_CANCEL_BOTH, 1 }, { SELF_MATCH_DENY, 0 } };

    for (unsigned i = 0; i < ARRAY_LEN(at); i++) {
        rig_ready(&rig);
        self_match(at[i].mode);
        (void)rig_new(&rig, SIDE_SELL, 100000, 1000);
        (void)acked(7);
        (void)rig_new(&rig, SIDE_BUY, 100000, 2000);
        CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_SELF_MATCH);
        CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 1);
        CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), at[i].cancels);
        rig_end(&rig);
    }
}

/* A strategy whose orders are denied must not be able to cancel those of all the others. */
TEST(an_order_that_is_denied_by_a_later_check_or_has_no_room_cancels_nothing)
{
    for (int why = 0; why < 2; why++) {
        rig_ready(&rig);
        self_match(SELF_MATCH_CANCEL_RESTING);
        (void)rig_new(&rig, SIDE_SELL, 100000, 1000);
        (void)acked(7);
        if (why == 0) {
            limits_begin();
            limits.client_default.order_rate = (struct rate_limit){ 1, 1 };
            limits_end();
            (void)rig_new(&rig, SIDE_BUY, 99900, 1000); /* the token */
            (void)acked(8);
        }
        rig.no_room = why == 1;
        (void)rig_new(&rig, SIDE_BUY, 100000, 2000);
        CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, why == 0 ? DENY_ORDER_RATE : DENY_CAPACITY);
        CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 0);
        rig_end(&rig);
    }
}

TEST(cancel_both_cancels_nothing_for_an_order_that_would_be_denied_anyway_and_costs_its_token)
{
    for (int why = 0; why < 4; why++) {
        rig_ready(&rig);
        self_match(SELF_MATCH_CANCEL_BOTH);
        (void)rig_new(&rig, SIDE_SELL, 100000, 1000);
        (void)acked(7);
        limits_begin();
        limits.client_default.order_rate = (struct rate_limit){ 1, why == 1 ? 1 : 100 };
        limits.duplicate_max = 2;
        limits.duplicate_window_ns = 60 * NS_PER_S;
        limits_end();
        uint32_t crossing = why == 2 ? 3 : 1; /* 2: the third one is a repeat */
        rig.no_room = why == 3;
        if (why == 1) {
            (void)rig_new(&rig, SIDE_BUY, 99900, 1000); /* the token */
            (void)acked(8);
        }
        for (uint32_t i = 0; i < crossing; i++) {
            if (i == 2) { /* back again, so that there is something to cancel */
                (void)rig_new(&rig, SIDE_SELL, 100000, 1000);
                (void)acked(9);
            }
            (void)rig_new(&rig, SIDE_BUY, 100000, 2000);
            CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_SELF_MATCH);
        }
        CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), why == 0 || why == 2 ? 1 : 0);
        rig.no_room = false;
        rig_end(&rig);
    }
    rig_ready(&rig);
    self_match(SELF_MATCH_CANCEL_BOTH);
    (void)rig_new(&rig, SIDE_SELL, 100000, 1000);
    (void)acked(7);
    limits_begin();
    limits.client_default.order_rate = (struct rate_limit){ 1, 1 };
    limits_end();
    (void)rig_new(&rig, SIDE_BUY, 100000, 2000);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 1);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_SELF_MATCH);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_ORDER_RATE);
    rig_end(&rig);
}

/* The fate of what is in the way is not known: nothing is proven by a cancel that may find it or not. */
TEST(an_order_in_the_way_whose_fate_or_cancel_is_unknown_refuses_the_new_one_until_it_is_known)
{
    for (int how = 0; how < 2; how++) {
        rig_ready(&rig);
        self_match(SELF_MATCH_CANCEL_RESTING);
        uint64_t key = rig_new(&rig, SIDE_SELL, 100000, 1000);
        if (how == 0) {
            (void)acked(7);
            rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key });
        }
        rig_pass(&rig, 2 * NS_PER_S + NS_PER_MS); /* no answer */
        CHECK_EQ(rig_position(&rig)->unknown_count, 1);
        uint32_t news = rig_requests(&rig, VENUE_RQ_NEW);
        uint32_t cancels = rig_requests(&rig, VENUE_RQ_CANCEL);
        (void)rig_new(&rig, SIDE_BUY, 100000, 1000);
        CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), news);
        CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_SELF_MATCH);
        CHECK(rig_requests(&rig, VENUE_RQ_CANCEL) > cancels);
        struct venue_report v = rig_report(VENUE_CANCELED, rig_order(&rig, key)->clordid);
        rig_say(&rig, &v);
        (void)rig_new(&rig, SIDE_BUY, 100000, 1001);
        CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), news + 1);
        rig_end(&rig);
    }
}

TEST(an_order_in_the_way_whose_amend_is_in_flight_is_canceled_all_the_same)
{
    rig.amends = true;
    rig_ready(&rig);
    self_match(SELF_MATCH_CANCEL_RESTING);
    uint64_t key = rig_new(&rig, SIDE_SELL, 100300, 1000);
    (void)acked(7);
    struct command c = rig_limit(&rig, SIDE_SELL, 100000, 1000);
    c.verb = COMMAND_REPLACE;
    c.target_key = key;
    rig_command(&rig, RIG_STRATEGY, c);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_AMEND), 1); /* and has no answer yet */
    (void)rig_new(&rig, SIDE_BUY, 100000, 2000);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 1);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 2);
    rig.amends = false;
    rig_end(&rig);
}

/* More than are canceled for one order: nothing is sent, so nothing can trade against the others. */
TEST(more_orders_in_the_way_than_are_canceled_at_once_refuse_the_new_one)
{
    rig_ready(&rig);
    self_match(SELF_MATCH_CANCEL_RESTING);
    for (int i = 0; i < 17; i++) {
        (void)rig_new(&rig, SIDE_SELL, 100000 + i, 1000);
        (void)acked((uint64_t)i + 1);
    }
    (void)rig_new(&rig, SIDE_BUY, 100100, 2000);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_SELF_MATCH);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 17);
    rig_end(&rig);
}

/* ---- market orders ----------------------------------------------------------------------------------------------- */

static struct command
market_order(enum side side, qty_t qty)
{
    struct command c = rig_limit(&rig, side, 0, qty);
    c.type = ORDER_MARKET;
    c.tif = TIF_IOC;
    return c;
}

static uint64_t book_update; /* number of the last one */

/* A venue that takes market orders too. */
static void
market_ready(void)
{
    struct instrument ins = rig_instrument();

    rig_ready(&rig);
    ins.order_types |= 1u << ORDER_MARKET;
    gateway_on_definition(rig.g, &ins, rig.now);
    book_update = 102;
}

static void
market_book(const char *bids, const char *asks)
{
    char text[512];
    int n = snprintf(text, sizeof(text),
                     "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"BTCUSDT\",\"U\":%llu,\"u\":%llu,\"b\":[%s],\"a\":[%s]}",
                     (unsigned long long)book_update + 1, (unsigned long long)book_update + 1, bids, asks);
    book_update++;
    rig_bytes(&rig, GATEWAY_CONN(0, CONN_ROLE_MARKET), text, (size_t)n, WS_OP_TEXT);
    CHECK_EQ(feed_state(rig.feed, 0), BOOK_LIVE);
}

TEST(a_market_order_is_held_to_the_book_that_is_visible_at_that_moment)
{
    market_ready();
    limits_begin();
    limits.instrument_default.position_long_max = limits.instrument_default.position_short_max = 1000 * VALUE_ONE;
    limits.instrument_default.order_notional_max = 10000000 * VALUE_ONE;
    limits_end();
    /* Offers: 5 at 1000.00, 5 at 1019.99, 5 at 1020.01. The collar is 2 %. */
    market_book("", "[\"1019.99\",\"5\"],[\"1020.01\",\"5\"]");
    static const struct {
        enum side side;
        qty_t qty;
        enum deny_reason why;
        px_t worst;
    } at[] = {
        { SIDE_BUY, 500000, DENY_NONE, 100000 },   { SIDE_BUY, 500001, DENY_NONE, 101999 },
        { SIDE_BUY, 1000000, DENY_NONE, 101999 },  { SIDE_BUY, 1000001, DENY_SWEEP, 102001 },
        { SIDE_BUY, 1500001, DENY_SWEEP, 102001 }, { SIDE_SELL, 500000, DENY_NONE, 99900 },
        { SIDE_SELL, 500001, DENY_SWEEP, 0 },
    };
    for (unsigned i = 0; i < ARRAY_LEN(at); i++) {
        uint32_t sent = rig_requests(&rig, VENUE_RQ_NEW);
        rig_command(&rig, RIG_STRATEGY, market_order(at[i].side, at[i].qty));
        if (at[i].why != DENY_NONE) {
            CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, at[i].why);
            CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), sent);
            continue;
        }
        CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), sent + 1);
        const struct rig_request *q = acked(i + 1);
        filled(q, at[i].side, at[i].worst, at[i].qty, (int64_t)i + 1);
    }
    rig_end(&rig);
}

TEST(a_market_order_whose_sweep_reaches_our_own_resting_order_is_refused)
{
    market_ready();
    market_book("", "[\"1005.00\",\"5\"]");
    (void)rig_new(&rig, SIDE_SELL, 100500, 1000);
    (void)acked(7);
    rig_command(&rig, RIG_STRATEGY, market_order(SIDE_BUY, 500000)); /* the first level is enough */
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).kind, REPORT_NONE);
    (void)acked(8);
    limits_begin();
    limits.instrument_default.position_long_max = 100 * VALUE_ONE;
    limits_end();
    rig_command(&rig, RIG_STRATEGY, market_order(SIDE_BUY, 500001));
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_SELF_MATCH);
    rig_end(&rig);
}

/* ---- what is spent ----------------------------------------------------------------------------------------------- */

TEST(an_order_for_which_there_is_no_room_spends_and_counts_nothing)
{
    rig_ready(&rig);
    limits_begin();
    limits.duplicate_max = 3;
    limits.client_default.order_rate = (struct rate_limit){ 1, 2 };
    limits.client_default.repeat_executions_max = 2;
    limits_end();
    rig.no_room = true;
    for (int i = 0; i < 10; i++) {
        (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
        CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_CAPACITY);
    }
    CHECK_EQ(risk_totals(rig.risk)->accepted, 0);
    rig.no_room = false;
    for (int i = 0; i < 2; i++) {
        (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
        CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), (uint32_t)i + 1);
    }
    CHECK_EQ(risk_totals(rig.risk)->accepted, 2);
    rig_end(&rig);
}

TEST(denials_for_want_of_room_count_as_denied_commands)
{
    rig_ready(&rig);
    limits_begin();
    limits.client_default.flood_halts = true;
    limits.client_default.denied_rate = (struct rate_limit){ 1, 5 };
    limits_end();
    rig.no_room = true;
    for (int i = 0; i < 6; i++)
        (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    rig.no_room = false;
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), 0);
    CHECK_EQ(risk_tripped(rig.risk, LEVEL_CLIENT, RIG_CLIENT), 1u << TRIP_FLOOD);
    rig_end(&rig);
}

/* ---- balances ---------------------------------------------------------------------------------------------------- */

TEST(balances_that_the_venue_refuses_to_tell_are_missing_and_deny)
{
    rig_start_sweeping(&rig, FOREIGN_REPORT, false);
    rig_up(&rig);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    CHECK(rig_take(&rig, VENUE_RQ_TRADES) != NULL);
    struct venue_report r = rig_report(VENUE_TRADES_END, NULL);
    r.request = VENUE_RQ_TRADES;
    rig_say(&rig, &r);
    for (int i = 0; i < 10 && rig_take(&rig, VENUE_RQ_BALANCES) != NULL; i++) {
        r = rig_report(VENUE_QUERY_FAILED, NULL);
        r.request = VENUE_RQ_BALANCES;
        r.definite = true; /* the key may not */
        rig_say(&rig, &r);
        rig_pass(&rig, 2 * NS_PER_S);
    }
    CHECK(risk_venue_of(rig.risk, 0)->reconciled);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_BALANCE);
    rig_end(&rig);
}

/* ---- flatten ----------------------------------------------------------------------------------------------------- */

static void
flatten(void)
{
    rig_command(&rig, RIG_OPERATOR, (struct command){ .verb = COMMAND_FLATTEN, .instrument = 0 });
    rig_confirm(&rig, rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM));
}

/* The last record of a flatten says how it ended. */
static const char *
flatten_said(void)
{
    static char text[40];
    const uint8_t *base = rig.segment[rig.segments - 1];
    size_t at = sizeof(struct journal_segment_header);
    struct journal_record_header h;

    text[0] = '\0';
    for (;; at += h.bytes) {
        memcpy(&h, base + at, sizeof(h));
        if (h.bytes < sizeof(h))
            return text;
        struct journal_control c;
        if (h.type != JOURNAL_CONTROL)
            continue;
        memcpy(&c, base + at + sizeof(h), sizeof(c));
        if (c.kind == CONTROL_FLATTEN)
            memcpy(text, c.text, sizeof(text));
    }
}

TEST(flatten_reduces_in_parts_when_one_order_may_not_be_as_large_as_the_position)
{
    rig_ready(&rig);
    hold(300000); /* 3, worth 3,000 */
    limits_begin();
    limits.instrument_default.order_notional_max = 200 * VALUE_ONE;
    limits.instrument_default.order_qty_max = VALUE_ONE / 2;
    limits_end();
    flatten();
    int64_t trade = 10;
    for (int i = 0; i < 40 && rig_position(&rig)->qty > 0; i++) {
        const struct rig_request *q = rig_take(&rig, VENUE_RQ_NEW);
        if (q != NULL) {
            CHECK(q->qty <= 50000 && notional_ceil(q->px, q->qty, 2, 5, VALUE_ONE) <= 200 * VALUE_ONE);
            filled(q, SIDE_SELL, 99900, q->qty, trade++);
        }
        rig_pass(&rig, 300 * NS_PER_MS);
    }
    CHECK_EQ(rig_position(&rig)->qty, 0);
    CHECK(trade > 20); /* 3,000 in orders of 200 */
    rig_pass(&rig, NS_PER_S);
    CHECK(strcmp(flatten_said(), "flat") == 0);
    rig_end(&rig);
}

TEST(flatten_says_that_a_position_is_left_when_its_orders_change_nothing)
{
    rig_ready(&rig);
    hold(100000);
    flatten();
    for (int i = 0; i < 60; i++) { /* every order is refused by the venue */
        const struct rig_request *q = rig_take(&rig, VENUE_RQ_NEW);
        if (q != NULL)
            rig_say_kind(&rig, VENUE_REJECTED, q->clordid);
        rig_pass(&rig, 300 * NS_PER_MS);
    }
    CHECK_EQ(rig_position(&rig)->qty, 100000);
    CHECK(strcmp(flatten_said(), "given up: a position is left") == 0);
    rig_end(&rig);
}

TEST(flatten_cancels_what_is_open_where_nothing_is_held_and_says_flat_only_after_that)
{
    rig_ready(&rig);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    const struct rig_request *q = acked(1);
    char clordid[CLORDID_BYTES];
    memcpy(clordid, q->clordid, CLORDID_BYTES);
    flatten();
    rig_pass(&rig, 7 * NS_PER_S); /* longer than a cancel is waited for */
    CHECK(rig_requests(&rig, VENUE_RQ_CANCEL) >= 1);
    CHECK(strcmp(flatten_said(), "flat") != 0);
    filled(rig_take(&rig, VENUE_RQ_CANCEL), SIDE_BUY, 99900, 1000, 5); /* it beat the cancel */
    rig_pass(&rig, NS_PER_S);
    q = rig_take(&rig, VENUE_RQ_NEW); /* what it brought is sold again */
    CHECK(q != NULL && q->qty == 1000);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_SELL], 1000);
    filled(q, SIDE_SELL, 99900, 1000, 6);
    rig_pass(&rig, NS_PER_S);
    CHECK_EQ(rig_position(&rig)->qty, 0);
    CHECK(strcmp(flatten_said(), "flat") == 0);
    rig_end(&rig);
}

TEST(flatten_of_nothing_held_and_nothing_open_is_flat_at_once)
{
    rig_ready(&rig);
    flatten();
    rig_pass(&rig, 300 * NS_PER_MS);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 0);
    CHECK(strcmp(flatten_said(), "flat") == 0);
    rig_end(&rig);
}

TEST(flatten_ends_with_the_kill_switch_and_after_a_minute)
{
    for (int how = 0; how < 2; how++) {
        rig_ready(&rig);
        hold(1000);
        if (how == 1) { /* nothing to price a reduction by */
            limits_begin();
            limits.instrument_default.good_age_max_ns = NS_PER_S;
            limits_end();
            rig_pass(&rig, 2 * NS_PER_S);
        }
        flatten();
        if (how == 0) {
            gateway_halt(rig.g, "test", rig.now);
            rig_pass(&rig, 300 * NS_PER_MS);
            CHECK(strcmp(flatten_said(), "given up: the kill switch is on") == 0);
        } else {
            uint32_t news = rig_requests(&rig, VENUE_RQ_NEW);
            rig_pass(&rig, 59 * NS_PER_S);
            CHECK(strncmp(flatten_said(), "given up", 8) != 0);
            rig_pass(&rig, 2 * NS_PER_S);
            CHECK(strcmp(flatten_said(), "given up: it took too long") == 0);
            CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), news);
        }
        rig_end(&rig);
    }
}

TEST(flatten_goes_on_when_a_cancel_stays_unproven)
{
    rig_ready(&rig);
    hold(1000);
    (void)rig_new(&rig, SIDE_SELL, 100300, 400);
    (void)acked(9);
    uint32_t news = rig_requests(&rig, VENUE_RQ_NEW);
    flatten();
    rig_pass(&rig, 4500 * NS_PER_MS);
    CHECK(rig_requests(&rig, VENUE_RQ_CANCEL) >= 1);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_NEW), news);
    rig_pass(&rig, NS_PER_S);
    CHECK(rig_requests(&rig, VENUE_RQ_NEW) > news);
    rig_end(&rig);
}

/* ---- a client's pace -----------------------------------------------------------------------------------------------
 */

TEST(a_cancel_above_the_clients_rate_is_denied_and_goes_out_all_the_same)
{
    rig_ready(&rig);
    uint64_t first = rig_new(&rig, SIDE_BUY, 99900, 1000);
    (void)acked(1);
    uint64_t second = rig_new(&rig, SIDE_BUY, 99800, 1000);
    (void)acked(2);
    limits_begin();
    limits.client_default.cancel_rate = (struct rate_limit){ 1, 1 };
    limits_end();
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = first });
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = second });
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_CANCEL_RATE);
    rig_pass(&rig, NS_PER_S);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 2);
    rig_end(&rig);
}

/* ---- limits that do not fit what is traded --------------------------------------------------------------------------
 */

static int64_t
untradable(void)
{
    return metric_get(rig.metrics, METRIC_RISK_UNTRADABLE, 0);
}

static enum deny_reason
tried(void)
{
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    if (rig_take(&rig, VENUE_RQ_NEW) != NULL)
        return DENY_NONE;
    return rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny;
}

/* The limits that are in force with one change; no human asks for a second step here. */
static bool
changed(int64_t qty_max, const char *reporting)
{
    static struct risk_limits l;
    struct limits_answer a = { .ask = { .slot = CLIENT_SESSION_MAX, .reload = true }, .kind = LIMITS_TAKE };

    l = *risk_limits_in_force(rig.risk);
    l.instrument_default.order_qty_max = qty_max;
    (void)snprintf(l.reporting, sizeof(l.reporting), "%s", reporting);
    return gateway_on_limits_answer(rig.g, &a, &l, rig.now);
}

static void
too_small(struct risk_limits *l)
{
    l->instrument_default.order_qty_max = 1; /* 10^-8; the venue's least is 10^-5 */
}

static void
worthless(struct risk_limits *l)
{
    (void)snprintf(l->reporting, sizeof(l->reporting), "EUR");
}

/* The second step of a change that loosens is of the limits that it was asked of. */
TEST(a_looser_limit_that_waits_for_its_second_step_ends_with_any_other_change)
{
    rig_ready(&rig);
    for (int between = 0; between < 2; between++) {
        struct limits_answer a = { .ask = { .slot = RIG_OPERATOR, .client = CLIENT_OPERATOR }, .kind = LIMITS_CONFIRM };
        a.ask.generation = client_port_identity(rig.clients, RIG_OPERATOR)->generation;
        (void)snprintf(a.ask.text, sizeof(a.ask.text), "collar_ppm 20000");
        (void)gateway_on_limits_answer(rig.g, &a, NULL, rig.now);
        struct report asked = rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM);
        if (between)
            CHECK(changed(VALUE_ONE, ""));
        rig_confirm(&rig, asked);
        /* Confirmed, it is asked of whoever builds limits, whom this rig has none of. */
        CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_DENIED).deny, between ? DENY_NOT_CONFIRMED : DENY_CAPACITY);
    }
    rig_end(&rig);
}

TEST(an_instrument_that_the_limits_do_not_fit_at_a_start_is_denied_counted_and_traded_once_they_do)
{
    rig_limits = too_small;
    rig_ready(&rig);
    CHECK_EQ(untradable(), 1);
    CHECK_EQ(tried(), DENY_INSTRUMENT_CLOSED);
    CHECK(changed(VALUE_ONE, ""));
    CHECK_EQ(untradable(), 0);
    CHECK_EQ(tried(), DENY_NONE);
    CHECK(!changed(1, "")); /* and a change never makes it so */
    CHECK_EQ(tried(), DENY_NONE);
    rig_limits = NULL;
    rig_end(&rig);
}

TEST(an_instrument_of_whose_currency_nobody_knows_the_worth_is_counted)
{
    rig_limits = worthless;
    rig_ready(&rig);
    CHECK_EQ(untradable(), 1);
    CHECK_EQ(tried(), DENY_EXPOSURE);
    rig_limits = NULL;
    rig_end(&rig);
}

TEST(what_fits_is_asked_once_every_venue_has_told_of_its_instruments)
{
    rig.two_venues = true;
    rig_limits = too_small;
    rig_ready(&rig);
    CHECK_EQ(untradable(), 2);
    rig.two_venues = false;
    rig_limits = NULL;
    rig_end(&rig);
}

TEST(an_order_in_the_name_of_another_account_uses_nobodys_limits)
{
    rig_ready(&rig);
    struct command c = rig_limit(&rig, SIDE_BUY, 99900, 900);
    c.account = 1; /* the venue's is 0 */
    rig_command(&rig, RIG_STRATEGY, c);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_NOT_PERMITTED);
    CHECK(rig_take(&rig, VENUE_RQ_NEW) == NULL);
    CHECK_EQ(risk_position(rig.risk, 1, 0)->reserved[SIDE_BUY], 0);
    c = rig_limit(&rig, SIDE_BUY, 99900, 0);
    c.verb = COMMAND_WHATIF;
    c.account = 1;
    rig_command(&rig, RIG_STRATEGY, c);
    struct report r = rig_next(&rig, RIG_STRATEGY, REPORT_WHATIF);
    CHECK_EQ(r.qty, 0);
    CHECK_EQ(r.deny, DENY_NOT_PERMITTED);
    rig_end(&rig);
}

TEST(a_market_whatif_of_an_account_that_does_not_exist_is_answered)
{
    rig_ready(&rig);
    struct command c = rig_limit(&rig, SIDE_BUY, 0, 0);
    c.verb = COMMAND_WHATIF;
    c.type = ORDER_MARKET;
    c.tif = TIF_IOC;
    c.account = UINT32_MAX;
    rig_command(&rig, RIG_OPERATOR, c);
    struct report r = rig_next(&rig, RIG_OPERATOR, REPORT_WHATIF);
    CHECK_EQ(r.qty, 0);
    CHECK_EQ(r.deny, DENY_NOT_PERMITTED);
    rig_end(&rig);
}

TEST(a_whatif_says_what_there_is_no_room_for)
{
    rig_ready(&rig);
    for (int how = 0; how < 3; how++) {
        struct command c = rig_limit(&rig, SIDE_BUY, 99900, 0);
        c.verb = COMMAND_WHATIF;
        rig.key--;
        rig.no_room = how == 1;
        if (how == 2) {
            struct venue_report r = rig_report(VENUE_RATE_LIMITED, NULL);
            r.retry_after_ns = rig.now.wall.ns + 5 * NS_PER_S;
            rig_say(&rig, &r);
        }
        rig_command(&rig, RIG_STRATEGY, c);
        struct report r = rig_next(&rig, RIG_STRATEGY, REPORT_WHATIF);
        CHECK_EQ(r.qty > 0, how == 0);
        if (how == 0)
            continue;
        (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
        CHECK_EQ(r.deny, rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny);
        CHECK_EQ(r.deny, how == 1 ? DENY_CAPACITY : DENY_ORDER_RATE);
    }
    rig.no_room = false;
    rig_end(&rig);
}

/* ---- clocks ------------------------------------------------------------------------------------------------------ */

TEST(a_wall_clock_that_is_set_is_seen_without_asking_the_venue)
{
    for (int back = 0; back < 2; back++) {
        rig_ready(&rig);
        int64_t step = (back ? -1 : 1) * 500 * NS_PER_MS; /* to the bound */
        rig.now.wall.ns += step;
        rig_pass(&rig, NS_PER_S);
        CHECK_EQ(risk_venue_of(rig.risk, 0)->clock_offset_ns, -step);
        (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
        CHECK(rig_take(&rig, VENUE_RQ_NEW) != NULL);
        rig.now.wall.ns += back ? -NS_PER_MS : NS_PER_MS;
        rig_pass(&rig, NS_PER_S);
        (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
        CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_CLOCK);
        rig_tell_time(&rig);
        (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
        CHECK(rig_take(&rig, VENUE_RQ_NEW) != NULL);
        rig_end(&rig);
    }
}

TEST(an_offset_that_the_venue_has_not_told_for_three_questions_is_not_known)
{
    rig_ready(&rig);
    rig_pass(&rig, 90 * NS_PER_S); /* three times clock_s: questions go unanswered */
    CHECK(risk_venue_of(rig.risk, 0)->clock_known);
    rig_pass(&rig, NS_PER_S);
    CHECK(!risk_venue_of(rig.risk, 0)->clock_known);
    (void)rig_new(&rig, SIDE_BUY, 99900, 1000);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_CLOCK);
    while (rig_take(&rig, VENUE_RQ_TIME) != NULL)
        ;
    rig_pass(&rig, 6 * NS_PER_S); /* asked again sooner than in clock_s */
    struct venue_report t = rig_report(VENUE_TIME, NULL);
    CHECK(rig_take(&rig, VENUE_RQ_TIME) != NULL);
    t.venue_time_ns = rig.now.wall.ns;
    rig_say(&rig, &t);
    CHECK(risk_venue_of(rig.risk, 0)->clock_known);
    rig_end(&rig);
}

/* ---- breakers that need the gateway's word ---------------------------------------------------------------------- */

TEST(acknowledgements_that_never_come_trip_their_venue)
{
    for (int past = 0; past < 2; past++) { /* a bound under the time-out of 2 s, and one above it */
        rig_ready(&rig);
        limits_begin();
        limits.latency_samples_min = 350;
        limits.venue_default.ack_p99_max_ns = (past ? 4 : 1) * NS_PER_S;
        limits_end();
        for (int i = 0; i < 4; i++) {
            CHECK_EQ(risk_tripped(rig.risk, LEVEL_VENUE, 0), 0);
            (void)rig_new(&rig, SIDE_BUY, 99900 - i, 1000);
            rig_pass(&rig, 2 * NS_PER_S + NS_PER_MS);
        }
        if (past)
            rig_pass(&rig, 10 * NS_PER_S); /* asked about, again and again */
        CHECK_EQ(risk_tripped(rig.risk, LEVEL_VENUE, 0), 1u << TRIP_ACK);
        rig_end(&rig);
    }
}

TEST(one_that_comes_after_its_time_out_is_counted_once)
{
    for (int past = 0; past < 2; past++) {
        rig_ready(&rig);
        limits_begin();
        limits.latency_samples_min = 150; /* a second one would be too many */
        limits.venue_default.ack_p99_max_ns = (past ? 3 : 1) * NS_PER_S;
        limits_end();
        for (int i = 0; i < 2; i++) {
            CHECK_EQ(risk_tripped(rig.risk, LEVEL_VENUE, 0), 0);
            (void)rig_new(&rig, SIDE_BUY, 99900 - i, 1000);
            rig_pass(&rig, 2 * NS_PER_S + NS_PER_MS);
            if (past)
                rig_pass(&rig, NS_PER_S);
            CHECK(acked(1 + (uint64_t)i) != NULL);
        }
        CHECK_EQ(risk_tripped(rig.risk, LEVEL_VENUE, 0), 1u << TRIP_ACK);
        rig_end(&rig);
    }
}

TEST(our_own_latency_is_measured_whatever_stamp_a_client_sends)
{
    for (int how = 0; how < 2; how++) {
        rig_ready(&rig);
        limits_begin();
        limits.latency_samples_min = 1;
        limits.latency_p999_max_ns = NS_PER_MS;
        limits_end();
        struct command c = rig_limit(&rig, SIDE_BUY, 99900, 1000);
        c.submit_mono_ns = how == 0 ? 0 : INT64_MAX;
        c.version = MESSAGE_VERSION;
        c.client_seq = ++rig.client_seq[RIG_STRATEGY];
        CHECK(ring_put(&rig.command[RIG_STRATEGY], &c));
        (void)gateway_poll_commands(rig.g, 64, rig.now);
        gateway_on_sent(rig.g, (mono_ns_t){ rig.now.mono.ns + 2 * NS_PER_MS }, rig.now);
        CHECK_EQ(risk_tripped(rig.risk, LEVEL_GLOBAL, 0), 1u << TRIP_LATENCY);
        rig_end(&rig);
    }
}

TEST(an_order_that_names_no_account_is_of_the_one_its_venue_trades_for)
{
    rig_account = 1;
    rig_ready(&rig);
    rig_account = 0;
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 900);
    CHECK(acked(1) != NULL);
    CHECK_EQ(rig_order(&rig, key)->account, 1);
    CHECK_EQ(risk_position(rig.risk, 1, 0)->reserved[SIDE_BUY], 900);
    CHECK_EQ(risk_position(rig.risk, 0, 0)->reserved[SIDE_BUY], 0);
    struct command c = rig_limit(&rig, SIDE_BUY, 99800, 800);
    c.verb = COMMAND_REPLACE;
    c.target_key = key;
    rig_command(&rig, RIG_STRATEGY, c);
    CHECK(rig_take(&rig, VENUE_RQ_REPLACE) != NULL || rig_take(&rig, VENUE_RQ_AMEND) != NULL);
    CHECK_EQ(risk_position(rig.risk, 0, 0)->open_count, 0);
    rig_end(&rig);
}

TEST_MAIN()
