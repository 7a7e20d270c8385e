/* The instrument table: ids, versions, and what counts as a change. */
#include "engine/route.h"
#include "test.h"

static uint8_t memory[1 << 20] __attribute__((aligned(64)));

static struct route
route_with(uint32_t max)
{
    struct route r;
    struct arena a = { .base = memory, .size = sizeof(memory) };

    route_init(&r, max, &a);
    return r;
}

static struct instrument
btcusdt(void)
{
    return (struct instrument){
        .status = INSTRUMENT_TRADING,
        .px_decimals = 2,
        .qty_decimals = 5,
        .multiplier = VALUE_ONE,
        .tick = 1,
        .px_max = 100000000,
        .step = 1,
        .qty_min = 1,
        .qty_max = 900000000,
        .notional_max = INT64_MAX,
        .symbol = "BTCUSDT",
        .canonical = "BTC/USDT",
        .base = "BTC",
        .quote = "USDT",
        .settle = "USDT",
    };
}

TEST(a_definition_gets_the_next_id_and_the_same_one_again_changes_nothing)
{
    struct route r = route_with(8);
    struct instrument d = btcusdt();
    uint32_t id = 99;

    CHECK_EQ(route_define(&r, &d, &id), ROUTE_NEW);
    CHECK_EQ(id, 0);
    CHECK_EQ(route_define(&r, &d, &id), ROUTE_SAME);
    CHECK_EQ(r.table[0].version, 1);
    CHECK_STR(r.currency[r.table[0].base_ccy], "BTC");
    CHECK_EQ(r.table[0].quote_ccy, r.table[0].settle_ccy);
}

TEST(decimals_that_the_venue_takes_away_are_kept_and_its_rules_said_in_them)
{
    struct route r = route_with(8);
    struct instrument d = btcusdt();
    uint32_t id = 99;

    (void)route_define(&r, &d, &id);
    d.px_decimals = 1;
    d.px_max = INT64_MAX / 2; /* does not fit any more: as wide as can be */
    d.qty_decimals = 4;
    d.step = 5;
    d.qty_max = 90;
    CHECK_EQ(route_define(&r, &d, &id), ROUTE_VERSION);
    CHECK_EQ(r.table[0].version, 2);
    CHECK_EQ(r.table[0].px_decimals, 2);
    CHECK_EQ(r.table[0].tick, 10);
    CHECK_EQ(r.table[0].px_max, INT64_MAX);
    CHECK_EQ(r.table[0].qty_decimals, 5);
    CHECK_EQ(r.table[0].step, 50);
    CHECK_EQ(r.table[0].qty_max, 900);
    CHECK_EQ(route_define(&r, &d, &id), ROUTE_SAME);
    d.px_decimals = 3;
    d.px_max = 100000000;
    CHECK_EQ(route_define(&r, &d, &id), ROUTE_VERSION);
    CHECK_EQ(r.table[0].px_decimals, 3);
    CHECK_EQ(r.table[0].tick, 1);
}

TEST(changed_limits_keep_the_version_and_a_changed_tick_makes_a_new_one)
{
    struct route r = route_with(8);
    struct instrument d = btcusdt();
    uint32_t id = 99;

    (void)route_define(&r, &d, &id);
    d.qty_max--;
    CHECK_EQ(route_define(&r, &d, &id), ROUTE_RULES);
    CHECK_EQ(r.table[id].version, 1);
    d.tick = 10;
    CHECK_EQ(route_define(&r, &d, &id), ROUTE_VERSION);
    CHECK_EQ(r.table[id].version, 2);
    CHECK(route_instrument(&r, id, 1) == NULL);
    CHECK(route_instrument(&r, id, 2) == &r.table[id]);
    CHECK(route_instrument(&r, id, 0) == &r.table[id]);
    CHECK(route_instrument(&r, id + 1, 0) == NULL);
}

TEST(the_last_id_is_handed_out_and_one_more_is_refused)
{
    struct route r = route_with(2);
    struct instrument d = btcusdt();
    uint32_t id = 99;

    CHECK_EQ(route_define(&r, &d, &id), ROUTE_NEW);
    strcpy(d.symbol, "ETHUSDT");
    CHECK_EQ(route_define(&r, &d, &id), ROUTE_NEW);
    strcpy(d.symbol, "BNBUSDT");
    CHECK_EQ(route_define(&r, &d, &id), ROUTE_FULL);
    CHECK_EQ(r.count, 2);
}

TEST(a_definition_that_breaks_a_promise_is_refused_and_changes_nothing)
{
    struct route r = route_with(2);
    struct instrument d = btcusdt();
    uint32_t id = 99;

    d.tick = 0;
    CHECK_EQ(route_define(&r, &d, &id), ROUTE_INVALID);
    d = btcusdt();
    d.qty_min = d.qty_max + 1;
    CHECK_EQ(route_define(&r, &d, &id), ROUTE_INVALID);
    d = btcusdt();
    memset(d.symbol, 'X', sizeof(d.symbol));
    CHECK_EQ(route_define(&r, &d, &id), ROUTE_INVALID);
    d = btcusdt();
    d.px_decimals = DECIMALS_MAX + 1;
    CHECK_EQ(route_define(&r, &d, &id), ROUTE_INVALID);
    CHECK_EQ(r.count, 0);
}

TEST(a_restored_table_hands_out_the_ids_that_follow)
{
    struct route r = route_with(4);
    struct instrument d = btcusdt();
    uint32_t id = 99;

    CHECK(route_restore_currency(&r, 1, "BTC"));
    CHECK(route_restore_currency(&r, 2, "USDT"));
    CHECK(!route_restore_currency(&r, 4, "ETH"));
    CHECK(!route_restore_currency(&r, 1, "ETH"));
    d.id = 0;
    d.version = 3;
    d.base_ccy = 1;
    d.quote_ccy = 2;
    d.settle_ccy = 2;
    CHECK(route_restore(&r, &d));
    d.id = 2;
    CHECK(!route_restore(&r, &d));
    CHECK_EQ(route_define(&r, &d, &id), ROUTE_SAME);
    strcpy(d.symbol, "ETHUSDT");
    CHECK_EQ(route_define(&r, &d, &id), ROUTE_NEW);
    CHECK_EQ(id, 1);
}

TEST_MAIN()
