/* Any bytes as a market-data message. A space behind the first brace sends the same message through the general reader:
 * where that one reads it, the two must agree, and what the fast one reads the general one must read. */
#include "feed/binance_md.h"

#define LEVELS_MAX 16

static struct binance_md md;
static struct md_msg fast;
static struct md_msg general;

static void
init(void)
{
    static _Alignas(64) uint8_t memory[1 << 16];
    struct arena arena = { .base = memory, .size = sizeof(memory) };
    static const struct {
        const char *symbol;
        uint8_t px_decimals;
        uint8_t qty_decimals;
    } known[] = { { "BTCUSDT", 2, 5 }, { "ETHUSDT", 8, 8 }, { "SHIBUSDT1000X", 10, 0 } };

    binance_md_init(&md, 4, &arena);
    md_msg_init(&fast, LEVELS_MAX, &arena);
    md_msg_init(&general, LEVELS_MAX, &arena);
    for (uint32_t i = 0; i < ARRAY_LEN(known); i++) {
        struct instrument ins = { .px_decimals = known[i].px_decimals, .qty_decimals = known[i].qty_decimals };
        (void)snprintf(ins.symbol, sizeof(ins.symbol), "%s", known[i].symbol);
        ASSERT(binance_md_add(&md, &ins, i));
    }
}

static bool
levels_equal(const struct level *a, const struct level *b, uint32_t n)
{
    return n == 0 || memcmp(a, b, n * sizeof(*a)) == 0;
}

static void
check_equal(void)
{
    const struct md_msg *a = &fast;
    const struct md_msg *b = &general;

    ASSERT(a->kind == b->kind);
    switch (a->kind) {
    case MD_MSG_TICKER:
        ASSERT(a->slot == b->slot && a->last_id == b->last_id);
        ASSERT(levels_equal(&a->bid, &b->bid, 1) && levels_equal(&a->ask, &b->ask, 1));
        break;
    case MD_MSG_DEPTH:
        ASSERT(a->slot == b->slot && a->first_id == b->first_id && a->last_id == b->last_id);
        ASSERT(a->venue_time_ns == b->venue_time_ns);
        ASSERT(a->bid_count == b->bid_count && levels_equal(a->bids, b->bids, a->bid_count));
        ASSERT(a->ask_count == b->ask_count && levels_equal(a->asks, b->asks, a->ask_count));
        break;
    case MD_MSG_TRADE:
        ASSERT(a->slot == b->slot && a->trade_id == b->trade_id && a->px == b->px && a->qty == b->qty);
        ASSERT(a->aggressor == b->aggressor && a->venue_time_ns == b->venue_time_ns);
        break;
    default: break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (md.table == NULL)
        init();
    enum decode_result res = binance_md_decode(&md, data, size, &fast);
    ASSERT(res != DECODE_OK || fast.bid_count <= LEVELS_MAX || fast.kind != MD_MSG_DEPTH);
    if (size == 0 || data[0] != '{')
        return 0;
    uint8_t *spaced = malloc(size + 1);
    ASSERT(spaced != NULL);
    spaced[0] = '{';
    spaced[1] = ' ';
    memcpy(spaced + 2, data + 1, size - 1);
    enum decode_result slow = binance_md_decode(&md, spaced, size + 1, &general);
    /* The fast reader does not look inside a stream's name. */
    bool odd = false;
    for (size_t i = 0; i < size; i++)
        odd |= data[i] < ' ' || data[i] == '\\';
    if (!odd)
        ASSERT(res == slow);
    if (res == DECODE_OK && slow == DECODE_OK)
        check_equal();
    free(spaced);
    return 0;
}
