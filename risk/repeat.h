/* How often orders of one content were accepted within a window: a table of bounded size, each row a cache line.
 *
 * Always true: a content is counted from its first acceptance until the window is over, then anew; what is forgotten
 * early (a full row takes the place of its oldest entry) can only let an order through that other rates bound. */
#ifndef EXECGW_RISK_REPEAT_H
#define EXECGW_RISK_REPEAT_H

#include "execgw/clock.h"

#define REPEAT_ROWS 1024u
#define REPEAT_WAYS 4u

struct repeat_entry {
    uint32_t tag; /* part of the content's hash; 0 = empty */
    uint32_t count;
    int64_t since_ns; /* first acceptance */
};

struct repeat_row {
    _Alignas(CACHE_LINE) struct repeat_entry way[REPEAT_WAYS];
};

struct repeat {
    struct repeat_row row[REPEAT_ROWS];
};

/* What makes two orders the same. */
struct repeat_content {
    uint32_t client;
    uint32_t account;
    uint32_t instrument;
    uint32_t side;
    int64_t px;
    int64_t qty;
};

uint64_t repeat_hash(const struct repeat_content *c);

/* Where a content would stand: to be asked for before it is read. */
static inline const struct repeat_row *
repeat_row(const struct repeat *t, uint64_t hash)
{
    return &t->row[hash % REPEAT_ROWS];
}

/* Hot. How many of it were accepted within the window that is open; changes nothing. */
uint32_t repeat_count(const struct repeat *t, uint64_t hash, int64_t window_ns, mono_ns_t now);

/* Hot. One more was accepted. */
void repeat_add(struct repeat *t, uint64_t hash, int64_t window_ns, mono_ns_t now);

#endif
