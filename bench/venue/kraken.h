/* The Kraken Spot dialect: what its parts share.
 *
 * kraken_ref.c knows pairs, assets and how ids, times and numbers are written; kraken_params.c reads a request's
 * parameters; kraken_trade.c carries out orders for the WebSocket (kraken_ws.c) and REST (kraken_rest.c) alike;
 * kraken_book.c and kraken_market.c are the public channels, kraken_exec.c the private ones; kraken_query.c and
 * kraken_account.c answer REST questions. kraken.c owns them all.
 *
 * Always true: one thread; an answer is made from the engine's state after the operation; executions of an operation
 * are queued before its answer; public and private channels share one port and the path /v2.
 * Source: docs.kraken.com, Spot WebSocket v2 and Spot REST reference, guides "Book checksum v2", "Rate limits",
 * "Amends", "Spot errors", seen 2026-10. */
#ifndef EXECGW_BENCH_VENUE_KRAKEN_H
#define EXECGW_BENCH_VENUE_KRAKEN_H

#include "bench/venue/venue.h"

#include <jansson.h>

#define KRAKEN_TXID_BYTES   20 /* OXXXXX-XXXXX-XXXXXX and NUL */
#define KRAKEN_TIME_BYTES   32
#define KRAKEN_TOKEN_BYTES  44
#define KRAKEN_TOKENS_MAX   256
#define KRAKEN_DEPTH_MAX    1000
#define KRAKEN_DEPTHS       5
#define KRAKEN_ERROR_BYTES  192
#define KRAKEN_TOKEN_LIFE_S 900
#define KRAKEN_DEADLINE_S   5 /* of a request that gives none */

struct kraken;

/* ---- reference (kraken_ref.c) ---- */

struct kraken_pair {
    const char *symbol; /* WebSocket v2: BTC/USD */
    const char *wsname; /* XBT/USD */
    const char *altname;
    const char *key; /* XXBTZUSD */
    unsigned px_decimals, qty_decimals, cost_decimals;
};

extern const struct emu_symbol_def kraken_symbol_defs[];
extern const size_t kraken_symbol_count;

/* Of a symbol index; decimals follow the symbol's filters, which can change while running. */
struct kraken_pair kraken_pair_get(const struct kraken *k, int symbol);
/* By any of its names; -1 when there is none. */
int kraken_pair_find(const struct kraken *k, const char *name);
/* By WebSocket v2 symbol only. */
int kraken_symbol_find(const struct kraken *k, const char *name);
/* REST name (XXBT) and alternative name (XBT) of an asset (BTC). */
const char *kraken_asset_key(const char *asset);
const char *kraken_asset_alt(const char *asset);

/* Transaction ids say which order or trade they are of: the same number gives the same text, also after a restart. */
void kraken_order_txid(char out[KRAKEN_TXID_BYTES], int symbol, int64_t order_id);
bool kraken_order_from_txid(const char *txid, int *symbol, int64_t *order_id);
void kraken_trade_txid(char out[KRAKEN_TXID_BYTES], const struct emu_trade *t);
/* For ids of amends, ledgers and transfers: never the same twice. */
void kraken_other_txid(char out[KRAKEN_TXID_BYTES], char first, uint64_t number);

/* 2026-11-20T10:00:00.123456Z */
void kraken_time(char out[KRAKEN_TIME_BYTES], int64_t us);
bool kraken_time_parse(const char *s, int64_t *us);

/* A count of 10^-8 as a JSON number: with `decimals` digits, or as short as it goes. */
void text_fixed(struct text *t, int64_t v, unsigned decimals);
void text_short(struct text *t, int64_t v);
void text_key_short(struct text *t, const char *key, int64_t v);
/* ... as a JSON string with `decimals` digits. */
void text_key_quoted(struct text *t, const char *key, int64_t v, unsigned decimals);
void text_key_time(struct text *t, const char *key, int64_t us);
/* Seconds with a fraction, as REST has them. */
void text_key_seconds(struct text *t, const char *key, int64_t us);
int64_t kraken_quotient(int64_t cost, int64_t qty); /* average price */

/* ---- parameters (kraken_params.c) ---- */

