/* Binance order entry: every request is parsed and its signature recomputed by other means. */
#include "tests/binance_fixture.h"

/* It writes what submit() wrote, and nothing where there is nothing to write. */
static void
check_rehearsal(struct fixture *f, struct venue_order *o, int len)
{
    const struct venue_request rq = { .kind = VENUE_RQ_NEW, .order = o };
    uint8_t buf[VENUE_REQUEST_BYTES];

    CHECK_EQ(venue_binance.rehearse(f->a, &rq, f->now, f->offset_ns, buf, sizeof(buf)), len);
    CHECK_EQ(memcmp(buf, f->request, (size_t)len), 0);
    CHECK_EQ(venue_binance.rehearse(f->a, &rq, f->now, f->offset_ns, buf, sizeof(buf) - 1), 0);
    o->tif = TIF_GTD;
    CHECK_EQ(venue_binance.rehearse(f->a, &rq, f->now, f->offset_ns, buf, sizeof(buf)), 0);
    o->tif = TIF_GTC;
}

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
    check_request(f, "order.status", "Q0AB0123456789abcdef",
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
    check_request(
        f, "myTrades", "T0AB0123456789abcdef",
        "apiKey=" API_KEY "&fromId=0&limit=500&orderId=9&recvWindow=5000&symbol=BTCUSDT&timestamp=1645423376532", true);
    o.venue_order_id = 0;
    CHECK(submit(f, VENUE_RQ_TRADES, &o, NULL, INT64_C(1645423376001) * NS_PER_MS + 5) > 0);
    check_request(f, "myTrades", "U0AB0123456789abcdef",
                  "apiKey=" API_KEY "&limit=500&recvWindow=5000&startTime=1645423376001&symbol=BTCUSDT&"
                  "timestamp=1645423376532",
                  true);
    struct venue_request rq = { .kind = VENUE_RQ_TRADES, .order = &o, .since_ns = 5 * NS_PER_S, .since_trade = 77 };
    f->request_len = /* an answer was cut: on from its last trade, whatever the time */
        venue_binance.submit(f->a, &rq, f->now, f->offset_ns, (uint8_t *)f->request, VENUE_REQUEST_BYTES, &f->sink);
    CHECK(f->request_len > 0);
    check_request(f, "myTrades", "U0AB0123456789abcdef",
                  "apiKey=" API_KEY "&fromId=77&limit=500&recvWindow=5000&symbol=BTCUSDT&timestamp=1645423376532",
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
    struct venue_order o = order_at(f, 0);
    check_rehearsal(f, &o, 0); /* a signature is not made for nothing */
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
    check_rehearsal(f, &o, f->request_len);
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
                                      plain ? NULL : orders[i], target, i + k, text);
                CHECK(n <= BINANCE_ID_MAX);
                CHECK(binance_id_decode(text, n, &id));
                CHECK_EQ(id.kind, kind);
                CHECK_STR(id.clordid, plain ? "" : orders[i]);
                CHECK_EQ(id.whole_symbol, since);
                CHECK_EQ(id.tag, kind == VENUE_RQ_QUERY || kind == VENUE_RQ_TRADES ? i + k : 0);
                CHECK(!id.by_venue_id && id.instrument == INSTRUMENT_NONE);
                if (target != NULL && id.target[0] != '\0')
                    CHECK_STR(id.target, target);
                /* Two ids of one gateway share their first two bytes at least: their target is always said. */
                if (target != NULL && strncmp(target, orders[i], 2) == 0)
                    CHECK_STR(id.target, target);
            }
        }
    }
    static const char *const bad[] = { "",    "N",  "C",  "X1", "N1234567890123456789", "Lx", "a",  "aa",   "ab",
                                       "za1", "bb", "N-", "ss", "asAB0123456789abcdef", "n1", "Q7", "QaAB", "W1",
                                       "Wa1", "T" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK(!binance_id_decode(bad[i], strlen(bad[i]), &id));
}

TEST(a_request_id_says_what_its_name_is)
{
    struct binance_id id;
    char text[BINANCE_ID_MAX];
    size_t n = binance_id_encode(VENUE_RQ_CANCEL, BINANCE_ID_BY_VENUE_ID, "AB1", NULL, 0, text);

    CHECK(n == 4 && memcmp(text, "DAB1", n) == 0 && binance_id_decode(text, n, &id));
    CHECK(id.kind == VENUE_RQ_CANCEL && id.by_venue_id);
    CHECK_STR(id.clordid, "AB1");
    n = binance_id_encode(VENUE_RQ_QUERY, BINANCE_ID_BY_VENUE_ID, "AB1", NULL, 35, text);
    CHECK(n == 5 && memcmp(text, "EZAB1", n) == 0 && binance_id_decode(text, n, &id));
    CHECK(id.kind == VENUE_RQ_QUERY && id.by_venue_id && id.tag == 35);
    n = binance_id_encode(VENUE_RQ_TRADES, BINANCE_ID_FROM_TRADE, "17", NULL, 7, text);
    CHECK(n == 4 && memcmp(text, "W717", n) == 0 && binance_id_decode(text, n, &id));
    CHECK(id.kind == VENUE_RQ_TRADES && id.whole_symbol && id.instrument == 17 && id.tag == 7);
    CHECK_STR(id.clordid, "");
}

TEST_MAIN()
