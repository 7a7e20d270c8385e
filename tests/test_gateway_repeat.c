/* A strategy that only replaces: each replace counts once, however it is carried out (in place, in one request, in
 * turn), and one without end is stopped like one that only sends new orders; on the rig of test_gateway. */
#include "tests/gateway_rig.h"

static struct rig rig;

enum way { IN_PLACE, TOGETHER, IN_TURN, WAYS };

static uint32_t executions_max;
static uint32_t duplicate_max;
static struct rate_limit order_rate;

static void
limits(struct risk_limits *l)
{
    l->client_default.repeat_executions_max = executions_max;
    l->client_default.flood_halts = true;
    l->client_default.denied_rate = (struct rate_limit){ 1, 5 };
    l->duplicate_max = duplicate_max;
    l->client_default.order_rate = order_rate;
}

static void
start(enum way way)
{
    rig_limits = limits;
    rig.amends = way == IN_PLACE;
    rig_ready(&rig);
}

static void
unlimited(void)
{
    executions_max = LIMIT_COUNT_NONE;
    duplicate_max = 1000;
    order_rate = (struct rate_limit){ 10000, 10000 };
}

static int64_t trade_id = 1000;

/* A tenth of a thousandth of the order trades: from then on it is replaced in turn. */
static void
some_fill(uint64_t key)
{
    const struct order *o = rig_order(&rig, key);
    struct venue_report v = rig_report(VENUE_FILL, o->clordid);

    v.trade_id = ++trade_id;
    v.last_px = o->px;
    v.last_qty = 1;
    v.cum_qty = o->cum_qty + 1;
    rig_say(&rig, &v);
}

static void
ack(const char *clordid)
{
    struct venue_report v = rig_report(VENUE_NEW_ACK, clordid);
    v.venue_order_id = (uint64_t)++trade_id;
    rig_say(&rig, &v);
}

static uint64_t
working(enum way way)
{
    uint64_t key = rig_new(&rig, SIDE_BUY, 99000, 1000);
    struct rig_request *q = rig_take(&rig, VENUE_RQ_NEW);

    CHECK(q != NULL);
    ack(q->clordid);
    if (way == IN_TURN)
        some_fill(key);
    return key;
}

static struct command
replace_command(uint64_t target, px_t px, qty_t qty)
{
    struct command c = rig_limit(&rig, SIDE_BUY, px, qty);
    c.verb = COMMAND_REPLACE;
    c.target_key = target;
    return c;
}

/* The replace, and the venue does as it is told. DENY_NONE: `*key` works in its place. */
static enum deny_reason
replace(enum way way, uint64_t *key, px_t px)
{
    struct command c = replace_command(*key, px, 1000 + rig_order(&rig, *key)->cum_qty);
    char old[CLORDID_BYTES];

    memcpy(old, rig_order(&rig, *key)->clordid, CLORDID_BYTES);
    while (rig_next(&rig, RIG_STRATEGY, REPORT_NONE).kind != REPORT_NONE) {
    }
    rig_command(&rig, RIG_STRATEGY, c);
    struct rig_request *q = rig_take(&rig, way == IN_PLACE   ? VENUE_RQ_AMEND
                                           : way == TOGETHER ? VENUE_RQ_REPLACE
                                                             : VENUE_RQ_CANCEL);
    if (q == NULL)
        return (enum deny_reason)rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny;
    if (way == IN_PLACE) {
        struct venue_report v = rig_report(VENUE_AMENDED, old);
        v.px = px;
        v.qty = c.qty;
        v.state = ORDER_NEW;
        rig_say(&rig, &v);
    } else {
        struct venue_report v = rig_report(VENUE_CANCELED, old);
        v.cum_qty = rig_order(&rig, *key)->cum_qty;
        rig_say(&rig, &v);
        rig_work(&rig);
        if (way == IN_TURN)
            q = rig_take(&rig, VENUE_RQ_NEW);
        if (q == NULL)
            return (enum deny_reason)rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny;
        ack(q->clordid);
        if (way == IN_TURN)
            some_fill(c.key);
    }
    *key = c.key;
    return DENY_NONE;
}

