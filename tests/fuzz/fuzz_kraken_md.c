/* Any bytes as a Kraken market-data message. A space behind the first brace sends the same message through the general
 * reader: where both read it they must agree, and what the fast one reads the general one must read. The message is
 * then given to a live feed, which must end every message and never serve a crossed book. */
#include "feed/feed.h"
#include "feed/kraken_md.h"

#define LEVELS_MAX 32

static struct kraken_md md;
static struct md_msg fast;
static struct md_msg general;
static struct feed *feed;
static struct instrument ins[2];
static struct now now;

static void
init(void)
{
    static _Alignas(64) uint8_t memory[1 << 20];
    struct arena arena = { .base = memory, .size = sizeof(memory) };
    static const struct {
        const char *symbol;
        uint8_t px_decimals;
        uint8_t qty_decimals;
    } known[] = { { "BTC/USD", 1, 8 }, { "SHIB/EUR", 10, 0 } };
    struct feed_config cfg = feed_config_checked(&feed_kraken, 2, 10);
    struct fault fault;

    kraken_md_init(&md, 2, &arena);
    md_msg_init(&fast, LEVELS_MAX, &arena);
    md_msg_init(&general, LEVELS_MAX, &arena);
    feed = feed_init(&cfg, &arena, &fault);
    ASSERT(feed != NULL);
    for (uint32_t i = 0; i < ARRAY_LEN(known); i++) {
        ins[i] = (struct instrument){
            .id = i, .version = 1, .px_decimals = known[i].px_decimals, .qty_decimals = known[i].qty_decimals
        };
        (void)snprintf(ins[i].symbol, sizeof(ins[i].symbol), "%s", known[i].symbol);
        ASSERT(kraken_md_add(&md, &ins[i], i));
        ASSERT(feed_add_instrument(feed, &ins[i], now, &(struct md_out){ 0 }));
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

    ASSERT(a->kind == b->kind && (a->next == 0) == (b->next == 0));
    if (a->kind == MD_MSG_DEPTH || a->kind == MD_MSG_SNAPSHOT) {
        ASSERT(a->slot == b->slot && a->checksum == b->checksum && a->venue_time_ns == b->venue_time_ns);
        ASSERT(a->px_digits == b->px_digits && a->qty_digits == b->qty_digits);
        ASSERT(a->bid_count == b->bid_count && levels_equal(a->bids, b->bids, a->bid_count));
        ASSERT(a->ask_count == b->ask_count && levels_equal(a->asks, b->asks, a->ask_count));
    }
}

static void
to_feed(const uint8_t *data, size_t size)
{
    struct md_out out = { .writer = NULL };
    char buf[512];

    now.mono.ns += 100 * NS_PER_MS;
    feed_on_up(feed, now, &out);
    (void)feed_on_message(feed, data, size, now, &out);
    (void)feed_subscribe_next(feed, now, &out, buf, sizeof(buf));
    (void)feed_on_timer(feed, now, &out);
    for (uint32_t i = 0; i < 2; i++) {
        const struct top_of_book *t = &feed_md_ref(feed, i)->tob;
        if (t->state == BOOK_LIVE)
            ASSERT(t->bid_px == 0 || t->ask_px == 0 || t->bid_px < t->ask_px);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (md.table == NULL)
        init();
    fast.next = 0;
    enum decode_result res = kraken_md_decode(&md, data, size, &fast);
    ASSERT(fast.bid_count <= LEVELS_MAX && fast.ask_count <= LEVELS_MAX && fast.next < size + 1);
    to_feed(data, size);
    if (size == 0 || data[0] != '{')
        return 0;
    uint8_t *spaced = malloc(size + 1);
    ASSERT(spaced != NULL);
    spaced[0] = '{';
    spaced[1] = ' ';
    memcpy(spaced + 2, data + 1, size - 1);
    general.next = 0;
    enum decode_result slow = kraken_md_decode(&md, spaced, size + 1, &general);
    ASSERT(res == slow);
    if (res == DECODE_OK)
        check_equal();
    free(spaced);
    return 0;
}
