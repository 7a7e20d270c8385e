/* lws_peer PORTFILE: a WebSocket echo server on libwebsockets, to be our client's peer.
 *
 * /drive/N echoes every message whole (N = 0) or in fragments of N bytes. /close/CODE/REASON closes with that code,
 * /ping sends ten pings and closes with 1000 when their pongs are in. What it saw is printed, one line per connection:
 * "path code" with the close code of the client. */
#include <libwebsockets.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PINGS 10

struct session {
    char path[128];
    unsigned char *message;
    size_t len;
    size_t room;
    size_t sent;
    bool binary;
    bool sending;
    unsigned long fragment;
    int pings;
    int pongs;
    unsigned code;
};

static volatile sig_atomic_t stop;

static void
on_signal(int sig)
{
    (void)sig;
    stop = 1;
}

static void
take(struct session *s, const void *in, size_t len)
{
    if (s->message == NULL || s->len + len > s->room) {
        s->room = (s->len + len) * 2;
        s->message = (unsigned char *)realloc(s->message, s->room + LWS_PRE);
        if (s->message == NULL)
            abort();
    }
    memcpy(s->message + LWS_PRE + s->len, in, len);
    s->len += len;
}

/* The next fragment of the echo. */
static int
echo(struct lws *wsi, struct session *s)
{
    size_t left = s->len - s->sent;
    size_t n = s->fragment != 0 && s->fragment < left ? s->fragment : left;
    bool first = s->sent == 0;
    bool last = n == left;
    int flags = lws_write_ws_flags(s->binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT, first, last);
    unsigned char *at = s->message + LWS_PRE + s->sent;
    unsigned char keep[LWS_PRE];

    memcpy(keep, at - LWS_PRE, LWS_PRE); /* lws writes its header over what is already gone, or over nothing */
    if (lws_write(wsi, at, n, (enum lws_write_protocol)flags) < (int)n)
        return -1;
    memcpy(at - LWS_PRE, keep, LWS_PRE);
    s->sent += n;
    if (!last)
        return lws_callback_on_writable(wsi) < 0 ? -1 : 0;
    s->sending = false;
    s->len = 0;
    s->sent = 0;
    return 0;
}

static int
say(struct lws *wsi, struct session *s)
{
    unsigned char ping[LWS_PRE + 16];

    if (strncmp(s->path, "/close/", 7) == 0) {
        char *reason = strchr(s->path + 7, '/');
        size_t n = reason != NULL ? strlen(reason + 1) : 0;
        lws_close_reason(wsi, (enum lws_close_status)atoi(s->path + 7), n > 0 ? (unsigned char *)reason + 1 : NULL, n);
        return -1;
    }
    if (strcmp(s->path, "/ping") == 0 && s->pings < PINGS) {
        int n = snprintf((char *)ping + LWS_PRE, 16, "ping %d", s->pings++);
        return lws_write(wsi, ping + LWS_PRE, (size_t)n, LWS_WRITE_PING) < n ? -1 : 0;
    }
    if (strcmp(s->path, "/ping") == 0 && s->pongs == PINGS) {
        lws_close_reason(wsi, LWS_CLOSE_STATUS_NORMAL, NULL, 0);
        return -1;
    }
    return s->sending ? echo(wsi, s) : 0;
}

static int
on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    struct session *s = (struct session *)user;

    switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
        memset(s, 0, sizeof(*s));
        (void)lws_hdr_copy(wsi, s->path, sizeof(s->path), WSI_TOKEN_GET_URI);
        take(s, "", 0);
        if (strncmp(s->path, "/drive/", 7) == 0)
            s->fragment = strtoul(s->path + 7, NULL, 10);
        else
            return lws_callback_on_writable(wsi) < 0 ? -1 : 0;
        break;
    case LWS_CALLBACK_RECEIVE:
        if (lws_is_first_fragment(wsi))
            s->binary = lws_frame_is_binary(wsi) != 0;
        take(s, in, len);
        if (lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0) {
            s->sending = true;
            return lws_callback_on_writable(wsi) < 0 ? -1 : 0;
        }
        break;
    case LWS_CALLBACK_RECEIVE_PONG: {
        char expected[16];
        (void)snprintf(expected, sizeof(expected), "ping %d", s->pongs++);
        if (len != strlen(expected) || memcmp(in, expected, len) != 0) {
            (void)printf("%s a pong is not its ping\n", s->path);
            return -1;
        }
        return lws_callback_on_writable(wsi) < 0 ? -1 : 0;
    }
    case LWS_CALLBACK_SERVER_WRITEABLE: return say(wsi, s);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        if (len >= 2)
            s->code = (unsigned)((unsigned char *)in)[0] << 8 | ((unsigned char *)in)[1];
        break;
    case LWS_CALLBACK_CLOSED:
        (void)printf("%s %u %d\n", s->path, s->code, s->pongs);
        (void)fflush(stdout);
        free(s->message);
        s->message = NULL;
        break;
    default: break;
    }
    return 0;
}

int
main(int argc, char **argv)
{
    static const struct lws_protocols protocols[] = { { .name = "default",
                                                        .callback = on_lws,
                                                        .per_session_data_size = sizeof(struct session),
                                                        .rx_buffer_size = 65536 },
                                                      { .name = NULL } };
    const struct lws_context_creation_info info = {
        .iface = "127.0.0.1",
        .port = 0,
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_DISABLE_IPV6 | LWS_SERVER_OPTION_VALIDATE_UTF8,
        .gid = -1,
        .uid = -1,
        .pt_serv_buf_size = 65536,
    };

    if (argc != 2)
        return 64;
    lws_set_log_level(LLL_ERR, NULL);
    (void)signal(SIGTERM, on_signal);
    struct lws_context *context = lws_create_context(&info);
    struct lws_vhost *vhost = context != NULL ? lws_get_vhost_by_name(context, "default") : NULL;
    FILE *f = vhost != NULL ? fopen(argv[1], "w") : NULL;
    if (f == NULL || fprintf(f, "%d\n", lws_get_vhost_listen_port(vhost)) < 0 || fclose(f) != 0)
        return 1;
    while (!stop && lws_service(context, 0) >= 0)
        ;
    lws_context_destroy(context);
    return 0;
}
