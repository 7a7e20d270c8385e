/* Filter checks: one function per filter, one table in the order Binance evaluates them. The symbol list stands here as
 * data. Nothing is rounded: a value is on the step or it fails.
 *
 * Always true: no check divides by zero (a step of 0 is off) or overflows (__int128 where two values multiply). */
#include "bench/venue/filters.h"

#include "execgw/base.h"
#include "execgw/fixed.h"

#define D(whole, frac8) (INT64_C(whole) * EMU_ONE + INT64_C(frac8))

/* What all symbols share; the differences are written per symbol. */
#define COMMON                                                                                                        \
    .notional_max = D(9000000, 0), .notional_min_to_market = true, .notional_max_to_market = false,                   \
    .bid_mult_up = D(5, 0), .bid_mult_down = D(0, 20000000), .ask_mult_up = D(5, 0), .ask_mult_down = D(0, 20000000), \
    .avg_price_mins = 5, .iceberg_parts_max = 100, .orders_max = 200, .algo_orders_max = 5, .iceberg_orders_max = 10, \
    .order_amends_max = 10, .order_lists_max = 20, .trailing_delta_min = 10, .trailing_delta_max = 2000

const struct emu_symbol_def emu_symbol_defs[] = {
    { .name = "BTCUSDT",
      .base = "BTC",
      .quote = "USDT",
      .filters = { COMMON, .px_min = 1000000, .px_max = D(1000000, 0), .px_tick = 1000000, .lot_min = 1000,
                   .lot_max = D(9000, 0), .lot_step = 1000, .market_lot_max = D(100, 0), .notional_min = D(5, 0) },
      .start_px = D(60000, 0),
      .touch_qty = 50000000,
      .volatility_ppm = 60 },
    { .name = "ETHUSDT",
      .base = "ETH",
      .quote = "USDT",
      .filters = { COMMON, .px_min = 1000000, .px_max = D(1000000, 0), .px_tick = 1000000, .lot_min = 10000,
                   .lot_max = D(9000, 0), .lot_step = 10000, .market_lot_max = D(2000, 0), .notional_min = D(5, 0) },
      .start_px = D(3000, 0),
      .touch_qty = D(8, 0),
      .volatility_ppm = 80 },
    { .name = "BNBUSDT",
      .base = "BNB",
      .quote = "USDT",
      .filters = { COMMON, .px_min = 1000000, .px_max = D(100000, 0), .px_tick = 1000000, .lot_min = 100000,
                   .lot_max = D(900000, 0), .lot_step = 100000, .market_lot_max = D(3000, 0), .notional_min = D(5, 0) },
      .start_px = D(580, 0),
      .touch_qty = D(12, 0),
      .volatility_ppm = 80 },
    { .name = "SOLUSDT",
      .base = "SOL",
      .quote = "USDT",
      .filters = { COMMON, .px_min = 1000000, .px_max = D(10000, 0), .px_tick = 1000000, .lot_min = 100000,
                   .lot_max = D(900000, 0), .lot_step = 100000, .market_lot_max = D(20000, 0),
                   .notional_min = D(5, 0) },
      .start_px = D(150, 0),
      .touch_qty = D(60, 0),
      .volatility_ppm = 110 },
    { .name = "XRPUSDT",
      .base = "XRP",
      .quote = "USDT",
      .filters = { COMMON, .px_min = 10000, .px_max = D(10000, 0), .px_tick = 10000, .lot_min = 10000000,
                   .lot_max = D(9222449, 0), .lot_step = 10000000, .market_lot_max = D(1000000, 0),
                   .notional_min = D(5, 0) },
      .start_px = D(0, 60000000),
      .touch_qty = D(9000, 0),
      .volatility_ppm = 110 },
    { .name = "DOGEUSDT",
      .base = "DOGE",
      .quote = "USDT",
      .filters = { COMMON, .px_min = 1000, .px_max = D(1000, 0), .px_tick = 1000, .lot_min = D(1, 0),
                   .lot_max = D(9000000, 0), .lot_step = D(1, 0), .market_lot_max = D(5000000, 0),
                   .notional_min = D(1, 0) },
      .start_px = D(0, 12000000),
      .touch_qty = D(40000, 0),
      .volatility_ppm = 140 },
    { .name = "ADAUSDT",
      .base = "ADA",
      .quote = "USDT",
      .filters = { COMMON, .px_min = 10000, .px_max = D(1000, 0), .px_tick = 10000, .lot_min = 10000000,
                   .lot_max = D(900000, 0), .lot_step = 10000000, .market_lot_max = D(500000, 0),
                   .notional_min = D(5, 0) },
      .start_px = D(0, 45000000),
      .touch_qty = D(12000, 0),
      .volatility_ppm = 120 },
    { .name = "ETHBTC",
      .base = "ETH",
      .quote = "BTC",
      .filters = { COMMON, .px_min = 1000, .px_max = D(922327, 0), .px_tick = 1000, .lot_min = 10000,
                   .lot_max = D(100000, 0), .lot_step = 10000, .market_lot_max = D(800, 0), .notional_min = 10000,
                   .position_max = D(100000, 0) },
      .start_px = D(0, 5000000),
      .touch_qty = D(10, 0),
      .volatility_ppm = 60 },
};
const size_t emu_symbol_def_count = ARRAY_LEN(emu_symbol_defs);

