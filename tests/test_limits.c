/* Limits: every number of a set at its least and largest and one past each, at every level; rules of a venue that make
 * no sense; a quantity in the instrument's own decimals. */
#include "risk/limits.h"
#include "tests/test.h"

static struct risk_limits l;
static struct fault fault;

static void
fresh(void)
{
    limits_default(&l);
    l.version = 1;
    memcpy(l.reporting, "USD", 4);
}

struct bound {
    size_t offset;
    unsigned bytes;
    int64_t min;
    int64_t max;
    const char *name;
};

static void
put(const struct bound *b, size_t base, int64_t v)
{
    uint32_t word = (uint32_t)v;
    uint8_t byte = (uint8_t)v;

    memcpy((uint8_t *)&l + base + b->offset,
           b->bytes == 8   ? (void *)&v
           : b->bytes == 4 ? (void *)&word
                           : &byte,
           b->bytes);
}

/* Each at both ends, and named one past each where its type has room. */
static void
ends(const struct bound *b, size_t count, size_t base, const char *where, void (*prepare)(void))
{
    char name[96];

    for (size_t i = 0; i < count; i++) {
        (void)snprintf(name, sizeof(name), "%s.%s", where, b[i].name);
        const int64_t value[] = { b[i].min, b[i].max, b[i].min - 1, b[i].max + 1 };
        int64_t largest = b[i].bytes == 8 ? INT64_MAX : b[i].bytes == 4 ? UINT32_MAX : UINT8_MAX;
        for (unsigned k = 0; k < 4; k++) {
            if (value[k] > largest || (value[k] < 0 && b[i].bytes < 8) || (k == 3 && b[i].max == INT64_MAX))
                continue;
            fresh();
            prepare();
            put(&b[i], base, value[k]);
            bool ok = limits_validate(&l, &fault);
            if (ok != (k < 2))
                fail_msg("%s = %lld: %s", name, (long long)value[k], ok ? "passed" : fault.text);
            if (!ok)
                CHECK(strncmp(fault.text, name, strlen(name)) == 0);
        }
    }
}

#define B(type, field, min, max)                                                          \
    {                                                                                     \
        offsetof(struct type, field), sizeof(((struct type *)0)->field), min, max, #field \
    }
#define RATE(type, field) B(type, field.per_s, 1, RATE_PER_S_MAX), B(type, field.burst, 1, RATE_BURST_MAX)
#define MONEY(type, group)                                                                 \
    { offsetof(struct type, group.gross_max), 8, 1, LIMIT_NONE, "gross_max" },             \
        { offsetof(struct type, group.net_max), 8, 1, LIMIT_NONE, "net_max" },             \
        { offsetof(struct type, group.day_value_max), 8, 1, LIMIT_NONE, "day_value_max" }, \
        { offsetof(struct type, group.day_loss_max), 8, 1, LIMIT_NONE, "day_loss_max" },   \
    {                                                                                      \
        offsetof(struct type, group.drawdown_max), 8, 1, LIMIT_NONE, "drawdown_max"        \
    }

static const struct bound general[] = {
    B(risk_limits, open_orders_max, 1, LIMIT_OPEN_MAX),     B(risk_limits, mark_age_max_ns, 1, LIMIT_AGE_MAX_NS),
    B(risk_limits, rate_age_max_ns, 1, LIMIT_AGE_MAX_NS),   B(risk_limits, roll_s, 0, 86399),
    B(risk_limits, duplicate_max, 1, LIMIT_COUNT_NONE),     B(risk_limits, duplicate_window_ns, 1, LIMIT_AGE_MAX_NS),
    B(risk_limits, breaker_window_ns, 1, LIMIT_AGE_MAX_NS), B(risk_limits, latency_p999_max_ns, 0, LIMIT_AGE_MAX_NS),
    B(risk_limits, stall_max_ns, 0, LIMIT_AGE_MAX_NS),      B(risk_limits, latency_samples_min, 1, LIMIT_OPEN_MAX),
};

