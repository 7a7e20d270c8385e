/* execgw-cli journal --export: one row per order, or with --events one per record, as CSV or JSON lines.
 *
 * Replays the journal with a table of its own, so that states, quantities and averages are what the gateway holds; each
 * order's row is kept until the end and printed in the order of the intents. Times are seconds since the Unix epoch:
 * stamps of the steady clock are placed by the clocks of the record that holds them.
 *
 * Always true: reads only; a number that was never told is an empty field (null in JSON); decimals are text. */
#include "engine/cli/cli_journal.h"
#include "engine/oms/journal_snapshot.h"
#include "engine/oms/journal_text.h"

#include <errno.h>

#define ROWS_FIRST 4096u

struct row {
    char clordid[CLORDID_BYTES];
    struct order_intent in; /* all zero when only a snapshot knows the order */
    uint64_t seq;           /* of the intent; of the snapshot's record */
    int64_t epoch_ns;       /* wall clock minus steady clock when it was written; 0 = not known */
    int64_t intent_wall_ns;
    int64_t sent_ns; /* steady clock, as all below but venue times */
    int64_t ack_ns;
    int64_t venue_ack_ns;
    int64_t fill_first_ns;
    int64_t fill_last_ns;
    int64_t venue_fill_ns;
    int64_t end_ns;
    struct order last; /* as of the last record about it */
    wide_t fee;
    uint16_t fee_ccy;
    bool order; /* else a denial */
};

struct export
{
    const struct cli *c;
    bool csv;
    bool events;
    bool heads; /* names instead of values */
    bool first; /* field of its line */
    struct journal_text *text;
    struct order_table *table;
    struct row *row;
    size_t rows;
    size_t room;
    size_t *by_id; /* hash of ClOrdIDs: row + 1 */
    size_t by_id_mask;
    uint64_t lines;
    bool full; /* no memory */
};

/* ---- fields ------------------------------------------------------------------------------------------------------ */

static void
name_put(struct export *x, const char *name)
{
    if (!x->first)
        (void)putchar(',');
    x->first = false;
    if (x->heads)
        (void)fputs(name, stdout);
    else if (!x->csv)
        printf("\"%s\":", name);
}

/* Text of unknown origin. */
static void
text_put(struct export *x, const char *name, const char *s, size_t n)
{
    size_t len = strnlen(s, n);

    name_put(x, name);
    if (x->heads || (x->csv && len == 0))
        return;
    if (len == 0) {
        (void)fputs("null", stdout);
        return;
    }
    bool quoted = !x->csv || memchr(s, ',', len) != NULL || memchr(s, '"', len) != NULL;
    if (quoted)
        (void)putchar('"');
    for (size_t i = 0; i < len; i++) {
        char ch = s[i] >= 0x20 && s[i] < 0x7f ? s[i] : '?';
        if (ch == '"')
            (void)putchar(x->csv ? '"' : '\\');
        else if (ch == '\\' && !x->csv)
            (void)putchar('\\');
        (void)putchar(ch);
    }
    if (quoted)
        (void)putchar('"');
}

static void
word_put(struct export *x, const char *name, const char *word)
{
    text_put(x, name, word, strlen(word));
}

/* set false: there is none. */
static void
decimal_put(struct export *x, const char *name, bool set, int64_t v, unsigned decimals)
{
    char buf[DECIMAL_TEXT];

    name_put(x, name);
    if (x->heads)
        return;
    if (!set) {
        (void)fputs(x->csv ? "" : "null", stdout);
        return;
    }
    (void)decimal_format(buf, v, decimals);
    printf(x->csv ? "%s" : "\"%s\"", buf);
}

static void
number_put(struct export *x, const char *name, bool set, uint64_t v)
{
    name_put(x, name);
    if (x->heads)
        return;
    if (set)
        printf("%llu", (unsigned long long)v);
    else
        (void)fputs(x->csv ? "" : "null", stdout);
}

/* A steady-clock stamp of a row as wall time. */
static void
stamp_put(struct export *x, const struct row *r, const char *name, int64_t mono_ns)
{
    decimal_put(x, name, mono_ns != 0 && r->epoch_ns != 0, mono_ns + r->epoch_ns, 9);
}

static void
named_put(struct export *x, const char *name, const char (*table)[24], uint32_t max, uint32_t id)
{
    if (!x->heads && id < max && table[id][0] != '\0')
        text_put(x, name, table[id], 24);
    else
        number_put(x, name, true, id);
}

