/* gateway: market data over several connections, one replaced by another, and what may be sent over each. */
#include "tests/gateway_rig.h"

#define SENDS 512
#define A     GATEWAY_CONN(0, CONN_ROLE_MARKET)
#define B     GATEWAY_CONNS_FIRST /* the second market-data connection */

static struct rig rig;

/* What left, frame by frame, unmasked. */
struct sent {
    uint32_t conn;
    int64_t at_ns;
    uint8_t opcode;
    size_t len;
    char text[1024];
};
static struct sent sent[SENDS];
static uint32_t sent_count;

static void
on_send(struct rig *r, uint32_t conn, const uint8_t *frame, size_t n)
{
    static uint8_t buffer[GATEWAY_CONNS][4096];
    struct ws_reader reader;
    struct ws_message m;
    size_t used;

    if (conn == GATEWAY_CONN(0, CONN_ROLE_ORDER))
        return;
    ws_reader_init(&reader, WS_SERVER, buffer[conn], sizeof(buffer[conn]));
    CHECK(ws_read(&reader, frame, n, &used, &m) != WS_FAIL);
    ASSERT(sent_count < SENDS && m.len < sizeof(sent[0].text));
    struct sent *s = &sent[sent_count++];
    *s = (struct sent){ .conn = conn, .at_ns = r->now.mono.ns, .opcode = frame[0] & 0x0F, .len = m.len };
    if (m.len > 0 && m.data != NULL)
        memcpy(s->text, m.data, m.len);
}

static uint32_t
sends(uint32_t conn, uint8_t opcode)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < sent_count; i++)
        n += sent[i].conn == conn && sent[i].opcode == opcode;
    return n;
}

/* Never more than five of one connection within a second. */
static void
check_pace(uint32_t conn)
{
    int64_t at[SENDS];
    uint32_t n = 0;
    for (uint32_t i = 0; i < sent_count; i++)
        if (sent[i].conn == conn)
            at[n++] = sent[i].at_ns;
    for (uint32_t i = 5; i < n; i++)
        CHECK(at[i] - at[i - 5] > NS_PER_S);
}

static void
start(void)
{
    struct instrument ins = rig_instrument();

    sent_count = 0;
    rig_links.on_send = on_send;
    rig_start(&rig);
    gateway_on_definition(rig.g, &ins, rig.now);
    gateway_on_definitions_end(rig.g, 0, true, rig.now);
}

/* The newest request of a connection is answered. */
static void
answer(uint32_t conn)
{
    for (uint32_t i = sent_count; i-- > 0;) {
        const char *id = sent[i].conn == conn && sent[i].opcode == WS_OP_TEXT ? strstr(sent[i].text, "\"id\":") : NULL;
        char text[64];
        if (id == NULL)
            continue;
        int n = snprintf(text, sizeof(text), "{\"result\":null,\"id\":%d}", atoi(id + 5));
        rig_bytes(&rig, conn, text, (size_t)n, WS_OP_TEXT);
        return;
    }
    CHECK(false);
}

static void
depth(uint32_t conn, unsigned id)
{
    char text[256];
    int n = snprintf(text, sizeof(text),
                     "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"BTCUSDT\",\"U\":%u,\"u\":%u,\"b\":[[\"998.00\",\"%u\"]],"
                     "\"a\":[]}",
                     id, id, id % 8 + 1);
    rig_bytes(&rig, conn, text, (size_t)n, WS_OP_TEXT);
}

static void
shutdown_notice(uint32_t conn)
{
    static const char text[] =
        "{\"stream\":\"!serverShutdown\",\"data\":{\"e\":\"serverShutdown\",\"E\":1770123456789}}";
    rig_bytes(&rig, conn, text, sizeof(text) - 1, WS_OP_TEXT);
}

/* One instrument, live over A. */
static void
live(void)
{
    start();
    rig_connect(&rig, A);
    answer(A);
    rig_book(&rig);
    CHECK_EQ(feed_state(rig.feed, 0), BOOK_LIVE);
}

static int64_t
metric(enum metric id)
{
    return metric_get(rig.metrics, id, 0);
}

