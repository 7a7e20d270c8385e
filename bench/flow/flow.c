/* execgw-flow: a sample strategy, and the order flow of the demonstration. Trades small sizes on live books through the
 * C client: resting orders near the touch, immediate ones that fill, cancels, replaces, and a few that the gateway must
 * deny. On its end it cancels what it has working and waits until every order is terminal.
 *
 * Between libexecgw (commands out, reports in) and one JSON line of counts on standard output.
 *
 * Always true: every order sent is counted once under the way it ended, or as `left`; the position in an instrument is
 * steered back to zero beyond POSITION_LOTS; no price or quantity is ever a double. */
#include "bench/flow/status.h"
#include "execgw/client.h"

#include <getopt.h>
#include <signal.h>
#include <time.h>

#define SYMBOLS_MAX     16
#define ORDERS_MAX      512 /* tracked at one time */
#define RESTING_MAX     8   /* per symbol; beyond it the oldest is canceled */
#define POSITION_LOTS   6   /* per symbol; beyond it only the other side trades */
#define BOOK_WAIT_NS    (60 * NS_PER_S)
#define END_WAIT_NS     (30 * NS_PER_S)
#define CANCEL_AGAIN_NS (NS_PER_S / 2)
#define PENDING_MAX_NS  (10 * NS_PER_S) /* then an unanswered cancel or replace is tried again */

enum intent { INTENT_REST, INTENT_TAKE, INTENT_OFF_INCREMENT, INTENT_COLLAR, INTENT_TOO_BIG };

struct flow_order {
    uint64_t key; /* 0 = free */
    uint32_t symbol;
    enum intent intent;
    enum side side;
    px_t px;
    qty_t qty;
    qty_t cum;
    bool live;          /* the gateway sent it */
    bool acked;         /* the venue has or had it */
    bool unknown;       /* counted as such */
    bool asked;         /* a query under way was sent after it */
    bool seen;          /* and its answer has named it */
    bool pending;       /* a cancel or replace is under way */
    int64_t pending_ns; /* since when */
    uint64_t replaces;  /* key of the order that this one is to replace; 0 = none */
};

struct symbol {
    struct instrument ins;
    struct top_of_book tob;
    qty_t position;
    unsigned resting;
};

/* X(name, JSON name): up to LEFT it is how an order ended, each counted once. */
#define FLOW_COUNTS(X)                                                                \
    X(FILLED, "filled")                                                               \
    X(CANCELED, "canceled")                                                           \
    X(DENIED, "denied")                                                               \
    X(REJECTED, "rejected")                                                           \
    X(EXPIRED, "expired")                                                             \
    X(NOT_PLACED, "not_placed")                                                       \
    X(ENDED_UNSEEN, "ended_unseen") /* its report was skipped: we were behind */      \
    X(LEFT, "left")                 /* not terminal when we gave up */                \
    X(SENT, "sent")                 /* orders: the sum of all above */                \
    X(ACKED, "acked")                                                                 \
    X(UNKNOWN, "unknown") /* orders that were so at some time */                      \
    X(REPLACED, "replaced")                                                           \
    X(FILLS, "fills")                                                                 \
    X(DENIED_AS_MEANT, "denied_as_meant")                                             \
    X(DENIED_UNMEANT, "denied_unmeant")                                               \
    X(ACCEPTED_UNMEANT, "accepted_unmeant") /* should have been denied and was not */ \
    X(CANCELS_SENT, "cancels_sent")                                                   \
    X(CANCELS_DENIED, "cancels_denied")                                               \
    X(CANCELS_REJECTED, "cancels_rejected")                                           \
    X(BEHIND, "behind")

enum count {
#define X(name, text) name,
    FLOW_COUNTS(X)
#undef X
        COUNTS
};

static const char *const count_names[COUNTS] = {
#define X(name, text) text,
    FLOW_COUNTS(X)
#undef X
};

