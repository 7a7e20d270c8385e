/* What a client may write: any commands in its ring, any indexes in both. The port must hand on only clean commands and
 * stay whole. Input: role, three index words (command tail, report head, sleeping), then commands of 192 bytes each. */
#include "engine/client/client_port.h"
#include "execgw/ring.h"

#define COMMANDS 8
#define REPORTS  4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    uint64_t last_seq;
    uint32_t client;
    uint8_t role;
    unsigned count;
};

static void
look(void *ctx, const struct client_command *c)
{
    struct seen *s = ctx;
    const struct command *cmd = &c->cmd;

    s->count++;
    ASSERT(cmd->client == s->client && c->role == s->role && c->slot == 0);
    ASSERT(cmd->verb < COMMAND_VERB_COUNT && cmd->side <= SIDE_SELL && cmd->type < ORDER_TYPE_COUNT);
    ASSERT(cmd->tif < TIF_COUNT && cmd->position_side <= POSITION_SHORT && cmd->margin_mode <= MARGIN_ISOLATED);
    ASSERT((cmd->flags & ~COMMAND_FLAGS_ALL) == 0 && c->deny < DENY_REASON_COUNT);
    if (s->role != ROLE_OPERATOR) {
        ASSERT(cmd->target_client == s->client || c->deny != DENY_NONE);
        ASSERT((cmd->verb != COMMAND_HALT && cmd->verb != COMMAND_RESUME) || c->deny != DENY_NONE);
    }
    if (c->deny == DENY_NONE) {
        ASSERT(cmd->verb != COMMAND_NONE && cmd->version == MESSAGE_VERSION && cmd->client_seq > s->last_seq);
        s->last_seq = cmd->client_seq;
    }
}

static uint64_t
word(const uint8_t **data, size_t *size)
{
    uint64_t v = 0;
    size_t n = MIN(*size, sizeof(v));
    memcpy(&v, *data, n);
    *data += n;
    *size -= n;
    return v;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static _Alignas(64) uint8_t memory[1 << 14];
    static _Alignas(4096) uint8_t session[1 << 14];
    struct client_port_config cfg = { .sessions_max = 1, .command_capacity = COMMANDS, .report_capacity = REPORTS };
    struct arena arena = { .base = memory, .size = sizeof(memory) };
    struct client_port *p = client_port_init(&cfg, &arena);
    struct client_identity id = { .client = 7, .on_disconnect = ON_DISCONNECT_CANCEL };
    struct report r = { .kind = REPORT_NEW };
    uint32_t slot;
    enum client_fault why;

    if (size == 0)
        return 0;
    ASSERT(session_bytes(COMMANDS, REPORTS) <= sizeof(session));
    memset(session, 0, sizeof(session));
    id.role = *data % ROLE_COUNT;
    data++;
    size--;
    client_port_attach(p, 0, &id, session);
    struct ring_mem *command = (struct ring_mem *)(void *)session;
    struct ring_mem *report = (struct ring_mem *)(void *)(session + session_report_offset(COMMANDS));
    atomic_store(&command->tail, word(&data, &size));
    atomic_store(&report->head, word(&data, &size));
    atomic_store(&report->sleeping, (uint32_t)word(&data, &size));
    memcpy(command->slot, data, MIN(size, COMMANDS * sizeof(struct command)));

    struct seen s = { .client = id.client, .role = id.role };
    (void)client_port_poll(p, 4, look, &s);
    for (unsigned i = 0; i < 2 * REPORTS; i++) {
        r.seq = i;
        (void)client_port_report(p, 0, &r);
        (void)client_port_room(p, 0);
    }
    (void)client_port_doorbells(p);
    (void)client_port_poll(p, 64, look, &s);
    ASSERT(s.count <= COMMANDS);
    (void)client_port_sleep(p);
    client_port_awake(p);
    (void)client_port_take_fault(p, &slot, &why);
    (void)client_port_detach(p, 0);
    return 0;
}
