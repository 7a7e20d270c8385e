/* Once the faults have stopped: what must come to rest, what the journal makes of it when it is replayed, and the last
 * comparison with the ledger. */
#include "tests/sim/sim.h"

bool
check_settled(const struct sim *s, char *why, size_t room)
{
    const struct core_rig *c = &s->core;

    if (!c->alive || s->t < c->paused_until) {
        (void)snprintf(why, room, "the core does not run");
        return false;
    }
    const struct risk_venue *v = risk_venue_of(c->risk, 0);
    const struct order_totals *t = order_totals(c->orders);
    if (!v->logged_on || !v->reconciled || !v->stream_in_step || !v->clock_known) {
        (void)snprintf(why, room, "order entry is not armed: logged on %d, stream %d, reconciled %d, clock %d",
                       v->logged_on, v->stream_in_step, v->reconciled, v->clock_known);
        return false;
    }
    for (uint32_t i = 0; i < s->venue.opens && t->live == 0; i++) {
        const struct vorder *o = &s->venue.order[s->venue.open[i]];
        if (!o->ours)
            continue;
        (void)snprintf(why, room, "order %s is open at the venue and over here", o->clordid);
        return false;
    }
    if (t->live == 0 && !foreign_settled(s, why, room))
        return false;
    if (t->live == 0 && t->unknown == 0)
        return account_same(s, why, room);
    int walk = order_walk_open(c->orders, CLIENT_NONE);
    uint32_t slot = order_walk_next(c->orders, walk);
    if (slot != ORDER_NONE) {
        const struct order *o = order_at(c->orders, slot);
        (void)snprintf(why, room, "%u orders are not over, the first is %s: %s, %s, %lld of %lld filled, %lld missing",
                       t->live, o->clordid, order_state_text((enum order_state)o->state),
                       request_state_text((enum request_state)o->request), (long long)o->cum_qty, (long long)o->qty,
                       (long long)order_missing_fill_qty(o));
        order_walk_close(c->orders, walk);
    }
    return false;
}

/* ---- replay ------------------------------------------------------------------------------------------------------ */

struct twin {
    struct order_table *orders;
    struct risk *risk;
    struct route route;
    struct sim *s;
};

static void
twin_delta(void *ctx, const struct order_delta *d)
{
    risk_apply(((struct twin *)ctx)->risk, d);
}

static void
twin_record(void *ctx, const struct journal_record *rec)
{
    struct twin *w = (struct twin *)ctx;
    struct now now = { { rec->mono_ns }, { rec->wall_ns } };
    struct fault fault;
    struct instrument ins;

    risk_replay(w->risk, rec);
    if (rec->type == JOURNAL_DEF_INSTRUMENT) {
        memcpy(&ins, rec->payload, sizeof(ins));
        if (!route_restore(&w->route, &ins) || !risk_set_instrument(w->risk, &w->route.table[ins.id], now, &fault))
            sim_fail(w->s, "journal: instrument %u cannot be restored", ins.id);
    }
}

static void
check_same(struct sim *s, const struct order *a, const struct order *b)
{
    bool same = a->client == b->client && a->key == b->key && a->qty == b->qty && a->px == b->px &&
                a->cum_qty == b->cum_qty && a->venue_cum_qty == b->venue_cum_qty && a->reserved == b->reserved &&
                a->state == b->state && a->request == b->request && a->end_state == b->end_state &&
                a->marks == b->marks && a->venue_order_id == b->venue_order_id && a->trade_count == b->trade_count &&
                a->cum_px_qty == b->cum_px_qty && a->instrument_version == b->instrument_version &&
                a->venue_deadline_ns == b->venue_deadline_ns && a->cancel_deadline_ns == b->cancel_deadline_ns;

    if (!same)
        sim_fail(s, "order %s is %s, %s, %lld filled, %lld reserved; its journal, replayed, gives %s, %s, %lld, %lld",
                 a->clordid, order_state_text((enum order_state)a->state),
                 request_state_text((enum request_state)a->request), (long long)a->cum_qty, (long long)a->reserved,
                 order_state_text((enum order_state)b->state), request_state_text((enum request_state)b->request),
                 (long long)b->cum_qty, (long long)b->reserved);
}

static void
check_same_amend(struct sim *s, const struct mine *m, const struct order_amend *a, const struct order_amend *b)
{
    bool same = a == NULL || b == NULL ? a == b
                                       : a->key == b->key && a->first_key == b->first_key && a->px == b->px &&
                                             a->qty == b->qty && a->venue_ns == b->venue_ns;

    if (!same)
        sim_fail(s, "order %s: its amend is another one in its journal, replayed", m->clordid);
}

static void
check_same_key(struct sim *s, struct order_key_result a, struct order_key_result b, const struct mine *m)
{
    if (a.kind != b.kind || a.deny != b.deny)
        sim_fail(s, "order %s: its key is answered otherwise by its journal, replayed", m->clordid);
}

