/* Route: every instrument this gateway knows, its current version, and through it the venue that an order goes to.
 *
 * Filled from the journal's definition records at start and from the venues' own lists while running; read by risk, the
 * adapters and the clients' table. Instrument ids and currency ids are handed out here, in order, and written to the
 * journal by the caller before anything uses them.
 *
 * Always true: ids are dense and never reused; (venue, symbol) is unique; a version only grows; pointers into the table
 * stay valid for life. Called from the core thread only. */
#ifndef EXECGW_ENGINE_ROUTE_H
#define EXECGW_ENGINE_ROUTE_H

#include "execgw/arena.h"
#include "execgw/instrument.h"

struct route {
    struct instrument *table; /* by id; version 0 = empty */
    uint32_t count;
    uint32_t max;
    char currency[CURRENCY_MAX][CURRENCY_BYTES]; /* by id; 0 is "": none */
    uint16_t currency_count;
};

/* What a definition changed. */
enum route_change {
    ROUTE_SAME,
    ROUTE_NEW,     /* first sight: version 1 */
    ROUTE_RULES,   /* status, limits, types: same version, same integers */
    ROUTE_VERSION, /* decimals, tick, step, multiplier or a currency changed: a new version; old integers mean something
                      else */
    ROUTE_FULL,    /* no id left */
    ROUTE_INVALID  /* breaks what struct instrument promises: refused, nothing changed */
};

size_t route_footprint(uint32_t instrument_max);
void route_init(struct route *r, uint32_t instrument_max, struct arena *arena);

/* Take a definition as the venue gives it (id, version and currency ids are not looked at; the currency names are).
 * Decimals never shrink: fewer than are known are the same rules in those that are.
 * change ROUTE_NEW, RULES, VERSION: *id is the entry, rewritten. */
enum route_change route_define(struct route *r, const struct instrument *def, uint32_t *id);

/* Put back what the journal says, id and version included. False when the ids are not what was handed out. */
bool route_restore(struct route *r, const struct instrument *def);
bool route_restore_currency(struct route *r, uint16_t id, const char *name);

/* The currency's id, handed out at first sight (*is_new). 0 when the name is empty or the table is full. */
uint16_t route_currency(struct route *r, const char *name, bool *is_new);

/* Hot. Ask the processor for an entry; the id may be any. */
static inline void
route_prefetch(const struct route *r, uint32_t id)
{
    for (size_t i = 0; id < r->count && i < sizeof(*r->table); i += CACHE_LINE)
        __builtin_prefetch((const uint8_t *)&r->table[id] + i);
}

/* Hot. NULL unless the id is known at exactly this version; version 0 asks for the current one. */
static inline const struct instrument *
route_instrument(const struct route *r, uint32_t id, uint32_t version)
{
    if (unlikely(id >= r->count))
        return NULL;
    const struct instrument *i = &r->table[id];
    return likely(version == 0 || i->version == version) ? i : NULL;
}

#endif
