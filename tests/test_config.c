/* Configuration: every rule, with the text that an operator reads. */
#include "engine/config_limits.h"
#include "risk/limits_change.h"
#include "tests/test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct config c;
static char dir[64];
static char file[96];
static char printed[65536];
static char errors[65536];

static void
write_file(const char *path, const char *text, mode_t mode)
{
    (void)unlink(path);
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    CHECK_EQ(fchmod(fd, mode), 0);
    CHECK_EQ(close(fd), 0);
}

static void
folder_remove(void)
{
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    if (system(command) != 0)
        (void)fprintf(stderr, "%s stays\n", dir);
}

/* Load `text` as c.toml of a folder that we are in, so that errors start with c.toml. */
static int
load_with(const char *text, char *const *env, const char *arg1, const char *arg2)
{
    if (*dir == '\0') {
        (void)snprintf(dir, sizeof(dir), "/tmp/execgw_config_XXXXXX");
        CHECK(mkdtemp(dir) != NULL);
        CHECK_EQ(chdir(dir), 0);
        (void)atexit(folder_remove);
    }
    (void)snprintf(file, sizeof(file), "c.toml");
    if (text != NULL)
        write_file(file, text, 0644);
    char *argv[6] = { "execgw", "--config", file, (char *)(uintptr_t)arg1, (char *)(uintptr_t)arg2, NULL };
    int argc = 3 + (arg1 != NULL) + (arg2 != NULL);
    memset(printed, 0, sizeof(printed));
    memset(errors, 0, sizeof(errors));
    FILE *out = fmemopen(printed, sizeof(printed) - 1, "w");
    FILE *err = fmemopen(errors, sizeof(errors) - 1, "w");
    int rc = config_load(argc, argv, env, &c, out, err);
    (void)fclose(out);
    (void)fclose(err);
    return rc;
}

static int
load(const char *text)
{
    return load_with(text, NULL, NULL, NULL);
}

#define VENUE                                     \
    "[venue.binance]\n"                           \
    "dialect = \"binance\"\n"                     \
    "market_url = \"wss://127.0.0.1:1/stream\"\n" \
    "api_url = \"wss://127.0.0.1:1/ws-api/v3\"\n" \
    "symbols = [\"BTCUSDT\", \"ETHUSDT\"]\n"
#define RISK      "[risk]\norder_qty_max = \"1\"\norder_notional_max = \"1000\"\nposition_max = \"2\"\n"
#define LIVE_RISK RISK "[risk.global]\ngross_exposure_max = \"1000\"\ndaily_loss_max = \"100\"\n"
#define BASE      VENUE RISK

/* The text loads, but for exactly this error output. */
#define CHECK_ERRORS(text, wanted)         \
    do {                                   \
        CHECK_EQ(load(text), EXIT_CONFIG); \
        CHECK_STR(errors, wanted);         \
    } while (0)

#define CHECK_STARTS(text, start) CHECK_EQ(strncmp((text), (start), strlen(start)), 0)

TEST(the_smallest_configuration_loads_with_defaults)
{
    CHECK_EQ(load(BASE), CONFIG_GO);
    CHECK_STR(errors, "");
    CHECK_EQ(c.mode, MODE_PAPER);
    CHECK(!c.live);
    CHECK_EQ(c.instance, 1);
    CHECK_EQ(c.loop.mode, LOOP_BLOCK);
    CHECK_EQ(c.memory.orders_max, 4096);
    CHECK_STR(c.client.socket, "");
    CHECK_EQ(c.venues, 1);
    CHECK_STR(c.venue[0].name, "binance");
    CHECK_STR(c.venue[0].account, "main");
    CHECK_EQ(c.venue[0].symbols, 2);
    CHECK_STR(c.venue[0].symbol[1], "ETHUSDT");
    CHECK_EQ(c.venue[0].recv_window_ms, 1000);
    CHECK_EQ(c.accounts, 1);
    CHECK_STR(c.account[0].name, "main");
    CHECK_EQ(c.account[0].id, 0);
    CHECK_STR(c.risk.limits.position_max, "2");
}

TEST(the_example_file_is_valid)
{
    const char *source = getenv("EXECGW_SOURCE");
    if (source == NULL)
        SKIP("EXECGW_SOURCE is not set\n");
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/config.toml", source);
    char *argv[] = { "execgw", "--config", path, "--check-config", NULL };
    CHECK_EQ(config_load(4, argv, NULL, &c, stdout, stderr), EXIT_OK);
    CHECK_EQ(c.strategies, 2);
    CHECK_EQ(c.risk.overrides, 1);
    CHECK_STR(config_limits_for(&c, "ETHUSDT")->order_qty_max, "10");
    CHECK_STR(config_limits_for(&c, "ETHUSDT")->order_notional_max, "25000");
    CHECK_STR(config_limits_for(&c, "BTCUSDT")->order_qty_max, "1");
}

TEST(a_syntax_error_names_its_place)
{
    CHECK_EQ(load("[loop]\nmode = busy\n"), EXIT_CONFIG);
    CHECK_STARTS(errors, "c.toml:2:8: ");
    CHECK(strchr(errors, '\n') == errors + strlen(errors) - 1);
    CHECK_ERRORS("[loop]\n\n  [=memory]\n", "c.toml:3:4: a section's name starts with a character that no key has\n");
    CHECK_ERRORS("# caf\xc3\xa9 \"\n\xc3\xa9 = 1\n",
                 "c.toml:2:1: a character that is not printable ASCII, expected those in comments only\n");
    CHECK_ERRORS("[client]\nsocket = \"#\xc2\xb5\"\n",
                 "c.toml:2:12: a character that is not printable ASCII, expected those in comments only\n");
    CHECK_EQ(load("\xef\xbb\xbf# caf\xc3\xa9 '\n[client] # \xc3\xa9\nsocket = \"a#\\\"b\" # \xc3\xa9\n" BASE),
             CONFIG_GO);
    CHECK_STR(c.client.socket, "a#\"b");
    CHECK_EQ(load("a = 1\na = 2\n"), EXIT_CONFIG);
    CHECK_STARTS(errors, "c.toml:2:");
}

TEST(all_other_errors_are_reported_together_in_the_order_of_the_file)
{
    CHECK_ERRORS("instance = 3844\nmood = \"paper\"\n[loop]\nmode = \"spin\"\ncpu = \"two\"\n"
                 "[memory]\norders_max = 1000\nlock = 1\n" BASE,
                 "c.toml:1:1: instance: is 3844, expected an integer from 1 to 3843\n"
                 "c.toml:2:1: mood: is an unknown key, did you mean mode?\n"
                 "c.toml:4:1: loop.mode: is \"spin\", expected \"busy\" or \"block\"\n"
                 "c.toml:5:1: loop.cpu: is \"two\", expected an integer from -1 to 1023\n"
                 "c.toml:7:1: memory.orders_max: is 1000, expected a power of two from 16 to 1048576\n"
                 "c.toml:8:1: memory.lock: is 1, expected true or false\n");
}

