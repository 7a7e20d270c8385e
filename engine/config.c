/* Configuration; see config.h. Read in four steps: defaults, file, environment, command line; then the checks that
 * need more than one value. Every error is kept until all were found.
 *
 * Always true: a value reaches the struct through value_store() only, which checks it against its row of the key
 * table; each stored value remembers where it came from. */
#include "engine/config.h"
#include "engine/config_toml.h"
#include "engine/dialect.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#define FILE_BYTES_MAX (1024u * 1024u)
#define ERRORS_MAX     64u
#define PATH_MAX_TEXT  128u

/* ---- the keys ---------------------------------------------------------------------------------------------------- */

enum key_type {
    KEY_INT,
    KEY_POWER2, /* an integer that is a power of two */
    KEY_BOOL,
    KEY_CHOICE,
    KEY_TEXT,
    KEY_NAME,    /* of another section: [A-Za-z0-9_-] */
    KEY_PATH,    /* "" where optional */
    KEY_SECRET,  /* path of a secret, or credential:NAME */
    KEY_PUBLIC,  /* shown masked all the same */
    KEY_URL,     /* ws:// or wss:// */
    KEY_HTTP,    /* http:// or https:// */
    KEY_DECIMAL, /* not negative, in quotes */
    KEY_LISTEN,  /* ADDRESS:PORT */
    KEY_SYMBOLS, /* list of text */
    KEY_NAMES,   /* list of names, a struct config_names; of `choices` where these are given */
    KEY_UIDS     /* list of integers */
};

struct key {
    const char *name;
    enum key_type type;
    size_t offset; /* in the section's struct */
    size_t bytes;
    int64_t min;
    int64_t max;
    const char *const *choices; /* NULL-terminated; the value is the index */
    const char *def;            /* NULL: must be set */
    const char *help;
};

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
static const char *const dialect_choices[] = { "binance", "kraken", NULL };
static const char *const key_type_choices[] = { "hmac", "ed25519", NULL };
static const char *const foreign_choices[] = { "report", "adopt", "cancel", NULL };
static const char *const balance_choices[] = { "report", "position", NULL };
static const char *const disconnect_choices[] = { "nothing", "cancel", "reduce", "kill", NULL };
static const char *const format_choices[] = { "text", "json", NULL };
static const char *const level_choices[] = { "debug", "info", "warn", "error", NULL };

static const struct key root_keys[] = {
    CHOICE(struct config, mode, mode_choices, "paper",
           "paper: orders go to an in-process matcher; live: real orders, and --live on the command line as well"),
    INT(struct config, instance, 1, 3843, "1", "number of this gateway, part of every ClOrdID; unique per account"),
};

static const struct key loop_keys[] = {
    CHOICE(struct config_loop_part, mode, loop_choices, "block",
           "busy: spin on a core of its own; block: sleep in the kernel between events"),
    INT(struct config_loop_part, cpu, -1, 1023, "-1", "core the trading thread is bound to; -1 = none"),
    INT(struct config_loop_part, md_batch, 1, 65536, "64", "market-data messages per turn and connection"),
};

static const struct key memory_keys[] = {
    POWER2(struct config_memory, orders_max, 16, 1048576, "4096", "orders remembered, terminal ones included"),
    INT(struct config_memory, instruments_max, 1, INSTRUMENT_MAX, "64", "instruments, all versions ever used"),
    INT(struct config_memory, clients_max, 1, CLIENT_MAX, "16", "clients connected at once"),
    INT(struct config_memory, levels_max, 100, 65536, "5000", "price levels per side of a book"),
    INT(struct config_memory, message_max_bytes, 65536, 16777216, "1048576",
        "longest WebSocket message of a venue; a longer one closes the connection"),
    POWER2(struct config_memory, md_ring, 64, 16777216, "65536", "slots of the market-data ring that clients read"),
    INT(struct config_memory, tls_pool_bytes, 1048576, 1073741824, "16777216", "memory for TLS"),
    POWER2(struct config_memory, log_records, 16, 1048576, "1024", "slots of each thread's log ring"),
    BOOL(struct config_memory, lock, "false", "lock all memory (mlockall); refuse to start when that is not allowed"),
};

