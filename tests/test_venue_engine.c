/* The emulated venue's engine: price-time priority, every type and time in force, self-trade prevention, identities,
 * cancel and replace. */
#include "tests/venue_fixture.h"

/* ---- priority ---- */

TEST(better_prices_trade_first_and_the_trade_is_at_the_makers_price)
{
    struct fixture *f = fixture_new();
    const struct emu_order *far = place(f, f->alice, limit(EMU_SELL, 10002, 1000));
    const struct emu_order *near = place(f, f->alice, limit(EMU_SELL, 10000, 1000));
    const struct emu_order *taker = place(f, f->bob, limit(EMU_BUY, 10005, 1500));

    CHECK_EQ(near->status, EMU_FILLED);
    CHECK_EQ(far->cum_qty, ONE / 2);
    CHECK_EQ(taker->status, EMU_FILLED);
    CHECK_EQ(taker->trades->px, 100 * ONE);
    CHECK_EQ(taker->trades->next_of_order->px, 10002 * (ONE / 100));
    CHECK(taker->trades->id < taker->trades->next_of_order->id);
    CHECK_EQ(emu_last_px(f->e, 0), 10002 * (ONE / 100));
    fixture_end(f);
}

TEST(at_one_price_the_older_order_trades_first)
{
    struct fixture *f = fixture_new();
    const struct emu_order *first = place(f, f->alice, limit(EMU_SELL, 10000, 1000));
    const struct emu_order *second = place(f, f->bob, limit(EMU_SELL, 10000, 1000));

    place(f, f->bob,
          (struct emu_order_req){ .side = EMU_BUY, .type = EMU_LIMIT, .tif = EMU_IOC, .px = 100 * ONE, .qty = ONE });
    CHECK_EQ(first->status, EMU_FILLED);
    CHECK_EQ(second->status, EMU_NEW);
    fixture_end(f);
}

TEST(reducing_an_order_keeps_its_place_and_only_reducing_is_allowed)
{
    struct fixture *f = fixture_new();
    const struct emu_order *first = place(f, f->alice, limit(EMU_SELL, 10000, 1000));
    place(f, f->bob, limit(EMU_SELL, 10000, 1000));
    char before[EMU_CLIENT_ID_MAX];
    memcpy(before, first->client_id, sizeof(before));
    int64_t execution_id = 0;

    CHECK_EQ(emu_order_amend(f->e, f->alice, 0, first->id, NULL, ONE / 2, NULL, &f->r, &execution_id), 0);
    CHECK(execution_id > 0);
    CHECK(strcmp(before, first->client_id) != 0);
    int last = f->seen.exec_count - 1;
    CHECK_EQ(f->seen.exec[last].exec, EMU_EXEC_REPLACED);
    CHECK_STR(f->seen.orig_client_id[last], before);
    CHECK_STR(f->seen.client_id[last], first->client_id);
    CHECK_EQ(locked_of(f, f->alice, "AAA"), ONE / 2);

    CHECK_EQ(emu_order_amend(f->e, f->alice, 0, first->id, NULL, ONE / 2, NULL, &f->r, NULL), -2038);
    CHECK_EQ(emu_order_amend(f->e, f->alice, 0, first->id, NULL, ONE, NULL, &f->r, NULL), -2038);
    CHECK_EQ(emu_order_amend(f->e, f->alice, 0, first->id, NULL, ONE / 2 - 1, NULL, &f->r, NULL), -1013);
    CHECK_EQ(emu_order_amend(f->e, f->alice, 0, first->id, NULL, ONE / 4, "mine", &f->r, NULL), 0);
    CHECK_STR(first->client_id, "mine");
    CHECK_EQ(emu_order_amend(f->e, f->alice, 0, first->id, NULL, ONE / 5, NULL, &f->r, NULL), -1013);
    CHECK_STR(f->r.err.msg, "Filter failure: MAX_NUM_ORDER_AMENDS");

    place(f, EMU_HOUSE, limit(EMU_BUY, 10000, 250));
    CHECK_EQ(first->status, EMU_FILLED);
    fixture_end(f);
}

/* ---- types and times in force ---- */

