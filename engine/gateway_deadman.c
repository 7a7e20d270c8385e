/* Dead-man, both ways: the venue's countdown that we keep from ending, and strategies that must show life.
 *
 * The countdown is the venue's: when we die, hang or lose the network, it cancels everything of the account by itself.
 * Where a venue has none, what works there survives us (docs/kill.md says which). A strategy that is connected and
 * silent is treated as its policy says, once per silence.
 *
 * Always true: the countdown is asked for again at a third of its time, only over a reconciled session; nothing here is
 * on an order's path but one store per command. */
#include "engine/gateway_state.h"

/* ---- our end of the venue's countdown ---------------------------------------------------------------------------- */

static void
deadman_ask(struct gateway_venue *v, struct now now)
{
    struct venue_request rq = { .kind = VENUE_RQ_DEADMAN, .countdown_ns = v->cfg->deadman_ns };

    if (v->deadman_none || now.mono.ns < v->deadman_next.ns || !v->reconciled || !venue_can_send(v, now) ||
        !venue_line_free(v, rq.kind, now))
        return;
    enum venue_ask asked = venue_ask(v, &rq, now);
    if (asked == VENUE_ASK_REFUSED) {
        v->deadman_none = true;
        log_write(v->g->p.log, LOG_WARNING, "deadman_ms: this venue has no countdown; its orders survive us");
        return;
    }
    if (asked >= VENUE_ASK_ANSWERED)
        v->deadman_next = mono_after(now.mono, v->cfg->deadman_ns / 3);
}

void
deadman_on_report(struct gateway_venue *v, const struct venue_report *r)
{
    bool was = v->deadman_until_ns != 0;

    v->deadman_until_ns = r->venue_time_ns;
    metric_set(v->g->p.metrics, METRIC_DEADMAN, v->id, r->venue_time_ns != 0);
    if (was != (r->venue_time_ns != 0))
        log_write(v->g->p.log, LOG_DEADMAN, was ? "off" : "on", v->id, v->cfg->deadman_ns / NS_PER_MS);
}

/* The venue has not confirmed for the whole of its time: by its own clock it has canceled everything. */
static void
deadman_look(struct gateway_venue *v, struct now now)
{
    if (v->deadman_until_ns == 0 || !v->clock_known || venue_now_ns(v, now) < v->deadman_until_ns)
        return;
    v->deadman_until_ns = 0;
    metric_set(v->g->p.metrics, METRIC_DEADMAN, v->id, 0);
    log_write(v->g->p.log, LOG_WARNING, "the venue's countdown has ended: it cancels everything of the account");
}

/* ---- strategies -------------------------------------------------------------------------------------------------- */

void
client_policy_run(struct gateway *g, uint32_t client, enum on_disconnect policy, const char *why, struct now now)
{
    char text[64];

    switch (policy) {
    case ON_DISCONNECT_CANCEL: g->gone |= UINT64_C(1) << client; break;
    case ON_DISCONNECT_REDUCE:
        g->gone |= UINT64_C(1) << client;
        if (kill_level_state(risk_kill(g->p.risk), LEVEL_CLIENT, client) < TRADING_REDUCING)
            control_set_state(g, LEVEL_CLIENT, client, TRADING_REDUCING, CLIENT_NONE, now);
        break;
    case ON_DISCONNECT_KILL:
        (void)snprintf(text, sizeof(text), "strategy %u %s", client, why);
        gateway_halt(g, text, now);
        break;
    default: break;
    }
}

static void
client_look(struct gateway *g, uint32_t client, struct now now)
{
    const struct gateway_client_config *cfg = &g->cfg.client[client];
    struct client_life *l = &g->life[client];

    if (l->heard.ns == 0)
        l->heard = now.mono; /* it has just connected */
    bool silent = mono_since(now.mono, l->heard) >= cfg->silence_ns;
    if (silent && !l->silent) {
        metric_add(g->p.metrics, METRIC_CLIENT_SILENT, client, 1);
        log_write(g->p.log, LOG_CLIENT_POLICY, "silent for longer than its heartbeat_ms: its on_silence is run",
                  client);
        client_policy_run(g, client, (enum on_disconnect)cfg->on_silence, "silent", now);
    }
    l->silent = silent;
}

void
deadman_second(struct gateway *g, struct now now)
{
    for (uint16_t i = 0; i < g->cfg.venue_count; i++) {
        deadman_look(&g->venue[i], now);
        if (g->venue[i].cfg->deadman_ns != 0)
            deadman_ask(&g->venue[i], now);
    }
    for (uint64_t m = client_port_attached(g->p.clients); m != 0; m &= m - 1) {
        const struct client_identity *id = client_port_identity(g->p.clients, (uint32_t)__builtin_ctzll(m));
        if (id->role == ROLE_STRATEGY && g->cfg.client[id->client].silence_ns != 0)
            client_look(g, id->client, now);
    }
}
