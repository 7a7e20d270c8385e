/* Symbols of messages as three machine words, for the decoders' tables from symbol to slot: open hash, a power of two,
 * at most half full.
 *
 * Always true: words are zero behind the symbol, so equal words are equal symbols; a table of md_symbol_table_size()
 * always has an empty entry, so a look-up ends. */
#ifndef EXECGW_FEED_MD_SYMBOL_H
#define EXECGW_FEED_MD_SYMBOL_H

#include "execgw/instrument.h"

struct symbol_words {
    uint64_t w[3];
};
_Static_assert(SYMBOL_BYTES == 24, "three words");

static inline uint32_t
symbol_hash(const struct symbol_words *s)
{
    uint64_t h = (s->w[0] ^ s->w[1] * UINT64_C(0x9E3779B97F4A7C15) ^ s->w[2]) * UINT64_C(0xD6E8FEB86659FD93);
    return (uint32_t)(h >> 32);
}

/* False when n characters are no symbol: none, or too many. */
static inline bool
symbol_words_of(const char *s, size_t n, struct symbol_words *out)
{
    *out = (struct symbol_words){ { 0 } };
    if (n == 0 || n >= SYMBOL_BYTES)
        return false;
    memcpy(out, s, n);
    return true;
}

/* Entries for that many symbols. */
static inline uint32_t
md_symbol_table_size(uint32_t instruments_max)
{
    uint32_t n = 16;
    while (n < instruments_max * 2)
        n *= 2;
    return n;
}

/* The instrument's symbol and decimals are such that a decoder can use them. */
static inline bool
md_symbol_usable(const struct instrument *ins, struct symbol_words *out)
{
    return symbol_words_of(ins->symbol, strnlen(ins->symbol, SYMBOL_BYTES), out) && ins->px_decimals <= DECIMALS_MAX &&
           ins->qty_decimals <= DECIMALS_MAX;
}

#endif
