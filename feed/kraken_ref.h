/* Kraken Spot reference data: instruments from the `instrument` channel of WebSocket v2.
 *
 * Cold: on the reference-data thread. Its results enter the core as instrument definitions.
 *
 * Source: docs.kraken.com, Spot WebSocket v2, channel instrument: pairs[] with symbol, base, quote, status,
 * price_precision, qty_precision, price_increment, qty_increment, qty_min, cost_min. Unlike the book channel, numbers
 * may come with exponents (1e-08). Seen 2026-08.
 *
 * Always true: an instrument that is returned satisfies what instrument.h promises; its decimals are the venue's
 * precisions, so that its integers are the digits of the book's text. */
#ifndef EXECGW_FEED_KRAKEN_REF_H
#define EXECGW_FEED_KRAKEN_REF_H

#include "execgw/market.h"

/* The subscription that is answered by a snapshot of every pair. Returns bytes written, 0 when they do not fit. */
size_t kraken_ref_request(char *buf, size_t room, int64_t id);

/* What a message that came after it is. */
enum kraken_ref_answer {
    KRAKEN_REF_OTHER,    /* status, heartbeat, acknowledgement: go on waiting */
    KRAKEN_REF_SNAPSHOT, /* *data, *data_len: the text of its "data", in place */
    KRAKEN_REF_REFUSED   /* text: the venue's words */
};
enum kraken_ref_answer kraken_ref_answer(const uint8_t *buf, size_t len, const char **data, size_t *data_len,
                                         char text[96]);

/* Instruments of interest from the snapshot's "data".
 *
 * symbols, count  wanted, as the venue writes them ("BTC/USD"), each once.
 * out             [count], in the order of symbols; id, version, venue and the *_ccy ids are 0, everything else is
 *                 filled and valid. Complete only when true is returned.
 * Returns         false with the fault naming the first symbol that is missing or whose rules cannot be used. */
bool kraken_ref_instruments(const char *buf, size_t len, const char *const *symbols, size_t count,
                            struct instrument *out, struct fault *fault);

#endif