/* Others bound some: order_qty_min <= order_qty_max, reduce_collar_ppm >= collar_ppm; prepare() leaves them room. */
static const struct bound instrument[] = {
    B(instrument_limits, order_qty_max, 1, RISK_QTY_MAX),
    B(instrument_limits, order_qty_min, 0, RISK_QTY_MAX),
    B(instrument_limits, order_notional_max, 1, RISK_QTY_MAX),
    B(instrument_limits, order_notional_min, 0, RISK_QTY_MAX),
    B(instrument_limits, position_long_max, 0, RISK_QTY_MAX),
    B(instrument_limits, position_short_max, 0, RISK_QTY_MAX),
    B(instrument_limits, tob_age_max_ns, 1, LIMIT_AGE_MAX_NS),
    B(instrument_limits, good_age_max_ns, 1, LIMIT_AGE_MAX_NS),
    B(instrument_limits, collar_ppm, 1, COLLAR_PPM_MAX),
    B(instrument_limits, spread_max_ppm, 1, COLLAR_PPM_MAX),
    B(instrument_limits, open_orders_max, 1, LIMIT_OPEN_MAX),
    B(instrument_limits, reduce_orders_extra, 0, LIMIT_OPEN_MAX),
    B(instrument_limits, margin_ppm, 0, MARGIN_PPM_MAX),
    B(instrument_limits, self_match, 0, SELF_MATCH_MODE_COUNT - 1),
    RATE(instrument_limits, order_rate),
};

static const struct bound client[] = {
    B(client_limits, open_orders_max, 1, LIMIT_OPEN_MAX),
    RATE(client_limits, order_rate),
    RATE(client_limits, denied_rate),
    RATE(client_limits, cancel_rate),
    RATE(client_limits, replace_rate),
    B(client_limits, messages_per_fill_max, 1, LIMIT_COUNT_NONE),
    B(client_limits, repeat_executions_max, 1, LIMIT_COUNT_NONE),
    B(client_limits, rejects_max, 1, LIMIT_OPEN_MAX),
};

static const struct bound client_money[] = { MONEY(client_limits, group),
                                             B(client_limits, loss_window_max, 1, LIMIT_NONE) };

static const struct bound account[] = {
    B(account_limits, open_orders_max, 1, LIMIT_OPEN_MAX),
    RATE(account_limits, order_rate),
    RATE(account_limits, reduce_rate),
    B(account_limits, leverage_max_ppm, 1, LIMIT_COUNT_NONE),
};

static const struct bound account_money[] = { MONEY(account_limits, group) };

static const struct bound venue[] = {
    RATE(venue_limits, order_rate),
    B(venue_limits, clock_offset_max_ns, 1, LIMIT_AGE_MAX_NS),
    B(venue_limits, rejects_max, 1, LIMIT_OPEN_MAX),
    B(venue_limits, ack_p99_max_ns, 0, LIMIT_AGE_MAX_NS),
};

static const struct bound venue_money[] = { MONEY(venue_limits, group) };
static const struct bound global_money[] = { MONEY(risk_limits, global) };

static void
nothing(void)
{
}

static void
wide_instrument(struct instrument_limits *i)
{
    i->order_qty_max = RISK_QTY_MAX;
    i->order_notional_max = RISK_QTY_MAX;
    i->order_qty_min = 0;
    i->order_notional_min = 0;
    i->reduce_collar_ppm = COLLAR_PPM_MAX;
}

static void
wide_default(void)
{
    wide_instrument(&l.instrument_default);
}

static void
one_override(void)
{
    l.override_count = 1;
    l.override[0] =
        (struct instrument_override){ .venue = VENUE_MAX - 1, .symbol = "X", .limits = l.instrument_default };
    wide_instrument(&l.override[0].limits);
}

