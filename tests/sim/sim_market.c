/* Prices: the public stream, snapshots and the list of instruments, with their own faults. */
#include "tests/sim/sim.h"

#include "feed/crc32.h"

#define TICK_MIN_NS (200 * NS_PER_MS)
#define TICK_MAX_NS (900 * NS_PER_MS)

static int64_t
unit(const struct price *p)
{
    int64_t u = SIM_VENUE_ONE;

    for (unsigned i = 0; i < p->px_decimals; i++)
        u /= 10;
    return u;
}

void
price_init(struct sim *s)
{
    static const char *const names[2][SIM_SYMBOLS] = { { "BTCUSDT", "ETHUSDT" }, { "BTC/USD", "ETH/USD" } };
    const char *const *name = names[s->kraken];

    for (uint32_t i = 0; i < SIM_SYMBOLS; i++) {
        struct price *p = &s->price[i];
        *p = (struct price){ .px_decimals = 2,
                             .qty_decimals = 5,
                             .status = INSTRUMENT_TRADING,
                             .tick = 1,
                             .bid = 1000 * SIM_VENUE_ONE,
                             .ask = 1000 * SIM_VENUE_ONE + 10 * (SIM_VENUE_ONE / 100),
                             .update_id = 100 };
        (void)snprintf(p->symbol, sizeof(p->symbol), "%s", name[i]);
        sim_at(s, s->t + (int64_t)sim_any(s, TICK_MAX_NS), EV_MARKET, i, 0, NULL, 0);
    }
}

void
price_definition(const struct sim *s, uint32_t symbol, struct instrument *out)
{
    const struct price *p = &s->price[symbol];

    *out = (struct instrument){
        .status = p->status,
        .px_decimals = p->px_decimals,
        .qty_decimals = p->qty_decimals,
        .order_types = 1u << ORDER_LIMIT | 1u << ORDER_MARKET,
        .tifs = 1u << TIF_GTC | 1u << TIF_IOC | 1u << TIF_FOK,
        .multiplier = VALUE_ONE,
        .tick = p->tick,
        .px_min = p->tick,
        .px_max = 100000000 / p->tick * p->tick,
        .step = 1,
        .qty_min = 1,
        .qty_max = 900000000,
        .market_qty_max = 900000000,
        .notional_max = INT64_MAX,
    };
    (void)snprintf(out->quote, sizeof(out->quote), "%s", s->kraken ? "USD" : "USDT");
    memcpy(out->settle, out->quote, sizeof(out->settle));
    (void)snprintf(out->symbol, sizeof(out->symbol), "%s", p->symbol);
    (void)snprintf(out->canonical, sizeof(out->canonical), "%.3s/%s", p->symbol, out->quote);
    (void)snprintf(out->base, sizeof(out->base), "%.3s", p->symbol);
}

/* ---- the stream -------------------------------------------------------------------------------------------------- */

static void
say(struct sim *s, char *text, int n, size_t room)
{
    uint32_t w = wire_of(s, GATEWAY_CONN(0, CONN_ROLE_MARKET));

    ASSERT(n > 0 && (size_t)n < room);
    if (w == SIM_NONE || !s->wire[w].subscribed || !s->wire[w].venue_up)
        return;
    if (sim_fate(s, FATE_feed_garbage))
        text[sim_any(s, (uint64_t)n)] = '}';
    wire_say(s, w, text, (size_t)n, 0, false);
}

/* A count of 10^-8 with `decimals` digits behind the point. */
static const char *
digits_text(int64_t v, unsigned decimals, char out[32])
{
    (void)amount_text(v, out);
    size_t n = strlen(out);
    out[n - 8 + decimals] = '\0';
    return out;
}

