/* feed over a checked dialect: subscriptions, checksums, starting again, silence; and every recorded Kraken book, set
 * against the obvious computation on the text itself. */
#include "feed/feed.h"
#include "feed/json_scan.h"
#include "feed/kraken_md.h"
#include "tests/capture.h"
#include "tests/test.h"

#include <dirent.h>

#define EVENTS_MAX 8192
#define BOOKS_MAX  64

struct fixture {
    void *memory;
    struct feed *feed;
    struct feed_config cfg;
    struct instrument ins[BOOKS_MAX];
    unsigned instruments;
    struct md_out out;
    struct now now;
    struct crc32 crc;
    struct md_event event[EVENTS_MAX];
    unsigned events;
    char sent[512];
};

static void
keep_event(void *ctx, const struct md_event *ev)
{
    struct fixture *f = ctx;
    if (f->events < EVENTS_MAX)
        f->event[f->events++] = *ev;
}

static uint32_t
add_instrument(struct fixture *f, const char *symbol, uint8_t px_decimals, uint8_t qty_decimals)
{
    uint32_t id = f->instruments++;
    struct instrument *i = &f->ins[id];
    *i = (struct instrument){
        .id = id, .version = 1, .px_decimals = px_decimals, .qty_decimals = qty_decimals, .tick = 1, .step = 1
    };
    (void)snprintf(i->symbol, sizeof(i->symbol), "%.23s", symbol);
    CHECK(feed_add_instrument(f->feed, i, f->now, &f->out));
    return id;
}

static struct fixture *
fixture_with(uint32_t depth)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct fault fault;
    f->cfg = feed_config_checked(&feed_kraken, BOOKS_MAX, depth);
    size_t bytes = feed_footprint(&f->cfg);
    f->memory = aligned_alloc(64, bytes);
    struct arena arena = { .base = f->memory, .size = bytes };
    f->feed = feed_init(&f->cfg, &arena, &fault);
    CHECK(f->feed != NULL);
    CHECK_EQ(arena.used, arena.size);
    f->out = (struct md_out){ .on_event = keep_event, .ctx = f };
    f->now = (struct now){ { NS_PER_S }, { INT64_C(1786923431000000000) } }; /* 2026-08-16T23:37:11Z */
    crc32_init(&f->crc);
    return f;
}

static void
fixture_close(struct fixture *f)
{
    free(f->memory);
    free(f);
}

static enum feed_result
say_bytes(struct fixture *f, const char *text, size_t n)
{
    return feed_on_message(f->feed, (const uint8_t *)text, n, f->now, &f->out);
}

static enum feed_result
say(struct fixture *f, const char *text)
{
    return say_bytes(f, text, strlen(text));
}

/* The next request, "" when there is none now. */
static const char *
request(struct fixture *f)
{
    bool due = feed_subscribe_due(f->feed, f->now);
    size_t n = feed_subscribe_next(f->feed, f->now, &f->out, f->sent, sizeof(f->sent) - 1);
    f->sent[n] = '\0';
    CHECK_EQ(due, n > 0);
    return f->sent;
}

static void
pass(struct fixture *f, int64_t ns)
{
    f->now.mono.ns += ns;
    (void)feed_on_timer(f->feed, f->now, &f->out);
}

#define BEGINS(text, with) CHECK(strncmp((text), (with), strlen(with)) == 0)

/* A book message of a small book: bid 99.0 x bid_qty, ask 101.0 x ask_qty, with a right checksum or a wrong one. The
 * levels sent are what `side` says. */
static enum feed_result
book_at_second(struct fixture *f, const char *symbol, const char *type, unsigned bid_qty, unsigned ask_qty, bool right,
               unsigned second)
{
    char text[512];
    char sum[64];
    int n = snprintf(sum, sizeof(sum), "1010%u990%u", ask_qty, bid_qty);
    (void)snprintf(
        text, sizeof(text),
        "{\"channel\":\"book\",\"type\":\"%s\",\"data\":[{\"symbol\":\"%s\",\"bids\":[{\"price\":99.0,\"qty\":"
        "0.%04u}],\"asks\":[{\"price\":101.0,\"qty\":0.%04u}],\"checksum\":%u,\"timestamp\":"
        "\"2026-08-16T23:37:%02u.376419Z\"}]}",
        type, symbol, bid_qty, ask_qty, crc32_of(&f->crc, sum, (size_t)n) ^ !right, second);
    return say(f, text);
}

static enum feed_result
book(struct fixture *f, const char *symbol, const char *type, unsigned bid_qty, unsigned ask_qty, bool right)
{
    return book_at_second(f, symbol, type, bid_qty, ask_qty, right, 5);
}

/* Yes, to both symbols. */
static void
accept_both(struct fixture *f, const char *channel, int id)
{
    char text[256];

    for (unsigned i = 0; i < 2; i++) {
        (void)snprintf(text, sizeof(text),
                       "{\"method\":\"subscribe\",\"result\":{\"channel\":\"%s\",\"symbol\":\"%s\"},\"success\":true,"
                       "\"req_id\":%d}",
                       channel, f->ins[i].symbol, id);
        CHECK_EQ(say(f, text), FEED_SUBSCRIBED);
    }
}

/* Both subscribed; nothing is answered. */
static struct fixture *
fixture_asked(void)
{
    struct fixture *f = fixture_with(10);
    (void)add_instrument(f, "BTC/USD", 1, 4);
    (void)add_instrument(f, "ETH/USD", 1, 4);
    feed_on_up(f->feed, f->now, &f->out);
    BEGINS(request(f),
           "{\"method\":\"subscribe\",\"params\":{\"channel\":\"book\",\"symbol\":[\"BTC/USD\",\"ETH/USD\"]");
    BEGINS(request(f),
           "{\"method\":\"subscribe\",\"params\":{\"channel\":\"trade\",\"symbol\":[\"BTC/USD\",\"ETH/USD\"]");
    CHECK_STR(request(f), "");
    return f;
}

