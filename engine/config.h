/* Configuration: config.toml, environment and command line -> one struct, every value checked before anything starts.
 *
 * Between main and everybody who needs a number: modules get values from here by argument, never this header (but L4).
 * The key table in config_keys.c is the only list of keys: it makes the checks, --print-config, --help-config and
 * docs/configuration.md.
 *
 * Always true after config_load() returned CONFIG_GO: every value is within its range; names are unique; instruments
 * named by a risk override are in some venue's symbols; nothing secret is held (only paths of secrets); quantities are
 * decimal text, valid but not yet in an instrument's decimals (config_decimal). live needs mode = "live" and --live. */
#ifndef EXECGW_ENGINE_CONFIG_H
#define EXECGW_ENGINE_CONFIG_H

#include "engine/key_file.h"
#include "execgw/instrument.h"
#include "execgw/order.h"

#define CONFIG_GO           (-1) /* config_load: go on and run; anything else is the exit code */
#define CONFIG_NAME_BYTES   24
#define CONFIG_PATH_BYTES   256
#define CONFIG_SYMBOLS_MAX  256
#define CONFIG_UIDS_MAX     16
#define CONFIG_OVERRIDE_MAX 256
#define CONFIG_NAMES_MAX    64
#define CONFIG_RATES_MAX    32

enum config_mode { MODE_PAPER, MODE_LIVE };
enum config_loop { LOOP_BUSY, LOOP_BLOCK };
enum config_sync { SYNC_NONE, SYNC_INTERVAL, SYNC_ALWAYS };
enum config_dialect { DIALECT_BINANCE, DIALECT_KRAKEN, DIALECT_COUNT };
enum config_transport { TRANSPORT_URING, TRANSPORT_LWS };
enum config_key_type { KEY_TYPE_HMAC, KEY_TYPE_ED25519 };
enum config_on_disconnect { CONFIG_GONE_NOTHING, CONFIG_GONE_CANCEL, CONFIG_GONE_REDUCE, CONFIG_GONE_KILL };

struct config_loop_part {
    int32_t mode;     /* enum config_loop */
    int64_t cpu;      /* core to run on; -1 = wherever */
    int64_t md_batch; /* market-data messages per turn and connection */
};

struct config_memory {
    int64_t orders_max;      /* order table, a power of two */
    int64_t instruments_max; /* ids handed out */
    int64_t clients_max;
    int64_t message_max_bytes;
    int64_t md_ring; /* slots of the broadcast ring, a power of two */
    int64_t ladder_levels;
    int64_t tls_pool_bytes;
    int64_t log_records; /* slots of each log ring, a power of two */
    bool lock;           /* mlockall */
};

struct config_journal {
    char dir[CONFIG_PATH_BYTES];
    int64_t segment_bytes;
    int32_t sync; /* enum config_sync */
    int64_t sync_interval_ms;
    int64_t keep_segments; /* 0 = all, for ever */
    char archive[CONFIG_PATH_BYTES];
};

struct config_client {
    char socket[108]; /* sun_path */
    uint32_t allowed_uid[CONFIG_UIDS_MAX];
    uint32_t allowed_uids; /* 0 = our own uid only */
    int64_t report_ring;   /* slots, a power of two */
    int64_t command_ring;
};

/* A list of names. */
struct config_names {
    char name[CONFIG_NAMES_MAX][CONFIG_NAME_BYTES];
    uint32_t count; /* 0 = all */
};

struct config_strategy {
    char name[CONFIG_NAME_BYTES];
    int64_t id;            /* client id, in [0, CLIENT_MAX) */
    int32_t on_disconnect; /* enum config_on_disconnect */
    int64_t heartbeat_ms;  /* no command of it for so long: on_silence; 0 = never */
    int32_t on_silence;    /* enum config_on_disconnect */
    bool operator_role;    /* may halt, resume and act on every client's orders */
    int64_t order_rate;    /* per second */
    int64_t order_burst;
    struct config_names accounts; /* it may use */
    struct config_names symbols;  /* it may trade */
    struct config_names verbs;    /* it may use: new, replace */
};

struct config_monitoring {
    char listen[64];                  /* ADDRESS:PORT, port 0 = any; "" = no execgw-http */
    bool listen_remote;               /* a listen address beyond loopback is meant */
    int32_t log_format;               /* enum log_format */
    int32_t log_level;                /* enum log_level */
    char log_file[CONFIG_PATH_BYTES]; /* "" = stderr */
};

enum config_on_trip { CONFIG_TRIP_NOTHING, CONFIG_TRIP_LOSS, CONFIG_TRIP_ANY };

struct config_kill {
    char file[CONFIG_PATH_BYTES];       /* its appearance trips the switch; "" = none */
    char token_file[CONFIG_PATH_BYTES]; /* of POST /kill; "" = not served */
    char redis[64];                     /* HOST:PORT; "" = none */
    char redis_channel[64];             /* a message there, or a key of that name, trips the switch */
    int32_t on_trip;                    /* enum config_on_trip */
    bool foreign;                       /* cancels orders that are not ours as well */
};

