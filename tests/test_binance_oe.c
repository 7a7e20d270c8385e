/* Binance order entry: every request is parsed and its signature recomputed by other means; every row of the venue's
 * tables of errors and execution types; every message cut at every byte. */
#include "engine/venue/binance_oe.h"
#include "tests/test.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/mman.h>
#include <unistd.h>

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

static struct fixture fixture;

static void
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

static struct instrument
instrument_at(uint32_t id, const char *symbol, uint8_t px_decimals, uint8_t qty_decimals)
{
    struct instrument ins = { .id = id, .version = 1, .px_decimals = px_decimals, .qty_decimals = qty_decimals };

    ins.tick = ins.step = 1;
    (void)snprintf(ins.symbol, sizeof(ins.symbol), "%s", symbol);
    return ins;
}

static struct fixture *
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

static struct fixture *
fixture_hmac(void)
{
    return fixture_with(SECRET, false);
}

static struct venue_order
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
static int
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

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The text to sign of a parsed request: every parameter but the signature, by name. */
static void
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
static void
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

/* ---- requests ---- */

TEST(a_limit_order_is_signed_over_its_sorted_parameters)
{
    struct fixture *f = fixture_hmac();
    struct venue_order o = order_at(f, 0);

    CHECK(submit(f, VENUE_RQ_NEW, &o, NULL, 0) > 0);
    check_request(f, "order.place", "NAB0123456789abcdef",
                  "apiKey=" API_KEY "&newClientOrderId=AB0123456789abcdef&newOrderRespType=FULL&price=52000.00&"
                  "quantity=0.01000&recvWindow=5000&side=SELL&symbol=BTCUSDT&timeInForce=GTC&timestamp=1645423376532&"
                  "type=LIMIT",
                  true);
}

TEST(each_form_of_an_order_has_its_type_and_time_in_force)
{
    struct fixture *f = fixture_hmac();
    static const struct {
        uint8_t type;
        uint8_t tif;
        uint8_t flags;
        const char *payload; /* NULL: not one that the venue takes */
    } row[] = {
        { ORDER_LIMIT, TIF_IOC, 0, "&timeInForce=IOC&timestamp=1645423376532&type=LIMIT" },
        { ORDER_LIMIT, TIF_FOK, 0, "&timeInForce=FOK&timestamp=1645423376532&type=LIMIT" },
        { ORDER_LIMIT, TIF_GTC, COMMAND_POST_ONLY, "&timestamp=1645423376532&type=LIMIT_MAKER" },
        { ORDER_LIMIT, TIF_GTC, COMMAND_REDUCE_ONLY, "&timeInForce=GTC&timestamp=1645423376532&type=LIMIT" },
        { ORDER_LIMIT, TIF_GTD, 0, NULL },
        { ORDER_LIMIT, TIF_IOC, COMMAND_POST_ONLY, NULL },
        { ORDER_MARKET, TIF_GTC, COMMAND_POST_ONLY, NULL },
        { ORDER_STOP_LIMIT, TIF_GTC, 0, NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        struct venue_order o = order_at(f, 0);
        char payload[512];
        o.side = SIDE_BUY;
        o.type = row[i].type;
        o.tif = row[i].tif;
        o.flags = row[i].flags;
        if (row[i].payload == NULL) {
            CHECK_EQ(submit(f, VENUE_RQ_NEW, &o, NULL, 0), -1);
            continue;
        }
        (void)snprintf(payload, sizeof(payload),
                       "apiKey=" API_KEY "&newClientOrderId=AB0123456789abcdef&newOrderRespType=FULL&price=52000.00&"
                       "quantity=0.01000&recvWindow=5000&side=BUY&symbol=BTCUSDT%s",
                       row[i].payload);
        CHECK(submit(f, VENUE_RQ_NEW, &o, NULL, 0) > 0);
        check_request(f, "order.place", "NAB0123456789abcdef", payload, true);
    }
    struct venue_order o = order_at(f, 0);
    o.type = ORDER_MARKET;
    o.px = 0;
    CHECK(submit(f, VENUE_RQ_NEW, &o, NULL, 0) > 0);
    check_request(f, "order.place", "NAB0123456789abcdef",
                  "apiKey=" API_KEY "&newClientOrderId=AB0123456789abcdef&newOrderRespType=FULL&"
                  "quantity=0.01000&recvWindow=5000&side=SELL&symbol=BTCUSDT&timestamp=1645423376532&type=MARKET",
                  true);
}

TEST(an_order_without_positive_price_and_quantity_is_not_sent)
{
    struct fixture *f = fixture_hmac();
    struct venue_order o = order_at(f, 0);

    o.px = 1;
    o.qty = 1;
    CHECK(submit(f, VENUE_RQ_NEW, &o, NULL, 0) > 0);
    o.px = 0;
    CHECK_EQ(submit(f, VENUE_RQ_NEW, &o, NULL, 0), -1);
    o.px = 1;
    o.qty = 0;
    CHECK_EQ(submit(f, VENUE_RQ_NEW, &o, NULL, 0), -1);
    o.qty = -1;
    CHECK_EQ(submit(f, VENUE_RQ_NEW, &o, NULL, 0), -1);
}

TEST(the_longest_request_fits_and_one_byte_less_of_room_is_refused)
{
    struct fixture *f = fixture_hmac();
    struct venue_order o = order_at(f, 3);
    struct venue_order t = order_at(f, 3);
    struct venue_request rq = { .kind = VENUE_RQ_REPLACE, .order = &o, .target = &t, .since_ns = 0 };

    o.px = o.qty = INT64_MAX;
    t.venue_order_id = INT64_MAX;
    (void)snprintf(t.clordid, sizeof(t.clordid), "AB0123456789abcdeX");
    CHECK(submit(f, VENUE_RQ_REPLACE, &o, &t, 0) > 0);
    CHECK_EQ(venue_binance.submit(f->a, &rq, f->now, 0, (uint8_t *)f->request, VENUE_REQUEST_BYTES - 1, &f->sink), -1);
    f->now.wall.ns = -NS_PER_S;
    CHECK_EQ(submit(f, VENUE_RQ_NEW, &o, NULL, 0), -1);
}

TEST(a_symbol_beyond_ascii_goes_out_as_it_is_and_one_that_would_need_escapes_is_not_traded)
{
    struct fixture *f = fixture_hmac();
    struct venue_order o = order_at(f, 3);

    o.px = 10000000;
    o.qty = 100000000;
    o.side = SIDE_BUY;
    CHECK(submit(f, VENUE_RQ_NEW, &o, NULL, 0) > 0);
    check_request(f, "order.place", "NAB0123456789abcdef",
                  "apiKey=" API_KEY "&newClientOrderId=AB0123456789abcdef&newOrderRespType=FULL&price=0.10000000&"
                  "quantity=1.00000000&recvWindow=5000&side=BUY&symbol=" WIDE_SYMBOL
                  "&timeInForce=GTC&timestamp=1645423376532&type=LIMIT",
                  true);
    o = order_at(f, 5);
    CHECK_EQ(submit(f, VENUE_RQ_NEW, &o, NULL, 0), -1);
    o = order_at(f, 4); /* another venue's instrument */
    CHECK_EQ(submit(f, VENUE_RQ_NEW, &o, NULL, 0), -1);
}

TEST(an_instrument_is_traded_from_its_first_definition_on)
{
    struct fixture *f = fixture_hmac();

    f->table[6] = instrument_at(6, "NEWUSDT", 3, 1);
    f->table[6].version = 0;
    struct venue_order o = order_at(f, 6);
    CHECK_EQ(submit(f, VENUE_RQ_NEW, &o, NULL, 0), -1);
    f->table[6].version = 1;
    venue_binance.on_instrument(f->a, &f->table[6]);
    CHECK(submit(f, VENUE_RQ_NEW, &o, NULL, 0) > 0);
    CHECK(strstr(f->request, "\"price\":\"5200.000\",\"quantity\":\"100.0\"") != NULL);
    f->table[6].version = 2;
    f->table[6].px_decimals = 4;
    venue_binance.on_instrument(f->a, &f->table[6]);
    CHECK(submit(f, VENUE_RQ_NEW, &o, NULL, 0) > 0);
    CHECK(strstr(f->request, "\"price\":\"520.0000\"") != NULL);
}

TEST(a_cancel_names_the_order_by_both_ids_when_both_are_known)
{
    struct fixture *f = fixture_hmac();
    struct venue_order o = order_at(f, 0);

    CHECK(submit(f, VENUE_RQ_CANCEL, &o, NULL, 0) > 0);
    check_request(f, "order.cancel", "CAB0123456789abcdef",
                  "apiKey=" API_KEY "&origClientOrderId=AB0123456789abcdef&recvWindow=5000&symbol=BTCUSDT&"
                  "timestamp=1645423376532",
                  true);
    o.venue_order_id = 12345;
    CHECK(submit(f, VENUE_RQ_CANCEL, &o, NULL, 0) > 0);
    check_request(f, "order.cancel", "CAB0123456789abcdef",
                  "apiKey=" API_KEY "&orderId=12345&origClientOrderId=AB0123456789abcdef&recvWindow=5000&"
                  "symbol=BTCUSDT&timestamp=1645423376532",
                  true);
    CHECK(submit(f, VENUE_RQ_QUERY, &o, NULL, 0) > 0);
    check_request(f, "order.status", "QAB0123456789abcdef",
                  "apiKey=" API_KEY "&orderId=12345&origClientOrderId=AB0123456789abcdef&recvWindow=5000&"
                  "symbol=BTCUSDT&timestamp=1645423376532",
                  true);
}

TEST(a_replace_places_the_new_order_only_after_the_old_one_is_canceled)
{
    struct fixture *f = fixture_hmac();
    struct venue_order o = order_at(f, 0);
    struct venue_order t = order_at(f, 0);

    (void)snprintf(t.clordid, sizeof(t.clordid), "AB0123456789abcdeX");
    CHECK(submit(f, VENUE_RQ_REPLACE, &o, &t, 0) > 0);
    check_request(
        f, "order.cancelReplace", "rsAB0123456789abcdefX",
        "apiKey=" API_KEY
        "&cancelOrigClientOrderId=AB0123456789abcdeX&cancelReplaceMode=STOP_ON_FAILURE&cancelRestrictions=ONLY_NEW&"
        "newClientOrderId=AB0123456789abcdef&newOrderRespType=FULL&price=52000.00&quantity=0.01000&"
        "recvWindow=5000&side=SELL&symbol=BTCUSDT&timeInForce=GTC&timestamp=1645423376532&type=LIMIT",
        true);
    t.venue_order_id = 77;
    CHECK(submit(f, VENUE_RQ_REPLACE, &o, &t, 0) > 0);
    check_request(f, "order.cancelReplace", "rsAB0123456789abcdefX",
                  "apiKey=" API_KEY "&cancelOrderId=77&cancelOrigClientOrderId=AB0123456789abcdeX&"
                  "cancelReplaceMode=STOP_ON_FAILURE&cancelRestrictions=ONLY_NEW&"
                  "newClientOrderId=AB0123456789abcdef&newOrderRespType=FULL&price=52000.00&quantity=0.01000&"
                  "recvWindow=5000&side=SELL&symbol=BTCUSDT&timeInForce=GTC&timestamp=1645423376532&type=LIMIT",
                  true);
    t.instrument = &f->table[1];
    CHECK_EQ(submit(f, VENUE_RQ_REPLACE, &o, &t, 0), -1);
}

TEST(trades_are_asked_by_order_when_the_venue_id_is_known_else_by_symbol_and_time)
{
    struct fixture *f = fixture_hmac();
    struct venue_order o = order_at(f, 0);

    o.venue_order_id = 9;
    CHECK(submit(f, VENUE_RQ_TRADES, &o, NULL, 5) > 0);
    check_request(f, "myTrades", "TAB0123456789abcdef",
                  "apiKey=" API_KEY "&limit=500&orderId=9&recvWindow=5000&symbol=BTCUSDT&timestamp=1645423376532",
                  true);
    o.venue_order_id = 0;
    CHECK(submit(f, VENUE_RQ_TRADES, &o, NULL, INT64_C(1645423376001) * NS_PER_MS + 5) > 0);
    check_request(f, "myTrades", "UAB0123456789abcdef",
                  "apiKey=" API_KEY "&limit=500&recvWindow=5000&startTime=1645423376001&symbol=BTCUSDT&"
                  "timestamp=1645423376532",
                  true);
}

TEST(requests_without_an_order_carry_what_the_venue_asks_for)
{
    struct fixture *f = fixture_hmac();

    CHECK(submit(f, VENUE_RQ_OPEN_ORDERS, NULL, NULL, 0) > 0);
    check_request(f, "openOrders.status", "O", "apiKey=" API_KEY "&recvWindow=5000&timestamp=1645423376532", true);
    CHECK(submit(f, VENUE_RQ_STREAM, NULL, NULL, 0) > 0);
    check_request(f, "userDataStream.subscribe.signature", "S", "apiKey=" API_KEY "&timestamp=1645423376532", true);
    CHECK(submit(f, VENUE_RQ_TIME, NULL, NULL, 0) > 0);
    CHECK_STR(f->request, "{\"id\":\"M\",\"method\":\"time\"}");
    CHECK(submit(f, VENUE_RQ_PING, NULL, NULL, 0) > 0);
    CHECK_STR(f->request, "{\"id\":\"P\",\"method\":\"ping\"}");
    CHECK_EQ(submit(f, VENUE_RQ_LOGON, NULL, NULL, 0), 0); /* HMAC keys have no logon */
}

static void
decode_text(struct fixture *f, const char *text, enum decode_result want)
{
    f->count = f->budgets = 0;
    CHECK_EQ(venue_binance.decode(f->a, (const uint8_t *)text, strlen(text), f->now, &f->sink), want);
}

TEST(an_ed25519_session_logs_on_and_then_sends_without_signatures)
{
    struct fixture *f = fixture_with(PEM, true);
    struct venue_order o = order_at(f, 0);
    uint8_t signature[96];
    static const uint8_t public_key[32] = { 0x19, 0x42, 0x0a, 0xbf, 0xd7, 0x52, 0xa5, 0x65, 0xc1, 0x56, 0x25,
                                            0xe9, 0xda, 0x6e, 0xaf, 0x00, 0x86, 0xfc, 0x40, 0xc1, 0x49, 0x60,
                                            0x18, 0x32, 0x14, 0x44, 0x2c, 0x14, 0x99, 0x6a, 0x80, 0x0d };

    CHECK_EQ(submit(f, VENUE_RQ_NEW, &o, NULL, 0), -1);
    CHECK_EQ(submit(f, VENUE_RQ_STREAM, NULL, NULL, 0), -1);
    CHECK(submit(f, VENUE_RQ_LOGON, NULL, NULL, 0) > 0);
    json_t *root = json_loads(f->request, JSON_REJECT_DUPLICATES, NULL);
    CHECK(root != NULL);
    CHECK_STR(json_string_value(json_object_get(root, "method")), "session.logon");
    json_t *params = json_object_get(root, "params");
    char payload[512];
    payload_of(params, payload, sizeof(payload));
    CHECK_STR(payload, "apiKey=" API_KEY "&recvWindow=5000&timestamp=1645423376532");
    const char *base64 = json_string_value(json_object_get(params, "signature"));
    CHECK_EQ(EVP_DecodeBlock(signature, (const uint8_t *)base64, (int)strlen(base64)), 66);
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, sizeof(public_key));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    CHECK_EQ(EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key), 1);
    CHECK_EQ(EVP_DigestVerify(ctx, signature, 64, (const uint8_t *)payload, strlen(payload)), 1);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    json_decref(root);

    decode_text(f, "{\"id\":\"L\",\"status\":200,\"result\":{\"apiKey\":\"x\",\"authorizedSince\":1}}", DECODE_OK);
    CHECK_EQ(f->count, 1);
    CHECK_EQ(f->got[0].kind, VENUE_LOGGED_ON);
    f->count = f->budgets = 0;
    CHECK(submit(f, VENUE_RQ_STREAM, NULL, NULL, 0) > 0);
    CHECK_STR(f->request, "{\"id\":\"S\",\"method\":\"userDataStream.subscribe\"}");
    CHECK(submit(f, VENUE_RQ_NEW, &o, NULL, 0) > 0);
    check_request(f, "order.place", "NAB0123456789abcdef",
                  "newClientOrderId=AB0123456789abcdef&newOrderRespType=FULL&price=52000.00&quantity=0.01000&"
                  "recvWindow=5000&side=SELL&symbol=BTCUSDT&timeInForce=GTC&timestamp=1645423376532&type=LIMIT",
                  false);
    venue_binance.on_disconnected(f->a);
    CHECK_EQ(submit(f, VENUE_RQ_NEW, &o, NULL, 0), -1);
    ed25519_key_clear(&((struct binance_oe *)(void *)f->a)->ed25519);
}

