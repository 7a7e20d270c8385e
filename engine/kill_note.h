/* Lines of the kill switch's proof: the core says what happened, the first thread writes it to a file of its own.
 *
 * The journal has all of it as records; the file is for the people who must show, later, when what was proven by what.
 *
 * Always true: a line holds no secret; a full ring loses lines, never the core's time, and the file says how many. */
#ifndef EXECGW_ENGINE_KILL_NOTE_H
#define EXECGW_ENGINE_KILL_NOTE_H

#include "execgw/clock.h"
#include "execgw/instrument.h"
#include "execgw/order.h"

/* X(name, text) */
#define KILL_NOTES(X)                                                                               \
    X(KILL_NOTE_ON, "killed")         /* text: by what */                                           \
    X(KILL_NOTE_OPEN, "open")         /* an order that was open then */                             \
    X(KILL_NOTE_ENDED, "ended")       /* it is over: state, by what evidence */                     \
    X(KILL_NOTE_VENUE, "venue")       /* a venue is in another state of the proof */                \
    X(KILL_NOTE_PROVEN, "all_proven") /* every venue has said that none of ours is open */          \
    X(KILL_NOTE_LISTED, "listed")     /* the venue listed an open order that we did not think of */ \
    X(KILL_NOTE_OFF, "released")

enum kill_note_kind {
#define X(name, text) name,
    KILL_NOTES(X)
#undef X
        KILL_NOTE_COUNT
};

struct kill_note {
    uint8_t kind;        /* enum kill_note_kind */
    uint8_t proof;       /* VENUE: enum kill_proof */
    uint8_t order_state; /* OPEN, ENDED */
    uint8_t request_state;
    uint16_t venue;
    uint16_t pad;
    uint32_t client;
    uint32_t count; /* VENUE: orders not yet proven; PROVEN: orders that were open */
    uint64_t key;
    uint64_t seq; /* journal record behind the line; 0 none */
    int64_t wall_ns;
    qty_t qty;
    qty_t cum_qty;
    uint64_t venue_order_id;
    char clordid[CLORDID_BYTES];
    char symbol[SYMBOL_BYTES];
    char text[60];
};
_Static_assert(sizeof(struct kill_note) % 8 == 0, "ring slot");

#endif
