/* kraken_md: wire text, its variations, every way to be wrong, and the checksum. */
#include "execgw/rfc3339.h"
#include "feed/kraken_md.h"
#include "tests/guard.h"
#include "tests/test.h"

#define LEVELS_MAX 24

static struct kraken_md md;
static struct md_msg msg;
static struct guard guard;

static void
setup(void)
{
    static _Alignas(64) uint8_t memory[1 << 15];
    if (md.table != NULL)
        return;
    struct arena arena = { .base = memory, .size = sizeof(memory) };
    static const struct {
        const char *symbol;
        uint8_t px_decimals;
        uint8_t qty_decimals;
    } known[] = { { "BTC/USD", 1, 8 }, { "MINA/GBP", 4, 8 }, { "SHIB/EUR", 8, 5 } };
    kraken_md_init(&md, ARRAY_LEN(known), &arena);
    md_msg_init(&msg, LEVELS_MAX, &arena);
    for (uint32_t i = 0; i < ARRAY_LEN(known); i++) {
        struct instrument ins = { .px_decimals = known[i].px_decimals, .qty_decimals = known[i].qty_decimals };
        (void)snprintf(ins.symbol, sizeof(ins.symbol), "%s", known[i].symbol);
        CHECK(kraken_md_add(&md, &ins, 10 + i));
    }
    guard = guard_open(1 << 16);
}

static enum decode_result
decode_at(const char *text, uint32_t next)
{
    setup();
    size_t n = strlen(text);
    msg.next = next;
    return kraken_md_decode(&md, guard_copy(&guard, text, n), n, &msg);
}

static enum decode_result
decode(const char *text)
{
    return decode_at(text, 0);
}

static const char update_text[] =
    "{\"channel\":\"book\",\"type\":\"update\",\"data\":[{\"symbol\":\"BTC/USD\",\"bids\":[{\"price\":62797.5,\"qty\":"
    "0.00005100}],\"asks\":[{\"price\":62806.6,\"qty\":0.00000000},{\"price\":62808.0,\"qty\":0.79607759}],"
    "\"checksum\":265834348,\"timestamp\":\"2026-08-16T23:37:05.376419Z\"}]}";

static void
check_update(void)
{
    CHECK_EQ(msg.kind, MD_MSG_DEPTH);
    CHECK_EQ(msg.slot, 10);
    CHECK_EQ(msg.bid_count, 1);
    CHECK_EQ(msg.ask_count, 2);
    CHECK_EQ(msg.bids[0].px, 627975);
    CHECK_EQ(msg.bids[0].qty, 5100);
    CHECK_EQ(msg.asks[0].px, 628066);
    CHECK_EQ(msg.asks[0].qty, 0);
    CHECK_EQ(msg.asks[1].px, 628080);
    CHECK_EQ(msg.asks[1].qty, 79607759);
    CHECK_EQ(msg.checksum, 265834348);
    CHECK_EQ(msg.px_digits, 1);
    CHECK_EQ(msg.qty_digits, 8);
    CHECK_EQ(msg.venue_time_ns, INT64_C(1786923425376419000));
    CHECK_EQ(msg.next, 0);
}

TEST(book_update_is_read_exactly)
{
    CHECK_EQ(decode(update_text), DECODE_OK);
    check_update();
}

TEST(spaces_other_key_orders_new_fields_and_escapes_are_read_the_same)
{
    static const char *const same[] = {
        "{ \"channel\" : \"book\", \"type\":\"update\",\"data\":[ {\"symbol\":\"BTC/USD\",\"bids\":[{\"price\":62797.5,"
        "\"qty\":0.00005100}],\"asks\":[{\"price\":62806.6,\"qty\":0.00000000},{\"price\":62808.0,\"qty\":0.79607759}],"
        "\"checksum\":265834348,\"timestamp\":\"2026-08-16T23:37:05.376419Z\"} ] }",
        "{\"data\":[{\"timestamp\":\"2026-08-16T23:37:05.376419Z\",\"checksum\":265834348,\"asks\":[{\"qty\":0."
        "00000000,"
        "\"price\":62806.6},{\"qty\":0.79607759,\"price\":62808.0,\"new\":[1,{}]}],\"bids\":[{\"price\":62797.5,"
        "\"qty\":"
        "0.00005100}],\"symbol\":\"BTC\\/USD\"}],\"type\":\"update\",\"channel\":\"book\",\"sequence\":7}",
    };
    for (unsigned i = 0; i < ARRAY_LEN(same); i++) {
        CHECK_EQ(decode(same[i]), DECODE_OK);
        check_update();
    }
}

