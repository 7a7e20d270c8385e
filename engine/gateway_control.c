/* Operator's side of the gateway: trading states, the two steps of what loosens anything, who did it.
 *
 * Always true: what tightens takes effect at once, what loosens is asked and confirmed, and both are in the journal
 * before they are answered. */
#include "engine/gateway_state.h"

/* ---- answers ---------------------------------------------------------------------------------------------------- */

void
control_done(struct gateway *g, const struct client_command *c, const char *text, struct now now)
{
    struct report r;

    report_from_command(&c->cmd, &r);
    r.kind = REPORT_DONE;
    r.seq = g->p.journal->seq;
    (void)snprintf(r.text, sizeof(r.text), "%s", text);
    answer_report(g, c->slot, &r, now);
}

static void
control_record(struct gateway *g, enum journal_control_kind kind, const struct command *cmd, const char *text,
               struct now now)
{
    struct journal_control c = {
        .kind = (uint16_t)kind,
        .level = cmd->level,
        .id = (uint32_t)cmd->target_key,
        .client = cmd->client,
        .value = cmd->verb,
    };

    (void)snprintf(c.text, sizeof(c.text), "%s", text);
    (void)gateway_journal(g, JOURNAL_CONTROL, &c, sizeof(c), now);
}

void
control_ask(struct gateway *g, const struct client_command *c, const char *what, struct now now)
{
    char token[TWO_STEP_TOKEN_BYTES];
    struct report r;

    two_step_ask(&g->two_step, c->slot, &c->cmd, gateway_random(g), now, token);
    control_record(g, CONTROL_ASKED, &c->cmd, what, now);
    report_from_command(&c->cmd, &r);
    r.kind = REPORT_CONFIRM;
    r.seq = g->p.journal->seq;
    r.qty = TWO_STEP_NS;
    memcpy(r.text, token, TWO_STEP_TOKEN_BYTES);
    answer_report(g, c->slot, &r, now);
}

void
control_stricter(struct gateway *g)
{
    two_step_void(&g->two_step, UINT64_C(1) << COMMAND_RESUME | UINT64_C(1) << COMMAND_STATE);
}

/* ---- trading states --------------------------------------------------------------------------------------------- */

void
control_show_state(struct gateway *g)
{
    const struct kill *k = risk_kill(g->p.risk);

    metric_set(g->p.metrics, METRIC_TRADING_STATE, 0,
               k->killed                       ? GATEWAY_KILLED
               : k->global == TRADING_HALTED   ? GATEWAY_HALTED
               : k->global == TRADING_REDUCING ? GATEWAY_REDUCING
               : g->ready                      ? GATEWAY_ACTIVE
                                               : GATEWAY_STARTING);
}

static void
state_text(const struct command *cmd, char *text, size_t room)
{
    const char *level = trading_level_text((enum trading_level)cmd->level);
    const char *state = trading_state_text((enum trading_state)cmd->state);

    if (cmd->level == LEVEL_GLOBAL)
        (void)snprintf(text, room, "%s %s", level, state);
    else
        (void)snprintf(text, room, "%s %u %s", level, (unsigned)cmd->target_key, state);
}

static void
state_set(struct gateway *g, const struct command *cmd, struct now now)
{
    struct journal_control c = {
        .kind = CONTROL_STATE,
        .level = cmd->level,
        .id = (uint32_t)cmd->target_key,
        .client = cmd->client,
        .value = cmd->state,
    };
    char text[64];

    if (cmd->state > kill_level_state(risk_kill(g->p.risk), (enum trading_level)cmd->level, (uint32_t)cmd->target_key))
        control_stricter(g);
    (void)kill_set_state(risk_kill(g->p.risk), (enum trading_level)cmd->level, (uint32_t)cmd->target_key,
                         (enum trading_state)cmd->state);
    if (cmd->state == TRADING_ACTIVE) /* a human's word: what latched there is released */
        (void)risk_untrip(g->p.risk, (enum trading_level)cmd->level, (uint32_t)cmd->target_key, now);
    state_text(cmd, text, sizeof(text));
    (void)gateway_journal(g, JOURNAL_CONTROL, &c, sizeof(c), now);
    log_write(g->p.log, LOG_TRADING_STATE, text);
    control_show_state(g);
}

void
control_set_state(struct gateway *g, enum trading_level level, uint32_t id, enum trading_state state, uint32_t client,
                  struct now now)
{
    struct command cmd = { .level = (uint8_t)level, .state = (uint8_t)state, .target_key = id, .client = client };
    state_set(g, &cmd, now);
}

/* Is there such an id at this level? */
static bool
state_id_known(const struct gateway *g, const struct command *cmd)
{
    switch ((enum trading_level)cmd->level) {
    case LEVEL_GLOBAL: return true;
    case LEVEL_ACCOUNT: return cmd->target_key < g->cfg.accounts;
    case LEVEL_INSTRUMENT: return cmd->target_key < g->p.route->count;
    case LEVEL_CLIENT: return cmd->target_key < CLIENT_MAX;
    case LEVEL_VENUE: return cmd->target_key < g->cfg.venue_count;
    case LEVEL_COUNT: break;
    }
    return false;
}

