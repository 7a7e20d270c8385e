/* kraken_oe: every request to its text, signatures against published vectors, each row of the channel's table,
 * what errors prove, and the questions over HTTP through their pages. */
#include "engine/venue/kraken_oe.h"
#include "tests/guard.h"
#include "tests/test.h"

#define REPORTS_MAX 64

/* The documentation's public example key. Source: docs.kraken.com, Spot REST authentication. */
static const char secret[] = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg==";

static struct instrument ins[3];
static struct venue_adapter *adapter;
static struct kraken_oe *k;
static struct venue_report got[REPORTS_MAX];
static unsigned reports;
static struct now now;
static struct guard guard;
static uint8_t buf[VENUE_REQUEST_BYTES];
static char text[2048];

static void
take(void *ctx, const struct venue_report *r)
{
    (void)ctx;
    ASSERT(reports < REPORTS_MAX);
    got[reports++] = *r;
}

static const struct venue_sink sink = { .report = take };

static void
instrument_set(uint32_t id, const char *symbol, const char *base, const char *quote, uint8_t px, uint8_t qty)
{
    ins[id] =
        (struct instrument){ .id = id, .version = 1, .px_decimals = px, .qty_decimals = qty, .tick = 1, .step = 1 };
    (void)snprintf(ins[id].symbol, sizeof(ins[id].symbol), "%s", symbol);
    (void)snprintf(ins[id].base, sizeof(ins[id].base), "%s", base);
    (void)snprintf(ins[id].quote, sizeof(ins[id].quote), "%s", quote);
}

/* A fresh adapter; the old one's memory goes. */
static void
open_fresh(bool logged_on)
{
    static uint8_t *memory;
    struct fault fault;
    struct venue_config cfg = {
        .recv_window_ms = 1000,
        .keys = { .api_key = "KEY", .secret = (const uint8_t *)secret, .secret_bytes = sizeof(secret) - 1 },
        .instruments = { .table = ins, .count = ARRAY_LEN(ins) },
        .orders_max = 8,
    };
    free(memory);
    size_t bytes = venue_kraken.footprint(&cfg);
    memory = aligned_alloc(64, (bytes + 63) & ~(size_t)63);
    struct arena arena = { .base = memory, .size = bytes };
    adapter = venue_kraken.init(&cfg, &arena, &fault);
    CHECK(adapter != NULL);
    CHECK_EQ(arena.used, arena.size);
    k = (struct kraken_oe *)(void *)adapter;
    instrument_set(0, "BTC/USD", "BTC", "USD", 1, 8);
    instrument_set(1, "ETH/EUR", "ETH", "EUR", 2, 8);
    instrument_set(2, "DOGE/BTC", "DOGE", "BTC", 9, 5);
    for (unsigned i = 0; i < ARRAY_LEN(ins); i++)
        venue_kraken.on_instrument(adapter, &ins[i]);
    now = (struct now){ { NS_PER_S }, { INT64_C(1786923425376419000) } };
    if (guard.map == NULL)
        guard = guard_open(1 << 16);
    reports = 0;
    if (logged_on) {
        memcpy(k->token, "TOKEN", 6);
        k->token_len = 5;
    }
}

static void
read_message(const char *message)
{
    size_t n = strlen(message);
    reports = 0;
    (void)venue_kraken.decode(adapter, guard_copy(&guard, message, n), n, now, &sink);
}

static struct venue_order
order_of(const char *clordid)
{
    struct venue_order o = { .instrument = &ins[0], .px = 620005, .qty = 100000, .type = ORDER_LIMIT };
    (void)snprintf(o.clordid, sizeof(o.clordid), "%s", clordid);
    return o;
}

/* Submits; `text` is the message. False: it was refused. */
static bool
submit(enum venue_request_kind kind, const struct venue_order *o, int64_t countdown_ns)
{
    struct venue_request rq = { .kind = kind, .order = o, .countdown_ns = countdown_ns };
    int n = venue_kraken.submit(adapter, &rq, now, 5 * NS_PER_MS, buf, sizeof(buf), &sink);
    (void)snprintf(text, sizeof(text), "%.*s", MAX(n, 0), (const char *)buf);
    return n > 0;
}

/* ---- signing ---- */

TEST(published_signatures_are_reproduced)
{
    struct hmac512_key key;
    struct fault fault;
    char sign[HMAC512_BASE64_BYTES + 1] = "";

    CHECK(hmac512_key_init(&key, (const uint8_t *)secret, sizeof(secret) - 1, &fault));
    kraken_sign(&key, "/0/private/AddOrder", UINT64_C(1616492376594),
                "nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25", sign);
    CHECK_STR(sign, "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ==");
    kraken_sign(&key, "/0/private/GetWebSocketsToken", UINT64_C(1616492376594), "nonce=1616492376594", sign);
    CHECK_STR(sign, "+mRDmY9Ks0Moc1zjv/BjfvYa98buO0x1yHChZR5onlfAzAUbfIYlLggUZzdQ0RsmXm4Sh+Q8iAIZdo2wSeHeiA==");
    hmac512_key_clear(&key);
}

TEST(secrets_that_are_not_base64_are_refused)
{
    static const char *const bad[] = { "", "a", "ab!d", "abcde", "ab=d", "AB" };
    static const char *const good[] = { "AA", "AAA=", "ABCD", "AAAAAA==" };
    struct hmac512_key key;
    struct fault fault;
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
        CHECK(!hmac512_key_init(&key, (const uint8_t *)bad[i], strlen(bad[i]), &fault));
    for (unsigned i = 0; i < ARRAY_LEN(good); i++)
        CHECK(hmac512_key_init(&key, (const uint8_t *)good[i], strlen(good[i]), &fault));
    char longest[HMAC512_SECRET_MAX + 1];
    memset(longest, 'A', sizeof(longest));
    CHECK(hmac512_key_init(&key, (const uint8_t *)longest, HMAC512_SECRET_MAX, &fault));
    CHECK(!hmac512_key_init(&key, (const uint8_t *)longest, HMAC512_SECRET_MAX + 1, &fault));
}

/* ---- requests ---- */

TEST(a_limit_order_is_written_with_exact_numbers_and_a_deadline)
{
    open_fresh(true);
    struct venue_order o = order_of("AB0000010000001A");
    CHECK(submit(VENUE_RQ_NEW, &o, 0));
    CHECK_STR(
        text,
        "{\"method\":\"add_order\",\"params\":{\"order_type\":\"limit\",\"side\":\"buy\",\"order_qty\":0.00100000,"
        "\"symbol\":\"BTC/USD\",\"limit_price\":62000.5,\"time_in_force\":\"gtc\",\"cl_ord_id\":"
        "\"AB0000010000001A\",\"deadline\":\"2026-08-16T23:37:06.381419Z\",\"token\":\"TOKEN\"},\"req_id\":1}");
}

TEST(every_form_of_order_that_the_venue_takes_and_none_that_it_does_not)
{
    static const struct {
        uint8_t type, tif, flags, side;
        const char *holds; /* NULL: refused */
        const char *lacks;
    } row[] = {
        { ORDER_LIMIT, TIF_GTC, 0, SIDE_SELL, "\"side\":\"sell\"", "post_only" },
        { ORDER_LIMIT, TIF_IOC, 0, SIDE_BUY, "\"time_in_force\":\"ioc\"", "post_only" },
        { ORDER_LIMIT, TIF_FOK, 0, SIDE_BUY, "\"time_in_force\":\"fok\"", "post_only" },
        { ORDER_LIMIT, TIF_GTC, COMMAND_POST_ONLY, SIDE_BUY, "\"post_only\":true", "ioc" },
        { ORDER_LIMIT, TIF_IOC, COMMAND_POST_ONLY, SIDE_BUY, NULL, NULL },
        { ORDER_LIMIT, TIF_GTD, 0, SIDE_BUY, NULL, NULL },
        { ORDER_MARKET, TIF_GTC, 0, SIDE_BUY, "\"order_type\":\"market\"", "limit_price" },
        { ORDER_MARKET, TIF_IOC, 0, SIDE_BUY, "\"order_type\":\"market\"", "time_in_force" },
        { ORDER_MARKET, TIF_FOK, 0, SIDE_BUY, NULL, NULL },
        { ORDER_MARKET, TIF_GTC, COMMAND_POST_ONLY, SIDE_BUY, NULL, NULL },
        { ORDER_STOP_LIMIT, TIF_GTC, 0, SIDE_BUY, NULL, NULL },
    };
    open_fresh(true);
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct venue_order o = order_of("X");
        o.type = row[i].type;
        o.tif = row[i].tif;
        o.flags = row[i].flags;
        o.side = row[i].side;
        CHECK_EQ(submit(VENUE_RQ_NEW, &o, 0), row[i].holds != NULL);
        if (row[i].holds != NULL)
            CHECK(strstr(text, row[i].holds) != NULL && strstr(text, row[i].lacks) == NULL);
    }
    struct venue_order o = order_of("X");
    o.px = 0;
    CHECK(!submit(VENUE_RQ_NEW, &o, 0));
    o = order_of("X");
    o.qty = 0;
    CHECK(!submit(VENUE_RQ_NEW, &o, 0));
    CHECK(!submit(VENUE_RQ_REPLACE, &o, 0));
    open_fresh(false); /* no token: nothing but a ping can be said */
    o = order_of("X");
    CHECK(!submit(VENUE_RQ_NEW, &o, 0));
    CHECK(submit(VENUE_RQ_TIME, NULL, 0));
    CHECK_STR(text, "{\"method\":\"ping\",\"req_id\":1}");
}

