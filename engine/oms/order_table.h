/* Order table: every order this gateway has sent and not yet forgotten, by ClOrdID and by (client, key).
 *
 * Between risk (which accepted the request) and the venue adapters (which bring back reports). The only writer of
 * order records. Everything that changes an order is an order_intent or an order_event; the gateway journals the same
 * bytes first, so replaying the journal rebuilds this table exactly. Each change yields an order_delta for risk.
 *
 * Always true:  an order's reservation is leaves_qty while it lives (of the larger of two totals while an amend is not
 *               settled), what its missing trades may still be when the venue has called it done, 0 once terminal;
 *               cum_qty counts distinct trade ids and nothing else;
 *               a terminal order never reopens (a late trade still raises cum_qty);
 *               prices of an instrument's orders are in its decimals in force, whenever they were made;
 *               live orders <= live_max; the last done_kept terminal orders stay findable, the oldest goes first.
 * Core thread only. Never allocates after order_table_init(). */
#ifndef EXECGW_ENGINE_OMS_ORDER_TABLE_H
#define EXECGW_ENGINE_OMS_ORDER_TABLE_H

#include "engine/oms/clordid.h"
#include "engine/oms/key_ledger.h"
#include "engine/oms/order_state.h"
#include "execgw/arena.h"
#include "execgw/instrument.h"

struct order_counts {
    uint32_t live_max;    /* orders not terminal, in [1, 2^20] */
    uint32_t done_kept;   /* terminal orders kept for repeats and late reports, in [1, 2^20] */
    uint32_t trades_kept; /* trade ids remembered, in [1, 2^24]; the oldest goes first */
    uint32_t keys_kept;   /* keys that made no order (denied, amends, cancels) remembered per client, in [1, 2^16] */
};

/* The order keeps its place, its venue order and its ClOrdID: clordid is target_clordid, qty the new total with the
 * filled part. The command's key becomes another name of that order. */
#define ORDER_INTENT_AMEND 1u
/* The second half of a replace that canceled first: its key was taken by that cancel (ORDER_EVENT_REPLACE). */
#define ORDER_INTENT_AFTER_CANCEL 2u

/* The record behind a NEW or REPLACE, accepted or denied: the INTENT payload of the journal, so little-endian, no
 * padding left unset. Denied cancels are journaled with it too; they do not touch the table. */
struct order_intent {
    struct command command;
    char clordid[CLORDID_BYTES]; /* minted; "" when denied */
    uint16_t venue;
    uint8_t deny;                       /* enum deny_reason; DENY_NONE = accepted */
    uint8_t flags;                      /* ORDER_INTENT_* */
    char target_clordid[CLORDID_BYTES]; /* REPLACE: the order it cancels; "" none */
    uint32_t limits_version;
    qty_t qty;     /* what the venue is asked for; REPLACE: new total minus what was filled; AMEND: new total */
    int64_t value; /* the two numbers that decided, see struct risk_verdict; an accepted market order: the worst price
                      that it was allowed, which is what it costs until it is filled */
    int64_t limit;
    int64_t recv_mono_ns;
    int64_t risk_mono_ns;
    int64_t venue_deadline_ns; /* venue clock: the venue refuses the request after this; 0 = it cannot */
};
_Static_assert(sizeof(struct order_intent) == 288, "journal payload");

#define ORDER_EVENT_TEXT 48

#define ORDER_EVENT_MAKER    1u
#define ORDER_EVENT_PROVEN   2u  /* STATUS: asked after the deadline + margin of what is in flight */
#define ORDER_EVENT_COUNTED  4u  /* FILL: the position has this trade already: only the order counts it */
#define ORDER_EVENT_OPERATOR 8u  /* an operator's word, not the venue's */
#define ORDER_EVENT_REPLACE  16u /* CANCEL_SENT: of a replace that cancels first and places after */
#define ORDER_EVENT_RENAMED  32u /* STATUS of ORDER_FREE: the venue has another client id for it, no more is said */

