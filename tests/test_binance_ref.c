/* binance_ref: requests, envelopes, snapshots and instrument rules. */
#include "execgw/order.h"
#include "feed/binance_ref.h"
#include "tests/capture.h"
#include "tests/guard.h"
#include "tests/test.h"

#include <jansson.h>

static struct level bids[BINANCE_DEPTH_MAX];
static struct level asks[BINANCE_DEPTH_MAX];

TEST(requests_are_the_venues_text)
{
    static const char *const symbols[] = { "BTCUSDT", "ETHUSDT" };
    char buf[256];
    size_t n = binance_ref_depth_request(buf, sizeof(buf), 7, "BTCUSDT", 1000);
    buf[n] = '\0';
    CHECK_STR(buf, "{\"id\":7,\"method\":\"depth\",\"params\":{\"symbol\":\"BTCUSDT\",\"limit\":1000}}");
    CHECK_EQ(binance_ref_depth_request(buf, n + 1, 7, "BTCUSDT", 1000), n);
    CHECK_EQ(binance_ref_depth_request(buf, n, 7, "BTCUSDT", 1000), 0);
    CHECK_EQ(binance_ref_depth_request(buf, sizeof(buf), 7, "BTCUSDT", BINANCE_DEPTH_MAX + 1), 0);
    CHECK_EQ(binance_ref_depth_request(buf, sizeof(buf), 7, "BTC\"USDT", 1000), 0);
    n = binance_ref_exchange_info_request(buf, sizeof(buf), 8, symbols, 2);
    buf[n] = '\0';
    CHECK_STR(buf, "{\"id\":8,\"method\":\"exchangeInfo\",\"params\":{\"symbols\":[\"BTCUSDT\",\"ETHUSDT\"]}}");
    CHECK_EQ(binance_ref_exchange_info_request(buf, n + 1, 8, symbols, 2), n);
    CHECK_EQ(binance_ref_exchange_info_request(buf, n, 8, symbols, 2), 0);
    CHECK_EQ(binance_ref_exchange_info_request(buf, sizeof(buf), 8, symbols, 0), 0);
}

static enum decode_result
answer(const char *text, struct binance_answer *a)
{
    return binance_ref_answer((const uint8_t *)text, strlen(text), a);
}

TEST(envelope_gives_result_or_error)
{
    struct binance_answer a;
    CHECK_EQ(answer("{\"id\":5,\"status\":200,\"result\":{\"x\":[1]},\"rateLimits\":[{\"count\":1}]}", &a), DECODE_OK);
    CHECK_EQ(a.id, 5);
    CHECK_EQ(a.status, 200);
    CHECK_EQ(a.result_bytes, 9);
    CHECK_MEM(a.result, "{\"x\":[1]}", 9);
    CHECK_EQ(answer("{\"id\":\"u-1\",\"status\":418,\"error\":{\"code\":-1003,\"msg\":\"Way too much\",\"data\":"
                    "{\"serverTime\":1,\"retryAfter\":1659142907531}}}",
                    &a),
             DECODE_OK);
    CHECK_EQ(a.id, -1);
    CHECK_EQ(a.status, 418);
    CHECK(a.result == NULL);
    CHECK_EQ(a.code, -1003);
    CHECK_STR(a.text, "Way too much");
    CHECK_EQ(a.retry_after_ms, INT64_C(1659142907531));
    CHECK_EQ(answer("{\"id\":null,\"status\":401,\"error\":{\"code\":-2015,\"msg\":\"x\",\"data\":null}}", &a),
             DECODE_OK);
    CHECK_EQ(a.id, -1);
    CHECK_EQ(answer("{\"event\":{\"e\":\"serverShutdown\",\"E\":1}}", &a), DECODE_IGNORED);
    CHECK_EQ(answer("{\"id\":5,\"status\":200,\"result\":{", &a), DECODE_MALFORMED);
    CHECK_EQ(answer("", &a), DECODE_MALFORMED);
}

static enum decode_result
depth(const char *text, uint32_t max, struct binance_depth *d)
{
    return binance_ref_depth(text, strlen(text), 2, 3, bids, asks, max, d);
}

