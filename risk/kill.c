/* Kill switch and trading states, the cold half. See kill.h. */
#include "risk/kill.h"

void
kill_init(struct kill *k)
{
    memset(k, 0, sizeof(*k));
}

void
kill_trip(struct kill *k)
{
    k->killed = true;
}

void
kill_release(struct kill *k)
{
    k->killed = false;
}

/* Where one level's state is kept; NULL when there is no such level or id. */
static uint8_t *
level_of(struct kill *k, enum trading_level level, uint32_t id)
{
    switch (level) {
    case LEVEL_GLOBAL: return &k->global;
    case LEVEL_ACCOUNT: return id < ACCOUNT_MAX ? &k->account[id] : NULL;
    case LEVEL_INSTRUMENT: return id < INSTRUMENT_MAX ? &k->instrument[id] : NULL;
    case LEVEL_CLIENT: return id < CLIENT_MAX ? &k->client[id] : NULL;
    case LEVEL_VENUE: return id < VENUE_MAX ? &k->venue[id] : NULL;
    case LEVEL_COUNT: break;
    }
    return NULL;
}

bool
kill_set_state(struct kill *k, enum trading_level level, uint32_t id, enum trading_state state)
{
    uint8_t *at = level_of(k, level, id);

    if (at == NULL || (unsigned)state >= TRADING_STATE_COUNT)
        return false;
    *at = (uint8_t)state;
    return true;
}

enum trading_state
kill_level_state(const struct kill *k, enum trading_level level, uint32_t id)
{
    const uint8_t *at = level_of((struct kill *)k, level, id);

    return at != NULL ? (enum trading_state) * at : TRADING_HALTED;
}
