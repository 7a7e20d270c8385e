/* Kraken's order operations, the same for WebSocket and REST: checks and words around the engine's operations, the rate
 * counter, the dead man's switch.
 *
 * Always true: a request whose deadline has passed changes nothing; cancels are counted, never refused, by the rate
 * counter; a cl_ord_id names at most one open order of an account. */
#include "bench/venue/kraken.h"

#include <stdarg.h>

#define S_US               INT64_C(1000000)
#define DEADLINE_MAX_US    (60 * S_US)
#define OPEN_ORDERS_MAX    80
#define CL_ORD_ID_FREE_MAX 18
#define DECAY_MILLI        2340 /* a second; tier intermediate */
#define RATE_MAX_MILLI     125000
#define DEAD_MAN_MAX_S     86400
#define OPEN_LIST_MAX      4096

bool
kraken_fail(struct kraken_call *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(c->error, sizeof(c->error), fmt, ap);
    va_end(ap);
    return false;
}

/* ---- words ---------------------------------------------------------------------------------------------------- */

static const struct {
    const char *word;
    enum emu_type type;
    bool px, stop_px;
} types[] = {
    { "limit", EMU_LIMIT, true, false },
    { "market", EMU_MARKET, false, false },
    { "iceberg", EMU_LIMIT, true, false },
    { "stop-loss", EMU_STOP_LOSS, false, true },
    { "take-profit", EMU_TAKE_PROFIT, false, true },
    { "stop-loss-limit", EMU_STOP_LOSS_LIMIT, true, true },
    { "take-profit-limit", EMU_TAKE_PROFIT_LIMIT, true, true },
};

static const struct {
    const char *word;
    enum emu_stp stp;
} stps[] = {
    { "cancel_newest", EMU_STP_EXPIRE_TAKER }, { "cancel-newest", EMU_STP_EXPIRE_TAKER },
    { "cancel_oldest", EMU_STP_EXPIRE_MAKER }, { "cancel-oldest", EMU_STP_EXPIRE_MAKER },
    { "cancel_both", EMU_STP_EXPIRE_BOTH },    { "cancel-both", EMU_STP_EXPIRE_BOTH },
};

const char *
kraken_side(const struct emu_order *o)
{
    return o->side == EMU_BUY ? "buy" : "sell";
}

const char *
kraken_type(const struct emu_order *o)
{
    if (o->iceberg_qty != 0)
        return "iceberg";
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if ((uint8_t)types[i].type == o->type)
            return types[i].word;
    return "limit";
}

const char *
kraken_tif(const struct emu_order *o)
{
    if (o->expire_us != 0)
        return "GTD";
    return o->tif == EMU_IOC ? "IOC" : o->tif == EMU_FOK ? "FOK" : "GTC";
}

const char *
kraken_reason(const struct kraken *k, const struct emu_order *o)
{
    static const struct {
        const char *ours, *word;
    } reasons[] = {
        { "POST_ONLY", "Post only order" },
        { "IMMEDIATE_OR_CANCEL", "Order could not be filled immediately" },
        { "FILL_OR_KILL", "Order could not be filled in full" },
        { "INSUFFICIENT_LIQUIDITY", "Insufficient market liquidity" },
        { "SELF_TRADE_PREVENTION", "Self trade prevention" },
        { "GOOD_TILL_DATE", "Order expired" },
        { "AMENDED", "Amended quantity already filled" },
        { "VENUE_RESTART", "Trading engine restart" },
    };
    (void)k;

    if (o->is_open || o->status == EMU_FILLED)
        return "";
    for (size_t i = 0; o->end_reason != NULL && i < ARRAY_LEN(reasons); i++)
        if (strcmp(reasons[i].ours, o->end_reason) == 0)
            return reasons[i].word;
    return "User requested";
}

/* ---- the rate counter ----------------------------------------------------------------------------------------- */

