/* Everything that is not an order: clock, symbols, market data, account, sessions, user data subscriptions. */
#include "bench/venue/binance.h"

#include <jansson.h>

/* ---- general -------------------------------------------------------------------------------------------------- */

static void
run_ping(struct call *c)
{
    text_put(&c->result, "{}");
}

static void
run_time(struct call *c)
{
    text_put(&c->result, "{");
    text_key_int(&c->result, "serverTime", call_stamp(c, c->now_us));
    text_put(&c->result, "}");
}

static void
limit_rule(struct text *t, const char *type, const char *interval, int num, int limit)
{
    text_comma(t);
    text_put(t, "{");
    text_key_word(t, "rateLimitType", type);
    text_key_word(t, "interval", interval);
    text_key_int(t, "intervalNum", num);
    text_key_int(t, "limit", limit);
    text_put(t, "}");
}

static int
orders_day(const struct binance *v)
{
    return MAX(ORDERS_DAY_LIMIT, v->orders_10s_max);
}

static void
filter_begin(struct text *t, const char *type)
{
    text_comma(t);
    text_put(t, "{");
    text_key_word(t, "filterType", type);
}

static void
filter_count(struct text *t, const char *type, const char *key, int32_t value)
{
    filter_begin(t, type);
    text_key_int(t, key, value);
    text_put(t, "}");
}

static void
filter_three(struct text *t, const char *type, const char *const keys[3], int64_t a, int64_t b, int64_t step)
{
    filter_begin(t, type);
    text_key_decimal(t, keys[0], a);
    text_key_decimal(t, keys[1], b);
    text_key_decimal(t, keys[2], step);
    text_put(t, "}");
}

/* A multiplier as Binance writes it: no trailing zeros. */
static void
multiplier(struct text *t, const char *key, int64_t v)
{
    char buf[DECIMAL_TEXT];
    size_t n = decimal_format(buf, v, VALUE_DECIMALS);
    while (n > 1 && buf[n - 1] == '0')
        n--;
    if (buf[n - 1] == '.')
        n--;
    buf[n] = '\0';
    text_key_word(t, key, buf);
}

static void
filters_json(struct text *t, const struct emu_filters *f)
{
    static const char *const px[] = { "minPrice", "maxPrice", "tickSize" };
    static const char *const qty[] = { "minQty", "maxQty", "stepSize" };

    text_put(t, "[");
    filter_three(t, "PRICE_FILTER", px, f->px_min, f->px_max, f->px_tick);
    filter_three(t, "LOT_SIZE", qty, f->lot_min, f->lot_max, f->lot_step);
    filter_count(t, "ICEBERG_PARTS", "limit", f->iceberg_parts_max);
    filter_three(t, "MARKET_LOT_SIZE", qty, f->market_lot_min, f->market_lot_max, f->market_lot_step);
    filter_begin(t, "TRAILING_DELTA");
    text_key_int(t, "minTrailingAboveDelta", f->trailing_delta_min);
    text_key_int(t, "maxTrailingAboveDelta", f->trailing_delta_max);
    text_key_int(t, "minTrailingBelowDelta", f->trailing_delta_min);
    text_key_int(t, "maxTrailingBelowDelta", f->trailing_delta_max);
    text_put(t, "}");
    filter_begin(t, "PERCENT_PRICE_BY_SIDE");
    multiplier(t, "bidMultiplierUp", f->bid_mult_up);
    multiplier(t, "bidMultiplierDown", f->bid_mult_down);
    multiplier(t, "askMultiplierUp", f->ask_mult_up);
    multiplier(t, "askMultiplierDown", f->ask_mult_down);
    text_key_int(t, "avgPriceMins", f->avg_price_mins);
    text_put(t, "}");
    filter_begin(t, "NOTIONAL");
    text_key_decimal(t, "minNotional", f->notional_min);
    text_key_bool(t, "applyMinToMarket", f->notional_min_to_market);
    text_key_decimal(t, "maxNotional", f->notional_max);
    text_key_bool(t, "applyMaxToMarket", f->notional_max_to_market);
    text_key_int(t, "avgPriceMins", f->avg_price_mins);
    text_put(t, "}");
    filter_count(t, "MAX_NUM_ORDERS", "maxNumOrders", f->orders_max);
    filter_count(t, "MAX_NUM_ORDER_LISTS", "maxNumOrderLists", f->order_lists_max);
    filter_count(t, "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders", f->algo_orders_max);
    filter_count(t, "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends", f->order_amends_max);
    if (f->position_max != 0) {
        filter_begin(t, "MAX_POSITION");
        text_key_decimal(t, "maxPosition", f->position_max);
        text_put(t, "}");
    }
    text_put(t, "]");
}

