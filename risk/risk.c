/* The checks. See risk.h.
 *
 * check_order() is everything that only reads; check_rates() is what counts, and comes last. What the four hot cache
 * lines of one (account, instrument) hold is struct cell. */
#include "risk/risk.h"

#define PPM 1000000

/* One (account, instrument): four adjacent cache lines. */
struct cell {
    _Alignas(CACHE_LINE) struct position position;
    struct resolved_limits limits;
    struct throttle order_rate;
};
_Static_assert(sizeof(struct cell) == 4 * CACHE_LINE, "what the hot check touches per instrument");

struct client_state {
    struct throttle order_rate;
    struct throttle denied_rate;
    struct throttle cancel_rate;
    uint32_t open_orders_max;
};

struct account_state {
    struct throttle order_rate;
    struct throttle reduce_rate;
    uint32_t open_orders_max;
};

struct venue_state {
    struct risk_venue now;
    int64_t clock_offset_max_ns;
    struct throttle order_rate;
};

struct risk {
    struct risk_counts counts;
    uint32_t limits_version; /* 0 = not loaded */
    uint32_t open_orders_max;
    bool armed;
    struct kill kill;
    struct venue_state venue[VENUE_MAX];
    struct account_state account[ACCOUNT_MAX];
    struct client_state client[CLIENT_MAX];
    struct risk_totals totals;
    struct risk_limits limits;
    struct instrument defined[INSTRUMENT_MAX]; /* as last given: to resolve again when limits change */
    struct cell *cell;                         /* [account][instrument] */
};

size_t
risk_footprint(const struct risk_counts *c)
{
    return arena_cost(sizeof(struct risk)) + arena_cost(sizeof(struct cell) * c->accounts * c->instruments);
}

struct risk *
risk_init(const struct risk_counts *c, struct arena *arena)
{
    ASSERT(c->accounts >= 1 && c->accounts <= ACCOUNT_MAX);
    ASSERT(c->instruments >= 1 && c->instruments <= INSTRUMENT_MAX);
    struct risk *r = arena_take(arena, sizeof(*r));
    r->cell = arena_take(arena, sizeof(struct cell) * c->accounts * c->instruments);
    r->counts = *c;
    kill_init(&r->kill);
    return r;
}

static struct cell *
cell_at(const struct risk *r, uint32_t account, uint32_t instrument)
{
    return &r->cell[(size_t)account * r->counts.instruments + instrument];
}

/* ---- cold: limits, definitions, venue state ------------------------------------------------------------------- */

/* A bucket that was never set starts full; a new rate keeps what is saved. */
static void
rate_change(struct throttle *t, struct rate_limit rate, struct now now)
{
    if (t->rate.per_s == 0)
        throttle_init(t, rate, now.mono);
    else
        throttle_set(t, rate, now.mono);
}

/* One instrument's limits into its cell of every account: looked up and resolved once. What cannot be resolved has
 * version 0 and denies. */
static bool
instrument_resolve(struct risk *r, const struct instrument *ins, struct now now, struct fault *fault)
{
    const struct instrument_limits *l = limits_of(&r->limits, ins);
    struct resolved_limits resolved;
    bool ok = limits_resolve(l, ins, &resolved, fault);

    for (uint32_t a = 0; a < r->counts.accounts; a++) {
        struct cell *c = cell_at(r, a, ins->id);
        c->limits = resolved;
        rate_change(&c->order_rate, l->order_rate, now);
    }
    return ok;
}

static void
resolve_all(struct risk *r, struct now now)
{
    struct fault ignored;
    for (uint32_t i = 0; i < r->counts.instruments; i++)
        if (r->defined[i].version != 0)
            (void)instrument_resolve(r, &r->defined[i], now, &ignored);
}

