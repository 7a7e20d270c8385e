/* Received spans of the loop to their handler. See loop_state.h. */
#include "engine/io/loop_state.h"

static inline void
deliver_plain(struct loop *l, uint32_t conn, const uint8_t *bytes, size_t len, int64_t recv_ns,
              const struct loop_handler *h)
{
    l->stats.plain_bytes += len;
    h->on_bytes(h->ctx, conn, bytes, len, (mono_ns_t){ recv_ns });
}

static void
deliver_tls(struct loop *l, uint32_t conn, const uint8_t *bytes, size_t len, int64_t recv_ns,
            const struct loop_handler *h)
{
    struct loop_conn *c = &l->conn[conn];
    struct tls *t = c->tls;

    tls_set_in(t, bytes, len);
    do {
        int n = tls_read(t, l->plain, TLS_RECORD_BYTES);
        if (n > 0) {
            deliver_plain(l, conn, l->plain, (size_t)n, recv_ns, h);
        } else if (n < 0) {
            c->notified = n == -TLS_END_CLOSE_NOTIFY;
            loop_conn_close(l, c, c->notified ? LOOP_END_PEER : LOOP_END_TLS, 0);
        } else {
            break;
        }
    } while (!c->discard && tls_pending(t));
    tls_set_in(t, NULL, 0);
    if (unlikely(t->out_bytes != 0))
        loop_conn_dirty(l, c);
}

static void
deliver_bytes(struct loop *l, uint32_t conn, const uint8_t *bytes, size_t len, int64_t recv_ns,
              const struct loop_handler *h)
{
    struct loop_conn *c = &l->conn[conn];

    if (unlikely(c->discard))
        return;
    if (c->tls != NULL)
        deliver_tls(l, conn, bytes, len, recv_ns, h);
    else
        deliver_plain(l, conn, bytes, len, recv_ns, h);
}

/* What the connector had read too early, then what TLS still holds inside. */
static size_t
deliver_early(struct loop *l, const struct loop_span *s, const struct loop_handler *h)
{
    struct loop_conn *c = &l->conn[s->conn];
    struct conn_handover e = c->early;

    if (e.plain_bytes != 0 && !c->discard)
        deliver_plain(l, s->conn, e.plain, e.plain_bytes, s->recv_ns, h);
    if (c->tls != NULL)
        deliver_bytes(l, s->conn, e.cipher, e.cipher_bytes, s->recv_ns, h);
    return e.plain_bytes + e.cipher_bytes;
}

static void
deliver_end(struct loop *l, uint32_t conn, const struct loop_handler *h)
{
    struct loop_conn *c = &l->conn[conn];
    enum loop_end end = (enum loop_end)c->end;

    ASSERT(c->ops == 0 && c->state == CONN_ENDING);
    if (c->tls != NULL) {
        if (end == LOOP_END_PEER && !c->notified)
            end = LOOP_END_TRUNCATED;
        c->tls = NULL; /* the connector's to free: OpenSSL's locks would be waited for here */
    }
    c->state = CONN_FREE;
    c->gen++;
    l->stats.conns--;
    h->on_closed(h->ctx, conn, end, c->err);
}

bool
loop_deliver(struct loop *l, enum loop_class class, size_t budget_bytes, const struct loop_handler *handler)
{
    struct loop_inbox *in = &l->inbox[class];
    size_t spent = 0;

    while (in->head != in->tail && spent < budget_bytes) {
        struct loop_span s = in->span[in->head++ & in->span_mask];
        switch ((enum loop_span_kind)s.kind) {
        case SPAN_BYTES:
            deliver_bytes(l, s.conn, in->buffer + (size_t)s.buffer * l->cfg.recv_buffer_bytes, s.bytes, s.recv_ns,
                          handler);
            loop_inbox_give(l, in, s.buffer);
            spent += s.bytes;
            break;
        case SPAN_EARLY: spent += deliver_early(l, &s, handler); break;
        case SPAN_END: deliver_end(l, s.conn, handler); break;
        }
    }
    loop_inbox_announce(in);
    return in->head != in->tail;
}
