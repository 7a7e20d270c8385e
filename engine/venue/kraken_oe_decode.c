/* Kraken Spot order entry, second half: answers to requests and the executions channel become venue reports.
 *
 * A message is read whole before anything is reported from it. Updates of the channel are sparse: whose order it is
 * comes from the venue's id where the message does not say it.
 *
 * Always true: what an error proves is a table, and what no row proves is VENUE_UNKNOWN; a fill is reported with the
 * venue's trade id; a hole in the channel's sequence, or one that began again, ends the session, because what was in it
 * may have been a fill; an older number shortly behind is read all the same: a repeat harms nothing. */
#include "engine/venue/kraken_oe.h"
#include "engine/venue/kraken_value.h"
#include "execgw/rfc3339.h"
#include "feed/json_value.h"

void
kraken_print(const struct json_text *t, char *out, size_t room)
{
    size_t n = 0;

    for (; t->s != NULL && n < t->n && n + 1 < room; n++)
        out[n] = t->s[n] >= ' ' && t->s[n] < 0x7f ? t->s[n] : '?';
    out[n] = '\0';
}

/* ---- what errors prove ---- */

/* By how they begin; the first that fits. A text that no row fits proves nothing: the order may work. "Duplicate" of
 * any kind is not here on purpose: it proves that an order with that id was taken. */
static const struct {
    const char *begins;
    enum kraken_proof proof;
} errors[] = {
    { "EOrder:Insufficient", KRAKEN_PROVES_REFUSED },          /* funds, margin: checked before the book */
    { "EOrder:Order minimum not met", KRAKEN_PROVES_REFUSED }, /* rules of the pair: the same */
    { "EOrder:Cost minimum not met", KRAKEN_PROVES_REFUSED },
    { "EOrder:Tick size check failed", KRAKEN_PROVES_REFUSED },
    { "EOrder:Invalid price", KRAKEN_PROVES_REFUSED },
    { "EOrder:Invalid order", KRAKEN_PROVES_REFUSED },
    { "EOrder:Post only order", KRAKEN_PROVES_REFUSED }, /* it would have taken */
    { "EOrder:Reduce only", KRAKEN_PROVES_REFUSED },
    { "EOrder:Cannot", KRAKEN_PROVES_REFUSED }, /* open position, open opposing position */
    { "EOrder:Margin", KRAKEN_PROVES_REFUSED },
    { "EOrder:Orders limit exceeded", KRAKEN_PROVES_REFUSED },
    { "EOrder:Positions limit exceeded", KRAKEN_PROVES_REFUSED },
    { "EOrder:Trading agreement required", KRAKEN_PROVES_REFUSED },
    { "EOrder:Unknown order", KRAKEN_PROVES_REFUSED }, /* of a cancel or amend: there is none to act on */
    { "EOrder:Unknown position", KRAKEN_PROVES_REFUSED },
    { "EOrder:Rate limit exceeded", KRAKEN_PROVES_COUNT }, /* refused by the counter, before the engine */
    { "EOrder:Domain rate limit exceeded", KRAKEN_PROVES_RATE },
    { "EAPI:Rate limit exceeded", KRAKEN_PROVES_RATE },
    { "EGeneral:Invalid arguments", KRAKEN_PROVES_REFUSED }, /* refused by the front */
    { "EGeneral:Permission denied", KRAKEN_PROVES_REFUSED },
    { "EGeneral:Unknown method", KRAKEN_PROVES_REFUSED },
    { "EGeneral:Temporary lockout",
      KRAKEN_PROVES_LOCKOUT }, /* too many bad nonces or signatures: nothing is looked at */
    { "EAPI:Invalid nonce", KRAKEN_PROVES_NONCE },
    { "EAPI:Invalid", KRAKEN_PROVES_REFUSED }, /* key, signature */
    { "EAPI:Feature disabled", KRAKEN_PROVES_REFUSED },
    { "ESession:Invalid session", KRAKEN_PROVES_REFUSED },
    { "EQuery:Unknown asset", KRAKEN_PROVES_REFUSED }, /* asset, asset pair */
    { "EAccount:Invalid permissions", KRAKEN_PROVES_REFUSED },
    { "EService:Market in", KRAKEN_PROVES_REFUSED },        /* cancel_only, post_only, limit_only mode */
    { "EService:Deadline elapsed", KRAKEN_PROVES_REFUSED }, /* its deadline had passed when it arrived */
    { "EDatabase:", KRAKEN_PROVES_NOTHING },
    { "EService:", KRAKEN_PROVES_NOTHING }, /* Unavailable, Busy, Timeout: it may be on its way */
};

