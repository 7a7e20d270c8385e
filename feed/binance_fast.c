/* The fast reader of Binance messages: see binance_md.h.
 *
 * It knows the text: fixed keys in the venue's order, decimals with eight digits after the point, eight bytes at a
 * time. It gives up at the first byte that differs, and the general reader (binance_md.c) starts again.
 *
 * Always true: never reads outside the message; a message that it takes is exactly what the venue sends today. */
#include "feed/binance_fast.h"
#include "feed/binance_digits.h"

/* A decimal in its instrument's integers; NULL also when it does not fit them. As fast_number. */
static inline const char *
fast_decimal(const struct binance_scale *s, const char *p, const char *end, bool roomy, bad_t *bad, int64_t *out)
{
    uint64_t whole;
    uint64_t fraction;

    p = fast_number(p, end, roomy, bad, &whole, &fraction);
    if (unlikely(p == NULL))
        return NULL;
    if (likely(s->divisor == 1)) {
        *out = (int64_t)(whole * 100000000 + fraction);
        return p;
    }
    uint64_t scaled = (uint64_t)((unsigned __int128)fraction * s->inverse >> 63);
    if (unlikely(scaled * s->divisor != fraction))
        return NULL; /* more decimals than the instrument has */
    *out = (int64_t)(whole * (uint64_t)pow10_i64[s->decimals] + scaled);
    return p;
}

/* A literal stands at p, where that much is readable. */
#define FAST_IS(p, lit) (memcmp((p), (lit), sizeof(lit) - 1) == 0)

/* The literal here, or NULL. */
#define FAST_SKIP(p, end, lit) \
    ((end) - (p) >= (ptrdiff_t)(sizeof(lit) - 1) && FAST_IS(p, lit) ? (p) + sizeof(lit) - 1 : NULL)

/* Advance over a literal or a value, or give the message to the general reader. */
#define EXPECT(p, end, lit)               \
    do {                                  \
        (p) = FAST_SKIP((p), (end), lit); \
        if (unlikely((p) == NULL))        \
            return NULL;                  \
    } while (0)
#define TAKE(p, call)              \
    do {                           \
        (p) = (call);              \
        if (unlikely((p) == NULL)) \
            return NULL;           \
    } while (0)

/* A number and the literal behind it. NUMBER_ROOM bytes are readable at p. */
#define NUMBER_ROOM 23
#define TAKE_NUMBER(p, scale, out, lit)                                       \
    do {                                                                      \
        _Static_assert(16 + sizeof(lit) - 1 <= NUMBER_ROOM, "no check here"); \
        TAKE(p, fast_decimal((scale), (p), end, true, &bad, (out)));          \
        if (unlikely(!FAST_IS(p, lit)))                                       \
            return NULL;                                                      \
        (p) += sizeof(lit) - 1;                                               \
    } while (0)
/* A symbol of 1..15 bytes, 16 bytes readable at p. Returns its closing quote, or NULL. */
static inline const char *
fast_symbol(const struct binance_md *d, const char *p, const struct binance_symbol **out)
{
    unsigned n = quote16(p);
    if (unlikely(n == 0 || n == 16))
        return NULL;
    struct symbol_words w = { { load8(p), 0, 0 } };
    if (n < 8)
        w.w[0] &= ~(~UINT64_C(0) << (8 * n));
    else if (n > 8)
        w.w[1] = load8(p + 8) & ~(~UINT64_C(0) << (8 * (n - 8)));
    *out = symbol_find(d, &w);
    if (unlikely(*out == NULL || !(*out)->narrow))
        return NULL;
    return ahead(p, n);
}

/* From the first value to the last; `start` is where the message began. */
static inline const char *
fast_ticker(const struct binance_md *d, const char *start, const char *p, const char *end, struct md_msg *m)
{
    const struct binance_symbol *s;
    bad_t bad = bad_none();

    /* The update id, the symbol and the literals around them: 15 + 6 + 16 + 7 at most. */
    if (unlikely(end - p < 64))
        return NULL;
    TAKE(p, fast_u64(start, p, &m->last_id));
    if (unlikely(!FAST_IS(p, ",\"s\":\"")))
        return NULL;
    TAKE(p, fast_symbol(d, p + 6, &s));
    if (unlikely(!FAST_IS(p, "\",\"b\":\"") || end - p < 7 + NUMBER_ROOM))
        return NULL;
    p += 7;
    TAKE_NUMBER(p, &s->px, &m->bid.px, "\",\"B\":\"");
    if (unlikely(end - p < NUMBER_ROOM))
        return NULL;
    TAKE_NUMBER(p, &s->qty, &m->bid.qty, "\",\"a\":\"");
    if (unlikely(end - p < NUMBER_ROOM))
        return NULL;
    TAKE_NUMBER(p, &s->px, &m->ask.px, "\",\"A\":\"");
    TAKE(p, fast_decimal(&s->qty, p, end, false, &bad, &m->ask.qty));
    if (unlikely(p == end || *p != '"' || bad_any(bad)))
        return NULL;
    m->slot = s->slot;
    m->kind = MD_MSG_TICKER;
    m->venue_time_ns = 0;
    return p + 1;
}

