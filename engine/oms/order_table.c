/* Order table. See order_table.h.
 *
 * A pool of live_max + done_kept slots. Three hashes of the same form (by ClOrdID, by client and key, and the trades
 * that were counted), the list of live orders (all, and per client) in the order of sending, and the queue of terminal
 * ones, whose oldest is recycled when the pool is empty. */
#include "engine/oms/order_table.h"
#include "execgw/admission.h"

/* Largest quantity that one order or trade may have: sums of two stay inside an int64_t. */
#define QTY_MAX (INT64_C(1) << 61)

/* ---- hash: 32-bit hash and value per entry, linear probing, never more than half full ------------------------------
 */

struct hash_entry {
    uint32_t hash;
    uint32_t value1; /* value + 1; 0 = empty */
};

struct hash {
    struct hash_entry *entry;
    uint32_t mask;
};

static uint32_t
hash_capacity(uint32_t values_max)
{
    uint32_t n = 16;
    while (n < values_max * 2)
        n *= 2;
    return n;
}

static void
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

static void
hash_add(struct hash *h, uint32_t hash, uint32_t value)
{
    uint32_t i = hash & h->mask;
    while (h->entry[i].value1 != 0)
        i = (i + 1) & h->mask;
    h->entry[i] = (struct hash_entry){ .hash = hash, .value1 = value + 1 };
}

/* Backward shift: what stands behind and belongs before moves up, so that no tombstones collect. */
static void
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
    uint32_t term;
    uint32_t hash;
};

struct denied_key {
    uint64_t key;
    uint32_t deny;
    uint32_t reserved;
};

struct client_keys {
    uint64_t last_key;
    struct denied_key *denied; /* ring of denied_kept, keys rising */
    uint64_t denied_count;     /* ever */
};

struct list {
    uint32_t head, tail;
};

struct walk {
    bool open;
    uint32_t client; /* CLIENT_NONE: everybody's */
    uint32_t next;
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
    struct client_keys keys[CLIENT_MAX];
    int64_t cursor1[INSTRUMENT_MAX]; /* trade cursor + 1; 0 = none */
    struct walk walk[ORDER_WALKS_MAX];
    struct order_totals totals;
};

size_t
order_table_footprint(const struct order_counts *c)
{
    size_t pool = (size_t)c->live_max + c->done_kept;
    return arena_cost(sizeof(struct order_table)) + arena_cost(pool * sizeof(struct order)) +
           3 * arena_cost(sizeof(struct hash_entry) * hash_capacity((uint32_t)pool)) +
           arena_cost(sizeof(struct hash_entry) * hash_capacity(c->trades_kept)) +
           arena_cost(sizeof(struct trade) * c->trades_kept) +
           CLIENT_MAX * arena_cost(sizeof(struct denied_key) * c->denied_kept);
}

struct order_table *
order_table_init(const struct order_counts *c, const char *instance, struct arena *arena)
{
    ASSERT(c->live_max >= 1 && c->live_max <= 1u << 20);
    ASSERT(c->done_kept >= 1 && c->done_kept <= 1u << 20);
    ASSERT(c->trades_kept >= 1 && c->trades_kept <= 1u << 24);
    ASSERT(c->denied_kept >= 1 && c->denied_kept <= 1u << 16);
    struct order_table *t = arena_take(arena, sizeof(*t));
    t->counts = *c;
    memcpy(t->instance, instance, CLORDID_INSTANCE);
    t->pool = c->live_max + c->done_kept;
    t->order = arena_take(arena, (size_t)t->pool * sizeof(struct order));
    hash_init(&t->by_clordid, t->pool, arena);
    hash_init(&t->by_key, t->pool, arena);
    hash_init(&t->by_venue, t->pool, arena);
    hash_init(&t->by_trade, c->trades_kept, arena);
    t->trade = arena_take(arena, sizeof(struct trade) * c->trades_kept);
    t->live = t->done = (struct list){ ORDER_NONE, ORDER_NONE };
    for (uint32_t i = 0; i < CLIENT_MAX; i++) {
        t->client_live[i] = (struct list){ ORDER_NONE, ORDER_NONE };
        t->keys[i].denied = arena_take(arena, sizeof(struct denied_key) * c->denied_kept);
    }
    return t;
}

/* ---- looking ----------------------------------------------------------------------------------------------------- */

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

uint32_t
order_find(const struct order_table *t, const char clordid[CLORDID_BYTES])
{
    struct clordid id;
    if (clordid_parse(clordid, t->instance, &id) != CLORDID_OURS)
        return ORDER_NONE;
    uint32_t hash = clordid_hash(id.term, id.seq);
    uint32_t pos = hash;
    uint32_t slot;
    while ((slot = hash_next(&t->by_clordid, hash, &pos)) != ORDER_NONE)
        if (t->order[slot].seq == id.seq && t->order[slot].term == id.term)
            break;
    return slot;
}

