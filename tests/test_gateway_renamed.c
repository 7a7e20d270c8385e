/* Somebody else on the account amends an order of ours, and the venue gives it another client id by that: it stays
 * ours, whichever word of it was lost. */
#include "tests/gateway_rig.h"

#define ORDER_ID 77
#define OTHER    "x_somebodys_amend"

static struct rig rig;
static char clordid[CLORDID_BYTES];

static struct venue_report
report_of(enum venue_report_kind kind, const char *name)
{
    struct venue_report r = rig_report(kind, name);

    r.venue_order_id = ORDER_ID;
    r.venue_time_ns = rig.now.wall.ns;
    r.side = SIDE_BUY;
    r.state = ORDER_NEW;
    r.px = 99900;
    r.qty = 30000;
    return r;
}

/* A buy of 1.00000 that works at the venue; its key. */
static uint64_t
working(void)
{
    uint64_t key = rig_new(&rig, SIDE_BUY, 99900, 100000);

    memcpy(clordid, rig_take(&rig, VENUE_RQ_NEW)->clordid, CLORDID_BYTES);
    struct venue_report ack = report_of(VENUE_NEW_ACK, clordid);
    ack.qty = 100000;
    rig_say(&rig, &ack);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_NEW);
    return key;
}

/* What the event says of an amend to 0.30000. */
static void
amended_by_other(void)
{
    struct venue_report r = report_of(VENUE_AMENDED, clordid);

    r.renamed = 1;
    rig_say(&rig, &r);
}

static void
check_renamed(uint64_t key)
{
    const struct order *o = rig_order(&rig, key);

    CHECK(order_by_venue_id(o) && (o->flags & COMMAND_ADOPTED) == 0);
    CHECK_EQ(o->client, RIG_CLIENT);
    CHECK(order_live(o));
}

/* The cancel of it names it by the venue's id alone, and its end comes under the other name. */
static void
cancel_and_end(uint64_t key)
{
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key });
    const struct rig_request *q = rig_take(&rig, VENUE_RQ_CANCEL);
    CHECK(q != NULL && q->venue_order_id == ORDER_ID && (q->flags & COMMAND_ADOPTED) != 0);
    CHECK_STR(q->clordid, clordid);
    struct venue_report end = report_of(VENUE_CANCELED, OTHER);
    end.state = ORDER_CANCELED;
    rig_say(&rig, &end);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_CANCELED);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 0);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_CANCELED).key, key);
}

TEST(an_order_that_somebody_elses_amend_renames_stays_ours_and_is_known_by_the_venues_id)
{
    rig_ready(&rig);
    uint64_t key = working();
    amended_by_other();
    check_renamed(key);
    CHECK_EQ(rig_order(&rig, key)->qty, 30000);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 30000);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_ORDER).qty, 30000);

    struct venue_report f = report_of(VENUE_FILL, OTHER);
    f.state = ORDER_PARTIALLY_FILLED;
    f.trade_id = 5;
    f.last_px = 99900;
    f.last_qty = f.cum_qty = 10000;
    rig_say(&rig, &f);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_FILL).last_qty, 10000);
    CHECK_EQ(rig_position(&rig)->qty, 10000);
    CHECK_EQ(metric_get(rig.metrics, METRIC_ORDER_FOREIGN, 0), 0);
    cancel_and_end(key);
    rig_end(&rig);
}

TEST(a_second_amend_of_somebody_else_is_taken_over_under_the_name_of_the_first)
{
    rig_ready(&rig);
    uint64_t key = working();
    amended_by_other();
    struct venue_report r = report_of(VENUE_AMENDED, OTHER);
    r.qty = 20000;
    r.renamed = 1;
    rig_say(&rig, &r);
    CHECK_EQ(rig_order(&rig, key)->qty, 20000);
    cancel_and_end(key);
    rig_end(&rig);
}

TEST(a_renaming_outlives_a_restart)
{
    rig_ready(&rig);
    uint64_t key = working();
    amended_by_other();
    rig_restart(&rig);
    check_renamed(key);
    rig_up(&rig);
    struct venue_report o = report_of(VENUE_OPEN_ORDER, OTHER);
    rig_say(&rig, &o);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    CHECK(risk_venue_of(rig.risk, 0)->reconciled);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_QUERY), 0);
    CHECK_EQ(gateway_orders_live(rig.g), 1);
    cancel_and_end(key);
    rig_end(&rig);
}

TEST(a_list_shows_a_renaming_whose_event_was_lost)
{
    rig_ready(&rig);
    uint64_t key = working();
    rig_restart(&rig);
    rig_up(&rig);
    struct venue_report o = report_of(VENUE_OPEN_ORDER, OTHER);
    rig_say(&rig, &o);
    rig_say_kind(&rig, VENUE_OPEN_ORDERS_END, NULL);
    check_renamed(key);
    CHECK_EQ(rig_order(&rig, key)->qty, 30000);
    CHECK_EQ(metric_get(rig.metrics, METRIC_ORDER_FOREIGN, 0), 0);
    CHECK_EQ(gateway_orders_live(rig.g), 1);
    cancel_and_end(key);
    rig_end(&rig);
}