static void
symbol_json(struct call *c, int symbol)
{
    const struct emu_symbol_def *d = emu_symbol_get(c->venue->base.engine, symbol);
    struct text *t = &c->result;

    text_comma(t);
    text_put(t, "{");
    text_key_word(t, "symbol", d->name);
    text_key_word(t, "status", emu_symbol_status_text(emu_symbol_status_get(c->venue->base.engine, symbol)));
    text_key_word(t, "baseAsset", d->base);
    text_key_int(t, "baseAssetPrecision", 8);
    text_key_word(t, "quoteAsset", d->quote);
    text_key_int(t, "quotePrecision", 8);
    text_key_int(t, "quoteAssetPrecision", 8);
    text_key_int(t, "baseCommissionPrecision", 8);
    text_key_int(t, "quoteCommissionPrecision", 8);
    text_key(t, "orderTypes");
    text_put(t, "[\"LIMIT\",\"LIMIT_MAKER\",\"MARKET\",\"STOP_LOSS\",\"STOP_LOSS_LIMIT\",\"TAKE_PROFIT\","
                "\"TAKE_PROFIT_LIMIT\"]");
    text_key_bool(t, "icebergAllowed", true);
    text_key_bool(t, "ocoAllowed", false);
    text_key_bool(t, "otoAllowed", false);
    text_key_bool(t, "opoAllowed", false);
    text_key_bool(t, "quoteOrderQtyMarketAllowed", true);
    text_key_bool(t, "allowTrailingStop", false);
    text_key_bool(t, "cancelReplaceAllowed", true);
    text_key_bool(t, "amendAllowed", true);
    text_key_bool(t, "pegInstructionsAllowed", false);
    text_key_bool(t, "isSpotTradingAllowed", true);
    text_key_bool(t, "isMarginTradingAllowed", false);
    text_key(t, "filters");
    filters_json(t, &d->filters);
    text_key(t, "permissions");
    text_put(t, "[]");
    text_key(t, "permissionSets");
    text_put(t, "[[\"SPOT\"]]");
    text_key_word(t, "defaultSelfTradePreventionMode", "NONE");
    text_key(t, "allowedSelfTradePreventionModes");
    text_put(t, "[\"NONE\",\"EXPIRE_TAKER\",\"EXPIRE_MAKER\",\"EXPIRE_BOTH\"]");
    text_put(t, "}");
}

static void
run_exchange_info(struct call *c)
{
    int list[EMU_SYMBOLS_MAX + 1];
    int count;
    bool single;
    struct text *t = &c->result;

    if (!call_symbols(c, list, &count, &single))
        return;
    text_put(t, "{");
    text_key_word(t, "timezone", "UTC");
    text_key_int(t, "serverTime", call_stamp(c, c->now_us));
    text_key(t, "rateLimits");
    text_put(t, "[");
    limit_rule(t, "REQUEST_WEIGHT", "MINUTE", 1, c->venue->weight_max);
    limit_rule(t, "ORDERS", "SECOND", 10, c->venue->orders_10s_max);
    limit_rule(t, "ORDERS", "DAY", 1, orders_day(c->venue));
    limit_rule(t, "RAW_REQUESTS", "MINUTE", 5, 300000);
    text_put(t, "]");
    text_key(t, "exchangeFilters");
    text_put(t, "[]");
    text_key(t, "symbols");
    text_put(t, "[");
    for (int i = 0; i < count; i++)
        symbol_json(c, list[i]);
    text_put(t, "]}");
}

/* ---- market data ---------------------------------------------------------------------------------------------- */

static void
levels_json(struct text *t, const char *key, const struct emu_level *l, int n)
{
    text_key(t, key);
    text_put(t, "[");
    for (int i = 0; i < n; i++) {
        text_comma(t);
        text_put(t, "[");
        text_decimal(t, l[i].px);
        text_put(t, ",");
        text_decimal(t, l[i].qty);
        text_put(t, "]");
    }
    text_put(t, "]");
}

static void
recorded_side(struct text *t, const char *key, const json_t *side, size_t limit)
{
    text_key(t, key);
    text_put(t, "[");
    for (size_t i = 0; i < json_array_size(side) && i < limit; i++) {
        const json_t *level = json_array_get(side, i);
        const char *px = json_string_value(json_array_get(level, 0));
        const char *qty = json_string_value(json_array_get(level, 1));
        text_comma(t);
        text_put(t, "[");
        text_string(t, px != NULL ? px : "0");
        text_put(t, ",");
        text_string(t, qty != NULL ? qty : "0");
        text_put(t, "]");
    }
    text_put(t, "]");
}