TEST(snapshot_levels_are_exact_ordered_and_bounded)
{
    struct binance_depth d;
    CHECK_EQ(
        depth("{\"lastUpdateId\":100,\"bids\":[[\"100.00\",\"1.5\"],[\"99.99\",\"2\"]],\"asks\":[[\"100.01\",\"3\"]]}",
              2, &d),
        DECODE_OK);
    CHECK_EQ(d.last_update_id, 100);
    CHECK_EQ(d.bid_count, 2);
    CHECK_EQ(d.ask_count, 1);
    CHECK_EQ(bids[0].px, 10000);
    CHECK_EQ(bids[0].qty, 1500);
    CHECK_EQ(asks[0].px, 10001);
    CHECK_EQ(depth("{\"asks\":[],\"bids\":[],\"new\":{},\"lastUpdateId\":1}", 2, &d), DECODE_OK);
    CHECK_EQ(depth("{\"lastUpdateId\":1,\"bids\":[[\"3\",\"1\"],[\"2\",\"1\"],[\"1\",\"1\"]],\"asks\":[]}", 2, &d),
             DECODE_RANGE);
    CHECK_EQ(depth("{\"lastUpdateId\":1,\"bids\":[[\"1.001\",\"1\"]],\"asks\":[]}", 2, &d), DECODE_PRECISION);
    static const char *const malformed[] = {
        "{\"lastUpdateId\":1,\"bids\":[[\"1\",\"1\"],[\"1\",\"1\"]],\"asks\":[]}", /* twice */
        "{\"lastUpdateId\":1,\"bids\":[[\"1\",\"1\"],[\"2\",\"1\"]],\"asks\":[]}", /* worst first */
        "{\"lastUpdateId\":1,\"bids\":[],\"asks\":[[\"2\",\"1\"],[\"1\",\"1\"]]}", /* worst first */
        "{\"lastUpdateId\":1,\"bids\":[[\"2\",\"1\"]],\"asks\":[[\"2\",\"1\"]]}",  /* crossed */
        "{\"lastUpdateId\":1,\"bids\":[[\"2\",\"0\"]],\"asks\":[]}",               /* nothing there */
        "{\"lastUpdateId\":1,\"bids\":[[\"-2\",\"1\"]],\"asks\":[]}",
        "{\"lastUpdateId\":1,\"bids\":[[\"2\"]],\"asks\":[]}",
        "{\"lastUpdateId\":1,\"bids\":[]}",
        "{\"bids\":[],\"asks\":[]}",
        "{\"lastUpdateId\":1,\"bids\":[],\"asks\":[]",
        "{\"lastUpdateId\":-1,\"bids\":[],\"asks\":[]}",
    };
    for (size_t i = 0; i < ARRAY_LEN(malformed); i++)
        CHECK_EQ(depth(malformed[i], 2, &d), DECODE_MALFORMED);
}

TEST_RECORDED(recorded_snapshots_decode_and_every_cut_is_malformed)
{
    struct capture c;
    struct binance_depth d;
    const char *line;
    size_t len;
    unsigned count = 0;
    if (!capture_open(&c, "binance/cf_20210417_10sym.http.zst"))
        SKIP(CAPTURE_NONE);
    struct guard g = guard_open(1 << 20);
    while (capture_line(&c, &line, &len)) {
        const char *text = memmem(line, len, "{\"lastUpdateId", 14);
        if (text == NULL)
            continue;
        size_t n = len - (size_t)(text - line);
        CHECK_EQ(binance_ref_depth(text, n, 8, 8, bids, asks, BINANCE_DEPTH_MAX, &d), DECODE_OK);
        CHECK(d.bid_count > 0 && d.ask_count > 0);
        for (size_t cut = 0; cut < n; cut += count == 0 && cut > n - 500 ? 1 : 997)
            CHECK_EQ(binance_ref_depth((const char *)guard_copy(&g, text, cut), cut, 8, 8, bids, asks,
                                       BINANCE_DEPTH_MAX, &d),
                     DECODE_MALFORMED);
        count++;
    }
    CHECK_EQ(count, 10);
    guard_close(&g);
    capture_close(&c);
}

