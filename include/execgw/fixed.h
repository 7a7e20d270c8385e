/* Exact decimals: text <-> int64_t counts of 10^-decimals, and products with their rounding stated.
 *
 * Between every wire format and everything else: a price or quantity is an integer from the first byte received to the
 * last byte sent. No double anywhere.
 *
 * Always true: a value is exact or refused, but where a function's name says how it is rounded; decimals is in
 * [0, DECIMALS_MAX]. */
#ifndef EXECGW_FIXED_H
#define EXECGW_FIXED_H

#include "execgw/base.h"

typedef int64_t px_t;    /* count of 10^-px_decimals of the instrument version */
typedef int64_t qty_t;   /* count of 10^-qty_decimals of the instrument version */
typedef int64_t value_t; /* money: count of 10^-VALUE_DECIMALS of its currency */

typedef __int128 wide_t; /* px * qty before it is divided */

#define DECIMALS_MAX   18
#define VALUE_DECIMALS 8
#define VALUE_ONE      INT64_C(100000000)
#define DECIMAL_TEXT   24 /* bytes that hold any formatted decimal and its NUL */

static const int64_t pow10_i64[DECIMALS_MAX + 1] = {
    INT64_C(1),
    INT64_C(10),
    INT64_C(100),
    INT64_C(1000),
    INT64_C(10000),
    INT64_C(100000),
    INT64_C(1000000),
    INT64_C(10000000),
    INT64_C(100000000),
    INT64_C(1000000000),
    INT64_C(10000000000),
    INT64_C(100000000000),
    INT64_C(1000000000000),
    INT64_C(10000000000000),
    INT64_C(100000000000000),
    INT64_C(1000000000000000),
    INT64_C(10000000000000000),
    INT64_C(100000000000000000),
    INT64_C(1000000000000000000),
};

/* A count of 10^-from as one of 10^-to: digits past `to` are cut, `beyond` stands for what does not fit. */
static inline wide_t
wide_rescale(wide_t v, unsigned from, unsigned to, wide_t beyond)
{
    wide_t out;

    if (to <= from)
        return v / pow10_i64[from - to];
    return __builtin_mul_overflow(v, (wide_t)pow10_i64[to - from], &out) ? beyond : out;
}

/* The same of a price or quantity; INT64_MAX stands for more than fits. */
static inline int64_t
decimal_rescale(int64_t v, unsigned from, unsigned to)
{
    return (int64_t)MIN(wide_rescale(v, from, to, INT64_MAX), (wide_t)INT64_MAX);
}

/* Decimal text to a count of 10^-decimals.
 *
 * s, n      `[-]digits[.digits]`, whole; no exponent, no spaces, no plus sign; n >= 1.
 * out       written on DECODE_OK only.
 * Returns   DECODE_OK; DECODE_MALFORMED; DECODE_PRECISION when a non-zero digit stands beyond `decimals` (zeros there
 *           are fine); DECODE_RANGE when it does not fit int64_t. */
static inline enum decode_result
decimal_parse(const char *s, size_t n, unsigned decimals, int64_t *out)
{
    const char *end = s + n;
    bool negative = n > 0 && *s == '-';
    uint64_t v = 0;
    unsigned digits = 0;
    unsigned fraction = 0;

    if (negative)
        s++;
    for (; s < end && (unsigned)(*s - '0') <= 9; s++, digits++) {
        if (unlikely(__builtin_mul_overflow(v, UINT64_C(10), &v) ||
                     __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v)))
            return DECODE_RANGE;
    }
    if (unlikely(digits == 0))
        return DECODE_MALFORMED;
    if (s < end && *s == '.') {
        s++;
        if (unlikely(s == end))
            return DECODE_MALFORMED;
        for (; s < end && fraction < decimals && (unsigned)(*s - '0') <= 9; s++, fraction++) {
            if (unlikely(__builtin_mul_overflow(v, UINT64_C(10), &v) ||
                         __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v)))
                return DECODE_RANGE;
        }
        bool lost = false;
        for (; s < end && (unsigned)(*s - '0') <= 9; s++)
            lost |= *s != '0';
        if (unlikely(s < end))
            return DECODE_MALFORMED;
        if (unlikely(lost))
            return DECODE_PRECISION;
    }
    if (unlikely(s < end))
        return DECODE_MALFORMED;
    if (unlikely(__builtin_mul_overflow(v, (uint64_t)pow10_i64[decimals - fraction], &v) || v > INT64_MAX))
        return DECODE_RANGE;
    *out = negative ? -(int64_t)v : (int64_t)v;
    return DECODE_OK;
}

