/* What the files of the emulator's server share: connections and the server itself.
 *
 * server.c owns connections and WebSocket traffic, server_http.c requests and answers. Nobody else includes this. */
#ifndef EXECGW_BENCH_VENUE_SERVER_STATE_H
#define EXECGW_BENCH_VENUE_SERVER_STATE_H

#include "bench/venue/server.h"

#include <signal.h>

#define HTTP_BODY_MAX    (64u * 1024)
#define HTTP_QUERY_MAX   (64u * 1024)
#define CLOSE_REASON_MAX 123
#define PING_MAX         125

struct queued {
    struct queued *next;
    struct wire *wire;
    int64_t due_mono_ns; /* late list only */
    bool fragment;
    uint32_t cut_at; /* bytes of its frame that leave first; 0: all */
    uint32_t cut_ms;
};

struct conn {
    struct server *server;
    struct lws *wsi;
    struct conn *prev;
    struct conn *next;
    enum conn_kind kind;
    uint64_t id;
    void *user;

    struct queued *head; /* WebSocket texts to write */
    struct queued *tail;
    struct queued *late; /* not due yet, unordered */
    size_t late_count;
    struct queued *held;     /* leave after the next text, or when they are due; in order */
    struct queued *arriving; /* texts of the client that reach the dialect late, unordered */
    uint8_t *rest;           /* of a frame that was cut: nothing else is written before it */
    size_t rest_len;
    int64_t rest_due_mono_ns;
    uint32_t cut_at, cut_ms; /* for the next text */
    size_t queued_bytes;
    size_t queued_count;
    char ping[PING_MAX];
    size_t ping_len;
    bool ping_wanted;
    bool fragment_next;
    bool closing;
    bool close_flush;
    bool ws_open; /* told the dialect */
    unsigned close_code;
    char close_reason[CLOSE_REASON_MAX + 1];

    char *rx; /* the text being gathered, or an HTTP body */
    size_t rx_len;
    size_t rx_room;

    /* HTTP: the request being answered. */
    enum http_method method;
    char *path;
    struct params query;
    char api_key[129];
    char api_sign[129];
    char content_type[65];
    char time_unit[17];
    bool in_request;
    char *reply; /* head and body with LWS_PRE in front; NULL until answered */
    size_t reply_len;
    size_t reply_head_len;
    int64_t reply_due_mono_ns;
    bool reply_close;
    size_t reply_sent, reply_cut_at; /* cut: how much has left, where it stops */
    uint32_t reply_cut_ms;
    int64_t request_due_mono_ns; /* the request reaches the dialect then; 0: it did */
};

struct server {
    struct lws_context *lws;
    struct lws_vhost *vhost;
    const struct server_ops *ops;
    void *ctx;
    size_t queue_bytes_max;
    struct conn *head;
    struct conn *tail;
    size_t conn_count;
    uint64_t next_id;
    lws_sorted_usec_list_t tick;
    struct lws_protocols protocols[2];
    volatile sig_atomic_t stop;
};

void *server_take(size_t bytes);                           /* zeroed */
struct conn *conn_make(struct server *s, struct lws *wsi); /* NULL: too many */

/* ---- server_http.c ---- */
void request_forget(struct conn *c);
/* The head of a request is in: answers at once when there is no body to wait for. */
int http_begin(struct conn *c, const char *path, size_t path_len);
void http_complete(struct conn *c);
int http_writeable(struct conn *c);
/* Late requests and late or cut answers whose time has come. */
void http_tick(struct conn *c, int64_t now_ns);
/* An upgrade request: ask the dialect before the handshake is answered. */
int ws_confirm(struct server *s, struct lws *wsi);

#endif
