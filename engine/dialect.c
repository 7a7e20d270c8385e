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
    },
    [DIALECT_KRAKEN] = {
        .feed = &feed_kraken,
        .refdata = &refdata_kraken,
        .refdata_at_market = true,
        .ops = &venue_kraken,
        .secret_check = kraken_secret_check,
        .key_types = 1u << KEY_TYPE_HMAC,
        .recv_window_min_ms = 500,
    },
};

struct feed_config
dialect_feed_config(const struct config *c, const struct config_venue *v)
{
    const struct feed_dialect *d = dialects[v->dialect].feed;

    if (d->checked)
        return feed_config_checked(d, (uint32_t)c->memory.instruments_max, (uint32_t)v->depth);
    struct feed_config f = feed_config_default((uint32_t)c->memory.instruments_max);
    f.dialect = d;
    f.levels_max = (uint32_t)MAX(v->depth_max, v->snapshot_depth);
    f.snapshot_limit = (uint32_t)v->snapshot_depth;
    return f;
}
