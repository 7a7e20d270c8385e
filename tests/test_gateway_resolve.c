/* An operator's word on unknown orders: two steps, forced while the venue can be asked, and undone by the venue's. */
#include "tests/gateway_rig.h"

#define ORDER_CONN GATEWAY_CONN(0, CONN_ROLE_ORDER)

static struct rig rig;

static const struct order *
order_of(uint64_t key)
{
    uint32_t slot = order_find_key(rig.orders, RIG_CLIENT, key);
    CHECK(slot != ORDER_NONE);
    return order_at(rig.orders, slot);
}

/* A buy of 1000 whose request got no answer. */
static uint64_t
unknown_buy(void)
{
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 1000);
    rig_pass(&rig, 2 * NS_PER_S + NS_PER_MS);
    CHECK(order_unknown(order_of(key)));
    return key;
}

static struct command
claim(uint64_t key, enum resolve_claim what)
{
    struct command c = {
        .verb = COMMAND_RESOLVE, .target_key = key, .target_client = RIG_CLIENT, .state = (uint8_t)what
    };
    (void)snprintf(c.text, sizeof(c.text), "venue support, ticket 4711");
    return c;
}

static void
confirm(const char *token, bool forced)
{
    struct command c = { .verb = COMMAND_CONFIRM, .state = forced };
    (void)snprintf(c.text, sizeof(c.text), "%s", token);
    rig_command(&rig, RIG_OPERATOR, c);
}

static qty_t
reserved(void)
{
    return rig_position(&rig)->reserved[SIDE_BUY];
}

TEST(an_unknown_order_keeps_its_reservation_until_the_second_step)
{
    rig_ready(&rig);
    uint64_t key = unknown_buy();
    rig_disconnect(&rig, ORDER_CONN); /* the venue cannot be asked */
    rig_command(&rig, RIG_OPERATOR, claim(key, RESOLVE_NOT_PLACED));
    struct report asked = rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM);
    CHECK_EQ(asked.kind, REPORT_CONFIRM);
    CHECK_EQ(reserved(), 1000);
    CHECK(order_unknown(order_of(key)));
    confirm("wrong", false);
    CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_DENIED).deny, DENY_NOT_CONFIRMED);
    CHECK_EQ(reserved(), 1000);
    confirm(asked.text, false);
    CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_DONE).kind, REPORT_DONE);
    CHECK_EQ(order_of(key)->state, ORDER_NOT_PLACED);
    CHECK_EQ(reserved(), 0);
    struct report r = rig_next(&rig, RIG_STRATEGY, REPORT_NOT_PLACED);
    CHECK_EQ(r.key, key);
    CHECK_STR(r.text, "venue support, ticket 4711");
    rig_end(&rig);
}

TEST(while_the_venue_can_be_asked_the_second_step_must_be_forced)
{
    rig_ready(&rig);
    uint64_t key = unknown_buy();
    rig_command(&rig, RIG_OPERATOR, claim(key, RESOLVE_CANCELED));
    confirm(rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM).text, false);
    CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_DENIED).deny, DENY_NOT_CONFIRMED);
    CHECK(order_unknown(order_of(key)));
    CHECK_EQ(reserved(), 1000);
    rig_command(&rig, RIG_OPERATOR, claim(key, RESOLVE_CANCELED));
    confirm(rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM).text, true);
    CHECK_EQ(order_of(key)->state, ORDER_CANCELED);
    CHECK_EQ(reserved(), 0);
    rig_end(&rig);
}

