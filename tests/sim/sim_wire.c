/* Connections: bytes in pieces, in order, late, lost; the venue's side of the WebSocket framing. */
#include "tests/sim/sim.h"

#define PING_EVERY_NS (3 * NS_PER_S)

uint32_t
wire_of(const struct sim *s, uint32_t conn)
{
    return s->core.alive ? s->core.wire[conn] : SIM_NONE;
}

static int64_t
latency(struct sim *s)
{
    return s->latency_ns / 2 + (int64_t)sim_any(s, (uint64_t)s->latency_ns);
}

/* ---- up and down ------------------------------------------------------------------------------------------------- */

void
wire_open(struct sim *s, uint32_t conn)
{
    if (s->wires == SIM_WIRES)
        sim_fail(s, "connects without end: %u connections", SIM_WIRES);
    uint32_t i = s->wires++;
    s->wire[i] = (struct wire){ .conn = conn, .pieces = sim_fate(s, FATE_small_pieces) };
    s->wire[i].rx = (uint8_t *)sim_take(s, WIRE_RX);
    s->core.wire[conn] = i;
    bool fails = sim_fate(s, FATE_connect_fails);
    sim_at(s, s->t + 2 * latency(s), fails ? EV_CORE_DOWN : EV_CORE_UP, i, 0, NULL, 0);
}

void
wire_close_by_core(struct sim *s, uint32_t conn)
{
    uint32_t i = s->core.wire[conn];

    if (i == SIM_NONE)
        return;
    int64_t gone = s->t + latency(s);
    s->wire[i].closing = true;
    sim_at(s, s->t + NS_PER_MS, EV_CORE_DOWN, i, 0, NULL, 0);
    sim_at(s, MAX(gone, s->wire[i].venue_free), EV_VENUE_DOWN, i, 0, NULL, 0);
}

/* The connection ends: what is on its way may or may not arrive. */
void
wire_cut(struct sim *s, uint32_t i)
{
    struct wire *w = &s->wire[i];

    if (!w->venue_up && !w->core_up)
        return;
    sim_trace(s, "wire %u (connection %u) is cut", i, w->conn);
    sim_at(s, s->t + (int64_t)sim_any(s, (uint64_t)s->latency_ns * 2), EV_VENUE_DOWN, i, 0, NULL, 0);
    sim_at(s, s->t + (int64_t)sim_any(s, (uint64_t)s->latency_ns * 2), EV_CORE_DOWN, i, 0, NULL, 0);
}

/* The core's process is gone: the kernel still sends what it was given, or resets. */
void
wire_core_died(struct sim *s)
{
    for (uint32_t c = 0; c < GATEWAY_CONNS; c++) {
        uint32_t i = s->core.wire[c];
        if (i == SIM_NONE)
            continue;
        s->wire[i].core_up = false;
        bool reset = sim_any(s, 2) == 0;
        sim_at(s, reset ? s->t + (int64_t)sim_any(s, (uint64_t)s->latency_ns) : s->wire[i].venue_free + NS_PER_MS,
               EV_VENUE_DOWN, i, 0, NULL, 0);
        s->core.wire[c] = SIM_NONE;
    }
}

/* ---- bytes ------------------------------------------------------------------------------------------------------- */

static void
pieces(struct sim *s, uint32_t i, enum event_kind kind, const uint8_t *data, uint32_t len, int64_t *free_at)
{
    struct wire *w = &s->wire[i];
    int64_t soonest = s->t + latency(s);
    int64_t at = MAX(soonest, *free_at);
    uint32_t done = 0;

    while (done < len) {
        uint32_t n = len - done;
        if (w->pieces && n > 1 && sim_any(s, 3) != 0)
            n = 1 + (uint32_t)sim_any(s, sim_any(s, 4) == 0 ? MIN(n, 8) : n);
        int64_t ban = s->say_ban;
        bool hole = s->say_hole;
        bool twin = s->say_twin;
        s->say_ban = done + n == len ? ban : 0;
        s->say_hole = done + n == len && hole;
        s->say_twin = done + n == len && twin;
        sim_at(s, at, kind, i, 0, data + done, n);
        s->say_ban = ban;
        s->say_hole = hole;
        s->say_twin = twin;
        done += n;
        at += w->pieces ? (int64_t)sim_any(s, 200 * NS_PER_US) : 0;
    }
    *free_at = at;
}

