/* Kraken's book channel: levels of each depth that is subscribed, as deltas with a checksum.
 *
 * For each pair and depth with subscribers there is one view, the levels its subscribers hold. When the engine's book
 * changed, the view is compared with the book: a level gone or changed leaves as a delta, one that was pushed out of
 * the depth leaves without a word, as on the venue, and comes again when there is room.
 *
 * Always true: applying a view's deltas to its snapshot and cutting each side to the depth gives the view; the checksum
 * is of the ten best levels a side after the message. Source: guide "Book checksum v2", seen 2026-10. */
#include "bench/venue/kraken.h"

#define CHECKSUM_LEVELS 10

static const int depths[KRAKEN_DEPTHS] = { 10, 25, 100, 500, 1000 };

struct levels {
    struct emu_level at[KRAKEN_DEPTH_MAX];
    int count;
};

struct view {
    bool on;
    struct levels bids, asks;
    struct levels stale_bids, stale_asks; /* as they were when the first subscriber came, for a fault */
    int64_t changed_us;
};

struct kraken_books {
    struct view *view[EMU_SYMBOLS_MAX][KRAKEN_DEPTHS];
    bool dirty[EMU_SYMBOLS_MAX];
    int64_t changed_us[EMU_SYMBOLS_MAX];
    struct emu_level bids[KRAKEN_DEPTH_MAX], asks[KRAKEN_DEPTH_MAX]; /* scratch */
};

int
kraken_depth_index(int64_t depth)
{
    for (int i = 0; i < KRAKEN_DEPTHS; i++)
        if (depths[i] == depth)
            return i;
    return -1;
}

int
kraken_depth_at(int index)
{
    return depths[index];
}

/* ---- checksum ------------------------------------------------------------------------------------------------- */

/* Digits without the point and without zeros in front. */
static void
checksum_number(struct text *t, int64_t v, unsigned decimals)
{
    text_int(t, v / pow10_i64[VALUE_DECIMALS - decimals]);
}

static uint32_t
checksum(const struct kraken_pair *pair, const struct levels *bids, const struct levels *asks)
{
    struct text t = { 0 };
    const struct levels *side[] = { asks, bids };

    for (size_t s = 0; s < ARRAY_LEN(side); s++)
        for (int i = 0; i < MIN(side[s]->count, CHECKSUM_LEVELS); i++) {
            checksum_number(&t, side[s]->at[i].px, pair->px_decimals);
            checksum_number(&t, side[s]->at[i].qty, pair->qty_decimals);
        }
    uint32_t crc = emu_crc32(t.at != NULL ? t.at : "", t.len);
    text_free(&t);
    return crc;
}

/* ---- messages ------------------------------------------------------------------------------------------------- */

static void
level_json(struct text *t, const struct kraken_pair *pair, int64_t px, int64_t qty)
{
    text_comma(t);
    text_put(t, "{\"price\":");
    text_fixed(t, px, pair->px_decimals);
    text_put(t, ",\"qty\":");
    text_fixed(t, qty, pair->qty_decimals);
    text_put(t, "}");
}

static void
message_begin(struct text *t, const struct kraken_pair *pair, const char *type)
{
    text_put(t, "{\"channel\":\"book\",\"type\":\"");
    text_put(t, type);
    text_put(t, "\",\"data\":[{");
    text_key_word(t, "symbol", pair->symbol);
}

static void
message_end(struct text *t, const struct kraken_pair *pair, const struct levels *bids, const struct levels *asks,
            int64_t changed_us)
{
    text_key_int(t, "checksum", checksum(pair, bids, asks));
    text_key_time(t, "timestamp", changed_us);
    text_put(t, "}]}");
}

static void
snapshot_json(struct text *t, const struct kraken_pair *pair, const struct view *v, const struct levels *bids,
              const struct levels *asks)
{
    const struct levels *side[] = { bids, asks };
    const char *const key[] = { "bids", "asks" };

    message_begin(t, pair, "snapshot");
    for (size_t s = 0; s < ARRAY_LEN(side); s++) {
        text_key(t, key[s]);
        text_put(t, "[");
        for (int i = 0; i < side[s]->count; i++)
            level_json(t, pair, side[s]->at[i].px, side[s]->at[i].qty);
        text_put(t, "]");
    }
    message_end(t, pair, bids, asks, v->changed_us);
}

/* Writes what differs between one side of the view and the book, both best first; `up`: prices grow (asks). Returns
 * whether anything did. */
static bool
side_delta(struct text *t, const struct kraken_pair *pair, struct levels *had, const struct emu_level *now, int count,
           int depth, bool up)
{
    int i = 0;
    int j = 0;
    bool any = false;

    while (i < had->count || j < count) {
        bool old_first = j == count || (i < had->count && (up ? had->at[i].px < now[j].px : had->at[i].px > now[j].px));
        if (old_first) { /* gone, or pushed out behind a full side */
            if (!(j == count && count == depth)) {
                level_json(t, pair, had->at[i].px, 0);
                any = true;
            }
            i++;
            continue;
        }
        bool same = i < had->count && had->at[i].px == now[j].px;
        if (!same || had->at[i].qty != now[j].qty) {
            level_json(t, pair, now[j].px, now[j].qty);
            any = true;
        }
        i += same;
        j++;
    }
    memcpy(had->at, now, (size_t)count * sizeof(*now));
    had->count = count;
    return any;
}

