/* Text exposition: what a scrape sees, and what the real promtool says of it. */
#include "monitoring/prometheus.h"
#include "tests/test.h"

#include <sys/wait.h>
#include <unistd.h>

static struct metric_page page;
static char text[4u << 20];

static const struct prometheus_process process = { .known = true,
                                                   .start_time_ms = 1700000000123,
                                                   .cpu_ms = 4560,
                                                   .resident_bytes = 1048576,
                                                   .virtual_bytes = 8388608,
                                                   .open_fds = 17,
                                                   .max_fds = 1024 };

static void
fresh(void)
{
    memset(&page, 0, sizeof(page));
    metric_page_init(&page, "0.1.0", "abc\"def\\", 0);
    metric_name_venue(&page, 0, "binance");
    metric_name_instrument(&page, 5, "BTCUSDT", 5);
    metric_name_client(&page, 1, "demo");
}

static void
render(void)
{
    size_t n = prometheus_render(&page, &process, text, sizeof(text) - 1);
    CHECK(n < sizeof(text));
    text[n] = '\0';
}

#define CHECK_HAS(line)                           \
    do {                                          \
        if (strstr(text, "\n" line "\n") == NULL) \
            fail_msg("no line %s", line);         \
    } while (0)
#define CHECK_HAS_NOT(part) CHECK(strstr(text, part) == NULL)

TEST(every_value_of_a_closed_label_set_is_there_from_the_first_scrape)
{
    fresh();
    render();
    CHECK_HAS("execgw_order_denied_total{reason=\"price_collar\"} 0");
    CHECK_HAS("execgw_order_denied_total{reason=\"journal\"} 0");
    CHECK_HAS_NOT("reason=\"none\"");
    CHECK_HAS("execgw_feed_messages_total{venue=\"binance\",channel=\"depth\"} 0");
    CHECK_HAS("execgw_feed_decoded_total{venue=\"binance\",result=\"malformed\"} 0");
    CHECK_HAS("execgw_ready 0");
    CHECK_HAS("execgw_order_ack_seconds_count{venue=\"binance\"} 0");
}

TEST(venues_and_instruments_are_shown_once_they_have_a_name)
{
    memset(&page, 0, sizeof(page));
    metric_page_init(&page, "0.1.0", "", 0);
    render();
    CHECK_HAS_NOT("venue=");
    CHECK_HAS_NOT("execgw_position");
    fresh();
    render();
    CHECK_HAS("execgw_position{instrument=\"BTCUSDT\"} 0");
    CHECK_HAS("execgw_client_behind_total{strategy=\"demo\"} 0");
}

TEST(help_and_type_stand_once_before_their_samples)
{
    fresh();
    render();
    CHECK_HAS("# TYPE execgw_order_denied_total counter\nexecgw_order_denied_total{reason=\"malformed\"} 0");
    CHECK_HAS("# HELP execgw_ready 1 when a book is in sync and order entry is ready\n# TYPE execgw_ready gauge\n"
              "execgw_ready 0");
    CHECK_HAS("# TYPE execgw_order_ack_seconds histogram");
    const char *first = strstr(text, "# TYPE execgw_order_denied_total");
    CHECK(strstr(first + 1, "# TYPE execgw_order_denied_total ") == NULL);
}

TEST(stored_integers_are_shown_as_exact_decimals_of_their_unit)
{
    fresh();
    metric_set(&page, METRIC_POSITION, 5, -123456);
    metric_set(&page, METRIC_CLOCK_OFFSET, 0, -1500000);
    metric_set(&page, METRIC_RATE_REMAINING, 0, 250000);
    metric_set(&page, METRIC_FEED_LAST_MESSAGE, 0, INT64_C(1700000000123456789));
    metric_add(&page, METRIC_JOURNAL_BYTES, 0, INT64_C(9007199254740993));
    render();
    CHECK_HAS("execgw_position{instrument=\"BTCUSDT\"} -1.23456");
    CHECK_HAS("execgw_clock_offset_seconds{venue=\"binance\"} -0.0015");
    CHECK_HAS("execgw_rate_limit_remaining_ratio{venue=\"binance\"} 0.25");
    CHECK_HAS("execgw_feed_last_message_timestamp_seconds{venue=\"binance\"} 1700000000.123456789");
    CHECK_HAS("execgw_journal_bytes_total 9007199254740993");
    CHECK_HAS("process_cpu_seconds_total 4.56");
    CHECK_HAS("process_open_fds 17");
}

TEST(a_state_is_one_of_n)
{
    fresh();
    metric_set(&page, METRIC_TRADING_STATE, 0, GATEWAY_HALTED);
    metric_set(&page, METRIC_BOOK_STATE, 5, BOOK_LIVE);
    render();
    CHECK_HAS("execgw_trading_state{state=\"halted\"} 1");
    CHECK_HAS("execgw_trading_state{state=\"active\"} 0");
    CHECK_HAS("execgw_book_state{instrument=\"BTCUSDT\",state=\"live\"} 1");
    CHECK_HAS("execgw_book_state{instrument=\"BTCUSDT\",state=\"gap\"} 0");
}

