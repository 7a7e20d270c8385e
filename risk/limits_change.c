/* Differences of limits. See limits_change.h. */
#include "risk/limits_change.h"

/* Which way a number is tighter. */
enum sense {
    LESS,      /* a maximum */
    MORE,      /* a minimum, a window that counts */
    LESS_0,    /* a maximum; 0 = not watched at all */
    MORE_0,    /* a minimum; 0 = nothing passes */
    FEWER,     /* bits */
    EITHER_WAY /* no direction is certain */
};

struct number {
    const char *name;
    uint16_t offset;
    uint8_t bytes;
    uint8_t sense;
};

#define NUMBER(type, field, s)                                                     \
    {                                                                              \
#field, offsetof(struct type, field), sizeof(((struct type *)0)->field), s \
    }
#define RATE(type, field, s) NUMBER(type, field.per_s, s), NUMBER(type, field.burst, s)
#define GROUP(type, prefix)                                                                \
    NUMBER(type, prefix.gross_max, LESS), NUMBER(type, prefix.net_max, LESS),              \
        NUMBER(type, prefix.day_value_max, LESS), NUMBER(type, prefix.day_loss_max, LESS), \
        NUMBER(type, prefix.drawdown_max, LESS)

static const struct number general_numbers[] = {
    NUMBER(risk_limits, open_orders_max, LESS),
    NUMBER(risk_limits, mark_age_max_ns, LESS),
    NUMBER(risk_limits, rate_age_max_ns, LESS),
    NUMBER(risk_limits, roll_s, EITHER_WAY),
    NUMBER(risk_limits, duplicate_max, LESS),
    NUMBER(risk_limits, duplicate_window_ns, MORE),
    NUMBER(risk_limits, breaker_window_ns, EITHER_WAY),
    NUMBER(risk_limits, latency_p999_max_ns, LESS_0),
    NUMBER(risk_limits, stall_max_ns, LESS_0),
    NUMBER(risk_limits, latency_samples_min, LESS), /* a window with fewer says nothing */
    GROUP(risk_limits, global),
};

static const struct number instrument_numbers[] = {
    NUMBER(instrument_limits, order_qty_min, MORE),
    NUMBER(instrument_limits, order_qty_max, LESS),
    NUMBER(instrument_limits, order_notional_min, MORE),
    NUMBER(instrument_limits, order_notional_max, LESS),
    NUMBER(instrument_limits, position_long_max, LESS),
    NUMBER(instrument_limits, position_short_max, LESS),
    NUMBER(instrument_limits, tob_age_max_ns, LESS),
    NUMBER(instrument_limits, good_age_max_ns, LESS),
    NUMBER(instrument_limits, collar_ppm, LESS),
    NUMBER(instrument_limits, reduce_collar_ppm, LESS),
    NUMBER(instrument_limits, spread_max_ppm, LESS),
    NUMBER(instrument_limits, open_orders_max, LESS),
    NUMBER(instrument_limits, reduce_orders_extra, LESS),
    NUMBER(instrument_limits, margin_ppm, MORE_0),
    RATE(instrument_limits, order_rate, LESS),
    NUMBER(instrument_limits, restricted, MORE),
    NUMBER(instrument_limits, self_match, EITHER_WAY),
};

static const struct number client_numbers[] = {
    NUMBER(client_limits, open_orders_max, LESS),
    RATE(client_limits, order_rate, LESS),
    RATE(client_limits, denied_rate, LESS),
    RATE(client_limits, cancel_rate, EITHER_WAY), /* a cancel that may not pass leaves a risk where it is */
    RATE(client_limits, replace_rate, LESS),
    NUMBER(client_limits, messages_free, LESS),
    NUMBER(client_limits, messages_per_fill_max, LESS),
    NUMBER(client_limits, repeat_executions_max, LESS),
    NUMBER(client_limits, rejects_max, LESS),
    NUMBER(client_limits, loss_window_max, LESS),
    NUMBER(client_limits, flood_halts, MORE),
    NUMBER(client_limits, symbols_only, MORE),
    NUMBER(client_limits, accounts, FEWER),
    NUMBER(client_limits, verbs, FEWER),
    GROUP(client_limits, group),
};

static const struct number account_numbers[] = {
    NUMBER(account_limits, open_orders_max, LESS),
    RATE(account_limits, order_rate, LESS),
    RATE(account_limits, reduce_rate, LESS),
    NUMBER(account_limits, leverage_max_ppm, LESS),
    GROUP(account_limits, group),
};

