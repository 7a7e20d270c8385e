/* Binance Spot reference data over the WebSocket API: requests and answers for `depth` and `exchangeInfo`.
 *
 * Cold: on the reference-data thread. Its results enter the core as instrument definitions and snapshot slices.
 *
 * Source: Binance Spot API docs, web-socket-api.md (request format, response format, depth, exchangeInfo), filters.md.
 * Seen 2026-07.
 *
 * Always true: an instrument that is returned satisfies what instrument.h promises; a rule that the venue switched off
 * (0) becomes the widest limit; decimals are as many as the asset has and the largest value allows, at least what tick
 * and step need: a book holds orders older than today's tick and step. */
#ifndef EXECGW_FEED_BINANCE_REF_H
#define EXECGW_FEED_BINANCE_REF_H

#include "execgw/market.h"

#define BINANCE_DEPTH_MAX 5000 /* levels a side of the deepest snapshot */

/* Requests. Return bytes written (no NUL), 0 when they do not fit or a symbol holds a character it may not. */
size_t binance_ref_depth_request(char *buf, size_t room, int64_t id, const char *symbol, uint32_t limit);
size_t binance_ref_exchange_info_request(char *buf, size_t room, int64_t id, const char *const *symbols, size_t count);

/* The envelope of an answer. */
struct binance_answer {
    int64_t id;         /* -1 when null or not a number */
    uint32_t status;    /* 200 = success */
    const char *result; /* text of "result", in place; NULL when absent */
    size_t result_bytes;
    int32_t code;           /* error.code; 0 none */
    int64_t retry_after_ms; /* error.data.retryAfter, since the epoch; 0 none */
    char text[96];          /* error.msg, printable, NUL-terminated */
};
enum decode_result binance_ref_answer(const uint8_t *buf, size_t len, struct binance_answer *out);

struct binance_depth {
    uint64_t last_update_id;
    uint32_t bid_count;
    uint32_t ask_count;
};

/* A depth snapshot: text of the answer's "result" (the REST body has the same shape).
 *
 * bids, asks  room for levels_max each; best first, as the venue sends them.
 * Returns     DECODE_OK; DECODE_MALFORMED (also: a price twice or out of order, a quantity of 0, crossed);
 *             DECODE_PRECISION; DECODE_RANGE (more levels than room). Outputs mean nothing unless DECODE_OK. */
enum decode_result binance_ref_depth(const char *buf, size_t len, unsigned px_decimals, unsigned qty_decimals,
                                     struct level *bids, struct level *asks, uint32_t levels_max,
                                     struct binance_depth *out);

/* Venue limits that stand beside the instruments; 0 = not stated. */
struct binance_limits {
    uint32_t weight_per_minute;
    uint32_t orders_per_10s;
    uint32_t orders_per_day;
};

/* Instruments of interest from an exchangeInfo "result".
 *
 * symbols, count  wanted, upper case, each once.
 * out             [count], in the order of symbols; id, version, venue and the *_ccy ids are 0 (the journal hands them
 *                 out), everything else is filled and valid. Complete only when true is returned.
 * Returns         false with the fault naming the first symbol that is missing or whose rules cannot be used. */
bool binance_ref_exchange_info(const char *buf, size_t len, const char *const *symbols, size_t count,
                               struct instrument *out, struct binance_limits *limits, struct fault *fault);

#endif