/* So many characters of a decimal's text as have no digit past `decimals`. */
static inline size_t
decimal_span(const char *s, size_t n, unsigned decimals)
{
    const char *point = memchr(s, '.', n);

    return point != NULL && n > (size_t)(point - s) + 1 + decimals
               ? (size_t)(point - s) + (decimals > 0 ? 1 + decimals : 0)
               : n;
}

/* A price above zero to a count of 10^-decimals, rounded up or down to one and never down to zero: what a fill cost
 * must be counted though it has more digits than orders may have.
 *
 * s, n      as decimal_parse.
 * out       written on DECODE_OK only; >= 1.
 * Returns   as decimal_parse, never DECODE_PRECISION; DECODE_MALFORMED also for zero and below. */
static inline enum decode_result
decimal_parse_rounded(const char *s, size_t n, unsigned decimals, bool up, int64_t *out)
{
    size_t exact = decimal_span(s, n, decimals);
    int64_t v = 0;
    bool more = false;
    enum decode_result res = decimal_parse(s, exact, decimals, &v);

    if (unlikely(exact < n && res == DECODE_OK)) {
        size_t i = exact + (decimals == 0); /* past the point */
        if (i == n)
            return DECODE_MALFORMED;
        for (; i < n; i++) {
            if ((unsigned)(s[i] - '0') > 9)
                return DECODE_MALFORMED;
            more |= s[i] != '0';
        }
        if (more && (up || v == 0) && __builtin_add_overflow(v, 1, &v))
            return DECODE_RANGE;
    }
    if (res == DECODE_OK && (v <= 0 || *s == '-'))
        return DECODE_MALFORMED;
    if (res == DECODE_OK)
        *out = v;
    return res;
}

/* What there is at least of an amount, in counts of 10^-decimals: digits past those are cut, INT64_MAX stands for more
 * than fits, 0 for what is below zero or no number. *whole is false for the last three: how much it is was not said. */
static inline int64_t
decimal_at_least(const char *s, size_t n, unsigned decimals, bool *whole)
{
    int64_t v = 0;

    n = decimal_span(s, n, decimals);
    enum decode_result res = decimal_parse(s, n, decimals, &v);
    *whole = res == DECODE_OK && v >= 0;
    if (*whole)
        return v;
    if (res != DECODE_RANGE || *s == '-')
        return 0;
    for (size_t i = 0; i < n; i++)
        if ((unsigned)(s[i] - '0') > 9 && s[i] != '.')
            return 0;
    return INT64_MAX;
}

/* Eight digits of v < 10^8 as the bytes of a word, the first one lowest: quotients of all pairs at once. */
static inline uint64_t
decimal_digits8(uint32_t v)
{
    uint64_t fours = (uint64_t)(v / 10000) | (uint64_t)(v % 10000) << 32;
    uint64_t hundreds = (fours * 10486 >> 20) & UINT64_C(0x7f0000007f); /* of each: / 100, right below 10^4 */
    uint64_t twos = hundreds | (fours - hundreds * 100) << 16;
    uint64_t tens = (twos * 103 >> 10) & UINT64_C(0x000f000f000f000f); /* of each: / 10, right below 100 */

    return tens | (twos - tens * 10) << 8;
}

/* The same as decimal_format for 0 <= u < 10^15 and decimals < 15, without a loop. */
static inline size_t
decimal_format_short(char *buf, uint64_t u, unsigned decimals)
{
    const uint64_t zeros = UINT64_C(0x3030303030303030);
    uint64_t high = decimal_digits8((uint32_t)(u / 100000000));
    uint64_t low = decimal_digits8((uint32_t)(u % 100000000));
    unsigned leading =
        high != 0 ? (unsigned)__builtin_ctzll(high) / 8 : 8 + (unsigned)__builtin_ctzll(low | 1ull << 63) / 8;
    unsigned n = MAX(16 - leading, decimals + 1);
    unsigned __int128 text = ((unsigned __int128)(low + zeros) << 64 | (high + zeros)) >> 8 * (16 - n);
    unsigned whole = n - decimals;

    memcpy(buf, &text, sizeof(text));
    if (decimals != 0) {
        text >>= 8 * whole;
        uint64_t part[2] = { (uint64_t)text, (uint64_t)(text >> 64) };
        buf[whole] = '.';
        memcpy(buf + whole + 1, &part[0], 8);
        if (decimals > 8)
            memcpy(buf + whole + 9, &part[1], 8);
        n++;
    }
    buf[n] = '\0';
    return n;
}