static const struct number venue_numbers[] = {
    RATE(venue_limits, order_rate, LESS),
    NUMBER(venue_limits, clock_offset_max_ns, LESS),
    NUMBER(venue_limits, rejects_max, LESS),
    NUMBER(venue_limits, ack_p99_max_ns, LESS_0),
    GROUP(venue_limits, group),
};

struct walk {
    limits_difference_fn each;
    void *ctx;
};

static int64_t
value_at(const void *base, const struct number *n)
{
    const uint8_t *at = (const uint8_t *)base + n->offset;
    int64_t wide;
    uint32_t word;

    switch (n->bytes) {
    case 1: return *at;
    case 4: memcpy(&word, at, 4); return word;
    default: memcpy(&wide, at, 8); return wide;
    }
}

static enum limits_change
change_of(enum sense sense, int64_t before, int64_t after)
{
    bool tighter = false;

    if (before == after)
        return LIMITS_SAME;
    switch (sense) {
    case LESS: tighter = after < before; break;
    case MORE: tighter = after > before; break;
    case LESS_0: tighter = after != 0 && (before == 0 || after < before); break;
    case MORE_0: tighter = after == 0 || (before != 0 && after > before); break;
    case FEWER: tighter = (after & ~before) == 0; break;
    case EITHER_WAY: break;
    }
    return tighter ? LIMITS_TIGHTER : LIMITS_LOOSER;
}

/* The numbers of one part. all: those that are the same too. */
static void
part(const struct walk *w, const char *where, const void *before, const void *after, const struct number *numbers,
     size_t count, bool all)
{
    char path[LIMITS_PATH_BYTES];

    for (size_t i = 0; i < count; i++) {
        int64_t a = value_at(before, &numbers[i]);
        int64_t b = value_at(after, &numbers[i]);
        if (a == b && !all)
            continue;
        (void)snprintf(path, sizeof(path), "%s%s%s", where, *where != '\0' ? "." : "", numbers[i].name);
        w->each(w->ctx, path, a, b, change_of((enum sense)numbers[i].sense, a, b));
    }
}

#define PART(w, where, before, after, numbers, all) part(w, where, before, after, numbers, ARRAY_LEN(numbers), all)

/* Something that is there, or is not. */
static void
there(const struct walk *w, bool before, bool after, enum limits_change change, const char *path)
{
    if (before != after)
        w->each(w->ctx, path, before, after, change);
}

/* ---- lists ------------------------------------------------------------------------------------------------------- */

static const struct instrument_limits *
override_find(const struct risk_limits *l, const struct instrument_override *o, uint32_t at)
{
    for (uint32_t i = 0; i < l->override_count; i++) { /* usually at the same place */
        const struct instrument_override *x = &l->override[(at + i) % l->override_count];
        if (x->venue == o->venue && strncmp(x->symbol, o->symbol, SYMBOL_BYTES) == 0)
            return &x->limits;
    }
    return NULL;
}

static void
override_path(const struct instrument_override *o, char path[LIMITS_PATH_BYTES])
{
    (void)snprintf(path, LIMITS_PATH_BYTES, "override[%u.%.*s]", o->venue, SYMBOL_BYTES, o->symbol);
}

static void
overrides(const struct walk *w, const struct risk_limits *before, const struct risk_limits *after, bool fresh)
{
    char path[LIMITS_PATH_BYTES];

    for (uint32_t i = 0; i < after->override_count; i++) {
        const struct instrument_override *o = &after->override[i];
        const struct instrument_limits *was = fresh ? NULL : override_find(before, o, i);
        override_path(o, path);
        PART(w, path,
             was != NULL ? was
             : fresh     ? &after->instrument_default
                         : &before->instrument_default,
             &o->limits, instrument_numbers, false);
    }
    for (uint32_t i = 0; !fresh && i < before->override_count; i++) {
        const struct instrument_override *o = &before->override[i];
        if (override_find(after, o, i) != NULL)
            continue;
        override_path(o, path);
        PART(w, path, &o->limits, &after->instrument_default, instrument_numbers, false);
    }
}

static int64_t
fixed_rate(const struct risk_limits *l, const char currency[CURRENCY_BYTES])
{
    for (uint32_t i = 0; i < l->fixed_count; i++)
        if (strncmp(l->fixed[i].currency, currency, CURRENCY_BYTES) == 0)
            return l->fixed[i].rate;
    return 0;
}

static bool
permitted(const struct risk_limits *l, const struct permit *p)
{
    for (uint32_t i = 0; i < l->permit_count; i++)
        if (l->permit[i].client == p->client && strncmp(l->permit[i].symbol, p->symbol, SYMBOL_BYTES) == 0)
            return true;
    return false;
}