struct flow {
    struct execgw *h;
    struct symbol symbol[SYMBOLS_MAX];
    struct instrument ins[SYMBOLS_MAX]; /* of them, for the status line */
    uint32_t symbols;
    struct status status;
    struct flow_order order[ORDERS_MAX];
    uint64_t n[COUNTS];
    uint64_t random;
    bool gone;       /* the gateway ended the session */
    bool asking;     /* a query of our open orders is under way */
    uint64_t asked;  /* its client_seq */
    bool ask_wanted; /* reports were skipped */
};

struct options {
    const char *socket;
    const char *strategy;
    char *symbols;
    int64_t rate_milli; /* actions per second, in thousandths */
    int64_t seconds_milli;
    int64_t seed;
    bool status; /* show what the gateway shows */
};

static volatile sig_atomic_t interrupted;

static void
on_signal(int sig)
{
    (void)sig;
    interrupted = 1;
}

static int64_t
mono_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* xorshift64*: enough to choose among actions, the same for the same seed. */
static uint64_t
draw(struct flow *f, uint64_t below)
{
    f->random ^= f->random >> 12;
    f->random ^= f->random << 25;
    f->random ^= f->random >> 27;
    return (f->random * UINT64_C(0x2545f4914f6cdd1d) >> 33) % below;
}

/* ---- orders ---- */

static struct flow_order *
order_find(struct flow *f, uint64_t key)
{
    for (size_t i = 0; key != 0 && i < ORDERS_MAX; i++) {
        if (f->order[i].key == key)
            return &f->order[i];
    }
    return NULL;
}

static struct flow_order *
order_take(struct flow *f)
{
    for (size_t i = 0; i < ORDERS_MAX; i++) {
        if (f->order[i].key == 0)
            return &f->order[i];
    }
    return NULL;
}

static bool
must_be_denied(const struct flow_order *o)
{
    return o->intent >= INTENT_OFF_INCREMENT;
}

/* The order is terminal: count how, forget it. */
static void
order_end(struct flow *f, struct flow_order *o, enum count how)
{
    f->n[how]++;
    if (how == DENIED)
        f->n[must_be_denied(o) ? DENIED_AS_MEANT : DENIED_UNMEANT]++;
    if (o->live && o->intent == INTENT_REST)
        f->symbol[o->symbol].resting--;
    struct flow_order *target = o->live ? NULL : order_find(f, o->replaces);
    if (target != NULL)
        target->pending = false; /* the replace did not come to anything */
    memset(o, 0, sizeof(*o));
}

static unsigned
orders_open(const struct flow *f)
{
    unsigned n = 0;
    for (size_t i = 0; i < ORDERS_MAX; i++)
        n += f->order[i].key != 0;
    return n;
}

static void
order_acked(struct flow *f, struct flow_order *o)
{
    if (!o->acked)
        f->n[ACKED]++;
    o->acked = true;
}

static void
order_live(struct flow *f, struct flow_order *o)
{
    if (o->live)
        return;
    o->live = true;
    if (o->intent == INTENT_REST)
        f->symbol[o->symbol].resting++;
    if (must_be_denied(o))
        f->n[ACCEPTED_UNMEANT]++;
}

/* ---- reports ---- */

static void
on_state(struct flow *f, struct flow_order *o, const struct report *r)
{
    static const enum count ends[ORDER_STATE_COUNT] = {
        [ORDER_FILLED] = FILLED,     [ORDER_CANCELED] = CANCELED,     [ORDER_EXPIRED] = EXPIRED,
        [ORDER_REJECTED] = REJECTED, [ORDER_NOT_PLACED] = NOT_PLACED, [ORDER_DENIED] = DENIED,
    };
    enum order_state state = (enum order_state)r->order_state;

    if (state >= ORDER_STATE_COUNT)
        return;
    if (state != ORDER_DENIED && state != ORDER_FREE)
        order_live(f, o);
    if (state >= ORDER_NEW && state <= ORDER_CANCELED)
        order_acked(f, o);
    if (request_state_unknown((enum request_state)r->request_state) && !o->unknown) {
        o->unknown = true;
        f->n[UNKNOWN]++;
    }
    if (r->request_state == REQUEST_NONE)
        o->pending = false;
    if (order_state_terminal(state))
        order_end(f, o, ends[state]);
}

