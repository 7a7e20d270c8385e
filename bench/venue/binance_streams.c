/* Market streams: the engine's events turned into messages.
 *
 * Depth changes gather in two windows per symbol (100 ms and 1000 ms) and leave as one diff each; U and u of a symbol's
 * diffs chain without a hole while anybody listens. Book tickers and trades leave at once.
 *
 * Always true: a window is cut between engine operations only; a bookTicker's u is the id of the last change of its
 * operation, so the newest bookTicker with u <= a diff's u equals the top of the book after that diff. */
#include "bench/venue/binance_streams.h"

#define PING_EVERY_NS      (20 * NS_PER_S)
#define PONG_WITHIN_NS     (60 * NS_PER_S)
#define CONNECTION_LIFE_NS (24 * 3600 * NS_PER_S) /* of the WebSocket API; streams: venue.lifetime_ns */

static const int64_t window_us[WINDOW_SPEED_COUNT] = { 100000, 1000000 };

/* ---- intervals ------------------------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    int minutes;
} intervals[] = { { "1m", 1 },    { "3m", 3 },    { "5m", 5 },    { "15m", 15 },  { "30m", 30 },
                  { "1h", 60 },   { "2h", 120 },  { "4h", 240 },  { "6h", 360 },  { "8h", 480 },
                  { "12h", 720 }, { "1d", 1440 }, { "3d", 4320 }, { "1w", 10080 } };

int
interval_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(intervals); i++)
        if (strcmp(intervals[i].name, name) == 0)
            return (int)i;
    return -1;
}

int64_t
streams_interval_us(const char *name)
{
    int i = interval_find(name);
    return i < 0 ? 0 : intervals[i].minutes * MINUTE_US;
}

/* ---- sending -------------------------------------------------------------------------------------------------- */

void
message_free(struct message *m)
{
    for (int i = 0; i < 4; i++)
        wire_drop(m->wire[i / 2][i % 2]);
    text_free(&m->data[0]);
    text_free(&m->data[1]);
}

struct wire *
message_wire(struct message *m, const struct stream_sub *sub)
{
    bool micro = sub->session->micro;
    bool combined = sub->session->combined;
    struct wire **w = &m->wire[micro][combined];
    struct text *d = &m->data[micro];

    if (combined && *w != NULL && strcmp(m->wire_name[micro], sub->name) != 0) {
        wire_drop(*w);
        *w = NULL;
    }
    if (*w != NULL)
        return *w;
    if (d->len == 0)
        m->build(d, micro, m->what, m->more);
    if (!combined)
        return *w = wire_make(d->at, d->len);
    struct text t = { 0 };
    text_put(&t, "{\"stream\":\"");
    text_put(&t, sub->name);
    text_put(&t, "\",\"data\":");
    text_bytes(&t, d->at, d->len);
    text_put(&t, "}");
    m->wire_name[micro] = sub->name;
    *w = wire_make(t.at, t.len);
    text_free(&t);
    return *w;
}

/* One wire to one subscriber, through the faults. */
void
send_market(struct streams *s, const struct stream_sub *sub, struct wire *w, const char *fault_name)
{
    struct session *ss = sub->session;

    if (ss->silent)
        return;
    if (s->venue->base.faults.count != 0) {
        struct fault_hits h = fault_draw(&s->venue->base.faults, FAULT_ON_MARKET, fault_name);
        if (fault_hit(&h, FAULT_SILENT))
            ss->silent = true;
        if (fault_hit(&h, FAULT_CLOSE_MARKET))
            conn_close(ss->conn, 0, "", false);
        if (fault_hit(&h, FAULT_GAP) || ss->silent)
            return;
        if (h.kinds != 0) {
            conn_send_faulty(ss->conn, (const char *)w->bytes + LWS_PRE, w->len, &h);
            return;
        }
    }
    (void)conn_send(ss->conn, w);
}

/* To every subscriber of a list with this parameter (-1: any); frees what the message has built. */
static void
publish(struct streams *s, struct stream_sub *list, int param, struct message *m)
{
    for (struct stream_sub *sub = list; sub != NULL; sub = sub->next)
        if (param < 0 || sub->param == param)
            send_market(s, sub, message_wire(m, sub), m->fault_name);
    message_free(m);
}