bool
risk_set_limits(struct risk *r, const struct risk_limits *l, struct now now, struct fault *fault)
{
    if (!limits_validate(l, fault))
        return false;
    if (l->version <= r->limits_version)
        return FAULT(fault, "limits.version: is %u, expected above %u, which is in force", l->version,
                     r->limits_version);
    r->limits = *l;
    r->limits_version = l->version;
    r->open_orders_max = l->open_orders_max;
    for (uint32_t i = 0; i < CLIENT_MAX; i++) {
        const struct client_limits *c = limits_client(l, i);
        rate_change(&r->client[i].order_rate, c->order_rate, now);
        rate_change(&r->client[i].denied_rate, c->denied_rate, now);
        rate_change(&r->client[i].cancel_rate, c->cancel_rate, now);
        r->client[i].open_orders_max = c->open_orders_max;
    }
    for (uint32_t i = 0; i < ACCOUNT_MAX; i++) {
        const struct account_limits *a = limits_account(l, i);
        rate_change(&r->account[i].order_rate, a->order_rate, now);
        rate_change(&r->account[i].reduce_rate, a->reduce_rate, now);
        r->account[i].open_orders_max = a->open_orders_max;
    }
    for (uint32_t i = 0; i < VENUE_MAX; i++) {
        const struct venue_limits *v = limits_venue(l, i);
        rate_change(&r->venue[i].order_rate, v->order_rate, now);
        r->venue[i].clock_offset_max_ns = v->clock_offset_max_ns;
    }
    resolve_all(r, now);
    return true;
}

static bool
position_empty(const struct position *p)
{
    return p->qty == 0 && p->reserved[SIDE_BUY] == 0 && p->reserved[SIDE_SELL] == 0 && p->open_count == 0;
}

bool
risk_set_instrument(struct risk *r, const struct instrument *ins, struct now now, struct fault *fault)
{
    if (ins->id >= r->counts.instruments)
        return FAULT(fault, "instrument %.*s: id %u, expected below %u", SYMBOL_BYTES, ins->symbol, ins->id,
                     r->counts.instruments);
    struct instrument *was = &r->defined[ins->id];
    bool fresh = was->version == 0;
    bool rescaled = !fresh && was->qty_decimals != ins->qty_decimals;

    for (uint32_t a = 0; a < r->counts.accounts; a++) {
        struct cell *c = cell_at(r, a, ins->id);
        if (rescaled && !position_empty(&c->position)) {
            c->limits.instrument_version = 0;
            return FAULT(fault,
                         "instrument %.*s: quantity decimals change from %u to %u while account %u holds a position "
                         "or orders in it; flatten first",
                         SYMBOL_BYTES, ins->symbol, was->qty_decimals, ins->qty_decimals, a);
        }
    }
    *was = *ins;
    for (uint32_t a = 0; (fresh || rescaled) && a < r->counts.accounts; a++) {
        struct position *p = &cell_at(r, a, ins->id)->position;
        bool reconciled = p->reconciled;
        position_init(p, ins);
        p->reconciled = reconciled;
    }
    return r->limits_version == 0 || instrument_resolve(r, ins, now, fault);
}

void
risk_set_venue(struct risk *r, uint32_t venue, const struct risk_venue *v)
{
    ASSERT(venue < VENUE_MAX);
    r->venue[venue].now = *v;
}

void
risk_arm(struct risk *r, bool armed)
{
    r->armed = armed;
}

struct kill *
risk_kill(struct risk *r)
{
    return &r->kill;
}

/* ---- hot: what only reads -------------------------------------------------------------------------------------- */

/* What check_order found out on its way, for the checks that count. */
struct found {
    struct cell *cell;
    uint32_t venue;
    bool reducing;
    qty_t more; /* quantity on top of what is reserved */
};

#define DENY(why, v, l)            \
    do {                           \
        out->reason = (why);       \
        out->value = (int64_t)(v); \
        out->limit = (int64_t)(l); \
        return (why);              \
    } while (0)

/* An age that is negative by more than the bound is as wrong as one above it. */
static inline bool
too_old(mono_ns_t now, int64_t then_ns, int64_t max_ns)
{
    int64_t age = now.ns - then_ns;
    return then_ns == 0 || age > max_ns || age < -max_ns;
}

/* The order's price is not further through ref than ppm: exact, no division. */
static inline bool
within_collar(px_t px, px_t ref, uint32_t side, uint32_t ppm)
{
    wide_t scaled = (wide_t)px * PPM;
    return side == SIDE_BUY ? scaled <= (wide_t)ref * (PPM + ppm) : scaled >= (wide_t)ref * (PPM - ppm);
}

