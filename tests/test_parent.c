/* Parents known by their children alone: what they may still ask for, and what is never forgotten too early. */
#include "risk/parent.h"
#include "tests/test.h"

static struct parents p;

static struct parent_child
child_of(uint64_t key)
{
    return (struct parent_child){ .key = key, .client = 1, .instrument = 2, .total = 100 };
}

TEST(a_parent_with_live_children_is_never_forgotten)
{
    memset(&p, 0, sizeof(p));
    uint32_t placed = 0;
    uint32_t refused = 0;
    for (uint64_t key = 1; key <= PARENT_ROWS * PARENT_WAYS * 2; key++) {
        struct parent_child c = child_of(key);
        if (parent_room(&p, &c) < 0) {
            refused++;
            continue;
        }
        parent_apply(&p, &c, 60, 1);
        placed++;
    }
    CHECK(placed <= PARENT_ROWS * PARENT_WAYS);
    CHECK(refused > 0);
    for (uint64_t key = 1; key <= PARENT_ROWS * PARENT_WAYS * 2; key++) {
        struct parent_child c = child_of(key);
        qty_t room = parent_room(&p, &c);
        CHECK(room == 40 || room == -1);
    }
}

TEST(a_forgotten_parent_does_not_come_back)
{
    memset(&p, 0, sizeof(p));
    uint64_t last = PARENT_ROWS * PARENT_WAYS * 4;
    for (uint64_t key = 1; key <= last; key++) {
        struct parent_child c = child_of(key);
        CHECK(parent_room(&p, &c) == 100 || p.forgotten[1] >= key);
        if (parent_room(&p, &c) < 0)
            continue;
        parent_apply(&p, &c, 100, 1);
        parent_apply(&p, &c, 0, -1); /* filled whole: nothing is left of it */
    }
    CHECK(p.forgotten[1] > 0);
    for (uint64_t key = 1; key <= last; key++) {
        struct parent_child c = child_of(key);
        CHECK(parent_room(&p, &c) == (key > p.forgotten[1] && parent_room(&p, &c) != 0 ? 100 : parent_room(&p, &c)));
        CHECK(parent_room(&p, &c) <= 0); /* used up, or refused: never a second hundred */
    }
}

TEST(strategies_have_parents_of_their_own)
{
    memset(&p, 0, sizeof(p));
    struct parent_child c = child_of(7);
    parent_apply(&p, &c, 100, 1);
    CHECK_EQ(parent_room(&p, &c), 0);
    c.client = 2;
    CHECK_EQ(parent_room(&p, &c), 100);
}

TEST_MAIN()