static const char *
name_of(const struct streams *s, int symbol)
{
    return emu_symbol_get(s->venue->base.engine, symbol)->name;
}

/* ---- trades and touch ----------------------------------------------------------------------------------------- */

static void
trade_json(struct text *t, bool micro, const void *what, const void *more)
{
    const struct emu_public_trade *p = (const struct emu_public_trade *)what;
    text_put(t, "{");
    text_key_word(t, "e", "trade");
    text_key_int(t, "E", stamp(p->time_us, micro));
    text_key_word(t, "s", (const char *)more);
    text_key_int(t, "t", p->id);
    text_key_decimal(t, "p", p->px);
    text_key_decimal(t, "q", p->qty);
    text_key_int(t, "T", stamp(p->time_us, micro));
    text_key_bool(t, "m", p->buyer_is_maker);
    text_key_bool(t, "M", true);
    text_put(t, "}");
}

static void
agg_trade_json(struct text *t, bool micro, const void *what, const void *more)
{
    const struct emu_public_trade *p = (const struct emu_public_trade *)what;
    text_put(t, "{");
    text_key_word(t, "e", "aggTrade");
    text_key_int(t, "E", stamp(p->time_us, micro));
    text_key_word(t, "s", (const char *)more);
    text_key_int(t, "a", p->id);
    text_key_decimal(t, "p", p->px);
    text_key_decimal(t, "q", p->qty);
    text_key_int(t, "f", p->id);
    text_key_int(t, "l", p->id);
    text_key_int(t, "T", stamp(p->time_us, micro));
    text_key_bool(t, "m", p->buyer_is_maker);
    text_key_bool(t, "M", true);
    text_put(t, "}");
}

void
streams_on_trade(struct streams *s, const struct emu_public_trade *t)
{
    struct symbol_state *y = &s->symbol[t->symbol];
    const char *name = name_of(s, t->symbol);
    struct message trade = { .fault_name = "trade", .build = trade_json, .what = t, .more = name };
    struct message agg = { .fault_name = "aggTrade", .build = agg_trade_json, .what = t, .more = name };

    y->dirty = true;
    if (y->recorded)
        return;
    publish(s, y->subs[STREAM_TRADE], -1, &trade);
    publish(s, y->subs[STREAM_AGG_TRADE], -1, &agg);
}

static void
book_ticker_json(struct text *t, bool micro, const void *what, const void *more)
{
    const struct emu_touch *b = (const struct emu_touch *)what;
    (void)micro;
    text_put(t, "{");
    text_key_int(t, "u", b->update_id);
    text_key_word(t, "s", (const char *)more);
    text_key_decimal(t, "b", b->bid.px);
    text_key_decimal(t, "B", b->bid.qty);
    text_key_decimal(t, "a", b->ask.px);
    text_key_decimal(t, "A", b->ask.qty);
    text_put(t, "}");
}

void
streams_on_touch(struct streams *s, const struct emu_touch *t)
{
    struct message m = {
        .fault_name = "bookTicker", .build = book_ticker_json, .what = t, .more = name_of(s, t->symbol)
    };
    if (!s->symbol[t->symbol].recorded)
        publish(s, s->symbol[t->symbol].subs[STREAM_BOOK_TICKER], -1, &m);
}

/* ---- depth ---------------------------------------------------------------------------------------------------- */

static bool
window_wanted(const struct symbol_state *y, int speed)
{
    for (const struct stream_sub *sub = y->subs[STREAM_DEPTH]; sub != NULL; sub = sub->next)
        if (sub->param == speed)
            return true;
    return false;
}

void
streams_on_level(struct streams *s, const struct emu_level_change *c)
{
    struct symbol_state *y = &s->symbol[c->symbol];

    y->book_id = c->update_id;
    for (int i = 0; i < WINDOW_SPEED_COUNT; i++) {
        struct depth_window *w = &y->window[i];
        if (y->recorded || !window_wanted(y, i)) {
            w->count = 0; /* a window without a listener starts anew: it must have no hole */
            continue;
        }
        if (w->count == w->room) {
            w->room = MAX(w->room * 2, 256);
            w->at = (struct depth_change *)realloc(w->at, w->room * sizeof(*w->at));
            ASSERT(w->at != NULL);
        }
        if (w->count == 0)
            w->first_id = c->update_id;
        w->last_id = c->update_id;
        w->at[w->count++] =
            (struct depth_change){ .px = c->px, .qty = c->qty, .update_id = c->update_id, .side = c->side };
    }
}

