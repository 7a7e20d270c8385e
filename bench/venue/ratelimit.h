/* Rate limits of the emulated venue: order counts per account and request weight per address.
 *
 * Windows are aligned to the clock, not sliding, as Binance's are: a count starts again at 0 when now / interval
 * changes. ORDERS counts unfilled orders: one is given back when an order fills for the first time, in whatever window
 * that happens, never below 0. Source: Binance Spot API docs, rest-api.md "Unfilled Order Count", seen 2026-07.
 *
 * Always true: 0 <= count; a window's count belongs to its number only. */
#ifndef EXECGW_BENCH_VENUE_RATELIMIT_H
#define EXECGW_BENCH_VENUE_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct emu_limit {
    int64_t interval_us;
    int32_t limit;
    int32_t count;
    int64_t window; /* number of the window that count belongs to */
};

/* An account's order counts. */
struct emu_order_limits {
    struct emu_limit ten_seconds, day;
};

void emu_limit_init(struct emu_limit *l, int64_t interval_us, int32_t limit);
/* The count of the window now is in. */
int32_t emu_limit_count(struct emu_limit *l, int64_t now_us);
/* Adds n and returns true when the count stays within the limit; else adds nothing. */
bool emu_limit_take(struct emu_limit *l, int64_t now_us, int32_t n);
void emu_limit_give_back(struct emu_limit *l, int64_t now_us, int32_t n);
/* Adds n whatever the limit says (a weight is counted also when it breaks the limit). Returns count <= limit. */
bool emu_limit_add(struct emu_limit *l, int64_t now_us, int32_t n);
/* When the current window ends: the `retryAfter` of an error. */
int64_t emu_limit_resets_us(const struct emu_limit *l, int64_t now_us);

void emu_order_limits_init(struct emu_order_limits *o, int32_t per_ten_seconds, int32_t per_day);
/* Takes one order of both windows, or none. */
bool emu_order_limits_take(struct emu_order_limits *o, int64_t now_us);
/* Call on the first TRADE of an order. */
void emu_order_limits_filled(struct emu_order_limits *o, int64_t now_us);

#endif
