/* A client of market data alone: keeps a book by the steps of execgw/client.h, and notices the gateway's end.
 *
 * usage: execgw-market-client SOCKET STRATEGY SYMBOL
 * Joins, follows the events up to the next ladder, compares its levels with that one, joins again. Prints "compared N"
 * after each, "gone" and the exit code 0 when every read says that the gateway has ended, a sentence and 1 when a
 * level is another than the ladder's.
 *
 * Always true: never submits, waits or polls reports. */
#include "execgw/client.h"

#define LEVELS 4000 /* of a side: those of the ladder and what events add until the next one */

struct side_book {
    struct level level[LEVELS]; /* in no order; quantity 0: none */
    uint32_t count;
    bool ends; /* worse than `last` is not known */
    px_t last;
};

struct follower {
    struct execgw *h;
    struct instrument ins;
    uint64_t seq;
    uint8_t state;
    struct side_book side[2];
    unsigned compared;
};

static struct ladder_head head;
static struct level level[2][LADDER_LEVELS_MAX];

static enum execgw_result
ladder(struct follower *f)
{
    return execgw_levels(f->h, f->ins.id, &head, level[SIDE_BUY], level[SIDE_SELL], LADDER_LEVELS_MAX);
}

static enum execgw_result
join(struct follower *f)
{
    enum execgw_result r = ladder(f);

    if (r == EXECGW_OK)
        r = execgw_md_seek(f->h, head.event_seq + 1);
    if (r != EXECGW_OK)
        return r;
    f->seq = head.event_seq;
    f->state = head.state;
    for (unsigned s = 0; s < 2; s++) {
        struct side_book *b = &f->side[s];
        b->count = head.count[s];
        memcpy(b->level, level[s], b->count * sizeof(struct level));
        b->ends = b->count > 0; /* there may be more than the gateway publishes */
        b->last = b->ends ? b->level[b->count - 1].px : 0;
    }
    return EXECGW_OK;
}

static bool
set(struct side_book *b, px_t px, qty_t qty)
{
    uint32_t i = 0;

    while (i < b->count && b->level[i].px != px)
        i++;
    if (i == LEVELS)
        return false;
    b->level[i] = (struct level){ px, qty };
    b->count = i == b->count ? i + 1 : b->count;
    return true;
}

static void
clear(struct follower *f)
{
    for (unsigned s = 0; s < 2; s++) {
        f->side[s].count = 0;
        f->side[s].ends = false;
    }
}

static bool
take(struct follower *f, const struct md_event *ev)
{
    uint64_t seq = execgw_md_seq(f->h);

    if (seq <= f->seq || ev->instrument != f->ins.id)
        return true;
    f->seq = seq;
    f->state = ev->state;
    if (ev->kind == MD_CLEAR)
        clear(f);
    return ev->kind != MD_LEVEL || set(&f->side[ev->side], ev->level.px, ev->level.qty);
}

static bool
known(const struct side_book *b, unsigned side, px_t px)
{
    return !b->ends || (side == SIDE_BUY ? px >= b->last : px <= b->last);
}

/* Levels that the ladder has: the worst of them is where it ends. */
static bool
within(unsigned side, px_t px)
{
    uint32_t n = head.count[side];

    return n > 0 && (side == SIDE_BUY ? px >= level[side][n - 1].px : px <= level[side][n - 1].px);
}

static bool
same(const struct follower *f, unsigned side)
{
    const struct side_book *b = &f->side[side];
    uint32_t ours = 0;
    uint32_t theirs = 0;

    for (uint32_t i = 0; i < b->count; i++)
        ours += b->level[i].qty != 0 && known(b, side, b->level[i].px) && within(side, b->level[i].px);
    for (uint32_t n = 0; n < head.count[side]; n++) {
        const struct level *want = &level[side][n];
        uint32_t i = 0;
        if (!known(b, side, want->px))
            continue;
        theirs++;
        while (i < b->count && b->level[i].px != want->px)
            i++;
        if (i == b->count || b->level[i].qty != want->qty)
            return false;
    }
    return ours == theirs;
}

/* Up to the ladder that was just read. */
static enum execgw_result
follow(struct follower *f)
{
    struct md_event ev;

    while (execgw_md_seq(f->h) < head.event_seq) {
        enum execgw_result r = execgw_poll_md(f->h, &ev);
        if (r != EXECGW_OK)
            return r;
        if (!take(f, &ev))
            return EXECGW_LOST;
    }
    return EXECGW_OK;
}

/* One join and one comparison. EXECGW_INVALID: they differ. */
static enum execgw_result
compare_once(struct follower *f)
{
    enum execgw_result r = join(f);

    while (r == EXECGW_OK) { /* until a newer ladder */
        uint64_t from = head.event_seq;
        r = ladder(f);
        if (r != EXECGW_OK || head.event_seq == from)
            continue;
        r = follow(f);
        if (r != EXECGW_OK)
            return r;
        if (f->state != BOOK_LIVE || head.state != BOOK_LIVE)
            return EXECGW_NONE;
        if (!same(f, SIDE_BUY) || !same(f, SIDE_SELL))
            return EXECGW_INVALID;
        printf("compared %u\n", ++f->compared);
        (void)fflush(stdout);
        return EXECGW_OK;
    }
    return r;
}

/* Every read says so, whichever is asked. */
static bool
gone(struct follower *f)
{
    static struct ladder book;
    struct top_of_book top;
    struct md_event ev;
    enum execgw_result r;

    do
        r = execgw_poll_md(f->h, &ev);
    while (r == EXECGW_OK || r == EXECGW_LOST);
    return r == EXECGW_DISCONNECTED && execgw_top(f->h, f->ins.id, &top) == r &&
           execgw_book(f->h, f->ins.id, &book) == r && ladder(f) == r;
}

int
main(int argc, char **argv)
{
    static struct follower f;
    struct fault fault;
    enum execgw_result r;

    if (argc != 4)
        return 64;
    f.h = execgw_connect(argv[1], argv[2], &fault);
    if (f.h == NULL || execgw_instrument_by_symbol(f.h, argv[3], &f.ins) != EXECGW_OK) {
        (void)fprintf(stderr, "%s\n", f.h == NULL ? fault.text : "no such instrument");
        return 1;
    }
    do
        r = compare_once(&f);
    while (r != EXECGW_DISCONNECTED && r != EXECGW_INVALID);
    bool good = r == EXECGW_DISCONNECTED && gone(&f);
    puts(good ? "gone" : r == EXECGW_INVALID ? "the levels are not the ladder's" : "a read does not say that it ended");
    execgw_close(f.h);
    return good ? 0 : 1;
}