/* The recording's snapshot; without one, an empty book just before the first depth event. */
static void
recorded_depth(struct text *t, const struct replay_symbol *r, size_t limit)
{
    json_t *j = r->snapshot != NULL ? json_loads(r->snapshot, 0, NULL) : NULL;

    text_put(t, "{");
    text_key_int(t, "lastUpdateId",
                 j != NULL ? json_integer_value(json_object_get(j, "lastUpdateId")) : r->first_update_id - 1);
    recorded_side(t, "bids", json_object_get(j, "bids"), limit);
    recorded_side(t, "asks", json_object_get(j, "asks"), limit);
    text_put(t, "}");
    json_decref(j);
}

static void
run_depth(struct call *c)
{
    int64_t limit = 100;
    int symbol;

    if (!call_symbol(c, &symbol) || !call_int(c, "limit", 1, INT32_MAX, &limit))
        return;
    limit = MIN(limit, DEPTH_LEVELS_MAX);
    c->weight = limit <= 100 ? 5 : limit <= 500 ? 25 : limit <= 1000 ? 50 : 250;
    const struct replay_symbol *r =
        c->venue->base.has_replay
            ? replay_find(&c->venue->base.replay, emu_symbol_get(c->venue->base.engine, symbol)->name)
            : NULL;
    if (r != NULL) {
        recorded_depth(&c->result, r, (size_t)limit);
        return;
    }
    struct emu_level *l = (struct emu_level *)calloc((size_t)limit * 2, sizeof(*l));
    ASSERT(l != NULL);
    int bids = 0;
    int asks = 0;
    int64_t id = emu_depth(c->venue->base.engine, symbol, (int)limit, l, &bids, l + limit, &asks);
    text_put(&c->result, "{");
    text_key_int(&c->result, "lastUpdateId", id);
    levels_json(&c->result, "bids", l, bids);
    levels_json(&c->result, "asks", l + limit, asks);
    text_put(&c->result, "}");
    free(l);
    struct text *first = &c->venue->first_depth[symbol];
    struct fault_hits h = fault_draw(&c->venue->base.faults, FAULT_ON_SNAPSHOT, "depth");
    if (first->len == 0)
        text_bytes(first, c->result.at, c->result.len);
    if (fault_hit(&h, FAULT_STALE_SNAPSHOT)) {
        c->result.len = 0;
        text_bytes(&c->result, first->at, first->len);
    }
}

static int
read_trades(struct call *c, struct emu_public_trade *out, int64_t default_limit)
{
    int64_t limit = default_limit;
    int symbol;
    if (!call_symbol(c, &symbol) || !call_int(c, "limit", 1, INT32_MAX, &limit))
        return -1;
    return emu_trades_public(c->venue->base.engine, symbol, out, (int)MIN(limit, 1000));
}

static void
run_trades(struct call *c)
{
    struct emu_public_trade trades[1000];
    struct text *t = &c->result;
    int n = read_trades(c, trades, 500);

    if (n < 0)
        return;
    text_put(t, "[");
    for (int i = 0; i < n; i++) {
        text_comma(t);
        text_put(t, "{");
        text_key_int(t, "id", trades[i].id);
        text_key_decimal(t, "price", trades[i].px);
        text_key_decimal(t, "qty", trades[i].qty);
        text_key_decimal(t, "quoteQty", emu_quote_amount(trades[i].px, trades[i].qty));
        text_key_int(t, "time", call_stamp(c, trades[i].time_us));
        text_key_bool(t, "isBuyerMaker", trades[i].buyer_is_maker);
        text_key_bool(t, "isBestMatch", true);
        text_put(t, "}");
    }
    text_put(t, "]");
}

static void
run_agg_trades(struct call *c)
{
    struct emu_public_trade trades[1000];
    struct text *t = &c->result;
    int64_t from = 0;
    int64_t start_us = 0;
    int64_t end_us = INT64_MAX;

    if (!call_int(c, "fromId", 0, INT64_MAX, &from) || !call_time(c, "startTime", &start_us) ||
        !call_time(c, "endTime", &end_us))
        return;
    int n = read_trades(c, trades, 500);
    if (n < 0)
        return;
    text_put(t, "[");
    for (int i = 0; i < n; i++) {
        if (trades[i].id < from || trades[i].time_us < start_us || trades[i].time_us > end_us)
            continue;
        text_comma(t);
        text_put(t, "{");
        text_key_int(t, "a", trades[i].id);
        text_key_decimal(t, "p", trades[i].px);
        text_key_decimal(t, "q", trades[i].qty);
        text_key_int(t, "f", trades[i].id);
        text_key_int(t, "l", trades[i].id);
        text_key_int(t, "T", call_stamp(c, trades[i].time_us));
        text_key_bool(t, "m", trades[i].buyer_is_maker);
        text_key_bool(t, "M", true);
        text_put(t, "}");
    }
    text_put(t, "]");
}

