#include "bench/bench_text.h"

#include <ctype.h>
#include <inttypes.h>

static const char *const base[100] = {
    "BTC",   "ETH",  "BNB",   "SOL",  "XRP",  "ADA",  "DOGE", "TRX",  "AVAX",  "DOT",  "LINK",  "LTC",   "BCH",
    "UNI",   "ATOM", "XLM",   "ETC",  "FIL",  "NEAR", "APT",  "ARB",  "OP",    "INJ",  "SUI",   "SEI",   "TIA",
    "AAVE",  "MKR",  "SNX",   "CRV",  "LDO",  "RUNE", "FTM",  "ALGO", "VET",   "ICP",  "HBAR",  "GRT",   "SAND",
    "MANA",  "AXS",  "THETA", "XTZ",  "EOS",  "NEO",  "IOTA", "ZEC",  "DASH",  "KAVA", "COMP",  "YFI",   "SUSHI",
    "1INCH", "ENJ",  "CHZ",   "BAT",  "ZIL",  "QTUM", "ONT",  "ICX",  "WAVES", "KSM",  "CELO",  "FLOW",  "ROSE",
    "ONE",   "GALA", "IMX",   "APE",  "GMT",  "DYDX", "ENS",  "PEPE", "WIF",   "BONK", "FLOKI", "ORDI",  "JUP",
    "PYTH",  "STRK", "WLD",   "BLUR", "MASK", "LRC",  "SKL",  "ANKR", "CTSI",  "OGN",  "BAND",  "STORJ", "RSR",
    "REN",   "KNC",  "ZRX",   "NMR",  "OMG",  "SXP",  "COTI", "CHR",  "TON",
};
static const char *const quote[10] = { "USDT", "USDC", "BTC", "FDUSD", "TRY", "EUR", "ETH", "BNB", "BRL", "TUSD" };

void
bench_symbol(uint32_t i, char out[SYMBOL_BYTES])
{
    ASSERT(i < BENCH_WIDE + 100);
    if (i < BENCH_WIDE)
        (void)snprintf(out, SYMBOL_BYTES, "%s%s", base[i % 100], quote[i / 100]);
    else
        (void)snprintf(out, SYMBOL_BYTES, "%.*s%sFDUSD", (int)(10 - strlen(base[i % 100])), "1000000000",
                       base[i % 100]);
}

struct instrument
bench_instrument(uint32_t i)
{
    struct instrument ins = {
        .status = INSTRUMENT_TRADING,
        .px_decimals = 2,
        .qty_decimals = 5,
        .order_types = 1u << ORDER_LIMIT,
        .tifs = 7,
        .multiplier = VALUE_ONE,
        .tick = 1,
        .px_min = 1,
        .px_max = 100000000,
        .step = 1,
        .qty_min = 1,
        .qty_max = 900000000,
        .market_qty_max = 900000000,
        .notional_max = INT64_MAX,
    };

    bench_symbol(i, ins.symbol);
    const char *q = i < BENCH_WIDE ? quote[i / 100] : "FDUSD";
    (void)snprintf(ins.canonical, sizeof(ins.canonical), "%s/%s", base[i % 100], q);
    (void)snprintf(ins.base, sizeof(ins.base), "%s", base[i % 100]);
    (void)snprintf(ins.quote, sizeof(ins.quote), "%s", q);
    (void)snprintf(ins.settle, sizeof(ins.settle), "%s", q);
    return ins;
}

