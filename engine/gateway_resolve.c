/* An operator's word on an order that the venue can no longer tell about: not placed, canceled, or a fill.
 *
 * In two steps, both journaled, the second with the order's own event; only then is a reservation released. While the
 * venue can be asked it is the one to say, so the second step must be forced.
 *
 * Always true: only an order with something unknown, or with trades missing after its end, or that the venue no longer
 * finds, takes such a word; a claim that contradicts what is proven changes nothing; a trade moves the position once,
 * whoever told of it before; an order that turns out to work after all is canceled. */
#include "engine/gateway_state.h"

/* A trade that this order can have made: no more than is open of it, at its price or better, and not another order's.
 * What a sweep has counted as nobody's is this order's from now on. */
static bool
trade_possible(const struct gateway *g, const struct order *o, const struct command *cmd)
{
    int64_t id = (int64_t)cmd->parent_key;
    bool priced = o->type == ORDER_LIMIT && !order_amending(o);

    if (cmd->qty <= 0 || cmd->px <= 0 || id < 0 || cmd->qty > o->reserved)
        return false;
    if (priced && (o->side == SIDE_BUY ? cmd->px > o->px : cmd->px < o->px))
        return false;
    return !order_trade_known(g->p.orders, o->instrument, (enum side)o->side, id) ||
           order_trade_counted(g->p.orders, o->instrument, (enum side)o->side, id);
}

/* The order meant, and whether the claim can be taken at all. */
static enum deny_reason
resolve_target(const struct gateway *g, const struct command *cmd, uint32_t *slot)
{
    *slot = order_find_key(g->p.orders, cmd->target_client, cmd->target_key);
    if (*slot == ORDER_NONE)
        return DENY_UNKNOWN_ORDER;
    const struct order *o = order_at(g->p.orders, *slot);
    if (!order_live(o))
        return DENY_ORDER_DONE;
    if (!order_unknown(o) && o->end_state == 0 && g->aux[*slot].absent == 0)
        return DENY_NOT_POSSIBLE; /* nothing about it is unknown: a cancel does it */
    switch ((enum resolve_claim)cmd->state) {
    case RESOLVE_NOT_PLACED:
        return o->state == ORDER_SENT && o->cum_qty == 0 && o->end_state == 0 ? DENY_NONE : DENY_NOT_POSSIBLE;
    case RESOLVE_CANCELED: return DENY_NONE;
    case RESOLVE_FILLED:
        if (cmd->instrument_version != o->instrument_version)
            return DENY_UNKNOWN_INSTRUMENT; /* its decimals have changed since the price was said */
        return trade_possible(g, o, cmd) ? DENY_NONE : DENY_NOT_POSSIBLE;
    }
    return DENY_NOT_POSSIBLE;
}

static const char *
claim_text(const struct command *cmd)
{
    static const char *const text[] = {
        [RESOLVE_NOT_PLACED] = "not placed", [RESOLVE_CANCELED] = "canceled", [RESOLVE_FILLED] = "filled"
    };
    return text[cmd->state];
}

void
resolve_ask(struct gateway *g, const struct client_command *c, struct now now)
{
    uint32_t slot;
    char what[64];
    enum deny_reason why = c->cmd.text[0] != '\0' ? resolve_target(g, &c->cmd, &slot) : DENY_INVALID_ORDER;

    if (why != DENY_NONE) {
        order_deny(g, c, why, now);
        return;
    }
    (void)snprintf(what, sizeof(what), "resolve %s: %s", order_at(g->p.orders, slot)->clordid, claim_text(&c->cmd));
    control_ask(g, c, what, now);
}

static void
resolve_event(const struct gateway *g, const struct order *o, const struct command *asked, struct now now,
              struct order_event *ev)
{
    static const uint8_t kind[] = { [RESOLVE_NOT_PLACED] = ORDER_EV_NOT_PLACED,
                                    [RESOLVE_CANCELED] = ORDER_EV_CANCELED,
                                    [RESOLVE_FILLED] = ORDER_EV_FILL };

    *ev = (struct order_event){
        .kind = kind[asked->state], .flags = ORDER_EVENT_OPERATOR, .trade_id = -1, .mono_ns = now.mono.ns
    };
    memcpy(ev->clordid, o->clordid, CLORDID_BYTES);
    if (asked->state == RESOLVE_FILLED) {
        ev->trade_id = (int64_t)asked->parent_key;
        ev->last_px = asked->px;
        ev->last_qty = asked->qty;
        if (order_trade_counted(g->p.orders, o->instrument, (enum side)o->side, ev->trade_id))
            ev->flags |= ORDER_EVENT_COUNTED;
    }
    (void)snprintf(ev->text, sizeof(ev->text), "%.*s", (int)sizeof(ev->text) - 1, asked->text);
}

enum deny_reason
resolve_confirmed(struct gateway *g, const struct command *asked, bool forced, struct now now)
{
    struct journal_control record = { .kind = CONTROL_RESOLVE, .client = asked->client, .value = asked->state };
    struct order_event ev;
    uint32_t slot;
    enum deny_reason why = resolve_target(g, asked, &slot);

    if (why != DENY_NONE)
        return why;
    const struct order *o = order_at(g->p.orders, slot);
    const struct gateway_venue *v = &g->venue[o->venue];
    if (!forced && v->reconciled && venue_can_send(v, now))
        return DENY_NOT_CONFIRMED; /* the venue can be asked, and is */
    record.id = o->instrument;
    (void)snprintf(record.text, sizeof(record.text), "%.*s", (int)sizeof(record.text) - 1, asked->text);
    (void)gateway_journal(g, JOURNAL_CONTROL, &record, sizeof(record), now);
    resolve_event(g, o, asked, now, &ev);
    enum order_outcome out = apply_event(g, slot, &ev, JOURNAL_VENUE_REPORT, now);
    return out == ORDER_APPLIED || out == ORDER_HELD ? DENY_NONE : DENY_NOT_POSSIBLE;
}
