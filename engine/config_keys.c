/* The table of every key of the configuration: name, form, range, default and help. See config_keys.h. */
#include "engine/config_keys.h"
#include "execgw/admission.h"

#define FIELD(type, field) offsetof(type, field), sizeof(((type *)NULL)->field)
#define INT(type, field, lo, hi, def, help)                          \
    {                                                                \
#field, KEY_INT, FIELD(type, field), lo, hi, NULL, def, help \
    }
#define POWER2(type, field, lo, hi, def, help)                          \
    {                                                                   \
#field, KEY_POWER2, FIELD(type, field), lo, hi, NULL, def, help \
    }
#define BOOL(type, field, def, help)                                \
    {                                                               \
#field, KEY_BOOL, FIELD(type, field), 0, 1, NULL, def, help \
    }
#define CHOICE(type, field, choices, def, help)                          \
    {                                                                    \
#field, KEY_CHOICE, FIELD(type, field), 0, 0, choices, def, help \
    }
#define OTHER(type, field, kind, def, help)                     \
    {                                                           \
#field, kind, FIELD(type, field), 0, 0, NULL, def, help \
    }
#define NAMES(type, field, choices, help)                                \
    {                                                                    \
#field, KEY_NAMES, FIELD(type, field), 0, 0, choices, "[]", help \
    }
#define NAMED(type, field, name, kind, def, help)             \
    {                                                         \
        name, kind, FIELD(type, field), 0, 0, NULL, def, help \
    }

static const char *const mode_choices[] = { "paper", "live", NULL };
static const char *const loop_choices[] = { "busy", "block", NULL };
static const char *const sync_choices[] = { "none", "interval", "always", NULL };
static const char *const transport_choices[] = { "uring", "lws", NULL };
const char *const config_dialect_names[] = { "binance", "kraken", NULL };
const char *const config_key_type_names[] = { "hmac", "ed25519", NULL };
static const char *const foreign_choices[] = { "report", "adopt", "cancel", NULL };
static const char *const first_choices[] = { "refuse", "held", NULL };
static const char *const balance_choices[] = { "report", "position", NULL };
static const char *const disconnect_choices[] = { "nothing", "cancel", "reduce", "kill", NULL };
static const char *const format_choices[] = { "text", "json", NULL };
static const char *const level_choices[] = { "debug", "info", "warn", "error", NULL };

static const struct config_key root_keys[] = {
    CHOICE(struct config, mode, mode_choices, "paper",
           "paper: orders go to an in-process matcher; live: real orders, and --live on the command line as well"),
    INT(struct config, instance, 1, 3843, "1", "number of this gateway, part of every ClOrdID; unique per account"),
};

static const struct config_key loop_keys[] = {
    CHOICE(struct config_loop_part, mode, loop_choices, "block",
           "busy: spin on a core of its own; block: sleep in the kernel between events"),
    INT(struct config_loop_part, cpu, -1, 1023, "-1", "core the trading thread is bound to; -1 = none"),
    INT(struct config_loop_part, md_batch, 1, 65536, "64", "market-data messages per turn and connection"),
};

static const struct config_key memory_keys[] = {
    POWER2(struct config_memory, orders_max, 16, 1048576, "4096",
           "orders remembered, terminal ones included; a journal is never read with fewer than it was written with"),
    INT(struct config_memory, instruments_max, 1, INSTRUMENT_MAX, "64", "instruments, all versions ever used"),
    INT(struct config_memory, clients_max, 1, CLIENT_MAX, "16", "clients connected at once"),
    INT(struct config_memory, message_max_bytes, 65536, 16777216, "1048576",
        "longest WebSocket message of a venue; a longer one closes the connection"),
    POWER2(struct config_memory, md_ring, 64, 16777216, "65536", "slots of the market-data ring that clients read"),
    INT(struct config_memory, ladder_levels, 10, LADDER_LEVELS_MAX, "50",
        "levels a side of the ladders that clients read; books may be deeper"),
    INT(struct config_memory, tls_pool_bytes, 1048576, 1073741824, "16777216", "memory for TLS"),
    POWER2(struct config_memory, log_records, 16, 1048576, "1024", "slots of each thread's log ring"),
    BOOL(struct config_memory, lock, "false", "lock all memory (mlockall); refuse to start when that is not allowed"),
};

