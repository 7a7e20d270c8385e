/* Binance Spot order entry, first half: requests, written out of prepared pieces. See binance_oe.h.
 *
 * Always true: the JSON and the text to sign say the same, parameters in the order the signature wants; a request that
 * this venue would not take is not written (-1); no request is longer than VENUE_REQUEST_BYTES.
 * Called from the loop thread only. */
#include "engine/venue/binance_oe.h"

#include <openssl/crypto.h>

/* ---- request ids ---- */

static bool
alphanumeric(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')))
            return false;
    }
    return true;
}

/* The letter of a request by what it names and its kind; 0: there is no such request. */
static const char id_letter[BINANCE_ID_FORMS][VENUE_RQ_COUNT] = {
    [BINANCE_ID_BY_NAME] = { [VENUE_RQ_TIME] = 'M',
                             [VENUE_RQ_LOGON] = 'L',
                             [VENUE_RQ_STREAM] = 'S',
                             [VENUE_RQ_NEW] = 'N',
                             [VENUE_RQ_CANCEL] = 'C',
                             [VENUE_RQ_REPLACE] = 'Y',
                             [VENUE_RQ_QUERY] = 'Q',
                             [VENUE_RQ_TRADES] = 'T',
                             [VENUE_RQ_OPEN_ORDERS] = 'O',
                             [VENUE_RQ_PING] = 'P',
                             [VENUE_RQ_BALANCES] = 'B' },
    [BINANCE_ID_BY_VENUE_ID] = { [VENUE_RQ_CANCEL] = 'D', [VENUE_RQ_QUERY] = 'E' },
    [BINANCE_ID_SINCE_TIME] = { [VENUE_RQ_TRADES] = 'U' },
    [BINANCE_ID_FROM_TRADE] = { [VENUE_RQ_TRADES] = 'W' },
};

static const char tag_digit[VENUE_TAGS + 1] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/* False: no tag. */
static bool
tag_decode(char c, uint8_t *tag)
{
    const char *at = c == '\0' ? NULL : strchr(tag_digit, c);

    if (at == NULL)
        return false;
    *tag = (uint8_t)(at - tag_digit);
    return true;
}

/* Requests that are asked again before their answer came: the id says which time it was. */
static bool
tagged(enum venue_request_kind kind)
{
    return kind == VENUE_RQ_QUERY || kind == VENUE_RQ_TRADES;
}

static void
bytes_copy(char *to, const char *from, size_t n)
{
    memcpy(to, from, n);
}

static size_t
id_encode_replace(const char *clordid, const char *target, char out[BINANCE_ID_MAX])
{
    size_t n = strlen(clordid);
    size_t m = strlen(target);
    size_t common = 0;

    while (common < n && common < m && clordid[common] == target[common])
        common++;
    if (2 + n + m - common > BINANCE_ID_MAX)
        return 0;
    out[0] = (char)('a' + common);
    out[1] = (char)('a' + n);
    bytes_copy(out + 2, clordid, n);
    bytes_copy(out + 2 + n, target + common, m - common);
    return 2 + n + m - common;
}

size_t
binance_id_encode(enum venue_request_kind kind, enum binance_id_form form, const char *name, const char *target,
                  uint64_t tag, char out[BINANCE_ID_MAX])
{
    size_t n = name == NULL ? 0 : strlen(name);
    size_t head = 1;

    ASSERT(n <= CLORDID_LEN_MAX && id_letter[form][kind] != 0);
    if (kind == VENUE_RQ_REPLACE) {
        ASSERT(strlen(target) <= CLORDID_LEN_MAX);
        size_t len = id_encode_replace(name, target, out);
        if (likely(len > 0))
            return len;
    }
    out[0] = id_letter[form][kind];
    if (tagged(kind))
        out[head++] = tag_digit[tag % VENUE_TAGS];
    if (n > 0)
        bytes_copy(out + head, name, n);
    return head + n;
}

static bool
id_decode_replace(const char *s, size_t n, struct binance_id *out)
{
    size_t common = (size_t)(s[0] - 'a');
    size_t len = n >= 2 && s[1] >= 'a' ? (size_t)(s[1] - 'a') : SIZE_MAX;

    if (len > CLORDID_LEN_MAX || len == 0 || common > len || n < 2 + len)
        return false;
    size_t rest = n - 2 - len;
    if (common + rest > CLORDID_LEN_MAX || common + rest == 0)
        return false;
    *out = (struct binance_id){ .kind = VENUE_RQ_REPLACE, .instrument = INSTRUMENT_NONE };
    memcpy(out->clordid, s + 2, len);
    memcpy(out->target, s + 2, common);
    memcpy(out->target + common, s + 2 + len, rest);
    return true;
}

