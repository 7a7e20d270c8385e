/* Binance Spot order entry, the reading half: what its files share.
 *
 *     binance_oe_decode.c   a message: whole or broken, answer or event, budgets, bans
 *     binance_oe_answer.c   answers to new orders, cancels, cancel-replaces
 *     binance_oe_query.c    answers to questions, log-on and subscription
 *     binance_oe_event.c    the private stream
 *     binance_oe_error.c    what a refusal proves
 *     binance_oe_read.c     what answers and events have in common: status, side, ids, fees, balances, order objects
 *
 * Always true: a message is read whole before anything is said of it; what is said of one that could not be read is
 * which order it names, never a number; a reader that returns a sentence says with it what could not be read, and NULL
 * when all was. Private to engine/venue/binance_oe_*.c. */
#ifndef EXECGW_ENGINE_VENUE_BINANCE_OE_READ_H
#define EXECGW_ENGINE_VENUE_BINANCE_OE_READ_H

#include "engine/venue/binance_oe.h"
#include "feed/json_value.h"

/* "Client order ID is not correct for this order ID.": a request that names an order by both ids, and the second is not
 * the order's any more. */
#define BINANCE_OTHER_NAME (-2039)

/* ---- binance_oe_read.c ---- */

/* Venue time, milliseconds or microseconds (timeUnit), as nanoseconds since the epoch; 0 when it is neither. */
int64_t binance_time_ns(struct json_value v);

bool binance_status_read(struct json_value v, uint8_t *state);
bool binance_side_read(struct json_value v, uint8_t *side);
/* What a fill was made at: with more digits than the instrument's, rounded against us. */
bool binance_fill_px_read(struct json_value v, const struct instrument *ins, enum side side, px_t *px);
const struct instrument *binance_instrument_read(const struct binance_oe *b, struct json_value v);
bool binance_order_id_read(struct json_value v, uint64_t *out);

/* The fee never stands in the way of a fill: what cannot be read of it is said in text and counted as 0. */
void binance_fee_read(struct json_value amount, struct json_value asset, struct venue_report *r);

static inline void
binance_report(const struct venue_sink *sink, const struct venue_report *r)
{
    sink->report(sink->ctx, r);
}

static inline void
binance_report_text(struct venue_report *r, const char *text)
{
    (void)snprintf(r->text, sizeof(r->text), "%s", text);
}

/* What an unreadable message still says: which order. Numbers that were read before the bad one prove nothing. */
void binance_identity_only(struct venue_report *r);

/* A report per entry of a list of balances; name: of currency, free and locked. False when the list is not one whole
 * array. */
bool binance_balances_read(struct json_value list, const char *const name[3], enum venue_request_kind request,
                           int64_t venue_time_ns, const struct venue_sink *sink);

/* An order object's members, as json_members() takes them. */
enum binance_order_members {
    OM_SYMBOL,
    OM_ORDER_ID,
    OM_CLIENT_ID,
    OM_ORIG_CLIENT_ID,
    OM_PX,
    OM_QTY,
    OM_CUM,
    OM_STATUS,
    OM_SIDE,
    OM_TYPE,
    OM_STOP_PX,
    OM_ICEBERG_QTY,
    OM_IS_WORKING,
    OM_TRANSACT_TIME,
    OM_UPDATE_TIME,
    OM_FILLS,
    OM_COUNT
};
extern const char *const binance_order_member[OM_COUNT];

/* What every order object has: who it is. *ins is NULL when the symbol is not ours. */
const char *binance_order_identity(const struct binance_oe *b, const struct json_value m[OM_COUNT], unsigned id_member,
                                   const struct instrument **ins, struct venue_report *r);
/* Price, quantity, filled, status and side of an order whose instrument is known. */
const char *binance_order_numbers(const struct json_value m[OM_COUNT], const struct instrument *ins,
                                  struct venue_report *r);

/* ---- binance_oe_error.c ---- */

/* Code and words of an error object; false when there is no readable code. data may be NULL. */
bool binance_error_read(struct json_value error, int32_t *code, char text[VENUE_TEXT_BYTES], struct json_value *data);

/* Whether a refusal proves that the request changed nothing. */
bool binance_refusal_proven(int64_t status, int32_t code, const char *text);
/* The same of a cancel: one that found no such order, or an order under another id, changed nothing either. */
bool binance_cancel_refusal_proven(int64_t status, int32_t code, const char *text);

/* ---- answers ---- */

struct binance_answer {
    struct binance_oe *b;
    const struct venue_sink *sink;
    struct now now;
    struct binance_id id; /* of the request it answers */
    int64_t status;
    int32_t code; /* 0: no error, or one without a readable code */
    char text[VENUE_TEXT_BYTES];
    struct json_value result;
    struct json_value data; /* of the error */
};

/* About one order of a request, with the venue's code and its words or, where text is not NULL, these. */
void binance_answer_report(const struct binance_answer *a, enum venue_report_kind kind, const char *clordid,
                           const char *text);

/* By request kind. */
void binance_on_new(const struct binance_answer *a);
void binance_on_cancel(const struct binance_answer *a);
void binance_on_replace(const struct binance_answer *a);
void binance_on_query(const struct binance_answer *a);
void binance_on_open_orders(const struct binance_answer *a);
void binance_on_trades(const struct binance_answer *a);
void binance_on_balances(const struct binance_answer *a);
void binance_on_time(const struct binance_answer *a);
void binance_on_logon(const struct binance_answer *a);
void binance_on_stream(const struct binance_answer *a);

/* ---- binance_oe_event.c ---- */

/* text: from the event's first byte on; whole: it is one well-formed value. */
enum decode_result binance_event_decode(const struct binance_oe *b, struct json_value text, bool whole,
                                        const struct venue_sink *sink);

#endif
