/* What the files of the emulated venue's engine share: its state, and the steps between which its invariants hold.
 *
 * engine_state.c owns memory, indexes, books and balances; engine.c decides (checks, matching, triggers);
 * engine_query.c only reads; engine_restore.c puts a ledger's state back. Nobody else includes this.
 *
 * Always true: an order is in at most one list of prev/next: its level's queue, or its symbol's waiting stops. */
#ifndef EXECGW_BENCH_VENUE_ENGINE_STATE_H
#define EXECGW_BENCH_VENUE_ENGINE_STATE_H

#include "bench/venue/engine.h"

#include "execgw/base.h"
#include "execgw/fixed.h"

#define PUBLIC_TRADES_MAX 1000
#define AVG_MINUTES       5
#define HOUSE_BUCKETS     8192
#define ID_BLOCK          INT64_C(1000000) /* ids are announced to the recorder in blocks */
#define MINUTE_US         INT64_C(60000000)

struct level {
    int64_t px;
    int64_t visible_qty;
    struct emu_order *head, *tail;
};

/* Sorted so that the best price is the last element. */
struct book_side {
    struct level *level;
    int count, capacity;
};

struct user_symbol {
    struct emu_order **orders; /* ids ascending */
    int order_count, order_capacity;
    struct emu_trade **trades; /* ids ascending */
    int trade_count, trade_capacity;
    struct emu_order *open_head, *open_tail;
    int32_t open_count, algo_open, iceberg_open;
};

struct avg_bucket {
    int64_t minute;
    wide_t px_qty, qty;
};

struct symbol_state {
    const struct emu_symbol_def *def; /* own, after emu_filters_set */
    struct emu_symbol_def own;
    int index, base, quote;
    enum emu_symbol_status status;
    struct book_side side[EMU_SIDE_COUNT];
    int64_t order_id, trade_id, update_id, execution_id; /* last used */
    int64_t order_id_block, trade_id_block, update_id_block, execution_id_block;
    int64_t prevented_match_id;
    int64_t last_px;
    bool last_px_moved; /* since triggers were looked at */
    struct avg_bucket avg[AVG_MINUTES];
    struct emu_public_trade public_trade[PUBLIC_TRADES_MAX];
    int64_t public_trade_count;
    struct emu_order *stop_head, *stop_tail;
    struct emu_touch touch; /* last announced */
    struct user_symbol user[EMU_ACCOUNTS_MAX];
    struct emu_order *house_bucket[HOUSE_BUCKETS]; /* by order id, linked by client_next */
};

struct emu_engine {
    struct emu_sink sink;
    struct emu_recorder recorder;
    int64_t now_us;
    int symbol_count;
    struct symbol_state *symbol;
    int asset_count;
    char asset[EMU_ASSETS_MAX][EMU_NAME_MAX];
    uint32_t account_count;
    struct emu_account account[EMU_ACCOUNTS_MAX];
    int64_t default_maker_rate, default_taker_rate;
    bool fee_in_quote;
    wide_t fees[EMU_ASSETS_MAX];      /* commission taken so far */
    wide_t deposited[EMU_ASSETS_MAX]; /* users' deposits minus withdrawals */
    wide_t house[EMU_ASSETS_MAX];     /* what the house won or lost by trading */
    struct emu_order **client_bucket; /* by account, symbol, client id; newest first */
    uint32_t client_mask;
    uint32_t user_order_count, user_orders_max;
    struct emu_order *house_free;
    struct emu_order **chunk; /* house orders' memory */
    int chunk_count;
};

/* What an order would get if it matched now. */
struct sweep {
    int64_t qty, quote;
    bool dry; /* the book, or prevention, ended it before its own limits did */
};

static inline int64_t
order_leaves(const struct emu_order *o)
{
    return o->qty - o->cum_qty;
}

/* Whether an amend to these leaves a resting order where it is in its level's queue. */
static inline bool
order_keeps_place(const struct emu_order *o, int64_t px, int64_t qty, int64_t iceberg_qty)
{
    return o->visible_qty != 0 && px == o->px && qty <= o->qty && iceberg_qty == o->iceberg_qty;
}

static inline bool
order_is_house(const struct emu_order *o)
{
    return o->account == EMU_HOUSE;
}

