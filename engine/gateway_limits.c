/* Limits seen from outside: what holds and how much of it is used, what would pass, results, and changing them.
 *
 * Changing goes off the core and back: the first thread reads and validates, the core swaps the whole set between two
 * commands and journals it. What loosens needs a second step, which is judged against the limits of that moment.
 *
 * Always true: nothing here sends an order or spends a token; a session that ended meanwhile is not answered. */
#include "engine/gateway_state.h"
#include "risk/limits_change.h"

_Static_assert((int)GAUGE_COUNT == LIMIT_COUNT && (int)GAUGE_QTY == LIMIT_QTY && (int)GAUGE_VALUE == LIMIT_VALUE &&
                   (int)GAUGE_PPM == LIMIT_PPM && (int)GAUGE_NS == LIMIT_NS && (int)GAUGE_PX == LIMIT_PX,
               "units of risk are those of reports");

/* ---- changing ---------------------------------------------------------------------------------------------------- */

void
limits_ask(struct gateway *g, const struct client_command *c, const struct command *asked, bool confirmed,
           struct now now)
{
    const struct client_identity *id = client_port_identity(g->p.clients, c->slot);
    struct limits_ask ask = {
        .slot = c->slot,
        .generation = id->generation,
        .client = c->cmd.client,
        .reload = asked->verb == COMMAND_RELOAD,
        .confirmed = confirmed,
        .request_key = c->cmd.client_seq,
    };

    memcpy(ask.text, asked->text, sizeof(ask.text));
    if (g->p.port.limits_ask == NULL || !g->p.port.limits_ask(g->p.port.ctx, &ask))
        order_deny(g, c, DENY_CAPACITY, now);
}

/* A whole sentence to a session, in parts. */
static void
answer_notes(struct gateway *g, uint32_t slot, uint64_t request_key, const char *text, struct now now)
{
    struct report r = {
        .kind = REPORT_NOTE, .request_key = request_key, .trade_id = -1, .instrument = INSTRUMENT_NONE
    };
    size_t left = strlen(text);

    while (left > 0) {
        size_t n = MIN(left, sizeof(r.text) - 1);
        memset(r.text, 0, sizeof(r.text));
        memcpy(r.text, text, n);
        answer_report(g, slot, &r, now);
        text += n;
        left -= n;
    }
}

/* The command again, for what answers it; false when its session is not there any more. */
static bool
asker_of(const struct gateway *g, const struct limits_ask *a, struct client_command *c)
{
    const struct client_identity *id =
        a->slot < CLIENT_SESSION_MAX ? client_port_identity(g->p.clients, a->slot) : NULL;

    if (id == NULL || id->generation != a->generation)
        return false;
    *c = (struct client_command){ .slot = a->slot, .role = id->role };
    c->cmd = (struct command){
        .version = MESSAGE_VERSION,
        .verb = a->reload ? COMMAND_RELOAD : COMMAND_LIMITS_SET,
        .client = a->client,
        .client_seq = a->request_key,
        .instrument = INSTRUMENT_NONE,
    };
    memcpy(c->cmd.text, a->text, sizeof(a->text));
    return true;
}

static void
refuse(struct gateway *g, const struct client_command *c, const char *why, struct now now)
{
    answer_notes(g, c->slot, c->cmd.client_seq, why, now);
    order_deny(g, c, DENY_LIMITS, now);
}

/* ---- into the journal -------------------------------------------------------------------------------------------- */

#define LIMITS_PARTS_MAX 64u /* of a change's text: what is beyond is counted, and stands in the configuration */

struct limits_text {
    struct gateway *g;
    struct now now;
    bool whole; /* values, not changes */
    uint32_t left_out;
    struct journal_limits head;
    char text[JOURNAL_LIMITS_TEXT];
};

