/* The paper venue: what fills, what rests, what is refused; volume is never given out twice. */
#include "engine/venue/paper.h"
#include "tests/test.h"

#define REPORTS_MAX 256
#define ORDERS_MAX  8u

struct fixture {
    struct instrument table[4];
    _Alignas(64) uint8_t memory[262144];
    struct arena arena;
    struct venue_adapter *a;
    struct venue_sink sink;
    struct venue_report got[REPORTS_MAX];
    uint32_t count;
    struct now now;
};

static struct fixture fixture;

static void
collect(void *ctx, const struct venue_report *r)
{
    struct fixture *f = ctx;

    CHECK(f->count < REPORTS_MAX);
    f->got[f->count++] = *r;
}

static struct venue_config
config_of(struct fixture *f)
{
    return (struct venue_config){
        .seed = 7, .instruments = { f->table, 4 }, .orders_max = ORDERS_MAX, .taker_fee_ppm = 1000, .maker_fee_ppm = 500
    };
}

static struct fixture *
fixture_started(void)
{
    struct fixture *f = &fixture;
    struct fault fault = { "" };

    memset(f, 0, sizeof(*f));
    for (uint32_t i = 0; i < 3; i++) {
        f->table[i] = (struct instrument){ .id = i,
                                           .version = 1,
                                           .px_decimals = 2,
                                           .qty_decimals = 3,
                                           .multiplier = VALUE_ONE,
                                           .symbol = "BTCUSDT",
                                           .base = "BTC",
                                           .quote = "USDT",
                                           .settle = "BUSD" };
    }
    f->table[3].id = 3; /* no definition yet */
    f->table[1].kind = INSTRUMENT_LINEAR;
    f->table[2].kind = INSTRUMENT_INVERSE;
    struct venue_config cfg = config_of(f);
    size_t bytes = venue_paper.footprint(&cfg);
    CHECK(bytes <= sizeof(f->memory));
    f->arena = (struct arena){ .base = f->memory, .size = bytes };
    f->a = venue_paper.init(&cfg, &f->arena, &fault);
    CHECK(f->a != NULL);
    CHECK_EQ(f->arena.used, f->arena.size);
    arena_seal(&f->arena);
    f->sink = (struct venue_sink){ collect, f };
    f->now.wall.ns = INT64_C(1700000000) * NS_PER_S;
    return f;
}

static void
top(struct fixture *f, px_t bid_px, qty_t bid_qty, px_t ask_px, qty_t ask_qty)
{
    struct md_event ev = { .kind = MD_TOP, .state = BOOK_LIVE, .top = { bid_px, bid_qty, ask_px, ask_qty } };

    f->count = 0;
    venue_paper.on_market(f->a, &ev, f->now, &f->sink);
}

static void
trade(struct fixture *f, enum side aggressor, px_t px, qty_t qty)
{
    struct md_event ev = {
        .kind = MD_TRADE, .side = (uint8_t)aggressor, .state = BOOK_LIVE, .level = { .px = px, .qty = qty }
    };

    f->count = 0;
    venue_paper.on_market(f->a, &ev, f->now, &f->sink);
}

static struct venue_order
order_at(struct fixture *f, const char *id, enum side side, px_t px, qty_t qty, enum time_in_force tif)
{
    struct venue_order o = { .instrument = &f->table[0],
                             .side = (uint8_t)side,
                             .type = ORDER_LIMIT,
                             .tif = (uint8_t)tif,
                             .px = px,
                             .qty = qty };

    (void)snprintf(o.clordid, sizeof(o.clordid), "%s", id);
    return o;
}

static int
submit(struct fixture *f, enum venue_request_kind kind, const struct venue_order *o, const struct venue_order *target)
{
    struct venue_request rq = { .kind = kind, .order = o, .target = target, .since_ns = 0 };

    f->count = 0;
    return venue_paper.submit(f->a, &rq, f->now, 0, NULL, 0, &f->sink);
}

static void
place(struct fixture *f, const char *id, enum side side, px_t px, qty_t qty, enum time_in_force tif)
{
    struct venue_order o = order_at(f, id, side, px, qty, tif);

    CHECK_EQ(submit(f, VENUE_RQ_NEW, &o, NULL), 0);
    CHECK(f->count > 0);
    CHECK_EQ(f->got[0].kind, VENUE_NEW_ACK);
    CHECK(f->got[0].venue_order_id != 0);
}

