/* Matching engine and accounts of the emulated venue. No I/O, no clock, no randomness: the same calls with the same
 * times give the same state and the same events.
 *
 * The server calls the operations below for a user, the simulated market calls them for the house account; both meet in
 * the same books. What happened goes out through `struct emu_sink` while the operation runs (the callbacks must not
 * call back into the engine); user-visible facts go to `struct emu_recorder` first, whose commit runs before the
 * operation returns, so that a reply is never sent for something that is not in the ledger.
 *
 * Always true between operations:
 *   best bid < best ask; every level's quantity is the sum of its orders' visible quantities, and is not 0;
 *   for each user and asset: free >= 0, locked == the sum of what the open orders lock;
 *   a fill moves balances between the two sides and takes commission from the received asset, or always from the quote
 *   asset (fee_in_quote: then a buy's lock holds the dearer of both commissions too);
 *   no waiting stop has been reached by the last price;
 *   order and trade ids of a symbol only grow; a terminal order never changes again.
 * Prices, quantities and amounts are counts of 10^-8; times are microseconds of the venue's clock.
 * Errors are Binance codes and texts (Binance Spot API docs, errors.md, seen 2026-07). */
#ifndef EXECGW_BENCH_VENUE_ENGINE_H
#define EXECGW_BENCH_VENUE_ENGINE_H

#include "bench/venue/filters.h"

#define EMU_ACCOUNTS_MAX  64
#define EMU_ASSETS_MAX    32
#define EMU_SYMBOLS_MAX   32
#define EMU_CLIENT_ID_MAX 37 /* 36 characters and NUL */
#define EMU_HOUSE         0U /* account of the simulated market: balances unlimited, never recorded */

#define EMU_TIFS(X)     \
    X(EMU_TIF_NONE, "") \
    X(EMU_GTC, "GTC")   \
    X(EMU_IOC, "IOC")   \
    X(EMU_FOK, "FOK")

#define EMU_STATUSES(X)                         \
    X(EMU_NEW, "NEW")                           \
    X(EMU_PARTIALLY_FILLED, "PARTIALLY_FILLED") \
    X(EMU_FILLED, "FILLED")                     \
    X(EMU_CANCELED, "CANCELED")                 \
    X(EMU_REJECTED, "REJECTED")                 \
    X(EMU_EXPIRED, "EXPIRED")                   \
    X(EMU_EXPIRED_IN_MATCH, "EXPIRED_IN_MATCH")

/* Execution type of an execution report. */
#define EMU_EXECS(X)                 \
    X(EMU_EXEC_NEW, "NEW")           \
    X(EMU_EXEC_CANCELED, "CANCELED") \
    X(EMU_EXEC_REPLACED, "REPLACED") \
    X(EMU_EXEC_REJECTED, "REJECTED") \
    X(EMU_EXEC_TRADE, "TRADE")       \
    X(EMU_EXEC_EXPIRED, "EXPIRED")   \
    X(EMU_EXEC_TRADE_PREVENTION, "TRADE_PREVENTION")

#define EMU_STPS(X)                         \
    X(EMU_STP_NONE, "NONE")                 \
    X(EMU_STP_EXPIRE_TAKER, "EXPIRE_TAKER") \
    X(EMU_STP_EXPIRE_MAKER, "EXPIRE_MAKER") \
    X(EMU_STP_EXPIRE_BOTH, "EXPIRE_BOTH")

#define EMU_SYMBOL_STATUSES(X)      \
    X(EMU_TRADING, "TRADING")       \
    X(EMU_END_OF_DAY, "END_OF_DAY") \
    X(EMU_HALT, "HALT")             \
    X(EMU_BREAK, "BREAK")           \
    X(EMU_CANCEL_ONLY, "CANCEL_ONLY")

enum emu_tif { EMU_TIFS(EMU_ENUM_ID) EMU_TIF_COUNT };
enum emu_status { EMU_STATUSES(EMU_ENUM_ID) EMU_STATUS_COUNT };
enum emu_exec { EMU_EXECS(EMU_ENUM_ID) EMU_EXEC_COUNT };
enum emu_stp { EMU_STPS(EMU_ENUM_ID) EMU_STP_COUNT };
enum emu_symbol_status { EMU_SYMBOL_STATUSES(EMU_ENUM_ID) EMU_SYMBOL_STATUS_COUNT };

