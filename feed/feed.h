/* The market-data subscriptions of one venue: messages in, live books and events out.
 *
 * Between ws_frame (whole text messages) and everybody who looks at the market: the broadcast ring, the top-of-book
 * table, risk (struct md_ref), the paper matcher. Per instrument a state machine keeps a book from the depth stream:
 * fetch a snapshot, join the buffered updates to it, then follow the ids; a gap, a crossed book, an unreadable message
 * or a contradiction with bookTicker makes the book invalid and starts again. The top of book served is the newer, by
 * update id, of the live book's and bookTicker's.
 *
 * The gateway asks feed_snapshot_wanted() after messages and timers; the snapshot comes back in slices of bounded size,
 * so no turn of the loop is long. One snapshot is in flight at a time; failures back off.
 *
 * The instruments are spread over groups of connections ("links"); the links of one group carry the same. While several
 * of a group are up, the first copy of each numbered item counts and the others are dropped by its number; an update
 * that is missing on one is waited for from another. Checked books have no numbers: one link's book is served, each
 * other link keeps a book of its own that takes over without a gap. So a connection is replaced while the old one still
 * speaks (feed_link_covers says when it may go), and two may carry the same all the time.
 *
 * Always true: md_ref.tob.state is BOOK_LIVE only while every update since the snapshot was applied in sequence and the
 * book is neither crossed nor locked; md_ref.good changes in BOOK_LIVE only; a bad message is counted and changes
 * nothing but the state of the instrument it concerns. Loop thread only. No clock, no I/O, no allocation after
 * feed_init(). */
#ifndef EXECGW_FEED_FEED_H
#define EXECGW_FEED_FEED_H

#include "execgw/arena.h"
#include "execgw/broadcast.h"
#include "execgw/market.h"
#include "feed/book.h"
#include "feed/md_msg.h"

struct feed_config {
    const struct feed_dialect *dialect;
    uint32_t instruments_max;
    uint32_t levels_max;         /* a side of each book; >= snapshot_limit */
    uint32_t snapshot_limit;     /* levels a side asked for: a side with fewer is known to its end. A checked book has
                                    no more than these */
    uint32_t message_levels_max; /* a side of one update; more is DECODE_RANGE */
    uint32_t pending_levels_max; /* levels buffered while a snapshot is fetched, for the one instrument in flight */
    uint32_t pending_events_max;
    int64_t snapshot_timeout_ns; /* no slice for so long: the fetch failed */
    int64_t retry_min_ns;        /* back-off between fetches of one instrument, doubling from min to max */
    int64_t retry_max_ns;
    int64_t depth_lag_max_ns; /* depth behind bookTicker for so long: gap (checked: trades while no depth comes). 0 = do
                                 not check */
    int64_t quiet_max_ns;     /* checked: no depth message for so long: subscribe again, to have proof. 0 = never */
    unsigned streams;         /* MD_STREAM_* bits */
    /* Connections. A link's number is (group * copies + copy) * (spare ? 2 : 1) + which. */
    uint32_t groups;      /* the instruments are spread over so many; each sits on one. 0 = 1 */
    uint32_t streams_max; /* of one connection; 0 = the venue's limit */
    uint32_t copies;      /* connections that carry the same, all the time; 0 = 1 */
    bool spare;           /* each has a second one to move to */
    int64_t gap_wait_ns;  /* an update that is missing on one link is waited for so long from another */
};

/* Values that fit a normal Spot feed. */
struct feed_config feed_config_default(uint32_t instruments_max);
#define FEED_LINKS_MAX       32u
#define FEED_GROUP_LINKS_MAX 4u
#define FEED_COPIES_MAX      2u
/* The same for a dialect whose books carry checksums; `depth` levels a side are subscribed. */
struct feed_config feed_config_checked(const struct feed_dialect *dialect, uint32_t instruments_max, uint32_t depth);

#define SNAPSHOT_SLICE_LEVELS 64

/* A piece of a depth snapshot, handed from the reference-data thread by value. */
struct snapshot_slice {
    uint32_t instrument;
    uint8_t side; /* enum side of every level here; best first over all slices of a side */
    bool is_first;
    bool is_last;
    bool failed;    /* the fetch failed: nothing else means anything */
    uint32_t count; /* failed: the venue is not to be asked for so many ms; 0 = it has not said so */
    uint64_t last_update_id;
    struct level level[SNAPSHOT_SLICE_LEVELS];
};

