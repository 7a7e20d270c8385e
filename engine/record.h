/* Events of the core, as they are recorded: what comes into the gateway, and in between what it asked of the outside
 * and what it sent, so that a replay can be held against it word by word. Encode and decode; docs/recording.md.
 *
 * Between the core (which puts them, io/record_file) and replay. An input comes before what it led to.
 *
 * Always true: an event is a head and `bytes` of data, padded to 8; nothing in it is a secret but what the venue or a
 * client itself sent. */
#ifndef EXECGW_ENGINE_RECORD_H
#define EXECGW_ENGINE_RECORD_H

#include "execgw/clock.h"

/* X(name, number, text): inputs below 64, outputs and answers from 64 on. */
#define RECORD_EVENTS(X)                                                                                        \
    X(REC_NOW, 1, "now")                         /* value = steady clock; data = wall clock: of what follows */ \
    X(REC_START, 2, "start")                     /* gateway_start */                                            \
    X(REC_UP, 3, "up")                           /* id = connection */                                          \
    X(REC_DOWN, 4, "down")                       /* id = connection; data = why */                              \
    X(REC_BYTES, 5, "bytes")                     /* id = connection, value = received at; data = plaintext */   \
    X(REC_TIMER, 6, "timer")                     /* value = timer */                                            \
    X(REC_DEFINITION, 7, "definition")           /* data = struct instrument */                                 \
    X(REC_DEFINITIONS_END, 8, "definitions_end") /* id = venue, value = all came */                             \
    X(REC_SNAPSHOT, 9, "snapshot")               /* id = venue; data = struct snapshot_slice */                 \
    X(REC_REST, 10, "rest")                      /* id = venue, value = status; data = body */                  \
    X(REC_ATTACH, 11, "attach")                  /* id = session; data = struct client_identity */              \
    X(REC_DETACH, 12, "detach")                  /* id = session, value = enum on_disconnect */                 \
    X(REC_COMMAND, 13, "command")                /* data = struct client_command */                             \
    X(REC_LIMITS, 14, "limits")                  /* data = struct tap_limits */                                 \
    X(REC_WORK, 15, "work")                      /* gateway_work */                                             \
    X(REC_SENT, 16, "sent")                      /* value = steady clock of the submitting call */              \
    X(REC_DURABLE, 17, "durable")                /* value = sequence */                                         \
    X(REC_JOURNAL_FAILED, 18, "journal_failed")  /* the medium */                                               \
    X(REC_JOURNAL_FULL, 19, "journal_full")      /* value = full */                                             \
    X(REC_REGION, 20, "region")                  /* value = bytes: the journal got another region */            \
    X(REC_HALT, 21, "halt")                      /* data = who */                                               \
    X(REC_STOP, 22, "stop")                      /* value = cancel */                                           \
    X(REC_CONTROL, 23, "control")                /* id = kind, value; data = text */                            \
    X(REC_POLL, 24, "poll")                      /* commands follow */                                          \
    X(REC_END, 25, "end")                        /* the core has ended in order */                              \
    X(REC_BUDGET, 26, "budget")                  /* id = venue; data = struct tap_budget */                     \
    X(REC_STALL, 27, "stall")                    /* value = length of a turn beyond stall_max_ns */             \
    X(REC_QUIET, 28, "quiet")                    /* id = connection, value = ns to wait */                      \
    X(REC_OUT, 64, "out")                        /* id = connection, value = cover_seq; data = bytes sent */    \
    X(REC_REST_OUT, 65, "rest_out")              /* id = venue; data = request */                               \
    X(REC_OPEN, 66, "open")                      /* id = connection */                                          \
    X(REC_CLOSE, 67, "close")                    /* id = connection */                                          \
    X(REC_STAMP, 68, "stamp")                    /* value = steady clock, as read */                            \
    X(REC_REFUSED, 69, "refused")                /* id = enum record_port: it answered no */                    \
    X(REC_JOURNALED, 70, "journaled")            /* value = sequence; data = type and checksum of the record */ \
    X(REC_MARKET, 71, "market")                  /* value = events published; data = their checksum (8 bytes) */

enum record_event_kind {
#define X(name, number, text) name = number,
    RECORD_EVENTS(X)
#undef X
};
#define REC_OUTPUTS_FROM 64u

/* What the gateway may ask for and not get. */
enum record_port {
    REC_PORT_SEND,
    REC_PORT_JOURNAL,
    REC_PORT_INSTRUMENTS,
    REC_PORT_SNAPSHOT,
    REC_PORT_REST,
    REC_PORT_LIMITS,
    REC_PORT_WITHDRAW,
};

struct record_head {
    uint8_t kind; /* enum record_event_kind */
    uint8_t pad;  /* bytes of zeros behind the data */
    uint16_t id;
    uint32_t bytes; /* of the data */
    int64_t value;
};
_Static_assert(sizeof(struct record_head) == 16, "file format");

struct record_journaled {
    uint32_t type;
    uint32_t crc;
};

#define RECORD_DATA_MAX (2u << 20)

struct record_event {
    struct record_head head;
    const uint8_t *data;
};

const char *record_event_text(unsigned kind);

/* --- decoding: the stream of blocks as events ------------------------------------------------------------------- */

struct record_stream {
    const uint8_t *base; /* the whole stream */
    size_t bytes;
    size_t offset;
};

/* The next event without taking it. False at the end, or at an event that is cut. */
bool record_stream_peek(const struct record_stream *s, struct record_event *out);
/* Take the event that peek has shown. */
void record_stream_take(struct record_stream *s, const struct record_event *e);

#endif