static struct fixture *
fixture_open(void)
{
    struct fixture *f = fixture_asked();
    accept_both(f, "book", 1);
    accept_both(f, "trade", 2);
    return f;
}

static struct fixture *
fixture_live(void)
{
    struct fixture *f = fixture_open();
    CHECK_EQ(book(f, "BTC/USD", "snapshot", 5, 7, true), FEED_OK);
    CHECK_EQ(book(f, "ETH/USD", "snapshot", 5, 7, true), FEED_OK);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
    CHECK_EQ(feed_state(f->feed, 1), BOOK_LIVE);
    return f;
}

static const char *
answer(bool off, const char *symbol, bool success, char buf[256])
{
    (void)snprintf(
        buf, 256,
        "{\"method\":\"%s\",%s\"result\":{\"channel\":\"book\",\"depth\":10,\"symbol\":\"%s\"},\"success\":%s}",
        off ? "unsubscribe" : "subscribe", success ? "" : "\"error\":\"no\",", symbol, success ? "true" : "false");
    return buf;
}

/* ---- the machine ---- */

TEST(a_snapshot_with_the_right_checksum_makes_a_book_live_and_updates_follow)
{
    struct fixture *f = fixture_open();
    CHECK_EQ(feed_state(f->feed, 0), BOOK_SYNCING);
    CHECK_EQ(book(f, "BTC/USD", "update", 5, 7, true), FEED_OK); /* before its snapshot: nothing to apply it to */
    CHECK_EQ(feed_state(f->feed, 0), BOOK_SYNCING);
    CHECK_EQ(book(f, "BTC/USD", "snapshot", 5, 7, true), FEED_OK);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
    CHECK_EQ(feed_state(f->feed, 1), BOOK_SYNCING);
    const struct md_ref *r = feed_md_ref(f->feed, 0);
    CHECK_EQ(r->tob.bid_px, 990);
    CHECK_EQ(r->tob.ask_qty, 7);
    f->now.mono.ns += 5;
    CHECK_EQ(book(f, "BTC/USD", "update", 6, 8, true), FEED_OK);
    CHECK_EQ(r->tob.bid_qty, 6);
    CHECK_EQ(r->tob.recv_ns, f->now.mono.ns);
    CHECK_EQ(r->good.ask_qty, 8);
    CHECK_STR(request(f), "");
    fixture_close(f);
}

TEST(a_wrong_checksum_makes_the_book_worthless_until_it_is_subscribed_again)
{
    struct fixture *f = fixture_live();
    char buf[256];
    unsigned before = f->events;

    CHECK_EQ(book(f, "BTC/USD", "update", 6, 8, false), FEED_OK);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_CHECKSUM);
    CHECK_EQ(feed_counters(f->feed)->checksums, 1);
    CHECK_EQ(f->events, before + 1); /* its state; none of its levels */
    CHECK_EQ(f->event[before].kind, MD_STATE);
    CHECK_EQ(feed_md_ref(f->feed, 0)->good.bid_qty, 5);
    BEGINS(request(f),
           "{\"method\":\"unsubscribe\",\"params\":{\"channel\":\"book\",\"symbol\":[\"BTC/USD\"],\"depth\":10}");
    CHECK_STR(request(f), "");
    CHECK_EQ(book(f, "BTC/USD", "update", 6, 9, true), FEED_OK); /* still of the old subscription */
    CHECK_EQ(feed_state(f->feed, 0), BOOK_CHECKSUM);
    CHECK_EQ(say(f, answer(true, "BTC/USD", true, buf)), FEED_SUBSCRIBED);
    BEGINS(request(f),
           "{\"method\":\"subscribe\",\"params\":{\"channel\":\"book\",\"symbol\":[\"BTC/USD\"],\"depth\":10");
    CHECK_EQ(say(f, answer(false, "BTC/USD", true, buf)), FEED_SUBSCRIBED);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_CHECKSUM);
    CHECK_EQ(book(f, "BTC/USD", "snapshot", 3, 4, true), FEED_OK);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
    CHECK_EQ(feed_md_ref(f->feed, 0)->tob.ask_qty, 4);
    CHECK_EQ(feed_state(f->feed, 1), BOOK_LIVE); /* nobody else was disturbed */
    CHECK_STR(request(f), "");
    fixture_close(f);
}

TEST(an_old_message_with_the_right_checksum_of_an_old_book_is_a_gap)
{
    struct fixture *f = fixture_live();

    CHECK_EQ(book_at_second(f, "BTC/USD", "update", 6, 8, true, 10), FEED_OK);
    CHECK_EQ(book_at_second(f, "BTC/USD", "update", 6, 9, true, 10), FEED_OK); /* the same time says nothing */
    CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
    CHECK_EQ(book_at_second(f, "BTC/USD", "update", 5, 7, true, 9), FEED_OK);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_GAP);
    CHECK_EQ(feed_counters(f->feed)->gaps, 1);
    CHECK_EQ(feed_md_ref(f->feed, 0)->good.ask_qty, 9);
    CHECK_EQ(feed_state(f->feed, 1), BOOK_LIVE);
    fixture_close(f);
}

TEST(a_late_snapshot_of_a_subscription_that_is_being_ended_is_not_taken)
{
    struct fixture *f = fixture_live();
    char buf[256];

    CHECK_EQ(book_at_second(f, "BTC/USD", "update", 6, 8, true, 10), FEED_OK);
    CHECK_EQ(book(f, "BTC/USD", "update", 6, 9, false), FEED_OK);
    CHECK(feed_state(f->feed, 0) != BOOK_LIVE);
    (void)book_at_second(f, "BTC/USD", "snapshot", 9, 9, true, 11); /* nobody asked for it */
    CHECK(strstr(request(f), "unsubscribe") != NULL);
    (void)book_at_second(f, "BTC/USD", "snapshot", 9, 9, true, 11);
    CHECK(feed_state(f->feed, 0) != BOOK_LIVE);
    (void)say(f, answer(true, "BTC/USD", true, buf));
    CHECK(strstr(request(f), "\"subscribe\"") != NULL);
    (void)book_at_second(f, "BTC/USD", "snapshot", 3, 4, true, 9); /* older than what came before */
    CHECK_EQ(feed_state(f->feed, 0), BOOK_GAP);
    pass(f, f->cfg.retry_min_ns);
    CHECK(strstr(request(f), "unsubscribe") != NULL);
    (void)say(f, answer(true, "BTC/USD", true, buf));
    CHECK(strstr(request(f), "\"subscribe\"") != NULL);
    (void)book_at_second(f, "BTC/USD", "snapshot", 3, 4, true, 10); /* as of the last change: the same time */
    CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
    fixture_close(f);
}

