/* Market streams: who subscribed to what, and the engine's events or a recording's frames turned into messages.
 *
 * Depth changes gather in two windows per symbol (100 ms and 1000 ms) and leave as one diff each; U and u of a symbol's
 * diffs chain without a hole while anybody listens. Book tickers and trades leave at once. A recorded symbol sends its
 * recorded frames instead, verbatim, and never drops one: it waits until every subscriber has read enough.
 *
 * Always true: a window is cut between engine operations only; a bookTicker's u is the id of the last change of its
 * operation, so the newest bookTicker with u <= a diff's u equals the top of the book after that diff. */
#include "bench/venue/binance.h"

#include <ctype.h>
#include <jansson.h>
#include <time.h>

#define PING_EVERY_NS      (20 * NS_PER_S)
#define PONG_WITHIN_NS     (60 * NS_PER_S)
#define CONNECTION_LIFE_NS (24 * 3600 * NS_PER_S)
#define RX_PER_SECOND      5
#define SECOND_US          INT64_C(1000000)
#define REPLAY_QUEUE_BYTES (4u * 1024 * 1024) /* full speed: what a subscriber may have unread */
#define REPLAY_BATCH       500
#define REPLAY_SETTLE_NS   (200 * NS_PER_MS) /* after the last SUBSCRIBE, so that a client gets all its streams */
#define WINDOW_SPEED_COUNT 2

static const int64_t window_us[WINDOW_SPEED_COUNT] = { 100000, 1000000 };

struct stream_sub {
    struct session *session;
    struct stream_sub *prev, *next; /* of the list it is in */
    struct stream_sub **list;
    struct stream_sub *next_of_session;
    enum stream_kind kind;
    int param; /* depth: window; partial: levels * 2 + window; kline: index of its interval */
    int64_t sent_id;
    char name[STREAM_NAME_BYTES];
};

struct depth_change {
    int64_t px, qty, update_id;
    enum emu_side side;
};

struct depth_window {
    struct depth_change *at;
    size_t count, room;
    int64_t first_id, last_id;
    int64_t due_us;
};

struct symbol_state {
    struct stream_sub *subs[STREAM_KIND_COUNT];
    struct depth_window window[WINDOW_SPEED_COUNT];
    bool recorded;   /* its market data comes from the recording */
    bool dirty;      /* traded since the last second */
    int64_t book_id; /* newest change */
};

struct streams {
    struct binance *venue;
    struct symbol_state *symbol;
    int symbol_count;
    struct stream_sub *all_subs[STREAM_KIND_COUNT]; /* streams of all symbols */
    struct stream_sub *recorded[REPLAY_STREAMS_MAX];
    int64_t second_due_us;
    /* The recording under way. */
    bool replay_started, replay_ended, replay_reported, replay_pumping;
    bool frame_waiting;
    struct replay_frame frame;
    int64_t replay_base_mono_ns, replay_base_recv_ns;
    int64_t last_subscribe_mono_ns;
    uint64_t frames_sent;
    lws_sorted_usec_list_t replay_timer;
};

/* ---- intervals ------------------------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    int minutes;
} intervals[] = { { "1m", 1 },    { "3m", 3 },    { "5m", 5 },    { "15m", 15 },  { "30m", 30 },
                  { "1h", 60 },   { "2h", 120 },  { "4h", 240 },  { "6h", 360 },  { "8h", 480 },
                  { "12h", 720 }, { "1d", 1440 }, { "3d", 4320 }, { "1w", 10080 } };

static int
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

/* ---- subscriptions -------------------------------------------------------------------------------------------- */

static void
list_add(struct stream_sub **list, struct stream_sub *sub)
{
    sub->list = list;
    sub->next = *list;
    sub->prev = NULL;
    if (*list != NULL)
        (*list)->prev = sub;
    *list = sub;
}

static void
list_remove(struct stream_sub *sub)
{
    if (sub->prev != NULL)
        sub->prev->next = sub->next;
    else
        *sub->list = sub->next;
    if (sub->next != NULL)
        sub->next->prev = sub->prev;
}

/* "", "@100ms" or "@1000ms" after a depth stream's name. */
static int
speed_parse(const char *s)
{
    if (*s == '\0' || strcmp(s, "@1000ms") == 0)
        return 1;
    return strcmp(s, "@100ms") == 0 ? 0 : -1;
}