/* A count of 10^-decimals as text with exactly `decimals` digits after the point, NUL-terminated.
 * buf has DECIMAL_TEXT bytes, all of which may be written. Returns the length without the NUL. */
static inline size_t
decimal_format(char *buf, int64_t v, unsigned decimals)
{
    char tmp[DECIMAL_TEXT];
    size_t n = 0;
    uint64_t u = v < 0 ? UINT64_C(0) - (uint64_t)v : (uint64_t)v;
    size_t len = 0;

    if (likely(v >= 0 && u < UINT64_C(1000000000000000) && decimals < 15))
        return decimal_format_short(buf, u, decimals);
    do {
        if (decimals != 0 && n == decimals)
            tmp[n++] = '.';
        tmp[n++] = (char)('0' + u % 10);
        u /= 10;
    } while (u != 0 || n <= decimals);
    if (v < 0)
        buf[len++] = '-';
    while (n > 0)
        buf[len++] = tmp[--n];
    buf[len] = '\0';
    return len;
}

/* The same with as many digits as `step`, a tick or a lot, needs; more when the value has more. */
static inline size_t
decimal_format_step(char *buf, int64_t v, unsigned decimals, int64_t step)
{
    size_t n = decimal_format(buf, v, decimals);
    unsigned cut = 0;

    while (cut < decimals && v % pow10_i64[cut + 1] == 0 && step % pow10_i64[cut + 1] == 0)
        cut++;
    if (cut == decimals && cut > 0)
        cut++; /* the point as well */
    buf[n - cut] = '\0';
    return n - cut;
}

/* |px| * |qty| * multiplier as money of the quote currency, rounded up (against us when it is a limit).
 *
 * multiplier  count of 10^-VALUE_DECIMALS per unit of quantity; VALUE_ONE for spot.
 * Returns     INT64_MAX when it does not fit: more than any limit. */
static inline value_t
notional_ceil(px_t px, qty_t qty, unsigned px_decimals, unsigned qty_decimals, int64_t multiplier)
{
    unsigned __int128 raw = (unsigned __int128)(px < 0 ? UINT64_C(0) - (uint64_t)px : (uint64_t)px) *
                            (qty < 0 ? UINT64_C(0) - (uint64_t)qty : (uint64_t)qty);
    unsigned scale = px_decimals + qty_decimals;

    if (likely(multiplier == VALUE_ONE && scale >= VALUE_DECIMALS && (raw >> 64) == 0 &&
               scale - VALUE_DECIMALS <= DECIMALS_MAX)) {
        uint64_t d = (uint64_t)pow10_i64[scale - VALUE_DECIMALS];
        uint64_t q = (uint64_t)raw / d + ((uint64_t)raw % d != 0);
        return q > INT64_MAX ? INT64_MAX : (value_t)q;
    }
    if (multiplier == VALUE_ONE && scale < VALUE_DECIMALS && (raw >> 64) == 0) {
        unsigned __int128 v = (unsigned __int128)(uint64_t)raw * (uint64_t)pow10_i64[VALUE_DECIMALS - scale];
        return v > INT64_MAX ? INT64_MAX : (value_t)v;
    }
    /* Wide path: raw < 2^127. Divide by 10^scale in two steps; ceil(ceil(x / a) / b) == ceil(x / ab). */
    if (multiplier == VALUE_ONE && scale >= VALUE_DECIMALS)
        scale -= VALUE_DECIMALS;
    else if (multiplier < 0 || __builtin_mul_overflow(raw, (unsigned __int128)(uint64_t)multiplier, &raw))
        return INT64_MAX;
    unsigned first = scale > DECIMALS_MAX ? DECIMALS_MAX : scale;
    for (unsigned step = 0; step < 2; step++) {
        unsigned __int128 d = (unsigned __int128)(uint64_t)pow10_i64[step == 0 ? first : scale - first];
        raw = raw / d + (raw % d != 0);
    }
    return raw > INT64_MAX ? INT64_MAX : (value_t)raw;
}

#endif
