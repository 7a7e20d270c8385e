/* Kraken Spot market data (WebSocket v2): one text message -> integers, and the subscription requests.
 *
 * Between ws_frame and feed. Predicts the exact text that the venue sends for a book update; any other key order,
 * spacing or new field takes the general scan, which gives the same result more slowly.
 *
 * Source: docs.kraken.com, Spot WebSocket v2: channels book, trade, status, heartbeat; subscribe and its
 * acknowledgement; guide "Book checksum v2". Numbers arrive as JSON numbers with every digit of the pair's precision;
 * snapshot and update carry the same keys; a quantity of 0 deletes. Seen 2026-08.
 *
 * Always true: values are exact or refused, and the checksum is made of the very digits received: a level is an integer
 * and the number of digits behind its point; level counts never exceed levels_max. */
#ifndef EXECGW_FEED_KRAKEN_MD_H
#define EXECGW_FEED_KRAKEN_MD_H

#include "feed/crc32.h"
#include "feed/md_msg.h"

#define KRAKEN_CHECKSUM_LEVELS 10

/* One symbol, laid out for the look-up. */
struct kraken_symbol {
    char symbol[SYMBOL_BYTES]; /* zero padded: "BTC/USD" */
    uint32_t slot;
    uint8_t symbol_len; /* 0 = empty */
    uint8_t px_decimals;
    uint8_t qty_decimals;
    uint8_t pad;
};

struct kraken_md {
    struct kraken_symbol *table; /* open hash, a power of two, at most half full */
    uint32_t mask;
    uint32_t count;
    uint32_t count_max;
    struct crc32 crc;
};

size_t kraken_md_footprint(uint32_t instruments_max);
void kraken_md_init(struct kraken_md *d, uint32_t instruments_max, struct arena *arena);
bool kraken_md_add(struct kraken_md *d, const struct instrument *ins, uint32_t slot);

/* As struct feed_dialect's decode. Returns DECODE_OK; DECODE_IGNORED; DECODE_MALFORMED; DECODE_UNKNOWN_SYMBOL;
 * DECODE_PRECISION (more digits than the instrument has, zeros apart); DECODE_RANGE. */
enum decode_result kraken_md_decode(const struct kraken_md *d, const uint8_t *buf, size_t len, struct md_msg *out);

/* The checksum of the best levels, at most KRAKEN_CHECKSUM_LEVELS of a side, best first: asks, then bids, price then
 * quantity of each without point and leading zeros. Units as in struct feed_dialect. */
uint32_t kraken_md_checksum(const struct crc32 *crc, int64_t px_unit, int64_t qty_unit, const struct level *asks,
                            uint32_t ask_count, const struct level *bids, uint32_t bid_count);

/* One subscribe or unsubscribe request of one stream; as struct feed_dialect's request. */
size_t kraken_md_request(const struct md_request *rq, char *buf, size_t room, size_t *used);

#endif
