/* Every interleaving of a small venue and an order that is amended, replaced and canceled, to a stated depth.
 *
 * The venue is a model of a page: a queue of requests on their way to it, one of answers and one of the private stream
 * on their way back. At each step one thing happens: a request arrives, is refused or is lost; a unit is filled;
 * somebody else amends; a message of either queue is delivered, delivered twice, or (an answer) lost; a request times
 * out; a query is asked, early or after everything's deadline; the strategy amends, replaces or cancels. All orders of
 * all of them are tried, to PATH_DEPTH steps after the acknowledgement; what two paths lead to alike is gone on from
 * once, and the paths are counted as they would have been walked.
 *
 * After each step: what is reserved and filled covers the most that the venue may come to fill; what is filled and
 * works there is never above the largest total asked for; nothing terminal works at the venue; more than its total is
 * shown as filled of no order. At the end of each path the faults stop, and what we believe becomes what the venue has.
 * Amends again with a venue whose ends do not say how much was filled, so that trades come after them; to cancel and
 * place anew is nothing for such a venue. */
#include "engine/oms/order_image.h"
#include "tests/oms_fixture.h"

#define PATH_DEPTH  7 /* EXECGW_PATHS says another, to DEPTH_MAX */
#define DEPTH_MAX   14
#define QUEUE       6
#define TOTAL       3 /* of the first order */
#define UNITS_MAX   5
#define SNAPSHOT_KB 72

enum { OLD, FRESH, ORDERS };
enum request_is { IS_AMEND, IS_CANCEL, IS_REPLACE, IS_NEW };
enum message_is { SAYS_ACK, SAYS_FILL, SAYS_CANCELED, SAYS_AMENDED, SAYS_REFUSED, SAYS_STATUS, SAYS_ABSENT };

struct wire_request {
    uint8_t is;
    uint8_t order;
    int8_t total;
    uint8_t tag; /* AMEND: its number, from 1 */
};

struct message {
    uint8_t says;
    uint8_t order;
    uint8_t about;  /* REFUSED: enum request_is */
    uint8_t proven; /* STATUS: everything before it has arrived or never will */
    int8_t total;
    int8_t cum;
    int8_t trade;  /* FILL: unit, from 1 */
    uint8_t open;  /* STATUS */
    uint8_t time;  /* the venue's */
    uint8_t tag;   /* an amend's answer */
    uint8_t asked; /* STATUS: our step when it was asked */
};

struct venue_side {
    uint8_t there; /* placed once */
    uint8_t open;
    int8_t total;
    int8_t filled;
};

/* Everything but what the order table holds: small, comparable by its bytes. */
struct world {
    struct venue_side at[ORDERS];
    struct wire_request inbox[2];
    struct message answer[QUEUE];
    struct message stream[QUEUE];
    uint8_t inbox_n, answer_n, stream_n;
    uint8_t time; /* of the venue: one per change */
    uint8_t step;
    uint8_t amended_step;   /* when an amend was last told */
    uint8_t requested_step; /* when a request last left */
    uint8_t other_untold;   /* somebody else raised the total, and we cannot know yet */
    uint8_t amends_left, cancels_left, queries_left, others_left, doubles_left;
    uint8_t key0;         /* key of the first order */
    int8_t intended;      /* largest total asked for */
    int8_t next_total;    /* a replace in turn waits with it; 0 = none */
    uint8_t seen[ORDERS]; /* bit per trade delivered */
};

struct paths {
    struct oms o;
    struct world w;
    uint32_t slot[ORDERS]; /* ORDER_NONE until made */
    bool amends;           /* the venue's way */
    bool counts;           /* its ends say how much was filled; else trades are late */
    uint64_t states;
    const char *broken; /* the invariant that did not hold */
    char trail[DEPTH_MAX + 1][32];
    unsigned depth;
};

static struct paths p;

static const struct order *
order_of(int which)
{
    return order_at(p.o.t, p.slot[which]);
}