TEST(an_ioc_order_trades_what_it_can_and_expires_with_the_rest)
{
    struct fixture *f = fixture_new();
    place(f, f->alice, limit(EMU_SELL, 10000, 400));
    struct emu_order_req req = limit(EMU_BUY, 10000, 1000);
    req.tif = EMU_IOC;
    const struct emu_order *o = place(f, f->bob, req);

    CHECK_EQ(o->status, EMU_EXPIRED);
    CHECK_EQ(o->cum_qty, 4 * (ONE / 10));
    CHECK_EQ(locked_of(f, f->bob, "USD"), 0);
    CHECK_EQ(free_of(f, f->bob, "USD"), (100000 - 40) * ONE);
    int n = f->seen.exec_count;
    CHECK_EQ(f->seen.exec[n - 1].exec, EMU_EXEC_EXPIRED);
    CHECK_EQ(f->seen.exec[n - 2].exec, EMU_EXEC_TRADE); /* the maker's */
    CHECK_EQ(f->seen.exec[n - 3].exec, EMU_EXEC_TRADE);
    CHECK_EQ(f->seen.exec[n - 4].exec, EMU_EXEC_NEW);
    fixture_end(f);
}

TEST(a_fok_order_fills_whole_or_not_at_all)
{
    struct fixture *f = fixture_new();
    place(f, f->alice, limit(EMU_SELL, 10000, 400));
    place(f, f->alice, limit(EMU_SELL, 10001, 600));
    struct emu_order_req req = limit(EMU_BUY, 10001, 1001);
    req.tif = EMU_FOK;
    CHECK_EQ(place(f, f->bob, req)->status, EMU_EXPIRED);
    CHECK_EQ(f->r.order->cum_qty, 0);
    CHECK_EQ(f->seen.trade_count, 0);
    req.qty = ONE;
    CHECK_EQ(place(f, f->bob, req)->status, EMU_FILLED);
    fixture_end(f);
}

TEST(a_fok_order_does_not_count_its_own_accounts_orders)
{
    struct fixture *f = fixture_new();
    place(f, f->bob, limit(EMU_SELL, 10000, 400));
    place(f, f->alice, limit(EMU_SELL, 10000, 600));
    struct emu_order_req req = limit(EMU_BUY, 10000, 1000);
    req.tif = EMU_FOK;
    for (req.stp = EMU_STP_EXPIRE_TAKER; req.stp <= EMU_STP_EXPIRE_BOTH; req.stp++) {
        CHECK_EQ(place(f, f->bob, req)->status, EMU_EXPIRED);
        CHECK_EQ(f->seen.trade_count, 0);
    }
    req.stp = EMU_STP_EXPIRE_MAKER;
    req.qty = 600 * (ONE / 1000);
    CHECK_EQ(place(f, f->bob, req)->status, EMU_FILLED);
    fixture_end(f);
}

TEST(a_limit_maker_is_refused_when_it_would_take_and_rests_one_tick_away)
{
    struct fixture *f = fixture_new();
    place(f, f->alice, limit(EMU_SELL, 10000, 400));
    struct emu_order_req req = { .side = EMU_BUY, .type = EMU_LIMIT_MAKER, .px = 100 * ONE, .qty = ONE };
    refused(f, f->bob, req, -2010, "Order would immediately match and take.");
    req.px -= ONE / 100;
    CHECK_EQ(place(f, f->bob, req)->status, EMU_NEW);
    CHECK(f->r.order->is_working);
    fixture_end(f);
}

TEST(a_market_order_expires_with_what_the_book_does_not_have)
{
    struct fixture *f = fixture_new();
    CHECK_EQ(place(f, f->bob, market(EMU_BUY, 100))->status, EMU_EXPIRED);
    place(f, f->alice, limit(EMU_SELL, 10000, 400));
    CHECK_EQ(place(f, f->bob, market(EMU_BUY, 1000))->status, EMU_EXPIRED);
    CHECK_EQ(f->r.order->cum_qty, 4 * (ONE / 10));
    place(f, f->alice, limit(EMU_BUY, 10000, 2000));
    CHECK_EQ(place(f, f->bob, market(EMU_SELL, 1000))->status, EMU_FILLED);
    fixture_end(f);
}