TEST(an_update_cut_anywhere_is_refused_and_nothing_behind_its_end_is_read)
{
    char cut[sizeof(update_text)];
    for (size_t n = 0; n + 1 < sizeof(update_text); n++) {
        memcpy(cut, update_text, n);
        cut[n] = '\0';
        CHECK_EQ(decode(cut), DECODE_MALFORMED);
        CHECK_EQ(msg.next, 0);
    }
}

TEST(every_item_of_a_message_is_read_in_turn)
{
    static const char text[] =
        "{\"channel\":\"trade\",\"type\":\"update\",\"data\":[{\"symbol\":\"BTC/"
        "USD\",\"side\":\"buy\",\"price\":105944.2"
        ",\"qty\":0.00027625,\"ord_type\":\"limit\",\"trade_id\":10218208,\"timestamp\":\"2023-10-06T17:35:55."
        "440295Z\"}"
        ", "
        "{\"symbol\":\"MINA/GBP\",\"side\":\"sell\",\"price\":0.5117,\"qty\":40.0,\"ord_type\":\"market\",\"trade_id\":"
        "4665906,\"timestamp\":\"2023-10-06T17:35:56.123456Z\"}]}";
    CHECK_EQ(decode(text), DECODE_OK);
    CHECK_EQ(msg.kind, MD_MSG_TRADE);
    CHECK_EQ(msg.slot, 10);
    CHECK_EQ(msg.aggressor, SIDE_BUY);
    CHECK_EQ(msg.px, 1059442);
    CHECK_EQ(msg.qty, 27625);
    CHECK_EQ(msg.trade_id, 10218208);
    CHECK(msg.next > 0);
    CHECK_EQ(decode_at(text, msg.next), DECODE_OK);
    CHECK_EQ(msg.slot, 11);
    CHECK_EQ(msg.aggressor, SIDE_SELL);
    CHECK_EQ(msg.px, 5117);
    CHECK_EQ(msg.qty, INT64_C(4000000000));
    CHECK_EQ(msg.next, 0);
}

TEST(snapshot_and_two_books_in_one_message)
{
    static const char text[] =
        "{\"channel\":\"book\",\"type\":\"snapshot\",\"data\":[{\"symbol\":\"BTC/USD\",\"bids\":[],\"asks\":[],"
        "\"checksum\":0,\"timestamp\":\"2026-08-16T23:37:05.376419Z\"},{\"symbol\":\"MINA/GBP\",\"bids\":[{\"price\":"
        "0.5,\"qty\":1.00000000}],\"asks\":[],\"checksum\":4294967295,\"timestamp\":\"2026-08-16T23:37:05Z\"}]}";
    CHECK_EQ(decode(text), DECODE_OK);
    CHECK_EQ(msg.kind, MD_MSG_SNAPSHOT);
    CHECK_EQ(msg.bid_count + msg.ask_count, 0);
    CHECK_EQ(decode_at(text, msg.next), DECODE_OK);
    CHECK_EQ(msg.kind, MD_MSG_SNAPSHOT);
    CHECK_EQ(msg.slot, 11);
    CHECK_EQ(msg.bids[0].px, 5000);
    CHECK_EQ(msg.px_digits, 1); /* what stood there, not what the instrument has */
    CHECK_EQ(msg.checksum, UINT32_MAX);
}

/* A book update with one ask. */
static enum decode_result
ask(const char *symbol, const char *price, const char *qty, const char *checksum)
{
    char text[512];
    (void)snprintf(text, sizeof(text),
                   "{\"channel\":\"book\",\"type\":\"update\",\"data\":[{\"symbol\":\"%s\",\"bids\":[],\"asks\":[{"
                   "\"price\":%s,\"qty\":%s}],\"checksum\":%s,\"timestamp\":\"2026-08-16T23:37:05.376419Z\"}]}",
                   symbol, price, qty, checksum);
    return decode(text);
}

