/* Every check by one table: at its limit and one past it, for a new order, a replace that holds both orders and an
 * amend, on both sides; what a proven reduction passes (column R of docs/risk.md) and a disguised increase does not.
 *
 * The order asks for one unit more than what is there; with a replace one unit of the old order is open, which an amend
 * takes over. So the worst case is one unit, or two. */
#include "tests/risk_fixture.h"

#define ONE  1000                  /* a unit */
#define WIDE (1000000 * VALUE_ONE) /* a limit that limits nothing here */
#define STEP 5
#define MARK 9995 /* the middle */

enum form { FORM_NEW, FORM_REPLACE, FORM_AMEND, FORM_COUNT };

static struct fixture f;
static enum form form;
static bool sent_before; /* an order like it has passed */

static bool
buys(void)
{
    return f.o.side == SIDE_BUY;
}

/* What the worst case of the order's side is, with the order. */
static qty_t
worst(void)
{
    return form == FORM_NEW ? ONE : 2 * ONE;
}

static void
order_rests(uint32_t client, enum side side, px_t px, qty_t qty, int open)
{
    struct order_delta d = { .account = ACCOUNT,
                             .instrument = INSTR,
                             .instrument_version = 1,
                             .client = client,
                             .side = (uint8_t)side,
                             .open_change = (int8_t)open,
                             .reserved_change = open * qty,
                             .cost_change = side == SIDE_BUY ? (wide_t)open * px * qty : 0 };
    if (open > 0)
        d.rest_px = px;
    else
        d.gone_px = px;
    risk_apply(f.r, &d);
}

/* A position of so many on the side that the order reduces. */
static void
hold(qty_t qty)
{
    risk_set_position(f.r, ACCOUNT, INSTR, buys() ? -qty : qty, true);
}

static void
start(enum form as, enum side side)
{
    form = as;
    sent_before = false;
    fixture_money(&f);
    f.o.side = (uint8_t)side;
    f.o.px = side == SIDE_BUY ? ASK : BID;
    f.o.qty = form == FORM_AMEND ? 2 * ONE : ONE;
    if (form == FORM_NEW)
        return;
    order_rests(CLIENT, side, f.o.px, ONE, 1);
    f.o.replace = true;
    f.o.amend = form == FORM_AMEND;
    f.o.replaced_side = (uint8_t)side;
    f.o.replaced_px = f.o.px;
    f.o.replaced_leaves = ONE;
}

/* ---- what puts an order at a limit, or one past it --------------------------------------------------------------- */

#define VENUE(change)                                   \
    do {                                                \
        struct risk_venue now = *risk_venue_of(f.r, 0); \
        struct risk_venue *v = &now;                    \
        change;                                         \
        risk_set_venue(f.r, 0, v);                      \
    } while (0)

static void
killed(bool past)
{
    if (past)
        kill_trip(risk_kill(f.r));
}

static void
not_armed(bool past)
{
    risk_arm(f.r, !past);
}

static void
reconciling(bool past)
{
    VENUE(v->reconciled = !past);
}

static void
halted(bool past)
{
    if (past)
        CHECK(kill_set_state(risk_kill(f.r), LEVEL_VENUE, 0, TRADING_HALTED));
}

static void
reducing(bool past)
{
    if (past)
        CHECK(kill_set_state(risk_kill(f.r), LEVEL_CLIENT, CLIENT, TRADING_REDUCING));
}

static void
not_permitted(bool past)
{
    unsigned verb = f.o.replace ? COMMAND_REPLACE : COMMAND_NEW;
    f.lim.client_default.verbs = past ? ~(1u << verb) : 1u << verb;
    apply_limits(&f);
}

static void
unknown_instrument(bool past)
{
    f.o.instrument_version += past;
}

static void
closed(bool past)
{
    f.ins.status = past ? INSTRUMENT_CANCEL_ONLY : INSTRUMENT_TRADING;
}

