/* feed over a checked dialect: pairs and books that are unlike most. Checksums here are those of the text as the venue
 * prints it, put together by hand. */
#include "tests/kraken_feed_fixture.h"

/* One pair, subscribed, nothing received. */
static struct fixture *
odd_open(const char *symbol, uint8_t px_decimals, uint8_t qty_decimals, uint32_t depth)
{
    struct fixture *f = fixture_with(depth);

    (void)add_instrument(f, symbol, px_decimals, qty_decimals);
    feed_on_up(f->feed, f->now, &f->out);
    CHECK(strstr(request(f), symbol) != NULL);
    CHECK(strstr(request(f), symbol) != NULL);
    return f;
}

/* A book message of these sides (JSON text); `sum` is the text that the checksum is made of. */
static enum feed_result
said(struct fixture *f, const char *type, const char *bids, const char *asks, const char *sum)
{
    static unsigned ms;
    char text[1024];

    (void)snprintf(text, sizeof(text),
                   "{\"channel\":\"book\",\"type\":\"%s\",\"data\":[{\"symbol\":\"%s\",\"bids\":[%s],\"asks\":[%s],"
                   "\"checksum\":%u,\"timestamp\":\"2026-08-16T23:37:05.%03u419Z\"}]}",
                   type, f->ins[0].symbol, bids, asks, crc32_of(&f->crc, sum, strlen(sum)), ms++ % 1000);
    return say(f, text);
}

TEST(an_empty_book_is_live_and_its_first_levels_bring_their_digits)
{
    for (unsigned way = 0; way < 3; way++) {
        struct fixture *f = odd_open("BTC/USD", 1, 8, 10);
        const struct md_ref *r = feed_md_ref(f->feed, 0);
        CHECK_EQ(said(f, "snapshot", "", "", ""), FEED_OK);
        CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
        CHECK_EQ(r->tob.bid_px + r->tob.ask_px, 0);
        switch (way) {
        case 0: CHECK_EQ(said(f, "update", "{\"price\":99.0,\"qty\":0.00500000}", "", "990500000"), FEED_OK); break;
        case 1:
            CHECK_EQ(said(f, "update", "{\"price\":99.0,\"qty\":0.00500000}", "{\"price\":101.5,\"qty\":1.00000000}",
                          "1015100000000990500000"),
                     FEED_OK);
            break;
        default: /* a wrong one is still wrong */
            CHECK_EQ(said(f, "update", "{\"price\":99.0,\"qty\":0.00500000}", "", "990500001"), FEED_OK);
            CHECK_EQ(feed_state(f->feed, 0), BOOK_CHECKSUM);
            fixture_close(f);
            continue;
        }
        CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
        CHECK_EQ(r->tob.bid_px, 990);
        CHECK_EQ(r->tob.bid_qty, 500000);
        CHECK_EQ(feed_counters(f->feed)->checksums, 0);
        fixture_close(f);
    }
}

TEST(a_book_of_one_side_is_live_empties_and_fills_again)
{
    struct fixture *f = odd_open("MINA/GBP", 4, 8, 10);
    const struct md_ref *r = feed_md_ref(f->feed, 0);

    CHECK_EQ(said(f, "snapshot", "", "{\"price\":0.5666,\"qty\":40.00000000}", "56664000000000"), FEED_OK);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
    CHECK_EQ(r->tob.ask_px, 5666);
    CHECK_EQ(said(f, "update", "{\"price\":0.5600,\"qty\":1.00000000}", "{\"price\":0.5666,\"qty\":0.00000000}",
                  "5600100000000"),
             FEED_OK);
    CHECK_EQ(said(f, "update", "{\"price\":0.5600,\"qty\":0.00000000}", "", ""), FEED_OK);
    CHECK_EQ(r->tob.bid_px + r->tob.ask_px, 0);
    CHECK_EQ(said(f, "update", "", "{\"price\":0.5700,\"qty\":2.50000000}", "5700250000000"), FEED_OK);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
    CHECK_EQ(r->tob.ask_px, 5700);
    CHECK_EQ(feed_counters(f->feed)->checksums + feed_counters(f->feed)->gaps, 0);
    fixture_close(f);
}

