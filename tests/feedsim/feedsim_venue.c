/* The simulated venue: true books and the messages that it sends of them. See feedsim.h.
 *
 * Source of the texts: Binance web-socket-streams.md (depthUpdate, bookTicker, trade); Kraken v2 book, trade, status
 * and the guide "Book checksum v2": best ten of each side, asks first, price then quantity without point and leading
 * zeros.
 */
#include "tests/feedsim/feedsim.h"

#define QTY_UNIT 1234 /* so that quantities have digits */

/* ---- books ---- */

struct venue_touch
venue_touch_of(const struct moment *m)
{
    struct venue_touch t = { -1, -1, 0, 0 };

    for (int32_t i = m->mid; i >= 0 && t.bid < 0; i--)
        if (m->qty[i] != 0)
            t.bid = i;
    for (int32_t i = m->mid + 1; i < PRICES && t.ask < 0; i++)
        if (m->qty[i] != 0)
            t.ask = i;
    t.bid_qty = t.bid >= 0 ? m->qty[t.bid] : 0;
    t.ask_qty = t.ask >= 0 ? m->qty[t.ask] : 0;
    return t;
}

const struct moment *
venue_keep(struct venue_book *b, const struct moment *m)
{
    if (b->past_count > 0 && b->past[b->past_count - 1].id == m->id)
        return &b->past[b->past_count - 1];
    ASSERT(b->past_count < MOMENTS_MAX);
    b->past[b->past_count] = *m;
    return &b->past[b->past_count++];
}

const struct moment *
venue_past(const struct venue_book *b, uint64_t id)
{
    uint32_t low = 0;
    uint32_t high = b->past_count;

    while (low < high) {
        uint32_t at = (low + high) / 2;
        if (b->past[at].id < id)
            low = at + 1;
        else
            high = at;
    }
    return low < b->past_count && b->past[low].id == id ? &b->past[low] : NULL;
}

/* Numbers before each restart: from so far up that those after it never reach them. */
static const uint64_t base[RESTARTS + 1] = { 5000000, 2500000, 1200000, 0 };

uint64_t
venue_number(const struct venue_book *b, uint64_t id)
{
    return id + base[b->restarts];
}

uint64_t
venue_id_of(uint64_t number, unsigned *restarts)
{
    unsigned n = 0;

    uint64_t near = number >= FAR ? number - FAR : number;

    while (near < base[n])
        n++;
    *restarts = number >= FAR ? UINT32_MAX : n;
    return near - base[n];
}

/* To every connection. */
static void
send_all(struct world *w, struct item item, const char *text, size_t len)
{
    for (uint32_t k = 0; k < w->links; k++)
        net_send(w, k, item, text, len);
}

/* A number that the venue gets wrong: the message says nothing to the checks. */
static uint64_t
far_off(struct world *w, struct item *item)
{
    if (w->healing || !happens(w, w->faults.far))
        return 0;
    trace(w, "a number from far ahead");
    item->kind = ITEM_OTHER;
    return FAR;
}

/* Streams are named in lower case. */
static const char *
stream_of(const struct venue_book *b)
{
    return b->symbol[0] == 'B' ? "btcusdt" : b->symbol[0] == 'E' ? "ethusdt" : "solusdt";
}

static void
send_ticker(struct world *w, uint32_t book)
{
    const struct venue_book *b = &w->book[book];
    struct venue_touch t = b->touch[b->now.id];
    char text[320];
    uint32_t bid = t.bid >= 0 ? (uint32_t)(LOWEST + t.bid) : 0;
    uint32_t ask = t.ask >= 0 ? (uint32_t)(LOWEST + t.ask) : 0;
    uint32_t bid_qty = t.bid_qty * QTY_UNIT;
    uint32_t ask_qty = t.ask_qty * QTY_UNIT;
    struct item item = { ITEM_TICKER, book, b->now.id, b->restarts };
    uint64_t number = venue_number(b, b->now.id) + far_off(w, &item);
    int n = snprintf(text, sizeof(text),
                     "{\"stream\":\"%s@bookTicker\",\"data\":{\"u\":%llu,\"s\":\"%s\",\"b\":\"%u.%02u000000\","
                     "\"B\":\"%u.%05u000\",\"a\":\"%u.%02u000000\",\"A\":\"%u.%05u000\"}}",
                     stream_of(b), (unsigned long long)number, b->symbol, bid / 100, bid % 100, bid_qty / 100000,
                     bid_qty % 100000, ask / 100, ask % 100, ask_qty / 100000, ask_qty % 100000);
    send_all(w, item, text, (size_t)n);
}

