#include "engine/oms/order_image.h"
#include "engine/oms/order_table_state.h"

/* Copied as they are, both ways. */
#define SAME_FIELDS(X)    \
    X(client)             \
    X(key)                \
    X(seq)                \
    X(term)               \
    X(account)            \
    X(instrument)         \
    X(instrument_version) \
    X(venue)              \
    X(side)               \
    X(type)               \
    X(tif)                \
    X(flags)              \
    X(state)              \
    X(request)            \
    X(end_state)          \
    X(marks)              \
    X(last_fee_ccy)       \
    X(venue_code)         \
    X(trade_count)        \
    X(request_key)        \
    X(px)                 \
    X(qty)                \
    X(cum_qty)            \
    X(venue_cum_qty)      \
    X(trigger_px)         \
    X(last_px)            \
    X(last_qty)           \
    X(last_trade_id)      \
    X(last_fee)           \
    X(parent_key)         \
    X(parent_qty)         \
    X(venue_deadline_ns)  \
    X(cancel_deadline_ns) \
    X(venue_time_ns)      \
    X(request_mono_ns)    \
    X(submit_mono_ns)     \
    X(recv_mono_ns)       \
    X(risk_mono_ns)       \
    X(wire_mono_ns)       \
    X(ack_mono_ns)

uint32_t
order_image_count(const struct order_table *t)
{
    return t->totals.live + t->totals.done;
}

uint32_t
order_image_slots(const struct order_table *t)
{
    return t->pool;
}

/* The slot behind: terminal ones first, then live ones. */
static uint32_t
slot_after(const struct order_table *t, uint32_t slot)
{
    if (order_live(&t->order[slot]))
        return t->order[slot].live_next;
    return t->order[slot].done_next != ORDER_NONE ? t->order[slot].done_next : t->live.head;
}

void
order_image_begin(const struct order_table *t, struct order_image_walk *w, uint32_t *number_of)
{
    uint32_t n = 0;
    uint32_t first = t->done.head != ORDER_NONE ? t->done.head : t->live.head;

    for (uint32_t slot = first; slot != ORDER_NONE && n < t->pool; slot = slot_after(t, slot))
        number_of[slot] = n++;
    *w = (struct order_image_walk){ .slot = first, .number_of = number_of };
}

static uint32_t
number_of(const struct order_image_walk *w, uint32_t slot)
{
    return slot == ORDER_NONE ? ORDER_NONE : w->number_of[slot];
}

bool
order_image_next(const struct order_table *t, struct order_image_walk *w, struct order_image *out)
{
    if (w->slot == ORDER_NONE)
        return false;
    const struct order *o = &t->order[w->slot];
    memset(out, 0, sizeof(*out));
#define X(name) out->name = o->name;
    SAME_FIELDS(X)
#undef X
    memcpy(out->clordid, o->clordid, CLORDID_BYTES);
    memcpy(out->text, o->text, sizeof(o->text));
    out->venue_order_id = o->venue_order_id;
    out->reserved = o->reserved;
    out->replaces = number_of(w, o->replaces);
    out->replaced_by = number_of(w, o->replaced_by);
    out->cum_px_qty[0] = (uint64_t)o->cum_px_qty;
    out->cum_px_qty[1] = (uint64_t)(o->cum_px_qty >> 64);
    if ((o->marks & ORDER_MARK_AMENDS) != 0) {
        const struct order_amend *a = &t->amend[w->slot];
        out->amend_key = a->key;
        out->amend_first_key = a->first_key;
        out->amend_px = a->px;
        out->amend_qty = a->qty;
        out->amend_venue_ns = a->venue_ns;
    }
    w->slot = slot_after(t, w->slot);
    w->number++;
    return true;
}

static bool
qty_ok(qty_t q)
{
    return q >= 0 && q <= QTY_MAX;
}

static const char *
image_fault(const struct order_table *t, const struct order_image *img)
{
    struct clordid id;
    bool live = !order_state_terminal((enum order_state)img->state);

    if (img->client >= CLIENT_MAX || img->account >= ACCOUNT_MAX || img->instrument >= INSTRUMENT_MAX ||
        img->venue >= VENUE_MAX || img->side > SIDE_SELL || img->type >= ORDER_TYPE_COUNT || img->tif >= TIF_COUNT)
        return "an order's client, account, instrument, venue or kind is out of range";
    if (img->state == ORDER_FREE || img->state >= ORDER_STATE_COUNT || img->request >= REQUEST_STATE_COUNT ||
        img->end_state >= ORDER_STATE_COUNT || (img->end_state != 0 && img->end_state < ORDER_FILLED) ||
        (img->marks & ~ORDER_MARKS_ALL) != 0)
        return "an order's state is not one";
    if (!live && (img->request != REQUEST_NONE || img->reserved != 0))
        return "a terminal order has a request or a reservation";
    if (img->qty <= 0 || !qty_ok(img->qty) || !qty_ok(img->cum_qty) || !qty_ok(img->venue_cum_qty) ||
        !qty_ok(img->reserved) || !qty_ok(img->amend_qty) || img->px < 0)
        return "an order's quantities or price are out of range";
    if (img->key > key_ledger_last(&t->keys, img->client) || memchr(img->text, '\0', 44) == NULL)
        return "an order's key or text is not possible";
    if (clordid_parse(img->clordid, t->instance, &id) != CLORDID_OURS || id.term != img->term || id.seq != img->seq ||
        order_find(t, img->clordid) != ORDER_NONE)
        return "a ClOrdID is not ours or was there before";
    if (t->pool_used == t->pool || (live && t->totals.live >= t->counts.live_max))
        return "more orders than the table holds: raise memory.orders_max";
    return NULL;
}

