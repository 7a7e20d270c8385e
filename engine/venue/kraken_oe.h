/* Kraken Spot order entry over WebSocket v2 and, for what that does not answer, REST: what its files share, and what
 * tests need of it.
 *
 * kraken_oe.c writes requests, kraken_oe_decode.c reads answers and the executions channel, kraken_rest.c asks over
 * HTTP (token, queries, lists, balances), kraken_trades.c for trades, kraken_orders.c remembers which order a venue id
 * means.
 *
 * Always true: a request carries a number that is never used twice in a run, and what it was about stands in a ring
 * under that number; an order id of the venue's is text, the 64 bits that leave this adapter are its hash; nothing here
 * decides what an order's state is.
 *
 * Source: docs.kraken.com, Spot WebSocket v2 (add_order, amend_order, cancel_order, cancel_all,
 * cancel_all_orders_after, executions, ping), Spot REST (authentication, GetWebSocketsToken, QueryOrders, OpenOrders,
 * ClosedOrders, TradesHistory, Balance). Seen 2026-08. */
#ifndef EXECGW_ENGINE_VENUE_KRAKEN_OE_H
#define EXECGW_ENGINE_VENUE_KRAKEN_OE_H

#include "engine/venue/sign.h"
#include "engine/venue/venue.h"
#include "feed/json_scan.h"

#define KRAKEN_ORDER_ID_BYTES 24   /* "OQCLML-BW3P3-BUCMWZ" and its NUL */
#define KRAKEN_TOKEN_BYTES    128  /* with its NUL */
#define KRAKEN_REQUESTS       4096 /* a power of two: answers to older ones are no longer told apart */
#define KRAKEN_PIECE_BYTES    64
/* What is waited for over HTTP after being told to be quiet: the counter of calls falls by the second; told again at
 * once, twice as long; a lock-out is said to be of 15 minutes. */
#define KRAKEN_QUIET_NS     (5 * NS_PER_S)
#define KRAKEN_QUIET_MAX_NS (60 * NS_PER_S)
#define KRAKEN_LOCKOUT_NS   (15 * 60 * NS_PER_S)
#define KRAKEN_REPEATS      8    /* of the executions channel: so far back a number may be a repeat */
#define KRAKEN_PAGES_MAX    20   /* of one list, 50 entries each */
#define KRAKEN_SWEEP_TRADES 5000 /* of the account, all pairs, read at a time */

/* ---- which order a venue id means ---- */

struct kraken_order {
    uint64_t id; /* hash of order_id; 0 free */
    char order_id[KRAKEN_ORDER_ID_BYTES];
    char clordid[CLORDID_BYTES]; /* "" not said */
    uint32_t instrument;
    uint32_t seen; /* list in which, or after which, it was there last */
    bool done;     /* over: may be forgotten when there is no room */
};

struct kraken_orders {
    struct kraken_order *order; /* [max] */
    uint32_t *bucket;           /* open hash of indexes + 1; a power of two, at most half full */
    uint32_t *done;             /* ring of indexes, oldest first */
    uint32_t max;
    uint32_t mask;
    uint32_t used; /* indexes below were given out once */
    uint32_t done_head;
    uint32_t done_count;
    uint32_t list;      /* number of the last list of open orders that was asked for */
    uint32_t whole;     /* of the last one that was told to its end: what was seen before it only is over */
    uint32_t hand;      /* where the search for such goes on */
    uint32_t fruitless; /* `whole` when a search found none; nothing new to find until it changes */
};

uint64_t kraken_order_hash(const char *order_id, size_t n);
size_t kraken_orders_footprint(uint32_t orders_max);
void kraken_orders_init(struct kraken_orders *t, uint32_t orders_max, struct arena *arena);
/* NULL when it is not known. */
struct kraken_order *kraken_orders_find(const struct kraken_orders *t, uint64_t id);
/* Known already, or taken up now: it is there. When there is no room the oldest finished one goes, or one that the last
 * list of open orders did not name. NULL: all are live. */