/* Parses JSON with every number kept as it was written: a number becomes a string that starts with '#'. NULL when it is
 * none. */
json_t *kraken_json(const char *text, size_t len);
/* A form body as an object of strings. */
json_t *kraken_form(const struct params *p);

/* Text of a member; NULL when it is absent. Numbers come without their mark. */
const char *kraken_text(const json_t *o, const char *name);
bool kraken_true(const json_t *o, const char *name, bool otherwise);
/* False when the member is there and is no number of at most 8 decimals; absent leaves *out alone. */
bool kraken_number(const json_t *o, const char *name, int64_t *out);
bool kraken_integer(const json_t *o, const char *name, int64_t *out);

/* ---- sessions ---- */

enum kraken_channel {
    KRAKEN_BOOK,
    KRAKEN_TRADE,
    KRAKEN_TICKER,
    KRAKEN_OHLC,
    KRAKEN_INSTRUMENT,
    KRAKEN_EXECUTIONS,
    KRAKEN_BALANCES,
    KRAKEN_STATUS,
    KRAKEN_CHANNEL_COUNT
};

struct kraken_session {
    struct kraken *venue;
    struct conn *conn;
    uint32_t on[KRAKEN_CHANNEL_COUNT]; /* public: a bit per symbol; instrument and private: 1 */
    uint8_t depth[EMU_SYMBOLS_MAX];    /* book: index of its depth */
    bool ticker_bbo[EMU_SYMBOLS_MAX];
    uint16_t ohlc_minutes[EMU_SYMBOLS_MAX];
    uint32_t account; /* of the private channels; 0: none */
    bool all_states;  /* executions: order_status */
    bool rate_counter;
    int64_t executions_seq, balances_seq;
    bool silent; /* a fault: no more market data */
    int64_t opened_mono_ns, heard_mono_ns, beat_mono_ns;
};

/* ---- requests ---- */

/* One request on its way, and its outcome. */
struct kraken_call {
    struct kraken *venue;
    struct kraken_session *session; /* NULL over REST */
    const json_t *params;
    uint32_t account;
    int64_t now_us;
    char error[KRAKEN_ERROR_BYTES]; /* "": it succeeded */
    bool lost;                      /* a fault: it was carried out and nobody is told */
    struct text result;             /* JSON */
};

