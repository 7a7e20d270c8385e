/* The emulator's sockets: one libwebsockets server that speaks HTTP/1.1 and WebSocket on one loopback port.
 *
 * Bytes in, whole messages out: a dialect (binance_*.c) gets whole HTTP requests and whole WebSocket texts and answers
 * with whole texts. libwebsockets does the framing, so that our own codec meets an implementation that is not ours.
 *
 * Always true: one thread; a connection's queue never holds more than queue_bytes_max bytes (a client that does not
 * read is told so and disconnected); one message in is at most MESSAGE_BYTES_MAX; connections <= CONNS_MAX. */
#ifndef EXECGW_BENCH_VENUE_SERVER_H
#define EXECGW_BENCH_VENUE_SERVER_H

#include "bench/venue/params.h"
#include <libwebsockets.h>

#define SERVER_CONNS_MAX          512
#define SERVER_MESSAGE_BYTES_MAX  (256u * 1024)
#define SERVER_QUEUE_BYTES        (64u * 1024 * 1024)
#define SERVER_QUEUE_MESSAGES_MAX 200000u

struct server;
struct conn;

/* One text on its way out, shared by every connection that gets it. */
struct wire {
    uint32_t refs;
    uint32_t len;
    uint8_t bytes[]; /* LWS_PRE bytes of room for the frame header, then the text */
};

/* A new text with one reference, which the caller drops with wire_drop. */
struct wire *wire_make(const char *text, size_t len);
void wire_drop(struct wire *w);

enum http_method { HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_DELETE, HTTP_HEAD, HTTP_OTHER };

struct http_request {
    enum http_method method;
    const char *path;           /* decoded, no query */
    const struct params *query; /* decoded */
    const char *body;           /* raw, NUL-terminated, "" when there is none */
    size_t body_len;
    const char *content_type; /* "" when not given */
    const char *api_key;      /* X-MBX-APIKEY or API-Key, "" when not given */
    const char *api_sign;     /* API-Sign, "" when not given */
    const char *time_unit;    /* X-MBX-TIME-UNIT, "" when not given */
    bool late;                /* conn_http_late gave it back */
};

struct http_header {
    const char *name; /* with its colon: "retry-after:" */
    char value[64];
};

enum conn_kind { CONN_HTTP, CONN_WS };

/* What a dialect does with what comes in. All are called on the server's thread. */
struct server_ops {
    /* A whole request; answer with conn_reply_http, now or later, or never (conn_drop_http). */
    void (*on_http)(void *ctx, struct conn *c, const struct http_request *rq);
    /* A client asks for a WebSocket. 0 = welcome (conn_user may be set), else the HTTP status to refuse with. */
    unsigned (*on_ws_open)(void *ctx, struct conn *c, const char *path, const struct params *query);
    /* late: conn_receive_late gave it back. */
    void (*on_ws_text)(void *ctx, struct conn *c, const char *text, size_t len, bool late);
    void (*on_ws_pong)(void *ctx, struct conn *c);
    /* The socket is gone; free what conn_user holds. Only when on_ws_open set it. */
    void (*on_ws_closed)(void *ctx, struct conn *c);
    /* The queue went empty. */
    void (*on_ws_drained)(void *ctx, struct conn *c);
    /* Every SERVER_TICK_MS. */
    void (*on_tick)(void *ctx);
};

#define SERVER_TICK_MS 5

struct server_config {
    const char *host; /* a loopback address; checked */
    int port;         /* 0 = any free one */
    const char *cert_path;
    const char *key_path; /* both or neither */
    size_t queue_bytes_max;
    const struct server_ops *ops;
    void *ctx;
};

/* NULL with the fault filled when it cannot listen. */
struct server *server_start(const struct server_config *cfg, struct fault *f);
int server_port(const struct server *s);
/* Serve until server_stop, which a signal handler may call. */
void server_run(struct server *s);
void server_stop(struct server *s);
void server_free(struct server *s);
struct lws_context *server_lws(struct server *s);

/* The emulated venue's clock, and the one to measure with; nanoseconds. */
int64_t server_wall_ns(void);
int64_t server_mono_ns(void);

void *conn_user(const struct conn *c);
void conn_set_user(struct conn *c, void *user);
uint64_t conn_id(const struct conn *c);
/* Every open WebSocket, in order of arrival: NULL starts, NULL ends. */
struct conn *server_next_ws(struct server *s, struct conn *after);

/* Queue a text. False when the connection is closing, or was just cut because its client does not read. */
bool conn_send(struct conn *c, struct wire *w);
bool conn_send_text(struct conn *c, const char *text, size_t len);
/* The same after delay_ms; later texts overtake it. */
bool conn_send_late(struct conn *c, const char *text, size_t len, unsigned delay_ms);
/* The same after the next text that is sent, or after ms_max when none is. */
bool conn_send_held(struct conn *c, const char *text, size_t len, unsigned ms_max);
/* A text of the client reaches on_ws_text again, marked late, after ms. */
bool conn_receive_late(struct conn *c, const char *text, size_t len, unsigned ms);
/* Stop this connection's next frame after `at` bytes, its header included; the rest follows ms later. */
void conn_cut_next(struct conn *c, uint32_t at, uint32_t ms);
/* Send this connection's next text as several frames with cuts at odd places. */
void conn_fragment_next(struct conn *c);
/* What is queued and not yet given to the kernel. */
size_t conn_queued_bytes(const struct conn *c);
bool conn_ping(struct conn *c, const char *payload, size_t len);
/* Close after what is queued (flush) or at once; code 0 cuts the TCP connection without a close frame. */
void conn_close(struct conn *c, unsigned code, const char *reason, bool flush);

/* Answer an HTTP request after delay_ms (0 = now). headers may be NULL. close ends the connection after it. */
void conn_reply_http(struct conn *c, unsigned status, const struct http_header *headers, size_t header_count,
                     const char *body, size_t len, unsigned delay_ms, bool close);
/* Stop the answer to come after `at` bytes; the rest follows ms later. */
void conn_cut_http(struct conn *c, uint32_t at, uint32_t ms);
/* Give the request back to on_http, marked late, after ms. */
void conn_http_late(struct conn *c, uint32_t ms);
/* Never answer; the client must give up by itself. cut = close its connection at once. */
void conn_drop_http(struct conn *c, bool cut);

#endif
