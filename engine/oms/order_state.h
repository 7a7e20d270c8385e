/* Which event may do what to an order: one table of (order state, request state, event), every cell with its rule.
 *
 * Pure functions. Reports may come in any order (a fill before the acknowledgement, a cancel before the last fill,
 * everything twice), so a cell says what is true after both, not what is usual. The races are rules with a name.
 *
 * Always true: a terminal state never changes and has no request; a request that is unknown stays so until evidence
 * about it; an event that contradicts what is proven changes nothing and is named ORDER_CONFLICT, so that the caller
 * asks the venue. */
#ifndef EXECGW_ENGINE_OMS_ORDER_STATE_H
#define EXECGW_ENGINE_OMS_ORDER_STATE_H

#include "execgw/order.h"

/* X(name, text) */
#define ORDER_EVENTS(X)                                                                                          \
    X(ORDER_EV_ACK, "ack")           /* the venue has it */                                                      \
    X(ORDER_EV_FILL, "fill")         /* a trade that leaves something open */                                    \
    X(ORDER_EV_FILL_ALL, "fill_all") /* a trade that leaves nothing; derived, never passed */                    \
    X(ORDER_EV_CANCELED, "canceled") /* by us or by the venue */                                                 \
    X(ORDER_EV_EXPIRED, "expired")                                                                               \
    X(ORDER_EV_REJECTED, "rejected")     /* new order refused */                                                 \
    X(ORDER_EV_NOT_PLACED, "not_placed") /* proven never accepted, or never sent */                              \
    X(ORDER_EV_CANCEL_SENT, "cancel_sent")                                                                       \
    X(ORDER_EV_REPLACE_SENT, "replace_sent")         /* derived from the intent of a replace or amend */         \
    X(ORDER_EV_CANCEL_REJECTED, "cancel_rejected")   /* of a cancel or of the cancel half of a replace */        \
    X(ORDER_EV_UNKNOWN, "unknown")                   /* time-out, lost connection, unreadable answer */          \
    X(ORDER_EV_STATUS, "status")                     /* answer to a query: works at the venue */                 \
    X(ORDER_EV_STATUS_PROVEN, "status_proven")       /* the same, asked after the request's deadline + margin */ \
    X(ORDER_EV_AMENDED, "amended")                   /* works at the price and total that we asked for */        \
    X(ORDER_EV_AMENDED_BY_OTHER, "amended_by_other") /* works at others; derived, never passed */                \
    X(ORDER_EV_AMEND_REJECTED, "amend_rejected")     /* the order stands as it was */

enum order_event_kind {
#define X(name, text) name,
    ORDER_EVENTS(X)
#undef X
        ORDER_EV_COUNT
};

/* What became of an event. */
enum order_outcome {
    ORDER_APPLIED,
    ORDER_DUPLICATE, /* known already; nothing changed */
    ORDER_LATE,      /* a trade of a terminal order: quantity and position changed, the state did not */
    ORDER_HELD,      /* terminal at the venue, but trades are missing: reserved until they arrive */
    ORDER_CONFLICT,  /* contradicts what is proven; nothing changed, ask the venue */
    ORDER_INVALID,   /* not usable: a trade without id, a quantity that is not positive, no such order */
    ORDER_OUTCOME_COUNT
};