static const struct config_key journal_keys[] = {
    OTHER(struct config_journal, dir, KEY_PATH, "run/journal", "folder of the journal's segments"),
    POWER2(struct config_journal, segment_bytes, 1048576, 4294967296, "67108864", "size of a segment"),
    CHOICE(struct config_journal, sync, sync_choices, "none",
           "none: survives the process (synced once a second to learn of disk errors); interval: synced every "
           "sync_interval_ms; always: no byte of an order leaves before its record is on disk"),
    INT(struct config_journal, sync_interval_ms, 1, 60000, "100", "with sync = \"interval\": at most this old on disk"),
    INT(struct config_journal, keep_segments, 0, 65536, "0",
        "finished segments kept at a start; older ones become a snapshot; 0: all are kept"),
    OTHER(struct config_journal, archive, KEY_PATH, "",
          "folder on the same file system that older segments are moved to; \"\" = they are removed"),
};

static const struct config_key client_keys[] = {
    OTHER(struct config_client, socket, KEY_PATH, "",
          "unix socket that clients connect to; \"\" = $XDG_RUNTIME_DIR/execgw/execgw.sock, without that variable "
          "/run/execgw/execgw.sock"),
    NAMED(struct config_client, allowed_uid, "allowed_uids", KEY_UIDS, "[]",
          "user ids that may connect; none = only the gateway's own"),
    POWER2(struct config_client, report_ring, 16, 1048576, "4096", "slots of a client's report ring"),
    POWER2(struct config_client, command_ring, 16, 1048576, "1024", "slots of a client's command ring"),
};

static const char *const verb_choices[] = { "new", "replace", NULL };

static const struct config_key strategy_keys[] = {
    INT(struct config_strategy, id, 0, CLIENT_ADOPTED - 1, NULL, "number of the strategy in messages and journal"),
    CHOICE(struct config_strategy, on_disconnect, disconnect_choices, "cancel",
           "when its process is gone: nothing; cancel its orders; reduce: cancel them, and only reductions of it pass "
           "until an operator says otherwise; kill: the kill switch"),
    INT(struct config_strategy, heartbeat_ms, 0, 3600000, "0",
        "connected and without a command for this long (a heartbeat is one): on_silence; looked at once a second; 0 = "
        "never"),
    CHOICE(struct config_strategy, on_silence, disconnect_choices, "cancel", "what silence does, as on_disconnect"),
    NAMED(struct config_strategy, operator_role, "operator", KEY_BOOL, "false",
          "may halt, resume and act on every strategy's orders"),
    INT(struct config_strategy, order_rate, 1, 100000, "50", "new orders and replaces per second"),
    INT(struct config_strategy, order_burst, 1, 100000, "50", "and at once"),
    NAMES(struct config_strategy, accounts, NULL, "accounts it may use; none = all"),
    NAMES(struct config_strategy, symbols, NULL, "instruments it may trade, in the venue's spelling; none = all"),
    NAMES(struct config_strategy, verbs, verb_choices, "what it may ask for: \"new\", \"replace\"; none = all"),
};

static const struct config_key monitoring_keys[] = {
    OTHER(struct config_monitoring, listen, KEY_LISTEN, "127.0.0.1:9464",
          "address of /metrics, /health and /ready; port 0 = any free one; \"\" = none"),
    BOOL(struct config_monitoring, listen_remote, "false", "allow a listen address beyond loopback"),
    CHOICE(struct config_monitoring, log_format, format_choices, "text", "log lines for people or for machines"),
    CHOICE(struct config_monitoring, log_level, level_choices, "info", "least important level written"),
    OTHER(struct config_monitoring, log_file, KEY_PATH, "", "file that log lines are added to; \"\" = standard error"),
};

