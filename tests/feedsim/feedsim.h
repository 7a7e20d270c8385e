/* Feed simulator: books over a bad network, against the venue's own.
 *
 * A seed decides everything: over one connection or two that carry the same, what the venue's books do, when it begins
 * to count anew, which faults its messages meet on the way, when connections end, when snapshots come and of what
 * moment. After every message that arrives, what the feed serves is compared with what the venue had; now and then a
 * reader joins late and is compared with the feed.
 *
 *   feedsim_venue.c   the venue: true books, their past, the texts that it sends
 *   feedsim_net.c     the connections: WebSocket frames, cut and chopped; messages lost, repeated, late, damaged
 *   feedsim_check.c   what must hold
 *   feedsim_main.c    the clock, the feed and what a gateway does around it; seeds
 *
 * Always true: nothing but the seed is random; the reference shares no code with feed/, which is what is tested. */
#ifndef EXECGW_TESTS_FEEDSIM_H
#define EXECGW_TESTS_FEEDSIM_H

#include "execgw/arena.h"
#include "feed/feed.h"
#include "feed/ws_frame.h"

#define PRICES         96 /* of an instrument: ticks above its lowest */
#define INSTRUMENTS    3
#define LINKS          2
#define MOMENTS_MAX    5000 /* of an instrument in one seed */
#define IDS_MAX        30000
#define FRAMES_MAX     4096 /* under way at once */
#define TEXT_MAX       4096
#define SNAPSHOT_LIMIT 12 /* Binance: small, so that the touch reaches the edge */
#define LOWEST         9950
#define RESTARTS       3                    /* Binance: of an instrument's numbers in one seed */
#define FAR            UINT64_C(1000000000) /* a number that is as far ahead is a mistake */
#define LADDER         128

/* The venue's book at one moment: bids at or below `mid`, asks above. */
struct moment {
    uint64_t id; /* Binance: update id; Kraken: message number */
    int32_t mid;
    uint32_t qty[PRICES];
};

struct venue_touch {
    int32_t bid; /* index; -1 none */
    int32_t ask;
    uint32_t bid_qty;
    uint32_t ask_qty;
};

struct venue_book {
    struct moment now;
    char symbol[16];
    uint64_t flushed_id;  /* Binance: the last id in a depth message */
    bool changed[PRICES]; /* since then */
    unsigned restarts;    /* Binance: times that it began to count anew */
    uint64_t trade_id;
    int64_t time_us;     /* of the last message */
    struct moment *past; /* every moment that a message or a snapshot was of, ascending */
    uint32_t past_count;
    struct venue_touch *touch; /* Binance: by id */
};

enum item_kind { ITEM_DEPTH, ITEM_SNAPSHOT, ITEM_TICKER, ITEM_OTHER };

/* A message as the checks know it. */
struct item {
    enum item_kind kind;
    uint32_t book;
    uint64_t id;
    unsigned restarts; /* of its book when it was sent */
};

struct frame {
    int64_t at_ns;
    uint64_t order; /* of sending: ties */
    struct item item;
    bool intact;
    uint32_t len;
    char *text;
};

/* How often what goes wrong; out of 10,000. */
struct faults {
    uint32_t drop, repeat, late, damage, far;      /* a message */
    uint32_t close, silence, dead, burst, restart; /* a step */
    uint32_t snapshot_fails, snapshot_stale, snapshot_late;
    uint32_t refuse; /* a subscription */
};

struct reseed {
    bool asked;
    bool taken; /* the venue has read its book */
    uint32_t book;
    int64_t take_at_ns;
    int64_t at_ns;
    struct moment of;
    uint64_t id; /* as the venue counted then */
    bool fails;
};

/* What the checks remember of one instrument. */
struct watch {
    uint64_t newest;   /* depth id that came since there is a connection */
    uint64_t came[64]; /* the last of those, and when */
    int64_t came_ns[64];
    uint32_t came_count;
    uint64_t snapshot_id; /* of the last snapshot that came */
    uint64_t damaged;     /* Kraken: the last damaged depth message that came */
    uint64_t ticker;      /* newest bookTicker id that came */
    uint64_t live_ticker; /* the same since the book's state changed last */
    int64_t ahead_ns;     /* since when what came of depth is behind bookTicker's ahead_id */
    uint64_t ahead_id;
    int64_t depth_ns;          /* when depth came last, or the connection up */
    uint32_t level[PRICES][2]; /* what a client that follows the events has; by side */
    /* The touch served has a number from before the restart, or from far ahead: since depth came that says so. -1: none
     * came yet; 0: it has not. */
    int64_t old_ns;
    px_t outside; /* a level that the same has at a price that the venue never had; 0 = none */
    uint8_t event_state;
    bool was_live; /* an event said so since the last look: another connection's book was served for a moment */
    struct top_of_book good;
};