TEST(a_fill_under_a_new_name_is_of_our_order_and_its_terms_are_asked_for)
{
    rig_ready(&rig);
    uint64_t key = working();
    struct venue_report f = report_of(VENUE_FILL, OTHER);
    f.state = ORDER_PARTIALLY_FILLED;
    f.trade_id = 5;
    f.last_px = 99900;
    f.last_qty = f.cum_qty = 10000;
    rig_say(&rig, &f);
    check_renamed(key);
    CHECK_EQ(rig_order(&rig, key)->cum_qty, 10000);
    rig_pass(&rig, NS_PER_S);
    const struct rig_request *q = rig_take(&rig, VENUE_RQ_QUERY);
    CHECK(q != NULL && (q->flags & COMMAND_ADOPTED) != 0);
    struct venue_report s = report_of(VENUE_STATUS, clordid);
    (void)snprintf(s.text, sizeof(s.text), OTHER);
    s.state = ORDER_PARTIALLY_FILLED;
    s.tag = q->tag;
    s.cum_qty = 10000;
    rig_say(&rig, &s);
    CHECK_EQ(rig_order(&rig, key)->qty, 30000);
    CHECK_EQ(rig_position(&rig)->reserved[SIDE_BUY], 20000);
    rig_end(&rig);
}

TEST(a_cancel_that_is_refused_for_the_old_name_goes_again_at_once_by_the_venues_id)
{
    rig_ready(&rig);
    uint64_t key = working();
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key });
    CHECK(rig_take(&rig, VENUE_RQ_CANCEL)->flags == 0);
    struct venue_report r = rig_report(VENUE_CANCEL_REJECTED, clordid);
    r.request = VENUE_RQ_CANCEL;
    r.code = -2039;
    r.renamed = 1;
    rig_say(&rig, &r);
    const struct rig_request *q = rig_take(&rig, VENUE_RQ_CANCEL);
    CHECK(q != NULL && (q->flags & COMMAND_ADOPTED) != 0);
    CHECK_EQ(rig_next(&rig, RIG_STRATEGY, REPORT_CANCEL_REJECTED).kind, REPORT_NONE);
    rig_say(&rig, &r); /* told twice: once is enough */
    CHECK(rig_take(&rig, VENUE_RQ_CANCEL) == NULL);
    check_renamed(key);
    rig_end(&rig);
}

TEST(a_question_that_is_refused_for_the_old_name_is_asked_by_the_venues_id_and_the_cancel_before_it_goes_again)
{
    rig_ready(&rig);
    uint64_t key = working();
    rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = key });
    CHECK(rig_take(&rig, VENUE_RQ_CANCEL) != NULL);
    struct venue_report r = rig_report(VENUE_CANCEL_REJECTED, clordid);
    r.request = VENUE_RQ_CANCEL;
    r.code = -2011; /* "Unknown order sent." says nothing of a name */
    rig_say(&rig, &r);
    rig_pass(&rig, NS_PER_S);
    const struct rig_request *q = rig_take(&rig, VENUE_RQ_QUERY);
    CHECK(q != NULL && q->flags == 0);
    r = rig_report(VENUE_QUERY_FAILED, clordid);
    r.request = VENUE_RQ_QUERY;
    r.code = -2039;
    r.tag = q->tag;
    r.definite = 1;
    r.renamed = 1;
    rig_say(&rig, &r);
    check_renamed(key);
    q = rig_take(&rig, VENUE_RQ_CANCEL);
    CHECK(q != NULL && (q->flags & COMMAND_ADOPTED) != 0);
    rig_pass(&rig, 5 * NS_PER_S);
    q = rig_take(&rig, VENUE_RQ_QUERY);
    CHECK(q != NULL && (q->flags & COMMAND_ADOPTED) != 0);
    CHECK_EQ(metric_get(rig.metrics, METRIC_ORDER_STUCK, 0), 0);
    rig_end(&rig);
}

TEST(the_kill_switch_takes_a_renamed_order_off_whatever_word_of_it_was_lost)
{
    rig_ready(&rig);
    uint64_t key = working();
    amended_by_other();
    rig_command(&rig, RIG_OPERATOR, (struct command){ .verb = COMMAND_HALT });
    const struct rig_request *q = rig_take(&rig, VENUE_RQ_CANCEL);
    CHECK(q != NULL && q->venue_order_id == ORDER_ID && (q->flags & COMMAND_ADOPTED) != 0);
    struct venue_report end = report_of(VENUE_CANCELED, OTHER);
    end.state = ORDER_CANCELED;
    rig_say(&rig, &end);
    CHECK_EQ(rig_order(&rig, key)->state, ORDER_CANCELED);
    CHECK_EQ(gateway_orders_live(rig.g), 0);
    rig_end(&rig);
}

TEST(a_replace_of_a_renamed_order_cancels_first_by_the_venues_id)
{
    rig_ready(&rig);
    uint64_t key = working();
    amended_by_other();
    struct command c = rig_limit(&rig, SIDE_BUY, 99800, 25000);
    c.verb = COMMAND_REPLACE;
    c.target_key = key;
    rig_command(&rig, RIG_STRATEGY, c);
    CHECK_EQ(rig_requests(&rig, VENUE_RQ_REPLACE), 0);
    const struct rig_request *q = rig_take(&rig, VENUE_RQ_CANCEL);
    CHECK(q != NULL && (q->flags & COMMAND_ADOPTED) != 0);
    struct venue_report end = report_of(VENUE_CANCELED, OTHER);
    end.state = ORDER_CANCELED;
    rig_say(&rig, &end);
    q = rig_take(&rig, VENUE_RQ_NEW);
    CHECK(q != NULL && q->qty == 25000);
    rig_end(&rig);
}

TEST(a_new_order_that_the_venue_gives_the_id_of_an_old_one_renames_nothing)
{
    rig_ready(&rig);
    uint64_t key = working();
    struct venue_report r = report_of(VENUE_NEW_ACK, OTHER);
    rig_say(&rig, &r);
    CHECK(!order_by_venue_id(rig_order(&rig, key)));
    CHECK_EQ(rig_order(&rig, key)->qty, 100000);
    rig_end(&rig);
}

TEST_MAIN()