static bool
id_decode_instrument(const char *s, size_t n, struct binance_id *out)
{
    uint32_t id = 0;
    uint8_t tag;

    if (n < 2 || n > 5 || !tag_decode(s[0], &tag))
        return false;
    for (size_t i = 1; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        id = id * 10 + (uint32_t)(s[i] - '0');
    }
    if (id >= INSTRUMENT_MAX)
        return false;
    *out = (struct binance_id){ .kind = VENUE_RQ_TRADES, .whole_symbol = true, .tag = tag, .instrument = id };
    return true;
}

/* The letter's form and kind. False: it is none of ours. */
static bool
id_letter_find(char letter, enum binance_id_form *form, enum venue_request_kind *kind)
{
    for (unsigned f = 0; f < BINANCE_ID_FORMS; f++) {
        for (unsigned k = 0; k < VENUE_RQ_COUNT; k++) {
            if (id_letter[f][k] == letter) {
                *form = (enum binance_id_form)f;
                *kind = (enum venue_request_kind)k;
                return true;
            }
        }
    }
    return false;
}

bool
binance_id_decode(const char *s, size_t n, struct binance_id *out)
{
    enum binance_id_form form;
    enum venue_request_kind kind;

    if (n == 0 || n > BINANCE_ID_MAX || !alphanumeric(s, n))
        return false;
    if (s[0] >= 'a')
        return id_decode_replace(s, n, out);
    if (!id_letter_find(s[0], &form, &kind))
        return false;
    if (form == BINANCE_ID_FROM_TRADE)
        return id_decode_instrument(s + 1, n - 1, out);
    bool names_order = kind == VENUE_RQ_NEW || kind == VENUE_RQ_CANCEL || kind == VENUE_RQ_REPLACE || tagged(kind);
    size_t head = tagged(kind) ? 2 : 1;
    uint8_t tag = 0;
    if (names_order ? n <= head || n > head + CLORDID_LEN_MAX : n != 1)
        return false;
    if (tagged(kind) && !tag_decode(s[1], &tag))
        return false;
    *out = (struct binance_id){ .kind = kind,
                                .whole_symbol = form == BINANCE_ID_SINCE_TIME,
                                .by_venue_id = form == BINANCE_ID_BY_VENUE_ID,
                                .tag = tag,
                                .instrument = INSTRUMENT_NONE };
    memcpy(out->clordid, s + head, n - head);
    return true;
}

/* ---- symbols ---- */

static uint32_t
symbol_hash(const char *s, size_t n)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < n; i++)
        h = (h ^ (uint8_t)s[i]) * 16777619u;
    return h ^ (h >> 15);
}

const struct instrument *
binance_instrument(const struct binance_oe *b, const char *s, size_t n)
{
    uint32_t at = symbol_hash(s, n);

    for (uint32_t i = 0; i <= b->symbol_mask; i++, at++) {
        uint32_t id = b->symbol_index[at & b->symbol_mask];
        if (id == 0)
            return NULL;
        const struct instrument *ins = &b->cfg.instruments.table[id - 1];
        if (strnlen(ins->symbol, SYMBOL_BYTES) == n && memcmp(ins->symbol, s, n) == 0)
            return ins;
    }
    return NULL;
}

static void
symbol_index_add(struct binance_oe *b, uint32_t id, const char *s, size_t n)
{
    uint32_t at = symbol_hash(s, n);

    for (uint32_t i = 0; i <= b->symbol_mask; i++, at++) {
        uint32_t *slot = &b->symbol_index[at & b->symbol_mask];
        if (*slot == id + 1)
            return;
        if (*slot == 0) {
            *slot = id + 1;
            return;
        }
    }
    ASSERT(false); /* twice as many slots as instruments */
}

static void
piece_build(const struct binance_oe *b, struct binance_piece *p, const char *side, const char *symbol)
{
    int json = snprintf(p->json, sizeof(p->json), "\",\"recvWindow\":%u%s%s%s,\"symbol\":\"%s\"", b->cfg.recv_window_ms,
                        side[0] != '\0' ? ",\"side\":\"" : "", side, side[0] != '\0' ? "\"" : "", symbol);
    int sign = snprintf(p->sign, sizeof(p->sign), "&recvWindow=%u%s%s&symbol=%s", b->cfg.recv_window_ms,
                        side[0] != '\0' ? "&side=" : "", side, symbol);

    ASSERT(json > 0 && json < BINANCE_PIECE_BYTES && sign > 0 && sign < BINANCE_PIECE_BYTES);
    p->json_len = (uint8_t)json;
    p->sign_len = (uint8_t)sign;
}

