/* The day: its roll, and what of it outlives a restart. See risk_state.h.
 *
 * A group's result is the sum of what its holdings have made since the journal began, at their marks; the day's is what
 * that has moved since the roll. The journal is told marks and, behind them, each group's day: whoever replays it has
 * the same holdings at the same marks there, so the base of the day follows, whatever rounding or summing up came
 * before. From there on the first live mark says the rest. */
#include "risk/risk_state.h"

#define DAY_S INT64_C(86400)

static value_t
clamp_value(wide_t v)
{
    return v > RISK_QTY_MAX ? RISK_QTY_MAX : v < -RISK_QTY_MAX ? -RISK_QTY_MAX : (value_t)v;
}

static void
group_roll(struct group *g)
{
    value_t made = clamp_value(group_day_result(g));

    g->base = g->result;
    g->day_value = 0;
    g->day_fees = 0;
    g->day_best = 0;
    g->best.best = qty_add(g->best.best, -made); /* a fast loss does not end with the day */
    g->best.before = qty_add(g->best.before, -made);
    g->tripped &= ~(1u << TRIP_DAY_LOSS | 1u << TRIP_DRAWDOWN);
    group_rooms(g);
}

static void
day_roll(struct risk *r)
{
    group_roll(&r->global);
    for (uint32_t i = 0; i < VENUE_MAX; i++)
        group_roll(&r->venue[i].group);
    for (uint32_t i = 0; i < ACCOUNT_MAX; i++)
        group_roll(&r->account[i].group);
    for (uint32_t i = 0; i < CLIENT_MAX; i++) {
        group_roll(&r->client[i].group);
        r->client[i].messages = 0;
        r->client[i].fills = 0;
    }
}

void
risk_clock(struct risk *r, struct now now)
{
    int64_t s = now.wall.ns / NS_PER_S - (int64_t)r->limits.roll_s;
    int64_t day = s / DAY_S;

    r->now = now;
    if (unlikely(day > r->day)) { /* a clock that steps back opens no new day */
        if (r->day >= 0)
            day_roll(r);
        r->day = day;
    }
}

/* ---- telling ----------------------------------------------------------------------------------------------------- */

/* More than a part of the limit; a limit of nothing tells every move. */
static bool
moved(value_t by, value_t limit)
{
    return limit != LIMIT_NONE && by != 0 && (by < 0 ? -by : by) > limit / RISK_DAY_PART;
}

static bool
group_moved(const struct group *g)
{
    value_t result = clamp_value(group_day_result(g));

    value_t least = MIN(MIN(g->limits.day_loss_max, g->limits.drawdown_max), g->loss_window_max);

    return moved(result - g->told.result, least) || moved(g->day_best - g->told.best, g->limits.drawdown_max);
}

bool
risk_day_due(const struct risk *r, struct now now)
{
    if (r->limits_version == 0 || r->day < 0)
        return false;
    if (r->day != r->told_day || r->told_at_ns == 0 || now.mono.ns - r->told_at_ns >= RISK_DAY_AGE_NS)
        return true;
    bool any = group_moved(&r->global);
    for (uint32_t i = 0; i < VENUE_MAX; i++)
        any |= group_moved(&r->venue[i].group);
    for (uint32_t i = 0; i < r->counts.accounts; i++)
        any |= group_moved(&r->account[i].group);
    for (uint32_t i = 0; i < CLIENT_MAX; i++)
        any |= group_moved(&r->client[i].group);
    return any;
}

bool
risk_day_tell(struct risk *r, enum trading_level level, uint32_t id, struct risk_day *out)
{
    struct group *g = risk_group_at(r, level, id);

    if (g == NULL)
        return false;
    *out = (struct risk_day){ .result = clamp_value(group_day_result(g)), .value = g->day_value, .fees = g->day_fees };
    out->best = MAX(g->day_best, out->result);
    if (level == LEVEL_CLIENT) {
        out->messages = r->client[id].messages;
        out->fills = r->client[id].fills;
        out->executions = r->client[id].executions;
    }
    if (memcmp(out, &g->told, sizeof(*out)) == 0)
        return false;
    g->told = *out;
    return true;
}

bool
risk_mark_tell(struct risk *r, uint32_t instrument, uint32_t *version, px_t *px, int64_t *rate)
{
    ASSERT(instrument < r->counts.instruments);
    struct market *m = &r->market[instrument];

    if (!m->used || r->defined[instrument].version == 0 || m->value.mark <= 0 ||
        (m->value.mark == m->told_px && m->rate == m->told_rate))
        return false;
    *version = r->defined[instrument].version;
    *px = m->told_px = m->value.mark;
    *rate = m->told_rate = m->rate;
    return true;
}

bool
risk_rate_tell(struct risk *r, uint16_t currency, int64_t *rate)
{
    ASSERT(currency < CURRENCY_MAX);
    struct rate *x = &r->rate[currency];

    if (x->fixed || x->rate == 0 || x->rate == x->told)
        return false;
    *rate = x->told = x->rate;
    return true;
}

