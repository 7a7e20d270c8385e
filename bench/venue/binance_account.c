/* Questions about an account, and what a WebSocket connection asks about itself: log-on, user data subscriptions,
 * listenKeys. */
#include "bench/venue/binance.h"

/* ---- account -------------------------------------------------------------------------------------------------- */

static void
run_account(struct call *c)
{
    const struct emu_engine *e = c->venue->base.engine;
    const struct emu_account *a = emu_account_get(e, c->account);
    struct text *t = &c->result;
    bool omit = false;

    if (!call_bool(c, "omitZeroBalances", &omit))
        return;
    text_put(t, "{");
    text_key_int(t, "makerCommission", a->maker_rate / 10000);
    text_key_int(t, "takerCommission", a->taker_rate / 10000);
    text_key_int(t, "buyerCommission", 0);
    text_key_int(t, "sellerCommission", 0);
    text_key(t, "commissionRates");
    text_put(t, "{");
    text_key_decimal(t, "maker", a->maker_rate);
    text_key_decimal(t, "taker", a->taker_rate);
    text_key_decimal(t, "buyer", 0);
    text_key_decimal(t, "seller", 0);
    text_put(t, "}");
    text_key_bool(t, "canTrade", true);
    text_key_bool(t, "canWithdraw", false);
    text_key_bool(t, "canDeposit", true);
    text_key_bool(t, "brokered", false);
    text_key_bool(t, "requireSelfTradePrevention", false);
    text_key_bool(t, "preventSor", false);
    text_key_int(t, "updateTime", call_stamp(c, a->updated_us));
    text_key_word(t, "accountType", "SPOT");
    text_key(t, "balances");
    text_put(t, "[");
    for (int i = 0; i < emu_asset_count(e); i++) {
        if (omit && a->balance[i].free == 0 && a->balance[i].locked == 0)
            continue;
        text_comma(t);
        text_put(t, "{");
        text_key_word(t, "asset", emu_asset_name(e, i));
        text_key_decimal(t, "free", a->balance[i].free);
        text_key_decimal(t, "locked", a->balance[i].locked);
        text_put(t, "}");
    }
    text_put(t, "]");
    text_key(t, "permissions");
    text_put(t, "[\"SPOT\"]");
    text_key_int(t, "uid", 1000000 + (int64_t)c->account);
    text_put(t, "}");
}

static void
commission_part(struct text *t, const char *key, int64_t maker, int64_t taker)
{
    text_key(t, key);
    text_put(t, "{");
    text_key_decimal(t, "maker", maker);
    text_key_decimal(t, "taker", taker);
    text_key_decimal(t, "buyer", 0);
    text_key_decimal(t, "seller", 0);
    text_put(t, "}");
}

static void
run_commission(struct call *c)
{
    const struct emu_account *a = emu_account_get(c->venue->base.engine, c->account);
    struct text *t = &c->result;
    int symbol;

    if (!call_symbol(c, &symbol))
        return;
    text_put(t, "{");
    text_key_word(t, "symbol", emu_symbol_get(c->venue->base.engine, symbol)->name);
    commission_part(t, "standardCommission", a->maker_rate, a->taker_rate);
    commission_part(t, "specialCommission", 0, 0);
    commission_part(t, "taxCommission", 0, 0);
    text_key(t, "discount");
    text_put(t, "{\"enabledForAccount\":false,\"enabledForSymbol\":false,\"discountAsset\":\"BNB\","
                "\"discount\":\"0.00000000\"}}");
}

static void
run_order_count(struct call *c)
{
    struct emu_order_limits *o = &c->venue->orders[c->account];
    struct text *t = &c->result;

    text_put(t, "[");
    for (int i = 0; i < 2; i++) {
        struct emu_limit *l = i == 0 ? &o->ten_seconds : &o->day;
        text_comma(t);
        text_put(t, "{");
        text_key_word(t, "rateLimitType", "ORDERS");
        text_key_word(t, "interval", i == 0 ? "SECOND" : "DAY");
        text_key_int(t, "intervalNum", i == 0 ? 10 : 1);
        text_key_int(t, "limit", l->limit);
        text_key_int(t, "count", emu_limit_count(l, c->now_us));
        text_put(t, "}");
    }
    text_put(t, "]");
}

