#include "engine/oms/journal_snapshot.h"
#include "engine/oms/balances.h"
#include "execgw/admission.h"

#define KEPT_MAX   65536u      /* records kept as they were */
#define HEAP_BYTES (24u << 20) /* their payloads */
#define FILLS_MAX  16384u      /* sums; a power of two */
#define BODY_MAX   (JOURNAL_PAYLOAD_MAX - sizeof(struct snapshot_head))

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* The head, when the elements have the bytes that it says. */
static const struct snapshot_head *
head_of(const struct journal_record *rec, size_t before)
{
    const struct snapshot_head *h = rec->payload;

    if (rec->type != JOURNAL_SNAPSHOT || rec->payload_bytes < sizeof(*h) + before)
        return NULL;
    size_t body = rec->payload_bytes - sizeof(*h) - before;
    return (size_t)h->count * h->bytes <= body && body - (size_t)h->count * h->bytes < 8 ? h : NULL;
}

bool
journal_snapshot_record(const struct journal_record *rec, struct journal_record *inner)
{
    const struct snapshot_head *h = rec->payload;
    struct snapshot_record r;

    if (rec->type != JOURNAL_SNAPSHOT || rec->payload_bytes < sizeof(*h) + sizeof(r) || h->part != SNAPSHOT_RECORD)
        return false;
    memcpy(&r, (const uint8_t *)rec->payload + sizeof(*h), sizeof(r));
    if (r.payload_bytes % 8 != 0 || r.payload_bytes > rec->payload_bytes - sizeof(*h) - sizeof(r))
        return false;
    *inner = (struct journal_record){
        .type = r.type,
        .version = r.version,
        .segment = rec->segment,
        .seq = r.seq,
        .wall_ns = r.wall_ns,
        .mono_ns = r.mono_ns,
        .payload = (const uint8_t *)rec->payload + sizeof(*h) + sizeof(r),
        .payload_bytes = r.payload_bytes,
        .offset = rec->offset,
    };
    return true;
}

bool
journal_snapshot_end(const struct journal_record *rec)
{
    const struct snapshot_head *h = head_of(rec, 0);
    return h != NULL && h->part == SNAPSHOT_END;
}

const char *
journal_snapshot_part_text(const struct journal_record *rec)
{
    const struct snapshot_head *h = rec->payload;

    if (rec->payload_bytes < sizeof(*h))
        return "?";
    switch (h->part) {
#define X(name, number, text) \
    case name: return text;
        SNAPSHOT_PARTS(X)
#undef X
    default: return "?";
    }
}

static const char *
fills_restore(const struct snapshot_fills *f, void (*delta)(void *ctx, const struct order_delta *d), void *ctx)
{
    if (f->account >= ACCOUNT_MAX || f->instrument >= INSTRUMENT_MAX || f->client >= CLIENT_MAX ||
        f->fee_ccy > UINT16_MAX || f->buy < 0 || f->sell < 0)
        return "summed fills are out of range";
    struct order_delta d = { .account = f->account,
                             .instrument = f->instrument,
                             .client = f->client,
                             .side = SIDE_BUY,
                             .fill_qty = f->buy,
                             .fill_px = f->buy_px,
                             .fee = f->fee,
                             .fee_ccy = (uint16_t)f->fee_ccy };
    if (f->buy > 0)
        delta(ctx, &d);
    if (f->sell == 0)
        return NULL;
    d.side = SIDE_SELL;
    d.fill_qty = f->sell;
    d.fill_px = f->sell_px;
    d.fee = f->buy > 0 ? 0 : f->fee;
    delta(ctx, &d);
    return NULL;
}

/* What an order that is over has used of its parent: known as if it had been alive. */
static void
parent_restore(struct order_delta d, void (*delta)(void *ctx, const struct order_delta *d), void *ctx)
{
    d.open_change = 1;
    delta(ctx, &d);
    d.open_change = -1;
    d.parent_used = 0;
    delta(ctx, &d);
}

static const char *
orders_restore(const struct snapshot_head *h, struct order_table *t,
               void (*delta)(void *ctx, const struct order_delta *d), void *ctx)
{
    const uint8_t *at = (const uint8_t *)(h + 1);

    for (uint32_t i = 0; i < h->count; i++, at += h->bytes) {
        struct order_image img = { .replaces = ORDER_NONE, .replaced_by = ORDER_NONE };
        struct order_delta d;
        memcpy(&img, at, h->bytes);
        const char *wrong = order_image_restore(t, &img, &d);
        if (wrong != NULL)
            return wrong;
        if (d.open_change == 0 && d.parent_used > 0)
            parent_restore(d, delta, ctx);
        else if (d.open_change != 0)
            delta(ctx, &d);
    }
    return NULL;
}