/* Kinds of the reports since the last step, as letters: Ack Fill Cancel Expire Reject refused-cancel(X) Unknown. */
static const char *
kinds(const struct fixture *f)
{
    static char text[REPORTS_MAX + 1];
    static const char letter[VENUE_REPORT_KIND_COUNT] = {
        [VENUE_TIME] = 'M',       [VENUE_LOGGED_ON] = 'L',  [VENUE_STREAM_UP] = 'S',
        [VENUE_NEW_ACK] = 'A',    [VENUE_REJECTED] = 'R',   [VENUE_FILL] = 'F',
        [VENUE_CANCELED] = 'C',   [VENUE_EXPIRED] = 'E',    [VENUE_CANCEL_REJECTED] = 'X',
        [VENUE_UNKNOWN] = 'U',    [VENUE_STATUS] = 'Q',     [VENUE_NOT_FOUND] = 'N',
        [VENUE_TRADES_END] = 'T', [VENUE_OPEN_ORDER] = 'O', [VENUE_OPEN_ORDERS_END] = 'P',
    };

    for (uint32_t i = 0; i < f->count; i++)
        text[i] = letter[f->got[i].kind] != 0 ? letter[f->got[i].kind] : '?';
    text[f->count] = '\0';
    return text;
}

TEST(session_requests_are_answered_at_once)
{
    struct fixture *f = fixture_started();

    CHECK_EQ(submit(f, VENUE_RQ_TIME, NULL, NULL), 0);
    CHECK_STR(kinds(f), "M");
    CHECK_EQ(f->got[0].venue_time_ns, f->now.wall.ns);
    CHECK_EQ(submit(f, VENUE_RQ_LOGON, NULL, NULL), 0);
    CHECK_STR(kinds(f), "L");
    CHECK_EQ(submit(f, VENUE_RQ_STREAM, NULL, NULL), 0);
    CHECK_STR(kinds(f), "S");
    CHECK_EQ(submit(f, VENUE_RQ_PING, NULL, NULL), 0);
    CHECK_STR(kinds(f), "");
    CHECK(!venue_paper.needs_connection);
    CHECK_EQ(venue_paper.decode(f->a, (const uint8_t *)"x", 1, f->now, &f->sink), DECODE_IGNORED);
}

TEST(a_crossing_order_fills_at_the_touch_and_rests_with_what_is_left)
{
    struct fixture *f = fixture_started();

    top(f, 9990, 5000, 10000, 2000);
    place(f, "a", SIDE_BUY, 10010, 3000, TIF_GTC);
    CHECK_STR(kinds(f), "AF");
    CHECK_EQ(f->got[1].last_px, 10000);
    CHECK_EQ(f->got[1].last_qty, 2000);
    CHECK_EQ(f->got[1].cum_qty, 2000);
    CHECK_EQ(f->got[1].maker, 0);
    CHECK_EQ(f->got[1].state, ORDER_PARTIALLY_FILLED);
    /* 100.00 * 2.000 * 1000 ppm = 0.2 USDT */
    CHECK_EQ(f->got[1].fee, 20000000);
    CHECK_STR(f->got[1].fee_ccy, "USDT");

    place(f, "b", SIDE_BUY, 10010, 1, TIF_IOC); /* the touch is used up */
    CHECK_STR(kinds(f), "AE");
    top(f, 9990, 5000, 10000, 2000); /* nothing new is displayed */
    CHECK_STR(kinds(f), "");
    top(f, 9990, 5000, 10000, 2400); /* 400 more are */
    CHECK_STR(kinds(f), "F");
    CHECK_EQ(f->got[0].last_qty, 400);
    CHECK_EQ(f->got[0].last_px, 10010); /* it rests: at its own price */
    CHECK_EQ(f->got[0].maker, 1);
    top(f, 9990, 5000, 10005, 600); /* another price: another quantity */
    CHECK_STR(kinds(f), "F");
    CHECK_EQ(f->got[0].last_qty, 600);
    CHECK_EQ(f->got[0].state, ORDER_FILLED);
    top(f, 9990, 5000, 10005, 9000);
    CHECK_STR(kinds(f), "");
}

