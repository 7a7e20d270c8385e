/* The peer: a libwebsockets client that reads a WebSocket feed as fast as it can and only counts its messages.
 *
 * bench_lws.c is also a program of its own when it is built with -DBENCH_LWS_PROGRAM against another libwebsockets:
 *     cc -O3 -DBENCH_LWS_PROGRAM -I. bench/bench_lws.c -I$PREFIX/include -L$PREFIX/lib -Wl,-rpath,$PREFIX/lib \
 *         -lwebsockets -lssl -lcrypto -o lws-peer */
#ifndef EXECGW_BENCH_BENCH_LWS_H
#define EXECGW_BENCH_BENCH_LWS_H

/* PROGRAM PORT SECONDS [CA]. Writes one line to standard output, "messages user_ns system_ns wall_ns" of a window of
 * SECONDS after a warm-up of a tenth of it. With CA: TLS, verified. Returns 0, or 1 when the connection failed. */
int bench_lws_main(int argc, char **argv);

#endif