/* A symbol stands in JSON and in signed text as it is: UTF-8, but nothing that would have to be escaped. */
static bool
symbol_plain(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if ((uint8_t)s[i] <= ' ' || s[i] == '"' || s[i] == '\\' || s[i] == '&' || s[i] == '=' || s[i] == 0x7f)
            return false;
    }
    return n > 0;
}

static void
binance_on_instrument(struct venue_adapter *a, const struct instrument *ins)
{
    struct binance_oe *b = (struct binance_oe *)(void *)a;

    ASSERT(ins->id < b->cfg.instruments.count);
    size_t n = strnlen(ins->symbol, SYMBOL_BYTES);
    struct binance_pieces *s = &b->symbol[ins->id];
    s->ready = false;
    if (ins->version == 0 || ins->venue != b->cfg.venue || n == SYMBOL_BYTES || !symbol_plain(ins->symbol, n))
        return;
    piece_build(b, &s->piece[PIECE_BUY], "BUY", ins->symbol);
    piece_build(b, &s->piece[PIECE_SELL], "SELL", ins->symbol);
    piece_build(b, &s->piece[PIECE_NO_SIDE], "", ins->symbol);
    s->ready = true;
    symbol_index_add(b, ins->id, ins->symbol, n);
}

/* ---- start ---- */

static uint32_t
symbol_index_slots(const struct venue_config *cfg)
{
    uint32_t slots = 16;

    while (slots < 2 * cfg->instruments.count)
        slots *= 2;
    return slots;
}

static size_t
binance_footprint(const struct venue_config *cfg)
{
    return arena_cost(sizeof(struct binance_oe)) + arena_cost(cfg->instruments.count * sizeof(struct binance_pieces)) +
           arena_cost(symbol_index_slots(cfg) * sizeof(uint32_t));
}

static bool
keys_load(struct binance_oe *b, struct fault *fault)
{
    const struct venue_keys *k = &b->cfg.keys;
    size_t n = k->api_key == NULL ? 0 : strlen(k->api_key);
    char prefix[BINANCE_API_KEY_MAX + 8];

    if (n == 0 || n > BINANCE_API_KEY_MAX || !alphanumeric(k->api_key, n))
        return FAULT(fault, "venue binance: API key has %zu bytes, expected 1 to %d letters and digits", n,
                     BINANCE_API_KEY_MAX);
    if (b->cfg.recv_window_ms < 1 || b->cfg.recv_window_ms > 60000)
        return FAULT(fault, "venue binance: recv_window_ms = %u, expected 1 to 60000", b->cfg.recv_window_ms);
    if (k->ed25519)
        return ed25519_key_init(&b->ed25519, k->secret, k->secret_bytes, fault);
    if (k->secret == NULL || k->secret_bytes == 0)
        return FAULT(fault, "venue binance: the HMAC secret is empty");
    hmac_key_init(&b->hmac, k->secret, k->secret_bytes);
    int len = snprintf(prefix, sizeof(prefix), "apiKey=%s", k->api_key);
    hmac_key_extend(&b->hmac, prefix, (size_t)len);
    len = snprintf(b->api_param, sizeof(b->api_param), "\"apiKey\":\"%s\",", k->api_key);
    b->api_param_len = (uint32_t)len;
    return true;
}

static struct venue_adapter *
binance_init(const struct venue_config *cfg, struct arena *arena, struct fault *fault)
{
    struct binance_oe *b = arena_take(arena, sizeof(*b));

    b->cfg = *cfg;
    if (b->cfg.trades_page == 0)
        b->cfg.trades_page = BINANCE_TRADES_MAX;
    if (!keys_load(b, fault))
        return NULL;
    b->symbol = arena_take(arena, cfg->instruments.count * sizeof(struct binance_pieces));
    b->symbol_mask = symbol_index_slots(cfg) - 1;
    b->symbol_index = arena_take(arena, (b->symbol_mask + 1) * sizeof(uint32_t));
    struct venue_adapter *a = (struct venue_adapter *)(void *)b;
    for (uint32_t i = 0; i < cfg->instruments.count; i++) {
        if (cfg->instruments.table[i].version != 0)
            binance_on_instrument(a, &cfg->instruments.table[i]);
    }
    return a;
}

static void
binance_on_disconnected(struct venue_adapter *a)
{
    ((struct binance_oe *)(void *)a)->logged_on = false;
}

/* ---- requests: JSON and the text to sign side by side ------------------------------------------------------------ */