TEST(cancel_amend_dead_man_and_subscription_are_what_the_venue_documents)
{
    static const struct {
        enum venue_request_kind kind;
        int64_t countdown_ns;
        const char *wanted;
    } row[] = {
        { VENUE_RQ_CANCEL, 0,
          "{\"method\":\"cancel_order\",\"params\":{\"cl_ord_id\":[\"X1\"],\"token\":\"TOKEN\"},\"req_id\":1}" },
        { VENUE_RQ_AMEND, 0,
          "{\"method\":\"amend_order\",\"params\":{\"cl_ord_id\":\"X1\",\"order_qty\":0.00100000,\"limit_price\":62000."
          "5,"
          "\"deadline\":\"2026-08-16T23:37:06.381419Z\",\"token\":\"TOKEN\"},\"req_id\":2}" },
        { VENUE_RQ_DEADMAN, 59 * NS_PER_S + 1,
          "{\"method\":\"cancel_all_orders_after\",\"params\":{\"timeout\":60,\"token\":\"TOKEN\"},\"req_id\":3}" },
        { VENUE_RQ_DEADMAN, 0,
          "{\"method\":\"cancel_all_orders_after\",\"params\":{\"timeout\":0,\"token\":\"TOKEN\"},\"req_id\":4}" },
        { VENUE_RQ_STREAM, 0,
          "{\"method\":\"subscribe\",\"params\":{\"channel\":\"executions\",\"snap_orders\":true,\"snap_trades\":false,"
          "\"order_status\":true,\"ratecounter\":true,\"token\":\"TOKEN\"},\"req_id\":5}" },
    };
    open_fresh(true);
    struct venue_order o = order_of("X1");
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        CHECK(submit(row[i].kind, &o, row[i].countdown_ns));
        CHECK_STR(text, row[i].wanted);
    }
    CHECK(!submit(VENUE_RQ_CANCEL_ALL, &o, 0)); /* of one instrument: there is no such request */
    CHECK(submit(VENUE_RQ_CANCEL_ALL, NULL, 0));
    CHECK_STR(text, "{\"method\":\"cancel_all\",\"params\":{\"token\":\"TOKEN\"},\"req_id\":6}");
}

/* ---- answers ---- */

TEST(answers_find_their_request_by_number_however_late_and_often)
{
    open_fresh(true);
    struct venue_order a = order_of("A");
    struct venue_order b = order_of("B");
    CHECK(submit(VENUE_RQ_NEW, &a, 0));
    CHECK(submit(VENUE_RQ_NEW, &b, 0));
    for (unsigned twice = 0; twice < 2; twice++) {
        read_message(
            "{\"method\":\"add_order\",\"req_id\":2,\"result\":{\"order_id\":\"OB1111-11111-111111\",\"cl_ord_id\":"
            "\"B\"},\"success\":true,\"time_in\":\"2026-08-16T23:37:05.1Z\",\"time_out\":\"2026-08-16T23:37:05.2Z\"}");
        CHECK_EQ(reports, 1);
        CHECK_EQ(got[0].kind, VENUE_NEW_ACK);
        CHECK_STR(got[0].clordid, "B");
        CHECK_EQ(got[0].venue_order_id, kraken_order_hash("OB1111-11111-111111", 19));
        CHECK_EQ(got[0].venue_time_ns, INT64_C(1786923425200000000));
    }
    read_message("{\"method\":\"add_order\",\"req_id\":1,\"success\":false,\"error\":\"EOrder:Insufficient funds\"}");
    CHECK_EQ(got[0].kind, VENUE_REJECTED);
    CHECK_STR(got[0].clordid, "A");
    CHECK_STR(got[0].text, "EOrder:Insufficient funds");
    CHECK(got[0].code != 0);
    read_message("{\"method\":\"add_order\",\"req_id\":9,\"success\":true,\"result\":{}}"); /* never asked */
    CHECK_EQ(reports, 0);
}

TEST(only_proof_rejects)
{
    static const struct {
        const char *error;
        uint8_t new_is, cancel_is;
        bool quiet;
    } row[] = {
        { "EOrder:Order minimum not met", VENUE_REJECTED, VENUE_CANCEL_REJECTED, false },
        { "EOrder:Unknown order", VENUE_REJECTED, VENUE_CANCEL_REJECTED, false },
        { "EOrder:Rate limit exceeded", VENUE_REJECTED, VENUE_CANCEL_REJECTED, true },
        { "EService:Deadline elapsed", VENUE_REJECTED, VENUE_CANCEL_REJECTED, false },
        { "EService:Market in cancel_only mode", VENUE_REJECTED, VENUE_CANCEL_REJECTED, false },
        { "EService:Unavailable", VENUE_UNKNOWN, VENUE_UNKNOWN, false },
        { "EService:Busy", VENUE_UNKNOWN, VENUE_UNKNOWN, false },
        { "EService:Timeout", VENUE_UNKNOWN, VENUE_UNKNOWN, false },
        { "EGeneral:Internal error", VENUE_UNKNOWN, VENUE_UNKNOWN, false },
        { "EOrder:Duplicate cl_ord_id", VENUE_UNKNOWN, VENUE_UNKNOWN, false },
        { "words of tomorrow", VENUE_UNKNOWN, VENUE_UNKNOWN, false },
    };
    open_fresh(true);
    struct venue_order o = order_of("A");
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        for (unsigned cancel = 0; cancel < 2; cancel++) {
            char message[256];
            CHECK(submit(cancel ? VENUE_RQ_CANCEL : VENUE_RQ_NEW, &o, 0));
            (void)snprintf(message, sizeof(message),
                           "{\"method\":\"x\",\"req_id\":%u,\"success\":false,\"error\":\"%s\"}", k->number,
                           row[i].error);
            read_message(message);
            CHECK_EQ(reports, 1u + row[i].quiet);
            CHECK_EQ(got[reports - 1].kind, cancel ? row[i].cancel_is : row[i].new_is);
            CHECK_EQ(got[reports - 1].request, cancel ? VENUE_RQ_CANCEL : VENUE_RQ_NEW);
            if (row[i].quiet) { /* of this pair, and of new orders and amends alone */
                CHECK_EQ(got[0].kind, VENUE_RATE_LIMITED);
                CHECK_EQ(got[0].request, VENUE_RQ_NEW);
                CHECK_EQ(got[0].instrument, 0);
            }
        }
    }
    CHECK(submit(VENUE_RQ_NEW, &o, 0));
    read_message("{\"method\":\"add_order\",\"req_id\":23}"); /* neither success nor failure */
    CHECK_EQ(got[0].kind, VENUE_UNKNOWN);
}

TEST(a_cancel_that_was_taken_up_says_nothing_until_the_channel_does)
{
    open_fresh(true);
    struct venue_order o = order_of("A");
    CHECK(submit(VENUE_RQ_CANCEL, &o, 0));
    for (unsigned i = 0; i < 3; i++) { /* one reply per order, all with the same number */
        read_message("{\"method\":\"cancel_order\",\"req_id\":1,\"result\":{\"cl_ord_id\":\"A\"},\"success\":true}");
        CHECK_EQ(reports, 0);
    }
}

TEST(an_amend_reports_what_it_asked_for_and_the_channel_what_is)
{
    open_fresh(true);
    struct venue_order o = order_of("A");
    CHECK(submit(VENUE_RQ_AMEND, &o, 0));
    read_message(
        "{\"method\":\"amend_order\",\"req_id\":1,\"result\":{\"amend_id\":\"TTW6PD-RC36L-ZZSWNU\",\"cl_ord_id\":"
        "\"A\"},\"success\":true,\"time_in\":\"2024-07-26T13:39:04.922699Z\",\"time_out\":\"2024-07-26T13:39:04.9Z\"}");
    CHECK_EQ(got[0].kind, VENUE_AMENDED);
    CHECK_EQ(got[0].px, o.px);
    CHECK_EQ(got[0].qty, o.qty);
    read_message(
        "{\"channel\":\"executions\",\"type\":\"update\",\"data\":[{\"exec_type\":\"amended\",\"order_id\":"
        "\"OA-1\",\"cl_ord_id\":\"A\",\"symbol\":\"BTC/USD\",\"order_qty\":0.002,\"limit_price\":61000.0,\"cum_qty\":"
        "0.0005,\"order_status\":\"partially_filled\",\"timestamp\":\"2024-07-26T13:39:04.9Z\"}]}");
    CHECK_EQ(got[0].kind, VENUE_AMENDED);
    CHECK_EQ(got[0].px, 610000);
    CHECK_EQ(got[0].qty, 200000);
    CHECK_EQ(got[0].cum_qty, 50000);
}

