/* Key ledger: what became of each client order key, so that a repeat is answered and nothing is sent twice.
 *
 * A client's keys rise. A key that made an order is found by its order (order_table); here are the others, the last
 * `kept` of each client: commands denied, amends (the key is one more name of the order that was there), cancels.
 *
 * Always true: the keys of one client's ring rise; a key at or below the last one is never new. Rebuilt by replaying
 * the journal, of which it is a function. Never allocates after key_ledger_init(). */
#ifndef EXECGW_ENGINE_OMS_KEY_LEDGER_H
#define EXECGW_ENGINE_OMS_KEY_LEDGER_H

#include "execgw/arena.h"
#include "execgw/order.h"

enum key_kind {
    KEY_DENIED,
    KEY_AMEND,   /* of the order (term, seq) */
    KEY_CANCEL,  /* of the order (term, seq) */
    KEY_REPLACE, /* cancels the order (term, seq) first; once the new one is placed the key is that order's */
};

struct key_entry {
    uint64_t key;
    uint64_t seq; /* of the order meant, with term: its ClOrdID */
    uint32_t term;
    uint8_t kind;  /* enum key_kind */
    uint8_t deny;  /* DENIED: enum deny_reason */
    uint8_t state; /* AMEND: ORDER_SENT, ORDER_NEW (done), ORDER_REJECTED, ORDER_NOT_PLACED (it never arrived) */
    uint8_t pad;
};
_Static_assert(sizeof(struct key_entry) == 24, "snapshot payload");

struct key_ring {
    uint64_t last_key;      /* highest seen; 0 = none */
    uint64_t forgotten_key; /* highest of an order that made room for another; 0 = none has */
    uint64_t count;         /* entries ever; the newest is entry[(count - 1) % kept] */
    struct key_entry *entry;
};

struct key_ledger {
    uint32_t kept;
    struct key_ring client[CLIENT_MAX];
};

/* kept in [1, 2^16]. */
size_t key_ledger_footprint(uint32_t kept);
void key_ledger_init(struct key_ledger *l, uint32_t kept, struct arena *arena);

/* The highest key seen of a client. */
static inline uint64_t
key_ledger_last(const struct key_ledger *l, uint32_t client)
{
    return l->client[client].last_key;
}

/* Hot. A key above the last one made an order. */
static inline void
key_ledger_raise(struct key_ledger *l, uint32_t client, uint64_t key)
{
    if (key > l->client[client].last_key)
        l->client[client].last_key = key;
}

/* Keep an entry whose key is above the last one; false, changing nothing, when it is not. */
/* An order of this key is forgotten. Hot: beside what a new key writes. */
static inline void
key_ledger_forgot(struct key_ledger *l, uint32_t client, uint64_t key)
{
    if (key > l->client[client].forgotten_key)
        l->client[client].forgotten_key = key;
}

bool key_ledger_add(struct key_ledger *l, uint32_t client, const struct key_entry *e);

/* NULL when it was never added or is forgotten. */
struct key_entry *key_ledger_find(const struct key_ledger *l, uint32_t client, uint64_t key);

#endif