TEST(a_sell_is_the_mirror_of_a_buy)
{
    struct fixture *f = fixture_started();

    top(f, 9990, 2000, 10000, 5000);
    place(f, "a", SIDE_SELL, 9990, 2500, TIF_GTC);
    CHECK_STR(kinds(f), "AF");
    CHECK_EQ(f->got[1].last_px, 9990);
    CHECK_EQ(f->got[1].last_qty, 2000);
    top(f, 9995, 100, 10000, 5000);
    CHECK_STR(kinds(f), "F");
    CHECK_EQ(f->got[0].last_px, 9990);
    CHECK_EQ(f->got[0].last_qty, 100);
    place(f, "b", SIDE_SELL, 9996, 10, TIF_IOC);
    CHECK_STR(kinds(f), "AE");
    place(f, "c", SIDE_SELL, 10001, 10, TIF_GTC);
    CHECK_STR(kinds(f), "A");
}

TEST(ioc_keeps_what_it_got_and_fok_takes_all_or_nothing)
{
    struct fixture *f = fixture_started();

    top(f, 9990, 5000, 10000, 2000);
    place(f, "a", SIDE_BUY, 10000, 2001, TIF_FOK);
    CHECK_STR(kinds(f), "AE");
    CHECK_EQ(f->got[1].cum_qty, 0);
    place(f, "b", SIDE_BUY, 10000, 1500, TIF_FOK);
    CHECK_STR(kinds(f), "AF");
    CHECK_EQ(f->got[1].state, ORDER_FILLED);
    place(f, "c", SIDE_BUY, 10000, 501, TIF_IOC);
    CHECK_STR(kinds(f), "AFE");
    CHECK_EQ(f->got[1].last_qty, 500);
    CHECK_EQ(f->got[2].cum_qty, 500);
    place(f, "d", SIDE_BUY, 9999, 1, TIF_IOC);
    CHECK_STR(kinds(f), "AE");
}

TEST(a_market_order_takes_the_touch_and_expires)
{
    struct fixture *f = fixture_started();
    struct venue_order o = order_at(f, "a", SIDE_BUY, 0, 3000, TIF_GTC);

    o.type = ORDER_MARKET;
    top(f, 9990, 5000, 10000, 2000);
    CHECK_EQ(submit(f, VENUE_RQ_NEW, &o, NULL), 0);
    CHECK_STR(kinds(f), "AFE");
    CHECK_EQ(f->got[1].last_px, 10000);
    CHECK_EQ(f->got[1].last_qty, 2000);
    top(f, 9990, 5000, 0, 0); /* nobody offers */
    o.clordid[0] = 'b';
    CHECK_EQ(submit(f, VENUE_RQ_NEW, &o, NULL), 0);
    CHECK_STR(kinds(f), "AE");
}

TEST(post_only_rests_below_the_touch_and_is_rejected_at_it)
{
    struct fixture *f = fixture_started();
    struct venue_order o = order_at(f, "a", SIDE_BUY, 10000, 1000, TIF_GTC);

    o.flags = COMMAND_POST_ONLY;
    top(f, 9990, 5000, 10000, 2000);
    CHECK_EQ(submit(f, VENUE_RQ_NEW, &o, NULL), 0);
    CHECK_STR(kinds(f), "R");
    CHECK_EQ(f->got[0].code, -2010);
    CHECK_STR(f->got[0].clordid, "a");
    CHECK_EQ(submit(f, VENUE_RQ_QUERY, &o, NULL), 0);
    CHECK_STR(kinds(f), "N");
    o.px = 9999;
    CHECK_EQ(submit(f, VENUE_RQ_NEW, &o, NULL), 0);
    CHECK_STR(kinds(f), "A");
}

TEST(a_resting_order_waits_for_the_quantity_displayed_before_it)
{
    struct fixture *f = fixture_started();

    top(f, 9990, 5000, 10000, 2000);
    place(f, "a", SIDE_BUY, 9990, 1000, TIF_GTC);
    CHECK_STR(kinds(f), "A");
    trade(f, SIDE_BUY, 9990, 9000); /* a buyer does not hit bids */
    CHECK_STR(kinds(f), "");
    trade(f, SIDE_SELL, 9990, 4999);
    CHECK_STR(kinds(f), "");
    trade(f, SIDE_SELL, 9990, 1);
    CHECK_STR(kinds(f), "");
    trade(f, SIDE_SELL, 9990, 1);
    CHECK_STR(kinds(f), "F");
    CHECK_EQ(f->got[0].last_qty, 1);
    CHECK_EQ(f->got[0].last_px, 9990);
    /* 99.90 * 0.001 * 500 ppm = 0.00004995 */
    CHECK_EQ(f->got[0].fee, 4995);
    trade(f, SIDE_SELL, 9990, 5000);
    CHECK_STR(kinds(f), "F");
    CHECK_EQ(f->got[0].last_qty, 999);
    CHECK_EQ(f->got[0].state, ORDER_FILLED);
}

