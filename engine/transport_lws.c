#include "engine/transport_lws.h"

void
transport_lws_init(struct transport_lws *t, struct ws_lws *lws, const struct ws_lws_config *cfg)
{
    *t = (struct transport_lws){ .lws = lws };
    for (uint32_t i = 0; i < WS_LWS_CONNS; i++)
        t->used[i] = lws != NULL && cfg->conn[i].used;
}

void
transport_lws_open(struct transport_lws *t, uint32_t conn)
{
    ASSERT(ws_lws_open(t->lws, conn, ++t->generation[conn])); /* behind the DOWN before it: it has room */
    t->open[conn] = true;
    t->asked = true;
}

void
transport_lws_close(struct transport_lws *t, uint32_t conn)
{
    if (!t->open[conn])
        return; /* asked for already, or over: a second one would have no room of its own */
    ASSERT(ws_lws_close(t->lws, conn, t->generation[conn]));
    t->open[conn] = false;
    t->asked = true;
}

uint8_t *
transport_lws_reserve(struct transport_lws *t, uint32_t conn, size_t bytes)
{
    return t->up[conn] && bytes <= sizeof(t->out) && ws_lws_send_room(t->lws) ? t->out : NULL;
}

void
transport_lws_commit(struct transport_lws *t, uint32_t conn, size_t bytes)
{
    struct ws_reader r;
    struct ws_message m;
    size_t used;

    ws_reader_init(&r, WS_SERVER, t->unframed, sizeof(t->unframed));
    switch (ws_read(&r, t->out, bytes, &used, &m)) {
    case WS_MESSAGE:
    case WS_PING:
    case WS_PONG:
        /* Its room was there in reserve(). */
        (void)ws_lws_send(t->lws, conn, t->generation[conn], m.opcode, m.data, m.len);
        t->asked = true;
        break;
    case WS_CLOSE:
    case WS_FAIL: /* a close of ours, whose code may be the peer's: conn_close comes next */
    case WS_MORE: break;
    }
}

/* One piece as a frame: a message that comes in several becomes fragments. */
static struct ws_frame
frame_of(struct transport_lws *t, const struct ws_lws_piece *p)
{
    uint8_t opcode = WS_OP_CLOSE;

    if (p->kind == WS_LWS_DATA)
        opcode = p->first ? p->opcode : WS_OP_CONTINUATION;
    if (p->bytes > 0)
        memcpy(t->in + WS_HEADER_ROOM, p->data, p->bytes);
    struct ws_frame f = ws_encode(t->in, WS_HEADER_ROOM, p->bytes, opcode, NULL);
    if (p->kind == WS_LWS_DATA && !p->last)
        f.data[0] &= 0x7F;
    return f;
}

static void
deliver(struct transport_lws *t, const struct ws_lws_piece *p, const struct transport_handler *handler)
{
    uint32_t conn = p->conn;

    if (p->generation != t->generation[conn])
        return; /* of a connection that nobody waits for any more */
    switch ((enum ws_lws_kind)p->kind) {
    case WS_LWS_UP:
        t->up[conn] = true;
        handler->on_up(handler->ctx, conn);
        break;
    case WS_LWS_DATA:
    case WS_LWS_END: {
        struct ws_frame f = frame_of(t, p);
        handler->on_bytes(handler->ctx, conn, f.data, f.len, (mono_ns_t){ p->recv_ns });
        break;
    }
    case WS_LWS_DOWN:
        t->up[conn] = false;
        t->open[conn] = false;
        handler->on_down(handler->ctx, conn, (const char *)p->data);
        break;
    }
}

bool
transport_lws_deliver(struct transport_lws *t, size_t budget_bytes, const struct transport_handler *handler)
{
    const struct ws_lws_piece *p = NULL;
    size_t spent = 0;

    if (t->lws == NULL)
        return false;
    while (spent < budget_bytes && (p = ws_lws_peek(t->lws)) != NULL) {
        spent += p->bytes + 1;
        deliver(t, p, handler);
        ws_lws_done(t->lws);
    }
    return p != NULL;
}
