/* Any bytes as a WebSocket stream: the messages must not depend on how the stream is cut into spans, and the writer's
 * frames must come back as they were. First byte: role and how to cut. */
#include "feed/ws_frame.h"

#define MESSAGE_MAX 512

static uint64_t
mix(uint64_t h, const void *bytes, size_t n)
{
    const uint8_t *p = (const uint8_t *)bytes;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001B3);
    return h;
}

/* A hash of everything handed out. */
static uint64_t
run(enum ws_role role, const uint8_t *data, size_t size, size_t step)
{
    static uint8_t buffer[MESSAGE_MAX];
    struct ws_reader r;
    uint64_t h = UINT64_C(0xCBF29CE484222325);

    ws_reader_init(&r, role, buffer, sizeof(buffer));
    for (size_t at = 0; at < size;) {
        size_t n = size - at < step ? size - at : step;
        uint8_t *span = malloc(n); /* its own block: the sanitizer sees a read past it */
        size_t used = 0;
        ASSERT(span != NULL);
        memcpy(span, data + at, n);
        for (size_t from = 0; from < n; from += used) {
            struct ws_message m;
            enum ws_result res = ws_read(&r, span + from, n - from, &used, &m);
            ASSERT(used <= n - from && (used > 0 || res != WS_MORE));
            if (res == WS_MORE)
                continue;
            ASSERT(m.len <= MESSAGE_MAX);
            h = mix(h, &res, sizeof(res));
            h = mix(h, &m.code, sizeof(m.code));
            if (res == WS_FAIL) {
                ASSERT(m.reason != NULL && m.code >= 1002 && m.code <= 1009);
                free(span);
                return h;
            }
            h = mix(h, m.data, m.len);
        }
        free(span);
        at += n;
    }
    return h;
}

static void
round_trip(const uint8_t *data, size_t size)
{
    static uint8_t frame[WS_HEADER_ROOM + 70000];
    static uint8_t buffer[70000];
    struct ws_reader r;
    struct ws_message m;
    uint32_t mask = (uint32_t)size * 2654435761u;
    size_t used;

    size = size < 70000 ? size : 70000;
    for (unsigned role = 0; role < 2; role++) {
        ws_reader_init(&r, (enum ws_role)role, buffer, sizeof(buffer));
        memcpy(frame + WS_HEADER_ROOM, data, size);
        struct ws_frame f = ws_encode(frame, WS_HEADER_ROOM, size, WS_OP_BINARY, role == WS_SERVER ? &mask : NULL);
        ASSERT(ws_read(&r, f.data, f.len, &used, &m) == WS_MESSAGE);
        ASSERT(used == f.len && m.len == size && memcmp(m.data, data, size) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    enum ws_role role = (data[0] & 1) != 0 ? WS_SERVER : WS_CLIENT;
    size_t step = (size_t)(data[0] >> 1) + 1;
    uint64_t whole = run(role, data + 1, size - 1, size);
    ASSERT(run(role, data + 1, size - 1, 1) == whole);
    ASSERT(run(role, data + 1, size - 1, step) == whole);
    round_trip(data, size);
    return 0;
}
