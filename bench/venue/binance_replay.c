/* A recording instead of the simulated market: its frames go out verbatim, at their pace or as fast as they are read.
 *
 * Always true: no frame is dropped: it waits until every subscriber has read enough. */
#include "bench/venue/binance_streams.h"

#define REPLAY_QUEUE_BYTES (4u * 1024 * 1024) /* full speed: what a subscriber may have unread */
#define REPLAY_BATCH       500
#define REPLAY_SETTLE_NS   (200 * NS_PER_MS) /* after the last SUBSCRIBE, so that a client gets all its streams */

static void
frame_json(struct text *t, bool micro, const void *what, const void *more)
{
    const struct replay_frame *f = (const struct replay_frame *)what;
    (void)micro;
    (void)more;
    text_bytes(t, f->text + f->data_at, f->data_len);
}

/* One recorded frame to its subscribers; as recorded, wrapper included, to a combined stream of that very name. */
static void
send_frame(struct streams *s, const struct replay_frame *f)
{
    const char *recorded = s->venue->base.replay.stream[f->stream];
    const char *at = strchr(recorded, '@');
    const char *fault_name = at != NULL && strncmp(at, "@depth", 6) == 0 ? "depth" : at != NULL ? at + 1 : recorded;
    struct message m = { .build = frame_json, .what = f };
    struct wire *verbatim = NULL;

    for (struct stream_sub *sub = s->recorded[f->stream]; sub != NULL; sub = sub->next) {
        if (sub->session->combined && strcmp(sub->name, recorded) == 0) {
            if (verbatim == NULL)
                verbatim = wire_make(f->text, f->len);
            send_market(s, sub, verbatim, fault_name);
        } else {
            send_market(s, sub, message_wire(&m, sub), fault_name);
        }
    }
    wire_drop(verbatim);
    message_free(&m);
}

static bool
replay_may_start(const struct streams *s)
{
    if (server_mono_ns() - s->last_subscribe_mono_ns < REPLAY_SETTLE_NS)
        return false;
    for (size_t i = 0; i < s->venue->base.replay.stream_count; i++)
        if (s->recorded[i] != NULL && strstr(s->venue->base.replay.stream[i], "@depth") != NULL)
            return true;
    return false;
}

/* Has every subscriber read enough to get more? */
static bool
replay_has_room(const struct streams *s, size_t queued_max)
{
    for (size_t i = 0; i < s->venue->base.replay.stream_count; i++)
        for (const struct stream_sub *sub = s->recorded[i]; sub != NULL; sub = sub->next)
            if (conn_queued_bytes(sub->session->conn) > queued_max)
                return false;
    return true;
}

static void on_replay_timer(lws_sorted_usec_list_t *timer);

static void
replay_finish(struct streams *s)
{
    s->replay_ended = true;
    if (s->replay_reported || !replay_has_room(s, 0))
        return;
    s->replay_reported = true;
    (void)printf("replay done %llu frames\n", (unsigned long long)s->frames_sent);
    (void)fflush(stdout);
}

/* Send what is due, bounded; comes back by timer, or when a subscriber has read. */
static void
replay_pump(struct streams *s)
{
    struct binance *v = s->venue;

    if (s->replay_pumping)
        return;
    if (s->replay_ended) {
        replay_finish(s);
        return;
    }
    s->replay_pumping = true;
    int64_t wait_us = 0;
    for (unsigned i = 0; i < REPLAY_BATCH && replay_has_room(s, REPLAY_QUEUE_BYTES); i++) {
        if (!s->frame_waiting && !replay_next(&v->base.replay, &s->frame)) {
            replay_finish(s);
            s->replay_pumping = false;
            return;
        }
        s->frame_waiting = true;
        if (s->replay_base_mono_ns == 0) {
            s->replay_base_mono_ns = server_mono_ns();
            s->replay_base_recv_ns = s->frame.recv_ns;
        }
        if (!v->base.replay_full_speed) {
            int64_t due_ns = s->replay_base_mono_ns + (s->frame.recv_ns - s->replay_base_recv_ns);
            wait_us = (due_ns - server_mono_ns()) / 1000;
            if (wait_us > 0)
                break;
        }
        s->frame_waiting = false;
        s->frames_sent++;
        send_frame(s, &s->frame);
    }
    s->replay_pumping = false;
    lws_sul_schedule(server_lws(v->base.server), 0, &s->replay_timer, on_replay_timer, MAX(wait_us, 1));
}

static void
on_replay_timer(lws_sorted_usec_list_t *timer)
{
    replay_pump(lws_container_of(timer, struct streams, replay_timer));
}

void
streams_on_drained(struct streams *s, struct session *ss)
{
    (void)ss;
    if (s->replay_started)
        replay_pump(s);
}

void
streams_replay_tick(struct streams *s)
{
    if (!s->venue->base.has_replay)
        return;
    if (!s->replay_started && replay_may_start(s))
        s->replay_started = true;
    if (s->replay_started)
        replay_pump(s);
}
