#include "engine/client/client_port.h"
#include "execgw/broadcast.h"
#include "execgw/ring.h"

_Static_assert(sizeof(struct ring_mem) == 128, "session_ring_bytes in admission.h counts on it");
_Static_assert(sizeof(struct command) % 8 == 0 && sizeof(struct report) % 8 == 0, "copied by words");
_Static_assert(CLIENT_SESSION_MAX <= 64, "a slot is a bit of a mask");

struct session {
    struct ring_reader command;
    struct ring_writer report;
    struct client_identity id;
    uint64_t looked_at;    /* index past the command that client_port_ahead told of last */
    uint64_t last_seq;     /* client_seq of the newest command taken */
    uint64_t behind_seq;   /* highest seq skipped */
    uint64_t behind_skip;  /* reports skipped; 0 = not behind */
    uint64_t behind_count; /* times that it fell behind */
    uint8_t fault;         /* enum client_fault */
};

struct client_port {
    struct client_port_config cfg;
    struct client_port_counters counters;
    uint64_t attached; /* bit per slot */
    uint64_t faulty;   /* attached, index broken: nothing is read or written any more */
    uint64_t told;     /* faulty, and take_fault has said so */
    uint64_t behind;
    uint64_t dirty; /* reports committed since the last doorbells */
    uint32_t cursor;
    struct session session[];
};

static uint64_t
bit(uint32_t slot)
{
    return UINT64_C(1) << slot;
}

const char *
client_fault_text(enum client_fault f)
{
    static const char *const text[] = {
#define X(name, t) t,
        CLIENT_FAULTS(X)
#undef X
    };
    return (unsigned)f < CLIENT_FAULT_COUNT ? text[f] : "?";
}

size_t
client_port_footprint(const struct client_port_config *cfg)
{
    return arena_cost(sizeof(struct client_port) + cfg->sessions_max * sizeof(struct session));
}

struct client_port *
client_port_init(const struct client_port_config *cfg, struct arena *arena)
{
    ASSERT(cfg->sessions_max >= 1 && cfg->sessions_max <= CLIENT_SESSION_MAX);
    ASSERT(cfg->command_capacity != 0 && (cfg->command_capacity & (cfg->command_capacity - 1)) == 0);
    ASSERT(cfg->report_capacity >= 2 && (cfg->report_capacity & (cfg->report_capacity - 1)) == 0);
    struct client_port *p = arena_take(arena, client_port_footprint(cfg));
    p->cfg = *cfg;
    return p;
}

static struct session *
session_of(struct client_port *p, uint32_t slot)
{
    return slot < p->cfg.sessions_max && (p->attached & bit(slot)) != 0 ? &p->session[slot] : NULL;
}

void
client_port_attach(struct client_port *p, uint32_t slot, const struct client_identity *id, void *mem)
{
    ASSERT(slot < p->cfg.sessions_max && (p->attached & bit(slot)) == 0);
    ASSERT(id->client <= CLIENT_OPERATOR && id->role < ROLE_COUNT);
    ASSERT(id->on_disconnect > ON_DISCONNECT_DEFAULT && id->on_disconnect < ON_DISCONNECT_COUNT);
    struct session *s = &p->session[slot];
    uint8_t *base = mem;

    memset(s, 0, sizeof(*s));
    s->id = *id;
    ring_reader_init(&s->command, (struct ring_mem *)(void *)base, 0, p->cfg.command_capacity, sizeof(struct command));
    ring_writer_init(&s->report, (struct ring_mem *)(void *)(base + session_report_offset(p->cfg.command_capacity)), 0,
                     p->cfg.report_capacity, sizeof(struct report));
    p->attached |= bit(slot);
}

enum on_disconnect
client_port_detach(struct client_port *p, uint32_t slot)
{
    struct session *s = session_of(p, slot);
    ASSERT(s != NULL);
    enum on_disconnect policy = (enum on_disconnect)s->id.on_disconnect;
    uint64_t unread = atomic_load_explicit(&s->command.mem->tail, memory_order_relaxed) - s->command.head;

    if (unread <= s->command.capacity)
        p->counters.commands_unread += unread;
    memset(s, 0, sizeof(*s));
    uint64_t keep = ~bit(slot);
    p->attached &= keep;
    p->faulty &= keep;
    p->told &= keep;
    p->behind &= keep;
    p->dirty &= keep;
    return policy;
}

const struct client_identity *
client_port_identity(const struct client_port *p, uint32_t slot)
{
    return slot < p->cfg.sessions_max && (p->attached & bit(slot)) != 0 ? &p->session[slot].id : NULL;
}