/* One fact about one order: the payload of the journal's VENUE_REPORT (from the venue) and REQUEST (ours). */
struct order_event {
    uint8_t kind;  /* enum order_event_kind, not the derived ones */
    uint8_t state; /* STATUS: enum order_state that the venue reports */
    uint8_t flags; /* ORDER_EVENT_* */
    uint8_t pad;
    int32_t venue_code;          /* 0 none */
    char clordid[CLORDID_BYTES]; /* the order meant */
    union {
        uint32_t fee_ccy;        /* FILL */
        uint32_t request_client; /* CANCEL_SENT: who asked */
    };
    uint64_t venue_order_id; /* 0 not said */
    int64_t trade_id;        /* FILL; >= 0 */
    union {
        px_t last_px; /* FILL */
        px_t px;      /* STATUS, AMENDED: what the order works at; 0 = not said */
    };
    union {
        qty_t last_qty; /* FILL */
        qty_t qty;      /* STATUS, AMENDED: its total, filled part included; 0 = not said */
    };
    qty_t cum_qty; /* the venue's own count; 0 = not said */
    union {
        value_t fee;         /* FILL */
        uint64_t request_id; /* CANCEL_SENT: client order key of the command behind it; 0 = it has none.
                                AMENDED, AMEND_REJECTED: key of the amend answered; 0 = not an answer, or not said */
    };
    int64_t venue_time_ns;
    int64_t mono_ns;             /* when it was received or sent */
    uint64_t request_key;        /* CANCEL_SENT: client_seq of the command behind it; 0 = ours */
    int64_t deadline_ns;         /* CANCEL_SENT: venue deadline of the cancel */
    char text[ORDER_EVENT_TEXT]; /* the venue's words, cut, NUL-terminated */
};
_Static_assert(sizeof(struct order_event) == 160, "journal payload");

#define ORDER_MARK_NEW_UNKNOWN 1u   /* whether the new order (or what an operator has not told) works is unknown */
#define ORDER_MARK_OVERFILLED  2u   /* trades add up to more than qty */
#define ORDER_MARK_LATE        4u   /* a trade came after the terminal state */
#define ORDER_MARK_FORGOTTEN   8u   /* trades of it were counted whose ids are no longer remembered */
#define ORDER_MARK_AMENDS      16u  /* has a struct order_amend */
#define ORDER_MARK_OPERATOR    64u  /* ended by an operator's word: a sign of life contradicts it */
#define ORDER_MARK_RENAMED     128u /* somebody else's amend gave it another client id: known by the venue's id alone */
#define ORDER_MARKS_ALL        255u
#define ORDER_MARK_AMENDING \
    32u /* an amend is asked for and not settled: the larger total is reserved, also while held */

/* A trade of the account that belongs to no order in the table: somebody else's on the same account, or of an order
 * that was forgotten. The payload of the journal's TRADE. */
struct account_trade {
    uint32_t account;
    uint32_t instrument;
    uint32_t instrument_version;
    uint8_t side;
    uint8_t maker;
    uint16_t fee_ccy;
    int64_t trade_id; /* >= 0 */
    px_t px;
    qty_t qty;
    value_t fee; /* at 10^-8 of fee_ccy */
    uint64_t venue_order_id;
    int64_t venue_time_ns;
};
_Static_assert(sizeof(struct account_trade) == 64, "journal payload");