struct config_venue {
    char name[CONFIG_NAME_BYTES];
    int32_t dialect; /* enum config_dialect */
    char market_url[CONFIG_PATH_BYTES];
    char market_url_b[CONFIG_PATH_BYTES]; /* of the second copy; "" = market_url */
    char api_url[CONFIG_PATH_BYTES];
    char rest_url[CONFIG_PATH_BYTES]; /* "" where the dialect asks nothing over HTTP */
    int32_t transport;                /* enum config_transport: of market data */
    char proxy[64];                   /* ADDRESS:PORT of an HTTP proxy for market data; "" = none */
    char ca_file[CONFIG_PATH_BYTES];  /* "" = the system's */
    char account[CONFIG_NAME_BYTES];  /* name of an [account.<name>] */
    char api_key[128];                /* the public id */
    char api_key_file[CONFIG_PATH_BYTES];
    char key_file[CONFIG_PATH_BYTES]; /* path, or "credential:NAME" */
    int32_t key_type;                 /* enum config_key_type */
    char symbol[CONFIG_SYMBOLS_MAX][SYMBOL_BYTES];
    uint32_t symbols;
    int64_t recv_window_ms;
    int64_t snapshot_depth;         /* levels asked for */
    int64_t depth_max;              /* levels per side kept */
    int64_t depth;                  /* levels per side subscribed, where books carry checksums */
    int64_t market_copies;          /* connections that carry the same */
    int64_t streams_per_connection; /* at most */
    int64_t connection_lifetime_s;  /* a market-data connection is replaced at this age; 0 = never */
    int64_t gap_wait_ms;
    int64_t silence_ms;
    int64_t reconnect_min_ms;
    int64_t reconnect_max_ms;
    int64_t refresh_s; /* instrument rules fetched again */
    int64_t request_timeout_ms;
    int64_t audit_s;
    int32_t foreign_orders;         /* enum foreign_policy of the gateway */
    int32_t balance_changes;        /* enum config_balance */
    int32_t first_position;         /* enum config_first */
    int64_t deadman_ms;             /* the venue cancels everything when we are silent for so long; 0 = not asked to */
    int64_t cancel_reserve_percent; /* of rate budgets */
    int64_t order_count_max;        /* counter of orders in one pair; 0 = not counted */
    int64_t order_count_per_min;    /* it falls by */
    int64_t http_calls_max;         /* counter of requests over HTTP; 0 = not counted */
    int64_t http_calls_per_min;     /* it falls by */
};

enum config_first { CONFIG_FIRST_REFUSE, CONFIG_FIRST_HELD };
enum config_balance { CONFIG_BALANCE_REPORT, CONFIG_BALANCE_POSITION };

struct config_account {
    char name[CONFIG_NAME_BYTES];
    int64_t id; /* in [0, ACCOUNT_MAX) */
};

/* Limits of one instrument. Decimal text: quantities in units of the base, notionals in the quote currency. */
struct config_limits {
    char symbol[CONFIG_NAME_BYTES]; /* "" in the default */
    char order_qty_min[DECIMAL_TEXT];
    char order_qty_max[DECIMAL_TEXT];
    char order_notional_min[DECIMAL_TEXT];
    char order_notional_max[DECIMAL_TEXT];
    char position_max[DECIMAL_TEXT];
    char position_short_max[DECIMAL_TEXT]; /* "" = position_max */
    int64_t collar_ppm;
    int64_t reduce_collar_ppm;
    int64_t spread_max_ppm;
    int64_t good_age_max_ms;
    int64_t margin_ppm;
    int32_t self_match; /* enum self_match_mode */
    int64_t open_orders_max;
    int64_t order_rate; /* per second */
    int64_t order_burst;
    int64_t tob_age_max_ms;
    bool restricted; /* no new orders */
};

/* Limits of money of one strategy, account, venue or everything: decimal text, in the reporting currency; "" = none. */
struct config_group {
    char name[CONFIG_NAME_BYTES]; /* of the strategy, account or venue; "" for everything */
    char gross_exposure_max[DECIMAL_TEXT];
    char net_exposure_max[DECIMAL_TEXT];
    char daily_value_max[DECIMAL_TEXT];
    char daily_loss_max[DECIMAL_TEXT];
    char drawdown_max[DECIMAL_TEXT];
    char loss_window_max[DECIMAL_TEXT]; /* strategies */
    int64_t leverage_max_ppm;           /* accounts; 0 = none */
    int64_t repeat_executions_max;      /* strategies; 0 = as in [risk] */
};

struct config_rate {
    char name[CONFIG_NAME_BYTES]; /* currency */
    char rate[DECIMAL_TEXT];      /* reporting currency per unit */
};