TEST(a_market_order_by_quote_quantity_spends_at_most_that_on_whole_steps)
{
    struct fixture *f = fixture_new();
    place(f, f->alice, limit(EMU_SELL, 3000, 1000));
    place(f, f->alice, limit(EMU_SELL, 4000, 5000));
    const struct emu_order *o =
        place(f, f->bob, (struct emu_order_req){ .side = EMU_BUY, .type = EMU_MARKET, .quote_order_qty = 100 * ONE });
    CHECK_EQ(o->status, EMU_FILLED);
    CHECK_EQ(o->cum_qty, ONE + 1750 * (ONE / 1000)); /* 30 + 70 / 40 */
    CHECK_EQ(o->cum_quote, 100 * ONE);
    o = place(f, f->bob, (struct emu_order_req){ .side = EMU_BUY, .type = EMU_MARKET, .quote_order_qty = 33 * ONE });
    CHECK_EQ(o->cum_quote, 33 * ONE);
    o = place(f, f->bob,
              (struct emu_order_req){ .side = EMU_BUY, .type = EMU_MARKET, .quote_order_qty = 3333 * (ONE / 1000) });
    CHECK_EQ(o->cum_qty, 83 * (ONE / 1000)); /* 0.083 * 40 = 3.32 */
    CHECK_EQ(o->status, EMU_FILLED);
    o = place(f, f->bob, (struct emu_order_req){ .side = EMU_BUY, .type = EMU_MARKET, .quote_order_qty = 5000 * ONE });
    CHECK_EQ(o->status, EMU_EXPIRED);
    fixture_end(f);
}

TEST(a_stop_loss_waits_for_the_last_price_to_reach_it_and_then_sells)
{
    struct fixture *f = fixture_new();
    trade_at(f, 10000);
    struct emu_order_req req = { .side = EMU_SELL, .type = EMU_STOP_LOSS, .stop_px = 100 * ONE, .qty = ONE };
    refused(f, f->alice, req, -2010, "Order would trigger immediately.");
    req.stop_px = 99 * ONE;
    const struct emu_order *o = place(f, f->alice, req);
    CHECK(!o->is_working);
    CHECK_EQ(o->working_us, -1);
    CHECK_EQ(locked_of(f, f->alice, "AAA"), ONE);
    place(f, EMU_HOUSE, limit(EMU_BUY, 9850, 5000));
    place(f, EMU_HOUSE, limit(EMU_SELL, 9901, 10));
    place(f, EMU_HOUSE, limit(EMU_BUY, 9901, 10)); /* one tick above the stop */
    CHECK_EQ(o->status, EMU_NEW);
    trade_at(f, 9900);
    CHECK_EQ(o->status, EMU_FILLED);
    CHECK_EQ(o->trades->px, 9850 * (ONE / 100));
    CHECK_EQ(locked_of(f, f->alice, "AAA"), 0);
    fixture_end(f);
}

TEST(every_trigger_type_looks_in_its_own_direction)
{
    static const struct {
        enum emu_side side;
        enum emu_type type;
        bool rises;
    } rows[] = {
        { EMU_BUY, EMU_STOP_LOSS_LIMIT, true },    { EMU_SELL, EMU_STOP_LOSS_LIMIT, false },
        { EMU_BUY, EMU_TAKE_PROFIT_LIMIT, false }, { EMU_SELL, EMU_TAKE_PROFIT_LIMIT, true },
        { EMU_BUY, EMU_STOP_LOSS, true },          { EMU_SELL, EMU_STOP_LOSS, false },
        { EMU_BUY, EMU_TAKE_PROFIT, false },       { EMU_SELL, EMU_TAKE_PROFIT, true },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture *f = fixture_new();
        bool is_limit = emu_type_has_price(rows[i].type);
        trade_at(f, 10000);
        struct emu_order_req req = { .side = rows[i].side,
                                     .type = rows[i].type,
                                     .tif = is_limit ? EMU_GTC : EMU_TIF_NONE,
                                     .px = is_limit ? 100 * ONE : 0,
                                     .stop_px = rows[i].rises ? 101 * ONE : 99 * ONE,
                                     .qty = ONE };
        const struct emu_order *o = place(f, f->alice, req);
        trade_at(f, rows[i].rises ? 9800 : 10200);
        CHECK(!o->is_working && o->is_open);
        trade_at(f, rows[i].rises ? 10100 : 9900);
        CHECK(is_limit ? o->is_working : o->status == EMU_EXPIRED); /* nothing on the book to trade with */
        fixture_end(f);
    }
}

