/* What the gateway does for risk beyond asking it: how deep a market order would reach, our own orders out of a new
 * one's way, marks once a second, what latched into the journal, balances.
 *
 * Always true: every walk is bounded; what latched in risk is in the journal within the turn's work that follows; the
 * day's groups stand in the journal behind all the marks that they were made with. */
#include "engine/gateway_state.h"

#define SWEEP_LEVELS_MAX 64u /* what a market order may reach; deeper is not visible for it */
#define MARKS_PER_WORK   16u
_Static_assert(MARKS_PER_WORK <= JOURNAL_MARKS_MAX, "the marks of one turn are one record");
#define CROSSING_MAX      16u /* own orders canceled for one new order; more deny it */
#define CROSSING_WALK_MAX 65536u

/* ---- market orders ----------------------------------------------------------------------------------------------- */

void
guard_sweep(const struct gateway *g, const struct instrument *ins, struct risk_order *o)
{
    const struct book *b = feed_book(g->p.feed[ins->venue], ins->id);
    enum side other = o->side == SIDE_BUY ? SIDE_SELL : SIDE_BUY;

    if (b == NULL || o->qty <= 0)
        return;
    const struct level *l = book_touch(b, other);
    for (unsigned i = 0; i < SWEEP_LEVELS_MAX && l != NULL && o->sweep_qty < o->qty; i++) {
        o->sweep_qty += MIN(l->qty, o->qty - o->sweep_qty);
        o->sweep_px = l->px;
        l = book_worse(b, other, l);
    }
}

/* ---- our own orders in the way ----------------------------------------------------------------------------------- */

static bool
in_the_way(const struct order *o, uint32_t instrument, enum side side, px_t px)
{
    return o->instrument == instrument && o->side != side && o->end_state == 0 && o->rest_px > 0 &&
           risk_crosses(side, px, o->rest_px);
}

/* It is over, or its cancel is on the way on the connection that the new order takes, in front of it. Where its own
 * fate or that of an earlier cancel is not known, that proves nothing: the cancel is sent again all the same. */
static bool
cleared(struct gateway *g, uint32_t slot, struct now now)
{
    const struct order *o = order_at(g->p.orders, slot);
    bool unknown = order_unknown(o);

    if (order_live(o) && !cancel_under_way(o) && !order_cancel_now(g, slot, now))
        return false;
    return !order_live(o) || (!unknown && cancel_under_way(o));
}

bool
guard_clear_way(struct gateway *g, uint32_t instrument, enum side side, px_t px, struct now now)
{
    uint32_t found[CROSSING_MAX];
    uint32_t count = 0;
    int walk = order_walk_open(g->p.orders, CLIENT_NONE);
    uint32_t slot = ORDER_NONE;

    if (walk < 0)
        return false;
    for (uint32_t i = 0; i < CROSSING_WALK_MAX && (slot = order_walk_next(g->p.orders, walk)) != ORDER_NONE; i++) {
        if (!in_the_way(order_at(g->p.orders, slot), instrument, side, px))
            continue;
        if (count == CROSSING_MAX) {
            order_walk_close(g->p.orders, walk);
            return false;
        }
        found[count++] = slot;
    }
    if (slot != ORDER_NONE) {
        order_walk_close(g->p.orders, walk);
        return false;
    }
    bool clear = true;
    for (uint32_t i = 0; i < count; i++)
        clear &= cleared(g, found[i], now);
    return clear;
}

/* ---- instruments that no order can be sent in ---------------------------------------------------------------------
 */

struct fit {
    struct gateway *g;
    bool changed;
    uint32_t unfit;
};

static void
unfit(void *ctx, uint32_t instrument, const struct fault *why)
{
    struct fit *f = (struct fit *)ctx;
    const struct instrument *ins = route_instrument(f->g->p.route, instrument, 0);

    if (ins == NULL || ins->status != INSTRUMENT_TRADING)
        return;
    f->unfit++;
    if (f->changed || risk_resolved(f->g->p.risk, 0, instrument)->instrument_version != 0)
        log_write(f->g->p.log, LOG_FAULT, why->text);
}

void
guard_fit(struct gateway *g, bool changed)
{
    struct fit f = { .g = g, .changed = changed };

    for (uint16_t i = 0; i < g->cfg.venue_count; i++)
        if (!g->venue[i].defined)
            return;
    risk_untradable(g->p.risk, unfit, &f);
    metric_set(g->p.metrics, METRIC_RISK_UNTRADABLE, 0, f.unfit);
}

/* ---- balances ---------------------------------------------------------------------------------------------------- */

void
guard_balance(struct gateway_venue *v, const struct venue_report *r, uint16_t currency)
{
    risk_set_balance(v->g->p.risk, v->cfg->account, currency, r->last_qty, r->qty);
}

/* ---- what latched ------------------------------------------------------------------------------------------------ */