static void
run_klines(struct call *c)
{
    struct candle out[1000];
    struct text *t = &c->result;
    int64_t limit = 500;
    int64_t start_us = 0;
    int64_t end_us = INT64_MAX;
    int symbol;
    const char *interval = call_text(c, "interval");

    if (!call_symbol(c, &symbol) || !call_int(c, "limit", 1, INT32_MAX, &limit) ||
        !call_time(c, "startTime", &start_us) || !call_time(c, "endTime", &end_us))
        return;
    int64_t span_us = streams_interval_us(interval);
    if (span_us == 0) {
        call_fail(c, 400, -1120, "Invalid interval.");
        return;
    }
    int n = tape_candles(&c->venue->base.tape[symbol], span_us, start_us, end_us, (int)MIN(limit, 1000), out);
    text_put(t, "[");
    for (int i = 0; i < n; i++) {
        const struct candle *k = &out[i];
        text_comma(t);
        text_put(t, "[");
        text_int(t, call_stamp(c, k->open_us));
        const int64_t ohlcv[] = { k->open, k->high, k->low, k->close, k->volume };
        for (size_t j = 0; j < ARRAY_LEN(ohlcv); j++) {
            text_put(t, ",");
            text_decimal(t, ohlcv[j]);
        }
        text_put(t, ",");
        text_int(t, call_stamp(c, k->open_us + span_us - 1));
        text_put(t, ",");
        text_decimal(t, k->quote);
        text_put(t, ",");
        text_int(t, k->trades);
        text_put(t, ",");
        text_decimal(t, k->taker_volume);
        text_put(t, ",");
        text_decimal(t, k->taker_quote);
        text_put(t, ",\"0\"]");
    }
    text_put(t, "]");
}

static void
run_avg_price(struct call *c)
{
    struct ticker k;
    int symbol;
    if (!call_symbol(c, &symbol))
        return;
    tape_ticker(&c->venue->base.tape[symbol], c->now_us, &k);
    text_put(&c->result, "{");
    text_key_int(&c->result, "mins", 5);
    text_key_decimal(&c->result, "price", emu_avg_px(c->venue->base.engine, symbol));
    text_key_int(&c->result, "closeTime", call_stamp(c, k.close_us));
    text_put(&c->result, "}");
}

/* A ticker request answers an object for `symbol`, else an array. */
static void
each_symbol(struct call *c, void (*one)(struct call *c, int symbol), int32_t weight_one, int32_t weight_all)
{
    int list[EMU_SYMBOLS_MAX + 1];
    int count;
    bool single;

    if (!call_symbols(c, list, &count, &single))
        return;
    c->weight = single ? weight_one : weight_all;
    if (!single)
        text_put(&c->result, "[");
    for (int i = 0; i < count; i++) {
        text_comma(&c->result);
        one(c, list[i]);
    }
    if (!single)
        text_put(&c->result, "]");
}

static void
percent_text(char buf[DECIMAL_TEXT], int64_t change, int64_t base)
{
    wide_t p = base == 0 ? 0 : (wide_t)change * 100000 / base;
    (void)decimal_format(buf, (int64_t)p, 3);
}

static void
ticker_24hr(struct call *c, int symbol)
{
    struct text *t = &c->result;
    struct ticker k;
    struct emu_touch touch;
    char percent[DECIMAL_TEXT];
    bool mini = call_text(c, "type") != NULL && strcmp(call_text(c, "type"), "MINI") == 0;

    tape_ticker(&c->venue->base.tape[symbol], c->now_us, &k);
    emu_touch_get(c->venue->base.engine, symbol, &touch);
    percent_text(percent, k.last - k.open, k.open);
    text_put(t, "{");
    text_key_word(t, "symbol", emu_symbol_get(c->venue->base.engine, symbol)->name);
    if (!mini) {
        text_key_decimal(t, "priceChange", k.last - k.open);
        text_key_word(t, "priceChangePercent", percent);
        text_key_decimal(t, "weightedAvgPrice", ticker_weighted(&k));
        text_key_decimal(t, "prevClosePrice", k.first_px);
        text_key_decimal(t, "lastPrice", k.last);
        text_key_decimal(t, "lastQty", k.last_qty);
        text_key_decimal(t, "bidPrice", touch.bid.px);
        text_key_decimal(t, "bidQty", touch.bid.qty);
        text_key_decimal(t, "askPrice", touch.ask.px);
        text_key_decimal(t, "askQty", touch.ask.qty);
    }
    text_key_decimal(t, "openPrice", k.open);
    text_key_decimal(t, "highPrice", k.high);
    text_key_decimal(t, "lowPrice", k.low);
    if (mini)
        text_key_decimal(t, "lastPrice", k.last);
    text_key_decimal(t, "volume", k.volume);
    text_key_decimal(t, "quoteVolume", k.quote);
    text_key_int(t, "openTime", call_stamp(c, k.open_us));
    text_key_int(t, "closeTime", call_stamp(c, k.close_us));
    text_key_int(t, "firstId", k.first_id);
    text_key_int(t, "lastId", k.last_id);
    text_key_int(t, "count", k.trades);
    text_put(t, "}");
}

