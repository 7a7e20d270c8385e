/* The tap: every call from the core into the gateway, and back, goes through here. Without a recording it only passes
 * them on; with one it leaves a trace of each (engine/record.h): the input, and behind it what it led to.
 *
 * Between core.c and the gateway. Whatever the core may tell the gateway has its function here, so that nothing that
 * decides about an order can be missing in a recording.
 *
 * Always true: what is passed on is not changed. Core thread only. Never waits. */
#ifndef EXECGW_ENGINE_TAP_H
#define EXECGW_ENGINE_TAP_H

#include "engine/gateway.h"
#include "engine/io/record_file.h"
#include "engine/record.h"
#include "execgw/broadcast.h"

/* How far the records of a journal have been looked at. */
struct journal_tail {
    const struct journal *journal;
    const uint8_t *base;
    size_t bytes;
    size_t offset;
};

/* From here on. */
void journal_tail_init(struct journal_tail *t, const struct journal *j);
/* The next record appended since: its sequence, type and checksum. False when there is none. */
bool journal_tail_next(struct journal_tail *t, uint64_t *seq, struct record_journaled *out);

/* Market-data events published since: how many, and their checksum. 0 when there are none. on_event may be NULL. */
uint64_t market_tail_next(struct md_reader *r, crc32c_fn crc, uint64_t *sum,
                          void (*on_event)(void *ctx, const struct md_event *ev), void *ctx);

/* What comes with REC_BUDGET. */
struct tap_budget {
    uint32_t budget; /* enum venue_budget */
    uint32_t reserved;
    int64_t limit;
    int64_t window_ns;
};

/* What comes with REC_LIMITS. */
struct tap_limits {
    struct limits_answer answer;
    struct risk_limits limits;
};

struct tap {
    struct gateway *g;
    struct client_port *clients;
    struct risk *risk;
    struct journal *journal;
    struct record_file *file; /* NULL: no recording */
    struct gateway_port port; /* the core's own */
    struct now now;           /* as last recorded */
    struct journal_tail tail;
    struct md_reader market;
    crc32c_fn crc;
    uint8_t *reserved; /* of the message that is being written */
    uint32_t inputs;   /* since the last work */
    bool work_before;  /* the last work left more to do */
    bool polled;       /* a command of this poll was recorded */
    mono_ns_t work_at;
    struct now poll_now;
    struct tap_limits limits;
};

/* Before gateway_init: the port that the gateway gets. */
struct gateway_port tap_init(struct tap *t, const struct gateway_port *port, const struct gateway_parts *parts,
                             struct record_file *file);
/* After it. */
void tap_bind(struct tap *t, struct gateway *g);

void tap_start(struct tap *t, struct now now);
void tap_on_up(struct tap *t, uint32_t conn, struct now now);
void tap_on_down(struct tap *t, uint32_t conn, const char *why, struct now now);
void tap_on_bytes(struct tap *t, uint32_t conn, const uint8_t *bytes, size_t len, mono_ns_t recv, struct now now);
void tap_on_timer(struct tap *t, uint32_t timer, struct now now);
void tap_on_definition(struct tap *t, const struct instrument *def, struct now now);
void tap_on_definitions_end(struct tap *t, uint16_t venue, bool ok, struct now now);
void tap_on_snapshot(struct tap *t, uint16_t venue, const struct snapshot_slice *s, struct now now);
void tap_on_rest(struct tap *t, uint16_t venue, unsigned status, const uint8_t *body, size_t len, struct now now);
void tap_attach(struct tap *t, uint32_t slot, const struct client_identity *id, void *mem, struct now now);
/* The client port's detach, and what follows from it in the gateway. */
void tap_detach(struct tap *t, uint32_t slot, struct now now);
bool tap_limits_answer(struct tap *t, const struct limits_answer *a, struct risk_limits *l, struct now now);
void tap_on_quiet(struct tap *t, uint32_t conn, int64_t wait_ns, struct now now);
void tap_on_budget(struct tap *t, uint16_t venue, enum venue_budget budget, int64_t limit, int64_t window_ns,
                   struct now now);
void tap_on_durable(struct tap *t, uint64_t seq, struct now now);
/* Every turn's length; the gateway hears of those beyond the limits' bound. */
void tap_on_turn(struct tap *t, int64_t ns, struct now now);
/* The medium failed: no record is taken any more. */
void tap_journal_failed(struct tap *t, struct now now);
void tap_on_journal_full(struct tap *t, bool full, struct now now);
/* A region was given to the journal, outside of the gateway's own asking. */
void tap_region(struct tap *t, size_t bytes, struct now now);
unsigned tap_poll_commands(struct tap *t, unsigned max, struct now now);
bool tap_work(struct tap *t, struct now now);
void tap_on_sent(struct tap *t, mono_ns_t sent, struct now now);
void tap_halt(struct tap *t, const char *who, struct now now);
void tap_stop(struct tap *t, bool cancel, struct now now);
void tap_control(struct tap *t, enum journal_control_kind kind, int64_t value, const char *text, struct now now);
/* The last event. */
void tap_end(struct tap *t, struct now now);

#endif
