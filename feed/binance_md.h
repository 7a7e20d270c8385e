/* Binance Spot market data: one WebSocket text message -> integers, and the subscription requests.
 *
 * Between ws_frame and feed. Predicts the exact text that the venue sends; any other key order, spacing or new field
 * takes the general scan, which gives the same result more slowly.
 *
 * Source: Binance Spot API docs, web-socket-streams.md: depthUpdate (e E s U u b a), bookTicker (u s b B a A), trade
 * (e E s t p q T m M), combined wrapper (stream data). Prices and quantities arrive as strings. Seen 2026-07.
 *
 * Always true: values are exact or refused; level counts never exceed levels_max; no state but the symbol table. */
#ifndef EXECGW_FEED_BINANCE_MD_H
#define EXECGW_FEED_BINANCE_MD_H

#include "feed/md_msg.h"

/* How a decimal with eight digits after the point becomes a count of 10^-decimals. */
struct binance_scale {
    uint64_t inverse; /* 2^63 / divisor, rounded up: value * inverse >> 63 is value / divisor for value < 10^8 */
    uint32_t divisor; /* 10^(8 - decimals); 0 when decimals > 8 */
    uint8_t decimals;
};

/* One symbol, laid out for the look-up: a cache line with what a decode needs. */
struct binance_symbol {
    _Alignas(64) char symbol[SYMBOL_BYTES]; /* zero padded */
    uint32_t slot;
    uint8_t symbol_len; /* 0 = empty */
    bool narrow;        /* both decimals <= 8: the fast reader applies */
    struct binance_scale px;
    struct binance_scale qty;
};
_Static_assert(sizeof(struct binance_symbol) == 64, "one cache line");

struct binance_md {
    struct binance_symbol *table; /* open hash, a power of two, at most half full */
    uint32_t mask;
    uint32_t count;
    uint32_t count_max;
};

size_t binance_md_footprint(uint32_t instruments_max);
void binance_md_init(struct binance_md *d, uint32_t instruments_max, struct arena *arena);

/* Add a symbol, or change a known one's slot and decimals. False when the table is full or the symbol is empty or too
 * long. Cold. */
bool binance_md_add(struct binance_md *d, const struct instrument *ins, uint32_t slot);

/* Decode one whole text message.
 *
 * buf, len  not NUL-terminated, not kept; may be hostile.
 * out       complete on DECODE_OK (the fields named beside its kind) and on DECODE_IGNORED (kind only). Otherwise only
 *           kind and slot mean anything: what it was and whom it concerned, as far as that could be read (kind
 *           MD_MSG_OTHER, slot UINT32_MAX where not), so that the book concerned can be distrusted.
 * Returns   DECODE_OK; DECODE_IGNORED; DECODE_MALFORMED; DECODE_UNKNOWN_SYMBOL; DECODE_PRECISION; DECODE_RANGE. */
enum decode_result binance_md_decode(const struct binance_md *d, const uint8_t *buf, size_t len, struct md_msg *out);

/* One SUBSCRIBE message, or UNSUBSCRIBE (off), for as many of `symbols` (upper case, as in instruments) as fit.
 *
 * used      how many of the symbols it covers; call again with the rest.
 * Returns   bytes written to buf, 0 when not even one fits. */
size_t binance_md_subscribe(char *buf, size_t room, int64_t request_id, bool off, const char *const *symbols,
                            size_t count, unsigned streams, size_t *used);

#endif
