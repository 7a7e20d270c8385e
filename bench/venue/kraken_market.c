/* Kraken's other public channels: trade, ticker, ohlc, instrument, status; heartbeats. */
#include "bench/venue/kraken.h"

#define TRADES_SNAPSHOT 50
#define HEARTBEAT_NS    NS_PER_S
#define S_US            INT64_C(1000000)
#define CANDLES_MAX     60

/* ---- sending -------------------------------------------------------------------------------------------------- */

/* The same text with another checksum. */
static struct wire *
spoil_checksum(const struct wire *w)
{
    static const char key[] = "\"checksum\":";
    struct wire *bad = wire_make((const char *)w->bytes + LWS_PRE, w->len);
    char *at = (char *)memmem(bad->bytes + LWS_PRE, bad->len, key, sizeof(key) - 1);

    if (at != NULL)
        at[sizeof(key) - 1] = at[sizeof(key) - 1] == '1' ? '2' : '1';
    return bad;
}

void
kraken_send_market(struct kraken_session *s, struct wire *w, const char *kind)
{
    struct fault_hits h = fault_draw(&s->venue->base.faults, FAULT_ON_MARKET, kind);

    if (fault_hit(&h, FAULT_SILENT))
        s->silent = true;
    if (s->silent || fault_hit(&h, FAULT_GAP))
        return;
    if (fault_hit(&h, FAULT_CLOSE_MARKET)) {
        conn_close(s->conn, 0, "", false);
        return;
    }
    struct wire *sent = fault_hit(&h, FAULT_BAD_CHECKSUM) ? spoil_checksum(w) : w;
    if (h.kinds == 0)
        (void)conn_send(s->conn, w);
    else
        conn_send_faulty(s->conn, (const char *)sent->bytes + LWS_PRE, sent->len, &h);
    if (sent != w)
        wire_drop(sent);
}

static void
send_text(struct kraken_session *s, const struct text *t, const char *kind)
{
    struct wire *w = wire_make(t->at, t->len);
    kraken_send_market(s, w, kind);
    wire_drop(w);
}

/* To everybody who subscribed to the channel (and pair), and for whom `wants` says so when given. */
static void
publish(struct kraken *k, enum kraken_channel channel, int symbol, const struct text *t, const char *kind,
        bool (*wants)(const struct kraken_session *s, int symbol))
{
    struct wire *w = NULL;

    for (struct conn *c = server_next_ws(k->base.server, NULL); c != NULL; c = server_next_ws(k->base.server, c)) {
        struct kraken_session *s = (struct kraken_session *)conn_user(c);
        if (s == NULL || (s->on[channel] >> (symbol < 0 ? 0 : symbol) & 1) == 0 || (wants != NULL && !wants(s, symbol)))
            continue;
        if (w == NULL)
            w = wire_make(t->at, t->len);
        kraken_send_market(s, w, kind);
    }
    wire_drop(w);
}

static bool
anybody(struct kraken *k, enum kraken_channel channel, int symbol)
{
    for (struct conn *c = server_next_ws(k->base.server, NULL); c != NULL; c = server_next_ws(k->base.server, c)) {
        const struct kraken_session *s = (const struct kraken_session *)conn_user(c);
        if (s != NULL && (s->on[channel] >> symbol & 1) != 0)
            return true;
    }
    return false;
}

static void
begin(struct text *t, const char *channel, bool snapshot)
{
    text_put(t, "{");
    text_key_word(t, "channel", channel);
    text_key_word(t, "type", snapshot ? "snapshot" : "update");
    text_key(t, "data");
    text_put(t, "[");
}

/* ---- trades --------------------------------------------------------------------------------------------------- */

static void
trade_json(struct text *t, const struct kraken_pair *pair, const struct emu_public_trade *e)
{
    text_comma(t);
    text_put(t, "{");
    text_key_word(t, "symbol", pair->symbol);
    text_key_word(t, "side", e->buyer_is_maker ? "sell" : "buy");
    text_key(t, "price");
    text_fixed(t, e->px, pair->px_decimals);
    text_key(t, "qty");
    text_fixed(t, e->qty, pair->qty_decimals);
    text_key_word(t, "ord_type", "limit");
    text_key_int(t, "trade_id", e->id);
    text_key_time(t, "timestamp", e->time_us);
    text_put(t, "}");
}