static const char *const trip_choices[] = { "nothing", "loss", "any", NULL };

static const struct config_key kill_keys[] = {
    OTHER(struct config_kill, file, KEY_PATH, "",
          "a file whose appearance trips the kill switch, also when it is there at the start; \"\" = none"),
    OTHER(struct config_kill, token_file, KEY_SECRET, "",
          "file with the token of POST /kill, mode 0600 or 0400; \"\" = that is not served"),
    OTHER(struct config_kill, redis, KEY_LISTEN, "",
          "ADDRESS:PORT of a Redis whose channel redis_channel is listened to; it may be down; \"\" = none"),
    OTHER(struct config_kill, redis_channel, KEY_TEXT, "execgw:kill",
          "a message on this channel, or a key of this name when we connect, trips the kill switch"),
    CHOICE(
        struct config_kill, on_trip, trip_choices, "nothing",
        "what latched in risk trips the kill switch as well: losses and drawdown; or any breaker, latency and stalls "
        "included"),
    BOOL(struct config_kill, foreign, "false",
         "the kill switch cancels every order of the account, not only this gateway's"),
};

static const struct config_key venue_keys[] = {
    CHOICE(struct config_venue, dialect, config_dialect_names, NULL, "protocol"),
    OTHER(struct config_venue, market_url, KEY_URL, NULL, "market-data streams, wss://HOST[:PORT]/stream"),
    OTHER(struct config_venue, market_url_b, KEY_URL, "",
          "the same streams at a second address, for market_copies = 2; \"\" = market_url"),
    OTHER(struct config_venue, api_url, KEY_URL, NULL,
          "WebSocket API: orders, snapshots, rules; wss://HOST[:PORT]/PATH"),
    OTHER(struct config_venue, rest_url, KEY_HTTP, "",
          "kraken: log-on tokens, queries and lists, https://HOST[:PORT]; needed for live orders"),
    CHOICE(struct config_venue, transport, transport_choices, "uring",
           "market data: \"uring\", the loop's own; or \"lws\", libwebsockets on a thread of its own, slower"),
    OTHER(struct config_venue, proxy, KEY_LISTEN, "",
          "HTTP proxy for market data, needs transport = \"lws\"; \"\" = none"),
    OTHER(struct config_venue, ca_file, KEY_PATH, "", "PEM file of trusted authorities; \"\" = the system's"),
    OTHER(struct config_venue, account, KEY_NAME, "main", "name of an [account.<name>]"),
    OTHER(struct config_venue, api_key, KEY_PUBLIC, "", "public id of the API key"),
    OTHER(struct config_venue, api_key_file, KEY_SECRET, "", "file with the public id, instead of api_key"),
    OTHER(struct config_venue, key_file, KEY_SECRET, "",
          "file with the secret or private key, mode 0600 or 0400; or credential:NAME (systemd)"),
    CHOICE(struct config_venue, key_type, config_key_type_names, "ed25519", "what key_file holds"),
    NAMED(struct config_venue, symbol, "symbols", KEY_SYMBOLS, NULL, "instruments, in the venue's spelling"),
    INT(struct config_venue, recv_window_ms, 1, 60000, "1000", "the venue refuses a request that arrives later"),
    INT(struct config_venue, snapshot_depth, 5, 5000, "5000", "levels asked for in a depth snapshot"),
    INT(struct config_venue, depth_max, 10, 65536, "5000", "levels kept per side"),
    INT(struct config_venue, depth, 10, 1000, "10",
        "kraken: levels per side subscribed: 10, 25, 100, 500 or 1000; the checksum proves the best 10"),
    INT(struct config_venue, market_copies, 1, 2, "1",
        "connections that carry the same market data: the first copy counts, each fills the other's gaps"),
    INT(struct config_venue, streams_per_connection, 3, 1024, "1024",
        "market-data streams on one connection; binance has three per symbol, kraken two"),
    INT(struct config_venue, connection_lifetime_s, 0, 86400, "82800",
        "a market-data connection this old is replaced before the venue ends it (binance: after 24 h); 0 = never"),
    INT(struct config_venue, gap_wait_ms, 0, 10000, "200",
        "an update missing on one connection is waited for so long from the other one"),
    INT(struct config_venue, silence_ms, 100, 600000, "10000", "market data silent for this long: reconnect"),
    INT(struct config_venue, reconnect_min_ms, 1, 600000, "250", "first wait before connecting again; doubles"),
    INT(struct config_venue, reconnect_max_ms, 1, 600000, "30000", "longest wait before connecting again"),
    INT(struct config_venue, refresh_s, 1, 86400, "3600", "trading rules are fetched again this often"),
    INT(struct config_venue, request_timeout_ms, 10, 600000, "5000", "an answer later than this is UNKNOWN"),
    INT(struct config_venue, audit_s, 1, 3600, "60",
        "open orders, trades and balances are compared with the venue's this often"),
    CHOICE(struct config_venue, foreign_orders, foreign_choices, "report",
           "open orders that are not ours: counted and logged; taken over; or taken over and canceled"),
    CHOICE(
        struct config_venue, balance_changes, balance_choices, "report",
        "a change of the venue's balance that no trade explains: counted and logged; or the position follows it too"),
    CHOICE(struct config_venue, first_position, first_choices, "refuse",
           "an instrument that the account traded before this journal begins: no orders in it; or its position is what "
           "the venue holds of the base"),
    INT(struct config_venue, deadman_ms, 0, 3600000, "0",
        "where the venue offers a countdown (kraken): it cancels everything of the account when it has not heard of us "
        "for this long, refreshed at a third of it; at least 5000; 0 = not asked for"),
    INT(struct config_venue, cancel_reserve_percent, 0, 90, "20",
        "part of the venue's rate budgets that only cancels may spend"),
    INT(struct config_venue, order_count_max, 0, 10000, "60",
        "kraken: each pair's counter of orders, amends and cancels (60 starter, 125 intermediate, 180 pro); 0 = not "
        "counted here"),
    INT(struct config_venue, order_count_per_min, 1, 6000, "60",
        "kraken: what that counter falls by in a minute (60 starter, 140 intermediate, 225 pro)"),
    INT(struct config_venue, http_calls_max, 0, 1000, "15",
        "kraken: the account's counter of HTTP calls (15 starter, 20 intermediate and pro); 0 = not counted here"),
    INT(struct config_venue, http_calls_per_min, 1, 6000, "20",
        "kraken: what that counter falls by in a minute (20 starter, 30 intermediate, 60 pro)"),
};