void
wire_up(struct sim *s, uint32_t i, const uint8_t *data, uint32_t len)
{
    struct wire *w = &s->wire[i];

    if (!w->black)
        pieces(s, i, EV_TO_VENUE, data, len, &w->venue_free);
}

static size_t
frame(uint8_t *to, uint8_t first, const void *payload, size_t len)
{
    size_t n = 0;

    to[n++] = first;
    if (len < 126) {
        to[n++] = (uint8_t)len;
    } else if (len < 65536) {
        to[n++] = 126;
        to[n++] = (uint8_t)(len >> 8);
        to[n++] = (uint8_t)len;
    } else {
        to[n++] = 127;
        for (int shift = 56; shift >= 0; shift -= 8)
            to[n++] = (uint8_t)((uint64_t)len >> shift);
    }
    if (len > 0)
        memcpy(to + n, payload, len);
    return n + len;
}

/* One message as frames; a ping may stand between two of them. */
static uint32_t
message_frames(struct sim *s, const char *text, size_t len, uint8_t **out)
{
    uint8_t *to = (uint8_t *)sim_take(s, len + 64);
    size_t n = 0;

    *out = to;
    if (len < 4 || !sim_fate(s, FATE_fragments))
        return (uint32_t)frame(to, 0x81, text, len);
    size_t first = 1 + (size_t)sim_any(s, len - 2);
    n += frame(to, 0x01, text, first);
    if (sim_any(s, 2) == 0)
        n += frame(to + n, 0x89, "sim", 3);
    n += frame(to + n, 0x80, text + first, len - first);
    return (uint32_t)n;
}

void
wire_say(struct sim *s, uint32_t i, const char *text, size_t len, int64_t delay, bool late)
{
    struct wire *w = &s->wire[i];
    uint8_t *data;
    int64_t at = s->t + delay;

    uint32_t n = message_frames(s, text, len, &data);
    if (!late) {
        at = MAX(at, w->emit_free);
        w->emit_free = at;
    }
    sim_at(s, at, EV_EMIT, i, 0, data, n);
}

/* ---- the venue's side of the framing ----------------------------------------------------------------------------- */

static void
venue_frame(struct sim *s, uint32_t i, uint8_t first, uint8_t *payload, size_t len)
{
    struct wire *w = &s->wire[i];
    uint8_t reply[160];

    if ((first & 0x80) == 0)
        sim_fail(s, "the core sends a message in several frames");
    switch (first & 0x0f) {
    case 1: {
        char *text = (char *)sim_take(s, len + 1);
        memcpy(text, payload, len);
        text[len] = '\0';
        if (s->kraken)
            kraken_message(s, i, text, len);
        else
            binance_message(s, i, text, len);
        break;
    }
    case 8: sim_at(s, s->t + NS_PER_MS, EV_VENUE_DOWN, i, 0, NULL, 0); break;
    case 9: {
        size_t n = frame(reply, 0x8a, payload, MIN(len, 125));
        uint8_t *data = (uint8_t *)sim_take(s, n);
        memcpy(data, reply, n);
        sim_at(s, MAX(s->t, w->emit_free), EV_EMIT, i, 0, data, (uint32_t)n);
        break;
    }
    case 10: break;
    default: sim_fail(s, "the core sends a frame of type %u", first & 0x0f);
    }
}