TEST(cancels_before_us_shorten_the_queue_and_a_better_touch_ends_it)
{
    struct fixture *f = fixture_started();

    top(f, 9990, 5000, 10000, 2000);
    place(f, "a", SIDE_BUY, 9990, 1000, TIF_GTC);
    top(f, 9990, 300, 10000, 2000);
    top(f, 9990, 8000, 10000, 2000); /* those came after us */
    trade(f, SIDE_SELL, 9990, 301);
    CHECK_STR(kinds(f), "F");
    CHECK_EQ(f->got[0].last_qty, 1);
    place(f, "b", SIDE_BUY, 9990, 1000, TIF_GTC);
    top(f, 9980, 8000, 10000, 2000); /* nobody else is left at our price */
    trade(f, SIDE_SELL, 9990, 1500);
    CHECK_STR(kinds(f), "FF");
    CHECK_STR(f->got[0].clordid, "a");
    CHECK_EQ(f->got[0].last_qty, 999);
    CHECK_STR(f->got[1].clordid, "b");
    CHECK_EQ(f->got[1].last_qty, 501);
}

TEST(an_order_behind_the_touch_learns_its_queue_when_the_touch_arrives)
{
    struct fixture *f = fixture_started();

    top(f, 9990, 5000, 10000, 2000);
    place(f, "a", SIDE_BUY, 9980, 1000, TIF_GTC);
    trade(f, SIDE_SELL, 9980, 500); /* at our price, the queue before us not known: nothing for sure */
    CHECK_STR(kinds(f), "");
    top(f, 9980, 700, 10000, 2000);
    trade(f, SIDE_SELL, 9980, 800);
    CHECK_STR(kinds(f), "F");
    CHECK_EQ(f->got[0].last_qty, 100);
}

TEST(a_trade_through_the_price_fills_and_is_given_out_once_best_price_first)
{
    struct fixture *f = fixture_started();

    top(f, 9990, 5000, 10000, 2000);
    place(f, "low", SIDE_BUY, 9985, 1000, TIF_GTC);
    place(f, "old", SIDE_BUY, 9990, 1000, TIF_GTC);
    place(f, "new", SIDE_BUY, 9990, 1000, TIF_GTC);
    trade(f, SIDE_SELL, 9984, 2500);
    CHECK_STR(kinds(f), "FFF");
    CHECK_STR(f->got[0].clordid, "old");
    CHECK_STR(f->got[1].clordid, "new");
    CHECK_STR(f->got[2].clordid, "low");
    CHECK_EQ(f->got[0].last_px, 9990); /* at our price, not at the trade's */
    CHECK_EQ(f->got[2].last_px, 9985);
    CHECK_EQ(f->got[2].last_qty, 500);
    trade(f, SIDE_SELL, 9985, 1000); /* at the price of low: the queue there was never seen */
    CHECK_STR(kinds(f), "");
}

TEST(fills_never_exceed_what_was_displayed_or_traded)
{
    struct fixture *f = fixture_started();
    uint64_t draw = 12345;
    char id[CLORDID_BYTES];
    int fills = 0;

    for (int i = 0; i < 20000; i++) {
        draw = draw * UINT64_C(6364136223846793005) + 1442695040888963407u;
        px_t mid = 10000 + (px_t)((draw >> 33) % 5);
        qty_t qty = (qty_t)((draw >> 40) % 1000) + 1;
        qty_t filled = 0;
        qty_t bound = 0;
        (void)snprintf(id, sizeof(id), "o%d", i);
        switch ((draw >> 60) % 4) {
        case 0:
            top(f, mid - 1, qty, mid + 1, qty);
            bound = 2 * qty;
            break;
        case 1:
            trade(f, (draw >> 59 & 1) != 0 ? SIDE_BUY : SIDE_SELL, mid, qty);
            bound = qty;
            break;
        default: {
            struct venue_order o = order_at(f, id, (draw >> 58 & 1) != 0 ? SIDE_BUY : SIDE_SELL, mid, qty,
                                            (enum time_in_force)((draw >> 55) % 3));
            CHECK_EQ(submit(f, VENUE_RQ_NEW, &o, NULL), 0);
            bound = qty;
        }
        }
        for (uint32_t k = 0; k < f->count; k++) {
            const struct venue_report *r = &f->got[k];
            if (r->kind != VENUE_FILL)
                continue;
            fills++;
            filled += r->last_qty;
            CHECK(r->cum_qty <= r->qty && r->last_qty > 0);
            CHECK(r->side == SIDE_BUY ? r->last_px <= r->px : r->last_px >= r->px);
        }
        CHECK(filled <= bound);
    }
    CHECK(fills > 100);
}