static struct risk_day
strategy(void)
{
    struct risk_day d = { 0 };
    risk_day_untold(rig.risk);
    CHECK(risk_day_tell(rig.risk, LEVEL_CLIENT, RIG_CLIENT, &d));
    return d;
}

static void
active(void)
{
    rig_command(&rig, RIG_OPERATOR,
                (struct command){
                    .verb = COMMAND_STATE, .level = LEVEL_CLIENT, .target_key = RIG_CLIENT, .state = TRADING_ACTIVE });
    struct report r = rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM);
    if (r.kind == REPORT_CONFIRM)
        rig_confirm(&rig, r);
}

TEST(each_replace_counts_once_and_their_number_ends_until_a_human_resumes)
{
    for (enum way way = 0; way < WAYS; way++) {
        unlimited();
        executions_max = 5;
        start(way);
        uint64_t key = working(way);
        for (unsigned i = 1; i < 5; i++) {
            CHECK_EQ(replace(way, &key, 99000 + (px_t)i), DENY_NONE);
            CHECK_EQ(strategy().executions, i + 1);
        }
        CHECK_EQ(replace(way, &key, 99100), DENY_REPEAT_EXECUTIONS);
        CHECK_EQ(risk_tripped(rig.risk, LEVEL_CLIENT, RIG_CLIENT), 1u << TRIP_REPEAT);
        rig_command(&rig, RIG_STRATEGY,
                    (struct command){ .verb = COMMAND_CANCEL, .target_key = key, .instrument = INSTRUMENT_NONE });
        CHECK(rig_take(&rig, VENUE_RQ_CANCEL) != NULL); /* what it has may go */
        rig_say_kind(&rig, VENUE_CANCELED, rig_order(&rig, key)->clordid);
        (void)rig_new(&rig, SIDE_BUY, 99000, 1000);
        CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_REPEAT_EXECUTIONS);
        active();
        CHECK_EQ(risk_tripped(rig.risk, LEVEL_CLIENT, RIG_CLIENT), 0);
        key = working(way);
        CHECK_EQ(replace(way, &key, 99001), DENY_NONE);
        CHECK_EQ(strategy().executions, 2);
        rig_end(&rig);
    }
}

TEST(a_human_who_lets_a_strategy_go_on_before_it_has_latched_sets_the_count_back_and_a_restart_does_not)
{
    unlimited();
    executions_max = 3;
    start(IN_PLACE);
    uint64_t key = working(IN_PLACE);
    CHECK_EQ(replace(IN_PLACE, &key, 99001), DENY_NONE);
    active();
    CHECK_EQ(replace(IN_PLACE, &key, 99002), DENY_NONE);
    CHECK_EQ(replace(IN_PLACE, &key, 99003), DENY_NONE);
    CHECK_EQ(strategy().executions, 2);
    rig_restart(&rig);
    CHECK_EQ(strategy().executions, 2);
    rig_end(&rig);
}

TEST(messages_of_replaces_in_turn_and_cancels_count_the_same_after_a_restart)
{
    for (enum way way = 0; way < WAYS; way++) {
        unlimited();
        start(way);
        uint64_t key = working(way);
        for (unsigned i = 1; i < 4; i++)
            CHECK_EQ(replace(way, &key, 99000 + (px_t)i), DENY_NONE);
        rig_command(&rig, RIG_STRATEGY,
                    (struct command){ .verb = COMMAND_CANCEL, .target_key = key, .instrument = INSTRUMENT_NONE });
        struct risk_day before = strategy();
        CHECK_EQ(before.executions, 4);
        CHECK_EQ(before.messages, way == IN_TURN ? 8 : 5); /* each of them is a cancel and a new order */
        rig_restart(&rig);
        struct risk_day after = strategy();
        CHECK_EQ(after.executions, before.executions);
        CHECK_EQ(after.messages, before.messages);
        CHECK_EQ(after.fills, before.fills);
        rig_end(&rig);
    }
}