uint32_t
order_find_key(const struct order_table *t, uint32_t client, uint64_t key)
{
    uint32_t hash = key_hash(client, key);
    uint32_t pos = hash;
    uint32_t slot;
    while ((slot = hash_next(&t->by_key, hash, &pos)) != ORDER_NONE)
        if (t->order[slot].key == key && t->order[slot].client == client)
            break;
    return slot;
}

static inline uint32_t
venue_hash(uint32_t instrument, uint64_t venue_order_id)
{
    return hash_mix(venue_order_id, (uint64_t)instrument << 32 | 2);
}

uint32_t
order_find_venue(const struct order_table *t, uint32_t instrument, uint64_t venue_order_id)
{
    if (venue_order_id == 0)
        return ORDER_NONE;
    uint32_t hash = venue_hash(instrument, venue_order_id);
    uint32_t pos = hash;
    uint32_t slot;
    while ((slot = hash_next(&t->by_venue, hash, &pos)) != ORDER_NONE)
        if (t->order[slot].venue_order_id == venue_order_id && t->order[slot].instrument == instrument)
            break;
    return slot;
}

static void
venue_id_set(struct order_table *t, uint32_t slot, uint64_t venue_order_id)
{
    struct order *o = &t->order[slot];

    if (venue_order_id == o->venue_order_id)
        return;
    if (o->venue_order_id != 0)
        hash_remove(&t->by_venue, venue_hash(o->instrument, o->venue_order_id), slot);
    o->venue_order_id = venue_order_id;
    if (venue_order_id != 0)
        hash_add(&t->by_venue, venue_hash(o->instrument, venue_order_id), slot);
}

const struct order *
order_at(const struct order_table *t, uint32_t slot)
{
    ASSERT(slot < t->pool_used);
    return &t->order[slot];
}

qty_t
order_leaves(const struct order *o)
{
    if (!order_live(o) || o->end_state != 0)
        return 0;
    return MAX(o->qty - o->cum_qty, 0);
}

qty_t
order_missing_fill_qty(const struct order *o)
{
    return MAX(o->venue_cum_qty - o->cum_qty, 0);
}

/* What risk must hold for it. */
static qty_t
reservation(const struct order *o)
{
    if (!order_live(o))
        return 0;
    /* What a venue claims past the order's quantity is not reserved: sums over orders stay inside an int64_t. */
    return MAX(order_leaves(o), MIN(order_missing_fill_qty(o), o->qty));
}

const struct order_totals *
order_totals(const struct order_table *t)
{
    return &t->totals;
}

/* ---- keys -------------------------------------------------------------------------------------------------------- */

uint64_t
order_last_key(const struct order_table *t, uint32_t client)
{
    return client < CLIENT_MAX ? t->keys[client].last_key : 0;
}

/* Binary search in the ring of denied keys, which rise. NULL = not there. */
static const struct denied_key *
denied_find(const struct order_table *t, uint32_t client, uint64_t key)
{
    const struct client_keys *k = &t->keys[client];
    uint32_t kept = t->counts.denied_kept;
    uint64_t hi = k->denied_count;
    uint64_t lo = hi > kept ? hi - kept : 0;

    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;
        if (k->denied[mid % kept].key < key)
            lo = mid + 1;
        else
            hi = mid;
    }
    const struct denied_key *d = &k->denied[lo % kept];
    return lo < k->denied_count && d->key == key ? d : NULL;
}

struct order_key_result
order_key_check(const struct order_table *t, uint32_t client, uint64_t key)
{
    struct order_key_result r = { .kind = ORDER_KEY_STALE, .slot = ORDER_NONE, .deny = DENY_DUPLICATE_KEY };

    if (unlikely(client >= CLIENT_MAX || key == 0))
        return r;
    if (likely(key > t->keys[client].last_key)) {
        r.kind = ORDER_KEY_NEW;
        r.deny = DENY_NONE;
        return r;
    }
    r.slot = order_find_key(t, client, key);
    if (r.slot != ORDER_NONE) {
        r.kind = ORDER_KEY_REPEAT;
        r.deny = DENY_NONE;
        return r;
    }
    const struct denied_key *d = denied_find(t, client, key);
    if (d != NULL) {
        r.kind = ORDER_KEY_REPEAT_DENIED;
        r.deny = (enum deny_reason)d->deny;
    }
    return r;
}