/* One level changes. On Binance that is an update of its own number. */
static void
set_level(struct world *w, uint32_t book, int32_t at, uint32_t qty)
{
    struct venue_book *b = &w->book[book];

    b->now.qty[at] = qty;
    if (w->kraken)
        return;
    struct venue_touch before = b->touch[b->now.id];
    b->now.id++;
    ASSERT(b->now.id < IDS_MAX);
    b->changed[at] = true;
    b->touch[b->now.id] = venue_touch_of(&b->now);
    if (memcmp(&before, &b->touch[b->now.id], sizeof(before)) != 0)
        send_ticker(w, book);
}

/* The middle moves; what would cross is traded away first. */
static void
move(struct world *w, uint32_t book)
{
    struct moment *m = &w->book[book].now;
    int32_t to = m->mid + (int32_t)draw(w, 5) - 2;

    if (to < 12 || to > PRICES - 13)
        return;
    while (m->mid != to) {
        int32_t at = to > m->mid ? m->mid + 1 : m->mid;
        if (m->qty[at] != 0)
            set_level(w, book, at, 0);
        m->mid += to > m->mid ? 1 : -1;
    }
}

static void
change(struct world *w, uint32_t book)
{
    struct moment *m = &w->book[book].now;
    uint64_t n = draw(w, 7);

    if (draw(w, 3) == 0)
        move(w, book);
    while (n-- > 0) {
        int32_t at = draw(w, 5) == 0 ? (int32_t)draw(w, PRICES) : m->mid - 7 + (int32_t)draw(w, 16);
        set_level(w, book, at, (uint32_t)draw(w, 3) == 0 ? 0 : (uint32_t)(1 + draw(w, 900)));
    }
}

/* ---- Binance ---- */

static size_t
binance_side(const struct venue_book *b, bool asks, char *to)
{
    char *p = to;

    for (int32_t i = 0; i < PRICES; i++) {
        if (!b->changed[i] || (i > b->now.mid) != asks)
            continue;
        uint32_t px = (uint32_t)(LOWEST + i);
        uint32_t qty = b->now.qty[i] * QTY_UNIT;
        p += sprintf(p, "%s[\"%u.%02u000000\",\"%u.%05u000\"]", p == to ? "" : ",", px / 100, px % 100, qty / 100000,
                     qty % 100000);
    }
    return (size_t)(p - to);
}

/* What changed since the last depth message. A level that changed sides since then is told on both. */
static void
binance_flush(struct world *w, uint32_t book)
{
    struct venue_book *b = &w->book[book];
    static char side[2][TEXT_MAX];
    static char text[2 * TEXT_MAX + 256];

    if (b->now.id == b->flushed_id)
        return;
    for (unsigned s = 0; s < 2; s++) {
        size_t n = binance_side(b, s == SIDE_SELL, side[s]);
        for (int32_t i = 0; i < PRICES; i++) {
            bool other = (i > b->now.mid) != (s == SIDE_SELL);
            if (b->changed[i] && other)
                n += (size_t)sprintf(side[s] + n, "%s[\"%u.%02u000000\",\"0.00000000\"]", n > 0 ? "," : "",
                                     (uint32_t)(LOWEST + i) / 100, (uint32_t)(LOWEST + i) % 100);
        }
        side[s][n] = '\0';
    }
    struct item item = { ITEM_DEPTH, book, b->now.id, b->restarts };
    uint64_t off = far_off(w, &item);
    int n = snprintf(text, sizeof(text),
                     "{\"stream\":\"%s@depth@100ms\",\"data\":{\"e\":\"depthUpdate\",\"E\":%lld,\"s\":\"%s\","
                     "\"U\":%llu,\"u\":%llu,\"b\":[%s],\"a\":[%s]}}",
                     stream_of(b), (long long)(1723161255208 + w->now_ns / NS_PER_MS), b->symbol,
                     (unsigned long long)(venue_number(b, b->flushed_id + 1) + off),
                     (unsigned long long)(venue_number(b, b->now.id) + off), side[0], side[1]);
    b->flushed_id = b->now.id;
    memset(b->changed, 0, sizeof(b->changed));
    (void)venue_keep(b, &b->now);
    for (uint32_t k = 0; k < w->links; k++) {
        const struct stream *s = &w->conn[k].stream[book];
        if (w->now_ns >= s->silent_until_ns && s->dead == ALIVE)
            net_send(w, k, item, text, (size_t)n);
    }
}

