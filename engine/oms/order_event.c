/* What an event does to an order: the table of order_state.c carried out, the arithmetic of fills, amends, and what a
 * query's answer settles. See order_table.h.
 *
 * Always true: the reservation is computed anew after each event, and the change of it handed out; a quantity or price
 * is taken over from the venue only when it says it of a live order. */
#include "engine/oms/order_table_state.h"

/* The most that the venue may work to: of an amend that is not settled the larger total. */
static qty_t
worst_total(const struct order_table *t, const struct order *o)
{
    if (likely((o->marks & ORDER_MARK_AMENDING) == 0))
        return o->qty;
    return MAX(o->qty, t->amend[o - t->order].qty);
}

/* The least that it may work to: once it is called filled, that much was filled at least. */
static qty_t
least_total(const struct order_table *t, const struct order *o)
{
    if (likely((o->marks & ORDER_MARK_AMENDING) == 0))
        return o->qty;
    return MIN(o->qty, t->amend[o - t->order].qty);
}

/* What risk must hold for it. */
static qty_t
order_reservation(const struct order_table *t, const struct order *o)
{
    if (!order_live(o))
        return 0;
    qty_t total = worst_total(t, o);
    qty_t open = o->end_state != 0 ? 0 : MAX(total - o->cum_qty, 0);
    /* What a venue claims past the order's quantity is not reserved: sums over orders stay inside an int64_t. */
    return MAX(open, MIN(order_missing_fill_qty(o), total));
}

/* The price that may be in force and is the worse for us: the higher of a buy's, the lower of a sell's. */
static px_t
worse_px(const struct order_table *t, const struct order *o)
{
    if (likely((o->marks & ORDER_MARK_AMENDING) == 0))
        return o->px;
    const struct order_amend *a = &t->amend[o - t->order];
    return o->side == SIDE_BUY ? MAX(o->px, a->px) : MIN(o->px, a->px);
}

void
order_delta_reserve(const struct order_table *t, struct order *o, struct order_delta *d)
{
    qty_t reserved = order_reservation(t, o);
    px_t px = worse_px(t, o);
    wide_t cost = (wide_t)px * reserved;
    bool rests = order_live(o) && o->type != ORDER_MARKET && o->type != ORDER_CONDITIONAL &&
                 (o->tif == TIF_GTC || o->tif == TIF_GTD);
    px_t rest_px = rests ? px : 0;

    d->reserved_change = reserved - o->reserved;
    d->cost_change = cost - o->reserved_cost;
    o->reserved = reserved;
    o->reserved_cost = cost;
    if (rest_px != o->rest_px) {
        d->gone_px = o->rest_px;
        d->rest_px = rest_px;
        o->rest_px = rest_px;
    }
}

/* ---- facts and ends ---- */

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
        order_venue_id_set(t, (uint32_t)(o - t->order), ev->venue_order_id);
    if (ev->venue_time_ns > o->venue_time_ns)
        o->venue_time_ns = ev->venue_time_ns;
    if (ev->cum_qty > o->venue_cum_qty && ev->cum_qty <= QTY_MAX)
        o->venue_cum_qty = ev->cum_qty;
}

/* What was asked for is settled: done (the order has its price and total, and shows its key), refused, or it never
 * arrived. */
static void
amend_settle(struct order_table *t, struct order *o, enum order_state how)
{
    uint32_t slot = (uint32_t)(o - t->order);
    struct order_amend *a = &t->amend[slot];
    struct key_entry *e = key_ledger_find(&t->keys, o->client, a->key);

    o->marks &= (uint8_t)~ORDER_MARK_AMENDING;
    if (e != NULL)
        e->state = (uint8_t)how;
    if (how != ORDER_NEW)
        return;
    o->px = a->px;
    o->qty = a->qty;
    if (o->key != a->first_key)
        hash_remove(&t->by_alias, key_hash(o->client, o->key), slot);
    o->key = a->key;
}

