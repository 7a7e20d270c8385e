/* Other people on the account: by hand, another gateway, another program, a second host with a copy of our journal. */
#include "engine/venue/kraken_oe.h"
#include "tests/sim/sim.h"

#define BURST_MAX 32u

static struct vorder *
foreign_place(struct sim *s, const char *clordid, uint32_t symbol, enum side side, int64_t px, int64_t qty)
{
    struct vrequest rq = { .clordid = clordid,
                           .symbol = symbol,
                           .side = (uint8_t)side,
                           .dark = s->burst_dark,
                           .tif = "GTC",
                           .px = px,
                           .qty = qty };

    return ledger_place(s, &rq);
}

static struct vorder *
foreign_order(struct sim *s, uint32_t symbol, enum side side, int64_t px, int64_t qty)
{
    char id[40];

    switch (sim_any(s, 3)) {
    case 0: (void)snprintf(id, sizeof(id), "web_%llx", (unsigned long long)sim_any(s, 0)); break;
    case 1: (void)snprintf(id, sizeof(id), "020000000%07llu", (unsigned long long)sim_any(s, 10000000)); break;
    default:
        (void)snprintf(id, sizeof(id), "x-%016llx%012llx", (unsigned long long)sim_any(s, 0),
                       (unsigned long long)sim_any(s, UINT64_C(1) << 48));
        break;
    }
    return foreign_place(s, id, symbol, side, px, qty);
}

/* It meets one of ours: both sides of the trade are the account's, under one id. */
static void
self_trade(struct sim *s)
{
    struct ledger *l = &s->venue;
    struct vorder *o = &l->order[l->open[sim_any(s, l->opens)]];

    if (!o->ours || o->px <= 0)
        return;
    int64_t qty = ledger_some(s, o->qty - o->cum);
    struct vorder *f = foreign_order(s, o->symbol, o->side == SIDE_BUY ? SIDE_SELL : SIDE_BUY, o->px, qty);
    bool first = sim_any(s, 2) == 0;
    int64_t id = l->next_trade[o->symbol];
    ledger_trade(s, first ? o : f, qty, true);
    l->next_trade[o->symbol] = id;
    ledger_trade(s, first ? f : o, qty, true);
    l->next_trade[o->symbol] = MAX(l->next_trade[o->symbol], id + 1);
}

static void
burst(struct sim *s)
{
    uint32_t symbol = (uint32_t)sim_any(s, SIM_SYMBOLS);
    enum side side = (enum side)sim_any(s, 2);
    unsigned n = 4 + (unsigned)sim_any(s, BURST_MAX - 4);

    s->burst_dark = sim_any(s, 2) == 0;
    for (unsigned i = 0; i < n; i++) {
        int64_t qty = sim_between(s, 1, 20) * (SIM_VENUE_ONE / 1000);
        struct vorder *o = foreign_order(s, symbol, side, s->price[symbol].bid, qty);
        ledger_trade(s, o, qty, true);
    }
    s->burst_dark = false;
}

/* Its term is ours or a later one, and we have not given the id out. */
static void
second_host(struct sim *s)
{
    struct clordid_mint m;
    char id[CLORDID_BYTES];
    uint32_t symbol = (uint32_t)sim_any(s, SIM_SYMBOLS);

    if (!s->core.alive ||
        !clordid_mint_init(&m, "01", s->core.last_term + (uint32_t)sim_any(s, 3), CLORDID_DRAWS - 1 - sim_any(s, 1000)))
        return;
    (void)clordid_mint_next(&m, id);
    sim_trace(s, "another host trades as we do");
    struct vorder *o = foreign_place(s, id, symbol, SIDE_BUY, s->price[symbol].bid, sim_between(s, 1, 50) * 1000000);
    if (sim_any(s, 2) == 0)
        ledger_end(s, o, V_CANCELED, "web_cancel");
}