static void
denied_remember(struct order_table *t, uint32_t client, uint64_t key, enum deny_reason deny)
{
    struct client_keys *k = &t->keys[client];
    if (key <= k->last_key)
        return;
    k->last_key = key;
    k->denied[k->denied_count % t->counts.denied_kept] = (struct denied_key){ .key = key, .deny = deny };
    k->denied_count++;
}

/* ---- trades ------------------------------------------------------------------------------------------------------ */

/* Whose trade it is: an order's ClOrdID, or (term 0, which no order has) an instrument's. */
struct trade_owner {
    uint64_t seq;
    uint32_t term;
};

static inline struct trade_owner
owner_order(const struct order *o)
{
    return (struct trade_owner){ .seq = o->seq, .term = o->term };
}

static inline struct trade_owner
owner_instrument(uint32_t instrument)
{
    return (struct trade_owner){ .seq = instrument, .term = 0 };
}

static inline uint32_t
trade_hash(struct trade_owner w, int64_t trade_id)
{
    return hash_mix((uint64_t)trade_id, w.seq << 8 ^ w.term);
}

static bool
trade_seen(const struct order_table *t, struct trade_owner w, int64_t trade_id)
{
    uint32_t hash = trade_hash(w, trade_id);
    uint32_t pos = hash;
    uint32_t i;
    while ((i = hash_next(&t->by_trade, hash, &pos)) != ORDER_NONE) {
        const struct trade *tr = &t->trade[i];
        if (tr->trade_id == trade_id && tr->seq == w.seq && tr->term == w.term)
            return true;
    }
    return false;
}

/* The oldest id makes room; its order is marked, so that the trade is not taken for a new one when it is told again. */
static void
trade_forget(struct order_table *t, uint32_t i)
{
    const struct trade *tr = &t->trade[i];
    uint32_t hash = clordid_hash(tr->term, tr->seq);
    uint32_t pos = hash;
    uint32_t slot;

    hash_remove(&t->by_trade, tr->hash, i);
    while (tr->term != 0 && (slot = hash_next(&t->by_clordid, hash, &pos)) != ORDER_NONE) {
        struct order *o = &t->order[slot];
        if (o->seq == tr->seq && o->term == tr->term)
            o->marks |= ORDER_MARK_FORGOTTEN;
    }
}

static void
trade_remember(struct order_table *t, struct trade_owner w, int64_t trade_id)
{
    uint32_t i = (uint32_t)(t->trades % t->counts.trades_kept);
    struct trade *tr = &t->trade[i];

    if (t->trades >= t->counts.trades_kept)
        trade_forget(t, i);
    *tr = (struct trade){ .seq = w.seq, .trade_id = trade_id, .term = w.term, .hash = trade_hash(w, trade_id) };
    hash_add(&t->by_trade, tr->hash, i);
    t->trades++;
}

const char *
account_trade_fault(const struct account_trade *tr)
{
    if (tr->account >= ACCOUNT_MAX || tr->instrument >= INSTRUMENT_MAX || tr->side > SIDE_SELL)
        return "account, instrument or side is out of range";
    if (tr->trade_id < 0 || tr->qty <= 0 || tr->qty > QTY_MAX || tr->px < 0)
        return "trade id, quantity or price is out of range";
    return NULL;
}

bool
order_table_trade(struct order_table *t, const struct account_trade *tr, struct order_delta *d)
{
    ASSERT(account_trade_fault(tr) == NULL);
    *d = (struct order_delta){
        .account = tr->account, .instrument = tr->instrument, .client = CLIENT_ADOPTED, .side = tr->side
    };
    if (order_trade_counted(t, tr->instrument, tr->trade_id))
        return false;
    trade_remember(t, owner_instrument(tr->instrument), tr->trade_id);
    d->fill_qty = tr->qty;
    d->fill_px = tr->px;
    d->fee = tr->fee;
    d->fee_ccy = tr->fee_ccy;
    t->totals.trades++;
    return true;
}

bool
order_trade_counted(const struct order_table *t, uint32_t instrument, int64_t trade_id)
{
    return trade_seen(t, owner_instrument(instrument), trade_id);
}

int64_t
order_trade_cursor(const struct order_table *t, uint32_t instrument)
{
    return instrument < INSTRUMENT_MAX ? t->cursor1[instrument] - 1 : -1;
}

void
order_trade_cursor_set(struct order_table *t, uint32_t instrument, int64_t trade_id)
{
    ASSERT(instrument < INSTRUMENT_MAX && trade_id >= 0 && trade_id < INT64_MAX);
    t->cursor1[instrument] = MAX(t->cursor1[instrument], trade_id + 1);
}

/* ---- lists ------------------------------------------------------------------------------------------------------- */