static const struct instrument *
instrument_put(struct export *x, uint32_t id)
{
    const struct instrument *ins =
        id < INSTRUMENT_MAX && x->text->instrument[id].version != 0 ? &x->text->instrument[id] : NULL;

    if (ins != NULL)
        text_put(x, "instrument", ins->canonical[0] != '\0' ? ins->canonical : ins->symbol, SYMBOL_BYTES);
    else
        number_put(x, "instrument", true, id);
    return ins;
}

static void
px_put(struct export *x, const char *name, const struct instrument *ins, bool set, px_t v)
{
    decimal_put(x, name, set, v, ins != NULL ? ins->px_decimals : 0);
}

static void
qty_put(struct export *x, const char *name, const struct instrument *ins, bool set, qty_t v)
{
    decimal_put(x, name, set, v, ins != NULL ? ins->qty_decimals : 0);
}

static void
line_begin(struct export *x)
{
    x->first = true;
    if (!x->csv)
        (void)putchar('{');
}

static void
line_end(struct export *x)
{
    (void)fputs(x->csv ? "\n" : "}\n", stdout);
    x->lines += !x->heads;
}

/* ---- rows of orders ---------------------------------------------------------------------------------------------- */

static size_t
id_hash(const char clordid[CLORDID_BYTES])
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (unsigned i = 0; i < CLORDID_BYTES; i++)
        h = (h ^ (uint8_t)clordid[i]) * UINT64_C(1099511628211);
    return (size_t)(h ^ h >> 29);
}

/* Twice the rows, and four times as many places in the hash. */
static bool
rows_grow(struct export *x)
{
    size_t room = x->room == 0 ? ROWS_FIRST : x->room * 2;
    struct row *row = (struct row *)realloc(x->row, room * sizeof(*row));
    size_t *by_id = (size_t *)calloc(room * 4, sizeof(*by_id));

    if (row != NULL)
        x->row = row;
    if (row == NULL || by_id == NULL) {
        free(by_id);
        x->full = true;
        return false;
    }
    free(x->by_id);
    x->by_id = by_id;
    x->by_id_mask = room * 4 - 1;
    x->room = room;
    for (size_t i = 0; i < x->rows; i++) {
        size_t at = id_hash(x->row[i].clordid);
        if (!x->row[i].order)
            continue;
        while (x->by_id[at & x->by_id_mask] != 0)
            at++;
        x->by_id[at & x->by_id_mask] = i + 1;
    }
    return true;
}

static struct row *
row_find(const struct export *x, const char clordid[CLORDID_BYTES])
{
    if (x->rows == 0)
        return NULL;
    for (size_t at = id_hash(clordid);; at++) {
        size_t i = x->by_id[at & x->by_id_mask];
        if (i == 0)
            return NULL;
        if (memcmp(x->row[i - 1].clordid, clordid, CLORDID_BYTES) == 0)
            return &x->row[i - 1];
    }
}

static struct row *
row_add(struct export *x, const char clordid[CLORDID_BYTES])
{
    if (x->rows == x->room && !rows_grow(x))
        return NULL;
    struct row *r = &x->row[x->rows++];
    memset(r, 0, sizeof(*r));
    memcpy(r->clordid, clordid, CLORDID_BYTES);
    if (clordid[0] == '\0')
        return r;
    r->order = true;
    size_t at = id_hash(clordid);
    while (x->by_id[at & x->by_id_mask] != 0)
        at++;
    x->by_id[at & x->by_id_mask] = x->rows;
    return r;
}

/* The order as the table has it after a record about it. */
static void
row_state(const struct export *x, struct row *r, int64_t mono_ns)
{
    uint32_t slot = order_find(x->table, r->clordid);

    if (slot == ORDER_NONE)
        return;
    bool was_live = r->last.state == ORDER_FREE || order_live(&r->last);
    r->last = *order_at(x->table, slot);
    if (was_live && !order_live(&r->last))
        r->end_ns = mono_ns;
}

