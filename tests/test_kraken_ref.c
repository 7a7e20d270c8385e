/* kraken_ref: pairs to instruments, exponents included; what cannot be used is refused by name. */
#include "execgw/order.h"
#include "feed/kraken_ref.h"
#include "tests/test.h"

#define PAIR(symbol, base, quote, status, rules)                                                                \
    "{\"symbol\":\"" symbol "\",\"base\":\"" base "\",\"quote\":\"" quote "\",\"status\":\"" status "\"," rules \
    ",\"cost_precision\":5,\"marginable\":true,\"has_index\":true,\"margin_initial\":0.2}"
#define BTC_RULES                                                                                                  \
    "\"qty_precision\":8,\"qty_increment\":1e-08,\"price_precision\":1,\"price_increment\":0.1,\"tick_size\":0.1," \
    "\"cost_min\":0.5,\"qty_min\":5e-05"
#define DATA(pairs) "{\"assets\":[{\"id\":\"USD\",\"status\":\"enabled\",\"precision\":4}],\"pairs\":[" pairs "]}"

static struct instrument ins[4];
static struct fault fault;

static bool
read(const char *data, const char *const *symbols, size_t count)
{
    return kraken_ref_instruments(data, strlen(data), symbols, count, ins, &fault);
}

static const char *const both[] = { "MINA/GBP", "BTC/USD" };

TEST(instruments_come_in_the_order_asked_with_the_venues_precisions)
{
    CHECK(read(
        DATA(PAIR("ETH/USD", "ETH", "USD", "online", BTC_RULES) "," PAIR(
            "BTC/USD", "BTC", "USD", "online", BTC_RULES) "," PAIR("MINA\\/GBP", "MINA", "GBP", "limit_only",
                                                                   "\"qty_precision\":8,\"qty_increment\":1E-8,\"price_"
                                                                   "precision\":4,\"price_increment\":0.0001,"
                                                                   "\"qty_min\":15,\"cost_min\":0.45")),
        both, 2));
    const struct instrument *btc = &ins[1];
    CHECK_STR(btc->symbol, "BTC/USD");
    CHECK_STR(btc->canonical, "BTC/USD");
    CHECK_STR(btc->base, "BTC");
    CHECK_STR(btc->settle, "USD");
    CHECK_EQ(btc->px_decimals, 1);
    CHECK_EQ(btc->qty_decimals, 8);
    CHECK_EQ(btc->tick, 1);
    CHECK_EQ(btc->step, 1);
    CHECK_EQ(btc->qty_min, 5000); /* 5e-05 */
    CHECK_EQ(btc->notional_min, 50000000);
    CHECK_EQ(btc->status, INSTRUMENT_TRADING);
    CHECK_EQ(btc->order_types, 1u << ORDER_LIMIT | 1u << ORDER_MARKET);
    CHECK_EQ(btc->version, 0);
    CHECK_STR(ins[0].symbol, "MINA/GBP");
    CHECK_EQ(ins[0].px_decimals, 4);
    CHECK_EQ(ins[0].qty_min, INT64_C(1500000000));
    CHECK_EQ(ins[0].order_types, 1u << ORDER_LIMIT);
}

TEST(states_of_a_pair_are_what_may_be_ordered_in_it)
{
    static const struct {
        const char *status;
        uint8_t is;
    } row[] = { { "online", INSTRUMENT_TRADING },          { "cancel_only", INSTRUMENT_CANCEL_ONLY },
                { "post_only", INSTRUMENT_CANCEL_ONLY },   { "reduce_only", INSTRUMENT_CANCEL_ONLY },
                { "maintenance", INSTRUMENT_CLOSED },      { "delisted", INSTRUMENT_CLOSED },
                { "work_in_progress", INSTRUMENT_CLOSED }, { "a_word_of_tomorrow", INSTRUMENT_CLOSED } };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        char text[512];
        (void)snprintf(
            text, sizeof(text),
            "{\"pairs\":[{\"symbol\":\"BTC/USD\",\"base\":\"BTC\",\"quote\":\"USD\",\"status\":\"%s\"," BTC_RULES "}]}",
            row[i].status);
        CHECK(read(text, both + 1, 1));
        CHECK_EQ(ins[0].status, row[i].is);
    }
}

