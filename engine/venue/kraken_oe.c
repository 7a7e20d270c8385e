/* Kraken Spot order entry, first half: the adapter's life, and requests over the WebSocket.
 *
 * The hot requests are constant text, the instrument's piece and the order's own fields copied side by side. Every
 * order carries a deadline after which the venue does not take it: "not found" later than that is proof. */
#include "engine/venue/kraken_oe.h"
#include "execgw/rfc3339.h"

#include <openssl/crypto.h>

static size_t
kraken_footprint(const struct venue_config *cfg)
{
    return arena_cost(sizeof(struct kraken_oe)) + arena_cost(cfg->instruments.count * sizeof(struct kraken_piece)) +
           arena_cost(cfg->instruments.count * sizeof(bool)) +
           arena_cost(KRAKEN_SWEEP_TRADES * sizeof(struct kraken_trade)) + kraken_orders_footprint(cfg->orders_max);
}

/* Nothing in it may end the JSON string, or the header line, that it stands in. */
static bool
plain_text(const char *s, size_t max)
{
    size_t n = strnlen(s, max);

    for (size_t i = 0; i < n; i++)
        if (s[i] <= ' ' || s[i] > '~' || s[i] == '"' || s[i] == '\\')
            return false;
    return n > 0 && n < max;
}

static struct venue_adapter *
kraken_init(const struct venue_config *cfg, struct arena *arena, struct fault *fault)
{
    struct kraken_oe *k = (struct kraken_oe *)arena_take(arena, sizeof(*k));

    k->cfg = *cfg;
    k->piece = (struct kraken_piece *)arena_take(arena, cfg->instruments.count * sizeof(struct kraken_piece));
    k->unreadable = (bool *)arena_take(arena, cfg->instruments.count * sizeof(bool));
    k->trade = (struct kraken_trade *)arena_take(arena, KRAKEN_SWEEP_TRADES * sizeof(struct kraken_trade));
    kraken_orders_init(&k->orders, cfg->orders_max, arena);
    if (cfg->keys.api_key == NULL || !plain_text(cfg->keys.api_key, 200)) {
        (void)FAULT(fault, "kraken: no API key, or one with characters that it cannot have");
        return NULL;
    }
    if (cfg->keys.ed25519) {
        (void)FAULT(fault, "kraken: key_type \"ed25519\", expected \"hmac\"");
        return NULL;
    }
    if (!hmac512_key_init(&k->hmac, cfg->keys.secret, cfg->keys.secret_bytes, fault))
        return NULL;
    return (struct venue_adapter *)(void *)k;
}

static void
kraken_clear(struct venue_adapter *a)
{
    struct kraken_oe *k = (struct kraken_oe *)(void *)a;

    hmac512_key_clear(&k->hmac);
    OPENSSL_cleanse(k->token, sizeof(k->token));
    k->token_len = 0;
}

static void
kraken_on_disconnected(struct venue_adapter *a)
{
    struct kraken_oe *k = (struct kraken_oe *)(void *)a;

    k->token_len = 0; /* a fresh one per connection */
    k->sequenced = false;
    k->rest.stage = KRAKEN_REST_IDLE; /* its answer will be dropped */
}

static void
kraken_on_instrument(struct venue_adapter *a, const struct instrument *ins)
{
    struct kraken_oe *k = (struct kraken_oe *)(void *)a;
    struct kraken_piece *p;

    if (ins->venue != k->cfg.venue || ins->id >= k->cfg.instruments.count)
        return;
    p = &k->piece[ins->id];
    p->len = 0;
    if (!plain_text(ins->symbol, SYMBOL_BYTES))
        return;
    p->len = (uint32_t)snprintf(p->json, sizeof(p->json), ",\"symbol\":\"%s\"", ins->symbol);
}

/* ---- requests ---- */

#define PUT(p, text) (memcpy((p), text, sizeof(text) - 1), (p) += sizeof(text) - 1)