TEST(integers_are_taken_at_their_limits_and_refused_one_beyond)
{
    CHECK_EQ(load("instance = 3843\n[loop]\ncpu = -1\n" BASE), CONFIG_GO);
    CHECK_EQ(c.instance, 3843);
    CHECK_EQ(load("instance = 1\n[loop]\ncpu = 1023\n" BASE), CONFIG_GO);
    CHECK_EQ(c.loop.cpu, 1023);
    CHECK_ERRORS("instance = 0\n" BASE, "c.toml:1:1: instance: is 0, expected an integer from 1 to 3843\n");
    CHECK_ERRORS("[loop]\ncpu = -2\n" BASE, "c.toml:2:1: loop.cpu: is -2, expected an integer from -1 to 1023\n");
}

TEST(an_unknown_key_is_an_error_with_the_nearest_known_one)
{
    CHECK_ERRORS("[loop]\nmodes = \"busy\"\n" BASE,
                 "c.toml:2:1: loop.modes: is an unknown key, did you mean loop.mode?\n");
    CHECK_ERRORS(BASE "colar_ppm = 5\n",
                 "c.toml:10:1: risk.colar_ppm: is an unknown key, did you mean risk.collar_ppm?\n");
    CHECK_ERRORS("[loop]\ncollar_ppm = 5\n" BASE,
                 "c.toml:2:1: loop.collar_ppm: is an unknown key, did you mean risk.collar_ppm?\n");
    CHECK_ERRORS("[loop]\nxyzzyplugh = 5\n" BASE,
                 "c.toml:2:1: loop.xyzzyplugh: is an unknown key, expected one of those that --help-config lists\n");
    CHECK_ERRORS(VENUE "api_uri = \"x\"\n" RISK,
                 "c.toml:6:1: venue.binance.api_uri: is an unknown key, did you mean venue.binance.api_url?\n");
}

TEST(an_unknown_section_is_one_error_with_the_nearest_known_one)
{
    CHECK_ERRORS("[jurnal]\ndir = \"x\"\nsync = 4\n" BASE,
                 "c.toml:1:2: jurnal: is an unknown section, did you mean [journal]?\n");
    CHECK_ERRORS("[venues.kraken]\ndialect = \"x\"\n" BASE,
                 "c.toml:1:2: venues: is an unknown section, did you mean [venue]?\n");
    CHECK_ERRORS("[qqqqqqqqqqqq]\n" BASE,
                 "c.toml:1:2: qqqqqqqqqqqq: is an unknown section, expected one of those that --help-config lists\n");
}

TEST(a_section_where_a_value_belongs_and_the_reverse_are_errors)
{
    CHECK_ERRORS("loop = 3\n" BASE, "c.toml:1:1: loop: is 3, expected a section\n");
    CHECK_ERRORS("venue = \"binance\"\n" RISK, "c.toml:1:1: venue: no venue is configured, expected a [venue.<name>]\n"
                                               "c.toml:1:1: venue: is \"binance\", expected a section\n");
    CHECK_ERRORS("[loop.cpu]\nx = 1\n" BASE,
                 "c.toml:1:7: loop.cpu: is a section, expected an integer from -1 to 1023\n");
    CHECK_ERRORS("instance = [1]\n" BASE, "c.toml:1:1: instance: is a list, expected an integer from 1 to 3843\n");
    CHECK_ERRORS("[client]\nallowed_uids = 5\n" BASE,
                 "c.toml:2:1: client.allowed_uids: is 5, expected a list of user ids such as [1000], at most 16\n");
}

TEST(a_key_with_strange_characters_is_refused)
{
    CHECK_ERRORS("\"mo de\" = 3\n" BASE,
                 "c.toml:1:1: a key holds other characters than letters, digits, _ and -, expected a plain one\n");
    CHECK_ERRORS("\"risk.collar_ppm\" = 3\n" BASE,
                 "c.toml:1:1: a key holds other characters than letters, digits, _ and -, expected a plain one\n");
}

TEST(money_and_quantities_are_decimals_in_quotes_never_floats)
{
    CHECK_EQ(load(VENUE "[risk]\norder_qty_max = \"0.00000001\"\norder_notional_max = \"92233720368\"\n"
                        "position_max = \"2.50\"\n"),
             CONFIG_GO);
    CHECK_STR(c.risk.limits.order_qty_max, "0.00000001");
    CHECK_EQ(load(VENUE "[risk]\norder_qty_max = 0.1\norder_notional_max = 5\nposition_max = \"-2\"\n"), EXIT_CONFIG);
    CHECK(strstr(errors, "c.toml:7:1: risk.order_qty_max: is a float, expected a decimal in quotes") != NULL);
    CHECK(strstr(errors, "c.toml:8:1: risk.order_notional_max: is 5, expected a decimal in quotes") != NULL);
    CHECK(strstr(errors, "c.toml:9:1: risk.position_max: is \"-2\", expected a decimal in quotes") != NULL);
    CHECK_EQ(load(BASE "order_qty_min = \"1e-3\"\n"), EXIT_CONFIG);
    CHECK_EQ(load(BASE "order_qty_min = \"1.\"\n"), EXIT_CONFIG);
    CHECK_EQ(load(BASE "order_qty_min = \" 1\"\n"), EXIT_CONFIG);
    CHECK_EQ(load(BASE "order_qty_min = \"0.000000001\"\n"), EXIT_CONFIG);
}

TEST(every_symbol_needs_its_three_limits_of_size)
{
    CHECK_ERRORS(VENUE "[risk]\norder_qty_max = \"1\"\norder_notional_max = \"1000\"\n"
                       "[risk.instrument.ETHUSDT]\nposition_max = \"3\"\n",
                 "c.toml:5:1: venue.binance: risk.position_max is not set for BTCUSDT, expected it in [risk] or "
                 "[risk.instrument.BTCUSDT]\n");
    /* One that is there and wrong is one error, not one per symbol more. */
    CHECK_ERRORS(VENUE "[risk]\norder_qty_max = \"1e5\"\norder_notional_max = \"1000\"\nposition_max = \"2\"\n",
                 "c.toml:7:1: risk.order_qty_max: is \"1e5\", expected a decimal in quotes from \"0\" to "
                 "\"92233720368.54775807\", at most 8 places\n");
    /* The largest is taken, one more is not. */
    CHECK_EQ(load(VENUE "[risk]\norder_qty_max = \"92233720368.54775807\"\norder_notional_max = \"1000\"\nposition_max "
                        "= \"2\"\n"),
             CONFIG_GO);
    CHECK_ERRORS(
        VENUE "[risk]\norder_qty_max = \"92233720368.54775808\"\norder_notional_max = \"1000\"\nposition_max "
              "= \"2\"\n",
        "c.toml:7:1: risk.order_qty_max: is \"92233720368.54775808\", expected a decimal in quotes from \"0\" to "
        "\"92233720368.54775807\", at most 8 places\n");
    /* Nor does an empty one start. */
    CHECK_EQ(load(VENUE "[risk]\norder_qty_max = \"\"\norder_notional_max = \"1000\"\nposition_max = \"2\"\n"),
             EXIT_CONFIG);
}

