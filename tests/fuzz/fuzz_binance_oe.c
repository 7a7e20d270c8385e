/* Binance order-entry answers: whatever the bytes, every report is well formed and a broken message proves nothing. */
#include "engine/venue/binance_oe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct instrument table[2] = {
    { .id = 0, .version = 1, .px_decimals = 2, .qty_decimals = 5, .symbol = "BTCUSDT" },
    { .id = 1, .version = 1, .px_decimals = 18, .qty_decimals = 18, .symbol = "ETHBTC" },
};
static _Alignas(64) uint8_t memory[16384];

static void
check(void *ctx, const struct venue_report *r)
{
    (void)ctx;
    ASSERT(r->kind < VENUE_REPORT_KIND_COUNT && r->request <= VENUE_RQ_COUNT && r->state < ORDER_STATE_COUNT);
    ASSERT(r->instrument < 2 || r->instrument == INSTRUMENT_NONE);
    ASSERT(memchr(r->text, '\0', sizeof(r->text)) != NULL);
    ASSERT(memchr(r->clordid, '\0', sizeof(r->clordid)) != NULL);
    ASSERT(memchr(r->fee_ccy, '\0', sizeof(r->fee_ccy)) != NULL);
    ASSERT(r->px >= 0 && r->qty >= 0 && r->cum_qty >= 0 && r->venue_time_ns >= 0);
    if (r->kind == VENUE_FILL)
        ASSERT(r->last_px > 0 && r->last_qty > 0 && r->trade_id >= 0 && r->instrument != INSTRUMENT_NONE);
    if (r->kind == VENUE_REJECTED || r->kind == VENUE_NEW_ACK || r->kind == VENUE_CANCELED)
        ASSERT(r->clordid[0] != '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = { .base = memory, .size = sizeof(memory) };
    struct venue_sink sink = { check, NULL };
    struct venue_config cfg = { .recv_window_ms = 5000,
                                .keys = { "key", (const uint8_t *)"secret", 6, false },
                                .instruments = { table, 2 } };
    struct fault fault;
    struct venue_adapter *a = venue_binance.init(&cfg, &arena, &fault);

    ASSERT(a != NULL);
    (void)venue_binance.decode(a, data, size, (struct now){ { 0 }, { NS_PER_S } }, &sink);
    return 0;
}
