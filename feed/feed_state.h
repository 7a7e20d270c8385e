/* What feed remembers, shared by its files and by nobody else: feed.c (messages, subscriptions, a connection's life),
 * feed_sequenced.c (books that follow a numbered stream), feed_fetch.c (snapshots that are joined to it),
 * feed_checked.c (books that prove themselves by a checksum), feed_links.c (the connections), feed_merge.c (several
 * that carry the same), feed_silent.c (streams and connections that say nothing), feed_ladder.c, feed_config.c.
 *
 * Always true: as feed.h says. */
#ifndef EXECGW_FEED_FEED_STATE_H
#define EXECGW_FEED_FEED_STATE_H

#include "feed/feed.h"

#define NONE            UINT32_MAX
#define GROUP_LINKS     FEED_GROUP_LINKS_MAX
#define ARRIVALS        8u
#define ASKED_MAX       16u
#define HELD_MAX        64u
#define ANSWER_NS       (5 * NS_PER_S) /* to a request; most come within a round trip */
#define SETTLE_NS       (2 * NS_PER_S) /* what another link had on its way when a subscription was answered has come */
#define TICKERS         64 /* bookTicker messages remembered per instrument, to compare with the depth that lags them */
#define WORK_LEVELS     256 /* levels applied in one piece of work */
#define UNEQUAL_MAX     3   /* contradictions in a row that make a book distrusted */
#define AGAIN_MAX       3   /* snapshots older than the buffer before the instrument waits its turn again */
#define AGAIN_PAUSE_NS  (200 * NS_PER_MS)
#define TIMER_SHORT_NS  (50 * NS_PER_MS)
#define TIMER_LONG_NS   (500 * NS_PER_MS)
#define LADDERS_A_TURN  2   /* some hundred nanoseconds each */
#define DEEP_LADDER     200 /* levels a side; with more it is one, of some microseconds */
#define TIMER_LADDER_NS (5 * NS_PER_MS)

/* Best bid and offer as of an update id. */
struct touch {
    uint64_t id;
    struct level bid; /* 0, 0 on an empty side */
    struct level ask;
};