struct config_risk {
    struct config_limits limits; /* of every instrument without an override */
    int64_t strategy_open_orders_max;
    int64_t account_open_orders_max;
    int64_t total_open_orders_max;
    int64_t total_order_rate; /* over all instruments, per second */
    int64_t total_order_burst;
    int64_t reduce_rate; /* proven reductions */
    int64_t reduce_burst;
    int64_t deny_rate; /* denied commands answered */
    int64_t deny_burst;
    int64_t cancel_rate;
    int64_t cancel_burst;
    int64_t clock_offset_max_ms;
    char reporting_currency[CURRENCY_BYTES];
    int64_t mark_age_max_ms;
    int64_t rate_age_max_ms;
    int64_t day_start_s; /* after midnight UTC */
    int64_t duplicate_max;
    int64_t duplicate_window_ms;
    int64_t replace_rate;
    int64_t replace_burst;
    int64_t messages_free;
    int64_t messages_per_fill_max;
    int64_t repeat_executions_max;
    bool flood_halts;
    int64_t breaker_window_ms;
    int64_t strategy_rejects_max;
    int64_t venue_rejects_max;
    int64_t latency_p999_max_ms; /* 0 = not watched, as the next two */
    int64_t stall_max_ms;
    int64_t ack_p99_max_ms;
    int64_t latency_samples_min;
    struct config_group global;
    struct config_group strategy[CLIENT_MAX];
    uint32_t strategies;
    struct config_group account[ACCOUNT_MAX];
    uint32_t accounts;
    struct config_group venue[VENUE_MAX];
    uint32_t venues;
    struct config_rate rate[CONFIG_RATES_MAX];
    uint32_t rates;
    struct config_limits override[CONFIG_OVERRIDE_MAX]; /* complete: the default with the overridden keys replaced */
    uint32_t overrides;
};

struct config {
    char file[CONFIG_PATH_BYTES];
    char record[CONFIG_PATH_BYTES]; /* --record: folder of the recording; "" = none */
    int32_t mode;                   /* enum config_mode: what the file says */
    bool new_journal;               /* --new-journal */
    bool live;                      /* mode = "live" and --live: orders are real */
    int64_t instance;               /* [1, 3843]: two base-62 digits in every ClOrdID */
    struct config_loop_part loop;
    struct config_memory memory;
    struct config_journal journal;
    struct config_client client;
    struct config_monitoring monitoring;
    struct config_kill kill;
    struct config_venue venue[VENUE_MAX];
    uint32_t venues;
    struct config_account account[ACCOUNT_MAX];
    uint32_t accounts;
    struct config_strategy strategy[CLIENT_MAX];
    uint32_t strategies;
    struct config_risk risk;
    /* Of what the journal belongs to: instance, live, accounts, venues with dialect, account and the hosts of their
     * URLs (not the ports). Stands in the journal's header. */
    uint64_t hash;
};

/* Command line, file and environment -> *c. Prints what --help, --version, --print-config, --check-config and
 * --help-config ask for to `out`, and every error to `err`.
 * argv[0] is the program; env is environ's form. *c is large: keep it static.
 * Returns CONFIG_GO, or the exit code: EXIT_OK, EXIT_USAGE, EXIT_CONFIG. */
int config_load(int argc, char *const *argv, char *const *env, struct config *c, FILE *out, FILE *err);

/* Whether a running gateway may go on with `next`: only limits ([risk] and its overrides, a strategy's order_rate and
 * order_burst) and monitoring.log_level may differ. False with the fault naming the first other key that does. */
bool config_reload_allowed(const struct config *running, const struct config *next, struct fault *fault);

/* After config_reload_allowed: what may differ is taken over, nothing else is touched. */
void config_take_limits(struct config *running, const struct config *next);

/* Set one limit of a loaded configuration: key is "risk.<key>", "risk.instrument.<symbol>.<key>" or
 * "strategy.<name>.<key>", as in the file. What an override had as the default has it after. False with the fault, and
 * *c unchanged. What it loosens: limits_compare() of the sets before and after. */
bool config_set_limit(struct config *c, const char *key, const char *value, struct fault *fault);

/* docs/configuration.md: every section and key, from the key table. */
void config_help_markdown(FILE *out);

/* The limits that hold for a symbol: its override or the default. */
const struct config_limits *config_limits_for(const struct config *c, const char *symbol);

/* A configured decimal in an instrument's decimals: false with the fault filled when it has more digits than the
 * instrument or does not fit. "" gives `none`. key is named in the fault. */
bool config_decimal(const char *text, unsigned decimals, int64_t none, const char *key, int64_t *out,
                    struct fault *fault);

/* HOST and PORT of a ws:// or wss:// URL. False when it is not one. host has 256 bytes. */
struct config_url {
    bool tls;
    char host[256];
    uint16_t port;
    char path[CONFIG_PATH_BYTES]; /* with its query, "/" when absent */
};
bool config_url_parse(const char *url, struct config_url *out);
/* The same of a http:// or https:// URL. */
bool config_http_url_parse(const char *url, struct config_url *out);
/* "127.0.0.1:9464", "[::1]:0" -> host and port, 0 to 65535. False when it is no such thing or does not fit `room`. */
bool config_listen_parse(const char *s, char *host, size_t room, long *port);

#endif