static const struct config_key account_keys[] = {
    INT(struct config_account, id, 0, ACCOUNT_MAX - 1, NULL, "number of the account in messages and journal"),
};

static const char *const self_match_choices[] = { "deny", "cancel_resting", "cancel_both", NULL };

static const struct config_key limit_keys[] = {
    OTHER(struct config_limits, order_qty_min, KEY_DECIMAL, "", "smallest order, in units of the base currency"),
    OTHER(struct config_limits, order_qty_max, KEY_DECIMAL, "", "largest order; must be set"),
    OTHER(struct config_limits, order_notional_min, KEY_DECIMAL, "", "smallest value of an order, in quote currency"),
    OTHER(struct config_limits, order_notional_max, KEY_DECIMAL, "", "largest value of an order; must be set"),
    OTHER(struct config_limits, position_max, KEY_DECIMAL, "",
          "largest position, long or short, if all open orders fill; must be set"),
    OTHER(struct config_limits, position_short_max, KEY_DECIMAL, "", "largest short position; \"\" = position_max"),
    INT(struct config_limits, collar_ppm, 1, 500000, "20000",
        "how far through the reference price an order may be priced, in millionths"),
    INT(struct config_limits, reduce_collar_ppm, 1, 500000, "50000",
        "the same for a proven reduction, against the last live book; at least collar_ppm"),
    INT(struct config_limits, spread_max_ppm, 1, 500000, "50000", "a wider touch is no reference"),
    INT(struct config_limits, good_age_max_ms, 1, 86400000, "300000",
        "a proven reduction may be priced against a book this old"),
    INT(struct config_limits, margin_ppm, 0, 10000000, "0",
        "initial margin of a derivative, of its value, in millionths; 0 = not stated, denies"),
    CHOICE(struct config_limits, self_match, self_match_choices, "deny",
           "an order that would trade against our own resting one is denied, or that one is canceled first, or both"),
    INT(struct config_limits, open_orders_max, 1, 1048576, "50", "open orders in the instrument"),
    INT(struct config_limits, order_rate, 1, 100000, "20", "new orders and replaces per second"),
    INT(struct config_limits, order_burst, 1, 100000, "20", "and at once"),
    INT(struct config_limits, tob_age_max_ms, 1, 600000, "2000", "older market data denies new orders"),
    BOOL(struct config_limits, restricted, "false", "deny every new order"),
};

