/* Time, chance and what is due next. */
#include "tests/sim/sim.h"

#include <stdarg.h>

#define ACTIVE_MIN_NS  (20 * NS_PER_S)
#define ACTIVE_MAX_NS  (90 * NS_PER_S)
#define SETTLE_MAX_NS  (240 * NS_PER_S)
#define SETTLE_HTTP_NS (600 * NS_PER_S) /* where questions wait for the venue's counter of HTTP calls */
#define QUIET_MIN_NS   (35 * NS_PER_S)  /* what was said late has arrived */
#define STEPS_MAX      400000u

/* splitmix64 */
uint64_t
sim_any(struct sim *s, uint64_t below)
{
    uint64_t z = s->rng += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return below == 0 ? z : z % below;
}

int64_t
sim_between(struct sim *s, int64_t low, int64_t high)
{
    return low + (int64_t)sim_any(s, (uint64_t)(high - low) + 1);
}

bool
sim_fate(struct sim *s, enum fate f)
{
    return !s->quiet && s->fate[f] != 0 && sim_any(s, 1000) < s->fate[f];
}

/* Half of the fates are off; the others come from hardly ever to as often as they may. */
void
sim_choose(struct sim *s)
{
    static const struct {
        const char *name;
        uint32_t most;
    } fate[FATE_COUNT] = {
#define X(name, most) { #name, most },
        FATES(X)
#undef X
    };
    s->kraken = sim_any(s, 3) == 0;
    s->durable = sim_any(s, 4) == 0;
    if (s->trace)
        printf("  dialect %s\n", s->kraken ? "kraken" : "binance");
    bool calm = sim_any(s, 12) == 0; /* some seeds have one fault only, or none */

    for (unsigned i = 0; i < FATE_COUNT; i++) {
        uint32_t most = fate[i].most;
        bool on = calm ? sim_any(s, FATE_COUNT) == 0 : sim_any(s, 2) == 0;
        uint32_t steep = (uint32_t)sim_any(s, 3);
        if (most == 0)
            on = false;
        uint64_t v = 1 + sim_any(s, MAX(most, 1u));
        for (; steep > 0; steep--)
            v = 1 + sim_any(s, v);
        s->fate[i] = on ? (uint32_t)v : 0;
        if (s->trace && on)
            printf("  fate %-18s %u of 1000\n", fate[i].name, s->fate[i]);
    }
    s->recv_window_ns = sim_between(s, 2, 50) * 100 * NS_PER_MS;
    s->latency_ns = sim_between(s, 1, 60) * NS_PER_MS;
    s->think_ns = sim_between(s, 10, 800) * NS_PER_MS;
    s->chases = sim_any(s, 3) == 0;
    s->eager = sim_any(s, 3) == 0;
    s->slow = sim_any(s, 4) == 0 ? 5 : 1;
    s->watches = sim_any(s, 2) == 0;
    s->deadman_ns = s->kraken && sim_any(s, 3) == 0 ? sim_between(s, 15, 60) * NS_PER_S : 0;
    s->deadman_at = 0;
    s->foreign = sim_any(s, 2) == 0 ? FOREIGN_REPORT : sim_any(s, 2) == 0 ? FOREIGN_ADOPT : FOREIGN_CANCEL;
    s->trade_ns = sim_between(s, 20, 1500) * NS_PER_MS;
    s->position_max = sim_between(s, 2, 40) * SIM_VENUE_ONE / 2;
    s->venue_ns = sim_between(s, -200, 200) * NS_PER_MS;
    s->done_kept = (uint32_t)sim_between(s, SIM_DONE / 8, SIM_DONE);
    s->keys_kept = (uint32_t)sim_between(s, 8, 64);
    s->trades_page = sim_any(s, 2) == 0 ? 500 : (uint32_t)sim_between(s, 3, 30);
    s->trades_kept = sim_any(s, 2) == 0 ? SIM_VTRADES : (uint32_t)sim_between(s, 60, 250);
}

int64_t
sim_delay(struct sim *s, bool late)
{
    if (!late)
        return (int64_t)sim_any(s, NS_PER_MS);
    uint64_t how = sim_any(s, 16);
    if (how < s->slow)
        return (int64_t)sim_any(s, 30 * NS_PER_S); /* after the question was given up and asked anew */
    if (how < s->slow + 3)
        return (int64_t)sim_any(s, 8 * NS_PER_S);
    return (int64_t)sim_any(s, 500 * NS_PER_MS);
}

int64_t
sim_answer_delay(struct sim *s, bool *late)
{
    *late = s->say_slow || sim_fate(s, FATE_reply_late);
    return s->say_slow ? (int64_t)sim_any(s, 12 * NS_PER_S) : sim_delay(s, *late);
}

/* ---- memory of a seed -------------------------------------------------------------------------------------------- */

void *
sim_take(struct sim *s, size_t bytes)
{
    size_t n = (bytes + 15) & ~(size_t)15;

    if (n > SIM_POOL - s->pool_used)
        sim_fail(s, "the simulator's own memory for one seed is used up");
    void *p = s->pool + s->pool_used;
    s->pool_used += n;
    return p;
}