TEST(keys_and_windows_that_cannot_be_used_are_refused_at_start)
{
    static const struct instrument none[1];
    struct fault fault;
    _Alignas(64) static uint8_t memory[8192];
    struct venue_config good = { .recv_window_ms = 5000,
                                 .keys = { API_KEY, (const uint8_t *)SECRET, sizeof(SECRET) - 1, false },
                                 .instruments = { none, 1 } };

    for (int i = 0; i < 7; i++) {
        struct venue_config cfg = good;
        struct arena arena = { .base = memory, .size = sizeof(memory) };
        switch (i) {
        case 1: cfg.keys.api_key = ""; break;
        case 2: cfg.keys.api_key = "has \"quotes\""; break;
        case 3: cfg.keys.secret_bytes = 0; break;
        case 4: cfg.recv_window_ms = 0; break;
        case 5: cfg.recv_window_ms = 60001; break;
        case 6: cfg.keys.ed25519 = true; break;
        default: break;
        }
        fault.text[0] = '\0';
        CHECK_EQ(venue_binance.init(&cfg, &arena, &fault) != NULL, i == 0);
        CHECK_EQ(fault.text[0] == '\0', i == 0);
        CHECK(strstr(fault.text, "Nhq") == NULL && strstr(fault.text, "quotes") == NULL);
    }
}

TEST(request_ids_come_back_as_they_went)
{
    static const char *const orders[] = { "a", "AB0123456789abcdef", "AB", "zzzzzzzzzzzzzzzzzz", "AB0123456789abcdeX",
                                          "0", "ABzzzzzzzzzzzzzzzz", "A" };
    struct binance_id id;
    char text[BINANCE_ID_MAX];

    for (unsigned kind = 0; kind <= VENUE_RQ_PING; kind++) {
        bool plain = kind == VENUE_RQ_TIME || kind == VENUE_RQ_PING || kind == VENUE_RQ_LOGON ||
                     kind == VENUE_RQ_STREAM || kind == VENUE_RQ_OPEN_ORDERS;
        for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
            for (size_t k = 0; k < ARRAY_LEN(orders); k++) {
                const char *target = kind == VENUE_RQ_REPLACE ? orders[k] : NULL;
                bool since = kind == VENUE_RQ_TRADES && k == 1;
                size_t n =
                    binance_id_encode((enum venue_request_kind)kind, since ? BINANCE_ID_SINCE_TIME : BINANCE_ID_BY_NAME,
                                      plain ? NULL : orders[i], target, text);
                CHECK(n <= BINANCE_ID_MAX);
                CHECK(binance_id_decode(text, n, &id));
                CHECK_EQ(id.kind, kind);
                CHECK_STR(id.clordid, plain ? "" : orders[i]);
                CHECK_EQ(id.whole_symbol, since);
                CHECK(!id.by_venue_id && id.instrument == INSTRUMENT_NONE);
                if (target != NULL && id.target[0] != '\0')
                    CHECK_STR(id.target, target);
                /* Two ids of one gateway share their first two bytes at least: their target is always said. */
                if (target != NULL && strncmp(target, orders[i], 2) == 0)
                    CHECK_STR(id.target, target);
            }
        }
    }
    static const char *const bad[] = { "",    "N",  "C",  "X1", "N1234567890123456789", "Lx", "a", "aa", "ab",
                                       "za1", "bb", "N-", "ss", "asAB0123456789abcdef", "n1" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK(!binance_id_decode(bad[i], strlen(bad[i]), &id));
}

