/* The transition table. See order_state.h. Rules follow FIX 4.4 Appendix D where it speaks, and what venues do. */
#include "engine/oms/order_state.h"

#define ON(ev, after, req, out, why) [ORDER_EV_##ev] = { ORDER_##after, REQUEST_##req, ORDER_##out, RULE_##why }
#define ROW(state, request)          [state][request]

/* Over and done at the venue, after it had the order. */
#define ENDED(s)                                                                                                     \
    {                                                                                                                \
        ON(ACK, s, NONE, DUPLICATE, STATUS_OLDER), ON(FILL, s, NONE, LATE, FILL_LATE),                               \
            ON(FILL_ALL, s, NONE, LATE, FILL_LATE), ON(CANCELED, s, NONE, DUPLICATE, END_TWICE),                     \
            ON(EXPIRED, s, NONE, DUPLICATE, END_TWICE), ON(REJECTED, s, NONE, CONFLICT, WAS_ACCEPTED),               \
            ON(NOT_PLACED, s, NONE, CONFLICT, WAS_ACCEPTED), ON(CANCEL_SENT, s, NONE, DUPLICATE, CROSSED_END),       \
            ON(REPLACE_SENT, s, NONE, DUPLICATE, CROSSED_END), ON(CANCEL_REJECTED, s, NONE, DUPLICATE, TOO_LATE),    \
            ON(UNKNOWN, s, NONE, DUPLICATE, LOST_NO_MATTER), ON(STATUS, s, NONE, DUPLICATE, STATUS_OLDER),           \
            ON(STATUS_PROVEN, s, NONE, CONFLICT, WORKS_AFTER_END), ON(AMENDED, s, NONE, DUPLICATE, AMEND_AFTER_END), \
            ON(AMENDED_BY_OTHER, s, NONE, DUPLICATE, AMEND_AFTER_END),                                               \
            ON(AMEND_REJECTED, s, NONE, DUPLICATE, TOO_LATE),                                                        \
    }

/* Never at the venue, as far as was proven. */
#define NEVER(s)                                                                                                      \
    {                                                                                                                 \
        ON(ACK, s, NONE, CONFLICT, LIFE_OF_NEVER), ON(FILL, s, NONE, LATE, FILL_OF_NEVER),                            \
            ON(FILL_ALL, s, NONE, LATE, FILL_OF_NEVER), ON(CANCELED, s, NONE, CONFLICT, LIFE_OF_NEVER),               \
            ON(EXPIRED, s, NONE, CONFLICT, LIFE_OF_NEVER), ON(REJECTED, s, NONE, DUPLICATE, NEVER_TWICE),             \
            ON(NOT_PLACED, s, NONE, DUPLICATE, NEVER_TWICE), ON(CANCEL_SENT, s, NONE, DUPLICATE, CROSSED_END),        \
            ON(REPLACE_SENT, s, NONE, DUPLICATE, CROSSED_END), ON(CANCEL_REJECTED, s, NONE, DUPLICATE, TOO_LATE),     \
            ON(UNKNOWN, s, NONE, DUPLICATE, LOST_NO_MATTER), ON(STATUS, s, NONE, CONFLICT, LIFE_OF_NEVER),            \
            ON(STATUS_PROVEN, s, NONE, CONFLICT, LIFE_OF_NEVER), ON(AMENDED, s, NONE, CONFLICT, LIFE_OF_NEVER),       \
            ON(AMENDED_BY_OTHER, s, NONE, CONFLICT, LIFE_OF_NEVER), ON(AMEND_REJECTED, s, NONE, DUPLICATE, TOO_LATE), \
    }