/* A denial names the order (a new one: it is over; a cancel's: it stands) by key or by request_key. */
static void
on_denied(struct flow *f, const struct report *r)
{
    const uint64_t keys[] = { r->key, r->request_key };
    bool found = false;

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct flow_order *o = order_find(f, keys[i]);
        if (o == NULL)
            continue;
        found = true;
        if (!o->live) {
            order_end(f, o, DENIED);
        } else if (o->pending) {
            o->pending = false;
            f->n[CANCELS_DENIED]++;
        }
    }
    if (!found)
        f->n[CANCELS_DENIED]++; /* of an order that has ended meanwhile */
}

static struct symbol *
symbol_of(struct flow *f, uint32_t instrument)
{
    for (uint32_t i = 0; i < f->symbols; i++) {
        if (f->symbol[i].ins.id == instrument)
            return &f->symbol[i];
    }
    return NULL;
}

/* A venue that amends in place: the same order lives on, and is known by the replace's key from here on. */
static void
order_goes_on(struct flow *f, struct flow_order *o)
{
    if (o->live && o->intent == INTENT_REST)
        f->symbol[o->symbol].resting--;
    memset(o, 0, sizeof(*o));
}

/* An answer names every open order: what it does not name has ended, and how was among the reports that were skipped.
 */
static void
on_answer_end(struct flow *f)
{
    f->asking = false;
    for (size_t i = 0; i < ORDERS_MAX; i++) {
        struct flow_order *o = &f->order[i];
        if (o->key != 0 && o->asked && !o->seen)
            order_end(f, o, ENDED_UNSEEN);
        o->asked = false;
    }
}

static void
on_report(struct flow *f, const struct report *r)
{
    struct flow_order *o = order_find(f, r->key);
    struct symbol *s = symbol_of(f, r->instrument);

    switch ((enum report_kind)r->kind) {
    case REPORT_DENIED: on_denied(f, r); return;
    case REPORT_BEHIND:
        f->n[BEHIND]++;
        f->ask_wanted = true;
        return;
    case REPORT_POSITION:
        if (s != NULL)
            s->position = r->qty;
        return;
    case REPORT_END:
        if (f->asking && r->request_key == f->asked)
            on_answer_end(f);
        return;
    case REPORT_FILL:
        f->n[FILLS]++;
        if (s != NULL)
            s->position += r->side == SIDE_BUY ? r->last_qty : -r->last_qty;
        break;
    case REPORT_REPLACED:
        f->n[REPLACED]++;
        if (o == NULL || order_state_terminal((enum order_state)r->order_state))
            break;
        order_goes_on(f, o);
        return;
    case REPORT_CANCEL_REJECTED:
        f->n[CANCELS_REJECTED]++;
        if (o != NULL)
            o->pending = false;
        break;
    case REPORT_ORDER:
        if (o != NULL)
            o->seen = true;
        break;
    default: break;
    }
    if (o != NULL) {
        o->cum = r->cum_qty;
        on_state(f, o, r);
    }
}

/* Take what has arrived; sleep for more until `until_ns`. */
static void
reports_take(struct flow *f, int64_t until_ns)
{
    struct report r;

    while (!f->gone) { /* ends at until_ns */
        enum execgw_result s = execgw_poll_report(f->h, &r);
        if (s == EXECGW_OK) {
            on_report(f, &r);
            continue;
        }
        int64_t left_ns = until_ns - mono_ns();
        f->gone = s == EXECGW_DISCONNECTED;
        if (left_ns <= 0 || interrupted > 1 || f->gone)
            return;
        s = execgw_wait(f->h, (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS));
        f->gone = s == EXECGW_DISCONNECTED;
    }
}

/* ---- what to send ---- */