static void
restricted(bool past)
{
    f.lim.instrument_default.restricted = past;
    apply_limits(&f);
}

static void
session_down(bool past)
{
    VENUE(v->logged_on = !past);
}

static void
stream_down(bool past)
{
    VENUE(v->stream_in_step = !past);
}

static void
clock_off(bool past)
{
    int64_t max = f.lim.venue_default.clock_offset_max_ns;
    VENUE(v->clock_offset_ns = buys() ? max + past : -max - past);
}

static void
clock_unknown(bool past)
{
    VENUE(v->clock_known = !past);
}

static void
stale(bool past)
{
    f.md.tob.recv_ns = NOW_NS - f.lim.instrument_default.tob_age_max_ns - past;
}

static void
book_invalid(bool past)
{
    f.md.tob.state = past ? BOOK_STATE_COUNT - 1 : BOOK_LIVE;
    if (past && f.md.tob.state == BOOK_LIVE)
        f.md.tob.state = 0;
}

static void
expired(bool past)
{
    f.o.deadline_wall_ns = NOW_NS - past;
}

static void
replayed(bool past)
{
    f.o.found = past ? DENY_REPLAYED_COMMAND : DENY_NONE;
}

static void
invalid(bool past)
{
    f.o.position_side = past ? POSITION_LONG : POSITION_NET;
}

static void
unknown_order(bool past)
{
    f.o.found = past ? DENY_UNKNOWN_ORDER : DENY_NONE;
}

static void
order_done(bool past)
{
    f.o.found = past ? DENY_ORDER_DONE : DENY_NONE;
}

static void
off_step(bool past)
{
    f.o.qty += past;
}

static void
off_tick(bool past)
{
    f.o.px += past;
}

static void
quantity_most(bool past)
{
    f.lim.instrument_default.order_qty_max = (f.o.qty - past * STEP) * 100000;
    apply_limits(&f);
}

static void
quantity_least(bool past)
{
    f.lim.instrument_default.order_qty_min = (f.o.qty + past * STEP) * 100000;
    apply_limits(&f);
}

static void
notional_most(bool past)
{
    f.lim.instrument_default.order_notional_max = f.o.px * f.o.qty * 1000 - past;
    apply_limits(&f);
}

static void
notional_least(bool past)
{
    f.lim.instrument_default.order_notional_min = f.o.px * f.o.qty * 1000 + past;
    apply_limits(&f);
}

static void
collar(bool past) /* 1 %: 10100 above the offer of 10000; 9890.1 below the bid of 9990 */
{
    f.o.px = buys() ? 10100 + past * 10 : 9900 - past * 10;
}

static void
open_orders(bool past)
{
    order_rests(CLIENT, (enum side)f.o.side, buys() ? 9000 : 11000, STEP, 1);
    f.lim.instrument_default.open_orders_max = (form == FORM_NEW ? 2u : 3u) - past;
    apply_limits(&f);
}

static void
position(bool past)
{
    f.lim.instrument_default.position_long_max = f.lim.instrument_default.position_short_max =
        (worst() - past * STEP) * 100000;
    apply_limits(&f);
}

#define EXACT 4 /* each part of a sum is rounded against us, by 10^-8 */

static void
exposure(bool past)
{
    f.lim.global.gross_max = worst() * MARK * 1000 + (past ? -1 : EXACT);
    apply_limits(&f);
}

static void
net_exposure(bool past)
{
    f.lim.account_default.group.net_max = worst() * MARK * 1000 + (past ? -1 : EXACT);
    apply_limits(&f);
}

static void
balance(bool past)
{
    VENUE(v->has_balances = true);
    value_t need = buys() ? f.o.px * worst() * 1000 : worst() * 100000;
    risk_set_balance(f.r, ACCOUNT, buys() ? 2 : 1, need - past, 0);
}

static void
balance_missing(bool past)
{
    VENUE(v->has_balances = past);
}

static void
reduce_only(bool past)
{
    f.o.flags = COMMAND_REDUCE_ONLY;
    if (!past)
        hold(worst());
}