static int64_t
decayed(struct kraken_counter *c, int64_t now_us, int64_t per_s_milli)
{
    int64_t gone = (int64_t)((wide_t)(now_us - c->at_us) * per_s_milli / S_US);

    if (now_us > c->at_us && gone > 0) {
        c->milli = MAX(c->milli - gone, 0);
        c->at_us = now_us;
    }
    return c->milli;
}

int64_t
kraken_rate(struct kraken *k, uint32_t account, int symbol)
{
    /* Counters above the usual one decay as much faster. */
    int64_t per_s = (int64_t)((wide_t)DECAY_MILLI * k->rate_max_milli / RATE_MAX_MILLI);
    return decayed(&k->rate[account][symbol], emu_engine_time(k->base.engine), per_s);
}

static void
rate_add(struct kraken *k, uint32_t account, int symbol, int n)
{
    (void)kraken_rate(k, account, symbol);
    k->rate[account][symbol].milli += n * 1000;
}

/* Takes 1 and, by the order's age, a penalty; false when the counter is full. */
static bool
rate_take(struct kraken_call *c, int symbol, int penalty)
{
    if (kraken_rate(c->venue, c->account, symbol) + 1000 > c->venue->rate_max_milli)
        return kraken_fail(c, "EOrder:Rate limit exceeded");
    rate_add(c->venue, c->account, symbol, 1 + penalty);
    return true;
}

/* Penalties by age. Source: guides/general/ratelimits, seen 2026-10. */
static int
penalty(const struct kraken_call *c, const struct emu_order *o, const int rows[][2], size_t count)
{
    int64_t age_us = c->now_us - o->created_us;

    for (size_t i = 0; i < count; i++)
        if (age_us < rows[i][0] * S_US)
            return rows[i][1];
    return 0;
}

static const int amend_penalty[][2] = { { 5, 3 }, { 10, 2 }, { 15, 1 } };
static const int edit_penalty[][2] = { { 5, 6 }, { 10, 5 }, { 15, 4 }, { 45, 2 }, { 90, 1 } };
static const int cancel_penalty[][2] = { { 5, 8 }, { 10, 6 }, { 15, 5 }, { 45, 4 }, { 90, 2 }, { 300, 1 } };

/* ---- reading orders ------------------------------------------------------------------------------------------- */

static bool
invalid(struct kraken_call *c, const char *what)
{
    return kraken_fail(c, "EGeneral:Invalid arguments:%s", what);
}

static bool
numbers(struct kraken_call *c, const json_t *p, const char *const name[], int64_t *const to[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!kraken_number(p, name[i], to[i]))
            return invalid(c, name[i]);
    return true;
}

static bool
read_deadline(struct kraken_call *c, const json_t *p, int64_t *deadline_us)
{
    const char *s = kraken_text(p, "deadline");
    return s == NULL || kraken_time_parse(s, deadline_us) || invalid(c, "deadline");
}

bool
kraken_order_from_ws(struct kraken_call *c, const json_t *p, struct kraken_order *o)
{
    const char *const name[] = { "limit_price", "order_qty", "cash_order_qty", "display_qty" };
    int64_t *const to[] = { &o->px, &o->qty, &o->cash, &o->display };
    const char *symbol = kraken_text(p, "symbol");
    const char *expire = kraken_text(p, "expire_time");

    *o = (struct kraken_order){
        .symbol = symbol != NULL ? kraken_symbol_find(c->venue, symbol) : -1,
        .side = kraken_text(p, "side"),
        .type = kraken_text(p, "order_type"),
        .tif = kraken_text(p, "time_in_force"),
        .stp = kraken_text(p, "stp_type"),
        .cl_ord_id = kraken_text(p, "cl_ord_id"),
        .post_only = kraken_true(p, "post_only", false),
        .reduce_only = kraken_true(p, "reduce_only", false),
        .validate = kraken_true(p, "validate", false),
        .margin = kraken_true(p, "margin", false),
    };
    if (!numbers(c, p, name, to, ARRAY_LEN(name)) || !read_deadline(c, p, &o->deadline_us))
        return false;
    if (!kraken_number(json_object_get(p, "triggers"), "price", &o->stop_px))
        return invalid(c, "triggers");
    if (!kraken_integer(p, "order_userref", &o->userref))
        return invalid(c, "order_userref");
    return expire == NULL || kraken_time_parse(expire, &o->expire_us) || invalid(c, "expire_time");
}