/* Pairs without a row are RULE_NONE throughout: no order is in them. */
/* clang-format off */
static const struct order_step table[ORDER_STATE_COUNT][REQUEST_STATE_COUNT][ORDER_EV_COUNT] = {
    ROW(ORDER_SENT, REQUEST_NEW_IN_FLIGHT) = {
        ON(ACK,               NEW,              NONE,              APPLIED,   BORN),
        ON(FILL,              PARTIALLY_FILLED, NONE,              APPLIED,   FILL_BEATS_ACK),
        ON(FILL_ALL,          FILLED,           NONE,              APPLIED,   FILL_BEATS_ACK),
        ON(CANCELED,          CANCELED,         NONE,              APPLIED,   CANCEL_BEATS_ACK),
        ON(EXPIRED,           EXPIRED,          NONE,              APPLIED,   EXPIRED),
        ON(REJECTED,          REJECTED,         NONE,              APPLIED,   REFUSED),
        ON(NOT_PLACED,        NOT_PLACED,       NONE,              APPLIED,   NEVER_ARRIVED),
        ON(CANCEL_SENT,       SENT,             CANCEL_IN_FLIGHT,  APPLIED,   CANCEL_BEFORE_ACK),
        ON(REPLACE_SENT,      SENT,             REPLACE_IN_FLIGHT, APPLIED,   REPLACE_OVER_REQUEST),
        ON(CANCEL_REJECTED,   SENT,             NEW_IN_FLIGHT,     APPLIED,   REFUSAL_OF_ANOTHER),
        ON(UNKNOWN,           SENT,             NEW_UNKNOWN,       APPLIED,   LOST),
        ON(STATUS,            NEW,              NONE,              APPLIED,   FOUND),
        ON(STATUS_PROVEN,     NEW,              NONE,              APPLIED,   FOUND),
        ON(AMENDED,           NEW,              NONE,              APPLIED,   AMEND_BEATS_ACK),
        ON(AMENDED_BY_OTHER,  NEW,              NONE,              APPLIED,   AMENDED_BY_OTHER),
        ON(AMEND_REJECTED,    SENT,             NEW_IN_FLIGHT,     DUPLICATE, REFUSAL_OF_ANOTHER),
    },
    ROW(ORDER_SENT, REQUEST_NEW_UNKNOWN) = {
        ON(ACK,               NEW,              NONE,              APPLIED,   BORN),
        ON(FILL,              PARTIALLY_FILLED, NONE,              APPLIED,   FILL_BEATS_ACK),
        ON(FILL_ALL,          FILLED,           NONE,              APPLIED,   FILL_BEATS_ACK),
        ON(CANCELED,          CANCELED,         NONE,              APPLIED,   CANCEL_BEATS_ACK),
        ON(EXPIRED,           EXPIRED,          NONE,              APPLIED,   EXPIRED),
        ON(REJECTED,          REJECTED,         NONE,              APPLIED,   REFUSED),
        ON(NOT_PLACED,        NOT_PLACED,       NONE,              APPLIED,   NEVER_ARRIVED),
        ON(CANCEL_SENT,       SENT,             CANCEL_IN_FLIGHT,  APPLIED,   CANCEL_BEFORE_ACK),
        ON(REPLACE_SENT,      SENT,             REPLACE_IN_FLIGHT, APPLIED,   REPLACE_OVER_REQUEST),
        ON(CANCEL_REJECTED,   SENT,             NEW_UNKNOWN,       APPLIED,   REFUSAL_OF_ANOTHER),
        ON(UNKNOWN,           SENT,             NEW_UNKNOWN,       APPLIED,   LOST),
        ON(STATUS,            NEW,              NONE,              APPLIED,   FOUND),
        ON(STATUS_PROVEN,     NEW,              NONE,              APPLIED,   FOUND),
        ON(AMENDED,           NEW,              NONE,              APPLIED,   AMEND_BEATS_ACK),
        ON(AMENDED_BY_OTHER,  NEW,              NONE,              APPLIED,   AMENDED_BY_OTHER),
        ON(AMEND_REJECTED,    SENT,             NEW_UNKNOWN,       DUPLICATE, REFUSAL_OF_ANOTHER),
    },
    ROW(ORDER_SENT, REQUEST_CANCEL_IN_FLIGHT) = {
        ON(ACK,               NEW,              CANCEL_IN_FLIGHT,  APPLIED,   BORN_LATER),
        ON(FILL,              PARTIALLY_FILLED, CANCEL_IN_FLIGHT,  APPLIED,   FILL_BEATS_ACK),
        ON(FILL_ALL,          FILLED,           NONE,              APPLIED,   FILL_BEATS_ACK),
        ON(CANCELED,          CANCELED,         NONE,              APPLIED,   CANCELED),
        ON(EXPIRED,           EXPIRED,          NONE,              APPLIED,   END_BEATS_REQUEST),
        ON(REJECTED,          REJECTED,         NONE,              APPLIED,   REFUSED),
        ON(NOT_PLACED,        NOT_PLACED,       NONE,              APPLIED,   NEVER_ARRIVED),
        ON(CANCEL_SENT,       SENT,             CANCEL_IN_FLIGHT,  APPLIED,   CANCEL_AGAIN),
        ON(REPLACE_SENT,      SENT,             REPLACE_IN_FLIGHT, APPLIED,   REPLACE_OVER_REQUEST),
        ON(CANCEL_REJECTED,   SENT,             NEW_UNKNOWN,       APPLIED,   CANCEL_REFUSED_UNBORN),
        ON(UNKNOWN,           SENT,             CANCEL_UNKNOWN,    APPLIED,   LOST),
        ON(STATUS,            NEW,              CANCEL_IN_FLIGHT,  APPLIED,   FOUND),
        ON(STATUS_PROVEN,     NEW,              NONE,              APPLIED,   FOUND),
        ON(AMENDED,           NEW,              CANCEL_IN_FLIGHT,  APPLIED,   AMEND_BEATS_ACK),
        ON(AMENDED_BY_OTHER,  NEW,              CANCEL_IN_FLIGHT,  APPLIED,   AMENDED_BY_OTHER),
        ON(AMEND_REJECTED,    SENT,             CANCEL_IN_FLIGHT,  APPLIED,   AMEND_REFUSED_CANCELING),
    },
    ROW(ORDER_SENT, REQUEST_CANCEL_UNKNOWN) = {
        ON(ACK,               NEW,              CANCEL_UNKNOWN,    APPLIED,   BORN_LATER),
        ON(FILL,              PARTIALLY_FILLED, CANCEL_UNKNOWN,    APPLIED,   FILL_BEATS_ACK),
        ON(FILL_ALL,          FILLED,           NONE,              APPLIED,   FILL_BEATS_ACK),
        ON(CANCELED,          CANCELED,         NONE,              APPLIED,   CANCELED),
        ON(EXPIRED,           EXPIRED,          NONE,              APPLIED,   END_BEATS_REQUEST),
        ON(REJECTED,          REJECTED,         NONE,              APPLIED,   REFUSED),
        ON(NOT_PLACED,        NOT_PLACED,       NONE,              APPLIED,   NEVER_ARRIVED),
        ON(CANCEL_SENT,       SENT,             CANCEL_IN_FLIGHT,  APPLIED,   CANCEL_AGAIN),
        ON(REPLACE_SENT,      SENT,             REPLACE_IN_FLIGHT, APPLIED,   REPLACE_OVER_REQUEST),
        ON(CANCEL_REJECTED,   SENT,             NEW_UNKNOWN,       APPLIED,   CANCEL_REFUSED_UNBORN),
        ON(UNKNOWN,           SENT,             CANCEL_UNKNOWN,    APPLIED,   LOST),
        ON(STATUS,            NEW,              CANCEL_UNKNOWN,    APPLIED,   FOUND),
        ON(STATUS_PROVEN,     NEW,              NONE,              APPLIED,   FOUND),
        ON(AMENDED,           NEW,              CANCEL_UNKNOWN,    APPLIED,   AMEND_BEATS_ACK),
        ON(AMENDED_BY_OTHER,  NEW,              CANCEL_UNKNOWN,    APPLIED,   AMENDED_BY_OTHER),
        ON(AMEND_REJECTED,    SENT,             CANCEL_UNKNOWN,    APPLIED,   AMEND_REFUSED_CANCELING),
    },
    ROW(ORDER_SENT, REQUEST_REPLACE_IN_FLIGHT) = {
        ON(ACK,               NEW,              REPLACE_IN_FLIGHT, APPLIED,   BORN_LATER),
        ON(FILL,              PARTIALLY_FILLED, REPLACE_IN_FLIGHT, APPLIED,   FILL_BEATS_ACK),
        ON(FILL_ALL,          FILLED,           NONE,              APPLIED,   FILL_BEATS_ACK),
        ON(CANCELED,          CANCELED,         NONE,              APPLIED,   REPLACED),
        ON(EXPIRED,           EXPIRED,          NONE,              APPLIED,   END_BEATS_REQUEST),
        ON(REJECTED,          REJECTED,         NONE,              APPLIED,   REFUSED),
        ON(NOT_PLACED,        NOT_PLACED,       NONE,              APPLIED,   NEVER_ARRIVED),
        ON(CANCEL_SENT,       SENT,             CANCEL_IN_FLIGHT,  APPLIED,   CANCEL_OVER_REPLACE),
        ON(REPLACE_SENT,      SENT,             REPLACE_IN_FLIGHT, APPLIED,   REPLACE_OVER_REQUEST),
        ON(CANCEL_REJECTED,   SENT,             NEW_UNKNOWN,       APPLIED,   CANCEL_REFUSED_UNBORN),
        ON(UNKNOWN,           SENT,             REPLACE_UNKNOWN,   APPLIED,   LOST),
        ON(STATUS,            NEW,              REPLACE_IN_FLIGHT, APPLIED,   FOUND),
        ON(STATUS_PROVEN,     NEW,              NONE,              APPLIED,   FOUND),
        ON(AMENDED,           NEW,              NONE,              APPLIED,   AMEND_BEATS_ACK),
        ON(AMENDED_BY_OTHER,  NEW,              REPLACE_IN_FLIGHT, APPLIED,   AMENDED_BY_OTHER),
        ON(AMEND_REJECTED,    SENT,             NEW_UNKNOWN,       APPLIED,   CANCEL_REFUSED_UNBORN),
    },
    ROW(ORDER_SENT, REQUEST_REPLACE_UNKNOWN) = {
        ON(ACK,               NEW,              REPLACE_UNKNOWN,   APPLIED,   BORN_LATER),
        ON(FILL,              PARTIALLY_FILLED, REPLACE_UNKNOWN,   APPLIED,   FILL_BEATS_ACK),
        ON(FILL_ALL,          FILLED,           NONE,              APPLIED,   FILL_BEATS_ACK),
        ON(CANCELED,          CANCELED,         NONE,              APPLIED,   REPLACED),
        ON(EXPIRED,           EXPIRED,          NONE,              APPLIED,   END_BEATS_REQUEST),
        ON(REJECTED,          REJECTED,         NONE,              APPLIED,   REFUSED),
        ON(NOT_PLACED,        NOT_PLACED,       NONE,              APPLIED,   NEVER_ARRIVED),
        ON(CANCEL_SENT,       SENT,             CANCEL_IN_FLIGHT,  APPLIED,   CANCEL_OVER_REPLACE),
        ON(REPLACE_SENT,      SENT,             REPLACE_IN_FLIGHT, APPLIED,   REPLACE_OVER_REQUEST),
        ON(CANCEL_REJECTED,   SENT,             NEW_UNKNOWN,       APPLIED,   CANCEL_REFUSED_UNBORN),
        ON(UNKNOWN,           SENT,             REPLACE_UNKNOWN,   APPLIED,   LOST),
        ON(STATUS,            NEW,              REPLACE_UNKNOWN,   APPLIED,   FOUND),
        ON(STATUS_PROVEN,     NEW,              NONE,              APPLIED,   FOUND),
        ON(AMENDED,           NEW,              NONE,              APPLIED,   AMEND_BEATS_ACK),
        ON(AMENDED_BY_OTHER,  NEW,              REPLACE_UNKNOWN,   APPLIED,   AMENDED_BY_OTHER),
        ON(AMEND_REJECTED,    SENT,             NEW_UNKNOWN,       APPLIED,   CANCEL_REFUSED_UNBORN),
    },
    ROW(ORDER_NEW, REQUEST_NONE) = {
        ON(ACK,               NEW,              NONE,              DUPLICATE, ACK_TWICE),
        ON(FILL,              PARTIALLY_FILLED, NONE,              APPLIED,   FILL),
        ON(FILL_ALL,          FILLED,           NONE,              APPLIED,   FILL_ALL),
        ON(CANCELED,          CANCELED,         NONE,              APPLIED,   CANCELED_UNASKED),
        ON(EXPIRED,           EXPIRED,          NONE,              APPLIED,   EXPIRED),
        ON(REJECTED,          NEW,              NONE,              CONFLICT,  WAS_ACCEPTED),
        ON(NOT_PLACED,        NEW,              NONE,              CONFLICT,  WAS_ACCEPTED),
        ON(CANCEL_SENT,       NEW,              CANCEL_IN_FLIGHT,  APPLIED,   ASKED),
        ON(REPLACE_SENT,      NEW,              REPLACE_IN_FLIGHT, APPLIED,   ASKED),
        ON(CANCEL_REJECTED,   NEW,              NONE,              APPLIED,   REFUSAL_OF_ANOTHER),
        ON(UNKNOWN,           NEW,              NONE,              APPLIED,   NOTHING_LOST),
        ON(STATUS,            NEW,              NONE,              APPLIED,   STATUS),
        ON(STATUS_PROVEN,     NEW,              NONE,              APPLIED,   STATUS),
        ON(AMENDED,           NEW,              NONE,              APPLIED,   AMENDED_LATE),
        ON(AMENDED_BY_OTHER,  NEW,              NONE,              APPLIED,   AMENDED_BY_OTHER),
        ON(AMEND_REJECTED,    NEW,              NONE,              DUPLICATE, REFUSAL_OF_ANOTHER),
    },
    ROW(ORDER_NEW, REQUEST_CANCEL_IN_FLIGHT) = {
        ON(ACK,               NEW,              CANCEL_IN_FLIGHT,  DUPLICATE, ACK_TWICE),
        ON(FILL,              PARTIALLY_FILLED, CANCEL_IN_FLIGHT,  APPLIED,   FILL_BEATS_CANCEL),
        ON(FILL_ALL,          FILLED,           NONE,              APPLIED,   FILL_BEATS_CANCEL),
        ON(CANCELED,          CANCELED,         NONE,              APPLIED,   CANCELED),
        ON(EXPIRED,           EXPIRED,          NONE,              APPLIED,   END_BEATS_REQUEST),
        ON(REJECTED,          NEW,              CANCEL_IN_FLIGHT,  CONFLICT,  WAS_ACCEPTED),
        ON(NOT_PLACED,        NEW,              CANCEL_IN_FLIGHT,  CONFLICT,  WAS_ACCEPTED),
        ON(CANCEL_SENT,       NEW,              CANCEL_IN_FLIGHT,  APPLIED,   CANCEL_AGAIN),
        ON(REPLACE_SENT,      NEW,              REPLACE_IN_FLIGHT, APPLIED,   REPLACE_OVER_REQUEST),
        ON(CANCEL_REJECTED,   NEW,              NONE,              APPLIED,   CANCEL_REFUSED),
        ON(UNKNOWN,           NEW,              CANCEL_UNKNOWN,    APPLIED,   LOST),
        ON(STATUS,            NEW,              CANCEL_IN_FLIGHT,  APPLIED,   STATUS_TOO_EARLY),
        ON(STATUS_PROVEN,     NEW,              NONE,              APPLIED,   STATUS_PROVES),
        ON(AMENDED,           NEW,              CANCEL_IN_FLIGHT,  APPLIED,   AMEND_BEATS_CANCEL),
        ON(AMENDED_BY_OTHER,  NEW,              CANCEL_IN_FLIGHT,  APPLIED,   AMENDED_BY_OTHER),
        ON(AMEND_REJECTED,    NEW,              CANCEL_IN_FLIGHT,  APPLIED,   AMEND_REFUSED_CANCELING),
    },
    ROW(ORDER_NEW, REQUEST_CANCEL_UNKNOWN) = {
        ON(ACK,               NEW,              CANCEL_UNKNOWN,    DUPLICATE, ACK_TWICE),
        ON(FILL,              PARTIALLY_FILLED, CANCEL_UNKNOWN,    APPLIED,   FILL_BEATS_CANCEL),
        ON(FILL_ALL,          FILLED,           NONE,              APPLIED,   FILL_BEATS_CANCEL),
        ON(CANCELED,          CANCELED,         NONE,              APPLIED,   CANCELED),
        ON(EXPIRED,           EXPIRED,          NONE,              APPLIED,   END_BEATS_REQUEST),
        ON(REJECTED,          NEW,              CANCEL_UNKNOWN,    CONFLICT,  WAS_ACCEPTED),
        ON(NOT_PLACED,        NEW,              CANCEL_UNKNOWN,    CONFLICT,  WAS_ACCEPTED),
        ON(CANCEL_SENT,       NEW,              CANCEL_IN_FLIGHT,  APPLIED,   CANCEL_AGAIN),
        ON(REPLACE_SENT,      NEW,              REPLACE_IN_FLIGHT, APPLIED,   REPLACE_OVER_REQUEST),
        ON(CANCEL_REJECTED,   NEW,              NONE,              APPLIED,   CANCEL_REFUSED),
        ON(UNKNOWN,           NEW,              CANCEL_UNKNOWN,    APPLIED,   LOST),
        ON(STATUS,            NEW,              CANCEL_UNKNOWN,    APPLIED,   STATUS_TOO_EARLY),
        ON(STATUS_PROVEN,     NEW,              NONE,              APPLIED,   STATUS_PROVES),
        ON(AMENDED,           NEW,              CANCEL_UNKNOWN,    APPLIED,   AMEND_BEATS_CANCEL),
        ON(AMENDED_BY_OTHER,  NEW,              CANCEL_UNKNOWN,    APPLIED,   AMENDED_BY_OTHER),
        ON(AMEND_REJECTED,    NEW,              CANCEL_UNKNOWN,    APPLIED,   AMEND_REFUSED_CANCELING),
    },
    ROW(ORDER_NEW, REQUEST_REPLACE_IN_FLIGHT) = {
        ON(ACK,               NEW,              REPLACE_IN_FLIGHT, DUPLICATE, ACK_TWICE),
        ON(FILL,              PARTIALLY_FILLED, REPLACE_IN_FLIGHT, APPLIED,   FILL_BEATS_REPLACE),
        ON(FILL_ALL,          FILLED,           NONE,              APPLIED,   FILL_BEATS_REPLACE),
        ON(CANCELED,          CANCELED,         NONE,              APPLIED,   REPLACED),
        ON(EXPIRED,           EXPIRED,          NONE,              APPLIED,   END_BEATS_REQUEST),
        ON(REJECTED,          NEW,              REPLACE_IN_FLIGHT, CONFLICT,  WAS_ACCEPTED),
        ON(NOT_PLACED,        NEW,              REPLACE_IN_FLIGHT, CONFLICT,  WAS_ACCEPTED),
        ON(CANCEL_SENT,       NEW,              CANCEL_IN_FLIGHT,  APPLIED,   CANCEL_OVER_REPLACE),
        ON(REPLACE_SENT,      NEW,              REPLACE_IN_FLIGHT, APPLIED,   REPLACE_OVER_REQUEST),
        ON(CANCEL_REJECTED,   NEW,              NONE,              APPLIED,   CANCEL_REFUSED),
        ON(UNKNOWN,           NEW,              REPLACE_UNKNOWN,   APPLIED,   LOST),
        ON(STATUS,            NEW,              REPLACE_IN_FLIGHT, APPLIED,   STATUS_TOO_EARLY),
        ON(STATUS_PROVEN,     NEW,              NONE,              APPLIED,   STATUS_PROVES),
        ON(AMENDED,           NEW,              NONE,              APPLIED,   AMENDED),
        ON(AMENDED_BY_OTHER,  NEW,              REPLACE_IN_FLIGHT, APPLIED,   AMENDED_BY_OTHER),
        ON(AMEND_REJECTED,    NEW,              NONE,              APPLIED,   AMEND_REFUSED),
    },
    ROW(ORDER_NEW, REQUEST_REPLACE_UNKNOWN) = {
        ON(ACK,               NEW,              REPLACE_UNKNOWN,   DUPLICATE, ACK_TWICE),
        ON(FILL,              PARTIALLY_FILLED, REPLACE_UNKNOWN,   APPLIED,   FILL_BEATS_REPLACE),
        ON(FILL_ALL,          FILLED,           NONE,              APPLIED,   FILL_BEATS_REPLACE),
        ON(CANCELED,          CANCELED,         NONE,              APPLIED,   REPLACED),
        ON(EXPIRED,           EXPIRED,          NONE,              APPLIED,   END_BEATS_REQUEST),
        ON(REJECTED,          NEW,              REPLACE_UNKNOWN,   CONFLICT,  WAS_ACCEPTED),
        ON(NOT_PLACED,        NEW,              REPLACE_UNKNOWN,   CONFLICT,  WAS_ACCEPTED),
        ON(CANCEL_SENT,       NEW,              CANCEL_IN_FLIGHT,  APPLIED,   CANCEL_OVER_REPLACE),
        ON(REPLACE_SENT,      NEW,              REPLACE_IN_FLIGHT, APPLIED,   REPLACE_OVER_REQUEST),
        ON(CANCEL_REJECTED,   NEW,              NONE,              APPLIED,   CANCEL_REFUSED),
        ON(UNKNOWN,           NEW,              REPLACE_UNKNOWN,   APPLIED,   LOST),
        ON(STATUS,            NEW,              REPLACE_UNKNOWN,   APPLIED,   STATUS_TOO_EARLY),
        ON(STATUS_PROVEN,     NEW,              NONE,              APPLIED,   STATUS_PROVES),
        ON(AMENDED,           NEW,              NONE,              APPLIED,   AMENDED),
        ON(AMENDED_BY_OTHER,  NEW,              REPLACE_UNKNOWN,   APPLIED,   AMENDED_BY_OTHER),
        ON(AMEND_REJECTED,    NEW,              NONE,              APPLIED,   AMEND_REFUSED),
    },
    ROW(ORDER_PARTIALLY_FILLED, REQUEST_NONE) = {
        ON(ACK,               PARTIALLY_FILLED, NONE,              DUPLICATE, FILL_BEAT_ACK),
        ON(FILL,              PARTIALLY_FILLED, NONE,              APPLIED,   FILL),
        ON(FILL_ALL,          FILLED,           NONE,              APPLIED,   FILL_ALL),
        ON(CANCELED,          CANCELED,         NONE,              APPLIED,   CANCELED_UNASKED),
        ON(EXPIRED,           EXPIRED,          NONE,              APPLIED,   EXPIRED),
        ON(REJECTED,          PARTIALLY_FILLED, NONE,              CONFLICT,  WAS_ACCEPTED),
        ON(NOT_PLACED,        PARTIALLY_FILLED, NONE,              CONFLICT,  WAS_ACCEPTED),
        ON(CANCEL_SENT,       PARTIALLY_FILLED, CANCEL_IN_FLIGHT,  APPLIED,   ASKED),
        ON(REPLACE_SENT,      PARTIALLY_FILLED, REPLACE_IN_FLIGHT, APPLIED,   ASKED),
        ON(CANCEL_REJECTED,   PARTIALLY_FILLED, NONE,              APPLIED,   REFUSAL_OF_ANOTHER),
        ON(UNKNOWN,           PARTIALLY_FILLED, NONE,              APPLIED,   NOTHING_LOST),
        ON(STATUS,            PARTIALLY_FILLED, NONE,              APPLIED,   STATUS),
        ON(STATUS_PROVEN,     PARTIALLY_FILLED, NONE,              APPLIED,   STATUS),
        ON(AMENDED,           PARTIALLY_FILLED, NONE,              APPLIED,   AMENDED_LATE),
        ON(AMENDED_BY_OTHER,  PARTIALLY_FILLED, NONE,              APPLIED,   AMENDED_BY_OTHER),
        ON(AMEND_REJECTED,    PARTIALLY_FILLED, NONE,              DUPLICATE, REFUSAL_OF_ANOTHER),
    },
    ROW(ORDER_PARTIALLY_FILLED, REQUEST_CANCEL_IN_FLIGHT) = {
        ON(ACK,               PARTIALLY_FILLED, CANCEL_IN_FLIGHT,  DUPLICATE, FILL_BEAT_ACK),
        ON(FILL,              PARTIALLY_FILLED, CANCEL_IN_FLIGHT,  APPLIED,   FILL_BEATS_CANCEL),
        ON(FILL_ALL,          FILLED,           NONE,              APPLIED,   FILL_BEATS_CANCEL),
        ON(CANCELED,          CANCELED,         NONE,              APPLIED,   CANCELED),
        ON(EXPIRED,           EXPIRED,          NONE,              APPLIED,   END_BEATS_REQUEST),
        ON(REJECTED,          PARTIALLY_FILLED, CANCEL_IN_FLIGHT,  CONFLICT,  WAS_ACCEPTED),
        ON(NOT_PLACED,        PARTIALLY_FILLED, CANCEL_IN_FLIGHT,  CONFLICT,  WAS_ACCEPTED),
        ON(CANCEL_SENT,       PARTIALLY_FILLED, CANCEL_IN_FLIGHT,  APPLIED,   CANCEL_AGAIN),
        ON(REPLACE_SENT,      PARTIALLY_FILLED, REPLACE_IN_FLIGHT, APPLIED,   REPLACE_OVER_REQUEST),
        ON(CANCEL_REJECTED,   PARTIALLY_FILLED, NONE,              APPLIED,   CANCEL_REFUSED),
        ON(UNKNOWN,           PARTIALLY_FILLED, CANCEL_UNKNOWN,    APPLIED,   LOST),
        ON(STATUS,            PARTIALLY_FILLED, CANCEL_IN_FLIGHT,  APPLIED,   STATUS_TOO_EARLY),
        ON(STATUS_PROVEN,     PARTIALLY_FILLED, NONE,              APPLIED,   STATUS_PROVES),
        ON(AMENDED,           PARTIALLY_FILLED, CANCEL_IN_FLIGHT,  APPLIED,   AMEND_BEATS_CANCEL),
        ON(AMENDED_BY_OTHER,  PARTIALLY_FILLED, CANCEL_IN_FLIGHT,  APPLIED,   AMENDED_BY_OTHER),
        ON(AMEND_REJECTED,    PARTIALLY_FILLED, CANCEL_IN_FLIGHT,  APPLIED,   AMEND_REFUSED_CANCELING),
    },
    ROW(ORDER_PARTIALLY_FILLED, REQUEST_CANCEL_UNKNOWN) = {
        ON(ACK,               PARTIALLY_FILLED, CANCEL_UNKNOWN,    DUPLICATE, FILL_BEAT_ACK),
        ON(FILL,              PARTIALLY_FILLED, CANCEL_UNKNOWN,    APPLIED,   FILL_BEATS_CANCEL),
        ON(FILL_ALL,          FILLED,           NONE,              APPLIED,   FILL_BEATS_CANCEL),
        ON(CANCELED,          CANCELED,         NONE,              APPLIED,   CANCELED),
        ON(EXPIRED,           EXPIRED,          NONE,              APPLIED,   END_BEATS_REQUEST),
        ON(REJECTED,          PARTIALLY_FILLED, CANCEL_UNKNOWN,    CONFLICT,  WAS_ACCEPTED),
        ON(NOT_PLACED,        PARTIALLY_FILLED, CANCEL_UNKNOWN,    CONFLICT,  WAS_ACCEPTED),
        ON(CANCEL_SENT,       PARTIALLY_FILLED, CANCEL_IN_FLIGHT,  APPLIED,   CANCEL_AGAIN),
        ON(REPLACE_SENT,      PARTIALLY_FILLED, REPLACE_IN_FLIGHT, APPLIED,   REPLACE_OVER_REQUEST),
        ON(CANCEL_REJECTED,   PARTIALLY_FILLED, NONE,              APPLIED,   CANCEL_REFUSED),
        ON(UNKNOWN,           PARTIALLY_FILLED, CANCEL_UNKNOWN,    APPLIED,   LOST),
        ON(STATUS,            PARTIALLY_FILLED, CANCEL_UNKNOWN,    APPLIED,   STATUS_TOO_EARLY),
        ON(STATUS_PROVEN,     PARTIALLY_FILLED, NONE,              APPLIED,   STATUS_PROVES),
        ON(AMENDED,           PARTIALLY_FILLED, CANCEL_UNKNOWN,    APPLIED,   AMEND_BEATS_CANCEL),
        ON(AMENDED_BY_OTHER,  PARTIALLY_FILLED, CANCEL_UNKNOWN,    APPLIED,   AMENDED_BY_OTHER),
        ON(AMEND_REJECTED,    PARTIALLY_FILLED, CANCEL_UNKNOWN,    APPLIED,   AMEND_REFUSED_CANCELING),
    },
    ROW(ORDER_PARTIALLY_FILLED, REQUEST_REPLACE_IN_FLIGHT) = {
        ON(ACK,               PARTIALLY_FILLED, REPLACE_IN_FLIGHT, DUPLICATE, FILL_BEAT_ACK),
        ON(FILL,              PARTIALLY_FILLED, REPLACE_IN_FLIGHT, APPLIED,   FILL_BEATS_REPLACE),
        ON(FILL_ALL,          FILLED,           NONE,              APPLIED,   FILL_BEATS_REPLACE),
        ON(CANCELED,          CANCELED,         NONE,              APPLIED,   REPLACED),
        ON(EXPIRED,           EXPIRED,          NONE,              APPLIED,   END_BEATS_REQUEST),
        ON(REJECTED,          PARTIALLY_FILLED, REPLACE_IN_FLIGHT, CONFLICT,  WAS_ACCEPTED),
        ON(NOT_PLACED,        PARTIALLY_FILLED, REPLACE_IN_FLIGHT, CONFLICT,  WAS_ACCEPTED),
        ON(CANCEL_SENT,       PARTIALLY_FILLED, CANCEL_IN_FLIGHT,  APPLIED,   CANCEL_OVER_REPLACE),
        ON(REPLACE_SENT,      PARTIALLY_FILLED, REPLACE_IN_FLIGHT, APPLIED,   REPLACE_OVER_REQUEST),
        ON(CANCEL_REJECTED,   PARTIALLY_FILLED, NONE,              APPLIED,   CANCEL_REFUSED),
        ON(UNKNOWN,           PARTIALLY_FILLED, REPLACE_UNKNOWN,   APPLIED,   LOST),
        ON(STATUS,            PARTIALLY_FILLED, REPLACE_IN_FLIGHT, APPLIED,   STATUS_TOO_EARLY),
        ON(STATUS_PROVEN,     PARTIALLY_FILLED, NONE,              APPLIED,   STATUS_PROVES),
        ON(AMENDED,           PARTIALLY_FILLED, NONE,              APPLIED,   AMENDED),
        ON(AMENDED_BY_OTHER,  PARTIALLY_FILLED, REPLACE_IN_FLIGHT, APPLIED,   AMENDED_BY_OTHER),
        ON(AMEND_REJECTED,    PARTIALLY_FILLED, NONE,              APPLIED,   AMEND_REFUSED),
    },
    ROW(ORDER_PARTIALLY_FILLED, REQUEST_REPLACE_UNKNOWN) = {
        ON(ACK,               PARTIALLY_FILLED, REPLACE_UNKNOWN,   DUPLICATE, FILL_BEAT_ACK),
        ON(FILL,              PARTIALLY_FILLED, REPLACE_UNKNOWN,   APPLIED,   FILL_BEATS_REPLACE),
        ON(FILL_ALL,          FILLED,           NONE,              APPLIED,   FILL_BEATS_REPLACE),
        ON(CANCELED,          CANCELED,         NONE,              APPLIED,   REPLACED),
        ON(EXPIRED,           EXPIRED,          NONE,              APPLIED,   END_BEATS_REQUEST),
        ON(REJECTED,          PARTIALLY_FILLED, REPLACE_UNKNOWN,   CONFLICT,  WAS_ACCEPTED),
        ON(NOT_PLACED,        PARTIALLY_FILLED, REPLACE_UNKNOWN,   CONFLICT,  WAS_ACCEPTED),
        ON(CANCEL_SENT,       PARTIALLY_FILLED, CANCEL_IN_FLIGHT,  APPLIED,   CANCEL_OVER_REPLACE),
        ON(REPLACE_SENT,      PARTIALLY_FILLED, REPLACE_IN_FLIGHT, APPLIED,   REPLACE_OVER_REQUEST),
        ON(CANCEL_REJECTED,   PARTIALLY_FILLED, NONE,              APPLIED,   CANCEL_REFUSED),
        ON(UNKNOWN,           PARTIALLY_FILLED, REPLACE_UNKNOWN,   APPLIED,   LOST),
        ON(STATUS,            PARTIALLY_FILLED, REPLACE_UNKNOWN,   APPLIED,   STATUS_TOO_EARLY),
        ON(STATUS_PROVEN,     PARTIALLY_FILLED, NONE,              APPLIED,   STATUS_PROVES),
        ON(AMENDED,           PARTIALLY_FILLED, NONE,              APPLIED,   AMENDED),
        ON(AMENDED_BY_OTHER,  PARTIALLY_FILLED, REPLACE_UNKNOWN,   APPLIED,   AMENDED_BY_OTHER),
        ON(AMEND_REJECTED,    PARTIALLY_FILLED, NONE,              APPLIED,   AMEND_REFUSED),
    },

    ROW(ORDER_FILLED, REQUEST_NONE) = ENDED(FILLED),
    ROW(ORDER_CANCELED, REQUEST_NONE) = ENDED(CANCELED),
    ROW(ORDER_EXPIRED, REQUEST_NONE) = ENDED(EXPIRED),
    ROW(ORDER_REJECTED, REQUEST_NONE) = NEVER(REJECTED),
    ROW(ORDER_DENIED, REQUEST_NONE) = NEVER(DENIED),
    ROW(ORDER_NOT_PLACED, REQUEST_NONE) = NEVER(NOT_PLACED),
};

