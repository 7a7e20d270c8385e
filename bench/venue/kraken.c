/* The Kraken Spot dialect: start and end, and what the server and the engine say going to its part. See kraken.h. */
#include "bench/venue/kraken.h"

#define MAKER_RATE     250000 /* counts of 10^-8: 0.25 % */
#define TAKER_RATE     400000
#define RATE_MAX_MILLI INT64_C(125000) /* tier intermediate */
#define CALLS_MAX      INT64_C(20000)

/* ---- engine events -------------------------------------------------------------------------------------------- */

static void
on_execution(void *ctx, const struct emu_execution *e)
{
    kraken_on_execution((struct kraken *)ctx, e);
}

static void
on_account(void *ctx, const struct emu_account_change *c)
{
    kraken_on_account((struct kraken *)ctx, c);
}

static void
on_trade(void *ctx, const struct emu_public_trade *t)
{
    struct kraken *k = (struct kraken *)ctx;

    tape_on_trade(&k->base.tape[t->symbol], t);
    kraken_market_on_trade(k, t);
}

static void
on_level(void *ctx, const struct emu_level_change *c)
{
    kraken_book_on_level((struct kraken *)ctx, c);
}

static void
on_touch(void *ctx, const struct emu_touch *t)
{
    kraken_market_on_touch((struct kraken *)ctx, t);
}

/* ---- server events -------------------------------------------------------------------------------------------- */

static unsigned
on_ws_open(void *ctx, struct conn *c, const char *path, const struct params *query)
{
    struct kraken *k = (struct kraken *)ctx;
    (void)query;

    if (strcmp(path, "/v2") != 0 && strcmp(path, "/v2/") != 0)
        return 404;
    struct kraken_session *s = (struct kraken_session *)calloc(1, sizeof(*s));
    ASSERT(s != NULL);
    s->venue = k;
    s->conn = c;
    s->opened_mono_ns = s->heard_mono_ns = s->beat_mono_ns = server_mono_ns();
    conn_set_user(c, s);
    kraken_status_send(s);
    return 0;
}

static void
on_ws_closed(void *ctx, struct conn *c)
{
    (void)ctx;
    free(conn_user(c));
    conn_set_user(c, NULL);
}

static void
on_ws_text(void *ctx, struct conn *c, const char *text, size_t len, bool late)
{
    (void)ctx;
    if (conn_user(c) != NULL)
        kraken_ws_on_text((struct kraken_session *)conn_user(c), text, len, late);
}

static void
on_ws_pong(void *ctx, struct conn *c)
{
    struct kraken_session *s = (struct kraken_session *)conn_user(c);
    (void)ctx;
    if (s != NULL)
        s->heard_mono_ns = server_mono_ns();
}

static void
on_ws_drained(void *ctx, struct conn *c)
{
    (void)ctx;
    (void)c;
}

static void
on_http(void *ctx, struct conn *c, const struct http_request *rq)
{
    kraken_on_http((struct kraken *)ctx, c, rq);
}

static void
announce_shutdown(void *state)
{
    struct kraken *k = (struct kraken *)state;
    static const char text[] = "{\"channel\":\"status\",\"type\":\"update\",\"data\":[{\"version\":\"2.0.10\","
                               "\"system\":\"maintenance\",\"api_version\":\"v2\",\"connection_id\":1}]}";

    for (struct conn *c = server_next_ws(k->base.server, NULL); c != NULL; c = server_next_ws(k->base.server, c))
        (void)conn_send_text(c, text, sizeof(text) - 1);
    k->shutdown_mono_ns = server_mono_ns();
}

/* A second after the announcement: the connections that were there end. */
static void
shutdown_close(struct kraken *k)
{
    if (k->shutdown_mono_ns == 0 || server_mono_ns() - k->shutdown_mono_ns < NS_PER_S)
        return;
    for (struct conn *c = server_next_ws(k->base.server, NULL); c != NULL; c = server_next_ws(k->base.server, c)) {
        const struct kraken_session *s = (const struct kraken_session *)conn_user(c);
        if (s != NULL && s->opened_mono_ns < k->shutdown_mono_ns)
            conn_close(c, 1001, "maintenance", true);
    }
    k->shutdown_mono_ns = 0;
}

/* Without a word: this venue announces nothing. Private connections have another life. */
static void
lifetime_close(struct kraken *k)
{
    for (struct conn *c = server_next_ws(k->base.server, NULL); c != NULL; c = server_next_ws(k->base.server, c)) {
        const struct kraken_session *s = (const struct kraken_session *)conn_user(c);
        if (s != NULL && s->account == 0 && server_mono_ns() - s->opened_mono_ns > k->base.lifetime_ns)
            conn_close(c, 1001, "lifetime", true);
    }
}

static void
on_tick(void *ctx)
{
    struct kraken *k = (struct kraken *)ctx;

    shutdown_close(k);
    lifetime_close(k);
    venue_tick(&k->base);
    kraken_trade_tick(k);
    kraken_book_flush(k);
    kraken_market_tick(k);
}

static const struct server_ops kraken_server_ops = {
    .on_http = on_http,
    .on_ws_open = on_ws_open,
    .on_ws_text = on_ws_text,
    .on_ws_pong = on_ws_pong,
    .on_ws_closed = on_ws_closed,
    .on_ws_drained = on_ws_drained,
    .on_tick = on_tick,
};

/* ---- start ---------------------------------------------------------------------------------------------------- */

static void
kraken_close(void *state)
{
    struct kraken *k = (struct kraken *)state;

    kraken_books_free(k->books);
    venue_close(&k->base);
}

static bool
kraken_init(void *state, const struct venue_config *cfg, struct fault *f)
{
    struct kraken *k = (struct kraken *)state;
    struct venue_engine ve = {
        .symbols = kraken_symbol_defs,
        .symbol_count = kraken_symbol_count,
        .maker_rate = MAKER_RATE,
        .taker_rate = TAKER_RATE,
        .fee_in_quote = true,
        .demo_keys = keyring_demo_kraken,
    };
    struct emu_sink sink = {
        .ctx = k,
        .execution = on_execution,
        .account = on_account,
        .trade = on_trade,
        .level = on_level,
        .touch = on_touch,
    };

    if (cfg->replay_count != 0)
        return FAULT(f, "--replay: recordings are Binance's; --dialect kraken has none");
    k->id_state = cfg->seed ^ (uint64_t)server_wall_ns();
    k->rate_max_milli = cfg->orders_10s_max != 0 ? cfg->orders_10s_max * INT64_C(1000) : RATE_MAX_MILLI;
    k->calls_max_milli = cfg->weight_max != 0 ? cfg->weight_max * INT64_C(1000) : CALLS_MAX;
    if (!venue_open(&k->base, cfg, &ve, f))
        return false;
    k->other_ids = (uint64_t)emu_engine_time(k->base.engine);
    k->books = kraken_books_create(k);
    for (int a = 1; a < emu_account_count(k->base.engine); a++)
        for (int i = 0; i < emu_asset_count(k->base.engine); i++) {
            const struct emu_balance *b = &emu_account_get(k->base.engine, (uint32_t)a)->balance[i];
            k->balance_said[a][i] = b->free + b->locked;
        }
    return venue_start_market(&k->base, cfg, &sink, f);
}

const struct dialect kraken_dialect = {
    .name = "kraken",
    .bytes = sizeof(struct kraken),
    .ops = &kraken_server_ops,
    .init = kraken_init,
    .close = kraken_close,
    .announce_shutdown = announce_shutdown,
};