/* ---- the venue's side ------------------------------------------------------------------------------------------- */

static bool
room(unsigned answers, unsigned streams)
{
    return p.w.answer_n + answers <= QUEUE && p.w.stream_n + streams <= QUEUE;
}

static void
say(bool answer, struct message m)
{
    m.time = p.w.time;
    if (answer)
        p.w.answer[p.w.answer_n++] = m;
    else
        p.w.stream[p.w.stream_n++] = m;
}

static struct message
message(enum message_is says, int order)
{
    const struct venue_side *v = &p.w.at[order];
    return (struct message){ .says = (uint8_t)says, .order = (uint8_t)order, .total = v->total, .cum = v->filled };
}

static void
refuse(const struct wire_request *r, int order)
{
    struct message m = message(SAYS_REFUSED, order);
    m.about = r->is;
    m.tag = r->tag;
    say(true, m);
}

static void
venue_cancel(int order)
{
    p.w.time++;
    p.w.at[order].open = 0;
    say(true, message(SAYS_CANCELED, order));
    say(false, message(SAYS_CANCELED, order));
}

static void
venue_place(int order, int total)
{
    p.w.time++;
    p.w.at[order] = (struct venue_side){ .there = 1, .open = 1, .total = (int8_t)total };
    say(true, message(SAYS_ACK, order));
    say(false, message(SAYS_ACK, order));
}

static void
venue_amend(struct venue_side *v, const struct wire_request *r)
{
    if (r->total <= v->filled) { /* below what is filled: the rest is canceled */
        venue_cancel(OLD);
        return;
    }
    p.w.time++;
    v->total = r->total;
    struct message m = message(SAYS_AMENDED, OLD);
    say(false, m);
    m.tag = r->tag;
    say(true, m);
}

/* The next request is taken up: done, or refused (`willing` false: for a reason of the venue's own). */
static bool
venue_takes(bool willing)
{
    struct world *w = &p.w;
    if (w->inbox_n == 0 || !room(4, 4))
        return false;
    struct wire_request r = w->inbox[0];
    struct venue_side *old = &w->at[OLD];
    struct venue_side *v = &w->at[r.order];

    if (r.is == IS_CANCEL && v->open && !willing)
        return false; /* a cancel of what works is not refused */
    w->inbox[0] = w->inbox[1];
    w->inbox[1] = (struct wire_request){ 0 };
    w->inbox_n--;
    switch ((enum request_is)r.is) {
    case IS_CANCEL:
        if (v->open)
            venue_cancel(r.order);
        else
            refuse(&r, r.order);
        break;
    case IS_AMEND:
        if (v->open && willing)
            venue_amend(v, &r);
        else
            refuse(&r, OLD);
        break;
    case IS_REPLACE: /* the cancel first; not when there is a fill; the new half may fail alone */
        if (old->open && old->filled == 0)
            venue_cancel(OLD);
        else {
            refuse(&r, OLD);
            refuse(&r, FRESH);
            break;
        }
        /* fall through */
    case IS_NEW:
        if (willing)
            venue_place(FRESH, r.total);
        else
            refuse(&r, FRESH);
        break;
    }
    return true;
}

static bool
request_lost(void)
{
    if (p.w.inbox_n == 0)
        return false;
    p.w.inbox[0] = p.w.inbox[1];
    p.w.inbox[1] = (struct wire_request){ 0 };
    p.w.inbox_n--;
    return true;
}

static bool
venue_fills(int order)
{
    struct venue_side *v = &p.w.at[order];
    if (!v->open || !room(0, 1))
        return false;
    p.w.time++;
    v->filled++;
    v->open = v->filled < v->total;
    struct message m = message(SAYS_FILL, order);
    m.trade = v->filled;
    say(false, m);
    return true;
}