enum kraken_proof
kraken_error_proof(const struct json_text *error, int32_t *code)
{
    *code = 0;
    for (unsigned i = 0; error->s != NULL && i < ARRAY_LEN(errors); i++) {
        size_t n = strlen(errors[i].begins);
        if (error->n >= n && memcmp(error->s, errors[i].begins, n) == 0) {
            *code = (int32_t)i + 1; /* the venue has words only */
            return errors[i].proof;
        }
    }
    return KRAKEN_PROVES_NOTHING;
}

/* ---- answers to requests ---- */

struct answer {
    struct json_text method;
    struct json_text error;
    struct json_text time_out;
    struct json_text order_id;
    struct json_text cl_ord_id;
    struct json_text trigger_time;
    struct json_text channel;
    bool has_success;
    bool success;
    uint64_t req_id; /* 0 not said */
};

static void
read_text(struct json_scan *j, struct json_text *out)
{
    if (json_peek(j) == JSON_STRING)
        (void)json_string(j, out);
    else
        (void)json_skip(j);
}

static void
read_result(struct json_scan *j, struct answer *a)
{
    struct json_text key;

    if (json_peek(j) != JSON_OBJECT) {
        (void)json_skip(j);
        return;
    }
    (void)json_object(j);
    while (json_key(j, &key)) {
        if (JSON_IS(key, "order_id"))
            read_text(j, &a->order_id);
        else if (JSON_IS(key, "cl_ord_id"))
            read_text(j, &a->cl_ord_id);
        else if (JSON_IS(key, "triggerTime"))
            read_text(j, &a->trigger_time);
        else if (JSON_IS(key, "channel"))
            read_text(j, &a->channel);
        else
            (void)json_skip(j);
    }
}

static void
text_to_clordid(const struct json_text *t, char out[CLORDID_BYTES])
{
    memset(out, 0, CLORDID_BYTES);
    if (t->s != NULL)
        memcpy(out, t->s, MIN(t->n, (size_t)CLORDID_BYTES - 1));
}

static int64_t
time_of(const struct json_text *t)
{
    int64_t ns = 0;

    if (t->s != NULL)
        (void)rfc3339_parse(t->s, t->n, &ns);
    return ns;
}

static const struct kraken_request *
request_of(const struct kraken_oe *k, uint64_t number)
{
    const struct kraken_request *r = &k->request[number & (KRAKEN_REQUESTS - 1)];

    return number != 0 && r->number == number ? r : NULL;
}

/* The venue wants quiet: its counters fall by the second. */
static void
report_quiet(const struct kraken_oe *k, const struct json_text *error, int64_t wait_ns, struct now now,
             const struct venue_sink *sink)
{
    struct venue_report r = kraken_report(VENUE_RATE_LIMITED, VENUE_RQ_COUNT);

    r.venue_time_ns = now.wall.ns + k->clock_offset_ns;
    r.retry_after_ns = r.venue_time_ns + wait_ns;
    kraken_print(error, r.text, sizeof(r.text));
    sink->report(sink->ctx, &r);
}

/* The counter of one pair is full; it falls by the second, and cancels are never refused by it. */
static void
report_full(const struct kraken_oe *k, const struct json_text *error, uint32_t instrument, struct now now,
            const struct venue_sink *sink)
{
    struct venue_report r = kraken_report(VENUE_RATE_LIMITED, VENUE_RQ_NEW);

    r.instrument = instrument;
    r.venue_time_ns = now.wall.ns + k->clock_offset_ns;
    r.retry_after_ns = r.venue_time_ns + NS_PER_S;
    kraken_print(error, r.text, sizeof(r.text));
    sink->report(sink->ctx, &r);
}