static void
ask_orders(struct flow *f)
{
    struct command c = { .verb = COMMAND_QUERY_ORDERS,
                         .target_client = execgw_client(f->h),
                         .instrument = INSTRUMENT_NONE };

    for (size_t i = 0; i < ORDERS_MAX; i++) {
        f->order[i].asked = f->order[i].key != 0;
        f->order[i].seen = false;
    }
    f->asking = execgw_submit(f->h, &c) == EXECGW_OK;
    f->asked = execgw_last_seq(f->h);
    f->ask_wanted = !f->asking;
}

static qty_t
round_up(qty_t v, qty_t step)
{
    return (v + step - 1) / step * step;
}

/* The smallest quantity that the instrument's rules allow at this price, and a little more. */
static qty_t
lot(const struct symbol *s, px_t px)
{
    const struct instrument *i = &s->ins;
    qty_t q = round_up(MAX(i->qty_min, 1), i->step);

    if (i->notional_min > 0 && px > 0) {
        /* qty = notional * 1.5 / px, in the integers of each: notional at 10^-8, px and qty at their decimals. */
        unsigned __int128 n = (unsigned __int128)(uint64_t)i->notional_min * 3 / 2;
        n *= (unsigned __int128)(uint64_t)pow10_i64[i->px_decimals];
        n = n / (uint64_t)px + 1;
        n = n * (uint64_t)pow10_i64[i->qty_decimals] / (uint64_t)VALUE_ONE + 1;
        if (n < INT64_MAX / 16)
            q = MAX(q, round_up((qty_t)n, i->step));
    }
    return q;
}

static enum side
choose_side(struct flow *f, const struct symbol *s, qty_t one)
{
    if (s->position > one * POSITION_LOTS)
        return SIDE_SELL;
    if (s->position < -one * POSITION_LOTS)
        return SIDE_BUY;
    return draw(f, 2) == 0 ? SIDE_BUY : SIDE_SELL;
}

static px_t
on_tick(px_t px, px_t tick)
{
    return px / tick * tick;
}

/* Price and quantity of what is meant. False when this instrument has no such mistake to make. */
static bool
terms(struct flow *f, const struct symbol *s, struct flow_order *o, enum time_in_force *tif)
{
    const struct instrument *i = &s->ins;
    px_t touch = o->side == SIDE_BUY ? s->tob.bid_px : s->tob.ask_px;
    px_t other = o->side == SIDE_BUY ? s->tob.ask_px : s->tob.bid_px;
    px_t away = o->side == SIDE_BUY ? -i->tick : i->tick;

    o->px = touch + away * (px_t)(1 + draw(f, 20));
    o->qty = round_up(lot(s, MIN(s->tob.bid_px, o->px)) * (qty_t)(1 + draw(f, 2)), i->step);
    *tif = TIF_GTC;
    switch (o->intent) {
    case INTENT_REST: return true;
    case INTENT_TAKE:
        o->px = other - away * (px_t)draw(f, 4);
        *tif = TIF_IOC;
        return true;
    case INTENT_OFF_INCREMENT:
        if (i->tick > 1)
            o->px += i->tick / 2;
        else if (i->step > 1)
            o->qty += i->step / 2;
        else
            o->qty = 0;
        return true;
    case INTENT_COLLAR: o->px = on_tick(o->side == SIDE_BUY ? other * 2 : other / 2, i->tick); return o->px > 0;
    case INTENT_TOO_BIG:
        o->qty = i->qty_max < INT64_MAX - i->step ? round_up(i->qty_max + 1, i->step) : INT64_MAX;
        return true;
    }
    return false;
}

static void
send_new(struct flow *f, uint32_t symbol, enum intent intent)
{
    struct symbol *s = &f->symbol[symbol];
    struct flow_order *o = order_take(f);
    enum time_in_force tif;
    uint64_t key = 0;

    if (o == NULL)
        return;
    struct flow_order want = { .symbol = symbol, .intent = intent, .side = choose_side(f, s, lot(s, s->tob.bid_px)) };
    if (!terms(f, s, &want, &tif))
        return;
    if (execgw_new_limit(f->h, &s->ins, want.side, want.px, want.qty, tif, 0, &key) != EXECGW_OK)
        return;
    *o = want;
    o->key = key;
    f->n[SENT]++;
}