/* One symbol's rules with a filter list. */
static bool
info(const char *filters, struct instrument *out, struct fault *fault)
{
    static const char *const symbols[] = { "BTCUSDT" };
    struct binance_limits limits;
    char text[2048];
    int n = snprintf(
        text, sizeof(text),
        "{\"timezone\":\"UTC\",\"rateLimits\":[{\"rateLimitType\":\"REQUEST_WEIGHT\",\"interval\":\"MINUTE\","
        "\"intervalNum\":1,\"limit\":6000},{\"rateLimitType\":\"ORDERS\",\"interval\":\"SECOND\",\"intervalNum\":"
        "10,\"limit\":100},{\"rateLimitType\":\"ORDERS\",\"interval\":\"DAY\",\"intervalNum\":1,\"limit\":200000}],"
        "\"exchangeFilters\":[],\"symbols\":[{\"symbol\":\"OTHER\",\"filters\":[7]},"
        "{\"symbol\":\"BTCUSDT\",\"status\":\"TRADING\",\"baseAsset\":\"BTC\",\"baseAssetPrecision\":8,"
        "\"quoteAsset\":\"USDT\",\"quoteAssetPrecision\":8,\"orderTypes\":[\"LIMIT\",\"LIMIT_MAKER\",\"MARKET\"],"
        "\"filters\":[%s]}]}",
        filters);
    char *other = strstr(text, "[7]");
    memcpy(other, "[ ]", 3);
    bool ok = binance_ref_exchange_info(text, (size_t)n, symbols, 1, out, &limits, fault);
    if (ok) {
        CHECK_EQ(limits.weight_per_minute, 6000);
        CHECK_EQ(limits.orders_per_10s, 100);
        CHECK_EQ(limits.orders_per_day, 200000);
    }
    return ok;
}

#define PRICE                                                                                                          \
    "{\"filterType\":\"PRICE_FILTER\",\"minPrice\":\"0.01000000\",\"maxPrice\":\"1000000.00000000\",\"tickSize\":\"0." \
    "01000000\"}"
#define LOT \
    "{\"filterType\":\"LOT_SIZE\",\"minQty\":\"0.00001000\",\"maxQty\":\"9000.00000000\",\"stepSize\":\"0.00001000\"}"

TEST(rules_become_an_instrument)
{
    struct instrument i;
    struct fault fault;
    CHECK(info(
        PRICE
        "," LOT
        ",{\"filterType\":\"MARKET_LOT_SIZE\",\"minQty\":\"0.0\",\"maxQty\":\"150.123456789\",\"stepSize\":\"0.0\"}"
        ",{\"filterType\":\"NOTIONAL\",\"minNotional\":\"5.00000000\",\"applyMinToMarket\":true,\"maxNotional\":"
        "\"9000000.00000000\"},{\"filterType\":\"MAX_NUM_ORDERS\",\"maxNumOrders\":200}",
        &i, &fault));
    CHECK_STR(i.symbol, "BTCUSDT");
    CHECK_STR(i.canonical, "BTC/USDT");
    CHECK_STR(i.base, "BTC");
    CHECK_STR(i.settle, "USDT");
    CHECK_EQ(i.status, INSTRUMENT_TRADING);
    CHECK_EQ(i.kind, INSTRUMENT_SPOT);
    CHECK_EQ(i.multiplier, VALUE_ONE);
    CHECK_EQ(i.version, 0);
    CHECK_EQ(i.px_decimals, 8); /* the asset's, not the tick's: books hold older orders */
    CHECK_EQ(i.tick, 1000000);
    CHECK_EQ(i.px_min, 1000000);
    CHECK_EQ(i.px_max, INT64_C(100000000000000));
    CHECK_EQ(i.qty_decimals, 8);
    CHECK_EQ(i.step, 1000);
    CHECK_EQ(i.qty_min, 1000);
    CHECK_EQ(i.qty_max, INT64_C(900000000000));
    CHECK_EQ(i.market_qty_max, INT64_C(15012345678)); /* a maximum is rounded down */
    CHECK_EQ(i.notional_min, 5 * VALUE_ONE);
    CHECK_EQ(i.notional_max, 9000000 * VALUE_ONE);
    CHECK_EQ(i.orders_max, 200);
    CHECK_EQ(i.order_types, 1u << ORDER_LIMIT | 1u << ORDER_MARKET);
    CHECK_EQ(i.tifs, 1u << TIF_GTC | 1u << TIF_IOC | 1u << TIF_FOK);
}