static inline char *
put_text(char *p, const char *s, size_t n)
{
    memcpy(p, s, n);
    return p + n;
}

static inline char *
put_decimal(char *p, int64_t v, unsigned decimals)
{
    return p + decimal_format(p, v, decimals); /* its NUL is written over */
}

/* Numbers the request and remembers what it is about. */
static struct kraken_request *
request_take(struct kraken_oe *k, const struct venue_request *rq)
{
    k->number = k->number >= INT32_MAX ? 1 : k->number + 1;
    struct kraken_request *r = &k->request[k->number & (KRAKEN_REQUESTS - 1)];
    r->number = k->number;
    r->kind = (uint8_t)rq->kind;
    r->instrument = INSTRUMENT_NONE;
    r->clordid[0] = '\0';
    if (rq->order != NULL) {
        r->instrument = rq->order->instrument != NULL ? rq->order->instrument->id : INSTRUMENT_NONE;
        memcpy(r->clordid, rq->order->clordid, CLORDID_BYTES);
        r->px = rq->order->px;
        r->qty = rq->order->qty;
        r->tag = rq->tag;
    }
    return r;
}

/* `,"token":"..."},"req_id":N}` */
static int
finish(const struct kraken_oe *k, char *p, const uint8_t *buf)
{
    PUT(p, ",\"token\":\"");
    p = put_text(p, k->token, k->token_len);
    PUT(p, "\"},\"req_id\":");
    p = put_decimal(p, k->number, 0);
    *p++ = '}';
    ASSERT(p - (const char *)buf <= VENUE_REQUEST_BYTES);
    return (int)(p - (const char *)buf);
}

static char *
put_deadline(const struct kraken_oe *k, char *p, struct now now)
{
    PUT(p, ",\"deadline\":\"");
    p += rfc3339_format(p, now.wall.ns + k->clock_offset_ns + (int64_t)k->cfg.recv_window_ms * NS_PER_MS);
    *p++ = '"';
    return p;
}

static bool
orderable(const struct kraken_oe *k, const struct venue_order *o)
{
    return o->instrument != NULL && o->instrument->id < k->cfg.instruments.count &&
           k->piece[o->instrument->id].len != 0 && o->qty > 0;
}

/* add_order. Hot. */
static int
submit_new(struct kraken_oe *k, const struct venue_request *rq, struct now now, uint8_t *buf)
{
    const struct venue_order *o = rq->order;
    bool limit = o->type == ORDER_LIMIT;
    bool post_only = (o->flags & COMMAND_POST_ONLY) != 0;
    char *p = (char *)buf;

    if (unlikely(!orderable(k, o) || (!limit && o->type != ORDER_MARKET) || (limit && o->px <= 0) ||
                 (post_only && (!limit || o->tif != TIF_GTC))))
        return -1;
    if (unlikely(o->tif != TIF_GTC && o->tif != TIF_IOC && (o->tif != TIF_FOK || !limit)))
        return -1;
    (void)request_take(k, rq);
    if (likely(limit))
        PUT(p, "{\"method\":\"add_order\",\"params\":{\"order_type\":\"limit\",\"side\":\"");
    else
        PUT(p, "{\"method\":\"add_order\",\"params\":{\"order_type\":\"market\",\"side\":\"");
    if (o->side == SIDE_BUY)
        PUT(p, "buy\",\"order_qty\":");
    else
        PUT(p, "sell\",\"order_qty\":");
    p = put_decimal(p, o->qty, o->instrument->qty_decimals);
    const struct kraken_piece *piece = &k->piece[o->instrument->id];
    p = put_text(p, piece->json, piece->len);
    if (likely(limit)) {
        PUT(p, ",\"limit_price\":");
        p = put_decimal(p, o->px, o->instrument->px_decimals);
        if (o->tif == TIF_IOC)
            PUT(p, ",\"time_in_force\":\"ioc\"");
        else if (o->tif == TIF_FOK)
            PUT(p, ",\"time_in_force\":\"fok\"");
        else
            PUT(p, ",\"time_in_force\":\"gtc\"");
    }
    if (post_only)
        PUT(p, ",\"post_only\":true");
    PUT(p, ",\"cl_ord_id\":\"");
    p = put_text(p, o->clordid, strnlen(o->clordid, CLORDID_BYTES));
    *p++ = '"';
    p = put_deadline(k, p, now);
    return finish(k, p, buf);
}