static void
text_out(struct limits_text *t)
{
    _Alignas(8) uint8_t payload[sizeof(struct journal_limits) + JOURNAL_LIMITS_TEXT];

    if (t->head.bytes == 0)
        return;
    memcpy(payload, &t->head, sizeof(t->head));
    size_t bytes = (sizeof(t->head) + t->head.bytes + 7) & ~(size_t)7;
    memset(payload + bytes - 8, 0, 8);
    memcpy(payload + sizeof(t->head), t->text, t->head.bytes);
    (void)gateway_journal(t->g, JOURNAL_LIMITS, payload, bytes, t->now);
    t->head.part++;
    t->head.bytes = 0;
}

static void
text_line(void *ctx, const char *path, int64_t before, int64_t after, enum limits_change change)
{
    struct limits_text *t = (struct limits_text *)ctx;
    char line[LIMITS_PATH_BYTES + 64];
    int n = t->whole ? snprintf(line, sizeof(line), "%s %lld; ", path, (long long)after)
                     : snprintf(line, sizeof(line), "%s %lld -> %lld%s; ", path, (long long)before, (long long)after,
                                change == LIMITS_LOOSER ? " looser" : "");

    if (t->head.part == LIMITS_PARTS_MAX) {
        t->left_out++;
        return;
    }
    if (t->head.bytes + (size_t)n > sizeof(t->text))
        text_out(t);
    memcpy(t->text + t->head.bytes, line, (size_t)n);
    t->head.bytes += (uint32_t)n;
}

void
limits_in_force(struct gateway *g, const struct risk_limits *before, uint32_t client, const char *text, struct now now)
{
    const struct risk_limits *l = risk_limits_in_force(g->p.risk);
    struct limits_text t = {
        .g = g, .now = now, .whole = before == NULL, .head = { .version = l->version, .client = client }
    };

    gateway_control(g, CONTROL_LIMITS, client, l->version, text, now);
    limits_differences(before, l, text_line, &t);
    text_out(&t);
    if (t.left_out > 0)
        log_write(g->p.log, LOG_WARNING, "limits: more has changed than the journal takes; the configuration has it");
    metric_set(g->p.metrics, METRIC_LIMITS_VERSION, 0, l->version);
}

/* What a human has set holds over the next start; a reload ends that. */
static void
set_record(struct gateway *g, const struct limits_ask *ask, uint32_t version, struct now now)
{
    struct journal_limit_set s = { .version = version, .client = ask->reload ? CLIENT_NONE : ask->client };

    if (!ask->reload)
        memcpy(s.text, ask->text, sizeof(s.text) - 1);
    (void)gateway_journal(g, JOURNAL_LIMIT_SET, &s, sizeof(s), now);
}

bool
gateway_on_limits_answer(struct gateway *g, const struct limits_answer *a, struct risk_limits *l, struct now now)
{
    struct client_command c;
    struct fault fault = { .text = "" };
    bool there = asker_of(g, &a->ask, &c);
    bool taken = false;

    if (a->kind == LIMITS_TAKE) {
        g->limits_before = *risk_limits_in_force(g->p.risk);
        l->version = g->limits_before.version + 1;
        taken = risk_set_limits(g->p.risk, l, now, &fault);
    }
    if (taken) {
        char text[44];
        two_step_void(&g->two_step, UINT64_C(1) << COMMAND_LIMITS_SET); /* asked of other limits than these */
        limits_in_force(g, &g->limits_before, there ? a->ask.client : CLIENT_NONE, a->ask.reload ? "reloaded" : "set",
                        now);
        set_record(g, &a->ask, l->version, now);
        if (a->text[0] != '\0')
            log_write(g->p.log, LOG_WARNING, a->text);
        log_write(g->p.log, LOG_LIMITS, a->ask.reload ? "reloaded" : a->ask.text, l->version);
        guard_fit(g, true);
        (void)snprintf(text, sizeof(text), "limits version %u in force", l->version);
        if (there && a->text[0] != '\0')
            answer_notes(g, c.slot, c.cmd.client_seq, a->text, now);
        if (there)
            control_done(g, &c, text, now);
    } else if (a->kind == LIMITS_CONFIRM && there) {
        control_ask(g, &c, a->ask.text, now);
    } else if (a->kind != LIMITS_CONFIRM) {
        const char *why = a->kind == LIMITS_TAKE ? fault.text : a->text;
        log_write(g->p.log, LOG_FAULT, why);
        if (there)
            refuse(g, &c, why, now);
    }
    return taken;
}

