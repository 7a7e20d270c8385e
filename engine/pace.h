/* What may be sent over one connection now: venues count messages, control frames included, and end a connection that
 * sends more than so many within a second.
 *
 * Between the gateway, which asks before a subscription or a pong, and nothing. Sliding, and a little longer than a
 * second: what leaves evenly may arrive closer together.
 *
 * Always true: at most PACE_MESSAGES in any PACE_WINDOW_NS; the last place is kept for what keeps the connection alive.
 */
#ifndef EXECGW_ENGINE_PACE_H
#define EXECGW_ENGINE_PACE_H

#include "execgw/clock.h"

#define PACE_MESSAGES  5u /* Binance, web-socket-streams.md: "5 incoming messages per second", pings and pongs count */
#define PACE_WINDOW_NS (1100 * NS_PER_MS)

struct pace {
    mono_ns_t sent[PACE_MESSAGES]; /* ring */
    uint32_t next;                 /* the oldest */
    uint32_t count;                /* in the ring */
};

static inline void
pace_init(struct pace *p)
{
    *p = (struct pace){ .next = 0 };
}

/* When the next message may be sent: now, or later. keep: so many places stay free. */
static inline mono_ns_t
pace_at(const struct pace *p, uint32_t keep, mono_ns_t now)
{
    ASSERT(keep < PACE_MESSAGES);
    if (p->count + keep < PACE_MESSAGES)
        return now;
    /* With `keep` places left free, it is the (keep + 1)th oldest that has to be a window ago. */
    uint32_t back = p->count + keep - PACE_MESSAGES;
    uint32_t oldest = (p->next + PACE_MESSAGES - p->count) % PACE_MESSAGES;
    mono_ns_t at = mono_after(p->sent[(oldest + back) % PACE_MESSAGES], PACE_WINDOW_NS);
    return at.ns > now.ns ? at : now;
}

static inline void
pace_sent(struct pace *p, mono_ns_t now)
{
    p->sent[p->next] = now;
    p->next = (p->next + 1) % PACE_MESSAGES;
    p->count = p->count < PACE_MESSAGES ? p->count + 1 : PACE_MESSAGES;
}

#endif