TEST(a_request_id_says_what_its_name_is)
{
    struct binance_id id;
    char text[BINANCE_ID_MAX];
    size_t n = binance_id_encode(VENUE_RQ_CANCEL, BINANCE_ID_BY_VENUE_ID, "AB1", NULL, text);

    CHECK(n == 4 && memcmp(text, "DAB1", n) == 0 && binance_id_decode(text, n, &id));
    CHECK(id.kind == VENUE_RQ_CANCEL && id.by_venue_id);
    CHECK_STR(id.clordid, "AB1");
    n = binance_id_encode(VENUE_RQ_QUERY, BINANCE_ID_BY_VENUE_ID, "AB1", NULL, text);
    CHECK(n == 4 && memcmp(text, "EAB1", n) == 0 && binance_id_decode(text, n, &id));
    CHECK(id.kind == VENUE_RQ_QUERY && id.by_venue_id);
    n = binance_id_encode(VENUE_RQ_TRADES, BINANCE_ID_FROM_TRADE, "17", NULL, text);
    CHECK(n == 3 && memcmp(text, "W17", n) == 0 && binance_id_decode(text, n, &id));
    CHECK(id.kind == VENUE_RQ_TRADES && id.whole_symbol && id.instrument == 17);
    CHECK_STR(id.clordid, "");
}

/* ---- answers ---- */

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

static const char full_partial[] =
    ANSWER("N" ORDER_ID,
           RESULT(ORDER_ID, "EXPIRED",
                  "0.00300000") ",\"fills\":["
                                "{\"price\":\"52000.10000000\",\"qty\":\"0.00100000\",\"commission\":\"0.00000001\","
                                "\"commissionAsset\":\"BNB\",\"tradeId\":1650422481},"
                                "{\"price\":\"52000.00000000\",\"qty\":\"0.00200000\",\"commission\":\"0.5\","
                                "\"commissionAsset\":\"USDT\",\"tradeId\":1650422482}]}");

TEST(an_accepted_order_is_acknowledged_with_the_venues_id)
{
    struct fixture *f = fixture_hmac();

    decode_text(f, ANSWER("N" ORDER_ID, RESULT(ORDER_ID, "NEW", "0.00000000") ",\"fills\":[]}"), DECODE_OK);
    CHECK_EQ(f->count, 1);
    const struct venue_report *r = &f->got[0];
    CHECK_EQ(r->kind, VENUE_NEW_ACK);
    CHECK_EQ(r->request, VENUE_RQ_NEW);
    CHECK_STR(r->clordid, ORDER_ID);
    CHECK_EQ(r->venue_order_id, 12569099453);
    CHECK_EQ(r->instrument, 0);
    CHECK_EQ(r->px, 5200000);
    CHECK_EQ(r->qty, 1000);
    CHECK_EQ(r->cum_qty, 0);
    CHECK_EQ(r->side, SIDE_SELL);
    CHECK_EQ(r->state, ORDER_NEW);
    CHECK_EQ(r->venue_time_ns, INT64_C(1660801715639) * NS_PER_MS);
    CHECK_EQ(r->trade_id, -1);

    decode_text(f,
                ANSWER("N" ORDER_ID, "{\"symbol\":\"BTCUSDT\",\"orderId\":12569099453,\"orderListId\":-1,"
                                     "\"clientOrderId\":\"" ORDER_ID "\",\"transactTime\":1660801715639}"),
                DECODE_OK); /* the ACK form */
    CHECK_EQ(f->count, 1);
    CHECK_EQ(f->got[0].kind, VENUE_NEW_ACK);
    CHECK_EQ(f->got[0].cum_qty, 0);
}

TEST(an_immediate_order_is_acknowledged_filled_and_expired_by_its_one_answer)
{
    struct fixture *f = fixture_hmac();

    decode_text(f, full_partial, DECODE_OK);
    CHECK_EQ(f->count, 4);
    CHECK_EQ(f->got[0].kind, VENUE_NEW_ACK);
    CHECK_EQ(f->got[1].kind, VENUE_FILL);
    CHECK_EQ(f->got[1].trade_id, 1650422481);
    CHECK_EQ(f->got[1].last_px, 5200010);
    CHECK_EQ(f->got[1].last_qty, 100);
    CHECK_EQ(f->got[1].fee, 1);
    CHECK_STR(f->got[1].fee_ccy, "BNB");
    CHECK_EQ(f->got[1].maker, 0);
    CHECK_EQ(f->got[2].trade_id, 1650422482);
    CHECK_EQ(f->got[2].fee, 50000000);
    CHECK_EQ(f->got[3].kind, VENUE_EXPIRED);
    CHECK_EQ(f->got[3].cum_qty, 300);
    for (uint32_t i = 0; i < 4; i++)
        CHECK_STR(f->got[i].clordid, ORDER_ID);
}

TEST(each_order_status_in_an_answer_has_its_reports)
{
    struct fixture *f = fixture_hmac();
    static const struct {
        const char *status;
        uint32_t count;
        uint8_t last;
        uint8_t state;
    } row[] = {
        { "NEW", 1, VENUE_NEW_ACK, ORDER_NEW },
        { "PENDING_NEW", 1, VENUE_NEW_ACK, ORDER_NEW },
        { "PARTIALLY_FILLED", 1, VENUE_NEW_ACK, ORDER_PARTIALLY_FILLED },
        { "FILLED", 1, VENUE_NEW_ACK, ORDER_FILLED },
        { "CANCELED", 2, VENUE_CANCELED, ORDER_CANCELED },
        { "EXPIRED", 2, VENUE_EXPIRED, ORDER_EXPIRED },
        { "EXPIRED_IN_MATCH", 2, VENUE_EXPIRED, ORDER_EXPIRED },
        { "REJECTED", 1, VENUE_REJECTED, ORDER_REJECTED },
        { "SOMETHING_NEW", 1, VENUE_UNKNOWN, ORDER_FREE },
        { "", 1, VENUE_UNKNOWN, ORDER_FREE },
    };

    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        char text[2048];
        (void)snprintf(text, sizeof(text), ANSWER("N" ORDER_ID, RESULT(ORDER_ID, "%s", "0.0") "}"), row[i].status);
        decode_text(f, text, DECODE_OK);
        CHECK_EQ(f->count, row[i].count);
        CHECK_EQ(f->got[f->count - 1].kind, row[i].last);
        CHECK_EQ(f->got[f->count - 1].state, row[i].state);
        CHECK_STR(f->got[f->count - 1].clordid, ORDER_ID);
    }
}

TEST(an_answer_that_contradicts_its_request_leaves_the_order_unknown)
{
    struct fixture *f = fixture_hmac();
    static const char *const row[] = {
        /* another order's id; unknown symbol; no order id; negative order id; too large; no result; numbers out of
         * range; too many decimals; fills broken */
        ANSWER("N" ORDER_ID, RESULT("AB0123456789abcdeX", "NEW", "0.0") "}"),
        ANSWER("N" ORDER_ID, "{\"symbol\":\"DOGEUSDT\",\"orderId\":1,\"clientOrderId\":\"" ORDER_ID "\"}"),
        ANSWER("N" ORDER_ID, "{\"symbol\":\"BTCUSDT\",\"clientOrderId\":\"" ORDER_ID "\"}"),
        ANSWER("N" ORDER_ID, "{\"symbol\":\"BTCUSDT\",\"orderId\":-5,\"clientOrderId\":\"" ORDER_ID "\"}"),
        ANSWER("N" ORDER_ID,
               "{\"symbol\":\"BTCUSDT\",\"orderId\":99999999999999999999,\"clientOrderId\":\"" ORDER_ID "\"}"),
        ANSWER("N" ORDER_ID, "{\"symbol\":\"BTCUSDT\",\"orderId\":\"1\",\"clientOrderId\":\"" ORDER_ID "\"}"),
        ANSWER("N" ORDER_ID, "{\"symbol\":\"BTCUSDT\",\"orderId\":1,\"clientOrderId\":7}"),
        ANSWER("N" ORDER_ID, "[]"),
        ANSWER("N" ORDER_ID, "null"),
        "{\"id\":\"N" ORDER_ID "\",\"status\":200}",
        "{\"id\":\"N" ORDER_ID "\",\"status\":200,\"error\":{\"code\":-2010,\"msg\":\"no\"}}",
        "{\"id\":\"N" ORDER_ID "\"}",
        "{\"id\":\"N" ORDER_ID "\",\"status\":\"400\",\"error\":{\"code\":-2010,\"msg\":\"no\"}}",
        "{\"id\":\"N" ORDER_ID "\",\"status\":99,\"error\":{\"code\":-2010,\"msg\":\"no\"}}",
        "{\"id\":\"N" ORDER_ID "\",\"status\":600,\"error\":{\"code\":-2010,\"msg\":\"no\"}}",
        ANSWER("N" ORDER_ID, RESULT(ORDER_ID, "NEW", "0.000001") "}"),
        ANSWER("N" ORDER_ID, RESULT(ORDER_ID, "NEW", "-1") "}"),
        ANSWER("N" ORDER_ID, RESULT(ORDER_ID, "NEW", "1e5") "}"),
        ANSWER("N" ORDER_ID, RESULT(ORDER_ID, "NEW", "92233720368547758079") "}"),
        ANSWER("N" ORDER_ID, RESULT(ORDER_ID, "FILLED", "0.01") ",\"fills\":[{\"price\":\"1\",\"qty\":\"0\","
                                                                "\"tradeId\":1}]}"),
        ANSWER("N" ORDER_ID, RESULT(ORDER_ID, "FILLED", "0.01") ",\"fills\":[{\"price\":\"1\",\"qty\":\"0.01\"}]}"),
        ANSWER("N" ORDER_ID, RESULT(ORDER_ID, "FILLED", "0.01") ",\"fills\":{}}"),
        ANSWER("N" ORDER_ID, RESULT(ORDER_ID, "NEW", "0.0") ",\"status\":\"FILLED\"}"),
    };

    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        decode_text(f, row[i], DECODE_OK);
        CHECK_EQ(f->count, 1);
        CHECK_EQ(f->got[0].kind, VENUE_UNKNOWN);
        CHECK_EQ(f->got[0].request, VENUE_RQ_NEW);
        CHECK_STR(f->got[0].clordid, ORDER_ID);
        CHECK(f->got[0].text[0] != '\0' || f->got[0].code != 0);
    }
}

