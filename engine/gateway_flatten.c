/* Flatten: bring positions to zero by proven reductions, in one instrument or in all.
 *
 * Instrument by instrument: every order of ours in it is canceled; when none is left (or none has been for a while),
 * as much as the limits let pass of what can be reduced is sent as one immediate-or-cancel limit order at the bound of
 * the reduce collar; what is left after it is tried again, until there is nothing, orders change nothing any more or
 * the time is over. The order goes the way of every order: risk, journal, wire.
 *
 * Always true: it starts by a confirmed command only; every order of it is a proven reduction, or denied; kill switch
 * and HALTED stop it; "flat" is said only when nothing is left that an order could be made of, and none is open. */
#include "engine/gateway_state.h"

#define FLATTEN_ROUNDS    10u /* orders in a row that changed nothing */
#define FLATTEN_PAUSE_NS  (200 * NS_PER_MS)
#define FLATTEN_CANCEL_NS (5 * NS_PER_S) /* for cancels to be proven, before what is left is reduced all the same */
#define FLATTEN_MAX_NS    (60 * NS_PER_S)
#define PPM               1000000

bool
flatten_start(struct gateway *g, const struct command *asked, uint32_t client, struct now now)
{
    struct flatten *f = &g->flatten;

    if (f->on)
        return false;
    memset(f, 0, sizeof(*f));
    f->on = true;
    f->client = client;
    f->instrument = asked->instrument;
    f->until = mono_after(now.mono, FLATTEN_MAX_NS);
    return true;
}

static void
flatten_end(struct gateway *g, const char *text, struct now now)
{
    struct flatten *f = &g->flatten;
    struct journal_control c = { .kind = CONTROL_FLATTEN, .id = f->instrument, .client = f->client, .value = f->sent };

    (void)snprintf(c.text, sizeof(c.text), "%s", text);
    (void)gateway_journal(g, JOURNAL_CONTROL, &c, sizeof(c), now);
    log_write(g->p.log, LOG_FLATTEN, text, f->sent);
    f->on = false;
}

/* The furthest price that a reduction of this side may have, on the tick; 0 = no reference that is young enough. */
static px_t
reduction_px(const struct resolved_limits *l, const struct md_ref *md, enum side side, struct now now)
{
    if (md == NULL || md->good.recv_ns == 0 || now.mono.ns - md->good.recv_ns > l->good_age_max_ns || l->tick <= 0)
        return 0;
    px_t ref = side == SIDE_BUY ? md->good.ask_px : md->good.bid_px;
    int64_t ppm = side == SIDE_BUY ? PPM + (int64_t)l->reduce_collar_ppm : PPM - (int64_t)l->reduce_collar_ppm;
    __int128 bound = (__int128)ref * ppm;
    __int128 step = (__int128)l->tick * PPM;
    __int128 ticks = side == SIDE_BUY ? bound / step : (bound + step - 1) / step;
    px_t px = (px_t)(ticks * l->tick);
    return px < l->px_min || px > l->px_max ? 0 : px;
}

/* Everything of ours in the instrument is canceled, once; true when nothing is open there or time for it is over. */
static bool
cleared(struct gateway *g, const struct instrument *ins, const struct position *p, struct now now)
{
    struct flatten_leg *leg = &g->flatten.leg[ins->id];

    if (p->open_count == 0)
        return true;
    if (leg->cancel_until.ns == 0) {
        if (!order_sweep_start(g, CLIENT_NONE, ins->id, -1, 0))
            return false; /* every sweep is taken: at the next look */
        leg->cancel_until = mono_after(now.mono, FLATTEN_CANCEL_NS);
    }
    return now.mono.ns >= leg->cancel_until.ns;
}