static void
live_append(struct order_table *t, uint32_t slot)
{
    struct order *o = &t->order[slot];
    struct list *c = &t->client_live[o->client];

    o->live_prev = t->live.tail;
    o->live_next = ORDER_NONE;
    if (t->live.tail != ORDER_NONE)
        t->order[t->live.tail].live_next = slot;
    else
        t->live.head = slot;
    t->live.tail = slot;
    o->client_prev = c->tail;
    o->client_next = ORDER_NONE;
    if (c->tail != ORDER_NONE)
        t->order[c->tail].client_next = slot;
    else
        c->head = slot;
    c->tail = slot;
}

static void
live_remove(struct order_table *t, uint32_t slot)
{
    struct order *o = &t->order[slot];
    struct list *c = &t->client_live[o->client];

    for (uint32_t i = 0; t->walks_open > 0 && i < ORDER_WALKS_MAX; i++)
        if (t->walk[i].open && t->walk[i].next == slot)
            t->walk[i].next = t->walk[i].client == CLIENT_NONE ? o->live_next : o->client_next;

    *(o->live_prev != ORDER_NONE ? &t->order[o->live_prev].live_next : &t->live.head) = o->live_next;
    *(o->live_next != ORDER_NONE ? &t->order[o->live_next].live_prev : &t->live.tail) = o->live_prev;
    *(o->client_prev != ORDER_NONE ? &t->order[o->client_prev].client_next : &c->head) = o->client_next;
    *(o->client_next != ORDER_NONE ? &t->order[o->client_next].client_prev : &c->tail) = o->client_prev;
    o->live_prev = o->live_next = o->client_prev = o->client_next = ORDER_NONE;
}

static void
done_append(struct order_table *t, uint32_t slot)
{
    t->order[slot].done_next = ORDER_NONE;
    if (t->done.tail != ORDER_NONE)
        t->order[t->done.tail].done_next = slot;
    else
        t->done.head = slot;
    t->done.tail = slot;
    t->totals.done++;
}

/* Forget the oldest terminal order. */
static uint32_t
done_recycle(struct order_table *t)
{
    uint32_t slot = t->done.head;
    ASSERT(slot != ORDER_NONE && t->totals.done > t->counts.done_kept);
    struct order *o = &t->order[slot];

    t->done.head = o->done_next;
    if (t->done.head == ORDER_NONE)
        t->done.tail = ORDER_NONE;
    t->totals.done--;
    hash_remove(&t->by_clordid, clordid_hash(o->term, o->seq), slot);
    hash_remove(&t->by_key, key_hash(o->client, o->key), slot);
    venue_id_set(t, slot, 0);
    if (o->replaces != ORDER_NONE && t->order[o->replaces].replaced_by == slot)
        t->order[o->replaces].replaced_by = ORDER_NONE;
    if (o->replaced_by != ORDER_NONE && t->order[o->replaced_by].replaces == slot)
        t->order[o->replaced_by].replaces = ORDER_NONE;
    return slot;
}

/* ---- intents ----------------------------------------------------------------------------------------------------- */

bool
order_table_room(const struct order_table *t)
{
    return t->totals.live < t->counts.live_max;
}

static void
delta_name(struct order_delta *d, const struct order *o)
{
    *d = (struct order_delta){
        .account = o->account, .instrument = o->instrument, .client = o->client, .side = o->side
    };
}

/* The order that a REPLACE cancels: its request is in flight from here. Returns the change of its unknown count. */
static int
target_mark(struct order_table *t, uint32_t slot, const struct order_intent *in, uint64_t target_key)
{
    uint32_t target = order_find(t, in->target_clordid);
    struct order *o = &t->order[slot];

    o->replaces = target;
    if (target == ORDER_NONE)
        return 0;
    struct order *old = &t->order[target];
    int unknown = order_unknown(old);
    if (old->replaced_by != ORDER_NONE && t->order[old->replaced_by].replaces == target)
        t->order[old->replaced_by].replaces = ORDER_NONE;
    old->replaced_by = slot;
    old->request = (uint8_t)request_state_step((enum request_state)old->request, ORDER_EV_REPLACE_SENT,
                                               (enum order_state)old->state);
    old->request_key = target_key;
    old->request_mono_ns = in->risk_mono_ns;
    old->cancel_deadline_ns = in->venue_deadline_ns;
    return (int)order_unknown(old) - unknown;
}

static inline void
hash_prefetch(const struct hash *h, uint32_t hash)
{
    __builtin_prefetch(&h->entry[hash & h->mask], 1);
}

