/* The Binance Spot dialect: what its parts share.
 *
 * binance_call.c checks and runs one request, whether it came over the WebSocket API (binance_api.c) or REST
 * (binance_rest.c); binance_trade.c and binance_query.c carry requests out; binance_streams.c turns the engine's events
 * into market streams, binance_user.c into user data events. binance.c owns them all.
 *
 * Always true: one thread; an answer is made from the engine's state after the operation; user data events of an
 * operation are queued before its answer.
 * Source: Binance Spot API docs, rest-api.md, web-socket-api.md, web-socket-streams.md, user-data-stream.md, errors.md,
 * seen 2026-07. */
#ifndef EXECGW_BENCH_VENUE_BINANCE_H
#define EXECGW_BENCH_VENUE_BINANCE_H

#include "bench/venue/binance_sign.h"
#include "bench/venue/ratelimit.h"
#include "bench/venue/venue.h"

#define STREAMS_PER_CONN_MAX 1024
#define USER_SUBS_MAX        16
#define LISTEN_KEYS_MAX      256
#define LISTEN_KEY_BYTES     65
#define STREAM_NAME_BYTES    64
#define WEIGHT_LIMIT         6000
#define ORDERS_10S_LIMIT     100
#define ORDERS_DAY_LIMIT     200000
#define RECV_WINDOW_MS       5000
#define RECV_WINDOW_MAX_MS   60000
#define DEPTH_LEVELS_MAX     5000

struct binance;
struct session;

/* ---- sessions: what a WebSocket connection is to us ---- */

enum session_kind { SESSION_STREAMS, SESSION_API };

struct user_sub {
    int64_t id; /* subscriptionId; -1 when raw events go out (a listenKey) */
    uint32_t account;
    bool by_logon; /* ends with session.logout */
    char listen_key[LISTEN_KEY_BYTES];
};

struct session {
    struct binance *venue;
    struct conn *conn;
    enum session_kind kind;
    bool combined;    /* streams: {"stream":...,"data":...} */
    bool micro;       /* timeUnit=MICROSECOND */
    bool show_limits; /* API: returnRateLimits */
    bool silent;      /* a fault: no more market data */
    const struct api_key *logon;
    int64_t logon_us;
    int64_t opened_mono_ns;
    int64_t ping_mono_ns; /* last ping sent */
    int64_t pong_mono_ns; /* last pong seen */
    bool end_told;        /* its end was announced */
    int64_t rx_window_mono_ns;
    unsigned rx_count;
    struct stream_sub *subs; /* streams: its own list */
    size_t sub_count;
    struct user_sub user[USER_SUBS_MAX];
    size_t user_count;
    int64_t next_subscription;
    bool user_dirty;
};

/* serverShutdown: the connection ends soon. */
void session_announce_end(struct session *ss);

/* ---- requests ---- */

enum call_security { CALL_PUBLIC, CALL_KEY, CALL_SIGNED };

/* One request on its way through check and handler, and its outcome. */
struct call {
    struct binance *venue;
    struct session *session; /* NULL over REST */
    const struct call_def *def;
    const struct params *params;
    bool micro;
    int64_t now_us;             /* venue clock when it arrived */
    const char *api_key;        /* REST: the header; WebSocket: the parameter, NULL without */
    const struct params *query; /* REST, for the signature: see sign_check_rest */
    const char *body;
    size_t body_len;
    const struct api_key *key; /* who asks; NULL for a public request */
    uint32_t account;
    /* Outcome. */
    unsigned status; /* 200 until something is wrong */
    int code;
    char msg[256];
    struct text result;     /* JSON; empty is `{}` */
    struct text data;       /* error.data, JSON; empty is none */
    bool data_done;         /* data stands as it is, also with a 429 */
    int64_t retry_after_us; /* 0 none */
    bool counts_order;      /* answers show order counts */
    bool lost;              /* a fault: it was carried out and nobody is told */
    int32_t weight;
};

struct call_def {
    const char *ws;          /* WebSocket API method, NULL: REST only */
    enum http_method method; /* REST */
    const char *path;        /* REST path, NULL: WebSocket only */
    enum call_security security;
    int32_t weight;
    const char *params; /* every name allowed, in spaces on both sides; "*": any */
    const char *need;   /* names that must be there, same form */
    void (*run)(struct call *c);
};

/* Find a definition; a method may carry "v3/" in front. */
const struct call_def *call_find_ws(const char *method);
/* *other: the path exists with another method. */
const struct call_def *call_find_rest(enum http_method method, const char *path, bool *other);

/* Check and run. The transport has filled venue, session, def, params, micro and now_us, and says how to check a
 * signature: query and body over REST, NULL over the WebSocket API. */
void call_run(struct call *c);
void call_free(struct call *c);