static void
answer_refused(const struct kraken_oe *k, const struct answer *a, const struct kraken_request *rq, struct now now,
               const struct venue_sink *sink)
{
    struct venue_report r = kraken_report(VENUE_UNKNOWN, rq->kind);
    enum kraken_proof proof = kraken_error_proof(&a->error, &r.code);

    memcpy(r.clordid, rq->clordid, CLORDID_BYTES);
    r.instrument = rq->instrument;
    r.venue_time_ns = time_of(&a->time_out);
    kraken_print(&a->error, r.text, sizeof(r.text));
    r.tag = rq->tag;
    if (proof == KRAKEN_PROVES_COUNT)
        report_full(k, &a->error, rq->instrument, now, sink);
    else if (proof == KRAKEN_PROVES_RATE || proof == KRAKEN_PROVES_LOCKOUT)
        report_quiet(k, &a->error, proof == KRAKEN_PROVES_RATE ? NS_PER_S : KRAKEN_QUIET_MAX_NS, now, sink);
    switch (rq->kind) {
    case VENUE_RQ_NEW: r.kind = proof == KRAKEN_PROVES_NOTHING ? VENUE_UNKNOWN : VENUE_REJECTED; break;
    case VENUE_RQ_CANCEL:
    case VENUE_RQ_AMEND: r.kind = proof == KRAKEN_PROVES_NOTHING ? VENUE_UNKNOWN : VENUE_CANCEL_REJECTED; break;
    case VENUE_RQ_STREAM: r.kind = VENUE_LOGON_REFUSED; break;
    default: return; /* nothing of an order hangs on it; whoever asked has a time-out */
    }
    sink->report(sink->ctx, &r);
}

/* The map learns the venue's id of an order of ours. */
static struct kraken_order *
learn(struct kraken_oe *k, const struct json_text *order_id, const char clordid[CLORDID_BYTES], uint32_t instrument)
{
    if (order_id->s == NULL || order_id->escaped || order_id->n == 0)
        return NULL;
    struct kraken_order *o = kraken_orders_add(&k->orders, order_id->s, order_id->n);
    if (o == NULL)
        return NULL;
    if (o->clordid[0] == '\0')
        memcpy(o->clordid, clordid, CLORDID_BYTES);
    if (o->instrument == INSTRUMENT_NONE)
        o->instrument = instrument;
    return o;
}

static void
answer_good(struct kraken_oe *k, const struct answer *a, const struct kraken_request *rq, const struct venue_sink *sink)
{
    struct venue_report r = kraken_report(VENUE_NEW_ACK, rq->kind);

    memcpy(r.clordid, rq->clordid, CLORDID_BYTES);
    r.instrument = rq->instrument;
    r.venue_time_ns = time_of(&a->time_out);
    if (a->order_id.s != NULL && !a->order_id.escaped)
        r.venue_order_id = kraken_order_hash(a->order_id.s, a->order_id.n);
    switch (rq->kind) {
    case VENUE_RQ_TIME:
        r.kind = VENUE_TIME;
        if (r.venue_time_ns == 0)
            return; /* a pong without a time: the step's time-out decides */
        break;
    case VENUE_RQ_NEW: (void)learn(k, &a->order_id, rq->clordid, rq->instrument); break;
    case VENUE_RQ_AMEND:
        r.kind = VENUE_AMENDED;
        r.px = rq->px;
        r.qty = rq->qty;
        r.tag = rq->tag;
        break;
    case VENUE_RQ_STREAM: r.kind = VENUE_STREAM_UP; break;
    case VENUE_RQ_DEADMAN:
        r.kind = VENUE_DEADMAN;
        r.venue_time_ns = time_of(&a->trigger_time); /* "0" when it is off */
        break;
    default: return; /* CANCEL, CANCEL_ALL: taken up; the order's end comes by the channel, with what was filled */
    }
    sink->report(sink->ctx, &r);
}

static enum decode_result
decode_answer(struct kraken_oe *k, const struct answer *a, struct now now, const struct venue_sink *sink)
{
    const struct kraken_request *rq = request_of(k, a->req_id);
    bool pong = a->method.s != NULL && JSON_IS(a->method, "pong");

    if (rq == NULL) {
        if (a->error.s == NULL)
            return DECODE_IGNORED;
        struct venue_report r = kraken_report(VENUE_UNKNOWN, VENUE_RQ_COUNT);
        r.code = 1; /* an answer, to what cannot be said: time-outs will ask */
        kraken_print(&a->error, r.text, sizeof(r.text));
        if (strncmp(r.text, "Exceeded msg rate", 17) == 0)
            report_quiet(k, &a->error, NS_PER_S, now, sink);
        else
            sink->report(sink->ctx, &r);
        return DECODE_OK;
    }
    if (pong ? a->error.s != NULL : !a->has_success || !a->success)
        answer_refused(k, a, rq, now, sink);
    else
        answer_good(k, a, rq, sink);
    return DECODE_OK;
}

