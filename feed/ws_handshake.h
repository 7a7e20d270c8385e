/* WebSocket opening handshake (RFC 6455 section 4), text only: the client's request and the check of the answer; the
 * server's half for emulators.
 *
 * Cold: once per connection, on the connector thread. No extension and no subprotocol is offered, so none may come
 * back. Redirects are refused: the configured address is the one that keys were trusted to.
 *
 * Always true: nothing past the blank line is consumed; a header longer than WS_HANDSHAKE_MAX is refused. */
#ifndef EXECGW_FEED_WS_HANDSHAKE_H
#define EXECGW_FEED_WS_HANDSHAKE_H

#include "execgw/base.h"

#define WS_HANDSHAKE_MAX 8192 /* bytes of an answer's (or a request's) header */
#define WS_NONCE_BYTES   16
#define WS_KEY_TEXT      25 /* base64 of the nonce, NUL included */
#define WS_ACCEPT_TEXT   29 /* base64 of a SHA-1, NUL included */

/* Encode the request.
 *
 * host    `name` or `name:port`, as it stands in Host; path `/ws/...` with its query. Printable ASCII without spaces.
 * nonce   16 unpredictable bytes, kept by the caller for the check.
 * extra   more header lines, each ended by CRLF, or NULL.
 * Returns bytes written (no NUL), 0 when it does not fit or host or path hold a character that may not stand there. */
size_t ws_handshake_request(char *buf, size_t room, const char *host, const char *path,
                            const uint8_t nonce[WS_NONCE_BYTES], const char *extra);

/* Check the answer so far.
 *
 * Returns > 0: accepted, that many bytes are the header, frames follow; 0: need more; -1: refused, fault says why. */
int ws_handshake_check(const uint8_t *buf, size_t len, const uint8_t nonce[WS_NONCE_BYTES], struct fault *fault);

/* Seconds for which the venue does not want to be asked, by an answer that refused: 429 or 418, and its Retry-After
 * (RFC 9110 section 10.2.3, seconds; 60 where it is missing, a date or no number). 0: it says nothing of that. */
uint32_t ws_handshake_quiet_s(const uint8_t *buf, size_t len);

/* Server side: read a client's request.
 *
 * key, path   key: WS_KEY_TEXT bytes; path: the request target, cut to path_room (NUL included). Written on > 0.
 * Returns     as ws_handshake_check. */
int ws_handshake_accept(const uint8_t *buf, size_t len, char key[WS_KEY_TEXT], char *path, size_t path_room,
                        struct fault *fault);

/* Server side: the 101 answer to a key. Returns bytes written, 0 when it does not fit. */
size_t ws_handshake_response(char *buf, size_t room, const char *key);

/* Sec-WebSocket-Accept of a key, NUL-terminated. */
void ws_accept_key(const char *key, char out[WS_ACCEPT_TEXT]);

#endif
