/* What a symbol's public trades add up to: candles of a minute and longer, and a ticker.
 *
 * Fed by a dialect from the engine's trade events; read by its tickers, its candle streams and its queries.
 *
 * Always true: a candle holds at least one trade; candles are in order of time, the last CANDLES_KEPT minutes with
 * trades are kept; amounts are counts of 10^-8, times microseconds. */
#ifndef EXECGW_BENCH_VENUE_TAPE_H
#define EXECGW_BENCH_VENUE_TAPE_H

#include "bench/venue/engine.h"

#define CANDLES_KEPT 1500
#define MINUTE_US    INT64_C(60000000)
#define DAY_US       (1440 * MINUTE_US)

struct candle {
    int64_t open_us;
    int64_t open, high, low, close;
    int64_t volume, quote, taker_volume, taker_quote;
    int64_t trades, first_id, last_id;
};

struct ticker {
    int64_t open_us, close_us;
    int64_t first_px, open, high, low, last, last_qty;
    int64_t volume, quote;
    int64_t first_id, last_id, trades;
};

struct tape {
    struct ticker ticker;
    struct candle *candles; /* ring of CANDLES_KEPT minutes */
    uint64_t candle_count;  /* ever made */
};

/* Starts at px, from which highs and lows count. Free with tape_free. */
void tape_init(struct tape *t, int64_t px, int64_t now_us);
void tape_free(struct tape *t);
void tape_on_trade(struct tape *t, const struct emu_public_trade *trade);

/* At most a day back from now. */
void tape_ticker(const struct tape *t, int64_t now_us, struct ticker *out);
/* Volume-weighted price of a ticker, 0 without trades. */
int64_t ticker_weighted(const struct ticker *t);

/* Candles of span_us (whole minutes) that opened in [start_us, end_us], oldest first, at most max (at least 1): the
 * first ones when start_us is given, else the last. */
int tape_candles(const struct tape *t, int64_t span_us, int64_t start_us, int64_t end_us, int max, struct candle *out);
/* Start of the interval a time is in; weeks begin on Monday. */
int64_t interval_start(int64_t us, int64_t span_us);

#endif
