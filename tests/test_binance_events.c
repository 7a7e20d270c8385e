/* Binance order entry: the private stream; every row of the venue's table of execution types. */
#include "tests/binance_fixture.h"

TEST(each_execution_type_of_the_stream_has_its_report)
{
    struct fixture *f = fixture_hmac();
    static const struct {
        const char *text;
        uint8_t kind;
        uint8_t state;
    } row[] = {
        { EVENT(ORDER_ID, "", "NEW", "NEW", NO_FILL), VENUE_NEW_ACK, ORDER_NEW },
        { EVENT(ORDER_ID, "", "TRADE", "PARTIALLY_FILLED", ONE_FILL), VENUE_FILL, ORDER_PARTIALLY_FILLED },
        { EVENT(ORDER_ID, "", "TRADE", "FILLED", ONE_FILL), VENUE_FILL, ORDER_FILLED },
        { EVENT("cancelsown", ORDER_ID, "CANCELED", "CANCELED", NO_FILL), VENUE_CANCELED, ORDER_CANCELED },
        { EVENT(ORDER_ID, "", "CANCELED", "CANCELED", NO_FILL), VENUE_CANCELED, ORDER_CANCELED },
        { EVENT("newid", ORDER_ID, "REPLACED", "NEW", NO_FILL), VENUE_AMENDED, ORDER_NEW },
        { EVENT("newid", ORDER_ID, "REPLACED", "PARTIALLY_FILLED", NO_FILL), VENUE_AMENDED, ORDER_PARTIALLY_FILLED },
        { EVENT("newid", ORDER_ID, "REPLACED", "CANCELED", NO_FILL), VENUE_UNKNOWN, ORDER_FREE },
        { EVENT(ORDER_ID, "", "REJECTED", "REJECTED", NO_FILL), VENUE_REJECTED, ORDER_REJECTED },
        { EVENT(ORDER_ID, "", "EXPIRED", "EXPIRED", NO_FILL), VENUE_EXPIRED, ORDER_EXPIRED },
        { EVENT(ORDER_ID, "", "TRADE_PREVENTION", "EXPIRED_IN_MATCH", NO_FILL), VENUE_EXPIRED, ORDER_EXPIRED },
        { EVENT(ORDER_ID, "", "TRADE_PREVENTION", "NEW", NO_FILL), VENUE_UNKNOWN, ORDER_FREE },
        { EVENT(ORDER_ID, "", "TOMORROW", "NEW", NO_FILL), VENUE_UNKNOWN, ORDER_FREE },
        { EVENT(ORDER_ID, "", "NEW", "TOMORROW", NO_FILL), VENUE_UNKNOWN, ORDER_FREE },
        { EVENT(ORDER_ID, "", "CANCELED", "NEW", NO_FILL), VENUE_UNKNOWN, ORDER_FREE },
        { EVENT(ORDER_ID, "", "TRADE", "FILLED", NO_FILL), VENUE_UNKNOWN, ORDER_FREE },
    };

    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        decode_text(f, row[i].text, DECODE_OK);
        CHECK_EQ(f->count, 1);
        CHECK_EQ(f->got[0].kind, row[i].kind);
        CHECK_EQ(f->got[0].state, row[i].state);
        CHECK_STR(f->got[0].clordid, ORDER_ID);
        CHECK_EQ(f->got[0].venue_order_id, 4293153);
        CHECK_EQ(f->got[0].instrument, 0);
        CHECK_EQ(f->got[0].request, VENUE_RQ_COUNT);
        CHECK_EQ(f->got[0].venue_time_ns, INT64_C(1499405658657) * NS_PER_MS);
    }
}

