/* WebSocket frames (RFC 6455): bytes to messages and back, for both roles, without I/O.
 *
 * Between the plaintext of a connection and the venue decoders. A whole unfragmented frame inside one received span is
 * handed out in place; anything else is assembled in the reader's buffer. Block-wise: payload is scanned 16 bytes at a
 * time, never a byte at a time.
 *
 * Always true: a text message handed out is valid UTF-8; no message is longer than message_max; after WS_FAIL or
 * WS_CLOSE nothing more is handed out; a message's bytes are valid until the next ws_read(). */
#ifndef EXECGW_FEED_WS_FRAME_H
#define EXECGW_FEED_WS_FRAME_H

#include "execgw/base.h"

enum ws_role { WS_CLIENT, WS_SERVER }; /* what we are: a client refuses masked frames, a server unmasked ones */

enum ws_opcode {
    WS_OP_CONTINUATION = 0,
    WS_OP_TEXT = 1,
    WS_OP_BINARY = 2,
    WS_OP_CLOSE = 8,
    WS_OP_PING = 9,
    WS_OP_PONG = 10
};

/* RFC 6455 section 7.4.1; the ones we send or must name. */
enum ws_close_code {
    WS_CLOSE_NORMAL = 1000,
    WS_CLOSE_GOING_AWAY = 1001,
    WS_CLOSE_PROTOCOL = 1002,
    WS_CLOSE_NO_STATUS = 1005, /* never on the wire: the close frame had no code */
    WS_CLOSE_BAD_PAYLOAD = 1007,
    WS_CLOSE_POLICY = 1008,
    WS_CLOSE_TOO_BIG = 1009,
    WS_CLOSE_INTERNAL = 1011
};

enum ws_result {
    WS_MORE,    /* the span is used up */
    WS_MESSAGE, /* data, len, opcode (TEXT or BINARY) */
    WS_PING,    /* data, len: send them back in a pong */
    WS_PONG,
    WS_CLOSE, /* code (WS_CLOSE_NO_STATUS when absent); data, len = the peer's reason. Answer with a close, then end */
    WS_FAIL   /* code to send in our close frame, reason; the reader stays failed */
};

#define WS_CONTROL_MAX 125
#define WS_HEADER_ROOM 14 /* what a header may need in front of a payload: 2 + 8 + 4 */
#define WS_CLOSE_MAX   (2 + 123)

struct ws_message {
    const uint8_t *data; /* valid until the next ws_read(), and no longer than the span given to it */
    size_t len;
    uint8_t opcode;
    uint16_t code;      /* WS_CLOSE, WS_FAIL */
    const char *reason; /* WS_FAIL: one sentence, static */
};

/* UTF-8 over several blocks: what the next byte may be. All zero = between characters. */
struct ws_utf8 {
    uint8_t need; /* continuation bytes still missing */
    uint8_t low;  /* allowed range of the next one */
    uint8_t high;
};

struct ws_reader {
    enum ws_role role;
    uint8_t *buffer;
    size_t message_max; /* also the size of buffer */
    size_t have;        /* bytes of the message assembled in buffer */
    /* The frame being read. */
    uint64_t left;   /* payload bytes not yet seen */
    bool in_payload; /* its header is complete */
    bool fin;
    uint8_t opcode;
    uint8_t mask[4];
    uint8_t mask_at; /* position in mask of the next payload byte */
    uint8_t header_have;
    uint8_t header[WS_HEADER_ROOM];
    /* The message being assembled. */
    uint8_t message_opcode; /* 0 = none is open */
    struct ws_utf8 utf8;
    uint8_t control_have;
    uint8_t control[WS_CONTROL_MAX];
    bool closed;          /* a close frame was handed out */
    uint16_t failed_code; /* 0 = not failed */
    const char *failed_reason;
};

/* buffer, buffer_bytes  for assembly, borrowed for life; also the cap on a message's size (>= WS_CONTROL_MAX). */
void ws_reader_init(struct ws_reader *r, enum ws_role role, uint8_t *buffer, size_t buffer_bytes);

/* Take the next message from a span of the byte stream.
 *
 * data, len   received bytes that were not consumed before; call again with the rest until WS_MORE.
 * consumed    written always: bytes used up, 0..len. WS_MORE uses up all.
 * out         written unless WS_MORE.
 * Hot. Bounded by len. */
enum ws_result ws_read(struct ws_reader *r, const uint8_t *data, size_t len, size_t *consumed, struct ws_message *out);

struct ws_frame {
    uint8_t *data;
    size_t len;
};

/* Put a header before a payload that stands at buf + payload_offset and mask it in place.
 *
 * payload_offset  >= WS_HEADER_ROOM; the frame starts a few bytes before the payload.
 * mask            the 4 masking-key bytes in memory order (a client must mask, with an unpredictable key); NULL = none.
 * Returns         the frame's first byte and whole length. */
struct ws_frame ws_encode(uint8_t *buf, size_t payload_offset, size_t payload_len, uint8_t opcode,
                          const uint32_t *mask);

/* Close payload: code and up to 123 bytes of reason at `payload` (WS_CLOSE_MAX bytes of room). Returns its length. */
size_t ws_close_payload(uint8_t *payload, uint16_t code, const char *reason);

/* XOR `len` bytes with the masking key, in place, starting at key byte `at` (0..3). */
void ws_mask(uint8_t *data, size_t len, const uint8_t key[4], unsigned at);

/* Feed a block. False at the first byte that cannot be part of valid UTF-8. */
bool ws_utf8_feed(struct ws_utf8 *u, const uint8_t *data, size_t len);

#endif