TEST(a_cancel_ends_an_open_order_and_is_refused_for_any_other)
{
    struct fixture *f = fixture_started();
    struct venue_order o = order_at(f, "a", SIDE_BUY, 9980, 1000, TIF_GTC);

    top(f, 9990, 5000, 10000, 2000);
    CHECK_EQ(submit(f, VENUE_RQ_CANCEL, &o, NULL), 0);
    CHECK_STR(kinds(f), "X");
    CHECK_EQ(f->got[0].code, -2011);
    place(f, "a", SIDE_BUY, 9980, 1000, TIF_GTC);
    CHECK_EQ(submit(f, VENUE_RQ_CANCEL, &o, NULL), 0);
    CHECK_STR(kinds(f), "C");
    CHECK_STR(f->got[0].clordid, "a");
    CHECK_EQ(submit(f, VENUE_RQ_CANCEL, &o, NULL), 0);
    CHECK_STR(kinds(f), "X");
    trade(f, SIDE_SELL, 9000, 9000);
    CHECK_STR(kinds(f), "");
    CHECK_EQ(submit(f, VENUE_RQ_QUERY, &o, NULL), 0);
    CHECK_STR(kinds(f), "Q");
    CHECK_EQ(f->got[0].state, ORDER_CANCELED);
}

TEST(a_replace_places_only_after_its_cancel_worked)
{
    struct fixture *f = fixture_started();
    struct venue_order a = order_at(f, "a", SIDE_BUY, 9980, 1000, TIF_GTC);
    struct venue_order b = order_at(f, "b", SIDE_BUY, 9981, 2000, TIF_GTC);
    struct venue_order c = order_at(f, "c", SIDE_BUY, 10000, 500, TIF_GTC);

    top(f, 9990, 5000, 10000, 2000);
    place(f, "a", SIDE_BUY, 9980, 1000, TIF_GTC);
    CHECK_EQ(submit(f, VENUE_RQ_REPLACE, &b, &a), 0);
    CHECK_STR(kinds(f), "CA");
    CHECK_STR(f->got[0].clordid, "a");
    CHECK_STR(f->got[1].clordid, "b");
    CHECK_EQ(f->got[1].request, VENUE_RQ_REPLACE);
    CHECK_EQ(submit(f, VENUE_RQ_REPLACE, &c, &a), 0);
    CHECK_STR(kinds(f), "XR");
    CHECK_STR(f->got[0].clordid, "a");
    CHECK_STR(f->got[1].clordid, "c");
    CHECK_EQ(submit(f, VENUE_RQ_REPLACE, &c, &b), 0);
    CHECK_STR(kinds(f), "CAF");
    c.instrument = &f->table[1];
    CHECK_EQ(submit(f, VENUE_RQ_REPLACE, &c, &b), -1);
}

