/* The oracle: what the journal says, what left, what the venue's ledger has, what the core believes and what clients
 * were told must be one story. The ledger is the judge. */
#include "tests/sim/sim.h"

#include <stdlib.h>

/* ---- orders by ClOrdID ------------------------------------------------------------------------------------------- */

static uint32_t
hash_of(const char *text)
{
    uint32_t h = 2166136261u;

    for (; *text != '\0'; text++)
        h = (h ^ (uint8_t)*text) * 16777619u;
    return h;
}

static uint32_t *
slot_of(struct oracle *o, const char *clordid)
{
    uint32_t n = ARRAY_LEN(o->hash);

    for (uint32_t i = hash_of(clordid);; i++) {
        uint32_t *h = &o->hash[i % n];
        if (*h == 0 || strcmp(o->mine[*h - 1].clordid, clordid) == 0)
            return h;
    }
}

struct mine *
check_find(struct sim *s, const char *clordid)
{
    uint32_t h = *slot_of(&s->oracle, clordid);
    return h == 0 ? NULL : &s->oracle.mine[h - 1];
}

void
check_init(struct sim *s)
{
    struct oracle *o = &s->oracle;

    memset(o->hash, 0, sizeof(o->hash));
    o->count = 0;
    o->segment = 0;
    o->offset = sizeof(struct journal_segment_header);
    o->seq = 0;
    o->ban_known_until_ns = 0;
    o->records = o->turns = 0;
    o->again_until = 0;
    o->twin_start = 0;
    o->adopted_count = 0;
    o->killed = false;
    memset(o->state, 0, sizeof(o->state));
    o->touched_count = 0;
    for (uint32_t i = 0; i < SIM_SYMBOLS; i++)
        o->first_trade[i] = -1;
}

static struct client *
client_of(struct sim *s, uint32_t client)
{
    for (uint32_t i = 0; i < SIM_SESSIONS; i++)
        if (s->client[i].client == client)
            return &s->client[i];
    return NULL;
}

uint32_t
check_symbol(const struct sim *s, uint32_t instrument)
{
    const struct instrument *ins = route_instrument(&s->core.route, instrument, 0);

    for (uint32_t i = 0; ins != NULL && i < SIM_SYMBOLS; i++)
        if (strcmp(s->price[i].symbol, ins->symbol) == 0)
            return i;
    return SIM_NONE;
}

static void
touch(struct oracle *o, uint32_t mine)
{
    for (uint32_t i = 0; i < o->touched_count; i++)
        if (o->touched[i] == mine)
            return;
    if (o->touched_count < ARRAY_LEN(o->touched))
        o->touched[o->touched_count++] = mine;
}

/* ---- the truth --------------------------------------------------------------------------------------------------- */

/* The most that may still have been or be filled, as the ledger and the wires stand. */
static int64_t
worst(const struct sim *s, const struct mine *m)
{
    if (m->vorder != SIM_NONE) {
        const struct vorder *v = &s->venue.order[m->vorder];
        if (!vorder_open(v))
            return v->cum;
        return venue_clock(s) < m->amend_until_ns ? MAX(v->qty, m->amend_worst) : v->qty;
    }
    return m->sends > 0 && !m->refused && venue_clock(s) < m->until_ns ? m->qty : 0;
}

/* ---- the journal ------------------------------------------------------------------------------------------------- */

/* What is accepted was allowed: not killed, not halted, in time, on the tick, and a reduction where it says so. */
static void
check_allowed(struct sim *s, const struct order_intent *in)
{
    const struct oracle *o = &s->oracle;
    const struct command *k = &in->command;
    const struct instrument *ins = route_instrument(&s->core.route, k->instrument, 0);
    const struct position *p = risk_position(s->core.risk, k->account, k->instrument);
    uint8_t strictest = MAX(o->state[LEVEL_GLOBAL][0], o->state[LEVEL_VENUE][0]);

    strictest = MAX(strictest, o->state[LEVEL_ACCOUNT][k->account]);
    strictest = MAX(strictest, o->state[LEVEL_INSTRUMENT][k->instrument % CLIENT_MAX]);
    strictest = MAX(strictest, o->state[LEVEL_CLIENT][k->client % CLIENT_MAX]);
    if (o->killed || strictest == TRADING_HALTED)
        sim_fail(s, "order %s is accepted while %s", in->clordid, o->killed ? "killed" : "halted");
    if (o->twin_start == s->core.starts)
        sim_fail(s, "order %s is accepted after another host with our ids was seen", in->clordid);
    if (k->deadline_wall_ns != 0 && k->deadline_wall_ns < host_clock(s).wall.ns)
        sim_fail(s, "order %s is accepted after its command's deadline", in->clordid);
    if (ins == NULL || ins->version != k->instrument_version)
        sim_fail(s, "order %s is accepted for version %u of instrument %u, which is not in force", in->clordid,
                 k->instrument_version, k->instrument);
    if (in->qty <= 0 || in->qty > ins->qty_max || (k->type != ORDER_MARKET && k->px % ins->tick != 0))
        sim_fail(s, "order %s is accepted with quantity %lld at %lld, tick %lld", in->clordid, (long long)in->qty,
                 (long long)k->px, (long long)ins->tick);
    bool reduces = k->side == SIDE_BUY ? p->qty + p->reserved[SIDE_BUY] <= 0 : p->qty - p->reserved[SIDE_SELL] >= 0;
    bool must = (k->flags & COMMAND_REDUCE_ONLY) != 0 || strictest == TRADING_REDUCING;
    if (must && !reduces && k->verb == COMMAND_NEW)
        sim_fail(s, "order %s must reduce and does not: position %lld with %lld buys and %lld sells open", in->clordid,
                 (long long)p->qty, (long long)p->reserved[SIDE_BUY], (long long)p->reserved[SIDE_SELL]);
}