/* `expiretm`: 0 none, +N seconds from now, else seconds since the epoch. */
static bool
read_expiry(struct kraken_call *c, const json_t *p, int64_t *expire_us)
{
    const char *s = kraken_text(p, "expiretm");
    int64_t v = 0;

    if (s == NULL || strcmp(s, "0") == 0)
        return true;
    bool relative = *s == '+';
    if (decimal_parse(s + relative, strlen(s + relative), 6, &v) != DECODE_OK || v <= 0)
        return invalid(c, "expiretm");
    *expire_us = relative ? c->now_us + v : v;
    return true;
}

bool
kraken_order_from_rest(struct kraken_call *c, const json_t *p, struct kraken_order *o)
{
    int64_t price2 = 0;
    const char *const name[] = { "price", "price2", "volume", "displayvol" };
    int64_t *const to[] = { &o->px, &price2, &o->qty, &o->display };
    const char *pair = kraken_text(p, "pair");
    const char *oflags = kraken_text(p, "oflags");
    const char *leverage = kraken_text(p, "leverage");
    const char *stp = kraken_text(p, "stp_type");

    *o = (struct kraken_order){
        .symbol = pair != NULL ? kraken_pair_find(c->venue, pair) : -1,
        .side = kraken_text(p, "type"),
        .type = kraken_text(p, "ordertype"),
        .tif = kraken_text(p, "timeinforce"),
        .stp = stp != NULL ? stp : kraken_text(p, "stptype"),
        .cl_ord_id = kraken_text(p, "cl_ord_id"),
        .post_only = oflags != NULL && strstr(oflags, "post") != NULL,
        .reduce_only = kraken_true(p, "reduce_only", false),
        .validate = kraken_true(p, "validate", false),
        .margin = leverage != NULL && strcmp(leverage, "none") != 0 && strcmp(leverage, "0") != 0,
    };
    if (!numbers(c, p, name, to, ARRAY_LEN(name)) || !read_deadline(c, p, &o->deadline_us) ||
        !read_expiry(c, p, &o->expire_us))
        return false;
    if (!kraken_integer(p, "userref", &o->userref))
        return invalid(c, "userref");
    if (o->type != NULL && strncmp(o->type, "limit", 5) != 0 && strcmp(o->type, "iceberg") != 0) {
        o->stop_px = o->px; /* a trigger: price is the trigger's, price2 the limit */
        o->px = price2;
    }
    if (oflags != NULL && strstr(oflags, "viqc") != NULL) {
        o->cash = o->qty;
        o->qty = 0;
    }
    return true;
}

/* ---- place ---------------------------------------------------------------------------------------------------- */

static bool
check_deadline(struct kraken_call *c, int64_t deadline_us)
{
    if (deadline_us == 0)
        return true;
    if (deadline_us <= c->now_us)
        return kraken_fail(c, "EService:Deadline elapsed");
    return deadline_us <= c->now_us + DEADLINE_MAX_US || invalid(c, "deadline");
}

/* A UUID with or without dashes, or free text of at most 18 characters. */
static bool
legal_cl_ord_id(const char *s)
{
    size_t n = strlen(s);
    size_t hex = strspn(s, "0123456789abcdefABCDEF-");

    for (const char *p = s; *p != '\0'; p++)
        if (*p <= ' ' || *p > '~')
            return false;
    return n <= CL_ORD_ID_FREE_MAX || ((n == 36 || n == 32) && hex == n);
}

