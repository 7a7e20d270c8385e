/* The client of the kill matrix: trades as fast as it is let, through every death of the gateway, until SIGTERM.
 *
 * usage: execgw-crash-client SOCKET STRATEGY SYMBOL SEED
 * Places resting orders near the touch, now and then one that takes; replaces and cancels what it believes is open.
 * After each reconnection it hands its last commands over once more, with their keys: a gateway that has them in its
 * journal must not send them again. Prints a line of counts at the end.
 *
 * Always true: a key is used for one content only. */
#include "execgw/client.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#define OPEN_MAX  24
#define AGAIN_MAX 8
#define PAUSE_US  1500

struct open {
    uint64_t key;
    enum side side;
    px_t px;
    qty_t qty;
};

struct trader {
    struct execgw *h;
    struct instrument ins;
    uint64_t random;
    struct open open[OPEN_MAX];
    unsigned open_count;
    struct command again[AGAIN_MAX]; /* the last new orders, a ring */
    uint64_t new_count;
    uint64_t submitted, repeated, cancels, replaces, reports, denied, sessions;
    uint64_t deny[DENY_REASON_COUNT];
};

static volatile sig_atomic_t stop;

static void
on_signal(int number)
{
    (void)number;
    stop = 1;
}

static uint64_t
below(struct trader *t, uint64_t n)
{
    uint64_t z = t->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % n;
}

static void
forget(struct trader *t, uint64_t key)
{
    for (unsigned i = 0; i < t->open_count; i++)
        if (t->open[i].key == key) {
            t->open[i] = t->open[--t->open_count];
            return;
        }
}

static void
remember(struct trader *t, const struct command *c)
{
    if (t->open_count < OPEN_MAX)
        t->open[t->open_count++] = (struct open){ c->key, (enum side)c->side, c->px, c->qty };
}

static void
listen_to(struct trader *t)
{
    struct report r;

    while (execgw_poll_report(t->h, &r) == EXECGW_OK) {
        t->reports++;
        t->denied += r.kind == REPORT_DENIED;
        if (r.kind == REPORT_DENIED) {
            t->deny[r.deny < DENY_REASON_COUNT ? r.deny : 0]++;
            forget(t, r.key);
            forget(t, r.request_key);
        } else if (order_state_terminal((enum order_state)r.order_state)) {
            forget(t, r.key);
        } else if (r.kind == REPORT_ORDER) { /* one of an earlier life */
            forget(t, r.key);
            remember(t, &(struct command){ .key = r.key, .side = r.side, .px = r.px, .qty = r.qty });
        }
    }
}

/* A price up to 60 steps of 1/20000 away from the touch, on the side that rests, or through it when it takes. */
static px_t
price(struct trader *t, const struct top_of_book *tob, enum side side, bool takes)
{
    px_t base = side == SIDE_BUY ? tob->bid_px : tob->ask_px;
    px_t away = base / 20000 * (px_t)(1 + below(t, takes ? 10 : 60));
    px_t px = (side == SIDE_BUY) == takes ? base + away : base - away;
    return px - px % t->ins.tick;
}

static qty_t
quantity(struct trader *t)
{
    return MAX(t->ins.step, t->ins.qty_min) * (qty_t)(20 + below(t, 200));
}

static void
place(struct trader *t, const struct top_of_book *tob)
{
    bool takes = below(t, 6) == 0;
    enum side side = below(t, 2) == 0 ? SIDE_BUY : SIDE_SELL;
    struct command c = {
        .verb = COMMAND_NEW,
        .key = execgw_next_key(t->h),
        .instrument = t->ins.id,
        .instrument_version = t->ins.version,
        .side = (uint8_t)side,
        .type = ORDER_LIMIT,
        .tif = (uint8_t)(takes && below(t, 2) == 0 ? TIF_IOC : TIF_GTC),
        .px = price(t, tob, side, takes),
        .qty = quantity(t),
    };

    if (execgw_submit(t->h, &c) != EXECGW_OK)
        return;
    t->submitted++;
    t->again[t->new_count++ % AGAIN_MAX] = c;
    remember(t, &c);
}