static const struct config_key risk_keys[] = {
    INT(struct config_risk, strategy_open_orders_max, 1, 1048576, "200", "open orders of one strategy"),
    INT(struct config_risk, account_open_orders_max, 1, 1048576, "500", "open orders of one account"),
    INT(struct config_risk, total_open_orders_max, 1, 1048576, "1000", "open orders of this gateway"),
    INT(struct config_risk, total_order_rate, 1, 100000, "100", "new orders and replaces per second, all together"),
    INT(struct config_risk, total_order_burst, 1, 100000, "100", "and at once"),
    INT(struct config_risk, reduce_rate, 1, 100000, "20", "proven reductions per second, a budget of their own"),
    INT(struct config_risk, reduce_burst, 1, 100000, "20", "and at once"),
    INT(struct config_risk, deny_rate, 1, 100000, "1000", "denied commands answered per second"),
    INT(struct config_risk, deny_burst, 1, 100000, "1000", "and at once"),
    INT(struct config_risk, cancel_rate, 1, 100000, "500", "cancels per second"),
    INT(struct config_risk, cancel_burst, 1, 100000, "500", "and at once"),
    INT(struct config_risk, clock_offset_max_ms, 1, 60000, "500", "a venue clock further away denies new orders"),
    OTHER(struct config_risk, reporting_currency, KEY_NAME, "USDT", "currency of every limit of money and of losses"),
    INT(struct config_risk, mark_age_max_ms, 1, 86400000, "60000",
        "a position whose last live book is older cannot be valued: exposure and losses deny"),
    INT(struct config_risk, rate_age_max_ms, 1, 86400000, "300000", "the same for a currency's rate from a book"),
    INT(struct config_risk, day_start_s, 0, 86399, "0",
        "when the day of daily limits begins, seconds after midnight UTC"),
    INT(struct config_risk, duplicate_max, 1, 1000000000, "50",
        "orders with one content (strategy, instrument, side, price, quantity) within duplicate_window_ms"),
    INT(struct config_risk, duplicate_window_ms, 1, 3600000, "1000", "window of duplicate_max"),
    INT(struct config_risk, replace_rate, 1, 100000, "500", "replaces of one strategy per second"),
    INT(struct config_risk, replace_burst, 1, 100000, "500", "and at once"),
    INT(struct config_risk, messages_free, 0, 1000000000, "100000",
        "new orders, replaces and cancels of a strategy per day before messages_per_fill_max counts"),
    INT(struct config_risk, messages_per_fill_max, 1, 1000000000, "1000", "of these, for each fill of the day"),
    INT(struct config_risk, repeat_executions_max, 1, 4000000000, "1000000",
        "orders of a strategy until a human resumes it"),
    BOOL(struct config_risk, flood_halts, "true", "a strategy whose denied commands exceed deny_rate is halted"),
    INT(struct config_risk, breaker_window_ms, 1, 3600000, "60000", "window of the breakers"),
    INT(struct config_risk, strategy_rejects_max, 1, 1000000, "100",
        "the venue's rejects of one strategy in the window; one more, and only reductions pass"),
    INT(struct config_risk, venue_rejects_max, 1, 1000000, "200", "the same for one venue"),
    INT(struct config_risk, latency_p999_max_ms, 0, 600000, "1000",
        "command to wire, p99.9 in the window; slower, and only reductions pass; 0 = not watched"),
    INT(struct config_risk, stall_max_ms, 0, 600000, "10000", "the same for one turn of the loop"),
    INT(struct config_risk, ack_p99_max_ms, 0, 600000, "10000", "the same for a venue's acknowledgements, p99"),
    INT(struct config_risk, latency_samples_min, 1, 1000000, "1000",
        "of fewer samples in a window, as many slow ones trip as would of so many"),
};

