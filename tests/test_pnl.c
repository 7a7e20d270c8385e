/* Results from fills: average cost, realised and unrealised, base fees, inverse contracts, positions from evidence. */
#include "risk/pnl.h"
#include "tests/test.h"

static const struct contract spot = { .multiplier = VALUE_ONE, .px_decimals = 2, .qty_decimals = 3 };
static const struct contract linear = {
    .multiplier = VALUE_ONE / 1000, .px_decimals = 1, .qty_decimals = 0, .kind = INSTRUMENT_LINEAR
};
/* One contract is 100 USD of BTC, as in BTCUSD perpetuals. */
static const struct contract inverse = {
    .multiplier = 100 * VALUE_ONE, .px_decimals = 1, .qty_decimals = 0, .kind = INSTRUMENT_INVERSE
};

TEST(a_round_trip_realises_the_difference_of_its_prices)
{
    struct pnl p = { 0 };
    pnl_fill(&p, &spot, SIDE_BUY, 10000, 2000);  /* 2 at 100 */
    pnl_fill(&p, &spot, SIDE_SELL, 11000, 1000); /* 1 at 110 */
    CHECK_EQ(pnl_average_px(&p, &spot), 10000);
    CHECK_EQ(pnl_unrealised(&p, &spot, 10500), 5 * VALUE_ONE);
    CHECK_EQ(pnl_total(&p, &spot, 10500), 15 * VALUE_ONE);
    pnl_fill(&p, &spot, SIDE_SELL, 9000, 1000);
    CHECK_EQ(p.held, 0);
    CHECK(p.cost == 0);
    CHECK_EQ(pnl_total(&p, &spot, 0), 0);
    CHECK_EQ(pnl_average_px(&p, &spot), 0);
}

TEST(average_cost_takes_each_purchase_by_its_quantity)
{
    struct pnl p = { 0 };
    pnl_fill(&p, &spot, SIDE_BUY, 10000, 1000);
    pnl_fill(&p, &spot, SIDE_BUY, 10300, 2000);
    CHECK_EQ(pnl_average_px(&p, &spot), 10200);
    pnl_fill(&p, &spot, SIDE_SELL, 10000, 500); /* selling does not move it */
    CHECK_EQ(pnl_average_px(&p, &spot), 10200);
    pnl_fill(&p, &spot, SIDE_BUY, 10001, 1); /* not exact: a long's average is rounded up */
    CHECK_EQ(pnl_average_px(&p, &spot), 10200);
}

TEST(a_flip_begins_anew_at_its_price)
{
    struct pnl p = { 0 };
    pnl_fill(&p, &spot, SIDE_BUY, 10000, 1000);
    pnl_fill(&p, &spot, SIDE_SELL, 11000, 3000);
    CHECK_EQ(p.held, -2000);
    CHECK_EQ(pnl_average_px(&p, &spot), 11000);
    CHECK_EQ(pnl_unrealised(&p, &spot, 12000), -20 * VALUE_ONE);
    CHECK_EQ(pnl_total(&p, &spot, 12000), -10 * VALUE_ONE);
}

TEST(a_fee_in_the_base_asset_takes_inventory_and_leaves_its_cost)
{
    struct pnl p = { 0 };
    pnl_fill(&p, &spot, SIDE_BUY, 10000, 1000);
    pnl_held(&p, 999);
    CHECK_EQ(pnl_total(&p, &spot, 10000), -VALUE_ONE / 10); /* the fee, at the mark */
    CHECK_EQ(pnl_average_px(&p, &spot), 10011);             /* 100 / 0.999, rounded up */
    pnl_fill(&p, &spot, SIDE_SELL, 10000, 999);
    CHECK_EQ(pnl_total(&p, &spot, 0), -VALUE_ONE / 10);
    CHECK(p.cost == 0);
}

TEST(a_multiplier_scales_results)
{
    struct pnl p = { 0 };
    pnl_fill(&p, &linear, SIDE_BUY, 1000000, 50); /* 50 contracts of 0.001 at 100,000.0 */
    CHECK_EQ(pnl_unrealised(&p, &linear, 1010000), 50 * VALUE_ONE);
    CHECK_EQ(pnl_total(&p, &linear, 990000), -50 * VALUE_ONE);
}

