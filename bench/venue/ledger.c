/* The ledger file: recorder of an engine, and its reader at start.
 *
 * Lines are collected while an operation runs and written with one write(2) at its commit. The reader is a parser for
 * the flat objects that the writer makes and nothing else; every line is checked against its CRC before it is believed.
 *
 * Always true: the file ends with a whole line after emu_ledger_open(); after a failed write nothing more is written.
 */
#include "bench/venue/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "execgw/base.h"
#include "execgw/fixed.h"

#define LEDGER_VERSION 1
#define LINE_BYTES_MAX 1536
#define FIELDS_MAX     24
#define CRC_TEXT_BYTES 17 /* ,"crc":"01234567" */

struct emu_ledger {
    struct emu_engine *engine;
    int fd;
    bool sync, ok;
    char *buf;
    size_t len, capacity;
    size_t line_start;
};

/* ---- CRC-32 (IEEE 802.3, reflected) ---- */

uint32_t
emu_crc32(const char *p, size_t n)
{
    static const uint32_t nibble[16] = { 0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
                                         0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                         0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c };
    uint32_t c = UINT32_MAX;

    for (size_t i = 0; i < n; i++) {
        c ^= (uint8_t)p[i];
        c = nibble[c & 15] ^ (c >> 4);
        c = nibble[c & 15] ^ (c >> 4);
    }
    return ~c;
}

/* ---- writing ---- */

static void
reserve(struct emu_ledger *l, size_t more)
{
    if (l->len + more <= l->capacity)
        return;
    size_t wanted = MAX(l->capacity * 2, l->len + more);
    char *p = realloc(l->buf, wanted);
    ASSERT(p != NULL);
    l->buf = p;
    l->capacity = wanted;
}

__attribute__((format(printf, 2, 3))) static void
put(struct emu_ledger *l, const char *format, ...)
{
    va_list args;
    reserve(l, LINE_BYTES_MAX);
    va_start(args, format);
    int n = vsnprintf(l->buf + l->len, LINE_BYTES_MAX, format, args);
    va_end(args);
    ASSERT(n >= 0 && n < LINE_BYTES_MAX);
    l->len += (size_t)n;
}

static void
begin(struct emu_ledger *l, const char *ev)
{
    l->line_start = l->len;
    put(l, "{\"ev\":\"%s\"", ev);
}

static void
end(struct emu_ledger *l)
{
    uint32_t crc = emu_crc32(l->buf + l->line_start, l->len - l->line_start);
    put(l, ",\"crc\":\"%08x\"}\n", crc);
}

static void
put_int(struct emu_ledger *l, const char *key, int64_t v)
{
    put(l, ",\"%s\":%lld", key, (long long)v);
}

/* Text from outside: what JSON would have to escape becomes '?'. */
static void
put_text(struct emu_ledger *l, const char *key, const char *text)
{
    char safe[256];
    size_t n = 0;

    for (; text[n] != '\0' && n < sizeof(safe) - 1; n++)
        safe[n] = (char)(text[n] < ' ' || text[n] > '~' || text[n] == '"' || text[n] == '\\' ? '?' : text[n]);
    safe[n] = '\0';
    put(l, ",\"%s\":\"%s\"", key, safe);
}

static void
put_decimal(struct emu_ledger *l, const char *key, int64_t v)
{
    char text[DECIMAL_TEXT];
    decimal_format(text, v, EMU_DECIMALS);
    put(l, ",\"%s\":\"%s\"", key, text);
}

static void
put_order(struct emu_ledger *l, const struct emu_engine *e, const struct emu_order *o, const char *client_id)
{
    put_text(l, "account", emu_account_get(e, o->account)->name);
    put_text(l, "symbol", emu_symbol_get(e, o->symbol)->name);
    put_int(l, "orderId", o->id);
    put_text(l, "clientOrderId", client_id);
}

