/* Any bytes as the snapshot of Kraken's instrument channel: what is taken from it is a valid instrument. */
#include "feed/kraken_ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const symbols[] = { "BTC/USD" };
    struct instrument ins;
    struct fault fault;
    const char *text;
    size_t len;
    char why[96];

    if (kraken_ref_answer(data, size, &text, &len, why) != KRAKEN_REF_SNAPSHOT)
        return 0;
    ASSERT((const uint8_t *)text >= data && (const uint8_t *)text + len <= data + size);
    if (!kraken_ref_instruments(text, len, symbols, 1, &ins, &fault))
        return 0;
    ASSERT(ins.tick >= 1 && ins.step >= 1 && ins.qty_min >= ins.step && ins.qty_min <= ins.qty_max);
    ASSERT(ins.px_min <= ins.px_max && ins.px_decimals <= DECIMALS_MAX && ins.qty_decimals <= DECIMALS_MAX);
    ASSERT(ins.notional_min >= 0 && ins.notional_min <= ins.notional_max);
    return 0;
}