/* ---- make before break ---- */

TEST(an_announced_end_opens_another_connection_that_takes_over_before_the_old_one_is_closed)
{
    rig_links.spare = true;
    live();
    shutdown_notice(A);
    CHECK(rig.wanted[A] && rig.wanted[B]);
    depth(A, 103); /* it still speaks */
    rig_connect(&rig, B);
    answer(B);
    depth(B, 104);
    CHECK(rig.wanted[A]);
    depth(A, 104);
    rig_pass(&rig, NS_PER_S);
    CHECK(rig.wanted[A]);
    rig_pass(&rig, 2 * NS_PER_S);
    CHECK(!rig.wanted[A]); /* closed, with a good-bye */
    CHECK_EQ(sends(A, WS_OP_CLOSE), 1);
    CHECK_EQ(feed_state(rig.feed, 0), BOOK_LIVE);
    depth(A, 105); /* what still comes from there is nobody's */
    rig_disconnect(&rig, A);
    depth(B, 105);
    CHECK_EQ(feed_state(rig.feed, 0), BOOK_LIVE);
    CHECK_EQ(feed_counters(rig.feed)->gaps, 0);
    CHECK_EQ(feed_counters(rig.feed)->snapshots, 1);
    CHECK_EQ(metric(METRIC_CONN_REPLACED), 1);
    CHECK_EQ(metric_get(rig.metrics, METRIC_CONN_LOST, metric_pair(METRIC_CONN_LOST, 0, CONN_ROLE_MARKET)), 0);
    CHECK_EQ(metric_get(rig.metrics, METRIC_CONN_UP, metric_pair(METRIC_CONN_UP, 0, CONN_ROLE_MARKET)), 1);
    rig_pass(&rig, 60 * NS_PER_S);
    CHECK(!rig.wanted[A]); /* and is not opened again */
    shutdown_notice(B);    /* but that is where it moves next */
    CHECK(rig.wanted[A]);
    rig_end(&rig);
    rig_links.spare = false;
}

TEST(without_a_second_connection_an_announced_end_is_a_reconnect)
{
    live();
    shutdown_notice(A);
    CHECK(!rig.wanted[A]);
    rig_disconnect(&rig, A);
    CHECK_EQ(feed_state(rig.feed, 0), BOOK_DOWN);
    rig_pass(&rig, NS_PER_S);
    CHECK(rig.wanted[A]);
    rig_end(&rig);
}

TEST(an_old_connection_that_ends_early_leaves_its_books_to_the_new_one_if_that_has_proved_them)
{
    rig_links.spare = true;
    live();
    shutdown_notice(A);
    rig_connect(&rig, B);
    answer(B);
    depth(A, 103);
    depth(B, 103);
    rig_disconnect(&rig, A);
    CHECK_EQ(feed_state(rig.feed, 0), BOOK_LIVE);
    depth(B, 104);
    CHECK_EQ(feed_state(rig.feed, 0), BOOK_LIVE);
    rig_pass(&rig, 10 * NS_PER_S);
    CHECK(!rig.wanted[A] || rig.opened[A] == 1); /* nobody opens it again */
    CHECK_EQ(rig.opened[A], 1);
    rig_disconnect(&rig, B); /* from now on that is the one that comes back */
    rig_pass(&rig, 2 * NS_PER_S);
    CHECK_EQ(rig.opened[B], 2);
    CHECK_EQ(rig.opened[A], 1);
    rig_end(&rig);
    rig_links.spare = false;
}

TEST(an_old_connection_that_ends_before_the_new_one_is_up_makes_its_books_invalid)
{
    rig_links.spare = true;
    live();
    shutdown_notice(A);
    rig_disconnect(&rig, A);
    CHECK_EQ(feed_state(rig.feed, 0), BOOK_DOWN);
    rig_connect(&rig, B);
    answer(B);
    CHECK_EQ(feed_state(rig.feed, 0), BOOK_SYNCING);
    CHECK_EQ(rig.opened[A], 1);
    rig_end(&rig);
    rig_links.spare = false;
}

