/* Binance Spot market data: see binance_md.h.
 *
 * Two readers of the same messages. The fast one knows the text: fixed keys in the venue's order, decimals with eight
 * digits after the point, eight bytes at a time. It gives up at the first byte that differs, and the general one starts
 * again on json_scan and names what is wrong. Both must agree wherever the fast one succeeds. */
#include "feed/binance_md.h"
#include "feed/json_scan.h"
#include "feed/md_symbol.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define NO_SLOT MD_NO_SLOT

/* ---- symbol table ---- */

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

static const struct binance_symbol *
symbol_find_text(const struct binance_md *d, const char *s, size_t n)
{
    struct symbol_words w;

    if (!symbol_words_of(s, n, &w))
        return NULL;
    return symbol_find(d, &w);
}

size_t
binance_md_footprint(uint32_t instruments_max)
{
    return arena_cost(md_symbol_table_size(instruments_max) * sizeof(struct binance_symbol));
}

void
binance_md_init(struct binance_md *d, uint32_t instruments_max, struct arena *arena)
{
    uint32_t n = md_symbol_table_size(instruments_max);

    ASSERT(instruments_max > 0 && instruments_max <= INSTRUMENT_MAX);
    *d = (struct binance_md){
        .table = arena_take(arena, n * sizeof(struct binance_symbol)),
        .mask = n - 1,
        .count_max = instruments_max,
    };
}

static struct binance_scale
scale_of(uint8_t decimals)
{
    struct binance_scale s = { .decimals = decimals };

    if (decimals <= 8) {
        s.divisor = (uint32_t)pow10_i64[8 - decimals];
        s.inverse = ((UINT64_C(1) << 63) + s.divisor - 1) / s.divisor;
    }
    return s;
}

