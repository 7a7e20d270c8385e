/* binance_md: recorded texts, their variations, and every way to be wrong. */
#include "feed/binance_md.h"
#include "tests/capture.h"
#include "tests/guard.h"
#include "tests/test.h"

#define LEVELS_MAX 4

static struct binance_md md;
static struct md_msg msg;
static struct guard guard;

static void
setup(void)
{
    static _Alignas(64) uint8_t memory[1 << 14];
    if (md.table != NULL)
        return;
    struct arena arena = { .base = memory, .size = sizeof(memory) };
    static const struct {
        const char *symbol;
        uint8_t px_decimals;
        uint8_t qty_decimals;
    } known[] = { { "BTCUSDT", 2, 5 },
                  { "ETHBTC", 8, 8 },
                  { "1000SATSFDUSD", 7, 0 },
                  { "WIDE", 10, 0 },
                  { "\xE5\xB8\x81\xE5\xAE\x89USDT", 4, 2 } };
    binance_md_init(&md, ARRAY_LEN(known), &arena);
    md_msg_init(&msg, LEVELS_MAX, &arena);
    for (uint32_t i = 0; i < ARRAY_LEN(known); i++) {
        struct instrument ins = { .px_decimals = known[i].px_decimals, .qty_decimals = known[i].qty_decimals };
        (void)snprintf(ins.symbol, sizeof(ins.symbol), "%s", known[i].symbol);
        CHECK(binance_md_add(&md, &ins, 10 + i));
    }
    guard = guard_open(1 << 16);
}

static enum decode_result
decode(const char *text)
{
    setup();
    size_t n = strlen(text);
    return binance_md_decode(&md, guard_copy(&guard, text, n), n, &msg);
}

static const char ticker_text[] = "{\"stream\":\"btcusdt@bookTicker\",\"data\":{\"u\":50093239212,\"s\":\"BTCUSDT\","
                                  "\"b\":\"61837.63000000\",\"B\":\"3.78826000\",\"a\":\"61837.64000000\",\"A\":"
                                  "\"1.54698000\"}}";
static const char depth_text[] =
    "{\"stream\":\"btcusdt@depth@100ms\",\"data\":{\"e\":\"depthUpdate\",\"E\":1723161255308,\"s\":\"BTCUSDT\",\"U\":"
    "50093239203,\"u\":50093239207,\"b\":[[\"55653.87000000\",\"0.00000000\"]],\"a\":[[\"61838.04000000\","
    "\"0.32332000\"],[\"61844.30000000\",\"0.40163000\"]]}}";
static const char trade_text[] =
    "{\"stream\":\"btcusdt@trade\",\"data\":{\"e\":\"trade\",\"E\":1723161255343,\"s\":\"BTCUSDT\",\"t\":3735683259,"
    "\"p\":\"61837.63000000\",\"q\":\"0.02000000\",\"T\":1723161255342,\"m\":true,\"M\":true}}";

static void
check_ticker(void)
{
    CHECK_EQ(msg.kind, MD_MSG_TICKER);
    CHECK_EQ(msg.slot, 10);
    CHECK_EQ(msg.last_id, UINT64_C(50093239212));
    CHECK_EQ(msg.bid.px, 6183763);
    CHECK_EQ(msg.bid.qty, 378826);
    CHECK_EQ(msg.ask.px, 6183764);
    CHECK_EQ(msg.ask.qty, 154698);
}

static void
check_depth(void)
{
    CHECK_EQ(msg.kind, MD_MSG_DEPTH);
    CHECK_EQ(msg.slot, 10);
    CHECK_EQ(msg.first_id, UINT64_C(50093239203));
    CHECK_EQ(msg.last_id, UINT64_C(50093239207));
    CHECK_EQ(msg.venue_time_ns, INT64_C(1723161255308000000));
    CHECK_EQ(msg.bid_count, 1);
    CHECK_EQ(msg.bids[0].px, 5565387);
    CHECK_EQ(msg.bids[0].qty, 0);
    CHECK_EQ(msg.ask_count, 2);
    CHECK_EQ(msg.asks[1].px, 6184430);
    CHECK_EQ(msg.asks[1].qty, 40163);
}

static void
check_trade(void)
{
    CHECK_EQ(msg.kind, MD_MSG_TRADE);
    CHECK_EQ(msg.trade_id, INT64_C(3735683259));
    CHECK_EQ(msg.px, 6183763);
    CHECK_EQ(msg.qty, 2000);
    CHECK_EQ(msg.aggressor, SIDE_SELL);
    CHECK_EQ(msg.venue_time_ns, INT64_C(1723161255342000000));
}