/* Its second half was once judged as an order of its own: a repeat of itself, with no token left, and the old one gone.
 */
TEST(a_replace_in_turn_is_no_repeat_of_itself_and_takes_one_token)
{
    unlimited();
    duplicate_max = 1;
    order_rate = (struct rate_limit){ 1, 2 };
    start(IN_TURN);
    uint64_t key = working(IN_TURN);
    CHECK_EQ(replace(IN_TURN, &key, 99001), DENY_NONE);
    CHECK_EQ(replace(IN_TURN, &key, 99002), DENY_ORDER_RATE);
    rig_pass(&rig, NS_PER_S);
    CHECK_EQ(replace(IN_TURN, &key, 99002), DENY_NONE);
    rig_end(&rig);
}

/* The venue answers none of them, or all: either way it ends, within a millisecond of its limit. */
TEST(a_strategy_that_replaces_without_end_is_halted_within_a_millisecond_of_its_limit_and_its_cancels_pass)
{
    for (unsigned answered = 0; answered < 2; answered++)
        for (enum way way = 0; way < WAYS; way++) {
            int64_t limit_ns = 0;
            int64_t halted_ns = 0;
            unlimited();
            duplicate_max = 10;
            start(way);
            uint64_t key = working(way);
            for (unsigned i = 0; i < 1000 && halted_ns == 0; i++) { /* 10,000 a second */
                rig.now.mono.ns += 100 * NS_PER_US;
                rig.now.wall.ns += 100 * NS_PER_US;
                enum deny_reason why = DENY_NONE;
                if (answered) {
                    why = replace(way, &key, 99000 + (px_t)(i % 2));
                } else {
                    rig_command(&rig, RIG_STRATEGY, replace_command(key, 99000 + (px_t)(i % 2), 2000));
                    why = (enum deny_reason)rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny;
                }
                if (why != DENY_NONE && limit_ns == 0)
                    limit_ns = rig.now.mono.ns;
                if (risk_tripped(rig.risk, LEVEL_CLIENT, RIG_CLIENT) == 1u << TRIP_FLOOD)
                    halted_ns = rig.now.mono.ns;
            }
            CHECK(limit_ns != 0 && halted_ns != 0 && halted_ns - limit_ns <= NS_PER_MS);
            CHECK(rig_requests(&rig, VENUE_RQ_NEW) + rig_requests(&rig, VENUE_RQ_REPLACE) +
                      rig_requests(&rig, VENUE_RQ_AMEND) <=
                  1 + 2 * duplicate_max);
            while (rig_next(&rig, RIG_STRATEGY, REPORT_NONE).kind != REPORT_NONE) {
            }
            rig_command(&rig, RIG_STRATEGY,
                        (struct command){ .verb = COMMAND_CANCEL, .target_key = key, .instrument = INSTRUMENT_NONE });
            CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).kind,
                     order_live(rig_order(&rig, key)) ? REPORT_NONE : REPORT_DENIED);
            rig_end(&rig);
        }
}

TEST(a_key_above_the_largest_is_refused_and_not_taken)
{
    rig_ready(&rig);
    struct command c = {
        .verb = COMMAND_NEW, .key = UINT64_MAX, .side = SIDE_BUY, .type = ORDER_LIMIT, .px = 99900, .qty = 100000
    };
    rig_command(&rig, RIG_STRATEGY, c);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_INVALID_ORDER);
    c.verb = COMMAND_CANCEL;
    rig_command(&rig, RIG_STRATEGY, c);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_INVALID_ORDER);
    (void)rig_new(&rig, SIDE_BUY, 99900, 100000);
    CHECK(rig_take(&rig, VENUE_RQ_NEW) != NULL);
    rig_end(&rig);
}

TEST_MAIN()
