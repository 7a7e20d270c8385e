/* Decode: one whole text message to integers, our schema-specific scanner beside jansson on the same bytes.
 *
 * Both sides end in the same place: symbol looked up, ids and quantities as integers. jansson builds its tree and the
 * integers are read from it, as a program that uses it would. A Kraken book update is measured with the checksum that
 * every one of them needs. */
#include "bench/bench.h"
#include "bench/bench_text.h"
#include "execgw/fixed.h"
#include "feed/binance_md.h"
#include "feed/kraken_md.h"

#include <jansson.h>
#include <sys/mman.h>

#define MESSAGES    512u /* different ones, taken in turn */
#define BATCH       16u  /* timed together */
#define INSTRUMENTS 100u
#define LEVELS      20u

enum kind { TICKER, TRADE, DEPTH, KINDS };
static const char *const kind_name[KINDS] = { "bookTicker", "trade", "depth20+20" };

struct text {
    char *bytes[MESSAGES];
    size_t len[MESSAGES];
};

struct bench_decoder {
    struct binance_md md;
    struct md_msg msg;
    struct text text[KINDS];
    struct level bids[LEVELS]; /* where jansson's integers go */
    struct level asks[LEVELS];
    struct instrument instrument[INSTRUMENTS];
    uint64_t ids;
};

static void
texts_make(struct bench_decoder *d)
{
    char buf[BENCH_TEXT_MAX];

    for (unsigned k = 0; k < KINDS; k++) {
        for (unsigned i = 0; i < MESSAGES; i++) {
            size_t n = k == TICKER  ? bench_ticker_plain(buf, sizeof(buf), i, INSTRUMENTS)
                       : k == TRADE ? bench_trade_plain(buf, sizeof(buf), i, INSTRUMENTS)
                                    : bench_depth_plain(buf, sizeof(buf), i, INSTRUMENTS, LEVELS);
            ASSERT(n < sizeof(buf));
            d->text[k].bytes[i] = strdup(buf);
            d->text[k].len[i] = n;
        }
    }
}

static struct bench_decoder *
decoder_make(void)
{
    struct bench_decoder *d = (struct bench_decoder *)calloc(1, sizeof(*d));
    struct arena arena = { .size = binance_md_footprint(INSTRUMENTS) + md_msg_footprint(64) };

    ASSERT(d != NULL);
    arena.base = (uint8_t *)aligned_alloc(64, (arena.size + 63) & ~(size_t)63);
    ASSERT(arena.base != NULL);
    binance_md_init(&d->md, INSTRUMENTS, &arena);
    md_msg_init(&d->msg, 64, &arena);
    for (uint32_t i = 0; i < INSTRUMENTS; i++) {
        d->instrument[i] = bench_instrument(i);
        ASSERT(binance_md_add(&d->md, &d->instrument[i], i));
    }
    texts_make(d);
    return d;
}

/* ---- ours ---- */

__attribute__((noinline)) static void
ours(struct bench_decoder *d, unsigned kind, uint64_t i)
{
    const struct text *t = &d->text[kind];

    if (binance_md_decode(&d->md, (const uint8_t *)t->bytes[i], t->len[i], &d->msg) != DECODE_OK)
        bench_die("decode: our own message was not read: %s", t->bytes[i]);
    bench_use(&d->msg);
}

/* ---- jansson ---- */

static int64_t
decimal_of(const json_t *v, unsigned decimals)
{
    int64_t out = 0;
    const char *s = json_string_value(v);

    if (s == NULL || decimal_parse(s, strlen(s), decimals, &out) != DECODE_OK)
        bench_die("decode: jansson found no number");
    return out;
}

static void
levels_of(const json_t *side, struct level *out)
{
    size_t n = json_array_size(side);

    for (size_t i = 0; i < MIN(n, LEVELS); i++) {
        const json_t *l = json_array_get(side, i);
        out[i].px = decimal_of(json_array_get(l, 0), 2);
        out[i].qty = decimal_of(json_array_get(l, 1), 5);
    }
}