TEST(a_snapshot_newer_than_the_book_that_nobody_asked_for_says_that_the_book_was_made_of_a_late_one)
{
    for (unsigned second = 9; second <= 11; second++) {
        struct fixture *f = fixture_live();
        char buf[256];

        CHECK_EQ(book_at_second(f, "BTC/USD", "update", 6, 8, true, 10), FEED_OK);
        CHECK_EQ(book(f, "BTC/USD", "update", 6, 9, false), FEED_OK);
        CHECK(strstr(request(f), "unsubscribe") != NULL);
        (void)say(f, answer(true, "BTC/USD", true, buf));
        CHECK(strstr(request(f), "\"subscribe\"") != NULL);
        (void)book_at_second(f, "BTC/USD", "snapshot", 6, 8, true, 10); /* repeated, of the subscription before */
        CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
        (void)book_at_second(f, "BTC/USD", "snapshot", 3, 4, true, second); /* this one's */
        CHECK_EQ(feed_state(f->feed, 0), second > 10 ? BOOK_GAP : BOOK_LIVE);
        CHECK_EQ(feed_md_ref(f->feed, 0)->good.ask_qty, 8);
        CHECK_EQ(feed_state(f->feed, 1), BOOK_LIVE);
        fixture_close(f);
    }
}

TEST(a_venue_time_far_ahead_of_ours_is_not_remembered)
{
    struct fixture *f = fixture_live();

    CHECK_EQ(book_at_second(f, "BTC/USD", "update", 6, 8, true, 16), FEED_OK); /* more than 5 s ahead */
    CHECK_EQ(book_at_second(f, "BTC/USD", "update", 6, 9, true, 10), FEED_OK);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
    CHECK_EQ(book_at_second(f, "BTC/USD", "update", 6, 8, true, 15), FEED_OK); /* less */
    CHECK_EQ(book_at_second(f, "BTC/USD", "update", 6, 9, true, 14), FEED_OK);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_GAP);
    fixture_close(f);
}

TEST(books_start_again_one_at_a_time_and_back_off)
{
    struct fixture *f = fixture_live();
    char buf[256];
    int64_t wait = f->cfg.retry_min_ns;

    (void)book(f, "BTC/USD", "update", 6, 8, false);
    (void)book(f, "ETH/USD", "update", 6, 8, false);
    CHECK(strstr(request(f), "BTC/USD") != NULL);
    CHECK_STR(request(f), "");
    (void)say(f, answer(true, "BTC/USD", true, buf));
    CHECK(strstr(request(f), "BTC/USD") != NULL);
    (void)book(f, "BTC/USD", "snapshot", 6, 8, false); /* and again it does not fit */
    CHECK_EQ(feed_state(f->feed, 0), BOOK_CHECKSUM);
    CHECK(strstr(request(f), "ETH/USD") != NULL);      /* the other one's turn */
    (void)say(f, answer(true, "ETH/USD", false, buf)); /* it was not subscribed: just as well */
    CHECK(strstr(request(f), "\"subscribe\"") != NULL);
    (void)book(f, "ETH/USD", "snapshot", 6, 8, true);
    CHECK_EQ(feed_state(f->feed, 1), BOOK_LIVE);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_STR(request(f), "");
        pass(f, wait - 1);
        CHECK_STR(request(f), "");
        pass(f, 1);
        CHECK(strstr(request(f), "unsubscribe") != NULL);
        (void)say(f, answer(true, "BTC/USD", true, buf));
        CHECK(strstr(request(f), "\"subscribe\"") != NULL);
        (void)book(f, "BTC/USD", "snapshot", 6, 8, false);
        wait *= 2;
    }
    fixture_close(f);
}

TEST(a_refused_subscription_is_noticed_and_tried_again)
{
    struct fixture *f = fixture_open();
    char buf[256];
    int32_t code;

    CHECK_EQ(
        say(f,
            "{\"error\":\"Subscription depth not supported\",\"method\":\"subscribe\",\"req_id\":1,\"success\":false,"
            "\"symbol\":\"ETH/USD\"}"),
        FEED_REFUSED);
    CHECK_STR(feed_refusal(f->feed, &code), "Subscription depth not supported");
    (void)book(f, "BTC/USD", "snapshot", 5, 7, true);
    pass(f, 1);
    CHECK_EQ(feed_state(f->feed, 1), BOOK_REFUSED);
    CHECK(strstr(request(f), "ETH/USD") != NULL);
    (void)say(f, answer(true, "ETH/USD", false, buf));
    CHECK(strstr(request(f), "\"subscribe\"") != NULL);
    (void)say(f, answer(false, "ETH/USD", false, buf));
    CHECK_STR(request(f), "");
    pass(f, 2 * f->cfg.retry_min_ns); /* its turn failed: the pause doubled */
    CHECK(strstr(request(f), "ETH/USD") != NULL);
    fixture_close(f);
}

TEST(no_snapshot_after_a_subscription_starts_it_again)
{
    struct fixture *f = fixture_open();
    (void)book(f, "BTC/USD", "snapshot", 5, 7, true);
    pass(f, f->cfg.snapshot_timeout_ns - 1);
    CHECK_STR(request(f), "");
    pass(f, 1);
    CHECK(strstr(request(f), "ETH/USD") != NULL);
    pass(f, 5 * NS_PER_S); /* no answer to that either */
    CHECK(strstr(request(f), "\"subscribe\"") != NULL);
    pass(f, f->cfg.snapshot_timeout_ns);
    pass(f, 2 * f->cfg.retry_min_ns);
    CHECK(strstr(request(f), "unsubscribe") != NULL);
    fixture_close(f);
}