/* The intent says what its client asked, and the key is accepted once in the life of the journal. */
static struct asked *
check_asked(struct sim *s, const struct order_intent *in)
{
    const struct command *k = &in->command;
    struct client *c = client_of(s, k->client);

    if (c == NULL || k->key >= SIM_KEYS || !c->asked[k->key].used)
        sim_fail(s, "the journal has key %llu of client %u, which nobody asked", (unsigned long long)k->key, k->client);
    struct asked *a = &c->asked[k->key];
    const struct command *w = &a->command;
    if (in->deny != DENY_NONE)
        return a;
    if (a->accepted)
        sim_fail(s, "key %llu of client %u is accepted twice", (unsigned long long)k->key, k->client);
    if (a->denied)
        sim_fail(s, "key %llu of client %u was denied and is accepted now", (unsigned long long)k->key, k->client);
    check_allowed(s, in);
    if (!c->attached || c->generation != a->generation)
        sim_fail(s, "key %llu of client %u is accepted after the session that asked for it has ended",
                 (unsigned long long)k->key, k->client);
    if (run_clock(s) > a->late_ns)
        sim_fail(s, "key %llu of client %u is accepted long after it was asked for", (unsigned long long)k->key,
                 k->client);
    bool as_it_was = (in->flags & ORDER_INTENT_AMEND) != 0; /* an amend keeps flags and time in force of its order */
    if (w->verb == k->verb && w->side == k->side && w->px == k->px && w->qty == k->qty &&
        w->instrument == k->instrument && w->type == k->type && w->target_key == k->target_key &&
        w->instrument_version == k->instrument_version && (as_it_was || (w->tif == k->tif && w->flags == k->flags)))
        return a;
    /* The first command may never have come through, or was denied for want of room, which does not take its key. */
    if (!a->varied)
        sim_fail(s, "key %llu of client %u is accepted with other words than asked", (unsigned long long)k->key,
                 k->client);
    return a;
}

/* The order stays; its key, price and total are to be others. */
static void
read_amend(struct sim *s, const struct order_intent *in, struct asked *a, uint64_t seq)
{
    struct mine *m = check_find(s, in->target_clordid);
    const struct instrument *ins = route_instrument(&s->core.route, in->command.instrument, 0);

    if (m == NULL || ins == NULL)
        sim_fail(s, "an amend of %s, which nobody sent", in->target_clordid);
    m->amend_px = check_scale(in->command.px, ins->px_decimals);
    m->amend_qty = check_scale(in->qty, ins->qty_decimals);
    a->accepted = true;
    a->accepted_seq = seq;
    a->mine = (uint32_t)(m - s->oracle.mine);
    touch(&s->oracle, a->mine);
}

