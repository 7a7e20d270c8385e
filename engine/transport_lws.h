/* Market data over libwebsockets, seen as a connection of the loop: bytes of frames in, bytes of frames out.
 *
 * Between the core, which calls it instead of the loop for venues with transport = "lws", and engine/io/ws_lws. What
 * comes as pieces of messages is framed again, so that the gateway, a recording and replay know one kind of connection
 * only; what the gateway frames is unframed.
 *
 * Always true: between an up and its down a connection's bytes are whole frames in the order of their arrival; nothing
 * of a connection before the last open is delivered. Core thread only. */
#ifndef EXECGW_ENGINE_TRANSPORT_LWS_H
#define EXECGW_ENGINE_TRANSPORT_LWS_H

#include "engine/io/ws_lws.h"
#include "feed/ws_frame.h"

struct transport_lws {
    struct ws_lws *lws; /* NULL: no venue uses it */
    bool used[WS_LWS_CONNS];
    uint32_t generation[WS_LWS_CONNS];
    bool open[WS_LWS_CONNS]; /* opened, and neither closed nor down since */
    bool up[WS_LWS_CONNS];
    bool asked; /* something was put into its ring */
    uint8_t out[WS_LWS_SEND_BYTES + WS_HEADER_ROOM];
    uint8_t unframed[WS_LWS_SEND_BYTES];
    uint8_t in[WS_LWS_PIECE_BYTES + WS_HEADER_ROOM];
};

struct transport_handler {
    void *ctx;
    void (*on_up)(void *ctx, uint32_t conn);
    void (*on_bytes)(void *ctx, uint32_t conn, const uint8_t *bytes, size_t len, mono_ns_t recv);
    void (*on_down)(void *ctx, uint32_t conn, const char *why);
};

void transport_lws_init(struct transport_lws *t, struct ws_lws *lws, const struct ws_lws_config *cfg);

static inline bool
transport_lws_has(const struct transport_lws *t, uint32_t conn)
{
    return conn < WS_LWS_CONNS && t->used[conn];
}

/* As struct gateway_port's. A close of what is closed does nothing; reserve is NULL while the thread is far behind. */
void transport_lws_open(struct transport_lws *t, uint32_t conn);
void transport_lws_close(struct transport_lws *t, uint32_t conn);
uint8_t *transport_lws_reserve(struct transport_lws *t, uint32_t conn, size_t bytes);
void transport_lws_commit(struct transport_lws *t, uint32_t conn, size_t bytes);

/* Deliver pieces until `budget_bytes` are spent; true when some are left. */
bool transport_lws_deliver(struct transport_lws *t, size_t budget_bytes, const struct transport_handler *handler);

#endif