static void
record_account(void *ctx, const struct emu_engine *e, uint32_t account)
{
    struct emu_ledger *l = ctx;
    const struct emu_account *a = emu_account_get(e, account);
    begin(l, "account");
    put_text(l, "account", a->name);
    put_decimal(l, "maker", a->maker_rate);
    put_decimal(l, "taker", a->taker_rate);
    end(l);
}

static void
record_deposit(void *ctx, const struct emu_engine *e, uint32_t account, int asset, int64_t amount)
{
    struct emu_ledger *l = ctx;
    begin(l, "deposit");
    put_text(l, "account", emu_account_get(e, account)->name);
    put_text(l, "asset", emu_asset_name(e, asset));
    put_decimal(l, "amount", amount);
    put_int(l, "t", emu_engine_time(e));
    end(l);
}

static void
record_new(struct emu_ledger *l, const struct emu_engine *e, const struct emu_execution *x)
{
    const struct emu_order *o = x->order;
    begin(l, "new");
    put_order(l, e, o, o->client_id);
    put_text(l, "side", emu_side_text(o->side));
    put_text(l, "type", emu_type_text(o->type));
    put_text(l, "tif", emu_tif_text(o->tif));
    put_decimal(l, "px", o->px);
    put_decimal(l, "qty", o->qty);
    put_decimal(l, "stopPx", o->stop_px);
    put_decimal(l, "quoteOrderQty", o->quote_order_qty);
    put_decimal(l, "icebergQty", o->iceberg_qty);
    put_text(l, "stp", emu_stp_text(o->stp));
    if (o->expire_us != 0)
        put_int(l, "expire", o->expire_us);
    if (o->user_ref != 0)
        put_int(l, "userRef", o->user_ref);
    if (o->flags != 0)
        put_int(l, "flags", o->flags);
}

static void
record_fill(struct emu_ledger *l, const struct emu_engine *e, const struct emu_execution *x, int64_t counter_order_id,
            bool first_of_two)
{
    const struct emu_order *o = x->order;
    begin(l, "fill");
    put_order(l, e, o, o->client_id);
    put_text(l, "side", emu_side_text(o->side));
    put_int(l, "tradeId", x->trade_id);
    put_decimal(l, "px", x->last_px);
    put_decimal(l, "qty", x->last_qty);
    put_decimal(l, "quote", x->last_quote);
    put_decimal(l, "fee", x->commission);
    put_text(l, "feeAsset", emu_asset_name(e, x->commission_asset));
    put_int(l, "maker", x->is_maker);
    put_decimal(l, "cumQty", o->cum_qty);
    put_decimal(l, "cumQuote", o->cum_quote);
    put_text(l, "status", emu_status_text(o->status));
    put_int(l, "counterOrderId", counter_order_id);
    put_int(l, "half", first_of_two);
}

static void
record_close(struct emu_ledger *l, const struct emu_engine *e, const struct emu_execution *x)
{
    const struct emu_order *o = x->order;
    begin(l, x->exec == EMU_EXEC_CANCELED ? "cancel" : "expire");
    put_order(l, e, o, o->client_id);
    if (x->exec == EMU_EXEC_CANCELED) {
        put_text(l, "cancelId", x->client_id);
        if (x->expiry_reason != NULL)
            put_text(l, "reason", x->expiry_reason);
    } else {
        put_text(l, "status", emu_status_text(o->status));
        put_text(l, "reason", x->expiry_reason != NULL ? x->expiry_reason : "");
        put_decimal(l, "preventedQty", o->prevented_qty);
    }
    put_decimal(l, "cumQty", o->cum_qty);
    put_decimal(l, "cumQuote", o->cum_quote);
}