#define ERROR(id, status, code, msg) \
    "{\"id\":\"" id "\",\"status\":" status ",\"error\":{\"code\":" code ",\"msg\":\"" msg "\"}" LIMITS

TEST(only_an_error_that_proves_it_rejects_an_order_or_a_cancel)
{
    struct fixture *f = fixture_hmac();
    static const struct {
        int status;
        int code;
        const char *msg;
        uint8_t on_new;
        uint8_t on_cancel;
        uint8_t on_query;
    } row[] = {
        { 400, -2010, "Account has insufficient balance for requested action.", VENUE_REJECTED, VENUE_CANCEL_REJECTED,
          VENUE_QUERY_FAILED },
        { 400, -2010, "Order would immediately match and take.", VENUE_REJECTED, VENUE_CANCEL_REJECTED,
          VENUE_QUERY_FAILED },
        { 400, -2010, "Duplicate order sent.", VENUE_UNKNOWN, VENUE_UNKNOWN, VENUE_QUERY_FAILED },
        { 400, -1013, "Filter failure: LOT_SIZE", VENUE_REJECTED, VENUE_CANCEL_REJECTED, VENUE_QUERY_FAILED },
        { 400, -1021, "Timestamp for this request is outside of the recvWindow.", VENUE_REJECTED, VENUE_CANCEL_REJECTED,
          VENUE_QUERY_FAILED },
        { 400, -1022, "Signature for this request is not valid.", VENUE_REJECTED, VENUE_CANCEL_REJECTED,
          VENUE_QUERY_FAILED },
        { 400, -1121, "Invalid symbol.", VENUE_REJECTED, VENUE_CANCEL_REJECTED, VENUE_QUERY_FAILED },
        { 401, -2015, "Invalid API-key, IP, or permissions for action.", VENUE_REJECTED, VENUE_CANCEL_REJECTED,
          VENUE_QUERY_FAILED },
        { 400, -2011, "Unknown order sent.", VENUE_UNKNOWN, VENUE_CANCEL_REJECTED, VENUE_QUERY_FAILED },
        { 400, -2013, "Order does not exist.", VENUE_UNKNOWN, VENUE_CANCEL_REJECTED, VENUE_NOT_FOUND },
        { 500, -2013, "Order does not exist.", VENUE_UNKNOWN, VENUE_UNKNOWN, VENUE_QUERY_FAILED },
        { 400, -1000, "unknown", VENUE_UNKNOWN, VENUE_UNKNOWN, VENUE_QUERY_FAILED },
        { 400, -1001, "disconnected", VENUE_UNKNOWN, VENUE_UNKNOWN, VENUE_QUERY_FAILED },
        { 400, -1006, "Execution status unknown.", VENUE_UNKNOWN, VENUE_UNKNOWN, VENUE_QUERY_FAILED },
        { 400, -1007, "Send status unknown; execution status unknown.", VENUE_UNKNOWN, VENUE_UNKNOWN,
          VENUE_QUERY_FAILED },
        { 503, -1008, "Server is currently overloaded", VENUE_UNKNOWN, VENUE_UNKNOWN, VENUE_QUERY_FAILED },
        { 400, -1016, "This service is no longer available.", VENUE_UNKNOWN, VENUE_UNKNOWN, VENUE_QUERY_FAILED },
        { 400, -9999, "a code of tomorrow", VENUE_UNKNOWN, VENUE_UNKNOWN, VENUE_QUERY_FAILED },
        { 500, -2010, "a refusal inside a server error", VENUE_UNKNOWN, VENUE_UNKNOWN, VENUE_QUERY_FAILED },
        { 399, -2010, "a refusal that is no client error", VENUE_UNKNOWN, VENUE_UNKNOWN, VENUE_QUERY_FAILED },
    };

    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        static const char letter[3] = { 'N', 'C', 'Q' };
        for (int k = 0; k < 3; k++) {
            char text[1024];
            (void)snprintf(text, sizeof(text), ERROR("%c" ORDER_ID, "%d", "%d", "%s"), letter[k], row[i].status,
                           row[i].code, row[i].msg);
            decode_text(f, text, DECODE_OK);
            CHECK_EQ(f->count, 1);
            CHECK_EQ(f->got[0].kind, k == 0 ? row[i].on_new : k == 1 ? row[i].on_cancel : row[i].on_query);
            CHECK_EQ(f->got[0].code, row[i].code);
            CHECK_STR(f->got[0].text, row[i].msg);
            CHECK_STR(f->got[0].clordid, ORDER_ID);
        }
    }
    decode_text(f, "{\"id\":\"N" ORDER_ID "\",\"status\":400,\"error\":{\"msg\":\"no code\"}}", DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_UNKNOWN);
    decode_text(f, "{\"id\":\"N" ORDER_ID "\",\"status\":400}", DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_UNKNOWN);
}

TEST(every_answer_tells_the_budgets_and_a_row_that_cannot_be_read_is_left_out)
{
    struct fixture *f = fixture_hmac();

    decode_text(f,
                "{\"id\":\"M\",\"status\":200,\"result\":{\"serverTime\":1656400526260},\"rateLimits\":["
                "{\"rateLimitType\":\"REQUEST_WEIGHT\",\"interval\":\"MINUTE\",\"intervalNum\":1,\"limit\":6000,"
                "\"count\":70},{\"rateLimitType\":\"ORDERS\",\"interval\":\"SECOND\",\"intervalNum\":10,\"limit\":50,"
                "\"count\":12},{\"rateLimitType\":\"RAW_REQUESTS\",\"interval\":\"MINUTE\",\"intervalNum\":5,"
                "\"limit\":300000,\"count\":1},{\"rateLimitType\":\"ORDERS\",\"interval\":\"DAY\",\"intervalNum\":1,"
                "\"limit\":\"many\",\"count\":4043}]}",
                DECODE_OK);
    CHECK_EQ(f->budgets, 2);
    CHECK_EQ(f->budget[0].code, VENUE_BUDGET_WEIGHT);
    CHECK_EQ(f->budget[0].qty, 6000);
    CHECK_EQ(f->budget[0].cum_qty, 70);
    CHECK_EQ(f->budget[0].retry_after_ns, 60 * NS_PER_S);
    CHECK_EQ(f->budget[1].code, VENUE_BUDGET_ORDERS);
    CHECK_EQ(f->budget[1].retry_after_ns, 10 * NS_PER_S);
}

TEST(a_rate_limit_is_reported_with_the_venues_time_and_then_the_refusal)
{
    struct fixture *f = fixture_hmac();

    decode_text(f,
                "{\"id\":\"N" ORDER_ID "\",\"status\":429,\"error\":{\"code\":-1015,\"msg\":\"Too many new orders; "
                "current limit is 50 orders per TEN_SECONDS.\",\"data\":{\"serverTime\":1669110000000,"
                "\"retryAfter\":1669110005000}}}",
                DECODE_OK);
    CHECK_EQ(f->count, 2);
    CHECK_EQ(f->got[0].kind, VENUE_RATE_LIMITED);
    CHECK_EQ(f->got[0].request, VENUE_RQ_NEW); /* nothing but orders has to wait */
    CHECK_EQ(f->got[0].retry_after_ns, INT64_C(1669110005000) * NS_PER_MS);
    CHECK_EQ(f->got[1].kind, VENUE_REJECTED);
    CHECK_EQ(f->got[1].code, -1015);

    decode_text(f,
                "{\"id\":\"CAB\",\"status\":418,\"error\":{\"code\":-1003,\"msg\":\"Way too much request weight used; "
                "IP banned until 1659146400000.\"}}",
                DECODE_OK); /* without a time: the shortest ban */
    CHECK_EQ(f->count, 2);
    CHECK_EQ(f->got[0].kind, VENUE_RATE_LIMITED);
    CHECK_EQ(f->got[0].request, VENUE_RQ_COUNT);
    CHECK_EQ(f->got[0].retry_after_ns, f->now.wall.ns + 120 * NS_PER_S);
    CHECK_EQ(f->got[1].kind, VENUE_CANCEL_REJECTED);

    decode_text(f, "{\"id\":null,\"status\":429,\"error\":{\"code\":-1003,\"msg\":\"x\"}}", DECODE_OK);
    CHECK_EQ(f->count, 2);
    CHECK_EQ(f->got[0].retry_after_ns, f->now.wall.ns + 60 * NS_PER_S);
    CHECK_EQ(f->got[1].kind, VENUE_UNKNOWN);
    CHECK_STR(f->got[1].clordid, "");
}

TEST(a_revoked_key_ends_logon_and_stream)
{
    struct fixture *f = fixture_with(PEM, true);
    struct venue_order o = order_at(f, 0);

    decode_text(f, "{\"id\":\"L\",\"status\":200,\"result\":{}}", DECODE_OK);
    f->count = f->budgets = 0;
    CHECK(submit(f, VENUE_RQ_NEW, &o, NULL, 0) > 0);
    decode_text(f,
                "{\"id\":null,\"status\":401,\"error\":{\"code\":-2015,\"msg\":\"Invalid API-key, IP, or permissions "
                "for action.\"}}",
                DECODE_OK);
    CHECK_EQ(f->count, 2);
    CHECK_EQ(f->got[0].kind, VENUE_LOGON_REFUSED);
    CHECK_EQ(f->got[0].code, -2015);
    CHECK_EQ(f->got[1].kind, VENUE_STREAM_DOWN);
    f->count = f->budgets = 0;
    CHECK_EQ(submit(f, VENUE_RQ_NEW, &o, NULL, 0), -1);
    ed25519_key_clear(&((struct binance_oe *)(void *)f->a)->ed25519);
}