TEST(pong_gives_the_venues_clock_and_dead_man_its_end)
{
    open_fresh(true);
    CHECK(submit(VENUE_RQ_TIME, NULL, 0));
    read_message("{\"method\":\"pong\",\"req_id\":1,\"time_in\":\"2023-09-25T09:05:00.1Z\",\"time_out\":\"2023-09-"
                 "25T09:05:00.2Z\"}");
    CHECK_EQ(got[0].kind, VENUE_TIME);
    CHECK_EQ(got[0].venue_time_ns, INT64_C(1695632700200000000));
    CHECK(submit(VENUE_RQ_DEADMAN, NULL, 60 * NS_PER_S));
    read_message(
        "{\"method\":\"cancel_all_orders_after\",\"req_id\":2,\"result\":{\"currentTime\":\"2023-09-21T15:49:29Z\","
        "\"triggerTime\":\"2023-09-21T15:51:09Z\"},\"success\":true}");
    CHECK_EQ(got[0].kind, VENUE_DEADMAN);
    CHECK_EQ(got[0].venue_time_ns, INT64_C(1695311469000000000));
    CHECK(submit(VENUE_RQ_DEADMAN, NULL, 0));
    read_message(
        "{\"method\":\"cancel_all_orders_after\",\"req_id\":3,\"result\":{\"currentTime\":\"2023-09-21T15:49:29Z\","
        "\"triggerTime\":\"0\"},\"success\":true}");
    CHECK_EQ(got[0].venue_time_ns, 0);
    CHECK(submit(VENUE_RQ_STREAM, NULL, 0));
    read_message("{\"method\":\"subscribe\",\"req_id\":4,\"result\":{\"channel\":\"executions\"},\"success\":true}");
    CHECK_EQ(got[0].kind, VENUE_STREAM_UP);
    CHECK(submit(VENUE_RQ_STREAM, NULL, 0));
    read_message("{\"method\":\"subscribe\",\"req_id\":5,\"success\":false,\"error\":\"ESession:Invalid session\"}");
    CHECK_EQ(got[0].kind, VENUE_LOGON_REFUSED);
}

/* ---- the executions channel ---- */

/* One update of order OA-1, of which the first message said whose it is. */
static void
execution(uint64_t sequence, const char *fields)
{
    char message[1024];
    (void)snprintf(message, sizeof(message),
                   "{\"channel\":\"executions\",\"type\":\"update\",\"data\":[{\"order_id\":\"OA1111-11111-111111\",%s,"
                   "\"timestamp\":\"2026-08-16T23:37:05.3Z\"}],\"sequence\":%llu}",
                   fields, (unsigned long long)sequence);
    read_message(message);
}

static void
snapshot_of_one(void)
{
    read_message(
        "{\"channel\":\"executions\",\"type\":\"snapshot\",\"data\":[{\"order_id\":\"OA1111-11111-111111\","
        "\"cl_ord_id\":\"A\",\"symbol\":\"BTC/USD\",\"side\":\"sell\",\"order_status\":\"new\",\"exec_type\":\"new\","
        "\"order_qty\":1.0,\"limit_price\":62000.5,\"cum_qty\":0,\"timestamp\":\"2026-08-16T23:37:05Z\"}],"
        "\"sequence\":1}");
    CHECK_EQ(reports, 0); /* it is for the map */
}

TEST(sparse_updates_are_about_the_order_that_the_venues_id_means)
{
    static const struct {
        const char *fields;
        uint8_t kind; /* VENUE_REPORT_KIND_COUNT: nothing is reported */
        uint8_t state;
    } row[] = {
        { "\"exec_type\":\"pending_new\",\"order_status\":\"pending_new\"", VENUE_REPORT_KIND_COUNT, 0 },
        { "\"exec_type\":\"new\",\"order_status\":\"new\"", VENUE_NEW_ACK, 0 },
        { "\"exec_type\":\"new\",\"order_status\":\"triggered\"", VENUE_NEW_ACK, 0 },
        { "\"exec_type\":\"restated\",\"order_status\":\"partially_filled\"", VENUE_STATUS, ORDER_PARTIALLY_FILLED },
        { "\"exec_type\":\"status\",\"order_status\":\"new\"", VENUE_STATUS, ORDER_NEW },
        { "\"exec_type\":\"iceberg_refill\",\"order_status\":\"new\"", VENUE_REPORT_KIND_COUNT, 0 },
        { "\"exec_type\":\"amended\",\"order_status\":\"new\"", VENUE_STATUS, ORDER_NEW },
        { "\"exec_type\":\"of_tomorrow\",\"order_status\":\"new\"", VENUE_UNKNOWN, 0 },
        { "\"exec_type\":\"status\",\"order_status\":\"of_tomorrow\"", VENUE_UNKNOWN, 0 },
        { "\"exec_type\":\"new\",\"order_status\":\"new\",\"cum_qty\":0.000000001", VENUE_UNKNOWN, 0 },
        { "\"exec_type\":\"trade\",\"order_status\":\"partially_filled\",\"last_price\":62000.5,\"trade_id\":7",
          VENUE_UNKNOWN, 0 },
        { "\"exec_type\":\"filled\",\"order_status\":\"filled\",\"cum_qty\":1.0", VENUE_STATUS, ORDER_FILLED },
        { "\"exec_type\":\"canceled\",\"order_status\":\"canceled\",\"cum_qty\":0.25,\"reason\":\"User requested\"",
          VENUE_CANCELED, 0 },
        { "\"exec_type\":\"expired\",\"order_status\":\"expired\"", VENUE_EXPIRED, 0 },
    };
    open_fresh(true);
    snapshot_of_one();
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        execution(i + 2, row[i].fields);
        CHECK_EQ(reports, row[i].kind != VENUE_REPORT_KIND_COUNT);
        if (reports == 0)
            continue;
        CHECK_EQ(got[0].kind, row[i].kind);
        CHECK_STR(got[0].clordid, "A");
        CHECK_EQ(got[0].instrument, 0);
        CHECK_EQ(got[0].request, VENUE_RQ_COUNT);
        if (row[i].kind == VENUE_STATUS)
            CHECK_EQ(got[0].state, row[i].state);
        if (row[i].kind == VENUE_CANCELED) {
            CHECK_EQ(got[0].cum_qty, 25000000);
            CHECK_STR(got[0].text, "User requested");
        }
    }
}

TEST(a_trade_is_a_fill_with_its_id_fee_and_liquidity)
{
    open_fresh(true);
    snapshot_of_one();
    execution(
        2,
        "\"exec_type\":\"trade\",\"order_status\":\"partially_filled\",\"last_qty\":0.40000000,\"last_price\":62000.5,"
        "\"cum_qty\":0.4,\"trade_id\":365573,\"exec_id\":\"TOMLYE-1\",\"liquidity_ind\":\"m\",\"cost\":24800.2,"
        "\"fees\":[{\"asset\":\"USD\",\"qty\":39.68032}],\"ratecount\":2.5");
    CHECK_EQ(reports, 2);
    CHECK_EQ(got[0].kind, VENUE_RATE_BUDGET);
    CHECK_EQ(got[0].code, VENUE_BUDGET_DECAY);
    CHECK_EQ(got[0].cum_qty, 3);    /* rounded up */
    CHECK_EQ(got[0].instrument, 0); /* the counter is of the pair */
    CHECK_EQ(got[1].kind, VENUE_FILL);
    CHECK_EQ(got[1].last_qty, 40000000);
    CHECK_EQ(got[1].last_px, 620005);
    CHECK_EQ(got[1].cum_qty, 40000000);
    CHECK_EQ(got[1].trade_id, 365573);
    CHECK_EQ(got[1].maker, 1);
    CHECK_EQ(got[1].fee, INT64_C(3968032000));
    CHECK_STR(got[1].fee_ccy, "USD");
    execution(3,
              "\"exec_type\":\"trade\",\"order_status\":\"partially_filled\",\"last_qty\":0.6,\"last_price\":62000.5,"
              "\"trade_id\":365574,\"liquidity_ind\":\"t\",\"fees\":[{\"asset\":\"USD\",\"qty\":0.123456789}]");
    CHECK_EQ(got[0].kind, VENUE_FILL); /* a fee that cannot be read loses no fill */
    CHECK_EQ(got[0].fee_ccy[0], '\0');
    CHECK_EQ(got[0].maker, 0);
    for (unsigned sell = 0; sell < 2; sell++) { /* finer than the instrument: rounded against us */
        execution(4 + sell, sell ? "\"exec_type\":\"trade\",\"side\":\"sell\",\"last_qty\":0.6,\"trade_id\":365575,"
                                   "\"last_price\":62000.59"
                                 : "\"exec_type\":\"trade\",\"side\":\"buy\",\"last_qty\":0.6,\"trade_id\":365576,"
                                   "\"last_price\":62000.51");
        CHECK_EQ(got[0].kind, VENUE_FILL);
        CHECK_EQ(got[0].last_px, sell ? 620005 : 620006);
    }
}

