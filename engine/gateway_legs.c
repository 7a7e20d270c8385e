/* Market-data connections of a venue: which there are, when one moves to another, what may be opened and sent.
 *
 * The instruments are spread over groups, a group may be carried twice: each (group, copy) is a leg. A leg has one
 * connection, and a second one to move to: when the venue announces its end, or when it is as old as it may get, the
 * second is opened, subscribed, and has taken every book over before the first is closed. Without a second one (no room
 * configured) an announced end is a reconnect.
 *
 * Always true: one planned move at a time per venue; no more connections are opened within the venue's window than it
 * takes, a quarter of them kept for what broke; no more messages a second leave over one than it takes. */
#include "engine/gateway_state.h"

#define MOVE_LOOK_NS (250 * NS_PER_MS) /* while a move is under way */
#define MOVE_MAX_NS  (60 * NS_PER_S)   /* then the new connection starts again; the old one goes on */

static uint32_t
venue_links(const struct gateway_venue_config *v)
{
    return v->links != 0 ? v->links : 1;
}

uint32_t
gateway_conns(const struct gateway_config *cfg)
{
    uint32_t n = GATEWAY_CONNS_FIRST;

    for (uint16_t i = 0; i < cfg->venue_count; i++)
        n += venue_links(&cfg->venue[i]) - 1;
    return n;
}

uint32_t
gateway_market_conn(const struct gateway_config *cfg, uint16_t venue, uint32_t link)
{
    uint32_t n = GATEWAY_CONNS_FIRST;

    if (link == 0)
        return GATEWAY_CONN(venue, CONN_ROLE_MARKET);
    for (uint16_t i = 0; i < venue; i++)
        n += venue_links(&cfg->venue[i]) - 1;
    return n + link - 1;
}

bool
gateway_conn_find(const struct gateway_config *cfg, uint32_t conn, uint16_t *venue, uint32_t *link)
{
    uint32_t first = GATEWAY_CONNS_FIRST;

    if (conn < GATEWAY_CONNS_FIRST) {
        *venue = (uint16_t)(conn / 2);
        *link = conn % 2 == CONN_ROLE_MARKET ? 0 : GATEWAY_NO_LINK;
        return *venue < cfg->venue_count;
    }
    for (uint16_t i = 0; i < cfg->venue_count; i++) {
        uint32_t more = venue_links(&cfg->venue[i]) - 1;
        if (conn < first + more) {
            *venue = i;
            *link = conn - first + 1;
            return true;
        }
        first += more;
    }
    return false;
}

void
legs_init(struct gateway_venue *v)
{
    struct gateway *g = v->g;
    uint32_t links = venue_links(v->cfg);

    ASSERT(links <= FEED_LINKS_MAX && gateway_conns(&g->cfg) <= GATEWAY_CONNS);
    v->links = links;
    v->roles = links + 1;
    v->leg_links = v->cfg->spare ? 2 : 1;
    v->legs = links / v->leg_links;
    ASSERT(v->legs * v->leg_links == links);
    v->more_conns = links > 1 ? gateway_market_conn(&g->cfg, v->id, 1) : 0;
    for (uint32_t i = 0; i < v->legs; i++)
        v->leg[i] = (struct market_leg){ .link = i * v->leg_links, .until = MONO_NEVER };
    for (uint32_t i = 0; i < links; i++) {
        unsigned role = role_of_link(i);
        g->conn[conn_of(v, role)] = (struct conn_place){ .venue = v->id, .role = (uint8_t)role };
    }
    g->conn[conn_of(v, ROLE_ORDER)] = (struct conn_place){ .venue = v->id, .role = ROLE_ORDER };
}

/* ---- what may be opened and sent --------------------------------------------------------------------------------- */

/* Connections opened within the window. */
static uint32_t
opened(const struct gateway_venue *v, mono_ns_t now)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < MIN(v->opens, CONNECTS_MAX); i++)
        n += mono_since(now, v->opened_at[i]) < v->cfg->connects_window_ns;
    return n;
}

