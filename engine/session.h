/* Session: when to connect, log on, subscribe, give up and come back. One per connection, market data and order entry
 * alike.
 *
 * Between the gateway, which carries out what a session asks for (open, close, run a step), and nothing: no I/O, no
 * clock, the jitter comes from the gateway's own generator. A step is one request of the log-on sequence and its
 * answer; a market data session has none.
 *
 * Always true: exactly one deadline is pending unless STOPPED; a connection is asked for only in WAITING; back-off
 * grows from min to max, each wait drawn from its upper half, and is forgiven after a stable while. */
#ifndef EXECGW_ENGINE_SESSION_H
#define EXECGW_ENGINE_SESSION_H

#include "execgw/clock.h"

enum session_state {
    SESSION_STOPPED,    /* not wanted */
    SESSION_WAITING,    /* for the back-off to pass */
    SESSION_CONNECTING, /* the connector works on it */
    SESSION_STEPPING,   /* connected; running the log-on sequence */
    SESSION_READY,
    SESSION_CLOSING, /* asked to close; waiting for the end of the connection */
    SESSION_STATE_COUNT
};

struct session_config {
    int64_t backoff_min_ns; /* >= 1 ms */
    int64_t backoff_max_ns; /* >= backoff_min_ns */
    int64_t connect_max_ns; /* connector's answer */
    int64_t step_max_ns;    /* answer to one step */
    int64_t silence_max_ns; /* no byte for this long: the connection is dead */
    int64_t stable_ns;      /* ready for this long: back-off starts over */
    int64_t answer_max_ns;  /* doubted for this long: the connection is dead; 0 = it is never doubted */
    uint8_t step_count;     /* 0: ready as soon as connected */
};

struct session {
    struct session_config cfg;
    enum session_state state;
    uint8_t step;
    uint32_t attempt; /* failures in a row */
    mono_ns_t deadline;
    mono_ns_t last_rx;
    mono_ns_t ready_since;
    mono_ns_t doubted; /* since then an answer is overdue and no byte has come; 0 = nothing is */
    uint64_t connects; /* connections that came up */
};

/* What the gateway must do now. */
enum session_do {
    SESSION_DO_NOTHING,
    SESSION_DO_OPEN,  /* ask the connector for this connection */
    SESSION_DO_CLOSE, /* close it: silent, or a step had no answer */
    SESSION_DO_STEP,  /* send the request of s->step */
    SESSION_DO_READY  /* the sequence is complete */
};

void session_init(struct session *s, const struct session_config *cfg);

/* Wanted from now on: connects at once. */
enum session_do session_start(struct session *s, struct now now);

/* Not wanted any more; the caller closes the connection if there is one. */
void session_stop(struct session *s);

/* CONNECTING, but no connection may be opened before `at`: waits for that. */
void session_defer(struct session *s, mono_ns_t at);

/* The connection is up (true) or could not be made, or ended (false). random: any 64 bits, for the jitter. */
enum session_do session_on_up(struct session *s, struct now now);
enum session_do session_on_down(struct session *s, struct now now, uint64_t random);

/* Bytes came: the connection is alive. True when that was in doubt. */
static inline bool
session_on_bytes(struct session *s, struct now now)
{
    s->last_rx = now.mono;
    if (likely(s->doubted.ns == 0))
        return false;
    s->doubted.ns = 0;
    return true;
}

/* READY, and a request that left at `sent` has no answer in time. True when nothing was read since either: unless a
 * byte comes within answer_max_ns, the connection is given up. */
bool session_doubt(struct session *s, mono_ns_t sent, struct now now);

/* The answer of step `step` came, or the step needs none. Answers of other steps are ignored. */
enum session_do session_on_step_done(struct session *s, uint8_t step, struct now now);

/* A deadline may have passed. Call again at s->deadline at the latest. */
enum session_do session_on_timer(struct session *s, struct now now);

/* Something is wrong with what the other side says: close and come back. */
enum session_do session_fail(struct session *s);

#endif