static void
record_amend(struct emu_ledger *l, const struct emu_engine *e, const struct emu_execution *x)
{
    bool in_place = x->orig_client_id[0] == '\0';
    begin(l, "amend");
    put_order(l, e, x->order, in_place ? x->order->client_id : x->orig_client_id);
    put_text(l, "newClientOrderId", x->client_id);
    put_decimal(l, "qty", x->order->qty);
    if (in_place) {
        put_decimal(l, "px", x->order->px);
        put_decimal(l, "icebergQty", x->order->iceberg_qty);
    }
}

static void
record_execution(void *ctx, const struct emu_engine *e, const struct emu_execution *x, int64_t counter_order_id,
                 bool first_of_two)
{
    struct emu_ledger *l = ctx;
    switch (x->exec) {
    case EMU_EXEC_NEW: record_new(l, e, x); break;
    case EMU_EXEC_TRADE: record_fill(l, e, x, counter_order_id, first_of_two); break;
    case EMU_EXEC_REPLACED: record_amend(l, e, x); break;
    default: record_close(l, e, x); break;
    }
    put_int(l, "execId", x->execution_id);
    put_int(l, "t", x->time_us);
    end(l);
}

static void
record_rejection(void *ctx, const struct emu_engine *e, uint32_t account, int symbol, const char *client_id,
                 const struct emu_error *err)
{
    struct emu_ledger *l = ctx;
    begin(l, "reject");
    put_text(l, "account", emu_account_get(e, account)->name);
    put_text(l, "symbol", symbol >= 0 ? emu_symbol_get(e, symbol)->name : "");
    put_text(l, "clientOrderId", client_id);
    put_int(l, "code", err->code);
    put_text(l, "msg", err->msg);
    put_int(l, "t", emu_engine_time(e));
    end(l);
}

static void
record_triggered(void *ctx, const struct emu_engine *e, const struct emu_order *o)
{
    struct emu_ledger *l = ctx;
    begin(l, "trigger");
    put_order(l, e, o, o->client_id);
    put_int(l, "t", o->working_us);
    end(l);
}

static void
record_ids(void *ctx, const struct emu_engine *e, int symbol, int64_t order_id, int64_t trade_id, int64_t update_id,
           int64_t execution_id)
{
    struct emu_ledger *l = ctx;
    /* Ids are drawn in the middle of no line: every line is put together after its numbers are known. */
    begin(l, "ids");
    put_text(l, "symbol", emu_symbol_get(e, symbol)->name);
    put_int(l, "orderId", order_id);
    put_int(l, "tradeId", trade_id);
    put_int(l, "updateId", update_id);
    put_int(l, "execId", execution_id);
    end(l);
}