/* Read-only to everybody but order_table.c (and order_stamp_wire). */
struct order {
    char clordid[CLORDID_BYTES];
    uint32_t client;
    uint64_t key; /* the one shown: of the last amend that was done, else its first */
    uint64_t seq; /* of the ClOrdID */
    uint32_t term;
    uint32_t account;
    uint32_t instrument;
    uint32_t instrument_version;
    uint16_t venue;
    uint8_t side;
    uint8_t type;
    uint8_t tif;
    uint8_t flags;     /* COMMAND_* */
    uint8_t state;     /* enum order_state */
    uint8_t request;   /* enum request_state */
    uint8_t end_state; /* terminal state the venue has told, entered when the missing trades are in; 0 = none */
    uint8_t marks;     /* ORDER_MARK_* */
    uint16_t last_fee_ccy;
    uint32_t replaces;    /* slot of the order this one cancels; ORDER_NONE */
    uint32_t replaced_by; /* slot of the order that cancels this one; ORDER_NONE */
    uint32_t trade_count;
    uint64_t request_key; /* client_seq of the last command on it */
    uint64_t venue_order_id;
    px_t px;
    qty_t qty;
    qty_t cum_qty;       /* sum of distinct trades */
    qty_t venue_cum_qty; /* the most that the venue has told */
    qty_t reserved;      /* what risk holds for it */
    wide_t cum_px_qty;   /* sum of px * qty: average price = this / cum_qty */
    px_t trigger_px;
    px_t last_px;
    qty_t last_qty;
    int64_t last_trade_id; /* -1 none */
    value_t last_fee;
    px_t rest_px;         /* where risk believes that it rests; 0 = does not */
    wide_t reserved_cost; /* px * reserved, as risk holds it */
    uint64_t parent_key;
    qty_t parent_qty;
    int64_t venue_deadline_ns; /* of the new-order request */
    int64_t cancel_deadline_ns;
    int64_t venue_time_ns;
    int64_t request_mono_ns; /* when what is in flight was sent */
    int64_t submit_mono_ns;
    int64_t recv_mono_ns;
    int64_t risk_mono_ns;
    int64_t wire_mono_ns;
    int64_t ack_mono_ns;
    int32_t venue_code; /* of the last refusal */
    uint32_t live_prev, live_next;
    uint32_t client_prev, client_next; /* of the client's live orders */
    uint32_t done_next;
    char text[44];
};

/* Of an order with ORDER_MARK_AMENDS. */
struct order_amend {
    uint64_t key;       /* of the last amend asked for; 0 = only others amended it */
    uint64_t first_key; /* the order's own */
    px_t px;            /* asked for, while ORDER_MARK_AMENDING */
    qty_t qty;          /* total, filled part included */
    int64_t venue_ns;   /* venue time of the newest amend seen: older reports change nothing */
};

struct order_table;

size_t order_table_footprint(const struct order_counts *c);

/* instance: the two characters of this gateway's ClOrdIDs. */
struct order_table *order_table_init(const struct order_counts *c, const char *instance, struct arena *arena);

/* --- keys ------------------------------------------------------------------------------------------------------ */

enum order_key_kind {
    ORDER_KEY_NEW,           /* above every key of this client */
    ORDER_KEY_REPEAT,        /* slot holds its order: answer with its state */
    ORDER_KEY_REPEAT_DENIED, /* was denied: answer with `deny` */
    ORDER_KEY_REPEAT_ASKED,  /* the key of a cancel, an amend or a replace: what it asked for is in `asked` */
    ORDER_KEY_STALE          /* used and forgotten, or 0: deny DUPLICATE_KEY */
};

struct order_key_result {
    enum order_key_kind kind;
    uint32_t slot;          /* REPEAT: the order; REPEAT_ASKED: the order meant, ORDER_NONE when it is forgotten */
    enum deny_reason deny;  /* REPEAT_DENIED */
    struct key_entry asked; /* REPEAT_ASKED */
};

/* Hot for new keys. */
struct order_key_result order_key_check(const struct order_table *t, uint32_t client, uint64_t key);

/* Highest key of a client's order that ended and made room for another (CLIENT_NONE: anybody's), or higher; 0 = none
 * has. */
uint64_t order_forgotten_key(const struct order_table *t, uint32_t client);

/* Highest key seen of a client; 0 = none. */
uint64_t order_last_key(const struct order_table *t, uint32_t client);

