/* Which event may do what to an order: two tables, every cell with its rule, and the arithmetic of fills.
 *
 * Pure functions. Reports may come in any order (a fill before the acknowledgement, a cancel before the last fill,
 * everything twice), so a cell says what is true after both, not what is usual.
 *
 * Always true: a terminal state never changes; an event that contradicts what is proven changes nothing and is named
 * ORDER_CONFLICT, so that the caller asks the venue. */
#ifndef EXECGW_ENGINE_OMS_ORDER_STATE_H
#define EXECGW_ENGINE_OMS_ORDER_STATE_H

#include "execgw/order.h"

/* X(name, text) */
#define ORDER_EVENTS(X)                                                                                 \
    X(ORDER_EV_ACK, "ack")           /* the venue has it */                                             \
    X(ORDER_EV_FILL, "fill")         /* a trade that leaves something open */                           \
    X(ORDER_EV_FILL_ALL, "fill_all") /* a trade that leaves nothing; derived, never passed */           \
    X(ORDER_EV_CANCELED, "canceled") /* by us or by the venue */                                        \
    X(ORDER_EV_EXPIRED, "expired")                                                                      \
    X(ORDER_EV_REJECTED, "rejected")     /* new order refused */                                        \
    X(ORDER_EV_NOT_PLACED, "not_placed") /* proven never accepted, or never sent */                     \
    X(ORDER_EV_CANCEL_SENT, "cancel_sent")                                                              \
    X(ORDER_EV_REPLACE_SENT, "replace_sent")       /* derived from the replacing order's intent */      \
    X(ORDER_EV_CANCEL_REJECTED, "cancel_rejected") /* of a cancel or of the cancel half of a replace */ \
    X(ORDER_EV_UNKNOWN, "unknown")                 /* time-out, lost connection, unreadable answer */   \
    X(ORDER_EV_STATUS, "status")                   /* answer to a query: works at the venue */          \
    X(ORDER_EV_STATUS_PROVEN, "status_proven")     /* the same, asked after the request's deadline + margin */

enum order_event_kind {
#define X(name, text) name,
    ORDER_EVENTS(X)
#undef X
        ORDER_EV_COUNT
};

/* What became of an event. X(name, metric label, text) */
#define ORDER_OUTCOMES(X)                                                                                  \
    X(ORDER_APPLIED, "applied", "the order changed")                                                       \
    X(ORDER_DUPLICATE, "duplicate", "known already; nothing changed")                                      \
    X(ORDER_LATE, "late", "a trade of a terminal order: quantity and position changed, the state did not") \
    X(ORDER_HELD, "held", "terminal at the venue, but trades are missing: reserved until they arrive")     \
    X(ORDER_CONFLICT, "conflict", "contradicts what is proven; nothing changed, ask the venue")            \
    X(ORDER_INVALID, "invalid", "not usable: a trade without id, a quantity that is not positive, no such order")

enum order_outcome {
#define X(name, label, text) name,
    ORDER_OUTCOMES(X)
#undef X
        ORDER_OUTCOME_COUNT
};

struct order_step {
    uint8_t state;   /* enum order_state after */
    uint8_t outcome; /* enum order_outcome of the event for the order state */
};

/* The order state after an event; the same state when the outcome is not APPLIED. */
struct order_step order_state_step(enum order_state state, enum order_event_kind ev);

/* The request state after an event, given the order state after it (a terminal order has no request). */
enum request_state request_state_step(enum request_state request, enum order_event_kind ev, enum order_state after);

/* What users see: PENDING_NEW, PENDING_CANCEL, PENDING_REPLACE, UNKNOWN, or the order state's own word. */
const char *order_shown_state(enum order_state state, enum request_state request, bool new_unknown);

const char *order_event_text(enum order_event_kind ev);
const char *order_outcome_text(enum order_outcome o);

#endif