/* ---- what holds -------------------------------------------------------------------------------------------------- */

static const struct md_ref *
md_of(const struct gateway *g, const struct instrument *ins)
{
    return ins != NULL ? feed_md_ref(g->p.feed[ins->venue], ins->id) : NULL;
}

static void
gauge_report(struct gateway *g, uint32_t session, uint64_t request_key, const struct instrument *ins,
             const struct risk_gauge *u, struct now now)
{
    struct report r = {
        .kind = REPORT_LIMIT,
        .request_key = request_key,
        .client = u->level == LEVEL_CLIENT ? u->id : CLIENT_NONE,
        .account = u->level == LEVEL_ACCOUNT ? u->id : 0,
        .instrument = u->level == LEVEL_INSTRUMENT ? ins->id : INSTRUMENT_NONE,
        .instrument_version = ins->version,
        .venue = ins->venue,
        .type = u->unit,
        .tif = u->level,
        .deny = u->check,
        .qty = u->limit,
        .cum_qty = u->used,
        .leaves_qty = u->headroom,
        .trade_id = -1,
    };

    (void)snprintf(r.text, sizeof(r.text), "%s", u->name);
    answer_report(g, session, &r, now);
}

/* The limits of one instrument; those of the other levels with the first one only. */
static uint32_t
gauges_report(struct gateway *g, uint32_t session, uint64_t request_key, uint32_t client, const struct instrument *ins,
              bool all_levels, struct now now)
{
    struct risk_gauge gauge[RISK_GAUGES_MAX];
    uint32_t account = g->venue[ins->venue].cfg->account;
    uint32_t n = risk_gauges(g->p.risk, client, account, ins->id, md_of(g, ins), now, gauge);
    uint32_t told = 0;

    for (uint32_t i = 0; i < n; i++) {
        if (!all_levels && gauge[i].level != LEVEL_INSTRUMENT)
            continue;
        gauge_report(g, session, request_key, ins, &gauge[i], now);
        told++;
    }
    return told;
}

/* One instrument's part of a long answer. False at the end. */
static bool
answer_limits(struct gateway *g, uint32_t session, struct answer *a, struct now now)
{
    if (a->index >= g->p.route->count)
        return false;
    const struct instrument *ins = route_instrument(g->p.route, a->index++, 0);
    if (ins == NULL || (a->instrument != INSTRUMENT_NONE && a->instrument != ins->id))
        return true;
    a->count += gauges_report(g, session, a->request_key, a->client, ins, a->count == 0, now);
    return true;
}

static void
group_report(struct gateway *g, uint32_t session, struct answer *a, enum trading_level level, uint32_t id,
             struct now now)
{
    struct risk_group t;

    if (!risk_group(g->p.risk, level, id, &t))
        return;
    struct report r = {
        .kind = REPORT_PNL,
        .request_key = a->request_key,
        .client = level == LEVEL_CLIENT ? id : CLIENT_NONE,
        .account = level == LEVEL_ACCOUNT ? id : 0,
        .instrument = INSTRUMENT_NONE,
        .tif = (uint8_t)level,
        .qty = t.fees,
        .fee = t.day_result,
        .cum_qty = t.day_best,
        .leaves_qty = t.gross,
        .last_qty = t.day_value,
        .trade_id = -1,
    };
    answer_report(g, session, &r, now);
    a->count++;
}