TEST(a_triggered_stop_can_set_off_the_next_one)
{
    struct fixture *f = fixture_new();
    trade_at(f, 10000);
    place(f, EMU_HOUSE, limit(EMU_BUY, 9800, 1000));
    place(f, EMU_HOUSE, limit(EMU_BUY, 9500, 5000));
    const struct emu_order *first =
        place(f, f->alice,
              (struct emu_order_req){ .side = EMU_SELL, .type = EMU_STOP_LOSS, .stop_px = 99 * ONE, .qty = 2 * ONE });
    const struct emu_order *second = place(
        f, f->bob, (struct emu_order_req){ .side = EMU_SELL, .type = EMU_STOP_LOSS, .stop_px = 96 * ONE, .qty = ONE });
    trade_at(f, 9900);
    CHECK_EQ(first->status, EMU_FILLED);
    CHECK_EQ(second->status, EMU_FILLED);
    fixture_end(f);
}

TEST(an_iceberg_shows_one_slice_and_each_new_slice_goes_behind_the_level)
{
    struct fixture *f = fixture_new();
    struct emu_order_req req = limit(EMU_SELL, 10000, 1000);
    req.iceberg_qty = ONE / 4;
    const struct emu_order *ice = place(f, f->alice, req);
    const struct emu_order *plain = place(f, f->bob, limit(EMU_SELL, 10000, 100));
    CHECK_EQ(f->seen.touch.ask.qty, 350 * (ONE / 1000));
    place(f, EMU_HOUSE, limit(EMU_BUY, 10000, 300));
    CHECK_EQ(ice->cum_qty, ONE / 4);
    CHECK_EQ(plain->cum_qty, 50 * (ONE / 1000));
    CHECK_EQ(f->seen.touch.ask.qty, 300 * (ONE / 1000));
    struct emu_order_req all = limit(EMU_BUY, 10000, 800);
    all.tif = EMU_FOK; /* hidden quantity counts */
    place(f, EMU_HOUSE, all);
    CHECK_EQ(ice->status, EMU_FILLED);
    fixture_end(f);
}

/* ---- self-trade prevention ---- */

TEST(self_trade_prevention_ends_whom_the_takers_mode_says)
{
    static const struct {
        enum emu_stp stp;
        enum emu_status maker, taker;
    } rows[] = {
        { EMU_STP_NONE, EMU_FILLED, EMU_FILLED },
        { EMU_STP_EXPIRE_TAKER, EMU_NEW, EMU_EXPIRED_IN_MATCH },
        { EMU_STP_EXPIRE_MAKER, EMU_EXPIRED_IN_MATCH, EMU_FILLED },
        { EMU_STP_EXPIRE_BOTH, EMU_EXPIRED_IN_MATCH, EMU_EXPIRED_IN_MATCH },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture *f = fixture_new();
        const struct emu_order *maker = place(f, f->alice, limit(EMU_SELL, 10000, 1000));
        place(f, f->bob, limit(EMU_SELL, 10000, 1000));
        struct emu_order_req req = limit(EMU_BUY, 10000, 1000);
        req.stp = rows[i].stp;
        const struct emu_order *taker = place(f, f->alice, req);
        CHECK_EQ(maker->status, rows[i].maker);
        CHECK_EQ(taker->status, rows[i].taker);
        if (rows[i].taker == EMU_EXPIRED_IN_MATCH)
            CHECK_EQ(taker->prevented_qty, ONE);
        fixture_end(f);
    }
}

/* ---- identities ---- */

TEST(a_client_id_is_unique_among_open_orders_only)
{
    struct fixture *f = fixture_new();
    struct emu_order_req req = limit(EMU_SELL, 10000, 1000);
    req.client_id = "same";
    const struct emu_order *first = place(f, f->alice, req);
    refused(f, f->alice, req, -2010, "Duplicate order sent.");
    place(f, f->bob, req); /* another account's names are its own */
    place(f, EMU_HOUSE, limit(EMU_BUY, 10000, 2000));
    CHECK_EQ(first->status, EMU_FILLED);
    const struct emu_order *second = place(f, f->alice, req);
    CHECK(second->id != first->id);
    CHECK(emu_order_find(f->e, f->alice, 0, 0, "same", NULL) == second);
    CHECK(emu_order_find(f->e, f->alice, 0, first->id, NULL, NULL) == first);
    fixture_end(f);
}

