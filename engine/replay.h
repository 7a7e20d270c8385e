/* Replay: a recording through the same core, at any speed, held against what it did then.
 *
 * Between a folder that --record made and the gateway as start-up builds it, without a socket or a thread. Every input
 * goes in as it came; what the gateway sends, asks and journals is compared, word by word, with what follows in the
 * recording.
 *
 * Always true: nothing leaves this process; the folder is only read, but for the lock of its copy of the journal. */
#ifndef EXECGW_ENGINE_REPLAY_H
#define EXECGW_ENGINE_REPLAY_H

#include "engine/record.h"
#include "engine/startup.h"

struct replay_counts {
    uint64_t inputs;
    uint64_t by_kind[128]; /* events, by enum record_event_kind */
    uint64_t sent_bytes;   /* compared */
    uint64_t records;      /* journal records compared */
    uint64_t decisions;    /* of them, intents: accepted and denied */
    uint64_t different;    /* events that came out otherwise */
    uint64_t first_input;  /* number of the input that led to the first of them */
    struct fault first;    /* a sentence about it */
    int64_t span_ns;       /* first to last event, by the recorded clock */
    int64_t took_ns;
    bool to_end;   /* the file has its last block */
    bool complete; /* recorded to the end of the core and of the file, nothing left out */
    uint64_t lost;
    char ended[64]; /* in words */
};

struct replay_options {
    const char *dir;
    double speed; /* recorded time / real time; 0 = as fast as it goes */
    /* Every event as it goes in, and every market-data event that comes out; may be NULL. */
    void *ctx;
    void (*on_event)(void *ctx, const struct record_event *e, struct now now);
    void (*on_market)(void *ctx, const struct md_event *ev, const struct instrument *ins);
};

/* False with a sentence: the recording cannot be read, or the core cannot be built from it. Differences are counted,
 * not failed on. Once per process: the application's memory is static. */
bool replay_run(const struct replay_options *opt, struct replay_counts *out, struct fault *fault);

/* After a run: what was built, for a look at its books; and its end. */
const struct app *replay_app(void);
void replay_end(void);

#endif