/* Where events go. writer may be NULL; on_event may be NULL; the event is valid during the call only. */
struct md_out {
    struct md_writer *writer;
    void (*on_event)(void *ctx, const struct md_event *ev);
    /* The second copy of something came: `copy`'s was the first, by so much. May be NULL. */
    void (*on_lead)(void *ctx, unsigned copy, int64_t lead_ns);
    void *ctx;
};

enum feed_result {
    FEED_OK,
    FEED_BAD_MESSAGE, /* unreadable: counted; the book it concerned, if one, is invalid. Goes on */
    FEED_SUBSCRIBED,  /* the venue accepted a subscription request */
    FEED_REFUSED,     /* the venue refused a request: feed_refusal() has code and text */
    FEED_STATUS,      /* the venue said how it is: feed_online(), feed_refusal() has its words */
    FEED_SHUTDOWN     /* the venue ends this connection: reconnect at once */
};

/* One list for the struct, the metric label and the text. X(name, label, text) */
#define FEED_COUNTERS(X)                                                                                     \
    X(depth, "depth", "depth updates received")                                                              \
    X(ticker, "ticker", "bookTicker messages received")                                                      \
    X(trade, "trade", "trades received")                                                                     \
    X(other, "other", "other messages received")                                                             \
    X(bytes, "bytes", "payload bytes received")                                                              \
    X(events, "events", "events published")                                                                  \
    X(duplicates, "duplicates", "updates at or below the book's id, ignored")                                \
    X(trade_gaps, "trade_gaps", "trade ids skipped")                                                         \
    X(gaps, "gaps", "updates missed")                                                                        \
    X(lags, "lags", "depth behind bookTicker for too long, or silent")                                       \
    X(checksums, "checksums", "books whose checksum was not the venue's")                                    \
    X(quiet, "quiet", "books subscribed again because nothing came for long")                                \
    X(crossed, "crossed", "crossed books")                                                                   \
    X(locked, "locked", "books whose best bid was at the best offer")                                        \
    X(ticker_crossed, "ticker_crossed", "crossed bookTicker messages, ignored")                              \
    X(shallow, "shallow", "books whose touch reached the edge of what is known")                             \
    X(trims, "trims", "times that the worst levels were dropped for room")                                   \
    X(snapshots, "snapshots", "snapshots asked for")                                                         \
    X(snapshot_failures, "snapshot_failures", "snapshots that failed, timed out or did not join the stream") \
    X(resyncs, "resyncs", "books that went live (again)")                                                    \
    X(pending_overflows, "pending_overflows", "times that the buffer of waiting updates was full")           \
    X(refused, "refused", "subscriptions that the venue refused")                                            \
    X(unanswered, "unanswered", "subscriptions that had no answer")                                          \
    X(held, "held", "updates that waited for one missing on their connection")                               \
    X(filled, "filled", "gaps of one connection that another one filled")                                    \
    X(silent, "silent", "streams of one connection that brought nothing while another one did")              \
    X(moved, "moved", "books that went on over another connection")                                          \
    X(ticker_silent, "ticker_silent", "bookTickers that said nothing of a touch that depth moved")           \
    X(compare_equal, "compare_equal", "depth tops equal to bookTicker of the same id")                       \
    X(compare_unequal, "compare_unequal", "depth tops that contradict bookTicker")

struct feed_counters {
#define X(name, label, text) uint64_t name;
    FEED_COUNTERS(X)
#undef X
    uint64_t decode[DECODE_RESULT_COUNT];
};

struct feed; /* opaque */

size_t feed_footprint(const struct feed_config *cfg);

/* NULL with the fault filled when the configuration cannot be. */
struct feed *feed_init(const struct feed_config *cfg, struct arena *arena, struct fault *fault);

/* Add an instrument, or take a new version of a known one (its book starts again). `ins` is borrowed for life; md_ref
 * can be asked from now on. False when there is no room, or its symbol or decimals cannot be used. Cold. */
bool feed_add_instrument(struct feed *f, const struct instrument *ins, struct now now, const struct md_out *out);