/* One book message of the checked dialect: one level a side, those that were before taken away. */
static void
say_book(struct sim *s, const struct price *p, int64_t was_bid, int64_t was_ask, bool whole)
{
    static struct crc32 crc;
    static bool ready;
    char text[1024];
    char sum[128];
    char b[32], a[32], q[32], gone[2][96] = { "", "" };
    size_t n = 0;

    if (!ready)
        crc32_init(&crc);
    ready = true;
    (void)digits_text(5 * SIM_VENUE_ONE, p->qty_decimals, q);
    if (!whole && was_bid != p->bid)
        (void)snprintf(gone[0], sizeof(gone[0]), "{\"price\":%s,\"qty\":%s},", digits_text(was_bid, p->px_decimals, b),
                       digits_text(0, p->qty_decimals, a));
    if (!whole && was_ask != p->ask)
        (void)snprintf(gone[1], sizeof(gone[1]), "{\"price\":%s,\"qty\":%s},", digits_text(was_ask, p->px_decimals, b),
                       digits_text(0, p->qty_decimals, a));
    (void)digits_text(p->bid, p->px_decimals, b);
    (void)digits_text(p->ask, p->px_decimals, a);
    /* Asks then bids, price then quantity, without points and leading zeros. */
    for (unsigned i = 0; i < 4; i++) {
        const char *from = i == 0 ? a : i == 2 ? b : q;
        bool begun = false;
        for (; *from != '\0'; from++) {
            begun |= *from != '0' && *from != '.';
            if (begun && *from != '.')
                sum[n++] = *from;
        }
    }
    int len = snprintf(text, sizeof(text),
                       "{\"channel\":\"book\",\"type\":\"%s\",\"data\":[{\"symbol\":\"%s\",\"bids\":[%s{\"price\":%s,"
                       "\"qty\":%s}],\"asks\":[%s{\"price\":%s,\"qty\":%s}],\"checksum\":%u,\"timestamp\":"
                       "\"2026-08-16T23:37:05.376419Z\"}]}",
                       whole ? "snapshot" : "update", p->symbol, gone[0], b, q, gone[1], a, q,
                       crc32_of(&crc, sum, n) ^ (sim_fate(s, FATE_feed_crossed) ? 1u : 0u));
    say(s, text, len, sizeof(text));
}

void
price_snapshot(struct sim *s, uint32_t symbol)
{
    say_book(s, &s->price[symbol], 0, 0, true);
}

static void
tick(struct sim *s, struct price *p)
{
    char text[1024];
    char b0[32], b1[32], a0[32], a1[32], q[32];
    int64_t was_bid = p->bid;
    int64_t was_ask = p->ask;
    int64_t u = unit(p) * p->tick;

    p->bid = (1000 * SIM_VENUE_ONE + (int64_t)sim_any(s, 200) * (SIM_VENUE_ONE / 100)) / u * u;
    p->ask = p->bid + (1 + (int64_t)sim_any(s, 20)) * u;
    p->update_id++;
    if (s->t < p->silent_until)
        return;
    if (s->kraken) {
        if (!sim_fate(s, FATE_feed_gap))
            say_book(s, p, was_bid, was_ask, false);
        return;
    }
    bool crossed = sim_fate(s, FATE_feed_crossed);
    if (!sim_fate(s, FATE_feed_gap)) {
        int n = snprintf(
            text, sizeof(text),
            "{\"e\":\"depthUpdate\",\"E\":%lld,\"s\":\"%s\",\"U\":%llu,\"u\":%llu,\"b\":[[\"%s\",\"0.00000000\"],"
            "[\"%s\",\"%s\"]],\"a\":[[\"%s\",\"0.00000000\"],[\"%s\",\"%s\"]]}",
            (long long)(venue_clock(s) / NS_PER_MS), p->symbol, (unsigned long long)p->update_id,
            (unsigned long long)p->update_id, amount_text(was_bid, b0), amount_text(crossed ? p->ask + u : p->bid, b1),
            amount_text(5 * SIM_VENUE_ONE, q), amount_text(was_ask, a0), amount_text(p->ask, a1), q);
        say(s, text, n, sizeof(text));
    }
    int n =
        snprintf(text, sizeof(text), "{\"u\":%llu,\"s\":\"%s\",\"b\":\"%s\",\"B\":\"%s\",\"a\":\"%s\",\"A\":\"%s\"}",
                 (unsigned long long)p->update_id, p->symbol, amount_text(p->bid, b1),
                 amount_text(5 * SIM_VENUE_ONE, q), amount_text(p->ask, a1), q);
    say(s, text, n, sizeof(text));
}

/* ---- what the core fetches --------------------------------------------------------------------------------------- */