TEST(a_hole_in_the_sequence_ends_the_stream_and_what_was_said_twice_is_read_once)
{
    open_fresh(true);
    snapshot_of_one();
    execution(2, "\"exec_type\":\"new\",\"order_status\":\"new\"");
    CHECK_EQ(reports, 1);
    execution(2, "\"exec_type\":\"new\",\"order_status\":\"new\"");
    CHECK_EQ(reports, 0);
    execution(4, "\"exec_type\":\"new\",\"order_status\":\"new\"");
    CHECK_EQ(reports, 2);
    CHECK_EQ(got[0].kind, VENUE_NEW_ACK); /* what did come is true */
    CHECK_EQ(got[1].kind, VENUE_STREAM_DOWN);
    venue_kraken.on_disconnected(adapter);
    execution(9, "\"exec_type\":\"new\",\"order_status\":\"new\""); /* another subscription counts anew */
    CHECK_EQ(reports, 1);
}

TEST(a_sequence_that_begins_again_ends_the_stream_and_silences_nothing)
{
    open_fresh(true);
    snapshot_of_one();
    for (uint64_t n = 2; n <= 5; n++)
        execution(n, "\"exec_type\":\"new\",\"order_status\":\"new\"");
    for (uint64_t n = 1; n <= 6; n++) { /* too few for a look at the numbers to tell it from repeats: all are read */
        execution(n, "\"exec_type\":\"new\",\"order_status\":\"new\"");
        CHECK_EQ(reports, 1);
        CHECK_EQ(got[0].kind, VENUE_NEW_ACK);
    }
    for (uint64_t n = 7; n <= 20; n++)
        execution(n, "\"exec_type\":\"new\",\"order_status\":\"new\"");
    execution(20 - KRAKEN_REPEATS, "\"exec_type\":\"new\",\"order_status\":\"new\""); /* a repeat, perhaps */
    CHECK_EQ(reports, 1);
    execution(20 - KRAKEN_REPEATS - 1, "\"exec_type\":\"new\",\"order_status\":\"new\"");
    CHECK_EQ(reports, 2);
    CHECK_EQ(got[0].kind, VENUE_NEW_ACK);
    CHECK_EQ(got[1].kind, VENUE_STREAM_DOWN);
    execution(21, "\"exec_type\":\"new\",\"order_status\":\"new\"");
    CHECK_EQ(reports, 1);
}

TEST(a_fill_of_an_order_that_nothing_names_is_not_dropped_in_silence)
{
    open_fresh(true);
    read_message(
        "{\"channel\":\"executions\",\"type\":\"update\",\"data\":[{\"order_id\":\"OX\",\"exec_type\":\"trade\","
        "\"order_status\":\"partially_filled\",\"last_qty\":1,\"last_price\":2,\"trade_id\":3}],\"sequence\":1}");
    CHECK_EQ(reports, 1);
    CHECK_EQ(got[0].kind, VENUE_UNKNOWN);
    CHECK_EQ(got[0].code, 0); /* as a message that cannot be read: the session ends, the trades are asked for */
    read_message(
        "{\"channel\":\"executions\",\"type\":\"update\",\"data\":[{\"order_id\":\"OX\",\"exec_type\":\"canceled\","
        "\"order_status\":\"canceled\"}],\"sequence\":2}");
    CHECK_EQ(reports, 1);
    CHECK_EQ(got[0].kind, VENUE_UNKNOWN);
    CHECK(got[0].code != 0); /* counted: the audit finds what it was */
    read_message(
        "{\"channel\":\"executions\",\"type\":\"update\",\"data\":[{\"order_id\":\"OX\",\"symbol\":\"ADA/USD\","
        "\"exec_type\":\"trade\",\"order_status\":\"filled\"}],\"sequence\":3}");
    CHECK_EQ(reports, 0); /* of a pair that we do not trade */
}

TEST(messages_that_cannot_be_read_may_have_been_about_any_order)
{
    open_fresh(true);
    snapshot_of_one();
    static const char whole[] =
        "{\"channel\":\"executions\",\"type\":\"update\",\"data\":[{\"order_id\":\"OA1111-11111-111111\","
        "\"exec_type\":\"canceled\",\"order_status\":\"canceled\"}],\"sequence\":2}";
    for (size_t n = 0; n + 1 < sizeof(whole); n++) {
        reports = 0;
        (void)venue_kraken.decode(adapter, guard_copy(&guard, whole, n), n, now, &sink);
        CHECK_EQ(reports, 1);
        CHECK_EQ(got[0].kind, VENUE_UNKNOWN);
        CHECK_EQ(got[0].clordid[0], '\0');
        CHECK_EQ(got[0].code, 0);
    }
    read_message(whole);
    CHECK_EQ(got[0].kind, VENUE_CANCELED);
    read_message("{\"channel\":\"heartbeat\"}");
    CHECK_EQ(reports, 0);
    read_message("{\"error\":\"Exceeded msg rate\"}");
    CHECK_EQ(got[0].kind, VENUE_RATE_LIMITED);
    read_message("{\"channel\":\"status\",\"type\":\"update\",\"data\":[{\"connection_id\":18446744073709551615}]}");
    CHECK_EQ(reports, 0);
}

TEST(orders_of_others_are_told_by_the_venues_id_alone)
{
    open_fresh(true);
    read_message("{\"channel\":\"executions\",\"type\":\"update\",\"data\":[{\"order_id\":\"OX\",\"symbol\":\"ETH/"
                 "EUR\",\"exec_type\":"
                 "\"new\",\"order_status\":\"new\",\"order_qty\":1,\"limit_price\":2000.01}]}");
    CHECK_EQ(reports, 1);
    CHECK_EQ(got[0].clordid[0], '\0');
    CHECK_EQ(got[0].venue_order_id, kraken_order_hash("OX", 2));
    struct venue_order o = order_of("OURNAME");
    o.flags = COMMAND_ADOPTED;
    o.venue_order_id = kraken_order_hash("OX", 2);
    CHECK(submit(VENUE_RQ_CANCEL, &o, 0));
    CHECK(strstr(text, "\"order_id\":[\"OX\"]") != NULL);
    o.venue_order_id = 77;
    CHECK(!submit(VENUE_RQ_CANCEL, &o, 0));
    read_message("{\"channel\":\"executions\",\"type\":\"update\",\"data\":[{\"order_id\":\"OY\",\"symbol\":\"XRP/"
                 "USD\",\"exec_type\":"
                 "\"new\",\"order_status\":\"new\"}]}");
    CHECK_EQ(reports, 0); /* of a pair that is not ours */
}

TEST(the_map_forgets_the_oldest_finished_order_and_no_live_one)
{
    open_fresh(true);
    uint32_t max = k->orders.max;
    char id[KRAKEN_ORDER_ID_BYTES];
    for (uint32_t i = 0; i < max; i++) {
        int n = snprintf(id, sizeof(id), "O%05u", i);
        struct kraken_order *o = kraken_orders_add(&k->orders, id, (size_t)n);
        CHECK(o != NULL);
        if (i % 2 == 0)
            kraken_orders_done(&k->orders, o);
    }
    for (uint32_t i = 0; i < max / 2; i++) {
        int n = snprintf(id, sizeof(id), "N%05u", i);
        CHECK(kraken_orders_add(&k->orders, id, (size_t)n) != NULL);
    }
    CHECK(kraken_orders_add(&k->orders, "ONE-TOO-MANY", 12) == NULL);
    for (uint32_t i = 0; i < max; i++) {
        int n = snprintf(id, sizeof(id), "O%05u", i);
        CHECK_EQ(kraken_orders_find(&k->orders, kraken_order_hash(id, (size_t)n)) != NULL, i % 2 == 1);
        n = snprintf(id, sizeof(id), "N%05u", i);
        CHECK_EQ(kraken_orders_find(&k->orders, kraken_order_hash(id, (size_t)n)) != NULL, i < max / 2);
    }
    CHECK(kraken_orders_add(&k->orders, "AN-ID-OF-TWENTY-FOUR-BYTES", 26) == NULL);
}

TEST(the_map_gives_up_orders_that_a_whole_list_asked_for_later_does_not_name)
{
    char id[KRAKEN_ORDER_ID_BYTES];
    open_fresh(true);
    struct kraken_orders *t = &k->orders;
    for (unsigned round = 0; round < 3; round++) { /* their ends were told while nobody listened */
        for (uint32_t i = 0; i < t->max - 1; i++) {
            int n = snprintf(id, sizeof(id), "R%u-%05u", round, i);
            CHECK(kraken_orders_add(t, id, (size_t)n) != NULL);
        }
        CHECK(kraken_orders_add(t, "LIVE", 4) != NULL);
        CHECK(kraken_orders_add(t, "ONE-TOO-MANY", 12) == NULL);
        kraken_orders_list(t);
        CHECK(kraken_orders_add(t, "ONE-TOO-MANY", 12) == NULL); /* its answer is not here yet */
        CHECK(kraken_orders_add(t, "LIVE", 4) != NULL);          /* named by it */
        kraken_orders_listed(t);
    }
    CHECK(kraken_orders_add(t, "NEW", 3) != NULL);
    CHECK(kraken_orders_find(t, kraken_order_hash("LIVE", 4)) != NULL);
}

/* ---- over HTTP ---- */