int
client_port_find(const struct client_port *p, uint32_t client)
{
    for (uint64_t m = p->attached; m != 0; m &= m - 1) {
        int slot = __builtin_ctzll(m);
        if (p->session[slot].id.client == client)
            return slot;
    }
    return -1;
}

uint64_t
client_port_attached(const struct client_port *p)
{
    return p->attached;
}

/* ---- commands ---- */

static COLD void
session_fault(struct client_port *p, uint32_t slot, enum client_fault why)
{
    if ((p->faulty & bit(slot)) != 0)
        return;
    p->session[slot].fault = (uint8_t)why;
    p->faulty |= bit(slot);
    p->behind &= ~bit(slot);
    p->counters.faults++;
}

#define VERB(v) (1u << (v))
#define VERBS_OF_STRATEGY                                                                                          \
    (VERB(COMMAND_NEW) | VERB(COMMAND_CANCEL) | VERB(COMMAND_REPLACE) | VERB(COMMAND_CANCEL_ALL) |                 \
     VERB(COMMAND_QUERY_ORDERS) | VERB(COMMAND_QUERY_POSITIONS) | VERB(COMMAND_HEARTBEAT) | VERB(COMMAND_LIMITS) | \
     VERB(COMMAND_WHATIF) | VERB(COMMAND_PNL))
#define VERBS_OF_OPERATOR                                                                                          \
    (VERBS_OF_STRATEGY | VERB(COMMAND_HALT) | VERB(COMMAND_RESUME) | VERB(COMMAND_CONFIRM) | VERB(COMMAND_STATE) | \
     VERB(COMMAND_FLATTEN) | VERB(COMMAND_RESOLVE) | VERB(COMMAND_LIMITS_SET) | VERB(COMMAND_RELOAD) |             \
     VERB(COMMAND_KILL_STATUS))

static const uint32_t verbs_of_role[ROLE_COUNT] = {
    [ROLE_STRATEGY] = VERBS_OF_STRATEGY,
    [ROLE_OPERATOR] = VERBS_OF_OPERATOR,
};

/* First reason, in the order of DENY_REASONS, why this copied command is not clean. */
static enum deny_reason
command_check(const struct session *s, const struct command *c)
{
    if (unlikely(c->version != MESSAGE_VERSION || c->verb == COMMAND_NONE || c->verb >= COMMAND_VERB_COUNT))
        return DENY_MALFORMED;
    if (unlikely((verbs_of_role[s->id.role] & VERB(c->verb)) == 0))
        return DENY_NOT_PERMITTED;
    if (unlikely(c->client_seq <= s->last_seq))
        return DENY_REPLAYED_COMMAND;
    if (unlikely((c->flags & ~COMMAND_FLAGS_ALL) != 0 || c->side > SIDE_SELL || c->type > ORDER_STOP_LIMIT ||
                 c->tif >= TIF_COUNT || c->position_side > POSITION_SHORT || c->margin_mode > MARGIN_ISOLATED ||
                 c->key > INT64_MAX)) /* taken, it would leave no room above it */
        return DENY_INVALID_ORDER;
    if (unlikely(c->level >= LEVEL_COUNT || c->state >= TRADING_STATE_COUNT))
        return DENY_INVALID_ORDER;
    return DENY_NONE;
}

/* Keep what names a denied command; all else is zero, so that nothing unchecked travels on. */
static COLD void
command_blank(struct command *c)
{
    struct command kept = {
        .version = MESSAGE_VERSION,
        .verb = c->verb < COMMAND_VERB_COUNT ? c->verb : COMMAND_NONE,
        .client = c->client,
        .key = c->key,
        .target_key = c->target_key,
        .target_client = c->target_client,
        .account = c->account,
        .instrument = c->instrument,
        .instrument_version = c->instrument_version,
        .side = c->side == SIDE_SELL ? SIDE_SELL : SIDE_BUY,
        .px = c->px,
        .qty = c->qty,
        .submit_mono_ns = c->submit_mono_ns,
        .client_seq = c->client_seq,
    };
    *c = kept;
}

