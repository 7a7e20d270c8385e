/* gateway: four market-data connections of one instrument (two copies, each with one to move to), on which everything
 * goes wrong at random: losses, ends alone and together, announced ends in the middle of a resync, connections that
 * cannot be made, refused subscriptions, streams that fall silent beside pings, storms of pings. A seed decides all.
 *
 * Always true: a live book is the venue's; it never goes back; what is sent and opened stays within what the venue
 * takes; when the faults end, the newest book is live again. EXECGW_SEEDS runs more. */
#include "tests/gateway_rig.h"

#define LINKS      4
#define OPENS_MAX  40u
#define WINDOW_NS  (120 * NS_PER_S)
#define UPDATES_NS (60 * NS_PER_MS)

struct pipe {
    bool subscribed;
    bool silent;   /* the venue forgot the subscription */
    unsigned next; /* the next update that it delivers */
    int request[16];
    unsigned requests;
    int64_t sent_at[5];
    unsigned sent;
};

static struct rig rig;
static struct pipe pipes[LINKS];
static uint64_t rng;
static unsigned made; /* the venue's last update */
static unsigned last_live;
static unsigned lives;
static uint32_t snapshots;
static int64_t opened_at[512];
static unsigned opens;
static int64_t seen[5]; /* moved, filled, silent, leads of a, of b: over all seeds */

static unsigned
draw(unsigned n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (unsigned)(rng % n);
}

static uint32_t
conn_at(unsigned i)
{
    return i == 0 ? GATEWAY_CONN(0, CONN_ROLE_MARKET) : GATEWAY_CONNS_FIRST + i - 1;
}

static void
on_send(struct rig *r, uint32_t conn, const uint8_t *frame, size_t n)
{
    static uint8_t buffer[4096];
    struct ws_reader reader;
    struct ws_message m;
    size_t used;
    unsigned i = 0;

    while (i < LINKS && conn_at(i) != conn)
        i++;
    if (i == LINKS)
        return;
    struct pipe *p = &pipes[i];
    if (p->sent >= 5 && (frame[0] & 0x0F) != WS_OP_CLOSE) /* which ends it anyway */
        CHECK(r->now.mono.ns - p->sent_at[p->sent % 5] > NS_PER_S);
    p->sent_at[p->sent++ % 5] = r->now.mono.ns;
    ws_reader_init(&reader, WS_SERVER, buffer, sizeof(buffer));
    CHECK(ws_read(&reader, frame, n, &used, &m) == WS_MESSAGE || (frame[0] & 0x0F) != WS_OP_TEXT);
    if ((frame[0] & 0x0F) != WS_OP_TEXT)
        return;
    buffer[MIN(m.len, sizeof(buffer) - 1)] = '\0';
    const char *id = strstr((const char *)buffer, "\"id\":");
    ASSERT(id != NULL && p->requests < ARRAY_LEN(p->request));
    p->request[p->requests++] = atoi(id + 5);
}

static void
say(unsigned i, const char *text)
{
    rig_bytes(&rig, conn_at(i), text, strlen(text), WS_OP_TEXT);
}

static void
answer(unsigned i, bool ok)
{
    struct pipe *p = &pipes[i];
    char text[96];
    int id = p->request[--p->requests];

    (void)snprintf(text, sizeof(text), ok ? "{\"result\":null,\"id\":%d}" : "{\"code\":2,\"msg\":\"no\",\"id\":%d}",
                   id);
    say(i, text);
    if (ok && (!p->subscribed || p->silent)) { /* streams from here on */
        p->next = made + 1;
        p->subscribed = true;
        p->silent = false;
    }
}