TEST(recorded_texts_decode)
{
    CHECK_EQ(decode(ticker_text), DECODE_OK);
    check_ticker();
    CHECK_EQ(decode(depth_text), DECODE_OK);
    check_depth();
    CHECK_EQ(decode(trade_text), DECODE_OK);
    check_trade();
}

/* Without the wrapper; with white space; in another order with new fields. */
TEST(same_message_in_any_dress_gives_the_same_values)
{
    char text[1024];
    const struct {
        const char *text;
        void (*check)(void);
    } kind[] = { { ticker_text, check_ticker }, { depth_text, check_depth }, { trade_text, check_trade } };

    for (size_t i = 0; i < ARRAY_LEN(kind); i++) {
        const char *inner = strstr(kind[i].text, "\"data\":") + 7;
        (void)snprintf(text, sizeof(text), "%.*s", (int)(strlen(inner) - 1), inner);
        memset(&msg.bid, 0xEE, sizeof(msg.bid));
        CHECK_EQ(decode(text), DECODE_OK);
        kind[i].check();
        (void)snprintf(text, sizeof(text), "{ \"data\" : %.*s , \"stream\" : \"x\" }\n", (int)(strlen(inner) - 1),
                       inner);
        CHECK_EQ(decode(text), DECODE_OK);
        kind[i].check();
        (void)snprintf(text, sizeof(text), "{\"new\":[{\"b\":1}],%.*s", (int)(strlen(inner) - 2), inner + 1);
        CHECK_EQ(decode(text), DECODE_OK);
        kind[i].check();
    }
    CHECK_EQ(
        decode("{\"A\":\"1.54698\",\"a\":\"61837.64\",\"B\":\"3.788260\",\"b\":\"61837.63\",\"s\":\"BTCUSDT\",\"u\":"
               "50093239212}"),
        DECODE_OK);
    check_ticker();
    CHECK_EQ(
        decode("{\"M\":1,\"m\":true,\"T\":1723161255342000,\"q\":\"0.02\",\"p\":\"61837.63\",\"t\":3735683259,\"s\":"
               "\"\\u0042TCUSDT\",\"e\":\"trade\"}"),
        DECODE_OK);
    check_trade();
}

TEST(every_cut_of_a_message_is_malformed_and_reads_nothing_beyond)
{
    static const char *const whole[] = { ticker_text, depth_text, trade_text };
    setup();
    for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
        for (size_t n = 0; n < strlen(whole[i]); n++)
            CHECK_EQ(binance_md_decode(&md, guard_copy(&guard, whole[i], n), n, &msg), DECODE_MALFORMED);
    }
}

TEST(unreadable_message_names_whom_it_concerns_as_far_as_it_says)
{
    setup();
    size_t n = strlen(depth_text) - 10;
    CHECK_EQ(binance_md_decode(&md, guard_copy(&guard, depth_text, n), n, &msg), DECODE_MALFORMED);
    CHECK_EQ(msg.kind, MD_MSG_DEPTH);
    CHECK_EQ(msg.slot, 10);
    CHECK_EQ(decode("{\"e\":\"depthUpdate\",\"s\":\"ETHBTC\",\"b\":[[}"), DECODE_MALFORMED);
    CHECK_EQ(msg.kind, MD_MSG_DEPTH);
    CHECK_EQ(msg.slot, 11);
    CHECK_EQ(decode("{\"stream\":\"ethbtc@bookTicker\",\"data\":{"), DECODE_MALFORMED);
    CHECK_EQ(msg.kind, MD_MSG_TICKER);
    CHECK_EQ(msg.slot, 11);
    CHECK_EQ(decode("garbage"), DECODE_MALFORMED);
    CHECK_EQ(msg.kind, MD_MSG_OTHER);
    CHECK_EQ(msg.slot, UINT32_MAX);
}

/* One field of a ticker or depth message replaced. */
static enum decode_result
with(const char *whole, const char *from, const char *to)
{
    char text[1024];
    const char *at = strstr(whole, from);
    CHECK(at != NULL);
    (void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - whole), whole, to, at + strlen(from));
    return decode(text);
}