TEST(queries_trades_and_open_orders_tell_the_same_story)
{
    struct fixture *f = fixture_started();
    struct venue_order a = order_at(f, "a", SIDE_BUY, 10000, 3000, TIF_GTC);

    top(f, 9990, 5000, 10000, 2000);
    place(f, "a", SIDE_BUY, 10000, 3000, TIF_GTC);
    place(f, "b", SIDE_SELL, 9990, 100, TIF_IOC);
    CHECK_EQ(submit(f, VENUE_RQ_QUERY, &a, NULL), 0);
    CHECK_EQ(f->got[0].kind, VENUE_STATUS);
    CHECK_EQ(f->got[0].state, ORDER_PARTIALLY_FILLED);
    CHECK_EQ(f->got[0].cum_qty, 2000);
    a.venue_order_id = f->got[0].venue_order_id;
    CHECK_EQ(submit(f, VENUE_RQ_TRADES, &a, NULL), 0);
    CHECK_STR(kinds(f), "FT");
    CHECK_EQ(f->got[0].last_qty, 2000);
    CHECK_STR(f->got[0].clordid, "a");
    a.venue_order_id = 0;
    CHECK_EQ(submit(f, VENUE_RQ_TRADES, &a, NULL), 0);
    CHECK_STR(kinds(f), "FFT");
    CHECK(f->got[0].trade_id != f->got[1].trade_id);
    struct venue_request later = {
        .kind = VENUE_RQ_TRADES, .order = &a, .target = NULL, .since_ns = f->now.wall.ns + 1
    };
    f->count = 0;
    CHECK_EQ(venue_paper.submit(f->a, &later, f->now, 0, NULL, 0, &f->sink), 0);
    CHECK_STR(kinds(f), "T");
    CHECK_EQ(submit(f, VENUE_RQ_OPEN_ORDERS, NULL, NULL), 0);
    CHECK_STR(kinds(f), "OP");
    CHECK_STR(f->got[0].clordid, "a");
}

TEST(orders_max_orders_are_held_and_one_more_is_rejected)
{
    struct fixture *f = fixture_started();
    char id[CLORDID_BYTES];

    top(f, 9990, 5000, 10000, 2000);
    for (uint32_t round = 0; round < 5; round++) {
        for (uint32_t i = 0; i < ORDERS_MAX; i++) {
            (void)snprintf(id, sizeof(id), "r%ui%u", round, i);
            place(f, id, SIDE_BUY, 9000 + i % 3, 1, TIF_GTC);
        }
        struct venue_order o = order_at(f, "more", SIDE_BUY, 9000, 1, TIF_GTC);
        CHECK_EQ(submit(f, VENUE_RQ_NEW, &o, NULL), 0);
        CHECK_STR(kinds(f), "R");
        CHECK_EQ(f->got[0].code, -1015);
        CHECK_EQ(submit(f, VENUE_RQ_OPEN_ORDERS, NULL, NULL), 0);
        CHECK_EQ(f->count, ORDERS_MAX + 1);
        for (uint32_t i = 0; i < ORDERS_MAX; i++) {
            (void)snprintf(id, sizeof(id), "r%ui%u", round, (i * 3) % ORDERS_MAX);
            o = order_at(f, id, SIDE_BUY, 9000, 1, TIF_GTC);
            CHECK_EQ(submit(f, VENUE_RQ_CANCEL, &o, NULL), 0);
            CHECK_STR(kinds(f), "C");
        }
    }
    struct venue_order first = order_at(f, "r0i0", SIDE_BUY, 9000, 1, TIF_GTC);
    CHECK_EQ(submit(f, VENUE_RQ_QUERY, &first, NULL), 0);
    CHECK_STR(kinds(f), "N"); /* finished long ago: forgotten */
    struct venue_order last = order_at(f, "r4i7", SIDE_BUY, 9000, 1, TIF_GTC);
    CHECK_EQ(submit(f, VENUE_RQ_QUERY, &last, NULL), 0);
    CHECK_STR(kinds(f), "Q");
}

TEST(a_repeated_id_is_not_placed_again_and_not_called_rejected)
{
    struct fixture *f = fixture_started();
    struct venue_order a = order_at(f, "a", SIDE_BUY, 9000, 1, TIF_GTC);

    top(f, 9990, 5000, 10000, 2000);
    place(f, "a", SIDE_BUY, 9000, 1, TIF_GTC);
    CHECK_EQ(submit(f, VENUE_RQ_NEW, &a, NULL), 0);
    CHECK_STR(kinds(f), "U");
    CHECK_EQ(submit(f, VENUE_RQ_OPEN_ORDERS, NULL, NULL), 0);
    CHECK_STR(kinds(f), "OP");
}

TEST(nothing_fills_while_the_book_is_not_live)
{
    struct fixture *f = fixture_started();
    struct md_event ev = { .kind = MD_TOP, .state = BOOK_CROSSED, .top = { 10010, 1, 10000, 1 } };

    place(f, "a", SIDE_BUY, 10000, 10, TIF_GTC); /* no market yet: rests */
    CHECK_STR(kinds(f), "A");
    f->count = 0;
    venue_paper.on_market(f->a, &ev, f->now, &f->sink);
    CHECK_EQ(f->count, 0);
    place(f, "b", SIDE_BUY, 10000, 10, TIF_IOC);
    CHECK_STR(kinds(f), "AE");
    top(f, 9990, 5, 10000, 5);
    CHECK_STR(kinds(f), "F");
    ev.instrument = 77; /* not ours */
    venue_paper.on_market(f->a, &ev, f->now, &f->sink);
}

