/* A small gateway core for tests of the client's side: a real unix port and client port, an order book of nothing. It
 * acknowledges every new order, fills IOC orders, cancels what it is asked to cancel. Runs on a thread of its own and
 * sleeps the way the gateway's loop does in block mode. */
#ifndef EXECGW_TESTS_CORE_H
#define EXECGW_TESTS_CORE_H

#include "engine/client/client_port.h"
#include "engine/io/shared_map.h"
#include "engine/io/unix_port.h"
#include "execgw/broadcast.h"
#include "execgw/metric.h"
#include "tests/test.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define CORE_COMMANDS 64
#define CORE_REPORTS  64
#define CORE_ORDERS   4096
#define CORE_WAIT_MS  20000

struct core_order {
    uint64_t key;
    uint32_t client;
    struct report last;
};

struct core {
    char dir[64];
    char path[96];
    struct shared_map market;
    struct shared_map metrics;
    struct md_writer md;
    int doorbell;
    struct unix_port *unix_port;
    struct client_port *port;
    _Alignas(64) uint8_t memory[1 << 16];
    pthread_t thread;
    _Atomic bool stop;
    _Atomic bool hold;         /* take no commands */
    _Atomic unsigned detached; /* sessions that ended */
    _Atomic unsigned policy;   /* of the last one */
    _Atomic unsigned sleeps;
    _Atomic unsigned taken; /* orders accepted */
    int socket_fd[CLIENT_SESSION_MAX];
    int doorbell_fd[CLIENT_SESSION_MAX];
    struct core_order order[CORE_ORDERS];
    unsigned orders;
    uint64_t seq;
    uint32_t asker; /* slot whose answer waits for room */
    unsigned answer_next;
    uint64_t answer_seq;
    bool answering;
    bool halted;
    _Atomic bool fine; /* no limits: the instrument has other decimals */
};

static inline void
core_instrument(struct core *c)
{
    struct instrument i = {
        .id = 0,
        .version = 3,
        .status = INSTRUMENT_TRADING,
        .px_decimals = 2,
        .qty_decimals = 5,
        .tick = 1,
        .step = 1,
        .px_min = 1,
        .px_max = INT64_C(100000000),
        .qty_min = 1,
        .qty_max = INT64_C(1000000000),
        .multiplier = VALUE_ONE,
        .order_types = 1,
        .tifs = 7,
        .symbol = "BTCUSDT",
        .canonical = "BTC/USDT",
        .base = "BTC",
        .quote = "USDT",
        .settle = "USDT",
    };
    md_publish_instrument(&c->md, &i);
    struct top_of_book t = { .bid_px = 6000000,
                             .bid_qty = 100000,
                             .ask_px = 6000010,
                             .ask_qty = 200000,
                             .instrument_version = 3,
                             .recv_ns = 1,
                             .state = BOOK_LIVE };
    md_publish_top(&c->md, 0, &t);
}

static inline struct core_order *
core_find(struct core *c, uint32_t client, uint64_t key)
{
    for (unsigned i = 0; i < c->orders; i++) {
        if (c->order[i].key == key && c->order[i].client == client)
            return &c->order[i];
    }
    return NULL;
}

static inline void
core_report(struct core *c, struct core_order *o, enum report_kind kind, enum order_state state)
{
    o->last.kind = (uint8_t)kind;
    o->last.order_state = (uint8_t)state;
    o->last.seq = ++c->seq;
    (void)client_port_publish(c->port, o->client, &o->last);
}

static inline void
core_new(struct core *c, const struct client_command *cc)
{
    const struct command *cmd = &cc->cmd;
    ASSERT(c->orders < CORE_ORDERS);
    atomic_fetch_add(&c->taken, 1);
    struct core_order *o = &c->order[c->orders++];
    *o = (struct core_order){ .key = cmd->key, .client = cmd->client };
    o->last = (struct report){
        .client = cmd->client,
        .key = cmd->key,
        .request_key = cmd->key,
        .instrument = cmd->instrument,
        .instrument_version = cmd->instrument_version,
        .side = cmd->side,
        .tif = cmd->tif,
        .px = cmd->px,
        .qty = cmd->qty,
        .leaves_qty = cmd->qty,
        .trade_id = -1,
        .submit_mono_ns = cmd->submit_mono_ns,
    };
    (void)snprintf(o->last.clordid, sizeof(o->last.clordid), "T%u", c->orders);
    core_report(c, o, REPORT_SENT, ORDER_SENT);
    core_report(c, o, REPORT_NEW, ORDER_NEW);
    if (cmd->tif == TIF_IOC) {
        o->last.last_px = cmd->px;
        o->last.last_qty = o->last.cum_qty = cmd->qty;
        o->last.leaves_qty = 0;
        o->last.trade_id = (int64_t)c->orders;
        core_report(c, o, REPORT_FILL, ORDER_FILLED);
    }
}