static bool
somebody_else_amends(void)
{
    struct venue_side *v = &p.w.at[OLD];
    if (!p.amends || p.w.others_left == 0 || !v->open || v->total >= UNITS_MAX || !room(0, 1))
        return false;
    p.w.others_left--;
    p.w.time++;
    v->total++;
    p.w.intended = MAX(p.w.intended, v->total); /* his intent, not ours: but no more than that may work */
    p.w.other_untold = p.w.time;
    say(false, message(SAYS_AMENDED, OLD));
    return true;
}

/* ---- our side --------------------------------------------------------------------------------------------------- */

static void
told(int which, struct order_event *ev, const struct message *m)
{
    ev->venue_time_ns = m->time;
    (void)oms_apply(&p.o, p.slot[which], ev);
}

static void
on_fill(const struct message *m)
{
    struct order_event ev = oms_event(&p.o, p.slot[m->order], ORDER_EV_FILL);
    ev.trade_id = m->trade;
    ev.last_qty = 1;
    ev.last_px = 10000;
    ev.cum_qty = m->cum;
    p.w.seen[m->order] |= (uint8_t)(1u << m->trade);
    told(m->order, &ev, m);
}

static void
on_status(const struct message *m)
{
    struct order_event ev = oms_event(&p.o, p.slot[m->order], ORDER_EV_STATUS);
    bool over = !m->open;
    ev.state =
        over ? (m->cum >= m->total ? ORDER_FILLED : ORDER_CANCELED) : (m->cum > 0 ? ORDER_PARTIALLY_FILLED : ORDER_NEW);
    ev.cum_qty = m->cum;
    if (m->asked > p.w.amended_step) { /* as the gateway: an older answer says nothing of the last amend */
        ev.px = 10000;
        ev.qty = m->total;
    }
    ev.flags = m->proven && m->asked > p.w.requested_step ? ORDER_EVENT_PROVEN : 0;
    told(m->order, &ev, m);
}

static void
on_message(const struct message *m)
{
    struct order_event ev;

    if (p.slot[m->order] == ORDER_NONE)
        return;
    if (m->time >= p.w.other_untold && (m->says == SAYS_AMENDED || m->says == SAYS_CANCELED))
        p.w.other_untold = 0;
    switch ((enum message_is)m->says) {
    case SAYS_FILL: on_fill(m); return;
    case SAYS_STATUS: on_status(m); return;
    case SAYS_ACK: ev = oms_event(&p.o, p.slot[m->order], ORDER_EV_ACK); break;
    case SAYS_CANCELED:
        ev = oms_event(&p.o, p.slot[m->order], ORDER_EV_CANCELED);
        ev.cum_qty = p.counts ? m->cum : 0;
        break;
    case SAYS_AMENDED:
        ev = oms_event(&p.o, p.slot[m->order], ORDER_EV_AMENDED);
        ev.px = 10000;
        ev.qty = m->total;
        ev.cum_qty = m->cum;
        ev.request_id = m->tag != 0 ? (uint64_t)p.w.key0 + m->tag : 0;
        break;
    case SAYS_REFUSED:
        ev =
            oms_event(&p.o, p.slot[m->order],
                      m->about == IS_AMEND                                                  ? ORDER_EV_AMEND_REJECTED
                      : m->order == FRESH && (m->about == IS_NEW || m->about == IS_REPLACE) ? ORDER_EV_REJECTED
                                                                                            : ORDER_EV_CANCEL_REJECTED);
        break;
    case SAYS_ABSENT:
        if (!m->proven || m->asked <= p.w.requested_step)
            return;
        ev = oms_event(&p.o, p.slot[m->order], ORDER_EV_NOT_PLACED);
        break;
    }
    if (m->says == SAYS_REFUSED && m->about == IS_AMEND)
        ev.request_id = (uint64_t)p.w.key0 + m->tag;
    qty_t total = order_of(m->order)->qty;
    bool amending = order_amending(order_of(m->order));
    told(m->order, &ev, m);
    if (m->says == SAYS_AMENDED && (order_of(m->order)->qty != total || amending != order_amending(order_of(m->order))))
        p.w.amended_step = p.w.step;
}

