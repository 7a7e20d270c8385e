/* Order table: memory, keys, lists, intents, looking, walks. See order_table.h.
 *
 * A pool of live_max + done_kept slots. Hashes of one form (by ClOrdID, by client and key, by the keys of amends, and
 * the trades that were counted), the list of live orders (all, and per client) in the order of sending, and the queue
 * of terminal ones, whose oldest is recycled when the pool is empty. */
#include "engine/oms/order_table_state.h"

/* ---- the table ------------------------------------------------------------------------------------------------- */

size_t
order_table_footprint(const struct order_counts *c)
{
    size_t pool = (size_t)c->live_max + c->done_kept;
    return arena_cost(sizeof(struct order_table)) + arena_cost(pool * sizeof(struct order)) +
           3 * arena_cost(sizeof(struct hash_entry) * hash_capacity((uint32_t)pool)) +
           arena_cost(sizeof(struct hash_entry) * hash_capacity(c->trades_kept)) +
           arena_cost(sizeof(struct trade) * c->trades_kept) + arena_cost(pool * sizeof(struct order_amend)) +
           arena_cost(sizeof(struct hash_entry) * hash_capacity((uint32_t)pool * 2)) +
           key_ledger_footprint(c->keys_kept);
}

struct order_table *
order_table_init(const struct order_counts *c, const char *instance, struct arena *arena)
{
    ASSERT(c->live_max >= 1 && c->live_max <= 1u << 20);
    ASSERT(c->done_kept >= 1 && c->done_kept <= 1u << 20);
    ASSERT(c->trades_kept >= 1 && c->trades_kept <= 1u << 24);
    struct order_table *t = arena_take(arena, sizeof(*t));
    t->counts = *c;
    memcpy(t->instance, instance, CLORDID_INSTANCE);
    t->pool = c->live_max + c->done_kept;
    t->order = arena_take(arena, (size_t)t->pool * sizeof(struct order));
    hash_init(&t->by_clordid, t->pool, arena);
    hash_init(&t->by_key, t->pool, arena);
    hash_init(&t->by_venue, t->pool, arena);
    hash_init(&t->by_trade, c->trades_kept, arena);
    t->amend = arena_take(arena, (size_t)t->pool * sizeof(struct order_amend));
    hash_init(&t->by_alias, t->pool * 2, arena);
    key_ledger_init(&t->keys, c->keys_kept, arena);
    t->trade = arena_take(arena, sizeof(struct trade) * c->trades_kept);
    t->live = t->done = (struct list){ ORDER_NONE, ORDER_NONE };
    for (uint32_t i = 0; i < CLIENT_MAX; i++)
        t->client_live[i] = (struct list){ ORDER_NONE, ORDER_NONE };
    return t;
}

/* ---- looking ----------------------------------------------------------------------------------------------------- */

static uint32_t
find_id(const struct order_table *t, uint32_t term, uint64_t seq)
{
    uint32_t hash = clordid_hash(term, seq);
    uint32_t pos = hash;
    uint32_t slot;
    while ((slot = hash_next(&t->by_clordid, hash, &pos)) != ORDER_NONE)
        if (t->order[slot].seq == seq && t->order[slot].term == term)
            break;
    return slot;
}

uint32_t
order_find(const struct order_table *t, const char clordid[CLORDID_BYTES])
{
    struct clordid id;
    if (clordid_parse(clordid, t->instance, &id) != CLORDID_OURS)
        return ORDER_NONE;
    return find_id(t, id.term, id.seq);
}

/* The key that an order was sent with: by_key has it under this one for as long as it is kept. */
static inline uint64_t
first_key(const struct order_table *t, uint32_t slot)
{
    const struct order *o = &t->order[slot];
    return (o->marks & ORDER_MARK_AMENDS) != 0 ? t->amend[slot].first_key : o->key;
}

static uint32_t
find_first_key(const struct order_table *t, uint32_t client, uint64_t key)
{
    uint32_t hash = key_hash(client, key);
    uint32_t pos = hash;
    uint32_t slot;
    while ((slot = hash_next(&t->by_key, hash, &pos)) != ORDER_NONE)
        if (t->order[slot].client == client && first_key(t, slot) == key)
            break;
    return slot;
}