static const char *
keys_restore(const struct journal_record *rec, struct order_table *t)
{
    const struct snapshot_head *h = rec->payload;
    const struct snapshot_keys *k = (const struct snapshot_keys *)(const void *)(h + 1);

    return order_keys_restore(t, k->client, k->last_key, (const struct key_entry *)(const void *)(k + 1), h->count);
}

static void
totals_restore(struct order_table *t, const struct snapshot_totals *from)
{
    struct order_totals totals = {
        .intents = from->intents, .denied = from->denied, .trades = from->trades, .overfills = from->overfills
    };

    for (unsigned i = 0; i < ORDER_OUTCOME_COUNT; i++)
        totals.outcome[i] = from->outcome[i];
    order_totals_restore(t, &totals);
    order_image_expect(t, from->live, from->done);
}

const char *
journal_snapshot_restore(const struct journal_record *rec, struct order_table *t,
                         void (*delta)(void *ctx, const struct order_delta *d), void *ctx)
{
    const struct snapshot_head *keys = head_of(rec, sizeof(struct snapshot_keys));
    const struct snapshot_head *h = keys != NULL && keys->part == SNAPSHOT_KEYS ? keys : head_of(rec, 0);
    static const uint16_t bytes_of[] = {
        [SNAPSHOT_FILLS] = sizeof(struct snapshot_fills),   [SNAPSHOT_KEYS] = sizeof(struct key_entry),
        [SNAPSHOT_ORDERS] = sizeof(struct order_image),     [SNAPSHOT_TRADES] = sizeof(struct trade_image),
        [SNAPSHOT_TOTALS] = sizeof(struct snapshot_totals), [SNAPSHOT_END] = 0
    };

    bool first = h != NULL && h->part == SNAPSHOT_ORDERS && h->bytes == ORDER_IMAGE_FIRST_BYTES;
    if (h == NULL || h->part >= ARRAY_LEN(bytes_of) || (h->bytes != bytes_of[h->part] && !first))
        return "a snapshot's part is not of this build";
    const uint8_t *body = (const uint8_t *)(h + 1);
    const char *wrong = NULL;
    switch ((enum snapshot_part)h->part) {
    case SNAPSHOT_RECORD: return "a snapshot's record is cut";
    case SNAPSHOT_FILLS:
        for (uint32_t i = 0; i < h->count && wrong == NULL; i++)
            wrong = fills_restore((const struct snapshot_fills *)(const void *)(body + i * h->bytes), delta, ctx);
        return wrong;
    case SNAPSHOT_KEYS: return keys_restore(rec, t);
    case SNAPSHOT_ORDERS: return orders_restore(h, t, delta, ctx);
    case SNAPSHOT_TRADES:
        for (uint32_t i = 0; i < h->count; i++)
            order_trade_restore(t, (const struct trade_image *)(const void *)(body + i * h->bytes));
        return NULL;
    case SNAPSHOT_TOTALS:
        if (h->count == 1)
            totals_restore(t, (const struct snapshot_totals *)(const void *)body);
        return NULL;
    case SNAPSHOT_END: return order_image_finish(t);
    }
    return "a snapshot's part is not known to this build";
}

/* ---- gathering --------------------------------------------------------------------------------------------------- */

struct kept {
    struct snapshot_record record;
    size_t at; /* of its payload in the heap */
    bool gone; /* a later one took its place */
};

/* Fills of one element, summed up. */
struct traded {
    qty_t buy;
    qty_t sell;
    wide_t buy_value; /* sum of px * qty */
    wide_t sell_value;
    value_t fee;
};

/* What was traded before the day was last told, and since: the day stands between them. */
struct sum {
    struct snapshot_fills f; /* names; amounts while writing */
    struct traded before;
    struct traded since;
    uint32_t days; /* told when `since` was added to */
    bool used;
};

#define DAY_GROUPS   (1u + VENUE_MAX + ACCOUNT_MAX + CLIENT_MAX)
#define RISK_WINDOWS 2u /* kinds of them: rejects, loss */

/* Where the day was last said to stand. What strategies did since then is added to their counts. */
struct day_state {
    struct journal_day_group group[DAY_GROUPS];
    bool told[DAY_GROUPS];
    struct journal_mark mark[INSTRUMENT_MAX]; /* version 0 = none */
    int64_t rate[CURRENCY_MAX];
    char reporting[CURRENCY_BYTES];
    uint32_t days; /* records of it */
    struct snapshot_record last;
    struct journal_window window[RISK_WINDOWS][DAY_GROUPS]; /* since_ns 0 = none, or over */
    struct snapshot_record window_last;                     /* seq 0 = none */
};