static bool
deliver(bool answer, bool keep)
{
    struct world *w = &p.w;
    struct message *q = answer ? w->answer : w->stream;
    uint8_t *n = answer ? &w->answer_n : &w->stream_n;

    if (*n == 0 || (keep && w->doubles_left == 0))
        return false;
    struct message m = q[0];
    if (keep) {
        w->doubles_left--;
    } else {
        memmove(q, q + 1, (QUEUE - 1) * sizeof(*q));
        q[--*n] = (struct message){ 0 };
    }
    on_message(&m);
    return true;
}

static bool
answer_lost(void)
{
    if (p.w.answer_n == 0)
        return false;
    memmove(p.w.answer, p.w.answer + 1, (QUEUE - 1) * sizeof(p.w.answer[0]));
    p.w.answer[--p.w.answer_n] = (struct message){ 0 };
    return true;
}

static void
request_leaves(enum request_is is, int order, int total)
{
    ASSERT(p.w.inbox_n < ARRAY_LEN(p.w.inbox));
    p.w.inbox[p.w.inbox_n++] =
        (struct wire_request){ (uint8_t)is, (uint8_t)order, (int8_t)total, (uint8_t)(p.o.next_key - p.w.key0) };
    p.w.requested_step = p.w.step;
}

static bool
strategy_changes_total(int total)
{
    const struct order *o = order_of(OLD);
    struct world *w = &p.w;

    if (w->amends_left == 0 || w->inbox_n == ARRAY_LEN(w->inbox) || !order_amendable(o) || total <= o->cum_qty ||
        total == o->qty || p.slot[FRESH] != ORDER_NONE || w->next_total != 0)
        return false;
    w->amends_left--;
    w->intended = MAX(w->intended, (int8_t)total);
    if (p.amends) {
        (void)oms_amend(&p.o, p.slot[OLD], 10000, total);
        request_leaves(IS_AMEND, OLD, total);
    } else if (o->cum_qty == 0) {
        p.slot[FRESH] = oms_replace(&p.o, p.slot[OLD], total);
        request_leaves(IS_REPLACE, OLD, total);
    } else {
        w->next_total = (int8_t)total;
        (void)oms_on(&p.o, p.slot[OLD], ORDER_EV_CANCEL_SENT);
        request_leaves(IS_CANCEL, OLD, 0);
    }
    return true;
}

/* The second half of a replace in turn, as the gateway's. */
static void
turn_goes_on(void)
{
    const struct order *o = order_of(OLD);
    struct world *w = &p.w;

    if (w->next_total == 0 || o->end_state != 0 || (order_live(o) && o->request != REQUEST_NONE))
        return;
    if (o->state == ORDER_CANCELED && w->next_total > o->cum_qty && w->inbox_n < ARRAY_LEN(w->inbox)) {
        struct order_intent in = oms_intent(&p.o, o->client, 0, SIDE_BUY, w->next_total - o->cum_qty);
        p.slot[FRESH] = oms_apply_intent(&p.o, &in);
        request_leaves(IS_NEW, FRESH, (int)in.qty);
    }
    w->next_total = 0;
}

static bool
strategy_cancels(void)
{
    int which = p.slot[FRESH] != ORDER_NONE ? FRESH : OLD;
    const struct order *o = order_of(which);

    if (p.w.cancels_left == 0 || p.w.inbox_n == ARRAY_LEN(p.w.inbox) || !order_live(o) || o->end_state != 0 ||
        o->request == REQUEST_CANCEL_IN_FLIGHT)
        return false;
    p.w.cancels_left--;
    (void)oms_on(&p.o, p.slot[which], ORDER_EV_CANCEL_SENT);
    request_leaves(IS_CANCEL, which, 0);
    return true;
}

