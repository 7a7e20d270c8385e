/* Kraken's ways to write things, as the emulated venue has them: ids, times, numbers. */
#include "tests/test.h"

#include "bench/venue/kraken.h"

TEST(an_order_id_can_be_read_back_and_a_changed_one_cannot)
{
    for (int64_t id = 1; id < 5000; id += 7) {
        char txid[KRAKEN_TXID_BYTES];
        int symbol = -1;
        int64_t back = 0;
        kraken_order_txid(txid, (int)(id % 8), id * 1000003);
        CHECK_EQ(strlen(txid), KRAKEN_TXID_BYTES - 1);
        CHECK_EQ(txid[0], 'O');
        CHECK_EQ(kraken_order_from_txid(txid, &symbol, &back), true);
        CHECK_EQ(symbol, id % 8);
        CHECK_EQ(back, id * 1000003);
        txid[3] = txid[3] == 'A' ? 'B' : 'A';
        CHECK_EQ(kraken_order_from_txid(txid, &symbol, &back), false);
    }
}

TEST(what_is_no_order_id_is_refused)
{
    static const char *const wrong[] = { "",
                                         "O",
                                         "OAAAAA-AAAAA-AAAAAA",
                                         "TAAAAA-AAAAA-AAAAAA",
                                         "oaaaaa-aaaaa-aaaaaa",
                                         "OAAAAA-AAAAA-AAAAAAA",
                                         "OAAAAA_AAAAA_AAAAAA",
                                         "OAAA1A-AAAAA-AAAAAA" };
    int symbol;
    int64_t id;

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        if (kraken_order_from_txid(wrong[i], &symbol, &id))
            CHECK_EQ(id, 0); /* a right check by chance is of no order */
}

TEST(both_sides_of_a_trade_have_ids_of_their_own)
{
    struct emu_trade t = { .id = 77, .symbol = 1, .is_buyer = true };
    char buyer[KRAKEN_TXID_BYTES];
    char seller[KRAKEN_TXID_BYTES];

    kraken_trade_txid(buyer, &t);
    t.is_buyer = false;
    kraken_trade_txid(seller, &t);
    CHECK_EQ(strcmp(buyer, seller) != 0, true);
    CHECK_EQ(buyer[0], 'T');
}

TEST(times_go_there_and_back_to_the_microsecond)
{
    char text[KRAKEN_TIME_BYTES];
    int64_t us = 0;

    kraken_time(text, INT64_C(1795174073123456));
    CHECK_STR(text, "2026-11-20T11:27:53.123456Z");
    CHECK_EQ(kraken_time_parse(text, &us), true);
    CHECK_EQ(us, INT64_C(1795174073123456));
    CHECK_EQ(kraken_time_parse("2026-11-20T13:27:53.5+02:00", &us), true);
    CHECK_EQ(us, INT64_C(1795174073500000));
    CHECK_EQ(kraken_time_parse("2026-11-20T11:27:53", &us), false);
    CHECK_EQ(kraken_time_parse("yesterday", &us), false);
}

static int64_t
number(const char *json)
{
    char text[96];
    int64_t v = -1;

    int n = snprintf(text, sizeof(text), "{\"x\":%s}", json);
    json_t *o = kraken_json(text, (size_t)n);
    if (o == NULL)
        return -3;
    bool ok = kraken_number(o, "x", &v);
    json_decref(o);
    return ok ? v : -2;
}

TEST(numbers_of_json_are_exact_with_exponents_too)
{
    CHECK_EQ(number("1"), 100000000);
    CHECK_EQ(number("0.00000001"), 1);
    CHECK_EQ(number("1e-08"), 1);
    CHECK_EQ(number("1.5e-05"), 1500);
    CHECK_EQ(number("12.5E+2"), INT64_C(125000000000));
    CHECK_EQ(number("0.1e1"), 100000000);
    CHECK_EQ(number("90071992547.40993"), INT64_C(9007199254740993000)); /* above 2^53 as a count */
    CHECK_EQ(number("\"0.25\""), 25000000);
    CHECK_EQ(number("0.100000000000"), 10000000); /* zeros at the end say nothing */
    CHECK_EQ(number("0.000000001"), -2);
    CHECK_EQ(number("1e-09"), -2);
    CHECK_EQ(number("1e300"), -2);
    CHECK_EQ(number("\"x\""), -2);
    CHECK_EQ(number("null"), -1); /* absent */
}

TEST(text_in_json_is_left_as_it_is)
{
    static const char text[] = "{\"a\":\"1 \\\" 2\",\"b\":[1,-2.5],\"c\":true}";
    json_t *o = kraken_json(text, sizeof(text) - 1);

    CHECK_EQ(o != NULL, true);
    CHECK_STR(kraken_text(o, "a"), "1 \" 2");
    CHECK_STR(json_string_value(json_array_get(json_object_get(o, "b"), 1)), "#-2.5");
    CHECK_EQ(kraken_true(o, "c", false), true);
    json_decref(o);
    CHECK_EQ(kraken_json("{\"a\":1", 6) == NULL, true);
    CHECK_EQ(kraken_json("", 0) == NULL, true);
}

TEST_MAIN()