TEST(an_inverse_contract_pays_in_its_base)
{
    struct pnl p = { 0 };
    /* 100 contracts of 100 USD from 10,000 to 12,500: 10000 * (1/10000 - 1/12500) = 0.2 BTC. */
    pnl_fill(&p, &inverse, SIDE_BUY, 100000, 100);
    CHECK_EQ(pnl_average_px(&p, &inverse), 100000);
    CHECK_EQ(pnl_unrealised(&p, &inverse, 125000), VALUE_ONE / 5);
    pnl_fill(&p, &inverse, SIDE_SELL, 125000, 100);
    CHECK_EQ(pnl_total(&p, &inverse, 0), VALUE_ONE / 5);
    /* A short loses as it rises: 10000 * (1/8000 - 1/10000) = 0.25 from 8,000 down from 10,000. */
    struct pnl s = { 0 };
    pnl_fill(&s, &inverse, SIDE_SELL, 100000, 100);
    CHECK_EQ(pnl_unrealised(&s, &inverse, 80000), VALUE_ONE / 4);
    CHECK(pnl_unrealised(&s, &inverse, 125000) <= -VALUE_ONE / 5);
    CHECK(pnl_unrealised(&s, &inverse, 125000) >= -VALUE_ONE / 5 - 1); /* rounded against us */
}

TEST(what_the_venue_says_is_held_counts_from_the_next_mark_on)
{
    struct pnl p = { 0 };
    pnl_fill(&p, &spot, SIDE_BUY, 10000, 1000);
    pnl_seed(&p, 3000);
    pnl_basis(&p, &spot, 11000); /* two more, at the mark */
    CHECK_EQ(p.held, 3000);
    CHECK_EQ(pnl_total(&p, &spot, 11000), 10 * VALUE_ONE);
    CHECK_EQ(pnl_total(&p, &spot, 12000), 40 * VALUE_ONE);
    pnl_seed(&p, 0);
    pnl_basis(&p, &spot, 12000);
    CHECK_EQ(pnl_total(&p, &spot, 9000), 40 * VALUE_ONE); /* what is gone moves no more */
}

TEST(other_decimals_of_price_change_no_result)
{
    struct pnl p = { 0 };
    struct contract finer = spot;
    finer.px_decimals = 4;
    pnl_fill(&p, &spot, SIDE_BUY, 10000, 1000);
    pnl_fill(&p, &spot, SIDE_SELL, 10500, 400);
    pnl_reprice(&p, &spot, 2, 4);
    CHECK_EQ(pnl_total(&p, &finer, 1100000), pnl_total(&p, &finer, 1100000));
    CHECK_EQ(pnl_average_px(&p, &finer), 1000000);
    CHECK_EQ(pnl_total(&p, &finer, 1100000), 8 * VALUE_ONE);
    pnl_reprice(&p, &finer, 4, 2);
    CHECK_EQ(pnl_total(&p, &spot, 11000), 8 * VALUE_ONE);
}

TEST(realised_and_unrealised_add_up_and_the_order_of_fills_does_not_matter_for_the_total)
{
    uint64_t rng = 88172645463325252u;
    for (int round = 0; round < 2000; round++) {
        const struct contract *c = round % 2 == 0 ? &spot : &linear;
        struct pnl forward = { 0 };
        struct pnl backward = { 0 };
        struct {
            enum side side;
            px_t px;
            qty_t qty;
        } fill[24];
        for (unsigned i = 0; i < ARRAY_LEN(fill); i++) {
            rng ^= rng << 13;
            rng ^= rng >> 7;
            rng ^= rng << 17;
            fill[i].side = rng & 1 ? SIDE_BUY : SIDE_SELL;
            fill[i].px = (px_t)(rng >> 8 & 0xffff) + 1;
            fill[i].qty = (qty_t)(rng >> 32 & 0xfff) + 1;
        }
        for (unsigned i = 0; i < ARRAY_LEN(fill); i++) {
            unsigned k = (unsigned)ARRAY_LEN(fill) - 1 - i;
            pnl_fill(&forward, c, fill[i].side, fill[i].px, fill[i].qty);
            pnl_fill(&backward, c, fill[k].side, fill[k].px, fill[k].qty);
            CHECK(forward.cost >= 0);
            CHECK(forward.held != 0 || forward.cost == 0);
        }
        CHECK_EQ(pnl_total(&forward, c, 5000), pnl_total(&backward, c, 5000));
        CHECK_EQ(forward.held, backward.held);
    }
}

TEST(absurd_numbers_saturate)
{
    struct pnl p = { 0 };
    for (int i = 0; i < 40; i++)
        pnl_fill(&p, &spot, SIDE_BUY, INT64_MAX, INT64_C(1) << 61);
    CHECK_EQ(pnl_total(&p, &spot, 1), -RISK_QTY_MAX);
    for (int i = 0; i < 40; i++)
        pnl_fill(&p, &inverse, SIDE_SELL, 1, INT64_C(1) << 61);
    (void)pnl_total(&p, &inverse, 1);
    (void)pnl_average_px(&p, &inverse);
}

TEST_MAIN()
