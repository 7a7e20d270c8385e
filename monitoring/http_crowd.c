/* See http_crowd.h. Members stand in the order in which they took their present state, so the first that fits is the
 * oldest. */
#include "monitoring/http_crowd.h"

#include <poll.h>

/* Index of a member, or count. */
static uint32_t
find(const struct http_crowd *c, const void *who)
{
    uint32_t i = 0;
    while (i < c->count && c->member[i].who != who)
        i++;
    return i;
}

static struct http_member
take_out(struct http_crowd *c, uint32_t i)
{
    struct http_member m = c->member[i];

    c->count--;
    memmove(&c->member[i], &c->member[i + 1], (c->count - i) * sizeof(m));
    return m;
}

static void
put_last(struct http_crowd *c, struct http_member m, int64_t now_ns)
{
    ASSERT(c->count < HTTP_CROWD_MAX);
    m.since_ns = now_ns;
    c->member[c->count++] = m;
}

/* Index of the silent member to be closed: the oldest with nothing to read, else the oldest, else (all have asked) the
 * first. */
static uint32_t
most_silent(const struct http_crowd *c)
{
    struct pollfd p[HTTP_CROWD_MAX];
    uint32_t oldest = c->count;

    for (uint32_t i = 0; i < c->count; i++)
        p[i] = (struct pollfd){ .fd = c->member[i].asked ? -1 : c->member[i].fd, .events = POLLIN };
    (void)poll(p, c->count, 0); /* what it cannot tell is read as "nothing" */
    for (uint32_t i = 0; i < c->count; i++) {
        if (c->member[i].asked)
            continue;
        if (p[i].revents == 0)
            return i;
        oldest = MIN(oldest, i);
    }
    return oldest < c->count ? oldest : 0;
}

int
http_crowd_join(struct http_crowd *c, const void *who, int fd, int64_t now_ns)
{
    int gone = c->count == HTTP_CROWD_MAX ? take_out(c, most_silent(c)).fd : -1;

    put_last(c, (struct http_member){ .who = who, .fd = fd, .fresh = true }, now_ns);
    return gone;
}

/* Into another state, which it then has the shortest. */
static void
turn(struct http_crowd *c, uint32_t i, bool asked, bool sending, int64_t now_ns)
{
    struct http_member m = take_out(c, i);

    m.asked = asked;
    m.sending = sending;
    m.fresh = false;
    put_last(c, m, now_ns);
}

void
http_crowd_asked(struct http_crowd *c, const void *who, int64_t now_ns)
{
    uint32_t i = find(c, who);
    if (i < c->count)
        turn(c, i, true, false, now_ns);
}

int
http_crowd_sending(struct http_crowd *c, const void *who, int64_t now_ns)
{
    uint32_t i = find(c, who);
    uint32_t sending = 0;
    uint32_t first = 0;

    if (i == c->count || c->member[i].sending)
        return -1;
    turn(c, i, true, true, now_ns);
    for (i = c->count; i-- > 0;) {
        if (c->member[i].sending) {
            sending++;
            first = i;
        }
    }
    return sending > HTTP_CROWD_SENDING ? take_out(c, first).fd : -1;
}

void
http_crowd_answered(struct http_crowd *c, const void *who, int64_t now_ns)
{
    uint32_t i = find(c, who);
    if (i < c->count)
        turn(c, i, false, false, now_ns);
}

void
http_crowd_leave(struct http_crowd *c, const void *who)
{
    uint32_t i = find(c, who);
    if (i < c->count)
        (void)take_out(c, i);
}

int
http_crowd_late(struct http_crowd *c, int64_t now_ns)
{
    for (uint32_t i = 0; i < c->count; i++)
        if (c->member[i].fresh && now_ns - c->member[i].since_ns > HTTP_CROWD_ASK_NS)
            return take_out(c, i).fd;
    return -1;
}