struct journal_snapshot {
    struct order_table *table;
    struct order_counts counts;
    struct journal_replayed replayed;
    struct journal_segment_header header; /* of the last segment */
    const char *fault;
    struct kept *kept;
    uint32_t kept_count;
    uint8_t *heap;
    size_t heap_used;
    struct sum *sum;
    uint32_t sums;
    uint32_t *number_of;
    struct balances *balances;
    struct day_state day;
    size_t defined[INSTRUMENT_MAX]; /* where its definition stands in the heap, + 1 */
    /* While writing; base NULL: counting only. */
    struct journal journal;
    struct now now;
    size_t bytes;
    uint64_t records;
};

size_t
journal_snapshot_footprint(const struct order_counts *c)
{
    return arena_cost(sizeof(struct journal_snapshot)) + order_table_footprint(c) +
           arena_cost(sizeof(struct kept) * KEPT_MAX) + arena_cost(HEAP_BYTES) +
           arena_cost(sizeof(struct sum) * FILLS_MAX) + balances_footprint() +
           arena_cost(sizeof(uint32_t) * ((size_t)c->live_max + c->done_kept));
}

struct journal_snapshot *
journal_snapshot_init(const struct order_counts *c, const char *instance, struct arena *arena)
{
    struct journal_snapshot *s = (struct journal_snapshot *)arena_take(arena, sizeof(*s));

    s->counts = *c;
    s->table = order_table_init(c, instance, arena);
    s->kept = (struct kept *)arena_take(arena, sizeof(struct kept) * KEPT_MAX);
    s->heap = (uint8_t *)arena_take(arena, HEAP_BYTES);
    s->sum = (struct sum *)arena_take(arena, sizeof(struct sum) * FILLS_MAX);
    s->balances = balances_init(arena);
    s->number_of = (uint32_t *)arena_take(arena, sizeof(uint32_t) * order_image_slots(s->table));
    return s;
}

/* Two records of one subject: the later one says all. Definitions are kept each. */
static bool
same_subject(uint16_t type, const void *a, const void *b)
{
    switch (type) {
    case JOURNAL_CONTROL: {
        const struct journal_control *x = a;
        const struct journal_control *y = b;
        return x->kind == y->kind && x->level == y->level && x->id == y->id && x->client == y->client &&
               (x->kind != CONTROL_TRIP || x->value == y->value); /* one may latch by several reasons */
    }
    case JOURNAL_POSITION: {
        const struct journal_position *x = a;
        const struct journal_position *y = b;
        return x->account == y->account && x->instrument == y->instrument;
    }
    case JOURNAL_CURSOR: return memcmp(a, b, sizeof(uint32_t)) == 0; /* instrument */
    case JOURNAL_LIMIT_SET: {
        const struct journal_limit_set *x = a;
        const struct journal_limit_set *y = b;
        size_t key = strcspn(y->text, " ");
        return y->text[0] == '\0' || (x->text[key] == ' ' && memcmp(x->text, y->text, key) == 0);
    }
    default: return false;
    }
}

static bool
kept_type(uint16_t type)
{
    switch (type) {
    case JOURNAL_DEF_ACCOUNT:
    case JOURNAL_DEF_VENUE:
    case JOURNAL_DEF_CURRENCY:
    case JOURNAL_DEF_INSTRUMENT:
    case JOURNAL_CONTROL:
    case JOURNAL_POSITION:
    case JOURNAL_LIMIT_SET:
    case JOURNAL_CURSOR: return true;
    default: return false; /* balances are written as what is expected of them at the end */
    }
}

/* Trades count from a position that was set: what was summed before is in it. */
static void
sums_clear(struct journal_snapshot *s, const struct journal_position *p)
{
    for (uint32_t i = 0; i < FILLS_MAX; i++) {
        struct sum *m = &s->sum[i];
        if (!m->used || m->f.account != p->account || m->f.instrument != p->instrument)
            continue;
        m->before = m->since = (struct traded){ .buy = 0 };
    }
}

/* ---- gathering: prices in other decimals ------------------------------------------------------------------------- */

/* A new version of an instrument: what was summed up and marked is said in its decimals, because on replay every
 * definition comes first. */