static const struct key journal_keys[] = {
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

static const struct key client_keys[] = {
    OTHER(struct config_client, socket, KEY_PATH, "",
          "unix socket that clients connect to; \"\" = $XDG_RUNTIME_DIR/execgw/execgw.sock, without that variable "
          "/run/execgw/execgw.sock"),
    NAMED(struct config_client, allowed_uid, "allowed_uids", KEY_UIDS, "[]",
          "user ids that may connect; none = only the gateway's own"),
    POWER2(struct config_client, report_ring, 16, 1048576, "4096", "slots of a client's report ring"),
    POWER2(struct config_client, command_ring, 16, 1048576, "1024", "slots of a client's command ring"),
};

static const char *const verb_choices[] = { "new", "replace", NULL };

static const struct key strategy_keys[] = {
    INT(struct config_strategy, id, 0, CLIENT_MAX - 1, NULL, "number of the strategy in messages and journal"),
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

static const struct key monitoring_keys[] = {
    OTHER(struct config_monitoring, listen, KEY_LISTEN, "127.0.0.1:9464",
          "address of /metrics, /health and /ready; port 0 = any free one; \"\" = none"),
    BOOL(struct config_monitoring, listen_remote, "false", "allow a listen address beyond loopback"),
    CHOICE(struct config_monitoring, log_format, format_choices, "text", "log lines for people or for machines"),
    CHOICE(struct config_monitoring, log_level, level_choices, "info", "least important level written"),
    OTHER(struct config_monitoring, log_file, KEY_PATH, "", "file that log lines are added to; \"\" = standard error"),
};

static const char *const trip_choices[] = { "nothing", "loss", "any", NULL };

static const struct key kill_keys[] = {
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

static const struct key venue_keys[] = {
    CHOICE(struct config_venue, dialect, dialect_choices, NULL, "protocol"),
    OTHER(struct config_venue, market_url, KEY_URL, NULL, "market-data streams, wss://HOST[:PORT]/stream"),
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
    CHOICE(struct config_venue, key_type, key_type_choices, "ed25519", "what key_file holds"),
    NAMED(struct config_venue, symbol, "symbols", KEY_SYMBOLS, NULL, "instruments, in the venue's spelling"),
    INT(struct config_venue, recv_window_ms, 1, 60000, "1000", "the venue refuses a request that arrives later"),
    INT(struct config_venue, snapshot_depth, 5, 5000, "5000", "levels asked for in a depth snapshot"),
    INT(struct config_venue, depth_max, 10, 65536, "5000", "levels kept per side"),
    INT(struct config_venue, depth, 10, 1000, "10",
        "kraken: levels per side subscribed: 10, 25, 100, 500 or 1000; the checksum proves the best 10"),
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
    INT(struct config_venue, deadman_ms, 0, 3600000, "0",
        "where the venue offers a countdown (kraken): it cancels everything of the account when it has not heard of us "
        "for this long, refreshed at a third of it; at least 5000; 0 = not asked for"),
    INT(struct config_venue, cancel_reserve_percent, 0, 90, "20",
        "part of the venue's rate budgets that only cancels may spend"),
};

static const struct key account_keys[] = {
    INT(struct config_account, id, 0, ACCOUNT_MAX - 1, NULL, "number of the account in messages and journal"),
};

static const char *const self_match_choices[] = { "deny", "cancel_resting", "cancel_both", NULL };

static const struct key limit_keys[] = {
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

static const struct key risk_keys[] = {
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
    INT(struct config_risk, latency_samples_min, 1, 1000000, "1000", "a window with fewer samples says nothing"),
};

#define GROUP_KEYS(gross, net, value, loss, drawdown)                                                                \
    OTHER(struct config_group, gross_exposure_max, KEY_DECIMAL, gross,                                               \
          "worst-case exposure, all instruments added; reporting currency"),                                         \
        OTHER(struct config_group, net_exposure_max, KEY_DECIMAL, net, "worst-case net long or net short exposure"), \
        OTHER(struct config_group, daily_value_max, KEY_DECIMAL, value, "value traded in a day and open"),           \
        OTHER(struct config_group, daily_loss_max, KEY_DECIMAL, loss, "realised and unrealised loss of a day"),      \
        OTHER(struct config_group, drawdown_max, KEY_DECIMAL, drawdown, "fall from the best result of the day")

static const struct key global_keys[] = { GROUP_KEYS("1000000", "1000000", "100000000", "10000", "10000") };

static const struct key risk_strategy_keys[] = {
    GROUP_KEYS("", "", "", "", ""),
    OTHER(struct config_group, loss_window_max, KEY_DECIMAL, "",
          "loss within breaker_window_ms; past it only reductions pass"),
    INT(struct config_group, repeat_executions_max, 0, 4000000000, "0", "0 = as in [risk]"),
};

static const struct key risk_account_keys[] = {
    GROUP_KEYS("", "", "", "", ""),
    INT(struct config_group, leverage_max_ppm, 0, 1000000000, "0",
        "gross exposure by balances, in millionths; 0 = no limit"),
};

static const struct key risk_venue_keys[] = { GROUP_KEYS("", "", "", "", "") };

static const struct key rate_keys[] = {
    OTHER(struct config_rate, rate, KEY_DECIMAL, NULL, "reporting currency per unit; stands above the books'"),
};

/* ---- the sections ------------------------------------------------------------------------------------------------ */

enum section_id {
    SECTION_ROOT,
    SECTION_LOOP,
    SECTION_MEMORY,
    SECTION_JOURNAL,
    SECTION_CLIENT,
    SECTION_STRATEGY,
    SECTION_MONITORING,
    SECTION_KILL,
    SECTION_VENUE,
    SECTION_ACCOUNT,
    SECTION_RISK,
    SECTION_LIMITS, /* keys of [risk] that an instrument may override */
    SECTION_OVERRIDE,
    SECTION_GLOBAL,
    SECTION_RISK_STRATEGY,
    SECTION_RISK_ACCOUNT,
    SECTION_RISK_VENUE,
    SECTION_RATE,
    SECTION_COUNT
};

struct section {
    const char *path; /* of a named section: without its name */
    const char *help;
    const struct key *keys;
    size_t key_count;
    size_t offset; /* in struct config, of the struct or of the array */
    size_t stride; /* named sections: bytes of one entry, whose first field is its name; else 0 */
    size_t entries_max;
    size_t count_offset; /* uint32_t in struct config */
};

#define PART(path, help, keys, field)                                              \
    {                                                                              \
        path, help, keys, ARRAY_LEN(keys), offsetof(struct config, field), 0, 1, 0 \
    }
#define LIST(path, help, keys, array, count)                                                                          \
    {                                                                                                                 \
        path, help, keys, ARRAY_LEN(keys), offsetof(struct config, array), sizeof(((struct config *)NULL)->array[0]), \
            ARRAY_LEN(((struct config *)NULL)->array), offsetof(struct config, count)                                 \
    }

static const struct section sections[SECTION_COUNT] = {
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

#define KEYS_MAX 48
_Static_assert(ARRAY_LEN(venue_keys) <= KEYS_MAX && ARRAY_LEN(limit_keys) <= KEYS_MAX &&
                   ARRAY_LEN(risk_keys) <= KEYS_MAX,
               "room to remember where each value came from");

/* ---- loading ----------------------------------------------------------------------------------------------------- */

enum source_kind { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENV, SOURCE_COMMAND };

/* Where a value came from. */
struct source {
    enum source_kind kind;
    uint32_t line;
    uint32_t column;
    char env[64];
};

/* One place a key can be: a section or one entry of a named section. */
struct instance {
    uint8_t *base;
    char path[PATH_MAX_TEXT]; /* "venue.binance"; "" for the root */
    struct source header;
    struct source source[KEYS_MAX];
};

struct config_error {
    uint32_t order; /* environment and command line after the file */
    uint32_t line;
    uint32_t column;
    uint32_t seq;
    char text[700];
};

struct loader {
    struct config *c;
    struct instance *instance[SECTION_COUNT]; /* entries_max of each */
    struct config_error error[ERRORS_MAX];
    uint32_t errors;          /* found; the first ERRORS_MAX are kept */
    char skip[PATH_MAX_TEXT]; /* path of a table already reported: nothing in it is reported again */
};

/* A value on its way in. */
struct value {
    enum config_toml_kind kind;
    const char *text;
    size_t text_len;
    int64_t number;
};

static struct source
source_env(const char *name)
{
    struct source s = { .kind = SOURCE_ENV };
    (void)snprintf(s.env, sizeof(s.env), "%s", name);
    return s;
}

static uint32_t
section_entries(const struct loader *l, enum section_id id)
{
    const struct section *s = &sections[id];
    if (s->stride == 0)
        return 1;
    uint32_t n;
    memcpy(&n, (const uint8_t *)l->c + s->count_offset, sizeof(n));
    return n;
}

/* Keep one error: `where key: what`. */
__attribute__((format(printf, 4, 5))) static void
error_at(struct loader *l, const struct source *where, const char *key, const char *format, ...)
{
    char what[320];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    if (l->errors++ >= ERRORS_MAX)
        return;
    struct config_error *e = &l->error[l->errors - 1];
    *e = (struct config_error){
        .order = (uint32_t)where->kind, .line = where->line, .column = where->column, .seq = l->errors
    };
    const char *colon = *key != '\0' ? ": " : "";
    switch (where->kind) {
    case SOURCE_ENV:
        (void)snprintf(e->text, sizeof(e->text), "%s (environment): %.60s%s%s", where->env, key, colon, what);
        break;
    case SOURCE_COMMAND: (void)snprintf(e->text, sizeof(e->text), "command line: %.60s%s%s", key, colon, what); break;
    default:
        (void)snprintf(e->text, sizeof(e->text), "%.120s:%u:%u: %.60s%s%s", l->c->file, MAX(where->line, 1u),
                       MAX(where->column, 1u), key, colon, what);
        break;
    }
}

/* What a value is, for a sentence: `"abc"`, `42`, `a list`. Long text is cut, the unprintable shown as '?'. */
static const char *
value_text(const struct value *v, char *buf, size_t room)
{
    size_t n = 0;

    switch (v->kind) {
    case CONFIG_TOML_TEXT:
        buf[n++] = '"';
        for (size_t i = 0; i < v->text_len && n + 6 < MIN(room, 48u); i++)
            buf[n++] = isprint((unsigned char)v->text[i]) ? v->text[i] : '?';
        (void)snprintf(buf + n, room - n, "%s\"", n < v->text_len + 1 ? "..." : "");
        break;
    case CONFIG_TOML_INT: (void)snprintf(buf, room, "%lld", (long long)v->number); break;
    case CONFIG_TOML_BOOL: (void)snprintf(buf, room, "%s", v->number != 0 ? "true" : "false"); break;
    case CONFIG_TOML_LIST: (void)snprintf(buf, room, "a list"); break;
    case CONFIG_TOML_TABLE: (void)snprintf(buf, room, "a section"); break;
    default: (void)snprintf(buf, room, "%s", v->text); break;
    }
    return buf;
}

/* What a key takes, for a sentence. */
static const char *
key_expected(const struct key *k, char *buf, size_t room)
{
    size_t n = 0;

    switch (k->type) {
    case KEY_INT:
    case KEY_POWER2:
        (void)snprintf(buf, room, "%s from %lld to %lld", k->type == KEY_INT ? "an integer" : "a power of two",
                       (long long)k->min, (long long)k->max);
        break;
    case KEY_BOOL: (void)snprintf(buf, room, "true or false"); break;
    case KEY_CHOICE:
        buf[0] = '\0';
        for (size_t i = 0; k->choices[i] != NULL; i++) {
            int w = snprintf(buf + n, room - n, "%s\"%s\"", i > 0 ? " or " : "", k->choices[i]);
            if (w < 0 || (size_t)w >= room - n)
                break;
            n += (size_t)w;
        }
        break;
    case KEY_NAME:
        (void)snprintf(buf, room, "a name of letters, digits, _ and -, at most %zu long", k->bytes - 1);
        break;
    case KEY_TEXT:
    case KEY_PUBLIC: (void)snprintf(buf, room, "printable text of at most %zu characters", k->bytes - 1); break;
    case KEY_PATH: (void)snprintf(buf, room, "a path of at most %zu characters", k->bytes - 1); break;
    case KEY_SECRET: (void)snprintf(buf, room, "a path with a / in it, or credential:NAME"); break;
    case KEY_URL: (void)snprintf(buf, room, "wss://HOST[:PORT]/PATH"); break;
    case KEY_HTTP: (void)snprintf(buf, room, "https://HOST[:PORT]"); break;
    case KEY_DECIMAL: (void)snprintf(buf, room, "a decimal in quotes, at most 8 places, such as \"0.001\""); break;
    case KEY_LISTEN: (void)snprintf(buf, room, "ADDRESS:PORT such as \"127.0.0.1:9464\""); break;
    case KEY_SYMBOLS:
        (void)snprintf(buf, room, "a list of different symbols such as [\"BTCUSDT\"], at most %d", CONFIG_SYMBOLS_MAX);
        break;
    case KEY_NAMES:
        if (k->choices != NULL)
            (void)snprintf(buf, room, "a list of \"%s\" and \"%s\"", k->choices[0], k->choices[1]);
        else
            (void)snprintf(buf, room, "a list of different names, at most %d", CONFIG_NAMES_MAX);
        break;
    case KEY_UIDS: (void)snprintf(buf, room, "a list of user ids such as [1000], at most %d", CONFIG_UIDS_MAX); break;
    }
    return buf;
}

static bool
text_printable(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isprint((unsigned char)s[i]))
            return false;
    return true;
}

static bool
text_name(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)s[i]) && s[i] != '_' && s[i] != '-')
            return false;
    return n > 0;
}

/* `digits[.digits]` that fits int64_t as it stands: at most 18 digits each side, not negative. */
static bool
text_decimal(const char *s, size_t n)
{
    int64_t ignored;
    return n > 0 && n < DECIMAL_TEXT && *s != '-' && decimal_parse(s, n, 8, &ignored) == DECODE_OK;
}

bool
config_listen_parse(const char *s, char *host, size_t room, long *port)
{
    const char *colon = strrchr(s, ':');
    char *end;

    if (colon == NULL || colon == s || !isdigit((unsigned char)colon[1]) || strlen(colon + 1) > 5)
        return false;
    *port = strtol(colon + 1, &end, 10);
    if (*end != '\0' || *port > 65535)
        return false;
    size_t n = (size_t)(colon - s);
    if (*s == '[') {
        if (s[n - 1] != ']' || n < 3)
            return false;
        s++;
        n -= 2;
    } else if (memchr(s, ':', n) != NULL) {
        return false;
    }
    if (n >= room)
        return false;
    memcpy(host, s, n);
    host[n] = '\0';
    return true;
}

static bool
text_fits(const struct key *k, const char *s, size_t n)
{
    char host[64];
    long port;
    struct config_url url;

    if (n >= k->bytes || !text_printable(s, n))
        return false;
    if (n == 0)
        return k->type == KEY_LISTEN || (k->def != NULL && *k->def == '\0'); /* "" where it is the default */
    switch (k->type) {
    case KEY_NAME: return text_name(s, n);
    case KEY_SECRET:
        return strchr(s, '/') != NULL || strncmp(s, KEY_FILE_CREDENTIAL, sizeof(KEY_FILE_CREDENTIAL) - 1) == 0;
    case KEY_URL: return config_url_parse(s, &url);
    case KEY_HTTP: return config_http_url_parse(s, &url);
    case KEY_DECIMAL: return text_decimal(s, n);
    case KEY_LISTEN: return config_listen_parse(s, host, sizeof(host), &port);
    default: return true;
    }
}

/* A venue's symbol: a name, and "BASE/QUOTE" where the venue writes it so. */
static bool
text_symbol(const char *s, size_t n)
{
    const char *slash = memchr(s, '/', n);

    if (slash == NULL)
        return text_name(s, n);
    return text_name(s, (size_t)(slash - s)) && text_name(slash + 1, (size_t)(s + n - slash) - 1);
}

static bool
names_append(struct config_names *n, const struct key *k, const struct value *v)
{
    bool known = k->choices == NULL;

    if (v->kind != CONFIG_TOML_TEXT || v->text_len >= CONFIG_NAME_BYTES || !text_symbol(v->text, v->text_len) ||
        n->count == CONFIG_NAMES_MAX)
        return false;
    for (size_t i = 0; k->choices != NULL && k->choices[i] != NULL; i++)
        known |= strcmp(k->choices[i], v->text) == 0;
    for (uint32_t i = 0; i < n->count; i++)
        if (strcmp(n->name[i], v->text) == 0)
            return false;
    if (known)
        memcpy(n->name[n->count++], v->text, v->text_len + 1);
    return known;
}

/* A list key's own storage. */
static bool
list_append(struct config *c, struct instance *in, const struct key *k, const struct value *v)
{
    if (k->type == KEY_UIDS) {
        struct config_client *cl = &c->client;
        if (v->kind != CONFIG_TOML_INT || v->number < 0 || v->number >= UINT32_MAX ||
            cl->allowed_uids == CONFIG_UIDS_MAX)
            return false;
        cl->allowed_uid[cl->allowed_uids++] = (uint32_t)v->number;
        return true;
    }
    if (k->type == KEY_NAMES)
        return names_append((struct config_names *)(void *)(in->base + k->offset), k, v);
    struct config_venue *venue = (struct config_venue *)(void *)in->base;
    if (v->kind != CONFIG_TOML_TEXT || v->text_len >= SYMBOL_BYTES || !text_symbol(v->text, v->text_len) ||
        venue->symbols == CONFIG_SYMBOLS_MAX)
        return false;
    for (uint32_t i = 0; i < venue->symbols; i++)
        if (strcmp(venue->symbol[i], v->text) == 0)
            return false;
    memcpy(venue->symbol[venue->symbols++], v->text, v->text_len + 1);
    return true;
}

static void
list_clear(struct config *c, struct instance *in, const struct key *k)
{
    memset(in->base + k->offset, 0, k->bytes);
    if (k->type == KEY_UIDS)
        c->client.allowed_uids = 0;
    else if (k->type == KEY_SYMBOLS)
        ((struct config_venue *)(void *)in->base)->symbols = 0;
}

/* Check one value against its key and put it into the struct. False: *v is not what the key takes; nothing changed. */
static bool
value_store(struct config *c, struct instance *in, const struct key *k, const struct value *v)
{
    uint8_t *to = in->base + k->offset;

    switch (k->type) {
    case KEY_INT:
    case KEY_POWER2:
        if (v->kind != CONFIG_TOML_INT || v->number < k->min || v->number > k->max ||
            (k->type == KEY_POWER2 && (v->number & (v->number - 1)) != 0))
            return false;
        memcpy(to, &v->number, sizeof(int64_t));
        return true;
    case KEY_BOOL:
        if (v->kind != CONFIG_TOML_BOOL)
            return false;
        *(bool *)to = v->number != 0;
        return true;
    case KEY_CHOICE:
        for (int32_t i = 0; v->kind == CONFIG_TOML_TEXT && k->choices[i] != NULL; i++) {
            if (strcmp(k->choices[i], v->text) == 0 && strlen(v->text) == v->text_len) {
                memcpy(to, &i, sizeof(i));
                return true;
            }
        }
        return false;
    case KEY_SYMBOLS:
    case KEY_UIDS: return list_append(c, in, k, v);
    default:
        if (v->kind != CONFIG_TOML_TEXT || strlen(v->text) != v->text_len || !text_fits(k, v->text, v->text_len))
            return false;
        memcpy(to, v->text, v->text_len + 1);
        return true;
    }
}

static bool
text_to_int(const char *s, int64_t *out)
{
    char *end;
    errno = 0;
    long long n = strtoll(s, &end, 10);
    if (errno != 0 || end == s || *end != '\0' || isspace((unsigned char)*s))
        return false;
    *out = n;
    return true;
}

/* Text from the environment or a default as the kind of value that its key takes. */
static struct value
value_from_text(const struct key *k, const char *text)
{
    struct value v = { .kind = CONFIG_TOML_TEXT, .text = text, .text_len = strlen(text) };

    if (k->type == KEY_INT || k->type == KEY_POWER2 || k->type == KEY_UIDS) {
        if (text_to_int(text, &v.number))
            v.kind = CONFIG_TOML_INT;
    } else if (k->type == KEY_BOOL && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)) {
        v.kind = CONFIG_TOML_BOOL;
        v.number = *text == 't';
    }
    return v;
}

