/* Kill switch and trading states: who may send new orders at all.
 *
 * Two different things: the kill switch is a latch that stops everything and is released only by an explicit act (and
 * stays set over a restart: the journal's CONTROL records bring it back); a trading state is set per level and the
 * strictest of the five levels wins.
 *
 * Always true: nothing here stops a cancel; an id out of range reads as HALTED. */
#ifndef EXECGW_RISK_KILL_H
#define EXECGW_RISK_KILL_H

#include "execgw/order.h"

struct kill {
    bool killed;
    uint8_t global; /* enum trading_state, as all below */
    uint8_t account[ACCOUNT_MAX];
    uint8_t venue[VENUE_MAX];
    uint8_t client[CLIENT_MAX];
    uint8_t instrument[INSTRUMENT_MAX];
};

/* Nothing killed, everything ACTIVE. */
void kill_init(struct kill *k);

/* Latch. Idempotent. */
void kill_trip(struct kill *k);

/* Release the latch: the operator's explicit act. Trading states stay as they are. */
void kill_release(struct kill *k);

/* Set one level's state; id is ignored for LEVEL_GLOBAL. False when there is no such level or id. */
bool kill_set_state(struct kill *k, enum trading_level level, uint32_t id, enum trading_state state);

/* What is set at one level; HALTED when there is no such level or id. */
enum trading_state kill_level_state(const struct kill *k, enum trading_level level, uint32_t id);

/* Hot. The strictest of the levels. */
static inline enum trading_state
kill_state(const struct kill *k, uint32_t account, uint32_t venue, uint32_t instrument, uint32_t client)
{
    if (unlikely(account >= ACCOUNT_MAX || venue >= VENUE_MAX || instrument >= INSTRUMENT_MAX || client >= CLIENT_MAX))
        return TRADING_HALTED;
    uint8_t a = MAX(k->global, k->account[account]);
    uint8_t b = MAX(k->instrument[instrument], k->client[client]);
    uint8_t c = MAX(a, b);
    return (enum trading_state)MAX(c, k->venue[venue]);
}

#endif
