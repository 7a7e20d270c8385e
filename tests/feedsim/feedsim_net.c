/* The connections of the simulated venue: what is sent arrives in order, unless the seed has other ideas. See
 * feedsim.h.
 *
 * A message becomes a WebSocket message of one or more frames (RFC 6455 section 5.2; a server does not mask), and its
 * bytes come in pieces of any size. A connection may end within a frame. */
#include "tests/feedsim/feedsim.h"

#include <stdlib.h>

static const struct item nothing = { .kind = ITEM_OTHER };

static void
queue(struct world *w, uint32_t link, struct item item, bool intact, const char *text, size_t len, int64_t at_ns)
{
    struct conn *c = &w->conn[link];

    ASSERT(c->frames < FRAMES_MAX);
    struct frame *f = &c->frame[c->frames++];
    *f = (struct frame){ .at_ns = at_ns, .order = w->frame_order++, .item = item, .intact = intact };
    f->len = (uint32_t)len;
    f->text = malloc(len + 1);
    ASSERT(f->text != NULL);
    memcpy(f->text, text, len);
    f->text[len] = '\0';
}

/* A digit becomes another: on a wire without TLS, or in a broken relay. On Binance nothing but the ids and the form
 * could show it, so there the message is cut instead. */
static size_t
damage(struct world *w, char *text, size_t len)
{
    if (!w->kraken || draw(w, 3) == 0)
        return draw(w, len);
    char *from = strstr(text, "\"bids\"");
    size_t at = (from != NULL ? (size_t)(from - text) : 0) + draw(w, from != NULL ? len - (size_t)(from - text) : len);
    for (size_t n = 0; n < len; n++) {
        size_t i = (at + n) % len;
        if (text[i] >= '0' && text[i] <= '9') {
            text[i] = (char)('0' + (text[i] - '0' + 1 + (int)draw(w, 9)) % 10);
            break;
        }
    }
    return len;
}

void
net_send(struct world *w, uint32_t link, struct item item, const char *text, size_t len)
{
    const struct faults *f = &w->faults;
    struct conn *c = &w->conn[link];

    if (!c->up)
        return;
    int64_t at_ns = w->now_ns + (int64_t)(5 + draw(w, 10)) * NS_PER_MS;
    for (uint32_t i = 0; i < c->frames; i++) /* in order, but for those that are late */
        if (c->frame[i].intact && c->frame[i].at_ns > at_ns && c->frame[i].at_ns < w->now_ns + 20 * NS_PER_MS)
            at_ns = c->frame[i].at_ns;
    bool is_answer = item.kind == ITEM_OTHER && strstr(text, "\"method\"") != NULL;
    if (w->healing) {
        queue(w, link, item, true, text, len, at_ns);
        return;
    }
    if (happens(w, is_answer ? f->drop / 2 : f->drop)) {
        trace(w, "lost: %.60s", text);
        return;
    }
    if (happens(w, f->damage)) {
        char *copy = malloc(len + 1);
        ASSERT(copy != NULL);
        memcpy(copy, text, len + 1);
        size_t n = damage(w, copy, len);
        trace(w, "damaged, %zu of %zu bytes: %.60s", n, len, copy);
        queue(w, link, item, false, copy, n, at_ns);
        free(copy);
        return;
    }
    if (happens(w, f->late))
        at_ns += (int64_t)(1 + draw(w, 3000)) * NS_PER_MS;
    queue(w, link, item, true, text, len, at_ns);
    if (happens(w, f->repeat))
        queue(w, link, item, true, text, len, at_ns + (int64_t)draw(w, draw(w, 2) == 0 ? 5 : 3000) * NS_PER_MS);
}

/* ---- frames ---- */

static size_t
header(uint8_t *to, bool fin, uint8_t opcode, size_t len)
{
    to[0] = (uint8_t)((fin ? 0x80 : 0) | opcode);
    if (len < 126) {
        to[1] = (uint8_t)len;
        return 2;
    }
    to[1] = 126;
    to[2] = (uint8_t)(len >> 8);
    to[3] = (uint8_t)len;
    return 4;
}

/* The message as frames; now and then in several, with a ping between. */
static size_t
frames_of(struct world *w, const char *text, size_t len, uint8_t *to)
{
    size_t n = 0;
    size_t at = 0;
    unsigned count = 0;

    do {
        size_t part = draw(w, 8) == 0 && count < 4 ? draw(w, len - at + 1) : len - at;
        n += header(to + n, at + part == len, count == 0 ? WS_OP_TEXT : WS_OP_CONTINUATION, part);
        memcpy(to + n, text + at, part);
        n += part;
        at += part;
        count++;
        if (at < len && draw(w, 4) == 0)
            n += header(to + n, true, WS_OP_PING, 0);
    } while (at < len);
    return n;
}

