/* What happened elsewhere, as scripts: each is stopped, by the control that docs/risk.md says. And that table against
 * the list of reasons. */
#include "tests/risk_fixture.h"

#define USD(x) ((value_t)(x)*VALUE_ONE)

/* An accepted order that fills at once, as oms tells of it. */
static void
fills_at_once(struct fixture *f, px_t px)
{
    struct order_delta d = { .account = ACCOUNT,
                             .instrument = INSTR,
                             .client = CLIENT,
                             .side = f->o.side,
                             .open_change = 1,
                             .reserved_change = f->o.qty,
                             .parent_key = f->o.parent_key,
                             .parent_qty = f->o.parent_qty };
    risk_apply(f->r, &d);
    d.open_change = -1;
    d.reserved_change = -f->o.qty;
    d.fill_qty = f->o.qty;
    d.fill_px = px;
    risk_apply(f->r, &d);
}

static void
tick(struct fixture *f, int64_t ns)
{
    f->now.mono.ns += ns;
    f->now.wall.ns += ns;
    f->md.tob.recv_ns = f->md.good.recv_ns = f->now.mono.ns;
}

/* Which controls have stopped each, to be held to what docs/risk.md says. */
enum incident { KNIGHT, EVERBRIGHT, CITI, INCIDENT_COUNT };
static bool stopped_by[INCIDENT_COUNT][DENY_REASON_COUNT];

static enum deny_reason
tried(struct fixture *f, enum incident i, bool controlled)
{
    enum deny_reason why = check(f);
    if (why != DENY_NONE && controlled)
        stopped_by[i][why] = true;
    return why;
}

/* Forty-five minutes of it, a hundred a second: how many left. */
static unsigned
knight(struct fixture *f, bool controlled, enum deny_reason *last)
{
    unsigned sent = 0;

    fixture_money(f);
    f->lim.duplicate_max = controlled ? 10 : LIMIT_COUNT_NONE;
    f->lim.client_default.denied_rate = (struct rate_limit){ .per_s = 50, .burst = 50 };
    f->lim.client_default.flood_halts = controlled;
    f->lim.global.gross_max = USD(1000000);
    apply_limits(f);
    f->o.qty = 100;
    for (int i = 0; i < 45 * 60 * 100; i++) {
        tick(f, 10 * NS_PER_MS);
        *last = tried(f, KNIGHT, controlled);
        if (*last == DENY_NONE) {
            sent++;
            fills_at_once(f, ASK);
        }
    }
    return sent;
}

TEST(knight_the_same_child_order_without_end_is_stopped_at_once_and_the_strategy_halted)
{
    struct fixture f;
    enum deny_reason last;

    CHECK(knight(&f, true, &last) <= 20);
    CHECK_EQ(last, DENY_HALTED);
    CHECK_EQ(risk_check_cancel(f.r, CLIENT, f.now, &f.v), DENY_NONE);
    CHECK(knight(&f, false, &last) > 9000); /* nothing else would have */
}

/* Slow enough for the book to fill up again after each. */
static unsigned
everbright(struct fixture *f, bool controlled)
{
    unsigned sent = 0;

    fixture_money(f);
    f->lim.global.gross_max = controlled ? USD(10000) : LIMIT_NONE;
    f->lim.instrument_default.position_long_max = RISK_QTY_MAX;
    f->lim.duplicate_max = 1000000;
    apply_limits(f);
    f->o.type = ORDER_MARKET;
    f->o.tif = TIF_IOC;
    f->o.px = 0;
    f->o.qty = 100000;                              /* 10,000 USD at once, */
    f->o.sweep_qty = controlled ? 30000 : f->o.qty; /* in a book that shows three thousand */
    f->o.sweep_px = ASK;
    CHECK_EQ(tried(f, EVERBRIGHT, controlled), controlled ? DENY_SWEEP : DENY_NONE);
    f->o.qty = f->o.sweep_qty = 1000;
    for (int i = 0; i < 26000; i++) {
        tick(f, 200 * NS_PER_MS);
        if (tried(f, EVERBRIGHT, controlled) != DENY_NONE)
            break;
        sent++;
        fills_at_once(f, ASK);
    }
    return sent;
}

TEST(everbright_market_orders_beyond_the_book_and_purchases_beyond_the_money_are_stopped)
{
    struct fixture f;
    struct risk_group g;
    unsigned sent = everbright(&f, true);

    CHECK_EQ(f.v.reason, DENY_EXPOSURE);
    CHECK(sent >= 90 && sent <= 100);
    CHECK(risk_group(f.r, LEVEL_GLOBAL, 0, &g));
    CHECK(g.gross <= USD(10000));
    CHECK_EQ(everbright(&f, false), 26000);
}