static inline void
core_deny(struct core *c, const struct client_command *cc, enum deny_reason why)
{
    struct report r = {
        .kind = REPORT_DENIED,
        .client = cc->cmd.client,
        .key = cc->cmd.verb == COMMAND_CANCEL ? cc->cmd.target_key : cc->cmd.key,
        .request_key = cc->cmd.key != 0 ? cc->cmd.key : cc->cmd.client_seq,
        .instrument = cc->cmd.instrument,
        .deny = (uint8_t)why,
        .order_state = cc->cmd.verb == COMMAND_NEW ? ORDER_DENIED : ORDER_FREE,
        .seq = ++c->seq,
    };
    (void)client_port_report(c->port, cc->slot, &r);
}

static inline void
core_command(void *ctx, const struct client_command *cc)
{
    struct core *c = ctx;
    const struct command *cmd = &cc->cmd;
    struct core_order *o;

    if (cc->deny != DENY_NONE) {
        core_deny(c, cc, (enum deny_reason)cc->deny);
        return;
    }
    switch ((enum command_verb)cmd->verb) {
    case COMMAND_NEW:
        if (c->halted)
            core_deny(c, cc, DENY_HALTED);
        else if (cmd->qty <= 0)
            core_deny(c, cc, DENY_INCREMENT);
        else if (atomic_load(&c->fine))
            core_new(c, cc);
        else if (cmd->qty > INT64_C(1000000000))
            core_deny(c, cc, DENY_ORDER_QTY);
        else if (cmd->px > INT64_C(7000000) || cmd->px < INT64_C(4000000))
            core_deny(c, cc, DENY_PRICE_COLLAR);
        else
            core_new(c, cc);
        break;
    case COMMAND_REPLACE:
    case COMMAND_CANCEL:
        o = core_find(c, cmd->target_client, cmd->target_key);
        if (o == NULL || o->last.leaves_qty == 0) {
            core_deny(c, cc, o == NULL ? DENY_UNKNOWN_ORDER : DENY_ORDER_DONE);
            break;
        }
        o->last.leaves_qty = 0;
        core_report(c, o, REPORT_CANCELED, ORDER_CANCELED);
        if (cmd->verb == COMMAND_REPLACE)
            core_new(c, cc);
        break;
    case COMMAND_CANCEL_ALL:
        for (unsigned i = 0; i < c->orders; i++) {
            o = &c->order[i];
            if (o->last.leaves_qty != 0 && (cc->role == ROLE_OPERATOR || o->client == cmd->client)) {
                o->last.leaves_qty = 0;
                core_report(c, o, REPORT_CANCELED, ORDER_CANCELED);
            }
        }
        goto done;
    case COMMAND_QUERY_ORDERS:
        c->answering = true;
        c->answer_next = 0;
        c->asker = cc->slot;
        c->answer_seq = cmd->client_seq;
        break;
    case COMMAND_QUERY_POSITIONS: {
        struct report r = { .kind = REPORT_POSITION, .instrument = 0, .instrument_version = 3, .qty = -150000 };
        (void)client_port_report(c->port, cc->slot, &r);
        r = (struct report){ .kind = REPORT_END, .qty = 1, .request_key = cmd->client_seq };
        (void)client_port_report(c->port, cc->slot, &r);
        break;
    }
    case COMMAND_HALT:
    case COMMAND_RESUME: c->halted = cmd->verb == COMMAND_HALT; goto done;
    case COMMAND_HEARTBEAT:
    case COMMAND_NONE:
    default:
        break;
    done : {
        struct report r = { .kind = REPORT_DONE, .request_key = cmd->client_seq, .instrument = INSTRUMENT_NONE };
        (void)client_port_report(c->port, cc->slot, &r);
        break;
    }
    }
}

/* A long answer goes out as there is room. */
static inline void
core_answer(struct core *c)
{
    while (c->answering && client_port_room(c->port, c->asker) > 0) {
        struct report r = { .kind = REPORT_END, .qty = (qty_t)c->orders, .request_key = c->answer_seq };
        while (c->answer_next < c->orders && c->order[c->answer_next].last.leaves_qty == 0)
            c->answer_next++;
        if (c->answer_next < c->orders) {
            r = c->order[c->answer_next++].last;
            r.kind = REPORT_ORDER;
        } else {
            c->answering = false;
        }
        (void)client_port_report(c->port, c->asker, &r);
    }
}

static inline void
core_event(struct core *c, const struct unix_port_event *ev)
{
    const struct client_identity *now = client_port_identity(c->port, ev->slot);

    if (ev->kind == UNIX_PORT_ATTACHED) {
        struct client_identity id = {
            .client = ev->client, .generation = ev->generation, .role = ev->role, .on_disconnect = ev->on_disconnect
        };
        memcpy(id.name, ev->name, sizeof(id.name));
        c->socket_fd[ev->slot] = ev->socket_fd;
        c->doorbell_fd[ev->slot] = ev->doorbell_fd;
        client_port_attach(c->port, ev->slot, &id, ev->mem);
    } else if (now != NULL && now->generation == ev->generation) {
        atomic_store(&c->policy, client_port_detach(c->port, ev->slot));
        (void)close(c->socket_fd[ev->slot]);
        (void)close(c->doorbell_fd[ev->slot]);
        unix_port_release(c->unix_port, ev->slot, ev->generation);
        unix_port_wake(c->unix_port);
        c->answering = c->answering && c->asker != ev->slot;
        atomic_fetch_add(&c->detached, 1);
    }
}