/* Asks; `text` is the HTTP request. */
static bool
ask(enum venue_request_kind kind, const struct venue_order *o, int64_t since_ns)
{
    struct venue_request rq = { .kind = kind, .order = o, .since_ns = since_ns, .tag = 9 };
    int n = venue_kraken.submit(adapter, &rq, now, 0, buf, sizeof(buf), &sink);
    (void)snprintf(text, sizeof(text), "%.*s", MAX(n, 0), (const char *)buf);
    reports = 0;
    return n > 0;
}

static void
answer(unsigned status, const char *body)
{
    size_t n = strlen(body);
    (void)venue_kraken.decode_rest(adapter, status, guard_copy(&guard, body, n), n, now, &sink);
}

/* The next request of the same question, in `text`. */
static bool
more(void)
{
    int n = venue_kraken.rest_more(adapter, now, 0, buf, sizeof(buf));
    (void)snprintf(text, sizeof(text), "%.*s", MAX(n, 0), (const char *)buf);
    return n > 0;
}

static uint64_t
nonce_of(void)
{
    const char *p = strstr(text, "\n\nnonce=");
    CHECK(p != NULL);
    return strtoull(p + 8, NULL, 10);
}

TEST(a_token_is_asked_for_with_a_signature_and_rising_nonces)
{
    open_fresh(false);
    CHECK(ask(VENUE_RQ_LOGON, NULL, 0));
    CHECK(strstr(text, "POST /0/private/GetWebSocketsToken\nAPI-Key: KEY\nAPI-Sign: ") == text);
    uint64_t first = nonce_of();
    CHECK_EQ(first, (uint64_t)now.wall.ns);
    char body[64];
    char sign[HMAC512_BASE64_BYTES + 1] = "";
    (void)snprintf(body, sizeof(body), "nonce=%llu", (unsigned long long)first);
    kraken_sign(&k->hmac, "/0/private/GetWebSocketsToken", first, body, sign);
    CHECK(strstr(text, sign) != NULL);
    now.wall.ns -= NS_PER_S; /* a clock that steps back */
    CHECK(ask(VENUE_RQ_LOGON, NULL, 0));
    CHECK_EQ(nonce_of(), first + 1);
    answer(200,
           "{\"error\":[],\"result\":{\"token\":\"1Dwc4lzSwNWOAwkMdqhssNNFhs1ed606d1WcF3XfEMw\",\"expires\":900}}");
    CHECK_EQ(got[0].kind, VENUE_LOGGED_ON);
    CHECK(!more());
    struct venue_order o = order_of("A");
    CHECK(submit(VENUE_RQ_NEW, &o, 0));
    CHECK(strstr(text, "\"token\":\"1Dwc4lzSwNWOAwkMdqhssNNFhs1ed606d1WcF3XfEMw\"") != NULL);
    venue_kraken.on_disconnected(adapter);
    CHECK(!submit(VENUE_RQ_NEW, &o, 0)); /* a fresh one per connection */
}

TEST(a_logon_that_fails_in_any_way_is_refused)
{
    static const struct {
        unsigned status;
        const char *body;
    } row[] = { { 0, "" },
                { 200, "{\"error\":[\"EAPI:Invalid key\"]}" },
                { 200, "{\"error\":[],\"result\":{}}" },
                { 200, "{\"error\":[],\"result\":{\"token\":\"\"}}" },
                { 200, "{\"error\":[],\"result\":{\"token\":\"a b\"}}" },
                { 503, "<html>" },
                { 200, "{\"error\":[],\"result\":{\"token\":\"x\"" } };
    open_fresh(false);
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        CHECK(ask(VENUE_RQ_LOGON, NULL, 0));
        answer(row[i].status, row[i].body);
        CHECK(reports >= 1);
        CHECK_EQ(got[reports - 1].kind, VENUE_LOGON_REFUSED);
        CHECK_EQ(k->token_len, 0);
    }
}

#define LISTED(txid, clordid, status, vol, exec)                                                                       \
    "\"" txid "\":{\"refid\":null,\"userref\":0,\"cl_ord_id\":\"" clordid "\",\"status\":\"" status                    \
    "\",\"opentm\":1688666559.8974,\"descr\":{\"pair\":\"XBTUSD\",\"type\":\"buy\",\"ordertype\":\"limit\",\"price\":" \
    "\"62000.5\"},\"vol\":\"" vol "\",\"vol_exec\":\"" exec                                                            \
    "\",\"cost\":\"0\",\"fee\":\"0\",\"price\":\"0\",\"trades\":[\"T1\"]}"

TEST(an_unacknowledged_order_is_looked_for_among_the_open_and_then_the_closed_ones)
{
    open_fresh(true);
    struct venue_order o = order_of("A");
    CHECK(ask(VENUE_RQ_QUERY, &o, 0));
    CHECK(strncmp(text, "POST /0/private/OpenOrders\n", 27) == 0 && strstr(text, "&cl_ord_id=A") != NULL);
    answer(200, "{\"error\":[],\"result\":{\"open\":{" LISTED("OZ-1", "Z", "open", "1", "0") "}}}");
    CHECK_EQ(reports, 0);
    CHECK(more());
    CHECK(strncmp(text, "POST /0/private/ClosedOrders\n", 29) == 0);
    answer(200, "{\"error\":[],\"result\":{\"closed\":{},\"count\":0}}");
    CHECK_EQ(got[0].kind, VENUE_NOT_FOUND);
    CHECK_EQ(got[0].tag, 9); /* it is the answer to this question, not to one before */
    CHECK_STR(got[0].clordid, "A");
    CHECK(!more());
    CHECK(ask(VENUE_RQ_QUERY, &o, 0));
    answer(200, "{\"error\":[],\"result\":{\"open\":{}}}");
    CHECK(more());
    answer(200, "{\"error\":[],\"result\":{\"closed\":{" LISTED("OA-1", "A", "canceled", "1.00000000",
                                                                "0.25000000") "},\"count\":1}}");
    CHECK_EQ(got[0].kind, VENUE_STATUS);
    CHECK_EQ(got[0].request, VENUE_RQ_QUERY);
    CHECK_EQ(got[0].state, ORDER_CANCELED);
    CHECK_EQ(got[0].cum_qty, 25000000);
    CHECK_EQ(got[0].qty, 100000000);
    CHECK_EQ(got[0].px, 620005);
    CHECK_EQ(got[0].instrument, 0);
    CHECK(!more());
    /* Its id is known now: it is asked for by that. */
    o.venue_order_id = got[0].venue_order_id;
    CHECK(ask(VENUE_RQ_QUERY, &o, 0));
    CHECK(strstr(text, "QueryOrders") != NULL && strstr(text, "&txid=OA-1") != NULL);
    answer(200, "{\"error\":[],\"result\":{" LISTED("OA-1", "A", "closed", "1.0", "1.0") "}}");
    CHECK_EQ(got[0].state, ORDER_FILLED);
    CHECK_EQ(got[0].tag, 9);
    CHECK(ask(VENUE_RQ_QUERY, &o, 0));
    answer(500, "");
    CHECK_EQ(reports, 2); /* told to be quiet, too */
    CHECK(got[1].kind == VENUE_QUERY_FAILED && got[1].tag == 9);
    CHECK(ask(VENUE_RQ_QUERY, &o, 0));
    answer(200, "{\"error\":[\"EOrder:Unknown order\"]}");
    CHECK_EQ(got[0].kind, VENUE_NOT_FOUND);
}

TEST(an_order_taken_over_is_found_by_the_hash_of_its_id_when_nothing_else_is_known)
{
    open_fresh(true);
    struct venue_order o = order_of("OURNAME");
    o.flags = COMMAND_ADOPTED;
    o.venue_order_id = kraken_order_hash("OX-9", 4);
    CHECK(ask(VENUE_RQ_QUERY, &o, 0));
    CHECK(strstr(text, "OpenOrders") != NULL && strstr(text, "cl_ord_id") == NULL);
    answer(200, "{\"error\":[],\"result\":{\"open\":{" LISTED("OZ-1", "OURNAME", "open", "1", "0") "}}}");
    CHECK(more());
    CHECK(strstr(text, "ClosedOrders") != NULL && strstr(text, "cl_ord_id") == NULL);
    answer(200, "{\"error\":[],\"result\":{\"closed\":{" LISTED("OX-9", "", "closed", "1", "1") "},\"count\":1}}");
    CHECK_EQ(got[0].kind, VENUE_STATUS);
    CHECK_STR(got[0].clordid, "OURNAME");
    CHECK_EQ(got[0].state, ORDER_FILLED);
}

TEST(closed_orders_are_looked_through_to_their_end_before_not_found_is_said)
{
    open_fresh(true);
    struct venue_order o = order_of("A");
    CHECK(ask(VENUE_RQ_QUERY, &o, 0));
    answer(200, "{\"error\":[],\"result\":{\"open\":{}}}");
    CHECK(more());
    answer(200, "{\"error\":[],\"result\":{\"closed\":{" LISTED("OZ-1", "Z", "closed", "1", "1") "," LISTED(
                    "OZ-2", "Y", "closed", "1", "1") "},\"count\":3}}");
    CHECK_EQ(reports, 0);
    CHECK(more());
    CHECK(strstr(text, "&ofs=2") != NULL);
    answer(200, "{\"error\":[],\"result\":{\"closed\":{" LISTED("OA-1", "A", "expired", "1", "0") "},\"count\":3}}");
    CHECK_EQ(got[0].state, ORDER_EXPIRED);
}