TEST(histogram_buckets_are_cumulative_and_end_in_the_count)
{
    fresh();
    metric_observe_ns(&page, METRIC_RISK_CHECK, 0, 50);
    metric_observe_ns(&page, METRIC_RISK_CHECK, 0, 251); /* shares its bucket with 250: counted above the bound */
    metric_observe_ns(&page, METRIC_RISK_CHECK, 0, 2000000000);
    render();
    CHECK_HAS("execgw_risk_check_seconds_bucket{le=\"2.5e-07\"} 1");
    CHECK_HAS("execgw_risk_check_seconds_bucket{le=\"5e-07\"} 2");
    CHECK_HAS("execgw_risk_check_seconds_bucket{le=\"0.1\"} 2");
    CHECK_HAS("execgw_risk_check_seconds_bucket{le=\"+Inf\"} 3");
    CHECK_HAS("execgw_risk_check_seconds_sum 2.000000301");
    CHECK_HAS("execgw_risk_check_seconds_count 3");
}

TEST(label_values_are_escaped)
{
    fresh();
    metric_name_instrument(&page, 6, "a\"b\\c\nd", 0);
    render();
    CHECK_HAS("execgw_build_info{version=\"0.1.0\",commit=\"abc\\\"def\\\\\"} 1");
    CHECK_HAS("execgw_position{instrument=\"a\\\"b\\\\c\\nd\"} 0");
}

TEST(a_buffer_that_is_too_small_is_filled_and_the_whole_length_said)
{
    static char small[1000 + 1];
    fresh();
    render();
    size_t whole = strlen(text);
    small[1000] = 'Z';
    CHECK_EQ(prometheus_render(&page, &process, small, 1000), whole);
    CHECK_EQ(small[1000], 'Z');
    CHECK_MEM(small, text, 1000);
    CHECK_EQ(prometheus_render(&page, &process, NULL, 0), whole);
    CHECK_EQ(text[whole - 1], '\n');
}

TEST(a_page_with_every_instrument_named_fits_in_four_megabytes)
{
    fresh();
    for (uint32_t i = 0; i < INSTRUMENT_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "SYM%uUSDT", i);
        metric_name_instrument(&page, i, name, 8);
    }
    render();
    CHECK_HAS("execgw_position{instrument=\"SYM1023USDT\"} 0");
}

TEST(the_documentation_is_what_the_metric_list_says)
{
    const char *source = getenv("EXECGW_SOURCE");
    static char have[65536];
    static char want[65536];
    char path[512];

    if (source == NULL)
        SKIP("EXECGW_SOURCE is not set\n");
    FILE *out = fmemopen(want, sizeof(want) - 1, "w");
    prometheus_markdown(out);
    (void)fclose(out);
    (void)snprintf(path, sizeof(path), "%s/docs/metrics.md", source);
    if (getenv("EXECGW_REFRESH") != NULL) { /* EXECGW_REFRESH=1 build/bin/test_prometheus writes it */
        FILE *to = fopen(path, "wb");
        CHECK(to != NULL);
        (void)fputs(want, to);
        (void)fclose(to);
    }
    FILE *f = fopen(path, "rb");
    CHECK(f != NULL);
    have[fread(have, 1, sizeof(have) - 1, f)] = '\0';
    (void)fclose(f);
    CHECK_STR(have, want);
}

/* The path of promtool, or a skip, which ends the program: so its test is the last. */
static const char *
promtool(void)
{
    static char path[512];
    const char *source = getenv("EXECGW_SOURCE");
    char command[1024];

    if (source == NULL)
        SKIP("EXECGW_SOURCE is not set\n");
    (void)snprintf(command, sizeof(command), "bash '%s/tests/lib/promtool.sh'", source);
    FILE *p = popen(command, "r");
    CHECK(p != NULL);
    bool got = fgets(path, sizeof(path), p) != NULL;
    if (pclose(p) != 0 || !got)
        SKIP("no promtool\n");
    path[strcspn(path, "\n")] = '\0';
    return path;
}

TEST(promtool_finds_nothing_to_complain_about)
{
    char command[1024];

    fresh();
    for (uint32_t v = 0; v < VENUE_MAX; v++)
        metric_name_venue(&page, v, v == 0 ? "binance" : v == 1 ? "kraken" : v == 2 ? "okx" : "bybit");
    metric_observe_ns(&page, METRIC_ORDER_TO_WIRE, 0, 12345);
    metric_set(&page, METRIC_POSITION, 5, -1);
    render();
    (void)snprintf(command, sizeof(command), "'%s' check metrics 2>&1", promtool());
    FILE *p = popen(command, "w");
    CHECK(p != NULL);
    CHECK_EQ(fwrite(text, 1, strlen(text), p), strlen(text));
    int status = pclose(p); /* 0 clean, 3 lint, 1 cannot be parsed */
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
}

TEST_MAIN()