/* ---- tickers -------------------------------------------------------------------------------------------------- */

static void
ticker_json(struct text *t, const struct kraken *k, int symbol)
{
    struct kraken_pair pair = kraken_pair_get(k, symbol);
    struct emu_touch touch;
    struct ticker y;

    emu_touch_get(k->base.engine, symbol, &touch);
    tape_ticker(&k->base.tape[symbol], emu_engine_time(k->base.engine), &y);
    const struct {
        const char *key;
        int64_t v;
        unsigned decimals;
    } rows[] = {
        { "bid", touch.bid.px, pair.px_decimals },
        { "bid_qty", touch.bid.qty, pair.qty_decimals },
        { "ask", touch.ask.px, pair.px_decimals },
        { "ask_qty", touch.ask.qty, pair.qty_decimals },
        { "last", y.last, pair.px_decimals },
        { "volume", y.volume, pair.qty_decimals },
        { "vwap", ticker_weighted(&y), pair.px_decimals },
        { "low", y.low, pair.px_decimals },
        { "high", y.high, pair.px_decimals },
        { "change", y.last - y.open, pair.px_decimals },
        { "change_pct", y.open == 0 ? 0 : (int64_t)((wide_t)(y.last - y.open) * 100 * EMU_ONE / y.open), 2 },
    };
    text_put(t, "{");
    text_key_word(t, "symbol", pair.symbol);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        text_key(t, rows[i].key);
        text_fixed(t, rows[i].v, rows[i].decimals);
    }
    text_key_time(t, "timestamp", y.close_us);
    text_put(t, "}");
}

static bool
wants_bbo(const struct kraken_session *s, int symbol)
{
    return s->ticker_bbo[symbol];
}

static bool
wants_trades(const struct kraken_session *s, int symbol)
{
    return !s->ticker_bbo[symbol];
}

static void
publish_ticker(struct kraken *k, int symbol, bool (*wants)(const struct kraken_session *s, int symbol))
{
    struct text t = { 0 };

    if (!anybody(k, KRAKEN_TICKER, symbol))
        return;
    begin(&t, "ticker", false);
    ticker_json(&t, k, symbol);
    text_put(&t, "]}");
    publish(k, KRAKEN_TICKER, symbol, &t, "ticker", wants);
    text_free(&t);
}

void
kraken_market_on_touch(struct kraken *k, const struct emu_touch *e)
{
    publish_ticker(k, e->symbol, wants_bbo);
}

/* ---- candles -------------------------------------------------------------------------------------------------- */

static void
candle_json(struct text *t, const struct kraken_pair *pair, const struct candle *c, int minutes)
{
    const struct {
        const char *key;
        int64_t v;
        unsigned decimals;
    } rows[] = {
        { "open", c->open, pair->px_decimals },
        { "high", c->high, pair->px_decimals },
        { "low", c->low, pair->px_decimals },
        { "close", c->close, pair->px_decimals },
        { "vwap", kraken_quotient(c->quote, c->volume), pair->px_decimals },
        { "volume", c->volume, pair->qty_decimals },
    };
    text_comma(t);
    text_put(t, "{");
    text_key_word(t, "symbol", pair->symbol);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        text_key(t, rows[i].key);
        text_fixed(t, rows[i].v, rows[i].decimals);
    }
    text_key_int(t, "trades", c->trades);
    text_key_time(t, "interval_begin", c->open_us);
    text_key_int(t, "interval", minutes);
    text_key_time(t, "timestamp", c->open_us + minutes * MINUTE_US);
    text_put(t, "}");
}

static void
send_candles(struct kraken_session *s, int symbol, bool snapshot)
{
    struct candle out[CANDLES_MAX];
    struct kraken_pair pair = kraken_pair_get(s->venue, symbol);
    int minutes = s->ohlc_minutes[symbol];
    struct text t = { 0 };
    int n =
        tape_candles(&s->venue->base.tape[symbol], minutes * MINUTE_US, 0, INT64_MAX, snapshot ? CANDLES_MAX : 1, out);

    if (n == 0 && !snapshot)
        return;
    begin(&t, "ohlc", snapshot);
    for (int i = 0; i < n; i++)
        candle_json(&t, &pair, &out[i], minutes);
    text_put(&t, "]");
    text_key_time(&t, "timestamp", emu_engine_time(s->venue->base.engine));
    text_put(&t, "}");
    send_text(s, &t, "ohlc");
    text_free(&t);
}