static void
run_empty_list(struct call *c)
{
    text_put(&c->result, "[]");
}

/* /sapi: what SDKs ask on start; one network per asset. */
static void
run_all_coins(struct call *c)
{
    const struct emu_engine *e = c->venue->base.engine;
    const struct emu_account *a = emu_account_get(e, c->account);
    struct text *t = &c->result;

    text_put(t, "[");
    for (int i = 0; i < emu_asset_count(e); i++) {
        const char *name = emu_asset_name(e, i);
        text_comma(t);
        text_put(t, "{");
        text_key_word(t, "coin", name);
        text_key_bool(t, "depositAllEnable", true);
        text_key_decimal(t, "free", a->balance[i].free);
        text_key_word(t, "freeze", "0");
        text_key_word(t, "ipoable", "0");
        text_key_word(t, "ipoing", "0");
        text_key_bool(t, "isLegalMoney", false);
        text_key_decimal(t, "locked", a->balance[i].locked);
        text_key_word(t, "name", name);
        text_key(t, "networkList");
        text_put(t, "[{");
        text_key_word(t, "coin", name);
        text_key_bool(t, "depositEnable", true);
        text_key_bool(t, "isDefault", true);
        text_key_int(t, "minConfirm", 1);
        text_key_word(t, "name", name);
        text_key_word(t, "network", name);
        text_key_int(t, "unLockConfirm", 0);
        text_key_bool(t, "withdrawEnable", false);
        text_key_word(t, "withdrawFee", "0");
        text_key_word(t, "withdrawIntegerMultiple", "0.00000001");
        text_key_word(t, "withdrawMax", "0");
        text_key_word(t, "withdrawMin", "0");
        text_put(t, "}]");
        text_key_word(t, "storage", "0");
        text_key_bool(t, "trading", true);
        text_key_bool(t, "withdrawAllEnable", false);
        text_key_word(t, "withdrawing", "0");
        text_put(t, "}");
    }
    text_put(t, "]");
}

static void
run_api_restrictions(struct call *c)
{
    text_put(&c->result, "{\"ipRestrict\":false,\"createTime\":1600000000000,\"enableReading\":true,"
                         "\"enableWithdrawals\":false,\"enableInternalTransfer\":false,\"enableMargin\":false,"
                         "\"enableFutures\":false,\"permitsUniversalTransfer\":false,\"enableVanillaOptions\":false,"
                         "\"enableFixApiTrade\":false,\"enableFixReadOnly\":false,"
                         "\"enableSpotAndMarginTrading\":true,\"enablePortfolioMarginTrading\":false}");
}

static void
run_account_status(struct call *c)
{
    text_put(&c->result, "{\"data\":\"Normal\"}");
}

static void
run_system_status(struct call *c)
{
    text_put(&c->result, "{\"status\":0,\"msg\":\"normal\"}");
}

static void
run_api_trading_status(struct call *c)
{
    text_put(&c->result, "{\"data\":{\"isLocked\":false,\"plannedRecoverTime\":0,\"triggerCondition\":{\"GCR\":150,"
                         "\"IFER\":150,\"UFR\":300},\"updateTime\":1600000000000}}");
}

static void
run_trade_fee(struct call *c)
{
    const struct emu_account *a = emu_account_get(c->venue->base.engine, c->account);
    int list[EMU_SYMBOLS_MAX + 1];
    int count;
    bool single;

    if (!call_symbols(c, list, &count, &single))
        return;
    text_put(&c->result, "[");
    for (int i = 0; i < count; i++) {
        text_comma(&c->result);
        text_put(&c->result, "{");
        text_key_word(&c->result, "symbol", emu_symbol_get(c->venue->base.engine, list[i])->name);
        text_key_decimal(&c->result, "makerCommission", a->maker_rate);
        text_key_decimal(&c->result, "takerCommission", a->taker_rate);
        text_put(&c->result, "}");
    }
    text_put(&c->result, "]");
}

/* ---- sessions and user data ----------------------------------------------------------------------------------- */