TEST(a_query_that_goes_wrong_is_never_not_found)
{
    static const struct {
        unsigned status;
        const char *body;
    } row[] = { { 0, "" },
                { 200, "{\"error\":[\"EService:Unavailable\"]}" },
                { 200, "{\"error\":[\"EAPI:Rate limit exceeded\"],\"result\":{\"open\":{}}}" },
                { 502, "{\"error\":[],\"result\":{\"open\":{}}}" },
                { 200, "{\"error\":[],\"result\":{\"open\":{}" },
                { 200, "{\"error\":[]}" },
                { 200, "{\"error\":[],\"result\":{\"open\":{" LISTED("OA-1", "A", "of_tomorrow", "1", "0") "}}}" },
                { 200, "{\"error\":[],\"result\":{\"open\":{" LISTED("OA-1", "A", "open", "x", "0") "}}}" } };
    open_fresh(true);
    struct venue_order o = order_of("A");
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        CHECK(ask(VENUE_RQ_QUERY, &o, 0));
        answer(row[i].status, row[i].body);
        CHECK(reports >= 1 && reports <= 2);
        CHECK(reports == 1 || got[0].kind == VENUE_RATE_LIMITED);
        CHECK_EQ(got[reports - 1].kind, VENUE_QUERY_FAILED);
        CHECK_EQ(got[reports - 1].request, VENUE_RQ_QUERY);
        CHECK_STR(got[reports - 1].clordid, "A");
        CHECK(!more());
    }
    reports = 0;
    answer(200, "{\"error\":[],\"result\":{}}"); /* of nothing that was asked */
    CHECK_EQ(reports, 0);
}

TEST(open_orders_are_listed_ours_and_others_to_their_end)
{
    open_fresh(true);
    CHECK(ask(VENUE_RQ_OPEN_ORDERS, NULL, 0));
    answer(200, "{\"error\":[],\"result\":{\"open\":{" LISTED(
                    "OA-1", "A", "open", "1", "0.5") ",\"OX-1\":{\"cl_ord_id\":null,"
                                                     "\"status\":\"pending\",\"descr\":{\"pair\":\"ETHEUR\",\"type\":"
                                                     "\"sell\",\"price\":\"0\"},\"vol\":\"2\",\"vol_exec\":\"0\"},"
                                                     "\"OX-2\":{\"status\":\"open\",\"descr\":{\"pair\":\"XRPUSD\","
                                                     "\"type\":\"sell\"},\"vol\":\"2\",\"vol_exec\":\"0\"}}}}");
    CHECK_EQ(reports, 4);
    CHECK_EQ(got[0].kind, VENUE_OPEN_ORDER);
    CHECK_EQ(got[0].state, ORDER_PARTIALLY_FILLED);
    CHECK_STR(got[0].clordid, "A");
    CHECK_EQ(got[1].clordid[0], '\0');
    CHECK_EQ(got[1].instrument, 1);
    CHECK_EQ(got[1].side, SIDE_SELL);
    CHECK_EQ(got[1].state, ORDER_NEW);
    CHECK_EQ(got[2].instrument, INSTRUMENT_NONE);
    CHECK_EQ(got[3].kind, VENUE_OPEN_ORDERS_END);
    CHECK(ask(VENUE_RQ_OPEN_ORDERS, NULL, 0));
    answer(200, "{\"error\":[],\"result\":{\"open\":{\"OA-2\":{\"status\":\"open\",\"descr\":{\"pair\":\"XBTUSD\"},"
                "\"vol\":\"?\"}}}}");
    CHECK_EQ(reports, 2);
    CHECK_EQ(got[0].kind, VENUE_OPEN_ORDER);
    CHECK_EQ(got[0].state, ORDER_FREE); /* that it is there is all that is known */
    CHECK_EQ(got[1].kind, VENUE_OPEN_ORDERS_END);
}

#define LISTED_OF(type, prices)                                                                                 \
    "{\"error\":[],\"result\":{\"open\":{\"OX-1\":{\"cl_ord_id\":null,\"status\":\"open\",\"descr\":{\"pair\":" \
    "\"XBTUSD\","                                                                                               \
    "\"type\":\"sell\",\"ordertype\":\"" type "\"," prices "},\"vol\":\"2\",\"vol_exec\":\"0\"}}}}"

TEST(an_open_order_says_whether_it_is_in_the_book_as_a_plain_limit_order)
{
    static const struct {
        const char *text;
        uint8_t type;
        px_t px;
        px_t trigger;
        const char *word;
    } row[] = {
        { LISTED_OF("limit", "\"price\":\"62000.5\",\"price2\":\"0\""), ORDER_LIMIT, 620005, 0, "" },
        { LISTED_OF("iceberg", "\"price\":\"62000.5\",\"price2\":\"0\""), ORDER_ICEBERG, 620005, 0, "iceberg" },
        { LISTED_OF("stop-loss", "\"price\":\"61000.5\",\"price2\":\"0\""), ORDER_CONDITIONAL, 0, 610005, "stop-loss" },
        { LISTED_OF("stop-loss-limit", "\"price\":\"61000.5\",\"price2\":\"60900.1\""), ORDER_CONDITIONAL, 609001,
          610005, "stop-loss-limit" },
        { LISTED_OF("take-profit", "\"price\":\"63000.5\",\"price2\":\"0\""), ORDER_CONDITIONAL, 0, 630005,
          "take-profit" },
        { LISTED_OF("trailing-stop", "\"price\":\"+5.0000%\",\"price2\":\"0\""), ORDER_CONDITIONAL, 0, 0,
          "trailing-stop" },
        { LISTED_OF("trailing-stop-limit", "\"price\":\"100.0\",\"price2\":\"10.0\""), ORDER_CONDITIONAL, 0, 0,
          "trailing-stop-limit" },
        { LISTED_OF("settle-position", "\"price\":\"0\",\"price2\":\"0\""), ORDER_CONDITIONAL, 0, 0,
          "settle-position" },
    };

    open_fresh(true);
    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        CHECK(ask(VENUE_RQ_OPEN_ORDERS, NULL, 0));
        answer(200, row[i].text);
        CHECK_EQ(reports, 2);
        CHECK_EQ(got[0].state, ORDER_NEW);
        CHECK_EQ(got[0].type, row[i].type);
        CHECK_EQ(got[0].px, row[i].px);
        CHECK_EQ(got[0].trigger_px, row[i].trigger);
        CHECK_STR(got[0].text, row[i].word);
    }
}

#define TRADE_AT(txid, order, pair, id, vol, side, px)                                                          \
    "\"" txid "\":{\"ordertxid\":\"" order "\",\"pair\":\"" pair "\",\"time\":1688667796.8802,\"type\":\"" side \
    "\",\"ordertype\":"                                                                                         \
    "\"limit\",\"price\":\"" px "\",\"cost\":\"1\",\"fee\":\"0.16000\",\"vol\":\"" vol                          \
    "\",\"margin\":\"0.0\",\"misc\":\"\","                                                                      \
    "\"trade_id\":" id ",\"maker\":true}"
#define TRADE(txid, order, pair, id, vol) TRADE_AT(txid, order, pair, id, vol, "buy", "62000.50000")

TEST(trades_come_page_by_page_and_name_their_order)
{
    open_fresh(true);
    struct venue_order o = order_of("A");
    o.venue_order_id = kraken_order_hash("OA-1", 4);
    CHECK(ask(VENUE_RQ_TRADES, &o, INT64_C(1688667000500000000)));
    CHECK(strstr(text, "TradesHistory") != NULL && strstr(text, "&start=1688667000&end=1786923485&ofs=0") != NULL);
    answer(200,
           "{\"error\":[],\"result\":{\"trades\":{" TRADE("T1", "OA-1", "XXBTZUSD", "7", "0.25000000") "," TRADE(
               "T2", "OB-1", "XXBTZUSD", "8", "0.1") "," TRADE("T3", "OC-1", "XETHZEUR", "9", "1") "},\"count\":4}}");
    CHECK_EQ(reports, 2);
    CHECK_EQ(got[0].kind, VENUE_FILL);
    CHECK_STR(got[0].clordid, "A");
    CHECK_EQ(got[0].trade_id, 7);
    CHECK_EQ(got[0].last_px, 620005);
    CHECK_EQ(got[0].last_qty, 25000000);
    CHECK_EQ(got[0].fee, 16000000);
    CHECK_STR(got[0].fee_ccy, "USD");
    CHECK_EQ(got[0].maker, 1);
    CHECK_EQ(got[0].venue_time_ns, INT64_C(1688667796880200000));
    CHECK_EQ(got[1].clordid[0], '\0');
    CHECK_EQ(got[1].venue_order_id, kraken_order_hash("OB-1", 4));
    CHECK(more());
    CHECK(strstr(text, "&ofs=3") != NULL);
    answer(200,
           "{\"error\":[],\"result\":{\"trades\":{" TRADE("T4", "OA-1", "XBT\\/USD", "10", "0.5") "},\"count\":4}}");
    CHECK_EQ(reports, 4);
    CHECK_EQ(got[2].trade_id, 10);
    CHECK_EQ(got[3].kind, VENUE_TRADES_END);
    CHECK_STR(got[3].clordid, "A");
    CHECK(!more());
    CHECK(ask(VENUE_RQ_TRADES, &o, 0));
    answer(200, "{\"error\":[],\"result\":{\"trades\":{" TRADE("T1", "OA-1", "XXBTZUSD", "7",
                                                               "0.000000001") "},\"count\":1}}");
    CHECK_EQ(reports, 1);
    CHECK_EQ(got[0].kind, VENUE_QUERY_FAILED);
}