/* Links there are, by the configuration; and whether any instrument sits on this one. */
uint32_t feed_links(const struct feed_config *cfg);
bool feed_link_used(const struct feed *f, uint32_t link);

/* The connection is up: every instrument of it must be subscribed. Books that no other link carries start from nothing.
 */
void feed_link_up(struct feed *f, uint32_t link, struct now now, const struct md_out *out);

/* The connection is down: books that no other link carries are BOOK_DOWN; one that another link is not known to
 * continue is BOOK_GAP. */
void feed_link_down(struct feed *f, uint32_t link, struct now now, const struct md_out *out);

/* A control frame came over the link: what the venue sent before it has come. */
void feed_link_heard(struct feed *f, uint32_t link, struct now now);

/* Everything that the other links of its group carry goes on when this one is the only one. Ask after messages and
 * timers, and before the others are closed. */
bool feed_link_covers(struct feed *f, uint32_t link, struct now now);

/* The connection is worth nothing though it is up: it answers nothing, or a stream stays silent after it was asked for
 * again. Said once; replace it. Ask after timers. */
bool feed_link_stuck(struct feed *f, uint32_t link);

/* True when feed_link_request() has something to send now. Ask after messages and timers. */
bool feed_link_due(struct feed *f, uint32_t link, struct now now);

/* The next request to send, at most `room` bytes; 0 when there is none now: first the subscriptions of every
 * instrument, then those that were refused, each alone, and those of checked books that must start again, one at a
 * time. The caller paces them: venues count messages. */
size_t feed_link_request(struct feed *f, uint32_t link, struct now now, const struct md_out *out, char *buf,
                         size_t room);

/* One whole text message. Hot. Events are published before it returns. */
enum feed_result feed_link_message(struct feed *f, uint32_t link, const uint8_t *payload, size_t len, struct now now,
                                   const struct md_out *out);

/* The same of the first link, for who has one only. */
static inline void
feed_on_up(struct feed *f, struct now now, const struct md_out *out)
{
    feed_link_up(f, 0, now, out);
}

static inline void
feed_on_down(struct feed *f, struct now now, const struct md_out *out)
{
    feed_link_down(f, 0, now, out);
}

static inline bool
feed_subscribe_due(struct feed *f, struct now now)
{
    return feed_link_due(f, 0, now);
}

static inline size_t
feed_subscribe_next(struct feed *f, struct now now, const struct md_out *out, char *buf, size_t room)
{
    return feed_link_request(f, 0, now, out, buf, room);
}

static inline enum feed_result
feed_on_message(struct feed *f, const uint8_t *payload, size_t len, struct now now, const struct md_out *out)
{
    return feed_link_message(f, 0, payload, len, now, out);
}

/* True when a snapshot of *instrument must be fetched now; it then counts as in flight. Ask after messages, slices and
 * timers. */
bool feed_snapshot_wanted(struct feed *f, struct now now, uint32_t *instrument);

/* A slice of the snapshot asked for; others are ignored. */
void feed_on_snapshot_slice(struct feed *f, const struct snapshot_slice *s, struct now now, const struct md_out *out);

/* One bounded piece of waiting work (joining buffered updates to a snapshot). True when more is left. */
bool feed_work(struct feed *f, struct now now, const struct md_out *out);

/* Time-outs: a fetch without an answer, depth lag; and the ladders of books that moved, a few a call. Returns when to
 * be called next. */
mono_ns_t feed_on_timer(struct feed *f, struct now now, const struct md_out *out);

/* For risk: stays valid and is kept up to date. NULL when the instrument was not added. */
const struct md_ref *feed_md_ref(const struct feed *f, uint32_t instrument);
enum book_state feed_state(const struct feed *f, uint32_t instrument);
/* The levels behind the state; what they are worth says feed_state(). NULL when the instrument was not added. */
const struct book *feed_book(const struct feed *f, uint32_t instrument);
const struct feed_counters *feed_counters(const struct feed *f);
/* Books whose bookTicker is silent now: there is nothing to hold them against. */
uint32_t feed_unchecked(const struct feed *f);
/* What the venue last said of itself; true before it said anything. */
bool feed_online(const struct feed *f);
const char *feed_refusal(const struct feed *f, int32_t *code);

#endif