void
order_table_prefetch(const struct order_table *t, uint32_t client, uint64_t key, uint32_t term, uint64_t seq)
{
    bool fresh = t->pool_used < t->pool;
    uint32_t slot = fresh ? t->pool_used : t->done.head;

    hash_prefetch(&t->by_clordid, clordid_hash(term, seq));
    hash_prefetch(&t->by_key, key_hash(client, key));
    if (unlikely(slot == ORDER_NONE))
        return;
    const struct order *o = &t->order[slot];
    for (size_t i = 0; i < sizeof(*o); i += CACHE_LINE)
        __builtin_prefetch((const uint8_t *)o + i, 1);
    if (fresh)
        return;
    hash_prefetch(&t->by_clordid, clordid_hash(o->term, o->seq)); /* the oldest one leaves its place */
    hash_prefetch(&t->by_key, key_hash(o->client, o->key));
}

static uint32_t
slot_take(struct order_table *t)
{
    return t->pool_used < t->pool ? t->pool_used++ : done_recycle(t);
}

const char *
order_intent_fault(const struct order_table *t, const struct order_intent *in)
{
    const struct command *c = &in->command;
    struct clordid id;

    if (c->client >= CLIENT_MAX)
        return "client id is out of range";
    if (in->deny >= DENY_REASON_COUNT)
        return "deny reason is not known";
    if (in->deny != DENY_NONE || (c->verb != COMMAND_NEW && c->verb != COMMAND_REPLACE))
        return NULL;
    if (c->account >= ACCOUNT_MAX || c->instrument >= INSTRUMENT_MAX || c->side > SIDE_SELL)
        return "account, instrument or side is out of range";
    if (in->qty <= 0 || in->qty > QTY_MAX || c->px < 0)
        return "quantity or price is out of range";
    if (c->key <= t->keys[c->client].last_key)
        return "client order key does not rise";
    if (clordid_parse(in->clordid, t->instance, &id) != CLORDID_OURS || order_find(t, in->clordid) != ORDER_NONE)
        return "ClOrdID is not ours or was used before";
    if (c->verb == COMMAND_REPLACE) {
        uint32_t target = order_find(t, in->target_clordid);
        if (target != ORDER_NONE &&
            (t->order[target].account != c->account || t->order[target].instrument != c->instrument))
            return "the replaced order is of another account or instrument";
    }
    return order_table_room(t) ? NULL : "more live orders than the table holds";
}

