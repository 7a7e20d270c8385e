/* Journal records as text. See journal_text.h. */
#include "engine/oms/journal_text.h"
#include "engine/oms/journal_snapshot.h"

#include <stdarg.h>

void
journal_text_init(struct journal_text *t)
{
    memset(t, 0, sizeof(*t));
}

const char *
journal_type_text(uint16_t type)
{
    switch (type) {
#define X(name, number, text) \
    case name: return text;
        JOURNAL_TYPES(X)
#undef X
    default: return "unknown";
    }
}

static void
learn_name(const struct journal_record *rec, char (*table)[24], uint32_t max)
{
    const struct journal_name *n = rec->payload;
    if (n->id >= max)
        return;
    memcpy(table[n->id], n->name, sizeof(n->name));
    table[n->id][sizeof(n->name) - 1] = '\0';
}

static unsigned
order_place(const char clordid[CLORDID_BYTES])
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (unsigned i = 0; i < CLORDID_BYTES; i++)
        h = (h ^ (uint8_t)clordid[i]) * 16777619u;
    return h % JOURNAL_TEXT_ORDERS;
}

static void
learn_order(struct journal_text *t, const struct order_intent *in)
{
    if (in->deny != DENY_NONE || in->clordid[0] == '\0')
        return;
    struct journal_text_order *o = &t->order[order_place(in->clordid)];
    memcpy(o->clordid, in->clordid, CLORDID_BYTES);
    o->instrument = in->command.instrument;
}

/* The definition of the instrument of an order; NULL when one of both is not known. */
static const struct instrument *
order_instrument(const struct journal_text *t, const char clordid[CLORDID_BYTES])
{
    const struct journal_text_order *o = &t->order[order_place(clordid)];
    if (memcmp(o->clordid, clordid, CLORDID_BYTES) != 0 || o->instrument >= INSTRUMENT_MAX)
        return NULL;
    return t->instrument[o->instrument].version != 0 ? &t->instrument[o->instrument] : NULL;
}

void
journal_text_learn(struct journal_text *t, const struct journal_record *outer)
{
    struct journal_record inner;
    const struct journal_record *rec = journal_snapshot_record(outer, &inner) ? &inner : outer;

    if (!journal_payload_ok(rec))
        return;
    switch (rec->type) {
    case JOURNAL_DEF_ACCOUNT: learn_name(rec, t->account, ACCOUNT_MAX); break;
    case JOURNAL_DEF_VENUE: learn_name(rec, t->venue, VENUE_MAX); break;
    case JOURNAL_DEF_CURRENCY: learn_name(rec, t->currency, CURRENCY_MAX); break;
    case JOURNAL_DEF_INSTRUMENT: {
        const struct instrument *ins = rec->payload;
        if (ins->id < INSTRUMENT_MAX && ins->px_decimals <= DECIMALS_MAX && ins->qty_decimals <= DECIMALS_MAX)
            t->instrument[ins->id] = *ins;
        break;
    }
    case JOURNAL_INTENT: learn_order(t, rec->payload); break;
    default: break;
    }
}

/* ---- one record as a list of fields, written in one of two ways -------------------------------------------------- */

struct writer {
    char *buf;
    size_t room;
    size_t len; /* without the NUL; < room */
    bool json;
    bool first;
};

__attribute__((format(printf, 2, 3))) static void
put(struct writer *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    /* The analyzer does not follow va_start on this architecture. NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized)
     */
    int n = vsnprintf(w->buf + w->len, w->room - w->len, format, args);
    va_end(args);
    if (n > 0)
        w->len = MIN(w->len + (size_t)n, w->room - 1);
}

static void
key(struct writer *w, const char *name)
{
    if (w->json)
        put(w, "%s\"%s\":", w->first ? "" : ",", name);
    else
        put(w, " %s=", name);
    w->first = false;
}

/* Text of unknown origin, at most n bytes up to a NUL. */
static void
field_text(struct writer *w, const char *name, const char *s, size_t n)
{
    size_t len = strnlen(s, n);

    if (len == 0)
        return;
    key(w, name);
    bool quoted = w->json || memchr(s, ' ', len) != NULL;
    if (quoted)
        put(w, "\"");
    for (size_t i = 0; i < len; i++) {
        char c = s[i] >= 0x20 && s[i] < 0x7f ? s[i] : '?';
        put(w, quoted && (c == '"' || c == '\\') ? "\\%c" : "%c", c);
    }
    if (quoted)
        put(w, "\"");
}

