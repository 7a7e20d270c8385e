/* Digits of a text in an expected form to integers, sixteen at a time: what the fast reader of Binance messages is made
 * of.
 *
 * Used by feed/binance_fast alone.
 *
 * Always true: what is not exactly the expected form is noticed, at once (NULL) or at the message's end (bad_any());
 * never reads past what the caller says is readable. */
#ifndef EXECGW_FEED_BINANCE_DIGITS_H
#define EXECGW_FEED_BINANCE_DIGITS_H

#include "execgw/base.h"

#include <stddef.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

static inline uint64_t
load8(const char *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

/* p + n for n in [0, 16), by a branch that the processor predicts: what follows a number is then read before the
 * number's length is known. Lengths rarely change from one message to the next. */
static inline const char *
ahead(const char *p, unsigned n)
{
    /* The empty asm keeps the compiler from making it an addition again. */
#define AHEAD(k) \
    case k: __asm__("" : "+r"(p)); return p + (k);
    switch (n) {
        AHEAD(1)
        AHEAD(2)
        AHEAD(3)
        AHEAD(4)
        AHEAD(5)
        AHEAD(6)
        AHEAD(7)
        AHEAD(8)
        AHEAD(9)
        AHEAD(10)
        AHEAD(11)
        AHEAD(12)
        AHEAD(13)
        AHEAD(14)
        AHEAD(15)
    default: return p;
    }
#undef AHEAD
}

/* The fast reader looks for what is wrong with digits once a message, at its end: `bad` gathers it. */
#ifdef __SSE2__

typedef __m128i bad_t;

static inline bad_t
bad_none(void)
{
    return _mm_setzero_si128();
}

static inline bool
bad_any(bad_t bad)
{
    return _mm_movemask_epi8(_mm_cmpeq_epi8(bad, _mm_setzero_si128())) != 0xFFFF;
}

/* Sixteen digits, weighted by place, to two numbers: the earlier one in the low half of the result. */
static inline uint64_t
digits_join(__m128i d, __m128i tens, __m128i hundreds, __m128i tenthousands)
{
    __m128i even = _mm_and_si128(d, _mm_set1_epi16(0x00FF)); /* the earlier digit of each pair */
    __m128i pairs = _mm_add_epi16(_mm_mullo_epi16(even, tens), _mm_srli_epi16(d, 8));
    __m128i fours = _mm_madd_epi16(pairs, hundreds);
    __m128i eights = _mm_madd_epi16(_mm_packs_epi32(fours, fours), tenthousands);
    return (uint64_t)_mm_cvtsi128_si64(eights);
}

/* 1..15 digits without a leading zero; 16 bytes are readable at p, and the text began at `start`. Returns what follows,
 * or NULL. */
static inline const char *
fast_u64(const char *start, const char *p, uint64_t *out)
{
    static const uint8_t keep[32] = {
        [16] = 0xFF, [17] = 0xFF, [18] = 0xFF, [19] = 0xFF, [20] = 0xFF, [21] = 0xFF, [22] = 0xFF, [23] = 0xFF,
        [24] = 0xFF, [25] = 0xFF, [26] = 0xFF, [27] = 0xFF, [28] = 0xFF, [29] = 0xFF, [30] = 0xFF, [31] = 0xFF
    };
    const __m128i zero = _mm_set1_epi8('0');
    __m128i d = _mm_sub_epi8(_mm_loadu_si128((const __m128i *)(const void *)p), zero);
    __m128i above = _mm_subs_epu8(d, _mm_set1_epi8(9));
    unsigned other = ~(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(above, _mm_setzero_si128()));
    unsigned n = (unsigned)__builtin_ctz(other);

    if (unlikely(n == 0 || n == 16 || p + n - start < 16 || *p == '0'))
        return NULL;
    p = ahead(p, n);
    /* Once more, ending at the last digit: then each digit stands at its place. */
    d = _mm_sub_epi8(_mm_loadu_si128((const __m128i *)(const void *)(p - 16)), zero);
    d = _mm_and_si128(d, _mm_loadu_si128((const __m128i *)(const void *)(keep + n)));
    uint64_t halves =
        digits_join(d, _mm_set1_epi16(10), _mm_set1_epi32(1 << 16 | 100), _mm_set1_epi32(1 << 16 | 10000));
    *out = (halves & UINT32_MAX) * 100000000 + (halves >> 32);
    return p;
}

/* `digits.dddddddd` with 1..7 digits before the point and eight after; at least 16 bytes stand before p.
 *
 * roomy    true: 16 bytes are readable at p; false: it is found out.
 * Returns  what follows, or NULL. */
static inline const char *
fast_number(const char *p, const char *end, bool roomy, bad_t *bad, uint64_t *whole, uint64_t *fraction)
{
    /* By digits before the point: they and the eight after it; the point itself is the eighth of the sixteen bytes. */
    static const _Alignas(16) uint8_t keep[8][16] = {
#define FRACTION 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF
        { 0, 0, 0, 0, 0, 0, 0, FRACTION },
        { 0, 0, 0, 0, 0, 0, 0xFF, FRACTION },
        { 0, 0, 0, 0, 0, 0xFF, 0xFF, FRACTION },
        { 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, FRACTION },
        { 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, FRACTION },
        { 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, FRACTION },
        { 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, FRACTION },
        { 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, FRACTION },
#undef FRACTION
    };
    if (!roomy && unlikely(end - p < 8))
        return NULL;
    __m128i text = _mm_loadl_epi64((const __m128i *)(const void *)p);
    unsigned points = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(text, _mm_set1_epi8('.')));
    if (unlikely(points <= 1))
        return NULL;
    unsigned n = (unsigned)__builtin_ctz(points);
    p = ahead(p, n) + 9;
    if (!roomy && unlikely(p > end))
        return NULL;
    __m128i d = _mm_sub_epi8(_mm_loadu_si128((const __m128i *)(const void *)(p - 16)), _mm_set1_epi8('0'));
    d = _mm_and_si128(d, _mm_load_si128((const __m128i *)(const void *)keep[n]));
    *bad = _mm_or_si128(*bad, _mm_subs_epu8(d, _mm_set1_epi8(9)));
    /* The point weighs nothing and what stands before it a tenth. */
    uint64_t halves =
        digits_join(d, _mm_set_epi16(10, 10, 10, 10, 1, 10, 10, 10), _mm_set_epi16(1, 100, 1, 100, 1, 10, 1, 100),
                    _mm_set_epi16(1, 10000, 1, 1000, 1, 10000, 1, 1000));
    *whole = halves & UINT32_MAX;
    *fraction = halves >> 32;
    return p;
}