/* Something latched there: losses, a breaker, a strategy out of control. */
static bool
latched(const struct gateway *g, enum trading_level level, uint32_t id)
{
    return risk_tripped(g->p.risk, level, id) != 0;
}

static void
command_state(struct gateway *g, const struct client_command *c, struct now now)
{
    const struct command *cmd = &c->cmd;
    char text[64];

    if (!state_id_known(g, cmd)) {
        order_deny(g, c, DENY_NOT_POSSIBLE, now);
        return;
    }
    state_text(cmd, text, sizeof(text));
    if (cmd->state <
            kill_level_state(risk_kill(g->p.risk), (enum trading_level)cmd->level, (uint32_t)cmd->target_key) ||
        (cmd->state == TRADING_ACTIVE && latched(g, (enum trading_level)cmd->level, (uint32_t)cmd->target_key))) {
        control_ask(g, c, text, now);
        return;
    }
    state_set(g, cmd, now);
    control_done(g, c, text, now);
}

/* ---- the second step -------------------------------------------------------------------------------------------- */

/* Resuming ends the kill switch and every global restriction; levels below keep theirs. */
static void
resume(struct gateway *g, const struct command *cmd, struct now now)
{
    struct command active = { .level = LEVEL_GLOBAL, .state = TRADING_ACTIVE, .client = cmd->client };

    if (risk_kill(g->p.risk)->killed)
        kill_switch_off(g, cmd->client, now);
    if (risk_kill(g->p.risk)->global != TRADING_ACTIVE || latched(g, LEVEL_GLOBAL, 0))
        state_set(g, &active, now);
    control_show_state(g);
}

static void
command_confirm(struct gateway *g, const struct client_command *c, struct now now)
{
    struct command asked;

    if (!two_step_confirm(&g->two_step, c->cmd.text, now, &asked)) {
        order_deny(g, c, DENY_NOT_CONFIRMED, now);
        return;
    }
    control_record(g, CONTROL_CONFIRMED, &asked, "", now);
    switch ((enum command_verb)asked.verb) {
    case COMMAND_RESUME: resume(g, &asked, now); break;
    case COMMAND_STATE: state_set(g, &asked, now); break;
    case COMMAND_LIMITS_SET: limits_ask(g, c, &asked, true, now); return; /* which answers */
    case COMMAND_FLATTEN:
        if (!flatten_start(g, &asked, c->cmd.client, now)) {
            order_deny(g, c, DENY_NOT_POSSIBLE, now);
            return;
        }
        break;
    case COMMAND_RESOLVE: {
        enum deny_reason why = resolve_confirmed(g, &asked, c->cmd.state != 0, now);
        if (why != DENY_NONE) {
            order_deny(g, c, why, now);
            return;
        }
        break;
    }
    default: order_deny(g, c, DENY_NOT_POSSIBLE, now); return;
    }
    control_done(g, c, "confirmed", now);
}

static void
command_resume(struct gateway *g, const struct client_command *c, struct now now)
{
    const struct kill *k = risk_kill(g->p.risk);

    if (!k->killed && k->global == TRADING_ACTIVE && !latched(g, LEVEL_GLOBAL, 0))
        control_done(g, c, "nothing was halted", now);
    else
        control_ask(g, c, k->killed ? "resume: release the kill switch" : "resume: global active", now);
}

static void
command_flatten(struct gateway *g, const struct client_command *c, struct now now)
{
    const struct instrument *ins = route_instrument(g->p.route, c->cmd.instrument, 0);
    const struct kill *k = risk_kill(g->p.risk);
    char text[40] = "flatten everything";

    if (c->cmd.instrument != INSTRUMENT_NONE && ins == NULL) {
        order_deny(g, c, DENY_UNKNOWN_INSTRUMENT, now);
    } else if (k->killed || k->global == TRADING_HALTED) {
        order_deny(g, c, k->killed ? DENY_KILLED : DENY_HALTED, now);
    } else {
        if (ins != NULL)
            (void)snprintf(text, sizeof(text), "flatten %s", ins->symbol);
        control_ask(g, c, text, now);
    }
}

/* ---- every operator's command ----------------------------------------------------------------------------------- */

void
control_command(struct gateway *g, const struct client_command *c, struct now now)
{
    switch ((enum command_verb)c->cmd.verb) {
    case COMMAND_HALT:
        gateway_halt(g, c->cmd.text[0] != '\0' ? c->cmd.text : "operator", now);
        control_done(g, c, "", now);
        break;
    case COMMAND_RESUME: command_resume(g, c, now); break;
    case COMMAND_STATE: command_state(g, c, now); break;
    case COMMAND_FLATTEN: command_flatten(g, c, now); break;
    case COMMAND_CONFIRM: command_confirm(g, c, now); break;
    case COMMAND_RESOLVE: resolve_ask(g, c, now); break;
    case COMMAND_KILL_STATUS: kill_answer(g, c, now); break;
    case COMMAND_LIMITS_SET:
    case COMMAND_RELOAD: limits_ask(g, c, &c->cmd, false, now); break;
    case COMMAND_WHATIF: limits_whatif(g, c, now); break;
    default: order_deny(g, c, DENY_NOT_POSSIBLE, now); break;
    }
}
