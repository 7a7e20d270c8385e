/* What an order table holds, as fixed structs: into a journal's snapshot and out of it.
 *
 * A table filled from the images of another answers every question as that one does and changes in the same way from
 * there: orders in the order in which they will be forgotten (terminal ones, oldest first) and were sent (live ones),
 * the keys and trade ids that are remembered, cursors, counts.
 *
 * Always true: restore takes nothing that could break the table: bytes of a file are checked field by field. */
#ifndef EXECGW_ENGINE_OMS_ORDER_IMAGE_H
#define EXECGW_ENGINE_OMS_ORDER_IMAGE_H

#include "engine/oms/order_table.h"

/* One order. The fields are those of struct order and struct order_amend; replaces and replaced_by count images. */
struct order_image {
    char clordid[CLORDID_BYTES];
    uint32_t client;
    uint64_t key;
    uint64_t seq;
    uint32_t term;
    uint32_t account;
    uint32_t instrument;
    uint32_t instrument_version;
    uint16_t venue;
    uint8_t side;
    uint8_t type;
    uint8_t tif;
    uint8_t flags;
    uint8_t state;
    uint8_t request;
    uint8_t end_state;
    uint8_t marks;
    uint16_t last_fee_ccy;
    int32_t venue_code;
    uint32_t replaces; /* number of that order's image, from 0; ORDER_NONE */
    uint32_t replaced_by;
    uint32_t trade_count;
    uint32_t pad;
    uint64_t request_key;
    uint64_t venue_order_id;
    px_t px;
    qty_t qty;
    qty_t cum_qty;
    qty_t venue_cum_qty;
    qty_t reserved;         /* when it was written; the order's own arithmetic says it anew */
    uint64_t cum_px_qty[2]; /* low, high */
    px_t trigger_px;
    px_t last_px;
    qty_t last_qty;
    int64_t last_trade_id;
    value_t last_fee;
    uint64_t parent_key;
    int64_t venue_deadline_ns;
    int64_t cancel_deadline_ns;
    int64_t venue_time_ns;
    int64_t request_mono_ns;
    int64_t submit_mono_ns;
    int64_t recv_mono_ns;
    int64_t risk_mono_ns;
    int64_t wire_mono_ns;
    int64_t ack_mono_ns;
    uint64_t amend_key;
    uint64_t amend_first_key;
    px_t amend_px;
    qty_t amend_qty;
    int64_t amend_venue_ns;
    char text[48];
    qty_t parent_qty; /* 0 in the first form */
};
#define ORDER_IMAGE_FIRST_BYTES 368u
_Static_assert(sizeof(struct order_image) == 376, "snapshot payload");
_Static_assert(offsetof(struct order_image, parent_qty) == ORDER_IMAGE_FIRST_BYTES, "the first form is its beginning");

struct trade_image {
    uint64_t seq; /* of the order's ClOrdID */
    int64_t trade_id;
    uint32_t term;   /* 0: no order's */
    uint32_t market; /* instrument * 2 + side */
};
_Static_assert(sizeof(struct trade_image) == 24, "snapshot payload");

/* Orders have the numbers [0, order_image_count), in which they are walked. */
uint32_t order_image_count(const struct order_table *t);
struct order_image_walk {
    uint32_t number; /* of the next */
    uint32_t slot;
    uint32_t *number_of; /* by slot: pool entries of the caller's, filled by order_image_begin */
};
/* Slots of the table: entries that number_of needs. */
uint32_t order_image_slots(const struct order_table *t);
void order_image_begin(const struct order_table *t, struct order_image_walk *w, uint32_t *number_of);
bool order_image_next(const struct order_table *t, struct order_image_walk *w, struct order_image *out);

/* Into an empty table, in the same order, after order_image_expect: of more orders than the table has slots the oldest
 * terminal ones are passed over. d is what it means for risk. NULL, or what is wrong with it. */
void order_image_expect(struct order_table *t, uint32_t live, uint32_t done);
const char *order_image_restore(struct order_table *t, const struct order_image *img, struct order_delta *d);

/* After the last one: what they say of each other holds. NULL, or what is wrong. */
const char *order_image_finish(struct order_table *t);

const struct key_ledger *order_keys(const struct order_table *t);
/* Entries of a client, oldest first, in as many calls as it takes; then once count 0, for the last key: before any of
 * the orders. */
const char *order_keys_restore(struct order_table *t, uint32_t client, uint64_t last_key, const struct key_entry *e,
                               uint32_t count);

/* Trade ids remembered, oldest first: [0, count). */
uint32_t order_trade_count(const struct order_table *t);
struct trade_image order_trade_image(const struct order_table *t, uint32_t i);
void order_trade_restore(struct order_table *t, const struct trade_image *tr);

/* intents, denied, trades, overfills and outcomes; the rest follows from the orders. */
void order_totals_restore(struct order_table *t, const struct order_totals *totals);

#endif