#else

typedef uint64_t bad_t;

static inline bad_t
bad_none(void)
{
    return 0;
}

static inline bool
bad_any(bad_t bad)
{
    return bad != 0;
}

/* Eight characters minus '0', and the top bit of each byte that was no digit: exact up to the first one. */
static inline uint64_t
digit_bytes(uint64_t text, uint64_t *other)
{
    uint64_t t = text ^ UINT64_C(0x3030303030303030);
    *other = ((t + UINT64_C(0x7676767676767676)) | t) & UINT64_C(0x8080808080808080);
    return t;
}

/* Eight digit bytes, first digit in the lowest byte, to their number. */
static inline uint64_t
digits_value(uint64_t t)
{
    t = t * 10 + (t >> 8);
    return ((t & UINT64_C(0x000000FF000000FF)) * UINT64_C(0x000F424000000064) +
            (t >> 16 & UINT64_C(0x000000FF000000FF)) * UINT64_C(0x0000271000000001)) >>
           32;
}

/* 1..15 digits without a leading zero; 16 bytes are readable at p. Returns what follows, or NULL. */
static inline const char *
fast_u64(const char *start, const char *p, uint64_t *out)
{
    uint64_t other;
    uint64_t high = 0;
    uint64_t t = digit_bytes(load8(p), &other);

    (void)start;
    if (unlikely(*p == '0'))
        return NULL;
    if (other == 0) {
        high = digits_value(t);
        p += 8;
        t = digit_bytes(load8(p), &other);
        if (unlikely(other == 0))
            return NULL;
    }
    unsigned n = (unsigned)__builtin_ctzll(other) / 8;
    if (n == 0) {
        *out = high;
        return high != 0 ? p : NULL;
    }
    *out = high * (uint64_t)pow10_i64[n] + digits_value(t << (64 - 8 * n));
    return p + n;
}

/* `digits.dddddddd` with 1..7 digits before the point and eight after.
 *
 * roomy    true: 16 bytes are readable at p; false: it is found out.
 * Returns  what follows, or NULL. */
static inline const char *
fast_number(const char *p, const char *end, bool roomy, bad_t *bad, uint64_t *whole, uint64_t *fraction)
{
    uint64_t other;

    if (!roomy && unlikely(end - p < 8))
        return NULL;
    uint64_t t = digit_bytes(load8(p), &other);
    if (unlikely(other == 0))
        return NULL;
    unsigned n = (unsigned)__builtin_ctzll(other) / 8;
    if (unlikely(n == 0 || p[n] != '.' || end - p < (ptrdiff_t)n + 9))
        return NULL;
    *whole = digits_value(t << (64 - 8 * n));
    t = digit_bytes(load8(p + n + 1), &other);
    *bad |= other;
    *fraction = digits_value(t);
    return p + n + 9;
}

#endif
/* Index of the first quote in the 16 bytes at p; 16 when there is none. */
static inline unsigned
quote16(const char *p)
{
#ifdef __SSE2__
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    unsigned m = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')));
    return (unsigned)__builtin_ctz(m | 0x10000);
#else
    unsigned n = 0;
    while (n < 16 && p[n] != '"')
        n++;
    return n;
#endif
}

#endif