TEST(session_answers_are_told_apart)
{
    struct fixture *f = fixture_hmac();

    f->offset_ns = 0;
    decode_text(f, "{\"id\":\"M\",\"status\":200,\"result\":{\"serverTime\":1656400526260},\"rateLimits\":[]}",
                DECODE_OK);
    CHECK_EQ(f->count, 1);
    CHECK_EQ(f->got[0].kind, VENUE_TIME);
    CHECK_EQ(f->got[0].venue_time_ns, INT64_C(1656400526260) * NS_PER_MS);
    decode_text(f, "{\"id\":\"M\",\"status\":200,\"result\":{\"serverTime\":1656400526260123}}", DECODE_OK);
    CHECK_EQ(f->got[0].venue_time_ns, INT64_C(1656400526260123) * NS_PER_US);
    decode_text(f, "{\"id\":\"M\",\"status\":200,\"result\":{\"serverTime\":-1}}", DECODE_OK);
    CHECK_EQ(f->count, 0);
    decode_text(f, "{\"id\":\"M\",\"status\":200,\"result\":{\"serverTime\":99999999999999}}", DECODE_OK);
    CHECK_EQ(f->count, 0);
    decode_text(f, "{\"id\":\"P\",\"status\":200,\"result\":{}}", DECODE_IGNORED);
    CHECK_EQ(f->count, 0);
    decode_text(f, "{\"id\":\"S\",\"status\":200,\"result\":{\"subscriptionId\":0}}", DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_STREAM_UP);
    decode_text(f, "{\"id\":\"S\",\"status\":400,\"error\":{\"code\":-2035,\"msg\":\"x\"}}", DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_STREAM_DOWN);
    decode_text(f, "{\"id\":\"L\",\"status\":400,\"error\":{\"code\":-1022,\"msg\":\"x\"}}", DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_LOGON_REFUSED);
    CHECK_EQ(f->got[0].code, -1022);
}

TEST(a_cancel_answer_is_about_the_original_id)
{
    struct fixture *f = fixture_hmac();

    decode_text(f, ANSWER("C" ORDER_ID, CANCELED_RESULT(ORDER_ID, "CANCELED", "0.00100000")), DECODE_OK);
    CHECK_EQ(f->count, 1);
    CHECK_EQ(f->got[0].kind, VENUE_CANCELED);
    CHECK_EQ(f->got[0].request, VENUE_RQ_CANCEL);
    CHECK_STR(f->got[0].clordid, ORDER_ID);
    CHECK_EQ(f->got[0].cum_qty, 100);
    CHECK_EQ(f->got[0].venue_order_id, 12569099453);
    decode_text(f, ANSWER("C" ORDER_ID, CANCELED_RESULT("other", "CANCELED", "0.0")), DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_UNKNOWN);
    CHECK_STR(f->got[0].clordid, ORDER_ID);
    decode_text(f, ANSWER("C" ORDER_ID, CANCELED_RESULT(ORDER_ID, "NEW", "0.0")), DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_UNKNOWN);
    decode_text(f, ANSWER("C" ORDER_ID, RESULT(ORDER_ID, "CANCELED", "0.0") "}"), DECODE_OK); /* without orig... */
    CHECK_EQ(f->got[0].kind, VENUE_UNKNOWN);
}

static void
check_replace(struct fixture *f, const char *text, enum venue_report_kind target, enum venue_report_kind order,
              int32_t order_code)
{
    decode_text(f, text, DECODE_OK);
    CHECK_EQ(f->count, 2);
    CHECK_EQ(f->got[0].kind, target);
    CHECK_STR(f->got[0].clordid, TARGET_ID);
    CHECK_EQ(f->got[1].kind, order);
    CHECK_STR(f->got[1].clordid, ORDER_ID);
    CHECK_EQ(f->got[1].code, order_code);
    CHECK_EQ(f->got[0].request, VENUE_RQ_REPLACE);
    CHECK_EQ(f->got[1].request, VENUE_RQ_REPLACE);
}

#define HALVES(cancel, new_order, cancel_answer, new_answer)                                                  \
    "{\"cancelResult\":\"" cancel "\",\"newOrderResult\":\"" new_order "\",\"cancelResponse\":" cancel_answer \
    ",\"newOrderResponse\":" new_answer "}"
#define HALF_ERROR(code) "{\"code\":" code ",\"msg\":\"why\"}"
#define FAILED(status, code, halves)                                             \
    "{\"id\":\"" REPLACE_ID "\",\"status\":" status ",\"error\":{\"code\":" code \
    ",\"msg\":\"Order cancel-replace failed.\",\"data\":" halves "}}"

TEST(each_outcome_of_a_cancel_replace_says_what_became_of_both_orders)
{
    struct fixture *f = fixture_hmac();
    static const char both[] =
        ANSWER(REPLACE_ID, HALVES("SUCCESS", "SUCCESS", CANCELED_RESULT(TARGET_ID, "CANCELED", "0.0"),
                                  RESULT(ORDER_ID, "NEW", "0.0") ",\"fills\":[]}"));

    check_replace(f, both, VENUE_CANCELED, VENUE_NEW_ACK, 0);
    check_replace(
        f,
        FAILED("409", "-2021",
               HALVES("SUCCESS", "FAILURE", CANCELED_RESULT(TARGET_ID, "CANCELED", "0.0"), HALF_ERROR("-2010"))),
        VENUE_CANCELED, VENUE_REJECTED, -2010);
    check_replace(
        f,
        FAILED("409", "-2021",
               HALVES("SUCCESS", "FAILURE", CANCELED_RESULT(TARGET_ID, "CANCELED", "0.0"), HALF_ERROR("-1007"))),
        VENUE_CANCELED, VENUE_UNKNOWN, -1007);
    check_replace(f, FAILED("400", "-2022", HALVES("FAILURE", "NOT_ATTEMPTED", HALF_ERROR("-2011"), "null")),
                  VENUE_CANCEL_REJECTED, VENUE_REJECTED, -2022);
    check_replace(f, FAILED("400", "-2022", HALVES("FAILURE", "NOT_ATTEMPTED", HALF_ERROR("-1006"), "null")),
                  VENUE_UNKNOWN, VENUE_REJECTED, -2022);
    check_replace(f, FAILED("409", "-2021", HALVES("PERHAPS", "SUCCESS", "null", "null")), VENUE_UNKNOWN, VENUE_UNKNOWN,
                  0);
    check_replace(f, FAILED("409", "-2021", "null"), VENUE_UNKNOWN, VENUE_UNKNOWN, -2021);
    check_replace(f, ERROR(REPLACE_ID, "400", "-1013", "Filter failure: PRICE_FILTER"), VENUE_CANCEL_REJECTED,
                  VENUE_REJECTED, -1013);
    check_replace(f, ERROR(REPLACE_ID, "500", "-1000", "x"), VENUE_UNKNOWN, VENUE_UNKNOWN, -1000);
    check_replace(f, "{\"id\":\"" REPLACE_ID "\",\"status\":200,\"result\":{}}", VENUE_UNKNOWN, VENUE_UNKNOWN, 0);
    check_replace(f, "{\"id\":\"" REPLACE_ID "\",\"status\":200,\"result\":{\"cancelResult\":\"SUCC", VENUE_UNKNOWN,
                  VENUE_UNKNOWN, 0);

    /* Refused by the order count with the old one already canceled. */
    decode_text(f,
                FAILED("429", "-1015",
                       HALVES("SUCCESS", "NOT_ATTEMPTED", CANCELED_RESULT(TARGET_ID, "CANCELED", "0.0"), "null")),
                DECODE_OK);
    CHECK_EQ(f->count, 3);
    CHECK_EQ(f->got[0].kind, VENUE_RATE_LIMITED);
    CHECK_EQ(f->got[1].kind, VENUE_CANCELED);
    CHECK_EQ(f->got[2].kind, VENUE_REJECTED);
}

#define ORDER_ENTRY(symbol, id, status, cum)                                                              \
    "{\"symbol\":\"" symbol "\",\"orderId\":12,\"orderListId\":-1,\"clientOrderId\":\"" id                \
    "\",\"price\":\"23416.10000000\",\"origQty\":\"0.00847000\",\"executedQty\":\"" cum                   \
    "\",\"cummulativeQuoteQty\":\"168.37814500\",\"status\":\"" status                                    \
    "\",\"timeInForce\":\"GTC\",\"type\":\"LIMIT\","                                                      \
    "\"side\":\"BUY\",\"stopPrice\":\"0.00000000\",\"icebergQty\":\"0.00000000\",\"time\":1660801715639," \
    "\"updateTime\":1660801717945,\"isWorking\":true}"

TEST(a_query_says_state_and_filled_quantity)
{
    struct fixture *f = fixture_hmac();

    decode_text(f, ANSWER("Q" ORDER_ID, ORDER_ENTRY("BTCUSDT", ORDER_ID, "PARTIALLY_FILLED", "0.00719000")), DECODE_OK);
    CHECK_EQ(f->count, 1);
    CHECK_EQ(f->got[0].kind, VENUE_STATUS);
    CHECK_EQ(f->got[0].state, ORDER_PARTIALLY_FILLED);
    CHECK_EQ(f->got[0].cum_qty, 719);
    CHECK_EQ(f->got[0].qty, 847);
    CHECK_EQ(f->got[0].px, 2341610);
    CHECK_EQ(f->got[0].venue_order_id, 12);
    CHECK_EQ(f->got[0].side, SIDE_BUY);
    CHECK_EQ(f->got[0].venue_time_ns, INT64_C(1660801717945) * NS_PER_MS);
    decode_text(f, ANSWER("Q" ORDER_ID, ORDER_ENTRY("BTCUSDT", "other", "NEW", "0")), DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_QUERY_FAILED);
    CHECK_STR(f->got[0].clordid, ORDER_ID);
    decode_text(f, ANSWER("Q" ORDER_ID, ORDER_ENTRY("XRPUSDT", ORDER_ID, "NEW", "0")), DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_QUERY_FAILED);
}