static void
self_match(bool past)
{
    px_t touching = buys() ? f.o.px + 10 - past * 10 : f.o.px - 10 + past * 10;
    order_rests(CLIENT + 1, buys() ? SIDE_SELL : SIDE_BUY, touching, ONE, 1);
}

static void
daily_value(bool past)
{
    f.lim.venue_default.group.day_value_max = worst() * MARK * 1000 + (past ? -1 : EXACT);
    apply_limits(&f);
}

static void
daily_loss(bool past)
{
    if (past)
        CHECK(risk_restore_trip(f.r, LEVEL_GLOBAL, 0, TRIP_DAY_LOSS));
}

static void
drawdown(bool past)
{
    if (past)
        CHECK(risk_restore_trip(f.r, LEVEL_ACCOUNT, ACCOUNT, TRIP_DRAWDOWN));
}

static void
parent(bool past)
{
    f.o.parent_key = 9;
    f.o.parent_qty = ONE - past * STEP;
}

static void
breaker(bool past)
{
    if (past)
        CHECK(risk_restore_trip(f.r, LEVEL_VENUE, 0, TRIP_REJECTS));
}

static void
duplicate_key(bool past)
{
    f.o.found = past ? DENY_DUPLICATE_KEY : DENY_NONE;
}

/* One order of the same kind has passed; two rows that ask for it mean the same one. */
static void
once_before(bool past)
{
    if (past && !sent_before)
        CHECK_EQ(check(&f), DENY_NONE);
    sent_before |= past;
}

static void
duplicate_content(bool past)
{
    f.lim.duplicate_max = 1;
    apply_limits(&f);
    once_before(past);
}

static void
order_rate(bool past)
{
    f.lim.client_default.order_rate = (struct rate_limit){ 1, 1 };
    apply_limits(&f);
    once_before(past);
}

static void
replace_rate(bool past)
{
    f.lim.client_default.replace_rate = (struct rate_limit){ 1, 1 };
    apply_limits(&f);
    once_before(past);
}

static void
messages(bool past)
{
    f.lim.client_default.messages_free = 1;
    f.lim.client_default.messages_per_fill_max = 3;
    apply_limits(&f);
    for (int i = form == FORM_NEW ? 0 : 1; i < 2 + past; i++) /* with this one: three, or four */
        CHECK_EQ(risk_check_cancel(f.r, CLIENT, f.now, &f.v), DENY_NONE);
}

static void
executions(bool past)
{
    f.lim.client_default.repeat_executions_max = 3;
    apply_limits(&f);
    for (int i = form == FORM_NEW ? 0 : 1; i < 2 + past; i++) {
        order_rests(CLIENT, (enum side)f.o.side, buys() ? 9000 : 11000, STEP, 1);
        order_rests(CLIENT, (enum side)f.o.side, buys() ? 9000 : 11000, STEP, -1);
    }
}