/* How the venue is told which order: by our id, or, of one that we took over, by its own. NULL: it cannot be. */
static char *
put_target(const struct kraken_oe *k, char *p, const struct venue_order *o, bool list)
{
    const struct kraken_order *known = NULL;
    const char *id = o->clordid;

    if ((o->flags & COMMAND_ADOPTED) != 0) {
        known = kraken_orders_find(&k->orders, o->venue_order_id);
        if (known == NULL)
            return NULL;
        id = known->order_id;
        PUT(p, "\"order_id\":");
    } else {
        PUT(p, "\"cl_ord_id\":");
    }
    if (list)
        *p++ = '[';
    *p++ = '"';
    p = put_text(p, id, strnlen(id, known != NULL ? KRAKEN_ORDER_ID_BYTES : CLORDID_BYTES));
    *p++ = '"';
    if (list)
        *p++ = ']';
    return p;
}

/* cancel_order. Hot. */
static int
submit_cancel(struct kraken_oe *k, const struct venue_request *rq, uint8_t *buf)
{
    char *p = (char *)buf;

    PUT(p, "{\"method\":\"cancel_order\",\"params\":{");
    p = put_target(k, p, rq->order, true);
    if (unlikely(p == NULL))
        return -1;
    (void)request_take(k, rq);
    return finish(k, p, buf);
}

/* amend_order: order_qty is the total, with what was filled. */
static int
submit_amend(struct kraken_oe *k, const struct venue_request *rq, struct now now, uint8_t *buf)
{
    const struct venue_order *o = rq->order;
    char *p = (char *)buf;

    if (unlikely(!orderable(k, o)))
        return -1;
    PUT(p, "{\"method\":\"amend_order\",\"params\":{");
    p = put_target(k, p, o, false);
    if (unlikely(p == NULL))
        return -1;
    (void)request_take(k, rq);
    PUT(p, ",\"order_qty\":");
    p = put_decimal(p, o->qty, o->instrument->qty_decimals);
    if (o->type == ORDER_LIMIT && o->px > 0) {
        PUT(p, ",\"limit_price\":");
        p = put_decimal(p, o->px, o->instrument->px_decimals);
    }
    if ((o->flags & COMMAND_POST_ONLY) != 0)
        PUT(p, ",\"post_only\":true");
    p = put_deadline(k, p, now);
    return finish(k, p, buf);
}

static int
submit_deadman(struct kraken_oe *k, const struct venue_request *rq, uint8_t *buf)
{
    char *p = (char *)buf;

    (void)request_take(k, rq);
    PUT(p, "{\"method\":\"cancel_all_orders_after\",\"params\":{\"timeout\":");
    p = put_decimal(p, (MAX(rq->countdown_ns, 0) + NS_PER_S - 1) / NS_PER_S, 0);
    return finish(k, p, buf);
}

static int
submit_cancel_all(struct kraken_oe *k, const struct venue_request *rq, uint8_t *buf)
{
    (void)request_take(k, rq);
    return snprintf((char *)buf, VENUE_REQUEST_BYTES,
                    "{\"method\":\"cancel_all\",\"params\":{\"token\":\"%s\"},\"req_id\":%u}", k->token, k->number);
}