TEST(an_override_takes_what_it_does_not_set_from_the_default)
{
    CHECK_EQ(load("[risk.instrument.ETHUSDT]\ncollar_ppm = 7\nrestricted = true\n" BASE "collar_ppm = 9\n"
                  "order_rate = 3\n"),
             CONFIG_GO);
    const struct config_limits *eth = config_limits_for(&c, "ETHUSDT");
    CHECK_EQ(eth->collar_ppm, 7);
    CHECK_EQ(eth->order_rate, 3);
    CHECK(eth->restricted);
    CHECK_STR(eth->position_max, "2");
    CHECK_STR(eth->symbol, "ETHUSDT");
    CHECK_EQ(config_limits_for(&c, "BTCUSDT")->collar_ppm, 9);
    CHECK_ERRORS(BASE "[risk.instrument.ETHUSD]\ncollar_ppm = 7\n",
                 "c.toml:10:18: risk.instrument.ETHUSD: is no configured symbol, did you mean ETHUSDT?\n");
}

TEST(values_that_contradict_each_other_are_refused)
{
    CHECK_ERRORS(
        VENUE "reconnect_min_ms = 500\nreconnect_max_ms = 499\naccount = \"second\"\n" RISK
              "order_qty_min = \"1.1\"\norder_notional_min = \"1000.01\"\n",
        "c.toml:6:1: venue.binance.reconnect_min_ms: is 500, expected at most reconnect_max_ms (499)\n"
        "c.toml:8:1: venue.binance.account: is \"second\", expected the name of an [account.<name>]\n"
        "c.toml:13:1: risk.order_qty_min: is \"1.1\", expected at most order_qty_max (\"1\")\n"
        "c.toml:14:1: risk.order_notional_min: is \"1000.01\", expected at most order_notional_max (\"1000\")\n");
    CHECK_EQ(load(VENUE "reconnect_min_ms = 500\nreconnect_max_ms = 500\n" RISK "order_qty_min = \"1.0\"\n"),
             CONFIG_GO);
    CHECK_ERRORS("[memory]\ninstruments_max = 1\n" BASE,
                 "c.toml:2:1: memory.instruments_max: is 1, expected at least 2: so many symbols are configured\n");
}

TEST(required_keys_are_missed_at_their_section)
{
    CHECK_ERRORS("[strategy.demo]\n[venue.binance]\ndialect = \"binance\"\n" RISK,
                 "c.toml:1:11: strategy.demo.id: is not set, expected an integer from 0 to 61\n"
                 "c.toml:2:8: venue.binance.market_url: is not set, expected wss://HOST[:PORT]/PATH\n"
                 "c.toml:2:8: venue.binance.api_url: is not set, expected wss://HOST[:PORT]/PATH\n"
                 "c.toml:2:8: venue.binance.symbols: is not set, expected a list of different symbols such as "
                 "[\"BTCUSDT\"], at most 256\n");
}

TEST(ids_of_strategies_are_unique)
{
    CHECK_ERRORS("[strategy.a]\nid = 3\n[strategy.b]\nid = 3\n" BASE,
                 "c.toml:4:1: strategy.b.id: is 3, expected another than that of [strategy.a]\n");
    CHECK_EQ(load("[strategy.a]\nid = 3\n[strategy.b]\nid = 4\n" BASE), CONFIG_GO);
    CHECK_EQ(c.strategies, 2);
}

TEST(the_same_symbol_twice_is_refused)
{
    CHECK_EQ(load("[venue.binance]\ndialect = \"binance\"\nmarket_url = \"wss://127.0.0.1:1/stream\"\n"
                  "api_url = \"wss://127.0.0.1:1/x\"\nsymbols = [\"BTCUSDT\", \"BTCUSDT\"]\n" RISK),
             EXIT_CONFIG);
    CHECK_STR(errors,
              "c.toml:5:23: venue.binance.symbols: is \"BTCUSDT\", expected a list of different symbols such as "
              "[\"BTCUSDT\"], at most 256\n");
}

TEST(the_environment_beats_the_file_and_the_file_beats_the_default)
{
    char *env[] = { "PATH=/bin",
                    "EXECGW_SOURCE=/elsewhere",
                    "EXECGW__LOOP__MODE=busy",
                    "EXECGW__INSTANCE=77",
                    "EXECGW__MEMORY__LOCK=true",
                    "EXECGW__VENUE__BINANCE__API_URL=wss://127.0.0.1:99/x",
                    "EXECGW__VENUE__BINANCE__SYMBOLS=SOLUSDT,BNBUSDT",
                    "EXECGW__RISK__COLLAR_PPM=123",
                    "EXECGW__RISK__INSTRUMENT__SOLUSDT__POSITION_MAX=9.5",
                    "EXECGW__CLIENT__ALLOWED_UIDS=0,1000",
                    "EXECGW__STRATEGY__FAST__ID=9",
                    NULL };
    CHECK_EQ(load_with("instance = 5\n[loop]\nmode = \"block\"\ncpu = 1\n" BASE, env, NULL, NULL), CONFIG_GO);
    CHECK_STR(errors, "");
    CHECK_EQ(c.loop.mode, LOOP_BUSY);
    CHECK_EQ(c.loop.cpu, 1);
    CHECK_EQ(c.instance, 77);
    CHECK(c.memory.lock);
    CHECK_STR(c.venue[0].api_url, "wss://127.0.0.1:99/x");
    CHECK_EQ(c.venue[0].symbols, 2);
    CHECK_STR(c.venue[0].symbol[0], "SOLUSDT");
    CHECK_EQ(c.risk.limits.collar_ppm, 123);
    CHECK_STR(config_limits_for(&c, "SOLUSDT")->position_max, "9.5");
    CHECK_EQ(config_limits_for(&c, "SOLUSDT")->collar_ppm, 123);
    CHECK_EQ(c.client.allowed_uids, 2);
    CHECK_EQ(c.client.allowed_uid[1], 1000);
    CHECK_EQ(c.strategies, 1);
    CHECK_STR(c.strategy[0].name, "fast");
    CHECK_EQ(c.strategy[0].id, 9);
}

