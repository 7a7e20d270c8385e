/* Reference data: depth snapshots and instrument definitions, fetched and decoded on a thread of its own.
 *
 * The core asks through a ring and gets bounded results through another: definitions one by one, a snapshot in slices.
 * Behind it is one blocking WebSocket API connection per venue, kept open between requests and opened again, with a
 * jittered back-off, when one is needed. Names, handshakes and megabytes of JSON never meet the core.
 *
 * Always true: every request that was queued is answered to its end exactly once, in the order asked, within
 * request_timeout_ms of being taken up; a failed one says why in one sentence through `log`; nothing is sent to a venue
 * before the time it named in a 429 or 418; no answer longer than message_max is read.
 * refdata_request_*, _poll, _core_*: the core thread. _start, _stop: whoever owns it. Everything else is inside. */
#ifndef EXECGW_ENGINE_REFDATA_H
#define EXECGW_ENGINE_REFDATA_H

#include "engine/io/connector.h"
#include "engine/refdata_dialect.h"
#include "execgw/instrument.h"
#include "feed/feed.h"

struct refdata_venue {
    uint16_t venue; /* id */
    const char *name;
    const struct refdata_dialect *dialect;
    struct endpoint endpoint;   /* of the WebSocket that answers */
    const char *const *symbols; /* the venue's own, borrowed for life */
    uint32_t symbol_count;
};

struct refdata_config {
    const struct refdata_venue *venues; /* copied */
    uint32_t venue_count;               /* at most VENUE_MAX */
    const struct tls_context *tls;
    size_t message_max;          /* bytes of an answer: 16 MiB holds every exchangeInfo */
    uint32_t request_timeout_ms; /* from taken up to answered, connecting included */
    uint32_t retry_min_ms;       /* between attempts to connect: doubling from min to max, each jittered */
    uint32_t retry_max_ms;
    void (*log)(void *ctx, const char *sentence); /* on the reference-data thread */
    void *log_ctx;
};

struct refdata_config refdata_config_default(void);

enum refdata_kind {
    REFDATA_INSTRUMENT,      /* instrument: as the venue defines it; id, version and currency ids are 0 */
    REFDATA_INSTRUMENTS_END, /* ok: all came; limits are the venue's. Else none of them means anything */
    REFDATA_SNAPSHOT         /* slice; a failed one is first and last */
};

struct refdata_result {
    uint8_t kind; /* enum refdata_kind */
    bool ok;
    uint16_t venue;
    uint32_t quiet_ms; /* not ok: the venue is not to be asked for so long; 0 = it has not said so */
    union {
        struct instrument instrument;
        struct binance_limits limits;
        struct snapshot_slice slice;
    };
};

struct refdata;

/* Takes its memory and starts the thread; nothing is connected before the first request. NULL with the fault filled. */
struct refdata *refdata_start(const struct refdata_config *cfg, struct fault *fault);

/* Ends the thread, whatever it waits for, and frees everything. NULL is fine. */
void refdata_stop(struct refdata *r);

/* False when the request cannot be queued: the ring is full, or the venue is not configured. */
bool refdata_request_instruments(struct refdata *r, uint16_t venue);
bool refdata_request_depth(struct refdata *r, const struct instrument *ins, uint32_t levels);

/* After requests: true when the thread sleeps and refdata_request_fd() must be rung (loop_bell_*). refdata_wake does
 * both with a plain write, for callers that may make system calls. */
bool refdata_wake_needed(struct refdata *r);
int refdata_request_fd(const struct refdata *r);
void refdata_wake(struct refdata *r);

/* The next result; false when there is none. */
bool refdata_poll(struct refdata *r, struct refdata_result *out);

/* Written when a result is there and the core sleeps: to be watched. The core resets it by reading. */
int refdata_result_fd(const struct refdata *r);

/* Core before it sleeps / after: as ring_reader_sleep, ring_reader_awake over the results. */
bool refdata_core_sleep(struct refdata *r);
void refdata_core_awake(struct refdata *r);

#endif