static void
read_intent(struct sim *s, const struct order_intent *in, uint64_t seq)
{
    struct oracle *o = &s->oracle;
    const struct command *k = &in->command;

    if (k->verb != COMMAND_NEW && k->verb != COMMAND_REPLACE)
        return;
    if (k->client == CLIENT_ADOPTED) {
        foreign_adopted(s, in);
        return;
    }
    if (k->key == 0)
        return;
    struct asked *a = check_asked(s, in);
    if (in->deny != DENY_NONE) {
        if (!a->accepted) {
            a->denied = true;
            a->denied_seq = seq;
        }
        return;
    }
    if (o->count == SIM_ORDERS)
        sim_fail(s, "more than %u orders in one seed", SIM_ORDERS);
    if ((in->flags & ORDER_INTENT_AMEND) != 0) {
        read_amend(s, in, a, seq);
        return;
    }
    if (check_find(s, in->clordid) != NULL)
        sim_fail(s, "ClOrdID %s is used twice", in->clordid);
    const struct instrument *ins = route_instrument(&s->core.route, k->instrument, 0);
    uint32_t symbol = check_symbol(s, k->instrument);
    if (ins == NULL || symbol == SIM_NONE)
        sim_fail(s, "order %s is accepted for an instrument that does not exist", in->clordid);
    uint32_t index = o->count++;
    struct mine *m = &o->mine[index];
    *m = (struct mine){
        .seq = seq,
        .client = k->client,
        .key = k->key,
        .symbol = symbol,
        .instrument = k->instrument,
        .side = k->side,
        .type = k->type,
        .replace = k->verb == COMMAND_REPLACE,
        .target = SIM_NONE,
        .px = check_scale(k->px, ins->px_decimals),
        .qty = check_scale(in->qty, ins->qty_decimals),
        .total = check_scale(k->qty, ins->qty_decimals),
        .made_ns = s->t,
        .parent_key = k->parent_key,
        .parent_qty = k->parent_key != 0 ? check_scale(k->parent_qty, ins->qty_decimals) : 0,
        .vorder = SIM_NONE,
        .changed_wire = SIM_NONE,
        .asked_wire = SIM_NONE,
        .listed_wire = SIM_NONE,
        .told_wire = SIM_NONE,
    };
    memcpy(m->clordid, in->clordid, CLORDID_BYTES);
    if (m->replace) {
        const struct mine *t = check_find(s, in->target_clordid);
        if (t == NULL)
            sim_fail(s, "order %s replaces %s, which nobody sent", in->clordid, in->target_clordid);
        m->target = (uint32_t)(t - o->mine);
    }
    *slot_of(o, in->clordid) = index + 1;
    a->accepted = true;
    a->accepted_seq = seq;
    a->mine = index;
    touch(o, index);
}

/* The key of a cancel is taken like that of an order. */
static void
read_cancel_key(struct sim *s, const struct order_event *ev, uint64_t seq)
{
    struct client *c = client_of(s, ev->request_client);

    if (ev->request_id == 0 || (ev->flags & ORDER_EVENT_REPLACE) != 0 || c == NULL)
        return;
    if (ev->request_id >= SIM_KEYS || !c->asked[ev->request_id].used)
        sim_fail(s, "the journal has a cancel under key %llu of client %u, which nobody asked",
                 (unsigned long long)ev->request_id, ev->request_client);
    struct asked *a = &c->asked[ev->request_id];
    if (a->accepted && a->mine != SIM_NONE)
        sim_fail(s, "key %llu of client %u is an order's and a cancel's", (unsigned long long)ev->request_id,
                 ev->request_client);
    a->accepted = true;
    a->accepted_seq = seq;
}

static void
read_event(struct sim *s, const struct order_event *ev, bool request, uint64_t seq)
{
    struct mine *m = check_find(s, ev->clordid);

    if (m == NULL && foreign_find(s, ev->clordid) != NULL)
        return;
    if (m == NULL)
        sim_fail(s, "the journal has an event of %s, which nobody sent", ev->clordid);
    sim_trace(s, "journal: %s %s", order_event_text((enum order_event_kind)ev->kind), ev->clordid);
    if (request && ev->kind == ORDER_EV_CANCEL_SENT) {
        m->cancel_records++;
        read_cancel_key(s, ev, seq);
    }
    touch(&s->oracle, (uint32_t)(m - s->oracle.mine));
}

/* The kill switch calls it proven that nothing of ours is open at the venue, nor on its way there. */
static void
check_kill_proof(struct sim *s)
{
    for (uint32_t i = 0; i < s->oracle.count; i++) {
        const struct mine *m = &s->oracle.mine[i];
        const struct vorder *v = m->vorder == SIM_NONE ? NULL : &s->venue.order[m->vorder];
        if (v != NULL ? vorder_open(v) : worst(s, m) > 0)
            sim_fail(s, "the kill switch is called proven, and order %s is %s", m->clordid,
                     v != NULL ? "open" : "on its way");
    }
}

static void
read_control(struct sim *s, const struct journal_control *c)
{
    struct oracle *o = &s->oracle;

    switch ((enum journal_control_kind)c->kind) {
    case CONTROL_KILL: o->killed = true; break;
    case CONTROL_RELEASE: o->killed = false; break;
    case CONTROL_STATE:
        o->state[c->level % LEVEL_COUNT][c->level == LEVEL_GLOBAL ? 0 : c->id % CLIENT_MAX] = (uint8_t)c->value;
        break;
    default: break;
    }
}

/* From the first cursor of an instrument on, every trade of the account counts: those before are the past. */
static void
read_cursor(struct sim *s, const struct journal_cursor *c)
{
    int64_t *first = c->instrument < SIM_SYMBOLS ? &s->oracle.first_trade[c->instrument] : NULL;
    uint32_t symbol = check_symbol(s, c->instrument);

    if (first == NULL || symbol == SIM_NONE)
        sim_fail(s, "the journal has a cursor of instrument %u, which does not exist", c->instrument);
    if (c->trade_id < 0 || c->trade_id > s->venue.next_trade[symbol])
        sim_fail(s, "%s: a cursor at trade %lld, the next of the venue is %lld", s->price[symbol].symbol,
                 (long long)c->trade_id, (long long)s->venue.next_trade[symbol]);
    if (*first < 0)
        *first = c->trade_id;
}