static void
slot_of(const struct bench_decoder *d, const json_t *symbol)
{
    const char *s = json_string_value(symbol);

    for (uint32_t i = 0; s != NULL && i < INSTRUMENTS; i++) /* found early: the cheapest look-up there is */
        if (d->instrument[i].symbol[0] == s[0])
            return;
    bench_die("decode: jansson found no symbol");
}

__attribute__((noinline)) static void
peer(struct bench_decoder *d, unsigned kind, uint64_t i)
{
    const struct text *t = &d->text[kind];
    json_error_t e;
    json_t *root = json_loadb(t->bytes[i], t->len[i], 0, &e);
    const json_t *data = json_object_get(root, "data");

    slot_of(d, json_object_get(data, "s"));
    switch (kind) {
    case TICKER:
        d->ids += (uint64_t)json_integer_value(json_object_get(data, "u"));
        d->bids[0].px = decimal_of(json_object_get(data, "b"), 2);
        d->bids[0].qty = decimal_of(json_object_get(data, "B"), 5);
        d->asks[0].px = decimal_of(json_object_get(data, "a"), 2);
        d->asks[0].qty = decimal_of(json_object_get(data, "A"), 5);
        break;
    case TRADE:
        d->ids += (uint64_t)json_integer_value(json_object_get(data, "t"));
        d->ids += (uint64_t)json_integer_value(json_object_get(data, "T"));
        d->ids += json_is_true(json_object_get(data, "m"));
        d->bids[0].px = decimal_of(json_object_get(data, "p"), 2);
        d->bids[0].qty = decimal_of(json_object_get(data, "q"), 5);
        break;
    default:
        d->ids += (uint64_t)json_integer_value(json_object_get(data, "U"));
        d->ids += (uint64_t)json_integer_value(json_object_get(data, "u"));
        levels_of(json_object_get(data, "b"), d->bids);
        levels_of(json_object_get(data, "a"), d->asks);
        break;
    }
    json_decref(root);
    bench_use(d);
}

/* ---- measuring ---- */

typedef void decode_fn(struct bench_decoder *d, unsigned kind, uint64_t i);

static void
measure(const struct bench_run *b, struct bench_series *s, struct bench_decoder *d, unsigned kind, decode_fn *fn,
        double seconds)
{
    int64_t end = bench_now() + (int64_t)(seconds * 1e9);
    int64_t start;
    uint64_t at = 0;

    bench_round(s);
    do {
        start = bench_now();
        for (unsigned i = 0; i < BATCH; i++)
            fn(d, kind, at++ % MESSAGES);
        int64_t took = bench_now() - start;
        bench_sample(s, ((double)took - b->clock_ns) / BATCH);
        s->n += BATCH;
        s->seconds += (double)took / 1e9;
    } while (start < end);
}

BENCH_ONCE static void
bench_decode_once(struct bench_decoder *d, unsigned kind, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        ours(d, kind, i % MESSAGES);
}

/* ---- a Kraken book update ---- */

#define KRAKEN_TEXT 512

struct kraken_decoder {
    struct kraken_md md;
    struct md_msg msg;
    char text[MESSAGES][KRAKEN_TEXT];
    size_t len[MESSAGES];
    struct level best[2][KRAKEN_CHECKSUM_LEVELS];
    uint64_t sums;
};

