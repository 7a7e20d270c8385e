/* What an account should hold of each currency at each venue: the venue's word once, and every trade since.
 *
 * Fed by the same order deltas as the positions (replayed ones too); compared with what the venue says when it is
 * asked. A difference that two answers agree on, while nothing was traded between them, is one that no trade explains:
 * a deposit, a withdrawal, trading in a symbol that is not configured, a fee that was not told.
 *
 * Always true: what is expected changes by deltas and balances_set alone; what passes the range of a value_t is not
 * known. Core thread only. */
#ifndef EXECGW_ENGINE_OMS_BALANCES_H
#define EXECGW_ENGINE_OMS_BALANCES_H

#include "execgw/arena.h"
#include "execgw/instrument.h"
#include "execgw/order.h"

/* Roundings of single trades add up to less; a venue's smallest lot is more. At 10^-8. */
#define BALANCE_TOLERANCE 100

struct balances;

enum balance_verdict {
    BALANCE_EQUAL,
    BALANCE_FIRST,   /* nothing was known: take it with balances_set */
    BALANCE_DOUBTED, /* differs, or traded meanwhile: ask once more */
    BALANCE_DIFFERS  /* the same difference twice */
};

size_t balances_footprint(void);
struct balances *balances_init(struct arena *arena);

/* One change of an order or of the account: base, quote and fee of a fill in a spot instrument. */
void balances_apply(struct balances *b, const struct instrument *ins, const struct order_delta *d);

/* What is held, from evidence: the journal's BALANCE. BALANCE_UNSAID: nothing is known any more. */
#define BALANCE_UNSAID INT64_MIN
void balances_set(struct balances *b, uint32_t venue, uint32_t ccy, value_t amount);

/* The venue's answer against what is expected; *difference is venue - expected. */
enum balance_verdict balances_compare(struct balances *b, uint32_t venue, uint32_t ccy, value_t amount,
                                      value_t *difference);

/* What of an instrument's base is held beyond its position, less than a unit: the journal's POSITION. At 10^-8. */
value_t balances_rest(const struct balances *b, uint32_t instrument);
void balances_rest_set(struct balances *b, uint32_t instrument, uint32_t rest);

/* False: nothing is known. */
bool balances_expected(const struct balances *b, uint32_t venue, uint32_t ccy, value_t *amount);

#endif