static void
on_intent(struct export *x, const struct journal_record *rec)
{
    const struct order_intent *in = (const struct order_intent *)rec->payload;
    struct row *r;

    if ((in->flags & ORDER_INTENT_AMEND) != 0 && in->deny == DENY_NONE) { /* the order is there already */
        r = row_find(x, in->target_clordid);
        if (r != NULL)
            row_state(x, r, rec->mono_ns);
        return;
    }
    r = row_add(x, in->deny == DENY_NONE ? in->clordid : (const char[CLORDID_BYTES]){ "" });
    if (r == NULL)
        return;
    r->in = *in;
    r->seq = rec->seq;
    r->epoch_ns = rec->wall_ns - rec->mono_ns;
    r->intent_wall_ns = rec->wall_ns;
    if (in->deny == DENY_NONE)
        row_state(x, r, rec->mono_ns);
}

static void
on_fill(struct row *r, const struct order_event *ev)
{
    if (r->fill_first_ns == 0)
        r->fill_first_ns = ev->mono_ns;
    r->fill_last_ns = ev->mono_ns;
    r->venue_fill_ns = ev->venue_time_ns;
    r->fee += ev->fee;
    r->fee_ccy = (uint16_t)ev->fee_ccy;
}

static void
on_event(struct export *x, const struct journal_record *rec)
{
    const struct order_event *ev = (const struct order_event *)rec->payload;
    struct row *r = row_find(x, ev->clordid);

    if (r == NULL)
        return;
    uint32_t trades = r->last.trade_count;
    row_state(x, r, rec->mono_ns);
    if (ev->kind == ORDER_EV_ACK && r->ack_ns == 0) {
        r->ack_ns = ev->mono_ns;
        r->venue_ack_ns = ev->venue_time_ns;
    } else if (ev->kind == ORDER_EV_FILL && r->last.trade_count != trades) {
        on_fill(r, ev);
    }
}

/* Orders of which only the snapshot knows. Its stamps are of clocks that are gone. */
static void
on_snapshot(struct export *x, const struct journal_record *rec)
{
    const struct snapshot_head *h = (const struct snapshot_head *)rec->payload;
    const uint8_t *at = (const uint8_t *)(h + 1);

    if (h->part != SNAPSHOT_ORDERS)
        return;
    for (uint32_t i = 0; i < h->count; i++, at += h->bytes) {
        struct order_image img;
        memcpy(&img, at, sizeof(img)); /* checked by the replay */
        struct row *r = row_add(x, img.clordid);
        if (r == NULL)
            return;
        r->seq = rec->seq;
        row_state(x, r, 0);
        r->end_ns = 0;
        r->in.command = (struct command){ .client = img.client,
                                          .key = img.key,
                                          .account = img.account,
                                          .instrument = img.instrument,
                                          .side = img.side,
                                          .type = img.type,
                                          .tif = img.tif,
                                          .px = img.px,
                                          .qty = img.qty };
        r->in.venue = img.venue;
    }
}

static void
row_print(struct export *x, const struct row *r)
{
    static const char *const sides[] = { "buy", "sell" };
    static const char *const tifs[] = { "gtc", "ioc", "fok", "gtd" };
    const struct command *c = &r->in.command;
    const struct order *o = &r->last;

    line_begin(x);
    number_put(x, "seq", true, r->seq);
    text_put(x, "clordid", r->clordid, CLORDID_BYTES);
    number_put(x, "client", true, c->client);
    number_put(x, "key", true, r->order ? o->key : c->key);
    named_put(x, "account", x->text->account, ACCOUNT_MAX, c->account);
    named_put(x, "venue", x->text->venue, VENUE_MAX, r->in.venue);
    const struct instrument *ins = instrument_put(x, c->instrument);
    word_put(x, "verb", c->verb == COMMAND_REPLACE ? "replace" : c->verb == COMMAND_CANCEL ? "cancel" : "new");
    word_put(x, "side", c->side < ARRAY_LEN(sides) ? sides[c->side] : "?");
    word_put(x, "type", order_type_text(c->type));
    word_put(x, "tif", c->tif < ARRAY_LEN(tifs) ? tifs[c->tif] : "?");
    px_put(x, "px", ins, true, r->order ? o->px : c->px);
    qty_put(x, "qty", ins, true, r->order ? o->qty : c->qty);
    word_put(x, "state", r->order ? order_state_text((enum order_state)o->state) : "denied");
    word_put(x, "request", r->order ? request_state_text((enum request_state)o->request) : "none");
    word_put(x, "deny", r->in.deny != DENY_NONE ? deny_reason_wire((enum deny_reason)r->in.deny) : "");
    qty_put(x, "cum_qty", ins, r->order, o->cum_qty);
    px_put(x, "avg_px", ins, r->order && o->cum_qty > 0, o->cum_qty > 0 ? (px_t)(o->cum_px_qty / o->cum_qty) : 0);
    number_put(x, "trades", r->order, o->trade_count);
    decimal_put(x, "fee", r->fee_ccy != 0 || r->fee != 0, (int64_t)r->fee, VALUE_DECIMALS);
    named_put(x, "fee_ccy", x->text->currency, CURRENCY_MAX, r->fee_ccy);
    number_put(x, "venue_order_id", o->venue_order_id != 0, o->venue_order_id);
    number_put(x, "limits_version", r->in.limits_version != 0, r->in.limits_version);
    decimal_put(x, "intent_time", r->intent_wall_ns != 0, r->intent_wall_ns, 9);
    stamp_put(x, r, "decision_time", c->decision_mono_ns);
    stamp_put(x, r, "submit_time", c->submit_mono_ns);
    stamp_put(x, r, "recv_time", r->in.recv_mono_ns);
    stamp_put(x, r, "risk_time", r->in.risk_mono_ns);
    stamp_put(x, r, "send_time", r->sent_ns);
    stamp_put(x, r, "ack_time", r->ack_ns);
    decimal_put(x, "venue_ack_time", r->venue_ack_ns != 0, r->venue_ack_ns, 9);
    stamp_put(x, r, "first_fill_time", r->fill_first_ns);
    stamp_put(x, r, "last_fill_time", r->fill_last_ns);
    decimal_put(x, "venue_last_fill_time", r->venue_fill_ns != 0, r->venue_fill_ns, 9);
    stamp_put(x, r, "end_time", r->end_ns);
    text_put(x, "text", o->text, sizeof(o->text));
    line_end(x);
}

