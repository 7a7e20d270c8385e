/* What the connector hands to the loop: one armed connection and every byte that was read too early.
 *
 * Always true: fd is a connected TCP socket with TCP_NODELAY, in blocking mode (io_uring polls by itself); tls is NULL
 * for ws://; `plain` comes before `cipher` in the stream. Both and the session stay valid until the next OPEN of that
 * connection is given to the connector, which frees the session then or when it stops: freeing takes locks that
 * handshakes hold, and the loop must not wait for those. */
#ifndef EXECGW_ENGINE_IO_CONN_H
#define EXECGW_ENGINE_IO_CONN_H

#include "execgw/base.h"

struct tls;

struct conn_handover {
    int fd;
    struct tls *tls;
    const uint8_t *plain; /* plaintext behind the HTTP response */
    size_t plain_bytes;
    const uint8_t *cipher; /* received, not yet decrypted; TLS only */
    size_t cipher_bytes;
};

#endif