/* ---- the executions channel ---- */

/* One item, as found. Numbers are raw: what they count in is known once the instrument is. */
struct item {
    struct json_text order_id;
    struct json_text cl_ord_id;
    struct json_text symbol;
    struct json_text side;
    struct json_text exec_type;
    struct json_text order_status;
    struct json_text timestamp;
    struct json_text reason;
    struct json_text liquidity;
    struct json_text fee_asset;
    struct json_text order_qty, limit_price, cum_qty, last_qty, last_price, fee_qty, rate_count; /* raw */
    bool has_trade_id;
    bool fees_many; /* in more than one asset: none is reported */
    uint64_t trade_id;
};

/* [{"asset":"USD","qty":0.0416}] */
static void
read_fees(struct json_scan *j, struct item *i)
{
    struct json_text key;
    bool first = true;

    if (json_peek(j) != JSON_ARRAY) {
        (void)json_skip(j);
        return;
    }
    (void)json_array(j);
    while (json_element(j)) {
        if (json_peek(j) != JSON_OBJECT) {
            (void)json_skip(j);
            continue;
        }
        i->fees_many = !first;
        first = false;
        (void)json_object(j);
        while (json_key(j, &key)) {
            if (JSON_IS(key, "asset"))
                read_text(j, &i->fee_asset);
            else if (JSON_IS(key, "qty"))
                (void)json_raw(j, &i->fee_qty);
            else
                (void)json_skip(j);
        }
    }
}

static void
read_item(struct json_scan *j, struct item *i)
{
    struct json_text key;
    const struct {
        const char *name;
        struct json_text *to;
        bool raw;
    } field[] = {
        { "order_id", &i->order_id, false },       { "cl_ord_id", &i->cl_ord_id, false },
        { "symbol", &i->symbol, false },           { "side", &i->side, false },
        { "exec_type", &i->exec_type, false },     { "order_status", &i->order_status, false },
        { "timestamp", &i->timestamp, false },     { "reason", &i->reason, false },
        { "liquidity_ind", &i->liquidity, false }, { "order_qty", &i->order_qty, true },
        { "limit_price", &i->limit_price, true },  { "cum_qty", &i->cum_qty, true },
        { "last_qty", &i->last_qty, true },        { "last_price", &i->last_price, true },
        { "ratecount", &i->rate_count, true },     { "ratecounter", &i->rate_count, true },
    };

    *i = (struct item){ .has_trade_id = false };
    (void)json_object(j);
    while (json_key(j, &key)) {
        unsigned at = 0;
        while (at < ARRAY_LEN(field) && !json_equals(&key, field[at].name, strlen(field[at].name)))
            at++;
        if (at < ARRAY_LEN(field) && field[at].raw)
            (void)json_raw(j, field[at].to);
        else if (at < ARRAY_LEN(field))
            read_text(j, field[at].to);
        else if (JSON_IS(key, "trade_id") && json_peek(j) == JSON_NUMBER)
            i->has_trade_id = json_u64(j, &i->trade_id);
        else if (JSON_IS(key, "fees"))
            read_fees(j, i);
        else
            (void)json_skip(j);
    }
}

/* 0 when absent. False: there, and not a number that fits. */
static bool
decimal_of(const struct json_text *raw, unsigned decimals, int64_t *out)
{
    struct json_scan j;

    *out = 0;
    if (raw->s == NULL)
        return true;
    json_init(&j, raw->s, raw->n);
    return json_decimal(&j, decimals, out) == DECODE_OK && *out >= 0;
}

static uint32_t
symbol_instrument(const struct kraken_oe *k, const struct json_text *symbol)
{
    char plain[SYMBOL_BYTES];

    if (symbol->s == NULL || json_unescape(symbol, plain, sizeof(plain)) <= 0)
        return INSTRUMENT_NONE;
    for (uint32_t i = 0; i < k->cfg.instruments.count; i++)
        if (k->piece[i].len != 0 && strcmp(k->cfg.instruments.table[i].symbol, plain) == 0)
            return i;
    return INSTRUMENT_NONE;
}

