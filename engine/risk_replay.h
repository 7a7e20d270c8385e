/* What a journal's records say to risk: definitions excepted, which belong to the route too.
 *
 * Always true: for whatever was journaled, risk stands after a replay where it stood when the last day was told, and
 * what was traded since is added up at the marks of then. */
#ifndef EXECGW_ENGINE_RISK_REPLAY_H
#define EXECGW_ENGINE_RISK_REPLAY_H

#include "engine/oms/journal.h"
#include "risk/risk.h"

/* Of each record, after what it did to orders was applied (journal_replay_ops.record). */
void risk_replay(struct risk *r, const struct journal_record *rec);

#endif