void
foreign_second(struct sim *s)
{
    struct ledger *l = &s->venue;

    if (sim_fate(s, FATE_foreign_order)) {
        uint32_t symbol = (uint32_t)sim_any(s, SIM_SYMBOLS);
        enum side side = (enum side)sim_any(s, 2);
        (void)foreign_order(s, symbol, side, s->price[symbol].bid, sim_between(s, 1, 5) * SIM_VENUE_ONE);
    }
    if (!s->kraken && l->opens > 0 && sim_fate(s, FATE_self_trade))
        self_trade(s);
    if (sim_fate(s, FATE_foreign_burst))
        burst(s);
    if (sim_fate(s, FATE_second_host))
        second_host(s);
}

/* ---- what is taken over ------------------------------------------------------------------------------------------ */

static bool
is_named(const struct sim *s, const struct vorder *o, const struct order_intent *in)
{
    char id[24];

    if (in->command.client != CLIENT_ADOPTED || o->symbol != check_symbol(s, in->command.instrument))
        return false;
    if ((in->command.flags & COMMAND_ADOPTED) == 0)
        return strcmp(o->clordid, in->clordid) == 0;
    if (!s->kraken)
        return (uint64_t)o->id == in->command.target_key;
    (void)snprintf(id, sizeof(id), "OSIM%02u-%05lld-SIMSIM", o->symbol, (long long)o->id);
    return kraken_order_hash(id, strlen(id)) == in->command.target_key;
}

void
foreign_adopted(struct sim *s, const struct order_intent *in)
{
    struct oracle *o = &s->oracle;

    if (foreign_find(s, in->clordid) != NULL)
        return; /* read again */
    for (uint32_t i = 0; i < s->venue.orders; i++) {
        const struct vorder *v = &s->venue.order[i];
        if (!is_named(s, v, in))
            continue;
        if (v->ours)
            sim_fail(s, "order %s is taken over and ours", v->clordid);
        if (s->foreign == FOREIGN_REPORT && (in->command.flags & COMMAND_ADOPTED) != 0)
            sim_fail(s, "order %s is taken over, and is to be reported only", v->clordid);
        if (o->adopted_count == SIM_ADOPTED)
            sim_fail(s, "more than %u orders taken over in one seed", SIM_ADOPTED);
        struct adopted *a = &o->adopted[o->adopted_count++];
        memcpy(a->clordid, in->clordid, CLORDID_BYTES);
        a->vorder = i;
        return;
    }
    sim_fail(s, "order %s is taken over, and the venue has none like it", in->clordid);
}

const struct vorder *
foreign_find(const struct sim *s, const char *clordid)
{
    for (uint32_t i = 0; i < s->oracle.adopted_count; i++)
        if (strcmp(s->oracle.adopted[i].clordid, clordid) == 0)
            return &s->venue.order[s->oracle.adopted[i].vorder];
    return NULL;
}

/* The kill switch takes off what goes by an id of our instance, whoever gave it out. */
bool
foreign_cancelable(struct sim *s, const struct vorder *v, const char *clordid)
{
    struct clordid id;
    char text[CLORDID_BYTES] = "";

    if (foreign_find(s, clordid) != NULL || (v != NULL && !v->ours && s->foreign != FOREIGN_REPORT))
        return true;
    if (strlen(clordid) != CLORDID_LEN || check_find(s, clordid) != NULL || s->swept_ns == INT64_MIN)
        return false;
    memcpy(text, clordid, CLORDID_LEN);
    return clordid_parse(text, "01", &id) == CLORDID_OURS;
}

bool
foreign_shows(const struct sim *s, const struct vorder *o)
{
    struct clordid id;
    char text[CLORDID_BYTES] = "";

    if (o->ours || !s->core.alive || strlen(o->clordid) != CLORDID_LEN)
        return false;
    memcpy(text, o->clordid, CLORDID_LEN);
    return clordid_parse(text, "01", &id) == CLORDID_OURS && id.term >= s->core.last_term;
}

bool
foreign_settled(const struct sim *s, char *why, size_t room)
{
    for (uint32_t i = 0; i < s->venue.opens && s->foreign == FOREIGN_CANCEL; i++) {
        const struct vorder *o = &s->venue.order[s->venue.open[i]];
        if (o->ours || foreign_shows(s, o))
            continue;
        (void)snprintf(why, room, "order %s is somebody else's and was to be canceled", o->clordid);
        return false;
    }
    return true;
}
