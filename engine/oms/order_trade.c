/* Trades of the order table: which ids were counted, for which order or for nobody's, and up to where an instrument's
 * trades were asked for. See order_table.h. */
#include "engine/oms/order_table_state.h"

static inline uint32_t
trade_hash(uint32_t market, int64_t trade_id)
{
    return hash_mix((uint64_t)trade_id, (uint64_t)market << 32 | 3);
}

/* Counted for this owner; any: for whomever. */
static bool
trade_find(const struct order_table *t, struct trade_owner w, bool any, int64_t trade_id)
{
    uint32_t hash = trade_hash(w.market, trade_id);
    uint32_t pos = hash;
    uint32_t i;
    while ((i = hash_next(&t->by_trade, hash, &pos)) != ORDER_NONE) {
        const struct trade *tr = &t->trade[i];
        if (tr->trade_id == trade_id && tr->market == w.market && (any || (tr->seq == w.seq && tr->term == w.term)))
            return true;
    }
    return false;
}

bool
trade_seen(const struct order_table *t, struct trade_owner w, int64_t trade_id)
{
    return trade_find(t, w, false, trade_id);
}

/* The oldest id makes room; its order is marked, so that the trade is not taken for a new one when it is told again. */
static void
trade_forget(struct order_table *t, uint32_t i)
{
    const struct trade *tr = &t->trade[i];
    uint32_t hash = clordid_hash(tr->term, tr->seq);
    uint32_t pos = hash;
    uint32_t slot;

    hash_remove(&t->by_trade, tr->hash, i);
    t->forgotten1[tr->market] = MAX(t->forgotten1[tr->market], tr->trade_id + 1);
    if (tr->term == 0)
        t->forgotten_nobodys1[tr->market] = MAX(t->forgotten_nobodys1[tr->market], tr->trade_id + 1);
    while (tr->term != 0 && (slot = hash_next(&t->by_clordid, hash, &pos)) != ORDER_NONE) {
        struct order *o = &t->order[slot];
        if (o->seq == tr->seq && o->term == tr->term)
            o->marks |= ORDER_MARK_FORGOTTEN;
    }
}

void
trade_remember(struct order_table *t, struct trade_owner w, int64_t trade_id)
{
    uint32_t i = (uint32_t)(t->trades % t->counts.trades_kept);
    struct trade *tr = &t->trade[i];

    if (t->trades >= t->counts.trades_kept)
        trade_forget(t, i);
    *tr = (struct trade){
        .seq = w.seq, .trade_id = trade_id, .term = w.term, .market = w.market, .hash = trade_hash(w.market, trade_id)
    };
    hash_add(&t->by_trade, tr->hash, i);
    t->trades++;
}

const char *
account_trade_fault(const struct account_trade *tr)
{
    if (tr->account >= ACCOUNT_MAX || tr->instrument >= INSTRUMENT_MAX || tr->side > SIDE_SELL)
        return "account, instrument or side is out of range";
    if (tr->trade_id < 0 || tr->qty <= 0 || tr->qty > QTY_MAX || tr->px < 0)
        return "trade id, quantity or price is out of range";
    return NULL;
}

bool
order_table_trade(struct order_table *t, const struct account_trade *tr, struct order_delta *d)
{
    ASSERT(account_trade_fault(tr) == NULL);
    *d = (struct order_delta){ .account = tr->account,
                               .instrument = tr->instrument,
                               .instrument_version = tr->instrument_version,
                               .client = CLIENT_ADOPTED,
                               .side = tr->side };
    if (order_trade_known(t, tr->instrument, (enum side)tr->side, tr->trade_id))
        return false;
    trade_remember(t, owner_nobody(tr->instrument, (enum side)tr->side), tr->trade_id);
    d->fill_qty = tr->qty;
    d->fill_px = tr->px;
    d->fee = tr->fee;
    d->fee_ccy = tr->fee_ccy;
    t->totals.trades++;
    return true;
}

bool
order_trade_counted(const struct order_table *t, uint32_t instrument, enum side side, int64_t trade_id)
{
    return trade_seen(t, owner_nobody(instrument, side), trade_id);
}

bool
order_trade_known(const struct order_table *t, uint32_t instrument, enum side side, int64_t trade_id)
{
    return trade_find(t, owner_nobody(instrument, side), true, trade_id);
}

bool
order_trade_forgotten(const struct order_table *t, uint32_t instrument, enum side side, int64_t trade_id, bool nobodys)
{
    uint32_t market = owner_nobody(instrument, side).market;
    return trade_id < (nobodys ? t->forgotten_nobodys1[market] : t->forgotten1[market]);
}

bool
order_trades_turned(const struct order_table *t, uint64_t since)
{
    return t->trades - since >= (t->counts.trades_kept + 1) / 2;
}

uint64_t
order_trades_ever(const struct order_table *t)
{
    return t->trades;
}

int64_t
order_trade_cursor(const struct order_table *t, uint32_t instrument)
{
    return instrument < INSTRUMENT_MAX ? t->cursor1[instrument] - 1 : -1;
}

int64_t
order_trade_cursor_ns(const struct order_table *t, uint32_t instrument)
{
    return instrument < INSTRUMENT_MAX ? t->cursor_ns[instrument] : 0;
}

void
order_trade_cursor_set(struct order_table *t, uint32_t instrument, int64_t trade_id, int64_t venue_ns)
{
    ASSERT(instrument < INSTRUMENT_MAX && trade_id >= 0 && trade_id < INT64_MAX);
    t->cursor1[instrument] = MAX(t->cursor1[instrument], trade_id + 1);
    t->cursor_ns[instrument] = MAX(t->cursor_ns[instrument], venue_ns);
}

bool
order_trade_past(const struct order_table *t, uint32_t instrument, int64_t trade_id, int64_t venue_ns)
{
    int64_t cursor = order_trade_cursor(t, instrument);

    return trade_id < cursor || (cursor == 0 && venue_ns != 0 && venue_ns < order_trade_cursor_ns(t, instrument));
}
