/* What the tests of Binance order entry share: an adapter with keys and instruments, requests parsed and their
 * signatures recomputed by other means, and messages of the venue as macros. */
#ifndef EXECGW_TESTS_BINANCE_FIXTURE_H
#define EXECGW_TESTS_BINANCE_FIXTURE_H

#include "engine/venue/binance_oe.h"
#include "tests/test.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#define API_KEY "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
#define SECRET  "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
#define PEM                                                              \
    "-----BEGIN PRIVATE KEY-----\n"                                      \
    "MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u\n" \
    "-----END PRIVATE KEY-----\n"
#define WIDE_SYMBOL "\xef\xbc\x91\xef\xbc\x92\xef\xbc\x93\xef\xbc\x94\xef\xbc\x95\xef\xbc\x96"

#define REPORTS_MAX 600
#define BUDGETS_MAX 4u

struct fixture {
    struct instrument table[8];
    _Alignas(64) uint8_t memory[65536];
    struct arena arena;
    struct venue_adapter *a;
    struct venue_report budget[BUDGETS_MAX];
    uint32_t budgets;
    struct venue_sink sink;
    struct venue_report got[REPORTS_MAX];
    uint32_t count;
    struct now now;
    int64_t offset_ns;
    char request[VENUE_REQUEST_BYTES + 1];
    int request_len;
};

static struct fixture fixture; /* large: of the file */

static inline void
collect(void *ctx, const struct venue_report *r)
{
    struct fixture *f = ctx;

    CHECK(f->count < REPORTS_MAX);
    CHECK(memchr(r->text, '\0', sizeof(r->text)) != NULL);
    CHECK(memchr(r->clordid, '\0', sizeof(r->clordid)) != NULL);
    CHECK(memchr(r->fee_ccy, '\0', sizeof(r->fee_ccy)) != NULL);
    CHECK(r->kind < VENUE_REPORT_KIND_COUNT && r->request <= VENUE_RQ_COUNT);
    if (r->kind == VENUE_RATE_BUDGET && f->budgets < BUDGETS_MAX) /* with every answer: kept apart */
        f->budget[f->budgets++] = *r;
    else
        f->got[f->count++] = *r;
}

static inline struct instrument
instrument_at(uint32_t id, const char *symbol, uint8_t px_decimals, uint8_t qty_decimals)
{
    struct instrument ins = { .id = id, .version = 1, .px_decimals = px_decimals, .qty_decimals = qty_decimals };

    ins.tick = ins.step = 1;
    (void)snprintf(ins.symbol, sizeof(ins.symbol), "%s", symbol);
    return ins;
}

static inline struct fixture *
fixture_with(const char *secret, bool ed25519)
{
    struct fixture *f = &fixture;
    struct fault fault = { "" };

    memset(f, 0, sizeof(*f));
    f->table[0] = instrument_at(0, "BTCUSDT", 2, 5);
    f->table[1] = instrument_at(1, "ETHBTC", 8, 8);
    f->table[3] = instrument_at(3, WIDE_SYMBOL, 8, 8);
    f->table[4] = instrument_at(4, "BTCUSDT2", 2, 5);
    f->table[4].venue = 1; /* another venue's */
    f->table[5] = instrument_at(5, "BAD\"SYMBOL", 2, 5);
    struct venue_config cfg = {
        .recv_window_ms = 5000,
        .keys = { API_KEY, (const uint8_t *)secret, strlen(secret), ed25519 },
        .instruments = { f->table, 8 },
    };
    CHECK(venue_binance.footprint(&cfg) <= sizeof(f->memory));
    f->arena = (struct arena){ .base = f->memory, .size = venue_binance.footprint(&cfg) };
    f->a = venue_binance.init(&cfg, &f->arena, &fault);
    if (f->a == NULL)
        fail_msg("%s", fault.text);
    CHECK_EQ(f->arena.used, f->arena.size);
    f->sink = (struct venue_sink){ collect, f };
    f->now.wall.ns = INT64_C(1645423376500) * NS_PER_MS;
    f->offset_ns = 32 * NS_PER_MS + 999999;
    return f;
}

static inline struct fixture *
fixture_hmac(void)
{
    return fixture_with(SECRET, false);
}

static inline struct venue_order
order_at(struct fixture *f, uint32_t instrument)
{
    return (struct venue_order){ .instrument = &f->table[instrument],
                                 .clordid = "AB0123456789abcdef",
                                 .side = SIDE_SELL,
                                 .type = ORDER_LIMIT,
                                 .tif = TIF_GTC,
                                 .px = 5200000,
                                 .qty = 1000 };
}