#define TRADES "{\"method\":\"subscribe\",\"params\":{\"channel\":\"trade\",\"symbol\":[\"%s\"]"

TEST(a_trade_subscription_without_an_answer_is_noticed_after_five_seconds_and_asked_again_alone)
{
    for (unsigned heard = 0; heard < 3; heard++) { /* of BTC/USD: nothing, its answer, a trade */
        struct fixture *f = fixture_asked();
        char want[128];
        accept_both(f, "book", 1);
        (void)book(f, "BTC/USD", "snapshot", 5, 7, true);
        (void)book(f, "ETH/USD", "snapshot", 5, 7, true);
        if (heard == 1)
            (void)say(f, "{\"method\":\"subscribe\",\"result\":{\"channel\":\"trade\",\"symbol\":\"BTC/USD\"},"
                         "\"success\":true,\"req_id\":2}");
        if (heard == 2)
            (void)say(f,
                      "{\"channel\":\"trade\",\"type\":\"update\",\"data\":[{\"symbol\":\"BTC/USD\",\"side\":\"buy\","
                      "\"price\":99.0,\"qty\":0.5,\"ord_type\":\"limit\",\"trade_id\":7,\"timestamp\":"
                      "\"2026-08-16T23:37:06.376419Z\"}]}");
        pass(f, 5 * NS_PER_S - 1);
        CHECK_STR(request(f), "");
        CHECK_EQ(feed_counters(f->feed)->unanswered, 0);
        pass(f, 1);
        CHECK_EQ(feed_counters(f->feed)->unanswered, 1);
        CHECK_EQ(feed_counters(f->feed)->refused, 0);
        if (heard == 0) {
            (void)snprintf(want, sizeof(want), TRADES, "BTC/USD");
            BEGINS(request(f), want);
        }
        (void)snprintf(want, sizeof(want), TRADES, "ETH/USD");
        BEGINS(request(f), want);
        CHECK_STR(request(f), "");
        CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
        CHECK_EQ(feed_state(f->feed, 1), BOOK_LIVE);
        pass(f, 5 * NS_PER_S); /* alone, and no answer either: with a pause */
        CHECK_STR(request(f), "");
        pass(f, f->cfg.retry_min_ns);
        BEGINS(request(f), "{\"method\":\"subscribe\",\"params\":{\"channel\":\"trade\"");
        fixture_close(f);
    }
}

TEST(an_answered_subscription_is_not_asked_for_again)
{
    struct fixture *f = fixture_live();

    for (unsigned s = 0; s < 50; s++) {
        pass(f, NS_PER_S);
        CHECK_STR(request(f), "");
    }
    CHECK_EQ(feed_counters(f->feed)->unanswered, 0);
    fixture_close(f);
}

TEST(a_book_subscription_without_an_answer_is_noticed_after_five_seconds_and_started_again)
{
    struct fixture *f = fixture_asked();

    accept_both(f, "trade", 2);
    (void)book(f, "BTC/USD", "snapshot", 5, 7, true); /* that is an answer */
    pass(f, 5 * NS_PER_S - 1);
    CHECK_STR(request(f), "");
    pass(f, 1);
    CHECK_EQ(feed_counters(f->feed)->unanswered, 1);
    BEGINS(request(f), "{\"method\":\"unsubscribe\",\"params\":{\"channel\":\"book\",\"symbol\":[\"ETH/USD\"]");
    pass(f, 5 * NS_PER_S); /* nor of that */
    CHECK_EQ(feed_counters(f->feed)->unanswered, 2);
    CHECK(!feed_link_stuck(f->feed, 0));
    BEGINS(request(f), "{\"method\":\"subscribe\",\"params\":{\"channel\":\"book\",\"symbol\":[\"ETH/USD\"]");
    pass(f, 5 * NS_PER_S);
    CHECK_EQ(feed_counters(f->feed)->unanswered, 3);
    CHECK(feed_link_stuck(f->feed, 0)); /* three in a row */
    pass(f, 0);
    pass(f, 2 * f->cfg.retry_min_ns);
    BEGINS(request(f), "{\"method\":\"unsubscribe\"");
    fixture_close(f);
}

TEST(the_answer_about_a_book_is_not_taken_for_that_of_a_trade_request_between)
{
    struct fixture *f = fixture_asked();
    char buf[256];

    accept_both(f, "book", 1);
    (void)book(f, "BTC/USD", "snapshot", 5, 7, true);
    (void)book(f, "ETH/USD", "snapshot", 5, 7, true);
    CHECK_EQ(book(f, "BTC/USD", "update", 6, 8, false), FEED_OK);
    CHECK(strstr(request(f), "unsubscribe") != NULL); /* 3 */
    pass(f, 5 * NS_PER_S);
    while (strstr(request(f), "\"trade\"") != NULL) /* 4 and 5: requests for trades stand on both sides of 3 */
        ;
    CHECK(strstr(f->sent, "\"book\"") != NULL); /* and before the next of the book */
    (void)snprintf(buf, sizeof(buf),
                   "{\"error\":\"no\",\"method\":\"subscribe\",\"success\":false,\"symbol\":\"BTC/USD\",%s",
                   strstr(f->sent, "\"req_id\""));
    CHECK_EQ(say(f, buf), FEED_REFUSED);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_REFUSED);
    fixture_close(f);
}

TEST(a_connection_whose_subscriptions_bring_no_book_is_given_up)
{
    struct fixture *f = fixture_live();
    char buf[256];
    unsigned s = 0;

    CHECK_EQ(book(f, "BTC/USD", "update", 6, 8, false), FEED_OK);
    for (; s < 300 && !feed_link_stuck(f->feed, 0); s++) {
        const char *rq = request(f);
        if (*rq != '\0')
            (void)say(f, answer(strstr(rq, "unsubscribe") != NULL, "BTC/USD", true, buf)); /* yes, and no snapshot */
        f->now.mono.ns += NS_PER_S;
        pass(f, 0);
    }
    CHECK(s >= 20 && s < 300);
    CHECK(!feed_link_stuck(f->feed, 0));
    fixture_close(f);
}

