/* Messages that wait for the journal: whole, in order, only when covered, taken back, and the room for them. */
#include "engine/io/hold.h"
#include "tests/test.h"

static uint8_t memory[4096] __attribute__((aligned(64)));
static struct hold hold;

static void
make(uint32_t messages, uint32_t bytes)
{
    struct arena a = { .base = memory, .size = sizeof(memory) };

    CHECK(hold_footprint(messages, bytes) <= sizeof(memory));
    hold_init(&hold, messages, bytes, &a);
}

static bool
put(const char *text, uint64_t seq)
{
    return hold_put(&hold, (const uint8_t *)text, (uint32_t)strlen(text), seq);
}

static bool
takes(uint64_t durable, uint32_t room, const char *expected)
{
    uint8_t out[64];
    uint32_t n = hold_take(&hold, durable, out, room);

    return n == strlen(expected) && memcmp(out, expected, n) == 0;
}

TEST(messages_leave_whole_in_order_and_only_when_covered)
{
    make(4, 64);
    CHECK(put("one", 5) && put("two", 5) && put("three", 9));
    CHECK(!hold_due(&hold, 4));
    CHECK(takes(4, 64, ""));
    CHECK(hold_due(&hold, 5));
    CHECK(takes(5, 64, "onetwo"));
    CHECK(!hold_due(&hold, 8));
    CHECK(takes(9, 64, "three"));
    CHECK_EQ(hold.count, 0);
    CHECK_EQ(hold.used, 0);
}

TEST(no_message_is_cut_where_there_is_no_room_for_all_of_it)
{
    make(4, 64);
    CHECK(put("one", 1) && put("three", 2));
    CHECK(takes(9, 7, "one"));
    CHECK(hold_due(&hold, 9));
    CHECK(takes(9, 4, ""));
    CHECK(takes(9, 5, "three"));
}

TEST(what_is_withdrawn_never_leaves)
{
    make(4, 64);
    CHECK(put("one", 1) && put("two", 2) && put("three", 3));
    CHECK(hold_withdraw(&hold, 2));
    CHECK(!hold_withdraw(&hold, 2));
    CHECK(!hold_withdraw(&hold, 7));
    CHECK(takes(9, 64, "onethree"));
    CHECK(put("four", 10));
    hold_clear(&hold);
    CHECK(takes(99, 64, ""));
    CHECK(put("five", 4)); /* a new connection's */
    CHECK(takes(4, 64, "five"));
}

TEST(it_is_full_at_its_messages_and_at_its_bytes)
{
    make(2, 8);
    CHECK(put("a", 1) && put("b", 2));
    CHECK(!put("c", 3));
    make(8, 8);
    CHECK(put("1234", 1) && put("5678", 2));
    CHECK(!put("9", 3));
    CHECK(takes(1, 64, "1234"));
    CHECK(put("9", 3));
    make(0, 0);
    CHECK_EQ(hold_footprint(0, 4096), 0);
    CHECK(!put("a", 1));
}

TEST_MAIN()
