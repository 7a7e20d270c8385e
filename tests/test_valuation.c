/* Valuation: exact where it can be, else rounded up; never a division on the way. */
#include "risk/valuation.h"
#include "tests/test.h"

static const int64_t one_to_one = INT64_C(1000000000000);

TEST(a_valuation_is_never_below_the_exact_value_and_hardly_above)
{
    uint64_t rng = 123456789123456789u;
    for (int i = 0; i < 200000; i++) {
        rng ^= rng << 13;
        rng ^= rng >> 7;
        rng ^= rng << 17;
        struct contract c = { .multiplier = VALUE_ONE,
                              .px_decimals = (uint8_t)(rng % 9),
                              .qty_decimals = (uint8_t)(rng / 16 % 9) };
        px_t px = (px_t)(rng >> 20 & 0xffffff) + 1;
        qty_t qty = (qty_t)(rng >> 44) + 1;
        struct valuation v = { 0 };
        valuation_set(&v, &c, px, one_to_one);
        CHECK(v.unit > 0 && v.unit < UINT64_C(1) << 62 && v.shift <= 62);
        value_t exact = MIN(notional_ceil(px, qty, c.px_decimals, c.qty_decimals, c.multiplier), RISK_QTY_MAX);
        value_t got = valuation_of(&v, qty);
        CHECK(got >= exact);
        CHECK(got - exact <= 1 + exact / (INT64_C(1) << 40));
    }
}

TEST(rates_and_multipliers_scale_a_valuation)
{
    struct contract c = { .multiplier = VALUE_ONE / 1000, .px_decimals = 1, .kind = INSTRUMENT_LINEAR };
    struct valuation v = { 0 };
    valuation_set(&v, &c, 1000000, one_to_one * 3 / 2); /* 0.001 * 100,000 * 1.5 */
    CHECK_EQ(valuation_of(&v, 2), 300 * VALUE_ONE);
    CHECK_EQ(valuation_signed(&v, -2), -300 * VALUE_ONE);
    CHECK_EQ(valuation_of(&v, 0), 0);
}

TEST(an_inverse_contract_is_worth_its_face_whatever_the_price)
{
    struct contract c = { .multiplier = 100 * VALUE_ONE, .px_decimals = 1, .kind = INSTRUMENT_INVERSE };
    for (px_t px = 100000; px <= 900000; px += 100000) {
        struct valuation v = { 0 };
        valuation_set(&v, &c, px, one_to_one * px / 10); /* a coin is worth px */
        CHECK(valuation_of(&v, 7) >= 700 * VALUE_ONE);
        CHECK(valuation_of(&v, 7) <= 700 * VALUE_ONE + 2);
    }
}

TEST(what_is_worth_more_than_any_limit_saturates)
{
    struct contract c = { .multiplier = INT64_MAX, .kind = INSTRUMENT_LINEAR };
    struct valuation v = { 0 };
    valuation_set(&v, &c, INT64_MAX, INT64_MAX);
    CHECK_EQ(valuation_of(&v, 1), RISK_QTY_MAX);
    CHECK_EQ(valuation_of(&v, INT64_MAX), RISK_QTY_MAX);
    CHECK_EQ(valuation_signed(&v, INT64_MIN), -RISK_QTY_MAX);
    c = (struct contract){ .multiplier = 1, .px_decimals = 9, .qty_decimals = 9 };
    valuation_set(&v, &c, 1, 1);
    CHECK_EQ(valuation_of(&v, 1), 1); /* next to nothing is one, not none */
}

TEST(conversion_rounds_towards_less)
{
    CHECK_EQ(rate_convert_floor(10, one_to_one / 3), 3);
    CHECK_EQ(rate_convert_floor(-10, one_to_one / 3), -4);
    CHECK_EQ(rate_convert_floor(INT64_MAX, INT64_MAX), RISK_QTY_MAX);
    CHECK_EQ(rate_convert_floor(-INT64_MAX, INT64_MAX), -RISK_QTY_MAX);
}

TEST_MAIN()
