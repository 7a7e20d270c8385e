/* The deterministic core against a venue that says anything at any time, clients that ask for anything, connections
 * that come and go. Nothing asserts, sums agree after every step, and once the venue answers sensibly again every
 * order ends and trading is possible. A failure prints its seed. */
#include "engine/gateway_state.h"
#include "tests/gateway_rig.h"

#define SEEDS        40u
#define STEPS        3000u
#define ORDER_CONN   GATEWAY_CONN(0, CONN_ROLE_ORDER)
#define CLORDIDS_MAX 64u

static struct rig rig;
static uint64_t generator;
static char clordids[CLORDIDS_MAX][CLORDID_BYTES];
static uint32_t clordid_count;

/* splitmix64 */
static uint64_t
any(uint64_t below)
{
    uint64_t z = generator += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return below == 0 ? z : z % below;
}

static int64_t
any_number(void)
{
    static const int64_t odd[] = { INT64_MAX, INT64_C(1) << 61, INT64_MIN, 0, -1 };
    uint64_t i = any(10);

    return i < ARRAY_LEN(odd) ? odd[i] : (int64_t)any(150000);
}

static void
drain(void)
{
    struct report r;

    for (unsigned i = 0; i < 2; i++)
        while (ring_get(&rig.report[i], &r)) {
        }
}

static void
command(void)
{
    struct command c = rig_limit(&rig, (enum side)any(2), 99800 + (px_t)any(400), 1 + (qty_t)any(100000));

    if (any(3) == 0) {
        c.verb = COMMAND_REPLACE;
        c.target_key = 1 + any(rig.key);
        c.qty = any(5) == 0 ? any_number() : c.qty;
    }
    if (any(20) == 0)
        c.px = any_number();
    rig_command(&rig, RIG_STRATEGY, c);
}

static void
connection(void)
{
    static const enum venue_report_kind log_on[] = { VENUE_TIME, VENUE_LOGGED_ON, VENUE_STREAM_UP,
                                                     VENUE_OPEN_ORDERS_END };

    if (!rig.wanted[ORDER_CONN] && rig.g->venue[0].session[ROLE_ORDER].state == SESSION_CLOSING)
        rig_disconnect(&rig, ORDER_CONN);
    if (!rig.connected[ORDER_CONN] && rig.wanted[ORDER_CONN])
        rig_connect(&rig, ORDER_CONN);
    for (unsigned i = 0; i < ARRAY_LEN(log_on) && rig.connected[ORDER_CONN]; i++) {
        struct venue_report v = rig_report(log_on[i], NULL);
        v.venue_time_ns = rig.now.wall.ns + (int64_t)any(1000);
        if (any(20) != 0)
            rig_say(&rig, &v);
    }
}

static void
venue_says_anything(void)
{
    for (uint32_t i = rig.request_count; i-- > 0 && clordid_count < CLORDIDS_MAX;)
        if (rig.request[i].clordid[0] != '\0')
            memcpy(clordids[clordid_count++], rig.request[i].clordid, CLORDID_BYTES);
    const char *of = clordid_count > 0 && any(10) != 0 ? clordids[any(clordid_count)] : NULL;
    struct venue_report v = rig_report((enum venue_report_kind)any(VENUE_REPORT_KIND_COUNT), of);
    if (clordid_count == CLORDIDS_MAX)
        clordid_count = CLORDIDS_MAX / 2;
    bool drastic = v.kind == VENUE_RATE_LIMITED || v.kind == VENUE_STREAM_DOWN || v.kind == VENUE_LOGON_REFUSED;
    if (!rig.connected[ORDER_CONN] || (drastic && any(4) != 0))
        return;
    v.request = (uint8_t)any(VENUE_RQ_COUNT + 1);
    v.state = (uint8_t)any(ORDER_STATE_COUNT + 1);
    v.side = (uint8_t)any(2);
    v.trade_id = any(8) != 0 ? (int64_t)any(200) : any_number();
    v.venue_order_id = any(30) != 0 ? 0 : any(0);
    v.instrument = any(50) != 0 ? 0 : (uint32_t)any(0);
    v.last_px = any(8) != 0 ? 99900 : any_number();
    v.last_qty = any_number();
    v.cum_qty = any_number();
    v.fee = any_number();
    v.code = (int32_t)any(3);
    v.retry_after_ns = any(2) != 0 ? rig.now.wall.ns + (int64_t)any(5 * NS_PER_S) : any_number();
    v.venue_time_ns = any(4) != 0 ? rig.now.wall.ns : any_number();
    if (any(2) != 0)
        memcpy(v.fee_ccy, "BTC", 3);
    rig_say(&rig, &v);
}

