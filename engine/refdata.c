#include "engine/refdata.h"

#include "execgw/ring.h"
#include "feed/ws_frame.h"
#include "feed/ws_handshake.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_SLOTS    64u
#define RESULT_SLOTS     128u
#define REQUEST_TEXT     (1u << 16) /* holds every configured symbol */
#define READ_BYTES       65536u
#define FULL_RING_MS     1               /* the core is a ring behind: look again */
#define CONTROL_WRITE_MS 100             /* a pong or close that cannot be written in this time ends the connection */
#define RATE_LIMIT_NS    (60 * NS_PER_S) /* when the venue names no time: its counting window */
#define RATE_LIMIT_MAX   (72 * 3600 * NS_PER_S)
#define STALE_RETRY_MAX  1 /* a connection that was idle may turn out to be dead: ask once more on a new one */

struct request {
    uint8_t kind; /* REFDATA_INSTRUMENTS_END: definitions; REFDATA_SNAPSHOT: depth */
    uint8_t px_decimals;
    uint8_t qty_decimals;
    uint8_t pad;
    uint16_t venue;
    uint16_t pad2;
    uint32_t instrument;
    uint32_t levels;
    char symbol[SYMBOL_BYTES];
};

/* One venue's connection. */
struct link {
    struct refdata_venue cfg;
    struct side_conn *side; /* NULL: closed */
    struct ws_reader ws;
    int64_t retry_at_ns;      /* monotonic: no attempt to connect before */
    uint32_t retry_ms;        /* last back-off; 0 after a success */
    int64_t blocked_until_ns; /* monotonic: rate limited */
    size_t in_have;           /* bytes of `in` not yet looked at, from in_at on */
    size_t in_at;
    uint8_t *in;
    uint8_t *message; /* message_max, shared by all links: one request is under way at a time */
};

struct refdata {
    struct refdata_config cfg;
    pthread_t thread;
    _Atomic bool stop;
    int stop_fd;
    int request_fd;
    int result_fd;
    struct ring_mem *request_mem;
    struct ring_mem *result_mem;
    struct ring_writer request_writer; /* core */
    struct ring_reader result_reader;  /* core */
    _Alignas(64) struct ring_reader request_reader;
    struct ring_writer result_writer;
    struct link link[VENUE_MAX];
    uint64_t random;
    int64_t id;
    char *text; /* of a request */
    uint8_t *message;
    struct level *level; /* 2 * BINANCE_DEPTH_MAX */
    struct instrument *instrument;
};

struct refdata_config
refdata_config_default(void)
{
    return (struct refdata_config){
        .message_max = 16u << 20, .request_timeout_ms = 10000, .retry_min_ms = 250, .retry_max_ms = 30000
    };
}

static int64_t
clock_mono_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static int64_t
clock_wall_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* Milliseconds until a monotonic time, for a wait: 0 when it has passed, rounded up else. */
static uint32_t
ms_until(int64_t at_ns)
{
    int64_t left = at_ns - clock_mono_ns();

    return left <= 0 ? 0 : (uint32_t)MIN((left + NS_PER_MS - 1) / NS_PER_MS, 3600 * 1000);
}

static bool
stopping(struct refdata *r)
{
    return atomic_load_explicit(&r->stop, memory_order_acquire);
}

/* Waits on the stop eventfd only. */
static void
pause_ms(struct refdata *r, uint32_t ms)
{
    struct pollfd p = { .fd = r->stop_fd, .events = POLLIN };

    (void)poll(&p, 1, (int)ms);
}

static void
say(struct refdata *r, const struct link *l, const char *what, const char *why)
{
    char sentence[512];

    if (r->cfg.log == NULL)
        return;
    (void)snprintf(sentence, sizeof(sentence), "reference data of %s: %s: %s", l->cfg.name, what, why);
    r->cfg.log(r->cfg.log_ctx, sentence);
}

/* ---- results ---- */

