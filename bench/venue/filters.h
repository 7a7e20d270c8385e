/* Symbols of the emulated venue and the filters every order of theirs has to pass.
 *
 * A symbol definition is plain data; the checks are one table of (name, function) run in order, the first that fails
 * names the error "Filter failure: NAME" as Binance does. No state: what a filter compares with (open orders of the
 * account, average price, position) is passed in.
 *
 * Always true: prices, quantities and amounts are counts of 10^-8 (EMU_ONE is 1); a rule whose value is 0 is off.
 * Source: Binance Spot API docs, filters.md and faqs; values as exchangeInfo shows them, rounded, seen 2026-07. */
#ifndef EXECGW_BENCH_VENUE_FILTERS_H
#define EXECGW_BENCH_VENUE_FILTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EMU_DECIMALS 8
#define EMU_ONE      INT64_C(100000000)
#define EMU_NAME_MAX 16 /* symbol or asset name with its NUL */

#define EMU_SIDES(X)  \
    X(EMU_BUY, "BUY") \
    X(EMU_SELL, "SELL")

#define EMU_TYPES(X)                              \
    X(EMU_LIMIT, "LIMIT")                         \
    X(EMU_MARKET, "MARKET")                       \
    X(EMU_STOP_LOSS, "STOP_LOSS")                 \
    X(EMU_STOP_LOSS_LIMIT, "STOP_LOSS_LIMIT")     \
    X(EMU_TAKE_PROFIT, "TAKE_PROFIT")             \
    X(EMU_TAKE_PROFIT_LIMIT, "TAKE_PROFIT_LIMIT") \
    X(EMU_LIMIT_MAKER, "LIMIT_MAKER")

#define EMU_ENUM_ID(id, text) id,
enum emu_side { EMU_SIDES(EMU_ENUM_ID) EMU_SIDE_COUNT };
enum emu_type { EMU_TYPES(EMU_ENUM_ID) EMU_TYPE_COUNT };

/* Filter values of one symbol, named as in exchangeInfo. */
struct emu_filters {
    int64_t px_min, px_max, px_tick;                         /* PRICE_FILTER */
    int64_t lot_min, lot_max, lot_step;                      /* LOT_SIZE */
    int64_t market_lot_min, market_lot_max, market_lot_step; /* MARKET_LOT_SIZE */
    int64_t notional_min, notional_max;                      /* NOTIONAL */
    bool notional_min_to_market, notional_max_to_market;     /* applyMinToMarket, applyMaxToMarket */
    int64_t bid_mult_up, bid_mult_down;                      /* PERCENT_PRICE_BY_SIDE, counts of 10^-8 */
    int64_t ask_mult_up, ask_mult_down;
    int32_t avg_price_mins;
    int32_t iceberg_parts_max;
    int32_t orders_max, algo_orders_max, iceberg_orders_max, order_amends_max, order_lists_max;
    int32_t trailing_delta_min, trailing_delta_max; /* for exchangeInfo only: trailing stops are not offered */
    int64_t position_max;                           /* MAX_POSITION, base asset; 0: the symbol has no such filter */
};

struct emu_symbol_def {
    const char *name, *base, *quote;
    struct emu_filters filters;
    int64_t start_px;       /* where the simulated market begins */
    int64_t touch_qty;      /* typical quantity of a level near the touch */
    int32_t volatility_ppm; /* typical move of the fair price per second */
};

/* The venue's list: BTCUSDT, ETHUSDT, BNBUSDT, SOLUSDT, XRPUSDT, DOGEUSDT, ADAUSDT, ETHBTC. */
extern const struct emu_symbol_def emu_symbol_defs[];
extern const size_t emu_symbol_def_count;

/* What the checks look at. px is 0 for an order without one; qty is 0 for a market order by quote quantity. */
struct emu_filter_input {
    enum emu_side side;
    enum emu_type type;
    int64_t px, stop_px, qty, quote_qty, iceberg_qty;
    int64_t avg_px;       /* average price over avg_price_mins; the last price when there was no trade */
    int32_t orders_open;  /* the account's open orders on the symbol, algo orders included */
    int32_t algo_open;    /* of those, stops and take-profits not yet triggered */
    int32_t iceberg_open; /* of those, with an iceberg quantity */
    int64_t position;     /* base asset: free + locked + what open buys would add */
};

/* NULL when every filter passes, else the name of the first that fails ("LOT_SIZE"). */
const char *emu_filters_check(const struct emu_filters *f, const struct emu_filter_input *in);

bool emu_type_is_algo(enum emu_type type);   /* waits for a trigger */
bool emu_type_has_price(enum emu_type type); /* rests at a price */
bool emu_type_is_market(enum emu_type type); /* executes at any price, now or when triggered */

/* px * qty in the quote asset, rounded down (to the venue's rule); INT64_MAX when it does not fit. */
int64_t emu_quote_amount(int64_t px, int64_t qty);

#endif