/* What follows the symbol's '@'. */
static bool
kind_parse(const char *s, enum stream_kind *kind, int *param)
{
    static const struct {
        const char *name;
        enum stream_kind kind;
    } plain[] = { { "bookTicker", STREAM_BOOK_TICKER }, { "trade", STREAM_TRADE },   { "aggTrade", STREAM_AGG_TRADE },
                  { "miniTicker", STREAM_MINI_TICKER }, { "ticker", STREAM_TICKER }, { "avgPrice", STREAM_AVG_PRICE } };

    *param = 0;
    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        if (strcmp(plain[i].name, s) == 0) {
            *kind = plain[i].kind;
            return true;
        }
    if (strncmp(s, "kline_", 6) == 0) {
        *kind = STREAM_KLINE;
        *param = interval_find(s + 6);
        return *param >= 0;
    }
    if (strncmp(s, "depth", 5) != 0)
        return false;
    s += 5;
    char *end;
    long levels = strtol(s, &end, 10);
    int speed = speed_parse(end);
    if (speed < 0 || (end != s && levels != 5 && levels != 10 && levels != 20))
        return false;
    *kind = end == s ? STREAM_DEPTH : STREAM_DEPTH_PARTIAL;
    *param = end == s ? speed : (int)levels * 2 + speed;
    return true;
}

/* The recorded stream that serves a name: the same name, else the same kind of the same symbol. */
static int
recorded_find(struct streams *s, const char *name)
{
    struct replay *r = &s->venue->base.replay;
    const char *at = strchr(name, '@');
    enum stream_kind want;
    enum stream_kind have;
    int param;

    if (!s->venue->base.has_replay || at == NULL)
        return -1;
    for (size_t i = 0; i < r->stream_count; i++)
        if (strcmp(r->stream[i], name) == 0)
            return (int)i;
    if (!kind_parse(at + 1, &want, &param))
        return -1;
    for (size_t i = 0; i < r->stream_count; i++) {
        const char *other = strchr(r->stream[i], '@');
        if (other == NULL || other - r->stream[i] != at - name || strncmp(r->stream[i], name, (size_t)(at - name)) != 0)
            continue;
        if ((want == STREAM_DEPTH && strncmp(other, "@depth@", 7) == 0) ||
            (kind_parse(other + 1, &have, &param) && have == want && want != STREAM_DEPTH_PARTIAL))
            return (int)i;
    }
    return -1;
}

static struct stream_sub **
list_find(struct streams *s, const char *name, enum stream_kind *kind, int *param)
{
    char symbol[EMU_NAME_MAX + 1];
    const char *at = strchr(name, '@');
    int recorded = recorded_find(s, name);

    *param = 0;
    if (recorded >= 0) {
        *kind = STREAM_RECORDED;
        return &s->recorded[recorded];
    }
    if (strcmp(name, "!miniTicker@arr") == 0 || strcmp(name, "!ticker@arr") == 0) {
        *kind = name[1] == 'm' ? STREAM_ALL_MINI_TICKER : STREAM_ALL_TICKER;
        return &s->all_subs[*kind];
    }
    size_t n = at != NULL ? (size_t)(at - name) : 0;
    if (n == 0 || n >= sizeof(symbol))
        return NULL;
    for (size_t i = 0; i < n; i++) {
        if (isupper((unsigned char)name[i]))
            return NULL;
        symbol[i] = (char)toupper((unsigned char)name[i]);
    }
    symbol[n] = '\0';
    int index = emu_symbol_find(s->venue->base.engine, symbol);
    if (index < 0 || !kind_parse(at + 1, kind, param))
        return NULL;
    return &s->symbol[index].subs[*kind];
}

static bool
subscribe_listen_key(struct session *ss, const char *name)
{
    int account = listen_key_account(ss->venue, name);
    if (account < 0 || ss->user_count == USER_SUBS_MAX)
        return false;
    for (size_t i = 0; i < ss->user_count; i++)
        if (strcmp(ss->user[i].listen_key, name) == 0)
            return true;
    struct user_sub *u = &ss->user[ss->user_count++];
    *u = (struct user_sub){ .id = -1, .account = (uint32_t)account };
    (void)snprintf(u->listen_key, sizeof(u->listen_key), "%s", name);
    return true;
}