static void
record_commit(void *ctx)
{
    struct emu_ledger *l = ctx;
    size_t done = 0;

    while (l->ok && done < l->len) {
        ssize_t n = write(l->fd, l->buf + done, l->len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            l->ok = false;
        else
            done += (size_t)n;
    }
    if (l->ok && l->sync && l->len > 0 && fdatasync(l->fd) != 0)
        l->ok = false;
    l->len = 0;
}

/* ---- reading ---- */

struct span {
    const char *p;
    size_t n;
};

struct field {
    struct span key, value;
};

struct line {
    struct field field[FIELDS_MAX];
    int count;
};

static bool
take_text(const char **p, const char *last, struct span *out)
{
    if (*p >= last || **p != '"')
        return false;
    const char *start = ++*p;
    while (*p < last && **p != '"' && **p != '\\')
        ++*p;
    if (*p >= last || **p != '"')
        return false;
    *out = (struct span){ start, (size_t)(*p - start) };
    ++*p;
    return true;
}

static bool
take_value(const char **p, const char *last, struct span *out)
{
    if (*p < last && **p == '"')
        return take_text(p, last, out);
    const char *start = *p;
    while (*p < last && (**p == '-' || (**p >= '0' && **p <= '9')))
        ++*p;
    *out = (struct span){ start, (size_t)(*p - start) };
    return out->n > 0;
}

/* One line without its newline: form and CRC. */
static bool
line_parse(const char *p, size_t n, struct line *out)
{
    const char *last = p + n;
    char crc[CRC_TEXT_BYTES + 2];

    if (n < CRC_TEXT_BYTES + 2 || *p != '{')
        return false;
    size_t body = n - CRC_TEXT_BYTES - 1;
    (void)snprintf(crc, sizeof(crc), ",\"crc\":\"%08x\"}", emu_crc32(p, body));
    if (memcmp(p + body, crc, CRC_TEXT_BYTES + 1) != 0)
        return false;
    out->count = 0;
    p++;
    for (;;) {
        struct field f;
        if (out->count == FIELDS_MAX || !take_text(&p, last, &f.key) || p >= last || *p++ != ':' ||
            !take_value(&p, last, &f.value))
            return false;
        out->field[out->count++] = f;
        if (p == last - 1 && *p == '}')
            return true;
        if (p >= last || *p++ != ',')
            return false;
    }
}

/* A line while its members are fetched; `ok` gathers whether all were there and readable. */
struct reader {
    const struct line *line;
    struct emu_engine *e;
    bool ok;
};

static struct span
get(struct reader *r, const char *key)
{
    size_t n = strlen(key);
    for (int i = 0; i < r->line->count; i++) {
        const struct field *f = &r->line->field[i];
        if (f->key.n == n && memcmp(f->key.p, key, n) == 0)
            return f->value;
    }
    r->ok = false;
    return (struct span){ "", 0 };
}

static int64_t
get_scaled(struct reader *r, const char *key, unsigned decimals)
{
    struct span v = get(r, key);
    int64_t out = 0;
    if (v.n == 0 || decimal_parse(v.p, v.n, decimals, &out) != DECODE_OK)
        r->ok = false;
    return out;
}

/* A member that is written only when it is not 0. */
static int64_t
get_optional(const struct reader *r, const char *key, unsigned decimals)
{
    struct reader one = *r;
    int64_t v = get_scaled(&one, key, decimals);
    return one.ok ? v : 0;
}

static int64_t
get_int(struct reader *r, const char *key)
{
    return get_scaled(r, key, 0);
}

static int64_t
get_decimal(struct reader *r, const char *key)
{
    return get_scaled(r, key, EMU_DECIMALS);
}

static void
get_text(struct reader *r, const char *key, char *out, size_t out_bytes)
{
    struct span v = get(r, key);
    if (v.n >= out_bytes) {
        r->ok = false;
        v.n = 0;
    }
    memcpy(out, v.p, v.n);
    out[v.n] = '\0';
}

/* A text looked up with `from`; 0 and not ok when it is unknown. */
static int
get_index(struct reader *r, const char *key, int (*from)(const struct emu_engine *e, const char *name))
{
    char text[64];
    get_text(r, key, text, sizeof(text));
    int v = r->ok ? from(r->e, text) : -1;
    if (v < 0)
        r->ok = false;
    return v < 0 ? 0 : v;
}

static uint8_t
get_enum(struct reader *r, const char *key, int (*from)(const char *text))
{
    char text[64];
    get_text(r, key, text, sizeof(text));
    int v = r->ok ? from(text) : -1;
    if (v < 0)
        r->ok = false;
    return (uint8_t)(v < 0 ? 0 : v);
}

static bool
apply_venue(struct reader *r)
{
    return get_int(r, "version") == LEDGER_VERSION && r->ok;
}

static bool
apply_account(struct reader *r)
{
    char name[32];
    get_text(r, "account", name, sizeof(name));
    int64_t maker = get_decimal(r, "maker");
    int64_t taker = get_decimal(r, "taker");
    if (!r->ok)
        return false;
    int account = emu_account_open(r->e, name);
    if (account <= 0)
        return false;
    emu_restore_account(r->e, (uint32_t)account, maker, taker);
    return true;
}

static bool
apply_deposit(struct reader *r)
{
    int account = get_index(r, "account", emu_account_find);
    int asset = get_index(r, "asset", emu_asset_find);
    int64_t amount = get_decimal(r, "amount");
    return r->ok && account > 0 && emu_account_deposit(r->e, (uint32_t)account, asset, amount);
}

static bool
apply_new(struct reader *r)
{
    struct emu_order o = { .id = get_int(r, "orderId"),
                           .account = (uint32_t)get_index(r, "account", emu_account_find),
                           .symbol = (uint16_t)get_index(r, "symbol", emu_symbol_find),
                           .side = get_enum(r, "side", emu_side_from),
                           .type = get_enum(r, "type", emu_type_from),
                           .tif = get_enum(r, "tif", emu_tif_from),
                           .stp = get_enum(r, "stp", emu_stp_from),
                           .px = get_decimal(r, "px"),
                           .stop_px = get_decimal(r, "stopPx"),
                           .qty = get_decimal(r, "qty"),
                           .quote_order_qty = get_decimal(r, "quoteOrderQty"),
                           .iceberg_qty = get_decimal(r, "icebergQty"),
                           .expire_us = get_optional(r, "expire", 0),
                           .user_ref = (int32_t)get_optional(r, "userRef", 0),
                           .flags = (uint8_t)get_optional(r, "flags", 0),
                           .created_us = get_int(r, "t") };
    get_text(r, "clientOrderId", o.client_id, sizeof(o.client_id));
    return r->ok && emu_restore_order(r->e, &o) != NULL;
}

static bool
apply_fill(struct reader *r)
{
    struct emu_trade t = { .id = get_int(r, "tradeId"),
                           .order_id = get_int(r, "orderId"),
                           .account = (uint32_t)get_index(r, "account", emu_account_find),
                           .symbol = (uint16_t)get_index(r, "symbol", emu_symbol_find),
                           .px = get_decimal(r, "px"),
                           .qty = get_decimal(r, "qty"),
                           .quote_qty = get_decimal(r, "quote"),
                           .commission = get_decimal(r, "fee"),
                           .commission_asset = (uint8_t)get_index(r, "feeAsset", emu_asset_find),
                           .is_buyer = get_enum(r, "side", emu_side_from) == EMU_BUY,
                           .is_maker = get_int(r, "maker") != 0,
                           .time_us = get_int(r, "t") };
    int64_t counter = get_int(r, "counterOrderId");
    return r->ok && emu_restore_fill(r->e, &t, counter == 0);
}

static bool
apply_cancel(struct reader *r)
{
    int account = get_index(r, "account", emu_account_find);
    int symbol = get_index(r, "symbol", emu_symbol_find);
    int64_t id = get_int(r, "orderId");
    int64_t t = get_int(r, "t");
    return r->ok && emu_restore_close(r->e, (uint32_t)account, symbol, id, EMU_CANCELED, 0, t);
}

static bool
apply_expire(struct reader *r)
{
    int account = get_index(r, "account", emu_account_find);
    int symbol = get_index(r, "symbol", emu_symbol_find);
    int64_t id = get_int(r, "orderId");
    enum emu_status status = get_enum(r, "status", emu_status_from);
    int64_t prevented = get_decimal(r, "preventedQty");
    int64_t t = get_int(r, "t");
    return r->ok && emu_restore_close(r->e, (uint32_t)account, symbol, id, status, prevented, t);
}

static bool
apply_amend(struct reader *r)
{
    char client_id[EMU_CLIENT_ID_MAX];
    int account = get_index(r, "account", emu_account_find);
    int symbol = get_index(r, "symbol", emu_symbol_find);
    int64_t id = get_int(r, "orderId");
    int64_t qty = get_decimal(r, "qty");
    int64_t t = get_int(r, "t");
    int64_t px = get_optional(r, "px", EMU_DECIMALS);
    int64_t iceberg_qty = get_optional(r, "icebergQty", EMU_DECIMALS);
    get_text(r, "newClientOrderId", client_id, sizeof(client_id));
    if (r->ok && px != 0)
        return emu_restore_amend_to(r->e, (uint32_t)account, symbol, id, px, qty, iceberg_qty, t);
    return r->ok && emu_restore_amend(r->e, (uint32_t)account, symbol, id, qty, client_id, t);
}

static bool
apply_trigger(struct reader *r)
{
    int account = get_index(r, "account", emu_account_find);
    int symbol = get_index(r, "symbol", emu_symbol_find);
    int64_t id = get_int(r, "orderId");
    int64_t t = get_int(r, "t");
    return r->ok && emu_restore_trigger(r->e, (uint32_t)account, symbol, id, t);
}

static bool
apply_reject(struct reader *r)
{
    (void)get(r, "code");
    return r->ok;
}

static bool
apply_ids(struct reader *r)
{
    int symbol = get_index(r, "symbol", emu_symbol_find);
    int64_t order_id = get_int(r, "orderId");
    int64_t trade_id = get_int(r, "tradeId");
    int64_t update_id = get_int(r, "updateId");
    int64_t execution_id = get_int(r, "execId");
    if (!r->ok)
        return false;
    emu_restore_ids(r->e, symbol, order_id, trade_id, update_id, execution_id);
    return true;
}

static const struct {
    const char *ev;
    bool (*apply)(struct reader *r);
} appliers[] = {
    { "venue", apply_venue },     { "account", apply_account }, { "deposit", apply_deposit }, { "new", apply_new },
    { "fill", apply_fill },       { "cancel", apply_cancel },   { "expire", apply_expire },   { "amend", apply_amend },
    { "trigger", apply_trigger }, { "reject", apply_reject },   { "ids", apply_ids },
};

static bool
line_apply(struct emu_engine *e, const struct line *line)
{
    struct reader r = { .line = line, .e = e, .ok = true };
    struct span ev = get(&r, "ev");

    for (int i = 0; i < line->count; i++) {
        const struct field *f = &line->field[i];
        int64_t t;
        if (f->key.n == 1 && *f->key.p == 't' && decimal_parse(f->value.p, f->value.n, 0, &t) == DECODE_OK)
            emu_engine_set_time(e, t);
    }
    for (size_t i = 0; i < ARRAY_LEN(appliers); i++) {
        if (ev.n == strlen(appliers[i].ev) && memcmp(ev.p, appliers[i].ev, ev.n) == 0)
            return appliers[i].apply(&r);
    }
    return false;
}

/* Whether the line is the first of a trade between two users, which counts only with its other half. */
static bool
line_is_half(const struct line *line)
{
    struct reader r = { .line = line, .ok = true };
    struct span v = get(&r, "half");
    return r.ok && v.n == 1 && *v.p == '1';
}

static bool
line_is_other_half(const struct line *first, const struct line *line)
{
    struct reader a = { .line = first, .ok = true };
    struct reader b = { .line = line, .ok = true };
    int64_t id = get_int(&a, "tradeId");
    return get_int(&b, "tradeId") == id && b.ok;
}

static bool
refuse(char *why, size_t why_bytes, const char *path, uint64_t line, const char *what)
{
    (void)snprintf(why, why_bytes, "%s: line %llu: %s", path, (unsigned long long)line, what);
    return false;
}

/* Applies all whole lines; *good is where the last applied one ends. */
static bool
replay(struct emu_engine *e, const char *path, const char *data, size_t bytes, size_t *good,
       struct emu_ledger_load *load, char *why, size_t why_bytes)
{
    struct line line[2];
    bool half = false;
    size_t at = 0;

    *good = 0;
    for (uint64_t number = 1; at < bytes; number++) {
        const char *newline = memchr(data + at, '\n', bytes - at);
        size_t next = newline != NULL ? (size_t)(newline - data) + 1 : bytes;
        struct line *now = &line[half];
        if (newline == NULL || !line_parse(data + at, next - at - 1, now)) {
            if (next == bytes)
                break; /* torn */
            return refuse(why, why_bytes, path, number,
                          "damaged: its checksum or form is wrong, and more lines follow");
        }
        at = next;
        if (!half && line_is_half(now)) {
            half = true;
            continue;
        }
        if (half && !line_is_other_half(&line[0], now))
            return refuse(why, why_bytes, path, number, "expected the other side of the trade of the line before");
        if (number == 1 && (now->field[0].value.n != 5 || memcmp(now->field[0].value.p, "venue", 5) != 0))
            return refuse(why, why_bytes, path, number, "not a venue ledger: expected \"ev\":\"venue\"");
        for (int i = half ? 0 : 1; i < 2; i++) {
            const struct line *l = half ? &line[i] : now;
            if (!line_apply(e, l))
                return refuse(why, why_bytes, path, number, "does not fit what stands before it");
            load->record_count++;
        }
        half = false;
        *good = at;
    }
    return true;
}

static bool
load_file(struct emu_ledger *l, const char *path, struct emu_ledger_load *load, char *why, size_t why_bytes)
{
    struct stat st;
    size_t good = 0;

    if (fstat(l->fd, &st) != 0) {
        (void)snprintf(why, why_bytes, "%s: cannot read its size: %s", path, strerror(errno));
        return false;
    }
    size_t bytes = (size_t)st.st_size;
    if (bytes == 0)
        return true;
    char *data = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, l->fd, 0);
    if (data == MAP_FAILED) {
        (void)snprintf(why, why_bytes, "%s: cannot map it: %s", path, strerror(errno));
        return false;
    }
    bool ok = replay(l->engine, path, data, bytes, &good, load, why, why_bytes);
    (void)munmap(data, bytes);
    if (!ok)
        return false;
    load->cut_bytes = bytes - good;
    if (good < bytes && ftruncate(l->fd, (off_t)good) != 0) {
        (void)snprintf(why, why_bytes, "%s: cannot cut its torn end: %s", path, strerror(errno));
        return false;
    }
    return true;
}