struct kraken_order *kraken_orders_add(struct kraken_orders *t, const char *order_id, size_t n);
/* The list of open orders is asked for; it was told to its end. */
void kraken_orders_list(struct kraken_orders *t);
void kraken_orders_listed(struct kraken_orders *t);
/* It is over: it may be forgotten some day. */
void kraken_orders_done(struct kraken_orders *t, struct kraken_order *o);

/* ---- the adapter ---- */

struct kraken_request {
    uint32_t number; /* 0 = none yet */
    uint8_t kind;    /* enum venue_request_kind */
    uint32_t instrument;
    char clordid[CLORDID_BYTES];
    px_t px; /* AMEND: asked for */
    qty_t qty;
    uint64_t tag;
};

/* Constant text per instrument; len 0 = not known. */
struct kraken_piece {
    char json[KRAKEN_PIECE_BYTES]; /* `,"symbol":"BTC/USD"` */
    uint32_t len;
};

/* The question asked over HTTP, through its pages and lists. */
enum kraken_rest_stage {
    KRAKEN_REST_IDLE,
    KRAKEN_REST_TOKEN,
    KRAKEN_REST_BY_ID,
    KRAKEN_REST_OPEN,
    KRAKEN_REST_CLOSED,
    KRAKEN_REST_TRADES,
    KRAKEN_REST_OPEN_ALL,
    KRAKEN_REST_BALANCE
};

struct kraken_rest {
    uint8_t stage; /* enum kraken_rest_stage; IDLE: nothing is asked */
    uint8_t kind;  /* enum venue_request_kind */
    bool more;     /* another page, or the next list, is to be asked for */
    bool unnamed;  /* QUERY: the venue has no name of ours for it; its id is known by its hash only */
    uint8_t tag;   /* of the question */
    bool sweep;    /* TRADES of an instrument, not of an order */
    uint32_t offset;
    uint32_t pages;
    uint32_t instrument;
    int64_t since_ns;
    int64_t since_trade;
    int64_t until_s; /* the list's end is fixed, so that its pages do not shift */
    uint64_t venue_order_id;
    char clordid[CLORDID_BYTES];
    char order_id[KRAKEN_ORDER_ID_BYTES];
};

/* The account's trades within a window of time, read back page by page: all that is asked about the instruments of one
 * sweep is answered from it. */
struct kraken_sweep {
    bool whole;   /* every page was read */
    bool last;    /* the window reaches to the time of the question */
    bool newest;  /* nothing is known of the past: the newest page is enough */
    uint8_t told; /* 1: `instrument` was told this window */
    uint32_t instrument;
    uint32_t offset;  /* where to go on */
    uint32_t count;   /* kept in `trade`, by instrument and then trade id */
    int64_t since_ns; /* venue clock: as asked for */
    int64_t begun_ns; /* venue clock; 0 = none */
    int64_t from_s;   /* the window */
    int64_t until_s;
};

struct kraken_trade {
    uint32_t instrument;
    int64_t trade_id;
    uint64_t order; /* hash of the venue's id */
    px_t px;
    qty_t qty;
    value_t fee; /* -1: not known */
    int64_t time_ns;
    uint8_t side;
    uint8_t maker;
    uint8_t px_decimals; /* the instrument's when it was read: it may have others when it is told */
    uint8_t qty_decimals;
};

