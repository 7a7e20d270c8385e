/* A WebSocket client that echoes: the smallest user of feed/ws_frame, as conformance suites ask for it. Every message
 * comes back as it is, a ping as a pong, a close as a close with the same code; what breaks the protocol is answered
 * with the code that the reader names. After its close it is over. */
#ifndef EXECGW_TESTS_CONFORMANCE_WS_ECHO_H
#define EXECGW_TESTS_CONFORMANCE_WS_ECHO_H

#include "feed/ws_frame.h"

struct ws_echo {
    struct ws_reader reader;
    void *ctx;
    /* One message or control frame to the server. */
    void (*send)(void *ctx, uint8_t opcode, const uint8_t *data, size_t len);
    bool over; /* a close was sent */
};

static inline void
ws_echo_close(struct ws_echo *e, uint16_t code)
{
    uint8_t payload[WS_CLOSE_MAX];
    size_t n = code == WS_CLOSE_NO_STATUS ? 0 : ws_close_payload(payload, code, "");

    e->send(e->ctx, WS_OP_CLOSE, payload, n);
    e->over = true;
}

static inline void
ws_echo_bytes(struct ws_echo *e, const uint8_t *bytes, size_t len)
{
    while (len > 0 && !e->over) {
        struct ws_message m;
        size_t used = 0;
        enum ws_result res = ws_read(&e->reader, bytes, len, &used, &m);
        switch (res) {
        case WS_MORE:
        case WS_PONG: break;
        case WS_MESSAGE: e->send(e->ctx, m.opcode, m.data, m.len); break;
        case WS_PING: e->send(e->ctx, WS_OP_PONG, m.data, m.len); break;
        case WS_CLOSE:
        case WS_FAIL: ws_echo_close(e, m.code); break;
        }
        bytes += used;
        len -= used;
    }
}

#endif
