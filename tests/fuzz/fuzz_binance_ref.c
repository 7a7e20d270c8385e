/* Any bytes as reference-data answers: what is accepted keeps every promise of its header. */
#include "feed/binance_ref.h"

#define LEVELS_MAX 32

static void
check_instrument(const struct instrument *i)
{
    ASSERT(i->tick >= 1 && i->step >= 1);
    ASSERT(i->px_min >= 1 && i->px_min <= i->px_max && i->qty_min >= 1 && i->qty_min <= i->qty_max);
    ASSERT(i->market_qty_max >= 0 && i->notional_min >= 0 && i->notional_min <= i->notional_max);
    ASSERT(i->px_decimals <= DECIMALS_MAX && i->qty_decimals <= DECIMALS_MAX);
    ASSERT(memchr(i->symbol, 0, sizeof(i->symbol)) != NULL && memchr(i->canonical, 0, sizeof(i->canonical)) != NULL);
}

static void
try_result(const char *buf, size_t n)
{
    static const char *const symbols[] = { "BTCUSDT", "X" };
    static struct level bids[LEVELS_MAX];
    static struct level asks[LEVELS_MAX];
    struct instrument ins[2];
    struct binance_limits limits;
    struct binance_depth d;
    struct fault fault;

    if (binance_ref_depth(buf, n, 2, 5, bids, asks, LEVELS_MAX, &d) == DECODE_OK) {
        ASSERT(d.bid_count <= LEVELS_MAX && d.ask_count <= LEVELS_MAX);
        for (uint32_t i = 1; i < d.bid_count; i++)
            ASSERT(bids[i].px < bids[i - 1].px);
    }
    for (size_t count = 1; count <= 2; count++) {
        if (!binance_ref_exchange_info(buf, n, symbols, count, ins, &limits, &fault))
            continue;
        for (size_t i = 0; i < count; i++)
            check_instrument(&ins[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct binance_answer a;

    try_result((const char *)data, size);
    if (binance_ref_answer(data, size, &a) == DECODE_OK) {
        ASSERT(memchr(a.text, 0, sizeof(a.text)) != NULL);
        if (a.result != NULL)
            try_result(a.result, a.result_bytes);
    }
    return 0;
}