TEST(a_list_in_the_environment_is_written_with_commas_or_as_in_the_file)
{
    static const char *const good[] = { "SOLUSDT,BNBUSDT", "[\"SOLUSDT\",\"BNBUSDT\"]", "['SOLUSDT', 'BNBUSDT']",
                                        " [ SOLUSDT , BNBUSDT, ] ", "\"SOLUSDT\", BNBUSDT" };
    static const char *const bad[] = {
        "[SOLUSDT", "SOLUSDT]", "[\"SOLUSDT]", "[SOLUSDT,,BNBUSDT]", "[[SOLUSDT]]", "[,]"
    };
    char symbols[128];
    char uids[] = "EXECGW__CLIENT__ALLOWED_UIDS=[0, 1000]";
    char *env[] = { symbols, uids, NULL };

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        (void)snprintf(symbols, sizeof(symbols), "EXECGW__VENUE__BINANCE__SYMBOLS=%s", good[i]);
        CHECK_EQ(load_with(BASE, env, NULL, NULL), CONFIG_GO);
        CHECK_EQ(c.venue[0].symbols, 2);
        CHECK_STR(c.venue[0].symbol[0], "SOLUSDT");
        CHECK_STR(c.venue[0].symbol[1], "BNBUSDT");
        CHECK_EQ(c.client.allowed_uids, 2);
        CHECK_EQ(c.client.allowed_uid[1], 1000);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        (void)snprintf(symbols, sizeof(symbols), "EXECGW__VENUE__BINANCE__SYMBOLS=%s", bad[i]);
        CHECK_EQ(load_with(BASE, env, NULL, NULL), EXIT_CONFIG);
        CHECK(strstr(errors, "EXECGW__VENUE__BINANCE__SYMBOLS (environment): venue.binance.symbols: is ") == errors);
        CHECK(strstr(errors, "expected a list of different symbols such as [\"BTCUSDT\"]") != NULL);
    }
    CHECK_EQ(load_with(BASE, (char *[]){ "EXECGW__CLIENT__ALLOWED_UIDS=[]", NULL }, NULL, NULL), CONFIG_GO);
    CHECK_EQ(c.client.allowed_uids, 0);
}

TEST(errors_in_the_environment_name_the_variable)
{
    char *env[] = { "EXECGW__LOOP__MODE=spin", "EXECGW__LOOP__MOD=busy", "EXECGW__INSTANCE=1x", "EXECGW__=3", NULL };
    CHECK_EQ(load_with("[loop]\ncpu = -5\n" BASE, env, NULL, NULL), EXIT_CONFIG);
    CHECK_STR(errors, "c.toml:2:1: loop.cpu: is -5, expected an integer from -1 to 1023\n"
                      "EXECGW__LOOP__MODE (environment): loop.mode: is \"spin\", expected \"busy\" or \"block\"\n"
                      "EXECGW__LOOP__MOD (environment): loop.mod: is an unknown key, did you mean loop.mode?\n"
                      "EXECGW__INSTANCE (environment): instance: is \"1x\", expected an integer from 1 to 3843\n"
                      "EXECGW__ (environment): names no key, expected EXECGW__SECTION__KEY\n");
}

TEST(live_needs_the_file_and_the_command_line)
{
    static const char paper[] = "mode = \"paper\"\n" BASE;
    CHECK_EQ(load_with(paper, NULL, "--live", NULL), EXIT_CONFIG);
    CHECK_STR(errors, "command line: --live: mode is \"paper\" in c.toml, expected mode = \"live\" there as well\n");
    char live[4096];
    (void)load(BASE); /* makes the folder */
    write_file("k.pem", "x", 0600);
    (void)snprintf(live, sizeof(live), "mode = \"live\"\n%s",
                   VENUE "key_file = \"./k.pem\"\napi_key = \"id\"\n" LIVE_RISK);
    CHECK_EQ(load_with(live, NULL, NULL, NULL), CONFIG_GO);
    CHECK(!c.live);
    CHECK_EQ(load_with(live, NULL, "--paper", NULL), CONFIG_GO);
    CHECK(!c.live);
    CHECK_EQ(load_with(live, NULL, "--live", NULL), CONFIG_GO);
    CHECK(c.live);
    char *env[] = { "EXECGW__MODE=live", NULL };
    CHECK_EQ(load_with(paper, env, "--live", NULL), EXIT_CONFIG);
    CHECK(strstr(errors, "EXECGW__MODE (environment): mode: is \"live\" in the environment, expected it in the file") !=
          NULL);
    CHECK_EQ(load_with(paper, NULL, "--live", "--paper"), EXIT_USAGE);
}

TEST(live_takes_loopback_venues_only)
{
    write_file("k.pem", "x", 0600);
    CHECK_EQ(load_with("mode = \"live\"\n[venue.binance]\ndialect = \"binance\"\n"
                       "market_url = \"wss://stream.example.com/stream\"\napi_url = \"wss://localhost/ws-api/v3\"\n"
                       "symbols = [\"BTCUSDT\"]\napi_key = \"id\"\nkey_file = \"./k.pem\"\n" LIVE_RISK,
                       NULL, "--live", NULL),
             EXIT_CONFIG);
    CHECK_STR(errors,
              "c.toml:4:1: venue.binance.market_url: host \"stream.example.com\" is not this machine, expected a "
              "loopback address: live trading beyond loopback is not enabled in this version\n");
    /* The same in paper mode is fine: nothing but market data goes there. */
    CHECK_EQ(load_with(NULL, NULL, "--paper", NULL), CONFIG_GO);
}

TEST(live_needs_limits_of_exposure_and_loss)
{
    write_file("k.pem", "x", 0600);
    CHECK_EQ(
        load_with("mode = \"live\"\n" VENUE "key_file = \"./k.pem\"\napi_key = \"id\"\n" RISK, NULL, "--live", NULL),
        EXIT_CONFIG);
    CHECK_STR(errors, "c.toml:1:1: risk.global.gross_exposure_max: is not set, expected a limit in USDT: mode is live\n"
                      "c.toml:1:1: risk.global.daily_loss_max: is not set, expected a limit in USDT: mode is live\n");
}

