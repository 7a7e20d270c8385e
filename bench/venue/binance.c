/* The Binance Spot dialect: start and end, clock, and what the server hears going to its part. */
#include "bench/venue/binance.h"

#define DEPOSIT_UNITS_BASE INT64_C(100)
#define RAW_LIMIT          300000
#define FIVE_MINUTES_US    INT64_C(300000000)
#define MINUTE_US          INT64_C(60000000)

int64_t
binance_now_us(struct binance *v)
{
    emu_engine_set_time(v->engine, server_wall_ns() / 1000);
    return emu_engine_time(v->engine);
}

/* ---- engine events -------------------------------------------------------------------------------------------- */

static void
on_execution(void *ctx, const struct emu_execution *e)
{
    user_on_execution((struct binance *)ctx, e);
}

static void
on_account(void *ctx, const struct emu_account_change *c)
{
    user_on_account((struct binance *)ctx, c);
}

static void
on_trade(void *ctx, const struct emu_public_trade *t)
{
    streams_on_trade(((struct binance *)ctx)->streams, t);
}

static void
on_level(void *ctx, const struct emu_level_change *c)
{
    streams_on_level(((struct binance *)ctx)->streams, c);
}

static void
on_touch(void *ctx, const struct emu_touch *t)
{
    streams_on_touch(((struct binance *)ctx)->streams, t);
}

/* ---- server events -------------------------------------------------------------------------------------------- */

static bool
truthy(const char *s, bool otherwise)
{
    return s == NULL ? otherwise : strcasecmp(s, "true") == 0;
}

/* Subscribe to each of a/b/c. An unknown one is left out, as on the venue. */
static void
subscribe_path(struct binance *v, struct session *ss, const char *names)
{
    char name[STREAM_NAME_BYTES + LISTEN_KEY_BYTES];

    while (*names != '\0') {
        size_t n = strcspn(names, "/");
        if (n != 0 && n < sizeof(name)) {
            memcpy(name, names, n);
            name[n] = '\0';
            (void)streams_subscribe(v->streams, ss, name);
        }
        names += n + (names[n] == '/');
    }
}

static unsigned
on_ws_open(void *ctx, struct conn *c, const char *path, const struct params *query)
{
    struct binance *v = (struct binance *)ctx;
    const char *unit = params_find(query, "timeUnit");
    const char *streams = NULL;
    bool api = strcmp(path, "/ws-api/v3") == 0 || strcmp(path, "/ws-api/v3/") == 0;
    bool combined = strcmp(path, "/stream") == 0 || strcmp(path, "/stream/") == 0;

    if (!api && !combined && strcmp(path, "/ws") != 0 && strncmp(path, "/ws/", 4) != 0)
        return 404;
    if (unit != NULL && strcasecmp(unit, "MICROSECOND") != 0 && strcasecmp(unit, "MILLISECOND") != 0)
        return 400;
    if (combined)
        streams = params_find(query, "streams");
    else if (!api && strlen(path) > 4)
        streams = path + 4;
    struct session *ss = (struct session *)calloc(1, sizeof(*ss));
    ASSERT(ss != NULL);
    ss->venue = v;
    ss->conn = c;
    ss->kind = api ? SESSION_API : SESSION_STREAMS;
    ss->combined = combined;
    ss->micro = unit != NULL && strcasecmp(unit, "MICROSECOND") == 0;
    ss->show_limits = truthy(params_find(query, "returnRateLimits"), true);
    ss->opened_mono_ns = server_mono_ns();
    ss->ping_mono_ns = ss->opened_mono_ns;
    ss->pong_mono_ns = ss->opened_mono_ns;
    conn_set_user(c, ss);
    if (streams != NULL)
        subscribe_path(v, ss, streams);
    return 0;
}

static void
on_ws_closed(void *ctx, struct conn *c)
{
    struct binance *v = (struct binance *)ctx;
    struct session *ss = (struct session *)conn_user(c);

    if (ss == NULL)
        return;
    streams_unsubscribe_all(v->streams, ss);
    free(ss);
    conn_set_user(c, NULL);
}