/* The collar's bound itself, rounded against us, for the verdict. */
static COLD px_t
collar_bound(px_t ref, uint32_t side, uint32_t ppm)
{
    if (side == SIDE_BUY) {
        wide_t bound = (wide_t)ref * (PPM + ppm) / PPM;
        return bound > INT64_MAX ? INT64_MAX : (px_t)bound;
    }
    return (px_t)(((wide_t)ref * (PPM - ppm) + (PPM - 1)) / PPM);
}

static inline bool
shape_valid(const struct risk_order *o)
{
    bool rests = o->tif == TIF_GTC;
    bool tif_ok = rests || o->tif == TIF_IOC || o->tif == TIF_FOK;
    bool flags_ok = (o->flags & ~COMMAND_FLAGS_ALL) == 0 && ((o->flags & COMMAND_POST_ONLY) == 0 || rests);

    return o->side <= SIDE_SELL && o->type == ORDER_LIMIT && tif_ok && flags_ok && o->trigger_px == 0 &&
           o->quote_qty == 0 && o->expire_wall_ns == 0 && o->position_side == POSITION_NET &&
           o->margin_mode == MARGIN_NONE && (!o->amend || (o->replaced_side == o->side && o->replaced_leaves >= 0)) &&
           (o->ins->order_types >> o->type & 1) != 0 && (o->ins->tifs >> o->tif & 1) != 0;
}

/* Proven reduction: a limit order that, with everything else of its side filled, still leaves the position on its side
 * of zero. */
static inline bool
proves_reduction(const struct position *p, const struct risk_order *o)
{
    if (o->side > SIDE_SELL || o->type != ORDER_LIMIT || o->qty <= 0)
        return false;
    return o->qty <= position_reducible(p, (enum side)o->side, o->amend ? o->replaced_leaves : 0);
}

/* Check 7: DENY_NONE when the book as it is now may be a reference. */
static inline enum deny_reason
market_usable(const struct resolved_limits *l, const struct md_ref *md, struct now now, struct risk_verdict *out)
{
    if (unlikely(md == NULL))
        DENY(DENY_STALE_MARKET, 0, 0);
    const struct top_of_book *t = &md->tob;
    if (unlikely(too_old(now.mono, t->recv_ns, l->tob_age_max_ns)))
        DENY(DENY_STALE_MARKET, t->recv_ns == 0 ? 0 : now.mono.ns - t->recv_ns, l->tob_age_max_ns);
    if (unlikely(t->state != BOOK_LIVE || t->instrument_version != l->instrument_version))
        DENY(DENY_BOOK_INVALID, t->state, BOOK_LIVE);
    if (unlikely(t->bid_px <= 0 || t->ask_px <= t->bid_px))
        DENY(DENY_BOOK_INVALID, t->bid_px, t->ask_px);
    if (unlikely((wide_t)(t->ask_px - t->bid_px) * PPM > (wide_t)t->bid_px * l->spread_max_ppm))
        DENY(DENY_BOOK_INVALID, t->ask_px - t->bid_px, l->spread_max_ppm);
    return DENY_NONE;
}

/* The price that a proven reduction is held to: the touch of the last live book; 0 = none that is young enough. */
static px_t
reduction_ref(const struct resolved_limits *l, const struct md_ref *md, uint32_t side, struct now now)
{
    if (md == NULL || too_old(now.mono, md->good.recv_ns, l->good_age_max_ns) ||
        md->good.instrument_version != l->instrument_version)
        return 0;
    px_t ref = side == SIDE_BUY ? md->good.ask_px : md->good.bid_px;
    return MAX(ref, 0);
}