TEST(values_are_exact_or_refused)
{
    CHECK_EQ(with(ticker_text, "61837.63000000", "61837.63"), DECODE_OK);
    CHECK_EQ(msg.bid.px, 6183763);
    CHECK_EQ(with(ticker_text, "61837.63000000", "61837"), DECODE_OK);
    CHECK_EQ(msg.bid.px, 6183700);
    CHECK_EQ(with(ticker_text, "61837.63000000", "61837.6300000000000000"), DECODE_OK);
    CHECK_EQ(msg.bid.px, 6183763);
    CHECK_EQ(with(ticker_text, "61837.63000000", "0.00000000"), DECODE_OK); /* an empty side */
    CHECK_EQ(with(ticker_text, "61837.63000000", "61837.63000001"), DECODE_PRECISION);
    CHECK_EQ(with(ticker_text, "61837.63000000", "61837.631"), DECODE_PRECISION);
    CHECK_EQ(with(ticker_text, "3.78826000", "3.78826100"), DECODE_PRECISION);
    CHECK_EQ(with(ticker_text, "3.78826000", "92233720368547.75807"), DECODE_OK);
    CHECK_EQ(msg.bid.qty, INT64_MAX);
    CHECK_EQ(with(ticker_text, "3.78826000", "92233720368547.75808"), DECODE_RANGE);
    CHECK_EQ(with(ticker_text, "3.78826000", "-3.78826000"), DECODE_MALFORMED);
    CHECK_EQ(with(ticker_text, "3.78826000", "3.7882 000"), DECODE_MALFORMED);
    CHECK_EQ(with(ticker_text, "3.78826000", ""), DECODE_MALFORMED);
    CHECK_EQ(with(ticker_text, "3.78826000", "1e5"), DECODE_MALFORMED);
    CHECK_EQ(with(ticker_text, "\"3.78826000\"", "3.78826000"), DECODE_MALFORMED); /* not a string */
    CHECK_EQ(with(ticker_text, "50093239212", "0050093239212"), DECODE_MALFORMED);
    CHECK_EQ(with(ticker_text, "50093239212", "18446744073709551615"), DECODE_OK);
    CHECK_EQ(with(ticker_text, "50093239212", "18446744073709551616"), DECODE_MALFORMED);
    CHECK_EQ(with(ticker_text, "50093239212", "-1"), DECODE_MALFORMED);
}

/* Every length of digits before the point and every number of decimals, both readers against the plain parser. */
TEST(decimals_of_every_width_equal_the_plain_parser)
{
    char text[256];
    char number[32];
    for (unsigned digits = 1; digits <= 12; digits++) {
        for (unsigned decimals = 0; decimals <= 9; decimals++) {
            int n = snprintf(number, sizeof(number), "%.*s", (int)digits, "987654321098");
            if (decimals > 0)
                (void)snprintf(number + n, sizeof(number) - (size_t)n, ".%.*s", (int)decimals, "123456780");
            int64_t plain = 0;
            enum decode_result res = decimal_parse(number, strlen(number), 8, &plain);
            (void)snprintf(text, sizeof(text),
                           "{\"u\":1,\"s\":\"ETHBTC\",\"b\":\"%s\",\"B\":\"1.00000000\",\"a\":\"1.00000000\",\"A\":"
                           "\"1.00000000\"}",
                           number);
            CHECK_EQ(decode(text), res);
            if (res == DECODE_OK)
                CHECK_EQ(msg.bid.px, plain);
        }
    }
}

TEST(fast_reader_scales_to_every_number_of_decimals)
{
    static _Alignas(64) uint8_t memory[1 << 14];
    char text[256];
    char number[16];
    for (uint8_t decimals = 0; decimals <= 8; decimals++) {
        struct arena arena = { .base = memory, .size = sizeof(memory) };
        struct binance_md one;
        struct instrument ins = { .px_decimals = decimals, .qty_decimals = decimals, .symbol = "X" };
        binance_md_init(&one, 1, &arena);
        CHECK(binance_md_add(&one, &ins, 0));
        for (unsigned fraction = 0; fraction < 100000000; fraction += fraction < 100 ? 1 : fraction / 7) {
            (void)snprintf(number, sizeof(number), "7.%08u", fraction);
            int n = snprintf(text, sizeof(text),
                             "{\"u\":1,\"s\":\"X\",\"b\":\"%s\",\"B\":\"1.00000000\",\"a\":\"1.00000000\",\"A\":"
                             "\"1.00000000\"}",
                             number);
            int64_t plain = 0;
            enum decode_result res = decimal_parse(number, strlen(number), decimals, &plain);
            CHECK_EQ(binance_md_decode(&one, (const uint8_t *)text, (size_t)n, &msg), res);
            if (res == DECODE_OK)
                CHECK_EQ(msg.bid.px, plain);
        }
    }
}

