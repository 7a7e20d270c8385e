/* The dialects that the configuration may name: for each, who decodes its market data, who knows its instruments, who
 * speaks its order entry. Adding a venue ends here, in one row.
 *
 * Always true: rows stand in the order of enum config_dialect. */
#ifndef EXECGW_ENGINE_DIALECT_H
#define EXECGW_ENGINE_DIALECT_H

#include "engine/config.h"
#include "engine/refdata_dialect.h"
#include "engine/venue/venue.h"
#include "feed/feed.h"

struct dialect {
    const struct feed_dialect *feed;
    const struct refdata_dialect *refdata;
    bool refdata_at_market;      /* instruments come from market_url, else from api_url */
    const struct venue_ops *ops; /* live order entry */
    unsigned key_types;          /* bit per enum config_key_type that signs for it */
    int64_t recv_window_min_ms;
    uint32_t connects_max; /* connections that it takes from one address within connects_window_s */
    uint32_t connects_window_s;
    /* Whether a shared secret can sign, before anything starts; NULL: any bytes can. */
    bool (*secret_check)(const uint8_t *secret, size_t n, struct fault *fault);
};

extern const struct dialect dialects[DIALECT_COUNT];

/* Subscriptions and books of one configured venue. */
struct feed_config dialect_feed_config(const struct config *c, const struct config_venue *v);

#endif