TEST(open_orders_end_only_after_every_one_could_be_read)
{
    struct fixture *f = fixture_hmac();

    decode_text(f, ANSWER("O", "[]"), DECODE_OK);
    CHECK_EQ(f->count, 1);
    CHECK_EQ(f->got[0].kind, VENUE_OPEN_ORDERS_END);
    decode_text(f,
                ANSWER("O", "[" ORDER_ENTRY("BTCUSDT", ORDER_ID, "NEW", "0.0") "," ORDER_ENTRY(
                                "XRPUSDT", "web_0123456789abcdef0123456789abcdef", "PARTIALLY_FILLED", "0.1") "]"),
                DECODE_OK);
    CHECK_EQ(f->count, 3);
    CHECK_EQ(f->got[0].kind, VENUE_OPEN_ORDER);
    CHECK_STR(f->got[0].clordid, ORDER_ID);
    CHECK_EQ(f->got[1].kind, VENUE_OPEN_ORDER);
    CHECK_EQ(f->got[1].instrument, INSTRUMENT_NONE);
    CHECK_STR(f->got[1].clordid, "web_0123456789abcde"); /* cut: longer than any of ours, so it equals none */
    CHECK_EQ(f->got[1].state, ORDER_PARTIALLY_FILLED);
    CHECK_EQ(f->got[2].kind, VENUE_OPEN_ORDERS_END);
    decode_text(f, ANSWER("O", "[" ORDER_ENTRY("BTCUSDT", ORDER_ID, "NEW", "0.0") ",{\"symbol\":\"BTCUSDT\"}]"),
                DECODE_OK);
    CHECK_EQ(f->count, 2);
    CHECK_EQ(f->got[1].kind, VENUE_QUERY_FAILED);
    decode_text(f, ANSWER("O", "{}"), DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_QUERY_FAILED);
    decode_text(f, ERROR("O", "400", "-1021", "x"), DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_QUERY_FAILED);
}

TEST(an_open_order_whose_numbers_cannot_be_read_is_there_all_the_same)
{
    static const char *const odd[] = {
        ANSWER("O", "[" ORDER_ENTRY("BTCUSDT", "web_1", "PENDING_SOMETHING", "0.0") "]"),
        ANSWER("O", "[" ORDER_ENTRY("XRPUSDT", "web_1", "PENDING_SOMETHING", "0.0") "]"),
        ANSWER("O", "[" ORDER_ENTRY("BTCUSDT", "web_1", "NEW", "0.0000000001") "]"),
        ANSWER("O", "[{\"symbol\":\"BTCUSDT\",\"orderId\":12,\"clientOrderId\":\"web_1\"}]"),
    };
    struct fixture *f = fixture_hmac();

    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        decode_text(f, odd[i], DECODE_OK);
        CHECK_EQ(f->count, 2);
        CHECK_EQ(f->got[0].kind, VENUE_OPEN_ORDER);
        CHECK_EQ(f->got[0].state, ORDER_FREE);
        CHECK_EQ(f->got[0].venue_order_id, 12);
        CHECK_STR(f->got[0].clordid, "web_1");
        CHECK_EQ(f->got[1].kind, VENUE_OPEN_ORDERS_END);
    }
}

TEST(an_order_that_was_taken_over_is_asked_for_and_canceled_by_the_venues_id)
{
    struct fixture *f = fixture_hmac();
    struct venue_order o = order_at(f, 0);

    o.flags = COMMAND_ADOPTED;
    o.venue_order_id = 12;
    CHECK(submit(f, VENUE_RQ_CANCEL, &o, NULL, 0) > 0);
    check_request(f, "order.cancel", "D" ORDER_ID,
                  "apiKey=" API_KEY "&orderId=12&recvWindow=5000&symbol=BTCUSDT&timestamp=1645423376532", true);
    CHECK(submit(f, VENUE_RQ_QUERY, &o, NULL, 0) > 0);
    check_request(f, "order.status", "E" ORDER_ID,
                  "apiKey=" API_KEY "&orderId=12&recvWindow=5000&symbol=BTCUSDT&timestamp=1645423376532", true);
    decode_text(f, ANSWER("E" ORDER_ID, ORDER_ENTRY("BTCUSDT", "web_1", "NEW", "0.0")), DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_STATUS);
    CHECK_STR(f->got[0].clordid, ORDER_ID);
    CHECK_STR(f->got[0].text, "web_1");
    decode_text(f, ANSWER("D" ORDER_ID, CANCELED_RESULT("web_1", "CANCELED", "0.00000000")), DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_CANCELED);
    CHECK_STR(f->got[0].clordid, ORDER_ID);
    decode_text(f, ERROR("E" ORDER_ID, "400", "-2013", "x"), DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_NOT_FOUND);
}

TEST(a_question_that_is_refused_for_what_it_asks_is_told_from_one_that_comes_at_a_bad_time)
{
    struct fixture *f = fixture_hmac();

    decode_text(f, ERROR("Q" ORDER_ID, "400", "-1121", "Invalid symbol."), DECODE_OK);
    CHECK(f->got[0].kind == VENUE_QUERY_FAILED && f->got[0].definite == 1 && f->got[0].code == -1121);
    decode_text(f, ERROR("Q" ORDER_ID, "400", "-1021", "x"), DECODE_OK);
    CHECK(f->got[0].kind == VENUE_QUERY_FAILED && f->got[0].definite == 0);
    decode_text(f, ERROR("Q" ORDER_ID, "504", "-1007", "x"), DECODE_OK);
    CHECK(f->got[0].kind == VENUE_QUERY_FAILED && f->got[0].definite == 0);
}

TEST(balances_are_told_and_then_an_end)
{
    struct fixture *f = fixture_hmac();

    CHECK(submit(f, VENUE_RQ_BALANCES, NULL, NULL, 0) > 0);
    check_request(f, "account.status", "B", "apiKey=" API_KEY "&recvWindow=5000&timestamp=1645423376532", true);
    decode_text(f,
                ANSWER("B", "{\"canTrade\":true,\"updateTime\":1660801715793,\"balances\":[{\"asset\":\"BTC\","
                            "\"free\":\"1.50000000\",\"locked\":\"0.25000000\"}]}"),
                DECODE_OK);
    CHECK_EQ(f->count, 2);
    CHECK(f->got[0].kind == VENUE_BALANCE && f->got[0].request == VENUE_RQ_BALANCES);
    CHECK(f->got[0].last_qty == 150000000 && f->got[0].qty == 25000000);
    CHECK_STR(f->got[0].fee_ccy, "BTC");
    CHECK_EQ(f->got[1].kind, VENUE_BALANCES_END);
    decode_text(f, ANSWER("B", "{\"balances\":7}"), DECODE_OK);
    CHECK(f->got[0].kind == VENUE_QUERY_FAILED && f->got[0].request == VENUE_RQ_BALANCES);
    decode_text(f, ERROR("B", "400", "-1021", "x"), DECODE_OK);
    CHECK(f->got[0].kind == VENUE_QUERY_FAILED && f->got[0].definite == 0);
}

#define TRADE_ENTRY(symbol, id)                                                                                 \
    "{\"symbol\":\"" symbol "\",\"id\":" id ",\"orderId\":12,\"orderListId\":-1,\"price\":\"23416.10000000\","  \
    "\"qty\":\"0.00635000\",\"quoteQty\":\"148.69\",\"commission\":\"0.00000635\",\"commissionAsset\":\"BTC\"," \
    "\"time\":1660801715793,\"isBuyer\":true,\"isMaker\":true,\"isBestMatch\":true}"

TEST(trades_are_fills_and_then_an_end)
{
    struct fixture *f = fixture_hmac();

    decode_text(f, ANSWER("T" ORDER_ID, "[" TRADE_ENTRY("BTCUSDT", "5") "," TRADE_ENTRY("BTCUSDT", "6") "]"),
                DECODE_OK);
    CHECK_EQ(f->count, 3);
    CHECK_EQ(f->got[0].kind, VENUE_FILL);
    CHECK_EQ(f->got[0].request, VENUE_RQ_TRADES);
    CHECK_STR(f->got[0].clordid, ORDER_ID);
    CHECK_EQ(f->got[0].trade_id, 5);
    CHECK_EQ(f->got[0].last_qty, 635);
    CHECK_EQ(f->got[0].last_px, 2341610);
    CHECK_EQ(f->got[0].maker, 1);
    CHECK_EQ(f->got[0].fee, 635);
    CHECK_EQ(f->got[0].cum_qty, 0);
    CHECK_EQ(f->got[2].kind, VENUE_TRADES_END);
    CHECK_EQ(f->got[2].code, 0);
    CHECK_STR(f->got[2].clordid, ORDER_ID);

    decode_text(f, ANSWER("U" ORDER_ID, "[" TRADE_ENTRY("BTCUSDT", "5") "]"), DECODE_OK);
    CHECK_EQ(f->count, 2);
    CHECK_STR(f->got[0].clordid, ""); /* of the symbol: whose it is says the venue's order id */
    CHECK_EQ(f->got[0].venue_order_id, 12);
    CHECK_STR(f->got[1].clordid, ORDER_ID);

    decode_text(f, ANSWER("T" ORDER_ID, "[" TRADE_ENTRY("BTCUSDT", "5") ",{}]"), DECODE_OK);
    CHECK_EQ(f->count, 2);
    CHECK_EQ(f->got[1].kind, VENUE_QUERY_FAILED);
}