static void
send_cancel(struct flow *f, struct flow_order *o)
{
    if (execgw_cancel(f->h, o->key) != EXECGW_OK)
        return;
    o->pending = true;
    o->pending_ns = mono_ns();
    f->n[CANCELS_SENT]++;
}

static void
send_replace(struct flow *f, struct flow_order *o)
{
    const struct symbol *s = &f->symbol[o->symbol];
    struct flow_order *fresh = order_take(f);
    struct flow_order want = *o;
    enum time_in_force tif;
    uint64_t key = 0;

    if (fresh == NULL || !terms(f, s, &want, &tif))
        return;
    if (execgw_replace(f->h, &s->ins, o->key, want.px, want.qty + o->cum, &key) != EXECGW_OK)
        return;
    o->pending = true;
    o->pending_ns = mono_ns();
    *fresh = (struct flow_order){
        .key = key,
        .symbol = o->symbol,
        .intent = INTENT_REST,
        .side = o->side,
        .px = want.px,
        .qty = want.qty,
        .replaces = o->key,
    };
    f->n[SENT]++;
}

/* An order that rests with nothing asked of it: the n-th of them, or with oldest the first sent. */
static struct flow_order *
choose_resting(struct flow *f, uint32_t symbol, bool oldest)
{
    struct flow_order *best = NULL;
    uint64_t skip = oldest ? 0 : draw(f, RESTING_MAX);
    int64_t now_ns = mono_ns();

    for (size_t i = 0; i < ORDERS_MAX; i++) {
        struct flow_order *o = &f->order[i];
        bool waits = o->pending && now_ns - o->pending_ns < PENDING_MAX_NS;
        if (o->key == 0 || o->symbol != symbol || !o->acked || waits || o->intent != INTENT_REST)
            continue;
        if (best == NULL || (oldest ? o->key < best->key : skip-- > 0))
            best = o;
    }
    return best;
}

static void
act(struct flow *f)
{
    uint32_t symbol = (uint32_t)draw(f, f->symbols);
    struct symbol *s = &f->symbol[symbol];
    uint64_t dice = draw(f, 100);
    struct flow_order *o;

    if (execgw_instrument(f->h, s->ins.id, &s->ins) != EXECGW_OK || execgw_top(f->h, s->ins.id, &s->tob) != EXECGW_OK ||
        s->tob.state != BOOK_LIVE || s->tob.bid_px <= 0 || s->tob.ask_px <= 0)
        return;
    if (s->resting >= RESTING_MAX && (o = choose_resting(f, symbol, true)) != NULL) {
        send_cancel(f, o);
    } else if (dice < 20 && (o = choose_resting(f, symbol, false)) != NULL) {
        send_cancel(f, o);
    } else if (dice < 35 && (o = choose_resting(f, symbol, false)) != NULL) {
        send_replace(f, o);
    } else if (dice < 55) {
        send_new(f, symbol, INTENT_TAKE);
    } else if (dice < 63) {
        send_new(f, symbol, (enum intent)(INTENT_OFF_INCREMENT + draw(f, 3)));
    } else {
        send_new(f, symbol, INTENT_REST);
    }
}

/* ---- beginning and end ---- */

/* Wait until every symbol has a definition and a live book. */
static bool
books_wait(struct flow *f, char *list, struct fault *fault)
{
    char *save = NULL;
    int64_t until_ns = mono_ns() + BOOK_WAIT_NS;

    for (char *name = strtok_r(list, ",", &save); name != NULL; name = strtok_r(NULL, ",", &save)) {
        if (f->symbols == SYMBOLS_MAX)
            return FAULT(fault, "--symbols: at most %d", SYMBOLS_MAX);
        struct symbol *s = &f->symbol[f->symbols++];
        for (;;) { /* ends at until_ns */
            bool live = execgw_instrument_by_symbol(f->h, name, &s->ins) == EXECGW_OK &&
                        execgw_top(f->h, s->ins.id, &s->tob) == EXECGW_OK && s->tob.state == BOOK_LIVE;
            if (live)
                break;
            if (interrupted || f->gone || mono_ns() >= until_ns)
                return FAULT(fault, "%s: no live book within %lld s", name, (long long)(BOOK_WAIT_NS / NS_PER_S));
            reports_take(f, mono_ns() + 50 * NS_PER_MS);
        }
    }
    return f->symbols > 0 || FAULT(fault, "--symbols is empty");
}