TEST(a_new_connection_that_cannot_be_made_is_tried_again_while_the_old_one_goes_on)
{
    rig_links.spare = true;
    live();
    shutdown_notice(A);
    for (unsigned i = 0; i < 5; i++) {
        CHECK_EQ(rig.opened[B], i + 1);
        rig_disconnect(&rig, B);
        rig_pass(&rig, 2 * NS_PER_S);
    }
    depth(A, 103);
    CHECK_EQ(feed_state(rig.feed, 0), BOOK_LIVE);
    CHECK_EQ(rig.opened[A], 1);
    rig_end(&rig);
    rig_links.spare = false;
}

TEST(an_end_announced_on_the_new_connection_lets_it_take_over_and_move_again)
{
    rig_links.spare = true;
    live();
    shutdown_notice(A);
    rig_connect(&rig, B);
    answer(B);
    shutdown_notice(B);
    shutdown_notice(B);
    CHECK(rig.wanted[A] && rig.wanted[B]);
    depth(A, 103);
    depth(B, 103);
    rig_pass(&rig, 3 * NS_PER_S);
    CHECK(!rig.wanted[A]);
    CHECK_EQ(rig.opened[A], 1); /* not before the old one is gone */
    rig_disconnect(&rig, A);
    rig_pass(&rig, NS_PER_S);
    CHECK_EQ(rig.opened[A], 2);
    rig_connect(&rig, A);
    answer(A);
    depth(B, 104);
    depth(A, 104);
    rig_pass(&rig, 3 * NS_PER_S);
    CHECK(!rig.wanted[B] && rig.wanted[A]);
    CHECK_EQ(feed_state(rig.feed, 0), BOOK_LIVE);
    CHECK_EQ(feed_counters(rig.feed)->snapshots, 1);
    rig_end(&rig);
    rig_links.spare = false;
}

TEST(a_ping_of_the_old_connection_is_enough_where_the_market_is_silent)
{
    rig_links.spare = true;
    live();
    shutdown_notice(A);
    rig_connect(&rig, B);
    answer(B);
    rig_pass(&rig, 20 * NS_PER_S);
    CHECK(rig.wanted[A]); /* it may have been dead before the new one was subscribed */
    rig_bytes(&rig, A, "", 0, WS_OP_PING);
    rig_pass(&rig, 3 * NS_PER_S);
    CHECK(!rig.wanted[A]);
    rig_disconnect(&rig, A);
    depth(B, 103);
    CHECK_EQ(feed_state(rig.feed, 0), BOOK_LIVE);
    CHECK_EQ(feed_counters(rig.feed)->snapshots, 1);
    rig_end(&rig);
    rig_links.spare = false;
}

TEST(a_connection_is_replaced_when_it_is_as_old_as_it_may_get_again_and_again)
{
    int64_t day = 100 * NS_PER_S; /* short, so that it is simulated quickly */
    unsigned id = 103;

    rig_links.spare = true;
    rig_links.lifetime_ns = day;
    live();
    uint32_t from = A;
    uint32_t to = B;
    for (unsigned round = 0; round < 4; round++) {
        rig_pass(&rig, day - 5 * NS_PER_S);
        CHECK(!rig.wanted[to]);
        rig_pass(&rig, 6 * NS_PER_S);
        CHECK(rig.wanted[to] && rig.wanted[from]);
        rig_connect(&rig, to);
        answer(to);
        depth(from, id);
        depth(to, id++);
        rig_pass(&rig, 3 * NS_PER_S);
        CHECK(!rig.wanted[from]);
        rig_disconnect(&rig, from);
        depth(to, id++);
        CHECK_EQ(feed_state(rig.feed, 0), BOOK_LIVE);
        uint32_t was = from;
        from = to;
        to = was;
    }
    CHECK_EQ(metric(METRIC_CONN_REPLACED), 4);
    CHECK_EQ(feed_counters(rig.feed)->snapshots, 1);
    rig_end(&rig);
    rig_links.spare = false;
    rig_links.lifetime_ns = 0;
}

/* ---- several connections ---- */

