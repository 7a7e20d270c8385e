/* Messages of one connection that wait for the journal: each leaves when the record it names is durable, or never.
 *
 * Beside the connection's own buffer, so that what waits for nothing (a cancel, a pong) goes straight past what waits
 * for a slow disk, and so that what has not left can be taken back.
 *
 * Always true: messages leave whole and in the order they came; their sequences never fall; what was withdrawn never
 * leaves. No allocation; one thread. */
#ifndef EXECGW_ENGINE_IO_HOLD_H
#define EXECGW_ENGINE_IO_HOLD_H

#include "execgw/arena.h"

struct hold_message {
    uint64_t seq;
    uint32_t bytes;
};

struct hold {
    uint8_t *data; /* the messages, one behind the other */
    struct hold_message *message;
    uint32_t count;
    uint32_t used; /* bytes of data */
    uint32_t messages_max;
    uint32_t bytes_max;
};

/* 0 messages: nothing can be held. */
size_t hold_footprint(uint32_t messages_max, uint32_t bytes_max);
void hold_init(struct hold *h, uint32_t messages_max, uint32_t bytes_max, struct arena *arena);

/* Keep a message until seq is durable. seq is not below that of the message before it. False: no room, nothing is kept.
 */
bool hold_put(struct hold *h, const uint8_t *bytes, uint32_t len, uint64_t seq);

/* Move what `durable` covers to `to`, as many whole messages as `room` takes. Returns their bytes. */
uint32_t hold_take(struct hold *h, uint64_t durable, uint8_t *to, uint32_t room);

/* The message that waits for exactly this record will never leave. False: it is not here. */
bool hold_withdraw(struct hold *h, uint64_t seq);

/* None of them will ever leave. */
void hold_clear(struct hold *h);

/* A covered message is still here, because there was no room. */
static inline bool
hold_due(const struct hold *h, uint64_t durable)
{
    return h->count != 0 && h->message[0].seq <= durable;
}

#endif
