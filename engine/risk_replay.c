/* Records to risk. See risk_replay.h. */
#include "engine/risk_replay.h"
#include "execgw/admission.h"

static void
replay_control(struct risk *r, const struct journal_control *c, struct now now)
{
    if (c->kind == CONTROL_TRIP)
        (void)risk_restore_trip(r, (enum trading_level)c->level, c->id, (enum risk_trip_kind)c->value);
    if (c->kind != CONTROL_STATE)
        return;
    (void)kill_set_state(risk_kill(r), (enum trading_level)c->level, c->id, (enum trading_state)c->value);
    if (c->value == TRADING_ACTIVE) /* a human's word */
        (void)risk_untrip(r, (enum trading_level)c->level, c->id, now);
}

static void
replay_marks(struct risk *r, const struct journal_marks *m)
{
    for (uint32_t i = 0; i < m->count; i++) {
        const struct journal_mark *x = &m->mark[i];
        if (x->version == 0)
            (void)risk_restore_rate(r, m->reporting, (uint16_t)x->id, x->rate);
        else
            (void)risk_restore_mark(r, m->reporting, x->id, x->version, x->px, x->rate);
    }
}

static void
replay_day(struct risk *r, const struct journal_day *day)
{
    for (uint32_t i = 0; i < day->count; i++) {
        const struct journal_day_group *x = &day->group[i];
        const struct risk_day d = { .result = x->result,
                                    .best = x->best,
                                    .value = x->value,
                                    .fees = x->fees,
                                    .messages = x->messages,
                                    .fills = x->fills,
                                    .executions = x->executions };
        (void)risk_restore_day(r, day->reporting, (enum trading_level)x->level, x->id, &d);
    }
}

static void
replay_windows(struct risk *r, const struct journal_windows *all)
{
    for (uint32_t i = 0; i < all->count; i++) {
        const struct journal_window *x = &all->window[i];
        const struct risk_window w = { .kind = x->kind,
                                       .level = x->level,
                                       .id = x->id,
                                       .since_ns = x->since_ns,
                                       .samples = x->samples,
                                       .beyond = x->beyond,
                                       .best = x->best,
                                       .before = x->before };
        (void)risk_restore_window(r, all->reporting, &w);
    }
}

void
risk_replay(struct risk *r, const struct journal_record *rec)
{
    struct now now = { { rec->mono_ns }, { rec->wall_ns } };

    if (rec->type == JOURNAL_SNAPSHOT) /* its own time is that of the summing up, not that of what happened */
        return;
    risk_clock(r, now);
    switch (rec->type) {
    case JOURNAL_CONTROL: replay_control(r, rec->payload, now); break;
    case JOURNAL_POSITION: {
        const struct journal_position *p = rec->payload;
        risk_set_position(r, p->account, p->instrument, p->qty, false);
        break;
    }
    case JOURNAL_MARKS: replay_marks(r, rec->payload); break;
    case JOURNAL_DAY: replay_day(r, rec->payload); break;
    case JOURNAL_WINDOWS:
        if (journal_payload_ok(rec)) /* advisory: nobody has looked */
            replay_windows(r, rec->payload);
        break;
    case JOURNAL_INTENT: {
        const struct order_intent *in = rec->payload;
        if (in->deny == DENY_NONE && (in->flags & ORDER_INTENT_AMEND) != 0)
            risk_restore_message(r, in->command.client, true);
        break;
    }
    case JOURNAL_REQUEST: {
        const struct order_event *ev = rec->payload;
        if (ev->kind == ORDER_EV_CANCEL_SENT && ev->request_key != 0 && ev->request_client != CLIENT_OPERATOR)
            risk_restore_message(r, ev->request_client, false);
        break;
    }
    default: break;
    }
}