TEST(twenty_five_seconds_of_silence_are_normal_and_heartbeats_are_no_freshness)
{
    struct fixture *f = fixture_live();
    int64_t fresh = feed_md_ref(f->feed, 0)->tob.recv_ns;
    char buf[256];

    for (unsigned s = 0; s < 26; s++) {
        pass(f, NS_PER_S);
        CHECK_EQ(say(f, "{\"channel\":\"heartbeat\"}"), FEED_OK);
        CHECK_STR(request(f), "");
    }
    CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
    CHECK_EQ(feed_md_ref(f->feed, 0)->tob.recv_ns, fresh); /* its age is what risk looks at */
    (void)book(f, "ETH/USD", "update", 5, 8, true);
    pass(f, f->cfg.quiet_max_ns - 26 * NS_PER_S - 1);
    CHECK_STR(request(f), "");
    pass(f, 1);
    BEGINS(request(f), "{\"method\":\"unsubscribe\",\"params\":{\"channel\":\"book\",\"symbol\":[\"BTC/USD\"]");
    CHECK_EQ(feed_state(f->feed, 0), BOOK_SYNCING);
    CHECK_EQ(feed_counters(f->feed)->quiet, 1);
    (void)say(f, answer(true, "BTC/USD", true, buf));
    (void)request(f);
    (void)book(f, "BTC/USD", "snapshot", 5, 7, true);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
    CHECK_EQ(feed_state(f->feed, 1), BOOK_LIVE);
    fixture_close(f);
}

static enum feed_result
trade(struct fixture *f, unsigned id)
{
    char text[256];
    (void)snprintf(
        text, sizeof(text),
        "{\"channel\":\"trade\",\"type\":\"update\",\"data\":[{\"symbol\":\"BTC/USD\",\"side\":\"buy\",\"price\":"
        "101.0,\"qty\":0.0001,\"ord_type\":\"limit\",\"trade_id\":%u,\"timestamp\":"
        "\"2026-08-16T23:37:05.376419Z\"}]}",
        id);
    return say(f, text);
}

TEST(trades_while_depth_is_silent_make_a_book_start_again)
{
    for (unsigned depth_comes = 0; depth_comes < 2; depth_comes++) {
        struct fixture *f = fixture_live();
        CHECK_EQ(trade(f, 1), FEED_OK); /* its depth came just before it */
        pass(f, f->cfg.depth_lag_max_ns + 1);
        CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
        CHECK_EQ(trade(f, 2), FEED_OK);
        if (depth_comes)
            (void)book(f, "BTC/USD", "update", 5, 6, true);
        pass(f, f->cfg.depth_lag_max_ns);
        CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
        pass(f, 1);
        CHECK_EQ(feed_state(f->feed, 0), depth_comes ? BOOK_LIVE : BOOK_SILENT);
        CHECK_EQ(feed_counters(f->feed)->lags, !depth_comes);
        CHECK_EQ(request(f)[0] != '\0', !depth_comes);
        fixture_close(f);
    }
}

TEST(levels_beyond_the_subscribed_depth_are_dropped_and_may_come_back)
{
    struct fixture *f = fixture_with(10);
    char text[1024];
    char sum[256];
    (void)add_instrument(f, "BTC/USD", 0, 0);
    feed_on_up(f->feed, f->now, &f->out);
    (void)request(f);
    (void)request(f);
    for (unsigned step = 0; step < 3; step++) {
        /* Ten asks from 20 up; then 19 comes; then 19 goes and the venue sends 29 again. */
        unsigned first = step == 1 ? 19 : 20;
        int n = 0;
        for (unsigned i = 0; i < 10; i++)
            n += snprintf(sum + n, sizeof(sum) - (size_t)n, "%u7", first + i);
        int t =
            snprintf(text, sizeof(text),
                     "{\"channel\":\"book\",\"type\":\"%s\",\"data\":[{\"symbol\":\"BTC/USD\",\"bids\":[],\"asks\":[",
                     step == 0 ? "snapshot" : "update");
        for (unsigned i = 0; i < 10 && step == 0; i++)
            t += snprintf(text + t, sizeof(text) - (size_t)t, "%s{\"price\":%u,\"qty\":7}", i > 0 ? "," : "", 20 + i);
        if (step > 0)
            t += snprintf(text + t, sizeof(text) - (size_t)t, "%s{\"price\":19,\"qty\":%u}",
                          step == 2 ? "{\"price\":29,\"qty\":7}," : "", step == 1 ? 7 : 0);
        (void)snprintf(text + t, sizeof(text) - (size_t)t,
                       "],\"checksum\":%u,\"timestamp\":\"2026-08-16T23:37:05Z\"}]}",
                       crc32_of(&f->crc, sum, (size_t)n));
        unsigned before = f->events;
        CHECK_EQ(say(f, text), FEED_OK);
        CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
        CHECK_EQ(feed_book(f->feed, 0)->side[SIDE_SELL].count, 10);
        CHECK_EQ(book_at(feed_book(f->feed, 0), SIDE_SELL, 9)->px, first + 9);
        if (step == 1) { /* readers are told that 29 went */
            CHECK_EQ(f->event[before].level.px, 19);
            CHECK(f->event[before + 1].level.px == 29 && f->event[before + 1].level.qty == 0);
        }
    }
    fixture_close(f);
}

