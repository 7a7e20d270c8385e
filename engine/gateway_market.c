/* Market data side of the gateway: reference data, subscriptions, messages to books, what a scrape shows of them. */
#include "engine/gateway_state.h"

/* ---- instruments ------------------------------------------------------------------------------------------------- */

void
market_fetch_instruments(struct gateway_venue *v, struct now now)
{
    struct gateway *g = v->g;
    int64_t again = v->defined ? v->cfg->refresh_ns : FETCH_RETRY_NS;

    if (now.mono.ns < v->blocked_until.ns) { /* a ban is of the address: it ends first */
        g->p.port.timer_arm(g->p.port.ctx, GATEWAY_TIMER_REFRESH(v->id), v->blocked_until);
        return;
    }
    if (!v->fetching && !g->stopping)
        v->fetching = g->p.port.fetch_instruments(g->p.port.ctx, v->id);
    g->p.port.timer_arm(g->p.port.ctx, GATEWAY_TIMER_REFRESH(v->id), mono_after(now.mono, again));
}

static bool
journal_currencies(struct gateway *g, uint16_t known, struct now now)
{
    for (uint16_t i = known; i < g->p.route->currency_count; i++) {
        struct journal_name n = { .id = i };
        _Static_assert(sizeof(n.name) >= CURRENCY_BYTES, "holds a currency");
        memcpy(n.name, g->p.route->currency[i], CURRENCY_BYTES);
        if (gateway_journal(g, JOURNAL_DEF_CURRENCY, &n, sizeof(n), now) == 0)
            return false;
    }
    return true;
}

/* In the journal before anything uses it; what cannot be used is closed, and said. */
void
gateway_on_definition(struct gateway *g, const struct instrument *def, struct now now)
{
    struct fault fault;
    uint32_t id = INSTRUMENT_NONE;
    uint16_t known = g->p.route->currency_count;
    struct gateway_venue *v = &g->venue[def->venue];

    ASSERT(def->venue < g->cfg.venue_count);
    enum route_change change = route_define(g->p.route, def, &id);
    if (change == ROUTE_FULL || change == ROUTE_INVALID) {
        (void)snprintf(fault.text, sizeof(fault.text), "instrument %.23s: %s", def->symbol,
                       change == ROUTE_FULL ? "no room, raise memory.instruments_max" : "its rules make no sense");
        log_write(g->p.log, LOG_FAULT, fault.text);
        return;
    }
    struct instrument *ins = &g->p.route->table[id];
    bool first = !v->defined;
    if (g->pair[id].count.limit == 0)
        budget_counter_init(&g->pair[id].count, v->cfg->order_count_max, v->cfg->order_count_ns,
                            v->cfg->cancel_reserve_percent);
    if (change == ROUTE_SAME && !first)
        return;
    if (change != ROUTE_SAME &&
        (!journal_currencies(g, known, now) || gateway_journal(g, JOURNAL_DEF_INSTRUMENT, ins, sizeof(*ins), now) == 0))
        ins->status = INSTRUMENT_CLOSED;
    order_table_define(g->p.orders, ins);
    if (!risk_set_instrument(g->p.risk, ins, now, &fault)) /* risk denies orders in it; other limits may mend that */
        log_write(g->p.log, LOG_FAULT, fault.text);
    v->cfg->ops->on_instrument(v->cfg->adapter, ins);
    if ((first || change != ROUTE_RULES) && !feed_add_instrument(g->p.feed[v->id], ins, now, &v->out)) {
        ins->status = INSTRUMENT_CLOSED;
        (void)snprintf(fault.text, sizeof(fault.text), "instrument %.23s: no book for it", ins->symbol);
        log_write(g->p.log, LOG_FAULT, fault.text);
    }
    md_publish_instrument(g->p.md, ins);
    metric_name_instrument(g->p.metrics, id, ins->symbol, ins->qty_decimals);
    log_write(g->p.log, LOG_INSTRUMENT, ins->symbol, id, ins->version, ins->status == INSTRUMENT_TRADING);
}

