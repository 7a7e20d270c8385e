/* What time it is at a venue: asked at the log-on, then regularly, and at once when something says that the answer is
 * wrong, or that nobody is there to answer.
 *
 * Two things are told apart. What requests are stamped with and proofs go by is the venue's last answer and the steady
 * clock since (venue_now_ns): it cannot be ahead of the venue, and no step of this machine's wall clock moves it. What
 * the CLOCK check limits and the metric shows is how far the wall clock is from that.
 *
 * Always true: an answer that took long, and would set the venue's clock back, is not believed while a better one is
 * known; an offset that was not confirmed in STALE_TIMES questions' time is none. */
#include "engine/gateway_state.h"

#define STALE_TIMES    3
#define CLOCK_AGAIN_NS NS_PER_S          /* between two questions that something gave a reason for */
#define CLOCK_MOVED_NS NS_PER_MS         /* the wall clock against the steady one: worth telling */
#define CLOCK_STEP_NS  (100 * NS_PER_MS) /* the wall clock moved so far from the steady one: it was set */

void
clock_asked(struct gateway_venue *v, struct now now)
{
    v->time_sent = now;
    v->time_asked = true;
}

static void
clock_after(struct gateway_venue *v, struct now now, int64_t delay_ns)
{
    v->g->p.port.timer_arm(v->g->p.port.ctx, GATEWAY_TIMER_CLOCK(v->id), mono_after(now.mono, delay_ns));
}

/* True when it was asked. */
static bool
clock_ask(struct gateway_venue *v, struct now now)
{
    struct venue_request rq = { .kind = VENUE_RQ_TIME };

    if (now.mono.ns < v->blocked_until.ns || !venue_line_free(v, VENUE_RQ_TIME, now) ||
        !venue_affords_step(v, VENUE_RQ_TIME, now))
        return false;
    v->now = now;
    clock_asked(v, now);
    (void)venue_ask(v, &rq, now);
    return true;
}

void
clock_timer(struct gateway_venue *v, struct now now)
{
    if (v->session[ROLE_ORDER].state != SESSION_READY)
        return;
    clock_after(v, now, v->cfg->clock_ns);
    if (clock_ask(v, now))
        audit_start(v, now);
}

void
clock_doubt(struct gateway_venue *v, struct now now)
{
    if (v->session[ROLE_ORDER].state == SESSION_READY && mono_since(now.mono, v->time_sent.mono) >= CLOCK_AGAIN_NS)
        clock_after(v, now, 0);
}

/* An answer on its way for longer than half of what a request may take could make every request look late. */
static bool
worse_than_known(const struct gateway_venue *v, int64_t venue_ns, int64_t rtt_ns)
{
    return v->clock_measured && rtt_ns > v->cfg->recv_window_ns / 2 && venue_ns < venue_now_ns(v, v->now);
}

void
clock_told(struct gateway_venue *v, const struct venue_report *r)
{
    if (!v->time_asked)
        return;
    int64_t rtt = mono_since(v->now.mono, v->time_sent.mono);
    int64_t offset;
    /* From the wall clock of now, which may have been set since it was asked. */
    if (__builtin_sub_overflow(r->venue_time_ns, v->now.wall.ns - rtt / 2, &offset) || offset > CLOCK_OFF_MAX_NS ||
        offset < -CLOCK_OFF_MAX_NS) {
        log_write(v->g->p.log, LOG_WARNING, "the venue's clock is off by years: not believed");
        return; /* the step's time-out decides; a known offset stays */
    }
    v->time_asked = false;
    if (worse_than_known(v, r->venue_time_ns, rtt)) {
        log_write(v->g->p.log, LOG_WARNING, "the venue said its time too slowly: what it said before stands");
        clock_after(v, v->now, CLOCK_AGAIN_NS);
    } else {
        v->clock_offset_ns = offset;
        v->clock_measured = true;
        v->clock_apart_ns = v->now.wall.ns - v->now.mono.ns;
        v->venue_at = (wall_ns_t){ r->venue_time_ns }; /* the venue read it before now: never ahead of its clock */
        v->venue_mono = v->now.mono;
        log_write(v->g->p.log, LOG_CLOCK_OFFSET, NULL, v->id, v->clock_offset_ns, rtt);
    }
    v->clock_known = true;
    venue_publish_state(v);
    venue_step_done(v, STEP_TIME);
}

void
line_doubt(struct gateway_venue *v, mono_ns_t sent, struct now now)
{
    if (!v->cfg->ops->needs_connection || !session_doubt(&v->session[ROLE_ORDER], sent, now))
        return;
    log_write(v->g->p.log, LOG_WARNING,
              "order entry has not answered, and nothing was heard of it since: no new orders until a byte comes");
    session_arm(v, ROLE_ORDER);
    venue_publish_state(v);
    clock_doubt(v, now);
}

void
line_alive(struct gateway_venue *v)
{
    log_write(v->g->p.log, LOG_WARNING, "order entry is heard again");
    venue_publish_state(v);
}

void
clock_second(struct gateway_venue *v, struct now now)
{
    if (v->time_asked && mono_since(now.mono, v->time_sent.mono) >= ASK_TIMEOUT_NS &&
        !venue_over_http(v, VENUE_RQ_TIME))
        line_doubt(v, v->time_sent.mono, now);
    if (v->clock_known && mono_since(now.mono, v->venue_mono) > STALE_TIMES * v->cfg->clock_ns) {
        v->clock_known = false;
        log_write(v->g->p.log, LOG_WARNING,
                  "the venue has not told the time for too long: how far it is off is not known");
        venue_publish_state(v);
    }
    if (!v->clock_known) {
        if (v->session[ROLE_ORDER].state == SESSION_READY && mono_since(now.mono, v->time_sent.mono) >= ASK_TIMEOUT_NS)
            (void)clock_ask(v, now);
        return;
    }
    int64_t step = now.wall.ns - now.mono.ns - v->clock_apart_ns;
    if (step < CLOCK_MOVED_NS && step > -CLOCK_MOVED_NS)
        return;
    v->clock_offset_ns -= step;
    v->clock_apart_ns += step;
    venue_publish_state(v);
    if (step > CLOCK_STEP_NS || step < -CLOCK_STEP_NS)
        clock_doubt(v, now);
}
