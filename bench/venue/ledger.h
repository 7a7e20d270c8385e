/* The venue's ledger: an append-only file of user-visible facts, the source of truth of the tests.
 *
 * One JSON object a line, flat, decimals as text with 8 digits, times in microseconds, the last member `crc` is the
 * CRC-32 (IEEE) of the bytes before `,"crc"` as eight hex digits. The records of an operation are written with one
 * write(2) before the operation returns, so before any reply: they survive kill -9. Members after `ev`:
 *   venue    version                                                     the first line
 *   account  account maker taker                                         opened
 *   deposit  account asset amount t                                      amount may be negative
 *   new      account symbol orderId clientOrderId side type tif px qty stopPx quoteOrderQty icebergQty stp
 *            [expire] [userRef] [flags] execId t
 *   fill     account symbol orderId clientOrderId side tradeId px qty quote fee feeAsset maker cumQty cumQuote status
 *            counterOrderId half execId t      one line per user's side; half 1: the other side's line follows
 *   cancel   account symbol orderId clientOrderId cancelId [reason] cumQty cumQuote execId t
 *   expire   account symbol orderId clientOrderId status reason preventedQty cumQty cumQuote execId t
 *   amend    account symbol orderId clientOrderId newClientOrderId qty [px icebergQty] execId t   with px: in place
 *   trigger  account symbol orderId clientOrderId t
 *   reject   account symbol clientOrderId code msg t
 *   ids      symbol orderId tradeId updateId execId        numbers below these may have been used (house included)
 * Balances follow from deposits and fills; what is locked follows from the open orders.
 *
 * Always true: a line once followed by another line is whole; only the last operation can be torn, and it is cut. */
#ifndef EXECGW_BENCH_VENUE_LEDGER_H
#define EXECGW_BENCH_VENUE_LEDGER_H

#include "bench/venue/engine.h"

struct emu_ledger;

struct emu_ledger_load {
    uint64_t record_count;
    uint64_t cut_bytes; /* torn end that was cut off */
};

/* Opens or creates the file, replays it into the engine (which must be fresh: symbols only), cuts a torn end, and
 * attaches itself as the engine's recorder. fsync: sync each operation. NULL and a sentence in `why` when the file is
 * damaged in the middle, is not a ledger, or cannot be opened. */
struct emu_ledger *emu_ledger_open(const char *path, struct emu_engine *e, bool fsync, struct emu_ledger_load *load,
                                   char *why, size_t why_bytes);
/* Detaches from the engine and closes. */
void emu_ledger_close(struct emu_ledger *l);
/* False after a write failed (disk full): the server must stop answering, as a venue without its record would. */
bool emu_ledger_ok(const struct emu_ledger *l);

/* CRC-32 (IEEE 802.3), as zlib has it. */
uint32_t emu_crc32(const char *p, size_t n);

#endif
