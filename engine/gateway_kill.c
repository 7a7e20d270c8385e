/* The kill switch: one flag that every new order meets first, latched in the journal; everything open is canceled. */
#include "engine/gateway_state.h"

static void
kill_record(struct gateway *g, enum journal_control_kind kind, uint32_t client, const char *who, struct now now)
{
    gateway_control(g, kind, client, 0, who, now);
    control_show_state(g);
}

void
gateway_halt(struct gateway *g, const char *who, struct now now)
{
    struct kill *k = risk_kill(g->p.risk);
    char text[64];

    g->sweep_all = true;
    if (k->killed)
        return;
    kill_trip(k);
    kill_record(g, CONTROL_KILL, CLIENT_NONE, who, now);
    (void)snprintf(text, sizeof(text), "KILLED (%s): no new orders, everything is canceled", who);
    log_write(g->p.log, LOG_TRADING_STATE, text);
}

void
kill_switch_off(struct gateway *g, uint32_t client, struct now now)
{
    kill_release(risk_kill(g->p.risk));
    kill_record(g, CONTROL_RELEASE, client, "operator", now);
    log_write(g->p.log, LOG_TRADING_STATE, "the kill switch is released");
}