bool
binance_md_add(struct binance_md *d, const struct instrument *ins, uint32_t slot)
{
    struct symbol_words w;

    if (!md_symbol_usable(ins, &w))
        return false;
    uint32_t i = symbol_hash(&w) & d->mask;
    while (d->table[i].symbol_len != 0 && memcmp(d->table[i].symbol, &w, sizeof(w)) != 0)
        i = (i + 1) & d->mask;
    struct binance_symbol *e = &d->table[i];
    if (e->symbol_len == 0) {
        if (d->count == d->count_max)
            return false;
        d->count++;
    }
    memcpy(e->symbol, &w, sizeof(w));
    e->slot = slot;
    e->symbol_len = (uint8_t)strlen(ins->symbol);
    e->px = scale_of(ins->px_decimals);
    e->qty = scale_of(ins->qty_decimals);
    e->narrow = e->px.divisor != 0 && e->qty.divisor != 0;
    return true;
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

/* ---- the fast reader ---- */

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

/* The whole message; NULL when it is not exactly what the venue sends today. */
static inline const char *
fast_message(const struct binance_md *d, const char *p, const char *end, struct md_msg *m)
{
    const char *start = p;
    bool wrapped = false;

    if (unlikely(end - p < 64))
        return NULL;
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
            return NULL;
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
        return NULL;
    if (unlikely(p == NULL || end - p != 1 + wrapped || p[0] != '}' || p[wrapped] != '}'))
        return NULL;
    return p;
}

/* ---- the general reader ---- */

/* What may stand in a message, as found, in any order. Texts are NULL where absent. */
struct fields {
    bool is_object;
    bool has_result;
    bool has_error;
    bool has_id;
    bool has_e;
    bool has_first_id;
    bool has_last_id;
    bool has_trade_id;
    bool has_maker;
    bool maker;
    int64_t id;
    int64_t code;
    uint64_t event_time;
    uint64_t trade_time;
    uint64_t first_id;
    uint64_t last_id;
    uint64_t trade_id;
    struct json_text e;
    struct json_text s;
    struct json_text b, B, a, A, p, q; /* raw: what they mean depends on e and s */
    struct json_text data;
    struct json_text stream;
    struct json_text msg;
};

static void
read_id(struct json_scan *j, struct fields *f)
{
    f->has_id = true;
    f->id = -1;
    if (json_peek(j) == JSON_NUMBER)
        (void)json_i64(j, &f->id);
    else
        (void)json_skip(j);
}

/* {"code":n,"msg":"..."} as the value of "error". */
static void
read_error(struct json_scan *j, struct fields *f)
{
    struct json_text key;

    f->has_error = true;
    if (json_peek(j) != JSON_OBJECT) {
        (void)json_skip(j);
        return;
    }
    (void)json_object(j);
    while (json_key(j, &key)) {
        if (JSON_IS(key, "code"))
            (void)json_i64(j, &f->code);
        else if (JSON_IS(key, "msg"))
            (void)json_string(j, &f->msg);
        else
            (void)json_skip(j);
    }
}

/* A key of one character: the fields of market data. */
static void
read_short(struct json_scan *j, char key, struct fields *f)
{
    switch (key) {
    case 'e': f->has_e = json_string(j, &f->e); break;
    case 's': (void)json_string(j, &f->s); break;
    case 'E': (void)json_u64(j, &f->event_time); break;
    case 'T': (void)json_u64(j, &f->trade_time); break;
    case 'U': f->has_first_id = json_u64(j, &f->first_id); break;
    case 'u': f->has_last_id = json_u64(j, &f->last_id); break;
    case 't': f->has_trade_id = json_u64(j, &f->trade_id); break;
    case 'm': f->has_maker = json_bool(j, &f->maker); break;
    case 'b': (void)json_raw(j, &f->b); break;
    case 'B': (void)json_raw(j, &f->B); break;
    case 'a': (void)json_raw(j, &f->a); break;
    case 'A': (void)json_raw(j, &f->A); break;
    case 'p': (void)json_raw(j, &f->p); break;
    case 'q': (void)json_raw(j, &f->q); break;
    default: (void)json_skip(j);
    }
}

/* Every field of one object. False when it is not JSON; what was read before that stays. */
static bool
read_fields(const char *buf, size_t len, struct fields *f)
{
    struct json_scan j;
    struct json_text key;

    json_init(&j, buf, len);
    f->is_object = json_object(&j);
    while (json_key(&j, &key)) {
        if (key.n == 1 && !key.escaped)
            read_short(&j, key.s[0], f);
        else if (JSON_IS(key, "data"))
            (void)json_raw(&j, &f->data);
        else if (JSON_IS(key, "stream"))
            (void)json_string(&j, &f->stream);
        else if (JSON_IS(key, "result"))
            f->has_result = json_skip(&j);
        else if (JSON_IS(key, "id"))
            read_id(&j, f);
        else if (JSON_IS(key, "error"))
            read_error(&j, f);
        else if (JSON_IS(key, "code"))
            f->has_error = json_i64(&j, &f->code);
        else if (JSON_IS(key, "msg"))
            (void)json_string(&j, &f->msg);
        else
            (void)json_skip(&j);
    }
    return json_done(&j);
}

/* Printable text of the venue's words. */
static void
copy_text(const struct json_text *t, char *to, size_t room)
{
    size_t n = t->n < room - 1 ? t->n : room - 1;

    for (size_t i = 0; i < n; i++)
        to[i] = t->s[i] >= ' ' && t->s[i] <= '~' ? t->s[i] : '?';
    to[n] = '\0';
}

static const struct binance_symbol *
find_symbol(const struct binance_md *d, const struct json_text *t)
{
    char plain[SYMBOL_BYTES];

    if (!t->escaped)
        return symbol_find_text(d, t->s, t->n);
    int n = json_unescape(t, plain, sizeof(plain));
    return n > 0 ? symbol_find_text(d, plain, (size_t)n) : NULL;
}

/* A raw value, which must be a string that holds a decimal >= 0. */
static enum decode_result
raw_decimal(const struct json_text *raw, unsigned decimals, int64_t *out)
{
    struct json_scan j;
    struct json_text t;
    int64_t v;

    if (raw->s == NULL)
        return DECODE_MALFORMED;
    json_init(&j, raw->s, raw->n);
    if (!json_string(&j, &t) || t.n == 0)
        return DECODE_MALFORMED;
    enum decode_result res = decimal_parse(t.s, t.n, decimals, &v);
    if (res == DECODE_OK && v < 0)
        return DECODE_MALFORMED;
    if (res == DECODE_OK)
        *out = v;
    return res;
}

/* One `["px","qty"]`; further elements are ignored. */
static enum decode_result
read_level(struct json_scan *j, const struct binance_symbol *s, struct level *out)
{
    enum decode_result res;
    struct json_text px;
    struct json_text qty;

    if (!json_array(j) || !json_element(j) || !json_raw(j, &px) || !json_element(j) || !json_raw(j, &qty))
        return DECODE_MALFORMED;
    while (json_element(j))
        (void)json_skip(j);
    res = raw_decimal(&px, s->px.decimals, &out->px);
    if (res == DECODE_OK)
        res = raw_decimal(&qty, s->qty.decimals, &out->qty);
    if (res == DECODE_OK && out->px == 0)
        res = DECODE_MALFORMED;
    return j->bad ? DECODE_MALFORMED : res;
}

static enum decode_result
read_levels(const struct json_text *raw, const struct binance_symbol *s, struct level *to, uint32_t max,
            uint32_t *count)
{
    struct json_scan j;
    uint32_t n = 0;

    if (raw->s == NULL)
        return DECODE_MALFORMED;
    json_init(&j, raw->s, raw->n);
    (void)json_array(&j);
    while (json_element(&j)) {
        if (n == max)
            return DECODE_RANGE;
        enum decode_result res = read_level(&j, s, &to[n]);
        if (res != DECODE_OK)
            return res;
        n++;
    }
    *count = n;
    return json_done(&j) ? DECODE_OK : DECODE_MALFORMED;
}

static enum decode_result
general_ticker(const struct fields *f, const struct binance_symbol *s, struct md_msg *m)
{
    enum decode_result res = f->has_last_id ? DECODE_OK : DECODE_MALFORMED;

    m->last_id = f->last_id;
    if (res == DECODE_OK)
        res = raw_decimal(&f->b, s->px.decimals, &m->bid.px);
    if (res == DECODE_OK)
        res = raw_decimal(&f->B, s->qty.decimals, &m->bid.qty);
    if (res == DECODE_OK)
        res = raw_decimal(&f->a, s->px.decimals, &m->ask.px);
    if (res == DECODE_OK)
        res = raw_decimal(&f->A, s->qty.decimals, &m->ask.qty);
    m->venue_time_ns = 0;
    if (res == DECODE_OK && !time_ns(f->event_time, &m->venue_time_ns))
        res = DECODE_RANGE;
    return res;
}

static enum decode_result
general_depth(const struct fields *f, const struct binance_symbol *s, struct md_msg *m)
{
    if (!f->has_first_id || !f->has_last_id || f->first_id > f->last_id)
        return DECODE_MALFORMED;
    m->first_id = f->first_id;
    m->last_id = f->last_id;
    enum decode_result res = read_levels(&f->b, s, m->bids, m->levels_max, &m->bid_count);
    if (res == DECODE_OK)
        res = read_levels(&f->a, s, m->asks, m->levels_max, &m->ask_count);
    if (res == DECODE_OK && !time_ns(f->event_time, &m->venue_time_ns))
        res = DECODE_RANGE;
    return res;
}

static enum decode_result
general_trade(const struct fields *f, const struct binance_symbol *s, struct md_msg *m)
{
    if (!f->has_trade_id || !f->has_maker)
        return DECODE_MALFORMED;
    if (f->trade_id > INT64_MAX)
        return DECODE_RANGE;
    m->trade_id = (int64_t)f->trade_id;
    m->aggressor = f->maker ? SIDE_SELL : SIDE_BUY;
    enum decode_result res = raw_decimal(&f->p, s->px.decimals, &m->px);
    if (res == DECODE_OK)
        res = raw_decimal(&f->q, s->qty.decimals, &m->qty);
    if (res == DECODE_OK && (m->px == 0 || m->qty == 0))
        res = DECODE_MALFORMED;
    if (res == DECODE_OK && !time_ns(f->trade_time != 0 ? f->trade_time : f->event_time, &m->venue_time_ns))
        res = DECODE_RANGE;
    return res;
}

/* Which message the fields make. */
static enum md_msg_kind
kind_of(const struct fields *f)
{
    if (f->has_e) {
        if (JSON_IS(f->e, "depthUpdate"))
            return MD_MSG_DEPTH;
        if (JSON_IS(f->e, "trade"))
            return MD_MSG_TRADE;
        if (JSON_IS(f->e, "bookTicker"))
            return MD_MSG_TICKER;
        return JSON_IS(f->e, "serverShutdown") ? MD_MSG_SHUTDOWN : MD_MSG_OTHER;
    }
    if (f->s.s != NULL)
        return f->has_first_id ? MD_MSG_DEPTH : f->B.s != NULL || f->A.s != NULL ? MD_MSG_TICKER : MD_MSG_OTHER;
    if (f->has_error)
        return MD_MSG_ERROR;
    return f->has_result && f->has_id ? MD_MSG_REPLY : MD_MSG_OTHER;
}

/* Whom a message concerns by its stream's name, `<symbol>@<stream>`: for messages whose own fields cannot be read. */
static void
blame_stream(const struct binance_md *d, const struct json_text *stream, struct md_msg *m)
{
    char symbol[SYMBOL_BYTES];
    const char *at = stream->s != NULL ? memchr(stream->s, '@', stream->n) : NULL;

    if (at == NULL || (size_t)(at - stream->s) >= sizeof(symbol))
        return;
    size_t n = (size_t)(at - stream->s);
    for (size_t i = 0; i < n; i++)
        symbol[i] = stream->s[i] >= 'a' && stream->s[i] <= 'z' ? (char)(stream->s[i] - ('a' - 'A')) : stream->s[i];
    const struct binance_symbol *s = symbol_find_text(d, symbol, n);
    size_t left = stream->n - n;
    if (s != NULL)
        m->slot = s->slot;
    if (left >= 6 && memcmp(at, "@depth", 6) == 0)
        m->kind = MD_MSG_DEPTH;
    else if (left == 11 && memcmp(at, "@bookTicker", 11) == 0)
        m->kind = MD_MSG_TICKER;
    else if (left == 6 && memcmp(at, "@trade", 6) == 0)
        m->kind = MD_MSG_TRADE;
}

static enum decode_result
general_market(const struct binance_md *d, const struct fields *f, struct md_msg *m)
{
    if (f->s.s == NULL)
        return DECODE_MALFORMED;
    const struct binance_symbol *s = find_symbol(d, &f->s);
    if (s == NULL) {
        m->slot = NO_SLOT;
        return DECODE_UNKNOWN_SYMBOL;
    }
    m->slot = s->slot;
    switch (m->kind) {
    case MD_MSG_TICKER: return general_ticker(f, s, m);
    case MD_MSG_DEPTH: return f->has_e ? general_depth(f, s, m) : DECODE_MALFORMED;
    default: return general_trade(f, s, m);
    }
}

static COLD enum decode_result
general_message(const struct binance_md *d, const char *buf, size_t len, struct md_msg *m)
{
    struct fields f = { 0 };
    bool readable = read_fields(buf, len, &f);

    m->kind = MD_MSG_OTHER;
    m->slot = NO_SLOT;
    m->venue_time_ns = 0;
    blame_stream(d, &f.stream, m);
    if (readable && f.data.s != NULL) {
        struct json_text inner = f.data;
        f = (struct fields){ 0 };
        readable = read_fields(inner.s, inner.n, &f);
    }
    if (f.s.s != NULL || f.has_e) {
        enum md_msg_kind kind = kind_of(&f);
        const struct binance_symbol *s = f.s.s != NULL ? find_symbol(d, &f.s) : NULL;
        m->kind = kind != MD_MSG_OTHER ? (uint8_t)kind : m->kind;
        m->slot = s != NULL ? s->slot : m->slot;
    }
    if (!readable)
        return DECODE_MALFORMED;
    m->kind = (uint8_t)kind_of(&f);
    m->request_id = f.has_id ? f.id : -1;
    switch (m->kind) {
    case MD_MSG_TICKER:
    case MD_MSG_DEPTH:
    case MD_MSG_TRADE: return general_market(d, &f, m);
    case MD_MSG_ERROR:
        m->code = f.code < INT32_MIN || f.code > INT32_MAX ? 0 : (int32_t)f.code;
        copy_text(&f.msg, m->text, sizeof(m->text));
        return DECODE_OK;
    case MD_MSG_OTHER: return DECODE_IGNORED;
    default: return DECODE_OK;
    }
}

enum decode_result
binance_md_decode(const struct binance_md *d, const uint8_t *buf, size_t len, struct md_msg *out)
{
    const char *p = (const char *)buf;

    if (likely(fast_message(d, p, p + len, out) != NULL))
        return DECODE_OK;
    return general_message(d, p, len, out);
}

/* ---- requests ---- */

/* A text that grows until it does not fit. */
struct writer {
    char *buf;
    size_t room;
    size_t len;
    bool full;
};

static void
put(struct writer *w, const char *s, size_t n)
{
    if (w->full || w->room - w->len < n) {
        w->full = true;
        return;
    }
    memcpy(w->buf + w->len, s, n);
    w->len += n;
}

/* `"btcusdt@depth@100ms"` */
static void
put_stream(struct writer *w, const char *symbol, const char *stream, bool first)
{
    if (!first)
        put(w, ",", 1);
    put(w, "\"", 1);
    for (const char *s = symbol; *s != '\0'; s++) {
        char c = *s >= 'A' && *s <= 'Z' ? (char)(*s + ('a' - 'A')) : *s;
        if (c == '"' || c == '\\' || (unsigned char)c < ' ')
            w->full = true;
        put(w, &c, 1);
    }
    put(w, stream, strlen(stream));
    put(w, "\"", 1);
}

size_t
binance_md_subscribe(char *buf, size_t room, int64_t request_id, const char *const *symbols, size_t count,
                     unsigned streams, size_t *used)
{
    static const struct {
        unsigned bit;
        const char *name;
    } known[] = {
        { MD_STREAM_DEPTH, "@depth@100ms" },
        { MD_STREAM_TICKER, "@bookTicker" },
        { MD_STREAM_TRADE, "@trade" },
    };
    char tail[40];
    int tail_len = snprintf(tail, sizeof(tail), "],\"id\":%lld}", (long long)request_id);
    struct writer w = { .buf = buf, .room = room };
    size_t n = 0;

    *used = 0;
    if (room < (size_t)tail_len)
        return 0;
    w.room = room - (size_t)tail_len;
    put(&w, "{\"method\":\"SUBSCRIBE\",\"params\":[", 32);
    for (; n < count; n++) {
        size_t before = w.len;
        bool first = n == 0;
        for (size_t i = 0; i < ARRAY_LEN(known); i++) {
            if ((streams & known[i].bit) != 0) {
                put_stream(&w, symbols[n], known[i].name, first);
                first = false;
            }
        }
        if (w.full) {
            w.len = before;
            break;
        }
    }
    if (n == 0)
        return 0;
    *used = n;
    memcpy(buf + w.len, tail, (size_t)tail_len);
    return w.len + (size_t)tail_len;
}

/* ---- as a dialect ---- */

static void *
dialect_init(uint32_t instruments_max, struct arena *arena)
{
    struct binance_md *d = (struct binance_md *)arena_take(arena, sizeof(*d));

    binance_md_init(d, instruments_max, arena);
    return d;
}

static size_t
dialect_footprint(uint32_t instruments_max)
{
    return arena_cost(sizeof(struct binance_md)) + binance_md_footprint(instruments_max);
}

static bool
dialect_add(void *decoder, const struct instrument *ins, uint32_t slot)
{
    return binance_md_add((struct binance_md *)decoder, ins, slot);
}

static enum decode_result
dialect_decode(const void *decoder, const uint8_t *buf, size_t len, struct md_msg *out)
{
    return binance_md_decode((const struct binance_md *)decoder, buf, len, out);
}

static size_t
dialect_request(const struct md_request *rq, char *buf, size_t room, size_t *used)
{
    ASSERT(!rq->off); /* a sequenced book is repaired by a snapshot */
    return binance_md_subscribe(buf, room, rq->id, rq->symbols, rq->count, rq->streams, used);
}

const struct feed_dialect feed_binance = {
    .name = "binance",
    .streams = MD_STREAM_DEPTH | MD_STREAM_TICKER | MD_STREAM_TRADE,
    .streams_max = 1024,
    .footprint = dialect_footprint,
    .init = dialect_init,
    .add = dialect_add,
    .decode = dialect_decode,
    .request = dialect_request,
};
