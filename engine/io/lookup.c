#include "engine/io/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int
resolve(const char *host, uint16_t port, int flags, struct addresses *out)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags };
    struct addrinfo *list = NULL;
    char service[8];

    out->count = 0;
    (void)snprintf(service, sizeof(service), "%u", (unsigned)port);
    int err = getaddrinfo(host, service, &hints, &list);
    if (err != 0)
        return err;
    for (const struct addrinfo *i = list; i != NULL && out->count < LOOKUP_ADDRESSES; i = i->ai_next) {
        if (i->ai_addrlen <= sizeof(out->at[0]) && (i->ai_family == AF_INET || i->ai_family == AF_INET6))
            memcpy(&out->at[out->count++], i->ai_addr, i->ai_addrlen);
    }
    freeaddrinfo(list);
    return out->count == 0 ? EAI_NONAME : 0;
}

bool
lookup_numeric(const struct endpoint *ep, struct addresses *out)
{
    return resolve(ep->host, ep->port, AI_NUMERICHOST | AI_NUMERICSERV, out) == 0;
}

void
lookup_release(struct lookup *k)
{
    /* Release and acquire: whoever frees sees all that the other did before letting go. */
    if (atomic_fetch_sub_explicit(&k->refs, 1, memory_order_acq_rel) != 1)
        return;
    (void)close(k->fd);
    free(k);
}

bool
lookup_done(const struct lookup *k)
{
    /* Acquire: pairs with lookup_thread. */
    return atomic_load_explicit(&k->done, memory_order_acquire) != 0;
}

static void *
lookup_thread(void *arg)
{
    struct lookup *k = (struct lookup *)arg;
    const uint64_t one = 1;

    int err = resolve(k->host, k->port, AI_NUMERICSERV | AI_ADDRCONFIG, &k->addresses);
    if (err != 0)
        (void)FAULT(&k->fault, "the name cannot be resolved: %s",
                    err == EAI_SYSTEM ? strerror(errno) : gai_strerror(err));
    /* Release: the addresses before the flag. */
    atomic_store_explicit(&k->done, 1, memory_order_release);
    while (write(k->fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ; /* a full counter wakes just as well */
    lookup_release(k);
    return NULL;
}

struct lookup *
lookup_start(const struct endpoint *ep, int bell)
{
    struct lookup *k = (struct lookup *)calloc(1, sizeof(*k));
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all;
    sigset_t before;

    if (k == NULL)
        return NULL;
    k->fd = bell >= 0 ? fcntl(bell, F_DUPFD_CLOEXEC, 0) : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    memcpy(k->host, ep->host, sizeof(k->host));
    k->port = ep->port;
    atomic_init(&k->refs, 2);
    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = k->fd < 0 ? EMFILE : pthread_create(&thread, &attr, lookup_thread, k);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attr);
    if (err == 0)
        return k;
    if (k->fd >= 0)
        (void)close(k->fd);
    free(k);
    return NULL;
}
