/* Market-data text as Binance sends it, for the benchmarks: real symbols, real shapes, different numbers in every
 * message.
 *
 * Source: Binance Spot API docs, web-socket-streams.md, combined streams; seen 2026-07. */
#ifndef EXECGW_BENCH_BENCH_TEXT_H
#define EXECGW_BENCH_BENCH_TEXT_H

#include "execgw/order.h"

#define BENCH_SYMBOLS_MAX 1000u /* 100 bases by 10 quotes */
#define BENCH_WIDE        1000u /* from here on 100 symbols of 15 letters, as of coins that are traded by the million */
#define BENCH_TEXT_MAX    4096u
#define BENCH_TICKER_LEN  180u /* of bench_ticker's messages, exactly */

/* Instrument `i`, two decimals of price, five of quantity. */
struct instrument bench_instrument(uint32_t i);
void bench_symbol(uint32_t i, char out[SYMBOL_BYTES]);

/* The n-th bookTicker message of a run, of symbol BENCH_WIDE + n % instruments: BENCH_TICKER_LEN bytes (long names and
 * seven digits before each point: as long as it gets), update id 1000000000000 + n. Returns the offset of the eight
 * digits of the id that grow from pass to pass. */
size_t bench_ticker(char out[BENCH_TICKER_LEN + 1], uint64_t n, uint32_t instruments);

/* As the venue sends them, of realistic length. */
size_t bench_ticker_plain(char *out, size_t room, uint64_t n, uint32_t instruments);
size_t bench_trade_plain(char *out, size_t room, uint64_t n, uint32_t instruments);
size_t bench_depth_plain(char *out, size_t room, uint64_t n, uint32_t instruments, unsigned levels);

#endif