static void
read_definition(struct sim *s, const struct instrument *ins)
{
    if (ins->id >= SIM_SYMBOLS || ins->version >= SIM_VERSIONS)
        sim_fail(s, "the journal defines version %u of instrument %u", ins->version, ins->id);
    s->oracle.px_decimals[ins->id][ins->version] = ins->px_decimals;
}

/* What is read again when the journal was cut: it is state, not history. */
static bool
read_twice(uint16_t type)
{
    return type == JOURNAL_CONTROL || type == JOURNAL_CURSOR || type == JOURNAL_DEF_INSTRUMENT;
}

static void
read_record(struct sim *s, const struct journal_record_header *h, const uint8_t *payload)
{
    union {
        struct order_intent intent;
        struct order_event event;
        struct journal_control control;
        struct journal_cursor cursor;
        struct instrument instrument;
    } u;

    switch ((enum journal_type)h->type) {
    case JOURNAL_INTENT:
        memcpy(&u.intent, payload, sizeof(u.intent));
        read_intent(s, &u.intent, h->seq);
        break;
    case JOURNAL_REQUEST:
    case JOURNAL_VENUE_REPORT:
        memcpy(&u.event, payload, sizeof(u.event));
        read_event(s, &u.event, h->type == JOURNAL_REQUEST, h->seq);
        break;
    case JOURNAL_CONTROL:
        memcpy(&u.control, payload, sizeof(u.control));
        read_control(s, &u.control);
        if (h->seq > s->oracle.again_until && u.control.kind == CONTROL_KILL_PROOF && u.control.value == KILL_PROVEN)
            check_kill_proof(s);
        break;
    case JOURNAL_CURSOR:
        memcpy(&u.cursor, payload, sizeof(u.cursor));
        read_cursor(s, &u.cursor);
        break;
    case JOURNAL_DEF_INSTRUMENT:
        memcpy(&u.instrument, payload, sizeof(u.instrument));
        read_definition(s, &u.instrument);
        break;
    default: break;
    }
}

/* The segment was begun with record `seq`. A spare one may stand ready while this one still takes small records. */
static bool
segment_follows(const uint8_t *segment, uint64_t seq)
{
    struct journal_segment_header h;

    memcpy(&h, segment, sizeof(h));
    return h.magic == JOURNAL_MAGIC && h.first_seq == seq;
}

/* The next record of the disk, whole; false when there is none (yet). */
static bool
record_next(struct sim *s, struct journal_record_header *h, const uint8_t **payload)
{
    static crc32c_fn crc;
    struct oracle *o = &s->oracle;
    const struct core_rig *c = &s->core;

    if (crc == NULL)
        crc = crc32c_pick();
    for (;;) {
        if (o->segment >= c->segments)
            return false;
        const uint8_t *at = c->segment[o->segment] + o->offset;
        size_t room = SIM_SEGMENT - o->offset;
        if (room >= sizeof(*h)) {
            memcpy(h, at, sizeof(*h));
            if (h->bytes >= sizeof(*h) && h->bytes <= room && h->seq == o->seq + 1 &&
                crc(0, at + 4, h->bytes - 4) == h->crc) {
                *payload = at + sizeof(*h);
                o->offset += h->bytes;
                o->seq = h->seq;
                return true;
            }
        }
        if (o->segment + 1 >= c->segments || !segment_follows(c->segment[o->segment + 1], o->seq + 1))
            return false;
        o->segment++;
        o->offset = sizeof(struct journal_segment_header);
    }
}

/* Of an amend that stands: those after it are gone. */
static void
read_again(struct sim *s, const uint8_t *payload)
{
    struct order_intent in;

    memcpy(&in, payload, sizeof(in));
    struct mine *m = (in.flags & ORDER_INTENT_AMEND) != 0 ? check_find(s, in.target_clordid) : NULL;
    const struct instrument *ins = route_instrument(&s->core.route, in.command.instrument, 0);
    if (m == NULL || ins == NULL)
        return;
    unsigned decimals = in.command.instrument_version < SIM_VERSIONS
                            ? s->oracle.px_decimals[in.command.instrument][in.command.instrument_version]
                            : ins->px_decimals;
    m->amend_px = check_scale(in.command.px, decimals);
    m->amend_qty = check_scale(in.qty, ins->qty_decimals);
}