static void
attach(struct emu_ledger *l, uint64_t record_count)
{
    struct emu_recorder r = { .ctx = l,
                              .account = record_account,
                              .deposit = record_deposit,
                              .execution = record_execution,
                              .rejection = record_rejection,
                              .triggered = record_triggered,
                              .ids = record_ids,
                              .commit = record_commit };
    emu_engine_set_recorder(l->engine, &r);
    if (record_count == 0) {
        begin(l, "venue");
        put_int(l, "version", LEDGER_VERSION);
        end(l);
        record_commit(l);
    }
    emu_restore_finish(l->engine);
}

struct emu_ledger *
emu_ledger_open(const char *path, struct emu_engine *e, bool fsync, struct emu_ledger_load *load, char *why,
                size_t why_bytes)
{
    *load = (struct emu_ledger_load){ 0 };
    struct emu_ledger *l = calloc(1, sizeof(*l));
    if (l == NULL) {
        (void)snprintf(why, why_bytes, "%s: no memory", path);
        return NULL;
    }
    *l = (struct emu_ledger){ .engine = e, .sync = fsync, .ok = true };
    l->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (l->fd < 0)
        (void)snprintf(why, why_bytes, "%s: cannot open it: %s", path, strerror(errno));
    else if (load_file(l, path, load, why, why_bytes)) {
        attach(l, load->record_count);
        return l;
    }
    emu_ledger_close(l);
    return NULL;
}

void
emu_ledger_close(struct emu_ledger *l)
{
    if (l == NULL)
        return;
    emu_engine_set_recorder(l->engine, NULL);
    if (l->fd >= 0)
        (void)close(l->fd);
    free(l->buf);
    free(l);
}

bool
emu_ledger_ok(const struct emu_ledger *l)
{
    return l->ok;
}