TEST(numbers_are_exact_or_refused_by_name)
{
    CHECK_EQ(ask("BTC/USD", "62806.6", "1", "4294967295"), DECODE_OK);
    CHECK_EQ(ask("BTC/USD", "62806.6", "1", "4294967296"), DECODE_MALFORMED);
    CHECK_EQ(ask("BTC/USD", "62806.65", "1", "1"), DECODE_PRECISION);
    CHECK_EQ(ask("BTC/USD", "62806.60", "1", "1"), DECODE_OK);
    CHECK_EQ(msg.asks[0].px, 628066);
    CHECK_EQ(msg.px_digits, 2); /* the checksum is made of its text, zeros and all */
    CHECK_EQ(ask("BTC/USD", "62806.6", "0.000000001", "1"), DECODE_PRECISION);
    CHECK_EQ(ask("BTC/USD", "6.28066e4", "1", "1"), DECODE_MALFORMED);
    CHECK_EQ(ask("BTC/USD", "62806.6", "1e-05", "1"), DECODE_MALFORMED);
    CHECK_EQ(ask("BTC/USD", "0.0", "1", "1"), DECODE_MALFORMED);
    CHECK_EQ(ask("BTC/USD", "-1.0", "1", "1"), DECODE_MALFORMED);
    CHECK_EQ(ask("BTC/USD", "1.0", "-1", "1"), DECODE_MALFORMED);
    CHECK_EQ(ask("BTC/USD", "\"1.0\"", "1", "1"), DECODE_MALFORMED);
    CHECK_EQ(ask("BTC/USD", "01.0", "1", "1"), DECODE_MALFORMED);
    CHECK_EQ(ask("BTC/USD", "1.0", "92233720368.54775807", "1"), DECODE_OK);
    CHECK_EQ(msg.asks[0].qty, INT64_MAX);
    CHECK_EQ(ask("BTC/USD", "1.0", "92233720368.54775808", "1"), DECODE_RANGE);
    CHECK_EQ(ask("BTC/USD", "1.0", "1", "-1"), DECODE_MALFORMED);
    CHECK_EQ(ask("ETH/USD", "1.0", "1", "1"), DECODE_UNKNOWN_SYMBOL);
    CHECK_EQ(msg.kind, MD_MSG_DEPTH);
}

TEST(a_bad_level_names_the_book_that_it_was_for)
{
    CHECK_EQ(ask("MINA/GBP", "x", "1", "1"), DECODE_MALFORMED);
    CHECK_EQ(msg.kind, MD_MSG_DEPTH);
    CHECK_EQ(msg.slot, MD_NO_SLOT); /* not even JSON: nobody can say whose it was */
    CHECK_EQ(ask("MINA/GBP", "null", "1", "1"), DECODE_MALFORMED);
    CHECK_EQ(msg.slot, 11);
}

TEST(more_levels_than_room_are_refused)
{
    for (unsigned more = 0; more < 2; more++) {
        char text[4096];
        int n = snprintf(text, sizeof(text),
                         "{\"channel\":\"book\",\"type\":\"update\",\"data\":[{\"symbol\":\"BTC/USD\",\"bids\":[");
        for (unsigned i = 0; i < LEVELS_MAX + more; i++)
            n += snprintf(text + n, sizeof(text) - (size_t)n, "%s{\"price\":%u.0,\"qty\":1}", i > 0 ? "," : "", i + 1);
        (void)snprintf(text + n, sizeof(text) - (size_t)n,
                       "],\"asks\":[],\"checksum\":1,\"timestamp\":\"2026-08-16T23:37:05.376419Z\"}]}");
        CHECK_EQ(decode(text), more ? DECODE_RANGE : DECODE_OK);
        CHECK_EQ(msg.slot, 10);
    }
}