bool
emu_type_is_algo(enum emu_type type)
{
    return type == EMU_STOP_LOSS || type == EMU_STOP_LOSS_LIMIT || type == EMU_TAKE_PROFIT ||
           type == EMU_TAKE_PROFIT_LIMIT;
}

bool
emu_type_has_price(enum emu_type type)
{
    return type == EMU_LIMIT || type == EMU_LIMIT_MAKER || type == EMU_STOP_LOSS_LIMIT || type == EMU_TAKE_PROFIT_LIMIT;
}

bool
emu_type_is_market(enum emu_type type)
{
    return !emu_type_has_price(type);
}

int64_t
emu_quote_amount(int64_t px, int64_t qty)
{
    wide_t v = (wide_t)px * qty / EMU_ONE;
    return v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

/* min, max and step as Binance words them: (value - min) % step == 0. */
static bool
in_range_on_step(int64_t v, int64_t min, int64_t max, int64_t step)
{
    return v >= min && (max == 0 || v <= max) && (step == 0 || (v - min) % step == 0);
}

static bool
price_filter(const struct emu_filters *f, const struct emu_filter_input *in)
{
    return (in->px == 0 || in_range_on_step(in->px, f->px_min, f->px_max, f->px_tick)) &&
           (in->stop_px == 0 || in_range_on_step(in->stop_px, f->px_min, f->px_max, f->px_tick));
}

static bool
percent_price_by_side(const struct emu_filters *f, const struct emu_filter_input *in)
{
    int64_t up = in->side == EMU_BUY ? f->bid_mult_up : f->ask_mult_up;
    int64_t down = in->side == EMU_BUY ? f->bid_mult_down : f->ask_mult_down;

    if (in->px == 0 || in->avg_px == 0 || up == 0)
        return true;
    wide_t scaled = (wide_t)in->px * EMU_ONE;
    return scaled <= (wide_t)in->avg_px * up && scaled >= (wide_t)in->avg_px * down;
}

static bool
lot_size(const struct emu_filters *f, const struct emu_filter_input *in)
{
    return (in->qty == 0 && in->quote_qty != 0) || in_range_on_step(in->qty, f->lot_min, f->lot_max, f->lot_step);
}

static bool
market_lot_size(const struct emu_filters *f, const struct emu_filter_input *in)
{
    if (!emu_type_is_market(in->type) || in->qty == 0)
        return true;
    return in_range_on_step(in->qty, f->market_lot_min, f->market_lot_max, f->market_lot_step);
}

/* Orders without a price are valued at the average price; stops without one at it too. */
static bool
notional(const struct emu_filters *f, const struct emu_filter_input *in)
{
    bool market = emu_type_is_market(in->type);
    int64_t px = market ? in->avg_px : in->px;
    int64_t value = in->qty == 0 ? in->quote_qty : emu_quote_amount(px, in->qty);

    if (market && px == 0 && in->qty != 0)
        return true;
    if ((!market || f->notional_min_to_market) && value < f->notional_min)
        return false;
    return f->notional_max == 0 || (market && !f->notional_max_to_market) || value <= f->notional_max;
}

static bool
iceberg_parts(const struct emu_filters *f, const struct emu_filter_input *in)
{
    if (in->iceberg_qty == 0)
        return true;
    return f->iceberg_parts_max > 0 && (in->qty + in->iceberg_qty - 1) / in->iceberg_qty <= f->iceberg_parts_max;
}

static bool
max_position(const struct emu_filters *f, const struct emu_filter_input *in)
{
    return f->position_max == 0 || in->side == EMU_SELL || (wide_t)in->position + in->qty <= f->position_max;
}

static bool
max_num_orders(const struct emu_filters *f, const struct emu_filter_input *in)
{
    return f->orders_max == 0 || in->orders_open < f->orders_max;
}

static bool
max_num_algo_orders(const struct emu_filters *f, const struct emu_filter_input *in)
{
    return f->algo_orders_max == 0 || !emu_type_is_algo(in->type) || in->algo_open < f->algo_orders_max;
}

static bool
max_num_iceberg_orders(const struct emu_filters *f, const struct emu_filter_input *in)
{
    return f->iceberg_orders_max == 0 || in->iceberg_qty == 0 || in->iceberg_open < f->iceberg_orders_max;
}

static const struct {
    const char *name;
    bool (*passes)(const struct emu_filters *f, const struct emu_filter_input *in);
} checks[] = {
    { "PRICE_FILTER", price_filter },
    { "PERCENT_PRICE_BY_SIDE", percent_price_by_side },
    { "LOT_SIZE", lot_size },
    { "MARKET_LOT_SIZE", market_lot_size },
    { "NOTIONAL", notional },
    { "ICEBERG_PARTS", iceberg_parts },
    { "MAX_POSITION", max_position },
    { "MAX_NUM_ORDERS", max_num_orders },
    { "MAX_NUM_ALGO_ORDERS", max_num_algo_orders },
    { "MAX_NUM_ICEBERG_ORDERS", max_num_iceberg_orders },
};

const char *
emu_filters_check(const struct emu_filters *f, const struct emu_filter_input *in)
{
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        if (!checks[i].passes(f, in))
            return checks[i].name;
    }
    return NULL;
}
