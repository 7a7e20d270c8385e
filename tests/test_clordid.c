/* ClOrdIDs: unique, ordered, parsed back, told apart. */
#include "engine/oms/clordid.h"
#include "tests/test.h"

TEST(clordid_parses_back_to_what_was_minted_and_rises_in_text_order)
{
    struct clordid_mint m;
    char before[CLORDID_BYTES] = "";
    char text[CLORDID_BYTES];
    struct clordid id;

    CHECK(clordid_mint_init(&m, "g1", 1790000000, 0));
    for (uint64_t i = 1; i <= 200000; i++) { /* over two carries of the base */
        CHECK_EQ(clordid_mint_next(&m, text), i);
        CHECK(strcmp(before, text) < 0);
        CHECK_EQ(clordid_parse(text, "g1", &id), CLORDID_OURS);
        CHECK_EQ(id.term, 1790000000);
        CHECK_EQ(id.seq, i);
        memcpy(before, text, sizeof(text));
    }
    CHECK(strlen(text) <= 18);
    for (const char *c = text; *c != '\0'; c++)
        CHECK((*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z'));
}

TEST(clordid_of_the_largest_term_fits_and_sorts_after_the_one_before)
{
    struct clordid_mint m;
    char a[CLORDID_BYTES];
    char b[CLORDID_BYTES];
    struct clordid id;

    CHECK(clordid_mint_init(&m, "zz", UINT32_MAX - 1, 0));
    (void)clordid_mint_next(&m, a);
    CHECK(clordid_mint_init(&m, "zz", UINT32_MAX, 0));
    (void)clordid_mint_next(&m, b);
    CHECK(strcmp(a, b) < 0);
    CHECK_EQ(clordid_parse(b, "zz", &id), CLORDID_OURS);
    CHECK_EQ(id.term, UINT32_MAX);
}

TEST(clordid_of_one_term_begin_at_places_that_do_not_overlap)
{
    static const uint64_t draw[] = { 0, 1, CLORDID_DRAWS - 1, UINT64_MAX };
    struct clordid_mint m;
    char text[CLORDID_BYTES];
    struct clordid id;

    for (unsigned i = 0; i < ARRAY_LEN(draw); i++) {
        uint64_t first = draw[i] % CLORDID_DRAWS * CLORDID_DRAW_SEQS;
        CHECK(clordid_mint_init(&m, "g1", 1790000000, draw[i]));
        CHECK_EQ(clordid_mint_next(&m, text), first + 1);
        CHECK_EQ(clordid_parse(text, "g1", &id), CLORDID_OURS);
        CHECK_EQ(id.seq, first + 1);
    }
}

TEST(clordid_tells_ours_from_another_instance_and_from_foreign)
{
    struct clordid_mint m;
    char text[CLORDID_BYTES];
    char bad[CLORDID_BYTES];
    struct clordid id;

    CHECK(clordid_mint_init(&m, "g1", 7, 0));
    (void)clordid_mint_next(&m, text);
    CHECK_EQ(clordid_parse(text, "g2", &id), CLORDID_OTHER_INSTANCE);
    for (unsigned i = 0; i < CLORDID_LEN; i++) {
        static const char not_digit[] = { 'A', 'e', '-', '\0', '\x80', ' ' };
        for (unsigned k = i < CLORDID_INSTANCE ? 2 : 0; k < sizeof(not_digit); k++) {
            memcpy(bad, text, sizeof(bad));
            bad[i] = not_digit[k];
            CHECK_EQ(clordid_parse(bad, "g1", &id), CLORDID_FOREIGN);
        }
    }
    memcpy(bad, text, sizeof(bad));
    bad[CLORDID_LEN] = '0'; /* one longer */
    CHECK_EQ(clordid_parse(bad, "g1", &id), CLORDID_FOREIGN);
    memset(bad, '0', sizeof(bad)); /* not terminated */
    CHECK_EQ(clordid_parse(bad, "g1", &id), CLORDID_FOREIGN);
    static const char zero[CLORDID_BYTES] = "g100000000000000";
    CHECK_EQ(clordid_parse(zero, "g1", &id), CLORDID_FOREIGN);  /* term 0, sequence 0 */
    static const char wide[CLORDID_BYTES] = "g1zzzzzz00000001"; /* term above 2^32 */
    CHECK_EQ(clordid_parse(wide, "g1", &id), CLORDID_FOREIGN);
    static const char empty[CLORDID_BYTES] = "";
    CHECK_EQ(clordid_parse(empty, "g1", &id), CLORDID_FOREIGN);
}

TEST(clordid_needs_an_instance_and_a_term)
{
    struct clordid_mint m;
    CHECK(!clordid_mint_init(&m, "", 1, 0));
    CHECK(!clordid_mint_init(&m, "a", 1, 0));
    CHECK(!clordid_mint_init(&m, "a-", 1, 0));
    CHECK(!clordid_mint_init(&m, "ab", 0, 0));
}

TEST(clordid_term_rises_even_when_the_clock_does_not)
{
    CHECK_EQ(clordid_next_term(0, INT64_C(1790000000) * NS_PER_S), 1790000000);
    CHECK_EQ(clordid_next_term(1790000000, INT64_C(1790000000) * NS_PER_S), 1790000001);
    CHECK_EQ(clordid_next_term(1790000000, 0), 1790000001);
    CHECK_EQ(clordid_next_term(5, INT64_C(1790000000) * NS_PER_S), 1790000000); /* a new journal */
    CHECK_EQ(clordid_next_term(UINT32_MAX, 0), UINT32_MAX);
}

TEST_MAIN()