/* The order that reduces by `qty`, or by as much of it as passes; false when nothing does now. */
static bool
reduce(struct gateway *g, const struct instrument *ins, enum side side, px_t px, qty_t qty, struct now now)
{
    struct flatten *f = &g->flatten;
    struct client_command c = { .slot = CLIENT_SESSION_MAX, .role = ROLE_OPERATOR }; /* nobody waits for the answer */
    struct risk_order o;
    struct risk_verdict binding;

    c.cmd = (struct command){
        .version = MESSAGE_VERSION,
        .verb = COMMAND_NEW,
        .flags = COMMAND_REDUCE_ONLY,
        .client = f->client,
        .target_client = f->client,
        .account = g->venue[ins->venue].cfg->account,
        .instrument = ins->id,
        .instrument_version = ins->version,
        .side = (uint8_t)side,
        .type = ORDER_LIMIT,
        .tif = (ins->tifs & 1u << TIF_IOC) != 0 ? TIF_IOC : TIF_GTC,
        .px = px,
    };
    order_risk_fill(g, &c.cmd, ins, &o);
    c.cmd.qty = MIN(qty, risk_whatif(g->p.risk, &o, order_md_ref(g, ins), now, &binding));
    if (c.cmd.qty <= 0)
        return false;
    f->key = MAX(f->key + 1, (uint64_t)now.wall.ns);
    c.cmd.key = f->key;
    f->sent++;
    order_place(g, &c, now);
    return true;
}

/* Too little for any order: below the venue's smallest quantity or value. */
static bool
is_dust(const struct resolved_limits *l, px_t px, qty_t qty)
{
    return qty < l->qty_min || qty < l->step || (px > 0 && limits_notional(l, px, qty) < l->notional_min);
}

/* One instrument: true when there is nothing more to do in it, with no order of ours open or its orders to no effect.
 */
static bool
leg_work(struct gateway *g, const struct instrument *ins, struct now now)
{
    struct flatten_leg *leg = &g->flatten.leg[ins->id];
    uint32_t account = g->venue[ins->venue].cfg->account;
    const struct position *p = risk_position(g->p.risk, account, ins->id);
    const struct resolved_limits *l = risk_resolved(g->p.risk, account, ins->id);
    qty_t held = p->qty < 0 ? -p->qty : p->qty;

    if (leg->rounds >= FLATTEN_ROUNDS || l->step <= 0) {
        g->flatten.left |= held != 0;
        return true;
    }
    if (!cleared(g, ins, p, now))
        return false;
    if (held == 0) /* what is open may still fill, and has to be reduced then */
        return p->open_count == 0;
    enum side side = p->qty > 0 ? SIDE_SELL : SIDE_BUY;
    qty_t qty = position_reducible(p, side, 0);
    px_t px = reduction_px(l, order_md_ref(g, ins), side, now);
    if (is_dust(l, px, held))
        return p->open_count == 0;
    if (held < leg->held)
        leg->rounds = 0;
    leg->held = held;
    if (qty > 0 && px > 0 && reduce(g, ins, side, px, qty - qty % l->step, now))
        leg->rounds++;
    return false;
}

void
flatten_work(struct gateway *g, struct now now)
{
    struct flatten *f = &g->flatten;
    bool done = true;

    if (now.mono.ns < f->next.ns)
        return;
    f->next = mono_after(now.mono, FLATTEN_PAUSE_NS);
    if (risk_kill(g->p.risk)->killed) {
        flatten_end(g, "given up: the kill switch is on", now);
        return;
    }
    f->left = false;
    for (uint32_t i = 0; i < g->p.route->count; i++) {
        const struct instrument *ins = route_instrument(g->p.route, i, 0);
        if (ins != NULL && (f->instrument == INSTRUMENT_NONE || f->instrument == i) && g->sent_count < SENT_MAX)
            done &= leg_work(g, ins, now);
    }
    if (done)
        flatten_end(g, f->left ? "given up: a position is left" : "flat", now);
    else if (now.mono.ns >= f->until.ns)
        flatten_end(g, "given up: it took too long", now);
}
