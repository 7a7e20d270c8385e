/* Instruments: what can be traded, in which integers, by which rules of its venue.
 *
 * Filled from the venue's own lists (cold), written to the journal as definition records, published to clients in the
 * market-data memory. Ids are handed out by the journal and never reused; changed decimals, tick or step make a new
 * version.
 *
 * Always true of a validated instrument: tick, step >= 1; qty_min <= qty_max; px_min <= px_max; decimals <=
 * DECIMALS_MAX. */
#ifndef EXECGW_INSTRUMENT_H
#define EXECGW_INSTRUMENT_H

#include "execgw/fixed.h"

#define INSTRUMENT_MAX  1024 /* ids are in [0, INSTRUMENT_MAX) */
#define INSTRUMENT_NONE UINT32_MAX
#define VENUE_MAX       4
#define CURRENCY_MAX    256
#define SYMBOL_BYTES    24 /* NUL included */
#define CURRENCY_BYTES  12

enum instrument_kind { INSTRUMENT_SPOT, INSTRUMENT_LINEAR, INSTRUMENT_INVERSE };

enum instrument_status {
    INSTRUMENT_CLOSED, /* unknown, halted, delisted, break: no new order */
    INSTRUMENT_TRADING,
    INSTRUMENT_CANCEL_ONLY
};

struct instrument {
    uint32_t id;
    uint32_t version; /* from 1; 0 = empty slot */
    uint16_t venue;
    uint8_t kind;   /* enum instrument_kind */
    uint8_t status; /* enum instrument_status */
    uint8_t px_decimals;
    uint8_t qty_decimals;
    uint16_t base_ccy;
    uint16_t quote_ccy;
    uint16_t settle_ccy;
    uint16_t order_types; /* bit per enum order_type that the venue takes */
    uint16_t tifs;        /* bit per enum time_in_force */
    uint32_t orders_max;  /* venue's open orders per instrument; 0 = not stated */
    uint32_t reserved;
    int64_t multiplier; /* 10^-VALUE_DECIMALS of settle currency per unit of quantity; VALUE_ONE for spot */
    px_t tick;
    px_t px_min;
    px_t px_max;
    qty_t step;
    qty_t qty_min;
    qty_t qty_max;
    qty_t market_qty_max; /* of one market order; 0 = not stated */
    value_t notional_min; /* quote currency */
    value_t notional_max;
    char symbol[SYMBOL_BYTES];    /* the venue's: BTCUSDT */
    char canonical[SYMBOL_BYTES]; /* ours: BTC/USDT */
    char base[CURRENCY_BYTES];
    char quote[CURRENCY_BYTES];
    char settle[CURRENCY_BYTES];
    uint8_t pad[28];
};
_Static_assert(sizeof(struct instrument) == 224, "journal and shared memory hold these bytes");

#endif