/* What an execution means.
 * Source: executions channel, exec_type and order_status; a trade that completes the order still says
 * partially_filled, and `filled` comes after it with no quantity of its own. */
enum meaning { MEANS_NOTHING, MEANS_NEW, MEANS_FILL, MEANS_STATUS, MEANS_CANCELED, MEANS_EXPIRED, MEANS_AMENDED };

static bool
meaning_of(const struct json_text *exec_type, enum meaning *out)
{
    static const struct {
        const char *exec_type;
        enum meaning meaning;
    } rows[] = {
        { "pending_new", MEANS_NOTHING }, /* validated, not yet live */
        { "new", MEANS_NEW },
        { "trade", MEANS_FILL },
        { "filled", MEANS_STATUS },
        { "canceled", MEANS_CANCELED },
        { "expired", MEANS_EXPIRED },
        { "amended", MEANS_AMENDED },
        { "restated", MEANS_STATUS },
        { "status", MEANS_STATUS },
        { "iceberg_refill", MEANS_NOTHING },
    };

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        if (json_equals(exec_type, rows[i].exec_type, strlen(rows[i].exec_type))) {
            *out = rows[i].meaning;
            return true;
        }
    }
    return false;
}

/* enum order_state of an order_status; ORDER_FREE: not one we know. */
static uint8_t
state_of(const struct json_text *status)
{
    static const struct {
        const char *status;
        uint8_t state;
    } rows[] = { { "pending_new", ORDER_NEW }, { "new", ORDER_NEW },
                 { "triggered", ORDER_NEW },   { "partially_filled", ORDER_PARTIALLY_FILLED },
                 { "filled", ORDER_FILLED },   { "canceled", ORDER_CANCELED },
                 { "expired", ORDER_EXPIRED } };

    for (unsigned i = 0; status->s != NULL && i < ARRAY_LEN(rows); i++)
        if (json_equals(status, rows[i].status, strlen(rows[i].status)))
            return rows[i].state;
    return ORDER_FREE;
}

/* The counter that orders, amends and cancels of one pair raise. */
static void
report_budget(const struct kraken_oe *k, const struct item *i, const struct venue_sink *sink)
{
    struct venue_report r = kraken_report(VENUE_RATE_BUDGET, VENUE_RQ_COUNT);
    int64_t spent = 0;

    if (i->rate_count.s == NULL || !decimal_of(&i->rate_count, 2, &spent))
        return;
    r.instrument = symbol_instrument(k, &i->symbol);
    if (r.instrument == INSTRUMENT_NONE && i->order_id.s != NULL) {
        const struct kraken_order *o = kraken_orders_find(&k->orders, kraken_order_hash(i->order_id.s, i->order_id.n));
        r.instrument = o != NULL ? o->instrument : INSTRUMENT_NONE;
    }
    r.code = VENUE_BUDGET_DECAY;
    r.cum_qty = (spent + 99) / 100;
    sink->report(sink->ctx, &r);
}

/* The fields of a fill. False: a number cannot be read, nothing is known of it but that it was. */
static bool
fill_read(const struct kraken_oe *k, const struct item *i, struct venue_report *r)
{
    const struct instrument *ins = &k->cfg.instruments.table[r->instrument];
    struct json_text price;
    char ccy[CURRENCY_BYTES];

    if (!i->has_trade_id || i->trade_id > INT64_MAX || i->last_price.s == NULL || i->last_qty.s == NULL ||
        !json_value_amount((struct json_value){ i->last_price.s, i->last_price.n }, &price) ||
        !kraken_fill_px(&price, ins->px_decimals, (enum side)r->side, &r->last_px) ||
        !decimal_of(&i->last_qty, ins->qty_decimals, &r->last_qty) || r->last_qty == 0)
        return false;
    r->trade_id = (int64_t)i->trade_id;
    r->maker = JSON_IS(i->liquidity, "m");
    if (!i->fees_many && i->fee_asset.s != NULL && i->fee_asset.n < CURRENCY_BYTES &&
        decimal_of(&i->fee_qty, VALUE_DECIMALS, &r->fee)) {
        kraken_print(&i->fee_asset, ccy, sizeof(ccy));
        memcpy(r->fee_ccy, ccy, strlen(ccy) + 1);
    }
    return true;
}