/* ---- rows of events ---------------------------------------------------------------------------------------------- */

/* What a record is about, as far as it is about an order. */
struct about {
    const char *clordid;
    const char *what;
    const struct order_intent *in;
    const struct order_event *ev;
    const struct account_trade *trade;
    const struct journal_sent *sent;
};

static struct about
about_of(const struct journal_record *rec)
{
    struct about a = { .clordid = "", .what = "" };

    switch (rec->type) {
    case JOURNAL_INTENT:
        a.in = (const struct order_intent *)rec->payload;
        a.clordid = a.in->clordid;
        a.what = a.in->deny != DENY_NONE                 ? "denied"
                 : (a.in->flags & ORDER_INTENT_AMEND)    ? "amend"
                 : a.in->command.verb == COMMAND_REPLACE ? "replace"
                                                         : "new";
        break;
    case JOURNAL_REQUEST:
    case JOURNAL_VENUE_REPORT:
        a.ev = (const struct order_event *)rec->payload;
        a.clordid = a.ev->clordid;
        a.what = order_event_text((enum order_event_kind)a.ev->kind);
        break;
    case JOURNAL_SENT:
        a.sent = (const struct journal_sent *)rec->payload;
        a.clordid = a.sent->clordid;
        a.what = "sent";
        break;
    case JOURNAL_TRADE:
        a.trade = (const struct account_trade *)rec->payload;
        a.what = "trade";
        break;
    default: break;
    }
    return a;
}

static void
event_print(struct export *x, const struct journal_record *rec)
{
    struct about a = about_of(rec);
    const struct row *r = a.clordid[0] != '\0' ? row_find(x, a.clordid) : NULL;
    const struct command *c = a.in != NULL ? &a.in->command : r != NULL ? &r->in.command : NULL;
    bool fill = a.ev != NULL && a.ev->kind == ORDER_EV_FILL;
    int64_t venue_ns = a.ev != NULL ? a.ev->venue_time_ns : a.trade != NULL ? a.trade->venue_time_ns : 0;

    line_begin(x);
    number_put(x, "seq", true, rec->seq);
    decimal_put(x, "time", true, rec->wall_ns, 9);
    word_put(x, "type", journal_type_text(rec->type));
    word_put(x, "what", a.what);
    text_put(x, "clordid", a.clordid, CLORDID_BYTES);
    number_put(x, "client", c != NULL, c != NULL ? c->client : 0);
    number_put(x, "key", c != NULL, c != NULL ? c->key : 0);
    uint32_t id = c != NULL ? c->instrument : a.trade != NULL ? a.trade->instrument : INSTRUMENT_NONE;
    const struct instrument *ins = NULL;
    if (id == INSTRUMENT_NONE && !x->heads)
        word_put(x, "instrument", "");
    else
        ins = instrument_put(x, id);
    px_put(x, "px", ins, a.in != NULL, a.in != NULL ? a.in->command.px : 0);
    qty_put(x, "qty", ins, a.in != NULL, a.in != NULL ? a.in->command.qty : 0);
    word_put(x, "deny", a.in != NULL && a.in->deny != 0 ? deny_reason_wire((enum deny_reason)a.in->deny) : "");
    px_put(x, "last_px", ins, fill || a.trade != NULL, fill ? a.ev->last_px : a.trade != NULL ? a.trade->px : 0);
    qty_put(x, "last_qty", ins, fill || a.trade != NULL, fill ? a.ev->last_qty : a.trade != NULL ? a.trade->qty : 0);
    number_put(x, "trade_id", fill || a.trade != NULL,
               fill              ? (uint64_t)a.ev->trade_id
               : a.trade != NULL ? (uint64_t)a.trade->trade_id
                                 : 0);
    decimal_put(x, "venue_time", venue_ns != 0, venue_ns, 9);
    text_put(x, "text", a.ev != NULL ? a.ev->text : "", ORDER_EVENT_TEXT);
    line_end(x);
}

