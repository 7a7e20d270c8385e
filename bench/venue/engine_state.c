/* State of the emulated venue's engine: memory, accounts, order indexes, books, balances.
 *
 * Below the decisions in engine.c. Users' orders and trades stay for good and are found by id (sorted arrays per
 * account and symbol) and by client id (hash); house orders are recycled when they close.
 *
 * Always true: a level exists only while an order rests on it; a level change raises update_id by one and is announced;
 *              o->locked is part of its account's locked balance. */
#include "bench/venue/engine_state.h"

#define CLIENT_BUCKETS  65536U
#define HOUSE_CHUNK     4096
#define USER_ORDERS_MAX 4000000U
#define BALANCE_MAX     (INT64_MAX / 64) /* of one deposit: what all accounts own together still fits */
#define DEFAULT_RATE    100000           /* 0.1 % */

/* Grows *array (elements of `size` bytes) so that one more fits. Memory is short only when the machine is. */
static void *
grow(void *array, int count, int *capacity, size_t size)
{
    if (count < *capacity)
        return array;
    int wanted = *capacity == 0 ? 64 : *capacity * 2;
    void *p = realloc(array, (size_t)wanted * size);
    ASSERT(p != NULL);
    *capacity = wanted;
    return p;
}

/* ---- create, destroy, reference data ---- */

static int
asset_add(struct emu_engine *e, const char *name)
{
    int found = emu_asset_find(e, name);
    if (found >= 0)
        return found;
    ASSERT(e->asset_count < EMU_ASSETS_MAX);
    (void)snprintf(e->asset[e->asset_count], EMU_NAME_MAX, "%s", name);
    return e->asset_count++;
}

static void
symbol_init(struct emu_engine *e, int index, const struct emu_symbol_def *def)
{
    struct symbol_state *s = &e->symbol[index];

    s->def = def;
    s->index = index;
    s->base = asset_add(e, def->base);
    s->quote = asset_add(e, def->quote);
    s->touch.symbol = (uint16_t)index;
    for (int i = 0; i < AVG_MINUTES; i++)
        s->avg[i].minute = -1;
}

struct emu_engine *
emu_engine_create(const struct emu_engine_config *config)
{
    const struct emu_symbol_def *defs = config->symbols != NULL ? config->symbols : emu_symbol_defs;
    size_t count = config->symbols != NULL ? config->symbol_count : emu_symbol_def_count;
    ASSERT(count > 0 && count <= EMU_SYMBOLS_MAX);

    struct emu_engine *e = calloc(1, sizeof(*e));
    if (e == NULL)
        return NULL;
    e->symbol = calloc(count, sizeof(*e->symbol));
    e->client_bucket = calloc(CLIENT_BUCKETS, sizeof(struct emu_order *));
    if (e->symbol == NULL || e->client_bucket == NULL) {
        emu_engine_destroy(e);
        return NULL;
    }
    e->client_mask = CLIENT_BUCKETS - 1;
    e->symbol_count = (int)count;
    for (size_t i = 0; i < count; i++)
        symbol_init(e, (int)i, &defs[i]);
    e->user_orders_max = config->user_orders_max != 0 ? config->user_orders_max : USER_ORDERS_MAX;
    bool rates_given = config->maker_rate != 0 || config->taker_rate != 0;
    e->default_maker_rate = rates_given ? config->maker_rate : DEFAULT_RATE;
    e->fee_in_quote = config->fee_in_quote;
    e->default_taker_rate = rates_given ? config->taker_rate : DEFAULT_RATE;
    e->account_count = 1;
    (void)snprintf(e->account[EMU_HOUSE].name, sizeof(e->account[EMU_HOUSE].name), "house");
    return e;
}

static void
user_symbol_free(struct user_symbol *u)
{
    for (int i = 0; i < u->order_count; i++)
        free(u->orders[i]);
    for (int i = 0; i < u->trade_count; i++)
        free(u->trades[i]);
    free(u->orders);
    free(u->trades);
}

