/* Parent orders: what a strategy has split into children. Known by its children alone: each names its parent and the
 * parent's total.
 *
 * Always true: open and filled quantity of a parent's children, never netted, is at most its total; a parent with live
 * children is never forgotten; one that was forgotten cannot come back: keys up to the highest forgotten one of its
 * strategy are refused. */
#ifndef EXECGW_RISK_PARENT_H
#define EXECGW_RISK_PARENT_H

#include "execgw/order.h"

#define PARENT_ROWS 1024u
#define PARENT_WAYS 4u

struct parent {
    uint64_t key; /* 0 = empty */
    uint32_t client;
    uint32_t account;
    uint32_t instrument;
    uint8_t side;
    uint8_t pad[3];
    uint32_t live; /* children */
    uint32_t pad2;
    qty_t qty;
    qty_t used;   /* open and filled */
    uint64_t seq; /* order of appearance */
};

struct parents {
    struct parent row[PARENT_ROWS][PARENT_WAYS];
    uint64_t forgotten[CLIENT_MAX]; /* highest key */
    uint64_t seq;
};

struct parent_child {
    uint64_t key;
    uint32_t client;
    uint32_t account;
    uint32_t instrument;
    uint8_t side;
    qty_t total; /* of the parent, as this child says */
};

/* Hot for orders that have a parent. How much more its children may ask for; -1 when this child does not belong to it
 * (another instrument, side or total), it was forgotten, or there is no room for a new one. */
qty_t parent_room(const struct parents *p, const struct parent_child *c);

/* What a child's change did: quantity used (open and filled) and live children. */
void parent_apply(struct parents *p, const struct parent_child *c, qty_t used_change, int live_change);

#endif