/* One instrument. */
struct line {
    struct md_ref ref;
    uint32_t instrument;     /* its id */
    uint8_t state;           /* enum book_state */
    bool wanted;             /* a snapshot is needed: the book is not live, or nears its edge */
    uint8_t streaming;       /* bit per link of its group: its depth stream is known to be on there */
    uint8_t silent;          /* bit per link: its depth stream was on, and fell silent */
    uint8_t off;             /* bit per link: its streams are to be unsubscribed, then subscribed again */
    uint8_t ticker_off;      /* bit per link: the same of its bookTicker alone */
    bool ticker_silent;      /* bookTicker is: there is nothing to hold the book against */
    bool ladder_old;         /* the ladder that clients see is not this book */
    bool compare_open;       /* `compare` waits for the next bookTicker */
    uint8_t ladder_lap;      /* which quarter of the ring was being written when its ladder was; wraps */
    uint8_t repeated;        /* bit per link: it has brought what the book has already, since the book moved last */
    uint8_t ticker_repeated; /* the same of bookTicker, whose numbers are the book's */
    uint32_t unequal_run;
    uint64_t id;      /* of the last update in the book */
    uint64_t seen_id; /* of the newest update received, over whatever link */
    struct book book;
    int64_t ahead_ns; /* mono: since when depth has not caught up with bookTicker's ahead_id; 0 = it has */
    uint64_t ahead_id;
    int64_t ticker_due_ns; /* mono: since when bookTicker owes a touch that depth moved; 0 = it does not */
    uint64_t repeated_id;  /* the newest of those repeats, of depth and of bookTicker */
    int64_t repeated_ns;   /* mono: since when `repeated` is not 0 */
    int64_t last_trade_id; /* 0 = none */
    uint32_t ticker_count; /* runs free; the newest is ticker[(ticker_count - 1) % TICKERS] */
    int32_t subscribe_id;  /* request that subscribes it; 0 = not sent */
    int64_t retry_at_ns;   /* mono: no fetch before this */
    int64_t retry_ns;      /* the next pause */
    int64_t fetched_ns;    /* mono: the last fetch; 0 = none */
    struct touch compare;
    const struct instrument *ins;
    uint8_t px_digits; /* checked: of the text in the book, behind the point */
    uint8_t qty_digits;
    bool awaits;      /* checked: subscribed, and no snapshot came since */
    int64_t asked_ns; /* checked, mono: its depth stream was subscribed, no snapshot came yet; 0 = not so */
    int64_t depth_ns; /* checked, mono: its last depth message */
    int64_t venue_ns; /* checked: the newest time that a depth message said of itself; 0 = none has */
    /* Of several links. */
    uint8_t joined;  /* bit per link: what it delivers is known to continue the book */
    uint8_t refused; /* bit per link: the request that named it was refused, or had no answer: it is asked for alone */
    uint8_t book_owed;  /* checked, bit per link: its book was asked for, and nothing came: no answer, no snapshot */
    uint8_t trade_owed; /* the same of trades */
    uint8_t at[GROUP_LINKS];    /* checked: where each link's book of it is kept; 0 = here, else view[at - 1] */
    uint32_t held;              /* updates that wait for what came before them */
    uint64_t last[GROUP_LINKS]; /* of each link: its last update while there are several; 0 = none */
    uint64_t mark[GROUP_LINKS]; /* of each link: where the book was when the link was last known to keep up with it */
    int64_t mark_ns[GROUP_LINKS];
    uint64_t trades;            /* bit i: trade last_trade_id - i was seen */
    int64_t alone_at_ns;        /* mono: not asked for again before this */
    int64_t alone_ns;           /* the next pause */
    int64_t silent_at_ns;       /* mono: the silent streams are asked for again, or their connections given up */
    int64_t silent_ns;          /* the next pause */
    int64_t given_up_ns;        /* mono: a connection was given up for it last; 0 = never. Outlives connections */
    int64_t give_up_ns;         /* not again for so long */
    int64_t ticker_repeated_ns; /* mono: since when ticker_repeated is not 0 */
    int64_t ticker_at_ns;       /* mono: a silent bookTicker is asked for again, or its connections given up */
    int64_t ticker_ns;          /* the next pause */
    uint32_t missed;            /* checked: subscriptions in a row without a snapshot */
    struct touch ticker[TICKERS];
};

enum stage { STAGE_IDLE, STAGE_ASKED, STAGE_LOADING, STAGE_AGAIN, STAGE_JOINING };

/* A depth update that waits for the snapshot. Its levels: bids, then asks, from `at`. */
struct pending {
    uint64_t first_id;
    uint64_t last_id;
    uint32_t at;
    uint32_t bid_count;
    uint32_t ask_count;
};

struct fetch {
    enum stage stage;
    uint32_t slot;
    bool quiet;       /* the book was live when this began: levels are published at the end, not as they come */
    bool broken;      /* the snapshot's levels make no sense */
    uint8_t carriers; /* links that streamed it before it was asked for: they deliver whatever it lacks */
    unsigned again_count;
    uint64_t again_id;   /* of the first snapshot that was asked for again */
    int64_t deadline_ns; /* ASKED, LOADING: time-out; AGAIN: when to ask */
    uint64_t id;         /* of the last update in `book` */
    struct book book;
    struct pending *event;
    struct level *level;
    uint32_t event_count;
    uint32_t event_at; /* the next to join */
    uint32_t level_count;
};

/* Checked books: the one that is subscribed again.
 *
 *   stage       leaves it when                                              goes to
 *   IDLE        a book wants it and its back-off is over: unsubscribe sent  OFF
 *   OFF         that is answered (either way), or its time is over          DUE
 *   DUE         the subscription is sent                                    ON
 *   ON          the snapshot comes: whatever it is worth, the turn is over  IDLE
 *               it is refused, or its time is over: the book backs off      IDLE */
enum again { AGAIN_IDLE, AGAIN_OFF, AGAIN_DUE, AGAIN_ON };

struct resubscribe {
    enum again stage;
    uint32_t slot;
    int32_t request_id;
    int64_t deadline_ns;
};

/* A subscription request that waits for its answer. A checked venue answers for each symbol. */
struct asked {
    int32_t id; /* 0 = free */
    unsigned streams;
    uint32_t at;
    uint32_t count;
    int64_t sent_ns;
};