TEST(each_group_has_a_connection_and_a_reconnect_of_its_own)
{
    struct instrument ins = rig_instrument();

    rig_links.groups = 3;
    rig_links.streams_max = 3;
    sent_count = 0;
    rig_links.on_send = on_send;
    rig_start(&rig);
    for (uint32_t i = 0; i < 2; i++) {
        (void)snprintf(ins.symbol, sizeof(ins.symbol), "COIN%uUSDT", i);
        (void)snprintf(ins.canonical, sizeof(ins.canonical), "COIN%u/USDT", i);
        gateway_on_definition(rig.g, &ins, rig.now);
    }
    gateway_on_definitions_end(rig.g, 0, true, rig.now);
    CHECK(rig.wanted[A] && rig.wanted[B]);
    CHECK(!rig.wanted[B + 1]); /* no instrument sits there */
    rig_connect(&rig, A);
    rig_connect(&rig, B);
    CHECK(strstr(sent[0].text, "coin0usdt@depth") != NULL && strstr(sent[0].text, "coin1usdt") == NULL);
    CHECK(strstr(sent[1].text, "coin1usdt@depth") != NULL && strstr(sent[1].text, "coin0usdt") == NULL);
    rig_disconnect(&rig, B);
    CHECK_EQ(feed_state(rig.feed, 0), BOOK_SYNCING);
    CHECK_EQ(feed_state(rig.feed, 1), BOOK_DOWN);
    rig_pass(&rig, 2 * NS_PER_S);
    CHECK_EQ(rig.opened[A], 1);
    CHECK_EQ(rig.opened[B], 2);
    rig_end(&rig);
    rig_links.groups = 0;
    rig_links.streams_max = 0;
}

TEST(two_copies_both_connect_and_the_lead_of_the_first_is_measured)
{
    rig_links.copies = 2;
    start();
    CHECK(rig.wanted[A] && rig.wanted[B]);
    rig_connect(&rig, A);
    answer(A);
    rig_connect(&rig, B);
    answer(B);
    rig_book(&rig);
    depth(A, 103);
    rig.now.mono.ns += 5000;
    depth(B, 103);
    depth(B, 104);
    rig.now.mono.ns += 7000;
    depth(A, 104);
    CHECK_EQ(hist_count(metric_hist(rig.metrics, METRIC_FEED_LEAD, metric_pair(METRIC_FEED_LEAD, 0, FEED_COPY_A))), 1);
    CHECK_EQ(hist_count(metric_hist(rig.metrics, METRIC_FEED_LEAD, metric_pair(METRIC_FEED_LEAD, 0, FEED_COPY_B))), 1);
    rig_disconnect(&rig, A);
    CHECK_EQ(feed_state(rig.feed, 0), BOOK_LIVE);
    rig_disconnect(&rig, B);
    CHECK_EQ(feed_state(rig.feed, 0), BOOK_DOWN);
    rig_end(&rig);
    rig_links.copies = 0;
}

TEST(no_more_connections_are_opened_within_the_window_than_the_venue_takes)
{
    rig_links.connects_max = 6;
    rig_links.connects_window_ns = 300 * NS_PER_S;
    start();
    int64_t first = rig.now.mono.ns;
    uint32_t order = rig.opened[GATEWAY_CONN(0, CONN_ROLE_ORDER)];
    for (unsigned i = 0; i < 40 && rig.now.mono.ns - first < 290 * NS_PER_S; i++) {
        if (rig.wanted[A])
            rig_disconnect(&rig, A);
        rig.wanted[A] = false;
        rig_pass(&rig, 5 * NS_PER_S);
    }
    CHECK_EQ(rig.opened[A] + order, 6);
    rig_pass(&rig, first + 300 * NS_PER_S - rig.now.mono.ns);
    CHECK(rig.wanted[A]); /* the first of them is out of the window */
    rig_end(&rig);
    rig_links.connects_max = 0;
}

/* ---- what may be sent ---- */