/* --- changes --------------------------------------------------------------------------------------------------- */

/* Hot. Ask the processor for the memory that this key's order will be written to: slots and table entries were last
 * touched many orders ago. Changes nothing; the key may be any. */
void order_table_prefetch(const struct order_table *t, uint32_t client, uint64_t key, uint32_t term, uint64_t seq);

/* True when one more order fits. */
bool order_table_room(const struct order_table *t);

/* What an amend of the order would reserve beyond what it holds, and so on, is risk's; here: it can be amended in place
 * now (works at the venue, nothing in flight). */
bool order_amendable(const struct order *o);

/* What is wrong with an intent, in words; NULL when order_table_intent() may be called. For bytes from a journal. */
const char *order_intent_fault(const struct order_table *t, const struct order_intent *in);

/* Hot. Apply an intent, accepted or denied, that is in the journal: NEW and REPLACE make an order in SENT with its
 * request in flight (a REPLACE also marks its target); an amend puts its order's request in flight; a denial is
 * remembered for repeats. A NEW of CLIENT_ADOPTED is an order that was found at the venue: target_key is its venue
 * order id. Returns the slot, or ORDER_NONE when there is none. The caller has checked key and room: an accepted intent
 * that does not fit asserts. */
uint32_t order_table_intent(struct order_table *t, const struct order_intent *in, struct order_delta *d);

/* Warm. Apply one event to the order at slot (order_find of ev->clordid). d is always written: all zero changes nothing
 * but names the order. */
enum order_outcome order_table_event(struct order_table *t, uint32_t slot, const struct order_event *ev,
                                     struct order_delta *d);

/* Cold: looks at every slot. The instrument has these decimals from here on: prices of its orders, live and over, are
 * brought to them and the orders to this version, so that all of them count alike. Its quantities must not change while
 * it has live orders: then nothing is done. Each definition is told, in the journal's order. */
void order_table_define(struct order_table *t, const struct instrument *ins);

/* --- trades of the account -------------------------------------------------------------------------------------- */

/* What is wrong with a trade from a journal, in words; NULL when order_table_trade() may be called. */
const char *account_trade_fault(const struct account_trade *tr);

/* Warm. Count a trade that is no order's: it moves the position, under CLIENT_ADOPTED. False when it was counted
 * before: d changes nothing then. */
bool order_table_trade(struct order_table *t, const struct account_trade *tr, struct order_delta *d);

/* Counted as nobody's: the order that it turns out to belong to counts it with ORDER_EVENT_COUNTED. */
bool order_trade_counted(const struct order_table *t, uint32_t instrument, enum side side, int64_t trade_id);

/* Counted for any order, forgotten ones too, or as nobody's. An account that trades with itself has a trade on both
 * sides. */
bool order_trade_known(const struct order_table *t, uint32_t instrument, enum side side, int64_t trade_id);

/* May have been counted, for anybody or (nobodys) as nobody's, and forgotten since: an id as high as this one, or
 * higher, has made room. Asked of ids that are not known only. */
bool order_trade_forgotten(const struct order_table *t, uint32_t instrument, enum side side, int64_t trade_id,
                           bool nobodys);

/* Trades counted since the table began; and whether half of what is remembered was counted since `since` of them: time
 * to move the cursors, before ids above them make room. */
uint64_t order_trades_ever(const struct order_table *t);
bool order_trades_turned(const struct order_table *t, uint64_t since);

/* Trade ids of this instrument below the cursor have been asked for and counted; -1: never asked. It only rises. */
int64_t order_trade_cursor(const struct order_table *t, uint32_t instrument);
/* The same for trades made before this time of the venue's clock; 0: not known. It only rises. */
int64_t order_trade_cursor_ns(const struct order_table *t, uint32_t instrument);
void order_trade_cursor_set(struct order_table *t, uint32_t instrument, int64_t trade_id, int64_t venue_ns);