/* Checks 7 and 13 share their reference; 8 to 12 stand between them. */
static inline enum deny_reason
check_collar(const struct resolved_limits *l, const struct risk_order *o, const struct md_ref *md, struct now now,
             bool live, bool reducing, struct risk_verdict *out)
{
    px_t touch = live ? (o->side == SIDE_BUY ? md->tob.ask_px : md->tob.bid_px) : 0;

    if (likely(live && within_collar(o->px, touch, o->side, l->collar_ppm)))
        return DENY_NONE;
    px_t ref = touch;
    uint32_t ppm = l->collar_ppm;
    if (reducing) {
        ref = reduction_ref(l, md, o->side, now);
        ppm = l->reduce_collar_ppm;
        if (ref > 0 && within_collar(o->px, ref, o->side, ppm))
            return DENY_NONE;
    }
    DENY(DENY_PRICE_COLLAR, o->px, collar_bound(ref, o->side, ppm));
}

/* Check 19. Proven reductions may go past each limit by their extra. */
static inline enum deny_reason
check_open_orders(const struct risk *r, const struct risk_order *o, const struct cell *c, bool reducing,
                  struct risk_verdict *out)
{
    uint32_t extra = reducing ? c->limits.reduce_orders_extra : 0;
    const struct {
        uint32_t open;
        uint32_t max;
    } level[] = {
        { c->position.open_count, c->limits.open_orders_max },
        { r->totals.open_client[o->client], r->client[o->client].open_orders_max },
        { r->totals.open_account[o->account], r->account[o->account].open_orders_max },
        { r->totals.open_total, r->open_orders_max },
    };

    for (unsigned i = 0; i < ARRAY_LEN(level); i++)
        if (unlikely((uint64_t)level[i].open + 1 > (uint64_t)level[i].max + extra))
            DENY(DENY_OPEN_ORDERS, (uint64_t)level[i].open + 1, (uint64_t)level[i].max + extra);
    return DENY_NONE;
}

/* Check 20: worst case, this order included. A reduction passes by what was proven of it. */
static inline enum deny_reason
check_position(const struct cell *c, const struct risk_order *o, const struct found *f, struct risk_verdict *out)
{
    const struct resolved_limits *l = &c->limits;

    if (unlikely((o->flags & COMMAND_REDUCE_ONLY) != 0 && !f->reducing))
        DENY(DENY_POSITION, o->qty,
             position_reducible(&c->position, (enum side)o->side, o->amend ? o->replaced_leaves : 0));
    out->value = position_worst(&c->position, (enum side)o->side, f->more);
    out->limit = o->side == SIDE_BUY ? l->long_max : -l->short_max;
    bool past = o->side == SIDE_BUY ? out->value > out->limit : out->value < out->limit;
    if (unlikely(past && !f->reducing)) {
        out->reason = DENY_POSITION;
        return DENY_POSITION;
    }
    return DENY_NONE;
}

static inline enum deny_reason
check_order(const struct risk *r, const struct risk_order *o, const struct md_ref *md, struct now now, struct found *f,
            struct risk_verdict *out)
{
    *out = (struct risk_verdict){ .limits_version = r->limits_version };
    bool known_ids = o->account < r->counts.accounts && o->client < CLIENT_MAX;
    const struct instrument *ins = o->instrument < r->counts.instruments ? o->ins : NULL;
    struct cell *c = known_ids && ins != NULL ? cell_at(r, o->account, o->instrument) : NULL;
    *f = (struct found){ .cell = c, .venue = ins != NULL ? ins->venue : VENUE_MAX };
    const struct venue_state *v = f->venue < VENUE_MAX ? &r->venue[f->venue] : NULL;

    if (unlikely(r->kill.killed))
        DENY(DENY_KILLED, 0, 0);
    if (unlikely(!r->armed || r->limits_version == 0))
        DENY(DENY_NOT_ARMED, r->limits_version, 0);
    if (unlikely(v != NULL && !v->now.reconciled))
        DENY(DENY_RECONCILING, f->venue, 0);

    f->reducing = c != NULL && proves_reduction(&c->position, o);
    out->reducing = f->reducing;
    /* ids out of range read as HALTED there, so ask only with known ones; NOT_PERMITTED follows. */
    enum trading_state state = known_ids && ins != NULL
                                   ? kill_state(&r->kill, o->account, ins->venue, o->instrument, o->client)
                                   : (enum trading_state)r->kill.global;
    if (unlikely(state != TRADING_ACTIVE)) {
        if (state == TRADING_HALTED)
            DENY(DENY_HALTED, state, TRADING_ACTIVE);
        if (!f->reducing)
            DENY(DENY_REDUCE_ONLY_STATE, state, TRADING_ACTIVE);
    }
    if (unlikely(!known_ids))
        DENY(DENY_NOT_PERMITTED, o->account, o->client);