/* Price text, its decimals, quantity text, its decimals, the digits of both without point and leading zeros. */
TEST(pairs_of_every_precision_have_their_checksum)
{
    static const struct {
        const char *symbol;
        uint8_t px_decimals;
        uint8_t qty_decimals;
        const char *bid;
        const char *bid_qty;
        const char *ask;
        const char *ask_qty;
        const char *sum;
        int64_t bid_px;
    } row[] = {
        { "PEPE/USD", 10, 5, "0.0000012345", "123456789.12345", "0.0000012346", "1.00000",
          "123461000001234512345678912345", 12345 },
        { "SHIB/EUR", 12, 5, "0.000000012345", "1.00000", "0.000000012346", "2.00000", "1234620000012345100000",
          12345 },
        { "XBTK/JPY", 0, 8, "15000001", "0.00010000", "15000002", "0.00020000", "15000002200001500000110000",
          15000001 },
        { "USDT/ZAR", 2, 0, "18.05", "7", "18.06", "9", "1806918057", 1805 },
        { "1INCH/USD", 3, 3, "0.100", "0.100", "0.101", "5000.000", "1015000000100100", 100 },
        { "A.B-C_D/USD", 18, 18, "0.000000000000000001", "0.000000000000000001", "1.000000000000000000",
          "0.000000000000000009", "1000000000000000000911", 1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        struct fixture *f = odd_open(row[i].symbol, row[i].px_decimals, row[i].qty_decimals, 10);
        char bid[128];
        char ask[128];
        (void)snprintf(bid, sizeof(bid), "{\"price\":%s,\"qty\":%s}", row[i].bid, row[i].bid_qty);
        (void)snprintf(ask, sizeof(ask), "{\"price\":%s,\"qty\":%s}", row[i].ask, row[i].ask_qty);
        CHECK_EQ(said(f, "snapshot", bid, ask, row[i].sum), FEED_OK);
        CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
        CHECK_EQ(feed_md_ref(f->feed, 0)->tob.bid_px, row[i].bid_px);
        CHECK_EQ(said(f, "update", bid, "", row[i].sum), FEED_OK);
        CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
        fixture_close(f);
    }
}

/* The instrument list says fewer or more digits than the text has: the text decides, as far as it is exact. */
TEST(text_of_other_digits_than_the_instrument_has_is_exact_or_refused)
{
    static const struct {
        uint8_t px_decimals;
        const char *px;
        enum book_state state;
    } row[] = {
        { 4, "99.5", BOOK_LIVE },
        { 1, "99.50000", BOOK_LIVE },
        { 0, "99.5", BOOK_SYNCING },
    };

    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        struct fixture *f = odd_open("BTC/USD", row[i].px_decimals, 8, 10);
        char bid[128];
        char sum[64];
        size_t n = 0;
        (void)snprintf(bid, sizeof(bid), "{\"price\":%s,\"qty\":1.00000000}", row[i].px);
        for (const char *p = row[i].px; *p != '\0'; p++)
            if (*p != '.')
                sum[n++] = *p;
        (void)snprintf(sum + n, sizeof(sum) - n, "100000000");
        CHECK_EQ(said(f, "snapshot", bid, "", sum), row[i].state == BOOK_LIVE ? FEED_OK : FEED_BAD_MESSAGE);
        CHECK_EQ(feed_state(f->feed, 0) == BOOK_LIVE, row[i].state == BOOK_LIVE);
        fixture_close(f);
    }
}

TEST(a_symbol_with_an_escaped_slash_is_the_same_symbol)
{
    struct fixture *f = odd_open("BTC/USD", 1, 8, 10);

    CHECK_EQ(
        say(f, "{\"method\":\"subscribe\",\"result\":{\"channel\":\"trade\",\"symbol\":\"BTC\\/USD\"},\"success\":true,"
               "\"req_id\":2}"),
        FEED_SUBSCRIBED);
    CHECK_EQ(
        say(f,
            "{\"channel\":\"book\",\"type\":\"snapshot\",\"data\":[{\"symbol\":\"BTC\\/USD\",\"bids\":[],\"asks\":[],"
            "\"checksum\":0,\"timestamp\":\"2026-08-16T23:37:05.376419Z\"}]}"),
        FEED_OK);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
    pass(f, 5 * NS_PER_S);
    CHECK_EQ(feed_counters(f->feed)->unanswered, 0);
    fixture_close(f);
}

TEST(every_depth_that_the_venue_offers_is_cut_to)
{
    static const uint32_t depth[] = { 10, 25, 100, 500, 1000 };

    for (size_t i = 0; i < ARRAY_LEN(depth); i++) {
        struct fixture *f = odd_open("BTC/USD", 0, 0, depth[i]);
        static char text[65536];
        char sum[256] = "";
        size_t n = (size_t)snprintf(text, sizeof(text),
                                    "{\"channel\":\"book\",\"type\":\"snapshot\",\"data\":[{\"symbol\":\"BTC/USD\","
                                    "\"bids\":[");
        for (unsigned k = 0; k < depth[i]; k++) {
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s{\"price\":%u,\"qty\":3}", k > 0 ? "," : "", 5000 - k);
            if (k < 10)
                (void)snprintf(sum + strlen(sum), sizeof(sum) - strlen(sum), "%u3", 5000 - k);
        }
        (void)snprintf(text + n, sizeof(text) - n,
                       "],\"asks\":[],\"checksum\":%u,\"timestamp\":"
                       "\"2026-08-16T23:37:04.376419Z\"}]}",
                       crc32_of(&f->crc, sum, strlen(sum)));
        CHECK_EQ(say(f, text), FEED_OK);
        CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
        CHECK_EQ(feed_book(f->feed, 0)->side[SIDE_BUY].count, depth[i]);
        /* One better: the worst falls out without a word of the venue. */
        char better[256] = "50013";
        (void)snprintf(better + 5, sizeof(better) - 5, "%.*s", (int)(strlen(sum) - 5), sum);
        CHECK_EQ(said(f, "update", "{\"price\":5001,\"qty\":3}", "", better), FEED_OK);
        CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
        CHECK_EQ(feed_book(f->feed, 0)->side[SIDE_BUY].count, depth[i]);
        CHECK_EQ(book_at(feed_book(f->feed, 0), SIDE_BUY, depth[i] - 1)->px, 5000 - (int)depth[i] + 2);
        fixture_close(f);
    }
}

TEST_MAIN()