/* Bound of the text to sign past "apiKey=...": 1024 holds every request, as VENUE_REQUEST_BYTES holds its JSON. */
struct writer {
    char *json;
    char *sign;
    bool is_signed; /* by HMAC: else the session is logged on and only the JSON matters */
    char sign_text[VENUE_REQUEST_BYTES];
};

/* Constant text: the copies are a few moves each. */
#define PUT_JSON(w, text)            (memcpy((w)->json, text, sizeof(text) - 1), (w)->json += sizeof(text) - 1)
#define PUT_SIGN(w, text)            (memcpy((w)->sign, text, sizeof(text) - 1), (w)->sign += sizeof(text) - 1)
#define PUT(w, json_text, sign_text) (PUT_JSON(w, json_text), PUT_SIGN(w, sign_text))

static void
put_value(struct writer *w, const char *s, size_t n)
{
    memcpy(w->json, s, n);
    w->json += n;
    memcpy(w->sign, s, n);
    w->sign += n;
}

/* From here on whole buffers are copied, and len of them kept: a few moves each. VENUE_REQUEST_BYTES has room to spare
 * past the longest request. */
static void
put_decimal(struct writer *w, int64_t v, unsigned decimals)
{
    size_t n = decimal_format(w->json, v, decimals);

    memcpy(w->sign, w->json, DECIMAL_TEXT);
    w->json += n;
    w->sign += n;
}

static void
put_integer(struct writer *w, int64_t v)
{
    put_decimal(w, v, 0);
}

static void
put_clordid(struct writer *w, const char clordid[CLORDID_BYTES])
{
    size_t n = strnlen(clordid, CLORDID_BYTES);

    ASSERT(n > 0 && n <= CLORDID_LEN_MAX);
    memcpy(w->json, clordid, CLORDID_BYTES);
    w->json += n;
    memcpy(w->sign, clordid, CLORDID_BYTES);
    w->sign += n;
}

static void
put_piece(struct writer *w, const struct binance_piece *p)
{
    memcpy(w->json, p->json, BINANCE_PIECE_BYTES);
    w->json += p->json_len;
    memcpy(w->sign, p->sign, BINANCE_PIECE_BYTES);
    w->sign += p->sign_len;
}

static void
writer_start(struct writer *w, const struct binance_oe *b, uint8_t *buf)
{
    w->json = (char *)buf;
    w->sign = w->sign_text;
    w->is_signed = !b->cfg.keys.ed25519;
}

static void
put_id(struct writer *w, const struct venue_request *rq, enum binance_id_form form)
{
    PUT_JSON(w, "{\"id\":\"");
    w->json += binance_id_encode(rq->kind, form, rq->order == NULL ? NULL : rq->order->clordid,
                                 rq->target == NULL ? NULL : rq->target->clordid, rq->tag, w->json);
}

static void
put_api_key(struct writer *w, const struct binance_oe *b)
{
    memcpy(w->json, b->api_param, b->api_param_len);
    w->json += b->api_param_len;
}

/* Ends params and message, with the signature where the session is not logged on. */
static int
finish(struct writer *w, const struct binance_oe *b, const uint8_t *buf)
{
    if (w->is_signed) {
        PUT_JSON(w, ",\"signature\":\"");
        hmac_sign_hex(&b->hmac, w->sign_text, (size_t)(w->sign - w->sign_text), w->json);
        w->json += HMAC_HEX_BYTES;
        PUT_JSON(w, "\"");
    }
    PUT_JSON(w, "}}");
    int n = (int)(w->json - (const char *)buf);
    ASSERT(n <= VENUE_REQUEST_BYTES && w->sign <= w->sign_text + sizeof(w->sign_text));
    return n;
}

/* How this venue writes an order, or NULL: not one it takes from us. */
enum order_form { FORM_NONE, FORM_LIMIT_GTC, FORM_LIMIT_IOC, FORM_LIMIT_FOK, FORM_LIMIT_MAKER, FORM_MARKET };

static enum order_form
order_form(const struct venue_order *o)
{
    bool post_only = (o->flags & COMMAND_POST_ONLY) != 0;

    if (unlikely(o->qty <= 0))
        return FORM_NONE;
    if (o->type == ORDER_MARKET)
        return post_only ? FORM_NONE : FORM_MARKET;
    if (unlikely(o->type != ORDER_LIMIT || o->px <= 0))
        return FORM_NONE;
    if (post_only)
        return o->tif == TIF_GTC ? FORM_LIMIT_MAKER : FORM_NONE;
    switch (o->tif) {
    case TIF_GTC: return FORM_LIMIT_GTC;
    case TIF_IOC: return FORM_LIMIT_IOC;
    case TIF_FOK: return FORM_LIMIT_FOK;
    default: return FORM_NONE; /* GTD: the venue has none */
    }
}