void
gateway_on_definitions_end(struct gateway *g, uint16_t venue, bool ok, struct now now)
{
    struct gateway_venue *v = &g->venue[venue];

    v->fetching = false;
    if (!ok)
        return; /* the refresh timer tries again; what is known stays */
    if (!v->defined) {
        v->defined = true;
        uint32_t mine = 0;
        for (uint32_t i = 0; i < g->p.route->count; i++)
            mine += g->p.route->table[i].venue == venue;
        metric_add(g->p.metrics, METRIC_BOOKS_CONFIGURED, 0, mine);
        legs_start(v, now);
        session_run(v, ROLE_ORDER, session_start(&v->session[ROLE_ORDER], now), now);
    } else {
        legs_start(v, now); /* new instruments may sit on a connection of their own */
    }
    guard_fit(g, false);
    g->p.port.timer_arm(g->p.port.ctx, GATEWAY_TIMER_REFRESH(venue), mono_after(now.mono, v->cfg->refresh_ns));
}

/* ---- session ----------------------------------------------------------------------------------------------------- */

void
market_on_ready(struct gateway_venue *v, unsigned role, struct now now)
{
    feed_link_up(v->g->p.feed[v->id], link_of_role(role), now, &v->out);
    market_subscribe(v, role, now);
    market_timer(v, now);
}

void
market_on_down(struct gateway_venue *v, unsigned role, struct now now)
{
    v->now = now;
    feed_link_down(v->g->p.feed[v->id], link_of_role(role), now, &v->out);
}

