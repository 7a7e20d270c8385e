/* The simulated market: see market.h.
 *
 * Per symbol: a fair price that walks, one house order per ladder price, and a generator (splitmix64). An action is a
 * re-quote of one ladder price (most of them near the touch), an aggressive order, or a step of the fair price that
 * moves the touch. House orders that users or aggressors took are put back when their price is re-quoted.
 *
 * Always true: every house order on the book is in its symbol's ladder slot of its price; a slot's order id may be
 * stale (filled), never wrong; no quote crosses the fair price. */
#include "bench/venue/market.h"

#include "execgw/base.h"
#include "execgw/fixed.h"

#define LEVELS_DEFAULT  250
#define LEVELS_MAX      2000
#define TRADES_DEFAULT  6
#define BACKLOG_MAX_US  INT64_C(2000000)
#define ACTIONS_PER_S   100 /* at rate 1; an action changes about two levels */
#define MOVE_LEVELS_MAX 100000
#define SECOND_US       INT64_C(1000000)

/* One quoted price. Slots of a side are a ring indexed by tick number: px / tick % slot_count. */
struct slot {
    int64_t px, order_id;
};

struct symbol_market {
    uint64_t rng;
    int symbol;
    bool paused;
    int64_t tick, step; /* of the symbol */
    int64_t spacing;    /* ladder prices are multiples of this many ticks */
    int64_t fair_px;    /* best bid < fair <= best ask, on the spacing */
    int64_t fair_fine;  /* fair price in 1/1000 of the spacing */
    int64_t next_us;
    struct slot *slot[EMU_SIDE_COUNT];
};

struct emu_market {
    struct emu_engine *e;
    uint32_t rate_milli, levels, trades_percent;
    uint32_t slot_count;
    int symbol_count;
    struct symbol_market *symbol;
};

/* ---- randomness ---- */

