/* feed: instruments, books and messages that are unlike most, of both dialects' kinds. */
#include "tests/feed_fixture.h"

/* A live book of BTCUSDT with these decimals and sides, as of id. */
static struct fixture *
odd_live(uint8_t px_decimals, uint8_t qty_decimals, uint64_t id, const struct level *bid, const struct level *ask)
{
    struct fixture *f = fixture_open();
    struct snapshot_slice s = { .instrument = 5, .last_update_id = id, .is_first = true };
    char text[512];

    f->ins[0].version = 2;
    f->ins[0].px_decimals = px_decimals;
    f->ins[0].qty_decimals = qty_decimals;
    CHECK(feed_add_instrument(f->feed, &f->ins[0], f->now, &f->out));
    (void)snprintf(text, sizeof(text),
                   "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"BTCUSDT\",\"U\":%lu,\"u\":%lu,\"b\":[],\"a\":[]}",
                   (unsigned long)id, (unsigned long)id);
    CHECK_EQ(say(f, text), FEED_OK);
    CHECK(wanted(f, 5));
    if (bid != NULL) {
        s.level[s.count++] = *bid;
        s.is_last = ask == NULL;
        feed_on_snapshot_slice(f->feed, &s, f->now, &f->out);
        s = (struct snapshot_slice){ .instrument = 5, .last_update_id = id };
    }
    if (ask != NULL || bid == NULL) {
        s.side = SIDE_SELL;
        s.is_last = true;
        if (ask != NULL)
            s.level[s.count++] = *ask;
        feed_on_snapshot_slice(f->feed, &s, f->now, &f->out);
    }
    return f;
}

static enum feed_result
update(struct fixture *f, uint64_t first, uint64_t last, const char *bids, const char *asks)
{
    char text[1024];
    (void)snprintf(
        text, sizeof(text),
        "{\"e\":\"depthUpdate\",\"E\":1723161255208,\"s\":\"BTCUSDT\",\"U\":%lu,\"u\":%lu,\"b\":[%s],\"a\":[%s]}",
        (unsigned long)first, (unsigned long)last, bids, asks);
    return say(f, text);
}

TEST(a_book_of_one_side_or_none_is_live_and_fills_up)
{
    const struct level bid = { 100, 5 };
    const struct level ask = { 101, 5 };

    for (unsigned sides = 0; sides < 4; sides++) {
        struct fixture *f = odd_live(2, 0, 100, sides & 1 ? &bid : NULL, sides & 2 ? &ask : NULL);
        const struct md_ref *r = feed_md_ref(f->feed, 5);
        CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
        CHECK_EQ(r->tob.bid_px, sides & 1 ? 100 : 0);
        CHECK_EQ(r->tob.ask_px, sides & 2 ? 101 : 0);
        CHECK_EQ(update(f, 101, 101, "[\"1.00\",\"7\"]", ""), FEED_OK);
        CHECK_EQ(update(f, 102, 102, "", "[\"1.01\",\"8\"]"), FEED_OK);
        CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
        CHECK_EQ(r->tob.bid_qty, 7);
        CHECK_EQ(r->tob.ask_qty, 8);
        CHECK_EQ(update(f, 103, 103, "[\"1.00\",\"0\"]", "[\"1.01\",\"0\"]"), FEED_OK); /* and empty again */
        CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
        CHECK_EQ(r->tob.bid_px + r->tob.bid_qty + r->tob.ask_px + r->tob.ask_qty, 0);
        fixture_close(f);
    }
}

TEST(a_book_ticker_of_one_side_or_none_is_compared_like_any_other)
{
    const struct level ask = { 101, 5 };
    struct fixture *f = odd_live(2, 0, 100, NULL, &ask);

    (void)ticker(f, 101, "0.00", "0", "1.01", "6");
    CHECK_EQ(update(f, 101, 101, "", "[\"1.01\",\"6\"]"), FEED_OK);
    (void)ticker(f, 102, "0.00", "0", "0.00", "0");
    CHECK_EQ(update(f, 102, 102, "", "[\"1.01\",\"0\"]"), FEED_OK);
    CHECK_EQ(feed_counters(f->feed)->compare_equal, 2);
    CHECK_EQ(feed_counters(f->feed)->ticker_crossed, 0);
    CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
    fixture_close(f);
}