/* Puts one result; waits while the core is a ring behind. */
static void
publish(struct refdata *r, const struct refdata_result *result)
{
    void *slot;

    while ((slot = ring_claim(&r->result_writer)) == NULL) {
        if (stopping(r))
            return;
        pause_ms(r, FULL_RING_MS);
    }
    memcpy(slot, result, sizeof(*result));
    ring_commit(&r->result_writer);
    if (ring_wake_needed(&r->result_writer))
        (void)eventfd_write(r->result_fd, 1);
}

static void
publish_failed(struct refdata *r, const struct request *rq, int64_t blocked_until_ns)
{
    int64_t blocked_ns = blocked_until_ns - clock_mono_ns();
    struct refdata_result result = { .kind = rq->kind,
                                     .venue = rq->venue,
                                     .quiet_ms = blocked_ns <= 0 ? 0 : (uint32_t)(blocked_ns / NS_PER_MS + 1) };

    if (rq->kind == REFDATA_SNAPSHOT) {
        result.slice = (struct snapshot_slice){
            .instrument = rq->instrument, .is_first = true, .is_last = true, .failed = true, .count = result.quiet_ms
        };
    }
    publish(r, &result);
}

/* One side of a snapshot. An empty one still gives its (only) slice when it is the first or the last. */
static void
publish_levels(struct refdata *r, const struct request *rq, const struct binance_depth *d, enum side side)
{
    const struct level *level = r->level + (side == SIDE_BUY ? 0 : BINANCE_DEPTH_MAX);
    uint32_t count = side == SIDE_BUY ? d->bid_count : d->ask_count;
    uint32_t at = 0;

    do {
        struct refdata_result result = { .kind = REFDATA_SNAPSHOT, .ok = true, .venue = rq->venue };
        uint32_t n = MIN(count - at, (uint32_t)SNAPSHOT_SLICE_LEVELS);
        result.slice.instrument = rq->instrument;
        result.slice.side = (uint8_t)side;
        result.slice.is_first = side == SIDE_BUY && at == 0;
        result.slice.is_last = side == SIDE_SELL && at + n == count;
        result.slice.count = n;
        result.slice.last_update_id = d->last_update_id;
        memcpy(result.slice.level, level + at, n * sizeof(struct level));
        publish(r, &result);
        at += n;
    } while (at < count);
}

/* ---- one connection ---- */

static size_t
upgrade_request(void *ctx, const char *host, const char *path, const uint8_t nonce[UPGRADE_NONCE_BYTES], uint8_t *buf,
                size_t room)
{
    (void)ctx;
    return ws_handshake_request((char *)buf, room, host, path, nonce, NULL);
}

static int
upgrade_response(void *ctx, const uint8_t nonce[UPGRADE_NONCE_BYTES], const uint8_t *buf, size_t len,
                 struct fault *fault)
{
    (void)ctx;
    return ws_handshake_check(buf, len, nonce, fault);
}

static void
link_close(struct link *l)
{
    if (l->side != NULL)
        side_close(l->side);
    l->side = NULL;
    l->in_have = 0;
}

/* xorshift over a seed from the kernel: jitter only. */
static uint64_t
draw(struct refdata *r)
{
    r->random ^= r->random << 13;
    r->random ^= r->random >> 7;
    r->random ^= r->random << 17;
    return r->random;
}

/* Doubles the wait before the next attempt; it lies in the upper half of the back-off. */
static void
link_back_off(struct refdata *r, struct link *l)
{
    uint32_t ms = l->retry_ms == 0 ? r->cfg.retry_min_ms : l->retry_ms * 2;

    l->retry_ms = MAX(1u, MIN(ms, r->cfg.retry_max_ms));
    uint32_t wait_ms = l->retry_ms - (uint32_t)(draw(r) % (l->retry_ms / 2 + 1));
    l->retry_at_ns = clock_mono_ns() + (int64_t)wait_ms * NS_PER_MS;
}