TEST(a_claimed_fill_moves_the_position_once_even_when_the_venue_tells_it_later)
{
    rig_ready(&rig);
    uint64_t key = unknown_buy();
    struct command c = claim(key, RESOLVE_FILLED);
    c.qty = 400;
    c.px = 99900;
    c.parent_key = 5;
    rig_command(&rig, RIG_OPERATOR, c);
    confirm(rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM).text, true);
    CHECK_EQ(rig_position(&rig)->qty, 400);
    CHECK_EQ(reserved(), 600);
    struct venue_report f = rig_report(VENUE_FILL, order_of(key)->clordid);
    f.trade_id = 5;
    f.last_px = 99900;
    f.last_qty = 400;
    f.cum_qty = 400;
    rig_say(&rig, &f);
    CHECK_EQ(rig_position(&rig)->qty, 400);
    rig_end(&rig);
}

TEST(an_order_whose_trades_never_came_is_ended_by_the_operators_word)
{
    rig_ready(&rig);
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 1000);
    struct venue_report v = rig_report(VENUE_CANCELED, order_of(key)->clordid);
    v.cum_qty = 300;
    rig_say(&rig, &v);
    CHECK(order_live(order_of(key)));
    CHECK_EQ(reserved(), 300);
    rig_command(&rig, RIG_OPERATOR, claim(key, RESOLVE_CANCELED));
    confirm(rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM).text, true);
    CHECK_EQ(order_of(key)->state, ORDER_CANCELED);
    CHECK_EQ(reserved(), 0);
    rig_end(&rig);
}

TEST(what_is_not_unknown_not_there_or_contradicted_takes_no_word)
{
    rig_ready(&rig);
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 1000);
    rig_say_kind(&rig, VENUE_NEW_ACK, order_of(key)->clordid);
    rig_command(&rig, RIG_OPERATOR, claim(key, RESOLVE_CANCELED));
    CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_DENIED).deny, DENY_NOT_POSSIBLE);
    rig_command(&rig, RIG_OPERATOR, claim(key + 1, RESOLVE_CANCELED));
    CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_DENIED).deny, DENY_UNKNOWN_ORDER);
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key });
    rig_pass(&rig, 2 * NS_PER_S + NS_PER_MS);
    CHECK(order_unknown(order_of(key)));
    rig_command(&rig, RIG_OPERATOR, claim(key, RESOLVE_NOT_PLACED)); /* it was acknowledged */
    CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_DENIED).deny, DENY_NOT_POSSIBLE);
    struct command bare = claim(key, RESOLVE_CANCELED);
    memset(bare.text, 0, sizeof(bare.text));
    rig_command(&rig, RIG_OPERATOR, bare);
    CHECK_EQ(rig_next(&rig, RIG_OPERATOR, REPORT_DENIED).deny, DENY_INVALID_ORDER);
    rig_command(&rig, RIG_STRATEGY, claim(key, RESOLVE_CANCELED));
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_DENIED).deny, DENY_NOT_PERMITTED);
    CHECK_EQ(reserved(), 1000);
    rig_end(&rig);
}

TEST(an_order_that_works_after_the_operators_word_is_canceled)
{
    rig_ready(&rig);
    uint64_t key = unknown_buy();
    rig_command(&rig, RIG_OPERATOR, claim(key, RESOLVE_CANCELED));
    confirm(rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM).text, true);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 0);
    rig_say_kind(&rig, VENUE_NEW_ACK, order_of(key)->clordid);
    CHECK_EQ(order_of(key)->state, ORDER_CANCELED); /* it does not reopen */
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_CANCEL), 1);
    rig_end(&rig);
}

TEST(an_operators_word_lives_over_a_restart)
{
    rig_ready(&rig);
    uint64_t key = unknown_buy();
    rig_command(&rig, RIG_OPERATOR, claim(key, RESOLVE_CANCELED));
    confirm(rig_next(&rig, RIG_OPERATOR, REPORT_CONFIRM).text, true);
    rig_restart(&rig);
    CHECK_EQ(order_of(key)->state, ORDER_CANCELED);
    CHECK((order_of(key)->marks & ORDER_MARK_OPERATOR) != 0);
    CHECK_EQ(reserved(), 0);
    rig_end(&rig);
}

TEST_MAIN()
