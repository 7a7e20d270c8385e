/* The Binance Spot dialect: start and end, clock, and what the server hears going to its part. */
#include "bench/venue/binance.h"

#define RAW_LIMIT       300000
#define FIVE_MINUTES_US INT64_C(300000000)

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
    struct binance *v = (struct binance *)ctx;

    tape_on_trade(&v->base.tape[t->symbol], t);
    streams_on_trade(v->streams, t);
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
on_ws_text(void *ctx, struct conn *c, const char *text, size_t len, bool late)
{
    struct binance *v = (struct binance *)ctx;
    struct session *ss = (struct session *)conn_user(c);

    if (ss == NULL || over_limit(ss))
        return;
    if (ss->kind == SESSION_API)
        api_on_text(ss, text, len, late);
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
session_announce_end(struct session *ss)
{
    struct text t = { 0 };

    text_put(&t, ss->kind == SESSION_API ? "{\"event\":"
                 : ss->combined          ? "{\"stream\":\"!serverShutdown\",\"data\":"
                                         : "");
    text_put(&t, "{");
    text_key_word(&t, "e", "serverShutdown");
    text_key_int(&t, "E", stamp(venue_now_us(&ss->venue->base), ss->micro));
    text_put(&t, ss->kind == SESSION_API || ss->combined ? "}}" : "}");
    (void)conn_send_text(ss->conn, t.at, t.len);
    text_free(&t);
    ss->end_told = true;
}

static void
announce_shutdown(void *state)
{
    struct binance *v = (struct binance *)state;

    for (struct conn *c = server_next_ws(v->base.server, NULL); c != NULL; c = server_next_ws(v->base.server, c))
        session_announce_end((struct session *)conn_user(c));
    v->shutdown_mono_ns = server_mono_ns();
}

/* After an announcement: the connections that were there end. */
static void
shutdown_close(struct binance *v)
{
    if (v->shutdown_mono_ns == 0 || server_mono_ns() - v->shutdown_mono_ns < NS_PER_S)
        return;
    for (struct conn *c = server_next_ws(v->base.server, NULL); c != NULL; c = server_next_ws(v->base.server, c))
        if (((struct session *)conn_user(c))->opened_mono_ns < v->shutdown_mono_ns)
            conn_close(c, 1001, "server shutdown", true);
    v->shutdown_mono_ns = 0;
}

static void
on_tick(void *ctx)
{
    struct binance *v = (struct binance *)ctx;

    shutdown_close(v);
    venue_tick(&v->base);
    streams_on_tick(v->streams);
}

static const struct server_ops binance_server_ops = {
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
binance_close(void *state)
{
    struct binance *v = (struct binance *)state;

    if (v->streams != NULL)
        streams_free(v->streams);
    for (size_t i = 0; i < ARRAY_LEN(v->first_depth); i++)
        text_free(&v->first_depth[i]);
    venue_close(&v->base);
}

static bool
binance_init(void *state, const struct venue_config *cfg, struct fault *f)
{
    struct binance *v = (struct binance *)state;
    struct venue_engine ve = { .symbols = emu_symbol_defs,
                               .symbol_count = emu_symbol_def_count,
                               .demo_keys = keyring_demo_binance };
    struct emu_sink sink = {
        .ctx = v,
        .execution = on_execution,
        .account = on_account,
        .trade = on_trade,
        .level = on_level,
        .touch = on_touch,
    };

    v->id_state = cfg->seed;
    v->orders_10s_max = cfg->orders_10s_max != 0 ? cfg->orders_10s_max : ORDERS_10S_LIMIT;
    v->weight_max = cfg->weight_max != 0 ? cfg->weight_max : WEIGHT_LIMIT;
    emu_limit_init(&v->weight, MINUTE_US, v->weight_max);
    emu_limit_init(&v->raw, FIVE_MINUTES_US, RAW_LIMIT);
    for (size_t i = 0; i < EMU_ACCOUNTS_MAX; i++)
        emu_order_limits_init(&v->orders[i], v->orders_10s_max, MAX(ORDERS_DAY_LIMIT, v->orders_10s_max));
    if (!venue_open(&v->base, cfg, &ve, f))
        return false;
    v->streams = streams_create(v);
    return venue_start_market(&v->base, cfg, &sink, f);
}

const struct dialect binance_dialect = {
    .name = "binance",
    .bytes = sizeof(struct binance),
    .ops = &binance_server_ops,
    .init = binance_init,
    .close = binance_close,
    .announce_shutdown = announce_shutdown,
};