static bool
key_is_list(const struct key *k)
{
    return k->type == KEY_SYMBOLS || k->type == KEY_NAMES || k->type == KEY_UIDS;
}

static void
key_path(const struct instance *in, const char *name, char *buf, size_t room)
{
    (void)snprintf(buf, room, "%s%s%s", in->path, *in->path != '\0' ? "." : "", name);
}

static void
error_value(struct loader *l, const struct source *where, const struct instance *in, const struct key *k,
            const struct value *v)
{
    char path[PATH_MAX_TEXT + 64];
    char is[96];
    char expected[160];

    key_path(in, k->name, path, sizeof(path));
    /* What stands where a secret's path should is never shown: it may be the secret. */
    if (k->type == KEY_SECRET)
        error_at(l, where, path, "is not such a path, expected %s", key_expected(k, expected, sizeof(expected)));
    else
        error_at(l, where, path, "is %s, expected %s", value_text(v, is, sizeof(is)),
                 key_expected(k, expected, sizeof(expected)));
}

static void
instance_defaults(struct loader *l, enum section_id id, struct instance *in)
{
    const struct section *s = &sections[id];

    for (size_t i = 0; i < s->key_count; i++) {
        const struct key *k = &s->keys[i];
        in->source[i] = (struct source){ .kind = SOURCE_DEFAULT, .line = in->header.line, .column = in->header.column };
        if (k->def == NULL || key_is_list(k))
            continue;
        struct value v = value_from_text(k, k->def);
        bool stored = value_store(l->c, in, k, &v);
        ASSERT(stored);
    }
}

/* The entry of a named section, made when it is new. NULL when there is no room or the name is not one. */
static struct instance *
entry_take(struct loader *l, enum section_id id, const char *name, const struct source *where)
{
    const struct section *s = &sections[id];
    uint32_t n = section_entries(l, id);
    char path[PATH_MAX_TEXT];

    (void)snprintf(path, sizeof(path), "%s.%.60s", s->path, name);
    for (uint32_t i = 0; i < n; i++) {
        uint8_t *base = (uint8_t *)l->c + s->offset + i * s->stride;
        const char *have = (const char *)base;
        if (where->kind == SOURCE_ENV ? strcasecmp(have, name) == 0 : strcmp(have, name) == 0)
            return &l->instance[id][i];
    }
    bool named = id == SECTION_OVERRIDE ? text_symbol(name, strlen(name)) : text_name(name, strlen(name));
    if (!named || strlen(name) >= CONFIG_NAME_BYTES) {
        error_at(l, where, path, "is not a name, expected at most %d letters, digits, _ or -", CONFIG_NAME_BYTES - 1);
        return NULL;
    }
    if (n == s->entries_max) {
        error_at(l, where, path, "is one [%s.<name>] too many, expected at most %zu", s->path, s->entries_max);
        return NULL;
    }
    struct instance *in = &l->instance[id][n];
    in->base = (uint8_t *)l->c + s->offset + n * s->stride;
    in->header = *where;
    (void)snprintf(in->path, sizeof(in->path), "%s", path);
    memcpy(in->base, name, strlen(name) + 1);
    n++;
    memcpy((uint8_t *)l->c + s->count_offset, &n, sizeof(n));
    instance_defaults(l, id, in);
    return in;
}

/* ---- unknown names ----------------------------------------------------------------------------------------------- */

/* Edits between two words (insert, delete, replace), case ignored; words longer than 60 count as far apart. */
static unsigned
edit_distance(const char *a, const char *b)
{
    unsigned row[64];
    size_t n = strlen(b);

    if (n > 60 || strlen(a) > 60)
        return 99;
    for (unsigned j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 0; a[i] != '\0'; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i + 1;
        for (size_t j = 0; j < n; j++) {
            unsigned same = diagonal + (tolower((unsigned char)a[i]) != tolower((unsigned char)b[j]));
            diagonal = row[j + 1];
            row[j + 1] = MIN(same, MIN(row[j], diagonal) + 1);
        }
    }
    return row[n];
}

struct nearest {
    const char *wanted;
    unsigned distance;
    char text[PATH_MAX_TEXT];
};

static void
nearest_offer(struct nearest *best, const char *word, const char *shown_prefix, const char *shown)
{
    unsigned d = edit_distance(best->wanted, word);
    if (d < best->distance) {
        best->distance = d;
        (void)snprintf(best->text, sizeof(best->text), "%s%s%s", shown_prefix, *shown_prefix != '\0' ? "." : "", shown);
    }
}

static bool
nearest_close(const struct nearest *best)
{
    return best->distance <= MAX(2u, (unsigned)strlen(best->wanted) / 3);
}

/* An unknown key of a known section: the nearest in the section, else the same word elsewhere. */
static void
error_unknown_key(struct loader *l, const struct source *where, const struct instance *in, enum section_id id,
                  const char *name)
{
    char path[PATH_MAX_TEXT + 64];
    struct nearest best = { .wanted = name, .distance = 100 };

    key_path(in, name, path, sizeof(path));
    for (int pass = 0; pass < 2 && !nearest_close(&best); pass++) {
        best.distance = 100;
        for (enum section_id s = 0; s < SECTION_COUNT; s++) {
            bool here = s == id || (id == SECTION_RISK && s == SECTION_LIMITS);
            if (here != (pass == 0))
                continue;
            char prefix[PATH_MAX_TEXT];
            (void)snprintf(prefix, sizeof(prefix), "%.100s%s", pass == 0 ? in->path : sections[s].path,
                           pass == 1 && sections[s].stride != 0 ? ".<name>" : "");
            for (size_t i = 0; i < sections[s].key_count; i++)
                nearest_offer(&best, sections[s].keys[i].name, prefix, sections[s].keys[i].name);
        }
        if (pass == 0)
            for (enum section_id s = 1; id == SECTION_ROOT && s < SECTION_COUNT; s++)
                nearest_offer(&best, sections[s].path, "", sections[s].path);
        else if (best.distance > 0 && best.distance * 4 > strlen(name))
            best.distance = 100; /* far sections: only almost the same word */
    }
    if (nearest_close(&best))
        error_at(l, where, path, "is an unknown key, did you mean %s?", best.text);
    else
        error_at(l, where, path, "is an unknown key, expected one of those that --help-config lists");
}

static void
error_unknown_section(struct loader *l, const struct source *where, const char *path)
{
    struct nearest best = { .wanted = path, .distance = 100 };
    char word[PATH_MAX_TEXT];

    (void)snprintf(word, sizeof(word), "%s", path);
    for (enum section_id s = 1; s < SECTION_COUNT; s++) {
        /* Compare without the name of a named section. */
        char *dot = strrchr(word, '.');
        if (sections[s].stride != 0 && dot != NULL) {
            *dot = '\0';
            best.wanted = word;
            nearest_offer(&best, sections[s].path, "", sections[s].path);
            if (strcmp(best.text, sections[s].path) == 0) {
                size_t n = strlen(best.text);
                (void)snprintf(best.text + n, sizeof(best.text) - n, ".%.60s", dot + 1);
            }
            *dot = '.';
        } else {
            best.wanted = path;
            nearest_offer(&best, sections[s].path, "", sections[s].path);
        }
    }
    best.wanted = path;
    if (nearest_close(&best))
        error_at(l, where, path, "is an unknown section, did you mean [%s]?", best.text);
    else
        error_at(l, where, path, "is an unknown section, expected one of those that --help-config lists");
}