TEST(symbols_of_other_widths_scripts_and_decimals_are_found)
{
    CHECK_EQ(with(ticker_text, "\"BTCUSDT\"", "\"ETHBTC\""), DECODE_OK);
    CHECK_EQ(msg.slot, 11);
    CHECK_EQ(msg.bid.px, INT64_C(6183763000000));
    CHECK_EQ(
        decode("{\"u\":1,\"s\":\"1000SATSFDUSD\",\"b\":\"0.00028840\",\"B\":\"12345678.00000000\",\"a\":\"0.00028850\","
               "\"A\":\"1.00000000\"}"),
        DECODE_OK);
    CHECK_EQ(msg.slot, 12);
    CHECK_EQ(msg.bid.px, 2884);
    CHECK_EQ(msg.bid.qty, 12345678);
    CHECK_EQ(decode("{\"u\":1,\"s\":\"WIDE\",\"b\":\"0.0000000001\",\"B\":\"5.0\",\"a\":\"0.0000000002\",\"A\":\"1\"}"),
             DECODE_OK);
    CHECK_EQ(msg.bid.px, 1);
    CHECK_EQ(with(ticker_text, "\"BTCUSDT\"", "\"\xE5\xB8\x81\xE5\xAE\x89USDT\""), DECODE_PRECISION);
    CHECK_EQ(msg.slot, 14);
    CHECK_EQ(with(ticker_text, "\"BTCUSDT\"", "\"BTCUSDC\""), DECODE_UNKNOWN_SYMBOL);
    CHECK_EQ(with(ticker_text, "\"BTCUSDT\"", "\"\""), DECODE_UNKNOWN_SYMBOL);
    CHECK_EQ(with(ticker_text, "\"BTCUSDT\"", "\"BTCUSDTBTCUSDTBTCUSDTBTCUSDT\""), DECODE_UNKNOWN_SYMBOL);
    CHECK_EQ(with(ticker_text, "\"BTCUSDT\"", "7"), DECODE_MALFORMED);
}

TEST(levels_at_the_bound_are_read_and_one_more_is_refused)
{
    static const char four[] = "[\"1.00000000\",\"1.00000000\"],[\"2.00000000\",\"1.00000000\"],[\"3.00000000\","
                               "\"1.00000000\"],[\"4.00000000\",\"1.00000000\"]";
    char text[512];
    CHECK_EQ(with(depth_text, "[\"55653.87000000\",\"0.00000000\"]", four), DECODE_OK);
    CHECK_EQ(msg.bid_count, 4);
    CHECK_EQ(msg.bids[3].px, 400);
    (void)snprintf(text, sizeof(text), "%s,[\"5.00000000\",\"1.00000000\"]", four);
    CHECK_EQ(with(depth_text, "[\"55653.87000000\",\"0.00000000\"]", text), DECODE_RANGE);
    CHECK_EQ(msg.kind, MD_MSG_DEPTH);
    CHECK_EQ(msg.slot, 10);
    CHECK_EQ(with(depth_text, "[\"55653.87000000\",\"0.00000000\"]", ""), DECODE_OK);
    CHECK_EQ(msg.bid_count, 0);
}