/* Stream sockets take 5 messages a second, pongs included. */
static bool
too_many_messages(struct session *ss)
{
    int64_t now_ns = server_mono_ns();

    if (now_ns - ss->rx_window_mono_ns >= NS_PER_S) {
        ss->rx_window_mono_ns = now_ns;
        ss->rx_count = 0;
    }
    return ++ss->rx_count > 5;
}

static bool
over_limit(struct session *ss)
{
    if (ss->kind != SESSION_STREAMS || !too_many_messages(ss))
        return false;
    conn_close(ss->conn, 1008, "Too many requests", false);
    return true;
}

static void
on_ws_text(void *ctx, struct conn *c, const char *text, size_t len)
{
    struct binance *v = (struct binance *)ctx;
    struct session *ss = (struct session *)conn_user(c);

    if (ss == NULL || over_limit(ss))
        return;
    if (ss->kind == SESSION_API)
        api_on_text(ss, text, len);
    else
        streams_on_text(v->streams, ss, text, len);
}

static void
on_ws_pong(void *ctx, struct conn *c)
{
    struct session *ss = (struct session *)conn_user(c);
    (void)ctx;
    if (ss == NULL || over_limit(ss))
        return;
    ss->pong_mono_ns = server_mono_ns();
}

static void
on_ws_drained(void *ctx, struct conn *c)
{
    struct binance *v = (struct binance *)ctx;
    if (conn_user(c) != NULL)
        streams_on_drained(v->streams, (struct session *)conn_user(c));
}

static void
on_http(void *ctx, struct conn *c, const struct http_request *rq)
{
    rest_on_request((struct binance *)ctx, c, rq);
}

void
binance_announce_shutdown(struct binance *v)
{
    for (struct conn *c = server_next_ws(v->server, NULL); c != NULL; c = server_next_ws(v->server, c)) {
        struct session *ss = (struct session *)conn_user(c);
        struct text t = { 0 };
        text_put(&t, ss->kind == SESSION_API ? "{\"event\":"
                     : ss->combined          ? "{\"stream\":\"!serverShutdown\",\"data\":"
                                             : "");
        text_put(&t, "{");
        text_key_word(&t, "e", "serverShutdown");
        text_key_int(&t, "E", stamp(binance_now_us(v), ss->micro));
        text_put(&t, ss->kind == SESSION_API || ss->combined ? "}}" : "}");
        (void)conn_send_text(c, t.at, t.len);
        text_free(&t);
    }
    v->shutdown_mono_ns = server_mono_ns();
}

/* After an announcement: the connections that were there end. */
static void
shutdown_close(struct binance *v)
{
    if (v->shutdown_mono_ns == 0 || server_mono_ns() - v->shutdown_mono_ns < NS_PER_S)
        return;
    for (struct conn *c = server_next_ws(v->server, NULL); c != NULL; c = server_next_ws(v->server, c))
        if (((struct session *)conn_user(c))->opened_mono_ns < v->shutdown_mono_ns)
            conn_close(c, 1001, "server shutdown", true);
    v->shutdown_mono_ns = 0;
}

static void
on_tick(void *ctx)
{
    struct binance *v = (struct binance *)ctx;

    shutdown_close(v);
    (void)emu_market_step(v->market, server_wall_ns() / 1000);
    (void)binance_now_us(v);
    streams_on_tick(v->streams);
    if (v->ledger != NULL && !emu_ledger_ok(v->ledger)) {
        (void)fprintf(stderr, "execgw-venue: the ledger cannot be written; stopping\n");
        server_stop(v->server);
    }
}

const struct server_ops binance_server_ops = {
    .on_http = on_http,
    .on_ws_open = on_ws_open,
    .on_ws_text = on_ws_text,
    .on_ws_pong = on_ws_pong,
    .on_ws_closed = on_ws_closed,
    .on_ws_drained = on_ws_drained,
    .on_tick = on_tick,
};