TEST(a_crossed_book_is_not_live_even_with_a_right_checksum)
{
    struct fixture *f = fixture_live();
    char text[512];
    (void)snprintf(
        text, sizeof(text),
        "{\"channel\":\"book\",\"type\":\"update\",\"data\":[{\"symbol\":\"BTC/USD\",\"bids\":[{\"price\":102.0,"
        "\"qty\":0.0005}],\"asks\":[],\"checksum\":%u,\"timestamp\":\"2026-08-16T23:37:06Z\"}]}",
        crc32_of(&f->crc, "10107102059905", 14));
    CHECK_EQ(say(f, text), FEED_OK);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_CROSSED);
    CHECK_EQ(feed_counters(f->feed)->crossed, 1);
    CHECK(request(f)[0] != '\0');
    fixture_close(f);
}

TEST(a_message_that_cannot_be_read_may_have_been_anybodys_update)
{
    struct fixture *f = fixture_live();
    CHECK_EQ(
        say(f, "{\"channel\":\"book\",\"type\":\"update\",\"data\":[{\"symbol\":\"ETH/USD\",\"bids\":[{\"price\":1.25,"
               "\"qty\":1}],\"asks\":[],\"checksum\":1,\"timestamp\":\"2026-08-16T23:37:05Z\"}]}"),
        FEED_BAD_MESSAGE); /* more digits than the instrument: its own book alone */
    CHECK_EQ(feed_state(f->feed, 1), BOOK_GAP);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
    CHECK_EQ(say(f, "{\"channel\":\"book\",\"type\":\"upd"), FEED_BAD_MESSAGE);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_GAP);
    fixture_close(f);
}

TEST(the_connection_down_and_up_starts_everything_again)
{
    struct fixture *f = fixture_live();
    (void)book(f, "BTC/USD", "update", 6, 8, false);
    (void)request(f);
    feed_on_down(f->feed, f->now, &f->out);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_DOWN);
    CHECK_STR(request(f), "");
    feed_on_up(f->feed, f->now, &f->out);
    BEGINS(request(f),
           "{\"method\":\"subscribe\",\"params\":{\"channel\":\"book\",\"symbol\":[\"BTC/USD\",\"ETH/USD\"]");
    BEGINS(request(f), "{\"method\":\"subscribe\",\"params\":{\"channel\":\"trade\"");
    (void)book(f, "BTC/USD", "snapshot", 6, 8, true);
    CHECK_EQ(feed_state(f->feed, 0), BOOK_LIVE);
    fixture_close(f);
}

TEST(status_is_said_and_depths_that_the_venue_has_not_are_refused)
{
    struct fixture *f = fixture_live();
    struct fault fault;
    struct feed_config cfg = feed_config_checked(&feed_kraken, 2, 20);
    int32_t code;

    CHECK_EQ(say(f, "{\"channel\":\"status\",\"type\":\"update\",\"data\":[{\"system\":\"post_only\"}]}"), FEED_STATUS);
    CHECK(!feed_online(f->feed));
    CHECK_STR(feed_refusal(f->feed, &code), "post_only");
    CHECK(feed_init(&cfg, NULL, &fault) == NULL);
    CHECK(strstr(fault.text, "20 levels") != NULL);
    fixture_close(f);
}

/* ---- recorded books ---- */

/* The obvious computation: levels as their text. */
struct text_level {
    char px[32];
    char qty[32];
};

struct text_book {
    struct text_level side[2][4096];
    unsigned count[2];
};

/* "12.30" against "9.5": by whole length, then digit by digit (no leading zeros, no exponents on this wire). */
static int
text_compare(const char *a, const char *b)
{
    size_t whole_a = strcspn(a, ".");
    size_t whole_b = strcspn(b, ".");
    if (whole_a != whole_b)
        return whole_a < whole_b ? -1 : 1;
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    int x = *a == '\0' ? '0' : *a;
    int y = *b == '\0' ? '0' : *b;
    return x - y;
}

static bool
text_zero(const char *q)
{
    return strspn(q, "0.") == strlen(q);
}

static void
text_set(struct text_book *b, enum side side, const struct text_level *l)
{
    struct text_level *v = b->side[side];
    unsigned at = 0;
    while (at < b->count[side] &&
           (side == SIDE_BUY ? text_compare(v[at].px, l->px) > 0 : text_compare(v[at].px, l->px) < 0))
        at++;
    bool known = at < b->count[side] && strcmp(v[at].px, l->px) == 0;
    if (text_zero(l->qty)) {
        if (known)
            memmove(v + at, v + at + 1, (--b->count[side] - at) * sizeof(*v));
    } else if (known) {
        v[at] = *l;
    } else {
        ASSERT(b->count[side] < ARRAY_LEN(b->side[0]));
        memmove(v + at + 1, v + at, (b->count[side]++ - at) * sizeof(*v));
        v[at] = *l;
    }
}

static uint32_t
crc_byte(uint32_t crc, char c)
{
    crc ^= (uint8_t)c;
    for (unsigned bit = 0; bit < 8; bit++)
        crc = (crc & 1) != 0 ? crc >> 1 ^ UINT32_C(0xEDB88320) : crc >> 1;
    return crc;
}

static uint32_t
crc_number(uint32_t crc, const char *s)
{
    s += strspn(s, "0.");
    for (; *s != '\0'; s++)
        if (*s != '.')
            crc = crc_byte(crc, *s);
    return crc;
}

static uint32_t
text_checksum(const struct text_book *b)
{
    uint32_t crc = UINT32_MAX;
    for (unsigned turn = 0; turn < 2; turn++) {
        unsigned side = turn == 0 ? SIDE_SELL : SIDE_BUY;
        for (unsigned i = 0; i < MIN(b->count[side], 10u); i++)
            crc = crc_number(crc_number(crc, b->side[side][i].px), b->side[side][i].qty);
    }
    return ~crc;
}

/* What validate.py does with a whole capture, and what we make of it. */
struct replayed {
    struct fixture *f;
    struct text_book *reference; /* by instrument */
    unsigned depth;
    unsigned checked;
    unsigned failed; /* by the obvious computation */
    unsigned our_failed;
    unsigned snapshots;
    bool sound[BOOKS_MAX]; /* every message since its snapshot was right */
};

static unsigned
fraction(const char *s)
{
    const char *point = strchr(s, '.');
    return point != NULL ? (unsigned)strlen(point + 1) : 0;
}