void
venue_restart(struct world *w, uint32_t book)
{
    struct venue_book *b = &w->book[book];

    if (w->kraken || b->restarts == RESTARTS)
        return;
    binance_flush(w, book);
    b->restarts++;
    w->tally.restarts++;
    trace(w, "%s counts anew", b->symbol);
}

static void
binance_request(struct world *w, uint32_t link, const char *text)
{
    const char *id = strstr(text, "\"id\":");
    char answer[64];
    bool off = strstr(text, "UNSUBSCRIBE") != NULL;

    for (uint32_t i = 0; i < w->books; i++) {
        char stream[32];
        (void)snprintf(stream, sizeof(stream), "\"%s@depth", stream_of(&w->book[i]));
        if (strstr(text, stream) == NULL)
            continue;
        struct stream *s = &w->conn[link].stream[i];
        if (!off && s->off && s->dead == DEAD_UNTIL_SUBSCRIBED)
            s->dead = ALIVE;
        s->off = off;
    }
    (void)snprintf(answer, sizeof(answer), "{\"result\":null,%.40s", id != NULL ? id : "\"id\":1}");
    net_send(w, link, (struct item){ .kind = ITEM_OTHER }, answer, strlen(answer));
}

/* ---- Kraken ---- */

/* Index of the worst level within the depth; a side that is shorter ends at the book's end. */
static int32_t
horizon(const struct world *w, const struct moment *m, bool asks)
{
    uint32_t n = 0;

    if (asks) {
        for (int32_t i = m->mid + 1; i < PRICES; i++)
            if (m->qty[i] != 0 && ++n == w->depth)
                return i;
        return PRICES - 1;
    }
    for (int32_t i = m->mid; i >= 0; i--)
        if (m->qty[i] != 0 && ++n == w->depth)
            return i;
    return 0;
}

static uint32_t
crc_digits(uint32_t crc, uint64_t v)
{
    char digits[24];
    int n = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)v);

    for (int i = 0; i < n; i++) {
        crc ^= (uint8_t)digits[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = (crc & 1) != 0 ? crc >> 1 ^ UINT32_C(0xEDB88320) : crc >> 1;
    }
    return crc;
}

static uint32_t
checksum(const struct moment *m)
{
    uint32_t crc = UINT32_MAX;
    unsigned n = 0;

    for (int32_t i = m->mid + 1; i < PRICES && n < 10; i++)
        if (m->qty[i] != 0) {
            crc = crc_digits(crc_digits(crc, (uint64_t)(LOWEST + i)), (uint64_t)m->qty[i] * QTY_UNIT);
            n++;
        }
    n = 0;
    for (int32_t i = m->mid; i >= 0 && n < 10; i--)
        if (m->qty[i] != 0) {
            crc = crc_digits(crc_digits(crc, (uint64_t)(LOWEST + i)), (uint64_t)m->qty[i] * QTY_UNIT);
            n++;
        }
    return ~crc;
}

static size_t
kraken_level(char *to, bool first, int32_t at, uint32_t qty)
{
    uint32_t px = (uint32_t)(LOWEST + at);
    uint64_t v = (uint64_t)qty * QTY_UNIT;

    return (size_t)sprintf(to, "%s{\"price\":%u.%u,\"qty\":%llu.%08llu}", first ? "" : ",", px / 10, px % 10,
                           (unsigned long long)(v / 100000000), (unsigned long long)(v % 100000000));
}