TEST(orders_that_it_cannot_match_are_refused_before_anything_happens)
{
    struct fixture *f = fixture_started();
    struct venue_order good = order_at(f, "a", SIDE_BUY, 9000, 1, TIF_GTC);

    for (int i = 0; i < 9; i++) {
        struct venue_order o = good;
        switch (i) {
        case 0: o.type = ORDER_STOP_LIMIT; break;
        case 1: o.tif = TIF_GTD; break;
        case 2: o.px = 0; break;
        case 3: o.qty = 0; break;
        case 4: o.instrument = &f->table[2]; break; /* inverse */
        case 5: o.instrument = &f->table[3]; break; /* not defined */
        case 6:
            o.flags = COMMAND_POST_ONLY;
            o.tif = TIF_IOC;
            break;
        case 7: o.clordid[0] = '\0'; break;
        default: o.side = 2; break;
        }
        CHECK_EQ(submit(f, VENUE_RQ_NEW, &o, NULL), -1);
        CHECK_EQ(f->count, 0);
    }
}

TEST(orders_in_decimals_that_changed_expire)
{
    struct fixture *f = fixture_started();

    top(f, 9990, 5000, 10000, 2000);
    place(f, "a", SIDE_BUY, 9000, 1, TIF_GTC);
    f->table[0].version = 2;
    venue_paper.on_instrument(f->a, &f->table[0]);
    top(f, 9990, 5000, 10000, 2000);
    CHECK_STR(kinds(f), "");
    f->table[0].version = 3;
    f->table[0].px_decimals = 3;
    venue_paper.on_instrument(f->a, &f->table[0]);
    top(f, 99900, 5000, 100000, 2000);
    CHECK_STR(kinds(f), "E");
    CHECK_STR(f->got[0].clordid, "a");
    CHECK_EQ(submit(f, VENUE_RQ_OPEN_ORDERS, NULL, NULL), 0);
    CHECK_STR(kinds(f), "P");
}

TEST(a_linear_instrument_pays_fees_in_its_settlement_currency)
{
    struct fixture *f = fixture_started();
    struct venue_order o = order_at(f, "a", SIDE_BUY, 10000, 1000, TIF_GTC);
    struct md_event ev = { .instrument = 1, .kind = MD_TOP, .state = BOOK_LIVE, .top = { 9990, 1, 10000, 1 } };

    o.instrument = &f->table[1];
    venue_paper.on_market(f->a, &ev, f->now, &f->sink);
    CHECK_EQ(submit(f, VENUE_RQ_NEW, &o, NULL), 0);
    CHECK_STR(kinds(f), "AF");
    CHECK_STR(f->got[1].fee_ccy, "BUSD");
    /* 100.00 * 0.001 * 1000 ppm = 0.0001 exactly; one more tick rounds up */
    CHECK_EQ(f->got[1].fee, 10000);
}

static int reacting;

/* A strategy that answers each fill and acknowledgement from inside the report. */
static void
react(void *ctx, const struct venue_report *r)
{
    struct fixture *f = ctx;
    struct venue_order o = order_at(f, r->clordid, SIDE_BUY, 9000, 1, TIF_GTC);
    struct venue_request rq = { .kind = VENUE_RQ_CANCEL, .order = &o, .target = NULL, .since_ns = 0 };

    CHECK(f->count < REPORTS_MAX);
    f->got[f->count++] = *r;
    CHECK_EQ(reacting, 0); /* one report after the other, never one inside another */
    reacting++;
    if (r->kind == VENUE_NEW_ACK && r->clordid[0] == 'x') {
        CHECK_EQ(venue_paper.submit(f->a, &rq, f->now, 0, NULL, 0, &f->sink), 0);
    } else if (r->kind == VENUE_FILL &&
               r->clordid[0] == 'a') { /* cancel the next one to be filled, and place another */
        memcpy(o.clordid, "b", 2);
        CHECK_EQ(venue_paper.submit(f->a, &rq, f->now, 0, NULL, 0, &f->sink), 0);
        memcpy(o.clordid, "d", 2);
        rq.kind = VENUE_RQ_NEW;
        CHECK_EQ(venue_paper.submit(f->a, &rq, f->now, 0, NULL, 0, &f->sink), 0);
    }
    reacting--;
}