/* Submit; returns the length and keeps the text. */
static inline int
submit(struct fixture *f, enum venue_request_kind kind, const struct venue_order *o, const struct venue_order *target,
       int64_t since_ns)
{
    struct venue_request rq = { .kind = kind, .order = o, .target = target, .since_ns = since_ns };

    f->request_len =
        venue_binance.submit(f->a, &rq, f->now, f->offset_ns, (uint8_t *)f->request, VENUE_REQUEST_BYTES, &f->sink);
    CHECK(f->request_len <= VENUE_REQUEST_BYTES);
    f->request[f->request_len < 0 ? 0 : f->request_len] = '\0';
    CHECK_EQ(f->count, 0);
    return f->request_len;
}

static inline int
compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The text to sign of a parsed request: every parameter but the signature, by name. */
static inline void
payload_of(json_t *params, char *out, size_t room)
{
    const char *name[32];
    size_t count = 0;
    const char *key;
    json_t *v;
    size_t n = 0;

    json_object_foreach(params, key, v)
    {
        if (strcmp(key, "signature") != 0)
            name[count++] = key;
    }
    qsort(name, count, sizeof(name[0]), compare_names);
    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        v = json_object_get(params, name[i]);
        if (json_is_string(v))
            n += (size_t)snprintf(out + n, room - n, "%s%s=%s", i > 0 ? "&" : "", name[i], json_string_value(v));
        else
            n += (size_t)snprintf(out + n, room - n, "%s%s=%lld", i > 0 ? "&" : "", name[i],
                                  (long long)json_integer_value(v));
        CHECK(n < room);
    }
}

/* The kept request is JSON with this method, its id at most 36 alphanumerics, its signature right (or absent). The
 * signed text must be `payload`. */
static inline void
check_request(struct fixture *f, const char *method, const char *id, const char *payload, bool is_signed)
{
    json_error_t e;
    json_t *root = json_loadb(f->request, (size_t)f->request_len, JSON_REJECT_DUPLICATES, &e);
    char text[2048];
    uint8_t sum[32];
    char hex[65];

    if (root == NULL)
        fail_msg("%s: %s", e.text, f->request);
    CHECK_STR(json_string_value(json_object_get(root, "method")), method);
    CHECK_STR(json_string_value(json_object_get(root, "id")), id);
    CHECK(strlen(id) <= 36);
    json_t *params = json_object_get(root, "params");
    payload_of(params, text, sizeof(text));
    CHECK_STR(text, payload);
    json_t *signature = json_object_get(params, "signature");
    if (is_signed) {
        CHECK(HMAC(EVP_sha256(), SECRET, sizeof(SECRET) - 1, (const uint8_t *)text, strlen(text), sum, NULL) != NULL);
        for (int i = 0; i < 32; i++)
            (void)snprintf(hex + 2 * i, 3, "%02x", sum[i]);
        CHECK_STR(json_string_value(signature), hex);
    } else {
        CHECK(signature == NULL);
    }
    json_decref(root);
}

static inline void
decode_text(struct fixture *f, const char *text, enum decode_result want)
{
    f->count = f->budgets = 0;
    CHECK_EQ(venue_binance.decode(f->a, (const uint8_t *)text, strlen(text), f->now, &f->sink), want);
}

/* ---- messages of the venue ---- */

#define ORDER_ID   "AB0123456789abcdef"
#define TARGET_ID  "AB0123456789abcdeX"
#define REPLACE_ID "rsAB0123456789abcdefX"
#define RESULT(id, status, cum)                                                                                 \
    "{\"symbol\":\"BTCUSDT\",\"orderId\":12569099453,\"orderListId\":-1,\"clientOrderId\":\"" id                \
    "\",\"transactTime\":1660801715639,\"price\":\"52000.00000000\",\"origQty\":\"0.01000000\","                \
    "\"executedQty\":\"" cum "\",\"origQuoteOrderQty\":\"0.000000\",\"cummulativeQuoteQty\":\"0.00000000\","    \
    "\"status\":\"" status "\",\"timeInForce\":\"GTC\",\"type\":\"LIMIT\",\"side\":\"SELL\",\"workingTime\":1," \
    "\"selfTradePreventionMode\":\"NONE\""
#define CANCELED_RESULT(id, status, cum)                                                                            \
    "{\"symbol\":\"BTCUSDT\",\"origClientOrderId\":\"" id                                                           \
    "\",\"orderId\":12569099453,\"orderListId\":-1,\"clientOrderId\":\"91fe37ce9e69c90d6358c0\","                   \
    "\"transactTime\":1684804350068,\"price\":\"52000.00000000\",\"origQty\":\"0.01000000\",\"executedQty\":\"" cum \
    "\",\"cummulativeQuoteQty\":\"52.0\",\"status\":\"" status "\",\"timeInForce\":\"GTC\",\"type\":\"LIMIT\","     \
    "\"side\":\"SELL\"}"
#define LIMITS                                                                                                \
    ",\"rateLimits\":[{\"rateLimitType\":\"ORDERS\",\"interval\":\"SECOND\",\"intervalNum\":10,\"limit\":50," \
    "\"count\":12}]}"