static void
read_until(struct sim *s, uint64_t seq)
{
    struct journal_record_header h;
    const uint8_t *payload;

    while (s->oracle.seq < seq && record_next(s, &h, &payload)) {
        s->oracle.records++;
        if (h.seq > s->oracle.again_until || read_twice(h.type))
            read_record(s, &h, payload);
        else if (h.type == JOURNAL_INTENT)
            read_again(s, payload);
    }
}

void
check_journal(struct sim *s)
{
    read_until(s, UINT64_MAX);
    if (s->core.alive && s->oracle.seq != s->core.journal.seq)
        sim_fail(s, "the journal says it is at record %llu, the disk has %llu", (unsigned long long)s->core.journal.seq,
                 (unsigned long long)s->oracle.seq);
}

void
check_cut(struct sim *s, uint64_t seq)
{
    struct oracle *o = &s->oracle;

    read_until(s, seq);
    while (o->count > 0 && o->mine[o->count - 1].seq > seq) {
        struct mine *m = &o->mine[--o->count];
        client_of(s, m->client)->asked[m->key].accepted = false;
    }
    memset(o->hash, 0, sizeof(o->hash));
    for (uint32_t i = 0; i < o->count; i++) {
        *slot_of(o, o->mine[i].clordid) = i + 1;
        o->mine[i].ended &= o->mine[i].end_seq <= seq;
    }
    for (uint32_t i = 0; i < SIM_SESSIONS; i++)
        for (uint64_t k = 1; k <= s->client[i].key; k++) {
            struct asked *a = &s->client[i].asked[k];
            a->denied &= a->denied_seq <= seq;
            a->accepted &= a->accepted_seq <= seq;
        }
    for (uint32_t i = 0; i < s->venue.trades; i++)
        s->venue.trade[i].told = false; /* what is found again is told again */
    o->touched_count = 0;
    if (o->seq > seq) { /* read again from the start of what is left */
        o->segment = 0;
        o->offset = sizeof(struct journal_segment_header);
        o->seq = 0;
        o->again_until = seq;
        o->killed = false;
        memset(o->state, 0, sizeof(o->state));
        for (uint32_t i = 0; i < SIM_SYMBOLS; i++)
            o->first_trade[i] = -1;
    }
}

/* A ban stands in the journal by the host's wall clock, the only one that a new process has: once that was set forward
 * by more than the margin since (3 s), nobody can know that the ban still lasts. */
#define BAN_STEP_NS (2900 * NS_PER_MS)

void
check_started(struct sim *s)
{
    if (s->wall_ns - s->oracle.ban_wall_ns > BAN_STEP_NS)
        s->oracle.ban_known_until_ns = 0;
    s->oracle.touched_count = ARRAY_LEN(s->oracle.touched);
    promise_restarted(s);
}

/* ---- what leaves and what arrives -------------------------------------------------------------------------------- */

/* A new order leaves over a connection only when the venue has told, over this connection, of every order from before:
 * by its list or because it was asked. */
static void
check_reconciled(struct sim *s, const struct mine *sent, uint32_t wire)
{
    for (uint32_t i = 0; i < s->oracle.count; i++) {
        const struct mine *m = &s->oracle.mine[i];
        if (m->ended || m == sent || m->sends == 0 || m->changed_wire == wire || m->listed_wire == wire ||
            m->asked_wire == wire || m->told_wire == wire)
            continue;
        sim_fail(s,
                 "order %s leaves over wire %u before the venue was asked about %s (listed %u, asked %u, changed %u, "
                 "told %u)",
                 sent->clordid, wire, m->clordid, m->listed_wire, m->asked_wire, m->changed_wire, m->told_wire);
    }
}

void
check_sent(struct sim *s, const struct out *out)
{
    if (out->mine == SIM_NONE)
        return;
    struct mine *m = &s->oracle.mine[out->mine];
    if (out->kind == OUT_NEW) {
        if (++m->sends > 1)
            sim_fail(s, "order %s is sent twice", m->clordid);
        if (s->durable && m->seq > s->core.durable_seq)
            sim_fail(s, "order %s leaves before its record is on the disk", m->clordid);
        m->until_ns = out->until_ns;
        check_reconciled(s, m, out->wire);
    } else if (out->kind == OUT_AMEND) {
        bool open = venue_clock(s) < m->amend_until_ns;
        m->amend_worst = open ? MAX(m->amend_worst, m->amend_qty) : m->amend_qty;
        m->amend_until_ns = MAX(m->amend_until_ns, out->until_ns);
    } else if (out->kind == OUT_CANCEL) {
        promise_cancel(s, m);
        /* One that is over here and listed there is taken off by what the list says, without a record. */
        if (!m->ended && ++m->cancels > m->cancel_records && !s->core.disk_full)
            sim_fail(s, "a cancel of %s leaves the core and is not in the journal", m->clordid);
    }
    touch(&s->oracle, out->mine);
}