TEST(prices_of_one_hundred_millionth_and_of_many_digits_are_exact)
{
    const struct level bid = { 1, 1 };
    const struct level ask = { 2, 1 };
    struct fixture *f = odd_live(8, 8, 100, &bid, &ask);
    const struct md_ref *r = feed_md_ref(f->feed, 5);

    CHECK_EQ(update(f, 101, 101, "[\"0.00000001\",\"90000000000.00000001\"]", "[\"0.00000002\",\"0.00000001\"]"),
             FEED_OK);
    CHECK_EQ(r->tob.bid_px, 1);
    CHECK_EQ(r->tob.bid_qty, INT64_C(9000000000000000001));
    CHECK_EQ(r->tob.ask_qty, 1);
    CHECK_EQ(update(f, 102, 102, "", "[\"99999999999.99999999\",\"1.00000000\"]"), FEED_BAD_MESSAGE); /* no int64 */
    CHECK_EQ(feed_state(f->feed, 5), BOOK_GAP);
    CHECK_EQ(feed_counters(f->feed)->decode[DECODE_RANGE], 1);
    fixture_close(f);
}

TEST(prices_without_decimals_and_text_with_more_zeros_than_decimals_are_read)
{
    const struct level bid = { 6162, 1 };
    const struct level ask = { 6163, 1 };
    struct fixture *f = odd_live(0, 0, 100, &bid, &ask);
    const struct md_ref *r = feed_md_ref(f->feed, 5);

    CHECK_EQ(update(f, 101, 101, "[\"6162.00000000\",\"12.00000000\"]", "[\"6163\",\"3\"]"), FEED_OK);
    CHECK_EQ(r->tob.bid_qty, 12);
    CHECK_EQ(r->tob.ask_qty, 3);
    CHECK_EQ(update(f, 102, 102, "[\"6161.50000000\",\"12.0\"]", ""), FEED_BAD_MESSAGE);
    CHECK_EQ(feed_counters(f->feed)->decode[DECODE_PRECISION], 1);
    CHECK_EQ(feed_state(f->feed, 5), BOOK_GAP); /* half a unit is not rounded away */
    fixture_close(f);
}

TEST(ids_beyond_what_a_double_holds_are_followed_one_by_one)
{
    static const uint64_t start[] = { (UINT64_C(1) << 53) - 2, (UINT64_C(1) << 32) - 2, INT64_MAX - 10 };
    const struct level bid = { 100, 5 };
    const struct level ask = { 101, 5 };

    for (size_t i = 0; i < ARRAY_LEN(start); i++) {
        struct fixture *f = odd_live(2, 0, start[i], &bid, &ask);
        for (uint64_t id = start[i] + 1; id < start[i] + 8; id++)
            CHECK_EQ(update(f, id, id, id % 2 ? "[\"1.00\",\"7\"]" : "[\"1.00\",\"8\"]", ""), FEED_OK);
        CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
        CHECK_EQ(feed_md_ref(f->feed, 5)->tob.venue_seq, start[i] + 7);
        CHECK_EQ(update(f, start[i] + 9, start[i] + 9, "", ""), FEED_OK); /* one is missing: told from the next */
        CHECK_EQ(feed_state(f->feed, 5), BOOK_GAP);
        fixture_close(f);
    }
}

