#include "engine/io/hold.h"

size_t
hold_footprint(uint32_t messages_max, uint32_t bytes_max)
{
    return messages_max == 0 ? 0 : arena_cost(bytes_max) + arena_cost(messages_max * sizeof(struct hold_message));
}

void
hold_init(struct hold *h, uint32_t messages_max, uint32_t bytes_max, struct arena *arena)
{
    *h = (struct hold){ .messages_max = messages_max, .bytes_max = messages_max == 0 ? 0 : bytes_max };
    if (messages_max == 0)
        return;
    h->data = (uint8_t *)arena_take(arena, bytes_max);
    h->message = (struct hold_message *)arena_take(arena, messages_max * sizeof(struct hold_message));
}

bool
hold_put(struct hold *h, const uint8_t *bytes, uint32_t len, uint64_t seq)
{
    ASSERT(h->count == 0 || h->message[h->count - 1].seq <= seq);
    if (h->count == h->messages_max || len > h->bytes_max - h->used)
        return false;
    memcpy(h->data + h->used, bytes, len);
    h->used += len;
    h->message[h->count++] = (struct hold_message){ .seq = seq, .bytes = len };
    return true;
}

/* Messages [first, first + count), which begin at byte `at`, are gone. */
static void
remove_run(struct hold *h, uint32_t first, uint32_t count, uint32_t at, uint32_t bytes)
{
    memmove(h->data + at, h->data + at + bytes, h->used - at - bytes);
    h->used -= bytes;
    memmove(h->message + first, h->message + first + count, (h->count - first - count) * sizeof(h->message[0]));
    h->count -= count;
}

uint32_t
hold_take(struct hold *h, uint64_t durable, uint8_t *to, uint32_t room)
{
    uint32_t count = 0;
    uint32_t bytes = 0;

    while (count < h->count && h->message[count].seq <= durable && h->message[count].bytes <= room - bytes)
        bytes += h->message[count++].bytes;
    if (count == 0)
        return 0;
    memcpy(to, h->data, bytes);
    remove_run(h, 0, count, 0, bytes);
    return bytes;
}

bool
hold_withdraw(struct hold *h, uint64_t seq)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < h->count; i++) {
        if (h->message[i].seq == seq) {
            remove_run(h, i, 1, at, h->message[i].bytes);
            return true;
        }
        at += h->message[i].bytes;
    }
    return false;
}

void
hold_clear(struct hold *h)
{
    h->count = 0;
    h->used = 0;
}