void
emu_engine_destroy(struct emu_engine *e)
{
    if (e == NULL)
        return;
    for (int i = 0; i < e->symbol_count; i++) {
        for (int a = 0; a < EMU_ACCOUNTS_MAX; a++)
            user_symbol_free(&e->symbol[i].user[a]);
        free(e->symbol[i].side[EMU_BUY].level);
        free(e->symbol[i].side[EMU_SELL].level);
    }
    for (int i = 0; i < e->chunk_count; i++)
        free(e->chunk[i]);
    free((void *)e->chunk);
    free((void *)e->client_bucket);
    free(e->symbol);
    free(e);
}

void
emu_engine_set_sink(struct emu_engine *e, const struct emu_sink *sink)
{
    e->sink = sink != NULL ? *sink : (struct emu_sink){ 0 };
}

void
emu_engine_set_recorder(struct emu_engine *e, const struct emu_recorder *recorder)
{
    e->recorder = recorder != NULL ? *recorder : (struct emu_recorder){ 0 };
}

void
emu_engine_set_time(struct emu_engine *e, int64_t now_us)
{
    if (now_us > e->now_us)
        e->now_us = now_us;
}

int64_t
emu_engine_time(const struct emu_engine *e)
{
    return e->now_us;
}

/* ---- accounts ---- */

int
emu_account_open(struct emu_engine *e, const char *name)
{
    int found = emu_account_find(e, name);
    if (found >= 0)
        return found;
    if (e->account_count == EMU_ACCOUNTS_MAX)
        return -1;
    uint32_t index = e->account_count++;
    struct emu_account *a = &e->account[index];
    (void)snprintf(a->name, sizeof(a->name), "%s", name);
    a->maker_rate = e->default_maker_rate;
    a->taker_rate = e->default_taker_rate;
    a->updated_us = e->now_us;
    if (e->recorder.account != NULL)
        e->recorder.account(e->recorder.ctx, e, index);
    if (e->recorder.commit != NULL)
        e->recorder.commit(e->recorder.ctx);
    return (int)index;
}

void
emu_account_set_rates(struct emu_engine *e, uint32_t account, int64_t maker_rate, int64_t taker_rate)
{
    ASSERT(account != EMU_HOUSE && account < e->account_count);
    ASSERT(maker_rate >= 0 && maker_rate < EMU_ONE && taker_rate >= 0 && taker_rate < EMU_ONE);
    e->account[account].maker_rate = maker_rate;
    e->account[account].taker_rate = taker_rate;
    if (e->recorder.account != NULL)
        e->recorder.account(e->recorder.ctx, e, account);
    if (e->recorder.commit != NULL)
        e->recorder.commit(e->recorder.ctx);
}

bool
emu_account_deposit(struct emu_engine *e, uint32_t account, int asset, int64_t amount)
{
    ASSERT(account != EMU_HOUSE && account < e->account_count);
    ASSERT(asset >= 0 && asset < e->asset_count);
    struct emu_balance *b = &e->account[account].balance[asset];
    int64_t sum;

    if (__builtin_add_overflow(b->free, amount, &sum) || sum < 0 || sum > BALANCE_MAX)
        return false;
    b->free = sum;
    e->deposited[asset] += amount;
    e->account[account].updated_us = e->now_us;
    if (e->recorder.deposit != NULL)
        e->recorder.deposit(e->recorder.ctx, e, account, asset, amount);
    if (e->recorder.commit != NULL)
        e->recorder.commit(e->recorder.ctx);
    if (e->sink.account != NULL) {
        struct emu_account_change c = {
            .account = account, .asset_count = 1, .assets = { asset }, .time_us = e->now_us
        };
        e->sink.account(e->sink.ctx, &c);
    }
    return true;
}

/* ---- ids ---- */

