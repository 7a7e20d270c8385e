/* Journal replay: records to the order table, the deltas that they mean, and where the journal stands. See journal.h.
 */
#include "engine/oms/journal.h"
#include "engine/oms/journal_snapshot.h"

/* A sweep that took long wrote its cursor so much later than it had asked, at most. */
#define CURSOR_UNSAID_NS (3600 * NS_PER_S)

struct replay {
    struct order_table *t;
    const struct journal_replay_ops *ops;
    struct journal_replayed *out;
    const struct journal_segment *segments;
    struct fault *fault;
    size_t snapshot_offset; /* of the last record of it */
    uint64_t snapshot_left; /* records of the snapshot that the journal begins with */
};

static const char *
segment_name(const struct journal_segment *s)
{
    return s->name != NULL ? s->name : "journal";
}

static bool
refuse(const struct replay *p, const struct journal_record *rec, const char *why)
{
    return FAULT(p->fault, "%s: record %llu at offset %zu: %s", segment_name(&p->segments[rec->segment]),
                 (unsigned long long)rec->seq, rec->offset, why);
}

static void
yield_delta(const struct replay *p, const struct order_delta *d)
{
    if (p->ops != NULL && p->ops->delta != NULL && d->client != CLIENT_NONE)
        p->ops->delta(p->ops->ctx, d);
}

static bool
replay_name(const struct replay *p, const struct journal_record *rec, uint32_t max, uint32_t *next)
{
    const struct journal_name *n = rec->payload;
    if (n->id >= max || memchr(n->name, '\0', sizeof(n->name)) == NULL)
        return refuse(p, rec, "a definition's id is out of range or its name too long");
    *next = MAX(*next, n->id + 1);
    return true;
}

static bool
replay_intent(const struct replay *p, const struct journal_record *rec)
{
    const struct order_intent *in = rec->payload;
    struct order_delta d;
    const char *wrong = order_intent_fault(p->t, in);

    if (wrong != NULL)
        return refuse(p, rec, wrong);
    (void)order_table_intent(p->t, in, &d);
    yield_delta(p, &d);
    return true;
}

static bool
replay_event(const struct replay *p, const struct journal_record *rec)
{
    const struct order_event *ev = rec->payload;
    struct order_delta d;
    uint32_t slot = order_find(p->t, ev->clordid);

    if (slot == ORDER_NONE) {
        p->out->orphans++;
        return true;
    }
    (void)order_table_event(p->t, slot, ev, &d);
    yield_delta(p, &d);
    return true;
}

static bool
replay_trade(const struct replay *p, const struct journal_record *rec)
{
    const struct account_trade *tr = rec->payload;
    const char *why = account_trade_fault(tr);
    struct order_delta d;

    if (why != NULL)
        return refuse(p, rec, why);
    if (order_table_trade(p->t, tr, &d))
        yield_delta(p, &d);
    return true;
}

static bool
replay_cursor(const struct replay *p, const struct journal_record *rec)
{
    const struct journal_cursor *c = rec->payload;

    if (c->instrument >= INSTRUMENT_MAX || c->trade_id < 0 || c->trade_id == INT64_MAX)
        return refuse(p, rec, "a trade cursor's instrument or id is out of range");
    order_trade_cursor_set(p->t, c->instrument, c->trade_id,
                           c->venue_ns != 0 ? c->venue_ns : MAX(rec->wall_ns - CURSOR_UNSAID_NS, 0));
    return true;
}

static void
replay_control(const struct replay *p, const struct journal_record *rec)
{
    const struct journal_control *c = rec->payload;
    struct journal_replayed *out = p->out;

    out->clean_stop = c->kind == CONTROL_STOP;
    switch ((enum journal_control_kind)c->kind) {
    case CONTROL_START:
        if (c->value > out->last_term && c->value <= UINT32_MAX)
            out->last_term = (uint32_t)c->value;
        break;
    case CONTROL_KILL: out->killed = true; break;
    case CONTROL_RELEASE:
        out->killed = false;
        out->released_ns = rec->wall_ns;
        break;
    case CONTROL_QUIET:
        if (c->id < VENUE_MAX)
            out->quiet_until_ns[c->id] = c->value;
        break;
    case CONTROL_LIMITS: out->limits_version = (uint32_t)c->value; break;
    default: break;
    }
}

static bool
replay_record(const struct replay *p, const struct journal_record *rec)
{
    if ((rec->type & JOURNAL_ADVISORY) != 0)
        return true;
    if (!journal_payload_ok(rec))
        return refuse(p, rec, "its version or length is not of this build");
    switch (rec->type) {
    case JOURNAL_DEF_ACCOUNT: return replay_name(p, rec, ACCOUNT_MAX, &p->out->account_next);
    case JOURNAL_DEF_VENUE: return replay_name(p, rec, VENUE_MAX, &p->out->venue_next);
    case JOURNAL_DEF_CURRENCY: return replay_name(p, rec, CURRENCY_MAX, &p->out->currency_next);
    case JOURNAL_DEF_INSTRUMENT: {
        const struct instrument *ins = rec->payload;
        if (ins->id >= INSTRUMENT_MAX || ins->px_decimals > DECIMALS_MAX || ins->qty_decimals > DECIMALS_MAX)
            return refuse(p, rec, "an instrument's id or decimals are out of range");
        p->out->instrument_next = MAX(p->out->instrument_next, ins->id + 1);
        order_table_define(p->t, ins);
        return true;
    }
    case JOURNAL_INTENT: return replay_intent(p, rec);
    case JOURNAL_REQUEST:
    case JOURNAL_VENUE_REPORT: return replay_event(p, rec);
    case JOURNAL_TRADE: return replay_trade(p, rec);
    case JOURNAL_CURSOR: return replay_cursor(p, rec);
    case JOURNAL_BALANCE: {
        const struct journal_balance *b = rec->payload;
        return b->venue < VENUE_MAX && b->ccy < CURRENCY_MAX
                   ? true
                   : refuse(p, rec, "a balance's venue or currency is out of range");
    }
    case JOURNAL_CONTROL: replay_control(p, rec); return true;
    case JOURNAL_LIMIT_SET:
    case JOURNAL_MARKS:
    case JOURNAL_DAY: return true; /* the caller's */
    case JOURNAL_POSITION: {
        const struct journal_position *pos = rec->payload;
        return pos->account < ACCOUNT_MAX && pos->instrument < INSTRUMENT_MAX
                   ? true
                   : refuse(p, rec, "a position's account or instrument is out of range");
    }
    default: return refuse(p, rec, "its type is not known to this build");
    }
}