/* Wire texts of the enums; `_from` takes a NUL-terminated text and returns -1 for an unknown one. */
const char *emu_side_text(enum emu_side v);
const char *emu_type_text(enum emu_type v);
const char *emu_tif_text(enum emu_tif v);
const char *emu_status_text(enum emu_status v);
const char *emu_exec_text(enum emu_exec v);
const char *emu_stp_text(enum emu_stp v);
const char *emu_symbol_status_text(enum emu_symbol_status v);
int emu_side_from(const char *text);
int emu_type_from(const char *text);
int emu_tif_from(const char *text);
int emu_stp_from(const char *text);
int emu_status_from(const char *text);

enum emu_order_flag {
    EMU_POST_ONLY = 1,   /* accepted, then cancelled when it would trade at once */
    EMU_REDUCE_ONLY = 2, /* kept and shown; the dialect decides */
    EMU_UNNAMED = 4,     /* its client id is the venue's own, the client gave none */
};

/* Outcome of a call: code 0 is success, else a Binance error code and its message. */
struct emu_error {
    int code;
    char msg[160];
};

/* One trade of a user's order. Owned by the engine, never freed before it. */
struct emu_trade {
    int64_t id; /* per symbol; the same id is seen in the public trade and by the other side */
    int64_t order_id;
    int64_t px, qty, quote_qty, commission;
    int64_t time_us;
    uint32_t account;
    uint16_t symbol;
    uint8_t commission_asset;
    bool is_buyer, is_maker;
    const struct emu_trade *next_of_order; /* in time order */
};

/* One order, as queries show it. Owned by the engine; a user's order stays for good, so pointers stay valid. */
struct emu_order {
    int64_t id;
    uint32_t account;
    uint16_t symbol;
    uint8_t side, type, tif, status, stp; /* enum emu_* */
    bool is_open;                         /* NEW or PARTIALLY_FILLED */
    bool is_working;                      /* on the book (wire `w`, `isWorking`): false for a waiting stop */
    char client_id[EMU_CLIENT_ID_MAX];
    int64_t px, stop_px, qty, quote_order_qty, iceberg_qty;
    int64_t cum_qty, cum_quote, prevented_qty;
    int64_t created_us, updated_us, working_us; /* working_us is -1 until it works */
    int64_t locked;                             /* held from the balance: quote asset for a buy, base for a sell */
    int64_t expire_us;                          /* good till then; 0: no end */
    int32_t user_ref;                           /* the client's number, for dialects that have one */
    int32_t amend_count;
    uint8_t flags;                  /* enum emu_order_flag */
    const struct emu_trade *trades; /* first trade; follow next_of_order */
    const char *end_reason;         /* why it ended, when nobody asked for it; NULL otherwise, and after a reload */
    /* The engine's own links. */
    int64_t visible_qty;
    struct emu_trade *trades_tail;
    struct emu_order *prev, *next;           /* level queue, or list of waiting stops */
    struct emu_order *client_next;           /* same hash bucket */
    struct emu_order *open_prev, *open_next; /* the account's open orders on the symbol, in order of acceptance */
};

struct emu_balance {
    int64_t free, locked;
};

struct emu_account {
    char name[32];
    int64_t maker_rate, taker_rate; /* counts of 10^-8: 100000 is 0.1 % */
    struct emu_balance balance[EMU_ASSETS_MAX];
    int64_t updated_us;
};

struct emu_level {
    int64_t px, qty;
};

/* Everything an executionReport carries. Pointers are valid during the callback; *order is already in the new state. */
struct emu_execution {
    const struct emu_order *order;
    enum emu_exec exec;
    const char *client_id; /* wire `c`: for CANCELED the id of the cancel, for REPLACED the new id, else the order's */
    const char *orig_client_id; /* wire `C`: the order's own id when `c` is not it, else "" */
    const char *reject_reason;  /* wire `r`: "NONE" or a reason */
    const char *expiry_reason;  /* NULL or why the order ended; for CANCELED only when it was not asked for */
    int64_t execution_id;       /* wire `I` */
    int64_t time_us;            /* wire `T` */
    int64_t last_qty, last_px, last_quote, commission;
    int commission_asset; /* -1: none */
    int64_t trade_id;     /* -1: none */
    bool is_maker;
    /* TRADE_PREVENTION only; prevented_match_id is -1 otherwise. */
    int64_t prevented_match_id, last_prevented_qty, trade_group_id, counter_order_id;
};

struct emu_public_trade {
    int64_t id, px, qty, time_us;
    int64_t buy_order_id, sell_order_id;
    uint16_t symbol;
    bool buyer_is_maker;
};

/* One level has a new absolute quantity (0: gone). update_id grows by 1 with each such change of a symbol. */
struct emu_level_change {
    uint16_t symbol;
    enum emu_side side; /* EMU_BUY: a bid */
    int64_t px, qty, update_id, time_us;
};