mono_ns_t
legs_may_open(const struct gateway_venue *v, uint32_t keep, mono_ns_t now)
{
    uint32_t max = v->cfg->connects_max;

    if (max == 0 || opened(v, now) + keep < max)
        return now;
    /* The oldest that counts ends its window first. */
    mono_ns_t oldest = now;
    for (uint32_t i = 0; i < MIN(v->opens, CONNECTS_MAX); i++)
        if (mono_since(now, v->opened_at[i]) < v->cfg->connects_window_ns && v->opened_at[i].ns < oldest.ns)
            oldest = v->opened_at[i];
    return mono_after(oldest, v->cfg->connects_window_ns);
}

void
legs_opened(struct gateway_venue *v, mono_ns_t now)
{
    if (v->cfg->connects_max == 0)
        return;
    ASSERT(v->cfg->connects_max <= CONNECTS_MAX);
    v->opened_at[v->opens++ % CONNECTS_MAX] = now;
}

/* The pong that waits, then the subscriptions. */
void
legs_pace(struct gateway_venue *v, unsigned role, struct now now)
{
    struct pong *p = &v->pong[role];
    mono_ns_t at = pace_at(&v->pace[role], 0, now.mono);

    if (p->waits && at.ns > now.mono.ns) {
        v->g->p.port.timer_arm(v->g->p.port.ctx, GATEWAY_TIMER_PACE(conn_of(v, role)), at);
        return;
    }
    if (p->waits) {
        p->waits = false;
        gateway_send_control(v, role, WS_OP_PONG, p->data, p->len, now);
    }
    if (role != ROLE_ORDER)
        market_subscribe(v, role, now);
}

/* Only the latest ping is answered when several wait (RFC 6455, 5.5.3). */
void
legs_ping(struct gateway_venue *v, unsigned role, const uint8_t *data, size_t len, struct now now)
{
    struct pong *p = &v->pong[role];

    ASSERT(len <= WS_CONTROL_MAX);
    if (len > 0)
        memcpy(p->data, data, len);
    p->len = (uint8_t)len;
    p->waits = true;
    legs_pace(v, role, now);
}

/* ---- moving ------------------------------------------------------------------------------------------------------ */

static struct market_leg *
leg_of(struct gateway_venue *v, unsigned role)
{
    return &v->leg[link_of_role(role) / v->leg_links];
}

static unsigned
active_role(const struct market_leg *m)
{
    return role_of_link(m->link);
}

/* Its second connection; ROLE_ORDER when there is none. */
static unsigned
other_role(const struct gateway_venue *v, const struct market_leg *m)
{
    return v->leg_links == 2 ? role_of_link(m->link ^ 1u) : ROLE_ORDER;
}

static void
legs_arm(struct gateway_venue *v, struct now now)
{
    mono_ns_t at = MONO_NEVER;

    for (uint32_t i = 0; i < v->legs; i++) {
        const struct market_leg *m = &v->leg[i];
        mono_ns_t due = m->moving ? mono_after(now.mono, MOVE_LOOK_NS) : m->until;
        if (due.ns < at.ns)
            at = due;
    }
    if (at.ns <= now.mono.ns) /* it waits for another's move, or for the venue's window */
        at = mono_after(now.mono, NS_PER_S);
    v->g->p.port.timer_arm(v->g->p.port.ctx, GATEWAY_TIMER_LINKS(v->id), at);
}

/* False: not now. */
static bool
move_begin(struct gateway_venue *v, struct market_leg *m, const char *why, struct now now)
{
    unsigned other = other_role(v, m);

    if (other == ROLE_ORDER || m->moving || v->link_up[other] || v->session[other].state != SESSION_STOPPED)
        return false;
    log_write(v->g->p.log, LOG_WARNING, why);
    m->moving = true;
    m->since = now.mono;
    session_run(v, other, session_start(&v->session[other], now), now);
    return true;
}