/* Cancel what is open, again if need be, until all is terminal. */
static void
wind_down(struct flow *f)
{
    int64_t until_ns = mono_ns() + END_WAIT_NS;
    int64_t ask_ns = mono_ns() + 5 * NS_PER_S;

    while (orders_open(f) > 0 && !f->gone && mono_ns() < until_ns && interrupted < 2) {
        int64_t now_ns = mono_ns();
        for (size_t i = 0; i < ORDERS_MAX; i++) {
            struct flow_order *o = &f->order[i];
            if (o->key != 0 && o->live && (!o->pending || now_ns - o->pending_ns > CANCEL_AGAIN_NS))
                send_cancel(f, o);
        }
        if (!f->asking && (f->ask_wanted || now_ns >= ask_ns)) { /* something went unreported: ask */
            ask_ns = now_ns + 5 * NS_PER_S;
            ask_orders(f);
        }
        reports_take(f, mono_ns() + 20 * NS_PER_MS);
    }
    f->n[LEFT] = orders_open(f);
}

static int
flow_run(struct flow *f, const struct options *opt, struct fault *fault)
{
    struct command positions = { .verb = COMMAND_QUERY_POSITIONS, .instrument = INSTRUMENT_NONE };

    if (!books_wait(f, opt->symbols, fault))
        return EXIT_FAILED;
    (void)execgw_submit(f->h, &positions);
    int64_t start_ns = mono_ns();
    for (uint32_t i = 0; i < f->symbols; i++)
        f->ins[i] = f->symbol[i].ins;
    if (opt->status && !status_init(&f->status, f->h, start_ns)) {
        (void)FAULT(fault, "the gateway's metrics are of another build");
        return EXIT_FAILED;
    }
    int64_t step_ns = NS_PER_S * 1000 / opt->rate_milli;
    int64_t end_ns = opt->seconds_milli > 0 ? start_ns + opt->seconds_milli * NS_PER_MS : INT64_MAX;
    for (int64_t next_ns = start_ns; !interrupted && !f->gone && next_ns < end_ns; next_ns += step_ns) {
        reports_take(f, next_ns);
        if (f->ask_wanted && !f->asking)
            ask_orders(f);
        act(f);
        if (opt->status)
            status_tick(&f->status, f->ins, f->symbols, mono_ns());
    }
    wind_down(f);
    if (opt->status) {
        bool good = status_summary(&f->status);
        if (f->gone)
            (void)FAULT(fault, "the gateway ended the session");
        else if (!good)
            (void)FAULT(fault, "the run had no book in sync, no fill, or ended with an unknown outcome");
        return good && !f->gone && f->n[LEFT] == 0 ? EXIT_OK : EXIT_FAILED;
    }
    printf("{\"strategy\":\"%s\",\"seconds\":%lld.%03lld", opt->strategy,
           (long long)((mono_ns() - start_ns) / NS_PER_S), (long long)((mono_ns() - start_ns) / NS_PER_MS % 1000));
    for (size_t i = 0; i < COUNTS; i++)
        printf(",\"%s\":%llu", count_names[i], (unsigned long long)f->n[i]);
    printf("}\n");
    if (f->gone)
        (void)FAULT(fault, "the gateway ended the session");
    else if (f->n[LEFT] > 0)
        (void)FAULT(fault, "%llu orders did not become terminal", (unsigned long long)f->n[LEFT]);
    return f->gone || f->n[LEFT] > 0 ? EXIT_FAILED : EXIT_OK;
}