/* ---- one value by its path ----------------------------------------------------------------------------------------
 */

enum path_result { PATH_SECTION, PATH_PARENT, PATH_UNKNOWN };

/* The section (and entry) that a dotted path names. PATH_PARENT: [venue] alone, above named ones. */
static enum path_result
section_find(const char *path, enum section_id *id, const char **name)
{
    for (enum section_id s = 0; s < SECTION_COUNT; s++) {
        const char *p = sections[s].path;
        size_t n = strlen(p);
        if (sections[s].stride == 0) {
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

static const struct key *
key_find(enum section_id id, const char *name, size_t *index)
{
    for (size_t i = 0; i < sections[id].key_count; i++) {
        if (strcmp(sections[id].keys[i].name, name) == 0) {
            *index = i;
            return &sections[id].keys[i];
        }
    }
    return NULL;
}

/* The key and the place of it that a dotted path names, or NULL with the error kept. */
static const struct key *
path_resolve(struct loader *l, const char *path, const struct source *where, struct instance **in, size_t *index)
{
    char section[PATH_MAX_TEXT];
    const char *dot = strrchr(path, '.');
    const char *key_name = dot != NULL ? dot + 1 : path;
    const char *name;
    enum section_id id;

    (void)snprintf(section, sizeof(section), "%.*s", dot != NULL ? (int)(dot - path) : 0, path);
    if (section_find(path, &id, &name) == PATH_PARENT || section_find(section, &id, &name) != PATH_SECTION) {
        error_unknown_section(l, where,
                              dot != NULL && section_find(section, &id, &name) == PATH_UNKNOWN ? section : path);
        return NULL;
    }
    const struct key *k = key_find(id, key_name, index);
    if (k == NULL && id == SECTION_RISK) {
        k = key_find(SECTION_LIMITS, key_name, index);
        id = k != NULL ? SECTION_LIMITS : id;
    }
    *in = sections[id].stride == 0 ? &l->instance[id][0] : entry_take(l, id, name, where);
    if (*in != NULL && k == NULL)
        error_unknown_key(l, where, *in, id, key_name);
    return *in != NULL ? k : NULL;
}

/* ---- the file -----------------------------------------------------------------------------------------------------
 */

static void
on_table(struct loader *l, const char *path, const struct source *where)
{
    enum section_id id;
    const char *name;
    char parent[PATH_MAX_TEXT];
    const char *dot = strrchr(path, '.');

    switch (section_find(path, &id, &name)) {
    case PATH_SECTION:
        if (sections[id].stride != 0 && entry_take(l, id, name, where) == NULL)
            (void)snprintf(l->skip, sizeof(l->skip), "%s", path);
        else if (sections[id].stride == 0)
            l->instance[id][0].header = *where;
        return;
    case PATH_PARENT: return;
    case PATH_UNKNOWN: break;
    }
    (void)snprintf(l->skip, sizeof(l->skip), "%s", path);
    (void)snprintf(parent, sizeof(parent), "%.*s", dot != NULL ? (int)(dot - path) : 0, path);
    size_t index;
    if (section_find(parent, &id, &name) == PATH_SECTION) {
        const struct key *k = key_find(id, dot != NULL ? dot + 1 : path, &index);
        if (k != NULL) {
            char expected[160];
            error_at(l, where, path, "is a section, expected %s", key_expected(k, expected, sizeof(expected)));
            return;
        }
    }
    error_unknown_section(l, where, path);
}

static void
on_toml(void *ctx, const struct config_toml_value *t)
{
    struct loader *l = ctx;
    struct source where = { .kind = SOURCE_FILE, .line = t->line, .column = t->column };
    struct value v = { .kind = t->kind, .text = t->text, .text_len = t->text_len, .number = t->number };
    size_t skip = strlen(l->skip);
    struct instance *in;
    size_t index;

    if (skip > 0 && strncmp(t->path, l->skip, skip) == 0 && (t->path[skip] == '.' || t->path[skip] == '\0'))
        return;
    if (strlen(t->path) >= PATH_MAX_TEXT) {
        error_at(l, &where, "", "a name of more than %u characters, expected a key", PATH_MAX_TEXT - 1);
        return;
    }
    if (t->kind == CONFIG_TOML_BAD_KEY) {
        error_at(l, &where, t->path,
                 "a key holds other characters than letters, digits, _ and -, expected a plain one");
        return;
    }
    if (t->kind == CONFIG_TOML_TABLE) {
        on_table(l, t->path, &where);
        return;
    }
    const char *name;
    enum section_id id;
    enum path_result whole = section_find(t->path, &id, &name);
    if (whole == PATH_PARENT || (whole == PATH_SECTION && *t->path != '\0')) {
        char is[96];
        if (!t->item)
            error_at(l, &where, t->path, "is %s, expected a section", value_text(&v, is, sizeof(is)));
        return;
    }
    const struct key *k = path_resolve(l, t->path, &where, &in, &index);
    if (k == NULL || key_is_list(k) != (t->kind == CONFIG_TOML_LIST || t->item)) {
        if (k != NULL)
            error_value(l, &where, in, k, &v);
        if (t->kind == CONFIG_TOML_LIST) /* its items would say the same */
            (void)snprintf(l->skip, sizeof(l->skip), "%s", t->path);
        return;
    }
    if (!t->item)
        in->source[index] = where;
    if (t->kind == CONFIG_TOML_LIST)
        list_clear(l->c, in, k);
    else if (!value_store(l->c, in, k, &v))
        error_value(l, &where, in, k, &v);
}

/* The whole file as malloc'd text. NULL with *why set. */
static char *
file_read(const char *path, size_t *len, const char **why)
{
    FILE *f = fopen(path, "rbe");
    char *text = malloc(FILE_BYTES_MAX + 1);

    *why = NULL;
    if (f == NULL || text == NULL) {
        *why = strerror(errno);
    } else {
        *len = fread(text, 1, FILE_BYTES_MAX + 1, f);
        if (ferror(f) != 0)
            *why = strerror(errno);
        else if (*len > FILE_BYTES_MAX)
            *why = "more than 1 MiB";
    }
    if (f != NULL)
        (void)fclose(f);
    if (*why == NULL)
        return text;
    free(text);
    return NULL;
}

/* ---- the environment ------------------------------------------------------------------------------------------------
 */

/* "VENUE__BINANCE__API_URL" -> "venue.binance.api_url". An instrument's name stays in capitals. False: too long. */
static bool
env_path(const char *name, size_t len, char *path, size_t room)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        if (n + 2 > room)
            return false;
        if (name[i] == '_' && i + 1 < len && name[i + 1] == '_') {
            path[n++] = '.';
            i++;
        } else {
            path[n++] = (char)tolower((unsigned char)name[i]);
        }
    }
    path[n] = '\0';
    static const char override[] = "risk.instrument.";
    if (strncmp(path, override, sizeof(override) - 1) == 0)
        for (size_t i = sizeof(override) - 1; i < n && path[i] != '.'; i++)
            path[i] = (char)toupper((unsigned char)path[i]);
    return true;
}

/* A list in the environment: items between commas. */
static void
env_list(struct loader *l, struct instance *in, const struct key *k, const char *text, const struct source *where)
{
    char item[128];

    list_clear(l->c, in, k);
    while (*text != '\0') {
        size_t n = strcspn(text, ",");
        (void)snprintf(item, sizeof(item), "%.*s", (int)MIN(n, sizeof(item) - 1), text);
        struct value v = value_from_text(k, item);
        if (!value_store(l->c, in, k, &v)) {
            error_value(l, where, in, k, &v);
            return;
        }
        text += n + (text[n] == ',');
    }
}

static void
env_apply(struct loader *l, const char *entry)
{
    static const char prefix[] = "EXECGW__";
    const char *equals = strchr(entry, '=');
    char path[PATH_MAX_TEXT];
    char name[64];
    struct instance *in;
    size_t index;

    if (equals == NULL || strncmp(entry, prefix, sizeof(prefix) - 1) != 0)
        return;
    (void)snprintf(name, sizeof(name), "%.*s", (int)(equals - entry), entry);
    struct source where = source_env(name);
    const char *rest = entry + sizeof(prefix) - 1;
    if (rest >= equals || !env_path(rest, (size_t)(equals - rest), path, sizeof(path))) {
        error_at(l, &where, "", "names no key, expected EXECGW__SECTION__KEY");
        return;
    }
    const struct key *k = path_resolve(l, path, &where, &in, &index);
    if (k == NULL)
        return;
    struct value v = value_from_text(k, equals + 1);
    in->source[index] = where;
    if (key_is_list(k))
        env_list(l, in, k, equals + 1, &where);
    else if (!value_store(l->c, in, k, &v))
        error_value(l, &where, in, k, &v);
}

/* ---- checks that need more than one value ---------------------------------------------------------------------------
 */

static const struct source *
source_of(const struct loader *l, enum section_id id, uint32_t entry, const char *key)
{
    size_t index = 0;
    const struct key *k = key_find(id, key, &index);
    ASSERT(k != NULL);
    return &l->instance[id][entry].source[index];
}

/* Error at the value of a key: `path.key: ...`. */
#define ERROR_KEY(l, id, entry, key, ...)                                              \
    do {                                                                               \
        char error_path_[PATH_MAX_TEXT + 64];                                          \
        key_path(&(l)->instance[id][entry], key, error_path_, sizeof(error_path_));    \
        error_at((l), source_of((l), (id), (entry), (key)), error_path_, __VA_ARGS__); \
    } while (0)

static void
check_required(struct loader *l)
{
    for (enum section_id id = 0; id < SECTION_COUNT; id++) {
        for (uint32_t e = 0; e < section_entries(l, id); e++) {
            const struct instance *in = &l->instance[id][e];
            if (sections[id].stride != 0 && in->header.kind == SOURCE_DEFAULT)
                continue; /* the account that is there when none is configured: id 0 */
            for (size_t i = 0; i < sections[id].key_count; i++) {
                const struct key *k = &sections[id].keys[i];
                char expected[160];
                if (k->def == NULL && in->source[i].kind == SOURCE_DEFAULT)
                    ERROR_KEY(l, id, e, k->name, "is not set, expected %s",
                              key_expected(k, expected, sizeof(expected)));
            }
        }
    }
}

static bool
host_loopback(const char *host)
{
    struct in_addr v4;

    if (strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0)
        return true;
    return inet_pton(AF_INET, host, &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
}

static void
check_url(struct loader *l, uint32_t e, const char *key, const char *text, bool http)
{
    struct config_url url;

    if (*text == '\0' || !(http ? config_http_url_parse(text, &url) : config_url_parse(text, &url)))
        return; /* reported already */
    if (!url.tls && !host_loopback(url.host))
        ERROR_KEY(l, SECTION_VENUE, e, key, "would go to \"%.80s\" in clear text, expected %s://", url.host,
                  http ? "https" : "wss");
    if (l->c->live && !host_loopback(url.host))
        ERROR_KEY(
            l, SECTION_VENUE, e, key,
            "host \"%.80s\" is not this machine, expected a loopback address: live trading beyond loopback is not "
            "enabled in this version",
            url.host);
}

static void
check_key_file(struct loader *l, uint32_t e, const char *key, const char *path, bool needed)
{
    struct fault fault;

    if (*path == '\0') {
        if (needed)
            ERROR_KEY(l, SECTION_VENUE, e, key, "is not set, expected a key: mode is live");
        return;
    }
    /* In paper mode a key that is not there yet is no error; one that others may read is. */
    if (!needed && strncmp(path, KEY_FILE_CREDENTIAL, sizeof(KEY_FILE_CREDENTIAL) - 1) == 0)
        return;
    if (!needed && access(path, F_OK) != 0)
        return;
    if (!key_file_check(path, &fault))
        ERROR_KEY(l, SECTION_VENUE, e, key, "%s", fault.text);
}

static int
decimal_compare(const char *a, const char *b)
{
    int64_t x = 0;
    int64_t y = 0;
    (void)decimal_parse(a, strlen(a), VALUE_DECIMALS, &x);
    (void)decimal_parse(b, strlen(b), VALUE_DECIMALS, &y);
    return (x > y) - (x < y);
}

static void
check_limits(struct loader *l, enum section_id id, uint32_t e, const struct config_limits *lim)
{
    if (*lim->order_qty_min != '\0' && *lim->order_qty_max != '\0' &&
        decimal_compare(lim->order_qty_min, lim->order_qty_max) > 0)
        ERROR_KEY(l, id, e, "order_qty_min", "is \"%s\", expected at most order_qty_max (\"%s\")", lim->order_qty_min,
                  lim->order_qty_max);
    if (*lim->order_notional_min != '\0' && *lim->order_notional_max != '\0' &&
        decimal_compare(lim->order_notional_min, lim->order_notional_max) > 0)
        ERROR_KEY(l, id, e, "order_notional_min", "is \"%s\", expected at most order_notional_max (\"%s\")",
                  lim->order_notional_min, lim->order_notional_max);
}

/* Written somewhere for this symbol; when it is not in force all the same, its value was refused with a reason. */
static bool
limit_is_given(const struct loader *l, const char *symbol, const char *key)
{
    for (uint32_t e = 0; e < l->c->risk.overrides; e++)
        if (strcmp(l->c->risk.override[e].symbol, symbol) == 0 &&
            source_of(l, SECTION_OVERRIDE, e, key)->kind != SOURCE_DEFAULT)
            return true;
    return source_of(l, SECTION_LIMITS, 0, key)->kind != SOURCE_DEFAULT;
}

/* A symbol without its three limits of size could not be traded safely, so it does not start. */
static void
check_symbol(struct loader *l, uint32_t e, const char *symbol)
{
    const struct config_limits *lim = config_limits_for(l->c, symbol);
    const struct {
        const char *key;
        const char *value;
    } must[] = { { "order_qty_max", lim->order_qty_max },
                 { "order_notional_max", lim->order_notional_max },
                 { "position_max", lim->position_max } };

    for (size_t i = 0; i < ARRAY_LEN(must); i++)
        if (*must[i].value == '\0' && !(l->errors > 0 && limit_is_given(l, symbol, must[i].key)))
            error_at(l, source_of(l, SECTION_VENUE, e, "symbols"), l->instance[SECTION_VENUE][e].path,
                     "risk.%s is not set for %s, expected it in [risk] or [risk.instrument.%s]", must[i].key, symbol,
                     symbol);
}

/* What only some dialects can do, and what they need. */
static void
check_dialect(struct loader *l, uint32_t e, const struct config_venue *v)
{
    const struct dialect *d = &dialects[v->dialect];
    const char *name = dialect_choices[v->dialect];
    bool depth = !d->feed->checked;

    for (unsigned i = 0; i < ARRAY_LEN(d->feed->depth); i++)
        depth |= d->feed->depth[i] == v->depth;
    if (!depth)
        ERROR_KEY(l, SECTION_VENUE, e, "depth", "is %lld, expected 10, 25, 100, 500 or 1000 (dialect %s)",
                  (long long)v->depth, name);
    if (!l->c->live)
        return;
    if (d->ops->rest != 0 && *v->rest_url == '\0')
        ERROR_KEY(l, SECTION_VENUE, e, "rest_url", "is not set, expected https://HOST[:PORT]: %s answers there", name);
    if ((d->key_types >> v->key_type & 1) == 0)
        ERROR_KEY(l, SECTION_VENUE, e, "key_type", "is \"%s\", which %s does not sign with",
                  key_type_choices[v->key_type], name);
    if (v->recv_window_ms < d->recv_window_min_ms)
        ERROR_KEY(l, SECTION_VENUE, e, "recv_window_ms", "is %lld, expected at least %lld: %s takes no less",
                  (long long)v->recv_window_ms, (long long)d->recv_window_min_ms, name);
}

static void
check_venue(struct loader *l, uint32_t e)
{
    const struct config_venue *v = &l->c->venue[e];
    bool known = false;

    for (uint32_t i = 0; i < l->c->accounts; i++)
        known |= strcmp(l->c->account[i].name, v->account) == 0;
    if (!known)
        ERROR_KEY(l, SECTION_VENUE, e, "account", "is \"%s\", expected the name of an [account.<name>]", v->account);
    check_url(l, e, "market_url", v->market_url, false);
    check_url(l, e, "api_url", v->api_url, false);
    check_url(l, e, "rest_url", v->rest_url, true);
    check_dialect(l, e, v);
    if (*v->proxy != '\0' && v->transport != TRANSPORT_LWS)
        ERROR_KEY(l, SECTION_VENUE, e, "proxy", "is set, which needs transport = \"lws\"");
    if (v->deadman_ms != 0 && v->deadman_ms < 5000)
        ERROR_KEY(l, SECTION_VENUE, e, "deadman_ms", "is %lld, expected 0 or at least 5000", (long long)v->deadman_ms);
    if (v->deadman_ms != 0 && v->dialect != DIALECT_KRAKEN)
        ERROR_KEY(l, SECTION_VENUE, e, "deadman_ms", "is %lld, expected 0: this venue has no countdown",
                  (long long)v->deadman_ms);
    if (v->reconnect_min_ms > v->reconnect_max_ms)
        ERROR_KEY(l, SECTION_VENUE, e, "reconnect_min_ms", "is %lld, expected at most reconnect_max_ms (%lld)",
                  (long long)v->reconnect_min_ms, (long long)v->reconnect_max_ms);
    if (*v->api_key != '\0' && *v->api_key_file != '\0')
        ERROR_KEY(l, SECTION_VENUE, e, "api_key_file", "is set beside api_key, expected one of the two");
    check_key_file(l, e, "key_file", v->key_file, l->c->live);
    check_key_file(l, e, "api_key_file", v->api_key_file, l->c->live && *v->api_key == '\0');
    if (source_of(l, SECTION_VENUE, e, "symbols")->kind != SOURCE_DEFAULT && v->symbols == 0 && l->errors == 0)
        ERROR_KEY(l, SECTION_VENUE, e, "symbols", "is empty, expected at least one symbol");
    for (uint32_t i = 0; i < v->symbols; i++)
        check_symbol(l, e, v->symbol[i]);
}

static void
check_override(struct loader *l, uint32_t e)
{
    const struct config *c = l->c;
    const struct instance *in = &l->instance[SECTION_OVERRIDE][e];
    struct nearest best = { .wanted = c->risk.override[e].symbol, .distance = 100 };

    for (uint32_t v = 0; v < c->venues; v++) {
        for (uint32_t i = 0; i < c->venue[v].symbols; i++) {
            if (strcmp(c->venue[v].symbol[i], best.wanted) == 0) {
                check_limits(l, SECTION_OVERRIDE, e, &c->risk.override[e]);
                return;
            }
            nearest_offer(&best, c->venue[v].symbol[i], "", c->venue[v].symbol[i]);
        }
    }
    if (nearest_close(&best))
        error_at(l, &in->header, in->path, "is no configured symbol, did you mean %s?", best.text);
    else
        error_at(l, &in->header, in->path, "is no configured symbol, expected one of a venue's symbols");
}

/* Ids of strategies and accounts are unique. */
static void
check_unique(struct loader *l, enum section_id id, size_t id_offset)
{
    for (uint32_t a = 1; a < section_entries(l, id); a++) {
        for (uint32_t b = 0; b < a; b++) {
            int64_t x;
            int64_t y;
            memcpy(&x, l->instance[id][a].base + id_offset, sizeof(x));
            memcpy(&y, l->instance[id][b].base + id_offset, sizeof(y));
            if (x == y && source_of(l, id, a, "id")->kind != SOURCE_DEFAULT &&
                source_of(l, id, b, "id")->kind != SOURCE_DEFAULT)
                ERROR_KEY(l, id, a, "id", "is %lld, expected another than that of [%s]", (long long)x,
                          l->instance[id][b].path);
        }
    }
}

static void
check_listen(struct loader *l)
{
    char host[64];
    long port;
    const struct config_monitoring *m = &l->c->monitoring;

    if (*m->listen == '\0' || !config_listen_parse(m->listen, host, sizeof(host), &port))
        return;
    if (!m->listen_remote && !host_loopback(host))
        ERROR_KEY(l, SECTION_MONITORING, 0, "listen",
                  "is \"%s\", expected a loopback address, or listen_remote = true beside it", m->listen);
}

static bool
symbol_known(const struct config *c, const char *symbol)
{
    for (uint32_t v = 0; v < c->venues; v++)
        for (uint32_t i = 0; i < c->venue[v].symbols; i++)
            if (strcmp(c->venue[v].symbol[i], symbol) == 0)
                return true;
    return false;
}

/* Is there an entry of that name? Every entry's struct begins with its name. */
static bool
entry_known(const struct loader *l, enum section_id id, const char *name)
{
    for (uint32_t e = 0; e < section_entries(l, id); e++)
        if (strcmp((const char *)l->instance[id][e].base, name) == 0)
            return true;
    return false;
}

/* [risk.strategy.<name>] and the like speak of something that is configured. */
static void
check_groups(struct loader *l, enum section_id id, enum section_id of)
{
    for (uint32_t e = 0; e < section_entries(l, id); e++) {
        const struct instance *in = &l->instance[id][e];
        if (!entry_known(l, of, (const char *)in->base))
            error_at(l, &in->header, in->path, "there is no [%s.%s], expected the name of one", sections[of].path,
                     (const char *)in->base);
    }
}

static void
check_strategy(struct loader *l, uint32_t e)
{
    const struct config_strategy *s = &l->c->strategy[e];

    for (uint32_t i = 0; i < s->accounts.count; i++)
        if (!entry_known(l, SECTION_ACCOUNT, s->accounts.name[i]))
            ERROR_KEY(l, SECTION_STRATEGY, e, "accounts", "has \"%s\", expected names of [account.<name>]",
                      s->accounts.name[i]);
    for (uint32_t i = 0; i < s->symbols.count; i++)
        if (!symbol_known(l->c, s->symbols.name[i]))
            ERROR_KEY(l, SECTION_STRATEGY, e, "symbols", "has \"%s\", expected symbols of some venue",
                      s->symbols.name[i]);
}

/* What a gateway that sends real orders may not leave to a default. */
static void
check_live_limits(struct loader *l)
{
    static const char *const must[] = { "gross_exposure_max", "daily_loss_max" };

    for (size_t i = 0; l->c->live && i < ARRAY_LEN(must); i++)
        if (source_of(l, SECTION_GLOBAL, 0, must[i])->kind == SOURCE_DEFAULT)
            ERROR_KEY(l, SECTION_GLOBAL, 0, must[i], "is not set, expected a limit in %s: mode is live",
                      l->c->risk.reporting_currency);
}

static void
check_all(struct loader *l)
{
    struct config *c = l->c;

    check_required(l);
    check_listen(l);
    if (c->venues == 0)
        error_at(l, &(struct source){ .kind = SOURCE_FILE }, "venue",
                 "no venue is configured, expected a [venue.<name>]");
    for (uint32_t e = 0; e < c->venues; e++)
        check_venue(l, e);
    check_limits(l, SECTION_LIMITS, 0, &c->risk.limits);
    for (uint32_t e = 0; e < c->risk.overrides; e++)
        check_override(l, e);
    for (uint32_t e = 0; e < c->strategies; e++)
        check_strategy(l, e);
    check_groups(l, SECTION_RISK_STRATEGY, SECTION_STRATEGY);
    check_groups(l, SECTION_RISK_ACCOUNT, SECTION_ACCOUNT);
    check_groups(l, SECTION_RISK_VENUE, SECTION_VENUE);
    check_live_limits(l);
    check_unique(l, SECTION_STRATEGY, offsetof(struct config_strategy, id));
    check_unique(l, SECTION_ACCOUNT, offsetof(struct config_account, id));
    uint32_t symbols = 0;
    for (uint32_t e = 0; e < c->venues; e++)
        symbols += c->venue[e].symbols;
    if (symbols > c->memory.instruments_max)
        ERROR_KEY(l, SECTION_MEMORY, 0, "instruments_max",
                  "is %lld, expected at least %u: so many symbols are configured", (long long)c->memory.instruments_max,
                  symbols);
}

/* What an override does not set is as in [risk]. */
static void
overrides_complete(struct loader *l)
{
    for (uint32_t e = 0; e < l->c->risk.overrides; e++) {
        struct instance *in = &l->instance[SECTION_OVERRIDE][e];
        for (size_t i = 0; i < ARRAY_LEN(limit_keys); i++)
            if (in->source[i].kind == SOURCE_DEFAULT)
                memcpy(in->base + limit_keys[i].offset, (const uint8_t *)&l->c->risk.limits + limit_keys[i].offset,
                       limit_keys[i].bytes);
    }
}

/* ---- the hash -----------------------------------------------------------------------------------------------------
 */

static void
hash_text(uint64_t *h, const char *s)
{
    do
        *h = (*h ^ (uint8_t)*s) * UINT64_C(1099511628211); /* FNV-1a; the NUL separates */
    while (*s++ != '\0');
}

static uint64_t
config_identity(const struct config *c)
{
    uint64_t h = UINT64_C(14695981039346656037);
    char number[64];

    (void)snprintf(number, sizeof(number), "%lld %d", (long long)c->instance, c->live);
    hash_text(&h, number);
    for (uint32_t i = 0; i < c->accounts; i++) {
        (void)snprintf(number, sizeof(number), "%s %lld", c->account[i].name, (long long)c->account[i].id);
        hash_text(&h, number);
    }
    for (uint32_t i = 0; i < c->venues; i++) {
        const struct config_venue *v = &c->venue[i];
        const char *const urls[] = { v->market_url, v->api_url };
        struct config_url rest = { 0 };
        hash_text(&h, v->name);
        hash_text(&h, dialect_choices[v->dialect]);
        hash_text(&h, v->account);
        for (size_t u = 0; u < ARRAY_LEN(urls); u++) {
            struct config_url url = { 0 };
            (void)config_url_parse(urls[u], &url);
            hash_text(&h, url.host);
        }
        if (config_http_url_parse(v->rest_url, &rest))
            hash_text(&h, rest.host);
    }
    return h;
}

/* ---- printing -----------------------------------------------------------------------------------------------------
 */

/* `[section]`; a symbol with a slash stands in quotes. */
static void
print_header(FILE *out, const char *path)
{
    const char *name = strchr(path, '/') != NULL ? strrchr(path, '.') : NULL;

    if (name == NULL)
        (void)fprintf(out, "\n[%s]\n", path);
    else
        (void)fprintf(out, "\n[%.*s.\"%s\"]\n", (int)(name - path), path, name + 1);
}

static void
print_quoted(FILE *out, const char *s)
{
    (void)fputc('"', out);
    for (; *s != '\0'; s++) {
        if (*s == '"' || *s == '\\')
            (void)fputc('\\', out);
        (void)fputc(*s, out);
    }
    (void)fputc('"', out);
}

static void
print_value(FILE *out, const struct config *c, const struct instance *in, const struct key *k)
{
    const uint8_t *from = in->base + k->offset;
    int64_t n;
    int32_t choice;

    switch (k->type) {
    case KEY_INT:
    case KEY_POWER2:
        memcpy(&n, from, sizeof(n));
        (void)fprintf(out, "%lld", (long long)n);
        break;
    case KEY_BOOL: (void)fputs(*(const bool *)from ? "true" : "false", out); break;
    case KEY_CHOICE:
        memcpy(&choice, from, sizeof(choice));
        print_quoted(out, k->choices[choice]);
        break;
    case KEY_PUBLIC: print_quoted(out, *from != '\0' ? "****" : ""); break;
    case KEY_UIDS:
        (void)fputc('[', out);
        for (uint32_t i = 0; i < c->client.allowed_uids; i++)
            (void)fprintf(out, "%s%u", i > 0 ? ", " : "", c->client.allowed_uid[i]);
        (void)fputc(']', out);
        break;
    case KEY_NAMES: {
        const struct config_names *names = (const struct config_names *)(const void *)from;
        (void)fputc('[', out);
        for (uint32_t i = 0; i < names->count; i++)
            (void)fprintf(out, "%s\"%s\"", i > 0 ? ", " : "", names->name[i]);
        (void)fputc(']', out);
        break;
    }
    case KEY_SYMBOLS: {
        const struct config_venue *v = (const struct config_venue *)(const void *)in->base;
        (void)fputc('[', out);
        for (uint32_t i = 0; i < v->symbols; i++)
            (void)fprintf(out, "%s\"%s\"", i > 0 ? ", " : "", v->symbol[i]);
        (void)fputc(']', out);
        break;
    }
    default: print_quoted(out, (const char *)from); break;
    }
}

static void
print_source(FILE *out, const struct loader *l, const struct source *s)
{
    switch (s->kind) {
    case SOURCE_FILE: (void)fprintf(out, "  # %s:%u\n", l->c->file, s->line); break;
    case SOURCE_ENV: (void)fprintf(out, "  # %s\n", s->env); break;
    case SOURCE_COMMAND: (void)fputs("  # command line\n", out); break;
    default: (void)fputs("  # default\n", out); break;
    }
}

/* The merged configuration as TOML that loads again (but for masked values), each value with where it came from. */
static void
config_print(FILE *out, const struct loader *l)
{
    (void)fprintf(out, "# orders: %s\n", l->c->live ? "LIVE" : "paper");
    for (enum section_id id = 0; id < SECTION_COUNT; id++) {
        for (uint32_t e = 0; e < section_entries(l, id); e++) {
            const struct instance *in = &l->instance[id][e];
            if (*in->path != '\0' && id != SECTION_LIMITS) /* its keys belong to [risk], just printed */
                print_header(out, in->path);
            for (size_t i = 0; i < sections[id].key_count; i++) {
                const struct key *k = &sections[id].keys[i];
                if (id == SECTION_OVERRIDE && in->source[i].kind == SOURCE_DEFAULT)
                    continue;
                (void)fprintf(out, "%s = ", k->name);
                print_value(out, l->c, in, k);
                print_source(out, l, &in->source[i]);
            }
        }
    }
}

void
config_help_markdown(FILE *out)
{
    (void)fputs(
        "# Configuration\n\n"
        "Made by `execgw --help-config`; the gateway's key table is the source.\n\n"
        "One TOML file, `execgw --config FILE`. What wins: command line, then environment, then file, then "
        "default. The environment\nnames a key `EXECGW__SECTION__KEY`: `EXECGW__VENUE__BINANCE__API_URL` is "
        "`api_url` of `[venue.binance]`; lists are separated by commas.\n`--check-config` checks everything and "
        "stops, `--print-config` shows each merged value and where it came from.\n\n"
        "Quantities and values of money are decimals in quotes, never floats. A secret never stands in the file: "
        "`key_file` names a\nfile of mode 0600 or 0400, or `credential:NAME` one that systemd's "
        "`LoadCredential=` provides.\n",
        out);
    for (enum section_id id = 0; id < SECTION_COUNT; id++) {
        const struct section *s = &sections[id];
        if (id == SECTION_OVERRIDE) {
            (void)fprintf(out, "\n## [%s.<SYMBOL>]\n\n%s\n", s->path, s->help);
            continue;
        }
        (void)fprintf(out, "\n## %s%s%s%s\n\n%s\n\n| key | takes | default | meaning |\n|---|---|---|---|\n",
                      *s->path != '\0' ? "[" : "Top level", s->path, s->stride != 0 ? ".<name>" : "",
                      *s->path != '\0' ? "]" : "", s->help);
        for (size_t i = 0; i < s->key_count; i++) {
            const struct key *k = &s->keys[i];
            char expected[160];
            (void)fprintf(out, "| `%s` | %s | ", k->name, key_expected(k, expected, sizeof(expected)));
            bool quoted = !key_is_list(k) && k->type != KEY_INT && k->type != KEY_POWER2 && k->type != KEY_BOOL;
            if (k->def == NULL)
                (void)fputs("must be set", out);
            else
                (void)fprintf(out, quoted ? "`\"%s\"`" : "`%s`", k->def);
            (void)fprintf(out, " | %s |\n", k->help);
        }
    }
}

static int
error_order(const void *a, const void *b)
{
    const struct config_error *x = a;
    const struct config_error *y = b;

    if (x->order != y->order) /* defaults stand where their section does */
        if (MAX(x->order, (uint32_t)SOURCE_FILE) != MAX(y->order, (uint32_t)SOURCE_FILE))
            return x->order < y->order ? -1 : 1;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    if (x->column != y->column)
        return x->column < y->column ? -1 : 1;
    return x->seq < y->seq ? -1 : 1;
}

static void
errors_print(struct loader *l, FILE *err)
{
    uint32_t kept = MIN(l->errors, ERRORS_MAX);

    qsort(l->error, kept, sizeof(l->error[0]), error_order);
    for (uint32_t i = 0; i < kept; i++)
        (void)fprintf(err, "%s\n", l->error[i].text);
    if (l->errors > kept)
        (void)fprintf(err, "%s: %u more errors\n", l->c->file, l->errors - kept);
}

/* ---- the command line -----------------------------------------------------------------------------------------------
 */

struct args {
    const char *file;
    const char *record; /* "" none */
    bool paper;
    bool live;
    bool check;
    bool print;
};

static const char usage[] =
    "usage: execgw --config FILE [--paper|--live] [--record DIR] [--check-config] [--print-config]\n"
    "       execgw --help-config | --version | --help\n";

static const char help[] = "\n"
                           "  --config FILE    read this configuration (default config.toml)\n"
                           "  --paper          orders go to the in-process matcher, whatever the file says\n"
                           "  --live           real orders; the file must say mode = \"live\" as well\n"
                           "  --record DIR     record everything that the core sees into the new folder DIR, for\n"
                           "                   execgw-cli replay\n"
                           "  --check-config   check everything, say so, stop\n"
                           "  --print-config   show every merged value and where it came from, stop\n"
                           "  --help-config    describe every key as Markdown, stop\n"
                           "  --version        say which version this is, stop\n"
                           "  --help           this text\n"
                           "\n"
                           "Exit codes: 0 ok, 1 failure, 64 usage, 69 unavailable, 78 configuration.\n";

/* CONFIG_GO, or the exit code when that was all. */
static int
args_read(int argc, char *const *argv, struct args *a, FILE *out, FILE *err)
{
    *a = (struct args){ .file = "config.toml", .record = "" };
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (strcmp(arg, "--config") == 0 && i + 1 < argc) {
            a->file = argv[++i];
        } else if (strncmp(arg, "--config=", 9) == 0 && arg[9] != '\0') {
            a->file = arg + 9;
        } else if (strcmp(arg, "--record") == 0 && i + 1 < argc) {
            a->record = argv[++i];
        } else if (strcmp(arg, "--paper") == 0) {
            a->paper = true;
        } else if (strcmp(arg, "--live") == 0) {
            a->live = true;
        } else if (strcmp(arg, "--check-config") == 0) {
            a->check = true;
        } else if (strcmp(arg, "--print-config") == 0) {
            a->print = true;
        } else if (strcmp(arg, "--help-config") == 0) {
            config_help_markdown(out);
            return EXIT_OK;
        } else if (strcmp(arg, "--version") == 0) {
            (void)fprintf(out, "execgw %s\n", EXECGW_VERSION);
            return EXIT_OK;
        } else if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            (void)fprintf(out, "%s%s", usage, help);
            return EXIT_OK;
        } else {
            (void)fprintf(err, "execgw: %s \"%.80s\"\n%s",
                          strcmp(arg, "--config") == 0 || strcmp(arg, "--config=") == 0 ? "a file must follow"
                                                                                        : "unknown argument",
                          arg, usage);
            return EXIT_USAGE;
        }
    }
    if (a->paper && a->live) {
        (void)fprintf(err, "execgw: --paper and --live exclude each other, expected one of them\n%s", usage);
        return EXIT_USAGE;
    }
    if (strlen(a->file) >= CONFIG_PATH_BYTES) {
        (void)fprintf(err, "execgw: the path after --config is longer than %d bytes\n", CONFIG_PATH_BYTES - 1);
        return EXIT_USAGE;
    }
    return CONFIG_GO;
}