static void
done_put(struct order_table *t, uint32_t slot)
{
    if (t->done.tail != ORDER_NONE)
        t->order[t->done.tail].done_next = slot;
    else
        t->done.head = slot;
    t->done.tail = slot;
    t->totals.done++;
}

static void
amend_put(struct order_table *t, uint32_t slot, const struct order_image *img)
{
    struct order_amend *a = &t->amend[slot];

    *a = (struct order_amend){ .key = img->amend_key,
                               .first_key = img->amend_first_key,
                               .px = img->amend_px,
                               .qty = img->amend_qty,
                               .venue_ns = img->amend_venue_ns };
    if (img->key != a->first_key)
        hash_add(&t->by_alias, key_hash(img->client, img->key), slot);
    if (a->key != 0 && a->key != img->key)
        hash_add(&t->by_alias, key_hash(img->client, a->key), slot);
}

void
order_image_expect(struct order_table *t, uint32_t live, uint32_t done)
{
    uint64_t all = (uint64_t)live + done;

    t->image_skip = all > t->pool ? (uint32_t)MIN(all - t->pool, done) : 0;
    t->image_left = t->image_skip;
}

/* Of an image's number, as written. */
static uint32_t
slot_of(const struct order_table *t, uint32_t number)
{
    return number == ORDER_NONE || number < t->image_skip ? ORDER_NONE : number - t->image_skip;
}

const char *
order_image_restore(struct order_table *t, const struct order_image *img, struct order_delta *d)
{
    const char *wrong = NULL;

    memset(d, 0, sizeof(*d));
    if (t->image_left > 0 && order_state_terminal((enum order_state)img->state)) {
        t->image_left--;
        return NULL;
    }
    wrong = image_fault(t, img);
    if (wrong != NULL)
        return wrong;
    uint32_t slot = t->pool_used++;
    struct order *o = &t->order[slot];
    *o = (struct order){ .replaces = slot_of(t, img->replaces),
                         .replaced_by = slot_of(t, img->replaced_by),
                         .done_next = ORDER_NONE };
#define X(name) o->name = img->name;
    SAME_FIELDS(X)
#undef X
    memcpy(o->clordid, img->clordid, CLORDID_BYTES);
    memcpy(o->text, img->text, sizeof(o->text));
    o->cum_px_qty = (wide_t)((unsigned __int128)img->cum_px_qty[1] << 64 | img->cum_px_qty[0]);
    order_venue_id_set(t, slot, img->venue_order_id);
    hash_add(&t->by_clordid, clordid_hash(o->term, o->seq), slot);
    bool amends = (o->marks & ORDER_MARK_AMENDS) != 0;
    hash_add(&t->by_key, key_hash(o->client, amends ? img->amend_first_key : o->key), slot);
    if (amends)
        amend_put(t, slot, img);
    delta_name(d, o);
    d->parent_used = o->parent_key != 0 ? o->cum_qty : 0;
    if (!order_live(o)) {
        done_put(t, slot);
        return NULL;
    }
    order_list_live(t, slot);
    t->totals.live++;
    t->totals.unknown += order_unknown(o);
    d->open_change = 1;
    d->unknown_change = order_unknown(o);
    order_delta_reserve(t, o, d);
    return NULL;
}

const char *
order_image_finish(struct order_table *t)
{
    /* More were made than are here: which are missing is not known. */
    bool cut = t->totals.intents - t->totals.denied > t->pool_used;

    for (uint32_t i = 0; cut && i < CLIENT_MAX; i++)
        key_ledger_forgot(&t->keys, i, key_ledger_last(&t->keys, i));
    for (uint32_t i = 0; i < t->pool_used; i++) {
        const struct order *o = &t->order[i];
        if ((o->replaces != ORDER_NONE && o->replaces >= t->pool_used) ||
            (o->replaced_by != ORDER_NONE && o->replaced_by >= t->pool_used))
            return "an order replaces one that is not there";
    }
    return NULL;
}

/* ---- keys, trades, counts ---------------------------------------------------------------------------------------- */

const struct key_ledger *
order_keys(const struct order_table *t)
{
    return &t->keys;
}

const char *
order_keys_restore(struct order_table *t, uint32_t client, uint64_t last_key, const struct key_entry *e, uint32_t count)
{
    if (client >= CLIENT_MAX)
        return "a client's number is out of range";
    for (uint32_t i = 0; i < count; i++) {
        if (e[i].kind > KEY_REPLACE || e[i].deny >= DENY_REASON_COUNT || e[i].state >= ORDER_STATE_COUNT ||
            e[i].key > last_key || !key_ledger_add(&t->keys, client, &e[i]))
            return "a client's keys do not rise, or one is of no kind";
    }
    if (count == 0)
        key_ledger_raise(&t->keys, client, last_key);
    return NULL;
}

uint32_t
order_trade_count(const struct order_table *t)
{
    return (uint32_t)MIN(t->trades, t->counts.trades_kept);
}

struct trade_image
order_trade_image(const struct order_table *t, uint32_t i)
{
    uint64_t first = t->trades - order_trade_count(t);
    const struct trade *tr = &t->trade[(first + i) % t->counts.trades_kept];

    return (struct trade_image){ .seq = tr->seq, .trade_id = tr->trade_id, .term = tr->term, .market = tr->market };
}

void
order_trade_restore(struct order_table *t, const struct trade_image *tr)
{
    trade_remember(t, (struct trade_owner){ .seq = tr->seq, .term = tr->term, .market = tr->market }, tr->trade_id);
}

void
order_totals_restore(struct order_table *t, const struct order_totals *totals)
{
    struct order_totals now = t->totals;

    t->totals = *totals;
    t->totals.live = now.live;
    t->totals.unknown = now.unknown;
    t->totals.done = now.done;
}