/* ---- start ---------------------------------------------------------------------------------------------------- */

/* Splits a recorded symbol into base and quote by the quote assets there are. */
static size_t
quote_length(const char *symbol)
{
    static const char *const quotes[] = { "USDT", "USDC", "FDUSD", "TUSD", "BUSD", "BTC", "ETH",
                                          "BNB",  "EUR",  "TRY",   "BRL",  "USD",  "JPY", "GBP" };
    size_t n = strlen(symbol);

    for (size_t i = 0; i < ARRAY_LEN(quotes); i++) {
        size_t q = strlen(quotes[i]);
        if (n > q && strcmp(symbol + n - q, quotes[i]) == 0)
            return q;
    }
    return n > 3 ? 3 : 0;
}

/* A definition for a symbol that we do not know but a recording does: our first one's filters, with the recording's
 * decimals. */
static void
define_recorded(struct binance *v, struct emu_symbol_def *d, const struct replay_symbol *r, char *text)
{
    (void)v;
    size_t n = strlen(r->name);
    size_t q = quote_length(r->name);

    *d = emu_symbol_defs[0];
    d->name = text;
    (void)snprintf(text, EMU_NAME_MAX, "%.15s", r->name);
    d->base = text + EMU_NAME_MAX;
    (void)snprintf(text + EMU_NAME_MAX, EMU_NAME_MAX, "%.*s", (int)MIN(n - q, (size_t)EMU_NAME_MAX - 1), r->name);
    d->quote = text + 2 * (size_t)EMU_NAME_MAX;
    (void)snprintf(text + 2 * (size_t)EMU_NAME_MAX, EMU_NAME_MAX, "%.15s", r->name + n - q);
    d->filters.px_tick = pow10_i64[VALUE_DECIMALS - r->px_decimals];
    d->filters.px_min = d->filters.px_tick;
    d->filters.lot_step = pow10_i64[VALUE_DECIMALS - r->qty_decimals];
    d->filters.lot_min = d->filters.lot_step;
}

/* Our symbols, and the recorded ones at the price they were recorded at. */
static size_t
define_symbols(struct binance *v)
{
    size_t count = emu_symbol_def_count;

    v->symbol_defs = (struct emu_symbol_def *)calloc(EMU_SYMBOLS_MAX, sizeof(*v->symbol_defs));
    v->symbol_text = (char *)calloc(EMU_SYMBOLS_MAX, 3 * (size_t)EMU_NAME_MAX);
    ASSERT(v->symbol_defs != NULL && v->symbol_text != NULL);
    memcpy(v->symbol_defs, emu_symbol_defs, count * sizeof(*v->symbol_defs));
    for (size_t i = 0; i < v->replay.symbol_count; i++) {
        const struct replay_symbol *r = &v->replay.symbol[i];
        struct emu_symbol_def *d = NULL;
        for (size_t k = 0; k < count && d == NULL; k++)
            if (strcmp(v->symbol_defs[k].name, r->name) == 0)
                d = &v->symbol_defs[k];
        if (d == NULL && count < EMU_SYMBOLS_MAX && strlen(r->name) < EMU_NAME_MAX) {
            d = &v->symbol_defs[count];
            define_recorded(v, d, r, v->symbol_text + count * 3 * (size_t)EMU_NAME_MAX);
            count++;
        }
        if (d != NULL && r->last_px != 0)
            d->start_px = r->last_px / d->filters.px_tick * d->filters.px_tick;
    }
    return count;
}