/* Numbers that every kind may carry. */
static bool
common_read(const struct kraken_oe *k, const struct item *i, struct venue_report *r)
{
    const struct instrument *ins = &k->cfg.instruments.table[r->instrument];

    return decimal_of(&i->cum_qty, ins->qty_decimals, &r->cum_qty) &&
           decimal_of(&i->order_qty, ins->qty_decimals, &r->qty) &&
           decimal_of(&i->limit_price, ins->px_decimals, &r->px);
}

/* An update that says only an id, which the map has no room for or never heard of. A fill must not be lost: as a
 * message that cannot be read, it ends the session, and the trades are asked for. */
static void
nameless(const struct item *i, const struct venue_sink *sink)
{
    struct venue_report r = kraken_report(VENUE_UNKNOWN, VENUE_RQ_COUNT);
    enum meaning means;

    r.code = meaning_of(&i->exec_type, &means) && means != MEANS_FILL ? 1 : 0;
    (void)snprintf(r.text, sizeof(r.text), "%s of an order that nothing names", r.code != 0 ? "an update" : "a fill");
    sink->report(sink->ctx, &r);
}

/* One execution. */
static void
decode_item(struct kraken_oe *k, const struct item *i, bool snapshot, const struct venue_sink *sink)
{
    struct venue_report r = kraken_report(VENUE_UNKNOWN, VENUE_RQ_COUNT);
    char said[CLORDID_BYTES];
    enum meaning means;
    uint8_t state = state_of(&i->order_status);

    if (i->order_id.s == NULL || i->order_id.n == 0)
        return; /* nothing that names an order */
    text_to_clordid(&i->cl_ord_id, said);
    struct kraken_order *o = kraken_orders_find(&k->orders, kraken_order_hash(i->order_id.s, i->order_id.n));
    if (o != NULL)
        o->seen = k->orders.list;
    else if ((said[0] != '\0' || i->symbol.s != NULL))
        o = learn(k, &i->order_id, said, symbol_instrument(k, &i->symbol));
    r.venue_order_id = kraken_order_hash(i->order_id.s, i->order_id.n);
    r.instrument = o != NULL ? o->instrument : symbol_instrument(k, &i->symbol);
    memcpy(r.clordid, o != NULL ? o->clordid : said, CLORDID_BYTES);
    r.venue_time_ns = time_of(&i->timestamp);
    r.side = JSON_IS(i->side, "sell") ? SIDE_SELL : SIDE_BUY;
    kraken_print(&i->reason, r.text, sizeof(r.text));
    if (o != NULL && (state == ORDER_FILLED || state == ORDER_CANCELED || state == ORDER_EXPIRED))
        kraken_orders_done(&k->orders, o);
    if (snapshot)
        return; /* for the map only: the list of open orders is asked for, to its end */
    if (r.instrument == INSTRUMENT_NONE) {
        if (r.clordid[0] != '\0') /* an id like ours, and no instrument of ours */
            sink->report(sink->ctx, &r);
        else if (o == NULL && i->symbol.s == NULL)
            nameless(i, sink);
        return;
    }
    bool read = common_read(k, i, &r);
    if (!meaning_of(&i->exec_type, &means))
        read = false;
    switch (read ? means : MEANS_NOTHING) {
    case MEANS_NEW: r.kind = VENUE_NEW_ACK; break;
    case MEANS_FILL: r.kind = fill_read(k, i, &r) ? VENUE_FILL : VENUE_UNKNOWN; break;
    case MEANS_STATUS:
        r.kind = VENUE_STATUS;
        r.state = state;
        if (state == ORDER_FREE)
            r.kind = VENUE_UNKNOWN;
        break;
    case MEANS_CANCELED: r.kind = VENUE_CANCELED; break;
    case MEANS_EXPIRED: r.kind = VENUE_EXPIRED; break;
    case MEANS_AMENDED: /* sparse: it works, and at what is asked with the next list of open orders */
        r.kind = r.px > 0 && r.qty > 0 ? VENUE_AMENDED : state == ORDER_FREE ? VENUE_UNKNOWN : VENUE_STATUS;
        r.state = state;
        break;
    case MEANS_NOTHING:
        if (read)
            return;
        break; /* VENUE_UNKNOWN: something happened to it that cannot be read */
    }
    if (r.kind != VENUE_UNKNOWN || r.clordid[0] != '\0')
        sink->report(sink->ctx, &r);
}

