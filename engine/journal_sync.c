#include "engine/journal_sync.h"

#define NONE_NS     NS_PER_S
#define RESERVE_MAX (UINT32_C(4) << 20)

void
journal_sync_init(struct journal_sync *s, struct journal *journal, struct journal_file *files,
                  const struct journal_region *region, enum journal_sync_policy policy, int64_t interval_ns,
                  const struct journal_sync_ops *ops)
{
    *s = (struct journal_sync){
        .journal = journal,
        .files = files,
        .ops = *ops,
        .policy = policy,
        .interval_ns = policy == JOURNAL_SYNC_NONE     ? NONE_NS
                       : policy == JOURNAL_SYNC_ALWAYS ? 0
                                                       : interval_ns,
        .held_count = 1,
        .switches = journal->segments_taken,
    };
    s->held[0] = (struct journal_held){ .region = *region, .last_seq = journal->seq, .synced_seq = 0 };
    journal->reserve = MIN(region->bytes / 8, RESERVE_MAX);
}

bool
journal_sync_take(struct journal_sync *s, struct now now)
{
    struct journal_region next;

    if (s->held_count == JOURNAL_HELD_MAX || s->in_use + 1 < s->held_count ||
        journal_file_next(s->files, &next) != JOURNAL_NEXT_OK)
        return false;
    s->held[s->held_count++] = (struct journal_held){ .region = next };
    ASSERT(journal_region(s->journal, next.base, next.bytes, now));
    return true;
}

/* The journal has gone on in the next region: the one before holds what came before its first record. */
static void
follow(struct journal_sync *s)
{
    const struct journal *j = s->journal;

    if (unlikely(j->segments_taken != s->switches)) {
        ASSERT(j->segments_taken == s->switches + 1 && s->in_use + 1 < s->held_count);
        s->switches = j->segments_taken;
        s->held[s->in_use].last_seq = j->first_seq - 1;
        s->in_use++;
    }
    s->held[s->in_use].last_seq = j->seq;
}

/* Left segments whose records are on disk go back to the toucher, oldest first. */
static void
release(struct journal_sync *s)
{
    while (s->in_use > 0 && s->held[0].target_seq == 0 && s->held[0].synced_seq >= s->held[0].last_seq) {
        journal_file_release(s->files, s->held[0].region.index);
        s->held_count--;
        s->in_use--;
        memmove(s->held, s->held + 1, s->held_count * sizeof(s->held[0]));
    }
}

static void
begin(struct journal_sync *s, struct journal_held *h, mono_ns_t now)
{
    if (h->target_seq != 0 || h->synced_seq >= h->last_seq)
        return;
    if (!s->ops.fsync(s->ops.ctx, h->region.fd, h->region.index))
        return; /* the next turn tries again */
    h->target_seq = h->last_seq;
    if (h == &s->held[s->in_use]) {
        s->started = now;
        s->target_bytes = s->journal->appended_bytes;
    }
}

void
journal_sync_turn(struct journal_sync *s, struct now now)
{
    const struct journal *j = s->journal;

    follow(s);
    journal_file_progress(s->files, &s->held[s->in_use].region, j->used);
    if (unlikely(j->used > j->bytes / 2 && s->in_use + 1 == s->held_count))
        (void)journal_sync_take(s, now);
    if (s->failed || (now.mono.ns < s->next.ns && likely(j->urgent_seq <= s->durable_seq)))
        return;
    for (uint32_t i = 0; i <= s->in_use; i++)
        begin(s, &s->held[i], now.mono);
    s->next = mono_after(now.mono, s->interval_ns);
}

/* How far an unbroken row of records is on disk. */
static void
advance(struct journal_sync *s)
{
    for (uint32_t i = 0; i <= s->in_use; i++) {
        const struct journal_held *h = &s->held[i];
        s->durable_seq = MAX(s->durable_seq, h->synced_seq);
        if (h->synced_seq < h->last_seq)
            return;
    }
}

bool
journal_sync_done(struct journal_sync *s, uint64_t token, int res, struct now now)
{
    follow(s);
    for (uint32_t i = 0; i <= s->in_use; i++) {
        struct journal_held *h = &s->held[i];
        if (h->region.index != token)
            continue;
        if (res == 0 && !s->failed)
            h->synced_seq = h->target_seq;
        h->target_seq = 0;
        if (i == s->in_use) {
            s->durable_bytes = s->target_bytes;
            s->last_ns = mono_since(now.mono, s->started);
        }
        break;
    }
    if (res < 0)
        s->failed = true; /* it may have dropped the dirty pages: asking again would lie */
    if (s->failed)
        return false;
    advance(s);
    journal_file_durable(s->files, s->durable_seq);
    release(s);
    return true;
}