    if (unlikely(c == NULL || v == NULL || ins->id != o->instrument || ins->version == 0 ||
                 o->instrument_version != ins->version || c->limits.instrument_version != ins->version))
        DENY(DENY_UNKNOWN_INSTRUMENT, o->instrument_version, ins == NULL ? 0 : ins->version);
    const struct resolved_limits *l = &c->limits;
    if (unlikely(ins->status != INSTRUMENT_TRADING))
        DENY(DENY_INSTRUMENT_CLOSED, ins->status, INSTRUMENT_TRADING);
    if (unlikely(l->restricted))
        DENY(DENY_RESTRICTED, 0, 0);
    if (unlikely(!v->now.logged_on || !v->now.stream_in_step))
        DENY(DENY_VENUE_DOWN, v->now.logged_on, v->now.stream_in_step);
    int64_t offset = v->now.clock_offset_ns;
    if (unlikely(!v->now.clock_known || offset > v->clock_offset_max_ns || offset < -v->clock_offset_max_ns))
        DENY(DENY_CLOCK, offset, v->clock_offset_max_ns);

    enum deny_reason market = market_usable(l, md, now, out);
    if (unlikely(market != DENY_NONE)) {
        if (!f->reducing || reduction_ref(l, md, o->side, now) == 0)
            return market;
        out->reason = DENY_NONE;
    }
    if (unlikely(o->deadline_wall_ns != 0 && now.wall.ns > o->deadline_wall_ns))
        DENY(DENY_EXPIRED_COMMAND, now.wall.ns, o->deadline_wall_ns);
    if (unlikely(o->found == DENY_REPLAYED_COMMAND))
        DENY(DENY_REPLAYED_COMMAND, 0, 0);
    if (unlikely(!shape_valid(o)))
        DENY(DENY_INVALID_ORDER, o->type, o->tif);
    if (unlikely(o->found == DENY_UNKNOWN_ORDER || o->found == DENY_ORDER_DONE))
        DENY((enum deny_reason)o->found, 0, 0);

    /* tick and step >= 1: limits_resolve(). */
    if (unlikely(o->px <= 0 || o->px % l->tick != 0 || o->px < l->px_min || o->px > l->px_max))
        DENY(DENY_INCREMENT, o->px, l->tick);
    if (unlikely(o->qty <= 0 || o->qty % l->step != 0))
        DENY(DENY_INCREMENT, o->qty, l->step);
    if (unlikely(o->qty > l->qty_max))
        DENY(DENY_ORDER_QTY, o->qty, l->qty_max);
    if (unlikely(o->qty < l->qty_min))
        DENY(DENY_ORDER_QTY, o->qty, l->qty_min);
    value_t notional = notional_ceil(o->px, o->qty, l->px_decimals, l->qty_decimals, l->multiplier);
    if (unlikely(notional > l->notional_max))
        DENY(DENY_ORDER_NOTIONAL, notional, l->notional_max);
    if (unlikely(notional < l->notional_min))
        DENY(DENY_ORDER_NOTIONAL, notional, l->notional_min);
    if (unlikely(check_collar(l, o, md, now, market == DENY_NONE, f->reducing, out) != DENY_NONE))
        return out->reason;

    f->more = o->amend ? MAX(o->qty - o->replaced_leaves, 0) : o->qty;
    if (unlikely(!o->amend && check_open_orders(r, o, c, f->reducing, out) != DENY_NONE))
        return out->reason;
    if (unlikely(check_position(c, o, f, out) != DENY_NONE))
        return out->reason;
    if (unlikely(o->found != DENY_NONE))
        DENY((enum deny_reason)o->found, 0, 0);
    return DENY_NONE;
}