TEST(messages_without_the_wrapper_of_combined_streams_are_the_same)
{
    const struct level bid = { 100, 5 };
    const struct level ask = { 101, 5 };
    static const char *const raw[] = {
        "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"BTCUSDT\",\"U\":101,\"u\":101,\"b\":[[\"1.00\",\"7\"]],\"a\":[]}",
        "{\"u\":102,\"s\":\"BTCUSDT\",\"b\":\"1.00\",\"B\":\"9\",\"a\":\"1.01\",\"A\":\"5\"}",
        "{\"e\":\"trade\",\"E\":1,\"s\":\"BTCUSDT\",\"t\":7,\"p\":\"1.00\",\"q\":\"1\",\"T\":1,\"m\":true,\"M\":true}",
    };
    static const char *const stream[] = { "btcusdt@depth@100ms", "btcusdt@bookTicker", "btcusdt@trade" };

    for (unsigned wrapped = 0; wrapped < 2; wrapped++) {
        struct fixture *f = odd_live(2, 0, 100, &bid, &ask);
        for (unsigned i = 0; i < 3; i++) {
            char text[512];
            (void)snprintf(text, sizeof(text), wrapped ? "{\"stream\":\"%s\",\"data\":%s}" : "%.0s%s", stream[i],
                           raw[i]);
            CHECK_EQ(say(f, text), FEED_OK);
        }
        const struct feed_counters *n = feed_counters(f->feed);
        CHECK(n->depth == 2 && n->ticker == 1 && n->trade == 1);
        CHECK_EQ(feed_md_ref(f->feed, 5)->tob.bid_qty, 9);
        CHECK_EQ(feed_md_ref(f->feed, 5)->last_px, 100);
        fixture_close(f);
    }
}

TEST(times_in_microseconds_are_the_same_times)
{
    const struct level bid = { 100, 5 };
    const struct level ask = { 101, 5 };
    static const char *const at[] = { "1723161255208", "1723161255208000" };

    for (unsigned i = 0; i < 2; i++) {
        struct fixture *f = odd_live(2, 0, 100, &bid, &ask);
        char text[256];
        (void)snprintf(
            text, sizeof(text),
            "{\"e\":\"depthUpdate\",\"E\":%s,\"s\":\"BTCUSDT\",\"U\":101,\"u\":101,\"b\":[[\"1.00\",\"7\"]],\"a\":[]}",
            at[i]);
        CHECK_EQ(say(f, text), FEED_OK);
        bool told = false;
        for (uint32_t k = 0; k < f->event_count; k++)
            told |= f->event[k].kind == MD_LEVEL && f->event[k].level.venue_time_ns == INT64_C(1723161255208000000);
        CHECK(told);
        fixture_close(f);
    }
}

TEST(a_symbol_that_is_not_ours_changes_nothing_whatever_it_says)
{
    const struct level bid = { 100, 5 };
    const struct level ask = { 101, 5 };
    struct fixture *f = odd_live(2, 0, 100, &bid, &ask);
    uint32_t events = f->event_count;

    CHECK_EQ(
        say(f,
            "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"BTCUSD\",\"U\":101,\"u\":101,\"b\":[[\"1.00\",\"7\"]],\"a\":[]}"),
        FEED_BAD_MESSAGE);
    CHECK_EQ(
        say(f,
            "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"btcusdt\",\"U\":101,\"u\":101,\"b\":[[\"1.00\",\"7\"]],\"a\":[]}"),
        FEED_BAD_MESSAGE);
    CHECK_EQ(say(f, "{\"u\":102,\"s\":\"\",\"b\":\"1.00\",\"B\":\"9\",\"a\":\"1.01\",\"A\":\"5\"}"), FEED_BAD_MESSAGE);
    CHECK_EQ(feed_state(f->feed, 5), BOOK_LIVE);
    CHECK_EQ(f->event_count, events);
    fixture_close(f);
}

/* More levels than one update of a quiet book has: as many as the room allows, and one more. */
TEST(an_update_of_as_many_levels_as_there_is_room_for_is_taken_and_one_more_is_not)
{
    for (unsigned over = 0; over < 2; over++) {
        struct fixture *f = fixture_live();
        static char text[16384];
        size_t n = (size_t)snprintf(text, sizeof(text),
                                    "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"BTCUSDT\",\"U\":101,\"u\":101,\"b\":[");
        unsigned count = f->cfg.message_levels_max + over;
        for (unsigned i = 0; i < count; i++)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s[\"%u.%02u\",\"2\"]", i > 0 ? "," : "", 99 - i / 100,
                                  99 - i % 100);
        (void)snprintf(text + n, sizeof(text) - n, "],\"a\":[]}");
        CHECK_EQ(say(f, text), over ? FEED_BAD_MESSAGE : FEED_OK);
        CHECK_EQ(feed_state(f->feed, 5), over ? BOOK_GAP : BOOK_LIVE);
        fixture_close(f);
    }
}

TEST_MAIN()
