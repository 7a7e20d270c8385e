/* The checks of a loaded configuration that need more than one value. See config_load.h.
 *
 * Always true: nothing is changed here; each fault is kept at the value that would have to change. */
#include "engine/config_load.h"
#include "engine/dialect.h"

#include <arpa/inet.h>
#include <unistd.h>

/* Error at the value of a key: `path.key: ...`. */
#define ERROR_KEY(l, id, entry, key, ...)                                                            \
    do {                                                                                             \
        char error_path_[CONFIG_KEY_PATH_BYTES + 64];                                                \
        config_key_path(&(l)->place[id][entry], key, error_path_, sizeof(error_path_));              \
        config_error_at((l), config_source_of((l), (id), (entry), (key)), error_path_, __VA_ARGS__); \
    } while (0)

static void
check_required(struct config_loader *l)
{
    for (enum config_section_id id = 0; id < SECTION_COUNT; id++) {
        for (uint32_t e = 0; e < config_entries(l->c, id); e++) {
            const struct config_place *in = &l->place[id][e];
            if (config_sections[id].stride != 0 && in->header.kind == SOURCE_DEFAULT)
                continue; /* the account that is there when none is configured: id 0 */
            for (size_t i = 0; i < config_sections[id].key_count; i++) {
                const struct config_key *k = &config_sections[id].keys[i];
                char expected[160];
                if (k->def == NULL && in->source[i].kind == SOURCE_DEFAULT)
                    ERROR_KEY(l, id, e, k->name, "is not set, expected %s",
                              config_key_expected(k, expected, sizeof(expected)));
            }
        }
    }
}