/* From the value of newClientOrderId to the end of params.
 *
 * newOrderRespType FULL: its answer alone says what happened, fills with their trade ids included, so an IOC is
 * finished by one message even when the private stream has a hole. The stream repeats the same trades; their ids make
 * them one. */
static void
put_order(struct writer *w, const struct binance_pieces *s, const struct venue_order *o, enum order_form form,
          int64_t timestamp_ms)
{
    put_clordid(w, o->clordid);
    if (likely(form != FORM_MARKET)) {
        PUT(w, "\",\"newOrderRespType\":\"FULL\",\"price\":\"", "&newOrderRespType=FULL&price=");
        put_decimal(w, o->px, o->instrument->px_decimals);
        PUT(w, "\",\"quantity\":\"", "&quantity=");
    } else {
        PUT(w, "\",\"newOrderRespType\":\"FULL\",\"quantity\":\"", "&newOrderRespType=FULL&quantity=");
    }
    put_decimal(w, o->qty, o->instrument->qty_decimals);
    put_piece(w, &s->piece[o->side == SIDE_BUY ? PIECE_BUY : PIECE_SELL]);
    switch (form) {
    case FORM_LIMIT_IOC: PUT(w, ",\"timeInForce\":\"IOC\"", "&timeInForce=IOC"); break;
    case FORM_LIMIT_FOK: PUT(w, ",\"timeInForce\":\"FOK\"", "&timeInForce=FOK"); break;
    case FORM_LIMIT_GTC: PUT(w, ",\"timeInForce\":\"GTC\"", "&timeInForce=GTC"); break;
    default: break;
    }
    PUT(w, ",\"timestamp\":", "&timestamp=");
    put_integer(w, timestamp_ms);
    switch (form) {
    case FORM_LIMIT_MAKER: PUT(w, ",\"type\":\"LIMIT_MAKER\"", "&type=LIMIT_MAKER"); break;
    case FORM_MARKET: PUT(w, ",\"type\":\"MARKET\"", "&type=MARKET"); break;
    default: PUT(w, ",\"type\":\"LIMIT\"", "&type=LIMIT"); break;
    }
}

static const struct binance_pieces *
symbol_of(const struct binance_oe *b, const struct venue_order *o)
{
    uint32_t id = o->instrument->id;

    if (unlikely(id >= b->cfg.instruments.count || !b->symbol[id].ready))
        return NULL;
    return &b->symbol[id];
}

/* order.place. Hot. */
/* One copy of the code, so that a rehearsal warms what an order will run. */
static NOINLINE int
submit_new(const struct binance_oe *b, const struct venue_request *rq, int64_t timestamp_ms, uint8_t *buf)
{
    const struct binance_pieces *s = symbol_of(b, rq->order);
    enum order_form form = order_form(rq->order);
    struct writer w;

    if (unlikely(s == NULL || form == FORM_NONE))
        return -1;
    writer_start(&w, b, buf);
    put_id(&w, rq, BINANCE_ID_BY_NAME);
    PUT_JSON(&w, "\",\"method\":\"order.place\",\"params\":{");
    put_api_key(&w, b);
    PUT(&w, "\"newClientOrderId\":\"", "&newClientOrderId=");
    put_order(&w, s, rq->order, form, timestamp_ms);
    return finish(&w, b, buf);
}

/* What a piece says, where no string goes before it. */
static void
put_window(struct writer *w, const struct binance_oe *b, const struct instrument *ins)
{
    PUT(w, "\"recvWindow\":", "&recvWindow=");
    put_integer(w, b->cfg.recv_window_ms);
    PUT(w, ",\"symbol\":\"", "&symbol=");
    put_value(w, ins->symbol, strnlen(ins->symbol, SYMBOL_BYTES));
    PUT_JSON(w, "\"");
}