/* Bids falling, then asks rising; of one price the newest first. */
static int
by_level(const void *a, const void *b)
{
    const struct depth_change *x = (const struct depth_change *)a;
    const struct depth_change *y = (const struct depth_change *)b;
    if (x->side != y->side)
        return x->side == EMU_BUY ? -1 : 1;
    if (x->px != y->px)
        return (x->px > y->px) == (x->side == EMU_BUY) ? -1 : 1;
    return x->update_id > y->update_id ? -1 : 1;
}

static void
window_side(struct text *t, const struct depth_window *w, enum emu_side side)
{
    const struct depth_change *last = NULL;

    text_put(t, "[");
    for (size_t i = 0; i < w->count; i++) {
        const struct depth_change *c = &w->at[i];
        if (c->side != side || (last != NULL && last->px == c->px))
            continue;
        last = c;
        text_comma(t);
        text_put(t, "[");
        text_decimal(t, c->px);
        text_put(t, ",");
        text_decimal(t, c->qty);
        text_put(t, "]");
    }
    text_put(t, "]");
}

struct depth_event {
    const char *symbol;
    int64_t time_us;
};

static void
depth_json(struct text *t, bool micro, const void *what, const void *more)
{
    const struct depth_window *w = (const struct depth_window *)what;
    const struct depth_event *e = (const struct depth_event *)more;

    text_put(t, "{");
    text_key_word(t, "e", "depthUpdate");
    text_key_int(t, "E", stamp(e->time_us, micro));
    text_key_word(t, "s", e->symbol);
    text_key_int(t, "U", w->first_id);
    text_key_int(t, "u", w->last_id);
    text_key(t, "b");
    window_side(t, w, EMU_BUY);
    text_key(t, "a");
    window_side(t, w, EMU_SELL);
    text_put(t, "}");
}

struct partial_book {
    int64_t id;
    struct emu_level bids[20], asks[20];
    int bid_count, ask_count;
};

static void
partial_side(struct text *t, const char *key, const struct emu_level *l, int n)
{
    text_key(t, key);
    text_put(t, "[");
    for (int i = 0; i < n; i++) {
        text_comma(t);
        text_put(t, "[");
        text_decimal(t, l[i].px);
        text_put(t, ",");
        text_decimal(t, l[i].qty);
        text_put(t, "]");
    }
    text_put(t, "]");
}

static void
partial_json(struct text *t, bool micro, const void *what, const void *more)
{
    const struct partial_book *p = (const struct partial_book *)what;
    int levels = *(const int *)more;
    (void)micro;
    text_put(t, "{");
    text_key_int(t, "lastUpdateId", p->id);
    partial_side(t, "bids", p->bids, MIN(levels, p->bid_count));
    partial_side(t, "asks", p->asks, MIN(levels, p->ask_count));
    text_put(t, "}");
}

/* Partial books go out whole, whenever something changed since the last one. */
static void
flush_partial(struct streams *s, int symbol, int speed)
{
    struct symbol_state *y = &s->symbol[symbol];
    struct partial_book p = { .id = -1 };

    for (struct stream_sub *sub = y->subs[STREAM_DEPTH_PARTIAL]; sub != NULL; sub = sub->next) {
        int levels = sub->param / 2;
        if (y->recorded || sub->param % 2 != speed || sub->sent_id == y->book_id)
            continue;
        if (p.id < 0)
            p.id = emu_depth(s->venue->base.engine, symbol, 20, p.bids, &p.bid_count, p.asks, &p.ask_count);
        struct message m = { .build = partial_json, .what = &p, .more = &levels };
        sub->sent_id = y->book_id;
        send_market(s, sub, message_wire(&m, sub), "partialDepth");
        message_free(&m);
    }
}