TEST(answers_to_requests_are_told_apart)
{
    CHECK_EQ(
        decode("{\"method\":\"subscribe\",\"result\":{\"channel\":\"book\",\"depth\":10,\"snapshot\":true,\"symbol\":"
               "\"BTC/USD\"},\"success\":true,\"time_in\":\"2026-08-16T23:37:04.334090Z\",\"time_out\":"
               "\"2026-08-16T23:37:04.334135Z\",\"req_id\":5}"),
        DECODE_OK);
    CHECK_EQ(msg.kind, MD_MSG_REPLY);
    CHECK_EQ(msg.slot, 10);
    CHECK_EQ(msg.request_id, 5);
    CHECK(msg.depth_stream && !msg.off);
    CHECK_EQ(decode("{\"error\":\"Subscription depth not supported\",\"method\":\"subscribe\",\"req_id\":6,\"success\":"
                    "false,\"symbol\":\"MINA/GBP\",\"time_in\":\"x\",\"time_out\":\"y\"}"),
             DECODE_OK);
    CHECK_EQ(msg.kind, MD_MSG_ERROR);
    CHECK_EQ(msg.slot, 11);
    CHECK_EQ(msg.request_id, 6);
    CHECK_STR(msg.text, "Subscription depth not supported");
    CHECK_EQ(decode("{\"method\":\"unsubscribe\",\"result\":{\"channel\":\"book\",\"depth\":10,\"symbol\":\"BTC/USD\"},"
                    "\"success\":true}"),
             DECODE_OK);
    CHECK(msg.kind == MD_MSG_REPLY && msg.off && msg.request_id == -1);
    CHECK_EQ(decode("{\"error\":\"Exceeded msg rate\"}"), DECODE_OK);
    CHECK_EQ(msg.kind, MD_MSG_ERROR);
    CHECK_EQ(msg.slot, MD_NO_SLOT);
    CHECK_EQ(decode("{\"method\":\"subscribe\",\"result\":null}"), DECODE_OK); /* no word of success is none */
    CHECK_EQ(msg.kind, MD_MSG_ERROR);
    CHECK_EQ(decode("{\"method\":\"pong\",\"req_id\":42,\"time_in\":\"2023-09-25T09:05:00.123456Z\"}"), DECODE_IGNORED);
}

TEST(status_says_whether_the_venue_trades_as_usual_and_heartbeats_say_nothing)
{
    CHECK_EQ(
        decode("{\"channel\":\"status\",\"type\":\"update\",\"data\":[{\"version\":\"2.0.10\",\"system\":\"online\","
               "\"api_version\":\"v2\",\"connection_id\":18446744073709551615}]}"),
        DECODE_OK);
    CHECK(msg.kind == MD_MSG_STATUS && msg.online);
    CHECK_EQ(
        decode("{\"channel\":\"status\",\"type\":\"update\",\"data\":[{\"system\":\"cancel_only\",\"emergency\":[]}]}"),
        DECODE_OK);
    CHECK(!msg.online);
    CHECK_STR(msg.text, "cancel_only");
    CHECK_EQ(decode("{\"channel\":\"heartbeat\"}"), DECODE_IGNORED);
    CHECK_EQ(decode("{\"channel\":\"instrument\",\"type\":\"update\",\"data\":{\"pairs\":[]}}"), DECODE_IGNORED);
    CHECK_EQ(decode("{\"channel\":\"book\",\"type\":\"rumour\",\"data\":[{}]}"), DECODE_MALFORMED);
    CHECK_EQ(decode("[]"), DECODE_MALFORMED);
    CHECK_EQ(decode(""), DECODE_MALFORMED);
}

TEST(crc32_is_the_one_of_zlib)
{
    struct crc32 c;
    static const char text[] = "123456789";

    crc32_init(&c);
    CHECK_EQ(crc32_of(&c, text, 9), UINT32_C(0xCBF43926)); /* the check value of every CRC-32 catalogue */
    CHECK_EQ(crc32_of(&c, "", 0), 0);
    for (size_t n = 0; n < 9; n++) { /* by bytes and by blocks the same */
        uint32_t r = UINT32_MAX;
        for (size_t i = 0; i < n; i++) {
            r ^= (uint8_t)text[i];
            for (unsigned bit = 0; bit < 8; bit++)
                r = (r & 1) != 0 ? r >> 1 ^ UINT32_C(0xEDB88320) : r >> 1;
        }
        CHECK_EQ(crc32_of(&c, text, n), ~r);
    }
}