static void
field_word(struct writer *w, const char *name, const char *word)
{
    field_text(w, name, word, strlen(word));
}

static void
field_int(struct writer *w, const char *name, int64_t v)
{
    key(w, name);
    put(w, "%lld", (long long)v);
}

static void
field_uint(struct writer *w, const char *name, uint64_t v)
{
    key(w, name);
    put(w, "%llu", (unsigned long long)v);
}

/* Shown only when it says something. */
static void
field_uint_set(struct writer *w, const char *name, uint64_t v)
{
    if (v != 0)
        field_uint(w, name, v);
}

/* A decimal: a string in JSON, so that no reader turns it into a double. */
static void
field_decimal(struct writer *w, const char *name, int64_t v, unsigned decimals)
{
    char text[DECIMAL_TEXT];
    (void)decimal_format(text, v, decimals);
    key(w, name);
    put(w, w->json ? "\"%s\"" : "%s", text);
}

/* Seconds since the epoch with nine decimals. */
static void
field_time(struct writer *w, const char *name, int64_t ns)
{
    if (ns != 0)
        field_decimal(w, name, ns, 9);
}

static void
field_named(struct writer *w, const char *name, const char (*table)[24], uint32_t max, uint32_t id)
{
    if (id < max && table[id][0] != '\0')
        field_text(w, name, table[id], 24);
    else
        field_uint(w, name, id);
}

/* The instrument's name; its definition, or NULL when it has not gone by. */
static const struct instrument *
field_instrument(struct writer *w, const struct journal_text *t, uint32_t id)
{
    const struct instrument *ins = id < INSTRUMENT_MAX && t->instrument[id].version != 0 ? &t->instrument[id] : NULL;
    if (ins != NULL)
        field_text(w, "instrument", ins->canonical[0] != '\0' ? ins->canonical : ins->symbol, SYMBOL_BYTES);
    else
        field_uint(w, "instrument", id);
    return ins;
}

/* A count in known decimals, or as it is under a name that says so. */
static void
field_count(struct writer *w, const char *name, bool known, int64_t v, unsigned decimals)
{
    char raw[40];
    if (known) {
        field_decimal(w, name, v, decimals);
        return;
    }
    (void)snprintf(raw, sizeof(raw), "%s_raw", name);
    field_int(w, raw, v);
}

static void
field_px(struct writer *w, const char *name, const struct instrument *ins, px_t v)
{
    field_count(w, name, ins != NULL, v, ins != NULL ? ins->px_decimals : 0);
}

static void
field_qty(struct writer *w, const char *name, const struct instrument *ins, qty_t v)
{
    field_count(w, name, ins != NULL, v, ins != NULL ? ins->qty_decimals : 0);
}

static const char *
word_of(const char *const *words, unsigned count, unsigned i)
{
    return i < count ? words[i] : "?";
}

static const char *
side_word(uint8_t side)
{
    static const char *const words[] = { "buy", "sell" };
    return word_of(words, ARRAY_LEN(words), side);
}

static const char *
verb_word(uint8_t verb)
{
    static const char *const words[] = {
#define X(name, text) text,
        COMMAND_VERBS(X)
#undef X
    };
    return word_of(words, ARRAY_LEN(words), verb);
}