static void
flush_depth(struct streams *s, int symbol, int64_t now_us)
{
    struct symbol_state *y = &s->symbol[symbol];

    for (int i = 0; i < WINDOW_SPEED_COUNT; i++) {
        struct depth_window *w = &y->window[i];
        if (now_us < w->due_us)
            continue;
        w->due_us = now_us / window_us[i] * window_us[i] + window_us[i];
        flush_partial(s, symbol, i);
        if (w->count == 0)
            continue;
        struct depth_event e = { name_of(s, symbol), now_us };
        struct message m = { .fault_name = "depth", .build = depth_json, .what = w, .more = &e };
        qsort(w->at, w->count, sizeof(*w->at), by_level);
        publish(s, y->subs[STREAM_DEPTH], i, &m);
        w->count = 0;
    }
}

/* ---- once a second -------------------------------------------------------------------------------------------- */

struct second {
    struct streams *streams;
    int symbol;
    int64_t now_us;
    const char *interval;
};

static void
mini_ticker_json(struct text *t, bool micro, const void *what, const void *more)
{
    const struct second *c = (const struct second *)what;
    struct ticker k;
    (void)more;
    tape_ticker(&c->streams->venue->base.tape[c->symbol], c->now_us, &k);
    text_put(t, "{");
    text_key_word(t, "e", "24hrMiniTicker");
    text_key_int(t, "E", stamp(c->now_us, micro));
    text_key_word(t, "s", name_of(c->streams, c->symbol));
    text_key_decimal(t, "c", k.last);
    text_key_decimal(t, "o", k.open);
    text_key_decimal(t, "h", k.high);
    text_key_decimal(t, "l", k.low);
    text_key_decimal(t, "v", k.volume);
    text_key_decimal(t, "q", k.quote);
    text_put(t, "}");
}

static void
ticker_json(struct text *t, bool micro, const void *what, const void *more)
{
    const struct second *c = (const struct second *)what;
    struct emu_touch b;
    struct ticker k;
    char percent[DECIMAL_TEXT];
    (void)more;
    tape_ticker(&c->streams->venue->base.tape[c->symbol], c->now_us, &k);
    emu_touch_get(c->streams->venue->base.engine, c->symbol, &b);
    wide_t p = k.open == 0 ? 0 : (wide_t)(k.last - k.open) * 100000 / k.open;
    (void)decimal_format(percent, (int64_t)p, 3);
    text_put(t, "{");
    text_key_word(t, "e", "24hrTicker");
    text_key_int(t, "E", stamp(c->now_us, micro));
    text_key_word(t, "s", name_of(c->streams, c->symbol));
    text_key_decimal(t, "p", k.last - k.open);
    text_key_word(t, "P", percent);
    text_key_decimal(t, "w", ticker_weighted(&k));
    text_key_decimal(t, "x", k.first_px);
    text_key_decimal(t, "c", k.last);
    text_key_decimal(t, "Q", k.last_qty);
    text_key_decimal(t, "b", b.bid.px);
    text_key_decimal(t, "B", b.bid.qty);
    text_key_decimal(t, "a", b.ask.px);
    text_key_decimal(t, "A", b.ask.qty);
    text_key_decimal(t, "o", k.open);
    text_key_decimal(t, "h", k.high);
    text_key_decimal(t, "l", k.low);
    text_key_decimal(t, "v", k.volume);
    text_key_decimal(t, "q", k.quote);
    text_key_int(t, "O", stamp(k.open_us, micro));
    text_key_int(t, "C", stamp(k.close_us, micro));
    text_key_int(t, "F", k.first_id);
    text_key_int(t, "L", k.last_id);
    text_key_int(t, "n", k.trades);
    text_put(t, "}");
}

static void
avg_price_json(struct text *t, bool micro, const void *what, const void *more)
{
    const struct second *c = (const struct second *)what;
    (void)more;
    text_put(t, "{");
    text_key_word(t, "e", "avgPrice");
    text_key_int(t, "E", stamp(c->now_us, micro));
    text_key_word(t, "s", name_of(c->streams, c->symbol));
    text_key_word(t, "i", "5m");
    text_key_decimal(t, "w", emu_avg_px(c->streams->venue->base.engine, c->symbol));
    text_key_int(t, "T", stamp(c->now_us, micro));
    text_put(t, "}");
}