/* Live needs two acts, both deliberate: the file itself (not the environment) and the command line. */
static void
mode_decide(struct loader *l, const struct args *a)
{
    const struct source *mode = source_of(l, SECTION_ROOT, 0, "mode");
    bool live = l->c->mode == MODE_LIVE;

    if (live && mode->kind == SOURCE_ENV)
        error_at(l, mode, "mode",
                 "is \"live\" in the environment, expected it in the file: live is never set by override");
    if (a->live && !live)
        error_at(l, &(struct source){ .kind = SOURCE_COMMAND }, "--live",
                 "mode is \"paper\" in %.100s, expected mode = \"live\" there as well", l->c->file);
    l->c->live = live && a->live && mode->kind == SOURCE_FILE;
}

static bool
loader_init(struct loader *l, struct config *c)
{
    *l = (struct loader){ .c = c };
    for (enum section_id id = 0; id < SECTION_COUNT; id++) {
        const struct section *s = &sections[id];
        l->instance[id] = calloc(s->entries_max, sizeof(struct instance));
        if (l->instance[id] == NULL)
            return false;
        if (s->stride == 0) {
            l->instance[id][0].base = (uint8_t *)c + s->offset;
            (void)snprintf(l->instance[id][0].path, PATH_MAX_TEXT, "%s", s->path);
            instance_defaults(l, id, &l->instance[id][0]);
        }
    }
    return true;
}