#define GROUP_KEYS(gross, net, value, loss, drawdown)                                                                \
    OTHER(struct config_group, gross_exposure_max, KEY_DECIMAL, gross,                                               \
          "worst-case exposure, all instruments added; reporting currency"),                                         \
        OTHER(struct config_group, net_exposure_max, KEY_DECIMAL, net, "worst-case net long or net short exposure"), \
        OTHER(struct config_group, daily_value_max, KEY_DECIMAL, value, "value traded in a day and open"),           \
        OTHER(struct config_group, daily_loss_max, KEY_DECIMAL, loss, "realised and unrealised loss of a day"),      \
        OTHER(struct config_group, drawdown_max, KEY_DECIMAL, drawdown, "fall from the best result of the day")

static const struct config_key global_keys[] = { GROUP_KEYS("1000000", "1000000", "100000000", "10000", "10000") };

static const struct config_key risk_strategy_keys[] = {
    GROUP_KEYS("", "", "", "", ""),
    OTHER(struct config_group, loss_window_max, KEY_DECIMAL, "",
          "loss within breaker_window_ms; past it only reductions pass"),
    INT(struct config_group, repeat_executions_max, 0, 4000000000, "0", "0 = as in [risk]"),
};

static const struct config_key risk_account_keys[] = {
    GROUP_KEYS("", "", "", "", ""),
    INT(struct config_group, leverage_max_ppm, 0, 1000000000, "0",
        "gross exposure by balances, in millionths; 0 = no limit"),
};

static const struct config_key risk_venue_keys[] = { GROUP_KEYS("", "", "", "", "") };

static const struct config_key rate_keys[] = {
    OTHER(struct config_rate, rate, KEY_DECIMAL, NULL, "reporting currency per unit; stands above the books'"),
};

/* ---- the sections ------------------------------------------------------------------------------------------------ */

#define PART(path, help, keys, field)                                              \
    {                                                                              \
        path, help, keys, ARRAY_LEN(keys), offsetof(struct config, field), 0, 1, 0 \
    }
#define LIST(path, help, keys, array, count)                                                                          \
    {                                                                                                                 \
        path, help, keys, ARRAY_LEN(keys), offsetof(struct config, array), sizeof(((struct config *)NULL)->array[0]), \
            ARRAY_LEN(((struct config *)NULL)->array), offsetof(struct config, count)                                 \
    }

