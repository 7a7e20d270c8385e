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

bool
kill_set_state(struct kill *k, enum trading_level level, uint32_t id, enum trading_state state)
{
    if ((unsigned)state >= TRADING_STATE_COUNT)
        return false;
    switch (level) {
    case LEVEL_GLOBAL: k->global = (uint8_t)state; return true;
    case LEVEL_ACCOUNT:
        if (id >= ACCOUNT_MAX)
            return false;
        k->account[id] = (uint8_t)state;
        return true;
    case LEVEL_INSTRUMENT:
        if (id >= INSTRUMENT_MAX)
            return false;
        k->instrument[id] = (uint8_t)state;
        return true;
    case LEVEL_CLIENT:
        if (id >= CLIENT_MAX)
            return false;
        k->client[id] = (uint8_t)state;
        return true;
    case LEVEL_COUNT: break;
    }
    return false;
}

const char *
trading_state_text(enum trading_state s)
{
    static const char *const text[] = {
#define X(name, t) t,
        TRADING_STATES(X)
#undef X
    };
    return (unsigned)s < TRADING_STATE_COUNT ? text[s] : "?";
}
