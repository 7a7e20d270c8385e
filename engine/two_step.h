/* Two steps: an operator's command that loosens anything waits here until it is confirmed by a token.
 *
 * The first step is answered with the token, the second names it, from the same or another operator's session: so a
 * script, a slip of the hand or a repeated line loosens nothing. Time and randomness are the caller's.
 *
 * Always true: a session that asks again gives up what it asked before; nothing is confirmed after TWO_STEP_NS, twice,
 * or after TWO_STEP_WRONG_MAX wrong tokens, which end everything that waits; nor what two_step_void() has ended. */
#ifndef EXECGW_ENGINE_TWO_STEP_H
#define EXECGW_ENGINE_TWO_STEP_H

#include "execgw/clock.h"
#include "execgw/order.h"

#define TWO_STEP_NS          (30 * NS_PER_S)
#define TWO_STEP_MAX         16u /* operations waiting at one time; the oldest gives way */
#define TWO_STEP_WRONG_MAX   3u
#define TWO_STEP_TOKEN_BYTES 12 /* 8 characters and NUL, padded */
#define TWO_STEP_NOBODY      UINT32_MAX

struct two_step_pending {
    struct command cmd;
    mono_ns_t until;
    uint32_t session; /* that asked; TWO_STEP_NOBODY when it has ended */
    char token[TWO_STEP_TOKEN_BYTES];
    bool used;
};

struct two_step {
    struct two_step_pending pending[TWO_STEP_MAX];
    uint32_t wrong; /* wrong tokens since the last right one */
};

/* Keep the command until its token is named. random: 64 bits that nobody can guess; token is written. */
void two_step_ask(struct two_step *t, uint32_t session, const struct command *cmd, uint64_t random, struct now now,
                  char token[TWO_STEP_TOKEN_BYTES]);

/* The second step: true with the command as it was asked, which is then forgotten. */
bool two_step_confirm(struct two_step *t, const char *token, struct now now, struct command *cmd);

/* What stands has become stricter since: what was asked before it (bit per enum command_verb) is not confirmed any
 * more.
 */
void two_step_void(struct two_step *t, uint64_t verbs);

/* A session ended: what it asked may still be confirmed by another. */
void two_step_end(struct two_step *t, uint32_t session);

#endif