/* As many requests as the venue takes now, one place left for a pong; the rest later. */
void
market_subscribe(struct gateway_venue *v, unsigned role, struct now now)
{
    struct gateway *g = v->g;
    struct feed *f = g->p.feed[v->id];
    uint32_t link = link_of_role(role);

    v->now = now;
    for (unsigned i = 0; i < PACE_MESSAGES && v->session[role].state == SESSION_READY; i++) {
        if (!feed_link_due(f, link, now))
            return;
        mono_ns_t at = pace_at(&v->pace[role], 1, now.mono);
        if (at.ns > now.mono.ns) {
            g->p.port.timer_arm(g->p.port.ctx, GATEWAY_TIMER_PACE(conn_of(v, role)), at);
            return;
        }
        size_t n = feed_link_request(f, link, now, &v->out, (char *)g->scratch + WS_HEADER_ROOM, GATEWAY_SEND_MAX);
        if (n == 0)
            return;
        if (!gateway_send(v, role, WS_OP_TEXT, n)) {
            session_broken(v, role, "no room to send a subscription", now);
            return;
        }
        pace_sent(&v->pace[role], now.mono);
    }
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

/* Hot. */
void
market_on_message(struct gateway_venue *v, unsigned role, const struct ws_message *m, struct now now)
{
    v->now = now;
    enum feed_result r = feed_link_message(v->g->p.feed[v->id], link_of_role(role), m->data, m->len, now, &v->out);
    if (likely(r == FEED_OK))
        return;
    int32_t code = 0;
    switch (r) {
    case FEED_BAD_MESSAGE: log_write(v->g->p.log, LOG_DECODE_FAILED, "market data", v->id, r); break;
    case FEED_REFUSED: log_write(v->g->p.log, LOG_WARNING, feed_refusal(v->g->p.feed[v->id], &code)); break;
    case FEED_STATUS:
        if (!feed_online(v->g->p.feed[v->id]))
            log_write(v->g->p.log, LOG_VENUE_STATUS, feed_refusal(v->g->p.feed[v->id], &code), v->id);
        break;
    case FEED_SHUTDOWN: legs_replace(v, role, "the venue announced the end of this market-data connection", now); break;
    case FEED_SUBSCRIBED:
    case FEED_OK: break;
    }
}

/* A book entered a state that has a count of its own. */
static COLD void
count_state(struct metric_page *m, const struct md_event *ev)
{
    static const struct {
        uint8_t state;
        uint16_t metric;
    } counted[] = {
        { BOOK_LIVE, METRIC_FEED_RESYNCS },     { BOOK_GAP, METRIC_FEED_GAPS },
        { BOOK_CROSSED, METRIC_BOOK_CROSSED },  { BOOK_LOCKED, METRIC_BOOK_LOCKED },
        { BOOK_SILENT, METRIC_BOOK_SILENT },    { BOOK_SHALLOW, METRIC_BOOK_SHALLOW },
        { BOOK_OVERFLOW, METRIC_BOOK_SHALLOW }, { BOOK_CHECKSUM, METRIC_BOOK_CHECKSUMS },
    };

    for (unsigned i = 0; i < ARRAY_LEN(counted); i++)
        if (counted[i].state == ev->state)
            metric_add(m, (enum metric)counted[i].metric, ev->instrument, 1);
}

/* Every published event: the paper matcher and the log look at some. Hot. */
void
market_event(void *ctx, const struct md_event *ev)
{
    struct gateway_venue *v = (struct gateway_venue *)ctx;
    const struct venue_ops *ops = v->cfg->ops;

    if (ops->on_market != NULL && (ev->kind == MD_TOP || ev->kind == MD_TRADE) && ev->state == BOOK_LIVE)
        ops->on_market(v->cfg->adapter, ev, v->now, &v->sink);
    if (unlikely(ev->kind == MD_STATE)) {
        static const char *const text[] = {
#define X(name, label, sentence) sentence,
            BOOK_STATES(X)
#undef X
        };
        const struct instrument *ins = route_instrument(v->g->p.route, ev->instrument, 0);
        if (ev->state == BOOK_LIVE)
            log_write(v->g->p.log, LOG_BOOK_LIVE, ins != NULL ? ins->symbol : "?", ev->instrument, ev->venue_seq);
        else
            log_write(v->g->p.log, LOG_BOOK_STATE, text[ev->state], ev->instrument, ev->venue_seq);
        metric_set(v->g->p.metrics, METRIC_BOOK_STATE, ev->instrument, ev->state);
        count_state(v->g->p.metrics, ev);
    }
}

void
gateway_on_snapshot(struct gateway *g, uint16_t venue, const struct snapshot_slice *s, struct now now)
{
    struct gateway_venue *v = &g->venue[venue];

    v->now = now;
    if (s->failed)
        log_write(g->p.log, LOG_SNAPSHOT_FAILED, "see the reference-data log", s->instrument);
    feed_on_snapshot_slice(g->p.feed[venue], s, now, &v->out);
    market_after(v, now);
}

static void
market_fetch(struct gateway_venue *v, struct now now)
{
    struct gateway *g = v->g;
    uint32_t id;

    if (feed_snapshot_wanted(g->p.feed[v->id], now, &id)) {
        const struct instrument *ins = route_instrument(g->p.route, id, 0);
        bool quiet = now.mono.ns < v->blocked_until.ns; /* a ban is of the address: nothing may be asked anywhere */
        if (ins == NULL || quiet || !g->p.port.fetch_snapshot(g->p.port.ctx, ins, v->cfg->snapshot_levels)) {
            struct snapshot_slice failed = { .instrument = id, .is_first = true, .is_last = true, .failed = true };
            feed_on_snapshot_slice(g->p.feed[v->id], &failed, now, &v->out);
        }
    }
}

/* After anything that may have made a book want a snapshot, or another subscription. */
void
market_after(struct gateway_venue *v, struct now now)
{
    v->now = now;
    for (uint32_t i = 0; i < v->links; i++)
        market_subscribe(v, role_of_link(i), now);
    market_fetch(v, now);
}

/* The same when it was this connection's bytes. */
void
market_after_bytes(struct gateway_venue *v, unsigned role, struct now now)
{
    v->now = now;
    market_subscribe(v, role, now);
    market_fetch(v, now);
}

/* Who was first with what both copies brought. */
void
market_lead(void *ctx, unsigned copy, int64_t lead_ns)
{
    struct gateway_venue *v = (struct gateway_venue *)ctx;

    metric_observe_ns(v->g->p.metrics, METRIC_FEED_LEAD, metric_pair(METRIC_FEED_LEAD, v->id, copy), lead_ns);
}

/* Time-outs of books: a fetch without an answer, a depth stream that fell silent. */
void
market_timer(struct gateway_venue *v, struct now now)
{
    struct gateway *g = v->g;

    v->now = now;
    mono_ns_t next = feed_on_timer(g->p.feed[v->id], now, &v->out);
    mono_ns_t soon = mono_after(now.mono, FEED_TIMER_NS);
    market_after(v, now);
    bool up = false;
    for (uint32_t i = 0; i < v->links; i++) {
        bool ready = v->session[role_of_link(i)].state == SESSION_READY;
        up |= ready;
        if (unlikely(feed_link_stuck(g->p.feed[v->id], i)) && ready)
            legs_replace(v, role_of_link(i),
                         "a market-data channel stays silent, or nothing is answered: the connection is replaced", now);
    }
    g->p.port.timer_arm(g->p.port.ctx, GATEWAY_TIMER_FEED(v->id), up && soon.ns < next.ns ? soon : next);
}

/* ---- once a second ----------------------------------------------------------------------------------------------- */

void
market_second(struct gateway_venue *v, struct now now)
{
    struct gateway *g = v->g;
    struct metric_page *m = g->p.metrics;
    const struct feed_counters *c = feed_counters(g->p.feed[v->id]);
    int64_t before = metric_get(m, METRIC_FEED_BYTES, v->id);

    metric_set(m, METRIC_FEED_MESSAGES, metric_pair(METRIC_FEED_MESSAGES, v->id, MD_CHANNEL_DEPTH), (int64_t)c->depth);
    metric_set(m, METRIC_FEED_MESSAGES, metric_pair(METRIC_FEED_MESSAGES, v->id, MD_CHANNEL_TOP), (int64_t)c->ticker);
    metric_set(m, METRIC_FEED_MESSAGES, metric_pair(METRIC_FEED_MESSAGES, v->id, MD_CHANNEL_TRADE), (int64_t)c->trade);
    metric_set(m, METRIC_FEED_MESSAGES, metric_pair(METRIC_FEED_MESSAGES, v->id, MD_CHANNEL_OTHER), (int64_t)c->other);
    metric_set(m, METRIC_FEED_BYTES, v->id, (int64_t)c->bytes);
    if ((int64_t)c->bytes != before)
        metric_set(m, METRIC_FEED_LAST_MESSAGE, v->id, now.wall.ns);
    for (unsigned r = 0; r < DECODE_RESULT_COUNT; r++)
        metric_set(m, METRIC_FEED_DECODED, metric_pair(METRIC_FEED_DECODED, v->id, r),
                   (int64_t)(c->decode[r] + v->order_decoded[r]));
    metric_set(m, METRIC_FEED_FILLED, v->id, (int64_t)c->filled);
    metric_set(m, METRIC_FEED_SILENT, v->id, (int64_t)c->silent);
    metric_set(m, METRIC_FEED_TICKER_SILENT, v->id, (int64_t)c->ticker_silent);
    metric_set(m, METRIC_VENUE_ONLINE, v->id, feed_online(g->p.feed[v->id]));
    metric_set(m, METRIC_BOOKS_UNCHECKED, v->id, feed_unchecked(g->p.feed[v->id]));
    metric_set(m, METRIC_FEED_REFUSED, v->id, (int64_t)(c->refused + c->unanswered));
    metric_set(m, METRIC_FEED_SNAPSHOT_FAILURES, v->id, (int64_t)c->snapshot_failures);
    metric_set(m, METRIC_BOOK_COMPARED, metric_pair(METRIC_BOOK_COMPARED, v->id, MD_COMPARED_EQUAL),
               (int64_t)c->compare_equal);
    metric_set(m, METRIC_BOOK_COMPARED, metric_pair(METRIC_BOOK_COMPARED, v->id, MD_COMPARED_UNEQUAL),
               (int64_t)c->compare_unequal);
    metric_set(m, METRIC_MD_PUBLISHED, 0, (int64_t)g->p.md->tail);
    for (uint32_t i = 0; i < g->p.route->count; i++) {
        if (g->p.route->table[i].venue != v->id)
            continue;
        enum book_state s = feed_state(g->p.feed[v->id], i);
        metric_set(m, METRIC_BOOK_STATE, i, s);
        g->books_live += s == BOOK_LIVE;
    }
}