static const struct emu_order *
find_named(const struct kraken *k, uint32_t account, const char *cl_ord_id, bool open_only)
{
    const struct emu_order *best = NULL;

    for (int i = 0; i < emu_symbol_count(k->base.engine); i++) {
        struct emu_error err;
        const struct emu_order *o = emu_order_find(k->base.engine, account, i, 0, cl_ord_id, &err);
        if (o == NULL || (o->flags & EMU_UNNAMED) != 0 || (open_only && !o->is_open))
            continue;
        if (best == NULL || o->is_open || (!best->is_open && o->created_us > best->created_us))
            best = o;
    }
    return best;
}

const struct emu_order *
kraken_find(const struct kraken *k, uint32_t account, const char *txid, const char *cl_ord_id)
{
    struct emu_error err;
    int symbol = 0;
    int64_t id = 0;

    if (txid == NULL)
        return cl_ord_id != NULL ? find_named(k, account, cl_ord_id, false) : NULL;
    if (!kraken_order_from_txid(txid, &symbol, &id) || symbol >= emu_symbol_count(k->base.engine))
        return NULL;
    return emu_order_find(k->base.engine, account, symbol, id, NULL, &err);
}

static bool
fail_status(struct kraken_call *c, int symbol)
{
    const char *status = kraken_pair_status(c->venue, symbol);
    return strcmp(status, "cancel_only") == 0 ? kraken_fail(c, "EService:Market in cancel_only mode")
                                              : kraken_fail(c, "EService:Unavailable");
}

/* The engine's refusals in Kraken's words. */
static bool
fail_engine(struct kraken_call *c, const struct emu_error *err, int symbol, int64_t qty)
{
    static const struct {
        const char *ours, *word;
    } words[] = {
        { "Account has insufficient balance", "EOrder:Insufficient funds" },
        { "Order would immediately match", "EOrder:Post only order" },
        { "Order would trigger immediately", "EOrder:Invalid price" },
        { "Filter failure: PRICE_FILTER", "EOrder:Tick size check failed" },
        { "Filter failure: NOTIONAL", "EOrder:Cost minimum not met" },
        { "Filter failure: ICEBERG_PARTS", "EGeneral:Invalid arguments:display_qty" },
        { "IcebergQty exceeds", "EGeneral:Invalid arguments:display_qty" },
        { "Unknown order", "EOrder:Unknown order" },
        { "This order cannot be amended", "EOrder:Order not editable" },
        { "Duplicate order", "EGeneral:Invalid arguments:cl_ord_id" },
        { "Server is currently overloaded", "EService:Busy" },
    };

    if (strcmp(err->msg, "Market is closed.") == 0)
        return fail_status(c, symbol);
    if (strstr(err->msg, "LOT_SIZE") != NULL)
        return qty < emu_symbol_get(c->venue->base.engine, symbol)->filters.lot_min
                   ? kraken_fail(c, "EGeneral:Invalid arguments:volume minimum not met")
                   : invalid(c, "volume");
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strncmp(err->msg, words[i].ours, strlen(words[i].ours)) == 0)
            return kraken_fail(c, "%s", words[i].word);
    return kraken_fail(c, "EGeneral:Invalid arguments");
}

static bool
check_decimals(struct kraken_call *c, int symbol, int64_t px, int64_t stop_px)
{
    struct kraken_pair pair = kraken_pair_get(c->venue, symbol);
    int64_t unit = pow10_i64[VALUE_DECIMALS - pair.px_decimals];

    if (px % unit == 0 && stop_px % unit == 0)
        return true;
    return kraken_fail(c, "EOrder:Invalid price:%s price can only be specified up to %u decimals.", pair.altname,
                       pair.px_decimals);
}