/* ---- the journal ------------------------------------------------------------------------------------------------- */

static void
on_record(void *ctx, const struct journal_record *rec)
{
    struct export *x = (struct export *)ctx;

    journal_text_learn(x->text, rec);
    switch (rec->type) {
    case JOURNAL_INTENT: on_intent(x, rec); break;
    case JOURNAL_REQUEST:
    case JOURNAL_VENUE_REPORT: on_event(x, rec); break;
    case JOURNAL_SENT: {
        const struct journal_sent *s = (const struct journal_sent *)rec->payload;
        struct row *r = journal_payload_ok(rec) ? row_find(x, s->clordid) : NULL;
        if (r != NULL)
            r->sent_ns = s->mono_ns;
        break;
    }
    case JOURNAL_SNAPSHOT: on_snapshot(x, rec); break;
    default: break;
    }
    if (x->events && rec->type != JOURNAL_SNAPSHOT && (journal_payload_ok(rec) || (rec->type & JOURNAL_ADVISORY) != 0))
        event_print(x, rec);
}

/* The names of the columns, by printing nothing at all. */
static void
heads_print(struct export *x)
{
    static const struct row none;
    const struct journal_record rec = { .type = JOURNAL_NOTE };

    x->heads = true;
    if (x->events)
        event_print(x, &rec);
    else
        row_print(x, &none);
    x->heads = false;
}

int
cli_journal_export(struct cli *c, const struct journal_segment *segments, uint32_t count)
{
    static const struct order_counts counts = {
        .live_max = 1u << 17, .done_kept = 1u << 17, .trades_kept = 1u << 20, .keys_kept = 1u << 12
    };
    struct export x = { .c = c, .csv = strcmp(c->export, "csv") == 0, .events = c->events };
    struct arena arena = { .size = order_table_footprint(&counts) };
    const struct journal_replay_ops ops = { .ctx = &x, .record = on_record };
    struct journal_segment_header h;
    struct journal_replayed out;
    struct fault fault = { "" };
    int code = EXIT_OK;

    void *memory = aligned_alloc(CACHE_LINE, (arena.size + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1));
    x.text = (struct journal_text *)malloc(sizeof(*x.text));
    ASSERT(memory != NULL && x.text != NULL);
    memset(memory, 0, arena.size);
    arena.base = (uint8_t *)memory;
    journal_text_init(x.text);
    if (!journal_header_check(&segments[count - 1], &h, &fault)) {
        code = cli_fail(c, EXIT_FAILED, "journal: %s", fault.text);
    } else {
        x.table = order_table_init(&counts, h.identity.instance, &arena);
        if (x.csv)
            heads_print(&x);
        if (!journal_replay(segments, count, NULL, x.table, &ops, &out, &fault))
            code = cli_fail(c, EXIT_FAILED, "journal: %s", fault.text);
        for (size_t i = 0; i < x.rows && !x.events; i++)
            row_print(&x, &x.row[i]);
    }
    if (x.full)
        code = cli_fail(c, EXIT_FAILED, "journal: no memory for %zu orders", x.rows);
    free(x.row);
    free(x.by_id);
    free(x.text);
    free(memory);
    return code;
}
