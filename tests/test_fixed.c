/* Decimal text <-> integers, and notional with its rounding, at every edge. */
#include "execgw/fixed.h"
#include "test.h"

#include <inttypes.h>

static enum decode_result
parse(const char *s, unsigned decimals, int64_t *out)
{
    return decimal_parse(s, strlen(s), decimals, out);
}

TEST(decimal_text_becomes_the_exact_integer_or_is_refused)
{
    int64_t v = 7;

    CHECK_EQ(parse("62803.80000000", 2, &v), DECODE_OK);
    CHECK_EQ(v, 6280380);
    CHECK_EQ(parse("0.29", 2, &v), DECODE_OK);
    CHECK_EQ(v, 29);
    CHECK_EQ(parse("-0.00000001", 8, &v), DECODE_OK);
    CHECK_EQ(v, -1);
    CHECK_EQ(parse("5", 8, &v), DECODE_OK);
    CHECK_EQ(v, 500000000);
    v = 7;
    CHECK_EQ(parse("0.291", 2, &v), DECODE_PRECISION);
    CHECK_EQ(parse("1e5", 2, &v), DECODE_MALFORMED);
    CHECK_EQ(parse("", 2, &v), DECODE_MALFORMED);
    CHECK_EQ(parse("-", 2, &v), DECODE_MALFORMED);
    CHECK_EQ(parse(".5", 2, &v), DECODE_MALFORMED);
    CHECK_EQ(parse("5.", 2, &v), DECODE_MALFORMED);
    CHECK_EQ(parse("5.0x", 2, &v), DECODE_MALFORMED);
    CHECK_EQ(parse("+5", 2, &v), DECODE_MALFORMED);
    CHECK_EQ(v, 7);
}

TEST(the_largest_integer_passes_and_one_more_is_out_of_range)
{
    int64_t v = 0;

    CHECK_EQ(parse("9223372036854775807", 0, &v), DECODE_OK);
    CHECK_EQ(v, INT64_MAX);
    CHECK_EQ(parse("9223372036854775808", 0, &v), DECODE_RANGE);
    CHECK_EQ(parse("92233720368.54775807", 8, &v), DECODE_OK);
    CHECK_EQ(v, INT64_MAX);
    CHECK_EQ(parse("92233720368.54775808", 8, &v), DECODE_RANGE);
    CHECK_EQ(parse("99999999999999999999999", 0, &v), DECODE_RANGE);
}

TEST(every_formatted_integer_parses_back_to_itself)
{
    static const int64_t values[] = { 0, 1, -1, 9, 10, 99, 100, -12345678, INT64_MAX, -INT64_MAX };
    char text[DECIMAL_TEXT];

    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        for (unsigned d = 0; d <= DECIMALS_MAX; d++) {
            int64_t back = 0;
            size_t n = decimal_format(text, values[i], d);
            CHECK_EQ(n, strlen(text));
            CHECK_EQ(decimal_parse(text, n, d, &back), DECODE_OK);
            CHECK(back == values[i]);
        }
    }
    decimal_format(text, INT64_MIN, 18);
    CHECK_STR(text, "-9.223372036854775808");
}

/* Digits by printf, the point put in by hand. */
static void
expect_formatted(int64_t v, unsigned decimals)
{
    char digits[48];
    char expected[64];
    char text[DECIMAL_TEXT];
    int n = snprintf(digits, sizeof(digits), "%0*" PRIu64, (int)decimals + 1, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);

    (void)snprintf(expected, sizeof(expected), "%s%.*s%s%s", v < 0 ? "-" : "", n - (int)decimals, digits,
                   decimals != 0 ? "." : "", digits + n - decimals);
    CHECK_EQ(decimal_format(text, v, decimals), strlen(expected));
    CHECK_STR(text, expected);
}

TEST(numbers_of_every_length_are_formatted_as_printf_does)
{
    uint64_t random = 1;

    for (unsigned d = 0; d <= DECIMALS_MAX; d++) {
        for (unsigned length = 0; length <= DECIMALS_MAX; length++) {
            for (int64_t off = -2; off <= 2; off++) {
                expect_formatted(pow10_i64[length] + off, d);
                expect_formatted(-pow10_i64[length] + off, d);
            }
            for (unsigned i = 0; i < 200; i++) {
                random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
                expect_formatted((int64_t)(random >> 1) % pow10_i64[length], d);
            }
        }
    }
}