static void
ticker_price(struct call *c, int symbol)
{
    text_put(&c->result, "{");
    text_key_word(&c->result, "symbol", emu_symbol_get(c->venue->base.engine, symbol)->name);
    text_key_decimal(&c->result, "price", emu_last_px(c->venue->base.engine, symbol));
    text_put(&c->result, "}");
}

static void
ticker_book(struct call *c, int symbol)
{
    struct emu_touch touch;
    emu_touch_get(c->venue->base.engine, symbol, &touch);
    text_put(&c->result, "{");
    text_key_word(&c->result, "symbol", emu_symbol_get(c->venue->base.engine, symbol)->name);
    text_key_decimal(&c->result, "bidPrice", touch.bid.px);
    text_key_decimal(&c->result, "bidQty", touch.bid.qty);
    text_key_decimal(&c->result, "askPrice", touch.ask.px);
    text_key_decimal(&c->result, "askQty", touch.ask.qty);
    text_put(&c->result, "}");
}

static void
run_ticker_24hr(struct call *c)
{
    each_symbol(c, ticker_24hr, 2, 80);
}

static void
run_ticker_price(struct call *c)
{
    each_symbol(c, ticker_price, 2, 4);
}

static void
run_ticker_book(struct call *c)
{
    each_symbol(c, ticker_book, 2, 4);
}

#define SYMBOLS_PARAMS " symbol symbols symbolStatus "

const struct call_def query_calls[] = {
    { "ping", HTTP_GET, "/api/v3/ping", CALL_PUBLIC, 1, "", NULL, run_ping },
    { "time", HTTP_GET, "/api/v3/time", CALL_PUBLIC, 1, "", NULL, run_time },
    { "exchangeInfo", HTTP_GET, "/api/v3/exchangeInfo", CALL_PUBLIC, 20,
      " symbol symbols permissions showPermissionSets symbolStatus ", NULL, run_exchange_info },
    { "depth", HTTP_GET, "/api/v3/depth", CALL_PUBLIC, 5, " symbol limit symbolStatus ", " symbol ", run_depth },
    { "trades.recent", HTTP_GET, "/api/v3/trades", CALL_PUBLIC, 25, " symbol limit ", " symbol ", run_trades },
    { "trades.historical", HTTP_GET, "/api/v3/historicalTrades", CALL_PUBLIC, 25, " symbol limit fromId apiKey ",
      " symbol ", run_trades },
    { "trades.aggregate", HTTP_GET, "/api/v3/aggTrades", CALL_PUBLIC, 4, " symbol fromId startTime endTime limit ",
      " symbol ", run_agg_trades },
    { "klines", HTTP_GET, "/api/v3/klines", CALL_PUBLIC, 2, " symbol interval startTime endTime timeZone limit ",
      " symbol interval ", run_klines },
    { "uiKlines", HTTP_GET, "/api/v3/uiKlines", CALL_PUBLIC, 2, " symbol interval startTime endTime timeZone limit ",
      " symbol interval ", run_klines },
    { "avgPrice", HTTP_GET, "/api/v3/avgPrice", CALL_PUBLIC, 2, " symbol ", " symbol ", run_avg_price },
    { "ticker.24hr", HTTP_GET, "/api/v3/ticker/24hr", CALL_PUBLIC, 2, SYMBOLS_PARAMS "type ", NULL, run_ticker_24hr },
    { "ticker.price", HTTP_GET, "/api/v3/ticker/price", CALL_PUBLIC, 2, SYMBOLS_PARAMS, NULL, run_ticker_price },
    { "ticker.book", HTTP_GET, "/api/v3/ticker/bookTicker", CALL_PUBLIC, 2, SYMBOLS_PARAMS, NULL, run_ticker_book },
    { 0 },
};