static void
step(void)
{
    uint64_t what = any(100);

    if (what < 20)
        command();
    else if (what < 28)
        rig_command(&rig, RIG_STRATEGY, (struct command){ .verb = COMMAND_CANCEL, .target_key = 1 + any(rig.key + 1) });
    else if (what < 29)
        rig_command(&rig, (uint32_t)any(2),
                    (struct command){ .verb = COMMAND_CANCEL_ALL, .instrument = any(2) != 0 ? INSTRUMENT_NONE : 0 });
    else if (what < 30)
        rig_command(&rig, RIG_OPERATOR, (struct command){ .verb = COMMAND_QUERY_ORDERS });
    else if (what < 31)
        rig.no_room = any(2) != 0;
    else if (what < 40)
        rig_pass(&rig, (int64_t)any(3 * NS_PER_S));
    else if (what < 42 && rig.connected[ORDER_CONN] && any(4) == 0)
        rig_disconnect(&rig, ORDER_CONN);
    else if (what < 50)
        connection();
    else
        venue_says_anything();
}

/* A venue that knows of no order any more and says so. */
static void
venue_answers(const struct rig_request *q)
{
    static const uint8_t answer[VENUE_RQ_COUNT] = {
        [VENUE_RQ_TIME] = VENUE_TIME,
        [VENUE_RQ_LOGON] = VENUE_LOGGED_ON,
        [VENUE_RQ_STREAM] = VENUE_STREAM_UP,
        [VENUE_RQ_OPEN_ORDERS] = VENUE_OPEN_ORDERS_END,
        [VENUE_RQ_QUERY] = VENUE_STATUS,
        [VENUE_RQ_TRADES] = VENUE_TRADES_END,
        [VENUE_RQ_CANCEL] = VENUE_CANCEL_REJECTED,
    };
    struct venue_report v = rig_report((enum venue_report_kind)answer[q->kind], q->clordid);

    if (q->kind == VENUE_RQ_NEW || q->kind == VENUE_RQ_REPLACE)
        return;
    v.request = q->kind;
    v.state = ORDER_CANCELED;
    v.venue_time_ns = q->kind == VENUE_RQ_TIME ? rig.now.wall.ns : 0;
    rig_say(&rig, &v);
}

static void
reason_returns(void)
{
    rig.no_room = false;
    for (unsigned round = 0; round < 400; round++) {
        if (!rig.wanted[ORDER_CONN] && rig.g->venue[0].session[ROLE_ORDER].state == SESSION_CLOSING)
            rig_disconnect(&rig, ORDER_CONN);
        if (!rig.connected[ORDER_CONN] && rig.wanted[ORDER_CONN])
            rig_connect(&rig, ORDER_CONN);
        rig_pass(&rig, NS_PER_S / 2);
        drain();
        for (uint32_t i = 0; i < rig.request_count && rig.connected[ORDER_CONN]; i++) {
            struct rig_request q = rig.request[i];
            venue_answers(&q);
        }
        rig.request_count = 0;
    }
}

TEST(whatever_the_venue_says_sums_agree_and_when_it_answers_again_every_order_ends)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        generator = seed * 7919;
        clordid_count = 0;
        rig_ready(&rig);
        for (unsigned i = 0; i < STEPS; i++) {
            if (rig.request_count > RIG_REQUESTS / 2)
                rig.request_count = 0;
            drain();
            step();
            const struct position *p = rig_position(&rig);
            CHECK(p->reserved[SIDE_BUY] >= 0 && p->reserved[SIDE_SELL] >= 0);
            CHECK_EQ(p->open_count, order_totals(rig.orders)->live);
            CHECK_EQ(p->unknown_count, order_totals(rig.orders)->unknown);
        }
        rig.request_count = 0;
        reason_returns();
        uint32_t held = 0; /* the venue claimed trades that it never told: those wait for them */
        int walk = order_walk_open(rig.orders, CLIENT_NONE);
        for (uint32_t slot; (slot = order_walk_next(rig.orders, walk)) != ORDER_NONE;)
            held += order_missing_fill_qty(order_at(rig.orders, slot)) > 0;
        const struct risk_venue *v = risk_venue_of(rig.risk, 0);
        if (held != order_totals(rig.orders)->live || !v->logged_on || !v->reconciled)
            printf("seed %llu\n", (unsigned long long)seed);
        CHECK_EQ(held, order_totals(rig.orders)->live);
        CHECK(v->logged_on && v->reconciled);
        rig_end(&rig);
    }
}

TEST_MAIN()