/* The last amend asked for may have been carried out: it is open, or it was given up because the order was over. */
static bool
amend_possible(struct order_table *t, const struct order *o)
{
    const struct order_amend *a = &t->amend[o - t->order];

    if (likely((o->marks & ORDER_MARK_AMENDS) == 0) || a->key == 0 || a->key == o->key)
        return false;
    const struct key_entry *e = key_ledger_find(&t->keys, o->client, a->key);
    return (o->marks & ORDER_MARK_AMENDING) != 0 || e == NULL || e->state == ORDER_NOT_PLACED;
}

/* More was filled than the order was for: only that amend can have allowed it, even when the order is over since. */
static bool
amend_by_count(struct order_table *t, struct order *o)
{
    if (likely(o->cum_qty <= o->qty) || !amend_possible(t, o) || o->cum_qty > t->amend[o - t->order].qty)
        return false;
    amend_settle(t, o, ORDER_NEW);
    return true;
}

/* It ends: what is open is settled by how. Filled with less than its total, its total was less. */
static void
amend_end(struct order_table *t, struct order *o, enum order_state state)
{
    bool done = state == ORDER_FILLED && o->cum_qty < o->qty && o->cum_qty == t->amend[o - t->order].qty;

    amend_settle(t, o, done ? ORDER_NEW : ORDER_NOT_PLACED); /* and that is what its key is answered with */
}

/* Enter a terminal state; the list is mended by the caller. */
static void
enter(struct order_table *t, struct order *o, enum order_state state)
{
    if (unlikely((o->marks & ORDER_MARK_AMENDING) != 0))
        amend_end(t, o, state);
    o->state = (uint8_t)state;
    o->end_state = 0;
    o->request = REQUEST_NONE;
    o->marks &= (uint8_t)~ORDER_MARK_NEW_UNKNOWN;
}

/* The table's word on an event, whether the order is held or not. */
static struct order_step
step_of(const struct order *o, enum order_event_kind kind)
{
    if (unlikely(o->end_state != 0))
        return order_step_held(kind);
    return order_step((enum order_state)o->state, (enum request_state)o->request, kind);
}

/* The venue calls the order over. When it has counted trades that we have not seen, the order waits for them. More than
 * its total proves that the amend which is open was carried out; else that may still be what they were made at. */
static enum order_outcome
on_end(struct order_table *t, struct order *o, enum order_event_kind kind)
{
    struct order_step step = step_of(o, kind);

    if (o->end_state != 0) /* told before; what it waits for is trades */
        return kind == ORDER_EV_FILL_ALL ? ORDER_DUPLICATE : (enum order_outcome)step.outcome;
    if (step.outcome != ORDER_APPLIED)
        return (enum order_outcome)step.outcome;
    if (order_missing_fill_qty(o) == 0) {
        enter(t, o, (enum order_state)step.state);
        return ORDER_APPLIED;
    }
    if ((o->marks & ORDER_MARK_AMENDING) != 0 && o->venue_cum_qty > o->qty)
        amend_settle(t, o, ORDER_NEW);
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
    t->totals.trades++;
    d->fill_px = ev->last_px;
    if ((ev->flags & ORDER_EVENT_COUNTED) != 0) {
        d->moved_qty = o->client != CLIENT_ADOPTED ? ev->last_qty : 0;
        return;
    }
    d->fill_qty = ev->last_qty;
    d->fee = ev->fee;
    d->fee_ccy = (uint16_t)ev->fee_ccy;
}

static void
overfill_note(struct order_table *t, struct order *o)
{
    if (likely(o->cum_qty <= worst_total(t, o)) || (o->marks & ORDER_MARK_OVERFILLED) != 0)
        return;
    o->marks |= ORDER_MARK_OVERFILLED;
    t->totals.overfills++;
}