static int
config_load_file(struct loader *l, const struct args *a, char *const *env, FILE *out, FILE *err)
{
    struct config *c = l->c;
    const char *why;
    size_t len = 0;
    struct config_toml_error syntax = { 0 };

    char *text = file_read(a->file, &len, &why);
    if (text == NULL) {
        (void)fprintf(err, "%s: cannot be read (%s), expected a configuration file\n", a->file, why);
        return EXIT_CONFIG;
    }
    bool parsed = config_toml_walk(text, len, on_toml, l, &syntax);
    free(text);
    if (!parsed) {
        (void)fprintf(err, "%s:%u:%u: %s\n", a->file, syntax.line, syntax.column, syntax.text);
        return EXIT_CONFIG;
    }
    for (size_t i = 0; env != NULL && env[i] != NULL; i++)
        env_apply(l, env[i]);
    if (c->accounts == 0)
        (void)entry_take(l, SECTION_ACCOUNT, "main", &(struct source){ .kind = SOURCE_DEFAULT });
    overrides_complete(l);
    mode_decide(l, a);
    check_all(l);
    if (l->errors > 0) {
        errors_print(l, err);
        return EXIT_CONFIG;
    }
    c->hash = config_identity(c);
    if (a->print)
        config_print(out, l);
    if (a->check)
        (void)fprintf(out, "%s: ok\n", c->file);
    return a->print || a->check ? EXIT_OK : CONFIG_GO;
}