static void
give_definitions(struct sim *s, bool ok)
{
    struct core_rig *c = &s->core;

    c->fetching = false;
    core_begin(s);
    for (uint32_t i = 0; ok && i < SIM_SYMBOLS; i++) {
        struct instrument def;
        price_definition(s, i, &def);
        gateway_on_definition(c->g, &def, host_clock(s));
    }
    if (ok && !s->kraken) {
        gateway_on_budget(c->g, 0, VENUE_BUDGET_WEIGHT, s->budget[BUDGET_OF_WEIGHT].limit, 60 * NS_PER_S,
                          host_clock(s));
        gateway_on_budget(c->g, 0, VENUE_BUDGET_ORDERS, s->budget[BUDGET_OF_ORDERS].limit, 10 * NS_PER_S,
                          host_clock(s));
    }
    gateway_on_definitions_end(c->g, 0, ok, host_clock(s));
    core_end(s);
}

/* A snapshot as it was when it left the venue. */
struct snapshot {
    uint32_t instrument;
    uint64_t update_id;
    int64_t bid;
    int64_t ask;
    int64_t unit;
};

static void
give_snapshot(struct sim *s, const struct snapshot *n)
{
    struct snapshot_slice slice = { .instrument = n->instrument, .is_first = true, .is_last = true };
    struct now now = host_clock(s);

    core_begin(s);
    if (sim_fate(s, FATE_snapshot_fails)) {
        slice.failed = true;
        gateway_on_snapshot(s->core.g, 0, &slice, now);
        core_end(s);
        return;
    }
    slice.last_update_id = n->update_id;
    slice.is_last = false;
    slice.side = SIDE_BUY;
    slice.count = 1;
    slice.level[0] = (struct level){ n->bid / n->unit, 500000 };
    gateway_on_snapshot(s->core.g, 0, &slice, now);
    slice.is_first = false;
    slice.is_last = true;
    slice.side = SIDE_SELL;
    slice.level[0] = (struct level){ n->ask / n->unit, 500000 };
    gateway_on_snapshot(s->core.g, 0, &slice, now);
    core_end(s);
}

/* What the venue reads of its book when the request gets there. */
static void
take_snapshot(struct sim *s, uint32_t instrument)
{
    const struct instrument *ins = route_instrument(&s->core.route, instrument, 0);
    struct snapshot *n = (struct snapshot *)sim_take(s, sizeof(*n));

    for (uint32_t i = 0; i < SIM_SYMBOLS; i++) {
        const struct price *p = &s->price[i];
        if (strcmp(p->symbol, ins->symbol) == 0)
            *n = (struct snapshot){ instrument, p->update_id, p->bid, p->ask, unit(p) };
    }
    sim_at(s, s->t + s->latency_ns, EV_SNAPSHOT, instrument, 1, n, sizeof(*n));
}

/* a: symbol, instrument or nothing; b: the start it belongs to, or 1 when the snapshot was read */
void
price_event(struct sim *s, const struct event *e)
{
    switch ((enum event_kind)e->kind) {
    case EV_MARKET:
        sim_at(s, s->t + sim_between(s, TICK_MIN_NS, TICK_MAX_NS), EV_MARKET, e->a, 0, NULL, 0);
        tick(s, &s->price[e->a]);
        break;
    case EV_DEFINITIONS:
        if (s->core.alive && s->core.fetching && e->b == s->core.starts)
            give_definitions(s, !sim_fate(s, FATE_definitions_fail));
        break;
    case EV_SNAPSHOT:
        if (!s->core.alive)
            break;
        if (e->data != NULL)
            give_snapshot(s, (const struct snapshot *)e->data);
        else
            take_snapshot(s, e->a);
        break;
    default: break;
    }
}

/* The venue changes what may be traded and how. Orders at prices of more decimals go on, and trade at them. */
void
price_second(struct sim *s)
{
    for (uint32_t i = 0; i < SIM_SYMBOLS; i++) {
        struct price *p = &s->price[i];
        if (s->quiet)
            p->status = INSTRUMENT_TRADING;
        if (sim_fate(s, FATE_feed_silent))
            p->silent_until = s->t + sim_between(s, 1, 12) * NS_PER_S;
        if (!sim_fate(s, FATE_rules_change))
            continue;
        switch (sim_any(s, 3)) {
        case 0: p->status = p->status == INSTRUMENT_TRADING ? INSTRUMENT_CLOSED : INSTRUMENT_TRADING; break;
        case 1: p->tick = p->tick == 1 ? 5 : 1; break;
        default:
            p->px_decimals = p->px_decimals == 2 ? 3 : 2;
            p->tick = 1;
            break;
        }
        sim_trace(s, "venue: %s status %u, %u decimals, tick %lld", p->symbol, p->status, p->px_decimals,
                  (long long)p->tick);
    }
}
