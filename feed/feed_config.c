/* What a feed may be configured to, and what it takes of memory: see feed.h.
 *
 * Always true: a configuration that passes feed_config_check() cannot make a feed outgrow its memory. */
#include "feed/feed_state.h"

struct feed_config
feed_config_default(uint32_t instruments_max)
{
    return (struct feed_config){
        .dialect = &feed_binance,
        .instruments_max = instruments_max,
        .levels_max = 4096,
        .snapshot_limit = 1000,
        .message_levels_max = 5000,
        .pending_levels_max = 65536,
        .pending_events_max = 4096,
        .snapshot_timeout_ns = 10 * NS_PER_S,
        .retry_min_ns = NS_PER_S,
        .retry_max_ns = 60 * NS_PER_S,
        .depth_lag_max_ns = 5 * NS_PER_S,
        .gap_wait_ns = 200 * NS_PER_MS,
        .streams = MD_STREAM_DEPTH | MD_STREAM_TICKER | MD_STREAM_TRADE,
    };
}

struct feed_config
feed_config_checked(const struct feed_dialect *dialect, uint32_t instruments_max, uint32_t depth)
{
    struct feed_config c = feed_config_default(instruments_max);

    ASSERT(dialect->checked);
    c.dialect = dialect;
    c.snapshot_limit = depth;
    c.levels_max = 2 * depth + 64; /* a side grows past its depth within one message only */
    c.message_levels_max = 2 * depth + 64;
    c.pending_events_max = 1; /* nothing waits: the snapshot comes with the stream */
    c.pending_levels_max = 2 * c.message_levels_max;
    c.quiet_max_ns = 60 * NS_PER_S;
    c.streams = dialect->streams;
    return c;
}

size_t
feed_footprint(const struct feed_config *cfg)
{
    return arena_cost(sizeof(struct feed)) + cfg->dialect->footprint(cfg->instruments_max) +
           md_msg_footprint(cfg->message_levels_max) + arena_cost((size_t)cfg->instruments_max * sizeof(struct line)) +
           ((size_t)cfg->instruments_max + 1) * book_footprint(cfg->levels_max) +
           arena_cost((size_t)cfg->pending_events_max * sizeof(struct pending)) +
           arena_cost((size_t)cfg->pending_levels_max * sizeof(struct level)) +
           arena_cost((size_t)cfg->instruments_max * sizeof(char *)) + feed_links_footprint(cfg);
}

static bool
depth_offered(const struct feed_dialect *d, uint32_t depth)
{
    for (unsigned i = 0; i < ARRAY_LEN(d->depth) && d->depth[i] != 0; i++)
        if (d->depth[i] == depth)
            return true;
    return false;
}

bool
feed_config_check(const struct feed_config *cfg, struct fault *fault)
{
    const struct feed_dialect *d = cfg->dialect;
    unsigned streams = (unsigned)__builtin_popcount(cfg->streams);

    if ((cfg->streams & ~d->streams) != 0)
        return FAULT(fault, "feed: %s has no such stream (0x%x)", d->name, cfg->streams & ~d->streams);
    if (cfg->instruments_max == 0 || cfg->instruments_max > INSTRUMENT_MAX)
        return FAULT(fault, "feed: %u instruments, expected 1 to %d", cfg->instruments_max, INSTRUMENT_MAX);
    if ((cfg->streams & MD_STREAM_DEPTH) == 0)
        return FAULT(fault, "feed: the depth stream is not among the streams, but books are kept from it");
    uint32_t streams_max = cfg->streams_max != 0 ? cfg->streams_max : d->streams_max;
    if (cfg->copies > FEED_COPIES_MAX || cfg->groups > FEED_LINKS_MAX || feed_links(cfg) > FEED_LINKS_MAX)
        return FAULT(fault, "feed: %u x %u connections, expected at most %u with those to move to", cfg->groups,
                     cfg->copies, FEED_LINKS_MAX);
    if (streams_max > d->streams_max || streams_max < streams)
        return FAULT(fault,
                     "feed: %u streams on a connection, expected %u (one instrument's) to %u (the venue's limit)",
                     streams_max, streams, d->streams_max);
    if (cfg->gap_wait_ns < 0)
        return FAULT(fault, "feed: the wait for a missing update must not be negative");
    if (d->checked && !depth_offered(d, cfg->snapshot_limit))
        return FAULT(fault, "feed: a depth of %u levels, which %s does not have", cfg->snapshot_limit, d->name);
    if (cfg->snapshot_limit < 8 || cfg->levels_max < cfg->snapshot_limit || cfg->levels_max > 1u << 20)
        return FAULT(fault, "feed: %u levels a side with a snapshot of %u, expected 8 <= snapshot <= levels <= 1048576",
                     cfg->levels_max, cfg->snapshot_limit);
    if (cfg->message_levels_max == 0 || cfg->message_levels_max > 1u << 20 || cfg->pending_events_max == 0 ||
        cfg->pending_levels_max < 2 * cfg->message_levels_max)
        return FAULT(fault, "feed: room for %u waiting levels, expected at least one update's 2 x %u",
                     cfg->pending_levels_max, cfg->message_levels_max);
    if (cfg->snapshot_timeout_ns <= 0 || cfg->retry_min_ns <= 0 || cfg->retry_max_ns < cfg->retry_min_ns ||
        cfg->retry_max_ns > 3600 * NS_PER_S || cfg->depth_lag_max_ns < 0 || cfg->quiet_max_ns < 0)
        return FAULT(fault, "feed: time-outs and back-off must be positive, retry_min <= retry_max <= 1 h");
    return true;
}