static void
write_intent(struct writer *w, const struct journal_text *t, const struct order_intent *in)
{
    static const char *const tifs[] = { "gtc", "ioc", "fok", "gtd" };
    const struct command *c = &in->command;

    field_word(w, "verb", verb_word(c->verb));
    if ((in->flags & ORDER_INTENT_AMEND) != 0)
        field_word(w, "amend", "yes");
    if ((in->flags & ORDER_INTENT_AFTER_CANCEL) != 0)
        field_word(w, "after_cancel", "yes");
    field_word(w, "verdict", deny_reason_wire((enum deny_reason)in->deny));
    field_text(w, "clordid", in->clordid, CLORDID_BYTES);
    field_text(w, "target_clordid", in->target_clordid, CLORDID_BYTES);
    field_uint(w, "client", c->client);
    field_uint(w, "key", c->key);
    field_uint_set(w, "target_key", c->target_key);
    field_uint_set(w, "client_seq", c->client_seq);
    field_named(w, "account", t->account, ACCOUNT_MAX, c->account);
    if (c->verb == COMMAND_NEW || c->verb == COMMAND_REPLACE) {
        const struct instrument *ins = field_instrument(w, t, c->instrument);
        field_word(w, "side", side_word(c->side));
        field_word(w, "order_type", order_type_text(c->type));
        field_word(w, "tif", word_of(tifs, ARRAY_LEN(tifs), c->tif));
        if ((c->flags & COMMAND_REDUCE_ONLY) != 0)
            field_word(w, "reduce_only", "yes");
        if ((c->flags & COMMAND_POST_ONLY) != 0)
            field_word(w, "post_only", "yes");
        if ((c->flags & COMMAND_ADOPTED) != 0)
            field_word(w, "adopted", "yes");
        field_px(w, "px", ins, c->px);
        field_qty(w, "qty", ins, in->qty);
    }
    field_uint(w, "limits_version", in->limits_version);
    if (in->deny != DENY_NONE) {
        field_int(w, "value", in->value);
        field_int(w, "limit", in->limit);
    }
    field_time(w, "venue_deadline", in->venue_deadline_ns);
}

static void
write_event(struct writer *w, const struct journal_text *t, const struct order_event *ev)
{
    const struct instrument *ins = order_instrument(t, ev->clordid);

    field_word(w, "event", order_event_text((enum order_event_kind)ev->kind));
    field_text(w, "clordid", ev->clordid, CLORDID_BYTES);
    if (ev->kind == ORDER_EV_STATUS) {
        field_word(w, "state", order_state_text((enum order_state)ev->state));
        field_word(w, "proven", (ev->flags & ORDER_EVENT_PROVEN) != 0 ? "yes" : "no");
        if ((ev->flags & ORDER_EVENT_RENAMED) != 0)
            field_word(w, "renamed", "yes");
    }
    if ((ev->flags & ORDER_EVENT_OPERATOR) != 0)
        field_word(w, "by", "operator");
    field_uint_set(w, "venue_order_id", ev->venue_order_id);
    if (ev->kind == ORDER_EV_CANCEL_SENT && ev->request_id != 0) {
        field_word(w, "of", (ev->flags & ORDER_EVENT_REPLACE) != 0 ? "replace" : "cancel");
        field_uint(w, "client", ev->request_client);
        field_uint(w, "key", ev->request_id);
    }
    if ((ev->kind == ORDER_EV_STATUS || ev->kind == ORDER_EV_AMENDED) && ev->qty != 0) {
        field_px(w, "px", ins, ev->px);
        field_qty(w, "qty", ins, ev->qty);
    }
    if (ev->kind == ORDER_EV_FILL) {
        field_int(w, "trade_id", ev->trade_id);
        field_px(w, "last_px", ins, ev->last_px);
        field_qty(w, "last_qty", ins, ev->last_qty);
        field_decimal(w, "fee", ev->fee, VALUE_DECIMALS);
        field_named(w, "fee_ccy", t->currency, CURRENCY_MAX, ev->fee_ccy);
        field_word(w, "liquidity", (ev->flags & ORDER_EVENT_MAKER) != 0 ? "maker" : "taker");
        if ((ev->flags & ORDER_EVENT_COUNTED) != 0)
            field_word(w, "counted", "before");
    }
    if (ev->cum_qty != 0)
        field_qty(w, "venue_cum_qty", ins, ev->cum_qty);
    if (ev->venue_code != 0)
        field_int(w, "venue_code", ev->venue_code);
    field_time(w, "venue_time", ev->venue_time_ns);
    field_time(w, "deadline", ev->deadline_ns);
    field_text(w, "text", ev->text, ORDER_EVENT_TEXT);
}