/* Copy the oldest command of a session out, once, then check the copy. False when there is none. */
static bool
session_take(struct client_port *p, uint32_t slot, struct client_command *out)
{
    struct session *s = &p->session[slot];
    const void *from = ring_peek(&s->command);

    if (from == NULL) {
        if (unlikely(s->command.broken))
            session_fault(p, slot, CLIENT_FAULT_COMMAND_INDEX);
        return false;
    }
    /* Atomic loads: the client may be writing, and the compiler must not read the slot a second time. */
    words_load(&out->cmd, (const _Atomic uint64_t *)from, sizeof(struct command) / 8);
    ring_release(&s->command);
    out->looked_at = s->looked_at == s->command.head;
    p->counters.commands++;

    struct command *c = &out->cmd;
    c->client = s->id.client;
    if (s->id.role != ROLE_OPERATOR)
        c->target_client = s->id.client;
    c->pad = 0;
    if (s->id.role == ROLE_OPERATOR)
        c->text[sizeof(c->text) - 1] = '\0';
    else { /* an operator's words; a strategy's parent has its total there */
        qty_t parent_qty = c->parent_key != 0 ? c->parent_qty : 0;
        memset(c->text, 0, sizeof(c->text));
        c->parent_qty = parent_qty;
    }
    out->slot = slot;
    out->role = s->id.role;
    out->deny = (uint8_t)command_check(s, c);
    if (likely(c->version == MESSAGE_VERSION && c->client_seq > s->last_seq))
        s->last_seq = c->client_seq;
    if (unlikely(out->deny != DENY_NONE)) {
        p->counters.commands_denied++;
        command_blank(c);
    }
    return true;
}

/* First set bit of a non-zero mask at or after `slot`, wrapping. */
static uint32_t
next_slot(uint64_t mask, uint32_t slot)
{
    uint64_t at_or_after = mask & (~UINT64_C(0) << slot);
    return (uint32_t)__builtin_ctzll(at_or_after != 0 ? at_or_after : mask);
}

unsigned
client_port_poll(struct client_port *p, unsigned max, client_command_fn fn, void *ctx)
{
    uint64_t live = p->attached & ~p->faulty;
    unsigned taken = 0;
    struct client_command c;

    while (taken < max && live != 0) { /* each step takes a command or drops a session from `live` */
        uint32_t slot = next_slot(live, p->cursor);
        p->cursor = (slot + 1) & 63;
        if (session_take(p, slot, &c)) {
            taken++;
            fn(ctx, &c);
        } else {
            live &= ~bit(slot);
        }
    }
    return taken;
}

static uint64_t
word_at(const void *slot, size_t offset)
{
    const _Atomic uint64_t *word = (const _Atomic uint64_t *)(const void *)((const uint8_t *)slot + offset / 8 * 8);

    return atomic_load_explicit(word, memory_order_relaxed) >> offset % 8 * 8;
}

bool
client_port_ahead(struct client_port *p, struct client_hint *out)
{
    for (uint64_t live = p->attached & ~p->faulty; live != 0;) {
        uint32_t slot = next_slot(live, p->cursor);
        struct session *s = &p->session[slot];
        const void *c = ring_peek(&s->command);
        if (likely(c == NULL)) {
            live &= ~bit(slot);
            continue;
        }
        s->looked_at = s->command.head + 1;
        *out = (struct client_hint){ .client = s->id.client,
                                     .account = (uint32_t)word_at(c, offsetof(struct command, account)),
                                     .instrument = (uint32_t)word_at(c, offsetof(struct command, instrument)),
                                     .verb = (uint8_t)word_at(c, offsetof(struct command, verb)),
                                     .side = (uint8_t)word_at(c, offsetof(struct command, side)),
                                     .px = (px_t)word_at(c, offsetof(struct command, px)),
                                     .qty = (qty_t)word_at(c, offsetof(struct command, qty)) };
        return true;
    }
    return false;
}

bool
client_port_take_fault(struct client_port *p, uint32_t *slot, enum client_fault *why)
{
    uint64_t m = p->faulty & ~p->told;
    if (likely(m == 0))
        return false;
    *slot = (uint32_t)__builtin_ctzll(m);
    *why = (enum client_fault)p->session[*slot].fault;
    p->told |= bit(*slot);
    return true;
}

/* ---- reports ---- */

/* Put one report, or say that there is no room. */
static bool
session_put(struct client_port *p, uint32_t slot, const struct report *r)
{
    struct session *s = &p->session[slot];
    struct report *to = ring_claim(&s->report);

    if (unlikely(to == NULL)) {
        if (s->report.broken)
            session_fault(p, slot, CLIENT_FAULT_REPORT_INDEX);
        return false;
    }
    *to = *r;
    to->version = MESSAGE_VERSION;
    ring_commit(&s->report);
    p->dirty |= bit(slot);
    p->counters.reports++;
    return true;
}

uint64_t
client_port_behind(const struct client_port *p, uint32_t slot)
{
    return p->session[slot].behind_count;
}