/* The venue said to wait: until the time it named, or its counting window. */
static void
link_block(struct link *l, int64_t retry_after_ms)
{
    int64_t wait_ns = RATE_LIMIT_NS;

    if (retry_after_ms > 0 && retry_after_ms < INT64_MAX / NS_PER_MS)
        wait_ns = retry_after_ms * NS_PER_MS - clock_wall_ns();
    wait_ns = MAX(NS_PER_S, MIN(wait_ns, RATE_LIMIT_MAX));
    l->blocked_until_ns = clock_mono_ns() + wait_ns;
}

/* The upgrade was refused with a wait. */
static uint32_t
upgrade_quiet(void *ctx, const uint8_t *buf, size_t len)
{
    uint32_t seconds = ws_handshake_quiet_s(buf, len);

    if (seconds != 0)
        link_block((struct link *)ctx, (clock_wall_ns() / NS_PER_S + seconds) * 1000);
    return seconds;
}

static bool
link_open(struct refdata *r, struct link *l, int64_t deadline_ns, struct fault *fault)
{
    const struct upgrade_ops upgrade = {
        .ctx = l, .request = upgrade_request, .response = upgrade_response, .quiet_s = upgrade_quiet
    };

    if (l->retry_at_ns >= deadline_ns)
        return FAULT(fault, "not connected; the next attempt comes in %u ms", ms_until(l->retry_at_ns));
    while (ms_until(l->retry_at_ns) > 0 && !stopping(r))
        pause_ms(r, ms_until(l->retry_at_ns));
    if (stopping(r))
        return FAULT(fault, "stopped");
    l->side = side_open(r->cfg.tls, &l->cfg.endpoint, &upgrade, MAX(1u, ms_until(deadline_ns)), r->stop_fd, fault);
    if (l->side == NULL) {
        link_back_off(r, l);
        return false;
    }
    l->retry_ms = 0;
    l->retry_at_ns = 0;
    l->in_have = 0;
    ws_reader_init(&l->ws, WS_CLIENT, r->message, r->cfg.message_max);
    return true;
}

/* payload stands WS_HEADER_ROOM bytes into buf. */
static bool
link_send(struct link *l, uint8_t *buf, size_t len, uint8_t opcode, uint32_t timeout_ms, struct fault *fault)
{
    uint32_t mask;

    if (getrandom(&mask, sizeof(mask), 0) != (ssize_t)sizeof(mask))
        return FAULT(fault, "no random number for the frame's mask: %s", strerror(errno));
    struct ws_frame f = ws_encode(buf, WS_HEADER_ROOM, len, opcode, &mask);
    return side_write(l->side, f.data, f.len, timeout_ms, fault);
}

static bool
link_control(struct link *l, uint8_t opcode, const uint8_t *payload, size_t len, uint32_t timeout_ms,
             struct fault *fault)
{
    uint8_t buf[WS_HEADER_ROOM + WS_CONTROL_MAX];

    memcpy(buf + WS_HEADER_ROOM, payload, MIN(len, (size_t)WS_CONTROL_MAX));
    return link_send(l, buf, MIN(len, (size_t)WS_CONTROL_MAX), opcode, timeout_ms, fault);
}

static void
link_say_close(struct link *l, uint16_t code, const char *reason)
{
    uint8_t payload[WS_CLOSE_MAX];
    struct fault ignored;

    (void)link_control(l, WS_OP_CLOSE, payload, ws_close_payload(payload, code, reason), CONTROL_WRITE_MS, &ignored);
}

enum link_event {
    LINK_QUIET,   /* nothing came until the deadline */
    LINK_MESSAGE, /* *m, valid until the next call */
    LINK_DOWN     /* fault; must be closed */
};