static void
write_control(struct writer *w, const struct journal_control *c)
{
    static const char *const words[] = {
#define X(name, text) text,
        JOURNAL_CONTROLS(X)
#undef X
    };
    field_word(w, "control", word_of(words, ARRAY_LEN(words), c->kind));
    if (c->kind == CONTROL_STATE)
        field_uint(w, "level", c->level);
    if (c->kind == CONTROL_STATE || c->kind == CONTROL_ARMED)
        field_uint(w, "id", c->id);
    if (c->client != CLIENT_NONE)
        field_uint(w, "client", c->client);
    field_int(w, "value", c->value);
    field_text(w, "text", c->text, sizeof(c->text));
}

static void
write_instrument(struct writer *w, const struct journal_text *t, const struct instrument *ins)
{
    static const char *const kinds[] = { "spot", "linear", "inverse" };
    bool sane = ins->px_decimals <= DECIMALS_MAX && ins->qty_decimals <= DECIMALS_MAX;

    field_uint(w, "id", ins->id);
    field_uint(w, "version", ins->version);
    field_named(w, "venue", t->venue, VENUE_MAX, ins->venue);
    field_text(w, "symbol", ins->symbol, SYMBOL_BYTES);
    field_text(w, "canonical", ins->canonical, SYMBOL_BYTES);
    field_word(w, "kind", word_of(kinds, ARRAY_LEN(kinds), ins->kind));
    field_uint(w, "px_decimals", ins->px_decimals);
    field_uint(w, "qty_decimals", ins->qty_decimals);
    field_px(w, "tick", sane ? ins : NULL, ins->tick);
    field_qty(w, "step", sane ? ins : NULL, ins->step);
    field_qty(w, "qty_min", sane ? ins : NULL, ins->qty_min);
    field_qty(w, "qty_max", sane ? ins : NULL, ins->qty_max);
    field_decimal(w, "notional_min", ins->notional_min, VALUE_DECIMALS);
}

static void
write_position(struct writer *w, const struct journal_text *t, const struct journal_position *p)
{
    field_named(w, "account", t->account, ACCOUNT_MAX, p->account);
    const struct instrument *ins = field_instrument(w, t, p->instrument);
    field_qty(w, "qty", ins, p->qty);
}

static void
write_trade(struct writer *w, const struct journal_text *t, const struct account_trade *tr)
{
    field_named(w, "account", t->account, ACCOUNT_MAX, tr->account);
    const struct instrument *ins = field_instrument(w, t, tr->instrument);
    field_word(w, "side", side_word(tr->side));
    field_int(w, "trade_id", tr->trade_id);
    field_px(w, "px", ins, tr->px);
    field_qty(w, "qty", ins, tr->qty);
    field_decimal(w, "fee", tr->fee, VALUE_DECIMALS);
    field_named(w, "fee_ccy", t->currency, CURRENCY_MAX, tr->fee_ccy);
    field_word(w, "liquidity", tr->maker != 0 ? "maker" : "taker");
    field_uint_set(w, "venue_order_id", tr->venue_order_id);
    field_time(w, "venue_time", tr->venue_time_ns);
}

static void
write_cursor(struct writer *w, const struct journal_text *t, const struct journal_cursor *c)
{
    (void)field_instrument(w, t, c->instrument);
    field_int(w, "trade_id", c->trade_id);
    field_time(w, "venue_time", c->venue_ns);
}

static void
write_balance(struct writer *w, const struct journal_text *t, const struct journal_balance *b)
{
    field_named(w, "venue", t->venue, VENUE_MAX, b->venue);
    field_named(w, "ccy", t->currency, CURRENCY_MAX, b->ccy);
    field_decimal(w, "amount", b->amount, VALUE_DECIMALS);
}

static void
write_marks(struct writer *w, const struct journal_text *t, const struct journal_marks *m)
{
    char text[128];
    char px[DECIMAL_TEXT];
    char rate[DECIMAL_TEXT];

    field_text(w, "reporting", m->reporting, CURRENCY_BYTES);
    for (uint32_t i = 0; i < m->count; i++) {
        const struct journal_mark *x = &m->mark[i];
        bool known = x->id < INSTRUMENT_MAX && t->instrument[x->id].version == x->version;
        (void)decimal_format(rate, x->rate, 12);
        if (x->version == 0) {
            (void)snprintf(text, sizeof(text), "rate_%u", x->id);
            field_word(w, text, rate);
            continue;
        }
        (void)decimal_format(px, x->px, known ? t->instrument[x->id].px_decimals : 0);
        (void)snprintf(text, sizeof(text), "mark_%u", x->id);
        field_word(w, text, px);
        (void)snprintf(text, sizeof(text), "mark_rate_%u", x->id);
        field_word(w, text, rate);
    }
}