static void
redefine(struct journal_snapshot *s, const struct instrument *was, const struct instrument *now)
{
    struct journal_mark *mark = &s->day.mark[now->id];
    wide_t px = wide_rescale(mark->px, was->px_decimals, now->px_decimals, 0);

    if (mark->version != 0)
        *mark = px > 0 && px <= INT64_MAX ? (struct journal_mark){ now->id, now->version, (px_t)px, mark->rate }
                                          : (struct journal_mark){ .id = now->id };
    for (uint32_t i = 0; i < FILLS_MAX && was->px_decimals != now->px_decimals; i++) {
        struct sum *m = &s->sum[i];
        if (!m->used || m->f.instrument != now->id)
            continue;
        m->before.buy_value = wide_rescale(m->before.buy_value, was->px_decimals, now->px_decimals, 0);
        m->before.sell_value = wide_rescale(m->before.sell_value, was->px_decimals, now->px_decimals, 0);
        m->since.buy_value = wide_rescale(m->since.buy_value, was->px_decimals, now->px_decimals, 0);
        m->since.sell_value = wide_rescale(m->since.sell_value, was->px_decimals, now->px_decimals, 0);
    }
}

/* ---- gathering: the day ------------------------------------------------------------------------------------------ */

/* Place of a group; DAY_GROUPS = none. */
static uint32_t
day_place(uint8_t level, uint32_t id)
{
    switch (level) {
    case LEVEL_GLOBAL: return id < 1 ? 0 : DAY_GROUPS;
    case LEVEL_VENUE: return id < VENUE_MAX ? 1 + id : DAY_GROUPS;
    case LEVEL_ACCOUNT: return id < ACCOUNT_MAX ? 1 + VENUE_MAX + id : DAY_GROUPS;
    case LEVEL_CLIENT: return id < CLIENT_MAX ? 1 + VENUE_MAX + ACCOUNT_MAX + id : DAY_GROUPS;
    default: return DAY_GROUPS;
    }
}

static struct journal_day_group *
day_client(struct journal_snapshot *s, uint32_t client)
{
    uint32_t at = day_place(LEVEL_CLIENT, client);
    return at < DAY_GROUPS && s->day.told[at] ? &s->day.group[at] : NULL;
}

static void
day_count(struct journal_snapshot *s, uint32_t client, bool execution)
{
    struct journal_day_group *g = day_client(s, client);

    if (g == NULL)
        return;
    g->messages++;
    g->executions += execution;
}

/* Another currency of reports: marks and rates of the old one say nothing in it. */
static void
day_reporting(struct day_state *d, const char *reporting)
{
    if (memcmp(d->reporting, reporting, CURRENCY_BYTES) == 0)
        return;
    memset(d->mark, 0, sizeof(d->mark));
    memset(d->rate, 0, sizeof(d->rate));
    memset(d->window[1], 0, sizeof(d->window[1]));
    memcpy(d->reporting, reporting, CURRENCY_BYTES);
}

static void
day_marks(struct day_state *d, const struct journal_marks *m)
{
    day_reporting(d, m->reporting);
    for (uint32_t i = 0; i < m->count; i++) {
        const struct journal_mark *x = &m->mark[i];
        if (x->version == 0 && x->id < CURRENCY_MAX)
            d->rate[x->id] = x->rate;
        else if (x->id < INSTRUMENT_MAX)
            d->mark[x->id] = *x;
    }
}

static void
day_groups(struct journal_snapshot *s, const struct journal_day *day)
{
    day_reporting(&s->day, day->reporting);
    for (uint32_t i = 0; i < day->count; i++) {
        uint32_t at = day_place(day->group[i].level, day->group[i].id);
        if (at == DAY_GROUPS)
            continue;
        s->day.group[at] = day->group[i];
        s->day.told[at] = true;
    }
}

static void
day_windows(struct day_state *d, const struct journal_windows *all)
{
    day_reporting(d, all->reporting);
    for (uint32_t i = 0; i < all->count; i++) {
        const struct journal_window *w = &all->window[i];
        uint32_t at = day_place(w->level, w->id);
        if (w->kind < RISK_WINDOWS && at < DAY_GROUPS)
            d->window[w->kind][at] = *w;
    }
}

static struct snapshot_record
told_at(const struct journal_record *rec)
{
    return (struct snapshot_record){
        .type = rec->type, .version = rec->version, .seq = rec->seq, .wall_ns = rec->wall_ns, .mono_ns = rec->mono_ns
    };
}