/* Best bid and ask after an operation that changed a price or a quantity of the touch; 0, 0 for an empty side. */
struct emu_touch {
    uint16_t symbol;
    struct emu_level bid, ask;
    int64_t update_id, time_us;
};

/* Balances of `account` changed: assets[0..count) are the asset indexes. Read them with emu_account_get(). */
struct emu_account_change {
    uint32_t account;
    unsigned asset_count;
    int assets[4];
    int64_t time_us;
};

/* Events, in the order they happen. Any pointer may be NULL. House orders raise no execution and no account event. */
struct emu_sink {
    void *ctx;
    void (*execution)(void *ctx, const struct emu_execution *e);
    void (*account)(void *ctx, const struct emu_account_change *c);
    void (*trade)(void *ctx, const struct emu_public_trade *t);
    void (*level)(void *ctx, const struct emu_level_change *c);
    void (*touch)(void *ctx, const struct emu_touch *t);
};

struct emu_engine;

/* Where user-visible facts go before anybody hears of them (implemented by ledger.h). Any pointer may be NULL.
 * A rejection has no order: `symbol`, `client_id` and the error are what there is. */
struct emu_recorder {
    void *ctx;
    void (*account)(void *ctx, const struct emu_engine *e, uint32_t account);
    void (*deposit)(void *ctx, const struct emu_engine *e, uint32_t account, int asset, int64_t amount);
    void (*execution)(void *ctx, const struct emu_engine *e, const struct emu_execution *x,
                      int64_t counter_order_id /* TRADE: the other side's order, 0 when it is the house's */,
                      bool first_of_two /* TRADE between two users: the other side's record follows */);
    void (*rejection)(void *ctx, const struct emu_engine *e, uint32_t account, int symbol, const char *client_id,
                      const struct emu_error *err);
    void (*triggered)(void *ctx, const struct emu_engine *e, const struct emu_order *o);
    void (*ids)(void *ctx, const struct emu_engine *e, int symbol, int64_t order_id, int64_t trade_id,
                int64_t update_id, int64_t execution_id);
    void (*commit)(void *ctx);
};

struct emu_engine_config {
    const struct emu_symbol_def *symbols; /* NULL: emu_symbol_defs */
    size_t symbol_count;
    uint32_t user_orders_max;       /* 0: 4 million; one more is refused with -1008 */
    int64_t maker_rate, taker_rate; /* of new accounts; 0, 0 means 0.1 % each; see emu_account_set_rates() */
    bool fee_in_quote;              /* commission is taken from the quote asset; else from the received one */
};

/* NULL only when memory is short. The caller sets the time before the first operation. */
struct emu_engine *emu_engine_create(const struct emu_engine_config *config);
void emu_engine_destroy(struct emu_engine *e);
void emu_engine_set_sink(struct emu_engine *e, const struct emu_sink *sink);
void emu_engine_set_recorder(struct emu_engine *e, const struct emu_recorder *recorder);
/* The venue's clock for everything that follows; a time that goes back is ignored. */
void emu_engine_set_time(struct emu_engine *e, int64_t now_us);
int64_t emu_engine_time(const struct emu_engine *e);

/* ---- reference data ---- */
int emu_symbol_count(const struct emu_engine *e);
int emu_symbol_find(const struct emu_engine *e, const char *name); /* index or -1; name is upper case */
const struct emu_symbol_def *emu_symbol_get(const struct emu_engine *e, int symbol);
enum emu_symbol_status emu_symbol_status_get(const struct emu_engine *e, int symbol);
void emu_symbol_status_set(struct emu_engine *e, int symbol, enum emu_symbol_status status);
/* Other filters from now on; what rests stays. */
void emu_filters_set(struct emu_engine *e, int symbol, const struct emu_filters *filters);
int emu_asset_count(const struct emu_engine *e);
const char *emu_asset_name(const struct emu_engine *e, int asset);
int emu_asset_find(const struct emu_engine *e, const char *name); /* index or -1 */

/* ---- accounts ---- */
/* Opens an account or finds it by name (so it can follow a ledger reload); -1 when EMU_ACCOUNTS_MAX is reached. */
int emu_account_open(struct emu_engine *e, const char *name);
int emu_account_find(const struct emu_engine *e, const char *name); /* index or -1 */
int emu_account_count(const struct emu_engine *e);                  /* the house included */
const struct emu_account *emu_account_get(const struct emu_engine *e, uint32_t account);
/* Commission rates, counts of 10^-8 (100000 is 0.1 %), each in [0, EMU_ONE); recorded like the account itself. */
void emu_account_set_rates(struct emu_engine *e, uint32_t account, int64_t maker_rate, int64_t taker_rate);
/* Adds to free; a negative amount withdraws; false when free would be negative or too much to count. Raises the account
 * event. */