static bool
times_out(void)
{
    bool any = false;
    for (int i = 0; i < ORDERS; i++) {
        if (p.slot[i] == ORDER_NONE)
            continue;
        const struct order *o = order_of(i);
        if (!order_live(o) || o->request == REQUEST_NONE || request_state_unknown((enum request_state)o->request))
            continue;
        (void)oms_on(&p.o, p.slot[i], ORDER_EV_UNKNOWN);
        any = true;
    }
    return any;
}

/* after: past every deadline, so what has not arrived never will. */
static void
ask(int which, bool after)
{
    struct message m = message(p.w.at[which].there ? SAYS_STATUS : SAYS_ABSENT, which);
    m.open = p.w.at[which].open;
    m.proven = after;
    m.asked = p.w.step;
    if (after) {
        memset(p.w.inbox, 0, sizeof(p.w.inbox));
        p.w.inbox_n = 0;
    }
    say(true, m);
}

static bool
query(bool after)
{
    int which = p.slot[FRESH] != ORDER_NONE ? FRESH : OLD;
    if (p.w.queries_left == 0 || !room(2, 0))
        return false;
    p.w.queries_left--;
    ask(which, after);
    if (which == FRESH)
        ask(OLD, after);
    return true;
}

/* ---- what must hold --------------------------------------------------------------------------------------------- */

/* The most that an order may come to fill, by what is at the venue and on its way there. */
static int
most(int which)
{
    const struct venue_side *v = &p.w.at[which];
    int n = v->open ? v->total : v->filled;

    for (unsigned i = 0; i < p.w.inbox_n; i++) {
        const struct wire_request *r = &p.w.inbox[i];
        bool raises = (r->is == IS_AMEND && which == OLD && v->open) ||
                      ((r->is == IS_NEW || r->is == IS_REPLACE) && which == FRESH);
        if (raises)
            n = MAX(n, r->total);
    }
    return n;
}

static bool
holds(bool what, const char *name)
{
    if (!what && p.broken == NULL)
        p.broken = name;
    return what;
}

static bool
invariants(void)
{
    int worst = 0;

    for (int i = 0; i < ORDERS; i++) {
        const struct venue_side *v = &p.w.at[i];
        worst += v->open ? v->total : v->filled;
        if (p.slot[i] == ORDER_NONE)
            continue;
        const struct order *o = order_of(i);
        if (!holds(o->cum_qty <= v->filled, "no fill is counted that was not made") ||
            !holds(o->cum_qty == __builtin_popcount(p.w.seen[i]), "each trade told is counted once") ||
            !holds(o->cum_qty <= o->qty || p.w.others_left == 0,
                   "no report shows more filled than its total, unless somebody else raised that") ||
            !holds(order_live(o) || (!v->open && most(i) == v->filled), "nothing terminal works at the venue"))
            return false;
        bool over = !order_live(o) || (!p.counts && o->end_state != 0); /* by how much it may still fill was not said */
        if (p.w.other_untold == 0 &&
            !holds(over || o->reserved + o->cum_qty >= most(i), "what is reserved covers the most that may be filled"))
            return false;
    }
    return holds(worst <= p.w.intended, "filled and working is at most the largest total asked for");
}

/* The faults stop: everything is delivered, asked after all deadlines, trades too. Then both sides agree. */
static bool
settles(void)
{
    for (int round = 0; round < 3; round++) {
        while (deliver(true, false) || deliver(false, false))
            turn_goes_on();
        p.w.step++;
        for (int i = 0; i < ORDERS; i++) {
            if (p.slot[i] == ORDER_NONE)
                continue;
            ask(i, true);
            while (deliver(true, false))
                turn_goes_on();
            for (int8_t t = 1; t <= p.w.at[i].filled; t++) {
                struct message m = message(SAYS_FILL, i);
                m.trade = t;
                on_message(&m);
            }
        }
        turn_goes_on();
        if (!invariants())
            return false;
    }
    for (int i = 0; i < ORDERS; i++) {
        const struct venue_side *v = &p.w.at[i];
        if (p.slot[i] == ORDER_NONE)
            continue;
        const struct order *o = order_of(i);
        if (!holds(o->cum_qty == v->filled, "every fill is counted in the end") ||
            !holds(order_live(o) == (v->open != 0), "alive here is alive there in the end") ||
            !holds(o->reserved == (v->open ? v->total - v->filled : 0), "reserved is what works in the end") ||
            !holds(!order_unknown(o) && (!v->open || o->qty == v->total), "nothing stays unknown in the end"))
            return false;
    }
    return true;
}