TEST(ids_that_were_not_given_are_made_and_differ)
{
    struct fixture *f = fixture_new();
    const struct emu_order *a = place(f, f->alice, limit(EMU_SELL, 10000, 1000));
    const struct emu_order *b = place(f, f->alice, limit(EMU_SELL, 10000, 1000));
    CHECK_EQ(strlen(a->client_id), 22);
    CHECK(strcmp(a->client_id, b->client_id) != 0);
    struct emu_order_req req = limit(EMU_SELL, 10000, 1000);
    req.client_id = "with space";
    CHECK_EQ(emu_order_place(f->e, f->alice, &req, &f->r), -1100);
    req.client_id = "123456789012345678901234567890123456";
    place(f, f->alice, req);
    req.client_id = "1234567890123456789012345678901234567";
    CHECK_EQ(emu_order_place(f->e, f->alice, &req, &f->r), -1100);
    fixture_end(f);
}

/* ---- cancel and replace ---- */

TEST(a_cancel_gives_back_the_lock_and_swaps_the_ids)
{
    struct fixture *f = fixture_new();
    struct emu_order_req req = limit(EMU_BUY, 10000, 1000);
    req.client_id = "order";
    const struct emu_order *o = place(f, f->alice, req);
    CHECK_EQ(locked_of(f, f->alice, "USD"), 100 * ONE);
    struct emu_cancel_req by_name = { .orig_client_id = "order", .client_id = "cancel" };
    CHECK_EQ(emu_order_cancel(f->e, f->alice, &by_name, &f->c), 0);
    CHECK(f->c.order == o && o->status == EMU_CANCELED);
    CHECK_STR(f->c.client_id, "cancel");
    int last = f->seen.exec_count - 1;
    CHECK_STR(f->seen.client_id[last], "cancel");
    CHECK_STR(f->seen.orig_client_id[last], "order");
    CHECK_EQ(locked_of(f, f->alice, "USD"), 0);
    CHECK_EQ(f->seen.touch.bid.px, 0);
    CHECK_EQ(cancel(f, f->alice, o->id), -2011);
    CHECK_STR(f->c.err.msg, "Unknown order sent.");
    fixture_end(f);
}

TEST(a_cancel_of_someone_elses_or_of_no_order_is_unknown)
{
    struct fixture *f = fixture_new();
    const struct emu_order *o = place(f, f->alice, limit(EMU_BUY, 10000, 1000));
    CHECK_EQ(cancel(f, f->bob, o->id), -2011);
    CHECK_EQ(cancel(f, f->alice, o->id + 1), -2011);
    CHECK_EQ(cancel(f, f->alice, 0), -1102);
    struct emu_cancel_req both = { .order_id = o->id, .orig_client_id = "other" };
    CHECK_EQ(emu_order_cancel(f->e, f->alice, &both, &f->c), -2011);
    CHECK_EQ(o->status, EMU_NEW);
    fixture_end(f);
}

TEST(cancel_restrictions_look_at_the_status)
{
    struct fixture *f = fixture_new();
    const struct emu_order *o = place(f, f->alice, limit(EMU_BUY, 10000, 1000));
    struct emu_cancel_req req = { .order_id = o->id, .restriction = EMU_CANCEL_ONLY_PARTIALLY_FILLED };
    CHECK_EQ(emu_order_cancel(f->e, f->alice, &req, &f->c), -2011);
    place(f, f->bob, limit(EMU_SELL, 10000, 10));
    CHECK_EQ(o->status, EMU_PARTIALLY_FILLED);
    req.restriction = EMU_CANCEL_ONLY_NEW;
    CHECK_EQ(emu_order_cancel(f->e, f->alice, &req, &f->c), -2011);
    req.restriction = EMU_CANCEL_ONLY_PARTIALLY_FILLED;
    CHECK_EQ(emu_order_cancel(f->e, f->alice, &req, &f->c), 0);
    fixture_end(f);
}

