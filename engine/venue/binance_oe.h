/* Binance Spot order entry over its WebSocket API: requests out of prepared pieces, answers and the private stream in.
 *
 * `venue_binance` (venue.h) is the interface; this header is what its two halves, binance_oe.c (requests) and
 * binance_oe_read.h's files (answers), share.
 *
 * A request's `id` says all that its answer needs, so nothing is kept between the two:
 *     M P L S O                    time, ping, logon, stream, open orders
 *     N C <ClOrdID>                new, cancel
 *     D <ClOrdID>                  cancel of an order that the venue knows by its own id alone
 *     Q E <tag> <ClOrdID>          query; of an order that the venue knows by its own id alone
 *     T U <tag> <ClOrdID>          trades of that order; of its symbol since a time
 *     W <tag> <instrument id>, B   trades of a symbol from a trade on; balances
 *     <'a'+common> <'a'+len> <new> <target past the `common` bytes it shares with new>     cancel-replace
 *     Y <new>                      cancel-replace whose two ids do not fit in 36 bytes
 *
 * Always true: ids are at most 36 of [0-9A-Za-z]; nothing here copies, logs or sends the secret.
 * Source: binance-spot-api-docs, web-socket-api.md, user-data-stream.md, errors.md, seen 2026-07. */
#ifndef EXECGW_ENGINE_VENUE_BINANCE_OE_H
#define EXECGW_ENGINE_VENUE_BINANCE_OE_H

#include "engine/venue/sign.h"
#include "engine/venue/venue.h"

#define BINANCE_ID_MAX      36  /* bytes of a request id */
#define BINANCE_API_KEY_MAX 128 /* they are 64 */
#define BINANCE_TRADES_MAX  500 /* per myTrades answer: some 120 kB */
#define BINANCE_PIECE_BYTES 96
#define CLORDID_LEN_MAX     18

/* The part of a request that names window, side and symbol, as JSON and as signed text. Copied whole, cut to len. */
struct binance_piece {
    uint8_t json_len;
    uint8_t sign_len;
    char json[BINANCE_PIECE_BYTES];
    char sign[BINANCE_PIECE_BYTES];
};

enum binance_piece_kind { PIECE_BUY, PIECE_SELL, PIECE_NO_SIDE, PIECE_COUNT };

struct binance_pieces {
    bool ready;
    struct binance_piece piece[PIECE_COUNT];
};

struct binance_oe {
    struct venue_config cfg;
    struct hmac_key hmac; /* keyed, and past "apiKey=..." */
    struct ed25519_key ed25519;
    bool logged_on;
    int64_t clock_offset_ns; /* as last passed to submit */
    uint32_t api_param_len;
    char api_param[BINANCE_API_KEY_MAX + 16]; /* "apiKey":"...", or empty when the session is logged on by key */
    struct binance_pieces *symbol;            /* by instrument id */
    uint32_t symbol_mask;
    uint32_t *symbol_index; /* hash of the venue's symbol -> instrument id + 1; 0 empty */
};

/* What a request id says. */
struct binance_id {
    enum venue_request_kind kind;
    bool whole_symbol;   /* TRADES: not of one order only */
    bool by_venue_id;    /* CANCEL, QUERY: clordid is our name only */
    uint8_t tag;         /* QUERY, TRADES */
    uint32_t instrument; /* TRADES without a ClOrdID; else INSTRUMENT_NONE */
    char clordid[CLORDID_BYTES];
    char target[CLORDID_BYTES]; /* REPLACE; "" when not said */
};

/* What the rest of a request's id names. */
enum binance_id_form {
    BINANCE_ID_BY_NAME,     /* nothing, or an order by its ClOrdID */
    BINANCE_ID_BY_VENUE_ID, /* CANCEL, QUERY: an order that the venue knows by its own id alone */
    BINANCE_ID_SINCE_TIME,  /* TRADES: that order's symbol, since a time */
    BINANCE_ID_FROM_TRADE,  /* TRADES: an instrument by its id in digits, from a trade on */
    BINANCE_ID_FORMS
};

/* Write the id of a request, at most BINANCE_ID_MAX bytes; name is what the form says, NULL for nothing; target is NULL
 * but for REPLACE; tag is of QUERY and TRADES. Returns its length. */
size_t binance_id_encode(enum venue_request_kind kind, enum binance_id_form form, const char *name, const char *target,
                         uint64_t tag, char out[BINANCE_ID_MAX]);

/* False when it is not one of ours; out is written on true only. */
bool binance_id_decode(const char *s, size_t n, struct binance_id *out);

/* The instrument that this venue calls s, or NULL. */
const struct instrument *binance_instrument(const struct binance_oe *b, const char *s, size_t n);

enum decode_result binance_decode(struct venue_adapter *a, const uint8_t *msg, size_t len, struct now now,
                                  const struct venue_sink *sink);

#endif
