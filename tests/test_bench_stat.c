/* What the bench makes of its samples: quantiles, medians of rounds, ratios, and how it writes them. */
#include "bench/bench_stat.h"
#include "tests/test.h"

#include <jansson.h>
#include <unistd.h>

static struct bench_results results;

static struct bench_series *
series_of(const char *name, const double *v, size_t n)
{
    struct bench_series *s = bench_series_add(&results, "b", name);
    for (size_t i = 0; i < n; i++)
        bench_sample(s, v[i]);
    s->n = n;
    return s;
}

static void
begin(void)
{
    bench_results_free(&results);
    memset(&results, 0, sizeof(results));
}

TEST(a_quantile_is_a_measured_value_by_nearest_rank)
{
    const double v[] = { 10, 20, 30, 40 };

    CHECK(bench_quantile(v, 4, 0.5) == 20);
    CHECK(bench_quantile(v, 4, 0.500001) == 30);
    CHECK(bench_quantile(v, 4, 0.75) == 30);
    CHECK(bench_quantile(v, 4, 0.99) == 40);
    CHECK(bench_quantile(v, 4, 1.0) == 40);
    CHECK(bench_quantile(v, 4, 0.0) == 10);
    CHECK(bench_quantile(v, 1, 0.999) == 10);
    CHECK(bench_quantile(v, 0, 0.5) == 0);
}

TEST(a_thousand_values_have_their_p999_at_the_last_but_one)
{
    struct bench_figures f;

    begin();
    struct bench_series *s = bench_series_add(&results, "b", "c");
    for (int i = 1000; i >= 1; i--) /* not in order */
        bench_sample(s, i);
    CHECK(bench_figures(s, &f));
    CHECK(f.p50 == 500 && f.p90 == 900 && f.p99 == 990 && f.p999 == 999 && f.max == 1000);
    CHECK(f.mean == 500.5);
}

TEST(a_series_without_values_has_no_figures)
{
    struct bench_figures f;

    begin();
    CHECK(!bench_figures(bench_series_add(&results, "b", "c"), &f));
}

TEST(the_median_of_five_is_the_third_whatever_the_order)
{
    const double v[] = { 9, 1, 5, 3, 7 };

    CHECK(bench_median(v, 5) == 5);
    CHECK(bench_median(v, 2) == 9);
    CHECK(bench_median(v, 0) == 0);
}

TEST(a_ratio_is_the_median_of_the_ratios_of_neighbouring_rounds)
{
    begin();
    struct bench_series *ours = bench_series_add(&results, "b", "ours");
    struct bench_series *peer = bench_series_add(&results, "b", "peer");
    /* The machine is four times slower in the second round and ten times in the third: ratios do not see it. */
    const double mine[3][3] = { { 1, 2, 3 }, { 4, 8, 12 }, { 10, 20, 900 } };
    const double theirs[3][3] = { { 3, 4, 5 }, { 12, 16, 20 }, { 30, 50, 70 } };
    for (int r = 0; r < 3; r++) {
        bench_round(ours);
        bench_round(peer);
        for (int i = 0; i < 3; i++) {
            bench_sample(ours, mine[r][i]);
            bench_sample(peer, theirs[r][i]);
        }
    }
    CHECK(bench_round_quantile(ours, 2, 0.5) == 20);
    bench_ratio_add(&results, "k", ours, peer, 0.5, 0.25);
    CHECK_EQ(results.ratio_count, 1);
    CHECK(results.ratio[0].value == 0.5);
    CHECK(results.ratio[0].low == 0.4 && results.ratio[0].high == 0.5);
    CHECK_EQ(results.ratio[0].rounds, 3);
}

TEST(a_round_that_only_one_side_has_makes_no_ratio)
{
    const double v[] = { 1 };

    begin();
    struct bench_series *ours = series_of("ours", v, 0);
    struct bench_series *peer = series_of("peer", v, 0);
    bench_ratio_add(&results, "k", ours, peer, 0.5, 1);
    bench_round(ours);
    bench_sample(ours, 4);
    bench_ratio_add(&results, "k", ours, peer, 0.5, 1);
    bench_ratio_add(&results, "k", ours, NULL, 0.5, 1);
    CHECK_EQ(results.ratio_count, 0);
    bench_round(peer);
    bench_sample(peer, 2);
    bench_ratio_add(&results, "k", ours, peer, 0.5, 1);
    CHECK_EQ(results.ratio_count, 1);
    CHECK(results.ratio[0].value == 2);
}

