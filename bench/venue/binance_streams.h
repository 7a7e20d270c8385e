/* What the files of Binance's market streams share.
 *
 * binance_streams.c turns the engine's events into messages; binance_subscribe.c knows who wants which;
 * binance_replay.c sends a recording instead. Nobody else includes this.
 *
 * Always true: a subscription is in one list: its kind's of its symbol, its kind's of all symbols, or its recorded
 * stream's. */
#ifndef EXECGW_BENCH_VENUE_BINANCE_STREAMS_H
#define EXECGW_BENCH_VENUE_BINANCE_STREAMS_H

#include "bench/venue/binance.h"

#include <jansson.h>

#define SECOND_US          INT64_C(1000000)
#define WINDOW_SPEED_COUNT 2

struct stream_sub {
    struct session *session;
    struct stream_sub *prev, *next; /* of the list it is in */
    struct stream_sub **list;
    struct stream_sub *next_of_session;
    enum stream_kind kind;
    int param; /* depth: window; partial: levels * 2 + window; kline: index of its interval */
    int64_t sent_id;
    char name[STREAM_NAME_BYTES];
};

struct depth_change {
    int64_t px, qty, update_id;
    enum emu_side side;
};

struct depth_window {
    struct depth_change *at;
    size_t count, room;
    int64_t first_id, last_id;
    int64_t due_us;
};

struct symbol_state {
    struct stream_sub *subs[STREAM_KIND_COUNT];
    struct depth_window window[WINDOW_SPEED_COUNT];
    bool recorded;   /* its market data comes from the recording */
    bool dirty;      /* traded since the last second */
    int64_t book_id; /* newest change */
};

struct streams {
    struct binance *venue;
    struct symbol_state *symbol;
    int symbol_count;
    struct stream_sub *all_subs[STREAM_KIND_COUNT]; /* streams of all symbols */
    struct stream_sub *recorded[REPLAY_STREAMS_MAX];
    int64_t second_due_us;
    /* The recording under way. */
    bool replay_started, replay_ended, replay_reported, replay_pumping;
    bool frame_waiting;
    struct replay_frame frame;
    int64_t replay_base_mono_ns, replay_base_recv_ns;
    int64_t last_subscribe_mono_ns;
    uint64_t frames_sent;
    lws_sorted_usec_list_t replay_timer;
};

/* One message for many subscribers, made once per form it is wanted in. */
struct message {
    const char *fault_name;
    void (*build)(struct text *t, bool micro, const void *what, const void *more);
    const void *what, *more;
    struct text data[2];     /* by micro */
    struct wire *wire[2][2]; /* by micro, combined */
    const char *wire_name[2];
};

/* The message in the form its subscriber wants, made once; one subscriber's copy through the faults; the end of it. */
struct wire *message_wire(struct message *m, const struct stream_sub *sub);
void send_market(struct streams *s, const struct stream_sub *sub, struct wire *w, const char *fault_name);
void message_free(struct message *m);

/* Index of an interval by name ("1m"); -1: unknown. */
int interval_find(const char *name);

/* Starts the recording when its subscribers are there, and sends what is due, as far as they have read. */
void streams_replay_tick(struct streams *s);

#endif