static void
session_json(struct call *c)
{
    const struct session *s = c->session;
    struct text *t = &c->result;
    int64_t opened_us = c->now_us - (server_mono_ns() - s->opened_mono_ns) / 1000;

    text_put(t, "{");
    text_key(t, "apiKey");
    if (s->logon != NULL)
        text_string(t, s->logon->name);
    else
        text_put(t, "null");
    text_key(t, "authorizedSince");
    if (s->logon != NULL)
        text_int(t, call_stamp(c, s->logon_us));
    else
        text_put(t, "null");
    text_key_int(t, "connectedSince", call_stamp(c, opened_us));
    text_key_bool(t, "returnRateLimits", s->show_limits);
    text_key_int(t, "serverTime", call_stamp(c, c->now_us));
    text_key_bool(t, "userDataStream", s->user_count != 0);
    text_put(t, "}");
}

static void
run_logon(struct call *c)
{
    if (c->key->kind != KEY_ED25519) {
        call_fail(c, 400, -4056, "HMAC_SHA256 API key is not supported.");
        return;
    }
    c->session->logon = c->key;
    c->session->logon_us = c->now_us;
    session_json(c);
}

static void
run_session_status(struct call *c)
{
    session_json(c);
}

static void
drop_sub(struct session *s, size_t i)
{
    struct user_sub gone = s->user[i];
    memmove(&s->user[i], &s->user[i + 1], (s->user_count - i - 1) * sizeof(s->user[0]));
    s->user_count--;
    user_terminated(s, &gone);
}

static void
run_logout(struct call *c)
{
    struct session *s = c->session;

    for (size_t i = s->user_count; i-- > 0;)
        if (s->user[i].by_logon)
            drop_sub(s, i);
    s->logon = NULL;
    session_json(c);
}

static void
add_sub(struct call *c, uint32_t account, bool by_logon)
{
    struct session *s = c->session;

    for (size_t i = 0; i < s->user_count; i++)
        if (s->user[i].account == account) {
            call_fail(c, 400, -2035, "User Data Stream subscription already active.");
            return;
        }
    if (s->user_count == USER_SUBS_MAX || s->next_subscription == 65535) {
        call_fail(c, 400, -2042, "Maximum subscription ID reached for this connection.");
        return;
    }
    s->user[s->user_count++] =
        (struct user_sub){ .id = s->next_subscription++, .account = account, .by_logon = by_logon };
    text_put(&c->result, "{");
    text_key_int(&c->result, "subscriptionId", s->user[s->user_count - 1].id);
    text_put(&c->result, "}");
}

static void
run_subscribe(struct call *c)
{
    int account = c->session->logon != NULL ? emu_account_find(c->venue->base.engine, c->session->logon->account) : -1;
    if (account < 0)
        call_fail(c, 400, -2015, "Invalid API-key, IP, or permissions for action.");
    else
        add_sub(c, (uint32_t)account, true);
}

static void
run_subscribe_signature(struct call *c)
{
    add_sub(c, c->account, false);
}

static void
run_unsubscribe(struct call *c)
{
    struct session *s = c->session;
    int64_t id = -1;

    if (!call_int(c, "subscriptionId", 0, 65535, &id))
        return;
    bool any = false;
    for (size_t i = s->user_count; i-- > 0;)
        if (id < 0 || s->user[i].id == id) {
            drop_sub(s, i);
            any = true;
        }
    if (any)
        text_put(&c->result, "{}");
    else
        call_fail(c, 400, -2036, "User Data Stream subscription not active.");
}

static void
run_subscriptions(struct call *c)
{
    text_put(&c->result, "[");
    for (size_t i = 0; i < c->session->user_count; i++) {
        text_comma(&c->result);
        text_put(&c->result, "{");
        text_key_int(&c->result, "subscriptionId", c->session->user[i].id);
        text_put(&c->result, "}");
    }
    text_put(&c->result, "]");
}

static void
run_listen_key_start(struct call *c)
{
    const char *key = listen_key_make(c->venue, c->account);
    if (key == NULL) {
        call_fail(c, 400, -1000, "Too many listenKeys.");
        return;
    }
    text_put(&c->result, "{");
    text_key_word(&c->result, "listenKey", key);
    text_put(&c->result, "}");
}

