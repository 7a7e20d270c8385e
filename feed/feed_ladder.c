/* Ladders: the best levels of books that moved, for readers who join late or were overtaken.
 *
 * Called by the feed's timer; what the ring tells one by one is told here as it is by now.
 *
 * Always true: a call writes at most LADDERS_A_TURN of them, so that no turn of the loop is long. */
#include "feed/feed_state.h"

static COLD void
publish_ladder(const struct line *l, struct md_writer *w)
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
}

bool
feed_ladders(struct feed *f, const struct md_out *out)
{
    unsigned done = 0;

    if (out->writer == NULL)
        return false;
    for (uint32_t n = 0; n < f->line_count; n++) {
        struct line *l = &f->line[(f->ladder_at + n) % f->line_count];
        if (!l->ladder_old)
            continue;
        if (done++ == (out->writer->ladder_levels > DEEP_LADDER ? 1 : LADDERS_A_TURN)) {
            f->ladder_at = (uint32_t)(l - f->line);
            return true;
        }
        l->ladder_old = false;
        publish_ladder(l, out->writer);
    }
    return false;
}