void
risk_prefetch(const struct risk *r, uint32_t account, uint32_t instrument, uint32_t client)
{
    if (unlikely(account >= r->counts.accounts || instrument >= r->counts.instruments || client >= CLIENT_MAX))
        return;
    const uint8_t *c = (const uint8_t *)cell_at(r, account, instrument);
    for (size_t i = 0; i < sizeof(struct cell); i += CACHE_LINE)
        __builtin_prefetch(c + i, 1);
    __builtin_prefetch(&r->client[client], 1);
    __builtin_prefetch(&r->account[account], 1);
    __builtin_prefetch(&r->totals.open_client[client]);
}

/* ---- hot: what counts ------------------------------------------------------------------------------------------ */

/* Check 17: all four buckets or none; a reduction then has one of its own. */
static inline bool
take_order_token(struct risk *r, const struct risk_order *o, const struct found *f, struct now now)
{
    struct throttle *const bucket[] = {
        &f->cell->order_rate,
        &r->client[o->client].order_rate,
        &r->account[o->account].order_rate,
        &r->venue[f->venue].order_rate,
    };
    bool ready = true;

    for (unsigned i = 0; i < ARRAY_LEN(bucket); i++)
        ready &= throttle_ready(bucket[i], now.mono);
    if (likely(ready)) {
        for (unsigned i = 0; i < ARRAY_LEN(bucket); i++)
            throttle_spend(bucket[i]);
        return true;
    }
    return f->reducing && throttle_take(&r->account[o->account].reduce_rate, now.mono);
}

bool
risk_denied(struct risk *r, uint32_t client, struct now now)
{
    if (client >= CLIENT_MAX)
        return true;
    if (r->limits_version == 0)
        return false;
    return !throttle_take(&r->client[client].denied_rate, now.mono);
}

static COLD enum deny_reason
denied(struct risk *r, uint32_t client, enum deny_reason reason, struct now now, struct risk_verdict *out)
{
    r->totals.denied[reason]++;
    out->reason = reason;
    out->flood = risk_denied(r, client, now);
    return reason;
}

enum deny_reason
risk_check(struct risk *r, const struct risk_order *o, const struct md_ref *md, struct now now,
           struct risk_verdict *out)
{
    struct found f;

    r->totals.checked++;
    if (unlikely(check_order(r, o, md, now, &f, out) != DENY_NONE))
        return denied(r, o->client, out->reason, now, out);
    if (unlikely(!take_order_token(r, o, &f, now))) {
        out->value = 0;
        out->limit = 1;
        return denied(r, o->client, DENY_ORDER_RATE, now, out);
    }
    r->totals.accepted++;
    return DENY_NONE;
}

enum deny_reason
risk_check_cancel(struct risk *r, uint32_t client, struct now now, struct risk_verdict *out)
{
    *out = (struct risk_verdict){ .limits_version = r->limits_version };
    /* Without limits there is no ceiling: a cancel never waits for configuration. */
    if (unlikely(client < CLIENT_MAX && r->limits_version != 0 &&
                 !throttle_take(&r->client[client].cancel_rate, now.mono))) {
        out->limit = r->client[client].cancel_rate.rate.per_s;
        return denied(r, client, DENY_CANCEL_RATE, now, out);
    }
    return DENY_NONE;
}

/* ---- state ----------------------------------------------------------------------------------------------------- */

static void
count_change(uint32_t *count, int change)
{
    int64_t next = (int64_t)*count + change;
    ASSERT(next >= 0 && next <= UINT32_MAX);
    *count = (uint32_t)next;
}

void
risk_apply(struct risk *r, const struct order_delta *d)
{
    ASSERT(d->account < r->counts.accounts && d->instrument < r->counts.instruments && d->client < CLIENT_MAX);
    position_apply(&cell_at(r, d->account, d->instrument)->position, d);
    count_change(&r->totals.open_total, d->open_change);
    count_change(&r->totals.open_client[d->client], d->open_change);
    count_change(&r->totals.open_account[d->account], d->open_change);
    count_change(&r->totals.unknown_total, d->unknown_change);
}

void
risk_set_position(struct risk *r, uint32_t account, uint32_t instrument, qty_t qty, bool reconciled)
{
    ASSERT(account < r->counts.accounts && instrument < r->counts.instruments);
    position_set(&cell_at(r, account, instrument)->position, qty, reconciled);
}