TEST(depth_that_makes_no_sense_is_malformed)
{
    CHECK_EQ(with(depth_text, "\"U\":50093239203", "\"U\":50093239208"), DECODE_MALFORMED);
    CHECK_EQ(with(depth_text, "\"U\":50093239203,", ""), DECODE_MALFORMED);
    /* Futures name the update before: numbers between the two were left out. */
    CHECK_EQ(with(depth_text, "\"U\":50093239203", "\"pu\":50093239100,\"U\":50093239203"), DECODE_OK);
    CHECK_EQ(msg.first_id, UINT64_C(50093239101));
    CHECK_EQ(with(depth_text, "\"U\":50093239203", "\"pu\":50093239203,\"U\":50093239203"), DECODE_MALFORMED);
    CHECK_EQ(with(depth_text, "\"55653.87000000\"", "\"0.00000000\""), DECODE_MALFORMED);
    CHECK_EQ(with(depth_text, "[\"55653.87000000\",\"0.00000000\"]", "[\"55653.87000000\"]"), DECODE_MALFORMED);
    CHECK_EQ(with(depth_text, "[[\"55653.87000000\",\"0.00000000\"]]", "null"), DECODE_MALFORMED);
    CHECK_EQ(with(depth_text, "\"e\":\"depthUpdate\",", ""), DECODE_MALFORMED);
    CHECK_EQ(with(depth_text, "1723161255308", "17231612553080"), DECODE_RANGE);
    CHECK_EQ(with(trade_text, "0.02000000", "0.00000000"), DECODE_MALFORMED);
    CHECK_EQ(with(trade_text, "61837.63000000", "6183x.63000000"), DECODE_MALFORMED);
    CHECK_EQ(with(trade_text, "0.02000000", "0.0200000a"), DECODE_MALFORMED);
    CHECK_EQ(with(depth_text, "61838.04000000", "61838.0400000/"), DECODE_MALFORMED);
    CHECK_EQ(with(depth_text, "61838.04000000", "61.38.04000000"), DECODE_MALFORMED);
    CHECK_EQ(with(trade_text, "\"m\":true,", ""), DECODE_MALFORMED);
    CHECK_EQ(with(trade_text, "\"m\":true", "\"m\":false"), DECODE_OK);
    CHECK_EQ(msg.aggressor, SIDE_BUY);
}

TEST(answers_errors_shutdown_and_the_rest_are_told_apart)
{
    CHECK_EQ(decode("{\"result\":null,\"id\":7}"), DECODE_OK);
    CHECK_EQ(msg.kind, MD_MSG_REPLY);
    CHECK_EQ(msg.request_id, 7);
    CHECK_EQ(decode("{\"id\":\"abc\",\"result\":[\"btcusdt@trade\"]}"), DECODE_OK);
    CHECK_EQ(msg.request_id, -1);
    CHECK_EQ(decode("{\"code\":2,\"msg\":\"Invalid request: \\n\",\"id\":3}"), DECODE_OK);
    CHECK_EQ(msg.kind, MD_MSG_ERROR);
    CHECK_EQ(msg.code, 2);
    CHECK_EQ(msg.request_id, 3);
    CHECK_EQ(decode("{\"error\":{\"code\":-1003,\"msg\":\"slow\"},\"id\":null}"), DECODE_OK);
    CHECK_EQ(msg.kind, MD_MSG_ERROR);
    CHECK_EQ(msg.code, -1003);
    CHECK_STR(msg.text, "slow");
    CHECK_EQ(decode("{\"e\":\"serverShutdown\",\"E\":1770123456789}"), DECODE_OK);
    CHECK_EQ(msg.kind, MD_MSG_SHUTDOWN);
    CHECK_EQ(decode("{\"e\":\"kline\",\"s\":\"BTCUSDT\"}"), DECODE_IGNORED);
    CHECK_EQ(decode("{\"lastUpdateId\":1,\"bids\":[],\"asks\":[]}"), DECODE_IGNORED);
    CHECK_EQ(decode("{}"), DECODE_IGNORED);
    CHECK_EQ(decode("[]"), DECODE_MALFORMED);
    CHECK_EQ(decode(""), DECODE_MALFORMED);
    CHECK_EQ(decode("{\"result\":null,\"id\":7}x"), DECODE_MALFORMED);
}

TEST(table_takes_as_many_symbols_as_it_was_made_for)
{
    static _Alignas(64) uint8_t memory[1 << 18];
    struct arena arena = { .base = memory, .size = sizeof(memory) };
    struct binance_md big;
    struct instrument ins = { 0 };
    char text[200];
    binance_md_init(&big, 1024, &arena);
    CHECK(!binance_md_add(&big, &ins, 0)); /* no symbol */
    for (uint32_t i = 0; i < 1024; i++) {
        (void)snprintf(ins.symbol, sizeof(ins.symbol), "S%uUSDT", i * 7919);
        CHECK(binance_md_add(&big, &ins, i));
    }
    CHECK(binance_md_add(&big, &ins, 1023)); /* known: only renewed */
    (void)snprintf(ins.symbol, sizeof(ins.symbol), "ONEMORE");
    CHECK(!binance_md_add(&big, &ins, 0));
    for (uint32_t i = 0; i < 1024; i++) {
        int n = snprintf(text, sizeof(text),
                         "{\"u\":1,\"s\":\"S%uUSDT\",\"b\":\"1\",\"B\":\"1\",\"a\":\"2\",\"A\":\"1\"}", i * 7919);
        CHECK_EQ(binance_md_decode(&big, (const uint8_t *)text, (size_t)n, &msg), DECODE_OK);
        CHECK_EQ(msg.slot, i);
    }
}