TEST(rules_that_are_off_become_the_widest_limits)
{
    struct instrument i;
    struct fault fault;
    CHECK(
        info("{\"filterType\":\"PRICE_FILTER\",\"minPrice\":\"0.0\",\"maxPrice\":\"0.0\",\"tickSize\":\"0.00000000\"},"
             "{\"filterType\":\"LOT_SIZE\",\"minQty\":\"0\",\"maxQty\":\"0\",\"stepSize\":\"0\"}",
             &i, &fault));
    CHECK_EQ(i.px_decimals, 8);
    CHECK_EQ(i.tick, 1);
    CHECK_EQ(i.px_min, 1);
    CHECK(i.px_max > INT64_C(100000000000000));
    CHECK_EQ(i.step, 1);
    CHECK_EQ(i.market_qty_max, i.qty_max);
    CHECK_EQ(i.notional_min, 0);
    CHECK_EQ(i.notional_max, INT64_MAX);
    CHECK(info("", &i, &fault));
    CHECK_EQ(i.orders_max, 0);
}

TEST(coins_counted_in_billions_keep_room_for_their_sums)
{
    struct instrument i;
    struct fault fault;
    CHECK(info(PRICE
               ",{\"filterType\":\"LOT_SIZE\",\"minQty\":\"1.00\",\"maxQty\":\"92141578000.00\",\"stepSize\":\"1.00\"}",
               &i, &fault));
    CHECK_EQ(i.qty_decimals, 4);
    CHECK_EQ(i.step, 10000);
    CHECK(i.qty_max <= INT64_C(1000000000000000));
    CHECK(info(
        PRICE
        ",{\"filterType\":\"LOT_SIZE\",\"minQty\":\"1\",\"maxQty\":\"99999999999999999999999\",\"stepSize\":\"1\"}",
        &i, &fault));
    CHECK_EQ(i.qty_decimals, 0);
}

TEST(minimum_finer_than_the_decimals_is_rounded_up)
{
    struct instrument i;
    struct fault fault;
    CHECK(info(PRICE
               ",{\"filterType\":\"LOT_SIZE\",\"minQty\":\"0.000000001\",\"maxQty\":\"9.0\",\"stepSize\":\"0.1\"}",
               &i, &fault));
    CHECK_EQ(i.qty_decimals, 8);
    CHECK_EQ(i.qty_min, 1);
}

