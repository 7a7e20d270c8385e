/* What differs between two sets of limits, and which way: no number may be missing, none may pass for tighter that is
 * not; and what becomes of limits set by hand. */
#include "engine/by_hand.h"
#include "risk/limits_change.h"
#include "tests/test.h"

static struct risk_limits a;
static struct risk_limits b;

static void
both(void)
{
    limits_default(&a);
    a.version = 1;
    memcpy(a.reporting, "USD", 4);
    b = a;
}

struct seen {
    unsigned count;
    char path[LIMITS_PATH_BYTES];
    int64_t before;
    int64_t after;
    enum limits_change change;
};

static void
see(void *ctx, const char *path, int64_t before, int64_t after, enum limits_change change)
{
    struct seen *s = (struct seen *)ctx;

    s->count++;
    (void)snprintf(s->path, sizeof(s->path), "%s", path);
    s->before = before;
    s->after = after;
    s->change = change;
}

/* How many bytes of a part are no number of it: padding. A new member that nobody has put into the table is one. */
static size_t
unseen(size_t offset, size_t bytes)
{
    size_t n = 0;

    for (size_t i = offset; i < offset + bytes; i++) {
        both();
        ((uint8_t *)&b)[i] ^= 1;
        n += limits_compare(&a, &b) == LIMITS_SAME;
    }
    return n;
}

#define PADDING(member, sum) \
    CHECK_EQ(unseen(offsetof(struct risk_limits, member), sizeof(a.member)), sizeof(a.member) - (sum))

TEST(every_number_of_a_set_is_compared)
{
    PADDING(global, 5 * 8);
    PADDING(instrument_default, 4 * 8 + 2 * 8 + 2 * 8 + 6 * 4 + 8 + 2);
    PADDING(client_default, 4 + 4 * 8 + 4 * 4 + 8 + 2 + 2 * 4 + 5 * 8);
    PADDING(account_default, 4 + 2 * 8 + 4 + 5 * 8);
    PADDING(venue_default, 8 + 8 + 4 + 8 + 5 * 8);
    /* Everything that is stated once, but the version. */
    size_t general = offsetof(struct risk_limits, global);
    size_t numbers = 4 + CURRENCY_BYTES + 2 * 8 + 4 + 4 + 4 * 8 + 4;
    size_t missed = unseen(0, general);
    CHECK(missed >= 4 && missed <= general - numbers + CURRENCY_BYTES); /* a currency's name ends at its NUL */
}

TEST(a_number_is_tighter_one_way_only)
{
    static const struct {
        size_t offset;
        int64_t more; /* the change that is tighter */
    } at[] = {
        { offsetof(struct risk_limits, open_orders_max), -1 },
        { offsetof(struct risk_limits, duplicate_max), -1 },
        { offsetof(struct risk_limits, latency_samples_min), -1 },
        { offsetof(struct risk_limits, instrument_default.collar_ppm), -1 },
        { offsetof(struct risk_limits, instrument_default.open_orders_max), -1 },
        { offsetof(struct risk_limits, client_default.messages_free), -1 },
        { offsetof(struct risk_limits, client_default.order_rate.per_s), -1 },
        { offsetof(struct risk_limits, account_default.reduce_rate.burst), -1 },
        { offsetof(struct risk_limits, venue_default.rejects_max), -1 },
    };
    for (size_t i = 0; i < ARRAY_LEN(at); i++) {
        uint32_t v;
        both();
        memcpy(&v, (uint8_t *)&a + at[i].offset, 4);
        v = (uint32_t)(v + at[i].more);
        memcpy((uint8_t *)&b + at[i].offset, &v, 4);
        CHECK_EQ(limits_compare(&a, &b), LIMITS_TIGHTER);
        CHECK_EQ(limits_compare(&b, &a), LIMITS_LOOSER);
    }
    both();
    b.instrument_default.order_qty_min = 5; /* a minimum */
    b.instrument_default.restricted = true;
    b.client_default.verbs = 1u << COMMAND_NEW; /* fewer verbs */
    b.stall_max_ns = 1;                         /* 0: was not watched */
    CHECK_EQ(limits_compare(&a, &b), LIMITS_TIGHTER);
    CHECK_EQ(limits_compare(&b, &a), LIMITS_LOOSER);
    b.client_default.accounts = a.client_default.accounts;
    b.roll_s = 1; /* no direction is certain; one such among many tighter ones is enough */
    CHECK_EQ(limits_compare(&a, &b), LIMITS_LOOSER);
    CHECK_EQ(limits_compare(&b, &a), LIMITS_LOOSER);
    both();
    a.instrument_default.margin_ppm = 100; /* 0: not stated, denies */
    CHECK_EQ(limits_compare(&b, &a), LIMITS_LOOSER);
    CHECK_EQ(limits_compare(&a, &b), LIMITS_TIGHTER);
}

