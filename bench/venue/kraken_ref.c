/* Kraken's reference data and its ways to write things: pairs, assets, ids, times, numbers.
 *
 * Always true: an id's number can be read back from its text, so ids need no table and survive a restart; a pair's
 * decimals are those of its symbol's price tick and lot step. */
#include "bench/venue/kraken.h"

#include <ctype.h>
#include <time.h>

#define D(whole, frac8) (INT64_C(whole) * EMU_ONE + INT64_C(frac8))
#define SYMBOL_BITS     6
#define PX_MAX          D(10000000, 0)

/* Values as AssetPairs shows them, rounded, seen 2026-10. */
#define KRAKEN(sym, b, q, tick, min, cost, start, touch, vola)        \
    {                                                                 \
        .name = sym, .base = b, .quote = q,                           \
        .filters = { .px_min = tick,                                  \
                     .px_max = PX_MAX,                                \
                     .px_tick = tick,                                 \
                     .lot_min = min,                                  \
                     .lot_max = D(1000000000, 0),                     \
                     .lot_step = 1,                                   \
                     .notional_min = cost,                            \
                     .notional_max = 0,                               \
                     .avg_price_mins = 5,                             \
                     .iceberg_parts_max = 15,                         \
                     .order_amends_max = INT32_MAX },                 \
        .start_px = start, .touch_qty = touch, .volatility_ppm = vola \
    }

const struct emu_symbol_def kraken_symbol_defs[] = {
    KRAKEN("BTC/USD", "BTC", "USD", 10000000, 5000, 50000000, D(60000, 0), 50000000, 60),
    KRAKEN("ETH/USD", "ETH", "USD", 1000000, 100000, 50000000, D(3000, 0), D(8, 0), 80),
    KRAKEN("SOL/USD", "SOL", "USD", 1000000, 2000000, 50000000, D(150, 0), D(60, 0), 110),
    KRAKEN("XRP/USD", "XRP", "USD", 1000, 165000000, 50000000, D(0, 60000000), D(9000, 0), 110),
    KRAKEN("DOGE/USD", "DOGE", "USD", 10, D(13, 0), 50000000, D(0, 12000000), D(40000, 0), 140),
    KRAKEN("ADA/USD", "ADA", "USD", 100, 440000000, 50000000, D(0, 45000000), D(12000, 0), 120),
    KRAKEN("BTC/EUR", "BTC", "EUR", 10000000, 5000, 45000000, D(55000, 0), 30000000, 60),
    KRAKEN("ETH/BTC", "ETH", "BTC", 1000, 100000, 2000, D(0, 5000000), D(10, 0), 60),
};
const size_t kraken_symbol_count = ARRAY_LEN(kraken_symbol_defs);

static const struct {
    const char *symbol, *wsname, *altname, *key;
} names[] = {
    { "BTC/USD", "XBT/USD", "XBTUSD", "XXBTZUSD" }, { "ETH/USD", "ETH/USD", "ETHUSD", "XETHZUSD" },
    { "SOL/USD", "SOL/USD", "SOLUSD", "SOLUSD" },   { "XRP/USD", "XRP/USD", "XRPUSD", "XXRPZUSD" },
    { "DOGE/USD", "XDG/USD", "XDGUSD", "XDGUSD" },  { "ADA/USD", "ADA/USD", "ADAUSD", "ADAUSD" },
    { "BTC/EUR", "XBT/EUR", "XBTEUR", "XXBTZEUR" }, { "ETH/BTC", "ETH/XBT", "ETHXBT", "XETHXXBT" },
};
_Static_assert(ARRAY_LEN(names) == ARRAY_LEN(kraken_symbol_defs), "a row each, in the same order");

static const struct {
    const char *asset, *key, *alt;
} assets[] = {
    { "BTC", "XXBT", "XBT" }, { "ETH", "XETH", "ETH" },  { "XRP", "XXRP", "XRP" },
    { "USD", "ZUSD", "USD" }, { "DOGE", "XXDG", "XDG" }, { "EUR", "ZEUR", "EUR" },
};

const char *
kraken_asset_key(const char *asset)
{
    for (size_t i = 0; i < ARRAY_LEN(assets); i++)
        if (strcmp(assets[i].asset, asset) == 0)
            return assets[i].key;
    return asset;
}