/* One connection. */
struct link {
    bool up;
    uint8_t bit;   /* in its group's masks */
    uint8_t index; /* in its group */
    uint8_t copy;  /* which copy of the group's streams */
    uint32_t group;
    uint32_t base;      /* lines before this one have every stream asked for */
    uint32_t at;        /* the next line to subscribe */
    uint32_t to;        /* where this round of streams ends */
    unsigned streams;   /* of the lines from base on, not yet asked for */
    int32_t trade_from; /* checked: ids of the requests for trades; 0 = none */
    int32_t trade_to;
    int64_t acked_ns;    /* mono: since when nothing is unanswered; 0 = something is */
    int64_t message_ns;  /* mono: its last message, while there are several */
    bool stuck;          /* worth nothing though it is up: to be replaced */
    uint32_t unanswered; /* requests in a row */
    int64_t ready_ns;    /* mono: since when it carries what the others do; 0 = it does not */
    struct asked asked[ASKED_MAX];
    struct resubscribe again;
};

enum merge_stream { MERGE_DEPTH, MERGE_TICKER, MERGE_TRADE, MERGE_STREAMS };

/* When the first copy of an item came, and over which. */
struct arrival {
    uint64_t id;
    int64_t ns; /* 0 = told, or none */
    uint32_t copy;
};

struct arrivals {
    struct arrival first[MERGE_STREAMS][ARRIVALS];
    uint32_t count[MERGE_STREAMS]; /* runs free */
};

/* An update ahead of the book: what it lacks comes over another link, or not. Levels: bids, then asks. */
struct held {
    uint32_t slot;
    uint8_t bit;
    bool missed; /* its connection lacks what is before it */
    uint64_t first_id;
    uint64_t last_id;
    int64_t since_ns;
    int64_t venue_time_ns;
    uint32_t at;
    uint32_t bid_count;
    uint32_t ask_count;
};

struct merge {
    struct held *held;
    uint32_t held_count;
    struct level *level;
    uint32_t level_count;
    uint32_t levels_max;
    struct md_msg msg;         /* a held update, when its turn comes */
    struct arrivals *arrivals; /* by slot; NULL: one copy only */
};

struct feed {
    struct feed_config cfg;
    const struct feed_dialect *dialect;
    void *decoder;
    struct md_msg msg;
    struct line *line;
    uint32_t line_count;
    uint32_t wanted_count; /* lines and views that want a snapshot */
    uint32_t fetch_at;     /* where the search for the next fetch starts */
    uint32_t off_count;    /* lines with streams to be unsubscribed */
    uint32_t unchecked;    /* lines whose bookTicker is silent */
    uint32_t ladder_at;    /* where the search for the next ladder to publish starts */
    int32_t request_id;
    uint8_t bit;       /* of the link that speaks, in its group */
    bool merging;      /* a group has more than one link up */
    bool up;           /* some link is */
    bool online;       /* what the venue says of itself */
    uint32_t speaker;  /* the link that speaks */
    bool some_refused; /* since the start: some line may have to be asked for alone */
    uint32_t link_count;
    uint32_t group_links;
    uint32_t group_lines; /* instruments of one link, at most */
    struct link *link;
    struct line *view; /* checked: books of links that are not served, group_links - 1 beside each line */
    struct merge merge;
    struct fetch fetch;
    struct feed_counters counters;
    const char **symbols; /* for one subscribe message */
    int32_t refusal_code;
    char refusal[MD_TEXT_BYTES];
    uint16_t slot_of[INSTRUMENT_MAX]; /* by instrument id; UINT16_MAX none */
};

/* ---- events ---- */

/* Holds one event back, so that the last of a message can be marked. The event's first eight bytes are kept as one word
 * and stored as one: the ring copies words, and a word that was just written in pieces stalls the load. */
struct emitter {
    struct feed *f;
    const struct md_out *out;
    int64_t recv_ns;
    bool has;
    uint64_t head; /* of held: instrument, kind, side, state, flags */
    struct md_event held;
};
_Static_assert(offsetof(struct md_event, kind) == 4 && offsetof(struct md_event, side) == 5 &&
                   offsetof(struct md_event, state) == 6 && offsetof(struct md_event, flags) == 7,
               "what emit() and emitter_end() put together; little-endian, as the ring is");

