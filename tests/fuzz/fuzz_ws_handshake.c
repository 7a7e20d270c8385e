/* Any bytes as a handshake, either direction: a verdict on the whole is the verdict on every longer input, and a
 * shorter one asks for more or refuses. */
#include "feed/ws_handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t nonce[WS_NONCE_BYTES] = "the sample nonce";
    struct fault fault;
    char key[WS_KEY_TEXT];
    char path[64];

    int end = ws_handshake_check(data, size, nonce, &fault);
    ASSERT(end <= (int)size);
    if (end > 0) {
        ASSERT(ws_handshake_check(data, (size_t)end, nonce, &fault) == end);
        ASSERT(ws_handshake_check(data, (size_t)end - 1, nonce, &fault) == 0);
    }
    end = ws_handshake_accept(data, size, key, path, sizeof(path), &fault);
    ASSERT(end <= (int)size);
    if (end > 0) {
        char answer[512];
        ASSERT(strlen(key) == WS_KEY_TEXT - 1 && path[0] == '/');
        ASSERT(ws_handshake_response(answer, sizeof(answer), key) > 0);
    }
    return 0;
}
