/* Limits that a human has set by hand (`execgw-cli limits set`), as the journal keeps them over a restart.
 *
 * Between the journal, which is read before the first order, and the configuration. A limit set by hand goes on to hold
 * as far as it is not looser than what the configuration says now; reading the configuration again (`limits reload`,
 * the signal HUP) ends them all, and says so.
 *
 * Always true: one per key, the last that was set; nothing that is looser than the configuration comes back by itself.
 */
#ifndef EXECGW_ENGINE_BY_HAND_H
#define EXECGW_ENGINE_BY_HAND_H

#include "engine/config.h"
#include "engine/oms/journal.h"
#include "monitoring/log.h"

#define BY_HAND_MAX 128u /* more than there are keys that one would set; the oldest gives way */

struct by_hand {
    uint32_t count;
    char text[BY_HAND_MAX][sizeof(((struct journal_limit_set *)0)->text)]; /* "KEY VALUE", as they came */
};

/* text as in the journal: "KEY VALUE", or "" which ends all. */
void by_hand_note(struct by_hand *b, const char *text);

/* After a start's replay: into *c what still holds; the rest is dropped. Says of each which. */
void by_hand_apply(struct by_hand *b, struct config *c, struct log_port *log);

/* "2 limits set by hand are gone: KEY VALUE, KEY VALUE"; "" when there are none. */
void by_hand_gone(const struct by_hand *b, char *text, size_t room);

#endif