bool
streams_subscribe(struct streams *s, struct session *ss, const char *name)
{
    enum stream_kind kind;
    int param;

    if (strchr(name, '@') == NULL)
        return subscribe_listen_key(ss, name);
    for (const struct stream_sub *sub = ss->subs; sub != NULL; sub = sub->next_of_session)
        if (strcmp(sub->name, name) == 0)
            return true;
    struct stream_sub **list = list_find(s, name, &kind, &param);
    if (list == NULL || strlen(name) >= STREAM_NAME_BYTES || ss->sub_count == STREAMS_PER_CONN_MAX)
        return false;
    struct stream_sub *sub = (struct stream_sub *)calloc(1, sizeof(*sub));
    ASSERT(sub != NULL);
    *sub = (struct stream_sub){ .session = ss, .kind = kind, .param = param, .next_of_session = ss->subs };
    (void)snprintf(sub->name, sizeof(sub->name), "%s", name);
    ss->subs = sub;
    ss->sub_count++;
    list_add(list, sub);
    s->last_subscribe_mono_ns = server_mono_ns();
    return true;
}

static bool
unsubscribe(struct session *ss, const char *name)
{
    for (struct stream_sub **p = &ss->subs; *p != NULL; p = &(*p)->next_of_session) {
        struct stream_sub *sub = *p;
        if (strcmp(sub->name, name) != 0)
            continue;
        *p = sub->next_of_session;
        list_remove(sub);
        free(sub);
        ss->sub_count--;
        return true;
    }
    for (size_t i = 0; i < ss->user_count; i++)
        if (strcmp(ss->user[i].listen_key, name) == 0) {
            ss->user[i] = ss->user[--ss->user_count];
            return true;
        }
    return false;
}

void
streams_unsubscribe_all(struct streams *s, struct session *ss)
{
    (void)s;
    while (ss->subs != NULL)
        (void)unsubscribe(ss, ss->subs->name);
}

/* ---- sending -------------------------------------------------------------------------------------------------- */

/* One message for many subscribers, made once per form it is wanted in. */
struct message {
    const char *fault_name;
    void (*build)(struct text *t, bool micro, const void *what, const void *more);
    const void *what, *more;
    struct text data[2];     /* by micro */
    struct wire *wire[2][2]; /* by micro, combined */
    const char *wire_name[2];
};

static void
message_free(struct message *m)
{
    for (int i = 0; i < 4; i++)
        wire_drop(m->wire[i / 2][i % 2]);
    text_free(&m->data[0]);
    text_free(&m->data[1]);
}

static struct wire *
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
static void
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

/* To every subscriber of a list with this parameter (-1: any). */
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

/* ---- recordings ----------------------------------------------------------------------------------------------- */

static void
frame_json(struct text *t, bool micro, const void *what, const void *more)
{
    const struct replay_frame *f = (const struct replay_frame *)what;
    (void)micro;
    (void)more;
    text_bytes(t, f->text + f->data_at, f->data_len);
}

/* One recorded frame to its subscribers; as recorded, wrapper included, to a combined stream of that very name. */
static void
send_frame(struct streams *s, const struct replay_frame *f)
{
    const char *recorded = s->venue->base.replay.stream[f->stream];
    const char *at = strchr(recorded, '@');
    const char *fault_name = at != NULL && strncmp(at, "@depth", 6) == 0 ? "depth" : at != NULL ? at + 1 : recorded;
    struct message m = { .build = frame_json, .what = f };
    struct wire *verbatim = NULL;

    for (struct stream_sub *sub = s->recorded[f->stream]; sub != NULL; sub = sub->next) {
        if (sub->session->combined && strcmp(sub->name, recorded) == 0) {
            if (verbatim == NULL)
                verbatim = wire_make(f->text, f->len);
            send_market(s, sub, verbatim, fault_name);
        } else {
            send_market(s, sub, message_wire(&m, sub), fault_name);
        }
    }
    wire_drop(verbatim);
    message_free(&m);
}

static bool
replay_may_start(const struct streams *s)
{
    if (server_mono_ns() - s->last_subscribe_mono_ns < REPLAY_SETTLE_NS)
        return false;
    for (size_t i = 0; i < s->venue->base.replay.stream_count; i++)
        if (s->recorded[i] != NULL && strstr(s->venue->base.replay.stream[i], "@depth") != NULL)
            return true;
    return false;
}

