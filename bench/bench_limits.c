/* Limits for measuring. See bench_limits.h. */
#include "bench/bench_limits.h"

#define MONEY (INT64_C(1000000000) * VALUE_ONE)

static const char *const currency[] = { "USDC", "BTC", "FDUSD", "TRY", "EUR", "ETH", "BNB", "BRL", "TUSD" };

static const struct group_limits wide = { MONEY, MONEY, RISK_QTY_MAX - 1, MONEY, MONEY };

void
bench_limits(struct risk_limits *l)
{
    const struct rate_limit fast = { RATE_PER_S_MAX, RATE_BURST_MAX };
    struct instrument_limits *i = &l->instrument_default;

    limits_default(l);
    l->version = 1;
    l->open_orders_max = LIMIT_OPEN_MAX;
    (void)snprintf(l->reporting, sizeof(l->reporting), "USDT");
    l->mark_age_max_ns = LIMIT_AGE_MAX_NS;
    l->duplicate_max = LIMIT_COUNT_NONE;
    l->latency_p999_max_ns = LIMIT_AGE_MAX_NS;
    l->stall_max_ns = LIMIT_AGE_MAX_NS;
    l->global = wide;
    for (uint32_t c = 0; c < ARRAY_LEN(currency); c++) {
        (void)snprintf(l->fixed[c].currency, CURRENCY_BYTES, "%s", currency[c]);
        l->fixed[c].rate = pow10_i64[RATE_DECIMALS];
    }
    l->fixed_count = ARRAY_LEN(currency);
    i->order_notional_max = INT64_C(1000000) * VALUE_ONE;
    i->order_qty_max = INT64_C(1000) * VALUE_ONE;
    i->position_long_max = INT64_C(1000000) * VALUE_ONE;
    i->position_short_max = INT64_C(1000000) * VALUE_ONE;
    i->open_orders_max = LIMIT_OPEN_MAX;
    i->tob_age_max_ns = LIMIT_AGE_MAX_NS; /* no market moves between two orders */
    i->good_age_max_ns = LIMIT_AGE_MAX_NS;
    i->order_rate = fast;
    l->client_default.open_orders_max = LIMIT_OPEN_MAX;
    l->client_default.order_rate = fast;
    l->client_default.replace_rate = fast;
    l->client_default.messages_per_fill_max = LIMIT_COUNT_NONE;
    l->client_default.group = wide;
    l->client_default.loss_window_max = MONEY;
    l->account_default.open_orders_max = LIMIT_OPEN_MAX;
    l->account_default.order_rate = fast;
    l->account_default.group = wide;
    l->venue_default.order_rate = fast;
    l->venue_default.ack_p99_max_ns = LIMIT_AGE_MAX_NS;
    l->venue_default.group = wide;
}