bool kraken_fail(struct kraken_call *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- orders (kraken_trade.c) ---- */

/* An order as asked for, whichever way. Absent values are 0 or NULL. */
struct kraken_order {
    int symbol;
    const char *side, *type, *tif, *stp, *cl_ord_id;
    int64_t px, stop_px, qty, cash, display;
    int64_t expire_us, deadline_us, userref;
    bool post_only, reduce_only, validate, margin;
};

/* Read from WebSocket or REST parameters; false and the error filled. */
bool kraken_order_from_ws(struct kraken_call *c, const json_t *p, struct kraken_order *o);
bool kraken_order_from_rest(struct kraken_call *c, const json_t *p, struct kraken_order *o);
/* False and the error filled when it is refused; *placed is NULL after a validation only. */
bool kraken_place(struct kraken_call *c, const struct kraken_order *o, const struct emu_order **placed);

/* An open or closed order of the account by txid or cl_ord_id; NULL when there is none. */
const struct emu_order *kraken_find(const struct kraken *k, uint32_t account, const char *txid, const char *cl_ord_id);
bool kraken_cancel(struct kraken_call *c, const struct emu_order *o);
/* Every open order of the account that is chosen; returns how many. userref 0 and symbol -1: all. */
int kraken_cancel_all(struct kraken *k, uint32_t account, int symbol, int64_t userref);

struct kraken_amendment {
    const char *txid, *cl_ord_id;
    int64_t qty, px, display, deadline_us;
    bool post_only;
};
bool kraken_amend(struct kraken_call *c, const struct kraken_amendment *a, const struct emu_order **order,
                  char amend_id[KRAKEN_TXID_BYTES]);
/* Cancel and place anew: `o` holds what changes. */
bool kraken_edit(struct kraken_call *c, const char *txid, const struct kraken_order *change,
                 const struct emu_order **placed);
bool kraken_dead_man(struct kraken_call *c, int64_t seconds);
void kraken_trade_tick(struct kraken *k);

/* The rate counter of an account and pair, in thousandths. */
int64_t kraken_rate(struct kraken *k, uint32_t account, int symbol);

/* ---- words of an order ---- */
const char *kraken_side(const struct emu_order *o);
const char *kraken_type(const struct emu_order *o);
const char *kraken_tif(const struct emu_order *o);

/* ---- public channels ---- */

struct kraken_books *kraken_books_create(const struct kraken *k);
void kraken_books_free(struct kraken_books *b);
void kraken_book_on_level(struct kraken *k, const struct emu_level_change *c);
void kraken_book_flush(struct kraken *k);
void kraken_book_snapshot(struct kraken_session *s, int symbol);
int kraken_depth_index(int64_t depth); /* -1: not offered */
int kraken_depth_at(int index);

void kraken_market_on_trade(struct kraken *k, const struct emu_public_trade *e);
void kraken_market_on_touch(struct kraken *k, const struct emu_touch *e);
/* Heartbeats and open candles, once a second. */
void kraken_market_tick(struct kraken *k);
void kraken_market_snapshot(struct kraken_session *s, enum kraken_channel channel, int symbol);
void kraken_instrument_snapshot(struct kraken_session *s);
void kraken_instrument_update(struct kraken *k, int symbol);
const char *kraken_pair_status(const struct kraken *k, int symbol);
void kraken_status_send(struct kraken_session *s);

/* A market data text to one subscriber, through the faults. */
void kraken_send_market(struct kraken_session *s, struct wire *w, const char *kind);

/* ---- private channels ---- */

void kraken_on_execution(struct kraken *k, const struct emu_execution *e);
void kraken_on_account(struct kraken *k, const struct emu_account_change *c);
void kraken_executions_snapshot(struct kraken_session *s, bool orders, bool trades);
void kraken_balances_snapshot(struct kraken_session *s);
/* Why an order ended, in Kraken's words; "" while it is open or filled. */
const char *kraken_reason(const struct kraken *k, const struct emu_order *o);

/* ---- transports ---- */

void kraken_ws_on_text(struct kraken_session *s, const char *text, size_t len, bool late);
void kraken_on_http(struct kraken *k, struct conn *conn, const struct http_request *rq);
/* What only a test wants: see usage() of venue_main.c. */
void kraken_control(struct kraken *k, struct conn *conn, const struct http_request *rq, const json_t *params);
/* The account of a token; 0: none. */
uint32_t kraken_token_account(const struct kraken *k, const char *token);

struct kraken_endpoint {
    const char *name;   /* last part of the path */
    const char *method; /* its WebSocket name, for faults; NULL: name */
    int cost;           /* of the REST call counter */
    void (*run)(struct kraken_call *c);
};
extern const struct kraken_endpoint kraken_public[];
extern const struct kraken_endpoint kraken_private[]; /* orders, kraken_rest.c */
extern const struct kraken_endpoint kraken_account[]; /* questions, kraken_account.c */

/* ---- the venue ---- */

struct kraken_token {
    char text[KRAKEN_TOKEN_BYTES];
    uint32_t account;
    int64_t made_us;
};

struct kraken_counter {
    int64_t milli; /* thousandths */
    int64_t at_us;
};

struct kraken {
    struct venue base;
    uint64_t key_nonce[KEYS_MAX];
    struct kraken_counter calls[EMU_ACCOUNTS_MAX];
    struct kraken_counter rate[EMU_ACCOUNTS_MAX][EMU_SYMBOLS_MAX];
    int64_t rate_max_milli, calls_max_milli;
    int64_t dead_man_us[EMU_ACCOUNTS_MAX]; /* when everything is cancelled; 0: never */
    struct kraken_token token[KRAKEN_TOKENS_MAX];
    uint64_t token_count, id_state, other_ids;
    int64_t balance_said[EMU_ACCOUNTS_MAX][EMU_ASSETS_MAX];
    struct kraken_books *books;
    int64_t ohlc_due_us, shutdown_mono_ns;
    bool mute_amends;                         /* a fault: the amend under way is not told */
    const char *pair_status[EMU_SYMBOLS_MAX]; /* set by a test; NULL: follows the engine */
};

#endif