/* ---- all paths -------------------------------------------------------------------------------------------------- */

static const char *const action_name[] = {
    "venue takes", "venue refuses", "request lost", "fill old",    "fill new",  "other amends",
    "answer",      "stream",        "stream twice", "answer lost", "times out", "query early",
    "query after", "total 1",       "total 2",      "total 5",     "cancel",    "answer twice",
};

static bool
act(unsigned action)
{
    switch (action) {
    case 0: return venue_takes(true);
    case 1: return venue_takes(false);
    case 2: return request_lost();
    case 3: return venue_fills(OLD);
    case 4: return venue_fills(FRESH);
    case 5: return somebody_else_amends();
    case 6: return deliver(true, false);
    case 7: return deliver(false, false);
    case 8: return deliver(false, true);
    case 9: return answer_lost();
    case 10: return times_out();
    case 11: return query(false);
    case 12: return query(true);
    case 13: return strategy_changes_total(1);
    case 14: return strategy_changes_total(2);
    case 15: return strategy_changes_total(UNITS_MAX);
    case 16: return strategy_cancels();
    case 17: return deliver(true, true);
    default: return false;
    }
}

struct memo {
    uint64_t key; /* 0 = empty */
    uint64_t paths;
};

static struct memo *memo;
static unsigned memo_bits;

static uint64_t
mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ (h >> 29);
}

/* Times matter by their order only. */
static unsigned
rank_of(uint8_t time, uint32_t times)
{
    return (unsigned)__builtin_popcount(times & ((1u << time) - 1));
}

static uint64_t
queue_key(uint64_t h, const struct message *q, unsigned n, uint32_t times)
{
    for (unsigned i = 0; i < n; i++) {
        const struct message *m = &q[i];
        h = mix(h, m->says | (uint64_t)m->order << 8 | (uint64_t)m->about << 16 | (uint64_t)m->proven << 24 |
                       (uint64_t)m->total << 32 | (uint64_t)m->cum << 40 | (uint64_t)m->trade << 48 |
                       (uint64_t)m->open << 56);
        h = mix(h, m->tag | (uint64_t)rank_of(m->time, times) << 8 | (uint64_t)(m->asked > p.w.amended_step) << 16 |
                       (uint64_t)(m->asked > p.w.requested_step) << 17);
    }
    return mix(h, n);
}

static uint64_t
order_key(uint64_t h, int which, uint32_t times)
{
    const struct order *o = order_of(which);
    const struct order_amend *a = order_amend_at(p.o.t, p.slot[which]);

    if (a != NULL && a->key != 0) {
        const struct key_entry *e = key_ledger_find(order_keys(p.o.t), o->client, a->key);
        h = mix(h, (e != NULL ? e->state : 99u) | (o->key == a->key ? 128u : 0u));
    }
    h = mix(h, o->state | (uint64_t)o->request << 8 | (uint64_t)o->end_state << 16 | (uint64_t)o->marks << 24);
    h = mix(h, (uint64_t)o->qty | (uint64_t)o->cum_qty << 16 | (uint64_t)o->venue_cum_qty << 32 |
                   (uint64_t)o->reserved << 48);
    if (a == NULL)
        return h;
    return mix(h,
               (uint64_t)a->qty | (uint64_t)rank_of((uint8_t)a->venue_ns, times) << 16 | (a->key - p.w.key0 + 1) << 32);
}