struct tally {
    uint64_t messages, live, invalid, resyncs, gaps, checksums, crossed, shallow, lags, closes, snapshots, unequal,
        stuck, restarts, filled, moved, readers;
};

/* A depth stream that says nothing until something is done about it. */
enum dead { ALIVE, DEAD_UNTIL_SUBSCRIBED, DEAD_UNTIL_CONNECTED };

/* What one connection carries of an instrument. */
struct stream {
    bool subscribed;         /* Kraken */
    int64_t ended_ns;        /* Kraken: since when it is not */
    struct moment shown;     /* Kraken: what was told last */
    int64_t silent_until_ns; /* depth is not sent */
    enum dead dead;          /* nor is it, for another reason */
    bool off;                /* Binance: unsubscribed */
};

struct conn {
    bool up;
    int64_t up_at_ns;
    struct frame *frame;
    uint32_t frames;
    struct ws_reader reader;
    uint8_t *reader_buffer;
    struct item arriving;
    struct stream stream[INSTRUMENTS];
};

struct world {
    bool kraken;
    bool trace;
    uint64_t seed;
    uint64_t random;
    int64_t now_ns;
    int64_t start_ns;
    unsigned step;
    int64_t pace; /* a step takes so many times as long */
    bool healing; /* faults are over */
    struct faults faults;
    uint32_t books;
    struct venue_book book[INSTRUMENTS];
    struct watch watch[INSTRUMENTS];
    /* connections */
    uint32_t links;
    struct conn conn[LINKS];
    uint64_t frame_order;
    struct reseed reseed;
    uint32_t depth; /* Kraken: subscribed */
    /* feed */
    struct feed_config cfg;
    struct feed *feed;
    void *memory;
    void *shm;
    size_t shm_bytes;
    struct md_writer writer;
    struct md_reader table;
    struct instrument ins[INSTRUMENTS];
    struct md_out out;
    struct tally tally;
    char failure[512]; /* empty: none */
};

/* ---- common ---- */

/* 0 .. below - 1 */
uint64_t draw(struct world *w, uint64_t below);
bool happens(struct world *w, uint32_t of_10000);
struct now feedsim_now(const struct world *w);
/* The first thing that does not hold. */
void broken(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void trace(const struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- venue ---- */

void venue_open(struct world *w);
/* Some time passes: books change, messages are sent. */
void venue_step(struct world *w);
/* A request of ours came. */
void venue_request(struct world *w, uint32_t link, const char *text, size_t len);
void venue_connection_lost(struct world *w, uint32_t link);
/* It begins to count from below. */
void venue_restart(struct world *w, uint32_t book);
/* The book's number as the venue counts now; and what such a number was before any restart: *restarts how many it knows
 * of, UINT32_MAX one from far ahead. */
uint64_t venue_number(const struct venue_book *b, uint64_t id);
uint64_t venue_id_of(uint64_t number, unsigned *restarts);
/* Keep the book as it is now; its id is now known to the checks. */
const struct moment *venue_keep(struct venue_book *b, const struct moment *m);
const struct moment *venue_past(const struct venue_book *b, uint64_t id);
struct venue_touch venue_touch_of(const struct moment *m);

/* ---- network ---- */

/* The venue sends a message: it arrives whole and in order, or not. */
void net_send(struct world *w, uint32_t link, struct item item, const char *text, size_t len);
/* Everything that is due. */
void net_deliver(struct world *w);
void net_close(struct world *w, uint32_t link);
void net_open(struct world *w, uint32_t link);
bool net_any_up(const struct world *w);

/* ---- checks ---- */

void check_event(void *ctx, const struct md_event *ev);
void check_connection(struct world *w);
/* A reader joins now. */
void check_reader(struct world *w);
/* After every message and every step. */
void check_books(struct world *w);
/* A message is about to be given to the feed. */
void check_arrives(struct world *w, const struct item *item);
void check_snapshot(struct world *w, uint32_t book, uint64_t id);

#endif