uint32_t
order_table_intent(struct order_table *t, const struct order_intent *in, struct order_delta *d)
{
    const struct command *c = &in->command;
    struct clordid id;

    memset(d, 0, sizeof(*d));
    d->client = CLIENT_NONE;
    t->totals.intents++;
    if (unlikely(in->deny != DENY_NONE)) {
        t->totals.denied++;
        if ((c->verb == COMMAND_NEW || c->verb == COMMAND_REPLACE) && c->client < CLIENT_MAX)
            denied_remember(t, c->client, c->key, (enum deny_reason)in->deny);
        return ORDER_NONE;
    }
    if (c->verb != COMMAND_NEW && c->verb != COMMAND_REPLACE)
        return ORDER_NONE;
    ASSERT(c->client < CLIENT_MAX && c->account < ACCOUNT_MAX && c->instrument < INSTRUMENT_MAX);
    ASSERT(c->side <= SIDE_SELL && in->qty > 0 && in->qty <= QTY_MAX);
    ASSERT(c->key > t->keys[c->client].last_key);
    ASSERT(order_table_room(t));
    enum clordid_kind kind = clordid_parse(in->clordid, t->instance, &id);
    ASSERT(kind == CLORDID_OURS);

    uint32_t slot = slot_take(t);
    struct order *o = &t->order[slot];
    *o = (struct order){
        .client = c->client,
        .key = c->key,
        .seq = id.seq,
        .term = id.term,
        .account = c->account,
        .instrument = c->instrument,
        .instrument_version = c->instrument_version,
        .venue = in->venue,
        .side = c->side,
        .type = c->type,
        .tif = c->tif,
        .flags = c->flags,
        .state = ORDER_SENT,
        .request = REQUEST_NEW_IN_FLIGHT,
        .replaces = ORDER_NONE,
        .replaced_by = ORDER_NONE,
        .request_key = c->client_seq,
        .px = c->px,
        .qty = in->qty,
        .reserved = in->qty,
        .trigger_px = c->trigger_px,
        .last_trade_id = -1,
        .parent_key = c->parent_key,
        .venue_deadline_ns = in->venue_deadline_ns,
        .request_mono_ns = in->risk_mono_ns,
        .submit_mono_ns = c->submit_mono_ns,
        .recv_mono_ns = in->recv_mono_ns,
        .risk_mono_ns = in->risk_mono_ns,
        .done_next = ORDER_NONE,
    };
    memcpy(o->clordid, in->clordid, CLORDID_BYTES);
    hash_add(&t->by_clordid, clordid_hash(id.term, id.seq), slot);
    hash_add(&t->by_key, key_hash(c->client, c->key), slot);
    if (c->client == CLIENT_ADOPTED)
        venue_id_set(t, slot, c->target_key);
    live_append(t, slot);
    t->keys[c->client].last_key = c->key;
    t->totals.live++;

    delta_name(d, o);
    d->open_change = 1;
    d->reserved_change = o->reserved;
    if (c->verb == COMMAND_REPLACE)
        d->unknown_change = (int8_t)target_mark(t, slot, in, c->client_seq);
    t->totals.unknown = (uint32_t)((int64_t)t->totals.unknown + d->unknown_change);
    return slot;
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static void
words_keep(struct order *o, const struct order_event *ev)
{
    o->venue_code = ev->venue_code;
    memcpy(o->text, ev->text, sizeof(o->text));
    o->text[sizeof(o->text) - 1] = '\0';
}

/* The venue's own numbers that come with any report. */
static void
venue_facts(struct order_table *t, struct order *o, const struct order_event *ev)
{
    if (ev->venue_order_id != 0)
        venue_id_set(t, (uint32_t)(o - t->order), ev->venue_order_id);
    if (ev->venue_time_ns > o->venue_time_ns)
        o->venue_time_ns = ev->venue_time_ns;
    if (ev->cum_qty > o->venue_cum_qty && ev->cum_qty <= QTY_MAX)
        o->venue_cum_qty = ev->cum_qty;
}

/* Enter a terminal state; the list is mended by the caller. */
static void
enter(struct order *o, enum order_state state)
{
    o->state = (uint8_t)state;
    o->end_state = 0;
    o->request = REQUEST_NONE;
    o->marks &= (uint8_t)~ORDER_MARK_NEW_UNKNOWN;
}

/* The venue calls the order over. When it has counted trades that we have not seen, the order waits for them. */
static enum order_outcome
on_end(struct order *o, enum order_event_kind kind)
{
    struct order_step step = order_state_step((enum order_state)o->state, kind);

    if (step.outcome != ORDER_APPLIED)
        return (enum order_outcome)step.outcome;
    if (order_missing_fill_qty(o) == 0) {
        enter(o, (enum order_state)step.state);
        return ORDER_APPLIED;
    }
    if (o->end_state != 0)
        return ORDER_DUPLICATE;
    o->end_state = step.state;
    o->request = REQUEST_NONE;
    o->marks &= (uint8_t)~ORDER_MARK_NEW_UNKNOWN;
    return ORDER_HELD;
}

static void
fill_count(struct order_table *t, struct order *o, const struct order_event *ev, struct order_delta *d)
{
    trade_remember(t, owner_order(o), ev->trade_id);
    if (__builtin_add_overflow(o->cum_qty, ev->last_qty, &o->cum_qty))
        o->cum_qty = INT64_MAX;
    o->cum_px_qty += (wide_t)ev->last_px * ev->last_qty;
    o->trade_count++;
    o->last_px = ev->last_px;
    o->last_qty = ev->last_qty;
    o->last_trade_id = ev->trade_id;
    o->last_fee = ev->fee;
    o->last_fee_ccy = (uint16_t)ev->fee_ccy;
    if (o->cum_qty > o->qty && (o->marks & ORDER_MARK_OVERFILLED) == 0) {
        o->marks |= ORDER_MARK_OVERFILLED;
        t->totals.overfills++;
    }
    t->totals.trades++;
    if ((ev->flags & ORDER_EVENT_COUNTED) != 0)
        return;
    d->fill_qty = ev->last_qty;
    d->fill_px = ev->last_px;
    d->fee = ev->fee;
    d->fee_ccy = (uint16_t)ev->fee_ccy;
}

static enum order_outcome
on_fill(struct order_table *t, struct order *o, const struct order_event *ev, struct order_delta *d)
{
    if (ev->trade_id < 0 || ev->last_qty <= 0 || ev->last_qty > QTY_MAX || ev->last_px < 0)
        return ORDER_INVALID;
    if (trade_seen(t, owner_order(o), ev->trade_id))
        return ORDER_DUPLICATE;
    bool all = o->qty - o->cum_qty <= ev->last_qty;
    enum order_event_kind kind = all ? ORDER_EV_FILL_ALL : ORDER_EV_FILL;
    struct order_step step = order_state_step((enum order_state)o->state, kind);

    venue_facts(t, o, ev);
    fill_count(t, o, ev, d);
    if (step.outcome == ORDER_LATE) {
        o->marks |= ORDER_MARK_LATE;
        d->fill_late = true;
        return ORDER_LATE;
    }
    o->marks &= (uint8_t)~ORDER_MARK_NEW_UNKNOWN;
    if (all)
        enter(o, ORDER_FILLED);
    else if (o->end_state != 0 && order_missing_fill_qty(o) == 0)
        enter(o, (enum order_state)o->end_state);
    else {
        o->state = step.state;
        o->request = (uint8_t)request_state_step((enum request_state)o->request, kind, (enum order_state)o->state);
    }
    return ORDER_APPLIED;
}

/* Events that change what is in flight, and maybe SENT to NEW. */
static enum order_outcome
on_request(struct order *o, const struct order_event *ev, enum order_event_kind kind)
{
    struct order_step step = order_state_step((enum order_state)o->state, kind);
    enum request_state was = (enum request_state)o->request;

    if (step.outcome != ORDER_APPLIED && !(kind == ORDER_EV_ACK && order_live(o)))
        return (enum order_outcome)step.outcome;
    if (o->end_state != 0) /* over at the venue, only trades are awaited */
        return ORDER_DUPLICATE;
    bool changed = o->state != step.state;
    o->state = step.state;
    o->request = (uint8_t)request_state_step(was, kind, (enum order_state)o->state);
    changed |= o->request != was;
    if (kind == ORDER_EV_ACK && o->ack_mono_ns == 0) {
        o->ack_mono_ns = ev->mono_ns;
        changed = true;
    }
    if (o->state != ORDER_SENT)
        o->marks &= (uint8_t)~ORDER_MARK_NEW_UNKNOWN;
    else if (kind == ORDER_EV_UNKNOWN || o->request == REQUEST_NEW_UNKNOWN)
        o->marks |= ORDER_MARK_NEW_UNKNOWN;
    if (kind == ORDER_EV_CANCEL_SENT) {
        o->request_mono_ns = ev->mono_ns;
        o->cancel_deadline_ns = ev->deadline_ns;
        if (ev->request_key != 0)
            o->request_key = ev->request_key;
        changed = true;
    }
    if (kind == ORDER_EV_CANCEL_REJECTED) {
        words_keep(o, ev);
        changed = true;
    }
    return changed ? ORDER_APPLIED : ORDER_DUPLICATE;
}

/* Answer to a query: works, or is over in one of the ways an order can be over. */
static enum order_outcome
on_status(struct order *o, const struct order_event *ev)
{
    switch ((enum order_state)ev->state) {
    case ORDER_CANCELED: return on_end(o, ORDER_EV_CANCELED);
    case ORDER_EXPIRED: return on_end(o, ORDER_EV_EXPIRED);
    case ORDER_REJECTED: return on_end(o, ORDER_EV_REJECTED);
    case ORDER_NOT_PLACED: return on_end(o, ORDER_EV_NOT_PLACED);
    case ORDER_FILLED: /* by trades only: until they are here it is held */
        if (!order_live(o))
            return o->state == ORDER_FILLED ? ORDER_DUPLICATE : ORDER_CONFLICT;
        o->venue_cum_qty = MAX(o->venue_cum_qty, o->qty);
        return on_end(o, ORDER_EV_FILL_ALL);
    case ORDER_NEW:
    case ORDER_PARTIALLY_FILLED:
        return on_request(o, ev, (ev->flags & ORDER_EVENT_PROVEN) != 0 ? ORDER_EV_STATUS_PROVEN : ORDER_EV_STATUS);
    default: return ORDER_INVALID;
    }
}

static enum order_outcome
on_event(struct order_table *t, struct order *o, const struct order_event *ev, struct order_delta *d)
{
    switch ((enum order_event_kind)ev->kind) {
    case ORDER_EV_FILL: return on_fill(t, o, ev, d);
    case ORDER_EV_CANCELED:
    case ORDER_EV_EXPIRED: venue_facts(t, o, ev); return on_end(o, (enum order_event_kind)ev->kind);
    case ORDER_EV_REJECTED:
    case ORDER_EV_NOT_PLACED: {
        enum order_outcome out = on_end(o, (enum order_event_kind)ev->kind);
        if (out == ORDER_APPLIED)
            words_keep(o, ev);
        return out;
    }
    case ORDER_EV_STATUS: venue_facts(t, o, ev); return on_status(o, ev);
    case ORDER_EV_ACK: venue_facts(t, o, ev); return on_request(o, ev, ORDER_EV_ACK);
    case ORDER_EV_CANCEL_SENT:
    case ORDER_EV_CANCEL_REJECTED:
    case ORDER_EV_UNKNOWN: return on_request(o, ev, (enum order_event_kind)ev->kind);
    default: return ORDER_INVALID;
    }
}

enum order_outcome
order_table_event(struct order_table *t, uint32_t slot, const struct order_event *ev, struct order_delta *d)
{
    memset(d, 0, sizeof(*d));
    d->client = CLIENT_NONE;
    if (unlikely(slot >= t->pool_used || t->order[slot].state == ORDER_FREE)) {
        t->totals.outcome[ORDER_INVALID]++;
        return ORDER_INVALID;
    }
    struct order *o = &t->order[slot];
    bool was_live = order_live(o);
    int was_unknown = order_unknown(o);

    delta_name(d, o);
    enum order_outcome out = on_event(t, o, ev, d);
    qty_t reserved = reservation(o);
    d->reserved_change = reserved - o->reserved;
    o->reserved = reserved;
    d->unknown_change = (int8_t)((int)order_unknown(o) - was_unknown);
    t->totals.unknown = (uint32_t)((int64_t)t->totals.unknown + d->unknown_change);
    if (was_live && !order_live(o)) {
        d->open_change = -1;
        live_remove(t, slot);
        t->totals.live--;
        done_append(t, slot);
    }
    t->totals.outcome[out]++;
    return out;
}

void
order_stamp_wire(struct order_table *t, uint32_t slot, mono_ns_t at)
{
    ASSERT(slot < t->pool_used);
    t->order[slot].wire_mono_ns = at.ns;
}

void
order_report_fill(const struct order *o, struct report *r)
{
    *r = (struct report){
        .version = MESSAGE_VERSION,
        .kind = REPORT_ORDER,
        .flags = (o->marks & ORDER_MARK_LATE) != 0 ? REPORT_LATE : 0,
        .client = o->client,
        .key = o->key,
        .request_key = o->request_key,
        .account = o->account,
        .instrument = o->instrument,
        .instrument_version = o->instrument_version,
        .side = o->side,
        .type = o->type,
        .tif = o->tif,
        .order_state = o->state,
        .request_state = o->request,
        .order_flags = o->flags,
        .venue_code = o->venue_code,
        .px = o->px,
        .qty = o->qty,
        .cum_qty = o->cum_qty,
        .leaves_qty = order_leaves(o),
        .last_px = o->last_px,
        .last_qty = o->last_qty,
        .fee = o->last_fee,
        .fee_ccy = o->last_fee_ccy,
        .venue = o->venue,
        .trade_id = o->last_trade_id,
        .venue_order_id = o->venue_order_id,
        .submit_mono_ns = o->submit_mono_ns,
        .recv_mono_ns = o->recv_mono_ns,
        .risk_mono_ns = o->risk_mono_ns,
        .wire_mono_ns = o->wire_mono_ns,
        .ack_mono_ns = o->ack_mono_ns,
        .venue_time_ns = o->venue_time_ns,
    };
    memcpy(r->clordid, o->clordid, CLORDID_BYTES);
    memcpy(r->text, o->text, sizeof(r->text));
    /* An order whose new request is unknown shows so, whatever else is in flight. */
    if (order_unknown(o) && !request_state_unknown((enum request_state)o->request))
        r->request_state = REQUEST_NEW_UNKNOWN;
}

/* ---- walks ------------------------------------------------------------------------------------------------------- */

int
order_walk_open(struct order_table *t, uint32_t client)
{
    ASSERT(client < CLIENT_MAX || client == CLIENT_NONE);
    for (int i = 0; i < ORDER_WALKS_MAX; i++) {
        if (t->walk[i].open)
            continue;
        uint32_t head = client == CLIENT_NONE ? t->live.head : t->client_live[client].head;
        t->walk[i] = (struct walk){ .open = true, .client = client, .next = head };
        t->walks_open++;
        return i;
    }
    return -1;
}

uint32_t
order_walk_next(struct order_table *t, int walk)
{
    ASSERT(walk >= 0 && walk < ORDER_WALKS_MAX && t->walk[walk].open);
    struct walk *w = &t->walk[walk];
    uint32_t slot = w->next;

    if (slot == ORDER_NONE) {
        order_walk_close(t, walk);
        return ORDER_NONE;
    }
    w->next = w->client == CLIENT_NONE ? t->order[slot].live_next : t->order[slot].client_next;
    return slot;
}

void
order_walk_close(struct order_table *t, int walk)
{
    ASSERT(walk >= 0 && walk < ORDER_WALKS_MAX && t->walk[walk].open);
    t->walk[walk].open = false;
    t->walks_open--;
}