static inline void
emitter_send(struct emitter *e)
{
    memcpy(&e->held, &e->head, sizeof(e->head));
    e->f->counters.events++;
    if (e->out->writer != NULL)
        md_publish(e->out->writer, &e->held);
    if (e->out->on_event != NULL)
        e->out->on_event(e->out->ctx, &e->held);
}

static inline struct emitter
emitter_begin(struct feed *f, const struct md_out *out, struct now now)
{
    struct emitter e;
    e.f = f;
    e.out = out;
    e.recv_ns = now.mono.ns;
    e.has = false;
    return e;
}

static inline void
emitter_end(struct emitter *e)
{
    if (e->has) {
        e->head |= (uint64_t)MD_LAST_OF_MESSAGE << 56;
        emitter_send(e);
    }
}

/* The next event to fill; what was held goes out. */
static inline struct md_event *
emit(struct emitter *e, const struct line *l, enum md_kind kind, uint8_t side, uint64_t seq)
{
    if (e->has)
        emitter_send(e);
    e->has = true;
    e->head = l->instrument | (uint64_t)kind << 32 | (uint64_t)side << 40 | (uint64_t)l->state << 48;
    e->held.recv_ns = e->recv_ns;
    e->held.venue_seq = seq;
    return &e->held;
}

static inline void
emit_level(struct emitter *e, const struct line *l, enum side side, px_t px, qty_t qty, uint64_t seq, int64_t time_ns)
{
    struct md_event *ev = emit(e, l, MD_LEVEL, (uint8_t)side, seq);
    ev->level.px = px;
    ev->level.qty = qty;
    ev->level.trade_id = 0;
    ev->level.venue_time_ns = time_ns;
}

static inline void
publish_table(struct emitter *e, struct line *l)
{
    l->ladder_old = true;
    if (e->out->writer != NULL)
        md_publish_top(e->out->writer, l->instrument, &l->ref.tob);
}

/* ---- state of a line ---- */

static inline struct touch
touch_of(const struct book *b, uint64_t id)
{
    const struct level *bid = book_touch(b, SIDE_BUY);
    const struct level *ask = book_touch(b, SIDE_SELL);
    struct touch t = { .id = id };

    if (likely(bid != NULL))
        t.bid = *bid;
    if (likely(ask != NULL))
        t.ask = *ask;
    return t;
}

static inline bool
touch_equal(const struct touch *a, const struct touch *b)
{
    return a->bid.px == b->bid.px && a->bid.qty == b->bid.qty && a->ask.px == b->ask.px && a->ask.qty == b->ask.qty;
}

static inline const struct touch *
newest_ticker(const struct line *l)
{
    return l->ticker_count > 0 ? &l->ticker[(l->ticker_count - 1) % TICKERS] : NULL;
}

/* A field that was stored a moment ago, by itself: together with its neighbour, in one load that is wider than the
 * stores were, it would stall. */
static inline int64_t
field(const int64_t *from)
{
    int64_t v = *from;
    __asm__("" : "+r"(v));
    return v;
}

/* Serve a touch of a live book: risk's view, the table, and an event when it moved. */
static inline void
serve(struct emitter *e, struct line *l, const struct touch *t)
{
    struct top_of_book *tob = &l->ref.tob;
    struct top_of_book *good = &l->ref.good;
    const struct level bid = { field(&t->bid.px), field(&t->bid.qty) };
    const struct level ask = { field(&t->ask.px), field(&t->ask.qty) };
    bool moved = tob->bid_px != bid.px || tob->bid_qty != bid.qty || tob->ask_px != ask.px || tob->ask_qty != ask.qty ||
                 tob->state != l->state;

    tob->bid_px = good->bid_px = bid.px;
    tob->bid_qty = good->bid_qty = bid.qty;
    tob->ask_px = good->ask_px = ask.px;
    tob->ask_qty = good->ask_qty = ask.qty;
    tob->recv_ns = good->recv_ns = e->recv_ns;
    tob->venue_seq = good->venue_seq = t->id;
    if (unlikely(tob->state != l->state))
        tob->state = l->state;
    if (unlikely(good->state != l->state)) {
        good->state = l->state;
        good->instrument_version = tob->instrument_version;
    }
    publish_table(e, l);
    if (moved) {
        struct md_event *ev = emit(e, l, MD_TOP, 0, t->id);
        ev->top.bid_px = bid.px;
        ev->top.bid_qty = bid.qty;
        ev->top.ask_px = ask.px;
        ev->top.ask_qty = ask.qty;
    }
}