static enum order_outcome
on_fill(struct order_table *t, struct order *o, const struct order_event *ev, struct order_delta *d)
{
    if (ev->trade_id < 0 || ev->last_qty <= 0 || ev->last_qty > QTY_MAX || ev->last_px < 0)
        return ORDER_INVALID;
    if (trade_seen(t, owner_order(o), ev->trade_id))
        return ORDER_DUPLICATE;
    bool all = worst_total(t, o) - o->cum_qty <= ev->last_qty;
    struct order_step step = step_of(o, all ? ORDER_EV_FILL_ALL : ORDER_EV_FILL);

    venue_facts(t, o, ev);
    fill_count(t, o, ev, d);
    bool amended = amend_by_count(t, o);
    overfill_note(t, o);
    if (step.outcome == ORDER_LATE) {
        o->marks |= ORDER_MARK_LATE;
        d->fill_late = true;
        return ORDER_LATE;
    }
    if ((ev->flags & ORDER_EVENT_OPERATOR) == 0) /* what an operator says of a part says nothing of the rest */
        o->marks &= (uint8_t)~ORDER_MARK_NEW_UNKNOWN;
    if (all)
        enter(t, o, ORDER_FILLED);
    else if (o->end_state == 0) {
        o->state = step.state;
        o->request = step.request;
        if (amended && (o->request == REQUEST_REPLACE_IN_FLIGHT || o->request == REQUEST_REPLACE_UNKNOWN))
            o->request = REQUEST_NONE; /* its answer has nothing more to say */
    } else if (order_missing_fill_qty(o) == 0)
        enter(t, o, (enum order_state)o->end_state);
    else if (o->state != ORDER_PARTIALLY_FILLED)
        o->state = ORDER_PARTIALLY_FILLED; /* held: what its end waits for came in part */
    return ORDER_APPLIED;
}

/* Keep a refused cancel or an answer from hiding what is still open beneath it. */
static void
pending_shows(struct order *o)
{
    if (o->request == REQUEST_NONE && (o->marks & ORDER_MARK_AMENDING) != 0)
        o->request = REQUEST_REPLACE_UNKNOWN;
}

/* The key of a cancel, or of a replace that cancels first, is taken. */
static void
key_asked(struct order_table *t, const struct order *o, const struct order_event *ev)
{
    struct key_entry e = { .key = ev->request_id,
                           .seq = o->seq,
                           .term = o->term,
                           .kind = (ev->flags & ORDER_EVENT_REPLACE) != 0 ? KEY_REPLACE : KEY_CANCEL };

    if (ev->request_id != 0 && ev->request_client < CLIENT_MAX)
        (void)key_ledger_add(&t->keys, ev->request_client, &e);
}

static void
cancel_sent(struct order *o, const struct order_event *ev)
{
    o->request_mono_ns = ev->mono_ns;
    o->cancel_deadline_ns =
        (o->marks & ORDER_MARK_AMENDING) != 0 ? MAX(o->cancel_deadline_ns, ev->deadline_ns) : ev->deadline_ns;
    if (ev->request_key != 0)
        o->request_key = ev->request_key;
}

/* The venue's own word that it was accepted; an operator's fill is none. */
static bool
venue_has_it(const struct order *o, enum order_event_kind kind)
{
    return o->state != ORDER_SENT &&
           (kind == ORDER_EV_ACK || kind == ORDER_EV_STATUS || kind == ORDER_EV_STATUS_PROVEN);
}

/* Events that change what is in flight, and maybe SENT to NEW. */
static enum order_outcome
on_request(struct order *o, const struct order_event *ev, enum order_event_kind kind)
{
    struct order_step step = step_of(o, kind);
    enum request_state was = (enum request_state)o->request;

    if (o->end_state != 0 || (step.outcome != ORDER_APPLIED && !(kind == ORDER_EV_ACK && order_live(o))))
        return (enum order_outcome)step.outcome;
    bool changed = o->state != step.state;
    o->state = step.state;
    o->request = step.request;
    pending_shows(o);
    changed |= o->request != was;
    if (kind == ORDER_EV_ACK && o->ack_mono_ns == 0) {
        o->ack_mono_ns = ev->mono_ns;
        changed = true;
    }
    if (o->state == ORDER_SENT && (kind == ORDER_EV_UNKNOWN || o->request == REQUEST_NEW_UNKNOWN))
        o->marks |= ORDER_MARK_NEW_UNKNOWN;
    else if (venue_has_it(o, kind) && (o->marks & ORDER_MARK_NEW_UNKNOWN) != 0) {
        o->marks &= (uint8_t)~ORDER_MARK_NEW_UNKNOWN;
        changed = true;
    }
    if (kind == ORDER_EV_CANCEL_SENT) {
        cancel_sent(o, ev);
        changed = true;
    }
    if (kind == ORDER_EV_CANCEL_REJECTED) {
        words_keep(o, ev);
        changed = true;
    }
    return changed ? ORDER_APPLIED : ORDER_DUPLICATE;
}