int
config_load(int argc, char *const *argv, char *const *env, struct config *c, FILE *out, FILE *err)
{
    struct args a;
    int rc = args_read(argc, argv, &a, out, err);

    if (rc != CONFIG_GO)
        return rc;
    memset(c, 0, sizeof(*c));
    (void)snprintf(c->file, sizeof(c->file), "%s", a.file);
    (void)snprintf(c->record, sizeof(c->record), "%s", a.record);
    struct loader *l = malloc(sizeof(*l));
    rc = EXIT_FAILED;
    if (l != NULL) {
        if (loader_init(l, c))
            rc = config_load_file(l, &a, env, out, err);
        for (enum section_id id = 0; id < SECTION_COUNT; id++)
            free(l->instance[id]);
        free(l);
    }
    return rc;
}

/* Keys that a reload may change. */
static bool
key_reloads(enum section_id id, const struct key *k)
{
    switch (id) {
    case SECTION_RISK:
    case SECTION_LIMITS:
    case SECTION_OVERRIDE:
    case SECTION_GLOBAL:
    case SECTION_RISK_STRATEGY:
    case SECTION_RISK_ACCOUNT:
    case SECTION_RISK_VENUE:
    case SECTION_RATE: return true;
    case SECTION_STRATEGY:
        return k->type == KEY_NAMES || strcmp(k->name, "order_rate") == 0 || strcmp(k->name, "order_burst") == 0;
    case SECTION_MONITORING: return strcmp(k->name, "log_level") == 0;
    default: return false;
    }
}

static bool
key_same(const struct config *a, const struct config *b, size_t at, const struct key *k)
{
    const uint8_t *x = (const uint8_t *)a + at;
    const uint8_t *y = (const uint8_t *)b + at;

    switch (k->type) {
    case KEY_UIDS:
        if (a->client.allowed_uids != b->client.allowed_uids)
            return false;
        break;
    case KEY_SYMBOLS:
    case KEY_NAMES:
    case KEY_INT:
    case KEY_POWER2:
    case KEY_BOOL:
    case KEY_CHOICE: break;
    default: return strcmp((const char *)x + k->offset, (const char *)y + k->offset) == 0;
    }
    return memcmp(x + k->offset, y + k->offset, k->bytes) == 0;
}