int64_t
id_next(struct emu_engine *e, struct symbol_state *s, int64_t *id, int64_t *block)
{
    (*id)++;
    if (unlikely(*id > *block)) {
        *block = *id + ID_BLOCK;
        if (e->recorder.ids != NULL)
            e->recorder.ids(e->recorder.ctx, e, s->index, s->order_id_block, s->trade_id_block, s->update_id_block,
                            s->execution_id_block);
    }
    return *id;
}

static uint64_t
mix64(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* 22 characters, like the ids Binance makes. */
void
client_id_make(char out[EMU_CLIENT_ID_MAX], int symbol, int64_t number)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    uint64_t x = mix64((uint64_t)number * EMU_SYMBOLS_MAX + (uint64_t)symbol);

    for (int i = 0; i < 22; i++) {
        if (i == 11)
            x = mix64(x ^ (uint64_t)number);
        out[i] = digits[(x >> (i % 11 * 5)) % 62];
    }
    out[22] = '\0';
}

/* ---- orders: memory and indexes ---- */

static void
house_chunk_add(struct emu_engine *e)
{
    struct emu_order *c = calloc(HOUSE_CHUNK, sizeof(*c));
    struct emu_order **chunk = realloc((void *)e->chunk, (size_t)(e->chunk_count + 1) * sizeof(struct emu_order *));

    ASSERT(c != NULL && chunk != NULL);
    e->chunk = chunk;
    e->chunk[e->chunk_count++] = c;
    for (int i = 0; i < HOUSE_CHUNK; i++) {
        c[i].next = e->house_free;
        e->house_free = &c[i];
    }
}

struct emu_order *
order_take(struct emu_engine *e, uint32_t account)
{
    if (account == EMU_HOUSE) {
        if (e->house_free == NULL)
            house_chunk_add(e);
        struct emu_order *o = e->house_free;
        e->house_free = o->next;
        *o = (struct emu_order){ 0 };
        return o;
    }
    if (e->user_order_count == e->user_orders_max)
        return NULL;
    struct emu_order *o = calloc(1, sizeof(*o));
    if (o != NULL)
        e->user_order_count++;
    return o;
}

static struct emu_order **
house_bucket(struct symbol_state *s, int64_t order_id)
{
    return &s->house_bucket[(uint64_t)order_id % HOUSE_BUCKETS];
}

void
order_release_house(struct emu_engine *e, struct emu_order *o)
{
    struct emu_order **p = house_bucket(&e->symbol[o->symbol], o->id);

    while (*p != o)
        p = &(*p)->client_next;
    *p = o->client_next;
    o->next = e->house_free;
    e->house_free = o;
}

void
order_index(struct emu_engine *e, struct symbol_state *s, struct emu_order *o)
{
    if (order_is_house(o)) {
        struct emu_order **b = house_bucket(s, o->id);
        o->client_next = *b;
        *b = o;
        return;
    }
    struct user_symbol *u = &s->user[o->account];
    u->orders = grow((void *)u->orders, u->order_count, &u->order_capacity, sizeof(struct emu_order *));
    ASSERT(u->order_count == 0 || u->orders[u->order_count - 1]->id < o->id);
    u->orders[u->order_count++] = o;
    o->open_prev = u->open_tail;
    if (u->open_tail != NULL)
        u->open_tail->open_next = o;
    else
        u->open_head = o;
    u->open_tail = o;
    u->open_count++;
    u->algo_open += emu_type_is_algo(o->type) && !o->is_working;
    u->iceberg_open += o->iceberg_qty != 0;
    client_index_add(e, o);
}

void
order_unlist_open(struct emu_engine *e, struct symbol_state *s, struct emu_order *o)
{
    (void)e;
    if (order_is_house(o))
        return;
    struct user_symbol *u = &s->user[o->account];
    if (o->open_prev != NULL)
        o->open_prev->open_next = o->open_next;
    else
        u->open_head = o->open_next;
    if (o->open_next != NULL)
        o->open_next->open_prev = o->open_prev;
    else
        u->open_tail = o->open_prev;
    o->open_prev = o->open_next = NULL;
    u->open_count--;
    u->algo_open -= emu_type_is_algo(o->type) && !o->is_working;
    u->iceberg_open -= o->iceberg_qty != 0;
}