/* ---- amends ------------------------------------------------------------------------------------------------------ */

/* All that the order is for now was filled: an amend was refused for that, or brought the total down to it. */
static bool
filled_meanwhile(struct order_table *t, struct order *o)
{
    if ((o->marks & ORDER_MARK_AMENDING) != 0 || o->cum_qty == 0 || o->cum_qty < o->qty)
        return false;
    enter(t, o, ORDER_FILLED);
    return true;
}

static bool
amend_answered(const struct order_table *t, const struct order *o, px_t px, qty_t qty)
{
    const struct order_amend *a = &t->amend[o - t->order];
    return (o->marks & ORDER_MARK_AMENDING) != 0 && px == a->px && qty == a->qty;
}

/* The venue says what the order works at. An older word than the last one changes nothing. */
static enum order_outcome
on_amended(struct order_table *t, struct order *o, const struct order_event *ev)
{
    uint32_t slot = (uint32_t)(o - t->order);

    if (ev->px <= 0 || ev->qty <= 0 || (ev->qty > QTY_OTHER_MAX && ev->qty > o->qty))
        return ORDER_INVALID;
    if (ev->request_id != 0 && ((o->marks & ORDER_MARK_AMENDS) == 0 || ev->request_id != t->amend[slot].key))
        return ORDER_DUPLICATE; /* of an earlier amend, which is settled */
    if ((o->marks & ORDER_MARK_AMENDS) != 0 && ev->venue_time_ns != 0 && ev->venue_time_ns < t->amend[slot].venue_ns)
        return ORDER_DUPLICATE;
    bool ours = amend_answered(t, o, ev->px, ev->qty);
    if (!ours && ev->qty < o->cum_qty)
        return ORDER_DUPLICATE; /* of before what has been filled since */
    struct order_step step = step_of(o, ours ? ORDER_EV_AMENDED : ORDER_EV_AMENDED_BY_OTHER);
    if (step.outcome != ORDER_APPLIED)
        return (enum order_outcome)step.outcome;
    if (!ours && o->state == step.state && o->request == step.request && o->px == ev->px && o->qty == ev->qty)
        return ORDER_DUPLICATE;
    order_amend_open(t, slot);
    t->amend[slot].venue_ns = MAX(t->amend[slot].venue_ns, ev->venue_time_ns);
    o->state = step.state;
    o->request = step.request;
    o->marks &= (uint8_t)~ORDER_MARK_NEW_UNKNOWN;
    if (ours)
        amend_settle(t, o, ORDER_NEW);
    o->px = ev->px;
    o->qty = ev->qty;
    pending_shows(o);
    if (o->cum_qty == o->qty) /* of more than the total the venue's own end is awaited */
        (void)filled_meanwhile(t, o);
    return ORDER_APPLIED;
}

static enum order_outcome
on_amend_rejected(struct order_table *t, struct order *o, const struct order_event *ev)
{
    struct order_step step = step_of(o, ORDER_EV_AMEND_REJECTED);

    if (step.outcome != ORDER_APPLIED)
        return (enum order_outcome)step.outcome;
    if ((o->marks & ORDER_MARK_AMENDING) == 0)
        return ORDER_DUPLICATE;
    /* Of an earlier one, which is settled; or nobody knows of which. */
    if (ev->request_id != t->amend[o - t->order].key)
        return ev->request_id != 0 ? ORDER_DUPLICATE : ORDER_CONFLICT;
    o->request = step.request;
    amend_settle(t, o, ORDER_REJECTED);
    words_keep(o, ev);
    (void)filled_meanwhile(t, o);
    return ORDER_APPLIED;
}