static uint32_t
find_alias(const struct order_table *t, uint32_t client, uint64_t key)
{
    uint32_t hash = key_hash(client, key);
    uint32_t pos = hash;
    uint32_t slot;
    while ((slot = hash_next(&t->by_alias, hash, &pos)) != ORDER_NONE)
        if (t->order[slot].client == client && (t->order[slot].key == key || t->amend[slot].key == key))
            break;
    return slot;
}

uint32_t
order_find_key(const struct order_table *t, uint32_t client, uint64_t key)
{
    uint32_t slot = find_first_key(t, client, key);
    if (likely(slot != ORDER_NONE) || client >= CLIENT_MAX)
        return slot;
    slot = find_alias(t, client, key);
    if (slot != ORDER_NONE)
        return slot;
    const struct key_entry *e = key_ledger_find(&t->keys, client, key);
    return e != NULL && e->kind == KEY_AMEND ? find_id(t, e->term, e->seq) : ORDER_NONE;
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

void
order_venue_id_set(struct order_table *t, uint32_t slot, uint64_t venue_order_id)
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

const struct order_amend *
order_amend_at(const struct order_table *t, uint32_t slot)
{
    return (order_at(t, slot)->marks & ORDER_MARK_AMENDS) != 0 ? &t->amend[slot] : NULL;
}

const struct order_totals *
order_totals(const struct order_table *t)
{
    return &t->totals;
}

/* ---- keys -------------------------------------------------------------------------------------------------------- */

uint64_t
order_forgotten_key(const struct order_table *t, uint32_t client)
{
    uint64_t most = 0;

    for (uint32_t i = 0; i < CLIENT_MAX; i++)
        if (client == CLIENT_NONE || client == i)
            most = MAX(most, t->keys.client[i].forgotten_key);
    return most;
}

uint64_t
order_last_key(const struct order_table *t, uint32_t client)
{
    return client < CLIENT_MAX ? key_ledger_last(&t->keys, client) : 0;
}

static COLD struct order_key_result
key_repeat(const struct order_table *t, uint32_t client, uint64_t key)
{
    struct order_key_result r = { .kind = ORDER_KEY_STALE, .slot = ORDER_NONE, .deny = DENY_DUPLICATE_KEY };

    r.slot = find_first_key(t, client, key);
    if (r.slot != ORDER_NONE) {
        r.kind = ORDER_KEY_REPEAT;
        r.deny = DENY_NONE;
        return r;
    }
    const struct key_entry *e = key_ledger_find(&t->keys, client, key);
    if (e == NULL)
        return r;
    if (e->kind == KEY_DENIED) {
        r.kind = ORDER_KEY_REPEAT_DENIED;
        r.deny = (enum deny_reason)e->deny;
        return r;
    }
    r.kind = ORDER_KEY_REPEAT_ASKED;
    r.deny = DENY_NONE;
    r.asked = *e;
    r.slot = find_id(t, e->term, e->seq);
    return r;
}

struct order_key_result
order_key_check(const struct order_table *t, uint32_t client, uint64_t key)
{
    if (unlikely(client >= CLIENT_MAX || key == 0))
        return (struct order_key_result){ .kind = ORDER_KEY_STALE, .slot = ORDER_NONE, .deny = DENY_DUPLICATE_KEY };
    if (likely(key > key_ledger_last(&t->keys, client)))
        return (struct order_key_result){ .kind = ORDER_KEY_NEW, .slot = ORDER_NONE };
    return key_repeat(t, client, key);
}

static void
denied_remember(struct order_table *t, uint32_t client, uint64_t key, enum deny_reason deny)
{
    struct key_entry e = { .key = key, .kind = KEY_DENIED, .deny = (uint8_t)deny };

    if (key_ledger_add(&t->keys, client, &e))
        return;
    struct key_entry *was = key_ledger_find(&t->keys, client, key);
    if (was != NULL && was->kind == KEY_REPLACE) /* its old order is canceled, its new one is denied */
        *was = e;
}

/* ---- lists ------------------------------------------------------------------------------------------------------- */

void
order_list_live(struct order_table *t, uint32_t slot)
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
        if (t->walk[i].open && !t->walk[i].over && t->walk[i].next == slot)
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

void
order_list_done(struct order_table *t, uint32_t slot)
{
    live_remove(t, slot);
    t->totals.live--;
    done_append(t, slot);
}

/* by_alias holds the key shown when it is not the first, and that of the last amend when it is another one still. */
static void
aliases_forget(struct order_table *t, uint32_t slot)
{
    const struct order *o = &t->order[slot];
    const struct order_amend *a = &t->amend[slot];

    if (o->key != a->first_key)
        hash_remove(&t->by_alias, key_hash(o->client, o->key), slot);
    if (a->key != 0 && a->key != o->key)
        hash_remove(&t->by_alias, key_hash(o->client, a->key), slot);
}

/* Forget the oldest terminal order. */
static uint32_t
done_recycle(struct order_table *t)
{
    uint32_t slot = t->done.head;
    ASSERT(slot != ORDER_NONE && t->totals.done > t->counts.done_kept);
    struct order *o = &t->order[slot];

    for (uint32_t i = 0; t->walks_open > 0 && i < ORDER_WALKS_MAX; i++)
        if (t->walk[i].open && t->walk[i].over && t->walk[i].next == slot)
            t->walk[i].next = o->done_next;
    key_ledger_forgot(&t->keys, o->client, o->key);
    t->done.head = o->done_next;
    if (t->done.head == ORDER_NONE)
        t->done.tail = ORDER_NONE;
    t->totals.done--;
    hash_remove(&t->by_clordid, clordid_hash(o->term, o->seq), slot);
    if (unlikely((o->marks & ORDER_MARK_AMENDS) != 0))
        aliases_forget(t, slot);
    hash_remove(&t->by_key, key_hash(o->client, first_key(t, slot)), slot);
    order_venue_id_set(t, slot, 0);
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
    struct order_step step =
        order_step((enum order_state)old->state, (enum request_state)old->request, ORDER_EV_REPLACE_SENT);
    old->request = step.request;
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
    hash_prefetch(&t->by_key, key_hash(o->client, o->key));       /* of one that was amended another: no harm */
}

static uint32_t
slot_take(struct order_table *t)
{
    return t->pool_used < t->pool ? t->pool_used++ : done_recycle(t);
}

/* A replace took the key and canceled first; its new order may use it. */
static bool
key_waits(const struct order_table *t, uint32_t client, uint64_t key)
{
    const struct key_entry *e = key_ledger_find(&t->keys, client, key);
    return e != NULL && e->kind == KEY_REPLACE && find_first_key(t, client, key) == ORDER_NONE;
}

bool
order_amendable(const struct order *o)
{
    return o->request == REQUEST_NONE && o->end_state == 0 &&
           (o->marks & (ORDER_MARK_AMENDING | ORDER_MARK_NEW_UNKNOWN)) == 0 &&
           (o->state == ORDER_NEW || o->state == ORDER_PARTIALLY_FILLED);
}

static const char *
amend_fault(const struct order_table *t, const struct order_intent *in)
{
    const struct command *c = &in->command;
    uint32_t slot = order_find(t, in->target_clordid);

    if (slot == ORDER_NONE || !order_amendable(&t->order[slot]))
        return "the amended order does not work at the venue";
    const struct order *o = &t->order[slot];
    if (o->client != c->client || o->account != c->account || o->instrument != c->instrument || o->side != c->side)
        return "the amended order is of another client, account, instrument or side";
    return memcmp(in->clordid, in->target_clordid, CLORDID_BYTES) == 0 ? NULL : "an amend has a ClOrdID of its own";
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
    if ((in->flags & ORDER_INTENT_AFTER_CANCEL) != 0 ? !key_waits(t, c->client, c->key)
                                                     : c->key <= key_ledger_last(&t->keys, c->client))
        return "client order key does not rise";
    if ((in->flags & ORDER_INTENT_AMEND) != 0)
        return amend_fault(t, in);
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

void
order_amend_open(struct order_table *t, uint32_t slot)
{
    struct order *o = &t->order[slot];

    if ((o->marks & ORDER_MARK_AMENDS) != 0)
        return;
    o->marks |= ORDER_MARK_AMENDS;
    t->amend[slot] = (struct order_amend){ .first_key = o->key };
}

/* An accepted amend: the order gets one more name, and holds the larger of two totals until it is settled. */
static uint32_t
amend_intent(struct order_table *t, const struct order_intent *in, struct order_delta *d)
{
    const struct command *c = &in->command;
    uint32_t slot = order_find(t, in->target_clordid);

    ASSERT(slot != ORDER_NONE && order_amendable(&t->order[slot]) && t->order[slot].client == c->client);
    ASSERT(in->qty > 0 && in->qty <= QTY_MAX && c->px >= 0 && c->key > key_ledger_last(&t->keys, c->client));
    struct order *o = &t->order[slot];
    struct order_amend *a = &t->amend[slot];
    struct key_entry e = { .key = c->key, .seq = o->seq, .term = o->term, .kind = KEY_AMEND, .state = ORDER_SENT };

    order_amend_open(t, slot);
    if (a->key != 0 && a->key != o->key) /* of an amend that was not done; the ledger still knows it */
        hash_remove(&t->by_alias, key_hash(o->client, a->key), slot);
    a->key = c->key;
    a->px = c->px;
    a->qty = in->qty;
    hash_add(&t->by_alias, key_hash(o->client, c->key), slot);
    (void)key_ledger_add(&t->keys, c->client, &e);
    o->marks |= ORDER_MARK_AMENDING;
    o->request = order_step((enum order_state)o->state, (enum request_state)o->request, ORDER_EV_REPLACE_SENT).request;
    o->request_key = c->client_seq;
    o->request_mono_ns = in->risk_mono_ns;
    o->cancel_deadline_ns = MAX(o->cancel_deadline_ns, in->venue_deadline_ns);

    delta_name(d, o);
    order_delta_reserve(t, o, d);
    return slot;
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
    if (unlikely((in->flags & ORDER_INTENT_AMEND) != 0))
        return amend_intent(t, in, d);
    ASSERT(c->client < CLIENT_MAX && c->account < ACCOUNT_MAX && c->instrument < INSTRUMENT_MAX);
    ASSERT(c->side <= SIDE_SELL && in->qty > 0 && in->qty <= QTY_MAX);
    ASSERT(c->key > key_ledger_last(&t->keys, c->client) ||
           ((in->flags & ORDER_INTENT_AFTER_CANCEL) != 0 && key_waits(t, c->client, c->key)));
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
        .px = c->type == ORDER_MARKET ? in->value : c->px,
        .qty = in->qty,
        .trigger_px = c->trigger_px,
        .last_trade_id = -1,
        .parent_key = c->parent_key,
        .parent_qty = c->parent_key != 0 ? c->parent_qty : 0,
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
    if (c->client == CLIENT_ADOPTED) {
        order_venue_id_set(t, slot, c->target_key);
        memcpy(o->text, c->text, sizeof(o->text) - 1); /* what the venue calls its type */
    }
    order_list_live(t, slot);
    key_ledger_raise(&t->keys, c->client, c->key);
    t->totals.live++;

    delta_name(d, o);
    d->open_change = 1;
    order_delta_reserve(t, o, d);
    if (c->verb == COMMAND_REPLACE)
        d->unknown_change = (int8_t)target_mark(t, slot, in, c->client_seq);
    t->totals.unknown = (uint32_t)((int64_t)t->totals.unknown + d->unknown_change);
    return slot;
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

int
order_walk_open_all(struct order_table *t, uint32_t client)
{
    int walk = order_walk_open(t, client);

    if (walk >= 0)
        t->walk[walk].all = true;
    return walk;
}

uint32_t
order_walk_next(struct order_table *t, int walk)
{
    ASSERT(walk >= 0 && walk < ORDER_WALKS_MAX && t->walk[walk].open);
    struct walk *w = &t->walk[walk];
    uint32_t slot = w->next;

    if (slot == ORDER_NONE && w->all && !w->over) {
        w->over = true;
        slot = t->done.head;
    }
    if (slot == ORDER_NONE) {
        order_walk_close(t, walk);
        return ORDER_NONE;
    }
    if (w->over) {
        w->next = t->order[slot].done_next;
        return slot;
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