TEST(a_trade_finer_than_the_instrument_is_counted_at_a_price_rounded_against_us)
{
    open_fresh(true);
    struct venue_order o = order_of("A");
    o.venue_order_id = kraken_order_hash("OA-1", 4);
    CHECK(ask(VENUE_RQ_TRADES, &o, 0));
    answer(200, "{\"error\":[],\"result\":{\"trades\":{" TRADE_AT(
                    "T1", "OA-1", "XXBTZUSD", "7", "1", "buy",
                    "62000.51") "," TRADE_AT("T2", "OA-1", "XXBTZUSD", "8", "1", "sell", "62000.59") "},\"count\":2}}");
    CHECK_EQ(reports, 3);
    CHECK_EQ(got[0].last_px, 620006);
    CHECK_EQ(got[1].last_px, 620005);
}

/* 2023-07-06 18:23:16: of the trades below. */
#define TRADED_S  INT64_C(1688667796)
#define COUNTED   ((TRADED_S - 100) * NS_PER_S)
#define FRESH(at) ((at).wall.ns)

/* An instrument's trades from `since` on, everything before since_ns being counted. True: a page is asked for, in
 * `text`; false: answered from what was read. */
static bool
sweep(uint32_t instrument, int64_t since, int64_t since_ns, int64_t fresh_ns)
{
    struct venue_order o = { .instrument = &ins[instrument] };
    struct venue_request rq = {
        .kind = VENUE_RQ_TRADES, .order = &o, .since_ns = since_ns, .since_trade = since, .fresh_ns = fresh_ns
    };
    reports = 0;
    int n = venue_kraken.submit(adapter, &rq, now, 0, buf, sizeof(buf), &sink);
    (void)snprintf(text, sizeof(text), "%.*s", MAX(n, 0), (const char *)buf);
    return n > 0;
}

/* A page from a list of `count`. */
static void
page(const char *trades, unsigned count)
{
    char body[4096];

    (void)snprintf(body, sizeof(body), "{\"error\":[],\"result\":{\"trades\":{%s},\"count\":%u}}", trades, count);
    reports = 0;
    answer(200, body);
    CHECK(!more()); /* the gateway asks on when nobody else wants to */
}

TEST(the_accounts_trades_are_read_once_for_all_instruments_from_the_time_that_was_counted)
{
    const int64_t fresh = FRESH(now);

    open_fresh(true);
    CHECK(sweep(0, 7, COUNTED, fresh));
    CHECK(strstr(text, "&start=1688667636&end=1786923485&ofs=0") != NULL); /* a minute earlier and a minute later */
    page(TRADE("T9", "OB-1", "XXBTZUSD", "9", "0.9") "," TRADE("TX", "OC-1", "XETHZEUR", "3",
                                                               "1") "," TRADE("T8", "OA-1", "XXBTZUSD", "8", "0.8"),
         5);
    CHECK_EQ(reports, 0); /* whole or not at all */
    CHECK(sweep(0, 7, COUNTED, fresh));
    CHECK(strstr(text, "&ofs=3") != NULL);
    reports = 0;
    answer(200, "{\"error\":[\"EGeneral:Internal error\"]}");
    CHECK_EQ(got[0].kind, VENUE_QUERY_FAILED);
    CHECK_EQ(got[0].request, VENUE_RQ_TRADES);
    CHECK_EQ(got[0].definite, 0);
    CHECK(ask(VENUE_RQ_BALANCES, NULL, 0)); /* others ask meanwhile */
    answer(200, "{\"error\":[],\"result\":{}}");
    now.wall.ns += 200 * NS_PER_S;
    CHECK(sweep(0, 7, COUNTED, fresh)); /* it goes on from where it was, with the end that it had */
    CHECK(strstr(text, "&start=1688667636&end=1786923485&ofs=3") != NULL);
    page(TRADE("T7", "OA-1", "XXBTZUSD", "7", "0.7") "," TRADE("T6", "OA-1", "XXBTZUSD", "6", "0.6"), 5);
    CHECK_EQ(reports, 4);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_EQ(got[i].kind, VENUE_FILL);
        CHECK_EQ(got[i].trade_id, 7 + i);
        CHECK_EQ(got[i].last_qty, (7 + i) * INT64_C(10000000));
        CHECK_EQ(got[i].fee, 16000000);
    }
    CHECK_EQ(got[2].venue_order_id, kraken_order_hash("OB-1", 4));
    CHECK_EQ(got[3].kind, VENUE_TRADES_END);
    CHECK_EQ(got[3].instrument, 0);
    CHECK_EQ(got[3].code, 0);
    CHECK(!sweep(1, 0, COUNTED, fresh)); /* the next instrument costs nothing */
    CHECK_EQ(reports, 2);
    CHECK_EQ(got[0].trade_id, 3);
    CHECK_EQ(got[1].instrument, 1);
    px_t px = got[0].last_px;
    qty_t qty = got[0].last_qty;
    CHECK(px > 0 && qty > 0);
    ins[1].px_decimals += 2; /* a new definition: what was read before it is told in its decimals */
    ins[1].qty_decimals += 1;
    CHECK(!sweep(1, 0, COUNTED, fresh));
    CHECK_EQ(got[0].last_px, px * 100);
    CHECK_EQ(got[0].last_qty, qty * 10);
    ins[1].px_decimals -= 2;
    ins[1].qty_decimals -= 1;
    CHECK(!sweep(2, 0, COUNTED, fresh)); /* nor does a quiet one */
    CHECK_EQ(reports, 1);
    CHECK_EQ(got[0].kind, VENUE_TRADES_END);
    CHECK(sweep(2, 0, COUNTED, FRESH(now))); /* the next sweep reads again */
    CHECK(strstr(text, "&ofs=0") != NULL);
}

TEST(where_nothing_is_known_of_the_past_the_newest_page_is_enough_for_all)
{
    open_fresh(true);
    CHECK(sweep(0, -1, 0, FRESH(now)));
    CHECK(strstr(text, "&start=0&") != NULL);
    page(TRADE("T9", "OB-1", "XXBTZUSD", "9", "0.9"), 10000);
    CHECK_EQ(reports, 2);
    CHECK_EQ(got[1].kind, VENUE_TRADES_END);
    CHECK_EQ(got[1].code, 0);
    CHECK(!sweep(1, -1, 0, FRESH(now)));
    CHECK_EQ(reports, 1);
}

TEST(more_trades_than_there_is_room_for_are_told_window_after_window)
{
    const int64_t fresh = FRESH(now);
    char want[64];
    int64_t end = now.wall.ns / NS_PER_S + 60;
    const int64_t start = TRADED_S - 160;

    open_fresh(true);
    CHECK(sweep(0, 1, COUNTED, fresh));
    page(TRADE("T9", "OB-1", "XXBTZUSD", "9", "0.9"), KRAKEN_SWEEP_TRADES + 1); /* halved */
    CHECK_EQ(reports, 0);
    end = start + (end - start) / 2;
    CHECK(sweep(0, 1, COUNTED, fresh));
    (void)snprintf(want, sizeof(want), "&start=%lld&end=%lld&ofs=0", (long long)start, (long long)end);
    CHECK(strstr(text, want) != NULL);
    page(TRADE("T5", "OA-1", "XXBTZUSD", "5", "0.5") "," TRADE("TX", "OC-1", "XETHZEUR", "3", "1"), 2);
    CHECK_EQ(reports, 2);
    CHECK_EQ(got[0].trade_id, 5);
    CHECK_EQ(got[1].kind, VENUE_TRADES_END);
    CHECK_EQ(got[1].code, 1); /* there are more */
    CHECK(sweep(0, 6, COUNTED, fresh));
    (void)snprintf(want, sizeof(want), "&start=%lld&end=%lld&ofs=0", (long long)end - 1,
                   (long long)(fresh / NS_PER_S + 60));
    CHECK(strstr(text, want) != NULL);
    page(TRADE("T9", "OB-1", "XXBTZUSD", "9", "0.9") "," TRADE("T5", "OA-1", "XXBTZUSD", "5", "0.5"), 2);
    CHECK_EQ(reports, 2); /* what both windows have is told once */
    CHECK_EQ(got[0].trade_id, 9);
    CHECK_EQ(got[1].code, 0);
    CHECK(sweep(1, 0, COUNTED, fresh)); /* the first window's were not kept: from its start again */
    (void)snprintf(want, sizeof(want), "&start=%lld&", (long long)start);
    CHECK(strstr(text, want) != NULL);
    page(TRADE("TX", "OC-1", "XETHZEUR", "3", "1"), 3);
    CHECK(sweep(1, 0, COUNTED, fresh));
    page(TRADE("T5", "OA-1", "XXBTZUSD", "5", "0.5"), 2);
    CHECK_EQ(reports, 2);
    CHECK_EQ(got[0].trade_id, 3);
    CHECK_EQ(got[1].code, 0);
}