/* Levels of `key` in a v2 item, as text. Returns how many. */
static unsigned
v2_levels(const char *item, const char *key, struct text_level *out, unsigned max)
{
    char name[16];
    unsigned n = 0;
    (void)snprintf(name, sizeof(name), "\"%s\":[", key);
    const char *p = strstr(item, name);
    ASSERT(p != NULL);
    for (p += strlen(name); *p != ']'; p++) {
        if (strncmp(p, "\"price\":", 8) == 0) {
            ASSERT(n < max);
            (void)snprintf(out[n].px, sizeof(out[n].px), "%.*s", (int)strcspn(p + 8, ",}"), p + 8);
        } else if (strncmp(p, "\"qty\":", 6) == 0) {
            (void)snprintf(out[n].qty, sizeof(out[n].qty), "%.*s", (int)strcspn(p + 6, ",}"), p + 6);
            n++;
        }
    }
    return n;
}

static uint32_t
instrument_of(struct replayed *r, const char *symbol, const struct text_level *l)
{
    for (unsigned i = 0; i < r->f->instruments; i++)
        if (strcmp(r->f->ins[i].symbol, symbol) == 0)
            return i;
    uint32_t id = add_instrument(r->f, symbol, (uint8_t)fraction(l->px), (uint8_t)fraction(l->qty));
    return id;
}

/* Whoever recorded this subscribed now; so does the feed, again where its book is not live. */
static void
expect_snapshot(struct fixture *f, const char *symbol)
{
    char buf[256];

    f->now.mono.ns += f->cfg.retry_max_ns;
    while (strstr(request(f), "\"subscribe\"") != NULL)
        ;
    if (f->sent[0] != '\0') {
        (void)say(f, answer(true, symbol, true, buf));
        (void)request(f);
    }
}

/* One book message with these levels: the reference first, then the feed. */
static void
replay_message(struct replayed *r, const char *symbol, bool snapshot, const struct text_level *bids, unsigned bid_count,
               const struct text_level *asks, unsigned ask_count, uint32_t checksum, const char *text, size_t len)
{
    uint32_t id = instrument_of(r, symbol, bid_count > 0 ? bids : asks);
    struct text_book *b = &r->reference[id];
    if (snapshot) {
        b->count[0] = b->count[1] = 0;
        r->sound[id] = true;
        r->snapshots++;
    }
    for (unsigned i = 0; i < bid_count; i++)
        text_set(b, SIDE_BUY, &bids[i]);
    for (unsigned i = 0; i < ask_count; i++)
        text_set(b, SIDE_SELL, &asks[i]);
    for (unsigned s = 0; s < 2; s++)
        b->count[s] = MIN(b->count[s], r->depth);
    bool ok = text_checksum(b) == checksum;
    r->checked++;
    r->failed += !ok;
    r->sound[id] &= ok;
    if (snapshot) {
        expect_snapshot(r->f, symbol);
        CHECK(r->f->instruments < BOOKS_MAX);
    }
    uint64_t before = feed_counters(r->f->feed)->checksums;
    CHECK_EQ(say_bytes(r->f, text, len), FEED_OK);
    r->our_failed += feed_counters(r->f->feed)->checksums != before;
    CHECK_EQ(feed_state(r->f->feed, id) == BOOK_LIVE, r->sound[id]);
    const struct book *ours = feed_book(r->f->feed, id);
    for (unsigned s = 0; s < 2 && r->sound[id]; s++) {
        CHECK_EQ(ours->side[s].count, b->count[s]);
        for (unsigned i = 0; i < b->count[s]; i++) {
            int64_t v = 0;
            const struct level *l = book_at(ours, (enum side)s, i);
            CHECK_EQ(decimal_parse(b->side[s][i].px, strlen(b->side[s][i].px), r->f->ins[id].px_decimals, &v),
                     DECODE_OK);
            CHECK_EQ(l->px, v);
            CHECK_EQ(decimal_parse(b->side[s][i].qty, strlen(b->side[s][i].qty), r->f->ins[id].qty_decimals, &v),
                     DECODE_OK);
            CHECK_EQ(l->qty, v);
            if (i == 20)
                i = MAX(i, b->count[s] - 20); /* both ends of a deep side */
        }
    }
}

static struct replayed
replay_open(unsigned depth)
{
    struct replayed r = { .f = fixture_with(depth),
                          .reference = calloc(BOOKS_MAX, sizeof(struct text_book)),
                          .depth = depth };
    feed_on_up(r.f->feed, r.f->now, &r.f->out);
    return r;
}

static void
replay_close(struct replayed *r, const char *name)
{
    (void)fprintf(stderr, "%s: %u books, %u snapshots, %u messages checked, %u failed\n", name, r->f->instruments,
                  r->snapshots, r->checked, r->failed);
    CHECK(r->checked > 0);
    CHECK_EQ(r->our_failed > 0, r->failed > 0);
    free(r->reference);
    fixture_close(r->f);
}