/* One record and who wants to see it. */
static bool
take_record(const struct replay *p, const struct journal_record *rec)
{
    if (unlikely(p->snapshot_left != 0 && rec->offset != p->snapshot_offset))
        return refuse(p, rec, "it stands inside a snapshot");
    if (rec->type != JOURNAL_CONTROL && (rec->type & JOURNAL_ADVISORY) == 0)
        p->out->clean_stop = false;
    if (!replay_record(p, rec))
        return false;
    if (p->ops != NULL && p->ops->record != NULL)
        p->ops->record(p->ops->ctx, rec);
    return true;
}

static void
snapshot_delta(void *ctx, const struct order_delta *d)
{
    yield_delta((const struct replay *)ctx, d);
}

/* A part of the snapshot: a record of old, or what the table holds. */
static bool
take_snapshot(struct replay *p, const struct journal_record *rec)
{
    struct journal_record inner;
    const char *wrong = NULL;

    if (p->snapshot_left == 0)
        return refuse(p, rec, "a snapshot's record stands where none is expected");
    p->snapshot_left--;
    p->snapshot_offset = rec->offset;
    if (journal_snapshot_record(rec, &inner))
        return (inner.type != JOURNAL_SNAPSHOT && take_record(p, &inner)) ||
               refuse(p, rec, "a snapshot's record cannot be taken");
    wrong = journal_snapshot_restore(rec, p->t, snapshot_delta, p);
    if (wrong == NULL && journal_snapshot_end(rec) != (p->snapshot_left == 0))
        wrong = "the snapshot is not whole";
    if (wrong != NULL)
        return refuse(p, rec, wrong);
    if (p->ops != NULL && p->ops->record != NULL)
        p->ops->record(p->ops->ctx, rec);
    return true;
}

/* Headers: the term, where writing goes on, that the journal is ours, and whole from its beginning or a snapshot on. */
static bool
replay_headers(struct replay *p, const struct journal_reader *r, const struct journal_identity *expected)
{
    struct journal_segment_header h;

    for (uint32_t i = r->segment; i < r->count; i++) {
        if (!journal_header_check(&r->segments[i], &h, p->fault))
            return false;
        if (expected != NULL && !journal_identity_check(&h, expected, segment_name(&r->segments[i]), p->fault))
            return false;
        p->out->last_term = MAX(p->out->last_term, h.term);
        p->out->orders_max = MAX(p->out->orders_max, h.orders_max);
        p->out->next_segment_index = h.index + 1;
        if (i != r->segment)
            continue;
        p->snapshot_left = h.snapshot_records;
        if (expected != NULL && h.snapshot_records == 0 && h.first_seq != 1)
            return FAULT(p->fault, "%s: begins with sequence %llu and no snapshot: the segments before it are missing",
                         segment_name(&r->segments[i]), (unsigned long long)h.first_seq);
    }
    return true;
}

bool
journal_replay(const struct journal_segment *segments, uint32_t count, const struct journal_identity *expected,
               struct order_table *t, const struct journal_replay_ops *ops, struct journal_replayed *out,
               struct fault *fault)
{
    struct journal_reader r;
    struct journal_record rec;
    struct replay p = { .t = t, .ops = ops, .out = out, .segments = segments, .fault = fault };
    enum journal_read how;

    memset(out, 0, sizeof(*out));
    if (!journal_reader_init(&r, segments, count, fault) || !replay_headers(&p, &r, expected))
        return false;
    while ((how = journal_reader_next(&r, &rec, fault)) == JOURNAL_READ_OK) {
        if (rec.type == JOURNAL_SNAPSHOT ? !take_snapshot(&p, &rec) : !take_record(&p, &rec))
            return false;
        out->records++;
    }
    if (how == JOURNAL_READ_CORRUPT)
        return false;
    if (p.snapshot_left != 0)
        return FAULT(fault, "%s: the snapshot that the journal begins with is cut: %llu records of it are missing",
                     segment_name(&segments[r.segment]), (unsigned long long)p.snapshot_left);
    out->torn = how == JOURNAL_READ_TORN;
    out->last_seq = r.seq;
    out->tail_segment = r.segment;
    out->tail_offset = r.count > 0 ? r.offset : 0;
    out->live = order_totals(t)->live;
    out->unknown = order_totals(t)->unknown;
    return true;
}