/* Numbers that move like a market's: any function of n that a branch predictor does not know by heart. */
static uint64_t
mix(uint64_t n)
{
    n += UINT64_C(0x9e3779b97f4a7c15);
    n = (n ^ (n >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    n = (n ^ (n >> 27)) * UINT64_C(0x94d049bb133111eb);
    return n ^ (n >> 31);
}

static void
lower(char out[SYMBOL_BYTES], const char *symbol)
{
    for (size_t i = 0; i < SYMBOL_BYTES; i++) {
        out[i] = (char)tolower((unsigned char)symbol[i]);
        if (symbol[i] == '\0')
            break;
    }
}

/* Whole part of a price of instrument i, the same for the life of the run but for a little movement. */
static unsigned
price(uint32_t i, uint64_t r)
{
    static const unsigned scale[4] = { 64000, 3200, 540, 21 };

    return scale[i % 4] + (unsigned)(r % 7);
}

struct ticker {
    uint32_t symbol;
    uint64_t id;
    uint64_t bid_whole;
    uint64_t ask_whole;
    unsigned cents;
    uint64_t qty_whole[2];
    unsigned qty_fraction[2];
};

static size_t
ticker_text(char *out, size_t room, const struct ticker *t)
{
    char symbol[SYMBOL_BYTES];
    char stream[SYMBOL_BYTES];

    bench_symbol(t->symbol, symbol);
    lower(stream, symbol);
    return (size_t)snprintf(out, room,
                            "{\"stream\":\"%s@bookTicker\",\"data\":{\"u\":%" PRIu64 ",\"s\":\"%s\",\"b\":\"%" PRIu64
                            ".%02u000000\",\"B\":\"%" PRIu64 ".%05u000\",\"a\":\"%" PRIu64
                            ".%02u000000\",\"A\":\"%" PRIu64 ".%05u000\"}}",
                            stream, t->id, symbol, t->bid_whole, t->cents, t->qty_whole[0], t->qty_fraction[0],
                            t->ask_whole, t->cents + 1, t->qty_whole[1], t->qty_fraction[1]);
}

size_t
bench_ticker_plain(char *out, size_t room, uint64_t n, uint32_t instruments)
{
    static const uint64_t unit[3] = { 1, 10, 100 };
    uint64_t r = mix(n);
    uint32_t i = (uint32_t)(n % instruments);
    const struct ticker t = {
        .symbol = i,
        .id = UINT64_C(61000000000) + n,
        .bid_whole = price(i, r),
        .ask_whole = price(i, r),
        .cents = (unsigned)((r >> 8) % 90),
        .qty_whole = { (r >> 16) % 10 * unit[(r >> 60) % 3], (r >> 24) % 10 * unit[(r >> 62) % 3] },
        .qty_fraction = { 1 + (unsigned)((r >> 20) % 99999), 1 + (unsigned)((r >> 28) % 99999) },
    };

    return ticker_text(out, room, &t);
}

size_t
bench_ticker(char out[BENCH_TICKER_LEN + 1], uint64_t n, uint32_t instruments)
{
    const uint64_t seven = 1000000;
    uint64_t r = mix(n);
    const struct ticker t = {
        .symbol = BENCH_WIDE + (uint32_t)(n % instruments),
        .id = UINT64_C(1000000000000) + n,
        .bid_whole = seven + r % 7,
        .ask_whole = seven + r % 7,
        .cents = (unsigned)((r >> 8) % 90),
        .qty_whole = { seven + (r >> 16) % seven, seven + (r >> 24) % seven },
        .qty_fraction = { (unsigned)((r >> 20) % 100000), (unsigned)((r >> 28) % 100000) },
    };
    size_t len = ticker_text(out, BENCH_TICKER_LEN + 1, &t);

    ASSERT(len == BENCH_TICKER_LEN);
    const char *id = strstr(out, "\"u\":");
    ASSERT(id != NULL);
    return (size_t)(id - out) + 4 + 1; /* past the leading 1 */
}

size_t
bench_trade_plain(char *out, size_t room, uint64_t n, uint32_t instruments)
{
    char symbol[SYMBOL_BYTES];
    char stream[SYMBOL_BYTES];
    uint32_t i = (uint32_t)(n % instruments);
    uint64_t r = mix(n);
    uint64_t at = UINT64_C(1790000000000) + n;

    bench_symbol(i, symbol);
    lower(stream, symbol);
    return (size_t)snprintf(out, room,
                            "{\"stream\":\"%s@trade\",\"data\":{\"e\":\"trade\",\"E\":%" PRIu64
                            ",\"s\":\"%s\",\"t\":%" PRIu64
                            ",\"p\":\"%u.%02u000000\",\"q\":\"%u.%05u000\",\"T\":%" PRIu64 ",\"m\":%s,\"M\":true}}",
                            stream, at + 1, symbol, UINT64_C(3920000000) + n, price(i, r), (unsigned)((r >> 8) % 100),
                            (unsigned)(r >> 60), (unsigned)((r >> 16) % 100000), at, (r & 1) != 0 ? "true" : "false");
}

size_t
bench_depth_plain(char *out, size_t room, uint64_t n, uint32_t instruments, unsigned levels)
{
    char symbol[SYMBOL_BYTES];
    char stream[SYMBOL_BYTES];
    uint32_t i = (uint32_t)(n % instruments);
    uint64_t first = UINT64_C(52000000000) + n * 64;
    size_t len;

    bench_symbol(i, symbol);
    lower(stream, symbol);
    len = (size_t)snprintf(out, room,
                           "{\"stream\":\"%s@depth@100ms\",\"data\":{\"e\":\"depthUpdate\",\"E\":%" PRIu64
                           ",\"s\":\"%s\",\"U\":%" PRIu64 ",\"u\":%" PRIu64,
                           stream, UINT64_C(1790000000000) + n, symbol, first, first + 63);
    for (unsigned side = 0; side < 2; side++) {
        len += (size_t)snprintf(out + len, room - len, ",\"%s\":[", side == 0 ? "b" : "a");
        for (unsigned l = 0; l < levels; l++) {
            uint64_t r = mix(n * 64 + side * 32 + l);
            unsigned px = price(i, 0) * 100 + 50;
            px = side == 0 ? px - l : px + 1 + l;
            bool gone = r % 5 == 0;
            len += (size_t)snprintf(out + len, room - len, "%s[\"%u.%02u000000\",\"%u.%05u000\"]", l > 0 ? "," : "",
                                    px / 100, px % 100, gone ? 0 : (unsigned)(r >> 58),
                                    gone ? 0 : (unsigned)((r >> 16) % 100000));
        }
        len += (size_t)snprintf(out + len, room - len, "]");
    }
    len += (size_t)snprintf(out + len, room - len, "}}");
    ASSERT(len < room);
    return len;
}
