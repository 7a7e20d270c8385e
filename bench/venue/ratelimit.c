/* Clock-aligned counters. A window is now / interval; a count of another window is worth 0.
 *
 * Always true: interval_us > 0, count >= 0. */
#include "bench/venue/ratelimit.h"

#include "execgw/base.h"

#define SECOND_US INT64_C(1000000)

void
emu_limit_init(struct emu_limit *l, int64_t interval_us, int32_t limit)
{
    ASSERT(interval_us > 0);
    *l = (struct emu_limit){ .interval_us = interval_us, .limit = limit, .window = -1 };
}

int32_t
emu_limit_count(struct emu_limit *l, int64_t now_us)
{
    int64_t window = now_us / l->interval_us;

    if (window != l->window) {
        l->window = window;
        l->count = 0;
    }
    return l->count;
}

bool
emu_limit_take(struct emu_limit *l, int64_t now_us, int32_t n)
{
    if (emu_limit_count(l, now_us) > l->limit - n)
        return false;
    l->count += n;
    return true;
}

void
emu_limit_give_back(struct emu_limit *l, int64_t now_us, int32_t n)
{
    int32_t count = emu_limit_count(l, now_us);
    l->count = count > n ? count - n : 0;
}

bool
emu_limit_add(struct emu_limit *l, int64_t now_us, int32_t n)
{
    if (__builtin_add_overflow(emu_limit_count(l, now_us), n, &l->count))
        l->count = INT32_MAX;
    return l->count <= l->limit;
}

int64_t
emu_limit_resets_us(const struct emu_limit *l, int64_t now_us)
{
    return (now_us / l->interval_us + 1) * l->interval_us;
}

void
emu_order_limits_init(struct emu_order_limits *o, int32_t per_ten_seconds, int32_t per_day)
{
    emu_limit_init(&o->ten_seconds, 10 * SECOND_US, per_ten_seconds);
    emu_limit_init(&o->day, 86400 * SECOND_US, per_day);
}

bool
emu_order_limits_take(struct emu_order_limits *o, int64_t now_us)
{
    if (!emu_limit_take(&o->ten_seconds, now_us, 1))
        return false;
    if (emu_limit_take(&o->day, now_us, 1))
        return true;
    emu_limit_give_back(&o->ten_seconds, now_us, 1);
    return false;
}

void
emu_order_limits_filled(struct emu_order_limits *o, int64_t now_us)
{
    emu_limit_give_back(&o->ten_seconds, now_us, 1);
    emu_limit_give_back(&o->day, now_us, 1);
}