void
check_placed(struct sim *s, struct vorder *v)
{
    struct mine *m = check_find(s, v->clordid);

    if (m == NULL)
        sim_fail(s, "the venue has order %s, which the journal does not know", v->clordid);
    if (m->vorder != SIM_NONE)
        sim_fail(s, "the venue has order %s twice", v->clordid);
    if (m->px != v->px && m->type != ORDER_MARKET)
        sim_fail(s, "the venue has order %s at another price", v->clordid);
    if (m->qty != v->qty)
        sim_fail(s, "the venue has order %s with another quantity", v->clordid);
    if (m->target != SIM_NONE && s->oracle.mine[m->target].vorder != SIM_NONE) {
        const struct mine *old = &s->oracle.mine[m->target];
        const struct vorder *o = &s->venue.order[old->vorder];
        if (vorder_open(o))
            sim_fail(s, "order %s is placed while %s, which it replaces, is open", m->clordid, old->clordid);
        if (o->cum + v->qty > m->total)
            sim_fail(s, "order %s of %.8f is placed where %.8f of %s, which it replaces, is filled: more than %.8f",
                     m->clordid, (double)v->qty / 1e8, (double)o->cum / 1e8, old->clordid, (double)m->total / 1e8);
    }
    m->vorder = (uint32_t)(v - s->venue.order);
    v->mine = (uint32_t)(m - s->oracle.mine);
}

/* The venue works to another total: one that was asked for. */
void
check_amended(struct sim *s, const struct vorder *v)
{
    const struct mine *m = v->mine == SIM_NONE ? NULL : &s->oracle.mine[v->mine];

    if (m == NULL || v->qty > m->amend_worst)
        sim_fail(s, "order %s is amended to a total that nobody asked for", v->clordid);
}

/* ---- one order --------------------------------------------------------------------------------------------------- */

/* A terminal state says what the ledger says, and nothing may come after it. */
static void
check_over(struct sim *s, struct mine *m, const struct order *o, int64_t cum)
{
    const struct vorder *v = m->vorder == SIM_NONE ? NULL : &s->venue.order[m->vorder];
    bool was = v != NULL;
    bool right;

    switch ((enum order_state)o->state) {
    case ORDER_FILLED: right = was && v->status == V_FILLED; break;
    case ORDER_CANCELED: right = was && v->status == V_CANCELED; break;
    case ORDER_EXPIRED: right = was && v->status == V_EXPIRED; break;
    default: right = !was; break;
    }
    right |= m->belied && (o->marks & ORDER_MARK_OPERATOR) != 0;
    if (!right)
        sim_fail(s, "order %s is %s here; at the venue it is %s", m->clordid,
                 order_state_text((enum order_state)o->state),
                 !was                      ? "not"
                 : v->status == V_NEW      ? "new"
                 : v->status == V_PARTIAL  ? "partially filled"
                 : v->status == V_FILLED   ? "filled"
                 : v->status == V_CANCELED ? "canceled"
                                           : "expired");
    if (was && cum != v->cum && !m->belied)
        sim_fail(s, "order %s is over with %.8f filled; the venue filled %.8f", m->clordid, (double)cum / 1e8,
                 (double)v->cum / 1e8);
    if (m->ended && m->end_state != o->state)
        sim_fail(s, "order %s was %s and is %s", m->clordid, order_state_text((enum order_state)m->end_state),
                 order_state_text((enum order_state)o->state));
    if (!m->ended)
        m->end_seq = s->oracle.seq;
    m->ended = true;
    m->end_state = o->state;
}

/* Not more is held than may still be filled: the rest of the order, or of what an amend asks for that is not settled.
 */
static void
check_ceiling(struct sim *s, const struct mine *m, const struct order *o, int64_t cum, int64_t reserved)
{
    const struct vorder *v = m->vorder == SIM_NONE ? NULL : &s->venue.order[m->vorder];
    int64_t total = v != NULL ? v->qty_most : m->qty;
    bool amending = (o->marks & ORDER_MARK_AMENDING) != 0 || o->request == REQUEST_REPLACE_IN_FLIGHT ||
                    o->request == REQUEST_REPLACE_UNKNOWN;

    if (amending)
        total = MAX(total, MAX(m->amend_qty, m->amend_worst));
    if (reserved > (order_live(o) ? MAX(total - cum, 0) : 0))
        sim_fail(s, "order %s (%s, %s): %.8f reserved, of %.8f filled %.8f", m->clordid,
                 order_state_text((enum order_state)o->state), request_state_text((enum request_state)o->request),
                 (double)reserved / 1e8, (double)total / 1e8, (double)cum / 1e8);
}

