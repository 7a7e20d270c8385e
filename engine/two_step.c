#include "engine/two_step.h"

#define TOKEN_CHARS 8

static void
token_write(uint64_t random, char token[TWO_STEP_TOKEN_BYTES])
{
    static const char digits[] = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"; /* none that look alike */
    _Static_assert(sizeof(digits) == 33, "five bits each");

    memset(token, 0, TWO_STEP_TOKEN_BYTES);
    for (unsigned i = 0; i < TOKEN_CHARS; i++)
        token[i] = digits[random >> (5 * i) & 31];
}

/* The session's own, else a free one, else the oldest. */
static struct two_step_pending *
place_for(struct two_step *t, uint32_t session)
{
    struct two_step_pending *best = &t->pending[0];

    for (unsigned i = 0; i < TWO_STEP_MAX; i++) {
        struct two_step_pending *p = &t->pending[i];
        if (p->used && p->session == session)
            return p;
        if (best->used && (!p->used || p->until.ns < best->until.ns))
            best = p;
    }
    return best;
}

void
two_step_ask(struct two_step *t, uint32_t session, const struct command *cmd, uint64_t random, struct now now,
             char token[TWO_STEP_TOKEN_BYTES])
{
    struct two_step_pending *p = place_for(t, session);

    *p = (struct two_step_pending){
        .cmd = *cmd, .until = mono_after(now.mono, TWO_STEP_NS), .session = session, .used = true
    };
    token_write(random, p->token);
    memcpy(token, p->token, TWO_STEP_TOKEN_BYTES);
}

bool
two_step_confirm(struct two_step *t, const char *token, struct now now, struct command *cmd)
{
    for (unsigned i = 0; i < TWO_STEP_MAX; i++) {
        struct two_step_pending *p = &t->pending[i];
        if (!p->used || strcmp(p->token, token) != 0)
            continue;
        p->used = false;
        if (now.mono.ns >= p->until.ns)
            return false;
        *cmd = p->cmd;
        t->wrong = 0;
        return true;
    }
    if (++t->wrong >= TWO_STEP_WRONG_MAX)
        memset(t, 0, sizeof(*t));
    return false;
}

void
two_step_void(struct two_step *t, uint64_t verbs)
{
    for (unsigned i = 0; i < TWO_STEP_MAX; i++)
        if ((verbs >> t->pending[i].cmd.verb & 1) != 0)
            t->pending[i].used = false;
}

void
two_step_end(struct two_step *t, uint32_t session)
{
    for (unsigned i = 0; i < TWO_STEP_MAX; i++)
        if (t->pending[i].session == session)
            t->pending[i].session = TWO_STEP_NOBODY;
}