/* Update `id` sets the bid 990 + id % 8 to the quantity id. */
static void
deliver(unsigned i, unsigned lost_in)
{
    struct pipe *p = &pipes[i];
    char levels[256] = "";
    char text[512];
    size_t n = 0;

    if (!p->subscribed || p->silent || p->next > made)
        return;
    unsigned first = p->next;
    unsigned count = draw(3); /* what one message covers differs from link to link */
    unsigned last = MIN(made, first + count);
    p->next = last + 1;
    for (unsigned id = first; id <= last; id++)
        n += (size_t)snprintf(levels + n, sizeof(levels) - n, "%s[\"99%u.00\",\"%u\"]", id > first ? "," : "", id % 8,
                              id);
    (void)snprintf(text, sizeof(text),
                   "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"BTCUSDT\",\"U\":%u,\"u\":%u,\"b\":[%s],\"a\":[]}", first,
                   last, levels);
    if (lost_in == 0 || draw(lost_in) != 0)
        say(i, text);
}

static void
snapshot(void)
{
    struct snapshot_slice s = { .side = SIDE_BUY, .is_first = true, .last_update_id = made };

    if (rig.snapshots_asked == snapshots)
        return;
    snapshots = rig.snapshots_asked;
    for (unsigned level = 8; level-- > 0;) /* best first */
        for (unsigned back = 0; back < 8 && back < made; back++)
            if ((made - back) % 8 == level)
                s.level[s.count++] = (struct level){ 99000 + 100 * (px_t)level, (qty_t)(made - back) * 100000 };
    gateway_on_snapshot(rig.g, 0, &s, rig.now);
    s = (struct snapshot_slice){ .side = SIDE_SELL, .is_last = true, .last_update_id = made, .count = 1 };
    s.level[0] = (struct level){ 100000, 500000 };
    gateway_on_snapshot(rig.g, 0, &s, rig.now);
    rig_work(&rig);
}

static void
look(void)
{
    const struct book *b = feed_book(rig.feed, 0);
    unsigned id = (unsigned)feed_md_ref(rig.feed, 0)->tob.venue_seq;

    if (feed_state(rig.feed, 0) != BOOK_LIVE) {
        last_live = 0;
        return;
    }
    lives++;
    CHECK(id <= made && id >= last_live);
    last_live = id;
    for (const struct level *l = book_touch(b, SIDE_BUY); l != NULL; l = book_worse(b, SIDE_BUY, l)) {
        unsigned cents = (unsigned)(l->px - 99000) / 100;
        CHECK_EQ(l->qty, (qty_t)(id - (id + 8 - cents) % 8) * 100000);
    }
}

/* Nobody opens more within the window than the venue takes. */
static void
look_at_opens(void)
{
    uint32_t total = 0;
    unsigned within = 0;

    for (unsigned i = 0; i < GATEWAY_CONNS; i++)
        total += rig.opened[i];
    while (opens < total)
        opened_at[opens++ % ARRAY_LEN(opened_at)] = rig.now.mono.ns;
    for (unsigned i = 0; i < MIN(opens, ARRAY_LEN(opened_at)); i++)
        within += rig.now.mono.ns - opened_at[i] < WINDOW_NS - 2 * UPDATES_NS; /* seen late by so much */
    CHECK(within <= OPENS_MAX);
}

static void
gone(unsigned i)
{
    pipes[i] = (struct pipe){ .subscribed = false };
    rig_disconnect(&rig, conn_at(i));
}

static void
step_of(unsigned i, bool faults)
{
    uint32_t conn = conn_at(i);
    struct pipe *p = &pipes[i];

    if (!rig.connected[conn]) {
        if (!rig.wanted[conn] || draw(4) != 0)
            return;
        if (faults && draw(4) == 0) {
            gone(i); /* could not be made */
        } else {
            *p = (struct pipe){ .subscribed = false };
            rig_connect(&rig, conn);
        }
        return;
    }
    if (!rig.wanted[conn] || (faults && draw(400) == 0)) {
        gone(i);
        return;
    }
    if (p->requests > 0 && draw(2) == 0)
        answer(i, !faults || draw(8) != 0);
    if (faults && draw(300) == 0)
        say(i, "{\"stream\":\"!serverShutdown\",\"data\":{\"e\":\"serverShutdown\",\"E\":1770123456789}}");
    if (faults && draw(250) == 0)
        p->silent = true;
    if (faults && draw(100) == 0)
        for (unsigned n = 0; n < 12; n++)
            rig_bytes(&rig, conn, "x", 1, WS_OP_PING);
    if (rig.connected[conn] && rig.wanted[conn])
        deliver(i, faults ? 25 : 0);
}