TEST(an_amend_of_somebody_else_says_the_new_terms_and_whether_the_order_has_another_name)
{
    struct fixture *f = fixture_hmac();

    decode_text(f, EVENT("newid", ORDER_ID, "REPLACED", "NEW", NO_FILL), DECODE_OK);
    CHECK_EQ(f->got[0].renamed, 1);
    CHECK_EQ(f->got[0].px, 10);
    CHECK_EQ(f->got[0].qty, 100000);
    CHECK_EQ(f->got[0].tag, 0);
    decode_text(f, EVENT(ORDER_ID, ORDER_ID, "REPLACED", "NEW", NO_FILL), DECODE_OK);
    CHECK_EQ(f->got[0].renamed, 0);
    decode_text(f, EVENT(ORDER_ID, "", "REPLACED", "NEW", NO_FILL), DECODE_OK);
    CHECK_EQ(f->got[0].renamed, 0);
    CHECK_STR(f->got[0].clordid, ORDER_ID);
}

TEST(a_fill_of_the_stream_says_price_quantity_trade_and_fee)
{
    struct fixture *f = fixture_hmac();

    decode_text(f, EVENT(ORDER_ID, "", "TRADE", "PARTIALLY_FILLED", ONE_FILL), DECODE_OK);
    const struct venue_report *r = &f->got[0];
    CHECK_EQ(r->last_px, 9);
    CHECK_EQ(r->last_qty, 25000);
    CHECK_EQ(r->cum_qty, 75000);
    CHECK_EQ(r->px, 10);
    CHECK_EQ(r->qty, 100000);
    CHECK_EQ(r->trade_id, 77);
    CHECK_EQ(r->fee, 25000);
    CHECK_STR(r->fee_ccy, "BTC");
    CHECK_EQ(r->maker, 1);
    CHECK_EQ(r->side, SIDE_BUY);
    CHECK_STR(r->text, "");
}

TEST(a_fee_that_cannot_be_read_does_not_lose_its_fill)
{
    struct fixture *f = fixture_hmac();

    decode_text(f,
                EVENT(ORDER_ID, "", "TRADE", "FILLED",
                      "\"l\":\"1.0\",\"z\":\"1.0\",\"L\":\"0.1\",\"n\":\"0.0000000001\",\"N\":\"BTC\",\"t\":0,"
                      "\"m\":false"),
                DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_FILL);
    CHECK_EQ(f->got[0].trade_id, 0);
    CHECK_EQ(f->got[0].fee, 0);
    CHECK_STR(f->got[0].text, "fee cannot be read");
    decode_text(f,
                EVENT(ORDER_ID, "", "TRADE", "FILLED",
                      "\"l\":\"1.0\",\"z\":\"1.0\",\"L\":\"0.1\",\"n\":\"0\",\"N\":null,\"t\":0,\"m\":false"),
                DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_FILL);
    CHECK_STR(f->got[0].text, "");
}

#define FINER "\"l\":\"1.0\",\"z\":\"1.0\",\"L\":\"0.091\",\"n\":\"0\",\"N\":null,\"t\":0,\"m\":false"

TEST(a_fill_finer_than_the_instrument_is_counted_at_a_price_rounded_against_us)
{
    struct fixture *f = fixture_hmac();

    decode_text(f, EVENT_OF("BUY", ORDER_ID, "", "TRADE", "FILLED", FINER), DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_FILL);
    CHECK_EQ(f->got[0].last_px, 10);
    decode_text(f, EVENT_OF("SELL", ORDER_ID, "", "TRADE", "FILLED", FINER), DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_FILL);
    CHECK_EQ(f->got[0].last_px, 9);
}