static bool
request_type(struct kraken_call *c, const struct kraken_order *o, struct emu_order_req *rq)
{
    size_t i = 0;
    const char *tif = o->tif != NULL ? o->tif : "gtc";

    while (o->type != NULL && i < ARRAY_LEN(types) && strcasecmp(types[i].word, o->type) != 0)
        i++;
    if (o->type == NULL || i == ARRAY_LEN(types))
        return invalid(c, "ordertype");
    rq->type = types[i].type;
    if (types[i].px != (o->px != 0))
        return invalid(c, "price");
    if (types[i].stop_px != (o->stop_px != 0))
        return invalid(c, "price");
    rq->px = o->px;
    rq->stop_px = o->stop_px;
    bool gtd = strcasecmp(tif, "gtd") == 0;
    if (!gtd && strcasecmp(tif, "gtc") != 0 && strcasecmp(tif, "ioc") != 0 && strcasecmp(tif, "fok") != 0)
        return invalid(c, "time_in_force");
    if (gtd != (o->expire_us != 0) || (gtd && o->expire_us <= c->now_us))
        return invalid(c, "expire_time");
    rq->expire_us = o->expire_us;
    if (types[i].px)
        rq->tif = strcasecmp(tif, "ioc") == 0 ? EMU_IOC : strcasecmp(tif, "fok") == 0 ? EMU_FOK : EMU_GTC;
    if (o->post_only && (rq->type != EMU_LIMIT || rq->tif != EMU_GTC))
        return invalid(c, "post_only");
    return true;
}

static bool
request_of(struct kraken_call *c, const struct kraken_order *o, struct emu_order_req *rq)
{
    *rq = (struct emu_order_req){ .symbol = o->symbol, .stp = EMU_STP_EXPIRE_TAKER };
    if (o->symbol < 0)
        return kraken_fail(c, "EQuery:Unknown asset pair");
    if (o->side == NULL || (strcasecmp(o->side, "buy") != 0 && strcasecmp(o->side, "sell") != 0))
        return invalid(c, "side");
    rq->side = strcasecmp(o->side, "buy") == 0 ? EMU_BUY : EMU_SELL;
    if (!request_type(c, o, rq))
        return false;
    if (o->px < 0 || o->stop_px < 0)
        return invalid(c, "price");
    if (o->qty < 0 || o->cash < 0 || o->display < 0 || (o->qty == 0 && o->cash == 0) ||
        (o->cash != 0 && (rq->type != EMU_MARKET || rq->side != EMU_BUY || o->qty != 0)))
        return invalid(c, "volume");
    rq->qty = o->qty;
    rq->quote_order_qty = o->cash;
    rq->iceberg_qty = o->display;
    for (size_t i = 0; o->stp != NULL && i < ARRAY_LEN(stps); i++)
        if (strcmp(stps[i].word, o->stp) == 0)
            rq->stp = stps[i].stp;
    if (o->userref < INT32_MIN || o->userref > INT32_MAX)
        return invalid(c, "userref");
    rq->user_ref = (int32_t)o->userref;
    rq->flags = (uint8_t)((o->post_only ? EMU_POST_ONLY : 0) | (o->reduce_only ? EMU_REDUCE_ONLY : 0));
    if (o->cl_ord_id != NULL && !legal_cl_ord_id(o->cl_ord_id))
        return invalid(c, "cl_ord_id");
    rq->client_id = o->cl_ord_id;
    return check_decimals(c, o->symbol, rq->px, rq->stop_px);
}

/* What is not in the engine: modes of the market, margin, limits. */
static bool
check_rules(struct kraken_call *c, const struct kraken_order *o, const struct emu_order_req *rq)
{
    const struct emu_order *open[OPEN_ORDERS_MAX];
    struct kraken *k = c->venue;

    if (o->margin)
        return kraken_fail(c, "EOrder:Cannot open position"); /* the emulated accounts have no margin */
    if (o->reduce_only)
        return kraken_fail(c, "EOrder:Reduce only:No position exists");
    if (strcmp(kraken_pair_status(k, o->symbol), "post_only") == 0 && !o->post_only)
        return kraken_fail(c, "EService:Market in post_only mode");
    if (rq->client_id != NULL && find_named(k, c->account, rq->client_id, true) != NULL)
        return invalid(c, "cl_ord_id");
    if (emu_orders_open(k->base.engine, c->account, o->symbol, open, OPEN_ORDERS_MAX) == OPEN_ORDERS_MAX)
        return kraken_fail(c, "EOrder:Orders limit exceeded");
    return true;
}