/* The next text message; answers pings on the way. */
static enum link_event
link_next(struct link *l, int64_t deadline_ns, struct ws_message *m, struct fault *fault)
{
    for (;;) {
        while (l->in_have > 0) {
            size_t used = 0;
            enum ws_result w = ws_read(&l->ws, l->in + l->in_at, l->in_have, &used, m);
            l->in_at += used;
            l->in_have -= used;
            switch (w) {
            case WS_MORE:
            case WS_PONG: break;
            case WS_MESSAGE:
                if (m->opcode == WS_OP_TEXT)
                    return LINK_MESSAGE;
                break;
            case WS_PING:
                if (!link_control(l, WS_OP_PONG, m->data, m->len, CONTROL_WRITE_MS, fault))
                    return LINK_DOWN;
                break;
            case WS_CLOSE:
                link_say_close(l, m->code == WS_CLOSE_NO_STATUS ? WS_CLOSE_NORMAL : m->code, "");
                (void)FAULT(fault, "the venue closed the connection (code %u)", m->code);
                return LINK_DOWN;
            case WS_FAIL:
                link_say_close(l, m->code, m->reason);
                (void)FAULT(fault, "%s", m->reason);
                return LINK_DOWN;
            }
        }
        int n = side_read(l->side, l->in, READ_BYTES, ms_until(deadline_ns), fault);
        if (n < 0)
            return LINK_DOWN;
        if (n == 0)
            return LINK_QUIET;
        l->in_at = 0;
        l->in_have = (size_t)n;
    }
}

/* ---- one request ---- */

enum ask { ASK_OK, ASK_FAILED, ASK_DOWN };

/* Sends r->text (len bytes past WS_HEADER_ROOM) and waits for its answer. ASK_OK: `a` is a success and points into the
 * message buffer. */
static enum ask
ask_once(struct refdata *r, struct link *l, size_t len, int64_t deadline_ns, struct refdata_answer *a,
         struct fault *fault)
{
    struct ws_message m;

    if (!link_send(l, (uint8_t *)r->text, len, WS_OP_TEXT, MAX(1u, ms_until(deadline_ns)), fault))
        return ASK_DOWN;
    for (;;) {
        switch (link_next(l, deadline_ns, &m, fault)) {
        case LINK_DOWN: return ASK_DOWN;
        case LINK_QUIET:
            (void)FAULT(fault, "no answer within %u ms", r->cfg.request_timeout_ms);
            link_close(l); /* its answer must not meet the next request's wait */
            return ASK_FAILED;
        case LINK_MESSAGE: break;
        }
        *a = (struct refdata_answer){ .result = NULL };
        enum refdata_message what = l->cfg.dialect->message(m.data, m.len, r->id, a);
        if (a->blocked)
            link_block(l, a->retry_after_ms);
        if (what == REFDATA_MESSAGE_ANSWER)
            return ASK_OK;
        if (what == REFDATA_MESSAGE_REFUSED) {
            (void)FAULT(fault, "%s", a->text);
            return ASK_FAILED;
        }
    }
}

/* Writes the request into r->text. 0: it does not fit, or its symbol cannot be asked for. */
static size_t
request_write(struct refdata *r, const struct link *l, const struct request *rq)
{
    char *at = r->text + WS_HEADER_ROOM;
    size_t room = REQUEST_TEXT - WS_HEADER_ROOM;

    r->id++;
    if (rq->kind == REFDATA_SNAPSHOT)
        return l->cfg.dialect->depth->request(at, room, r->id, rq->symbol, rq->levels);
    return l->cfg.dialect->definitions_request(at, room, r->id, l->cfg.symbols, l->cfg.symbol_count);
}

static bool
ask(struct refdata *r, struct link *l, const struct request *rq, struct refdata_answer *a, struct fault *fault)
{
    int64_t deadline_ns = clock_mono_ns() + (int64_t)r->cfg.request_timeout_ms * NS_PER_MS;

    if (ms_until(l->blocked_until_ns) > 0)
        return FAULT(fault, "rate limited by the venue for %u ms more: not asked", ms_until(l->blocked_until_ns));
    for (unsigned attempt = 0;; attempt++) {
        bool reused = l->side != NULL;
        if (!reused && !link_open(r, l, deadline_ns, fault))
            return false;
        size_t len = request_write(r, l, rq); /* each time: sending masks it in place */
        if (len == 0)
            return FAULT(fault, "the request cannot be written: a symbol holds a character it may not, or too many");
        switch (ask_once(r, l, len, deadline_ns, a, fault)) {
        case ASK_OK: return true;
        case ASK_FAILED: return false;
        case ASK_DOWN: link_close(l); break;
        }
        if (!reused || attempt >= STALE_RETRY_MAX || stopping(r))
            return false;
    }
}

