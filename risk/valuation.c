/* Valuations. See valuation.h. */
#include "risk/valuation.h"

/* m * 2^e, m < 2^62 and as large as that allows; every step rounds up. */
struct scaled {
    uint64_t m;
    int e;
};

static struct scaled
scaled_from(unsigned __int128 x, int e)
{
    int up = 0;

    if (x == 0)
        return (struct scaled){ 0, 0 };
    while (x >> 62 != 0) {
        up |= (int)(x & 1);
        x >>= 1;
        e++;
    }
    x += (unsigned)up;
    if (x >> 62 != 0) { /* rounded up to a power of two */
        x >>= 1;
        e++;
    }
    while (x >> 61 == 0) {
        x <<= 1;
        e--;
    }
    return (struct scaled){ (uint64_t)x, e };
}

static struct scaled
scaled_mul(struct scaled a, uint64_t b)
{
    return scaled_from((unsigned __int128)a.m * b, a.e);
}

static struct scaled
scaled_div(struct scaled a, uint64_t b)
{
    unsigned __int128 x = (unsigned __int128)a.m << 64;
    return scaled_from(x / b + (x % b != 0), a.e - 64);
}

void
valuation_set(struct valuation *v, const struct contract *c, px_t px, int64_t rate)
{
    ASSERT(px > 0 && rate > 0 && c->multiplier > 0);
    /* Multiplier and value are both at 10^-8: these cancel. */
    struct scaled s = scaled_from((unsigned __int128)(uint64_t)rate, 0);

    s = scaled_mul(s, (uint64_t)c->multiplier);
    if (c->kind == INSTRUMENT_INVERSE) {
        s = scaled_mul(s, (uint64_t)pow10_i64[c->px_decimals]);
        s = scaled_div(s, (uint64_t)px);
    } else {
        s = scaled_mul(s, (uint64_t)px);
        s = scaled_div(s, (uint64_t)pow10_i64[c->px_decimals]);
    }
    s = scaled_div(s, (uint64_t)pow10_i64[c->qty_decimals]);
    s = scaled_div(s, (uint64_t)pow10_i64[RATE_DECIMALS]);
    while (s.e < -62) {
        s.m = (s.m >> 1) + (s.m & 1);
        s.e++;
    }
    if (s.e > 0) { /* one count is worth more than any limit */
        s.m = (UINT64_C(1) << 62) - 1;
        s.e = 0;
    }
    v->unit = MAX(s.m, 1u);
    v->shift = (uint8_t)-s.e;
}

value_t
rate_convert_floor(value_t v, int64_t rate)
{
    wide_t raw = (wide_t)v * rate;
    wide_t unit = pow10_i64[RATE_DECIMALS];
    wide_t out = raw / unit - (raw % unit < 0 ? 1 : 0);

    return out > RISK_QTY_MAX ? RISK_QTY_MAX : out < -RISK_QTY_MAX ? -RISK_QTY_MAX : (value_t)out;
}