/* Has every subscriber read enough to get more? */
static bool
replay_has_room(const struct streams *s, size_t queued_max)
{
    for (size_t i = 0; i < s->venue->base.replay.stream_count; i++)
        for (const struct stream_sub *sub = s->recorded[i]; sub != NULL; sub = sub->next)
            if (conn_queued_bytes(sub->session->conn) > queued_max)
                return false;
    return true;
}

static void on_replay_timer(lws_sorted_usec_list_t *timer);

static void
replay_finish(struct streams *s)
{
    s->replay_ended = true;
    if (s->replay_reported || !replay_has_room(s, 0))
        return;
    s->replay_reported = true;
    (void)printf("replay done %llu frames\n", (unsigned long long)s->frames_sent);
    (void)fflush(stdout);
}

/* Send what is due, bounded; comes back by timer, or when a subscriber has read. */
static void
replay_pump(struct streams *s)
{
    struct binance *v = s->venue;

    if (s->replay_pumping)
        return;
    if (s->replay_ended) {
        replay_finish(s);
        return;
    }
    s->replay_pumping = true;
    int64_t wait_us = 0;
    for (unsigned i = 0; i < REPLAY_BATCH && replay_has_room(s, REPLAY_QUEUE_BYTES); i++) {
        if (!s->frame_waiting && !replay_next(&v->base.replay, &s->frame)) {
            replay_finish(s);
            s->replay_pumping = false;
            return;
        }
        s->frame_waiting = true;
        if (s->replay_base_mono_ns == 0) {
            s->replay_base_mono_ns = server_mono_ns();
            s->replay_base_recv_ns = s->frame.recv_ns;
        }
        if (!v->base.replay_full_speed) {
            int64_t due_ns = s->replay_base_mono_ns + (s->frame.recv_ns - s->replay_base_recv_ns);
            wait_us = (due_ns - server_mono_ns()) / 1000;
            if (wait_us > 0)
                break;
        }
        s->frame_waiting = false;
        s->frames_sent++;
        send_frame(s, &s->frame);
    }
    s->replay_pumping = false;
    lws_sul_schedule(server_lws(v->base.server), 0, &s->replay_timer, on_replay_timer, MAX(wait_us, 1));
}

static void
on_replay_timer(lws_sorted_usec_list_t *timer)
{
    replay_pump(lws_container_of(timer, struct streams, replay_timer));
}

void
streams_on_drained(struct streams *s, struct session *ss)
{
    (void)ss;
    if (s->replay_started)
        replay_pump(s);
}

/* ---- clock ---------------------------------------------------------------------------------------------------- */

static void
keep_alive(struct session *ss, int64_t now_ns)
{
    char payload[DECIMAL_TEXT];

    if (now_ns - ss->opened_mono_ns > CONNECTION_LIFE_NS) {
        conn_close(ss->conn, 1001, "connection lived 24 hours", true);
        return;
    }
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
    if (!s->venue->base.has_replay)
        return;
    if (!s->replay_started && replay_may_start(s))
        s->replay_started = true;
    if (s->replay_started)
        replay_pump(s);
}

/* ---- requests ------------------------------------------------------------------------------------------------- */

static void
reply_begin(struct text *t, const char *key)
{
    text_put(t, "{\"");
    text_put(t, key);
    text_put(t, "\":");
}

