/* Candles and tickers from public trades. See tape.h. */
#include "bench/venue/tape.h"

#include "execgw/base.h"
#include "execgw/fixed.h"

int64_t
interval_start(int64_t us, int64_t span_us)
{
    int64_t shift = span_us == 7 * DAY_US ? 4 * DAY_US : 0; /* 1970-01-05 was a Monday */
    return (us - shift) / span_us * span_us + shift;
}

void
tape_init(struct tape *t, int64_t px, int64_t now_us)
{
    *t = (struct tape){
        .ticker = { .open_us = now_us, .first_px = px, .open = px, .high = px, .low = px, .last = px },
        .candles = (struct candle *)calloc(CANDLES_KEPT, sizeof(struct candle)),
    };
    ASSERT(t->candles != NULL);
}

void
tape_free(struct tape *t)
{
    free(t->candles);
    *t = (struct tape){ 0 };
}

static void
candle_add(struct candle *k, const struct emu_public_trade *t, int64_t quote)
{
    k->high = MAX(k->high, t->px);
    k->low = MIN(k->low, t->px);
    k->close = t->px;
    k->volume += t->qty;
    k->quote += quote;
    if (!t->buyer_is_maker) {
        k->taker_volume += t->qty;
        k->taker_quote += quote;
    }
    k->trades++;
    k->last_id = t->id;
}

void
tape_on_trade(struct tape *tape, const struct emu_public_trade *t)
{
    int64_t quote = emu_quote_amount(t->px, t->qty);
    int64_t open_us = interval_start(t->time_us, MINUTE_US);
    bool none = tape->candle_count == 0;
    struct candle *k = &tape->candles[none ? 0 : (tape->candle_count - 1) % CANDLES_KEPT];
    struct ticker *s = &tape->ticker;

    if (none || k->open_us != open_us) {
        k = &tape->candles[tape->candle_count++ % CANDLES_KEPT];
        *k = (struct candle){ .open_us = open_us, .open = t->px, .high = t->px, .low = t->px, .first_id = t->id };
    }
    candle_add(k, t, quote);
    if (s->trades == 0)
        s->first_id = t->id;
    s->high = MAX(s->high, t->px);
    s->low = MIN(s->low, t->px);
    s->last = t->px;
    s->last_qty = t->qty;
    s->volume += t->qty;
    s->quote += quote;
    s->last_id = t->id;
    s->trades++;
}

void
tape_ticker(const struct tape *t, int64_t now_us, struct ticker *out)
{
    *out = t->ticker;
    out->close_us = now_us;
    out->open_us = MAX(out->open_us, now_us - DAY_US);
}

int64_t
ticker_weighted(const struct ticker *t)
{
    return t->volume == 0 ? 0 : (int64_t)((wide_t)t->quote * EMU_ONE / t->volume);
}

/* A later candle of the same interval. */
static void
candle_merge(struct candle *sum, const struct candle *k)
{
    sum->high = MAX(sum->high, k->high);
    sum->low = MIN(sum->low, k->low);
    sum->close = k->close;
    sum->volume += k->volume;
    sum->quote += k->quote;
    sum->taker_volume += k->taker_volume;
    sum->taker_quote += k->taker_quote;
    sum->trades += k->trades;
    sum->last_id = k->last_id;
}

int
tape_candles(const struct tape *t, int64_t span_us, int64_t start_us, int64_t end_us, int max, struct candle *out)
{
    uint64_t first = t->candle_count > CANDLES_KEPT ? t->candle_count - CANDLES_KEPT : 0;
    int n = 0;

    ASSERT(max >= 1 && span_us >= MINUTE_US);
    for (uint64_t i = first; i < t->candle_count; i++) {
        const struct candle *k = &t->candles[i % CANDLES_KEPT];
        int64_t open_us = interval_start(k->open_us, span_us);
        if (open_us < start_us || open_us > end_us)
            continue;
        if (n != 0 && out[n - 1].open_us == open_us) {
            candle_merge(&out[n - 1], k);
            continue;
        }
        if (n == max) {
            if (start_us != 0)
                break;
            memmove(out, out + 1, (size_t)(max - 1) * sizeof(*out));
            n--;
        }
        out[n] = *k;
        out[n++].open_us = open_us;
    }
    return n;
}
