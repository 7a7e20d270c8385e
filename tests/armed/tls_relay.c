/* tls_relay: terminates TLS in front of a plain server on loopback and asks the client for a key update every N
 * milliseconds, which no ordinary server can be told to do.
 *
 *   tls_relay CERT KEY TARGET-PORT UPDATE-MS      prints `listening on 127.0.0.1:PORT`, then `updates N` as they happen
 *
 * One thread per connection, blocking; ends with its parent. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static SSL_CTX *ctx;
static int target_port;
static int update_ms;
static _Atomic int updates;

static long
now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int
dial(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)target_port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        (void)close(fd);
        return -1;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

/* Both directions until either side ends. */
static void
relay(SSL *ssl, int client, int server)
{
    static __thread char buf[65536];
    long next = now_ms() + update_ms;

    for (;;) {
        struct pollfd p[2] = { { .fd = client, .events = POLLIN }, { .fd = server, .events = POLLIN } };
        long wait = next - now_ms();
        if (SSL_pending(ssl) == 0 && poll(p, 2, wait > 0 ? (int)wait : 0) < 0)
            return;
        if (now_ms() >= next) {
            next = now_ms() + update_ms;
            if (SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) != 1 || SSL_do_handshake(ssl) != 1)
                return;
            printf("updates %d\n", atomic_fetch_add(&updates, 1) + 1);
            (void)fflush(stdout);
        }
        if (SSL_pending(ssl) > 0 || (p[0].revents & (POLLIN | POLLHUP)) != 0) {
            int n = SSL_read(ssl, buf, sizeof(buf));
            if (n <= 0 || write(server, buf, (size_t)n) != n)
                return;
        }
        if ((p[1].revents & (POLLIN | POLLHUP)) != 0) {
            ssize_t n = read(server, buf, sizeof(buf));
            if (n <= 0 || SSL_write(ssl, buf, (int)n) != n)
                return;
        }
    }
}

static void *
serve(void *arg)
{
    int client = (int)(intptr_t)arg;
    int server = dial();
    SSL *ssl = SSL_new(ctx);

    if (server >= 0 && ssl != NULL && SSL_set_fd(ssl, client) == 1 && SSL_accept(ssl) == 1)
        relay(ssl, client, server);
    SSL_free(ssl);
    if (server >= 0)
        (void)close(server);
    (void)close(client);
    return NULL;
}

int
main(int argc, char **argv)
{
    struct sockaddr_in here = { .sin_family = AF_INET };
    socklen_t len = sizeof(here);
    int one = 1;

    if (argc != 5) {
        (void)fprintf(stderr, "usage: tls_relay CERT KEY TARGET-PORT UPDATE-MS\n");
        return 64;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGPIPE, SIG_IGN);
    target_port = atoi(argv[3]);
    update_ms = atoi(argv[4]);
    ctx = SSL_CTX_new(TLS_server_method());
    if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_use_certificate_chain_file(ctx, argv[1]) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, argv[2], SSL_FILETYPE_PEM) != 1) {
        ERR_print_errors_fp(stderr);
        return 1;
    }
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_AUTO_RETRY);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&here, len) != 0 || listen(fd, 16) != 0 ||
        getsockname(fd, (struct sockaddr *)&here, &len) != 0)
        return 1;
    printf("listening on 127.0.0.1:%d\n", ntohs(here.sin_port));
    (void)fflush(stdout);
    for (;;) {
        pthread_t t;
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0)
            continue;
        (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        if (pthread_create(&t, NULL, serve, (void *)(intptr_t)client) == 0)
            (void)pthread_detach(t);
        else
            (void)close(client);
    }
}