static void
room(bool past)
{
    f.o.room = past ? DENY_CAPACITY : DENY_NONE;
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

#define NEWS     (1u << FORM_NEW)
#define REPLACES (1u << FORM_REPLACE | 1u << FORM_AMEND)
#define ALL      (NEWS | REPLACES)

static const struct row {
    enum deny_reason why;
    void (*put)(bool past);
    uint8_t forms;
    bool reduction_passes;
    bool increase_passes; /* less than the position: it does not make this limit's number larger */
} row[] = {
    { DENY_KILLED, killed, ALL, false, false },
    { DENY_NOT_ARMED, not_armed, ALL, false, false },
    { DENY_RECONCILING, reconciling, ALL, false, false },
    { DENY_HALTED, halted, ALL, false, false },
    { DENY_REDUCE_ONLY_STATE, reducing, ALL, true, false },
    { DENY_NOT_PERMITTED, not_permitted, ALL, false, false },
    { DENY_UNKNOWN_INSTRUMENT, unknown_instrument, ALL, false, false },
    { DENY_INSTRUMENT_CLOSED, closed, ALL, false, false },
    { DENY_RESTRICTED, restricted, ALL, false, false },
    { DENY_VENUE_DOWN, session_down, ALL, false, false },
    { DENY_VENUE_DOWN, stream_down, ALL, false, false },
    { DENY_CLOCK, clock_off, ALL, false, false },
    { DENY_CLOCK, clock_unknown, ALL, false, false },
    { DENY_STALE_MARKET, stale, ALL, true, false },
    { DENY_BOOK_INVALID, book_invalid, ALL, true, false },
    { DENY_EXPIRED_COMMAND, expired, ALL, false, false },
    { DENY_REPLAYED_COMMAND, replayed, ALL, false, false },
    { DENY_INVALID_ORDER, invalid, ALL, false, false },
    { DENY_UNKNOWN_ORDER, unknown_order, REPLACES, false, false },
    { DENY_ORDER_DONE, order_done, REPLACES, false, false },
    { DENY_INCREMENT, off_step, ALL, false, false },
    { DENY_INCREMENT, off_tick, ALL, false, false },
    { DENY_ORDER_QTY, quantity_most, ALL, false, false },
    { DENY_ORDER_QTY, quantity_least, ALL, false, false },
    { DENY_ORDER_NOTIONAL, notional_most, ALL, false, false },
    { DENY_ORDER_NOTIONAL, notional_least, ALL, false, false },
    { DENY_PRICE_COLLAR, collar, ALL, true, false },
    { DENY_OPEN_ORDERS, open_orders, NEWS | 1u << FORM_REPLACE, true, false },
    { DENY_POSITION, position, ALL, true, true },
    { DENY_EXPOSURE, exposure, ALL, true, true },
    { DENY_EXPOSURE, net_exposure, ALL, true, true },
    { DENY_BALANCE, balance, ALL, false, false },
    { DENY_BALANCE, balance_missing, ALL, false, false },
    { DENY_REDUCE_ONLY, reduce_only, ALL, true, false },
    { DENY_SELF_MATCH, self_match, ALL, false, false },
    { DENY_DAILY_VALUE, daily_value, ALL, true, false },
    { DENY_DAILY_LOSS, daily_loss, ALL, true, false },
    { DENY_DRAWDOWN, drawdown, ALL, true, false },
    { DENY_PARENT, parent, ALL, false, false },
    { DENY_BREAKER, breaker, ALL, true, false },
    { DENY_DUPLICATE_KEY, duplicate_key, ALL, false, false },
    { DENY_DUPLICATE_CONTENT, duplicate_content, ALL, true, false },
    { DENY_ORDER_RATE, order_rate, ALL, true, false },
    { DENY_CANCEL_RATE, replace_rate, REPLACES, false, false },
    { DENY_CANCEL_RATE, messages, ALL, true, false },
    { DENY_REPEAT_EXECUTIONS, executions, ALL, true, false },
    { DENY_CAPACITY, room, ALL, false, false },
};

static void
expect(const struct row *r, enum side side, const char *what, enum deny_reason want)
{
    enum deny_reason got = check(&f);
    if (got != want)
        fail_msg("%s, form %d, side %d, %s: %s, expected %s", deny_reason_wire(r->why), (int)form, (int)side, what,
                 deny_reason_wire(got), deny_reason_wire(want));
}

#define EACH(r, as, side)                                              \
    for (const struct row *r = row; r < row + ARRAY_LEN(row); r++)     \
        for (enum form as = FORM_NEW; as < FORM_COUNT; as++)           \
            for (enum side side = SIDE_BUY; side <= SIDE_SELL; side++) \
                if ((r->forms >> as & 1) != 0)

TEST(every_check_passes_at_its_limit_and_denies_one_past_it)
{
    EACH(r, as, side)
    {
        start(as, side);
        r->put(false);
        expect(r, side, "at the limit", DENY_NONE);
        start(as, side);
        r->put(true);
        expect(r, side, "one past it", r->why);
    }
}

TEST(a_proven_reduction_passes_what_column_r_says_and_nothing_else)
{
    EACH(r, as, side)
    {
        start(as, side);
        hold(100 * ONE);
        r->put(true);
        expect(r, side, "a reduction", r->reduction_passes ? DENY_NONE : r->why);
        CHECK(f.v.reason == DENY_NONE || !r->reduction_passes);
    }
}

TEST(an_increase_disguised_as_a_reduction_does_not_pass_it)
{
    EACH(r, as, side)
    {
        if (r->increase_passes)
            continue;
        start(as, side);
        hold(worst() - STEP); /* one step too little: it would flip */
        r->put(true);
        expect(r, side, "past the position by a step", r->why);
        start(as, side);
        hold(100 * ONE);
        risk_set_reconciled(f.r, ACCOUNT, INSTR, false); /* nobody has confirmed the position */
        r->put(true);
        expect(r, side, "of a position that is not reconciled", r->why);
    }
}

/* Of one number, which cannot lie past both of its ends. */
static bool
exclusive(const struct row *a, const struct row *b)
{
    return (a->put == quantity_most && b->put == quantity_least) ||
           (a->put == notional_most && b->put == notional_least);
}

TEST(of_two_checks_that_fail_the_earlier_one_names_the_denial)
{
    EACH(a, as, side)
    {
        for (const struct row *b = a + 1; b < row + ARRAY_LEN(row); b++) {
            if ((b->forms >> as & 1) == 0 || exclusive(a, b))
                continue;
            bool sends = a->put == duplicate_content || a->put == order_rate || a->put == replace_rate;
            start(as, side);
            (sends ? a : b)->put(true);
            (sends ? b : a)->put(true);
            expect(a, side, deny_reason_wire(b->why), a->why);
        }
    }
}

/* In the order of the checks, which is not that of their numbers. */
static const enum deny_reason reason[] = {
#define X(name, number, label, wire, text) name,
    DENY_REASONS(X)
#undef X
};

/* Those that risk gives: from KILLED to CAPACITY; MALFORMED before them and those behind come from elsewhere. */
static bool
of_risk(unsigned i)
{
    bool from = false;
    for (unsigned k = 0; k <= i; k++)
        from |= reason[k] == DENY_KILLED;
    bool after = false;
    for (unsigned k = 0; k < i; k++)
        after |= reason[k] == DENY_CAPACITY;
    return from && !after;
}

TEST(every_reason_that_risk_gives_is_in_the_table_in_its_order)
{
    unsigned at = 0;

    for (unsigned i = 0; i < ARRAY_LEN(reason); i++) {
        /* SWEEP is of market orders, which replace nothing and reduce nothing. */
        if (!of_risk(i) || reason[i] == DENY_SWEEP)
            continue;
        if (at == ARRAY_LEN(row) || row[at].why != reason[i])
            fail_msg("no row for %s, or not in its order", deny_reason_wire(reason[i]));
        while (at < ARRAY_LEN(row) && row[at].why == reason[i])
            at++;
    }
    CHECK_EQ(at, ARRAY_LEN(row));
}

/* ---- an input that is missing ------------------------------------------------------------------------------------ */

static void
venue_never_told(bool missing)
{
    if (missing)
        risk_set_venue(f.r, 0, &(struct risk_venue){ .reconciled = true, .clock_known = true });
}

static void
nothing_permitted(bool missing)
{
    f.lim.client_default.accounts = missing ? 0 : UINT32_MAX;
    apply_limits(&f);
}

static void
no_definition(bool missing)
{
    f.o.ins = missing ? NULL : &f.ins;
}

static void
no_limits_fit(bool missing)
{
    f.ins.version = f.o.instrument_version = f.md.tob.instrument_version = f.md.good.instrument_version = 2;
    if (missing)
        f.ins.qty_min = f.ins.qty_max = INT64_MAX;
    CHECK_EQ(risk_set_instrument(f.r, &f.ins, f.now, &f.fault), !missing);
}

static void
no_book(bool missing)
{
    if (missing)
        f.md.tob.recv_ns = 0;
}

static void
one_side(bool missing)
{
    if (missing)
        *(buys() ? &f.md.tob.bid_px : &f.md.tob.ask_px) = 0;
}

static void
nothing_supported(bool missing)
{
    f.ins.tifs = missing ? 0 : f.ins.tifs;
}

static void
no_price(bool missing)
{
    f.o.px = missing ? 0 : f.o.px;
}

static void
no_mark(bool missing)
{
    f.lim.global.gross_max = WIDE;
    apply_limits(&f);
    if (!missing)
        return;
    CHECK(risk_set_instrument(f.r, &f.ins, f.now, &f.fault)); /* a mark is of one definition */
    f.md.good.bid_px = 0;
}

static void
no_rate(bool missing)
{
    f.lim.venue_default.group.gross_max = WIDE;
    memcpy(f.lim.reporting, missing ? "EUR" : "USD", 4);
    risk_arm(f.r, false); /* a change of it would be refused */
    apply_limits(&f);
    risk_arm(f.r, true);
}

static void
not_confirmed(bool missing)
{
    f.o.flags = COMMAND_REDUCE_ONLY;
    hold(worst());
    risk_set_reconciled(f.r, ACCOUNT, INSTR, !missing);
}

/* Something else is held, whose mark is too old. */
static void
unmarked(bool missing)
{
    struct instrument other = f.ins;
    struct md_ref old = f.md;

    other.id = INSTR + 1;
    memcpy(other.symbol, "XYZUSD", 7);
    CHECK(risk_set_instrument(f.r, &other, f.now, &f.fault));
    struct order_delta d = { .account = ACCOUNT,
                             .instrument = other.id,
                             .instrument_version = other.version,
                             .client = CLIENT,
                             .fill_qty = ONE,
                             .fill_px = MARK,
                             .fee_ccy = 2 };
    risk_apply(f.r, &d);
    f.now.mono.ns += f.lim.mark_age_max_ns + missing;
    f.md.tob.recv_ns = f.md.good.recv_ns = f.now.mono.ns;
    risk_mark(f.r, other.id, &old, f.now);
}

static void
value_unknown(bool missing)
{
    f.lim.account_default.group.day_value_max = WIDE;
    apply_limits(&f);
    unmarked(missing);
}

static void
loss_unknown(bool missing)
{
    f.lim.global.day_loss_max = WIDE;
    apply_limits(&f);
    unmarked(missing);
}

static void
fall_unknown(bool missing)
{
    f.lim.client_default.group.drawdown_max = WIDE;
    apply_limits(&f);
    unmarked(missing);
}

static void
fast_loss_unknown(bool missing)
{
    f.lim.client_default.loss_window_max = WIDE;
    apply_limits(&f);
    unmarked(missing);
}

static void
no_total(bool missing)
{
    f.o.parent_key = 9;
    f.o.parent_qty = missing ? 0 : f.o.qty;
}

/* What each check needs to know from elsewhere. Without `put`: nothing, it is told by the order, a switch or its own
 * count; or it is the other check that misses it. */
static const struct input {
    enum deny_reason why;
    void (*put)(bool missing);
    bool reduction_passes;
    enum deny_reason named; /* when another reason names it */
} input[] = {
    { .why = DENY_KILLED },
    { .why = DENY_NOT_ARMED, .put = not_armed },
    { .why = DENY_RECONCILING, .put = reconciling },
    { .why = DENY_HALTED },
    { .why = DENY_REDUCE_ONLY_STATE },
    { .why = DENY_NOT_PERMITTED, .put = nothing_permitted },
    { .why = DENY_UNKNOWN_INSTRUMENT, .put = no_definition },
    { .why = DENY_INSTRUMENT_CLOSED, .put = no_limits_fit },
    { .why = DENY_RESTRICTED },
    { .why = DENY_VENUE_DOWN, .put = venue_never_told },
    { .why = DENY_CLOCK, .put = clock_unknown },
    { .why = DENY_STALE_MARKET, .put = no_book, .reduction_passes = true },
    { .why = DENY_BOOK_INVALID, .put = one_side, .reduction_passes = true },
    { .why = DENY_EXPIRED_COMMAND },
    { .why = DENY_REPLAYED_COMMAND },
    { .why = DENY_INVALID_ORDER, .put = nothing_supported },
    { .why = DENY_UNKNOWN_ORDER },
    { .why = DENY_ORDER_DONE },
    { .why = DENY_INCREMENT, .put = no_price },
    { .why = DENY_ORDER_QTY },
    { .why = DENY_ORDER_NOTIONAL },
    { .why = DENY_PRICE_COLLAR }, /* its reference is that of the two above */
    { .why = DENY_SWEEP },        /* test_risk_controls: nobody walked the book */
    { .why = DENY_OPEN_ORDERS },
    { .why = DENY_POSITION },
    { .why = DENY_EXPOSURE, .put = no_mark, .reduction_passes = true },
    { .why = DENY_EXPOSURE, .put = no_rate, .reduction_passes = true },
    { .why = DENY_BALANCE, .put = balance_missing },
    { .why = DENY_REDUCE_ONLY, .put = not_confirmed },
    { .why = DENY_SELF_MATCH }, /* prices of our own orders are known, in whatever decimals they were made */
    { .why = DENY_DAILY_VALUE, .put = value_unknown, .reduction_passes = true },
    { .why = DENY_DAILY_LOSS, .put = loss_unknown, .reduction_passes = true },
    { .why = DENY_DRAWDOWN, .put = fall_unknown, .reduction_passes = true, .named = DENY_DAILY_LOSS },
    { .why = DENY_PARENT, .put = no_total },
    { .why = DENY_BREAKER, .put = fast_loss_unknown, .reduction_passes = true },
    { .why = DENY_DUPLICATE_KEY },
    { .why = DENY_DUPLICATE_CONTENT },
    { .why = DENY_ORDER_RATE },
    { .why = DENY_CANCEL_RATE },
    { .why = DENY_REPEAT_EXECUTIONS },
    { .why = DENY_CAPACITY },
};

static void
expect_input(const struct input *in, const char *what, enum deny_reason want)
{
    enum deny_reason got = check(&f);
    if (got != want)
        fail_msg("%s, form %d, side %d, %s: %s, expected %s", deny_reason_wire(in->why), (int)form, (int)f.o.side, what,
                 deny_reason_wire(got), deny_reason_wire(want));
}

TEST(a_missing_input_denies_and_a_reduction_passes_what_column_r_says)
{
    for (const struct input *in = input; in < input + ARRAY_LEN(input); in++)
        for (enum form as = FORM_NEW; as < FORM_COUNT && in->put != NULL; as++)
            for (enum side side = SIDE_BUY; side <= SIDE_SELL; side++) {
                enum deny_reason why = in->named != DENY_NONE ? in->named : in->why;
                start(as, side);
                in->put(false);
                expect_input(in, "all is known", DENY_NONE);
                start(as, side);
                in->put(true);
                expect_input(in, "an input is missing", why);
                start(as, side);
                hold(100 * ONE);
                in->put(true);
                expect_input(in, "a reduction", in->reduction_passes ? DENY_NONE : why);
            }
}

TEST(every_reason_that_risk_gives_says_what_it_needs_to_know)
{
    for (unsigned i = 0; i < ARRAY_LEN(reason); i++) {
        bool found = !of_risk(i);
        for (unsigned k = 0; k < ARRAY_LEN(input); k++)
            found |= input[k].why == reason[i];
        if (!found)
            fail_msg("nothing is said of the inputs of %s", deny_reason_wire(reason[i]));
    }
}

TEST_MAIN()
