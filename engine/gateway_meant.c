/* Which order a venue's report means: by its ClOrdID, by the venue's own id, and when somebody else's amend has given
 * the order another client id. See gateway_state.h.
 *
 * Always true: the venue's order id is an order's identity, a client id is a name that the venue lets others change; a
 * renaming is journaled before anything that is told under the new name is applied. */
#include "engine/gateway_state.h"

/* A cancel that was refused so lately was refused for the name that the order no longer has. */
#define RENAMED_CANCEL_NS (10 * NS_PER_S)

/* Into journal and table. True when it was not known. */
static COLD bool
order_renamed(struct gateway_venue *v, uint32_t slot, const struct venue_report *r)
{
    struct gateway *g = v->g;
    const struct order *o = order_at(g->p.orders, slot);
    struct order_event ev = { .kind = ORDER_EV_STATUS,
                              .flags = ORDER_EVENT_RENAMED,
                              .trade_id = -1,
                              .venue_code = r->code,
                              .venue_order_id = r->venue_order_id,
                              .mono_ns = v->now.mono.ns };

    if (order_by_venue_id(o) || (o->venue_order_id == 0 && r->venue_order_id == 0))
        return false;
    memcpy(ev.clordid, o->clordid, CLORDID_BYTES);
    (void)snprintf(ev.text, sizeof(ev.text), "renamed at the venue: %.22s",
                   strcmp(r->clordid, o->clordid) != 0 ? r->clordid : "");
    if (apply_event(g, slot, &ev, JOURNAL_VENUE_REPORT, v->now) != ORDER_APPLIED)
        return false;
    log_write(g->p.log, LOG_ORDER_RENAMED, o->clordid, v->id, (int64_t)o->venue_order_id);
    if (order_live(o))
        ask_soon(g, slot, ASK_SETTLE_NS, v->now); /* it may have been amended more than once */
    return true;
}

/* By the venue's order id, which is unique within its instrument and no further (Binance Spot counts orders and trades
 * per symbol): trades of an answer may name that only, and orders taken over go by another name there. A name that is
 * nobody's of ours on an order that is: it was renamed, where the venue says what the order has become. */
static uint32_t
find_by_venue(struct gateway_venue *v, const struct venue_report *r)
{
    static const bool tells[VENUE_REPORT_KIND_COUNT] = {
        [VENUE_OPEN_ORDER] = true, [VENUE_FILL] = true,    [VENUE_CANCELED] = true,
        [VENUE_EXPIRED] = true,    [VENUE_AMENDED] = true,
    };
    uint32_t slot = order_find_venue(v->g->p.orders, r->instrument, r->venue_order_id);
    struct clordid id;

    if (slot == ORDER_NONE || r->instrument == INSTRUMENT_NONE)
        return ORDER_NONE;
    const struct order *o = order_at(v->g->p.orders, slot);
    if (o->venue != v->id)
        return ORDER_NONE;
    if (r->clordid[0] == '\0' || order_by_venue_id(o))
        return slot;
    if (!tells[r->kind] || clordid_parse(r->clordid, v->g->cfg.instance, &id) == CLORDID_OURS)
        return ORDER_NONE; /* believed in nothing */
    (void)order_renamed(v, slot, r);
    return slot;
}

uint32_t
report_meant(struct gateway_venue *v, const struct venue_report *r)
{
    uint32_t slot = r->clordid[0] != '\0' ? order_find(v->g->p.orders, r->clordid) : ORDER_NONE;

    return slot != ORDER_NONE ? slot : find_by_venue(v, r);
}

COLD bool
report_renames(struct gateway_venue *v, uint32_t slot, const struct venue_report *r)
{
    struct gateway *g = v->g;
    const struct order *o = order_at(g->p.orders, slot);

    if (!order_renamed(v, slot, r) || r->kind == VENUE_AMENDED || !order_live(o) || o->end_state != 0)
        return false;
    if (r->kind == VENUE_CANCEL_REJECTED && o->request == REQUEST_CANCEL_IN_FLIGHT)
        return order_cancel_now(g, slot, v->now);
    if (g->aux[slot].cancels_refused > 0 && o->request == REQUEST_NONE &&
        v->now.mono.ns - o->request_mono_ns <= RENAMED_CANCEL_NS && !order_cancel_now(g, slot, v->now))
        order_cancel_later(g, slot);
    return false;
}

/* One ClOrdID of ours, two orders at the venue. (An answer that was asked for by the venue's id has another's name in
 * its text.) */
static bool
two_orders(const struct order *o, const struct venue_report *r)
{
    bool by_venue = r->kind == VENUE_STATUS && r->text[0] != '\0' && strcmp(r->text, o->clordid) != 0;

    return !by_venue && r->venue_order_id != 0 && o->venue_order_id != 0 && r->venue_order_id != o->venue_order_id;
}

bool
report_of_another(struct gateway_venue *v, const struct order *o, const struct venue_report *r)
{
    bool two = two_orders(o, r);

    if (unlikely(two) && (o->flags & COMMAND_ADOPTED) == 0)
        another_host(v, o->clordid); /* nobody gives an id out twice but a second host with our journal */
    return two || (r->instrument != INSTRUMENT_NONE && r->instrument != o->instrument);
}