/* ---- events: a heap by (time, order of making) ------------------------------------------------------------------- */

static bool
before(const struct event *a, const struct event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

void
sim_at(struct sim *s, int64_t at, enum event_kind kind, uint32_t a, uint32_t b, const void *data, uint32_t len)
{
    if (s->events == SIM_EVENTS)
        sim_fail(s, "the simulator has no room for more events");
    struct event e = { .at = MAX(at, s->t),
                       .order = ++s->event_order,
                       .kind = kind,
                       .a = a,
                       .b = b,
                       .len = len,
                       .data = data,
                       .ban = s->say_ban,
                       .hole = s->say_hole,
                       .twin = s->say_twin };
    uint32_t i = s->events++;
    for (; i > 0 && before(&e, &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = e;
}

bool
sim_next(struct sim *s, struct event *out)
{
    if (s->events == 0)
        return false;
    *out = s->heap[0];
    struct event last = s->heap[--s->events];
    uint32_t i = 0;
    for (;;) {
        uint32_t c = 2 * i + 1;
        if (c >= s->events)
            break;
        if (c + 1 < s->events && before(&s->heap[c + 1], &s->heap[c]))
            c++;
        if (!before(&s->heap[c], &last))
            break;
        s->heap[i] = s->heap[c];
        i = c;
    }
    s->heap[i] = last;
    return true;
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

void
sim_trace(struct sim *s, const char *format, ...)
{
    va_list ap;

    if (likely(!s->trace))
        return;
    printf("%12.6f  ", (double)s->t / 1e9);
    va_start(ap, format);
    (void)vprintf(format, ap);
    va_end(ap);
    printf("\n");
}

_Noreturn void
sim_fail(struct sim *s, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(s->failure, sizeof(s->failure), format, ap);
    va_end(ap);
    longjmp(s->stop, 1);
}

const char *
amount_text(int64_t v, char out[32])
{
    uint64_t u = v < 0 ? (uint64_t)-v : (uint64_t)v;

    (void)snprintf(out, 32, "%s%llu.%08llu", v < 0 ? "-" : "", (unsigned long long)(u / SIM_VENUE_ONE),
                   (unsigned long long)(u % SIM_VENUE_ONE));
    return out;
}

bool
amount_read(const char *text, int64_t *out)
{
    __int128 v = 0;
    unsigned decimals = 0;
    bool point = false;
    const char *p = text;

    for (; *p != '\0'; p++) {
        if (*p == '.' && !point && p != text) {
            point = true;
            continue;
        }
        if (*p < '0' || *p > '9' || (point && ++decimals > 8) || v > INT64_MAX / 10)
            return false;
        v = v * 10 + (*p - '0');
    }
    if (p == text || p[-1] == '.')
        return false;
    for (; decimals < 8; decimals++)
        v *= 10;
    *out = (int64_t)v;
    return v <= INT64_MAX;
}

/* ---- one seed ---------------------------------------------------------------------------------------------------- */

/* What happens once a second, if the seed wants it. */
static void
second(struct sim *s)
{
    struct core_rig *c = &s->core;

    sim_at(s, s->t + NS_PER_S, EV_SECOND, 0, 0, NULL, 0);
    wire_second(s);
    ledger_second(s);
    price_second(s);
    clients_second(s);
    promise_second(s);
    kraken_second(s);
    if (sim_fate(s, FATE_clock_step)) {
        int64_t most = sim_any(s, 4) == 0 ? 20000 : 2000;
        s->wall_ns += sim_between(s, -most, most) * NS_PER_MS;
        sim_trace(s, "the wall clock steps: %+lld ms", (long long)(s->wall_ns / NS_PER_MS));
    }
    if (sim_fate(s, FATE_pause)) {
        int64_t was = MAX(c->paused_until, s->t);
        c->paused_until = MAX(was, s->t + sim_between(s, 10, 30000) * NS_PER_MS);
        s->paused_ns += c->paused_until - was;
        sim_trace(s, "the core is paused for %lld ms", (long long)((c->paused_until - s->t) / NS_PER_MS));
    }
    if (sim_fate(s, FATE_no_room)) {
        c->no_room = true;
        sim_at(s, s->t + sim_between(s, 1, 2000) * NS_PER_MS, EV_ROOM, 0, 0, NULL, 0);
    }
}

/* Events that are the core's: a core that is paused gets them later, all at once. */
static bool
of_core(const struct event *e)
{
    return e->kind == EV_CORE_UP || e->kind == EV_CORE_DOWN || e->kind == EV_TO_CORE || e->kind == EV_DEFINITIONS ||
           e->kind == EV_SNAPSHOT || e->kind == EV_WAKE || e->kind == EV_REST_BACK || e->kind == EV_SYNC;
}

static void
dispatch(struct sim *s, const struct event *e)
{
    switch ((enum event_kind)e->kind) {
    case EV_CORE_UP:
    case EV_CORE_DOWN:
    case EV_TO_CORE:
    case EV_TO_VENUE:
    case EV_VENUE_DOWN:
    case EV_EMIT:
    case EV_PING: wire_event(s, e); break;
    case EV_REQUEST:
        if (s->kraken)
            kraken_request(s, e->a, (const char *)e->data, e->len);
        else
            binance_request(s, e->a, (const char *)e->data, e->len);
        break;
    case EV_REST: kraken_rest(s, e); break;
    case EV_REST_BACK: core_rest_back(s, e); break;
    case EV_SYNC: core_synced(s, e); break;
    case EV_TRADE: ledger_event_trade(s); break;
    case EV_MARKET:
    case EV_DEFINITIONS:
    case EV_SNAPSHOT: price_event(s, e); break;
    case EV_SECOND: second(s); break;
    case EV_CLIENT: client_act(s, e->a); break;
    case EV_AGAIN: client_again(s, e->a); break;
    case EV_RESTART:
        if (!s->core.alive)
            core_start(s);
        break;
    case EV_WAKE:
        s->core.pending = false;
        if (s->core.alive) {
            core_begin(s);
            core_end(s);
        }
        break;
    case EV_ROOM: s->core.no_room = false; break;
    }
}

static void
step(struct sim *s)
{
    struct event e;
    int64_t timer = core_next_timer(s);

    if (++s->steps > STEPS_MAX)
        sim_fail(s, "no end: more than %u events", STEPS_MAX);
    if (s->core.alive && timer < s->core.paused_until)
        timer = s->core.paused_until;
    if (s->events == 0 || (s->core.alive && timer < s->heap[0].at)) {
        s->t = MAX(s->t, timer);
        core_timers(s);
        return;
    }
    (void)sim_next(s, &e);
    s->t = MAX(s->t, e.at);
    s->say_ban = e.ban;
    s->say_hole = e.hole;
    s->say_twin = e.twin;
    bool later = s->core.alive && s->t < s->core.paused_until && of_core(&e);
    if (later)
        sim_at(s, s->core.paused_until, (enum event_kind)e.kind, e.a, e.b, e.data, e.len);
    else if (e.kind == EV_EMIT)
        dispatch(s, &e); /* its pieces carry the mark on */
    s->say_ban = 0;
    s->say_hole = s->say_twin = false;
    if (!later && e.kind != EV_EMIT)
        dispatch(s, &e);
}

static void
begin(struct sim *s, uint64_t seed, bool trace)
{
    uint8_t *pool = s->pool;
    struct core_rig *c = &s->core;

    s->seed = seed;
    s->rng = seed * UINT64_C(0x2545f4914f6cdd1d);
    s->trace = trace;
    s->quiet = false;
    s->t = NS_PER_S;
    s->wall_ns = 0;
    s->events = 0;
    s->say_ban = 0;
    s->say_hole = s->say_twin = false;
    s->say_slow = s->burst_dark = false;
    s->event_order = 0;
    s->pool = pool;
    s->pool_used = 0;
    s->wires = 0;
    s->crashes = s->steps = s->placed = s->trades_made = 0;
    s->failure[0] = '\0';
    c->segments = 0;
    c->disk_seq = 0;
    c->snapshot_bytes = c->snapshot_seq = 0;
    c->snapshots = 0;
    c->starts = 0;
    c->alive = false;
    c->last_term = 0;
    c->in_turn = false;
    c->disk_full = false;
    sim_choose(s);
    check_init(s);
    ledger_init(s);
    price_init(s);
    clients_init(s);
    promise_init(s);
    core_start(s);
    sim_at(s, s->t + NS_PER_S, EV_SECOND, 0, 0, NULL, 0);
    sim_at(s, s->t + s->trade_ns, EV_TRADE, 0, 0, NULL, 0);
}

static void
seed_run(struct sim *s)
{
    char why[256];
    int64_t active = sim_between(s, ACTIVE_MIN_NS, ACTIVE_MAX_NS);
    int64_t end = s->t + active;

    while (s->t < end)
        step(s);
    promise_lose(s);
    s->quiet = true;
    s->quiet_from = s->t;
    s->core.no_room = false;
    sim_trace(s, "faults stop");
    int64_t look = MAX(s->t, s->core.paused_until) + QUIET_MIN_NS;
    const int64_t settle_ns = s->http.max != 0 ? SETTLE_HTTP_NS : SETTLE_MAX_NS;
    end = look + settle_ns;
    for (;;) {
        step(s);
        if (s->t < look)
            continue;
        look = s->t + NS_PER_S;
        if (check_settled(s, why, sizeof(why)))
            break;
        if (s->t > end)
            sim_fail(s, "%lld s after the last fault %s", (long long)(settle_ns / NS_PER_S), why);
    }
    check_end(s);
}

bool
sim_run(struct sim *s, uint64_t seed, bool trace)
{
    volatile bool ok = false;

    if (setjmp(s->stop) == 0) {
        begin(s, seed, trace);
        seed_run(s);
        ok = true;
    }
    s->core.alive = false;
    return ok;
}