TEST(trades_of_a_symbol_are_asked_for_from_a_trade_on)
{
    struct fixture *f = fixture_hmac();
    struct venue_order o = { .instrument = &f->table[3] };
    struct venue_request rq = { .kind = VENUE_RQ_TRADES, .order = &o, .since_trade = 77 };

    o.instrument = &f->table[0];
    for (int i = 0; i < 2; i++) {
        f->request_len =
            venue_binance.submit(f->a, &rq, f->now, f->offset_ns, (uint8_t *)f->request, VENUE_REQUEST_BYTES, &f->sink);
        CHECK(f->request_len > 0);
        check_request(f, "myTrades", "W0",
                      i == 0 ? "apiKey=" API_KEY
                               "&fromId=77&limit=500&recvWindow=5000&symbol=BTCUSDT&timestamp=1645423376532"
                             : "apiKey=" API_KEY "&limit=500&recvWindow=5000&symbol=BTCUSDT&timestamp=1645423376532",
                      true);
        rq.since_trade = -1;
    }
    decode_text(f, ANSWER("W0", "[" TRADE_ENTRY("BTCUSDT", "1650422481") "]"), DECODE_OK);
    CHECK_EQ(f->count, 2);
    CHECK_STR(f->got[0].clordid, "");
    CHECK_EQ(f->got[0].venue_order_id, 12);
    CHECK(f->got[1].kind == VENUE_TRADES_END && f->got[1].instrument == 0 && f->got[1].clordid[0] == '\0');
    decode_text(f, ERROR("W1", "400", "-1121", "x"), DECODE_OK);
    CHECK(f->got[0].kind == VENUE_QUERY_FAILED && f->got[0].instrument == 1 && f->got[0].definite == 1);
    struct binance_id id;
    CHECK(!binance_id_decode("W", 1, &id) && !binance_id_decode("W1024", 5, &id) && !binance_id_decode("Wx", 2, &id));
}

TEST(an_answer_at_the_limit_of_trades_says_that_there_may_be_more)
{
    struct fixture *f = fixture_hmac();
    static char text[400000];

    for (unsigned want = BINANCE_TRADES_MAX - 1; want <= BINANCE_TRADES_MAX; want++) {
        size_t n = (size_t)snprintf(text, sizeof(text), "{\"id\":\"T" ORDER_ID "\",\"status\":200,\"result\":[");
        for (unsigned i = 0; i < want; i++)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s" TRADE_ENTRY("BTCUSDT", "%u"), i > 0 ? "," : "", i);
        (void)snprintf(text + n, sizeof(text) - n, "]}");
        decode_text(f, text, DECODE_OK);
        CHECK_EQ(f->count, want + 1);
        CHECK_EQ(f->got[want].kind, VENUE_TRADES_END);
        CHECK_EQ(f->got[want].code, want == BINANCE_TRADES_MAX);
    }
}

/* ---- private stream ---- */

#define EVENT(c, C, x, X, rest)                                                                                        \
    "{\"subscriptionId\":0,\"event\":{\"e\":\"executionReport\",\"E\":1499405658658,\"s\":\"BTCUSDT\",\"c\":\"" c      \
    "\",\"S\":\"BUY\",\"o\":\"LIMIT\",\"f\":\"GTC\",\"q\":\"1.00000000\",\"p\":\"0.10000000\",\"P\":\"0.00000000\","   \
    "\"F\":\"0.00000000\",\"g\":-1,\"C\":\"" C "\",\"x\":\"" x "\",\"X\":\"" X "\",\"r\":\"NONE\",\"i\":4293153," rest \
    ",\"T\":1499405658657,\"I\":8641984,\"w\":true,\"M\":false,\"O\":1499405658657,\"Z\":\"0.00000000\","              \
    "\"Y\":\"0.00000000\",\"Q\":\"0.00000000\",\"W\":1499405658657,\"V\":\"NONE\"}}"
#define NO_FILL \
    "\"l\":\"0.00000000\",\"z\":\"0.00000000\",\"L\":\"0.00000000\",\"n\":\"0\",\"N\":null,\"t\":-1,\"m\":false"
#define ONE_FILL                                                                                                  \
    "\"l\":\"0.25000000\",\"z\":\"0.75000000\",\"L\":\"0.09000000\",\"n\":\"0.00025000\",\"N\":\"BTC\",\"t\":77," \
    "\"m\":true"

TEST(each_execution_type_of_the_stream_has_its_report)
{
    struct fixture *f = fixture_hmac();
    static const struct {
        const char *text;
        uint8_t kind;
        uint8_t state;
    } row[] = {
        { EVENT(ORDER_ID, "", "NEW", "NEW", NO_FILL), VENUE_NEW_ACK, ORDER_NEW },
        { EVENT(ORDER_ID, "", "TRADE", "PARTIALLY_FILLED", ONE_FILL), VENUE_FILL, ORDER_PARTIALLY_FILLED },
        { EVENT(ORDER_ID, "", "TRADE", "FILLED", ONE_FILL), VENUE_FILL, ORDER_FILLED },
        { EVENT("cancelsown", ORDER_ID, "CANCELED", "CANCELED", NO_FILL), VENUE_CANCELED, ORDER_CANCELED },
        { EVENT(ORDER_ID, "", "CANCELED", "CANCELED", NO_FILL), VENUE_CANCELED, ORDER_CANCELED },
        { EVENT("newid", ORDER_ID, "REPLACED", "NEW", NO_FILL), VENUE_UNKNOWN, ORDER_FREE },
        { EVENT(ORDER_ID, "", "REJECTED", "REJECTED", NO_FILL), VENUE_REJECTED, ORDER_REJECTED },
        { EVENT(ORDER_ID, "", "EXPIRED", "EXPIRED", NO_FILL), VENUE_EXPIRED, ORDER_EXPIRED },
        { EVENT(ORDER_ID, "", "TRADE_PREVENTION", "EXPIRED_IN_MATCH", NO_FILL), VENUE_EXPIRED, ORDER_EXPIRED },
        { EVENT(ORDER_ID, "", "TRADE_PREVENTION", "NEW", NO_FILL), VENUE_UNKNOWN, ORDER_FREE },
        { EVENT(ORDER_ID, "", "TOMORROW", "NEW", NO_FILL), VENUE_UNKNOWN, ORDER_FREE },
        { EVENT(ORDER_ID, "", "NEW", "TOMORROW", NO_FILL), VENUE_UNKNOWN, ORDER_FREE },
        { EVENT(ORDER_ID, "", "CANCELED", "NEW", NO_FILL), VENUE_UNKNOWN, ORDER_FREE },
        { EVENT(ORDER_ID, "", "TRADE", "FILLED", NO_FILL), VENUE_UNKNOWN, ORDER_FREE },
    };

    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        decode_text(f, row[i].text, DECODE_OK);
        CHECK_EQ(f->count, 1);
        CHECK_EQ(f->got[0].kind, row[i].kind);
        CHECK_EQ(f->got[0].state, row[i].state);
        CHECK_STR(f->got[0].clordid, ORDER_ID);
        CHECK_EQ(f->got[0].venue_order_id, 4293153);
        CHECK_EQ(f->got[0].instrument, 0);
        CHECK_EQ(f->got[0].request, VENUE_RQ_COUNT);
        CHECK_EQ(f->got[0].venue_time_ns, INT64_C(1499405658657) * NS_PER_MS);
    }
}

TEST(a_fill_of_the_stream_says_price_quantity_trade_and_fee)
{
    struct fixture *f = fixture_hmac();

    decode_text(f, EVENT(ORDER_ID, "", "TRADE", "PARTIALLY_FILLED", ONE_FILL), DECODE_OK);
    const struct venue_report *r = &f->got[0];
    CHECK_EQ(r->last_px, 9);
    CHECK_EQ(r->last_qty, 25000);
    CHECK_EQ(r->cum_qty, 75000);
    CHECK_EQ(r->px, 10);
    CHECK_EQ(r->qty, 100000);
    CHECK_EQ(r->trade_id, 77);
    CHECK_EQ(r->fee, 25000);
    CHECK_STR(r->fee_ccy, "BTC");
    CHECK_EQ(r->maker, 1);
    CHECK_EQ(r->side, SIDE_BUY);
    CHECK_STR(r->text, "");
}

TEST(a_fee_that_cannot_be_read_does_not_lose_its_fill)
{
    struct fixture *f = fixture_hmac();

    decode_text(f,
                EVENT(ORDER_ID, "", "TRADE", "FILLED",
                      "\"l\":\"1.0\",\"z\":\"1.0\",\"L\":\"0.1\",\"n\":\"0.0000000001\",\"N\":\"BTC\",\"t\":0,"
                      "\"m\":false"),
                DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_FILL);
    CHECK_EQ(f->got[0].trade_id, 0);
    CHECK_EQ(f->got[0].fee, 0);
    CHECK_STR(f->got[0].text, "fee cannot be read");
    decode_text(f,
                EVENT(ORDER_ID, "", "TRADE", "FILLED",
                      "\"l\":\"1.0\",\"z\":\"1.0\",\"L\":\"0.1\",\"n\":\"0\",\"N\":null,\"t\":0,\"m\":false"),
                DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_FILL);
    CHECK_STR(f->got[0].text, "");
}