/* ---- engine_state.c ---- */
struct emu_order *order_take(struct emu_engine *e, uint32_t account); /* zeroed; NULL at user_orders_max */
void order_release_house(struct emu_engine *e, struct emu_order *o);
void order_index(struct emu_engine *e, struct symbol_state *s, struct emu_order *o); /* queries and open list */
void order_unlist_open(struct emu_engine *e, struct symbol_state *s, struct emu_order *o);
void client_index_add(struct emu_engine *e, struct emu_order *o);
void client_index_remove(struct emu_engine *e, struct emu_order *o);
struct emu_order *client_find_open(const struct emu_engine *e, uint32_t account, int symbol, const char *client_id);
struct emu_order *client_find(const struct emu_engine *e, uint32_t account, int symbol, const char *client_id);
struct emu_order *order_by_id(const struct symbol_state *s, uint32_t account, int64_t order_id);
struct emu_trade *trade_add(struct emu_engine *e, struct symbol_state *s, struct emu_order *o,
                            const struct emu_trade *fields);

struct level *book_best(struct symbol_state *s, enum emu_side side); /* NULL when empty */
void book_rest(struct emu_engine *e, struct symbol_state *s, struct emu_order *o);
void book_remove(struct emu_engine *e, struct symbol_state *s, struct emu_order *o);
/* The resting order lost qty to a fill or an amend; leaves > 0. Refills an iceberg's slice behind its level. */
void book_reduce(struct emu_engine *e, struct symbol_state *s, struct emu_order *o, int64_t qty);
void stop_wait(struct symbol_state *s, struct emu_order *o);
void stop_unwait(struct symbol_state *s, struct emu_order *o);

int64_t order_lock_wanted(const struct emu_engine *e, const struct emu_order *o);
/* A quote amount and the commission that may come on top of it, for a buy that pays in the quote asset. */
int64_t with_fee(const struct emu_engine *e, uint32_t account, int64_t quote);
/* Moves the difference between o->locked and what it should hold between free and locked. */
void order_relock(struct emu_engine *e, const struct symbol_state *s, struct emu_order *o);
/* One side of a fill: relocks, moves base and quote, takes commission. cum_qty is already raised. */
void order_settle(struct emu_engine *e, const struct symbol_state *s, struct emu_order *o, int64_t qty, int64_t quote,
                  int64_t commission);
int64_t order_commission(const struct emu_engine *e, const struct emu_order *o, int64_t qty, int64_t quote,
                         bool is_maker);
void avg_add(struct symbol_state *s, int64_t now_us, int64_t px, int64_t qty);

int64_t id_next(struct emu_engine *e, struct symbol_state *s, int64_t *id, int64_t *block);
void client_id_make(char out[EMU_CLIENT_ID_MAX], int symbol, int64_t number);

/* ---- engine_check.c ---- */
int error_set(struct emu_error *err, int code, const char *msg); /* returns code */
int error_clear(struct emu_error *err);                          /* returns 0 */
int error_filter(struct emu_error *err, const char *name);
int request_check_client_id(struct emu_error *err, const char *id, const char *name);
/* Parameters, symbol status and filters: what Binance evaluates before anything else of a request happens. */
int request_check_form(const struct emu_engine *e, uint32_t account, const struct emu_order_req *r,
                       struct emu_error *err);
/* What depends on the account's orders and balances and on the book; w is what a market order would get. */
int request_check_state(const struct emu_engine *e, const struct symbol_state *s, uint32_t account,
                        const struct emu_order_req *r, const struct sweep *w, struct emu_error *err);

/* ---- engine.c ---- */
/* Whether the last price has reached the stop; never before the first trade. */
bool stop_is_triggered(enum emu_side side, enum emu_type type, int64_t stop_px, int64_t last_px);
bool order_would_take(const struct symbol_state *s, enum emu_side side, int64_t px);
struct emu_order *order_accept(struct emu_engine *e, struct symbol_state *s, uint32_t account,
                               const struct emu_order_req *r, int64_t qty_for_quote);
void order_fill(struct emu_engine *e, struct symbol_state *s, struct emu_order *taker, struct emu_order *maker,
                int64_t qty);
void order_report(struct emu_engine *e, struct symbol_state *s, const struct emu_order *o, enum emu_exec exec);
void order_work(struct emu_engine *e, struct symbol_state *s, struct emu_order *o); /* match, then rest or end */
void order_match_again(struct emu_engine *e, struct symbol_state *s, struct emu_order *o);
void order_expire(struct emu_engine *e, struct symbol_state *s, struct emu_order *o, const char *reason);
void order_cancel(struct emu_engine *e, struct symbol_state *s, struct emu_order *o, const char *client_id,
                  const char *reason);
void operation_end(struct emu_engine *e, struct symbol_state *s);

#endif