struct kraken_oe {
    struct venue_config cfg;
    struct hmac512_key hmac;
    uint64_t nonce;
    uint8_t nonce_refused; /* times in a row */
    uint8_t quiet;         /* times in a row that HTTP was told to be quiet */
    uint32_t number;       /* of the last request */
    uint32_t token_len;
    char token[KRAKEN_TOKEN_BYTES];
    int64_t clock_offset_ns;
    bool sequenced; /* `sequence` is the highest of the executions channel */
    uint64_t sequence;
    uint64_t heard; /* sequence of its last message */
    struct kraken_rest rest;
    struct kraken_sweep sweep;
    struct kraken_trade *trade; /* [KRAKEN_SWEEP_TRADES] */
    bool *unreadable;           /* [instruments.count]: a trade of it in the window */
    struct kraken_orders orders;
    struct kraken_piece *piece; /* [instruments.count] */
    struct kraken_request request[KRAKEN_REQUESTS];
};

/* Written at `at` (room for it is the caller's matter); the bytes of an HTTP request, or -1. */
int kraken_rest_submit(struct kraken_oe *k, const struct venue_request *rq, struct now now, uint8_t *buf, size_t room,
                       const struct venue_sink *sink);
enum decode_result kraken_rest_decode(struct venue_adapter *a, unsigned status, const uint8_t *body, size_t len,
                                      struct now now, const struct venue_sink *sink);
int kraken_rest_more(struct venue_adapter *a, struct now now, int64_t clock_offset_ns, uint8_t *buf, size_t room);
/* Ends of a question: QUERY_FAILED or LOGON_REFUSED with a text; or the report of its end. */
void kraken_rest_fail(struct kraken_oe *k, const char *text, int32_t code, bool definite,
                      const struct venue_sink *sink);
void kraken_rest_end(struct kraken_oe *k, enum venue_report_kind kind, const struct venue_sink *sink);
/* kraken_trades.c: k->rest is a question for an instrument's trades. True: it was answered from what has been read;
 * else a page must be asked for. */
bool kraken_sweep_begin(struct kraken_oe *k, const struct venue_request *rq, struct now now,
                        const struct venue_sink *sink);
/* A page of TradesHistory. A sweep that needs another one is to be asked for again (kraken_sweep_begin). */
void kraken_on_trades(struct kraken_oe *k, struct json_scan *j, const struct venue_sink *sink);
enum decode_result kraken_oe_decode(struct venue_adapter *a, const uint8_t *msg, size_t len, struct now now,
                                    const struct venue_sink *sink);

/* API-Sign of a request: base64(HMAC-SHA512(secret, path | SHA256(nonce | body))); HMAC512_BASE64_BYTES, no NUL. */
void kraken_sign(const struct hmac512_key *key, const char *path, uint64_t nonce, const char *body, char *out);

/* What a refusal's text proves about the request it answers. */
enum kraken_proof {
    KRAKEN_PROVES_NOTHING,
    KRAKEN_PROVES_REFUSED, /* it was not done */
    KRAKEN_PROVES_COUNT,   /* not done: the pair's counter is full */
    KRAKEN_PROVES_RATE,    /* not done, and nothing will be for a while */
    KRAKEN_PROVES_LOCKOUT, /* the same, for long */
    KRAKEN_PROVES_NONCE    /* not done: the nonce was not above the last */
};
enum kraken_proof kraken_error_proof(const struct json_text *error, int32_t *code);

/* The instrument that a REST name of a pair means ("XBTUSD", "XXBTZUSD", "XBT/USD"); INSTRUMENT_NONE: none of ours. */
uint32_t kraken_pair_instrument(const struct kraken_oe *k, const struct json_text *pair);
/* The currency that a REST name of an asset means ("ZUSD", "XXBT"); false: one that is no plain balance. */
bool kraken_asset_currency(const struct json_text *asset, char out[CURRENCY_BYTES]);

/* An empty report of the venue's answer to a request of this kind. */
static inline struct venue_report
kraken_report(enum venue_report_kind kind, unsigned request)
{
    return (struct venue_report){
        .kind = (uint8_t)kind, .request = (uint8_t)request, .instrument = INSTRUMENT_NONE, .trade_id = -1
    };
}

/* Cut to room, printable, NUL-terminated. */
void kraken_print(const struct json_text *t, char *out, size_t room);

#endif