/* order.cancel. Both ids where both are known: the venue looks the order up by its own and checks it against ours. */
static int
submit_cancel(const struct binance_oe *b, const struct venue_request *rq, int64_t timestamp_ms, uint8_t *buf)
{
    const struct venue_order *o = rq->order;
    const struct binance_pieces *s = symbol_of(b, o);
    struct writer w;

    if (unlikely(s == NULL))
        return -1;
    bool by_id = (o->flags & COMMAND_ADOPTED) != 0 && o->venue_order_id != 0;
    writer_start(&w, b, buf);
    put_id(&w, rq, by_id ? BINANCE_ID_BY_VENUE_ID : BINANCE_ID_BY_NAME);
    if (rq->kind == VENUE_RQ_CANCEL)
        PUT_JSON(&w, "\",\"method\":\"order.cancel\",\"params\":{");
    else
        PUT_JSON(&w, "\",\"method\":\"order.status\",\"params\":{");
    put_api_key(&w, b);
    if (o->venue_order_id != 0 && o->venue_order_id <= INT64_MAX) {
        PUT(&w, "\"orderId\":", "&orderId=");
        put_integer(&w, (int64_t)o->venue_order_id);
        PUT_JSON(&w, ",");
    }
    if (unlikely(by_id)) {
        put_window(&w, b, o->instrument);
    } else {
        PUT(&w, "\"origClientOrderId\":\"", "&origClientOrderId=");
        put_clordid(&w, o->clordid);
        put_piece(&w, &s->piece[PIECE_NO_SIDE]);
    }
    PUT(&w, ",\"timestamp\":", "&timestamp=");
    put_integer(&w, timestamp_ms);
    return finish(&w, b, buf);
}

/* order.cancelReplace. STOP_ON_FAILURE: the new order is only placed once the old one is proven canceled. ONLY_NEW: an
 * old order that has a fill is not canceled, so nothing is placed on top of it. */
static int
submit_replace(const struct binance_oe *b, const struct venue_request *rq, int64_t timestamp_ms, uint8_t *buf)
{
    const struct venue_order *o = rq->order;
    const struct venue_order *t = rq->target;
    const struct binance_pieces *s = symbol_of(b, o);
    enum order_form form = order_form(o);
    struct writer w;

    if (unlikely(s == NULL || form == FORM_NONE || t->instrument->id != o->instrument->id))
        return -1;
    writer_start(&w, b, buf);
    put_id(&w, rq, BINANCE_ID_BY_NAME);
    PUT_JSON(&w, "\",\"method\":\"order.cancelReplace\",\"params\":{");
    put_api_key(&w, b);
    if (t->venue_order_id != 0 && t->venue_order_id <= INT64_MAX) {
        PUT(&w, "\"cancelOrderId\":", "&cancelOrderId=");
        put_integer(&w, (int64_t)t->venue_order_id);
        PUT_JSON(&w, ",");
    }
    PUT(&w, "\"cancelOrigClientOrderId\":\"", "&cancelOrigClientOrderId=");
    put_clordid(&w, t->clordid);
    PUT(&w, "\",\"cancelReplaceMode\":\"STOP_ON_FAILURE\",\"cancelRestrictions\":\"ONLY_NEW\",\"newClientOrderId\":\"",
        "&cancelReplaceMode=STOP_ON_FAILURE&cancelRestrictions=ONLY_NEW&newClientOrderId=");
    put_order(&w, s, o, form, timestamp_ms);
    return finish(&w, b, buf);
}

/* The id of a question for an instrument's trades from one of them on. */
static void
put_sweep_id(struct writer *w, uint32_t instrument, uint64_t tag)
{
    char name[DECIMAL_TEXT];

    name[decimal_format(name, instrument, 0)] = '\0';
    PUT_JSON(w, "{\"id\":\"");
    w->json += binance_id_encode(VENUE_RQ_TRADES, BINANCE_ID_FROM_TRADE, name, NULL, tag, w->json);
}

/* myTrades: of one order when its venue id is known, else of its symbol since a time; of either from a trade on. Of a
 * symbol also its newest. */
static int
submit_trades(const struct binance_oe *b, const struct venue_request *rq, int64_t timestamp_ms, uint8_t *buf)
{
    const struct venue_order *o = rq->order;
    bool sweep = o->clordid[0] == '\0';
    bool by_order = !sweep && o->venue_order_id != 0 && o->venue_order_id <= INT64_MAX;
    bool from_trade = sweep ? rq->since_trade >= 0 : by_order || rq->since_trade > 0;
    struct writer w;

    if (symbol_of(b, o) == NULL)
        return -1;
    writer_start(&w, b, buf);
    if (sweep)
        put_sweep_id(&w, o->instrument->id, rq->tag);
    else
        put_id(&w, rq, by_order ? BINANCE_ID_BY_NAME : BINANCE_ID_SINCE_TIME);
    PUT_JSON(&w, "\",\"method\":\"myTrades\",\"params\":{");
    put_api_key(&w, b);
    if (from_trade) { /* without it the venue tells the newest */
        PUT(&w, "\"fromId\":", "&fromId=");
        put_integer(&w, MAX(rq->since_trade, 0));
        PUT_JSON(&w, ",");
    }
    PUT(&w, "\"limit\":", "&limit=");
    put_integer(&w, b->cfg.trades_page);
    if (by_order) {
        PUT(&w, ",\"orderId\":", "&orderId=");
        put_integer(&w, (int64_t)o->venue_order_id);
    }
    PUT(&w, ",\"recvWindow\":", "&recvWindow=");
    put_integer(&w, b->cfg.recv_window_ms);
    if (!sweep && !from_trade && rq->since_ns > 0) {
        PUT(&w, ",\"startTime\":", "&startTime=");
        put_integer(&w, rq->since_ns / NS_PER_MS);
    }
    PUT(&w, ",\"symbol\":\"", "&symbol=");
    put_value(&w, o->instrument->symbol, strnlen(o->instrument->symbol, SYMBOL_BYTES));
    PUT(&w, "\",\"timestamp\":", "&timestamp=");
    put_integer(&w, timestamp_ms);
    return finish(&w, b, buf);
}