/* ---- answers to queries ------------------------------------------------------------------------------------------ */

/* What a query says of price and total: an amend of ours, of somebody else, or none. True when that changed it. */
static bool
status_terms(struct order_table *t, struct order *o, const struct order_event *ev)
{
    struct order_event seen = *ev;

    if (ev->qty <= 0 || !order_live(o) || o->end_state != 0)
        return false;
    if (seen.px <= 0)
        seen.px = amend_answered(t, o, t->amend[o - t->order].px, ev->qty) ? t->amend[o - t->order].px : o->px;
    if (seen.px == o->px && seen.qty == o->qty)
        return false; /* as we know it: an amend to the same proves nothing by that */
    return on_amended(t, o, &seen) == ORDER_APPLIED;
}

/* Works at the venue. A proven one that says its terms also settles an amend: it can no longer arrive. */
static enum order_outcome
on_status_working(struct order_table *t, struct order *o, const struct order_event *ev)
{
    bool proven = (ev->flags & ORDER_EVENT_PROVEN) != 0;
    bool changed = status_terms(t, o, ev);

    if (proven && ev->qty > 0 && (o->marks & ORDER_MARK_AMENDING) != 0) {
        amend_settle(t, o,
                     o->px == t->amend[o - t->order].px && o->qty == t->amend[o - t->order].qty ? ORDER_NEW
                                                                                                : ORDER_NOT_PLACED);
        changed = true;
    }
    enum order_outcome out = on_request(o, ev, proven ? ORDER_EV_STATUS_PROVEN : ORDER_EV_STATUS);
    return changed && out == ORDER_DUPLICATE ? ORDER_APPLIED : out;
}

/* Called filled without a word of how much, while an amend that may or may not have been carried out is open: how much
 * that is must be asked for. */
static bool
filled_to_what(const struct order_table *t, const struct order *o, const struct order_event *ev)
{
    return o->end_state == 0 && ev->cum_qty == 0 && o->venue_cum_qty < worst_total(t, o) &&
           least_total(t, o) < worst_total(t, o);
}

/* Whatever its state: a late sign of life of it would come under the other name. */
static enum order_outcome
on_renamed(struct order *o)
{
    if (o->venue_order_id == 0)
        return ORDER_INVALID; /* nothing would be left to know it by */
    if ((o->marks & ORDER_MARK_RENAMED) != 0)
        return ORDER_DUPLICATE;
    o->marks |= ORDER_MARK_RENAMED;
    return ORDER_APPLIED;
}

/* Answer to a query: works, or is over in one of the ways an order can be over. */
static enum order_outcome
on_status(struct order_table *t, struct order *o, const struct order_event *ev)
{
    enum order_state said = (enum order_state)ev->state;

    if ((ev->flags & ORDER_EVENT_RENAMED) != 0)
        return on_renamed(o);
    if (said == ORDER_CANCELED || said == ORDER_EXPIRED || said == ORDER_FILLED)
        (void)status_terms(t, o, ev);
    switch (said) {
    case ORDER_CANCELED: return on_end(t, o, ORDER_EV_CANCELED);
    case ORDER_EXPIRED: return on_end(t, o, ORDER_EV_EXPIRED);
    case ORDER_REJECTED: return on_end(t, o, ORDER_EV_REJECTED);
    case ORDER_NOT_PLACED: return on_end(t, o, ORDER_EV_NOT_PLACED);
    case ORDER_FILLED: /* by trades only: until they are here it is held */
        if (!order_live(o))
            return o->state == ORDER_FILLED ? ORDER_DUPLICATE : ORDER_CONFLICT;
        if (filled_to_what(t, o, ev))
            return ORDER_DUPLICATE;
        if (o->end_state == 0) /* told once; what it was to be is settled by then */
            o->venue_cum_qty = MAX(o->venue_cum_qty, least_total(t, o));
        return on_end(t, o, ORDER_EV_FILL_ALL);
    case ORDER_NEW:
    case ORDER_PARTIALLY_FILLED: return on_status_working(t, o, ev);
    default: return ORDER_INVALID;
    }
}