static bool
has_subscriber(struct kraken *k, int symbol, int depth_index)
{
    for (struct conn *c = server_next_ws(k->base.server, NULL); c != NULL; c = server_next_ws(k->base.server, c)) {
        const struct kraken_session *s = (const struct kraken_session *)conn_user(c);
        if (s != NULL && (s->on[KRAKEN_BOOK] >> symbol & 1) != 0 && s->depth[symbol] == depth_index)
            return true;
    }
    return false;
}

static void
send_update(struct kraken *k, int symbol, int depth_index, const struct text *t)
{
    struct wire *w = wire_make(t->at, t->len);

    for (struct conn *c = server_next_ws(k->base.server, NULL); c != NULL; c = server_next_ws(k->base.server, c)) {
        struct kraken_session *s = (struct kraken_session *)conn_user(c);
        if (s != NULL && (s->on[KRAKEN_BOOK] >> symbol & 1) != 0 && s->depth[symbol] == depth_index)
            kraken_send_market(s, w, "book");
    }
    wire_drop(w);
}

static void
flush_view(struct kraken *k, int symbol, int depth_index)
{
    struct kraken_books *b = k->books;
    struct view *v = b->view[symbol][depth_index];
    struct kraken_pair pair = kraken_pair_get(k, symbol);
    struct text t = { 0 };
    int depth = depths[depth_index];
    int bids = 0;
    int asks = 0;

    if (v == NULL || !v->on)
        return;
    if (!has_subscriber(k, symbol, depth_index)) {
        v->on = false;
        return;
    }
    (void)emu_depth(k->base.engine, symbol, depth, b->bids, &bids, b->asks, &asks);
    message_begin(&t, &pair, "update");
    text_key(&t, "bids");
    text_put(&t, "[");
    bool any = side_delta(&t, &pair, &v->bids, b->bids, bids, depth, false);
    text_put(&t, "]");
    text_key(&t, "asks");
    text_put(&t, "[");
    any = side_delta(&t, &pair, &v->asks, b->asks, asks, depth, true) || any;
    text_put(&t, "]");
    if (any) {
        v->changed_us = b->changed_us[symbol];
        message_end(&t, &pair, &v->bids, &v->asks, v->changed_us);
        send_update(k, symbol, depth_index, &t);
    }
    text_free(&t);
}

void
kraken_book_flush(struct kraken *k)
{
    for (int i = 0; k->books != NULL && i < emu_symbol_count(k->base.engine); i++) {
        if (!k->books->dirty[i])
            continue;
        k->books->dirty[i] = false;
        for (int d = 0; d < KRAKEN_DEPTHS; d++)
            flush_view(k, i, d);
    }
}

void
kraken_book_on_level(struct kraken *k, const struct emu_level_change *c)
{
    k->books->dirty[c->symbol] = true;
    k->books->changed_us[c->symbol] = c->time_us;
}

void
kraken_book_snapshot(struct kraken_session *s, int symbol)
{
    struct kraken *k = s->venue;
    int index = s->depth[symbol];
    struct view **at = &k->books->view[symbol][index];
    struct kraken_pair pair = kraken_pair_get(k, symbol);
    struct fault_hits h = fault_draw(&k->base.faults, FAULT_ON_SNAPSHOT, "book");
    struct text t = { 0 };

    kraken_book_flush(k);
    if (*at == NULL)
        *at = (struct view *)calloc(1, sizeof(**at));
    ASSERT(*at != NULL);
    struct view *v = *at;
    if (!v->on) {
        v->on = true;
        v->changed_us = MAX(k->books->changed_us[symbol], v->changed_us);
        (void)emu_depth(k->base.engine, symbol, depths[index], v->bids.at, &v->bids.count, v->asks.at, &v->asks.count);
        if (v->stale_bids.count == 0) {
            v->stale_bids = v->bids;
            v->stale_asks = v->asks;
        }
    }
    bool stale = fault_hit(&h, FAULT_STALE_SNAPSHOT);
    snapshot_json(&t, &pair, v, stale ? &v->stale_bids : &v->bids, stale ? &v->stale_asks : &v->asks);
    struct wire *w = wire_make(t.at, t.len);
    kraken_send_market(s, w, "book");
    wire_drop(w);
    text_free(&t);
}

struct kraken_books *
kraken_books_create(const struct kraken *k)
{
    struct kraken_books *b = (struct kraken_books *)calloc(1, sizeof(*b));
    ASSERT(b != NULL);
    for (size_t i = 0; i < EMU_SYMBOLS_MAX; i++)
        b->changed_us[i] = emu_engine_time(k->base.engine);
    return b;
}

void
kraken_books_free(struct kraken_books *b)
{
    for (size_t i = 0; b != NULL && i < EMU_SYMBOLS_MAX; i++)
        for (int d = 0; d < KRAKEN_DEPTHS; d++)
            free(b->view[i][d]);
    free(b);
}