TEST(checksum_text_has_no_points_and_no_leading_zeros)
{
    /* Source: the guide's string rule: 45285.2 -> 452852, 0.00100000 -> 100000. */
    struct level asks[] = { { 452852, 100000 } };
    struct level bids[] = { { 452835, 10000000 } };
    setup();
    CHECK_EQ(kraken_md_checksum(&md.crc, 1, 1, asks, 1, bids, 1), crc32_of(&md.crc, "45285210000045283510000000", 26));
    /* The same book held with more decimals than its text has. */
    asks[0] = (struct level){ 4528520, 10000000 };
    bids[0] = (struct level){ 4528350, 1000000000 };
    CHECK_EQ(kraken_md_checksum(&md.crc, 10, 100, asks, 1, bids, 1),
             crc32_of(&md.crc, "45285210000045283510000000", 26));
    CHECK_EQ(kraken_md_checksum(&md.crc, 1, 1, asks, 0, bids, 0), 0);
    /* And with fewer: the text has two zeros more behind the price, one more behind the quantity. */
    asks[0] = (struct level){ 4528, 10 };
    bids[0] = (struct level){ 1, 5 };
    CHECK_EQ(kraken_md_checksum(&md.crc, -2, -1, asks, 1, bids, 1), crc32_of(&md.crc, "45280010010050", 14));
}

TEST(requests_are_what_the_venue_documents)
{
    static const char *const symbols[] = { "BTC/USD", "MINA/GBP" };
    struct md_request rq = { .id = 7, .symbols = symbols, .count = 2, .streams = MD_STREAM_DEPTH, .depth = 25 };
    char buf[256];
    size_t used;

    size_t n = kraken_md_request(&rq, buf, sizeof(buf), &used);
    buf[n] = '\0';
    CHECK_EQ(used, 2);
    CHECK_STR(buf, "{\"method\":\"subscribe\",\"params\":{\"channel\":\"book\",\"symbol\":[\"BTC/USD\",\"MINA/GBP\"],"
                   "\"depth\":25,\"snapshot\":true},\"req_id\":7}");
    size_t exactly = n;
    CHECK_EQ(kraken_md_request(&rq, buf, exactly - 1, &used), exactly - 11);
    CHECK_EQ(used, 1);
    CHECK_EQ(kraken_md_request(&rq, buf, 60, &used), 0);
    rq.off = true;
    n = kraken_md_request(&rq, buf, sizeof(buf), &used);
    buf[n] = '\0';
    CHECK_STR(buf, "{\"method\":\"unsubscribe\",\"params\":{\"channel\":\"book\",\"symbol\":[\"BTC/USD\",\"MINA/GBP\"],"
                   "\"depth\":25},\"req_id\":7}");
    rq = (struct md_request){ .id = 8, .symbols = symbols, .count = 1, .streams = MD_STREAM_TRADE };
    n = kraken_md_request(&rq, buf, sizeof(buf), &used);
    buf[n] = '\0';
    CHECK_STR(buf, "{\"method\":\"subscribe\",\"params\":{\"channel\":\"trade\",\"symbol\":[\"BTC/USD\"],\"snapshot\":"
                   "false},\"req_id\":8}");
}

TEST(times_are_read_and_written_to_the_microsecond)
{
    int64_t ns = 7;
    char text[RFC3339_TEXT];

    CHECK(rfc3339_parse("1970-01-01T00:00:00Z", 20, &ns));
    CHECK_EQ(ns, 0);
    CHECK(rfc3339_parse("2024-02-29T23:59:59.999999999Z", 30, &ns));
    CHECK_EQ(ns, INT64_C(1709251199999999999));
    CHECK(rfc3339_parse("2023-10-06T17:35:00.2793896509Z", 31, &ns)); /* a tenth digit is dropped */
    CHECK_EQ(ns % NS_PER_S, 279389650);
    CHECK(!rfc3339_parse("2023-10-06T17:35:00+01:00", 25, &ns));
    CHECK(!rfc3339_parse("2023-13-06T17:35:00Z", 20, &ns));
    CHECK(!rfc3339_parse("2023-10-06T17:35:00.Z", 21, &ns));
    CHECK(!rfc3339_parse("2023-10-06T17:35:00.12x4Z", 25, &ns));
    for (int64_t t = 0; t < INT64_C(4200000000) * NS_PER_S; t += INT64_C(8640012345678) * 1000 * 37) {
        CHECK_EQ(rfc3339_format(text, t), RFC3339_TEXT - 1);
        CHECK(rfc3339_parse(text, RFC3339_TEXT - 1, &ns));
        CHECK_EQ(ns, t / 1000 * 1000);
    }
}

TEST_MAIN()