TEST(live_needs_a_key)
{
    CHECK_EQ(load_with("mode = \"live\"\n" BASE "[risk.global]\ngross_exposure_max = \"1\"\ndaily_loss_max = \"1\"\n",
                       NULL, "--live", NULL),
             EXIT_CONFIG);
    CHECK_STR(errors, "c.toml:2:8: venue.binance.key_file: is not set, expected a key: mode is live\n"
                      "c.toml:2:8: venue.binance.api_key_file: is not set, expected a key: mode is live\n");
}

#define KRAKEN                                \
    "[venue.kraken]\n"                        \
    "dialect = \"kraken\"\n"                  \
    "market_url = \"wss://127.0.0.1:1/v2\"\n" \
    "api_url = \"wss://127.0.0.1:2/v2\"\n"    \
    "symbols = [\"BTC/USD\", \"MINA/GBP\"]\n"

TEST(two_venues_of_different_dialects_load_together)
{
    CHECK_EQ(load(VENUE KRAKEN "depth = 25\nrest_url = \"https://127.0.0.1:3\"\n" RISK
                               "[risk.instrument.\"BTC/USD\"]\ntob_age_max_ms = 30000\n"),
             CONFIG_GO);
    CHECK_EQ(c.venues, 2);
    CHECK_EQ(c.venue[1].dialect, DIALECT_KRAKEN);
    CHECK_EQ(c.venue[1].depth, 25);
    CHECK_STR(c.venue[1].symbol[1], "MINA/GBP");
    CHECK_EQ(config_limits_for(&c, "BTC/USD")->tob_age_max_ms, 30000);
    CHECK_EQ(config_limits_for(&c, "MINA/GBP")->tob_age_max_ms, 2000);
    CHECK_EQ(load_with(NULL, NULL, "--print-config", NULL), EXIT_OK);
    char again[sizeof(printed)];
    memcpy(again, printed, sizeof(again));
    CHECK(strstr(again, "[risk.instrument.\"BTC/USD\"]") != NULL);
    CHECK_EQ(load(again), CONFIG_GO);
    CHECK_EQ(config_limits_for(&c, "BTC/USD")->tob_age_max_ms, 30000);
}

TEST(what_a_dialect_cannot_do_is_refused_with_what_it_can)
{
    CHECK_ERRORS(KRAKEN "depth = 20\n" RISK,
                 "c.toml:6:1: venue.kraken.depth: is 20, expected 10, 25, 100, 500 or 1000 (dialect kraken)\n");
    CHECK_ERRORS(KRAKEN "rest_url = \"wss://127.0.0.1:3\"\n" RISK,
                 "c.toml:6:1: venue.kraken.rest_url: is \"wss://127.0.0.1:3\", expected https://HOST[:PORT]\n");
    CHECK_ERRORS(KRAKEN "rest_url = \"http://venue.example\"\n" RISK,
                 "c.toml:6:1: venue.kraken.rest_url: would go to \"venue.example\" in clear text, expected https://\n");
    CHECK_EQ(load_with("mode = \"live\"\n" KRAKEN "recv_window_ms = 499\n" RISK, NULL, "--live", NULL), EXIT_CONFIG);
    CHECK(strstr(errors, "key_type: is \"ed25519\", which kraken does not sign with") != NULL);
    CHECK(strstr(errors, "recv_window_ms: is 499, expected at least 500: kraken takes no less") != NULL);
}

TEST(market_data_is_spread_over_as_many_connections_as_can_be_made)
{
    CHECK_ERRORS(VENUE "market_url_b = \"wss://127.0.0.1:4/stream\"\n" RISK,
                 "c.toml:6:1: venue.binance.market_url_b: is set, which needs market_copies = 2\n");
    CHECK_EQ(load(VENUE "market_copies = 2\nmarket_url_b = \"wss://127.0.0.1:4/stream\"\n" RISK), CONFIG_GO);
    CHECK_ERRORS(
        VENUE "market_copies = 2\nmarket_url_b = \"ws://venue.example/stream\"\n" RISK,
        "c.toml:7:1: venue.binance.market_url_b: would go to \"venue.example\" in clear text, expected wss://\n");
    /* A symbol on each, each with a second one to move to, twice: eight symbols are 32 connections. */
    static const char many[] = "[venue.binance]\n"
                               "dialect = \"binance\"\n"
                               "market_url = \"wss://127.0.0.1:1/stream\"\n"
                               "api_url = \"wss://127.0.0.1:1/ws-api/v3\"\n"
                               "streams_per_connection = 5\n"
                               "market_copies = 2\n"
                               "symbols = [\"A1\", \"A2\", \"A3\", \"A4\", \"A5\", \"A6\", \"A7\", \"A8\"%s]\n%s";
    char text[1024];
    (void)snprintf(text, sizeof(text), many, "", RISK);
    CHECK_EQ(load(text), CONFIG_GO);
    (void)snprintf(text, sizeof(text), many, ", \"A9\"", RISK);
    CHECK_ERRORS(text, "c.toml:5:1: venue.binance.streams_per_connection: is 5, expected more: 9 symbols would need 36 "
                       "connections, at most 32 are made\n");
}

TEST(clear_text_is_for_loopback_only)
{
    CHECK_EQ(load("[venue.binance]\ndialect = \"binance\"\nmarket_url = \"ws://127.0.0.1:1/stream\"\n"
                  "api_url = \"ws://venue.example/ws-api/v3\"\nsymbols = [\"BTCUSDT\"]\n" RISK),
             EXIT_CONFIG);
    CHECK_STR(errors,
              "c.toml:4:1: venue.binance.api_url: would go to \"venue.example\" in clear text, expected wss://\n");
}

TEST(a_listen_address_beyond_loopback_must_be_meant)
{
    CHECK_ERRORS("[monitoring]\nlisten = \"0.0.0.0:9464\"\n" BASE,
                 "c.toml:2:1: monitoring.listen: is \"0.0.0.0:9464\", expected a loopback address, or listen_remote = "
                 "true beside it\n");
    CHECK_EQ(load("[monitoring]\nlisten = \"0.0.0.0:9464\"\nlisten_remote = true\n" BASE), CONFIG_GO);
    CHECK_EQ(load("[monitoring]\nlisten = \"127.0.0.1:0\"\n" BASE), CONFIG_GO);
    CHECK_EQ(load("[monitoring]\nlisten = \"[::1]:0\"\n" BASE), CONFIG_GO);
    CHECK_EQ(load("[monitoring]\nlisten = \"\"\n" BASE), CONFIG_GO);
    CHECK_EQ(load("[monitoring]\nlisten = \"127.0.0.1:65536\"\n" BASE), EXIT_CONFIG);
    CHECK_EQ(load("[monitoring]\nlisten = \"127.0.0.1\"\n" BASE), EXIT_CONFIG);
}

