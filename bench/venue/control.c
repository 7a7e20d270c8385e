/* Control of the emulated venue by tests. See control.h. */
#include "bench/venue/control.h"

#include <stdarg.h>

struct request {
    struct venue *venue;
    const char *(*find)(const void *params, const char *name);
    const void *params;
    struct control_done *done;
    char *why;
    size_t why_bytes;
};

__attribute__((format(printf, 2, 3))) static bool
fail(const struct request *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(r->why, r->why_bytes, fmt, ap);
    va_end(ap);
    return false;
}

static const char *
text(const struct request *r, const char *name)
{
    const char *s = r->find(r->params, name);
    return s != NULL ? s : "";
}

static bool
decimal(const struct request *r, const char *name, unsigned decimals, int64_t *out)
{
    const char *s = text(r, name);
    return decimal_parse(s, strlen(s), decimals, out) == DECODE_OK || fail(r, "%s: %.40s is no number", name, s);
}

static bool
symbol_of(const struct request *r, int *symbol)
{
    *symbol = emu_symbol_find(r->venue->engine, text(r, "symbol"));
    return *symbol >= 0 || fail(r, "symbol: %.40s is unknown", text(r, "symbol"));
}

static bool
deposit(struct request *r)
{
    int account = emu_account_find(r->venue->engine, text(r, "account"));
    int asset = emu_asset_find(r->venue->engine, text(r, "asset"));
    int64_t amount = 0;

    if (account <= 0 || asset < 0)
        return fail(r, "account or asset is unknown");
    if (!decimal(r, "amount", VALUE_DECIMALS, &amount))
        return false;
    if (!emu_account_deposit(r->venue->engine, (uint32_t)account, asset, amount))
        return fail(r, "amount: the account has not so much");
    r->done->account = account;
    r->done->asset = asset;
    r->done->amount = amount;
    return true;
}

static bool
price(struct request *r)
{
    int64_t px = 0;
    int symbol;

    if (!symbol_of(r, &symbol) || !decimal(r, "price", VALUE_DECIMALS, &px))
        return false;
    const struct emu_filters *f = &emu_symbol_get(r->venue->engine, symbol)->filters;
    if (px < f->px_min || px > f->px_max || px % f->px_tick != 0)
        return fail(r, "price: off the tick or out of range");
    emu_market_move(r->venue->market, symbol, px);
    return true;
}

static bool
set_status(struct request *r, int symbol)
{
    const char *wanted = text(r, "status");

    for (int i = 0; i < EMU_SYMBOL_STATUS_COUNT; i++)
        if (strcmp(emu_symbol_status_text((enum emu_symbol_status)i), wanted) == 0) {
            emu_symbol_status_set(r->venue->engine, symbol, (enum emu_symbol_status)i);
            r->done->symbol = symbol;
            r->done->status = emu_symbol_status_text((enum emu_symbol_status)i);
            return true;
        }
    return fail(r, "status: %.40s is unknown", wanted);
}

static bool
status(struct request *r)
{
    int symbol;
    return symbol_of(r, &symbol) && set_status(r, symbol);
}

static bool
market(struct request *r)
{
    int64_t rate = 0;

    if (!decimal(r, "rate", 0, &rate) || rate < 0 || rate > 1000000)
        return fail(r, "rate: expected 0 to 1000000");
    emu_market_set_rate(r->venue->market, (uint32_t)rate);
    return true;
}

/* Other rules for a symbol while it trades: every part is optional. */
static bool
filter(struct request *r)
{
    int symbol;
    if (!symbol_of(r, &symbol))
        return false;
    struct emu_filters f = emu_symbol_get(r->venue->engine, symbol)->filters;
    const struct {
        const char *name;
        int64_t *to;
        int64_t min;
    } parts[] = {
        { "tick", &f.px_tick, 1 },
        { "step", &f.lot_step, 1 },
        { "min_qty", &f.lot_min, 0 },
        { "max_qty", &f.lot_max, 0 },
        { "min_notional", &f.notional_min, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        int64_t v = 0;
        if (r->find(r->params, parts[i].name) == NULL)
            continue;
        if (!decimal(r, parts[i].name, VALUE_DECIMALS, &v))
            return false;
        if (v < parts[i].min)
            return fail(r, "%s: too small", parts[i].name);
        *parts[i].to = v;
    }
    /* A range begins and ends on its step. */
    f.px_min = f.px_tick;
    f.px_max -= f.px_max % f.px_tick;
    f.lot_min = MAX(f.lot_min - f.lot_min % f.lot_step, f.lot_step);
    if (r->find(r->params, "status") != NULL && !set_status(r, symbol))
        return false;
    emu_filters_set(r->venue->engine, symbol, &f);
    emu_market_refit(r->venue->market, symbol);
    r->done->symbol = symbol;
    return true;
}

bool
venue_control(struct venue *v, const char *what, const char *(*find)(const void *params, const char *name),
              const void *params, struct control_done *done, char *why, size_t why_bytes)
{
    static const struct {
        const char *name;
        bool (*run)(struct request *r);
    } actions[] = {
        { "deposit", deposit }, { "price", price }, { "status", status }, { "market", market }, { "filter", filter },
    };
    struct request r = { v, find, params, done, why, why_bytes };

    *done = (struct control_done){ .account = -1, .asset = -1, .symbol = -1 };
    for (size_t i = 0; i < ARRAY_LEN(actions); i++)
        if (strcmp(actions[i].name, what) == 0)
            return actions[i].run(&r);
    return fail(&r, "expected deposit, price, status, market or filter");
}
