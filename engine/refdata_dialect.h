/* How each venue is asked for reference data: one row per dialect, used by refdata on its thread.
 *
 * Always true: a row keeps nothing between calls; a request that it writes is one text message. */
#ifndef EXECGW_ENGINE_REFDATA_DIALECT_H
#define EXECGW_ENGINE_REFDATA_DIALECT_H

#include "feed/binance_ref.h"

/* What a message that came while an answer is awaited means. */
enum refdata_message {
    REFDATA_MESSAGE_OTHER,  /* not the answer: go on waiting */
    REFDATA_MESSAGE_ANSWER, /* `result` */
    REFDATA_MESSAGE_REFUSED /* `text` */
};

struct refdata_answer {
    const char *result; /* in place */
    size_t result_bytes;
    bool blocked;           /* the venue said to be quiet, whatever the answer is */
    int64_t retry_after_ms; /* until then (since the epoch); 0 = it named no time */
    char text[160];
};

/* A depth snapshot; NULL where books do not need one. */
struct refdata_depth {
    size_t (*request)(char *buf, size_t room, int64_t id, const char *symbol, uint32_t limit);
    enum decode_result (*decode)(const char *buf, size_t len, unsigned px_decimals, unsigned qty_decimals,
                                 struct level *bids, struct level *asks, uint32_t levels_max,
                                 struct binance_depth *out);
};

struct refdata_dialect {
    const char *name;
    const char *definitions_text; /* what is asked for, in sentences */
    bool one_shot;                /* the connection is closed after an answer: it would go on talking */
    const struct refdata_depth *depth;
    size_t (*definitions_request)(char *buf, size_t room, int64_t id, const char *const *symbols, size_t count);
    enum refdata_message (*message)(const uint8_t *buf, size_t len, int64_t id, struct refdata_answer *out);
    bool (*definitions)(const char *buf, size_t len, const char *const *symbols, size_t count, struct instrument *out,
                        struct binance_limits *limits, struct fault *fault);
};

extern const struct refdata_dialect refdata_binance;
extern const struct refdata_dialect refdata_kraken;

#endif