/* The level and id of a group in front of its fields. */
static void
write_day_group(struct writer *w, const struct journal_day_group *x)
{
    static const char *const levels[] = {
#define X(level, text) text,
        TRADING_LEVELS(X)
#undef X
    };
    char name[48];

#define DAY_FIELD(field, write)                                                                               \
    (void)snprintf(name, sizeof(name), "%s_%u_" #field, word_of(levels, ARRAY_LEN(levels), x->level), x->id); \
    write

    DAY_FIELD(result, field_decimal)(w, name, x->result, VALUE_DECIMALS);
    DAY_FIELD(best, field_decimal)(w, name, x->best, VALUE_DECIMALS);
    DAY_FIELD(value, field_decimal)(w, name, x->value, VALUE_DECIMALS);
    DAY_FIELD(fees, field_decimal)(w, name, x->fees, VALUE_DECIMALS);
    DAY_FIELD(messages, field_uint_set)(w, name, x->messages);
    DAY_FIELD(fills, field_uint_set)(w, name, x->fills);
    DAY_FIELD(executions, field_uint_set)(w, name, x->executions);
#undef DAY_FIELD
}

static void
write_day(struct writer *w, const struct journal_day *d)
{
    field_text(w, "reporting", d->reporting, CURRENCY_BYTES);
    for (uint32_t i = 0; i < d->count; i++)
        write_day_group(w, &d->group[i]);
}

static void
write_window(struct writer *w, const struct journal_window *x)
{
    static const char *const kinds[] = { "rejects", "loss" };
    static const char *const levels[] = {
#define X(level, text) text,
        TRADING_LEVELS(X)
#undef X
    };
    char name[48];

#define WINDOW_FIELD(field, write)                                                                              \
    (void)snprintf(name, sizeof(name), "%s_%u_%s_" #field, word_of(levels, ARRAY_LEN(levels), x->level), x->id, \
                   word_of(kinds, ARRAY_LEN(kinds), x->kind));                                                  \
    write

    WINDOW_FIELD(since_ns, field_uint_set)(w, name, (uint64_t)x->since_ns);
    if (x->kind == 0) {
        WINDOW_FIELD(count, field_uint_set)(w, name, x->beyond);
        return;
    }
    WINDOW_FIELD(best, field_decimal)(w, name, x->best, VALUE_DECIMALS);
    WINDOW_FIELD(before, field_decimal)(w, name, x->before, VALUE_DECIMALS);
#undef WINDOW_FIELD
}

static void
write_windows(struct writer *w, const struct journal_windows *all)
{
    field_text(w, "reporting", all->reporting, CURRENCY_BYTES);
    for (uint32_t i = 0; i < all->count; i++)
        write_window(w, &all->window[i]);
}

static void
write_report(struct writer *w, const struct journal_text *t, const struct report *r)
{
    field_word(w, "report", report_kind_text((enum report_kind)r->kind));
    field_text(w, "clordid", r->clordid, CLORDID_BYTES);
    field_uint(w, "client", r->client);
    field_uint(w, "key", r->key);
    const struct instrument *ins = field_instrument(w, t, r->instrument);
    field_word(w, "state", order_state_text((enum order_state)r->order_state));
    field_word(w, "request", request_state_text((enum request_state)r->request_state));
    field_qty(w, "cum_qty", ins, r->cum_qty);
    field_qty(w, "leaves_qty", ins, r->leaves_qty);
    field_text(w, "text", r->text, sizeof(r->text));
}

static void
write_payload(struct writer *w, const struct journal_text *t, const struct journal_record *rec)
{
    if (!journal_payload_ok(rec)) {
        field_uint(w, "payload_version", rec->version);
        field_uint(w, "payload_bytes", rec->payload_bytes);
        field_word(w, "note", "not of this build");
        return;
    }
    switch (rec->type) {
    case JOURNAL_DEF_ACCOUNT:
    case JOURNAL_DEF_VENUE:
    case JOURNAL_DEF_CURRENCY: {
        const struct journal_name *n = rec->payload;
        field_uint(w, "id", n->id);
        field_text(w, "name", n->name, sizeof(n->name));
        break;
    }
    case JOURNAL_DEF_INSTRUMENT: write_instrument(w, t, rec->payload); break;
    case JOURNAL_INTENT: write_intent(w, t, rec->payload); break;
    case JOURNAL_REQUEST:
    case JOURNAL_VENUE_REPORT: write_event(w, t, rec->payload); break;
    case JOURNAL_CONTROL: write_control(w, rec->payload); break;
    case JOURNAL_POSITION: write_position(w, t, rec->payload); break;
    case JOURNAL_TRADE: write_trade(w, t, rec->payload); break;
    case JOURNAL_CURSOR: write_cursor(w, t, rec->payload); break;
    case JOURNAL_BALANCE: write_balance(w, t, rec->payload); break;
    case JOURNAL_MARKS: write_marks(w, t, rec->payload); break;
    case JOURNAL_DAY: write_day(w, rec->payload); break;
    case JOURNAL_WINDOWS: write_windows(w, rec->payload); break;
    case JOURNAL_REPORT: write_report(w, t, rec->payload); break;
    case JOURNAL_NOTE: field_text(w, "text", ((const struct journal_note *)rec->payload)->text, 120); break;
    case JOURNAL_LIMIT_SET: {
        const struct journal_limit_set *set = rec->payload;
        field_uint(w, "version", set->version);
        field_uint(w, "client", set->client);
        field_text(w, "text", set->text, sizeof(set->text));
        break;
    }
    case JOURNAL_LIMITS: {
        const struct journal_limits *l = rec->payload;
        if (rec->payload_bytes < sizeof(*l) || l->bytes > rec->payload_bytes - sizeof(*l))
            break;
        field_uint(w, "version", l->version);
        field_uint(w, "part", l->part);
        if (l->client != CLIENT_NONE)
            field_uint(w, "client", l->client);
        field_text(w, "text", l->text, l->bytes);
        break;
    }
    case JOURNAL_SENT: {
        const struct journal_sent *sent = rec->payload;
        field_text(w, "clordid", sent->clordid, CLORDID_BYTES);
        field_int(w, "sent_mono_ns", sent->mono_ns);
        break;
    }
    default: field_uint(w, "payload_bytes", rec->payload_bytes); break;
    }
}

/* A part of a snapshot; a record of old is shown with its own sequence and type. */
static void
write_record(struct writer *w, const struct journal_text *t, const struct journal_record *rec)
{
    struct journal_record inner;

    if (rec->type == JOURNAL_SNAPSHOT)
        field_word(w, "part", journal_snapshot_part_text(rec));
    if (!journal_snapshot_record(rec, &inner)) {
        write_payload(w, t, rec);
        return;
    }
    field_uint(w, "of_seq", inner.seq);
    field_time(w, "of_time", inner.wall_ns);
    field_word(w, "of_type", journal_type_text(inner.type));
    write_payload(w, t, &inner);
}

size_t
journal_text_line(const struct journal_text *t, const struct journal_record *rec, char *buf, size_t room)
{
    struct writer w = { .buf = buf, .room = room };
    char time[DECIMAL_TEXT];

    ASSERT(room > 0);
    buf[0] = '\0';
    (void)decimal_format(time, rec->wall_ns, 9);
    put(&w, "%llu %s %s", (unsigned long long)rec->seq, time, journal_type_text(rec->type));
    write_record(&w, t, rec);
    return w.len;
}

size_t
journal_text_json(const struct journal_text *t, const struct journal_record *rec, char *buf, size_t room)
{
    struct writer w = { .buf = buf, .room = room, .json = true, .first = true };

    ASSERT(room > 0);
    buf[0] = '\0';
    put(&w, "{");
    field_uint(&w, "seq", rec->seq);
    field_decimal(&w, "wall", rec->wall_ns, 9);
    field_int(&w, "mono_ns", rec->mono_ns);
    field_word(&w, "type", journal_type_text(rec->type));
    write_record(&w, t, rec);
    put(&w, "}");
    return w.len;
}