TEST(rules_that_cannot_be_are_refused_by_name)
{
    static const struct {
        const char *filters;
        const char *names;
    } bad[] = {
        { "{\"filterType\":\"PRICE_FILTER\",\"minPrice\":\"5\",\"maxPrice\":\"4\",\"tickSize\":\"0.01\"}," LOT,
          "PRICE_FILTER" },
        { "{\"filterType\":\"PRICE_FILTER\",\"tickSize\":\"-0.01\"}," LOT, "tickSize" },
        { "{\"filterType\":\"PRICE_FILTER\",\"tickSize\":\"x\"}," LOT, "tickSize" },
        { PRICE ",{\"filterType\":\"LOT_SIZE\",\"minQty\":\"2\",\"maxQty\":\"1\",\"stepSize\":\"1\"}", "LOT_SIZE" },
        { PRICE ",{\"filterType\":\"LOT_SIZE\",\"minQty\":\"2\",\"maxQty\":\"1e9\",\"stepSize\":\"1\"}", "LOT_SIZE" },
        { PRICE "," LOT ",{\"filterType\":\"NOTIONAL\",\"minNotional\":\"9\",\"maxNotional\":\"8\"}", "minNotional" },
        { PRICE "," LOT ",{\"filterType\":7}", "not the JSON" },
    };
    struct instrument i;
    for (size_t k = 0; k < ARRAY_LEN(bad); k++) {
        struct fault fault = { "" };
        CHECK(!info(bad[k].filters, &i, &fault));
        if (strstr(fault.text, bad[k].names) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", fault.text, bad[k].names);
    }
}

TEST_RECORDED(recorded_exchange_info_gives_every_symbol_and_names_a_missing_one)
{
    static const char *const symbols[] = { "ETHUSDT", "BTCUSDT", "SHIBUSDT", "ETHBTC" };
    static const char *const missing[] = { "BTCUSDT", "NOSUCH" };
    struct capture c;
    const char *line;
    size_t len;
    struct instrument ins[4];
    struct binance_limits limits;
    struct fault fault;
    if (!capture_open(&c, "binance/cf_20211012_exchangeInfo.http.zst"))
        SKIP(CAPTURE_NONE);
    ASSERT(capture_line(&c, &line, &len));
    const char *text = memchr(line, '{', len);
    size_t n = len - (size_t)(text - line);
    bool ok = binance_ref_exchange_info(text, n, symbols, 4, ins, &limits, &fault);
    if (!ok)
        fail_msg("%s", fault.text);
    CHECK_EQ(limits.weight_per_minute, 1200);
    CHECK_EQ(limits.orders_per_10s, 50);
    for (unsigned i = 0; i < 4; i++)
        CHECK_STR(ins[i].symbol, symbols[i]);
    CHECK_STR(ins[0].canonical, "ETH/USDT");
    CHECK_EQ(ins[1].tick, 1000000);
    CHECK_EQ(ins[3].px_decimals, 8);
    CHECK_EQ(ins[3].market_qty_max, INT64_C(87390727776));
    CHECK(!binance_ref_exchange_info(text, n, missing, 2, ins, &limits, &fault));
    CHECK(strstr(fault.text, "NOSUCH") != NULL);
    CHECK(!binance_ref_exchange_info(text, n - 1, symbols, 4, ins, &limits, &fault));
    capture_close(&c);
}

/* No symbol of a whole recorded venue is one that cannot be used; the decimals hold what its rules allow, and a level's
 * quantity of a hundred times the largest order. */
TEST_RECORDED(every_symbol_of_the_recorded_exchange_info_can_be_used)
{
    struct capture c;
    const char *line;
    size_t len;

    if (!capture_open(&c, "binance/cf_20211012_exchangeInfo.http.zst"))
        SKIP(CAPTURE_NONE);
    ASSERT(capture_line(&c, &line, &len));
    const char *text = memchr(line, '{', len);
    size_t n = len - (size_t)(text - line);
    json_t *whole = json_loadb(text, n, 0, NULL);
    const json_t *all = json_object_get(whole, "symbols");
    size_t count = json_array_size(all);
    const char **symbols = calloc(count, sizeof(*symbols));
    struct instrument *ins = calloc(count, sizeof(*ins));
    struct binance_limits limits;
    struct fault fault;
    CHECK(count > 1000);
    for (size_t i = 0; i < count; i++)
        symbols[i] = json_string_value(json_object_get(json_array_get(all, i), "symbol"));
    if (!binance_ref_exchange_info(text, n, symbols, count, ins, &limits, &fault))
        fail_msg("%s", fault.text);
    for (size_t i = 0; i < count; i++) {
        const struct instrument *k = &ins[i];
        int64_t v;
        CHECK_STR(k->symbol, symbols[i]);
        CHECK(k->tick > 0 && k->step > 0 && k->px_min <= k->px_max && k->qty_min <= k->qty_max);
        CHECK(k->qty_max <= INT64_MAX / 100);
        CHECK(k->px_decimals <= 8 && k->qty_decimals <= 8);
        /* The venue writes eight places, whatever the rule: what stands behind the rule's are zeros. */
        CHECK_EQ(decimal_parse("0.00000000", 10, k->px_decimals, &v), DECODE_OK);
        CHECK_EQ(decimal_parse("0.00000000", 10, k->qty_decimals, &v), DECODE_OK);
    }
    free(symbols);
    free(ins);
    json_decref(whole);
    capture_close(&c);
}

TEST_MAIN()