static void
run_listen_key_keep(struct call *c)
{
    if (!listen_key_keep(c->venue, call_text(c, "listenKey")))
        call_fail(c, 400, -1125, "This listenKey does not exist.");
}

static void
run_listen_key_stop(struct call *c)
{
    if (!listen_key_drop(c->venue, call_text(c, "listenKey")))
        call_fail(c, 400, -1125, "This listenKey does not exist.");
}

const struct call_def account_calls[] = {
    { "account.status", HTTP_GET, "/api/v3/account", CALL_SIGNED, 20, " omitZeroBalances ", NULL, run_account },
    { "account.commission", HTTP_GET, "/api/v3/account/commission", CALL_SIGNED, 20, " symbol ", " symbol ",
      run_commission },
    { "account.rateLimits.orders", HTTP_GET, "/api/v3/rateLimit/order", CALL_SIGNED, 40, "", NULL, run_order_count },
    { "myPreventedMatches", HTTP_GET, "/api/v3/myPreventedMatches", CALL_SIGNED, 20,
      " symbol preventedMatchId orderId fromPreventedMatchId limit ", " symbol ", run_empty_list },
    { "myAllocations", HTTP_GET, "/api/v3/myAllocations", CALL_SIGNED, 20,
      " symbol startTime endTime fromAllocationId limit orderId ", " symbol ", run_empty_list },
    { NULL, HTTP_GET, "/sapi/v1/capital/config/getall", CALL_SIGNED, 10, "", NULL, run_all_coins },
    { NULL, HTTP_GET, "/sapi/v1/account/apiRestrictions", CALL_SIGNED, 1, "", NULL, run_api_restrictions },
    { NULL, HTTP_GET, "/sapi/v1/account/status", CALL_SIGNED, 1, "", NULL, run_account_status },
    { NULL, HTTP_GET, "/sapi/v1/account/apiTradingStatus", CALL_SIGNED, 1, "", NULL, run_api_trading_status },
    { NULL, HTTP_GET, "/sapi/v1/system/status", CALL_PUBLIC, 1, "", NULL, run_system_status },
    { NULL, HTTP_GET, "/sapi/v1/asset/tradeFee", CALL_SIGNED, 1, " symbol ", NULL, run_trade_fee },
    { NULL, HTTP_GET, "/sapi/v1/margin/allPairs", CALL_KEY, 1, "*", NULL, run_empty_list },
    { NULL, HTTP_GET, "/sapi/v1/margin/allAssets", CALL_KEY, 1, "*", NULL, run_empty_list },
    { NULL, HTTP_GET, "/sapi/v1/margin/isolated/allPairs", CALL_SIGNED, 1, " symbol ", NULL, run_empty_list },
    { "session.logon", HTTP_OTHER, NULL, CALL_SIGNED, 2, "", " apiKey ", run_logon },
    { "session.status", HTTP_OTHER, NULL, CALL_PUBLIC, 2, "", NULL, run_session_status },
    { "session.logout", HTTP_OTHER, NULL, CALL_PUBLIC, 2, "", NULL, run_logout },
    { "session.subscriptions", HTTP_OTHER, NULL, CALL_PUBLIC, 2, "", NULL, run_subscriptions },
    { "userDataStream.subscribe", HTTP_OTHER, NULL, CALL_PUBLIC, 2, "", NULL, run_subscribe },
    { "userDataStream.subscribe.signature", HTTP_OTHER, NULL, CALL_SIGNED, 2, "", " apiKey ", run_subscribe_signature },
    { "userDataStream.unsubscribe", HTTP_OTHER, NULL, CALL_PUBLIC, 2, " subscriptionId ", NULL, run_unsubscribe },
    { "userDataStream.start", HTTP_POST, "/api/v3/userDataStream", CALL_KEY, 2, "", NULL, run_listen_key_start },
    { "userDataStream.ping", HTTP_PUT, "/api/v3/userDataStream", CALL_KEY, 2, " listenKey ", " listenKey ",
      run_listen_key_keep },
    { "userDataStream.stop", HTTP_DELETE, "/api/v3/userDataStream", CALL_KEY, 2, " listenKey ", " listenKey ",
      run_listen_key_stop },
    { 0 },
};