bool emu_account_deposit(struct emu_engine *e, uint32_t account, int asset, int64_t amount);

/* ---- orders ---- */
/* A request. Zero means absent, except where said. Symbol is an index. */
struct emu_order_req {
    int symbol;
    enum emu_side side;
    enum emu_type type;
    enum emu_tif tif;
    enum emu_stp stp;
    int64_t px, stop_px, qty, quote_order_qty, iceberg_qty;
    const char *client_id; /* NULL: the venue makes one */
    int64_t expire_us;     /* emu_orders_expire_due ends the order then */
    int32_t user_ref;
    uint8_t flags;
};

/* On success: err.code 0 and the order in its state after matching. `order` stays NULL for the house's closed orders.
 */
struct emu_order_result {
    struct emu_error err;
    const struct emu_order *order;
};

/* Place an order. Returns err.code. A rejected request leaves no order and is recorded as a rejection. */
int emu_order_place(struct emu_engine *e, uint32_t account, const struct emu_order_req *req,
                    struct emu_order_result *out);
/* The same checks without any effect (order.test). */
int emu_order_test(struct emu_engine *e, uint32_t account, const struct emu_order_req *req, struct emu_error *err);

#define EMU_CANCEL_RESTRICTIONS(X)     \
    X(EMU_CANCEL_ANY, "")              \
    X(EMU_CANCEL_ONLY_NEW, "ONLY_NEW") \
    X(EMU_CANCEL_ONLY_PARTIALLY_FILLED, "ONLY_PARTIALLY_FILLED")
enum emu_cancel_restriction { EMU_CANCEL_RESTRICTIONS(EMU_ENUM_ID) EMU_CANCEL_RESTRICTION_COUNT };
int emu_cancel_restriction_from(const char *text);

struct emu_cancel_req {
    int symbol;
    int64_t order_id;           /* 0: absent */
    const char *orig_client_id; /* NULL: absent */
    const char *client_id;      /* the cancel's own id; NULL: the venue makes one */
    enum emu_cancel_restriction restriction;
};
struct emu_cancel_result {
    struct emu_error err;
    const struct emu_order *order;     /* the cancelled order: its client_id is the wire's origClientOrderId */
    char client_id[EMU_CLIENT_ID_MAX]; /* the cancel's id: the wire's clientOrderId */
};
int emu_order_cancel(struct emu_engine *e, uint32_t account, const struct emu_cancel_req *req,
                     struct emu_cancel_result *out);

/* Cancels all open orders of the account on the symbol, in order of acceptance. out (may be NULL) receives up to
 * out_max cancelled orders. Returns how many were cancelled, or minus a Binance code's absolute value (-2011 when
 * none). */
int emu_order_cancel_all(struct emu_engine *e, uint32_t account, int symbol, const struct emu_order **out, int out_max,
                         struct emu_error *err);

#define EMU_LEGS(X)                           \
    X(EMU_LEG_NOT_ATTEMPTED, "NOT_ATTEMPTED") \
    X(EMU_LEG_SUCCESS, "SUCCESS")             \
    X(EMU_LEG_FAILURE, "FAILURE")
enum emu_leg { EMU_LEGS(EMU_ENUM_ID) EMU_LEG_COUNT };
const char *emu_leg_text(enum emu_leg v);

struct emu_replace_result {
    struct emu_error err; /* 0, -2021 (one of the two done) or -2022 (none) */
    enum emu_leg cancel_leg, new_leg;
    struct emu_cancel_result cancel; /* cancel.err holds the leg's own error */
    struct emu_order_result order;
};
/* Cancel, then place. stop_on_failure: STOP_ON_FAILURE, else ALLOW_FAILURE. skip_new: CANCEL_ONLY after the order rate
 * was exceeded (the caller decides): the new leg is not attempted. */
int emu_order_replace(struct emu_engine *e, uint32_t account, const struct emu_cancel_req *cancel_req,
                      const struct emu_order_req *req, bool stop_on_failure, bool skip_new,
                      struct emu_replace_result *out);

/* Reduce the quantity and keep the place in the queue (order.amend.keepPriority). client_id NULL: the venue makes one.
 */
int emu_order_amend(struct emu_engine *e, uint32_t account, int symbol, int64_t order_id, const char *orig_client_id,
                    int64_t new_qty, const char *client_id, struct emu_order_result *out, int64_t *execution_id);