static void
last_of_each(void)
{
    l.client_set = UINT64_C(1) << (CLIENT_MAX - 1);
    l.client[CLIENT_MAX - 1] = l.client_default;
    l.account_set = 1u << (ACCOUNT_MAX - 1);
    l.account[ACCOUNT_MAX - 1] = l.account_default;
    l.venue_set = 1u << (VENUE_MAX - 1);
    l.venue[VENUE_MAX - 1] = l.venue_default;
}

#define ENDS(table, base, where, prepare) ends(table, ARRAY_LEN(table), base, where, prepare)

TEST(every_number_passes_at_its_ends_and_is_named_one_past_them)
{
    char where[32];

    ENDS(general, 0, "limits", nothing);
    ENDS(global_money, 0, "global", nothing);
    ENDS(instrument, offsetof(struct risk_limits, instrument_default), "instrument_default", wide_default);
    ENDS(instrument, offsetof(struct risk_limits, override[0].limits), "override[X]", one_override);
    ENDS(client, offsetof(struct risk_limits, client_default), "client_default", nothing);
    ENDS(client_money, offsetof(struct risk_limits, client_default), "client_default", nothing);
    ENDS(account, offsetof(struct risk_limits, account_default), "account_default", nothing);
    ENDS(account_money, offsetof(struct risk_limits, account_default), "account_default", nothing);
    ENDS(venue, offsetof(struct risk_limits, venue_default), "venue_default", nothing);
    ENDS(venue_money, offsetof(struct risk_limits, venue_default), "venue_default", nothing);
    (void)snprintf(where, sizeof(where), "client[%d]", CLIENT_MAX - 1);
    ENDS(client, offsetof(struct risk_limits, client[CLIENT_MAX - 1]), where, last_of_each);
    ENDS(client_money, offsetof(struct risk_limits, client[CLIENT_MAX - 1]), "client", last_of_each);
    (void)snprintf(where, sizeof(where), "account[%d]", ACCOUNT_MAX - 1);
    ENDS(account, offsetof(struct risk_limits, account[ACCOUNT_MAX - 1]), where, last_of_each);
    ENDS(account_money, offsetof(struct risk_limits, account[ACCOUNT_MAX - 1]), "account", last_of_each);
    (void)snprintf(where, sizeof(where), "venue[%d]", VENUE_MAX - 1);
    ENDS(venue, offsetof(struct risk_limits, venue[VENUE_MAX - 1]), where, last_of_each);
    ENDS(venue_money, offsetof(struct risk_limits, venue[VENUE_MAX - 1]), "venue", last_of_each);
}

static bool
valid(void)
{
    return limits_validate(&l, &fault);
}

TEST(a_limit_of_money_needs_a_reporting_currency_at_every_level)
{
    value_t *const at[] = { &l.global.net_max,
                            &l.client_default.loss_window_max,
                            &l.client_default.group.gross_max,
                            &l.account_default.group.drawdown_max,
                            &l.venue_default.group.day_value_max,
                            &l.client[CLIENT_MAX - 1].group.day_loss_max,
                            &l.client[CLIENT_MAX - 1].loss_window_max,
                            &l.account[ACCOUNT_MAX - 1].group.gross_max,
                            &l.venue[VENUE_MAX - 1].group.net_max };

    for (size_t i = 0; i < ARRAY_LEN(at); i++) {
        fresh();
        last_of_each();
        *at[i] = VALUE_ONE;
        CHECK(valid());
        l.reporting[0] = '\0';
        CHECK(!valid());
        *at[i] = LIMIT_NONE;
        CHECK(valid());
    }
}

