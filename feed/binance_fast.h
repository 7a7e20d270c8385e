/* The fast reader of Binance messages, and what both readers share.
 *
 * Private to feed/binance_md and feed/binance_fast.
 *
 * Always true: wherever the fast reader succeeds, the general one gives the same message. */
#ifndef EXECGW_FEED_BINANCE_FAST_H
#define EXECGW_FEED_BINANCE_FAST_H

#include "feed/binance_md.h"
#include "feed/md_symbol.h"

/* The entry of a symbol, or NULL. */
static inline const struct binance_symbol *
symbol_find(const struct binance_md *d, const struct symbol_words *s)
{
    for (uint32_t i = symbol_hash(s) & d->mask;; i = (i + 1) & d->mask) {
        const struct binance_symbol *e = &d->table[i];
        struct symbol_words w;
        memcpy(&w, e->symbol, sizeof(w));
        if (likely(w.w[0] == s->w[0] && w.w[1] == s->w[1] && w.w[2] == s->w[2]))
            return e;
        if (e->symbol_len == 0) /* at most half full: there is an empty one */
            return NULL;
    }
}

/* Milliseconds or microseconds (timeUnit=MICROSECOND) since the epoch, told apart by size. */
static inline bool
time_ns(uint64_t t, int64_t *out)
{
    if (likely(t < UINT64_C(9000000000000)))
        *out = (int64_t)t * NS_PER_MS;
    else if (t >= UINT64_C(100000000000000) && t < UINT64_C(9000000000000000))
        *out = (int64_t)t * NS_PER_US;
    else
        return false;
    return true;
}

/* The whole message into *m. False when it is not exactly what the venue sends today: then *m is anything. Hot. */
bool binance_fast_decode(const struct binance_md *d, const char *p, const char *end, struct md_msg *m);

#endif