TEST(what_is_stated_for_one_is_compared_with_what_held_for_it_before)
{
    struct seen s = { 0 };
    both();
    b.client_set = 1u << 3;
    b.client[3] = b.client_default;
    CHECK_EQ(limits_compare(&a, &b), LIMITS_SAME); /* the same numbers, stated */
    b.client[3].open_orders_max = a.client_default.open_orders_max + 1;
    limits_differences(&a, &b, see, &s);
    CHECK_EQ(s.count, 1);
    CHECK_STR(s.path, "client[3].open_orders_max");
    CHECK_EQ(s.change, LIMITS_LOOSER);
    both();
    b.override_count = 1;
    b.override[0].venue = 0;
    memcpy(b.override[0].symbol, "BTCUSDT", 8);
    b.override[0].limits = b.instrument_default;
    CHECK_EQ(limits_compare(&a, &b), LIMITS_SAME);
    b.override[0].limits.order_qty_max--;
    s = (struct seen){ 0 };
    limits_differences(&a, &b, see, &s);
    CHECK_EQ(s.count, 1);
    CHECK_STR(s.path, "override[0.BTCUSDT].order_qty_max");
    CHECK_EQ(s.before - s.after, 1);
    CHECK_EQ(s.change, LIMITS_TIGHTER);
    CHECK_EQ(limits_compare(&b, &a), LIMITS_LOOSER); /* it goes away */
    /* Places in the list do not count. */
    a = b;
    a.override_count = b.override_count = 2;
    a.override[1] = a.override[0];
    memcpy(a.override[1].symbol, "ETHUSDT", 8);
    b.override[0] = a.override[1];
    b.override[1] = a.override[0];
    CHECK_EQ(limits_compare(&a, &b), LIMITS_SAME);
    /* Nor is one venue's the other's of the same name. */
    b.override[0].venue = 1;
    memcpy(b.override[0].symbol, "BTCUSDT", 8);
    b.override[0].limits = b.instrument_default;
    b.override[0].limits.order_qty_max--;
    b.override[0].limits.collar_ppm--;
    a = b;
    a.override[0] = b.override[1];
    a.override[1] = b.override[0];
    CHECK_EQ(limits_compare(&a, &b), LIMITS_SAME);
    b.override[0].limits.collar_ppm--;
    s = (struct seen){ 0 };
    limits_differences(&a, &b, see, &s);
    CHECK_EQ(s.count, 1);
    CHECK_STR(s.path, "override[1.BTCUSDT].collar_ppm");
    b.override_count = 1; /* the other one goes */
    b.override[0].limits.collar_ppm++;
    s = (struct seen){ 0 };
    limits_differences(&a, &b, see, &s);
    CHECK_EQ(s.count, 1);
    CHECK_STR(s.path, "override[0.BTCUSDT].order_qty_max");
    CHECK_EQ(s.change, LIMITS_LOOSER);
}

TEST(a_level_that_is_stated_no_more_is_compared_with_its_default)
{
    struct seen s = { 0 };
    both();
    a.venue_set = 1;
    a.venue[0] = a.venue_default;
    a.venue[0].rejects_max--;
    limits_differences(&a, &b, see, &s);
    CHECK_EQ(s.count, 1);
    CHECK_STR(s.path, "venue[0].rejects_max");
    CHECK_EQ(s.change, LIMITS_LOOSER);
}

