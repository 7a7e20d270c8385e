/* Any bytes as a message of Kraken's order entry, or, by the first byte, as the answer to one of its questions over
 * HTTP. Reports must name instruments that exist and keep their texts ended; a question ends or goes on, never both. */
#include "engine/venue/kraken_oe.h"

static struct instrument ins[2];
static struct venue_adapter *adapter;
static bool ended;

static void
on_report(void *ctx, const struct venue_report *r)
{
    (void)ctx;
    ASSERT(r->kind < VENUE_REPORT_KIND_COUNT);
    ASSERT(r->instrument == INSTRUMENT_NONE || r->instrument < ARRAY_LEN(ins));
    ASSERT(memchr(r->text, '\0', sizeof(r->text)) != NULL && memchr(r->clordid, '\0', CLORDID_BYTES) != NULL);
    ASSERT(memchr(r->fee_ccy, '\0', CURRENCY_BYTES) != NULL);
    if (r->kind == VENUE_FILL)
        ASSERT(r->last_qty > 0 && r->trade_id >= 0 && r->instrument != INSTRUMENT_NONE);
    ended |= r->kind == VENUE_NOT_FOUND || r->kind == VENUE_TRADES_END || r->kind == VENUE_OPEN_ORDERS_END ||
             r->kind == VENUE_BALANCES_END || r->kind == VENUE_QUERY_FAILED || r->kind == VENUE_LOGON_REFUSED ||
             r->kind == VENUE_LOGGED_ON;
}

static const struct venue_sink sink = { .report = on_report };

static void
init(void)
{
    static _Alignas(64) uint8_t memory[1 << 20];
    struct arena arena = { .base = memory, .size = sizeof(memory) };
    struct fault fault;
    struct venue_config cfg = {
        .recv_window_ms = 1000,
        .keys = { .api_key = "K", .secret = (const uint8_t *)"AAAA", .secret_bytes = 4 },
        .instruments = { .table = ins, .count = ARRAY_LEN(ins) },
        .orders_max = 16,
    };

    adapter = venue_kraken.init(&cfg, &arena, &fault);
    ASSERT(adapter != NULL);
    for (uint32_t i = 0; i < ARRAY_LEN(ins); i++) {
        ins[i] = (struct instrument){ .id = i, .version = 1, .px_decimals = i == 0 ? 1 : 10, .qty_decimals = 8 };
        (void)snprintf(ins[i].symbol, sizeof(ins[i].symbol), i == 0 ? "BTC/USD" : "DOGE/EUR");
        (void)snprintf(ins[i].base, sizeof(ins[i].base), i == 0 ? "BTC" : "DOGE");
        (void)snprintf(ins[i].quote, sizeof(ins[i].quote), i == 0 ? "USD" : "EUR");
        venue_kraken.on_instrument(adapter, &ins[i]);
    }
}

static void
answer(uint8_t which, const uint8_t *data, size_t size)
{
    static const uint8_t kinds[] = { VENUE_RQ_LOGON, VENUE_RQ_QUERY, VENUE_RQ_TRADES, VENUE_RQ_OPEN_ORDERS,
                                     VENUE_RQ_BALANCES };
    const struct now now = { { NS_PER_S }, { INT64_C(1786923425376419000) } };
    struct venue_order o = { .instrument = &ins[0], .clordid = "A" };
    struct venue_request rq = { .kind = (enum venue_request_kind)kinds[which % ARRAY_LEN(kinds)], .order = &o };
    uint8_t buf[VENUE_REQUEST_BYTES];

    ASSERT(venue_kraken.submit(adapter, &rq, now, 0, buf, sizeof(buf), &sink) > 0);
    ended = false;
    for (unsigned i = 0; i < 64; i++) {
        (void)venue_kraken.decode_rest(adapter, 200, data, size, now, &sink);
        int n = venue_kraken.rest_more(adapter, now, 0, buf, sizeof(buf));
        ASSERT(n == 0 || !ended);
        if (n == 0)
            return;
    }
    ASSERT(false); /* a question has an end */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t order[] =
        "{\"channel\":\"executions\",\"type\":\"snapshot\",\"data\":[{\"order_id\":\"OA\",\"cl_ord_id\":"
        "\"A\",\"symbol\":\"BTC/USD\",\"order_status\":\"new\"}],\"sequence\":1}";
    const struct now now = { { NS_PER_S }, { INT64_C(1786923425376419000) } };

    if (adapter == NULL)
        init();
    if (size == 0)
        return 0;
    if (data[0] < 5) {
        answer(data[0], data + 1, size - 1);
        return 0;
    }
    venue_kraken.on_disconnected(adapter);
    (void)venue_kraken.decode(adapter, order, sizeof(order) - 1, now, &sink);
    (void)venue_kraken.decode(adapter, data, size, now, &sink);
    return 0;
}