/* Protocol v2, one frame per line, bare or as the value of "frame". */
static void
replay_v2(const char *name)
{
    struct capture c;
    struct replayed r;
    const char *line;
    size_t len;
    unsigned depth = 10;
    static struct text_level bids[2048];
    static struct text_level asks[2048];

    CHECK(capture_open(&c, name));
    char *text = malloc(c.len + 1);
    memcpy(text, c.text, c.len);
    text[c.len] = '\0';
    const char *at = strstr(text, "\"depth\":");
    if (at != NULL)
        depth = (unsigned)strtoul(at + 8, NULL, 10);
    r = replay_open(depth);
    while (capture_line(&c, &line, &len)) {
        char *s = text + (line - c.text);
        s[len] = '\0';
        if (strstr(s, "\"captured_at\":") != NULL || strstr(s, "\"dir\":\"tx\"") != NULL || len == 0)
            continue;
        char *frame = strstr(s, "\"frame\":");
        char *p = frame != NULL ? frame + 8 : s;
        struct json_scan j;
        struct json_text whole;
        json_init(&j, p, strlen(p));
        CHECK(json_raw(&j, &whole));
        size_t n = whole.n;
        if (strstr(p, "\"channel\":\"book\"") == NULL || strstr(p, "\"method\"") != NULL) {
            enum feed_result other = say_bytes(r.f, p, n);
            CHECK(other != FEED_BAD_MESSAGE || feed_counters(r.f->feed)->decode[DECODE_UNKNOWN_SYMBOL] > 0);
            continue;
        }
        char symbol[SYMBOL_BYTES];
        const char *sym = strstr(p, "\"symbol\":\"") + 10;
        (void)snprintf(symbol, sizeof(symbol), "%.*s", (int)strcspn(sym, "\""), sym);
        unsigned nb = v2_levels(p, "bids", bids, ARRAY_LEN(bids));
        unsigned na = v2_levels(p, "asks", asks, ARRAY_LEN(asks));
        uint32_t checksum = (uint32_t)strtoul(strstr(p, "\"checksum\":") + 11, NULL, 10);
        replay_message(&r, symbol, strstr(p, "\"type\":\"snapshot\"") != NULL, bids, nb, asks, na, checksum, p, n);
    }
    capture_close(&c);
    free(text);
    replay_close(&r, name);
}

/* Levels of `key` in a v1 part: [["px","qty","time"(,"r")],...]. */
static unsigned
v1_levels(const char *text, const char *key, struct text_level *out, unsigned max)
{
    char name[16];
    unsigned n = 0;
    (void)snprintf(name, sizeof(name), "\"%s\":[[", key);
    const char *p = strstr(text, name);
    if (p == NULL)
        return 0;
    for (p += strlen(name);;) {
        ASSERT(n < max && *p == '"');
        (void)snprintf(out[n].px, sizeof(out[n].px), "%.*s", (int)strcspn(p + 1, "\""), p + 1);
        p = strchr(p + 1, '"') + 3;
        (void)snprintf(out[n].qty, sizeof(out[n].qty), "%.*s", (int)strcspn(p, "\""), p);
        n++;
        p = strchr(p, ']') + 1;
        if (*p == ']')
            return n;
        p += 2;
    }
}

static size_t
v2_side(char *to, const char *key, const struct text_level *l, unsigned n)
{
    size_t len = (size_t)sprintf(to, "\"%s\":[", key);
    for (unsigned i = 0; i < n; i++)
        len += (size_t)sprintf(to + len, "%s{\"price\":%s,\"qty\":%s}", i > 0 ? "," : "", l[i].px, l[i].qty);
    return len + (size_t)sprintf(to + len, "],");
}

/* Protocol v1 has the same checksum over its own text, on many precisions and a thousand levels: its messages are
 * written as v2 ones. A v1 snapshot carries no checksum: it is given the one of its own levels. */
static void
replay_v1(const char *name)
{
    struct capture c;
    struct replayed r = replay_open(1000);
    const char *line;
    size_t len;
    static struct text_level bids[2048];
    static struct text_level asks[2048];
    static char text[1 << 19];
    char *copy = malloc(1 << 20);

    CHECK(capture_open(&c, name));
    while (capture_line(&c, &line, &len)) {
        const char *colon = memchr(line, ' ', len);
        if (colon == NULL || colon[1] != '[' || len > (1 << 20) - 1)
            continue;
        size_t n = len - (size_t)(colon + 1 - line);
        memcpy(copy, colon + 1, n);
        copy[n] = '\0';
        char *pair = strrchr(copy, ',') + 2;
        pair[strcspn(pair, "\"")] = '\0';
        bool snapshot = strstr(copy, "\"as\":") != NULL || strstr(copy, "\"bs\":") != NULL;
        unsigned nb = v1_levels(copy, snapshot ? "bs" : "b", bids, ARRAY_LEN(bids));
        unsigned na = v1_levels(copy, snapshot ? "as" : "a", asks, ARRAY_LEN(asks));
        const char *sum = strstr(copy, "\"c\":\"");
        uint32_t checksum = sum != NULL ? (uint32_t)strtoul(sum + 5, NULL, 10) : 0;
        if (snapshot) {
            static struct text_book whole;
            memcpy(whole.side[SIDE_BUY], bids, nb * sizeof(*bids));
            memcpy(whole.side[SIDE_SELL], asks, na * sizeof(*asks));
            whole.count[SIDE_BUY] = nb;
            whole.count[SIDE_SELL] = na;
            checksum = text_checksum(&whole);
        }
        size_t t = (size_t)sprintf(text, "{\"channel\":\"book\",\"type\":\"%s\",\"data\":[{\"symbol\":\"%s\",",
                                   snapshot ? "snapshot" : "update", pair);
        t += v2_side(text + t, "bids", bids, nb);
        t += v2_side(text + t, "asks", asks, na);
        t += (size_t)sprintf(text + t, "\"checksum\":%u,\"timestamp\":\"2021-04-17T16:48:53.000000Z\"}]}", checksum);
        replay_message(&r, pair, snapshot, bids, nb, asks, na, checksum, text, t);
    }
    capture_close(&c);
    free(copy);
    replay_close(&r, name);
}

TEST_RECORDED(recorded_books_fail_exactly_where_the_obvious_computation_does)
{
    const char *root = getenv("EXECGW_SHARED");
    char path[1024];
    unsigned files = 0;

    (void)snprintf(path, sizeof(path), "%s/data/kraken", root != NULL ? root : "");
    DIR *d = opendir(path);
    if (d == NULL)
        SKIP(CAPTURE_NONE);
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        (void)snprintf(path, sizeof(path), "kraken/%s", e->d_name);
        bool v2 = strncmp(e->d_name, "v2_book", 7) == 0;
        if (v2)
            replay_v2(path);
        else if (strncmp(e->d_name, "v1_book", 7) == 0)
            replay_v1(path);
        files += v2;
    }
    (void)closedir(d);
    CHECK(files > 0);
}

TEST_MAIN()
