/* Binance order entry: what each answer says; every row of the venue's tables of errors; every message cut at every
 * byte. */
#include "tests/binance_fixture.h"

#include <sys/mman.h>
#include <unistd.h>

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

    decode_text(f, FULL_PARTIAL, DECODE_OK);
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
        { 500, -2026, "x", VENUE_UNKNOWN, VENUE_UNKNOWN, VENUE_QUERY_FAILED },
        { 500, -2013, "Order does not exist.", VENUE_UNKNOWN, VENUE_UNKNOWN, VENUE_QUERY_FAILED },
        { 400, -2039, "Client order ID is not correct for this order ID.", VENUE_UNKNOWN, VENUE_CANCEL_REJECTED,
          VENUE_QUERY_FAILED },
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
        static const char *const head[3] = { "N", "C", "Q7" };
        for (int k = 0; k < 3; k++) {
            char text[1024];
            (void)snprintf(text, sizeof(text), ERROR("%s" ORDER_ID, "%d", "%d", "%s"), head[k], row[i].status,
                           row[i].code, row[i].msg);
            decode_text(f, text, DECODE_OK);
            CHECK_EQ(f->count, 1);
            CHECK_EQ(f->got[0].kind, k == 0 ? row[i].on_new : k == 1 ? row[i].on_cancel : row[i].on_query);
            CHECK_EQ(f->got[0].code, row[i].code);
            CHECK_EQ(f->got[0].renamed, k > 0 && row[i].code == -2039);
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

TEST(a_rate_limit_whose_time_is_not_ahead_or_absurd_waits_the_shortest_ban)
{
    struct fixture *f = fixture_hmac();
    static const char *const data[] = {
        "{\"retryAfter\":1}",                                          /* seconds, or anything */
        "{\"serverTime\":1669110000000,\"retryAfter\":1669110000000}", /* now */
        "{\"serverTime\":1669110000000,\"retryAfter\":1669714800001}", /* more than a week */
        "{\"serverTime\":1669110000000}",
    };
    char text[256];

    for (unsigned i = 0; i < ARRAY_LEN(data); i++) {
        (void)snprintf(text, sizeof(text),
                       "{\"id\":null,\"status\":418,\"error\":{\"code\":-1003,\"msg\":\"x\",\"data\":%s}}", data[i]);
        decode_text(f, text, DECODE_OK);
        CHECK_EQ(f->got[0].kind, VENUE_RATE_LIMITED);
        CHECK_EQ(f->got[0].retry_after_ns - f->got[0].venue_time_ns, 120 * NS_PER_S);
    }
    decode_text(f,
                "{\"id\":null,\"status\":418,\"error\":{\"code\":-1003,\"msg\":\"x\",\"data\":{\"serverTime\":"
                "1669110000000,\"retryAfter\":1669714800000}}}",
                DECODE_OK); /* a week */
    CHECK_EQ(f->got[0].retry_after_ns, INT64_C(1669714800000) * NS_PER_MS);
}

TEST(an_archived_order_ended_without_a_fill)
{
    struct fixture *f = fixture_hmac();

    decode_text(f, ERROR("Q7" ORDER_ID, "400", "-2026", "x"), DECODE_OK);
    CHECK_EQ(f->count, 1);
    CHECK_EQ(f->got[0].kind, VENUE_STATUS);
    CHECK_EQ(f->got[0].state, ORDER_CANCELED);
    CHECK_EQ(f->got[0].cum_qty, 0);
    CHECK_STR(f->got[0].clordid, ORDER_ID);
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

TEST(a_query_says_state_and_filled_quantity)
{
    struct fixture *f = fixture_hmac();

    decode_text(f, ANSWER("Q7" ORDER_ID, ORDER_ENTRY("BTCUSDT", ORDER_ID, "PARTIALLY_FILLED", "0.00719000")),
                DECODE_OK);
    CHECK_EQ(f->count, 1);
    CHECK_EQ(f->got[0].kind, VENUE_STATUS);
    CHECK_EQ(f->got[0].state, ORDER_PARTIALLY_FILLED);
    CHECK_EQ(f->got[0].cum_qty, 719);
    CHECK_EQ(f->got[0].qty, 847);
    CHECK_EQ(f->got[0].px, 2341610);
    CHECK_EQ(f->got[0].venue_order_id, 12);
    CHECK_EQ(f->got[0].side, SIDE_BUY);
    CHECK_EQ(f->got[0].venue_time_ns, INT64_C(1660801717945) * NS_PER_MS);
    decode_text(f, ANSWER("Q7" ORDER_ID, ORDER_ENTRY("BTCUSDT", "other", "NEW", "0")), DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_QUERY_FAILED);
    CHECK_STR(f->got[0].clordid, ORDER_ID);
    decode_text(f, ANSWER("Q7" ORDER_ID, ORDER_ENTRY("XRPUSDT", ORDER_ID, "NEW", "0")), DECODE_OK);
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

#define ENTRY_OF(type, rest)                                                                                          \
    ANSWER("O",                                                                                                       \
           "[{\"symbol\":\"BTCUSDT\",\"orderId\":12,\"clientOrderId\":\"web_1\",\"price\":\"23416.10000000\","        \
           "\"origQty\":\"0.00847000\",\"executedQty\":\"0.0\",\"status\":\"NEW\",\"side\":\"SELL\",\"type\":\"" type \
           "\"," rest "}]")
#define STOP(px) "\"stopPrice\":\"" px "\",\"icebergQty\":\"0.00000000\",\"isWorking\":"

TEST(an_open_order_says_whether_it_is_in_the_book_as_a_plain_limit_order)
{
    static const struct {
        const char *text;
        uint8_t type;
        const char *word;
        px_t trigger;
    } row[] = {
        { ENTRY_OF("LIMIT", STOP("0.00000000") "true"), ORDER_LIMIT, "", 0 },
        { ENTRY_OF("LIMIT_MAKER", STOP("0.00000000") "true"), ORDER_LIMIT, "", 0 },
        { ENTRY_OF("LIMIT", "\"stopPrice\":\"0.0\""), ORDER_LIMIT, "", 0 },
        { ENTRY_OF("LIMIT", STOP("0.00000000") "false"), ORDER_CONDITIONAL, "LIMIT", 0 }, /* a second leg */
        { ENTRY_OF("STOP_LOSS", STOP("23000.10000000") "false"), ORDER_CONDITIONAL, "STOP_LOSS", 2300010 },
        { ENTRY_OF("STOP_LOSS", "\"stopPrice\":\"23000.1\""), ORDER_CONDITIONAL, "STOP_LOSS", 2300010 },
        { ENTRY_OF("STOP_LOSS_LIMIT", STOP("23000.1") "false"), ORDER_CONDITIONAL, "STOP_LOSS_LIMIT", 2300010 },
        { ENTRY_OF("STOP_LOSS_LIMIT", STOP("23000.1") "true"), ORDER_LIMIT, "", 0 }, /* triggered */
        { ENTRY_OF("TAKE_PROFIT", STOP("25000.1") "false"), ORDER_CONDITIONAL, "TAKE_PROFIT", 2500010 },
        { ENTRY_OF("TAKE_PROFIT_LIMIT", STOP("25000.1") "false"), ORDER_CONDITIONAL, "TAKE_PROFIT_LIMIT", 2500010 },
        { ENTRY_OF("TAKE_PROFIT_LIMIT", "\"trailingDelta\":100,\"isWorking\":false"), ORDER_CONDITIONAL,
          "TAKE_PROFIT_LIMIT", 0 },
        { ENTRY_OF("TOMORROW", STOP("0.0") "true"), ORDER_CONDITIONAL, "TOMORROW", 0 },
        { ENTRY_OF("LIMIT", "\"stopPrice\":\"0.0\",\"icebergQty\":\"0.00100000\",\"isWorking\":true"), ORDER_ICEBERG,
          "ICEBERG", 0 },
    };
    struct fixture *f = fixture_hmac();

    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        decode_text(f, row[i].text, DECODE_OK);
        CHECK_EQ(f->count, 2);
        CHECK_EQ(f->got[0].kind, VENUE_OPEN_ORDER);
        CHECK_EQ(f->got[0].state, ORDER_NEW);
        CHECK_EQ(f->got[0].type, row[i].type);
        CHECK_STR(f->got[0].text, row[i].word);
        CHECK_EQ(f->got[0].trigger_px, row[i].trigger);
        CHECK_EQ(f->got[0].qty, 847000 / 1000);
    }
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
    check_request(f, "order.status", "E0" ORDER_ID,
                  "apiKey=" API_KEY "&orderId=12&recvWindow=5000&symbol=BTCUSDT&timestamp=1645423376532", true);
    decode_text(f, ANSWER("E7" ORDER_ID, ORDER_ENTRY("BTCUSDT", "web_1", "NEW", "0.0")), DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_STATUS);
    CHECK_STR(f->got[0].clordid, ORDER_ID);
    CHECK_STR(f->got[0].text, "web_1");
    decode_text(f, ANSWER("D" ORDER_ID, CANCELED_RESULT("web_1", "CANCELED", "0.00000000")), DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_CANCELED);
    CHECK_STR(f->got[0].clordid, ORDER_ID);
    decode_text(f, ERROR("E7" ORDER_ID, "400", "-2013", "x"), DECODE_OK);
    CHECK_EQ(f->got[0].kind, VENUE_NOT_FOUND);
}

TEST(a_question_that_is_refused_for_what_it_asks_is_told_from_one_that_comes_at_a_bad_time)
{
    struct fixture *f = fixture_hmac();

    decode_text(f, ERROR("Q7" ORDER_ID, "400", "-1121", "Invalid symbol."), DECODE_OK);
    CHECK(f->got[0].kind == VENUE_QUERY_FAILED && f->got[0].definite == 1 && f->got[0].code == -1121);
    decode_text(f, ERROR("Q7" ORDER_ID, "400", "-1021", "x"), DECODE_OK);
    CHECK(f->got[0].kind == VENUE_QUERY_FAILED && f->got[0].definite == 0);
    decode_text(f, ERROR("Q7" ORDER_ID, "504", "-1007", "x"), DECODE_OK);
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
    decode_text(f,
                ANSWER("B", "{\"balances\":[{\"asset\":\"SHIB\",\"free\":\"92233720368.54775808\",\"locked\":\"1\"},"
                            "{\"asset\":\"ETH\",\"free\":\"92233720368.54775807\",\"locked\":\"x\"},"
                            "{\"asset\":\"A_NAME_TOO_LONG_TO_BE_OURS\",\"free\":\"1\",\"locked\":\"0\"},"
                            "{\"asset\":\"BNB\",\"free\":\"0.123456789\",\"locked\":\"-1\"}]}"),
                DECODE_OK);
    CHECK_EQ(f->count, 4); /* what does not fit, or cannot be read, is told as what is certain of it */
    CHECK(f->got[0].last_qty == INT64_MAX && f->got[0].qty == 100000000 && f->got[0].code == 1);
    CHECK(f->got[1].last_qty == INT64_MAX && f->got[1].qty == 0 && f->got[1].code == 1);
    CHECK(f->got[2].last_qty == 12345678 && f->got[2].qty == 0 && f->got[2].code == 1);
    decode_text(f, ANSWER("B", "{\"balances\":[{\"asset\":7,\"free\":\"1\",\"locked\":\"0\"}]}"), DECODE_OK);
    CHECK(f->count == 1 && f->got[0].kind == VENUE_QUERY_FAILED);
    decode_text(f, ANSWER("B", "{\"balances\":7}"), DECODE_OK);
    CHECK(f->got[0].kind == VENUE_QUERY_FAILED && f->got[0].request == VENUE_RQ_BALANCES);
    decode_text(f, ERROR("B", "400", "-1021", "x"), DECODE_OK);
    CHECK(f->got[0].kind == VENUE_QUERY_FAILED && f->got[0].definite == 0);
}

TEST(trades_are_fills_and_then_an_end)
{
    struct fixture *f = fixture_hmac();

    decode_text(f, ANSWER("T7" ORDER_ID, "[" TRADE_ENTRY("BTCUSDT", "5") "," TRADE_ENTRY("BTCUSDT", "6") "]"),
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
    CHECK_EQ(f->got[2].tag, 7);
    CHECK_STR(f->got[2].clordid, ORDER_ID);

    decode_text(f, ANSWER("U7" ORDER_ID, "[" TRADE_ENTRY("BTCUSDT", "5") "]"), DECODE_OK);
    CHECK_EQ(f->count, 2);
    CHECK_STR(f->got[0].clordid, ""); /* of the symbol: whose it is says the venue's order id */
    CHECK_EQ(f->got[0].venue_order_id, 12);
    CHECK_STR(f->got[1].clordid, ORDER_ID);

    decode_text(f, ANSWER("T7" ORDER_ID, "[" TRADE_ENTRY("BTCUSDT", "5") ",{}]"), DECODE_OK);
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
        check_request(f, "myTrades", "W00",
                      i == 0 ? "apiKey=" API_KEY
                               "&fromId=77&limit=500&recvWindow=5000&symbol=BTCUSDT&timestamp=1645423376532"
                             : "apiKey=" API_KEY "&limit=500&recvWindow=5000&symbol=BTCUSDT&timestamp=1645423376532",
                      true);
        rq.since_trade = -1;
    }
    decode_text(f, ANSWER("W70", "[" TRADE_ENTRY("BTCUSDT", "1650422481") "]"), DECODE_OK);
    CHECK_EQ(f->count, 2);
    CHECK_STR(f->got[0].clordid, "");
    CHECK_EQ(f->got[0].venue_order_id, 12);
    CHECK(f->got[1].kind == VENUE_TRADES_END && f->got[1].instrument == 0 && f->got[1].clordid[0] == '\0');
    decode_text(f, ERROR("W71", "400", "-1121", "x"), DECODE_OK);
    CHECK(f->got[0].kind == VENUE_QUERY_FAILED && f->got[0].instrument == 1 && f->got[0].definite == 1);
    decode_text(f, ERROR("W77", "400", "-1121", "x"), DECODE_OK);
    CHECK(f->got[0].kind == VENUE_QUERY_FAILED && f->got[0].instrument == 7);
    decode_text(f, ERROR("W78", "400", "-1121", "x"), DECODE_OK); /* there are eight */
    CHECK(f->got[0].kind == VENUE_UNKNOWN && f->got[0].instrument == INSTRUMENT_NONE);
    struct binance_id id;
    CHECK(!binance_id_decode("W", 1, &id) && !binance_id_decode("W71024", 6, &id) && !binance_id_decode("W7x", 3, &id));
}

TEST(a_trade_finer_than_the_instrument_is_counted_at_a_price_rounded_against_us)
{
    struct fixture *f = fixture_hmac();

    decode_text(f,
                ANSWER("T7" ORDER_ID, "[" TRADE_ENTRY_AT("BTCUSDT", "5", "23416.10000001", "true") "," TRADE_ENTRY_AT(
                                          "BTCUSDT", "6", "23416.10999999", "false") "]"),
                DECODE_OK);
    CHECK_EQ(f->count, 3);
    CHECK_EQ(f->got[0].last_px, 2341611);
    CHECK_EQ(f->got[1].last_px, 2341610);
}

TEST(an_answer_at_the_limit_of_trades_says_that_there_may_be_more)
{
    struct fixture *f = fixture_hmac();
    static char text[400000];

    for (unsigned want = BINANCE_TRADES_MAX - 1; want <= BINANCE_TRADES_MAX; want++) {
        size_t n = (size_t)snprintf(text, sizeof(text), "{\"id\":\"T7" ORDER_ID "\",\"status\":200,\"result\":[");
        for (unsigned i = 0; i < want; i++)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s" TRADE_ENTRY("BTCUSDT", "%u"), i > 0 ? "," : "", i);
        (void)snprintf(text + n, sizeof(text) - n, "]}");
        decode_text(f, text, DECODE_OK);
        CHECK_EQ(f->count, want + 1);
        CHECK_EQ(f->got[want].kind, VENUE_TRADES_END);
        CHECK_EQ(f->got[want].code, want == BINANCE_TRADES_MAX);
        CHECK_EQ(f->got[want].trade_id, want - 1); /* where a cut one goes on */
        CHECK_EQ(f->got[want].venue_time_ns, f->got[0].venue_time_ns);
    }
}

/* ---- cut at every byte, against a page that must not be touched ---- */

TEST(a_message_cut_at_any_byte_proves_nothing_and_reads_nothing_beyond)
{
    struct fixture *f = fixture_hmac();
    static const char *const message[] = {
        FULL_PARTIAL,
        ANSWER("C" ORDER_ID, CANCELED_RESULT(ORDER_ID, "CANCELED", "0.0")),
        ANSWER(REPLACE_ID, HALVES("SUCCESS", "SUCCESS", CANCELED_RESULT(TARGET_ID, "CANCELED", "0.0"),
                                  RESULT(ORDER_ID, "NEW", "0.0") "}")),
        ANSWER("Q7" ORDER_ID, ORDER_ENTRY("BTCUSDT", ORDER_ID, "NEW", "0.0")),
        ANSWER("O", "[" ORDER_ENTRY("BTCUSDT", ORDER_ID, "NEW", "0.0") "]"),
        ANSWER("T7" ORDER_ID, "[" TRADE_ENTRY("BTCUSDT", "5") "]"),
        ERROR("N" ORDER_ID, "400", "-2010", "no"),
        ERROR("Q7" ORDER_ID, "400", "-2013", "no"),
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

TEST_MAIN()