static inline void
want(struct feed *f, struct line *l, bool wanted)
{
    f->wanted_count += (uint32_t)wanted - (uint32_t)l->wanted;
    l->wanted = wanted;
}

/* feed.c */

/* Forget everything but who it is. */
void feed_line_reset(struct feed *f, struct line *l);
/* A state, a clear: an event without levels. */
void feed_emit_bare(struct emitter *e, const struct line *l, enum md_kind kind, uint64_t seq);
/* Enter a state that is not live. The last values stay beside it for whoever wants to show them. */
void feed_distrust(struct emitter *e, struct line *l, enum book_state state);

/* feed_config.c */

bool feed_config_check(const struct feed_config *cfg, struct fault *fault);

/* feed_sequenced.c */

void sequenced_depth(struct feed *f, struct now now, const struct md_out *out);
void sequenced_ticker(struct feed *f, struct now now, const struct md_out *out);
/* Levels of an update into a book that is being joined; told to the clients when `publish`. */
void sequenced_apply(struct emitter *e, struct line *l, struct book *b, enum side side, const struct level *level,
                     uint32_t count, uint64_t id, bool publish);
/* The line's book is a joined one: live, unless its levels say otherwise. */
void sequenced_start(struct emitter *e, struct line *l);
/* A trade changes the book: one that comes in a long silence of the others starts their clock. */
void sequenced_traded(const struct feed *f, struct line *l, int64_t now_ns);
/* Books whose depth stream lags (checked ones too: trades without depth). */
void sequenced_timer(struct feed *f, struct now now, const struct md_out *out);

/* feed_silent.c */

/* The depth stream of a line said nothing while others went on: off and on again, over every link. */
void silent_begin(struct feed *f, struct line *l, int64_t now_ns);
/* That of one link, while another one's goes on: the same there. Said again: the link is given up. */
void silent_beside(struct feed *f, uint32_t slot, struct link *k, int64_t now_ns);
/* It spoke, over these links. */
void silent_clear(struct feed *f, struct line *l, uint8_t bits);
/* These links are gone: nothing is to be asked of them. */
void silent_gone(struct feed *f, struct line *l, uint8_t bits);
/* bookTicker said nothing of a touch that depth moved: off and on again, over every link. */
void silent_ticker_begin(struct feed *f, struct line *l, int64_t now_ns);
/* It spoke, or starts anew: it owes nothing. */
void silent_ticker_clear(struct feed *f, struct line *l);
bool silent_due(const struct feed *f, const struct link *k);
uint32_t silent_next(const struct feed *f, const struct link *k);
/* When silent_due(): the unsubscription; the subscription is then due as one that was refused. */
size_t silent_request(struct feed *f, struct link *k, int32_t id, struct now now, char *buf, size_t room);
void silent_timer(struct feed *f, int64_t now_ns);
/* A checked book's subscription over k brought no snapshot. */
void silent_missed(struct feed *f, uint32_t slot, struct line *l, struct link *k, int64_t now_ns);
/* A request over k had no answer. */
void silent_unanswered(struct link *k);

/* feed_ladder.c */

/* Ladders of books that moved, a few at a time. True when more are left. */
bool feed_ladders(struct feed *f, const struct md_out *out);

/* feed_fetch.c */

/* No snapshot is in flight any more. */
void feed_fetch_idle(struct feed *f);
/* An update of the instrument whose snapshot is in flight: it waits. */
void feed_fetch_buffer(struct feed *f, const struct md_msg *m, int64_t now_ns);
void feed_fetch_timer(struct feed *f, int64_t now_ns);

/* feed_links.c */