static void
currencies(const struct walk *w, const struct risk_limits *before, const struct risk_limits *after, bool fresh)
{
    char path[LIMITS_PATH_BYTES];

    if (fresh || strncmp(before->reporting, after->reporting, CURRENCY_BYTES) != 0) {
        (void)snprintf(path, sizeof(path), "reporting[%.*s]", CURRENCY_BYTES, after->reporting);
        there(w, false, true, LIMITS_LOOSER, path);
    }
    for (uint32_t i = 0; i < after->fixed_count; i++) {
        int64_t was = fresh ? 0 : fixed_rate(before, after->fixed[i].currency);
        (void)snprintf(path, sizeof(path), "rate[%.*s]", CURRENCY_BYTES, after->fixed[i].currency);
        if (was != after->fixed[i].rate)
            w->each(w->ctx, path, was, after->fixed[i].rate, LIMITS_LOOSER);
    }
    for (uint32_t i = 0; !fresh && i < before->fixed_count; i++) {
        (void)snprintf(path, sizeof(path), "rate[%.*s]", CURRENCY_BYTES, before->fixed[i].currency);
        if (fixed_rate(after, before->fixed[i].currency) == 0)
            w->each(w->ctx, path, before->fixed[i].rate, 0, LIMITS_LOOSER);
    }
}

static void
permits(const struct walk *w, const struct risk_limits *before, const struct risk_limits *after, bool fresh)
{
    char path[LIMITS_PATH_BYTES];

    for (uint32_t i = 0; i < after->permit_count; i++) {
        const struct permit *p = &after->permit[i];
        (void)snprintf(path, sizeof(path), "permit[%u.%.*s]", p->client, SYMBOL_BYTES, p->symbol);
        there(w, !fresh && permitted(before, p), true, LIMITS_LOOSER, path);
    }
    for (uint32_t i = 0; !fresh && i < before->permit_count; i++) {
        const struct permit *p = &before->permit[i];
        (void)snprintf(path, sizeof(path), "permit[%u.%.*s]", p->client, SYMBOL_BYTES, p->symbol);
        there(w, true, permitted(after, p), LIMITS_TIGHTER, path);
    }
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

/* One level's entries: where either set states them. */
#define EACH_OF(w, name, max, mask, of, by_default, numbers, before, after, fresh)                        \
    for (uint32_t i = 0; i < (max); i++) {                                                                \
        char where[LIMITS_PATH_BYTES];                                                                    \
        bool stated = ((after)->mask >> i & 1) != 0 || (!(fresh) && ((before)->mask >> i & 1) != 0);      \
        (void)snprintf(where, sizeof(where), name "[%u]", i);                                             \
        if (stated)                                                                                       \
            PART(w, where, (fresh) ? &(after)->by_default : of(before, i), of(after, i), numbers, false); \
    }

void
limits_differences(const struct risk_limits *before, const struct risk_limits *after, limits_difference_fn each,
                   void *ctx)
{
    const struct walk w = { .each = each, .ctx = ctx };
    bool fresh = before == NULL;

    if (fresh)
        before = after;
    PART(&w, "", before, after, general_numbers, fresh);
    PART(&w, "instrument_default", &before->instrument_default, &after->instrument_default, instrument_numbers, fresh);
    PART(&w, "client_default", &before->client_default, &after->client_default, client_numbers, fresh);
    PART(&w, "account_default", &before->account_default, &after->account_default, account_numbers, fresh);
    PART(&w, "venue_default", &before->venue_default, &after->venue_default, venue_numbers, fresh);
    EACH_OF(&w, "client", CLIENT_MAX, client_set, limits_client, client_default, client_numbers, before, after, fresh)
    EACH_OF(&w, "account", ACCOUNT_MAX, account_set, limits_account, account_default, account_numbers, before, after,
            fresh)
    EACH_OF(&w, "venue", VENUE_MAX, venue_set, limits_venue, venue_default, venue_numbers, before, after, fresh)
    overrides(&w, before, after, fresh);
    currencies(&w, before, after, fresh);
    permits(&w, before, after, fresh);
}

static void
worst(void *ctx, const char *path, int64_t before, int64_t after, enum limits_change change)
{
    enum limits_change *most = (enum limits_change *)ctx;

    (void)path;
    (void)before;
    (void)after;
    *most = MAX(*most, change);
}

enum limits_change
limits_compare(const struct risk_limits *before, const struct risk_limits *after)
{
    enum limits_change most = LIMITS_SAME;

    limits_differences(before, after, worst, &most);
    return most;
}