TEST(cancel_all_takes_every_open_order_of_the_symbol_and_no_other)
{
    struct fixture *f = fixture_new();
    const struct emu_order *out[8];
    place(f, f->alice, limit(EMU_BUY, 9000, 1000));
    place(f, f->alice, limit(EMU_SELL, 11000, 1000));
    const struct emu_order *bobs = place(f, f->bob, limit(EMU_SELL, 11000, 1000));
    struct emu_order_req other = {
        .symbol = 1, .side = EMU_BUY, .type = EMU_LIMIT, .tif = EMU_GTC, .px = ONE / 20, .qty = ONE
    };
    const struct emu_order *elsewhere = place(f, f->alice, other);
    CHECK_EQ(emu_order_cancel_all(f->e, f->alice, 0, out, 8, &f->c.err), 2);
    CHECK_EQ(out[0]->side, EMU_BUY);
    CHECK(bobs->is_open && elsewhere->is_open);
    CHECK_EQ(emu_order_cancel_all(f->e, f->alice, 0, out, 8, &f->c.err), -2011);
    fixture_end(f);
}

TEST(cancel_replace_reports_each_leg)
{
    struct fixture *f = fixture_new();
    struct emu_replace_result out;
    const struct emu_order *o = place(f, f->alice, limit(EMU_BUY, 10000, 1000));
    struct emu_cancel_req c = { .order_id = o->id };
    struct emu_order_req good = limit(EMU_BUY, 9900, 1000);
    struct emu_order_req poor = limit(EMU_SELL, 20000, 400000);
    poor.px = 101 * ONE;

    CHECK_EQ(emu_order_replace(f->e, f->alice, &c, &good, true, false, &out), 0);
    CHECK_EQ(o->status, EMU_CANCELED);
    CHECK_EQ(out.order.order->status, EMU_NEW);

    CHECK_EQ(emu_order_replace(f->e, f->alice, &c, &good, true, false, &out), -2022); /* gone already */
    CHECK_EQ(out.new_leg, EMU_LEG_NOT_ATTEMPTED);
    CHECK_EQ(out.cancel.err.code, -2011);

    CHECK_EQ(emu_order_replace(f->e, f->alice, &c, &good, false, false, &out), -2021);
    CHECK_EQ(out.cancel_leg, EMU_LEG_FAILURE);
    CHECK_EQ(out.new_leg, EMU_LEG_SUCCESS);

    c.order_id = out.order.order->id;
    CHECK(emu_account_deposit(f->e, f->alice, emu_asset_find(f->e, "AAA"), -free_of(f, f->alice, "AAA")));
    CHECK_EQ(emu_order_replace(f->e, f->alice, &c, &poor, true, false, &out), -2021);
    CHECK_EQ(out.cancel_leg, EMU_LEG_SUCCESS);
    CHECK_EQ(out.order.err.code, -2010);

    CHECK_EQ(emu_order_replace(f->e, f->alice, &c, &poor, false, false, &out), -2022);
    CHECK_EQ(out.new_leg, EMU_LEG_FAILURE);
    fixture_end(f);
}

TEST(a_replace_that_fails_a_filter_cancels_nothing)
{
    struct fixture *f = fixture_new();
    struct emu_replace_result out;
    const struct emu_order *o = place(f, f->alice, limit(EMU_BUY, 10000, 1000));
    struct emu_cancel_req c = { .order_id = o->id };
    struct emu_order_req req = limit(EMU_BUY, 10000, 1000);
    req.px += 1;
    CHECK_EQ(emu_order_replace(f->e, f->alice, &c, &req, false, false, &out), -1013);
    CHECK_EQ(out.cancel_leg, EMU_LEG_NOT_ATTEMPTED);
    CHECK(o->is_open);
    req.px -= 1;
    CHECK_EQ(emu_order_replace(f->e, f->alice, &c, &req, false, true, &out), -2021); /* cancel only */
    CHECK_EQ(out.new_leg, EMU_LEG_NOT_ATTEMPTED);
    CHECK(!o->is_open);
    fixture_end(f);
}

TEST_MAIN()
