/* Kraken's public REST endpoints. */
#include "bench/venue/kraken.h"

#include <time.h>

#define TRADES_MAX  1000
#define CANDLES_MAX 720
#define DEPTH_COUNT 100
#define MAKER_RATE  "0.25" /* percent, as kraken_init sets them */
#define TAKER_RATE  "0.40"

static void
run_time(struct kraken_call *c)
{
    time_t s = (time_t)(c->now_us / 1000000);
    struct tm tm;
    char text[64];

    (void)gmtime_r(&s, &tm);
    (void)strftime(text, sizeof(text), "%a, %d %b %y %H:%M:%S +0000", &tm);
    text_put(&c->result, "{");
    text_key_int(&c->result, "unixtime", s);
    text_key_word(&c->result, "rfc1123", text);
    text_put(&c->result, "}");
}

static void
run_status(struct kraken_call *c)
{
    text_put(&c->result, "{");
    text_key_word(&c->result, "status", "online");
    text_key_time(&c->result, "timestamp", c->now_us);
    text_put(&c->result, "}");
}

static bool
named(const char *list, const char *a, const char *b, const char *d)
{
    const char *const names[] = { a, b, d };

    if (list == NULL)
        return true;
    while (*list != '\0') {
        size_t n = strcspn(list, ",");
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
            if (strlen(names[i]) == n && strncmp(names[i], list, n) == 0)
                return true;
        list += n + (list[n] == ',');
    }
    return false;
}

static void
run_assets(struct kraken_call *c)
{
    const struct emu_engine *e = c->venue->base.engine;
    const char *wanted = kraken_text(c->params, "asset");
    struct text *t = &c->result;

    text_put(t, "{");
    for (int i = 0; i < emu_asset_count(e); i++) {
        const char *name = emu_asset_name(e, i);
        const char *key = kraken_asset_key(name);
        bool money = key[0] == 'Z';
        if (!named(wanted, name, key, kraken_asset_alt(name)))
            continue;
        text_key(t, key);
        text_put(t, "{");
        text_key_word(t, "aclass", "currency");
        text_key_word(t, "altname", kraken_asset_alt(name));
        text_key_int(t, "decimals", money ? 4 : 10);
        text_key_int(t, "display_decimals", money ? 2 : 5);
        text_key_word(t, "status", "enabled");
        text_put(t, "}");
    }
    text_put(t, "}");
    if (t->len == 2)
        (void)kraken_fail(c, "EQuery:Unknown asset");
}

static void
pair_json(struct kraken_call *c, int symbol)
{
    const struct emu_symbol_def *def = emu_symbol_get(c->venue->base.engine, symbol);
    struct kraken_pair p = kraken_pair_get(c->venue, symbol);
    struct text *t = &c->result;

    text_key(t, p.key);
    text_put(t, "{");
    text_key_word(t, "altname", p.altname);
    text_key_word(t, "wsname", p.wsname);
    text_key_word(t, "aclass_base", "currency");
    text_key_word(t, "base", kraken_asset_key(def->base));
    text_key_word(t, "aclass_quote", "currency");
    text_key_word(t, "quote", kraken_asset_key(def->quote));
    text_key_word(t, "lot", "unit");
    text_key_int(t, "cost_decimals", p.cost_decimals);
    text_key_int(t, "pair_decimals", p.px_decimals);
    text_key_int(t, "lot_decimals", p.qty_decimals);
    text_key_int(t, "lot_multiplier", 1);
    text_put(t, ",\"leverage_buy\":[],\"leverage_sell\":[],\"fees\":[[0," TAKER_RATE "]],"
                "\"fees_maker\":[[0," MAKER_RATE "]]");
    text_key_word(t, "fee_volume_currency", "ZUSD");
    text_key_int(t, "margin_call", 80);
    text_key_int(t, "margin_stop", 40);
    text_key(t, "ordermin");
    text_put(t, "\"");
    text_short(t, def->filters.lot_min);
    text_put(t, "\"");
    text_key(t, "costmin");
    text_put(t, "\"");
    text_short(t, def->filters.notional_min);
    text_put(t, "\"");
    text_key_quoted(t, "tick_size", def->filters.px_tick, p.px_decimals);
    text_key_word(t, "status", kraken_pair_status(c->venue, symbol));
    text_put(t, "}");
}