static _Noreturn void
usage(void)
{
    (void)fprintf(stdout,
                  "usage: execgw-flow --symbols BTCUSDT,ETHUSDT [options]\n\n"
                  "Trades a small random flow through a running gateway; prints one JSON line of counts at its end.\n\n"
                  "  --socket PATH    the gateway's socket (default as execgw-cli's)\n"
                  "  --strategy NAME  as configured in the gateway (default demo)\n"
                  "  --rate N         actions per second (default 20)\n"
                  "  --seconds N      0 = until interrupted (default 0)\n"
                  "  --seed N         of its choices (default 1)\n"
                  "  --status         a line a second of what the gateway shows, and its totals as the JSON line\n"
                  "  --help, --version\n");
    exit(EXIT_OK);
}

static bool
number(const char *text, unsigned decimals, int64_t min, int64_t max, int64_t *out)
{
    int64_t v;
    if (decimal_parse(text, strlen(text), decimals, &v) != DECODE_OK || v < min || v > max)
        return false;
    *out = v;
    return true;
}

static bool
options_read(struct options *opt, int argc, char **argv)
{
    static const struct option names[] = {
        { "socket", required_argument, NULL, 's' },  { "strategy", required_argument, NULL, 'n' },
        { "symbols", required_argument, NULL, 'y' }, { "rate", required_argument, NULL, 'r' },
        { "seconds", required_argument, NULL, 't' }, { "seed", required_argument, NULL, 'd' },
        { "status", no_argument, NULL, 'u' },        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'v' },       { NULL, 0, NULL, 0 },
    };
    int id;

    opterr = 0;
    while ((id = getopt_long(argc, argv, ":", names, NULL)) != -1) {
        bool good = true;
        switch (id) {
        case 's': opt->socket = optarg; break;
        case 'n': opt->strategy = optarg; break;
        case 'y': opt->symbols = optarg; break;
        case 'r': good = number(optarg, 3, 1, INT64_C(100000000), &opt->rate_milli); break;
        case 't': good = number(optarg, 3, 0, INT64_C(1000000000), &opt->seconds_milli); break;
        case 'd': good = number(optarg, 0, 0, INT64_MAX, &opt->seed); break;
        case 'u': opt->status = true; break;
        case 'h': usage();
        case 'v': printf("execgw-flow %s\n", EXECGW_VERSION); exit(EXIT_OK);
        case ':':
            (void)fprintf(stderr, "execgw-flow: %s: expected a value after it; --help lists them\n", argv[optind - 1]);
            return false;
        default:
            (void)fprintf(stderr, "execgw-flow: %s: there is no such option; --help lists them\n", argv[optind - 1]);
            return false;
        }
        if (!good) {
            (void)fprintf(stderr, "execgw-flow: %s is not a number that is expected here\n", optarg);
            return false;
        }
    }
    if (optind == argc && opt->symbols != NULL)
        return true;
    (void)fprintf(stderr, "execgw-flow: %s; --help lists what there is\n",
                  optind == argc ? "expected --symbols" : "expected options and no argument");
    return false;
}

int
main(int argc, char **argv)
{
    struct options opt = { .strategy = "demo", .rate_milli = 20000, .seed = 1 };
    struct sigaction act_on = { .sa_handler = on_signal };
    struct fault fault = { "" };

    if (!options_read(&opt, argc, argv))
        return EXIT_USAGE;
    (void)sigaction(SIGINT, &act_on, NULL);
    (void)sigaction(SIGTERM, &act_on, NULL);
    struct flow *f = calloc(1, sizeof(*f));
    ASSERT(f != NULL);
    f->random = (uint64_t)opt.seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    struct execgw_options session = { .path = opt.socket, .strategy = opt.strategy, .role = ROLE_STRATEGY };
    int code = EXIT_FAILED;
    switch (execgw_open(&session, &f->h, &fault)) {
    case EXECGW_OK: code = flow_run(f, &opt, &fault); break;
    case EXECGW_NOT_RUNNING: code = EXIT_UNAVAILABLE; break;
    default: break;
    }
    if (fault.text[0] != '\0')
        (void)fprintf(stderr, "execgw-flow: %s\n", fault.text);
    execgw_close(f->h);
    free(f);
    return code;
}