static void
trip_record(struct gateway *g, const struct risk_trip *t, struct now now)
{
    struct journal_control c = {
        .kind = CONTROL_TRIP, .level = t->level, .id = t->id, .client = CLIENT_NONE, .value = t->kind
    };

    (void)snprintf(c.text, sizeof(c.text), "%lld past %lld", (long long)t->value, (long long)t->limit);
    (void)gateway_journal(g, JOURNAL_CONTROL, &c, sizeof(c), now);
    log_write(g->p.log, LOG_WARNING, risk_trip_text((enum risk_trip_kind)t->kind));
    metric_add(g->p.metrics, METRIC_RISK_TRIPS, 0, 1);
}

/* ---- the day, into the journal: what docs/journal.md calls marks and day ----------------------------------------- */

/* Marks of this turn, and rates; payloads with room for all that one record takes. */
struct marks_record {
    struct journal_marks head;
    struct journal_mark mark[JOURNAL_MARKS_MAX];
};

struct day_groups {
    struct journal_day head;
    struct journal_day_group group[JOURNAL_DAY_MAX];
};

/* Never at the cost of what must be recorded: without room the round is broken off, and told again. */
static void
day_record(struct gateway *g, enum journal_type type, const void *payload, size_t bytes, struct now now)
{
    if (!g->day_telling)
        return;
    if (likely(!g->journal_down && !g->journal_full && journal_room_order(g->p.journal, bytes))) {
        (void)gateway_journal(g, type, payload, bytes, now);
        return;
    }
    g->day_telling = false;
    risk_day_untold(g->p.risk);
}

static void
marks_write(struct gateway *g, struct marks_record *m, struct now now)
{
    if (m->head.count == 0)
        return;
    m->head.bytes = sizeof(m->mark[0]);
    memcpy(m->head.reporting, risk_limits_in_force(g->p.risk)->reporting, CURRENCY_BYTES);
    day_record(g, JOURNAL_MARKS, m, sizeof(m->head) + m->head.count * sizeof(m->mark[0]), now);
    m->head.count = 0;
}

static void
rates_write(struct gateway *g, struct now now)
{
    struct marks_record m = { .head.count = 0 };

    for (uint32_t ccy = 0; ccy < CURRENCY_MAX; ccy++) {
        struct journal_mark x = { .id = ccy };
        if (!risk_rate_tell(g->p.risk, (uint16_t)ccy, &x.rate))
            continue;
        m.mark[m.head.count++] = x;
        if (m.head.count == JOURNAL_MARKS_MAX)
            marks_write(g, &m, now);
    }
    marks_write(g, &m, now);
}

static void
mark_tell(struct gateway *g, struct marks_record *m, uint32_t id)
{
    struct journal_mark x = { .id = id };

    if (g->day_telling && risk_mark_tell(g->p.risk, id, &x.version, &x.px, &x.rate))
        m->mark[m->head.count++] = x;
}

static void
groups_write(struct gateway *g, struct day_groups *r, struct now now)
{
    if (r->head.count == 0)
        return;
    r->head.bytes = sizeof(r->group[0]);
    memcpy(r->head.reporting, risk_limits_in_force(g->p.risk)->reporting, CURRENCY_BYTES);
    day_record(g, JOURNAL_DAY, r, sizeof(r->head) + r->head.count * sizeof(r->group[0]), now);
    r->head.count = 0;
}

static void
day_write(struct gateway *g, struct now now)
{
    static const struct {
        uint8_t level;
        uint8_t count;
    } all[] = {
        { LEVEL_GLOBAL, 1 }, { LEVEL_VENUE, VENUE_MAX }, { LEVEL_ACCOUNT, ACCOUNT_MAX }, { LEVEL_CLIENT, CLIENT_MAX }
    };
    struct day_groups r = { .head.count = 0 };

    for (unsigned i = 0; i < ARRAY_LEN(all); i++)
        for (uint32_t id = 0; id < all[i].count; id++) {
            struct risk_day d;
            if (!risk_day_tell(g->p.risk, (enum trading_level)all[i].level, id, &d))
                continue;
            r.group[r.head.count++] = (struct journal_day_group){ .level = all[i].level,
                                                                  .id = id,
                                                                  .result = d.result,
                                                                  .best = d.best,
                                                                  .value = d.value,
                                                                  .fees = d.fees,
                                                                  .messages = d.messages,
                                                                  .fills = d.fills,
                                                                  .executions = d.executions };
            if (r.head.count == JOURNAL_DAY_MAX)
                groups_write(g, &r, now);
        }
    groups_write(g, &r, now);
    if (g->day_telling)
        risk_day_told(g->p.risk, now);
    g->day_telling = false;
}

struct window_records {
    struct journal_windows head;
    struct journal_window window[JOURNAL_WINDOWS_MAX];
};

static void
windows_flush(struct gateway *g, struct window_records *all, struct now now)
{
    if (all->head.count > 0)
        (void)gateway_journal(g, JOURNAL_WINDOWS, all, sizeof(all->head) + all->head.count * sizeof(all->window[0]),
                              now);
    all->head.count = 0;
}