TEST(a_key_file_that_others_may_read_is_refused_in_every_mode)
{
    static const char text[] = VENUE "key_file = \"./key\"\n" RISK;
    (void)load(BASE);
    (void)unlink("key");
    CHECK_EQ(load(text), CONFIG_GO); /* paper, and not there yet */
    write_file("key", "secret", 0640);
    CHECK_ERRORS(text, "c.toml:6:1: venue.binance.key_file: ./key has mode 0640, expected 0600 or 0400\n");
    write_file("key", "secret", 0600);
    CHECK_EQ(load(text), CONFIG_GO);
    write_file("key", "secret", 0400);
    CHECK_EQ(load(text), CONFIG_GO);
    write_file("key", "", 0600);
    CHECK_EQ(load(text), EXIT_CONFIG);
    (void)unlink("key");
    CHECK_EQ(mkdir("key", 0700), 0);
    CHECK_ERRORS(text, "c.toml:6:1: venue.binance.key_file: ./key is not a regular file, expected a key file\n");
    CHECK_EQ(rmdir("key"), 0);
}

TEST(a_key_file_of_somebody_else_is_refused)
{
    struct fault f;
    char wanted[128];

    (void)load(BASE);
    write_file("theirs", "secret", 0600);
    if (chown("theirs", 12345, (gid_t)-1) != 0)
        return; /* only root can give files away */
    (void)snprintf(wanted, sizeof(wanted), "./theirs belongs to uid 12345, expected ours (%u)", geteuid());
    CHECK(!key_file_check("./theirs", &f));
    CHECK_STR(f.text, wanted);
    (void)unlink("theirs");
}

TEST(a_key_file_is_taken_at_its_largest_and_refused_one_byte_beyond)
{
    static char big[KEY_FILE_BYTES_MAX + 2];
    struct key_file k = { 0 };
    struct fault f;

    (void)load(BASE);
    memset(big, 'k', KEY_FILE_BYTES_MAX);
    write_file("big", big, 0600);
    CHECK(key_file_read("./big", &k, &f));
    CHECK_EQ(k.len, KEY_FILE_BYTES_MAX);
    CHECK_EQ(k.bytes[k.len], 0);
    key_file_release(&k);
    big[KEY_FILE_BYTES_MAX] = 'k';
    write_file("big", big, 0600);
    CHECK(!key_file_read("./big", &k, &f));
    CHECK_STR(f.text, "./big has 16385 bytes, expected 1 to 16384");
    (void)unlink("big");
}

TEST(after_64_errors_the_rest_is_counted)
{
    static char text[8192];
    size_t n = 0;
    unsigned lines = 0;

    for (unsigned i = 0; i < 66; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "qqqqqqqqqq%u = 1\n", i);
    (void)snprintf(text + n, sizeof(text) - n, "%s", BASE);
    CHECK_EQ(load(text), EXIT_CONFIG);
    for (const char *p = errors; (p = strchr(p, '\n')) != NULL; p++)
        lines++;
    CHECK_EQ(lines, 65);
    CHECK(strstr(errors, "\nc.toml: 2 more errors\n") != NULL);
}

TEST(a_secret_written_where_its_path_belongs_is_never_shown)
{
    CHECK_ERRORS(VENUE "key_file = \"s3cr3tValue\"\n" RISK,
                 "c.toml:6:1: venue.binance.key_file: is not such a path, expected a path with a / in it, or "
                 "credential:NAME\n");
}

TEST(key_file_read_gives_the_content_without_the_last_newline_and_wipes_on_release)
{
    struct key_file k = { 0 };
    struct fault f;

    (void)load(BASE);
    write_file("key", "abc\ndef\r\n\n", 0600);
    CHECK(key_file_read("./key", &k, &f));
    CHECK_EQ(k.len, 7);
    CHECK_STR((const char *)k.bytes, "abc\ndef");
    key_file_release(&k);
    CHECK(k.bytes == NULL);
    key_file_release(&k);
    write_file("key", "\n\n", 0600);
    CHECK(!key_file_read("./key", &k, &f));
    CHECK_STR(f.text, "the key file holds nothing, expected a key");
    CHECK(!key_file_read("./nowhere", &k, &f));
    CHECK_STR(f.text, "./nowhere cannot be opened (No such file or directory), expected a file that we may read");
}

TEST(a_credential_is_read_from_systemds_folder)
{
    struct key_file k = { 0 };
    struct fault f;

    (void)load(BASE);
    (void)unsetenv("CREDENTIALS_DIRECTORY");
    CHECK(!key_file_read("credential:binance", &k, &f));
    CHECK_STR(f.text, "CREDENTIALS_DIRECTORY is not set, expected systemd's LoadCredential= to set it");
    (void)setenv("CREDENTIALS_DIRECTORY", dir, 1);
    write_file("binance", "hush", 0400);
    CHECK(key_file_read("credential:binance", &k, &f));
    CHECK_EQ(k.len, 4);
    key_file_release(&k);
    (void)mkdir("sub", 0700);
    write_file("sub/binance", "hush", 0400);
    CHECK(!key_file_read("credential:sub/binance", &k, &f));
    CHECK_STR(f.text, "\"credential:sub/binance\" names no credential, expected credential:NAME");
    CHECK(!key_file_read("credential:", &k, &f));
    (void)unsetenv("CREDENTIALS_DIRECTORY");
}

TEST(print_config_shows_sources_masks_the_api_key_and_loads_again)
{
    char *env[] = { "EXECGW__LOOP__CPU=3", NULL };
    static char again[sizeof(printed)];

    CHECK_EQ(load_with("instance = 42\n[strategy.demo]\nid = 7\n" VENUE "api_key = \"public-id\"\n" RISK
                       "[risk.instrument.BTCUSDT]\ncollar_ppm = 55\n",
                       env, "--print-config", NULL),
             EXIT_OK);
    uint64_t hash = c.hash;
    CHECK(strstr(printed, "instance = 42  # c.toml:1\n") != NULL);
    CHECK(strstr(printed, "cpu = 3  # EXECGW__LOOP__CPU\n") != NULL);
    CHECK(strstr(printed, "md_batch = 64  # default\n") != NULL);
    CHECK(strstr(printed, "api_key = \"****\"") != NULL);
    CHECK(strstr(printed, "public-id") == NULL);
    memcpy(again, printed, sizeof(again));
    CHECK_EQ(load(again), CONFIG_GO);
    CHECK_STR(errors, "");
    CHECK_EQ(c.loop.cpu, 3);
    CHECK_EQ(c.instance, 42);
    CHECK_EQ(config_limits_for(&c, "BTCUSDT")->collar_ppm, 55);
    CHECK_EQ(c.hash, hash);
}