bool
config_reload_allowed(const struct config *running, const struct config *next, struct fault *fault)
{
    for (enum section_id id = 0; id < SECTION_COUNT; id++) {
        const struct section *s = &sections[id];
        uint32_t n = 1;
        uint32_t m = 1;
        if (s->stride != 0 && key_reloads(id, &s->keys[0])) /* entries may come and go */
            continue;
        if (s->stride != 0) {
            memcpy(&n, (const uint8_t *)running + s->count_offset, sizeof(n));
            memcpy(&m, (const uint8_t *)next + s->count_offset, sizeof(m));
        }
        for (uint32_t e = 0; e < MAX(n, m); e++) {
            size_t at = s->offset + e * s->stride;
            const char *name = s->stride != 0 ? (const char *)running + at : "";
            if (s->stride != 0 && (e >= n || e >= m || strcmp(name, (const char *)next + at) != 0))
                return FAULT(fault, "reload refused: another [%s.%s], expected changes of limits and log level only",
                             s->path, e < m ? (const char *)next + at : name);
            for (size_t i = 0; i < s->key_count; i++)
                if (!key_reloads(id, &s->keys[i]) && !key_same(running, next, at, &s->keys[i]))
                    return FAULT(
                        fault, "reload refused: %s%s%s%s%s has changed, expected changes of limits and log level only",
                        s->path, s->stride != 0 ? "." : "", name, *s->path != '\0' ? "." : "", s->keys[i].name);
        }
    }
    if (running->live != next->live)
        return FAULT(fault, "reload refused: --live or --paper has changed");
    return true;
}

void
config_take_limits(struct config *running, const struct config *next)
{
    for (enum section_id id = 0; id < SECTION_COUNT; id++) {
        const struct section *s = &sections[id];
        uint8_t *to = (uint8_t *)running;
        const uint8_t *from = (const uint8_t *)next;
        uint32_t n = 1;
        if (s->stride != 0 && key_reloads(id, &s->keys[0])) { /* entries may come and go */
            memcpy(to + s->offset, from + s->offset, s->stride * s->entries_max);
            memcpy(to + s->count_offset, from + s->count_offset, sizeof(n));
            continue;
        }
        if (s->stride != 0)
            memcpy(&n, to + s->count_offset, sizeof(n));
        for (uint32_t e = 0; e < n; e++)
            for (size_t i = 0; i < s->key_count; i++) {
                size_t at = s->offset + e * s->stride + s->keys[i].offset;
                if (key_reloads(id, &s->keys[i]))
                    memcpy(to + at, from + at, s->keys[i].bytes);
            }
    }
}

/* ---- one limit while running --------------------------------------------------------------------------------------
 */

static bool
ends_with(const char *s, const char *end)
{
    size_t n = strlen(s);
    size_t m = strlen(end);

    return n >= m && strcmp(s + n - m, end) == 0;
}

/* Certainly tighter, or taken for looser. Only a maximum that stays one, a minimum and a rate are sure. */
static enum config_change
change_of(const struct key *k, const void *old, const void *new)
{
    int64_t a = 0;
    int64_t b = 0;
    int order;

    if (memcmp(old, new, k->bytes) == 0 || (k->type == KEY_DECIMAL && strcmp(old, new) == 0))
        return CHANGE_NONE;
    if (strcmp(k->name, "restricted") == 0)
        return *(const bool *)new ? CHANGE_TIGHTER : CHANGE_LOOSER;
    if (k->type == KEY_DECIMAL) {
        order = decimal_compare(new, old);
        if (*(const char *)new == '\0' || (*(const char *)old == '\0' && ends_with(k->name, "_min")))
            return *(const char *)new == '\0' ? CHANGE_LOOSER : CHANGE_TIGHTER;
        if (*(const char *)old == '\0')
            return ends_with(k->name, "_max") ? CHANGE_TIGHTER : CHANGE_LOOSER;
    } else if (k->type == KEY_INT) {
        memcpy(&a, old, sizeof(a));
        memcpy(&b, new, sizeof(b));
        if (a == 0 || b == 0)
            return CHANGE_LOOSER; /* 0 often means none at all */
        order = (b > a) - (b < a);
    } else {
        return CHANGE_LOOSER;
    }
    if (ends_with(k->name, "_min"))
        return order > 0 ? CHANGE_TIGHTER : CHANGE_LOOSER;
    bool most = ends_with(k->name, "_max") || ends_with(k->name, "_max_ms") || ends_with(k->name, "_max_ppm") ||
                ends_with(k->name, "_rate") || ends_with(k->name, "_burst") || ends_with(k->name, "collar_ppm");
    return most && order < 0 ? CHANGE_TIGHTER : CHANGE_LOOSER;
}

/* The section, its entry and the key that a path names among what a reload may change. */
static const struct key *
limit_find(struct config *c, const char *path, enum section_id *id, uint8_t **base, struct fault *fault)
{
    char section[PATH_MAX_TEXT];
    const char *dot = strrchr(path, '.');
    const char *name = "";
    size_t index;

    if (dot == NULL || (size_t)(dot - path) >= sizeof(section)) {
        (void)FAULT(fault, "%.60s: expected risk.KEY, risk.instrument.SYMBOL.KEY or strategy.NAME.KEY", path);
        return NULL;
    }
    memcpy(section, path, (size_t)(dot - path));
    section[dot - path] = '\0';
    const struct key *k = NULL;
    if (section_find(section, id, &name) == PATH_SECTION) {
        k = key_find(*id, dot + 1, &index);
        if (k == NULL && *id == SECTION_RISK) {
            *id = SECTION_LIMITS;
            k = key_find(*id, dot + 1, &index);
        }
    }
    if (k == NULL || !key_reloads(*id, k) || *id == SECTION_MONITORING) {
        (void)FAULT(fault,
                    "%.60s: is no limit, expected a key of [risk], [risk.instrument.<symbol>] or a strategy's rate",
                    path);
        return NULL;
    }
    const struct section *s = &sections[*id];
    uint32_t n = 1;
    if (s->stride != 0)
        memcpy(&n, (const uint8_t *)c + s->count_offset, sizeof(n));
    for (uint32_t e = 0; e < n; e++) {
        *base = (uint8_t *)c + s->offset + e * s->stride;
        if (s->stride == 0 || strcmp((const char *)*base, name) == 0)
            return k;
    }
    (void)FAULT(fault, "%.60s: there is no [%.40s], expected one of the configuration's", path, section);
    return NULL;
}

/* Overrides that had the default's value go with it. */
static void
overrides_follow(struct config *c, const struct key *k, const uint8_t *old)
{
    for (uint32_t e = 0; e < c->risk.overrides; e++) {
        uint8_t *at = (uint8_t *)&c->risk.override[e] + k->offset;
        bool same =
            k->type == KEY_DECIMAL ? strcmp((const char *)at, (const char *)old) == 0 : memcmp(at, old, k->bytes) == 0;
        if (same)
            memcpy(at, (const uint8_t *)&c->risk.limits + k->offset, k->bytes);
    }
}

bool
config_set_limit(struct config *c, const char *key, const char *value, enum config_change *change, struct fault *fault)
{
    enum section_id id;
    struct instance in = { 0 };
    char expected[160];
    uint8_t old[CONFIG_PATH_BYTES];
    const struct key *k = limit_find(c, key, &id, &in.base, fault);

    if (k == NULL)
        return false;
    if (key_is_list(k) || k->bytes > sizeof(old))
        return FAULT(fault, "%.60s: is a list, expected it to be changed in the file, with a reload", key);
    uint8_t *at = in.base + k->offset;
    memcpy(old, at, k->bytes);
    memset(at, 0, k->bytes); /* texts compare whole */
    struct value v = value_from_text(k, value);
    if (!value_store(c, &in, k, &v)) {
        memcpy(at, old, k->bytes);
        return FAULT(fault, "%.60s: is %.40s, expected %.100s", key, value,
                     key_expected(k, expected, sizeof(expected)));
    }
    *change = change_of(k, old, at);
    if (id == SECTION_LIMITS)
        overrides_follow(c, k, old);
    return true;
}

const struct config_limits *
config_limits_for(const struct config *c, const char *symbol)
{
    for (uint32_t i = 0; i < c->risk.overrides; i++)
        if (strcmp(c->risk.override[i].symbol, symbol) == 0)
            return &c->risk.override[i];
    return &c->risk.limits;
}

bool
config_decimal(const char *text, unsigned decimals, int64_t none, const char *key, int64_t *out, struct fault *fault)
{
    if (*text == '\0') {
        *out = none;
        return true;
    }
    switch (decimal_parse(text, strlen(text), decimals, out)) {
    case DECODE_OK: return true;
    case DECODE_PRECISION:
        return FAULT(fault, "%s: \"%s\" has more decimals than the instrument, expected at most %u", key, text,
                     decimals);
    default: return FAULT(fault, "%s: \"%s\" does not fit, expected a smaller decimal", key, text);
    }
}

bool
config_http_url_parse(const char *url, struct config_url *out)
{
    char ws[CONFIG_PATH_BYTES + 8];

    if (strncmp(url, "http", 4) != 0)
        return false;
    (void)snprintf(ws, sizeof(ws), "ws%.*s", CONFIG_PATH_BYTES, url + 4);
    return config_url_parse(ws, out);
}

bool
config_url_parse(const char *url, struct config_url *out)
{
    static const char ws[] = "ws://";
    static const char wss[] = "wss://";
    struct config_url u = { 0 };

    if (strncmp(url, wss, sizeof(wss) - 1) == 0) {
        u.tls = true;
        url += sizeof(wss) - 1;
    } else if (strncmp(url, ws, sizeof(ws) - 1) == 0) {
        url += sizeof(ws) - 1;
    } else {
        return false;
    }
    u.port = u.tls ? 443 : 80;
    size_t n = strcspn(url, "/?#");
    const char *path = url + n;
    size_t host;
    if (*url == '[') {
        const char *close = memchr(url, ']', n);
        if (close == NULL)
            return false;
        url++;
        n--;
        host = (size_t)(close - url);
        if (close[1] != ':' && close + 1 != path)
            return false;
    } else {
        const char *colon = memchr(url, ':', n);
        host = colon != NULL ? (size_t)(colon - url) : n;
    }
    const char *port = url + host + (url[host] == ']');
    if (port < path && *port == ':') {
        int64_t number = 0;
        size_t digits = (size_t)(path - port - 1);
        for (size_t i = 1; i <= digits; i++) {
            if (!isdigit((unsigned char)port[i]) || digits > 5)
                return false;
            number = number * 10 + (port[i] - '0');
        }
        if (number < 1 || number > 65535)
            return false;
        u.port = (uint16_t)number;
    }
    if (host == 0 || host >= sizeof(u.host) || strlen(path) + 1 >= sizeof(u.path) || strpbrk(path, "# \"\\") != NULL)
        return false;
    for (size_t i = 0; i < host; i++)
        if (!isalnum((unsigned char)url[i]) && strchr(".-:_", url[i]) == NULL)
            return false;
    memcpy(u.host, url, host);
    (void)snprintf(u.path, sizeof(u.path), "%s%s", *path == '/' ? "" : "/", path);
    *out = u;
    return true;
}