/* A session that is behind gets told first. True when it is not behind (any more). */
static bool
session_catch_up(struct client_port *p, uint32_t slot)
{
    struct session *s = &p->session[slot];

    if (likely(s->behind_skip == 0))
        return true;
    struct report r = {
        .kind = REPORT_BEHIND,
        .client = s->id.client,
        .seq = s->behind_seq,
        .instrument = INSTRUMENT_NONE,
        .qty = (qty_t)s->behind_skip,
        .trade_id = -1,
    };
    if (!session_put(p, slot, &r))
        return false;
    s->behind_skip = 0;
    s->behind_seq = 0;
    p->behind &= ~bit(slot);
    return true;
}

static COLD enum client_report_result
session_skip(struct client_port *p, uint32_t slot, const struct report *r)
{
    struct session *s = &p->session[slot];

    if ((p->faulty & bit(slot)) != 0)
        return CLIENT_REPORT_GONE;
    if (s->behind_skip++ == 0) {
        p->counters.behind++;
        s->behind_count++;
        p->behind |= bit(slot);
    }
    s->behind_seq = MAX(s->behind_seq, r->seq);
    p->counters.reports_skipped++;
    return CLIENT_REPORT_BEHIND;
}

enum client_report_result
client_port_report(struct client_port *p, uint32_t slot, const struct report *r)
{
    if (unlikely(session_of(p, slot) == NULL || (p->faulty & bit(slot)) != 0))
        return CLIENT_REPORT_GONE;
    if (unlikely(!session_catch_up(p, slot) || !session_put(p, slot, r)))
        return session_skip(p, slot, r);
    return CLIENT_REPORT_OK;
}

unsigned
client_port_publish(struct client_port *p, uint32_t client, const struct report *r)
{
    unsigned got = 0;

    for (uint64_t m = p->attached & ~p->faulty; m != 0; m &= m - 1) {
        uint32_t slot = (uint32_t)__builtin_ctzll(m);
        if (p->session[slot].id.client == client)
            got += client_port_report(p, slot, r) == CLIENT_REPORT_OK;
    }
    return got;
}

uint64_t
client_port_room(struct client_port *p, uint32_t slot)
{
    struct session *s = session_of(p, slot);

    if (s == NULL || (p->faulty & bit(slot)) != 0 || s->behind_skip != 0)
        return 0;
    /* Acquire: as in ring_claim. An impossible index is ring_claim's to find. */
    uint64_t used = s->report.tail - atomic_load_explicit(&s->report.mem->head, memory_order_acquire);
    return used > s->report.capacity ? 0 : s->report.capacity - used;
}

uint64_t
client_port_doorbells(struct client_port *p)
{
    for (uint64_t m = p->behind; unlikely(m != 0); m &= m - 1)
        (void)session_catch_up(p, (uint32_t)__builtin_ctzll(m));
    uint64_t m = p->dirty;
    uint64_t ring = 0;
    if (m == 0)
        return 0;
    p->dirty = 0;
    /* Our commits must be visible before we read a flag: pairs with the fence in ring_reader_sleep. */
    atomic_thread_fence(memory_order_seq_cst);
    for (; m != 0; m &= m - 1) {
        struct ring_mem *mem = p->session[__builtin_ctzll(m)].report.mem;
        if (atomic_load_explicit(&mem->sleeping, memory_order_relaxed) != 0) {
            /* Taken: one byte per sleep, however long the client takes to wake. */
            atomic_store_explicit(&mem->sleeping, 0, memory_order_relaxed);
            ring |= m & (~m + 1);
        }
    }
    return ring;
}

/* ---- sleeping ---- */

bool
client_port_sleep(struct client_port *p)
{
    uint64_t live = p->attached & ~p->faulty;

    for (uint64_t m = live; m != 0; m &= m - 1) {
        uint32_t slot = (uint32_t)__builtin_ctzll(m);
        struct ring_reader *r = &p->session[slot].command;
        bool empty = ring_reader_sleep(r);
        if (r->broken)
            session_fault(p, slot, CLIENT_FAULT_COMMAND_INDEX);
        if (!empty || r->broken) {
            client_port_awake(p);
            return false;
        }
    }
    return (p->faulty & ~p->told) == 0;
}

void
client_port_awake(struct client_port *p)
{
    for (uint64_t m = p->attached; m != 0; m &= m - 1)
        ring_reader_awake(&p->session[__builtin_ctzll(m)].command);
}

const struct client_port_counters *
client_port_counters(const struct client_port *p)
{
    return &p->counters;
}