TEST(a_trade_that_cannot_be_read_fails_its_own_instrument_alone)
{
    const int64_t fresh = FRESH(now);

    open_fresh(true);
    CHECK(sweep(0, 1, COUNTED, fresh));
    page(TRADE("T9", "OB-1", "XXBTZUSD", "9", "0.9") "," TRADE("TX", "OC-1", "XETHZEUR", "3", "much"), 2);
    CHECK_EQ(reports, 2);
    CHECK(!sweep(1, 0, COUNTED, fresh));
    CHECK_EQ(reports, 1);
    CHECK_EQ(got[0].kind, VENUE_QUERY_FAILED);
    CHECK(sweep(1, 0, COUNTED, fresh)); /* read anew */
}

/* The question was refused so that nothing over HTTP may follow for a while. */
static void
told_to_be_quiet(enum venue_request_kind kind, int64_t wait_ns)
{
    CHECK_EQ(reports, 2);
    CHECK_EQ(got[0].kind, VENUE_RATE_LIMITED);
    CHECK_EQ(got[0].request, kind);
    CHECK_EQ(got[0].retry_after_ns - got[0].venue_time_ns, wait_ns);
    CHECK_EQ(got[1].kind, kind == VENUE_RQ_LOGON ? VENUE_LOGON_REFUSED : VENUE_QUERY_FAILED);
    CHECK_EQ(got[1].definite, 0);
}

TEST(being_told_to_be_quiet_over_http_is_heeded_and_longer_each_time)
{
    static const char rate[] = "{\"error\":[\"EAPI:Rate limit exceeded\"]}";

    open_fresh(true);
    CHECK(ask(VENUE_RQ_OPEN_ORDERS, NULL, 0));
    answer(200, rate);
    told_to_be_quiet(VENUE_RQ_OPEN_ORDERS, 5 * NS_PER_S);
    CHECK_STR(got[0].text, "EAPI:Rate limit exceeded");
    for (int64_t wait_s = 10; wait_s <= 160; wait_s *= 2) {
        CHECK(ask(VENUE_RQ_BALANCES, NULL, 0));
        answer(429, "too many requests");
        told_to_be_quiet(VENUE_RQ_BALANCES, MIN(wait_s, 60) * NS_PER_S);
    }
    CHECK(ask(VENUE_RQ_BALANCES, NULL, 0));
    answer(200, "{\"error\":[],\"result\":{}}");
    CHECK(ask(VENUE_RQ_BALANCES, NULL, 0));
    answer(503, "<html></html>");
    told_to_be_quiet(VENUE_RQ_BALANCES, NS_PER_S);
    CHECK(ask(VENUE_RQ_LOGON, NULL, 0)); /* nor does the log-on */
    answer(200, "{\"error\":[\"EGeneral:Temporary lockout\"]}");
    told_to_be_quiet(VENUE_RQ_LOGON, 15 * 60 * NS_PER_S);
    CHECK(ask(VENUE_RQ_BALANCES, NULL, 0));
    answer(404, "nothing"); /* wrong, and nobody wants quiet */
    CHECK_EQ(reports, 1);
}

static uint64_t
nonce_asked(void)
{
    const char *at = strstr(text, "nonce=");

    CHECK(at != NULL);
    return strtoull(at + 6, NULL, 10);
}

TEST(after_a_clock_that_was_set_back_nonces_find_their_way_above_the_last_one)
{
    open_fresh(true);
    uint64_t seen = (uint64_t)now.wall.ns + (uint64_t)(50 * 60 * NS_PER_S); /* of a run before */
    unsigned refused = 0;

    CHECK(ask(VENUE_RQ_BALANCES, NULL, 0));
    while (nonce_asked() <= seen && refused < 10) {
        answer(200, "{\"error\":[\"EAPI:Invalid nonce\"]}");
        CHECK_EQ(reports, 1);
        CHECK_EQ(got[0].kind, VENUE_QUERY_FAILED);
        CHECK_EQ(got[0].definite, 0); /* the question is all right */
        refused++;
        CHECK(ask(VENUE_RQ_BALANCES, NULL, 0));
    }
    CHECK_EQ(refused, 3);
    answer(200, "{\"error\":[],\"result\":{}}");
    uint64_t last = nonce_asked();
    CHECK(ask(VENUE_RQ_BALANCES, NULL, 0));
    CHECK_EQ(nonce_asked(), last + 1);
    answer(200, "{\"error\":[\"EAPI:Invalid nonce\"]}"); /* from the beginning again */
    CHECK(ask(VENUE_RQ_BALANCES, NULL, 0));
    CHECK_EQ(nonce_asked(), last + 2 + NS_PER_S);
}

TEST(names_of_pairs_and_assets_are_understood_in_their_old_spellings)
{
    static const struct {
        const char *pair;
        uint32_t id;
    } pair[] = { { "XBTUSD", 0 },
                 { "XXBTZUSD", 0 },
                 { "XBT/USD", 0 },
                 { "BTC/USD", 0 },
                 { "BTCUSD", 0 },
                 { "XETHZEUR", 1 },
                 { "ETHEUR", 1 },
                 { "XDGXBT", 2 },
                 { "XXDGXXBT", 2 },
                 { "DOGEBTC", 2 },
                 { "XBTUSDT", INSTRUMENT_NONE },
                 { "USDXBT", INSTRUMENT_NONE },
                 { "XBT", INSTRUMENT_NONE },
                 { "", INSTRUMENT_NONE } };
    static const struct {
        const char *asset;
        const char *is; /* NULL: no plain balance */
    } asset[] = { { "ZUSD", "USD" }, { "XXBT", "BTC" }, { "XBT", "BTC" },  { "XXDG", "DOGE" },
                  { "SOL", "SOL" },  { "ZRX", "ZRX" },  { "ETH.S", NULL }, { "", NULL } };
    open_fresh(true);
    for (unsigned i = 0; i < ARRAY_LEN(pair); i++) {
        struct json_text t = { .s = pair[i].pair, .n = strlen(pair[i].pair) };
        CHECK_EQ(kraken_pair_instrument(k, &t), pair[i].id);
    }
    for (unsigned i = 0; i < ARRAY_LEN(asset); i++) {
        char ccy[CURRENCY_BYTES];
        struct json_text t = { .s = asset[i].asset, .n = strlen(asset[i].asset) };
        CHECK_EQ(kraken_asset_currency(&t, ccy), asset[i].is != NULL);
        if (asset[i].is != NULL)
            CHECK_STR(ccy, asset[i].is);
    }
}

TEST(balances_are_told_in_our_names_rounded_down)
{
    open_fresh(true);
    CHECK(ask(VENUE_RQ_BALANCES, NULL, 0));
    answer(200, "{\"error\":[],\"result\":{\"ZUSD\":\"171288.61589\",\"XXBT\":\"0.1234567899\",\"ETH.S\":\"5\",\"SOL\":"
                "{\"balance\":"
                "\"10.5\",\"hold_trade\":\"0.5\"}}}");
    CHECK_EQ(reports, 4);
    CHECK_STR(got[0].fee_ccy, "USD");
    CHECK_EQ(got[0].last_qty, INT64_C(17128861589000));
    CHECK_STR(got[1].fee_ccy, "BTC");
    CHECK_EQ(got[1].last_qty, 12345678);
    CHECK_STR(got[2].fee_ccy, "SOL");
    CHECK_EQ(got[2].last_qty, 1000000000);
    CHECK_EQ(got[2].qty, 50000000);
    CHECK_EQ(got[3].kind, VENUE_BALANCES_END);
}

TEST(a_balance_that_does_not_fit_is_told_as_at_least_that_and_the_others_go_on)
{
    open_fresh(true);
    CHECK(ask(VENUE_RQ_BALANCES, NULL, 0));
    answer(200, "{\"error\":[],\"result\":{\"XXBT\":\"123456789012345.0\",\"ETH\":\"?\",\"ZUSD\":\"1\"}}");
    CHECK_EQ(reports, 4);
    CHECK(got[0].code == 1 && got[0].last_qty == INT64_MAX);
    CHECK(got[1].code == 1 && got[1].last_qty == 0);
    CHECK(got[2].code == 0 && got[2].last_qty == VALUE_ONE);
    CHECK_EQ(got[3].kind, VENUE_BALANCES_END);
    CHECK(ask(VENUE_RQ_BALANCES, NULL, 0));
    answer(200, "{\"error\":[],\"result\":{\"XXBT\":\"1\",\"ETH\":[],\"ZUSD\":\"1\"}}");
    CHECK(reports == 4 && got[1].code == 1 && got[1].last_qty == 0);
}

TEST_MAIN()