/* One window, when it is not as the journal knows it. */
static void
window_write(struct gateway *g, struct window_records *all, enum risk_window_kind kind, enum trading_level level,
             uint32_t id, struct now now)
{
    struct risk_window w;

    if (!risk_window_tell(g->p.risk, kind, level, id, now, &w))
        return;
    all->window[all->head.count++] = (struct journal_window){ .kind = w.kind,
                                                              .level = w.level,
                                                              .id = w.id,
                                                              .since_ns = w.since_ns,
                                                              .samples = w.samples,
                                                              .beyond = w.beyond,
                                                              .best = w.best,
                                                              .before = w.before };
    if (all->head.count == JOURNAL_WINDOWS_MAX)
        windows_flush(g, all, now);
}

#define WINDOWS_ALL (RISK_WINDOW_KINDS * (CLIENT_MAX + VENUE_MAX))

/* What breakers have counted, so that a restart does not begin anew. Never at the cost of what must be recorded:
 * without room it is told a second later. */
static void
windows_write(struct gateway *g, struct now now)
{
    struct window_records all = { .head = { .bytes = sizeof(struct journal_window) } };

    risk_windows_told(g->p.risk);
    if (g->journal_down || g->journal_full ||
        !journal_room_order(g->p.journal, WINDOWS_ALL * (sizeof(struct journal_window) + sizeof(all.head))))
        return;
    memcpy(all.head.reporting, risk_limits_in_force(g->p.risk)->reporting, CURRENCY_BYTES);
    for (unsigned k = 0; k < RISK_WINDOW_KINDS; k++) {
        for (uint32_t id = 0; id < CLIENT_MAX; id++)
            window_write(g, &all, (enum risk_window_kind)k, LEVEL_CLIENT, id, now);
        for (uint32_t id = 0; id < VENUE_MAX; id++)
            window_write(g, &all, (enum risk_window_kind)k, LEVEL_VENUE, id, now);
    }
    windows_flush(g, &all, now);
}

/* When the round of marks that has ended says so, another one is told. Once a second: no room now is none at once. */
static bool
day_begin(struct gateway *g, struct now now)
{
    if (g->day_tried || !risk_day_due(g->p.risk, now))
        return false;
    g->day_tried = g->day_telling = true;
    g->mark_next = 0;
    rates_write(g, now);
    return true;
}

static void
metrics_second(struct gateway *g)
{
    struct risk_group all;

    (void)risk_group(g->p.risk, LEVEL_GLOBAL, 0, &all);
    metric_set(g->p.metrics, METRIC_RISK_GROSS, 0, all.gross);
    metric_set(g->p.metrics, METRIC_RISK_NET, 0, MAX(all.net_long, -all.net_short));
    metric_set(g->p.metrics, METRIC_RISK_DAY_RESULT, 0, all.day_result);
    metric_set(g->p.metrics, METRIC_RISK_DAY_VALUE, 0, all.day_value);
    metric_set(g->p.metrics, METRIC_RISK_UNMARKED, 0, all.unmarked);
}

/* Every venue that tells the time says that this clock is far off: what it says is no new day, which would end losses
 * and latches. */
#define DAY_CLOCK_MAX_NS (60 * NS_PER_S)

static bool
wall_believed(const struct gateway *g, struct now now)
{
    bool belied = false;

    for (uint16_t i = 0; i < g->cfg.venue_count; i++) {
        int64_t offset = venue_offset_ns(&g->venue[i], now);
        if (!g->venue[i].clock_known)
            continue;
        if (offset <= DAY_CLOCK_MAX_NS && offset >= -DAY_CLOCK_MAX_NS)
            return true;
        belied = true;
    }
    return !belied;
}

void
guard_second(struct gateway *g, struct now now)
{
    if (wall_believed(g, now))
        g->day_wall = now.wall;
    risk_clock(g->p.risk, (struct now){ .mono = now.mono, .wall = g->day_wall });
    g->mark_next = 0;
    g->day_telling = g->day_tried = false;
    windows_write(g, now);
    metrics_second(g);
}

bool
guard_work(struct gateway *g, struct now now)
{
    struct risk_trip t;

    while (unlikely(risk_take_trip(g->p.risk, &t))) { /* as many as risk keeps at most */
        trip_record(g, &t, now);
        kill_on_trip(g, &t, now);
    }
    if (unlikely(risk_windows_due(g->p.risk)))
        windows_write(g, now);
    if (likely(g->mark_next >= g->p.route->count))
        return false;
    struct marks_record marks;
    marks.head.count = 0;
    for (unsigned i = 0; i < MARKS_PER_WORK && g->mark_next < g->p.route->count; i++) {
        uint32_t id = g->mark_next++;
        const struct instrument *ins = route_instrument(g->p.route, id, 0);
        if (ins == NULL)
            continue;
        risk_mark(g->p.risk, id, feed_md_ref(g->p.feed[ins->venue], id), now);
        mark_tell(g, &marks, id);
    }
    marks_write(g, &marks, now);
    if (g->mark_next < g->p.route->count)
        return true;
    if (g->day_telling)
        day_write(g, now);
    return day_begin(g, now);
}
