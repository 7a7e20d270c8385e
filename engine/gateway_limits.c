/* Limits seen from outside: what holds and how much of it is used, what would pass, results, and changing them.
 *
 * Changing goes off the core and back: the first thread reads and validates, the core swaps the whole set between two
 * commands and journals it. What loosens needs a second step, which is judged against the limits of that moment.
 *
 * Always true: nothing here sends an order or spends a token; a session that ended meanwhile is not answered. */
#include "engine/gateway_state.h"

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

bool
gateway_on_limits_answer(struct gateway *g, const struct limits_answer *a, struct risk_limits *l, struct now now)
{
    struct client_command c;
    struct fault fault = { .text = "" };
    bool there = asker_of(g, &a->ask, &c);
    bool taken = false;

    if (a->kind == LIMITS_TAKE) {
        l->version = risk_limits_in_force(g->p.risk)->version + 1;
        taken = risk_set_limits(g->p.risk, l, now, &fault);
    }
    if (taken) {
        char text[44];
        gateway_on_limits(g, now);
        log_write(g->p.log, LOG_LIMITS, a->ask.reload ? "reloaded" : a->ask.text, l->version);
        (void)snprintf(text, sizeof(text), "limits version %u in force", l->version);
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

/* ---- what would pass --------------------------------------------------------------------------------------------- */

void
limits_whatif(struct gateway *g, const struct client_command *c, struct now now)
{
    const struct command *cmd = &c->cmd;
    const struct instrument *ins = route_instrument(g->p.route, cmd->instrument, 0);
    struct command order = *cmd;
    struct risk_verdict binding = { .reason = DENY_NONE };
    struct risk_order o;
    struct report r;

    if (client_port_room(g->p.clients, c->slot) < 2) {
        order_deny(g, c, DENY_CAPACITY, now);
        return;
    }
    if (c->role == ROLE_OPERATOR && cmd->target_client < CLIENT_MAX)
        order.client = cmd->target_client;
    order.qty = 1;
    order_risk_fill(&order, ins, &o);
    report_from_command(cmd, &r);
    r.kind = REPORT_WHATIF;
    r.qty = risk_whatif(g->p.risk, &o, ins != NULL ? feed_md_ref(g->p.feed[ins->venue], ins->id) : NULL, now, &binding);
    r.deny = (uint8_t)binding.reason;
    r.last_qty = binding.value;
    r.last_px = binding.limit;
    answer_report(g, c->slot, &r, now);
    r = (struct report){ .kind = REPORT_END, .request_key = cmd->client_seq, .trade_id = -1 };
    answer_report(g, c->slot, &r, now);
}