TEST(the_hash_tells_another_instance_or_venue_but_not_another_limit_or_port)
{
    CHECK_EQ(load(BASE), CONFIG_GO);
    uint64_t base = c.hash;
    CHECK_EQ(load(BASE "collar_ppm = 3\n[loop]\nmode = \"busy\"\n"), CONFIG_GO);
    CHECK_EQ(c.hash, base);
    char *port[] = { "EXECGW__VENUE__BINANCE__API_URL=wss://127.0.0.1:7777/ws-api/v3", NULL };
    CHECK_EQ(load_with(BASE, port, NULL, NULL), CONFIG_GO);
    CHECK_EQ(c.hash, base);
    CHECK_EQ(load("instance = 2\n" BASE), CONFIG_GO);
    CHECK(c.hash != base);
    char *host[] = { "EXECGW__VENUE__BINANCE__API_URL=wss://localhost:1/ws-api/v3", NULL };
    CHECK_EQ(load_with(BASE, host, NULL, NULL), CONFIG_GO);
    CHECK(c.hash != base);
}

static struct config running;

/* Whether a gateway that runs with BASE and a strategy may go on with this. */
static bool
reload(const char *text, struct fault *f)
{
    CHECK_EQ(load("[strategy.a]\nid = 3\n" BASE), CONFIG_GO);
    running = c;
    CHECK_EQ(load(text), CONFIG_GO);
    f->text[0] = '\0';
    return config_reload_allowed(&running, &c, f);
}

TEST(a_reload_may_change_limits_and_the_log_level_and_nothing_else)
{
    struct fault f;

    CHECK(reload("[strategy.a]\nid = 3\n" BASE, &f));
    CHECK(reload("[strategy.a]\nid = 3\norder_rate = 7\n[monitoring]\nlog_level = \"debug\"\n" BASE
                 "collar_ppm = 5\n[risk.instrument.BTCUSDT]\nposition_max = \"1\"\n",
                 &f));
    CHECK(!reload("[strategy.a]\nid = 4\n" BASE, &f));
    CHECK_STR(f.text, "reload refused: strategy.a.id has changed, expected changes of limits and log level only");
    CHECK(!reload("[strategy.b]\nid = 3\n" BASE, &f));
    CHECK_STR(f.text, "reload refused: another [strategy.b], expected changes of limits and log level only");
    CHECK(!reload(BASE, &f));
    CHECK_STR(f.text, "reload refused: another [strategy.a], expected changes of limits and log level only");
    CHECK(!reload("[strategy.a]\nid = 3\n[loop]\nmode = \"busy\"\n" BASE, &f));
    CHECK_STR(f.text, "reload refused: loop.mode has changed, expected changes of limits and log level only");
    CHECK(!reload("instance = 9\n[strategy.a]\nid = 3\n" BASE, &f));
    CHECK_STR(f.text, "reload refused: instance has changed, expected changes of limits and log level only");
    CHECK(!reload("[strategy.a]\nid = 3\n" BASE "reporting_currency = \"EUR\"\n", &f));
    CHECK_STR(f.text,
              "reload refused: risk.reporting_currency has changed, expected changes of limits and log level only");
    CHECK(!reload("[strategy.a]\nid = 3\n[client]\nallowed_uids = [0]\n" BASE, &f));
    CHECK_STR(f.text, "reload refused: client.allowed_uids has changed, expected changes of limits and log level only");
    CHECK(!reload("[strategy.a]\nid = 3\n[venue.binance]\ndialect = \"binance\"\nmarket_url = "
                  "\"wss://127.0.0.1:1/stream\"\napi_url = \"wss://127.0.0.1:1/ws-api/v3\"\nsymbols = "
                  "[\"BTCUSDT\"]\n" RISK,
                  &f));
    CHECK_STR(f.text,
              "reload refused: venue.binance.symbols has changed, expected changes of limits and log level only");
}

#define REFUSED (-1)

/* What one limit's change is taken for; REFUSED, and nothing has changed. */
static int
set_limit(const char *key, const char *value, struct fault *f)
{
    static struct risk_limits before;
    static struct risk_limits after;
    static struct config was;

    was = c;
    CHECK(config_limits_build(&c, 1, &before, f));
    if (config_set_limit(&c, key, value, f) && config_limits_build(&c, 1, &after, f))
        return (int)limits_compare(&before, &after);
    c = was;
    return REFUSED;
}

TEST(one_limit_may_be_set_and_what_is_not_certainly_tighter_counts_as_looser)
{
    static const struct {
        const char *key;
        const char *value;
        int change;
    } step[] = {
        { "risk.collar_ppm", "5000", LIMITS_TIGHTER },
        { "risk.collar_ppm", "5000", LIMITS_SAME },
        { "risk.collar_ppm", "5001", LIMITS_LOOSER },
        { "risk.order_qty_max", "0.5", LIMITS_TIGHTER },
        { "risk.order_qty_max", "0.50001", LIMITS_LOOSER },
        { "risk.order_qty_max", "", REFUSED },
        { "risk.order_qty_max", "7", LIMITS_LOOSER },
        { "risk.order_qty_min", "0.1", LIMITS_TIGHTER },
        { "risk.order_qty_min", "0.01", LIMITS_LOOSER },
        { "risk.order_qty_min", "", LIMITS_LOOSER },
        { "risk.tob_age_max_ms", "1999", LIMITS_TIGHTER },
        { "risk.restricted", "true", LIMITS_TIGHTER },
        { "risk.restricted", "false", LIMITS_LOOSER },
        { "risk.cancel_burst", "499", LIMITS_LOOSER }, /* cancels are to pass */
        { "risk.position_max", "1", LIMITS_TIGHTER },
        { "risk.position_max", "0.5", LIMITS_TIGHTER },
        { "risk.position_short_max", "1", LIMITS_LOOSER }, /* it was position_max */
        { "risk.position_short_max", "0.5", LIMITS_TIGHTER },
        { "risk.position_short_max", "", LIMITS_SAME },
        { "risk.latency_samples_min", "1001", LIMITS_LOOSER }, /* of fewer, so many slow ones are let pass */
        { "risk.latency_samples_min", "900", LIMITS_TIGHTER },
        { "risk.stall_max_ms", "10", LIMITS_TIGHTER }, /* 0: not watched */
        { "risk.stall_max_ms", "0", LIMITS_LOOSER },
        { "risk.duplicate_window_ms", "5000", LIMITS_TIGHTER },
        { "risk.duplicate_window_ms", "100", LIMITS_LOOSER },
        { "risk.flood_halts", "false", LIMITS_LOOSER },
        { "risk.flood_halts", "true", LIMITS_TIGHTER },
        { "risk.day_start_s", "1", LIMITS_LOOSER }, /* a new day forgets losses */
        { "risk.self_match", "cancel_both", LIMITS_LOOSER },
        { "strategy.a.order_rate", "49", LIMITS_TIGHTER },
        { "strategy.a.order_rate", "51", LIMITS_LOOSER },
        { "strategy.a.order_rate", "0", REFUSED },
        { "strategy.a.id", "4", REFUSED },
        { "strategy.b.order_rate", "1", REFUSED },
        { "journal.dir", "/tmp", REFUSED },
        { "monitoring.log_level", "debug", REFUSED },
        { "risk.order_qty_max", "abc", REFUSED },
        { "collar_ppm", "1", REFUSED },
        { "strategy.a.symbols", "BTCUSDT", REFUSED }, /* a list: by the file */
        { "", "1", REFUSED },
    };
    struct fault f;

    CHECK_EQ(load("[strategy.a]\nid = 3\n" BASE), CONFIG_GO);
    for (size_t i = 0; i < ARRAY_LEN(step); i++)
        CHECK_EQ(set_limit(step[i].key, step[i].value, &f), step[i].change);
    CHECK_STR(c.risk.limits.order_qty_max, "7");
    CHECK_EQ(set_limit("risk.order_rate", "many", &f), REFUSED);
    CHECK_STR(f.text, "risk.order_rate: is many, expected an integer from 1 to 100000");
}

