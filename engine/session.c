#include "engine/session.h"

void
session_init(struct session *s, const struct session_config *cfg)
{
    ASSERT(cfg->backoff_min_ns >= NS_PER_MS && cfg->backoff_max_ns >= cfg->backoff_min_ns);
    *s = (struct session){ .cfg = *cfg, .state = SESSION_STOPPED, .deadline = MONO_NEVER };
}

static enum session_do
open_now(struct session *s, struct now now)
{
    s->state = SESSION_CONNECTING;
    s->deadline = mono_after(now.mono, s->cfg.connect_max_ns);
    return SESSION_DO_OPEN;
}

enum session_do
session_start(struct session *s, struct now now)
{
    if (s->state != SESSION_STOPPED)
        return SESSION_DO_NOTHING;
    s->attempt = 0;
    return open_now(s, now);
}

void
session_stop(struct session *s)
{
    s->state = SESSION_STOPPED;
    s->deadline = MONO_NEVER;
}

void
session_defer(struct session *s, mono_ns_t at)
{
    ASSERT(s->state == SESSION_CONNECTING);
    s->state = SESSION_WAITING;
    s->deadline = at;
}

/* The deadline of a live connection: the earlier of silence and the step's answer. */
static void
arm_alive(struct session *s, mono_ns_t step_deadline)
{
    mono_ns_t silence = mono_after(s->last_rx, s->cfg.silence_max_ns);

    s->deadline = silence.ns < step_deadline.ns ? silence : step_deadline;
    if (s->doubted.ns != 0)
        s->deadline.ns = MIN(s->deadline.ns, mono_after(s->doubted, s->cfg.answer_max_ns).ns);
}

static enum session_do
enter_step(struct session *s, struct now now)
{
    if (s->step < s->cfg.step_count) {
        s->state = SESSION_STEPPING;
        s->deadline = mono_after(now.mono, s->cfg.step_max_ns);
        return SESSION_DO_STEP;
    }
    s->state = SESSION_READY;
    s->ready_since = now.mono;
    arm_alive(s, MONO_NEVER);
    return SESSION_DO_READY;
}

enum session_do
session_on_up(struct session *s, struct now now)
{
    if (s->state != SESSION_CONNECTING)
        return SESSION_DO_CLOSE; /* not wanted any more, or it came after we gave up on it */
    s->connects++;
    s->step = 0;
    s->last_rx = now.mono;
    s->doubted.ns = 0;
    return enter_step(s, now);
}

enum session_do
session_on_down(struct session *s, struct now now, uint64_t random)
{
    if (s->state == SESSION_STOPPED || s->state == SESSION_WAITING)
        return SESSION_DO_NOTHING;
    if (s->state == SESSION_READY && mono_since(now.mono, s->ready_since) >= s->cfg.stable_ns)
        s->attempt = 0;
    int64_t wait = s->cfg.backoff_min_ns;
    for (uint32_t i = 0; i < s->attempt && wait < s->cfg.backoff_max_ns; i++)
        wait *= 2;
    wait = MIN(wait, s->cfg.backoff_max_ns);
    wait = wait / 2 + (int64_t)(random % (uint64_t)(wait / 2 + 1));
    s->attempt = s->attempt < UINT32_MAX ? s->attempt + 1 : s->attempt;
    s->state = SESSION_WAITING;
    s->deadline = mono_after(now.mono, wait);
    return SESSION_DO_NOTHING;
}

enum session_do
session_on_step_done(struct session *s, uint8_t step, struct now now)
{
    if (s->state != SESSION_STEPPING || step != s->step)
        return SESSION_DO_NOTHING;
    s->step++;
    return enter_step(s, now);
}

enum session_do
session_fail(struct session *s)
{
    if (s->state != SESSION_STEPPING && s->state != SESSION_READY)
        return SESSION_DO_NOTHING;
    s->state = SESSION_CLOSING;
    s->deadline = MONO_NEVER;
    return SESSION_DO_CLOSE;
}

bool
session_doubt(struct session *s, mono_ns_t sent, struct now now)
{
    if (s->state != SESSION_READY || s->cfg.answer_max_ns == 0 || s->doubted.ns != 0 || s->last_rx.ns > sent.ns)
        return false;
    s->doubted = now.mono;
    arm_alive(s, MONO_NEVER);
    return true;
}

enum session_do
session_on_timer(struct session *s, struct now now)
{
    if (now.mono.ns < s->deadline.ns)
        return SESSION_DO_NOTHING;
    switch (s->state) {
    case SESSION_WAITING: return open_now(s, now);
    case SESSION_CONNECTING: /* the connector has its own time-outs and always answers; ask it to give up */
        s->state = SESSION_CLOSING;
        s->deadline = MONO_NEVER;
        return SESSION_DO_CLOSE;
    case SESSION_STEPPING: return session_fail(s);
    case SESSION_READY:
        if (mono_since(now.mono, s->ready_since) >= s->cfg.stable_ns)
            s->attempt = 0;
        if (mono_since(now.mono, s->last_rx) >= s->cfg.silence_max_ns ||
            (s->doubted.ns != 0 && mono_since(now.mono, s->doubted) >= s->cfg.answer_max_ns))
            return session_fail(s);
        arm_alive(s, MONO_NEVER);
        return SESSION_DO_NOTHING;
    case SESSION_STOPPED:
    case SESSION_CLOSING:
    case SESSION_STATE_COUNT: break;
    }
    s->deadline = MONO_NEVER;
    return SESSION_DO_NOTHING;
}