static bool
host_loopback(const char *host)
{
    struct in_addr v4;

    if (strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0)
        return true;
    return inet_pton(AF_INET, host, &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
}

static void
check_url(struct config_loader *l, uint32_t e, const char *key, const char *text, bool http)
{
    struct config_url url;

    if (*text == '\0' || !(http ? config_http_url_parse(text, &url) : config_url_parse(text, &url)))
        return; /* reported already */
    if (!url.tls && !host_loopback(url.host))
        ERROR_KEY(l, SECTION_VENUE, e, key, "would go to \"%.80s\" in clear text, expected %s://", url.host,
                  http ? "https" : "wss");
    if (l->c->live && !host_loopback(url.host))
        ERROR_KEY(
            l, SECTION_VENUE, e, key,
            "host \"%.80s\" is not this machine, expected a loopback address: live trading beyond loopback is not "
            "enabled in this version",
            url.host);
}

static void
check_key_file(struct config_loader *l, uint32_t e, const char *key, const char *path, bool needed)
{
    struct fault fault;

    if (*path == '\0') {
        if (needed)
            ERROR_KEY(l, SECTION_VENUE, e, key, "is not set, expected a key: mode is live");
        return;
    }
    /* In paper mode a key that is not there yet is no error; one that others may read is. */
    if (!needed && strncmp(path, KEY_FILE_CREDENTIAL, sizeof(KEY_FILE_CREDENTIAL) - 1) == 0)
        return;
    if (!needed && access(path, F_OK) != 0)
        return;
    if (!key_file_check(path, &fault))
        ERROR_KEY(l, SECTION_VENUE, e, key, "%s", fault.text);
}

static void
check_limits(struct config_loader *l, enum config_section_id id, uint32_t e, const struct config_limits *lim)
{
    if (*lim->order_qty_min != '\0' && *lim->order_qty_max != '\0' &&
        config_decimal_compare(lim->order_qty_min, lim->order_qty_max) > 0)
        ERROR_KEY(l, id, e, "order_qty_min", "is \"%s\", expected at most order_qty_max (\"%s\")", lim->order_qty_min,
                  lim->order_qty_max);
    if (*lim->order_notional_min != '\0' && *lim->order_notional_max != '\0' &&
        config_decimal_compare(lim->order_notional_min, lim->order_notional_max) > 0)
        ERROR_KEY(l, id, e, "order_notional_min", "is \"%s\", expected at most order_notional_max (\"%s\")",
                  lim->order_notional_min, lim->order_notional_max);
}

/* Written somewhere for this symbol; when it is not in force all the same, its value was refused with a reason. */
static bool
limit_is_given(const struct config_loader *l, const char *symbol, const char *key)
{
    for (uint32_t e = 0; e < l->c->risk.overrides; e++)
        if (strcmp(l->c->risk.override[e].symbol, symbol) == 0 &&
            config_source_of(l, SECTION_OVERRIDE, e, key)->kind != SOURCE_DEFAULT)
            return true;
    return config_source_of(l, SECTION_LIMITS, 0, key)->kind != SOURCE_DEFAULT;
}

/* A symbol without its three limits of size could not be traded safely, so it does not start. */
static void
check_symbol(struct config_loader *l, uint32_t e, const char *symbol)
{
    const struct config_limits *lim = config_limits_for(l->c, symbol);
    const struct {
        const char *key;
        const char *value;
    } must[] = { { "order_qty_max", lim->order_qty_max },
                 { "order_notional_max", lim->order_notional_max },
                 { "position_max", lim->position_max } };

    for (size_t i = 0; i < ARRAY_LEN(must); i++)
        if (*must[i].value == '\0' && !(l->errors > 0 && limit_is_given(l, symbol, must[i].key)))
            config_error_at(l, config_source_of(l, SECTION_VENUE, e, "symbols"), l->place[SECTION_VENUE][e].path,
                            "risk.%s is not set for %s, expected it in [risk] or [risk.instrument.%s]", must[i].key,
                            symbol, symbol);
}

/* What only some dialects can do, and what they need. */
static void
check_dialect(struct config_loader *l, uint32_t e, const struct config_venue *v)
{
    const struct dialect *d = &dialects[v->dialect];
    const char *name = config_dialect_names[v->dialect];
    bool depth = !d->feed->checked;

    for (unsigned i = 0; i < ARRAY_LEN(d->feed->depth); i++)
        depth |= d->feed->depth[i] == v->depth;
    if (!depth)
        ERROR_KEY(l, SECTION_VENUE, e, "depth", "is %lld, expected 10, 25, 100, 500 or 1000 (dialect %s)",
                  (long long)v->depth, name);
    if (!l->c->live)
        return;
    if (d->ops->rest != 0 && *v->rest_url == '\0')
        ERROR_KEY(l, SECTION_VENUE, e, "rest_url", "is not set, expected https://HOST[:PORT]: %s answers there", name);
    if ((d->key_types >> v->key_type & 1) == 0)
        ERROR_KEY(l, SECTION_VENUE, e, "key_type", "is \"%s\", which %s does not sign with",
                  config_key_type_names[v->key_type], name);
    if (v->recv_window_ms < d->recv_window_min_ms)
        ERROR_KEY(l, SECTION_VENUE, e, "recv_window_ms", "is %lld, expected at least %lld: %s takes no less",
                  (long long)v->recv_window_ms, (long long)d->recv_window_min_ms, name);
}

/* Market data: as many connections as the symbols need. */
static void
check_connections(struct config_loader *l, uint32_t e, const struct config_venue *v)
{
    const struct feed_config f = dialect_feed_config(l->c, v);

    if (*v->market_url_b != '\0' && v->market_copies == 1)
        ERROR_KEY(l, SECTION_VENUE, e, "market_url_b", "is set, which needs market_copies = 2");
    if (feed_links(&f) > FEED_LINKS_MAX)
        ERROR_KEY(l, SECTION_VENUE, e, "streams_per_connection",
                  "is %lld, expected more: %u symbols would need %u connections, at most %u are made",
                  (long long)v->streams_per_connection, v->symbols, feed_links(&f), FEED_LINKS_MAX);
}

static void
check_venue(struct config_loader *l, uint32_t e)
{
    const struct config_venue *v = &l->c->venue[e];
    bool known = false;

    for (uint32_t i = 0; i < l->c->accounts; i++)
        known |= strcmp(l->c->account[i].name, v->account) == 0;
    if (!known)
        ERROR_KEY(l, SECTION_VENUE, e, "account", "is \"%s\", expected the name of an [account.<name>]", v->account);
    check_url(l, e, "market_url", v->market_url, false);
    check_url(l, e, "market_url_b", v->market_url_b, false);
    check_url(l, e, "api_url", v->api_url, false);
    check_url(l, e, "rest_url", v->rest_url, true);
    check_dialect(l, e, v);
    check_connections(l, e, v);
    if (*v->proxy != '\0' && v->transport != TRANSPORT_LWS)
        ERROR_KEY(l, SECTION_VENUE, e, "proxy", "is set, which needs transport = \"lws\"");
    if (v->deadman_ms != 0 && v->deadman_ms < 5000)
        ERROR_KEY(l, SECTION_VENUE, e, "deadman_ms", "is %lld, expected 0 or at least 5000", (long long)v->deadman_ms);
    if (v->deadman_ms != 0 && v->dialect != DIALECT_KRAKEN)
        ERROR_KEY(l, SECTION_VENUE, e, "deadman_ms", "is %lld, expected 0: this venue has no countdown",
                  (long long)v->deadman_ms);
    if (v->reconnect_min_ms > v->reconnect_max_ms)
        ERROR_KEY(l, SECTION_VENUE, e, "reconnect_min_ms", "is %lld, expected at most reconnect_max_ms (%lld)",
                  (long long)v->reconnect_min_ms, (long long)v->reconnect_max_ms);
    if (*v->api_key != '\0' && *v->api_key_file != '\0')
        ERROR_KEY(l, SECTION_VENUE, e, "api_key_file", "is set beside api_key, expected one of the two");
    check_key_file(l, e, "key_file", v->key_file, l->c->live);
    check_key_file(l, e, "api_key_file", v->api_key_file, l->c->live && *v->api_key == '\0');
    if (config_source_of(l, SECTION_VENUE, e, "symbols")->kind != SOURCE_DEFAULT && v->symbols == 0 && l->errors == 0)
        ERROR_KEY(l, SECTION_VENUE, e, "symbols", "is empty, expected at least one symbol");
    for (uint32_t i = 0; i < v->symbols; i++)
        check_symbol(l, e, v->symbol[i]);
}

static void
check_override(struct config_loader *l, uint32_t e)
{
    const struct config *c = l->c;
    const struct config_place *in = &l->place[SECTION_OVERRIDE][e];
    struct config_nearest best = { .wanted = c->risk.override[e].symbol, .distance = 100 };

    for (uint32_t v = 0; v < c->venues; v++) {
        for (uint32_t i = 0; i < c->venue[v].symbols; i++) {
            if (strcmp(c->venue[v].symbol[i], best.wanted) == 0) {
                check_limits(l, SECTION_OVERRIDE, e, &c->risk.override[e]);
                return;
            }
            config_nearest_offer(&best, c->venue[v].symbol[i], "", c->venue[v].symbol[i]);
        }
    }
    if (config_nearest_close(&best))
        config_error_at(l, &in->header, in->path, "is no configured symbol, did you mean %s?", best.text);
    else
        config_error_at(l, &in->header, in->path, "is no configured symbol, expected one of a venue's symbols");
}

/* Ids of strategies and accounts are unique. */
static void
check_unique(struct config_loader *l, enum config_section_id id, size_t id_offset)
{
    for (uint32_t a = 1; a < config_entries(l->c, id); a++) {
        for (uint32_t b = 0; b < a; b++) {
            int64_t x;
            int64_t y;
            memcpy(&x, l->place[id][a].base + id_offset, sizeof(x));
            memcpy(&y, l->place[id][b].base + id_offset, sizeof(y));
            if (x == y && config_source_of(l, id, a, "id")->kind != SOURCE_DEFAULT &&
                config_source_of(l, id, b, "id")->kind != SOURCE_DEFAULT)
                ERROR_KEY(l, id, a, "id", "is %lld, expected another than that of [%s]", (long long)x,
                          l->place[id][b].path);
        }
    }
}

static void
check_listen(struct config_loader *l)
{
    char host[64];
    long port;
    const struct config_monitoring *m = &l->c->monitoring;

    if (*m->listen == '\0' || !config_listen_parse(m->listen, host, sizeof(host), &port))
        return;
    if (!m->listen_remote && !host_loopback(host))
        ERROR_KEY(l, SECTION_MONITORING, 0, "listen",
                  "is \"%s\", expected a loopback address, or listen_remote = true beside it", m->listen);
}

static bool
symbol_known(const struct config *c, const char *symbol)
{
    for (uint32_t v = 0; v < c->venues; v++)
        for (uint32_t i = 0; i < c->venue[v].symbols; i++)
            if (strcmp(c->venue[v].symbol[i], symbol) == 0)
                return true;
    return false;
}

/* Is there an entry of that name? Every entry's struct begins with its name. */
static bool
entry_known(const struct config_loader *l, enum config_section_id id, const char *name)
{
    for (uint32_t e = 0; e < config_entries(l->c, id); e++)
        if (strcmp((const char *)l->place[id][e].base, name) == 0)
            return true;
    return false;
}

/* [risk.strategy.<name>] and the like speak of something that is configured. */
static void
check_groups(struct config_loader *l, enum config_section_id id, enum config_section_id of)
{
    for (uint32_t e = 0; e < config_entries(l->c, id); e++) {
        const struct config_place *in = &l->place[id][e];
        if (!entry_known(l, of, (const char *)in->base))
            config_error_at(l, &in->header, in->path, "there is no [%s.%s], expected the name of one",
                            config_sections[of].path, (const char *)in->base);
    }
}

static void
check_strategy(struct config_loader *l, uint32_t e)
{
    const struct config_strategy *s = &l->c->strategy[e];

    for (uint32_t i = 0; i < s->accounts.count; i++)
        if (!entry_known(l, SECTION_ACCOUNT, s->accounts.name[i]))
            ERROR_KEY(l, SECTION_STRATEGY, e, "accounts", "has \"%s\", expected names of [account.<name>]",
                      s->accounts.name[i]);
    for (uint32_t i = 0; i < s->symbols.count; i++)
        if (!symbol_known(l->c, s->symbols.name[i]))
            ERROR_KEY(l, SECTION_STRATEGY, e, "symbols", "has \"%s\", expected symbols of some venue",
                      s->symbols.name[i]);
}

/* What a gateway that sends real orders may not leave to a default. */
static void
check_live_limits(struct config_loader *l)
{
    static const char *const must[] = { "gross_exposure_max", "daily_loss_max" };

    for (size_t i = 0; l->c->live && i < ARRAY_LEN(must); i++)
        if (config_source_of(l, SECTION_GLOBAL, 0, must[i])->kind == SOURCE_DEFAULT)
            ERROR_KEY(l, SECTION_GLOBAL, 0, must[i], "is not set, expected a limit in %s: mode is live",
                      l->c->risk.reporting_currency);
}

void
config_check(struct config_loader *l)
{
    struct config *c = l->c;

    check_required(l);
    check_listen(l);
    if (c->venues == 0)
        config_error_at(l, &(struct config_source){ .kind = SOURCE_FILE }, "venue",
                        "no venue is configured, expected a [venue.<name>]");
    for (uint32_t e = 0; e < c->venues; e++)
        check_venue(l, e);
    check_limits(l, SECTION_LIMITS, 0, &c->risk.limits);
    for (uint32_t e = 0; e < c->risk.overrides; e++)
        check_override(l, e);
    for (uint32_t e = 0; e < c->strategies; e++)
        check_strategy(l, e);
    check_groups(l, SECTION_RISK_STRATEGY, SECTION_STRATEGY);
    check_groups(l, SECTION_RISK_ACCOUNT, SECTION_ACCOUNT);
    check_groups(l, SECTION_RISK_VENUE, SECTION_VENUE);
    check_live_limits(l);
    check_unique(l, SECTION_STRATEGY, offsetof(struct config_strategy, id));
    check_unique(l, SECTION_ACCOUNT, offsetof(struct config_account, id));
    uint32_t symbols = 0;
    for (uint32_t e = 0; e < c->venues; e++)
        symbols += c->venue[e].symbols;
    if (symbols > c->memory.instruments_max)
        ERROR_KEY(l, SECTION_MEMORY, 0, "instruments_max",
                  "is %lld, expected at least %u: so many symbols are configured", (long long)c->memory.instruments_max,
                  symbols);
}
