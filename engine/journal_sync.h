/* The journal's segments and syncs, as the core drives them: which region the journal writes to, when what it wrote is
 * on disk, and what may therefore leave.
 *
 * Between oms/journal (records into regions), io/journal_file (segments) and io/loop (fdatasync, and the bytes that
 * wait for it). A segment is left when the journal has gone on in the next one; it is held until a sync that began
 * after that has ended, however many are left in between.
 *
 * Always true: records up to journal_sync_durable() are on disk, as far as the kernel's word goes; at most one sync per
 * segment is under way; after a failed sync none is begun again, and nothing more counts as durable.
 * Core thread only; no system call but through the ops. */
#ifndef EXECGW_ENGINE_JOURNAL_SYNC_H
#define EXECGW_ENGINE_JOURNAL_SYNC_H

#include "engine/io/journal_file.h"
#include "engine/oms/journal.h"

enum journal_sync_policy {
    JOURNAL_SYNC_NONE,     /* once a second, to learn of a failing disk */
    JOURNAL_SYNC_INTERVAL, /* every interval_ns */
    JOURNAL_SYNC_ALWAYS    /* whenever something is not on disk yet: one sync covers all that was appended before it */
};

struct journal_sync_ops {
    void *ctx;
    /* Begin an fdatasync; answered by journal_sync_done with the token. False: not now. */
    bool (*fsync)(void *ctx, int fd, uint64_t token);
};

/* A segment that the writer holds. */
struct journal_held {
    struct journal_region region;
    uint64_t last_seq;   /* of its records; grows while it is in use */
    uint64_t synced_seq; /* on disk up to here */
    uint64_t target_seq; /* of the sync under way; 0 = none */
};

struct journal_sync {
    struct journal *journal;
    struct journal_file *files;
    struct journal_sync_ops ops;
    enum journal_sync_policy policy;
    int64_t interval_ns;
    struct journal_held held[JOURNAL_HELD_MAX]; /* left behind, in use, taken ahead */
    uint32_t held_count;
    uint32_t in_use;   /* index into held */
    uint32_t switches; /* of the journal, as last looked at */
    uint64_t durable_seq;
    uint64_t durable_bytes; /* of journal.appended_bytes, as of the last sync of the segment in use that ended */
    uint64_t target_bytes;
    mono_ns_t started;
    mono_ns_t next;
    int64_t last_ns; /* the last sync's length; 0 until there was one */
    bool failed;
};

/* region: the one the journal writes to already. Bytes of room below which no new order is taken while no other segment
 * is there go into the journal (journal.reserve): they are for cancels and reports. */
void journal_sync_init(struct journal_sync *s, struct journal *journal, struct journal_file *files,
                       const struct journal_region *region, enum journal_sync_policy policy, int64_t interval_ns,
                       const struct journal_sync_ops *ops);

/* The journal's next region, when one is prepared. False: there is none now. */
bool journal_sync_take(struct journal_sync *s, struct now now);

/* Once a turn, after its appends and before its submit: tells the toucher where we are, takes the next segment in time,
 * begins the syncs that are due. */
void journal_sync_turn(struct journal_sync *s, struct now now);

/* A sync ended: res 0 or -errno. False: it failed, and with it the journal. */
bool journal_sync_done(struct journal_sync *s, uint64_t token, int res, struct now now);

/* The last record of an unbroken row of records on disk. */
static inline uint64_t
journal_sync_durable(const struct journal_sync *s)
{
    return s->durable_seq;
}

#endif