/* Why a cell is what it is; the races by name. X(name, text) */
#define ORDER_RULES(X)                                                                                              \
    X(RULE_NONE, "no order is ever in these two states")                                                            \
    X(RULE_BORN, "the venue has it")                                                                                \
    X(RULE_BORN_LATER, "the venue has it; what was asked since is on its way")                                      \
    X(RULE_ACK_TWICE, "duplicate report: the answer and the private stream both acknowledge")                       \
    X(RULE_FILL_BEAT_ACK, "the acknowledgement was slower than the first fill")                                     \
    X(RULE_FILL, "a trade that leaves something open")                                                              \
    X(RULE_FILL_ALL, "a trade that leaves nothing open")                                                            \
    X(RULE_FILL_BEATS_ACK, "fill beats ack: a trade proves that the order was accepted")                            \
    X(RULE_FILL_BEATS_CANCEL, "fill beats cancel: it counts; the cancel still speaks for the rest")                 \
    X(RULE_FILL_BEATS_REPLACE, "replace half done, or fill during an amend: it counts; the request still speaks")   \
    X(RULE_FILL_LATE, "cancel ack before last fill: counts, does not reopen; past the total it proves an amend")    \
    X(RULE_FILL_OF_NEVER, "a trade of an order that was proven never placed: money moved, it counts")               \
    X(RULE_CANCEL_BEATS_ACK, "cancel beats ack: an order that ended was there")                                     \
    X(RULE_CANCELED, "the cancel did it")                                                                           \
    X(RULE_CANCELED_UNASKED, "by the venue, or by somebody else on the account")                                    \
    X(RULE_REPLACED, "replace half done: the old order is dead whatever became of the new one")                     \
    X(RULE_EXPIRED, "IOC or FOK remainder, or the venue's own rules")                                               \
    X(RULE_END_BEATS_REQUEST, "it ended by itself while a request on it was under way")                             \
    X(RULE_END_TWICE, "duplicate report: one end is enough")                                                        \
    X(RULE_REFUSED, "the venue refused the new order")                                                              \
    X(RULE_NEVER_ARRIVED, "proven never accepted: only before any sign of life")                                    \
    X(RULE_WAS_ACCEPTED, "it was accepted: this contradicts it")                                                    \
    X(RULE_ASKED, "nothing else was in flight")                                                                     \
    X(RULE_CANCEL_BEFORE_ACK, "the order is not confirmed yet: state SENT goes on saying so")                       \
    X(RULE_CANCEL_AGAIN, "cancels are safe to repeat; the last one's deadline counts")                              \
    X(RULE_CANCEL_OVER_REPLACE, "the replacing order has a request of its own; an amend stays reserved")            \
    X(RULE_REPLACE_OVER_REQUEST, "not asked for by the gateway while another request is open; the last one counts") \
    X(RULE_CROSSED_END, "the request crossed with the end on the wire")                                             \
    X(RULE_REFUSAL_OF_ANOTHER, "late cancel reject: not of a request that is in flight")                            \
    X(RULE_CANCEL_REFUSED, "proves nothing about the order itself: the caller asks")                                \
    X(RULE_CANCEL_REFUSED_UNBORN, "unknown order may mean that it was never accepted: the new order is unknown")    \
    X(RULE_TOO_LATE, "late cancel reject: too late to cancel, as is known")                                         \
    X(RULE_LOST, "no answer: unknown of its own kind, reserved as before")                                          \
    X(RULE_NOTHING_LOST, "nothing is in flight, so nothing becomes unknown")                                        \
    X(RULE_LOST_NO_MATTER, "what was in flight does not matter any more")                                           \
    X(RULE_FOUND, "the query found it")                                                                             \
    X(RULE_STATUS, "as is known")                                                                                   \
    X(RULE_STATUS_TOO_EARLY, "works, but the request may still arrive")                                             \
    X(RULE_STATUS_PROVES, "works, and the request can no longer arrive: it never did")                              \
    X(RULE_STATUS_OLDER, "an answer older than the end")                                                            \
    X(RULE_WORKS_AFTER_END, "works at the venue after its end")                                                     \
    X(RULE_LIFE_OF_NEVER, "it was there after all")                                                                 \
    X(RULE_NEVER_TWICE, "duplicate report: says the same")                                                          \
    X(RULE_AMENDED, "the amend did it")                                                                             \
    X(RULE_AMENDED_LATE, "duplicate report: the amend is known to be done")                                         \
    X(RULE_AMEND_BEATS_ACK, "what was amended was accepted")                                                        \
    X(RULE_AMEND_BEATS_CANCEL, "done before the cancel arrived; the cancel still speaks")                           \
    X(RULE_AMENDED_BY_OTHER, "somebody else on the account changed it; what we asked for may still arrive")         \
    X(RULE_AMEND_AFTER_END, "amend ack after fill: the order is over")                                              \
    X(RULE_AMEND_REFUSED, "stands as it was; all filled meanwhile means filled")                                    \
    X(RULE_AMEND_REFUSED_CANCELING, "the amend's refusal; the cancel still speaks")                                 \
    X(RULE_HELD, "over at the venue, but its trades are missing: only they are awaited")

enum order_rule {
#define X(name, text) name,
    ORDER_RULES(X)
#undef X
        ORDER_RULE_COUNT
};

struct order_step {
    uint8_t state;   /* enum order_state after */
    uint8_t request; /* enum request_state after */
    uint8_t outcome; /* enum order_outcome of the event */
    uint8_t rule;    /* enum order_rule: why */
};

/* What an event does to an order in these two states: one cell of the table. ORDER_INVALID, changing nothing, for pairs
 * that no order is ever in (a terminal order has no request; SENT has one; NEW_* goes with SENT alone). */
struct order_step order_step(enum order_state state, enum request_state request, enum order_event_kind ev);

/* The same for an order that the venue called over while it had counted trades that we have not seen (ORDER_HELD):
 * state and request of the result are not meant; a FILL that brings the last missing trade ends it. */
struct order_step order_step_held(enum order_event_kind ev);

const char *order_event_text(enum order_event_kind ev);
const char *order_rule_text(enum order_rule r);

#endif
