/* execgw-cli as its users see it: the real program against the small core of core.h. Output, JSON, exit codes. */
#include "tests/core.h"

#include "execgw/client.h"

#include <jansson.h>
#include <sys/wait.h>

static struct core core;
static char out[1 << 18];

/* Run the program with these arguments; standard output lands in `out`. Returns its exit code. */
static int cli(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int
cli(const char *format, ...)
{
    char line[1024];
    char args[512];
    const char *bin = getenv("EXECGW_BIN");
    va_list list;

    if (bin == NULL)
        SKIP("EXECGW_BIN is not set\n");
    va_start(list, format);
    (void)vsnprintf(args, sizeof(args), format, list);
    va_end(list);
    (void)snprintf(line, sizeof(line), "unset EXECGW__CLIENT__SOCKET; XDG_RUNTIME_DIR=%s '%s/execgw-cli' %s 2>&1",
                   core.dir, bin, args);
    FILE *f = popen(line, "r"); /* NOLINT: the words are the test's own */
    CHECK(f != NULL);
    size_t n = fread(out, 1, sizeof(out) - 1, f);
    out[n] = '\0';
    int status = pclose(f);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

#define HAS(text)                                                  \
    do {                                                           \
        if (strstr(out, (text)) == NULL)                           \
            print_error("expected \"%s\" in:\n%s\n", (text), out); \
        CHECK(strstr(out, (text)) != NULL);                        \
    } while (0)

static json_t *
parsed(void)
{
    json_error_t e;
    char *end = out + strlen(out);
    if (end > out && end[-1] == '\n')
        *--end = '\0';
    const char *last = strrchr(out, '\n'); /* before the last line there may be sentences of standard error */
    json_t *j = json_loads(last != NULL ? last + 1 : out, 0, &e);
    if (j == NULL)
        print_error("%s in:\n%s\n", e.text, out);
    CHECK(j != NULL);
    return j;
}

static const char *
word(const json_t *j, const char *name)
{
    const char *s = json_string_value(json_object_get(j, name));
    return s != NULL ? s : "(none)";
}

#define RUNS(code, ...)                                                         \
    do {                                                                        \
        int got_ = cli(__VA_ARGS__);                                            \
        if (got_ != (int)(code))                                                \
            print_error("exit %d, expected %d:\n%s\n", got_, (int)(code), out); \
        CHECK_EQ(got_, code);                                                   \
    } while (0)

TEST(wrong_usage_is_64_and_says_what_was_expected)
{
    memset(&core, 0, sizeof(core));
    RUNS(EXIT_USAGE, "%s", "");
    HAS("usage:");
    RUNS(EXIT_USAGE, "frobnicate");
    HAS("there is no command frobnicate");
    RUNS(EXIT_USAGE, "status extra");
    RUNS(EXIT_USAGE, "new BTCUSDT buy 1");
    HAS("usage: execgw-cli new SYMBOL");
    RUNS(EXIT_USAGE, "status --wait");
    HAS("status does not take --wait");
    RUNS(EXIT_USAGE, "status --nonsense");
    RUNS(EXIT_USAGE, "new BTCUSDT buy 1 1 --tif day");
    HAS("expected gtc, ioc or fok");
    RUNS(EXIT_USAGE, "status --timeout 0");
    RUNS(EXIT_USAGE, "status --json --timeout 0");
    json_t *j = parsed();
    CHECK_EQ(json_integer_value(json_object_get(j, "code")), EXIT_USAGE);
    json_decref(j);
}

TEST(every_command_has_help_of_its_own)
{
    static const char *const names[] = { "status", "orders", "positions", "new",    "cancel", "cancel-all", "replace",
                                         "halt",   "resume", "confirm",   "kill",   "state",  "reduce",     "flatten",
                                         "limits", "whatif", "pnl",       "doctor", "journal" };
    RUNS(EXIT_OK, "--help");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char start[64];
        RUNS(EXIT_OK, "--help");
        HAS(names[i]);
        RUNS(EXIT_OK, "%s --help", names[i]);
        (void)snprintf(start, sizeof(start), "usage: execgw-cli %s", names[i]);
        HAS(start);
    }
    RUNS(EXIT_OK, "--version");
    HAS("execgw-cli " EXECGW_VERSION);
}

TEST(without_a_gateway_the_exit_code_is_69)
{
    memset(&core, 0, sizeof(core));
    (void)snprintf(core.dir, sizeof(core.dir), "/nonexistent");
    RUNS(EXIT_UNAVAILABLE, "status");
    HAS("/nonexistent/execgw/execgw.sock: no gateway is running there");
    RUNS(EXIT_UNAVAILABLE, "orders --json --socket /nonexistent/other");
    json_t *j = parsed();
    CHECK(strstr(word(j, "error"), "/nonexistent/other") != NULL);
    json_decref(j);
}

TEST(an_order_is_sent_listed_and_canceled)
{
    core_start(&core);
    RUNS(EXIT_OK, "new BTC/USDT buy 0.00010 59999.5 --post-only --socket %s", core.path);
    HAS("sent       key ");
    HAS("clordid T1");
    CHECK_EQ(core.order[0].last.px, 5999950);
    CHECK_EQ(core.order[0].last.qty, 10);
    CHECK_EQ(core.order[0].client, CLIENT_OPERATOR);
    RUNS(EXIT_OK, "new BTCUSDT sell 0.5 60000 --wait --json --socket %s", core.path);
    HAS("\"kind\":\"sent\"");
    HAS("\"kind\":\"new\"");
    HAS("\"px\":\"60000.00\"");
    RUNS(EXIT_OK, "new BTCUSDT sell 0.5 60000 --tif ioc --wait --socket %s", core.path);
    HAS("fill       key ");
    HAS("0.50000 at 60000.00 (trade 3)");

    RUNS(EXIT_OK, "orders --socket %s", core.path);
    HAS("KEY ");
    HAS("59999.50");
    CHECK(strstr(out, "T3") == NULL); /* filled */
    RUNS(EXIT_OK, "orders BTCUSDT --json --socket %s", core.path);
    json_t *j = parsed();
    CHECK_EQ(json_array_size(j), 2);
    CHECK_STR(word(json_array_get(j, 0), "clordid"), "T1");
    CHECK_STR(word(json_array_get(j, 0), "qty"), "0.00010");
    CHECK_STR(word(json_array_get(j, 0), "status"), "new");
    char key[32];
    (void)snprintf(key, sizeof(key), "%s", word(json_array_get(j, 1), "key"));
    json_decref(j);
    RUNS(EXIT_FAILED, "orders ETHUSDT --socket %s", core.path);

    RUNS(EXIT_OK, "cancel T1 --socket %s", core.path);
    HAS("canceled   key ");
    RUNS(EXIT_FAILED, "cancel T1 --socket %s", core.path);
    HAS("no open order has the key or ClOrdID T1");
    RUNS(EXIT_FAILED, "cancel T3 --socket %s", core.path);
    RUNS(EXIT_FAILED, "cancel T9 --socket %s", core.path);
    HAS("no open order has the key or ClOrdID T9");
    RUNS(EXIT_OK, "cancel %s --json --socket %s", key, core.path);
    HAS("\"status\":\"canceled\"");
    RUNS(EXIT_OK, "orders --json --socket %s", core.path);
    CHECK_STR(out, "[]\n");
    core_stop(&core);
}

TEST(an_operator_cancels_the_order_of_a_strategy)
{
    core_start(&core);
    struct execgw *h = execgw_connect(core.path, "alpha", NULL);
    struct instrument ins;
    uint64_t key;
    struct report r;
    CHECK(h != NULL);
    CHECK_EQ(execgw_instrument(h, 0, &ins), EXECGW_OK);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(execgw_new_limit(h, &ins, SIDE_BUY, 5000000, 1, TIF_GTC, 0, &key), EXECGW_OK);
    for (int i = 0; i < 6; i++) {
        CHECK_EQ(execgw_wait(h, CORE_WAIT_MS), EXECGW_OK);
        CHECK_EQ(execgw_poll_report(h, &r), EXECGW_OK);
    }
    RUNS(EXIT_OK, "cancel %llu --socket %s", (unsigned long long)key, core.path);
    CHECK_EQ(execgw_wait(h, CORE_WAIT_MS), EXECGW_OK);
    CHECK_EQ(execgw_poll_report(h, &r), EXECGW_OK);
    CHECK_EQ(r.kind, REPORT_CANCELED);
    CHECK_EQ(r.key, key);
    RUNS(EXIT_OK, "cancel-all --socket %s", core.path);
    HAS("cancel-all: done");
    RUNS(EXIT_OK, "orders --json --socket %s", core.path);
    CHECK_STR(out, "[]\n");
    execgw_close(h);
    core_stop(&core);
}

TEST(a_denied_order_exits_1_and_names_the_reason)
{
    core_start(&core);
    RUNS(EXIT_FAILED, "new BTCUSDT buy 0.1 70000.01 --socket %s", core.path);
    HAS("denied     key ");
    HAS("PRICE_COLLAR: price is through the reference");
    RUNS(EXIT_FAILED, "new BTCUSDT buy 0.1 70000.01 --json --socket %s", core.path);
    json_t *j = parsed();
    CHECK_STR(word(j, "deny"), "PRICE_COLLAR");
    json_decref(j);
    core_stop(&core);
}

TEST(amounts_are_exact_or_refused)
{
    core_start(&core);
    RUNS(EXIT_USAGE, "new BTCUSDT buy 0.000001 60000 --socket %s", core.path);
    HAS("QTY 0.000001: BTCUSDT has 5 decimals, and nothing is rounded");
    RUNS(EXIT_USAGE, "new BTCUSDT buy 0.1 60000.001 --socket %s", core.path);
    HAS("PX 60000.001");
    RUNS(EXIT_OK, "new BTCUSDT buy 0.1 60000.000 --socket %s", core.path);
    RUNS(EXIT_USAGE, "new BTCUSDT buy 0 60000 --socket %s", core.path);
    RUNS(EXIT_USAGE, "new BTCUSDT buy 1e3 60000 --socket %s", core.path);
    RUNS(EXIT_USAGE, "new BTCUSDT hold 1 60000 --socket %s", core.path);
    RUNS(EXIT_FAILED, "new ETHUSDT buy 1 60000 --socket %s", core.path);
    CHECK_EQ(core.orders, 1);
    core_stop(&core);
}

TEST(prices_and_quantities_show_the_digits_of_tick_and_step)
{
    core_start(&core);
    struct instrument i = {
        .id = 0, .version = 4, .px_decimals = 8, .qty_decimals = 8, .tick = 1000000, .symbol = "BTCUSDT"
    };
    i.step = INT64_C(100000000);
    md_publish_instrument(&core.md, &i);
    core.fine = true;
    RUNS(EXIT_OK, "new BTCUSDT buy 3 60000.5 --socket %s", core.path);
    RUNS(EXIT_OK, "orders --json --socket %s", core.path);
    HAS("\"px\":\"60000.50\"");
    HAS("\"qty\":\"3\"");
    RUNS(EXIT_OK, "new BTCUSDT buy 0.5 60000.123 --socket %s", core.path); /* off both: all its digits */
    RUNS(EXIT_OK, "orders --json --socket %s", core.path);
    HAS("\"px\":\"60000.123\"");
    HAS("\"qty\":\"0.5\"");
    core_stop(&core);
}

TEST(halt_stops_new_orders_until_resume)
{
    core_start(&core);
    RUNS(EXIT_OK, "halt --socket %s", core.path);
    RUNS(EXIT_FAILED, "new BTCUSDT buy 0.1 60000 --socket %s", core.path);
    HAS("HALTED");
    RUNS(EXIT_OK, "resume --json --socket %s", core.path);
    CHECK_STR(out, "{\"command\":\"resume\",\"done\":true,\"text\":\"\"}\n");
    RUNS(EXIT_OK, "new BTCUSDT buy 0.1 60000 --socket %s", core.path);
    core_stop(&core);
}

TEST(status_and_positions_show_the_metrics_page_and_the_gateways_answer)
{
    core_start(&core);
    struct metric_page *p = core.metrics.mem;
    metric_name_venue(p, 0, "binance");
    metric_name_instrument(p, 0, "BTCUSDT", 5);
    metric_set(p, METRIC_PAPER, 0, 1);
    metric_set(p, METRIC_READY, 0, 1);
    metric_set(p, METRIC_ORDER_SENT, 0, 12);
    metric_set(p, METRIC_ORDER_DENIED, DENY_PRICE_COLLAR, 4);
    RUNS(EXIT_OK, "new BTCUSDT buy 0.1 60000 --socket %s", core.path);
    RUNS(EXIT_OK, "status --socket %s", core.path);
    HAS("mode         paper");
    HAS(", ready");
    HAS("BTCUSDT      live     60000.00 / 60000.10");
    HAS("orders       1 open, 0 unknown");
    HAS("price_collar       4");
    HAS("position     BTCUSDT      -1.50000");
    RUNS(EXIT_OK, "status --json --socket %s", core.path);
    json_t *j = parsed();
    CHECK_EQ(json_integer_value(json_object_get(json_object_get(j, "totals"), "sent")), 12);
    CHECK_EQ(json_integer_value(json_object_get(json_object_get(j, "orders"), "open")), 1);
    CHECK_EQ(json_integer_value(json_object_get(j, "pid")), getpid());
    json_decref(j);
    RUNS(EXIT_OK, "positions --socket %s", core.path);
    HAS("-1.50000");
    RUNS(EXIT_OK, "positions --json --socket %s", core.path);
    j = parsed();
    CHECK_STR(word(json_array_get(j, 0), "qty"), "-1.50000");
    json_decref(j);
    p->layout++; /* a gateway of another build */
    RUNS(EXIT_FAILED, "status --socket %s", core.path);
    HAS("another version");
    core_stop(&core);
}

TEST(a_gateway_that_does_not_answer_is_a_failure_after_the_timeout)
{
    core_start(&core);
    atomic_store(&core.hold, true);
    RUNS(EXIT_FAILED, "orders --timeout 0.1 --socket %s", core.path);
    HAS("no answer within 0.100 s");
    RUNS(EXIT_FAILED, "new BTCUSDT buy 0.1 60000 --timeout 0.1 --socket %s", core.path);
    HAS("is not known");
    core_stop(&core);
}

TEST(a_long_list_of_orders_arrives_whole)
{
    core_start(&core);
    struct execgw *h = execgw_connect(core.path, "alpha", NULL);
    struct instrument ins;
    CHECK(h != NULL);
    CHECK_EQ(execgw_instrument(h, 0, &ins), EXECGW_OK);
    for (unsigned i = 0; i < 300; i++) {
        enum execgw_result s = EXECGW_FULL;
        for (int k = 0; k < CORE_WAIT_MS && s == EXECGW_FULL; k++) {
            s = execgw_new_limit(h, &ins, SIDE_BUY, 5000000, 1, TIF_GTC, 0, NULL);
            if (s == EXECGW_FULL)
                (void)poll(NULL, 0, 1);
        }
        CHECK_EQ(s, EXECGW_OK);
    }
    size_t n = 0;
    for (int k = 0; k < 1000 && n != 300; k++) { /* until the core has taken them all */
        RUNS(EXIT_OK, "orders --json --socket %s", core.path);
        json_t *j = parsed();
        n = json_array_size(j);
        json_decref(j);
    }
    CHECK_EQ(n, 300);
    execgw_close(h);
    core_stop(&core);
}

TEST_MAIN()
