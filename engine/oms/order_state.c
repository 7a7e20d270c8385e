/* The transition tables. See order_state.h. Rules follow FIX 4.4 Appendix D where it speaks, and what venues do. */
#include "engine/oms/order_state.h"

#define TO(s)              \
    {                      \
        (s), ORDER_APPLIED \
    }

/* What every order that is not terminal does with events that concern its request alone. */
#define OWN_REQUESTS(s)                                                                                        \
    [ORDER_EV_CANCEL_SENT] = TO(s), [ORDER_EV_REPLACE_SENT] = TO(s),                                           \
    [ORDER_EV_CANCEL_REJECTED] = TO(s), /* a refused cancel proves nothing about the order: the caller asks */ \
        [ORDER_EV_UNKNOWN] = TO(s)

/* Over and done at the venue, after it had the order. */
#define ENDED(s)                                                                                                       \
    [ORDER_EV_ACK] = { (s), ORDER_DUPLICATE }, /* the acknowledgement was slower than the end        */                \
        [ORDER_EV_FILL] = { (s), ORDER_LATE }, /* counts, but does not reopen                        */                \
        [ORDER_EV_FILL_ALL] = { (s), ORDER_LATE }, [ORDER_EV_CANCELED] = { (s), ORDER_DUPLICATE },    /* one end is    \
                                                                                                         enough    */  \
        [ORDER_EV_EXPIRED] = { (s), ORDER_DUPLICATE }, [ORDER_EV_REJECTED] = { (s), ORDER_CONFLICT }, /* the venue had \
                                                                                                         it */         \
        [ORDER_EV_NOT_PLACED] = { (s), ORDER_CONFLICT },                                                               \
    [ORDER_EV_CANCEL_SENT] = { (s), ORDER_DUPLICATE }, /* crossed with the end on the wire                   */        \
        [ORDER_EV_REPLACE_SENT] = { (s), ORDER_DUPLICATE },                                                            \
    [ORDER_EV_CANCEL_REJECTED] = { (s), ORDER_DUPLICATE }, /* "too late to cancel": we know                      */    \
        [ORDER_EV_UNKNOWN] = { (s), ORDER_DUPLICATE },     /* what was in flight no longer matters               */    \
        [ORDER_EV_STATUS] = { (s), ORDER_DUPLICATE },      /* an answer older than the end                       */    \
        [ORDER_EV_STATUS_PROVEN] = { (s), ORDER_CONFLICT } /* works at the venue after its end                   */

/* Never at the venue, as far as was proven. */
#define NEVER(s)                                                                                                      \
    [ORDER_EV_ACK] = { (s), ORDER_CONFLICT },  /* it was there after all                             */               \
        [ORDER_EV_FILL] = { (s), ORDER_LATE }, /* money moved: always counts                         */               \
        [ORDER_EV_FILL_ALL] = { (s), ORDER_LATE }, [ORDER_EV_CANCELED] = { (s), ORDER_CONFLICT },                     \
    [ORDER_EV_EXPIRED] = { (s), ORDER_CONFLICT }, [ORDER_EV_REJECTED] = { (s), ORDER_DUPLICATE }, /* says the same */ \
        [ORDER_EV_NOT_PLACED] = { (s), ORDER_DUPLICATE }, [ORDER_EV_CANCEL_SENT] = { (s), ORDER_DUPLICATE },          \
    [ORDER_EV_REPLACE_SENT] = { (s), ORDER_DUPLICATE }, [ORDER_EV_CANCEL_REJECTED] = { (s), ORDER_DUPLICATE },        \
    [ORDER_EV_UNKNOWN] = { (s), ORDER_DUPLICATE }, [ORDER_EV_STATUS] = { (s), ORDER_CONFLICT },                       \
    [ORDER_EV_STATUS_PROVEN] = { (s), ORDER_CONFLICT }

#define NOTHING(ev) [ev] = { ORDER_FREE, ORDER_INVALID }

