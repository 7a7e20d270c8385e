/* book: levels, edges, room, and random updates against the obvious book. */
#include "feed/book.h"
#include "tests/naive_book.h"
#include "tests/test.h"

#define LEVELS 64

struct fixture {
    _Alignas(64) uint8_t memory[2 * LEVELS * sizeof(struct level)];
    struct book b;
};

static struct fixture fx;

static struct book *
book_new(void)
{
    struct arena arena = { .base = fx.memory, .size = sizeof(fx.memory) };
    CHECK_EQ(book_footprint(LEVELS), sizeof(fx.memory));
    book_init(&fx.b, LEVELS, &arena);
    return &fx.b;
}

static enum book_change
set(struct book *b, enum side side, px_t px, qty_t qty)
{
    uint32_t hint = UINT32_MAX;
    return book_set(b, side, px, qty, &hint);
}

TEST(touch_is_the_best_level_of_each_side)
{
    struct book *b = book_new();
    CHECK(book_at(b, SIDE_BUY, 0) == NULL);
    (void)set(b, SIDE_BUY, 100, 1);
    (void)set(b, SIDE_BUY, 102, 2);
    (void)set(b, SIDE_BUY, 101, 3);
    (void)set(b, SIDE_SELL, 110, 4);
    (void)set(b, SIDE_SELL, 108, 5);
    CHECK_EQ(book_at(b, SIDE_BUY, 0)->px, 102);
    CHECK_EQ(book_at(b, SIDE_BUY, 1)->px, 101);
    CHECK_EQ(book_at(b, SIDE_BUY, 2)->px, 100);
    CHECK(book_at(b, SIDE_BUY, 3) == NULL);
    CHECK_EQ(book_at(b, SIDE_SELL, 0)->px, 108);
    CHECK_EQ(book_at(b, SIDE_SELL, 1)->px, 110);
}

TEST(change_says_whether_anything_changed)
{
    struct book *b = book_new();
    CHECK_EQ(set(b, SIDE_BUY, 100, 1), BOOK_CHANGED);
    CHECK_EQ(set(b, SIDE_BUY, 100, 1), BOOK_SAME);
    CHECK_EQ(set(b, SIDE_BUY, 100, 2), BOOK_CHANGED);
    CHECK_EQ(set(b, SIDE_BUY, 99, 0), BOOK_SAME);
    CHECK_EQ(set(b, SIDE_BUY, 100, 0), BOOK_CHANGED);
    CHECK_EQ(set(b, SIDE_BUY, 100, 0), BOOK_SAME);
    CHECK_EQ(b->side[SIDE_BUY].count, 0);
}

TEST(a_book_is_locked_when_the_bid_is_at_the_ask_and_crossed_one_tick_beyond)
{
    struct book *b = book_new();
    (void)set(b, SIDE_BUY, 100, 1);
    CHECK_EQ(book_spread_state(b), BOOK_LIVE);
    (void)set(b, SIDE_SELL, 101, 1);
    CHECK_EQ(book_spread_state(b), BOOK_LIVE);
    (void)set(b, SIDE_SELL, 100, 1);
    CHECK_EQ(book_spread_state(b), BOOK_LOCKED);
    (void)set(b, SIDE_SELL, 99, 1);
    CHECK_EQ(book_spread_state(b), BOOK_CROSSED);
}

TEST(level_at_the_edge_is_kept_and_one_worse_is_not)
{
    struct book *b = book_new();
    for (px_t i = 0; i < 5; i++) {
        (void)set(b, SIDE_BUY, 100 - i, 1);
        (void)set(b, SIDE_SELL, 101 + i, 1);
    }
    book_set_edge(b, SIDE_BUY);
    book_set_edge(b, SIDE_SELL);
    CHECK_EQ(set(b, SIDE_BUY, 96, 0), BOOK_CHANGED);
    book_compact(b, SIDE_BUY);
    CHECK_EQ(set(b, SIDE_BUY, 96, 7), BOOK_CHANGED);
    CHECK_EQ(set(b, SIDE_BUY, 95, 7), BOOK_BEYOND);
    CHECK_EQ(set(b, SIDE_SELL, 105, 7), BOOK_CHANGED);
    CHECK_EQ(set(b, SIDE_SELL, 106, 7), BOOK_BEYOND);
}

TEST(full_side_refuses_one_more_and_trim_makes_room)
{
    struct book *b = book_new();
    for (px_t i = 0; i < LEVELS; i++)
        CHECK_EQ(set(b, SIDE_BUY, 1000 + i, 1), BOOK_CHANGED);
    CHECK_EQ(set(b, SIDE_BUY, 2000, 1), BOOK_FULL);
    CHECK_EQ(set(b, SIDE_BUY, 1001, 9), BOOK_CHANGED);
    CHECK_EQ(b->side[SIDE_BUY].count, LEVELS);
    book_trim(b, SIDE_BUY, 8);
    CHECK(b->side[SIDE_BUY].trimmed);
    CHECK_EQ(b->side[SIDE_BUY].edge, 1008);
    CHECK_EQ(set(b, SIDE_BUY, 2000, 1), BOOK_CHANGED);
    CHECK_EQ(set(b, SIDE_BUY, 1007, 1), BOOK_BEYOND);
    CHECK_EQ(set(b, SIDE_SELL, 3000, 1), BOOK_CHANGED); /* sides are apart */
    book_clear(b);
    CHECK(!b->side[SIDE_BUY].edged && b->side[SIDE_BUY].count == 0);
}