TEST(lists_are_as_long_as_they_may_be_and_no_longer_and_what_stands_in_them_is_known)
{
    fresh();
    l.fixed_count = RATE_FIXED_MAX;
    for (unsigned i = 0; i < RATE_FIXED_MAX; i++)
        l.fixed[i] = (struct rate_fixed){ .currency = "EUR", .rate = i == 0 ? INT64_MAX : 1 };
    CHECK(valid());
    l.fixed[RATE_FIXED_MAX - 1].rate = 0;
    CHECK(!valid());
    CHECK_STR(fault.text, "rate[EUR].rate: is 0, expected 1 to 9223372036854775807");
    l.fixed_count++;
    CHECK(!valid());
    CHECK(strncmp(fault.text, "limits.fixed_count", 18) == 0);

    fresh();
    l.permit_count = PERMIT_MAX;
    l.permit[PERMIT_MAX - 1].client = CLIENT_MAX - 1;
    CHECK(valid());
    l.permit[PERMIT_MAX - 1].client = CLIENT_MAX;
    CHECK(!valid());
    CHECK_STR(fault.text, "permit[1023].client: is 64, expected 0 to 63");
    l.permit_count++;
    CHECK(!valid());
    CHECK(strncmp(fault.text, "limits.permit_count", 19) == 0);

    fresh();
    one_override();
    CHECK(valid());
    memset(l.override[0].symbol, 'X', SYMBOL_BYTES - 1);
    CHECK(valid());
    l.override[0].symbol[SYMBOL_BYTES - 1] = 'X';
    CHECK(!valid());
    one_override();
    l.override[0].venue = VENUE_MAX;
    CHECK(!valid());
    CHECK(strncmp(fault.text, "override[X].venue", 17) == 0);
    l.override_count = INSTRUMENT_MAX;
    for (uint32_t i = 0; i < INSTRUMENT_MAX; i++) {
        l.override[i] = (struct instrument_override){ .limits = l.instrument_default };
        (void)snprintf(l.override[i].symbol, SYMBOL_BYTES, "S%u", i);
    }
    CHECK(valid());
    l.override_count++;
    CHECK(!valid());
}

static struct instrument
sane(void)
{
    return (struct instrument){
        .id = INSTRUMENT_MAX - 1,
        .version = 1,
        .venue = VENUE_MAX - 1,
        .px_decimals = 9,
        .qty_decimals = 9,
        .tick = 1,
        .step = 1,
        .multiplier = 1,
        .symbol = "X",
    };
}

TEST(an_override_is_of_one_symbol_at_one_venue)
{
    struct instrument ins = sane();

    fresh();
    one_override();
    l.override_count = 3;
    l.override[1] = l.override[2] = l.override[0];
    l.override[0].venue = 0;              /* the same name elsewhere */
    memcpy(l.override[1].symbol, "Y", 2); /* another name here */
    l.override[2].limits.order_qty_max = 77;
    CHECK(valid());
    CHECK_EQ(limits_of(&l, &ins)->order_qty_max, 77);
    ins.symbol[0] = 'Z';
    CHECK(limits_of(&l, &ins) == &l.instrument_default);
    ins.symbol[0] = 'X';
    ins.venue = 1;
    CHECK(limits_of(&l, &ins) == &l.instrument_default);
}

TEST(rules_of_a_venue_at_the_edge_of_sense_and_past_it)
{
    struct resolved_limits r;
    struct instrument ins = sane();

    fresh();
    CHECK(limits_resolve(&l.instrument_default, &ins, &r, &fault));
    CHECK_EQ(r.px_max, INT64_MAX); /* none stated */
#define PAST(change)                                                     \
    do {                                                                 \
        ins = sane();                                                    \
        change;                                                          \
        CHECK(!limits_resolve(&l.instrument_default, &ins, &r, &fault)); \
        CHECK_EQ(r.instrument_version, 0);                               \
    } while (0)
#define AT(change)                                                      \
    do {                                                                \
        ins = sane();                                                   \
        change;                                                         \
        CHECK(limits_resolve(&l.instrument_default, &ins, &r, &fault)); \
        CHECK_EQ(r.instrument_version, 1);                              \
    } while (0)
    PAST(ins.version = 0);
    PAST(ins.id = INSTRUMENT_MAX);
    PAST(ins.venue = VENUE_MAX);
    AT(ins.px_decimals = DECIMALS_MAX; ins.qty_decimals = 0);
    AT(ins.px_decimals = 0; ins.qty_decimals = DECIMALS_MAX);
    PAST(ins.px_decimals = DECIMALS_MAX + 1; ins.qty_decimals = 0);
    PAST(ins.px_decimals = 0; ins.qty_decimals = DECIMALS_MAX + 1);
    PAST(ins.px_decimals = 10); /* 19 together */
    PAST(ins.tick = 0);
    PAST(ins.step = 0);
    PAST(ins.multiplier = 0);
    AT(ins.qty_min = 5; ins.qty_max = 5; ins.px_min = 7; ins.px_max = 7);
    PAST(ins.qty_min = -1);
    PAST(ins.qty_min = 5; ins.qty_max = 4);
    PAST(ins.px_min = -1; ins.px_max = 1);
    PAST(ins.px_min = 7; ins.px_max = 6);
    PAST(ins.notional_min = -1);
    PAST(ins.notional_max = -1);
    AT(ins.notional_min = l.instrument_default.order_notional_max);
    PAST(ins.notional_min = l.instrument_default.order_notional_max + 1);
    AT(ins.notional_min = 3; ins.notional_max = 3);
}