static void
serve_depth(struct refdata *r, struct link *l, const struct request *rq)
{
    struct refdata_answer a;
    struct binance_depth d;
    struct fault fault = { "" };
    char what[SYMBOL_BYTES + 16];

    (void)snprintf(what, sizeof(what), "depth of %s", rq->symbol);
    if (!ask(r, l, rq, &a, &fault)) {
        say(r, l, what, fault.text);
        publish_failed(r, rq, l->blocked_until_ns);
        return;
    }
    enum decode_result res =
        l->cfg.dialect->depth->decode(a.result, a.result_bytes, rq->px_decimals, rq->qty_decimals, r->level,
                                      r->level + BINANCE_DEPTH_MAX, BINANCE_DEPTH_MAX, &d);
    if (res != DECODE_OK) {
        static const char *const text[] = {
#define X(name, label, sentence) sentence,
            DECODE_RESULTS(X)
#undef X
        };
        say(r, l, what, text[res]);
        publish_failed(r, rq, l->blocked_until_ns);
        return;
    }
    publish_levels(r, rq, &d, SIDE_BUY);
    publish_levels(r, rq, &d, SIDE_SELL);
}

static void
serve_instruments(struct refdata *r, struct link *l, const struct request *rq)
{
    struct refdata_answer a;
    struct fault fault = { "" };
    struct refdata_result end = { .kind = REFDATA_INSTRUMENTS_END, .ok = true, .venue = rq->venue };

    const struct refdata_dialect *d = l->cfg.dialect;
    bool ok = ask(r, l, rq, &a, &fault) && d->definitions(a.result, a.result_bytes, l->cfg.symbols, l->cfg.symbol_count,
                                                          r->instrument, &end.limits, &fault);
    if (d->one_shot)
        link_close(l);
    if (!ok) {
        say(r, l, d->definitions_text, fault.text);
        publish_failed(r, rq, l->blocked_until_ns);
        return;
    }
    for (uint32_t i = 0; i < l->cfg.symbol_count; i++) {
        struct refdata_result result = { .kind = REFDATA_INSTRUMENT, .ok = true, .venue = rq->venue };
        result.instrument = r->instrument[i];
        result.instrument.venue = rq->venue;
        publish(r, &result);
    }
    publish(r, &end);
}

static struct link *
link_of(struct refdata *r, uint16_t venue)
{
    for (uint32_t i = 0; i < r->cfg.venue_count; i++) {
        if (r->link[i].cfg.venue == venue)
            return &r->link[i];
    }
    return NULL;
}

/* ---- the thread ---- */

/* Between requests: pings must be answered, and a connection that ended is noticed and dropped. */
static void
link_idle(struct link *l)
{
    struct ws_message m;
    struct fault fault;
    enum link_event e;

    do
        e = link_next(l, 0, &m, &fault);
    while (e == LINK_MESSAGE);
    if (e == LINK_DOWN)
        link_close(l);
}

static void
idle(struct refdata *r)
{
    struct pollfd p[2 + VENUE_MAX] = { { .fd = r->request_fd, .events = POLLIN },
                                       { .fd = r->stop_fd, .events = POLLIN } };
    eventfd_t count;
    nfds_t n = 2;

    for (uint32_t i = 0; i < r->cfg.venue_count; i++) {
        if (r->link[i].side != NULL) /* what came together with the last answer wakes no poll */
            link_idle(&r->link[i]);
    }
    if (!ring_reader_sleep(&r->request_reader))
        return;
    for (uint32_t i = 0; i < r->cfg.venue_count; i++) {
        p[n].fd = r->link[i].side == NULL ? -1 : side_fd(r->link[i].side);
        p[n++].events = POLLIN;
    }
    (void)poll(p, n, -1);
    ring_reader_awake(&r->request_reader);
    if (p[0].revents != 0)
        (void)eventfd_read(r->request_fd, &count);
    for (uint32_t i = 0; i < r->cfg.venue_count; i++) {
        if (p[2 + i].revents != 0)
            link_idle(&r->link[i]);
    }
}

