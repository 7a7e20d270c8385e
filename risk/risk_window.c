/* Windows of breakers over a restart: rejects, and a loss that is too fast. See risk_state.h.
 *
 * A window that began anew with each process would let what runs away go on by starting again; so the journal is told
 * where they stand. Those of latency, acknowledgements and the loop are not: they measured a process and connections
 * that are no more.
 *
 * Always true: while a journal is replayed a restored window's beginning is in wall time; risk_restored() makes
 * monotonic time of it, before any sample comes. */
#include "risk/risk_state.h"

static bool
in_use(const struct risk_window *w)
{
    return w->kind == RISK_WINDOW_REJECTS ? w->samples != 0 : w->since_ns != 0;
}

static struct breaker *
rejects_of(struct risk *r, enum trading_level level, uint32_t id)
{
    if (level == LEVEL_CLIENT && id < CLIENT_MAX)
        return &r->client[id].rejects;
    return level == LEVEL_VENUE && id < VENUE_MAX ? &r->venue[id].rejects : NULL;
}

/* Where the journal's knowledge of one is kept: strategies, then venues; only those have windows. */
static struct risk_window *
told_of(struct risk *r, enum risk_window_kind kind, enum trading_level level, uint32_t id)
{
    if (level == LEVEL_CLIENT && id < CLIENT_MAX)
        return &r->told_window[kind][id];
    return level == LEVEL_VENUE && id < VENUE_MAX ? &r->told_window[kind][CLIENT_MAX + id] : NULL;
}

/* As it is; since_ns on this machine's own clock. */
static bool
window_at(struct risk *r, enum risk_window_kind kind, enum trading_level level, uint32_t id, struct risk_window *out)
{
    *out = (struct risk_window){ .kind = (uint8_t)kind, .level = (uint8_t)level, .id = id };
    if (kind == RISK_WINDOW_REJECTS) {
        const struct breaker *b = rejects_of(r, level, id);
        if (b == NULL)
            return false;
        out->since_ns = b->samples != 0 ? b->since_ns : 0;
        out->samples = b->samples;
        out->beyond = b->beyond;
        return true;
    }
    const struct group *g = level == LEVEL_CLIENT ? risk_group_at(r, level, id) : NULL;
    if (g == NULL)
        return false;
    if (g->loss_window_max != LIMIT_NONE) {
        out->since_ns = g->best.since_ns;
        out->best = g->best.best;
        out->before = g->best.before;
    }
    return true;
}

static bool
apart(value_t a, value_t b, value_t limit)
{
    wide_t by = (wide_t)a - b;
    return (by < 0 ? -by : by) > limit / RISK_DAY_PART;
}

/* Every reject; a best result by as little of its limit as the day's is told by. */
static bool
differs(const struct risk *r, const struct risk_window *w, const struct risk_window *told)
{
    if (w->since_ns != told->since_ns || w->samples != told->samples || w->beyond != told->beyond)
        return true;
    if (w->kind == RISK_WINDOW_REJECTS)
        return false;
    value_t max = r->client[w->id].group.loss_window_max;
    return apart(w->best, told->best, max) || apart(w->before, told->before, max);
}

bool
risk_windows_due(const struct risk *r)
{
    return r->windows_due;
}

bool
risk_window_tell(struct risk *r, enum risk_window_kind kind, enum trading_level level, uint32_t id, struct now now,
                 struct risk_window *out)
{
    struct risk_window *told = told_of(r, kind, level, id);

    if (told == NULL || !window_at(r, kind, level, id, out) || !differs(r, out, told))
        return false;
    *told = *out;
    if (in_use(out))
        out->since_ns += now.wall.ns - now.mono.ns;
    return true;
}

void
risk_windows_told(struct risk *r)
{
    r->windows_due = false;
}

bool
risk_restore_window(struct risk *r, const char *reporting, const struct risk_window *w)
{
    struct risk_window was = *w;

    if (w->kind == RISK_WINDOW_REJECTS) {
        struct breaker *b = rejects_of(r, (enum trading_level)w->level, w->id);
        if (b == NULL || w->beyond > w->samples)
            return false;
        *b = (struct breaker){ .since_ns = w->since_ns, .samples = w->samples, .beyond = w->beyond };
        return true;
    }
    if (w->kind != RISK_WINDOW_LOSS || w->level != LEVEL_CLIENT || w->id >= CLIENT_MAX)
        return false;
    if (!in_use(w))
        r->client[w->id].group.best = (struct breaker_best){ 0 };
    else if (risk_restate(r, reporting, &was.best) && risk_restate(r, reporting, &was.before))
        r->client[w->id].group.best =
            (struct breaker_best){ .since_ns = was.since_ns, .best = was.best, .before = was.before };
    return true;
}

/* What began in the future by the wall clock, which has been set back, began now. */
static int64_t
began(int64_t wall_ns, struct now now)
{
    int64_t ns = MIN(wall_ns, now.wall.ns) - (now.wall.ns - now.mono.ns);
    return ns != 0 ? ns : -1;
}

void
windows_begun(struct risk *r, struct now now)
{
    for (uint32_t i = 0; i < CLIENT_MAX; i++) {
        struct client_state *c = &r->client[i];
        if (c->rejects.samples != 0)
            c->rejects.since_ns = began(c->rejects.since_ns, now);
        c->group.awaits_marks = c->group.unmarked != 0;
        if (c->group.best.since_ns != 0)
            c->group.best.since_ns = began(c->group.best.since_ns, now);
    }
    for (uint32_t i = 0; i < VENUE_MAX; i++)
        if (r->venue[i].rejects.samples != 0)
            r->venue[i].rejects.since_ns = began(r->venue[i].rejects.since_ns, now);
}