TEST(a_hostile_event_is_unknown_and_names_what_it_can)
{
    struct fixture *f = fixture_hmac();
    static const char *const row[] = {
        /* too many decimals, out of range, negative, a text, an exponent, no trade id, z below l */
        "\"l\":\"0.250001\",\"z\":\"0.75\",\"L\":\"0.09\",\"n\":\"0\",\"N\":null,\"t\":7,\"m\":true",
        "\"l\":\"0.25\",\"z\":\"0.75\",\"L\":\"99999999999999999999\",\"n\":\"0\",\"N\":null,\"t\":7,\"m\":true",
        "\"l\":\"-0.25\",\"z\":\"0.75\",\"L\":\"0.09\",\"n\":\"0\",\"N\":null,\"t\":7,\"m\":true",
        "\"l\":\"0.25\",\"z\":\"abc\",\"L\":\"0.09\",\"n\":\"0\",\"N\":null,\"t\":7,\"m\":true",
        "\"l\":\"0.25\",\"z\":1e2,\"L\":\"0.09\",\"n\":\"0\",\"N\":null,\"t\":7,\"m\":true",
        "\"l\":\"0.25\",\"z\":\"0.75\",\"L\":\"0.09\",\"n\":\"0\",\"N\":null,\"t\":-1,\"m\":true",
        "\"l\":\"0.25\",\"z\":\"0.75\",\"L\":\"0.09\",\"n\":\"0\",\"N\":null,\"t\":18446744073709551616,\"m\":true",
        "\"l\":\"0.25\",\"z\":\"0.20\",\"L\":\"0.09\",\"n\":\"0\",\"N\":null,\"t\":7,\"m\":true",
        "\"l\":\"0.25\",\"z\":\"0.75\",\"L\":\"0\",\"n\":\"0\",\"N\":null,\"t\":7,\"m\":true",
        "\"l\":\"0.25\",\"z\":\"0.75\",\"L\":\"0.09\",\"n\":\"0\",\"N\":null,\"t\":7,\"m\":1",
        "\"l\":\"0.25\",\"L\":\"0.09\",\"n\":\"0\",\"N\":null,\"t\":7,\"m\":true",
        "\"l\":\"0.25\",\"z\":\"0.75\",\"l\":\"0.09\",\"n\":\"0\",\"N\":null,\"t\":7,\"m\":true",
    };

    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        char text[2048];
        (void)snprintf(text, sizeof(text), EVENT(ORDER_ID, "", "TRADE", "FILLED", "%s"), row[i]);
        decode_text(f, text, DECODE_OK);
        CHECK_EQ(f->count, 1);
        CHECK_EQ(f->got[0].kind, VENUE_UNKNOWN);
        CHECK_STR(f->got[0].clordid, ORDER_ID);
        CHECK_EQ(f->got[0].venue_order_id, 4293153);
    }
    decode_text(f,
                "{\"subscriptionId\":0,\"event\":{\"e\":\"executionReport\",\"s\":\"XRPUSDT\",\"c\":\"" ORDER_ID
                "\",\"C\":\"\",\"x\":\"NEW\",\"X\":\"NEW\",\"i\":1}}",
                DECODE_UNKNOWN_SYMBOL);
    CHECK_EQ(f->count, 1);
    CHECK_EQ(f->got[0].kind, VENUE_UNKNOWN);
    CHECK_EQ(f->got[0].instrument, INSTRUMENT_NONE);
    CHECK_STR(f->got[0].clordid, ORDER_ID);
    decode_text(f, "{\"subscriptionId\":0,\"event\":{\"e\":\"executionReport\",\"c\":\"" ORDER_ID "\"}}", DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_UNKNOWN);
    decode_text(f, "{\"subscriptionId\":0,\"event\":{\"e\":7}}", DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_UNKNOWN);
    decode_text(f, "{\"subscriptionId\":0,\"event\":\"text\"}", DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_UNKNOWN);
    decode_text(f, "<html>502 Bad Gateway</html>", DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_UNKNOWN);
    CHECK_STR(f->got[0].clordid, "");
    decode_text(f, "", DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_UNKNOWN);
    decode_text(f, "{\"id\":12345,\"status\":200,\"result\":null}", DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_UNKNOWN);
}

TEST(other_events_are_balances_ends_of_the_stream_or_nothing)
{
    struct fixture *f = fixture_hmac();

    decode_text(f,
                "{\"subscriptionId\":0,\"event\":{\"e\":\"outboundAccountPosition\",\"E\":1564034571105,"
                "\"u\":1564034571073,\"B\":[{\"a\":\"ETH\",\"f\":\"10000.00000000\",\"l\":\"0.50000000\"},"
                "{\"a\":\"SHIB\",\"f\":\"99999999999999.0\",\"l\":\"0\"},{\"a\":\"USDT\",\"f\":\"1\",\"l\":\"2\"}]}}",
                DECODE_OK);
    CHECK_EQ(f->count, 2);
    CHECK_EQ(f->got[0].kind, VENUE_BALANCE);
    CHECK_STR(f->got[0].fee_ccy, "ETH");
    CHECK_EQ(f->got[0].last_qty, INT64_C(1000000000000));
    CHECK_EQ(f->got[0].qty, 50000000);
    CHECK_STR(f->got[1].fee_ccy, "USDT");
    decode_text(f, "{\"subscriptionId\":0,\"event\":{\"e\":\"outboundAccountPosition\",\"B\":7}}", DECODE_MALFORMED);
    CHECK_EQ(f->count, 0);
    decode_text(f, "{\"subscriptionId\":0,\"event\":{\"e\":\"eventStreamTerminated\",\"E\":1728973001334}}", DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_STREAM_DOWN);
    decode_text(f, "{\"event\":{\"e\":\"serverShutdown\",\"E\":1728973001334}}", DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_STREAM_DOWN);
    CHECK_STR(f->got[0].text, "serverShutdown");
    static const char *const nothing[] = {
        "{\"subscriptionId\":0,\"event\":{\"e\":\"balanceUpdate\",\"E\":1,\"a\":\"BTC\",\"d\":\"1\",\"T\":1}}",
        "{\"subscriptionId\":0,\"event\":{\"e\":\"listStatus\",\"E\":1,\"s\":\"ETHBTC\"}}",
        "{\"subscriptionId\":0,\"event\":{\"e\":\"externalLockUpdate\",\"E\":1}}",
        "{\"subscriptionId\":0,\"event\":{\"e\":\"ofTomorrow\",\"new\":{\"deep\":[1,2,{\"x\":null}]}}}",
        "{\"hello\":\"world\"}",
        "{}",
    };
    for (size_t i = 0; i < ARRAY_LEN(nothing); i++) {
        decode_text(f, nothing[i], DECODE_IGNORED);
        CHECK_EQ(f->count, 0);
    }
}

TEST(fields_of_tomorrow_are_ignored_wherever_they_stand)
{
    struct fixture *f = fixture_hmac();

    decode_text(f,
                "{\"new\":{\"a\":[1,{\"b\":\"}\"}]},\"result\":{\"later\":[[]],\"symbol\":\"BTCUSDT\",\"orderId\":3,"
                "\"clientOrderId\":\"AB\",\"x\":null},\"status\":200,\"id\":\"NAB\"}",
                DECODE_OK);
    CHECK_EQ(f->count, 1);
    CHECK_EQ(f->got[0].kind, VENUE_NEW_ACK);
    CHECK_EQ(f->got[0].venue_order_id, 3);
}

/* ---- cut at every byte, against a page that must not be touched ---- */

TEST(a_message_cut_at_any_byte_proves_nothing_and_reads_nothing_beyond)
{
    struct fixture *f = fixture_hmac();
    static const char *const message[] = {
        full_partial,
        ANSWER("C" ORDER_ID, CANCELED_RESULT(ORDER_ID, "CANCELED", "0.0")),
        ANSWER(REPLACE_ID, HALVES("SUCCESS", "SUCCESS", CANCELED_RESULT(TARGET_ID, "CANCELED", "0.0"),
                                  RESULT(ORDER_ID, "NEW", "0.0") "}")),
        ANSWER("Q" ORDER_ID, ORDER_ENTRY("BTCUSDT", ORDER_ID, "NEW", "0.0")),
        ANSWER("O", "[" ORDER_ENTRY("BTCUSDT", ORDER_ID, "NEW", "0.0") "]"),
        ANSWER("T" ORDER_ID, "[" TRADE_ENTRY("BTCUSDT", "5") "]"),
        ERROR("N" ORDER_ID, "400", "-2010", "no"),
        ERROR("Q" ORDER_ID, "400", "-2013", "no"),
        EVENT(ORDER_ID, "", "TRADE", "FILLED", ONE_FILL),
        EVENT("cancelsown", ORDER_ID, "CANCELED", "CANCELED", NO_FILL),
        "{\"subscriptionId\":0,\"event\":{\"e\":\"outboundAccountPosition\",\"B\":[{\"a\":\"ETH\",\"f\":\"1\",\"l\":"
        "\"0\"}]}}",
        "{\"id\":null,\"status\":401,\"error\":{\"code\":-2015,\"msg\":\"x\"}}",
    };
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(map != MAP_FAILED);
    CHECK_EQ(mprotect(map + page, page, PROT_NONE), 0);
    for (size_t i = 0; i < ARRAY_LEN(message); i++) {
        size_t len = strlen(message[i]);
        CHECK(len < page);
        for (size_t n = 0; n <= len; n++) {
            uint8_t *at = map + page - n;
            memcpy(at, message[i], n);
            f->count = f->budgets = 0;
            enum decode_result d = venue_binance.decode(f->a, at, n, f->now, &f->sink);
            if (n == len) {
                CHECK(f->count > 0);
                continue;
            }
            CHECK(d == DECODE_OK || d == DECODE_MALFORMED);
            if (i != 10)
                CHECK(f->count > 0);
            for (uint32_t k = 0; k < f->count; k++)
                CHECK(f->got[k].kind == VENUE_UNKNOWN || f->got[k].kind == VENUE_QUERY_FAILED);
        }
        if (i == 0 || i == 6) { /* once its id was read, the order is named */
            memcpy(map + page - 30, message[i], 30);
            f->count = f->budgets = 0;
            (void)venue_binance.decode(f->a, map + page - 30, 30, f->now, &f->sink);
            CHECK_STR(f->got[0].clordid, ORDER_ID);
        }
    }
    CHECK_EQ(munmap(map, 2 * page), 0);
}

TEST(documented_samples_of_the_private_stream_are_understood)
{
    struct fixture *f = fixture_hmac();
    const char *shared = getenv("EXECGW_SHARED");
    char path[512];
    static char text[65536];

    (void)snprintf(path, sizeof(path), "%s/data/binance/fixtures_jkorf/Subscriptions__Spot__Account__Order.txt",
                   shared != NULL ? shared : "../../shared");
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        print_message("no %s: skipped\n", path);
        return;
    }
    size_t n = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    text[n] = '\0';
    char *event = strstr(text, "\n= ");
    CHECK(event != NULL);
    f->count = f->budgets = 0;
    event += 3;
    CHECK_EQ(venue_binance.decode(f->a, (const uint8_t *)event, strlen(event), f->now, &f->sink), DECODE_OK);
    CHECK_EQ(f->count, 1);
    CHECK_EQ(f->got[0].kind, VENUE_NEW_ACK);
    CHECK_EQ(f->got[0].instrument, 1);
    CHECK_STR(f->got[0].clordid, "mUvoqJxFIILMdfAW5iG");
    CHECK_EQ(f->got[0].px, 10264410);
    CHECK_EQ(f->got[0].qty, 100000000);
    CHECK_EQ(f->got[0].venue_order_id, 4293153);
}

TEST_MAIN()