TEST(permits_and_rates_are_compared_by_name)
{
    struct seen s = { 0 };

    both();
    a.permit_count = b.permit_count = 2;
    a.permit[0] = b.permit[1] = (struct permit){ .client = 2, .symbol = "BTCUSDT" };
    a.permit[1] = b.permit[0] = (struct permit){ .client = 3, .symbol = "ETHUSDT" };
    CHECK_EQ(limits_compare(&a, &b), LIMITS_SAME);
    b.permit[0].client = 2; /* each is permitted to somebody, but not this one to this one */
    limits_differences(&a, &b, see, &s);
    CHECK_EQ(s.count, 2);
    CHECK_STR(s.path, "permit[3.ETHUSDT]"); /* gone, last */
    CHECK_EQ(s.change, LIMITS_TIGHTER);
    CHECK_EQ(limits_compare(&a, &b), LIMITS_LOOSER);
    s = (struct seen){ 0 };
    a = b;
    a.permit_count = 1;
    limits_differences(&a, &b, see, &s);
    CHECK_EQ(s.count, 1);
    CHECK_STR(s.path, "permit[2.BTCUSDT]");
    s = (struct seen){ 0 };
    both();
    memcpy(b.reporting, "EUR", 4);
    limits_differences(&a, &b, see, &s);
    CHECK_EQ(s.count, 1);
    CHECK_STR(s.path, "reporting[EUR]");
    CHECK_EQ(s.change, LIMITS_LOOSER);
    s = (struct seen){ 0 };
    both();
    a.fixed_count = 2;
    memcpy(a.fixed[0].currency, "GBP", 4);
    memcpy(a.fixed[1].currency, "EUR", 4);
    a.fixed[0].rate = 5;
    a.fixed[1].rate = 6;
    b.fixed_count = 1;
    b.fixed[0] = a.fixed[1];
    limits_differences(&a, &b, see, &s);
    CHECK_EQ(s.count, 1);
    CHECK_STR(s.path, "rate[GBP]");
    CHECK_EQ(s.before, 5);
    CHECK_EQ(s.after, 0);
    s = (struct seen){ 0 };
    limits_differences(&b, &a, see, &s);
    CHECK_EQ(s.count, 1);
    CHECK_STR(s.path, "rate[GBP]");
    both();
    b.permit_count = 1;
    b.permit[0] = (struct permit){ .client = 2, .symbol = "BTCUSDT" };
    CHECK_EQ(limits_compare(&a, &b), LIMITS_LOOSER);
    CHECK_EQ(limits_compare(&b, &a), LIMITS_TIGHTER);
    both();
    b.fixed_count = 1;
    memcpy(b.fixed[0].currency, "EUR", 4);
    b.fixed[0].rate = 7;
    CHECK_EQ(limits_compare(&a, &b), LIMITS_LOOSER);
    CHECK_EQ(limits_compare(&b, &a), LIMITS_LOOSER);
    a = b;
    CHECK_EQ(limits_compare(&a, &b), LIMITS_SAME);
    b.fixed[0].rate = 6; /* cheaper: exposure looks smaller */
    CHECK_EQ(limits_compare(&a, &b), LIMITS_LOOSER);
}

TEST(a_whole_set_is_told_number_by_number)
{
    struct seen s = { 0 };
    both();
    limits_differences(NULL, &a, see, &s);
    CHECK(s.count > 70);
    unsigned all = s.count;
    a.account_set = 1;
    a.account[0] = a.account_default;
    a.account[0].open_orders_max = 5;
    s = (struct seen){ 0 };
    limits_differences(NULL, &a, see, &s);
    CHECK_EQ(s.count, all + 1);
}

TEST(the_last_word_on_each_limit_set_by_hand_is_kept_until_all_are_gone)
{
    static struct by_hand h;
    char text[80];

    by_hand_gone(&h, text, sizeof(text));
    CHECK_STR(text, "");
    by_hand_note(&h, "risk.order_qty_max 1");
    by_hand_note(&h, "risk.order_qty 3");
    by_hand_note(&h, "risk.order_qty_max 2");
    CHECK_EQ(h.count, 2);
    by_hand_gone(&h, text, sizeof(text));
    CHECK_STR(text, "2 limits set by hand are gone: risk.order_qty 3, risk.order_qty_max 2");
    for (unsigned i = 0; i < BY_HAND_MAX; i++) {
        (void)snprintf(text, sizeof(text), "risk.key%u 1", i);
        by_hand_note(&h, text);
    }
    CHECK_EQ(h.count, BY_HAND_MAX);
    CHECK_STR(h.text[0], "risk.key0 1");  /* the oldest gave way */
    by_hand_gone(&h, text, sizeof(text)); /* does not fit: cut */
    CHECK_EQ(strlen(text), sizeof(text) - 1);
    by_hand_note(&h, "");
    CHECK_EQ(h.count, 0);
}

TEST_MAIN()