static void
stream_down(const char *why, const struct venue_sink *sink)
{
    struct venue_report r = kraken_report(VENUE_STREAM_DOWN, VENUE_RQ_COUNT);

    (void)snprintf(r.text, sizeof(r.text), "%s", why);
    sink->report(sink->ctx, &r);
}

static enum decode_result
decode_executions(struct kraken_oe *k, const struct json_text *data, bool snapshot, bool has_sequence,
                  uint64_t sequence, const struct venue_sink *sink)
{
    struct json_scan j;
    struct item i;
    bool gap = false;
    bool behind = false;

    if (has_sequence && k->sequenced && !snapshot) {
        if (sequence == k->heard)
            return DECODE_IGNORED; /* said twice */
        behind = sequence <= k->sequence;
        gap = behind ? k->sequence - sequence > KRAKEN_REPEATS : sequence != k->sequence + 1;
    }
    if (has_sequence) {
        k->sequenced = true;
        k->heard = sequence;
        if (!behind)
            k->sequence = sequence;
    }
    json_init(&j, data->s, data->n);
    (void)json_array(&j);
    while (json_element(&j)) {
        if (json_peek(&j) != JSON_OBJECT) {
            (void)json_skip(&j);
            continue;
        }
        read_item(&j, &i);
        if (!behind)
            report_budget(k, &i, sink);
        decode_item(k, &i, snapshot, sink);
    }
    if (gap)
        stream_down(behind ? "the numbers of the executions channel began again"
                           : "a hole in the sequence of the executions channel",
                    sink);
    return DECODE_OK;
}

/* ---- whole messages ---- */

struct envelope {
    struct answer answer;
    struct json_text channel;
    struct json_text type;
    struct json_text data;
    bool has_sequence;
    uint64_t sequence;
};

static bool
read_envelope(const uint8_t *msg, size_t len, struct envelope *e)
{
    struct json_scan j;
    struct json_text key;
    struct answer *a = &e->answer;

    json_init(&j, msg, len);
    (void)json_object(&j);
    while (json_key(&j, &key)) {
        if (JSON_IS(key, "channel"))
            read_text(&j, &e->channel);
        else if (JSON_IS(key, "type"))
            read_text(&j, &e->type);
        else if (JSON_IS(key, "data"))
            (void)json_raw(&j, &e->data);
        else if (JSON_IS(key, "sequence") && json_peek(&j) == JSON_NUMBER)
            e->has_sequence = json_u64(&j, &e->sequence);
        else if (JSON_IS(key, "method"))
            read_text(&j, &a->method);
        else if (JSON_IS(key, "error"))
            read_text(&j, &a->error);
        else if (JSON_IS(key, "time_out"))
            read_text(&j, &a->time_out);
        else if (JSON_IS(key, "success") && json_peek(&j) != JSON_NULL)
            a->has_success = json_bool(&j, &a->success);
        else if (JSON_IS(key, "req_id") && json_peek(&j) == JSON_NUMBER)
            (void)json_u64(&j, &a->req_id);
        else if (JSON_IS(key, "result"))
            read_result(&j, a);
        else
            (void)json_skip(&j);
    }
    return json_done(&j);
}

enum decode_result
kraken_oe_decode(struct venue_adapter *a, const uint8_t *msg, size_t len, struct now now, const struct venue_sink *sink)
{
    struct kraken_oe *k = (struct kraken_oe *)(void *)a;
    struct envelope e = { .has_sequence = false };

    if (!read_envelope(msg, len, &e)) {
        struct venue_report r = kraken_report(VENUE_UNKNOWN, VENUE_RQ_COUNT);
        (void)snprintf(r.text, sizeof(r.text), "not a whole JSON object of %zu bytes", len);
        sink->report(sink->ctx, &r);
        return DECODE_OK; /* it may have been about any order: reported */
    }
    if (e.answer.method.s != NULL || (e.channel.s == NULL && e.answer.error.s != NULL))
        return decode_answer(k, &e.answer, now, sink);
    if (e.channel.s == NULL || !JSON_IS(e.channel, "executions") || e.data.s == NULL)
        return DECODE_IGNORED; /* status, heartbeat, and what is to come */
    return decode_executions(k, &e.data, JSON_IS(e.type, "snapshot"), e.has_sequence, e.sequence, sink);
}
