/* Repeated content: counted within its window, forgotten after it, each content by itself. */
#include "risk/repeat.h"
#include "tests/test.h"

static struct repeat t;

TEST(a_content_is_counted_until_its_window_is_over)
{
    const mono_ns_t at = { 1000 };
    memset(&t, 0, sizeof(t));
    for (uint32_t i = 0; i < 5; i++) {
        CHECK_EQ(repeat_count(&t, 77, 100, at), i);
        repeat_add(&t, 77, 100, at);
    }
    CHECK_EQ(repeat_count(&t, 77, 100, (mono_ns_t){ 1099 }), 5);
    CHECK_EQ(repeat_count(&t, 77, 100, (mono_ns_t){ 1100 }), 0);
    repeat_add(&t, 77, 100, (mono_ns_t){ 1100 });
    CHECK_EQ(repeat_count(&t, 77, 100, (mono_ns_t){ 1199 }), 1);
}

TEST(every_part_of_a_content_makes_another_one)
{
    const struct repeat_content c = { 1, 2, 3, 0, 100, 200 };
    struct repeat_content other[] = { c, c, c, c, c, c };
    other[0].client++;
    other[1].account++;
    other[2].instrument++;
    other[3].side++;
    other[4].px++;
    other[5].qty++;
    for (unsigned i = 0; i < ARRAY_LEN(other); i++)
        CHECK(repeat_hash(&c) != repeat_hash(&other[i]));
    CHECK(repeat_hash(&c) == repeat_hash(&(struct repeat_content){ 1, 2, 3, 0, 100, 200 }));
}

TEST(a_full_row_forgets_its_oldest)
{
    memset(&t, 0, sizeof(t));
    for (uint64_t i = 0; i <= REPEAT_WAYS; i++)
        repeat_add(&t, (i + 1) << 40, 1000000, (mono_ns_t){ (int64_t)i + 1 });
    CHECK_EQ(repeat_count(&t, UINT64_C(1) << 40, 1000000, (mono_ns_t){ 10 }), 0);
    for (uint64_t i = 1; i <= REPEAT_WAYS; i++)
        CHECK_EQ(repeat_count(&t, (i + 1) << 40, 1000000, (mono_ns_t){ 10 }), 1);
}

TEST_MAIN()