/* A question about the whole account: account.status (what is held of each currency), openOrders.status. */
static int
submit_account(const struct binance_oe *b, const struct venue_request *rq, int64_t timestamp_ms, uint8_t *buf)
{
    struct writer w;

    writer_start(&w, b, buf);
    put_id(&w, rq, BINANCE_ID_BY_NAME);
    if (rq->kind == VENUE_RQ_BALANCES)
        PUT_JSON(&w, "\",\"method\":\"account.status\",\"params\":{");
    else
        PUT_JSON(&w, "\",\"method\":\"openOrders.status\",\"params\":{");
    put_api_key(&w, b);
    PUT(&w, "\"recvWindow\":", "&recvWindow=");
    put_integer(&w, b->cfg.recv_window_ms);
    PUT(&w, ",\"timestamp\":", "&timestamp=");
    put_integer(&w, timestamp_ms);
    return finish(&w, b, buf);
}

/* session.logon, for Ed25519 keys only: the requests after it need no signature. Cold. */
static int
submit_logon(const struct binance_oe *b, const struct venue_request *rq, int64_t timestamp_ms, uint8_t *buf)
{
    char payload[BINANCE_API_KEY_MAX + 96];
    char signature[ED25519_BASE64_BYTES];
    struct writer w;

    if (!b->cfg.keys.ed25519)
        return 0;
    int n = snprintf(payload, sizeof(payload), "apiKey=%s&recvWindow=%u&timestamp=%lld", b->cfg.keys.api_key,
                     b->cfg.recv_window_ms, (long long)timestamp_ms);
    if (!ed25519_sign_base64(&b->ed25519, payload, (size_t)n, signature))
        return -1;
    writer_start(&w, b, buf);
    put_id(&w, rq, BINANCE_ID_BY_NAME);
    n = snprintf(w.json, 640,
                 "\",\"method\":\"session.logon\",\"params\":{\"apiKey\":\"%s\",\"recvWindow\":%u,\"timestamp\":%lld,"
                 "\"signature\":\"%.*s\"}}",
                 b->cfg.keys.api_key, b->cfg.recv_window_ms, (long long)timestamp_ms, ED25519_BASE64_BYTES, signature);
    return (int)(w.json - (char *)buf) + n;
}

static int
submit_stream(const struct binance_oe *b, const struct venue_request *rq, int64_t timestamp_ms, uint8_t *buf)
{
    struct writer w;

    writer_start(&w, b, buf);
    put_id(&w, rq, BINANCE_ID_BY_NAME);
    if (b->cfg.keys.ed25519) {
        PUT_JSON(&w, "\",\"method\":\"userDataStream.subscribe\"}");
        return (int)(w.json - (char *)buf);
    }
    PUT_JSON(&w, "\",\"method\":\"userDataStream.subscribe.signature\",\"params\":{");
    put_api_key(&w, b);
    PUT(&w, "\"timestamp\":", "&timestamp=");
    put_integer(&w, timestamp_ms);
    return finish(&w, b, buf);
}

static int
submit_plain(const struct venue_request *rq, const char *method, uint8_t *buf)
{
    char id = id_letter[BINANCE_ID_BY_NAME][rq->kind];

    return snprintf((char *)buf, VENUE_REQUEST_BYTES, "{\"id\":\"%c\",\"method\":\"%s\"}", id, method);
}