TEST(a_price_with_more_digits_is_rounded_the_way_that_is_asked_and_never_to_zero)
{
    static const struct {
        const char *text;
        int64_t down, up; /* 0: refused */
    } row[] = {
        { "1000.39", 100039, 100039 },
        { "1000.391", 100039, 100040 },
        { "1000.399999999999999999999", 100039, 100040 },
        { "1000.3900000", 100039, 100039 },
        { "1000", 100000, 100000 },
        { "0.001", 1, 1 },
        { "0.009", 1, 1 },
        { "0.011", 1, 2 },
        { "92233720368547758.07", INT64_MAX, INT64_MAX },
        { "92233720368547758.071", INT64_MAX, 0 },
        { "92233720368547758.08", 0, 0 },
        { "0", 0, 0 },
        { "0.000", 0, 0 },
        { "-1.234", 0, 0 },
        { "-0.001", 0, 0 },
        { "1.234x", 0, 0 },
        { "1.2.34", 0, 0 },
        { "1.23.4", 0, 0 },
        { "1.", 0, 0 },
        { "", 0, 0 },
        { ".511", 0, 0 },
        { "1e5", 0, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        int64_t down = 0;
        int64_t up = 0;
        CHECK_EQ(decimal_parse_rounded(row[i].text, strlen(row[i].text), 2, false, &down) == DECODE_OK,
                 row[i].down != 0);
        CHECK_EQ(decimal_parse_rounded(row[i].text, strlen(row[i].text), 2, true, &up) == DECODE_OK, row[i].up != 0);
        CHECK_EQ(down, row[i].down);
        CHECK_EQ(up, row[i].up);
    }
    int64_t v = 0;
    CHECK(decimal_parse_rounded("7.9", 3, 0, true, &v) == DECODE_OK && v == 8);
    CHECK(decimal_parse_rounded("7.", 2, 0, true, &v) == DECODE_MALFORMED && v == 8);
}

TEST(a_count_is_told_in_other_decimals_with_what_is_past_them_cut_and_saturates)
{
    CHECK_EQ(decimal_rescale(12345, 2, 2), 12345);
    CHECK_EQ(decimal_rescale(12345, 2, 4), 1234500);
    CHECK_EQ(decimal_rescale(12345, 2, 0), 123);
    CHECK_EQ(decimal_rescale(-12345, 2, 1), -1234);
    CHECK_EQ(decimal_rescale(INT64_MAX / 10, 0, 1), INT64_MAX / 10 * 10);
    CHECK_EQ(decimal_rescale(INT64_MAX / 10 + 1, 0, 1), INT64_MAX);
    CHECK_EQ(decimal_rescale(INT64_MAX, 0, DECIMALS_MAX), INT64_MAX);
    CHECK_EQ(decimal_rescale(INT64_MAX, DECIMALS_MAX, 0), 9);
    wide_t most = (wide_t)(~(unsigned __int128)0 >> 1);
    CHECK(wide_rescale(most / 10, 0, 1, -7) == most / 10 * 10);
    CHECK(wide_rescale(most / 10 + 1, 0, 1, -7) == -7);
}

TEST(what_there_is_at_least_of_an_amount_is_never_more_than_there_is)
{
    static const struct {
        const char *text;
        int64_t least;
        bool whole;
    } row[] = {
        { "1.5", 150000000, true },
        { "0.123456789", 12345678, true }, /* cut */
        { "0", 0, true },
        { "-0.0", 0, true },
        { "92233720368.54775807", INT64_MAX, true },
        { "92233720368.54775808", INT64_MAX, false },
        { "99999999999999999999999.1", INT64_MAX, false },
        { "-99999999999999999999999", 0, false },
        { "-1", 0, false },
        { "99999999999999999999999x", 0, false },
        { "1e5", 0, false },
        { "", 0, false },
        { ".5", 0, false },
    };

    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        bool whole = !row[i].whole;
        CHECK_EQ(decimal_at_least(row[i].text, strlen(row[i].text), 8, &whole), row[i].least);
        CHECK_EQ(whole, row[i].whole);
    }
    bool whole;
    CHECK(decimal_at_least("7.9", 3, 0, &whole) == 7 && whole);
}

TEST(a_price_is_shown_with_the_digits_of_its_tick_and_more_when_it_has_more)
{
    char text[DECIMAL_TEXT];

    CHECK_EQ(decimal_format_step(text, 6000030000000, 8, 1000000), strlen("60000.30"));
    CHECK_STR(text, "60000.30");
    (void)decimal_format_step(text, 6000030100000, 8, 1000000);
    CHECK_STR(text, "60000.301");
    (void)decimal_format_step(text, -100000000, 8, 100000000);
    CHECK_STR(text, "-1");
    (void)decimal_format_step(text, 0, 8, 100000);
    CHECK_STR(text, "0.000");
    (void)decimal_format_step(text, 7, 0, 1);
    CHECK_STR(text, "7");
}

TEST(notional_rounds_up_and_saturates)
{
    CHECK_EQ(notional_ceil(6280380, 1, 2, 5, VALUE_ONE), 62803800);     /* 62803.80 * 0.00001 */
    CHECK_EQ(notional_ceil(1, 1, 8, 8, VALUE_ONE), 1);                  /* 10^-16, rounded up to 10^-8 */
    CHECK_EQ(notional_ceil(100000000, 1, 8, 8, VALUE_ONE), 1);          /* exactly 10^-8 */
    CHECK_EQ(notional_ceil(100000001, 1, 8, 8, VALUE_ONE), 2);          /* one step beyond */
    CHECK_EQ(notional_ceil(-100, 3, 0, 0, VALUE_ONE), 300 * VALUE_ONE); /* sizes, not signs */
    CHECK_EQ(notional_ceil(100, 3, 0, 0, 2 * VALUE_ONE), 600 * VALUE_ONE);
    CHECK(notional_ceil(INT64_MAX, INT64_MAX, 0, 0, VALUE_ONE) == INT64_MAX);
    CHECK_EQ(notional_ceil(INT64_MAX, INT64_MAX, 18, 18, VALUE_ONE), INT64_C(8507059174)); /* 9.22... ^ 2 */
    CHECK(notional_ceil(INT64_MAX, 1, 0, 0, INT64_MAX) == INT64_MAX);
}

TEST_MAIN()