/* One position's result; the groups' with the end. */
static bool
answer_pnl(struct gateway *g, uint32_t session, struct answer *a, struct now now)
{
    if (a->index >= g->p.route->count) {
        if (a->client == CLIENT_NONE)
            group_report(g, session, a, LEVEL_GLOBAL, 0, now);
        else
            group_report(g, session, a, LEVEL_CLIENT, a->client, now);
        return false;
    }
    const struct instrument *ins = route_instrument(g->p.route, a->index++, 0);
    struct risk_pnl p = { 0 };
    if (ins == NULL || (a->instrument != INSTRUMENT_NONE && a->instrument != ins->id))
        return true;
    uint32_t account = g->venue[ins->venue].cfg->account;
    risk_pnl(g->p.risk, a->client, account, ins->id, &p);
    if (p.qty == 0 && p.realised == 0)
        return true;
    struct report r = {
        .kind = REPORT_PNL,
        .request_key = a->request_key,
        .client = a->client,
        .account = account,
        .instrument = ins->id,
        .instrument_version = ins->version,
        .venue = ins->venue,
        .tif = LEVEL_INSTRUMENT,
        .qty = p.qty,
        .px = p.average_px,
        .last_px = p.mark_px,
        .fee = p.realised,
        .cum_qty = p.unrealised,
        .trade_id = -1,
    };
    answer_report(g, session, &r, now);
    a->count++;
    return true;
}

bool
limits_answer_next(struct gateway *g, uint32_t session, struct answer *a, struct now now)
{
    return a->verb == COMMAND_PNL ? answer_pnl(g, session, a, now) : answer_limits(g, session, a, now);
}

/* ---- what would pass --------------------------------------------------------------------------------------------- */

/* A market order reaches further into the book the larger it is: the largest whose worst price still passes. */
static qty_t
whatif_market(struct gateway *g, struct risk_order *o, struct now now, struct risk_verdict *binding)
{
    const struct resolved_limits *l =
        o->account < g->cfg.accounts ? risk_resolved(g->p.risk, o->account, o->instrument) : NULL;
    const struct md_ref *md = md_of(g, o->ins);
    struct risk_verdict probe;
    int64_t lo = 0;
    int64_t hi = l != NULL && l->step > 0 ? l->qty_max / l->step : 0;

    while (lo <= hi) { /* at the end hi is the largest count of steps that passes, lo the first that does not */
        int64_t mid = lo + (hi - lo) / 2;
        o->qty = MAX(mid, 1) * (l != NULL ? l->step : 1);
        o->sweep_qty = 0;
        o->sweep_px = 0;
        guard_sweep(g, o->ins, o);
        if (risk_whatif(g->p.risk, o, md, now, &probe) >= o->qty) {
            lo = MAX(mid, 1) + 1;
        } else {
            *binding = probe;
            hi = mid - 1;
        }
    }
    return l != NULL ? MAX(hi, 0) * l->step : 0;
}

void
limits_whatif(struct gateway *g, const struct client_command *c, struct now now)
{
    const struct command *cmd = &c->cmd;
    const struct instrument *ins = route_instrument(g->p.route, cmd->instrument, 0);
    struct command order = *cmd;
    struct risk_verdict binding = { .reason = DENY_NONE };
    struct risk_order o;
    struct report r;

    if (client_port_room(g->p.clients, c->slot) < RISK_GAUGES_MAX + 2) {
        order_deny(g, c, DENY_CAPACITY, now);
        return;
    }
    if (cmd->type == ORDER_MARKET && c->role != ROLE_OPERATOR) { /* it takes as long as many orders */
        order_deny(g, c, DENY_NOT_PERMITTED, now);
        return;
    }
    if (c->role == ROLE_OPERATOR && cmd->target_client < CLIENT_MAX)
        order.client = cmd->target_client;
    order.qty = 1;
    order_risk_fill(g, &order, ins, &o);
    if (ins != NULL)
        o.room = (uint8_t)order_room(g, ins, now);
    report_from_command(cmd, &r);
    r.kind = REPORT_WHATIF;
    r.qty = cmd->type == ORDER_MARKET && ins != NULL ? whatif_market(g, &o, now, &binding)
                                                     : risk_whatif(g->p.risk, &o, md_of(g, ins), now, &binding);
    r.deny = (uint8_t)binding.reason;
    r.last_qty = binding.value;
    r.last_px = binding.limit;
    answer_report(g, c->slot, &r, now);
    r = (struct report){ .kind = REPORT_END, .request_key = cmd->client_seq, .trade_id = -1 };
    if (ins != NULL)
        r.qty = gauges_report(g, c->slot, cmd->client_seq, order.client, ins, true, now);
    answer_report(g, c->slot, &r, now);
}