/* Calls `one` for the pairs of the `pair` parameter (a comma list), or all. */
static void
each_pair(struct kraken_call *c, void (*one)(struct kraken_call *c, int symbol))
{
    const char *wanted = kraken_text(c->params, "pair");

    text_put(&c->result, "{");
    if (wanted == NULL)
        for (int i = 0; i < emu_symbol_count(c->venue->base.engine); i++)
            one(c, i);
    while (wanted != NULL && *wanted != '\0') {
        char name[32];
        size_t n = strcspn(wanted, ",");
        (void)snprintf(name, sizeof(name), "%.*s", (int)MIN(n, sizeof(name) - 1), wanted);
        int symbol = kraken_pair_find(c->venue, name);
        if (symbol < 0) {
            (void)kraken_fail(c, "EQuery:Unknown asset pair");
            return;
        }
        one(c, symbol);
        wanted += n + (wanted[n] == ',');
    }
    text_put(&c->result, "}");
}

static void
run_pairs(struct kraken_call *c)
{
    each_pair(c, pair_json);
}

static void
quoted(struct text *t, int64_t v, unsigned decimals)
{
    text_comma(t);
    text_put(t, "\"");
    text_fixed(t, v, decimals);
    text_put(t, "\"");
}

static void
row(struct text *t, const char *key, const int64_t *v, size_t n, unsigned decimals)
{
    text_key(t, key);
    text_put(t, "[");
    for (size_t i = 0; i < n; i++)
        quoted(t, v[i], i == 0 || n == 2 ? decimals : 3);
    text_put(t, "]");
}

static void
ticker_json(struct kraken_call *c, int symbol)
{
    struct kraken_pair p = kraken_pair_get(c->venue, symbol);
    struct emu_touch touch;
    struct ticker y;
    struct text *t = &c->result;

    emu_touch_get(c->venue->base.engine, symbol, &touch);
    tape_ticker(&c->venue->base.tape[symbol], c->now_us, &y);
    const int64_t ask[] = { touch.ask.px, touch.ask.qty / EMU_ONE * EMU_ONE, touch.ask.qty };
    const int64_t bid[] = { touch.bid.px, touch.bid.qty / EMU_ONE * EMU_ONE, touch.bid.qty };
    const int64_t volume[] = { y.volume, y.volume };
    const int64_t vwap[] = { ticker_weighted(&y), ticker_weighted(&y) };
    const int64_t low[] = { y.low, y.low };
    const int64_t high[] = { y.high, y.high };
    text_key(t, p.key);
    text_put(t, "{");
    row(t, "a", ask, 3, p.px_decimals);
    row(t, "b", bid, 3, p.px_decimals);
    text_key(t, "c");
    text_put(t, "[");
    quoted(t, y.last, p.px_decimals);
    quoted(t, y.last_qty, p.qty_decimals);
    text_put(t, "]");
    row(t, "v", volume, 2, p.qty_decimals);
    row(t, "p", vwap, 2, p.px_decimals);
    text_key(t, "t");
    text_put(t, "[");
    text_int(t, y.trades);
    text_put(t, ",");
    text_int(t, y.trades);
    text_put(t, "]");
    row(t, "l", low, 2, p.px_decimals);
    row(t, "h", high, 2, p.px_decimals);
    text_key_quoted(t, "o", y.open, p.px_decimals);
    text_put(t, "}");
}

static void
run_ticker(struct kraken_call *c)
{
    each_pair(c, ticker_json);
}

/* The one pair that is asked for; -1 and an error when there is none. */
static int
one_pair(struct kraken_call *c)
{
    const char *name = kraken_text(c->params, "pair");
    int symbol = name != NULL ? kraken_pair_find(c->venue, name) : -1;

    if (symbol < 0)
        (void)kraken_fail(c, name != NULL ? "EQuery:Unknown asset pair" : "EGeneral:Invalid arguments");
    return symbol;
}

static void
depth_side(struct text *t, const char *key, const struct emu_level *l, int n, const struct kraken_pair *p, int64_t s)
{
    text_key(t, key);
    text_put(t, "[");
    for (int i = 0; i < n; i++) {
        text_comma(t);
        text_put(t, "[");
        quoted(t, l[i].px, p->px_decimals);
        quoted(t, l[i].qty, p->qty_decimals);
        text_put(t, ",");
        text_int(t, s);
        text_put(t, "]");
    }
    text_put(t, "]");
}

static void
run_depth(struct kraken_call *c)
{
    struct emu_level bids[500];
    struct emu_level asks[500];
    int bid_count = 0;
    int ask_count = 0;
    int64_t count = DEPTH_COUNT;
    int symbol = one_pair(c);

    if (symbol < 0)
        return;
    if (!kraken_integer(c->params, "count", &count) || count < 1 || count > 500) {
        (void)kraken_fail(c, "EGeneral:Invalid arguments");
        return;
    }
    struct kraken_pair p = kraken_pair_get(c->venue, symbol);
    (void)emu_depth(c->venue->base.engine, symbol, (int)count, bids, &bid_count, asks, &ask_count);
    text_put(&c->result, "{");
    text_key(&c->result, p.key);
    text_put(&c->result, "{");
    depth_side(&c->result, "asks", asks, ask_count, &p, c->now_us / 1000000);
    depth_side(&c->result, "bids", bids, bid_count, &p, c->now_us / 1000000);
    text_put(&c->result, "}}");
}