/* Below the cursor; where it was set while no trade was known, made before it. venue_ns of the trade, 0: not said. */
bool order_trade_past(const struct order_table *t, uint32_t instrument, int64_t trade_id, int64_t venue_ns);

/* Telemetry, outside of replay: when the bytes went to the kernel. */
void order_stamp_wire(struct order_table *t, uint32_t slot, mono_ns_t at);

/* --- looking --------------------------------------------------------------------------------------------------- */

/* Slot or ORDER_NONE. Foreign ids are ORDER_NONE. */
uint32_t order_find(const struct order_table *t, const char clordid[CLORDID_BYTES]);
/* By any key that names it: its own, and those of its amends (the last one always, older ones as far as kept). */
uint32_t order_find_key(const struct order_table *t, uint32_t client, uint64_t key);

/* NULL when it has none (ORDER_MARK_AMENDS). */
const struct order_amend *order_amend_at(const struct order_table *t, uint32_t slot);

/* By the venue's own order id, which is unique within its instrument. */
uint32_t order_find_venue(const struct order_table *t, uint32_t instrument, uint64_t venue_order_id);

/* Borrowed until the next intent (which may recycle the oldest terminal order). */
const struct order *order_at(const struct order_table *t, uint32_t slot);

/* Open quantity: qty - cum_qty while live and not called done by the venue, else 0. */
qty_t order_leaves(const struct order *o);

/* Trades the venue has counted and we have not seen: ask for them. */
qty_t order_missing_fill_qty(const struct order *o);

static inline bool
order_live(const struct order *o)
{
    return o->state != ORDER_FREE && !order_state_terminal((enum order_state)o->state);
}

static inline bool
order_amending(const struct order *o)
{
    return (o->marks & ORDER_MARK_AMENDING) != 0;
}

/* The venue knows it by its own id alone: it was never ours, or somebody's amend gave it another client id. */
static inline bool
order_by_venue_id(const struct order *o)
{
    return (o->flags & COMMAND_ADOPTED) != 0 || (o->marks & ORDER_MARK_RENAMED) != 0;
}

/* Nothing of it is open any more, and the venue has not said so: it was amended to less than was filled. */
static inline bool
order_overdue(const struct order *o)
{
    return order_live(o) && o->end_state == 0 && !order_amending(o) && o->cum_qty >= o->qty;
}

/* The outcome of something in flight is not known. */
static inline bool
order_unknown(const struct order *o)
{
    return request_state_unknown((enum request_state)o->request) || (o->marks & ORDER_MARK_NEW_UNKNOWN) != 0;
}

/* All of a report that comes from the order; kind, seq, deny, venue_code of a single event, last fill's numbers and
 * report_mono_ns are left for the caller where they differ. */
void order_report_fill(const struct order *o, struct report *r);

/* --- walks: live orders in the order they were sent, resumable over turns --------------------------------------- */

#define ORDER_WALKS_MAX 160

/* Begin a walk over one client's live orders, or everybody's (CLIENT_NONE). Orders sent meanwhile are visited too;
 * orders that end are skipped. Returns a walk id, or -1 when all are in use. */
int order_walk_open(struct order_table *t, uint32_t client);
/* The same, then every order that is over and not forgotten, in the order they ended: of these anybody's, whose they
 * are is the caller's to look at. One that ends meanwhile comes twice. */
int order_walk_open_all(struct order_table *t, uint32_t client);

/* Next slot; ORDER_NONE at the end (the walk is closed then). */
uint32_t order_walk_next(struct order_table *t, int walk);
void order_walk_close(struct order_table *t, int walk);

struct order_totals {
    uint32_t live;
    uint32_t unknown;
    uint32_t done;
    uint64_t intents;
    uint64_t denied;
    uint64_t trades;
    uint64_t overfills;
    uint64_t outcome[ORDER_OUTCOME_COUNT];
};
const struct order_totals *order_totals(const struct order_table *t);

#endif