static void
reply_end(struct session *ss, struct text *t, const json_t *id)
{
    char *s = id != NULL ? json_dumps(id, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

    text_key(t, "id");
    text_put(t, s != NULL ? s : "null");
    text_put(t, "}");
    free(s);
    (void)conn_send_text(ss->conn, t->at, t->len);
    text_free(t);
}

static void
reply_error(struct session *ss, int code, const char *msg, const json_t *id)
{
    struct text t = { 0 };
    text_put(&t, "{");
    text_key_int(&t, "code", code);
    text_key(&t, "msg");
    text_string(&t, msg);
    reply_end(ss, &t, id);
}

static void
reply_null(struct session *ss, const json_t *id)
{
    struct text t = { 0 };
    reply_begin(&t, "result");
    text_put(&t, "null");
    reply_end(ss, &t, id);
}

/* Streams to subscribe to or leave: all must be known before any is touched. */
static void
on_subscribe(struct streams *s, struct session *ss, const json_t *params, const json_t *id, bool add)
{
    char msg[160];
    enum stream_kind kind;
    int param;

    if (!json_is_array(params)) {
        reply_error(ss, 2, "Invalid request: params must be an array of strings", id);
        return;
    }
    for (size_t i = 0; i < json_array_size(params); i++) {
        const char *name = json_string_value(json_array_get(params, i));
        if (name == NULL) {
            reply_error(ss, 2, "Invalid request: params must be an array of strings", id);
            return;
        }
        bool known = strchr(name, '@') != NULL ? list_find(s, name, &kind, &param) != NULL
                                               : listen_key_account(ss->venue, name) >= 0;
        if (add && !known) {
            (void)snprintf(msg, sizeof(msg), "Invalid request: unknown stream `%.80s`", name);
            reply_error(ss, 2, msg, id);
            return;
        }
    }
    if (add && ss->sub_count + json_array_size(params) > STREAMS_PER_CONN_MAX) {
        reply_error(ss, 2, "Invalid request: too many streams, at most 1024 per connection", id);
        return;
    }
    reply_null(ss, id);
    for (size_t i = 0; i < json_array_size(params); i++) {
        const char *name = json_string_value(json_array_get(params, i));
        (void)(add ? streams_subscribe(s, ss, name) : unsubscribe(ss, name));
    }
}

static void
on_list(struct session *ss, const json_t *id)
{
    struct text t = { 0 };
    reply_begin(&t, "result");
    text_put(&t, "[");
    for (const struct stream_sub *sub = ss->subs; sub != NULL; sub = sub->next_of_session) {
        text_comma(&t);
        text_string(&t, sub->name);
    }
    text_put(&t, "]");
    reply_end(ss, &t, id);
}

static void
on_property(struct session *ss, const json_t *params, const json_t *id, bool set)
{
    const char *name = json_string_value(json_array_get(params, 0));
    const json_t *value = json_array_get(params, 1);

    if (name == NULL)
        reply_error(ss, 2, "Invalid request: property name must be a string", id);
    else if (json_array_size(params) > (set ? 2 : 1))
        reply_error(ss, 2, "Invalid request: too many parameters", id);
    else if (strcmp(name, "combined") != 0)
        reply_error(ss, 0, "Unknown property", id);
    else if (set && !json_is_boolean(value))
        reply_error(ss, 1, "Invalid value type: expected Boolean", id);
    else if (set) {
        ss->combined = json_is_true(value);
        reply_null(ss, id);
    } else {
        struct text t = { 0 };
        reply_begin(&t, "result");
        text_put(&t, ss->combined ? "true" : "false");
        reply_end(ss, &t, id);
    }
}

static bool
id_legal(const json_t *id)
{
    return id == NULL || json_is_null(id) || json_is_integer(id) ||
           (json_is_string(id) && json_string_length(id) <= 36);
}

static void
on_request(struct streams *s, struct session *ss, const json_t *root)
{
    const json_t *id = json_object_get(root, "id");
    const json_t *params = json_object_get(root, "params");
    const char *method = json_string_value(json_object_get(root, "method"));
    char msg[256];

    if (!id_legal(id))
        reply_error(ss, 2, "Invalid request: request ID must be an unsigned integer", NULL);
    else if (method == NULL)
        reply_error(ss, 2, "Invalid request: missing field `method` at line 1 column 1", id);
    else if (strcmp(method, "SUBSCRIBE") == 0 || strcmp(method, "UNSUBSCRIBE") == 0)
        on_subscribe(s, ss, params, id, method[0] == 'S');
    else if (strcmp(method, "LIST_SUBSCRIPTIONS") == 0)
        on_list(ss, id);
    else if (strcmp(method, "SET_PROPERTY") == 0 || strcmp(method, "GET_PROPERTY") == 0)
        on_property(ss, params, id, method[0] == 'S');
    else {
        (void)snprintf(msg, sizeof(msg),
                       "Invalid request: unknown variant `%.60s`, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, "
                       "`LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY` at line 1 column 1",
                       method);
        reply_error(ss, 2, msg, id);
    }
}

void
streams_on_text(struct streams *s, struct session *ss, const char *text, size_t len)
{
    json_error_t err;
    char msg[80];
    json_t *root = json_loadb(text, len, 0, &err);

    if (root == NULL) {
        (void)snprintf(msg, sizeof(msg), "Invalid JSON: expected value at line %d column %d", err.line, err.column);
        reply_error(ss, 3, msg, NULL);
    } else if (!json_is_object(root)) {
        reply_error(ss, 2, "Invalid request: expected an object", NULL);
    } else {
        on_request(s, ss, root);
    }
    json_decref(root);
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