/* clang-format off */
static const struct order_step state_table[ORDER_STATE_COUNT][ORDER_EV_COUNT] = {
    [ORDER_FREE] = {
        NOTHING(ORDER_EV_ACK), NOTHING(ORDER_EV_FILL), NOTHING(ORDER_EV_FILL_ALL), NOTHING(ORDER_EV_CANCELED),
        NOTHING(ORDER_EV_EXPIRED), NOTHING(ORDER_EV_REJECTED), NOTHING(ORDER_EV_NOT_PLACED),
        NOTHING(ORDER_EV_CANCEL_SENT), NOTHING(ORDER_EV_REPLACE_SENT), NOTHING(ORDER_EV_CANCEL_REJECTED),
        NOTHING(ORDER_EV_UNKNOWN), NOTHING(ORDER_EV_STATUS), NOTHING(ORDER_EV_STATUS_PROVEN),
    },
    [ORDER_SENT] = {
        [ORDER_EV_ACK]           = TO(ORDER_NEW),
        [ORDER_EV_FILL]          = TO(ORDER_PARTIALLY_FILLED), /* a fill may beat the acknowledgement           */
        [ORDER_EV_FILL_ALL]      = TO(ORDER_FILLED),
        [ORDER_EV_CANCELED]      = TO(ORDER_CANCELED),         /* so may a cancel                               */
        [ORDER_EV_EXPIRED]       = TO(ORDER_EXPIRED),          /* IOC, FOK                                      */
        [ORDER_EV_REJECTED]      = TO(ORDER_REJECTED),
        [ORDER_EV_NOT_PLACED]    = TO(ORDER_NOT_PLACED),       /* only before any sign of life                  */
        OWN_REQUESTS(ORDER_SENT),
        [ORDER_EV_STATUS]        = TO(ORDER_NEW),              /* the query found it                            */
        [ORDER_EV_STATUS_PROVEN] = TO(ORDER_NEW),
    },
    [ORDER_NEW] = {
        [ORDER_EV_ACK]           = { ORDER_NEW, ORDER_DUPLICATE }, /* response and private stream both say it   */
        [ORDER_EV_FILL]          = TO(ORDER_PARTIALLY_FILLED),
        [ORDER_EV_FILL_ALL]      = TO(ORDER_FILLED),
        [ORDER_EV_CANCELED]      = TO(ORDER_CANCELED),
        [ORDER_EV_EXPIRED]       = TO(ORDER_EXPIRED),
        [ORDER_EV_REJECTED]      = { ORDER_NEW, ORDER_CONFLICT },  /* it was accepted                           */
        [ORDER_EV_NOT_PLACED]    = { ORDER_NEW, ORDER_CONFLICT },
        OWN_REQUESTS(ORDER_NEW),
        [ORDER_EV_STATUS]        = TO(ORDER_NEW),
        [ORDER_EV_STATUS_PROVEN] = TO(ORDER_NEW),
    },
    [ORDER_PARTIALLY_FILLED] = {
        [ORDER_EV_ACK]           = { ORDER_PARTIALLY_FILLED, ORDER_DUPLICATE }, /* slower than the fill         */
        [ORDER_EV_FILL]          = TO(ORDER_PARTIALLY_FILLED),
        [ORDER_EV_FILL_ALL]      = TO(ORDER_FILLED),
        [ORDER_EV_CANCELED]      = TO(ORDER_CANCELED),                          /* the rest of it               */
        [ORDER_EV_EXPIRED]       = TO(ORDER_EXPIRED),
        [ORDER_EV_REJECTED]      = { ORDER_PARTIALLY_FILLED, ORDER_CONFLICT },
        [ORDER_EV_NOT_PLACED]    = { ORDER_PARTIALLY_FILLED, ORDER_CONFLICT },
        OWN_REQUESTS(ORDER_PARTIALLY_FILLED),
        [ORDER_EV_STATUS]        = TO(ORDER_PARTIALLY_FILLED),
        [ORDER_EV_STATUS_PROVEN] = TO(ORDER_PARTIALLY_FILLED),
    },
    [ORDER_FILLED]     = { ENDED(ORDER_FILLED) },
    [ORDER_CANCELED]   = { ENDED(ORDER_CANCELED) },
    [ORDER_EXPIRED]    = { ENDED(ORDER_EXPIRED) },
    [ORDER_REJECTED]   = { NEVER(ORDER_REJECTED) },
    [ORDER_DENIED]     = { NEVER(ORDER_DENIED) },
    [ORDER_NOT_PLACED] = { NEVER(ORDER_NOT_PLACED) },
};