const char *
kraken_asset_alt(const char *asset)
{
    for (size_t i = 0; i < ARRAY_LEN(assets); i++)
        if (strcmp(assets[i].asset, asset) == 0)
            return assets[i].alt;
    return asset;
}

/* Digits after the point that a multiple of the step needs. */
static unsigned
decimals_of(int64_t step)
{
    unsigned d = VALUE_DECIMALS;
    for (; d > 0 && step % 10 == 0; d--)
        step /= 10;
    return d;
}

struct kraken_pair
kraken_pair_get(const struct kraken *k, int symbol)
{
    const struct emu_symbol_def *def = emu_symbol_get(k->base.engine, symbol);
    bool dollar = strcmp(def->quote, "USD") == 0 || strcmp(def->quote, "EUR") == 0;

    return (struct kraken_pair){
        .symbol = names[symbol].symbol,
        .wsname = names[symbol].wsname,
        .altname = names[symbol].altname,
        .key = names[symbol].key,
        .px_decimals = decimals_of(def->filters.px_tick),
        .qty_decimals = decimals_of(def->filters.lot_step),
        .cost_decimals = dollar ? 5 : 8,
    };
}

int
kraken_symbol_find(const struct kraken *k, const char *name)
{
    return emu_symbol_find(k->base.engine, name);
}

int
kraken_pair_find(const struct kraken *k, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char plain[EMU_NAME_MAX];
        const struct emu_symbol_def *def = emu_symbol_get(k->base.engine, (int)i);
        (void)snprintf(plain, sizeof(plain), "%.7s%.7s", def->base, def->quote);
        if (strcmp(name, names[i].symbol) == 0 || strcmp(name, names[i].wsname) == 0 ||
            strcmp(name, names[i].altname) == 0 || strcmp(name, names[i].key) == 0 || strcmp(name, plain) == 0)
            return (int)i;
    }
    return -1;
}

/* ---- ids ------------------------------------------------------------------------------------------------------ */

static const char id_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* A permutation of 64 bits, so that neighbours look unlike; scatter and gather undo each other. */
static uint64_t
scatter(uint64_t x)
{
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    x ^= x >> 32;
    return x;
}

static uint64_t
gather(uint64_t x)
{
    x ^= x >> 32;
    x *= UINT64_C(0xcfee444d8b59a89b); /* the inverse of the factor above, modulo 2^64 */
    x ^= x >> 32;
    return x;
}

/* 16 digits of 5 bits, 13 of them the number, three a check. */
static void
txid_make(char out[KRAKEN_TXID_BYTES], char first, uint64_t number)
{
    uint64_t x = scatter(number);
    unsigned check = (unsigned)(x % 32749);
    char d[17];

    for (int i = 0; i < 13; i++)
        d[i] = id_digits[x >> (5 * i) & 31];
    for (int i = 0; i < 3; i++)
        d[13 + i] = id_digits[check >> (5 * i) & 31];
    d[16] = '\0';
    (void)snprintf(out, KRAKEN_TXID_BYTES, "%c%.5s-%.5s-%.6s", first, d, d + 5, d + 10);
}

static bool
txid_read(const char *txid, char first, uint64_t *number)
{
    uint64_t x = 0;
    unsigned check = 0;
    int n = 0;

    if (strlen(txid) != KRAKEN_TXID_BYTES - 1 || txid[0] != first || txid[6] != '-' || txid[12] != '-')
        return false;
    for (const char *p = txid + 1; *p != '\0'; p++) {
        const char *digit = *p == '-' ? NULL : strchr(id_digits, *p);
        if (*p == '-')
            continue;
        if (digit == NULL || n == 16)
            return false;
        uint64_t v = (uint64_t)(digit - id_digits);
        if (n < 13)
            x |= v << (5 * n);
        else
            check |= (unsigned)v << (5 * (n - 13));
        n++;
    }
    *number = gather(x);
    return n == 16 && check == x % 32749;
}

void
kraken_order_txid(char out[KRAKEN_TXID_BYTES], int symbol, int64_t order_id)
{
    txid_make(out, 'O', (uint64_t)order_id << SYMBOL_BITS | (uint64_t)symbol);
}