/* Held: the end was told, its last trades were not. Their quantity stays reserved. */
static const struct order_step held[ORDER_EV_COUNT] = {
    ON(ACK,              FREE, NONE, DUPLICATE, HELD),
    ON(FILL,             FREE, NONE, APPLIED,   FILL),     /* the last missing one ends it                      */
    ON(FILL_ALL,         FREE, NONE, APPLIED,   FILL_ALL), /* filled, whatever the end was called               */
    ON(CANCELED,         FREE, NONE, DUPLICATE, END_TWICE),
    ON(EXPIRED,          FREE, NONE, DUPLICATE, END_TWICE),
    ON(REJECTED,         FREE, NONE, CONFLICT,  WAS_ACCEPTED),
    ON(NOT_PLACED,       FREE, NONE, CONFLICT,  WAS_ACCEPTED),
    ON(CANCEL_SENT,      FREE, NONE, DUPLICATE, CROSSED_END),
    ON(REPLACE_SENT,     FREE, NONE, DUPLICATE, CROSSED_END),
    ON(CANCEL_REJECTED,  FREE, NONE, DUPLICATE, TOO_LATE),
    ON(UNKNOWN,          FREE, NONE, DUPLICATE, LOST_NO_MATTER),
    ON(STATUS,           FREE, NONE, DUPLICATE, STATUS_OLDER),
    ON(STATUS_PROVEN,    FREE, NONE, DUPLICATE, STATUS_OLDER),
    ON(AMENDED,          FREE, NONE, DUPLICATE, AMEND_AFTER_END),
    ON(AMENDED_BY_OTHER, FREE, NONE, DUPLICATE, AMEND_AFTER_END),
    ON(AMEND_REJECTED,   FREE, NONE, DUPLICATE, TOO_LATE),
};
/* clang-format on */

struct order_step
order_step(enum order_state state, enum request_state request, enum order_event_kind ev)
{
    ASSERT((unsigned)state < ORDER_STATE_COUNT && (unsigned)request < REQUEST_STATE_COUNT);
    ASSERT((unsigned)ev < ORDER_EV_COUNT);
    struct order_step s = table[state][request][ev];
    if (unlikely(s.rule == RULE_NONE))
        return (struct order_step){ (uint8_t)state, (uint8_t)request, ORDER_INVALID, RULE_NONE };
    return s;
}

struct order_step
order_step_held(enum order_event_kind ev)
{
    ASSERT((unsigned)ev < ORDER_EV_COUNT);
    return held[ev];
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
order_rule_text(enum order_rule r)
{
    static const char *const text[] = {
#define X(name, t) t,
        ORDER_RULES(X)
#undef X
    };
    return (unsigned)r < ORDER_RULE_COUNT ? text[r] : "?";
}