TEST(an_override_that_had_the_defaults_value_follows_it)
{
    struct fault f;

    CHECK_EQ(load(BASE "collar_ppm = 900\n[risk.instrument.BTCUSDT]\nposition_max = \"1\"\n"), CONFIG_GO);
    CHECK_EQ(set_limit("risk.collar_ppm", "800", &f), LIMITS_TIGHTER);
    CHECK_EQ(config_limits_for(&c, "BTCUSDT")->collar_ppm, 800);
    CHECK_EQ(set_limit("risk.position_max", "0.5", &f), LIMITS_TIGHTER);
    CHECK_STR(config_limits_for(&c, "BTCUSDT")->position_max, "1");
    CHECK_EQ(set_limit("risk.instrument.BTCUSDT.position_max", "0.9", &f), LIMITS_TIGHTER);
    CHECK_STR(config_limits_for(&c, "BTCUSDT")->position_max, "0.9");
    running = c;
    CHECK_EQ(load(BASE "collar_ppm = 700\n"), CONFIG_GO);
    config_take_limits(&running, &c);
    CHECK_EQ(running.risk.limits.collar_ppm, 700);
    CHECK_EQ(running.risk.overrides, 0);
}

TEST(the_command_line_says_what_it_does_not_know)
{
    CHECK_EQ(load_with(BASE, NULL, "--pepper", NULL), EXIT_USAGE);
    CHECK_STR(errors, "execgw: unknown argument \"--pepper\", see --help\n");
    CHECK_EQ(load_with(BASE, NULL, "--config", NULL), EXIT_USAGE);
    CHECK_STARTS(errors, "execgw: a file must follow \"--config\", see --help\n");
    CHECK_EQ(load_with(BASE, NULL, "--version", NULL), EXIT_OK);
    CHECK_STARTS(printed, "execgw ");
    CHECK_EQ(load_with(BASE, NULL, "--help", NULL), EXIT_OK);
    CHECK_EQ(load_with(BASE, NULL, "--check-config", NULL), EXIT_OK);
    CHECK_STR(printed, "c.toml: ok\n");
    CHECK_EQ(load_with(BASE, NULL, "--config=nowhere.toml", NULL), EXIT_CONFIG);
    CHECK_STR(errors, "nowhere.toml: cannot be read (No such file or directory), expected a configuration file\n");
}

TEST(a_decimal_is_exact_in_the_instruments_decimals_or_refused)
{
    struct fault f;
    int64_t v = 7;

    CHECK(config_decimal("0.125", 3, 0, "risk.order_qty_max", &v, &f));
    CHECK_EQ(v, 125);
    CHECK(config_decimal("", 3, INT64_MAX, "k", &v, &f));
    CHECK_EQ(v, INT64_MAX);
    CHECK(!config_decimal("0.125", 2, 0, "risk.order_qty_max", &v, &f));
    CHECK_STR(f.text, "risk.order_qty_max: \"0.125\" has more decimals than the instrument, expected at most 2");
    CHECK(!config_decimal("92233720368547758", 8, 0, "k", &v, &f));
}

TEST(urls_are_split_or_refused)
{
    struct config_url u;

    CHECK(config_url_parse("wss://stream.example.com:9443/stream?x=1", &u));
    CHECK(u.tls);
    CHECK_STR(u.host, "stream.example.com");
    CHECK_EQ(u.port, 9443);
    CHECK_STR(u.path, "/stream?x=1");
    CHECK(config_url_parse("ws://[::1]:80", &u));
    CHECK(!u.tls);
    CHECK_STR(u.host, "::1");
    CHECK_STR(u.path, "/");
    CHECK(config_url_parse("wss://h?a", &u));
    CHECK_STR(u.path, "/?a");
    CHECK_EQ(u.port, 443);
    static const char *const bad[] = { "https://h/",  "wss://",      "wss://:1/",  "wss://h:0/",    "wss://h:65536/",
                                       "wss://h:/",   "wss://h:1x/", "wss://[::1", "wss://[::1]x/", "wss://u@h/",
                                       "wss://h/a b", "wss://h/#f",  "wss:///x",   "wss://h:1:2/" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (config_url_parse(bad[i], &u))
            fail_msg("%s was taken", bad[i]);
}

TEST(the_documentation_is_what_the_key_table_says)
{
    const char *source = getenv("EXECGW_SOURCE");
    static char have[sizeof(printed)];
    char path[512];

    if (source == NULL)
        SKIP("EXECGW_SOURCE is not set\n");
    CHECK_EQ(load_with(BASE, NULL, "--help-config", NULL), EXIT_OK);
    (void)snprintf(path, sizeof(path), "%s/docs/configuration.md", source);
    if (getenv("EXECGW_REFRESH") != NULL) { /* EXECGW_REFRESH=1 build/bin/test_config writes it */
        FILE *to = fopen(path, "wb");
        CHECK(to != NULL);
        (void)fputs(printed, to);
        (void)fclose(to);
    }
    FILE *f = fopen(path, "rb");
    CHECK(f != NULL);
    have[fread(have, 1, sizeof(have) - 1, f)] = '\0';
    (void)fclose(f);
    CHECK_STR(have, printed);
}

TEST_MAIN()