TEST(a_hostile_event_is_unknown_and_names_what_it_can)
{
    struct fixture *f = fixture_hmac();
    static const char *const row[] = {
        /* too many decimals, out of range, negative, a text, an exponent, no trade id, z below l */
        "\"l\":\"0.250001\",\"z\":\"0.75\",\"L\":\"0.09\",\"n\":\"0\",\"N\":null,\"t\":7,\"m\":true",
        "\"l\":\"0.25\",\"z\":\"0.75\",\"L\":\"99999999999999999999\",\"n\":\"0\",\"N\":null,\"t\":7,\"m\":true",
        "\"l\":\"-0.25\",\"z\":\"0.75\",\"L\":\"0.09\",\"n\":\"0\",\"N\":null,\"t\":7,\"m\":true",
        "\"l\":\"0.25\",\"z\":\"abc\",\"L\":\"0.09\",\"n\":\"0\",\"N\":null,\"t\":7,\"m\":true",
        "\"l\":\"0.25\",\"z\":1e2,\"L\":\"0.09\",\"n\":\"0\",\"N\":null,\"t\":7,\"m\":true",
        "\"l\":\"0.25\",\"z\":\"0.75\",\"L\":\"0.09\",\"n\":\"0\",\"N\":null,\"t\":-1,\"m\":true",
        "\"l\":\"0.25\",\"z\":\"0.75\",\"L\":\"0.09\",\"n\":\"0\",\"N\":null,\"t\":18446744073709551616,\"m\":true",
        "\"l\":\"0.25\",\"z\":\"0.20\",\"L\":\"0.09\",\"n\":\"0\",\"N\":null,\"t\":7,\"m\":true",
        "\"l\":\"0.25\",\"z\":\"0.75\",\"L\":\"0\",\"n\":\"0\",\"N\":null,\"t\":7,\"m\":true",
        "\"l\":\"0.25\",\"z\":\"0.75\",\"L\":\"0.09\",\"n\":\"0\",\"N\":null,\"t\":7,\"m\":1",
        "\"l\":\"0.25\",\"L\":\"0.09\",\"n\":\"0\",\"N\":null,\"t\":7,\"m\":true",
        "\"l\":\"0.25\",\"z\":\"0.75\",\"l\":\"0.09\",\"n\":\"0\",\"N\":null,\"t\":7,\"m\":true",
    };

    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        char text[2048];
        (void)snprintf(text, sizeof(text), EVENT(ORDER_ID, "", "TRADE", "FILLED", "%s"), row[i]);
        decode_text(f, text, DECODE_OK);
        CHECK_EQ(f->count, 1);
        CHECK_EQ(f->got[0].kind, VENUE_UNKNOWN);
        CHECK_STR(f->got[0].clordid, ORDER_ID);
        CHECK_EQ(f->got[0].venue_order_id, 4293153);
    }
    decode_text(f,
                "{\"subscriptionId\":0,\"event\":{\"e\":\"executionReport\",\"s\":\"XRPUSDT\",\"c\":\"" ORDER_ID
                "\",\"C\":\"\",\"x\":\"NEW\",\"X\":\"NEW\",\"i\":1}}",
                DECODE_UNKNOWN_SYMBOL);
    CHECK_EQ(f->count, 1);
    CHECK_EQ(f->got[0].kind, VENUE_UNKNOWN);
    CHECK_EQ(f->got[0].instrument, INSTRUMENT_NONE);
    CHECK_STR(f->got[0].clordid, ORDER_ID);
    decode_text(f, "{\"subscriptionId\":0,\"event\":{\"e\":\"executionReport\",\"c\":\"" ORDER_ID "\"}}", DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_UNKNOWN);
    decode_text(f, "{\"subscriptionId\":0,\"event\":{\"e\":7}}", DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_UNKNOWN);
    decode_text(f, "{\"subscriptionId\":0,\"event\":\"text\"}", DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_UNKNOWN);
    decode_text(f, "<html>502 Bad Gateway</html>", DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_UNKNOWN);
    CHECK_STR(f->got[0].clordid, "");
    decode_text(f, "", DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_UNKNOWN);
    decode_text(f, "{\"id\":12345,\"status\":200,\"result\":null}", DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_UNKNOWN);
}