static void
day_record(struct journal_snapshot *s, const struct journal_record *rec)
{
    switch (rec->type) {
    case JOURNAL_MARKS: day_marks(&s->day, rec->payload); break;
    case JOURNAL_DAY:
        day_groups(s, rec->payload);
        s->day.days++;
        s->day.last = told_at(rec);
        break;
    case JOURNAL_WINDOWS:
        if (!journal_payload_ok(rec))
            break;
        day_windows(&s->day, rec->payload);
        s->day.window_last = told_at(rec);
        break;
    case JOURNAL_INTENT: {
        const struct order_intent *in = rec->payload;
        if (in->deny == DENY_NONE)
            day_count(s, in->command.client, true);
        break;
    }
    case JOURNAL_REQUEST: {
        const struct order_event *ev = rec->payload;
        if (ev->kind == ORDER_EV_CANCEL_SENT && ev->request_key != 0 && ev->request_client != CLIENT_OPERATOR)
            day_count(s, ev->request_client, false);
        break;
    }
    case JOURNAL_CONTROL: {
        const struct journal_control *c = rec->payload;
        struct journal_day_group *g = c->level == LEVEL_CLIENT ? day_client(s, c->id) : NULL;
        if (c->kind == CONTROL_STATE && c->value == TRADING_ACTIVE && g != NULL)
            g->executions = 0; /* a human's word */
        break;
    }
    default: break;
    }
}

static void
keep_record(void *ctx, const struct journal_record *rec)
{
    struct journal_snapshot *s = (struct journal_snapshot *)ctx;

    day_record(s, rec);
    if (rec->type == JOURNAL_POSITION)
        sums_clear(s, (const struct journal_position *)rec->payload);
    if (rec->type == JOURNAL_BALANCE) {
        const struct journal_balance *b = (const struct journal_balance *)rec->payload;
        balances_set(s->balances, b->venue, b->ccy, b->amount);
    }
    if (!kept_type(rec->type))
        return;
    for (uint32_t i = s->kept_count; i-- > 0;) {
        struct kept *k = &s->kept[i];
        if (k->gone || k->record.type != rec->type || !same_subject(rec->type, s->heap + k->at, rec->payload))
            continue;
        k->gone = true;
        if (rec->type != JOURNAL_LIMIT_SET)
            break;
    }
    if (s->kept_count == KEPT_MAX || rec->payload_bytes > HEAP_BYTES - s->heap_used ||
        rec->payload_bytes > BODY_MAX - sizeof(struct snapshot_record)) {
        s->fault = "more definitions and controls than a snapshot holds";
        return;
    }
    s->kept[s->kept_count++] = (struct kept){ .record = { .type = rec->type,
                                                          .version = rec->version,
                                                          .payload_bytes = (uint32_t)rec->payload_bytes,
                                                          .seq = rec->seq,
                                                          .wall_ns = rec->wall_ns,
                                                          .mono_ns = rec->mono_ns },
                                              .at = s->heap_used };
    memcpy(s->heap + s->heap_used, rec->payload, rec->payload_bytes);
    if (rec->type == JOURNAL_DEF_INSTRUMENT && rec->payload_bytes == sizeof(struct instrument)) {
        const struct instrument *ins = rec->payload;
        size_t was = s->defined[ins->id];
        s->defined[ins->id] = s->heap_used + 1;
        if (was != 0)
            redefine(s, (const struct instrument *)(const void *)(s->heap + was - 1), ins);
    }
    s->heap_used += rec->payload_bytes;
}

static struct sum *
sum_of(struct journal_snapshot *s, const struct order_delta *d)
{
    uint64_t key = (uint64_t)d->instrument << 40 ^ (uint64_t)d->client << 24 ^ (uint64_t)d->fee_ccy << 8 ^ d->account;
    uint64_t at = key * UINT64_C(0x9e3779b97f4a7c15) >> 40;

    for (uint32_t i = 0; i < FILLS_MAX; i++) {
        struct sum *m = &s->sum[(at + i) % FILLS_MAX];
        if (!m->used && s->sums < FILLS_MAX / 2) {
            *m = (struct sum){
                .used = true,
                .f = { .account = d->account, .instrument = d->instrument, .client = d->client, .fee_ccy = d->fee_ccy }
            };
            s->sums++;
            return m;
        }
        if (!m->used)
            break;
        if (m->f.account == d->account && m->f.instrument == d->instrument && m->f.client == d->client &&
            m->f.fee_ccy == d->fee_ccy)
            return m;
    }
    s->fault = "more accounts, instruments and clients with trades than a snapshot holds";
    return NULL;
}

static bool
traded_add(struct traded *sum, const struct traded *more)
{
    sum->buy_value += more->buy_value;
    sum->sell_value += more->sell_value;
    return !__builtin_add_overflow(sum->buy, more->buy, &sum->buy) &&
           !__builtin_add_overflow(sum->sell, more->sell, &sum->sell) &&
           !__builtin_add_overflow(sum->fee, more->fee, &sum->fee);
}

