/* Histogram: buckets, quantiles, sums, merging. */
#include "execgw/hist.h"
#include "tests/test.h"

static struct hist h;
static struct hist other;

TEST(every_value_lies_in_its_bucket_and_buckets_join_without_a_gap)
{
    CHECK_EQ(hist_lowest(0), 0);
    for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
        CHECK_EQ(hist_index(hist_lowest(i)), i);
        CHECK_EQ(hist_index(hist_highest(i)), i);
        if (i + 1 < HIST_BUCKETS)
            CHECK_EQ(hist_highest(i) + 1, hist_lowest(i + 1));
    }
    CHECK(hist_highest(HIST_BUCKETS - 1) == INT64_MAX);
}

TEST(a_bucket_is_at_most_a_32nd_of_its_value_wide)
{
    for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
        int64_t width = hist_highest(i) - hist_lowest(i);
        CHECK(width <= hist_lowest(i) / 32);
        if (hist_lowest(i) < 64)
            CHECK_EQ(width, 0);
    }
}

TEST(extreme_values_have_a_bucket)
{
    CHECK_EQ(hist_index(INT64_MIN), 0);
    CHECK_EQ(hist_index(-1), 0);
    CHECK_EQ(hist_index(0), 0);
    CHECK_EQ(hist_index(63), 63);
    CHECK_EQ(hist_index(64), 64);
    CHECK_EQ(hist_index(65), 64);
    CHECK_EQ(hist_index(INT64_MAX), HIST_BUCKETS - 1);
}

TEST(count_sum_and_max_follow_what_was_recorded)
{
    hist_reset(&h);
    CHECK_EQ(hist_count(&h), 0);
    CHECK_EQ(hist_quantile(&h, 500000), 0);
    hist_record(&h, 100);
    hist_record(&h, -5);
    hist_record_n(&h, 1000, 3);
    CHECK_EQ(hist_count(&h), 5);
    CHECK_EQ(hist_sum(&h), 3100);
    CHECK_EQ(hist_max(&h), 1000);
}

TEST(quantiles_are_exact_within_the_width_of_a_bucket)
{
    hist_reset(&h);
    for (int64_t v = 1; v <= 100000; v++)
        hist_record(&h, v);
    static const uint32_t ppm[] = { 1, 500000, 900000, 990000, 999000, 999999 };
    for (size_t i = 0; i < ARRAY_LEN(ppm); i++) {
        int64_t exact = ((int64_t)ppm[i] * 100000 + 999999) / 1000000;
        int64_t got = hist_quantile(&h, ppm[i]);
        CHECK(got >= exact && got <= exact + exact / 32);
    }
    CHECK_EQ(hist_quantile(&h, 1000000), 100000);
    CHECK_EQ(hist_quantile(&h, 0), 1);
}

TEST(the_highest_quantile_never_exceeds_the_maximum_seen)
{
    hist_reset(&h);
    hist_record(&h, 1000001);
    CHECK_EQ(hist_quantile(&h, 500000), 1000001);
    CHECK_EQ(hist_quantile(&h, 1000000), 1000001);
}

TEST(counts_within_a_bound_take_whole_buckets)
{
    hist_reset(&h);
    hist_record(&h, 10);
    hist_record(&h, 11);
    CHECK_EQ(hist_count_within(&h, 9), 0);
    CHECK_EQ(hist_count_within(&h, 10), 1);
    CHECK_EQ(hist_count_within(&h, 11), 2);
    hist_record(&h, 64); /* shares its bucket with 65 */
    CHECK_EQ(hist_count_within(&h, 64), 2);
    CHECK_EQ(hist_count_within(&h, 65), 3);
    CHECK_EQ(hist_count_within(&h, INT64_MAX), 3);
}

TEST(merging_is_the_same_as_recording_both)
{
    static struct hist both;
    hist_reset(&h);
    hist_reset(&other);
    hist_reset(&both);
    for (int64_t v = 1; v < 1000000; v = v * 5 / 3 + 1) {
        hist_record(v % 2 ? &h : &other, v);
        hist_record(&both, v);
    }
    hist_merge(&h, &other);
    CHECK_MEM(&h, &both, sizeof(h));
}

TEST_MAIN()