/* Open the accounts of the keys, each with money on its first day. */
static bool
open_accounts(struct binance *v, struct fault *f)
{
    for (size_t i = 0; i < v->keys.count; i++) {
        const char *name = v->keys.at[i].account;
        bool is_new = emu_account_find(v->engine, name) < 0;
        int a = emu_account_open(v->engine, name);
        if (a < 0)
            return FAULT(f, "--keys: more than %d accounts", EMU_ACCOUNTS_MAX - 1);
        for (int k = 0; is_new && k < emu_asset_count(v->engine); k++) {
            bool dollar = strncmp(emu_asset_name(v->engine, k), "USD", 3) == 0;
            (void)emu_account_deposit(v->engine, (uint32_t)a, k, (dollar ? 100000 : 1) * DEPOSIT_UNITS_BASE * EMU_ONE);
        }
    }
    for (size_t i = 0; i < EMU_ACCOUNTS_MAX; i++)
        emu_order_limits_init(&v->orders[i], v->orders_10s_max, MAX(ORDERS_DAY_LIMIT, v->orders_10s_max));
    return true;
}

static bool
open_ledger(struct binance *v, const struct binance_config *cfg, struct fault *f)
{
    struct emu_ledger_load load;
    char why[160];

    if (cfg->ledger_path == NULL)
        return true;
    v->ledger = emu_ledger_open(cfg->ledger_path, v->engine, cfg->ledger_fsync, &load, why, sizeof(why));
    if (v->ledger == NULL)
        return FAULT(f, "--ledger %.80s: %s", cfg->ledger_path, why);
    if (load.record_count != 0)
        (void)fprintf(stderr, "execgw-venue: ledger: %llu records read back, %llu torn bytes cut\n",
                      (unsigned long long)load.record_count, (unsigned long long)load.cut_bytes);
    return true;
}

bool
binance_init(struct binance *v, const struct binance_config *cfg, struct fault *f)
{
    struct emu_engine_config ec = { 0 };

    *v = (struct binance){ .replay_full_speed = cfg->replay_full_speed, .id_state = cfg->seed };
    v->orders_10s_max = cfg->orders_10s_max != 0 ? cfg->orders_10s_max : ORDERS_10S_LIMIT;
    v->weight_max = cfg->weight_max != 0 ? cfg->weight_max : WEIGHT_LIMIT;
    fault_seed(&v->faults, cfg->seed);
    for (size_t i = 0; i < cfg->fault_count; i++)
        if (!fault_add(&v->faults, cfg->fault_specs[i], f))
            return false;
    if (!(cfg->keys_path != NULL ? keyring_load(&v->keys, cfg->keys_path, f) : keyring_demo(&v->keys, f)))
        return false;
    v->has_replay = cfg->replay_count != 0;
    if (v->has_replay) {
        if (!replay_open(&v->replay, cfg->replay_paths, cfg->replay_count, f))
            return false;
        ec.symbol_count = define_symbols(v);
        ec.symbols = v->symbol_defs;
    }
    v->engine = emu_engine_create(&ec);
    if (v->engine == NULL)
        return FAULT(f, "not enough memory for the engine");
    (void)binance_now_us(v);
    emu_limit_init(&v->weight, MINUTE_US, v->weight_max);
    emu_limit_init(&v->raw, FIVE_MINUTES_US, RAW_LIMIT);
    if (!open_ledger(v, cfg, f) || !open_accounts(v, f))
        return false;
    v->streams = streams_create(v);
    struct emu_sink sink = {
        .ctx = v,
        .execution = on_execution,
        .account = on_account,
        .trade = on_trade,
        .level = on_level,
        .touch = on_touch,
    };
    struct emu_market_config mc = { .seed = cfg->seed, .rate_milli = cfg->rate_milli };
    v->market = emu_market_create(v->engine, &mc);
    emu_engine_set_sink(v->engine, &sink);
    return v->market != NULL || FAULT(f, "not enough memory for the market");
}

void
binance_close(struct binance *v)
{
    if (v->market != NULL)
        emu_market_destroy(v->market);
    if (v->ledger != NULL)
        emu_ledger_close(v->ledger);
    if (v->streams != NULL)
        streams_free(v->streams);
    if (v->engine != NULL)
        emu_engine_destroy(v->engine);
    replay_close(&v->replay);
    keyring_free(&v->keys);
    free(v->symbol_defs);
    free(v->symbol_text);
}