static struct emu_order **
client_bucket(const struct emu_engine *e, uint32_t account, int symbol, const char *client_id)
{
    uint64_t h = mix64(account * UINT64_C(131) + (uint64_t)symbol);

    for (const char *c = client_id; *c != '\0'; c++)
        h = (h ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
    return &e->client_bucket[(uint32_t)mix64(h) & e->client_mask];
}

void
client_index_add(struct emu_engine *e, struct emu_order *o)
{
    struct emu_order **b = client_bucket(e, o->account, o->symbol, o->client_id);
    o->client_next = *b;
    *b = o;
}

void
client_index_remove(struct emu_engine *e, struct emu_order *o)
{
    struct emu_order **p = client_bucket(e, o->account, o->symbol, o->client_id);

    while (*p != o)
        p = &(*p)->client_next;
    *p = o->client_next;
    o->client_next = NULL;
}

static struct emu_order *
client_find_from(struct emu_order *o, uint32_t account, int symbol, const char *client_id, bool open_only)
{
    for (; o != NULL; o = o->client_next) {
        if (o->account == account && o->symbol == symbol && (o->is_open || !open_only) &&
            strcmp(o->client_id, client_id) == 0)
            return o;
    }
    return NULL;
}

struct emu_order *
client_find_open(const struct emu_engine *e, uint32_t account, int symbol, const char *client_id)
{
    return client_find_from(*client_bucket(e, account, symbol, client_id), account, symbol, client_id, true);
}

struct emu_order *
client_find(const struct emu_engine *e, uint32_t account, int symbol, const char *client_id)
{
    return client_find_from(*client_bucket(e, account, symbol, client_id), account, symbol, client_id, false);
}

struct emu_order *
order_by_id(const struct symbol_state *s, uint32_t account, int64_t order_id)
{
    if (account == EMU_HOUSE) {
        struct emu_order *o = s->house_bucket[(uint64_t)order_id % HOUSE_BUCKETS];
        while (o != NULL && o->id != order_id)
            o = o->client_next;
        return o;
    }
    const struct user_symbol *u = &s->user[account];
    int low = 0;
    int high = u->order_count;
    while (low < high) {
        int mid = low + (high - low) / 2;
        if (u->orders[mid]->id < order_id)
            low = mid + 1;
        else
            high = mid;
    }
    return low < u->order_count && u->orders[low]->id == order_id ? u->orders[low] : NULL;
}

struct emu_trade *
trade_add(struct emu_engine *e, struct symbol_state *s, struct emu_order *o, const struct emu_trade *fields)
{
    (void)e;
    struct user_symbol *u = &s->user[o->account];
    struct emu_trade *t = malloc(sizeof(*t));

    ASSERT(t != NULL);
    *t = *fields;
    t->next_of_order = NULL;
    u->trades = grow((void *)u->trades, u->trade_count, &u->trade_capacity, sizeof(struct emu_trade *));
    u->trades[u->trade_count++] = t;
    if (o->trades_tail != NULL)
        o->trades_tail->next_of_order = t;
    else
        o->trades = t;
    o->trades_tail = t;
    return t;
}

/* ---- books ---- */

/* Whether a stands behind b on this side: further from the touch. */
static bool
px_behind(enum emu_side side, int64_t a, int64_t b)
{
    return side == EMU_BUY ? a < b : a > b;
}

/* Index of the level at px, or where it would have to be inserted. */
static int
level_search(const struct book_side *b, enum emu_side side, int64_t px)
{
    int low = 0;
    int high = b->count;

    while (low < high) {
        int mid = low + (high - low) / 2;
        if (px_behind(side, b->level[mid].px, px))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static struct level *
level_find(struct symbol_state *s, const struct emu_order *o)
{
    struct book_side *b = &s->side[o->side];
    int i = level_search(b, o->side, o->px);

    ASSERT(i < b->count && b->level[i].px == o->px);
    return &b->level[i];
}

static void
level_announce(struct emu_engine *e, struct symbol_state *s, enum emu_side side, int64_t px, int64_t qty)
{
    struct emu_level_change c = { .symbol = (uint16_t)s->index,
                                  .side = side,
                                  .px = px,
                                  .qty = qty,
                                  .update_id = id_next(e, s, &s->update_id, &s->update_id_block),
                                  .time_us = e->now_us };
    if (e->sink.level != NULL)
        e->sink.level(e->sink.ctx, &c);
}

struct level *
book_best(struct symbol_state *s, enum emu_side side)
{
    struct book_side *b = &s->side[side];
    return b->count > 0 ? &b->level[b->count - 1] : NULL;
}

static void
queue_append(struct level *l, struct emu_order *o)
{
    o->prev = l->tail;
    o->next = NULL;
    if (l->tail != NULL)
        l->tail->next = o;
    else
        l->head = o;
    l->tail = o;
}

static void
queue_unlink(struct level *l, struct emu_order *o)
{
    if (o->prev != NULL)
        o->prev->next = o->next;
    else
        l->head = o->next;
    if (o->next != NULL)
        o->next->prev = o->prev;
    else
        l->tail = o->prev;
    o->prev = o->next = NULL;
}

static int64_t
visible_slice(const struct emu_order *o)
{
    int64_t leaves = order_leaves(o);
    return o->iceberg_qty != 0 && o->iceberg_qty < leaves ? o->iceberg_qty : leaves;
}

void
book_rest(struct emu_engine *e, struct symbol_state *s, struct emu_order *o)
{
    struct book_side *b = &s->side[o->side];
    int i = level_search(b, o->side, o->px);

    if (i == b->count || b->level[i].px != o->px) {
        b->level = grow(b->level, b->count, &b->capacity, sizeof(*b->level));
        memmove(&b->level[i + 1], &b->level[i], (size_t)(b->count - i) * sizeof(*b->level));
        b->level[i] = (struct level){ .px = o->px };
        b->count++;
    }
    o->visible_qty = visible_slice(o);
    queue_append(&b->level[i], o);
    b->level[i].visible_qty += o->visible_qty;
    level_announce(e, s, o->side, o->px, b->level[i].visible_qty);
}

void
book_remove(struct emu_engine *e, struct symbol_state *s, struct emu_order *o)
{
    struct book_side *b = &s->side[o->side];
    struct level *l = level_find(s, o);

    queue_unlink(l, o);
    l->visible_qty -= o->visible_qty;
    o->visible_qty = 0;
    int64_t left = l->visible_qty;
    if (l->head == NULL) {
        int i = (int)(l - b->level);
        ASSERT(left == 0);
        memmove(l, l + 1, (size_t)(b->count - i - 1) * sizeof(*l));
        b->count--;
    }
    level_announce(e, s, o->side, o->px, left);
}

void
book_reduce(struct emu_engine *e, struct symbol_state *s, struct emu_order *o, int64_t qty)
{
    struct level *l = level_find(s, o);
    int64_t slice = o->visible_qty > qty ? o->visible_qty - qty : 0;

    if (slice == 0) { /* a new slice of an iceberg loses its place */
        slice = visible_slice(o);
        queue_unlink(l, o);
        queue_append(l, o);
    }
    slice = MIN(slice, order_leaves(o));
    l->visible_qty += slice - o->visible_qty;
    o->visible_qty = slice;
    level_announce(e, s, o->side, o->px, l->visible_qty);
}

void
stop_wait(struct symbol_state *s, struct emu_order *o)
{
    o->prev = s->stop_tail;
    o->next = NULL;
    if (s->stop_tail != NULL)
        s->stop_tail->next = o;
    else
        s->stop_head = o;
    s->stop_tail = o;
}

void
stop_unwait(struct symbol_state *s, struct emu_order *o)
{
    if (o->prev != NULL)
        o->prev->next = o->next;
    else
        s->stop_head = o->next;
    if (o->next != NULL)
        o->next->prev = o->prev;
    else
        s->stop_tail = o->prev;
    o->prev = o->next = NULL;
}

/* ---- balances ---- */

int64_t
with_fee(const struct emu_engine *e, uint32_t account, int64_t quote)
{
    const struct emu_account *a = &e->account[account];

    if (!e->fee_in_quote || account == EMU_HOUSE)
        return quote;
    wide_t v = quote + (wide_t)quote * MAX(a->maker_rate, a->taker_rate) / EMU_ONE;
    return v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

int64_t
order_lock_wanted(const struct emu_engine *e, const struct emu_order *o)
{
    int64_t leaves = order_leaves(o);
    bool priced = emu_type_has_price(o->type);

    if (!o->is_open || order_is_house(o) || (!priced && (o->is_working || o->type == EMU_MARKET)))
        return 0;
    if (o->side == EMU_SELL)
        return leaves;
    return with_fee(e, o->account, emu_quote_amount(priced ? o->px : o->stop_px, leaves));
}

void
order_relock(struct emu_engine *e, const struct symbol_state *s, struct emu_order *o)
{
    if (order_is_house(o))
        return;
    struct emu_balance *b = &e->account[o->account].balance[o->side == EMU_BUY ? s->quote : s->base];
    int64_t wanted = order_lock_wanted(e, o);

    b->free += o->locked - wanted;
    b->locked += wanted - o->locked;
    o->locked = wanted;
    ASSERT(b->free >= 0 && b->locked >= 0);
}

int64_t
order_commission(const struct emu_engine *e, const struct emu_order *o, int64_t qty, int64_t quote, bool is_maker)
{
    const struct emu_account *a = &e->account[o->account];

    if (order_is_house(o))
        return 0;
    return (int64_t)((wide_t)(o->side == EMU_BUY && !e->fee_in_quote ? qty : quote) *
                     (is_maker ? a->maker_rate : a->taker_rate) / EMU_ONE);
}

void
order_settle(struct emu_engine *e, const struct symbol_state *s, struct emu_order *o, int64_t qty, int64_t quote,
             int64_t commission)
{
    bool buy = o->side == EMU_BUY;
    int paid = buy ? s->quote : s->base;
    int received = buy ? s->base : s->quote;
    int64_t paid_amount = buy ? quote : qty;
    int64_t received_amount = buy ? qty : quote;

    if (order_is_house(o)) {
        e->house[paid] -= paid_amount;
        e->house[received] += received_amount;
        return;
    }
    struct emu_account *a = &e->account[o->account];
    int64_t wanted = order_lock_wanted(e, o);
    a->balance[paid].locked -= o->locked - wanted;
    a->balance[paid].free += o->locked - wanted - paid_amount;
    o->locked = wanted;
    a->balance[received].free += received_amount;
    a->balance[e->fee_in_quote ? s->quote : received].free -= commission;
    e->fees[e->fee_in_quote ? s->quote : received] += commission;
    a->updated_us = e->now_us;
    ASSERT(a->balance[paid].free >= 0 && a->balance[paid].locked >= 0);
}

void
avg_add(struct symbol_state *s, int64_t now_us, int64_t px, int64_t qty)
{
    int64_t minute = now_us / MINUTE_US;
    struct avg_bucket *b = &s->avg[(uint64_t)minute % AVG_MINUTES];

    if (b->minute != minute)
        *b = (struct avg_bucket){ .minute = minute };
    b->px_qty += (wide_t)px * qty;
    b->qty += qty;
}