/* `["px","qty"],...]` after the opening bracket. */
static inline const char *
fast_levels(const struct binance_symbol *s, const char *p, const char *end, struct level *to, uint32_t max,
            bad_t *all_bad, uint32_t *count)
{
    bad_t bad = *all_bad;
    uint32_t n = 0;

    if (p < end && *p == ']') {
        *count = 0;
        return p + 1;
    }
    if (unlikely(end - p < 2 + NUMBER_ROOM || p[0] != '[' || p[1] != '"'))
        return NULL;
    p += 2;
    for (;;) {
        if (unlikely(n == max))
            return NULL;
        TAKE_NUMBER(p, &s->px, &to[n].px, "\",\"");
        TAKE(p, fast_decimal(&s->qty, p, end, false, &bad, &to[n].qty));
        if (unlikely(to[n].px == 0 || end - p < 4))
            return NULL;
        n++;
        if (likely(FAST_IS(p, "\"],["))) {
            if (unlikely(end - p < 5 + NUMBER_ROOM || p[4] != '"'))
                return NULL;
            p += 5;
            continue;
        }
        if (unlikely(!FAST_IS(p, "\"]]")))
            return NULL;
        *all_bad = bad;
        *count = n;
        return p + 3;
    }
}

static inline const char *
fast_depth(const struct binance_md *d, const char *start, const char *p, const char *end, struct md_msg *m)
{
    const struct binance_symbol *s;
    bad_t bad = bad_none();
    uint64_t t;

    /* All before the levels, at most: 17 + 15 + 6 + 16 + 6 + 15 + 5 + 15 + 6; less is a message without levels. */
    if (unlikely(end - p < 104 || !FAST_IS(p, "depthUpdate\",\"E\":")))
        return NULL;
    TAKE(p, fast_u64(start, p + 17, &t));
    if (unlikely(!FAST_IS(p, ",\"s\":\"")))
        return NULL;
    TAKE(p, fast_symbol(d, p + 6, &s));
    if (unlikely(!FAST_IS(p, "\",\"U\":")))
        return NULL;
    TAKE(p, fast_u64(start, p + 6, &m->first_id));
    if (unlikely(!FAST_IS(p, ",\"u\":")))
        return NULL;
    TAKE(p, fast_u64(start, p + 5, &m->last_id));
    EXPECT(p, end, ",\"b\":[");
    TAKE(p, fast_levels(s, p, end, m->bids, m->levels_max, &bad, &m->bid_count));
    EXPECT(p, end, ",\"a\":[");
    TAKE(p, fast_levels(s, p, end, m->asks, m->levels_max, &bad, &m->ask_count));
    if (unlikely(bad_any(bad) || m->first_id > m->last_id || !time_ns(t, &m->venue_time_ns)))
        return NULL;
    m->slot = s->slot;
    m->kind = MD_MSG_DEPTH;
    return p;
}

static inline const char *
fast_trade(const struct binance_md *d, const char *start, const char *p, const char *end, struct md_msg *m)
{
    const struct binance_symbol *s;
    bad_t bad = bad_none();
    uint64_t id;
    uint64_t t;

    /* All before the price, at most: 11 + 15 + 6 + 16 + 6 + 15 + 6, and the price itself. */
    if (unlikely(end - p < 75 + NUMBER_ROOM || !FAST_IS(p, "trade\",\"E\":")))
        return NULL;
    TAKE(p, fast_u64(start, p + 11, &t));
    if (unlikely(!FAST_IS(p, ",\"s\":\"")))
        return NULL;
    TAKE(p, fast_symbol(d, p + 6, &s));
    if (unlikely(!FAST_IS(p, "\",\"t\":")))
        return NULL;
    TAKE(p, fast_u64(start, p + 6, &id));
    if (unlikely(!FAST_IS(p, ",\"p\":\"")))
        return NULL;
    p += 6;
    TAKE_NUMBER(p, &s->px, &m->px, "\",\"q\":\"");
    TAKE(p, fast_decimal(&s->qty, p, end, false, &bad, &m->qty));
    EXPECT(p, end, "\",\"T\":");
    if (unlikely(end - p < 16))
        return NULL;
    TAKE(p, fast_u64(start, p, &t));
    EXPECT(p, end, ",\"m\":");
    const char *q = FAST_SKIP(p, end, "true");
    m->aggressor = q != NULL ? SIDE_SELL : SIDE_BUY; /* m: the buyer is the maker */
    if (q == NULL)
        q = FAST_SKIP(p, end, "false");
    if (unlikely(q == NULL))
        return NULL;
    p = q;
    q = FAST_SKIP(p, end, ",\"M\":true");
    if (q == NULL)
        q = FAST_SKIP(p, end, ",\"M\":false");
    if (unlikely(q == NULL || bad_any(bad) || m->px == 0 || m->qty == 0 || !time_ns(t, &m->venue_time_ns)))
        return NULL;
    m->trade_id = (int64_t)id;
    m->slot = s->slot;
    m->kind = MD_MSG_TRADE;
    return q;
}

bool
binance_fast_decode(const struct binance_md *d, const char *p, const char *end, struct md_msg *m)
{
    const char *start = p;
    bool wrapped = false;

    if (unlikely(end - p < 64))
        return false;
    if (likely(FAST_IS(p, "{\"stream\":\""))) {
        p += 11;
        unsigned n = quote16(p);
        p += n;
        if (n == 16) {
            n = quote16(p);
            p += n;
        }
        /* 11 + 31 + 9 + 8 bytes at most so far. */
        if (unlikely(n == 16 || p[-1] == '\\' || !FAST_IS(p, "\",\"data\":")))
            return false;
        p += 9;
        wrapped = true;
    }
    if (likely(FAST_IS(p, "{\"u\":")))
        p = fast_ticker(d, start, p + 5, end, m);
    else if (FAST_IS(p, "{\"e\":\"d"))
        p = fast_depth(d, start, p + 6, end, m);
    else if (FAST_IS(p, "{\"e\":\"t"))
        p = fast_trade(d, start, p + 6, end, m);
    else
        return false;
    return likely(p != NULL && end - p == 1 + wrapped && p[0] == '}' && p[wrapped] == '}');
}