/* Slices small enough for every limit of one order: their parent was stated at what was meant. */
static qty_t
citi_in_slices(struct fixture *f, bool controlled)
{
    qty_t sold = 0;

    f->o.px = BID;
    f->o.qty = 1000;
    f->o.parent_key = controlled;
    f->o.parent_qty = controlled ? 58000 : 0;
    for (int i = 0; i < 10000; i++) {
        tick(f, 100 * NS_PER_MS);
        if (tried(f, CITI, controlled) != DENY_NONE)
            break;
        sold += f->o.qty;
        fills_at_once(f, BID);
    }
    return sold;
}

TEST(citi_a_basket_a_thousand_times_too_large_is_stopped_whole_and_in_slices)
{
    struct fixture f;

    fixture_money(&f);
    f.lim.instrument_default.order_notional_max = USD(1000);
    f.lim.instrument_default.position_short_max = RISK_QTY_MAX;
    f.lim.duplicate_max = 1000000;
    apply_limits(&f);
    risk_set_position(f.r, ACCOUNT, INSTR, 0, true);
    f.o.side = SIDE_SELL;
    f.o.px = BID;
    f.o.qty = 58000000; /* in units instead of dollars */
    CHECK_EQ(tried(&f, CITI, true), DENY_ORDER_NOTIONAL);
    f.lim.instrument_default.order_qty_max = USD(100); /* whatever they are worth */
    apply_limits(&f);
    CHECK_EQ(tried(&f, CITI, true), DENY_ORDER_QTY);
    f.o.px = 10; /* and at any price */
    f.o.qty = 5000;
    CHECK_EQ(tried(&f, CITI, true), DENY_PRICE_COLLAR);
    CHECK_EQ(citi_in_slices(&f, true), 58000);
    CHECK_EQ(f.v.reason, DENY_PARENT);
    CHECK_EQ(citi_in_slices(&f, false), 10000 * 1000);
}

static const char *const wire[] = {
#define X(name, number, label, w, t) w,
    DENY_REASONS(X)
#undef X
};

static const enum deny_reason number_of[] = {
#define X(name, number, label, w, t) name,
    DENY_REASONS(X)
#undef X
};

static const char *
document(void)
{
    static char text[64 * 1024];
    const char *source = getenv("EXECGW_SOURCE");
    char path[512];

    CHECK(source != NULL);
    (void)snprintf(path, sizeof(path), "%s/docs/risk.md", source);
    FILE *in = fopen(path, "r");
    CHECK(in != NULL);
    size_t n = fread(text, 1, sizeof(text) - 1, in);
    (void)fclose(in);
    text[n] = '\0';
    return text;
}

/* What has stopped each above is what its row names, no more and no less. */
TEST(each_incident_is_stopped_by_the_controls_that_the_document_names)
{
    static const char *const name[] = { "\n| Knight, ", "\n| Everbright, ", "\n| Citi, " };
    const char *text = document();

    for (unsigned i = 0; i < INCIDENT_COUNT; i++) {
        char row[512];
        const char *at = strstr(text, name[i]);
        CHECK(at != NULL);
        size_t length = strcspn(at + 1, "\n");
        CHECK(length < sizeof(row));
        memcpy(row, at + 1, length);
        row[length] = '\0';
        for (unsigned k = 0; k < ARRAY_LEN(wire); k++) {
            char quoted[64];
            (void)snprintf(quoted, sizeof(quoted), "`%s`", wire[k]);
            bool named = strstr(row, quoted) != NULL;
            if (named != stopped_by[i][number_of[k]])
                fail_msg("%.12s: %s %s", name[i] + 3, wire[k], named ? "is named and did not stop it" : "is not named");
        }
    }
}

/* docs/risk.md has a row for each reason, in the order of the checks. */
TEST(the_table_of_controls_names_every_reason_in_its_order)
{
    const char *text = document();
    const char *at = text;

    for (unsigned i = 1; i < ARRAY_LEN(wire); i++) {
        char row[64];
        (void)snprintf(row, sizeof(row), "\n| `%s` |", wire[i]);
        const char *found = strstr(text, row);
        if (found == NULL || found < at)
            fail_msg("docs/risk.md: the row of %s is missing or out of its order", wire[i]);
        at = found;
        if (strcmp(wire[i], "JOURNAL") == 0)
            break; /* behind it: what operators' commands are denied with */
    }
}

TEST_MAIN()