const struct config_section config_sections[SECTION_COUNT] = {
    [SECTION_ROOT] = { "", "Top of the file.", root_keys, ARRAY_LEN(root_keys), 0, 0, 1, 0 },
    [SECTION_LOOP] = PART("loop", "The trading thread.", loop_keys, loop),
    [SECTION_MEMORY] = PART("memory", "Everything is taken at start; these counts say how much.", memory_keys, memory),
    [SECTION_JOURNAL] = PART("journal", "The record of every order.", journal_keys, journal),
    [SECTION_CLIENT] = PART("client", "Where strategies connect.", client_keys, client),
    [SECTION_STRATEGY] = LIST("strategy", "One per strategy that may connect.", strategy_keys, strategy, strategies),
    [SECTION_MONITORING] = PART("monitoring", "Metrics and log.", monitoring_keys, monitoring),
    [SECTION_KILL] = PART("kill", "The kill switch, beside `execgw-cli halt` and the signal USR1.", kill_keys, kill),
    [SECTION_VENUE] = LIST("venue", "One per venue.", venue_keys, venue, venues),
    [SECTION_ACCOUNT] =
        LIST("account", "Accounts; without any, one named main with id 0.", account_keys, account, accounts),
    [SECTION_RISK] = PART("risk", "Limits over all instruments.", risk_keys, risk),
    [SECTION_LIMITS] = PART("risk", "Limits of each instrument.", limit_keys, risk.limits),
    [SECTION_OVERRIDE] = LIST("risk.instrument", "The same keys for one symbol; what is not set here is as in [risk].",
                              limit_keys, risk.override, risk.overrides),
    [SECTION_GLOBAL] =
        PART("risk.global", "Limits of money over everything. The first and `daily_loss_max` must be set for live.",
             global_keys, risk.global),
    [SECTION_RISK_STRATEGY] =
        LIST("risk.strategy", "The same for one strategy.", risk_strategy_keys, risk.strategy, risk.strategies),
    [SECTION_RISK_ACCOUNT] =
        LIST("risk.account", "The same for one account.", risk_account_keys, risk.account, risk.accounts),
    [SECTION_RISK_VENUE] = LIST("risk.venue", "The same for one venue.", risk_venue_keys, risk.venue, risk.venues),
    [SECTION_RATE] =
        LIST("risk.rate", "What one currency is worth, where no book says so.", rate_keys, risk.rate, risk.rates),
};

#define CONFIG_KEYS_MAX 48
_Static_assert(ARRAY_LEN(venue_keys) <= CONFIG_KEYS_MAX && ARRAY_LEN(limit_keys) <= CONFIG_KEYS_MAX &&
                   ARRAY_LEN(risk_keys) <= CONFIG_KEYS_MAX,
               "room to remember where each value came from");

uint32_t
config_entries(const struct config *c, enum config_section_id id)
{
    uint32_t n = 1;

    if (config_sections[id].stride != 0)
        memcpy(&n, (const uint8_t *)c + config_sections[id].count_offset, sizeof(n));
    return n;
}

enum config_path_result
config_section_find(const char *path, enum config_section_id *id, const char **name)
{
    for (enum config_section_id s = 0; s < SECTION_COUNT; s++) {
        const char *p = config_sections[s].path;
        size_t n = strlen(p);
        if (config_sections[s].stride == 0) {
            if (strcmp(p, path) == 0) {
                *id = s;
                *name = "";
                return PATH_SECTION;
            }
        } else if (strcmp(p, path) == 0) {
            return PATH_PARENT;
        } else if (strncmp(p, path, n) == 0 && path[n] == '.' && strchr(path + n + 1, '.') == NULL) {
            *id = s;
            *name = path + n + 1;
            return PATH_SECTION;
        }
    }
    return PATH_UNKNOWN;
}

const struct config_key *
config_key_find(enum config_section_id id, const char *name, size_t *index)
{
    for (size_t i = 0; i < config_sections[id].key_count; i++) {
        if (strcmp(config_sections[id].keys[i].name, name) == 0) {
            *index = i;
            return &config_sections[id].keys[i];
        }
    }
    return NULL;
}

bool
config_key_is_list(const struct config_key *k)
{
    return k->form == KEY_SYMBOLS || k->form == KEY_NAMES || k->form == KEY_UIDS;
}