bool
kraken_place(struct kraken_call *c, const struct kraken_order *o, const struct emu_order **placed)
{
    struct emu_order_req rq;
    struct emu_order_result out = { 0 };

    *placed = NULL;
    if (!check_deadline(c, o->deadline_us) || !request_of(c, o, &rq) || !check_rules(c, o, &rq))
        return false;
    if (o->validate)
        return emu_order_test(c->venue->base.engine, c->account, &rq, &out.err) == 0 ||
               fail_engine(c, &out.err, o->symbol, o->qty);
    if (!rate_take(c, o->symbol, 0))
        return false;
    if (emu_order_place(c->venue->base.engine, c->account, &rq, &out) != 0)
        return fail_engine(c, &out.err, o->symbol, o->qty);
    *placed = out.order;
    return true;
}

/* ---- cancel --------------------------------------------------------------------------------------------------- */

static bool
cancel_one(struct kraken *k, const struct emu_order *o, struct emu_cancel_result *out)
{
    struct emu_cancel_req rq = { .symbol = o->symbol, .order_id = o->id };
    return emu_order_cancel(k->base.engine, o->account, &rq, out) == 0;
}

bool
kraken_cancel(struct kraken_call *c, const struct emu_order *o)
{
    struct emu_cancel_result out;

    struct fault_hits h = fault_draw(&c->venue->base.faults, FAULT_ON_CANCEL, "cancel_order");

    if (o == NULL || !o->is_open)
        return kraken_fail(c, "EOrder:Unknown order");
    if (fault_hit(&h, FAULT_FILL_CANCEL))
        (void)emu_order_hit(c->venue->base.engine, c->account, o->symbol, o->id,
                            fault_part(&h, o->qty - o->cum_qty, 1));
    rate_add(c->venue, c->account, o->symbol, penalty(c, o, cancel_penalty, ARRAY_LEN(cancel_penalty)));
    return cancel_one(c->venue, o, &out) || kraken_fail(c, "EOrder:Unknown order");
}

int
kraken_cancel_all(struct kraken *k, uint32_t account, int symbol, int64_t userref)
{
    const struct emu_order *open[OPEN_LIST_MAX];
    struct emu_cancel_result out;
    int count = 0;
    int n = emu_orders_open(k->base.engine, account, symbol, open, OPEN_LIST_MAX);

    for (int i = 0; i < n; i++)
        if (userref == 0 || open[i]->user_ref == userref)
            count += cancel_one(k, open[i], &out);
    return count;
}

/* ---- amend ---------------------------------------------------------------------------------------------------- */

bool
kraken_amend(struct kraken_call *c, const struct kraken_amendment *a, const struct emu_order **order,
             char amend_id[KRAKEN_TXID_BYTES])
{
    struct emu_amend to = { .px = a->px, .qty = a->qty, .iceberg_qty = a->display, .post_only = a->post_only };
    struct emu_order_result out = { 0 };
    const struct emu_order *o = kraken_find(c->venue, c->account, a->txid, a->cl_ord_id);

    struct fault_hits h = fault_draw(&c->venue->base.faults, FAULT_ON_AMEND, "amend_order");

    *order = o;
    if (!check_deadline(c, a->deadline_us))
        return false;
    if (o == NULL || !o->is_open)
        return kraken_fail(c, "EOrder:Unknown order");
    if (a->qty < 0 || a->px < 0 || a->display < 0 || (a->qty == 0 && a->px == 0 && a->display == 0))
        return kraken_fail(c, "EGeneral:Invalid arguments");
    if (!check_decimals(c, o->symbol, a->px, 0) ||
        !rate_take(c, o->symbol, penalty(c, o, amend_penalty, ARRAY_LEN(amend_penalty))))
        return false;
    c->lost = fault_hit(&h, FAULT_LOSE_AMEND);
    c->venue->mute_amends = c->lost;
    int code = emu_order_amend_to(c->venue->base.engine, c->account, o->symbol, o->id, &to, &out);
    c->venue->mute_amends = false;
    if (code != 0)
        return fail_engine(c, &out.err, o->symbol, a->qty);
    kraken_other_txid(amend_id, 'T', c->venue->other_ids++ << 1 | 1);
    return true;
}