TEST(subscribe_message_takes_what_fits)
{
    static const char *const symbols[] = { "BTCUSDT", "ETHBTC" };
    char buf[200];
    size_t used;
    size_t n = binance_md_subscribe(buf, sizeof(buf), 9, false, symbols, 2, MD_STREAM_TICKER | MD_STREAM_TRADE, &used);
    buf[n] = '\0';
    CHECK_EQ(used, 2);
    CHECK_STR(buf,
              "{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusdt@bookTicker\",\"btcusdt@trade\",\"ethbtc@bookTicker\","
              "\"ethbtc@trade\"],\"id\":9}");
    CHECK_EQ(binance_md_subscribe(buf, n, 9, false, symbols, 2, MD_STREAM_TICKER | MD_STREAM_TRADE, &used), n);
    CHECK_EQ(binance_md_subscribe(buf, n - 1, 9, false, symbols, 2, MD_STREAM_TICKER | MD_STREAM_TRADE, &used), 77);
    CHECK_EQ(used, 1);
    CHECK_EQ(binance_md_subscribe(buf, 40, 9, false, symbols, 2, MD_STREAM_TICKER, &used), 0);
    CHECK_EQ(binance_md_subscribe(buf, 5, 9, false, symbols, 2, MD_STREAM_TICKER, &used), 0);
}

/* The recorded streams: every message by both readers. */
TEST_RECORDED(recorded_messages_decode_alike_in_both_readers)
{
    static const char *const files[] = { "binance/spot_btcusdt_20240808.ns_json.zst",
                                         "binance/spot_btcusdt_20240809.ns_json.zst" };
    static _Alignas(64) uint8_t memory[1 << 19];
    struct arena arena = { .base = memory, .size = sizeof(memory) };
    struct binance_md rec;
    struct md_msg fast;
    struct md_msg slow;
    struct instrument ins = { .px_decimals = 2, .qty_decimals = 8, .symbol = "BTCUSDT" };
    char spaced[1 << 16];

    binance_md_init(&rec, 1, &arena);
    md_msg_init(&fast, 2000, &arena);
    md_msg_init(&slow, 2000, &arena);
    CHECK(binance_md_add(&rec, &ins, 0));
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct capture c;
        const char *line;
        size_t len;
        unsigned count = 0;
        if (!capture_open(&c, files[i]))
            SKIP(CAPTURE_NONE);
        while (capture_line(&c, &line, &len)) {
            const char *text = (const char *)memchr(line, ' ', len) + 1;
            size_t n = len - (size_t)(text - line);
            if (text[2] != 's' || ++count % 4 != 0) /* every fourth: the sanitizer is slow */
                continue;
            CHECK(n + 1 < sizeof(spaced));
            (void)snprintf(spaced, sizeof(spaced), "{ %.*s", (int)(n - 1), text + 1);
            CHECK_EQ(binance_md_decode(&rec, (const uint8_t *)text, n, &fast), DECODE_OK);
            CHECK_EQ(binance_md_decode(&rec, (const uint8_t *)spaced, n + 1, &slow), DECODE_OK);
            CHECK_EQ(fast.kind, slow.kind);
            if (fast.kind == MD_MSG_DEPTH) {
                CHECK_EQ(fast.bid_count, slow.bid_count);
                CHECK_EQ(fast.ask_count, slow.ask_count);
                CHECK_MEM(fast.bids, slow.bids, fast.bid_count * sizeof(struct level));
                CHECK_MEM(fast.asks, slow.asks, fast.ask_count * sizeof(struct level));
            } else if (fast.kind == MD_MSG_TICKER) {
                CHECK_MEM(&fast.bid, &slow.bid, sizeof(struct level));
                CHECK_MEM(&fast.ask, &slow.ask, sizeof(struct level));
            } else {
                CHECK_EQ(fast.trade_id, slow.trade_id);
                CHECK_EQ(fast.px, slow.px);
            }
        }
        capture_close(&c);
    }
}

TEST_MAIN()