void feed_links_init(struct feed *f, struct arena *arena);
size_t feed_links_footprint(const struct feed_config *cfg);
uint32_t feed_links_of_group(const struct feed_config *cfg);
/* Bits of the line's links that are up. */
uint8_t links_up(const struct feed *f, uint32_t slot);
/* The first line that is not of the link's group, and its first. */
uint32_t link_end(const struct feed *f, const struct link *k);
uint32_t link_begin(const struct feed *f, const struct link *k);
/* A request was sent: its answer is awaited. False: too many are already, and this one is not. */
bool links_asked(struct link *k, struct asked asked);
/* Checked: something came of what was asked for: an answer, or the stream itself. */
void links_heard(struct feed *f, struct link *k, uint32_t slot, unsigned stream, int64_t now_ns);
/* The venue's answer to a request over the link that speaks. */
void links_answer(struct feed *f, bool ok, struct now now, const struct md_out *out);
void links_timer(struct feed *f, struct now now, const struct md_out *out);

/* feed_merge.c */

/* A depth update while several links are up. */
void merge_depth(struct emitter *e, struct line *l, const struct md_msg *m);
void merge_drop(struct feed *f, uint32_t slot);
/* A trade out of turn: true when it was seen before. `id` <= last_trade_id. */
bool merge_trade_seen(struct feed *f, struct line *l, int64_t id);
/* A trade beyond last_trade_id, before that is changed. */
void merge_trade(struct line *l, int64_t id);
/* Whose copy of an item came first, and by how much. */
void merge_first(struct feed *f, enum merge_stream stream, uint64_t id, int64_t now_ns);
void merge_second(struct feed *f, enum merge_stream stream, uint64_t id, int64_t now_ns, const struct md_out *out);
void merge_timer(struct emitter *e, int64_t now_ns);
/* The link is known to keep up with the line's book. */
void merge_mark(struct feed *f, uint32_t slot, const struct link *k, int64_t now_ns);
/* The book has moved on, and the link has not brought any of that for longer than it takes. */
bool merge_lags(struct feed *f, uint32_t slot, const struct link *k, int64_t now_ns);
/* Links that carry nothing of a book that moves on over another one. */
void merge_look(struct emitter *e, int64_t now_ns);

/* A line after levels moved. */
void sequenced_follow(struct emitter *e, struct line *l, const struct md_msg *m);
/* An update of what the book has already came. A link that moved the book cannot repeat: when all that carry it have
 * brought nothing else for depth_lag_max_ns, they count from elsewhere, and the book is a gap. */
void sequenced_repeated(struct emitter *e, struct line *l, const struct md_msg *m);
/* The venue's numbers go on from id: nothing seen before says what is new. */
void sequenced_renumber(struct line *l, uint64_t id);

/* feed_checked.c */
/* The book of a line that link keeps. */
struct line *checked_line(struct feed *f, uint32_t slot, const struct link *k);
void checked_link_up(struct feed *f, const struct link *k, bool others);
void checked_link_down(struct feed *f, const struct link *k, struct emitter *e);
void checked_snapshot(struct feed *f, struct now now, const struct md_out *out);
void checked_depth(struct feed *f, struct now now, const struct md_out *out);
void checked_traded(struct line *l, int64_t now_ns, int64_t lag_max_ns);
void checked_unreadable(struct feed *f, struct now now, const struct md_out *out);
/* The book that a link keeps of a line is worth nothing; the served one is another link's, where one is live. */
void checked_distrust(struct emitter *e, uint32_t slot, const struct link *k, enum book_state state);
/* The link whose book is served. */
const struct link *checked_server(const struct feed *f, uint32_t slot);
void checked_renew(struct feed *f, uint32_t slot);
/* The venue's answer to a request about a book; ok false: refused. */
void checked_answer(struct feed *f, bool ok, struct now now, struct emitter *e);
/* A request for the line's book had no answer in time. */
void checked_unanswered(struct feed *f, uint32_t slot, struct link *k, int64_t now_ns);
bool checked_due(struct feed *f, const struct link *k, struct now now);
size_t checked_request(struct feed *f, struct link *k, struct now now, const struct md_out *out, char *buf,
                       size_t room);
void checked_timer(struct feed *f, struct now now, const struct md_out *out);
void checked_reset(struct link *k);

#endif