bool
kraken_edit(struct kraken_call *c, const char *txid, const struct kraken_order *change, const struct emu_order **placed)
{
    const struct emu_order *old = kraken_find(c->venue, c->account, txid, NULL);
    struct kraken_order o = *change;
    struct emu_cancel_result out;

    *placed = NULL;
    if (old == NULL || !old->is_open)
        return kraken_fail(c, "EOrder:Unknown order");
    if (old->cum_qty != 0)
        return kraken_fail(c, "EOrder:Order not editable");
    o.symbol = old->symbol;
    o.side = kraken_side(old);
    o.type = kraken_type(old);
    o.px = o.px != 0 ? o.px : old->px;
    o.stop_px = o.stop_px != 0 ? o.stop_px : old->stop_px;
    o.qty = o.qty != 0 ? o.qty : old->qty;
    o.cl_ord_id = NULL;
    struct emu_order_req rq;
    if (!check_deadline(c, o.deadline_us) || !request_of(c, &o, &rq) || !check_rules(c, &o, &rq) ||
        !rate_take(c, o.symbol, penalty(c, old, edit_penalty, ARRAY_LEN(edit_penalty))))
        return false;
    if (o.validate)
        return true;
    if (!cancel_one(c->venue, old, &out))
        return kraken_fail(c, "EOrder:Unknown order");
    struct emu_order_result result = { 0 };
    if (emu_order_place(c->venue->base.engine, c->account, &rq, &result) != 0)
        return fail_engine(c, &result.err, o.symbol, o.qty);
    *placed = result.order;
    return true;
}

/* ---- the dead man's switch ------------------------------------------------------------------------------------ */

bool
kraken_dead_man(struct kraken_call *c, int64_t seconds)
{
    char now[KRAKEN_TIME_BYTES];
    char then[KRAKEN_TIME_BYTES];
    int64_t at_us = c->now_us + seconds * S_US;

    if (seconds < 0 || seconds > DEAD_MAN_MAX_S)
        return invalid(c, "timeout");
    c->venue->dead_man_us[c->account] = seconds == 0 ? 0 : at_us;
    kraken_time(now, c->now_us);
    kraken_time(then, at_us);
    (void)snprintf(now + 19, sizeof(now) - 19, "Z"); /* whole seconds */
    (void)snprintf(then + 19, sizeof(then) - 19, "Z");
    text_put(&c->result, "{");
    text_key_word(&c->result, "currentTime", now);
    text_key_word(&c->result, "triggerTime", seconds == 0 ? "0" : then);
    text_put(&c->result, "}");
    return true;
}

void
kraken_trade_tick(struct kraken *k)
{
    int64_t now_us = emu_engine_time(k->base.engine);

    emu_orders_expire_due(k->base.engine);
    for (uint32_t a = 1; a < (uint32_t)emu_account_count(k->base.engine); a++) {
        if (k->dead_man_us[a] == 0 || k->dead_man_us[a] > now_us)
            continue;
        k->dead_man_us[a] = 0;
        (void)kraken_cancel_all(k, a, -1, 0);
    }
}