static void
replace(struct trader *t, const struct top_of_book *tob)
{
    struct open o = t->open[below(t, t->open_count)];
    uint64_t key = 0;
    px_t px = price(t, tob, o.side, below(t, 8) == 0);
    qty_t qty = quantity(t);

    if (execgw_replace(t->h, &t->ins, o.key, px, qty, &key) != EXECGW_OK)
        return;
    t->replaces++;
    struct command c = { .key = key, .side = (uint8_t)o.side, .px = px, .qty = qty };
    remember(t, &c);
}

static void
act(struct trader *t)
{
    struct top_of_book tob;

    if (execgw_top(t->h, t->ins.id, &tob) != EXECGW_OK || tob.state != BOOK_LIVE || tob.bid_px == 0 || tob.ask_px == 0)
        return;
    uint64_t what = below(t, 10);
    if (t->open_count >= OPEN_MAX - 2 || (what < 3 && t->open_count > 4)) {
        uint64_t key = t->open[below(t, t->open_count)].key;
        t->cancels += execgw_cancel(t->h, key) == EXECGW_OK;
    } else if (what < 4 && t->open_count > 2) {
        replace(t, &tob);
    } else {
        place(t, &tob);
    }
}

/* The last commands once more: in the order of their keys. */
static void
repeat(struct trader *t)
{
    uint64_t first = t->new_count > AGAIN_MAX ? t->new_count - AGAIN_MAX : 0;

    (void)execgw_submit(t->h, &(struct command){ .verb = COMMAND_QUERY_ORDERS });
    for (uint64_t i = first; i < t->new_count; i++)
        t->repeated += execgw_submit(t->h, &t->again[i % AGAIN_MAX]) == EXECGW_OK;
}

static void
session(struct trader *t, const char *symbol)
{
    bool known = false;

    t->sessions++;
    t->open_count = 0; /* the gateway tells what is still there */
    for (unsigned turn = 0; !stop; turn++) {
        if (execgw_wait(t->h, 0) == EXECGW_DISCONNECTED)
            return;
        listen_to(t);
        if (!known) {
            known = execgw_instrument_by_symbol(t->h, symbol, &t->ins) == EXECGW_OK;
            if (known)
                repeat(t);
        } else {
            act(t);
        }
        (void)usleep(PAUSE_US);
    }
}

int
main(int argc, char **argv)
{
    struct sigaction sa = { .sa_handler = on_signal };
    struct trader t = { 0 };

    if (argc != 5) {
        (void)fprintf(stderr, "usage: %s SOCKET STRATEGY SYMBOL SEED\n", argv[0]);
        return EXIT_USAGE;
    }
    (void)sigaction(SIGTERM, &sa, NULL);
    t.random = strtoull(argv[4], NULL, 10);
    while (!stop) {
        struct execgw_options opt = { .path = argv[1],
                                      .strategy = argv[2],
                                      .role = ROLE_STRATEGY,
                                      .on_disconnect = ON_DISCONNECT_NOTHING,
                                      .timeout_ms = 1000 };
        if (execgw_open(&opt, &t.h, NULL) == EXECGW_OK) {
            session(&t, argv[3]);
            execgw_close(t.h);
        }
        (void)usleep(5000);
    }
    (void)printf("%llu sessions, %llu new, %llu repeated, %llu replaces, %llu cancels, %llu reports, %llu denied\n",
                 (unsigned long long)t.sessions, (unsigned long long)t.submitted, (unsigned long long)t.repeated,
                 (unsigned long long)t.replaces, (unsigned long long)t.cancels, (unsigned long long)t.reports,
                 (unsigned long long)t.denied);
    for (int i = 1; i < DENY_REASON_COUNT; i++)
        if (t.deny[i] != 0)
            (void)printf("denied %s %llu\n", deny_reason_wire((enum deny_reason)i), (unsigned long long)t.deny[i]);
    return EXIT_OK;
}
