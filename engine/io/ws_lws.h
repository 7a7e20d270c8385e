/* The second way to a WebSocket: libwebsockets' client, on a thread of its own, for market data.
 *
 * The core hands over requests by one ring and takes pieces of messages from another; both are lossless and bounded.
 * When the core is a ring behind, the thread waits for it and TCP holds the venues back. It is slower than the loop
 * (a thread crossing and a parser of somebody else's) and worth two things: an oracle for our own codec, and the way
 * through an HTTP proxy.
 *
 * Always true: each OPEN is answered by one UP or one DOWN, each UP by one DOWN behind its last piece; certificates are
 * verified, chain and host name, TLS 1.2 or newer; no redirect is followed; a slow resolver delays its own
 * connection alone; pings are answered here; text is valid
 * UTF-8. One thread beside the caller's; the caller makes no system call. Not seen: a frame that the server has masked,
 * which our own codec refuses (RFC 6455, 5.1); libwebsockets 4.1 takes it and does not tell. */
#ifndef EXECGW_ENGINE_IO_WS_LWS_H
#define EXECGW_ENGINE_IO_WS_LWS_H

#include "engine/io/endpoint.h"
#include "execgw/arena.h"
#include "execgw/clock.h"

#define WS_LWS_PIECE_BYTES 4032u
#define WS_LWS_SEND_BYTES  16384u
#define WS_LWS_CONNS       132u
#define WS_LWS_PIECES_MIN  64u

enum ws_lws_kind {
    WS_LWS_UP,
    WS_LWS_DATA, /* of a message: opcode (TEXT or BINARY), first, last */
    WS_LWS_END,  /* the venue closes: data is the payload of its close frame */
    WS_LWS_DOWN  /* data is a sentence */
};

/* From libwebsockets to the core. */
struct ws_lws_piece {
    uint8_t kind; /* enum ws_lws_kind */
    uint8_t opcode;
    bool first;
    bool last;
    uint32_t conn;
    uint32_t generation; /* of its OPEN */
    uint32_t bytes;
    int64_t recv_ns; /* mono_ns_t: when the thread got it */
    uint8_t pad[8];
    uint8_t data[WS_LWS_PIECE_BYTES];
};
_Static_assert(sizeof(struct ws_lws_piece) == 4064, "ring slot");

struct ws_lws_conn {
    bool used;
    struct endpoint endpoint;
    char ca_file[256];   /* "" = the system's authorities */
    char proxy_host[64]; /* "" = none */
    uint16_t proxy_port;
};

struct ws_lws_config {
    struct ws_lws_conn conn[WS_LWS_CONNS]; /* by connection id */
    uint32_t pieces;                       /* of the ring to the core: a power of two, at least WS_LWS_PIECES_MIN */
    uint32_t connect_timeout_s;
};

struct ws_lws;

size_t ws_lws_footprint(const struct ws_lws_config *cfg);
/* cfg is copied. NULL with the fault filled. */
struct ws_lws *ws_lws_init(const struct ws_lws_config *cfg, struct arena *arena, struct fault *fault);
bool ws_lws_start(struct ws_lws *w, struct fault *fault);
void ws_lws_stop(struct ws_lws *w);

/* --- the core's side: no system call ---------------------------------------------------------------------------- */

/* Always take place where an OPEN waits for the DOWN of the one before it and is closed at most once: the ring has room
 * for those of every connection. False, and nothing happened, for a caller that asks for more while the thread stands
 * still. */
bool ws_lws_open(struct ws_lws *w, uint32_t conn, uint32_t generation);
bool ws_lws_close(struct ws_lws *w, uint32_t conn, uint32_t generation);
/* True when the next send has room beside all that may be opened and closed. */
bool ws_lws_send_room(const struct ws_lws *w);
/* One whole message of at most WS_LWS_SEND_BYTES. False without room: nothing happened. A close is not sent:
 * ws_lws_close() says good-bye. */
bool ws_lws_send(struct ws_lws *w, uint32_t conn, uint32_t generation, uint8_t opcode, const uint8_t *data,
                 size_t bytes);
/* After requests: true when the thread sleeps and ws_lws_request_fd() must be written. */
bool ws_lws_wake_needed(struct ws_lws *w);
int ws_lws_request_fd(const struct ws_lws *w);
/* The oldest piece, NULL when there is none; give it back with ws_lws_done. */
const struct ws_lws_piece *ws_lws_peek(struct ws_lws *w);
void ws_lws_done(struct ws_lws *w);
/* Written by the thread when the core sleeps. */
int ws_lws_result_fd(const struct ws_lws *w);
/* Core before it sleeps / after: as ring_reader_sleep, ring_reader_awake. */
bool ws_lws_core_sleep(struct ws_lws *w);
void ws_lws_core_awake(struct ws_lws *w);

#endif
