/* What no venue offers and tests need: money from nowhere, a price that jumps, a symbol that halts, a market that
 * stands still. Behind /emulator/, without a key: the emulator listens on loopback only. */
#include "bench/venue/binance.h"

static void
run_deposit(struct call *c)
{
    struct emu_engine *e = c->venue->base.engine;
    const char *text = call_text(c, "amount");
    int account = emu_account_find(e, call_text(c, "account"));
    int asset = emu_asset_find(e, call_text(c, "asset"));
    int64_t amount = 0;

    if (account <= 0 || asset < 0 || decimal_parse(text, strlen(text), VALUE_DECIMALS, &amount) != DECODE_OK)
        call_fail(c, 400, -1130, "account, asset or amount is not valid.");
    else if (!emu_account_deposit(e, (uint32_t)account, asset, amount))
        call_fail(c, 400, -2010, "Account has insufficient balance for requested action.");
    else
        user_balance_update(c->venue, (uint32_t)account, asset, amount);
}

static void
run_price(struct call *c)
{
    int64_t px = 0;
    int symbol;
    if (!call_symbol(c, &symbol) || !call_decimal(c, "price", &px))
        return;
    const struct emu_filters *f = &emu_symbol_get(c->venue->base.engine, symbol)->filters;
    if (px < f->px_min || px > f->px_max || px % f->px_tick != 0)
        call_fail(c, 400, -1013, "Filter failure: PRICE_FILTER");
    else
        emu_market_move(c->venue->base.market, symbol, px);
}

static void
run_status(struct call *c)
{
    int symbol;
    if (!call_symbol(c, &symbol))
        return;
    for (int i = 0; i < EMU_SYMBOL_STATUS_COUNT; i++)
        if (strcmp(emu_symbol_status_text((enum emu_symbol_status)i), call_text(c, "status")) == 0) {
            emu_symbol_status_set(c->venue->base.engine, symbol, (enum emu_symbol_status)i);
            return;
        }
    call_fail(c, 400, -1122, "Invalid symbolStatus.");
}

static void
run_market(struct call *c)
{
    int64_t rate = 0;
    if (call_int(c, "rate", 0, 1000000, &rate))
        emu_market_set_rate(c->venue->base.market, (uint32_t)rate);
}

const struct call_def control_calls[] = {
    { NULL, HTTP_POST, "/emulator/deposit", CALL_PUBLIC, 0, " account asset amount ", " account asset amount ",
      run_deposit },
    { NULL, HTTP_POST, "/emulator/price", CALL_PUBLIC, 0, " symbol price ", " symbol price ", run_price },
    { NULL, HTTP_POST, "/emulator/status", CALL_PUBLIC, 0, " symbol status ", " symbol status ", run_status },
    { NULL, HTTP_POST, "/emulator/market", CALL_PUBLIC, 0, " rate ", " rate ", run_market },
    { 0 },
};
