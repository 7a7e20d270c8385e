/* The other end of the benchmarks' connections, in processes of their own: a feed that sends as fast as it is read, a
 * venue that answers orders, an echo. All on loopback, on free ports.
 *
 * Always true: a server is forked before its parent has touched OpenSSL; it serves one connection and ends with it, or
 * with its parent. */
#ifndef EXECGW_BENCH_BENCH_NET_H
#define EXECGW_BENCH_BENCH_NET_H

#include "bench/bench.h"
#include <netinet/in.h>
#include <openssl/ssl.h>

#define BENCH_INSTRUMENTS 100u /* of feed and order */
#define BENCH_FRAME_LEN   184u /* 180 bytes of text and the header */
#define BENCH_ECHO_BYTES  256u

/* A certificate for localhost and its CA, made by a child: NAME/ca.pem, cert.pem, key.pem, and an Ed25519 key api.pem.
 */
void bench_pki(const char *dir);

struct bench_server {
    pid_t pid;
    uint16_t port;
};

struct bench_stream {
    SSL *ssl; /* NULL: plain */
    int fd;
};

typedef void bench_serve_fn(struct bench_stream *s, void *arg);

/* Listen, fork, accept one connection (with TLS when tls_dir is not NULL), serve it. upgrade: answer a WebSocket
 * handshake first. Pinned to the peers' core. */
struct bench_server bench_server_start(const char *tls_dir, bool upgrade, bench_serve_fn *serve, void *arg);

/* A venue that spins: log-on steps are answered, every order is accepted and at once expired. Takes two WebSocket
 * connections, one after the other; the first with TLS when tls_dir is not NULL. It spins because a sender pays for
 * waking a reader that sleeps, which no sender to another machine does. */
struct bench_server bench_venue_start(const char *tls_dir);

/* A connected TCP socket with TCP_NODELAY. */
int bench_connect(uint16_t port);
/* The same, past the WebSocket upgrade. */
int bench_connect_ws(uint16_t port);

/* Servers. arg: NULL. */
bench_serve_fn bench_serve_feed; /* BENCH_FRAME_LEN-byte frames without end, their update ids rising */
bench_serve_fn bench_serve_echo; /* every byte back, sleeping in between */
bench_serve_fn bench_serve_spin; /* every byte back, spinning */

#endif