TEST(other_events_are_balances_ends_of_the_stream_or_nothing)
{
    struct fixture *f = fixture_hmac();

    decode_text(f,
                "{\"subscriptionId\":0,\"event\":{\"e\":\"outboundAccountPosition\",\"E\":1564034571105,"
                "\"u\":1564034571073,\"B\":[{\"a\":\"ETH\",\"f\":\"10000.00000000\",\"l\":\"0.50000000\"},"
                "{\"a\":\"SHIB\",\"f\":\"99999999999999.0\",\"l\":\"0\"},{\"a\":\"USDT\",\"f\":\"1\",\"l\":\"2\"}]}}",
                DECODE_OK);
    CHECK_EQ(f->count, 3);
    CHECK_EQ(f->got[0].kind, VENUE_BALANCE);
    CHECK_STR(f->got[0].fee_ccy, "ETH");
    CHECK_EQ(f->got[0].last_qty, INT64_C(1000000000000));
    CHECK_EQ(f->got[0].qty, 50000000);
    CHECK(f->got[1].code == 1 && f->got[1].last_qty == INT64_MAX);
    CHECK_STR(f->got[2].fee_ccy, "USDT");
    decode_text(f, "{\"subscriptionId\":0,\"event\":{\"e\":\"outboundAccountPosition\",\"B\":7}}", DECODE_MALFORMED);
    CHECK_EQ(f->count, 0);
    decode_text(f, "{\"subscriptionId\":0,\"event\":{\"e\":\"eventStreamTerminated\",\"E\":1728973001334}}", DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_STREAM_DOWN);
    decode_text(f, "{\"event\":{\"e\":\"serverShutdown\",\"E\":1728973001334}}", DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_STREAM_DOWN);
    CHECK_STR(f->got[0].text, "serverShutdown");
    static const char *const nothing[] = {
        "{\"subscriptionId\":0,\"event\":{\"e\":\"balanceUpdate\",\"E\":1,\"a\":\"BTC\",\"d\":\"1\",\"T\":1}}",
        "{\"subscriptionId\":0,\"event\":{\"e\":\"listStatus\",\"E\":1,\"s\":\"ETHBTC\"}}",
        "{\"subscriptionId\":0,\"event\":{\"e\":\"externalLockUpdate\",\"E\":1}}",
        "{\"subscriptionId\":0,\"event\":{\"e\":\"ofTomorrow\",\"new\":{\"deep\":[1,2,{\"x\":null}]}}}",
        "{\"hello\":\"world\"}",
        "{}",
    };
    for (size_t i = 0; i < ARRAY_LEN(nothing); i++) {
        decode_text(f, nothing[i], DECODE_IGNORED);
        CHECK_EQ(f->count, 0);
    }
}

TEST(fields_of_tomorrow_are_ignored_wherever_they_stand)
{
    struct fixture *f = fixture_hmac();

    decode_text(f,
                "{\"new\":{\"a\":[1,{\"b\":\"}\"}]},\"result\":{\"later\":[[]],\"symbol\":\"BTCUSDT\",\"orderId\":3,"
                "\"clientOrderId\":\"AB\",\"x\":null},\"status\":200,\"id\":\"NAB\"}",
                DECODE_OK);
    CHECK_EQ(f->count, 1);
    CHECK_EQ(f->got[0].kind, VENUE_NEW_ACK);
    CHECK_EQ(f->got[0].venue_order_id, 3);
}

TEST_RECORDED(documented_samples_of_the_private_stream_are_understood)
{
    struct fixture *f = fixture_hmac();
    const char *shared = getenv("EXECGW_SHARED");
    char path[512];
    static char text[65536];

    (void)snprintf(path, sizeof(path), "%s/data/binance/fixtures_jkorf/Subscriptions__Spot__Account__Order.txt",
                   shared != NULL ? shared : "../../shared");
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        SKIP("no recorded data: no %s\n", path);
    size_t n = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    text[n] = '\0';
    char *event = strstr(text, "\n= ");
    CHECK(event != NULL);
    f->count = f->budgets = 0;
    event += 3;
    CHECK_EQ(venue_binance.decode(f->a, (const uint8_t *)event, strlen(event), f->now, &f->sink), DECODE_OK);
    CHECK_EQ(f->count, 1);
    CHECK_EQ(f->got[0].kind, VENUE_NEW_ACK);
    CHECK_EQ(f->got[0].instrument, 1);
    CHECK_STR(f->got[0].clordid, "mUvoqJxFIILMdfAW5iG");
    CHECK_EQ(f->got[0].px, 10264410);
    CHECK_EQ(f->got[0].qty, 100000000);
    CHECK_EQ(f->got[0].venue_order_id, 4293153);
}

TEST_MAIN()