TEST(requests_made_from_inside_a_report_find_the_books_in_order)
{
    struct fixture *f = fixture_started();
    struct venue_order x = order_at(f, "x", SIDE_BUY, 9000, 1, TIF_GTC);

    f->sink.report = react;
    top(f, 9990, 5000, 10000, 2000);
    CHECK_EQ(submit(f, VENUE_RQ_NEW, &x, NULL), 0);
    CHECK_STR(kinds(f), "AC");
    place(f, "a", SIDE_BUY, 9990, 10, TIF_GTC);
    place(f, "b", SIDE_BUY, 9990, 10, TIF_GTC);
    place(f, "c", SIDE_BUY, 9990, 10, TIF_GTC);
    trade(f, SIDE_SELL, 9989, 15);
    CHECK_STR(kinds(f), "FFCA"); /* both fills were the market's before the strategy could know */
    CHECK_STR(f->got[2].clordid, "b");
    CHECK_EQ(f->got[2].cum_qty, 5);
    trade(f, SIDE_SELL, 9989, 15);
    CHECK_STR(kinds(f), "F");
    CHECK_STR(f->got[0].clordid, "c");
    CHECK_EQ(submit(f, VENUE_RQ_OPEN_ORDERS, NULL, NULL), 0);
    CHECK_STR(kinds(f), "OP");
    CHECK_STR(f->got[0].clordid, "d");
}

static void
count_only(void *ctx, const struct venue_report *r)
{
    struct fixture *f = ctx;

    f->got[0] = *r;
    f->count++;
}

TEST(a_list_longer_than_any_queue_is_whole_and_holds_the_newest_trades)
{
    struct fixture *f = fixture_started();
    char id[CLORDID_BYTES];
    struct venue_order o = order_at(f, "x", SIDE_BUY, 1, 1, TIF_GTC);

    for (int i = 0; i < 3000; i++) {
        (void)snprintf(id, sizeof(id), "o%d", i);
        top(f, 9990, 1, 10000 + i % 2, 1);
        place(f, id, SIDE_BUY, 10001, 1, TIF_IOC);
        CHECK_STR(kinds(f), "AF");
    }
    f->sink.report = count_only;
    CHECK_EQ(submit(f, VENUE_RQ_TRADES, &o, NULL), 0);
    CHECK_EQ(f->got[0].kind, VENUE_TRADES_END);
    CHECK_EQ(f->count, 1024 + 4 * ORDERS_MAX + 1);
}

TEST(a_fee_is_rounded_up_against_us)
{
    struct fixture *f = fixture_started();

    top(f, 9990, 1, 10000, 1);
    place(f, "a", SIDE_SELL, 10001, 1, TIF_GTC);
    trade(f, SIDE_BUY, 10002, 1);
    CHECK_STR(kinds(f), "F");
    CHECK_EQ(f->got[0].fee, 5001); /* 100.01 * 0.001 * 500 ppm = 0.000050005 */
}

TEST(the_same_seed_gives_the_same_ids_and_another_seed_others)
{
    struct fixture *f = fixture_started();
    struct venue_config cfg = config_of(f);
    static _Alignas(64) uint8_t memory[262144];
    struct fault fault;
    uint64_t first = 0;

    for (int i = 0; i < 3; i++) {
        struct arena arena = { .base = memory, .size = sizeof(memory) };
        struct venue_order o = order_at(f, "a", SIDE_BUY, 9000, 1, TIF_GTC);
        cfg.seed = i < 2 ? 41 : 42;
        f->a = venue_paper.init(&cfg, &arena, &fault);
        CHECK_EQ(submit(f, VENUE_RQ_NEW, &o, NULL), 0);
        if (i == 0)
            first = f->got[0].venue_order_id;
        CHECK_EQ(f->got[0].venue_order_id == first, i < 2);
        CHECK((int64_t)f->got[0].venue_order_id > 0);
    }
    struct arena arena = { .base = memory, .size = sizeof(memory) };
    cfg.orders_max = 0;
    CHECK(venue_paper.init(&cfg, &arena, &fault) == NULL);
}

TEST_MAIN()
