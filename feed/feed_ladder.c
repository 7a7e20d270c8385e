/* Ladders: the best levels of books that moved, for readers who join late or were overtaken.
 *
 * Called by the feed's timer; what the ring tells one by one is told here as it is by now. A reader goes back to the
 * event after a ladder's (md_seek), so a book that stands still has its ladder written again before that is
 * overwritten.
 *
 * Always true: a call writes at most LADDERS_A_TURN of them, so that no turn of the loop is long; a ladder and the
 * events after its event_seq are the book, whenever both are live. */
#include "feed/feed_state.h"

/* The events have begun to tell another book than the one that is there: the snapshot that replaces it. */
static inline bool
being_replaced(const struct feed *f, const struct line *l)
{
    const struct fetch *t = &f->fetch;

    return (t->stage == STAGE_LOADING || t->stage == STAGE_JOINING) && !t->quiet && l == &f->line[t->slot];
}

static inline uint8_t
lap_of(const struct md_writer *w)
{
    return (uint8_t)(w->tail / ((w->mask + 1) / 4));
}

/* What readers see is not this book; or it is a quarter to half of the ring old, whose events are soon overwritten. */
static inline bool
ladder_due(const struct line *l, uint8_t lap)
{
    return l->ladder_old || (uint8_t)(lap - l->ladder_lap) > 1;
}

static COLD void
publish_ladder(struct line *l, struct md_writer *w)
{
    struct ladder_head head = { .venue_seq = l->id,
                                .recv_ns = l->ref.tob.recv_ns,
                                .instrument_version = l->ref.tob.instrument_version,
                                .state = l->state };
    struct ladder_line *to = md_ladder_begin(w, l->instrument);

    for (unsigned s = 0; s < 2; s++) {
        uint32_t n = 0;
        for (const struct level *v = book_touch(&l->book, (enum side)s); v != NULL && n < w->ladder_levels;
             v = book_worse(&l->book, (enum side)s, v))
            md_ladder_level(w, to, (enum side)s, n++, v);
        head.count[s] = n;
    }
    md_ladder_end(w, to, &head);
    l->ladder_old = false;
    l->ladder_lap = lap_of(w);
}

bool
feed_ladders(struct feed *f, const struct md_out *out)
{
    unsigned done = 0;

    if (out->writer == NULL)
        return false;
    uint8_t lap = lap_of(out->writer);
    for (uint32_t n = 0; n < f->line_count; n++) {
        struct line *l = &f->line[(f->ladder_at + n) % f->line_count];
        if (!ladder_due(l, lap) || being_replaced(f, l))
            continue;
        if (done++ == (out->writer->ladder_levels > DEEP_LADDER ? 1 : LADDERS_A_TURN)) {
            f->ladder_at = (uint32_t)(l - f->line);
            return true;
        }
        publish_ladder(l, out->writer);
    }
    return false;
}