static void *
refdata_main(void *arg)
{
    struct refdata *r = (struct refdata *)arg;
    struct request rq;

    while (!stopping(r)) {
        if (!ring_get(&r->request_reader, &rq)) {
            idle(r);
            continue;
        }
        struct link *l = link_of(r, rq.venue);
        if (rq.kind == REFDATA_SNAPSHOT)
            serve_depth(r, l, &rq);
        else
            serve_instruments(r, l, &rq);
    }
    for (uint32_t i = 0; i < r->cfg.venue_count; i++)
        link_close(&r->link[i]);
    return NULL;
}

/* ---- start and stop ---- */

static void
refdata_free(struct refdata *r)
{
    for (uint32_t i = 0; i < VENUE_MAX; i++)
        free(r->link[i].in);
    free(r->request_mem);
    free(r->result_mem);
    free(r->text);
    free(r->message);
    free(r->level);
    free(r->instrument);
    if (r->stop_fd >= 0)
        (void)close(r->stop_fd);
    if (r->request_fd >= 0)
        (void)close(r->request_fd);
    if (r->result_fd >= 0)
        (void)close(r->result_fd);
    free(r);
}

static struct ring_mem *
ring_new(uint64_t slots, uint32_t slot_bytes)
{
    struct ring_mem *m = aligned_alloc(64, (ring_footprint(slots, slot_bytes) + 63) & ~(size_t)63);

    if (m != NULL)
        ring_init(m, 0);
    return m;
}

static bool
refdata_alloc(struct refdata *r)
{
    uint32_t symbols = 1;
    bool ok = true;

    for (uint32_t i = 0; i < r->cfg.venue_count; i++) {
        r->link[i].cfg = r->cfg.venues[i];
        r->link[i].in = malloc(READ_BYTES);
        ok &= r->link[i].in != NULL;
        symbols = MAX(symbols, r->cfg.venues[i].symbol_count);
    }
    r->request_mem = ring_new(REQUEST_SLOTS, sizeof(struct request));
    r->result_mem = ring_new(RESULT_SLOTS, sizeof(struct refdata_result));
    r->text = malloc(REQUEST_TEXT);
    r->message = malloc(r->cfg.message_max); /* touched as far as answers reach */
    r->level = malloc(2 * BINANCE_DEPTH_MAX * sizeof(struct level));
    r->instrument = calloc(symbols, sizeof(struct instrument));
    return ok && r->request_mem != NULL && r->result_mem != NULL && r->text != NULL && r->message != NULL &&
           r->level != NULL && r->instrument != NULL;
}

static bool
config_check(const struct refdata_config *cfg, struct fault *fault)
{
    if (cfg->venue_count > VENUE_MAX)
        return FAULT(fault, "reference data: %u venues, expected at most %d", cfg->venue_count, VENUE_MAX);
    if (cfg->message_max < WS_CONTROL_MAX)
        return FAULT(fault, "reference data: message_max = %zu bytes, expected %d or more", cfg->message_max,
                     WS_CONTROL_MAX);
    if (cfg->request_timeout_ms == 0 || cfg->retry_min_ms == 0 || cfg->retry_max_ms < cfg->retry_min_ms ||
        cfg->retry_max_ms > 3600 * 1000)
        return FAULT(fault,
                     "reference data: request time-out %u ms, retries %u to %u ms: expected positive, rising and "
                     "at most an hour",
                     cfg->request_timeout_ms, cfg->retry_min_ms, cfg->retry_max_ms);
    return true;
}

