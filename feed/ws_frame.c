/* WebSocket frames: see ws_frame.h.
 *
 * ws_read() first tries the case that matters: a whole, final, unmasked data frame in the span, with no message open.
 * Everything else goes byte-exact through the frame state: header bytes collected, then payload in blocks. */
#include "feed/ws_frame.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

void
ws_reader_init(struct ws_reader *r, enum ws_role role, uint8_t *buffer, size_t buffer_bytes)
{
    ASSERT(buffer != NULL && buffer_bytes >= WS_CONTROL_MAX);
    *r = (struct ws_reader){ .role = role, .buffer = buffer, .message_max = buffer_bytes };
}

#ifdef __SSE2__
static inline __m128i
load16(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* len >= 16; the last sixteen bytes may be looked at twice. */
static inline bool
all_ascii_wide(const uint8_t *p, size_t len)
{
    __m128i any = load16(p + len - 16);
    size_t i = 0;

    for (; i + 64 <= len; i += 64)
        any = _mm_or_si128(any, _mm_or_si128(_mm_or_si128(load16(p + i), load16(p + i + 16)),
                                             _mm_or_si128(load16(p + i + 32), load16(p + i + 48))));
    for (; i + 16 < len; i += 16)
        any = _mm_or_si128(any, load16(p + i));
    return _mm_movemask_epi8(any) == 0;
}
#endif

/* True when no byte of the block has its top bit set. */
static inline bool
all_ascii(const uint8_t *p, size_t len)
{
#ifdef __SSE2__
    if (likely(len >= 16))
        return all_ascii_wide(p, len);
#endif
    size_t i = 0;
    uint64_t rest = 0;
    for (; i + 8 <= len; i += 8) {
        uint64_t v;
        memcpy(&v, p + i, 8);
        rest |= v;
    }
    for (; i < len; i++)
        rest |= p[i];
    return (rest & UINT64_C(0x8080808080808080)) == 0;
}

/* What a lead byte asks for: continuation bytes and the range of the first (Unicode 15, table 3-7). */
static bool
utf8_lead(struct ws_utf8 *u, uint8_t c)
{
    *u = (struct ws_utf8){ .low = 0x80, .high = 0xBF };
    if (c >= 0xC2 && c <= 0xDF) {
        u->need = 1;
    } else if (c >= 0xE0 && c <= 0xEF) {
        u->need = 2;
        if (c == 0xE0)
            u->low = 0xA0; /* shorter forms exist */
        if (c == 0xED)
            u->high = 0x9F; /* surrogates */
    } else if (c >= 0xF0 && c <= 0xF4) {
        u->need = 3;
        if (c == 0xF0)
            u->low = 0x90;
        if (c == 0xF4)
            u->high = 0x8F; /* past U+10FFFF */
    } else {
        return false;
    }
    return true;
}

bool
ws_utf8_feed(struct ws_utf8 *u, const uint8_t *data, size_t len)
{
    size_t i = 0;

    while (i < len) {
        if (u->need > 0) {
            if (data[i] < u->low || data[i] > u->high)
                return false;
            u->low = 0x80;
            u->high = 0xBF;
            u->need--;
            i++;
            continue;
        }
        while (i + 16 <= len && all_ascii(data + i, 16))
            i += 16;
        while (i < len && data[i] < 0x80)
            i++;
        if (i < len && !utf8_lead(u, data[i++]))
            return false;
    }
    return true;
}

static bool
utf8_whole(const uint8_t *data, size_t len)
{
    struct ws_utf8 u = { 0 };
    return ws_utf8_feed(&u, data, len) && u.need == 0;
}

void
ws_mask(uint8_t *data, size_t len, const uint8_t key[4], unsigned at)
{
    uint8_t turned[8];
    uint64_t word;
    size_t i = 0;

    for (unsigned k = 0; k < 8; k++)
        turned[k] = key[(at + k) & 3];
    memcpy(&word, turned, 8);
    for (; i + 8 <= len; i += 8) {
        uint64_t v;
        memcpy(&v, data + i, 8);
        v ^= word;
        memcpy(data + i, &v, 8);
    }
    for (; i < len; i++)
        data[i] ^= turned[i & 7];
}

static COLD enum ws_result
fail(struct ws_reader *r, struct ws_message *out, uint16_t code, const char *reason)
{
    r->failed_code = code;
    r->failed_reason = reason;
    *out = (struct ws_message){ .code = code, .reason = reason };
    return WS_FAIL;
}

/* Codes that may stand in a close frame (RFC 6455 section 7.4, IANA registry as of 2026-07). */
static bool
close_code_valid(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

/* A whole control frame. */
static COLD enum ws_result
control_done(struct ws_reader *r, const uint8_t *data, size_t len, uint8_t opcode, struct ws_message *out)
{
    *out = (struct ws_message){ .data = data, .len = len, .opcode = opcode };
    if (opcode == WS_OP_PING)
        return WS_PING;
    if (opcode == WS_OP_PONG)
        return WS_PONG;
    out->code = WS_CLOSE_NO_STATUS;
    if (len == 1)
        return fail(r, out, WS_CLOSE_PROTOCOL, "a close frame has a payload of one byte; a code is two");
    if (len >= 2) {
        out->code = (uint16_t)(data[0] << 8 | data[1]);
        out->data += 2;
        out->len -= 2;
        if (!close_code_valid(out->code))
            return fail(r, out, WS_CLOSE_PROTOCOL, "a close frame has a code that may not be sent");
        if (!utf8_whole(out->data, out->len))
            return fail(r, out, WS_CLOSE_BAD_PAYLOAD, "the reason of a close frame is not UTF-8");
    }
    r->closed = true;
    return WS_CLOSE;
}

/* Header bytes that the first two announce. */
static inline unsigned
header_need(const uint8_t *h)
{
    unsigned n = 2;
    unsigned len7 = h[1] & 0x7F;
    if (len7 == 126)
        n += 2;
    else if (len7 == 127)
        n += 8;
    return n + ((h[1] & 0x80) != 0 ? 4 : 0);
}

/* What the first two bytes say is wrong: NULL when nothing is. As soon as they are there: a bad frame need not be read
 * to its end. */
static const char *
header_fault(const struct ws_reader *r, const uint8_t *h)
{
    uint8_t opcode = h[0] & 0x0F;
    bool control = (opcode & 8) != 0;

    if (opcode > WS_OP_PONG || (opcode > WS_OP_BINARY && opcode < WS_OP_CLOSE))
        return "a frame has a reserved opcode";
    if (((h[1] & 0x80) != 0) != (r->role == WS_SERVER))
        return r->role == WS_SERVER ? "a client sent a frame that is not masked" : "a server sent a masked frame";
    if (control && (h[0] & 0x80) == 0)
        return "a control frame is fragmented";
    if (control && (h[1] & 0x7F) > WS_CONTROL_MAX)
        return "a control frame is longer than 125 bytes";
    if (opcode == WS_OP_CONTINUATION && r->message_opcode == 0)
        return "a continuation frame without a message to continue";
    if (!control && opcode != WS_OP_CONTINUATION && r->message_opcode != 0)
        return "a new message began inside a fragmented one";
    return NULL;
}

/* The header is whole: what its lengths say. 0 = fine. */
static const char *
header_open(struct ws_reader *r, uint16_t *code)
{
    const uint8_t *h = r->header;
    unsigned at = 2;
    uint64_t len = h[1] & 0x7F;

    *code = WS_CLOSE_PROTOCOL;
    if (len == 126) {
        len = (uint64_t)h[2] << 8 | h[3];
        at = 4;
        if (len < 126)
            return "a frame's length is not in its shortest form";
    } else if (len == 127) {
        len = 0;
        for (unsigned i = 2; i < 10; i++)
            len = len << 8 | h[i];
        at = 10;
        if (len >> 63 != 0)
            return "a frame's length has its top bit set";
        if (len < 65536)
            return "a frame's length is not in its shortest form";
    }
    r->opcode = h[0] & 0x0F;
    r->fin = (h[0] & 0x80) != 0;
    r->left = len;
    r->mask_at = 0;
    r->in_payload = true;
    r->header_have = 0;
    if ((h[1] & 0x80) != 0)
        memcpy(r->mask, h + at, 4);
    if ((r->opcode & 8) != 0) {
        r->control_have = 0;
        return NULL;
    }
    if (r->opcode != WS_OP_CONTINUATION) {
        r->message_opcode = r->opcode;
        r->have = 0;
        r->utf8 = (struct ws_utf8){ 0 };
    }
    if (len > r->message_max - r->have) {
        *code = WS_CLOSE_TOO_BIG;
        return "a message is longer than the configured limit";
    }
    return NULL;
}

/* Collect header bytes from the span. WS_MORE: used all of it or the header is whole (in_payload tells). */
static enum ws_result
read_header(struct ws_reader *r, const uint8_t *data, size_t len, size_t *used, struct ws_message *out)
{
    const char *fault = NULL;
    uint16_t code = WS_CLOSE_PROTOCOL;

    while (*used < len) {
        r->header[r->header_have++] = data[(*used)++];
        if (r->header_have == 1 && (r->header[0] & 0x70) != 0)
            fault = "a frame has a reserved bit set, and no extension was agreed";
        if (r->header_have == 2)
            fault = header_fault(r, r->header);
        if (fault == NULL && r->header_have >= 2 && r->header_have == header_need(r->header)) {
            fault = header_open(r, &code);
            if (fault == NULL)
                return WS_MORE;
        }
        if (fault != NULL)
            return fail(r, out, code, fault);
    }
    return WS_MORE;
}

/* Payload of the open frame from the span; a result when the frame's end gives one. */
static enum ws_result
read_payload(struct ws_reader *r, const uint8_t *data, size_t len, size_t *used, struct ws_message *out)
{
    bool control = (r->opcode & 8) != 0;
    size_t n = (uint64_t)(len - *used) < r->left ? len - *used : (size_t)r->left;
    uint8_t *to = control ? r->control + r->control_have : r->buffer + r->have;

    if (n > 0) {
        memcpy(to, data + *used, n);
        if (r->role == WS_SERVER) {
            ws_mask(to, n, r->mask, r->mask_at);
            r->mask_at = (uint8_t)((r->mask_at + n) & 3);
        }
    }
    *used += n;
    r->left -= n;
    if (control)
        r->control_have = (uint8_t)(r->control_have + n);
    else
        r->have += n;
    if (!control && r->message_opcode == WS_OP_TEXT && !ws_utf8_feed(&r->utf8, to, n))
        return fail(r, out, WS_CLOSE_BAD_PAYLOAD, "a text message is not UTF-8");
    if (r->left > 0)
        return WS_MORE;
    r->in_payload = false;
    if (control)
        return control_done(r, r->control, r->control_have, r->opcode, out);
    if (!r->fin)
        return WS_MORE;
    if (r->message_opcode == WS_OP_TEXT && r->utf8.need != 0)
        return fail(r, out, WS_CLOSE_BAD_PAYLOAD, "a text message ends inside a character");
    *out = (struct ws_message){ .data = r->buffer, .len = r->have, .opcode = r->message_opcode };
    r->message_opcode = 0;
    r->have = 0;
    return WS_MESSAGE;
}

static enum ws_result
read_slowly(struct ws_reader *r, const uint8_t *data, size_t len, size_t *consumed, struct ws_message *out)
{
    size_t used = 0;

    if (r->failed_code != 0) {
        *consumed = len;
        return fail(r, out, r->failed_code, r->failed_reason);
    }
    if (r->closed)
        used = len; /* RFC 6455 section 5.5.1: nothing after a close frame counts */
    while (used < len) {
        enum ws_result res = WS_MORE;
        if (!r->in_payload)
            res = read_header(r, data, len, &used, out);
        if (res == WS_MORE && r->in_payload)
            res = read_payload(r, data, len, &used, out);
        if (res != WS_MORE) {
            *consumed = used;
            return res;
        }
    }
    *consumed = len;
    return WS_MORE;
}

enum ws_result
ws_read(struct ws_reader *r, const uint8_t *data, size_t len, size_t *consumed, struct ws_message *out)
{
    /* FIN, no reserved bit, TEXT or BINARY, not masked: the two bytes of nearly every frame of a venue. */
    if (likely(len >= 4 && (data[0] == (0x80 | WS_OP_TEXT) || data[0] == (0x80 | WS_OP_BINARY)) && data[1] <= 126 &&
               !r->in_payload && r->header_have == 0 && r->message_opcode == 0 && r->role == WS_CLIENT && !r->closed &&
               r->failed_code == 0)) {
        size_t n = data[1];
        size_t at = 2;
        if (n == 126) {
            n = (size_t)data[2] << 8 | data[3];
            at = 4;
        }
        if (likely(n <= len - at && n <= r->message_max && (at == 2 || n >= 126))) {
            *consumed = at + n;
            *out = (struct ws_message){ .data = data + at, .len = n, .opcode = data[0] & 0x0F };
            if (unlikely(data[0] == (0x80 | WS_OP_TEXT) && !all_ascii(data + at, n) && !utf8_whole(data + at, n)))
                return fail(r, out, WS_CLOSE_BAD_PAYLOAD, "a text message is not UTF-8");
            return WS_MESSAGE;
        }
    }
    return read_slowly(r, data, len, consumed, out);
}

struct ws_frame
ws_encode(uint8_t *buf, size_t payload_offset, size_t payload_len, uint8_t opcode, const uint32_t *mask)
{
    uint8_t *payload = buf + payload_offset;
    size_t head = 2 + (payload_len > 65535 ? 8u : payload_len > 125 ? 2u : 0u) + (mask != NULL ? 4u : 0u);

    ASSERT(payload_offset >= WS_HEADER_ROOM);
    ASSERT((opcode & 8) == 0 || payload_len <= WS_CONTROL_MAX);
    uint8_t *h = payload - head;
    uint8_t *at = h;
    uint8_t masked = mask != NULL ? 0x80 : 0;
    *at++ = (uint8_t)(0x80 | opcode);
    if (payload_len <= 125) {
        *at++ = (uint8_t)(masked | payload_len);
    } else if (payload_len <= 65535) {
        *at++ = masked | 126;
        *at++ = (uint8_t)(payload_len >> 8);
        *at++ = (uint8_t)payload_len;
    } else {
        *at++ = masked | 127;
        for (int shift = 56; shift >= 0; shift -= 8)
            *at++ = (uint8_t)((uint64_t)payload_len >> shift);
    }
    if (mask != NULL) {
        uint8_t key[4];
        memcpy(key, mask, 4);
        memcpy(at, key, 4);
        ws_mask(payload, payload_len, key, 0);
    }
    return (struct ws_frame){ .data = h, .len = head + payload_len };
}

size_t
ws_close_payload(uint8_t *payload, uint16_t code, const char *reason)
{
    size_t n = strlen(reason);

    if (n > WS_CLOSE_MAX - 2) {
        n = WS_CLOSE_MAX - 2;
        while (n > 0 && ((uint8_t)reason[n] & 0xC0) == 0x80) /* not inside a character */
            n--;
    }
    payload[0] = (uint8_t)(code >> 8);
    payload[1] = (uint8_t)code;
    memcpy(payload + 2, reason, n);
    return n + 2;
}