TEST(deleted_levels_leave_room_for_as_many_new_ones)
{
    struct book *b = book_new();
    for (px_t i = 0; i < LEVELS; i++)
        CHECK_EQ(set(b, SIDE_BUY, 1000 + 10 * i, 1), BOOK_CHANGED);
    for (px_t i = 0; i < LEVELS - 1; i += 2)
        CHECK_EQ(set(b, SIDE_BUY, 1000 + 10 * i, 0), BOOK_CHANGED);
    CHECK_EQ(b->side[SIDE_BUY].count, LEVELS / 2);
    for (px_t i = 0; i < LEVELS / 2; i++)
        CHECK_EQ(set(b, SIDE_BUY, 5000 + i, 1), BOOK_CHANGED);
    CHECK_EQ(b->side[SIDE_BUY].count, LEVELS);
    CHECK_EQ(set(b, SIDE_BUY, 6000, 1), BOOK_FULL);
    CHECK_EQ(book_at(b, SIDE_BUY, 0)->px, 5000 + LEVELS / 2 - 1);
    CHECK_EQ(book_at(b, SIDE_BUY, LEVELS - 1)->px, 1010);
    CHECK(book_at(b, SIDE_BUY, LEVELS) == NULL);
}

TEST(snapshot_loads_best_first_and_refuses_disorder)
{
    struct book *b = book_new();
    CHECK(book_load(b, SIDE_BUY, 100, 1));
    CHECK(!book_load(b, SIDE_BUY, 100, 1));
    CHECK(!book_load(b, SIDE_BUY, 101, 1));
    CHECK(!book_load(b, SIDE_BUY, 99, 0));
    CHECK(!book_load(b, SIDE_BUY, 0, 1));
    CHECK(book_load(b, SIDE_BUY, 98, 2));
    CHECK(book_load(b, SIDE_SELL, 101, 3));
    CHECK(!book_load(b, SIDE_SELL, 100, 3));
    for (px_t i = 1; i < LEVELS; i++)
        CHECK(book_load(b, SIDE_SELL, 101 + i, 3));
    CHECK(!book_load(b, SIDE_SELL, 1000, 3));
    book_load_end(b);
    CHECK_EQ(book_at(b, SIDE_BUY, 0)->px, 100);
    CHECK_EQ(book_at(b, SIDE_BUY, 1)->px, 98);
    CHECK_EQ(book_at(b, SIDE_SELL, 0)->px, 101);
    CHECK_EQ(book_at(b, SIDE_SELL, LEVELS - 1)->px, 101 + LEVELS - 1);
}

static uint64_t seed;

static uint64_t
draw(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

static void
check_equal(const struct book *b, struct naive_book *n)
{
    naive_sort(n);
    for (unsigned s = 0; s < 2; s++) {
        const struct book_side *side = &b->side[s];
        uint32_t held = 0;
        for (uint32_t i = 0; i < side->slots; i++) {
            held += side->level[i].qty != 0;
            if (i > 0)
                CHECK(s == SIDE_BUY ? side->level[i - 1].px < side->level[i].px
                                    : side->level[i - 1].px > side->level[i].px);
        }
        CHECK_EQ(held, side->count);
        CHECK(side->slots == 0 || side->level[side->slots - 1].qty != 0);
        CHECK_EQ(side->count, n->count[s]);
        for (uint32_t i = 0; i < n->count[s]; i++) {
            CHECK_EQ(book_at(b, (enum side)s, i)->px, n->level[s][i].px);
            CHECK_EQ(book_at(b, (enum side)s, i)->qty, n->level[s][i].qty);
        }
    }
}

/* Runs of levels in any order, with a hint kept over each run as a message does. */
TEST(random_runs_give_the_obvious_book)
{
    static struct naive_book n;
    for (uint64_t round = 1; round <= 300; round++) {
        struct book *b = book_new();
        seed = round * UINT64_C(0x9E3779B97F4A7C15);
        n.count[0] = n.count[1] = 0;
        for (unsigned run = 0; run < 60; run++) {
            enum side side = (enum side)draw(2);
            uint32_t hint = UINT32_MAX;
            bool sorted = draw(4) != 0;
            px_t px = (px_t)(side == SIDE_BUY ? 60 : 1);
            for (uint64_t k = draw(20); k > 0; k--) {
                px = sorted ? (side == SIDE_BUY ? px - (px_t)draw(5) : px + (px_t)draw(5)) : 1 + (px_t)draw(60);
                if (px < 1 || px > 60)
                    break;
                qty_t qty = (qty_t)draw(4);
                CHECK(book_set(b, side, px, qty, &hint) <= BOOK_CHANGED);
                naive_set(&n, side, px, qty);
            }
            check_equal(b, &n);
        }
    }
}

TEST_MAIN()
