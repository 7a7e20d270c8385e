/* What the order table is made of, for its own files: order_table.c (memory, keys, lists, intents, looking),
 * order_event.c (what an event does to an order), order_trade.c, order_image.c. Nobody else includes it.
 *
 * Always true: as order_table.h says; a hash is never more than half full, so a look-up ends. */
#ifndef EXECGW_ENGINE_OMS_ORDER_TABLE_STATE_H
#define EXECGW_ENGINE_OMS_ORDER_TABLE_STATE_H

#include "engine/oms/order_table.h"
#include "execgw/admission.h"

/* Largest quantity that one order or trade may have: sums of two stay inside an int64_t. */
#define QTY_MAX (INT64_C(1) << 61)

/* Largest total believed of an amend that was not ours: what all live orders could add up to so stays in range. */
#define QTY_OTHER_MAX (INT64_C(1) << 50)

/* ---- hash: 32-bit hash and value per entry, linear probing, never more than half full ---------------------------- */

struct hash_entry {
    uint32_t hash;
    uint32_t value1; /* value + 1; 0 = empty */
};

struct hash {
    struct hash_entry *entry;
    uint32_t mask;
};

static inline uint32_t
hash_capacity(uint32_t values_max)
{
    uint32_t n = 16;
    while (n < values_max * 2)
        n *= 2;
    return n;
}

static inline void
hash_init(struct hash *h, uint32_t values_max, struct arena *arena)
{
    uint32_t n = hash_capacity(values_max);
    h->entry = arena_take(arena, sizeof(struct hash_entry) * n);
    h->mask = n - 1;
}

static inline uint32_t
hash_mix(uint64_t a, uint64_t b)
{
    uint64_t x = a * UINT64_C(0x9e3779b97f4a7c15) ^ (b + UINT64_C(0x7f4a7c159e3779b9));
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    x ^= x >> 32;
    return (uint32_t)x;
}

/* The next value whose hash is equal, from *pos on; ORDER_NONE when there is none. Begin with *pos = hash. */
static inline uint32_t
hash_next(const struct hash *h, uint32_t hash, uint32_t *pos)
{
    for (uint32_t i = *pos;; i++) { /* ends at an empty entry: at most half are full */
        const struct hash_entry *e = &h->entry[i & h->mask];
        if (e->value1 == 0)
            return ORDER_NONE;
        if (e->hash == hash) {
            *pos = i + 1;
            return e->value1 - 1;
        }
    }
}

static inline void
hash_add(struct hash *h, uint32_t hash, uint32_t value)
{
    uint32_t i = hash & h->mask;
    while (h->entry[i].value1 != 0)
        i = (i + 1) & h->mask;
    h->entry[i] = (struct hash_entry){ .hash = hash, .value1 = value + 1 };
}

/* Backward shift: what stands behind and belongs before moves up, so that no tombstones collect. */
static inline void
hash_remove(struct hash *h, uint32_t hash, uint32_t value)
{
    uint32_t i = hash & h->mask;
    while (h->entry[i].value1 != value + 1) {
        ASSERT(h->entry[i].value1 != 0);
        i = (i + 1) & h->mask;
    }
    for (uint32_t k = (i + 1) & h->mask; h->entry[k].value1 != 0; k = (k + 1) & h->mask) {
        uint32_t home = h->entry[k].hash & h->mask;
        if (((k - home) & h->mask) >= ((k - i) & h->mask)) {
            h->entry[i] = h->entry[k];
            i = k;
        }
    }
    h->entry[i].value1 = 0;
}

/* ---- the table ------------------------------------------------------------------------------------------------- */

struct trade {
    uint64_t seq; /* of the order's ClOrdID */
    int64_t trade_id;
    uint32_t term;   /* 0: no order's */
    uint32_t market; /* instrument * 2 + side */
    uint32_t hash;
};

struct list {
    uint32_t head, tail;
};