TEST(pings_are_answered_within_five_messages_a_second_and_only_the_latest_waits)
{
    live();
    for (unsigned i = 0; i < 200; i++) {
        char payload[8];
        int n = snprintf(payload, sizeof(payload), "%u", i);
        rig_bytes(&rig, A, payload, (size_t)n, WS_OP_PING);
        rig_pass(&rig, 20 * NS_PER_MS);
    }
    rig_pass(&rig, 2 * NS_PER_S);
    check_pace(A);
    CHECK(sends(A, WS_OP_PONG) >= 15 && sends(A, WS_OP_PONG) <= 25);
    CHECK_STR(sent[sent_count - 1].text, "199"); /* the last ping is answered */
    rig_end(&rig);
}

TEST(subscriptions_leave_a_place_for_a_pong_and_wait_for_the_rest_of_the_second)
{
    struct instrument ins = rig_instrument();

    sent_count = 0;
    rig_links.on_send = on_send;
    rig_start(&rig);
    for (uint32_t i = 0; i < 8; i++) {
        (void)snprintf(ins.symbol, sizeof(ins.symbol), "COIN%uUSDT", i);
        (void)snprintf(ins.canonical, sizeof(ins.canonical), "COIN%u/USDT", i);
        gateway_on_definition(rig.g, &ins, rig.now);
    }
    gateway_on_definitions_end(rig.g, 0, true, rig.now);
    rig_connect(&rig, A);
    CHECK_EQ(sends(A, WS_OP_TEXT), 1);
    static const char no[] = "{\"code\":2,\"msg\":\"Invalid request\",\"id\":1}";
    rig_bytes(&rig, A, no, sizeof(no) - 1, WS_OP_TEXT); /* each is asked for alone now */
    CHECK_EQ(sends(A, WS_OP_TEXT), 4);
    rig_bytes(&rig, A, "now", 3, WS_OP_PING);
    CHECK_EQ(sends(A, WS_OP_PONG), 1); /* at once */
    rig_pass(&rig, 4 * NS_PER_S);
    CHECK_EQ(sends(A, WS_OP_TEXT), 9);
    check_pace(A);
    rig_end(&rig);
}

TEST(a_refused_subscription_is_a_metric)
{
    start();
    rig_connect(&rig, A);
    static const char no[] = "{\"code\":2,\"msg\":\"Invalid request\",\"id\":1}";
    rig_bytes(&rig, A, no, sizeof(no) - 1, WS_OP_TEXT);
    CHECK_EQ(feed_state(rig.feed, 0), BOOK_REFUSED);
    rig_pass(&rig, NS_PER_S);
    CHECK_EQ(metric(METRIC_FEED_REFUSED), 1);
    CHECK_EQ(metric_get(rig.metrics, METRIC_BOOK_STATE, 0), BOOK_REFUSED);
    rig_end(&rig);
}

TEST(connection_ids_of_several_venues_do_not_meet)
{
    struct gateway_config c = { .venue_count = 3 };
    bool seen[GATEWAY_CONNS] = { false };

    c.venue[0].links = 4;
    c.venue[2].links = FEED_LINKS_MAX;
    CHECK_EQ(gateway_conns(&c), GATEWAY_CONNS_FIRST + 3 + FEED_LINKS_MAX - 1);
    for (uint16_t v = 0; v < 3; v++) {
        for (uint32_t l = 0; l < MAX(c.venue[v].links, 1u); l++) {
            uint32_t conn = gateway_market_conn(&c, v, l);
            uint16_t venue = 9;
            uint32_t link = 9;
            CHECK(conn < gateway_conns(&c) && !seen[conn] && gateway_conn_is_market(conn));
            seen[conn] = true;
            CHECK(gateway_conn_find(&c, conn, &venue, &link));
            CHECK_EQ(venue, v);
            CHECK_EQ(link, l);
        }
    }
    uint16_t venue;
    uint32_t link;
    CHECK(!gateway_conn_find(&c, gateway_conns(&c), &venue, &link));
    CHECK(!gateway_conn_find(&c, GATEWAY_CONN(3, CONN_ROLE_MARKET), &venue, &link));
    CHECK(gateway_conn_find(&c, GATEWAY_CONN(1, CONN_ROLE_ORDER), &venue, &link) && link == GATEWAY_NO_LINK);
}

TEST_MAIN()