/* What an amend in place may change; 0 leaves a field as it is. */
struct emu_amend {
    int64_t px, qty, iceberg_qty;
    bool post_only; /* refused with -2010 when the new price would trade at once */
};
/* Change price and quantity of a resting order, ids unchanged. It keeps its place in the queue when only its quantity
 * shrinks, else it goes to the end of its level, and may trade at once. A quantity not above the executed one cancels
 * the rest. Not for waiting stops. */
int emu_order_amend_to(struct emu_engine *e, uint32_t account, int symbol, int64_t order_id,
                       const struct emu_amend *amend, struct emu_order_result *out);

/* The house trades `qty` (at most what is shown) with a user's resting order, at its price: what a test calls just
 * before it cancels. False when there is nothing to trade with. */
bool emu_order_hit(struct emu_engine *e, uint32_t account, int symbol, int64_t order_id, int64_t qty);

/* Ends every order whose expire_us has come, oldest first per symbol. */
void emu_orders_expire_due(struct emu_engine *e);

/* ---- queries ---- */
/* By id and/or client id (the newest order with it). NULL and err -2013 when there is none, -2039 when they differ. */
const struct emu_order *emu_order_find(const struct emu_engine *e, uint32_t account, int symbol, int64_t order_id,
                                       const char *client_id, struct emu_error *err);
/* Open orders, oldest first; symbol -1: of all symbols. Returns the count, at most out_max. */
int emu_orders_open(const struct emu_engine *e, uint32_t account, int symbol, const struct emu_order **out,
                    int out_max);
/* Orders of any state with id >= from_id (0: the newest `limit`) and created in [start_us, end_us] (0: no limit),
 * oldest first. */
int emu_orders_all(const struct emu_engine *e, uint32_t account, int symbol, int64_t from_id, int64_t start_us,
                   int64_t end_us, const struct emu_order **out, int limit);
/* Trades of the account with id >= from_id (-1: the newest `limit`), of order_id (0: any), in the time range. */
int emu_trades_mine(const struct emu_engine *e, uint32_t account, int symbol, int64_t order_id, int64_t from_id,
                    int64_t start_us, int64_t end_us, const struct emu_trade **out, int limit);

/* ---- public market data ---- */
/* Up to limit levels per side, best first. Returns lastUpdateId. */
int64_t emu_depth(const struct emu_engine *e, int symbol, int limit, struct emu_level *bids, int *bid_count,
                  struct emu_level *asks, int *ask_count);
void emu_touch_get(const struct emu_engine *e, int symbol, struct emu_touch *out);
/* The newest trades, oldest first (at most 1000 are kept). */
int emu_trades_public(const struct emu_engine *e, int symbol, struct emu_public_trade *out, int limit);
int64_t emu_last_px(const struct emu_engine *e, int symbol); /* 0 before the first trade */
int64_t emu_avg_px(const struct emu_engine *e, int symbol);  /* volume-weighted, 5 minutes; last price without trades */

/* ---- reload (ledger.h only): put state back without events, records or checks ---- */
struct emu_order *emu_restore_order(struct emu_engine *e, const struct emu_order *fields);
bool emu_restore_fill(struct emu_engine *e, const struct emu_trade *fields, bool with_house);
bool emu_restore_close(struct emu_engine *e, uint32_t account, int symbol, int64_t order_id, enum emu_status status,
                       int64_t prevented_qty, int64_t time_us);
bool emu_restore_amend(struct emu_engine *e, uint32_t account, int symbol, int64_t order_id, int64_t new_qty,
                       const char *client_id, int64_t time_us);
bool emu_restore_amend_to(struct emu_engine *e, uint32_t account, int symbol, int64_t order_id, int64_t px, int64_t qty,
                          int64_t iceberg_qty, int64_t time_us);
bool emu_restore_trigger(struct emu_engine *e, uint32_t account, int symbol, int64_t order_id, int64_t time_us);
void emu_restore_ids(struct emu_engine *e, int symbol, int64_t order_id, int64_t trade_id, int64_t update_id,
                     int64_t execution_id);
void emu_restore_account(struct emu_engine *e, uint32_t account, int64_t maker_rate, int64_t taker_rate);
/* After the last record: what a cut-off operation left behind (an IOC remainder) is expired, with events and records.
 */
void emu_restore_finish(struct emu_engine *e);

/* ---- tests ---- */
/* Checks every invariant of this header; false and a sentence in `why` when one is broken. Walks everything. */
bool emu_engine_verify(const struct emu_engine *e, char *why, size_t why_bytes);

#endif