static void
step(bool faults)
{
    made += draw(2);
    rig_pass(&rig, (int64_t)draw(2 * UPDATES_NS / NS_PER_MS) * NS_PER_MS);
    unsigned begin = draw(LINKS);
    for (unsigned i = 0; i < LINKS; i++)
        step_of((begin + i) % LINKS, faults);
    if (faults && draw(400) == 0) /* all at once */
        for (unsigned i = 0; i < LINKS; i++)
            if (rig.connected[conn_at(i)])
                gone(i);
    if (draw(3) == 0)
        snapshot();
    look();
    look_at_opens();
    uint32_t up = 0;
    for (unsigned i = 0; i < LINKS; i++)
        up += rig.connected[conn_at(i)];
    CHECK_EQ(metric_get(rig.metrics, METRIC_CONN_UP, metric_pair(METRIC_CONN_UP, 0, CONN_ROLE_MARKET)), up);
}

static void
run(uint64_t seed)
{
    struct instrument ins = rig_instrument();

    rng = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    made = 100;
    last_live = snapshots = opens = 0;
    memset(pipes, 0, sizeof(pipes));
    rig_start(&rig);
    gateway_on_definition(rig.g, &ins, rig.now);
    gateway_on_definitions_end(rig.g, 0, true, rig.now);
    for (unsigned i = 0; i < 1500; i++)
        step(true);
    for (unsigned i = 0; i < 4000; i++) /* longer than the window of connections */
        step(false);
    CHECK_EQ(feed_state(rig.feed, 0), BOOK_LIVE);
    CHECK(made - (unsigned)feed_md_ref(rig.feed, 0)->tob.venue_seq < 50);
    seen[0] += metric_get(rig.metrics, METRIC_CONN_REPLACED, 0);
    seen[1] += (int64_t)feed_counters(rig.feed)->filled;
    seen[2] += (int64_t)feed_counters(rig.feed)->silent;
    for (unsigned c = 0; c < 2; c++)
        seen[3 + c] +=
            (int64_t)hist_count(metric_hist(rig.metrics, METRIC_FEED_LEAD, metric_pair(METRIC_FEED_LEAD, 0, c)));
    rig_end(&rig);
}

TEST(a_live_book_is_the_venues_and_the_newest_again_when_the_faults_end)
{
    const char *more = getenv("EXECGW_SEEDS");
    uint64_t seeds = more != NULL ? strtoull(more, NULL, 10) : 20;

    rig_links.on_send = on_send;
    rig_links.copies = 2;
    rig_links.spare = true;
    rig_links.connects_max = OPENS_MAX;
    rig_links.connects_window_ns = WINDOW_NS;
    rig_links.silence_ns = 20 * NS_PER_S;
    rig_links.lifetime_ns = 40 * NS_PER_S;
    for (uint64_t seed = 1; seed <= seeds; seed++)
        run(seed);
    CHECK(lives > seeds * 2000);
    (void)printf("%u live of %llu, moved %lld, filled %lld, silent %lld, first %lld and %lld\n", lives,
                 (unsigned long long)seeds * 5500, (long long)seen[0], (long long)seen[1], (long long)seen[2],
                 (long long)seen[3], (long long)seen[4]);
    for (unsigned i = 0; i < ARRAY_LEN(seen); i++)
        CHECK(seen[i] > 0); /* what this is about has happened */
}

TEST_MAIN()