bool
kraken_order_from_txid(const char *txid, int *symbol, int64_t *order_id)
{
    uint64_t number = 0;

    if (!txid_read(txid, 'O', &number))
        return false;
    *symbol = (int)(number & ((1u << SYMBOL_BITS) - 1));
    *order_id = (int64_t)(number >> SYMBOL_BITS);
    return true;
}

void
kraken_trade_txid(char out[KRAKEN_TXID_BYTES], const struct emu_trade *t)
{
    uint64_t side = t->is_buyer ? 1 : 0;
    txid_make(out, 'T', ((uint64_t)t->id << 1 | side) << SYMBOL_BITS | t->symbol);
}

void
kraken_other_txid(char out[KRAKEN_TXID_BYTES], char first, uint64_t number)
{
    txid_make(out, first, number);
}

/* ---- times ---------------------------------------------------------------------------------------------------- */

void
kraken_time(char out[KRAKEN_TIME_BYTES], int64_t us)
{
    time_t s = (time_t)(us / 1000000);
    struct tm tm;

    (void)gmtime_r(&s, &tm);
    size_t n = strftime(out, KRAKEN_TIME_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out + n, KRAKEN_TIME_BYTES - n, ".%06dZ", (int)(us % 1000000));
}

/* Two digits at s; -1 when they are not. */
static int
two_digits(const char *s)
{
    return isdigit((unsigned char)s[0]) && isdigit((unsigned char)s[1]) ? (s[0] - '0') * 10 + s[1] - '0' : -1;
}

bool
kraken_time_parse(const char *s, int64_t *us)
{
    struct tm tm = { 0 };
    const char *p = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
    int64_t fraction = 0;
    int offset_h = 0;
    int offset_m = 0;

    if (p == NULL)
        return false;
    if (*p == '.') {
        int digits = 0;
        for (p++; *p >= '0' && *p <= '9'; p++, digits++)
            if (digits < 6)
                fraction = fraction * 10 + (*p - '0');
        for (; digits < 6; digits++)
            fraction *= 10;
    }
    if (*p == '+' || *p == '-') {
        offset_h = two_digits(p + 1);
        if (offset_h < 0 || p[3] != ':')
            return false;
        offset_m = two_digits(p + 4);
        if (offset_m < 0)
            return false;
        if (*p == '-') {
            offset_h = -offset_h;
            offset_m = -offset_m;
        }
    } else if (strcmp(p, "Z") != 0) {
        return false;
    }
    *us = ((int64_t)timegm(&tm) - offset_h * 3600 - offset_m * 60) * 1000000 + fraction;
    return true;
}

/* ---- numbers -------------------------------------------------------------------------------------------------- */

void
text_fixed(struct text *t, int64_t v, unsigned decimals)
{
    text_reserve(t, DECIMAL_TEXT);
    t->len += decimal_format(t->at + t->len, v / pow10_i64[VALUE_DECIMALS - decimals], decimals);
}

void
text_short(struct text *t, int64_t v)
{
    unsigned decimals = VALUE_DECIMALS;

    for (; decimals > 1 && v % 10 == 0; decimals--)
        v /= 10;
    text_reserve(t, DECIMAL_TEXT);
    t->len += decimal_format(t->at + t->len, v, decimals);
}

void
text_key_short(struct text *t, const char *key, int64_t v)
{
    text_key(t, key);
    text_short(t, v);
}

void
text_key_quoted(struct text *t, const char *key, int64_t v, unsigned decimals)
{
    text_key(t, key);
    text_bytes(t, "\"", 1);
    text_fixed(t, v, decimals);
    text_bytes(t, "\"", 1);
}

void
text_key_time(struct text *t, const char *key, int64_t us)
{
    char at[KRAKEN_TIME_BYTES];
    kraken_time(at, us);
    text_key_word(t, key, at);
}

void
text_key_seconds(struct text *t, const char *key, int64_t us)
{
    text_key(t, key);
    text_reserve(t, DECIMAL_TEXT);
    t->len += decimal_format(t->at + t->len, us, 6);
}

int64_t
kraken_quotient(int64_t cost, int64_t qty)
{
    return qty == 0 ? 0 : (int64_t)((wide_t)cost * EMU_ONE / qty);
}