static void
sum_add(struct journal_snapshot *s, const struct order_delta *d)
{
    struct sum *m = sum_of(s, d);
    if (m == NULL)
        return;
    if (m->days != s->day.days && !traded_add(&m->before, &m->since))
        s->fault = "traded quantities or fees add up to more than a number holds";
    if (m->days != s->day.days)
        m->since = (struct traded){ .buy = 0 };
    m->days = s->day.days;
    struct traded one = { .fee = d->fee };
    *(d->side == SIDE_BUY ? &one.buy : &one.sell) = d->fill_qty;
    *(d->side == SIDE_BUY ? &one.buy_value : &one.sell_value) = (wide_t)d->fill_px * d->fill_qty;
    if (!traded_add(&m->since, &one))
        s->fault = "traded quantities or fees add up to more than a number holds";
}

static void
sum_delta(void *ctx, const struct order_delta *d)
{
    struct journal_snapshot *s = (struct journal_snapshot *)ctx;
    struct order_delta moved = *d;

    if (d->moved_qty != 0) { /* nobody's before: taken off there */
        moved.fill_qty = d->moved_qty;
        moved.fee = 0;
        sum_add(s, &moved);
        moved.client = CLIENT_ADOPTED;
        moved.side = d->side == SIDE_BUY ? SIDE_SELL : SIDE_BUY;
        sum_add(s, &moved);
    }
    if (d->fill_qty == 0)
        return;
    if (s->defined[d->instrument] != 0)
        balances_apply(s->balances, (const struct instrument *)(const void *)(s->heap + s->defined[d->instrument] - 1),
                       d);
    sum_add(s, d);
}

bool
journal_snapshot_gather(struct journal_snapshot *s, const struct journal_segment *segments, uint32_t count,
                        struct fault *fault)
{
    const struct journal_replay_ops ops = { .ctx = s, .delta = sum_delta, .record = keep_record };