static uint64_t
rng_next(struct symbol_market *s)
{
    uint64_t x = s->rng += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* Uniform in [0, n). */
static int64_t
rng_below(struct symbol_market *s, int64_t n)
{
    return (int64_t)(rng_next(s) % (uint64_t)n);
}

/* Small numbers often: 0 with probability 1/8, and so on, never n or more. */
static int64_t
rng_near(struct symbol_market *s, int64_t n)
{
    int64_t v = 0;
    while (v < n - 1 && rng_below(s, 8) != 0)
        v++;
    return v;
}

/* ---- quotes ---- */

static int64_t
quote_qty(struct symbol_market *s, const struct emu_symbol_def *def, int64_t distance)
{
    /* 0.1 to 2 times the typical quantity, growing away from the touch. */
    int64_t qty = def->touch_qty / 10 + rng_below(s, def->touch_qty * 19 / 10);
    qty += qty / 50 * MIN(distance, 200);
    qty -= qty % s->step;
    return MAX(qty, def->filters.lot_min);
}

static int64_t
px_at(const struct symbol_market *s, enum emu_side side, int64_t distance)
{
    int64_t gap = s->tick * s->spacing;
    return side == EMU_BUY ? s->fair_px - gap * (distance + 1) : s->fair_px + gap * distance;
}

static struct slot *
slot_at(const struct emu_market *m, struct symbol_market *s, enum emu_side side, int64_t px)
{
    return &s->slot[side][(uint64_t)(px / (s->tick * s->spacing)) % m->slot_count];
}

static void
withdraw(struct emu_market *m, struct symbol_market *s, struct slot *slot)
{
    struct emu_cancel_req req = { .symbol = s->symbol, .order_id = slot->order_id };
    struct emu_cancel_result out;

    if (slot->order_id != 0)
        (void)emu_order_cancel(m->e, EMU_HOUSE, &req, &out); /* it may have been filled */
    *slot = (struct slot){ 0 };
}

static void
quote(struct emu_market *m, struct symbol_market *s, enum emu_side side, int64_t distance)
{
    const struct emu_symbol_def *def = emu_symbol_get(m->e, s->symbol);
    int64_t px = px_at(s, side, distance);
    if (px < def->filters.px_min)
        return;
    struct slot *slot = slot_at(m, s, side, px);
    struct slot old = *slot;
    *slot = (struct slot){ 0 };
    struct emu_order_req req = { .symbol = s->symbol,
                                 .side = side,
                                 .type = EMU_LIMIT,
                                 .tif = EMU_GTC,
                                 .px = px,
                                 .qty = quote_qty(s, def, distance) };
    struct emu_order_result out;
    if (emu_order_place(m->e, EMU_HOUSE, &req, &out) == 0 && out.order != NULL)
        *slot = (struct slot){ .px = px, .order_id = out.order->id };
    withdraw(m, s, &old); /* after the new one is there: the level does not blink */
}

/* Fills the holes of the ladder nearest to the touch, so that it never runs dry under fire. */
static void
mend(struct emu_market *m, struct symbol_market *s, int64_t depth)
{
    for (int side = 0; side < EMU_SIDE_COUNT; side++) {
        for (int64_t d = 0; d < depth; d++) {
            const struct slot *slot = slot_at(m, s, (enum emu_side)side, px_at(s, (enum emu_side)side, d));
            if (slot->order_id == 0 || emu_order_find(m->e, EMU_HOUSE, s->symbol, slot->order_id, NULL, NULL) == NULL)
                quote(m, s, (enum emu_side)side, d);
        }
    }
}

/* Withdraws every quote that the fair price has passed, or that fell out of the ladder's far end. */
static void
clear_outside(struct emu_market *m, struct symbol_market *s)
{
    for (int side = 0; side < EMU_SIDE_COUNT; side++) {
        int64_t near = px_at(s, (enum emu_side)side, 0);
        int64_t far = px_at(s, (enum emu_side)side, m->levels - 1);
        for (uint32_t i = 0; i < m->slot_count; i++) {
            struct slot *slot = &s->slot[side][i];
            if (slot->order_id != 0 && (slot->px > MAX(near, far) || slot->px < MIN(near, far)))
                withdraw(m, s, slot);
        }
    }
}

static void
set_fair(struct emu_market *m, struct symbol_market *s, int64_t px)
{
    const struct emu_filters *f = &emu_symbol_get(m->e, s->symbol)->filters;
    int64_t gap = s->tick * s->spacing;
    int64_t lowest = f->px_min + gap * (m->levels + 1);
    int64_t highest = f->px_max - gap * (m->levels + 1);

    px = MAX(MIN(px, highest), lowest);
    s->fair_px = px - px % gap;
}

/* The fair price is somewhere else: old quotes go, new ones trade through users' orders on the way. */
static void
move_to(struct emu_market *m, struct symbol_market *s, int64_t px)
{
    set_fair(m, s, px);
    clear_outside(m, s);
    mend(m, s, m->levels);
}

/* ---- actions ---- */

static void
aggress(struct emu_market *m, struct symbol_market *s)
{
    const struct emu_symbol_def *def = emu_symbol_get(m->e, s->symbol);
    enum emu_side side = rng_below(s, 2) == 0 ? EMU_BUY : EMU_SELL;
    /* Mostly a part of the touch, now and then through a few levels. */
    int64_t qty = def->touch_qty / 20 + rng_below(s, def->touch_qty);
    if (rng_below(s, 12) == 0)
        qty *= 3;
    int64_t reach = 6 * s->tick * s->spacing;
    struct emu_order_req req = { .symbol = s->symbol,
                                 .side = side,
                                 .type = EMU_LIMIT,
                                 .tif = EMU_IOC,
                                 .px = side == EMU_BUY ? s->fair_px + reach : MAX(s->fair_px - reach, s->tick),
                                 .qty = MAX(qty - qty % s->step, def->filters.lot_min) };
    struct emu_order_result out;
    (void)emu_order_place(m->e, EMU_HOUSE, &req, &out);
}

/* A step of the random walk, in thousandths of the spacing so that slow markets move too. */
static void
drift(struct emu_market *m, struct symbol_market *s)
{
    const struct emu_symbol_def *def = emu_symbol_get(m->e, s->symbol);
    int64_t gap = s->tick * s->spacing;
    /* volatility_ppm of the price per second, spread over about 16 steps (1/4 of it each). */
    int64_t size = (int64_t)((wide_t)s->fair_px * def->volatility_ppm * 1000 / 1000000 / gap / 4) + 100;
    s->fair_fine += rng_below(s, 2 * size + 1) - size;
    int64_t steps = s->fair_fine / 1000;
    if (steps == 0)
        return;
    s->fair_fine -= steps * 1000;
    move_to(m, s, s->fair_px + steps * gap);
}

static void
act(struct emu_market *m, struct symbol_market *s)
{
    int64_t dice = rng_below(s, 100);

    if (dice < m->trades_percent) {
        aggress(m, s);
        mend(m, s, 2);
    } else if (dice < m->trades_percent + 9) {
        drift(m, s);
    } else if (dice < 85) {
        quote(m, s, rng_below(s, 2) == 0 ? EMU_BUY : EMU_SELL, rng_near(s, m->levels));
    } else {
        quote(m, s, rng_below(s, 2) == 0 ? EMU_BUY : EMU_SELL, rng_below(s, m->levels));
    }
}

/* Time to the next action: uniform in [0, 2 x mean]. */
static int64_t
pause_us(const struct emu_market *m, struct symbol_market *s)
{
    int64_t mean_us = SECOND_US * 1000 / ((int64_t)ACTIONS_PER_S * m->rate_milli);
    return 1 + rng_below(s, 2 * MAX(mean_us, 1));
}

/* ---- the interface ---- */

static void
fit(struct symbol_market *s, const struct emu_symbol_def *def)
{
    s->tick = def->filters.px_tick;
    s->step = def->filters.lot_step;
    s->spacing = MAX(1, def->start_px / 200000 / s->tick); /* a ladder of 250 reaches about 0.13 % either way */
}

static void
symbol_start(struct emu_market *m, int index, uint64_t seed)
{
    struct symbol_market *s = &m->symbol[index];
    const struct emu_symbol_def *def = emu_symbol_get(m->e, index);
    int64_t start = emu_last_px(m->e, index);

    s->symbol = index;
    s->rng = seed * UINT64_C(0xd1342543de82ef95) + (uint64_t)index + 1;
    fit(s, def);
    s->next_us = emu_engine_time(m->e);
    set_fair(m, s, start != 0 ? start : def->start_px);
    mend(m, s, m->levels);
    aggress(m, s); /* a first trade: the last price is defined from here on */
    mend(m, s, m->levels);
}

struct emu_market *
emu_market_create(struct emu_engine *e, const struct emu_market_config *config)
{
    struct emu_market *m = calloc(1, sizeof(*m));
    if (m == NULL)
        return NULL;
    m->e = e;
    m->rate_milli = config->rate_milli;
    m->levels = config->levels == 0 ? LEVELS_DEFAULT : MIN(config->levels, LEVELS_MAX);
    m->trades_percent = config->trades_percent == 0 ? TRADES_DEFAULT : MIN(config->trades_percent, 80);
    m->slot_count = m->levels * 2;
    m->symbol_count = emu_symbol_count(e);
    m->symbol = calloc((size_t)m->symbol_count, sizeof(*m->symbol));
    bool ok = m->symbol != NULL;
    for (int i = 0; ok && i < m->symbol_count; i++) {
        m->symbol[i].slot[EMU_BUY] = calloc(m->slot_count, sizeof(struct slot));
        m->symbol[i].slot[EMU_SELL] = calloc(m->slot_count, sizeof(struct slot));
        ok = m->symbol[i].slot[EMU_BUY] != NULL && m->symbol[i].slot[EMU_SELL] != NULL;
    }
    if (!ok) {
        emu_market_destroy(m);
        return NULL;
    }
    for (int i = 0; i < m->symbol_count; i++)
        symbol_start(m, i, config->seed);
    return m;
}

void
emu_market_destroy(struct emu_market *m)
{
    if (m == NULL)
        return;
    for (int i = 0; m->symbol != NULL && i < m->symbol_count; i++) {
        free(m->symbol[i].slot[EMU_BUY]);
        free(m->symbol[i].slot[EMU_SELL]);
    }
    free(m->symbol);
    free(m);
}

/* The symbol whose next action is due first; NULL when none is due by now_us. */
static struct symbol_market *
due_first(struct emu_market *m, int64_t now_us)
{
    struct symbol_market *first = NULL;
    for (int i = 0; i < m->symbol_count; i++) {
        struct symbol_market *s = &m->symbol[i];
        if (!s->paused && s->next_us <= now_us && (first == NULL || s->next_us < first->next_us))
            first = s;
    }
    return first;
}

void
emu_market_refit(struct emu_market *m, int symbol)
{
    struct symbol_market *s = &m->symbol[symbol];

    for (int side = 0; side < EMU_SIDE_COUNT; side++)
        for (uint32_t i = 0; i < m->slot_count; i++)
            withdraw(m, s, &s->slot[side][i]);
    fit(s, emu_symbol_get(m->e, symbol));
    move_to(m, s, s->fair_px);
}

int
emu_market_step(struct emu_market *m, int64_t now_us)
{
    int actions = 0;

    emu_engine_set_time(m->e, now_us);
    if (m->rate_milli == 0)
        return 0;
    for (int i = 0; i < m->symbol_count; i++)
        m->symbol[i].next_us = MAX(m->symbol[i].next_us, now_us - BACKLOG_MAX_US);
    for (struct symbol_market *s = due_first(m, now_us); s != NULL; s = due_first(m, now_us)) {
        act(m, s);
        s->next_us += pause_us(m, s);
        actions++;
    }
    return actions;
}

int64_t
emu_market_next_us(const struct emu_market *m)
{
    int64_t next = INT64_MAX;
    for (int i = 0; m->rate_milli != 0 && i < m->symbol_count; i++) {
        if (!m->symbol[i].paused)
            next = MIN(next, m->symbol[i].next_us);
    }
    return next;
}

void
emu_market_pause(struct emu_market *m, int symbol, bool paused)
{
    for (int i = 0; i < m->symbol_count; i++) {
        if (symbol < 0 || symbol == i)
            m->symbol[i].paused = paused;
    }
}

void
emu_market_set_rate(struct emu_market *m, uint32_t rate_milli)
{
    m->rate_milli = rate_milli;
    for (int i = 0; i < m->symbol_count; i++)
        m->symbol[i].next_us = MAX(m->symbol[i].next_us, emu_engine_time(m->e));
}

void
emu_market_move(struct emu_market *m, int symbol, int64_t px)
{
    ASSERT(symbol >= 0 && symbol < m->symbol_count);
    move_to(m, &m->symbol[symbol], px);
}

int64_t
emu_market_fair_px(const struct emu_market *m, int symbol)
{
    ASSERT(symbol >= 0 && symbol < m->symbol_count);
    return m->symbol[symbol].fair_px;
}