/* Two states with the same key go on alike: all but the counters of time and steps, of which the order matters. */
static uint64_t
state_key(unsigned left)
{
    const struct world *w = &p.w;
    uint32_t times = 1u << w->other_untold;

    for (unsigned i = 0; i < w->answer_n; i++)
        times |= 1u << w->answer[i].time;
    for (unsigned i = 0; i < w->stream_n; i++)
        times |= 1u << w->stream[i].time;
    for (int i = 0; i < ORDERS; i++)
        if (p.slot[i] != ORDER_NONE && order_amend_at(p.o.t, p.slot[i]) != NULL)
            times |= 1u << order_amend_at(p.o.t, p.slot[i])->venue_ns;
    uint64_t h = mix(left + 1, p.amends);
    for (int i = 0; i < ORDERS; i++) {
        const struct venue_side *v = &w->at[i];
        h = mix(h, v->there | (uint64_t)v->open << 8 | (uint64_t)v->total << 16 | (uint64_t)v->filled << 24 |
                       (uint64_t)w->seen[i] << 32 | (uint64_t)(p.slot[i] != ORDER_NONE) << 40);
        if (p.slot[i] != ORDER_NONE)
            h = order_key(h, i, times);
    }
    for (unsigned i = 0; i < w->inbox_n; i++)
        h = mix(h, w->inbox[i].is | (uint64_t)w->inbox[i].order << 8 | (uint64_t)w->inbox[i].total << 16 |
                       (uint64_t)w->inbox[i].tag << 24);
    h = queue_key(mix(h, w->inbox_n), w->answer, w->answer_n, times);
    h = queue_key(h, w->stream, w->stream_n, times);
    h = mix(h, w->amends_left | (uint64_t)w->cancels_left << 8 | (uint64_t)w->queries_left << 16 |
                   (uint64_t)w->others_left << 24 | (uint64_t)w->doubles_left << 32 |
                   (uint64_t)(w->other_untold == 0 ? 63 : rank_of(w->other_untold, times)) << 40 |
                   (uint64_t)w->intended << 48 | (uint64_t)w->next_total << 56);
    return h == 0 ? 1 : h;
}

struct snapshot {
    struct oms o;
    struct world w;
    uint32_t slot[ORDERS];
    uint8_t memory[SNAPSHOT_KB * 1024];
};

static struct snapshot saved[DEPTH_MAX + 2];

static void
save(struct snapshot *s)
{
    s->o = p.o;
    s->w = p.w;
    memcpy(s->slot, p.slot, sizeof(p.slot));
    memcpy(s->memory, p.o.memory, p.o.memory_bytes);
}

static void
restore(const struct snapshot *s)
{
    p.o = s->o;
    p.w = s->w;
    memcpy(p.slot, s->slot, sizeof(p.slot));
    memcpy(p.o.memory, s->memory, p.o.memory_bytes);
}

static struct memo *
memo_of(uint64_t key)
{
    uint64_t i = key & ((1u << memo_bits) - 1);
    for (unsigned n = 0; n < (1u << memo_bits); n++, i = (i + 1) & ((1u << memo_bits) - 1))
        if (memo[i].key == key || memo[i].key == 0)
            return &memo[i];
    fail_msg("more distinct states than the test has room for: %llu", (unsigned long long)p.states);
    return NULL;
}