static void
twin_make(struct sim *s, struct twin *w, struct arena *arena, const struct journal_segment *segment, uint32_t count)
{
    const struct risk_counts rc = { .accounts = 1, .instruments = 8 };
    const struct order_counts oc = {
        .live_max = SIM_LIVE, .done_kept = s->done_kept, .trades_kept = s->trades_kept, .keys_kept = s->keys_kept
    };
    const struct journal_replay_ops ops = { .ctx = w, .delta = twin_delta, .record = twin_record };
    struct journal_replayed got;
    struct fault fault = { "" };

    if (arena->base == NULL) {
        arena->size = (size_t)16 << 20;
        arena->base = (uint8_t *)aligned_alloc(4096, arena->size);
    }
    arena->used = 0;
    w->s = s;
    route_init(&w->route, 8, arena);
    w->risk = risk_init(&rc, arena);
    if (!risk_set_limits(w->risk, risk_limits_in_force(s->core.risk), host_clock(s), &fault))
        sim_fail(s, "limits: %s", fault.text);
    w->orders = order_table_init(&oc, "01", arena);
    if (!journal_replay(segment, count, NULL, w->orders, &ops, &got, &fault))
        sim_fail(s, "the journal cannot be replayed: %s", fault.text);
}

/* Tables and positions, whatever they were made of. */
static void
check_twins(struct sim *s, const struct order_table *ta, const struct risk *ra, const struct order_table *tb,
            const struct risk *rb)
{
    for (uint32_t i = 0; i < s->oracle.count; i++) {
        const struct mine *m = &s->oracle.mine[i];
        uint32_t a = order_find(ta, m->clordid);
        uint32_t b = order_find(tb, m->clordid);
        if ((a == ORDER_NONE) != (b == ORDER_NONE))
            sim_fail(s, "order %s is %sin the table and %sin its journal, replayed", m->clordid,
                     a == ORDER_NONE ? "not " : "", b == ORDER_NONE ? "not " : "");
        if (a == ORDER_NONE)
            continue;
        check_same(s, order_at(ta, a), order_at(tb, b));
        check_same_amend(s, m, order_amend_at(ta, a), order_amend_at(tb, b));
        check_same_key(s, order_key_check(ta, m->client, m->key), order_key_check(tb, m->client, m->key), m);
    }
    for (uint32_t i = 0; i < s->core.route.count; i++) {
        const struct position *a = risk_position(ra, SIM_ACCOUNT, i);
        const struct position *b = risk_position(rb, SIM_ACCOUNT, i);
        if (a == NULL || b == NULL)
            continue; /* not defined yet */
        if (a->qty != b->qty || a->reserved[0] != b->reserved[0] || a->reserved[1] != b->reserved[1] ||
            a->open_count != b->open_count || a->unknown_count != b->unknown_count)
            sim_fail(s, "instrument %u: position %lld; its journal, replayed, gives %lld", i, (long long)a->qty,
                     (long long)b->qty);
        if (order_trade_cursor(ta, i) != order_trade_cursor(tb, i) ||
            order_trade_cursor_ns(ta, i) != order_trade_cursor_ns(tb, i))
            sim_fail(s, "instrument %u: its trades are read up to %lld; its journal, replayed, gives %lld", i,
                     (long long)order_trade_cursor(ta, i), (long long)order_trade_cursor(tb, i));
    }
}

void
check_alike(struct sim *s, const struct journal_segment *a, uint32_t a_count, const struct journal_segment *b,
            uint32_t b_count)
{
    static struct arena arena[2];
    struct twin w[2];

    twin_make(s, &w[0], &arena[0], a, a_count);
    twin_make(s, &w[1], &arena[1], b, b_count);
    check_twins(s, w[0].orders, w[0].risk, w[1].orders, w[1].risk);
}

/* The journal, replayed into tables of its own, gives what the core has. */
void
check_replay(struct sim *s)
{
    static struct arena arena;
    const struct core_rig *c = &s->core;
    struct journal_segment segment[SIM_SEGMENTS];
    struct twin w;

    if (c->disk_full) /* what came after it is not in the journal */
        return;
    twin_make(s, &w, &arena, segment, core_disk(c, c->segments, segment));
    check_twins(s, c->orders, c->risk, w.orders, w.risk);
}

void
check_end(struct sim *s)
{
    struct oracle *o = &s->oracle;

    check_journal(s);
    for (uint32_t i = 0; i < o->count; i++) {
        struct mine *m = &o->mine[i];
        check_order(s, m);
        if (!m->ended)
            sim_fail(s, "order %s has no end", m->clordid);
        int64_t filled = m->vorder == SIM_NONE ? 0 : s->venue.order[m->vorder].cum;
        if (m->cum != filled && !m->belied) /* what its venue id was may never have been told: the position has it */
            sim_fail(s, "order %s ended with %.8f filled; the venue filled %.8f", m->clordid, (double)m->cum / 1e8,
                     (double)filled / 1e8);
    }
    check_sums(s);
    for (uint32_t i = 0; i < SIM_STRATEGIES; i++) {
        client_drain(s, i);
        const struct client *k = &s->client[i];
        for (uint64_t key = 1; key <= k->key; key++)
            if (k->asked[key].used && !k->asked[key].answered && !k->asked[key].gap)
                sim_fail(s, "client %u never had an answer to key %llu", k->client, (unsigned long long)key);
    }
    for (uint32_t i = 0; i < o->count; i++)
        check_told(s, &o->mine[i]);
    check_replay(s);
}