TEST(rules_that_cannot_be_used_are_refused_with_the_symbol)
{
    static const struct {
        const char *rules;
        const char *said;
    } row[] = {
        { "\"qty_precision\":8,\"qty_increment\":1e-08,\"price_increment\":0.1,\"qty_min\":1", "price_precision" },
        { "\"qty_precision\":8,\"qty_increment\":1e-09,\"price_precision\":1,\"price_increment\":0.1,\"qty_min\":1",
          "qty_increment" },
        { "\"qty_precision\":8,\"qty_increment\":1e-08,\"price_precision\":1,\"price_increment\":0.15,\"qty_min\":1",
          "price_increment" },
        { "\"qty_precision\":8,\"qty_increment\":0,\"price_precision\":1,\"price_increment\":0.1,\"qty_min\":1",
          "qty_increment" },
        { "\"qty_precision\":19,\"qty_increment\":1e-08,\"price_precision\":1,\"price_increment\":0.1,\"qty_min\":1",
          "above 18" },
        { "\"qty_precision\":8,\"qty_increment\":1e-08,\"price_precision\":1,\"price_increment\":0.1,\"qty_min\":-1",
          "qty_min" },
        { "\"qty_precision\":8,\"qty_increment\":1e999,\"price_precision\":1,\"price_increment\":0.1,\"qty_min\":1",
          "qty_increment" },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        char text[512];
        (void)snprintf(
            text, sizeof(text),
            "{\"pairs\":[{\"symbol\":\"BTC/USD\",\"base\":\"BTC\",\"quote\":\"USD\",\"status\":\"online\",%s}]}",
            row[i].rules);
        CHECK(!read(text, both + 1, 1));
        CHECK(strstr(fault.text, row[i].said) != NULL && strstr(fault.text, "BTC/USD") != NULL);
    }
    CHECK(!read(DATA(PAIR("BTC/USD", "BTC", "USD", "online", BTC_RULES)), both, 2));
    CHECK(strstr(fault.text, "MINA/GBP: the venue does not list it") != NULL);
    CHECK(!read("{\"pairs\":[", both, 2));
    CHECK(strstr(fault.text, "not the JSON") != NULL);
}

TEST(the_snapshot_is_told_from_what_comes_before_it)
{
    const char *data;
    size_t len;
    char text[96];
    static const char *const other[] = {
        "{\"channel\":\"status\",\"type\":\"update\",\"data\":[{\"system\":\"online\"}]}",
        "{\"method\":\"subscribe\",\"result\":{\"channel\":\"instrument\",\"snapshot\":true},\"success\":true,\"req_"
        "id\":1}",
        "{\"channel\":\"heartbeat\"}",
        "{\"channel\":\"instrument\",\"type\":\"update\",\"data\":{}}",
        "{\"channel\":\"instrument\",\"type\":\"snapshot\",\"data\":{",
        "x",
    };
    for (unsigned i = 0; i < ARRAY_LEN(other); i++)
        CHECK_EQ(kraken_ref_answer((const uint8_t *)other[i], strlen(other[i]), &data, &len, text), KRAKEN_REF_OTHER);
    static const char whole[] = "{\"channel\":\"instrument\",\"type\":\"snapshot\",\"data\":{\"pairs\":[]}}";
    CHECK_EQ(kraken_ref_answer((const uint8_t *)whole, sizeof(whole) - 1, &data, &len, text), KRAKEN_REF_SNAPSHOT);
    CHECK_EQ(len, 12);
    CHECK_MEM(data, "{\"pairs\":[]}", 12);
    static const char refused[] = "{\"error\":\"Channel not found\\n\",\"method\":\"subscribe\",\"success\":false}";
    CHECK_EQ(kraken_ref_answer((const uint8_t *)refused, sizeof(refused) - 1, &data, &len, text), KRAKEN_REF_REFUSED);
    CHECK_STR(text, "Channel not found\\n");
    char buf[128];
    size_t n = kraken_ref_request(buf, sizeof(buf), 3);
    CHECK_EQ(n, strlen(buf));
    CHECK_STR(buf, "{\"method\":\"subscribe\",\"params\":{\"channel\":\"instrument\",\"snapshot\":true},\"req_id\":3}");
    CHECK_EQ(kraken_ref_request(buf, n, 3), 0);
}

TEST_MAIN()