    ASSERT(count > 0);
    if (!journal_replay(segments, count, NULL, s->table, &ops, &s->replayed, fault) ||
        !journal_header_check(&segments[count - 1], &s->header, fault))
        return false;
    for (uint32_t i = 0; i < FILLS_MAX; i++) {
        struct traded t = s->sum[i].before;
        if (!traded_add(&t, &s->sum[i].since))
            s->fault = "traded quantities or fees add up to more than a number holds";
    }
    return s->fault == NULL || FAULT(fault, "journal: %s", s->fault);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* One SNAPSHOT record of a head, `before` and the elements; counted when there is no region yet. */
static void
put(struct journal_snapshot *s, enum snapshot_part part, const void *before, size_t before_bytes, const void *element,
    size_t element_bytes, uint32_t count)
{
    _Alignas(8) uint8_t payload[JOURNAL_PAYLOAD_MAX];
    struct snapshot_head h = { .part = (uint16_t)part, .bytes = (uint16_t)element_bytes, .count = count };
    size_t bytes = sizeof(h) + before_bytes + element_bytes * count;

    ASSERT(bytes <= sizeof(payload) && bytes % 8 == 0);
    s->records++;
    s->bytes += sizeof(struct journal_record_header) + bytes;
    if (s->journal.base == NULL)
        return;
    memcpy(payload, &h, sizeof(h));
    if (before_bytes > 0)
        memcpy(payload + sizeof(h), before, before_bytes);
    if (count > 0 && element_bytes > 0)
        memcpy(payload + sizeof(h) + before_bytes, element, element_bytes * count);
    ASSERT(journal_append(&s->journal, JOURNAL_SNAPSHOT, payload, bytes, s->now) != 0);
}

static void
put_kept(struct journal_snapshot *s)
{
    for (uint32_t i = 0; i < s->kept_count; i++) {
        const struct kept *k = &s->kept[i];
        if (!k->gone)
            put(s, SNAPSHOT_RECORD, &k->record, sizeof(k->record), s->heap + k->at, k->record.payload_bytes, 1);
    }
}

static px_t
average(wide_t value, qty_t qty)
{
    wide_t half = qty / 2;
    return qty == 0 ? 0 : (px_t)((value + (value < 0 ? -half : half)) / qty);
}

static void
put_traded(struct journal_snapshot *s, const struct sum *m, const struct traded *t)
{
    struct snapshot_fills f = m->f;

    if (t->buy == 0 && t->sell == 0)
        return;
    f.buy = t->buy;
    f.sell = t->sell;
    f.fee = t->fee;
    f.buy_px = average(t->buy_value, t->buy);
    f.sell_px = average(t->sell_value, t->sell);
    put(s, SNAPSHOT_FILLS, NULL, 0, &f, sizeof(f), 1);
}

/* Of before the day was last told, or since. */
static void
put_fills(struct journal_snapshot *s, bool since)
{
    for (uint32_t i = 0; i < FILLS_MAX; i++) {
        const struct sum *m = &s->sum[i];
        if (!m->used)
            continue;
        if (m->days == s->day.days) {
            put_traded(s, m, since ? &m->since : &m->before);
        } else if (!since) { /* all of it is older */
            struct traded t = m->before;
            (void)traded_add(&t, &m->since); /* it fits: gathering has tried */
            put_traded(s, m, &t);
        }
    }
}

static void
put_day_record(struct journal_snapshot *s, enum journal_type type, const void *payload, size_t bytes)
{
    struct snapshot_record r = type == JOURNAL_WINDOWS ? s->day.window_last : s->day.last;

    r.type = (uint16_t)type;
    r.payload_bytes = (uint32_t)bytes;
    put(s, SNAPSHOT_RECORD, &r, sizeof(r), payload, bytes, 1);
}

static void
put_marks(struct journal_snapshot *s)
{
    struct {
        struct journal_marks head;
        struct journal_mark mark[JOURNAL_MARKS_MAX];
    } m = { .head = { .bytes = sizeof(struct journal_mark) } };

    memcpy(m.head.reporting, s->day.reporting, CURRENCY_BYTES);
    for (uint32_t i = 0; i < CURRENCY_MAX + INSTRUMENT_MAX; i++) {
        bool rate = i < CURRENCY_MAX;
        const struct journal_mark x =
            rate ? (struct journal_mark){ .id = i, .rate = s->day.rate[i] } : s->day.mark[i - CURRENCY_MAX];
        if (rate ? x.rate == 0 : x.version == 0)
            continue;
        m.mark[m.head.count++] = x;
        if (m.head.count < JOURNAL_MARKS_MAX)
            continue;
        put_day_record(s, JOURNAL_MARKS, &m, sizeof(m));
        m.head.count = 0;
    }
    if (m.head.count > 0)
        put_day_record(s, JOURNAL_MARKS, &m, sizeof(m.head) + m.head.count * sizeof(m.mark[0]));
}

static void
put_day(struct journal_snapshot *s)
{
    struct {
        struct journal_day head;
        struct journal_day_group group[JOURNAL_DAY_MAX];
    } d = { .head = { .bytes = sizeof(struct journal_day_group) } };

    if (s->day.days == 0)
        return;
    put_marks(s);
    memcpy(d.head.reporting, s->day.reporting, CURRENCY_BYTES);
    for (uint32_t i = 0; i < DAY_GROUPS; i++) {
        if (!s->day.told[i])
            continue;
        d.group[d.head.count++] = s->day.group[i];
        if (d.head.count < JOURNAL_DAY_MAX)
            continue;
        put_day_record(s, JOURNAL_DAY, &d, sizeof(d));
        d.head.count = 0;
    }
    if (d.head.count > 0)
        put_day_record(s, JOURNAL_DAY, &d, sizeof(d.head) + d.head.count * sizeof(d.group[0]));
}

static void
put_windows(struct journal_snapshot *s)
{
    struct {
        struct journal_windows head;
        struct journal_window window[JOURNAL_WINDOWS_MAX];
    } all = { .head = { .bytes = sizeof(struct journal_window) } };

    memcpy(all.head.reporting, s->day.reporting, CURRENCY_BYTES);
    for (uint32_t i = 0; i < RISK_WINDOWS * DAY_GROUPS; i++) {
        const struct journal_window *w = &s->day.window[i / DAY_GROUPS][i % DAY_GROUPS];
        if (w->since_ns == 0)
            continue;
        all.window[all.head.count++] = *w;
        if (all.head.count < JOURNAL_WINDOWS_MAX)
            continue;
        put_day_record(s, JOURNAL_WINDOWS, &all, sizeof(all));
        all.head.count = 0;
    }
    if (all.head.count > 0)
        put_day_record(s, JOURNAL_WINDOWS, &all, sizeof(all.head) + all.head.count * sizeof(all.window[0]));
}

/* What trades lead to expect of each balance; behind the fills, which are in it. */
static void
put_balances(struct journal_snapshot *s)
{
    for (uint32_t v = 0; v < VENUE_MAX; v++)
        for (uint32_t ccy = 1; ccy < CURRENCY_MAX; ccy++) {
            struct journal_balance b = { .venue = v, .ccy = ccy };
            struct snapshot_record r = { .type = JOURNAL_BALANCE,
                                         .version = MESSAGE_VERSION,
                                         .payload_bytes = sizeof(b),
                                         .seq = s->replayed.last_seq,
                                         .wall_ns = s->now.wall.ns,
                                         .mono_ns = s->now.mono.ns };
            if (balances_expected(s->balances, v, ccy, &b.amount))
                put(s, SNAPSHOT_RECORD, &r, sizeof(r), &b, sizeof(b), 1);
        }
}

static void
put_keys(struct journal_snapshot *s)
{
    const struct key_ledger *l = order_keys(s->table);
    const uint32_t most = (BODY_MAX - sizeof(struct snapshot_keys)) / sizeof(struct key_entry);
    struct key_entry entry[BODY_MAX / sizeof(struct key_entry)];

    for (uint32_t client = 0; client < CLIENT_MAX; client++) {
        const struct key_ring *r = &l->client[client];
        struct snapshot_keys k = { .client = client, .last_key = r->last_key };
        if (r->last_key == 0)
            continue;
        uint64_t at = r->count > l->kept ? r->count - l->kept : 0;
        while (at < r->count) {
            uint32_t n = 0;
            for (; n < most && at < r->count; n++, at++)
                entry[n] = r->entry[at % l->kept];
            put(s, SNAPSHOT_KEYS, &k, sizeof(k), entry, sizeof(entry[0]), n);
        }
        put(s, SNAPSHOT_KEYS, &k, sizeof(k), entry, sizeof(entry[0]), 0);
    }
}

static void
put_orders(struct journal_snapshot *s)
{
    struct order_image_walk w;
    struct order_image img[BODY_MAX / sizeof(struct order_image)];
    uint32_t n = 0;

    order_image_begin(s->table, &w, s->number_of);
    while (order_image_next(s->table, &w, &img[n])) {
        if (++n < ARRAY_LEN(img))
            continue;
        put(s, SNAPSHOT_ORDERS, NULL, 0, img, sizeof(img[0]), n);
        n = 0;
    }
    if (n > 0)
        put(s, SNAPSHOT_ORDERS, NULL, 0, img, sizeof(img[0]), n);
}

static void
put_trades(struct journal_snapshot *s)
{
    struct trade_image trade[BODY_MAX / sizeof(struct trade_image)];
    uint32_t count = order_trade_count(s->table);

    for (uint32_t at = 0; at < count;) {
        uint32_t n = 0;
        for (; n < ARRAY_LEN(trade) && at < count; n++, at++)
            trade[n] = order_trade_image(s->table, at);
        put(s, SNAPSHOT_TRADES, NULL, 0, trade, sizeof(trade[0]), n);
    }
}

static void
put_totals(struct journal_snapshot *s)
{
    const struct order_totals *t = order_totals(s->table);
    struct snapshot_totals out = { .live = t->live,
                                   .done = t->done,
                                   .intents = t->intents,
                                   .denied = t->denied,
                                   .trades = t->trades,
                                   .overfills = t->overfills };

    _Static_assert(ORDER_OUTCOME_COUNT <= SNAPSHOT_TOTALS_MAX, "one place per outcome");
    for (unsigned i = 0; i < ORDER_OUTCOME_COUNT; i++)
        out.outcome[i] = t->outcome[i];
    put(s, SNAPSHOT_TOTALS, NULL, 0, &out, sizeof(out), 1);
}

/* Positions before the fills that count from them, counts and keys before the orders; the day behind what it was told
 * after, orders too, because its counts are theirs. */
static void
put_all(struct journal_snapshot *s)
{
    s->records = 0;
    s->bytes = sizeof(struct journal_segment_header);
    put_kept(s);
    put_fills(s, false);
    put_totals(s);
    put_keys(s);
    put_orders(s);
    put_day(s);
    put_windows(s);
    put_fills(s, true);
    put_balances(s);
    put_trades(s);
    put(s, SNAPSHOT_END, NULL, 0, NULL, 0, 0);
}

size_t
journal_snapshot_bytes(struct journal_snapshot *s)
{
    s->journal.base = NULL;
    put_all(s);
    return MAX((s->bytes + 4095) & ~(size_t)4095, JOURNAL_SEGMENT_MIN);
}

bool
journal_snapshot_gains(const struct journal_snapshot *s)
{
    return s->records <= s->replayed.last_seq;
}

uint64_t
journal_snapshot_records(const struct journal_snapshot *s)
{
    return s->records;
}

void
journal_snapshot_write(struct journal_snapshot *s, uint8_t *base, size_t bytes, const char *build, struct now now)
{
    const struct journal_segment_header *h = &s->header;
    uint64_t last = s->replayed.last_seq;

    ASSERT(bytes >= journal_snapshot_bytes(s) && journal_snapshot_gains(s));
    uint64_t records = s->records;
    journal_init(&s->journal, &h->identity, build, h->config_hash, s->replayed.last_term, last - records, h->index);
    journal_set_orders_max(&s->journal, h->orders_max);
    s->journal.header.snapshot_records = records;
    s->now = now;
    ASSERT(journal_region(&s->journal, base, bytes, now));
    put_all(s);
    ASSERT(s->records == records && s->journal.seq == last);
}