/* Until a doorbell rings, ours or a client's, or the bound of every sleep. */
static inline void
core_sleep(struct core *c)
{
    struct pollfd p[CLIENT_SESSION_MAX + 1] = { { .fd = c->doorbell, .events = POLLIN } };
    nfds_t n = 1;
    eventfd_t count;

    for (uint64_t m = client_port_attached(c->port); m != 0; m &= m - 1)
        p[n++] = (struct pollfd){ .fd = c->doorbell_fd[__builtin_ctzll(m)], .events = POLLIN };
    (void)poll(p, n, 50);
    for (nfds_t i = 0; i < n; i++)
        if (p[i].revents != 0)
            (void)eventfd_read(p[i].fd, &count);
}

static inline void *
core_thread(void *arg)
{
    struct core *c = arg;
    struct unix_port_event ev;
    uint32_t slot;
    enum client_fault why;

    while (!atomic_load(&c->stop)) {
        while (unix_port_poll(c->unix_port, &ev))
            core_event(c, &ev);
        bool held = atomic_load(&c->hold);
        unsigned n = held ? 0 : client_port_poll(c->port, 16, core_command, c);
        core_answer(c);
        while (client_port_take_fault(c->port, &slot, &why)) {
            uint32_t generation = client_port_identity(c->port, slot)->generation;
            (void)client_port_detach(c->port, slot);
            (void)close(c->socket_fd[slot]);
            (void)close(c->doorbell_fd[slot]);
            unix_port_release(c->unix_port, slot, generation);
            unix_port_wake(c->unix_port);
        }
        for (uint64_t m = client_port_doorbells(c->port); m != 0; m &= m - 1)
            unix_port_ring(c->socket_fd[__builtin_ctzll(m)]);
        if (n == 0 && (held || client_port_sleep(c->port)) && unix_port_sleep(c->unix_port)) {
            atomic_fetch_add(&c->sleeps, 1);
            core_sleep(c);
        }
        client_port_awake(c->port);
        unix_port_awake(c->unix_port);
    }
    return NULL;
}

static inline void
core_start(struct core *c)
{
    static const struct unix_port_strategy strategies[] = {
        { .name = "alpha", .client = 0 },
        { .name = "beta", .client = 1, .on_disconnect = ON_DISCONNECT_NOTHING },
    };
    struct fault fault;
    struct client_port_config pc = { .sessions_max = 8,
                                     .command_capacity = CORE_COMMANDS,
                                     .report_capacity = CORE_REPORTS };
    memset(c, 0, sizeof(*c));
    (void)snprintf(c->dir, sizeof(c->dir), "/tmp/execgw-test-XXXXXX");
    CHECK(mkdtemp(c->dir) != NULL);
    (void)snprintf(c->path, sizeof(c->path), "%s/s.sock", c->dir);
    CHECK(shared_map_publish(&c->market, "test-market", md_shm_footprint(1024, 4), &fault));
    CHECK(shared_map_publish(&c->metrics, "test-metrics", sizeof(struct metric_page), &fault));
    metric_page_init(c->metrics.mem, "0.0.0", "test", 0);
    md_writer_init(&c->md, c->market.mem, 1024, 4);
    core_instrument(c);
    c->doorbell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct arena arena = { .base = c->memory, .size = sizeof(c->memory) };
    c->port = client_port_init(&pc, &arena);
    struct unix_port_config cfg = {
        .path = c->path,
        .sessions_max = pc.sessions_max,
        .command_capacity = CORE_COMMANDS,
        .report_capacity = CORE_REPORTS,
        .hello_timeout_ms = CORE_WAIT_MS,
        .strategies = strategies,
        .strategy_count = ARRAY_LEN(strategies),
        .market_fd = c->market.fd,
        .market_bytes = c->market.bytes,
        .metrics_fd = c->metrics.fd,
        .metrics_bytes = c->metrics.bytes,
        .doorbell_fd = c->doorbell,
    };
    c->unix_port = unix_port_start(&cfg, &fault);
    CHECK(c->unix_port != NULL);
    CHECK_EQ(pthread_create(&c->thread, NULL, core_thread, c), 0);
}

static inline void
core_stop(struct core *c)
{
    char lock[128];
    atomic_store(&c->stop, true);
    (void)eventfd_write(c->doorbell, 1);
    CHECK_EQ(pthread_join(c->thread, NULL), 0);
    unix_port_stop(c->unix_port);
    for (uint64_t m = client_port_attached(c->port); m != 0; m &= m - 1) {
        (void)close(c->socket_fd[__builtin_ctzll(m)]);
        (void)close(c->doorbell_fd[__builtin_ctzll(m)]);
    }
    (void)snprintf(lock, sizeof(lock), "%s.lock", c->path);
    (void)unlink(lock);
    CHECK_EQ(rmdir(c->dir), 0);
    shared_map_close(&c->market);
    shared_map_close(&c->metrics);
    (void)close(c->doorbell);
}

#endif