void
kraken_market_on_trade(struct kraken *k, const struct emu_public_trade *e)
{
    if (anybody(k, KRAKEN_TRADE, e->symbol)) {
        struct kraken_pair pair = kraken_pair_get(k, e->symbol);
        struct text t = { 0 };
        begin(&t, "trade", false);
        trade_json(&t, &pair, e);
        text_put(&t, "]}");
        publish(k, KRAKEN_TRADE, e->symbol, &t, "trade", NULL);
        text_free(&t);
    }
    publish_ticker(k, e->symbol, wants_trades);
}

void
kraken_market_snapshot(struct kraken_session *s, enum kraken_channel channel, int symbol)
{
    struct emu_public_trade trades[TRADES_SNAPSHOT];
    struct kraken_pair pair = kraken_pair_get(s->venue, symbol);
    struct text t = { 0 };

    if (channel == KRAKEN_OHLC) {
        send_candles(s, symbol, true);
        return;
    }
    begin(&t, channel == KRAKEN_TRADE ? "trade" : "ticker", true);
    if (channel == KRAKEN_TRADE) {
        int n = emu_trades_public(s->venue->base.engine, symbol, trades, TRADES_SNAPSHOT);
        for (int i = 0; i < n; i++)
            trade_json(&t, &pair, &trades[i]);
    } else {
        ticker_json(&t, s->venue, symbol);
    }
    text_put(&t, "]}");
    send_text(s, &t, channel == KRAKEN_TRADE ? "trade" : "ticker");
    text_free(&t);
}

/* ---- instruments ---------------------------------------------------------------------------------------------- */

/* Small ones with an exponent, as this channel alone has them: 1e-08, 5e-05. */
static void
increment(struct text *t, const char *key, int64_t v)
{
    char buf[40];
    int zeros = 0;
    int64_t digits = v;

    text_key(t, key);
    if (v == 0 || v >= 10000) {
        text_short(t, v);
        return;
    }
    for (; digits % 10 == 0; digits /= 10)
        zeros++;
    int more = digits >= 1000 ? 3 : digits >= 100 ? 2 : digits >= 10 ? 1 : 0;
    int n = more == 0 ? snprintf(buf, sizeof(buf), "%lld", (long long)digits)
                      : snprintf(buf, sizeof(buf), "%lld.%0*lld", (long long)(digits / pow10_i64[more]), more,
                                 (long long)(digits % pow10_i64[more]));
    (void)snprintf(buf + n, sizeof(buf) - (size_t)n, "e-%02d", (int)VALUE_DECIMALS - zeros - more);
    text_put(t, buf);
}

const char *
kraken_pair_status(const struct kraken *k, int symbol)
{
    if (k->pair_status[symbol] != NULL)
        return k->pair_status[symbol];
    switch (emu_symbol_status_get(k->base.engine, symbol)) {
    case EMU_TRADING: return "online";
    case EMU_CANCEL_ONLY: return "cancel_only";
    default: return "maintenance";
    }
}

static void
pair_json(struct text *t, const struct kraken *k, int symbol)
{
    const struct emu_symbol_def *def = emu_symbol_get(k->base.engine, symbol);
    struct kraken_pair pair = kraken_pair_get(k, symbol);

    text_comma(t);
    text_put(t, "{");
    text_key_word(t, "symbol", pair.symbol);
    text_key_word(t, "base", def->base);
    text_key_word(t, "quote", def->quote);
    text_key_word(t, "status", kraken_pair_status(k, symbol));
    text_key_int(t, "qty_precision", pair.qty_decimals);
    increment(t, "qty_increment", def->filters.lot_step);
    text_key_int(t, "price_precision", pair.px_decimals);
    text_key_int(t, "cost_precision", pair.cost_decimals);
    text_key_bool(t, "marginable", false);
    text_key_bool(t, "has_index", true);
    increment(t, "cost_min", def->filters.notional_min);
    increment(t, "tick_size", def->filters.px_tick);
    increment(t, "price_increment", def->filters.px_tick);
    increment(t, "qty_min", def->filters.lot_min);
    text_put(t, "}");
}