/* What is reserved costs the worse of the prices that may be in force. */
static void
check_cost(struct sim *s, const struct mine *m, const struct order *o)
{
    const struct instrument *ins = route_instrument(&s->core.route, o->instrument, 0);
    int64_t unit = SIM_VENUE_ONE / pow10_i64[ins->px_decimals];
    bool amending = (o->marks & ORDER_MARK_AMENDING) != 0;
    int64_t asked = amending ? m->amend_px / unit : o->px;

    if (o->reserved_cost != (wide_t)(o->side == SIDE_BUY ? MAX(o->px, asked) : MIN(o->px, asked)) * o->reserved)
        sim_fail(s, "order %s: %lld reserved at %lld or %lld, which does not cost what is reserved for it", m->clordid,
                 (long long)o->reserved, (long long)o->px, (long long)asked);
}

/* All trades are known here: then their money is as well. */
static void
check_average(struct sim *s, const struct mine *m, const struct order *o)
{
    const struct vorder *v = m->vorder == SIM_NONE ? NULL : &s->venue.order[m->vorder];
    const struct instrument *ins = route_instrument(&s->core.route, o->instrument, 0);
    __int128 there = 0;
    __int128 slack = 0;

    if (v == NULL || v->cum != m->cum)
        return;
    for (uint32_t i = v->first_trade; i != SIM_NONE; i = s->venue.trade[i].next) {
        there += (__int128)s->venue.trade[i].px * s->venue.trade[i].qty;
        slack += (__int128)check_finer(&s->venue.trade[i]) * s->venue.trade[i].qty;
    }
    __int128 here = o->cum_px_qty;
    for (unsigned i = ins->px_decimals + ins->qty_decimals; i < 16; i++)
        here *= 10;
    __int128 worse = v->side == SIDE_BUY ? here - there : there - here;
    if (worse < 0 || worse > slack)
        sim_fail(s, "order %s: its trades come to %.8f here and %.8f at the venue", m->clordid, (double)here / 1e16,
                 (double)there / 1e16);
}

/* Nothing is left to fill, and nothing is to come that says how it ended: of an order that was amended to less the
 * venue says so. */
static bool
stays_open(const struct order *o, const struct order_amend *a)
{
    return o->end_state == 0 && o->cum_qty >= o->qty && (o->marks & ORDER_MARK_AMENDING) == 0 &&
           (a == NULL || (a->key != 0 && a->key != o->key));
}

void
check_order(struct sim *s, struct mine *m)
{
    uint32_t slot = order_find(s->core.orders, m->clordid);

    if (slot == ORDER_NONE) {
        if (!m->ended)
            sim_fail(s, "order %s is forgotten", m->clordid);
        return;
    }
    const struct order *o = order_at(s->core.orders, slot);
    unsigned decimals = route_instrument(&s->core.route, o->instrument, 0)->qty_decimals;
    int64_t cum = check_scale(o->cum_qty, decimals);
    int64_t reserved = check_scale(o->reserved, decimals);
    int64_t filled = m->vorder == SIM_NONE ? 0 : s->venue.order[m->vorder].cum;

    bool late = m->ended && cum > m->cum;
    m->cum = cum;
    if (cum > filled)
        sim_fail(s, "order %s has %.8f filled here and %.8f at the venue", m->clordid, (double)cum / 1e8,
                 (double)filled / 1e8);
    if (worst(s, m) > cum + reserved && (order_live(o) || !m->belied))
        sim_fail(s, "order %s (%s, %s): filled %.8f and reserved %.8f here, but up to %.8f may be filled", m->clordid,
                 order_state_text((enum order_state)o->state), request_state_text((enum request_state)o->request),
                 (double)cum / 1e8, (double)reserved / 1e8, (double)worst(s, m) / 1e8);
    check_ceiling(s, m, o, cum, reserved);
    check_cost(s, m, o);
    if (m->parent_key != 0)
        account_parent(s, m);
    check_average(s, m, o);
    if (late && (o->marks & ORDER_MARK_LATE) == 0)
        sim_fail(s, "order %s traded after its end, and is not marked so", m->clordid);
    if (!order_live(o))
        check_over(s, m, o, cum);
    else if (stays_open(o, order_amend_at(s->core.orders, slot)))
        sim_fail(s, "order %s is filled and not over", m->clordid);
    else if (m->ended)
        sim_fail(s, "order %s was %s and is alive again", m->clordid, order_state_text((enum order_state)m->end_state));
}

/* ---- sums -------------------------------------------------------------------------------------------------------- */

/* Over a connection that has ended nothing is awaited any more: once the venue is reconciled over another one, what was
 * in flight is unknown or answered. */
static void
check_waits(struct sim *s, const struct order *o)
{
    uint32_t wire = s->core.wire[GATEWAY_CONN(0, CONN_ROLE_ORDER)];
    const struct mine *m = check_find(s, o->clordid);
    bool waits = !order_unknown(o) && o->request != REQUEST_NONE;

    if (waits && m != NULL && m->changed_wire != SIM_NONE && wire != SIM_NONE && m->changed_wire != wire &&
        risk_venue_of(s->core.risk, 0)->reconciled && risk_venue_of(s->core.risk, 0)->logged_on)
        sim_fail(s, "order %s (%s) waits for an answer over a connection that has ended", m->clordid,
                 request_state_text((enum request_state)o->request));
}