/* Levels of a side that a subscriber who was told `from` must be told to have `to`; from NULL: all. */
static size_t
kraken_side(const struct world *w, const struct moment *from, const struct moment *to, bool asks, char *text)
{
    int32_t low = asks ? to->mid + 1 : horizon(w, to, false);
    int32_t high = asks ? horizon(w, to, true) : to->mid;
    size_t n = 0;

    for (int32_t i = low; i <= high; i++) {
        bool known = from != NULL && from->qty[i] == to->qty[i] && (asks ? i > from->mid : i <= from->mid) &&
                     (asks ? i <= horizon(w, from, true) : i >= horizon(w, from, false));
        if (to->qty[i] != 0 && !known)
            n += kraken_level(text + n, n == 0, i, to->qty[i]);
    }
    for (int32_t i = 0; from != NULL && i < PRICES; i++) {
        bool had = from->qty[i] != 0 && (asks ? i > from->mid && i <= horizon(w, from, true)
                                              : i <= from->mid && i >= horizon(w, from, false));
        bool has = to->qty[i] != 0 && (asks ? i > to->mid : i <= to->mid);
        if (had && !has)
            n += kraken_level(text + n, n == 0, i, 0);
    }
    text[n] = '\0';
    return n;
}

static void
kraken_book(struct world *w, uint32_t link, uint32_t book, bool snapshot)
{
    struct venue_book *b = &w->book[book];
    struct stream *to = &w->conn[link].stream[book];
    static char side[2][TEXT_MAX];
    static char text[2 * TEXT_MAX + 256];
    size_t n = kraken_side(w, snapshot ? NULL : &to->shown, &b->now, false, side[0]);

    n += kraken_side(w, snapshot ? NULL : &to->shown, &b->now, true, side[1]);
    if (n == 0 && !snapshot)
        return;
    const struct moment *last = &b->past[b->past_count - 1];
    if (last->mid != b->now.mid || memcmp(last->qty, b->now.qty, sizeof(b->now.qty)) != 0) {
        b->now.id++; /* else it is of the last change, not of now: a snapshot, or the other connection's */
        b->time_us = MAX(b->time_us + 1, w->now_ns / NS_PER_US);
    }
    int64_t us = b->time_us % 1000000;
    int64_t s = b->time_us / 1000000;
    int len = snprintf(text, sizeof(text),
                       "{\"channel\":\"book\",\"type\":\"%s\",\"data\":[{\"symbol\":\"%s\",\"bids\":[%s],\"asks\":[%s],"
                       "\"checksum\":%u,"
                       "\"timestamp\":\"2026-08-16T%02d:%02d:%02d.%06dZ\"}]}",
                       snapshot ? "snapshot" : "update", b->symbol, side[0], side[1], checksum(&b->now),
                       (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60), (int)us);
    (void)venue_keep(b, &b->now);
    to->shown = b->now;
    if (to->dead == ALIVE && (snapshot || w->now_ns >= to->silent_until_ns))
        net_send(w, link, (struct item){ snapshot ? ITEM_SNAPSHOT : ITEM_DEPTH, book, b->now.id, 0 }, text,
                 (size_t)len);
}

static void
send_other(struct world *w, uint32_t link, const char *text)
{
    net_send(w, link, (struct item){ .kind = ITEM_OTHER }, text, strlen(text));
}

static void
kraken_answer(struct world *w, uint32_t link, const char *channel, uint32_t book, bool off, bool ok)
{
    char text[256];

    (void)snprintf(text, sizeof(text),
                   "{\"method\":\"%s\",%s\"result\":{\"channel\":\"%s\",\"depth\":%u,\"symbol\":\"%s\"},\"success\":%s,"
                   "\"time_in\":\"2026-08-16T23:37:05.376419Z\",\"time_out\":\"2026-08-16T23:37:05.376519Z\"}",
                   off ? "unsubscribe" : "subscribe", ok ? "" : "\"error\":\"Internal error\",", channel, w->depth,
                   w->book[book].symbol, ok ? "true" : "false");
    send_other(w, link, text);
}

static void
kraken_request(struct world *w, uint32_t link, const char *text)
{
    bool off = strstr(text, "\"unsubscribe\"") != NULL;
    bool trades = strstr(text, "\"channel\":\"book\"") == NULL;

    for (uint32_t i = 0; i < w->books; i++) {
        struct stream *s = &w->conn[link].stream[i];
        char quoted[24];
        (void)snprintf(quoted, sizeof(quoted), "\"%.15s\"", w->book[i].symbol);
        if (strstr(text, quoted) == NULL)
            continue;
        if (trades) {
            kraken_answer(w, link, "trade", i, off, true);
            continue;
        }
        bool ok = off ? s->subscribed : !s->subscribed && !(happens(w, w->faults.refuse) && !w->healing);
        kraken_answer(w, link, "book", i, off, ok);
        if (ok)
            s->subscribed = !off;
        if (ok && off && s->dead == DEAD_UNTIL_SUBSCRIBED)
            s->dead = ALIVE;
        s->ended_ns = off && ok ? w->now_ns : s->ended_ns;
        if (ok && !off)
            kraken_book(w, link, i, true);
    }
}

