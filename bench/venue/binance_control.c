/* Control by tests, behind /emulator/, in Binance's form of answers. See control.h. */
#include "bench/venue/binance.h"
#include "bench/venue/control.h"

static const char *
find(const void *params, const char *name)
{
    return params_find((const struct params *)params, name);
}

static void
run_control(struct call *c)
{
    struct control_done done;
    char why[160];

    if (!venue_control(&c->venue->base, c->def->path + strlen("/emulator/"), find, c->params, &done, why, sizeof(why)))
        call_fail(c, 400, -1130, "%s", why);
    else if (done.account > 0)
        user_balance_update(c->venue, (uint32_t)done.account, done.asset, done.amount);
}

const struct call_def control_calls[] = {
    { NULL, HTTP_POST, "/emulator/deposit", CALL_PUBLIC, 0, " account asset amount ", " account asset amount ",
      run_control },
    { NULL, HTTP_POST, "/emulator/price", CALL_PUBLIC, 0, " symbol price ", " symbol price ", run_control },
    { NULL, HTTP_POST, "/emulator/status", CALL_PUBLIC, 0, " symbol status ", " symbol status ", run_control },
    { NULL, HTTP_POST, "/emulator/market", CALL_PUBLIC, 0, " rate ", " rate ", run_control },
    { NULL, HTTP_POST, "/emulator/filter", CALL_PUBLIC, 0, " symbol tick step min_qty max_qty min_notional status ",
      " symbol ", run_control },
    { 0 },
};