/* The candle of an interval that opened at open_us; false when nothing traded in it. */
static bool
kline_at(struct streams *s, int symbol, const char *interval, int64_t open_us, struct candle *out)
{
    return tape_candles(&s->venue->base.tape[symbol], streams_interval_us(interval), open_us, open_us, 1, out) == 1;
}

static void
kline_json(struct text *t, bool micro, const void *what, const void *more)
{
    const struct second *c = (const struct second *)what;
    const struct candle k = *(const struct candle *)more;
    int64_t span_us = streams_interval_us(c->interval);
    text_put(t, "{");
    text_key_word(t, "e", "kline");
    text_key_int(t, "E", stamp(c->now_us, micro));
    text_key_word(t, "s", name_of(c->streams, c->symbol));
    text_key(t, "k");
    text_put(t, "{");
    text_key_int(t, "t", stamp(k.open_us, micro));
    text_key_int(t, "T", stamp(k.open_us + span_us - 1, micro));
    text_key_word(t, "s", name_of(c->streams, c->symbol));
    text_key_word(t, "i", c->interval);
    text_key_int(t, "f", k.first_id);
    text_key_int(t, "L", k.last_id);
    text_key_decimal(t, "o", k.open);
    text_key_decimal(t, "c", k.close);
    text_key_decimal(t, "h", k.high);
    text_key_decimal(t, "l", k.low);
    text_key_decimal(t, "v", k.volume);
    text_key_int(t, "n", k.trades);
    text_key_bool(t, "x", c->now_us >= k.open_us + span_us);
    text_key_decimal(t, "q", k.quote);
    text_key_decimal(t, "V", k.taker_volume);
    text_key_decimal(t, "Q", k.taker_quote);
    text_key_word(t, "B", "0");
    text_put(t, "}}");
}

static void
all_tickers_json(struct text *t, bool micro, const void *what, const void *more)
{
    const struct second *c = (const struct second *)what;
    bool mini = *(const bool *)more;

    text_put(t, "[");
    for (int i = 0; i < c->streams->symbol_count; i++) {
        struct second one = { c->streams, i, c->now_us, NULL };
        if (!c->streams->symbol[i].dirty)
            continue;
        text_comma(t);
        if (mini)
            mini_ticker_json(t, micro, &one, NULL);
        else
            ticker_json(t, micro, &one, NULL);
    }
    text_put(t, "]");
}

static void
send_kline(struct streams *s, int symbol, size_t interval, int64_t open_us, int64_t now_us)
{
    struct candle k;
    struct second one = { s, symbol, now_us, intervals[interval].name };
    struct message m = { .fault_name = "kline", .build = kline_json, .what = &one, .more = &k };

    if (kline_at(s, symbol, one.interval, open_us, &k))
        publish(s, s->symbol[symbol].subs[STREAM_KLINE], (int)interval, &m);
}

/* The candles now open. */
static void
send_klines(struct streams *s, int symbol, int64_t now_us)
{
    for (size_t k = 0; s->symbol[symbol].subs[STREAM_KLINE] != NULL && k < ARRAY_LEN(intervals); k++)
        send_kline(s, symbol, k, interval_start(now_us, intervals[k].minutes * MINUTE_US), now_us);
}

/* The candles that closed since the last second: `x` is true once. */
static void
close_klines(struct streams *s, int symbol, int64_t now_us)
{
    for (size_t k = 0; s->symbol[symbol].subs[STREAM_KLINE] != NULL && k < ARRAY_LEN(intervals); k++) {
        int64_t span_us = intervals[k].minutes * MINUTE_US;
        int64_t open_us = interval_start(now_us, span_us);
        if (interval_start(now_us - SECOND_US, span_us) != open_us)
            send_kline(s, symbol, k, open_us - span_us, now_us);
    }
}

