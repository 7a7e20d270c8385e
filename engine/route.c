#include "engine/route.h"

size_t
route_footprint(uint32_t instrument_max)
{
    return arena_cost(sizeof(struct instrument) * instrument_max);
}

void
route_init(struct route *r, uint32_t instrument_max, struct arena *arena)
{
    ASSERT(instrument_max >= 1 && instrument_max <= INSTRUMENT_MAX);
    memset(r, 0, sizeof(*r));
    r->table = (struct instrument *)arena_take(arena, sizeof(struct instrument) * instrument_max);
    r->max = instrument_max;
    r->currency_count = 1; /* id 0 is none */
}

static bool
text_ok(const char *s, size_t room)
{
    size_t n = strnlen(s, room);

    return n > 0 && n < room;
}

static bool
definition_valid(const struct instrument *d)
{
    return d->venue < VENUE_MAX && d->kind <= INSTRUMENT_INVERSE && d->px_decimals <= DECIMALS_MAX &&
           d->qty_decimals <= DECIMALS_MAX && d->tick >= 1 && d->step >= 1 && d->multiplier >= 1 && d->px_min >= 0 &&
           d->px_min <= d->px_max && d->qty_min >= 0 && d->qty_min <= d->qty_max && d->notional_min >= 0 &&
           d->notional_min <= d->notional_max && text_ok(d->symbol, SYMBOL_BYTES) &&
           text_ok(d->canonical, SYMBOL_BYTES) && text_ok(d->base, CURRENCY_BYTES) &&
           text_ok(d->quote, CURRENCY_BYTES) && text_ok(d->settle, CURRENCY_BYTES);
}

/* Cold. By venue and the venue's own symbol; NULL when unknown. */
static const struct instrument *
route_find(const struct route *r, uint16_t venue, const char *symbol)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (r->table[i].venue == venue && strncmp(r->table[i].symbol, symbol, SYMBOL_BYTES) == 0)
            return &r->table[i];
    return NULL;
}

static bool
same_integers(const struct instrument *a, const struct instrument *b)
{
    return a->kind == b->kind && a->px_decimals == b->px_decimals && a->qty_decimals == b->qty_decimals &&
           a->tick == b->tick && a->step == b->step && a->multiplier == b->multiplier &&
           strcmp(a->base, b->base) == 0 && strcmp(a->quote, b->quote) == 0 && strcmp(a->settle, b->settle) == 0;
}

/* A limit that does not fit any more is as wide as can be. */
static int64_t
widened(int64_t v, unsigned by)
{
    int64_t out;
    return __builtin_mul_overflow(v, pow10_i64[by], &out) ? INT64_MAX : out;
}

/* Decimals are not taken away: orders, positions and trades are in those that are known. The same rules in these. */
static void
keep_decimals(const struct instrument *known, struct instrument *next)
{
    unsigned px = known->px_decimals > next->px_decimals ? known->px_decimals - next->px_decimals : 0;
    unsigned qty = known->qty_decimals > next->qty_decimals ? known->qty_decimals - next->qty_decimals : 0;

    next->px_decimals = (uint8_t)(next->px_decimals + px);
    next->tick = widened(next->tick, px);
    next->px_min = widened(next->px_min, px);
    next->px_max = widened(next->px_max, px);
    next->qty_decimals = (uint8_t)(next->qty_decimals + qty);
    next->step = widened(next->step, qty);
    next->qty_min = widened(next->qty_min, qty);
    next->qty_max = widened(next->qty_max, qty);
    next->market_qty_max = widened(next->market_qty_max, qty);
}

enum route_change
route_define(struct route *r, const struct instrument *def, uint32_t *id)
{
    bool is_new = false;

    if (!definition_valid(def))
        return ROUTE_INVALID;
    const struct instrument *known = route_find(r, def->venue, def->symbol);
    struct instrument next = *def;
    next.base_ccy = route_currency(r, def->base, &is_new);
    next.quote_ccy = route_currency(r, def->quote, &is_new);
    next.settle_ccy = route_currency(r, def->settle, &is_new);
    if (next.base_ccy == 0 || next.quote_ccy == 0 || next.settle_ccy == 0)
        return ROUTE_FULL;
    if (known == NULL) {
        if (r->count == r->max)
            return ROUTE_FULL;
        next.id = r->count++;
        next.version = 1;
        r->table[next.id] = next;
        *id = next.id;
        return ROUTE_NEW;
    }
    keep_decimals(known, &next);
    next.id = known->id;
    next.version = known->version;
    *id = known->id;
    if (memcmp(&next, known, sizeof(next)) == 0)
        return ROUTE_SAME;
    bool same = same_integers(&next, known);
    if (!same)
        next.version++;
    r->table[known->id] = next;
    return same ? ROUTE_RULES : ROUTE_VERSION;
}

bool
route_restore(struct route *r, const struct instrument *def)
{
    if (!definition_valid(def) || def->version == 0 || def->id > r->count || def->id >= r->max)
        return false;
    if (def->id == r->count)
        r->count++;
    else if (def->version < r->table[def->id].version || strcmp(def->symbol, r->table[def->id].symbol) != 0)
        return false;
    r->table[def->id] = *def;
    return true;
}

bool
route_restore_currency(struct route *r, uint16_t id, const char *name)
{
    if (id < r->currency_count && id != 0)
        return strncmp(r->currency[id], name, CURRENCY_BYTES) == 0;
    if (id != r->currency_count || id >= CURRENCY_MAX || !text_ok(name, CURRENCY_BYTES))
        return false;
    memcpy(r->currency[id], name, strlen(name) + 1);
    r->currency_count++;
    return true;
}

uint16_t
route_currency(struct route *r, const char *name, bool *is_new)
{
    *is_new = false;
    if (!text_ok(name, CURRENCY_BYTES))
        return 0;
    for (uint16_t i = 1; i < r->currency_count; i++)
        if (strcmp(r->currency[i], name) == 0)
            return i;
    if (r->currency_count == CURRENCY_MAX)
        return 0;
    memcpy(r->currency[r->currency_count], name, strlen(name) + 1);
    *is_new = true;
    return r->currency_count++;
}