/* The second connection is the leg's from here on. The old one, if it is still there, is closed. */
static void
move_end(struct gateway_venue *v, struct market_leg *m, struct now now)
{
    unsigned old = active_role(m);
    bool up = v->link_up[old];

    m->link ^= 1u;
    m->moving = false;
    m->until = v->ending[active_role(m)] ? now.mono
               : v->link_up[active_role(m)] && v->cfg->lifetime_ns > 0
                   ? mono_after(v->session[active_role(m)].ready_since, v->cfg->lifetime_ns)
                   : MONO_NEVER;
    session_stop(&v->session[old]);
    v->g->p.port.timer_arm(v->g->p.port.ctx, GATEWAY_TIMER_SESSION(conn_of(v, old)), MONO_NEVER);
    if (!up)
        return;
    metric_add(v->g->p.metrics, METRIC_CONN_REPLACED, v->id, 1);
    gateway_close_politely(v, old, now);
    market_on_down(v, old, now);
}

/* The new one did not come in time: it starts again, while the old one goes on. */
static void
move_again(struct gateway_venue *v, struct market_leg *m, struct now now)
{
    unsigned other = other_role(v, m);

    m->since = now.mono;
    if (v->link_up[other])
        session_broken(v, other, "another market-data connection did not take over in time; it starts again", now);
}

static bool
moving_any(const struct gateway_venue *v)
{
    for (uint32_t i = 0; i < v->legs; i++)
        if (v->leg[i].moving)
            return true;
    return false;
}

/* An announced end does not wait for others; old age does, and for the venue's window. */
static bool
move_due(const struct gateway_venue *v, const struct market_leg *m, struct now now)
{
    if (m->moving || now.mono.ns < m->until.ns)
        return false;
    return v->ending[active_role(m)] ||
           (!moving_any(v) && legs_may_open(v, v->cfg->connects_max / 4, now.mono).ns <= now.mono.ns);
}

void
legs_timer(struct gateway_venue *v, struct now now)
{
    struct feed *f = v->g->p.feed[v->id];

    v->now = now;
    for (uint32_t i = 0; i < v->legs; i++) {
        struct market_leg *m = &v->leg[i];
        unsigned other = other_role(v, m);
        if (m->moving && v->session[other].state == SESSION_READY && feed_link_covers(f, link_of_role(other), now))
            move_end(v, m, now);
        else if (m->moving && mono_since(now.mono, m->since) >= MOVE_MAX_NS)
            move_again(v, m, now);
        else if (move_due(v, m, now) &&
                 !move_begin(v, m,
                             v->ending[active_role(m)]
                                 ? "another market-data connection takes over"
                                 : "a market-data connection is as old as it may get: another one takes over",
                             now))
            m->until = mono_after(now.mono, MOVE_LOOK_NS); /* its second connection is still being closed */
    }
    legs_arm(v, now);
}

void
legs_replace(struct gateway_venue *v, unsigned role, const char *why, struct now now)
{
    struct market_leg *m = leg_of(v, role);

    if (v->leg_links == 1) {
        session_broken(v, role, why, now);
        return;
    }
    log_write(v->g->p.log, LOG_WARNING, why);
    v->ending[role] = true; /* of one that is about to take over: it does, and then moves again */
    if (active_role(m) != role)
        return;
    m->until = now.mono;
    legs_timer(v, now);
}

void
legs_up(struct gateway_venue *v, unsigned role, struct now now)
{
    struct market_leg *m = leg_of(v, role);

    v->ending[role] = false;
    if (active_role(m) == role && v->leg_links == 2 && v->cfg->lifetime_ns > 0)
        m->until = mono_after(now.mono, v->cfg->lifetime_ns);
    legs_arm(v, now);
}

void
legs_down(struct gateway_venue *v, unsigned role, struct now now)
{
    struct market_leg *m = leg_of(v, role);

    if (active_role(m) != role)
        return;
    m->until = MONO_NEVER;
    if (m->moving)
        move_end(v, m, now); /* whatever the second one has by now is more */
    legs_arm(v, now);
}

void
legs_start(struct gateway_venue *v, struct now now)
{
    for (uint32_t i = 0; i < v->legs; i++) {
        unsigned role = active_role(&v->leg[i]);
        if (feed_link_used(v->g->p.feed[v->id], v->leg[i].link))
            session_run(v, role, session_start(&v->session[role], now), now);
    }
}