TEST(a_quantity_is_rounded_to_the_instruments_decimals_against_us_and_stays_in_range)
{
    struct resolved_limits r;
    struct instrument ins = sane();

    fresh();
    ins.px_decimals = 0;
    ins.qty_decimals = 6;
    l.instrument_default.order_qty_min = 101; /* 1.01 units of 10^-6 */
    l.instrument_default.order_qty_max = 999;
    l.instrument_default.position_long_max = 1099;
    l.instrument_default.position_short_max = 1199;
    CHECK(limits_resolve(&l.instrument_default, &ins, &r, &fault));
    CHECK_EQ(r.qty_min, 2);
    CHECK_EQ(r.qty_max, 9);
    CHECK_EQ(r.long_max, 10);
    CHECK_EQ(r.short_max, 11);
    l.instrument_default.order_qty_min = 100; /* exact */
    CHECK(limits_resolve(&l.instrument_default, &ins, &r, &fault));
    CHECK_EQ(r.qty_min, 1);
    ins.qty_decimals = 8;
    CHECK(limits_resolve(&l.instrument_default, &ins, &r, &fault));
    CHECK_EQ(r.qty_max, 999);
    ins.qty_decimals = 10;
    l.instrument_default.position_long_max = RISK_QTY_MAX / 100;
    CHECK(limits_resolve(&l.instrument_default, &ins, &r, &fault));
    CHECK_EQ(r.qty_max, 99900);
    CHECK_EQ(r.long_max, RISK_QTY_MAX / 100 * 100);
    l.instrument_default.position_long_max = RISK_QTY_MAX / 100 + 1; /* past it */
    l.instrument_default.position_short_max = RISK_QTY_MAX;          /* past an int64_t */
    CHECK(limits_resolve(&l.instrument_default, &ins, &r, &fault));
    CHECK_EQ(r.long_max, RISK_QTY_MAX);
    CHECK_EQ(r.short_max, RISK_QTY_MAX);
    ins.qty_decimals = 6; /* all of it below one unit */
    l.instrument_default.order_qty_min = 0;
    l.instrument_default.order_qty_max = 100;
    CHECK(limits_resolve(&l.instrument_default, &ins, &r, &fault));
    l.instrument_default.order_qty_max = 99;
    CHECK(!limits_resolve(&l.instrument_default, &ins, &r, &fault));
}

TEST(what_stands_without_any_configuration_limits)
{
    limits_default(&l);
    CHECK_EQ(l.instrument_default.position_long_max, 1000000 * VALUE_ONE);
    CHECK_EQ(l.instrument_default.order_qty_max, 1000000 * VALUE_ONE);
    CHECK_EQ(l.instrument_default.order_notional_max, 1000 * VALUE_ONE);
    CHECK_EQ(l.instrument_default.position_short_max, 0);
}

TEST_MAIN()