static int
binance_submit(struct venue_adapter *a, const struct venue_request *rq, struct now now, int64_t clock_offset_ns,
               uint8_t *buf, size_t room, const struct venue_sink *sink)
{
    struct binance_oe *b = (struct binance_oe *)(void *)a;
    int64_t timestamp_ms = (now.wall.ns + clock_offset_ns) / NS_PER_MS;

    (void)sink;
    b->clock_offset_ns = clock_offset_ns;
    if (unlikely(room < VENUE_REQUEST_BYTES || timestamp_ms <= 0))
        return -1;
    switch (rq->kind) {
    case VENUE_RQ_TIME: return submit_plain(rq, "time", buf);
    case VENUE_RQ_PING: return submit_plain(rq, "ping", buf);
    case VENUE_RQ_LOGON: return submit_logon(b, rq, timestamp_ms, buf);
    default: break;
    }
    if (unlikely(b->cfg.keys.ed25519 && !b->logged_on))
        return -1;
    switch (rq->kind) {
    case VENUE_RQ_NEW: return submit_new(b, rq, timestamp_ms, buf);
    case VENUE_RQ_CANCEL:
    case VENUE_RQ_QUERY: return submit_cancel(b, rq, timestamp_ms, buf);
    case VENUE_RQ_REPLACE: return submit_replace(b, rq, timestamp_ms, buf);
    case VENUE_RQ_TRADES: return submit_trades(b, rq, timestamp_ms, buf);
    case VENUE_RQ_OPEN_ORDERS:
    case VENUE_RQ_BALANCES: return submit_account(b, rq, timestamp_ms, buf);
    case VENUE_RQ_STREAM: return submit_stream(b, rq, timestamp_ms, buf);
    default: return -1;
    }
}

/* A signature takes longer than all else, and would be in the way of the order that comes. */
static int
binance_rehearse(const struct venue_adapter *a, const struct venue_request *rq, struct now now, int64_t clock_offset_ns,
                 uint8_t *buf, size_t room)
{
    const struct binance_oe *b = (const struct binance_oe *)(const void *)a;
    int64_t timestamp_ms = (now.wall.ns + clock_offset_ns) / NS_PER_MS;

    if (room < VENUE_REQUEST_BYTES || timestamp_ms <= 0 || !b->cfg.keys.ed25519)
        return 0;
    int n = submit_new(b, rq, timestamp_ms, buf);
    return n < 0 ? 0 : n;
}

static void
binance_prefetch(const struct venue_adapter *a, uint32_t instrument, enum side side)
{
    const struct binance_oe *b = (const struct binance_oe *)(const void *)a;

    if (unlikely(instrument >= b->cfg.instruments.count))
        return;
    const uint8_t *p = (const uint8_t *)&b->symbol[instrument].piece[side == SIDE_BUY ? PIECE_BUY : PIECE_SELL];
    __builtin_prefetch(&b->symbol[instrument].ready);
    for (size_t i = 0; i < sizeof(struct binance_piece); i += CACHE_LINE)
        __builtin_prefetch(p + i);
}

static void
binance_clear(struct venue_adapter *a)
{
    struct binance_oe *b = (struct binance_oe *)(void *)a;

    hmac_key_clear(&b->hmac);
    ed25519_key_clear(&b->ed25519);
}

/* Request weights of the WebSocket API (web-socket-api.md, "Weight" of each method, seen 2026-07). Since 2026-04 an
 * order, cancel or replace that succeeds weighs nothing; one is what a failed one weighs. A replace costs an order even
 * when the new one is not attempted. */
static const struct venue_cost binance_cost[VENUE_RQ_COUNT] = {
    [VENUE_RQ_TIME] = { .weight = 1 },         [VENUE_RQ_LOGON] = { .weight = 2 },
    [VENUE_RQ_STREAM] = { .weight = 2 },       [VENUE_RQ_NEW] = { .orders = 1, .weight = 1 },
    [VENUE_RQ_CANCEL] = { .weight = 1 },       [VENUE_RQ_REPLACE] = { .orders = 1, .weight = 1 },
    [VENUE_RQ_QUERY] = { .weight = 4 },        [VENUE_RQ_TRADES] = { .weight = 20 },
    [VENUE_RQ_OPEN_ORDERS] = { .weight = 80 }, [VENUE_RQ_PING] = { .weight = 1 },
    [VENUE_RQ_CANCEL_ALL] = { .weight = 1 },   [VENUE_RQ_BALANCES] = { .weight = 20 },
};

const struct venue_ops venue_binance = {
    .dialect = "binance",
    .needs_connection = true,
    .code_late = -1021,
    .sweeps = true,
    .cost = binance_cost,
    .footprint = binance_footprint,
    .init = binance_init,
    .clear = binance_clear,
    .on_disconnected = binance_on_disconnected,
    .on_instrument = binance_on_instrument,
    .submit = binance_submit,
    .prefetch = binance_prefetch,
    .rehearse = binance_rehearse,
    .decode = binance_decode,
};