struct walk {
    bool open;
    bool all;        /* those that are over come after */
    bool over;       /* it is there: `next` is one of these, anybody's */
    uint32_t client; /* CLIENT_NONE: everybody's */
    uint32_t next;
};

/* What the numbers of an instrument's orders count. */
struct decimals {
    bool known;
    uint8_t px;
    uint8_t qty;
};

struct order_table {
    struct order_counts counts;
    char instance[CLORDID_INSTANCE];
    uint32_t pool;      /* slots */
    uint32_t pool_used; /* slots ever used */
    uint32_t walks_open;
    struct order *order;
    struct hash by_clordid;
    struct hash by_key;
    struct hash by_venue;
    struct hash by_trade;
    struct trade *trade; /* ring of trades_kept */
    uint64_t trades;     /* ever */
    struct list live;
    struct list done;
    struct list client_live[CLIENT_MAX];
    struct order_amend *amend; /* by slot; of those with ORDER_MARK_AMENDS */
    struct hash by_alias;      /* the keys of amends: the one shown and the last one */
    struct key_ledger keys;
    int64_t cursor1[INSTRUMENT_MAX];                /* trade cursor + 1; 0 = none */
    int64_t forgotten1[INSTRUMENT_MAX * 2];         /* by market: the highest trade id that made room, + 1; 0 = none */
    int64_t forgotten_nobodys1[INSTRUMENT_MAX * 2]; /* of those that were counted as nobody's */
    int64_t cursor_ns[INSTRUMENT_MAX];              /* venue clock */
    struct walk walk[ORDER_WALKS_MAX];
    struct order_totals totals;
    struct decimals decimals[INSTRUMENT_MAX];
    uint32_t image_skip; /* while it is filled from images: terminal orders that it does not keep */
    uint32_t image_left;
};

static inline uint32_t
clordid_hash(uint32_t term, uint64_t seq)
{
    return hash_mix(seq, term);
}

static inline uint32_t
key_hash(uint32_t client, uint64_t key)
{
    return hash_mix(key, (uint64_t)client << 32 | 1);
}

/* Whose trade it is: an order's ClOrdID, or nobody's (term 0, which no order has), of one side of an instrument. */
struct trade_owner {
    uint64_t seq;
    uint32_t term;
    uint32_t market;
};

static inline struct trade_owner
owner_order(const struct order *o)
{
    return (struct trade_owner){ .seq = o->seq, .term = o->term, .market = o->instrument * 2 + o->side };
}

static inline struct trade_owner
owner_nobody(uint32_t instrument, enum side side)
{
    return (struct trade_owner){ .market = instrument * 2 + (uint32_t)side };
}

/* order_trade.c: the trades that were counted, the oldest of which make room. */
bool trade_seen(const struct order_table *t, struct trade_owner w, int64_t trade_id);
void trade_remember(struct order_table *t, struct trade_owner w, int64_t trade_id);

/* The order is found by this venue order id from here on; 0 = by none. */
void order_venue_id_set(struct order_table *t, uint32_t slot, uint64_t venue_order_id);

/* The reservation anew, what it costs and where the order may rest: the changes go to d. */
void order_delta_reserve(const struct order_table *t, struct order *o, struct order_delta *d);

/* The slot has a struct order_amend from here on. */
void order_amend_open(struct order_table *t, uint32_t slot);

/* To the end of the live orders, everybody's and the client's. */
void order_list_live(struct order_table *t, uint32_t slot);

/* A live order became terminal: off the live lists, to the end of the kept ones. */
void order_list_done(struct order_table *t, uint32_t slot);

static inline void
delta_name(struct order_delta *d, const struct order *o)
{
    *d = (struct order_delta){
        .account = o->account,
        .instrument = o->instrument,
        .client = o->client,
        .side = o->side,
        .instrument_version = o->instrument_version,
        .parent_key = o->parent_key,
        .parent_qty = o->parent_qty,
    };
}

#endif