/* ---- both ---- */

static void
send_trade(struct world *w, uint32_t book)
{
    struct venue_book *b = &w->book[book];
    char text[320];
    uint32_t px = (uint32_t)(LOWEST + b->now.mid);

    b->trade_id++;
    if (w->kraken)
        (void)snprintf(text, sizeof(text),
                       "{\"channel\":\"trade\",\"type\":\"update\",\"data\":[{\"symbol\":\"%s\",\"side\":\"buy\","
                       "\"price\":%u.%u,\"qty\":0.00100000,\"ord_type\":\"market\",\"trade_id\":%llu,"
                       "\"timestamp\":\"2026-08-16T23:37:05.376419Z\"}]}",
                       b->symbol, px / 10, px % 10, (unsigned long long)b->trade_id);
    else
        (void)snprintf(text, sizeof(text),
                       "{\"stream\":\"%s@trade\",\"data\":{\"e\":\"trade\",\"E\":1723161255208,\"s\":\"%s\",\"t\":%llu,"
                       "\"p\":\"%u.%02u000000\",\"q\":\"0.00100000\",\"T\":1723161255207,\"m\":true,\"M\":true}}",
                       stream_of(b), b->symbol, (unsigned long long)b->trade_id, px / 100, px % 100);
    send_all(w, (struct item){ .kind = ITEM_OTHER }, text, strlen(text));
}

void
venue_open(struct world *w)
{
    static const char *const symbol[2][INSTRUMENTS] = { { "BTCUSDT", "ETHUSDT", "SOLUSDT" },
                                                        { "BTC/USD", "ETH/USD", "SOL/USD" } };

    for (uint32_t k = 0; k < w->books; k++) {
        struct venue_book *b = &w->book[k];
        struct moment *past = b->past;
        struct venue_touch *touch = b->touch;
        *b = (struct venue_book){ .past = past, .touch = touch };
        (void)snprintf(b->symbol, sizeof(b->symbol), "%s", symbol[w->kraken][k]);
        b->now.mid = PRICES / 2;
        b->now.id = 10;
        b->flushed_id = 10;
        for (int32_t i = 0; i < PRICES; i++)
            b->now.qty[i] = draw(w, 3) == 0 ? 0 : (uint32_t)(1 + draw(w, 900));
        b->touch[10] = venue_touch_of(&b->now);
        (void)venue_keep(b, &b->now);
    }
}

void
venue_step(struct world *w)
{
    for (uint32_t k = 0; k < w->books; k++) {
        if (draw(w, 4) == 0)
            continue;
        change(w, k);
        if (draw(w, 6) == 0)
            send_trade(w, k);
        if (!w->kraken && draw(w, 4) != 0)
            binance_flush(w, k);
        for (uint32_t i = 0; i < w->links && w->kraken; i++)
            if (w->conn[i].stream[k].subscribed)
                kraken_book(w, i, k, false);
    }
    for (uint32_t i = 0; i < w->links && w->kraken; i++)
        if (draw(w, 8) == 0)
            send_other(w, i, "{\"channel\":\"heartbeat\"}");
}

void
venue_request(struct world *w, uint32_t link, const char *text, size_t len)
{
    char copy[1024];

    (void)snprintf(copy, sizeof(copy), "%.*s", (int)len, text);
    trace(w, "%u: request %s", link, copy);
    if (w->kraken)
        kraken_request(w, link, copy);
    else
        binance_request(w, link, copy);
}

void
venue_connection_lost(struct world *w, uint32_t link)
{
    for (uint32_t k = 0; k < w->books; k++) {
        struct stream *s = &w->conn[link].stream[k];
        s->subscribed = false;
        s->dead = ALIVE;
        s->off = false;
    }
}