struct refdata *
refdata_start(const struct refdata_config *cfg, struct fault *fault)
{
    if (!config_check(cfg, fault))
        return NULL;
    struct refdata *r = aligned_alloc(64, (sizeof(*r) + 63) & ~(size_t)63);
    if (r == NULL) {
        (void)FAULT(fault, "reference data: out of memory");
        return NULL;
    }
    memset(r, 0, sizeof(*r));
    r->cfg = *cfg;
    r->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    r->request_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    r->result_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    bool ok = refdata_alloc(r) && r->stop_fd >= 0 && r->request_fd >= 0 && r->result_fd >= 0 &&
              getrandom(&r->random, sizeof(r->random), 0) == (ssize_t)sizeof(r->random);
    if (!ok) {
        (void)FAULT(fault, "reference data: out of memory or descriptors");
        refdata_free(r);
        return NULL;
    }
    r->random |= 1;
    ring_writer_init(&r->request_writer, r->request_mem, 0, REQUEST_SLOTS, sizeof(struct request));
    ring_reader_init(&r->request_reader, r->request_mem, 0, REQUEST_SLOTS, sizeof(struct request));
    ring_writer_init(&r->result_writer, r->result_mem, 0, RESULT_SLOTS, sizeof(struct refdata_result));
    ring_reader_init(&r->result_reader, r->result_mem, 0, RESULT_SLOTS, sizeof(struct refdata_result));
    int e = pthread_create(&r->thread, NULL, refdata_main, r);
    if (e != 0) {
        (void)FAULT(fault, "reference data: thread: %s", strerror(e));
        refdata_free(r);
        return NULL;
    }
    (void)pthread_setname_np(r->thread, "refdata");
    return r;
}

void
refdata_stop(struct refdata *r)
{
    if (r == NULL)
        return;
    atomic_store_explicit(&r->stop, true, memory_order_release);
    (void)eventfd_write(r->stop_fd, 1);
    (void)pthread_join(r->thread, NULL);
    refdata_free(r);
}

/* ---- the core's side ---- */

static bool
request_put(struct refdata *r, const struct request *rq)
{
    const struct link *l = link_of(r, rq->venue);

    if (l == NULL || (rq->kind == REFDATA_SNAPSHOT && l->cfg.dialect->depth == NULL))
        return false;
    return ring_put(&r->request_writer, rq);
}

bool
refdata_wake_needed(struct refdata *r)
{
    return ring_wake_needed(&r->request_writer);
}

int
refdata_request_fd(const struct refdata *r)
{
    return r->request_fd;
}

void
refdata_wake(struct refdata *r)
{
    if (refdata_wake_needed(r))
        (void)eventfd_write(r->request_fd, 1);
}

bool
refdata_request_instruments(struct refdata *r, uint16_t venue)
{
    struct request rq = { .kind = REFDATA_INSTRUMENTS_END, .venue = venue };

    return request_put(r, &rq);
}

bool
refdata_request_depth(struct refdata *r, const struct instrument *ins, uint32_t levels)
{
    struct request rq = { .kind = REFDATA_SNAPSHOT,
                          .px_decimals = ins->px_decimals,
                          .qty_decimals = ins->qty_decimals,
                          .venue = ins->venue,
                          .instrument = ins->id,
                          .levels = MIN(MAX(levels, 1u), (uint32_t)BINANCE_DEPTH_MAX) };

    memcpy(rq.symbol, ins->symbol, sizeof(rq.symbol));
    rq.symbol[sizeof(rq.symbol) - 1] = '\0';
    return request_put(r, &rq);
}

bool
refdata_poll(struct refdata *r, struct refdata_result *out)
{
    return ring_get(&r->result_reader, out);
}

int
refdata_result_fd(const struct refdata *r)
{
    return r->result_fd;
}

bool
refdata_core_sleep(struct refdata *r)
{
    return ring_reader_sleep(&r->result_reader);
}

void
refdata_core_awake(struct refdata *r)
{
    ring_reader_awake(&r->result_reader);
}