#define ANSWER(id, result) "{\"id\":\"" id "\",\"status\":200,\"result\":" result LIMITS

#define FULL_PARTIAL                                                                                                  \
    ANSWER("N" ORDER_ID,                                                                                              \
           RESULT(ORDER_ID, "EXPIRED",                                                                                \
                  "0.00300000") ",\"fills\":["                                                                        \
                                "{\"price\":\"52000.10000000\",\"qty\":\"0.00100000\",\"commission\":\"0.00000001\"," \
                                "\"commissionAsset\":\"BNB\",\"tradeId\":1650422481},"                                \
                                "{\"price\":\"52000.00000000\",\"qty\":\"0.00200000\",\"commission\":\"0.5\","        \
                                "\"commissionAsset\":\"USDT\",\"tradeId\":1650422482}]}")

#define ERROR(id, status, code, msg) \
    "{\"id\":\"" id "\",\"status\":" status ",\"error\":{\"code\":" code ",\"msg\":\"" msg "\"}" LIMITS

#define HALVES(cancel, new_order, cancel_answer, new_answer)                                                  \
    "{\"cancelResult\":\"" cancel "\",\"newOrderResult\":\"" new_order "\",\"cancelResponse\":" cancel_answer \
    ",\"newOrderResponse\":" new_answer "}"
#define HALF_ERROR(code) "{\"code\":" code ",\"msg\":\"why\"}"
#define FAILED(status, code, halves)                                             \
    "{\"id\":\"" REPLACE_ID "\",\"status\":" status ",\"error\":{\"code\":" code \
    ",\"msg\":\"Order cancel-replace failed.\",\"data\":" halves "}}"

#define ORDER_ENTRY(symbol, id, status, cum)                                                              \
    "{\"symbol\":\"" symbol "\",\"orderId\":12,\"orderListId\":-1,\"clientOrderId\":\"" id                \
    "\",\"price\":\"23416.10000000\",\"origQty\":\"0.00847000\",\"executedQty\":\"" cum                   \
    "\",\"cummulativeQuoteQty\":\"168.37814500\",\"status\":\"" status                                    \
    "\",\"timeInForce\":\"GTC\",\"type\":\"LIMIT\","                                                      \
    "\"side\":\"BUY\",\"stopPrice\":\"0.00000000\",\"icebergQty\":\"0.00000000\",\"time\":1660801715639," \
    "\"updateTime\":1660801717945,\"isWorking\":true}"

#define TRADE_ENTRY(symbol, id) TRADE_ENTRY_AT(symbol, id, "23416.10000000", "true")
#define TRADE_ENTRY_AT(symbol, id, px, buyer)                                                                   \
    "{\"symbol\":\"" symbol "\",\"id\":" id ",\"orderId\":12,\"orderListId\":-1,\"price\":\"" px "\","          \
    "\"qty\":\"0.00635000\",\"quoteQty\":\"148.69\",\"commission\":\"0.00000635\",\"commissionAsset\":\"BTC\"," \
    "\"time\":1660801715793,\"isBuyer\":" buyer ",\"isMaker\":true,\"isBestMatch\":true}"

#define EVENT(c, C, x, X, rest) EVENT_OF("BUY", c, C, x, X, rest)
#define EVENT_OF(side, c, C, x, X, rest)                                                                               \
    "{\"subscriptionId\":0,\"event\":{\"e\":\"executionReport\",\"E\":1499405658658,\"s\":\"BTCUSDT\",\"c\":\"" c      \
    "\",\"S\":\"" side                                                                                                 \
    "\",\"o\":\"LIMIT\",\"f\":\"GTC\",\"q\":\"1.00000000\",\"p\":\"0.10000000\",\"P\":\"0.00000000\","                 \
    "\"F\":\"0.00000000\",\"g\":-1,\"C\":\"" C "\",\"x\":\"" x "\",\"X\":\"" X "\",\"r\":\"NONE\",\"i\":4293153," rest \
    ",\"T\":1499405658657,\"I\":8641984,\"w\":true,\"M\":false,\"O\":1499405658657,\"Z\":\"0.00000000\","              \
    "\"Y\":\"0.00000000\",\"Q\":\"0.00000000\",\"W\":1499405658657,\"V\":\"NONE\"}}"
#define NO_FILL \
    "\"l\":\"0.00000000\",\"z\":\"0.00000000\",\"L\":\"0.00000000\",\"n\":\"0\",\"N\":null,\"t\":-1,\"m\":false"
#define ONE_FILL                                                                                                  \
    "\"l\":\"0.25000000\",\"z\":\"0.75000000\",\"L\":\"0.09000000\",\"n\":\"0.00025000\",\"N\":\"BTC\",\"t\":77," \
    "\"m\":true"

#endif