/* Walk on from here: an explicit stack of snapshots, one per depth. Returns the paths to their ends. */
static uint64_t
walk(unsigned depth_max)
{
    static unsigned next[DEPTH_MAX + 2];
    static uint64_t paths[DEPTH_MAX + 2];
    static uint64_t key[DEPTH_MAX + 2];
    unsigned d = 0;
    bool dirty = true;

    save(&saved[0]);
    next[0] = 0;
    paths[0] = 0;
    key[0] = state_key(depth_max);
    for (;;) {
        if (next[d] == ARRAY_LEN(action_name) || d == depth_max) { /* an end, or all was tried from here */
            if (paths[d] == 0) {
                restore(&saved[d]);
                p.depth = d;
                if (!settles())
                    return 0;
                paths[d] = 1;
            }
            struct memo *m = memo_of(key[d]);
            *m = (struct memo){ key[d], paths[d] };
            p.states++;
            if (d == 0)
                return paths[0];
            paths[d - 1] += paths[d];
            d--;
            dirty = true;
            continue;
        }
        if (dirty)
            restore(&saved[d]);
        unsigned action = next[d]++;
        p.w.step++;
        dirty = act(action);
        if (!dirty) { /* not possible here: nothing changed */
            p.w.step--;
            continue;
        }
        turn_goes_on();
        (void)snprintf(p.trail[d], sizeof(p.trail[d]), "%s", action_name[action]);
        p.depth = d + 1;
        if (!invariants())
            return 0;
        uint64_t k = state_key(depth_max - d - 1);
        struct memo *m = memo_of(k);
        if (m->key == k) {
            paths[d] += m->paths;
            continue;
        }
        d++;
        save(&saved[d]);
        next[d] = 0;
        paths[d] = 0;
        key[d] = k;
        dirty = false;
    }
}

static void
every_path(bool amends, bool counts)
{
    memset(&p, 0, sizeof(p));
    const char *given = getenv("EXECGW_PATHS");
    unsigned depth = given != NULL ? (unsigned)strtoul(given, NULL, 10) : PATH_DEPTH;
    CHECK(depth >= 1 && depth <= DEPTH_MAX);
    memo_bits = depth <= PATH_DEPTH ? 21 : 25;
    memo = (struct memo *)calloc((size_t)1 << memo_bits, sizeof(*memo));
    p.amends = amends;
    p.counts = counts;
    p.o.counts = (struct order_counts){ .live_max = 3, .done_kept = 1, .trades_kept = 16, .keys_kept = 4 };
    p.o.t = oms_table(&p.o.counts, &p.o.memory, &p.o.memory_bytes);
    (void)clordid_mint_init(&p.o.mint, "g1", 1790000000, 0);
    p.slot[OLD] = oms_new(&p.o, SIDE_BUY, TOTAL);
    p.slot[FRESH] = ORDER_NONE;
    (void)oms_on(&p.o, p.slot[OLD], ORDER_EV_ACK);
    if (p.o.memory_bytes > sizeof(saved[0].memory))
        fail_msg("the table has %zu bytes", p.o.memory_bytes);
    p.w = (struct world){ .at = { [OLD] = { .there = 1, .open = 1, .total = TOTAL } },
                          .time = 1,
                          .key0 = (uint8_t)p.o.next_key,
                          .amends_left = 2,
                          .cancels_left = 1,
                          .queries_left = 2,
                          .others_left = 1,
                          .doubles_left = 1,
                          .intended = TOTAL };
    uint64_t paths = walk(depth);
    if (p.broken != NULL) {
        for (unsigned i = 0; i < p.depth; i++)
            printf("  %2u %s\n", i + 1, p.trail[i]);
        fail_msg("does not hold: %s", p.broken);
    }
    printf("  %s, %s: %llu paths of %u steps, %llu distinct states\n", amends ? "amend in place" : "cancel and new",
           counts ? "ends that count" : "trades after ends", (unsigned long long)paths, depth,
           (unsigned long long)p.states);
    CHECK(given != NULL || paths > 1000000);
    oms_free(&p.o);
    free(memo);
}

TEST(every_interleaving_of_amends_fills_losses_and_queries_keeps_the_order_covered)
{
    every_path(true, true);
}

TEST(every_interleaving_of_replaces_fills_losses_and_queries_keeps_both_orders_covered)
{
    every_path(false, true);
}

TEST(every_interleaving_with_trades_that_come_after_the_end_shows_no_more_filled_than_the_total)
{
    every_path(true, false);
}

TEST_MAIN()