/* Other people's trades on the account may take a position past its limit; our orders alone never. */
static bool
past_limit(const struct sim *s, uint32_t instrument, const struct position *p, const struct resolved_limits *l,
           const int64_t others[2])
{
    qty_t long_by = position_worst(p, SIDE_BUY, 0) - l->long_max - others[SIDE_BUY];
    qty_t short_by = -l->short_max - position_worst(p, SIDE_SELL, 0) - others[SIDE_SELL];
    int64_t unit = SIM_VENUE_ONE / pow10_i64[s->core.route.table[instrument].qty_decimals];

    return (long_by > 0 && long_by * unit > account_slack(s, instrument, SIDE_BUY)) ||
           (short_by > 0 && short_by * unit > account_slack(s, instrument, SIDE_SELL));
}

/* Reservations and counts of risk are those of the order table, and the worst case is within its limit. */
void
check_sums(struct sim *s)
{
    struct core_rig *c = &s->core;
    int64_t reserved[SIM_SYMBOLS][2] = { { 0 } };
    uint32_t open[SIM_SYMBOLS] = { 0 };
    uint32_t unknown[SIM_SYMBOLS] = { 0 };
    int64_t others[SIM_SYMBOLS][2] = { { 0 } };
    uint32_t live = 0;
    int walk = order_walk_open(c->orders, CLIENT_NONE);

    if (walk < 0)
        sim_fail(s, "the order table has no walk left");
    for (uint32_t slot; (slot = order_walk_next(c->orders, walk)) != ORDER_NONE;) {
        const struct order *o = order_at(c->orders, slot);
        if (o->instrument >= SIM_SYMBOLS)
            sim_fail(s, "order %s of instrument %u", o->clordid, o->instrument);
        if (o->end_state == 0 && o->reserved < o->qty - o->cum_qty)
            sim_fail(s, "order %s is alive with %lld open and %lld reserved", o->clordid,
                     (long long)(o->qty - o->cum_qty), (long long)o->reserved);
        check_waits(s, o);
        reserved[o->instrument][o->side] += o->reserved;
        others[o->instrument][o->side] += o->client == CLIENT_ADOPTED ? o->reserved : 0;
        open[o->instrument]++;
        unknown[o->instrument] += order_unknown(o);
        live++;
    }
    for (uint32_t i = 0; i < c->route.count; i++) {
        const struct position *p = risk_position(c->risk, SIM_ACCOUNT, i);
        const struct resolved_limits *l = risk_resolved(c->risk, SIM_ACCOUNT, i);
        if (p == NULL)
            continue;
        if (p->reserved[SIDE_BUY] != reserved[i][SIDE_BUY] || p->reserved[SIDE_SELL] != reserved[i][SIDE_SELL])
            sim_fail(s, "instrument %u: reserved %lld and %lld, its orders add up to %lld and %lld", i,
                     (long long)p->reserved[SIDE_BUY], (long long)p->reserved[SIDE_SELL],
                     (long long)reserved[i][SIDE_BUY], (long long)reserved[i][SIDE_SELL]);
        if (p->open_count != open[i] || p->unknown_count != unknown[i])
            sim_fail(s, "instrument %u: %u open and %u unknown in risk, %u and %u in the table", i, p->open_count,
                     p->unknown_count, open[i], unknown[i]);
        if (l != NULL && l->instrument_version != 0 && past_limit(s, i, p, l, others[i]))
            sim_fail(s, "instrument %u: position %lld with %lld buys and %lld sells open is past its limit %lld", i,
                     (long long)p->qty, (long long)p->reserved[SIDE_BUY], (long long)p->reserved[SIDE_SELL],
                     (long long)l->long_max);
    }
    account_orders(s);
    const struct order_totals *t = order_totals(c->orders);
    if (t->live != live || risk_totals(c->risk)->open_total != live ||
        risk_totals(c->risk)->unknown_total != t->unknown)
        sim_fail(s, "%u live orders in the table's list, %u counted, %u in risk", live, t->live,
                 risk_totals(c->risk)->open_total);
}

void
check_turn(struct sim *s)
{
    struct oracle *o = &s->oracle;

    o->turns++;
    if (o->touched_count == 0)
        return;
    if (o->touched_count < ARRAY_LEN(o->touched))
        for (uint32_t i = 0; i < o->touched_count; i++)
            check_order(s, &o->mine[o->touched[i]]);
    else
        for (uint32_t i = 0; i < o->count; i++)
            check_order(s, &o->mine[i]);
    o->touched_count = 0;
    check_sums(s);
}