static int
submit_stream(struct kraken_oe *k, const struct venue_request *rq, uint8_t *buf)
{
    char *p = (char *)buf;

    (void)request_take(k, rq);
    PUT(p,
        "{\"method\":\"subscribe\",\"params\":{\"channel\":\"executions\",\"snap_orders\":true,\"snap_trades\":false,"
        "\"order_status\":true,\"ratecounter\":true");
    return finish(k, p, buf);
}

static int
submit_ping(struct kraken_oe *k, const struct venue_request *rq, uint8_t *buf)
{
    (void)request_take(k, rq);
    return snprintf((char *)buf, VENUE_REQUEST_BYTES, "{\"method\":\"ping\",\"req_id\":%u}", k->number);
}

static int
kraken_submit(struct venue_adapter *a, const struct venue_request *rq, struct now now, int64_t clock_offset_ns,
              uint8_t *buf, size_t room, const struct venue_sink *sink)
{
    struct kraken_oe *k = (struct kraken_oe *)(void *)a;

    k->clock_offset_ns = clock_offset_ns;
    if (unlikely(room < VENUE_REQUEST_BYTES || now.wall.ns + clock_offset_ns <= 0))
        return -1;
    if (unlikely((venue_kraken.rest >> rq->kind & 1) != 0))
        return kraken_rest_submit(k, rq, now, buf, room, sink);
    if (rq->kind == VENUE_RQ_TIME || rq->kind == VENUE_RQ_PING)
        return submit_ping(k, rq, buf);
    if (unlikely(k->token_len == 0))
        return -1;
    switch (rq->kind) {
    case VENUE_RQ_NEW: return submit_new(k, rq, now, buf);
    case VENUE_RQ_CANCEL: return submit_cancel(k, rq, buf);
    case VENUE_RQ_AMEND: return submit_amend(k, rq, now, buf);
    case VENUE_RQ_DEADMAN: return submit_deadman(k, rq, buf);
    case VENUE_RQ_CANCEL_ALL:
        if (rq->order != NULL)
            return -1; /* the venue has no list of one instrument */
        return submit_cancel_all(k, rq, buf);
    case VENUE_RQ_STREAM: return submit_stream(k, rq, buf);
    default: return -1; /* REPLACE: this venue amends */
    }
}

/* What raises the counter of an instrument (guides, "Spot rate limits"): an amend and a cancel more the younger the
 * order is, which the venue's own count then says; here the least, so that no cancel is held back that the venue would
 * take. */
static const struct venue_cost kraken_cost[VENUE_RQ_COUNT] = {
    [VENUE_RQ_NEW] = { .decay = 1 },
    [VENUE_RQ_AMEND] = { .decay = 1 },
    [VENUE_RQ_CANCEL] = { .decay = 1 },
    /* The counter of HTTP calls: lists of trades count twice. */
    [VENUE_RQ_LOGON] = { .decay = 1 },
    [VENUE_RQ_QUERY] = { .decay = 1 },
    [VENUE_RQ_TRADES] = { .decay = 2 },
    [VENUE_RQ_OPEN_ORDERS] = { .decay = 1 },
    [VENUE_RQ_BALANCES] = { .decay = 1 },
};

const struct venue_ops venue_kraken = {
    .dialect = "kraken",
    .needs_connection = true,
    .amends = true,
    .cancels_linger = true,
    .sweeps = true,
    .cost = kraken_cost,
    .rest = 1u << VENUE_RQ_LOGON | 1u << VENUE_RQ_QUERY | 1u << VENUE_RQ_TRADES | 1u << VENUE_RQ_OPEN_ORDERS |
            1u << VENUE_RQ_BALANCES,
    .footprint = kraken_footprint,
    .init = kraken_init,
    .clear = kraken_clear,
    .on_disconnected = kraken_on_disconnected,
    .on_instrument = kraken_on_instrument,
    .submit = kraken_submit,
    .decode = kraken_oe_decode,
    .decode_rest = kraken_rest_decode,
    .rest_more = kraken_rest_more,
};