static struct kraken_decoder *
kraken_make(void)
{
    struct kraken_decoder *d = (struct kraken_decoder *)calloc(1, sizeof(*d));
    struct arena arena = { .size = kraken_md_footprint(1) + md_msg_footprint(64) };
    struct instrument ins = { .px_decimals = 1, .qty_decimals = 8, .symbol = "BTC/USD" };

    ASSERT(d != NULL);
    arena.base = (uint8_t *)aligned_alloc(64, (arena.size + 63) & ~(size_t)63);
    ASSERT(arena.base != NULL);
    kraken_md_init(&d->md, 1, &arena);
    md_msg_init(&d->msg, 64, &arena);
    ASSERT(kraken_md_add(&d->md, &ins, 0));
    for (unsigned i = 0; i < KRAKEN_CHECKSUM_LEVELS; i++) {
        d->best[0][i] = (struct level){ 628026 - (px_t)i * 7, 5100 + (qty_t)i * 977111 };
        d->best[1][i] = (struct level){ 628037 + (px_t)i * 9, 109074394 + (qty_t)i * 977 };
    }
    for (unsigned i = 0; i < MESSAGES; i++)
        d->len[i] = (size_t)snprintf(
            d->text[i], KRAKEN_TEXT,
            "{\"channel\":\"book\",\"type\":\"update\",\"data\":[{\"symbol\":\"BTC/USD\",\"bids\":[{\"price\":%u.%u,"
            "\"qty\":0.%08u}],\"asks\":[{\"price\":628%02u.6,\"qty\":0.00000000},{\"price\":62808.0,\"qty\":%u."
            "79607759}],"
            "\"checksum\":%u,\"timestamp\":\"2026-08-16T23:37:05.%06uZ\"}]}",
            62000 + i, i % 10, i * 1237, i % 100, i % 7, i * 2654435761u, i * 1777);
    return d;
}

__attribute__((noinline)) static void
kraken_once(struct kraken_decoder *d, uint64_t i)
{
    if (kraken_md_decode(&d->md, (const uint8_t *)d->text[i], d->len[i], &d->msg) != DECODE_OK)
        bench_die("decode: our own message was not read: %s", d->text[i]);
    d->sums +=
        kraken_md_checksum(&d->md.crc, 1, 1, d->best[1], KRAKEN_CHECKSUM_LEVELS, d->best[0], KRAKEN_CHECKSUM_LEVELS);
    bench_use(d);
}

static void
bench_kraken(struct bench_run *b, unsigned rounds, double each)
{
    struct kraken_decoder *d = kraken_make();
    struct bench_series *s = bench_series_add(&b->results, "decode", "kraken-book+checksum");
    uint64_t at = 0;

    bench_progress("decode: Kraken book updates with their checksum, %u rounds of %.2f s", rounds, each);
    (void)snprintf(s->note, sizeof(s->note), "%zu bytes, in batches of %u", d->len[0], BATCH);
    for (unsigned r = 0; r < rounds; r++) {
        int64_t end = bench_now() + (int64_t)(each * 1e9);
        int64_t start;
        bench_round(s);
        do {
            start = bench_now();
            for (unsigned i = 0; i < BATCH; i++)
                kraken_once(d, at++ % MESSAGES);
            int64_t took = bench_now() - start;
            bench_sample(s, ((double)took - b->clock_ns) / BATCH);
            s->n += BATCH;
            s->seconds += (double)took / 1e9;
        } while (start < end);
    }
}

void
bench_decode(struct bench_run *b)
{
    struct bench_decoder *d = decoder_make();
    unsigned rounds = bench_rounds(b, 9);
    double each = bench_seconds(b, 2) / rounds;

    if (b->opt.once > 0) {
        for (unsigned k = 0; k < KINDS; k++)
            bench_decode_once(d, k, b->opt.once);
        return;
    }
    bench_pin(BENCH_CORE_OURS);
    for (unsigned k = 0; k < KINDS; k++) {
        char name[BENCH_NAME_BYTES];
        char key[BENCH_KEY_BYTES];
        (void)snprintf(name, sizeof(name), "%s-jansson", kind_name[k]);
        struct bench_series *mine = bench_series_add(&b->results, "decode", kind_name[k]);
        struct bench_series *other = bench_series_add(&b->results, "decode", name);
        bench_progress("decode: %s, %u rounds of %.2f s each with jansson in turn", kind_name[k], rounds, each);
        (void)snprintf(mine->note, sizeof(mine->note), "%zu bytes, in batches of %u", d->text[k].len[0], BATCH);
        for (unsigned r = 0; r < rounds; r++) {
            measure(b, mine, d, k, ours, each);
            measure(b, other, d, k, peer, each);
        }
        (void)snprintf(key, sizeof(key), "decode.%s.p50.vs_jansson", kind_name[k]);
        bench_ratio_add(&b->results, key, mine, other, 0.5, 0);
    }
    bench_kraken(b, rounds, each);
}