/* The request after an event that left the order alive. Rows that are the same for both kinds of cancel share it. */
static const uint8_t request_table[REQUEST_STATE_COUNT][ORDER_EV_COUNT] = {
    [REQUEST_NONE] = {
        [ORDER_EV_CANCEL_SENT]   = REQUEST_CANCEL_IN_FLIGHT,
        [ORDER_EV_REPLACE_SENT]  = REQUEST_REPLACE_IN_FLIGHT,
        /* all else: nothing is in flight, so nothing becomes unknown */
    },
    [REQUEST_NEW_IN_FLIGHT] = {
        [ORDER_EV_ACK]           = REQUEST_NONE,
        [ORDER_EV_FILL]          = REQUEST_NONE,              /* a fill proves that it was accepted             */
        [ORDER_EV_CANCEL_SENT]   = REQUEST_CANCEL_IN_FLIGHT,  /* order state SENT still says: not confirmed     */
        [ORDER_EV_REPLACE_SENT]  = REQUEST_REPLACE_IN_FLIGHT,
        [ORDER_EV_CANCEL_REJECTED] = REQUEST_NEW_IN_FLIGHT,   /* not of this request                            */
        [ORDER_EV_UNKNOWN]       = REQUEST_NEW_UNKNOWN,
        [ORDER_EV_STATUS]        = REQUEST_NONE,
        [ORDER_EV_STATUS_PROVEN] = REQUEST_NONE,
        [ORDER_EV_REJECTED]      = REQUEST_NEW_IN_FLIGHT,     /* only as a conflict                             */
        [ORDER_EV_NOT_PLACED]    = REQUEST_NEW_IN_FLIGHT,
    },
    [REQUEST_NEW_UNKNOWN] = {
        [ORDER_EV_ACK]           = REQUEST_NONE,
        [ORDER_EV_FILL]          = REQUEST_NONE,
        [ORDER_EV_CANCEL_SENT]   = REQUEST_CANCEL_IN_FLIGHT,  /* ORDER_MARK_NEW_UNKNOWN stays                   */
        [ORDER_EV_REPLACE_SENT]  = REQUEST_REPLACE_IN_FLIGHT,
        [ORDER_EV_CANCEL_REJECTED] = REQUEST_NEW_UNKNOWN,
        [ORDER_EV_UNKNOWN]       = REQUEST_NEW_UNKNOWN,
        [ORDER_EV_STATUS]        = REQUEST_NONE,
        [ORDER_EV_STATUS_PROVEN] = REQUEST_NONE,
        [ORDER_EV_REJECTED]      = REQUEST_NEW_UNKNOWN,
        [ORDER_EV_NOT_PLACED]    = REQUEST_NEW_UNKNOWN,
    },
    [REQUEST_CANCEL_IN_FLIGHT] = {
        [ORDER_EV_ACK]           = REQUEST_CANCEL_IN_FLIGHT,  /* of the new order; the cancel is on its way     */
        [ORDER_EV_FILL]          = REQUEST_CANCEL_IN_FLIGHT,  /* fill beats cancel                              */
        [ORDER_EV_CANCEL_SENT]   = REQUEST_CANCEL_IN_FLIGHT,  /* cancels are safe to repeat                     */
        [ORDER_EV_REPLACE_SENT]  = REQUEST_REPLACE_IN_FLIGHT,
        [ORDER_EV_CANCEL_REJECTED] = REQUEST_NONE,
        [ORDER_EV_UNKNOWN]       = REQUEST_CANCEL_UNKNOWN,
        [ORDER_EV_STATUS]        = REQUEST_CANCEL_IN_FLIGHT,  /* it may still arrive                            */
        [ORDER_EV_STATUS_PROVEN] = REQUEST_NONE,              /* it can no longer arrive                        */
        [ORDER_EV_REJECTED]      = REQUEST_CANCEL_IN_FLIGHT,
        [ORDER_EV_NOT_PLACED]    = REQUEST_CANCEL_IN_FLIGHT,
    },
    [REQUEST_CANCEL_UNKNOWN] = {
        [ORDER_EV_ACK]           = REQUEST_CANCEL_UNKNOWN,
        [ORDER_EV_FILL]          = REQUEST_CANCEL_UNKNOWN,
        [ORDER_EV_CANCEL_SENT]   = REQUEST_CANCEL_IN_FLIGHT,
        [ORDER_EV_REPLACE_SENT]  = REQUEST_REPLACE_IN_FLIGHT,
        [ORDER_EV_CANCEL_REJECTED] = REQUEST_NONE,
        [ORDER_EV_UNKNOWN]       = REQUEST_CANCEL_UNKNOWN,
        [ORDER_EV_STATUS]        = REQUEST_CANCEL_UNKNOWN,
        [ORDER_EV_STATUS_PROVEN] = REQUEST_NONE,
        [ORDER_EV_REJECTED]      = REQUEST_CANCEL_UNKNOWN,
        [ORDER_EV_NOT_PLACED]    = REQUEST_CANCEL_UNKNOWN,
    },
    [REQUEST_REPLACE_IN_FLIGHT] = {
        [ORDER_EV_ACK]           = REQUEST_REPLACE_IN_FLIGHT,
        [ORDER_EV_FILL]          = REQUEST_REPLACE_IN_FLIGHT,
        [ORDER_EV_CANCEL_SENT]   = REQUEST_CANCEL_IN_FLIGHT,  /* the replacing order has its own request        */
        [ORDER_EV_REPLACE_SENT]  = REQUEST_REPLACE_IN_FLIGHT,
        [ORDER_EV_CANCEL_REJECTED] = REQUEST_NONE,
        [ORDER_EV_UNKNOWN]       = REQUEST_REPLACE_UNKNOWN,
        [ORDER_EV_STATUS]        = REQUEST_REPLACE_IN_FLIGHT,
        [ORDER_EV_STATUS_PROVEN] = REQUEST_NONE,
        [ORDER_EV_REJECTED]      = REQUEST_REPLACE_IN_FLIGHT,
        [ORDER_EV_NOT_PLACED]    = REQUEST_REPLACE_IN_FLIGHT,
    },
    [REQUEST_REPLACE_UNKNOWN] = {
        [ORDER_EV_ACK]           = REQUEST_REPLACE_UNKNOWN,
        [ORDER_EV_FILL]          = REQUEST_REPLACE_UNKNOWN,
        [ORDER_EV_CANCEL_SENT]   = REQUEST_CANCEL_IN_FLIGHT,
        [ORDER_EV_REPLACE_SENT]  = REQUEST_REPLACE_IN_FLIGHT,
        [ORDER_EV_CANCEL_REJECTED] = REQUEST_NONE,
        [ORDER_EV_UNKNOWN]       = REQUEST_REPLACE_UNKNOWN,
        [ORDER_EV_STATUS]        = REQUEST_REPLACE_UNKNOWN,
        [ORDER_EV_STATUS_PROVEN] = REQUEST_NONE,
        [ORDER_EV_REJECTED]      = REQUEST_REPLACE_UNKNOWN,
        [ORDER_EV_NOT_PLACED]    = REQUEST_REPLACE_UNKNOWN,
    },
};
/* clang-format on */