static json_t *
written(void)
{
    struct bench_host host = { .cpu = "a \"quoted\" machine", .kernel = "Linux", .cores = 2, .compiler = "gcc" };
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);

    CHECK(bench_json(&results, &host, f, false));
    (void)fclose(f);
    CHECK(strchr(text, '\n') == NULL);
    json_t *run = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    CHECK(run != NULL);
    free(text);
    return run;
}

TEST(json_has_every_key_of_a_measurement_and_the_ratios_by_name)
{
    static const char *const keys[] = { "n", "p50", "p90", "p99", "p999", "max", "mean", "per_second" };
    const double v[] = { 5, 1, 3 };

    begin();
    struct bench_series *s = series_of("c", v, 3);
    s->seconds = 2;
    s->n = 300;
    (void)snprintf(s->note, sizeof(s->note), "a note");
    (void)series_of("never measured", v, 0);
    struct bench_series *peer = series_of("peer", v, 0);
    bench_round(peer);
    bench_sample(peer, 6);
    s->rounds = 1;
    bench_ratio_add(&results, "b.c.p50.vs_peer", s, peer, 0.5, 1);
    json_t *run = written();
    CHECK_EQ(json_array_size(json_object_get(run, "results")), 2);
    const json_t *r = json_array_get(json_object_get(run, "results"), 0);
    CHECK_STR(json_string_value(json_object_get(r, "bench")), "b");
    CHECK_STR(json_string_value(json_object_get(r, "case")), "c");
    CHECK_STR(json_string_value(json_object_get(r, "unit")), "ns");
    CHECK_STR(json_string_value(json_object_get(r, "note")), "a note");
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        CHECK(json_is_number(json_object_get(r, keys[i])));
    CHECK(json_number_value(json_object_get(r, "p50")) == 3);
    CHECK(json_number_value(json_object_get(r, "per_second")) == 150);
    CHECK(json_number_value(json_object_get(json_object_get(run, "ratios"), "b.c.p50.vs_peer")) == 0.5);
    CHECK_STR(json_string_value(json_object_get(json_object_get(run, "host"), "cpu")), "a \"quoted\" machine");
    CHECK(json_is_object(json_object_get(run, "build")));
    json_decref(run);
}

static char *
file_text(const char *dir, const char *name)
{
    static char text[65536];
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "re");
    CHECK(f != NULL);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    (void)fclose(f);
    (void)unlink(path);
    return text;
}

TEST(hdr_text_rises_ends_at_the_maximum_and_counts_every_value)
{
    char dir[] = "/tmp/execgw-hgrm-XXXXXX";
    struct fault fault;
    double last_value = 0;
    double last_q = -1;

    begin();
    struct bench_series *s = bench_series_add(&results, "b", "c");
    for (int i = 1; i <= 500; i++)
        bench_sample(s, i);
    CHECK(mkdtemp(dir) != NULL);
    CHECK(bench_hgrm(&results, dir, &fault));
    char *text = file_text(dir, "b-c.hgrm");
    CHECK(strstr(text, "Percentile") != NULL);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char *end = NULL;
        double value = strtod(line, &end);
        double q = strtod(end, NULL);
        if (end == line)
            continue;
        CHECK(value >= last_value && q > last_q);
        last_value = value;
        last_q = q;
    }
    CHECK(last_value == 500 && last_q == 1.0);
    CHECK_EQ(rmdir(dir), 0);
}

TEST(a_folder_that_cannot_be_made_is_named)
{
    const double v[] = { 1 };
    struct fault fault = { "" };

    begin();
    (void)series_of("c", v, 1);
    CHECK(!bench_hgrm(&results, "/proc/none/such", &fault));
    CHECK(strstr(fault.text, "/proc/none/such") != NULL);
}

TEST_MAIN()