static void
venue_bytes(struct sim *s, uint32_t i, const uint8_t *data, uint32_t len)
{
    struct wire *w = &s->wire[i];

    if (len > WIRE_RX - w->rx_len)
        sim_fail(s, "the core sends a frame of more than %u bytes", WIRE_RX);
    memcpy(w->rx + w->rx_len, data, len);
    w->rx_len += len;
    for (;;) {
        if (w->rx_len < 6)
            return;
        size_t head = 2;
        size_t n = w->rx[1] & 0x7fu;
        if ((w->rx[1] & 0x80) == 0)
            sim_fail(s, "the core sends a frame without a mask");
        if (n == 126) {
            n = (size_t)w->rx[2] << 8 | w->rx[3];
            head = 4;
        } else if (n == 127) {
            sim_fail(s, "the core sends a frame of 64 KiB or more");
        }
        if (w->rx_len < head + 4 + n)
            return;
        uint8_t *payload = w->rx + head + 4;
        for (size_t k = 0; k < n; k++)
            payload[k] ^= w->rx[head + k % 4];
        uint8_t first = w->rx[0];
        venue_frame(s, i, first, payload, n);
        uint32_t used = (uint32_t)(head + 4 + n);
        memmove(w->rx, w->rx + used, w->rx_len - used);
        w->rx_len -= used;
    }
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static void
on_core_up(struct sim *s, uint32_t i)
{
    struct wire *w = &s->wire[i];

    if (wire_of(s, w->conn) != i)
        return;
    w->core_up = w->venue_up = true;
    sim_trace(s, "wire %u (connection %u) is up", i, w->conn);
    sim_at(s, s->t + PING_EVERY_NS, EV_PING, i, 0, NULL, 0);
    core_begin(s);
    gateway_on_up(s->core.g, w->conn, host_clock(s));
    core_end(s);
}

static void
on_core_down(struct sim *s, uint32_t i)
{
    struct wire *w = &s->wire[i];

    if (wire_of(s, w->conn) != i)
        return;
    sim_trace(s, "wire %u (connection %u) is down", i, w->conn);
    w->core_up = false;
    s->core.wire[w->conn] = SIM_NONE;
    core_begin(s);
    gateway_on_down(s->core.g, w->conn, "simulated", host_clock(s));
    core_end(s);
}

void
wire_event(struct sim *s, const struct event *e)
{
    struct wire *w = &s->wire[e->a];

    switch ((enum event_kind)e->kind) {
    case EV_CORE_UP: on_core_up(s, e->a); break;
    case EV_CORE_DOWN: on_core_down(s, e->a); break;
    case EV_TO_CORE:
        if (!w->core_up || wire_of(s, w->conn) != e->a)
            break;
        core_begin(s);
        gateway_on_bytes(s->core.g, w->conn, (const uint8_t *)e->data, e->len, host_clock(s));
        core_end(s);
        if (e->ban != 0 && s->core.alive && !w->closing) {
            s->oracle.ban_known_until_ns = MAX(s->oracle.ban_known_until_ns, e->ban);
            s->oracle.ban_wall_ns = s->wall_ns;
        }
        if (e->twin && s->core.alive && !w->closing)
            s->oracle.twin_start = s->core.starts;
        if (e->hole && s->core.alive && w->core_up && !w->closing)
            sim_fail(s, "a hole in the numbers of the reports is passed over: connection %u goes on", w->conn);
        break;
    case EV_TO_VENUE:
        if (w->venue_up && !w->black)
            venue_bytes(s, e->a, (const uint8_t *)e->data, e->len);
        break;
    case EV_VENUE_DOWN:
        w->venue_up = false;
        if (w->core_up)
            sim_at(s, s->t + latency(s), EV_CORE_DOWN, e->a, 0, NULL, 0);
        break;
    case EV_EMIT:
        if (w->venue_up && !w->black)
            pieces(s, e->a, EV_TO_CORE, (const uint8_t *)e->data, e->len, &w->core_free);
        break;
    case EV_PING:
        if (!w->venue_up)
            break;
        {
            uint8_t *data = (uint8_t *)sim_take(s, 8);
            size_t n = frame(data, 0x89, "p", 1);
            if (!w->black)
                pieces(s, e->a, EV_TO_CORE, data, (uint32_t)n, &w->core_free);
        }
        sim_at(s, s->t + PING_EVERY_NS, EV_PING, e->a, 0, NULL, 0);
        break;
    default: break;
    }
}

void
wire_second(struct sim *s)
{
    bool all = sim_fate(s, FATE_cut_all);

    if (s->quiet) /* a wire that carries nothing is a fault too: it ends */
        for (uint32_t c = 0; c < GATEWAY_CONNS; c++)
            if (wire_of(s, c) != SIM_NONE && s->wire[wire_of(s, c)].black)
                wire_cut(s, wire_of(s, c));
    for (uint32_t c = 0; c < GATEWAY_CONNS; c++) {
        uint32_t i = wire_of(s, c);
        if (i == SIM_NONE)
            continue;
        if (all || sim_fate(s, FATE_cut))
            wire_cut(s, i);
        else if (sim_fate(s, FATE_blackhole)) {
            sim_trace(s, "wire %u (connection %u) carries nothing from here", i, c);
            s->wire[i].black = true;
        }
    }
}
