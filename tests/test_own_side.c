/* Our own best resting price: against a plain list of orders, over many random sequences. */
#include "risk/own_side.h"
#include "tests/test.h"

#define ORDERS 200

static bool
better(enum side side, px_t a, px_t b)
{
    return side == SIDE_BUY ? a > b : a < b;
}

TEST(best_is_the_best_price_as_long_as_all_levels_fit)
{
    struct own_side s = { 0 };
    CHECK_EQ(own_side_best(&s), 0);
    own_side_add(&s, SIDE_BUY, 100);
    own_side_add(&s, SIDE_BUY, 100);
    own_side_add(&s, SIDE_BUY, 101);
    own_side_add(&s, SIDE_BUY, 99);
    CHECK_EQ(own_side_best(&s), 101);
    own_side_remove(&s, SIDE_BUY, 101);
    CHECK_EQ(own_side_best(&s), 100);
    own_side_remove(&s, SIDE_BUY, 100);
    CHECK_EQ(own_side_best(&s), 100); /* the other one is still there */
    own_side_remove(&s, SIDE_BUY, 100);
    own_side_remove(&s, SIDE_BUY, 99);
    CHECK_EQ(own_side_best(&s), 0);
}

TEST(best_is_never_worse_than_the_true_best_however_many_levels_there_are)
{
    uint64_t rng = 424242424242u;
    for (int round = 0; round < 400; round++) {
        struct own_side s = { 0 };
        px_t live[ORDERS];
        unsigned count = 0;
        enum side side = round % 2 == 0 ? SIDE_BUY : SIDE_SELL;
        uint64_t spread = round % 4 < 2 ? 10 : 200; /* all levels fit, or far from it */
        for (int step = 0; step < 2000; step++) {
            rng ^= rng << 13;
            rng ^= rng >> 7;
            rng ^= rng << 17;
            if (count < ORDERS && (rng & 3) != 0 && (count == 0 || step < 1500)) {
                live[count] = (px_t)(1000 + rng / 8 % spread);
                own_side_add(&s, side, live[count++]);
            } else if (count > 0) {
                unsigned i = (unsigned)(rng / 8 % count);
                own_side_remove(&s, side, live[i]);
                live[i] = live[--count];
            }
            px_t best = 0;
            for (unsigned i = 0; i < count; i++)
                if (best == 0 || better(side, live[i], best))
                    best = live[i];
            px_t got = own_side_best(&s);
            CHECK((got == 0) == (best == 0));
            CHECK(got == best || better(side, got, best));
            CHECK(spread > OWN_LEVELS || got == best);
        }
        while (count > 0)
            own_side_remove(&s, side, live[--count]);
        CHECK_EQ(own_side_best(&s), 0);
        CHECK_EQ(s.levels, 0);
        CHECK_EQ(s.beyond, 0);
    }
}

TEST(prices_in_other_decimals_are_taken_away_in_those)
{
    struct own_side s = { 0 };

    for (px_t px = 1; px <= OWN_LEVELS + 2; px++)
        own_side_add(&s, SIDE_SELL, px);
    own_side_reprice(&s, 2, 4);
    CHECK_EQ(own_side_best(&s), 100);
    for (px_t px = 1; px <= OWN_LEVELS + 2; px++)
        own_side_remove(&s, SIDE_SELL, px * 100);
    CHECK_EQ(own_side_best(&s), 0);
}

TEST_MAIN()