/* Faults around a request: what happens instead of it (false: do not run it), and what its answer becomes. */
bool fault_before(const struct fault_hits *h, struct call *c);
void fault_after(const struct fault_hits *h, struct call *c);

/* Outcomes. */
void call_fail(struct call *c, unsigned status, int code, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void call_fail_engine(struct call *c, const struct emu_error *err);

/* Parameters by type. Each returns false and fails the call when the value is malformed; absent leaves *out alone. */
const char *call_text(const struct call *c, const char *name);
bool call_decimal(struct call *c, const char *name, int64_t *out);
bool call_int(struct call *c, const char *name, int64_t min, int64_t max, int64_t *out);
bool call_bool(struct call *c, const char *name, bool *out);
/* Milliseconds or microseconds since the epoch to microseconds. */
bool call_time(struct call *c, const char *name, int64_t *out_us);
bool call_symbol(struct call *c, int *out);
/* symbol, symbols or neither: the indexes asked for, all when neither. single: whether `symbol` was given. */
bool call_symbols(struct call *c, int *out, int *count, bool *single);
/* ms or µs as the caller wants it. */
int64_t call_stamp(const struct call *c, int64_t us);
/* Microseconds as ms or µs. */
static inline int64_t
stamp(int64_t us, bool micro)
{
    return micro ? us : us / 1000;
}

/* The answer's "rateLimits" member. */
void call_rate_limits(struct binance *v, const struct call *c, struct text *t);

/* ---- streams ---- */

/* Kinds of market stream, with what follows the '@'. */
enum stream_kind {
    STREAM_DEPTH,
    STREAM_DEPTH_PARTIAL,
    STREAM_BOOK_TICKER,
    STREAM_TRADE,
    STREAM_AGG_TRADE,
    STREAM_MINI_TICKER,
    STREAM_TICKER,
    STREAM_KLINE,
    STREAM_AVG_PRICE,
    STREAM_ALL_MINI_TICKER,
    STREAM_ALL_TICKER,
    STREAM_RECORDED, /* a name of the recording that is none of ours */
    STREAM_KIND_COUNT
};

struct streams;
struct streams *streams_create(struct binance *v);
void streams_free(struct streams *s);
/* Engine events. */
void streams_on_level(struct streams *s, const struct emu_level_change *c);
void streams_on_touch(struct streams *s, const struct emu_touch *t);
void streams_on_trade(struct streams *s, const struct emu_public_trade *t);
void streams_on_tick(struct streams *s);
void streams_on_drained(struct streams *s, struct session *ss);
/* Subscribe by name; false when there is no such stream or too many. */
bool streams_subscribe(struct streams *s, struct session *ss, const char *name);
void streams_unsubscribe_all(struct streams *s, struct session *ss);
/* One request text of a client. */
void streams_on_text(struct streams *s, struct session *ss, const char *text, size_t len);

/* Length of an interval by name ("1m", "1h", ...); 0: unknown. */
int64_t streams_interval_us(const char *name);

/* ---- user data ---- */

void user_on_execution(struct binance *v, const struct emu_execution *e);
void user_on_account(struct binance *v, const struct emu_account_change *c);
void user_balance_update(struct binance *v, uint32_t account, int asset, int64_t delta);
/* "eventStreamTerminated" to one subscription. */
void user_terminated(struct session *ss, const struct user_sub *sub);
/* The account behind a listenKey, -1 when there is none. */
int listen_key_account(struct binance *v, const char *key);
const char *listen_key_make(struct binance *v, uint32_t account);
bool listen_key_keep(struct binance *v, const char *key);
bool listen_key_drop(struct binance *v, const char *key);

/* ---- WebSocket API and REST ---- */

void api_on_text(struct session *ss, const char *text, size_t len, bool late);
void rest_on_request(struct binance *v, struct conn *c, const struct http_request *rq);

/* ---- the venue ---- */

struct listen_key {
    char key[LISTEN_KEY_BYTES];
    uint32_t account;
    int64_t expires_us;
};

struct binance {
    struct venue base;
    struct streams *streams;
    struct text first_depth[EMU_SYMBOLS_MAX]; /* the first depth answers, for a fault */
    struct emu_limit weight, raw;
    struct emu_order_limits orders[EMU_ACCOUNTS_MAX];
    struct listen_key listen_keys[LISTEN_KEYS_MAX];
    size_t listen_key_count;
    uint64_t id_state; /* for listenKeys */
    int32_t orders_10s_max, weight_max;
    bool mute_amends;                       /* a fault: the amend under way is not told */
    int64_t shutdown_mono_ns;               /* when announced; 0: not */
    char last_cancel_id[EMU_CLIENT_ID_MAX]; /* of the newest CANCELED execution */
};

/* Order endpoints and the rest; the tables behind call_tables. */
extern const struct call_def trade_calls[];
extern const struct call_def query_calls[];
extern const struct call_def account_calls[];
extern const struct call_def control_calls[];

#endif