/* `since` of trades: an id of nanoseconds, or seconds. */
static int64_t
since_us(const struct kraken_call *c)
{
    const char *s = kraken_text(c->params, "since");
    int64_t v = 0;

    if (s == NULL || decimal_parse(s, strcspn(s, "."), 0, &v) != DECODE_OK)
        return 0;
    return v > INT64_C(100000000000) ? v / 1000 : v * 1000000;
}

static void
run_trades(struct kraken_call *c)
{
    struct emu_public_trade out[TRADES_MAX];
    int64_t since = since_us(c);
    int64_t last_ns = c->now_us * 1000;
    int64_t count = TRADES_MAX;
    int symbol = one_pair(c);
    struct text *t = &c->result;

    if (symbol < 0)
        return;
    if (!kraken_integer(c->params, "count", &count) || count < 1)
        count = TRADES_MAX;
    struct kraken_pair p = kraken_pair_get(c->venue, symbol);
    int n = emu_trades_public(c->venue->base.engine, symbol, out, (int)MIN(count, TRADES_MAX));
    text_put(t, "{");
    text_key(t, p.key);
    text_put(t, "[");
    for (int i = 0; i < n; i++) {
        if (out[i].time_us <= since)
            continue;
        last_ns = out[i].time_us * 1000;
        text_comma(t);
        text_put(t, "[");
        quoted(t, out[i].px, MIN(p.px_decimals + 4, 8u));
        quoted(t, out[i].qty, p.qty_decimals);
        text_put(t, ",");
        text_reserve(t, DECIMAL_TEXT);
        t->len += decimal_format(t->at + t->len, out[i].time_us, 6);
        text_put(t, out[i].buyer_is_maker ? ",\"s\"" : ",\"b\"");
        text_put(t, ",\"l\",\"\",");
        text_int(t, out[i].id);
        text_put(t, "]");
    }
    text_put(t, "]");
    text_key(t, "last");
    text_put(t, "\"");
    text_int(t, last_ns);
    text_put(t, "\"}");
}

static void
run_ohlc(struct kraken_call *c)
{
    static const int64_t offered[] = { 1, 5, 15, 30, 60, 240, 1440, 10080, 21600 };
    struct candle out[CANDLES_MAX];
    int64_t minutes = 1;
    bool known = kraken_integer(c->params, "interval", &minutes);
    int symbol = one_pair(c);
    struct text *t = &c->result;
    size_t i = 0;

    while (i < ARRAY_LEN(offered) && offered[i] != minutes)
        i++;
    if (symbol < 0)
        return;
    if (!known || i == ARRAY_LEN(offered)) {
        (void)kraken_fail(c, "EGeneral:Invalid arguments");
        return;
    }
    struct kraken_pair p = kraken_pair_get(c->venue, symbol);
    int n =
        tape_candles(&c->venue->base.tape[symbol], minutes * MINUTE_US, since_us(c) + 1, INT64_MAX, CANDLES_MAX, out);
    int64_t last = 0;
    text_put(t, "{");
    text_key(t, p.key);
    text_put(t, "[");
    for (int k = 0; k < n; k++) {
        const int64_t px[] = { out[k].open, out[k].high, out[k].low, out[k].close,
                               kraken_quotient(out[k].quote, out[k].volume) };
        text_comma(t);
        text_put(t, "[");
        text_int(t, out[k].open_us / 1000000);
        text_put(t, ",");
        for (size_t j = 0; j < ARRAY_LEN(px); j++) {
            text_put(t, j == 0 ? "\"" : ",\"");
            text_fixed(t, px[j], p.px_decimals);
            text_put(t, "\"");
        }
        text_put(t, ",\"");
        text_fixed(t, out[k].volume, p.qty_decimals);
        text_put(t, "\",");
        text_int(t, out[k].trades);
        text_put(t, "]");
        last = k + 1 < n ? out[k].open_us / 1000000 : last;
    }
    text_put(t, "]");
    text_key_int(t, "last", last);
    text_put(t, "}");
}

const struct kraken_endpoint kraken_public[] = {
    { "Time", NULL, 0, run_time },        { "SystemStatus", NULL, 0, run_status }, { "Assets", NULL, 0, run_assets },
    { "AssetPairs", NULL, 0, run_pairs }, { "Ticker", NULL, 0, run_ticker },       { "Depth", NULL, 0, run_depth },
    { "Trades", NULL, 0, run_trades },    { "OHLC", NULL, 0, run_ohlc },           { 0 },
};
