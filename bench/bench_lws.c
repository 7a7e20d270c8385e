#include "bench/bench_lws.h"

#include <libwebsockets.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define RX_BYTES 65536u /* libwebsockets' own default of 4096 makes it slower */

struct counts {
    unsigned long long messages;
    bool up;
    bool failed;
};

static int
on_event(struct lws *wsi, enum lws_callback_reasons why, void *user, void *in, size_t len)
{
    struct counts *c = (struct counts *)lws_context_user(lws_get_context(wsi));

    (void)user;
    (void)in;
    (void)len;
    switch (why) {
    case LWS_CALLBACK_CLIENT_ESTABLISHED: c->up = true; break;
    case LWS_CALLBACK_CLIENT_RECEIVE:
        c->messages += lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0;
        break;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        (void)fprintf(stderr, "lws: %s\n", in != NULL ? (const char *)in : "connection failed");
        c->failed = true;
        break;
    case LWS_CALLBACK_CLIENT_CLOSED: c->failed = true; break;
    default: break;
    }
    return 0;
}

static long long
now_ns(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void
cpu_ns(long long *user, long long *sys)
{
    struct rusage u;

    (void)getrusage(RUSAGE_SELF, &u);
    *user = u.ru_utime.tv_sec * 1000000000LL + u.ru_utime.tv_usec * 1000LL;
    *sys = u.ru_stime.tv_sec * 1000000000LL + u.ru_stime.tv_usec * 1000LL;
}

static struct lws_context *
connect_feed(struct counts *c, int port, const char *ca)
{
    static const struct lws_protocols protocols[] = {
        { .name = "feed", .callback = on_event, .rx_buffer_size = RX_BYTES },
        { .name = NULL },
    };
    struct lws_context_creation_info info;
    struct lws_client_connect_info cc;

    memset(&info, 0, sizeof(info));
    memset(&cc, 0, sizeof(cc));
    lws_set_log_level(LLL_ERR, NULL);
    info.port = CONTEXT_PORT_NO_LISTEN;
    info.protocols = protocols;
    info.user = c;
    info.pt_serv_buf_size = RX_BYTES;
    info.fd_limit_per_thread = 32;
    if (ca != NULL) {
        info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
        info.client_ssl_ca_filepath = ca;
    }
    struct lws_context *ctx = lws_create_context(&info);
    if (ctx == NULL)
        return NULL;
    cc.context = ctx;
    cc.address = "127.0.0.1";
    cc.host = "localhost";
    cc.origin = "localhost";
    cc.port = port;
    cc.path = "/ws";
    cc.ssl_connection = ca != NULL ? LCCSCF_USE_SSL | LCCSCF_PRIORITIZE_READS : LCCSCF_PRIORITIZE_READS;
    cc.local_protocol_name = "feed";
    if (lws_client_connect_via_info(&cc) == NULL)
        c->failed = true;
    return ctx;
}

int
bench_lws_main(int argc, char **argv)
{
    struct counts c = { 0 };
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 0;
    struct lws_context *ctx =
        argc > 2 ? connect_feed(&c, (int)strtol(argv[1], NULL, 10), argc > 3 ? argv[3] : NULL) : NULL;
    long long user[2];
    long long sys[2];

    if (ctx == NULL)
        return 1;
    while (!c.up && !c.failed)
        (void)lws_service(ctx, 0);
    long long start = now_ns() + (long long)(seconds * 0.1e9);
    while (now_ns() < start && !c.failed)
        (void)lws_service(ctx, 0);
    start = now_ns();
    unsigned long long before = c.messages;
    cpu_ns(&user[0], &sys[0]);
    long long end = start + (long long)(seconds * 1e9);
    while (now_ns() < end && !c.failed)
        (void)lws_service(ctx, 0);
    cpu_ns(&user[1], &sys[1]);
    (void)printf("%llu %lld %lld %lld\n", c.messages - before, user[1] - user[0], sys[1] - sys[0], now_ns() - start);
    (void)fflush(stdout);
    return c.failed ? 1 : 0; /* the context ends with the process */
}

#ifdef BENCH_LWS_PROGRAM
int
main(int argc, char **argv)
{
    return bench_lws_main(argc, argv);
}
#endif
