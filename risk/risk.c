/* The checks. See risk.h.
 *
 * check_order() is everything that only reads, in the order of DENY_REASONS; check_counts() is what counts, and comes
 * last: it refills buckets and spends nothing. risk_spend() spends, once everything has passed. */
#include "execgw/admission.h"
#include "risk/risk_state.h"

#define PPM 1000000

/* What check_order found out on its way, for the checks that count. */
struct found {
    struct cell *cell;
    uint32_t venue;
    bool reducing;
    bool alien; /* reduces the account's position, but not by what this strategy holds of it */
    px_t px;    /* the order's; a market order's worst */
    qty_t more; /* quantity on top of what is reserved */
    bool roomy; /* every limit of money has room for it: nothing more to look at */
};

#define DENY(why, v, l)            \
    do {                           \
        out->reason = (why);       \
        out->value = (int64_t)(v); \
        out->limit = (int64_t)(l); \
        return (why);              \
    } while (0)

/* ---- pieces ---------------------------------------------------------------------------------------------------- */

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

/* Side, type, time in force and their fields go together, and the venue takes them. */
static inline bool
shape_valid(const struct risk_order *o, struct now now)
{
    bool market = o->type == ORDER_MARKET;
    bool rests = (o->tif == TIF_GTC || o->tif == TIF_GTD) && !market;
    bool tif_ok = o->tif < TIF_COUNT && (o->tif == TIF_GTD ? o->expire_wall_ns > now.wall.ns : o->expire_wall_ns == 0);
    bool flags_ok =
        (o->flags & ~COMMAND_FLAGS_ALL) == 0 && ((o->flags & COMMAND_POST_ONLY) == 0 || (rests && o->tif == TIF_GTC));
    bool type_ok = o->type < ORDER_TYPE_COUNT && (o->type == ORDER_STOP_LIMIT) == (o->trigger_px != 0) &&
                   (!market || (o->px == 0 && !o->replace));

    return o->side <= SIDE_SELL && type_ok && tif_ok && flags_ok && o->quote_qty == 0 &&
           o->position_side == POSITION_NET && o->margin_mode == MARGIN_NONE &&
           (!o->amend || (o->replaced_side == o->side && o->replaced_leaves >= 0)) &&
           (o->ins->order_types >> o->type & 1) != 0 && (market || (o->ins->tifs >> o->tif & 1) != 0);
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

/* Does a reduction of the account's position take what another strategy holds? Then it increases this one's own part,
 * and this one's own limits hold. What nobody holds (the venue told it) is everybody's to reduce; an operator's orders
 * have no strategy. */
static __attribute__((noinline)) bool
takes_anothers(const struct risk *r, const struct risk_order *o, const struct position *p)
{
    const struct holding *own = client_part(r, o->client, o->account, o->instrument);
    int sign = o->side == SIDE_SELL ? 1 : -1;
    wide_t nobodys = (wide_t)sign * p->qty;
    wide_t room = 0;

    if (own != NULL) {
        qty_t busy = own->reserved[o->side] - (o->amend ? MIN(o->replaced_leaves, own->reserved[o->side]) : 0);
        room = MAX((wide_t)sign * own->pnl.held, 0) - busy;
    }
    if (o->qty <= room || o->client == CLIENT_OPERATOR)
        return false;
    for (uint64_t left = r->market[o->instrument].holders; left != 0; left &= left - 1) {
        const struct holding *h = client_part(r, (uint32_t)__builtin_ctzll(left), o->account, o->instrument);
        if (h != NULL)
            nobodys -= (wide_t)sign * h->pnl.held;
    }
    return o->qty > room + MAX(nobodys, 0);
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

/* Checks 2 to 6: may anything be sent by this client, here, now? */
static inline enum deny_reason
check_state(const struct risk *r, const struct risk_order *o, const struct found *f, bool known_ids,
            struct risk_verdict *out)
{
    const struct venue_state *v = f->venue < VENUE_MAX ? &r->venue[f->venue] : NULL;

    /* Ids out of range read as HALTED there, so ask only with known ones; NOT_PERMITTED follows. */
    enum trading_state state = known_ids && v != NULL
                                   ? kill_state(&r->kill, o->account, f->venue, o->instrument, o->client)
                                   : (enum trading_state)r->kill.global;
    if (unlikely(state != TRADING_ACTIVE)) {
        if (state == TRADING_HALTED)
            DENY(DENY_HALTED, state, TRADING_ACTIVE);
        if (!f->reducing || (f->alien && r->kill.client[o->client] != TRADING_ACTIVE))
            DENY(DENY_REDUCE_ONLY_STATE, state, TRADING_ACTIVE);
    }
    if (unlikely(!known_ids))
        DENY(DENY_NOT_PERMITTED, o->account, o->client);
    const struct client_state *cs = &r->client[o->client];
    if (unlikely((cs->group.tripped & 1u << TRIP_FLOOD) != 0))
        DENY(DENY_HALTED, TRADING_HALTED, TRADING_ACTIVE);
    unsigned verb = o->replace ? COMMAND_REPLACE : COMMAND_NEW;
    if (unlikely((cs->accounts >> o->account & 1) == 0 || (cs->verbs >> verb & 1) == 0))
        DENY(DENY_NOT_PERMITTED, o->account, verb);
    if (unlikely(v != NULL && o->account != v->now.account)) /* its limits and positions are of another's */
        DENY(DENY_NOT_PERMITTED, o->account, v->now.account);
    if (unlikely(cs->symbols_only && o->instrument < r->counts.instruments &&
                 (r->market[o->instrument].permitted >> o->client & 1) == 0))
        DENY(DENY_NOT_PERMITTED, o->instrument, o->client);

    const struct instrument *ins = o->ins;
    if (unlikely(f->cell == NULL || v == NULL || ins->id != o->instrument || ins->version == 0 ||
                 o->instrument_version != ins->version))
        DENY(DENY_UNKNOWN_INSTRUMENT, o->instrument_version, ins == NULL ? 0 : ins->version);
    uint32_t resolved = f->cell->limits.instrument_version;
    if (unlikely(resolved != ins->version)) { /* 0, and defined: nothing can meet the limits */
        bool closed = resolved == 0 && r->defined[o->instrument].version == ins->version;
        DENY(closed ? DENY_INSTRUMENT_CLOSED : DENY_UNKNOWN_INSTRUMENT, resolved, ins->version);
    }
    if (unlikely(ins->status != INSTRUMENT_TRADING))
        DENY(DENY_INSTRUMENT_CLOSED, ins->status, INSTRUMENT_TRADING);
    if (unlikely(f->cell->limits.restricted))
        DENY(DENY_RESTRICTED, 0, 0);
    if (unlikely(!v->now.logged_on || !v->now.stream_in_step))
        DENY(DENY_VENUE_DOWN, v->now.logged_on, v->now.stream_in_step);
    int64_t offset = v->now.clock_offset_ns;
    if (unlikely(!v->now.clock_known || offset > v->clock_offset_max_ns || offset < -v->clock_offset_max_ns))
        DENY(DENY_CLOCK, offset, v->clock_offset_max_ns);
    return DENY_NONE;
}

/* Checks 10 to 12. tick and step >= 1: limits_resolve(). */
static inline enum deny_reason
check_numbers(const struct resolved_limits *l, const struct risk_order *o, px_t px, struct risk_verdict *out)
{
    if (unlikely(o->type != ORDER_MARKET &&
                 (o->px <= 0 || o->px % l->tick != 0 || o->px < l->px_min || o->px > l->px_max)))
        DENY(DENY_INCREMENT, o->px, l->tick);
    if (unlikely(o->trigger_px != 0 && (o->trigger_px < 0 || o->trigger_px % l->tick != 0)))
        DENY(DENY_INCREMENT, o->trigger_px, l->tick);
    if (unlikely(o->qty <= 0 || o->qty % l->step != 0))
        DENY(DENY_INCREMENT, o->qty, l->step);
    if (unlikely(o->qty > l->qty_max))
        DENY(DENY_ORDER_QTY, o->qty, l->qty_max);
    if (unlikely(o->type == ORDER_MARKET && o->ins->market_qty_max > 0 && o->qty > o->ins->market_qty_max))
        DENY(DENY_ORDER_QTY, o->qty, o->ins->market_qty_max);
    if (unlikely(o->qty < l->qty_min))
        DENY(DENY_ORDER_QTY, o->qty, l->qty_min);
    /* A market order that the book does not show in full has no price: SWEEP says so. */
    if (unlikely(px <= 0))
        return DENY_NONE;
    value_t notional = limits_notional(l, px, o->qty);
    if (unlikely(notional > l->notional_max))
        DENY(DENY_ORDER_NOTIONAL, notional, l->notional_max);
    if (unlikely(notional < l->notional_min))
        DENY(DENY_ORDER_NOTIONAL, notional, l->notional_min);
    return DENY_NONE;
}

/* Check 13, and 14 for market orders. Checks 7 and 13 share their reference. A stop is held to its trigger: that is
 * where the touch will be. */
static inline enum deny_reason
check_collar(const struct resolved_limits *l, const struct risk_order *o, const struct md_ref *md, struct now now,
             bool live, bool reducing, struct risk_verdict *out)
{
    px_t touch = live ? (o->side == SIDE_BUY ? md->tob.ask_px : md->tob.bid_px) : 0;

    if (unlikely(o->type == ORDER_MARKET)) {
        if (o->sweep_qty < o->qty || o->sweep_px <= 0)
            DENY(DENY_SWEEP, o->qty, o->sweep_qty);
        if (!live || !within_collar(o->sweep_px, touch, o->side, l->collar_ppm))
            DENY(DENY_SWEEP, o->sweep_px, collar_bound(touch, o->side, l->collar_ppm));
        return DENY_NONE;
    }
    if (unlikely(o->type == ORDER_STOP_LIMIT))
        touch = o->trigger_px;
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

static inline bool
one_more_fits(uint32_t open, uint32_t max, uint32_t extra)
{
    return (uint64_t)open + 1 <= (uint64_t)max + extra;
}

/* Check 19, the first level that has no room. */
static COLD enum deny_reason
open_orders_named(const struct risk *r, const struct risk_order *o, const struct cell *c, uint32_t extra,
                  struct risk_verdict *out)
{
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
        if (!one_more_fits(level[i].open, level[i].max, extra))
            DENY(DENY_OPEN_ORDERS, (uint64_t)level[i].open + 1, (uint64_t)level[i].max + extra);
    return DENY_NONE;
}

/* Check 19. Proven reductions may go past each limit by their extra. */
static inline enum deny_reason
check_open_orders(const struct risk *r, const struct risk_order *o, const struct cell *c, bool reducing,
                  struct risk_verdict *out)
{
    uint32_t extra = unlikely(reducing) ? c->limits.reduce_orders_extra : 0;

    if (likely(one_more_fits(c->position.open_count, c->limits.open_orders_max, extra) &
               one_more_fits(r->totals.open_client[o->client], r->client[o->client].open_orders_max, extra) &
               one_more_fits(r->totals.open_account[o->account], r->account[o->account].open_orders_max, extra) &
               one_more_fits(r->totals.open_total, r->open_orders_max, extra)))
        return DENY_NONE;
    return open_orders_named(r, o, c, extra, out);
}

/* Check 20: worst case, this order included. A reduction passes by what was proven of it. */
static inline enum deny_reason
check_position(const struct cell *c, const struct risk_order *o, const struct found *f, struct risk_verdict *out)
{
    const struct resolved_limits *l = &c->limits;

    out->value = position_worst(&c->position, (enum side)o->side, f->more);
    out->limit = o->side == SIDE_BUY ? l->long_max : -l->short_max;
    bool past = o->side == SIDE_BUY ? out->value > out->limit : out->value < out->limit;
    if (unlikely(past && !f->reducing)) {
        out->reason = DENY_POSITION;
        return DENY_POSITION;
    }
    return DENY_NONE;
}

/* ---- money: checks 21, 22, 25 ------------------------------------------------------------------------------------ */

/* What one order adds to a party's worst case, in quantity: by side, and to the larger of the two. */
struct adds {
    qty_t larger; /* of |worst long|, |worst short|: how much it grows */
    qty_t side;   /* worst long up, or worst short down: signed amount is +- */
};

static inline qty_t
magnitude(qty_t q)
{
    return q < 0 ? -q : q;
}

/* A party's worst case by held and reserved quantities. */
static inline struct adds
adds_of(qty_t held, const qty_t reserved[2], uint32_t side, qty_t more)
{
    qty_t worst_long = qty_add(held, reserved[SIDE_BUY]);
    qty_t worst_short = qty_add(held, -reserved[SIDE_SELL]);
    qty_t up = magnitude(worst_long);
    qty_t down = magnitude(worst_short);
    qty_t then = magnitude(side == SIDE_BUY ? qty_add(worst_long, more) : qty_add(worst_short, -more));

    return (struct adds){ .larger = MAX(then - MAX(up, down), 0), .side = more };
}

static inline int64_t
clamp64(wide_t v)
{
    return v > INT64_MAX ? INT64_MAX : v < -INT64_MAX ? -INT64_MAX : (int64_t)v;
}

/* Check 21 at one level. */
static enum deny_reason
exposure_within(const struct group *g, value_t larger, value_t by_side, uint32_t side, struct risk_verdict *out)
{
    wide_t gross = g->gross + larger;
    wide_t net = side == SIDE_BUY ? g->net_long + by_side : -(g->net_short - by_side);

    if (unlikely(g->unmarked != 0 && (g->limits.gross_max != LIMIT_NONE || g->limits.net_max != LIMIT_NONE)))
        DENY(DENY_EXPOSURE, g->unmarked, 0);
    if (unlikely(gross > g->limits.gross_max))
        DENY(DENY_EXPOSURE, clamp64(gross), g->limits.gross_max);
    if (unlikely(net > g->limits.net_max))
        DENY(DENY_EXPOSURE, clamp64(net), g->limits.net_max);
    return DENY_NONE;
}

/* What an account owns, in the reporting currency, rounded down; false when a balance has no rate. Cold: few limits
 * ask for it. */
static COLD bool
equity_of(const struct risk *r, uint32_t account, struct now now, value_t *out)
{
    wide_t sum = 0;
    bool any = false;

    for (uint16_t c = 0; c < CURRENCY_MAX; c++) {
        const struct balance *b = &r->balance[account][c];
        if (!b->known || b->budget == 0)
            continue;
        int64_t rate = rate_of(r, c, now);
        if (rate == 0)
            return false;
        wide_t held = b->budget / ((wide_t)pow10_i64[NEED_DECIMALS - VALUE_DECIMALS]);
        sum += rate_convert_floor((value_t)clamp64(held), rate);
        any = true;
    }
    *out = (value_t)clamp64(sum);
    return any;
}

static inline enum deny_reason
check_leverage(const struct risk *r, const struct risk_order *o, value_t larger, struct now now,
               struct risk_verdict *out)
{
    const struct account_state *a = &r->account[o->account];
    value_t equity;

    if (likely(a->leverage_max_ppm == LIMIT_COUNT_NONE))
        return DENY_NONE;
    if (a->group.unmarked != 0 || !equity_of(r, o->account, now, &equity) || equity <= 0)
        DENY(DENY_EXPOSURE, 0, 0);
    wide_t gross = a->group.gross + larger;
    if (gross * PPM > (wide_t)equity * a->leverage_max_ppm)
        DENY(DENY_EXPOSURE, clamp64(gross * PPM / equity), a->leverage_max_ppm);
    return DENY_NONE;
}

static inline bool
fits(const struct group *g, value_t larger, value_t by_side, uint32_t side)
{
    return (larger <= g->room_gross) & (by_side <= g->room_side[side]) & (by_side <= g->room_value) & !g->stopped;
}

/* The groups an order belongs to, one by one. */
static COLD enum deny_reason
exposure_named(const struct risk *r, const struct risk_order *o, uint32_t venue, value_t own_larger, value_t larger,
               value_t by_side, struct risk_verdict *out)
{
    if (exposure_within(&r->client[o->client].group, own_larger, by_side, o->side, out) != DENY_NONE ||
        exposure_within(&r->account[o->account].group, larger, by_side, o->side, out) != DENY_NONE ||
        exposure_within(&r->venue[venue].group, larger, by_side, o->side, out) != DENY_NONE ||
        exposure_within(&r->global, larger, by_side, o->side, out) != DENY_NONE)
        return DENY_EXPOSURE;
    return DENY_NONE;
}

/* Check 21: a strategy's own part in its limits, the account's whole in the others. */
static inline enum deny_reason
check_exposure(const struct risk *r, const struct risk_order *o, struct found *f, struct now now,
               struct risk_verdict *out)
{
    const struct market *m = &r->market[o->instrument];
    const struct position *p = &f->cell->position;
    uint16_t index = *part_index(r, o->client, o->account, o->instrument);
    const struct holding *part = &r->part[index]; /* the first is empty */

    if (unlikely(index == 0 && r->parts == PARTS_MAX))
        DENY(DENY_EXPOSURE, PARTS_MAX, PARTS_MAX - 1);
    if (unlikely(m->value.unit == 0 || too_old(now.mono, m->value.mark_ns, r->mark_age_max_ns)))
        DENY(DENY_EXPOSURE, m->value.unit == 0 ? 0 : now.mono.ns - m->value.mark_ns, r->mark_age_max_ns);
    struct adds own = adds_of(part->pnl.held, part->reserved, o->side, f->more);
    struct adds all = adds_of(p->qty, p->reserved, o->side, f->more);
    value_t by_side = valuation_of(&m->value, f->more);
    value_t own_larger = own.larger == f->more ? by_side : valuation_of(&m->value, own.larger);
    value_t larger = all.larger == f->more ? by_side : valuation_of(&m->value, all.larger);

    f->roomy = fits(&r->client[o->client].group, own_larger, by_side, o->side) &
               fits(&r->account[o->account].group, larger, by_side, o->side) &
               fits(&r->venue[f->venue].group, larger, by_side, o->side) & fits(&r->global, larger, by_side, o->side);
    if (unlikely(!f->roomy && exposure_named(r, o, f->venue, own_larger, larger, by_side, out) != DENY_NONE))
        return DENY_EXPOSURE;
    return check_leverage(r, o, larger, now, out);
}

/* Of an order that reduces another strategy's position: this strategy's own limits. */
static COLD enum deny_reason
check_own_exposure(const struct risk *r, const struct risk_order *o, const struct found *f, struct now now,
                   struct risk_verdict *out)
{
    const struct market *m = &r->market[o->instrument];
    const struct group *g = &r->client[o->client].group;
    const struct holding *part = &r->part[*part_index(r, o->client, o->account, o->instrument)];

    if (g->limits.gross_max == LIMIT_NONE && g->limits.net_max == LIMIT_NONE)
        return DENY_NONE;
    if (m->value.unit == 0 || too_old(now.mono, m->value.mark_ns, r->mark_age_max_ns))
        DENY(DENY_EXPOSURE, 0, r->mark_age_max_ns);
    struct adds own = adds_of(part->pnl.held, part->reserved, o->side, f->more);
    return exposure_within(g, valuation_of(&m->value, own.larger), valuation_of(&m->value, f->more), o->side, out);
}

/* Check 22. Spot: a buy needs its price, a sell what it sells. A derivative needs margin for its worst case. */
static inline enum deny_reason
check_balance(const struct risk *r, const struct risk_order *o, const struct found *f, struct risk_verdict *out)
{
    const struct market *m = &r->market[o->instrument];
    const struct resolved_limits *l = &f->cell->limits;
    const struct balance *b;
    wide_t need;

    if (!r->venue[f->venue].now.has_balances)
        return DENY_NONE;
    if (likely(l->kind == INSTRUMENT_SPOT)) {
        bool buy = o->side == SIDE_BUY;
        b = &r->balance[o->account][buy ? m->quote_ccy : m->base_ccy];
        if (buy) {
            wide_t held = o->amend ? (wide_t)o->replaced_px * o->replaced_leaves : 0;
            need = MAX((wide_t)f->px * o->qty - held, 0) * pow10_i64[m->need_buy];
        } else {
            need = (wide_t)f->more * pow10_i64[m->need_sell];
        }
    } else {
        const struct position *p = &f->cell->position;
        struct adds all = adds_of(p->qty, p->reserved, o->side, f->more);
        b = &r->balance[o->account][m->settle_ccy];
        if (unlikely(l->margin_ppm == 0 || m->settle.unit == 0))
            DENY(DENY_BALANCE, 0, 0);
        need = ((wide_t)valuation_of(&m->settle, all.larger) * l->margin_ppm / PPM + 1) *
               pow10_i64[NEED_DECIMALS - VALUE_DECIMALS];
    }
    if (unlikely(!b->known))
        DENY(DENY_BALANCE, 0, 0);
    wide_t free = b->budget - b->need - b->margin;
    if (unlikely(need > free))
        DENY(DENY_BALANCE, clamp64(need / pow10_i64[NEED_DECIMALS - VALUE_DECIMALS] + 1),
             clamp64(free / pow10_i64[NEED_DECIMALS - VALUE_DECIMALS]));
    return DENY_NONE;
}

/* Check 25 at one level: each of its three reasons. */
static enum deny_reason
day_value_within(const struct group *g, value_t order_value, struct risk_verdict *out)
{
    wide_t value = g->open + g->day_value + order_value;

    if (unlikely(g->unmarked != 0 && g->limits.day_value_max != LIMIT_NONE))
        DENY(DENY_DAILY_VALUE, g->unmarked, 0);
    if (unlikely(value > g->limits.day_value_max))
        DENY(DENY_DAILY_VALUE, clamp64(value), g->limits.day_value_max);
    return DENY_NONE;
}

static enum deny_reason
day_loss_within(const struct group *g, struct risk_verdict *out)
{
    const struct group_limits *l = &g->limits;
    wide_t result = group_day_result(g);

    if (unlikely(g->unmarked != 0 && (l->day_loss_max != LIMIT_NONE || l->drawdown_max != LIMIT_NONE)))
        DENY(DENY_DAILY_LOSS, g->unmarked, 0);
    if (unlikely(-result > l->day_loss_max || (g->tripped & 1u << TRIP_DAY_LOSS) != 0))
        DENY(DENY_DAILY_LOSS, clamp64(-result), l->day_loss_max);
    return DENY_NONE;
}

static enum deny_reason
drawdown_within(const struct group *g, struct risk_verdict *out)
{
    wide_t result = group_day_result(g);

    if (unlikely(g->day_best - result > g->limits.drawdown_max || (g->tripped & 1u << TRIP_DRAWDOWN) != 0))
        DENY(DENY_DRAWDOWN, clamp64(g->day_best - result), g->limits.drawdown_max);
    return DENY_NONE;
}

/* One reason at every level before the next reason. */
static COLD enum deny_reason
check_day_of(const struct group *const *group, unsigned count, value_t order_value, struct risk_verdict *out)
{
    for (unsigned i = 0; i < count; i++)
        if (day_value_within(group[i], order_value, out) != DENY_NONE)
            return out->reason;
    for (unsigned i = 0; i < count; i++)
        if (day_loss_within(group[i], out) != DENY_NONE)
            return out->reason;
    for (unsigned i = 0; i < count; i++)
        if (drawdown_within(group[i], out) != DENY_NONE)
            return out->reason;
    return DENY_NONE;
}

static COLD enum deny_reason
check_day(const struct risk *r, const struct risk_order *o, const struct found *f, struct risk_verdict *out)
{
    const struct group *const all[] = { &r->client[o->client].group, &r->account[o->account].group,
                                        &r->venue[f->venue].group, &r->global };

    return check_day_of(all, ARRAY_LEN(all), valuation_of(&r->market[o->instrument].value, f->more), out);
}

static COLD enum deny_reason
check_own_day(const struct risk *r, const struct risk_order *o, const struct found *f, struct risk_verdict *out)
{
    const struct group *const own = &r->client[o->client].group;

    return check_day_of(&own, 1, valuation_of(&r->market[o->instrument].value, f->more), out);
}

/* ---- the other checks that read ---------------------------------------------------------------------------------- */

/* Check 24. */
static inline enum deny_reason
check_self_match(const struct risk *r, const struct risk_order *o, const struct found *f, struct risk_verdict *out)
{
    const struct market *m = &r->market[o->instrument];
    px_t own = m->own_best[1 - o->side];

    if (likely(own == 0 || !risk_crosses((enum side)o->side, f->px, own)) || o->way_clear)
        return DENY_NONE;
    enum self_match_mode mode = (enum self_match_mode)f->cell->limits.self_match;
    out->cancel_resting = mode != SELF_MATCH_DENY;
    if (mode == SELF_MATCH_CANCEL_RESTING)
        return DENY_NONE;
    DENY(DENY_SELF_MATCH, f->px, own);
}

/* Check 27. */
static inline enum deny_reason
check_parent(const struct risk *r, const struct risk_order *o, const struct found *f, struct risk_verdict *out)
{
    if (likely(o->parent_key == 0))
        return DENY_NONE;
    struct parent_child c = { .key = o->parent_key,
                              .client = o->client,
                              .account = o->account,
                              .instrument = o->instrument,
                              .side = o->side,
                              .total = o->parent_qty };
    qty_t room = parent_room(&r->parents, &c);
    if (unlikely(f->more > room))
        DENY(DENY_PARENT, f->more, room);
    return DENY_NONE;
}

/* Check 28: what latched at any level, by the first that did; or how fast the strategy loses is not known. */
#define TRIPS_BREAKER \
    (1u << TRIP_REJECTS | 1u << TRIP_LOSS_RATE | 1u << TRIP_LATENCY | 1u << TRIP_STALL | 1u << TRIP_ACK)

static inline enum deny_reason
check_breakers(const struct risk *r, const struct risk_order *o, const struct found *f, struct risk_verdict *out)
{
    uint32_t tripped = r->client[o->client].group.tripped;
    if (likely(!f->alien))
        tripped |= r->account[o->account].group.tripped | r->venue[f->venue].group.tripped | r->global.tripped;
    tripped &= TRIPS_BREAKER;
    if (unlikely(tripped != 0))
        DENY(DENY_BREAKER, __builtin_ctz(tripped), 0);
    const struct group *own = &r->client[o->client].group;
    if (unlikely(own->stopped && own->unmarked != 0 && own->loss_window_max != LIMIT_NONE))
        DENY(DENY_BREAKER, TRIP_LOSS_RATE, own->loss_window_max);
    return DENY_NONE;
}

/* One copy of the code, so that a rehearsal warms what the check will run. */
static NOINLINE enum deny_reason
check_order(const struct risk *r, const struct risk_order *o, const struct md_ref *md, struct now now, struct found *f,
            struct risk_verdict *out)
{
    *out = (struct risk_verdict){ .limits_version = r->limits_version };
    bool known_ids = o->account < r->counts.accounts && o->client < CLIENT_MAX;
    const struct instrument *ins = o->instrument < r->counts.instruments ? o->ins : NULL;
    struct cell *c = known_ids && ins != NULL ? cell_at(r, o->account, o->instrument) : NULL;
    *f = (struct found){ .cell = c,
                         .venue = ins != NULL ? ins->venue : VENUE_MAX,
                         .px = o->type == ORDER_MARKET ? o->sweep_px : o->px };
    out->px = f->px;

    if (unlikely(r->kill.killed))
        DENY(DENY_KILLED, 0, 0);
    if (unlikely(!r->armed || r->limits_version == 0))
        DENY(DENY_NOT_ARMED, r->limits_version, 0);
    if (unlikely(f->venue < VENUE_MAX && !r->venue[f->venue].now.reconciled))
        DENY(DENY_RECONCILING, f->venue, 0);
    f->reducing = c != NULL && proves_reduction(&c->position, o);
    f->alien = unlikely(f->reducing) && takes_anothers(r, o, &c->position);
    out->reducing = f->reducing;
    if (unlikely(check_state(r, o, f, known_ids, out) != DENY_NONE))
        return out->reason;

    const struct resolved_limits *l = &c->limits;
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
    if (unlikely(!shape_valid(o, now)))
        DENY(DENY_INVALID_ORDER, o->type, o->tif);
    if (unlikely(o->found == DENY_UNKNOWN_ORDER || o->found == DENY_ORDER_DONE))
        DENY((enum deny_reason)o->found, 0, 0);
    if (unlikely(check_numbers(l, o, f->px, out) != DENY_NONE ||
                 check_collar(l, o, md, now, market == DENY_NONE, f->reducing, out) != DENY_NONE))
        return out->reason;

    f->more = o->amend ? MAX(o->qty - o->replaced_leaves, 0) : o->qty;
    if (unlikely(!o->amend && check_open_orders(r, o, c, f->reducing, out) != DENY_NONE))
        return out->reason;
    if (unlikely(check_position(c, o, f, out) != DENY_NONE))
        return out->reason;
    int64_t value = out->value; /* worst case and its limit: what the journal keeps of an accepted order */
    int64_t limit = out->limit;
    if (unlikely(r->valued && !f->reducing && check_exposure(r, o, f, now, out) != DENY_NONE))
        return out->reason;
    if (unlikely(f->alien && r->valued && check_own_exposure(r, o, f, now, out) != DENY_NONE))
        return out->reason;
    if (unlikely(check_balance(r, o, f, out) != DENY_NONE))
        return out->reason;
    if (unlikely((o->flags & COMMAND_REDUCE_ONLY) != 0 && !f->reducing))
        DENY(DENY_REDUCE_ONLY, o->qty,
             position_reducible(&c->position, (enum side)o->side, o->amend ? o->replaced_leaves : 0));
    if (unlikely(check_self_match(r, o, f, out) != DENY_NONE))
        return out->reason;
    if (unlikely(r->valued && !f->reducing && !f->roomy && check_day(r, o, f, out) != DENY_NONE))
        return out->reason;
    if (unlikely(f->alien && r->valued && check_own_day(r, o, f, out) != DENY_NONE))
        return out->reason;
    if (unlikely(check_parent(r, o, f, out) != DENY_NONE))
        return out->reason;
    if (unlikely((!f->reducing || f->alien) && check_breakers(r, o, f, out) != DENY_NONE))
        return out->reason;
    if (unlikely(o->found != DENY_NONE))
        DENY((enum deny_reason)o->found, 0, 0);
    out->value = value;
    out->limit = limit;
    return DENY_NONE;
}

void
risk_prefetch(const struct risk *r, const struct repeat_content *o)
{
    if (unlikely(o->account >= r->counts.accounts || o->instrument >= r->counts.instruments || o->client >= CLIENT_MAX))
        return;
    const uint8_t *c = (const uint8_t *)cell_at(r, o->account, o->instrument);
    const struct client_state *s = &r->client[o->client];
    const struct account_state *a = &r->account[o->account];
    const struct market *m = &r->market[o->instrument];
    const void *const line[] = {
        &r->part[*part_index(r, o->client, o->account, o->instrument)],
        m,
        &m->settle,
        &m->need_buy,
        &r->kill.instrument[o->instrument],
        repeat_row(&r->repeat, repeat_hash(o)),
        s,
        &s->order_rate,
        &s->open_orders_max,
        a,
        &a->order_rate,
        &r->totals.open_client[o->client],
    };
    for (size_t i = 0; i < ARRAY_LEN(line); i++)
        __builtin_prefetch(line[i]);
    for (size_t i = 0; i < sizeof(struct cell); i += CACHE_LINE)
        __builtin_prefetch(c + i, 1);
}

/* ---- hot: what counts ------------------------------------------------------------------------------------------ */

/* Check 18: messages of the day by fills of the day, this one included. */
static inline bool
ratio_within(const struct client_state *c)
{
    return c->messages < c->messages_free ||
           (uint64_t)c->messages + 1 <= (uint64_t)c->messages_per_fill_max * MAX(c->fills, 1u);
}

static inline uint64_t
content_of(const struct risk_order *o)
{
    const struct repeat_content c = { .client = o->client,
                                      .account = o->account,
                                      .instrument = o->instrument,
                                      .side = o->side,
                                      .px = o->px,
                                      .qty = o->qty };
    return repeat_hash(&c);
}

/* Check 17: all four buckets, or a reduction's own. */
static inline bool
order_token_ready(struct risk *r, const struct risk_order *o, const struct found *f, struct now now)
{
    return throttle_ready(&f->cell->order_rate, now.mono) & throttle_ready(&r->client[o->client].order_rate, now.mono) &
           throttle_ready(&r->account[o->account].order_rate, now.mono) &
           throttle_ready(&r->venue[f->venue].order_rate, now.mono);
}

/* Checks 16, 17, 18, 26; spends nothing. */
static inline enum deny_reason
check_counts(struct risk *r, const struct risk_order *o, struct found *f, struct now now, struct risk_verdict *out)
{
    struct client_state *c = &r->client[o->client];

    out->content = content_of(o);
    uint32_t repeated = repeat_count(&r->repeat, out->content, r->duplicate_window_ns, now.mono);
    if (unlikely(repeated >= r->duplicate_max && (!f->reducing || f->alien)))
        DENY(DENY_DUPLICATE_CONTENT, (uint64_t)repeated + 1, r->duplicate_max);
    if (unlikely(!order_token_ready(r, o, f, now))) {
        if (!f->reducing || !throttle_ready(&r->account[o->account].reduce_rate, now.mono))
            DENY(DENY_ORDER_RATE, 0, 1);
        out->own_bucket = true;
    }
    if (unlikely(o->replace && !throttle_ready(&c->replace_rate, now.mono)))
        DENY(DENY_CANCEL_RATE, 0, c->replace_rate.rate.per_s);
    if (unlikely(!ratio_within(c) && (!f->reducing || f->alien)))
        DENY(DENY_CANCEL_RATE, (uint64_t)c->messages + 1, (uint64_t)c->messages_per_fill_max * MAX(c->fills, 1u));
    if (unlikely(c->executions >= c->repeat_executions_max && (!f->reducing || f->alien)))
        DENY(DENY_REPEAT_EXECUTIONS, (uint64_t)c->executions + 1, c->repeat_executions_max);
    if (unlikely(o->room != DENY_NONE)) {
        out->no_room = true;
        DENY((enum deny_reason)o->room, 0, 0);
    }
    return DENY_NONE;
}

void
risk_spend(struct risk *r, const struct risk_order *o, const struct risk_verdict *passed, struct now now)
{
    struct client_state *c = &r->client[o->client];

    ASSERT(passed->reason == DENY_NONE);
    repeat_add(&r->repeat, passed->content, r->duplicate_window_ns, now.mono);
    if (likely(!passed->own_bucket)) {
        throttle_spend(&cell_at(r, o->account, o->instrument)->order_rate);
        throttle_spend(&c->order_rate);
        throttle_spend(&r->account[o->account].order_rate);
        throttle_spend(&r->venue[o->ins->venue].order_rate);
    } else {
        throttle_spend(&r->account[o->account].reduce_rate);
    }
    if (o->replace)
        throttle_spend(&c->replace_rate);
    if (o->amend) { /* it makes no order, whose delta would count it; in turn, its cancel is a message */
        c->messages++;
        c->executions += !o->in_turn;
    }
    r->totals.accepted++;
}

bool
risk_denied(struct risk *r, uint32_t client, struct now now)
{
    if (client >= CLIENT_MAX)
        return true;
    if (r->limits_version == 0)
        return false;
    struct client_state *c = &r->client[client];
    if (likely(throttle_take(&c->denied_rate, now.mono)))
        return false;
    if (c->flood_halts)
        risk_trip_set(r, LEVEL_CLIENT, client, TRIP_FLOOD, c->denied_rate.rate.per_s, c->denied_rate.rate.per_s);
    return true;
}

static COLD enum deny_reason
denied(struct risk *r, uint32_t client, enum deny_reason reason, struct now now, struct risk_verdict *out)
{
    r->totals.denied[reason]++;
    out->reason = reason;
    out->cancel_resting &= reason == DENY_SELF_MATCH; /* nothing comes for which the way must be clear */
    out->flood = risk_denied(r, client, now);
    if (reason == DENY_REPEAT_EXECUTIONS)
        risk_trip_set(r, LEVEL_CLIENT, client, TRIP_REPEAT, out->value, out->limit);
    return reason;
}

/* What cancels for an order that is refused by that alone costs what the order would have; an order that would have
 * been denied anyway cancels nothing. */
static COLD void
both_canceled(struct risk *r, const struct risk_order *o, const struct md_ref *md, bool rest, struct now now,
              struct risk_verdict *out)
{
    struct risk_order alone = *o;
    struct risk_verdict v;
    struct found f;

    alone.way_clear = true;
    out->cancel_resting = check_order(r, &alone, md, now, &f, &v) == DENY_NONE &&
                          (rest ? o->room == DENY_NONE : check_counts(r, &alone, &f, now, &v) == DENY_NONE);
    if (!out->cancel_resting || rest)
        return;
    risk_spend(r, &alone, &v, now);
    r->totals.accepted--;
}

/* A mark that is a second old is made anew from the book that the order is checked against; at once, when it is one
 * that nobody relies on (of a journal, of a book that had died) and that book is younger. */
#define MARK_AGAIN_NS NS_PER_S

static inline void
mark_renew(struct risk *r, const struct risk_order *o, const struct md_ref *md, struct now now)
{
    if (unlikely(o->instrument >= r->counts.instruments))
        return;
    const struct market *m = &r->market[o->instrument];
    if (unlikely(now.mono.ns - m->valued_ns >= MARK_AGAIN_NS || m->value.unit == 0 ||
                 (!m->value.fresh && md != NULL && md->good.recv_ns > m->value.mark_ns)))
        risk_mark(r, o->instrument, md, now);
}

enum deny_reason
risk_judge(struct risk *r, const struct risk_order *o, const struct md_ref *md, struct now now,
           struct risk_verdict *out)
{
    struct found f;

    r->totals.checked++;
    if (likely(r->valued))
        mark_renew(r, o, md, now);
    if (unlikely(check_order(r, o, md, now, &f, out) != DENY_NONE || check_counts(r, o, &f, now, out) != DENY_NONE)) {
        if (out->reason == DENY_SELF_MATCH && out->cancel_resting)
            both_canceled(r, o, md, false, now, out);
        return denied(r, o->client, out->reason, now, out);
    }
    return DENY_NONE;
}

enum deny_reason
risk_judge_rest(struct risk *r, const struct risk_order *o, const struct md_ref *md, struct now now,
                struct risk_verdict *out)
{
    struct found f;

    r->totals.checked++;
    if (r->valued)
        mark_renew(r, o, md, now);
    if (check_order(r, o, md, now, &f, out) == DENY_NONE && o->room != DENY_NONE) {
        out->no_room = true;
        out->reason = (enum deny_reason)o->room;
    }
    if (out->reason == DENY_SELF_MATCH && out->cancel_resting)
        both_canceled(r, o, md, true, now, out);
    return out->reason != DENY_NONE ? denied(r, o->client, out->reason, now, out) : DENY_NONE;
}

enum deny_reason
risk_check(struct risk *r, const struct risk_order *o, const struct md_ref *md, struct now now,
           struct risk_verdict *out)
{
    enum deny_reason why = risk_judge(r, o, md, now, out);

    if (likely(why == DENY_NONE))
        risk_spend(r, o, out, now);
    return why;
}

void
risk_rehearse(const struct risk *r, const struct risk_order *o, const struct md_ref *md, struct now now)
{
    struct found f;
    struct risk_verdict verdict;

    (void)check_order(r, o, md, now, &f, &verdict);
}

enum deny_reason
risk_check_cancel(struct risk *r, uint32_t client, struct now now, struct risk_verdict *out)
{
    *out = (struct risk_verdict){ .limits_version = r->limits_version };
    if (unlikely(client >= CLIENT_MAX || r->limits_version == 0))
        return DENY_NONE; /* without limits there is no ceiling: a cancel never waits for configuration */
    struct client_state *c = &r->client[client];
    if (unlikely(!throttle_take(&c->cancel_rate, now.mono))) {
        out->limit = c->cancel_rate.rate.per_s;
        return denied(r, client, DENY_CANCEL_RATE, now, out);
    }
    c->messages++;
    return DENY_NONE;
}

enum deny_reason
risk_peek(struct risk *r, const struct risk_order *o, const struct md_ref *md, struct now now, struct risk_verdict *out)
{
    struct found f;

    if (r->valued)
        mark_renew(r, o, md, now);
    if (check_order(r, o, md, now, &f, out) != DENY_NONE)
        return out->reason;
    return check_counts(r, o, &f, now, out);
}
