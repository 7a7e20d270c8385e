#include "engine/dialect.h"
#include "engine/venue/sign.h"

/* Its secret stands in base64. */
static bool
kraken_secret_check(const uint8_t *secret, size_t n, struct fault *fault)
{
    struct hmac512_key key;

    if (!hmac512_key_init(&key, secret, n, fault))
        return false;
    hmac512_key_clear(&key);
    return true;
}

const struct dialect dialects[DIALECT_COUNT] = {
    [DIALECT_BINANCE] = {
        .feed = &feed_binance,
        .refdata = &refdata_binance,
        .ops = &venue_binance,
        .key_types = 1u << KEY_TYPE_HMAC | 1u << KEY_TYPE_ED25519,
        .recv_window_min_ms = 1,
        .connects_max = 300, /* web-socket-streams.md, "Websocket Limits" */
        .connects_window_s = 300,
    },
    [DIALECT_KRAKEN] = {
        .feed = &feed_kraken,
        .refdata = &refdata_kraken,
        .refdata_at_market = true,
        .ops = &venue_kraken,
        .secret_check = kraken_secret_check,
        .key_types = 1u << KEY_TYPE_HMAC,
        .recv_window_min_ms = 500,
        .connects_max = 150, /* about so many, then a ban: support article on WebSocket limits */
        .connects_window_s = 600,
    },
};

/* As many groups as the symbols need; each connection has a second one to move to. */
static void
spread(const struct config_venue *v, struct feed_config *f)
{
    uint32_t streams = MIN((uint32_t)v->streams_per_connection, f->dialect->streams_max);
    uint32_t symbols = streams / (uint32_t)__builtin_popcount(f->streams);

    f->streams_max = streams;
    f->groups = MAX((v->symbols + symbols - 1) / symbols, 1u);
    f->copies = (uint32_t)v->market_copies;
    f->spare = true;
    f->gap_wait_ns = v->gap_wait_ms * NS_PER_MS;
}

struct feed_config
dialect_feed_config(const struct config *c, const struct config_venue *v)
{
    const struct feed_dialect *d = dialects[v->dialect].feed;

    struct feed_config f;
    if (d->checked) {
        f = feed_config_checked(d, (uint32_t)c->memory.instruments_max, (uint32_t)v->depth);
        spread(v, &f);
        return f;
    }
    f = feed_config_default((uint32_t)c->memory.instruments_max);
    f.dialect = d;
    spread(v, &f);
    f.levels_max = (uint32_t)MAX(v->depth_max, v->snapshot_depth);
    f.snapshot_limit = (uint32_t)v->snapshot_depth;
    return f;
}