void
risk_set_reconciled(struct risk *r, uint32_t account, uint32_t instrument, bool reconciled)
{
    ASSERT(account < r->counts.accounts && instrument < r->counts.instruments);
    cell_at(r, account, instrument)->position.reconciled = reconciled;
}

const struct position *
risk_position(const struct risk *r, uint32_t account, uint32_t instrument)
{
    ASSERT(account < r->counts.accounts && instrument < r->counts.instruments);
    return &cell_at(r, account, instrument)->position;
}

const struct resolved_limits *
risk_resolved(const struct risk *r, uint32_t account, uint32_t instrument)
{
    ASSERT(account < r->counts.accounts && instrument < r->counts.instruments);
    return &cell_at(r, account, instrument)->limits;
}

const struct risk_limits *
risk_limits_in_force(const struct risk *r)
{
    return &r->limits;
}

const struct risk_venue *
risk_venue_of(const struct risk *r, uint32_t venue)
{
    ASSERT(venue < VENUE_MAX);
    return &r->venue[venue].now;
}

const struct risk_totals *
risk_totals(const struct risk *r)
{
    return &r->totals;
}

/* ---- cold: what would pass --------------------------------------------------------------------------------------- */

static bool
rate_would_pass(const struct risk *r, const struct risk_order *o, const struct found *f, struct now now)
{
    struct throttle copy[] = {
        f->cell->order_rate,           r->client[o->client].order_rate,    r->account[o->account].order_rate,
        r->venue[f->venue].order_rate, r->account[o->account].reduce_rate,
    };
    bool ready = true;
    for (unsigned i = 0; i < 4; i++)
        ready &= throttle_ready(&copy[i], now.mono);
    return ready || (f->reducing && throttle_ready(&copy[4], now.mono));
}

static bool
would_pass(const struct risk *r, struct risk_order *o, qty_t qty, const struct md_ref *md, struct now now,
           struct risk_verdict *out)
{
    struct found f;
    o->qty = qty;
    if (check_order(r, o, md, now, &f, out) != DENY_NONE)
        return false;
    if (rate_would_pass(r, o, &f, now))
        return true;
    out->reason = DENY_ORDER_RATE;
    return false;
}

enum deny_reason
risk_peek(const struct risk *r, const struct risk_order *o, const struct md_ref *md, struct now now,
          struct risk_verdict *out)
{
    struct risk_order copy = *o;
    return would_pass(r, &copy, o->qty, md, now, out) ? DENY_NONE : out->reason;
}

qty_t
risk_whatif(struct risk *r, const struct risk_order *order, const struct md_ref *md, struct now now,
            struct risk_verdict *binding)
{
    struct risk_order o = *order;
    bool indexed = o.account < r->counts.accounts && o.instrument < r->counts.instruments && o.ins != NULL;
    const struct resolved_limits *l = indexed ? &cell_at(r, o.account, o.instrument)->limits : NULL;

    if (l == NULL || l->instrument_version == 0 || o.px <= 0) {
        (void)would_pass(r, &o, 1, md, now, binding);
        return 0;
    }
    /* The smallest count of steps that meets every minimum; above it, more quantity can only fail more checks. */
    int64_t lo = MAX((l->qty_min + l->step - 1) / l->step, 1);
    int64_t hi = MAX(l->qty_max / l->step, lo);
    int64_t a = lo;
    int64_t b = hi;
    while (a < b) {
        int64_t mid = a + (b - a) / 2;
        if (notional_ceil(o.px, mid * l->step, l->px_decimals, l->qty_decimals, l->multiplier) < l->notional_min)
            a = mid + 1;
        else
            b = mid;
    }
    if (!would_pass(r, &o, a * l->step, md, now, binding))
        return 0;
    struct risk_verdict probe;
    b = hi;
    while (a < b) {
        int64_t mid = a + (b - a + 1) / 2;
        if (would_pass(r, &o, mid * l->step, md, now, &probe))
            a = mid;
        else
            b = mid - 1;
    }
    (void)would_pass(r, &o, (a + 1) * l->step, md, now, binding);
    return a * l->step;
}