/* ---- an operator's word ------------------------------------------------------------------------------------------ */

/* Over, whatever trades the venue may have counted. */
static enum order_outcome
on_operator_end(struct order_table *t, struct order *o, const struct order_event *ev)
{
    struct order_step step = step_of(o, (enum order_event_kind)ev->kind);
    bool releases = o->end_state != 0 && ev->kind == ORDER_EV_CANCELED;

    if (!releases && (o->end_state != 0 || step.outcome != ORDER_APPLIED))
        return o->end_state != 0 ? ORDER_CONFLICT : (enum order_outcome)step.outcome;
    words_keep(o, ev);
    enter(t, o, (enum order_state)(releases ? o->end_state : step.state));
    o->marks |= ORDER_MARK_OPERATOR;
    return ORDER_APPLIED;
}

/* It works at the venue, though an operator said that it is over. */
static bool
belies_operator(const struct order *o, const struct order_event *ev)
{
    if (likely((o->marks & ORDER_MARK_OPERATOR) == 0))
        return false;
    return ev->kind == ORDER_EV_ACK || ev->kind == ORDER_EV_AMENDED ||
           (ev->kind == ORDER_EV_STATUS && (ev->state == ORDER_NEW || ev->state == ORDER_PARTIALLY_FILLED));
}

static enum order_outcome
on_event(struct order_table *t, struct order *o, const struct order_event *ev, struct order_delta *d)
{
    if (unlikely((ev->flags & ORDER_EVENT_OPERATOR) != 0 && ev->kind != ORDER_EV_FILL))
        return ev->kind == ORDER_EV_CANCELED || ev->kind == ORDER_EV_NOT_PLACED ? on_operator_end(t, o, ev)
                                                                                : ORDER_INVALID;
    if (unlikely(belies_operator(o, ev)))
        return ORDER_CONFLICT;
    switch ((enum order_event_kind)ev->kind) {
    case ORDER_EV_FILL: return on_fill(t, o, ev, d);
    case ORDER_EV_CANCELED:
    case ORDER_EV_EXPIRED: venue_facts(t, o, ev); return on_end(t, o, (enum order_event_kind)ev->kind);
    case ORDER_EV_REJECTED:
    case ORDER_EV_NOT_PLACED: {
        enum order_outcome out = on_end(t, o, (enum order_event_kind)ev->kind);
        if (out == ORDER_APPLIED)
            words_keep(o, ev);
        return out;
    }
    case ORDER_EV_STATUS: venue_facts(t, o, ev); return on_status(t, o, ev);
    case ORDER_EV_ACK: venue_facts(t, o, ev); return on_request(o, ev, ORDER_EV_ACK);
    case ORDER_EV_CANCEL_SENT: key_asked(t, o, ev); return on_request(o, ev, ORDER_EV_CANCEL_SENT);
    case ORDER_EV_CANCEL_REJECTED:
    case ORDER_EV_UNKNOWN: return on_request(o, ev, (enum order_event_kind)ev->kind);
    case ORDER_EV_AMENDED: venue_facts(t, o, ev); return on_amended(t, o, ev);
    case ORDER_EV_AMEND_REJECTED: return on_amend_rejected(t, o, ev);
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
    order_delta_reserve(t, o, d);
    d->unknown_change = (int8_t)((int)order_unknown(o) - was_unknown);
    t->totals.unknown = (uint32_t)((int64_t)t->totals.unknown + d->unknown_change);
    if (was_live && !order_live(o)) {
        d->open_change = -1;
        order_list_done(t, slot);
    }
    t->totals.outcome[out]++;
    return out;
}