void
risk_day_told(struct risk *r, struct now now)
{
    r->told_day = r->day;
    r->told_at_ns = MAX(now.mono.ns, 1);
}

void
risk_day_untold(struct risk *r)
{
    r->told_at_ns = 0;
    r->global.told = (struct risk_day){ 0 };
    for (uint32_t i = 0; i < VENUE_MAX; i++)
        r->venue[i].group.told = (struct risk_day){ 0 };
    for (uint32_t i = 0; i < ACCOUNT_MAX; i++)
        r->account[i].group.told = (struct risk_day){ 0 };
    for (uint32_t i = 0; i < CLIENT_MAX; i++)
        r->client[i].group.told = (struct risk_day){ 0 };
    for (uint32_t i = 0; i < r->counts.instruments; i++)
        r->market[i].told_px = 0;
    for (uint32_t i = 0; i < CURRENCY_MAX; i++)
        r->rate[i].told = 0;
}

/* ---- told again -------------------------------------------------------------------------------------------------- */

static bool
in_force(const struct risk *r, const char *reporting)
{
    return strncmp(r->limits.reporting, reporting, CURRENCY_BYTES) == 0;
}

/* Money of the journal's currency in the one in force: rates of a currency and amounts alike. */
static int64_t
restated(const struct risk *r, int64_t v)
{
    return clamp_value((wide_t)v * pow10_i64[RATE_DECIMALS] / r->restated);
}

bool
risk_restore_rate(struct risk *r, const char *reporting, uint16_t currency, int64_t rate)
{
    if (currency >= CURRENCY_MAX || rate <= 0)
        return false;
    if (!in_force(r, reporting)) {
        if (strncmp(r->currency[currency], r->limits.reporting, CURRENCY_BYTES) == 0)
            r->restated = rate;
        if (r->restated == 0)
            return true;
        rate = restated(r, rate);
    }
    risk_set_rate(r, currency, rate, r->now.mono);
    r->rate[currency].told = r->rate[currency].rate;
    return true;
}

bool
risk_restore_mark(struct risk *r, const char *reporting, uint32_t instrument, uint32_t version, px_t px, int64_t rate)
{
    if (instrument >= r->counts.instruments || px <= 0 || rate < 0)
        return false;
    struct market *m = &r->market[instrument];
    if (!r->valued || version != r->defined[instrument].version)
        return true;
    if (!in_force(r, reporting) && r->restated == 0)
        return true;
    m->used = true;
    market_value(r, m, px, 0, false);
    m->rate = in_force(r, reporting) ? rate : restated(r, rate);
    m->value.unit = 0;
    if (m->rate > 0)
        valuation_set(&m->value, &m->contract, px, m->rate);
    m->told_px = px;
    m->told_rate = m->rate;
    market_revalue(r, instrument);
    return true;
}

bool
risk_restate(const struct risk *r, const char *reporting, value_t *v)
{
    if (in_force(r, reporting))
        return true;
    if (reporting[0] == '\0' || r->restated == 0)
        return false;
    *v = restated(r, *v);
    return true;
}

static bool
day_restate(const struct risk *r, const char *reporting, struct risk_day *d)
{
    return risk_restate(r, reporting, &d->result) && risk_restate(r, reporting, &d->best) &&
           risk_restate(r, reporting, &d->value) && risk_restate(r, reporting, &d->fees);
}

bool
risk_restore_day(struct risk *r, const char *reporting, enum trading_level level, uint32_t id, const struct risk_day *d)
{
    struct group *g = risk_group_at(r, level, id);
    struct risk_day day = *d;

    if (g == NULL || day.best < -RISK_QTY_MAX || day.value < 0 || day.best > RISK_QTY_MAX || day.result > day.best ||
        day.result < -RISK_QTY_MAX || day.fees < -RISK_QTY_MAX || day.fees > RISK_QTY_MAX)
        return false;
    if (level == LEVEL_CLIENT) {
        r->client[id].messages = day.messages;
        r->client[id].fills = day.fills;
        r->client[id].executions = day.executions;
    }
    if (!r->valued)
        return true;
    if (day_restate(r, reporting, &day)) {
        g->day_value = day.value;
        g->day_fees = day.fees;
        g->day_best = day.best;
        g->base = g->result - day.fees - day.result;
        g->told = day;
    } else if (reporting[0] != '\0' && day.result < day.best) {
        g->tripped |= 1u << TRIP_DAY_LOSS;
    }
    group_rooms(g);
    return true;
}

void
risk_restore_message(struct risk *r, uint32_t client, bool execution)
{
    if (client >= CLIENT_MAX)
        return;
    r->client[client].messages++;
    r->client[client].executions += execution;
}

void
risk_restored(struct risk *r, struct now now)
{
    windows_begun(r, now);
    for (uint32_t i = 0; i < CURRENCY_MAX; i++)
        if (!r->rate[i].fixed)
            r->rate[i].at_ns = INT64_MIN / 2;
    r->told_at_ns = 0;
}