struct order_step
order_state_step(enum order_state state, enum order_event_kind ev)
{
    ASSERT((unsigned)state < ORDER_STATE_COUNT && (unsigned)ev < ORDER_EV_COUNT);
    return state_table[state][ev];
}

enum request_state
request_state_step(enum request_state request, enum order_event_kind ev, enum order_state after)
{
    ASSERT((unsigned)request < REQUEST_STATE_COUNT && (unsigned)ev < ORDER_EV_COUNT);
    if (after == ORDER_FREE || order_state_terminal(after))
        return REQUEST_NONE;
    enum request_state next = (enum request_state)request_table[request][ev];
    /* A refused cancel of an order that was never confirmed: "unknown order" may mean that it was never accepted. */
    if (after == ORDER_SENT && next == REQUEST_NONE)
        return REQUEST_NEW_UNKNOWN;
    return next;
}

const char *
order_shown_state(enum order_state state, enum request_state request, bool new_unknown)
{
    static const char *const word[ORDER_STATE_COUNT] = {
        [ORDER_FREE] = "NONE",       [ORDER_SENT] = "PENDING_NEW",
        [ORDER_NEW] = "NEW",         [ORDER_PARTIALLY_FILLED] = "PARTIALLY_FILLED",
        [ORDER_FILLED] = "FILLED",   [ORDER_CANCELED] = "CANCELED",
        [ORDER_EXPIRED] = "EXPIRED", [ORDER_REJECTED] = "REJECTED",
        [ORDER_DENIED] = "DENIED",   [ORDER_NOT_PLACED] = "NOT_PLACED",
    };

    if ((unsigned)state >= ORDER_STATE_COUNT)
        return "?";
    if (order_state_terminal(state))
        return word[state];
    if (new_unknown || request_state_unknown(request))
        return "UNKNOWN";
    if (request == REQUEST_CANCEL_IN_FLIGHT)
        return "PENDING_CANCEL";
    if (request == REQUEST_REPLACE_IN_FLIGHT)
        return "PENDING_REPLACE";
    return word[state];
}

const char *
order_event_text(enum order_event_kind ev)
{
    static const char *const text[] = {
#define X(name, t) t,
        ORDER_EVENTS(X)
#undef X
    };
    return (unsigned)ev < ORDER_EV_COUNT ? text[ev] : "?";
}

const char *
order_outcome_text(enum order_outcome o)
{
    static const char *const text[] = {
#define X(name, label, t) label,
        ORDER_OUTCOMES(X)
#undef X
    };
    return (unsigned)o < ORDER_OUTCOME_COUNT ? text[o] : "?";
}