/* Received bytes, in pieces, to the feed. False: no WebSocket any more. */
static bool
receive(struct world *w, uint32_t link, const uint8_t *bytes, size_t len)
{
    struct conn *c = &w->conn[link];
    static uint8_t piece[2 * TEXT_MAX + 1024];

    while (len > 0) {
        size_t n = draw(w, 6) == 0 ? 1 + draw(w, MIN(len, 40u)) : len;
        memcpy(piece, bytes, n);
        for (size_t at = 0; at < n;) {
            struct ws_message m;
            size_t used;
            enum ws_result r = ws_read(&c->reader, piece + at, n - at, &used, &m);
            at += used;
            if (r == WS_FAIL || r == WS_CLOSE) {
                broken(w, "WebSocket: %s", m.reason);
                return false;
            }
            if (r != WS_MESSAGE)
                continue;
            check_arrives(w, &c->arriving);
            (void)feed_link_message(w->feed, link, m.data, m.len, feedsim_now(w), &w->out);
            w->tally.messages++;
            check_books(w);
            c->arriving = nothing;
        }
        bytes += n;
        len -= n;
    }
    return true;
}

static void
deliver(struct world *w, uint32_t link, struct frame *f)
{
    struct conn *c = &w->conn[link];
    static uint8_t bytes[2 * TEXT_MAX + 1024];
    bool cut = !w->healing && happens(w, w->faults.close);
    size_t n = frames_of(w, f->text, f->len, bytes);

    /* A message that was cut says nothing on Binance: the next one shows the gap. On Kraken a live book must notice;
     * before its snapshot, what could not be read was in it, and what could (its time alone was damaged) counts. */
    bool live = f->item.kind != ITEM_OTHER && feed_state(w->feed, w->ins[f->item.book].id) == BOOK_LIVE;
    c->arriving = f->intact || (w->kraken && live) ? f->item : nothing;
    if (!f->intact && w->kraken && f->item.kind != ITEM_OTHER)
        w->watch[f->item.book].damaged = f->item.id;
    trace(w, "%u: comes %s%s %u of %llu: %.100s", link, f->intact ? "" : "damaged ",
          f->item.kind == ITEM_DEPTH      ? "depth"
          : f->item.kind == ITEM_SNAPSHOT ? "snapshot"
          : f->item.kind == ITEM_TICKER   ? "ticker"
                                          : "other",
          f->item.book, (unsigned long long)f->item.id, f->text);
    if (cut) { /* within a frame */
        c->arriving = nothing;
        size_t part = draw(w, n);
        (void)receive(w, link, bytes, part);
        if (w->failure[0] == '\0')
            net_close(w, link);
        return;
    }
    (void)receive(w, link, bytes, n);
}

/* The frame of any connection that is due first; false: none is. */
static bool
first_due(const struct world *w, uint32_t *link, uint32_t *at)
{
    const struct frame *best = NULL;

    for (uint32_t k = 0; k < w->links; k++) {
        const struct conn *c = &w->conn[k];
        for (uint32_t i = 0; c->up && i < c->frames; i++) {
            const struct frame *f = &c->frame[i];
            if (f->at_ns > w->now_ns ||
                (best != NULL && (f->at_ns > best->at_ns || (f->at_ns == best->at_ns && f->order > best->order))))
                continue;
            best = f;
            *link = k;
            *at = i;
        }
    }
    return best != NULL;
}

void
net_deliver(struct world *w)
{
    uint32_t link = 0;
    uint32_t at = 0;

    while (w->failure[0] == '\0' && first_due(w, &link, &at)) {
        struct conn *c = &w->conn[link];
        struct frame f = c->frame[at];
        c->frame[at] = c->frame[--c->frames];
        deliver(w, link, &f);
        free(f.text);
    }
}

bool
net_any_up(const struct world *w)
{
    bool up = false;

    for (uint32_t k = 0; k < w->links; k++)
        up |= w->conn[k].up;
    return up;
}

void
net_close(struct world *w, uint32_t link)
{
    struct conn *c = &w->conn[link];

    trace(w, "connection %u ends", link);
    w->tally.closes += c->up;
    c->up = false;
    for (uint32_t i = 0; i < c->frames; i++)
        free(c->frame[i].text);
    c->frames = 0;
    venue_connection_lost(w, link);
    feed_link_down(w->feed, link, feedsim_now(w), &w->out);
    check_connection(w);
    check_books(w);
    c->up_at_ns = w->now_ns + (int64_t)(200 + draw(w, 3000)) * NS_PER_MS;
}

void
net_open(struct world *w, uint32_t link)
{
    struct conn *c = &w->conn[link];
    bool first = !net_any_up(w);

    trace(w, "connection %u is up", link);
    c->up = true;
    ws_reader_init(&c->reader, WS_CLIENT, c->reader_buffer, 2 * TEXT_MAX + 256);
    feed_link_up(w->feed, link, feedsim_now(w), &w->out);
    if (first)
        check_connection(w);
    check_books(w);
}