static void
instrument_json(struct text *t, const struct kraken *k, bool snapshot, int symbol)
{
    text_put(t, "{");
    text_key_word(t, "channel", "instrument");
    text_key_word(t, "type", snapshot ? "snapshot" : "update");
    text_key(t, "data");
    text_put(t, "{\"assets\":[");
    for (int i = 0; snapshot && i < emu_asset_count(k->base.engine); i++) {
        const char *name = emu_asset_name(k->base.engine, i);
        bool money = strcmp(name, "USD") == 0 || strcmp(name, "EUR") == 0;
        text_comma(t);
        text_put(t, "{");
        text_key_word(t, "id", name);
        text_key_word(t, "status", "enabled");
        text_key_int(t, "precision", money ? 4 : 10);
        text_key_int(t, "precision_display", money ? 2 : 5);
        text_key_bool(t, "borrowable", false);
        text_key_short(t, "collateral_value", 0);
        text_key_short(t, "margin_rate", 0);
        text_put(t, "}");
    }
    text_put(t, "],\"pairs\":[");
    for (int i = 0; i < emu_symbol_count(k->base.engine); i++)
        if (snapshot || i == symbol)
            pair_json(t, k, i);
    text_put(t, "]}}");
}

void
kraken_instrument_snapshot(struct kraken_session *s)
{
    struct text t = { 0 };
    instrument_json(&t, s->venue, true, -1);
    send_text(s, &t, "instrument");
    text_free(&t);
}

void
kraken_instrument_update(struct kraken *k, int symbol)
{
    struct text t = { 0 };
    instrument_json(&t, k, false, symbol);
    publish(k, KRAKEN_INSTRUMENT, -1, &t, "instrument", NULL);
    text_free(&t);
}

/* ---- status and heartbeats ------------------------------------------------------------------------------------ */

void
kraken_status_send(struct kraken_session *s)
{
    struct text t = { 0 };
    /* Above 2^53, as the venue's are: a client that reads it as a double gets another one. */
    uint64_t id = UINT64_C(0x8000000000000000) | (uint64_t)s->venue->base.opened_us << 8 | (conn_id(s->conn) & 0xff);

    begin(&t, "status", false);
    text_put(&t, "{");
    text_key_word(&t, "version", "2.0.10");
    text_key_word(&t, "system", "online");
    text_key_word(&t, "api_version", "v2");
    text_key(&t, "connection_id");
    char digits[24];
    (void)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)id);
    text_put(&t, digits);
    text_put(&t, "}]}");
    (void)conn_send_text(s->conn, t.at, t.len);
    text_free(&t);
}

static bool
subscribed(const struct kraken_session *s)
{
    for (size_t i = 0; i < KRAKEN_CHANNEL_COUNT; i++)
        if (s->on[i] != 0)
            return true;
    return false;
}

void
kraken_market_tick(struct kraken *k)
{
    static const char beat[] = "{\"channel\":\"heartbeat\"}";
    int64_t now_ns = server_mono_ns();
    int64_t now_us = emu_engine_time(k->base.engine);
    bool second = now_us >= k->ohlc_due_us;

    if (second)
        k->ohlc_due_us = now_us / S_US * S_US + S_US;
    for (struct conn *c = server_next_ws(k->base.server, NULL); c != NULL; c = server_next_ws(k->base.server, c)) {
        struct kraken_session *s = (struct kraken_session *)conn_user(c);
        if (s == NULL)
            continue;
        for (int i = 0; second && s->on[KRAKEN_OHLC] != 0 && i < emu_symbol_count(k->base.engine); i++)
            if ((s->on[KRAKEN_OHLC] >> i & 1) != 0)
                send_candles(s, i, false);
        if (subscribed(s)) {
            s->heard_mono_ns = now_ns;
            if (now_ns - s->beat_mono_ns < HEARTBEAT_NS)
                continue;
            s->beat_mono_ns = now_ns;
            (void)conn_send_text(c, beat, sizeof(beat) - 1);
        } else if (now_ns - s->heard_mono_ns > 60 * NS_PER_S) {
            conn_close(c, 1000, "idle", true);
        }
    }
}