static void
each_second(struct streams *s, int64_t now_us)
{
    static const struct {
        enum stream_kind kind;
        const char *name;
        void (*build)(struct text *t, bool micro, const void *what, const void *more);
    } rows[] = { { STREAM_MINI_TICKER, "miniTicker", mini_ticker_json },
                 { STREAM_TICKER, "ticker", ticker_json },
                 { STREAM_AVG_PRICE, "avgPrice", avg_price_json } };
    static const bool is_mini[2] = { true, false };

    for (int i = 0; i < 2; i++) {
        struct second all = { s, -1, now_us, NULL };
        struct message m = { .fault_name = "ticker", .build = all_tickers_json, .what = &all, .more = &is_mini[i] };
        publish(s, s->all_subs[i == 0 ? STREAM_ALL_MINI_TICKER : STREAM_ALL_TICKER], -1, &m);
    }
    for (int i = 0; i < s->symbol_count; i++) {
        struct symbol_state *y = &s->symbol[i];
        close_klines(s, i, now_us);
        if (!y->dirty)
            continue;
        y->dirty = false;
        for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
            struct second one = { s, i, now_us, NULL };
            struct message m = { .fault_name = rows[r].name, .build = rows[r].build, .what = &one };
            publish(s, y->subs[rows[r].kind], -1, &m);
        }
        send_klines(s, i, now_us);
    }
}

/* ---- clock ---------------------------------------------------------------------------------------------------- */

static void
keep_alive(struct session *ss, int64_t now_ns)
{
    char payload[DECIMAL_TEXT];

    const struct venue *v = &ss->venue->base;
    int64_t life_ns = ss->kind == SESSION_STREAMS ? v->lifetime_ns : CONNECTION_LIFE_NS;
    int64_t left_ns = ss->opened_mono_ns + life_ns - now_ns;
    if (left_ns < 0) {
        conn_close(ss->conn, 1001, "connection lived 24 hours", true);
        return;
    }
    if (left_ns < v->notice_ns && !ss->end_told)
        session_announce_end(ss);
    if (ss->ping_mono_ns > ss->pong_mono_ns && now_ns - ss->pong_mono_ns > PONG_WITHIN_NS + PING_EVERY_NS) {
        conn_close(ss->conn, 1008, "no pong within a minute", false);
        return;
    }
    if (now_ns - ss->ping_mono_ns < PING_EVERY_NS)
        return;
    ss->ping_mono_ns = now_ns;
    size_t n = decimal_format(payload, server_wall_ns() / NS_PER_MS, 0);
    (void)conn_ping(ss->conn, payload, n);
}

void
streams_on_tick(struct streams *s)
{
    int64_t now_us = emu_engine_time(s->venue->base.engine);
    int64_t now_ns = server_mono_ns();

    for (int i = 0; i < s->symbol_count; i++)
        flush_depth(s, i, now_us);
    if (now_us >= s->second_due_us) {
        s->second_due_us = now_us / SECOND_US * SECOND_US + SECOND_US;
        each_second(s, now_us);
    }
    for (struct conn *c = server_next_ws(s->venue->base.server, NULL); c != NULL;
         c = server_next_ws(s->venue->base.server, c))
        keep_alive((struct session *)conn_user(c), now_ns);
    streams_replay_tick(s);
}

/* ---- life ----------------------------------------------------------------------------------------------------- */

struct streams *
streams_create(struct binance *v)
{
    struct streams *s = (struct streams *)calloc(1, sizeof(*s));
    ASSERT(s != NULL);
    s->venue = v;
    s->symbol_count = emu_symbol_count(v->base.engine);
    s->symbol = (struct symbol_state *)calloc((size_t)s->symbol_count, sizeof(*s->symbol));
    ASSERT(s->symbol != NULL);
    for (int i = 0; i < s->symbol_count; i++) {
        struct symbol_state *y = &s->symbol[i];
        y->recorded =
            v->base.has_replay && replay_find(&v->base.replay, emu_symbol_get(v->base.engine, i)->name) != NULL;
    }
    return s;
}

void
streams_free(struct streams *s)
{
    lws_sul_cancel(&s->replay_timer);
    for (int i = 0; i < s->symbol_count; i++) {
        for (int k = 0; k < WINDOW_SPEED_COUNT; k++)
            free(s->symbol[i].window[k].at);
    }
    free(s->symbol);
    free(s);
}
